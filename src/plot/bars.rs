//! Numbers as bars.

use super::axes::{Axis, SMALL, steps};
use super::canvas::{BLACK, Canvas, SIZE};
use super::figure::Figure;
use super::font;
use super::parts::{Sample, chart, legend};
use super::shape::Anchor;
use super::style;
use crate::error::{Error, ErrorKind, Result};

/// Draws numbers as horizontal bars from 0, a group of bars for each name and a color for each
/// series: accuracies of several models, times of several libraries, the importance of features.
///
/// Names run from top to bottom, the series in the order of the legend. A number stands at the end
/// of its bar where the bars are thick enough. NaN and ±∞ have no bar.
///
/// ```
/// use chainrule::plot::Bars;
/// let figure = Bars::new("Accuracy", "share of samples", &["linear", "one hidden layer"])
///     .series("training", &[0.91, 0.99])
///     .series("test", &[0.90, 0.97])
///     .draw()?;
/// assert!(figure.to_svg().contains(">one hidden layer</text>"));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("bar", "barh", "barplot"))]
pub struct Bars {
    title: String,
    label: String,
    names: Vec<String>,
    series: Vec<(String, Vec<f64>)>,
    size: (u32, u32),
}

impl Bars {
    /// An empty picture with a title, a label of the numbers, and the names of the groups.
    pub fn new(
        title: impl Into<String>,
        label: impl Into<String>,
        names: &[impl ToString],
    ) -> Self {
        Self {
            title: title.into(),
            label: label.into(),
            names: names.iter().map(ToString::to_string).collect(),
            series: vec![],
            size: SIZE,
        }
    }

    /// Adds a series: a number for each name. The legend leaves out an empty name.
    #[must_use]
    pub fn series(mut self, name: impl Into<String>, values: &[f64]) -> Self {
        self.series.push((name.into(), values.to_vec()));
        self
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
    /// [`ErrorKind::Empty`] without a name, a series or a finite number; [`ErrorKind::Shape`] for a
    /// series with more or fewer numbers than there are names; [`ErrorKind::Value`] for a size out
    /// of range or too small for the texts or the bars.
    pub fn draw(&self) -> Result<Figure> {
        const PLACE: &str = "plot::Bars";
        let mut canvas = Canvas::new(PLACE, self.size)?;
        let groups = self.names.len();
        let empty = |expected| Err(Error::new(ErrorKind::Empty, PLACE, expected, "none"));
        if groups == 0 {
            return empty("at least 1 name");
        }
        if let Some((name, values)) = self.series.iter().find(|(_, v)| v.len() != groups) {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("series {name:?} of {PLACE}"),
                format!("{groups} numbers, as there are names"),
                values.len(),
            ));
        }
        let finite = || {
            let all = self.series.iter().flat_map(|(_, values)| values);
            all.copied().filter(|value| value.is_finite())
        };
        if finite().next().is_none() {
            return empty("a series with a finite number");
        }
        let room = canvas.title(&self.title);
        let entries: Vec<_> = self
            .series
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| !name.is_empty())
            .map(|(k, (name, _))| (Sample::Bar(style::color(k)), name.clone()))
            .collect();
        let room = legend(&mut canvas, room, &entries);
        let from_zero = finite().chain([0.0]);
        let Some(x) = Axis::around(&self.label, from_zero, false, false, steps(room).0) else {
            return empty("a series with a finite number");
        };
        let y = Axis::of_names(&self.names, 0.4 * room.width());
        let inside = chart(&mut canvas, room, &x, &y)?;

        let group = inside.height() / groups as f64;
        let thick = 0.78 * group / self.series.len() as f64;
        if thick < 1.0 {
            return Err(Error::new(
                ErrorKind::Value,
                format!("size of {PLACE}"),
                format!("a pixel for each of {groups} × {} bars", self.series.len()),
                format!("{} × {}", self.size.0, self.size.1),
            ));
        }
        // Where the bars begin; 0 is on the axis.
        let zero = inside.at(x.place(0.0).unwrap_or(0.0), 0.0).0;
        for (k, (_, values)) in self.series.iter().enumerate() {
            let color = style::color(k);
            for (index, value) in values.iter().enumerate() {
                let Some(place) = x.place(*value) else {
                    continue;
                };
                let end = inside.at(place, 0.0).0;
                let top = inside.top + (index as f64 + 0.11) * group + k as f64 * thick;
                let bottom = top + thick;
                let corners = vec![(zero, top), (end, top), (end, bottom), (zero, bottom)];
                canvas.area(corners, color, color, 0.0);
                let size = SMALL.min(thick);
                if size < 9.0 {
                    continue;
                }
                let text = style::brief(*value);
                let wide = font::width(&text, size) + 6.0;
                let middle = (top + bottom) / 2.0;
                let left = *value < 0.0;
                let fits = if left {
                    end - wide >= inside.left
                } else {
                    end + wide <= room.right
                };
                // Beside the bar, or on it where it reaches too far.
                let (at, anchor) = match (left, fits) {
                    (false, true) => (end + 4.0, Anchor::Start),
                    (false, false) => (end - 4.0, Anchor::End),
                    (true, true) => (end - 4.0, Anchor::End),
                    (true, false) => (end + 4.0, Anchor::Start),
                };
                let ink = if fits { BLACK } else { style::ink(color) };
                canvas.text(text, (at, middle), size, ink, anchor);
            }
        }
        canvas.line(
            vec![(zero, inside.top), (zero, inside.bottom)],
            BLACK,
            1.0,
            &[],
        );
        Ok(canvas.finish())
    }
}
