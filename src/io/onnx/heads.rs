//! The end of a graph where outputs are predictions of several kinds: slices of the scores, each
//! with a function of its own, and all of them together.

use super::graph::Graph;
use super::node::{input, int, is};
use super::writer::{Writer, int as whole};
use crate::error::Result;
use crate::nn::loss::OutputFunction;
use alloc::{format, string::String, vec, vec::Vec};
use core::ops::Range;

/// Whether all predictions are the scores themselves.
fn is_identity(function: &OutputFunction) -> bool {
    match function {
        OutputFunction::Heads(heads) => heads.iter().all(|h| is_identity(&h.output_function)),
        function => *function == OutputFunction::Identity,
    }
}

impl Writer {
    /// Goes on with an output function of the last value, which has so many features.
    pub(super) fn output_function(&mut self, function: &OutputFunction, outputs: usize) {
        match function {
            OutputFunction::Sigmoid => self.activation("Sigmoid"),
            OutputFunction::Softmax => self.activation("Softmax"),
            OutputFunction::Exp => self.activation("Exp"),
            OutputFunction::Normal => {
                let scores = self.value.clone();
                self.normal(&scores, 0..outputs);
            }
            OutputFunction::Heads(heads) if !is_identity(function) => {
                let (scores, mut parts) = (self.value.clone(), Vec::new());
                for head in heads.iter() {
                    let features = head.outputs.clone();
                    if head.output_function == OutputFunction::Normal {
                        self.normal(&scores, features);
                    } else {
                        self.slice(&scores, features.clone());
                        self.output_function(&head.output_function, features.len());
                    }
                    parts.push(self.value.clone());
                }
                self.concat(parts);
            }
            _ => {}
        }
    }

    /// Goes on with some features of the scores as means and deviations.
    fn normal(&mut self, scores: &String, features: Range<usize>) {
        let middle = features.start + features.len() / 2;
        self.slice(scores, features.start..middle);
        let means = self.value.clone();
        self.slice(scores, middle..features.end);
        let half = self.number(0.5);
        self.next("Mul", vec![], &[&half]);
        self.activation("Exp");
        self.concat(vec![means, self.value.clone()]);
    }

    /// Goes on with some features of a value.
    pub(super) fn slice(&mut self, of: &String, features: Range<usize>) {
        let mut number = |n: i64| self.integers(format!("at/{n}"), &[n]);
        let (start, end) = (number(features.start as i64), number(features.end as i64));
        let last = number(-1);
        self.value.clone_from(of);
        self.next("Slice", vec![], &[&start, &end, &last]);
    }

    /// Goes on with these values one behind the other.
    pub(super) fn concat(&mut self, values: Vec<String>) {
        self.value = self.node("Concat", vec![whole("axis", -1)], values);
    }
}

/// The scores of which `value` is this function; `None` where the graph is another.
pub(super) fn scores<'g>(
    graph: &Graph<'g>,
    value: &'g str,
    function: &OutputFunction,
) -> Result<Option<&'g str>> {
    if is_identity(function) {
        return Ok(Some(value));
    }
    Ok(part(graph, value, function)?.map(|(scores, _)| scores))
}

/// The value of which some features, by this function, are `value`.
fn part<'g>(
    graph: &Graph<'g>,
    value: &'g str,
    function: &OutputFunction,
) -> Result<Option<(&'g str, Range<usize>)>> {
    let of = |op: &str| argument(graph, value, op);
    let found = match function {
        OutputFunction::Identity => return slice(graph, value),
        OutputFunction::Sigmoid => of("Sigmoid"),
        OutputFunction::Softmax => of("Softmax"),
        OutputFunction::Exp => of("Exp"),
        OutputFunction::Normal => return normal(graph, value),
        OutputFunction::Heads(heads) => {
            let parts = concat(graph, value)?;
            let (mut base, mut end) = (None, 0);
            if parts.len() != heads.len() {
                return Ok(None);
            }
            for (value, head) in parts.into_iter().zip(heads.iter()) {
                match part(graph, value, &head.output_function)? {
                    Some((scores, rows))
                        if rows == head.outputs && *base.get_or_insert(scores) == scores =>
                    {
                        end = rows.end;
                    }
                    _ => return Ok(None),
                }
            }
            return Ok(base.map(|base| (base, 0..end)));
        }
    };
    found.map_or(Ok(None), |value| slice(graph, value))
}

/// Means, and half of the logarithms of variances as a power of e.
fn normal<'g>(graph: &Graph<'g>, value: &'g str) -> Result<Option<(&'g str, Range<usize>)>> {
    let [means, deviations] = concat(graph, value)?[..] else {
        return Ok(None);
    };
    let product = argument(graph, deviations, "Exp").and_then(|value| graph.maker(value));
    let Some(product) = product.filter(|node| is(node, "", "Mul")) else {
        return Ok(None);
    };
    let half = graph.constant(input(product, 1)?)?;
    if half.and_then(|half| half.single()) != Some(0.5) {
        return Ok(None);
    }
    let (means, logs) = (slice(graph, means)?, slice(graph, input(product, 0)?)?);
    Ok(means.zip(logs).and_then(|((base, means), (other, logs))| {
        let sound = base == other && means.end == logs.start && means.len() == logs.len();
        sound.then_some((base, means.start..logs.end))
    }))
}

/// What the node that makes `value` is given, if it is this operator.
fn argument<'g>(graph: &Graph<'g>, value: &str, op: &str) -> Option<&'g str> {
    let node = graph.maker(value).filter(|node| is(node, "", op))?;
    input(node, 0).ok()
}

/// The values that stand one behind the other in `value`; none where it is something else.
fn concat<'g>(graph: &Graph<'g>, value: &str) -> Result<Vec<&'g str>> {
    match graph.maker(value).filter(|node| is(node, "", "Concat")) {
        Some(node) if matches!(int(node, "axis")?, Some(-1 | 1)) => {
            Ok(node.input.iter().map(String::as_str).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// The features of another value that are `value`.
fn slice<'g>(graph: &Graph<'g>, value: &str) -> Result<Option<(&'g str, Range<usize>)>> {
    let Some(node) = graph.maker(value).filter(|node| is(node, "", "Slice")) else {
        return Ok(None);
    };
    let number = |place| {
        let constant = graph.constant(input(node, place)?)?;
        let numbers = constant.map_or(Ok(Vec::new()), |constant| constant.integers())?;
        Ok::<_, crate::Error>(if let [number] = numbers[..] {
            Some(number)
        } else {
            None
        })
    };
    let at = |place| Ok::<_, crate::Error>(number(place)?.and_then(|n| usize::try_from(n).ok()));
    match (at(1)?, at(2)?, number(3)?) {
        (Some(start), Some(end), Some(-1 | 1)) if node.input.len() == 4 => {
            Ok(Some((input(node, 0)?, start..end)))
        }
        _ => Ok(None),
    }
}
