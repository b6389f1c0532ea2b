//! Where everything of a network lies: the one file that adds up addresses. Parameters lie layer
//! after layer, in a layer block after block (`Dense`: W, column after column, and then b).
//!
//! A network is laid out as *nodes* in the order of a forward pass: its innermost layers, and where
//! layers are branches over the same input, a fork before and a join behind them. A chain of layers
//! has one node a layer.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::{Activation, OutputRange};
use crate::nn::layer::{Block, Join, Role};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;

/// Numbers behind a layer that belong to nobody: its columns may be written in whole vectors.
pub(crate) const SPARE: usize = 16;

/// The plan of a network, fixed when it is built and shared with its tapes.
///
/// Passes keep four vectors beside the parameters: the outputs, the derivatives by them, the caches
/// and the tangent caches of all nodes. In each the nodes lie one after the other, and of a node
/// the samples. Behind each node there is some [room to spare](SPARE).
///
/// Branches read what they all take where it is. On the way back each writes the derivative by it
/// into a place that their fork has for it, and the fork sums these. A join has its branches'
/// outputs, stacked or summed.
#[derive(Debug, PartialEq)]
pub(crate) struct Layout {
    inputs: usize,
    nodes: Vec<Node>,
    /// How many of them are leaves.
    leaves: usize,
    /// The layers as they were given, with their parts.
    members: Vec<Member>,
    /// All blocks of parameters, and where each belongs.
    blocks: Vec<Block>,
    placed: Vec<Placed>,
    /// The outputs of the network.
    top: Value,
    /// How many outputs lie in which set, one after the other.
    ranges: Vec<(usize, OutputRange)>,
    /// The first layers, as long as all are small dense ones.
    links: Vec<Link>,
    joined: bool,
    /// A leaf at or above parameters through which no gradient passes.
    blind: Option<usize>,
    checks: Vec<Check>,
    /// The length of the largest block, which each pass on threads asks for.
    largest: usize,
}

/// What a node takes and makes, and where that lies: in the flat vector of parameters, and for one
/// sample in the vectors of a pass.
#[derive(Debug, PartialEq)]
struct Node {
    kind: Kind,
    inputs: usize,
    params: Range<usize>,
    /// Its inputs.
    x: Value,
    y: Range<usize>,
    delta: Range<usize>,
    cache: Range<usize>,
    tangent_cache: Range<usize>,
    /// What errors call a leaf.
    place: String,
}

/// What a node does.
#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    /// Innermost layer so and so.
    Leaf(usize),
    /// Hands its input to branches.
    Fork,
    Join(Joined),
}

/// The outputs of branches that a join makes one.
#[derive(Debug, PartialEq)]
pub(crate) struct Joined {
    pub(crate) join: Join,
    pub(crate) branches: Vec<Value>,
}

/// What goes from node to node: where it lies, and where the derivative by it goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) width: usize,
    /// Among the outputs of all nodes; `None` of the network's own inputs.
    y: Option<Home>,
    /// Among the derivatives; `None` of the one by the network's inputs.
    dy: Option<Home>,
    /// Whether it depends on parameters.
    moving: bool,
    /// Of the network's inputs, or some of them unchanged, which.
    rows: Option<Rows>,
}

/// Which of the network's inputs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rows {
    All,
    These(Vec<usize>),
}

/// A layer that checks the network's inputs.
#[derive(Debug, PartialEq)]
pub(crate) struct Check {
    pub(crate) node: usize,
    pub(crate) leaf: usize,
    pub(crate) rows: Rows,
}

/// Where something lies for one sample: at a node, which says how much room to spare is before it.
#[derive(Clone, Debug, PartialEq)]
struct Home {
    node: usize,
    range: Range<usize>,
}

/// A layer as it was given, or a part of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) params: Range<usize>,
    pub(crate) blocks: Range<usize>,
    /// Whether it has nodes: what only hands on its input has none.
    pub(crate) computes: bool,
    pub(crate) out: Value,
    pub(crate) parts: Vec<Member>,
}

