//! What the nodes of a graph do: alone, with their neighbors, or where computed values meet.

use super::activations::{Expr, Meaning, line, table};
use super::constant::{Constant, meant};
use super::graph::{Found, Graph, ML, Match};
use super::node::{attribute, domain_of, float, input, int, is, listed, place, text};
use super::proto::{
    self, ATTRIBUTE_FLOAT, ATTRIBUTE_INTS, ATTRIBUTE_STRINGS, BFLOAT16, DOUBLE, FLOAT, FLOAT16,
    INT32, INT64,
};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::{Activation, Breakpoints};
use crate::nn::layers::UnitNorm;
use alloc::{format, string::String, vec, vec::Vec};

/// What can be read, for the error of what cannot.
const SUPPORTED: &str = "Gemm, MatMul, Add, Sub, Mul, Div, Sum, Max and Min with constants, Neg; \
    Add, Sum and Concat of branches, Gather, GatherND, Slice, Split; \
    Relu, LeakyRelu, PRelu, ThresholdedRelu, Elu, Celu, Selu, Sigmoid, HardSigmoid, Tanh, Gelu, \
    Swish, Mish, Softplus, Softsign, HardSwish, Shrink, Exp, Clip, Sign, Abs, or what these are \
    composed of; Softmax, LogSoftmax, BatchNormalization, LayerNormalization, \
    RMSNormalization, LpNormalization; Identity, Dropout, Cast, Flatten, Reshape, Transpose, Squeeze, Unsqueeze; \
    of ai.onnx.ml Scaler, LinearRegressor, LinearClassifier, Normalizer, ZipMap";

/// A link of the chain from input to output: the node, the value that it makes, and what it does.
#[derive(Debug)]
pub(super) struct Link<'g> {
    pub(super) node: &'g proto::Node,
    pub(super) value: &'g str,
    pub(super) part: Part<'g>,
}

#[derive(Debug)]
pub(super) enum Part<'g> {
    Dense(Product<'g>),
    /// Each feature by itself with a constant.
    Affine(Affine, Constant<'g>),
    /// All features times a number.
    Times(f64),
    Activation(Activation),
    /// x above 0 and a slope times x below.
    Prelu(Constant<'g>),
    /// Over the features along this axis.
    Softmax(Along),
    /// Its logarithm.
    LogSoftmax(Along),
    /// What a softmax that has been taken off was over.
    Scores(Along),
    /// The first half of the features times this of the second.
    Glu(Activation),
    UnitNorm(UnitNorm),
    /// With its statistics, if it has any, its scale and its bias.
    Norm {
        kind: Norm,
        statistics: Option<[Constant<'g>; 2]>,
        scale: Option<Constant<'g>>,
        bias: Option<Constant<'g>>,
    },
    /// (1 − x, x) of a single x.
    BothClasses,
    /// All axes before this one together, and all others.
    Flatten(i64),
    /// Into the shape of this name.
    Reshape(&'g str),
    /// Into the order of axes that the node gives.
    Transpose,
    /// Without these axes, or all of one.
    Squeeze(Option<Vec<i64>>),
    Unsqueeze(Vec<i64>),
    /// To numbers of this type.
    Cast(i64),
    /// Probabilities divided by their sum.
    Normalize,
    /// Some of the places along an axis.
    Select {
        axis: i64,
        rows: Rows<'g>,
    },
    /// A row of this table for each number.
    Embedding(Constant<'g>),
}

/// Which places along an axis.
#[derive(Debug)]
pub(super) enum Rows<'g> {
    /// These; a single one takes the axis away.
    At(Constant<'g>),
    /// From the first number to before the second, by steps of the third.
    Slice([i64; 3]),
    /// This of so many parts; of these sizes or, where nothing else is said, of equal ones.
    Split {
        part: usize,
        parts: usize,
        sizes: Option<Vec<i64>>,
    },
}

/// z = αWx + βb.
#[derive(Debug)]
pub(super) struct Product<'g> {
    pub(super) weights: Constant<'g>,
    /// Whether W is there as (outputs, inputs), else as (inputs, outputs).
    pub(super) by_output: bool,
    pub(super) alpha: f32,
    pub(super) bias: Option<Constant<'g>>,
    pub(super) beta: f32,
    /// Whether W is on the left, so that samples are columns.
    pub(super) left: bool,
    /// Whether x is transposed first.
    pub(super) flip: bool,
}

/// The features that a softmax is over: those along an axis or, in old versions, along this axis
/// and all that follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Along {
    pub(super) axis: i64,
    pub(super) rest: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Affine {
    Add,
    Sub,
    Mul,
    Div,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Norm {
    Layer { eps: f64 },
    Rms { eps: f64 },
    Batch { eps: f64, momentum: f64 },
    Group { eps: f64, groups: usize },
}

/// What a node does, first things first, and the value that it does it to.
pub(super) type Reading<'g> = (Vec<Part<'g>>, &'g str);

/// How values that meet become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Join {
    Add,
    /// One after the other along this axis.
    Stack {
        axis: i64,
    },
}

/// Where computed values meet: how, which, and what is added to all of them.
pub(super) struct Meeting<'g> {
    pub(super) join: Join,
    pub(super) values: Vec<&'g str>,
    pub(super) constants: Vec<Constant<'g>>,
}

/// The values that meet in a node; `None` where there are not several.
pub(super) fn meeting<'g>(graph: &Graph<'g>, node: &'g proto::Node) -> Result<Option<Meeting<'g>>> {
    let join = match (domain_of(node), &*node.op_type) {
        ("", "Add" | "Sum") => Join::Add,
        ("", "Concat") if node.input.len() > 1 => Join::Stack {
            axis: int(node, "axis")?.unwrap_or(1),
        },
        _ => return Ok(None),
    };
    let (mut values, mut constants) = (Vec::new(), Vec::new());
    for index in 0..node.input.len() {
        let name = input(node, index)?;
        match graph.constant(name)? {
            Some(constant) => constants.push(constant),
            None => values.push(name),
        }
    }
    match join {
        Join::Add if values.len() < 2 => Ok(None),
        Join::Stack { .. } if !constants.is_empty() => Err(Error::new(
            ErrorKind::Incompatible,
            place(node),
            "values that are computed",
            format!("a constant among {:?}", node.input),
        )),
        _ => Ok(Some(Meeting {
            join,
            values,
            constants,
        })),
    }
}

fn read<'g>(graph: &Graph<'g>, node: &'g proto::Node, value: &'g str) -> Result<Reading<'g>> {
    match pattern(graph, node, value)? {
        Some(found) => Ok(found),
        None => operator(graph, node, value),
    }
}

/// What a node ends of that several nodes compute together; `None` where it is nothing known.
pub(super) fn pattern<'g>(
    graph: &Graph<'g>,
    node: &'g proto::Node,
    value: &'g str,
) -> Result<Option<Reading<'g>>> {
    let here = |error: Error| error.within(place(node));
    if let Some(found) = breakpoints(graph, node)? {
        return Ok(Some(found));
    }
    for (expr, meaning) in table()
        .iter()
        .filter(|(expr, _)| expr.operator() == Some(&*node.op_type))
    {
        if let Some(Match { x: Some(x), slots }) = graph.find(expr, value) {
            return Ok(Some((meant_by(graph, meaning, &slots).map_err(here)?, x)));
        }
    }
    gated(graph, node)
}

