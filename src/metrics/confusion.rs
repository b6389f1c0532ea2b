//! Which classes are taken for which.

use super::labels::{Row, both_classes};
use super::weights;
use crate::error::{Error, ErrorKind, Result};
use crate::ground::table::TextTable;
use crate::numeric::bounds::not_empty;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt;

/// How a measure of one class becomes one of all, as in scikit-learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// That of one class alone: `Class(1)` is scikit-learn's `binary`.
    Class(usize),
    /// The plain average over the classes that there are, among the targets or the predictions.
    Macro,
    /// From the sums of all classes' TP, FP and FN. As every sample has one class, precision,
    /// recall and F1 are then all the accuracy.
    Micro,
    /// The average over the classes, each by the number of its samples.
    Weighted,
}

/// How often samples of one class are taken for another: rows are actual classes, columns predicted
/// ones. Samples with weights count as much as they weigh.
///
/// ```
/// use chainrule::metrics::ConfusionMatrix;
/// let matrix = ConfusionMatrix::new(&[0, 1, 1, 0], &[0, 1, 0, 0], 2)?; // predicted, actual
/// assert_eq!(matrix.count(0, 1), 1.0); // a 0 taken for a 1
/// assert_eq!(matrix.accuracy(), 0.75);
/// let text = "\
/// actual \\ predicted cat dog total
///                cat   2   1     3
///                dog   ·   1     1
///              total   2   2     4";
/// assert_eq!(matrix.named(["cat", "dog"])?.to_string(), text);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("confusion_matrix", "plotconfusion"))]
pub struct ConfusionMatrix {
    names: Vec<String>,
    /// Row after row.
    counts: Vec<f64>,
}

impl ConfusionMatrix {
    /// Counts pairs of predicted and actual labels, each below `classes`.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a sample, [`ErrorKind::Shape`] when the lengths differ,
    /// [`ErrorKind::Value`] for a label beyond the classes or more than 8192 classes.
    pub fn new(predicted: &[usize], actual: &[usize], classes: usize) -> Result<Self> {
        not_empty("ConfusionMatrix::new", "at least 1 sample", actual.len())?;
        if predicted.len() != actual.len() {
            return Err(Error::new(
                ErrorKind::Shape,
                "predicted labels of ConfusionMatrix",
                actual.len().to_string(),
                predicted.len(),
            ));
        }
        for (name, labels) in [("actual", actual), ("predicted", predicted)] {
            if let Some(sample) = labels.iter().position(|label| *label >= classes) {
                let place = format!("{name} label {sample} of ConfusionMatrix");
                return Err(Error::new(
                    ErrorKind::Value,
                    place,
                    format!("a class below {classes}"),
                    labels[sample],
                ));
            }
        }
        Self::tally(predicted, actual, classes, actual.iter().map(|_| 1.0))
    }

