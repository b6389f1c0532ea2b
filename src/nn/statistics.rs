//! Running statistics, computed anew from data.

use super::layer::{GradientArgs, Layer, Role};
use super::layout::{Layout, PlacedBlock};
use super::passes::{Walk, input};
use super::sequential::Sequential;
use super::tape::{Stage, Tape};
use crate::error::Result;
use crate::numeric::bounds::ensure;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::View;
use alloc::sync::Arc;
use core::mem::take;
use core::ops::Range;
use core::slice::from_ref;

impl<T: Real> Sequential<T> {
    /// Computes the running statistics of all layers anew: the mean over the batches of what each
    /// says, `batch` samples of `x` after the other in their order, in the mode of training
    /// (PyTorch's `update_bn`). It is what weights need that were not trained as they are, such as
    /// an average of several networks: [batch norm](crate::nn::BatchNorm) else has the statistics
    /// of others. All other parameters stay.
    ///
    /// Those before do not matter: the result is a function of the other parameters, of `x` and,
    /// with dropout, of the tape's seed and step, which stay as they are. A last batch of one
    /// sample, which has no variance, is left out. Momenta of 0 leave their layer as it is.
    /// A network without running statistics is left alone.
    ///
    /// [`Trainer`](crate::Trainer) does it at the end of an epoch where the rule
    /// [averages](crate::Optimizer::swap_average). A loop of its own does so after it has put the
    /// average into the network.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) when the rows of `x` are not the network's
    /// inputs, [`ErrorKind::Empty`](crate::ErrorKind::Empty) without a sample,
    /// [`ErrorKind::Value`](crate::ErrorKind::Value) for batches or data of less than 2 samples.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::BatchNorm;
    /// let mut net = Sequential::<f64>::builder(1).layer(BatchNorm::new()).seed(1).build()?;
    /// let x = DMatrix::from_row_slice(1, 6, &[1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
    /// net.update_statistics(&x, 2, &mut Tape::new())?;
    /// // γ, β, the mean of the batches' means, and of their variances
    /// assert_eq!(net.params(), [1.0, 0.0, 6.0, 2.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("update_bn", "reset_running_stats"))]
    pub fn update_statistics<'x>(
        &mut self,
        x: impl Into<View<'x, T>>,
        batch: usize,
        tape: &mut Tape<T>,
    ) -> Result<()> {
        let x = x.into();
        self.walk().check_inputs(x)?;
        for (what, samples) in [("batch", batch), ("inputs x", x.cols())] {
            ensure(
                samples >= 2,
                format_args!("{what} of Sequential::update_statistics"),
                "at least 2 samples, for one has no variance",
                samples,
            )?;
        }
        let all = 0..self.params().len();
        renew(self, x, batch, from_ref(&all), tape);
        Ok(())
    }
}

/// The running statistics within `ranges` that follow batches, each with the momentum of its layer.
fn within<'a, T: Real>(
    leaves: &'a [Arc<dyn Layer<T>>],
    layout: &'a Layout,
    ranges: &'a [Range<usize>],
) -> impl Iterator<Item = (Range<usize>, f64)> + 'a {
    let blocks = layout.blocks().filter(is_statistic);
    blocks.flat_map(move |PlacedBlock { leaf, range, .. }| {
        let momentum = leaves[leaf].statistics_momentum();
        ranges.iter().filter_map(move |wanted| {
            let (start, end) = (range.start.max(wanted.start), range.end.min(wanted.end));
            (start < end && momentum > 0.0).then_some((start..end, momentum))
        })
    })
}

fn is_statistic(placed: &PlacedBlock<'_>) -> bool {
    placed.block.role == Role::Statistic
}

/// [`Sequential::update_statistics`] of those within `ranges`.
pub(crate) fn renew<T: Real>(
    net: &mut Sequential<T>,
    x: View<'_, T>,
    batch: usize,
    ranges: &[Range<usize>],
    tape: &mut Tape<T>,
) {
    compiled_here!(T: |net: &mut Sequential<T>,
                       x: View<'_, T>,
                       batch: usize,
                       ranges: &[Range<usize>],
                       tape: &mut Tape<T>| {
        let wanted = within(net.walk().leaves, net.layout(), ranges);
        let count = wanted.map(|(range, _)| range.len()).sum();
        if count == 0 || batch < 2 || x.cols() < 2 {
            return;
        }
        let step = tape.step();
        let mut means = take(tape.statistics_mut());
        means.clear();
        means.resize(count, T::zero());
        // g is then −m times what a batch says, without a rounding of what was there before.
        set(net, ranges, &[]);
        let (walk, layout) = (net.walk(), net.layout().clone());
        tape.on_threads(&layout, batch.min(x.cols()), |tape| {
            let firsts = (0..x.cols()).step_by(batch);
            let firsts = firsts.filter(|first| first + 1 < x.cols());
            for (before, first) in firsts.enumerate() {
                let x = x.range(first, x.cols().min(first.saturating_add(batch)));
                walk.record(x, tape, true);
                let share = T::of(1.0 / (before + 1) as f64);
                gather(walk, x, ranges, share, &mut means, tape);
            }
        });
        set(net, ranges, &means);
        *tape.statistics_mut() = means;
        tape.seek_step(step);
    })(net, x, batch, ranges, tape)
}

/// Lets the means follow what the batch of the last forward pass says.
fn gather<T: Real>(
    walk: Walk<'_, T>,
    x: View<'_, T>,
    ranges: &[Range<usize>],
    share: T,
    means: &mut [T],
    tape: &mut Tape<T>,
) {
    let Walk {
        leaves,
        layout,
        params,
    } = walk;
    tape.walk(Stage::Forward, |lent| {
        let (room, grads) = (lent.room, lent.grads);
        for (leaf, span) in layout.leaves(x.cols()) {
            let mut statistics = layout.blocks().filter(is_statistic);
            if !statistics.any(|placed| placed.leaf == leaf) {
                continue;
            }
            // Only what is written in place of a gradient is wanted, on which δ has no part.
            room.deltas[span.delta.clone()].fill(T::zero());
            let view = |numbers, width| View::from_parts(numbers, width, x.cols());
            leaves[leaf].gradient(GradientArgs {
                params: &params[span.params.clone()],
                x: input(&span, x, room.activations, x.cols()),
                y: view(&room.activations[span.y.clone()], span.outputs),
                cache: &room.cache[span.cache.clone()],
                delta: view(&room.deltas[span.delta.clone()], span.outputs),
                grads: &mut grads[span.params.clone()],
                training: true,
                scratch: room.scratch,
            });
        }
        let mut means = means.iter_mut();
        for (range, momentum) in within(leaves, layout, ranges) {
            let momentum = T::of(momentum);
            for (g, mean) in grads[range].iter().zip(means.by_ref()) {
                *mean += share * (-*g / momentum - *mean);
            }
        }
    });
}

/// Writes the numbers into the statistics within `ranges`; 0 where there are no more.
fn set<T: Real>(net: &mut Sequential<T>, ranges: &[Range<usize>], numbers: &[T]) {
    let layout = net.layout().clone();
    let (leaves, params) = net.leaves_mut();
    let mut numbers = numbers.iter();
    for (range, _) in within(leaves, &layout, ranges) {
        for param in &mut params[range] {
            *param = numbers.next().copied().unwrap_or(T::zero());
        }
    }
}
