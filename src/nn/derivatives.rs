//! Derivatives of the inference function y = f(x; θ), what [`Sequential::predict`] computes: Jacobians, gradients, curvature.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::{BackwardTangentArgs, TangentArgs};
use crate::nn::loss::{CurvaturesArgs, Loss, scale, weigh};
use crate::nn::sequential::{At, Rows, Sequential};
use crate::nn::tape::{Stage, Tangents, Tape};
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::{Targets, View, ViewMut, check_shape};
use alloc::format;
use nalgebra::DMatrix;

/// The most columns of a backward pass for Jacobians, a column for each output of each sample: enough to use a weight often
/// once it is fetched.
const COLUMNS: usize = 512;

/// The most numbers that are held of a Jacobian by the parameters before they are where they belong, but for two rows.
const NUMBERS: usize = 1 << 20;

impl<T: Real> Sequential<T> {
    /// ∂y/∂x of each sample, outputs × inputs; of several samples side by side.
    ///
    /// # Errors
    /// As [`At::jacobian_into`].
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::builder(2)
    ///     .layer(Dense::new(3, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let x = DVector::from_vec(vec![0.3, 0.5]);
    /// let j = net.jacobian(&x)?;
    /// let a = (net.weights(0)? * &x + net.bias(0)?).map(f64::tanh);
    /// let by_hand = net.weights(1)? * DMatrix::from_diagonal(&a.map(|a| 1.0 - a * a)) * net.weights(0)?;
    /// assert!((j - by_hand).norm() < 1e-15);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn jacobian<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let x = x.into();
        self.here().check_inputs(x)?;
        let (rows, cols) = (self.outputs(), x.as_slice().len());
        let mut j = DMatrix::from_vec(
            rows,
            cols,
            zeros("Jacobian of Sequential::jacobian", &[rows, cols])?,
        );
        self.jacobian_into(x, &mut j, &mut Tape::new())?;
        Ok(j)
    }

    /// ∂y/∂x of each sample into `j`, without allocation once the tape is warm.
    ///
    /// # Errors
    /// As [`At::jacobian_into`].
    pub fn jacobian_into<'x, 'j>(
        &self,
        x: impl Into<View<'x, T>>,
        j: impl Into<ViewMut<'j, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        self.here().jacobian_into(x, j, tape)
    }

    /// ∂y/∂θ: a row for each output of each sample, a column for each parameter.
    ///
    /// # Errors
    /// As [`At::params_jacobian_into`].
    pub fn params_jacobian<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let x = x.into();
        self.here().check_inputs(x)?;
        let j = zeros(
            "Jacobian of Sequential::params_jacobian",
            &[self.outputs(), x.cols(), self.params().len()],
        )?;
        let mut j = DMatrix::from_vec(self.outputs() * x.cols(), self.params().len(), j);
        self.params_jacobian_into(x, &mut j, &mut Tape::new())?;
        Ok(j)
    }

    /// ∂y/∂θ into `j`, without allocation once the tape is warm.
    ///
    /// # Errors
    /// As [`At::params_jacobian_into`].
    pub fn params_jacobian_into<'x, 'j>(
        &self,
        x: impl Into<View<'x, T>>,
        j: impl Into<ViewMut<'j, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        self.here().params_jacobian_into(x, j, tape)
    }

    /// The cost on a batch, in inference, and its gradient by the inputs into `dx`.
    ///
    /// # Errors
    /// As [`At::input_gradient`].
    pub fn input_gradient<'x, 't, 'd>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        dx: impl Into<ViewMut<'d, T>>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        self.here().input_gradient(x, target, loss, dx, tape)
    }

    /// As [`input_gradient`](Self::input_gradient), with ∂C/∂y written by the caller.
    ///
    /// # Errors
    /// As [`At::input_gradient_with`].
    pub fn input_gradient_with<'x, 'd, R>(
        &self,
        x: impl Into<View<'x, T>>,
        dx: impl Into<ViewMut<'d, T>>,
        tape: &mut Tape<T>,
        slopes: impl FnOnce(View<'_, T>, ViewMut<'_, T>) -> Result<R>,
    ) -> Result<R> {
        self.here().input_gradient_with(x, dx, tape, slopes)
    }

    /// H·v into `out`: the Hessian of the cost on a batch, in inference, by all parameters, times a vector.
    ///
    /// # Errors
    /// As [`At::hessian_product`].
    pub fn hessian_product<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        v: &[T],
        out: &mut [T],
        tape: &mut Tape<T>,
    ) -> Result<()> {
        self.here().hessian_product(x, target, loss, v, out, tape)
    }

    /// Jᵀ·H_L·J·v into `out`: the Gauss–Newton matrix of the cost times a vector.
    ///
    /// # Errors
    /// As [`At::gauss_newton_product`].
    pub fn gauss_newton_product<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        v: &[T],
        out: &mut [T],
        tape: &mut Tape<T>,
    ) -> Result<()> {
        self.here()
            .gauss_newton_product(x, target, loss, v, out, tape)
    }

    /// ∂y/∂θ·v into `y_dot`, outputs × samples: how the outputs change along a direction of the parameters.
    ///
    /// # Errors
    /// As [`At::params_jacobian_product`].
    pub fn params_jacobian_product<'x, 'y>(
        &self,
        x: impl Into<View<'x, T>>,
        v: &[T],
        y_dot: impl Into<ViewMut<'y, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        self.here().params_jacobian_product(x, v, y_dot, tape)
    }
}

