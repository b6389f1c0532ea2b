//! Any number of threads gives the bits of one: gradients, predictions, costs, whole training runs.
#![cfg(feature = "parallel")]

use chainrule::nalgebra::DMatrix;
use chainrule::nn::layer::{BackwardArgs, Block, GradientArgs, InferArgs, Layer, Role};
use chainrule::nn::loss::{LogCosh, QuadraticCost};
use chainrule::nn::{Breakpoints, Builder};
use chainrule::numeric::ViewMut;
use chainrule::optim::{Group, OptimizerState};
use chainrule::prelude::*;
use chainrule::train::History;
use chainrule::{ErrorKind, Real, View};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};

/// More threads than most machines of the tests have cores, and numbers by which no width here
/// divides.
const COUNTS: [usize; 4] = [2, 3, 4, 7];

/// How the results of other numbers of threads are to be: bit by bit, so that −0 and 0 differ and
/// NaN equals itself.
#[derive(PartialEq)]
struct Bits(Vec<u64>);

impl Bits {
    fn of<'a, T: Real>(numbers: impl IntoIterator<Item = &'a T>) -> Self {
        Self(numbers.into_iter().map(|v| v.as_f64().to_bits()).collect())
    }

    /// Names the first number that differs; a million of them in a message help nobody.
    #[track_caller]
    fn assert_same(&self, other: &Self, what: impl std::fmt::Display) {
        assert_eq!(self.0.len(), other.0.len(), "{what}: how many");
        if let Some(at) = (0..self.0.len()).find(|i| self.0[*i] != other.0[*i]) {
            let [one, many] = [self, other].map(|bits| f64::from_bits(bits.0[at]));
            panic!("{what}: number {at} is {one:e} on one thread, {many:e} on many");
        }
    }
}

fn build<T: Real>(builder: Builder<T>) -> Sequential<T> {
    builder.seed(1).build().expect("a sound network")
}

/// Of many magnitudes, so that any other order of a sum shows.
fn inputs<T: Real>(rows: usize, samples: usize) -> DMatrix<T> {
    DMatrix::from_fn(rows, samples, |i, j| {
        T::of(((i * 31 + j * 17) as f64).sin() * 10.0_f64.powi((i % 5) as i32 - 2))
    })
}

fn targets<T: Real>(rows: usize, samples: usize) -> DMatrix<T> {
    DMatrix::from_fn(rows, samples, |i, j| T::of(((i * 3 + j * 5) as f64).cos()))
}

/// A network wide enough for many threads, with every kind of layer.
fn wide<T: Real>() -> Sequential<T> {
    build(
        Sequential::builder(300)
            .layer(Dense::new(400, Activation::Relu))
            .layer(Dropout::new(0.3))
            .layer(Dense::new(200, Activation::Gelu).without_bias())
            .layer(Activation::Tanh)
            .layer(Dense::new(10, Activation::Linear)),
    )
}

/// A network that no batch here makes worth a second thread.
fn small<T: Real>() -> Sequential<T> {
    build(
        Sequential::builder(7)
            .layer(Dense::new(19, Activation::Tanh))
            .layer(Dropout::new(0.4))
            .layer(Dense::new(3, Activation::Sigmoid)),
    )
}

/// A layer of two million weights, enough work in two samples, on top of one that asks it for
/// ∂C/∂x.
fn vast<T: Real>() -> Sequential<T> {
    let builder = Sequential::builder(1500)
        .layer(Activation::Softsign)
        .layer(Dense::new(1300, Activation::Tanh));
    build(builder.layer(Dense::new(2, Activation::Linear)))
}

/// One output, and so a row of dot products, and one input, and so an outer product.
fn needle<T: Real>() -> Sequential<T> {
    build(
        Sequential::builder(70_001)
            .layer(Dense::new(1, Activation::Sigmoid))
            .layer(Dense::new(50_003, Activation::Softplus)),
    )
}

