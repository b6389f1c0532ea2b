//! Two axes with curves, points, bands and lines to compare with, and their legend.

use super::axes::{Axis, TINY, steps};
use super::canvas::{BLACK, Canvas, Rect, WHITE};
use super::parts::{Sample, chart, legend, series_marker, squared};
use super::shape::{Point, Rgb};
use super::style;
use crate::error::{Error, ErrorKind, Result};

/// How a series is drawn.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// A line with some markers.
    Curve,
    Line,
    Points,
    Faint,
    /// An area; the points are its low end, these numbers the high one.
    Band(Vec<f64>),
}

/// A line to compare with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Guide {
    Horizontal(f64),
    Vertical(f64),
    Diagonal,
    /// A short line at the x axis.
    Rug(f64),
}

/// What kind of axes there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scales {
    pub log_x: bool,
    pub log_y: bool,
    /// Whether x is counted.
    pub whole: bool,
    /// Whether the axes are the same.
    pub square: bool,
    /// Whether both go from 0 to 1, whatever the points.
    pub unit: bool,
}

impl Scales {
    fn drawable(&self, (x, y): Point) -> bool {
        let fits = |v: f64, log: bool| v.is_finite() && (!log || v >= TINY);
        fits(x, self.log_x) && fits(y, self.log_y)
    }

    /// The axes on which finite points have room.
    fn axes(&self, labels: [&str; 2], points: &[Point], steps: (f64, f64)) -> Option<(Axis, Axis)> {
        if self.unit {
            let axis =
                |label| Axis::between(label, -0.02, 1.02, false, false, steps.0.min(steps.1));
            return points.first().map(|_| (axis(labels[0]), axis(labels[1])));
        }
        let (xs, ys) = (points.iter().map(|p| p.0), points.iter().map(|p| p.1));
        let x = Axis::around(labels[0], xs, self.log_x, self.whole, steps.0)?;
        let y = Axis::around(labels[1], ys, self.log_y, false, steps.1)?;
        if !self.square {
            return Some((x, y));
        }
        let steps = steps.0.min(steps.1);
        Some((x.reaching(&y, steps), y.reaching(&x, steps)))
    }
}

/// A series and how it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    name: String,
    points: Vec<Point>,
    pub form: Form,
    /// Whether it is a part of the series before it.
    pub belongs: bool,
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
            form: Form::Curve,
            belongs: false,
            color: style::color(color),
            dash: style::dash(dash),
            marker,
        }
    }

    /// The points that an axis must have room for; of a band, both ends.
    pub(super) fn extent(&self) -> Vec<Point> {
        let mut points = self.points.clone();
        if let Form::Band(high) = &self.form {
            points.extend(
                self.points
                    .iter()
                    .zip(high)
                    .map(|((x, _), high)| (*x, *high)),
            );
        }
        points
    }

    fn sample(&self) -> Sample {
        let (color, dash) = (self.color, self.dash);
        let line = |color, width, dash, marker| Sample::Line {
            color,
            width,
            dash,
            marker,
        };
        match self.form {
            Form::Curve => line(color, 2.0, dash, Some(self.marker)),
            Form::Line => line(color, 2.0, dash, None),
            Form::Faint => line(FAINT.0, FAINT.1, &[], None),
            Form::Points => Sample::Marker {
                color,
                marker: self.marker,
            },
            Form::Band(_) => Sample::Band(color),
        }
    }

    /// What lies behind the rest is drawn first.
    fn layer(&self) -> usize {
        match self.form {
            Form::Band(_) => 0,
            Form::Faint => 1,
            Form::Curve | Form::Line => 2,
            Form::Points => 3,
        }
    }
}

/// Of faint lines, color and width.
const FAINT: (Rgb, f64) = ([185; 3], 0.8);

/// Of the lines to compare with, color, width and strokes.
const GUIDE: (Rgb, f64, &[f64]) = ([90; 3], 1.5, &[5.0, 4.0]);

