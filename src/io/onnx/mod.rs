//! Networks to and from ONNX.

mod activations;
mod assemble;
mod axes;
mod branches;
mod constant;
mod dominators;
mod encode;
mod export;
mod fold;
mod graph;
mod heads;
mod import;
mod metadata;
mod node;
mod proto;
mod shapes;
mod writer;

use crate::error::{Error, ErrorKind, Result};
use crate::ground::file;
use crate::io::notes::check_notes;
use crate::nn::activation::Activation;
use crate::nn::loss::OutputFunction;
use crate::numeric::bounds::in_files;
use crate::numeric::real::Real;
use crate::train::Model;
use alloc::{format, string::String, vec::Vec};
use branches::Step;
use fold::Budget;
use graph::Graph;
use import::{Link, Part};
use metadata::Metadata;
use prost::Message;
use std::path::Path;

/// Writes models as [ONNX](https://onnx.ai) files, which onnxruntime, tract and many others run,
/// and reads feed-forward networks, chains with branches within them, from files that PyTorch,
/// scikit-learn (by skl2onnx) or this crate wrote.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::io::Onnx;
/// use chainrule::nn::loss::OutputFunction;
///
/// let x = DMatrix::from_row_slice(2, 3, &[20.0, 30.0, 40.0, 1.0, 2.0, 6.0]);
/// let net = Sequential::<f32>::builder(2)
///     .layer(Dense::new(8, Activation::Gelu))
///     .layer(Dense::new(3, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let model = Model::new(net, Scaler::standard(&x)?, None)?
///     .with_output_function(OutputFunction::Softmax)? // Model::fit sets it
///     .with_classes(["setosa", "versicolor", "virginica"])?;
///
/// // With files: Onnx::new().save(&model, "model.onnx")?, and load.
/// let bytes = Onnx::new().write(&model)?; // it gives probabilities
/// assert_eq!(Onnx::new().read::<f32>(&bytes)?, model);
/// # Ok::<(), Error>(())
/// ```
///
/// # What is written
///
/// One input, `input`, of shape `(batch, features)`, and one output, `output`, of `(batch,
/// outputs)`, for batches of any size: row by row what lies in memory here column by column. The
/// numbers are of type float or double, as the model's. Version 17 of the operators, version 8 of
/// the format; the same model gives the same bytes. Parameters have the names that PyTorch gives
/// them in an `nn.Sequential` of the same layers (`0.weight`, `0.bias`, …). The scalers are nodes
/// before and after the network, the model's [`OutputFunction`] is the last node, and the notes are
/// the file's metadata. The metadata also has the names of the classes (`chainrule.class.0`,
/// `chainrule.class.1`, …) and of the output function (`chainrule.output_function`). By the latter,
/// reading knows that the last node is not a layer. Of several [heads](Model::heads) each is a
/// `Slice` of the scores behind which its function stands, and a `Concat` puts them together; the
/// names of a head's classes are `chainrule.head_class.0.name`, …. A dense layer is `Gemm` and its
/// activation, as in PyTorch's files.
///
/// Layers that are made of layers are written as what they are made of: branches meet in `Add`,
/// `Sum` or `Concat`, whatever crate they are from. A [`Select`](crate::nn::Select) is `Slice` or
/// `Gather`. An [`Embedding`](crate::nn::Embedding) is `Gather` of its table behind a `Cast` to
/// int64: of a number that is no index, which is an error here, onnxruntime takes the whole part.
///
/// A model of tables ([`Model::with_encoder`]) has an input per column, under its name and of shape
/// `(batch, 1)`: numbers of the model's type, in which NaN is a hole, or strings, in which the
/// empty one is a hole. The encoder is in the file, with `LabelEncoder` of `ai.onnx.ml` for
/// categories. A row that [`Encoder::transform`](crate::data::Encoder::transform) refuses has NaN
/// as its outputs. In a file of floats columns are scaled in `f32`, which changes the last digits.
/// Such a file is not read.
///
/// What ONNX has no operator for (step, GELU, Mish, breakpoints, RMS norm, …) is written in those
/// it has. So are, for double, the activations for which onnxruntime has only float, and whatever
/// has an attribute: ONNX keeps attributes as `f32`, and a slope of 0.01 would become 0.0099999998.
/// The mean squares of the norms are then computed as they stand: in `f32` inputs beyond 10¹⁹
/// overflow, which they do not here. Dropout and noise, which do nothing in inference, are left
/// out; a surrogate is its value; ±∞ may become NaN. Initializers are not kept.
///
/// # What is read
///
/// These operators, each with constants beside the one value that is computed from the input:
///
/// - Gemm and MatMul, with the weights on either side or transposed; Add, Sub, Mul, Div, Sum and
///   Neg
/// - Relu, LeakyRelu, PRelu, ThresholdedRelu, Elu, Celu, Selu, Sigmoid, HardSigmoid, Tanh, Gelu,
///   Swish, Mish, Softplus, Softsign, HardSwish, Shrink, Exp, Clip, Max, Min, Sign and Abs, and what
///   exporters compose activations and norms of (x·σ(x), GELU by erf or tanh, …)
/// - BatchNormalization, LayerNormalization, RMSNormalization, LpNormalization, Softmax and
///   LogSoftmax
/// - Split into two halves, the first times an activation of the second: a gated linear unit
/// - Identity, Dropout, Cast, Flatten, Reshape, Transpose, Squeeze and Unsqueeze, where the
///   features of a sample stay in their order
/// - Gather, GatherND, Slice and Split that leave some of the features
/// - Gather of the rows of a table: an [`Embedding`](crate::nn::Embedding), whose indices are the
///   graph's input, of integers or behind a Cast, or some of its features
/// - of scikit-learn Scaler, LinearRegressor, LinearClassifier, Normalizer and ZipMap
///
/// Several computed values may meet in Add, Sum and Concat along the features, where the graph is
/// series-parallel: all branches that meet in a node begin at one value, and what one of them
/// computes no other uses (operators without parameters may be shared; each branch then has its
/// own). So skips, towers and shares of the features are read, within one another up to 64 times. A
/// sum of a value and of a function of it becomes a [`Residual`](crate::nn::Residual), any other
/// meeting a [`Parallel`](crate::nn::Parallel).
///
/// Everything else is an error that names the node. Constants may be computed by nodes (Transpose,
/// Cast, Reshape, Sqrt, Concat, Gather, …), and so may shapes from the input's shape. Numbers are
/// of type float, double, float16 or bfloat16; casts between these are left out, because everything
/// is computed in `T`.
///
/// The samples lie along the first axis of the input, or along the only one whose length the file
/// leaves open. A file without an axis for samples describes one sample, and so does one that
/// reshapes all it is given into one row. More dimensions are one row of features. If the file
/// leaves several lengths open, a node must flatten them first.
///
/// An activation becomes part of the dense layer before it. Maps of single features before the
/// first layer become the scaler of inputs, and those behind the last the scaler of outputs. Those
/// between layers become part of the dense layer before them, or else of the one behind them, or
/// else a [`BatchNorm`](crate::nn::BatchNorm) of mean 0 and variance 1. A PRelu whose slope is a
/// scalar is a leaky ReLU, any other a [`Prelu`](crate::nn::Prelu). What is left of a file without
/// layers, such as of dropouts only, is a linear activation. What this crate wrote so becomes the
/// same layers with the same bits. Lost are dropout and noise, surrogates, initializers, an
/// activation of its own after a linear layer, the padding of an embedding, names of branches,
/// chains within chains and, of doubles, the momentum of batch norm. ε, slopes and α of floats
/// become the shortest decimal number that gives the `f32`. A CELU of α = 1 becomes the ELU that it
/// is.
///
/// A file of floats can be read as `f64`; one of doubles as `f32` cannot. PyTorch's softplus goes
/// over to z beyond 20; ours does not, which makes a difference of 2·10⁻⁹ there. Memory stays
/// within a multiple of the file's length, whatever it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[doc(alias("torch.onnx", "onnxruntime"))]
pub struct Onnx {
    output_function: Option<OutputFunction>,
    output: Option<String>,
}