/// What a node does by itself.
pub(super) fn operator<'g>(
    graph: &Graph<'g>,
    node: &'g proto::Node,
    value: &'g str,
) -> Result<Reading<'g>> {
    let here = |error: Error| error.within(place(node));
    let refuse = |expected: &str, given: String| {
        Err(Error::new(
            ErrorKind::Incompatible,
            place(node),
            expected,
            given,
        ))
    };
    let operator = || {
        format!(
            "{}{}{}",
            node.domain,
            if node.domain.is_empty() { "" } else { "." },
            node.op_type
        )
    };
    // Of the nodes that have several outputs, one is what it is about.
    let main = if is(node, ML, "LinearClassifier") {
        1
    } else {
        0
    };
    if is(node, "", "Split") {
        let part = split(graph, node, value)?;
        return Ok((vec![part], input(node, 0)?));
    }
    if node.output.get(main).map(|output| &**output) != Some(value) {
        return refuse(
            "a use of its main output",
            format!("one of its output {value:?}"),
        );
    }
    // Before version 13 axes were attributes.
    let axes = || match optional(graph, node, 1)? {
        Some(axes) => axes.axes().map(Some),
        None => {
            Ok(attribute(node, "axes", ATTRIBUTE_INTS)?.map(|attribute| attribute.ints.clone()))
        }
    };
    let along = |softmax| {
        let rest = graph.version < 13;
        Ok::<_, Error>(Along {
            axis: int(softmax, "axis")?.unwrap_or(if rest { 1 } else { -1 }),
            rest,
        })
    };
    if let (true, Some(softmax)) = (
        is(node, "", "Log"),
        input(node, 0)
            .ok()
            .and_then(|x| graph.maker(x))
            .filter(|x| is(x, "", "Softmax")),
    ) {
        return Ok((vec![Part::LogSoftmax(along(softmax)?)], input(softmax, 0)?));
    }
    let parts = match (domain_of(node), &*node.op_type) {
        ("", "Identity" | "Concat") | (ML, "ZipMap") => vec![],
        ("", "Gather") => {
            let axis = int(node, "axis")?.unwrap_or(0);
            return match (
                graph.constant(input(node, 0)?)?,
                graph.constant(input(node, 1)?)?,
            ) {
                (None, Some(rows)) => {
                    let rows = Rows::At(rows);
                    Ok((vec![Part::Select { axis, rows }], input(node, 0)?))
                }
                (Some(table), None) if axis == 0 => {
                    Ok((vec![Part::Embedding(table)], input(node, 1)?))
                }
                (Some(_), None) => refuse("axis 0 of a table", format!("axis {axis}")),
                _ => refuse(
                    "the rows of a table, or constant places of what is computed",
                    format!("places {:?} of {:?}", node.input[1], node.input[0]),
                ),
            };
        }
        // A row of places for each: PyTorch's x[:, [3, 0]].
        ("", "GatherND") => {
            let rows = constant(graph, node, 1)?;
            match *rows.dims() {
                [count, 1] if int(node, "batch_dims")?.unwrap_or(0) == 0 => {
                    let rows = Rows::At(rows.shaped(rows.place().into(), vec![count]));
                    vec![Part::Select { axis: 0, rows }]
                }
                _ => {
                    let given = format!("dimensions {:?}", rows.dims());
                    return refuse("places along axis 0, one in each row", given);
                }
            }
        }
        ("", "Slice") => slices(graph, node)?,
        ("", "Dropout") => match input(node, 2) {
            Ok(flag) if graph.flag(flag) != Some(false) => {
                return refuse("training_mode false", format!("the value {flag:?}"));
            }
            _ => vec![],
        },
        ("", "Cast") => vec![Part::Cast(int(node, "to")?.unwrap_or(0))],
        ("", "Flatten") => vec![Part::Flatten(int(node, "axis")?.unwrap_or(1))],
        ("", "Reshape") => vec![Part::Reshape(input(node, 1)?)],
        ("", "Transpose") => vec![Part::Transpose],
        ("", "Squeeze") => vec![Part::Squeeze(axes()?)],
        ("", "Unsqueeze") => vec![Part::Unsqueeze(axes()?.unwrap_or_default())],
        ("", "Softmax") => vec![Part::Softmax(along(node)?)],
        ("", "LogSoftmax") => vec![Part::LogSoftmax(along(node)?)],
        ("", "Gemm") => {
            let flags = [
                int(node, "transA")?.unwrap_or(0) != 0,
                int(node, "transB")?.unwrap_or(0) != 0,
            ];
            let left = graph.constant(input(node, 0)?)?;
            let (weights, by_output, flip) = match &left {
                Some(weights) => (weights.clone(), !flags[0], flags[1]),
                None => (constant(graph, node, 1)?, flags[1], flags[0]),
            };
            let (alpha, beta) = (float(node, "alpha")?, float(node, "beta")?);
            let bias = optional(graph, node, 2)?;
            let part = Part::Dense(Product {
                weights,
                by_output,
                alpha,
                bias,
                beta,
                left: left.is_some(),
                flip,
            });
            return Ok((vec![part], input(node, if left.is_some() { 1 } else { 0 })?));
        }
        ("", "MatMul") => {
            let left = graph.constant(input(node, 0)?)?;
            let (index, by_output) = if left.is_some() {
                (1, true)
            } else {
                (0, false)
            };
            let (weights, left) = match left {
                Some(weights) => (weights, true),
                None => (constant(graph, node, 1)?, false),
            };
            let part = Part::Dense(Product {
                weights,
                by_output,
                alpha: 1.0,
                bias: None,
                beta: 1.0,
                left,
                flip: false,
            });
            return Ok((vec![part], input(node, index)?));
        }
        ("", op @ ("Add" | "Sub" | "Mul" | "Div")) => {
            let (left, right) = (input(node, 0)?, input(node, 1)?);
            let op = match op {
                "Add" => Affine::Add,
                "Sub" => Affine::Sub,
                "Mul" => Affine::Mul,
                _ => Affine::Div,
            };
            return match (graph.constant(left)?, graph.constant(right)?) {
                (None, Some(by)) => Ok((vec![Part::Affine(op, by)], left)),
                (Some(by), None) if op == Affine::Sub => Ok((
                    vec![Part::Times(-1.0), Part::Affine(Affine::Add, by)],
                    right,
                )),
                (Some(by), None) if op != Affine::Div => Ok((vec![Part::Affine(op, by)], right)),
                (Some(_), None) => refuse(
                    "a constant as operand 1: no layer divides by what is computed",
                    format!("{right:?}"),
                ),
                _ => refuse(
                    ONE_VALUE,
                    format!("{} of {left:?} and {right:?}", node.op_type),
                ),
            };
        }
        ("", "Sum") => {
            let (x, constants) = only(graph, node)?;
            return Ok((
                constants
                    .into_iter()
                    .map(|by| Part::Affine(Affine::Add, by))
                    .collect(),
                x,
            ));
        }
        ("", "Neg") => vec![Part::Times(-1.0)],
        ("", "Abs") => vec![Part::Activation(
            Breakpoints::new(&[(0.0, 0.0)])?.slopes(-1.0, 1.0)?.into(),
        )],
        ("", "Pow")
            if graph
                .constant(input(node, 1)?)?
                .is_some_and(|power| power.single() == Some(1.0)) =>
        {
            vec![]
        }
        ("", "Clip" | "Max" | "Min") => return clamped(graph, node),
        ("", "PRelu") => {
            let slope = constant(graph, node, 1)?;
            // A scalar is a setting; a tensor is a parameter.
            match slope.dims() {
                [] => vec![Part::Activation(Activation::LeakyRelu {
                    slope: slope.meant().map_err(here)?,
                })],
                _ => vec![Part::Prelu(slope)],
            }
        }
        ("", "Selu") => {
            let alpha = meant(float(node, "alpha")?);
            vec![
                Part::Activation(Activation::Elu { alpha }),
                Part::Times(meant(float(node, "gamma")?)),
            ]
        }
        ("", "HardSigmoid") => {
            // max(0, min(1, αx + β)) has its kinks at −β/α and (1 − β)/α.
            let (slope, middle) = (meant(float(node, "alpha")?), meant(float(node, "beta")?));
            if slope.is_nan() || slope <= 0.0 {
                return refuse("alpha > 0", format!("{slope}"));
            }
            let points = Breakpoints::new(&[(-middle / slope, 0.0), ((1.0 - middle) / slope, 1.0)])
                .map_err(here)?;
            vec![Part::Activation(points.into())]
        }
        ("", "Gelu") => match text(node, "approximate", "none")? {
            "none" => vec![Part::Activation(Activation::Gelu)],
            "tanh" => vec![Part::Activation(Activation::GeluTanh)],
            other => return refuse("approximate none or tanh", other.into()),
        },
        ("", "BatchNormalization") => {
            if int(node, "training_mode")?.unwrap_or(0) != 0 {
                return refuse("training_mode 0", "1".into());
            }
            // 1 − 0.9 to the digits that an f32 has.
            let momentum = (1e7 * (1.0 - meant(float(node, "momentum")?))).round() / 1e7;
            vec![Part::Norm {
                kind: Norm::Batch {
                    eps: meant(float(node, "epsilon")?),
                    momentum,
                },
                statistics: Some([constant(graph, node, 3)?, constant(graph, node, 4)?]),
                scale: Some(constant(graph, node, 1)?),
                bias: Some(constant(graph, node, 2)?),
            }]
        }
        ("", op @ ("LayerNormalization" | "RMSNormalization")) => {
            let axis = int(node, "axis")?.unwrap_or(-1);
            if !matches!(axis, 1 | -1) {
                return refuse("axis 1: over the features", format!("axis {axis}"));
            }
            let (eps, scale) = (
                meant(float(node, "epsilon")?),
                Some(constant(graph, node, 1)?),
            );
            let (kind, bias) = match op {
                "RMSNormalization" => (Norm::Rms { eps }, None),
                _ => (Norm::Layer { eps }, optional(graph, node, 2)?),
            };
            vec![Part::Norm {
                kind,
                statistics: None,
                scale,
                bias,
            }]
        }
        ("", "LpNormalization") => {
            let axis = int(node, "axis")?.unwrap_or(-1);
            let norm = match int(node, "p")?.unwrap_or(2) {
                1 => UnitNorm::l1(),
                2 => UnitNorm::l2(),
                p => return refuse("p 1 or 2", format!("{p}")),
            };
            if !matches!(axis, 1 | -1) {
                return refuse("axis 1: over the features", format!("axis {axis}"));
            }
            vec![Part::UnitNorm(norm.eps(0.0))]
        }
        (ML, "Normalizer") => match text(node, "norm", "MAX")? {
            "L1" => vec![Part::Normalize],
            norm => return refuse("norm L1", norm.into()),
        },
        (ML, "Scaler") => {
            let part = |op, name| Ok::<_, Error>(Part::Affine(op, listed(node, name, None)?));
            vec![part(Affine::Sub, "offset")?, part(Affine::Mul, "scale")?]
        }
        (ML, "LinearRegressor") => {
            let outputs = int(node, "targets")?.unwrap_or(1);
            let mut parts = vec![linear(node, usize::try_from(outputs).unwrap_or(0))?];
            parts.extend(post_transform(node)?);
            parts
        }
        (ML, "LinearClassifier") => {
            let labels = |name, kind| {
                Ok::<_, Error>(
                    attribute(node, name, kind)?
                        .map_or(0, |labels| labels.ints.len() + labels.strings.len()),
                )
            };
            let classes = labels("classlabels_ints", ATTRIBUTE_INTS)?
                + labels("classlabels_strings", ATTRIBUTE_STRINGS)?;
            let mut parts = vec![linear(node, classes)?];
            parts.extend(post_transform(node)?);
            parts
        }
        ("", "Log" | "Sqrt" | "Reciprocal" | "Erf" | "Pow") => {
            let expected = "an operator that an activation computes, alone or with its neighbors \
                (of constants this one is read, too)";
            return refuse(expected, operator());
        }
        _ => {
            return refuse(
                &format!("an operator of a feed-forward network ({SUPPORTED})"),
                operator(),
            );
        }
    };
    Ok((parts, input(node, 0)?))
}

