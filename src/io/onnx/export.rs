//! From a model to a graph: initializers, and nodes layer by layer.

use super::activations::{self, Expr};
use super::encode::{self, MACHINE_LEARNING};
use super::metadata;
use super::proto::{self, Size};
use super::writer::{INPUT, OUTPUT, Writer, float, int, ints};
use crate::data::Scaler;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layers::BuiltIn;
use crate::nn::loss::OutputFunction;
use crate::numeric::real::Real;
use crate::train::Model;
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
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
    let mut parameters = net.named_parameters().peekable();
    for (number, layer) in net.layers().iter().enumerate() {
        let Some(known) = BuiltIn::of(&**layer) else {
            let place = net.layout().place(number);
            return Err(Error::new(
                ErrorKind::Incompatible,
                place,
                "a layer of this crate, which ONNX has operators for",
                layer.name(),
            ));
        };
        let mut blocks = BTreeMap::new();
        while let Some(parameter) = parameters.next_if(|parameter| parameter.layer == number) {
            let (block, name) = (parameter.block, parameter.name.to_string());
            let name = if block.cols == 1 && block.name != "weights" {
                writer.tensor(name, &[block.rows], parameter.values.iter())
            } else {
                // Row after row of what lies column after column.
                let rows = parameter.values.transpose();
                writer.tensor(name, &[block.rows, block.cols], rows.iter())
            };
            blocks.insert(&*block.name, name);
        }
        writer.scope = format!("layer{number}");
        writer.layer::<T>(&known, &blocks);
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

    fn layer<T: Real>(&mut self, layer: &BuiltIn, blocks: &BTreeMap<&str, String>) {
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
            // In inference they do nothing.
            BuiltIn::Dropout(_) | BuiltIn::AlphaDropout(_) | BuiltIn::GaussianNoise(_) => {}
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