/// Derivatives of the inference function y = f(x; θ) at the given parameters: without dropout, with running statistics, which
/// are constants. Where a layer's derivative is 0 everywhere (step, sign) so is what passes it, and that is no error here;
/// a surrogate passes the derivative that stands in. What a tape held before, but for its seed and step, is gone.
impl<T: Real> At<'_, T> {
    /// ∂y/∂x of each sample into `j`, outputs × inputs; of n samples side by side, outputs × (inputs·n), with ∂yᵢ/∂xₖ of
    /// sample s in row i and column s·inputs + k. The same bits for a sample in any batch; NaN in a sample gives NaN in its part
    /// only, wherever the derivative depends on it.
    ///
    /// All outputs go back together, a column for each. Statically sized matrices convert:
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nalgebra::{Matrix2, SMatrix, SVector};
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// // The next state of a body from its position, its velocity and the force: x⁺ = f(x, u).
    /// let net = Sequential::<f64>::builder(3)
    ///     .layer(Dense::new(8, Activation::Tanh))
    ///     .layer(Dense::new(2, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let (mut tape, mut j) = (Tape::new(), SMatrix::<f64, 2, 3>::zeros());
    /// net.jacobian_into(&SVector::<f64, 3>::new(0.1, -0.2, 0.5), &mut j, &mut tape)?;
    /// let (a, b) = (j.fixed_columns::<2>(0), j.fixed_columns::<1>(2)); // f(x, u) ≈ f + a·Δx + b·Δu
    /// let covariance = a * Matrix2::identity() * a.transpose(); // a step of an extended Kalman filter
    /// # let _ = (b, covariance);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) when `x` has not the network's number of inputs or `j` another shape,
    /// [`ErrorKind::Empty`](crate::ErrorKind::Empty) without a sample.
    pub fn jacobian_into<'x, 'j>(
        &self,
        x: impl Into<View<'x, T>>,
        j: impl Into<ViewMut<'j, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let (x, mut j) = (x.into(), j.into());
        self.check_inputs(x)?;
        let (inputs, outputs) = (self.net.inputs(), self.net.outputs());
        check_shape(
            || "Jacobian j".into(),
            (outputs, x.as_slice().len()),
            j.as_view().shape(),
        )?;
        let j = j.as_mut_slice();
        self.by_outputs(x, tape, By::Inputs, |sample, first, slopes| {
            flip(
                slopes,
                inputs,
                &mut j[sample * inputs * outputs + first..],
                outputs,
            )
        });
        Ok(())
    }

    /// ∂y/∂θ into `j`, (outputs·samples) × parameters: sample after sample a row for each output, which is row
    /// sample·outputs + output. That is the Jacobian of the residuals y − t, of which Gauss–Newton and Levenberg–Marquardt
    /// make steps. The same bits for a sample in any batch.
    ///
    /// # Errors
    /// As [`jacobian_into`](Self::jacobian_into).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// // A step of Gauss and Newton, which on a linear network arrives: θ ← θ − (JᵀJ)⁻¹·Jᵀ·r.
    /// let mut net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let (x, t) = (DMatrix::from_row_slice(1, 3, &[0.0, 1.0, 2.0]), DMatrix::from_row_slice(1, 3, &[1.0, 3.0, 5.0]));
    /// let (j, r) = (net.params_jacobian(&x)?, (net.predict(&x)? - t).transpose());
    /// let step = (j.transpose() * &j).cholesky().map(|square| square.solve(&(j.transpose() * r)));
    /// for (p, step) in net.params_mut().iter_mut().zip(&step.expect("independent columns")) {
    ///     *p -= *step;
    /// }
    /// assert!((net.weights(0)?[0] - 2.0).abs() < 1e-12 && (net.bias(0)?[0] - 1.0).abs() < 1e-12);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn params_jacobian_into<'x, 'j>(
        &self,
        x: impl Into<View<'x, T>>,
        j: impl Into<ViewMut<'j, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let (x, mut j) = (x.into(), j.into());
        self.check_inputs(x)?;
        let (outputs, params) = (self.net.outputs(), self.params.len());
        let rows = outputs.saturating_mul(x.cols());
        check_shape(|| "Jacobian j".into(), (rows, params), j.as_view().shape())?;
        let j = j.as_mut_slice();
        if params > 0 {
            self.by_outputs(x, tape, By::Params, |sample, first, grads| {
                flip(grads, params, &mut j[sample * outputs + first..], rows)
            });
        }
        Ok(())
    }

    /// The gradient by the parameters of every residual y − t: sample after sample, output after output, each of as many
    /// numbers as there are parameters.
    pub(crate) fn residual_gradients(&self, x: View<'_, T>, rows: &mut [T], tape: &mut Tape<T>) {
        let (outputs, params) = (self.net.outputs(), self.params.len());
        if params > 0 {
            self.by_outputs(x, tape, By::Params, |sample, first, grads| {
                rows[(sample * outputs + first) * params..][..grads.len()].copy_from_slice(grads);
            });
        }
    }

    /// Σ cₖ·∂yₖ/∂θ over all outputs of all samples, with factors c that depend on the outputs y.
    pub(crate) fn weighted_gradient(
        &self,
        x: View<'_, T>,
        grads: &mut [T],
        tape: &mut Tape<T>,
        factor: impl Fn(usize, T) -> T + Send + Sync,
    ) {
        tape.on_threads(self.net.layout(), x.cols(), |tape| {
            self.forward(x, tape, false);
            let (y, mut dy) = tape.top(self.net.outputs());
            for (k, (dy, y)) in dy.as_mut_slice().iter_mut().zip(y.as_slice()).enumerate() {
                *dy = factor(k, *y);
            }
            self.backward(
                x,
                tape,
                None,
                Rows {
                    grads,
                    samples: x.cols(),
                },
                false,
            );
            tape.stage = Stage::Empty;
        });
    }

    /// The cost on a batch, in inference, and ∂C/∂x into `dx`, inputs × samples: how each input of each sample makes the cost
    /// larger. The samples' costs stay in the tape.
    ///
    /// # Errors
    /// Those of [`cost`](Self::cost), and [`ErrorKind::Shape`](crate::ErrorKind::Shape) when `dx` has another shape than `x`.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::QuadraticCost;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let (x, t) = (DVector::from_vec(vec![0.3, 0.5]), DVector::from_vec(vec![1.0]));
    /// let mut dx = DVector::zeros(2);
    /// net.input_gradient(&x, &t, &QuadraticCost, &mut dx, &mut Tape::new())?;
    /// assert_eq!(dx, net.weights(0)?.transpose() * (net.predict(&x)? - t)); // Wᵀ(y − t)
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn input_gradient<'x, 't, 'd>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        dx: impl Into<ViewMut<'d, T>>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        let (x, target, dx) = (x.into(), target.into(), dx.into());
        self.check_pass(x, target, loss)?;
        check_shape(|| "gradient dx".into(), x.shape(), dx.as_view().shape())?;
        Ok(tape.on_threads(self.net.layout(), x.cols(), |tape| {
            self.forward(x, tape, false);
            let cost = self.tape_cost(target, loss, tape);
            self.tape_slopes(target, loss, tape);
            self.backward_to_inputs(x, dx, tape);
            cost
        }))
    }

    /// As [`input_gradient`](Self::input_gradient), for a cost that is no [`Loss`]: `slopes` is given the outputs y and
    /// ∂C/∂y = 0 to be overwritten, both outputs × samples; what it returns is returned.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into), [`ErrorKind::Shape`](crate::ErrorKind::Shape) when `dx` has another shape
    /// than `x`, and what `slopes` returns; `dx` is then as it was.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let critic = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(8, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// // Which way a state and an action become worth more: the gradient of the output itself.
    /// let (state_and_action, mut uphill) = (DVector::from_vec(vec![0.3, 0.5]), DVector::zeros(2));
    /// critic.input_gradient_with(&state_and_action, &mut uphill, &mut Tape::new(), |_y, mut dy| {
    ///     dy.as_mut_slice().fill(1.0);
    ///     Ok(())
    /// })?;
    /// assert_eq!(uphill.transpose(), critic.jacobian(&state_and_action)?);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn input_gradient_with<'x, 'd, R>(
        &self,
        x: impl Into<View<'x, T>>,
        dx: impl Into<ViewMut<'d, T>>,
        tape: &mut Tape<T>,
        slopes: impl FnOnce(View<'_, T>, ViewMut<'_, T>) -> Result<R>,
    ) -> Result<R> {
        let (x, dx) = (x.into(), dx.into());
        self.check_inputs(x)?;
        check_shape(|| "gradient dx".into(), x.shape(), dx.as_view().shape())?;
        tape.on_threads(self.net.layout(), x.cols(), |tape| {
            self.forward(x, tape, false)
        });
        let (y, mut dy) = tape.top(self.net.outputs());
        // What the caller leaves out is 0, not what another pass left.
        dy.as_mut_slice().fill(T::zero());
        let result = slopes(y, dy)?;
        tape.on_threads(self.net.layout(), x.cols(), |tape| {
            self.backward_to_inputs(x, dx, tape)
        });
        Ok(result)
    }

    /// H·v into `out`, where H = ∂²C/∂θ² of the cost on a batch, in inference: exact, for the price of about three gradients,
    /// and without H itself (Pearlmutter, *Fast exact multiplication by the Hessian*, Neural Computation 6, 1994). What
    /// belongs to running statistics, which are constants, is taken for 0 in `v` and is 0 in `out`.
    ///
    /// # Errors
    /// Those of [`cost`](Self::cost), [`ErrorKind::Shape`](crate::ErrorKind::Shape) when `v` or `out` has not as many numbers as
    /// the network has parameters, and [`ErrorKind::Incompatible`](crate::ErrorKind::Incompatible) for a surrogate, whose
    /// backward pass has no cost, and for layers and losses of other crates without
    /// [`Layer::tangent`](crate::nn::layer::Layer::tangent), [`Layer::backward_tangent`](crate::nn::layer::Layer::backward_tangent) and
    /// [`Loss::curvatures`].
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::QuadraticCost;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// // C = (w·x − t)²/2 has the second derivative x² by w.
    /// let net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear).without_bias())
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let (x, t, mut product) = (DVector::from_vec(vec![3.0]), DVector::zeros(1), [0.0]);
    /// net.hessian_product(&x, &t, &QuadraticCost, &[0.5], &mut product, &mut Tape::new())?;
    /// assert_eq!(product, [9.0 * 0.5]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn hessian_product<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        v: &[T],
        out: &mut [T],
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let (x, target) = (x.into(), target.into());
        self.curve(x, target, loss, v, out, tape, |tape| {
            self.tape_slopes(target, loss, tape);
            let mut deltas = core::mem::take(&mut tape.tangents.deltas);
            let top = deltas.len() - target.values().as_slice().len();
            let bent = self.curvatures(target, loss, &mut deltas[top..], tape);
            tape.tangents.deltas = deltas;
            bent?;
            self.backward_tangent(x, v, tape)
        })
    }

    /// Jᵀ·H_L·J·v into `out`, where J = ∂y/∂θ and H_L is the Hessian of the loss by the outputs: the Hessian of the cost without the
    /// curvature of the network, which is positive semidefinite wherever the loss is convex and is H itself for a network that is
    /// linear in its parameters (Schraudolph, *Fast curvature matrix-vector products for second-order gradient descent*, Neural
    /// Computation 14, 2002). For the price of about two gradients.
    ///
    /// # Errors
    /// As [`hessian_product`](Self::hessian_product), but that no layer needs
    /// [`Layer::backward_tangent`](crate::nn::layer::Layer::backward_tangent).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::SumSquaredError;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(4, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let (x, t) = (DMatrix::from_row_slice(1, 3, &[0.0, 1.0, 2.0]), DMatrix::from_row_slice(1, 3, &[1.0, 3.0, 5.0]));
    /// let v = DVector::from_element(net.params().len(), 0.1);
    /// let mut product = DVector::zeros(v.len());
    /// net.gauss_newton_product(&x, &t, &SumSquaredError, v.as_slice(), product.as_mut_slice(), &mut Tape::new())?;
    /// let j = net.params_jacobian(&x)?;
    /// assert!((product - j.transpose() * (j * v)).norm() < 1e-14);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn gauss_newton_product<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        v: &[T],
        out: &mut [T],
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let (x, target) = (x.into(), target.into());
        self.curve(x, target, loss, v, out, tape, |tape| {
            let mut deltas = core::mem::take(&mut tape.deltas);
            let top = deltas.len() - target.values().as_slice().len();
            let bent = self.curvatures(target, loss, &mut deltas[top..], tape);
            tape.deltas = deltas;
            bent?;
            let mut grads = core::mem::take(&mut tape.grads);
            self.backward(
                x,
                tape,
                None,
                Rows {
                    grads: &mut grads,
                    samples: x.cols(),
                },
                false,
            );
            tape.grads = grads;
            Ok(())
        })
    }

    /// ∂y/∂θ·v into `y_dot`, outputs × samples, without the Jacobian itself: how the outputs change along a direction of the
    /// parameters.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into); [`ErrorKind::Shape`](crate::ErrorKind::Shape) when `v` has not as many numbers
    /// as the network has parameters, and [`ErrorKind::Incompatible`](crate::ErrorKind::Incompatible) for a surrogate and for layers
    /// of other crates without [`Layer::tangent`](crate::nn::layer::Layer::tangent).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let (x, mut y_dot) = (DVector::from_vec(vec![3.0, 4.0]), DVector::zeros(1));
    /// net.params_jacobian_product(&x, &[1.0, 0.0, 0.5], &mut y_dot, &mut Tape::new())?; // the first weight, and half the bias
    /// assert_eq!(y_dot[0], 3.5);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn params_jacobian_product<'x, 'y>(
        &self,
        x: impl Into<View<'x, T>>,
        v: &[T],
        y_dot: impl Into<ViewMut<'y, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let (x, mut y_dot) = (x.into(), y_dot.into());
        self.check_inputs(x)?;
        check_shape(
            || "tangent y_dot".into(),
            (self.net.outputs(), x.cols()),
            y_dot.as_view().shape(),
        )?;
        self.check_vector("vector v", v)?;
        tape.on_threads(self.net.layout(), x.cols(), |tape| self.tangent(x, v, tape))?;
        let top = tape.tangents.activations.len() - y_dot.as_view().as_slice().len();
        y_dot
            .as_mut_slice()
            .copy_from_slice(&tape.tangents.activations[top..]);
        Ok(())
    }

    /// There must be as many numbers as parameters.
    fn check_vector(&self, place: &str, numbers: &[T]) -> Result<()> {
        if numbers.len() == self.params.len() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Shape,
            place,
            format!("{} numbers, one per parameter", self.params.len()),
            numbers.len(),
        ))
    }

    /// Checks all, goes forward along v, and copies to `out` what `back` leaves as the gradient in the tape.
    #[allow(
        clippy::too_many_arguments,
        reason = "those of the products, and what they differ by"
    )]
    fn curve(
        &self,
        x: View<'_, T>,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
        v: &[T],
        out: &mut [T],
        tape: &mut Tape<T>,
        back: impl FnOnce(&mut Tape<T>) -> Result<()> + Send,
    ) -> Result<()> {
        self.check_pass(x, target, loss)?;
        self.check_vector("vector v", v)?;
        self.check_vector("product out", out)?;
        tape.on_threads(self.net.layout(), x.cols(), |tape| {
            self.tangent(x, v, tape)?;
            back(tape)
        })?;
        out.copy_from_slice(&tape.grads);
        Ok(())
    }

    /// The forward pass and the one along v, both into the tape.
    fn tangent(&self, x: View<'_, T>, v: &[T], tape: &mut Tape<T>) -> Result<()> {
        self.forward(x, tape, false);
        tape.stage = Stage::Empty;
        let (layout, batch) = (&**self.net.layout(), x.cols());
        tape.prepare_tangents(layout);
        let Tape {
            activations,
            cache,
            tangents,
            scratch,
            ..
        } = tape;
        let (mut start, mut cached, mut tangent_cached) = (0, 0, 0);
        for (index, layer) in self.net.layers().iter().enumerate() {
            let (inputs, outputs) = (layout.widths[index], layout.widths[index + 1]);
            let below = start - if index == 0 { 0 } else { inputs * batch };
            let end = start + outputs * batch;
            let (lower, upper) = tangents.activations.split_at_mut(start);
            let (x, x_dot) = if index == 0 {
                (x, View::from_parts(&tangents.inputs, inputs, batch))
            } else {
                (
                    View::from_parts(&activations[below..start], inputs, batch),
                    View::from_parts(&lower[below..], inputs, batch),
                )
            };
            let (kept, tangent_kept) = (
                layout.caches[index] * batch,
                layout.tangent_caches[index] * batch,
            );
            let tangent = layer.tangent(TangentArgs {
                params: &self.params[layout.param_range(index)],
                params_dot: &v[layout.param_range(index)],
                x,
                x_dot,
                moving: layout.params[index] > 0,
                y: View::from_parts(&activations[start..end], outputs, batch),
                y_dot: ViewMut::from_parts(&mut upper[..outputs * batch], outputs, batch),
                cache: &cache[cached..cached + kept],
                tangent_cache: &mut tangents.cache[tangent_cached..tangent_cached + tangent_kept],
                scratch,
            });
            tangent.map_err(|error| error.within(layout.place(index)))?;
            (start, cached, tangent_cached) = (end, cached + kept, tangent_cached + tangent_kept);
        }
        Ok(())
    }

    /// ∂²C/∂y²·ẏ of the cost of a batch, with the outputs and their tangent in the tape.
    fn curvatures(
        &self,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
        dy_dot: &mut [T],
        tape: &Tape<T>,
    ) -> Result<()> {
        let (rows, cols) = target.values().shape();
        let top = tape.tangents.activations.len() - rows * cols;
        let y_dot = View::from_parts(&tape.tangents.activations[top..], rows, cols);
        let mut dy_dot = ViewMut::from_parts(dy_dot, rows, cols);
        let y = View::from_parts(&tape.activations[top..], rows, cols);
        loss.curvatures(CurvaturesArgs {
            y,
            target: target.values(),
            y_dot,
            dy_dot: dy_dot.reborrow(),
        })?;
        weigh(dy_dot.as_mut_slice(), target.weights());
        scale(loss.reduction(), dy_dot);
        Ok(())
    }

    /// The backward pass and its derivative along v, from ∂C/∂y and its derivative in the tape; what is derived by the
    /// parameters goes to the place of the gradient.
    fn backward_tangent(&self, x: View<'_, T>, v: &[T], tape: &mut Tape<T>) -> Result<()> {
        let (layout, batch) = (&**self.net.layout(), x.cols());
        let Tape {
            activations,
            deltas,
            cache,
            grads,
            tangents,
            scratch,
            ..
        } = tape;
        let Tangents {
            inputs: still,
            activations: dots,
            deltas: delta_dots,
            cache: tangent_cache,
        } = tangents;
        let (mut end, mut cache_end, mut tangent_end) =
            (activations.len(), cache.len(), tangent_cache.len());
        for (index, layer) in self.net.layers().iter().enumerate().rev() {
            let (inputs, outputs) = (layout.widths[index], layout.widths[index + 1]);
            let start = end - outputs * batch;
            let (cache_start, tangent_start) = (
                cache_end - layout.caches[index] * batch,
                tangent_end - layout.tangent_caches[index] * batch,
            );
            let below = start.saturating_sub(inputs * batch);
            let (x, x_dot) = if index == 0 {
                (x, View::from_parts(still, inputs, batch))
            } else {
                (
                    View::from_parts(&activations[below..start], inputs, batch),
                    View::from_parts(&dots[below..start], inputs, batch),
                )
            };
            let ((lower, upper), (lower_dot, upper_dot)) =
                (deltas.split_at_mut(start), delta_dots.split_at_mut(start));
            let dx = (index > 0).then(|| {
                (
                    ViewMut::from_parts(&mut lower[below..], inputs, batch),
                    ViewMut::from_parts(&mut lower_dot[below..], inputs, batch),
                )
            });
            let result = layer.backward_tangent(BackwardTangentArgs {
                params: &self.params[layout.param_range(index)],
                params_dot: &v[layout.param_range(index)],
                x,
                x_dot,
                moving: layout.params[index] > 0,
                y: View::from_parts(&activations[start..end], outputs, batch),
                y_dot: View::from_parts(&dots[start..end], outputs, batch),
                cache: &cache[cache_start..cache_end],
                tangent_cache: &tangent_cache[tangent_start..tangent_end],
                delta: ViewMut::from_parts(&mut upper[..outputs * batch], outputs, batch),
                delta_dot: ViewMut::from_parts(&mut upper_dot[..outputs * batch], outputs, batch),
                dx,
                grads_dot: &mut grads[layout.param_range(index)],
                scratch,
            });
            result.map_err(|error| error.within(layout.place(index)))?;
            (end, cache_end, tangent_end) = (start, cache_start, tangent_start);
        }
        Ok(())
    }

    /// ∂C/∂x from ∂C/∂y in the tape.
    fn backward_to_inputs(&self, x: View<'_, T>, mut dx: ViewMut<'_, T>, tape: &mut Tape<T>) {
        if x.cols() > 1 {
            self.backward(
                x,
                tape,
                Some(dx),
                Rows {
                    grads: &mut [],
                    samples: 1,
                },
                false,
            );
            tape.stage = Stage::Empty;
            return;
        }
        // The product for a single column may round differently: a second one, whose cost is 0, makes it as in a batch.
        let (outputs, from) = (self.net.outputs(), tape.deltas.len() - self.net.outputs());
        tape.repeat(self.net.layout(), x, 2);
        let to = tape.deltas.len() - 2 * outputs;
        tape.deltas.copy_within(from..from + outputs, to);
        tape.deltas[to + outputs..].fill(T::zero());
        self.backward_repeated(By::Inputs, 2, tape);
        dx.as_mut_slice()
            .copy_from_slice(&tape.repeated.rows[..x.rows()]);
    }

    /// The derivatives of every output of every sample, by backward passes in which a sample stands once for each output. `take`
    /// is given a sample, the first of some outputs, and the derivatives of these one after the other.
    fn by_outputs(
        &self,
        x: View<'_, T>,
        tape: &mut Tape<T>,
        by: By,
        mut take: impl FnMut(usize, usize, &[T]) + Send,
    ) {
        let (outputs, width) = (self.net.outputs(), by.width(self));
        let columns = tape.scratch.workers.count() * (NUMBERS / width).clamp(2, COLUMNS);
        // The product for a single column may round differently: where there is one, a second one is beside it.
        let copies = |samples: usize| outputs.min(columns).max(if samples == 1 { 2 } else { 1 });
        let step = (columns / copies(2)).max(1);
        tape.on_threads(
            self.net.layout(),
            x.cols().saturating_mul(outputs).min(columns),
            |tape| {
                for start in (0..x.cols()).step_by(step) {
                    let x = x.range(start, x.cols().min(start + step));
                    let copies = copies(x.cols());
                    self.forward(x, tape, false);
                    tape.repeat(self.net.layout(), x, copies);
                    for first in (0..outputs).step_by(copies) {
                        let count = copies.min(outputs - first);
                        let (_, mut dy) = tape.top(outputs);
                        dy.as_mut_slice().fill(T::zero());
                        for (column, dy) in dy.iter_mut().enumerate() {
                            if column % copies < count {
                                dy[first + column % copies] = T::one();
                            }
                        }
                        self.backward_repeated(by, x.cols() * copies, tape);
                        for (sample, slopes) in
                            tape.repeated.rows.chunks_exact(copies * width).enumerate()
                        {
                            take(start + sample, first, &slopes[..count * width]);
                        }
                    }
                }
            },
        );
    }

    /// The backward pass of so many repeated samples, whose derivatives go to the tape's rows.
    fn backward_repeated(&self, by: By, batch: usize, tape: &mut Tape<T>) {
        let (x, mut rows) = (
            core::mem::take(&mut tape.repeated.x),
            core::mem::take(&mut tape.repeated.rows),
        );
        rows.resize(batch * by.width(self), T::zero());
        let inputs = self.net.inputs();
        let (dx, grads) = match by {
            By::Inputs => (
                Some(ViewMut::from_parts(&mut rows, inputs, batch)),
                &mut [][..],
            ),
            By::Params => (None, &mut rows[..]),
        };
        self.backward(
            View::from_parts(&x, inputs, batch),
            tape,
            dx,
            Rows { grads, samples: 1 },
            false,
        );
        (tape.repeated.x, tape.repeated.rows) = (x, rows);
    }
}

