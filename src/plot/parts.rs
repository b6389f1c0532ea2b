//! What several pictures have: charts with two axes, legends, bars of colors.

use super::axes::{Axis, LABEL, SMALL};
use super::canvas::{BLACK, Canvas, Rect, WHITE};
use super::font;
use super::shape::{Anchor, Point, Rgb};
use super::style;
use crate::error::{Error, ErrorKind, Result};

/// How far ticks reach out of a chart; its numbers stand twice as far.
const TICK: f64 = 4.0;

/// The gray of the lines across a chart.
const MESH: Rgb = [225; 3];

/// The rectangle between the axes of a chart in `room`.
fn between(room: Rect, y: &Axis) -> Rect {
    let beside = if y.label.is_empty() { 0.0 } else { LABEL + 8.0 };
    Rect {
        left: room.left + y.width() + beside + 12.0,
        top: room.top,
        // Half of the last number at the x axis.
        right: room.right - 16.0,
        bottom: room.bottom - 2.0 * SMALL - LABEL - 8.0,
    }
}

/// The part of `room`, in its middle, in which a chart is as wide as high.
pub(super) fn squared(room: Rect, y: &Axis) -> Rect {
    let inside = between(room, y);
    let excess = inside.width() - inside.height();
    let (across, down) = (excess.max(0.0) / 2.0, (-excess).max(0.0) / 2.0);
    Rect {
        left: room.left + across,
        right: room.right - across,
        top: room.top + down,
        bottom: room.bottom - down,
    }
}

/// Draws a chart with two axes into `room`; returns the rectangle between them.
pub(super) fn chart(canvas: &mut Canvas, room: Rect, x: &Axis, y: &Axis) -> Result<Rect> {
    let inside = between(room, y);
    if inside.width() < 40.0 || inside.height() < 40.0 {
        let given = format!(
            "{:.0} × {:.0} pixels for a chart",
            inside.width(),
            inside.height()
        );
        return Err(Error::new(
            ErrorKind::Value,
            "plot",
            "a picture with room for its parts",
            given,
        ));
    }
    let Rect {
        left,
        top,
        right,
        bottom,
    } = inside;
    for (place, _) in &x.ticks {
        canvas.line(
            vec![inside.at(*place, 0.0), inside.at(*place, 1.0)],
            MESH,
            1.0,
            &[],
        );
    }
    for (place, _) in y.ticks.iter().take_while(|_| y.mesh) {
        canvas.line(
            vec![inside.at(0.0, *place), inside.at(1.0, *place)],
            MESH,
            1.0,
            &[],
        );
    }
    canvas.line(
        vec![(left, top), (left, bottom), (right, bottom)],
        BLACK,
        1.0,
        &[],
    );
    for (place, text) in &x.ticks {
        let (x, y) = inside.at(*place, 0.0);
        canvas.line(vec![(x, y), (x, y + TICK)], BLACK, 1.0, &[]);
        canvas.text(
            text.as_str(),
            (x, y + 2.0 * TICK + SMALL / 2.0),
            SMALL,
            BLACK,
            Anchor::Middle,
        );
    }
    for (place, text) in &y.ticks {
        let (x, y) = inside.at(0.0, *place);
        canvas.line(vec![(x - TICK, y), (x, y)], BLACK, 1.0, &[]);
        canvas.text(
            text.as_str(),
            (x - 2.0 * TICK, y),
            SMALL,
            BLACK,
            Anchor::End,
        );
    }
    let (middle, center) = inside.middle();
    // It may be wider than the chart.
    let whole = canvas.bounds();
    let side = (middle - whole.left).min(whole.right - middle);
    let label = font::fit(&x.label, LABEL, 2.0 * (side - 12.0));
    canvas.text(
        label,
        (middle, room.bottom - LABEL / 2.0),
        LABEL,
        BLACK,
        Anchor::Middle,
    );
    let label = font::fit(&y.label, LABEL, room.height());
    canvas.turned(
        label,
        (room.left + LABEL / 2.0, center),
        LABEL,
        Anchor::Middle,
    );
    Ok(inside)
}

/// What stands before a name in a legend.
#[derive(Debug)]
pub(super) enum Sample {
    Line {
        color: Rgb,
        width: f64,
        dash: &'static [f64],
        marker: Option<usize>,
    },
    Marker {
        color: Rgb,
        marker: usize,
    },
    Band(Rgb),
    /// A marker of a class on the color of its region.
    Class {
        region: Rgb,
        marker: usize,
        fill: Rgb,
    },
    Bar(Rgb),
    Star,
}

