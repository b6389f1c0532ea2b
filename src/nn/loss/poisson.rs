//! A loss for counts.

use super::by_output::{self, ByOutput};
use super::classification::times;
use super::{CostsArgs, CurvaturesArgs, Loss, OutputFunction, SlopesArgs, check_targets, share};
use crate::error::Result;
use crate::nn::activation::OutputRange;
use crate::numeric::compiled::compiled_here;
use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, sum};
use crate::numeric::view::View;
use alloc::{format, string::String};

/// The negative log-likelihood of counts t under Poisson distributions whose rates are e^y: for a
/// sample C = 1/d Σⱼ (e^yⱼ − tⱼyⱼ), averaged over the d outputs and over the samples (PyTorch's
/// `PoissonNLLLoss` with `log_input=True`, scikit-learn's `PoissonRegressor`).
///
/// The network ends on the logarithms of the rates; [`OutputFunction::Exp`] gives the rates, so
/// that [`Model::predict`](crate::Model::predict) returns expected counts. ∂C/∂y = (e^y − t)/(nd)
/// and ∂²C/∂y² = e^y/(nd). Targets are finite and at least 0; they need not be whole, so that
/// counts may be divided by the time in which they were made.
///
/// Left out is ln t!, which does not depend on y; [`full`](Self::full) adds it in Stirling's
/// approximation. Without it costs may be negative.
///
/// Of a network that ends on the rates themselves, such as a softplus gives them, the loss is
/// [another](Self::rates).
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, Poisson};
/// let cost = Poisson::new().value(View::new(&[0.0], 1)?, View::new(&[3.0], 1)?.into())?;
/// assert_eq!(cost, 1.0); // a rate of 1
/// let gradient = Poisson::new().gradient(View::new(&[0.0], 1)?, View::new(&[3.0], 1)?.into())?;
/// assert_eq!(gradient[0], -2.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("PoissonNLLLoss", "poisson_nll_loss", "log_input"))]
pub struct Poisson {
    full: bool,
    rates: bool,
}

impl Poisson {
    /// The loss without the constant ln t!.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same loss plus t ln t − t + ½ ln(2πt) for each t > 1, Stirling's approximation of ln t!
    /// (PyTorch's `full=True`). Costs then compare between data sets; gradients are the same.
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::nn::loss::{Loss, Poisson};
    /// let loss = Poisson::new().full();
    /// let cost = loss.value(View::new(&[3_f64.ln()], 1)?, View::new(&[3.0], 1)?.into())?;
    /// let likelihood = 27.0 / 6.0 * (-3.0_f64).exp(); // 3³/3!·e⁻³
    /// assert!((cost + likelihood.ln()).abs() < 0.03);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    pub fn full(self) -> Self {
        Self { full: true, ..self }
    }

    /// The same loss of outputs y that are the rates: 1/d Σⱼ (yⱼ − tⱼ ln yⱼ) (PyTorch's
    /// `log_input=False`, Keras's `Poisson`, which add 10⁻⁸ and 10⁻⁷ to the y of the logarithm). A
    /// rate of 0 costs 0 where the target is 0, else ∞; a rate below 0 makes the cost NaN, so let
    /// the network end on numbers above, as [`Softplus`](crate::Activation::Softplus) gives.
    /// ∂C/∂y = (1 − t/y)/(nd).
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::nn::loss::{Loss, Poisson};
    /// let (rate, t) = (View::new(&[2.0], 1)?, View::new(&[3.0], 1)?);
    /// let cost = Poisson::new().rates().value(rate, t.into())?;
    /// assert_eq!(cost, 2.0 - 3.0 * 2.0_f64.ln());
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    pub fn rates(self) -> Self {
        Self {
            rates: true,
            ..self
        }
    }

    /// What does not depend on the output.
    fn constant<T: Real>(self, t: T) -> T {
        if !self.full || t <= T::one() {
            return T::zero();
        }
        let half = T::of(0.5);
        t * t.ln() - t + half * (T::two_pi() * t).ln()
    }
}

impl<T: Real> Loss<T> for Poisson {
    fn name(&self) -> &str {
        "Poisson"
    }

    fn describe(&self) -> String {
        let outputs = if self.rates { ", of rates" } else { "" };
        format!("Poisson(full={}{outputs})", self.full)
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        compiled_here!(T: |loss: &Poisson, p: CostsArgs<'_, T>| {
            if loss.rates {
                by_output::costs::<T>(&Rates(*loss), p);
            } else {
                T::vectorize(Costs(*loss, p));
            }
        })(self, p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        compiled_here!(T: |loss: &Poisson, p: SlopesArgs<'_, T>| {
            if loss.rates {
                by_output::slopes::<T>(&Rates(*loss), p);
            } else {
                T::vectorize(Slopes(p));
            }
        })(self, p);
    }

    /// e^y·ẏ/d, and of rates t·ẏ/(y²d).
    fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
        compiled_here!(T: |loss: &Poisson, p: CurvaturesArgs<'_, T>| {
            if loss.rates {
                by_output::curvatures::<T>(&Rates(*loss), p);
            } else {
                T::vectorize(Curvatures(p));
            }
        })(self, p);
        Ok(())
    }

    fn output_function(&self) -> OutputFunction {
        if self.rates {
            OutputFunction::Identity
        } else {
            OutputFunction::Exp
        }
    }

    fn accepts(&self, range: OutputRange) -> bool {
        range == OutputRange::Real || self.rates && range != OutputRange::LogSimplex
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        let expected = "a count, finite and at least 0 (for other numbers take MeanSquaredError)";
        check_targets("Poisson", target, expected, |t| {
            t.is_finite() && t >= T::zero()
        })
    }
}

