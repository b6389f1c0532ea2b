//! A model of every layer and activation, for the tests of files.

pub(crate) mod file;

use crate::common::rng;
use chainrule::Real;
use chainrule::data::read_npz;
use chainrule::io::Onnx;
use chainrule::nalgebra::DMatrix;
use chainrule::nn::{
    BatchNorm, Breakpoints, Builder, Chain, Embedding, Parallel, Residual, Select,
};
use chainrule::prelude::*;
use chainrule::rand::{Rng, RngExt};

/// Every activation, those with numbers more than once.
pub(crate) fn activations() -> Result<Vec<Activation>> {
    // CELU of α = 1 is ELU of α = 1, as which it comes back from ONNX.
    let other = |activation: &Activation| *activation != Activation::Celu { alpha: 1.0 };
    let mut all: Vec<_> = Activation::every().filter(other).collect();
    all.extend([
        Activation::LeakyRelu { slope: 0.3 },
        Activation::Elu { alpha: 0.7 },
        Activation::Celu { alpha: 0.7 },
        Activation::Threshold {
            threshold: 0.3,
            value: 0.7,
        },
        Activation::Threshold {
            threshold: 0.3,
            value: 0.0,
        },
        Activation::HardShrink { lambda: 0.3 },
        Activation::SoftShrink { lambda: 0.3 },
        Breakpoints::new(&[(0.5, -0.25)])?.slopes(0.1, 3.0)?.into(),
        Breakpoints::new(&[(-2.0, 1.0), (-0.7, 1.0), (0.1, -0.3), (4.0, 2.2)])?
            .slopes(0.3, -1.5)?
            .into(),
        Breakpoints::new(&[(-3.3, 0.1), (1.7, 0.9)])?.into(),
        Breakpoints::new(&[(1.0, 2.0)])?.into(),
    ]);
    Ok(all)
}

/// Numbers at which activations have their kinks, tails and ends.
pub(crate) const EDGES: [f64; 34] = [
    0.0, -0.0, 1e-30, -1e-30, 1e-8, -1e-8, 0.1, -0.1, 0.5, -0.5, -0.7, 0.75, 1.0, -1.0, 1.7, -2.0,
    3.0, -3.0, 4.0, -5.0, 6.0, 7.5, 12.0, -12.0, 20.0, -20.0, 38.0, -38.0, 90.0, -90.0, 1000.0,
    -1000.0, 1e20, -1e20,
];

/// A network with parameters of all kinds: everywhere random numbers, running variances positive.
pub(crate) fn net<T: Real>(builder: Builder<T>) -> Result<Sequential<T>> {
    let mut net = builder.build_with(&mut rng(1))?;
    let mut random = rng(2);
    let statistics: Vec<bool> = net
        .named_parameters()
        .flat_map(|p| vec![p.name.ends_with("running_var"); p.block.len()])
        .collect();
    for (p, positive) in net.params_mut().iter_mut().zip(statistics) {
        *p += T::of(random.random_range(-0.5..0.5));
        if positive {
            *p = p.abs() + T::of(0.1);
        }
    }
    Ok(net)
}

macro_rules! layers {
    ($inputs:expr; $($layer:expr),*) => {
        $crate::zoo::net(chainrule::Sequential::builder($inputs)$(.layer($layer))*)
    };
}
pub(crate) use layers;

/// Features × samples, normal but for a sample of zeros and one that is larger.
pub(crate) fn inputs<T: Real>(features: usize, samples: usize) -> DMatrix<T> {
    let mut random = rng(3);
    let size = |sample| match sample {
        0 => 0.0,
        1 => 50.0,
        _ => 2.0,
    };
    DMatrix::from_fn(features, samples, |_, sample| {
        T::of(size(sample) * random.random_range(-1.0..1.0))
    })
}

/// How a file is read whose name ends on `@` and one of its outputs.
pub(crate) fn onnx(name: &str) -> Onnx {
    name.split_once('@')
        .map_or_else(Onnx::new, |(_, output)| Onnx::new().output(output))
}

