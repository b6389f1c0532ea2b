//! Borrowed matrices whose columns lie one after the other, and targets with weights.

use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, vec::Vec};
use core::ops::Range;
use nalgebra::{
    DMatrixView, DMatrixViewMut, Dim, IsContiguous, Matrix, RawStorage, RawStorageMut, RealField,
    Scalar,
};

/// A borrowed `features × samples` matrix: **a sample is a column**, and the columns lie one after
/// the other.
///
/// nalgebra is column-major, so this is a `DMatrix` seen as it lies in memory, and byte for byte a
/// row-major `(samples, features)` array of NumPy or PyTorch. Every function that takes a batch
/// takes `impl Into<View>`: `&DMatrix`, `&DVector`, `&SVector`, `&SMatrix` convert, and so does any
/// nalgebra matrix that is contiguous; a slice, an array and a `Vec` are **one sample**, whatever
/// their length ([`View::new`] sees several in a slice). Of a range of columns, take
/// [`View::columns`]. nalgebra's `DMatrixView` may have gaps between its columns, so it does not
/// convert; its `into_owned()` does.
///
/// ```
/// use chainrule::View;
/// use chainrule::nalgebra::DMatrix;
///
/// let x = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]); // 2 features, 3 samples
/// let view = View::from(&x);
/// assert_eq!((view.rows(), view.cols()), (2, 3));
/// assert_eq!(view.as_slice(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]); // three samples in a row
/// assert_eq!(view.iter().last(), Some(&[3.0, 6.0][..]));
/// assert_eq!(View::from(&[1.0, 2.0, 3.0]).cols(), 1); // one sample of three features
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias("slice", "ndarray"))]
pub struct View<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
}

/// The mutable twin of [`View`].
///
/// ```
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::numeric::ViewMut;
///
/// let mut y = DMatrix::<f64>::zeros(2, 2);
/// ViewMut::from(&mut y).as_mut_slice()[1] = 5.0;
/// assert_eq!(y[(1, 0)], 5.0);
/// ```
#[derive(Debug, PartialEq)]
pub struct ViewMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
}

/// What outputs should be, outputs × samples, and how much each sample counts: without weights, all
/// the same.
///
/// A sample's cost and gradient are multiplied by its weight, and an average still divides by the
/// number of samples (Keras' definition), or by the sum of the weights
/// ([`Reduction::WeightedMean`](crate::nn::loss::Reduction), PyTorch's);
/// [`metrics`](crate::metrics) divide by the sum of the weights (scikit-learn's `sample_weight`).
/// Matrices and [`View`]s convert, without weights, and a [`&Dataset`](crate::Dataset) with those
/// it has.
///
/// ```
/// use chainrule::metrics;
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::numeric::Targets;
///
/// let y = DMatrix::from_row_slice(1, 3, &[0.9, 0.2, 0.1]);
/// let t = DMatrix::from_row_slice(1, 3, &[1.0, 1.0, 0.0]);
/// assert_eq!(metrics::accuracy(&y, &t)?, 2.0 / 3.0);
/// assert_eq!(metrics::accuracy(&y, Targets::weighted(&t, &[1.0, 2.0, 1.0])?)?, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Targets<'a, T> {
    values: View<'a, T>,
    weights: Option<&'a [T]>,
}

fn samples(place: &str, len: usize, rows: usize) -> Result<usize> {
    if rows == 0 {
        return Err(Error::new(ErrorKind::Value, place, "at least 1 row", 0));
    }
    if !len.is_multiple_of(rows) {
        return Err(Error::new(
            ErrorKind::Shape,
            place,
            format!("a multiple of {rows} numbers"),
            len,
        ));
    }
    Ok(len / rows)
}

/// A matrix at `place` must be `expected`, rows and columns.
pub(crate) fn check_shape(
    place: impl FnOnce() -> String,
    expected: (usize, usize),
    given: (usize, usize),
) -> Result<()> {
    if expected == given {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Shape,
        place(),
        shape(expected),
        shape(given),
    ))
}

