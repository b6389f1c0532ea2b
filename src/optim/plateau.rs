//! Learning rates that fall when the cost has ceased to.

use crate::error::Result;
use crate::numeric::bounds::{BETWEEN, Bound, NOT_NEGATIVE, NUMBER, UNIT};

/// A multiplier of the learning rate that falls when a cost has ceased to. It is told the cost
/// after each epoch.
///
/// The rules are those of PyTorch's `ReduceLROnPlateau` (there `mode="min"`,
/// `threshold_mode="abs"`). A value is better if it is below the best by more than `min_change`.
/// After more than `patience` values without improvement the multiplier is multiplied by `factor`;
/// for the next `cooldown` values only the best is tracked. (Keras' callback of this name waits for
/// `patience` values, one less.) NaN is never better. For a measure that should rise, tell its
/// negative.
///
/// It is plain data: to go on where one has stopped, keep a copy.
///
/// ```
/// use chainrule::optim::ReduceOnPlateau;
/// let mut plateau = ReduceOnPlateau { factor: 0.5, patience: 1, ..ReduceOnPlateau::new() };
/// let multipliers: Vec<f64> = [9.0, 8.0, 8.0, 8.0, 7.0]
///     .map(|cost| plateau.observe(cost))
///     .to_vec();
/// assert_eq!(multipliers, [1.0, 1.0, 1.0, 0.5, 0.5]);
/// assert_eq!(plateau.best, 7.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("ReduceLROnPlateau"))]
pub struct ReduceOnPlateau {
    /// By what the multiplier falls, in (0, 1).
    pub factor: f64,
    /// How many values in a row may be no better.
    pub patience: u64,
    /// By how much a value must be below the best to be better, finite and not negative.
    pub min_change: f64,
    /// How many values after a fall do not count.
    pub cooldown: u64,
    /// The least multiplier, in [0, 1].
    pub min: f64,
    /// State: the best value so far, ∞ at first.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub best: f64,
    /// State: how many values in a row were no better.
    pub bad: u64,
    /// State: how many values are still not to count.
    pub cooling: u64,
    /// State: the multiplier.
    pub multiplier: f64,
}

impl ReduceOnPlateau {
    /// PyTorch's defaults: factor 0.1, patience 10, a change of 10⁻⁴, no cooldown, no least
    /// multiplier.
    pub fn new() -> Self {
        Self {
            factor: 0.1,
            patience: 10,
            min_change: 1e-4,
            cooldown: 0,
            min: 0.0,
            best: f64::INFINITY,
            bad: 0,
            cooling: 0,
            multiplier: 1.0,
        }
    }

    /// Takes note of a value, and returns the multiplier of the rate from now on.
    pub fn observe(&mut self, value: f64) -> f64 {
        if value < self.best - self.min_change {
            (self.best, self.bad) = (value, 0);
        } else {
            self.bad = self.bad.saturating_add(1);
        }
        if self.cooling > 0 {
            (self.cooling, self.bad) = (self.cooling - 1, 0);
        }
        if self.bad > self.patience {
            self.multiplier = (self.multiplier * self.factor).max(self.min);
            (self.cooling, self.bad) = (self.cooldown, 0);
        }
        self.multiplier
    }

    /// Checks the settings and the state.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value), naming the number that is out of range.
    pub fn check(&self) -> Result<()> {
        let check = |bound: Bound, what, value| {
            bound.check(format_args!("{what} of ReduceOnPlateau"), value)
        };
        check(BETWEEN, "factor", self.factor)?;
        check(NOT_NEGATIVE, "min_change", self.min_change)?;
        check(UNIT, "min", self.min)?;
        check(NUMBER, "best", self.best)?;
        check(UNIT, "multiplier", self.multiplier)
    }
}

impl Default for ReduceOnPlateau {
    fn default() -> Self {
        Self::new()
    }
}
