//! ONNX: what is written is read again, files of PyTorch and scikit-learn are read, and others are
//! refused.
#![cfg(feature = "onnx")]

use crate::common::refused;
use crate::zoo::file::{File, attribute, bytes, float, int, integer, tensor};
use crate::zoo::{self, activations, inputs, layers};
use chainrule::io::Onnx;
use chainrule::nn::layer::{BackwardArgs, InferArgs, Layer};
use chainrule::nn::loss::{GaussianNll, Heads, Loss, OutputFunction, Poisson};
use chainrule::nn::{
    AlphaDropout, BatchNorm, Chain, GaussianNoise, Glu, LayerNorm, LogSoftmax, Parallel, Prelu,
    Residual, RmsNorm, Select, Softmax,
};
use chainrule::prelude::*;
use chainrule::{ErrorKind, Real, View};
use std::collections::BTreeMap;
use std::path::Path;

// -------------------------------------------------------------------------------------------------
// There and back

/// The same layers, parameters, scalers and notes, and so the same outputs.
#[track_caller]
fn comes_back<T: Real>(model: Model<T>) -> Result<()> {
    comes_back_as(&model, &model)
}

#[track_caller]
fn comes_back_as<T: Real>(model: &Model<T>, as_this: &Model<T>) -> Result<()> {
    let bytes = Onnx::new().write(model)?;
    assert_eq!(
        bytes,
        Onnx::new().write(&model.clone())?,
        "the same bytes each time"
    );
    let back = Onnx::new().read::<T>(&bytes)?;
    assert_eq!(back, *as_this, "\n{}\n{}", back.net(), as_this.net());
    let x = inputs(model.net().inputs(), 9);
    assert_eq!(back.predict(&x)?, as_this.predict(&x)?);
    // And again.
    assert_eq!(Onnx::new().write(&back)?, Onnx::new().write(as_this)?);
    Ok(())
}

fn layers_come_back<T: Real>() -> Result<()> {
    for activation in activations()?
        .into_iter()
        .filter(|activation| *activation != Activation::Linear)
    {
        let alone = activation.clone();
        comes_back::<T>(layers!(3; alone)?.into())?;
        comes_back::<T>(
            layers!(3; Dense::new(5, activation), Dense::new(2, Activation::Linear))?.into(),
        )?;
    }
    let tanh = Dense::new(3, Activation::Tanh).without_bias();
    let linear = Dense::new(2, Activation::Linear).without_bias();
    comes_back::<T>(layers!(4; tanh, linear)?.into())?;
    comes_back::<T>(layers!(4; Dense::new(6, Activation::Relu), Softmax)?.into())?;
    comes_back::<T>(layers!(4; Dense::new(6, Activation::Relu), LogSoftmax)?.into())?;
    for activation in activations()? {
        let wide = Dense::new(6, Activation::Linear);
        comes_back::<T>(layers!(4; wide, Glu::new(activation))?.into())?;
    }
    comes_back::<T>(layers!(4; LayerNorm::new())?.into())?;
    comes_back::<T>(layers!(4; LayerNorm::new().eps(0.3).without_bias())?.into())?;
    comes_back::<T>(layers!(4; LayerNorm::new().without_scale())?.into())?;
    comes_back::<T>(layers!(4; LayerNorm::new().without_scale().without_bias())?.into())?;
    comes_back::<T>(layers!(4; RmsNorm::new())?.into())?;
    comes_back::<T>(layers!(4; RmsNorm::new().without_scale().eps(1e-3))?.into())?;
    comes_back::<T>(layers!(4; Prelu::new())?.into())?;
    let linear = Dense::new(5, Activation::Linear);
    let each = Prelu::new().per_feature();
    comes_back::<T>(layers!(4; linear, each, Prelu::new(), Activation::Tanh)?.into())?;
    comes_back::<T>(layers!(4; BatchNorm::new())?.into())?;
    comes_back::<T>(layers!(4; BatchNorm::new().eps(0.3).without_bias())?.into())?;
    comes_back::<T>(layers!(4; BatchNorm::new().without_scale())?.into())?;
    comes_back::<T>(layers!(4; BatchNorm::new().without_scale().without_bias())?.into())?;
    let deep = layers!(4;
        Dense::new(16, Activation::Gelu),
        LayerNorm::new(),
        Dense::new(7, Activation::Linear).without_bias(),
        BatchNorm::new(),
        Activation::HardSwish,
        Dense::new(7, Activation::Mish),
        RmsNorm::new(),
        Dense::new(3, Activation::Linear)
    );
    comes_back::<T>(deep?.into())
}

#[test]
fn layers_come_back_in_single_precision() -> Result<()> {
    layers_come_back::<f32>()
}

#[test]
fn layers_come_back_in_double_precision() -> Result<()> {
    layers_come_back::<f64>()
}

/// Layers within layers compute the same bits when they are read, and are the same when they are
/// written and read again.
fn nested_come_back<T: Real>() -> Result<()> {
    let mut forks = 0;
    for seed in 0..60 {
        let net = zoo::nested::<T>(4, seed)?;
        forks += net.to_string().matches("Residual").count();
        again(net.into(), &inputs(4, 9), seed)?;
    }
    assert!(forks > 30, "{forks}");
    again(zoo::towers::<T>()?.into(), &zoo::words(20), 0)
}

#[track_caller]
fn again<T: Real>(model: Model<T>, x: &DMatrix<T>, seed: u64) -> Result<()> {
    let read = |model: &Model<T>| Onnx::new().read::<T>(&Onnx::new().write(model)?);
    let back = read(&model)?;
    let texts = format!("{seed}\n{}\n{}", model.net(), back.net());
    assert_eq!(back.predict(x)?, model.predict(x)?, "{texts}");
    assert_eq!(read(&back)?, back, "{texts}");
    Ok(())
}

#[test]
fn nested_networks_come_back() -> Result<()> {
    nested_come_back::<f32>()?;
    nested_come_back::<f64>()
}

/// With the names that PyTorch gives the parameters.
#[test]
fn structure_comes_back() -> Result<()> {
    let body = || {
        Chain::new()
            .layer(Dense::new(3, Activation::Tanh))
            .layer(LayerNorm::new())
    };
    let wide = || Dense::new(3, Activation::Linear);
    comes_back::<f32>(layers!(3; Residual::new(Dense::new(3, Activation::Relu)))?.into())?;
    comes_back::<f32>(layers!(3; wide(), Residual::new(body()), wide())?.into())?;
    comes_back::<f32>(layers!(4; Residual::new(body()).projection(wide()))?.into())?;
    comes_back::<f32>(layers!(3; Residual::new(Residual::new(body())))?.into())?;
    let both = || Parallel::new().branch(body()).branch(Select::rows([2, 0]));
    comes_back::<f32>(layers!(4; both(), wide())?.into())?;
    comes_back::<f32>(layers!(4; Parallel::new().branch(both()).branch(wide()))?.into())?;
    let sum = Parallel::new()
        .branch(body())
        .branch(body())
        .branch(wide())
        .add();
    comes_back::<f32>(layers!(4; Select::rows(1..4), sum)?.into())
}

#[test]
fn scalers_and_notes_come_back() -> Result<()> {
    let (x, t) = (
        inputs::<f32>(4, 30),
        inputs::<f32>(2, 30).map(|t| 300.0 * t + 7.0),
    );
    let net = || layers!(4; Dense::new(8, Activation::Tanh), Dense::new(2, Activation::Linear));
    let plain = || layers!(4; Dense::new(2, Activation::Linear).without_bias());
    comes_back(Model::new(
        layers!(4; Activation::Linear)?,
        Scaler::center(&x)?,
        None,
    )?)?;
    comes_back(Model::new(
        net()?,
        Scaler::standard(&x)?,
        Scaler::min_max(&t)?,
    )?)?;
    comes_back(Model::new(net()?, Scaler::max_abs(&x)?, None)?)?;
    comes_back(Model::new(net()?, None, Scaler::center(&t)?)?)?;
    comes_back(Model::new(
        plain()?,
        Scaler::center(&x)?,
        Scaler::center(&t)?,
    )?)?;
    let mut model = Model::from(net()?);
    model
        .metadata_mut()
        .insert("classes".into(), "a, b, ä".into());
    model.metadata_mut().insert(String::new(), String::new());
    comes_back(model)
}