/// What is expected where computed values meet in another way than by Add, Sum or Concat.
const ONE_VALUE: &str = "one computed value and constants (computed values may meet in Add, Sum and \
    Concat, or in the product of a gated linear unit)";

/// A product of the first half of the features and an activation of the second.
fn gated<'g>(graph: &Graph<'g>, node: &'g proto::Node) -> Result<Option<Reading<'g>>> {
    let [left, right] = &node.input[..] else {
        return Ok(None);
    };
    let split = |value: &str| {
        let split = graph.maker(value).filter(|split| is(split, "", "Split"))?;
        let halves = matches!(&split.output[..], [first, _] if first == value);
        halves.then_some(split)
    };
    let pairs = [(left, right), (right, left)];
    let found = pairs
        .into_iter()
        .find_map(|(first, gate)| Some((split(first)?, gate)));
    let Some((split, gate)) = found.filter(|_| is(node, "", "Mul")) else {
        return Ok(None);
    };
    let second = &*split.output[1];
    let activation = match graph.maker(gate).filter(|_| gate != second) {
        None if gate == second => Activation::Linear,
        Some(maker) => match read(graph, maker, gate)? {
            (parts, before) if before == second => match <[_; 1]>::try_from(parts) {
                Ok([Part::Activation(activation)]) => activation,
                _ => return Ok(None),
            },
            _ => return Ok(None),
        },
        None => return Ok(None),
    };
    let sizes = split_sizes(graph, split)?;
    let axis = int(split, "axis")?.unwrap_or(0);
    let same = sizes.is_none_or(|sizes| sizes.windows(2).all(|pair| pair[0] == pair[1]));
    if !matches!(axis, 1 | -1) || !same {
        return Err(Error::new(
            ErrorKind::Incompatible,
            place(split),
            "two halves of the features, along axis 1",
            format!("other parts, or axis {axis}"),
        ));
    }
    Ok(Some((vec![Part::Glu(activation)], input(split, 0)?)))
}

