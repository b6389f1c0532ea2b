//! Decision boundaries over two inputs.

use super::axes::{Axis, steps};
use super::canvas::{BLACK, Canvas, SIZE, WHITE, sized};
use super::figure::Figure;
use super::parts::{ColorBar, Sample, chart, legend, marker};
use super::shape::Rgb;
use super::style;
use crate::data::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::{self, PROBABILITY, is_probability};
use crate::numeric::real::{Real, is_nan};
use crate::numeric::view::{View, check_each, shape};
use nalgebra::DMatrix;
use std::fmt;

/// Draws what a network of two inputs answers over a rectangle of them, with the points of a data
/// set and markers for their classes.
///
/// A single output is taken for the probability of class 1: it is the color, and the boundary is
/// where it is ½. Of several outputs, the color is the class of the largest. Where the answer is
/// NaN the rectangle is white; points with NaN or outside it are left out.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::plot::Boundary;
/// let xor = Dataset::from_rows(
///     &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0],
///     2,
///     &[0.0, 1.0, 1.0, 0.0],
///     1,
/// )?;
/// let net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(4, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let mut model = Model::from(net);
/// model.fit(&mut Trainer::new(SigmoidCrossEntropy::new(), Adam::new()), &xor)?;
/// let figure = Boundary::new("Exclusive or", &xor, |x| model.predict(x)).size(300, 200).draw()?;
/// assert!(figure.to_svg().contains(">class 1</text>"));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("DecisionBoundaryDisplay", "contourf"))]
pub struct Boundary<'a, T: Real> {
    title: String,
    data: &'a Dataset<T>,
    predict: Predict<'a, T>,
    over: Option<[(f64, f64); 2]>,
    labels: [String; 2],
    names: Option<Vec<String>>,
    size: (u32, u32),
}

/// Predictions, outputs × samples, for inputs, 2 × samples.
type Predict<'a, T> = Box<dyn FnMut(View<'_, T>) -> Result<DMatrix<T>> + 'a>;

const PLACE: &str = "plot::Boundary";

impl<'a, T: Real> Boundary<'a, T> {
    /// The picture of `predict` around the points of `data`. Inputs go to `predict` some hundred at
    /// a time, 2 × samples; what it returns are probabilities or scores of classes, as
    /// [`metrics::classes`](crate::metrics::classes) takes them.
    pub fn new(
        title: impl Into<String>,
        data: &'a Dataset<T>,
        predict: impl FnMut(View<'_, T>) -> Result<DMatrix<T>> + 'a,
    ) -> Self {
        let labels = ["x₁".into(), "x₂".into()];
        Self {
            title: title.into(),
            data,
            predict: Box::new(predict),
            over: None,
            labels,
            names: None,
            size: SIZE,
        }
    }

    /// Over the rectangle of `x` and `y`, each from the first number to the second; without, over
    /// that of the points and a little more.
    #[must_use]
    pub fn over(self, x: (f64, f64), y: (f64, f64)) -> Self {
        Self {
            over: Some([x, y]),
            ..self
        }
    }

    /// With labels of the axes; x₁ and x₂ without.
    #[must_use]
    pub fn labels(self, x: impl Into<String>, y: impl Into<String>) -> Self {
        Self {
            labels: [x.into(), y.into()],
            ..self
        }
    }

    /// With names for the classes.
    #[must_use]
    pub fn names(self, names: &[impl ToString]) -> Self {
        Self {
            names: Some(names.iter().map(ToString::to_string).collect()),
            ..self
        }
    }

    sized!();

    /// Draws the picture; asks for a prediction at each of its pixels.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the data have not two inputs, the predictions not a column a
    /// sample, or there are more or fewer names than classes; [`ErrorKind::Empty`] without a finite
    /// point and a rectangle; [`ErrorKind::Value`] for a rectangle whose sides are not finite and
    /// increasing, for a size out of range or too small for the texts, for a letter that is not in
    /// the font, and for single predictions outside [0, 1]; and what `predict` and
    /// [`metrics::classes`](crate::metrics::classes) of the targets return.
    pub fn draw(mut self) -> Result<Figure> {
        let mut canvas = Canvas::new(PLACE, self.size)?;
        let inputs = self.data.inputs();
        if inputs.nrows() != 2 {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("inputs of {PLACE}"),
                "2 rows",
                inputs.nrows(),
            ));
        }
        let labels = metrics::classes(self.data.targets())
            .map_err(|error| error.within(format!("targets of {PLACE}")))?;
        let (x, y) = (
            self.axis(0, steps(canvas.bounds()).0)?,
            self.axis(1, steps(canvas.bounds()).1)?,
        );

        // How many classes there are is in the answer to any point.
        let middle = self.answers(&[x.value(0.5), y.value(0.5)])?;
        let binary = middle.nrows() == 1;
        let classes = middle
            .nrows()
            .max(2)
            .max(labels.iter().max().map_or(0, |label| label + 1));
        let names = match self.names.take() {
            Some(names) if names.len() != classes => {
                return Err(Error::new(
                    ErrorKind::Shape,
                    format!("names of {PLACE}"),
                    format!("{classes} names"),
                    names.len(),
                ));
            }
            Some(names) => names,
            None => (0..classes).map(|class| format!("class {class}")).collect(),
        };
        let fill = |class: usize| match (binary, class) {
            (true, 0) => WHITE,
            (true, _) => BLACK,
            (false, class) => style::color(class),
        };
        let region = |class: usize| {
            if binary {
                style::two(class as f64)
            } else {
                style::region(class)
            }
        };

