//! Axes: where numbers lie and which of them are written; and the parts that several pictures have.

use super::canvas::{BLACK, Canvas, Rect, UNITS, refused};
use super::figure::{Anchor, Point, Rgb};
use super::font;
use crate::error::{Error, ErrorKind, Result};
use plotters::chart::ChartBuilder;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};
use std::ops::Range;

/// How many steps between ticks an axis has room for.
pub(super) fn steps(room: Rect) -> (f64, f64) {
    (
        (room.width() / 80.0).clamp(2.0, 10.0),
        (room.height() / 40.0).clamp(2.0, 10.0),
    )
}

/// The font sizes of numbers at ticks, and of what stands at axes and in legends.
pub(super) const SMALL: f64 = 12.0;
pub(super) const LABEL: f64 = 14.0;

/// Numbers below this are as good as 0, also on a logarithmic axis: their tenth parts lose digits.
pub(super) const TINY: f64 = 1e-290;

/// An axis: which numbers it spans, and its ticks as fractions of its length with their texts.
#[derive(Debug)]
pub(super) struct Axis {
    pub label: String,
    log: bool,
    /// The ends; of a logarithmic axis, their logarithms to base 10.
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis on which finite numbers have room: all of them, or with `log` the positive ones. `None` if there is none. Of `whole`
    /// numbers, no others are written. Of a linear axis, there are at most some `steps` steps between ticks.
    pub(super) fn around(
        label: &str,
        values: impl Iterator<Item = f64>,
        log: bool,
        whole: bool,
        steps: f64,
    ) -> Option<Self> {
        let values = values
            .filter(|v| v.is_finite() && (!log || *v >= TINY))
            .map(|v| if log { v.log10() } else { v });
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if low > high {
            return None;
        }
        let size = low.abs().max(high.abs());
        let (low, high) = if (whole && low == high && size < 1e6) || (log && high - low < 1e-6) {
            (low - 0.5, high + 0.5)
        } else if !log && size < TINY {
            (-1.0, 1.0)
        } else if !log && high / 2.0 - low / 2.0 <= 1e-9 * size {
            // One number, or as good as one.
            (low - 0.1 * size, high + 0.1 * size)
        } else {
            let room = if whole { 0.02 } else { 0.04 };
            let (below, above) = (low - room * (high - low), high + room * (high - low));
            // What is never negative needs no room below 0.
            (
                if low >= 0.0 && !log && !whole {
                    below.max(0.0)
                } else {
                    below
                },
                above,
            )
        };
        let clamp = |v: f64| {
            if log {
                v.min(f64::MAX.log10())
            } else {
                v.clamp(-f64::MAX, f64::MAX)
            }
        };
        Some(Self::between(
            label,
            clamp(low),
            clamp(high),
            log,
            whole,
            steps,
        ))
    }

    /// An axis from `low` to `high`, which are finite and different; of a logarithmic one, their logarithms.
    pub(super) fn between(
        label: &str,
        low: f64,
        high: f64,
        log: bool,
        whole: bool,
        steps: f64,
    ) -> Self {
        let mut axis = Self {
            label: label.into(),
            log,
            low,
            high,
            ticks: vec![],
        };
        if log {
            axis.mark_logarithmic(steps)
        } else {
            axis.mark_linear(low, high, whole, steps)
        }
        axis
    }