/// The loss of outputs that are rates.
struct Rates(Poisson);

impl<T: Real> ByOutput<T> for Rates {
    fn cost(&self, _: usize, y: T, t: T) -> T {
        y - times(t, y.ln()) + self.0.constant(t)
    }

    fn slope(&self, _: usize, y: T, t: T) -> T {
        if t == T::zero() || !y.is_finite() {
            return T::one() - times(t, T::one() / y);
        }
        (y - t) / y
    }

    fn curvature(&self, _: usize, y: T, t: T) -> T {
        times(t, T::one() / y / y)
    }
}

/// e^y − t·y: of infinite outputs the limit.
#[inline(always)]
fn cost<T: Real, const FMA: bool>(y: T, t: T) -> T {
    let rate = y.exp_kernel::<FMA>();
    // Where e^y is infinite it outweighs t·y, and 0·y is 0 for y = −∞, too.
    if t == T::zero() || !rate.is_finite() {
        return rate;
    }
    rate - t * y
}

struct Costs<'a, T>(Poisson, CostsArgs<'a, T>);

impl<T: Real> Pass for Costs<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(loss, p) = self;
        let share: T = share(p.y.rows());
        for ((total, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
            let terms = y
                .iter()
                .zip(t)
                .map(|(y, t)| cost::<T, FMA>(*y, *t) + loss.constant(*t));
            *total = share * sum(y.len(), terms);
        }
    }
}

struct Slopes<'a, T>(SlopesArgs<'a, T>);

impl<T: Real> Pass for Slopes<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(mut p) = self;
        let share: T = share(p.y.rows());
        let pairs = p.y.as_slice().iter().zip(p.target.as_slice());
        for (dy, (y, t)) in p.dy.as_mut_slice().iter_mut().zip(pairs) {
            *dy = share * (y.exp_kernel::<FMA>() - *t);
        }
    }
}

struct Curvatures<'a, T>(CurvaturesArgs<'a, T>);

impl<T: Real> Pass for Curvatures<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(mut p) = self;
        let share: T = share(p.y.rows());
        let pairs = p.y.as_slice().iter().zip(p.y_dot.as_slice());
        for (dy_dot, (y, y_dot)) in p.dy_dot.as_mut_slice().iter_mut().zip(pairs) {
            *dy_dot = share * y.exp_kernel::<FMA>() * *y_dot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn at(y: f64, t: f64) -> Result<(f64, f64)> {
        let (y, t) = ([y], [t]);
        let (y, t) = (View::new(&y, 1)?, View::new(&t, 1)?);
        let loss = Poisson::new();
        Ok((loss.value(y, t.into())?, loss.gradient(y, t.into())?[0]))
    }

    #[test]
    fn limits() -> Result<()> {
        const INF: f64 = f64::INFINITY;
        assert_eq!(at(INF, 3.0)?, (INF, INF));
        assert_eq!(at(-INF, 3.0)?, (INF, -3.0));
        assert_eq!(at(-INF, 0.0)?, (0.0, 0.0));
        assert_eq!(at(1e4, 1e300)?, (INF, INF));
        Ok(())
    }

    #[test]
    fn limits_of_rates() -> Result<()> {
        let (y, t) = ([0.0, 0.0, f64::INFINITY, 2.0], [0.0, 3.0, 0.0, 0.0]);
        let (y, t) = (View::new(&y, 1)?, View::new(&t, 1)?);
        let loss = Poisson::new().rates();
        let ends = [0.0, f64::INFINITY, f64::INFINITY, 2.0];
        assert_eq!(loss.sample_costs(y, t.into())?, ends);
        let slopes = 4.0 * loss.gradient(y, t.into())?;
        assert_eq!(slopes.as_slice(), [1.0, f64::NEG_INFINITY, 1.0, 1.0]);
        let below: f64 = loss.value(View::new(&[-1.0], 1)?, View::new(&[1.0], 1)?.into())?;
        assert!(below.is_nan());
        Ok(())
    }

    #[test]
    fn targets() {
        for t in [-1.0, -f64::MIN_POSITIVE, f64::INFINITY, f64::NAN] {
            let error = at(0.5, t).expect_err("no count");
            let kind = if t.is_finite() {
                ErrorKind::Value
            } else {
                ErrorKind::NotFinite
            };
            assert_eq!(error.kind(), kind);
            assert_eq!(error.place(), "target of Poisson, row 0, column 0");
        }
        assert!(at(0.5, 0.0).is_ok() && at(0.5, 2.5).is_ok());
    }
}
