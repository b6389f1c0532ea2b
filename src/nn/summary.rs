//! The table that a network prints.

use crate::ground::table::TextTable;
use crate::nn::layout::{Member, dotted};
use crate::nn::sequential::Sequential;
use crate::numeric::real::Real;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// A summary: one line a layer, with its number of outputs and of parameters. The parts of a layer
/// are indented below it, with their paths.
impl<T: Real, P: AsRef<[T]>> fmt::Display for Sequential<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = self.layout();
        let head = ["#", "layer", "outputs", "parameters"].map(String::from);
        let mut rows = Vec::from([Vec::from(head)]);
        list(layout.members(), &mut Vec::new(), &mut rows);
        // Paths begin at the left, numbers end at the right.
        let nested = layout
            .members()
            .iter()
            .any(|member| !member.parts.is_empty());
        let (gap, left) = ("  ", if nested { &[0, 1][..] } else { &[1] });
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

/// The lines of layers and of their parts.
fn list(members: &[Member], path: &mut Vec<usize>, rows: &mut Vec<Vec<String>>) {
    for (index, member) in members.iter().enumerate() {
        let indent = "  ".repeat(path.len());
        path.push(index);
        rows.push(Vec::from([
            dotted(path),
            indent + &member.name,
            member.out.width.to_string(),
            member.params.len().to_string(),
        ]));
        list(&member.parts, path, rows);
        path.pop();
    }
}
