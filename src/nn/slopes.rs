//! How outputs change along directions of the inputs, and the gradients by the parameters of costs
//! that look at it.
//!
//! A cost C(y, ẏ) with ẏ = ∂y/∂x·ẋ has the gradient ∂C/∂yᵀ·∂y/∂θ + ∂C/∂ẏᵀ·∂ẏ/∂θ. With u = ∂C/∂ẏ
//! held constant, uᵀ·∂ẏ/∂θ is the derivative by s of ∂(uᵀy(x + s·ẋ))/∂θ, which is what the tangent
//! of the backward pass computes from δ = u on top. From δ̇ = ∂C/∂y on top it adds the other term:
//! one pass gives both. Where a sample has several directions, it stands there once for each.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::OutputRange;
use crate::nn::layers::{AlphaDropout, BatchNorm, BuiltIn, Dropout, GaussianNoise};
use crate::nn::loss::{CostsArgs, Loss, SlopesArgs, reduce, scale};
use crate::nn::passes::Walk;
use crate::nn::sequential::Sequential;
use crate::nn::tape::{Motion, Stage, Tape};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, ViewMut, check_shape, shape};
use alloc::format;
use core::any::Any;

/// Columns of a pass in which only costs are wanted.
const COLUMNS: usize = 512;

/// Slopes of the inference function y = f(x; θ): without dropout, and with running statistics,
/// which are constants.
impl<T: Real, P: AsRef<[T]>> Sequential<T, P> {
    /// ẏ = ∂y/∂x·ẋ into `y_dot`, outputs × samples, without the Jacobian itself: how the outputs of
    /// each sample change along its own direction, a column of `x_dot`, inputs × samples.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into); [`ErrorKind::Shape`] when `x_dot` has another
    /// shape than `x`, or `y_dot` another than the outputs; [`ErrorKind::Incompatible`] for a
    /// surrogate and for layers of other crates without
    /// [`Layer::tangent`](crate::nn::layer::Layer::tangent).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Sequential::<f64>::builder(2)
    ///     .layer(Dense::new(3, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let (x, x_dot) = (DVector::from_vec(vec![0.3, 0.5]), DVector::from_vec(vec![2.0, -1.0]));
    /// let mut y_dot = DVector::zeros(1);
    /// net.input_jacobian_product(&x, &x_dot, &mut y_dot, &mut Tape::new())?;
    /// assert!((y_dot - net.jacobian(&x)? * x_dot).norm() < 1e-15);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("jvp", "directional_derivative", "forward_mode"))]
    pub fn input_jacobian_product<'x, 'd, 'y>(
        &self,
        x: impl Into<View<'x, T>>,
        x_dot: impl Into<View<'d, T>>,
        y_dot: impl Into<ViewMut<'y, T>>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           x_dot: View<'_, T>,
                           y_dot: ViewMut<'_, T>,
                           tape: &mut Tape<T>| -> Result<()> {
            walk.check_inputs(x)?;
            check_shape(|| "direction x_dot".into(), x.shape(), x_dot.shape())?;
            let outputs = (walk.layout.outputs(), x.cols());
            let mut y_dot = y_dot;
            check_shape(|| "tangent y_dot".into(), outputs, y_dot.as_view().shape())?;
            walk.record_slopes(x, 1, Motion::Along(x_dot.as_slice()), tape)?;
            y_dot
                .as_mut_slice()
                .copy_from_slice(tape.slopes_top().y_dot.as_slice());
            Ok(())
        })(self.walk(), x.into(), x_dot.into(), y_dot.into(), tape)
    }

    /// The gradient by the parameters of any cost of the outputs and of how they change along
    /// directions of the inputs: of slopes that are known, of the residual of an equation
    /// (Raissi, Perdikaris & Karniadakis, *Physics-informed neural networks*, J. Comput. Phys. 378,
    /// 2019), of invariances (Simard et al., *Tangent prop*, 1991).
    ///
    /// `directions` has k directions for each sample, side by side, k ≥ 1: inputs × (k·samples),
    /// direction d of sample s in column s·k + d. `cost` is given
    ///
    /// - y, outputs × samples, as [`predict`](Self::predict) computes it;
    /// - ẏ, outputs × (k·samples), laid as the directions: ẏ = ∂y/∂x·ẋ. Along the axes, ẋ = e₀,
    ///   e₁, …, that is the [Jacobian](Self::jacobian) of each sample;
    /// - ∂C/∂y = 0 and ∂C/∂ẏ = 0, of the same shapes, to be overwritten.
    ///
    /// What it returns is returned. The tape holds the [gradient](Tape::grads) afterward, and
    /// nothing of the layers.
    ///
    /// Exact, without taping a backward pass: with u = ∂C/∂ẏ, uᵀ·∂ẏ/∂θ is the derivative of the
    /// gradient of uᵀy along ẋ. A direction costs about two gradients of a sample. Once the tape
    /// is warm, nothing is allocated.
    ///
    /// # Errors
    /// Those of [`predict_into`](Self::predict_into); [`ErrorKind::Shape`] for directions of
    /// another shape; [`ErrorKind::Untrainable`] as [`gradient`](Self::gradient);
    /// [`ErrorKind::Incompatible`] for a surrogate, whose backward pass has no cost, and for layers
    /// of other crates without [`Layer::tangent`](crate::nn::layer::Layer::tangent) and
    /// [`Layer::backward_tangent`](crate::nn::layer::Layer::backward_tangent); and what `cost`
    /// returns.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// // y′ = −y with y(0) = 1, whose solution is e⁻ˣ: no data, only the equation.
    /// let x = DMatrix::from_fn(1, 30, |_, j| j as f64 / 29.0);
    /// let along = DMatrix::from_element(1, 30, 1.0);
    /// let mut net = Sequential::builder(1)
    ///     .layer(Dense::new(10, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let (mut adam, groups) = (Adam::new(), net.default_groups());
    /// let mut tape = Tape::new();
    /// for _ in 0..3000 {
    ///     net.gradient_with_slopes(&x, &along, &mut tape, |y, y_dot, mut dy, mut dy_dot| {
    ///         let (y, y_dot) = (y.as_slice(), y_dot.as_slice());
    ///         for j in 0..30 {
    ///             // C = Σ (y′ + y)² / 30 + (y(0) − 1)²
    ///             let slope = 2.0 * (y_dot[j] + y[j]) / 30.0;
    ///             (dy.as_mut_slice()[j], dy_dot.as_mut_slice()[j]) = (slope, slope);
    ///         }
    ///         dy.as_mut_slice()[0] += 2.0 * (y[0] - 1.0);
    ///         Ok(())
    ///     })?;
    ///     adam.step(0.01, net.params_mut(), tape.grads(), &groups)?;
    /// }
    /// let solution = x.map(|x| (-x).exp());
    /// assert!((net.predict(&x)? - solution).amax() < 5e-3);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias(
        "double_backward",
        "double backward",
        "create_graph",
        "PINN",
        "physics-informed",
        "forward_over_reverse"
    ))]
    pub fn gradient_with_slopes<'x, 'd, R>(
        &self,
        x: impl Into<View<'x, T>>,
        directions: impl Into<View<'d, T>>,
        tape: &mut Tape<T>,
        cost: impl FnOnce(View<'_, T>, View<'_, T>, ViewMut<'_, T>, ViewMut<'_, T>) -> Result<R>,
    ) -> Result<R> {
        let walk = self.walk();
        compiled_here!(T: |walk: Walk<'_, T>,
                           x: View<'_, T>,
                           directions: View<'_, T>,
                           tape: &mut Tape<T>| -> Result<()> {
            walk.check_inputs(x)?;
            walk.check_trainable()?;
            let each = directions.cols() / x.cols();
            if each == 0 || directions.shape() != (x.rows(), each * x.cols()) {
                let expected = format!(
                    "{} × (k·{}): k ≥ 1 directions of each sample, side by side",
                    x.rows(),
                    x.cols()
                );
                let given = shape(directions.shape());
                return Err(Error::new(ErrorKind::Shape, "directions", expected, given));
            }
            walk.record_slopes(x, each, Motion::Along(directions.as_slice()), tape)
        })(walk, x.into(), directions.into(), tape)?;
        let mut top = tape.slopes_top();
        // What the caller leaves out is 0, not what another pass left.
        top.dy.as_mut_slice().fill(T::zero());
        top.dy_dot.as_mut_slice().fill(T::zero());
        let result = cost(top.y, top.y_dot, top.dy, top.dy_dot)?;
        compiled_here!(T: |walk: Walk<'_, T>, tape: &mut Tape<T>| -> Result<()> {
            tape.spread_slopes();
            walk.differentiate_slopes(tape)
        })(walk, tape)?;
        Ok(result)
    }
}

