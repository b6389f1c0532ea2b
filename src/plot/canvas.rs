//! Where pictures are drawn: a list of shapes that grows.

use super::figure::Figure;
use super::font;
use super::shape::{Anchor, Point, Rgb, Shape};
use crate::error::{Error, ErrorKind, Result};

/// Width and height of a picture that was not given any.
pub(super) const SIZE: (u32, u32) = (800, 600);

/// The setting of a picture's size, in a struct with the field `size`.
macro_rules! sized {
    () => {
        /// Width and height in pixels, 200 to 8192 each; 800 × 600 without. Texts stay as large as
        /// they are: [`Figure::scale`](crate::plot::Figure::scale) makes all of it larger.
        #[must_use]
        pub fn size(self, width: u32, height: u32) -> Self {
            Self {
                size: (width, height),
                ..self
            }
        }
    };
}
pub(super) use sized;

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(super) fn middle(&self) -> Point {
        (
            (self.left + self.right) / 2.0,
            (self.top + self.bottom) / 2.0,
        )
    }

    /// The point at fractions of the width, from the left, and of the height, from below.
    pub(super) fn at(&self, x: f64, y: f64) -> Point {
        (
            self.left + x * self.width(),
            self.bottom - y * self.height(),
        )
    }
}

/// A picture being drawn.
#[derive(Debug)]
pub(super) struct Canvas {
    /// How errors call the picture.
    place: String,
    width: u32,
    height: u32,
    shapes: Vec<Shape>,
}

impl Canvas {
    /// A white canvas for the picture that errors call `place`.
    pub(super) fn new(place: &str, (width, height): (u32, u32)) -> Result<Self> {
        let range = 200..=8192;
        if !(range.contains(&width) && range.contains(&height)) {
            let given = format!("{width} × {height}");
            return Err(Error::new(
                ErrorKind::Value,
                format!("size of {place}"),
                "200 to 8192 pixels each way",
                given,
            ));
        }
        Ok(Self {
            place: place.into(),
            width,
            height,
            shapes: vec![],
        })
    }

    pub(super) fn bounds(&self) -> Rect {
        Rect {
            left: 0.0,
            top: 0.0,
            right: f64::from(self.width),
            bottom: f64::from(self.height),
        }
    }

    /// A path. If it is a pixel wide, as axes and frames are, it lies on the middles of pixels and
    /// is sharp.
    pub(super) fn line(&mut self, mut points: Vec<Point>, color: Rgb, width: f64, dash: &[f64]) {
        if width == 1.0 {
            points
                .iter_mut()
                .for_each(|(x, y)| (*x, *y) = (x.floor() + 0.5, y.floor() + 0.5));
        }
        self.shapes.push(Shape::Line {
            points,
            color,
            width,
            dash: dash.to_vec(),
        });
    }

    pub(super) fn area(&mut self, points: Vec<Point>, fill: Rgb, outline: Rgb, width: f64) {
        self.shapes.push(Shape::Area {
            points,
            fill,
            opacity: 1.0,
            outline,
            width,
        });
    }

    /// A polygon through which one sees what lies below.
    pub(super) fn veil(&mut self, points: Vec<Point>, fill: Rgb) {
        self.shapes.push(Shape::Area {
            points,
            fill,
            opacity: 0.25,
            outline: fill,
            width: 0.0,
        });
    }

    pub(super) fn circle(
        &mut self,
        center: Point,
        radius: f64,
        fill: Rgb,
        outline: Rgb,
        width: f64,
    ) {
        self.shapes.push(Shape::Circle {
            center,
            radius,
            fill,
            outline,
            width,
        });
    }

    /// An empty rectangle.
    pub(super) fn frame(&mut self, r: Rect) {
        let corners = vec![
            (r.left, r.top),
            (r.right, r.top),
            (r.right, r.bottom),
            (r.left, r.bottom),
            (r.left, r.top),
        ];
        self.line(corners, BLACK, 1.0, &[]);
    }

    /// A text whose middle line passes through `at`.
    pub(super) fn text(
        &mut self,
        text: impl Into<String>,
        at: Point,
        size: f64,
        color: Rgb,
        anchor: Anchor,
    ) {
        let at = (at.0, at.1 + font::MIDDLE * size);
        self.shapes.push(Shape::Text {
            text: in_line(text.into()),
            at,
            size,
            color,
            anchor,
            turned: false,
        });
    }

    /// A text that reads from bottom to top, whose middle line passes through `at`.
    pub(super) fn turned(&mut self, text: impl Into<String>, at: Point, size: f64, anchor: Anchor) {
        let at = (at.0 + font::MIDDLE * size, at.1);
        self.shapes.push(Shape::Text {
            text: in_line(text.into()),
            at,
            size,
            color: BLACK,
            anchor,
            turned: true,
        });
    }

    pub(super) fn image(&mut self, r: Rect, cols: usize, colors: Vec<Rgb>) {
        self.shapes.push(Shape::Image {
            at: (r.left, r.top),
            size: (r.width(), r.height()),
            cols,
            colors,
        });
    }

    /// The title over the picture; returns what is left below it, with a margin.
    pub(super) fn title(&mut self, title: &str) -> Rect {
        let Rect { right, bottom, .. } = self.bounds();
        let size = 18.0;
        let rest = |top| Rect {
            left: 12.0,
            top,
            right: right - 12.0,
            bottom: bottom - 12.0,
        };
        if title.is_empty() {
            return rest(12.0);
        }
        self.text(
            font::fit(title, size, right - 24.0),
            (right / 2.0, 22.0),
            size,
            BLACK,
            Anchor::Middle,
        );
        rest(42.0)
    }

    /// The picture; an error for a letter that is not in the font.
    pub(super) fn finish(self) -> Result<Figure> {
        let unknown = |shape: &Shape| match shape {
            Shape::Text { text, .. } => {
                let letter = text.chars().find(|c| font::letter(*c).is_none())?;
                Some((text.clone(), letter))
            }
            _ => None,
        };
        if let Some((text, letter)) = self.shapes.iter().find_map(unknown) {
            return Err(Error::new(
                ErrorKind::Value,
                format!("text {text:?} of {}", self.place),
                "Latin, Greek and Cyrillic letters, digits and signs that the font has",
                format!("{letter:?} (U+{:04X})", u32::from(letter)),
            ));
        }
        Ok(Figure {
            width: self.width,
            height: self.height,
            shapes: self.shapes,
            light_dark: false,
            scale: 1.0,
        })
    }
}

/// A text in one line: ends of lines and tabs are spaces.
fn in_line(text: String) -> String {
    if text.contains(char::is_control) {
        text.replace(char::is_control, " ")
    } else {
        text
    }
}

pub(super) const BLACK: Rgb = [0; 3];
pub(super) const WHITE: Rgb = [255; 3];