/// What to differentiate by.
#[derive(Clone, Copy)]
enum By {
    Inputs,
    Params,
}

impl By {
    /// How many numbers that are.
    fn width<T: Real>(self, at: &At<'_, T>) -> usize {
        match self {
            Self::Inputs => at.net.inputs(),
            Self::Params => at.params.len(),
        }
    }
}

/// Writes columns of `len` numbers as rows, into a matrix whose columns are `distance` apart.
fn flip<T: Real>(columns: &[T], len: usize, to: &mut [T], distance: usize) {
    for (row, column) in columns.chunks_exact(len).enumerate() {
        for (to, from) in to[row..].iter_mut().step_by(distance).zip(column) {
            *to = *from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::activation::Activation;
    use crate::nn::layers::Dense;
    use crate::numeric::random::stream;

    /// The gradients of the residuals are the rows of the Jacobian, also where one pass does not take all.
    #[test]
    fn residual_gradients_are_rows() -> Result<()> {
        for (outputs, samples) in [(1, 1), (1, 3), (3, 1), (2, 300), (600, 2)] {
            let net = Sequential::<f64>::builder(2)
                .layer(Dense::new(3, Activation::Tanh))
                .layer(Dense::new(outputs, Activation::Sigmoid))
                .build(&mut stream(1))?;
            let x = DMatrix::from_fn(2, samples, |i, j| ((i + 2) * (j + 1)) as f64 % 1.7);
            let mut rows = DMatrix::from_element(net.params().len(), outputs * samples, f64::NAN);
            net.here()
                .residual_gradients((&x).into(), rows.as_mut_slice(), &mut Tape::new());
            assert_eq!(
                rows.transpose(),
                net.params_jacobian(&x)?,
                "{outputs} outputs, {samples} samples"
            );
        }
        Ok(())
    }
}