/// All that a gradient leaves in the tape.
fn pass<T: Real>(
    net: &Sequential<T>,
    x: View<'_, T>,
    t: View<'_, T>,
    tape: &mut Tape<T>,
) -> Result<Bits> {
    let cost = net.gradient(x, t, &LogCosh, tape)?;
    let mut all = vec![cost];
    all.extend(tape.costs());
    all.extend(tape.grads());
    for layer in 0..net.layers().len() {
        all.extend(tape.a(layer)?.iter());
        all.extend(tape.delta(layer)?.iter());
    }
    Ok(Bits::of(&all))
}

// -------------------------------------------------------------------------------------------------
// Gradients

/// Gradients of batches of several sizes, one after the other on the same tape.
fn gradients<T: Real>(net: &Sequential<T>, sizes: &[usize]) -> Result<()> {
    let most = sizes.iter().max().copied().unwrap_or(1);
    let (x, t) = (inputs(net.inputs(), most), targets(net.outputs(), most));
    let batch = |size| {
        Ok::<_, Error>((
            View::from(&x).columns(most - size, size)?,
            View::from(&t).columns(most - size, size)?,
        ))
    };
    let mut tapes = vec![Tape::with_seed(3).threads(1)?];
    for count in COUNTS {
        tapes.push(Tape::with_seed(3).threads(count)?);
    }
    let mut alone = Tape::with_seed(3);
    for size in sizes {
        let (x, t) = batch(*size)?;
        let expected = pass(net, x, t, &mut alone)?;
        for (tape, count) in tapes.iter_mut().zip([1].into_iter().chain(COUNTS)) {
            expected.assert_same(
                &pass(net, x, t, tape)?,
                format_args!("{net}\n{size} samples on {count} threads"),
            );
        }
    }
    Ok(())
}

#[test]
fn gradients_of_wide_networks() -> Result<()> {
    // 5 and 15 samples are too few for seven threads with two each.
    let sizes = [96, 97, 15, 2, 3, 1, 5, 97];
    gradients(&wide::<f32>(), &sizes)?;
    gradients(&wide::<f64>(), &sizes)
}

#[test]
fn gradients_of_few_samples() -> Result<()> {
    gradients(&vast::<f32>(), &[2, 1, 3, 5])?;
    gradients(&vast::<f64>(), &[3])?;
    gradients(&needle::<f32>(), &[33, 2])?;
    gradients(&needle::<f64>(), &[35])
}

#[test]
fn gradients_of_small_networks() -> Result<()> {
    gradients(&small::<f32>(), &[1, 2, 3, 40])?;
    gradients(&small::<f64>(), &[1, 2, 3, 40])
}

/// In layers of odd widths: where a thread's part begins, vectors begin elsewhere than in the
/// whole.
fn gradients_by_activation<T: Real>() -> Result<()> {
    let activations = [
        Activation::Linear,
        Activation::PiecewiseLinear,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.01 },
        Activation::Relu6,
        Activation::Elu { alpha: 0.7 },
        Activation::Celu { alpha: 0.7 },
        Activation::Threshold {
            threshold: 0.3,
            value: 0.7,
        },
        Activation::HardShrink { lambda: 0.3 },
        Activation::SoftShrink { lambda: 0.3 },
        Activation::Selu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Softsign,
        Activation::HardSigmoid,
        Activation::HardTanh,
        Activation::HardSwish,
        Breakpoints::new(&[(-1.0, -0.5), (0.0, 0.0), (0.5, 2.0)])?.into(),
        Activation::Step.surrogate(Activation::Tanh),
        Activation::Gelu.surrogate(Activation::Mish),
    ];
    let x = inputs::<T>(201, 97);
    let t = targets::<T>(5, 97);
    let (mut alone, mut together) = (
        Tape::new(),
        [Tape::new().threads(3)?, Tape::new().threads(7)?],
    );
    for (index, activation) in activations.into_iter().enumerate() {
        let hidden = Dense::new(203, activation.clone());
        let hidden = if index % 2 == 0 {
            hidden
        } else {
            hidden.without_bias()
        };
        let net = build(
            Sequential::builder(201)
                .layer(hidden)
                .layer(Dense::new(5, activation.clone())),
        );
        let expected = pass(&net, (&x).into(), (&t).into(), &mut alone)?;
        for tape in &mut together {
            expected.assert_same(&pass(&net, (&x).into(), (&t).into(), tape)?, &activation);
        }
    }
    Ok(())
}

