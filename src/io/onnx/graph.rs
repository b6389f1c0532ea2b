//! The graph of a file: which node makes which value, what the constants are, and which expressions are written in it.

use super::formula::{Expr, commutes};
use super::proto;
use crate::error::{Error, ErrorKind, Result};
use crate::real::Real;
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

/// The domain of operators for models that are no networks.
pub(super) const ML: &str = "ai.onnx.ml";

/// Dimensions of a tensor: two are needed. Without a bound, what is looked at often could be long.
const MAX_RANK: usize = 8;

/// Nodes between a constant and its use that only rename it, for the same reason.
const MAX_NAMES: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Numbers<'g> {
    F32(&'g [f32]),
    F64(&'g [f64]),
    I64(&'g [i64]),
    /// Bytes of such numbers, little-endian.
    RawF32(&'g [u8]),
    RawF64(&'g [u8]),
    RawI64(&'g [u8]),
}

/// A constant tensor: as many numbers as its dimensions say.
#[derive(Clone, Debug)]
pub(super) struct Constant<'g> {
    place: String,
    dims: Vec<usize>,
    numbers: Numbers<'g>,
}

impl<'g> Constant<'g> {
    fn new(place: String, dims: &[i64], numbers: Numbers<'g>) -> Result<Self> {
        let (count, rest) = match numbers {
            Numbers::F32(numbers) => (numbers.len(), 0),
            Numbers::F64(numbers) => (numbers.len(), 0),
            Numbers::I64(numbers) => (numbers.len(), 0),
            Numbers::RawF32(bytes) => (bytes.len() / 4, bytes.len() % 4),
            Numbers::RawF64(bytes) | Numbers::RawI64(bytes) => (bytes.len() / 8, bytes.len() % 8),
        };
        let sizes: Option<Vec<usize>> = dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let product = |sizes: &Vec<usize>| sizes.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        match sizes.filter(|sizes| sizes.len() <= MAX_RANK && rest == 0 && product(sizes) == Some(count)) {
            Some(dims) => Ok(Self { place, dims, numbers }),
            None if dims.len() > MAX_RANK => Err(Error::new(ErrorKind::Shape, place, format!("at most {MAX_RANK} dimensions"), dims.len())),
            None => Err(Error::new(ErrorKind::Shape, place, format!("as many numbers as its dimensions {dims:?} say"), count)),
        }
    }

    /// Where it is, for errors.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn dims(&self) -> &[usize] {
        &self.dims
    }

    pub(super) fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// The length of a vector, however many dimensions of 1 are before it.
    pub(super) fn vector_len(&self) -> Option<usize> {
        let last = self.dims.last().copied().unwrap_or(1);
        (self.len() == last).then_some(last)
    }

    pub(super) fn is_double(&self) -> bool {
        matches!(self.numbers, Numbers::F64(_) | Numbers::RawF64(_))
    }

    /// All numbers, the nearest of `T`.
    pub(super) fn reals<T: Real>(&self) -> Result<Vec<T>> {
        Ok(match self.numbers {
            Numbers::F32(numbers) => numbers.iter().map(|v| T::of((*v).into())).collect(),
            Numbers::F64(numbers) => numbers.iter().map(|v| T::of(*v)).collect(),
            Numbers::RawF32(bytes) => bytes.as_chunks().0.iter().map(|v| T::of(f32::from_le_bytes(*v).into())).collect(),
            Numbers::RawF64(bytes) => bytes.as_chunks().0.iter().map(|v| T::of(f64::from_le_bytes(*v))).collect(),
            Numbers::I64(_) | Numbers::RawI64(_) => {
                return Err(Error::new(ErrorKind::Incompatible, &*self.place, "numbers of type float or double", "int64"));
            }
        })
    }

    /// All integers.
    pub(super) fn integers(&self) -> Result<Vec<i64>> {
        match self.numbers {
            Numbers::I64(numbers) => Ok(numbers.into()),
            Numbers::RawI64(bytes) => Ok(bytes.as_chunks().0.iter().map(|v| i64::from_le_bytes(*v)).collect()),
            _ => Err(Error::new(ErrorKind::Incompatible, &*self.place, "numbers of type int64", "floating-point numbers")),
        }
    }

    /// The only number, as it is.
    fn single(&self) -> Option<f64> {
        if self.len() != 1 { None } else { self.reals::<f64>().ok()?.first().copied() }
    }

    /// The only number as it was meant: of an `f32` the shortest decimal that gives it, because 0.01 was said and not 0.00999999977648.
    pub(super) fn meant(&self) -> Result<f64> {
        match self.single() {
            Some(v) if self.is_double() => Ok(v),
            Some(v) => Ok(meant(v as f32)),
            None => Err(Error::new(ErrorKind::Shape, &*self.place, "a single number", format!("dimensions {:?}", self.dims))),
        }
    }
}

/// See [`Constant::meant`].
pub(super) fn meant(v: f32) -> f64 {
    format!("{v}").parse().unwrap_or_else(|_| v.into())
}

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
    tensors: BTreeMap<&'g str, &'g proto::Tensor>,
    inputs: BTreeMap<&'g str, &'g proto::ValueInfo>,
}

impl<'g> Graph<'g> {
    pub(super) fn new(graph: &'g proto::Graph) -> Result<Self> {
        let mut this = Self { graph, makers: BTreeMap::new(), tensors: BTreeMap::new(), inputs: BTreeMap::new() };
        let twice = |name: &str| Err(Error::new(ErrorKind::Parse, "ONNX graph", "each value once", format!("{name:?} twice")));
        for tensor in &graph.initializer {
            if this.tensors.insert(&tensor.name, tensor).is_some() {
                return twice(&tensor.name);
            }
        }
        for input in &graph.input {
            // Before version 4 of the format constants were inputs, too.
            if !this.tensors.contains_key(&*input.name) && this.inputs.insert(&input.name, input).is_some() {
                return twice(&input.name);
            }
        }
        for node in &graph.node {
            for output in node.output.iter().filter(|output| !output.is_empty()) {
                let taken = this.tensors.contains_key(&**output) || this.inputs.contains_key(&**output);
                if this.makers.insert(output, node).is_some() || taken {
                    return twice(output);
                }
            }
        }
        Ok(this)
    }

    pub(super) fn nodes(&self) -> usize {
        self.graph.node.len()
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

    /// The constant of this name, through nodes that only rename it; `None` where the value is computed.
    pub(super) fn constant(&self, name: &'g str) -> Result<Option<Constant<'g>>> {
        let mut origin = name;
        for _ in 0..=MAX_NAMES {
            if let Some(tensor) = self.tensors.get(origin) {
                return tensor_constant(format!("ONNX tensor {name:?}"), tensor).map(Some);
            }
            match self.maker(origin) {
                Some(node) if is(node, "", "Constant") => return node_constant(node).map(Some),
                Some(node) if is(node, "", "Identity") => origin = input(node, 0)?,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// A constant that is a single truth value.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let tensor = match self.maker(name) {
            Some(node) if is(node, "", "Constant") => node.attribute.first()?.t.as_ref()?,
            _ => self.tensors.get(name)?,
        };
        match (tensor.data_type, &tensor.raw_data[..], &tensor.int32_data[..]) {
            (proto::BOOL, [flag], []) => Some(*flag != 0),
            (proto::BOOL, [], [flag]) => Some(*flag != 0),
            _ => None,
        }
    }

    /// Whether `value` is what `expr` says, and of what.
    pub(super) fn find(&self, expr: &Expr, value: &'g str) -> Option<Match<'g>> {
        let mut found = Match::default();
        self.fits(expr, value, &mut found).then_some(found)
    }

    fn fits(&self, expr: &Expr, value: &'g str, found: &mut Match<'g>) -> bool {
        let constant = || self.constant(value).ok().flatten();
        match expr {
            Expr::X => *found.x.get_or_insert(value) == value,
            Expr::Number(number) => constant().is_some_and(|c| c.single().is_some_and(|v| same(v, *number, c.is_double()))),
            Expr::Tensor(name) => value == name,
            Expr::Slot(index) => constant().is_some() && fill(found, *index, Found::Constant(value)),
            Expr::Mean(inner) => self.maker(value).and_then(|node| self.mean(node)).is_some_and(|x| self.fits(inner, x, found)),
            Expr::Apply(op, attributes, args) => {
                let Some(node) = self.maker(value).filter(|node| is(node, "", op) && node.output[0] == value) else { return false };
                let attributes = attributes.iter().all(|(name, expected)| match (expected, float(node, name)) {
                    (Expr::Number(number), Ok(v)) => same(v.into(), *number, false),
                    (Expr::Slot(index), Ok(v)) => fill(found, *index, Found::Attribute(v)),
                    _ => false,
                });
                if !attributes || node.input.len() != args.len() || *op == "Concat" && !matches!(int(node, "axis"), Ok(Some(1 | -1))) {
                    return false;
                }
                let before = found.clone();
                let mut all =
                    |inputs: &mut dyn Iterator<Item = &'g String>| args.iter().zip(inputs).all(|(arg, x)| self.fits(arg, x, found));
                if all(&mut node.input.iter()) {
                    return true;
                }
                *found = before;
                commutes(op) && args.iter().zip(node.input.iter().rev()).all(|(arg, x)| self.fits(arg, x, found))
            }
        }
    }

    /// Of what a node is the mean over the features, as a column; `None` if it is something else.
    fn mean(&self, node: &'g proto::Node) -> Option<&'g str> {
        let axes = match input(node, 1) {
            // From version 18 on axes are an operand.
            Ok(axes) => self.constant(axes).ok()??.integers().ok()?,
            Err(_) => attribute(node, "axes", proto::ATTRIBUTE_INTS).ok()??.ints.clone(),
        };
        let keep = int(node, "keepdims").ok()?.unwrap_or(1) != 0;
        (is(node, "", "ReduceMean") && keep && matches!(axes[..], [1 | -1])).then(|| input(node, 0).ok()).flatten()
    }
}

fn fill<'g>(found: &mut Match<'g>, index: usize, what: Found<'g>) -> bool {
    if index == found.slots.len() {
        found.slots.push(what);
    }
    found.slots.get(index) == Some(&what)
}

/// Whether a file's number is the formula's: exporters round differently, by some digits of the file's type.
fn same(v: f64, number: f64, double: bool) -> bool {
    let digits = if double { f64::EPSILON } else { f32::EPSILON.into() };
    (v - number).abs() <= 4.0 * digits * number.abs()
}

fn tensor_constant<'g>(place: String, tensor: &'g proto::Tensor) -> Result<Constant<'g>> {
    if tensor.data_location != 0 {
        return Err(Error::new(ErrorKind::Incompatible, place, "numbers in the file itself", "external data"));
    }
    let raw = !tensor.raw_data.is_empty();
    let numbers = match tensor.data_type {
        proto::FLOAT if raw => Numbers::RawF32(&tensor.raw_data),
        proto::FLOAT => Numbers::F32(&tensor.float_data),
        proto::DOUBLE if raw => Numbers::RawF64(&tensor.raw_data),
        proto::DOUBLE => Numbers::F64(&tensor.double_data),
        proto::INT64 if raw => Numbers::RawI64(&tensor.raw_data),
        proto::INT64 => Numbers::I64(&tensor.int64_data),
        other => {
            let expected = "numbers of type float or double (of shapes: int64)";
            return Err(Error::new(ErrorKind::Incompatible, place, expected, format!("data type {other}")));
        }
    };
    Constant::new(place, &tensor.dims, numbers)
}

fn node_constant(node: &proto::Node) -> Result<Constant<'_>> {
    let [attribute] = &node.attribute[..] else {
        return Err(Error::new(ErrorKind::Parse, place(node), "one attribute", node.attribute.len()));
    };
    match (&*attribute.name, &attribute.t) {
        ("value", Some(tensor)) => tensor_constant(place(node), tensor),
        ("value_float", _) => Constant::new(place(node), &[], Numbers::F32(core::slice::from_ref(&attribute.f))),
        ("value_floats", _) => Constant::new(place(node), &[attribute.floats.len() as i64], Numbers::F32(&attribute.floats)),
        ("value_int", _) => Constant::new(place(node), &[], Numbers::I64(core::slice::from_ref(&attribute.i))),
        ("value_ints", _) => Constant::new(place(node), &[attribute.ints.len() as i64], Numbers::I64(&attribute.ints)),
        (name, _) => Err(Error::new(ErrorKind::Incompatible, place(node), "a tensor or numbers", format!("{name:?}"))),
    }
}

/// An attribute that is a list of numbers, as a vector or as a matrix of so many rows.
pub(super) fn listed<'g>(node: &'g proto::Node, name: &str, rows: Option<usize>) -> Result<Constant<'g>> {
    let floats = attribute(node, name, proto::ATTRIBUTE_FLOATS)?.map_or(&[][..], |attribute| &attribute.floats);
    let columns = floats.len() / rows.unwrap_or(1).max(1);
    let dims: Vec<i64> = rows.into_iter().chain([columns]).map(|dim| dim as i64).collect();
    Constant::new(format!("{name} of {}", place(node)), &dims, Numbers::F32(floats))
}

/// Whether a node is the operator `op` of a domain.
pub(super) fn is(node: &proto::Node, domain: &str, op: &str) -> bool {
    node.op_type == op && domain_of(node) == domain
}

/// The domain, of which ONNX's own has two names.
pub(super) fn domain_of(node: &proto::Node) -> &str {
    if node.domain == "ai.onnx" { "" } else { &node.domain }
}

/// How errors call a node.
pub(super) fn place(node: &proto::Node) -> String {
    let name = if node.name.is_empty() { node.output.first().map_or("", |output| output) } else { &node.name };
    format!("ONNX node {name:?} ({})", node.op_type)
}

/// Operand `index` of a node.
pub(super) fn input(node: &proto::Node, index: usize) -> Result<&str> {
    let missing = || Error::new(ErrorKind::Parse, place(node), format!("operand {index}"), format!("{} operands", node.input.len()));
    node.input.get(index).map(|name| &**name).filter(|name| !name.is_empty()).ok_or_else(missing)
}

/// An attribute, which must be of a type.
pub(super) fn attribute<'g>(node: &'g proto::Node, name: &str, kind: i32) -> Result<Option<&'g proto::Attribute>> {
    match node.attribute.iter().find(|attribute| attribute.name == name) {
        // Old files do not say the type.
        Some(attribute) if ![0, kind].contains(&attribute.r#type) => {
            let given = format!("type {}", attribute.r#type);
            Err(Error::new(ErrorKind::Parse, format!("{name} of {}", place(node)), format!("an attribute of type {kind}"), given))
        }
        found => Ok(found),
    }
}

