//! Losses on the difference r = y − t of output and target.

use super::by_output::{self, ByOutput, loss_by_output};
use super::{CostsArgs, CurvaturesArgs, Loss, Reduction, SlopesArgs, share};
use crate::error::Result;
use crate::nn::activation::tanh;
use crate::numeric::bounds::POSITIVE;
use crate::numeric::compiled::compiled_here;
use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, magnitude, sum};
use alloc::{format, string::String};

/// A loss that is a sum over the outputs of one function of r = y − t.
trait Residual<T: Real> {
    fn cost(&self, r: T) -> T;
    fn slope<const FMA: bool>(&self, r: T) -> T;
    /// The second derivative; at a jump of the slope 0.
    fn curvature<const FMA: bool>(&self, r: T) -> T;
}

/// What a sample's sum over its outputs is multiplied by.
#[derive(Clone, Copy)]
enum Over {
    Sum,
    Mean,
}

impl Over {
    fn factor<T: Real>(self, outputs: usize) -> T {
        match self {
            Self::Sum => T::one(),
            Self::Mean => share(outputs),
        }
    }
}

fn write_costs<T: Real>(f: &impl Residual<T>, over: Over, p: CostsArgs<'_, T>) {
    let factor: T = over.factor(p.y.rows());
    if p.y.rows() == 1 {
        let pairs = p.y.as_slice().iter().zip(p.target.as_slice());
        for (cost, (y, t)) in p.costs.iter_mut().zip(pairs) {
            *cost = factor * f.cost(*y - *t);
        }
        return;
    }
    for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
        *cost = factor * sum(y.len(), y.iter().zip(t).map(|(y, t)| f.cost(*y - *t)));
    }
}

struct WriteSlopes<'a, 'p, T, F>(&'a F, T, &'a mut SlopesArgs<'p, T>);

impl<T: Real, F: Residual<T>> Pass for WriteSlopes<'_, '_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(f, factor, p) = self;
        for ((dy, y), t) in
            p.dy.as_mut_slice()
                .iter_mut()
                .zip(p.y.as_slice())
                .zip(p.target.as_slice())
        {
            *dy = factor * f.slope::<FMA>(*y - *t);
        }
    }
}

struct WriteCurvatures<'a, T, F>(&'a F, T, CurvaturesArgs<'a, T>);

impl<T: Real, F: Residual<T>> Pass for WriteCurvatures<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(f, factor, mut p) = self;
        let pairs = p.y.as_slice().iter().zip(p.target.as_slice());
        for ((dy_dot, y_dot), (y, t)) in p
            .dy_dot
            .as_mut_slice()
            .iter_mut()
            .zip(p.y_dot.as_slice())
            .zip(pairs)
        {
            *dy_dot = factor * f.curvature::<FMA>(*y - *t) * *y_dot;
        }
    }
}

macro_rules! residual_loss {
    ($name:ident, $reduction:expr, $over:expr, $self_:ident, $r:ident, cost: $cost:expr, slope: $slope:expr, curvature: $curvature:expr $(, describe: $describe:expr, check: $check:expr)?) => {
        impl<T: Real> Residual<T> for $name {
            #[inline(always)]
            fn cost(&$self_, $r: T) -> T {
                $cost
            }
            #[inline(always)]
            fn slope<const FMA: bool>(&$self_, $r: T) -> T {
                $slope
            }
            #[inline(always)]
            #[allow(unused_variables)]
            fn curvature<const FMA: bool>(&$self_, $r: T) -> T {
                $curvature
            }
        }

        impl<T: Real> Loss<T> for $name {
            fn name(&self) -> &str {
                stringify!($name)
            }
            fn costs(&self, p: CostsArgs<'_, T>) {
                compiled_here!(T: |loss: &$name, p: CostsArgs<'_, T>| {
                    write_costs(loss, $over, p);
                })(self, p);
            }
            fn slopes(&self, p: SlopesArgs<'_, T>) {
                compiled_here!(T: |loss: &$name, p: SlopesArgs<'_, T>| {
                    let mut p = p;
                    T::vectorize(WriteSlopes(loss, $over.factor(p.y.rows()), &mut p));
                })(self, p);
            }
            fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
                compiled_here!(T: |loss: &$name, p: CurvaturesArgs<'_, T>| {
                    T::vectorize(WriteCurvatures(loss, $over.factor(p.y.rows()), p));
                })(self, p);
                Ok(())
            }
            fn reduction(&self) -> Reduction {
                $reduction
            }
            fn measures_distance(&self) -> bool {
                true
            }
            $(fn describe(&$self_) -> String {
                $describe
            }
            fn check(&$self_, _outputs: usize) -> Result<()> {
                $check
            })?
        }
    };
}