#[test]
fn gradients_of_every_activation() -> Result<()> {
    gradients_by_activation::<f32>()?;
    gradients_by_activation::<f64>()
}

/// Slopes of the caller's own, and parameters of the caller's own.
#[test]
fn gradients_in_other_ways() -> Result<()> {
    let (net, x) = (wide::<f32>(), inputs(300, 97));
    let other: Vec<f32> = net.params().iter().map(|w| 0.9 * w).collect();
    let run = |mut tape: Tape<f32>| {
        let slopes = |y: View<'_, f32>, mut dy: ViewMut<'_, f32>| {
            dy.as_mut_slice().copy_from_slice(y.as_slice());
            Ok(y.as_slice()[0])
        };
        let first = net.gradient_with(&x, &mut tape, slopes)?;
        let mut all = vec![first];
        all.extend(tape.grads());
        let cost = net
            .at(&other)?
            .gradient(&x, &targets(10, 97), &MeanSquaredError, &mut tape)?;
        all.push(cost);
        all.extend(tape.grads());
        Ok::<_, Error>(Bits::of(&all))
    };
    let expected = run(Tape::new())?;
    for count in COUNTS {
        expected.assert_same(&run(Tape::new().threads(count)?)?, count);
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Predictions

/// Predictions and costs of 1 to 600 samples: below, at and beyond what inference takes at a time.
fn predictions<T: Real>(net: &Sequential<T>, sizes: &[usize]) -> Result<()> {
    let (x, t) = (inputs(net.inputs(), 600), targets(net.outputs(), 600));
    let (mut alone, mut together) = (Tape::new(), vec![]);
    for count in COUNTS {
        together.push(Tape::new().threads(count)?);
    }
    let all = net.predict(&x)?;
    for size in sizes {
        let (x, t) = (
            View::from(&x).columns(600 - size, *size)?,
            View::from(&t).columns(600 - size, *size)?,
        );
        let outputs = Bits::of(all.columns(600 - size, *size).iter());
        let cost = net.cost(x, t, &LogCosh, &mut alone)?;
        let costs = Bits::of(alone.costs());
        for (tape, count) in together.iter_mut().zip(COUNTS) {
            let mut y = DMatrix::zeros(net.outputs(), *size);
            net.predict_into(x, &mut y, tape)?;
            outputs.assert_same(
                &Bits::of(y.iter()),
                format_args!("outputs of {size} samples on {count} threads"),
            );
            let same =
                net.cost(x, t, &LogCosh, tape)?.as_f64().to_bits() == cost.as_f64().to_bits();
            assert!(same, "cost of {size} samples on {count} threads");
            costs.assert_same(
                &Bits::of(tape.costs()),
                format_args!("costs of {size} samples on {count} threads"),
            );
        }
    }
    Ok(())
}

fn predictions_of<T: Real>() -> Result<()> {
    let some: Vec<usize> = (1..=17)
        .chain((33..600).step_by(54))
        .chain([127, 128, 129, 130, 255, 256, 257, 384, 385, 512, 513, 600])
        .collect();
    let few = [2, 97, 130, 255];
    // 30 000 weights are work for seven threads in 128 samples, for two in 35.
    predictions(
        &build::<T>(
            Sequential::builder(150)
                .layer(Dense::new(201, Activation::Silu))
                .layer(Dense::new(7, Activation::Tanh)),
        ),
        &some,
    )?;
    predictions(&wide::<T>(), &few)?;
    let every: Vec<usize> = (1..=600).collect();
    predictions(&small::<T>(), &every)
}

#[test]
fn predictions_of_one_to_many_f32() -> Result<()> {
    predictions_of::<f32>()
}

#[test]
fn predictions_of_one_to_many_f64() -> Result<()> {
    predictions_of::<f64>()
}

/// One sample by itself on a wide network, as on the caller's thread alone.
#[test]
fn predictions_of_one() -> Result<()> {
    let (net, x) = (vast::<f32>(), inputs(1500, 1));
    let run = |mut tape: Tape<f32>| {
        let mut y = [0.0; 2];
        net.predict_one(x.as_slice(), &mut y, &mut tape)
            .map(|()| Bits::of(&y))
    };
    let expected = run(Tape::new())?;
    for count in COUNTS {
        expected.assert_same(&run(Tape::new().threads(count)?)?, count);
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Training

/// 100 samples, so that the last of the batches of 40 is smaller.
fn data<T: Real>(features: usize) -> Result<Dataset<T>> {
    let labels: Vec<usize> = (0..100).map(|j| j * 7 % 10).collect();
    Dataset::new(inputs(features, 100), one_hot(&labels, 10)?)
}

/// A quarter of a million weights in the first layer: work for several threads in a step of an
/// optimizer, too.
fn learner<T: Real>() -> Sequential<T> {
    let builder = Sequential::builder(400)
        .layer(Dense::new(600, Activation::Relu))
        .layer(Dropout::new(0.2));
    build(
        builder
            .layer(Dense::new(200, Activation::Tanh))
            .layer(Dense::new(10, Activation::Linear)),
    )
}

/// What a training run leaves: parameters, the optimizer's state, costs, validations, metrics.
fn left<T: Real>(net: &Sequential<T>, state: &OptimizerState<T>, histories: &[History]) -> Bits {
    let mut all = Bits::of(net.params().iter().chain(state.slots.iter().flatten()));
    all.0.push(state.step);
    for epoch in histories.iter().flat_map(|history| &history.epochs) {
        let known = [epoch.cost, epoch.validation_cost.unwrap_or(0.0)]
            .into_iter()
            .chain(epoch.metrics.iter().map(|(_, value)| *value));
        all.0.extend(known.map(f64::to_bits));
    }
    all
}

/// A run of a fit per number of threads.
fn run<T: Real, O: Optimizer<T>>(
    optimizer: O,
    groups: impl Fn(&Sequential<T>) -> Vec<Group>,
    counts: &[usize],
) -> Result<Bits> {
    let (mut net, data) = (learner::<T>(), data(400)?);
    let validation = data.select(&(0..90).rev().collect::<Vec<_>>())?;
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), optimizer)
        .epochs(if counts.len() > 1 { 1 } else { 2 })
        .batch_size(40)
        .learning_rate(1e-3)
        .seed(5);
    trainer = trainer
        .groups(groups(&net))
        .validation_data(&validation)
        .metric("accuracy", |y, t| metrics::accuracy(y, t));
    let mut histories = vec![];
    for count in counts {
        trainer = trainer.threads(*count);
        histories.push(trainer.fit(&mut net, &data)?);
    }
    let all = left(&net, trainer.optimizer().state(), &histories);
    assert!(
        histories
            .iter()
            .flat_map(History::costs)
            .all(|cost| cost > 0.0)
    );
    Ok(all)
}

fn plain<T: Real>(net: &Sequential<T>) -> Vec<Group> {
    Group::all(net.params().len())
}

/// The biases of all layers at a rate of their own, the last layer frozen, decay on the weights.
fn uneven<T: Real>(net: &Sequential<T>) -> Vec<Group> {
    net.groups(|layer, block| match (layer, block.role) {
        (3, _) => (0.0, 0.0),
        (_, Role::Bias) => (2.0, 0.0),
        _ => (0.7, 1e-2),
    })
}

/// The first layer, which is the largest, frozen.
fn frozen<T: Real>(net: &Sequential<T>) -> Vec<Group> {
    net.groups(|layer, _| (if layer == 0 { 0.0 } else { 1.0 }, 0.0))
}

fn runs<T: Real, O: Optimizer<T>>(make: impl Fn() -> O) -> Result<()> {
    type Choose<T> = fn(&Sequential<T>) -> Vec<Group>;
    let choices: [(Choose<T>, &[usize]); 3] = [(plain, &[2, 7]), (uneven, &[3, 7]), (frozen, &[4])];
    for (groups, counts) in choices {
        let expected = run(make(), groups, &[1])?;
        for count in counts {
            expected.assert_same(
                &run(make(), groups, &[*count])?,
                format_args!("{:?}, {count} threads", make().state().rule),
            );
        }
    }
    Ok(())
}

#[test]
fn training_by_momentum_f32() -> Result<()> {
    runs::<f32, _>(|| Sgd::new().momentum(0.9))
}

#[test]
fn training_by_momentum_f64() -> Result<()> {
    runs::<f64, _>(|| Sgd::new().momentum(0.9))
}

#[test]
fn training_by_adam_f32() -> Result<()> {
    runs::<f32, _>(Adam::new)
}

#[test]
fn training_by_adam_f64() -> Result<()> {
    runs::<f64, _>(Adam::new)
}

#[test]
fn training_by_other_rules() -> Result<()> {
    let (descent, nesterov) = (
        || Sgd::<f32>::new(),
        || Sgd::<f32>::new().momentum(0.8).nesterov(),
    );
    run(descent(), plain, &[1])?.assert_same(&run(descent(), plain, &[7])?, "plain descent");
    run(nesterov(), uneven, &[1])?
        .assert_same(&run(nesterov(), uneven, &[7])?, "Nesterov's momentum");
    Ok(())
}

/// Sums of several blocks, of which a thread has all, in layers of widths that no number of threads
/// divides.
#[test]
fn training_of_long_sums() -> Result<()> {
    let data: Dataset<f32> = Dataset::new(inputs(1153, 90), targets(3, 90))?;
    let fit = |threads| {
        let mut net = build(
            Sequential::builder(1153)
                .layer(Dense::new(1031, Activation::Tanh))
                .layer(Dense::new(773, Activation::Relu).without_bias())
                .layer(Dense::new(3, Activation::Linear)),
        );
        let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
            .epochs(2)
            .batch_size(37)
            .threads(threads);
        let histories = [trainer.fit(&mut net, &data)?];
        Ok::<_, Error>(left(&net, trainer.optimizer().state(), &histories))
    };
    let expected = fit(1)?;
    for threads in [2, 3, 8] {
        expected.assert_same(&fit(threads)?, format_args!("{threads} threads"));
    }
    Ok(())
}

/// The threads of a trainer may change between fits, and need not be said at all.
#[test]
fn another_number_of_threads_in_each_fit() -> Result<()> {
    let expected = run(Adam::<f32>::new(), uneven, &[1, 1, 1, 1, 1])?;
    expected.assert_same(
        &run(Adam::<f32>::new(), uneven, &[2, 7, 7, 1, 3])?,
        "2, 7, 7, 1, 3",
    );

    let (mut net, data) = (learner::<f32>(), data(400)?);
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Sgd::new())
        .epochs(1)
        .batch_size(40)
        .learning_rate(1e-3);
    let history = trainer.fit(&mut net, &data)?;
    let mut other = learner::<f32>();
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Sgd::new())
        .epochs(1)
        .batch_size(40)
        .learning_rate(1e-3)
        .threads(2);
    assert_eq!(trainer.fit(&mut other, &data)?, history);
    assert!(other == net);
    Ok(())
}

