//! A model of every layer and activation, for the tests of files.

pub(crate) mod file;

use crate::common::rng;
use chainrule::Real;
use chainrule::data::read_npz;
use chainrule::io::Onnx;
use chainrule::nalgebra::DMatrix;
use chainrule::nn::{Breakpoints, Builder};
use chainrule::prelude::*;
use chainrule::rand::RngExt;

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
    let statistics: Vec<bool> = (0..net.layers().len())
        .flat_map(|layer| net.blocks(layer).to_vec())
        .flat_map(|block| vec![block.name == "running_variance"; block.len()])
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