/// What does nothing in inference, or what ONNX has no word for.
#[test]
fn what_does_not_come_back() -> Result<()> {
    let same = |net: Result<Sequential<f32>>, other: Result<Sequential<f32>>| {
        let (net, mut other) = (net?, other?);
        other.set_params(net.params())?;
        comes_back_as(&net.into(), &other.into())
    };
    same(
        layers!(4;
            GaussianNoise::new(0.1),
            Dense::new(3, Activation::Selu),
            AlphaDropout::new(0.1),
            Activation::Linear,
            Dropout::new(0.5),
            Softmax
        ),
        layers!(4; Dense::new(3, Activation::Selu), Softmax),
    )?;
    // Of dropouts only something must be left.
    same(
        layers!(4; Dropout::new(0.5), AlphaDropout::new(0.1), GaussianNoise::new(0.3)),
        layers!(4; Activation::Linear),
    )?;
    same(
        layers!(4; Dense::new(3, Activation::Linear).init(Init::Constant(2.0))),
        layers!(4; Dense::new(3, Activation::Linear)),
    )?;
    same(
        layers!(4; Dense::new(3, Activation::Linear), Activation::Silu),
        layers!(4; Dense::new(3, Activation::Silu)),
    )?;
    same(
        layers!(4; Dense::new(3, Activation::Sign.straight_through())),
        layers!(4; Dense::new(3, Activation::Sign)),
    )?;
    // Of the running averages, a file of doubles keeps the numbers but not the momentum.
    same(
        layers!(4; BatchNorm::new().momentum(0.25)),
        layers!(4; BatchNorm::new().momentum(0.25)),
    )?;
    let (net, mut other) = (
        layers!(4; BatchNorm::new().momentum(0.25))?,
        layers!(4; BatchNorm::new())?,
    );
    other.set_params(net.params())?;
    comes_back_as::<f64>(&net.into(), &other.into())
}

/// The node of a graph at its end, whether it is the model's by itself or by an option.
#[test]
fn output_functions_come_back() -> Result<()> {
    let (x, net) = (
        inputs::<f64>(4, 9),
        layers!(4; Dense::new(8, Activation::Tanh), Dense::new(3, Activation::Linear))?,
    );
    let model = Model::from(net.clone());
    for (function, option) in [
        (OutputFunction::Softmax, Onnx::new().softmax()),
        (OutputFunction::Sigmoid, Onnx::new().sigmoid()),
    ] {
        let own = model
            .clone()
            .with_output_function(function.clone())?
            .with_classes(["a", "ü \"b\"\n", "chainrule.class.0"])?;
        comes_back(own.clone())?;
        comes_back(own.cast::<f32>()?)?;
        let mut y = net.predict(&x)?;
        function.apply(&mut y);
        let back = Onnx::new().read::<f64>(&option.write(&model)?)?;
        assert_eq!(
            (back.predict(&x)?, back.scores(&x)?),
            (y.clone(), net.predict(&x)?),
            "{function}"
        );
        assert_eq!(back.output_function(), function);
        // The node is in the graph: who does not know our metadata gets the same.
        let bytes = Onnx::new().write(&own)?;
        let stranger = Onnx::new().output("layer1/Gemm").read::<f64>(&bytes)?;
        assert_eq!(
            (stranger.predict(&x)?, stranger.classes()),
            (net.predict(&x)?, None),
            "{function}"
        );
        let name = format!("chainrule.{}", "output_function");
        let hidden = replaced(
            &bytes,
            name.as_bytes(),
            name.replace("chainrule", "otherrule").as_bytes(),
        );
        let layer = Onnx::new().read::<f64>(&hidden)?;
        assert_eq!(
            (layer.predict(&x)?, layer.output_function()),
            (y, OutputFunction::Identity),
            "{function}"
        );
        let read = Onnx::new().read::<f64>(&Onnx::new().scores().write(&own)?)?;
        assert_eq!(
            (read.predict(&x)?, read.classes()),
            (net.predict(&x)?, own.classes()),
            "{function}"
        );
    }
    let rates = model.clone().with_output_function(OutputFunction::Exp)?;
    comes_back(rates.clone())?;
    comes_back(rates.cast::<f32>()?)?;
    assert!(rates.predict(&x)? == net.predict(&x)?.map(f64::exp) || rates.predict(&x)?.min() > 0.0);
    let uncertain = layers!(4; Dense::new(5, Activation::Tanh), Dense::new(4, Activation::Linear))?;
    let normal = Model::<f64>::from(uncertain).with_output_function(OutputFunction::Normal)?;
    comes_back(normal.clone())?;
    comes_back(normal.with_scalers(None, Scaler::new(vec![5.0, -3.0], vec![20.0, -0.5])?)?)?;
    let several = Heads::<f64>::new()
        .head("price", 2, GaussianNll::new())
        .head("kind", 3, SoftmaxCrossEntropy::new())
        .head("yes", 1, SigmoidCrossEntropy::new())
        .head("count", 1, Poisson::new())
        .head("plain", 1, MeanSquaredError);
    let net = layers!(4; Dense::new(5, Activation::Tanh), Dense::new(8, Activation::Linear))?;
    let heads = Model::<f64>::from(net)
        .with_output_function(several.output_function())?
        .with_head_classes("kind", ["a", "b.c", "ü\n"])?;
    comes_back(heads.clone())?;
    comes_back(heads.cast::<f32>()?)?;
    let mut scales = (vec![0.0; 7], vec![1.0; 7]);
    (scales.0[0], scales.1[0], scales.0[6], scales.1[6]) = (300.0, 50.0, 1.0, 0.25);
    let heads = heads.with_scalers(None, Scaler::new(scales.0, scales.1)?)?;
    comes_back(heads.clone())?;
    let read = Onnx::new().read::<f64>(&Onnx::new().scores().write(&heads)?)?;
    let x = inputs::<f64>(4, 9);
    assert_eq!(read.predict(&x)?, heads.scores(&x)?);
    let numbers =
        Heads::<f64>::new()
            .head("one", 2, MeanSquaredError)
            .head("other", 1, MeanSquaredError);
    let net = layers!(4; Dense::new(3, Activation::Linear))?;
    comes_back(Model::<f64>::from(net).with_output_function(numbers.output_function())?)?;
    let single = Model::<f32>::from(layers!(4; Dense::new(1, Activation::Linear))?);
    comes_back(
        single
            .with_output_function(OutputFunction::Sigmoid)?
            .with_classes(["no", "yes"])?,
    )?;

    let probabilities = Model::from(layers!(4; Dense::new(3, Activation::Linear), Softmax)?);
    let text =
        "Onnx::write: got outputs in Simplex, expected a network that ends on scores, for Softmax";
    refused(
        Onnx::new().softmax().write::<f32>(&probabilities),
        ErrorKind::Incompatible,
        text,
    );
    let scaled = Model::new(
        model.net().clone(),
        None,
        Scaler::standard(&model.predict(&x)?)?,
    )?;
    let text =
        "Onnx::write: got a scaler of outputs, expected a network that ends on scores, for Sigmoid";
    refused(
        Onnx::new().sigmoid().write(&scaled),
        ErrorKind::Incompatible,
        text,
    );

    let names: [&str; 12] =
        std::array::from_fn(|i| ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"][i]);
    comes_back(
        Model::<f32>::from(layers!(4; Dense::new(12, Activation::Linear))?).with_classes(names)?,
    )?;
    Ok(())
}

/// Metadata of ours that cannot be.
#[test]
fn metadata_that_lies_is_refused() -> Result<()> {
    let entry = |key: &str, value: &str| bytes(14, [bytes(1, key), bytes(2, value)].concat());
    let read = |entries: &[(&str, &str)]| {
        let more: Vec<u8> = entries
            .iter()
            .flat_map(|(key, value)| entry(key, value))
            .collect();
        Onnx::new().read::<f32>(&[File::new(2).node("Sigmoid: x -> y", &[]).bytes(), more].concat())
    };
    let function = "chainrule.output_function";
    assert_eq!(
        read(&[
            (function, "identity"),
            ("chainrule.class.0", "a"),
            ("chainrule.class.1", "b")
        ])?
        .predict_classes(&DVector::from_vec(vec![1.0, 2.0]))?,
        ["b"]
    );
    let parse = ErrorKind::Parse;
    let text = "ONNX metadata \"chainrule.output_function\": got another end, expected a graph \
        that ends on softmax";
    refused(read(&[(function, "softmax")]), parse, text);
    let text = "ONNX metadata: OutputFunction: got \"ln\", expected one of identity, sigmoid, \
        softmax, exp, normal";
    refused(read(&[(function, "ln")]), parse, text);
    let text = "ONNX metadata \"chainrule.output_function\": got another end, expected a graph \
        that ends on exp";
    refused(read(&[(function, "exp")]), parse, text);
    let text = "ONNX metadata: got \"chainrule.class.2\", expected a note that this version writes \
        (classes from 0 on, without a gap)";
    refused(
        read(&[("chainrule.class.0", "a"), ("chainrule.class.2", "b")]),
        parse,
        text,
    );
    refused(
        read(&[("chainrule.class.00", "a")]),
        parse,
        &text.replace("class.2", "class.00"),
    );
    refused(
        read(&[("chainrule.class.0", "a")]),
        ErrorKind::Shape,
        "classes of Model: got 1, expected 2 names, one per output",
    );
    let text = "classes of Model: got \"a\" twice, expected each name once";
    refused(
        read(&[("chainrule.class.0", "a"), ("chainrule.class.1", "a")]),
        ErrorKind::Value,
        text,
    );

    let mut model = Model::<f32>::from(layers!(4; Dense::new(3, Activation::Relu))?);
    model
        .metadata_mut()
        .insert("chainrule.class.0".into(), "a".into());
    let text = "metadata of Model: got \"chainrule.class.0\", expected names that do not begin \
        with chainrule.";
    refused(Onnx::new().write(&model), ErrorKind::Value, text);
    Ok(())
}

/// The same bytes with others of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|part| part == from)
        .expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn files() -> Result<()> {
    let path = std::env::temp_dir().join(format!("chainrule-onnx-{}.onnx", std::process::id()));
    let model = Model::<f32>::from(layers!(4; Dense::new(3, Activation::Relu))?);
    Onnx::new().save(&model, &path)?;
    assert_eq!(Onnx::new().load::<f32>(&path)?, model);
    std::fs::write(&path, "no such file").expect("a file");
    let error = Onnx::new().load::<f32>(&path).expect_err("no ONNX");
    assert!(
        error.place().starts_with(&*path.display().to_string()),
        "{error}"
    );
    std::fs::remove_file(&path).expect("it is there");
    assert_eq!(
        Onnx::new().load::<f32>(&path).map_err(|error| error.kind()),
        Err(ErrorKind::Io)
    );
    Ok(())
}

#[test]
fn floats_widen_and_doubles_do_not_narrow() -> Result<()> {
    let single = layers!(4; Dense::new(3, Activation::Elu { alpha: 0.7 }), BatchNorm::new())?;
    let mut double = layers!(4; Dense::new(3, Activation::Elu { alpha: 0.7 }), BatchNorm::new())?;
    double.set_params(
        &single
            .params()
            .iter()
            .map(|p: &f32| f64::from(*p))
            .collect::<Vec<_>>(),
    )?;
    assert_eq!(
        Onnx::new().read::<f64>(&Onnx::new().write(&Model::from(single))?)?,
        double.clone().into()
    );
    let text = "ONNX tensor \"0.weight\": got double, expected numbers of type float (f64 holds \
        those of type double)";
    refused(
        Onnx::new().read::<f32>(&Onnx::new().write(&Model::from(double))?),
        ErrorKind::Incompatible,
        text,
    );
    let without_weights = Model::<f64>::from(layers!(4; Activation::Tanh)?);
    let text = "ONNX input \"input\": got double, expected numbers of type float (f64 holds those \
        of type double)";
    refused(
        Onnx::new().read::<f32>(&Onnx::new().write(&without_weights)?),
        ErrorKind::Incompatible,
        text,
    );
    Ok(())
}

#[derive(Debug)]
struct Halve;

impl<T: Real> Layer<T> for Halve {
    fn name(&self) -> String {
        "Halve".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        p.y.as_mut_slice()
            .iter_mut()
            .zip(p.x.as_slice())
            .for_each(|(y, x)| *y = *x / T::of(2.0));
    }

    fn backward(&self, _p: BackwardArgs<'_, T>) {}
}

#[test]
fn layers_of_others_are_named() -> Result<()> {
    let model = Model::<f32>::from(layers!(4; Dense::new(3, Activation::Relu), Halve)?);
    let text =
        "layer 1 (Halve): got Halve, expected a layer of this crate, which ONNX has operators for";
    refused(Onnx::new().write(&model), ErrorKind::Incompatible, text);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Files of others

/// Files that PyTorch and scikit-learn have written (`interchange/onnx_*.py`), each with inputs and
/// outputs; and this crate's version 0.1, with the outputs of onnxruntime.
fn golden() -> BTreeMap<String, (Vec<u8>, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx");
    let paths = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "onnx")
    });
    let read = |path: &Path| std::fs::read(path).expect("a file");
    let files: BTreeMap<_, _> = files
        .map(|path| {
            (
                path.file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned(),
                (read(&path), read(&path.with_extension("npz"))),
            )
        })
        .collect();
    assert!(files.len() > 30, "{}", files.len());
    files
}