/// The sizes of what is split, where the node says them.
fn split_sizes(graph: &Graph<'_>, split: &proto::Node) -> Result<Option<Vec<i64>>> {
    // Before version 13 they were an attribute.
    Ok(match split.input.get(1).filter(|sizes| !sizes.is_empty()) {
        Some(sizes) => match graph.constant(sizes)? {
            Some(sizes) => Some(sizes.integers()?),
            None => {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    place(split),
                    "a constant as operand 1",
                    format!("{sizes:?}"),
                ));
            }
        },
        None => attribute(split, "split", ATTRIBUTE_INTS)?.map(|sizes| sizes.ints.clone()),
    })
}

/// The part of a split that is this value.
fn split<'g>(graph: &Graph<'g>, node: &'g proto::Node, value: &str) -> Result<Part<'g>> {
    let part = node.output.iter().position(|output| output == value);
    Ok(Part::Select {
        axis: int(node, "axis")?.unwrap_or(0),
        rows: Rows::Split {
            part: part.unwrap_or(0),
            parts: node.output.len(),
            sizes: split_sizes(graph, node)?,
        },
    })
}

/// What a slice takes along each of its axes.
fn slices<'g>(graph: &Graph<'g>, node: &'g proto::Node) -> Result<Vec<Part<'g>>> {
    // Before version 10 all were attributes.
    let list = |index, name| match optional(graph, node, index)? {
        Some(list) => list.axes().map(Some),
        None => Ok(attribute(node, name, ATTRIBUTE_INTS)?.map(|list| list.ints.clone())),
    };
    let (starts, ends) = (
        list(1, "starts")?.unwrap_or_default(),
        list(2, "ends")?.unwrap_or_default(),
    );
    let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] || steps.contains(&0) {
        return Err(Error::new(
            ErrorKind::Parse,
            place(node),
            "as many starts, ends, axes and steps, none of them 0",
            format!("{starts:?}, {ends:?}, {axes:?}, {steps:?}"),
        ));
    }
    let along = |at: usize| Part::Select {
        axis: axes[at],
        rows: Rows::Slice([starts[at], ends[at], steps[at]]),
    };
    Ok((0..starts.len()).map(along).collect())
}

