//! What more threads gain: samples per second of training and of prediction, and the ratio of each
//! number of threads to one.
//!
//! `cargo bench -p benches --bench threads -- 2 3 4` says which numbers; without, each up to that
//! of the cores. All take turns; the numbers are medians.

mod common;

use chainrule::nn::loss::SumSquaredError;
use chainrule::prelude::*;
use common::{ITEMS, Item, Task, numbers};
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;
/// How long each measures in each round.
const TIME: Duration = Duration::from_millis(300);
/// Batches in an epoch.
const BATCHES: usize = 16;
/// Samples in a call of prediction.
const MANY: usize = 1024;

/// Samples per second of what does so many samples in a call.
fn speed(samples: usize, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let (start, mut calls) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        call()?;
        calls += 1;
    }
    Ok((calls * samples) as f64 / start.elapsed().as_secs_f64())
}

fn median(mut speeds: Vec<f64>) -> f64 {
    speeds.sort_by(f64::total_cmp);
    speeds[speeds.len() / 2]
}

/// Prints a line: the speed of one thread, and how many times as fast the others are.
fn report(
    name: &str,
    counts: &[usize],
    mut speeds: Vec<impl FnMut() -> Result<f64>>,
) -> Result<()> {
    let mut rounds = vec![vec![]; counts.len()];
    // One round more, which is warm-up.
    for round in 0..=ROUNDS {
        for turn in 0..counts.len() {
            let index = (turn + round) % counts.len();
            let speed = speeds[index]()?;
            if round > 0 {
                rounds[index].push(speed);
            }
        }
    }
    let medians: Vec<f64> = rounds.into_iter().map(median).collect();
    print!("{name:36} {:>12.0}", medians[0]);
    for speed in &medians[1..] {
        print!(" {:>6.2}", speed / medians[0]);
    }
    println!();
    Ok(())
}

fn train(item: &Item, counts: &[usize]) -> Result<()> {
    let data = &item.data(BATCHES * item.batch)?;
    let speeds = counts.iter().map(|count| {
        let (optimizer, rate) = item.optimizer();
        let trainer = match item.task {
            Task::Squares => Trainer::new(SumSquaredError, optimizer),
            Task::Regression => Trainer::new(MeanSquaredError, optimizer),
            Task::Classes { .. } => Trainer::new(SoftmaxCrossEntropy::new(), optimizer),
        };
        let trainer = trainer
            .batch_size(item.batch)
            .learning_rate(rate)
            .threads(*count);
        let (mut trainer, mut net) = (trainer.epochs(1), item.network()?);
        Ok(move || speed(data.len(), || trainer.fit(&mut net, data).map(drop)))
    });
    report(item.name, counts, speeds.collect::<Result<_>>()?)
}

fn predict(item: &Item, counts: &[usize]) -> Result<()> {
    let (net, x) = (&item.network()?, &numbers(item.widths[0], MANY));
    let speeds = counts.iter().map(|count| {
        let mut tape = Tape::new().threads(*count)?;
        let mut y = DMatrix::zeros(net.outputs(), MANY);
        Ok(move || speed(MANY, || net.predict_into(x, &mut y, &mut tape)))
    });
    let name = format!("{}, prediction", item.name);
    report(&name, counts, speeds.collect::<Result<_>>()?)
}

fn main() -> Result<()> {
    let mut counts: Vec<usize> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    if counts.is_empty() {
        counts.extend(2..=std::thread::available_parallelism().map_or(1, Into::into));
    }
    counts.insert(0, 1);
    print!("{:36} {:>12}", "network", "samples/s, 1");
    counts[1..].iter().for_each(|count| print!(" {count:>6}"));
    println!();
    ITEMS.iter().try_for_each(|item| train(item, &counts))?;
    ITEMS[3..]
        .iter()
        .try_for_each(|item| predict(item, &counts))
}