#[test]
fn files_of_others_and_earlier_versions() -> Result<()> {
    for (name, (file, numbers)) in golden() {
        zoo::reads(&name, &file, &numbers)?;
    }
    Ok(())
}

/// Which layers they become.
#[test]
fn layers_of_others_and_earlier_versions() -> Result<()> {
    let golden = golden();
    let layers = |name: &str| {
        let model = zoo::onnx(name).read::<f64>(&golden[name].0)?;
        let scalers = [
            model.input_scaler().map(|_| "scaler"),
            model.output_scaler().map(|_| "scaler"),
        ];
        let names = model.net().layers().iter().map(|layer| layer.name());
        let all: Vec<String> = scalers[0]
            .map(String::from)
            .into_iter()
            .chain(names)
            .chain(scalers[1].map(String::from))
            .collect();
        Ok::<_, Error>(all.join(", "))
    };
    for (names, expected) in [
        (
            &[
                "torch_dynamo_mlp",
                "torch_script_mlp",
                "torch_script_opset9_mlp",
                "torch_script_f64_mlp",
            ][..],
            "Dense relu, Dense tanh, Dense linear, Softmax",
        ),
        (
            &[
                "torch_dynamo_smooth",
                "torch_script_smooth",
                "torch_script_opset13_smooth",
            ],
            "Dense gelu, Dense silu, Dense mish, Dense gelu_tanh, Dense softplus, Dense softsign, \
             Dense sigmoid",
        ),
        (
            &[
                "torch_dynamo_kinked",
                "torch_script_kinked",
                "torch_script_opset13_kinked",
            ],
            "Dense hard_sigmoid, Dense hard_swish, Dense hard_tanh, Dense breakpoints(-2:-2, 3:3), \
             Dense relu6, Dense elu(alpha=0.5), Dense selu, Dense leaky_relu(slope=0.2), Dense \
             linear, Prelu",
        ),
        (
            &["torch_script_images", "torch_dynamo_images"],
            "Dense relu, Dense linear",
        ),
        (
            &["torch_dynamo_f64_smooth"],
            "Dense gelu, Dense silu, Dense mish, Dense sigmoid",
        ),
        (
            &["torch_dynamo_norms"],
            "BatchNorm, Dense relu, BatchNorm, LayerNorm, Dense tanh, BatchNorm, LayerNorm, \
             RmsNorm, RmsNorm",
        ),
        (
            &["torch_script_norms", "torch_script_opset13_norms"],
            "BatchNorm, Dense linear, BatchNorm, relu, BatchNorm, LayerNorm, Dense tanh, \
             BatchNorm, LayerNorm",
        ),
        (
            &["chainrule_0.1", "chainrule_0.1_f64"],
            "Dense gelu, LayerNorm, Dense linear, BatchNorm, hard_swish, Dense mish, RmsNorm, \
             Dense linear",
        ),
        (
            &["sklearn_classifier3@probabilities"],
            "Dense relu, Dense relu, Dense linear, Softmax",
        ),
        (
            &["sklearn_classifier2@probabilities"],
            "Dense tanh, Dense sigmoid, Dense linear",
        ),
        (
            &["sklearn_standard@variable", "sklearn_min_max@variable"],
            "scaler, Dense relu, Dense linear",
        ),
        (
            &["sklearn_logistic3@probabilities"],
            "Dense linear, Softmax",
        ),
        (&["sklearn_logistic2@probabilities"], "Dense sigmoid"),
        (&["sklearn_linear1@variable"], "Dense linear"),
        (
            &["torch_dynamo_rows", "torch_script_rows"],
            "scaler, Dense relu, Dense linear",
        ),
        (
            &["torch_dynamo_left", "torch_script_left"],
            "Dense tanh, Dense linear",
        ),
        (
            &["torch_dynamo_residual"],
            "Dense relu, Residual, relu, Residual, relu, Residual, relu, Dense linear",
        ),
        (
            &["torch_script_residual"],
            "Dense linear, BatchNorm, relu, Residual, relu, Residual, relu, Residual, relu, Dense \
             linear",
        ),
        (
            &["torch_dynamo_branches", "torch_script_branches"],
            "Parallel, Dense linear",
        ),
        (
            &["torch_dynamo_towers", "torch_script_towers"],
            "Parallel, Select, Dense linear",
        ),
        (
            &["torch_dynamo_words", "torch_script_words"],
            "Embedding, tanh, Dense linear",
        ),
        (
            &["torch_dynamo_rare"],
            "Dense linear, Prelu, Dense celu(alpha=0.5), Dense \
             threshold(threshold=0.5, value=0), Dense softplus, Dense breakpoints(2:2, 2.001:2.001)",
        ),
        (
            &["torch_script_rare"],
            "Dense linear, Prelu, Dense celu(alpha=0.5), Dense relu, Dense softplus, Dense \
             breakpoints(2:2, 2.001:2.001)",
        ),
        (
            &[
                "ops_computed_weights",
                "ops_gathered",
                "ops_view",
                "ops_keras_flatten",
                "ops_reshape_minus_one",
                "ops_reshape_zero",
                "ops_reshape_one_row",
            ],
            "Dense linear",
        ),
        (
            &[
                "ops_folded_batch_norm",
                "ops_reshape_one_sample",
                "ops_flatten_negative",
                "ops_one_sample_unsqueezed",
                "ops_gemm_transposed",
            ],
            "Dense linear",
        ),
        (&["ops_constants"], "Dense linear, scaler"),
        (&["ops_one_sample"], "Dense relu"),
        (
            &[
                "ops_weights_left",
                "ops_half",
                "ops_half_inside",
                "ops_half_weights",
                "ops_f64_selu",
            ],
            "Dense tanh",
        ),
        (&["ops_columns"], "Dense sigmoid, Dense linear"),
        (
            &["ops_gemm_left", "ops_softmax_opset11"],
            "Dense linear, Softmax",
        ),
        (&["ops_last_squeeze"], "Dense relu, Dense linear"),
        (&["ops_vector"], "Dense tanh, Dense linear"),
        // A factor behind an activation goes into the next layer.
        (&["ops_selu"], "Dense elu(alpha=1.5), Dense linear"),
        (&["ops_selu_last"], "Dense elu(alpha=2), scaler"),
        (&["ops_celu"], "Dense celu(alpha=0.5), Dense linear"),
        (
            &["ops_thresholded_relu"],
            "Dense threshold(threshold=0.75, value=0), Dense linear",
        ),
        (
            &["ops_threshold_where"],
            "Dense threshold(threshold=0.5, value=0), Dense linear",
        ),
        (&["ops_prelu"], "Dense linear, Prelu, Dense linear"),
        (
            &["ops_clip_crossed"],
            "Dense breakpoints(-1:-1), Dense linear",
        ),
        (
            &["ops_max_min"],
            "Dense breakpoints(-0.5:-0.5, 1.5:1.5), Dense linear",
        ),
        (
            &["ops_max_slope"],
            "Dense leaky_relu(slope=0.2), Dense linear",
        ),
        (
            &["ops_abs_neg"],
            "Dense breakpoints(0:0; -1, 1), Dense linear",
        ),
        (
            &["ops_swish_beta", "ops_silu_exp"],
            "Dense silu, Dense linear",
        ),
        (&["ops_softplus_beta"], "Dense softplus, Dense linear"),
        (&["ops_sigmoid_exp"], "Dense sigmoid, Dense linear"),
        (&["ops_mish_exp"], "Dense mish, Dense linear"),
        (&["ops_gelu_erf"], "Dense gelu, Dense linear"),
        (&["ops_gelu_fast"], "Dense gelu_tanh, Dense linear"),
        (&["ops_hard_swish_relu6"], "Dense hard_swish, Dense linear"),
        (&["ops_dropouts"], "linear"),
        (&["ops_scaler"], "scaler, linear"),
    ] {
        for name in names {
            assert_eq!(layers(name)?, expected, "{name}");
        }
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Files by hand

/// The layers' names, and what they make of one sample.
#[track_caller]
fn becomes(file: &File, x: &[f64], layers: &str, y: &[f64]) -> Result<Model<f64>> {
    let model = Onnx::new().read::<f64>(&file.bytes())?;
    let names: Vec<String> = model
        .net()
        .layers()
        .iter()
        .map(|layer| layer.name())
        .collect();
    assert_eq!(names.join(", "), layers);
    let predicted = model.predict(View::new(x, x.len())?)?;
    assert!(
        predicted.iter().zip(y).all(|(a, b)| (a - b).abs() < 1e-6) && predicted.len() == y.len(),
        "{predicted} is not {y:?}"
    );
    Ok(model)
}

/// W·x + b of two features to three.
fn product() -> File {
    File::new(2)
        .tensor("w", &[2, 3], &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0])
        .tensor("b", &[1, 3], &[0.5, 0.25, 0.125])
}

#[test]
fn products_and_sums() -> Result<()> {
    let y = [21.5, 42.25, 63.125];
    for add in ["Add: z b -> y", "Add: b z -> y"] {
        // Nodes in any order.
        becomes(
            &product().node(add, &[]).node("MatMul: x w -> z", &[]),
            &[1.0, 2.0],
            "Dense linear",
            &y,
        )?;
    }
    becomes(
        &product().node("Gemm: x w b -> y", &[]),
        &[1.0, 2.0],
        "Dense linear",
        &y,
    )?;
    let settings = [float("alpha", 2.0), float("beta", -4.0)];
    becomes(
        &product().node("Gemm: x w b -> y", &settings),
        &[1.0, 2.0],
        "Dense linear",
        &[40.0, 83.0, 125.5],
    )?;
    let transposed = File::new(3)
        .tensor("w", &[2, 3], &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0])
        .node("Gemm: x w _ -> y", &[integer("transB", 1)]);
    becomes(
        &transposed,
        &[1.0, 0.0, -1.0],
        "Dense linear",
        &[-2.0, -20.0],
    )?;
    // Constants by nodes, one of them renamed; a number for all features.
    let floats = attribute(
        "value_floats",
        6,
        [3.0_f32, 4.0]
            .iter()
            .flat_map(|v| [vec![7 << 3 | 5], v.to_le_bytes().to_vec()].concat())
            .collect(),
    );
    let value = attribute("value", 4, bytes(5, tensor("", &[2, 1], &[5.0, 7.0])));
    let file = File::new(2)
        .node("Constant: -> c", &[floats])
        .node("Constant: -> w", &[value])
        .node("Identity: w -> v", &[]);
    let file = file
        .tensor("k", &[], &[2.0])
        .node("Sub: x c -> s", &[])
        .node("Div: s k -> t", &[])
        .node("MatMul: t v -> y", &[]);
    let model = becomes(&file, &[4.0, 7.0], "Dense linear", &[13.0])?;
    assert_eq!(
        model.input_scaler(),
        Some(&Scaler::new(vec![3.0, 4.0], vec![2.0, 2.0])?)
    );
    Ok(())
}