/// What a leaf says of itself when a network is built.
pub(crate) struct Described {
    /// What errors call it.
    pub(crate) place: String,
    /// The layer of the network that it is or is in.
    pub(crate) layer: usize,
    pub(crate) outputs: usize,
    pub(crate) blocks: Vec<Block>,
    /// What files call the blocks.
    pub(crate) names: Vec<String>,
    pub(crate) params: Range<usize>,
    pub(crate) cache_len: usize,
    pub(crate) tangent_cache_len: usize,
    /// The activation, and whether there are biases, of a small dense layer.
    pub(crate) small: Option<(Activation, bool)>,
    pub(crate) trainable: bool,
    /// Whether it checks the network's inputs.
    pub(crate) checks: bool,
    /// The inputs that it hands on, if it does nothing else.
    pub(crate) selects: Option<Vec<usize>>,
}

/// Where a block belongs.
#[derive(Debug, PartialEq)]
struct Placed {
    layer: usize,
    leaf: usize,
    node: usize,
    name: String,
    range: Range<usize>,
}

/// A small dense layer of a network of nothing but those.
#[derive(Debug, PartialEq)]
pub(crate) struct Link {
    node: usize,
    pub(crate) activation: Activation,
    pub(crate) bias: bool,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) params: Range<usize>,
    y: Range<usize>,
    cache: Range<usize>,
}

impl Link {
    /// Where its outputs begin, among those of all nodes, and where its δ does.
    #[inline]
    pub(crate) fn y(&self, samples: usize) -> usize {
        place_of(&self.y, self.node, samples).start
    }

    /// Where its cache begins.
    #[inline]
    pub(crate) fn cache(&self, samples: usize) -> usize {
        place_of(&self.cache, self.node, samples).start
    }

    /// Numbers of a sample in the cache.
    #[inline]
    pub(crate) fn cache_len(&self) -> usize {
        self.cache.len()
    }
}

/// A block of parameters, and where it lies in the flat vector.
#[derive(Clone, Debug)]
pub(crate) struct PlacedBlock<'a> {
    pub(crate) layer: usize,
    /// The innermost layer.
    pub(crate) leaf: usize,
    /// What errors call that.
    pub(crate) place: &'a str,
    /// What files call the block.
    pub(crate) name: &'a str,
    pub(crate) block: &'a Block,
    pub(crate) range: Range<usize>,
}

/// Where a node's share of a pass lies.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) node: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) params: Range<usize>,
    /// Its inputs, among the outputs of all nodes; `None` of the network's own inputs.
    pub(crate) x: Option<Range<usize>>,
    /// Where the derivative by its inputs goes, among those of all nodes; `None` of the network's.
    pub(crate) dx: Option<Range<usize>>,
    /// Whether its inputs depend on parameters.
    pub(crate) moving: bool,
    pub(crate) y: Range<usize>,
    /// ∂C/∂y; of a fork what its branches write, one after the other.
    pub(crate) delta: Range<usize>,
    pub(crate) cache: Range<usize>,
    pub(crate) tangent_cache: Range<usize>,
    /// Numbers of one sample in the cache.
    pub(crate) cache_len: usize,
}

impl Home {
    #[inline]
    fn of(&self, batch: usize) -> Range<usize> {
        place_of(&self.range, self.node, batch)
    }
}

impl Value {
    /// The network's own inputs.
    fn inputs(width: usize) -> Self {
        Self {
            width,
            y: None,
            dy: None,
            moving: false,
            rows: Some(Rows::All),
        }
    }

    /// Where it lies in a pass of `batch` samples, among the outputs of all nodes; `None` of the
    /// network's own inputs.
    #[inline]
    pub(crate) fn y(&self, batch: usize) -> Option<Range<usize>> {
        self.y.as_ref().map(|home| home.of(batch))
    }

    /// Where the derivative by it goes, among those of all nodes; `None` of the network's.
    #[inline]
    pub(crate) fn dy(&self, batch: usize) -> Option<Range<usize>> {
        self.dy.as_ref().map(|home| home.of(batch))
    }
}