/// Of a node whose operands may be in any order, the only one that is computed, and the constants.
fn only<'g>(graph: &Graph<'g>, node: &'g proto::Node) -> Result<(&'g str, Vec<Constant<'g>>)> {
    let (mut x, mut constants) = (None, Vec::new());
    for index in 0..node.input.len() {
        let name = input(node, index)?;
        match graph.constant(name)? {
            Some(constant) => constants.push(constant),
            None if x.is_none() => x = Some(name),
            None => {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    place(node),
                    ONE_VALUE,
                    format!("{} of {:?}", node.op_type, node.input),
                ));
            }
        }
    }
    Ok((x.map_or_else(|| input(node, 0), Ok)?, constants))
}

/// Operand `index`, which must be a constant.
fn constant<'g>(graph: &Graph<'g>, node: &'g proto::Node, index: usize) -> Result<Constant<'g>> {
    let name = input(node, index)?;
    let computed = || {
        Error::new(
            ErrorKind::Incompatible,
            place(node),
            format!("a constant as operand {index}"),
            format!("{name:?}"),
        )
    };
    graph.constant(name)?.ok_or_else(computed)
}

/// Operand `index`, if there is one.
fn optional<'g>(
    graph: &Graph<'g>,
    node: &'g proto::Node,
    index: usize,
) -> Result<Option<Constant<'g>>> {
    if input(node, index).is_ok() {
        constant(graph, node, index).map(Some)
    } else {
        Ok(None)
    }
}

