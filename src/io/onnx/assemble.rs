//! From the steps of a graph to a model: which constants are parameters of which layer, and which
//! are scalers.

use super::axes::Axes;
use super::branches::{Fork, Step, links};
use super::constant::{Constant, MAX_RANK, product};
use super::fold::{axis, sliced, walk};
use super::graph::Graph;
use super::import::{Affine, Along, Join, Link, Norm, Part, Product, Rows, is_float, is_integer};
use super::node::{int, place};
use super::proto::{self, Size};
use super::shapes::Shapes;
use crate::data::Scaler;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::Activation;
use crate::nn::layer::{self, Layer};
use crate::nn::layers::{
    self as nn, BatchNorm, BuiltIn, Dense, Embedding, Glu, GroupNorm, LayerNorm, LogSoftmax,
    Parallel, Prelu, Residual, RmsNorm, Select, Softmax, UnitNorm,
};
use crate::nn::sequential::Sequential;
use crate::numeric::real::{Real, zeros};
use crate::train::Model;
use alloc::{format, sync::Arc, vec, vec::Vec};
use core::mem;

/// A layer with its parameters, as long as there may be more to come.
enum Open<T> {
    Dense {
        weights: Vec<T>,
        bias: Option<Vec<T>>,
        outputs: usize,
        activation: Activation,
    },
    Norm {
        kind: Norm,
        statistics: Vec<T>,
        scale: Option<Vec<T>>,
        bias: Option<Vec<T>>,
    },
    Activation(Activation),
    Prelu(Vec<T>, Prelu),
    Softmax,
    LogSoftmax,
    Glu(Activation),
    UnitNorm(UnitNorm),
    Select(Vec<usize>),
    /// A table, vector after vector, for so many categories.
    Embedding {
        categories: usize,
        table: Vec<T>,
    },
    Fork(Join, Vec<Vec<Self>>),
}

/// What the numbers of a value are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Float,
    /// Integers that the graph is given: places in a table, or cast to others.
    Integer,
    /// Numbers that the graph cuts to integers: places in a table, where others are an error here.
    Rounded,
}

/// A chain of layers as far as it has been read: the network's, or a branch of it.
struct Chain<T: Real> {
    /// How features lie after the last step.
    axes: Axes,
    kind: Kind,
    layers: Vec<Open<T>>,
    /// Maps of single features since the last layer.
    maps: Vec<(Affine, Vec<T>)>,
    is_branch: bool,
}

/// What is expected of features that cost a file nothing.
const WIDE: &str = "no more features than such a file has";

struct Assembly<'a, 'g, T: Real> {
    here: Chain<T>,
    shapes: Shapes<'a, 'g>,
    /// So many numbers may still be made of the file's. Else a small file could ask for all memory,
    /// by declared widths of any size or many nodes that use the same constant.
    budget: usize,
    inputs: Option<Scaler<T>>,
}

/// The model that takes the graph's `input` through `steps`; `budget` bounds what is made of single
/// numbers.
pub(super) fn assemble<'g, T: Real>(
    graph: &Graph<'g>,
    input: &'g proto::ValueInfo,
    steps: &[Step<'g>],
    budget: usize,
) -> Result<Model<T>> {
    let place = format!("ONNX input {:?}", input.name);
    let tensor = input
        .r#type
        .as_ref()
        .and_then(|kind| kind.tensor_type.as_ref());
    let (kind, shape) = tensor.map_or((0, None), |tensor| {
        (tensor.elem_type, tensor.shape.as_ref())
    });
    if !is_float(kind.into()) && !is_integer(kind.into()) {
        let expected = "numbers of type float, double, float16 or bfloat16, or integers";
        return Err(Error::new(
            ErrorKind::Incompatible,
            place,
            expected,
            format!("data type {kind}"),
        ));
    }
    let links = links(steps);
    let constants = || links.iter().flat_map(|link| link.part.constants());
    let double = if constants().next().is_some() {
        constants().any(Constant::is_double)
    } else {
        kind == proto::DOUBLE
    };
    if double && T::BYTES < 8 {
        let place = constants()
            .find(|constant| constant.is_double())
            .map_or(place, |constant| constant.place().into());
        return Err(Error::new(
            ErrorKind::Incompatible,
            place,
            "numbers of type float (f64 holds those of type double)",
            "double",
        ));
    }
    let dims: Option<Vec<_>> = shape.map(|shape| {
        shape
            .dim
            .iter()
            .map(|dim| size(dim.size.as_ref()))
            .collect()
    });
    let readings = readings(dims.as_deref(), inputs(steps));
    if readings.is_empty() {
        return Err(Error::new(
            ErrorKind::Shape,
            place,
            "a known number of features",
            "none",
        ));
    }
    // What is wrong with the likeliest reading.
    let mut first = None;
    for axes in readings {
        let kind = if is_float(kind.into()) {
            Kind::Float
        } else {
            Kind::Integer
        };
        match Assembly::new(graph, input, axes, kind, budget).run(steps, double) {
            Ok(model) => return Ok(model),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| Error::new(ErrorKind::Shape, place, "features", "none")))
}

