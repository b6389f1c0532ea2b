//! Stochastic weight averaging.

use super::around::{Around, Averages, averaging};
use super::optimizer::Optimizer;
use crate::error::Result;
use crate::numeric::bounds::some;
use crate::numeric::real::Real;

/// Another rule, and stochastic weight averaging (Izmailov, Podoprikhin, Garipov, Vetrov & Wilson
/// 2018) of the weights w that its steps leave: from step s on, every n steps,
///
/// ```text
/// a ← a + (w − a)/k      for the k-th time
/// ```
///
/// so that a is the mean of the weights after the steps s, s + n, s + 2n, …, counted from 1, all
/// alike. It often generalizes better than any of them, where the rate stays high enough for w to
/// wander about the minimum: take a constant rate, or a [cyclic](crate::optim::Schedule::Cyclic)
/// one, from s on, and let s be three quarters of the training or so.
///
/// The network is a after training, or w as long as nothing is in a;
/// [`swap_average`](crate::Optimizer::swap_average) puts it into the parameters. Steps go on from w
/// as if there were no average. It is PyTorch's `AveragedModel` with its default `avg_fn`.
///
/// [`in_epochs`](Self::in_epochs) counts epochs in place of steps: the weights at the end of the
/// epochs s, s + n, …, as the paper has it.
///
/// With the rate [in percent](crate::optim::Schedule::in_percent) of the run and s in epochs,
/// nobody needs to count steps. What is said of batch norm, constraints and rules at [`Ema`] holds
/// here, too.
///
/// [`Ema`]: crate::optim::Ema
///
/// ```
/// use chainrule::{Optimizer, Sgd};
/// use chainrule::optim::{Group, Swa};
/// let (mut rule, mut w) = (Swa::new(Sgd::new(), 3).every(2), [0.0_f64]);
/// for _ in 0..7 {
///     rule.step(1.0, &mut w, &[-1.0], &Group::all(1))?;
/// }
/// assert_eq!(w, [7.0]);
/// rule.swap_average(&mut w)?;
/// assert_eq!(w, [5.0]); // of 3, 5 and 7
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias(
    "AveragedModel",
    "swa_utils",
    "SWALR",
    "swa_start",
    "StochasticWeightAveraging"
))]
pub struct Swa<T, O> {
    start: u64,
    every: u64,
    in_epochs: bool,
    around: Around<T, O>,
}

impl<T: Real, O: Optimizer<T>> Swa<T, O> {
    /// The average of the weights after each step from step `start` on, counted from 1, around
    /// `rule`.
    pub fn new(rule: O, start: u64) -> Self {
        Self {
            start,
            every: 1,
            in_epochs: false,
            around: Around::new(Self::NAME, rule),
        }
    }

    /// The same, every n steps or epochs, at least 1.
    #[must_use]
    pub fn every(self, every: u64) -> Self {
        Self { every, ..self }
    }

    /// The same, counting epochs, of which [`Trainer`](crate::Trainer) tells, or
    /// [`note_epoch`](crate::Optimizer::note_epoch).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::optim::Swa;
    /// let x = DMatrix::from_fn(1, 40, |_, j| j as f64 / 20.0 - 1.0);
    /// let data = Dataset::new(x.clone(), x.map(|x| x * x))?;
    /// let mut net = Sequential::builder(1)
    ///     .layer(Dense::new(8, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// // The mean of the networks after the epochs 76, 77, …, 100.
    /// let rule = Swa::new(Sgd::new().momentum(0.9), 76).in_epochs();
    /// let mut trainer = Trainer::new(MeanSquaredError, rule)
    ///     .learning_rate(0.05)
    ///     .batch_size(8)
    ///     .epochs(100);
    /// trainer.fit(&mut net, &data)?;
    /// assert!(trainer.evaluate(&net, &data)?.cost < 0.01);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    pub fn in_epochs(self) -> Self {
        Self {
            in_epochs: true,
            ..self
        }
    }

    /// By which share the average moves at step or epoch `now`, if it does.
    fn share(&self, now: u64, count: f64) -> Option<f64> {
        let since = now.checked_sub(self.start)?;
        let due = since.is_multiple_of(self.every);
        due.then(|| 1.0 / (count + 1.0))
    }
}

impl<T: Real, O: Optimizer<T>> Averages for Swa<T, O> {
    const NAME: &'static str = "Swa";

    fn check_numbers(&self) -> Result<()> {
        some("every of Swa", "at least 1", self.every)
    }

    fn after_step(&self, t: u64, [count, _]: [f64; 2]) -> Option<f64> {
        (!self.in_epochs).then(|| self.share(t, count)).flatten()
    }

    fn counts_epochs(&self) -> bool {
        self.in_epochs
    }

    fn after_epoch(&self, [count, epochs]: [f64; 2]) -> Option<f64> {
        let epochs = epochs as u64;
        self.in_epochs.then(|| self.share(epochs, count)).flatten()
    }
}

averaging!(Swa {
    start: u64,
    every: u64,
    in_epochs: bool
});