/// Two axes with curves, and their legend.
pub(super) struct Panel<'a> {
    /// How errors call the picture.
    pub place: &'a str,
    pub x: &'a str,
    pub y: &'a str,
    pub scales: Scales,
    pub guides: &'a [(String, Guide)],
    /// Points to be marked, and what they are.
    pub stars: &'a [Point],
    pub note: Option<String>,
    /// Where the axes reach, too, though nothing is drawn there.
    pub reach: &'a [Point],
    /// Whether the legend is here, and not elsewhere in the picture.
    pub has_legend: bool,
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
        let scales = self.scales;
        if scales.square && scales.log_x != scales.log_y {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("square of {}", self.place),
                "two linear or two logarithmic axes",
                "one of each",
            ));
        }
        let log = scales.log_x || scales.log_y;
        let drawable = |point: &Point| scales.drawable(*point);
        let mut all: Vec<Point> = curves.iter().flat_map(Curve::extent).collect();
        all.extend(self.reach);
        all.retain(drawable);
        // Guides have room, too.
        if let Some((x, y)) = all.first().copied() {
            let at = self.guides.iter().map(|(_, guide)| match guide {
                Guide::Horizontal(y) => (x, *y),
                Guide::Vertical(x) | Guide::Rug(x) => (*x, y),
                Guide::Diagonal => (x, y),
            });
            all.extend(at.filter(drawable));
        }
        let Some((x, y)) = scales.axes([self.x, self.y], &all, steps(room)) else {
            let expected = if log {
                "a finite point above 0"
            } else {
                "a finite point"
            };
            return empty(self.place.into(), expected, "none");
        };
        let room = if self.has_legend {
            legend(canvas, room, &self.entries(curves))
        } else {
            room
        };
        let room = if scales.square {
            squared(room, &y)
        } else {
            room
        };
        let inside = chart(canvas, room, &x, &y)?;
        let place = |point: &Point| Some(inside.at(x.place(point.0)?, y.place(point.1)?));
        for layer in 0..4 {
            if layer == 2 {
                self.draw_guides(canvas, inside, &x, &y);
            }
            for (index, curve) in curves.iter().enumerate() {
                if curve.layer() != layer {
                    continue;
                }
                if let Form::Band(high) = &curve.form {
                    draw_band(canvas, inside, (&x, &y), curve, high);
                    continue;
                }
                // Points that hang together.
                let parts: Vec<Vec<_>> = curve
                    .points
                    .split(|point| !drawable(point))
                    .filter(|part| !part.is_empty())
                    .map(|part| part.iter().filter_map(place).collect())
                    .collect();
                let all: Vec<_> = parts.concat();
                if !matches!(curve.form, Form::Points) {
                    for part in parts {
                        if part.len() > 1 {
                            match curve.form {
                                Form::Faint => canvas.line(part, FAINT.0, FAINT.1, &[]),
                                _ => canvas.line(part, curve.color, 2.0, curve.dash),
                            }
                        }
                    }
                }
                // Some eight markers a curve, and not where those of other curves are.
                let (first, every, radius) = match curve.form {
                    Form::Points => (0, 1, small(all.len())),
                    Form::Curve => {
                        let every = if all.len() <= 20 { 1 } else { all.len() / 8 };
                        (every * (2 * index + 1) / (2 * curves.len()), every, 4.0)
                    }
                    _ => continue,
                };
                for point in all.iter().skip(first).step_by(every) {
                    series_marker(canvas, curve.marker, *point, radius, curve.color);
                }
            }
        }
        for star in self.stars.iter().filter_map(place) {
            canvas.area(style::star(star, 9.0), WHITE, BLACK, 1.2);
        }
        Ok(())
    }

    pub(super) fn entries(&self, curves: &[Curve]) -> Vec<(Sample, String)> {
        let log = self.scales.log_x || self.scales.log_y;
        let entry = |curve: &Curve| {
            let drawable = |point: &Point| self.scales.drawable(*point);
            let nothing = if curve.extent().iter().any(drawable) {
                ""
            } else if log {
                " (nothing finite above 0)"
            } else {
                " (nothing finite)"
            };
            (curve.sample(), format!("{}{nothing}", curve.name))
        };
        let shown = curves.iter().filter(|curve| !curve.belongs);
        let guide = |(name, _): &(String, Guide)| {
            let (color, width, dash) = GUIDE;
            let sample = Sample::Line {
                color,
                width,
                dash,
                marker: None,
            };
            (sample, name.clone())
        };
        let note = self.note.iter().map(|note| (Sample::Star, note.clone()));
        shown
            .map(entry)
            .chain(self.guides.iter().map(guide))
            .chain(note)
            .filter(|(_, name)| !name.is_empty())
            .collect()
    }

    fn draw_guides(&self, canvas: &mut Canvas, inside: Rect, x: &Axis, y: &Axis) {
        let (color, width, dash) = GUIDE;
        for (_, guide) in self.guides {
            let line: Vec<Point> = match guide {
                Guide::Horizontal(at) => y
                    .inside(*at)
                    .map_or(vec![], |at| vec![(0.0, at), (1.0, at)]),
                Guide::Vertical(at) => x
                    .inside(*at)
                    .map_or(vec![], |at| vec![(at, 0.0), (at, 1.0)]),
                Guide::Rug(at) => {
                    if let Some(at) = x.inside(*at) {
                        let (x, y) = inside.at(at, 0.0);
                        canvas.line(vec![(x, y), (x, y - 10.0)], BLACK, 1.0, &[]);
                    }
                    continue;
                }
                Guide::Diagonal => {
                    let (mut low, mut high) =
                        (x.ends().0.max(y.ends().0), x.ends().1.min(y.ends().1));
                    if self.scales.unit {
                        (low, high) = (0.0, 1.0);
                    }
                    // Where one axis is logarithmic and the other is not, it is bent.
                    let parts = if self.scales.log_x == self.scales.log_y {
                        1
                    } else {
                        100
                    };
                    let at = |k: u32| low + (high - low) * (f64::from(k) / f64::from(parts));
                    let line = (0..=parts).filter(|_| low < high).map(at);
                    line.filter_map(|v| {
                        Some((x.place(v)?.clamp(0.0, 1.0), y.place(v)?.clamp(0.0, 1.0)))
                    })
                    .collect()
                }
            };
            if line.len() > 1 {
                let line = line.into_iter().map(|(x, y)| inside.at(x, y)).collect();
                canvas.line(line, color, width, dash);
            }
        }
    }
}

