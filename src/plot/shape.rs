//! What pictures are made of.

/// A place in pixels, from the left and from the top.
pub(super) type Point = (f64, f64);

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// Where a text lies, seen from the point that it is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// What pictures are made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A path, with lengths of strokes and gaps, or none for an unbroken one.
    Line {
        points: Vec<Point>,
        color: Rgb,
        width: f64,
        dash: Vec<f64>,
    },
    /// A filled polygon with an outline of its own color and width; what lies below its fill is
    /// seen as far as the opacity is below 1.
    Area {
        points: Vec<Point>,
        fill: Rgb,
        opacity: f64,
        outline: Rgb,
        width: f64,
    },
    /// A filled circle with an outline of its own color and width.
    Circle {
        center: Point,
        radius: f64,
        fill: Rgb,
        outline: Rgb,
        width: f64,
    },
    /// A text on a base line that begins, has its middle or ends at a point; turned, it reads from
    /// bottom to top.
    Text {
        text: String,
        at: Point,
        size: f64,
        color: Rgb,
        anchor: Anchor,
        turned: bool,
    },
    /// A table of colors, row after row, stretched over a rectangle without smoothing.
    Image {
        at: Point,
        size: Point,
        cols: usize,
        colors: Vec<Rgb>,
    },
}

impl Shape {
    /// The same shape in a picture whose sides are `factor` times as long.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        let point = |(x, y): &Point| (factor * x, factor * y);
        let all = |points: &[Point]| points.iter().map(point).collect();
        let mut shape = self.clone();
        match &mut shape {
            Self::Line {
                points,
                width,
                dash,
                ..
            } => {
                *points = all(points);
                *width *= factor;
                *dash = dash.iter().map(|length| factor * length).collect();
            }
            Self::Area { points, width, .. } => {
                *points = all(points);
                *width *= factor;
            }
            Self::Circle {
                center,
                radius,
                width,
                ..
            } => {
                *center = point(center);
                *radius *= factor;
                *width *= factor;
            }
            Self::Text { at, size, .. } => {
                *at = point(at);
                *size *= factor;
            }
            Self::Image { at, size, .. } => {
                *at = point(at);
                *size = point(size);
            }
        }
        shape
    }
}

/// A regular polygon, as good as a circle at the sizes of pictures.
pub(super) fn circle(center: Point, radius: f64, corners: u32) -> Vec<Point> {
    let corner = |k: u32| (f64::from(k) / f64::from(corners) * std::f64::consts::TAU).sin_cos();
    (0..corners)
        .map(corner)
        .map(|(sin, cos)| (center.0 + radius * cos, center.1 + radius * sin))
        .collect()
}
