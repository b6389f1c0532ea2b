//! Windows of a time series.

use super::{Dataset, check_finite};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::{BETWEEN, not_empty, some};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::View;
use alloc::{format, string::String, vec, vec::Vec};
use nalgebra::DMatrix;

/// How samples are made of a time series: the inputs are the values of a window of so many steps,
/// the targets are values after it.
///
/// A series is features × time: a column per step, the oldest first. [`series`](Self::series) makes
/// one of columns of a table. With windows of n steps, the sample that is made at time t (its
/// *origin*, the last step of its window) has
///
/// ```text
/// x = series[inputs, t−n+1], …, series[inputs, t]            n·inputs numbers, the oldest first
/// y = series[targets, t+h₁], …, series[targets, t+hₖ]        k·targets numbers
/// ```
///
/// with the horizons h: one step ahead, or others ([`horizon`](Self::horizon),
/// [`horizons`](Self::horizons): a direct forecast of several steps). The samples are those of the
/// origins n − 1, n − 1 + s, n − 1 + 2s, … with the [`stride`](Self::stride) s, as far as the
/// series has their targets: 1 + ⌊(N − n − max h)/s⌋ of a series of N steps.
///
/// [`split`](Self::split) makes two parts that do not look ahead; shuffled parts and folds of
/// overlapping windows would. Compare forecasts with [`naive`](Self::naive) ones.
///
/// ```
/// use chainrule::data::Windows;
/// use chainrule::nalgebra::DMatrix;
/// let series = DMatrix::from_row_slice(2, 6, &[
///     0.0, 1.0, 2.0, 3.0, 4.0, 5.0, // temperature
///     9.0, 8.0, 7.0, 6.0, 5.0, 4.0, // rain
/// ]);
/// // The temperature of tomorrow and of the day after by both of the last two days.
/// let windows = Windows::new(2).horizons([1, 2]).targets([0]);
/// let samples = windows.dataset(&series)?;
/// assert_eq!(samples.data.inputs().column(0).as_slice(), [0.0, 9.0, 1.0, 8.0]);
/// assert_eq!(samples.data.targets().column(0).as_slice(), [2.0, 3.0]);
/// assert_eq!(samples.origins, [1, 2, 3]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias(
    "timeseries_dataset_from_array",
    "sequence_length",
    "sliding_window_view",
    "lag",
    "time series"
))]
pub struct Windows {
    length: usize,
    horizons: Vec<usize>,
    stride: usize,
    inputs: Option<Vec<usize>>,
    targets: Option<Vec<usize>>,
}

/// Samples of a time series, as [`Windows`] makes them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WindowedDataset<T: Real> {
    /// The samples, in the order of time.
    pub data: Dataset<T>,
    /// The origin of each sample: the step at which its window ends. Its target for the horizon h
    /// is the value of step origin + h, where a picture has it.
    pub origins: Vec<usize>,
}

impl Windows {
    /// Windows of `length` steps, at least 1, at each step, of all rows, with the values of all
    /// rows one step ahead as targets.
    pub fn new(length: usize) -> Self {
        Self {
            length,
            horizons: vec![1],
            stride: 1,
            inputs: None,
            targets: None,
        }
    }

    /// The same with the value so many steps after the window as target, at least 1.
    #[must_use]
    pub fn horizon(self, steps: usize) -> Self {
        self.horizons([steps])
    }

    /// The same with several values as targets, each of a number of steps after the window, at
    /// least 1 and one above the other: `1..=7` is a week.
    #[must_use]
    #[doc(alias("ForecastingHorizon", "output_chunk_length", "multi-step"))]
    pub fn horizons(self, steps: impl IntoIterator<Item = usize>) -> Self {
        let horizons = steps.into_iter().collect();
        Self { horizons, ..self }
    }

    /// The same, a window every so many steps, at least 1.
    #[must_use]
    #[doc(alias("sequence_stride", "shift"))]
    pub fn stride(self, steps: usize) -> Self {
        Self {
            stride: steps,
            ..self
        }
    }

