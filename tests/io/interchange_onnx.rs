//! ONNX with the real things: onnxruntime runs what is written, and what scikit-learn's models
//! become by skl2onnx is read.
//!
//! `tests/interchange/run` installs them and runs these tests; the variable `CHAINRULE_PYTHON` is
//! the interpreter that has them.
#![cfg(feature = "onnx")]

use crate::zoo::{self, EDGES, activations, inputs, layers};
use chainrule::Real;
use chainrule::data::{Encoder, Encoding, Fill, Scaling, Table, read_npy, write_npy};
use chainrule::io::Onnx;
use chainrule::nalgebra::DMatrix;
use chainrule::nn::loss::{GaussianNll, Heads, Loss, OutputFunction};
use chainrule::nn::*;
use chainrule::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Runs a script with the folder as its argument.
fn python(script: &str, folder: &Path) {
    let python = env::var_os("CHAINRULE_PYTHON").expect(
        "CHAINRULE_PYTHON: an interpreter with the packages of tests/interchange/requirements.txt",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/interchange")
        .join(script);
    let status = Command::new(python)
        .arg(script)
        .arg(folder)
        .status()
        .expect("the interpreter runs");
    assert!(status.success(), "{status}");
}

/// An empty folder of this name.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The largest difference, each relative to |y|, or `scale` where y is smaller.
#[track_caller]
fn difference<T: Real>(y: &DMatrix<T>, other: &DMatrix<T>, scale: f64) -> f64 {
    assert_eq!(y.shape(), other.shape());
    let apart = |(y, other): (&T, &T)| {
        let (y, other) = (y.as_f64(), other.as_f64());
        if y == other {
            0.0
        } else {
            (y - other).abs() / y.abs().max(scale)
        }
    };
    y.iter().zip(other).map(apart).fold(
        0.0,
        |max: f64, d| if d > max || d.is_nan() { d } else { max },
    )
}

/// A file, what goes in and what should come out.
struct Case<T> {
    name: String,
    file: Vec<u8>,
    x: DMatrix<T>,
    y: DMatrix<T>,
    /// What differences are relative to where numbers are smaller.
    scale: f64,
}

fn case<T: Real>(
    name: impl Into<String>,
    onnx: &Onnx,
    model: &Model<T>,
    x: DMatrix<T>,
) -> Result<Case<T>> {
    Ok(Case {
        name: name.into(),
        file: onnx.write(model)?,
        y: model.predict(&x)?,
        x,
        scale: 1.0,
    })
}

/// Every layer and activation as a file of its own, deep networks, scalers, output functions.
fn cases<T: Real>() -> Result<Vec<Case<T>>> {
    let plain = Onnx::new();
    let edges = DMatrix::from_fn(2, EDGES.len(), |i, j| {
        T::of(if i == 0 { EDGES[j] } else { -EDGES[j] })
    });
    let mut cases = Vec::new();
    for (i, activation) in activations()?.into_iter().enumerate() {
        let alone = activation.clone();
        let fused = activation.clone();
        let x = inputs(4, 20);
        cases.push(case(
            format!("edges{i} {activation}"),
            &plain,
            &layers!(2; alone)?.into(),
            edges.clone(),
        )?);
        cases.push(case(
            format!("fused{i} {activation}"),
            &plain,
            &layers!(4; Dense::new(5, fused))?.into(),
            x,
        )?);
    }
    let nets = [
        (
            "without_bias",
            layers!(4;
                Dense::new(3, Activation::Tanh).without_bias(),
                Dense::new(2, Activation::Linear).without_bias()
            )?,
        ),
        (
            "nothing",
            layers!(4; Dropout::new(0.5), Activation::Linear)?,
        ),
        (
            "surrogate",
            layers!(4; Dense::new(6, Activation::Step.surrogate(Activation::Sigmoid)))?,
        ),
        (
            "softmax",
            layers!(4; Dense::new(6, Activation::Relu), Softmax)?,
        ),
        ("layer_norm", layers!(4; LayerNorm::new())?),
        ("layer_norm_eps", layers!(4; LayerNorm::new().eps(0.3))?),
        (
            "layer_norm_scale",
            layers!(4; LayerNorm::new().without_bias())?,
        ),
        (
            "layer_norm_bias",
            layers!(4; LayerNorm::new().without_scale())?,
        ),
        (
            "layer_norm_bare",
            layers!(4; LayerNorm::new().without_scale().without_bias())?,
        ),
        ("rms_norm", layers!(4; RmsNorm::new())?),
        (
            "rms_norm_bare",
            layers!(4; RmsNorm::new().without_scale().eps(1e-3))?,
        ),
        ("batch_norm", layers!(4; BatchNorm::new())?),
        (
            "batch_norm_eps",
            layers!(4; BatchNorm::new().eps(0.3).momentum(0.25))?,
        ),
        (
            "batch_norm_scale",
            layers!(4; BatchNorm::new().without_bias())?,
        ),
        (
            "batch_norm_bias",
            layers!(4; BatchNorm::new().without_scale())?,
        ),
        (
            "batch_norm_bare",
            layers!(4; BatchNorm::new().without_scale().without_bias())?,
        ),
        (
            "deep",
            layers!(4;
                GaussianNoise::new(0.1),
                Dense::new(16, Activation::Gelu),
                LayerNorm::new(),
                AlphaDropout::new(0.1),
                Dense::new(7, Activation::Linear).without_bias(),
                BatchNorm::new(),
                Activation::HardSwish,
                Dense::new(7, Activation::Mish),
                RmsNorm::new(),
                Dense::new(3, Activation::Linear)
            )?,
        ),
    ];
    macro_rules! every {
        ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
            [$($((stringify!($made), layers!(4; $made)?)),+),+]
        };
    }
    for (name, net) in nets.into_iter().chain(chainrule::every_layer!(every)) {
        let x = match net.layers()[0].checks_inputs() {
            true => DMatrix::from_fn(4, 20, |i, j| T::of(((i + 3 * j) % 3) as f64)),
            false => inputs(4, 20),
        };
        // What norms divide by is a small difference for some samples; numbers are up to 2.
        cases.push(Case {
            scale: 2.0,
            ..case(name, &plain, &net.into(), x)?
        });
    }

    for seed in 0..20 {
        let net = zoo::nested::<T>(4, seed)?;
        // Terms of tens, of a sample that is large, may cancel in sums of branches.
        cases.push(Case {
            scale: 32.0,
            ..case(format!("nested {seed}"), &plain, &net.into(), inputs(4, 20))?
        });
    }
    let towers = zoo::towers::<T>()?;
    cases.push(case("towers", &plain, &towers.into(), zoo::words(20))?);

    let x = inputs(4, 20).map(|x: T| x * T::of(37.0) + T::of(5.0));
    let t = inputs(3, 20).map(|t: T| t * T::of(1e3) - T::of(250.0));
    let net = || layers!(4; Dense::new(8, Activation::Tanh), Dense::new(3, Activation::Linear));
    let scaled = case(
        "scaled",
        &plain,
        &Model::new(net()?, Scaler::standard(&x)?, Scaler::min_max(&t)?)?,
        x.clone(),
    )?;
    // Outputs of up to 80 000.
    cases.push(Case {
        scale: 1e4,
        ..scaled
    });
    cases.push(case(
        "scaled_in",
        &plain,
        &Model::new(net()?, Scaler::max_abs(&x)?, None)?,
        x.clone(),
    )?);
    cases.push(case(
        "scaled_out",
        &plain,
        &Model::new(net()?, None, Scaler::center(&t)?)?,
        x.clone(),
    )?);
    for function in OutputFunction::EVERY.into_iter().skip(1) {
        let model = Model::new(net()?, Scaler::standard(&x)?, None)?
            .with_output_function(function.clone())?;
        cases.push(case(
            format!("output {function}"),
            &plain,
            &model,
            x.clone(),
        )?);
        cases.push(Case {
            y: model.scores(&x)?,
            ..case(
                format!("scores before {function}"),
                &Onnx::new().scores(),
                &model,
                x.clone(),
            )?
        });
    }
    let heads = Heads::<T>::new()
        .head("a", 2, GaussianNll::new())
        .head("b", 3, SoftmaxCrossEntropy::new())
        .head("c", 1, SigmoidCrossEntropy::new());
    let net = layers!(4; Dense::new(8, Activation::Tanh), Dense::new(6, Activation::Linear))?;
    let scaler = Scaler::new(
        [5.0, 0.0, 0.0, 0.0, 0.0].map(T::of).into(),
        [20.0, 1.0, 1.0, 1.0, 1.0].map(T::of).into(),
    )?;
    let model = Model::new(net, Scaler::standard(&x)?, None)?
        .with_output_function(heads.output_function())?
        .with_scalers(Scaler::standard(&x)?, scaler)?;
    cases.push(case("output heads", &plain, &model, x.clone())?);
    Ok(cases)
}

