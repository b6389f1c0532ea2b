//! Checkpoints: training resumed from any step has the bits of training that was not interrupted, whatever interrupted it.

use chainrule::prelude::*;
use chainrule::rand::RngExt;
use chainrule::{Adadelta, Adagrad, Adamax, History, Lion, Nadam, RAdam, RmsProp, Rprop};
use std::path::PathBuf;

/// A file of this test alone, which goes when the test does.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("chainrule-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("run.checkpoint")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn data<T: Real>() -> Dataset<T> {
    let x = DMatrix::from_fn(3, 26, |i, j| T::of((0.77 * ((i + 2) * (j + 1)) as f64).sin()));
    let t = DMatrix::from_fn(2, 26, |i, j| x[(i, j)] * x[(i + 1, j)]);
    Dataset::new(x, t).expect("sound data")
}

fn net<T: Real>() -> Sequential<T> {
    Sequential::builder(3)
        .layer(Dense::new(5, Activation::Tanh))
        .layer(BatchNorm::new())
        .layer(Dropout::new(0.25))
        .layer(Dense::new(2, Activation::Linear))
        .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))
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
        if step.step + 1 == self.steps { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
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

/// Everything that has a state: dropout, batch norm, shuffling, a schedule with warm-up, a plateau, stops, the best so far.
fn trainer<'a, T: Real>(optimizer: impl Optimizer<T> + 'a, rate: f64, steps: u64, judge: &'a Dataset<T>) -> Trainer<'a, T> {
    Trainer::new(MeanSquaredError, optimizer)
        .epochs(EPOCHS)
        .batch(4)
        .seed(5)
        .rate(Schedule::Cosine { rate, min: 0.0, steps: 60 }.warm_up(7))
        .plateau(Monitor::Validation, Plateau { patience: 1, factor: 0.5, ..Plateau::new() })
        .penalty(Penalty::new().l2(1e-3))
        .clip(Clip::GlobalNorm(1.0))
        .constrain(Constraint::MaxNorm(3.0))
        .validation(judge)
        .metric("r2", metrics::r2)
        .stop(Stop::patience(Monitor::highest("r2"), 1000))
        .restore_best(Monitor::Validation)
        .observe(Limit { steps, costs: 0.0 })
}

fn bits<T: Real>(net: &Sequential<T>) -> Vec<u64> {
    net.params().iter().map(|p| p.as_f64().to_bits()).collect()
}

/// Stops at 20 random steps, resumes in a new trainer with a new network, and compares with what was never interrupted.
fn resumes<T: Real, O: Optimizer<T>>(name: &str, rate: f64, optimizer: impl Fn() -> O) {
    let (scratch, data, judge) = (Scratch::new(name), data::<T>(), data::<T>());
    let mut whole = net::<T>();
    let mut uninterrupted = trainer(optimizer(), rate, u64::MAX, &judge);
    let history = uninterrupted.fit(&mut whole, &data).expect("training succeeds");
    assert_eq!(history.epochs.len(), EPOCHS);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let steps = (EPOCHS * 7) as u64;
    for trial in 0..20 {
        // The first and the last step among them.
        let stop = if trial < 2 { [1, steps][trial] } else { rng.random_range(1..=steps) };
        let mut net = net::<T>();
        let mut first = trainer(optimizer(), rate, stop, &judge).checkpoint(scratch.file(), Every::Steps(5));
        first.fit(&mut net, &data).expect("training succeeds");
        drop((first, net));

        let mut net = self::net::<T>();
        net.params_mut().fill(T::zero());
        let mut second = trainer(optimizer(), rate, u64::MAX, &judge);
        second.resume(&mut net, scratch.file()).expect("a sound checkpoint");
        let resumed = second.fit(&mut net, &data).expect("training succeeds");
        assert_eq!(bits(&net), bits(&whole), "{name} stopped after step {stop}");
        assert_eq!(resumed, history, "{name} stopped after step {stop}");
        assert_eq!(second.optimizer().state(), uninterrupted.optimizer().state(), "{name} stopped after step {stop}");
    }
}

#[test]
fn every_rule_resumes_from_any_step() {
    resumes::<f64, _>("sgd", 0.1, Sgd::new);
    resumes::<f64, _>("momentum", 0.05, || Sgd::new().momentum(0.9).dampening(0.1));
    resumes::<f64, _>("nesterov", 0.05, || Sgd::new().momentum(0.9).nesterov());
    resumes::<f64, _>("adagrad", 0.1, Adagrad::new);
    resumes::<f64, _>("rmsprop", 0.01, RmsProp::new);
    resumes::<f64, _>("rmsprop-centred", 0.01, || RmsProp::new().centered().momentum(0.5));
    resumes::<f64, _>("adadelta", 1.0, Adadelta::new);
    resumes::<f64, _>("adam", 0.02, Adam::new);
    resumes::<f32, _>("adam-f32", 0.02, Adam::new);
    resumes::<f64, _>("amsgrad", 0.02, || Adam::new().amsgrad());
    resumes::<f64, _>("adamax", 0.02, Adamax::new);
    resumes::<f64, _>("nadam", 0.02, Nadam::new);
    resumes::<f64, _>("radam", 0.02, RAdam::new);
    resumes::<f64, _>("lion", 0.01, Lion::new);
    resumes::<f64, _>("rprop", 0.01, Rprop::new);
}

/// A small trainer for what damages its checkpoint.
fn small<'a>() -> (Sequential<f32>, Trainer<'a, f32>) {
    let net = Sequential::builder(3).layer(Dense::new(2, Activation::Sigmoid)).build(&mut Xoshiro256PlusPlus::seed_from_u64(1));
    (net.expect("a sound network"), Trainer::new(MeanSquaredError, Adam::new()).epochs(3).batch(8).rate(0.01))
}