impl Node {
    #[inline]
    fn span(&self, node: usize, batch: usize) -> Span {
        let times = |range: &Range<usize>| place_of(range, node, batch);
        Span {
            node,
            inputs: self.inputs,
            outputs: self.y.len(),
            params: self.params.clone(),
            x: self.x.y(batch),
            dx: self.x.dy(batch),
            moving: self.x.moving,
            y: times(&self.y),
            delta: times(&self.delta),
            cache: times(&self.cache),
            tangent_cache: times(&self.tangent_cache),
            cache_len: self.cache.len(),
        }
    }
}

/// Where what a node has at `range` for one sample lies in a pass of `batch` samples.
#[inline]
fn place_of(range: &Range<usize>, node: usize, batch: usize) -> Range<usize> {
    let before = SPARE * node;
    // Widths may have saturated: such a network can be built, though no pass of it fits into
    // memory.
    let at = |numbers: usize| (numbers * batch).saturating_add(before);
    at(range.start)..at(range.end)
}

/// How a network is laid out, node after node.
impl Layout {
    /// The plan of a network without layers.
    pub(crate) fn new(inputs: usize) -> Self {
        Self {
            inputs,
            nodes: Vec::new(),
            leaves: 0,
            members: Vec::new(),
            blocks: Vec::new(),
            placed: Vec::new(),
            top: Value::inputs(inputs),
            ranges: Vec::new(),
            links: Vec::new(),
            joined: false,
            blind: None,
            checks: Vec::new(),
            largest: 0,
        }
    }

    /// Where the parameters of a next layer would lie, if all together are at most `most` numbers.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when there are more.
    pub(crate) fn next_params(&self, blocks: &[Block], most: usize) -> Result<Range<usize>> {
        let start = self.param_count();
        let end = blocks.iter().try_fold(start, |sum, block| {
            let len = block.rows.checked_mul(block.cols)?;
            sum.checked_add(len).filter(|sum| *sum <= most)
        });
        end.map(|end| start..end).ok_or_else(|| {
            let expected = "parameters that fit into memory";
            Error::new(ErrorKind::Value, "", expected, format!("{blocks:?}"))
        })
    }

    /// Puts a leaf behind `x`, whose parameters have been given their place; returns its output.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] for a layer that checks the network's inputs where `x` is none
    /// of them.
    pub(crate) fn leaf(&mut self, leaf: Described, x: &Value) -> Result<Value> {
        let Described {
            place,
            layer,
            outputs,
            blocks,
            names,
            params,
            cache_len,
            tangent_cache_len,
            small,
            trainable,
            checks,
            selects,
        } = leaf;
        let node = self.nodes.len();
        let leaf = self.leaves;
        self.leaves += 1;
        if checks {
            let rows = x.rows.clone().ok_or_else(|| {
                let expected =
                    "the network's own inputs (directly, or some of them through Select, Chain \
                     and Parallel), which it checks";
                let given = "what a layer computes";
                Error::new(ErrorKind::Incompatible, &*place, expected, given)
            })?;
            self.checks.push(Check { node, leaf, rows });
        }
        if !trainable && (x.moving || !params.is_empty()) && self.blind.is_none() {
            self.blind = Some(node);
        }
        for ((block, range), name) in Block::lay(&blocks, params.start).zip(names) {
            self.largest = self.largest.max(block.len());
            self.placed.push(Placed {
                layer,
                leaf,
                node,
                name,
                range,
            });
        }
        self.blocks.extend(blocks);
        let moving = x.moving || !params.is_empty();
        let rows = match (&x.rows, selects) {
            (Some(Rows::All), Some(rows)) => Some(Rows::These(rows)),
            (Some(Rows::These(of)), Some(rows)) => {
                let of = rows.into_iter().map(|row| of.get(row).copied());
                of.collect::<Option<_>>().map(Rows::These)
            }
            _ => None,
        };
        let widths = [outputs, outputs, cache_len, tangent_cache_len];
        self.push(Kind::Leaf(leaf), x.clone(), params, widths, place);
        if let Some((activation, bias)) = small
            && self.links.len() == node
        {
            let Node {
                inputs,
                params,
                y,
                cache,
                ..
            } = &self.nodes[node];
            self.links.push(Link {
                node,
                activation,
                bias,
                inputs: *inputs,
                outputs,
                params: params.clone(),
                y: y.clone(),
                cache: cache.clone(),
            });
        }
        Ok(self.output(moving, rows))
    }