/// How errors write a shape.
pub(crate) fn shape((rows, cols): (usize, usize)) -> String {
    format!("{rows} × {cols}")
}

impl<'a, T> View<'a, T> {
    /// Numbers in memory order as samples of `rows` features each: the buffer of a row-major
    /// `(samples, features)` array.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when `rows` is 0, [`ErrorKind::Shape`] when the length is not a
    /// multiple of it.
    ///
    /// ```
    /// use chainrule::View;
    /// let samples = View::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2)?;
    /// assert_eq!(samples.cols(), 3);
    /// assert!(View::new(&[1.0, 2.0, 3.0], 2).is_err());
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn new(data: &'a [T], rows: usize) -> Result<Self> {
        let cols = samples("View::new", data.len(), rows)?;
        Ok(Self { data, rows, cols })
    }

    /// `data` as `rows × cols`; the caller knows that it fits.
    pub(crate) fn from_parts(data: &'a [T], rows: usize, cols: usize) -> Self {
        debug_assert_eq!(data.len(), rows * cols);
        Self { data, rows, cols }
    }

    /// The number of rows: features, or neurons.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns: samples.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All numbers, column after column.
    pub fn as_slice(&self) -> &'a [T] {
        self.data
    }

    /// The columns in order, each a slice.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [T]> + use<'a, T> {
        let Self {
            mut data,
            rows,
            cols,
        } = *self;
        (0..cols).map(move |_| {
            let (column, rest) = data.split_at(rows);
            data = rest;
            column
        })
    }

    /// The columns `first..first + count`.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when there are fewer columns.
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::nalgebra::DMatrix;
    /// let x = DMatrix::from_fn(2, 5, |i, j| (10 * i + j) as f64);
    /// assert_eq!(View::from(&x).columns(1, 2)?.as_slice(), [1.0, 11.0, 2.0, 12.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn columns(&self, first: usize, count: usize) -> Result<Self> {
        match first.checked_add(count) {
            Some(end) if end <= self.cols => Ok(self.range(first, end)),
            _ => Err(Error::new(
                ErrorKind::Shape,
                "View::columns",
                format!("a range within {} columns", self.cols),
                format!("{count} columns from {first}"),
            )),
        }
    }

    /// Rows and columns.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Some rows of all columns, which must be there.
    pub(crate) fn rows_of(&self, rows: Range<usize>) -> Vec<T>
    where
        T: Copy,
    {
        self.iter()
            .flat_map(|column| &column[rows.clone()])
            .copied()
            .collect()
    }

    pub(crate) fn range(&self, first: usize, end: usize) -> Self {
        Self {
            data: &self.data[first * self.rows..end * self.rows],
            rows: self.rows,
            cols: end - first,
        }
    }
}

impl<'a, T: Scalar> View<'a, T> {
    /// The same numbers as a matrix view of nalgebra.
    ///
    /// ```
    /// use chainrule::View;
    /// let x = View::new(&[1.0, 2.0, 3.0, 4.0], 2)?.as_matrix();
    /// assert_eq!(x.row(0).sum(), 4.0);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn as_matrix(&self) -> DMatrixView<'a, T> {
        DMatrixView::from_slice(self.data, self.rows, self.cols)
    }
}

impl<'a, T> ViewMut<'a, T> {
    /// Numbers in memory order as samples of `rows` features each.
    ///
    /// # Errors
    /// As [`View::new`].
    pub fn new(data: &'a mut [T], rows: usize) -> Result<Self> {
        let cols = samples("ViewMut::new", data.len(), rows)?;
        Ok(Self { data, rows, cols })
    }

    pub(crate) fn from_parts(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        debug_assert_eq!(data.len(), rows * cols);
        Self { data, rows, cols }
    }