#[test]
fn maps_of_features() -> Result<()> {
    let file = || {
        product()
            .node("MatMul: x w -> z", &[])
            .tensor("k", &[3], &[1.0, 2.0, 4.0])
            .tensor("one", &[1], &[1.0])
    };
    // Behind the last layer they are the scaler of outputs, …
    let model = becomes(
        &file().node("Mul: z k -> s", &[]).node("Add: b s -> y", &[]),
        &[1.0, 2.0],
        "Dense linear",
        &[21.5, 84.25, 252.125],
    )?;
    assert_eq!(
        model.output_scaler(),
        Some(&Scaler::new(vec![0.5, 0.25, 0.125], vec![1.0, 2.0, 4.0])?)
    );
    // … before a layer part of the linear one before them, …
    let between = file()
        .node("Add: z b -> a", &[])
        .node("Div: a k -> s", &[])
        .node("Sub: one s -> t", &[])
        .node("Tanh: t -> y", &[]);
    let y = [21.5_f64, 42.25 / 2.0, 63.125 / 4.0].map(|z| (1.0 - z).tanh());
    becomes(&between, &[1.0, 2.0], "Dense tanh", &y)?;
    // … and else a layer of their own.
    let after = file()
        .node("Sigmoid: z -> a", &[])
        .node("Mul: k a -> s", &[])
        .node("Add: s one -> t", &[])
        .node("Tanh: t -> y", &[]);
    let y = [21.0_f64, 42.0, 63.0]
        .iter()
        .zip([1.0, 2.0, 4.0])
        .map(|(z, k)| (k / (1.0 + (-z).exp()) + 1.0).tanh());
    becomes(
        &after,
        &[1.0, 2.0],
        "Dense sigmoid, BatchNorm, tanh",
        &y.collect::<Vec<_>>(),
    )?;
    Ok(())
}

