//! Shapes as pixels: how much of each pixel a shape covers, blended in order.

use super::font::{self, Segment};
use super::shape::{Anchor, Point, Rgb, Shape, circle};
use ab_glyph_rasterizer::{Rasterizer, point};

/// An opaque picture, row after row.
pub(super) struct Pixels {
    width: usize,
    height: usize,
    pub rgb: Vec<u8>,
}

impl Pixels {
    pub(super) fn white(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self {
            width,
            height,
            rgb: vec![255; width * height * 3],
        }
    }

    pub(super) fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Line {
                points,
                color,
                width,
                dash,
            } => {
                for points in dashes(points, dash) {
                    self.stroke(&points, *color, *width);
                }
            }
            Shape::Area {
                points,
                fill,
                opacity,
                outline,
                width,
            } => self.area(points, (*fill, *opacity), *outline, *width),
            Shape::Circle {
                center,
                radius,
                fill,
                outline,
                width,
            } => {
                // Of circles as large as those of print, the corners are not seen, either.
                let corners = (8.0 * radius.sqrt()).ceil().max(24.0) as u32;
                let points = circle(*center, *radius, corners);
                self.area(&points, (*fill, 1.0), *outline, *width);
            }
            Shape::Text {
                text,
                at,
                size,
                color,
                anchor,
                turned,
            } => self.text(text, *at, *size, *color, *anchor, *turned),
            Shape::Image {
                at,
                size,
                cols,
                colors,
            } => self.image(*at, *size, *cols, colors),
        }
    }

    fn area(&mut self, points: &[Point], fill: (Rgb, f64), outline: Rgb, width: f64) {
        self.fill(points, 1.0, fill, |pen| pen.polygon(points));
        let closed: Vec<_> = points.iter().chain(points.first()).copied().collect();
        self.stroke(&closed, outline, width);
    }

    /// Blends a color of an opacity where what the pen draws covers; all of it lies within `margin`
    /// of the points.
    fn fill(
        &mut self,
        points: &[Point],
        margin: f64,
        (color, opacity): (Rgb, f64),
        draw: impl FnOnce(&mut Pen),
    ) {
        let bounds = |pick: fn(&Point) -> f64| {
            let low = points.iter().map(pick).fold(f64::INFINITY, f64::min) - margin;
            let high = points.iter().map(pick).fold(f64::NEG_INFINITY, f64::max) + margin;
            (low.floor(), high.ceil())
        };
        let ((left, right), (top, bottom)) = (bounds(|p| p.0), bounds(|p| p.1));
        if points.is_empty() {
            return;
        }
        // The rasteriser wants all of a shape inside; one pixel more, because it rounds.
        let mut pen = Pen {
            raster: Rasterizer::new((right - left) as usize + 2, (bottom - top) as usize + 2),
            origin: (left, top),
        };
        draw(&mut pen);
        pen.raster.for_each_pixel_2d(|x, y, coverage| {
            let (x, y) = (left + f64::from(x), top + f64::from(y));
            if coverage <= 0.0
                || x < 0.0
                || y < 0.0
                || x >= self.width as f64
                || y >= self.height as f64
            {
                return;
            }
            let first = (y as usize * self.width + x as usize) * 3;
            for (channel, new) in self.rgb[first..first + 3].iter_mut().zip(color) {
                let old = f32::from(*channel);
                let share = coverage.min(1.0) * opacity as f32;
                *channel = (old + (f32::from(new) - old) * share).round() as u8;
            }
        });
    }

    /// A path of a width, with round joins.
    fn stroke(&mut self, points: &[Point], color: Rgb, width: f64) {
        let half = width / 2.0;
        if half <= 0.0 {
            return;
        }
        self.fill(points, half + 1.0, (color, 1.0), |pen| {
            for ends in points.windows(2) {
                let ((x0, y0), (x1, y1)) = (ends[0], ends[1]);
                let length = (x1 - x0).hypot(y1 - y0);
                if length > 0.0 {
                    let (nx, ny) = (half * (y1 - y0) / length, -half * (x1 - x0) / length);
                    pen.polygon(&[
                        (x0 + nx, y0 + ny),
                        (x1 + nx, y1 + ny),
                        (x1 - nx, y1 - ny),
                        (x0 - nx, y0 - ny),
                    ]);
                }
            }
            // A thin line shows no gap where it bends.
            if half > 0.6 {
                for joint in points
                    .get(1..points.len().saturating_sub(1))
                    .unwrap_or_default()
                {
                    pen.polygon(&circle(*joint, half, 12));
                }
            }
        });
    }

    fn text(&mut self, text: &str, at: Point, size: f64, color: Rgb, anchor: Anchor, turned: bool) {
        let width = font::width(text, size);
        let start = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        // From the text's own directions, along the line and up, to the picture's.
        let place = |along: f64, up: f64| {
            if turned {
                (at.0 - up, at.1 - along)
            } else {
                (at.0 + along, at.1 - up)
            }
        };
        let corners = [place(start, -size), place(start + width, size)];
        let scale = size / font::UNITS;
        self.fill(&corners, size, (color, 1.0), |pen| {
            let mut along = start;
            for (advance, outline) in text.chars().filter_map(font::letter) {
                pen.outline(outline, |(x, y)| place(along + x * scale, y * scale));
                along += f64::from(advance) * scale;
            }
        });
    }

    /// Each pixel has the color of the cell in which its middle lies.
    fn image(&mut self, at: Point, size: Point, cols: usize, colors: &[Rgb]) {
        let rows = colors.len() / cols;
        let cell = |pixel: usize, start: f64, length: f64, cells: usize| {
            let place = (pixel as f64 + 0.5 - start) / length * cells as f64;
            (place >= 0.0 && place < cells as f64).then_some(place as usize)
        };
        for y in 0..self.height {
            let Some(row) = cell(y, at.1, size.1, rows) else {
                continue;
            };
            for x in 0..self.width {
                if let Some(col) = cell(x, at.0, size.0, cols) {
                    let first = (y * self.width + x) * 3;
                    self.rgb[first..first + 3].copy_from_slice(&colors[row * cols + col]);
                }
            }
        }
    }
}

