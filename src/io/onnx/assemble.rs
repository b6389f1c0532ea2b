//! From the steps of a graph to a model: which constants are parameters of which layer, and which are scalers.

use super::graph::Constant;
use super::import::{Affine, Norm, Part, Step};
use super::proto::{self, Size};
use crate::activation::Activation;
use crate::data::Scaler;
use crate::error::{Error, ErrorKind, Result};
use crate::layers::{BatchNorm, BuiltIn, Dense, LayerNorm, RmsNorm, Softmax};
use crate::real::{Real, zeros};
use crate::sequential::Sequential;
use crate::train::Model;
use alloc::{format, vec, vec::Vec};
use core::mem;

/// A layer with its parameters, as long as there may be more to come.
enum Open<T> {
    Dense { weights: Vec<T>, bias: Option<Vec<T>>, outputs: usize, activation: Activation },
    Norm { kind: Norm, statistics: Vec<T>, scale: Option<Vec<T>>, bias: Option<Vec<T>> },
    Activation(Activation),
    Softmax,
}

struct Assembly<T: Real> {
    /// Features after the last step.
    width: usize,
    /// Single numbers of the file that stand for one of each feature may become so many more: with declared widths of any size, a small
    /// file could else ask for all memory.
    budget: usize,
    layers: Vec<Open<T>>,
    /// Maps of single features since the last layer.
    maps: Vec<(Affine, Vec<T>)>,
    inputs: Option<Scaler<T>>,
}

