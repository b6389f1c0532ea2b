//! The table that a network prints.

use crate::ground::table::TextTable;
use crate::nn::sequential::Sequential;
use crate::numeric::real::Real;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// A summary: one line a layer, with its number of outputs and of parameters.
impl<T: Real, P: AsRef<[T]>> fmt::Display for Sequential<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = self.layout();
        let head = ["#", "layer", "outputs", "parameters"].map(String::from);
        let layers = layout.spans(1).map(|span| {
            let name = layout.name(span.layer).into();
            [
                span.layer.to_string(),
                name,
                span.outputs.to_string(),
                span.params.len().to_string(),
            ]
        });
        let rows: Vec<_> = [head].into_iter().chain(layers).map(Vec::from).collect();
        let (gap, left) = ("  ", &[1][..]);
        writeln!(
            f,
            "{}",
            TextTable {
                rows: &rows,
                gap,
                left
            }
        )?;
        let [inputs, outputs, params] = [layout.inputs(), layout.outputs(), layout.param_count()];
        write!(f, "{inputs} inputs, {outputs} outputs, {params} parameters")
    }
}
