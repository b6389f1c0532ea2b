//! From a graph to the layers: backwards from its output, node by node.

use super::formula::{Expr, Meaning, line, table};
use super::graph::{Constant, Found, Graph, ML, Match, attribute, domain_of, float, input, int, is, listed, meant, place, text};
use super::proto::{self, ATTRIBUTE_FLOAT, ATTRIBUTE_INTS, ATTRIBUTE_STRINGS};
use crate::activation::{Activation, Breakpoints};
use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, vec, vec::Vec};

/// What can be read, for the error of what cannot.
const SUPPORTED: &str = "an operator of a feed-forward network (Gemm, MatMul, Add, Sub, Mul, Div with constants; Relu, LeakyRelu, PRelu, Elu, \
    Celu, Selu, Sigmoid, HardSigmoid, Tanh, Gelu, Swish, Mish, Softplus, Softsign, HardSwish, Clip, Sign, or what these are composed of; \
    Softmax, BatchNormalization, LayerNormalization, RMSNormalization; Identity, Dropout, Cast, Flatten, Reshape; of ai.onnx.ml Scaler, \
    LinearRegressor, LinearClassifier, Normalizer, ZipMap)";

/// A step of the way from input to output, and the node that makes it.
#[derive(Debug)]
pub(super) struct Step<'g> {
    pub(super) place: String,
    pub(super) part: Part<'g>,
}

#[derive(Debug)]
pub(super) enum Part<'g> {
    /// z = αWx + βb; W of (outputs, inputs) if `by_output`, else (inputs, outputs).
    Dense {
        weights: Constant<'g>,
        by_output: bool,
        alpha: f32,
        bias: Option<Constant<'g>>,
        beta: f32,
    },
    /// Each feature by itself with a constant.
    Affine(Affine, Constant<'g>),
    /// −x.
    Negate,
    Activation(Activation),
    Softmax,
    /// With its statistics, if it has any, its scale and its bias.
    Norm {
        kind: Norm,
        statistics: Option<[Constant<'g>; 2]>,
        scale: Option<Constant<'g>>,
        bias: Option<Constant<'g>>,
    },
    /// (1 − x, x) of a single x.
    BothClasses,
    /// All features of a sample in one row, whatever dimensions they had.
    Flatten,
    /// The same into a row of as many.
    Features(usize),
    /// To numbers of this type.
    Cast(i64),
    /// Probabilities divided by their sum.
    Normalize,
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
}

/// What a node does, first things first, and the value that it does it to.
type Reading<'g> = (Vec<Part<'g>>, &'g str);

/// The steps from an input of the graph, which is given too, to `output`.
pub(super) fn steps<'g>(graph: &Graph<'g>, output: &'g str) -> Result<(&'g proto::ValueInfo, Vec<Step<'g>>)> {
    let table = table();
    let (mut value, mut steps) = (output, Vec::new());
    // Each step goes back by a node at least, unless the graph has a cycle.
    for _ in 0..=graph.nodes() {
        if let Some(input) = graph.input(value) {
            steps.reverse();
            return Ok((input, steps));
        }
        let Some(node) = graph.maker(value) else {
            let given = if graph.constant(value)?.is_some() { "a constant" } else { "a value that no node makes" };
            return Err(Error::new(ErrorKind::Incompatible, format!("ONNX value {value:?}"), "a function of the graph's input", given));
        };
        let (parts, before) = read(graph, &table, node, value)?;
        steps.extend(parts.into_iter().rev().map(|part| Step { place: place(node), part }));
        value = before;
    }
    Err(Error::new(ErrorKind::Parse, format!("ONNX value {output:?}"), "a graph without cycles", "a value that depends on itself"))
}

