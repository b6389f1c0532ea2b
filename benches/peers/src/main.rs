//! The items of the comparison, through chainrule's public API as a program of a user would call
//! it: one JSON line per item.

#[path = "../rust_common/common.rs"]
mod common;
mod task;

use chainrule::View;
use chainrule::numeric::ViewMut;
use chainrule::prelude::*;
use common::{Args, Spec, args, emit, emit_a1, infer, measure, mnist, spec, splitmix};
use core::ops::ControlFlow;
use std::time::Instant;
use task::{classes, dataset, network, trainer};

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

fn training(item: &str, spec: &Spec, args: &Args) -> Result<()> {
    let repeats = if item == "T1" { T1_REPEATS } else { 1 };
    let data = dataset(item, spec, repeats)?;
    let mut net = network(spec)?;
    let mut trainer = trainer(spec).threads(args.threads).shuffle(false).epochs(1);
    let mut cost = f64::NAN;
    let seconds_per_epoch = measure(args.seconds, args.warm, |epochs| {
        for _ in 0..epochs {
            let history = trainer
                .fit(&mut net, &data)
                .expect("the items do not diverge");
            cost = history.last().map_or(f64::NAN, |epoch| epoch.cost);
        }
    });
    let steps = (data.len() / spec.batch) as f64;
    if spec.loss == common::Loss::Sse {
        cost /= steps; // a sum over the epoch, not a mean
    }
    let seconds = seconds_per_epoch / steps;
    emit(PEER, item, args.threads, seconds, Some(cost as f32));
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
    trainer(&spec)
        .threads(args.threads)
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
