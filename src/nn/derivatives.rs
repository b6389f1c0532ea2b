//! Derivatives of the inference function y = f(x; θ), which [`Sequential::predict`] computes:
//! Jacobians, gradients, curvature.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layout::Layout;
use crate::nn::loss::{CurvaturesArgs, Loss, scale};
use crate::nn::passes::{self, Rows, Walk};
use crate::nn::sequential::Sequential;
use crate::nn::tape::{Stage, TangentTop, Tape};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::{Targets, View, ViewMut, check_shape};
use alloc::format;
use nalgebra::DMatrix;

/// The most columns of a backward pass for Jacobians, a column for each output of each sample:
/// enough to use a weight often once it is fetched.
const COLUMNS: usize = 512;

/// The most numbers that are held of a Jacobian by the parameters before they are where they
/// belong, but for two rows.
const NUMBERS: usize = 1 << 20;

/// Derivatives of the inference function y = f(x; θ): without dropout, and with running statistics,
/// which are constants. Layers with zero derivative (step, sign) yield zero here, not an error; a
/// surrogate uses its stand-in. The tape loses what it held before, but for its seed and step.
impl<T: Real, P: AsRef<[T]>> Sequential<T, P> {
    /// ∂y/∂x of each sample, outputs × inputs; of several samples side by side.
    ///
    /// # Errors
    /// As [`jacobian_into`](Self::jacobian_into).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::builder(2)
    ///     .layer(Dense::new(3, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let x = DVector::from_vec(vec![0.3, 0.5]);
    /// let j = net.jacobian(&x)?;
    /// let a = (net.weights(0)? * &x + net.bias(0)?).map(f64::tanh);
    /// let by_hand =
    ///     net.weights(1)? * DMatrix::from_diagonal(&a.map(|a| 1.0 - a * a)) * net.weights(0)?;
    /// assert!((j - by_hand).norm() < 1e-15);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("jacrev"))]
    pub fn jacobian<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let x = x.into();
        self.walk().check_inputs(x)?;
        let (rows, cols) = (self.outputs(), x.as_slice().len());
        let mut j = DMatrix::from_vec(
            rows,
            cols,
            zeros("Jacobian of Sequential::jacobian", &[rows, cols])?,
        );
        self.jacobian_into(x, &mut j, &mut Tape::new())?;
        Ok(j)
    }

    /// ∂y/∂x of each sample into `j`, outputs × inputs; of n samples side by side, outputs ×
    /// (inputs·n), with ∂yᵢ/∂xₖ of sample s in row i and column s·inputs + k. The same bits for a
    /// sample in any batch; NaN in a sample gives NaN in its part only, wherever the derivative
    /// depends on it.
    ///
    /// All outputs go back together, a column for each. Statically sized matrices convert:
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nalgebra::{Matrix2, SMatrix, SVector};
    /// // The next state of a body from its position, its velocity and the force: x⁺ = f(x, u).
    /// let net = Sequential::<f64>::builder(3)
    ///     .layer(Dense::new(8, Activation::Tanh))
    ///     .layer(Dense::new(2, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let (mut tape, mut j) = (Tape::new(), SMatrix::<f64, 2, 3>::zeros());
    /// net.jacobian_into(&SVector::<f64, 3>::new(0.1, -0.2, 0.5), &mut j, &mut tape)?;
    /// // f(x, u) ≈ f + a·Δx + b·Δu
    /// let (a, b) = (j.fixed_columns::<2>(0), j.fixed_columns::<1>(2));
    /// // a step of an extended Kalman filter
    /// let covariance = a * Matrix2::identity() * a.transpose();
    /// # let _ = (b, covariance);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) when `x` has not the network's number of
    /// inputs or `j` another shape, [`ErrorKind::Empty`](crate::ErrorKind::Empty) without a sample.
    pub fn jacobian_into<'x, 'j>(
        &self,
        x: impl Into<View<'x, T>>,
        j: impl Into<ViewMut<'j, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           j: ViewMut<'_, T>,
                           tape: &mut Tape<T>| -> Result<()> {
            walk.jacobian(x, j, tape)
        })(self.walk(), x.into(), j.into(), tape)
    }

    /// ∂y/∂θ: a row for each output of each sample, a column for each parameter.
    ///
    /// # Errors
    /// As [`params_jacobian_into`](Self::params_jacobian_into).
    pub fn params_jacobian<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let x = x.into();
        self.walk().check_inputs(x)?;
        let j = zeros(
            "Jacobian of Sequential::params_jacobian",
            &[self.outputs(), x.cols(), self.params().len()],
        )?;
        let mut j = DMatrix::from_vec(self.outputs() * x.cols(), self.params().len(), j);
        self.params_jacobian_into(x, &mut j, &mut Tape::new())?;
        Ok(j)
    }

    /// ∂y/∂θ into `j`, (outputs·samples) × parameters: sample after sample a row for each output,
    /// which is row sample·outputs + output. That is the Jacobian of the residuals y − t, of which
    /// Gauss–Newton and Levenberg–Marquardt make steps. The same bits for a sample in any batch.
    ///
    /// # Errors
    /// As [`jacobian_into`](Self::jacobian_into).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// // A step of Gauss and Newton, which on a linear network arrives: θ ← θ − (JᵀJ)⁻¹·Jᵀ·r.
    /// let mut net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let (x, t) = (
    ///     DMatrix::from_row_slice(1, 3, &[0.0, 1.0, 2.0]),
    ///     DMatrix::from_row_slice(1, 3, &[1.0, 3.0, 5.0]),
    /// );
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
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           j: ViewMut<'_, T>,
                           tape: &mut Tape<T>| -> Result<()> {
            walk.params_jacobian(x, j, tape)
        })(self.walk(), x.into(), j.into(), tape)
    }

    /// The gradient by the parameters of every residual y − t: sample after sample, output after
    /// output, each of as many numbers as there are parameters.
    pub(crate) fn residual_gradients(&self, x: View<'_, T>, rows: &mut [T], tape: &mut Tape<T>) {
        let (outputs, params) = (self.outputs(), self.params().len());
        if params > 0 {
            by_outputs(self.walk(), x, tape, By::Params, |sample, first, grads| {
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
        let walk = self.walk();
        tape.on_threads(walk.layout, x.cols(), |tape| {
            walk.record(x, tape, false);
            let mut top = tape.top();
            for (k, (dy, y)) in top
                .dy
                .as_mut_slice()
                .iter_mut()
                .zip(top.y.as_slice())
                .enumerate()
            {
                *dy = factor(k, *y);
            }
            tape.walk(Stage::Empty, |lent| {
                let rows = Rows {
                    grads,
                    samples: x.cols(),
                };
                walk.backward(x, lent.room, None, rows, false);
            });
        });
    }

    /// The cost on a batch, in inference, and ∂C/∂x into `dx`, inputs × samples: how each input of
    /// each sample makes the cost larger. The samples' costs stay in the tape.
    ///
    /// # Errors
    /// Those of [`cost`](Self::cost), and [`ErrorKind::Shape`](crate::ErrorKind::Shape) when `dx`
    /// has another shape than `x`.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::QuadraticCost;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let (x, t) = (DVector::from_vec(vec![0.3, 0.5]), DVector::from_vec(vec![1.0]));
    /// let mut dx = DVector::zeros(2);
    /// net.input_gradient(&x, &t, &QuadraticCost, &mut dx, &mut Tape::new())?;
    /// assert_eq!(dx, net.weights(0)?.transpose() * (net.predict(&x)? - t)); // Wᵀ(y − t)
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("saliency"))]
    pub fn input_gradient<'x, 't, 'd>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        dx: impl Into<ViewMut<'d, T>>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           target: Targets<'_, T>,
                           loss: &dyn Loss<T>,
                           dx: ViewMut<'_, T>,
                           tape: &mut Tape<T>| -> Result<T> {
            walk.check_pass(x, target, loss)?;
            check_shape(|| "gradient dx".into(), x.shape(), dx.as_view().shape())?;
            Ok(tape.on_threads(walk.layout, x.cols(), |tape| {
                walk.record(x, tape, false);
                let cost = passes::cost_and_slopes(target, loss, tape);
                backward_to_inputs(walk, x, dx, tape);
                cost
            }))
        })(self.walk(), x.into(), target.into(), loss, dx.into(), tape)
    }

    /// As [`input_gradient`](Self::input_gradient), for a cost that is no [`Loss`]: `slopes` is
    /// given the outputs y and ∂C/∂y = 0 to be overwritten, both outputs × samples; what it returns
    /// is returned.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into), [`ErrorKind::Shape`](crate::ErrorKind::Shape)
    /// when `dx` has another shape than `x`, and what `slopes` returns; `dx` is then as it was.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let critic = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(8, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
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
        let (walk, x, dx) = (self.walk(), x.into(), dx.into());
        check_shape(|| "gradient dx".into(), x.shape(), dx.as_view().shape())?;
        compiled_here!(T: |walk: Walk<'_, T>, x: View<'_, T>, tape: &mut Tape<T>| -> Result<()> {
            walk.check_inputs(x)?;
            tape.on_threads(walk.layout, x.cols(), |tape| walk.record(x, tape, false));
            Ok(())
        })(walk, x, tape)?;
        let result = passes::slopes_by(tape, slopes)?;
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           dx: ViewMut<'_, T>,
                           tape: &mut Tape<T>| {
            tape.on_threads(walk.layout, x.cols(), |tape| {
                backward_to_inputs(walk, x, dx, tape)
            });
        })(walk, x, dx, tape);
        Ok(result)
    }

    /// H·v into `out`, where H = ∂²C/∂θ² of the cost on a batch, in inference. It is exact, costs
    /// about three gradients, and does without H itself (Pearlmutter, *Fast exact multiplication by
    /// the Hessian*, Neural Computation 6, 1994). What belongs to running statistics, which are
    /// constants, is taken for 0 in `v` and is 0 in `out`.
    ///
    /// # Errors
    /// Those of [`cost`](Self::cost), [`ErrorKind::Shape`](crate::ErrorKind::Shape) when `v` or
    /// `out` has not as many numbers as the network has parameters, and
    /// [`ErrorKind::Incompatible`](crate::ErrorKind::Incompatible) for a surrogate, whose backward
    /// pass has no cost, and for layers and losses of other crates without
    /// [`Layer::tangent`](crate::nn::layer::Layer::tangent),
    /// [`Layer::backward_tangent`](crate::nn::layer::Layer::backward_tangent) and
    /// [`Loss::curvatures`].
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::QuadraticCost;
    /// // C = (w·x − t)²/2 has the second derivative x² by w.
    /// let net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(1, Activation::Linear).without_bias())
    ///     .seed(1)
    ///     .build()?;
    /// let (x, t) = (DVector::from_vec(vec![3.0]), DVector::zeros(1));
    /// let mut product = [0.0];
    /// net.hessian_product(&x, &t, &QuadraticCost, &[0.5], &mut product, &mut Tape::new())?;
    /// assert_eq!(product, [9.0 * 0.5]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("hvp"))]
    pub fn hessian_product<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        v: &[T],
        out: &mut [T],
        tape: &mut Tape<T>,
    ) -> Result<()> {
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           target: Targets<'_, T>,
                           loss: &dyn Loss<T>,
                           v: &[T],
                           out: &mut [T],
                           tape: &mut Tape<T>| -> Result<()> {
            walk.curve(x, target, loss, v, out, tape, |tape| {
                passes::slopes(target, loss, tape);
                let TangentTop {
                    y, y_dot, dy_dot, ..
                } = tape.tangent_top();
                curvatures(target, loss, y, y_dot, dy_dot)?;
                tape.walk(Stage::Empty, |lent| {
                    walk.backward_tangent(x, Some(v), lent.room, lent.tangents, None, lent.grads)
                })
            })
        })(self.walk(), x.into(), target.into(), loss, v, out, tape)
    }

    /// Jᵀ·H_L·J·v into `out`, where J = ∂y/∂θ and H_L is the Hessian of the loss by the outputs.
    /// Jᵀ·H_L·J is the Hessian of the cost without the curvature of the network. It is positive
    /// semidefinite wherever the loss is convex, and H itself for a network that is linear in its
    /// parameters (Schraudolph, *Fast curvature matrix-vector products for second-order gradient
    /// descent*, Neural Computation 14, 2002). For the price of about two gradients.
    ///
    /// # Errors
    /// As [`hessian_product`](Self::hessian_product), but that no layer needs
    /// [`Layer::backward_tangent`](crate::nn::layer::Layer::backward_tangent).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::SumSquaredError;
    /// let net = Sequential::<f64>::builder(1)
    ///     .layer(Dense::new(4, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let (x, t) = (
    ///     DMatrix::from_row_slice(1, 3, &[0.0, 1.0, 2.0]),
    ///     DMatrix::from_row_slice(1, 3, &[1.0, 3.0, 5.0]),
    /// );
    /// let v = DVector::from_element(net.params().len(), 0.1);
    /// let mut product = DVector::zeros(v.len());
    /// net.gauss_newton_product(
    ///     &x,
    ///     &t,
    ///     &SumSquaredError,
    ///     v.as_slice(),
    ///     product.as_mut_slice(),
    ///     &mut Tape::new(),
    /// )?;
    /// let j = net.params_jacobian(&x)?;
    /// assert!((product - j.transpose() * (j * v)).norm() < 1e-14);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("ggnvp"))]
    pub fn gauss_newton_product<'x, 't>(
        &self,
        x: impl Into<View<'x, T>>,
        target: impl Into<Targets<'t, T>>,
        loss: &dyn Loss<T>,
        v: &[T],
        out: &mut [T],
        tape: &mut Tape<T>,
    ) -> Result<()> {
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           target: Targets<'_, T>,
                           loss: &dyn Loss<T>,
                           v: &[T],
                           out: &mut [T],
                           tape: &mut Tape<T>| -> Result<()> {
            walk.curve(x, target, loss, v, out, tape, |tape| {
                let TangentTop { y, y_dot, dy, .. } = tape.tangent_top();
                curvatures(target, loss, y, y_dot, dy)?;
                tape.walk(Stage::Empty, |lent| {
                    let rows = Rows {
                        grads: lent.grads,
                        samples: x.cols(),
                    };
                    walk.backward(x, lent.room, None, rows, false);
                });
                Ok(())
            })
        })(self.walk(), x.into(), target.into(), loss, v, out, tape)
    }

    /// ∂y/∂θ·v into `y_dot`, outputs × samples, without the Jacobian itself: how the outputs change
    /// along a direction of the parameters.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into); [`ErrorKind::Shape`](crate::ErrorKind::Shape)
    /// when `v` has not as many numbers as the network has parameters, and
    /// [`ErrorKind::Incompatible`](crate::ErrorKind::Incompatible) for a surrogate and for layers
    /// of other crates without [`Layer::tangent`](crate::nn::layer::Layer::tangent).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let (x, mut y_dot) = (DVector::from_vec(vec![3.0, 4.0]), DVector::zeros(1));
    /// // the first weight, and half the bias
    /// net.params_jacobian_product(&x, &[1.0, 0.0, 0.5], &mut y_dot, &mut Tape::new())?;
    /// assert_eq!(y_dot[0], 3.5);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("jvp"))]
    pub fn params_jacobian_product<'x, 'y>(
        &self,
        x: impl Into<View<'x, T>>,
        v: &[T],
        y_dot: impl Into<ViewMut<'y, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           v: &[T],
                           y_dot: ViewMut<'_, T>,
                           tape: &mut Tape<T>| -> Result<()> {
            walk.tangent_of(x, v, y_dot, tape)
        })(self.walk(), x.into(), v, y_dot.into(), tape)
    }
}