fn read<'g>(graph: &Graph<'g>, table: &[(Expr, Meaning)], node: &'g proto::Node, value: &'g str) -> Result<Reading<'g>> {
    let here = |error: Error| error.within(place(node));
    if let Some(found) = breakpoints(graph, node)? {
        return Ok(found);
    }
    for (expr, meaning) in table {
        if let Some(Match { x: Some(x), slots }) = graph.find(expr, value) {
            return Ok((vec![meant_by(graph, meaning, &slots).map_err(here)?], x));
        }
    }
    let refuse = |expected: &str, given: String| Err(Error::new(ErrorKind::Incompatible, place(node), expected, given));
    let operator = || format!("{}{}{}", node.domain, if node.domain.is_empty() { "" } else { "." }, node.op_type);
    let x = input(node, 0);
    // Of the nodes that have several outputs, one is what it is about.
    let main = if is(node, ML, "LinearClassifier") { 1 } else { 0 };
    if node.output.get(main).map(|output| &**output) != Some(value) {
        return refuse("a use of its main output", format!("one of its output {value:?}"));
    }
    let parts = match (domain_of(node), &*node.op_type) {
        ("", "Identity") | (ML, "ZipMap") => vec![],
        ("", "Dropout") => match input(node, 2) {
            Ok(flag) if graph.flag(flag) != Some(false) => return refuse("training_mode false", format!("the value {flag:?}")),
            _ => vec![],
        },
        ("", "Cast") => vec![Part::Cast(int(node, "to")?.unwrap_or(0))],
        ("", "Flatten") => match int(node, "axis")?.unwrap_or(1) {
            1 => vec![Part::Flatten],
            axis => return refuse("axis 1: a row for each sample", format!("axis {axis}")),
        },
        ("", "Reshape") => {
            let shape = constant(graph, node, 1)?.integers()?;
            match shape[..] {
                [_, features] if features > 0 => vec![Part::Features(features as usize)],
                [0, -1] => vec![Part::Flatten],
                _ => return refuse("a shape (samples, features)", format!("{shape:?}")),
            }
        }
        ("", "Softmax") => match int(node, "axis")?.unwrap_or(-1) {
            1 | -1 => vec![Part::Softmax],
            axis => return refuse("axis 1: over the features", format!("axis {axis}")),
        },
        ("", "Gemm") => {
            if int(node, "transA")?.unwrap_or(0) != 0 {
                return refuse("transA 0: a row for each sample", "1".into());
            }
            let (weights, by_output) = (constant(graph, node, 1)?, int(node, "transB")?.unwrap_or(0) != 0);
            vec![Part::Dense {
                weights,
                by_output,
                alpha: float(node, "alpha")?,
                bias: optional(graph, node, 2)?,
                beta: float(node, "beta")?,
            }]
        }
        ("", "MatMul") => {
            vec![Part::Dense { weights: constant(graph, node, 1)?, by_output: false, alpha: 1.0, bias: None, beta: 1.0 }]
        }
        ("", op @ ("Add" | "Sub" | "Mul" | "Div")) => {
            let (left, right) = (x?, input(node, 1)?);
            let op = match op {
                "Add" => Affine::Add,
                "Sub" => Affine::Sub,
                "Mul" => Affine::Mul,
                _ => Affine::Div,
            };
            return match (graph.constant(left)?, graph.constant(right)?) {
                (None, Some(by)) => Ok((vec![Part::Affine(op, by)], left)),
                (Some(by), None) if op == Affine::Sub => Ok((vec![Part::Negate, Part::Affine(Affine::Add, by)], right)),
                (Some(by), None) if op != Affine::Div => Ok((vec![Part::Affine(op, by)], right)),
                (None, None) => {
                    let given = format!("{} of {left:?} and {right:?}", node.op_type);
                    refuse("a constant among them (two computed values meet here: this crate holds chains)", given)
                }
                _ => refuse(SUPPORTED, format!("{} of {left:?} and {right:?}", node.op_type)),
            };
        }
        ("", "Clip") => clip(graph, node).map_err(here)?.map(Part::Activation).into_iter().collect(),
        ("", "HardSigmoid") => {
            // max(0, min(1, αx + β)) has its kinks at −β/α and (1 − β)/α.
            let (slope, middle) = (meant(float(node, "alpha")?), meant(float(node, "beta")?));
            if slope.is_nan() || slope <= 0.0 {
                return refuse("alpha > 0", format!("{slope}"));
            }
            let points = Breakpoints::new(&[(-middle / slope, 0.0), ((1.0 - middle) / slope, 1.0)]).map_err(here)?;
            vec![Part::Activation(points.into())]
        }
        ("", "ThresholdedRelu") => match float(node, "alpha")? {
            0.0 => vec![Part::Activation(Activation::Relu)],
            alpha => return refuse("alpha 0: a continuous function", format!("{alpha}")),
        },
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
                kind: Norm::Batch { eps: meant(float(node, "epsilon")?), momentum },
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
            let (eps, scale) = (meant(float(node, "epsilon")?), Some(constant(graph, node, 1)?));
            let (kind, bias) = match op {
                "RMSNormalization" => (Norm::Rms { eps }, None),
                _ => (Norm::Layer { eps }, optional(graph, node, 2)?),
            };
            vec![Part::Norm { kind, statistics: None, scale, bias }]
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
            let labels =
                |name, kind| Ok::<_, Error>(attribute(node, name, kind)?.map_or(0, |labels| labels.ints.len() + labels.strings.len()));
            let classes = labels("classlabels_ints", ATTRIBUTE_INTS)? + labels("classlabels_strings", ATTRIBUTE_STRINGS)?;
            let mut parts = vec![linear(node, classes)?];
            parts.extend(post_transform(node)?);
            parts
        }
        _ => return refuse(SUPPORTED, operator()),
    };
    Ok((parts, x?))
}