/// The size of a dimension that a file fixes.
fn size(size: Option<&Size>) -> Option<usize> {
    match size {
        Some(Size::Value(size)) => usize::try_from(*size).ok().filter(|size| *size > 0),
        _ => None,
    }
}

/// Which axis of an input may be that of the samples, the likeliest first: one whose size the file
/// leaves open, the first, none, the last.
fn readings(dims: Option<&[Option<usize>]>, first: Option<usize>) -> Vec<Axes> {
    let samples_first = |width| Axes::new(vec![None, Some(width)], None);
    let Some(dims) = dims else {
        return first.map(samples_first).into_iter().collect();
    };
    let open: Vec<usize> = (0..dims.len()).filter(|at| dims[*at].is_none()).collect();
    let reading = |batch: Option<usize>| {
        let features: Vec<_> = dims
            .iter()
            .enumerate()
            .filter(|(at, _)| Some(*at) != batch)
            .map(|(_, size)| *size)
            .collect();
        let features = features
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .filter(|features| product(features).is_some());
        match features {
            Some(mut features) => {
                let mut sizes: Vec<_> = features.drain(..).map(Some).collect();
                if let Some(batch) = batch {
                    sizes.insert(batch, None);
                }
                Some(Axes::new(sizes, batch.and_then(|batch| dims[batch])))
            }
            // How many features there are, the first part with as many numbers says.
            None if batch == Some(0) && open.iter().any(|at| *at > 0) => {
                let known = product(&dims[1..].iter().flatten().copied().collect::<Vec<_>>())?;
                let width = first.filter(|width| *width > 0 && width % known == 0)?;
                Some(if dims.len() == 2 {
                    Axes::new(vec![None, Some(width)], dims[0])
                } else {
                    Axes::open(dims.len(), width, dims[0])
                })
            }
            None => None,
        }
    };
    let only = match open[..] {
        [open] => Some(open),
        _ => None,
    };
    let mut batches = vec![only];
    match dims.len() {
        0 => batches = vec![None],
        1 if open.is_empty() => batches = vec![None, Some(0)],
        len => {
            batches.extend([Some(0), None, Some(len - 1)]);
            if only.is_none() {
                batches.remove(0);
            }
        }
    }
    let mut readings: Vec<Axes> = Vec::new();
    for axes in batches.into_iter().filter_map(reading) {
        if !readings.contains(&axes) {
            readings.push(axes);
        }
    }
    readings
}

impl<'a, 'g, T: Real> Assembly<'a, 'g, T> {
    fn new(
        graph: &'a Graph<'g>,
        input: &'g proto::ValueInfo,
        axes: Axes,
        kind: Kind,
        budget: usize,
    ) -> Self {
        let mut shapes = Shapes::new(graph, budget);
        shapes.insert(&input.name, axes.shape());
        Self {
            here: Chain {
                axes,
                kind,
                layers: Vec::new(),
                maps: Vec::new(),
                is_branch: false,
            },
            shapes,
            budget,
            inputs: None,
        }
    }

