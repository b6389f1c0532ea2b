//! ONNX: what is written is read again, files of PyTorch and scikit-learn are read, and others are refused.
#![cfg(feature = "onnx")]

mod zoo;

use chainrule::prelude::*;
use chainrule::Onnx;
use std::collections::BTreeMap;
use std::path::Path;
use zoo::{activations, inputs, layers};

#[track_caller]
fn refused<R>(result: Result<R>, kind: ErrorKind, text: &str) {
    match result {
        Ok(_) => panic!("accepted what must be refused with “{text}”"),
        Err(error) => assert_eq!((error.to_string().as_str(), error.kind()), (text, kind)),
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// There and back

/// The same layers, parameters, scalers and notes, and so the same outputs.
#[track_caller]
fn comes_back<T: Real>(model: Model<T>) -> Result<()> {
    comes_back_as(&model, &model)
}

#[track_caller]
fn comes_back_as<T: Real>(model: &Model<T>, as_this: &Model<T>) -> Result<()> {
    let bytes = Onnx::new().write(model)?;
    assert_eq!(bytes, Onnx::new().write(&model.clone())?, "the same bytes each time");
    let back = Onnx::new().read::<T>(&bytes)?;
    assert_eq!(back, *as_this, "\n{}\n{}", back.net(), as_this.net());
    let x = inputs(model.net().inputs(), 9);
    assert_eq!(back.predict(&x)?, as_this.predict(&x)?);
    // And again.
    assert_eq!(Onnx::new().write(&back)?, Onnx::new().write(as_this)?);
    Ok(())
}

fn layers_come_back<T: Real>() -> Result<()> {
    for activation in activations()?.into_iter().filter(|activation| *activation != Activation::Linear) {
        let alone = activation.clone();
        comes_back::<T>(layers!(3; alone)?.into())?;
        comes_back::<T>(layers!(3; Dense::new(5, activation), Dense::new(2, Activation::Linear))?.into())?;
    }
    comes_back::<T>(layers!(4; Dense::new(3, Activation::Tanh).without_bias(), Dense::new(2, Activation::Linear).without_bias())?.into())?;
    comes_back::<T>(layers!(4; Dense::new(6, Activation::Relu), Softmax)?.into())?;
    comes_back::<T>(layers!(4; LayerNorm::new())?.into())?;
    comes_back::<T>(layers!(4; LayerNorm::new().eps(0.3).without_bias())?.into())?;
    comes_back::<T>(layers!(4; LayerNorm::new().without_scale())?.into())?;
    comes_back::<T>(layers!(4; LayerNorm::new().without_scale().without_bias())?.into())?;
    comes_back::<T>(layers!(4; RmsNorm::new())?.into())?;
    comes_back::<T>(layers!(4; RmsNorm::new().without_scale().eps(1e-3))?.into())?;
    comes_back::<T>(layers!(4; BatchNorm::new())?.into())?;
    comes_back::<T>(layers!(4; BatchNorm::new().eps(0.3).without_bias())?.into())?;
    comes_back::<T>(layers!(4; BatchNorm::new().without_scale())?.into())?;
    comes_back::<T>(layers!(4; BatchNorm::new().without_scale().without_bias())?.into())?;
    comes_back::<T>(
        layers!(4; Dense::new(16, Activation::Gelu), LayerNorm::new(), Dense::new(7, Activation::Linear).without_bias(), BatchNorm::new(),
            Activation::HardSwish, Dense::new(7, Activation::Mish), RmsNorm::new(), Dense::new(3, Activation::Linear))?
        .into(),
    )
}

#[test]
fn layers_come_back_in_single_precision() -> Result<()> {
    layers_come_back::<f32>()
}

#[test]
fn layers_come_back_in_double_precision() -> Result<()> {
    layers_come_back::<f64>()
}

#[test]
fn scalers_and_notes_come_back() -> Result<()> {
    let (x, t) = (inputs::<f32>(4, 30), inputs::<f32>(2, 30).map(|t| 300.0 * t + 7.0));
    let net = || layers!(4; Dense::new(8, Activation::Tanh), Dense::new(2, Activation::Linear));
    let plain = || layers!(4; Dense::new(2, Activation::Linear).without_bias());
    comes_back(Model::new(net()?, Scaler::standard(&x)?, Scaler::min_max(&t)?)?)?;
    comes_back(Model::new(net()?, Scaler::max_abs(&x)?, None)?)?;
    comes_back(Model::new(net()?, None, Scaler::center(&t)?)?)?;
    comes_back(Model::new(plain()?, Scaler::center(&x)?, Scaler::center(&t)?)?)?;
    let mut model = Model::from(net()?);
    model.metadata_mut().insert("classes".into(), "a, b, ä".into());
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
        layers!(4; GaussianNoise::new(0.1), Dense::new(3, Activation::Selu), AlphaDropout::new(0.1), Activation::Linear, Dropout::new(0.5), Softmax),
        layers!(4; Dense::new(3, Activation::Selu), Softmax),
    )?;
    same(layers!(4; Dense::new(3, Activation::Linear).init(Init::Constant(2.0))), layers!(4; Dense::new(3, Activation::Linear)))?;
    same(layers!(4; Dense::new(3, Activation::Linear), Activation::Silu), layers!(4; Dense::new(3, Activation::Silu)))?;
    same(layers!(4; Dense::new(3, Activation::Sign.straight_through())), layers!(4; Dense::new(3, Activation::Sign)))?;
    // Of the running averages, a file of doubles keeps the numbers but not the momentum.
    same(layers!(4; BatchNorm::new().momentum(0.25)), layers!(4; BatchNorm::new().momentum(0.25)))?;
    let (net, mut other) = (layers!(4; BatchNorm::new().momentum(0.25))?, layers!(4; BatchNorm::new())?);
    other.set_params(net.params())?;
    comes_back_as::<f64>(&net.into(), &other.into())
}

#[test]
fn links_are_layers() -> Result<()> {
    let (x, net) = (inputs::<f64>(4, 9), layers!(4; Dense::new(8, Activation::Tanh), Dense::new(3, Activation::Linear))?);
    let (mut softmax, mut sigmoid) = (net.predict(&x)?, net.predict(&x)?);
    SoftmaxCrossEntropy::new().link((&mut softmax).into());
    SigmoidCrossEntropy::new().link((&mut sigmoid).into());
    let model = Model::from(net);
    assert_eq!(Onnx::new().read::<f64>(&Onnx::new().softmax().write(&model)?)?.predict(&x)?, softmax);
    assert_eq!(Onnx::new().read::<f64>(&Onnx::new().sigmoid().write(&model)?)?.predict(&x)?, sigmoid);

    let probabilities = Model::from(layers!(4; Dense::new(3, Activation::Linear), Softmax)?);
    let text = "Onnx::write: expected a network that ends on scores, for Softmax, got outputs in Simplex";
    refused(Onnx::new().softmax().write::<f32>(&probabilities), ErrorKind::Incompatible, text);
    let scaled = Model::new(model.net().clone(), None, Scaler::standard(&softmax)?)?;
    let text = "Onnx::write: expected a network that ends on scores, for Sigmoid, got a scaler of outputs";
    refused(Onnx::new().sigmoid().write(&scaled), ErrorKind::Incompatible, text);
    Ok(())
}

#[test]
fn files() -> Result<()> {
    let path = std::env::temp_dir().join(format!("chainrule-onnx-{}.onnx", std::process::id()));
    let model = Model::<f32>::from(layers!(4; Dense::new(3, Activation::Relu))?);
    Onnx::new().save(&model, &path)?;
    assert_eq!(Onnx::new().load::<f32>(&path)?, model);
    std::fs::write(&path, "no such file").expect("a file");
    let error = Onnx::new().load::<f32>(&path).expect_err("no ONNX");
    assert!(error.place().starts_with(&*path.display().to_string()), "{error}");
    std::fs::remove_file(&path).expect("it is there");
    assert_eq!(Onnx::new().load::<f32>(&path).map_err(|error| error.kind()), Err(ErrorKind::Io));
    Ok(())
}

#[test]
fn floats_widen_and_doubles_do_not_narrow() -> Result<()> {
    let single = layers!(4; Dense::new(3, Activation::Elu { alpha: 0.7 }), BatchNorm::new())?;
    let mut double = layers!(4; Dense::new(3, Activation::Elu { alpha: 0.7 }), BatchNorm::new())?;
    double.set_params(&single.params().iter().map(|p: &f32| f64::from(*p)).collect::<Vec<_>>())?;
    assert_eq!(Onnx::new().read::<f64>(&Onnx::new().write(&Model::from(single))?)?, double.clone().into());
    let text = "ONNX tensor \"0.weight\": expected numbers of type float (f64 holds those of type double), got double";
    refused(Onnx::new().read::<f32>(&Onnx::new().write(&Model::from(double))?), ErrorKind::Incompatible, text);
    let without_weights = Model::<f64>::from(layers!(4; Activation::Tanh)?);
    let text = "ONNX input \"input\": expected numbers of type float (f64 holds those of type double), got double";
    refused(Onnx::new().read::<f32>(&Onnx::new().write(&without_weights)?), ErrorKind::Incompatible, text);
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

    fn infer(&self, mut p: Infer<'_, T>) {
        p.y.as_mut_slice().iter_mut().zip(p.x.as_slice()).for_each(|(y, x)| *y = *x / T::of(2.0));
    }

    fn backward(&self, _p: Backward<'_, T>) {}
}

#[test]
fn layers_of_others_are_named() -> Result<()> {
    let model = Model::<f32>::from(layers!(4; Dense::new(3, Activation::Relu), Halve)?);
    let text = "layer 1 (Halve): expected a layer of this crate, which ONNX has operators for, got Halve";
    refused(Onnx::new().write(&model), ErrorKind::Incompatible, text);
    Ok(())
}

// ---------------------------------------------------------------------------------------------------------------------
// Files of others

/// Files that PyTorch and scikit-learn have written (`interchange/onnx_*.py`), each with inputs and outputs.
fn golden() -> BTreeMap<String, (Vec<u8>, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx");
    let paths = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    let read = |path: &Path| std::fs::read(path).expect("a file");
    let files: BTreeMap<_, _> = files
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), (read(&path), read(&path.with_extension("npz")))))
        .collect();
    assert!(files.len() > 30, "{}", files.len());
    files
}