    /// The number of rows: features, or neurons.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns: samples.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All numbers, column after column.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.data
    }

    /// The same matrix, read only.
    pub fn as_view(&self) -> View<'_, T> {
        View {
            data: self.data,
            rows: self.rows,
            cols: self.cols,
        }
    }

    /// The same matrix for a shorter time, to hand on and use again.
    pub fn reborrow(&mut self) -> ViewMut<'_, T> {
        ViewMut {
            data: self.data,
            rows: self.rows,
            cols: self.cols,
        }
    }

    /// The columns before `at`, and the rest.
    pub(crate) fn split_at(self, at: usize) -> (Self, Self) {
        let (data, rest) = self.data.split_at_mut(at * self.rows);
        let cols = self.cols - at;
        (
            Self {
                data,
                rows: self.rows,
                cols: at,
            },
            Self {
                data: rest,
                rows: self.rows,
                cols,
            },
        )
    }

    /// The columns in order, each a mutable slice.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        // No row, no column to show; and `chunks_exact_mut` takes no 0.
        self.data.chunks_exact_mut(self.rows.max(1))
    }
}

impl<T: Scalar> ViewMut<'_, T> {
    /// The same numbers as a mutable matrix view of nalgebra.
    ///
    /// ```
    /// use chainrule::numeric::ViewMut;
    /// let mut data = [1.0, 2.0, 3.0, 4.0];
    /// ViewMut::new(&mut data, 2)?.as_matrix_mut().row_mut(0).fill(0.0);
    /// assert_eq!(data, [0.0, 2.0, 0.0, 4.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn as_matrix_mut(&mut self) -> DMatrixViewMut<'_, T> {
        DMatrixViewMut::from_slice(self.data, self.rows, self.cols)
    }
}

impl<'a, T, R: Dim, C: Dim, S: RawStorage<T, R, C> + IsContiguous> From<&'a Matrix<T, R, C, S>>
    for View<'a, T>
{
    fn from(matrix: &'a Matrix<T, R, C, S>) -> Self {
        let (rows, cols) = matrix.shape();
        Self {
            data: matrix.as_slice(),
            rows,
            cols,
        }
    }
}

/// One sample: its features.
impl<'a, T> From<&'a [T]> for View<'a, T> {
    fn from(sample: &'a [T]) -> Self {
        Self {
            data: sample,
            rows: sample.len(),
            cols: 1,
        }
    }
}

/// One sample: its features.
impl<'a, T, const N: usize> From<&'a [T; N]> for View<'a, T> {
    fn from(sample: &'a [T; N]) -> Self {
        sample.as_slice().into()
    }
}

/// One sample: its features.
impl<'a, T> From<&'a Vec<T>> for View<'a, T> {
    fn from(sample: &'a Vec<T>) -> Self {
        sample.as_slice().into()
    }
}

impl<'a, T, R: Dim, C: Dim, S: RawStorageMut<T, R, C> + IsContiguous>
    From<&'a mut Matrix<T, R, C, S>> for ViewMut<'a, T>
{
    fn from(matrix: &'a mut Matrix<T, R, C, S>) -> Self {
        let (rows, cols) = matrix.shape();
        Self {
            data: matrix.as_mut_slice(),
            rows,
            cols,
        }
    }
}

impl<'a, T> Targets<'a, T> {
    /// What the outputs should be.
    pub fn values(&self) -> View<'a, T> {
        let View { data, rows, cols } = self.values;
        View { data, rows, cols }
    }

    /// One weight per sample; `None` where all count the same.
    pub fn weights(&self) -> Option<&'a [T]> {
        self.weights
    }

    /// `weights` as they are: those of a data set, or a part of them.
    pub(crate) fn from_parts(values: View<'a, T>, weights: Option<&'a [T]>) -> Self {
        debug_assert!(weights.is_none_or(|weights| weights.len() == values.cols()));
        Self { values, weights }
    }
}

