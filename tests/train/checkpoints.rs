//! Checkpoints: training resumed from any step has the bits of training that was not interrupted,
//! whatever interrupted it.

use crate::common::Folder;
use chainrule::nn::loss::Huber;
use chainrule::nn::{
    AlphaDropout, BatchNorm, Chain, GaussianNoise, LayerNorm, Parallel, Prelu, Residual, RmsNorm,
    Softmax,
};
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::train::{CheckpointEvery, History, Observer, Step};
use chainrule::{ErrorKind, Real};
use core::ops::ControlFlow;
use std::path::PathBuf;

fn data<T: Real>() -> Dataset<T> {
    let x = DMatrix::from_fn(3, 26, |i, j| {
        T::of((0.77 * ((i + 2) * (j + 1)) as f64).sin())
    });
    let t = DMatrix::from_fn(2, 26, |i, j| x[(i, j)] * x[(i + 1, j)]);
    Dataset::new(x, t).expect("sound data")
}

fn net<T: Real>() -> Sequential<T> {
    Sequential::builder(3)
        .layer(Dense::new(5, Activation::Tanh))
        .layer(BatchNorm::new())
        .layer(Dropout::new(0.25))
        .layer(Dense::new(2, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network")
}

/// Ends a run after a number of steps, and remembers what it has seen.
struct Limit {
    steps: u64,
    costs: f64,
}

impl<T: Real> Observer<T> for Limit {
    fn on_batch(&mut self, step: &Step, _: &Sequential<T>) -> ControlFlow<()> {
        self.costs += step.cost;
        if step.step + 1 == self.steps {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn state(&self) -> Vec<f64> {
        vec![self.costs]
    }

    fn restore(&mut self, state: &[f64]) -> Result<()> {
        self.costs = state[0];
        Ok(())
    }
}

const EPOCHS: usize = 9;

/// Everything that has a state: dropout, batch norm, shuffling, a schedule with warm-up, a plateau,
/// stops, the best so far.
fn trainer<'a, T: Real>(
    optimizer: impl Optimizer<T> + 'a,
    rate: f64,
    steps: u64,
    judge: &'a Dataset<T>,
) -> Trainer<'a, T> {
    // Beside an average there are no constraints.
    let constrained = optimizer.state().averaged.is_none();
    let trainer = Trainer::new(MeanSquaredError, optimizer)
        .epochs(EPOCHS)
        .batch_size(4)
        .seed(5)
        .learning_rate(
            Schedule::Cosine {
                rate,
                min: 0.0,
                steps: 60,
            }
            .warm_up(7),
        )
        .reduce_on_plateau(
            Monitor::ValidationCost,
            ReduceOnPlateau {
                patience: 1,
                factor: 0.5,
                ..ReduceOnPlateau::new()
            },
        )
        .penalty(Penalty::new().l2(1e-3))
        .clip(Clip::GlobalNorm(1.0))
        .validation_data(judge)
        .metric("r2", |y, t| metrics::r2(y, t))
        .stop(Stop::early_stopping(Monitor::highest("r2"), 1000))
        .restore_best(Monitor::ValidationCost)
        .observe(Limit { steps, costs: 0.0 });
    if constrained {
        trainer.constrain(Constraint::MaxNorm(3.0))
    } else {
        trainer
    }
}

fn bits<T: Real>(net: &Sequential<T>) -> Vec<u64> {
    net.params().iter().map(|p| p.as_f64().to_bits()).collect()
}

/// Stops at 20 random steps, resumes in a new trainer with a new network, and compares with what
/// was never interrupted.
fn resumes<T: Real, O: Optimizer<T>>(name: &str, rate: f64, optimizer: impl Fn() -> O) {
    resumes_with(name, rate, optimizer, net::<T>);
}

fn resumes_with<T: Real, O: Optimizer<T>>(
    name: &str,
    rate: f64,
    optimizer: impl Fn() -> O,
    net: impl Fn() -> Sequential<T>,
) {
    let make = net;
    let scratch = Folder::new(name);
    let judge = data::<T>();
    let data = data::<T>();
    let mut whole = make();
    let mut uninterrupted = trainer(optimizer(), rate, u64::MAX, &judge);
    let history = uninterrupted
        .fit(&mut whole, &data)
        .expect("training succeeds");
    assert_eq!(history.epochs.len(), EPOCHS);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let steps = (EPOCHS * 7) as u64;
    for trial in 0..20 {
        // The first and the last step among them.
        let stop = if trial < 2 {
            [1, steps][trial]
        } else {
            rng.random_range(1..=steps)
        };
        let mut net = make();
        let mut first = trainer(optimizer(), rate, stop, &judge)
            .checkpoint(scratch.file(), CheckpointEvery::Steps(5));
        first.fit(&mut net, &data).expect("training succeeds");
        drop((first, net));

        let mut net = make();
        net.params_mut().fill(T::zero());
        let mut second = trainer(optimizer(), rate, u64::MAX, &judge);
        second
            .resume(&mut net, scratch.file())
            .expect("a sound checkpoint");
        let resumed = second.fit(&mut net, &data).expect("training succeeds");
        assert_eq!(bits(&net), bits(&whole), "{name} stopped after step {stop}");
        assert_eq!(resumed, history, "{name} stopped after step {stop}");
        assert_eq!(
            second.optimizer().state(),
            uninterrupted.optimizer().state(),
            "{name} stopped after step {stop}"
        );
    }
}

/// Frozen layers stay so over an interruption, and single steps are counted by a checkpoint.
#[test]
fn frozen_layers_and_single_steps_resume() -> Result<()> {
    let (scratch, data) = (Folder::new("frozen"), data::<f64>());
    let start = net::<f64>();
    let trainer = || {
        let groups = start.groups(|_, _| (1.0, 0.1));
        let schedule = Schedule::Cosine {
            rate: 0.05,
            min: 0.0,
            steps: 40,
        };
        Trainer::new(MeanSquaredError, Adam::new())
            .batch_size(4)
            .epochs(2)
            .learning_rate(schedule)
            .groups(groups)
            .freeze([0])
    };
    let mut whole = start.clone();
    let mut uninterrupted = trainer();
    for _ in 0..6 {
        uninterrupted.step(&mut whole, data.inputs(), &data)?;
    }
    uninterrupted.fit(&mut whole, &data)?;

    let mut net = start.clone();
    let mut first = trainer();
    for _ in 0..3 {
        first.step(&mut net, data.inputs(), &data)?;
    }
    first.save(&net, scratch.file())?;
    let (mut net, mut second) = (self::net::<f64>(), trainer());
    second.resume(&mut net, scratch.file())?;
    for step in 3..6 {
        assert_eq!(second.step(&mut net, data.inputs(), &data)?.step, step);
    }
    second.fit(&mut net, &data)?;
    assert_eq!(bits(&net), bits(&whole));
    assert_eq!(
        second.optimizer().state(),
        uninterrupted.optimizer().state()
    );
    let count = net
        .blocks(0)
        .iter()
        .map(|block| block.rows * block.cols)
        .sum();
    assert_eq!(net.params()[..count], start.params()[..count]);
    assert_ne!(net.params()[count..], start.params()[count..]);
    Ok(())
}

macro_rules! resume {
    ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
        $($(resumes::<f64, _>(stringify!($made), 0.02, || $made);)+)+
    };
}

#[test]
fn every_rule_resumes_from_any_step() {
    chainrule::every_rule!(resume);
    resumes::<f64, _>("adadelta", 1.0, Adadelta::new);
    resumes::<f32, _>("adam-f32", 0.02, Adam::new);
}

/// Layers within layers have their masks and statistics, too.
#[test]
fn nested_networks_resume() {
    let net = || {
        let body = Chain::new()
            .layer(BatchNorm::new())
            .layer(Dense::new(5, Activation::Tanh))
            .layer(Dropout::new(0.25))
            .layer(Dense::new(3, Activation::Linear));
        let branches = Parallel::new()
            .branch(Residual::new(body))
            .branch(Chain::new().layer(Dropout::new(0.1)).layer(Prelu::new()))
            .branch(GaussianNoise::new(0.1));
        Sequential::builder(3)
            .layer(branches)
            .layer(Dense::new(2, Activation::Linear))
            .seed(1)
            .build()
            .expect("a sound network")
    };
    resumes_with::<f64, _>("nested", 0.02, Adam::new, net);
}

/// A small trainer for what damages its checkpoint.
fn small<'a>() -> (Sequential<f32>, Trainer<'a, f32>) {
    let net = Sequential::builder(3)
        .layer(Dense::new(2, Activation::Sigmoid))
        .seed(1)
        .build();
    (
        net.expect("a sound network"),
        Trainer::new(MeanSquaredError, Adam::new())
            .epochs(3)
            .batch_size(8)
            .learning_rate(0.01),
    )
}