/// Draws outlines into a rasteriser whose first pixel is `origin`.
struct Pen {
    raster: Rasterizer,
    origin: Point,
}

impl Pen {
    fn local(&self, (x, y): Point) -> ab_glyph_rasterizer::Point {
        point((x - self.origin.0) as f32, (y - self.origin.1) as f32)
    }

    /// Overlapping polygons add up where they turn the same way.
    fn polygon(&mut self, points: &[Point]) {
        for (from, to) in points.iter().zip(points.iter().cycle().skip(1)) {
            self.raster.draw_line(self.local(*from), self.local(*to));
        }
    }

    /// The outline of a letter, whose points lie where `place` says.
    fn outline(&mut self, segments: impl Iterator<Item = Segment>, place: impl Fn(Point) -> Point) {
        let (mut start, mut last) = (point(0.0, 0.0), point(0.0, 0.0));
        for segment in segments {
            last = match segment {
                Segment::Move(to) => {
                    start = self.local(place(to));
                    start
                }
                Segment::Line(to) => {
                    let to = self.local(place(to));
                    self.raster.draw_line(last, to);
                    to
                }
                Segment::Curve(control, to) => {
                    let to = self.local(place(to));
                    self.raster.draw_quad(last, self.local(place(control)), to);
                    to
                }
                Segment::Close => {
                    self.raster.draw_line(last, start);
                    start
                }
            };
        }
    }
}

/// The strokes of a dashed path; the path itself without a pattern.
fn dashes(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    let (Some(first), Some(mut left)) = (points.first(), pattern.first().copied()) else {
        return vec![points.to_vec()];
    };
    let (mut strokes, mut stroke, mut part) = (Vec::new(), vec![*first], 0);
    for ends in points.windows(2) {
        let (mut from, to) = (ends[0], ends[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                if part % 2 == 0 {
                    stroke.push(to);
                }
                break;
            }
            from = (
                from.0 + (to.0 - from.0) * left / length,
                from.1 + (to.1 - from.1) * left / length,
            );
            if part % 2 == 0 {
                stroke.push(from);
                strokes.push(std::mem::take(&mut stroke));
            } else {
                stroke = vec![from];
            }
            part = (part + 1) % pattern.len();
            left = pattern[part];
        }
    }
    if stroke.len() > 1 {
        strokes.push(stroke);
    }
    strokes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_round_corners() {
        let path = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0)];
        let expected = [vec![(0.0, 0.0), (3.0, 0.0)], vec![(4.0, 1.0), (4.0, 4.0)]];
        assert_eq!(dashes(&path, &[3.0, 2.0]), expected);
        assert_eq!(dashes(&path, &[]), [path.to_vec()]);
    }

    /// The area of a rectangle between pixels, and of a stroke with a bend, in gray.
    #[test]
    fn coverage_is_area() {
        let dark = |shape: Shape| {
            let mut pixels = Pixels::white(20, 20);
            pixels.draw(&shape);
            pixels
                .rgb
                .chunks(3)
                .map(|rgb| 1.0 - f64::from(rgb[0]) / 255.0)
                .sum::<f64>()
        };
        let points = vec![(2.25, 3.5), (9.75, 3.5), (9.75, 7.0), (2.25, 7.0)];
        let area = dark(Shape::Area {
            points,
            fill: [0; 3],
            opacity: 1.0,
            outline: [0; 3],
            width: 0.0,
        });
        assert!((area - 7.5 * 3.5).abs() < 0.1, "{area}");
        let line = dark(Shape::Line {
            points: vec![(2.0, 5.0), (12.0, 5.0)],
            color: [0; 3],
            width: 1.5,
            dash: vec![],
        });
        assert!((line - 15.0).abs() < 0.1, "{line}");
        // Beyond the edges nothing is drawn, and nothing breaks.
        let beyond = dark(Shape::Line {
            points: vec![(-50.0, 5.0), (50.0, 5.0)],
            color: [0; 3],
            width: 2.0,
            dash: vec![],
        });
        assert!((beyond - 40.0).abs() < 0.1, "{beyond}");
    }
}
