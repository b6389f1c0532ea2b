//! Curves: named series of points over two axes.

use super::canvas::{Canvas, SIZE, sized};
use super::figure::Figure;
use super::panel::{Curve, Form, Guide, Panel, Scales};
use super::shape::Point;
use crate::error::Result;

/// Draws any series of points as curves: learning-rate schedules, gradient norms, what a line
/// search saw. Points alone, bands, and lines to compare with can be added.
///
/// Some pictures have conventions of their own: [`roc`](Self::roc),
/// [`precision_recall`](Self::precision_recall), [`calibration`](Self::calibration),
/// [`predicted_actual`](Self::predicted_actual), [`residuals`](Self::residuals) and
/// [`partial_dependence`](Self::partial_dependence) know them.
///
/// The series differ in color, stroke and marker. A point with NaN or ±∞, and on a logarithmic axis
/// one below 10⁻²⁹⁰, is left out, and a curve has a gap there. A series of which nothing is left
/// says so in the legend, which leaves out an empty name.
///
/// ```
/// use chainrule::plot::Curves;
/// let cosine: Vec<_> = (0..=100)
///     .map(|step| f64::from(step))
///     .map(|t| (t, 0.05 * (1.0 + (t * 0.0314).cos())))
///     .collect();
/// let figure = Curves::new("Learning rates", "step", "rate η")
///     .series("cosine", &cosine)
///     .series("constant", &[(0.0, 0.05), (100.0, 0.05)])
///     .draw()?;
/// assert!(figure.to_svg().contains(">cosine</text>"));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("learning_curve", "plotperform", "scatter", "fill_between", "errorbar"))]
pub struct Curves {
    pub(super) title: String,
    x_label: String,
    y_label: String,
    pub(super) curves: Vec<Curve>,
    guides: Vec<(String, Guide)>,
    pub(super) scales: Scales,
    size: (u32, u32),
}

