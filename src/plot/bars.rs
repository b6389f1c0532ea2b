//! Numbers as bars.

use super::axes::{Axis, SMALL, steps};
use super::canvas::{BLACK, Canvas, SIZE, WHITE, sized};
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
/// of its bar where the bars are thick enough. NaN and ±∞ have no bar. Whiskers show how sure the
/// numbers are.
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
    series: Vec<Series>,
    sorted: bool,
    size: (u32, u32),
}

/// A bar for each name, and how far whiskers reach from its end either way.
#[derive(Clone, Debug)]
struct Series {
    name: String,
    values: Vec<f64>,
    whiskers: Option<Vec<f64>>,
}

impl Series {
    /// The ends of a whisker, where it has any.
    fn whisker(&self, index: usize) -> Option<(f64, f64)> {
        let (value, reach) = (self.values[index], self.whiskers.as_ref()?[index]);
        let ends = (value - reach, value + reach);
        (ends.0.is_finite() && ends.1.is_finite()).then_some(ends)
    }

    /// What stands at the end of a bar. Whiskers say how sure it is: then three digits of the
    /// largest number are enough, and the others have as many decimals.
    fn text(&self, index: usize) -> String {
        let value = self.values[index];
        let finite = self.values.iter().filter(|value| value.is_finite());
        let largest = finite.fold(0f64, |largest, value| largest.max(value.abs()));
        let power = largest.log10().floor();
        if self.whiskers.is_none() || !(-4.0..6.0).contains(&power) {
            return style::brief(value);
        }
        let decimals = (2.0 - power).max(0.0) as usize;
        // + 0.0, because −0 would keep its sign.
        let rounded = format!("{value:.decimals$}").parse().unwrap_or(value) + 0.0;
        format!("{rounded:.decimals$}").replace('-', "−")
    }
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
            sorted: false,
            size: SIZE,
        }
    }

    /// Adds a series: a number for each name. The legend leaves out an empty name.
    #[must_use]
    pub fn series(mut self, name: impl Into<String>, values: &[f64]) -> Self {
        self.series.push(Series {
            name: name.into(),
            values: values.to_vec(),
            whiskers: None,
        });
        self
    }

    /// Adds a series with whiskers: a number for each name, and how far its whisker reaches either
    /// way, such as a standard deviation. The legend leaves out an empty name.
    ///
    /// ```
    /// use chainrule::plot::Bars;
    /// let figure = Bars::new("Five folds", "accuracy", &["linear", "hidden layer"])
    ///     .series_with("", &[0.91, 0.96], &[0.02, 0.01])
    ///     .draw()?;
    /// assert!(figure.to_svg().contains(">0.960</text>"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[must_use]
    #[doc(alias("xerr", "errorbar"))]
    pub fn series_with(
        mut self,
        name: impl Into<String>,
        values: &[f64],
        whiskers: &[f64],
    ) -> Self {
        self.series.push(Series {
            name: name.into(),
            values: values.to_vec(),
            whiskers: Some(whiskers.to_vec()),
        });
        self
    }

    /// With the names in the order of the first series, the largest number at the top; those
    /// without a number come last.
    #[must_use]
    pub fn sorted(self) -> Self {
        Self {
            sorted: true,
            ..self
        }
    }

    sized!();

    /// Draws the picture.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a name, a series or a finite number; [`ErrorKind::Shape`] for a
    /// series with more or fewer numbers than there are names; [`ErrorKind::Value`] for a size out
    /// of range or too small for the texts or the bars, and for a letter that is not in the font.
    pub fn draw(&self) -> Result<Figure> {
        const PLACE: &str = "plot::Bars";
        let mut canvas = Canvas::new(PLACE, self.size)?;
        let groups = self.names.len();
        let empty = |expected| Err(Error::new(ErrorKind::Empty, PLACE, expected, "none"));
        if groups == 0 {
            return empty("at least 1 name");
        }
        for Series {
            name,
            values,
            whiskers,
        } in &self.series
        {
            let whiskers = whiskers.as_ref().unwrap_or(values);
            if let Some(other) = [values, whiskers].iter().find(|v| v.len() != groups) {
                return Err(Error::new(
                    ErrorKind::Shape,
                    format!("series {name:?} of {PLACE}"),
                    format!("{groups} numbers, as there are names"),
                    other.len(),
                ));
            }
        }
        let finite = || {
            let all = self.series.iter().flat_map(|series| &series.values);
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
            .filter(|(_, series)| !series.name.is_empty())
            .map(|(k, series)| (Sample::Bar(style::color(k)), series.name.clone()))
            .collect();
        let room = legend(&mut canvas, room, &entries);
        let whiskers = self.series.iter().flat_map(|series| {
            let ends = (0..groups).filter_map(|index| series.whisker(index));
            ends.flat_map(|(low, high)| [low, high])
        });
        let ends: Vec<f64> = finite().chain([0.0]).chain(whiskers).collect();
        let order = self.order();
        let names: Vec<String> = order
            .iter()
            .map(|index| self.names[*index].clone())
            .collect();
        let y = Axis::of_names(&names, 0.4 * room.width());
        let beyond = self.beyond_whiskers(&ends, room.width() - y.width());
        let ends = ends.into_iter().chain(beyond);
        let Some(x) = Axis::around(&self.label, ends, false, false, steps(room).0) else {
            return empty("a series with a finite number");
        };
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
        for (k, series) in self.series.iter().enumerate() {
            let color = style::color(k);
            for (row, index) in order.iter().enumerate() {
                let value = series.values[*index];
                let Some(place) = x.place(value) else {
                    continue;
                };
                let end = inside.at(place, 0.0).0;
                let top = inside.top + (row as f64 + 0.11) * group + k as f64 * thick;
                let bottom = top + thick;
                let corners = vec![(zero, top), (end, top), (end, bottom), (zero, bottom)];
                canvas.area(corners, color, color, 0.0);
                let middle = (top + bottom) / 2.0;
                let whisker = series.whisker(*index).and_then(|(low, high)| {
                    let at = |value: f64| Some(inside.at(x.place(value)?, 0.0).0);
                    Some((at(low)?, at(high)?))
                });
                if let Some((low, high)) = whisker {
                    let cap = (0.22 * thick).min(7.0);
                    let ends = [low, high].map(|x| vec![(x, middle - cap), (x, middle + cap)]);
                    // White around it, so that it is seen on its bar.
                    for (color, width) in [(WHITE, 3.5), (BLACK, 1.5)] {
                        canvas.line(vec![(low, middle), (high, middle)], color, width, &[]);
                        for end in &ends {
                            canvas.line(end.clone(), color, width, &[]);
                        }
                    }
                }
                let size = SMALL.min(thick);
                if size < 9.0 {
                    continue;
                }
                let text = series.text(*index);
                let wide = font::width(&text, size) + 6.0;
                let left = value < 0.0;
                // Beyond the whisker.
                let end = match whisker {
                    Some((low, _)) if left => end.min(low),
                    Some((_, high)) => end.max(high),
                    None => end,
                };
                let fits = if left {
                    end - wide >= inside.left
                } else {
                    end + wide <= room.right
                };
                if !fits && whisker.is_some() {
                    continue; // It would lie on the whisker.
                }
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
        canvas.finish()
    }

    /// How far numbers reach that stand beyond whiskers, if the axis goes through these ends on so
    /// many pixels.
    fn beyond_whiskers(&self, ends: &[f64], pixels: f64) -> Vec<f64> {
        let (low, high) = ends.iter().fold((0f64, 0f64), |(low, high), end| {
            (low.min(*end), high.max(*end))
        });
        let beyond = |series: &Series, index: usize| {
            let (start, end) = series.whisker(index)?;
            let wide = font::width(&series.text(index), SMALL) + 12.0;
            let room = (wide / (pixels - 28.0)).clamp(0.0, 0.3) * 1.4 * (high - low);
            Some(if series.values[index] < 0.0 {
                start - room
            } else {
                end + room
            })
        };
        let all = self.series.iter().flat_map(|series| {
            (0..self.names.len()).filter_map(move |index| beyond(series, index))
        });
        all.collect()
    }

    /// The names from top to bottom.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        if let (true, Some(first)) = (self.sorted, self.series.first()) {
            let value = |index: usize| match first.values[index] {
                nan if nan.is_nan() => f64::NEG_INFINITY,
                value => value,
            };
            order.sort_by(|a, b| value(*b).total_cmp(&value(*a)));
        }
        order
    }
}
