//! fnn peer: `f64`, one hidden layer, sizes known to the compiler, an update after each sample.
#[path = "../../rust_common/common.rs"]
mod common;
use common::{Args, args, data, emit, measure, spec};
use fnn::prelude::*;

fn main() {
    let a = args();
    for item in &a.items {
        match item.as_str() {
            "T1" => training::<Sigmoid, 2, 3>(&a, item),
            "S1" => training::<Tanh, 4, 8>(&a, item),
            _ => {}
        }
    }
}

fn training<A: Activator, const INPUTS: usize, const HIDDEN: usize>(a: &Args, item: &str) {
    let s = spec(item);
    let (x, targets, _) = data(item);
    let x: Vec<SVector<f64, INPUTS>> = x
        .chunks_exact(INPUTS)
        .map(|x| SVector::from_iterator(x.iter().map(|x| f64::from(*x))))
        .collect();
    let samples: Vec<_> = x
        .into_iter()
        .zip(targets.iter().map(|t| SVector::from([f64::from(*t)])))
        .collect();
    let mut net = FeedForward::<A, INPUTS, HIDDEN, 1>::new();
    let mut batches = samples.chunks_exact(s.batch).cycle();
    let sec = measure(a.seconds, a.warm, |n| {
        for (x, t) in batches.by_ref().take(n).flatten() {
            net.train(x, t, s.lr);
        }
    });
    let total: f64 = samples
        .iter()
        .map(|(x, t)| 0.5 * (net.forward(x) - t).norm_squared())
        .sum();
    let cost = total * s.batch as f64 / s.rows as f64;
    emit("fnn", item, a.threads, sec, Some(cost as f32));
}