/// Lets onnxruntime check and run all cases.
fn run<T: Real>(folder: &Path, tolerance: f64) -> Result<()> {
    let cases = cases::<T>()?;
    let path = |i: usize, suffix: &str| folder.join(format!("{i:03}.{suffix}"));
    for (i, case) in cases.iter().enumerate() {
        fs::write(path(i, "onnx"), &case.file).expect("a file");
        fs::write(path(i, "x.npy"), write_npy(&case.x)).expect("a file");
    }
    python("onnx_run.py", folder);
    let mut worst = (0.0, "");
    for (i, case) in cases.iter().enumerate() {
        let y = read_npy(&fs::read(path(i, "y.npy")).expect("a file"))?;
        let apart = difference(&case.y, &y, case.scale);
        println!("{:<40} {apart:.1e}", case.name);
        assert!(
            apart <= tolerance,
            "{}: {apart:e}\n{:.9}{:.9}",
            case.name,
            case.y.transpose(),
            y.transpose()
        );
        if apart > worst.0 {
            worst = (apart, &case.name);
        }
    }
    println!(
        "{} files, largest difference {:.1e} ({})",
        cases.len(),
        worst.0,
        worst.1
    );
    Ok(())
}

#[test]
#[ignore = "needs Python with onnxruntime: tests/interchange/run"]
fn onnxruntime_runs_every_layer_in_single_precision() -> Result<()> {
    run::<f32>(&folder("onnx_f32"), 1e-6)
}

