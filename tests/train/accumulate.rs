//! Several mini-batches for one step.

#[cfg(feature = "std")]
use crate::{Limit, common::Folder};
use chainrule::ErrorKind;
use chainrule::nn::BatchNorm;
use chainrule::nn::loss::{Loss, Reduced, Reduction};
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::train::{Observer, Plan, Step};
use core::ops::ControlFlow;

fn data(samples: usize) -> Dataset<f64> {
    let x = DMatrix::from_fn(3, samples, |i, j| {
        f64::sin(((i + 2) * (j + 1)) as f64 * 0.37)
    });
    let t = DMatrix::from_fn(2, samples, |i, j| x[(i, j)] * x[(i + 1, j)]);
    Dataset::new(x, t).expect("sound data")
}

fn builder() -> chainrule::nn::Builder<f64> {
    Sequential::builder(3)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(Dense::new(2, Activation::Linear))
        .seed(1)
}

/// What observers are told.
#[derive(Default)]
struct Seen(Vec<Plan>, Vec<Step>);

impl Observer<f64> for &mut Seen {
    fn on_start(&mut self, plan: &Plan, _: &Sequential<f64>) {
        self.0.push(*plan);
    }
    fn on_batch(&mut self, step: &Step, _: &Sequential<f64>) -> ControlFlow<()> {
        self.1.push(*step);
        ControlFlow::Continue(())
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-11 * b.abs().max(1.0)
}

/// Whatever the reduction, the weights and what else is in a step: 23 samples in batches of 12, or
/// three of 4 together, the last of which has 3.
#[test]
fn as_one_large_batch() -> Result<()> {
    let weights: Vec<f64> = (0..23).map(|j| [0.0, 1.0, 2.5, 0.5, 0.0][j % 5]).collect();
    // In the order of the data set, the first mini-batch counts nothing.
    let sparse: Vec<f64> = (0..23).map(|j| if j < 4 { 0.0 } else { 1.5 }).collect();
    for data in [
        data(23),
        data(23).weighted(weights)?,
        data(23).weighted(sparse)?,
    ] {
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::WeightedMean] {
            let trained = |batch, together, seen: &mut Seen, shuffle| {
                let mut net = builder().build()?;
                let loss = Reduced::new(MeanSquaredError, reduction);
                let schedule = Schedule::Cosine {
                    rate: 0.05,
                    min: 0.0,
                    steps: 10,
                };
                let mut trainer = Trainer::new(loss, Adam::new())
                    .learning_rate(schedule.warm_up(2))
                    .penalty(Penalty::new().l2(1e-2).l1(1e-3))
                    .clip(Clip::GlobalNorm(0.3))
                    .constrain(Constraint::MaxNorm(1.5))
                    .batch_size(batch)
                    .accumulate(together)
                    .shuffle(shuffle)
                    .epochs(5)
                    .observe(seen);
                let history = trainer.fit(&mut net, &data)?;
                Ok::<_, Error>((net, history, trainer.optimizer().state().step))
            };
            for shuffle in [true, false] {
                let (mut large, mut small) = (Seen::default(), Seen::default());
                let (net, history, steps) = trained(12, 1, &mut large, shuffle)?;
                let (other, parts, other_steps) = trained(4, 3, &mut small, shuffle)?;
                assert_eq!((steps, other_steps), (10, 10));
                let pairs = net.params().iter().zip(other.params());
                assert!(
                    pairs.into_iter().all(|(a, b)| near(*a, *b)),
                    "{reduction:?}"
                );
                for (one, other) in history.epochs.iter().zip(&parts.epochs) {
                    assert!(
                        near(one.cost, other.cost) && near(one.gradient_norm, other.gradient_norm)
                    );
                }
                assert_eq!(large.0, small.0);
                assert_eq!(small.0[0].batches, 2);
                for (one, other) in large.1.iter().zip(&small.1) {
                    assert_eq!(
                        (one.epoch, one.batch, one.step, one.learning_rate),
                        (other.epoch, other.batch, other.step, other.learning_rate)
                    );
                    assert!(
                        near(one.cost, other.cost),
                        "{reduction:?}: {one:?}, {other:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

/// One together is what there was before, and a number beyond the data set the full batch.
#[test]
fn at_the_ends() -> Result<()> {
    let data = data(23);
    let trained = |batch, together| {
        let mut net = builder().build()?;
        let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
            .batch_size(batch)
            .accumulate(together)
            .learning_rate(0.1)
            .epochs(3);
        trainer.fit(&mut net, &data)?;
        Ok::<_, Error>((net, trainer.optimizer().state().step))
    };
    let mut plain = builder().build()?;
    Trainer::new(MeanSquaredError, Sgd::new())
        .batch_size(4)
        .learning_rate(0.1)
        .epochs(3)
        .fit(&mut plain, &data)?;
    assert_eq!(trained(4, 1)?, (plain, 18));
    let (whole, steps) = trained(23, 1)?;
    let (parts, other) = trained(2, usize::MAX)?;
    assert_eq!((steps, other), (3, 3));
    assert!(
        whole
            .params()
            .iter()
            .zip(parts.params())
            .all(|(a, b)| near(*a, *b))
    );
    let mut trainer = Trainer::new(MeanSquaredError, Sgd::new()).accumulate(0);
    let error = trainer
        .fit(&mut builder().build()?, &data)
        .expect_err("none");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Value, "accumulate of Trainer")
    );
    Ok(())
}

/// Each mini-batch has moments of its own; the running ones follow their mean, whatever the
/// reduction.
#[test]
fn statistics_of_mini_batches() -> Result<()> {
    let data = data(8);
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let mut net = Sequential::<f64>::builder(3)
            .layer(BatchNorm::new().without_scale().without_bias())
            .layer(Dense::new(2, Activation::Linear))
            .seed(1)
            .build()?;
        Trainer::new(Reduced::new(MeanSquaredError, reduction), Sgd::new())
            .batch_size(4)
            .accumulate(2)
            .shuffle(false)
            .epochs(1)
            .fit(&mut net, &data)?;
        for feature in 0..3 {
            let row = |first| data.inputs().columns(first, 4).row(feature).into_owned();
            let mean = (row(0).mean() + row(4).mean()) / 2.0;
            let variance = (row(0).variance() + row(4).variance()) / 2.0 * 4.0 / 3.0;
            assert!(near(net.params()[feature], 0.1 * mean));
            assert!(near(net.params()[3 + feature], 0.9 + 0.1 * variance));
        }
    }
    Ok(())
}

/// Costs that are no numbers are an error of the step.
#[test]
fn divergence_is_found() -> Result<()> {
    let data = data(23);
    let mut net = builder().build()?;
    let before = net.clone();
    let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
        .batch_size(4)
        .accumulate(2)
        .learning_rate(1e200);
    let error = trainer
        .fit(&mut net, &data)
        .expect_err("a rate beyond all bounds");
    assert!(
        matches!(error.kind(), ErrorKind::Diverged { epoch: 0, .. }),
        "{error}"
    );
    assert_eq!(net, before);
    Ok(())
}

/// With dropout, whose masks are others in each mini-batch, from any step on: the same bits.
#[cfg(feature = "std")]
#[test]
fn resumed_from_any_step() -> Result<()> {
    use chainrule::train::CheckpointEvery;
    let data = data(23);
    let folder = Folder::new("accumulate");
    let path = folder.file();
    let start = |limit, together| {
        let net = builder()
            .layer(Dropout::new(0.3))
            .layer(BatchNorm::new())
            .layer(Dense::new(2, Activation::Linear))
            .build()?;
        let trainer = Trainer::new(MeanSquaredError, Ema::new(Adam::new(), 0.9))
            .learning_rate(
                Schedule::Cosine {
                    rate: 0.05,
                    min: 0.0,
                    steps: 100,
                }
                .in_percent(),
            )
            .batch_size(4)
            .accumulate(together)
            .epochs(4)
            .checkpoint(&path, CheckpointEvery::Steps(1))
            .observe(Limit(limit));
        Ok::<_, Error>((net, trainer))
    };
    let (mut whole, mut trainer) = start(u64::MAX, 2)?;
    trainer.fit(&mut whole, &data)?;
    let (mut other, mut trainer) = start(u64::MAX, 3)?;
    trainer.fit(&mut other, &data)?;
    assert_ne!(whole, other);
    for limit in 1..12 {
        let (mut net, mut trainer) = start(limit, 2)?;
        trainer.fit(&mut net, &data)?;
        let (mut net, mut trainer) = start(u64::MAX, 2)?;
        trainer.resume(&mut net, &path)?;
        trainer.fit(&mut net, &data)?;
        assert_eq!(net, whole, "after {limit} steps");
    }
    let (mut net, mut trainer) = start(u64::MAX, 4)?;
    let error = trainer.resume(&mut net, &path).expect_err("another number");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("2 times 4"), "{error}");
    Ok(())
}

/// The same bits on any number of threads.
#[cfg(feature = "parallel")]
#[test]
fn on_threads() -> Result<()> {
    let x = DMatrix::from_fn(60, 300, |i, j| f64::sin(((i + 3) * (j + 1)) as f64 * 0.37));
    let data = Dataset::new(x.clone(), x.rows(0, 1).into_owned())?;
    let trained = |threads| {
        let mut net = Sequential::builder(60)
            .layer(Dense::new(150, Activation::Tanh))
            .layer(BatchNorm::new())
            .layer(Dense::new(1, Activation::Linear))
            .seed(1)
            .build()?;
        Trainer::new(Reduced::new(MeanSquaredError, Reduction::Sum), Adam::new())
            .batch_size(64)
            .accumulate(3)
            .epochs(2)
            .threads(threads)
            .fit(&mut net, &data)?;
        Ok::<_, Error>(net)
    };
    assert_eq!(trained(1)?, trained(3)?);
    Ok(())
}

/// The loss of these tests is a reduced one.
#[test]
fn reductions_are_told_apart() {
    let of = |reduction| Loss::<f64>::reduction(&Reduced::new(MeanSquaredError, reduction));
    assert_eq!(of(Reduction::Sum), Reduction::Sum);
}