/// The dense layer of scikit-learn's linear models.
fn linear(node: &proto::Node, outputs: usize) -> Result<Part<'_>> {
    let bias = listed(node, "intercepts", None)?;
    let bias = (bias.len() > 0).then_some(bias);
    let weights = listed(node, "coefficients", Some(outputs))?;
    Ok(Part::Dense(Product {
        weights,
        by_output: true,
        alpha: 1.0,
        bias,
        beta: 1.0,
        left: false,
        flip: false,
    }))
}

fn post_transform(node: &proto::Node) -> Result<Option<Part<'_>>> {
    match text(node, "post_transform", "NONE")? {
        "NONE" => Ok(None),
        "LOGISTIC" => Ok(Some(Part::Activation(Activation::Sigmoid))),
        "SOFTMAX" => Ok(Some(Part::Softmax(Along {
            axis: -1,
            rest: false,
        }))),
        other => Err(Error::new(
            ErrorKind::Incompatible,
            place(node),
            "post_transform NONE, LOGISTIC or SOFTMAX",
            other,
        )),
    }
}

/// Bounds between which numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    low: Option<f64>,
    high: Option<f64>,
}

impl Bounds {
    /// Of a clip, or of a maximum or minimum with constants.
    fn of<'g>(graph: &Graph<'g>, node: &'g proto::Node) -> Result<(Self, &'g str)> {
        let single = |constant: &Constant<'_>| {
            let several = |_| {
                let expected = "one number for all features";
                let given = format!("dimensions {:?}", constant.dims());
                Error::new(ErrorKind::Shape, constant.place(), expected, given).within(place(node))
            };
            constant.meant().map_err(several)
        };
        if is(node, "", "Clip") {
            // Before version 11 the bounds were attributes.
            let bound = |index, name| match optional(graph, node, index)? {
                Some(bound) => single(&bound).map(Some),
                None => {
                    Ok(attribute(node, name, ATTRIBUTE_FLOAT)?.map(|attribute| meant(attribute.f)))
                }
            };
            return Ok((
                Self {
                    low: bound(1, "min")?,
                    high: bound(2, "max")?,
                },
                input(node, 0)?,
            ));
        }
        let (x, constants) = only(graph, node)?;
        let numbers = constants.iter().map(single).collect::<Result<Vec<_>>>()?;
        let (low, high) = match &*node.op_type {
            "Max" => (numbers.into_iter().reduce(f64::max), None),
            _ => (None, numbers.into_iter().reduce(f64::min)),
        };
        Ok((Self { low, high }, x))
    }

    /// A number within them; the upper one counts where they are the wrong way round.
    fn keep(self, v: f64) -> f64 {
        let v = self.low.map_or(v, |low| v.max(low));
        self.high.map_or(v, |high| v.min(high))
    }

    /// These before others.
    fn then(self, after: Self) -> Self {
        let low = match self.low {
            Some(low) => Some(after.keep(low)),
            None => after.low.map(|low| after.keep(low)),
        };
        let high = match self.high {
            Some(high) => Some(after.keep(high)),
            None => after.high,
        };
        Self { low, high }
    }

    fn activation(self) -> Result<Option<Activation>> {
        Ok(match (self.low, self.high) {
            (None, None) => None,
            (Some(0.0), None) => Some(Activation::Relu),
            (Some(0.0), Some(6.0)) => Some(Activation::Relu6),
            (Some(-1.0), Some(1.0)) => Some(Activation::HardTanh),
            (Some(low), None) => Some(Breakpoints::new(&[(low, low)])?.slopes(0.0, 1.0)?.into()),
            (None, Some(high)) => Some(Breakpoints::new(&[(high, high)])?.slopes(1.0, 0.0)?.into()),
            // A constant function.
            (Some(low), Some(high)) if low >= high => {
                Some(Breakpoints::new(&[(high, high)])?.into())
            }
            (Some(low), Some(high)) => Some(Breakpoints::new(&[(low, low), (high, high)])?.into()),
        })
    }
}

