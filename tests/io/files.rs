//! Model files and state dicts: what is written is read with the same bits, files of the first
//! version and of PyTorch are read for ever, and whatever else a file may hold is an error that
//! takes no memory and changes nothing.
#![cfg(feature = "safetensors")]

use crate::common::{Folder, rng};
use crate::counting::peak;
use chainrule::data::{Encoder, Encoding, Fill, Scaling, Table};
use chainrule::io::Safetensors;
use chainrule::nn::NamedParameter;
use chainrule::nn::layer::{BackwardArgs, Block, InferArgs, Layer, Role};
use chainrule::nn::loss::OutputFunction;
use chainrule::nn::{
    AlphaDropout, BatchNorm, Breakpoints, Chain, GaussianNoise, LayerNorm, Parallel, Prelu,
    Residual, RmsNorm, Softmax,
};
use chainrule::prelude::*;
use chainrule::rand::SeedableRng;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::{ErrorKind, Real, View};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Every layer, every activation, and options that are not the defaults.
fn all_layers<T: Real>() -> Result<Sequential<T>> {
    let names = "step sign piecewise_linear sigmoid tanh relu relu6 selu gelu gelu_tanh silu mish \
        softplus softsign hard_sigmoid hard_tanh hard_swish";
    let mut activations = names
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<Vec<Activation>>>()?;
    activations.extend([
        Activation::LeakyRelu { slope: 0.1 + 0.2 },
        Activation::Elu { alpha: 1.0 / 3.0 },
        Breakpoints::new(&[(-1.0, -1.0 / 3.0), (0.1, 0.2), (2.0, 0.7)])?
            .slopes(0.01, 0.1)?
            .into(),
        Activation::Step.surrogate(Activation::Elu { alpha: 0.7 }),
    ]);
    let mut builder = Sequential::builder(3)
        .layer(GaussianNoise::new(0.01))
        .layer(
            Dense::new(5, Activation::Linear)
                .without_bias()
                .init(Init::Orthogonal { gain: 1.1 }),
        )
        .layer(BatchNorm::new().momentum(0.2).eps(1e-4))
        .layer(Dropout::new(0.25))
        .layer(LayerNorm::new().without_bias())
        .layer(AlphaDropout::new(0.1))
        .layer(RmsNorm::new().eps(1e-7))
        .layer(BatchNorm::new().without_scale());
    for activation in activations {
        builder = builder
            .layer(Dense::new(3, activation.clone()).bias_init(Init::Normal {
                mean: 0.0,
                std: 0.5,
            }))
            .layer(activation);
    }
    builder
        .layer(LayerNorm::new())
        .layer(Dense::new(4, Activation::Linear))
        .layer(Softmax)
        .build_with(&mut rng(1))
}

/// The names in files are those of `named_parameters`, whose ranges cover all parameters in order.
#[test]
fn files_have_the_names_of_the_parameters() -> Result<()> {
    let net = all_layers::<f64>()?;
    let mut next = 0;
    let mut names = Vec::new();
    for parameter in net.named_parameters() {
        assert_eq!(parameter.range.start, next);
        next = parameter.range.end;
        assert!(parameter.values.iter().eq(&net.params()[parameter.range]));
        assert_eq!(
            parameter.values.shape(),
            (parameter.block.rows, parameter.block.cols)
        );
        assert!(net.blocks(parameter.layer).contains(parameter.block));
        names.push(parameter.name);
    }
    assert_eq!(next, net.params().len());
    let bytes = Model::from(net.clone()).to_safetensors()?;
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("a file of safetensors");
    let mut in_file = file.names();
    in_file.sort_unstable();
    names.sort_unstable();
    assert_eq!(names, in_file);
    let other = net.params().iter().map(|p| 2.0 * p).collect::<Vec<_>>();
    let weights = |p: &NamedParameter<'_, f64>| p.layer == 1 && p.block.role == Role::Weight;
    let at = net.at(&other)?;
    let doubled = at
        .named_parameters()
        .find(weights)
        .expect("the weights of a dense layer");
    assert_eq!(doubled.values, 2.0 * net.weights(1)?);
    assert_eq!(doubled.name, "1.weight");
    Ok(())
}

/// A model of it with everything that a file can hold.
fn model<T: Real>() -> Result<Model<T>> {
    let mut net = all_layers::<T>()?;
    // Running statistics that are not 0 and 1.
    for (i, p) in net.params_mut().iter_mut().enumerate() {
        *p += T::of((i % 7) as f64 / 100.0);
    }
    let scaler = |n: usize| {
        Scaler::new(
            (0..n).map(|i| T::of(i as f64 / 3.0)).collect(),
            (0..n).map(|i| T::of(0.1 + i as f64)).collect(),
        )
    };
    let mut model = Model::new(net, scaler(3)?, scaler(4)?)?;
    let notes = [
        ("classes", "one, two, three, four"),
        ("format", "pt"),
        ("ünicode", "line\n\"quoted\"\\\u{1}"),
        ("", ""),
    ];
    model
        .metadata_mut()
        .extend(notes.map(|(name, text)| (name.into(), text.into())));
    Ok(model)
}

fn inputs<T: Real>() -> DMatrix<T> {
    DMatrix::from_fn(3, 5, |i, j| T::of(((7 * i + 3 * j) as f64).sin()))
}

fn bits<T: Real>(numbers: &[T]) -> String {
    // Every f32 is an f64.
    numbers
        .iter()
        .map(|x| format!("{:016x}", x.as_f64().to_bits()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn round<T: Real>() -> Result<()> {
    let model = model::<T>()?;
    let bytes = model.to_safetensors()?;
    assert_eq!(model.clone().to_safetensors()?, bytes);
    let read = Model::<T>::from_safetensors(&bytes)?;
    assert_eq!(read, model);
    assert_eq!(bits(read.net().params()), bits(model.net().params()));
    assert_eq!(
        bits(read.predict(&inputs())?.as_slice()),
        bits(model.predict(&inputs())?.as_slice())
    );
    assert_eq!(
        format!("{:?}", read.net().layers()),
        format!("{:?}", model.net().layers())
    );
    assert_eq!(read.to_safetensors()?, bytes);

    // As any reader of the format sees it, and with its data aligned.
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file of the format");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
    assert_eq!((header % 8, bytes[8]), (0, b'{'));
    let first = tensors.tensor("1.weight").expect("the first weights");
    assert_eq!(first.shape(), [5, 3]);
    let number = |index: usize| {
        let mut own = [0; 8];
        own[..T::BYTES].copy_from_slice(&first.data()[index * T::BYTES..][..T::BYTES]);
        T::from_bytes(own)
    };
    let weights = model.net().weights(1)?;
    assert!((0..5).all(|i| (0..3).all(|j| number(3 * i + j) == weights[(i, j)])));
    // The notes are those of the user, and three of ours.
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).expect("a header");
    let notes = metadata.metadata().as_ref().expect("notes");
    assert_eq!((notes.len(), notes["chainrule.version"].as_str()), (7, "1"));
    assert!(
        model
            .metadata()
            .iter()
            .all(|(name, text)| notes[name] == *text)
    );

    // With NaN and ±∞, which are numbers of the network as all others.
    let mut wild = model.clone();
    wild.net_mut().params_mut()[..4]
        .copy_from_slice(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0].map(T::of));
    let read = Model::<T>::from_safetensors(&wild.to_safetensors()?)?;
    assert_eq!(bits(read.net().params()), bits(wild.net().params()));
    let finite = Safetensors::new().finite();
    assert_eq!(
        finite.write(&wild).unwrap_err().kind(),
        ErrorKind::NotFinite
    );
    let error = finite.read(&wild.to_safetensors()?).unwrap_err();
    assert_eq!(
        (error.kind(), error.place()),
        (
            ErrorKind::NotFinite,
            "safetensors: tensor 1.weight, row 0 of 5"
        )
    );
    assert_eq!(finite.read(&bytes)?, model);
    Ok(())
}

#[test]
fn what_is_written_is_read_with_the_same_bits() -> Result<()> {
    round::<f32>()?;
    round::<f64>()
}

/// A classifier that ends on scores.
fn classifier<T: Real>(outputs: usize) -> Result<Model<T>> {
    let net = Sequential::builder(3)
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(outputs, Activation::Linear))
        .build_with(&mut rng(1))?;
    Model::new(
        net,
        Scaler::new(vec![T::one(); 3], vec![T::of(0.5); 3])?,
        None,
    )
}

/// What makes predictions of outputs, and what classes are called, is part of a model.
#[test]
fn output_functions_and_classes_are_kept() -> Result<()> {
    for function in OutputFunction::EVERY {
        for named in [false, true] {
            let mut model = classifier::<f64>(3)?.with_output_function(function.clone())?;
            if named {
                model = model.with_classes(["setosa", "\"ä\"\n", "\0"])?;
            }
            let read = Model::<f64>::from_safetensors(&model.to_safetensors()?)?;
            assert_eq!(read, model);
            assert_eq!(
                (read.output_function(), read.classes().is_some()),
                (function.clone(), named)
            );
            assert_eq!(
                bits(read.predict(&inputs())?.as_slice()),
                bits(model.predict(&inputs())?.as_slice())
            );
            if named {
                assert_eq!(
                    read.predict_classes(&inputs())?,
                    model.predict_classes(&inputs())?
                );
            }
        }
    }
    let single = classifier::<f32>(1)?
        .with_output_function(OutputFunction::Sigmoid)?
        .with_classes(["no", "yes"])?;
    assert_eq!(
        Model::<f32>::from_safetensors(&single.to_safetensors()?)?,
        single
    );
    // What could not be read back is not written.
    let mut odd = classifier::<f32>(3)?.with_classes(["a", "b", "c"])?;
    *odd.net_mut() = classifier(2)?.into_net();
    assert_eq!(
        odd.to_safetensors().unwrap_err().to_string(),
        "classes of Model: got 3, expected 2 names, one per output"
    );
    Ok(())
}

