//! Training that survives being killed: the same bits as without the interruption.
//!
//! The program trains a network from beginning to end. Then it starts itself a second time, as a
//! process that trains the same network and writes checkpoints, and kills that process in the midst
//! of it. What the last checkpoint holds is taken up by a new trainer and trained to the end; every
//! parameter and every number of the history is compared with those of the first run.
//!
//! ```text
//! cargo run --release --example resume
//! ```
//!
//! What depends on the place in a run is in it: the momentum of Adam, a schedule, the order of the
//! samples, the masks of dropout, the patience of a stop, and the best parameters so far.

use chainrule::optim::Schedule;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::train::CheckpointEvery;
use core::ops::ControlFlow;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::time::Duration;
use std::{env, error, fs, thread};

const EPOCHS: usize = 40;
const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn error::Error>> {
    match env::args_os().nth(1) {
        Some(checkpoint) => Ok(train_with_checkpoints(Path::new(&checkpoint))?),
        None => {
            let checkpoint =
                env::temp_dir().join(format!("chainrule-resume-{}.checkpoint", process::id()));
            let result = compare(&checkpoint);
            if checkpoint.exists() {
                fs::remove_file(&checkpoint)?;
            }
            result
        }
    }
}

/// The waves of a drum, y = sin(3·(x₁² + x₂²)) with some noise, to train on and for validation.
fn waves() -> Result<(Dataset<f64>, Dataset<f64>)> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let x: DMatrix<f64> = DMatrix::from_fn(2, 4000, |_, _| rng.random_range(-1.5..1.5));
    let y = DMatrix::from_fn(1, 4000, |_, j| {
        (3.0 * x.column(j).norm_squared()).sin() + rng.random_range(-0.1..0.1)
    });
    Dataset::new(x, y)?.split(0.8, 1)
}

/// A new network and a new trainer: what a program must say again when it goes on.
fn start<'a>(
    train: &Dataset<f64>,
    validation: &'a Dataset<f64>,
) -> Result<(Sequential<f64>, Trainer<'a, f64>)> {
    let net = Sequential::builder(2)
        .layer(Dense::new(96, Activation::Tanh))
        .layer(Dropout::new(0.05))
        .layer(Dense::new(96, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let steps = (EPOCHS * train.len().div_ceil(BATCH)) as u64;
    let trainer = Trainer::new(MeanSquaredError, Adam::new())
        .epochs(EPOCHS)
        .batch_size(BATCH)
        .learning_rate(
            Schedule::Cosine {
                rate: 5e-3,
                min: 1e-4,
                steps,
            }
            .warm_up(100),
        )
        .validation_data(validation)
        .stop(Stop::early_stopping(Monitor::ValidationCost, 15))
        .restore_best(Monitor::ValidationCost);
    Ok((net, trainer))
}

/// What the second process does until it is killed: a checkpoint every ten steps, and a line for
/// each epoch.
fn train_with_checkpoints(checkpoint: &Path) -> Result<()> {
    let (train, validation) = waves()?;
    let (mut net, trainer) = start(&train, &validation)?;
    let mut trainer = trainer
        .checkpoint(checkpoint, CheckpointEvery::Steps(10))
        .on_epoch(|epoch, _| {
            println!("{}", epoch.epoch + 1);
            ControlFlow::Continue(())
        });
    trainer.fit(&mut net, &train)?;
    Ok(())
}

fn compare(checkpoint: &Path) -> Result<(), Box<dyn error::Error>> {
    let (train, validation) = waves()?;

    let (mut whole, mut trainer) = start(&train, &validation)?;
    let history = trainer.fit(&mut whole, &train)?;
    println!(
        "without interruption: {} epochs, {} steps",
        trainer.epoch(),
        trainer.optimizer().state().step
    );

    let mut child = Command::new(env::current_exe()?)
        .arg(checkpoint)
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = child
        .stdout
        .take()
        .map(|stdout| BufReader::new(stdout).lines())
        .ok_or("the process has no output")?;
    for line in lines {
        if line?.parse::<usize>()? == EPOCHS / 4 {
            break;
        }
    }
    thread::sleep(Duration::from_millis(10));
    child.kill()?; // wherever it is: it cannot prepare for it
    println!(
        "another process:      killed some time after epoch {}: {}",
        EPOCHS / 4,
        child.wait()?
    );

    let (mut resumed, mut trainer) = start(&train, &validation)?;
    trainer.resume(&mut resumed, checkpoint)?;
    println!(
        "its last checkpoint:  {} epochs, {} steps",
        trainer.epoch(),
        trainer.optimizer().state().step
    );
    let resumed_history = trainer.fit(&mut resumed, &train)?;
    println!(
        "resumed:              {} epochs, {} steps\n",
        trainer.epoch(),
        trainer.optimizer().state().step
    );

    println!("epoch   validation cost, whole   and interrupted");
    for (a, b) in history
        .epochs
        .iter()
        .zip(&resumed_history.epochs)
        .step_by(5)
    {
        let [a_cost, b_cost] = [a, b].map(|epoch| epoch.validation_cost.unwrap_or(f64::NAN));
        println!("{:>5}   {a_cost:>22.16}   {b_cost:>15.16}", a.epoch + 1);
    }

    let different = whole
        .params()
        .iter()
        .zip(resumed.params())
        .filter(|(a, b)| a.to_bits() != b.to_bits())
        .count();
    println!(
        "\nparameters that differ in a bit: {different} of {}",
        whole.params().len()
    );
    println!("histories are equal: {}", history == resumed_history);
    if different == 0 && history == resumed_history {
        Ok(())
    } else {
        Err("the interruption made a difference".into())
    }
}
