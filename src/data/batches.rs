//! Mini-batches.

use super::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::random::{Purpose, derive, shuffle, stream};
use crate::real::Real;
use crate::view::View;
use alloc::vec::Vec;

/// The mini-batches of a data set, epoch after epoch; the last of an epoch may be smaller. Its buffers are reused.
///
/// The order is a function of the seed and the epoch: any epoch can be had again without those before it.
///
/// ```
/// use chainrule::{Batches, Dataset, nalgebra::DMatrix};
/// let data = Dataset::new(DMatrix::from_fn(2, 10, |_, j| j as f64), DMatrix::from_fn(1, 10, |_, j| j as f64))?;
/// let mut batches = Batches::shuffled(4, 7)?;
/// batches.begin(&data, 0);
/// let mut sizes = vec![];
/// while let Some((x, t)) = batches.next(&data) {
///     assert_eq!(x.as_slice()[0], t.as_slice()[0]); // inputs and targets stay together
///     sizes.push(x.cols());
/// }
/// assert_eq!(sizes, [4, 4, 2]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches<T> {
    size: usize,
    /// The seed of the orders; `None` keeps the order of the data set.
    seed: Option<u64>,
    order: Vec<usize>,
    next: usize,
    inputs: Vec<T>,
    targets: Vec<T>,
}

impl<T: Real> Batches<T> {
    /// Batches of `size` samples in the order of the data set, borrowed from it without a copy; a size beyond the data
    /// set is the full batch.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when `size` is 0.
    pub fn in_order(size: usize) -> Result<Self> {
        Self::new(size, None)
    }

    /// Batches of `size` samples in an order that `seed` and the epoch decide.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when `size` is 0.
    pub fn shuffled(size: usize, seed: u64) -> Result<Self> {
        Self::new(size, Some(seed))
    }

    fn new(size: usize, seed: Option<u64>) -> Result<Self> {
        if size == 0 {
            return Err(Error::new(ErrorKind::Value, "size of a batch", "at least 1 sample", 0));
        }
        Ok(Self { size, seed, order: Vec::new(), next: usize::MAX, inputs: Vec::new(), targets: Vec::new() })
    }

    /// Goes to the start of an epoch.
    pub fn begin(&mut self, data: &Dataset<T>, epoch: u64) {
        self.next = 0;
        self.order.clear();
        if let Some(seed) = self.seed {
            self.order.extend(0..data.len());
            shuffle(&mut self.order, stream(derive(seed, Purpose::Shuffle, epoch)));
        }
    }

    /// The inputs and targets of the next batch; `None` after the last of the epoch and before [`begin`](Self::begin).
    /// `data` must be that of `begin`.
    pub fn next<'a>(&'a mut self, data: &'a Dataset<T>) -> Option<(View<'a, T>, View<'a, T>)> {
        let (first, end) = (self.next, data.len().min(self.next.saturating_add(self.size)));
        if first >= end {
            return None;
        }
        self.next = end;
        let (inputs, targets) = (View::from(data.inputs()), View::from(data.targets()));
        if self.seed.is_none() {
            return Some((inputs.range(first, end), targets.range(first, end)));
        }
        let order = self.order.get(first..end)?;
        Some((gather(inputs, order, &mut self.inputs)?, gather(targets, order, &mut self.targets)?))
    }
}

/// The columns at `order`, copied side by side; `None` where one is beyond the matrix.
fn gather<'a, T: Real>(from: View<'_, T>, order: &[usize], to: &'a mut Vec<T>) -> Option<View<'a, T>> {
    let rows = from.rows();
    to.clear();
    for index in order {
        to.extend_from_slice(from.as_slice().get(index * rows..(index + 1) * rows)?);
    }
    Some(View::from_parts(to, rows, order.len()))
}
