//! Pictures of how good predictions are, and of how to choose: curves with the conventions of each.

use super::bars::Bars;
use super::curves::Curves;
use crate::error::{Error, ErrorKind, Result};
use crate::ground::table::short;
use crate::inspection::{Importances, PartialDependence, Values};
use crate::metrics::{CalibrationCurve, PrecisionRecallCurve, RocCurve};
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, shape};
use crate::selection::RateRange;

/// What the legend says of a curve: its name, and what it measures.
fn named(name: &str, measure: &str, value: f64) -> String {
    let comma = if name.is_empty() { "" } else { ", " };
    format!("{name}{comma}{measure} {value:.3}")
}

impl Curves {
    /// The picture of ROC curves, with the area below each and the diagonal of chance, on a square
    /// from 0 to 1.
    ///
    /// ```
    /// use chainrule::{metrics, plot::Curves, View};
    /// let (y, t) = ([0.1, 0.4, 0.35, 0.8], [0.0, 0.0, 1.0, 1.0]);
    /// let curve = metrics::roc_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
    /// let figure = Curves::roc("Four samples", &[("", &curve)]).draw()?;
    /// assert!(figure.to_svg().contains(">AUC 0.750</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("RocCurveDisplay"))]
    pub fn roc(title: impl Into<String>, curves: &[(&str, &RocCurve)]) -> Self {
        let empty = Self::new(title, "false positive rate", "true positive rate");
        let picture = curves.iter().fold(empty, |picture, (name, curve)| {
            let points = curve.points().iter();
            let points: Vec<_> = points
                .map(|p| (p.false_positive_rate, p.true_positive_rate))
                .collect();
            picture.line(named(name, "AUC", curve.auc()), &points)
        });
        picture.diagonal("chance").unit()
    }

    /// The picture of precision–recall curves, with the average precision of each, on a square from
    /// 0 to 1. The curves are steps, since there is nothing between two thresholds: a line would
    /// promise more than there is (Davis & Goadrich 2006). The dashed line is chance, the share of
    /// the class.
    ///
    /// ```
    /// use chainrule::{metrics, plot::Curves, View};
    /// let (y, t) = ([0.1, 0.4, 0.35, 0.8], [0.0, 0.0, 1.0, 1.0]);
    /// let curve = metrics::precision_recall_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
    /// let figure = Curves::precision_recall("Four samples", &[("", &curve)]).draw()?;
    /// assert!(figure.to_svg().contains(">AP 0.833</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("PrecisionRecallDisplay"))]
    pub fn precision_recall(
        title: impl Into<String>,
        curves: &[(&str, &PrecisionRecallCurve)],
    ) -> Self {
        let mut picture = Self::new(title, "recall", "precision");
        let mut shares: Vec<f64> = vec![];
        for (name, curve) in curves {
            let points = curve.points();
            let steps = points.windows(2).flat_map(|pair| {
                let (from, to) = (pair[0], pair[1]);
                [(from.recall, from.precision), (to.recall, from.precision)]
            });
            let end = points.last().map(|end| (end.recall, end.precision));
            let steps: Vec<_> = steps.chain(end).collect();
            picture = picture.line(named(name, "AP", curve.average_precision()), &steps);
            shares.extend(points.first().map(|point| point.precision));
        }
        // Of curves on the same data, there is one.
        shares.sort_by(f64::total_cmp);
        shares.dedup_by(|a, b| (*a - *b).abs() < 1e-12);
        for (k, share) in shares.into_iter().enumerate() {
            picture = picture.horizontal(if k == 0 { "chance" } else { "" }, share);
        }
        picture.unit()
    }