#[test]
#[ignore = "needs Python with onnxruntime: tests/interchange/run"]
fn onnxruntime_runs_every_layer_in_double_precision() -> Result<()> {
    run::<f64>(&folder("onnx_f64"), 1e-12)
}

#[test]
#[ignore = "needs Python with skl2onnx: tests/interchange/run"]
fn models_of_scikit_learn_predict_the_same() -> Result<()> {
    read("onnx_sklearn.py", &folder("onnx_sklearn"))
}

#[test]
#[ignore = "needs Python with PyTorch, which is large: not in tests/interchange/run"]
fn networks_of_pytorch_predict_the_same() -> Result<()> {
    read("onnx_pytorch.py", &folder("onnx_pytorch"))
}

/// Models of tables: each kind of column, with rows that their encoders refuse.
fn tables<T: Real>(folder: &Path, tolerance: f64) -> Result<()> {
    let train = Table::new()
        .with_numbers(
            "weight of it",
            [Some(3504.0), None, Some(2372.0), Some(4100.5), Some(9.0)],
        )?
        .with_numbers("year", [70.0, 71.0, 76.0, 80.0, 82.0])?
        .with_categories("origin", ["USA", "Köln", "USA", "Köln", "Japan"])?
        .with_categories(
            "state",
            [Some("good"), Some("poor"), None, Some("fair"), Some("good")],
        )?
        .with_categories("class", ["a", "b", "a", "c", "c"])?;
    let whole = train.drop_missing(train.columns())?;
    let test = Table::new()
        .with_categories(
            "state",
            [Some("fair"), Some("none"), None, Some("poor"), Some("good")],
        )?
        .with_categories(
            "origin",
            [Some("Köln"), Some("USA"), Some("Mars"), None, Some("Japan")],
        )?
        .with_numbers(
            "year",
            [Some(75.0), None, Some(70.5), Some(1e6), Some(82.0)],
        )?
        .with_numbers(
            "weight of it",
            [Some(3000.0), Some(0.5), None, Some(-1.0), Some(1e4)],
        )?;
    let builder = || Encoder::builder().target("class");
    let state = |encoding: Encoding| builder().column("state", encoding);
    let order = Encoding::new().ordered(["poor", "fair", "good", "new"]);
    let encoders = [
        (&train, builder().fill(Fill::Median).indicators().rare(2)),
        (
            &train,
            builder()
                .fill(Fill::Mean)
                .scaling(Scaling::MinMax)
                .ignore_unknown(),
        ),
        (&train, builder().fill(Fill::Mean).rare(2).ignore_unknown()),
        (&whole, builder()),
        (
            &whole,
            builder().fill(Fill::Constant(-1.0)).scaling(Scaling::None),
        ),
        (
            &train,
            state(order.clone().indicator())
                .fill(Fill::Constant(1.0))
                .ignore_unknown(),
        ),
        (
            &train,
            state(Encoding::new().index().rare(2)).fill(Fill::Mean),
        ),
        (&whole, state(order)),
    ];
    let mut models: Vec<Model<T>> = Vec::new();
    for (table, builder) in encoders {
        let encoder = builder.fit(table)?;
        let net = Sequential::builder(encoder.inputs())
            .layer(Dense::new(5, Activation::Relu))
            .layer(Dense::new(encoder.outputs(), Activation::Linear))
            .seed(3)
            .build()?;
        let softmax = OutputFunction::Softmax;
        models.push(Model::with_encoder(net, encoder)?.with_output_function(softmax)?);
    }
    let number = Encoder::builder()
        .target("year")
        .inputs(["origin", "weight of it"]);
    let encoder = number.fill(Fill::Mean).fit(&train)?;
    let net = Sequential::builder(encoder.inputs())
        .layer(Dense::new(1, Activation::Tanh))
        .seed(4)
        .build()?;
    models.push(Model::with_encoder(net, encoder)?);
    // Words in a table; of those that are refused onnxruntime looks something up, too.
    let encoder = Encoder::builder()
        .target("year")
        .inputs(["origin", "weight of it"])
        .fill(Fill::Mean)
        .column("origin", Encoding::new().index().scaling(Scaling::None))
        .fit(&whole)?;
    let words = Chain::new()
        .layer(Select::rows([0]))
        .layer(Embedding::new(3, 2));
    let numbers = Chain::new()
        .layer(Select::rows([1]))
        .layer(Residual::new(Dense::new(1, Activation::Tanh)));
    let net = Sequential::builder(encoder.inputs())
        .layer(Parallel::new().branch(words).branch(numbers))
        .layer(Dense::new(1, Activation::Linear))
        .seed(5)
        .build()?;
    models.push(Model::with_encoder(net, encoder)?);
    for (i, model) in models.iter().enumerate() {
        let file = Onnx::new().write(model)?;
        assert!(
            Onnx::new().read::<T>(&file).is_err(),
            "an encoder is not read"
        );
        fs::write(folder.join(format!("{i}.onnx")), file).expect("a file");
        fs::write(folder.join(format!("{i}.csv")), test.to_csv()).expect("a file");
    }
    python("onnx_table.py", folder);
    let (mut refused, mut predicted) = (0, 0);
    for (i, model) in models.iter().enumerate() {
        let y: DMatrix<T> =
            read_npy(&fs::read(folder.join(format!("{i}.y.npy"))).expect("a file"))?;
        let encoder = model.encoder().expect("an encoder");
        for row in 0..test.len() {
            let theirs = y.columns(row, 1).into_owned();
            match encoder.transform(&test.select(&[row])?) {
                Ok(x) => {
                    let apart = difference(&model.predict(&x)?, &theirs, 1.0);
                    assert!(apart <= tolerance, "model {i}, row {row}: {apart:e}");
                    predicted += 1;
                }
                Err(error) => {
                    assert!(
                        theirs.iter().all(|y| y.as_f64().is_nan()),
                        "{error}: {theirs}"
                    );
                    refused += 1;
                }
            }
        }
    }
    println!("{predicted} rows as here, {refused} rows refused");
    assert!(refused > 5 && predicted > 20);
    Ok(())
}

#[test]
#[ignore = "needs Python with onnxruntime: tests/interchange/run"]
fn onnxruntime_runs_encoders_in_single_precision() -> Result<()> {
    tables::<f32>(&folder("onnx_tables_f32"), 2e-5)
}

#[test]
#[ignore = "needs Python with onnxruntime: tests/interchange/run"]
fn onnxruntime_runs_encoders_in_double_precision() -> Result<()> {
    tables::<f64>(&folder("onnx_tables_f64"), 1e-12)
}

/// Lets a script write models, and reads them.
fn read(script: &str, folder: &Path) -> Result<()> {
    python(script, folder);
    let files: Vec<_> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let models = files.iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "onnx")
    });
    let mut count = 0;
    for path in models {
        let name = path.file_stem().expect("a name").to_string_lossy();
        zoo::reads(
            &name,
            &fs::read(path).expect("a file"),
            &fs::read(path.with_extension("npz")).expect("a file"),
        )?;
        count += 1;
    }
    assert!(count > 10, "{count} models");
    Ok(())
}