    /// Where a number lies, in 0..1 if on the axis; `None` of a number that the axis cannot have.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let value = match self.log {
            true if value >= TINY => value.log10(),
            true => return None,
            false => value,
        };
        // By halves, since the whole may be more than a number can hold.
        value
            .is_finite()
            .then(|| (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0))
    }

    /// As [`place`](Self::place); `None` also of a number beyond the ends.
    pub(super) fn inside(&self, value: f64) -> Option<f64> {
        self.place(value)
            .filter(|place| (0.0..=1.0).contains(place))
    }

    /// The number at a place of a linear axis.
    pub(super) fn value(&self, place: f64) -> f64 {
        self.low * (1.0 - place) + self.high * place
    }

    fn mark(&mut self, value: f64, text: impl Into<String>) {
        if let Some(place) = self
            .place(value)
            .filter(|place| (-1e-9..=1.0 + 1e-9).contains(place))
        {
            self.ticks.push((place, text.into().replace('-', "−")));
        }
    }

    /// Ticks at multiples of 1, 2 or 5 times a power of 10.
    fn mark_linear(&mut self, low: f64, high: f64, whole: bool, steps: f64) {
        let rough = high / steps - low / steps;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0]
            .map(|m| m * power)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(10.0 * power);
        let step = if whole { step.max(1.0) } else { step };
        let first = (low / step).ceil();
        let values: Vec<_> = (0..12)
            .map(|k| (first + f64::from(k)) * step)
            .filter(|v| *v <= high + 1e-9 * step)
            .collect();
        let largest = values.iter().fold(0f64, |largest, v| largest.max(v.abs()));
        let exponent = if largest > 0.0 {
            largest.log10().floor() as i32
        } else {
            0
        };
        // A common power of 10 goes to the label.
        let exponent = if (-3..=5).contains(&exponent) {
            0
        } else {
            exponent
        };
        if exponent != 0 {
            self.label = format!("{} (×10{})", self.label, superscript(exponent))
                .trim_start()
                .into();
        }
        let decimals = (exponent - step.log10().floor() as i32).clamp(0, 12) as usize;
        for value in values {
            // + 0.0, because −0 would keep its sign.
            self.mark(
                value,
                format!("{:.decimals$}", value / 10f64.powi(exponent) + 0.0),
            );
        }
    }

    /// Ticks at powers of 10, or where these are few at 1, 2 and 5 times them, or as on a linear axis.
    fn mark_logarithmic(&mut self, steps: f64) {
        let (first, last) = (self.low.floor() as i32, self.high.ceil() as i32);
        let powers = self.high.floor() as i32 - self.low.ceil() as i32 + 1;
        let plain = first >= -4 && last <= 5;
        let text = |m: i32, e: i32| match (plain, m) {
            (true, _) => format!(
                "{:.*}",
                e.min(0).unsigned_abs() as usize,
                f64::from(m) * 10f64.powi(e)
            ),
            (false, 1) => format!("10{}", superscript(e)),
            (false, _) => format!("{m}×10{}", superscript(e)),
        };
        if powers >= 3 {
            let every = (powers + 7) / 8;
            for e in (first..=last).filter(|e| e.rem_euclid(every) == 0) {
                self.mark(10f64.powi(e), text(1, e));
            }
            return;
        }
        for e in first..=last {
            for m in [1, 2, 5] {
                self.mark(f64::from(m) * 10f64.powi(e), text(m, e));
            }
        }
        if self.ticks.len() < 3 {
            self.ticks.clear();
            self.mark_linear(
                10f64.powf(self.low),
                10f64.powf(self.high).min(f64::MAX),
                false,
                steps,
            );
        }
    }

    /// The width of the widest tick.
    fn width(&self) -> f64 {
        self.ticks
            .iter()
            .map(|(_, text)| font::width(text, SMALL))
            .fold(0.0, f64::max)
    }
}

/// To plotters an axis is its ticks, by their numbers.
impl Ranged for &Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = usize;

    fn map(&self, tick: &usize, (start, end): (i32, i32)) -> i32 {
        let place = self.ticks.get(*tick).map_or(0.0, |(place, _)| *place);
        (f64::from(start) + place * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<usize> {
        // None between them.
        if hint.weight().allow_light_points() {
            vec![]
        } else {
            (0..self.ticks.len()).collect()
        }
    }

    fn range(&self) -> Range<usize> {
        0..self.ticks.len()
    }
}

impl ValueFormatter<usize> for &Axis {
    fn format_ext(&self, tick: &usize) -> String {
        self.ticks
            .get(*tick)
            .map_or_else(String::new, |(_, text)| text.clone())
    }
}

fn superscript(exponent: i32) -> String {
    let digit = |letter: char| match letter {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        _ => letter
            .to_digit(10)
            .and_then(|digit| char::from_u32('⁰' as u32 + digit))
            .unwrap_or(letter),
    };
    exponent.to_string().chars().map(digit).collect()
}

fn style(size: f64) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", size * f64::from(UNITS)).into_font())
}