#[test]
fn damage_is_refused() {
    let scratch = Scratch::new("damage");
    let (mut net, trainer) = small();
    trainer.checkpoint(scratch.file(), Every::Epochs(1)).fit(&mut net, &data()).expect("training succeeds");
    let sound = std::fs::read(scratch.file()).expect("a checkpoint");
    let damaged = scratch.0.join("damaged");
    let (start, mut other) = small();
    let mut refused = |bytes: &[u8], what: &dyn std::fmt::Display| {
        std::fs::write(&damaged, bytes).expect("a temporary file");
        let mut net = start.clone();
        let error = other.resume(&mut net, &damaged).expect_err(&format!("{what} of {} bytes", sound.len()));
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
    trainer.resume(&mut net, &damaged).expect("the sound checkpoint");
    assert_eq!(trainer.epoch(), 3);
}

#[test]
fn what_does_not_fit_is_refused() -> Result<()> {
    let scratch = Scratch::new("unlike");
    let (mut net, trainer) = small();
    trainer.checkpoint(scratch.file(), Every::Epochs(1)).fit(&mut net, &data())?;
    let refused = |trainer: Trainer<'_, f32>, net: &Sequential<f32>, place: &str| {
        let (mut trainer, mut changed) = (trainer, net.clone());
        let error = trainer.resume(&mut changed, scratch.file()).expect_err(place);
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
        assert!(error.place().starts_with(place), "{error}");
        assert_eq!((&changed, trainer.epoch()), (net, 0));
    };
    refused(small().1.batch(9), &net, "batch of");
    refused(small().1.seed(9), &net, "seed of");
    refused(small().1.in_order(), &net, "shuffled of");
    refused(small().1.metric("r2", metrics::r2), &net, "metrics of");
    refused(small().1.stop(Stop::Cost { change: 0.0 }), &net, "stops of");
    refused(small().1.observe(Limit { steps: 1, costs: 0.0 }), &net, "observers of");
    refused(small().1.plateau(Monitor::Cost, Plateau::new()), &net, "plateau of");
    refused(Trainer::new(Huber::new(1.0), Adam::new()).batch(8), &net, "loss of");
    refused(Trainer::new(MeanSquaredError, Sgd::new()).batch(8), &net, "Optimizer::restore");
    let wide = Sequential::builder(3).layer(Dense::new(3, Activation::Sigmoid)).build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    refused(small().1, &wide, "layers of");
    let (mut double, mut trainer) = (self::net::<f64>(), Trainer::new(MeanSquaredError, Adam::new()));
    assert_eq!(trainer.resume(&mut double, scratch.file()).map_err(|e| e.kind()), Err(ErrorKind::Incompatible));
    let error = small().1.resume(&mut small().0, scratch.0.join("missing")).expect_err("no file");
    assert_eq!(error.kind(), ErrorKind::Io);
    Ok(())
}

