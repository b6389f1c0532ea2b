//! Mini-batches.

use super::batch::Batch;
use crate::error::Result;
use crate::numeric::bounds::some;
use crate::numeric::kernel::workers::Workers;
use crate::numeric::random::{Purpose, derive, shuffle, stream};
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, ViewMut};
use alloc::vec::Vec;

/// The mini-batches of a data set, epoch after epoch; the last of an epoch may be smaller. Its
/// buffers are reused.
///
/// The order is a function of the seed and the epoch: any epoch can be had again without those
/// before it.
///
/// ```
/// use chainrule::Dataset;
/// use chainrule::data::Batches;
/// use chainrule::nalgebra::DMatrix;
/// let data = Dataset::new(
///     DMatrix::from_fn(2, 10, |_, j| j as f64),
///     DMatrix::from_fn(1, 10, |_, j| j as f64),
/// )?;
/// let mut batches = Batches::shuffled(4, 7)?;
/// let mut epoch = batches.epoch(&data, 0);
/// let mut sizes = vec![];
/// while let Some(batch) = epoch.next_batch() {
///     // inputs and targets stay together
///     assert_eq!(batch.x.as_slice()[0], batch.target.values().as_slice()[0]);
///     sizes.push(batch.x.cols());
/// }
/// assert_eq!(sizes, [4, 4, 2]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("DataLoader", "minibatch"))]
pub struct Batches<T> {
    size: usize,
    /// The seed of the orders; `None` keeps the order of the data set.
    seed: Option<u64>,
    order: Vec<usize>,
    inputs: Vec<T>,
    targets: Vec<T>,
    weights: Vec<T>,
    slopes: Vec<T>,
}

impl<T: Real> Batches<T> {
    /// Batches of `size` samples in the order of the data set, borrowed from it without a copy; a
    /// size beyond the data set is the full batch.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value) when `size` is 0.
    pub fn in_order(size: usize) -> Result<Self> {
        Self::new(size, None)
    }

    /// Batches of `size` samples in an order that `seed` and the epoch decide.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value) when `size` is 0.
    pub fn shuffled(size: usize, seed: u64) -> Result<Self> {
        Self::new(size, Some(seed))
    }

    fn new(size: usize, seed: Option<u64>) -> Result<Self> {
        some("size of a batch", "at least 1 sample", size as u64)?;
        Ok(Self {
            size,
            seed,
            order: Vec::new(),
            inputs: Vec::new(),
            targets: Vec::new(),
            weights: Vec::new(),
            slopes: Vec::new(),
        })
    }

    /// The batches of an epoch over `data`, from the first.
    pub fn epoch<'a>(
        &'a mut self,
        data: impl Into<Batch<'a, T>>,
        epoch: u64,
    ) -> EpochBatches<'a, T> {
        let data = data.into();
        self.order.clear();
        if let Some(seed) = self.seed {
            self.order.extend(0..data.len());
            shuffle(
                &mut self.order,
                stream(derive(seed, Purpose::Shuffle, epoch)),
            );
        }
        EpochBatches {
            batches: self,
            data,
            next: 0,
        }
    }
}

/// The mini-batches of one epoch; made by [`Batches::epoch`].
#[derive(Debug)]
pub struct EpochBatches<'a, T: Real> {
    batches: &'a mut Batches<T>,
    data: Batch<'a, T>,
    next: usize,
}

impl<T: Real> EpochBatches<'_, T> {
    /// Leaves out so many batches.
    pub(crate) fn skip(&mut self, batches: usize) {
        self.next = self
            .next
            .saturating_add(batches.saturating_mul(self.batches.size));
    }

    /// The next batch; `None` after the last.
    pub fn next_batch(&mut self) -> Option<Batch<'_, T>> {
        self.next_batch_by(&Workers::default())
    }

    /// [`next_batch`](Self::next_batch), copied by `workers`.
    #[inline]
    pub(crate) fn next_batch_by(&mut self, workers: &Workers) -> Option<Batch<'_, T>> {
        let Batches {
            size,
            seed,
            order,
            inputs,
            targets,
            weights,
            slopes,
        } = &mut *self.batches;
        let (first, end) = (
            self.next,
            self.data.len().min(self.next.saturating_add(*size)),
        );
        if first >= end {
            return None;
        }
        self.next = end;
        let Batch { x, target } = self.data;
        let (t, w) = (target.values(), target.weights());
        if seed.is_none() {
            let target = Targets::from_parts(t.range(first, end), w.map(|w| &w[first..end]));
            let known = self.data.target.slopes();
            return Some(Batch {
                x: x.range(first, end),
                target: target.and_slopes(known.map(|s| s.range(first, end).as_slice())),
            });
        }
        let order = &order[first..end];
        let w = w.map(|w| gather(View::from_parts(w, 1, w.len()), order, weights, workers));
        let s = target.slopes().map(|s| gather(s, order, slopes, workers));
        let target =
            Targets::from_parts(gather(t, order, targets, workers), w.map(|w| w.as_slice()));
        Some(Batch {
            x: gather(x, order, inputs, workers),
            target: target.and_slopes(s.map(|s| s.as_slice())),
        })
    }
}

/// The columns at `order`, copied side by side.
fn gather<'a, T: Real>(
    from: View<'_, T>,
    order: &[usize],
    to: &'a mut Vec<T>,
    workers: &Workers,
) -> View<'a, T> {
    let rows = from.rows();
    to.resize(rows * order.len(), T::zero());
    let work = (order, ViewMut::from_parts(to, rows, order.len()));
    workers.over(work, order.len(), rows, |(order, mut to)| {
        for (to, index) in to.iter_mut().zip(order) {
            to.copy_from_slice(&from.as_slice()[index * rows..(index + 1) * rows]);
        }
    });
    View::from_parts(to, rows, order.len())
}
