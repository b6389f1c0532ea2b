//! Inputs and their targets.

use super::check_finite;
use crate::error::{Error, ErrorKind, Result};
use crate::random::{Purpose, derive, shuffle, stream};
use crate::real::Real;
use crate::view::View;
use alloc::{format, vec::Vec};
use nalgebra::DMatrix;

/// Samples: inputs (features × samples) and targets (outputs × samples), column j of one belonging to column j of the
/// other. All numbers are finite; there is at least one sample.
///
/// ```
/// use chainrule::{Dataset, nalgebra::DMatrix};
/// let xor = Dataset::new(
///     DMatrix::from_column_slice(2, 4, &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]),
///     DMatrix::from_column_slice(1, 4, &[0.0, 1.0, 1.0, 0.0]),
/// )?;
/// assert_eq!((xor.len(), xor.features(), xor.outputs()), (4, 2, 1));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<T: Real> {
    inputs: DMatrix<T>,
    targets: DMatrix<T>,
}

impl<T: Real> Dataset<T> {
    /// Samples as columns.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a sample, a feature or an output, [`ErrorKind::Shape`] when the numbers of columns
    /// differ, [`ErrorKind::NotFinite`] for a NaN or ±∞, naming its row and column.
    pub fn new(inputs: DMatrix<T>, targets: DMatrix<T>) -> Result<Self> {
        check_finite("inputs of Dataset", (&inputs).into())?;
        check_finite("targets of Dataset", (&targets).into())?;
        if inputs.ncols() != targets.ncols() {
            let expected = format!("{} columns, one per sample of the inputs", inputs.ncols());
            return Err(Error::new(ErrorKind::Shape, "targets of Dataset", expected, targets.ncols()));
        }
        Ok(Self { inputs, targets })
    }

    /// Samples as rows: `inputs` holds `features` numbers per sample, `targets` holds `outputs`, sample after sample, as
    /// the rows of a CSV file or the buffer of a C-ordered NumPy array.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`ErrorKind::Shape`] when a length is not a multiple of its width.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// let data = Dataset::from_rows(&[3.0, 5.0, 5.0, 1.0, 10.0, 2.0], 2, &[75.0, 82.0, 93.0], 1)?;
    /// assert_eq!(data.inputs().column(1).as_slice(), [5.0, 1.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn from_rows(inputs: &[T], features: usize, targets: &[T], outputs: usize) -> Result<Self> {
        let matrix = |data: &[T], width: usize, place: &str| {
            let view = View::new(data, width).map_err(|error| error.within(place))?;
            Ok(DMatrix::from_column_slice(width, view.cols(), data))
        };
        Self::new(matrix(inputs, features, "inputs of Dataset")?, matrix(targets, outputs, "targets of Dataset")?)
    }

    /// The inputs, features × samples.
    pub fn inputs(&self) -> &DMatrix<T> {
        &self.inputs
    }

    /// The targets, outputs × samples.
    pub fn targets(&self) -> &DMatrix<T> {
        &self.targets
    }

    /// The number of samples, at least 1.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.inputs.ncols()
    }

    /// The number of features of an input.
    pub fn features(&self) -> usize {
        self.inputs.nrows()
    }

    /// The number of outputs of a target.
    pub fn outputs(&self) -> usize {
        self.targets.nrows()
    }

    /// The samples at `indices`, in that order; an index may come again.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without an index, [`ErrorKind::Value`] for one beyond the samples.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        if indices.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "Dataset::select", "at least 1 index", 0));
        }
        if let Some(index) = indices.iter().find(|index| **index >= self.len()) {
            return Err(Error::new(ErrorKind::Value, "Dataset::select", format!("indices below {}", self.len()), index));
        }
        Ok(Self { inputs: self.inputs.select_columns(indices), targets: self.targets.select_columns(indices) })
    }

    /// Two parts, shuffled by `seed`: the first has `fraction` of the samples, rounded, and each at least one.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when `fraction` is not between 0 and 1, [`ErrorKind::Empty`] when there is only one sample.
    ///
    /// ```
    /// use chainrule::{Dataset, nalgebra::DMatrix};
    /// let data = Dataset::new(DMatrix::from_fn(1, 10, |_, j| j as f64), DMatrix::zeros(1, 10))?;
    /// let (train, test) = data.split(0.7, 42)?;
    /// assert_eq!((train.len(), test.len()), (7, 3));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::new(ErrorKind::Value, "Dataset::split", "a fraction between 0 and 1", fraction));
        }
        if self.len() < 2 {
            return Err(Error::new(ErrorKind::Empty, "Dataset::split", "at least 2 samples", self.len()));
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        shuffle(&mut order, stream(derive(seed, Purpose::Split, 0)));
        let rounded = (fraction * self.len() as f64 + 0.5) as usize;
        let (first, second) = order.split_at(rounded.clamp(1, self.len() - 1));
        Ok((self.select(first)?, self.select(second)?))
    }

    /// The same samples with other inputs: how a scaler is applied.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// ```
    /// use chainrule::{Dataset, Scaler};
    /// let data = Dataset::<f64>::from_rows(&[3.0, 5.0, 5.0, 1.0, 10.0, 2.0], 2, &[75.0, 82.0, 93.0], 1)?;
    /// let scaler = Scaler::standard(data.inputs())?;
    /// let scaled = data.with_inputs(scaler.transform(data.inputs())?)?;
    /// assert!(scaled.inputs().row(0).sum().abs() < 1e-12);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn with_inputs(&self, inputs: DMatrix<T>) -> Result<Self> {
        Self::new(inputs, self.targets.clone())
    }

    /// The same samples with other targets.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_targets(&self, targets: DMatrix<T>) -> Result<Self> {
        Self::new(self.inputs.clone(), targets)
    }
}
