//! From a model to a graph: initializers, and nodes layer by layer.

use super::activations::{self, Expr};
use super::encode::{self, MACHINE_LEARNING};
use super::metadata;
use super::proto::{self, Size};
use super::writer::{INPUT, OUTPUT, Writer, float, int, ints};
use crate::data::Scaler;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::{Join, Layer, Part, Parts};
use crate::nn::layers::{BuiltIn, EMBEDDINGS};
use crate::nn::layout::place;
use crate::nn::loss::OutputFunction;
use crate::nn::sequential::NamedParameter;
use crate::numeric::real::Real;
use crate::train::Model;
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::mem;
use prost::Message;

/// The versions of ONNX's operators and of its format: of 2021 and 2022, the first with
/// `LayerNormalization`, which every reader of today knows.
const OPERATORS: i64 = 17;
const FORMAT: i64 = 8;
/// The version of [`MACHINE_LEARNING`] with a `LabelEncoder` from texts to integers.
const LABEL_ENCODER: i64 = 2;

/// The graph of `model`, with `function` at its end.
pub(super) fn export<T: Real>(model: &Model<T>, function: &OutputFunction) -> Result<Vec<u8>> {
    let net = model.net();
    let mut writer = Writer::new(T::BYTES == 8);
    let kind = writer.kind();
    let encoder = model.encoder();
    let encoded = encoder
        .map(|encoder| encode::encode(&mut writer, encoder))
        .transpose()?;
    if let Some(scaler) = model.input_scaler() {
        writer.scaler(
            "scale_inputs",
            scaler,
            ["Sub", "Div"],
            [("shift", scaler.shift()), ("scale", scaler.scale())],
        );
    }
    let mut parameters = net.named_parameters();
    let mut width = net.inputs();
    for (number, layer) in net.layers().iter().enumerate() {
        writer.scope = format!("layer{number}");
        width = writer.whole(&**layer, width, &mut vec![number], &mut parameters)?;
    }
    if let Some(scaler) = &model.score_scaler()? {
        writer.scaler(
            "scale_outputs",
            scaler,
            ["Mul", "Add"],
            [("scale", scaler.scale()), ("shift", scaler.shift())],
        );
    }
    writer.scope = "output_function".into();
    writer.output_function(function, net.outputs());
    if let Some(encoded) = &encoded {
        encoded.refuse(&mut writer);
    }
    let info = |name: &str, elem_type: i32, features: usize| proto::ValueInfo {
        name: name.into(),
        r#type: Some(proto::Type {
            tensor_type: Some(proto::TensorType {
                elem_type,
                shape: Some(proto::Shape {
                    dim: [Size::Param("batch".into()), Size::Value(features as i64)]
                        .map(|size| proto::Dimension { size: Some(size) })
                        .into(),
                }),
            }),
        }),
    };
    let mut graph = writer.finish();
    graph.input = match &encoded {
        None => vec![info(INPUT, kind, net.inputs())],
        Some(encoded) => {
            encoded.check_names(&graph)?;
            let column = |(name, kind): &(String, i32)| info(name, *kind, 1);
            encoded.inputs.iter().map(column).collect()
        }
    };
    graph.output = vec![info(OUTPUT, kind, net.outputs())];
    let set = |domain: &str, version| proto::OperatorSet {
        domain: domain.into(),
        version,
    };
    let mut opset_import = vec![set("", OPERATORS)];
    opset_import.extend(encoded.map(|_| set(MACHINE_LEARNING, LABEL_ENCODER)));
    let file = proto::Model {
        ir_version: FORMAT,
        producer_name: "chainrule".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        opset_import,
        metadata_props: metadata::entries(model, function),
    };
    let len = file.encoded_len();
    if i32::try_from(len).is_err() {
        return Err(Error::new(
            ErrorKind::Value,
            "ONNX file",
            "less than 2 GiB, which is protobuf's limit",
            format!("{len} bytes"),
        ));
    }
    Ok(file.encode_to_vec())
}

/// What a layer becomes.
impl Writer {
    fn scaler<T: Real>(
        &mut self,
        scope: &str,
        scaler: &Scaler<T>,
        ops: [&str; 2],
        numbers: [(&str, &[T]); 2],
    ) {
        self.scope = scope.into();
        for (op, (name, numbers)) in ops.into_iter().zip(numbers) {
            let name = self.tensor(
                format!("{scope}.{name}"),
                &[scaler.features()],
                numbers.iter(),
            );
            self.next(op, vec![], &[&name]);
        }
    }

    /// Goes on with an expression.
    fn expression(&mut self, expr: &Expr) {
        let mut known = Vec::new();
        self.value = self.part(expr, &mut known);
    }

