//! Some of the inputs.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::OutputRange;
use crate::nn::layer::{BackwardArgs, BackwardTangentArgs, InferArgs, Layer, TangentArgs};
use crate::numeric::bounds::not_empty;
use crate::numeric::real::Real;
use alloc::{format, string::String, vec::Vec};

/// Some rows of the input, in the order in which they are named; a row may be named twice.
///
/// ```text
/// yₖ = x of row rₖ,   ∂C/∂xⱼ = Σ ∂C/∂yₖ over all k with rₖ = j
/// ```
///
/// So a branch of a network gets its share of the features, such as the numbers of a table or its
/// categories.
///
/// ```
/// use chainrule::Sequential;
/// use chainrule::nalgebra::DVector;
/// use chainrule::nn::Select;
/// let x = DVector::from_vec(vec![5.0, 6.0, 7.0, 8.0]);
/// let rows = |layer| Sequential::<f64>::builder(4).layer(layer).build()?.predict(&x);
/// assert_eq!(rows(Select::rows([3, 0, 0]))?.as_slice(), [8.0, 5.0, 5.0]);
/// assert_eq!(rows(Select::rows(1..3))?.as_slice(), [6.0, 7.0]);
///
/// let error = rows(Select::rows([4])).unwrap_err();
/// assert_eq!(error.to_string(), "layer 0 (Select): got row 4, expected rows below 4");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("Slicing", "Gather", "index_select", "Narrow"))]
pub struct Select {
    rows: Vec<usize>,
}

/// More are no rows of any input: what a range without an end is cut to.
const MOST: usize = 1 << 24;

impl Select {
    /// These rows, counted from 0: a list or a range of at least 1 and at most 2²⁴.
    pub fn rows(rows: impl IntoIterator<Item = usize>) -> Self {
        Self {
            rows: rows.into_iter().take(MOST + 1).collect(),
        }
    }
}

impl<T: Real> Layer<T> for Select {
    shared!(Select);

    fn name(&self) -> String {
        "Select".into()
    }

    fn describe(&self) -> String {
        format!("Select(rows={:?})", self.rows)
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        not_empty("", "at least 1 row", self.rows.len())?;
        let error = |expected: String, given: String| {
            Err(Error::new(ErrorKind::Shape, "", expected, given))
        };
        if self.rows.len() > MOST {
            return error(format!("at most {MOST} rows"), "more".into());
        }
        match self.rows.iter().find(|row| **row >= inputs) {
            Some(row) => error(format!("rows below {inputs}"), format!("row {row}")),
            None => Ok(self.rows.len()),
        }
    }

    /// The sum of a sample does not stay.
    fn range(&self, input: OutputRange) -> OutputRange {
        match input {
            OutputRange::Unit | OutputRange::Simplex => OutputRange::Unit,
            _ => OutputRange::Real,
        }
    }

    fn bounds(&self, input: (f64, f64)) -> (f64, f64) {
        input
    }

    fn selects(&self) -> Option<&[usize]> {
        Some(&self.rows)
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        gather(&self.rows, p.x.rows(), p.x.as_slice(), p.y.as_mut_slice());
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        if let Some(mut dx) = p.dx {
            let inputs = p.x.rows();
            scatter(
                &self.rows,
                inputs,
                p.delta.as_view().as_slice(),
                dx.as_mut_slice(),
            );
        }
    }

    fn tangent(&self, mut p: TangentArgs<'_, T>) -> Result<()> {
        gather(
            &self.rows,
            p.x.rows(),
            p.x_dot.as_slice(),
            p.y_dot.as_mut_slice(),
        );
        Ok(())
    }

    fn backward_tangent(&self, p: BackwardTangentArgs<'_, T>) -> Result<()> {
        if let Some((mut dx, mut dx_dot)) = p.dx {
            let inputs = p.x.rows();
            for (dy, dx) in [(p.delta, &mut dx), (p.delta_dot, &mut dx_dot)] {
                scatter(
                    &self.rows,
                    inputs,
                    dy.as_view().as_slice(),
                    dx.as_mut_slice(),
                );
            }
        }
        Ok(())
    }
}

/// The rows of each sample of `x`.
fn gather<T: Real>(rows: &[usize], inputs: usize, x: &[T], y: &mut [T]) {
    for (y, x) in y.chunks_exact_mut(rows.len()).zip(x.chunks_exact(inputs)) {
        for (y, row) in y.iter_mut().zip(rows) {
            *y = x[*row];
        }
    }
}

/// Each number of `dy` added to the row that it comes from, first to last; the others are 0.
fn scatter<T: Real>(rows: &[usize], inputs: usize, dy: &[T], dx: &mut [T]) {
    dx.fill(T::zero());
    for (dx, dy) in dx.chunks_exact_mut(inputs).zip(dy.chunks_exact(rows.len())) {
        for (row, dy) in rows.iter().zip(dy) {
            dx[*row] += *dy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::sequential::Sequential;

    #[test]
    fn rows_that_are_not_there() {
        let build = |layer: Select| Sequential::<f64>::builder(3).layer(layer).build();
        for (layer, text) in [
            (Select::rows([0, 3]), "got row 3, expected rows below 3"),
            (Select::rows([]), "got 0, expected at least 1 row"),
            (
                Select::rows(0..),
                "got more, expected at most 16777216 rows",
            ),
        ] {
            let error = build(layer).expect_err("no rows");
            assert!(error.to_string().contains(text), "{error}");
        }
        assert!(build(Select::rows(0..3)).is_ok());
    }
}