/// A loop by hand on a tape of threads is the run of a trainer.
#[test]
fn a_loop_by_hand() -> Result<()> {
    let (mut net, data) = (learner::<f32>(), data(400)?);
    Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
        .epochs(2)
        .batch_size(40)
        .shuffle(false)
        .threads(4)
        .fit(&mut net, &data)?;
    let (mut by_hand, mut adam, mut tape) =
        (learner::<f32>(), Adam::new(), Tape::new().threads(3)?);
    let groups = Group::all(net.params().len());
    let mut batches = chainrule::data::Batches::in_order(40)?;
    for epoch in 0..2 {
        let mut batches = batches.epoch(&data, epoch);
        while let Some(batch) = batches.next_batch() {
            by_hand.gradient(
                batch.x,
                batch.target.values(),
                &SoftmaxCrossEntropy::new(),
                &mut tape,
            )?;
            adam.step(1e-3, by_hand.params_mut(), tape.grads(), &groups)?;
        }
    }
    assert!(by_hand == net);
    Ok(())
}

/// A run that diverges ends at the same batch, with the same words and the network of the last
/// epoch that was finished.
#[test]
fn divergence() -> Result<()> {
    let data = data::<f32>(400)?;
    let fit = |count| {
        let mut net = learner::<f32>();
        let mut trainer = Trainer::new(QuadraticCost, Sgd::new().momentum(0.9))
            .epochs(9)
            .batch_size(40)
            .learning_rate(1e6)
            .threads(count);
        let error = trainer
            .fit(&mut net, &data)
            .expect_err("nothing learns at this rate");
        (
            error,
            trainer.epoch(),
            left(&net, trainer.optimizer().state(), &[]),
        )
    };
    let (error, epoch, expected) = fit(1);
    assert!(
        matches!(error.kind(), ErrorKind::Diverged { .. }),
        "{error}"
    );
    for count in COUNTS {
        let (error_of_many, epoch_of_many, of_many) = fit(count);
        assert_eq!((&error_of_many, epoch_of_many), (&error, epoch));
        expected.assert_same(&of_many, count);
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// No threads

#[test]
fn no_threads_are_an_error() {
    let error = Tape::<f64>::new()
        .threads(0)
        .expect_err("nobody would work");
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(error.place().contains("threads"), "{error}");
    assert_eq!(error.given(), "0");
}

/// To make threads takes time that grows with the square of their number.
#[test]
fn more_threads_than_any_machine_gains_from_are_an_error() {
    for count in [1025, 10_000, usize::MAX] {
        let error = Tape::<f64>::new().threads(count).expect_err("too many");
        assert_eq!(
            (error.kind(), error.to_string()),
            (
                ErrorKind::Value,
                format!("threads: got {count}, expected from 1 to 1024")
            )
        );
    }
}

#[test]
fn a_trainer_of_no_threads() -> Result<()> {
    let data = data::<f32>(400)?;
    let trainer = || {
        Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
            .epochs(1)
            .batch_size(40)
            .seed(5)
    };
    let (mut net, mut refused) = (learner::<f32>(), trainer().threads(0));
    let error = refused.fit(&mut net, &data).expect_err("nobody would work");
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(error.place().contains("threads"), "{error}");
    assert!(net == learner());
    assert_eq!(
        (refused.epoch(), refused.optimizer().state()),
        (0, Adam::new().state())
    );

    // The next fit is that of a new trainer: at first, and after a fit.
    let (mut fresh, mut expected) = (trainer().threads(2), learner::<f32>());
    let mut refused = refused.threads(2);
    for _ in 0..2 {
        let (history, again) = (
            fresh.fit(&mut expected, &data)?,
            refused.fit(&mut net, &data)?,
        );
        assert_eq!(again, history);
        left(&expected, fresh.optimizer().state(), &[]).assert_same(
            &left(&net, refused.optimizer().state(), &[]),
            "after a refusal",
        );
        refused = refused.threads(0);
        assert!(refused.fit(&mut net, &data).is_err());
        assert!(net == expected);
        assert_eq!(refused.epoch(), fresh.epoch());
        refused = refused.threads(3);
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Many at once

/// Several tapes with threads of their own, and clones that share theirs, each in a thread of the
/// program.
#[test]
fn tapes_side_by_side() -> Result<()> {
    let net = wide::<f32>();
    let x = inputs(300, 130);
    let t = targets(10, 130);
    let work = |mut tape: Tape<f32>, size: usize| {
        let (x, t) = (
            View::from(&x).columns(0, size)?,
            View::from(&t).columns(0, size)?,
        );
        let (mut all, mut y) = (Bits(vec![]), DMatrix::zeros(10, size));
        for _ in 0..2 {
            all.0.extend(pass(&net, x, t, &mut tape)?.0);
            net.predict_into(x, &mut y, &mut tape)?;
            all.0.extend(Bits::of(&y).0);
            all.0
                .extend(Bits::of(&[net.cost(x, t, &LogCosh, &mut tape)?]).0);
        }
        Ok::<_, Error>(all)
    };
    let shared = Tape::with_seed(2).threads(3)?;
    let tapes = [
        Tape::with_seed(2).threads(2)?,
        Tape::with_seed(2),
        shared.clone(),
        Tape::with_seed(2).threads(4)?,
        shared,
    ];
    let sizes = [96, 97, 130, 33, 64];
    let (barrier, work) = (Barrier::new(tapes.len()), &work);
    thread::scope(|scope| {
        let workers: Vec<_> = tapes
            .into_iter()
            .zip(sizes)
            .map(|(tape, size)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    // All at once, so that they do meet.
                    barrier.wait();
                    work(tape, size)
                })
            })
            .collect();
        for (worker, size) in workers.into_iter().zip(sizes) {
            work(Tape::with_seed(2), size)?.assert_same(
                &worker.join().expect("no panic")?,
                format_args!("{size} samples"),
            );
        }
        Ok(())
    })
}

#[test]
fn trainers_side_by_side() -> Result<()> {
    let fit = |count: usize| run(Adam::<f32>::new(), uneven, &[count]);
    let expected = fit(1)?;
    thread::scope(|scope| {
        let workers = [2, 3, 2].map(|count| scope.spawn(move || fit(count)));
        for worker in workers {
            expected.assert_same(&worker.join().expect("no panic")?, "a trainer among others");
        }
        Ok(())
    })
}

// -------------------------------------------------------------------------------------------------
// Where the work is done

/// Hands its input on, remembers the threads on which it was asked to, and panics on demand.
#[derive(Clone, Debug, Default)]
struct Witness {
    seen: Arc<Mutex<Vec<ThreadId>>>,
    panics: Arc<AtomicBool>,
}

impl Witness {
    fn seen(&self) -> Vec<ThreadId> {
        std::mem::take(&mut *self.seen.lock().expect("no panic"))
    }
}

impl Layer<f32> for Witness {
    fn name(&self) -> String {
        "Witness".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }
    fn infer(&self, mut p: InferArgs<'_, f32>) {
        self.seen
            .lock()
            .expect("no panic")
            .push(thread::current().id());
        assert!(!self.panics.load(Ordering::Relaxed), "as the test wants it");
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
    }
    fn backward(&self, p: BackwardArgs<'_, f32>) {
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice()
                .copy_from_slice(p.delta.as_view().as_slice());
        }
    }
}

