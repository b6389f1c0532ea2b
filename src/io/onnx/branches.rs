//! From a graph to chains of links, and to the forks in them: backward from its output, node by
//! node.

use super::constant::Constant;
use super::dominators::Dominators;
use super::graph::Graph;
use super::import::{Affine, Join, Link, Part, meeting, operator, pattern};
use super::node::place;
use super::proto;
use crate::error::{Error, ErrorKind, Result};
use alloc::{collections::BTreeSet, format, vec::Vec};

/// A step of a chain from its begin to its end.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all steps are links")]
pub(super) enum Step<'g> {
    Link(Link<'g>),
    Fork(Fork<'g>),
}

/// Chains that begin at one value and whose ends meet in another one.
#[derive(Debug)]
pub(super) struct Fork<'g> {
    pub(super) node: &'g proto::Node,
    /// What the node makes; `None` of branches that meet within it before others.
    pub(super) value: Option<&'g str>,
    pub(super) join: Join,
    pub(super) branches: Vec<Vec<Step<'g>>>,
}

/// Forks within forks that are read: each takes a share of the stack.
const DEEPEST: usize = 64;

/// The steps from an input of the graph, which is given too, to `output`.
pub(super) fn steps<'g>(
    graph: &Graph<'g>,
    output: &'g str,
) -> Result<(&'g proto::ValueInfo, Vec<Step<'g>>)> {
    let mut reader = Reader {
        graph,
        output,
        tree: None,
        taken: BTreeSet::new(),
        // Each step goes back by a node at least, unless the graph has a cycle.
        left: graph.nodes(),
    };
    let (begin, steps) = reader.chain(None, output, 0)?;
    match graph.input(begin) {
        Some(input) => Ok((input, steps)),
        None => Err(itself(output)),
    }
}

fn itself(value: &str) -> Error {
    Error::new(
        ErrorKind::Parse,
        format!("ONNX value {value:?}"),
        "a graph without cycles",
        "a value that depends on itself",
    )
}

struct Reader<'a, 'g> {
    graph: &'a Graph<'g>,
    output: &'g str,
    /// Made for the first fork.
    tree: Option<Dominators<'g>>,
    /// Values with parameters that have been passed.
    taken: BTreeSet<&'g str>,
    /// So many values may still be passed. Branches may share what has no parameters, which is then
    /// there once for each; a small file could else ask for any number of copies.
    left: usize,
}

