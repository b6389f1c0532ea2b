//! Inputs and their targets.

use super::deal::{Deal, check_folds};
use super::labels::labels;
use super::parts::{self, check_counts, count};
use super::slopes;
use super::{Batch, Scaler, check_finite};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::not_empty;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, check_shape, check_weights};
use alloc::{borrow::Cow, format, string::String, vec::Vec};
use nalgebra::DMatrix;

/// Samples: inputs (features × samples) and targets (outputs × samples), column j of one belonging
/// to column j of the other, and if wanted how much each sample counts and the slopes of its
/// targets. All numbers are finite; there is at least one sample.
///
/// ```
/// use chainrule::Dataset;
/// use chainrule::nalgebra::DMatrix;
/// let xor = Dataset::new(
///     DMatrix::from_column_slice(2, 4, &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]),
///     DMatrix::from_column_slice(1, 4, &[0.0, 1.0, 1.0, 0.0]),
/// )?;
/// assert_eq!((xor.len(), xor.features(), xor.outputs()), (4, 2, 1));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("TensorDataset"))]
pub struct Dataset<T: Real> {
    inputs: DMatrix<T>,
    targets: DMatrix<T>,
    weights: Option<Vec<T>>,
    slopes: Option<DMatrix<T>>,
}

/// Samples in the units of a network: each side is mapped by its scaler, or borrowed if it has
/// none.
pub(crate) struct Scaled<'d, T: Real> {
    inputs: Cow<'d, DMatrix<T>>,
    targets: Cow<'d, DMatrix<T>>,
    weights: Option<&'d [T]>,
    slopes: Option<Cow<'d, DMatrix<T>>>,
}

impl<T: Real> Scaled<'_, T> {
    pub(crate) fn batch(&self) -> Batch<'_, T> {
        let slopes = self.slopes.as_ref().map(|slopes| slopes.as_slice());
        let target = Targets::from_parts((&*self.targets).into(), self.weights);
        Batch {
            x: (&*self.inputs).into(),
            target: target.and_slopes(slopes),
        }
    }
}

/// How errors call the two sides.
const INPUTS: &str = "inputs of Dataset";
const TARGETS: &str = "targets of Dataset";
const SLOPES: &str = "slopes of Dataset";

/// The targets of a data set, with its weights and slopes.
impl<'a, T: Real> From<&'a Dataset<T>> for Targets<'a, T> {
    fn from(data: &'a Dataset<T>) -> Self {
        let slopes = data.slopes().map(DMatrix::as_slice);
        Self::from_parts((&data.targets).into(), data.weights()).and_slopes(slopes)
    }
}

impl<T: Real> Dataset<T> {
    /// Samples as columns.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a sample, a feature or an output, [`ErrorKind::Shape`] when the
    /// numbers of columns differ, [`ErrorKind::NotFinite`] for a NaN or ±∞, naming its row and
    /// column.
    pub fn new(inputs: DMatrix<T>, targets: DMatrix<T>) -> Result<Self> {
        compiled_here!(T: |inputs: DMatrix<T>, targets: DMatrix<T>| -> Result<Dataset<T>> {
            check_finite(INPUTS, (&inputs).into())?;
            check_finite(TARGETS, (&targets).into())?;
            if inputs.ncols() != targets.ncols() {
                let expected = format!("{} columns, one per sample of the inputs", inputs.ncols());
                return Err(Error::new(
                    ErrorKind::Shape,
                    TARGETS,
                    expected,
                    targets.ncols(),
                ));
            }
            Ok(Dataset {
                inputs,
                targets,
                weights: None,
                slopes: None,
            })
        })(inputs, targets)
    }