fn witnessed(witness: &Witness) -> Sequential<f32> {
    build(
        Sequential::builder(300)
            .layer(witness.clone())
            .layer(Dense::new(400, Activation::Relu))
            .layer(Dense::new(2, Activation::Linear)),
    )
}

/// Otherwise all of this file would pass where nothing is shared.
#[test]
fn large_passes_leave_the_callers_thread_and_small_ones_stay() -> Result<()> {
    let witness = Witness::default();
    let net = witnessed(&witness);
    let x = inputs(300, 96);
    let t = targets(2, 96);
    let elsewhere = |count: usize, samples: usize| {
        let (mut tape, here) = (Tape::new().threads(count)?, thread::current().id());
        let (x, t) = (
            View::from(&x).columns(0, samples)?,
            View::from(&t).columns(0, samples)?,
        );
        net.gradient(x, t, &MeanSquaredError, &mut tape)?;
        net.predict_into(x, &mut DMatrix::zeros(2, samples), &mut tape)?;
        Ok::<_, Error>(
            witness
                .seen()
                .into_iter()
                .map(|thread| thread != here)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(elsewhere(2, 96)?, [true, true]);
    assert_eq!(elsewhere(7, 96)?, [true, true]);
    assert_eq!(elsewhere(2, 3)?, [false, false]);
    assert_eq!(elsewhere(1, 96)?, [false, false]);
    Ok(())
}

/// A layer that panics does so at the caller, and the tape can go on.
#[test]
fn a_panic_comes_back() -> Result<()> {
    let witness = Witness::default();
    let net = witnessed(&witness);
    let x = inputs(300, 96);
    let t = targets(2, 96);
    let expected = pass(&net, (&x).into(), (&t).into(), &mut Tape::new())?;
    let mut tape = Tape::new().threads(3)?;
    pass(&net, (&x).into(), (&t).into(), &mut tape)?;
    witness.panics.store(true, Ordering::Relaxed);
    assert!(
        catch_unwind(AssertUnwindSafe(|| pass(
            &net,
            (&x).into(),
            (&t).into(),
            &mut tape
        )))
        .is_err()
    );
    // The witness saw that under its lock.
    witness.panics.store(false, Ordering::Relaxed);
    expected.assert_same(
        &pass(&net, (&x).into(), (&t).into(), &mut tape)?,
        "after a panic",
    );
    Ok(())
}

/// W·x and its derivatives by the public product, as a layer of another crate has them.
#[derive(Debug)]
struct Outside {
    outputs: usize,
}

impl Outside {
    fn weights<'a, T>(&self, params: &'a [T]) -> View<'a, T> {
        View::new(params, self.outputs).expect("a layer has outputs")
    }
}