impl<T: Real> Walk<'_, T> {
    /// [`Sequential::jacobian_into`].
    fn jacobian(self, x: View<'_, T>, mut j: ViewMut<'_, T>, tape: &mut Tape<T>) -> Result<()> {
        self.check_inputs(x)?;
        let (inputs, outputs) = (self.layout.inputs(), self.layout.outputs());
        check_shape(
            || "Jacobian j".into(),
            (outputs, x.as_slice().len()),
            j.as_view().shape(),
        )?;
        let j = j.as_mut_slice();
        by_outputs(self, x, tape, By::Inputs, |sample, first, slopes| {
            flip(
                slopes,
                inputs,
                &mut j[sample * inputs * outputs + first..],
                outputs,
            )
        });
        Ok(())
    }

    /// [`Sequential::params_jacobian_into`].
    fn params_jacobian(
        self,
        x: View<'_, T>,
        mut j: ViewMut<'_, T>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        self.check_inputs(x)?;
        let (outputs, params) = (self.layout.outputs(), self.params.len());
        let rows = outputs.saturating_mul(x.cols());
        check_shape(|| "Jacobian j".into(), (rows, params), j.as_view().shape())?;
        let j = j.as_mut_slice();
        if params > 0 {
            by_outputs(self, x, tape, By::Params, |sample, first, grads| {
                flip(grads, params, &mut j[sample * outputs + first..], rows)
            });
        }
        Ok(())
    }

    /// [`Sequential::params_jacobian_product`].
    fn tangent_of(
        self,
        x: View<'_, T>,
        v: &[T],
        mut y_dot: ViewMut<'_, T>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        self.check_inputs(x)?;
        let outputs = self.layout.outputs();
        check_shape(
            || "tangent y_dot".into(),
            (outputs, x.cols()),
            y_dot.as_view().shape(),
        )?;
        self.check_vector("vector v", v)?;
        tape.on_threads(self.layout, x.cols(), |tape| {
            self.record_tangent(x, v, tape)
        })?;
        let top = tape.tangent_top();
        y_dot.as_mut_slice().copy_from_slice(top.y_dot.as_slice());
        Ok(())
    }

    /// There must be as many numbers as parameters.
    fn check_vector(self, place: &str, numbers: &[T]) -> Result<()> {
        let count = self.params.len();
        if numbers.len() == count {
            return Ok(());
        }
        let expected = format!("{count} numbers, one per parameter");
        Err(Error::new(ErrorKind::Shape, place, expected, numbers.len()))
    }

    /// Checks all, goes forward along v, and copies to `out` what `back` leaves as the gradient in
    /// the tape.
    #[allow(
        clippy::too_many_arguments,
        reason = "those of the products, and what they differ by"
    )]
    fn curve(
        self,
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
        tape.on_threads(self.layout, x.cols(), |tape| {
            self.record_tangent(x, v, tape)?;
            back(tape)
        })?;
        out.copy_from_slice(tape.derivatives());
        Ok(())
    }
}

