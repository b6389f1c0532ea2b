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
const ROUNDS: usize = 10_000;

/// What the data have to say of the parameters.
pub(super) struct Data<'a> {
    pub(super) curvature: &'a Curvature,
    pub(super) fit: Fit,
    /// θᵀθ of each group.
    pub(super) squares: &'a [f64],
}

impl Data<'_> {
    /// Makes the evidence great by precisions and noise that were not given:
    ///
    /// ```text
    /// γ = n − α·tr(H⁻¹),  α ← √(α·γ/θᵀθ),  σ² ← (Σ(y − t)² + γσ²)/N
    /// ```
    ///
    /// MacKay's rules have the same fixed points, γ/θᵀθ and Σ(y − t)²/(N − γ), but swing about them
    /// where γ falls as fast as 1/α, or comes near N. Those here settle in any case: the slopes of
    /// their logarithms by ln α and ln σ² at the fixed point, with a in [0, 1] and ρ = γ/N < 1, are
    /// ½(1 − a) and −½a, −aρ and ρ(1 − a).
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
            let mut renew = |old: &mut f64, new: f64| {
                change = change.max((new / *old - 1.0).abs());
                *old = new;
            };
            if !fixed {
                let groups = prior.precisions.iter_mut().zip(&gamma).zip(self.squares);
                for ((precision, gamma), squares) in groups {
                    let mean = libm::sqrt(*precision) * libm::sqrt(gamma / squares);
                    renew(precision, mean);
                }
            }
            if let (false, Fit::Residuals { squares, count, .. }) = (noise_is_fixed, self.fit) {
                let known = gamma.iter().sum::<f64>() * deviation * deviation;
                renew(&mut deviation, libm::sqrt((squares + known) / count));
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