/// J = Σ ½(y−t)², summed over the outputs **and over the samples**.
///
/// ∂J/∂y = y − t. The gradient grows with the batch; where that is not wanted take
/// [`QuadraticCost`].
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, SumSquaredError};
/// let cost = SumSquaredError.value(View::new(&[1.0, 3.0], 1)?, View::new(&[0.0, 0.0], 1)?.into())?;
/// assert_eq!(cost, 5.0); // ½ + 9/2
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("sse"))]
pub struct SumSquaredError;
residual_loss!(SumSquaredError, Reduction::Sum, Over::Sum, self, r, cost: T::of(0.5) * r * r, slope: r, curvature: T::one());

/// C = 1/(2n) Σₓ ‖t(x) − y(x)‖²: half the squared distance, summed over the outputs, averaged over
/// the n samples (Nielsen 2015, equation 6).
///
/// ∂C/∂y = (y − t)/n.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, QuadraticCost};
/// let cost = QuadraticCost.value(View::new(&[1.0, 3.0], 1)?, View::new(&[0.0, 0.0], 1)?.into())?;
/// assert_eq!(cost, 2.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QuadraticCost;
residual_loss!(QuadraticCost, Reduction::Mean, Over::Sum, self, r, cost: T::of(0.5) * r * r, slope: r, curvature: T::one());

/// The mean squared error 1/(nd) Σ (y−t)², averaged over n samples and d outputs: PyTorch's
/// `MSELoss` and scikit-learn's `mean_squared_error`.
///
/// ∂C/∂y = 2(y − t)/(nd).
///
/// ```
/// use chainrule::{MeanSquaredError, View};
/// use chainrule::nn::loss::Loss;
/// let cost = MeanSquaredError.value(View::new(&[1.0, 3.0], 2)?, View::new(&[0.0, 0.0], 2)?.into())?;
/// assert_eq!(cost, 5.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("MSELoss", "mse"))]
pub struct MeanSquaredError;
residual_loss!(MeanSquaredError, Reduction::Mean, Over::Mean, self, r, cost: r * r, slope: r + r, curvature: T::of(2.0));

/// The mean absolute error 1/(nd) Σ |y−t|, averaged over samples and outputs.
///
/// ∂C/∂y = sign(y − t)/(nd), 0 where they are equal.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, MeanAbsoluteError};
/// let cost = MeanAbsoluteError.value(View::new(&[1.0, -3.0], 2)?, View::new(&[0.0, 0.0], 2)?.into())?;
/// assert_eq!(cost, 2.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("L1Loss", "mae"))]
pub struct MeanAbsoluteError;
residual_loss!(MeanAbsoluteError, Reduction::Mean, Over::Mean, self, r, cost: magnitude(r), slope: {
    let sign = if r > T::zero() { T::one() } else { r };
    if r < T::zero() { -T::one() } else { sign }
}, curvature: T::zero());

/// Huber's loss: ½r² for |r| ≤ δ and δ(|r| − ½δ) beyond, r = y − t, averaged over samples and
/// outputs (Huber 1964; PyTorch's `HuberLoss`).
///
/// ∂C/∂y = r/(nd) within ±δ, ±δ/(nd) beyond.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Huber, Loss};
/// let cost = Huber::new(1.0).value(View::new(&[3.0], 1)?, View::new(&[0.0], 1)?.into())?;
/// assert_eq!(cost, 2.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("HuberLoss", "huber"))]
pub struct Huber {
    delta: f64,
}

