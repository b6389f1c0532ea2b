//! Which start is best: the experiment behind `Init::for_activation`. See README.md beside it.

mod data;
mod report;

use chainrule::View;
use chainrule::data::Batches;
use chainrule::nn::loss::Loss;
use chainrule::nn::{Distribution, Fan};
use chainrule::numeric::Targets;
use chainrule::optim::Group;
use chainrule::prelude::*;
use data::{Set, sets};
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use std::{env, error, fs};

type AnyResult<T> = std::result::Result<T, Box<dyn error::Error>>;

const SEEDS: u64 = 10;
const WIDTH: usize = 32;
const BATCH: usize = 32;
const RATE: f64 = 1e-3;
/// Hidden layers.
const DEPTHS: [usize; 3] = [2, 4, 8];
/// Epochs after which a run is judged.
const BUDGETS: [usize; 3] = [5, 20, 60];

/// Each with two activations: the first with even seeds, the second with odd ones.
const FAMILIES: [(&str, [Activation; 2]); 4] = [
    (
        "ReLU",
        [Activation::Relu, Activation::LeakyRelu { slope: 0.1 }],
    ),
    ("tanh/sigmoid", [Activation::Tanh, Activation::Sigmoid]),
    (
        "SELU/ELU",
        [Activation::Selu, Activation::Elu { alpha: 1.0 }],
    ),
    ("GELU/SiLU", [Activation::Gelu, Activation::Silu]),
];

const CANDIDATES: [&str; 19] = [
    "He normal",
    "He uniform",
    "He uniform + b",
    "He uniform + b, last",
    "√2 uniform + b, last",
    "LeCun normal",
    "LeCun uniform",
    "LeCun uniform + b",
    "LeCun uniform + b, last",
    "LeCun uniform + B",
    "chosen",
    "Glorot normal",
    "Glorot uniform",
    "scikit-learn",
    "PyTorch",
    "PyTorch − b",
    "orthogonal",
    "orthogonal + b",
    "by activation",
];

const fn uniform(scale: f64, fan: Fan) -> Init {
    Init::VarianceScaling {
        scale,
        fan,
        distribution: Distribution::Uniform,
    }
}

/// ±√(1/n), PyTorch's start of weights and biases, and the random biases of all candidates with "+
/// b".
const TORCH: Init = uniform(1.0 / 3.0, Fan::In);

/// A layer as `candidate` starts it. The last layer, which is linear, starts as any other but where
/// its name says "last".
fn layer(candidate: &str, outputs: usize, activation: &Activation) -> Dense {
    use Activation::{Linear, Selu, Sigmoid, Tanh};
    let (name, last) = match candidate.strip_suffix(", last") {
        Some(name) => (name, *activation == Linear),
        None => (candidate, false),
    };
    let (name, random) = match (name.strip_suffix(" + b"), name.strip_suffix(" + B")) {
        (Some(name), _) => (name, Some(TORCH)),
        (_, Some(name)) => (name, Some(Init::LeCunUniform)),
        _ => (name, None),
    };
    let (init, bias) = match name {
        _ if last => (TORCH, TORCH),
        "He normal" => (Init::HeNormal, Init::Zeros),
        "He uniform" => (Init::HeUniform, Init::Zeros),
        "√2 uniform" => (uniform(2.0_f64.sqrt(), Fan::In), Init::Zeros),
        "LeCun normal" => (Init::LeCunNormal, Init::Zeros),
        "LeCun uniform" => (Init::LeCunUniform, Init::Zeros),
        "Glorot normal" => (Init::GlorotNormal, Init::Zeros),
        "Glorot uniform" => (Init::GlorotUniform, Init::Zeros),
        "scikit-learn" if *activation == Sigmoid => (
            uniform(1.0 / 3.0, Fan::Average),
            uniform(1.0 / 3.0, Fan::Average),
        ),
        "scikit-learn" => (Init::GlorotUniform, Init::GlorotUniform),
        "PyTorch" => (TORCH, TORCH),
        "PyTorch − b" => (TORCH, Init::Zeros),
        "orthogonal" => (
            Init::Orthogonal {
                gain: activation.gain().unwrap_or(2.0_f64.sqrt()),
            },
            Init::Zeros,
        ),
        "chosen" if *activation == Sigmoid => (Init::HeUniform, Init::LeCunUniform),
        "chosen" => (Init::LeCunUniform, Init::LeCunUniform),
        "by activation" if matches!(activation, Linear | Tanh | Sigmoid) => {
            (Init::GlorotUniform, Init::Zeros)
        }
        "by activation" if *activation == Selu => (Init::LeCunNormal, Init::Zeros),
        "by activation" => (Init::HeNormal, Init::Zeros),
        _ => unreachable!("a candidate of the list"),
    };
    Dense::new(outputs, activation.clone())
        .init(init)
        .bias_init(random.unwrap_or(bias))
}