/// A file size limit, which the system enforces as it would the end of the disk.
#[cfg(unix)]
#[test]
fn a_failed_write_leaves_the_old_checkpoint() {
    let scratch = Scratch::new("full");
    let (mut net, trainer) = small();
    trainer.checkpoint(scratch.file(), Every::Epochs(1)).fit(&mut net, &data()).expect("training succeeds");
    let before = std::fs::read(scratch.file()).expect("a checkpoint");
    assert!(before.len() > 512);
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "child_that_cannot_write", "--ignored", "--nocapture"])
        .env("CHAINRULE_CHECKPOINT", scratch.file())
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(scratch.file()).expect("a checkpoint"), before);
    assert_eq!(std::fs::read_dir(&scratch.0).expect("a folder").count(), 1, "nothing is left beside it");
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
    assert_eq!(trainer.save(&net, nowhere).map_err(|e| e.kind()), Err(ErrorKind::Io));
}

/// Steps after which the killed training is compared.
#[cfg(unix)]
const KILLED_EPOCHS: usize = 6000;

#[cfg(unix)]
fn killed<'a>() -> (Sequential<f64>, Trainer<'a, f64>) {
    (net(), Trainer::new(MeanSquaredError, Adam::new()).epochs(KILLED_EPOCHS).batch(4).rate(1e-3))
}

/// A process is killed 200 times while it trains and saves after every step, and is started again.
#[cfg(unix)]
#[test]
fn killed_at_any_instant() {
    let (scratch, data) = (Scratch::new("killed"), data());
    let (mut whole, mut trainer) = killed();
    let history = trainer.fit(&mut whole, &data).expect("training succeeds");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let (mut last, mut during) = (0, 0);
    let written = || std::fs::metadata(scratch.file()).and_then(|file| file.modified()).ok();
    for trial in 0..200 {
        let before = written();
        let mut child = std::process::Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child_that_is_killed", "--ignored", "--nocapture"])
            .env("CHAINRULE_CHECKPOINT", scratch.file())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("a process");
        // Every other one may come to its first checkpoint, however slow the disk is.
        while trial % 2 == 0 && written() == before {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_micros(rng.random_range(0..40_000)));
        child.kill().expect("to be killed");
        child.wait().expect("to end");
        during += usize::from(scratch.0.join(".run.checkpoint.tmp").exists());
        let (mut net, mut trainer) = killed();
        trainer.resume(&mut net, scratch.file()).expect("the old checkpoint or the new one");
        let step = trainer.optimizer().state().step;
        assert!(step >= last, "{step} after {last}");
        last = step;
    }
    let (mut net, mut trainer) = killed();
    trainer.resume(&mut net, scratch.file()).expect("a sound checkpoint");
    let resumed: History = trainer.fit(&mut net, &data).expect("training succeeds");
    assert!(last >= 100 && (last as usize) < KILLED_EPOCHS * 7, "{last} steps until then");
    assert!(during > 0, "some were killed while they wrote");
    assert_eq!(bits(&net), bits(&whole), "{last} steps, {during} killed while they wrote");
    assert_eq!(resumed, history);
}

#[test]
#[ignore = "run by another test in a process of its own"]
#[cfg(unix)]
fn child_that_is_killed() {
    let path = PathBuf::from(std::env::var("CHAINRULE_CHECKPOINT").expect("run by another test"));
    let (mut net, trainer) = killed();
    let mut trainer = trainer.checkpoint(&path, Every::Steps(1));
    if path.exists() {
        trainer.resume(&mut net, &path).expect("the old checkpoint or the new one");
    }
    trainer.fit(&mut net, &data()).expect("training succeeds");
}
