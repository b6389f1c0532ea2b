//! Shapes that nodes compute from the shapes of other values, such as of the input.

use super::constant::{Constant, Size};
use super::fold::{Budget, fold, shape};
use super::graph::Graph;
use super::node::{is, place};
use crate::error::{Error, ErrorKind, Result};
use alloc::{collections::BTreeMap, collections::BTreeSet, format, vec, vec::Vec};

/// What is known of shapes on the way from the input to the output.
pub(super) struct Shapes<'a, 'g> {
    graph: &'a Graph<'g>,
    /// The dimensions of the values that have been passed.
    sizes: BTreeMap<&'g str, Vec<Size>>,
    /// What has been computed from them.
    known: BTreeMap<&'g str, Constant<'g>>,
    budget: Budget,
}

impl<'a, 'g> Shapes<'a, 'g> {
    /// Of a graph; `budget` bounds what is computed.
    pub(super) fn new(graph: &'a Graph<'g>, budget: usize) -> Self {
        Self {
            graph,
            sizes: BTreeMap::new(),
            known: BTreeMap::new(),
            budget: Budget(budget),
        }
    }

    /// Notes the dimensions of a value.
    pub(super) fn insert(&mut self, value: &'g str, sizes: Vec<Size>) {
        self.sizes.insert(value, sizes);
    }

    /// The integers of this name: a constant, or computed from shapes of values that have been
    /// passed.
    pub(super) fn get(&mut self, name: &'g str) -> Result<Constant<'g>> {
        let mut open = vec![name];
        let mut begun = BTreeSet::new();
        while let Some(value) = open.last().copied() {
            if self.known.contains_key(value) {
                open.pop();
                continue;
            }
            if let Some(constant) = self.graph.constant(value)? {
                self.known.insert(value, constant);
                continue;
            }
            let computed =
                "a shape that is constant or computed from the shapes of values before it";
            let Some(node) = self
                .graph
                .maker(value)
                .filter(|node| node.output.first().is_some_and(|output| output == value))
            else {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    format!("ONNX value {value:?}"),
                    computed,
                    "a value of the input",
                ));
            };
            let refuse =
                |given: &str| Error::new(ErrorKind::Incompatible, place(node), computed, given);
            if is(node, "", "Shape") {
                let passed = node
                    .input
                    .first()
                    .and_then(|of| self.sizes.get(&**of))
                    .ok_or_else(|| refuse("another value's"))?;
                let sizes = shape(node, passed.clone(), &mut self.budget)?;
                self.known.insert(value, sizes);
                continue;
            }
            let inputs = || node.input.iter().filter(|name| !name.is_empty());
            let missing: Vec<&'g str> = inputs()
                .filter(|name| !self.known.contains_key(&***name))
                .map(|name| &**name)
                .collect();
            if missing.is_empty() {
                let operands: Vec<_> = node
                    .input
                    .iter()
                    .map(|name| self.known.get(&**name).cloned())
                    .collect();
                let constant = fold(node, &operands, &mut self.budget)?
                    .ok_or_else(|| refuse(&node.op_type))?;
                self.known.insert(value, constant);
                continue;
            }
            if !begun.insert(value) {
                return Err(Error::new(
                    ErrorKind::Parse,
                    place(node),
                    "a graph without cycles",
                    "a value that depends on itself",
                ));
            }
            open.extend(missing);
        }
        self.known
            .get(name)
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::Parse, "ONNX graph", "a shape", name))
    }
}