#[test]
fn names_are_those_of_pytorch() -> Result<()> {
    let net = Sequential::<f32>::builder(3)
        .layer(Dense::new(5, Activation::Relu))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(4, Activation::Linear).without_bias())
        .layer(BatchNorm::new())
        .layer(Activation::Tanh)
        .layer(LayerNorm::new())
        .layer(RmsNorm::new())
        .layer(Prelu::new().per_feature())
        .layer(Prelu::new().slope(0.1))
        .layer(Activation::Celu { alpha: 1.0 / 3.0 })
        .layer(Activation::Threshold {
            threshold: 0.1,
            value: 0.2,
        })
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    let bytes = Model::from(net.clone()).to_safetensors()?;
    assert_eq!(Model::<f32>::from_safetensors(&bytes)?.net(), &net);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file");
    let mut shapes: Vec<(&str, &[usize])> = tensors
        .iter()
        .map(|(name, _)| name)
        .map(|name| (name, &[][..]))
        .collect();
    shapes.sort_unstable();
    let names: Vec<&str> = shapes.iter().map(|(name, _)| *name).collect();
    let expected = "0.bias 0.weight 12.bias 12.weight 3.weight 4.bias 4.running_mean 4.running_var \
        4.weight 6.bias 6.weight 7.weight 8.weight 9.weight";
    assert_eq!(names.join(" "), expected);
    let shape = |name: &str| tensors.tensor(name).expect("there").shape().to_vec();
    assert_eq!(
        (shape("12.weight"), shape("12.bias"), shape("4.running_var")),
        (vec![1, 4], vec![1], vec![4])
    );
    assert_eq!((shape("8.weight"), shape("9.weight")), (vec![4], vec![1]));
    Ok(())
}

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file)
}

/// Whether the kernels use fused multiply-add, whose bits are the same on all machines that have
/// it.
fn fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// A golden file, which holds `model` at the parameters that its table has, and makes of some
/// inputs what the table says. With `UPDATE_GOLDEN` set, writes both anew: that is for a new
/// version of the format, in a folder of its own; the files of a version that has been released
/// stay.
fn check_golden<T: Real>(name: &str, model: Model<T>, tolerance: f64) -> Result<()> {
    let (path, table) = (
        golden(&format!("v1/{name}.safetensors")),
        golden(&format!("v1/{name}.tsv")),
    );
    if env::var_os("UPDATE_GOLDEN").is_some() {
        model.save(&path)?;
        let mut text = String::new();
        writeln!(text, "params\t{}", bits(model.net().params())).expect("a text");
        writeln!(text, "inputs\t{}", bits(inputs::<T>().as_slice())).expect("a text");
        writeln!(
            text,
            "outputs\t{}",
            bits(model.predict(&inputs())?.as_slice())
        )
        .expect("a text");
        fs::write(&table, text).expect("a file that can be written");
    }
    let text = fs::read_to_string(table).expect("the table");
    let [params, inputs, outputs]: [Vec<T>; 3] = ["params", "inputs", "outputs"].map(|what| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(what)?.strip_prefix('\t'))
            .expect("a line");
        line.split(' ')
            .map(|bits| T::of(f64::from_bits(u64::from_str_radix(bits, 16).expect("bits"))))
            .collect()
    });
    let mut expected = model;
    expected.net_mut().set_params(&params)?;
    let read = Model::<T>::load(&path)?;
    assert_eq!(read, expected, "{name}");
    assert_eq!(bits(read.net().params()), bits(&params), "{name}");
    let y = read.predict(View::new(&inputs, read.net().inputs())?)?;
    if fused() {
        assert_eq!(bits(y.as_slice()), bits(&outputs), "{name}");
    }
    assert!(
        y.iter()
            .zip(&outputs)
            .all(|(y, t)| (y.as_f64() - t.as_f64()).abs() <= tolerance * (1.0 + t.as_f64().abs())),
        "{name}"
    );
    Ok(())
}

/// Columns of every kind, and a model of them.
fn model_of_a_table() -> Result<(Table, Model<f64>)> {
    let table = Table::new()
        .with_numbers(
            "x",
            [Some(0.1), None, Some(-3.5), Some(8.0), Some(2.0), None],
        )?
        .with_numbers("y", [70.0, 71.0, 76.0, 80.0, 82.0, 75.5])?
        .with_categories(
            "city",
            [
                Some("Köln"),
                Some("Ulm"),
                None,
                Some("Köln"),
                Some("Bonn"),
                None,
            ],
        )?
        .with_categories("state", ["good", "poor", "fair", "fair", "good", "poor"])?
        .with_categories("class", ["a", "b", "a", "c", "c", "b"])?;
    let order = Encoding::new()
        .ordered(["poor", "fair", "good"])
        .scaling(Scaling::MinMax);
    let encoder = Encoder::builder()
        .target("class")
        .fill(Fill::Median)
        .indicators()
        .rare(2)
        .column("state", order)
        .fit(&table)?;
    let net = Sequential::builder(encoder.inputs())
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(encoder.outputs(), Activation::Linear))
        .seed(5)
        .build()?;
    let model = Model::with_encoder(net, encoder)?.with_output_function(OutputFunction::Softmax)?;
    Ok((table, model))
}

/// As `check_golden`, of a model with an encoder: the table holds what it predicts of a table.
#[test]
fn models_of_tables_of_version_1_are_read() -> Result<()> {
    let (path, predictions) = (
        golden("v1/table_f64.safetensors"),
        golden("v1/table_f64.tsv"),
    );
    let (table, model) = model_of_a_table()?;
    let words = |table: &Table| -> Result<Vec<String>> {
        Ok(table
            .categories("class")?
            .flatten()
            .map(String::from)
            .collect())
    };
    let numbers = |table: &Table| -> Result<Vec<f64>> {
        let classes = ["class=a", "class=b", "class=c"];
        let columns = classes.map(|class| table.numbers(class));
        Ok(columns.into_iter().collect::<Result<Vec<_>>>()?.concat())
    };
    if env::var_os("UPDATE_GOLDEN").is_some() {
        model.save(&path)?;
        let predicted = model.predict_table(&table)?;
        let text = format!(
            "{}\n{}\n",
            words(&predicted)?.join(" "),
            bits(&numbers(&predicted)?)
        );
        fs::write(&predictions, text).expect("a file that can be written");
    }
    let read = Model::<f64>::load(&path)?;
    let mut expected = model;
    expected.net_mut().set_params(read.net().params())?;
    assert_eq!(read, expected);
    let predicted = read.predict_table(&table)?;
    let text = fs::read_to_string(predictions).expect("the predictions");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(words(&predicted)?.join(" "), lines[0]);
    if fused() {
        assert_eq!(bits(&numbers(&predicted)?), lines[1]);
    }
    for (y, expected) in numbers(&predicted)?.iter().zip(lines[1].split(' ')) {
        let expected = f64::from_bits(u64::from_str_radix(expected, 16).expect("bits"));
        assert!((y - expected).abs() <= 1e-13);
    }
    Ok(())
}

#[test]
fn files_of_version_1_are_read() -> Result<()> {
    check_golden("all_layers_f32", model::<f32>()?, 1e-5)?;
    check_golden("all_layers_f64", model::<f64>()?, 1e-13)?;
    let plain = Sequential::builder(3)
        .layer(Dense::new(2, Activation::Tanh))
        .build_with(&mut rng(1))?;
    check_golden::<f32>("plain_f32", plain.into(), 1e-6)?;
    let classifier = classifier(3)?
        .with_output_function(OutputFunction::Softmax)?
        .with_classes(["one", "two", "three"])?;
    check_golden::<f64>("classifier_f64", classifier, 1e-13)?;
    // A file of f32 is one of f64, too.
    let (narrow, wide) = (
        Model::<f32>::load(golden("v1/plain_f32.safetensors"))?,
        Model::<f64>::load(golden("v1/plain_f32.safetensors"))?,
    );
    assert_eq!(bits(narrow.net().params()), bits(wide.net().params()));
    Ok(())
}

/// Reads a state dict that PyTorch has written and compares what the network makes of some inputs
/// with what PyTorch did.
fn check_pytorch<T: Real>(name: &str, net: Sequential<T>, tolerance: f64) -> Result<()> {
    agrees(
        &golden(&format!("pytorch/{name}.safetensors")),
        net,
        tolerance,
    )
}

/// Reads a state dict and compares what the network makes of the inputs in the table beside it with
/// the outputs there.
pub(crate) fn agrees<T: Real>(path: &Path, mut net: Sequential<T>, tolerance: f64) -> Result<()> {
    net.load_params(path)?;
    let table = fs::read_to_string(path.with_extension("tsv")).expect("the table");
    for line in table.lines() {
        let numbers = |text: &str| {
            text.split(' ')
                .map(|x| x.parse().expect("a number"))
                .collect::<Vec<f64>>()
        };
        let (x, t) = line
            .split_once('\t')
            .map(|(x, t)| (numbers(x), numbers(t)))
            .expect("inputs and outputs");
        let x: Vec<T> = x.into_iter().map(T::of).collect();
        let y = net.predict(View::new(&x, x.len())?)?;
        assert_eq!(y.len(), t.len());
        for (y, t) in y.iter().zip(t) {
            assert!(
                (y.as_f64() - t).abs() <= tolerance * (1.0 + t.abs()),
                "{}: {y}, expected {t}",
                path.display()
            );
        }
    }
    Ok(())
}