    /// A part of an expression; what is in it twice is computed once.
    fn part(&mut self, expr: &Expr, known: &mut Vec<(Expr, String)>) -> String {
        if let Some((_, value)) = known.iter().find(|(part, _)| part == expr) {
            return value.clone();
        }
        let value = match expr {
            // Slots are for reading.
            Expr::X | Expr::Slot(_) => return self.value.clone(),
            Expr::Number(v) => return self.number(*v),
            Expr::Tensor(name) => return name.clone(),
            Expr::Reduce(op, inner) => {
                let inner = self.part(inner, known);
                self.node(op, vec![ints("axes", &[-1])], vec![inner])
            }
            Expr::Apply(op, attributes, args) => {
                let args = args.iter().map(|arg| self.part(arg, known)).collect();
                let attribute = |(name, number): &(&str, Expr)| match number {
                    Expr::Number(v) => Some(float(name, *v)),
                    _ => None,
                };
                self.node(op, attributes.iter().filter_map(attribute).collect(), args)
            }
        };
        known.push((expr.clone(), value.clone()));
        value
    }

    /// A layer of so many inputs, with its parameters, which are next: how many outputs it has.
    fn whole<'p, T: Real>(
        &mut self,
        layer: &dyn Layer<T>,
        inputs: usize,
        path: &mut Vec<usize>,
        parameters: &mut dyn Iterator<Item = NamedParameter<'p, T>>,
    ) -> Result<usize> {
        if let Some(parts) = layer.nested() {
            return self.parts(&parts, inputs, path, parameters);
        }
        let Some(known) = BuiltIn::of(layer) else {
            let name = layer.name();
            return Err(Error::new(
                ErrorKind::Incompatible,
                place(path, &name),
                "a layer of this crate, which ONNX has operators for",
                name,
            ));
        };
        let mut blocks = BTreeMap::new();
        for parameter in parameters.take(layer.blocks(inputs).len()) {
            let (block, name) = (parameter.block, parameter.name.to_string());
            let name = if block.name == EMBEDDINGS {
                self.tensor(name, &[block.cols, block.rows], parameter.values.iter())
            } else if block.cols == 1 && block.name != "weights" {
                self.tensor(name, &[block.rows], parameter.values.iter())
            } else {
                // Row after row of what lies column after column.
                let rows = parameter.values.transpose();
                self.tensor(name, &[block.rows, block.cols], rows.iter())
            };
            blocks.insert(&*block.name, name);
        }
        self.layer(&known, &blocks);
        layer.outputs(inputs)
    }

    /// Layers one after the other, or branches from the last value and their join.
    fn parts<'p, T: Real>(
        &mut self,
        parts: &Parts<T>,
        inputs: usize,
        path: &mut Vec<usize>,
        parameters: &mut dyn Iterator<Item = NamedParameter<'p, T>>,
    ) -> Result<usize> {
        let (scope, begin) = (self.scope.clone(), self.value.clone());
        let (mut width, mut ends, mut widths) = (inputs, Vec::new(), Vec::new());
        for (index, Part { name, layer }) in parts.parts.iter().enumerate() {
            if parts.join.is_some() {
                (width, self.value) = (inputs, begin.clone());
            }
            self.scope = match parts.join {
                None => format!("{scope}.{index}"),
                Some(_) => format!("{scope}.{name}"),
            };
            if let Some(layer) = layer {
                path.push(index);
                width = self.whole(&**layer, width, path, parameters)?;
                path.pop();
            }
            ends.push(self.value.clone());
            widths.push(width);
        }
        self.scope = scope;
        match (parts.join, &mut ends[..]) {
            (None, _) | (_, [_]) => {}
            (Some(Join::Stack), _) => {
                self.concat(ends);
                width = widths.iter().sum();
            }
            (Some(Join::Add), [first, second]) => {
                // A skip first, so that what is added to it is not taken for a sum with more terms.
                if *second == begin {
                    mem::swap(first, second);
                }
                self.value = self.node("Add", vec![], ends);
            }
            (Some(Join::Add), _) => self.value = self.node("Sum", vec![], ends),
        }
        Ok(width)
    }

    fn layer<T: Real>(&mut self, layer: &BuiltIn<T>, blocks: &BTreeMap<&str, String>) {
        let (scale, bias) = (blocks.get("scale"), blocks.get("bias"));
        match layer {
            BuiltIn::Dense(dense) => {
                let others: Vec<_> = blocks.get("weights").into_iter().chain(bias).collect();
                self.next("Gemm", vec![int("transB", 1)], &others);
                self.expression(&activations::activation(dense.activation(), self.double));
            }
            BuiltIn::Activation(activation) => {
                self.expression(&activations::activation(activation, self.double))
            }
            BuiltIn::Prelu(_) => self.next("PRelu", vec![], &[&blocks["slope"]]),
            BuiltIn::Softmax(_) => self.activation("Softmax"),
            BuiltIn::LogSoftmax(_) => self.activation("LogSoftmax"),
            BuiltIn::Glu(glu) => {
                let first = self.halves();
                self.expression(&activations::activation(glu.activation(), self.double));
                self.next("Mul", vec![], &[&first]);
            }
            BuiltIn::Select(select) => self.select(Layer::<T>::selects(select).unwrap_or_default()),
            BuiltIn::Embedding(_) => {
                self.next("Cast", vec![int("to", proto::INT64.into())], &[]);
                let index = self.value.clone();
                self.value = self.node("Gather", vec![], vec![blocks[EMBEDDINGS].clone(), index]);
                self.next("Flatten", vec![], &[]);
            }
            // In inference they do nothing.
            BuiltIn::Dropout(_) | BuiltIn::AlphaDropout(_) | BuiltIn::GaussianNoise(_) => {}
            // They have been written as what they are made of.
            BuiltIn::Chain(_) | BuiltIn::Residual(_) | BuiltIn::Parallel(_) => {}
            // Attributes are f32, and ONNX's own norms have their ε there and need a scale, batch
            // norm a bias, too.
            BuiltIn::BatchNorm(norm) => {
                let (eps, momentum) = norm.settings();
                let [mean, variance] =
                    ["running_mean", "running_variance"].map(|name| blocks[name].clone());
                match (scale, bias) {
                    (Some(scale), Some(bias)) if !self.double => {
                        let attributes =
                            vec![float("epsilon", eps), float("momentum", 1.0 - momentum)];
                        self.next(
                            "BatchNormalization",
                            attributes,
                            &[scale, bias, &mean, &variance],
                        );
                    }
                    _ => {
                        let core = activations::batch_norm(
                            Expr::Tensor(mean),
                            Expr::Tensor(variance),
                            Expr::Number(eps),
                        );
                        self.norm(&core, scale, bias);
                    }
                }
            }
            BuiltIn::LayerNorm(norm) => match scale {
                Some(scale) if !self.double => {
                    let others: Vec<_> = [scale].into_iter().chain(bias).collect();
                    self.next(
                        "LayerNormalization",
                        vec![int("axis", -1), float("epsilon", norm.epsilon())],
                        &others,
                    );
                }
                _ => self.norm(
                    &activations::layer_norm(Expr::Number(norm.epsilon())),
                    scale,
                    bias,
                ),
            },
            BuiltIn::GroupNorm(norm) => {
                let (groups, eps) = norm.settings();
                self.reshape(&[0, groups as i64, -1]);
                self.expression(&activations::layer_norm(Expr::Number(eps)));
                self.reshape(&[0, -1]);
                self.affine(scale, bias);
            }
            BuiltIn::UnitNorm(norm) => {
                let (length, eps) = norm.settings();
                let eps = Some(eps).filter(|eps| *eps > 0.0).map(Expr::Number);
                self.expression(&activations::unit_norm(length, eps));
            }
            BuiltIn::RmsNorm(norm) => self.norm(
                &activations::rms_norm(Expr::Number(norm.epsilon::<T>())),
                scale,
                None,
            ),
        }
    }

    /// Goes on with the second half of the features, and returns the first.
    fn halves(&mut self) -> String {
        self.next("Split", vec![int("axis", -1)], &[]);
        let second = format!("{}/second", self.value);
        if let Some(split) = self.graph.node.last_mut() {
            split.output.push(second.clone());
        }
        core::mem::replace(&mut self.value, second)
    }

    /// Goes on with some of the features.
    fn select(&mut self, rows: &[usize]) {
        let places: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return;
        };
        if places.iter().copied().eq(*first..last + 1) {
            let all = self.value.clone();
            self.slice(&all, rows[0]..rows[0] + rows.len());
        } else {
            let name = self.integers(format!("{}.rows", self.scope), &places);
            self.next("Gather", vec![int("axis", 1)], &[&name]);
        }
    }

    /// Goes on with the same numbers in another shape; 0 leaves a dimension, −1 takes what is left.
    fn reshape(&mut self, shape: &[i64]) {
        let dims = shape
            .iter()
            .map(i64::to_string)
            .collect::<Vec<_>>()
            .join("x");
        let name = self.integers(format!("shape/{dims}"), shape);
        self.next("Reshape", vec![], &[&name]);
    }

    fn norm(&mut self, core: &Expr, scale: Option<&String>, bias: Option<&String>) {
        self.expression(core);
        self.affine(scale, bias);
    }

    /// γ·x + β.
    fn affine(&mut self, scale: Option<&String>, bias: Option<&String>) {
        for (op, by) in [("Mul", scale), ("Add", bias)] {
            if let Some(by) = by {
                self.next(op, vec![], &[by]);
            }
        }
    }
}