impl Huber {
    /// Huber's loss that turns from a parabola into lines at ±`delta`, finite and above 0.
    pub fn new(delta: f64) -> Self {
        Self { delta }
    }
}

residual_loss!(Huber, Reduction::Mean, Over::Mean, self, r,
cost: {
    let (a, delta, half) = (magnitude(r), T::of(self.delta), T::of(0.5));
    if a > delta { delta * (a - half * delta) } else { half * r * r }
},
slope: {
    let delta = T::of(self.delta);
    let upper = if r > delta { delta } else { r };
    if r < -delta { -delta } else { upper }
},
curvature: if magnitude(r) > T::of(self.delta) { T::zero() } else { T::one() },
describe: format!("Huber(delta={})", self.delta),
check: {
    POSITIVE.named("a finite δ above 0").check_in::<T>("Huber", self.delta)
});

/// The smooth L1 loss: r²/(2β) for |r| < β and |r| − ½β beyond, r = y − t, averaged over samples
/// and outputs (Girshick 2015; PyTorch's `SmoothL1Loss`). It is [`Huber`] with δ = β, divided by β:
/// far out its slope is ±1 for every β.
///
/// ∂C/∂y = r/(βnd) within ±β, ±1/(nd) beyond.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, SmoothL1};
/// let (y, t) = (View::new(&[3.0, 0.25], 1)?, View::new(&[0.0, 0.0], 1)?);
/// assert_eq!(SmoothL1::new(0.5).value(y, t.into())?, (2.75 + 0.0625) / 2.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("SmoothL1Loss", "smooth_l1_loss"))]
pub struct SmoothL1 {
    beta: f64,
}

impl SmoothL1 {
    /// The loss that turns from a parabola into lines at ±`beta`, finite and above 0 (PyTorch's
    /// default: 1).
    pub fn new(beta: f64) -> Self {
        Self { beta }
    }
}

impl<T: Real> ByOutput<T> for SmoothL1 {
    fn cost(&self, _: usize, y: T, t: T) -> T {
        let (a, beta, half) = (magnitude(y - t), T::of(self.beta), T::of(0.5));
        if a > beta {
            a - half * beta
        } else {
            half * (a / beta) * a
        }
    }

    fn slope(&self, _: usize, y: T, t: T) -> T {
        match (y - t) / T::of(self.beta) {
            s if s > T::one() => T::one(),
            s if s < -T::one() => -T::one(),
            s => s,
        }
    }

    fn curvature(&self, _: usize, y: T, t: T) -> T {
        let beta = T::of(self.beta);
        if magnitude(y - t) > beta {
            T::zero()
        } else {
            T::one() / beta
        }
    }
}

loss_by_output!(SmoothL1 {
    fn describe(&self) -> String {
        format!("SmoothL1(beta={})", self.beta)
    }

    fn measures_distance(&self) -> bool {
        true
    }

    fn check(&self, _outputs: usize) -> Result<()> {
        POSITIVE
            .named("a finite β above 0 (for 0 take MeanAbsoluteError)")
            .check_in::<T>("SmoothL1", self.beta)
    }
});

/// ln cosh(y − t), averaged over samples and outputs: nearly ½r² near 0 and |r| − ln 2 far out.
///
/// ∂C/∂y = tanh(y − t)/(nd).
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{LogCosh, Loss};
/// let cost = LogCosh.value(View::new(&[1000.0], 1)?, View::new(&[0.0], 1)?.into())?;
/// assert_eq!(cost, 1000.0 - core::f64::consts::LN_2);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("log_cosh"))]
pub struct LogCosh;
residual_loss!(LogCosh, Reduction::Mean, Over::Mean, self, r,
    cost: {
        let a = magnitude(r);
        if a < T::one() {
            // ln cosh r = ½ ln(1 + sinh² r): the other form cancels near 0.
            let sinh = a.sinh();
            T::of(0.5) * (sinh * sinh).ln_1p()
        } else {
            a + (-(a + a)).exp().ln_1p() - T::ln_2()
        }
    },
    slope: tanh::<T, FMA>(r).0,
    curvature: tanh::<T, FMA>(r).1);