    /// The picture of calibration curves, or reliability diagram: what came true against what was
    /// predicted, on a square from 0 to 1, with the diagonal of probabilities that can be trusted.
    /// A curve below it promises too much.
    ///
    /// ```
    /// use chainrule::{metrics, metrics::Bins, plot::Curves, View};
    /// let (y, t) = ([0.1, 0.2, 0.7, 0.9], [0.0, 0.0, 0.0, 1.0]);
    /// let (y, t) = (View::new(&y, 1)?, View::new(&t, 1)?);
    /// let curve = metrics::calibration_curve(y, t, 1, Bins::Uniform(5))?;
    /// let figure = Curves::calibration("Four samples", &[("network", &curve)]).draw()?;
    /// assert!(figure.to_svg().contains(">perfect</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("CalibrationDisplay", "reliability_diagram"))]
    pub fn calibration(title: impl Into<String>, curves: &[(&str, &CalibrationCurve)]) -> Self {
        let empty = Self::new(title, "mean predicted probability", "fraction of positives");
        let picture = curves.iter().fold(empty, |picture, (name, curve)| {
            let points = curve.points().iter();
            let points: Vec<_> = points.map(|p| (p.predicted, p.actual)).collect();
            picture.series(*name, &points)
        });
        picture.diagonal("perfect").unit()
    }

    /// The picture of predicted and actual numbers: a point for each sample, the prediction along
    /// the x axis, and the diagonal of no error. Of several outputs each is a series.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the shapes differ.
    ///
    /// ```
    /// use chainrule::{plot::Curves, View};
    /// let (y, t) = ([75.0, 82.0, 93.0], [74.0, 85.0, 92.0]);
    /// let figure =
    ///     Curves::predicted_actual("Grades", View::new(&y, 1)?, View::new(&t, 1)?)?.draw()?;
    /// assert!(figure.to_svg().contains(">predicted</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("PredictionErrorDisplay", "plotregression"))]
    pub fn predicted_actual<'y, 't, T: Real>(
        title: impl Into<String>,
        y: impl Into<View<'y, T>>,
        target: impl Into<Targets<'t, T>>,
    ) -> Result<Self> {
        let picture = Self::new(title, "predicted", "actual");
        let picture = picture.of_outputs(y.into(), target.into(), |_, t| t)?;
        Ok(picture.diagonal("no error").square())
    }

    /// The picture of residuals: actual less predicted number of each sample, against the
    /// prediction. Around a good fit they scatter about 0 without a pattern. Of several outputs
    /// each is a series.
    ///
    /// # Errors
    /// As [`predicted_actual`](Self::predicted_actual).
    ///
    /// ```
    /// use chainrule::{plot::Curves, View};
    /// let (y, t) = ([75.0, 82.0, 93.0], [74.0, 85.0, 92.0]);
    /// let figure = Curves::residuals("Grades", View::new(&y, 1)?, View::new(&t, 1)?)?.draw()?;
    /// assert!(figure.to_svg().contains(">residual (actual − predicted)</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("PredictionErrorDisplay", "residplot"))]
    pub fn residuals<'y, 't, T: Real>(
        title: impl Into<String>,
        y: impl Into<View<'y, T>>,
        target: impl Into<Targets<'t, T>>,
    ) -> Result<Self> {
        let picture = Self::new(title, "predicted", "residual (actual − predicted)");
        let picture = picture.of_outputs(y.into(), target.into(), |y, t| t - y)?;
        Ok(picture.horizontal("", 0.0))
    }

    /// A point for each sample: the prediction, and what `of` makes of it and the target.
    fn of_outputs<T: Real>(
        mut self,
        y: View<'_, T>,
        target: Targets<'_, T>,
        of: fn(f64, f64) -> f64,
    ) -> Result<Self> {
        let values = target.values();
        if (y.rows(), y.cols()) != (values.rows(), values.cols()) {
            return Err(Error::new(
                ErrorKind::Shape,
                "targets of plot::Curves",
                shape((y.rows(), y.cols())),
                shape((values.rows(), values.cols())),
            ));
        }
        for row in 0..y.rows() {
            let pair = |(y, t): (&[T], &[T])| {
                let (y, t) = (y[row].as_f64(), t[row].as_f64());
                (y, of(y, t))
            };
            let points: Vec<_> = y.iter().zip(values.iter()).map(pair).collect();
            let name = match y.rows() {
                1 => String::new(),
                _ => format!("output {row}"),
            };
            self = self.points(name, &points);
        }
        Ok(self)
    }

