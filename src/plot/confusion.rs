//! Confusion matrices as tables of colors.

use super::axes::{LABEL, SMALL};
use super::canvas::{BLACK, Canvas, Rect, SIZE, sized};
use super::figure::Figure;
use super::parts::ColorBar;
use super::shape::Anchor;
use super::{font, style};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::ConfusionMatrix;

/// Draws a confusion matrix: actual classes as rows, predicted ones as columns. A cell has the
/// number of its samples, or what they weigh, on a color that says which share of the row's samples
/// it is.
///
/// Numbers are left out where cells are too small for them, and some names of classes where there
/// is no room for all.
///
/// ```
/// use chainrule::metrics::ConfusionMatrix;
/// use chainrule::plot::Confusion;
/// let matrix = ConfusionMatrix::new(&[0, 1, 1, 0], &[0, 1, 0, 0], 2)?.named(["ham", "spam"])?;
/// let figure = Confusion::new("Mails", &matrix).draw()?;
/// assert!(figure.to_svg().contains(">spam</text>"));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("ConfusionMatrixDisplay", "plotconfusion"))]
pub struct Confusion<'a> {
    title: String,
    matrix: &'a ConfusionMatrix,
    size: (u32, u32),
}

impl<'a> Confusion<'a> {
    /// The picture of a matrix, with the names that its classes have.
    pub fn new(title: impl Into<String>, matrix: &'a ConfusionMatrix) -> Self {
        Self {
            title: title.into(),
            matrix,
            size: SIZE,
        }
    }

    sized!();

    /// Draws the picture.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a size out of range or with less than a pixel for a cell, and for a
    /// letter that is not in the font.
    pub fn draw(&self) -> Result<Figure> {
        const PLACE: &str = "plot::Confusion";
        let mut canvas = Canvas::new(PLACE, self.size)?;
        let (n, names) = (self.matrix.classes(), self.matrix.names());
        let whole = canvas.title(&self.title);
        let bar = ColorBar {
            label: "share of actual class".into(),
            ticks: (0..=4)
                .map(|k| (f64::from(k) / 4.0, format!("{} %", 25 * k)))
                .collect(),
            color: style::amount,
        };
        let room = bar.beside(whole);

        let widest = names
            .iter()
            .map(|name| font::width(name, SMALL))
            .fold(0.0, f64::max);
        let left = room.left + LABEL + 14.0 + widest.min(0.25 * room.width());
        let wide = room.right - left;
        // Names under the columns lie if there is room, and else stand.
        let standing = widest > 0.9 * wide / n as f64;
        let below = LABEL
            + 14.0
            + if standing {
                widest.min(0.25 * room.height())
            } else {
                SMALL
            };
        let cell = (wide / n as f64).min((room.bottom - below - room.top) / n as f64);
        if cell < 1.0 {
            let given = format!("{} × {}", self.size.0, self.size.1);
            return Err(Error::new(
                ErrorKind::Value,
                format!("size of {PLACE}"),
                format!("a pixel for each of {n} × {n} cells"),
                given,
            ));
        }
        // On whole pixels, so that the grid is sharp.
        let cell = if cell > 8.0 { cell.floor() } else { cell };
        let (left, top) = (
            (left + (wide - cell * n as f64) / 2.0).floor(),
            room.top.floor(),
        );
        let table = Rect {
            left,
            top,
            right: left + cell * n as f64,
            bottom: top + cell * n as f64,
        };
        bar.draw(&mut canvas, whole, table);

        let samples: Vec<f64> = (0..n).map(|actual| self.matrix.support(actual)).collect();
        let color = |actual: usize, predicted: usize| match samples[actual] {
            0.0 => style::amount(0.0),
            samples => style::amount(self.matrix.count(actual, predicted) / samples),
        };
        let count = |actual: usize, predicted: usize| match self.matrix.count(actual, predicted) {
            whole if whole.fract() == 0.0 => whole.to_string(),
            weight => format!("{weight:.1}"),
        };
        canvas.image(table, n, (0..n * n).map(|k| color(k / n, k % n)).collect());
        if cell >= 8.0 {
            for k in 1..n {
                let at = k as f64 / n as f64;
                canvas.line(
                    vec![table.at(at, 0.0), table.at(at, 1.0)],
                    [190; 3],
                    1.0,
                    &[],
                );
                canvas.line(
                    vec![table.at(0.0, at), table.at(1.0, at)],
                    [190; 3],
                    1.0,
                    &[],
                );
            }
        }
        canvas.frame(table);

        let number = (0..n * n)
            .map(|k| font::width(&count(k / n, k % n), 1.0))
            .fold(0.0, f64::max);
        let size = (0.86 * cell / number).min(0.5 * cell).min(18.0);
        if size >= 7.0 {
            for (actual, predicted) in (0..n * n).map(|k| (k / n, k % n)) {
                let at = (
                    table.left + (predicted as f64 + 0.5) * cell,
                    table.top + (actual as f64 + 0.5) * cell,
                );
                canvas.text(
                    count(actual, predicted),
                    at,
                    size,
                    style::ink(color(actual, predicted)),
                    Anchor::Middle,
                );
            }
        }
        let every = ((SMALL + 2.0) / cell).ceil() as usize;
        for (class, name) in names.iter().enumerate().step_by(every) {
            let middle = (class as f64 + 0.5) * cell;
            let row = font::fit(name, SMALL, left - room.left - LABEL - 14.0 + 1.0);
            canvas.text(
                row,
                (table.left - 6.0, table.top + middle),
                SMALL,
                BLACK,
                Anchor::End,
            );
            let column = (table.left + middle, table.bottom + 6.0);
            if standing {
                canvas.turned(
                    font::fit(name, SMALL, below - LABEL - 14.0 + 1.0),
                    column,
                    SMALL,
                    Anchor::End,
                );
            } else {
                canvas.text(
                    name.clone(),
                    (column.0, column.1 + SMALL / 2.0),
                    SMALL,
                    BLACK,
                    Anchor::Middle,
                );
            }
        }
        let (x, y) = table.middle();
        let beside = left - 14.0 - LABEL / 2.0 - widest.min(left - room.left - LABEL - 14.0);
        canvas.turned("actual class", (beside, y), LABEL, Anchor::Middle);
        canvas.text(
            "predicted class",
            (x, table.bottom + below - LABEL / 2.0),
            LABEL,
            BLACK,
            Anchor::Middle,
        );
        canvas.finish()
    }
}
