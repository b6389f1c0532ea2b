//! Progress bars.

use crate::ground::table::short;
use crate::nn::sequential::Sequential;
use crate::numeric::real::Real;
use crate::train::{Epoch, Observer, Plan, Step};
use alloc::{format, string::String};
use core::ops::ControlFlow;
use indicatif::{FormattedDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// The longest time between two looks at the clock, where steps are shorter; the shortest is half
/// of it. A look draws twice, and indicatif's targets draw at most 20 times a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// Shows how far training is, in a line on stderr. A bar fills with each epoch; after it come the
/// epoch (the first is 1), the cost of the mini-batch, the learning rate, the time left for the
/// whole run, and what is known of the epoch before.
///
/// ```text
/// ██████████░░░░░░░░░░ 24/48 of epoch 7/10  cost 0.2188  rate 0.001000  00:00:06 left  last epoch: cost 0.2304  accuracy 0.9395
/// ```
///
/// What a narrow terminal has no room for is cut off. Where stderr is no terminal, nothing is
/// drawn. The line is drawn five to ten times a second, and the clock is not looked at in each
/// step. So of epochs shorter than that not each is seen, and where a [`Stop`](crate::Stop) ends
/// such a run, the last ones are not.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::Progress;
/// let data = Dataset::new(
///     DMatrix::from_element(1, 100, 1.0),
///     DMatrix::from_element(1, 100, 2.0),
/// )?;
/// let mut net = Sequential::<f64>::builder(1)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// Trainer::new(MeanSquaredError, Sgd::new()).observe(Progress::new()).fit(&mut net, &data)?;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// What is shown; `None` before the first run, and where nothing is.
    run: Option<Run>,
}

/// A call of `fit`.
#[derive(Debug)]
struct Run {
    plan: Plan,
    started: Instant,
    looked: Instant,
    drawn: Instant,
    /// The first step of the run.
    first: Option<u64>,
    /// The last finished epoch.
    last: Option<Epoch>,
    /// How many steps pass from look to look, and how many of them still will.
    stride: u64,
    wait: u64,
}

impl Progress {
    /// On stderr.
    pub fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    /// Elsewhere: on stdout, or in a group of bars.
    ///
    /// ```
    /// use chainrule::Progress;
    /// use chainrule::indicatif::ProgressDrawTarget;
    /// let progress = Progress::on(ProgressDrawTarget::stdout());
    /// ```
    pub fn on(target: ProgressDrawTarget) -> Self {
        let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {wide_msg}")
            .expect("the template is sound");
        Self {
            bar: ProgressBar::with_draw_target(None, target).with_style(style),
            run: None,
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    /// What was drawn last stays, and the line is not drawn once more where something else may have
    /// been printed since.
    fn drop(&mut self) {
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }
}

impl<T: Real> Observer<T> for Progress {
    fn on_start(&mut self, plan: &Plan, _: &Sequential<T>) {
        self.run = None;
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_length(plan.batches as u64);
        self.bar.reset();
        let now = Instant::now();
        self.run = Some(Run {
            plan: *plan,
            started: now,
            looked: now,
            drawn: now,
            first: None,
            last: None,
            stride: 1,
            wait: 0,
        });
    }

    fn on_batch(&mut self, step: &Step, _: &Sequential<T>) -> ControlFlow<()> {
        if let Some(run) = &mut self.run {
            match run.wait.checked_sub(1) {
                Some(wait) => run.wait = wait,
                None => {
                    run.look();
                    let text = run.of_step(step);
                    self.bar.set_position(step.batch as u64 + 1);
                    self.bar.set_message(text);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn on_epoch(&mut self, epoch: &Epoch, _: &Sequential<T>) -> ControlFlow<()> {
        if let Some(run) = &mut self.run {
            run.last = Some(epoch.clone());
            let over = epoch.epoch + 1 >= run.plan.end;
            if over || run.drawn.elapsed() >= INTERVAL {
                run.drawn = Instant::now();
                let text = run.of_epoch(epoch, over);
                self.bar.set_position(run.plan.batches as u64);
                if over {
                    self.bar.finish_with_message(text)
                } else {
                    self.bar.set_message(text)
                }
            }
        }
        ControlFlow::Continue(())
    }
}

impl Run {
    /// Looks at the clock, and says after how many steps to do so again.
    fn look(&mut self) {
        let now = Instant::now();
        let since = now.duration_since(self.looked);
        if since < INTERVAL / 2 {
            self.stride = self.stride.saturating_mul(2);
        } else if since > INTERVAL {
            self.stride = (self.stride / 2).max(1);
        }
        (self.looked, self.drawn) = (now, now);
        self.wait = self.stride - 1;
    }

    fn of_step(&mut self, step: &Step) -> String {
        let first = *self.first.get_or_insert(step.step);
        let done = (step.step - first) as f64 + 1.0;
        let ahead = self.plan.end.saturating_sub(step.epoch) as f64 * self.plan.batches as f64
            - (step.batch as f64 + 1.0);
        let left = Duration::try_from_secs_f64(self.started.elapsed().as_secs_f64() / done * ahead);
        let mut text = format!(
            "{}  cost {}  rate {}",
            self.count(step.epoch),
            short(step.cost),
            short(step.learning_rate)
        );
        // More seconds than a `Duration` holds are not worth telling.
        if let Ok(left) = left {
            text.push_str(&format!("  {} left", FormattedDuration(left)));
        }
        if let Some(last) = &self.last {
            text.push_str("  last epoch:");
            figures(&mut text, last);
        }
        text
    }

    fn of_epoch(&self, epoch: &Epoch, over: bool) -> String {
        let mut text = self.count(epoch.epoch);
        if over {
            text.push_str(&format!(
                "  after {}",
                FormattedDuration(self.started.elapsed())
            ));
        }
        text.push(' ');
        figures(&mut text, epoch);
        text
    }

    fn count(&self, epoch: usize) -> String {
        format!("of epoch {}/{}", epoch + 1, self.plan.end)
    }
}

/// Adds the figures of an epoch.
fn figures(text: &mut String, epoch: &Epoch) {
    let validation = epoch.validation_cost.map(|cost| ("validation", cost));
    let metrics = epoch
        .metrics
        .iter()
        .map(|(name, value)| (name.as_str(), *value));
    for (index, (name, value)) in core::iter::once(("cost", epoch.cost))
        .chain(validation)
        .chain(metrics)
        .enumerate()
    {
        text.push_str(&format!(
            "{}{name} {}",
            if index == 0 { " " } else { "  " },
            short(value)
        ));
    }
}
