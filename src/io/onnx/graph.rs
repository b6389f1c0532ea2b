//! The graph of a file: which node makes which value, what the constants are, and which expressions
//! are written in it.

use super::activations::{Expr, commutes};
use super::constant::{Constant, Size};
use super::fold::{Budget, fold, shape, sparse};
use super::node::{attribute, float, input, int, is};
use super::proto;
use crate::error::{Error, ErrorKind, Result};
use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};
use core::mem;

/// The domain of operators for models that are no networks.
pub(super) const ML: &str = "ai.onnx.ml";

/// What a slot of an expression is in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<'g> {
    /// A constant of this name.
    Constant(&'g str),
    /// An attribute.
    Attribute(f32),
}

/// Where an expression was found: the value it is a function of, and its slots.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Match<'g> {
    pub(super) x: Option<&'g str>,
    pub(super) slots: Vec<Found<'g>>,
}

#[derive(Debug)]
pub(super) struct Graph<'g> {
    graph: &'g proto::Graph,
    /// The node that makes a value.
    makers: BTreeMap<&'g str, &'g proto::Node>,
    /// Values that depend on no input, those that nodes compute among them; what is wrong with one
    /// matters where it is used.
    constants: BTreeMap<&'g str, Result<Constant<'g>>>,
    inputs: BTreeMap<&'g str, &'g proto::ValueInfo>,
    /// The version of ONNX's operators.
    pub(super) version: i64,
}

impl<'g> Graph<'g> {
    /// `budget` bounds what constants are computed.
    pub(super) fn new(graph: &'g proto::Graph, version: i64, budget: &mut Budget) -> Result<Self> {
        let mut this = Self {
            graph,
            makers: BTreeMap::new(),
            constants: BTreeMap::new(),
            inputs: BTreeMap::new(),
            version,
        };
        let twice = |name: &str| {
            Err(Error::new(
                ErrorKind::Parse,
                "ONNX graph",
                "each value once",
                format!("{name:?} twice"),
            ))
        };
        for tensor in &graph.initializer {
            let constant = Constant::of_tensor(format!("ONNX tensor {:?}", tensor.name), tensor);
            if this.constants.insert(&tensor.name, constant).is_some() {
                return twice(&tensor.name);
            }
        }
        for tensor in &graph.sparse_initializer {
            let name = tensor.values.as_ref().map_or("", |values| &*values.name);
            if this
                .constants
                .insert(
                    name,
                    sparse(format!("ONNX tensor {name:?}"), tensor, budget),
                )
                .is_some()
            {
                return twice(name);
            }
        }
        for input in &graph.input {
            // Before version 4 of the format constants were inputs, too.
            if !this.constants.contains_key(&*input.name)
                && this.inputs.insert(&input.name, input).is_some()
            {
                return twice(&input.name);
            }
        }
        for node in &graph.node {
            for output in node.output.iter().filter(|output| !output.is_empty()) {
                let taken =
                    this.constants.contains_key(&**output) || this.inputs.contains_key(&**output);
                if this.makers.insert(output, node).is_some() || taken {
                    return twice(output);
                }
            }
        }
        this.fold(budget);
        Ok(this)
    }

    /// Computes every node whose operands are constants, in an order in which they are.
    fn fold(&mut self, budget: &mut Budget) {
        // Of each value the nodes that wait for it, and of each node how many values it waits for.
        let mut waiting: BTreeMap<&'g str, Vec<usize>> = BTreeMap::new();
        let mut missing = vec![0; self.graph.node.len()];
        let mut ready = Vec::new();
        for (index, node) in self.graph.node.iter().enumerate() {
            for name in node
                .input
                .iter()
                .filter(|name| !name.is_empty() && !self.constants.contains_key(&***name))
            {
                waiting.entry(name).or_default().push(index);
                missing[index] += 1;
            }
            if missing[index] == 0 || is(node, "", "Shape") && self.fixed(node).is_some() {
                ready.push(index);
            }
        }
        while let Some(index) = ready.pop() {
            let node = &self.graph.node[index];
            let Some(output) = node.output.first().filter(|output| !output.is_empty()) else {
                continue;
            };
            let constant = match self.fixed(node).filter(|_| missing[index] > 0) {
                Some(sizes) => shape(node, sizes, budget).map(Some),
                None => self
                    .operands(node)
                    .and_then(|operands| fold(node, &operands, budget)),
            };
            let Some(constant) = constant.transpose() else {
                continue;
            };
            self.constants.insert(output, constant);
            for user in waiting
                .get_mut(&**output)
                .map(mem::take)
                .unwrap_or_default()
            {
                missing[user] -= 1;
                if missing[user] == 0 {
                    ready.push(user);
                }
            }
        }
    }

    /// The dimensions of the input of the graph that a node is given, if the file fixes them all.
    fn fixed(&self, node: &proto::Node) -> Option<Vec<Size>> {
        let size = |dim: &proto::Dimension| match dim.size {
            // Some exporters write 0 or −1 where anything may be.
            Some(proto::Size::Value(size)) if size > 0 => Some(Size::Known(size)),
            _ => None,
        };
        let tensor = self
            .inputs
            .get(input(node, 0).ok()?)?
            .r#type
            .as_ref()?
            .tensor_type
            .as_ref()?;
        tensor.shape.as_ref()?.dim.iter().map(size).collect()
    }