    fn run(mut self, steps: &[Step<'g>], double: bool) -> Result<Model<T>> {
        let inputs = self.here.axes.width();
        self.steps(steps, double)?;
        self.finish(inputs)
    }

    fn steps(&mut self, steps: &[Step<'g>], double: bool) -> Result<()> {
        for step in steps {
            let value = match step {
                Step::Link(Link { node, value, part }) => {
                    self.step(node, part, double)
                        .map_err(|error| error.within(place(node)))?;
                    Some(*value)
                }
                Step::Fork(fork) => {
                    self.fork(fork, double)?;
                    fork.value
                }
            };
            if let Some(value) = value {
                self.shapes.insert(value, self.here.axes.shape());
            }
        }
        Ok(())
    }

    /// Branches from here, and how they meet.
    fn fork(&mut self, fork: &Fork<'g>, double: bool) -> Result<()> {
        self.close(None)?;
        let (mut branches, mut ends) = (Vec::new(), Vec::new());
        for branch in &fork.branches {
            let begin = Chain {
                axes: self.here.axes.clone(),
                kind: self.here.kind,
                layers: Vec::new(),
                maps: Vec::new(),
                is_branch: true,
            };
            let outer = mem::replace(&mut self.here, begin);
            let result = self.steps(branch, double).and_then(|()| self.close(None));
            let Chain {
                axes, kind, layers, ..
            } = mem::replace(&mut self.here, outer);
            result?;
            branches.push(layers);
            ends.push((axes, kind));
        }
        let here = |error: Error| error.within(place(fork.node));
        let kinds = || ends.iter().map(|(_, kind)| *kind);
        let kind = kinds().next().unwrap_or(self.here.kind);
        let stacked = matches!(fork.join, Join::Stack { .. });
        if kinds().any(|other| other != kind) || !stacked && kind != Kind::Float {
            let expected = "values of one type";
            return Err(here(Error::new(
                ErrorKind::Incompatible,
                "",
                expected,
                "integers, and others",
            )));
        }
        let mut axes = ends.into_iter().map(|(axes, _)| axes);
        if let Some(first) = axes.next() {
            self.here.axes = match fork.join {
                Join::Add => first.sum(axes),
                Join::Stack { axis } => first.stack(axis, axes),
            }
            .map_err(here)?;
        }
        self.here.kind = kind;
        if stacked {
            self.widen().map_err(here)?;
        }
        self.here.layers.push(Open::Fork(fork.join, branches));
        Ok(())
    }

    fn step(&mut self, node: &'g proto::Node, part: &Part<'g>, double: bool) -> Result<()> {
        let width = self.here.axes.width();
        let given_back = self.here.kind == Kind::Integer && matches!(part, Part::Cast(_));
        if self.here.kind != Kind::Float && !part.keeps_integers() && !given_back {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "",
                "the rows of a table (Gather), as which integers are read",
                &*node.op_type,
            ));
        }
        let layer = match part {
            Part::Affine(op, by) => {
                let by = self.vector(by)?;
                self.here.maps.push((*op, by));
                return Ok(());
            }
            Part::Times(factor) => {
                let by = self.repeat(T::of(*factor), width)?;
                self.here.maps.push((Affine::Mul, by));
                return Ok(());
            }
            Part::Dense(product) => self.dense(product)?,
            Part::Activation(activation) => {
                self.close(None)?;
                if let Some(Open::Dense {
                    activation: fused @ Activation::Linear,
                    ..
                }) = self.here.layers.last_mut()
                {
                    *fused = activation.clone();
                    return Ok(());
                }
                Open::Activation(activation.clone())
            }
            Part::Prelu(slope) if slope.len() == 1 => {
                self.vector(slope)?;
                Open::Prelu(slope.reals()?, Prelu::new())
            }
            Part::Prelu(slope) => Open::Prelu(self.vector(slope)?, Prelu::new().per_feature()),
            Part::Softmax(along) => {
                self.along(*along)?;
                Open::Softmax
            }
            Part::LogSoftmax(along) => {
                self.along(*along)?;
                Open::LogSoftmax
            }
            Part::Scores(along) => return self.along(*along),
            Part::Glu(activation) if width.is_multiple_of(2) => {
                self.here.axes.row()?;
                self.here.axes.product(false, width, Some(width / 2))?;
                Open::Glu(activation.clone())
            }
            Part::Glu(_) => {
                return Err(Error::new(
                    ErrorKind::Shape,
                    "",
                    "an even number of features",
                    width,
                ));
            }
            Part::UnitNorm(norm) => {
                self.here.axes.row()?;
                Open::UnitNorm(*norm)
            }
            // Of each group by itself, before all are one row again.
            Part::Norm {
                kind: Norm::Layer { eps },
                scale: None,
                bias: None,
                ..
            } if self.here.axes.groups().is_some() => {
                let groups = self.here.axes.groups().unwrap_or(1);
                Open::Norm {
                    kind: Norm::Group { eps: *eps, groups },
                    statistics: Vec::new(),
                    scale: None,
                    bias: None,
                }
            }
            Part::Norm {
                kind,
                statistics,
                scale,
                bias,
            } => {
                self.here.axes.row()?;
                let mut all = |constant: &Option<Constant<'_>>| {
                    constant
                        .as_ref()
                        .map(|constant| self.vector(constant))
                        .transpose()
                };
                let scale = all(scale)?;
                let bias = all(bias)?;
                let mut numbers = Vec::new();
                for statistic in statistics.iter().flatten() {
                    numbers.extend(self.vector(statistic)?);
                }
                Open::Norm {
                    kind: *kind,
                    statistics: numbers,
                    scale,
                    bias,
                }
            }
            Part::BothClasses if width != 1 => {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "",
                    "a single probability",
                    format!("{width} features"),
                ));
            }
            Part::BothClasses => {
                self.here.axes.row()?;
                self.here.axes.product(false, 1, Some(2))?;
                let (zero, one) = (T::zero(), T::one());
                Open::Dense {
                    weights: vec![-one, one],
                    bias: Some(vec![one, zero]),
                    outputs: 2,
                    activation: Activation::Linear,
                }
            }
            Part::Flatten(axis) => return self.here.axes.flatten(*axis),
            Part::Transpose => return self.here.axes.transpose(node),
            Part::Squeeze(axes) => return self.here.axes.squeeze(axes.as_deref()),
            Part::Unsqueeze(axes) => return self.here.axes.unsqueeze(axes),
            Part::Reshape(shape) => {
                let shape = self.shapes.get(shape)?;
                if shape.len() > MAX_RANK {
                    return Err(Error::new(
                        ErrorKind::Shape,
                        shape.place(),
                        format!("at most {MAX_RANK} dimensions"),
                        shape.len(),
                    ));
                }
                let shape = shape.sizes()?;
                return self
                    .here
                    .axes
                    .reshape(&shape, int(node, "allowzero")?.unwrap_or(0) == 0);
            }
            // All is computed in `T`.
            Part::Cast(kind) if is_float(*kind) && self.here.kind == Kind::Integer => {
                self.here.kind = Kind::Float;
                return Ok(());
            }
            Part::Cast(kind) if is_float(*kind) && self.here.kind == Kind::Float => return Ok(()),
            Part::Cast(kind) if is_integer(*kind) => {
                if self.here.kind == Kind::Float {
                    self.here.kind = Kind::Rounded;
                }
                return Ok(());
            }
            Part::Select { axis, rows } => match self.select(*axis, rows)? {
                Some(rows) => Open::Select(rows),
                None => return Ok(()),
            },
            Part::Embedding(table) => self.embedding(table)?,
            Part::Cast(kind) => {
                let expected = if double {
                    "a cast to double, as the weights"
                } else {
                    "a cast to float, as the weights"
                };
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    "",
                    expected,
                    format!("data type {kind}"),
                ));
            }
            Part::Normalize => match self.here.layers.last() {
                Some(Open::Softmax) if self.here.maps.is_empty() => return Ok(()),
                _ => {
                    return Err(Error::new(
                        ErrorKind::Incompatible,
                        "",
                        "the probabilities of a softmax before it",
                        "something else",
                    ));
                }
            },
        };
        let mut layer = layer;
        self.close(Some(&mut layer))?;
        self.here.layers.push(layer);
        Ok(())
    }

    /// Refuses a softmax over anything but the features of a sample.
    fn along(&self, Along { axis, rest }: Along) -> Result<()> {
        let at = usize::try_from(if axis < 0 {
            axis.saturating_add(self.here.axes.rank() as i64)
        } else {
            axis
        })
        .ok();
        let sound = if rest {
            at.is_some_and(|at| self.here.axes.all_from(at))
        } else {
            self.here.axes.line(at).is_ok()
        };
        if sound {
            return Ok(());
        }
        let given = format!("axis {axis} of {}", self.here.axes.describe());
        Err(Error::new(
            ErrorKind::Incompatible,
            "",
            "the axis of the features, all others being of one (flatten them first)",
            given,
        ))
    }

    /// Weights outputs × inputs, column after column, from what is in the file row after row.
    fn dense(&mut self, product: &Product<'_>) -> Result<Open<T>> {
        let Product {
            ref weights,
            by_output,
            alpha,
            ref bias,
            beta,
            left,
            flip,
        } = *product;
        let width = self.here.axes.width();
        // Dimensions of 1 before a matrix are those of a batch of products.
        let ones = weights.dims().len().saturating_sub(2);
        let (outputs, inputs, dropped) = match weights.dims()[ones..] {
            _ if weights.dims()[..ones].iter().any(|dim| *dim != 1) => (0, 0, false),
            [outputs, inputs] if by_output => (outputs, inputs, false),
            [inputs, outputs] => (outputs, inputs, false),
            // A vector: the axis is summed up.
            [inputs] => (1, inputs, true),
            _ => (0, 0, false),
        };
        let wrong = |given| {
            Err(Error::new(
                ErrorKind::Shape,
                weights.place(),
                format!("a matrix for {width} features"),
                given,
            ))
        };
        if outputs == 0 || inputs != width {
            return wrong(format!("dimensions {:?}", weights.dims()));
        }
        self.here.axes.closed()?;
        if flip {
            self.here.axes.flip();
        }
        self.here.axes.raise(ones + 2);
        let given = format!(
            "dimensions {:?} {} {}",
            weights.dims(),
            if left { "before" } else { "after" },
            self.here.axes.describe()
        );
        if self
            .here
            .axes
            .product(left, inputs, Some(outputs).filter(|_| !dropped))
            .is_err()
        {
            return wrong(given);
        }
        self.copy(weights)?;
        let mut numbers = weights.reals()?;
        if by_output && !dropped {
            let rows = numbers;
            numbers = (0..inputs)
                .flat_map(|input| (0..outputs).map(move |output| output * inputs + input))
                .map(|at| rows[at])
                .collect();
        }
        let mut bias = bias.as_ref().map(|bias| self.vector(bias)).transpose()?;
        for (numbers, factor) in [(Some(&mut numbers), alpha), (bias.as_mut(), beta)] {
            // Not times 1: of NaN that could change the bits.
            if factor != 1.0 {
                numbers
                    .into_iter()
                    .flatten()
                    .for_each(|v| *v *= T::of(factor.into()));
            }
        }
        Ok(Open::Dense {
            weights: numbers,
            bias,
            outputs,
            activation: Activation::Linear,
        })
    }

    /// Which features are left of those along an axis; `None` if all are.
    fn select(&mut self, at: i64, rows: &Rows<'g>) -> Result<Option<Vec<usize>>> {
        let axes = &self.here.axes;
        axes.closed()?;
        let at = axis(at, axes.rank())?;
        let Some(len) = axes.size(at) else {
            return match rows.are_all() {
                true => Ok(None),
                false => Err(Error::new(
                    ErrorKind::Incompatible,
                    "",
                    "some of the features, and all samples",
                    format!("places along axis {at} of {}", axes.describe()),
                )),
            };
        };
        let places = rows.of(len)?;
        let others = axes.width() / len.max(1);
        self.take(places.len().saturating_mul(others), WIDE)?;
        let single = matches!(rows, Rows::At(places) if places.dims().is_empty());
        let rows = self.here.axes.select(at, &places.collect(), single)?;
        let all = rows.len() == len * others && rows.iter().copied().eq(0..rows.len());
        Ok((!all).then_some(rows))
    }

    /// A row of the table for each feature.
    fn embedding(&mut self, table: &Constant<'g>) -> Result<Open<T>> {
        let [categories, dim] = *table.dims() else {
            let given = format!("dimensions {:?}", table.dims());
            return Err(Error::new(
                ErrorKind::Shape,
                table.place(),
                "a matrix",
                given,
            ));
        };
        self.here.axes.append(dim)?;
        self.widen()?;
        self.here.kind = Kind::Float;
        self.copy(table)?;
        let table = table.reals()?;
        Ok(Open::Embedding { categories, table })
    }

    /// Gives the maps since the last layer to whom they belong, where a layer follows: `next`, or
    /// an activation.
    fn close(&mut self, next: Option<&mut Open<T>>) -> Result<()> {
        self.absorb();
        let maps = mem::take(&mut self.here.maps);
        if maps.is_empty() {
            return Ok(());
        }
        if self.here.layers.is_empty() && !self.here.is_branch {
            self.inputs = Some(input_scaler(&maps)?);
            return Ok(());
        }
        let (scale, shift) = line(&maps);
        let moves = shift.iter().any(|shift| *shift != T::zero());
        match (self.here.layers.last_mut(), next) {
            (
                Some(Open::Dense {
                    weights,
                    bias,
                    activation: Activation::Linear,
                    ..
                }),
                _,
            ) => {
                for column in weights.chunks_exact_mut(scale.len()) {
                    column
                        .iter_mut()
                        .zip(&scale)
                        .for_each(|(w, scale)| *w *= *scale);
                }
                if moves || bias.is_some() {
                    let old = bias.take().unwrap_or_else(|| vec![T::zero(); shift.len()]);
                    *bias = Some(
                        old.iter()
                            .zip(scale.iter().zip(&shift))
                            .map(|(b, (scale, shift))| *b * *scale + *shift)
                            .collect(),
                    );
                }
            }
            // W·(s·x + t) + b = (W·s)·x + (W·t + b).
            (
                _,
                Some(Open::Dense {
                    weights,
                    bias,
                    outputs,
                    ..
                }),
            ) => {
                let without = bias.is_none() && !moves;
                let mut sum = bias.take().unwrap_or_else(|| vec![T::zero(); *outputs]);
                for (column, (scale, shift)) in weights
                    .chunks_exact_mut(*outputs)
                    .zip(scale.iter().zip(&shift))
                {
                    if *shift != T::zero() {
                        sum.iter_mut()
                            .zip(&*column)
                            .for_each(|(b, w)| *b += *w * *shift);
                    }
                    column.iter_mut().for_each(|w| *w *= *scale);
                }
                *bias = Some(sum).filter(|_| !without);
            }
            // A layer of its own: batch norm of mean 0 and variance 1, with an ε that 1 does not
            // feel.
            _ => {
                let mut statistics = vec![T::zero(); scale.len()];
                statistics.resize(2 * scale.len(), T::one());
                let kind = Norm::Batch {
                    eps: 1e-30,
                    momentum: 0.1,
                };
                self.here.layers.push(Open::Norm {
                    kind,
                    statistics,
                    scale: Some(scale),
                    bias: Some(shift),
                });
            }
        }
        Ok(())
    }

    /// Maps that are parameters of the last layer, and written as if they were not: its bias after
    /// a product, γ and β after a norm.
    fn absorb(&mut self) {
        let mut maps = mem::take(&mut self.here.maps).into_iter().peekable();
        match self.here.layers.last_mut() {
            Some(Open::Dense {
                bias: bias @ None,
                activation: Activation::Linear,
                ..
            }) => match maps.peek() {
                Some((Affine::Add, _)) => *bias = maps.next().map(|(_, by)| by),
                Some((Affine::Sub, _)) => {
                    *bias = maps
                        .next()
                        .map(|(_, by)| by.into_iter().map(|v| -v).collect())
                }
                _ => {}
            },
            Some(Open::Norm {
                kind,
                scale,
                bias: bias @ None,
                ..
            }) => {
                if scale.is_none() {
                    *scale = maps.next_if(|(op, _)| *op == Affine::Mul).map(|(_, by)| by);
                }
                if !matches!(kind, Norm::Rms { .. }) {
                    *bias = maps.next_if(|(op, _)| *op == Affine::Add).map(|(_, by)| by);
                }
            }
            _ => {}
        }
        self.here.maps = maps.collect();
    }

    fn finish(mut self, inputs: usize) -> Result<Model<T>> {
        if self.here.kind != Kind::Float {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "ONNX output",
                "floating-point numbers",
                "integers",
            ));
        }
        if self.here.layers.is_empty() {
            // All maps are the scaler of inputs, before a network that passes them on.
            self.close(None)?;
            self.here.layers.push(Open::Activation(Activation::Linear));
        }
        self.absorb();
        let maps = mem::take(&mut self.here.maps);
        let outputs = match maps.is_empty() {
            true => None,
            false => {
                let (scale, shift) = line(&maps);
                Some(Scaler::new(shift, scale).map_err(|error| error.within("scaler of outputs"))?)
            }
        };
        let (mut builder, mut params) = (Sequential::builder(inputs), Vec::new());
        for layer in self.here.layers {
            builder = builder.shared(layer.close(&mut params));
        }
        let mut net = builder.build_at_zero()?;
        net.set_params(&params)?;
        Model::new(net, self.inputs, outputs)
    }

    /// A constant as one number for each feature.
    fn vector(&mut self, constant: &Constant<'_>) -> Result<Vec<T>> {
        let (sizes, strides) = self.here.axes.spread(constant)?;
        let width = self.here.axes.width();
        self.copy(constant)?;
        let numbers = constant.reals()?;
        match numbers[..] {
            [number] => return self.repeat(number, width),
            _ if numbers.len() == width => {}
            _ => self.spend(width)?,
        }
        Ok(walk(&sizes, strides).map(|at| numbers[at]).collect())
    }

    fn spend(&mut self, width: usize) -> Result<()> {
        self.take(
            width,
            "single numbers for no more features than such a file has",
        )
    }

    /// Features without parameters of their own: a small file could have any number of them.
    fn widen(&mut self) -> Result<()> {
        self.take(self.here.axes.width(), WIDE)
    }

    /// Many nodes may use one constant, and each gets its own.
    fn copy(&mut self, constant: &Constant<'_>) -> Result<()> {
        self.take(
            constant.len(),
            "constants that are not used by so many nodes",
        )
    }

    fn take(&mut self, count: usize, expected: &str) -> Result<()> {
        let spent = || Error::new(ErrorKind::Value, "", expected, count);
        self.budget = self.budget.checked_sub(count).ok_or_else(spent)?;
        Ok(())
    }

    fn repeat(&mut self, number: T, width: usize) -> Result<Vec<T>> {
        self.spend(width)?;
        let mut numbers = zeros("ONNX", &[width])?;
        numbers.fill(number);
        Ok(numbers)
    }
}