/// Draws a chart with two axes into `room`; returns the rectangle between them.
pub(super) fn chart(canvas: &Canvas, room: Rect, x: &Axis, y: &Axis) -> Result<Rect> {
    let units = |pixels: f64| (pixels * f64::from(UNITS)).round() as i32;
    let Rect {
        left,
        top,
        right,
        bottom,
    } = room;
    let all = canvas.bounds();
    // Plotters would draw a chart without room, somewhere.
    let (wide, high) = (
        room.width() - y.width() - LABEL - 36.0,
        room.height() - 2.0 * SMALL - LABEL - 8.0,
    );
    if wide < 40.0 || high < 40.0 {
        let given = format!("{wide:.0} × {high:.0} pixels for a chart");
        return Err(Error::new(
            ErrorKind::Value,
            "plot",
            "a picture with room for its parts",
            given,
        ));
    }
    let root = plotters::drawing::IntoDrawingArea::into_drawing_area(canvas.clone());
    let mut chart = ChartBuilder::on(&root)
        .margin_left(units(left))
        .margin_top(units(top))
        // Half of the last number at the x axis.
        .margin_right(units(all.right - right + 16.0))
        .margin_bottom(units(all.bottom - bottom))
        .x_label_area_size(units(2.0 * SMALL + LABEL + 8.0))
        .y_label_area_size(units(y.width() + LABEL + 20.0))
        .build_cartesian_2d(x, y)
        .map_err(refused)?;
    let line = |color: RGBColor| ShapeStyle {
        color: color.to_rgba(),
        filled: false,
        stroke_width: UNITS as u32,
    };
    chart
        .configure_mesh()
        .light_line_style(line(RGBColor(225, 225, 225)))
        .bold_line_style(line(RGBColor(225, 225, 225)))
        .axis_style(line(RGBColor(0, 0, 0)))
        .set_all_tick_mark_size(units(4.0))
        .x_label_style(style(SMALL).pos(Pos::new(HPos::Center, VPos::Top)))
        .y_label_style(style(SMALL).pos(Pos::new(HPos::Right, VPos::Center)))
        .axis_desc_style(style(LABEL))
        .x_desc(font::fit(&x.label, LABEL, room.width()))
        .y_desc(font::fit(&y.label, LABEL, room.height()))
        .draw()
        .map_err(refused)?;
    let (x, y) = chart.plotting_area().get_pixel_range();
    let pixels = |units: i32| f64::from(units) / f64::from(UNITS);
    Ok(Rect {
        left: pixels(x.start),
        top: pixels(y.start),
        right: pixels(x.end - 1),
        bottom: pixels(y.end - 1),
    })
}

/// What stands before a name in a legend.
#[derive(Debug)]
pub(super) enum Sample {
    Line {
        color: Rgb,
        dash: &'static [f64],
        marker: usize,
    },
    /// A marker of a class on the color of its region.
    Class {
        region: Rgb,
        marker: usize,
        fill: Rgb,
    },
    Star,
}