/// Reads a model in both precisions, and predicts what the archive says: `y` of `x`.
#[track_caller]
pub(crate) fn reads(name: &str, file: &[u8], numbers: &[u8]) -> Result<()> {
    let double = name.contains("f64");
    let (x, y): (DMatrix<f64>, DMatrix<f64>) = (read_npz(numbers, "x")?, read_npz(numbers, "y")?);
    let worst = |predicted: DMatrix<f64>| {
        assert_eq!(predicted.shape(), y.shape(), "{name}");
        predicted
            .iter()
            .zip(&y)
            .map(|(a, b)| (a - b).abs() / b.abs().max(1.0))
            .fold(
                0.0,
                |max: f64, d| if d > max || d.is_nan() { d } else { max },
            )
    };
    let apart = worst(onnx(name).read::<f64>(file)?.predict(&x)?);
    assert!(
        apart <= if double { 1e-12 } else { 2e-6 },
        "{name}: {apart:e}"
    );
    if !double {
        let apart = worst(
            onnx(name)
                .read::<f32>(file)?
                .predict(&x.map(|x| x as f32))?
                .map(f64::from),
        );
        assert!(apart <= 2e-6, "{name}: {apart:e}");
    }
    Ok(())
}

/// A network of random layers within layers.
pub(crate) fn nested<T: Real>(inputs: usize, seed: u64) -> Result<Sequential<T>> {
    let mut random = rng(seed);
    let (chain, _) = chain(&mut random, inputs, 3);
    net(chain
        .layers()
        .iter()
        .fold(Sequential::builder(inputs), |builder, layer| {
            builder.layer(Chain::from_iter([layer.clone()]))
        }))
}

/// Some layers for so many inputs, with forks as deep as this, and how many outputs they have.
fn chain<T: Real>(random: &mut impl Rng, inputs: usize, depth: usize) -> (Chain<T>, usize) {
    let (mut layers, mut width) = (Chain::new(), inputs);
    for _ in 0..random.random_range(1..4) {
        let outputs = random.random_range(2..6);
        layers = match random.random_range(0..if depth == 0 { 6 } else { 10 }) {
            0 | 1 => {
                width = outputs;
                layers.layer(Dense::new(outputs, Activation::Tanh))
            }
            2 => {
                width = outputs;
                layers.layer(Dense::new(outputs, Activation::Linear))
            }
            3 => layers.layer(Activation::Relu),
            4 => layers.layer(BatchNorm::new()),
            5 => {
                let rows: Vec<_> = (0..outputs)
                    .map(|_| random.random_range(0..width))
                    .collect();
                width = outputs;
                layers.layer(Select::rows(rows))
            }
            6 => {
                let (body, _) = chain(random, width, depth - 1);
                layers.layer(Residual::new(
                    body.layer(Dense::new(width, Activation::Linear)),
                ))
            }
            7 => {
                let (body, outputs) = chain(random, width, depth - 1);
                width = outputs;
                layers.layer(Residual::new(body).projection(Dense::new(width, Activation::Linear)))
            }
            8 => {
                let mut all = Parallel::new();
                let mut sum = 0;
                for _ in 0..random.random_range(1..4) {
                    let (branch, outputs) = chain(random, width, depth - 1);
                    sum += outputs;
                    all = all.branch(branch);
                }
                // What hands on its inputs is a branch, too.
                sum += width;
                width = sum;
                layers.layer(all.branch(Dropout::new(0.5)))
            }
            _ => {
                let mut all = Parallel::new().add();
                for _ in 0..random.random_range(1..4) {
                    let (branch, _) = chain(random, width, depth - 1);
                    all = all.branch(branch.layer(Dense::new(outputs, Activation::Sigmoid)));
                }
                width = outputs;
                layers.layer(all)
            }
        };
    }
    (layers, width)
}

/// Two words, one of them in two tables, and two numbers.
pub(crate) fn towers<T: Real>() -> Result<Sequential<T>> {
    let words = Chain::new()
        .layer(Select::rows(0..2))
        .layer(Embedding::new(4, 3));
    let word = Chain::new()
        .layer(Select::rows([1]))
        .layer(Embedding::new(5, 2));
    let numbers = Chain::new()
        .layer(Select::rows([3, 2]))
        .layer(Residual::new(Dense::new(2, Activation::Tanh)));
    net(Sequential::builder(4)
        .layer(Parallel::new().branch(words).branch(word).branch(numbers))
        .layer(Dense::new(3, Activation::Linear)))
}

/// Inputs of [`towers`].
pub(crate) fn words<T: Real>(samples: usize) -> DMatrix<T> {
    DMatrix::from_fn(4, samples, |i, j| {
        T::of(match i {
            0 | 1 => ((3 * i + 2 * i * j + j) % 4) as f64,
            _ => ((i + 3 * j) as f64).sin(),
        })
    })
}