#[test]
fn damage_is_refused() {
    let scratch = Folder::new("damage");
    let (mut net, trainer) = small();
    trainer
        .checkpoint(scratch.file(), CheckpointEvery::Epochs(1))
        .fit(&mut net, &data())
        .expect("training succeeds");
    let sound = std::fs::read(scratch.file()).expect("a checkpoint");
    let damaged = scratch.0.join("damaged");
    let (start, mut other) = small();
    let mut refused = |bytes: &[u8], what: &dyn std::fmt::Display| {
        std::fs::write(&damaged, bytes).expect("a temporary file");
        let mut net = start.clone();
        let error = other
            .resume(&mut net, &damaged)
            .expect_err(&format!("{what} of {} bytes", sound.len()));
        assert_eq!(error.kind(), ErrorKind::Parse, "{what}: {error}");
        assert_eq!(bits(&net), bits(&start), "{what}");
        assert_eq!(other.epoch(), 0, "{what}");
    };
    for length in 0..sound.len() {
        refused(&sound[..length], &format_args!("the first {length}"));
    }
    refused(&[&sound[..], &[0]].concat(), &"a byte too many");
    for bit in 0..sound.len() * 8 {
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(&bytes, &format_args!("bit {bit}"));
    }
    let (mut net, mut trainer) = small();
    std::fs::write(&damaged, &sound).expect("a temporary file");
    trainer
        .resume(&mut net, &damaged)
        .expect("the sound checkpoint");
    assert_eq!(trainer.epoch(), 3);
}

