//! A loss for numbers and how uncertain they are.

use super::classification::times;
use super::{CostsArgs, CurvaturesArgs, Loss, OutputFunction, SlopesArgs, share};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, is_nan, sum_of};
use alloc::{format, string::String};

/// The negative log-likelihood of numbers t under normal distributions whose means μ and variances
/// e^s a network gives: for a sample C = 1/d Σⱼ ½(sⱼ + (tⱼ−μⱼ)²·e^−sⱼ), averaged over the d targets
/// and over the samples (Nix & Weigend 1994; PyTorch's `GaussianNLLLoss` with `var` = e^s).
///
/// The network has 2d outputs for d targets: first the means, then the logarithms s of the
/// variances. A logarithm needs no bound: PyTorch's loss takes the variance itself, which it keeps
/// from falling below ε = 10⁻⁶. ∂C/∂μ = (μ−t)e^−s/(nd) and ∂C/∂s = ½(1 − (t−μ)²e^−s)/(nd).
///
/// Predictions are means and standard deviations σ = e^½s ([`OutputFunction::Normal`]), of a
/// [`Model`](crate::Model) with a scaler of the targets in the units of the data. Metrics see both;
/// [`metrics::of_rows`](crate::metrics::of_rows) takes those of the means.
///
/// Left out is ½ ln 2π, which does not depend on the outputs; [`full`](Self::full) adds it. Costs
/// may be negative.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{GaussianNll, Loss};
/// // Mean 1, and standard deviation 2 as the logarithm of the variance 4.
/// let y = [1.0, 4.0_f64.ln()];
/// let cost = GaussianNll::new().full().value(View::new(&y, 2)?, View::new(&[3.0], 1)?.into())?;
/// let density = (-0.5_f64).exp() / (2.0 * (2.0 * core::f64::consts::PI).sqrt());
/// assert!((cost + density.ln()).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("GaussianNLLLoss", "gaussian_nll_loss", "heteroscedastic"))]
pub struct GaussianNll {
    full: bool,
}

impl GaussianNll {
    /// The loss without the constant ½ ln 2π.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same loss plus ½ ln 2π for each target (PyTorch's `full=True`): gradients are the same.
    #[must_use]
    pub fn full(self) -> Self {
        Self { full: true }
    }

    fn cost<T: Real>(self, Term { s, q, .. }: Term<T>) -> T {
        let half = T::of(0.5);
        let constant = if self.full {
            half * T::two_pi().ln()
        } else {
            T::zero()
        };
        // Where the variance is 0, a mean that is not the target costs ∞.
        if !q.is_finite() && !is_nan(s) {
            return q;
        }
        half * (s + q) + constant
    }
}

/// A target with its mean and variance: r = μ − t, s, e^−s, r·e^−s, r²·e^−s.
#[derive(Clone, Copy)]
struct Term<T> {
    s: T,
    e: T,
    re: T,
    q: T,
}

impl<T: Real> Term<T> {
    fn new(mean: T, s: T, t: T) -> Self {
        let (r, e) = (mean - t, (-s).exp_kernel::<false>());
        let re = times(r, e);
        Self {
            s,
            e,
            re,
            q: re * r,
        }
    }
}

/// The terms of a sample.
fn terms<T: Real>(y: &[T], t: &[T]) -> impl Iterator<Item = Term<T>> {
    let (means, logs) = y.split_at(t.len());
    let pairs = means.iter().zip(logs);
    pairs.zip(t).map(|((mean, s), t)| Term::new(*mean, *s, *t))
}

impl<T: Real> Loss<T> for GaussianNll {
    fn name(&self) -> &str {
        "GaussianNll"
    }