    /// Hands `x` to so many branches.
    pub(crate) fn fork(&mut self, x: &Value, branches: usize) -> Vec<Value> {
        let node = self.nodes.len();
        self.joined = true;
        let params = self.param_count();
        let widths = [0, x.width.saturating_mul(branches), 0, 0];
        let place = String::new();
        self.push(Kind::Fork, x.clone(), params..params, widths, place);
        let start = self.nodes[node].delta.start;
        let at = |branch: usize| start.saturating_add(x.width.saturating_mul(branch));
        let branch = |branch| Value {
            dy: Some(Home {
                node,
                range: at(branch)..at(branch + 1),
            }),
            ..x.clone()
        };
        (0..branches).map(branch).collect()
    }

    /// Makes the outputs of branches one.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for a sum of outputs of different widths.
    pub(crate) fn join(&mut self, join: Join, branches: Vec<Value>, cure: &str) -> Result<Value> {
        let widths = branches.iter().map(|branch| branch.width);
        let width = match join {
            Join::Stack => widths.fold(0, usize::saturating_add),
            Join::Add => {
                let first = branches.first().map_or(0, |branch| branch.width);
                if branches.iter().any(|branch| branch.width != first) {
                    let expected = format!("branches of the same number of outputs{cure}");
                    let given: Vec<_> = branches.iter().map(|branch| branch.width).collect();
                    return Err(Error::new(
                        ErrorKind::Shape,
                        "",
                        expected,
                        format!("{given:?}"),
                    ));
                }
                first
            }
        };
        let moving = branches.iter().any(|branch| branch.moving);
        let inputs = self.inputs;
        let rows = |value: &Value| match value.rows.as_ref()? {
            Rows::All => Some((0..inputs).collect()),
            Rows::These(rows) => Some(rows.clone()),
        };
        let stacked: Option<Vec<Vec<usize>>> = branches.iter().map(rows).collect();
        let rows = match join {
            Join::Stack => stacked.map(|rows| Rows::These(rows.concat())),
            Join::Add => None,
        };
        let params = self.param_count();
        // What the branches took, they say.
        let x = Value::inputs(self.inputs);
        let joined = Joined { join, branches };
        let widths = [width, width, 0, 0];
        self.push(Kind::Join(joined), x, params..params, widths, String::new());
        Ok(self.output(moving, rows))
    }

    /// A node behind the last, with so many outputs, derivatives by them, and numbers in the
    /// caches.
    fn push(
        &mut self,
        kind: Kind,
        x: Value,
        params: Range<usize>,
        [y, delta, cache, tangent_cache]: [usize; 4],
        place: String,
    ) {
        let last = self.nodes.last();
        // No pass of widths whose sum saturates fits into memory.
        let after = |range: fn(&Node) -> &Range<usize>, len: usize| {
            let start = last.map_or(0, |last| range(last).end);
            start..start.saturating_add(len)
        };
        let node = Node {
            kind,
            inputs: x.width,
            params,
            x,
            y: after(|last| &last.y, y),
            delta: after(|last| &last.delta, delta),
            cache: after(|last| &last.cache, cache),
            tangent_cache: after(|last| &last.tangent_cache, tangent_cache),
            place,
        };
        self.nodes.push(node);
    }

    /// The output of the last node.
    fn output(&self, moving: bool, rows: Option<Rows>) -> Value {
        let node = self.nodes.len() - 1;
        let at = |range: &Range<usize>| {
            let range = range.clone();
            Some(Home { node, range })
        };
        let Node { y, delta, .. } = &self.nodes[node];
        Value {
            width: y.len(),
            y: at(y),
            dy: at(delta),
            moving,
            rows,
        }
    }