/// Accuracy or R² (below 0 as 0), and the cost, of the test part.
fn judge(net: &Sequential<f32>, test: &Dataset<f32>, classes: bool) -> Result<(f64, f64)> {
    let outputs = net.predict(test.inputs())?;
    let (y, t) = (View::from(&outputs), Targets::from(test));
    let score = if classes {
        metrics::accuracy(y, t)
    } else {
        metrics::r2(y, t)
    }?;
    Ok((score.max(0.0), loss(classes).value(y, t)?.into()))
}

fn loss(classes: bool) -> Box<dyn Loss<f32>> {
    if classes {
        Box::new(SoftmaxCrossEntropy::new())
    } else {
        Box::new(MeanSquaredError)
    }
}

/// What one run is judged after each of the budgets.
fn run(
    candidate: &str,
    activation: &Activation,
    depth: usize,
    set: &Set,
    parts: &(Dataset<f32>, Dataset<f32>),
    seed: u64,
) -> Result<Vec<(f64, f64)>> {
    let (train, test) = parts;
    let mut builder = Sequential::builder(train.features());
    for _ in 0..depth {
        builder = builder.layer(layer(candidate, WIDTH, activation));
    }
    let last = layer(candidate, train.outputs(), &Activation::Linear);
    let mut net = builder.layer(last).seed(seed).build()?;

    let loss = loss(set.classes);
    let mut tape = Tape::new();
    let mut adam = Adam::new();
    let groups = Group::all(net.params().len());
    let mut batches = Batches::shuffled(BATCH, seed)?;
    let mut judged = Vec::new();
    for epoch in 1..=BUDGETS[BUDGETS.len() - 1] {
        let mut batches = batches.epoch(train, epoch as u64);
        while let Some(batch) = batches.next_batch() {
            net.gradient(batch.x, batch.target, &*loss, &mut tape)?;
            adam.step(RATE, net.params_mut(), tape.grads(), &groups)?;
        }
        if BUDGETS.contains(&epoch) {
            judged.push(judge(&net, test, set.classes)?);
        }
    }
    Ok(judged)
}

/// Each fifth of the design has all seeds and candidates, and each set, family and depth with two
/// seeds, one for each activation. So the runs that are there when the program is stopped after a
/// fifth are a balanced part of all.
fn runs(mnist: &Path, mut out: impl Write, candidates: &[&str]) -> AnyResult<()> {
    let sets = sets(mnist)?;
    let start = Instant::now();
    for (fifth, seed) in (0..5).flat_map(|fifth| (0..SEEDS).map(move |seed| (fifth, seed))) {
        for (s, set) in sets.iter().enumerate() {
            let parts = set.split(seed)?;
            for (f, (family, activations)) in FAMILIES.iter().enumerate() {
                let activation = &activations[seed as usize % 2];
                for (d, depth) in DEPTHS.into_iter().enumerate() {
                    if !(s + f + d + seed as usize + fifth).is_multiple_of(5) {
                        continue;
                    }
                    for candidate in candidates {
                        write!(out, "{};{family};{depth};{seed};{candidate}", set.name)?;
                        for (score, cost) in run(candidate, activation, depth, set, &parts, seed)? {
                            write!(out, ";{score:.5};{cost:.5}")?;
                        }
                        writeln!(out)?;
                    }
                }
            }
            out.flush()?;
        }
        eprintln!(
            "fifth {fifth}, seed {seed}: {:.0} s",
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

fn main() -> AnyResult<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", mnist, file, ref some @ ..] => {
            if let Some(unknown) = some.iter().find(|name| !CANDIDATES.contains(name)) {
                return Err(format!("{unknown} is none of the candidates {CANDIDATES:?}").into());
            }
            let file = std::io::BufWriter::new(fs::File::create(file)?);
            runs(
                Path::new(mnist),
                file,
                if some.is_empty() { &CANDIDATES } else { some },
            )
        }
        ["report", file] => report::print(&fs::read_to_string(file)?),
        _ => Err("usage: run MNIST_FOLDER RUNS.csv [CANDIDATE…], or report RUNS.csv".into()),
    }
}