    /// Counts the [`classes`](super::classes) of predictions and targets, by the targets' weights.
    ///
    /// # Errors
    /// As [`accuracy`](super::accuracy); [`ErrorKind::Value`] for more than 8192 classes.
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::metrics::ConfusionMatrix;
    /// let (y, t) = ([0.9, 0.2, 0.7], [1.0, 1.0, 0.0]);
    /// let matrix = ConfusionMatrix::of(View::new(&y, 1)?, View::new(&t, 1)?)?;
    /// assert_eq!((matrix.count(1, 0), matrix.count(0, 1), matrix.count(1, 1)), (1.0, 1.0, 1.0));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn of<'y, 't, T: Real>(
        y: impl Into<View<'y, T>>,
        target: impl Into<Targets<'t, T>>,
    ) -> Result<Self> {
        let (y, target) = (y.into(), target.into());
        Self::from_rows(y, target, Row::Probability)
    }

    /// As [`of`](Self::of), for margins: a single row means class 1 from 0 on, as with
    /// [`Hinge`](crate::nn::loss::Hinge) and its targets −1 and 1.
    ///
    /// # Errors
    /// As [`margin_accuracy`](super::margin_accuracy); [`ErrorKind::Value`] for more than 8192
    /// classes.
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::metrics::ConfusionMatrix;
    /// let (y, t) = ([0.3, -2.0, 0.1], [1.0, -1.0, -1.0]);
    /// let matrix = ConfusionMatrix::of_margins(View::new(&y, 1)?, View::new(&t, 1)?)?;
    /// assert_eq!((matrix.count(0, 0), matrix.count(0, 1), matrix.count(1, 1)), (1.0, 1.0, 1.0));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn of_margins<'y, 't, T: Real>(
        y: impl Into<View<'y, T>>,
        target: impl Into<Targets<'t, T>>,
    ) -> Result<Self> {
        let (y, target) = (y.into(), target.into());
        Self::from_rows(y, target, Row::Margin)
    }

    fn from_rows<T: Real>(y: View<'_, T>, target: Targets<'_, T>, row: Row) -> Result<Self> {
        let (predicted, actual) = both_classes("ConfusionMatrix", y, target, row)?;
        Self::tally(&predicted, &actual, y.rows().max(2), weights(target))
    }

    fn tally(
        predicted: &[usize],
        actual: &[usize],
        classes: usize,
        weights: impl Iterator<Item = f64>,
    ) -> Result<Self> {
        // So that a wild number of classes costs nothing.
        if classes > 8192 {
            return Err(Error::new(
                ErrorKind::Value,
                "classes of ConfusionMatrix",
                "at most 8192",
                classes,
            ));
        }
        let mut counts = vec![0.0; classes * classes];
        for ((predicted, actual), weight) in predicted.iter().zip(actual).zip(weights) {
            counts[actual * classes + predicted] += weight;
        }
        Ok(Self {
            names: (0..classes).map(|class| class.to_string()).collect(),
            counts,
        })
    }

    /// The same counts with names of the classes, to be printed.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] unless there is one name per class.
    pub fn named<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.classes() {
            let expected = format!("{}, one per class", self.classes());
            return Err(Error::new(
                ErrorKind::Shape,
                "names of ConfusionMatrix",
                expected,
                names.len(),
            ));
        }
        Ok(Self { names, ..self })
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// The names of the classes; their numbers where they were not [`named`](Self::named).
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many samples of class `actual` were taken for `predicted`, or what they weigh; 0 for a
    /// class that there is not.
    pub fn count(&self, actual: usize, predicted: usize) -> f64 {
        let classes = self.classes();
        if actual < classes && predicted < classes {
            self.counts[actual * classes + predicted]
        } else {
            0.0
        }
    }

    /// How many samples there are of class `actual`, or what they weigh.
    pub fn support(&self, actual: usize) -> f64 {
        (0..self.classes())
            .map(|predicted| self.count(actual, predicted))
            .sum()
    }

    /// How many samples were taken for class `predicted`.
    fn taken(&self, predicted: usize) -> f64 {
        (0..self.classes())
            .map(|actual| self.count(actual, predicted))
            .sum()
    }

    fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// The fraction on the diagonal.
    pub fn accuracy(&self) -> f64 {
        let right: f64 = (0..self.classes())
            .map(|class| self.count(class, class))
            .sum();
        right / self.total()
    }

    /// TP / (TP + FP), as [`precision`](super::precision).
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if there is no such class.
    pub fn precision(&self, average: Average) -> Result<f64> {
        self.average(average, |class| {
            ratio(self.count(class, class), self.taken(class))
        })
    }

    /// TP / (TP + FN), as [`recall`](super::recall).
    ///
    /// # Errors
    /// As [`precision`](Self::precision).
    pub fn recall(&self, average: Average) -> Result<f64> {
        self.average(average, |class| {
            ratio(self.count(class, class), self.support(class))
        })
    }

    /// 2·TP / (2·TP + FP + FN), as [`f1`](super::f1).
    ///
    /// # Errors
    /// As [`precision`](Self::precision).
    pub fn f1(&self, average: Average) -> Result<f64> {
        self.average(average, |class| {
            ratio(
                2.0 * self.count(class, class),
                self.support(class) + self.taken(class),
            )
        })
    }

    fn average(&self, average: Average, measure: impl Fn(usize) -> f64) -> Result<f64> {
        match average {
            Average::Class(class) if class < self.classes() => Ok(measure(class)),
            Average::Class(class) => {
                let expected = format!("below {}", self.classes());
                Err(Error::new(
                    ErrorKind::Value,
                    "class of Average",
                    expected,
                    class,
                ))
            }
            Average::Macro => {
                let (sum, count) = self.present().fold((0.0, 0.0), |(sum, count), class| {
                    (sum + measure(class), count + 1.0)
                });
                Ok(sum / count)
            }
            Average::Micro => Ok(self.accuracy()),
            Average::Weighted => {
                let sum: f64 = self
                    .present()
                    .map(|class| self.support(class) * measure(class))
                    .sum();
                Ok(sum / self.total())
            }
        }
    }

    /// The classes of which there is a sample, or that one was taken for.
    fn present(&self) -> impl Iterator<Item = usize> {
        (0..self.classes()).filter(|class| self.support(*class) + self.taken(*class) > 0.0)
    }

    /// A table of precision, recall, F1 and number of samples of every class that there is, with
    /// their averages, as scikit-learn's `classification_report`. The measures have three decimals,
    /// or as many as the format says.
    ///
    /// ```
    /// use chainrule::metrics::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::new(&[0, 1, 1, 0], &[0, 1, 0, 0], 2)?.named(["cat", "dog"])?;
    /// let text = "
    ///          precision recall    F1 support
    ///      cat     1.000  0.667 0.800       3
    ///      dog     0.500  1.000 0.667       1
    ///    macro     0.750  0.833 0.733       4
    /// weighted     0.875  0.750 0.767       4
    /// accuracy 0.750";
    /// assert_eq!(format!("\n{}", matrix.report()), text);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("classification_report"))]
    pub fn report(&self) -> impl fmt::Display {
        Report(self)
    }

    /// Decimals to print counts with: none where all are whole.
    fn decimals(&self) -> usize {
        if self
            .counts
            .iter()
            .all(|count| *count == libm::trunc(*count))
        {
            0
        } else {
            2
        }
    }
}