impl<T: Real> Open<T> {
    /// Whether these layers are one that makes a skip as wide as what is added to it.
    fn projects(layers: &[Self]) -> bool {
        let linear = |layer: &Self| {
            matches!(
                layer,
                Self::Dense {
                    activation: Activation::Linear,
                    ..
                }
            )
        };
        matches!(layers, [layer] if linear(layer))
    }

    /// Several layers as one.
    fn chain(layers: Vec<Self>, params: &mut Vec<T>) -> Arc<dyn Layer<T>> {
        let mut layers = layers.into_iter().map(|layer| layer.close(params));
        match (layers.len(), layers.next()) {
            (1, Some(only)) => only,
            (_, first) => Layer::shared(first.into_iter().chain(layers).collect::<nn::Chain<T>>()),
        }
    }

    /// The layer; its parameters follow those that are there.
    fn close(self, params: &mut Vec<T>) -> Arc<dyn Layer<T>> {
        let (layer, numbers) = match self {
            Self::Fork(join, branches) => return joined(join, branches, params),
            Self::Dense {
                mut weights,
                bias,
                outputs,
                activation,
            } => {
                let layer = Dense::new(outputs, activation);
                let layer = if bias.is_some() {
                    layer
                } else {
                    layer.without_bias()
                };
                weights.extend(bias.into_iter().flatten());
                (BuiltIn::Dense(layer), weights)
            }
            Self::Norm {
                kind,
                statistics,
                scale,
                bias,
            } => {
                macro_rules! options {
                    ($layer:expr $(, $without_bias:ident)?) => {{
                        let layer = $layer;
                        let layer = if scale.is_some() { layer } else { layer.without_scale() };
                        $(let layer = if bias.is_some() { layer } else { layer.$without_bias() };)?
                        layer
                    }};
                }
                let layer = match kind {
                    Norm::Layer { eps } => {
                        BuiltIn::LayerNorm(options!(LayerNorm::new().eps(eps), without_bias))
                    }
                    Norm::Batch { eps, momentum } => BuiltIn::BatchNorm(options!(
                        BatchNorm::new().eps(eps).momentum(momentum),
                        without_bias
                    )),
                    Norm::Group { eps, groups } => {
                        BuiltIn::GroupNorm(options!(GroupNorm::new(groups).eps(eps), without_bias))
                    }
                    // Its own ε is the one that it has without a word.
                    Norm::Rms { eps } if T::of(eps) == T::default_epsilon() => {
                        BuiltIn::RmsNorm(options!(RmsNorm::new()))
                    }
                    Norm::Rms { eps } => BuiltIn::RmsNorm(options!(RmsNorm::new().eps(eps))),
                };
                let params = [scale, bias, Some(statistics)]
                    .into_iter()
                    .flatten()
                    .flatten()
                    .collect();
                (layer, params)
            }
            Self::Activation(activation) => (BuiltIn::Activation(activation), Vec::new()),
            Self::Prelu(slopes, layer) => (BuiltIn::Prelu(layer), slopes),
            Self::Softmax => (BuiltIn::Softmax(Softmax), Vec::new()),
            Self::LogSoftmax => (BuiltIn::LogSoftmax(LogSoftmax), Vec::new()),
            Self::UnitNorm(norm) => (BuiltIn::UnitNorm(norm), Vec::new()),
            Self::Glu(activation) => (BuiltIn::Glu(Glu::new(activation)), Vec::new()),
            Self::Select(rows) => (BuiltIn::Select(Select::rows(rows)), Vec::new()),
            Self::Embedding { categories, table } => {
                let layer = Embedding::new(categories, table.len() / categories.max(1));
                (BuiltIn::Embedding(layer), table)
            }
        };
        params.extend(numbers);
        layer.layer()
    }
}

