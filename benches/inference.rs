//! Predictions of one sample and of many, in samples per second.

mod common;

use chainrule::prelude::*;
use common::{ITEMS, Item, criterion, numbers};
use criterion::{BenchmarkId, Criterion, Throughput};

const MANY: usize = 1024;

fn predict(c: &mut Criterion, item: &Item) -> Result<()> {
    let net = item.network()?;
    let x = numbers(item.widths[0], MANY);
    let mut tape = Tape::new();
    let mut group = c.benchmark_group("inference");

    // One sample after the other, as a program meets them.
    let (mut samples, mut y) = (
        x.as_slice().chunks_exact(net.inputs()).cycle(),
        vec![0.0; net.outputs()],
    );
    group.throughput(Throughput::Elements(1)).bench_function(
        BenchmarkId::new("predict_one", item.name),
        |bencher| {
            bencher.iter(|| {
                net.predict_one(samples.next().unwrap_or_default(), &mut y, &mut tape)
                    .expect("a sound pass")
            });
        },
    );

    let mut y = DMatrix::zeros(net.outputs(), MANY);
    group
        .throughput(Throughput::Elements(MANY as u64))
        .bench_function(BenchmarkId::new("predict_into", item.name), |bencher| {
            bencher.iter(|| {
                net.predict_into(&x, &mut y, &mut tape)
                    .expect("a sound pass")
            });
        });
    group.finish();
    Ok(())
}

fn main() -> Result<()> {
    let mut c = criterion();
    ITEMS.iter().try_for_each(|item| predict(&mut c, item))?;
    c.final_summary();
    Ok(())
}
