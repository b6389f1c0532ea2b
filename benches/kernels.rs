//! The inner loops: matrix products in FLOP per second, activations and updates of optimizers in
//! elements per second.

extern crate alloc;
mod common;
#[path = "../src/numeric/kernel/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "a private module of the crate, seen from outside"
)]
mod kernel;

use chainrule::View;
use chainrule::nn::Softmax;
use chainrule::nn::layer::Layer;
use chainrule::numeric::ViewMut;
use chainrule::optim::Group;
use chainrule::prelude::*;
use common::{criterion, numbers};
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use kernel::gemm::{Mat, Product, Size};

/// The three products of a dense layer, by the layer's outputs and inputs and the samples of a
/// batch.
fn products(c: &mut Criterion) {
    let shapes = [
        (3, 2, 3),
        (1, 3, 3),
        (64, 13, 32),
        (1, 64, 32),
        (64, 64, 32),
        (10, 64, 32),
        (128, 784, 32),
        (10, 128, 32),
        (512, 784, 128),
        (512, 512, 128),
        (1024, 1024, 256),
        (128, 784, 1),
        (1024, 1024, 1),
    ];
    let mut pack = vec![];
    for (outputs, inputs, samples) in shapes {
        let of = |rows, cols| numbers::<f32>(rows, cols).as_slice().to_vec();
        let w = of(outputs, inputs);
        let x = of(inputs, samples);
        let delta = of(outputs, samples);
        let w = Mat::columns(&w, outputs);
        let x = Mat::columns(&x, inputs);
        let delta = Mat::columns(&delta, outputs);
        let kinds = [
            (
                "NN W·x",
                Size {
                    m: outputs,
                    n: samples,
                    k: inputs,
                },
                w,
                x,
            ),
            (
                "TN Wᵀ·δ",
                Size {
                    m: inputs,
                    n: samples,
                    k: outputs,
                },
                w.flipped(),
                delta,
            ),
            (
                "NT δ·xᵀ",
                Size {
                    m: outputs,
                    n: inputs,
                    k: samples,
                },
                delta,
                x.flipped(),
            ),
        ];
        let mut group = c.benchmark_group("product");
        group.throughput(Throughput::Elements(
            2 * (outputs * inputs * samples) as u64,
        ));
        for (name, size, a, b) in kinds {
            let mut result = vec![0.0; size.m * size.n];
            group.bench_function(
                BenchmarkId::new(name, format!("{outputs}x{inputs}, {samples} samples")),
                |bencher| {
                    bencher.iter(|| {
                        kernel::dispatch(
                            kernel::level(),
                            &mut Product {
                                size,
                                a,
                                b,
                                c: &mut result,
                                pack: &mut pack,
                            },
                        )
                    });
                },
            );
        }
        group.finish();
    }
}

/// Every activation as a layer of its own: its function, and with it its derivative. A copy of the
/// elements is in the time.
fn activations(c: &mut Criterion) -> Result<()> {
    const ELEMENTS: usize = 4096;
    let x = 4.0 * numbers::<f32>(ELEMENTS, 1);
    let mut group = c.benchmark_group("activation");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    let made = [
        "celu(alpha=0.7)",
        "breakpoints(-1:-0.5, 0:0, 0.5:2)",
        "step surrogate tanh",
    ];
    let made = made
        .into_iter()
        .map(str::parse)
        .collect::<Result<Vec<_>>>()?;
    for activation in Activation::every().chain(made) {
        elementwise(&mut group, &activation.to_string(), activation.clone(), &x)?;
    }
    group.finish();
    Ok(())
}

fn softmax(c: &mut Criterion) -> Result<()> {
    for (classes, samples) in [(10, 32), (10, 256), (1000, 32)] {
        let mut group = c.benchmark_group("softmax");
        group.throughput(Throughput::Elements((classes * samples) as u64));
        elementwise(
            &mut group,
            &format!("{classes} classes, {samples} samples"),
            Softmax,
            &numbers(classes, samples),
        )?;
        group.finish();
    }
    Ok(())
}

/// A layer without parameters: inference, and a pass forward and backward.
fn elementwise(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    layer: impl Layer<f32> + 'static,
    x: &DMatrix<f32>,
) -> Result<()> {
    let net = Sequential::builder(x.nrows())
        .layer(layer)
        .seed(1)
        .build()?;
    let (mut y, mut tape) = (x.clone(), Tape::new());
    group.bench_function(BenchmarkId::new("inference", name), |bencher| {
        bencher.iter(|| {
            net.predict_into(x, &mut y, &mut tape)
                .expect("a sound pass")
        });
    });
    group.bench_function(BenchmarkId::new("gradient", name), |bencher| {
        bencher.iter(|| {
            let ones = |_: View<'_, f32>, mut dy: ViewMut<'_, f32>| {
                dy.as_mut_slice().fill(1.0);
                Ok(())
            };
            net.gradient_with(x, &mut tape, ones).expect("a sound pass");
        });
    });
    Ok(())
}

/// Updates of parameters by the rules of the optimizers.
fn optimizers(c: &mut Criterion) {
    for count in [1_000, 1_000_000] {
        let rules: [(&str, Box<dyn Optimizer<f32>>); 3] = [
            ("descent", Box::new(Sgd::new())),
            ("momentum", Box::new(Sgd::new().momentum(0.9))),
            ("Adam", Box::new(Adam::new())),
        ];
        let mut params = vec![0.5; count];
        let grads = numbers::<f32>(count, 1);
        let groups = Group::all(count);
        let mut group = c.benchmark_group("optimizer");
        group.throughput(Throughput::Elements(count as u64));
        for (name, mut rule) in rules {
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| {
                    rule.step(1e-6, &mut params, grads.as_slice(), &groups)
                        .expect("a sound step")
                });
            });
        }
        group.finish();
    }
}

fn main() -> Result<()> {
    let mut c = criterion();
    products(&mut c);
    activations(&mut c)?;
    softmax(&mut c)?;
    optimizers(&mut c);
    c.final_summary();
    Ok(())
}