#[test]
fn activations_with_settings() -> Result<()> {
    let x = [-3.0, -0.5, 0.5, 8.0];
    let file = |op: &str, attributes: &[Vec<u8>]| {
        let file = File::new(4)
            .tensor("low", &[], &[-2.0])
            .tensor("zero", &[], &[0.0])
            .tensor("high", &[], &[3.0])
            .tensor("slope", &[1, 1], &[0.1]);
        file.node(&format!("{op} -> y"), attributes)
    };
    let e = |z: f64| z.exp_m1();
    let hard = "breakpoints(-1:0, 1:1)".to_string();
    for (node, attributes, layers, y) in [
        (
            "Clip: x low high",
            vec![],
            "breakpoints(-2:-2, 3:3)",
            [-2.0, -0.5, 0.5, 3.0],
        ),
        (
            "Clip: x low",
            vec![],
            "breakpoints(-2:-2; 0, 1)",
            [-2.0, -0.5, 0.5, 8.0],
        ),
        (
            "Clip: x _ high",
            vec![],
            "breakpoints(3:3; 1, 0)",
            [-3.0, -0.5, 0.5, 3.0],
        ),
        ("Clip: x zero", vec![], "relu", [0.0, 0.0, 0.5, 8.0]),
        (
            "Clip: x",
            vec![float("min", -1.0), float("max", 1.0)],
            "hard_tanh",
            [-1.0, -0.5, 0.5, 1.0],
        ),
        (
            "HardSigmoid: x",
            vec![float("alpha", 0.5)],
            &hard,
            [0.0, 0.25, 0.75, 1.0],
        ),
        ("PRelu: x slope", vec![], "Prelu", [-0.3, -0.05, 0.5, 8.0]),
        (
            "PRelu: x high",
            vec![],
            "leaky_relu(slope=3)",
            [-9.0, -1.5, 0.5, 8.0],
        ),
        (
            "LeakyRelu: x",
            vec![],
            "leaky_relu(slope=0.01)",
            [-0.03, -0.005, 0.5, 8.0],
        ),
        (
            "Elu: x",
            vec![],
            "elu(alpha=1)",
            [e(-3.0), e(-0.5), 0.5, 8.0],
        ),
        (
            "Celu: x",
            vec![],
            "elu(alpha=1)",
            [e(-3.0), e(-0.5), 0.5, 8.0],
        ),
        ("Max: zero x", vec![], "relu", [0.0, 0.0, 0.5, 8.0]),
        (
            "ThresholdedRelu: x",
            vec![float("alpha", 0.0)],
            "relu",
            [0.0, 0.0, 0.5, 8.0],
        ),
        (
            "Shrink: x",
            vec![],
            "hard_shrink(lambda=0.5)",
            [-3.0, 0.0, 0.0, 8.0],
        ),
        (
            "Shrink: x",
            vec![float("lambd", 1.0), float("bias", 1.0)],
            "soft_shrink(lambda=1)",
            [-2.0, 0.0, 0.0, 7.0],
        ),
    ] {
        becomes(&file(node, &attributes), &x, layers, &y)?;
    }
    Ok(())
}

#[test]
fn images_are_rows_when_they_are_flattened() -> Result<()> {
    let image = || {
        File::bare()
            .input("x", 1, &[None, Some(2), Some(2)])
            .output("y")
            .tensor("w", &[4, 1], &[1.0, 2.0, 3.0, 4.0])
    };
    let file = image()
        .node("Flatten: x -> f", &[])
        .node("MatMul: f w -> y", &[]);
    becomes(
        &file,
        &[1.0, 10.0, 100.0, 1000.0],
        "Dense linear",
        &[4321.0],
    )?;
    let file = image()
        .shape("s", &[-1, 4])
        .node("Reshape: x s -> f", &[])
        .node("MatMul: f w -> y", &[]);
    becomes(
        &file,
        &[1.0, 10.0, 100.0, 1000.0],
        "Dense linear",
        &[4321.0],
    )?;
    let text = "ONNX node \"y\" (Softmax): got axis -1 of dimensions (samples, 2, 2), \
                expected the axis of the features, all others being of one (flatten them first)";
    refused(
        Onnx::new().read::<f32>(&image().node("Softmax: x -> y", &[]).bytes()),
        ErrorKind::Incompatible,
        text,
    );
    Ok(())
}

/// Several open dimensions are no row of features unless a node makes them one.
#[test]
fn dimensions_that_the_file_leaves_open() -> Result<()> {
    let open = |dims: &[Option<i64>]| {
        File::bare()
            .input("x", 1, dims)
            .output("y")
            .tensor("w", &[4, 1], &[1.0, 2.0, 3.0, 4.0])
    };
    let (x, y) = ([1.0, 10.0, 100.0, 1000.0], [4321.0]);
    let tokens = || open(&[None, None, Some(4)]).tensor("m", &[4, 4], &[1.0; 16]);
    let file = tokens()
        .node("MatMul: x m -> z", &[])
        .node("Softmax: z -> y", &[integer("axis", 1)]);
    let text = "ONNX node \"z\" (MatMul): got dimensions (samples, open, open), \
                expected at most one open dimension, or features that are flattened first";
    refused(
        Onnx::new().read::<f32>(&file.bytes()),
        ErrorKind::Incompatible,
        text,
    );
    for dims in [
        &[None, None, Some(4)][..],
        &[None, None, None, None],
        &[None, None],
    ] {
        becomes(
            &open(dims)
                .node("Flatten: x -> f", &[])
                .node("MatMul: f w -> y", &[]),
            &x,
            "Dense linear",
            &y,
        )?;
        let view = |axis: i64| {
            let file = open(dims)
                .shape("at", &[axis])
                .shape("rest", &[-1])
                .node("Shape: x -> s", &[])
                .node("Gather: s at -> n", &[]);
            let file = file
                .node("Concat: n rest -> v", &[integer("axis", 0)])
                .node("Reshape: x v -> f", &[]);
            file.node("MatMul: f w -> y", &[])
        };
        becomes(&view(0), &x, "Dense linear", &y)?;
        if dims.len() > 2 {
            let _ = Onnx::new()
                .read::<f32>(&view(1).bytes())
                .expect_err("a dimension that nobody knows");
            let _ = Onnx::new()
                .read::<f32>(&view(-1).bytes())
                .expect_err("a dimension that nobody knows");
        }
    }
    // Sizes that the file knows are parts of the number of features.
    let file = open(&[None, None, Some(3)])
        .node("Flatten: x -> f", &[])
        .node("MatMul: f w -> y", &[]);
    let text = "ONNX input \"x\": got none, expected a known number of features";
    refused(
        Onnx::new().read::<f32>(&file.bytes()),
        ErrorKind::Shape,
        text,
    );
    // Some exporters write 0 or −1 for what is open.
    for size in [0, -1] {
        let file = File::bare()
            .input("x", 1, &[Some(size), Some(2)])
            .output("y")
            .node("Shape: x -> s", &[]);
        let file = file
            .node("Reshape: x s -> z", &[integer("allowzero", 1)])
            .node("Relu: z -> y", &[]);
        becomes(&file, &[1.0, -2.0], "relu", &[1.0, 0.0])?;
    }
    Ok(())
}

/// A file that is made for several samples says where they are not apart.
#[test]
fn samples_in_one_row() -> Result<()> {
    let x = [0.5_f64, -1.0, 2.0, 0.0, 1.0, -0.5];
    let sum: f64 = x.iter().map(|x| x.exp()).sum();
    let y = x.map(|x| x.exp() / sum);
    let file = || {
        File::bare()
            .input("x", 1, &[Some(2), Some(3)])
            .output("y")
            .shape("s", &[1, -1])
    };
    let softmax = |file: File| file.node("Softmax: f -> y", &[integer("axis", 1)]);
    becomes(
        &softmax(file().node("Flatten: x -> f", &[integer("axis", 0)])),
        &x,
        "Softmax",
        &y,
    )?;
    becomes(
        &softmax(file().node("Reshape: x s -> f", &[])),
        &x,
        "Softmax",
        &y,
    )?;
    // Only an axis of one is taken out, and all of one are.
    let file = |dims: &[Option<i64>]| {
        File::bare()
            .input("x", 1, dims)
            .output("y")
            .shape("first", &[0])
    };
    let two = file(&[Some(2), Some(1)])
        .node("Squeeze: x first -> z", &[])
        .node("Relu: z -> y", &[]);
    let text = "ONNX node \"z\" (Squeeze): got axes [0] of dimensions (samples, 1) with 2 samples, \
        expected axes of one";
    refused(
        Onnx::new().read::<f32>(&two.bytes()),
        ErrorKind::Shape,
        text,
    );
    let sum: f64 = x[..3].iter().map(|x| x.exp()).sum();
    let y: Vec<f64> = x[..3].iter().map(|x| x.exp() / sum).collect();
    for squeeze in ["Squeeze: x first -> f", "Squeeze: x -> f"] {
        let one = file(&[Some(1), Some(3)])
            .node(squeeze, &[])
            .node("Softmax: f -> y", &[integer("axis", 0)]);
        becomes(&one, &x[..3], "Softmax", &y)?;
    }
    Ok(())
}