/// Operand `index`, which must be a constant.
fn constant<'g>(graph: &Graph<'g>, node: &'g proto::Node, index: usize) -> Result<Constant<'g>> {
    let name = input(node, index)?;
    let computed = || Error::new(ErrorKind::Incompatible, place(node), format!("a constant as operand {index}"), format!("{name:?}"));
    graph.constant(name)?.ok_or_else(computed)
}

/// Operand `index`, if there is one.
fn optional<'g>(graph: &Graph<'g>, node: &'g proto::Node, index: usize) -> Result<Option<Constant<'g>>> {
    if input(node, index).is_ok() { constant(graph, node, index).map(Some) } else { Ok(None) }
}

/// The dense layer of scikit-learn's linear models.
fn linear(node: &proto::Node, outputs: usize) -> Result<Part<'_>> {
    let bias = listed(node, "intercepts", None)?;
    let bias = (bias.len() > 0).then_some(bias);
    Ok(Part::Dense { weights: listed(node, "coefficients", Some(outputs))?, by_output: true, alpha: 1.0, bias, beta: 1.0 })
}

fn post_transform(node: &proto::Node) -> Result<Option<Part<'_>>> {
    match text(node, "post_transform", "NONE")? {
        "NONE" => Ok(None),
        "LOGISTIC" => Ok(Some(Part::Activation(Activation::Sigmoid))),
        "SOFTMAX" => Ok(Some(Part::Softmax)),
        other => Err(Error::new(ErrorKind::Incompatible, place(node), "post_transform NONE, LOGISTIC or SOFTMAX", other)),
    }
}

/// A clip between two numbers, of which each may be missing; `None` where both are.
fn clip(graph: &Graph<'_>, node: &proto::Node) -> Result<Option<Activation>> {
    // Before version 11 the bounds were attributes.
    let bound = |index, name| match optional(graph, node, index)? {
        Some(bound) => bound.meant().map(Some),
        None => Ok(attribute(node, name, ATTRIBUTE_FLOAT)?.map(|attribute| meant(attribute.f))),
    };
    Ok(match (bound(1, "min")?, bound(2, "max")?) {
        (None, None) => None,
        (Some(0.0), None) => Some(Activation::Relu),
        (Some(0.0), Some(6.0)) => Some(Activation::Relu6),
        (Some(-1.0), Some(1.0)) => Some(Activation::HardTanh),
        (Some(low), None) => Some(Breakpoints::new(&[(low, low)])?.slopes(0.0, 1.0)?.into()),
        (None, Some(high)) => Some(Breakpoints::new(&[(high, high)])?.slopes(1.0, 0.0)?.into()),
        (Some(low), Some(high)) => Some(Breakpoints::new(&[(low, low), (high, high)])?.into()),
    })
}