/// Numbers kept within bounds by one node after the other.
fn clamped<'g>(graph: &Graph<'g>, node: &'g proto::Node) -> Result<Reading<'g>> {
    let here = |error: Error| error.within(place(node));
    let (mut bounds, mut x) = Bounds::of(graph, node)?;
    let kept = |node: &&proto::Node| ["Clip", "Max", "Min"].iter().any(|op| is(node, "", op));
    for _ in 0..graph.nodes() {
        let Some(before) = graph.maker(x).filter(kept) else {
            break;
        };
        let Ok((first, value)) = Bounds::of(graph, before) else {
            break;
        };
        bounds = first.then(bounds);
        x = value;
    }
    Ok((
        bounds
            .activation()
            .map_err(here)?
            .map(Part::Activation)
            .into_iter()
            .collect(),
        x,
    ))
}

/// Whether a type is one of floating-point numbers.
pub(super) fn is_float(kind: i64) -> bool {
    [FLOAT, DOUBLE, FLOAT16, BFLOAT16]
        .iter()
        .any(|float| i64::from(*float) == kind)
}

/// Whether a type is one of integers.
pub(super) fn is_integer(kind: i64) -> bool {
    [INT32, INT64]
        .iter()
        .any(|integer| i64::from(*integer) == kind)
}

/// What an expression of the table is with what its slots hold.
fn meant_by<'g>(
    graph: &Graph<'g>,
    meaning: &Meaning,
    slots: &[Found<'g>],
) -> Result<Vec<Part<'g>>> {
    let tensor = |slot: usize| match slots.get(slot) {
        Some(Found::Constant(name)) => graph.constant(name),
        _ => Ok(None),
    };
    let missing = || Error::new(ErrorKind::Parse, "ONNX expression", "a constant", "none");
    let number = |slot: usize| match slots.get(slot) {
        Some(Found::Attribute(v)) => Ok(meant(*v)),
        _ => tensor(slot)?.ok_or_else(missing)?.meant(),
    };
    let norm = |kind, statistics| Part::Norm {
        kind,
        statistics,
        scale: None,
        bias: None,
    };
    Ok(vec![match meaning {
        Meaning::Activation(activation) => Part::Activation(activation.clone()),
        Meaning::LeakyRelu => Part::Activation(Activation::LeakyRelu { slope: number(0)? }),
        Meaning::LargerOfBoth => match number(0)? {
            slope if slope <= 1.0 => Part::Activation(Activation::LeakyRelu { slope }),
            // The line of the slope is above on the right.
            slope => Part::Activation(Breakpoints::new(&[(0.0, 0.0)])?.slopes(1.0, slope)?.into()),
        },
        Meaning::Elu => Part::Activation(Activation::Elu { alpha: number(0)? }),
        Meaning::Celu => Part::Activation(Activation::Celu { alpha: number(0)? }),
        Meaning::Threshold => {
            let threshold = number(0)?;
            let value = if slots.len() > 1 { number(1)? } else { 0.0 };
            Part::Activation(match (threshold, value) {
                (0.0, 0.0) => Activation::Relu,
                _ => Activation::Threshold { threshold, value },
            })
        }
        Meaning::HardShrink => Part::Activation(Activation::HardShrink { lambda: number(0)? }),
        Meaning::SoftShrink => {
            let (low, lambda) = (number(0)?, number(1)?);
            if -low != lambda {
                let given = format!("{low} and {lambda}");
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "what is taken off",
                    "bounds −λ and λ",
                    given,
                ));
            }
            Part::Activation(Activation::SoftShrink { lambda })
        }
        Meaning::Shrink => {
            let (lambda, bias) = (number(0)?, number(1)?);
            Part::Activation(match bias {
                0.0 => Activation::HardShrink { lambda },
                _ if bias == lambda => Activation::SoftShrink { lambda },
                _ => {
                    let expected = format!("0 or lambd, {lambda}");
                    return Err(Error::new(ErrorKind::Incompatible, "bias", expected, bias));
                }
            })
        }
        Meaning::Swish | Meaning::Softplus => {
            let beta = number(0)?;
            if beta == 0.0 || !beta.is_finite() {
                return Err(Error::new(
                    ErrorKind::Value,
                    "β",
                    "a finite factor that is not 0",
                    beta,
                ));
            }
            // x·σ(βx) = SiLU(βx)/β.
            let activation = if *meaning == Meaning::Swish {
                Activation::Silu
            } else {
                Activation::Softplus
            };
            return Ok(vec![
                Part::Times(beta),
                Part::Activation(activation),
                Part::Times(1.0 / beta),
            ]);
        }
        Meaning::UnitNorm(length) => {
            let eps = if slots.is_empty() { 0.0 } else { number(0)? };
            Part::UnitNorm(UnitNorm::of(*length).eps(eps))
        }
        Meaning::RmsNorm => norm(Norm::Rms { eps: number(0)? }, None),
        Meaning::LayerNorm => norm(Norm::Layer { eps: number(0)? }, None),
        Meaning::BatchNorm => {
            let statistics = [
                tensor(0)?.ok_or_else(missing)?,
                tensor(1)?.ok_or_else(missing)?,
            ];
            norm(
                Norm::Batch {
                    eps: number(2)?,
                    momentum: 0.1,
                },
                Some(statistics),
            )
        }
        Meaning::BothClasses => Part::BothClasses,
    }])
}