impl<'g> Reader<'_, 'g> {
    /// The steps to `end` from `begin` or from an input, which is given too.
    fn chain(
        &mut self,
        begin: Option<&'g str>,
        end: &'g str,
        depth: usize,
    ) -> Result<(&'g str, Vec<Step<'g>>)> {
        let (graph, mut value, mut steps) = (self.graph, end, Vec::new());
        loop {
            let done = match begin {
                Some(begin) => value == begin,
                None => graph.input(value).is_some(),
            };
            if done {
                steps.reverse();
                return Ok((value, steps));
            }
            let constant = graph.constant(value)?;
            let Some(node) = graph.maker(value).filter(|_| constant.is_none()) else {
                let given = if constant.is_some() {
                    "a constant"
                } else {
                    "a value that no node makes"
                };
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    format!("ONNX value {value:?}"),
                    "a function of the graph's input",
                    given,
                ));
            };
            self.pass(node, value, begin)?;
            let link = |part| Step::Link(Link { node, value, part });
            let found = pattern(graph, node, value)?.filter(|(_, x)| self.is_within(x, begin));
            let meeting = match found {
                Some(_) => None,
                None => meeting(graph, node)?,
            };
            let (parts, before) = match (found, meeting) {
                (Some(found), _) => found,
                (None, None) => operator(graph, node, value)?,
                (None, Some(meeting)) => {
                    let added = |constant: Constant<'g>| Part::Affine(Affine::Add, constant);
                    let constants = meeting.constants.into_iter();
                    steps.extend(constants.map(added).map(link).rev());
                    let (begin, fork) =
                        self.fork(node, value, meeting.join, &meeting.values, depth)?;
                    steps.push(Step::Fork(fork));
                    value = begin;
                    continue;
                }
            };
            if parts.iter().any(Part::is_learned) && !self.taken.insert(value) {
                return Err(other_branches(node, value));
            }
            steps.extend(parts.into_iter().map(link).rev());
            value = before;
        }
    }

    /// Whether a value is `begin` or comes after it.
    fn is_within(&self, value: &str, begin: Option<&str>) -> bool {
        match (&self.tree, begin) {
            (Some(tree), Some(begin)) => value == begin || tree.is_after(value, begin),
            _ => true,
        }
    }

    /// Notes that a value is passed, which must be behind `begin`.
    fn pass(&mut self, node: &proto::Node, value: &str, begin: Option<&str>) -> Result<()> {
        if !self.is_within(value, begin) {
            return Err(other_branches(node, begin.unwrap_or(value)));
        }
        match (self.left.checked_sub(1), &self.tree) {
            (Some(left), _) => self.left = left,
            (None, None) => return Err(itself(self.output)),
            (None, Some(_)) => return Err(other_branches(node, value)),
        }
        Ok(())
    }

    /// The branches whose ends are `values`, and the value that all of them begin at.
    fn fork(
        &mut self,
        node: &'g proto::Node,
        value: &'g str,
        join: Join,
        values: &[&'g str],
        depth: usize,
    ) -> Result<(&'g str, Fork<'g>)> {
        self.shallow(node, depth)?;
        if self.tree.is_none() {
            self.tree = Some(Dominators::new(self.graph));
            self.left = self.left.saturating_add(3 * self.graph.nodes());
        }
        let begin = match self.tree.as_ref().and_then(|tree| tree.above(value)) {
            Some(Ok(begin)) => begin,
            Some(Err(())) => {
                let expected = "values that are computed from one input of the graph (several are \
                    read as one after they have been put together)";
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    place(node),
                    expected,
                    format!("{values:?} of several"),
                ));
            }
            None => return Err(itself(value)),
        };
        let terms = self.terms(join, values, begin)?;
        let branches = self.branches(node, join, &terms, begin, depth)?;
        let fork = Fork {
            node,
            value: Some(value),
            join,
            branches,
        };
        Ok((begin, fork))
    }

    /// The branches from `begin` to values. Some that stand beside one another may begin later:
    /// exporters write joins within joins as one.
    fn branches(
        &mut self,
        node: &'g proto::Node,
        join: Join,
        values: &[&'g str],
        begin: &'g str,
        depth: usize,
    ) -> Result<Vec<Vec<Step<'g>>>> {
        let mut groups: Vec<(&'g str, Vec<&'g str>)> = Vec::new();
        for value in values {
            let common = |last: &str| self.tree.as_ref()?.common(last, value);
            match groups.last_mut() {
                Some((last, group)) if common(last).is_some_and(|common| common != begin) => {
                    *last = common(last).unwrap_or(begin);
                    group.push(value);
                }
                _ => groups.push((value, Vec::from([*value]))),
            }
        }
        let mut branches = Vec::new();
        for (end, group) in groups {
            let (_, mut branch) = self.chain(Some(begin), end, depth + 1)?;
            if group.len() > 1 {
                self.shallow(node, depth + 1)?;
                branch.push(Step::Fork(Fork {
                    node,
                    value: None,
                    join,
                    branches: self.branches(node, join, &group, end, depth + 1)?,
                }));
            }
            branches.push(branch);
        }
        Ok(branches)
    }

    /// Refuses forks that are too deep within others.
    fn shallow(&self, node: &proto::Node, depth: usize) -> Result<()> {
        if depth < DEEPEST {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            place(node),
            format!("at most {DEEPEST} branches within one another"),
            "more",
        ))
    }

    /// The values, where the first one is a sum that begins at the same value its terms in its
    /// place, and so on: what is added node by node.
    fn terms(&mut self, join: Join, values: &[&'g str], begin: &'g str) -> Result<Vec<&'g str>> {
        // Last things first.
        let mut terms: Vec<&'g str> = values.iter().rev().copied().collect();
        while let (Join::Add, Some(first)) = (join, terms.last().copied()) {
            let above = self.tree.as_ref().and_then(|tree| tree.above(first));
            let Some(node) = self.graph.maker(first).filter(|_| above == Some(Ok(begin))) else {
                break;
            };
            if first == begin || pattern(self.graph, node, first)?.is_some() {
                break;
            }
            match meeting(self.graph, node)? {
                Some(inner) if inner.join == join && inner.constants.is_empty() => {
                    self.pass(node, first, Some(begin))?;
                    terms.pop();
                    terms.extend(inner.values.iter().rev());
                }
                _ => break,
            }
        }
        terms.reverse();
        Ok(terms)
    }
}

/// The error where branches that have something in common meet in different nodes.
fn other_branches(node: &proto::Node, value: &str) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        place(node),
        "a series-parallel graph, whose branches begin at one value and meet in one node",
        format!("{value:?} in branches that meet in several"),
    )
}

/// All links, within branches, too.
pub(super) fn links<'s, 'g>(steps: &'s [Step<'g>]) -> Vec<&'s Link<'g>> {
    let mut links = Vec::new();
    let mut open = Vec::from([steps.iter()]);
    while let Some(steps) = open.last_mut() {
        match steps.next() {
            None => {
                open.pop();
            }
            Some(Step::Link(link)) => links.push(link),
            Some(Step::Fork(fork)) => open.extend(fork.branches.iter().rev().map(|b| b.iter())),
        }
    }
    links
}
