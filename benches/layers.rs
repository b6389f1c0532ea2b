//! Layers one by one: inference, and a training pass forward and backward.

mod common;

use chainrule::nn::Softmax;
use chainrule::nn::layer::Layer;
use chainrule::numeric::ViewMut;
use chainrule::prelude::*;
use chainrule::{Real, View};
use common::{criterion, numbers};
use criterion::{BenchmarkId, Criterion, Throughput};

const BATCH: usize = 32;

/// A layer on a batch of samples of so many inputs; `cost` is what a pass counts per sample,
/// forward and in training.
fn layer<T: Real>(
    c: &mut Criterion,
    group: &str,
    name: &str,
    inputs: usize,
    layer: impl Layer<T> + 'static,
    cost: [usize; 2],
) -> Result<()> {
    // On top of a layer that does nothing, a layer must compute ∂C/∂x, as it does within a network.
    let builder = Sequential::builder(inputs)
        .layer(Activation::Linear)
        .layer(layer);
    let net = builder.seed(1).build()?;
    let x = numbers::<T>(inputs, BATCH);
    let mut y = DMatrix::zeros(net.outputs(), BATCH);
    let mut tape = Tape::new();
    let mut group = c.benchmark_group(group);
    group
        .throughput(Throughput::Elements((cost[0] * BATCH) as u64))
        .bench_function(BenchmarkId::new("inference", name), |bencher| {
            bencher.iter(|| {
                net.predict_into(&x, &mut y, &mut tape)
                    .expect("a sound pass")
            });
        });
    group
        .throughput(Throughput::Elements((cost[1] * BATCH) as u64))
        .bench_function(BenchmarkId::new("training", name), |bencher| {
            bencher.iter(|| {
                let slopes = |y: View<'_, T>, mut dy: ViewMut<'_, T>| {
                    dy.as_mut_slice().copy_from_slice(y.as_slice());
                    Ok(())
                };
                net.gradient_with(&x, &mut tape, slopes)
                    .expect("a sound pass");
            });
        });
    group.finish();
    Ok(())
}

/// In FLOP: one product forward and two backward, each a multiplication and an addition per weight.
fn dense<T: Real>(
    c: &mut Criterion,
    scalar: &str,
    inputs: usize,
    outputs: usize,
    activation: Activation,
) -> Result<()> {
    let (name, flop) = (
        format!("{scalar} {inputs}-{outputs} {activation}"),
        2 * inputs * outputs,
    );
    layer::<T>(
        c,
        "dense",
        &name,
        inputs,
        Dense::new(outputs, activation),
        [flop, 3 * flop],
    )
}

fn main() -> Result<()> {
    let mut c = criterion();
    for width in [4, 16, 64, 256, 1024] {
        dense::<f32>(&mut c, "f32", width, width, Activation::Relu)?;
    }
    dense::<f32>(&mut c, "f32", 784, 128, Activation::Relu)?;
    dense::<f32>(&mut c, "f32", 512, 10, Activation::Linear)?;
    for activation in [Activation::Linear, Activation::Tanh, Activation::Gelu] {
        dense::<f32>(&mut c, "f32", 256, 256, activation)?;
    }
    dense::<f64>(&mut c, "f64", 64, 64, Activation::Relu)?;
    dense::<f64>(&mut c, "f64", 256, 256, Activation::Relu)?;
    for width in [64, 1024] {
        layer::<f32>(
            &mut c,
            "dropout",
            &width.to_string(),
            width,
            Dropout::new(0.5),
            [width; 2],
        )?;
    }
    for width in [10, 1000] {
        layer::<f32>(
            &mut c,
            "softmax",
            &width.to_string(),
            width,
            Softmax,
            [width; 2],
        )?;
    }
    c.final_summary();
    Ok(())
}
