//! The table that a network prints.

use crate::numeric::real::Real;
use crate::nn::sequential::Sequential;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

/// A summary: one line a layer, with its number of outputs and of parameters.
impl<T: Real, P: AsRef<[T]>> fmt::Display for Sequential<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = self.layout();
        let head = ["#", "layer", "outputs", "parameters"].map(String::from);
        let layers = layout.spans(1).map(|span| {
            let name = layout.name(span.layer).into();
            [span.layer.to_string(), name, span.outputs.to_string(), span.params.len().to_string()]
        });
        let rows: Vec<_> = [head].into_iter().chain(layers).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let [first, second, third, fourth] = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
        for [index, name, outputs, params] in &rows {
            let row = format!("{index:>first$}  {name:<second$}  {outputs:>third$}");
            writeln!(f, "{row}  {params:>fourth$}")?;
        }
        let [inputs, outputs, params] = [layout.inputs(), layout.outputs(), layout.param_count()];
        write!(f, "{inputs} inputs, {outputs} outputs, {params} parameters")
    }
}