    /// The same with these rows of the series as inputs, numbered from 0, in this order.
    #[must_use]
    pub fn inputs(self, rows: impl IntoIterator<Item = usize>) -> Self {
        let inputs = Some(rows.into_iter().collect());
        Self { inputs, ..self }
    }

    /// The same with these rows of the series as targets, numbered from 0, in this order.
    #[must_use]
    pub fn targets(self, rows: impl IntoIterator<Item = usize>) -> Self {
        let targets = Some(rows.into_iter().collect());
        Self { targets, ..self }
    }

    /// A series of columns of a table, each a feature over time, rounded to the scalar.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a column or a value, [`ErrorKind::Shape`] for columns of
    /// different lengths, [`ErrorKind::NotFinite`] for a NaN or ±∞: fill holes first.
    ///
    /// ```
    /// use chainrule::data::Windows;
    /// let (temperature, rain) = (vec![11.5, 12.0, 9.5], vec![0.0, 0.5, 8.0]);
    /// let series = Windows::series::<f32>(&[&temperature, &rain])?;
    /// assert_eq!(series.shape(), (2, 3));
    /// assert_eq!(series[(1, 2)], 8.0);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("stack", "vstack"))]
    pub fn series<T: Real>(columns: &[&[f64]]) -> Result<DMatrix<T>> {
        compiled_here!(T: |columns: &[&[f64]]| -> Result<DMatrix<T>> {
            let place = "Windows::series";
            not_empty(place, "at least 1 column", columns.len())?;
            let steps = columns[0].len();
            for (index, column) in columns.iter().enumerate() {
                if column.len() != steps {
                    return Err(Error::new(
                        ErrorKind::Shape,
                        format!("column {index} of {place}"),
                        format!("{steps} values, as in column 0"),
                        column.len(),
                    ));
                }
            }
            let series = DMatrix::from_fn(columns.len(), steps, |i, j| T::of(columns[i][j]));
            check_finite(place, (&series).into())?;
            Ok(series)
        })(columns)
    }