/// The model that takes the graph's `input` through `steps`; `budget` bounds what is made of single numbers.
pub(super) fn assemble<T: Real>(input: &proto::ValueInfo, steps: &[Step<'_>], budget: usize) -> Result<Model<T>> {
    let place = format!("ONNX input {:?}", input.name);
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let (kind, shape) = tensor.map_or((0, None), |tensor| (tensor.elem_type, tensor.shape.as_ref()));
    if ![proto::FLOAT, proto::DOUBLE].contains(&kind) {
        return Err(Error::new(ErrorKind::Incompatible, place, "numbers of type float or double", format!("data type {kind}")));
    }
    let constants = || steps.iter().flat_map(|step| step.part.constants());
    let double = if constants().next().is_some() { constants().any(Constant::is_double) } else { kind == proto::DOUBLE };
    if double && T::BYTES < 8 {
        let place = constants().find(|constant| constant.is_double()).map_or(place, |constant| constant.place().into());
        return Err(Error::new(ErrorKind::Incompatible, place, "numbers of type float (f64 holds those of type double)", "double"));
    }
    let dims: Vec<_> = shape.map_or(vec![], |shape| shape.dim.iter().map(|dim| dim.size.as_ref()).collect());
    let flat = dims.len() <= 2 || matches!(steps.first(), Some(Step { part: Part::Flatten | Part::Features(_), .. }));
    if shape.is_some() && (dims.len() < 2 || !flat) {
        let expected = "dimensions (samples, features), or more where they are flattened first";
        return Err(Error::new(ErrorKind::Shape, place, expected, format!("{} dimensions", dims.len())));
    }
    let size = |dim: &Option<&Size>| match dim {
        Some(Size::Value(size)) => usize::try_from(*size).ok().filter(|size| *size > 0),
        _ => None,
    };
    // What the graph says of its input, or else the first part that has as many numbers.
    let declared =
        dims.get(1..).filter(|dims| !dims.is_empty()).and_then(|dims| dims.iter().try_fold(1_usize, |n, dim| n.checked_mul(size(dim)?)));
    let Some(width) = declared.or_else(|| steps.iter().find_map(|step| step.part.inputs())) else {
        return Err(Error::new(ErrorKind::Shape, place, "a known number of features", "none"));
    };
    let mut assembly = Assembly { width, budget, layers: Vec::new(), maps: Vec::new(), inputs: None };
    for Step { place, part } in steps {
        assembly.step(part, double).map_err(|error| error.within(place))?;
    }
    assembly.finish(width)
}

impl<T: Real> Assembly<T> {
    fn step(&mut self, part: &Part<'_>, double: bool) -> Result<()> {
        let width = self.width;
        let layer = match part {
            Part::Affine(op, by) => {
                let by = self.vector(by, width)?;
                self.maps.push((*op, by));
                return Ok(());
            }
            Part::Negate => {
                let by = self.repeat(-T::one(), width)?;
                self.maps.push((Affine::Mul, by));
                return Ok(());
            }
            Part::Dense { weights, by_output, alpha, bias, beta } => self.dense(weights, *by_output, *alpha, bias.as_ref(), *beta)?,
            Part::Activation(activation) => {
                self.close()?;
                if let Some(Open::Dense { activation: fused @ Activation::Linear, .. }) = self.layers.last_mut() {
                    *fused = activation.clone();
                    return Ok(());
                }
                Open::Activation(activation.clone())
            }
            Part::Softmax => Open::Softmax,
            Part::Norm { kind, statistics, scale, bias } => {
                let mut all = |constant: &Option<Constant<'_>>| constant.as_ref().map(|constant| self.vector(constant, width)).transpose();
                let (scale, bias, mut numbers) = (all(scale)?, all(bias)?, Vec::new());
                for statistic in statistics.iter().flatten() {
                    numbers.extend(self.vector(statistic, width)?);
                }
                Open::Norm { kind: *kind, statistics: numbers, scale, bias }
            }
            Part::BothClasses if width != 1 => {
                return Err(Error::new(ErrorKind::Incompatible, "", "a single probability", format!("{width} features")));
            }
            Part::BothClasses => {
                let (zero, one) = (T::zero(), T::one());
                self.width = 2;
                Open::Dense { weights: vec![-one, one], bias: Some(vec![one, zero]), outputs: 2, activation: Activation::Linear }
            }
            Part::Flatten => return Ok(()),
            Part::Features(features) if *features == width => return Ok(()),
            Part::Features(features) => {
                return Err(Error::new(ErrorKind::Shape, "", format!("{width} features, as before"), features));
            }
            Part::Cast(kind) if *kind == i64::from(if double { proto::DOUBLE } else { proto::FLOAT }) => return Ok(()),
            Part::Cast(kind) => {
                let expected = if double { "a cast to double, as the weights" } else { "a cast to float, as the weights" };
                return Err(Error::new(ErrorKind::Incompatible, "", expected, format!("data type {kind}")));
            }
            Part::Normalize => match self.layers.last() {
                Some(Open::Softmax) if self.maps.is_empty() => return Ok(()),
                _ => return Err(Error::new(ErrorKind::Incompatible, "", "the probabilities of a softmax before it", "something else")),
            },
        };
        self.close()?;
        self.layers.push(layer);
        Ok(())
    }

    /// Weights outputs × inputs, column after column, from what is in the file row after row.
    fn dense(&mut self, weights: &Constant<'_>, by_output: bool, alpha: f32, bias: Option<&Constant<'_>>, beta: f32) -> Result<Open<T>> {
        let (outputs, inputs) = match *weights.dims() {
            [outputs, inputs] if by_output => (outputs, inputs),
            [inputs, outputs] => (outputs, inputs),
            _ => (0, 0),
        };
        if outputs == 0 || inputs != self.width {
            let expected = format!("a matrix for {} features", self.width);
            return Err(Error::new(ErrorKind::Shape, weights.place(), expected, format!("dimensions {:?}", weights.dims())));
        }
        let mut numbers = weights.reals()?;
        if by_output {
            let rows = numbers;
            numbers = (0..inputs).flat_map(|input| (0..outputs).map(move |output| output * inputs + input)).map(|at| rows[at]).collect();
        }
        let mut bias = bias.map(|bias| self.vector(bias, outputs)).transpose()?;
        for (numbers, factor) in [(Some(&mut numbers), alpha), (bias.as_mut(), beta)] {
            // Not times 1: of NaN that could change the bits.
            if factor != 1.0 {
                numbers.into_iter().flatten().for_each(|v| *v *= T::of(factor.into()));
            }
        }
        self.width = outputs;
        Ok(Open::Dense { weights: numbers, bias, outputs, activation: Activation::Linear })
    }

    /// Gives the maps since the last layer to whom they belong, where a layer follows.
    fn close(&mut self) -> Result<()> {
        self.absorb();
        let maps = mem::take(&mut self.maps);
        if maps.is_empty() {
            return Ok(());
        }
        if self.layers.is_empty() {
            self.inputs = Some(input_scaler(&maps)?);
            return Ok(());
        }
        let (scale, shift) = line(&maps);
        match self.layers.last_mut() {
            Some(Open::Dense { weights, bias, activation: Activation::Linear, .. }) => {
                for column in weights.chunks_exact_mut(scale.len()) {
                    column.iter_mut().zip(&scale).for_each(|(w, scale)| *w *= *scale);
                }
                let old = bias.take().unwrap_or_else(|| vec![T::zero(); shift.len()]);
                *bias = Some(old.iter().zip(scale.iter().zip(&shift)).map(|(b, (scale, shift))| *b * *scale + *shift).collect());
            }
            // A layer of its own: batch norm of mean 0 and variance 1, with an ε that 1 does not feel.
            _ => {
                let mut statistics = vec![T::zero(); scale.len()];
                statistics.resize(2 * scale.len(), T::one());
                let kind = Norm::Batch { eps: 1e-30, momentum: 0.1 };
                self.layers.push(Open::Norm { kind, statistics, scale: Some(scale), bias: Some(shift) });
            }
        }
        Ok(())
    }

    /// Maps that are parameters of the last layer, and written as if they were not: its bias after a product, γ and β after a norm.
    fn absorb(&mut self) {
        let mut maps = mem::take(&mut self.maps).into_iter().peekable();
        match self.layers.last_mut() {
            Some(Open::Dense { bias: bias @ None, activation: Activation::Linear, .. }) => match maps.peek() {
                Some((Affine::Add, _)) => *bias = maps.next().map(|(_, by)| by),
                Some((Affine::Sub, _)) => *bias = maps.next().map(|(_, by)| by.into_iter().map(|v| -v).collect()),
                _ => {}
            },
            Some(Open::Norm { kind, scale, bias: bias @ None, .. }) => {
                if scale.is_none() {
                    *scale = maps.next_if(|(op, _)| *op == Affine::Mul).map(|(_, by)| by);
                }
                if !matches!(kind, Norm::Rms { .. }) {
                    *bias = maps.next_if(|(op, _)| *op == Affine::Add).map(|(_, by)| by);
                }
            }
            _ => {}
        }
        self.maps = maps.collect();
    }

    fn finish(mut self, inputs: usize) -> Result<Model<T>> {
        self.absorb();
        let maps = mem::take(&mut self.maps);
        let outputs = match maps.is_empty() || self.layers.is_empty() {
            true => None,
            false => {
                let (scale, shift) = line(&maps);
                Some(Scaler::new(shift, scale).map_err(|error| error.within("scaler of outputs"))?)
            }
        };
        let (mut builder, mut params) = (Sequential::builder(inputs), Vec::new());
        for layer in self.layers {
            let (layer, numbers) = layer.close();
            builder = builder.shared(layer.layer());
            params.extend(numbers);
        }
        let mut net = builder.build_at_zero()?;
        net.set_params(&params)?;
        Model::new(net, self.inputs, outputs)
    }

    /// A constant as one number for each of `width` features.
    fn vector(&mut self, constant: &Constant<'_>, width: usize) -> Result<Vec<T>> {
        let numbers = match constant.vector_len() {
            Some(1) => return self.repeat(constant.reals()?[0], width),
            Some(len) if len == width => constant.reals()?,
            _ => {
                let given = format!("dimensions {:?}", constant.dims());
                return Err(Error::new(ErrorKind::Shape, constant.place(), format!("one number for each of {width} features"), given));
            }
        };
        Ok(numbers)
    }

    fn repeat(&mut self, number: T, width: usize) -> Result<Vec<T>> {
        self.budget = self
            .budget
            .checked_sub(width)
            .ok_or_else(|| Error::new(ErrorKind::Value, "", "single numbers for no more features than such a file has", width))?;
        let mut numbers = zeros("ONNX", &[width])?;
        numbers.fill(number);
        Ok(numbers)
    }
}

impl<T: Real> Open<T> {
    /// The layer, and its parameters in their order.
    fn close(self) -> (BuiltIn, Vec<T>) {
        match self {
            Self::Dense { mut weights, bias, outputs, activation } => {
                let layer = Dense::new(outputs, activation);
                let layer = if bias.is_some() { layer } else { layer.without_bias() };
                weights.extend(bias.into_iter().flatten());
                (BuiltIn::Dense(layer), weights)
            }
            Self::Norm { kind, statistics, scale, bias } => {
                macro_rules! options {
                    ($layer:expr $(, $without_bias:ident)?) => {{
                        let layer = $layer;
                        let layer = if scale.is_some() { layer } else { layer.without_scale() };
                        $(let layer = if bias.is_some() { layer } else { layer.$without_bias() };)?
                        layer
                    }};
                }
                let layer = match kind {
                    Norm::Layer { eps } => BuiltIn::LayerNorm(options!(LayerNorm::new().eps(eps), without_bias)),
                    Norm::Batch { eps, momentum } => {
                        BuiltIn::BatchNorm(options!(BatchNorm::new().eps(eps).momentum(momentum), without_bias))
                    }
                    // Its own ε is the one that it has without a word.
                    Norm::Rms { eps } if T::of(eps) == T::default_epsilon() => BuiltIn::RmsNorm(options!(RmsNorm::new())),
                    Norm::Rms { eps } => BuiltIn::RmsNorm(options!(RmsNorm::new().eps(eps))),
                };
                let params = [scale, bias, Some(statistics)].into_iter().flatten().flatten().collect();
                (layer, params)
            }
            Self::Activation(activation) => (BuiltIn::Activation(activation), Vec::new()),
            Self::Softmax => (BuiltIn::Softmax(Softmax), Vec::new()),
        }
    }
}

impl<'g> Part<'g> {
    /// The constants that become parameters.
    fn constants(&self) -> impl Iterator<Item = &Constant<'g>> {
        let (some, two) = match self {
            Self::Dense { weights, bias, .. } => ([Some(weights), bias.as_ref()], None),
            Self::Affine(_, by) => ([Some(by), None], None),
            Self::Norm { statistics, scale, bias, .. } => ([scale.as_ref(), bias.as_ref()], statistics.as_ref()),
            _ => ([None, None], None),
        };
        some.into_iter().flatten().chain(two.into_iter().flatten())
    }

    /// How many features must come in, where its constants tell.
    fn inputs(&self) -> Option<usize> {
        match self {
            Self::Dense { weights, by_output, .. } => match *weights.dims() {
                [_, inputs] if *by_output => Some(inputs),
                [inputs, _] => Some(inputs),
                _ => None,
            },
            Self::Features(features) => Some(*features),
            Self::BothClasses => Some(1),
            _ => self.constants().find_map(|constant| constant.vector_len().filter(|len| *len > 1)),
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
