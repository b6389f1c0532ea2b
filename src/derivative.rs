//! Derivatives of the inference function y = f(x; θ), what [`Sequential::predict`] computes: Jacobians and gradients.

use crate::error::Result;
use crate::loss::Loss;
use crate::real::{Real, zeros};
use crate::sequential::{At, Rows, Sequential};
use crate::tape::{Stage, Tape};
use crate::view::{Targets, View, ViewMut, check_shape};
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
    /// let net = Sequential::builder(2)
    ///     .layer(Dense::new(3, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let x = DVector::from_vec(vec![0.3, 0.5]);
    /// let j = net.jacobian(&x)?;
    /// let a = (net.weights(0)? * &x).map(f64::tanh);
    /// let by_hand = net.weights(1)? * DMatrix::from_diagonal(&a.map(|a| 1.0 - a * a)) * net.weights(0)?;
    /// assert!((j - by_hand).norm() < 1e-15);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn jacobian<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let x = x.into();
        self.here().check_inputs(x)?;
        let (rows, cols) = (self.outputs(), x.as_slice().len());
        let mut j = DMatrix::from_vec(rows, cols, zeros("Jacobian of Sequential::jacobian", &[rows, cols])?);
        self.jacobian_into(x, &mut j, &mut Tape::new())?;
        Ok(j)
    }

    /// ∂y/∂x of each sample into `j`, without allocation once the tape is warm.
    ///
    /// # Errors
    /// As [`At::jacobian_into`].
    pub fn jacobian_into<'x, 'j>(&self, x: impl Into<View<'x, T>>, j: impl Into<ViewMut<'j, T>>, tape: &mut Tape<T>) -> Result<()> {
        self.here().jacobian_into(x, j, tape)
    }

    /// ∂y/∂θ: a row for each output of each sample, a column for each parameter.
    ///
    /// # Errors
    /// As [`At::params_jacobian_into`].
    pub fn params_jacobian<'x>(&self, x: impl Into<View<'x, T>>) -> Result<DMatrix<T>> {
        let x = x.into();
        self.here().check_inputs(x)?;
        let j = zeros("Jacobian of Sequential::params_jacobian", &[self.outputs(), x.cols(), self.params().len()])?;
        let mut j = DMatrix::from_vec(self.outputs() * x.cols(), self.params().len(), j);
        self.params_jacobian_into(x, &mut j, &mut Tape::new())?;
        Ok(j)
    }

    /// ∂y/∂θ into `j`, without allocation once the tape is warm.
    ///
    /// # Errors
    /// As [`At::params_jacobian_into`].
    pub fn params_jacobian_into<'x, 'j>(&self, x: impl Into<View<'x, T>>, j: impl Into<ViewMut<'j, T>>, tape: &mut Tape<T>) -> Result<()> {
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
    pub fn jacobian_into<'x, 'j>(&self, x: impl Into<View<'x, T>>, j: impl Into<ViewMut<'j, T>>, tape: &mut Tape<T>) -> Result<()> {
        let (x, mut j) = (x.into(), j.into());
        self.check_inputs(x)?;
        let (inputs, outputs) = (self.net.inputs(), self.net.outputs());
        check_shape(|| "Jacobian j".into(), (outputs, x.as_slice().len()), j.as_view().shape())?;
        let j = j.as_mut_slice();
        self.by_outputs(x, tape, By::Inputs, |sample, first, slopes| {
            flip(slopes, inputs, &mut j[sample * inputs * outputs + first..], outputs)
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
    pub fn params_jacobian_into<'x, 'j>(&self, x: impl Into<View<'x, T>>, j: impl Into<ViewMut<'j, T>>, tape: &mut Tape<T>) -> Result<()> {
        let (x, mut j) = (x.into(), j.into());
        self.check_inputs(x)?;
        let (outputs, params) = (self.net.outputs(), self.params.len());
        let rows = outputs.saturating_mul(x.cols());
        check_shape(|| "Jacobian j".into(), (rows, params), j.as_view().shape())?;
        let j = j.as_mut_slice();
        if params > 0 {
            self.by_outputs(x, tape, By::Params, |sample, first, grads| flip(grads, params, &mut j[sample * outputs + first..], rows));
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
            self.backward(x, tape, None, Rows { grads, samples: x.cols() }, false);
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
        tape.on_threads(self.net.layout(), x.cols(), |tape| self.forward(x, tape, false));
        let (y, mut dy) = tape.top(self.net.outputs());
        // What the caller leaves out is 0, not what another pass left.
        dy.as_mut_slice().fill(T::zero());
        let result = slopes(y, dy)?;
        tape.on_threads(self.net.layout(), x.cols(), |tape| self.backward_to_inputs(x, dx, tape));
        Ok(result)
    }

    /// ∂C/∂x from ∂C/∂y in the tape.
    fn backward_to_inputs(&self, x: View<'_, T>, mut dx: ViewMut<'_, T>, tape: &mut Tape<T>) {
        if x.cols() > 1 {
            self.backward(x, tape, Some(dx), Rows { grads: &mut [], samples: 1 }, false);
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
        dx.as_mut_slice().copy_from_slice(&tape.repeated.rows[..x.rows()]);
    }

    /// The derivatives of every output of every sample, by backward passes in which a sample stands once for each output. `take`
    /// is given a sample, the first of some outputs, and the derivatives of these one after the other.
    fn by_outputs(&self, x: View<'_, T>, tape: &mut Tape<T>, by: By, mut take: impl FnMut(usize, usize, &[T]) + Send) {
        let (outputs, width) = (self.net.outputs(), by.width(self));
        let columns = tape.scratch.workers.count() * (NUMBERS / width).clamp(2, COLUMNS);
        // The product for a single column may round differently: where there is one, a second one is beside it.
        let copies = |samples: usize| outputs.min(columns).max(if samples == 1 { 2 } else { 1 });
        let step = (columns / copies(2)).max(1);
        tape.on_threads(self.net.layout(), x.cols().saturating_mul(outputs).min(columns), |tape| {
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
                    for (sample, slopes) in tape.repeated.rows.chunks_exact(copies * width).enumerate() {
                        take(start + sample, first, &slopes[..count * width]);
                    }
                }
            }
        });
    }

    /// The backward pass of so many repeated samples, whose derivatives go to the tape's rows.
    fn backward_repeated(&self, by: By, batch: usize, tape: &mut Tape<T>) {
        let (x, mut rows) = (core::mem::take(&mut tape.repeated.x), core::mem::take(&mut tape.repeated.rows));
        rows.resize(batch * by.width(self), T::zero());
        let inputs = self.net.inputs();
        let (dx, grads) = match by {
            By::Inputs => (Some(ViewMut::from_parts(&mut rows, inputs, batch)), &mut [][..]),
            By::Params => (None, &mut rows[..]),
        };
        self.backward(View::from_parts(&x, inputs, batch), tape, dx, Rows { grads, samples: 1 }, false);
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
