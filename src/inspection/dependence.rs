//! How predictions follow a column.

use super::columns::{Column, Samples, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::UNIT;
use crate::numeric::real::Real;
use crate::numeric::view::{View, check_each, shape};
use alloc::{format, string::String, vec::Vec};
use nalgebra::DMatrix;

/// Which values a column is given.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Grid {
    /// So many numbers, evenly between two quantiles of the column, so that a few wild values do
    /// not stretch the grid. A column with fewer different numbers is given each of them, and a
    /// column of words each word.
    Quantiles {
        /// The share of the samples that lie below the first number.
        low: f64,
        /// The share of the samples that lie below the last number.
        high: f64,
        /// How many numbers.
        points: usize,
    },
    /// These numbers.
    Numbers(Vec<f64>),
}

/// 100 numbers between the quantiles 0.05 and 0.95, as scikit-learn has it.
impl Default for Grid {
    fn default() -> Self {
        Self::Quantiles {
            low: 0.05,
            high: 0.95,
            points: 100,
        }
    }
}

impl Grid {
    /// The values for a column that has these.
    fn values(&self, column: &Values) -> Result<Values> {
        const PLACE: &str = "grid of partial_dependence";
        if column.len() == 0 {
            let expected = "a column with at least 1 value that is no hole";
            return Err(Error::new(ErrorKind::Empty, PLACE, expected, "none"));
        }
        if let Values::Categories(words) = column {
            if matches!(self, Self::Quantiles { .. }) {
                return Ok(column.clone());
            }
            return Err(Error::new(
                ErrorKind::Incompatible,
                PLACE,
                format!("all categories of the column, {}", words.join(", ")),
                "numbers",
            ));
        }
        let (low, high, points) = match self {
            Self::Numbers(chosen) if chosen.is_empty() => {
                let expected = "at least 1 number";
                return Err(Error::new(ErrorKind::Empty, PLACE, expected, "none"));
            }
            Self::Numbers(chosen) => {
                check_each(
                    || PLACE.into(),
                    View::new(chosen, 1)?,
                    "a finite number",
                    |v| v.is_finite(),
                )?;
                return Ok(Values::Numbers(chosen.clone()));
            }
            Self::Quantiles { low, high, points } => (*low, *high, *points),
        };
        let place = |what: &str| format!("{what} of {PLACE}");
        UNIT.check(place("low quantile"), low)?;
        UNIT.check(place("high quantile"), high)?;
        if low >= high || points < 2 {
            return Err(Error::new(
                ErrorKind::Value,
                PLACE,
                "a low quantile below the high one, and at least 2 points",
                format!("quantiles {low} and {high}, {points} points"),
            ));
        }
        let sorted = column.sorted();
        let mut unique = sorted.clone();
        unique.dedup();
        if unique.len() < points {
            return Ok(Values::Numbers(unique));
        }
        let (first, last) = (quantile(&sorted, low), quantile(&sorted, high));
        // As NumPy's `allclose`: a grid of rounding errors shows nothing.
        if (last - first).abs() <= 1e-8 + 1e-5 * last.abs() {
            return Err(Error::new(
                ErrorKind::Value,
                PLACE,
                "quantiles that differ (those of other shares may, or give the numbers)",
                format!("{first} and {last}"),
            ));
        }
        let step = (last - first) / (points - 1) as f64;
        let inner = (0..points - 1).map(|k| k as f64 * step + first);
        Ok(Values::Numbers(inner.chain([last]).collect()))
    }
}

impl Values {
    fn sorted(&self) -> Vec<f64> {
        let Self::Numbers(numbers) = self else {
            return Vec::new();
        };
        let mut sorted: Vec<f64> = numbers.iter().map(|x| x + 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn deciles(&self) -> Vec<f64> {
        let sorted = self.sorted();
        if sorted.is_empty() {
            return sorted;
        }
        let shares = (1..10).map(|tenth| f64::from(tenth) / 10.0);
        shares.map(|share| quantile(&sorted, share)).collect()
    }
}

/// The number below which this share of sorted numbers lies: number n·p + 0.4 + 0.2·p, counted from
/// 1 (SciPy's `mquantiles`).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let count = sorted.len() as f64;
    let place = count * share + (0.4 + share * 0.2);
    let below = libm::floor(place.clamp(1.0, (count - 1.0).max(1.0)));
    let part = (place - below).clamp(0.0, 1.0);
    let at = |index: f64| sorted[(index as usize).min(sorted.len() - 1)];
    (1.0 - part) * at(below - 1.0) + part * at(below)
}

/// How predictions follow a column, by [`partial_dependence`].
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("PartialDependenceDisplay"))]
pub struct PartialDependence {
    /// The column's name, of a feature its number: `feature 3`.
    pub name: String,
    /// The values that all samples were given, one after the other.
    pub values: Values,
    /// Below which nine numbers lie 10 %, 20 %, … 90 % of the column; none of a column of words.
    pub deciles: Vec<f64>,
    /// The average predictions, outputs × values.
    pub average: DMatrix<f64>,
    /// For each output the predictions of each sample, samples × values: the curves of individual
    /// conditional expectation (Goldstein, Kapelner, Bleich & Pitkin 2015). Where they are not
    /// parallel, the column works together with others, and the average hides it.
    #[doc(alias("ICE", "individual_conditional_expectation"))]
    pub individual: Vec<DMatrix<f64>>,
}