/// Writes a legend at the top of `room`, in as many rows as it needs; returns what is left below.
pub(super) fn legend(canvas: &Canvas, mut room: Rect, entries: &[(Sample, String)]) -> Rect {
    let (size, row, gap) = (13.0, 20.0, 20.0);
    let sample = |sample: &Sample| {
        if matches!(sample, Sample::Line { .. }) {
            38.0
        } else {
            20.0
        }
    };
    let widest = room.width();
    let entries: Vec<_> = entries
        .iter()
        .map(|(kind, name)| {
            let name = font::fit(name, size, widest - sample(kind) - 6.0);
            let width = sample(kind) + 6.0 + font::width(&name, size);
            (kind, name, width)
        })
        .collect();
    let mut rest = &entries[..];
    while !rest.is_empty() {
        let mut used = 0.0;
        let fits = |entry: &&(&Sample, String, f64)| {
            used += entry.2 + if used > 0.0 { gap } else { 0.0 };
            used <= widest + 1e-6
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (now, later) = rest.split_at(count);
        rest = later;
        let total: f64 = now.iter().map(|entry| entry.2).sum::<f64>() + gap * (count - 1) as f64;
        let (mut x, y) = (room.left + (widest - total) / 2.0, room.top + row / 2.0);
        for (kind, name, width) in now {
            let (end, middle) = (x + sample(kind), (x + sample(kind) / 2.0, y));
            draw_sample(canvas, kind, x, middle);
            canvas.text(name.clone(), (end + 6.0, y), size, BLACK, Anchor::Start);
            x += width + gap;
        }
        room.top += row;
    }
    room.top += 6.0;
    room
}

fn draw_sample(canvas: &Canvas, sample: &Sample, left: f64, middle: Point) {
    use super::style;
    match sample {
        Sample::Line {
            color,
            dash,
            marker,
        } => {
            canvas.line(
                vec![(left, middle.1), (2.0 * middle.0 - left, middle.1)],
                *color,
                2.0,
                dash,
            );
            canvas.area(
                style::marker(*marker, middle, 4.0),
                *color,
                super::canvas::WHITE,
                0.8,
            );
        }
        Sample::Class {
            region,
            marker,
            fill,
        } => {
            canvas.area(style::marker(1, middle, 9.0), *region, BLACK, 0.8);
            canvas.area(style::marker(*marker, middle, 4.5), *fill, BLACK, 1.0);
        }
        Sample::Star => canvas.area(style::star(middle, 8.0), super::canvas::WHITE, BLACK, 1.2),
    }
}

/// Draws a bar of the colors from 0 (below) to 1 into the right of `room`, with numbers and a label; returns what is left of it.
pub(super) fn bar(
    canvas: &Canvas,
    room: Rect,
    label: &str,
    ticks: &[(f64, String)],
    color: fn(f64) -> Rgb,
) -> Rect {
    let widest = ticks
        .iter()
        .map(|(_, text)| font::width(text, SMALL))
        .fold(0.0, f64::max);
    let right = room.right - LABEL - 10.0 - widest;
    let (height, middle) = (room.height().min(400.0), room.middle().1);
    let bar = Rect {
        left: right - 16.0 - 8.0,
        top: middle - height / 2.0,
        right: right - 8.0,
        bottom: middle + height / 2.0,
    };
    canvas.image(
        bar,
        1,
        (0..256)
            .rev()
            .map(|k| color(f64::from(k) / 255.0))
            .collect(),
    );
    canvas.frame(bar);
    for (place, text) in ticks {
        let (x, y) = bar.at(1.0, *place);
        canvas.line(vec![(x, y), (x + 4.0, y)], BLACK, 1.0, &[]);
        canvas.text(
            text.clone(),
            (x + 8.0, y.clamp(bar.top + 4.0, bar.bottom - 4.0)),
            SMALL,
            BLACK,
            Anchor::Start,
        );
    }
    canvas.turned(
        font::fit(label, LABEL, room.height()),
        (room.right - LABEL / 2.0, middle),
        LABEL,
        Anchor::Middle,
    );
    Rect {
        right: bar.left - 20.0,
        ..room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn around(values: &[f64], log: bool, whole: bool) -> Axis {
        Axis::around("y", values.iter().copied(), log, whole, 7.0).unwrap()
    }

    #[test]
    fn linear_ticks() {
        assert_eq!(
            texts(&around(&[0.0, 1.0], false, false)),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            texts(&around(&[-3.0, 3.0], false, false)),
            ["−3", "−2", "−1", "0", "1", "2", "3"]
        );
        assert_eq!(texts(&around(&[0.0, 2.0], false, true)), ["0", "1", "2"]);
        assert_eq!(texts(&around(&[7.0], false, true)), ["7"]);
        let large = around(&[0.0, 3e9], false, false);
        assert_eq!(large.label, "y (×10⁹)");
        assert_eq!(
            texts(&large),
            ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]
        );
    }

    #[test]
    fn logarithmic_ticks() {
        assert_eq!(
            texts(&around(&[1e-3, 1.0], true, false)),
            ["0.001", "0.01", "0.1", "1"]
        );
        assert_eq!(
            texts(&around(&[1e-8, 1e-2], true, false)),
            ["10⁻⁸", "10⁻⁷", "10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²"]
        );
        assert_eq!(
            texts(&around(&[1.0, 10.0], true, false)),
            ["1", "2", "5", "10"]
        );
        assert_eq!(
            texts(&around(&[100.0, 130.0], true, false)),
            ["100", "105", "110", "115", "120", "125", "130"]
        );
        assert!(Axis::around("y", [0.0, -1.0, f64::NAN].into_iter(), true, false, 6.0).is_none());
    }

    /// Whatever the numbers, an axis has increasing ticks within it, and each number its place.
    #[test]
    fn wild_numbers() {
        let wild = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            5e-324,
            1e-300,
            -1e-300,
            1e-17,
            1e16,
            1e16 + 2.0,
            1.0 + f64::EPSILON,
            1e300,
            f64::MAX,
            -f64::MAX,
            f64::MIN_POSITIVE,
        ];
        for a in wild {
            for b in wild {
                for (log, whole) in [(false, false), (false, true), (true, false)] {
                    let Some(axis) = Axis::around(
                        "y",
                        [a, b, f64::NAN, f64::INFINITY].into_iter(),
                        log,
                        whole,
                        6.0,
                    ) else {
                        assert!(log && a < TINY && b < TINY);
                        continue;
                    };
                    assert!(
                        !axis.ticks.is_empty() && axis.ticks.len() <= 13,
                        "{a:e} {b:e} {log} {whole}: {axis:?}"
                    );
                    assert!(
                        axis.ticks.windows(2).all(|pair| pair[0].0 < pair[1].0),
                        "{a:e} {b:e} {log}: {axis:?}"
                    );
                    for v in [a, b] {
                        match axis.place(v) {
                            Some(place) => {
                                assert!((0.0..=1.0).contains(&place), "{v:e} on {axis:?}")
                            }
                            None => assert!(log && v < TINY),
                        }
                    }
                }
            }
        }
    }
}