/// Constants that nodes compute from numbers of 16 bits are such numbers, ties to even.
#[test]
fn computed_halves_are_rounded() -> Result<()> {
    let half = |kind: i64, name: &str, bits: &[u16]| {
        let raw: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        [
            int(1, 1),
            int(1, bits.len() as i64),
            int(2, kind),
            bytes(8, name),
            bytes(9, raw),
        ]
        .concat()
    };
    // In float16 2048 + 1 and 2048 + 3, the smallest number / 2 and · 1.5, and 65504 + 15 before it
    // is infinite; in bfloat16 256 + 1 and 256 + 3.
    let small = 2.0_f64.powi(-24);
    for (op, kind, a, b, y) in [
        (
            "Add",
            10,
            [0x6800_u16, 0x6800],
            [0x3c00_u16, 0x4200],
            [2048.0, 2052.0],
        ),
        (
            "Mul",
            10,
            [0x0001, 0x0001],
            [0x3800, 0x3e00],
            [0.0, 2.0 * small],
        ),
        (
            "Add",
            10,
            [0x7bff, 0xfbff],
            [0x4b80, 0xcb80],
            [65504.0, -65504.0],
        ),
        (
            "Add",
            16,
            [0x4380, 0x4380],
            [0x3f80, 0x4040],
            [256.0, 260.0],
        ),
    ] {
        let file = File::new(1)
            .field(5, half(kind, "a", &a))
            .field(5, half(kind, "b", &b))
            .node(&format!("{op}: a b -> w"), &[]);
        let model = becomes(
            &file.node("MatMul: x w -> y", &[]),
            &[1.0],
            "Dense linear",
            &y,
        )?;
        assert_eq!(model.net().params(), y, "{op}");
    }
    // 65504 + 16 is the tie that goes to infinity.
    let file = File::new(1)
        .field(5, half(10, "a", &[0x7bff]))
        .field(5, half(10, "b", &[0x4c00]))
        .node("Add: a b -> w", &[]);
    let model = Onnx::new().read::<f64>(
        &file
            .node("Div: a w -> v", &[])
            .node("MatMul: x v -> y", &[])
            .bytes(),
    )?;
    assert_eq!(model.net().params(), [0.0]);
    Ok(())
}

#[test]
fn slices_backwards() -> Result<()> {
    const LEAST: i64 = i64::MIN;
    for (start, end, picked) in [
        (2, LEAST, &[3.0, 2.0, 1.0][..]),
        (9, 0, &[3.0, 2.0]),
        (-2, -9, &[2.0, 1.0]),
        // The start is kept within the axis, the end before it.
        (-9, LEAST, &[1.0]),
    ] {
        let file = File::new(1)
            .tensor("w", &[1, 3], &[1.0, 2.0, 3.0])
            .shape("start", &[start])
            .shape("end", &[end]);
        let file = file
            .shape("axis", &[1])
            .shape("step", &[-1])
            .node("Slice: w start end axis step -> c", &[]);
        becomes(
            &file.node("MatMul: x c -> y", &[]),
            &[1.0],
            "Dense linear",
            picked,
        )?;
    }
    Ok(())
}

#[test]
fn outputs_are_chosen() -> Result<()> {
    let file = File::new(2)
        .output("z")
        .node("Tanh: x -> y", &[])
        .node("Relu: x -> z", &[])
        .bytes();
    let layer = |onnx: Onnx| {
        onnx.read::<f32>(&file)
            .map(|model| model.net().layers()[0].name())
    };
    assert_eq!(layer(Onnx::new().output("y"))?, "tanh");
    assert_eq!(layer(Onnx::new().output("z"))?, "relu");
    // Any value on the way.
    let file = File::new(2)
        .node("Tanh: x -> y", &[])
        .node("Identity: x -> i", &[])
        .node("Relu: i -> z", &[])
        .node("Sign: z -> unused", &[])
        .bytes();
    assert_eq!(
        Onnx::new().output("z").read::<f32>(&file)?.net().layers()[0].name(),
        "relu"
    );
    let file = File::new(2)
        .output("z")
        .node("Tanh: x -> y", &[])
        .node("Relu: x -> z", &[])
        .bytes();
    let layer = |onnx: Onnx| {
        onnx.read::<f32>(&file)
            .map(|model| model.net().layers()[0].name())
    };
    let expected = "expected the name of one of the outputs [\"y\", \"z\"]";
    refused(
        layer(Onnx::new()),
        ErrorKind::Value,
        &format!("Onnx::output: got None, {expected}"),
    );
    refused(
        layer(Onnx::new().output("label")),
        ErrorKind::Value,
        &format!("Onnx::output: got Some(\"label\"), {expected}"),
    );
    Ok(())
}

/// What a file computes of one sample.
#[track_caller]
fn computes(file: &File, x: &[f64], y: &[f64]) -> Result<Model<f64>> {
    let model = Onnx::new().read::<f64>(&file.bytes())?;
    let predicted = model.predict(View::new(x, x.len())?)?;
    assert_eq!(predicted.as_slice(), y, "{}", model.net());
    // And once more, as this crate writes it.
    let back = Onnx::new().read::<f64>(&Onnx::new().write(&model)?)?;
    assert_eq!(
        back.predict(View::new(x, x.len())?)?,
        predicted,
        "{}",
        back.net()
    );
    Ok(model)
}

/// [a, b] ↦ [2a, 3b], and values next to it.
fn branches() -> File {
    File::new(2)
        .tensor("w", &[2, 2], &[2.0, 0.0, 0.0, 3.0])
        .tensor("k", &[2], &[10.0, 20.0])
        .tensor("v", &[4, 1], &[1.0, 10.0, 100.0, 1000.0])
        .node("MatMul: x w -> z", &[])
}

#[test]
fn sums_of_branches() -> Result<()> {
    let x = [1.0, -1.0];
    computes(&branches().node("Add: x z -> y", &[]), &x, &[3.0, -4.0])?;
    computes(&branches().node("Add: z x -> y", &[]), &x, &[3.0, -4.0])?;
    computes(&branches().node("Add: z z -> y", &[]), &x, &[4.0, -6.0])?;
    computes(
        &branches().node("Sum: z x k x -> y", &[]),
        &x,
        &[14.0, 15.0],
    )?;
    // Added one after the other, and within one another.
    let model = computes(
        &branches()
            .node("Relu: x -> r", &[])
            .node("Add: x z -> a", &[])
            .node("Add: a r -> y", &[]),
        &x,
        &[4.0, -4.0],
    )?;
    assert_eq!(model.net().layers().len(), 1);
    computes(
        &branches()
            .node("Relu: z -> r", &[])
            .node("Add: z r -> a", &[])
            .node("Abs: a -> b", &[])
            .node("Add: x b -> y", &[]),
        &x,
        &[5.0, 2.0],
    )?;
    // What exporters have put together: z and tanh z within a sum that begins before.
    computes(
        &branches()
            .node("Add: x z -> s", &[])
            .node("Relu: z -> t", &[])
            .node("Add: s t -> y", &[]),
        &x,
        &[5.0, -4.0],
    )?;
    // A scaler before, maps within a branch, a bias behind.
    let model = computes(
        &File::new(2)
            .tensor("two", &[], &[2.0])
            .tensor("k", &[2], &[10.0, 20.0])
            .node("Mul: x two -> s", &[])
            .node("Mul: s k -> t", &[])
            .node("Add: s t -> a", &[])
            .node("Add: a k -> y", &[]),
        &x,
        &[32.0, -22.0],
    )?;
    assert!(model.input_scaler().is_some() && model.output_scaler().is_some());
    Ok(())
}

#[test]
fn stacks_and_shares() -> Result<()> {
    let x = [1.0, -1.0];
    let axis = |axis| [integer("axis", axis)];
    computes(
        &branches()
            .node("Concat: x z -> c", &axis(1))
            .node("MatMul: c v -> y", &[]),
        &x,
        &[1.0 - 10.0 + 200.0 - 3000.0],
    )?;
    computes(
        &branches().node("Concat: z x x -> y", &axis(-1)),
        &x,
        &[2.0, -3.0, 1.0, -1.0, 1.0, -1.0],
    )?;
    computes(
        &branches().node("Concat: z -> y", &axis(1)),
        &x,
        &[2.0, -3.0],
    )?;
    let five = || {
        File::new(5)
            .shape("zero", &[0])
            .shape("one", &[1])
            .shape("three", &[3])
            .shape("far", &[i64::MAX])
            .shape("before", &[i64::MIN])
            .shape("back", &[-1])
            .shape("two", &[-2])
            .shape("picked", &[4, -5, 4])
            .shape("sizes", &[2, 0, 3])
    };
    let x = [1.0, 2.0, 3.0, 4.0, 5.0];
    for (node, attributes, y) in [
        ("Slice: x one three one -> y", vec![], &[2.0, 3.0][..]),
        (
            "Slice: x back before one two -> y",
            vec![],
            &[5.0, 3.0, 1.0],
        ),
        ("Slice: x zero far one -> y", vec![], &x),
        ("Slice: x zero far zero -> y", vec![], &x),
        ("Gather: x picked -> y", axis(1).to_vec(), &[5.0, 1.0, 5.0]),
        ("Gather: x back -> y", axis(-1).to_vec(), &[5.0]),
        (
            "Split: x sizes -> a b y",
            axis(1).to_vec(),
            &[3.0, 4.0, 5.0],
        ),
        ("Split: x -> a y", axis(1).to_vec(), &[4.0, 5.0]),
    ] {
        computes(&five().node(node, &attributes), &x, y)?;
    }
    // A single column of each sample, and columns of images.
    let number = |name: &str, v: i64| {
        let dims = [int(2, 7), bytes(7, [v as u8]), bytes(8, name)].concat();
        (5, dims)
    };
    let (tag, at) = number("at", 2);
    computes(
        &five()
            .field(tag, at.clone())
            .node("Gather: x at -> g", &axis(1))
            .node("Unsqueeze: g one -> y", &[]),
        &x,
        &[3.0],
    )?;
    let image = File::bare()
        .input("x", 1, &[None, Some(2), Some(3)])
        .output("y")
        .shape("zero", &[0])
        .shape("two", &[2])
        .node("Gather: x two -> g", &axis(2))
        .node("Flatten: g -> y", &[]);
    computes(&image, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3.0, 6.0])?;
    Ok(())
}