/// The file beside a checkpoint, which holds the first epochs of a long history.
fn history_beside(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.extension().is_some_and(|ending| ending == "history"))
        .collect()
}

fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).expect("a folder").count()
}

fn length(path: &std::path::Path) -> u64 {
    std::fs::metadata(path).map_or(0, |data| data.len())
}

/// So many epochs are more than a checkpoint holds itself.
const LONG: usize = 600;

#[test]
fn a_save_costs_the_same_after_many_epochs() {
    let scratch = Folder::new("cost");
    let (mut net, trainer) = small();
    let mut sizes = Vec::new();
    // What was written by the save before.
    let trainer = trainer
        .epochs(3 * LONG)
        .checkpoint(scratch.file(), CheckpointEvery::Epochs(1))
        .on_epoch(|_, _| {
            let beside: u64 = history_beside(&scratch.0)
                .iter()
                .map(|path| length(path))
                .sum();
            sizes.push([length(&scratch.file()), beside]);
            ControlFlow::Continue(())
        });
    { trainer }
        .fit(&mut net, &data())
        .expect("training succeeds");
    // Without metrics and validation an epoch takes 64 bytes.
    let (first, epoch) = (sizes[1][0], sizes[2][0] - sizes[1][0]);
    assert_eq!(epoch, 64);
    assert!(
        sizes[1..]
            .iter()
            .all(|[size, _]| *size <= first + 256 * epoch + 256),
        "{sizes:?}"
    );
    assert!(
        sizes[..257].iter().all(|[_, beside]| *beside == 0),
        "a small run is one file"
    );
    let last = sizes.last().expect("an epoch")[1];
    assert!(
        last <= 3 * LONG as u64 * epoch && last >= (3 * LONG as u64 - 258) * epoch,
        "{last} bytes"
    );
    // Appended, not written again: it never becomes shorter, and grows by no more than a checkpoint
    // held.
    assert!(
        sizes
            .windows(2)
            .all(|two| two[1][1] >= two[0][1] && two[1][1] - two[0][1] <= 257 * epoch),
        "{sizes:?}"
    );
}

/// How many bytes a save writes after ever more epochs.
#[test]
#[ignore = "figures, not a test: takes minutes"]
fn figures_of_saves() {
    let scratch = Folder::new("figures");
    let (mut net, trainer) = small();
    let every = 10;
    let (mut before, mut written) = (0, 0);
    let mut trainer = trainer
        .epochs(100_000)
        .checkpoint(scratch.file(), CheckpointEvery::Epochs(every))
        .on_epoch(|epoch, _| {
            if epoch.epoch % every == 0 && epoch.epoch > 0 {
                let beside: u64 = history_beside(&scratch.0)
                    .iter()
                    .map(|path| length(path))
                    .sum();
                let now = length(&scratch.file()) + beside - before;
                (before, written) = (beside, written + now);
                if [10, 100, 1000, 10_000, 50_000, 99_990].contains(&epoch.epoch) {
                    println!(
                        "after {} epochs: {now} bytes by this save, {written} in all",
                        epoch.epoch
                    );
                }
            }
            ControlFlow::Continue(())
        });
    let start = std::time::Instant::now();
    trainer.fit(&mut net, &data()).expect("training succeeds");
    println!("{:.1} s", start.elapsed().as_secs_f64());
}