/// ∂²C/∂y²·ẏ of the cost of a batch.
fn curvatures<T: Real>(
    target: Targets<'_, T>,
    loss: &dyn Loss<T>,
    y: View<'_, T>,
    y_dot: View<'_, T>,
    mut dy_dot: ViewMut<'_, T>,
) -> Result<()> {
    let dot = dy_dot.reborrow();
    loss.curvatures(CurvaturesArgs {
        y,
        target: target.values(),
        y_dot,
        dy_dot: dot,
    })?;
    scale(loss.reduction(), dy_dot, target.weights());
    Ok(())
}

/// ∂C/∂x from ∂C/∂y in the tape.
fn backward_to_inputs<T: Real>(
    walk: Walk<'_, T>,
    x: View<'_, T>,
    mut dx: ViewMut<'_, T>,
    tape: &mut Tape<T>,
) {
    if x.cols() > 1 {
        return tape.walk(Stage::Empty, |lent| {
            let none = Rows {
                grads: &mut [],
                samples: 1,
            };
            walk.backward(x, lent.room, Some(dx), none, false);
        });
    }
    // The product for a single column may round differently: a second one makes it as in a batch.
    tape.pair(walk.layout, x);
    backward_repeated(walk, By::Inputs, 2, tape);
    dx.as_mut_slice().copy_from_slice(&tape.rows()[..x.rows()]);
}

