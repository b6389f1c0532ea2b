//! The weights of neurons as images.

use super::canvas::{BLACK, Canvas, Rect, SIZE, sized};
use super::figure::Figure;
use super::parts::ColorBar;
use super::shape::Anchor;
use super::style;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use nalgebra::{DMatrix, DMatrixView};

/// Draws the weights of a layer: for each neuron an image of the weights of its inputs, whose
/// pixels are the inputs row after row, as in MNIST.
///
/// The colors go from dark (the most negative) over gray (0) to light (the most positive), the same
/// for all neurons. NaN and ±∞ are left white. A weight is a square of whole pixels; to see some
/// neurons of many, hand over some rows: `net.weights(0)?.rows(0, 16)`. Gradients
/// ([`Tape::dw`](crate::Tape::dw)) have the same form.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::plot::Weights;
/// let net = Sequential::<f32>::builder(64)
///     .layer(Dense::new(10, Activation::Tanh))
///     .seed(1)
///     .build()?;
/// let figure = Weights::new("Before training", net.weights(0)?, 8, 8).draw()?;
/// assert_eq!(figure.to_svg().matches("<image").count(), 10 + 1); // and the scale
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Weights {
    title: String,
    weights: DMatrix<f64>,
    shape: (usize, usize),
    size: (u32, u32),
}

impl Weights {
    /// The picture of weights, neurons × inputs, with images of `rows` × `cols` inputs.
    pub fn new<T: Real>(
        title: impl Into<String>,
        weights: DMatrixView<'_, T>,
        rows: usize,
        cols: usize,
    ) -> Self {
        Self {
            title: title.into(),
            weights: weights.map(Real::as_f64),
            shape: (rows, cols),
            size: SIZE,
        }
    }

    sized!();

    /// Draws the picture.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without a weight, [`ErrorKind::Shape`] when the neurons have not `rows
    /// · cols` inputs, [`ErrorKind::Value`] for a size out of range or with less than a pixel for a
    /// weight, and for a letter that is not in the font.
    pub fn draw(&self) -> Result<Figure> {
        const PLACE: &str = "plot::Weights";
        let mut canvas = Canvas::new(PLACE, self.size)?;
        let (neurons, inputs) = self.weights.shape();
        let (rows, cols) = self.shape;
        if neurons == 0 || inputs == 0 {
            return Err(Error::new(
                ErrorKind::Empty,
                PLACE,
                "at least 1 neuron with 1 input",
                format!("{neurons} × {inputs} weights"),
            ));
        }
        if rows.checked_mul(cols) != Some(inputs) {
            let expected = format!("images of as many pixels as a neuron has inputs, {inputs}");
            return Err(Error::new(
                ErrorKind::Shape,
                PLACE,
                expected,
                format!("{rows} × {cols}"),
            ));
        }
        let largest = self
            .weights
            .iter()
            .filter(|w| w.is_finite())
            .fold(0f64, |largest, w| largest.max(w.abs()));
        let ticks = match largest {
            0.0 => vec![(0.5, "0".into())],
            w => [0.0, 0.25, 0.5, 0.75, 1.0]
                .map(|place| (place, style::number((2.0 * place - 1.0) * w)))
                .into(),
        };
        let whole = canvas.title(&self.title);
        let bar = ColorBar {
            label: "weight".into(),
            ticks,
            color: style::signed,
        };
        let (middle, half) = (whole.middle().1, whole.height().min(400.0) / 2.0);
        let beside = Rect {
            top: middle - half,
            bottom: middle + half,
            ..whole
        };
        bar.draw(&mut canvas, whole, beside);
        let room = bar.beside(whole);

        let Some(Grid {
            across,
            scale,
            number: numbered,
        }) = Grid::largest(neurons, rows, cols, room)
        else {
            let given = format!("{} × {} for {neurons} neurons", self.size.0, self.size.1);
            return Err(Error::new(
                ErrorKind::Value,
                format!("size of {PLACE}"),
                "a pixel for each weight",
                given,
            ));
        };
        let (wide, high) = (cols as f64 * scale, rows as f64 * scale);
        let (step, head) = (wide + GAP, if numbered { HEAD } else { GAP });
        let left = (room.middle().0 - (across as f64 * step - GAP) / 2.0).floor();
        let down = neurons.div_ceil(across) as f64;
        let top = (room.middle().1 - down * (high + head) / 2.0).floor();
        let share = |w: f64| {
            if w.is_finite() {
                if largest > 0.0 {
                    0.5 + w / largest / 2.0
                } else {
                    0.5
                }
            } else {
                f64::NAN
            }
        };
        for (neuron, weights) in self.weights.row_iter().enumerate() {
            let (x, y) = (
                left + (neuron % across) as f64 * step,
                top + (neuron / across) as f64 * (high + head) + head,
            );
            let image = Rect {
                left: x,
                top: y,
                right: x + wide,
                bottom: y + high,
            };
            canvas.image(
                image,
                cols,
                weights.iter().map(|w| style::signed(share(*w))).collect(),
            );
            if numbered {
                canvas.text(
                    neuron.to_string(),
                    (x + wide / 2.0, y - HEAD / 2.0),
                    10.0,
                    BLACK,
                    Anchor::Middle,
                );
            }
        }
        canvas.finish()
    }
}

/// Between images, and for a number over one.
const GAP: f64 = 4.0;
const HEAD: f64 = 14.0;

/// How images are laid out.
struct Grid {
    across: usize,
    /// Pixels for a weight, whole.
    scale: f64,
    /// Whether numbers fit over the images.
    number: bool,
}

impl Grid {
    /// The grid with the largest images; `None` if a weight gets less than a pixel.
    fn largest(neurons: usize, rows: usize, cols: usize, room: Rect) -> Option<Self> {
        let best = |head: f64| {
            let grids = (1..=neurons).map(|across| {
                let (wide, high) = (
                    (room.width() + GAP) / across as f64 - GAP,
                    room.height() / neurons.div_ceil(across) as f64 - head,
                );
                let scale = (wide / cols as f64).min(high / rows as f64).floor();
                // How much of the width or of the height it leaves: of grids with images as large,
                // the one that leaves most.
                let used = (scale / wide * cols as f64).max(scale / high * rows as f64);
                (across, scale, 1.0 - used)
            });
            let (across, scale, _) = grids.fold((1, 0.0, 0.0), |best, grid| {
                if (grid.1, grid.2) > (best.1, best.2) {
                    grid
                } else {
                    best
                }
            });
            (across, scale)
        };
        let (across, scale) = best(HEAD);
        // Room for a number of some digits.
        if scale * cols as f64 >= 24.0 {
            return Some(Self {
                across,
                scale,
                number: true,
            });
        }
        let (across, scale) = best(GAP);
        (scale >= 1.0).then_some(Self {
            across,
            scale,
            number: false,
        })
    }
}