#[test]
fn a_long_history_is_resumed_exactly() {
    let (scratch, data) = (Folder::new("long"), data());
    let (mut whole, trainer) = small();
    let history = trainer
        .epochs(2 * LONG)
        .batch_size(8)
        .fit(&mut whole, &data)
        .expect("training succeeds");
    // In parts that end before, at and behind the lengths at which epochs go to the file beside.
    let (mut net, mut done) = (small().0, 0);
    for more in [255, 1, 1, 1, 256, 1, 300, 2 * LONG] {
        let mut trainer = small()
            .1
            .epochs(2 * LONG)
            .checkpoint(scratch.file(), CheckpointEvery::Epochs(1));
        if done > 0 {
            net = small().0;
            trainer
                .resume(&mut net, scratch.file())
                .expect("a sound checkpoint");
            assert_eq!(trainer.epoch(), done);
        }
        done = (done + more).min(2 * LONG);
        let mut trainer = trainer.on_epoch(|epoch, _| {
            if epoch.epoch + 1 == done {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let resumed = trainer.fit(&mut net, &data).expect("training succeeds");
        assert_eq!(resumed.epochs, history.epochs[..done], "{done} epochs");
        assert!(
            files(&scratch.0) <= 2,
            "the checkpoint and what is beside it"
        );
    }
    assert_eq!(
        (history_beside(&scratch.0).len(), bits(&net)),
        (1, bits(&whole))
    );
}

#[test]
fn damage_beside_a_checkpoint_is_refused() {
    let scratch = Folder::new("damage-beside");
    let (mut net, trainer) = small();
    trainer
        .epochs(LONG)
        .checkpoint(scratch.file(), CheckpointEvery::Epochs(5))
        .fit(&mut net, &data())
        .expect("training succeeds");
    let [beside] = &history_beside(&scratch.0)[..] else {
        panic!("one file")
    };
    let sound = std::fs::read(beside).expect("a history");
    let (start, mut other) = small();
    let mut resume = || {
        let mut net = start.clone();
        let error = other.resume(&mut net, scratch.file()).err();
        assert!(error.is_none() || (bits(&net) == bits(&start) && other.epoch() == 0));
        error
    };
    let mut refused = |bytes: &[u8], what: &dyn std::fmt::Display| {
        std::fs::write(beside, bytes).expect("a file");
        let error = resume().unwrap_or_else(|| panic!("{what} of {} bytes", sound.len()));
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Parse, beside.display().to_string().as_str()),
            "{what}: {error}"
        );
    };
    for length in (0..sound.len()).step_by(31) {
        refused(&sound[..length], &format_args!("the first {length}"));
    }
    for bit in (0..sound.len() * 8).step_by(61) {
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(&bytes, &format_args!("bit {bit}"));
    }
    std::fs::remove_file(beside).expect("to be removed");
    let error = resume().expect("no history");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Io, beside.display().to_string().as_str()),
        "{error}"
    );
    std::fs::write(beside, &sound).expect("a file");
    assert_eq!(resume(), None);

    // And every bit of a checkpoint that names one.
    let sound = std::fs::read(scratch.file()).expect("a checkpoint");
    for bit in (0..sound.len() * 8).filter(|bit| *bit < 8 * 160 || bit % 61 == 0) {
        let mut bytes = sound.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(scratch.file(), bytes).expect("a file");
        assert_eq!(
            small()
                .1
                .resume(&mut small().0, scratch.file())
                .map_err(|e| e.kind()),
            Err(ErrorKind::Parse),
            "bit {bit}"
        );
    }
}