impl<'a, T: RealField + Copy> Targets<'a, T> {
    /// Targets of which sample j counts `weights[j]` times.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] unless there is one weight per sample, [`ErrorKind::NotFinite`] for a
    /// NaN or ±∞ or where their sum is infinite, [`ErrorKind::Value`] for one below 0 or where all
    /// are 0.
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::numeric::Targets;
    /// let t = [0.0, 1.0, 1.0];
    /// let targets = Targets::weighted(View::new(&t, 1)?, &[1.0, 0.0, 2.5])?;
    /// assert_eq!(targets.weights(), Some(&[1.0, 0.0, 2.5][..]));
    /// assert!(Targets::weighted(View::new(&t, 1)?, &[0.0; 3]).is_err());
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("sample_weight"))]
    pub fn weighted(values: impl Into<View<'a, T>>, weights: &'a [T]) -> Result<Self> {
        let values = values.into();
        check_weights("Targets", weights, values.cols())?;
        Ok(Self {
            values,
            weights: Some(weights),
        })
    }
}

/// Every number must satisfy `ok`; the error names its row and column in `place`.
pub(crate) fn check_each<T: RealField + Copy>(
    place: impl FnOnce() -> String,
    x: View<'_, T>,
    expected: &str,
    ok: impl Fn(T) -> bool,
) -> Result<()> {
    // Without a branch per element where all is well.
    if x.as_slice().iter().fold(true, |all, v| all & ok(*v)) {
        return Ok(());
    }
    let index = x.as_slice().iter().position(|v| !ok(*v)).unwrap_or(0);
    let row = index % x.rows();
    let column = index / x.rows();
    let given = x.as_slice()[index];
    let kind = if given.is_finite() {
        ErrorKind::Value
    } else {
        ErrorKind::NotFinite
    };
    Err(Error::new(
        kind,
        format!("{}, row {row}, column {column}", place()),
        expected,
        given,
    ))
}

/// There must be `samples` weights of `place`, finite and ≥ 0, and their sum finite and above 0.
pub(crate) fn check_weights<T: RealField + Copy>(
    place: &str,
    weights: &[T],
    samples: usize,
) -> Result<()> {
    let place = || format!("weights of {place}");
    if weights.len() != samples {
        return Err(Error::new(
            ErrorKind::Shape,
            place(),
            format!("{samples}, one per sample"),
            weights.len(),
        ));
    }
    if let Some(sample) = weights
        .iter()
        .position(|w| !(w.is_finite() && *w >= T::zero()))
    {
        let kind = if weights[sample].is_finite() {
            ErrorKind::Value
        } else {
            ErrorKind::NotFinite
        };
        return Err(Error::new(
            kind,
            format!("{}, sample {sample}", place()),
            "a finite weight ≥ 0",
            weights[sample],
        ));
    }
    let sum = weights.iter().fold(T::zero(), |sum, w| sum + *w);
    match sum.is_finite() {
        true if sum > T::zero() => Ok(()),
        true => Err(Error::new(
            ErrorKind::Value,
            place(),
            "at least 1 weight above 0",
            "none",
        )),
        false => Err(Error::new(
            ErrorKind::NotFinite,
            place(),
            "weights whose sum is finite",
            sum,
        )),
    }
}

impl<'a, T> From<View<'a, T>> for Targets<'a, T> {
    fn from(values: View<'a, T>) -> Self {
        Self {
            values,
            weights: None,
        }
    }
}

/// One sample: its targets.
impl<'a, T> From<&'a [T]> for Targets<'a, T> {
    fn from(sample: &'a [T]) -> Self {
        View::from(sample).into()
    }
}

/// One sample: its targets.
impl<'a, T, const N: usize> From<&'a [T; N]> for Targets<'a, T> {
    fn from(sample: &'a [T; N]) -> Self {
        View::from(sample).into()
    }
}

/// One sample: its targets.
impl<'a, T> From<&'a Vec<T>> for Targets<'a, T> {
    fn from(sample: &'a Vec<T>) -> Self {
        View::from(sample).into()
    }
}

impl<'a, T, R: Dim, C: Dim, S: RawStorage<T, R, C> + IsContiguous> From<&'a Matrix<T, R, C, S>>
    for Targets<'a, T>
{
    fn from(matrix: &'a Matrix<T, R, C, S>) -> Self {
        View::from(matrix).into()
    }
}