#[test]
fn rows_of_tables() -> Result<()> {
    let axis = |axis| [integer("axis", axis)];
    let to = |kind| [integer("to", kind)];
    let table = |file: File| file.tensor("t", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let read = |file: File, x: &[f64], y: &[f64]| computes(&table(file), x, y);
    let model = read(
        File::new(2)
            .node("Cast: x -> i", &to(7))
            .node("Gather: t i -> e", &[])
            .node("Flatten: e -> y", &[]),
        &[2.0, 0.0],
        &[5.0, 6.0, 1.0, 2.0],
    )?;
    assert_eq!(model.net().params(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert!(model.predict(View::new(&[0.0, 3.0], 2)?).is_err());
    // Integers in, and one index of several.
    read(
        File::bare()
            .input("x", 7, &[None, Some(2)])
            .output("y")
            .shape("one", &[1])
            .node("Gather: x one -> i", &axis(1))
            .node("Gather: t i -> e", &[])
            .node("Flatten: e -> y", &[]),
        &[2.0, 1.0],
        &[3.0, 4.0],
    )?;
    // Columns with what is shared between the branches, and a number beside them.
    read(
        File::new(3)
            .shape("zero", &[0])
            .shape("one", &[1])
            .shape("two", &[2])
            .shape("three", &[3])
            .tensor("u", &[2, 1], &[7.0, 8.0])
            .node("Slice: x zero two one -> s", &[])
            .node("Cast: s -> i", &to(7))
            .node("Gather: i zero -> a", &axis(1))
            .node("Gather: i one -> b", &axis(1))
            .node("Gather: t a -> ta", &[])
            .node("Gather: u b -> ub", &[])
            .node("Flatten: ta -> fa", &[])
            .node("Flatten: ub -> fb", &[])
            .node("Slice: x two three one -> c", &[])
            .node("Concat: fb fa c -> y", &axis(1)),
        &[2.0, 1.0, 0.5],
        &[8.0, 5.0, 6.0, 0.5],
    )?;
    Ok(())
}

/// Where branches meet in another way, and what is no place in a table.
#[test]
fn branches_that_are_refused() {
    let axis = |axis| [integer("axis", axis)];
    let to = |kind| [integer("to", kind)];
    let incompatible = ErrorKind::Incompatible;
    let table = || File::new(2).tensor("t", &[3, 2], &[1.0; 6]);
    let series = "expected a series-parallel graph, whose branches begin at one value and meet in \
        one node";
    let integers = "expected the rows of a table (Gather), as which integers are read";
    let two = || File::new(2).input("x2", 1, &[None, Some(2)]);
    for (file, kind, text) in [
        (
            branches()
                .node("Add: x z -> s", &[])
                .node("Relu: s -> a", &[])
                .node("Tanh: z -> t", &[])
                .node("Add: a t -> y", &[]),
            incompatible,
            format!("ONNX node \"z\" (MatMul): got \"z\" in branches that meet in several, {series}"),
        ),
        (
            branches().node("Tanh: x -> a", &[]).node("Mul: z a -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Mul): got Mul of \"z\" and \"a\", expected one computed value and \
             constants (computed values may meet in Add, Sum and Concat, or in the product of a \
             gated linear unit)"
                .into(),
        ),
        (
            branches().node("MatMul: z v -> y", &[]).tensor("u", &[2, 1], &[1.0, 1.0])
                .node("MatMul: x u -> b", &[])
                .node("Add: z b -> c", &[])
                .output("c"),
            ErrorKind::Value,
            "Onnx::output: got None, expected the name of one of the outputs [\"y\", \"c\"]".into(),
        ),
        (
            branches()
                .tensor("u", &[2, 1], &[1.0, 1.0])
                .node("MatMul: x u -> b", &[])
                .node("Add: z b -> y", &[]),
            ErrorKind::Shape,
            "ONNX node \"y\" (Add): got dimensions (samples, 1), expected the features of all \
             branches as dimensions (samples, 2)"
                .into(),
        ),
        (
            branches().node("Concat: x z -> y", &axis(0)),
            ErrorKind::Shape,
            "ONNX node \"y\" (Concat): got dimensions (samples, 2), expected one row of features for each \
             sample (flatten them first)"
                .into(),
        ),
        (
            branches().node("Concat: x k -> y", &axis(1)),
            incompatible,
            "ONNX node \"y\" (Concat): got a constant among [\"x\", \"k\"], expected values that \
             are computed"
                .into(),
        ),
        (
            branches().shape("one", &[1]).node("Gather: x one -> y", &axis(0)),
            incompatible,
            "ONNX node \"y\" (Gather): got places along axis 0 of dimensions (samples, 2), expected some of the \
             features, and all samples"
                .into(),
        ),
        (
            two().node("Add: x x2 -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Add): got [\"x\", \"x2\"] of several, expected values that are \
             computed from one input of the graph (several are read as one after they have been put \
             together)"
                .into(),
        ),
        (
            table().node("Cast: x -> i", &to(7)).node("Relu: i -> y", &[]),
            incompatible,
            format!("ONNX node \"y\" (Relu): got Relu, {integers}"),
        ),
        (
            table().node("Cast: x -> i", &to(7)).node("Cast: i -> y", &to(1)),
            incompatible,
            format!("ONNX node \"y\" (Cast): got Cast, {integers}"),
        ),
        (
            table().node("Cast: x -> y", &to(7)),
            incompatible,
            "ONNX output: got integers, expected floating-point numbers".into(),
        ),
    ] {
        refused(Onnx::new().read::<f64>(&file.bytes()), kind, &text);
    }
}

/// What is no feed-forward network, or not sound, and the error that says so.
#[test]
fn what_is_refused() {
    let supported = |given: &str| {
        let list = "Gemm, MatMul, Add, Sub, Mul, Div, Sum, Max and Min with constants, Neg; Add, \
            Sum and Concat of branches, Gather, GatherND, Slice, Split; Relu, \
            LeakyRelu, PRelu, ThresholdedRelu, Elu, Celu, Selu, Sigmoid, HardSigmoid, Tanh, Gelu, \
            Swish, Mish, Softplus, Softsign, HardSwish, Shrink, Exp, Clip, Sign, Abs, or what \
            these are composed of; Softmax, LogSoftmax, BatchNormalization, LayerNormalization, \
            RMSNormalization, LpNormalization; Identity, Dropout, Cast, Flatten, Reshape, \
            Transpose, Squeeze, Unsqueeze; of ai.onnx.ml Scaler, LinearRegressor, LinearClassifier, Normalizer, ZipMap";
        format!("got {given}, expected an operator of a feed-forward network ({list})")
    };
    let one = "expected one computed value and constants (computed values may meet in Add, Sum and \
        Concat, or in the product of a gated linear unit)";
    let file = || {
        File::new(2)
            .tensor("k", &[2], &[1.0, 2.0])
            .tensor("w", &[2, 1], &[1.0, 2.0])
            .tensor("t", &[3], &[1.0, 2.0, 3.0])
    };
    let parse = ErrorKind::Parse;
    let split = |axis| file().node("Split: x -> a b", &[integer("axis", axis)]);
    let shape = ErrorKind::Shape;
    let value = ErrorKind::Value;
    let incompatible = ErrorKind::Incompatible;
    for (file, kind, text) in [
        (file().node("Conv: x w -> y", &[]), incompatible, format!("ONNX node \"y\" (Conv): \
            {}", supported("Conv"))),
        (
            file().node("com.microsoft.Relu: x -> y", &[]),
            incompatible,
            format!("ONNX node \"y\" (Relu): {}", supported("com.microsoft.Relu")),
        ),
        (
            file().node("Sigmoid: x -> a", &[]).node("Sub: x a -> y", &[]),
            incompatible,
            format!("ONNX node \"y\" (Sub): got Sub of \"x\" and \"a\", {one}"),
        ),
        (
            file().node("Div: k x -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Div): got \"x\", expected a constant as operand 1: no layer divides \
             by what is computed".into(),
        ),
        (file().node("Sin: y -> y", &[]), incompatible, format!("ONNX node \"y\" (Sin): \
            {}", supported("Sin"))),
        (
            file().node("Relu: y -> y", &[]),
            parse,
            "ONNX value \"y\": got a value that depends on itself, expected a graph without \
             cycles".into(),
        ),
        (
            file().node("Relu: y -> z", &[]).node("Mul: z k -> y", &[]),
            parse,
            "ONNX value \"y\": got a value that depends on itself, expected a graph without \
             cycles".into(),
        ),
        (
            file().node("Shrink: x -> y", &[float("lambd", 1.0), float("bias", 0.5)]),
            incompatible,
            "ONNX node \"y\" (Shrink): bias: got 0.5, expected 0 or lambd, 1".into(),
        ),
        (
            file()
                .tensor("low", &[], &[-1.0])
                .tensor("high", &[], &[2.0])
                .node("Clip: x low high -> z", &[])
                .node("Sub: x z -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Sub): what is taken off: got -1 and 2, expected bounds −λ and \
             λ".into(),
        ),
        (file(), incompatible, "ONNX value \"y\": got a value that no node makes, expected a \
            function of the graph's input".into()),
        (
            file().node("Relu: k -> y", &[]),
            incompatible,
            "ONNX value \"k\": got a constant, expected a function of the graph's input".into(),
        ),
        (file().node("Relu: x -> y", &[]).node("Tanh: x -> y", &[]), parse, "ONNX graph: got \"y\" \
            twice, expected each value once".into()),
        (file().tensor("k", &[], &[1.0]), parse, "ONNX graph: got \"k\" twice, expected each value \
            once".into()),
        (file().node("MatMul: x -> y", &[]), parse, "ONNX node \"y\" (MatMul): got 1 operands, \
            expected operand 1".into()),
        (
            file().node("Tanh: x -> z", &[]).node("MatMul: z x -> y", &[]),
            incompatible,
            "ONNX node \"y\" (MatMul): got \"x\", expected a constant as operand 1".into(),
        ),
        (
            file().node("MatMul: w x -> y", &[]),
            shape,
            "ONNX node \"y\" (MatMul): ONNX tensor \"w\": got dimensions [2, 1], expected a matrix \
             for 2 features".into(),
        ),
        (
            file().node("MatMul: x t -> y", &[]),
            shape,
            "ONNX node \"y\" (MatMul): ONNX tensor \"t\": got dimensions [3], expected a matrix \
             for 2 features".into(),
        ),
        (
            file().node("MatMul: x w -> z", &[]).node("MatMul: z w -> y", &[]),
            shape,
            "ONNX node \"y\" (MatMul): ONNX tensor \"w\": got dimensions [2, 1], expected a matrix \
             for 1 features".into(),
        ),
        (
            file().node("Mul: x t -> y", &[]),
            shape,
            "ONNX node \"y\" (Mul): ONNX tensor \"t\": got dimensions [3], expected one number for \
             each of 2 features".into(),
        ),
        (
            file().node("Softmax: x -> y", &[integer("axis", 0)]),
            incompatible,
            "ONNX node \"y\" (Softmax): got axis 0 of dimensions (samples, 2), \
             expected the axis of the features, all others being of one (flatten them first)"
                .into(),
        ),
        (
            file().node("Gemm: x w -> y", &[integer("transA", 1)]),
            shape,
            "ONNX node \"y\" (Gemm): ONNX tensor \"w\": got dimensions [2, 1] after dimensions (2, \
             samples), expected a matrix for 2 features".into(),
        ),
        (
            file().node("PRelu: x t -> y", &[]),
            shape,
            "ONNX node \"y\" (PRelu): ONNX tensor \"t\": got dimensions [3], expected one number \
             for each of 2 features".into(),
        ),
        (
            file().node("Max: x k -> y", &[]),
            shape,
            "ONNX node \"y\" (Max): ONNX tensor \"k\": got dimensions [2], expected one number for \
             all features".into(),
        ),
        (
            file().node("Max: x k x -> y", &[]),
            incompatible,
            format!("ONNX node \"y\" (Max): got Max of [\"x\", \"k\", \"x\"], {one}"),
        ),
        (
            split(0).node("Mul: a b -> y", &[]),
            incompatible,
            "ONNX node \"a\" (Split): got other parts, or axis 0, expected two halves of the \
             features, along axis 1".into(),
        ),
        (
            split(1).node("Tanh: a -> c", &[]).node("Mul: c b -> y", &[]),
            incompatible,
            format!("ONNX node \"y\" (Mul): got Mul of \"c\" and \"b\", {one}"),
        ),
        (
            file().node("Erf: x -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Erf): got Erf, expected an operator that an activation computes, \
             alone or with its neighbors (of constants this one is read, too)"
                .into(),
        ),
        (
            file().node("Shape: q -> s", &[]).node("Tanh: x -> q", &[]).node("Reshape: x s -> \
                y", &[]),
            incompatible,
            "ONNX node \"y\" (Reshape): ONNX node \"s\" (Shape): got another value's, expected a \
             shape that is constant or computed from the shapes of values before it"
                .into(),
        ),
        (
            file().node("Reshape: x s -> y", &[]).node("Identity: s -> s2", &[]).node("Identity: \
                s2 -> s", &[]),
            parse,
            "ONNX node \"y\" (Reshape): ONNX node \"s\" (Identity): got a value that depends on \
             itself, expected a graph without cycles".into(),
        ),
        (
            file().node("Transpose: x -> z", &[]).node("Softmax: z -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Softmax): got axis -1 of dimensions (2, samples), \
             expected the axis of the features, all others being of one (flatten them first)"
                .into(),
        ),
        (file().node("Elu: x -> \
            y", &[integer("alpha", 1)]), incompatible, format!("ONNX node \"y\" (Elu): \
            {}", supported("Elu"))),
        (
            file().node("Cast: x -> z", &[integer("to", 7)]).node("Relu: z -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Relu): got Relu, expected the rows of a table (Gather), as which \
             integers are read".into(),
        ),
        (
            file().node("Dropout: x _ k -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Dropout): got the value \"k\", expected training_mode false".into(),
        ),
        (
            file().shape("s", &[2, 1]).node("Reshape: x s -> y", &[]),
            shape,
            "ONNX node \"y\" (Reshape): got 1, expected 2 features, as before".into(),
        ),
        (
            file().shape("s", &[-1]).node("Reshape: x s -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Reshape): got [-1], expected a shape (samples, features)".into(),
        ),
        (
            file().node("LayerNormalization: x k -> y", &[float("epsilon", 0.0)]),
            value,
            "layer 0 (LayerNorm): eps: got 0, expected a finite number > 0 that the scalar can \
             hold".into(),
        ),
        (
            file().version(6).node("Relu: x -> y", &[]),
            incompatible,
            "Onnx::read: got version 6, expected version 7 or later of ONNX's operators".into(),
        ),
        (
            File::bare().input("x", 7, &[None, Some(2)]).output("y").node("Relu: x -> y", &[]),
            incompatible,
            "ONNX node \"y\" (Relu): got Relu, expected the rows of a table (Gather), as which \
             integers are read".into(),
        ),
        (
            File::bare().input("x", 9, &[None, Some(2)]).output("y").node("Relu: x -> y", &[]),
            incompatible,
            "ONNX input \"x\": got data type 9, expected numbers of type float, double, float16 or \
             bfloat16, or integers".into(),
        ),
        (File::new(0).node("Relu: x -> y", &[]), shape, "ONNX input \"x\": got none, expected a \
            known number of features".into()),
        (
            file().field(5, [bytes(8, "e"), int(2, 1), int(14, 1)].concat()).node("Add: x e -> \
                y", &[]),
            incompatible,
            "ONNX tensor \"e\": got external data, expected numbers in the file itself".into(),
        ),
        (
            file().field(5, [bytes(8, "e"), int(2, 8)].concat()).node("Add: x e -> y", &[]),
            incompatible,
            "ONNX tensor \"e\": got data type 8, expected numbers of type float, double, float16 \
             or bfloat16 (of shapes: int64 or int32)".into(),
        ),
        (
            file().tensor("e", &[3, 1], &[1.0, 2.0]).node("MatMul: x e -> y", &[]),
            shape,
            "ONNX tensor \"e\": got 2, expected as many numbers as its dimensions [3, 1] \
             say".into(),
        ),
    ] {
        refused(Onnx::new().read::<f32>(&file.bytes()), kind, &text);
    }
    let twice = [
        File::new(2).node("Relu: x -> y", &[]).bytes(),
        bytes(14, bytes(1, "k")),
        bytes(14, bytes(1, "k")),
    ]
    .concat();
    refused(
        Onnx::new().read::<f32>(&twice),
        parse,
        "ONNX metadata: got \"k\" twice, expected each key once",
    );
    refused(
        Onnx::new().read::<f32>(&[]),
        parse,
        "Onnx::read: got no graph, expected an ONNX file",
    );
}