/// Which files come and go beside a checkpoint.
#[test]
fn a_history_is_removed_with_the_checkpoint_that_named_it_and_with_no_other() -> Result<()> {
    let scratch = Folder::new("beside");
    let run = |epochs: usize| {
        small()
            .1
            .epochs(epochs)
            .checkpoint(scratch.file(), CheckpointEvery::Epochs(10))
    };
    let (mut net, mut first) = (small().0, run(LONG));
    let history = first.fit(&mut net, &data())?;
    let old = history_beside(&scratch.0);
    assert_eq!(old.len(), 1);

    // A copy by `save` is one file, whole.
    let copy = scratch.0.join("copy.checkpoint");
    first.save(&net, &copy)?;
    let (mut net_of_copy, resumed) = small();
    let mut resumed = resumed.epochs(LONG);
    resumed.resume(&mut net_of_copy, &copy)?;
    assert_eq!(resumed.fit(&mut net_of_copy, &data())?, history);
    assert_eq!(files(&scratch.0), 3);
    std::fs::remove_file(&copy).expect("to be removed");

    // While its writer lives, a history stays, whoever replaces the checkpoint; and what he saves
    // next is whole.
    first.save(&net, scratch.file())?;
    first.save(&net, scratch.file())?;
    let mine = history_beside(&scratch.0);
    run(10).fit(&mut small().0.clone(), &data())?;
    assert_eq!(history_beside(&scratch.0), mine);
    first.save(&net, scratch.file())?;
    small().1.resume(&mut small().0, scratch.file())?;
    // Two that go on from one checkpoint keep apart.
    let (mut net_of_second, mut second) = (small().0, run(2 * LONG));
    second.resume(&mut net_of_second, scratch.file())?;
    second.fit(&mut net_of_second, &data())?;
    first.save(&net, scratch.file())?;
    let (mut third, mut net_of_third) = (small().1, small().0);
    third.resume(&mut net_of_third, scratch.file())?;
    assert_eq!((third.epoch(), bits(&net_of_third)), (LONG, bits(&net)));
    second.save(&net_of_second, scratch.file())?;
    third.resume(&mut net_of_third, scratch.file())?;
    assert_eq!(
        (third.epoch(), bits(&net_of_third)),
        (2 * LONG, bits(&net_of_second))
    );

    // An older copy of a checkpoint goes on without the history of the newer one.
    drop((first, second, third));
    let newer = history_beside(&scratch.0);
    let (older, keep) = (scratch.0.join("older"), scratch.0.join("keep"));
    let (mut net, mut trainer) = (small().0, run(3 * LONG));
    trainer.resume(&mut net, scratch.file())?;
    std::fs::copy(scratch.file(), &older).expect("a copy");
    trainer.fit(&mut net, &data())?;
    std::fs::copy(scratch.file(), &keep).expect("a copy");
    drop(trainer);
    std::fs::copy(&older, scratch.file()).expect("a copy");
    let (mut net_of_older, mut trainer) = (small().0, run(3 * LONG));
    trainer.resume(&mut net_of_older, scratch.file())?;
    trainer.fit(&mut net_of_older, &data())?;
    assert_eq!(bits(&net_of_older), bits(&net));
    small().1.resume(&mut small().0, &keep)?;
    assert!(newer.iter().any(|path| path.exists()));

    // With a run of its own the checkpoint no longer needs it.
    for path in history_beside(&scratch.0) {
        std::fs::remove_file(path).expect("to be removed");
    }
    std::fs::remove_file(scratch.file()).expect("to be removed");
    run(LONG).fit(&mut small().0.clone(), &data())?;
    assert_eq!(history_beside(&scratch.0).len(), 1);
    run(10).fit(&mut small().0.clone(), &data())?;
    assert_eq!(history_beside(&scratch.0), [] as [PathBuf; 0]);
    // So it does in the next call of `fit`, which begins a history of its own.
    let (mut net, mut trainer) = (small().0, run(LONG));
    trainer.fit(&mut net, &data())?;
    assert_eq!(history_beside(&scratch.0).len(), 1);
    let mut trainer = trainer.epochs(10);
    trainer.fit(&mut net, &data())?;
    assert_eq!(history_beside(&scratch.0), [] as [PathBuf; 0]);
    Ok(())
}

