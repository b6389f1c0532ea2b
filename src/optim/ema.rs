//! Exponential moving averages of the weights.

use super::arithmetic::power;
use super::around::{Around, Averages, averaging};
use super::optimizer::Optimizer;
use crate::error::Result;
use crate::numeric::bounds::BELOW_ONE;
use crate::numeric::real::Real;

/// Another rule, and an exponential moving average of the weights w that its steps leave: with the
/// decay β, in step t, counted from 1,
///
/// ```text
/// a ← a + c·(w − a)      c = (1−β)/(1−βᵗ)
/// ```
///
/// so that a is Σ βᵗ⁻ⁱ·wᵢ / Σ βᵗ⁻ⁱ: recent weights count, those of some 1/(1−β) steps, and noise is
/// averaged out. The network is a after training, and
/// [`swap_average`](crate::Optimizer::swap_average) puts it into the parameters; steps go on from w
/// as if there were no average (Polyak & Juditsky 1992).
///
/// The division by 1−βᵗ corrects a bias, as Adam's does. Without it the first weights would count
/// 1/(1−β) times as much as any others, and a training of a few hundred steps at β = 0.999 would
/// end near where it began. [`uncorrected`](Self::uncorrected) is what PyTorch and Keras do.
///
/// 0.99 to 0.9999 are usual: 1/(1−β) of a tenth to a few epochs.
///
/// Whether and how [batch norm](crate::nn::BatchNorm) goes with it says
/// [`swap_average`](crate::Optimizer::swap_average). It takes one vector beside those of the rule.
/// A rule that averages by itself is refused, by
/// [`ErrorKind::Incompatible`](crate::ErrorKind::Incompatible), and so are constraints in a
/// [`Trainer`](crate::Trainer). The state of a rule of another crate, which cannot be lent, is
/// copied in each step.
///
/// ```
/// use chainrule::{Optimizer, Sgd};
/// use chainrule::optim::{Ema, Group};
/// let (mut rule, mut w) = (Ema::new(Sgd::new(), 0.99), [2.0_f64]);
/// for t in 0..2000 {
///     let noise = if t % 2 == 0 { 5.0 } else { -5.0 };
///     let gradient = [2.0 * w[0] + noise]; // of w², but for the noise
///     rule.step(0.05, &mut w, &gradient, &Group::all(1))?;
/// }
/// assert!(w[0].abs() > 1e-2);
/// rule.swap_average(&mut w)?;
/// assert!(w[0].abs() < 1e-3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias(
    "AveragedModel",
    "get_ema_multi_avg_fn",
    "use_ema",
    "ema_momentum",
    "ExponentialMovingAverage",
    "Polyak"
))]
pub struct Ema<T, O> {
    decay: f64,
    corrected: bool,
    around: Around<T, O>,
}

impl<T: Real, O: Optimizer<T>> Ema<T, O> {
    /// The average with decay β in [0, 1) around `rule`.
    pub fn new(rule: O, decay: f64) -> Self {
        Self {
            decay,
            corrected: true,
            around: Around::new(Self::NAME, rule),
        }
    }

    /// The same with a = w after the first step and c = 1−β from the second on: PyTorch's
    /// `AveragedModel(multi_avg_fn=get_ema_multi_avg_fn(decay))`, updated after each step. Keras'
    /// `use_ema` begins with the weights before the first step.
    #[must_use]
    pub fn uncorrected(self) -> Self {
        Self {
            corrected: false,
            ..self
        }
    }
}

impl<T: Real, O: Optimizer<T>> Averages for Ema<T, O> {
    const NAME: &'static str = "Ema";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("decay of Ema", self.decay)
    }

    fn after_step(&self, _: u64, [count, _]: [f64; 2]) -> Option<f64> {
        let before = count as u64;
        let share = 1.0 - self.decay;
        Some(if self.corrected {
            share / (1.0 - power(self.decay, before.saturating_add(1)))
        } else if before == 0 {
            1.0
        } else {
            share
        })
    }
}

averaging!(Ema {
    decay: f64,
    corrected: bool
});
