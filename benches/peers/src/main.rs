//! The items of the comparison, through chainrule's public API as a program of a user would call
//! it: one JSON line per item.

#[path = "../rust_common/common.rs"]
mod common;

use chainrule::View;
use chainrule::nn::loss::SumSquaredError;
use chainrule::numeric::ViewMut;
use chainrule::prelude::*;
use common::{Args, Spec, args, emit, emit_a1, infer, measure, mnist, spec, splitmix};
use core::ops::ControlFlow;
use std::time::Instant;

const PEER: &str = "chainrule";

/// How often T1's data set repeats its three samples: with so few steps an epoch would be the
/// trainer's bookkeeping. The peer that compiles its whole epoch takes as many.
const T1_REPEATS: usize = 1000;

fn main() -> Result<()> {
    let args = args();
    for item in &args.items {
        match infer(item) {
            _ if item == "A1" => digits(&args)?,
            Some((base, batch)) => inference(item, &spec(base), batch, &args)?,
            None => training(item, &spec(item), &args)?,
        }
    }
    Ok(())
}

fn network(spec: &Spec) -> Result<Sequential<f32>> {
    let last = spec.sizes.len() - 2;
    let mut builder = Sequential::builder(spec.sizes[0]);
    for (l, width) in spec.sizes[1..].iter().enumerate() {
        let activation = match (spec.sigmoid, l == last) {
            (true, _) => Activation::Sigmoid,
            (false, true) => Activation::Linear,
            (false, false) => Activation::Relu,
        };
        builder = builder.layer(Dense::new(*width, activation));
    }
    builder.seed(1).build()
}

fn trainer<'a>(spec: &Spec, threads: usize) -> Trainer<'a, f32> {
    let trainer = match (spec.loss, spec.adam) {
        (common::Loss::Sse, false) => Trainer::new(SumSquaredError, Sgd::new()),
        (common::Loss::Mse, true) => Trainer::new(MeanSquaredError, Adam::new()),
        (common::Loss::Ce, false) => Trainer::new(SoftmaxCrossEntropy::new(), Sgd::new()),
        (common::Loss::Ce, true) => Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()),
        other => unreachable!("no item has {other:?}"),
    };
    trainer
        .batch_size(spec.batch)
        .learning_rate(spec.lr)
        .threads(threads)
}

fn dataset(item: &str, spec: &Spec) -> Result<Dataset<f32>> {
    let (mut x, mut targets, labels) = common::data(item);
    if item == "T1" {
        (x, targets) = (x.repeat(T1_REPEATS), targets.repeat(T1_REPEATS));
    }
    if labels.is_empty() {
        Dataset::from_rows(&x, spec.sizes[0], &targets, 1)
    } else {
        classes(x, spec, &labels)
    }
}

fn classes(x: Vec<f32>, spec: &Spec, labels: &[u32]) -> Result<Dataset<f32>> {
    let labels: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
    Dataset::new(
        DMatrix::from_vec(spec.sizes[0], labels.len(), x),
        one_hot(&labels, spec.sizes[spec.sizes.len() - 1])?,
    )
}

fn training(item: &str, spec: &Spec, args: &Args) -> Result<()> {
    let data = dataset(item, spec)?;
    let mut net = network(spec)?;
    let mut trainer = trainer(spec, args.threads).shuffle(false).epochs(1);
    let mut cost = f64::NAN;
    let seconds_per_epoch = measure(args.seconds, args.warm, |epochs| {
        for _ in 0..epochs {
            let history = trainer
                .fit(&mut net, &data)
                .expect("the items do not diverge");
            cost = history.last().map_or(f64::NAN, |epoch| epoch.cost);
        }
    });
    if item == "T1" {
        cost /= T1_REPEATS as f64; // its loss sums over the samples
    }
    emit(
        PEER,
        item,
        args.threads,
        seconds_per_epoch / (data.len() / spec.batch) as f64,
        Some(cost as f32),
    );
    Ok(())
}

fn inference(item: &str, spec: &Spec, batch: usize, args: &Args) -> Result<()> {
    let net = network(spec)?;
    let x = splitmix(42, spec.rows * net.inputs());
    let mut batches = x.chunks_exact(batch * net.inputs()).cycle();
    let mut y = vec![0.0; batch * net.outputs()];
    let mut tape = Tape::new().threads(args.threads)?;
    let mut call = || -> Result<()> {
        let x = batches.next().unwrap_or_default();
        if batch == 1 {
            net.predict_one(x, &mut y, &mut tape)
        } else {
            net.predict_into(
                View::new(x, net.inputs())?,
                ViewMut::new(&mut y, net.outputs())?,
                &mut tape,
            )
        }
    };
    let seconds_per_call = measure(args.seconds, args.warm, |calls| {
        for _ in 0..calls {
            call().expect("the shapes fit");
        }
    });
    emit(PEER, item, args.threads, seconds_per_call, None);
    Ok(())
}

/// A1: five epochs on MNIST, each shuffled inside its time; the test is outside.
fn digits(args: &Args) -> Result<()> {
    let spec = spec("T5");
    let (x, labels, test_x, test_labels) = mnist(&args.data);
    let (train, test) = (
        classes(x, &spec, &labels)?,
        classes(test_x, &spec, &test_labels)?,
    );
    let mut net = network(&spec)?;
    let mut epochs = Vec::new();
    let mut start = Instant::now();
    trainer(&spec, args.threads)
        .epochs(5)
        .on_epoch(|_, _| {
            epochs.push(start.elapsed().as_secs_f64());
            start = Instant::now();
            ControlFlow::Continue(())
        })
        .fit(&mut net, &train)?;
    let accuracy = metrics::accuracy(&net.predict(test.inputs())?, test.targets())?;
    emit_a1(PEER, args.threads, accuracy, &epochs);
    Ok(())
}