/// Beside a checkpoint may lie what its writer does not expect: links, files of others, nothing.
#[cfg(unix)]
#[test]
fn a_history_that_is_gone_is_written_anew() -> Result<()> {
    let scratch = Folder::new("gone");
    let (mut net, mut trainer) = (
        small().0,
        small()
            .1
            .epochs(LONG)
            .checkpoint(scratch.file(), CheckpointEvery::Epochs(10)),
    );
    let history = trainer.fit(&mut net, &data())?;
    for _ in 0..3 {
        for path in history_beside(&scratch.0) {
            std::fs::remove_file(path).expect("to be removed");
        }
        trainer.save(&net, scratch.file())?;
        let (mut net, mut other) = (small().0, small().1.epochs(LONG));
        other.resume(&mut net, scratch.file())?;
        assert_eq!(other.fit(&mut net, &data())?, history);
    }
    // A link to the checkpoint leads to both.
    let (folder, link) = (Folder::new("gone-link"), scratch.0.join("link.checkpoint"));
    std::os::unix::fs::symlink(folder.file(), &link).expect("a link");
    let mut trainer = small()
        .1
        .epochs(LONG)
        .checkpoint(&link, CheckpointEvery::Epochs(10));
    assert_eq!(trainer.fit(&mut small().0.clone(), &data())?, history);
    assert_eq!((history_beside(&folder.0).len(), files(&folder.0)), (1, 2));
    let (mut net, mut other) = (small().0, small().1.epochs(LONG));
    other.resume(&mut net, &link)?;
    assert_eq!(other.fit(&mut net, &data())?, history);
    Ok(())
}

/// What checkpoints say of layers, losses and stops is what they are meant to say, and no text that
/// a compiler makes.
#[test]
fn descriptions_are_deliberate() -> Result<()> {
    let scratch = Folder::new("descriptions");
    let net = Sequential::<f32>::builder(3)
        .layer(Dense::new(5, Activation::LeakyRelu { slope: 0.1 }).init(Init::HeNormal))
        .layer(Dense::new(5, Activation::Tanh).without_bias())
        .layer(BatchNorm::new().momentum(0.2).without_bias())
        .layer(LayerNorm::new().without_scale())
        .layer(RmsNorm::new())
        .layer(Dropout::new(0.25))
        .layer(AlphaDropout::new(0.5))
        .layer(GaussianNoise::new(0.1))
        .layer(Activation::Elu { alpha: 0.7 })
        .layer(Residual::new(Chain::new().layer(Activation::Tanh)))
        .layer(
            Parallel::new()
                .branch(Chain::new())
                .branch(Dropout::new(0.5))
                .add(),
        )
        .layer(Parallel::new().branch(Softmax))
        .layer(Residual::new(Softmax).projection(Softmax))
        .layer(Softmax)
        .seed(1)
        .build()?;
    let layers = "3 inputs, Dense(outputs=5, activation=leaky_relu(slope=0.1), bias=true), \
        Dense(outputs=5, activation=tanh, bias=false), BatchNorm(eps=0.00001, scale=true, \
        bias=false, momentum=0.2), LayerNorm(eps=0.00001, scale=false, bias=true), \
        RmsNorm(eps=epsilon of the scalar, scale=true, bias=false), Dropout(p=0.25), \
        AlphaDropout(p=0.5), GaussianNoise(std=0.1), elu(alpha=0.7), \
        Residual(add: body=Chain(tanh), skip), Parallel(add: branch0=Chain(), \
        branch1=Dropout(p=0.5)), Parallel(stack: branch0=Softmax), Residual(add: body=Softmax, \
        projection=Softmax), Softmax";
    let text = |trainer: &Trainer<'_, f32>, net: &Sequential<f32>| {
        trainer.save(net, scratch.file())?;
        Ok::<_, Error>(
            String::from_utf8_lossy(&std::fs::read(scratch.file()).expect("a checkpoint"))
                .into_owned(),
        )
    };
    let trainer = Trainer::new(MeanSquaredError, Sgd::new())
        .stop(Stop::CostConverged { change: 0.001 })
        .stop(Stop::WeightsConverged { change: 0.5 })
        .stop(Stop::target(Monitor::highest("r2"), 0.9))
        .stop(Stop::EarlyStopping {
            monitor: Monitor::ValidationCost,
            patience: 7,
            min_change: 0.25,
        })
        .stop(Stop::Time(std::time::Duration::from_millis(1500)));
    let stops = "cost(change=0.001), weights(change=0.5), target(highest r2, value=0.9), \
                 patience(validation, patience=7, min_change=0.25), time(seconds=1.5)";
    let saved = text(&trainer, &net)?;
    for part in ["f32", layers, "MeanSquaredError", stops] {
        assert!(saved.contains(part), "{part} in {saved}");
    }
    type Make = Box<dyn Fn() -> Trainer<'static, f32>>;
    let losses: [(Make, &str); 3] = [
        (
            Box::new(|| Trainer::new(Huber::new(1.5), Sgd::new())),
            "Huber(delta=1.5)",
        ),
        (
            Box::new(|| {
                Trainer::new(
                    SoftmaxCrossEntropy::new()
                        .label_smoothing(0.1)
                        .class_weights(&[1.0, 2.5]),
                    Sgd::new(),
                )
            }),
            "SoftmaxCrossEntropy(label_smoothing=0.1, class_weights=1 2.5)",
        ),
        (
            Box::new(|| Trainer::new(SigmoidCrossEntropy::new(), Sgd::new())),
            "SigmoidCrossEntropy(label_smoothing=0, class_weights=1, positive_weights=1)",
        ),
    ];
    for (trainer, part) in losses {
        let saved = text(&trainer(), &net)?;
        assert!(saved.contains(part), "{part} in {saved}");
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() -> Result<()> {
    let scratch = Folder::new("unlike");
    let (mut net, trainer) = small();
    trainer
        .checkpoint(scratch.file(), CheckpointEvery::Epochs(1))
        .fit(&mut net, &data())?;
    let refused = |trainer: Trainer<'_, f32>, net: &Sequential<f32>, place: &str| {
        let (mut trainer, mut changed) = (trainer, net.clone());
        let error = trainer
            .resume(&mut changed, scratch.file())
            .expect_err(place);
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
        assert!(error.place().starts_with(place), "{error}");
        assert_eq!((&changed, trainer.epoch()), (net, 0));
    };
    refused(small().1.batch_size(9), &net, "batch size of");
    refused(small().1.seed(9), &net, "seed of");
    refused(small().1.shuffle(false), &net, "shuffled of");
    refused(
        small().1.metric("r2", |y, t| metrics::r2(y, t)),
        &net,
        "metrics of",
    );
    refused(
        small().1.stop(Stop::CostConverged { change: 0.0 }),
        &net,
        "stops of",
    );
    refused(
        small().1.observe(Limit {
            steps: 1,
            costs: 0.0,
        }),
        &net,
        "observers of",
    );
    refused(
        small()
            .1
            .reduce_on_plateau(Monitor::TrainingCost, ReduceOnPlateau::new()),
        &net,
        "plateau of",
    );
    refused(
        Trainer::new(Huber::new(1.0), Adam::new()).batch_size(8),
        &net,
        "loss of",
    );
    refused(
        Trainer::new(MeanSquaredError, Sgd::new()).batch_size(8),
        &net,
        "Optimizer::restore",
    );
    let wide = Sequential::builder(3)
        .layer(Dense::new(3, Activation::Sigmoid))
        .seed(1)
        .build()?;
    refused(small().1, &wide, "layers of");
    // As many parameters in all, in other places.
    let slopes = |first: Prelu, second: Prelu| {
        let net = Sequential::builder(3)
            .layer(Dense::new(2, Activation::Linear))
            .layer(first)
            .layer(second);
        net.layer(Dense::new(1, Activation::Linear)).seed(1).build()
    };
    let (one, each) = (Prelu::new(), Prelu::new().per_feature());
    small().1.save(&slopes(one, each)?, scratch.file())?;
    refused(small().1, &slopes(each, one)?, "layers of");
    let (mut double, mut trainer) = (
        self::net::<f64>(),
        Trainer::new(MeanSquaredError, Adam::new()),
    );
    assert_eq!(
        trainer
            .resume(&mut double, scratch.file())
            .map_err(|e| e.kind()),
        Err(ErrorKind::Incompatible)
    );
    let error = small()
        .1
        .resume(&mut small().0, scratch.0.join("missing"))
        .expect_err("no file");
    assert_eq!(error.kind(), ErrorKind::Io);
    Ok(())
}