/// `a / b`, and 0 of nothing.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// A table with the actual classes as rows and the predicted ones as columns, and the sums of both;
/// zeros are dots. Weights are printed with two decimals, or as the format says.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(self.decimals());
        let number = |count: f64| {
            if count == 0.0 {
                "·".to_string()
            } else {
                format!("{count:.decimals$}")
            }
        };
        let (classes, total) = (self.classes(), self.total());
        let row = |name: &str, cells: &mut dyn Iterator<Item = String>| {
            [name.to_string()]
                .into_iter()
                .chain(cells)
                .collect::<Vec<_>>()
        };
        let mut rows = vec![row(
            "actual \\ predicted",
            &mut self.names.iter().cloned().chain(["total".into()]),
        )];
        rows.extend((0..classes).map(|actual| {
            let counts = (0..classes).map(|predicted| self.count(actual, predicted));
            row(
                &self.names[actual],
                &mut counts.chain([self.support(actual)]).map(number),
            )
        }));
        rows.push(row(
            "total",
            &mut (0..classes)
                .map(|predicted| self.taken(predicted))
                .chain([total])
                .map(number),
        ));
        TextTable {
            rows: &rows,
            gap: " ",
            left: &[],
        }
        .fmt(f)
    }
}

/// What [`ConfusionMatrix::report`] prints.
struct Report<'a>(&'a ConfusionMatrix);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (matrix, digits) = (self.0, f.precision().unwrap_or(3));
        let decimals = matrix.decimals();
        let classes = matrix.present().map(|class| {
            (
                &*matrix.names[class],
                Average::Class(class),
                matrix.support(class),
            )
        });
        let averages = [("macro", Average::Macro), ("weighted", Average::Weighted)]
            .map(|(name, average)| (name, average, matrix.total()));
        let mut rows = vec![
            ["", "precision", "recall", "F1", "support"]
                .map(String::from)
                .to_vec(),
        ];
        for (name, average, weight) in classes.chain(averages) {
            let mut row = vec![name.to_string()];
            for measure in [
                matrix.precision(average),
                matrix.recall(average),
                matrix.f1(average),
            ] {
                // No class here is one that there is not.
                row.push(format!("{:.digits$}", measure.map_err(|_| fmt::Error)?));
            }
            row.push(format!("{weight:.decimals$}"));
            rows.push(row);
        }
        rows.push(vec![
            "accuracy".into(),
            format!("{:.digits$}", matrix.accuracy()),
        ]);
        TextTable {
            rows: &rows,
            gap: " ",
            left: &[],
        }
        .fmt(f)
    }
}