impl Curves {
    /// An empty picture with a title and labels of its axes.
    pub fn new(
        title: impl Into<String>,
        x_label: impl Into<String>,
        y_label: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            x_label: x_label.into(),
            y_label: y_label.into(),
            curves: vec![],
            guides: vec![],
            scales: Scales::default(),
            size: SIZE,
        }
    }

    /// Adds a curve through points (x, y), in their order, with some markers.
    #[must_use]
    pub fn series(self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.add(name, points.to_vec(), Form::Curve)
    }

    /// Adds a curve without markers, for many points, steps and corners.
    #[must_use]
    pub fn line(self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.add(name, points.to_vec(), Form::Line)
    }

    /// Adds points without a line: a marker for each, smaller where they are many.
    #[must_use]
    pub fn points(self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.add(name, points.to_vec(), Form::Points)
    }

    /// Adds a thin gray line, behind all others: a single sample, run or fold. After a point with
    /// NaN another line begins, so that one name stands for many.
    #[must_use]
    pub fn faint(self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.add(name, points.to_vec(), Form::Faint)
    }

    /// Adds a band of (x, low, high), behind the lines. Without a name it belongs to the series
    /// before it, whose color it has. On a logarithmic axis, a low that is not positive is at its
    /// end.
    ///
    /// ```
    /// use chainrule::plot::Curves;
    /// let figure = Curves::new("Forecast", "day", "°C")
    ///     .series("median", &[(1.0, 7.0), (2.0, 8.0), (3.0, 8.0)])
    ///     .band("", &[(1.0, 6.0, 8.0), (2.0, 6.0, 10.0), (3.0, 5.0, 11.0)])
    ///     .draw()?;
    /// assert!(figure.to_svg().contains("fill-opacity"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias("fill_between"))]
    pub fn band(self, name: impl Into<String>, band: &[(f64, f64, f64)]) -> Self {
        let low = band.iter().map(|(x, low, _)| (*x, *low)).collect();
        let high = band.iter().map(|(_, _, high)| *high).collect();
        self.add(name, low, Form::Band(high))
    }

    /// Adds the mean of several series, and a band of one standard deviation on either side: costs
    /// over the epochs of several folds, say. At each x are those series that have it, so that runs
    /// of different length will do. The deviation is that of the series themselves, n in its
    /// denominator, as with scikit-learn's `LearningCurveDisplay`.
    ///
    /// ```
    /// use chainrule::plot::Curves;
    /// let folds = [[(0.0, 0.9), (1.0, 0.5)], [(0.0, 0.7), (1.0, 0.3)]];
    /// let figure = Curves::new("Two folds", "epoch", "cost").mean("validation", &folds).draw()?;
    /// assert!(figure.to_svg().contains(">validation</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias("LearningCurveDisplay", "ValidationCurveDisplay"))]
    pub fn mean(self, name: impl Into<String>, series: &[impl AsRef<[(f64, f64)]>]) -> Self {
        let points = series.iter().flat_map(|series| series.as_ref().iter());
        let mut points: Vec<Point> = points
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .copied()
            .collect();
        points.sort_by(|a, b| (a.0 + 0.0).total_cmp(&(b.0 + 0.0)));
        let (mut means, mut band) = (vec![], vec![]);
        for same in points.chunk_by(|a, b| a.0 == b.0) {
            let average = |of: &dyn Fn(f64) -> f64| {
                let share = 1.0 / same.len() as f64;
                same.iter().map(|(_, y)| share * of(*y)).sum::<f64>()
            };
            let mean = average(&|y| y);
            // By the largest distance, so that no square overflows.
            let largest = same.iter().map(|(_, y)| (y - mean).abs());
            let largest = largest.fold(f64::MIN_POSITIVE, f64::max);
            let deviation = largest * average(&|y| ((y - mean) / largest).powi(2)).sqrt();
            means.push((same[0].0, mean));
            band.push((same[0].0, mean - deviation, mean + deviation));
        }
        self.series(name, &means).band("", &band)
    }

    /// Adds a dashed line across the chart at y.
    #[must_use]
    #[doc(alias("axhline", "hline"))]
    pub fn horizontal(self, name: impl Into<String>, y: f64) -> Self {
        self.guide(name, Guide::Horizontal(y))
    }

    /// Adds a dashed line across the chart at x.
    #[must_use]
    #[doc(alias("axvline", "vline"))]
    pub fn vertical(self, name: impl Into<String>, x: f64) -> Self {
        self.guide(name, Guide::Vertical(x))
    }

    /// Adds a dashed line where y = x.
    #[must_use]
    #[doc(alias("axline", "abline"))]
    pub fn diagonal(self, name: impl Into<String>) -> Self {
        self.guide(name, Guide::Diagonal)
    }

    /// Adds short lines at the x axis: where samples lie, or their quantiles.
    #[must_use]
    #[doc(alias("rugplot"))]
    pub fn rug(self, xs: &[f64]) -> Self {
        xs.iter()
            .fold(self, |picture, x| picture.guide("", Guide::Rug(*x)))
    }

    /// With a logarithmic y axis.
    #[must_use]
    #[doc(alias("semilogy", "yscale"))]
    pub fn log(mut self) -> Self {
        self.scales.log_y = true;
        self
    }

    /// With a logarithmic x axis.
    #[must_use]
    #[doc(alias("semilogx", "xscale", "loglog"))]
    pub fn log_x(mut self) -> Self {
        self.scales.log_x = true;
        self
    }

    /// With the same numbers on both axes, and as long: for what has the same unit both ways. It is
    /// for two axes that are both linear or both logarithmic.
    #[must_use]
    #[doc(alias("axis_equal", "aspect"))]
    pub fn square(mut self) -> Self {
        self.scales.square = true;
        self
    }

    sized!();

    fn add(mut self, name: impl Into<String>, points: Vec<Point>, form: Form) -> Self {
        let name = name.into();
        // Colors go by what has one.
        let look = |curve: &&Curve| !matches!(curve.form, Form::Faint) && !curve.belongs;
        let known = self.curves.iter().filter(look).count();
        let belongs = name.is_empty() && matches!(form, Form::Band(_)) && known > 0;
        let look = if belongs { known - 1 } else { known };
        let mut curve = Curve::new(&name, points, look, look, look);
        curve.form = form;
        curve.belongs = belongs;
        self.curves.push(curve);
        self
    }

    fn guide(mut self, name: impl Into<String>, guide: Guide) -> Self {
        self.guides.push((name.into(), guide));
        self
    }

    /// Draws the picture.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a series, for one without a point, and when no point can be
    /// drawn; [`ErrorKind::Incompatible`] for a square of a linear and a logarithmic axis;
    /// [`ErrorKind::Value`] for a size out of range or too small for the texts, and for a letter
    /// that is not in the font.
    ///
    /// [`ErrorKind::Empty`]: crate::ErrorKind::Empty
    /// [`ErrorKind::Incompatible`]: crate::ErrorKind::Incompatible
    /// [`ErrorKind::Value`]: crate::ErrorKind::Value
    pub fn draw(&self) -> Result<Figure> {
        let mut canvas = Canvas::new("plot::Curves", self.size)?;
        let room = canvas.title(&self.title);
        let panel = Panel {
            has_legend: true,
            ..self.panel("plot::Curves", &[])
        };
        panel.draw(&mut canvas, room, &self.curves)?;
        canvas.finish()
    }

    /// The axes without a legend, in the picture that errors call `place`.
    pub(super) fn panel<'a>(&'a self, place: &'a str, reach: &'a [Point]) -> Panel<'a> {
        Panel {
            place,
            x: &self.x_label,
            y: &self.y_label,
            scales: self.scales,
            guides: &self.guides,
            stars: &[],
            note: None,
            reach,
            has_legend: false,
        }
    }
}