    /// The picture of how the predictions of one output follow a column: the average, and behind it
    /// a thin line for each sample, of 50 of them where there are more. Short lines at the x axis
    /// are the deciles of the column: where they are far apart, few samples bear out what is seen.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for an output that does not exist, [`ErrorKind::Incompatible`] for a
    /// column of words: [`Bars::partial_dependence`] draws that.
    ///
    /// ```
    /// use chainrule::{Dataset, plot::Curves};
    /// use chainrule::inspection::{Grid, partial_dependence};
    /// let data = Dataset::from_rows(&[1.0, 5.0, 2.0, 9.0, 3.0, 1.0], 2, &[0.0, 1.0, 2.0], 1)?;
    /// let predict = |data: &Dataset<f64>| Ok(data.inputs().rows(0, 1).map(f64::exp));
    /// let dependence = partial_dependence(&data, 0, &Grid::default(), predict)?;
    /// let figure = Curves::partial_dependence("An exponential", &dependence, 0)?.draw()?;
    /// assert!(figure.to_svg().contains(">feature 0</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("PartialDependenceDisplay", "ICE"))]
    pub fn partial_dependence(
        title: impl Into<String>,
        dependence: &PartialDependence,
        output: usize,
    ) -> Result<Self> {
        let Some(individual) = dependence.individual.get(output) else {
            return Err(Error::new(
                ErrorKind::Value,
                "output of plot::Curves::partial_dependence",
                format!("below {}", dependence.individual.len()),
                output,
            ));
        };
        let Values::Numbers(values) = &dependence.values else {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "plot::Curves::partial_dependence",
                "a column of numbers (Bars::partial_dependence draws categories)",
                "categories",
            ));
        };
        let samples = individual.nrows();
        let shown = samples.min(50);
        let mut lines = vec![];
        for k in 0..shown {
            // Evenly among all.
            let sample = individual.row(k * samples / shown);
            lines.extend(values.iter().copied().zip(sample.iter().copied()));
            lines.push((f64::NAN, f64::NAN));
        }
        let average = dependence.average.row(output);
        let average: Vec<_> = values
            .iter()
            .copied()
            .zip(average.iter().copied())
            .collect();
        let picture = Self::new(title, dependence.name.clone(), "prediction");
        Ok(picture
            .faint("single samples", &lines)
            .line("average", &average)
            .rug(&dependence.deciles))
    }

    /// The picture of a [range test](crate::selection::rate_range_test): the cost of each step and
    /// the smoothed cost by the learning rate, on a logarithmic axis, with the rate that the test
    /// suggests, if it [suggests](RateRange::suggestion) any.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::{plot::Curves, selection::rate_range_test};
    /// let x = DMatrix::from_fn(1, 200, |_, j| j as f64 / 100.0 - 1.0);
    /// let data = Dataset::new(x.clone(), x.map(|x| (4.0 * x).sin()))?;
    /// let net = Sequential::builder(1)
    ///     .layer(Dense::new(16, Activation::Tanh))
    ///     .layer(Dense::new(1, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let mut trainer = Trainer::new(MeanSquaredError, Adam::new());
    /// let range = rate_range_test(&mut trainer, &net, &data, 1e-5..=10.0, 100)?;
    /// let figure = Curves::rate_range("Which rate?", &range).draw()?;
    /// assert!(figure.to_svg().contains(">suggestion: 0.0"));
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias("LRFinder", "lr_find"))]
    pub fn rate_range(title: impl Into<String>, range: &RateRange) -> Self {
        let points = range.points().iter();
        let costs: Vec<_> = points
            .clone()
            .map(|point| (point.rate, point.cost))
            .collect();
        let smoothed: Vec<_> = points.map(|point| (point.rate, point.smoothed)).collect();
        let picture = Self::new(title, "learning rate", "cost")
            .points("mini-batches", &costs)
            .line("smoothed", &smoothed)
            .log_x();
        match range.suggestion() {
            Ok(rate) => picture.vertical(format!("suggestion: {}", short(rate)), rate),
            Err(_) => picture,
        }
    }

    /// Both axes from 0 to 1, and as long.
    fn unit(mut self) -> Self {
        self.scales.square = true;
        self.scales.unit = true;
        self
    }
}