impl<T: Real> Walk<'_, T> {
    /// The forward pass, and with each sample `copies` times side by side the one along directions
    /// of the inputs.
    fn record_slopes(
        self,
        x: View<'_, T>,
        copies: usize,
        motion: Motion<'_, T>,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let columns = x.cols().saturating_mul(copies);
        tape.on_threads(self.layout, columns, |tape| {
            self.record(x, tape, false);
            tape.keep_outputs();
            tape.repeat(self.layout, x, copies);
            tape.prepare_tangents(self.layout, motion);
            tape.walk(Stage::Empty, |lent| {
                let x = View::from_parts(lent.repeated.0, x.rows(), columns);
                self.tangent(x, None, lent.room, lent.tangents)
            })
        })
    }

    /// The gradient, from what the cost's slopes by y and ẏ are on the tape.
    fn differentiate_slopes(self, tape: &mut Tape<T>) -> Result<()> {
        let (inputs, columns) = (self.layout.inputs(), tape.batch());
        tape.on_threads(self.layout, columns, |tape| {
            tape.walk(Stage::Gradient, |lent| {
                let x = View::from_parts(lent.repeated.0, inputs, columns);
                self.backward_tangent(x, None, lent.room, lent.tangents, None, lent.grads)
            })
        })
    }

    /// `weight` times what the Jacobians ∂y/∂x cost against the slopes of `target`, and where
    /// `values` is a loss, what the outputs cost; leaves the gradient on the tape.
    pub(crate) fn slopes_gradient(
        self,
        x: View<'_, T>,
        target: Targets<'_, T>,
        values: Option<&dyn Loss<T>>,
        (loss, weight): (&dyn Loss<T>, T),
        tape: &mut Tape<T>,
    ) -> Result<T> {
        self.record_slopes(x, x.rows(), Motion::Axes, tape)?;
        let (slopes, weights) = (jacobians(target), target.weights());
        let top = tape.slopes_top();
        let (rows, cols) = slopes.shape();
        let y = View::from_parts(top.y_dot.as_slice(), rows, cols);
        let mut dy_dot = top.dy_dot;
        let mut dy = ViewMut::from_parts(dy_dot.as_mut_slice(), rows, cols);
        let costs = top.costs;
        costs.resize(cols, T::zero());
        loss.costs(CostsArgs {
            y,
            target: slopes,
            costs,
        });
        let mut cost = weight * reduce(loss.reduction(), costs, weights);
        loss.slopes(SlopesArgs {
            y,
            target: slopes,
            dy: dy.reborrow(),
        });
        scale(loss.reduction(), dy.reborrow(), weights);
        for dy in dy.as_mut_slice() {
            *dy *= weight;
        }
        let mut dy = top.dy;
        dy.as_mut_slice().fill(T::zero());
        if let Some(loss) = values {
            let (y, target) = (top.y, target.values());
            loss.costs(CostsArgs { y, target, costs });
            cost += reduce(loss.reduction(), costs, weights);
            loss.slopes(SlopesArgs {
                y,
                target,
                dy: dy.reborrow(),
            });
            scale(loss.reduction(), dy, weights);
        }
        tape.spread_slopes();
        self.differentiate_slopes(tape)?;
        Ok(cost)
    }

    /// What the Jacobians cost against the slopes of `target`, a few samples at a time.
    pub(crate) fn slopes_cost(
        self,
        x: View<'_, T>,
        target: Targets<'_, T>,
        loss: &dyn Loss<T>,
        tape: &mut Tape<T>,
    ) -> Result<T> {
        let slopes = jacobians(target);
        let step = (tape.workers().count() * COLUMNS / x.rows()).max(1);
        let mut costs = core::mem::take(tape.costs_mut());
        costs.resize(x.cols(), T::zero());
        let passed = (0..x.cols()).step_by(step).try_for_each(|first| {
            let end = x.cols().min(first + step);
            let x = x.range(first, end);
            self.record_slopes(x, x.rows(), Motion::Axes, tape)?;
            let y = tape.slopes_top().y_dot.as_slice();
            loss.costs(CostsArgs {
                y: View::from_parts(y, slopes.rows(), x.cols()),
                target: slopes.range(first, end),
                costs: &mut costs[first..end],
            });
            Ok(())
        });
        let cost = reduce(loss.reduction(), &mut costs, target.weights());
        *tape.costs_mut() = costs;
        passed.map(|()| cost)
    }

    /// The slopes of `target` must be those of this network, and such that `loss` is defined on
    /// them.
    pub(crate) fn check_slopes(self, target: Targets<'_, T>, loss: &dyn Loss<T>) -> Result<()> {
        let rows = self.layout.inputs().saturating_mul(self.layout.outputs());
        let slopes = jacobians(target);
        check_shape(
            || "slopes".into(),
            (rows, target.values().cols()),
            slopes.shape(),
        )?;
        loss.check(rows)?;
        if loss.targets(rows) != rows || !loss.accepts(OutputRange::Real) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "loss of slopes",
                "one that compares any numbers, each with its own target",
                loss.name(),
            ));
        }
        loss.check_targets(slopes)
            .map_err(|error| error.within("slopes"))
    }

    /// Whether a pass of training surely is that of inference: a layer of another crate may do
    /// something else.
    pub(crate) fn is_same_in_training(self) -> bool {
        self.leaves.iter().all(|layer| {
            let any: &dyn Any = &**layer;
            let differs = any.is::<Dropout>()
                || any.is::<AlphaDropout>()
                || any.is::<GaussianNoise>()
                || any.is::<BatchNorm>();
            BuiltIn::is(&**layer) && !differs
        })
    }

    /// Every layer must have the passes that slopes take.
    pub(crate) fn check_tangents(self, x: View<'_, T>) -> Result<()> {
        let mut tape = Tape::new();
        self.record_slopes(x.range(0, 1), 1, Motion::Axes, &mut tape)?;
        let mut top = tape.slopes_top();
        top.dy.as_mut_slice().fill(T::zero());
        top.dy_dot.as_mut_slice().fill(T::zero());
        tape.spread_slopes();
        self.differentiate_slopes(&mut tape)
    }
}

/// The slopes of targets, (outputs·inputs) × samples: none where there are none.
fn jacobians<'t, T: Real>(target: Targets<'t, T>) -> View<'t, T> {
    let none = View::from_parts(&[], 0, target.values().cols());
    target.slopes().unwrap_or(none)
}
