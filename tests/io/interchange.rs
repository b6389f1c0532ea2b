//! Files go to Python and come from there: safetensors' own package and NumPy, and PyTorch where
//! the interpreter has it.
//!
//! `tests/interchange/run` prepares an interpreter and runs these tests, which are ignored
//! elsewhere.
#![cfg(feature = "safetensors")]

use crate::common::rng;
use crate::files::agrees;
use chainrule::Real;
use chainrule::nn::{
    AlphaDropout, BatchNorm, Chain, GaussianNoise, LayerNorm, Parallel, Prelu, Residual, RmsNorm,
    Softmax,
};
use chainrule::prelude::*;
use chainrule::rand::RngExt;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Runs a script with the interpreter of the environment, and returns what it printed.
fn python(script: &str, action: &str, folder: &Path) -> String {
    let interpreter = env::var_os("CHAINRULE_PYTHON")
        .expect("CHAINRULE_PYTHON is the path of an interpreter: use tests/interchange/run");
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/interchange")
        .join(script);
    let output = Command::new(interpreter)
        .arg(script)
        .arg(action)
        .arg(folder)
        .output()
        .expect("an interpreter that starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// An empty folder.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).expect("a folder for temporary files");
    folder
}

/// Dense layers with tanh, the last one linear.
fn perceptron<T: Real>(widths: &[usize]) -> Result<Sequential<T>> {
    let (last, hidden) = widths[1..].split_last().expect("two widths");
    let builder = hidden
        .iter()
        .fold(Sequential::builder(widths[0]), |builder, width| {
            builder.layer(Dense::new(*width, Activation::Tanh))
        });
    builder
        .layer(Dense::new(*last, Activation::Linear))
        .build_with(&mut rng(1))
}

#[test]
#[ignore = "needs Python"]
fn state_dicts_that_python_writes_are_read() -> Result<()> {
    let folder = folder("state-dicts-of-python");
    python("state_dicts.py", "write", &folder);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "safetensors")
        {
            // dtype-width-…-width-number
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let (parts, wide) = (
                name.split('-')
                    .skip(1)
                    .map(|n| n.parse().expect("a number"))
                    .collect::<Vec<usize>>(),
                name.starts_with("float64"),
            );
            let widths = &parts[..parts.len() - 1];
            if wide {
                agrees(&path, perceptron::<f64>(widths)?, 1e-14)?;
                assert!(perceptron::<f32>(widths)?.load_params(&path).is_err());
            } else {
                agrees(&path, perceptron::<f32>(widths)?, 1e-6)?;
                agrees(&path, perceptron::<f64>(widths)?, 1e-14)?;
            }
            count += 1;
        }
    }
    assert_eq!(count, 40);
    Ok(())
}

/// Writes a model, and what it makes of some inputs.
fn write<T: Real>(
    folder: &Path,
    name: &str,
    mut net: Sequential<T>,
    rng: &mut Xoshiro256PlusPlus,
) -> Result<()> {
    // No parameter at its start: a scale of 1 would hide one that is at the wrong place. Variances
    // stay positive.
    net.params_mut()
        .iter_mut()
        .for_each(|p| *p += T::of(rng.random_range(0.0..0.5)));
    let x = DMatrix::from_fn(net.inputs(), 6, |_, _| T::of(rng.random_range(-2.0..2.0)));
    let y = net.predict(&x)?;
    let row = |numbers: &[T]| {
        numbers
            .iter()
            .map(|v| format!("{:?}", v.as_f64()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let lines = x
        .as_slice()
        .chunks(net.inputs())
        .zip(y.as_slice().chunks(net.outputs()))
        .map(|(x, y)| format!("{}\t{}\n", row(x), row(y)));
    fs::write(
        folder.join(format!("{name}.tsv")),
        lines.collect::<String>(),
    )
    .expect("a file that can be written");
    let mut model = Model::from(net);
    model.metadata_mut().insert("name".into(), name.into());
    model.save(folder.join(format!("{name}.safetensors")))
}

/// Every layer and activation that PyTorch has.
fn everything<T: Real>(seed: u64) -> Result<Sequential<T>> {
    let names = "sigmoid tanh relu leaky_relu(slope=0.2) relu6 elu(alpha=0.7) celu(alpha=0.7) selu \
        gelu gelu_tanh silu mish softplus softsign hard_sigmoid hard_tanh hard_swish";
    let mut rng = rng(seed);
    let mut builder = Sequential::builder(rng.random_range(1..9))
        .layer(GaussianNoise::new(0.1))
        .layer(Dense::new(5, Activation::Linear).without_bias())
        .layer(BatchNorm::new().eps(1e-3))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(4, Activation::Tanh));
    for name in names.split_whitespace() {
        let activation: Activation = name.parse()?;
        let width = rng.random_range(2..9);
        builder = builder
            .layer(Dense::new(width, activation.clone()).init(Init::GlorotUniform))
            .layer(Activation::Linear)
            .layer(activation);
    }
    let builder = builder
        .layer(LayerNorm::new().eps(1e-2))
        .layer(AlphaDropout::new(0.2))
        .layer(RmsNorm::new().eps(1e-2));
    let builder = builder
        .layer(Prelu::new())
        .layer(Prelu::new().per_feature());
    let builder = builder
        .layer(LayerNorm::new().without_bias().eps(1e-2))
        .layer(BatchNorm::new().without_scale().without_bias());
    let width = rng.random_range(2..9);
    let body = Chain::new()
        .layer(LayerNorm::new().eps(1e-2))
        .layer(Dense::new(width, Activation::Gelu))
        .layer(Residual::new(Dense::new(width, Activation::Tanh)))
        .layer(Dense::new(6, Activation::Linear));
    let branches = Parallel::new()
        .branch(Dense::new(width, Activation::Sigmoid))
        .branch(Chain::new())
        .branch(Chain::new().layer(BatchNorm::new()).layer(Prelu::new()));
    let sum = Parallel::new()
        .branch(Dense::new(4, Activation::Linear).without_bias())
        .branch(
            Chain::new()
                .layer(Dense::new(4, Activation::Relu))
                .layer(Dropout::new(0.1)),
        )
        .add();
    builder
        .layer(Residual::new(body).projection(Dense::new(6, Activation::Linear)))
        .layer(branches)
        .layer(Chain::new().layer(sum).layer(Activation::Silu))
        .layer(Dense::new(3, Activation::Linear))
        .layer(Softmax)
        .build_with(&mut rng)
}

#[test]
#[ignore = "needs Python"]
fn python_reads_what_is_written() -> Result<()> {
    let folder = folder("model-files-for-python");
    let mut rng = rng(7);
    for number in 0..20 {
        let widths: Vec<usize> = (0..rng.random_range(2..6))
            .map(|_| rng.random_range(1..20))
            .collect();
        write::<f32>(
            &folder,
            &format!("mlp-f32-{number}"),
            perceptron(&widths)?,
            &mut rng,
        )?;
        write::<f64>(
            &folder,
            &format!("mlp-f64-{number}"),
            perceptron(&widths)?,
            &mut rng,
        )?;
        write::<f32>(
            &folder,
            &format!("all-f32-{number}"),
            everything(number)?,
            &mut rng,
        )?;
        write::<f64>(
            &folder,
            &format!("all-f64-{number}"),
            everything(number)?,
            &mut rng,
        )?;
    }
    let said = python("state_dicts.py", "check", &folder);
    assert!(said.starts_with("80 files"), "{said}");
    println!("{said}");
    Ok(())
}