/// The function through points that [`formula::breakpoints`](super::formula) writes; `None` where
/// something else is.
fn breakpoints<'g>(graph: &Graph<'g>, node: &'g proto::Node) -> Result<Option<Reading<'g>>> {
    /// y + slope·(z − x); a constant has no x.
    struct Piece<'g> {
        z: Option<&'g str>,
        x: Option<f64>,
        slope: f64,
        y: f64,
    }
    let number = |found: &Found<'g>| match found {
        Found::Constant(name) => graph.constant(name).ok()??.meant().ok(),
        Found::Attribute(_) => None,
    };
    let pattern = line(Expr::Slot(0), Expr::Slot(1), Expr::Slot(2));
    let piece = |value: &'g str| match graph.find(&pattern, value) {
        Some(Match { x: z, slots }) => Some(Piece {
            z,
            x: Some(number(&slots[0])?),
            slope: number(&slots[1])?,
            y: number(&slots[2])?,
        }),
        None => Some(Piece {
            z: None,
            x: None,
            slope: 0.0,
            y: graph.constant(value).ok()??.meant().ok()?,
        }),
    };
    let bound = Expr::X.below(Expr::Slot(0));
    // Where(z < x₀, piece 0, Where(z < x₁, piece 1, …, the last)), of one z.
    let chain = || {
        let mut z = None;
        let mut xs = Vec::new();
        let mut pieces = Vec::new();
        let mut rest = node;
        loop {
            let condition = input(rest, 0).ok()?;
            let below = input(rest, 1).ok()?;
            let above = input(rest, 2).ok()?;
            let Match { x, slots } = graph.find(&bound, condition)?;
            xs.push(number(&slots[0])?);
            pieces.push(piece(below)?);
            if z.is_some_and(|z| x != Some(z)) || xs.len() > graph.nodes() {
                return None;
            }
            z = x;
            match graph.maker(above).filter(|node| is(node, "", "Where")) {
                Some(next) => rest = next,
                None => {
                    pieces.push(piece(above)?);
                    break;
                }
            }
        }
        pieces
            .iter()
            .all(|piece| piece.z.is_none_or(|of| Some(of) == z))
            .then_some((z?, xs, pieces))
    };
    if !is(node, "", "Where") {
        return Ok(None);
    }
    let Some((z, xs, pieces)) = chain() else {
        return Ok(None);
    };
    // Each piece begins at the point before it, but the first, which ends at the first point.
    let points: Vec<_> = xs
        .iter()
        .zip(&pieces[1..])
        .map(|(x, piece)| (*x, piece.y))
        .collect();
    let ends = |piece: &Piece<'_>, x: f64| piece.slope * (x - piece.x.unwrap_or(x)) + piece.y;
    let continuous = xs.iter().zip(pieces.windows(2)).all(|(x, pair)| {
        let (y, scale) = (
            pair[1].y,
            pair.iter()
                .fold(0.0, |scale: f64, piece| scale.max(piece.y.abs())),
        );
        pair[1].x.is_none_or(|at| at == *x) && (ends(&pair[0], *x) - y).abs() <= 1e-5 * scale
    });
    if !continuous {
        return Err(Error::new(
            ErrorKind::Incompatible,
            place(node),
            "a continuous function",
            format!("pieces through {points:?}"),
        ));
    }
    let (left, right) = (pieces[0].slope, pieces[pieces.len() - 1].slope);
    let function = Breakpoints::new(&points)
        .and_then(|points| points.slopes(left, right))
        .map_err(|error| error.within(place(node)))?;
    Ok(Some((vec![Part::Activation(function.into())], z)))
}