    /// What is known when all nodes are there: the outputs, the sets in which they lie, and the
    /// layers.
    pub(crate) fn finish(
        &mut self,
        top: Value,
        ranges: Vec<(usize, OutputRange)>,
        members: Vec<Member>,
    ) {
        (self.top, self.ranges, self.members) = (top, ranges, members);
    }
}

/// What there is.
impl Layout {
    /// The nodes, if all are small dense layers.
    #[inline]
    pub(crate) fn links(&self) -> Option<&[Link]> {
        (self.links.len() == self.nodes.len()).then_some(&self.links)
    }

    /// Whether there are branches.
    #[inline]
    pub(crate) fn is_joined(&self) -> bool {
        self.joined
    }

    /// The layers as they were given, with their parts.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The number of blocks.
    pub(crate) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.top.width
    }

    /// The network's inputs, or its outputs once all is laid out.
    pub(crate) fn top_value(&self) -> &Value {
        &self.top
    }

    /// The set in which these outputs lie.
    pub(crate) fn range(&self, outputs: Range<usize>) -> OutputRange {
        let mut start = 0_usize;
        let each = self.ranges.iter().filter_map(|(width, range)| {
            let here = start..start.saturating_add(*width);
            start = here.end;
            let whole = outputs.start <= here.start && here.end <= outputs.end;
            let some = outputs.start < here.end && here.start < outputs.end;
            some.then_some(if whole { *range } else { range.of_some() })
        });
        each.reduce(OutputRange::beside)
            .unwrap_or(OutputRange::Real)
    }

    /// What errors call a layer at or above parameters through which no gradient passes.
    pub(crate) fn blind(&self) -> Option<&str> {
        self.blind.map(|node| self.place_of_node(node))
    }

    /// The layers that check the network's inputs.
    #[inline]
    pub(crate) fn checks(&self) -> &[Check] {
        &self.checks
    }

    pub(crate) fn param_count(&self) -> usize {
        self.nodes.last().map_or(0, |last| last.params.end)
    }

    /// The length of the outputs of all nodes, of `batch` samples.
    pub(crate) fn outputs_len(&self, batch: usize) -> usize {
        self.length(|last| &last.y, batch)
    }

    /// The length of the derivatives by all outputs.
    pub(crate) fn deltas_len(&self, batch: usize) -> usize {
        self.length(|last| &last.delta, batch)
    }

    /// The length of the caches of all nodes.
    pub(crate) fn caches_len(&self, batch: usize) -> usize {
        self.length(|last| &last.cache, batch)
    }

    /// The length of the tangent caches of all nodes.
    pub(crate) fn tangent_caches_len(&self, batch: usize) -> usize {
        self.length(|last| &last.tangent_cache, batch)
    }

    fn length(&self, range: fn(&Node) -> &Range<usize>, batch: usize) -> usize {
        let last = self.nodes.last().map_or(0, |last| range(last).end);
        (last * batch).saturating_add(SPARE * self.nodes.len())
    }

    /// Where the outputs of the network lie.
    #[inline]
    pub(crate) fn top(&self, batch: usize) -> Range<usize> {
        self.top.y(batch).unwrap_or(0..0)
    }

    /// Where the derivative by them does.
    #[inline]
    pub(crate) fn top_delta(&self, batch: usize) -> Range<usize> {
        self.top.dy(batch).unwrap_or(0..0)
    }

    /// Every node, and where its share of a pass of `batch` samples lies, first to last.
    #[inline]
    pub(crate) fn nodes(
        &self,
        batch: usize,
    ) -> impl DoubleEndedIterator<Item = (&Kind, Span)> + ExactSizeIterator {
        let nodes = self.nodes.iter().enumerate();
        nodes.map(move |(index, node)| (&node.kind, node.span(index, batch)))
    }

    /// The [`nodes`](Self::nodes) that are layers, each with its number among these.
    #[inline]
    pub(crate) fn leaves(&self, batch: usize) -> impl Iterator<Item = (usize, Span)> {
        self.nodes(batch).filter_map(|(kind, span)| match kind {
            Kind::Leaf(leaf) => Some((*leaf, span)),
            _ => None,
        })
    }

    /// Every block of parameters, in the order in which they lie.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = PlacedBlock<'_>> + Clone {
        let placed = self.blocks.iter().zip(&self.placed);
        placed.map(|(block, placed)| PlacedBlock {
            layer: placed.layer,
            leaf: placed.leaf,
            place: self.place_of_node(placed.node),
            name: &placed.name,
            block,
            range: placed.range.clone(),
        })
    }

    /// The blocks of a layer or part; none if there is no such.
    pub(crate) fn layer_blocks(&self, path: &[usize]) -> &[Block] {
        self.member("", path)
            .map_or(&[], |member| &self.blocks[member.blocks.clone()])
    }

    /// The first block of a role in a layer or part, and where it lies in the flat vector.
    pub(crate) fn block(
        &self,
        function: &str,
        path: &[usize],
        role: Role,
    ) -> Result<(&Block, Range<usize>)> {
        let member = self.member(function, path)?;
        let error = |expected: String| {
            let given = place(path, &member.name);
            Err(Error::new(ErrorKind::Value, function, expected, given))
        };
        if !member.parts.is_empty() {
            let part = dotted(path).replace('.', ", ");
            return error(format!("the path of one of its parts, such as [{part}, 0]"));
        }
        let mut blocks = member.blocks.clone().map(|index| {
            let range = &self.placed[index].range;
            (&self.blocks[index], range.clone())
        });
        match blocks.find(|(block, _)| block.role == role) {
            Some(found) => Ok(found),
            None => error(format!("a layer with a block of role {role:?}")),
        }
    }

    /// Where the parameters of a layer or part lie.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if there is no such.
    pub(crate) fn params_of(&self, function: &str, path: &[usize]) -> Result<Range<usize>> {
        Ok(self.member(function, path)?.params.clone())
    }

    /// The output of a layer or part.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if there is no such, or it computes nothing.
    pub(crate) fn output_of(&self, function: &str, path: &[usize]) -> Result<&Value> {
        let member = self.member(function, path)?;
        if member.computes {
            return Ok(&member.out);
        }
        let expected = "a layer that does not only hand on its input";
        let given = place(path, &member.name);
        Err(Error::new(ErrorKind::Value, function, expected, given))
    }

    /// The number of parameters of the largest block, to which most of the work for a sample is
    /// proportional.
    pub(crate) fn largest_block(&self) -> usize {
        self.largest
    }

    /// What errors call a layer.
    pub(crate) fn place(&self, layer: usize) -> String {
        place(&[layer], &self.members[layer].name)
    }

    /// What errors call a leaf.
    pub(crate) fn place_of_node(&self, node: usize) -> &str {
        &self.nodes[node].place
    }

    fn member(&self, function: &str, path: &[usize]) -> Result<&Member> {
        let error = |expected: String, given: String| {
            Err(Error::new(ErrorKind::Value, function, expected, given))
        };
        let mut members = &self.members[..];
        let mut found: Option<&Member> = None;
        for (depth, index) in path.iter().enumerate() {
            let within = found.map(|member| place(&path[..depth], &member.name));
            match (members.get(*index), within) {
                (Some(member), _) => (found, members) = (Some(member), &member.parts[..]),
                (None, None) => {
                    return error(
                        format!("a layer below {}", members.len()),
                        index.to_string(),
                    );
                }
                (None, Some(within)) if members.is_empty() => {
                    return error(format!("no part of {within}, which has none"), dotted(path));
                }
                (None, Some(within)) => {
                    let expected = format!("a part below {} of {within}", members.len());
                    return error(expected, index.to_string());
                }
            }
        }
        match found {
            Some(member) => Ok(member),
            None => error("a layer, or the path of a part of one".into(), "[]".into()),
        }
    }
}