fn mlp<T: Real>() -> Result<Sequential<T>> {
    Sequential::builder(3)
        .layer(Dense::new(5, Activation::Relu))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(2, Activation::Linear))
        .build_with(&mut rng(1))
}

fn norms<T: Real>() -> Result<Sequential<T>> {
    Sequential::builder(4)
        .layer(Dense::new(6, Activation::Linear).without_bias())
        .layer(BatchNorm::new())
        .layer(Activation::Silu)
        .layer(LayerNorm::new())
        .layer(AlphaDropout::new(0.1))
        .layer(RmsNorm::new().eps(1e-6))
        .layer(Dense::new(3, Activation::Linear))
        .layer(Softmax)
        .build_with(&mut rng(1))
}

/// Modules in modules, with the names of their attributes.
fn nested<T: Real>() -> Result<Sequential<T>> {
    let body = Chain::new()
        .layer(LayerNorm::new().eps(1e-5))
        .layer(Dense::new(8, Activation::Gelu))
        .layer(Dropout::new(0.2))
        .layer(Dense::new(5, Activation::Linear));
    let inner = Residual::new(Chain::new().layer(Dense::new(3, Activation::Tanh)))
        .projection(Dense::new(3, Activation::Linear).without_bias());
    let branches = Parallel::new()
        .branch(Dense::new(2, Activation::Linear))
        .branch(Chain::new())
        .branch(Chain::new().layer(inner).layer(BatchNorm::new().eps(1e-5)));
    Sequential::builder(4)
        .layer(Dense::new(5, Activation::Tanh))
        .layer(Residual::new(body))
        .layer(branches)
        .layer(Chain::new().layer(Dense::new(4, Activation::Relu)))
        .layer(Dense::new(2, Activation::Linear))
        .build_with(&mut rng(1))
}

/// A layer of another crate within layers of this one.
#[test]
fn a_layer_of_another_crate_within_others() -> Result<()> {
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Times(f64);

    impl<T: Real> Layer<T> for Times {
        fn name(&self) -> String {
            "Times".into()
        }

        fn outputs(&self, inputs: usize) -> Result<usize> {
            Ok(inputs)
        }

        fn infer(&self, mut p: InferArgs<'_, T>) {
            for (y, x) in p.y.as_mut_slice().iter_mut().zip(p.x.as_slice()) {
                *y = T::of(self.0) * *x;
            }
        }

        fn backward(&self, _: BackwardArgs<'_, T>) {}
    }

    let body = Chain::new()
        .layer(Dense::new(2, Activation::Tanh))
        .layer(Times(0.5));
    let branches = Parallel::new()
        .branch(Times(3.0))
        .branch(Residual::new(body).projection(Times(-1.0)))
        .add();
    let net = Sequential::<f64>::builder(2)
        .layer(branches)
        .seed(1)
        .build()?;
    let model = Model::from(net);
    let error = model
        .to_safetensors()
        .expect_err("a layer that is not known");
    assert_eq!(error.place(), "layer 0.0 (Times)");
    assert_eq!(error.kind(), ErrorKind::Incompatible);

    let files = Safetensors::new().layer::<Times>("test::Times")?;
    let bytes = files.write(&model)?;
    let read = files.read(&bytes)?;
    let x = DMatrix::from_fn(2, 3, |i, j| (i + 2 * j) as f64 / 7.0);
    assert_eq!(read.predict(&x)?, model.predict(&x)?);
    assert_eq!(files.write(&read)?, bytes);
    let error = Model::<f64>::from_safetensors(&bytes).expect_err("not known either");
    assert_eq!(error.place(), "safetensors: layer 0.0");

    // As serde writes what is all of this crate, and none too deep for the stack.
    let deep = (0..200).fold(Chain::new(), |chain, _| Chain::new().layer(chain));
    let net = Sequential::<f64>::builder(1)
        .layer(Activation::Tanh)
        .layer(deep)
        .build()?;
    let bytes = Model::from(net).to_safetensors()?;
    let error = Model::<f64>::from_safetensors(&bytes).expect_err("too deep");
    assert_eq!(error.kind(), ErrorKind::Value, "{error}");
    Ok(())
}

#[test]
fn state_dicts_of_pytorch_are_read() -> Result<()> {
    check_pytorch::<f32>("mlp_f32", mlp()?, 1e-6)?;
    check_pytorch::<f64>("mlp_f32", mlp()?, 1e-14)?;
    check_pytorch::<f64>("mlp_f64", mlp()?, 1e-14)?;
    check_pytorch::<f32>("mlp_f16", mlp()?, 1e-6)?;
    check_pytorch::<f64>("mlp_f16", mlp()?, 1e-14)?;
    check_pytorch::<f32>("mlp_bf16", mlp()?, 1e-6)?;
    check_pytorch::<f64>("mlp_bf16", mlp()?, 1e-14)?;
    check_pytorch::<f32>("norms_f32", norms()?, 1e-6)?;
    check_pytorch::<f64>("norms_f32", norms()?, 1e-14)?;
    check_pytorch::<f32>("nested_f32", nested()?, 1e-6)?;
    check_pytorch::<f64>("nested_f32", nested()?, 1e-14)?;
    let names = "sigmoid tanh relu leaky_relu(slope=0.2) relu6 elu(alpha=0.7) selu gelu gelu_tanh \
        silu mish softplus softsign hard_sigmoid hard_tanh hard_swish";
    let activations = names
        .split_whitespace()
        .map(str::parse::<Activation>)
        .collect::<Result<Vec<_>>>()?;
    let builder = activations
        .into_iter()
        .fold(Sequential::builder(2), |builder, activation| {
            builder.layer(Dense::new(3, activation))
        });
    check_pytorch::<f64>(
        "activations_f64",
        builder
            .layer(Dense::new(3, Activation::Linear))
            .build_with(&mut rng(1))?,
        1e-14,
    )?;

    // Everything about a dict that does not fit is said, and changes nothing.
    let mut net = mlp::<f32>()?;
    let before = net.clone();
    let error = net
        .load_params(golden("pytorch/mlp_f64.safetensors"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(
        error.to_string().ends_with(
            "tensor 0.bias: got F64, expected numbers that f32 holds (a \
            network of f64 takes them all)"
        ),
        "{error}"
    );
    let error = net
        .load_params(golden("pytorch/norms_f32.safetensors"))
        .unwrap_err();
    assert!(
        error.to_string().contains(
            "tensor 0.bias: got none, expected one of shape [5] (there are 0.weight 1.bias"
        ),
        "{error}"
    );
    let error = Model::<f32>::load(golden("pytorch/mlp_f32.safetensors")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a state dict has no architecture"),
        "{error}"
    );
    let mut wider = Sequential::<f32>::builder(3)
        .layer(Dense::new(6, Activation::Relu))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(2, Activation::Linear))
        .build_with(&mut rng(1))?;
    let error = wider
        .load_params(golden("pytorch/mlp_f32.safetensors"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert!(
        error
            .to_string()
            .ends_with("tensor 0.bias: got [5], expected shape [6]"),
        "{error}"
    );
    assert_eq!(net, before);
    Ok(())
}

/// A state dict whose modules have names: each is mapped to the place of its layer, in both
/// directions.
#[test]
fn state_dicts_of_named_modules() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut build = || {
        Sequential::<f32>::builder(3)
            .layer(Dense::new(4, Activation::Relu))
            .layer(BatchNorm::new())
            .layer(Dense::new(2, Activation::Linear))
            .build_with(&mut rng)
    };
    let (trained, mut net) = (build()?, build()?);
    let start = net.params().to_vec();
    let files = Safetensors::new()
        .prefix("module.")
        .rename("encoder.layers.0", "0")
        .rename("bn", "2")
        .rename("bn.beta", "2.bias")
        .rename("", "3");
    let bytes = files.write(&trained.clone().into())?;
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file");
    let mut names = tensors.names();
    names.sort_unstable();
    let expected = [
        "module.bias",
        "module.bn.beta",
        "module.bn.running_mean",
        "module.bn.running_var",
        "module.bn.weight",
        "module.encoder.layers.0.bias",
        "module.encoder.layers.0.weight",
        "module.weight",
    ];
    assert_eq!(names, expected);
    files.read_params(&mut net, &bytes)?;
    assert_eq!(net, trained);
    assert_eq!(files.read(&bytes)?.net(), &trained);

    // Without the map the names do not fit, and the error tells which there are.
    net.set_params(&start)?;
    let text = |result: Result<()>| result.expect_err("other names").to_string();
    let error = text(
        Safetensors::new()
            .prefix("module.")
            .read_params(&mut net, &bytes),
    );
    assert!(
        error.contains(
            "tensor module.0.bias: got none, expected one of shape [4] (there are \
        module.bias module.bn.beta"
        ),
        "{error}"
    );
    assert!(
        error.ends_with("; Safetensors::rename and prefix map names)"),
        "{error}"
    );
    // A name that is none of the network's, and part of one that is no whole part.
    for name in ["9", "", "0.weights", "0.", "0.w"] {
        let error = text(
            Safetensors::new()
                .rename("fc1", name)
                .read_params(&mut net, &bytes),
        );
        let start = format!(
            "safetensors: Safetensors::rename: got {name:?}, expected a name of the network, or \
             the part of one"
        );
        assert!(
            error.starts_with(&start) && error.contains("(there are 0.weight 0.bias 2.weight"),
            "{error}"
        );
    }
    let twice = Safetensors::new().rename("fc1", "0").rename("fc2", "0");
    assert_eq!(
        text(twice.read_params(&mut net, &bytes)),
        "safetensors: Safetensors::rename: got \"0\", expected each name of the network once"
    );
    // Two layers of one name.
    let both = Safetensors::new().rename("fc", "0").rename("fc", "3");
    assert!(
        text(both.read_params(&mut net, &bytes))
            .contains("expected parameter blocks with names of their own")
    );
    assert_eq!(net.params(), start);
    Ok(())
}

/// Files that are often taken for one of safetensors are called what they are, with the next step.
#[test]
fn files_of_another_kind() -> Result<()> {
    let mut torch = b"PK\x03\x04\0\0\x08\x08".to_vec();
    torch.resize(26, 0);
    torch.extend([12, 0, 0, 0]);
    torch.extend(b"net/data.pkl");
    torch.resize(1000, 0);
    let legacy = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".to_vec();
    // As a length of a header, this one would fit the file.
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0];
    gzip.resize(600_000, 1);
    let mut net = Sequential::<f32>::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let state_dict =
        "in Python: safetensors.torch.save_file(net.state_dict(), \"net.safetensors\")";
    for (bytes, given, next) in [
        (
            &torch,
            "a pickle of torch.save, a .pt or .pth file",
            state_dict,
        ),
        (
            &legacy,
            "a pickle of torch.save, a .pt or .pth file",
            state_dict,
        ),
        (&gzip, "a gzip file", "unpack it with gzip -d"),
    ] {
        let text =
            format!("safetensors: header: got {given}, expected a file of safetensors ({next})");
        assert_eq!(
            Model::<f32>::from_safetensors(bytes)
                .expect_err("another file")
                .to_string(),
            text
        );
        assert_eq!(
            net.read_params(bytes)
                .expect_err("another file")
                .to_string(),
            text
        );
    }
    Ok(())
}

/// A file with this header and so many bytes of data, all 0.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// y = w·x + b of two inputs.
fn neuron() -> Result<Sequential<f32>> {
    Sequential::builder(2)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))
}