/// A file size limit, which the system enforces as it would the end of the disk.
#[cfg(unix)]
#[test]
fn a_failed_write_leaves_the_old_checkpoint() {
    let scratch = Folder::new("full");
    let (mut net, trainer) = small();
    trainer
        .checkpoint(scratch.file(), CheckpointEvery::Epochs(1))
        .fit(&mut net, &data())
        .expect("training succeeds");
    let before = std::fs::read(scratch.file()).expect("a checkpoint");
    assert!(before.len() > 512);
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "checkpoints::child_that_cannot_write",
            "--ignored",
            "--nocapture",
        ])
        .env("CHAINRULE_CHECKPOINT", scratch.file())
        .output()
        .expect("a shell");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(std::fs::read(scratch.file()).expect("a checkpoint"), before);
    assert_eq!(
        std::fs::read_dir(&scratch.0).expect("a folder").count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
#[ignore = "run by another test in a process of its own"]
fn child_that_cannot_write() {
    let path = std::env::var("CHAINRULE_CHECKPOINT").expect("run by another test");
    let (mut net, mut trainer) = small();
    trainer.resume(&mut net, &path).expect("a sound checkpoint");
    let error = trainer.save(&net, &path).expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.place(), path);
    // Where it cannot be written at all.
    let nowhere = std::path::Path::new(&path).join("below a file");
    assert_eq!(
        trainer.save(&net, nowhere).map_err(|e| e.kind()),
        Err(ErrorKind::Io)
    );
}