/// The derivatives of every output of every sample, by backward passes in which a sample stands
/// once for each output. `take` is given a sample, the first of some outputs, and the derivatives
/// of these one after the other.
fn by_outputs<T: Real>(
    walk: Walk<'_, T>,
    x: View<'_, T>,
    tape: &mut Tape<T>,
    by: By,
    mut take: impl FnMut(usize, usize, &[T]) + Send,
) {
    let outputs = walk.layout.outputs();
    let width = by.width(walk.layout);
    let columns = tape.workers().count() * (NUMBERS / width).clamp(2, COLUMNS);
    // The product for a single column may round differently: where there is one, a second one is
    // beside it.
    let copies = |samples: usize| outputs.min(columns).max(if samples == 1 { 2 } else { 1 });
    let step = (columns / copies(2)).max(1);
    tape.on_threads(
        walk.layout,
        x.cols().saturating_mul(outputs).min(columns),
        |tape| {
            for start in (0..x.cols()).step_by(step) {
                let x = x.range(start, x.cols().min(start + step));
                let copies = copies(x.cols());
                walk.record(x, tape, false);
                tape.repeat(walk.layout, x, copies);
                for first in (0..outputs).step_by(copies) {
                    let count = copies.min(outputs - first);
                    let mut dy = tape.top().dy;
                    dy.as_mut_slice().fill(T::zero());
                    for (column, dy) in dy.iter_mut().enumerate() {
                        if column % copies < count {
                            dy[first + column % copies] = T::one();
                        }
                    }
                    backward_repeated(walk, by, x.cols() * copies, tape);
                    let samples = tape.rows().chunks_exact(copies * width);
                    for (sample, slopes) in samples.enumerate() {
                        take(start + sample, first, &slopes[..count * width]);
                    }
                }
            }
        },
    );
}