        let entries: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(class, name)| {
                (
                    Sample::Class {
                        region: region(class),
                        marker: class,
                        fill: fill(class),
                    },
                    name.clone(),
                )
            })
            .collect();
        let room = canvas.title(&self.title);
        let room = legend(&mut canvas, room, &entries);
        let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|p| (p, p.to_string()));
        let bar = binary.then(|| ColorBar {
            label: format!("probability of {}", names[1]),
            ticks: ticks.into(),
            color: style::two,
        });
        let left = bar.as_ref().map_or(room, |bar| bar.beside(room));
        let mut inside = chart(&mut canvas, left, &x, &y)?;
        let points: Vec<_> = inputs
            .column_iter()
            .map(|p| Some(inside.at(x.inside(p[0].as_f64())?, y.inside(p[1].as_f64())?)))
            .collect();
        // On whole pixels, so that each has its own answer.
        (inside.left, inside.top) = (inside.left.round(), inside.top.round());
        (inside.right, inside.bottom) = (inside.right.round(), inside.bottom.round());
        let (cols, rows) = (inside.width() as usize, inside.height() as usize);
        let mut answers: Vec<Option<(usize, f64)>> = Vec::with_capacity(cols * rows);
        let mut line = vec![0.0; 2 * cols];
        for row in 0..rows {
            for (col, point) in line.chunks_mut(2).enumerate() {
                point[0] = x.value((col as f64 + 0.5) / cols as f64);
                point[1] = y.value(1.0 - (row as f64 + 0.5) / rows as f64);
            }
            let y = self.answers(&line)?;
            if y.nrows() != middle.nrows() {
                let expected = format!("{} rows, as for other inputs", middle.nrows());
                return Err(Error::new(
                    ErrorKind::Shape,
                    format!("predictions of {PLACE}"),
                    expected,
                    y.nrows(),
                ));
            }
            answers.extend(y.column_iter().map(|y| answer(y.as_slice())));
        }
        let class = |row: usize, col: usize| answers[row * cols + col].map(|(class, _)| class);
        let color = |k: usize| -> Rgb {
            let (row, col) = (k / cols, k % cols);
            let Some((mine, probability)) = answers[k] else {
                return WHITE;
            };
            // Where the class changes to the right or below, on both sides, the boundary.
            let near = [
                (row.wrapping_sub(1), col),
                (row + 1, col),
                (row, col.wrapping_sub(1)),
                (row, col + 1),
            ];
            let edge = near
                .into_iter()
                .filter(|(r, c)| *r < rows && *c < cols)
                .any(|(r, c)| class(r, c).is_some_and(|other| other != mine));
            match (edge, binary) {
                (true, _) => BLACK,
                // In steps that nobody sees, so that the colors are few and the file is small.
                (false, true) => style::two((200.0 * probability).round() / 200.0),
                (false, false) => style::region(mine),
            }
        };
        canvas.image(inside, cols, (0..cols * rows).map(color).collect());
        canvas.frame(inside);
        if let Some(bar) = bar {
            bar.draw(&mut canvas, room, inside);
        }
        let radius = if points.len() > 500 { 3.0 } else { 4.5 };
        for (point, label) in points.into_iter().zip(labels) {
            if let Some(point) = point {
                let outline = if fill(label) == BLACK { WHITE } else { BLACK };
                let colors = (fill(label), outline);
                marker(&mut canvas, label, point, radius, colors, 1.0);
            }
        }
        canvas.finish()
    }

    fn axis(&self, input: usize, steps: f64) -> Result<Axis> {
        let label = &self.labels[input];
        if let Some(over) = self.over {
            let (low, high) = over[input];
            if !(low.is_finite() && high.is_finite() && low < high) {
                let place = format!("rectangle of {PLACE}, input {input}");
                return Err(Error::new(
                    ErrorKind::Value,
                    place,
                    "two finite numbers, the second larger",
                    format!("({low}, {high})"),
                ));
            }
            return Ok(Axis::between(label, low, high, false, false, steps));
        }
        let values = self.data.inputs().row(input);
        Axis::around(
            label,
            values.iter().map(|x| x.as_f64()),
            false,
            false,
            steps,
        )
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Empty,
                format!("inputs of {PLACE}, row {input}"),
                "a finite number, or a rectangle to draw over",
                "none",
            )
        })
    }

    fn answers(&mut self, points: &[f64]) -> Result<DMatrix<T>> {
        let points: Vec<T> = points.iter().map(|x| T::of(*x)).collect();
        let samples = points.len() / 2;
        let y = (self.predict)(View::new(&points, 2)?)?;
        if y.nrows() == 0 || y.ncols() != samples {
            let expected = format!("at least 1 row and {samples} columns (samples)");
            return Err(Error::new(
                ErrorKind::Shape,
                format!("predictions of {PLACE}"),
                expected,
                shape(y.shape()),
            ));
        }
        if y.nrows() == 1 {
            let ok = |p| is_nan(p) || is_probability(p);
            check_each(
                || format!("predictions of {PLACE}"),
                (&y).into(),
                PROBABILITY,
                ok,
            )?;
        }
        Ok(y)
    }
}

/// The class of a prediction and, of a single output, its probability; `None` for NaN.
fn answer<T: Real>(y: &[T]) -> Option<(usize, f64)> {
    let class = metrics::classes(View::new(y, y.len()).ok()?).ok()?;
    Some((class[0], y[0].as_f64()))
}

impl<T: Real> fmt::Debug for Boundary<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            title,
            over,
            labels,
            names,
            size,
            ..
        } = self;
        f.debug_struct("Boundary")
            .field("title", title)
            .field("over", over)
            .field("labels", labels)
            .field("names", names)
            .field("size", size)
            .finish_non_exhaustive()
    }
}