/// Writes a legend at the top of `room`, in as many rows as it needs; returns what is left below.
pub(super) fn legend(canvas: &mut Canvas, mut room: Rect, entries: &[(Sample, String)]) -> Rect {
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

fn draw_sample(canvas: &mut Canvas, sample: &Sample, left: f64, middle: Point) {
    match sample {
        Sample::Line {
            color,
            width,
            dash,
            marker: shape,
        } => {
            let right = 2.0 * middle.0 - left;
            canvas.line(
                vec![(left, middle.1), (right, middle.1)],
                *color,
                *width,
                dash,
            );
            if let Some(shape) = shape {
                series_marker(canvas, *shape, middle, 4.0, *color);
            }
        }
        Sample::Marker {
            color,
            marker: shape,
        } => series_marker(canvas, *shape, middle, 4.0, *color),
        Sample::Band(color) => {
            let (x, y) = middle;
            let corners = [(-8.0, -6.0), (8.0, -6.0), (8.0, 6.0), (-8.0, 6.0)];
            canvas.veil(corners.map(|(dx, dy)| (x + dx, y + dy)).into(), *color);
        }
        Sample::Class {
            region,
            marker: shape,
            fill,
        } => {
            marker(canvas, SQUARE, middle, 9.0, (*region, BLACK), 0.8);
            marker(canvas, *shape, middle, 4.5, (*fill, BLACK), 1.0);
        }
        Sample::Bar(color) => marker(canvas, SQUARE, middle, 7.0, (*color, *color), 0.0),
        Sample::Star => canvas.area(style::star(middle, 8.0), WHITE, BLACK, 1.2),
    }
}

/// The marker that is a square.
const SQUARE: usize = 1;

/// Draws a marker with a fill and an outline of some width.
pub(super) fn marker(
    canvas: &mut Canvas,
    index: usize,
    center: Point,
    radius: f64,
    (fill, outline): (Rgb, Rgb),
    width: f64,
) {
    match style::marker(index) {
        [] => canvas.circle(center, radius, fill, outline, width),
        corners => {
            let place = |(x, y): &Point| (center.0 + x * radius, center.1 - y * radius);
            canvas.area(corners.iter().map(place).collect(), fill, outline, width);
        }
    }
}

/// Draws the marker of a series: full, and when there are no more forms hollow.
pub(super) fn series_marker(
    canvas: &mut Canvas,
    index: usize,
    center: Point,
    radius: f64,
    color: Rgb,
) {
    if style::is_hollow(index) {
        marker(canvas, index, center, radius - 0.4, (WHITE, color), 1.5);
    } else {
        marker(canvas, index, center, radius, (color, WHITE), 0.8);
    }
}

/// A bar of the colors from 0 (below) to 1, with numbers and a label, at the right of a picture.
pub(super) struct ColorBar {
    pub(super) label: String,
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) color: fn(f64) -> Rgb,
}

impl ColorBar {
    /// The right edge of the colors, if all lies in `room`.
    fn right(&self, room: Rect) -> f64 {
        let widths = self.ticks.iter().map(|(_, text)| font::width(text, SMALL));
        room.right - LABEL - 18.0 - widths.fold(0.0, f64::max)
    }

    /// What is left of `room` for the picture.
    pub(super) fn beside(&self, room: Rect) -> Rect {
        Rect {
            right: self.right(room) - 36.0,
            ..room
        }
    }

    /// Draws the bar into the right of `room`, as high as what it explains.
    pub(super) fn draw(&self, canvas: &mut Canvas, room: Rect, picture: Rect) {
        let right = self.right(room);
        let bar = Rect {
            left: right - 16.0,
            right,
            ..picture
        };
        let shades = (0..256).rev().map(|k| (self.color)(f64::from(k) / 255.0));
        canvas.image(bar, 1, shades.collect());
        canvas.frame(bar);
        for (place, text) in &self.ticks {
            let (x, y) = bar.at(1.0, *place);
            canvas.line(vec![(x, y), (x + TICK, y)], BLACK, 1.0, &[]);
            canvas.text(
                text.clone(),
                (x + 2.0 * TICK, y.clamp(bar.top + 4.0, bar.bottom - 4.0)),
                SMALL,
                BLACK,
                Anchor::Start,
            );
        }
        canvas.turned(
            font::fit(&self.label, LABEL, bar.height()),
            (room.right - LABEL / 2.0, bar.middle().1),
            LABEL,
            Anchor::Middle,
        );
    }
}