/// The layer of branches, of which those that are empty hand on their inputs.
fn joined<T: Real>(
    join: Join,
    mut branches: Vec<Vec<Open<T>>>,
    params: &mut Vec<T>,
) -> Arc<dyn Layer<T>> {
    if join == Join::Add
        && let [first, second] = &mut branches[..]
    {
        // Of a sum the order does not matter.
        if first.is_empty() || Open::projects(first) && !Open::projects(second) {
            mem::swap(first, second);
        }
        if !first.is_empty() && (second.is_empty() || Open::projects(second)) {
            let body = Open::chain(mem::take(first), params);
            let skip = mem::take(second);
            let projection = (!skip.is_empty()).then(|| Open::chain(skip, params));
            return Layer::shared(Residual::of(body, projection));
        }
    }
    let chain = |layers| Open::chain(layers, params);
    let join = match join {
        Join::Add => layer::Join::Add,
        Join::Stack { .. } => layer::Join::Stack,
    };
    Layer::shared(Parallel::of(
        branches.into_iter().map(chain).collect(),
        join,
    ))
}

impl<'g> Part<'g> {
    /// The constants that become parameters.
    fn constants(&self) -> impl Iterator<Item = &Constant<'g>> {
        let (some, two) = match self {
            Self::Dense(product) => ([Some(&product.weights), product.bias.as_ref()], None),
            Self::Affine(_, by) | Self::Prelu(by) | Self::Embedding(by) => ([Some(by), None], None),
            Self::Norm {
                statistics,
                scale,
                bias,
                ..
            } => ([scale.as_ref(), bias.as_ref()], statistics.as_ref()),
            _ => ([None, None], None),
        };
        some.into_iter().flatten().chain(two.into_iter().flatten())
    }

    /// Whether it has parameters that branches cannot share.
    pub(super) fn is_learned(&self) -> bool {
        !matches!(self, Self::Affine(..)) && self.constants().next().is_some()
    }

    /// Whether integers stay what they are, or are the places in a table.
    fn keeps_integers(&self) -> bool {
        match self {
            Self::Cast(kind) => is_integer(*kind),
            Self::Embedding(_)
            | Self::Select { .. }
            | Self::Flatten(_)
            | Self::Reshape(_)
            | Self::Transpose
            | Self::Squeeze(_)
            | Self::Unsqueeze(_) => true,
            _ => false,
        }
    }

    /// How many features must come in, where its constants tell.
    fn inputs(&self) -> Option<usize> {
        match self {
            Self::Dense(product) => match *product.weights.dims() {
                [.., _, inputs] if product.by_output => Some(inputs),
                [.., inputs, _] | [inputs] => Some(inputs),
                _ => None,
            },
            Self::BothClasses => Some(1),
            _ => self
                .constants()
                .find_map(|constant| constant.vector_len().filter(|len| *len > 1)),
        }
    }
}

