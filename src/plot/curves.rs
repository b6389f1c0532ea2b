//! Curves: named series of points over two axes.

use super::axes::{Axis, TINY, steps};
use super::canvas::{BLACK, Canvas, Rect, SIZE, WHITE};
use super::figure::Figure;
use super::parts::{Sample, chart, legend, marker};
use super::shape::{Point, Rgb};
use super::style;
use crate::error::{Error, ErrorKind, Result};

/// Draws any series of points as curves: learning-rate schedules, gradient norms, what a line
/// search saw.
///
/// The curves differ in color, stroke and marker. A point with NaN or ±∞, and on a logarithmic axis
/// one with y below 10⁻²⁹⁰, is left out, and the curve has a gap there. A curve of which nothing is
/// left says so in the legend.
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
#[doc(alias("learning_curve", "plotperform"))]
pub struct Curves<'a> {
    title: String,
    x_label: String,
    y_label: String,
    series: Vec<(String, &'a [Point])>,
    log: bool,
    size: (u32, u32),
}

impl<'a> Curves<'a> {
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
            series: vec![],
            log: false,
            size: SIZE,
        }
    }

    /// Adds a curve through points (x, y), in their order.
    #[must_use]
    pub fn series(mut self, name: impl Into<String>, points: &'a [(f64, f64)]) -> Self {
        self.series.push((name.into(), points));
        self
    }

    /// With a logarithmic y axis.
    #[must_use]
    pub fn log(self) -> Self {
        Self { log: true, ..self }
    }

    /// Width and height in pixels, 200 to 8192 each; 800 × 600 without.
    #[must_use]
    pub fn size(self, width: u32, height: u32) -> Self {
        Self {
            size: (width, height),
            ..self
        }
    }

    /// Draws the picture.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a series, for one without a point, and when no point can be
    /// drawn; [`ErrorKind::Value`] for a size out of range or too small for the texts.
    pub fn draw(&self) -> Result<Figure> {
        let mut canvas = Canvas::new("plot::Curves", self.size)?;
        let curves: Vec<_> = self
            .series
            .iter()
            .enumerate()
            .map(|(k, (name, points))| Curve::new(name, points.to_vec(), k, k, k))
            .collect();
        let panel = Panel {
            place: "plot::Curves",
            x: &self.x_label,
            y: &self.y_label,
            whole: false,
            log: self.log,
            stars: &[],
            note: None,
        };
        let room = canvas.title(&self.title);
        panel.draw(&mut canvas, room, &curves)?;
        Ok(canvas.finish())
    }
}

/// A series and how it is drawn.
pub(super) struct Curve {
    name: String,
    points: Vec<Point>,
    color: Rgb,
    dash: &'static [f64],
    marker: usize,
}

impl Curve {
    pub(super) fn new(
        name: &str,
        points: Vec<Point>,
        color: usize,
        dash: usize,
        marker: usize,
    ) -> Self {
        Self {
            name: name.into(),
            points,
            color: style::color(color),
            dash: style::dash(dash),
            marker,
        }
    }
}

/// Two axes with curves, and their legend.
pub(super) struct Panel<'a> {
    /// How errors call the picture.
    pub place: &'a str,
    pub x: &'a str,
    pub y: &'a str,
    /// Whether x is counted.
    pub whole: bool,
    pub log: bool,
    /// Points to be marked, and what they are.
    pub stars: &'a [Point],
    pub note: Option<String>,
}

impl Panel<'_> {
    pub(super) fn draw(&self, canvas: &mut Canvas, room: Rect, curves: &[Curve]) -> Result<()> {
        let empty = |place: String, expected: &str, given: &str| {
            Err(Error::new(ErrorKind::Empty, place, expected, given))
        };
        if curves.is_empty() {
            return empty(self.place.into(), "at least 1 series", "none");
        }
        if let Some(curve) = curves.iter().find(|curve| curve.points.is_empty()) {
            return empty(
                format!("series {:?} of {}", curve.name, self.place),
                "at least 1 point",
                "none",
            );
        }
        let drawable =
            |(x, y): &&Point| x.is_finite() && y.is_finite() && (!self.log || *y >= TINY);
        let all = || {
            curves
                .iter()
                .flat_map(|curve| &curve.points)
                .filter(drawable)
        };
        let steps = steps(room);
        let axes = (
            Axis::around(self.x, all().map(|p| p.0), false, self.whole, steps.0),
            Axis::around(self.y, all().map(|p| p.1), self.log, false, steps.1),
        );
        let (Some(x), Some(y)) = axes else {
            let expected = if self.log {
                "a finite point above 0"
            } else {
                "a finite point"
            };
            return empty(self.place.into(), expected, "none");
        };
        let mut entries: Vec<_> = curves
            .iter()
            .map(
                |Curve {
                     name,
                     points,
                     color,
                     dash,
                     marker,
                 }| {
                    let nothing = if points.iter().any(|point| drawable(&point)) {
                        ""
                    } else if self.log {
                        " (nothing finite above 0)"
                    } else {
                        " (nothing finite)"
                    };
                    (
                        Sample::Line {
                            color: *color,
                            dash,
                            marker: *marker,
                        },
                        format!("{name}{nothing}"),
                    )
                },
            )
            .collect();
        entries.extend(self.note.iter().map(|note| (Sample::Star, note.clone())));
        let room = legend(canvas, room, &entries);
        let inside = chart(canvas, room, &x, &y)?;
        let place = |point: &Point| Some(inside.at(x.place(point.0)?, y.place(point.1)?));
        for (index, curve) in curves.iter().enumerate() {
            // Points that hang together.
            let parts: Vec<Vec<_>> = curve
                .points
                .split(|point| !drawable(&point))
                .filter(|part| !part.is_empty())
                .map(|part| part.iter().filter_map(place).collect())
                .collect();
            let all: Vec<_> = parts.concat();
            for part in parts {
                if part.len() > 1 {
                    canvas.line(part, curve.color, 2.0, curve.dash);
                }
            }
            // Some eight markers a curve, and not where those of other curves are.
            let every = if all.len() <= 20 { 1 } else { all.len() / 8 };
            for point in all
                .iter()
                .skip(every * (2 * index + 1) / (2 * curves.len()))
                .step_by(every)
            {
                let colors = (curve.color, WHITE);
                marker(canvas, curve.marker, *point, 4.0, colors, 0.8);
            }
        }
        for star in self.stars.iter().filter_map(place) {
            canvas.area(style::star(star, 9.0), WHITE, BLACK, 1.2);
        }
        Ok(())
    }
}