/// What errors call a layer of a network, or a part of one.
pub(crate) fn place(path: &[usize], name: &str) -> String {
    format!("layer {} ({name})", dotted(path))
}

/// A path as it stands in names of parameters.
pub(crate) fn dotted(path: &[usize]) -> String {
    let numbers: Vec<_> = path.iter().map(ToString::to_string).collect();
    numbers.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn described(layout: &Layout, outputs: usize, blocks: Vec<Block>) -> Described {
        let layer = layout.len();
        Described {
            place: format!("layer {layer} (L{layer})"),
            layer,
            outputs,
            names: blocks
                .iter()
                .map(|block| format!("{layer}.{}", block.name))
                .collect(),
            params: layout.next_params(&blocks, 18).expect("18 parameters"),
            blocks,
            cache_len: 0,
            tangent_cache_len: 0,
            small: None,
            trainable: true,
            checks: false,
            selects: None,
        }
    }

    fn member(layer: usize, blocks: Range<usize>, out: &Value) -> Member {
        Member {
            name: format!("L{layer}"),
            params: 0..0,
            blocks,
            computes: true,
            out: out.clone(),
            parts: vec![],
        }
    }

    /// Three layers, of which the second has no parameters and the third no cache.
    fn plan() -> Layout {
        let mut layout = Layout::new(4);
        let dense = vec![
            Block::new("weights", Role::Weight, 3, 4),
            Block::new("bias", Role::Bias, 3, 1),
        ];
        let scale = vec![Block::new("scale", Role::Scale, 3, 1)];
        let layers = [(3, dense, 3, 6), (3, vec![], 1, 0), (2, scale, 0, 2)];
        let (mut value, mut members) = (layout.top_value().clone(), vec![]);
        for (outputs, blocks, cache_len, tangent_cache_len) in layers {
            let first = layout.block_count();
            let leaf = Described {
                cache_len,
                tangent_cache_len,
                ..described(&layout, outputs, blocks)
            };
            let layer = leaf.layer;
            value = layout.leaf(leaf, &value).expect("a sound layer");
            members.push(member(layer, first..layout.block_count(), &value));
        }
        layout.finish(value, vec![], members);
        layout
    }

    #[test]
    fn spans_lie_one_after_the_other() {
        let layout = plan();
        for batch in [1, 5] {
            let (mut params, mut y, mut cache, mut tangent_cache) = (0, 0, 0, 0);
            let (mut below, mut inputs) = (None, layout.inputs());
            for (node, (kind, span)) in layout.nodes(batch).enumerate() {
                assert_eq!((kind, span.node), (&Kind::Leaf(node), node));
                assert_eq!((span.inputs, &span.x), (inputs, &below));
                assert_eq!(span.moving, node > 0);
                assert_eq!((&span.dx, &span.delta), (&below, &span.y));
                assert_eq!(span.y.len(), span.outputs * batch);
                assert_eq!(span.cache.len(), span.cache_len * batch);
                let starts = [&span.params, &span.y, &span.cache, &span.tangent_cache];
                assert_eq!(
                    starts.map(|range| range.start),
                    [params, y, cache, tangent_cache]
                );
                params = span.params.end;
                y = span.y.end + SPARE;
                cache = span.cache.end + SPARE;
                tangent_cache = span.tangent_cache.end + SPARE;
                (below, inputs) = (Some(span.y), span.outputs);
            }
            assert_eq!(Some(layout.top(batch)), below);
            assert_eq!(Some(layout.top_delta(batch)), below);
            assert_eq!(
                [params, y, y],
                [
                    layout.param_count(),
                    layout.outputs_len(batch),
                    layout.deltas_len(batch)
                ]
            );
            assert_eq!(cache, layout.caches_len(batch));
            assert_eq!(tangent_cache, layout.tangent_caches_len(batch));
            assert_eq!(inputs, layout.outputs());
        }
    }

    /// Two branches over the output of a layer: one of a layer, one that hands it on.
    #[test]
    fn branches_have_a_place_for_their_derivatives() {
        let mut layout = Layout::new(2);
        let value = layout.top_value().clone();
        let leaf = described(&layout, 3, vec![]);
        let value = layout.leaf(leaf, &value).expect("a sound layer");
        let mut branches = layout.fork(&value, 2);
        let leaf = described(&layout, 5, vec![]);
        branches[0] = layout.leaf(leaf, &branches[0]).expect("a sound layer");
        let uneven = layout.join(Join::Add, branches.clone(), "");
        assert_eq!(
            uneven.expect_err("5 and 3 outputs").to_string(),
            ": got [5, 3], expected branches of the same number of outputs"
        );
        let top = layout
            .join(Join::Stack, branches, "")
            .expect("any widths stack");
        layout.finish(top, vec![], vec![]);
        assert_eq!(layout.outputs(), 8);
        let spans: Vec<_> = layout.nodes(2).map(|(_, span)| span).collect();
        let [below, fork, branch, join] = &spans[..] else {
            panic!("{} nodes", spans.len());
        };
        // The branch reads what is below the fork, which has no outputs of its own.
        assert_eq!(branch.x, Some(below.y.clone()));
        assert_eq!((fork.y.len(), fork.delta.len()), (0, 2 * 2 * 3));
        let slots = [branch.dx.clone(), branch_of(&layout, 1)];
        assert_eq!(slots[0], Some(fork.delta.start..fork.delta.start + 6));
        assert_eq!(slots[1], Some(fork.delta.start + 6..fork.delta.end));
        assert_eq!((fork.dx.as_ref(), join.y.len()), (Some(&below.delta), 16));
        // In each vector the nodes lie one after the other.
        for pair in spans.windows(2) {
            assert!(pair[0].y.end <= pair[1].y.start);
            assert!(pair[0].delta.end <= pair[1].delta.start);
        }
    }

    fn branch_of(layout: &Layout, branch: usize) -> Option<Range<usize>> {
        layout.nodes(2).find_map(|(kind, _)| match kind {
            Kind::Join(joined) => joined.branches[branch].dy(2),
            _ => None,
        })
    }

    #[test]
    fn blocks_cover_the_parameters() {
        let layout = plan();
        let blocks: Vec<_> = layout
            .blocks()
            .map(|b| (b.layer, b.name, b.range))
            .collect();
        assert_eq!(
            blocks,
            [
                (0, "0.weights", 0..12),
                (0, "0.bias", 12..15),
                (2, "2.scale", 15..18)
            ]
        );
        for (layer, span) in layout.leaves(1) {
            let blocks: Vec<_> = layout
                .blocks()
                .filter(|block| block.layer == layer)
                .collect();
            assert_eq!(
                blocks.iter().map(|block| block.range.len()).sum::<usize>(),
                span.params.len()
            );
        }
        assert_eq!(
            layout.block("f", &[0], Role::Bias).expect("a bias").1,
            12..15
        );
        let none = layout.block("f", &[2], Role::Bias).expect_err("no bias");
        assert_eq!(
            none.to_string(),
            "f: got layer 2 (L2), expected a layer with a block of role Bias"
        );
        assert!(layout.block("f", &[3], Role::Bias).is_err());
    }

    #[test]
    fn widths_whose_sum_saturates_have_spans() {
        let mut layout = Layout::new(1);
        let mut value = layout.top_value().clone();
        for _ in 0..3 {
            let leaf = Described {
                cache_len: usize::MAX - 1,
                tangent_cache_len: usize::MAX - 1,
                ..described(&layout, usize::MAX - 1, vec![])
            };
            value = layout.leaf(leaf, &value).expect("a sound layer");
        }
        layout.finish(value, vec![], vec![]);
        assert!(
            layout
                .nodes(1)
                .all(|(_, span)| span.outputs > 0 || span.node > 0)
        );
        assert_eq!(layout.nodes(1).count(), 3);
        assert_eq!(layout.outputs_len(1), usize::MAX);
        assert_eq!(layout.top(1).end, usize::MAX);
    }

    #[test]
    fn parameters_beyond_the_limit_are_refused() {
        for (rows, cols) in [(1, 1), (usize::MAX, 1), (usize::MAX, 2)] {
            let blocks = [Block::new("b", Role::Bias, rows, cols)];
            assert!(plan().next_params(&blocks, 18).is_err());
        }
    }
}
