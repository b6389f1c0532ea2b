//! A graph that is being written: initializers, nodes, and the value that the next node takes.

use super::proto::{self, ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS};
use crate::numeric::real::Real;
use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

pub(super) const INPUT: &str = "input";
pub(super) const OUTPUT: &str = "output";

/// A graph of which the last value is known.
pub(super) struct Writer {
    pub(super) double: bool,
    pub(super) graph: proto::Graph,
    /// The last value that was computed.
    pub(super) value: String,
    /// What nodes' names begin with.
    pub(super) scope: String,
    pub(super) names: BTreeSet<String>,
}

impl Writer {
    pub(super) fn new(double: bool) -> Self {
        let graph = proto::Graph {
            name: "chainrule".into(),
            ..Default::default()
        };
        Self {
            double,
            graph,
            value: INPUT.into(),
            scope: String::new(),
            names: BTreeSet::new(),
        }
    }

    /// Adds an initializer, and returns its name.
    pub(super) fn tensor<'a, T: Real>(
        &mut self,
        name: String,
        dims: &[usize],
        numbers: impl Iterator<Item = &'a T>,
    ) -> String {
        let raw_data = numbers
            .flat_map(|v| v.to_bytes().into_iter().take(T::BYTES))
            .collect();
        let data_type = self.kind();
        let dims = dims.iter().map(|dim| *dim as i64).collect();
        self.graph.initializer.push(proto::Tensor {
            name: name.clone(),
            dims,
            data_type,
            raw_data,
            ..Default::default()
        });
        name
    }

    /// The type of the numbers.
    pub(super) fn kind(&self) -> i32 {
        if self.double {
            proto::DOUBLE
        } else {
            proto::FLOAT
        }
    }

    /// Adds integers under this name, which are there once, and returns it.
    pub(super) fn integers(&mut self, name: String, numbers: &[i64]) -> String {
        if self.names.insert(name.clone()) {
            self.graph.initializer.push(proto::Tensor {
                name: name.clone(),
                dims: vec![numbers.len() as i64],
                data_type: proto::INT64,
                raw_data: numbers.iter().flat_map(|n| n.to_le_bytes()).collect(),
                ..Default::default()
            });
        }
        name
    }

    /// A constant of a formula, which is there once.
    pub(super) fn number(&mut self, v: f64) -> String {
        let name = if self.double {
            format!("constant/{v}")
        } else {
            format!("constant/{}", v as f32)
        };
        match (self.names.insert(name.clone()), self.double) {
            (false, _) => name,
            (true, true) => self.tensor(name, &[], [v].iter()),
            (true, false) => self.tensor(name, &[], [v as f32].iter()),
        }
    }

    /// Adds a node, and returns its output's name, which is its own.
    pub(super) fn node(
        &mut self,
        op: &str,
        attribute: Vec<proto::Attribute>,
        input: Vec<String>,
    ) -> String {
        let first = format!("{}/{op}", self.scope);
        let name = (1..)
            .map(|n| {
                if n == 1 {
                    first.clone()
                } else {
                    format!("{first}_{n}")
                }
            })
            .find(|name| !self.names.contains(name));
        let name = name.unwrap_or(first);
        self.names.insert(name.clone());
        let output = vec![name.clone()];
        self.graph.node.push(proto::Node {
            name: name.clone(),
            op_type: op.into(),
            attribute,
            input,
            output,
            domain: String::new(),
        });
        name
    }

    /// Goes on with an operator of the last value and of others.
    pub(super) fn next(&mut self, op: &str, attributes: Vec<proto::Attribute>, others: &[&String]) {
        let inputs = [&self.value]
            .into_iter()
            .chain(others.iter().copied())
            .cloned()
            .collect();
        self.value = self.node(op, attributes, inputs);
    }

    /// Goes on with an operator that needs no more than the last value.
    pub(super) fn activation(&mut self, op: &'static str) {
        let attributes = match op {
            "Softmax" | "LogSoftmax" => vec![int("axis", -1)],
            _ => vec![],
        };
        self.next(op, attributes, &[]);
    }

    /// The graph, whose last value takes the name of the output.
    pub(super) fn finish(mut self) -> proto::Graph {
        if self.value == INPUT {
            self.next("Identity", vec![], &[]);
        }
        for output in self
            .graph
            .node
            .iter_mut()
            .flat_map(|node| &mut node.output)
            .filter(|output| **output == self.value)
        {
            *output = OUTPUT.to_string();
        }
        self.graph
    }
}

pub(super) fn int(name: &str, i: i64) -> proto::Attribute {
    proto::Attribute {
        name: name.into(),
        i,
        r#type: ATTRIBUTE_INT,
        ..Default::default()
    }
}

pub(super) fn ints(name: &str, ints: &[i64]) -> proto::Attribute {
    proto::Attribute {
        name: name.into(),
        ints: ints.into(),
        r#type: ATTRIBUTE_INTS,
        ..Default::default()
    }
}

pub(super) fn float(name: &str, f: f64) -> proto::Attribute {
    proto::Attribute {
        name: name.into(),
        f: f as f32,
        r#type: ATTRIBUTE_FLOAT,
        ..Default::default()
    }
}