const WEIGHT: &str = r#""0.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}"#;
const BIAS: &str = r#""0.bias":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}"#;

/// What a reader says to a file that it must not take: in little memory, and without a change.
fn refused(bytes: &[u8]) -> Result<Error> {
    let mut net = neuron()?;
    let before = net.clone();
    let (read, took) = peak(|| net.read_params(bytes));
    let error = read.expect_err("a file that is no state dict of the network");
    assert!(took < 16 * bytes.len() + 10_000, "{took} bytes for {error}");
    assert_eq!(net, before);
    let (model, took) = peak(|| Model::<f32>::from_safetensors(bytes));
    assert!(took < 16 * bytes.len() + 10_000, "{took} bytes for a model");
    assert!(model.is_err());
    Ok(error)
}

#[test]
fn hostile_headers_are_refused() -> Result<()> {
    let mut net = neuron()?;
    net.read_params(&file(&format!("{{{WEIGHT},{BIAS}}}"), 12))?;
    assert_eq!(net.params(), [0.0; 3]);

    let check = |header: &str, data: usize, part: &str| {
        let error = refused(&file(header, data)).expect("a network");
        assert!(error.to_string().contains(part), "{header}: {error}");
        assert!(error.to_string().starts_with("safetensors: "), "{error}");
    };
    // 2⁴⁰ × 2⁴⁰, and sizes whose product, sum or number of bits overflows.
    let tensor = |shape: &str, from: &str, to: &str| {
        let weight = format!(r#"{{"dtype":"F32","shape":[{shape}],"data_offsets":[{from},{to}]}}"#);
        format!(r#"{{"0.weight":{weight},{BIAS}}}"#)
    };
    check(
        &tensor("1099511627776,1099511627776", "0", "8"),
        12,
        "tensors one after the other",
    );
    check(
        &tensor(
            "1099511627776,1099511627776",
            "0",
            "4835703278458516698824704",
        ),
        12,
        "as JSON",
    );
    check(
        &tensor("1099511627776,2", "0", "8796093022208"),
        12,
        "tensors one after the other",
    );
    check(
        &tensor("18446744073709551615,2", "0", "8"),
        12,
        "tensors one after the other",
    );
    check(&tensor("18446744073709551616,2", "0", "8"), 12, "as JSON");
    check(&tensor("-1,2", "0", "8"), 12, "as JSON");
    check(&tensor("1.0,2", "0", "8"), 12, "as JSON");
    check(&tensor("1,2", "4", "12"), 12, "tensors one after the other"); // they overlap
    check(&tensor("1,2", "0", "12"), 12, "tensors one after the other");
    check(&tensor("1,2", "8", "0"), 12, "tensors one after the other");
    check(&tensor("1,1", "0", "4"), 12, "tensors one after the other"); // a gap
    check(
        &tensor("2,1", "0", "8"),
        12,
        "tensor 0.weight: got [2, 1], expected shape [1, 2]",
    );
    check(&tensor("2", "0", "8"), 12, "got [2], expected shape [1, 2]");
    let huge = (0..8)
        .map(|i| {
            format!(
                r#""{i}":{{"dtype":"U8","shape":[2305843009213693951],"data_offsets":[{},{}]}}"#,
                i * 2305843009213693951_u64,
                (i + 1) * 2305843009213693951
            )
        })
        .collect::<Vec<_>>()
        .join(",");
    check(
        &format!("{{{huge}}}"),
        12,
        "got 18446744073709551608, expected tensors of 12 bytes, as in the file",
    ); // together 2⁶⁴ − 8
    let sound = format!("{{{WEIGHT},{BIAS}}}");
    check(
        &sound,
        11,
        "got 12, expected tensors of 11 bytes, as in the file",
    );
    check(
        &sound,
        13,
        "got 12, expected tensors of 13 bytes, as in the file",
    );
    check("", 0, "as JSON");
    check("{", 0, "as JSON");
    check("[]", 0, "as JSON");
    check("null", 0, "as JSON");
    check(
        "{}",
        0,
        "tensor 0.bias: got none, expected one of shape [1]",
    );
    check(
        &format!("{{{WEIGHT},{WEIGHT},{BIAS}}}"),
        12,
        "\"0.weight\" is there twice",
    );
    check(
        &format!(r#"{{"__metadata__":{{}},{WEIGHT},{BIAS},"__metadata__":{{}}}}"#),
        12,
        "\"__metadata__\" is there twice",
    );
    check(
        &format!(r#"{{"__metadata__":{{"a":"1","a":"2"}},{WEIGHT},{BIAS}}}"#),
        12,
        "\"a\" is there twice",
    );
    check(
        &format!(r#"{{"__metadata__":{{"a":1}},{WEIGHT},{BIAS}}}"#),
        12,
        "as JSON",
    );
    check(
        &format!(r#"{{"__metadata__":{{"chainrule.version":"2"}},{WEIGHT},{BIAS}}}"#),
        12,
        "got \"2\", expected version 1, the only one so far",
    );
    let typed = |dtype: &str, shape: &str, bytes: usize| {
        let bias = format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[8,{bytes}]}}"#);
        format!(r#"{{{WEIGHT},"0.bias":{bias}}}"#)
    };
    check(
        &typed("I32", "[1]", 12),
        12,
        "tensor 0.bias: got I32, expected numbers that f32 holds",
    );
    check(
        &typed("F8_E4M3", "[1]", 9),
        9,
        "got F8_E4M3, expected numbers that f32 holds",
    );
    check(
        &typed("F64", "[1]", 16),
        16,
        "a network of f64 takes them all",
    );
    check(&typed("F128", "[1]", 24), 24, "as JSON");
    let more = r#"{"dtype":"F32","shape":[1,1],"data_offsets":[12,16]}"#;
    check(
        &format!(r#"{{{WEIGHT},{BIAS},"1.weight":{more}}}"#),
        16,
        "tensor 1.weight: got one, expected none",
    );
    // PyTorch's count of batches belongs to a batch norm.
    let count = r#"{"dtype":"I64","shape":[],"data_offsets":[12,20]}"#;
    check(
        &format!(r#"{{{WEIGHT},{BIAS},"0.num_batches_tracked":{count}}}"#),
        20,
        "tensor 0.num_batches_tracked: got one, expected none",
    );
    check(
        &format!(r#"{{"0.weight":{},{BIAS}}}"#, "[".repeat(100_000)),
        12,
        "as JSON",
    );
    check(
        &format!(
            "{}{}",
            r#"{"0.weight":{"x":"#.repeat(50_000),
            "}".repeat(100_000)
        ),
        12,
        "as JSON",
    );

    // A header that is longer than the file, or than any reader takes.
    for size in [
        0,
        1,
        12,
        1 << 20,
        100_000_001,
        1 << 40,
        u64::MAX - 7,
        u64::MAX,
    ] {
        let mut bytes = file(&sound, 12);
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        refused(&bytes)?;
    }
    for bytes in [&[][..], &[0], &[0; 7], &[0; 8]] {
        assert_eq!(refused(bytes)?.kind(), ErrorKind::Parse);
    }
    Ok(())
}

#[test]
fn hostile_architectures_are_refused() -> Result<()> {
    let check = |model: &str, part: &str| {
        let notes = serde_json::json!({ "chainrule.version": "1", "chainrule.model": model });
        let bytes = file(
            &format!(r#"{{"__metadata__":{notes},{WEIGHT},{BIAS}}}"#),
            12,
        );
        let (read, took) = peak(|| Model::<f32>::from_safetensors(&bytes));
        let text = read.map_or_else(
            |e| e.to_string(),
            |model| format!("read: {:?}", model.net().layers()),
        );
        assert!(text.contains(part), "{model}: {text}");
        assert!(took < 16 * bytes.len() + 20_000, "{took} bytes for {text}");
    };
    let described = |scalar: &str, inputs: &str, layers: &str, scalers: &str| {
        let rest = r#""output_function":"identity","classes":null"#;
        format!(r#"{{"scalar":"{scalar}","inputs":{inputs},"layers":[{layers}],{scalers},{rest}}}"#)
    };
    let dense = |outputs: &str| {
        let rest = r#""activation":"linear","bias":"Zeros","init":"HeNormal""#;
        format!(r#"{{"Dense":{{"outputs":{outputs},{rest}}}}}"#)
    };
    let none = r#""input_scaler":null,"output_scaler":null"#;
    check(&described("f32", "2", &dense("1"), none), "read: [Dense");
    check(
        &described("f64", "2", &dense("1"), none),
        "got one of f64, expected a model of f32",
    );
    check(
        &described("f16", "2", &dense("1"), none),
        "got one of f16, expected a model of f32",
    );
    check(
        &described("f32", "0", &dense("1"), none),
        "at least 1 input",
    );
    check(
        &described("f32", "-1", &dense("1"), none),
        "chainrule.model",
    );
    check(&described("f32", "2", "", none), "at least 1 layer");
    check(
        &described("f32", "2", &dense("0"), none),
        "layer 0 (Dense linear): got 0, expected at least 1 output",
    );
    check(
        &described("f32", "2", &dense("1099511627776"), none),
        "tensor 0.weight: got [1, 2], expected shape [1099511627776, 2]",
    );
    check(
        &described("f32", "1099511627776", &dense("1099511627776"), none),
        "parameters that fit into memory",
    );
    check(
        &described("f32", "18446744073709551615", &dense("1"), none),
        "parameters that fit into memory",
    );
    check(
        &described("f32", "18446744073709551615", r#"{"Softmax":null}"#, none),
        "tensor 0.weight: got one, expected none",
    );
    check(
        &described("f32", "2", &[dense("1"), dense("1")].join(","), none),
        "tensor 1.bias: got none, expected one of shape [1]",
    );
    check(
        &described("f32", "2", r#"{"Swish":null}"#, none),
        "layer 0: got unknown variant `Swish`, expected a layer of this crate, or one that is made \
         known",
    );
    check(
        &described("f32", "2", r#"{"Dropout":{"p":1.0}}"#, none),
        "layer 0 (Dropout): got 1, expected a probability",
    );
    check(
        &described("f32", "2", r#"{"Activation":"elu(alpha=NaN)"}"#, none),
        "layer 0",
    );
    check(
        &described(
            "f32",
            "2",
            &format!("{},{}", r#""Softmax""#, dense("1")),
            none,
        ),
        "layer 0",
    );
    check(&described("f32", "2", "{}", none), "layer 0");
    check(
        &described(
            "f32",
            "2",
            &dense("1"),
            r#""input_scaler":{"shift":[0],"scale":[1]},"output_scaler":null"#,
        ),
        "scaler of inputs",
    );
    check(
        &described(
            "f32",
            "2",
            &dense("1"),
            r#""input_scaler":{"shift":[0,1],"scale":[1,0]},"output_scaler":null"#,
        ),
        "Scaler::new",
    );
    check(
        &described("f32", "2", &dense("1"), r#""input_scaler":null"#),
        "missing field",
    );
    check(
        &described("f32", "2", &dense("1"), &format!("{none},\"extra\":1")),
        "unknown field",
    );
    check(
        &described("f32", "2", &"[".repeat(100_000), none),
        "chainrule.model",
    );
    let sound = described("f32", "2", &dense("1"), none);
    let function = |name: &str| sound.replace("\"identity\"", name);
    check(&function(r#""sigmoid""#), "read: [Dense");
    check(
        &function(r#""ln""#),
        "OutputFunction: got \"ln\", expected one of identity, sigmoid, softmax, exp",
    );
    check(&function("null"), "chainrule.model");
    check(
        &function(r#""softmax""#),
        "got a single output, whose softmax is always 1, expected a network that ends on scores, \
         for Softmax",
    );
    check(
        &sound.replace(",\"output_function\":\"identity\"", ""),
        "missing field `output_function`",
    );
    check(
        &sound.replace(",\"classes\":null", ""),
        "missing field `classes`",
    );
    let classes = |names: &str| sound.replace("\"classes\":null", &format!("\"classes\":{names}"));
    check(&classes(r#"["no","yes"]"#), "read: [Dense");
    check(
        &classes(r#"["no"]"#),
        "classes of Model: got 1, expected 2 names, the second of the class whose probability the \
         only output is",
    );
    check(&classes("[]"), "classes of Model: got 0, expected 2 names");
    check(
        &classes(r#"["no","no"]"#),
        "classes of Model: got \"no\" twice, expected each name once",
    );
    check(
        &classes(r#"["no",""]"#),
        "classes of Model: got \"\", expected names that are not empty",
    );
    check(&classes(r#"{"no":1}"#), "chainrule.model");
    check("", "chainrule.model");
    let model = described("f32", "2", &dense("1"), none);
    let notes = serde_json::json!({
        "chainrule.version": "1",
        "chainrule.model": model,
        "chainrule.more": "",
    });
    let error = Model::<f32>::from_safetensors(&file(
        &format!(r#"{{"__metadata__":{notes},{WEIGHT},{BIAS}}}"#),
        12,
    ))
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("got \"chainrule.more\", expected names that do not begin with chainrule."),
        "{error}"
    );
    let bytes = file(
        &format!(r#"{{"__metadata__":{{"chainrule.version":"1"}},{WEIGHT},{BIAS}}}"#),
        12,
    );
    assert_eq!(
        Model::<f32>::from_safetensors(&bytes).unwrap_err().kind(),
        ErrorKind::Parse
    );
    Ok(())
}

#[test]
fn damaged_files_are_refused() -> Result<()> {
    let net = Sequential::<f32>::builder(2)
        .layer(Dense::new(2, Activation::Elu { alpha: 0.5 }))
        .layer(BatchNorm::new())
        .layer(Softmax)
        .build_with(&mut rng(1))?;
    let mut net_of_same = net.clone();
    let mut model = Model::new(net, Scaler::new(vec![0.5, 1.0], vec![1.0, 2.0])?, None)?;
    model.metadata_mut().insert("note".into(), "text".into());
    let bytes = model.to_safetensors()?;
    let x = DMatrix::from_element(2, 1, 1.0);
    // Whether they are a model, and a state dict.
    let mut read = |bytes: &[u8]| -> Result<(bool, bool)> {
        let (read, took) = peak(|| Model::<f32>::from_safetensors(bytes));
        assert!(took < 16 * bytes.len() + 10_000, "{took} bytes");
        if let Ok(model) = &read {
            // Whatever it is now, it predicts.
            assert_eq!(model.predict(&x)?.ncols(), 1);
        }
        let before = net_of_same.clone();
        let params = net_of_same.read_params(bytes);
        if params.is_err() {
            assert_eq!(net_of_same, before);
        }
        net_of_same = before;
        Ok((read.is_ok(), params.is_ok()))
    };
    for end in 0..bytes.len() {
        assert_eq!(
            read(&bytes[..end])?,
            (false, false),
            "the first {end} bytes were read"
        );
    }
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(read(&damaged)?, (false, false), "bit {bit}");
    }
    assert_eq!(read(&bytes)?, (true, true));

    // Without its checksum a file is read as it is; the name with a wrong letter is no name of a
    // note.
    let size = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let header = std::str::from_utf8(&bytes[8..size]).expect("a text");
    let start = header
        .find(r#""chainrule.checksum":""#)
        .expect("a checksum");
    let without = |from: &str, to: &str| {
        file(&header.replace(from, to), 0)
            .into_iter()
            .chain(bytes[size..].iter().copied())
    };
    // The name, the colon, sixteen digits in quotes, and the comma before the next note.
    let note = &header[start..start + 40];
    let mut bare: Vec<u8> = without(note, "").collect();
    assert_eq!(read(&bare)?, (true, true));
    let last = bare.len() - 1;
    bare[last] ^= 1;
    assert_eq!(read(&bare)?, (true, true));
    for wrong in ["chainrule.checksun", "chainrula.checksum"] {
        assert_eq!(
            read(&without("chainrule.checksum", wrong).collect::<Vec<_>>())?,
            (false, false),
            "{wrong}"
        );
    }
    let capitals = note
        .to_uppercase()
        .replace("CHAINRULE.CHECKSUM", "chainrule.checksum");
    if capitals != note {
        assert_eq!(
            read(&without(note, &capitals).collect::<Vec<_>>())?,
            (false, false),
            "{capitals}"
        );
    }
    Ok(())
}

#[test]
fn reading_takes_the_memory_of_the_parameters() -> Result<()> {
    let net = Sequential::<f32>::builder(300)
        .layer(Dense::new(1000, Activation::Relu))
        .layer(Dense::new(3, Activation::Linear))
        .build_with(&mut rng(1))?;
    let (folder, params) = (Folder::new("memory"), net.params().len() * 4);
    let path = folder.0.join("model.safetensors");
    Model::from(net.clone()).save(&path)?;
    let (model, took) = peak(|| Model::<f32>::load(&path));
    assert!(
        (params..params + 100_000).contains(&took),
        "{took} bytes for {params}"
    );
    let mut net = model?.into_net();
    let (read, took) = peak(|| net.load_params(&path));
    assert!(
        (params..params + 100_000).contains(&took),
        "{took} bytes for {params}"
    );
    read
}

#[test]
fn files_are_there_whole_or_not_at_all() -> Result<()> {
    let folder = Folder::new("files");
    let path = folder.0.join("model.safetensors");
    let model = model::<f64>()?;
    model.save(&path)?;
    assert_eq!(Model::<f64>::load(&path)?, model);
    // What cannot be written leaves the old file, and nothing beside it.
    let mut other = model.clone();
    other
        .metadata_mut()
        .insert("chainrule.version".into(), "9".into());
    let error = other.save(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(
        error
            .to_string()
            .contains("names that do not begin with chainrule."),
        "{error}"
    );
    assert_eq!(Model::<f64>::load(&path)?, model);
    assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 1);

    let error = Model::<f64>::load(folder.0.join("none.safetensors")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.place().ends_with("none.safetensors"));
    assert_eq!(
        Model::<f64>::load(&folder.0).unwrap_err().kind(),
        ErrorKind::Io
    );
    let error = Model::<f32>::load(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(
        error
            .to_string()
            .ends_with("got one of f64, expected a model of f32"),
        "{error}"
    );
    // A model file is a state dict.
    let mut net = all_layers::<f64>()?;
    net.load_params(&path)?;
    assert_eq!(&net, model.net());
    Ok(())
}

/// y = g ⊙ x, a layer of another crate with parameters and an option.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Gain {
    start: f64,
}

impl<T: Real> Layer<T> for Gain {
    fn name(&self) -> String {
        "Gain".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }
    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![
            Block::new("gain", Role::Scale, inputs, 1),
            Block::new("mix", Role::Weight, inputs, 2),
            Block::new("none", Role::Weight, 3, 0),
        ]
    }
    fn init_params(&self, p: chainrule::nn::layer::InitParamsArgs<'_, T>) {
        for (i, p) in p.params.iter_mut().enumerate() {
            *p = T::of(self.start + i as f64);
        }
    }
    fn infer(&self, mut p: InferArgs<'_, T>) {
        for (y, x) in p.y.iter_mut().zip(p.x.iter()) {
            for ((y, x), g) in y.iter_mut().zip(x).zip(p.params) {
                *y = *g * *x;
            }
        }
    }
    fn backward(&self, _: BackwardArgs<'_, T>) {}
}

/// Another, whose blocks have one name.
#[derive(Debug, Serialize, Deserialize)]
struct Twins;

impl<T: Real> Layer<T> for Twins {
    fn name(&self) -> String {
        "Twins".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }
    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![
            Block::new("twin", Role::Scale, inputs, 1),
            Block::new("twin", Role::Bias, inputs, 1),
        ]
    }
    fn infer(&self, _: InferArgs<'_, T>) {}
    fn backward(&self, _: BackwardArgs<'_, T>) {}
}

fn foreign<T: Real>(layer: impl Layer<T>) -> Result<Model<T>> {
    let dense = || Dense::new(3, Activation::Relu);
    Ok(Sequential::builder(2)
        .layer(dense())
        .layer(layer)
        .layer(dense())
        .build_with(&mut rng(1))?
        .into())
}

#[test]
fn layers_of_other_crates_are_known_by_name() -> Result<()> {
    let model = foreign::<f64>(Gain { start: 0.1 })?;
    let error = model.to_safetensors().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("layer 1 (Gain): got Gain, expected a layer of this crate, or"),
        "{error}"
    );
    let files = Safetensors::new().layer::<Gain>("mine::Gain")?;
    let bytes = files.write(&model)?;
    let read = files.read(&bytes)?;
    assert_eq!(read, model);
    assert_eq!(
        read.predict(&DMatrix::from_element(2, 1, 0.5))?,
        model.predict(&DMatrix::from_element(2, 1, 0.5))?
    );
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file");
    let shape = |name: &str| tensors.tensor(name).expect("there").shape().to_vec();
    assert_eq!(
        (
            shape("2.gain"),
            shape("2.mix"),
            shape("2.none"),
            shape("3.weight")
        ),
        (vec![3], vec![3, 2], vec![3, 0], vec![3, 3])
    );

    // Not known, or by another name.
    let error = Model::<f64>::from_safetensors(&bytes).unwrap_err();
    let text = "safetensors: layer 1: got unknown variant `mine::Gain`, expected a layer of this \
        crate, or one that is made known by Safetensors::layer";
    assert_eq!(error.to_string(), text);
    assert!(
        Safetensors::<f64>::new()
            .layer::<Gain>("other::Gain")?
            .read(&bytes)
            .is_err()
    );
    // Under both, a new name is written and the old one read.
    let renamed = Safetensors::new()
        .layer::<Gain>("new::Gain")?
        .layer::<Gain>("mine::Gain")?;
    assert_eq!(renamed.read(&bytes)?, model);
    assert_eq!(renamed.read(&renamed.write(&model)?)?, model);
    assert!(files.read(&renamed.write(&model)?).is_err());
    // Parameters need no name of the layer.
    let mut net = foreign::<f64>(Gain { start: 7.0 })?.into_net();
    net.read_params(&bytes)?;
    assert_eq!(net.params(), model.net().params());

    for taken in ["mine::Gain", "Dense", "Activation"] {
        let error = files.clone().layer::<Gain>(taken).unwrap_err();
        assert_eq!(
            (error.kind(), error.given()),
            (ErrorKind::Value, format!("{taken:?}").as_str())
        );
    }
    let error = files
        .clone()
        .layer::<Twins>("mine::Twins")?
        .write(&foreign(Twins)?)
        .unwrap_err();
    assert!(
        error.to_string().contains(
            "layer 1 (Twins): got two of \"twin\", expected parameter \
            blocks with names of their own"
        ),
        "{error}"
    );
    // What JSON cannot hold could not be read back.
    let error = files
        .write(&foreign(Gain { start: f64::NAN })?)
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Parse, "layer 1 (Gain)")
    );
    Ok(())
}

#[test]
fn a_module_within_a_larger_one_has_a_prefix() -> Result<()> {
    let model = model::<f32>()?;
    let (policy, value) = (
        Safetensors::new().prefix("policy."),
        Safetensors::new().prefix("value."),
    );
    let bytes = policy.write(&model)?;
    assert_eq!(policy.read(&bytes)?, model);
    let error = value.read(&bytes).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("tensor value.1.weight: got none, expected one of shape [5, 3]"),
        "{error}"
    );
    // Two modules in one dict.
    let two = r#"{
        "value.0.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},
        "policy.0.weight":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]},
        "policy.0.bias":{"dtype":"F16","shape":[1],"data_offsets":[12,14]},
        "value.0.bias":{"dtype":"F32","shape":[1],"data_offsets":[14,18]}
    }"#;
    let mut bytes = file(two, 0);
    bytes.extend([1.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()));
    bytes.extend(
        [0x3f80_u16, 0xc040, 0x3555]
            .iter()
            .flat_map(|x| x.to_le_bytes()),
    );
    bytes.extend(0.25_f32.to_le_bytes());
    let mut net = neuron()?;
    value.read_params(&mut net, &bytes)?;
    assert_eq!(net.params(), [1.5, -2.0, 0.25]);
    policy.read_params(&mut net, &bytes)?;
    assert_eq!(net.params(), [1.0, -3.0, 0.333_251_95]);
    assert!(net.read_params(&bytes).is_err());
    Ok(())
}

#[test]
fn half_precision_is_read_exactly() -> Result<()> {
    // All numbers of binary16 and bfloat16, against their definitions by powers of two.
    let two = |exponent: i32| 2_f64.powi(exponent);
    let value = |bits: u32, fraction_bits: u32, bias: i32, top: u32| {
        let (exponent, fraction) = (
            bits >> fraction_bits & top,
            f64::from(bits & ((1 << fraction_bits) - 1)) / two(fraction_bits as i32),
        );
        let size = match exponent {
            0 => fraction * two(1 - bias),
            e if e == top => {
                if fraction == 0.0 {
                    f64::INFINITY
                } else {
                    f64::NAN
                }
            }
            e => (1.0 + fraction) * two(e as i32 - bias),
        };
        if bits >> 15 == 0 { size } else { -size }
    };
    for (dtype, fraction_bits, bias, top) in [("F16", 10, 15, 31), ("BF16", 7, 127, 255)] {
        let header = format!(
            r#"{{"0.weight":{{"dtype":"{dtype}","shape":[1,65536],"data_offsets":[0,131072]}}}}"#
        );
        let mut bytes = file(&header, 0);
        bytes.extend((0..=u16::MAX).flat_map(u16::to_le_bytes));
        let mut wide = Sequential::<f64>::builder(65536)
            .layer(Dense::new(1, Activation::Linear).without_bias())
            .build_with(&mut rng(1))?;
        let mut narrow = Sequential::<f32>::builder(65536)
            .layer(Dense::new(1, Activation::Linear).without_bias())
            .build_with(&mut rng(1))?;
        wide.read_params(&bytes)?;
        narrow.read_params(&bytes)?;
        for (bits, (wide, narrow)) in
            (0..=u32::from(u16::MAX)).zip(wide.params().iter().zip(narrow.params()))
        {
            let expected = value(bits, fraction_bits, bias, top);
            if expected.is_nan() {
                assert!(wide.is_nan() && narrow.is_nan());
            } else {
                assert_eq!(
                    [wide.to_bits(), f64::from(*narrow).to_bits()],
                    [expected.to_bits(); 2],
                    "{dtype} {bits:x}"
                );
            }
        }
    }
    Ok(())
}

#[cfg(feature = "num-dual")]
#[test]
fn scalars_that_no_file_holds_are_refused() -> Result<()> {
    let mut net = Sequential::<num_dual::Dual64>::builder(2)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    let error = net
        .read_params(&file(&format!("{{{WEIGHT},{BIAS}}}"), 12))
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.expected()),
        (ErrorKind::Incompatible, "f32 or f64")
    );
    assert_eq!(
        Model::from(net).to_safetensors().unwrap_err().kind(),
        ErrorKind::Incompatible
    );
    Ok(())
}

/// A variance is never negative, in whatever file it comes.
#[test]
fn parameters_that_a_layer_cannot_have_are_refused() -> Result<()> {
    let net = Sequential::<f64>::builder(2)
        .layer(Dense::new(3, Activation::Relu))
        .layer(BatchNorm::new())
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    let variance = |value: f64| {
        let mut net = net.clone();
        // Weights and biases of the first layer, scale, bias and mean of the second come before.
        net.params_mut()[9 + 3 * 3 + 1] = value;
        net
    };
    assert_eq!(variance(0.5).blocks(1)[3].name, "running_variance");
    for value in [0.0, -0.0, 1e300, f64::INFINITY] {
        let mut other = net.clone();
        other.read_params(&Model::from(variance(value)).to_safetensors()?)?;
        assert_eq!(other, variance(value));
    }
    for value in [-1e-300, -1.0, f64::NEG_INFINITY] {
        let wrong = variance(value);
        let check = |error: Error| {
            assert_eq!(error.kind(), ErrorKind::Value);
            let text = error.to_string();
            assert!(
                text.contains("layer 1 (BatchNorm): running_variance of feature 1: got -"),
                "{text}"
            );
            assert!(text.contains("expected a variance ≥ 0"), "{text}");
        };
        // What is refused in reading is not written.
        check(Model::from(wrong.clone()).to_safetensors().unwrap_err());
        let sound = 0.123_456_789;
        let with = |mut bytes: Vec<u8>| {
            replace(&mut bytes, &f64::to_le_bytes(sound), &value.to_le_bytes());
            bytes
        };
        let mut bytes = with(Model::from(variance(sound)).to_safetensors()?);
        // Their checksum is no longer that of the bytes.
        replace(&mut bytes, b"chainrule.checksum", b"checksum of before");
        check(Model::<f64>::from_safetensors(&bytes).unwrap_err());
        let mut other = net.clone();
        check(other.read_params(&bytes).unwrap_err());
        check(other.set_params(wrong.params()).unwrap_err());
        assert_eq!(other, net);
        let json = serde_json::to_string(&wrong).expect("JSON of a network");
        let error =
            serde_json::from_str::<Sequential<f64>>(&json).expect_err("a negative variance");
        assert!(
            error.to_string().contains("running_variance of feature 1"),
            "{error}"
        );
        #[cfg(feature = "onnx")]
        {
            let onnx = chainrule::io::Onnx::new();
            check(
                onnx.read::<f64>(&with(onnx.write(&variance(sound).into())?))
                    .unwrap_err(),
            );
            check(onnx.write(&wrong.into()).unwrap_err());
        }
    }
    Ok(())
}

/// Puts other bytes in the place of these, which must be there once.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let places: Vec<usize> = (0..=bytes.len() - old.len())
        .filter(|place| bytes[*place..].starts_with(old))
        .collect();
    let [place] = places[..] else {
        panic!("{} places", places.len())
    };
    bytes[place..place + new.len()].copy_from_slice(new);
}

/// What every kind of file has in common, however it is written.
#[cfg(all(unix, feature = "onnx", feature = "plot"))]
mod saving {
    use super::*;
    use chainrule::io::Onnx;
    use chainrule::plot::Curves;
    use chainrule::rand::RngExt;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    const KINDS: [&str; 5] = ["model", "onnx", "svg", "png", "checkpoint"];

    fn name(kind: &str) -> String {
        format!("saved.{kind}")
    }

    /// A network that is worth some time on the disk.
    fn network(version: u64) -> Result<Sequential<f32>> {
        Sequential::builder(100)
            .layer(Dense::new(300, Activation::Relu))
            .layer(Dense::new(1, Activation::Linear))
            .seed(version)
            .build()
    }

    fn trainer<'a>() -> Trainer<'a, f32> {
        Trainer::new(MeanSquaredError, Adam::new())
    }

    /// One of two versions of a file.
    fn save(kind: &str, version: u64, path: &Path) -> Result<()> {
        let points: Vec<_> = (0..4000)
            .map(|i| (f64::from(i), (f64::from(i) * (1.0 + version as f64)).sin()))
            .collect();
        match kind {
            "model" => Model::from(network(version)?).save(path),
            "onnx" => Onnx::new().save(&network(version)?.into(), path),
            "checkpoint" => trainer().save(&network(version)?, path),
            _ => Curves::new("Saved", "x", "y")
                .series("y", &points)
                .draw()?
                .save(path),
        }
    }

    /// The two versions of a file, as bytes.
    fn versions(kind: &str) -> Vec<Vec<u8>> {
        let folder = Folder::new(&format!("versions-{kind}"));
        let path = folder.0.join(name(kind));
        let bytes = |version| {
            save(kind, version, &path).expect("to be saved");
            fs::read(&path).expect("a file")
        };
        vec![bytes(0), bytes(1)]
    }

    /// Loads as the library does, where it can.
    fn load(kind: &str, path: &Path) -> Result<()> {
        match kind {
            "model" => Model::<f32>::load(path).map(drop),
            "onnx" => Onnx::new().load::<f32>(path).map(drop),
            "checkpoint" => trainer().resume(&mut network(0)?, path),
            _ => Ok(()),
        }
    }

    fn in_folder(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    fn child(test: &str, kind: &str, path: &Path) -> Child {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args([
            "--exact",
            &format!("files::saving::{test}"),
            "--ignored",
            "--nocapture",
        ]);
        command
            .env("CHAINRULE_KIND", kind)
            .env("CHAINRULE_PATH", path)
            .stdout(Stdio::null());
        command.spawn().expect("a process")
    }

    fn given() -> (String, PathBuf) {
        let text = |name| env::var(name).expect("run by another test");
        (
            text("CHAINRULE_KIND"),
            PathBuf::from(text("CHAINRULE_PATH")),
        )
    }

    fn setting(name: &str, default: u64) -> u64 {
        env::var(name).map_or(default, |text| text.parse().expect("a number"))
    }

    /// Processes are killed while they save: 200 of each kind with `CHAINRULE_KILLS=200`.
    #[test]
    fn killed_while_they_save() {
        let kills = setting("CHAINRULE_KILLS", 8);
        for kind in KINDS {
            let (folder, versions) = (Folder::new(&format!("killed-{kind}")), versions(kind));
            let path = folder.0.join(name(kind));
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
            let mut during = 0;
            for trial in 0..kills {
                // What a killed one left is swept away by the next, and no sign that it writes.
                let known = [in_folder(&folder.0), vec![name(kind)]].concat();
                let mut child = child("child_that_saves", kind, &path);
                let start = Instant::now();
                // Every other one while something is being written for sure, however long it took
                // to make.
                let writes = || {
                    in_folder(&folder.0)
                        .iter()
                        .any(|file| !known.contains(file))
                };
                let there = || path.exists() && (trial % 2 == 0 || writes());
                while !there() && start.elapsed() < Duration::from_secs(60) {
                    std::thread::sleep(Duration::from_micros(100));
                }
                std::thread::sleep(Duration::from_micros(
                    rng.random_range(0..if trial % 2 == 0 { 30_000 } else { 2_000 }),
                ));
                child.kill().expect("to be killed");
                child.wait().expect("to end");
                during += u64::from(in_folder(&folder.0).len() > 1);
                let bytes = fs::read(&path).expect("a file");
                assert!(
                    versions.contains(&bytes),
                    "{kind}: {} bytes, none of the two versions",
                    bytes.len()
                );
                load(kind, &path).expect("a whole file");
                // What is left goes with the next save.
                if rng.random_bool(0.5) {
                    save(kind, 0, &path).expect("to be saved");
                    assert_eq!(in_folder(&folder.0), [name(kind)]);
                    fs::remove_file(&path).expect("to be removed");
                }
            }
            eprintln!("{kind}: {kills} killed, {during} of them while they wrote");
            assert!(during > 0 || kills < 100, "{kind}");
        }
    }

    #[test]
    #[ignore = "run by another test in a process of its own"]
    fn child_that_saves() {
        let (kind, path) = given();
        let end = Instant::now() + Duration::from_secs(setting("CHAINRULE_SECONDS", 60));
        let mut saves = 0;
        while Instant::now() < end {
            save(&kind, saves % 2, &path).expect("to be saved");
            saves += 1;
        }
        assert!(saves > 1);
        eprintln!("{kind}: {saves} saves");
    }

    /// Two processes save to one path and a third loads from it: for 8 s of each kind with
    /// `CHAINRULE_SECONDS=8`.
    #[test]
    fn two_writers_at_once() {
        let seconds = setting("CHAINRULE_SECONDS", 1);
        for kind in KINDS {
            let (folder, versions) = (Folder::new(&format!("two-{kind}")), versions(kind));
            let path = folder.0.join(name(kind));
            let start = |_| {
                let mut command = Command::new(env::current_exe().expect("this program"));
                command.args([
                    "--exact",
                    "files::saving::child_that_saves",
                    "--ignored",
                    "--nocapture",
                ]);
                command
                    .env("CHAINRULE_KIND", kind)
                    .env("CHAINRULE_PATH", &path)
                    .env("CHAINRULE_SECONDS", seconds.to_string());
                command.stdout(Stdio::null()).spawn().expect("a process")
            };
            let mut writers = [0, 1].map(start);
            let mut loads = 0;
            while writers
                .iter_mut()
                .any(|writer| writer.try_wait().expect("a process").is_none())
            {
                if let Ok(bytes) = fs::read(&path) {
                    assert!(
                        versions.contains(&bytes),
                        "{kind}: {} bytes, none of the two versions",
                        bytes.len()
                    );
                    load(kind, &path).expect("a whole file");
                    loads += 1;
                }
            }
            for mut writer in writers {
                assert!(
                    writer.wait().expect("to end").success(),
                    "{kind}: a save failed"
                );
            }
            eprintln!("{kind}: {loads} loads");
            assert!(loads > 0);
            assert_eq!(in_folder(&folder.0), [name(kind)]);
        }
    }

    /// A file size limit, which the system enforces as it would the end of the disk.
    #[test]
    fn a_failed_write_leaves_the_old_file() {
        for kind in KINDS {
            let folder = Folder::new(&format!("full-{kind}"));
            let path = folder.0.join(name(kind));
            save(kind, 0, &path).expect("to be saved");
            let before = fs::read(&path).expect("a file");
            let output = Command::new("sh")
                .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""])
                .arg(env::current_exe().expect("this program"))
                .args([
                    "--exact",
                    "files::saving::child_that_cannot_write",
                    "--ignored",
                    "--nocapture",
                ])
                .env("CHAINRULE_KIND", kind)
                .env("CHAINRULE_PATH", &path)
                .output()
                .expect("a shell");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert_eq!(fs::read(&path).expect("a file"), before, "{kind}");
            assert_eq!(in_folder(&folder.0), [name(kind)]);
        }
    }

    #[test]
    #[ignore = "run by another test in a process of its own"]
    fn child_that_cannot_write() {
        let (kind, path) = given();
        let error = save(&kind, 1, &path).expect_err("no room");
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(error.place(), path.display().to_string());
    }

    #[test]
    fn planted_links_are_not_written_through() {
        for kind in KINDS {
            let folder = Folder::new(&format!("planted-{kind}"));
            let (path, victim) = (folder.0.join(name(kind)), folder.0.join("victim"));
            fs::write(&victim, "precious").expect("a file");
            symlink(&victim, folder.0.join(format!(".{}.tmp", name(kind)))).expect("a link");
            let leftover = folder
                .0
                .join(format!(".{}.chainrule-0123456789abcdef.tmp", name(kind)));
            symlink(&victim, &leftover).expect("a link");
            save(kind, 0, &path).expect("to be saved");
            assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious");
            assert!(
                fs::symlink_metadata(&leftover)
                    .expect("a link")
                    .is_symlink()
            );
        }
    }

    #[test]
    fn what_the_killed_left_is_removed_and_what_the_living_write_is_not() {
        for kind in KINDS {
            let folder = Folder::new(&format!("left-{kind}"));
            let path = folder.0.join(name(kind));
            let beside = |number: &str| {
                folder
                    .0
                    .join(format!(".{}.chainrule-{number}.tmp", name(kind)))
            };
            let (dead, alive) = (beside("0123456789abcdef"), beside("fedcba9876543210"));
            let others = [
                ".other.chainrule-0123456789abcdef.tmp",
                "note.tmp",
                &format!(".{}.chainrule-0123.tmp", name(kind)),
            ];
            for file in others {
                fs::write(folder.0.join(file), "").expect("a file");
            }
            fs::write(&dead, "half").expect("a file");
            let writer = fs::File::create(&alive).expect("a file");
            writer.lock().expect("a lock");
            save(kind, 0, &path).expect("to be saved");
            assert!(!dead.exists() && alive.exists(), "{kind}");
            drop(writer);
            save(kind, 0, &path).expect("to be saved");
            assert!(!alive.exists(), "{kind}");
            assert!(
                others.iter().all(|file| folder.0.join(file).exists()),
                "{kind}"
            );
        }
    }

    #[test]
    fn modes_are_kept() {
        for kind in KINDS {
            let folder = Folder::new(&format!("mode-{kind}"));
            let path = folder.0.join(name(kind));
            let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o7777;
            fs::write(folder.0.join("new"), "").expect("a file");
            save(kind, 0, &path).expect("to be saved");
            assert_eq!(
                mode(&path),
                mode(&folder.0.join("new")),
                "{kind}: as any new file"
            );
            for kept in [0o600, 0o640, 0o755, 0o666, 0o400] {
                fs::set_permissions(&path, fs::Permissions::from_mode(kept)).expect("a mode");
                save(kind, 1, &path).expect("to be saved");
                assert_eq!(mode(&path), kept, "{kind}");
            }
            // What is private is never anything else, not even while it is written.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
            let done = std::sync::atomic::AtomicBool::new(false);
            std::thread::scope(|scope| {
                let watch = scope.spawn(|| {
                    let mut seen = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        for file in fs::read_dir(&folder.0).expect("a folder").flatten() {
                            if file.file_name().to_string_lossy().ends_with(".tmp")
                                && let Ok(data) = file.metadata()
                            {
                                assert_eq!(
                                    data.mode() & 0o077,
                                    0,
                                    "{kind}: {:?}",
                                    file.file_name()
                                );
                                seen += 1;
                            }
                        }
                    }
                    seen
                });
                for version in 0..40 {
                    save(kind, version % 2, &path).expect("to be saved");
                }
                done.store(true, std::sync::atomic::Ordering::Relaxed);
                assert!(
                    watch.join().expect("no other mode") > 0,
                    "{kind}: nothing was seen"
                );
            });
        }
    }

    #[test]
    fn links_stay_links() {
        for kind in KINDS {
            let folder = Folder::new(&format!("links-{kind}"));
            let (there, path) = (folder.0.join("there"), folder.0.join(name(kind)));
            fs::create_dir(&there).expect("a folder");
            let target = there.join(name(kind));
            let middle = there.join(format!("middle.{kind}"));
            // Relative, and over a second link; at first to what does not exist.
            symlink(format!("there/middle.{kind}"), &path).expect("a link");
            symlink(name(kind), &middle).expect("a link");
            for version in 0..2 {
                save(kind, version, &path).expect("to be saved");
                assert!(
                    [&path, &middle]
                        .iter()
                        .all(|link| fs::symlink_metadata(link).expect("a link").is_symlink()),
                    "{kind}"
                );
                assert!(
                    fs::symlink_metadata(&target).expect("a file").is_file(),
                    "{kind}"
                );
                load(kind, &path).expect("a whole file");
                assert_eq!(
                    (in_folder(&folder.0).len(), in_folder(&there).len()),
                    (2, 2),
                    "{kind}"
                );
            }
            // In a circle.
            let circle = folder.0.join(format!("circle.{kind}"));
            symlink(format!("circle.{kind}"), &circle).expect("a link");
            assert_eq!(
                save(kind, 0, &circle).expect_err("a circle").kind(),
                ErrorKind::Io
            );
        }
    }

    #[test]
    fn only_regular_files_are_replaced_or_read() {
        for kind in KINDS {
            let folder = Folder::new(&format!("special-{kind}"));
            let refused = |path: &Path, what: &str| {
                let error = save(kind, 0, path).expect_err(what);
                assert_eq!(
                    (error.kind(), error.given()),
                    (ErrorKind::Io, what),
                    "{kind}"
                );
                assert_eq!(error.place(), path.display().to_string());
                if !matches!(kind, "svg" | "png") {
                    let error = load(kind, path).expect_err(what);
                    assert_eq!(
                        (error.kind(), error.given()),
                        (ErrorKind::Io, what),
                        "{kind}"
                    );
                }
            };
            let fifo = folder.0.join(name(kind));
            assert!(
                Command::new("mkfifo")
                    .arg(&fifo)
                    .status()
                    .expect("mkfifo")
                    .success()
            );
            refused(&fifo, "a FIFO");
            assert!(
                fs::symlink_metadata(&fifo)
                    .expect("a FIFO")
                    .file_type()
                    .is_fifo()
            );
            let link = folder.0.join(format!("zero.{kind}"));
            symlink("/dev/zero", &link).expect("a link");
            refused(&link, "a device");
            assert!(
                fs::metadata("/dev/zero")
                    .expect("a device")
                    .file_type()
                    .is_char_device()
            );
            let socket = folder.0.join(format!("socket.{kind}"));
            let _bound = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
            refused(&socket, "a socket");
            let inner = folder.0.join(format!("folder.{kind}"));
            fs::create_dir(&inner).expect("a folder");
            refused(&inner, "a folder");
            assert_eq!(in_folder(&folder.0).len(), 4);
        }
    }

    #[test]
    fn names_may_have_255_bytes() {
        for kind in KINDS {
            let folder = Folder::new(&format!("long-{kind}"));
            for letter in ["n", "ü", "名"] {
                let stem = letter.repeat((255 - 1 - kind.len()) / letter.len());
                let path = folder.0.join(format!("{stem}.{kind}"));
                save(kind, 0, &path).expect("to be saved");
                load(kind, &path).expect("a whole file");
            }
            assert_eq!(in_folder(&folder.0).len(), 3);
        }
    }

    /// A folder in which files may be made, but which nobody may read, cannot be brought to the
    /// disk. (For root every folder can be.)
    #[test]
    fn a_folder_that_cannot_be_synced_is_no_failure() {
        for kind in KINDS {
            let folder = Folder::new(&format!("unreadable-{kind}"));
            let path = folder.0.join(name(kind));
            fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o333)).expect("a mode");
            let saved = [0, 1].map(|version| save(kind, version, &path));
            fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).expect("a mode");
            assert!(saved.iter().all(Result::is_ok), "{kind}: {saved:?}");
            assert_eq!(in_folder(&folder.0), [name(kind)]);
        }
    }
}