impl Bars {
    /// The picture of importances, the most important column at the top, with the standard
    /// deviation of the repeats as whiskers.
    ///
    /// ```
    /// use chainrule::{Dataset, inspection::permutation_importance, plot::Bars};
    /// let data = Dataset::from_rows(&[1.0, 5.0, 2.0, 9.0], 2, &[0.0, 1.0], 1)?;
    /// let score = |data: &Dataset<f64>| Ok(data.inputs()[(0, 0)]);
    /// let importances = permutation_importance(&data, 0..2, 10, 1, score)?;
    /// let figure = Bars::importances("Two features", &importances).draw()?;
    /// assert!(figure.to_svg().contains(">feature 1</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("feature_importances_"))]
    pub fn importances(title: impl Into<String>, importances: &Importances) -> Self {
        let columns = importances.columns.iter();
        let names: Vec<&str> = columns.clone().map(|column| &*column.name).collect();
        let means: Vec<f64> = columns.clone().map(|column| column.mean).collect();
        let deviations: Vec<f64> = columns.map(|column| column.deviation).collect();
        Self::new(title, "loss of score when shuffled", &names)
            .series_with("", &means, &deviations)
            .sorted()
    }

    /// The picture of how the predictions of one output follow a column of words: a bar of the
    /// average for each.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for an output that does not exist, [`ErrorKind::Incompatible`] for a
    /// column of numbers: [`Curves::partial_dependence`] draws that.
    ///
    /// ```
    /// use chainrule::data::Table;
    /// use chainrule::inspection::{Grid, partial_dependence};
    /// use chainrule::nalgebra::DMatrix;
    /// use chainrule::plot::Bars;
    /// let table = Table::new().with_categories("fuel", ["gas", "oil", "gas"])?;
    /// let predict = |table: &Table| {
    ///     let cost = |fuel| if fuel == Some("gas") { 2.0 } else { 3.0 };
    ///     Ok(DMatrix::from_iterator(1, 3, table.categories("fuel")?.map(cost)))
    /// };
    /// let dependence = partial_dependence(&table, "fuel", &Grid::default(), predict)?;
    /// let figure = Bars::partial_dependence("Cost", &dependence, 0)?.draw()?;
    /// assert!(figure.to_svg().contains(">gas</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn partial_dependence(
        title: impl Into<String>,
        dependence: &PartialDependence,
        output: usize,
    ) -> Result<Self> {
        const PLACE: &str = "plot::Bars::partial_dependence";
        let Values::Categories(words) = &dependence.values else {
            return Err(Error::new(
                ErrorKind::Incompatible,
                PLACE,
                "a column of categories (Curves::partial_dependence draws numbers)",
                "numbers",
            ));
        };
        let outputs = dependence.average.nrows();
        if output >= outputs {
            return Err(Error::new(
                ErrorKind::Value,
                format!("output of {PLACE}"),
                format!("below {outputs}"),
                output,
            ));
        }
        let average = dependence.average.row(output);
        let average: Vec<f64> = average.iter().copied().collect();
        let label = format!("prediction by {}", dependence.name);
        Ok(Self::new(title, label, words).series("", &average))
    }
}
