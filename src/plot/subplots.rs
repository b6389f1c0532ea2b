//! Pictures of curves side by side.

use super::canvas::{BLACK, Canvas, Rect, SIZE, sized};
use super::curves::Curves;
use super::figure::Figure;
use super::font;
use super::parts::{Sample, legend};
use super::shape::{Anchor, Point};
use crate::error::Result;
use crate::numeric::bounds::{not_empty, some};

/// Draws several [`Curves`] side by side, for what is to be compared: all have the same axes, which
/// reach as far as the points of any, and one legend, in which series of the same name are one.
///
/// Series should come in the same order in each picture, for then they look the same.
///
/// ```
/// use chainrule::plot::{Curves, Subplots};
/// let picture = |name: &str, top: f64| {
///     Curves::new(name, "x", "y").line("y", &[(0.0, 0.0), (1.0, top)])
/// };
/// let figure = Subplots::new("Slopes", 2)
///     .add(picture("gentle", 0.1))
///     .add(picture("steep", 30.0))
///     .size(900, 400)
///     .draw()?;
/// let svg = figure.to_svg();
/// assert_eq!(svg.matches(">y</text>").count(), 3); // two axes and a legend
/// assert_eq!(svg.matches(">30</text>").count(), 2); // both reach to 30
/// assert!(Subplots::new("None", 2).draw().is_err());
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("facet", "grid", "tiledlayout", "small multiples"))]
pub struct Subplots {
    title: String,
    columns: usize,
    pictures: Vec<Curves>,
    size: (u32, u32),
}

impl Subplots {
    /// An empty picture with a title, to be filled row after row with so many columns.
    pub fn new(title: impl Into<String>, columns: usize) -> Self {
        Self {
            title: title.into(),
            columns,
            pictures: vec![],
            size: SIZE,
        }
    }

    /// Adds a picture, with its title above it. The size of its own does not count.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "pictures are no numbers")]
    pub fn add(mut self, picture: Curves) -> Self {
        self.pictures.push(picture);
        self
    }

    sized!();

    /// Draws the picture.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a picture, [`ErrorKind::Value`] for 0 columns, and as
    /// [`Curves::draw`].
    ///
    /// [`ErrorKind::Empty`]: crate::ErrorKind::Empty
    /// [`ErrorKind::Value`]: crate::ErrorKind::Value
    pub fn draw(&self) -> Result<Figure> {
        const PLACE: &str = "plot::Subplots";
        let mut canvas = Canvas::new(PLACE, self.size)?;
        not_empty(PLACE, "at least 1 picture", self.pictures.len())?;
        some(
            "columns of plot::Subplots",
            "at least 1",
            self.columns as u64,
        )?;
        let curves = self.pictures.iter().flat_map(|picture| &picture.curves);
        let reach: Vec<Point> = curves.flat_map(|curve| curve.extent()).collect();

        let mut entries: Vec<(Sample, String)> = vec![];
        for picture in &self.pictures {
            for (sample, name) in picture.panel(PLACE, &[]).entries(&picture.curves) {
                if !entries.iter().any(|(_, known)| *known == name) {
                    entries.push((sample, name));
                }
            }
        }
        let room = canvas.title(&self.title);
        let room = legend(&mut canvas, room, &entries);

        let columns = self.columns.min(self.pictures.len());
        let rows = self.pictures.len().div_ceil(columns);
        for (index, picture) in self.pictures.iter().enumerate() {
            let cell = cell(room, (index / columns, rows), (index % columns, columns));
            let below = heading(&mut canvas, cell, &picture.title);
            let panel = picture.panel(PLACE, &reach);
            panel.draw(&mut canvas, below, &picture.curves)?;
        }
        canvas.finish()
    }
}

/// The place of a row and a column of so many.
fn cell(room: Rect, (row, rows): (usize, usize), (column, columns): (usize, usize)) -> Rect {
    const GAP: f64 = 14.0;
    let part = |whole: f64, index: usize, count: usize| {
        let size = (whole - GAP * (count - 1) as f64) / count as f64;
        (index as f64 * (size + GAP), size)
    };
    let (left, width) = part(room.width(), column, columns);
    let (top, height) = part(room.height(), row, rows);
    Rect {
        left: room.left + left,
        top: room.top + top,
        right: room.left + left + width,
        bottom: room.top + top + height,
    }
}

/// Writes a title above a picture; returns what is left below.
fn heading(canvas: &mut Canvas, room: Rect, title: &str) -> Rect {
    const SIZE: f64 = 14.0;
    if title.is_empty() {
        return room;
    }
    canvas.text(
        font::fit(title, SIZE, room.width()),
        (room.middle().0, room.top + SIZE / 2.0),
        SIZE,
        BLACK,
        Anchor::Middle,
    );
    Rect {
        top: room.top + SIZE + 10.0,
        ..room
    }
}