/// An integer.
pub(super) fn int(node: &proto::Node, name: &str) -> Result<Option<i64>> {
    Ok(attribute(node, name, proto::ATTRIBUTE_INT)?.map(|attribute| attribute.i))
}

/// A number, or what ONNX says it is where it is missing.
pub(super) fn float(node: &proto::Node, name: &str) -> Result<f32> {
    if let Some(attribute) = attribute(node, name, proto::ATTRIBUTE_FLOAT)? {
        return Ok(attribute.f);
    }
    Ok(match (&*node.op_type, name) {
        ("LeakyRelu", "alpha") => 0.01,
        ("HardSigmoid", "alpha") => 0.2,
        ("HardSigmoid", "beta") => 0.5,
        ("Selu", "alpha") => 1.673_263_2,
        ("Selu", "gamma") => 1.050_701,
        (_, "epsilon") => 1e-5,
        ("BatchNormalization", "momentum") => 0.9,
        // Of Elu, Celu, Swish, ThresholdedRelu, Gemm.
        (_, "alpha" | "beta") => 1.0,
        _ => return Err(Error::new(ErrorKind::Parse, place(node), format!("the attribute {name}"), "nothing")),
    })
}

/// A text.
pub(super) fn text<'g>(node: &'g proto::Node, name: &str, default: &'g str) -> Result<&'g str> {
    let Some(attribute) = attribute(node, name, proto::ATTRIBUTE_STRING)? else { return Ok(default) };
    let wrong = |_| Error::new(ErrorKind::Parse, format!("{name} of {}", place(node)), "UTF-8", attribute.s.escape_ascii());
    core::str::from_utf8(&attribute.s).map_err(wrong)
}