#[test]
fn files_of_pytorch_and_scikit_learn() -> Result<()> {
    for (name, (file, numbers)) in golden() {
        zoo::reads(&name, &file, &numbers)?;
    }
    Ok(())
}

/// Which layers they become.
#[test]
fn layers_of_pytorch_and_scikit_learn() -> Result<()> {
    let golden = golden();
    let layers = |name: &str| {
        let model = zoo::onnx(name).read::<f64>(&golden[name].0)?;
        let scalers = [model.inputs().map(|_| "scaler"), model.outputs().map(|_| "scaler")];
        let names = model.net().layers().iter().map(|layer| layer.name());
        let all: Vec<String> = scalers[0].map(String::from).into_iter().chain(names).chain(scalers[1].map(String::from)).collect();
        Ok::<_, Error>(all.join(", "))
    };
    for (names, expected) in [
        (
            &["torch_dynamo_mlp", "torch_script_mlp", "torch_script_opset9_mlp", "torch_script_f64_mlp"][..],
            "Dense relu, Dense tanh, Dense linear, Softmax",
        ),
        (
            &["torch_dynamo_smooth", "torch_script_smooth", "torch_script_opset13_smooth"],
            "Dense gelu, Dense silu, Dense mish, Dense gelu_tanh, Dense softplus, Dense softsign, Dense sigmoid",
        ),
        (
            &["torch_dynamo_kinked", "torch_script_kinked", "torch_script_opset13_kinked"],
            "Dense hard_sigmoid, Dense hard_swish, Dense hard_tanh, Dense breakpoints(-2:-2, 3:3), Dense relu6, Dense elu(alpha=0.5), Dense selu, \
             Dense leaky_relu(slope=0.2), Dense leaky_relu(slope=0.55)",
        ),
        (&["torch_script_images", "torch_dynamo_images"], "Dense relu, Dense linear"),
        (&["torch_dynamo_f64_smooth"], "Dense gelu, Dense silu, Dense mish, Dense sigmoid"),
        (&["torch_dynamo_norms"], "Dense linear, BatchNorm, Activation relu, LayerNorm, Dense linear, BatchNorm, LayerNorm, RmsNorm, RmsNorm"),
        (&["sklearn_classifier3@probabilities"], "Dense relu, Dense relu, Dense linear, Softmax"),
        (&["sklearn_classifier2@probabilities"], "Dense tanh, Dense sigmoid, Dense linear"),
        (&["sklearn_standard@variable", "sklearn_min_max@variable"], "scaler, Dense relu, Dense linear"),
        (&["sklearn_logistic3@probabilities"], "Dense linear, Softmax"),
        (&["sklearn_logistic2@probabilities"], "Dense sigmoid"),
        (&["sklearn_linear1@variable"], "Dense linear"),
    ] {
        for name in names {
            assert_eq!(layers(name)?, expected, "{name}");
        }
    }
    Ok(())
}