    /// Samples as rows: `inputs` holds `features` numbers per sample, `targets` holds `outputs`,
    /// sample after sample, as the rows of a CSV file or the buffer of a C-ordered NumPy array.
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
            Ok::<_, Error>(DMatrix::from_column_slice(width, view.cols(), data))
        };
        Self::new(
            matrix(inputs, features, INPUTS)?,
            matrix(targets, outputs, TARGETS)?,
        )
    }

    /// The same samples, of which sample j counts `weights[j]` times: what [`Targets`] says of
    /// weights. Every part of the data set keeps those of its samples.
    ///
    /// # Errors
    /// As [`Targets::weighted`].
    ///
    /// ```
    /// use chainrule::Dataset;
    /// let data = Dataset::from_rows(&[3.0, 5.0, 5.0, 1.0, 10.0, 2.0], 2, &[75.0, 82.0, 93.0], 1)?
    ///     .weighted(vec![1.0, 0.5, 2.0])?;
    /// assert_eq!(data.select(&[2, 0])?.weights(), Some(&[2.0, 1.0][..]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn weighted(self, weights: Vec<T>) -> Result<Self> {
        check_weights("Dataset", &weights, self.len())?;
        Ok(Self {
            weights: Some(weights),
            ..self
        })
    }

    /// The same samples, and the Jacobian ∂y/∂x of the targets of each by its inputs, column after
    /// column: `slopes` is (outputs·features) × samples, with ∂yᵢ/∂xₖ in row k·outputs + i. That is
    /// how [`Sequential::jacobian`](crate::Sequential::jacobian) lays them; of a single output, the
    /// gradient. Every part of the data set keeps those of its samples, a
    /// [`Model`](crate::Model) scales them.
    ///
    /// [`Trainer::slopes`](crate::Trainer::slopes) and
    /// [`Lbfgs::slopes`](crate::train::Lbfgs::slopes) learn from them. There is no slope for some
    /// samples or inputs alone: what is not known is a cost of your own
    /// ([`gradient_with_slopes`](crate::Sequential::gradient_with_slopes)).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for another shape, [`ErrorKind::NotFinite`] for a NaN or ±∞.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// use chainrule::nalgebra::DMatrix;
    /// // y = x₀·x₁ with its gradient (x₁, x₀)
    /// let x = DMatrix::from_column_slice(2, 2, &[1.0, 2.0, 3.0, 4.0]);
    /// let data = Dataset::new(x, DMatrix::from_row_slice(1, 2, &[2.0, 12.0]))?
    ///     .with_slopes(DMatrix::from_column_slice(2, 2, &[2.0, 1.0, 4.0, 3.0]))?;
    /// let second = data.select(&[1])?;
    /// assert_eq!(second.slopes().map(DMatrix::as_slice), Some(&[4.0, 3.0][..]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("Sobolev", "gradients", "derivatives"))]
    pub fn with_slopes(self, slopes: DMatrix<T>) -> Result<Self> {
        compiled_here!(T: |data: Dataset<T>, slopes: DMatrix<T>| -> Result<Dataset<T>> {
            let rows = data.outputs() * data.features();
            let expected = (rows, data.len());
            check_shape(
                || format!("{SLOPES} (outputs·features × samples)"),
                expected,
                slopes.shape(),
            )?;
            check_finite(SLOPES, (&slopes).into())?;
            Ok(Dataset {
                slopes: Some(slopes),
                ..data
            })
        })(self, slopes)
    }

    /// The same samples without slopes.
    pub fn without_slopes(self) -> Self {
        Self {
            slopes: None,
            ..self
        }
    }

    /// The slopes, which are then the caller's.
    pub(crate) fn take_slopes(&mut self) -> Option<DMatrix<T>> {
        self.slopes.take()
    }

    /// The same samples, each with the weight of its class, instead of those that there were; those
    /// that are [ignored](crate::data::one_hot_ignoring) stay so.
    /// Classes are columns of [`one_hot`](crate::one_hot) targets (0 may be −1), or a single row of
    /// 0 and 1 (or −1 and 1).
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for targets that are no classes, [`ErrorKind::Shape`] unless there is
    /// one weight per class, two for a single row, and as [`Targets::weighted`].
    ///
    /// ```
    /// use chainrule::Dataset;
    /// let data = Dataset::from_rows(&[3.0, 5.0, 10.0], 1, &[0.0, 1.0, 0.0], 1)?;
    /// assert_eq!(data.class_weighted(&[1.0, 4.0])?.weights(), Some(&[1.0, 4.0, 1.0][..]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn class_weighted(self, weights: &[T]) -> Result<Self> {
        let (labels, classes) = labels("Dataset::class_weighted", (&self).into())?;
        if weights.len() != classes {
            let expected = format!("{classes}, one per class");
            return Err(Error::new(
                ErrorKind::Shape,
                "weights of Dataset::class_weighted",
                expected,
                weights.len(),
            ));
        }
        let weight = |label: &usize| weights.get(*label).copied().unwrap_or(T::zero());
        self.weighted(labels.iter().map(weight).collect())
    }

    /// [`class_weighted`](Self::class_weighted) by n / (k·nᵢ), of n samples with k classes nᵢ
    /// samples in class i: all classes count the same, and the weights sum to n (scikit-learn's
    /// `balanced`). A class without a sample is none of the k, an
    /// [ignored](crate::data::one_hot_ignoring) sample none of the n.
    ///
    /// Balance the data for training alone, after the split: metrics count weights, too, and a
    /// confusion matrix of weighted samples holds fractions.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for targets that are no classes.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// let data = Dataset::from_rows(&[3.0, 5.0, 10.0, 4.0], 1, &[0.0, 1.0, 0.0, 0.0], 1)?;
    /// assert_eq!(data.balanced()?.weights(), Some(&[2.0 / 3.0, 2.0, 2.0 / 3.0, 2.0 / 3.0][..]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn balanced(self) -> Result<Self> {
        let (labels, classes) = labels("Dataset::balanced", (&self).into())?;
        let counts = count(&labels);
        let counts = &counts[..classes.min(counts.len())];
        let present: usize = counts.iter().sum();
        let share = present as f64 / counts.iter().filter(|count| **count > 0).count() as f64;
        let weight = |label: &usize| match counts.get(*label) {
            Some(count) => T::of(share / *count as f64),
            None => T::zero(),
        };
        self.weighted(labels.iter().map(weight).collect())
    }

    /// The inputs, features × samples.
    pub fn inputs(&self) -> &DMatrix<T> {
        &self.inputs
    }

    /// The targets, outputs × samples.
    pub fn targets(&self) -> &DMatrix<T> {
        &self.targets
    }

    /// One weight per sample; `None` where all count the same.
    #[doc(alias("sample_weight"))]
    pub fn weights(&self) -> Option<&[T]> {
        self.weights.as_deref()
    }

    /// The slopes ∂y/∂x of the targets, (outputs·features) × samples, as
    /// [`with_slopes`](Self::with_slopes) takes them; `None` without.
    pub fn slopes(&self) -> Option<&DMatrix<T>> {
        self.slopes.as_ref()
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
        not_empty("Dataset::select", "at least 1 index", indices.len())?;
        if let Some(index) = indices.iter().find(|index| **index >= self.len()) {
            return Err(Error::new(
                ErrorKind::Value,
                "Dataset::select",
                format!("indices below {}", self.len()),
                index,
            ));
        }
        Ok(self.pick(indices))
    }

    /// [`select`](Self::select), where the indices are known to be sound.
    pub(crate) fn pick(&self, indices: &[usize]) -> Self {
        compiled_here!(T: |data: &Dataset<T>, indices: &[usize]| -> Dataset<T> {
            Dataset {
                inputs: data.inputs.select_columns(indices),
                targets: data.targets.select_columns(indices),
                weights: data
                    .weights
                    .as_ref()
                    .map(|weights| indices.iter().map(|index| weights[*index]).collect()),
                slopes: data
                    .slopes
                    .as_ref()
                    .map(|slopes| slopes.select_columns(indices)),
            }
        })(self, indices)
    }

    /// Two parts, shuffled by `seed`: the first has `fraction` of the samples, rounded, and each at
    /// least one.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when `fraction` is not between 0 and 1, [`ErrorKind::Empty`] when there
    /// is only one sample.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// use chainrule::nalgebra::DMatrix;
    /// let data = Dataset::new(DMatrix::from_fn(1, 10, |_, j| j as f64), DMatrix::zeros(1, 10))?;
    /// let (train, test) = data.split(0.7, 42)?;
    /// assert_eq!((train.len(), test.len()), (7, 3));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("train_test_split", "random_split"))]
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let first = parts::first_part("Dataset::split", self.len(), fraction)?;
        let (first, second) = parts::split(self.len(), first, seed);
        Ok((self.pick(&first), self.pick(&second)))
    }

    /// [`split`](Self::split) that keeps the proportions of the classes. Each part has at least one
    /// sample of every class that there is. Of each class it has as near to its share as whole
    /// samples allow (the method of largest remainders, ties to the first class). Classes as in
    /// [`class_weighted`](Self::class_weighted).
    ///
    /// # Errors
    /// As [`split`](Self::split); [`ErrorKind::Value`] for targets that are no classes,
    /// [`ErrorKind::Empty`] for a class with a single sample, or a part with fewer samples than
    /// there are classes.
    ///
    /// ```
    /// use chainrule::{metrics, one_hot, Dataset};
    /// use chainrule::nalgebra::DMatrix;
    /// let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
    /// let data = Dataset::<f64>::new(
    ///     DMatrix::from_fn(1, 12, |_, j| j as f64),
    ///     one_hot(&labels, 3)?,
    /// )?;
    /// let (train, test) = data.stratified_split(2.0 / 3.0, 42)?;
    /// let mut labels = metrics::classes(test.targets())?;
    /// labels.sort();
    /// assert_eq!((train.len(), labels), (8, vec![0, 0, 1, 2]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("train_test_split"))]
    pub fn stratified_split(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let place = "Dataset::stratified_split";
        let first = parts::first_part(place, self.len(), fraction)?;
        let (labels, _) = labels(place, self.into())?;
        let (first, second) = parts::stratified_split(place, &labels, class, first, seed)?;
        Ok((self.pick(&first), self.pick(&second)))
    }

    /// The k pairs (training, validation) of a cross-validation, shuffled by `seed` and made one at
    /// a time. Every sample is in one validation part; their sizes differ by at most 1. More ways
    /// to cut are in [`Folds`](crate::selection::Folds).
    ///
    /// # Errors
    /// [`ErrorKind::Value`] unless `k` is from 2 to the number of samples.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// use chainrule::nalgebra::DMatrix;
    /// let data = Dataset::new(DMatrix::from_fn(1, 10, |_, j| j as f64), DMatrix::zeros(1, 10))?;
    /// let sizes: Vec<_> = data
    ///     .k_fold(3, 42)?
    ///     .map(|(train, validation)| (train.len(), validation.len()))
    ///     .collect();
    /// assert_eq!(sizes, [(6, 4), (7, 3), (7, 3)]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn k_fold(
        &self,
        k: usize,
        seed: u64,
    ) -> Result<impl ExactSizeIterator<Item = (Self, Self)>> {
        check_folds("Dataset::k_fold", k, self.len(), "sample")?;
        Ok(self.folds(k, Deal::in_turn(self.len(), k, seed, None)))
    }

    /// [`k_fold`](Self::k_fold) that keeps the proportions of the classes: of each class, too, the
    /// numbers of samples in two validation parts differ by at most 1. Classes as in
    /// [`class_weighted`](Self::class_weighted).
    ///
    /// # Errors
    /// As [`k_fold`](Self::k_fold); [`ErrorKind::Value`] for targets that are no classes,
    /// [`ErrorKind::Empty`] for a class with fewer than `k` samples.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// use chainrule::nalgebra::DMatrix;
    /// let data = Dataset::new(
    ///     DMatrix::from_fn(1, 9, |_, j| j as f64),
    ///     DMatrix::from_fn(1, 9, |_, j| f64::from(j < 3)),
    /// )?;
    /// for (train, validation) in data.stratified_k_fold(3, 42)? {
    ///     assert_eq!((train.targets().sum(), validation.targets().sum()), (2.0, 1.0));
    /// }
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn stratified_k_fold(
        &self,
        k: usize,
        seed: u64,
    ) -> Result<impl ExactSizeIterator<Item = (Self, Self)>> {
        let place = "Dataset::stratified_k_fold";
        check_folds(place, k, self.len(), "sample")?;
        let labels = self.strata(place, k)?;
        Ok(self.folds(k, Deal::in_turn(self.len(), k, seed, Some(&labels))))
    }

    fn folds(&self, k: usize, deal: Deal) -> impl ExactSizeIterator<Item = (Self, Self)> {
        (0..k).map(move |fold| {
            let (train, validation) = deal.parts(fold);
            (self.pick(&train), self.pick(&validation))
        })
    }

    /// The class of each sample, of which every class that there is must have `least`.
    pub(crate) fn strata(&self, place: &str, least: usize) -> Result<Vec<usize>> {
        let (labels, _) = labels(place, self.into())?;
        check_counts(place, &count(&labels), class, least)?;
        Ok(labels)
    }

    /// These samples with the inputs that `map` makes of theirs, by value: targets and weights are
    /// not copied.
    ///
    /// # Errors
    /// As [`new`](Self::new), and what `map` returns; [`ErrorKind::Incompatible`] where there are
    /// [slopes](Self::with_slopes), which would be others.
    ///
    /// ```
    /// use chainrule::{Dataset, Scaler};
    /// let data =
    ///     Dataset::<f64>::from_rows(&[3.0, 5.0, 5.0, 1.0, 10.0, 2.0], 2, &[75.0, 82.0, 93.0], 1)?;
    /// let scaler = Scaler::standard(data.inputs())?;
    /// let scaled = data.map_inputs(|inputs| scaler.transform(&inputs))?;
    /// assert!(scaled.inputs().row(0).sum().abs() < 1e-12);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn map_inputs(self, map: impl FnOnce(DMatrix<T>) -> Result<DMatrix<T>>) -> Result<Self> {
        self.check_mapped("Dataset::map_inputs")?;
        Ok(Self {
            weights: self.weights,
            ..Self::new(map(self.inputs)?, self.targets)?
        })
    }

    /// These samples with the targets that `map` makes of theirs, by value: inputs and weights are
    /// not copied.
    ///
    /// # Errors
    /// As [`map_inputs`](Self::map_inputs).
    ///
    /// ```
    /// use chainrule::Dataset;
    /// let data = Dataset::<f64>::from_rows(&[3.0, 5.0, 10.0], 1, &[0.0, 1.0, 1.0], 1)?;
    /// let signs = data.map_targets(|targets| Ok(targets.map(|t| 2.0 * t - 1.0)))?;
    /// assert_eq!(signs.targets().as_slice(), [-1.0, 1.0, 1.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn map_targets(self, map: impl FnOnce(DMatrix<T>) -> Result<DMatrix<T>>) -> Result<Self> {
        self.check_mapped("Dataset::map_targets")?;
        Ok(Self {
            weights: self.weights,
            ..Self::new(self.inputs, map(self.targets)?)?
        })
    }

    /// No map knows what becomes of slopes.
    fn check_mapped(&self, place: &str) -> Result<()> {
        match &self.slopes {
            None => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::Incompatible,
                place,
                "samples without slopes (map first, and then give slopes in the new units by \
                 Dataset::with_slopes, or leave them out by Dataset::without_slopes)",
                "slopes",
            )),
        }
    }

    /// The same samples as these scalers map them; a side without a scaler is borrowed.
    pub(crate) fn scaled(
        &self,
        inputs: Option<&Scaler<T>>,
        targets: Option<&Scaler<T>>,
    ) -> Result<Scaled<'_, T>> {
        let scale = |numbers, scaler: Option<&Scaler<T>>, place: &str| {
            let Some(scaler) = scaler else {
                return Ok::<_, Error>(Cow::Borrowed(numbers));
            };
            let scaled = scaler.transform(numbers)?;
            check_finite(place, (&scaled).into())?;
            Ok(Cow::Owned(scaled))
        };
        let slopes = match &self.slopes {
            Some(slopes) if inputs.is_some() || targets.is_some() => {
                let mut scaled = slopes.clone();
                let sizes = (self.outputs(), self.features());
                slopes::transform(scaled.as_mut_slice(), sizes, inputs, targets);
                check_finite(SLOPES, (&scaled).into())?;
                Some(Cow::Owned(scaled))
            }
            slopes => slopes.as_ref().map(Cow::Borrowed),
        };
        Ok(Scaled {
            inputs: scale(&self.inputs, inputs, INPUTS)?,
            targets: scale(&self.targets, targets, TARGETS)?,
            weights: self.weights(),
            slopes,
        })
    }
}

/// How errors call a class.
fn class(label: usize) -> String {
    format!("class {label}")
}

impl<'a, T: Real> From<&'a Dataset<T>> for Batch<'a, T> {
    fn from(data: &'a Dataset<T>) -> Self {
        Self {
            x: data.inputs().into(),
            target: data.into(),
        }
    }
}
