//! Whole training steps, of a gradient and a step of the optimizer, in samples per second.

mod common;

use chainrule::View;
use chainrule::optim::Group;
use chainrule::prelude::*;
use common::{ITEMS, Item, criterion};
use criterion::{Criterion, Throughput};

/// So many batches in turn, so that a network does not learn one by heart.
const BATCHES: usize = 8;

fn step(c: &mut Criterion, item: &Item) -> Result<()> {
    let mut net = item.network()?;
    let data = item.data(BATCHES * item.batch)?;
    let mut tape = Tape::new();
    let (loss, (mut optimizer, rate), groups) = (
        item.loss(),
        item.optimizer(),
        Group::all(net.params().len()),
    );
    let batches =
        |from| (0..BATCHES).map(move |b| View::from(from).columns(b * item.batch, item.batch));
    let (x, targets) = (
        batches(data.inputs()).collect::<Result<Vec<_>>>()?,
        batches(data.targets()).collect::<Result<Vec<_>>>()?,
    );
    let mut pairs = x.into_iter().zip(targets).cycle();
    let mut group = c.benchmark_group("steps");
    group
        .throughput(Throughput::Elements(item.batch as u64))
        .bench_function(item.name, |bencher| {
            bencher.iter(|| {
                let (x, t) = pairs.next().expect("a cycle has no end");
                net.gradient(x, t, &*loss, &mut tape).expect("a sound pass");
                optimizer
                    .step(rate, net.params_mut(), tape.grads(), &groups)
                    .expect("a sound step");
            });
        });
    group.finish();
    Ok(())
}

fn main() -> Result<()> {
    let mut c = criterion();
    ITEMS.iter().try_for_each(|item| step(&mut c, item))?;
    c.final_summary();
    Ok(())
}