/// The backward pass of so many repeated samples, whose derivatives go to the tape's rows.
fn backward_repeated<T: Real>(walk: Walk<'_, T>, by: By, batch: usize, tape: &mut Tape<T>) {
    let inputs = walk.layout.inputs();
    tape.prepare_rows(batch * by.width(walk.layout));
    tape.walk(Stage::Empty, |lent| {
        let (x, rows) = lent.repeated;
        let (dx, grads) = match by {
            By::Inputs => (Some(ViewMut::from_parts(rows, inputs, batch)), &mut [][..]),
            By::Params => (None, rows),
        };
        let x = View::from_parts(x, inputs, batch);
        walk.backward(x, lent.room, dx, Rows { grads, samples: 1 }, false);
    });
}

/// What to differentiate by.
#[derive(Clone, Copy)]
enum By {
    Inputs,
    Params,
}

impl By {
    /// How many numbers that are.
    fn width(self, layout: &Layout) -> usize {
        match self {
            Self::Inputs => layout.inputs(),
            Self::Params => layout.param_count(),
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

    /// The gradients of the residuals are the rows of the Jacobian, also where one pass does not
    /// take all.
    #[test]
    fn residual_gradients_are_rows() -> Result<()> {
        for (outputs, samples) in [(1, 1), (1, 3), (3, 1), (2, 300), (600, 2)] {
            let net = Sequential::<f64>::builder(2)
                .layer(Dense::new(3, Activation::Tanh))
                .layer(Dense::new(outputs, Activation::Sigmoid))
                .seed(1)
                .build()?;
            let x = DMatrix::from_fn(2, samples, |i, j| ((i + 2) * (j + 1)) as f64 % 1.7);
            let mut rows = DMatrix::from_element(net.params().len(), outputs * samples, f64::NAN);
            net.residual_gradients((&x).into(), rows.as_mut_slice(), &mut Tape::new());
            assert_eq!(
                rows.transpose(),
                net.params_jacobian(&x)?,
                "{outputs} outputs, {samples} samples"
            );
        }
        Ok(())
    }
}