    fn operands(&self, node: &'g proto::Node) -> Result<Vec<Option<Constant<'g>>>> {
        node.input
            .iter()
            .map(|name| {
                if name.is_empty() {
                    Ok(None)
                } else {
                    self.constant(name)
                }
            })
            .collect()
    }

    pub(super) fn nodes(&self) -> usize {
        self.graph.node.len()
    }

    pub(super) fn list(&self) -> &'g [proto::Node] {
        &self.graph.node
    }

    pub(super) fn inputs(&self) -> impl Iterator<Item = &'g str> {
        self.inputs.keys().copied()
    }

    pub(super) fn outputs(&self) -> impl Iterator<Item = &'g str> {
        self.graph.output.iter().map(|output| &*output.name)
    }

    pub(super) fn input(&self, name: &str) -> Option<&'g proto::ValueInfo> {
        self.inputs.get(name).copied()
    }

    pub(super) fn maker(&self, value: &str) -> Option<&'g proto::Node> {
        self.makers.get(value).copied()
    }

    /// The constant of this name; `None` where the value depends on an input.
    pub(super) fn constant(&self, name: &str) -> Result<Option<Constant<'g>>> {
        self.constants.get(name).cloned().transpose()
    }

    pub(super) fn is_constant(&self, name: &str) -> bool {
        self.constants.contains_key(name)
    }

    fn known(&self, name: &str) -> Option<&Constant<'g>> {
        self.constants.get(name)?.as_ref().ok()
    }

    /// A constant that is a single truth value.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let constant = self
            .known(name)
            .filter(|constant| constant.kind() == proto::BOOL && constant.len() == 1)?;
        Some(constant.integers().ok()?[0] != 0)
    }

    /// Whether `value` is what `expr` says, and of what.
    pub(super) fn find(&self, expr: &Expr, value: &'g str) -> Option<Match<'g>> {
        let mut found = Match::default();
        self.fits(expr, value, &mut found).then_some(found)
    }

    fn fits(&self, expr: &Expr, value: &'g str, found: &mut Match<'g>) -> bool {
        let constant = || self.known(value);
        match expr {
            Expr::X => *found.x.get_or_insert(value) == value,
            Expr::Number(number) => constant()
                .is_some_and(|c| c.single().is_some_and(|v| same(v, *number, c.spacing()))),
            Expr::Tensor(name) => value == name,
            Expr::Slot(index) => {
                constant().is_some() && fill(found, *index, Found::Constant(value))
            }
            Expr::Reduce(op, inner) => self
                .maker(value)
                .and_then(|node| self.reduced(node, op))
                .is_some_and(|x| self.fits(inner, x, found)),
            Expr::Apply(op, attributes, args) => {
                let Some(node) = self
                    .maker(value)
                    .filter(|node| is(node, "", op) && node.output[0] == value)
                else {
                    return false;
                };
                let attributes =
                    attributes
                        .iter()
                        .all(|(name, expected)| match (expected, float(node, name)) {
                            (Expr::Number(number), Ok(v)) => {
                                same(v.into(), *number, f32::EPSILON.into())
                            }
                            (Expr::Slot(index), Ok(v)) => fill(found, *index, Found::Attribute(v)),
                            _ => false,
                        });
                if !attributes
                    || node.input.len() != args.len()
                    || *op == "Concat" && !matches!(int(node, "axis"), Ok(Some(1 | -1)))
                {
                    return false;
                }
                let before = found.clone();
                let mut all = |inputs: &mut dyn Iterator<Item = &'g String>| {
                    args.iter()
                        .zip(inputs)
                        .all(|(arg, x)| self.fits(arg, x, found))
                };
                if all(&mut node.input.iter()) {
                    return true;
                }
                *found = before;
                commutes(op)
                    && args
                        .iter()
                        .zip(node.input.iter().rev())
                        .all(|(arg, x)| self.fits(arg, x, found))
            }
        }
    }

    /// Of what a node is the mean or the like over the features, as a column; `None` if it is
    /// something else.
    fn reduced(&self, node: &'g proto::Node, op: &str) -> Option<&'g str> {
        let axes = match input(node, 1) {
            // From version 18 on axes are an operand.
            Ok(axes) => self.known(axes)?.axes().ok()?,
            Err(_) => attribute(node, "axes", proto::ATTRIBUTE_INTS)
                .ok()??
                .ints
                .clone(),
        };
        let keep = int(node, "keepdims").ok()?.unwrap_or(1) != 0;
        (is(node, "", op) && keep && matches!(axes[..], [1 | -1]))
            .then(|| input(node, 0).ok())
            .flatten()
    }
}

fn fill<'g>(found: &mut Match<'g>, index: usize, what: Found<'g>) -> bool {
    if index == found.slots.len() {
        found.slots.push(what);
    }
    found.slots.get(index) == Some(&what)
}

/// Whether a file's number is the formula's: exporters round differently, by some spacings of the
/// file's type.
fn same(v: f64, number: f64, spacing: f64) -> bool {
    (v - number).abs() <= 4.0 * spacing * number.abs()
}