/// Steps after which the killed training is compared.
#[cfg(unix)]
const KILLED_EPOCHS: usize = 6000;

#[cfg(unix)]
const KILLED_EVERY: [(CheckpointEvery, &str); 2] = [
    (CheckpointEvery::Steps(1), "steps"),
    (CheckpointEvery::Epochs(1), "epochs"),
];

#[cfg(unix)]
fn killed<'a>() -> (Sequential<f64>, Trainer<'a, f64>) {
    (
        net(),
        Trainer::new(MeanSquaredError, Adam::new())
            .epochs(KILLED_EPOCHS)
            .batch_size(4)
            .learning_rate(1e-3),
    )
}

/// A process is killed 200 times while it trains and saves after every step, or every epoch, and is
/// started again.
#[cfg(unix)]
#[test]
fn killed_at_any_instant() {
    for (_, every) in KILLED_EVERY {
        kill(every);
    }
}

#[cfg(unix)]
fn kill(every: &str) {
    let (scratch, data) = (Folder::new(&format!("killed-{every}")), data());
    let (mut whole, mut trainer) = killed();
    let history = trainer.fit(&mut whole, &data).expect("training succeeds");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let (mut last, mut during) = (0, 0);
    let written = || {
        std::fs::metadata(scratch.file())
            .and_then(|file| file.modified())
            .ok()
    };
    for trial in 0..200 {
        let before = written();
        let mut child = std::process::Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--exact",
                "checkpoints::child_that_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env("CHAINRULE_CHECKPOINT", scratch.file())
            .env("CHAINRULE_EVERY", every)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("a process");
        // Every other one may come to its first checkpoint, however slow the disk is.
        while trial % 2 == 0 && written() == before {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_micros(
            rng.random_range(0..40_000),
        ));
        child.kill().expect("to be killed");
        child.wait().expect("to end");
        during += usize::from(unfinished(&scratch.0));
        let (mut net, mut trainer) = killed();
        trainer
            .resume(&mut net, scratch.file())
            .expect("the old checkpoint or the new one");
        let step = trainer.optimizer().state().step;
        assert!(step >= last, "{step} after {last}");
        last = step;
    }
    let (mut net, mut trainer) = killed();
    trainer
        .resume(&mut net, scratch.file())
        .expect("a sound checkpoint");
    let resumed: History = trainer.fit(&mut net, &data).expect("training succeeds");
    assert!(
        last >= 100 && (last as usize) < KILLED_EPOCHS * 7,
        "{last} steps until then"
    );
    assert!(during > 0, "some were killed while they wrote");
    assert_eq!(
        bits(&net),
        bits(&whole),
        "{last} steps, {during} killed while they wrote"
    );
    assert_eq!(resumed, history);
    // Of all those attempts nothing is left but what the last one removes.
    trainer.save(&net, scratch.file()).expect("to be saved");
    assert!(!unfinished(&scratch.0));
    eprintln!(
        "{every}: 200 killed, {during} of them while they wrote, {last} steps, {} histories",
        history_beside(&scratch.0).len()
    );
}

#[cfg(unix)]
fn unfinished(folder: &std::path::Path) -> bool {
    let mut entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries.any(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "tmp")
    })
}

#[test]
#[ignore = "run by another test in a process of its own"]
#[cfg(unix)]
fn child_that_is_killed() {
    let path = PathBuf::from(std::env::var("CHAINRULE_CHECKPOINT").expect("run by another test"));
    let (mut net, trainer) = killed();
    let name = std::env::var("CHAINRULE_EVERY").expect("run by another test");
    let every = KILLED_EVERY
        .into_iter()
        .find(|(_, known)| *known == name)
        .expect("one of the two")
        .0;
    let mut trainer = trainer.checkpoint(&path, every);
    if path.exists() {
        trainer
            .resume(&mut net, &path)
            .expect("the old checkpoint or the new one");
    }
    trainer.fit(&mut net, &data()).expect("training succeeds");
}