impl Onnx {
    /// Writes what [`Model::predict`] returns; reads the only output.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes softmax behind the network, which ends on class scores, whatever the model's own
    /// output function is.
    #[must_use]
    pub fn softmax(self) -> Self {
        Self {
            output_function: Some(OutputFunction::Softmax),
            ..self
        }
    }

    /// Writes the sigmoid behind the network, whatever the model's own output function is.
    #[must_use]
    pub fn sigmoid(self) -> Self {
        Self {
            output_function: Some(OutputFunction::Sigmoid),
            ..self
        }
    }

    /// Writes no output function: the file gives what [`Model::scores`] returns.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::View;
    /// use chainrule::io::Onnx;
    /// use chainrule::nn::loss::OutputFunction;
    /// let net = Sequential::<f32>::builder(2)
    ///     .layer(Dense::new(3, Activation::Linear))
    ///     .seed(1)
    ///     .build()?;
    /// let model = Model::from(net).with_output_function(OutputFunction::Softmax)?;
    /// let read: Model<f32> = Onnx::new().read(&Onnx::new().scores().write(&model)?)?;
    /// let x = View::new(&[1.0, 2.0], 2)?;
    /// assert_eq!(read.predict(x)?, model.scores(x)?);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn scores(self) -> Self {
        Self {
            output_function: Some(OutputFunction::Identity),
            ..self
        }
    }

    /// Reads what leads to the output of this name, where a file has several: scikit-learn's
    /// classifiers have `label` and `probabilities`. Any other value of the graph may be named,
    /// too, such as the scores before a softmax. Output function and names of classes are then not
    /// taken: the metadata gives them for the graph's own output.
    #[must_use]
    pub fn output(self, name: impl Into<String>) -> Self {
        Self {
            output: Some(name.into()),
            ..self
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] for a layer of another crate, for scalars other than `f32` and
    /// `f64`, and for an output function where the network's outputs are probabilities already or
    /// have a scaler; [`ErrorKind::Value`] for a note that begins with `chainrule.` and for 2 GiB
    /// or more.
    pub fn write<T: Real>(&self, model: &Model<T>) -> Result<Vec<u8>> {
        in_files::<T>("Onnx::write")?;
        check_notes(model)?;
        model.net().check_values(model.net().params())?;
        model.check()?;
        let own = self.output_function.clone();
        let function = own.unwrap_or_else(|| model.output_function());
        model.check_output_function("Onnx::write", &function)?;
        export::export(model, &function)
    }

    /// [`write`](Self::write) to a file, which is there whole or not at all.
    ///
    /// # Errors
    /// As `write`, and [`ErrorKind::Io`] when the file cannot be written.
    pub fn save<T: Real>(&self, model: &Model<T>, path: impl AsRef<Path>) -> Result<()> {
        file::write(path.as_ref(), &self.write(model)?)
    }

    /// The model in the bytes of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for bytes that are no such file or a graph that is none;
    /// [`ErrorKind::Incompatible`] for operators and settings of theirs that a feed-forward network
    /// has not, for numbers that `T` cannot hold or that are in another file, and for scalars other
    /// than `f32` and `f64`; [`ErrorKind::Shape`] where numbers of features do not fit;
    /// [`ErrorKind::Value`] where there are several outputs and none was chosen, and for what the
    /// layers refuse.
    pub fn read<T: Real>(&self, bytes: &[u8]) -> Result<Model<T>> {
        in_files::<T>("Onnx::read")?;
        let file = proto::Model::decode(bytes).map_err(|error| {
            Error::new(ErrorKind::Parse, "Onnx::read", "an ONNX file", &error).with_source(error)
        })?;
        let missing = || Error::new(ErrorKind::Parse, "Onnx::read", "an ONNX file", "no graph");
        let mut budget = Budget(bytes.len().saturating_mul(8).saturating_add(4096));
        let set = file
            .opset_import
            .iter()
            .find(|set| matches!(&*set.domain, "" | "ai.onnx"));
        let graph = file.graph.as_ref().ok_or_else(missing)?;
        // Before version 7 operands were broadcast by attributes.
        if let Some(old) = set.filter(|set| set.version < 7) {
            let given = format!("version {}", old.version);
            return Err(Error::new(
                ErrorKind::Incompatible,
                "Onnx::read",
                "version 7 or later of ONNX's operators",
                given,
            ));
        }
        let graph = Graph::new(graph, set.map_or(i64::MAX, |set| set.version), &mut budget)?;
        let outputs: Vec<_> = graph.outputs().collect();
        let output = match (&self.output, &outputs[..]) {
            (None, [output]) => *output,
            (Some(name), _) if graph.maker(name).is_some() => name,
            (chosen, _) => {
                let expected = format!("the name of one of the outputs {outputs:?}");
                return Err(Error::new(
                    ErrorKind::Value,
                    "Onnx::output",
                    expected,
                    format!("{chosen:?}"),
                ));
            }
        };
        let Metadata {
            notes,
            mut output_function,
            mut classes,
            mut head_classes,
        } = Metadata::read(&file.metadata_props)?;
        if !outputs.contains(&output) {
            // They are about another value.
            (output_function, classes) = (OutputFunction::Identity, None);
            head_classes.clear();
        }
        let several = matches!(
            output_function,
            OutputFunction::Normal | OutputFunction::Heads(_)
        );
        let output = if several {
            let scores = heads::scores(&graph, output, &output_function)?;
            scores.ok_or_else(|| another_end(&output_function))?
        } else {
            output
        };
        let (input, mut steps) = branches::steps(&graph, output)?;
        if !several {
            take_output_function(&mut steps, &output_function)?;
        }
        let mut model = assemble::assemble(&graph, input, &steps, bytes.len().saturating_mul(16))?
            .finished_by(output_function)?;
        if let Some(names) = classes {
            model = model.with_classes(names)?;
        }
        for (head, names) in head_classes {
            model = model.with_head_classes(head, names)?;
        }
        *model.metadata_mut() = notes;
        Ok(model)
    }

    /// [`read`](Self::read) from a file.
    ///
    /// # Errors
    /// As `read`, and [`ErrorKind::Io`] when the file cannot be read or is no regular one.
    pub fn load<T: Real>(&self, path: impl AsRef<Path>) -> Result<Model<T>> {
        let path = path.as_ref();
        self.read(&file::read(path, LARGEST)?)
            .map_err(|error| error.within(path.display()))
    }
}

/// Takes this function, which must be the last step, off the outputs.
fn take_output_function(steps: &mut Vec<Step<'_>>, function: &OutputFunction) -> Result<()> {
    if *function == OutputFunction::Identity {
        return Ok(());
    }
    let last = match steps.last_mut() {
        Some(Step::Link(Link { part, .. })) => Some(part),
        _ => None,
    };
    let found = match (function, last) {
        (OutputFunction::Sigmoid, Some(Part::Activation(Activation::Sigmoid)))
        | (OutputFunction::Exp, Some(Part::Activation(Activation::Exp))) => steps.pop().is_some(),
        (OutputFunction::Softmax, Some(last)) => match *last {
            Part::Softmax(along) => {
                *last = Part::Scores(along);
                true
            }
            _ => false,
        },
        _ => false,
    };
    if found {
        return Ok(());
    }
    Err(another_end(function))
}

fn another_end(function: &OutputFunction) -> Error {
    let expected = format!("a graph that ends on {function}");
    Error::new(
        ErrorKind::Parse,
        "ONNX metadata \"chainrule.output_function\"",
        expected,
        "another end",
    )
}
/// No message of Protocol Buffers is longer.
const LARGEST: u64 = (1 << 31) - 1;