    fn describe(&self) -> String {
        format!("GaussianNll(full={})", self.full)
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        compiled_here!(T: |loss: &GaussianNll, p: CostsArgs<'_, T>| {
            let share: T = share(p.target.rows());
            for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                *cost = share * sum_of(t.len(), &mut terms(y, t).map(|term| loss.cost(term)));
            }
        })(self, p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        compiled_here!(T: |p: SlopesArgs<'_, T>| {
            let mut p = p;
            let (share, half) = (share::<T>(p.target.rows()), T::of(0.5));
            for ((dy, y), t) in p.dy.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                let (means, logs) = dy.split_at_mut(t.len());
                for ((mean, s), term) in means.iter_mut().zip(logs).zip(terms(y, t)) {
                    *mean = share * term.re;
                    *s = share * half * (T::one() - term.q);
                }
            }
        })(p);
    }

    /// (e^−s·μ̇ − r·e^−s·ṡ)/d and (½r²e^−s·ṡ − r·e^−s·μ̇)/d with r = μ − t.
    fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
        compiled_here!(T: |p: CurvaturesArgs<'_, T>| {
            let mut p = p;
            let (share, half) = (share::<T>(p.target.rows()), T::of(0.5));
            let samples = p.y.iter().zip(p.target.iter());
            for ((out, dots), (y, t)) in p.dy_dot.iter_mut().zip(p.y_dot.iter()).zip(samples) {
                let (means, logs) = out.split_at_mut(t.len());
                let (mean_dots, log_dots) = dots.split_at(t.len());
                let dots = mean_dots.iter().zip(log_dots);
                for (((mean, s), (mean_dot, s_dot)), term) in
                    means.iter_mut().zip(logs).zip(dots).zip(terms(y, t))
                {
                    *mean = share * (term.e * *mean_dot - term.re * *s_dot);
                    *s = share * (half * term.q * *s_dot - term.re * *mean_dot);
                }
            }
        })(p);
        Ok(())
    }

    fn output_function(&self) -> OutputFunction {
        OutputFunction::Normal
    }

    fn measures_distance(&self) -> bool {
        true
    }

    fn targets(&self, outputs: usize) -> usize {
        outputs / 2
    }

    fn check(&self, outputs: usize) -> Result<()> {
        if outputs.is_multiple_of(2) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            "outputs of GaussianNll",
            "an even number: the means, then the logarithms of the variances",
            outputs,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::view::View;
    use alloc::string::ToString;

    fn at(mean: f64, s: f64, t: f64) -> Result<(f64, [f64; 2])> {
        let (y, t) = ([mean, s], [t]);
        let (y, t) = (View::new(&y, 2)?, View::new(&t, 1)?);
        let loss = GaussianNll::new();
        let slope = loss.gradient(y, t.into())?;
        Ok((loss.value(y, t.into())?, [slope[0], slope[1]]))
    }

    #[test]
    fn limits() -> Result<()> {
        const INF: f64 = f64::INFINITY;
        assert_eq!(at(1.0, 0.0, 1.0)?, (0.0, [0.0, 0.5]));
        assert_eq!(at(1.0, -INF, 1.0)?, (-INF, [0.0, 0.5]));
        assert_eq!(at(2.0, -INF, 1.0)?, (INF, [INF, -INF]));
        assert_eq!(at(2.0, -1e4, 1.0)?, (INF, [INF, -INF]));
        assert_eq!(at(2.0, 1e4, 1.0)?, (5e3, [0.0, 0.5]));
        assert_eq!(at(2.0, INF, 1.0)?, (INF, [0.0, 0.5]));
        assert_eq!(at(INF, 0.0, 1.0)?, (INF, [INF, -INF]));
        // r² alone would overflow.
        let (cost, slope) = at(1e200, 460.0, 0.0)?;
        assert!(cost > 1e199 && cost.is_finite() && slope[1].is_finite());
        for nan in [at(f64::NAN, 0.0, 0.0)?, at(0.0, f64::NAN, 0.0)?] {
            assert!(nan.0.is_nan() && nan.1.iter().any(|slope| slope.is_nan()));
        }
        Ok(())
    }

    #[test]
    fn pairs() {
        let y = [0.0; 3];
        let y = View::new(&y, 3).expect("a sample");
        let error = GaussianNll::new()
            .value(y, (&[0.0]).into())
            .expect_err("odd");
        let text = "outputs of GaussianNll: got 3, expected an even number: the means, then the \
                    logarithms of the variances";
        assert_eq!(error.to_string(), text);
    }
}