impl<T: Real> Layer<T> for Outside {
    fn name(&self) -> String {
        "Outside".into()
    }

    fn outputs(&self, _inputs: usize) -> Result<usize> {
        Ok(self.outputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![Block::new("weights", Role::Weight, self.outputs, inputs)]
    }

    fn infer(&self, p: InferArgs<'_, T>) {
        p.scratch
            .product(self.weights(p.params), p.x, p.y)
            .expect("shapes that fit");
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        if let Some(dx) = p.dx {
            p.scratch
                .product(self.weights(p.params).transposed(), p.delta.as_view(), dx)
                .expect("shapes that fit");
        }
    }

    fn gradient(&self, p: GradientArgs<'_, T>) {
        let dw = ViewMut::new(p.grads, self.outputs).expect("a layer has outputs");
        p.scratch
            .product(p.delta, p.x.transposed(), dw)
            .expect("shapes that fit");
    }
}

#[test]
fn a_layer_of_another_crate_has_the_bits_of_dense_on_any_number_of_threads() -> Result<()> {
    let (x, t) = (inputs::<f32>(300, 199), targets::<f32>(11, 199));
    let params: Vec<f32> = (0..300 * 257 + 257 * 11)
        .map(|i| (i as f32 * 0.37).sin())
        .collect();
    let run = |net: &mut Sequential<f32>, threads: usize| -> Result<Bits> {
        net.set_params(&params)?;
        let mut tape = Tape::new().threads(threads)?;
        net.gradient(&x, &t, &MeanSquaredError, &mut tape)?;
        Ok(Bits::of(tape.grads().iter().chain(net.predict(&x)?.iter())))
    };
    let linear = |outputs| Dense::new(outputs, Activation::Linear).without_bias();
    let mut dense = build(
        Sequential::builder(300)
            .layer(linear(257))
            .layer(linear(11)),
    );
    let mut outside = build(
        Sequential::builder(300)
            .layer(Outside { outputs: 257 })
            .layer(Outside { outputs: 11 }),
    );
    let expected = run(&mut dense, 1)?;
    for threads in [1].into_iter().chain(COUNTS) {
        expected.assert_same(
            &run(&mut outside, threads)?,
            format_args!("{threads} threads"),
        );
    }
    Ok(())
}
