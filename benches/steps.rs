//! Whole training steps, of a gradient and a step of the optimizer, in samples per second, and of a
//! model that learns as its data come.

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

/// A step of a model in the units of its data: how long a stream has to wait for it.
fn online(c: &mut Criterion, samples: usize) -> Result<()> {
    let x = DMatrix::<f32>::from_fn(8, 64 * samples, |i, j| ((i + 2) as f32 * j as f32).sin());
    let data = Dataset::new(x.clone(), x.rows(0, 1).into_owned())?;
    let net = Sequential::builder(8)
        .layer(Dense::new(16, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let (inputs, outputs) = (Scaler::standard(&x)?, Scaler::standard(data.targets())?);
    let mut model = Model::new(net, inputs, outputs)?;
    let mut trainer = Trainer::new(MeanSquaredError, Adam::new());
    let batches = |from| (0..64).map(move |b| View::from(from).columns(b * samples, samples));
    let (x, targets) = (
        batches(data.inputs()).collect::<Result<Vec<_>>>()?,
        batches(data.targets()).collect::<Result<Vec<_>>>()?,
    );
    let mut pairs = x.into_iter().zip(targets).cycle();
    c.bench_function(&format!("online/8-16-1, {samples}"), |bencher| {
        bencher.iter(|| {
            let (x, t) = pairs.next().expect("a cycle has no end");
            model.step(&mut trainer, x, t).expect("a sound step");
        });
    });
    Ok(())
}

fn main() -> Result<()> {
    let mut c = criterion();
    ITEMS.iter().try_for_each(|item| step(&mut c, item))?;
    [1, 32]
        .into_iter()
        .try_for_each(|samples| online(&mut c, samples))?;
    c.final_summary();
    Ok(())
}
