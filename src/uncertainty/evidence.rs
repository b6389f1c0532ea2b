//! The evidence for a prior and a noise, and those for which it is greatest.

use super::curvature::{Curvature, Factors, Prior};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::POSITIVE;
use alloc::{format, vec::Vec};

/// How well the network explains the data.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fit {
    /// Σ v·(y − t)², how many numbers of weight v > 0 there are, and Σ ln v of these.
    Residuals { squares: f64, count: f64, logs: f64 },
    /// ln p(t | y).
    LogLikelihood(f64),
}

impl Fit {
    /// ln p(t | y), for a noise of deviation σ.
    pub(super) fn log_likelihood(self, noise: f64) -> f64 {
        match self {
            Self::Residuals {
                squares,
                count,
                logs,
            } => {
                let root = libm::sqrt(2.0 * core::f64::consts::PI);
                0.5 * (logs - squares / (noise * noise)) - count * libm::log(noise * root)
            }
            Self::LogLikelihood(log) => log,
        }
    }

    /// What G is multiplied by.
    pub(super) fn beta(self, noise: f64) -> f64 {
        match self {
            Self::Residuals { .. } => 1.0 / (noise * noise),
            Self::LogLikelihood(_) => 1.0,
        }
    }
}

/// How often precisions and noise are looked at again.
const ROUNDS: usize = 2000;

/// What the data have to say of the parameters.
pub(super) struct Data<'a> {
    pub(super) curvature: &'a Curvature,
    pub(super) fit: Fit,
    /// θᵀθ of each group.
    pub(super) squares: &'a [f64],
}

impl Data<'_> {
    /// Makes the evidence great by precisions and noise that were not given, by MacKay's rules
    ///
    /// ```text
    /// γ = n − α·tr(H⁻¹),  α ← γ/θᵀθ,  σ² ← Σ(y − t)²/(N − γ)
    /// ```
    ///
    /// Of each the geometric mean with what was before: γ falls with α, and the rule alone swings
    /// about the solution where it falls as fast as 1/α.
    pub(super) fn maximize(
        &self,
        prior: &mut Prior,
        fixed: bool,
        noise: Option<f64>,
    ) -> Result<f64> {
        let mut deviation = noise.unwrap_or(1.0);
        if let (None, Fit::Residuals { squares, count, .. }) = (noise, self.fit) {
            deviation = libm::sqrt(squares / count);
            self.check_noise(deviation)?;
        }
        let noise_is_fixed = noise.is_some() || matches!(self.fit, Fit::LogLikelihood(_));
        if fixed && noise_is_fixed {
            return Ok(deviation);
        }
        let spectra = self.curvature.spectra(&prior.groups);
        for _ in 0..ROUNDS {
            let gamma = match &spectra {
                Some(spectra) => self.of_spectra(spectra, prior, deviation),
                None => {
                    let beta = self.fit.beta(deviation);
                    self.effective(&self.curvature.factors(beta, prior)?, prior)
                }
            };
            let mut change = 0.0_f64;
            let mut toward = |old: f64, new: f64| {
                let next = libm::sqrt(old) * libm::sqrt(new);
                change = change.max((next / old - 1.0).abs());
                next
            };
            if !fixed {
                let groups = prior.precisions.iter_mut().zip(&gamma).zip(self.squares);
                for ((precision, gamma), squares) in groups {
                    *precision = toward(*precision, gamma / squares);
                }
            }
            if let (false, Fit::Residuals { squares, count, .. }) = (noise_is_fixed, self.fit) {
                let left = count - gamma.iter().sum::<f64>();
                deviation = libm::sqrt(toward(deviation * deviation, squares / left));
                self.check_noise(deviation)?;
            }
            for precision in &prior.precisions {
                POSITIVE
                    .named(
                        "parameters and curvature that are not 0 (prior_precision gives it, and \
                         none is then looked for)",
                    )
                    .check(
                        "prior precision of greatest evidence of Laplace",
                        *precision,
                    )?;
            }
            if change <= 1e-11 {
                return Ok(deviation);
            }
        }
        Err(Error::new(
            ErrorKind::Value,
            "Laplace::fit",
            "an evidence that has a maximum (give prior_precision or noise, and it is sought for \
             the other alone)",
            format!(
                "precisions {:?} and a noise of {deviation} that go on",
                prior.precisions
            ),
        ))
    }

    fn check_noise(&self, noise: f64) -> Result<()> {
        POSITIVE
            .named("residuals that are not all 0 (noise gives the deviation, where it is known)")
            .check("noise of greatest evidence of Laplace", noise)
    }

    /// [`effective`](Self::effective) from eigenvalues.
    fn of_spectra(&self, spectra: &[Vec<f64>], prior: &Prior, noise: f64) -> Vec<f64> {
        let beta = self.fit.beta(noise);
        let groups = spectra.iter().zip(&prior.precisions);
        groups
            .map(|(values, precision)| {
                let share = |value: &f64| beta * value / (beta * value + precision);
                values.iter().map(share).sum()
            })
            .collect()
    }

    /// γ of each group: of how many of its parameters the data say more than the prior does.
    pub(super) fn effective(&self, factors: &Factors, prior: &Prior) -> Vec<f64> {
        let variances = factors.variances();
        let groups = prior.groups.iter().zip(&prior.precisions);
        groups
            .map(|(group, precision)| {
                variances[group.clone()]
                    .iter()
                    .map(|variance| 1.0 - precision * variance)
                    .sum()
            })
            .collect()
    }
}
