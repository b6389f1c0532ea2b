//! Where pictures are drawn: shapes directly, and charts as a backend of plotters.

use super::figure::{Anchor, Figure, Point, Rgb, Shape};
use super::{font, raster};
use crate::error::{Error, ErrorKind, Result};
use plotters::drawing::DrawingAreaErrorKind;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

/// Plotters counts in whole pixels. It is told of a picture so many times as large, so that its lines may lie between pixels.
pub(super) const UNITS: i32 = 16;

/// Width and height of a picture that was not given any.
pub(super) const SIZE: (u32, u32) = (800, 600);

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

/// A picture being drawn. Its clones draw on the same one.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    width: u32,
    height: u32,
    shapes: Rc<RefCell<Vec<Shape>>>,
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
            width,
            height,
            shapes: Rc::default(),
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

    fn push(&self, shape: Shape) {
        self.shapes.borrow_mut().push(shape);
    }

    /// A path. One of a single pixel, as axes and frames are, is laid on the middles of pixels, so that it is sharp.
    pub(super) fn line(
        &self,
        mut points: Vec<Point>,
        color: Rgb,
        width: f64,
        dash: &'static [f64],
    ) {
        if width == 1.0 {
            points
                .iter_mut()
                .for_each(|(x, y)| (*x, *y) = (x.floor() + 0.5, y.floor() + 0.5));
        }
        self.push(Shape::Line {
            points,
            color,
            width,
            dash,
        });
    }

    pub(super) fn area(&self, points: Vec<Point>, fill: Rgb, outline: Rgb, width: f64) {
        self.push(Shape::Area {
            points,
            fill,
            outline,
            width,
        });
    }

    /// An empty rectangle.
    pub(super) fn frame(&self, r: Rect) {
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
        &self,
        text: impl Into<String>,
        at: Point,
        size: f64,
        color: Rgb,
        anchor: Anchor,
    ) {
        let at = (at.0, at.1 + font::MIDDLE * size);
        self.push(Shape::Text {
            text: text.into(),
            at,
            size,
            color,
            anchor,
            turned: false,
        });
    }

    /// A text that reads from bottom to top, whose middle line passes through `at`.
    pub(super) fn turned(&self, text: impl Into<String>, at: Point, size: f64, anchor: Anchor) {
        let at = (at.0 + font::MIDDLE * size, at.1);
        self.push(Shape::Text {
            text: text.into(),
            at,
            size,
            color: BLACK,
            anchor,
            turned: true,
        });
    }

    pub(super) fn image(&self, r: Rect, cols: usize, colors: Vec<Rgb>) {
        self.push(Shape::Image {
            at: (r.left, r.top),
            size: (r.width(), r.height()),
            cols,
            colors,
        });
    }

    /// The title over the picture; returns what is left below it, with a margin.
    pub(super) fn title(&self, title: &str) -> Rect {
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

    pub(super) fn finish(self) -> Figure {
        Figure {
            width: self.width,
            height: self.height,
            shapes: self.shapes.take(),
        }
    }
}

pub(super) const BLACK: Rgb = [0; 3];
pub(super) const WHITE: Rgb = [255; 3];

/// What plotters says when it cannot draw: that something has no room.
pub(super) fn refused(error: DrawingAreaErrorKind<Infallible>) -> Error {
    Error::new(
        ErrorKind::Value,
        "plot",
        "a picture with room for its parts",
        error,
    )
}

type Drawn<T = ()> = std::result::Result<T, DrawingErrorKind<Infallible>>;

fn pixels((x, y): BackendCoord) -> Point {
    (
        f64::from(x) / f64::from(UNITS),
        f64::from(y) / f64::from(UNITS),
    )
}

/// A color over white.
fn solid(
    BackendColor {
        alpha,
        rgb: (r, g, b),
    }: BackendColor,
) -> Rgb {
    [r, g, b].map(|channel| (255.0 + (f64::from(channel) - 255.0) * alpha).round() as u8)
}

fn width(style: &impl BackendStyle) -> f64 {
    f64::from(style.stroke_width()) / f64::from(UNITS)
}

impl DrawingBackend for Canvas {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.width * UNITS as u32, self.height * UNITS as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        let ((x, y), side, color) = (pixels(point), 1.0 / f64::from(UNITS), solid(color));
        self.area(
            vec![(x, y), (x + side, y), (x + side, y + side), (x, y + side)],
            color,
            color,
            0.0,
        );
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (x0, y0): BackendCoord,
        (x1, y1): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)];
        if fill {
            self.fill_polygon(corners, style)
        } else {
            self.draw_path(corners.into_iter().chain([(x0, y0)]), style)
        }
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.line(
            path.into_iter().map(pixels).collect(),
            solid(style.color()),
            width(style),
            &[],
        );
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let corners = raster::circle(pixels(center), f64::from(radius) / f64::from(UNITS), 24);
        let color = solid(style.color());
        if fill {
            self.area(corners, color, color, 0.0);
        } else {
            self.line(
                corners.iter().chain(corners.first()).copied().collect(),
                color,
                width(style),
                &[],
            );
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        let color = solid(style.color());
        self.area(corners.into_iter().map(pixels).collect(), color, color, 0.0);
        Ok(())
    }

    /// With the crate's own font, whatever plotters has been built with.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let size = style.size() / f64::from(UNITS);
        let anchor = match style.anchor().h_pos {
            HPos::Left => Anchor::Start,
            HPos::Center => Anchor::Middle,
            HPos::Right => Anchor::End,
        };
        let below = size
            * match style.anchor().v_pos {
                VPos::Top => font::ASCENT,
                VPos::Center => font::MIDDLE,
                VPos::Bottom => -font::DESCENT,
            };
        let (x, y) = pixels(at);
        // Charts turn no text but that of an axis on the left.
        let turned = matches!(style.transform(), FontTransform::Rotate270);
        let at = if turned {
            (x + below, y)
        } else {
            (x, y + below)
        };
        self.push(Shape::Text {
            text: text.into(),
            at,
            size,
            color: solid(style.color()),
            anchor,
            turned,
        });
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(&self, text: &str, style: &S) -> Drawn<(u32, u32)> {
        Ok((
            font::width(text, style.size()).ceil() as u32,
            style.size().ceil() as u32,
        ))
    }
}