    /// All samples of a series, features × time.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] for a series that is too short for a single sample, or without rows
    /// for inputs or targets; [`ErrorKind::Value`] for a length, a stride or a horizon of 0,
    /// horizons out of order, and a row that the series does not have; [`ErrorKind::NotFinite`] for
    /// a NaN or ±∞, naming its row and its step (column).
    pub fn dataset<'s, T: Real>(
        &self,
        series: impl Into<View<'s, T>>,
    ) -> Result<WindowedDataset<T>> {
        compiled_here!(T: |windows: &Windows,
                           series: View<'_, T>| -> Result<WindowedDataset<T>> {
            windows.check(series)?;
            windows.make(series, windows.origins(series.cols()))
        })(self, series.into())
    }

    /// Two parts, the first of which knows nothing of the second: at the step c, which is
    /// `fraction` of the series, rounded, and as [`split_at`](Self::split_at) does.
    ///
    /// # Errors
    /// As [`split_at`](Self::split_at); [`ErrorKind::Value`] when `fraction` is not between 0 and
    /// 1.
    #[doc(alias("TimeSeriesSplit"))]
    pub fn split<'s, T: Real>(
        &self,
        series: impl Into<View<'s, T>>,
        fraction: f64,
    ) -> Result<(WindowedDataset<T>, WindowedDataset<T>)> {
        let series = series.into();
        BETWEEN.check("fraction of Windows::split", fraction)?;
        let cut = libm::round(fraction * series.cols() as f64);
        self.split_at(series, cut as usize)
    }

    /// Two parts, the first of which knows nothing of the second: all windows *and targets* of the
    /// first are of steps before c, all *targets* of the second are of steps from c on. So no value
    /// that is to be forecast in the second part is in the first, neither as a target nor in a
    /// window. Samples with targets on both sides are in neither part.
    ///
    /// Windows of the second part may begin before c: what is past when a forecast is made is
    /// known. For parts without a common value, make a [`dataset`](Self::dataset) of each part of
    /// the series. A part that is to be split again, for validation and test, is split by its
    /// series, too: `series.columns(0, c)`.
    ///
    /// ```
    /// use chainrule::data::Windows;
    /// use chainrule::nalgebra::DMatrix;
    /// let series = DMatrix::from_fn(1, 12, |_, t| t as f64);
    /// let windows = Windows::new(3).horizons([1, 2]);
    /// let (train, test) = windows.split_at(&series, 8)?;
    /// assert_eq!(train.data.targets().max(), 7.0);
    /// assert_eq!(test.data.targets().min(), 8.0);
    /// assert_eq!((train.origins, test.origins), (vec![2, 3, 4, 5], vec![7, 8, 9]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`dataset`](Self::dataset); [`ErrorKind::Empty`] for a part without a sample.
    pub fn split_at<'s, T: Real>(
        &self,
        series: impl Into<View<'s, T>>,
        step: usize,
    ) -> Result<(WindowedDataset<T>, WindowedDataset<T>)> {
        compiled_here!(T: |windows: &Windows,
                           series: View<'_, T>,
                           step: usize| -> Result<(WindowedDataset<T>, WindowedDataset<T>)> {
            windows.check(series)?;
            let (nearest, farthest) = windows.reach();
            let origins = windows.origins(series.cols());
            let before = |origin: &usize| origin + farthest < step;
            let after = |origin: &usize| origin + nearest >= step;
            let part = |name: &str, origins: Vec<usize>| {
                let expected = "at least 1 sample on each side (another step, or a longer series)";
                let place = format!("{name} part of Windows::split");
                not_empty(place, expected, origins.len())?;
                windows.make(series, origins.into_iter())
            };
            let first = part("first", origins.clone().filter(before).collect())?;
            Ok((first, part("second", origins.filter(after).collect())?))
        })(self, series.into(), step)
    }

    /// The naive forecasts at these origins, laid as targets: of each target the value that is
    /// known at the origin and lies whole seasons of `season` steps before it, as few as can be.
    /// With a season of 1 that is the last value. A network that is not better than they are has
    /// learnt nothing.
    ///
    /// # Errors
    /// As [`dataset`](Self::dataset); [`ErrorKind::Value`] for a season of 0, an origin beyond the
    /// series, or one before which there is no whole season.
    ///
    /// ```
    /// use chainrule::data::Windows;
    /// use chainrule::{metrics, nalgebra::DMatrix};
    /// let series = DMatrix::from_fn(1, 40, |_, t| [1.0, 5.0, 2.0, 8.0][t % 4] + 0.1 * t as f64);
    /// let windows = Windows::new(6);
    /// let (_, test) = windows.split(&series, 0.75)?;
    /// let last = windows.naive(&series, &test.origins, 1)?;
    /// let seasonal = windows.naive(&series, &test.origins, 4)?;
    /// assert!(metrics::mean_absolute_error(&last, &test.data)? > 4.0);
    /// assert!((metrics::mean_absolute_error(&seasonal, &test.data)? - 0.4).abs() < 1e-12);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("NaiveForecaster", "persistence", "SeasonalNaive"))]
    pub fn naive<'s, T: Real>(
        &self,
        series: impl Into<View<'s, T>>,
        origins: &[usize],
        season: usize,
    ) -> Result<DMatrix<T>> {
        compiled_here!(T: |windows: &Windows,
                           series: View<'_, T>,
                           origins: &[usize],
                           season: usize| -> Result<DMatrix<T>> {
            windows.check(series)?;
            some("season of Windows::naive", "at least 1 step", season as u64)?;
            not_empty("origins of Windows::naive", "at least 1", origins.len())?;
            let known = season.saturating_sub(1)..series.cols();
            if let Some(origin) = origins.iter().find(|origin| !known.contains(origin)) {
                return Err(Error::new(
                    ErrorKind::Value,
                    "origins of Windows::naive",
                    format!(
                        "steps from {} to {}, with a season before them",
                        known.start,
                        known.end - 1
                    ),
                    origin,
                ));
            }
            let rows = windows.rows(&windows.targets, series.rows());
            let outputs = windows.horizons.len() * rows.len();
            let mut numbers = Vec::with_capacity(outputs * origins.len());
            for origin in origins {
                for horizon in &windows.horizons {
                    // Within the last season that is known.
                    let back = season - 1 - (horizon - 1) % season;
                    let step = origin - back;
                    numbers.extend(rows.iter().map(|row| at(series, *row, step)));
                }
            }
            Ok(DMatrix::from_vec(outputs, origins.len(), numbers))
        })(self, series.into(), origins, season)
    }

    /// The nearest and the farthest horizon.
    fn reach(&self) -> (usize, usize) {
        let ends = self.horizons.first().zip(self.horizons.last());
        ends.map_or((1, 1), |(first, last)| (*first, *last))
    }

    /// The origins in a series of so many steps.
    fn origins(&self, steps: usize) -> impl Iterator<Item = usize> + Clone + use<> {
        let (_, farthest) = self.reach();
        (self.length - 1..steps.saturating_sub(farthest)).step_by(self.stride)
    }

    /// The rows that are asked for, or all.
    fn rows(&self, rows: &Option<Vec<usize>>, all: usize) -> Vec<usize> {
        rows.clone().unwrap_or_else(|| (0..all).collect())
    }

    fn check<T: Real>(&self, series: View<'_, T>) -> Result<()> {
        some("length of Windows", "at least 1 step", self.length as u64)?;
        some("stride of Windows", "at least 1 step", self.stride as u64)?;
        not_empty("horizons of Windows", "at least 1", self.horizons.len())?;
        let mut before = 0;
        for horizon in &self.horizons {
            if *horizon <= before {
                return Err(Error::new(
                    ErrorKind::Value,
                    "horizons of Windows",
                    "numbers of steps from 1 on, each above the one before",
                    format!("{:?}", self.horizons),
                ));
            }
            before = *horizon;
        }
        for (name, rows) in [("inputs", &self.inputs), ("targets", &self.targets)] {
            let place = format!("{name} of Windows");
            let Some(rows) = rows else { continue };
            not_empty(&place, "at least 1 row of the series", rows.len())?;
            if let Some(row) = rows.iter().find(|row| **row >= series.rows()) {
                let expected = format!("rows below {}, as many as the series has", series.rows());
                return Err(Error::new(ErrorKind::Value, place, expected, row));
            }
        }
        let needed = self.length.saturating_add(before);
        if series.cols() < needed {
            let hint: String = match series.cols() {
                1 if series.rows() > 1 => "; a slice is one column: View::new(&values, 1) or \
                                           Windows::series makes a series of it"
                    .into(),
                _ => String::new(),
            };
            let expected = format!(
                "at least {needed} steps (columns), a window of {} and {before} after it{hint}",
                self.length
            );
            return Err(Error::new(
                ErrorKind::Empty,
                "series of Windows",
                expected,
                series.cols(),
            ));
        }
        check_finite("series of Windows", series)
    }

    /// The samples of these origins, after [`check`](Self::check).
    fn make<T: Real>(
        &self,
        series: View<'_, T>,
        origins: impl Iterator<Item = usize>,
    ) -> Result<WindowedDataset<T>> {
        let origins: Vec<usize> = origins.collect();
        let inputs = self.rows(&self.inputs, series.rows());
        let targets = self.rows(&self.targets, series.rows());
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for origin in &origins {
            for step in origin + 1 - self.length..=*origin {
                x.extend(inputs.iter().map(|row| at(series, *row, step)));
            }
            for horizon in &self.horizons {
                y.extend(targets.iter().map(|row| at(series, *row, origin + horizon)));
            }
        }
        let matrix = |numbers: Vec<T>| {
            DMatrix::from_vec(numbers.len() / origins.len(), origins.len(), numbers)
        };
        let data = Dataset::new(matrix(x), matrix(y))?;
        Ok(WindowedDataset { data, origins })
    }
}

/// The value of a feature at a step.
fn at<T: Real>(series: View<'_, T>, row: usize, step: usize) -> T {
    series.as_slice()[step * series.rows() + row]
}