/// How many features must come in, where the constants of the first parts tell.
fn inputs(steps: &[Step<'_>]) -> Option<usize> {
    for step in steps {
        match step {
            // Behind them are others.
            Step::Link(Link {
                part: Part::Select { .. } | Part::Embedding(_),
                ..
            }) => return None,
            Step::Link(link) => match link.part.inputs() {
                None => {}
                width => return width,
            },
            Step::Fork(fork) => return fork.branches.iter().find_map(|branch| inputs(branch)),
        }
    }
    None
}

impl Rows<'_> {
    /// Whether these are all places, whatever their number.
    fn are_all(&self) -> bool {
        matches!(self, Self::Slice([0, end, 1]) if *end >= i32::MAX.into())
    }

    /// These places of so many.
    fn of(&self, len: usize) -> Result<Places> {
        let wrong = |expected: String, given: String| {
            Err(Error::new(ErrorKind::Shape, "", expected, given))
        };
        match self {
            Self::At(rows) if rows.dims().len() > 1 => {
                let given = format!("dimensions {:?}", rows.dims());
                wrong("a list of places".into(), given)
            }
            Self::At(rows) => {
                let rows = rows.integers()?.into_iter();
                let rows = rows.map(|row| axis(row, len)).collect::<Result<_>>()?;
                Ok(Places::List(rows))
            }
            Self::Slice([start, end, step]) => {
                let (start, count) = sliced([*start, *end, *step], len);
                Ok(Places::Steps(start, *step, count))
            }
            Self::Split { part, parts, sizes } => {
                let sizes = match sizes {
                    Some(sizes) => sizes.clone(),
                    // The last one may be smaller.
                    None => {
                        let most = len.div_ceil(*parts);
                        let rest = len.saturating_sub(most * (parts - 1));
                        let mut sizes = vec![most as i64; parts - 1];
                        sizes.push(rest as i64);
                        sizes
                    }
                };
                let sum = sizes.iter().try_fold(0_i64, |sum, size| {
                    sum.checked_add(*size).filter(|_| *size >= 0)
                });
                if sizes.len() != *parts || sum != i64::try_from(len).ok() {
                    return wrong(
                        format!("{parts} parts of {len} in all"),
                        format!("{sizes:?}"),
                    );
                }
                let start = sizes[..*part].iter().sum();
                Ok(Places::Steps(start, 1, sizes[*part] as usize))
            }
        }
    }
}