/// Draws a band, and where it has gaps its parts.
fn draw_band(
    canvas: &mut Canvas,
    inside: Rect,
    (x, y): (&Axis, &Axis),
    curve: &Curve,
    high: &[f64],
) {
    let mut parts: Vec<[Vec<Point>; 2]> = vec![Default::default()];
    for ((at, low), high) in curve.points.iter().zip(high) {
        let ends = || {
            let high = y.place(*high)?;
            // Below what a logarithmic axis can have is its end.
            let low = y.place(*low).or(low.is_finite().then_some(0.0))?;
            Some((x.place(*at)?, low, high))
        };
        match (ends(), parts.last_mut()) {
            (Some((at, low, high)), Some([lows, highs])) => {
                lows.push(inside.at(at, low));
                highs.push(inside.at(at, high));
            }
            _ => parts.push(Default::default()),
        }
    }
    for [lows, highs] in parts {
        if lows.len() > 1 {
            let back = highs.into_iter().rev();
            canvas.veil(lows.into_iter().chain(back).collect(), curve.color);
        }
    }
}

/// The radius of markers of so many points.
fn small(points: usize) -> f64 {
    match points {
        0..=200 => 4.0,
        201..=500 => 3.2,
        501..=2000 => 2.5,
        _ => 1.8,
    }
}
