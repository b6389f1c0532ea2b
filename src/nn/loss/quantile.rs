//! Losses whose best outputs are quantiles and expectiles.

use super::by_output::{self, ByOutput, loss_by_output};
use super::{CostsArgs, CurvaturesArgs, Loss, SlopesArgs};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::{BETWEEN, not_empty};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use alloc::{format, string::String, vec::Vec};
use core::fmt;

/// The levels τ of a loss that has an output of each target for each of them.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Levels(Vec<f64>);

impl Levels {
    /// What r = t − y is weighted by: τ where the output is below its target, 1 − τ where it is
    /// above.
    fn weight<T: Real>(&self, block: usize, r: T) -> T {
        let level = self.0.get(block).copied().unwrap_or(0.5);
        T::of(if r < T::zero() { 1.0 - level } else { level })
    }

    fn targets(&self, outputs: usize) -> usize {
        outputs / self.0.len().max(1)
    }

    fn check(&self, name: &str, outputs: usize) -> Result<()> {
        not_empty(
            format_args!("levels of {name}"),
            "at least 1 level",
            self.0.len(),
        )?;
        for (i, level) in self.0.iter().enumerate() {
            BETWEEN
                .named("a level in (0, 1)")
                .check(format_args!("level {i} of {name}"), *level)?;
        }
        if outputs.is_multiple_of(self.0.len()) {
            return Ok(());
        }
        let expected = format!("a multiple of {}: one per target and level", self.0.len());
        Err(Error::new(
            ErrorKind::Incompatible,
            format!("outputs of {name}"),
            expected,
            outputs,
        ))
    }
}

/// As in [`Loss::describe`].
impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (j, level) in self.0.iter().enumerate() {
            write!(f, "{}{level}", if j == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// The quantile loss, or pinball loss: τ·(t−y) where the output is below its target and (1−τ)(y−t)
/// where it is above, averaged over outputs and samples. The best output is the τ-quantile of what
/// may be observed (Koenker & Bassett 1978; scikit-learn's `mean_pinball_loss` and
/// `QuantileRegressor`).
///
/// With several levels at once a network gives an interval. It has one output for each target and
/// level: first the outputs of all targets for the first level, then for the second, and so on.
/// Nothing keeps a higher quantile above a lower one.
///
/// ∂C/∂y = −τ/(nd) below the target, (1−τ)/(nd) above, 0 on it, with d outputs. The median, τ = ½,
/// is half of [`MeanAbsoluteError`](super::MeanAbsoluteError).
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, Quantile};
/// // One target; from 10 to 90 percent.
/// let (y, t) = (View::new(&[2.0, 7.0], 2)?, View::new(&[8.0], 1)?);
/// let cost: f64 = Quantile::new(&[0.1, 0.9]).value(y, t.into())?;
/// assert!((cost - (0.1 * 6.0 + 0.9 * 1.0) / 2.0).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("pinball", "mean_pinball_loss", "QuantileLoss", "QuantileRegressor"))]
pub struct Quantile {
    levels: Levels,
}

impl Quantile {
    /// The loss of quantiles of these levels, each in (0, 1).
    pub fn new(levels: &[f64]) -> Self {
        Self {
            levels: Levels(levels.into()),
        }
    }
}

impl<T: Real> ByOutput<T> for Quantile {
    fn cost(&self, level: usize, y: T, t: T) -> T {
        let r = t - y;
        self.levels.weight(level, r) * if r < T::zero() { -r } else { r }
    }

    fn slope(&self, level: usize, y: T, t: T) -> T {
        let (r, weight) = (t - y, self.levels.weight(level, t - y));
        if r > T::zero() {
            -weight
        } else if r < T::zero() {
            weight
        } else {
            r
        }
    }

    fn curvature(&self, _: usize, _: T, _: T) -> T {
        T::zero()
    }
}

loss_by_output!(Quantile {
    fn describe(&self) -> String {
        format!("Quantile(levels={})", self.levels)
    }

    fn measures_distance(&self) -> bool {
        true
    }

    fn targets(&self, outputs: usize) -> usize {
        self.levels.targets(outputs)
    }

    fn check(&self, outputs: usize) -> Result<()> {
        self.levels.check("Quantile", outputs)
    }
});

/// The expectile loss: τ·(t−y)² where the output is below its target and (1−τ)(y−t)² where it is
/// above, averaged over outputs and samples. The best output is the τ-expectile, which is to the
/// mean what a quantile is to the median (Newey & Powell 1987).
///
/// Outputs are as of [`Quantile`]: one for each target and level. ∂C/∂y = 2τ(y−t)/(nd) below the
/// target, 2(1−τ)(y−t)/(nd) above. The mean, τ = ½, is half of
/// [`MeanSquaredError`](super::MeanSquaredError).
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Expectile, Loss};
/// let (y, t) = (View::new(&[2.0], 1)?, View::new(&[8.0], 1)?);
/// assert_eq!(Expectile::new(&[0.75]).value(y, t.into())?, 0.75 * 36.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("asymmetric_least_squares"))]
pub struct Expectile {
    levels: Levels,
}

impl Expectile {
    /// The loss of expectiles of these levels, each in (0, 1).
    pub fn new(levels: &[f64]) -> Self {
        Self {
            levels: Levels(levels.into()),
        }
    }
}

impl<T: Real> ByOutput<T> for Expectile {
    fn cost(&self, level: usize, y: T, t: T) -> T {
        let r = t - y;
        self.levels.weight(level, r) * r * r
    }

    fn slope(&self, level: usize, y: T, t: T) -> T {
        let r = t - y;
        T::of(-2.0) * self.levels.weight(level, r) * r
    }

    fn curvature(&self, level: usize, y: T, t: T) -> T {
        T::of(2.0) * self.levels.weight(level, t - y)
    }
}

loss_by_output!(Expectile {
    fn describe(&self) -> String {
        format!("Expectile(levels={})", self.levels)
    }

    fn measures_distance(&self) -> bool {
        true
    }

    fn targets(&self, outputs: usize) -> usize {
        self.levels.targets(outputs)
    }

    fn check(&self, outputs: usize) -> Result<()> {
        self.levels.check("Expectile", outputs)
    }
});