/// Places along an axis: listed, or the first one, the distance to the next, and how many.
enum Places {
    List(Vec<usize>),
    Steps(i64, i64, usize),
}

impl Places {
    fn len(&self) -> usize {
        match self {
            Self::List(places) => places.len(),
            Self::Steps(_, _, count) => *count,
        }
    }

    fn collect(self) -> Vec<usize> {
        match self {
            Self::List(places) => places,
            Self::Steps(start, step, count) => {
                let at = |index: usize| (start + step * index as i64) as usize;
                (0..count).map(at).collect()
            }
        }
    }
}

/// The maps as one: x·scale + shift.
fn line<T: Real>(maps: &[(Affine, Vec<T>)]) -> (Vec<T>, Vec<T>) {
    let width = maps.first().map_or(0, |(_, by)| by.len());
    let (mut scale, mut shift) = (vec![T::one(); width], vec![T::zero(); width]);
    for (op, by) in maps {
        for ((scale, shift), by) in scale.iter_mut().zip(&mut shift).zip(by) {
            match op {
                Affine::Add => *shift += *by,
                Affine::Sub => *shift -= *by,
                Affine::Mul => (*scale, *shift) = (*scale * *by, *shift * *by),
                Affine::Div => (*scale, *shift) = (*scale / *by, *shift / *by),
            }
        }
    }
    (scale, shift)
}

/// The maps as one: (x − shift)/scale.
fn input_scaler<T: Real>(maps: &[(Affine, Vec<T>)]) -> Result<Scaler<T>> {
    let width = maps.first().map_or(0, |(_, by)| by.len());
    let (mut shift, mut scale) = (vec![T::zero(); width], vec![T::one(); width]);
    for (op, by) in maps {
        for ((shift, scale), by) in shift.iter_mut().zip(&mut scale).zip(by) {
            match op {
                Affine::Add => *shift -= *by * *scale,
                Affine::Sub => *shift += *by * *scale,
                Affine::Mul => *scale /= *by,
                Affine::Div => *scale *= *by,
            }
        }
    }
    Scaler::new(shift, scale).map_err(|error| error.within("scaler of inputs"))
}
