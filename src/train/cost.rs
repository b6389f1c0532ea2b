//! What training makes small, but for penalties: the cost of outputs and, where they are learned
//! from, that of slopes.

use crate::data::Batch;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::loss::Loss;
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::bounds::NOT_NEGATIVE;
use crate::numeric::real::Real;
use alloc::{boxed::Box, format};

/// What slopes cost: settings of a trainer.
pub(super) struct Slopes<'a, T: Real> {
    /// The loss of slopes, and what it is multiplied by.
    pub(super) loss: Option<(Box<dyn Loss<T> + 'a>, f64)>,
    /// Whether the outputs cost nothing.
    pub(super) alone: bool,
}

/// The cost that a trainer makes small.
#[derive(Clone, Copy)]
pub(super) struct Cost<'s, T: Real> {
    /// Of the outputs.
    pub(super) loss: &'s dyn Loss<T>,
    /// Of the slopes, and what it is multiplied by.
    slopes: Option<(&'s dyn Loss<T>, f64)>,
    /// Whether the outputs cost nothing.
    alone: bool,
}

impl<T: Real> Slopes<'_, T> {
    pub(super) const NONE: Self = Self {
        loss: None,
        alone: false,
    };

    /// The cost of outputs by `loss`, and of these.
    #[inline(always)]
    pub(super) fn beside<'s>(&'s self, loss: &'s dyn Loss<T>) -> Cost<'s, T> {
        Cost {
            loss,
            slopes: self
                .loss
                .as_ref()
                .map(|(loss, weight)| (&**loss as _, *weight)),
            alone: self.alone,
        }
    }

    /// The loss and its weight, where they count.
    #[inline(always)]
    pub(super) fn counted(&self) -> Option<(&dyn Loss<T>, f64)> {
        let (loss, weight) = self.loss.as_ref()?;
        (*weight != 0.0).then_some((&**loss, *weight))
    }

    /// What a checkpoint says of them; nothing where there are none.
    #[cfg(feature = "std")]
    pub(super) fn describe(&self) -> Option<(&'static str, alloc::string::String)> {
        let (loss, weight) = self.loss.as_ref()?;
        let alone = if self.alone { ", without values" } else { "" };
        Some((
            "slopes",
            format!("{weight} times {}{alone}", loss.describe()),
        ))
    }
}

impl<'s, T: Real> Cost<'s, T> {
    /// The cost of outputs alone.
    pub(super) fn of(loss: &'s dyn Loss<T>) -> Self {
        Self {
            loss,
            slopes: None,
            alone: false,
        }
    }

    /// Whether the outputs cost something.
    pub(super) fn has_values(self) -> bool {
        !self.alone
    }

    /// The slopes' loss and its weight, where they count.
    #[inline(always)]
    fn counted(self) -> Option<(&'s dyn Loss<T>, f64)> {
        self.slopes.filter(|(_, weight)| *weight != 0.0)
    }

    /// All that can be wrong with a batch, before a pass.
    pub(super) fn check(self, net: &Sequential<T>, batch: Batch<'_, T>) -> Result<()> {
        net.walk().check_pass(batch.x, batch.target, self.loss)?;
        match (self.slopes, batch.target.slopes()) {
            (None, None) => self.check_settings(),
            (None, Some(_)) => Err(Error::new(
                ErrorKind::Incompatible,
                "slopes",
                "none, for a trainer that does not learn from slopes (Trainer::slopes and \
                 Lbfgs::slopes do; of weight 0, they leave them out)",
                "slopes of samples",
            )),
            (Some(_), None) => Err(Error::new(
                ErrorKind::Incompatible,
                "slopes",
                "those of each sample (Dataset::with_slopes), of which the trainer makes a cost",
                "none",
            )),
            (Some((loss, _)), Some(_)) => {
                self.check_settings()?;
                net.walk().check_slopes(batch.target, loss)
            }
        }
    }

    /// All that can be wrong with a network that is to be trained, beside its data.
    pub(super) fn check_network(self, net: &Sequential<T>, batch: Batch<'_, T>) -> Result<()> {
        match self.counted() {
            None => Ok(()),
            Some(_) => net.walk().check_tangents(batch.x),
        }
    }

    fn check_settings(self) -> Result<()> {
        let Some((loss, weight)) = self.slopes else {
            if self.alone {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "without_values",
                    "a loss of slopes, which is then the whole cost",
                    "none",
                ));
            }
            return Ok(());
        };
        NOT_NEGATIVE.check_in::<T>("weight of slopes", weight)?;
        if self.alone && weight == 0.0 {
            return Err(Error::new(
                ErrorKind::Value,
                "weight of slopes",
                "a number above 0 where the values cost nothing",
                weight,
            ));
        }
        if loss.reduction() != self.loss.reduction() {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "loss of slopes",
                format!(
                    "{:?} over samples, as the loss of the outputs (Reduced gives a loss another)",
                    self.loss.reduction()
                ),
                format!("{:?}", loss.reduction()),
            ));
        }
        Ok(())
    }

    /// The cost of a batch; leaves its gradient on the tape. Outputs are those of training where
    /// `training` is true, slopes always those of what the network predicts.
    #[inline(always)]
    pub(super) fn gradient(
        self,
        net: &Sequential<T>,
        batch: Batch<'_, T>,
        tape: &mut Tape<T>,
        training: bool,
    ) -> Result<T> {
        match self.counted() {
            None => Ok(net
                .walk()
                .gradient(batch.x, batch.target, self.loss, tape, training)),
            Some(slopes) => self.gradient_with(slopes, net, batch, tape, training),
        }
    }

    #[inline(never)]
    pub(super) fn gradient_with(
        self,
        (loss, weight): (&dyn Loss<T>, f64),
        net: &Sequential<T>,
        Batch { x, target }: Batch<'_, T>,
        tape: &mut Tape<T>,
        training: bool,
    ) -> Result<T> {
        let (walk, slopes) = (net.walk(), (loss, T::of(weight)));
        if self.alone || !training || walk.is_same_in_training() {
            let values = (!self.alone).then_some(self.loss);
            let cost = walk.slopes_gradient(x, target, values, slopes, tape)?;
            if training {
                tape.seek_step(tape.step().wrapping_add(1));
            }
            return Ok(cost);
        }
        let cost = walk.slopes_gradient(x, target, None, slopes, tape)?;
        tape.keep_grads();
        let values = walk.gradient(x, target, self.loss, tape, training);
        tape.add_kept_grads();
        Ok(values + cost)
    }

    /// The cost of what `net` predicts, after [`check`](Self::check), and with `values` as the cost
    /// of its outputs.
    pub(super) fn value(
        self,
        net: &Sequential<T>,
        Batch { x, target }: Batch<'_, T>,
        tape: &mut Tape<T>,
        values: impl FnOnce(&mut Tape<T>) -> Result<T>,
    ) -> Result<T> {
        let slopes = match self.counted() {
            None => None,
            Some((loss, weight)) => {
                Some(T::of(weight) * net.walk().slopes_cost(x, target, loss, tape)?)
            }
        };
        match slopes {
            None => values(tape),
            Some(slopes) if self.alone => Ok(slopes),
            Some(slopes) => Ok(values(tape)? + slopes),
        }
    }
}