/// How predictions follow a column, on average: all samples are given the same value of it, one
/// value of the grid after the other, and keep the rest; what is predicted of them is averaged, by
/// their weights where they have any (Friedman 2001; scikit-learn's `method="brute"`).
///
/// `column` is a name of a table's, or the index of a feature of a data set. `predict` makes
/// predictions of data, outputs × samples: of a table's rows, those of a model on what its encoder
/// makes of them. The average says what the *model* does. Where columns depend on each other,
/// samples are made that there are none of: mind them.
///
/// # Errors
/// [`ErrorKind::Value`] for a column that does not exist, for quantiles or a number of points that
/// make no grid; [`ErrorKind::Empty`] for a column of holes and for no given number;
/// [`ErrorKind::NotFinite`] for given numbers that are none, [`ErrorKind::Incompatible`] for
/// numbers in a column of words; [`ErrorKind::Shape`] when `predict` does not return a column for
/// each sample, or not always as many rows; [`ErrorKind::NotFinite`] for a prediction that is NaN
/// or ±∞; what `predict` returns.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::inspection::{Grid, Values, partial_dependence};
/// let data = Dataset::from_rows(&[1.0, 5.0, 2.0, 9.0, 3.0, 1.0], 2, &[0.0, 1.0, 2.0], 1)?;
/// let mut net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// net.set_params(&[10.0, 1.0, 0.0])?;
/// let predict = |data: &Dataset<f64>| net.predict(data.inputs());
/// let dependence = partial_dependence(&data, 0, &Grid::default(), predict)?;
/// assert_eq!(dependence.values, Values::Numbers(vec![1.0, 2.0, 3.0]));
/// // 10 more for each 1 more, and 5 for the mean of the other feature.
/// assert_eq!(dependence.average.as_slice(), [15.0, 25.0, 35.0]);
/// assert_eq!(dependence.individual[0].row(1).iter().copied().collect::<Vec<_>>(), [19.0, 29.0, 39.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("PDP", "plot_partial_dependence"))]
pub fn partial_dependence<D: Samples, T: Real>(
    data: &D,
    column: impl Column<D::Column>,
    grid: &Grid,
    mut predict: impl FnMut(&D) -> Result<DMatrix<T>>,
) -> Result<PartialDependence> {
    let column = column.one();
    let name = data.called(core::slice::from_ref(&column))?;
    let known = data.known(&column)?;
    let values = grid.values(&known)?;
    let samples = data.samples();
    let mut individual: Vec<DMatrix<f64>> = Vec::new();
    for index in 0..values.len() {
        let predictions = predict(&data.replaced(&column, &values, index)?)?;
        let place = || format!("predictions of partial_dependence, {name}");
        let (outputs, columns) = predictions.shape();
        if index == 0 {
            let room = || DMatrix::zeros(samples, values.len());
            individual = (0..outputs).map(|_| room()).collect();
        }
        if outputs == 0 || outputs != individual.len() || columns != samples {
            let rows = match (outputs, individual.len()) {
                (_, 0) => "at least 1".into(),
                (_, rows) => format!("{rows}"),
            };
            return Err(Error::new(
                ErrorKind::Shape,
                place(),
                format!("{rows} × {samples}"),
                shape(predictions.shape()),
            ));
        }
        check_each(place, (&predictions).into(), "a finite number", |v| {
            v.is_finite()
        })?;
        for (output, individual) in individual.iter_mut().enumerate() {
            for (sample, of_sample) in individual.column_mut(index).iter_mut().enumerate() {
                *of_sample = predictions[(output, sample)].as_f64();
            }
        }
    }
    let weights = data.sample_weights();
    let weight = |sample: usize| weights.as_ref().map_or(1.0, |weights| weights[sample]);
    let total: f64 = (0..samples).map(weight).sum();
    let average = DMatrix::from_fn(individual.len(), values.len(), |output, index| {
        let column = individual[output].column(index);
        let weighed = column.iter().enumerate();
        weighed.map(|(sample, y)| weight(sample) * y).sum::<f64>() / total
    });
    Ok(PartialDependence {
        name,
        values,
        deciles: known.deciles(),
        average,
        individual,
    })
}