/// What an expression of the table is with what its slots hold.
fn meant_by<'g>(graph: &Graph<'g>, meaning: &Meaning, slots: &[Found<'g>]) -> Result<Part<'g>> {
    let tensor = |slot: usize| match slots.get(slot) {
        Some(Found::Constant(name)) => graph.constant(name),
        _ => Ok(None),
    };
    let missing = || Error::new(ErrorKind::Parse, "ONNX expression", "a constant", "none");
    let number = |slot: usize| match slots.get(slot) {
        Some(Found::Attribute(v)) => Ok(meant(*v)),
        _ => tensor(slot)?.ok_or_else(missing)?.meant(),
    };
    let norm = |kind, statistics| Part::Norm { kind, statistics, scale: None, bias: None };
    Ok(match meaning {
        Meaning::Activation(activation) => Part::Activation(activation.clone()),
        Meaning::LeakyRelu => Part::Activation(Activation::LeakyRelu { slope: number(0)? }),
        Meaning::Elu => Part::Activation(Activation::Elu { alpha: number(0)? }),
        Meaning::RmsNorm => norm(Norm::Rms { eps: number(0)? }, None),
        Meaning::LayerNorm => norm(Norm::Layer { eps: number(0)? }, None),
        Meaning::BatchNorm => {
            let statistics = [tensor(0)?.ok_or_else(missing)?, tensor(1)?.ok_or_else(missing)?];
            norm(Norm::Batch { eps: number(2)?, momentum: 0.1 }, Some(statistics))
        }
        Meaning::BothClasses => Part::BothClasses,
    })
}

/// The function through points that [`formula::breakpoints`](super::formula) writes; `None` where something else is.
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
        Some(Match { x: z, slots }) => Some(Piece { z, x: Some(number(&slots[0])?), slope: number(&slots[1])?, y: number(&slots[2])? }),
        None => Some(Piece { z: None, x: None, slope: 0.0, y: graph.constant(value).ok()??.meant().ok()? }),
    };
    let bound = Expr::X.below(Expr::Slot(0));
    // Where(z < x₀, piece 0, Where(z < x₁, piece 1, …, the last)), of one z.
    let chain = || {
        let (mut z, mut xs, mut pieces, mut rest) = (None, Vec::new(), Vec::new(), node);
        loop {
            let (condition, below, above) = (input(rest, 0).ok()?, input(rest, 1).ok()?, input(rest, 2).ok()?);
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
        pieces.iter().all(|piece| piece.z.is_none_or(|of| Some(of) == z)).then_some((z?, xs, pieces))
    };
    if !is(node, "", "Where") {
        return Ok(None);
    }
    let Some((z, xs, pieces)) = chain() else { return Ok(None) };
    // Each piece begins at the point before it, but the first, which ends at the first point.
    let points: Vec<_> = xs.iter().zip(&pieces[1..]).map(|(x, piece)| (*x, piece.y)).collect();
    let ends = |piece: &Piece<'_>, x: f64| piece.slope * (x - piece.x.unwrap_or(x)) + piece.y;
    let continuous = xs.iter().zip(pieces.windows(2)).all(|(x, pair)| {
        let (y, scale) = (pair[1].y, pair.iter().fold(0.0, |scale: f64, piece| scale.max(piece.y.abs())));
        pair[1].x.is_none_or(|at| at == *x) && (ends(&pair[0], *x) - y).abs() <= 1e-5 * scale
    });
    if !continuous {
        return Err(Error::new(ErrorKind::Incompatible, place(node), "a continuous function", format!("pieces through {points:?}")));
    }
    let (left, right) = (pieces[0].slope, pieces[pieces.len() - 1].slope);
    let function = Breakpoints::new(&points).and_then(|points| points.slopes(left, right)).map_err(|error| error.within(place(node)))?;
    Ok(Some((vec![Part::Activation(function.into())], z)))
}
