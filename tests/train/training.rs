//! The trainer: that it learns, and that what it does and reports is what its documentation says.

use crate::common::{bits, rng};
use chainrule::data::Batches;
use chainrule::nalgebra::{DMatrix, DVector};
use chainrule::nn::layer::{BackwardArgs, InferArgs, Layer, Role};
use chainrule::nn::loss::{
    Hinge, LogCosh, Loss, MeanAbsoluteError, OutputFunction, QuadraticCost, Reduction,
    SumSquaredError,
};
use chainrule::nn::{BatchNorm, Breakpoints, RmsNorm};
use chainrule::numeric::Targets;
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::rand::RngExt;
use chainrule::train::{
    Epoch, Fit, History, LevenbergMarquardt, Observer, Plan, Step, Stopped, Warning,
};
use chainrule::{ErrorKind, Real, View};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn line() -> Result<Sequential<f64>> {
    Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))
}

/// 4 inputs, 6 tanh, dropout, 3 linear.
fn net() -> Sequential<f64> {
    Sequential::builder(4)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(Dropout::new(0.25))
        .layer(Dense::new(3, Activation::Linear))
        .build_with(&mut rng(1))
        .expect("a sound network")
}

/// `n` samples for [`net`], of a curve that a network can follow.
fn data(n: usize) -> Dataset<f64> {
    let x = DMatrix::from_fn(4, n, |i, j| (0.77 * ((i + 2) * (j + 1)) as f64).sin());
    let t = DMatrix::from_fn(3, n, |i, j| x[(i, j)] * x[(i + 1, j)]);
    Dataset::new(x, t).expect("sound data")
}

/// As [`data`], with classes for targets.
fn classes(n: usize) -> Dataset<f64> {
    let data = data(n);
    let labels = metrics::classes(data.targets()).expect("numbers");
    data.map_targets(|_| one_hot(&labels, 3))
        .expect("sound data")
}

// -------------------------------------------------------------------------------------------------
// It learns

#[test]
fn a_line() -> Result<()> {
    let x = DMatrix::from_fn(1, 32, |_, j| j as f64 / 16.0 - 1.0);
    let data = Dataset::new(x.clone(), x.map(|x| 2.0 * x - 1.0))?;
    fn check(optimizer: impl Optimizer<f64>, rate: f64, data: &Dataset<f64>) -> Result<()> {
        let mut net = line()?;
        Trainer::new(MeanSquaredError, optimizer)
            .epochs(400)
            .batch_size(8)
            .learning_rate(rate)
            .fit(&mut net, data)?;
        // Without noise each mini-batch has its minimum in the same place.
        assert!(
            (net.weights(0)?[0] - 2.0).abs() < 1e-10 && (net.bias(0)?[0] + 1.0).abs() < 1e-10,
            "{:?}",
            net.params()
        );
        Ok(())
    }
    check(Sgd::new(), 0.1, &data)?;
    check(Sgd::new().momentum(0.9), 0.03, &data)?;
    check(Sgd::new().momentum(0.9).nesterov(), 0.03, &data)
}

/// A linear layer and the squared error are least squares, for which linear algebra has the answer.
#[test]
fn least_squares() -> Result<()> {
    let x = DMatrix::from_fn(3, 40, |i, j| (0.77 * ((i + 2) * (j + 1)) as f64).sin());
    // No linear function of x.
    let t = DMatrix::from_fn(2, 40, |i, j| ((i * 7 + j * 3) as f64).cos());
    let mut net = Sequential::builder(3)
        .layer(Dense::new(2, Activation::Linear))
        .build_with(&mut rng(1))?;
    let data = Dataset::new(x.clone(), t.clone())?;
    Trainer::new(QuadraticCost, Sgd::new().momentum(0.9))
        .epochs(1000)
        .batch_size(40)
        .learning_rate(0.2)
        .fit(&mut net, &data)?;

    // [W b] = T·Aᵀ(A·Aᵀ)⁻¹ with A = [X; 1].
    let a = x.insert_row(3, 1.0);
    let solution = &t
        * a.transpose()
        * (&a * a.transpose())
            .try_inverse()
            .expect("samples in all directions");
    assert!((net.weights(0)? - solution.columns(0, 3)).amax() < 1e-10);
    assert!((net.bias(0)? - solution.column(3)).amax() < 1e-10);
    Ok(())
}

fn xor() -> Result<Dataset<f64>> {
    Dataset::from_rows(
        &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0],
        2,
        &[0.0, 1.0, 1.0, 0.0],
        1,
    )
}

#[test]
fn exclusive_or() -> Result<()> {
    let xor = xor()?;
    for seed in 1..=3 {
        let mut net = Sequential::builder(2)
            .layer(Dense::new(8, Activation::Tanh))
            .layer(Dense::new(1, Activation::Linear))
            .build_with(&mut rng(seed))?;
        let mut trainer = Trainer::new(SigmoidCrossEntropy::new(), Adam::new())
            .epochs(500)
            .batch_size(4)
            .learning_rate(0.05)
            .metric("accuracy", |y, t| metrics::accuracy(y, t));
        let history = trainer.fit(&mut net, &xor)?;
        let last = history.last().expect("an epoch");
        assert!(last.cost < 0.01, "{last:?}");
        assert_eq!(last.metric("accuracy"), Some(1.0));
        assert_eq!(
            metrics::classes(&net.predict(xor.inputs())?.map(|z| 1.0 / (1.0 + (-z).exp())))?,
            [0, 1, 1, 0]
        );
    }
    // As a function, with the squared error and the momentum of old.
    let mut net = Sequential::builder(2)
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(1, Activation::Sigmoid))
        .build_with(&mut rng(1))?;
    Trainer::new(QuadraticCost, Sgd::new().momentum(0.9))
        .epochs(2000)
        .batch_size(4)
        .learning_rate(0.5)
        .fit(&mut net, &xor)?;
    assert!((net.predict(xor.inputs())? - xor.targets()).amax() < 0.05);
    Ok(())
}

#[test]
fn classes_in_single_precision() -> Result<()> {
    // Three clouds around the corners of a triangle.
    let labels: Vec<usize> = (0..90).map(|j| j % 3).collect();
    let x = DMatrix::from_fn(2, 90, |i, j| {
        [[0.0_f32, 2.0], [-2.0, -1.0], [2.0, -1.0]][labels[j]][i]
            + 0.5 * ((i * 31 + j * 17) as f32).sin()
    });
    let data = Dataset::new(x, one_hot(&labels, 3)?)?;
    let mut net = Sequential::builder(2)
        .layer(Dense::new(8, Activation::Relu))
        .layer(Dense::new(3, Activation::Linear))
        .build_with(&mut rng(1))?;
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
        .epochs(30)
        .batch_size(16)
        .learning_rate(0.02)
        .metric("accuracy", |y, t| metrics::accuracy(y, t));
    let history = trainer.fit(&mut net, &data)?;
    assert_eq!(
        history.last().and_then(|epoch| epoch.metric("accuracy")),
        Some(1.0)
    );
    Ok(())
}

/// The perceptron rule of Rosenblatt (1958) finds a line between what a line divides, and then
/// moves no more.
#[test]
fn a_perceptron() -> Result<()> {
    let and = Dataset::from_rows(
        &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0],
        2,
        &[0.0, 0.0, 0.0, 1.0],
        1,
    )?;
    // A step without the ½ at 0, as a function of its own would be one: steep, but with a
    // derivative that is replaced.
    let step = Activation::from(Breakpoints::new(&[(-1e-9, 0.0), (0.0, 1.0)])?).straight_through();
    let mut net = Sequential::builder(2)
        .layer(Dense::new(1, step).init(Init::Zeros))
        .build_with(&mut rng(1))?;
    let mut trainer = Trainer::new(SumSquaredError, Sgd::new())
        .epochs(20)
        .batch_size(1)
        .learning_rate(1.0)
        .shuffle(false);
    let costs: Vec<f64> = trainer.fit(&mut net, &and)?.costs().collect();
    assert_eq!(net.predict(and.inputs())?, *and.targets());
    assert_eq!(costs[19], 0.0, "{costs:?}");
    assert!(costs[0] > 0.0);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Rates, frozen layers, decay

/// One step by the whole data set, and the gradient that it followed.
fn one_step(
    net: &Sequential<f64>,
    data: &Dataset<f64>,
    groups: Vec<Group>,
    rate: f64,
) -> Result<(Sequential<f64>, Vec<f64>)> {
    let mut tape = Tape::with_seed(5);
    net.gradient(data.inputs(), data.targets(), &QuadraticCost, &mut tape)?;
    let mut trained = net.clone();
    Trainer::new(QuadraticCost, Sgd::new())
        .epochs(1)
        .batch_size(data.len())
        .learning_rate(rate)
        .seed(5)
        .shuffle(false)
        .groups(groups)
        .fit(&mut trained, data)?;
    Ok((trained, tape.grads().to_vec()))
}

#[test]
fn rates_of_weights_and_biases() -> Result<()> {
    let (net, data) = (net(), data(20));
    let groups = net.groups(|_, block| (if block.role == Role::Bias { 2.0 } else { 0.5 }, 0.0));
    assert_eq!(
        groups
            .iter()
            .map(|group| (group.range.clone(), group.rate))
            .collect::<Vec<_>>(),
        [(0..24, 0.5), (24..30, 2.0), (30..48, 0.5), (48..51, 2.0)]
    );
    let (trained, g) = one_step(&net, &data, groups, 0.1)?;
    assert_eq!(g.len(), 51);
    for (i, g) in g.into_iter().enumerate() {
        let rate = if (24..30).contains(&i) || i >= 48 {
            0.2
        } else {
            0.05
        };
        let expected = net.params()[i] - rate * g;
        assert!(
            g != 0.0 && (trained.params()[i] - expected).abs() < 1e-15,
            "parameter {i}"
        );
    }
    Ok(())
}

#[test]
fn decay() -> Result<()> {
    let (net, data) = (net(), data(20));
    let groups = net.groups(|layer, block| {
        (
            1.0 + layer as f64,
            if block.role == Role::Weight { 0.3 } else { 0.0 },
        )
    });
    let (trained, g) = one_step(&net, &data, groups, 0.1)?;
    for (i, g) in g.into_iter().enumerate() {
        // w ← w − lr·rate·g − lr·rate·λ·w
        let (rate, weight) = (
            if i < 30 { 0.1 } else { 0.3 },
            i < 24 || (30..48).contains(&i),
        );
        let expected = net.params()[i]
            - rate * g
            - if weight {
                rate * 0.3 * net.params()[i]
            } else {
                0.0
            };
        assert!(
            (trained.params()[i] - expected).abs() < 1e-15,
            "parameter {i}"
        );
    }
    Ok(())
}

#[test]
fn frozen_layers() -> Result<()> {
    fn check(optimizer: impl Optimizer<f64> + Clone) -> Result<()> {
        for (frozen, other) in [(0, 2), (2, 0)] {
            let mut trained = net();
            let before = trained.clone();
            let groups = trained.groups(|layer, _| (if layer == frozen { 0.0 } else { 1.0 }, 0.5));
            Trainer::new(QuadraticCost, optimizer.clone())
                .batch_size(6)
                .groups(groups)
                .fit(&mut trained, &data(20))?;
            assert_eq!(
                bits(trained.weights(frozen)?.into_owned().as_slice()),
                bits(before.weights(frozen)?.into_owned().as_slice())
            );
            assert_eq!(
                bits(trained.bias(frozen)?.as_slice()),
                bits(before.bias(frozen)?.as_slice())
            );
            assert!(
                trained
                    .weights(other)?
                    .iter()
                    .zip(before.weights(other)?.iter())
                    .all(|(now, before)| now != before)
            );
            assert!(
                trained
                    .bias(other)?
                    .iter()
                    .zip(before.bias(other)?.iter())
                    .all(|(now, before)| now != before)
            );
        }
        Ok(())
    }
    check(Sgd::new())?;
    check(Sgd::new().momentum(0.9))?;
    check(Adam::new())
}

// -------------------------------------------------------------------------------------------------
// History

#[test]
fn history() -> Result<()> {
    let mut net = net();
    let validation = data(9);
    let data = data(20);
    let mut seen = vec![];
    let mut trainer = Trainer::new(QuadraticCost, Adam::new())
        .epochs(3)
        .batch_size(8)
        .validation_data(&validation)
        .metric("zero", |_, _| Ok(0.0))
        .on_epoch(|epoch, _| {
            seen.push(epoch.clone());
            ControlFlow::Continue(())
        });
    let first = trainer.fit(&mut net, &data)?;
    let second = trainer.fit(&mut net, &data)?;
    assert_eq!(trainer.epoch(), 6);
    for (history, start) in [(&first, 0), (&second, 3)] {
        assert!(history.stopped.is_none());
        // Counted over the trainer's life.
        assert_eq!(
            history
                .epochs
                .iter()
                .map(|epoch| epoch.epoch)
                .collect::<Vec<_>>(),
            [start, start + 1, start + 2]
        );
        assert_eq!(
            history.costs().collect::<Vec<_>>(),
            history
                .epochs
                .iter()
                .map(|epoch| epoch.cost)
                .collect::<Vec<_>>()
        );
        assert_eq!(
            history.validation_costs().map(Some).collect::<Vec<_>>(),
            history
                .epochs
                .iter()
                .map(|epoch| epoch.validation_cost)
                .collect::<Vec<_>>()
        );
        assert_eq!(history.validation_costs().count(), 3);
        assert_eq!(history.last(), history.epochs.get(2));
    }
    // The callback has seen just these.
    drop(trainer);
    assert_eq!(seen, [first.epochs, second.epochs].concat());
    Ok(())
}

#[test]
fn no_epochs() -> Result<()> {
    let mut trained = net();
    let mut trainer = Trainer::new(QuadraticCost, Adam::new())
        .epochs(0)
        .on_epoch(|_, _| panic!("there is none"));
    let history = trainer.fit(&mut trained, &data(20))?;
    assert!(history.epochs.is_empty() && history.last().is_none() && history.stopped.is_none());
    assert_eq!(
        (trained, trainer.epoch(), trainer.optimizer().state().step),
        (net(), 0, 0)
    );
    Ok(())
}

#[test]
fn without_validation_data_there_is_no_validation_cost() -> Result<()> {
    let history = Trainer::new(QuadraticCost, Sgd::new())
        .epochs(2)
        .fit(&mut net(), &data(20))?;
    assert_eq!(history.validation_costs().count(), 0);
    assert!(
        history
            .epochs
            .iter()
            .all(|epoch| epoch.validation_cost.is_none()
                && epoch.metrics.is_empty()
                && epoch.metric("accuracy").is_none())
    );
    Ok(())
}

/// The cost of an epoch is that of each mini-batch before its step: at rate 0 that of the network
/// on all the data, though the last batch is smaller.
#[test]
fn costs_are_averaged_over_samples() -> Result<()> {
    fn check(loss: impl Loss<f64> + Clone) -> Result<()> {
        let data = data(23);
        let mut net = Sequential::builder(4)
            .layer(Dense::new(3, Activation::Tanh))
            .build_with(&mut rng(1))?;
        let whole = net.cost(data.inputs(), data.targets(), &loss, &mut Tape::new())?;
        for size in [1, 5, 22, 23, 24] {
            let history = Trainer::new(loss.clone(), Sgd::new())
                .epochs(2)
                .batch_size(size)
                .learning_rate(0.0)
                .fit(&mut net, &data)?;
            for cost in history.costs() {
                assert!(
                    (cost - whole).abs() < 1e-13 * whole,
                    "{cost} is not {whole} in batches of {size}"
                );
            }
        }
        Ok(())
    }
    check(QuadraticCost)?;
    check(MeanSquaredError)?;
    assert_eq!(Loss::<f64>::reduction(&SumSquaredError), Reduction::Sum);
    check(SumSquaredError)
}

/// Before the step, not after it.
#[test]
fn the_first_cost_is_that_of_the_start() -> Result<()> {
    let data = data(20);
    let mut net = Sequential::builder(4)
        .layer(Dense::new(3, Activation::Tanh))
        .build_with(&mut rng(1))?;
    let start = net.cost(
        data.inputs(),
        data.targets(),
        &QuadraticCost,
        &mut Tape::new(),
    )?;
    let history = Trainer::new(QuadraticCost, Sgd::new())
        .epochs(2)
        .batch_size(20)
        .learning_rate(0.5)
        .shuffle(false)
        .fit(&mut net, &data)?;
    let costs: Vec<f64> = history.costs().collect();
    assert!(
        (costs[0] - start).abs() < 1e-14 && costs[1] < 0.95 * start,
        "{start}, then {costs:?}"
    );
    Ok(())
}

#[test]
fn validation_costs() -> Result<()> {
    // More samples than inference takes at a time; dropout in the network, which must not show.
    let mut net = net();
    let validation = data(300);
    let data = data(20);
    for _ in 0..3 {
        let history = Trainer::new(QuadraticCost, Adam::new())
            .epochs(1)
            .validation_data(&validation)
            .fit(&mut net, &data)?;
        let cost = net.cost(
            validation.inputs(),
            validation.targets(),
            &QuadraticCost,
            &mut Tape::new(),
        )?;
        assert_eq!(
            history
                .validation_costs()
                .map(f64::to_bits)
                .collect::<Vec<_>>(),
            [cost.to_bits()]
        );
    }
    Ok(())
}

/// To look at other data changes nothing, metrics or not.
#[test]
fn validation_is_not_training() -> Result<()> {
    let (data, validation) = (data(20), data(300));
    let (mut plain, mut watched) = (net(), net());
    let trainer = || {
        Trainer::new(QuadraticCost, Adam::new())
            .epochs(4)
            .batch_size(6)
    };
    let history = trainer().fit(&mut plain, &data)?;
    let mut watching = trainer()
        .validation_data(&validation)
        .metric("largest", |y, _| {
            Ok(y.as_slice().iter().copied().fold(0.0, f64::max))
        });
    let other = watching.fit(&mut watched, &data)?;
    assert_eq!(bits(plain.params()), bits(watched.params()));
    assert_eq!(
        history.costs().collect::<Vec<_>>(),
        other.costs().collect::<Vec<_>>()
    );
    Ok(())
}

#[test]
fn metrics_in_order() -> Result<()> {
    let (mut net, data) = (net(), data(20));
    let calls = Mutex::new(String::new());
    let metric = |name: &'static str| {
        |_: View<'_, f64>, _: Targets<'_, f64>| {
            let mut calls = calls.lock().expect("no panic");
            calls.push_str(name);
            Ok(calls.len() as f64)
        }
    };
    let mut trainer = Trainer::new(QuadraticCost, Sgd::new())
        .epochs(2)
        .metric("z", metric("z"))
        .metric("a", metric("a"))
        .metric("m", metric("m"));
    let history = trainer.fit(&mut net, &data)?;
    drop(trainer);
    let named = |numbers: [f64; 3]| {
        ["z", "a", "m"]
            .iter()
            .map(|name| name.to_string())
            .zip(numbers)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        history
            .epochs
            .iter()
            .map(|epoch| epoch.metrics.clone())
            .collect::<Vec<_>>(),
        [named([1.0, 2.0, 3.0]), named([4.0, 5.0, 6.0])]
    );
    assert_eq!(
        (history.epochs[1].metric("a"), history.epochs[1].metric("b")),
        (Some(5.0), None)
    );
    assert_eq!(calls.into_inner().expect("no panic"), "zamzam");
    Ok(())
}

/// Metrics see predictions after the loss's output function, and the targets: of the validation
/// data where there is some.
#[test]
fn what_metrics_see() -> Result<()> {
    let mut net = net();
    let data = classes(20);
    let validation = classes(300);
    for validated in [false, true] {
        let mut seen = vec![];
        let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
            .epochs(1)
            .metric("seen", |y, t| {
                seen.push((
                    y.as_matrix().into_owned(),
                    t.values().as_matrix().into_owned(),
                ));
                Ok(0.0)
            });
        if validated {
            trainer = trainer.validation_data(&validation);
        }
        trainer.fit(&mut net, &data)?;
        drop(trainer);
        let measured = if validated { &validation } else { &data };
        let mut y = net.predict(measured.inputs())?;
        OutputFunction::Softmax.apply(&mut y);
        assert!(
            y.column_iter()
                .all(|column| (column.sum() - 1.0).abs() < 1e-12)
        );
        assert_eq!(seen, [(y, measured.targets().clone())]);
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Models, in the units of their data

/// A plane through noise, in units far from 1: the plane itself has an R² of about 0.957.
fn plane(n: usize, seed: u64) -> Result<(Dataset<f64>, f64)> {
    let mut rng = rng(seed);
    let x = DMatrix::from_fn(2, n, |i, _| {
        (rng.random::<f64>() - 0.5) * [1e-3, 4e4][i] + [0.02, 7e5][i]
    });
    let plane = DMatrix::from_fn(1, n, |_, j| 3e6 * x[(0, j)] + 0.05 * x[(1, j)] - 2e5);
    let t = plane.map(|t| t + (rng.random::<f64>() - 0.5) * 780.0);
    let best = metrics::r2(&plane, &t)?;
    Ok((Dataset::new(x, t)?, best))
}

fn plane_model(train: &Dataset<f64>) -> Result<Model<f64>> {
    let net = Sequential::builder(2)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(3))?;
    Model::new(
        net,
        Scaler::standard(train.inputs())?,
        Scaler::standard(train.targets())?,
    )
}

/// Validation data as they are: scaled as the training data are, judged in their own units.
#[test]
fn a_model_scales_its_validation_data() -> Result<()> {
    let ((train, _), (judge, best)) = (plane(300, 1)?, plane(200, 2)?);
    assert!((best - 0.957).abs() < 0.005, "{best}");
    let mut model = plane_model(&train)?;
    let mut seen = Vec::new();
    let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
        .epochs(200)
        .learning_rate(0.01)
        .validation_data(&judge)
        .metric("R²", |y, t| metrics::r2(y, t))
        .metric("error", |y, t| {
            seen.push((
                y.as_matrix().into_owned(),
                t.values().as_matrix().into_owned(),
            ));
            metrics::mean_absolute_error(y, t)
        })
        .stop(Stop::early_stopping(Monitor::highest("R²"), 40))
        .restore_best(Monitor::highest("R²"));
    let history = model.fit(&mut trainer, &train)?;
    drop(trainer);
    let found = history
        .best(&Monitor::highest("R²"))
        .and_then(|epoch| epoch.metric("R²"))
        .expect("an epoch");
    assert!((found - best).abs() < 0.01, "{found} of {best}");
    // The metric of the best epoch is that of the model, to the last bit.
    assert_eq!(metrics::r2(&model.predict(judge.inputs())?, &judge)?, found);
    assert!(
        seen.iter()
            .all(|(y, t)| t == judge.targets() && y.shape() == t.shape())
    );
    assert!(
        history
            .last()
            .and_then(|epoch| epoch.metric("error"))
            .expect("an epoch")
            > 100.0,
        "in units of the targets"
    );

    // Costs are those of scaled data, and so the whole run is that of a trainer which is given
    // them.
    let scaled = [
        plane_model(&train)?.scale(train.clone())?,
        plane_model(&train)?.scale(judge.clone())?,
    ];
    let mut net = plane_model(&train)?.into_net();
    let by_hand = Trainer::new(MeanSquaredError, Adam::new())
        .epochs(history.epochs.len())
        .learning_rate(0.01)
        .validation_data(&scaled[1])
        .fit(&mut net, &scaled[0])?;
    let costs = |history: &History| {
        history
            .epochs
            .iter()
            .map(|epoch| (epoch.cost, epoch.validation_cost))
            .collect::<Vec<_>>()
    };
    assert_eq!(costs(&history), costs(&by_hand));
    let lowest = by_hand
        .epochs
        .iter()
        .filter_map(|epoch| epoch.validation_cost)
        .fold(f64::INFINITY, f64::min);
    assert!(lowest < 0.06, "{lowest}: one minus R², in a scaled unit");
    Ok(())
}

/// Early stopping believes what is true: at the epoch at which a run on data scaled by hand stops.
#[test]
fn a_model_stops_as_its_validation_data_say() -> Result<()> {
    let ((train, _), (judge, _)) = (plane(40, 1)?, plane(200, 2)?);
    let trainer = || {
        Trainer::new(MeanSquaredError, Adam::new())
            .epochs(400)
            .learning_rate(0.03)
            .stop(Stop::early_stopping(Monitor::ValidationCost, 10))
            .restore_best(Monitor::ValidationCost)
    };
    let mut model = plane_model(&train)?;
    let history = model.fit(&mut trainer().validation_data(&judge), &train)?;
    let scaled = [model.scale(train.clone())?, model.scale(judge.clone())?];
    let mut net = plane_model(&train)?.into_net();
    let by_hand = trainer()
        .validation_data(&scaled[1])
        .fit(&mut net, &scaled[0])?;
    assert!(
        matches!(history.stopped, Some(Stopped::By(_)))
            && (10..400).contains(&history.epochs.len()),
        "{:?}",
        history.stopped
    );
    assert_eq!(
        (history.stopped, history.epochs.len()),
        (by_hand.stopped, by_hand.epochs.len())
    );
    assert_eq!(bits(model.net().params()), bits(net.params()));
    let r2 = metrics::r2(&model.predict(judge.inputs())?, &judge)?;
    assert!(r2 > 0.9, "{r2}");
    Ok(())
}

/// Differences and products overflow on the way where their results do not: training and prediction
/// scale alike.
#[test]
fn a_model_of_huge_numbers_predicts_in_their_units() -> Result<()> {
    let x = DMatrix::from_fn(1, 10, |_, j| if j == 0 { -1.5e308 } else { 1.7e308 });
    let data = Dataset::new(x.clone(), x.clone())?;
    let (inputs, outputs) = (
        Scaler::standard(data.inputs())?,
        Scaler::standard(data.targets())?,
    );
    let scaled = inputs.transform(&x)?;
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    net.set_params(&[1.0, 0.0])?;
    let mut model = Model::new(net, inputs, outputs.clone())?;
    let predicted = model.predict(&x)?;
    assert_eq!(predicted, outputs.inverse_transform(&scaled)?);
    assert!(
        predicted
            .iter()
            .zip(&x)
            .all(|(y, x)| f64::abs(y / x - 1.0) < 1e-12),
        "{predicted}"
    );
    let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
        .epochs(1)
        .metric("finite", |y: View<'_, f64>, _| {
            Ok(f64::from(y.as_slice().iter().all(|y| y.is_finite())))
        });
    let history = model.fit(&mut trainer, &data)?;
    assert_eq!(
        history.last().and_then(|epoch| epoch.metric("finite")),
        Some(1.0)
    );
    Ok(())
}

/// Weights of samples, a side without a scaler, no validation data, and data that do not fit.
#[test]
fn what_metrics_of_a_model_see() -> Result<()> {
    let (train, judge) = (
        plane(50, 1)?.0.weighted((0..50).map(f64::from).collect())?,
        plane(30, 2)?.0.weighted(vec![2.0; 30])?,
    );
    let scalers = (
        Scaler::standard(train.inputs())?,
        Scaler::standard(train.targets())?,
    );
    for (inputs, outputs) in [(true, true), (true, false), (false, true), (false, false)] {
        for validated in [true, false] {
            let net = plane_model(&train)?.into_net();
            let mut model = Model::new(
                net,
                inputs.then(|| scalers.0.clone()),
                outputs.then(|| scalers.1.clone()),
            )?;
            let mut seen = Vec::new();
            let mut trainer =
                Trainer::new(LogCosh, Adam::new())
                    .epochs(1)
                    .metric("seen", |y, t| {
                        let weights = t.weights().unwrap_or_default().to_vec();
                        seen.push((
                            y.as_matrix().into_owned(),
                            t.values().as_matrix().into_owned(),
                            weights,
                        ));
                        Ok(0.0)
                    });
            if validated {
                trainer = trainer.validation_data(&judge);
            }
            model.fit(&mut trainer, &train)?;
            drop(trainer);
            let judged = if validated { &judge } else { &train };
            let weights = judged.weights().unwrap_or_default().to_vec();
            assert_eq!(
                seen,
                [(
                    model.predict(judged.inputs())?,
                    judged.targets().clone(),
                    weights
                )]
            );
        }
    }
    let narrow = Dataset::new(DMatrix::zeros(1, 5), DMatrix::zeros(1, 5))?;
    let mut model = plane_model(&train)?;
    let before = model.clone();
    let error = model
        .fit(&mut Trainer::new(MeanSquaredError, Sgd::new()), &narrow)
        .expect_err("one feature");
    assert_eq!(
        error.to_string(),
        "training data: Scaler::transform: got 1, expected 2 rows (features)"
    );
    let error = model
        .fit(
            &mut Trainer::new(MeanSquaredError, Sgd::new()).validation_data(&narrow),
            &train,
        )
        .expect_err("one feature");
    assert_eq!(
        error.to_string(),
        "validation data: Scaler::transform: got 1, expected 2 rows (features)"
    );
    assert_eq!(model, before);
    Ok(())
}

/// A model has the output function of the loss that trained it last, also if the run failed after
/// an epoch.
#[test]
fn a_model_knows_the_output_function_of_its_loss() -> Result<()> {
    let data = classes(30);
    let mut model = Model::from(net()).with_classes(["a", "b", "c"])?;
    let x = data.inputs();
    assert_eq!(
        (model.output_function(), model.predict(x)?),
        (OutputFunction::Identity, net().predict(x)?)
    );
    let history = model.fit(
        &mut Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
            .epochs(3)
            .metric("accuracy", |y, t| metrics::accuracy(y, t)),
        &data,
    )?;
    assert_eq!(model.output_function(), OutputFunction::Softmax);
    let mut by_hand = net();
    Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
        .epochs(3)
        .fit(&mut by_hand, &data)?;
    let mut y = by_hand.predict(x)?;
    assert_eq!(model.scores(x)?, y);
    OutputFunction::Softmax.apply(&mut y);
    assert_eq!(model.predict(x)?, y);
    assert_eq!(
        history.last().and_then(|epoch| epoch.metric("accuracy")),
        Some(metrics::accuracy(&y, &data)?)
    );
    let names = metrics::classes(&y)?
        .into_iter()
        .map(|class| ["a", "b", "c"][class])
        .collect::<Vec<_>>();
    assert_eq!(model.predict_classes(x)?, names);

    model.fit(
        &mut Trainer::new(SigmoidCrossEntropy::new(), Adam::new()).epochs(1),
        &data,
    )?;
    assert_eq!(model.output_function(), OutputFunction::Sigmoid);
    // Refused before the first step: as it was.
    let before = model.clone();
    assert!(
        model
            .fit(
                &mut Trainer::new(MeanSquaredError, Adam::new()).learning_rate(-1.0),
                &data
            )
            .is_err()
    );
    assert_eq!(model, before);
    let failing = |epochs: usize| {
        let mut calls = 0;
        Trainer::new(MeanSquaredError, Adam::new()).metric("fails", move |_, _| {
            calls += 1;
            if calls > epochs {
                Err(Error::new(ErrorKind::Value, "mine", "this", "that"))
            } else {
                Ok(0.0)
            }
        })
    };
    assert!(model.fit(&mut failing(0), &data).is_err());
    assert_eq!(model, before);
    assert!(model.fit(&mut failing(2), &data).is_err());
    assert_eq!(model.output_function(), OutputFunction::Identity);
    assert_ne!(model.net(), before.net());
    Ok(())
}

/// Parts of a model that do not go together.
#[test]
fn models_that_cannot_be() -> Result<()> {
    let text = |result: Result<Model<f64>>| result.expect_err("no model").to_string();
    let scaler = Scaler::new(vec![0.0; 3], vec![2.0; 3])?;
    let (model, scaled) = (Model::from(net()), Model::new(net(), None, scaler)?);
    assert_eq!(
        text(model.clone().with_classes(["a", "b"])),
        "classes of Model: got 2, expected 3 names, one per output"
    );
    assert_eq!(
        text(model.clone().with_classes::<String>([])),
        "classes of Model: got 0, expected 3 names, one per output"
    );
    assert_eq!(
        text(model.clone().with_classes(["a", "b", "a"])),
        "classes of Model: got \"a\" twice, expected each name once"
    );
    assert_eq!(
        text(model.clone().with_classes(["a", "", "b"])),
        "classes of Model: got \"\", expected names that are not empty"
    );
    assert_eq!(
        text(Model::from(line()?).with_classes(["yes"])),
        "classes of Model: got 1, expected 2 names, the second of the class whose probability the \
         only output is"
    );
    let expected = "classes of Model: got a scaler of outputs, expected outputs without a scaler: \
        probabilities or scores of classes";
    assert_eq!(text(scaled.clone().with_classes(["a", "b", "c"])), expected);
    let expected = "expected a network that ends on scores, for Sigmoid";
    assert_eq!(
        text(scaled.clone().with_output_function(OutputFunction::Sigmoid)),
        format!("Model: got a scaler of outputs, {expected}")
    );
    let unit = || {
        Sequential::builder(1)
            .layer(Dense::new(1, Activation::Sigmoid))
            .build_with(&mut rng(1))
    };
    assert_eq!(
        text(Model::from(unit()?).with_output_function(OutputFunction::Sigmoid)),
        format!("Model: got outputs in Unit, {expected}")
    );
    assert_eq!(
        text(Model::from(line()?).with_output_function(OutputFunction::Softmax)),
        "Model: got a single output, whose softmax is always 1, expected a network that ends on \
         scores, for Softmax"
    );
    let mut fitted = scaled.clone();
    let error = fitted
        .fit(
            &mut Trainer::new(SoftmaxCrossEntropy::new(), Sgd::new()),
            &classes(9),
        )
        .expect_err("a scaler of classes");
    assert_eq!(
        error.to_string(),
        "Model::fit: got a scaler of outputs, expected a network that ends on scores, for Softmax"
    );
    assert_eq!(fitted, scaled);

    // Names are asked of a model that has none, or of numbers that are no probabilities.
    let x = DMatrix::from_element(1, 1, 0.2);
    let text =
        |result: Result<Vec<&str>>| result.map(|names| names.concat()).expect_err("no names");
    let nameless = Model::from(line()?);
    let error = text(nameless.predict_classes(&x));
    assert_eq!(error.kind(), ErrorKind::Empty);
    assert!(
        error.expected().contains("Model::with_classes")
            && error.expected().contains("metrics::classes"),
        "{error}"
    );
    // Margins of a hinge loss within [0, 1] would else be taken for probabilities.
    let margins = Model::from(line()?).with_classes(["no", "yes"])?;
    let error = text(margins.predict_classes(&x));
    assert_eq!(
        (error.kind(), error.given()),
        (ErrorKind::Incompatible, "a number of any size")
    );
    assert!(
        error.expected().contains("metrics::margin_classes"),
        "{error}"
    );
    assert_eq!(
        Model::from(unit()?)
            .with_classes(["no", "yes"])?
            .predict_classes(&x)?
            .len(),
        1
    );
    let mut wild = margins.with_output_function(OutputFunction::Sigmoid)?;
    wild.net_mut().set_params(&[0.0, f64::NAN])?;
    assert_eq!(text(wild.predict_classes(&x)).kind(), ErrorKind::NotFinite);
    // A network of another width was put in.
    *wild.net_mut() = net();
    let wide = DMatrix::from_element(4, 1, 0.2);
    assert_eq!(
        text(wild.predict_classes(&wide)).to_string(),
        "classes of Model: got 2, expected 3 names, one per output"
    );
    Ok(())
}

/// ½ is enough, the first of equals wins, and the names are those of the rows.
#[test]
fn names_of_classes() -> Result<()> {
    let mut single = Model::from(line()?)
        .with_classes(["no", "yes"])?
        .with_output_function(OutputFunction::Sigmoid)?;
    single.net_mut().set_params(&[1.0, 0.0])?;
    let x = View::new(&[-1e4, -1e-3, 0.0, 1e-3, 1e4], 1)?;
    assert_eq!(
        single.predict_classes(x)?,
        ["no", "no", "yes", "yes", "yes"]
    );
    assert_eq!(
        single.classes(),
        Some(&["no".to_string(), "yes".to_string()][..])
    );
    let net = Sequential::builder(3)
        .layer(Activation::Linear)
        .build_with(&mut rng(1))?;
    let x = DMatrix::from_column_slice(3, 3, &[0.0, 0.0, -1.0, -5.0, 1.0, 7.0, 1.0, 3.0, 2.0]);
    for function in OutputFunction::EVERY {
        let model = Model::from(net.clone())
            .with_classes(["a", "b", "c"])?
            .with_output_function(function)?;
        assert_eq!(model.predict_classes(&x)?, ["a", "c", "b"]);
    }
    Ok(())
}

/// All ways to a prediction are one: a batch, into a buffer, sample by sample, of any size.
#[test]
fn ways_to_a_prediction() -> Result<()> {
    let (train, _) = plane(1100, 1)?;
    let (inputs, outputs) = (
        Scaler::standard(train.inputs())?,
        Scaler::standard(train.targets())?,
    );
    let wide = |outputs: usize| {
        Sequential::builder(2)
            .layer(Dense::new(9, Activation::Gelu))
            .layer(Dense::new(outputs, Activation::Linear))
            .build_with(&mut rng(1))
    };
    let models = [
        Model::from(wide(1)?),
        Model::new(wide(1)?, inputs.clone(), outputs)?,
        Model::new(wide(3)?, inputs.clone(), None)?
            .with_output_function(OutputFunction::Softmax)?,
        Model::new(wide(3)?, inputs, None)?.with_output_function(OutputFunction::Sigmoid)?,
    ];
    for model in models {
        let (y, mut tape) = (model.predict(train.inputs())?, Tape::new());
        // By the definition.
        let scaled = model
            .input_scaler()
            .map_or(Ok(train.inputs().clone()), |scaler| {
                scaler.transform(train.inputs())
            })?;
        let raw = model.net().predict(&scaled)?;
        let raw = model
            .output_scaler()
            .map_or(Ok(raw.clone()), |scaler| scaler.inverse_transform(&raw))?;
        assert_eq!(model.scores(train.inputs())?, raw);
        let mut by_hand = raw;
        model.output_function().apply(&mut by_hand);
        assert_eq!(y, by_hand);
        for size in [1, 3, 600, 1100] {
            for first in [0, 1100 - size] {
                let mut part = DMatrix::from_element(y.nrows(), size, f64::NAN);
                model.predict_into(
                    View::from(train.inputs()).columns(first, size)?,
                    &mut part,
                    &mut tape,
                )?;
                assert_eq!(part, y.columns(first, size));
            }
        }
        let mut one = vec![0.0; y.nrows()];
        for (x, y) in train.inputs().column_iter().zip(y.column_iter()).take(20) {
            model.predict_one(x.as_slice(), &mut one, &mut tape)?;
            assert_eq!(one, y.as_slice());
        }
        // Nothing is written before all shapes are known.
        let mut part = DMatrix::from_element(y.nrows(), 2, 7.0);
        let error = model
            .predict_into(&DMatrix::zeros(2, 3), &mut part, &mut tape)
            .expect_err("two columns for three");
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Shape, "outputs y")
        );
        assert!(part.iter().all(|y| *y == 7.0));
        for error in [
            model
                .predict(&DMatrix::zeros(3, 1))
                .expect_err("three features"),
            model
                .predict_one(&[0.0; 3], &mut one, &mut tape)
                .expect_err("three features"),
            model
                .scores(&DMatrix::zeros(3, 1))
                .expect_err("three features"),
        ] {
            assert_eq!(
                error.to_string(),
                "inputs x: got 3 × 1, expected 2 rows (features)"
            );
        }
        assert_eq!(
            model
                .predict(&DMatrix::zeros(2, 0))
                .map_err(|error| error.kind()),
            Err(ErrorKind::Empty)
        );
    }
    Ok(())
}

/// To f32 the nearest numbers, and back the same; all that is not a number stays.
#[test]
fn models_for_another_scalar() -> Result<()> {
    let net = Sequential::<f64>::builder(2)
        .layer(Dense::new(5, Activation::Gelu))
        .layer(Dropout::new(0.1))
        .layer(BatchNorm::new())
        .layer(RmsNorm::new().eps(1e-3))
        .layer(Dense::new(3, Activation::Linear))
        .build_with(&mut rng(1))?;
    let scaler = Scaler::new(vec![1.0 / 3.0, 1e30], vec![0.1, -7.0])?;
    let mut model = Model::new(net, scaler, None)?
        .with_output_function(OutputFunction::Softmax)?
        .with_classes(["a", "b", "c"])?;
    model.metadata_mut().insert("about".into(), "a test".into());
    model.net_mut().params_mut()[..4].copy_from_slice(&[f64::NAN, f64::INFINITY, -0.0, 1e-60]);
    let small = model.cast::<f32>()?;
    assert!(
        small
            .net()
            .params()
            .iter()
            .zip(model.net().params())
            .all(|(small, p)| small.to_bits() == (*p as f32).to_bits() || p.is_nan())
    );
    assert!(small.net().params()[0].is_nan());
    assert_eq!(
        small.input_scaler().map(Scaler::shift),
        Some(&[1.0 / 3.0, 1e30_f32][..])
    );
    assert_eq!(
        (small.output_function(), small.classes(), small.metadata()),
        (model.output_function(), model.classes(), model.metadata())
    );
    assert_eq!(format!("{}", small.net()), format!("{}", model.net()));
    assert_eq!(
        format!("{:?}", small.net().layers()),
        format!("{:?}", model.net().layers())
    );
    let again = small.cast::<f64>()?.cast::<f32>()?;
    assert_eq!(bits_of(&again), bits_of(&small));

    model.net_mut().params_mut().fill(0.1);
    let x = DMatrix::from_column_slice(2, 1, &[0.5, 1e30]);
    let (y, small) = (
        model.predict(&x)?,
        model.cast::<f32>()?.predict(&x.map(|x| x as f32))?,
    );
    assert!(
        y.iter()
            .zip(small.iter())
            .all(|(y, small)| (y - f64::from(*small)).abs() < 1e-6)
    );

    model.net_mut().params_mut()[7] = -1e39;
    let error = model.cast::<f32>().expect_err("too large");
    assert_eq!(
        error.to_string(),
        "Sequential::cast, parameter 7: got -1e39, expected a number that f32 holds"
    );
    let out = |shift: f64, scale: f64| {
        Model::new(line()?, None, Scaler::new(vec![shift], vec![scale])?)?.cast::<f32>()
    };
    assert_eq!(
        out(1e39, 1.0).expect_err("too large").kind(),
        ErrorKind::NotFinite
    );
    let error = out(0.0, 1e-60).expect_err("nothing");
    assert_eq!(
        (error.kind(), error.place()),
        (
            ErrorKind::Value,
            "scaler of outputs: Scaler::new, feature 0"
        )
    );

    #[derive(Debug)]
    struct Halve;
    impl<T: Real> Layer<T> for Halve {
        fn name(&self) -> String {
            "Halve".into()
        }
        fn outputs(&self, inputs: usize) -> Result<usize> {
            Ok(inputs)
        }
        fn infer(&self, mut p: InferArgs<'_, T>) {
            p.y.as_mut_slice()
                .iter_mut()
                .zip(p.x.as_slice())
                .for_each(|(y, x)| *y = *x / T::of(2.0));
        }
        fn backward(&self, _: BackwardArgs<'_, T>) {}
    }
    let foreign = Sequential::<f64>::builder(1)
        .layer(Activation::Tanh)
        .layer(Halve)
        .build_with(&mut rng(1))?;
    let error = foreign.cast::<f32>().expect_err("a foreign layer");
    assert_eq!(
        error.to_string(),
        "layer 1 (Halve): got Halve, expected a layer of this crate, which every scalar has"
    );
    Ok(())
}

fn bits_of(model: &Model<f32>) -> Vec<u32> {
    model.net().params().iter().map(|v| v.to_bits()).collect()
}

// -------------------------------------------------------------------------------------------------
// Callbacks

#[test]
fn a_callback_stops() -> Result<()> {
    let data = data(20);
    let mut stopped = net();
    let mut trainer = Trainer::new(QuadraticCost, Adam::new())
        .epochs(10)
        .on_epoch(|epoch, _| {
            if epoch.epoch == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    let history = trainer.fit(&mut stopped, &data)?;
    assert_eq!(history.stopped, Some(Stopped::ByObserver));
    assert_eq!((history.epochs.len(), trainer.epoch()), (4, 4));
    let mut four = net();
    Trainer::new(QuadraticCost, Adam::new())
        .epochs(4)
        .fit(&mut four, &data)?;
    assert_eq!(bits(stopped.params()), bits(four.params()));
    // Going on is possible, and the verdict is asked anew.
    let history = trainer.fit(&mut stopped, &data)?;
    assert!(history.stopped.is_none());
    assert_eq!((history.epochs.len(), trainer.epoch()), (10, 14));
    Ok(())
}

/// A run stopped in its last epoch is stopped nonetheless: the callback did say so.
#[test]
fn a_callback_that_stops_in_the_last_epoch() -> Result<()> {
    let history = Trainer::new(QuadraticCost, Sgd::new())
        .epochs(1)
        .on_epoch(|_, _| ControlFlow::Break(()))
        .fit(&mut net(), &data(20))?;
    assert_eq!(
        (history.stopped, history.epochs.len()),
        (Some(Stopped::ByObserver), 1)
    );
    Ok(())
}

/// Early stopping, as a program would write it: the callback is free to keep what it needs.
#[test]
fn early_stopping() -> Result<()> {
    let (data, validation) = (data(12), data(40));
    let (mut best, mut patience) = (f64::INFINITY, 5);
    let stop = |epoch: &Epoch, _: &Sequential<f64>| {
        let cost = epoch.validation_cost.unwrap_or(f64::INFINITY);
        if cost < best {
            (best, patience) = (cost, 5);
        } else {
            patience -= 1;
        }
        if patience == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let history = Trainer::new(QuadraticCost, Adam::new())
        .epochs(5000)
        .learning_rate(0.05)
        .validation_data(&validation)
        .on_epoch(stop)
        .fit(&mut net(), &data)?;
    assert_eq!(history.stopped, Some(Stopped::ByObserver));
    let costs: Vec<f64> = history.validation_costs().collect();
    let (before, last) = costs.split_at(costs.len() - 5);
    let least = before.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(
        last.iter().all(|cost| *cost >= least) && before.last() == Some(&least),
        "{costs:?}"
    );
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Going back

/// A rate at which each step makes the weight 10¹⁰ times larger: finite for some epochs, then no
/// more.
#[test]
fn divergence_goes_back_to_the_last_finished_epoch() -> Result<()> {
    fn check<O: Optimizer<f64> + Clone + 'static>(optimizer: O) -> Result<()> {
        let x = DMatrix::from_row_slice(1, 7, &[1.0, 1.1, 0.9, 1.2, 0.8, 1.3, 0.7]);
        let data = Dataset::new(x, DMatrix::zeros(1, 7))?;
        let seen = AtomicUsize::new(0);
        let mut diverged = line()?;
        let mut trainer = Trainer::new(QuadraticCost, optimizer.clone())
            .epochs(100)
            .batch_size(1)
            .learning_rate(1e10)
            .on_epoch(|_, _| {
                seen.fetch_add(1, Relaxed);
                ControlFlow::Continue(())
            });
        let error = trainer.fit(&mut diverged, &data).expect_err("a divergence");
        let ErrorKind::Diverged { epoch, batch } = error.kind() else {
            panic!("{error}")
        };
        assert!(
            epoch > 0 && batch > 0 && batch < 7,
            "not in the middle of a later epoch: {error}"
        );
        assert_eq!(error.place(), format!("epoch {epoch}, batch {batch}"));
        assert_eq!(error.expected(), "a finite cost (a smaller rate may help)");
        assert!(["inf", "NaN"].contains(&error.given()), "{error}");
        assert_eq!((trainer.epoch(), seen.load(Relaxed)), (epoch, epoch));

        let mut finished = line()?;
        let mut other = Trainer::new(QuadraticCost, optimizer)
            .epochs(epoch)
            .batch_size(1)
            .learning_rate(1e10);
        other.fit(&mut finished, &data)?;
        assert_eq!(bits(diverged.params()), bits(finished.params()));
        assert!(diverged.params().iter().all(|p| p.is_finite()));
        assert_eq!(trainer.optimizer().state(), other.optimizer().state());
        // There it stands, and the next attempt fails in the same place.
        assert_eq!(
            trainer.fit(&mut diverged, &data).expect_err("a divergence"),
            error
        );
        assert_eq!(bits(diverged.params()), bits(finished.params()));
        Ok(())
    }
    check(Sgd::new())?;
    check(Sgd::new().momentum(0.5))?;
    check(Sgd::new().momentum(0.5).nesterov())
}

/// A metric that fails in its third epoch: two epochs are kept, and the run goes on as if nothing
/// had been.
#[test]
fn a_failing_metric_goes_back_to_the_last_finished_epoch() -> Result<()> {
    let data = data(20);
    let trainer = |epochs| {
        Trainer::new(QuadraticCost, Adam::new())
            .epochs(epochs)
            .batch_size(6)
            .learning_rate(0.01)
            .seed(3)
    };
    let mut calls = 0;
    let mut failing = trainer(6).metric("shy", |_, _| {
        calls += 1;
        if calls == 3 {
            Err(Error::new(ErrorKind::Value, "shy", "two calls", calls))
        } else {
            Ok(0.0)
        }
    });
    let mut interrupted = net();
    assert_eq!(
        failing
            .fit(&mut interrupted, &data)
            .expect_err("a shy metric")
            .to_string(),
        "shy: got 3, expected two calls"
    );

    let (mut two, mut other) = (net(), trainer(2));
    other.fit(&mut two, &data)?;
    assert_eq!(bits(interrupted.params()), bits(two.params()));
    assert_eq!(
        (failing.epoch(), failing.optimizer().state()),
        (2, other.optimizer().state())
    );

    // The masks of dropout and the order of the samples, too, are those of the third epoch.
    failing.fit(&mut interrupted, &data)?;
    let mut eight = net();
    trainer(8).fit(&mut eight, &data)?;
    assert_eq!(bits(interrupted.params()), bits(eight.params()));
    Ok(())
}

/// An optimizer of another crate that fails in the middle of an epoch.
#[derive(Debug)]
struct Tired(Sgd<f64>, usize);

impl Optimizer<f64> for Tired {
    fn step(&mut self, lr: f64, params: &mut [f64], grads: &[f64], groups: &[Group]) -> Result<()> {
        self.1 = self
            .1
            .checked_sub(1)
            .ok_or_else(|| Error::new(ErrorKind::Value, "Tired", "rest", "another step"))?;
        self.0.step(lr, params, grads, groups)
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
    fn state(&self) -> &chainrule::optim::OptimizerState<f64> {
        self.0.state()
    }
    fn restore(&mut self, state: &chainrule::optim::OptimizerState<f64>) -> Result<()> {
        self.0.restore(state)
    }
}

#[test]
fn a_failing_optimizer_goes_back_to_the_last_finished_epoch() -> Result<()> {
    let (data, sgd) = (data(20), || Sgd::new().momentum(0.9));
    let (mut interrupted, mut one) = (net(), net());
    let mut tired = Trainer::new(QuadraticCost, Tired(sgd(), 6))
        .epochs(3)
        .batch_size(5);
    assert_eq!(
        tired
            .fit(&mut interrupted, &data)
            .expect_err("a tired optimizer")
            .place(),
        "Tired"
    );
    let mut fresh = Trainer::new(QuadraticCost, sgd()).epochs(1).batch_size(5);
    fresh.fit(&mut one, &data)?;
    assert_eq!(bits(interrupted.params()), bits(one.params()));
    assert_eq!(
        (tired.epoch(), tired.optimizer().state()),
        (1, fresh.optimizer().state())
    );
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Batches

#[test]
fn a_batch_beyond_the_data_is_the_full_batch() -> Result<()> {
    let data = data(20);
    for shuffled in [false, true] {
        let fit = |batch| {
            let mut net = net();
            let trainer = Trainer::new(QuadraticCost, Adam::new())
                .epochs(3)
                .batch_size(batch)
                .learning_rate(0.01);
            let mut trainer = if shuffled {
                trainer
            } else {
                trainer.shuffle(false)
            };
            let history = trainer.fit(&mut net, &data)?;
            Ok::<_, Error>((
                bits(net.params()),
                history,
                trainer.optimizer().state().step,
            ))
        };
        let full = fit(20)?;
        assert_eq!(full.2, 3);
        assert_eq!(fit(21)?, full);
        assert_eq!(fit(usize::MAX)?, full);
        assert_ne!(fit(19)?, full);
    }
    Ok(())
}

/// The full batch is the same set in any order, so that without dropout it is the same descent but
/// for rounding.
#[test]
fn the_full_batch_in_any_order() -> Result<()> {
    let data = data(20);
    let fit = |in_order: bool| {
        let mut net = Sequential::builder(4)
            .layer(Dense::new(3, Activation::Tanh))
            .build_with(&mut rng(1))?;
        let trainer = Trainer::new(QuadraticCost, Sgd::new())
            .epochs(10)
            .batch_size(100)
            .learning_rate(0.1);
        if in_order {
            trainer.shuffle(false)
        } else {
            trainer
        }
        .fit(&mut net, &data)?;
        Ok::<_, Error>(DVector::from_column_slice(net.params()))
    };
    assert!((fit(true)? - fit(false)?).amax() < 1e-13);
    Ok(())
}

/// A step per batch, the smaller last one among them.
#[test]
fn steps_are_counted() -> Result<()> {
    for (batch, steps) in [(1, 20), (3, 7), (10, 2), (20, 1), (64, 1)] {
        let mut trainer = Trainer::new(QuadraticCost, Sgd::new())
            .epochs(3)
            .batch_size(batch);
        trainer.fit(&mut net(), &data(20))?;
        assert_eq!(
            trainer.optimizer().state().step,
            3 * steps,
            "batches of {batch}"
        );
    }
    Ok(())
}

/// An optimizer that has been elsewhere goes on from there.
#[test]
fn a_trainer_takes_the_optimizer_as_it_is() -> Result<()> {
    let mut adam = Adam::new();
    adam.step(0.1, &mut [0.0; 51], &[1.0; 51], &Group::all(51))?;
    let mut trainer = Trainer::new(QuadraticCost, adam).epochs(1).batch_size(20);
    trainer.fit(&mut net(), &data(20))?;
    assert_eq!(trainer.optimizer().state().step, 2);
    Ok(())
}

#[test]
fn a_trainer_describes_itself() {
    let text = format!(
        "{:?}",
        Trainer::<f64>::new(QuadraticCost, Sgd::new())
            .epochs(7)
            .batch_size(9)
            .learning_rate(0.5)
            .seed(3)
    );
    for part in [
        "QuadraticCost",
        "Sgd",
        "epochs: 7",
        "batch_size: 9",
        "learning_rate: Constant(0.5)",
        "seed: 3",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

// -------------------------------------------------------------------------------------------------
// Single steps

/// With dropout, running statistics, and weights that everything around a rule would move.
fn deep() -> Sequential<f64> {
    Sequential::builder(4)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(BatchNorm::new())
        .layer(Dropout::new(0.25))
        .layer(Dense::new(5, Activation::Gelu))
        .layer(Dense::new(3, Activation::Linear))
        .build_with(&mut rng(1))
        .expect("a sound network")
}

/// A trainer with all that stands around a rule.
fn surrounded<'a>(rule: impl Optimizer<f64> + 'a) -> Trainer<'a, f64> {
    let net = deep();
    Trainer::new(QuadraticCost, rule)
        .batch_size(6)
        .seed(7)
        .epochs(3)
        .learning_rate(
            Schedule::Cosine {
                rate: 0.05,
                min: 1e-3,
                steps: 10,
            }
            .warm_up(3),
        )
        .groups(net.groups(|_, block| (1.0, if block.role == Role::Weight { 0.1 } else { 0.0 })))
        .penalty(Penalty::new().l1(1e-3).l2(1e-2))
        .clip(Clip::Norm(0.5))
        .clip(Clip::GlobalNorm(0.4))
        .constrain(Constraint::MaxNorm(0.8))
        .constrain(Constraint::Box {
            low: -0.5,
            high: 0.5,
        })
}

/// The steps of a loop of one's own are those of `fit`, to the last bit.
#[test]
fn steps_are_those_of_fit() -> Result<()> {
    let mut fitted = deep();
    let mut stepped = deep();
    let data = data(20);
    let (mut fitting, mut stepping) = (surrounded(Adam::new()), surrounded(Adam::new()));
    let history = fitting.fit(&mut fitted, &data)?;
    let mut batches = Batches::shuffled(6, 7)?;
    let mut count = 0;
    for epoch in 0..3 {
        let mut rate = 0.0;
        let mut batches = batches.epoch(&data, epoch);
        while let Some(batch) = batches.next_batch() {
            let step = stepping.step(&mut stepped, batch.x, batch.target)?;
            assert_eq!((step.epoch, step.batch, step.step), (0, 0, count));
            assert!(step.cost.is_finite());
            (count, rate) = (count + 1, step.learning_rate);
        }
        assert_eq!(history.epochs[epoch as usize].learning_rate, rate);
    }
    assert_eq!(bits(stepped.params()), bits(fitted.params()));
    assert_eq!(stepping.optimizer().state(), fitting.optimizer().state());
    assert_eq!((stepping.epoch(), fitting.epoch()), (0, 3));

    // The cost is that of the batch before the step, with the penalty.
    let mut plain = line()?;
    let x = DMatrix::from_element(1, 2, 1.0);
    let t = DMatrix::from_element(1, 2, 5.0);
    let penalty = Penalty::new().l2(0.3);
    let before = plain.cost(&x, &t, &MeanSquaredError, &mut Tape::new())? + penalty.cost(&plain);
    let step = Trainer::new(MeanSquaredError, Sgd::new())
        .penalty(penalty)
        .step(&mut plain, &x, &t)?;
    assert_eq!((step.cost, step.learning_rate), (before, 1e-3));
    Ok(())
}

#[test]
fn a_refused_step_changes_nothing() -> Result<()> {
    let data = data(6);
    let broken =
        |rate: fn(u64) -> f64| surrounded(Adam::new()).learning_rate(Schedule::custom(rate));
    let mut trainers = [
        surrounded(Adam::new()),
        broken(|t| if t < 2 { 0.01 } else { f64::NAN }),
    ];
    for (index, trainer) in trainers.iter_mut().enumerate() {
        let (mut net, mut never) = (deep(), deep());
        let mut undisturbed = if index == 0 {
            surrounded(Adam::new())
        } else {
            broken(|_| 0.01)
        };
        for _ in 0..2 {
            trainer.step(&mut net, data.inputs(), &data)?;
            undisturbed.step(&mut never, data.inputs(), &data)?;
        }
        let (before, state) = (net.clone(), trainer.optimizer().state().clone());
        let mut refused = |x: &DMatrix<f64>, t: &DMatrix<f64>, kind: ErrorKind| {
            let error = trainer.step(&mut net, x, t).expect_err("refused");
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(bits(net.params()), bits(before.params()), "{error}");
            assert_eq!(trainer.optimizer().state(), &state, "{error}");
        };
        let (x, t) = (data.inputs(), data.targets());
        refused(&x.transpose(), t, ErrorKind::Shape);
        refused(x, &t.rows(0, 2).into_owned(), ErrorKind::Shape);
        refused(
            &DMatrix::zeros(4, 0),
            &DMatrix::zeros(3, 0),
            ErrorKind::Empty,
        );
        if index == 0 {
            // The pass has been taken then, and its randomness drawn.
            refused(x, &(t * 1e200), ErrorKind::Diverged { epoch: 0, batch: 0 });
            let step = trainer.step(&mut net, x, t)?;
            assert_eq!(step, undisturbed.step(&mut never, x, t)?);
            assert_eq!(bits(net.params()), bits(never.params()));
        } else {
            refused(x, t, ErrorKind::Value);
        }
    }

    // Settings that only the scalar of the network refuses.
    let tiny = || Trainer::<f32>::new(MeanSquaredError, Sgd::new());
    let single = Sequential::<f32>::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    let trainers = [
        (
            tiny().constrain(Constraint::MaxNorm(1e-60)),
            "norm of Constraint::MaxNorm",
        ),
        (
            tiny().clip(Clip::GlobalNorm(1e-60)),
            "limit of Clip::GlobalNorm",
        ),
        (tiny().learning_rate(1e60), "group 0"),
        (tiny().freeze([0]), "freeze of Trainer"),
        (tiny().freeze([1]), "freeze of Trainer"),
        (
            tiny().stop(Stop::CostConverged { change: -1.0 }),
            "change of Stop",
        ),
        (tiny().groups(Group::all(5)), "group 0"),
    ];
    for (mut trainer, place) in trainers {
        let mut net = single.clone();
        let error = trainer
            .step(&mut net, &[1.0], View::from(&[2.0]))
            .expect_err(place);
        assert_eq!(error.place(), place);
        assert_eq!(net, single);
    }
    let step = Sequential::builder(4)
        .layer(Dense::new(3, Activation::Step))
        .build_with(&mut rng(1))?;
    let error = surrounded(Sgd::new())
        .step(&mut step.clone(), data.inputs(), &data)
        .map_err(|e| e.kind());
    assert_eq!(error, Err(ErrorKind::Untrainable));
    Ok(())
}

/// Steps take the network as it is, and so does the `fit` after them; moments are of one size.
#[test]
fn steps_between_fits() -> Result<()> {
    let (mut net, data) = (net(), data(20));
    let mut trainer = Trainer::new(QuadraticCost, Adam::new())
        .epochs(2)
        .batch_size(10)
        .learning_rate(0.01);
    trainer.fit(&mut net, &data)?;
    net.params_mut()[0] += 0.5;
    assert!(trainer.fit(&mut net, &data).is_err());
    let step = trainer.step(&mut net, data.inputs(), &data)?;
    assert_eq!((step.epoch, step.batch, step.step), (2, 0, 4));
    assert_eq!(trainer.optimizer().state().step, 5);
    net.params_mut()[0] += 0.5;
    trainer.fit(&mut net, &data)?;
    net.params_mut()[0] += 0.5;
    assert!(trainer.fit(&mut net, &data).is_err());
    let error = trainer
        .step(&mut line()?, &[1.0], View::from(&[1.0]))
        .expect_err("other moments");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Shape, "network of Trainer")
    );
    Ok(())
}

/// After `restore_best`, a step goes on from the parameters that the network has.
#[test]
fn a_step_after_the_best_weights() -> Result<()> {
    let (mut net, data) = (net(), data(20));
    let mut trainer = Trainer::new(QuadraticCost, Sgd::new())
        .learning_rate(3.0)
        .epochs(6)
        .restore_best(Monitor::lowest("size"))
        .metric("size", |y, _| {
            Ok(y.as_slice().iter().map(|y: &f64| y.abs()).sum())
        });
    trainer.fit(&mut net, &data)?;
    let best = net.clone();
    let mut by_hand = net.clone();
    let mut tape = Tape::with_seed(0);
    tape.seek(0, 6);
    best.gradient(data.inputs(), &data, &QuadraticCost, &mut tape)?;
    Sgd::new().step(
        3.0,
        by_hand.params_mut(),
        tape.grads(),
        &net.default_groups(),
    )?;
    trainer.step(&mut net, data.inputs(), &data)?;
    assert_eq!(bits(net.params()), bits(by_hand.params()));
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Frozen layers

/// Not a bit of a frozen layer moves, whatever asks for it, and the others learn as if it were
/// fixed.
#[test]
fn frozen_layers_keep_their_bits() -> Result<()> {
    fn check(rule: impl Optimizer<f64> + Clone) -> Result<()> {
        let data = data(20);
        for frozen in [vec![0], vec![1], vec![4], vec![0, 1, 3], vec![1, 2, 4]] {
            let mut net = deep();
            // Weights beyond every constraint.
            net.params_mut().iter_mut().for_each(|w| *w *= 2.0);
            let start = net.clone();
            let mut trainer = surrounded(rule.clone()).freeze(frozen.iter().rev().copied());
            trainer.fit(&mut net, &data)?;
            trainer.step(&mut net, data.inputs(), &data)?;
            let mut first = 0;
            for layer in 0..5 {
                let count: usize = net
                    .blocks(layer)
                    .iter()
                    .map(|block| block.rows * block.cols)
                    .sum();
                let range = first..first + count;
                first += count;
                let (now, before) = (&net.params()[range.clone()], &start.params()[range]);
                if frozen.contains(&layer) {
                    assert_eq!(bits(now), bits(before), "layer {layer} of {frozen:?}");
                } else {
                    assert!(
                        count == 0 || bits(now) != bits(before),
                        "layer {layer} of {frozen:?}"
                    );
                }
            }
        }
        Ok(())
    }
    check(Sgd::new())?;
    check(Sgd::new().momentum(0.9).nesterov())?;
    check(Adam::new())?;
    check(Lion::new())?;
    check(Rprop::new())
}

/// The norm of a gradient, and what is clipped by it, are those of what learns.
#[test]
fn frozen_layers_have_no_gradient() -> Result<()> {
    let (mut net, data) = (net(), data(20));
    let start = net.clone();
    let trainer = || {
        Trainer::new(QuadraticCost, Sgd::new())
            .batch_size(100)
            .shuffle(false)
            .epochs(1)
            .learning_rate(0.5)
            .penalty(Penalty::new().l2(0.3))
    };
    let history = trainer()
        .freeze([0])
        .clip(Clip::GlobalNorm(0.01))
        .fit(&mut net, &data)?;
    let mut tape = Tape::new();
    start.gradient(data.inputs(), &data, &QuadraticCost, &mut tape)?;
    Penalty::new()
        .l2(0.3)
        .add_gradient(&start, tape.grads_mut())?;
    let learned = DVector::from_column_slice(&tape.grads()[30..]);
    assert!((history.epochs[0].gradient_norm - learned.norm()).abs() < 1e-14);
    let moved = DVector::from_iterator(
        21,
        net.params()[30..]
            .iter()
            .zip(&start.params()[30..])
            .map(|(a, b)| a - b),
    );
    assert!(
        (moved + learned.normalize() * 0.005).norm() < 1e-12,
        "a step of rate 0.5 along a gradient of norm 0.01"
    );
    // The penalty of frozen weights is part of the cost.
    let mut other = start.clone();
    assert_eq!(
        trainer().fit(&mut other, &data)?.epochs[0].cost,
        history.epochs[0].cost
    );
    assert_ne!(other.params()[..30], start.params()[..30]);
    Ok(())
}

/// Freezing all but one layer is training this layer on what is below it, and `freeze([])` frees
/// all.
#[test]
fn what_is_left_of_frozen_layers_learns_alike() -> Result<()> {
    let data = data(20);
    let mut whole = Sequential::builder(4)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(Dense::new(3, Activation::Linear))
        .build_with(&mut rng(1))?;
    let start = whole.clone();
    let bottom = {
        let mut bottom = Sequential::builder(4)
            .layer(Dense::new(6, Activation::Tanh))
            .build_with(&mut rng(1))?;
        bottom.set_params(&whole.params()[..30])?;
        bottom
    };
    let mut top = Sequential::builder(6)
        .layer(Dense::new(3, Activation::Linear))
        .build_with(&mut rng(1))?;
    top.set_params(&whole.params()[30..])?;
    let features = Dataset::new(bottom.predict(data.inputs())?, data.targets().clone())?;
    let trainer = || {
        Trainer::new(QuadraticCost, Adam::new())
            .epochs(5)
            .batch_size(7)
            .learning_rate(0.05)
    };
    let mut frozen = trainer().freeze([0]);
    frozen.fit(&mut whole, &data)?;
    trainer().fit(&mut top, &features)?;
    assert_eq!(bits(&whole.params()[30..]), bits(top.params()));
    let mut free = frozen.freeze([]);
    free.fit(&mut whole, &data)?;
    assert!(
        whole.params()[..30]
            .iter()
            .zip(&start.params()[..30])
            .all(|(now, before)| now != before)
    );
    Ok(())
}

#[test]
fn layers_that_cannot_be_frozen() {
    let data = data(20);
    let refused = |layers: &[usize], kind: ErrorKind, text: &str| {
        let mut net = net();
        let error = surroundless()
            .freeze(layers.iter().copied())
            .fit(&mut net, &data)
            .expect_err("refused");
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        assert_eq!(net, self::net());
    };
    fn surroundless<'a>() -> Trainer<'a, f64> {
        Trainer::new(QuadraticCost, Adam::new())
    }
    refused(
        &[3],
        ErrorKind::Value,
        "freeze of Trainer: got 3, expected layers below 3",
    );
    let text = "freeze of Trainer: got all frozen, expected a layer with parameters that learns";
    refused(&[0, 2], ErrorKind::Empty, text);
    refused(&[2, 1, 0, 2], ErrorKind::Empty, text);
}

// -------------------------------------------------------------------------------------------------
// Evaluation

/// What `fit` says of validation data after an epoch, `evaluate` says of the network after it.
#[test]
fn an_evaluation_is_that_of_the_last_epoch() -> Result<()> {
    let (train, judge) = (classes(30), classes(25).balanced()?);
    for metrics in [0, 2] {
        let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
            .validation_data(&judge)
            .epochs(3);
        if metrics > 0 {
            trainer = trainer
                .metric("accuracy", |y, t| metrics::accuracy(y, t))
                .metric("first", |y, _| Ok(y.as_slice()[0]));
        }
        let mut net = net();
        let history = trainer.fit(&mut net, &train)?;
        let (last, state) = (
            history.last().expect("three epochs"),
            trainer.optimizer().state().clone(),
        );
        let test = trainer.evaluate(&net, &judge)?;
        assert_eq!(
            (Some(test.cost), &test.metrics),
            (last.validation_cost, &last.metrics)
        );
        assert_eq!(test.metrics.len(), metrics);
        assert_eq!(test.metric("none"), None);
        assert_eq!((trainer.optimizer().state(), trainer.epoch()), (&state, 3));
        if metrics > 0 {
            // Probabilities, not logits.
            let mut y = net.predict(judge.inputs())?;
            OutputFunction::Softmax.apply(&mut y);
            assert_eq!(test.metric("first"), Some(y[0]));
        }
        // It disturbs nothing.
        let (mut once, mut again) = (self::net(), self::net());
        let mut other = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()).epochs(1);
        other.evaluate(&again, &judge)?;
        other.fit(&mut again, &train)?;
        other.evaluate(&again, &judge)?;
        other.fit(&mut again, &train)?;
        Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
            .epochs(2)
            .fit(&mut once, &train)?;
        assert_eq!(bits(once.params()), bits(again.params()));
    }
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new());
    assert_eq!(
        trainer.evaluate(&line()?, &judge).map_err(|e| e.kind()),
        Err(ErrorKind::Shape)
    );
    assert_eq!(
        trainer.evaluate(&net(), &data(5)).map_err(|e| e.kind()),
        Err(ErrorKind::Value)
    );
    let mut failing = Trainer::new(QuadraticCost, Adam::new()).metric("mine", |_, _| {
        Err(Error::new(ErrorKind::Value, "mine", "", 0))
    });
    assert_eq!(
        failing.evaluate(&net(), &data(5)).map_err(|e| e.kind()),
        Err(ErrorKind::Value)
    );
    Ok(())
}

/// Of a model, metrics are in the units of the data and the cost in scaled ones, with either
/// trainer.
#[test]
fn an_evaluation_of_a_model() -> Result<()> {
    fn check(mut trainer: impl Fit<f64>, train: &Dataset<f64>, judge: &Dataset<f64>) -> Result<()> {
        let mut model = plane_model(train)?;
        let history = model.fit(&mut trainer, train)?;
        let last = history.last().expect("an epoch");
        let test = model.evaluate(&mut trainer, judge)?;
        assert_eq!(
            (Some(test.cost), &test.metrics),
            (last.validation_cost, &last.metrics)
        );
        let error = metrics::max_error(&model.predict(judge.inputs())?, judge)?;
        assert_eq!(test.metric("error"), Some(error));
        let narrow = Dataset::new(DMatrix::zeros(1, 3), DMatrix::zeros(1, 3))?;
        assert_eq!(
            model.evaluate(&mut trainer, &narrow).map_err(|e| e.kind()),
            Err(ErrorKind::Shape)
        );
        Ok(())
    }
    let ((train, _), (judge, _)) = (plane(60, 1)?, plane(40, 2)?);
    let descent = Trainer::new(MeanSquaredError, Adam::new())
        .learning_rate(0.01)
        .validation_data(&judge);
    check(
        descent.metric("error", |y, t| metrics::max_error(y, t)),
        &train,
        &judge,
    )?;
    let squares = LevenbergMarquardt::new().epochs(8).validation_data(&judge);
    check(
        squares.metric("error", |y, t| metrics::max_error(y, t)),
        &train,
        &judge,
    )?;
    let logits = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new());
    let refused = plane_model(&train)?
        .evaluate(&mut { logits }, &train)
        .map_err(|e| e.kind());
    assert_eq!(refused, Err(ErrorKind::Incompatible));
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// What is noticed

/// A line in single precision, whose gradient is ±`size`: the absolute error of inputs of that
/// size.
fn steep(size: f32) -> Result<(Sequential<f32>, Dataset<f32>)> {
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear).without_bias())
        .build_with(&mut rng(1))?;
    net.set_params(&[0.5])?;
    Ok((
        net,
        Dataset::new(
            DMatrix::from_element(1, 4, size),
            DMatrix::from_element(1, 4, 0.0),
        )?,
    ))
}

/// The square of a gradient above √MAX is infinite, and so is every root of it: the step would be 0
/// for ever.
#[test]
fn overflow_that_freezes_is_an_error() -> Result<()> {
    fn check<O: Optimizer<f32> + Clone + 'static>(rule: O, frozen_rules: &mut usize) -> Result<()> {
        let (mut net, data) = steep(1e22)?;
        let before = net.clone();
        let trainer = || {
            Trainer::new(MeanAbsoluteError, rule.clone())
                .learning_rate(0.01)
                .epochs(3)
        };
        let mut frozen = trainer();
        let name = &rule.state().rule;
        let first = ErrorKind::Diverged { epoch: 0, batch: 0 };
        let error = match frozen.fit(&mut net, &data) {
            Err(error) if error.kind() == first => error,
            // A rule that remembers no squares does not freeze: it moves on, or too far.
            result => {
                let (mut alone, mut w) = (rule.clone(), [0.5]);
                alone.note_cost(1.0);
                alone.step(0.01, &mut w, &[1e22], &Group::all(1))?;
                assert!(alone.state().is_finite(), "{name}: {result:?}");
                return Ok(());
            }
        };
        assert_eq!(
            error.kind(),
            ErrorKind::Diverged { epoch: 0, batch: 0 },
            "{name}"
        );
        // Two infinities may have made a NaN of the parameter, which does not freeze.
        if !error.place().ends_with("parameter 0") {
            assert!(
                error.place().ends_with(&format!("state of {name}")),
                "{error}"
            );
            assert!(
                error.expected().contains("Clip::GlobalNorm")
                    && error.given().contains("norm 1.000e22"),
                "{error}"
            );
            *frozen_rules += 1;
        }
        assert_eq!(
            (&net, frozen.optimizer().state(), frozen.epoch()),
            (&before, rule.state(), 0)
        );
        // The way out that the error names.
        let history = trainer().clip(Clip::GlobalNorm(1.0)).fit(&mut net, &data)?;
        assert_eq!(history.epochs.len(), 3);
        assert!(net.params()[0] < 0.5, "{name}");
        Ok(())
    }
    let mut frozen_rules = 0;
    macro_rules! rules {
        ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
            $($(check($made, &mut frozen_rules)?;)+)+
        };
    }
    chainrule::every_rule!(rules);
    assert!(frozen_rules >= 7, "{frozen_rules}");
    // A momentum that overflows.
    let (mut net, data) = steep(3e38)?;
    let error = Trainer::new(MeanAbsoluteError, Sgd::new().momentum(0.9))
        .learning_rate(0.0)
        .batch_size(2)
        .fit(&mut net, &data);
    assert_eq!(
        error.map_err(|e| e.kind()),
        Err(ErrorKind::Diverged { epoch: 0, batch: 1 })
    );
    // What does not overflow is not refused.
    let (mut net, data) = steep(1e18)?;
    assert!(
        Trainer::new(MeanAbsoluteError, Adam::new())
            .learning_rate(1e-30)
            .fit(&mut net, &data)
            .is_ok()
    );
    Ok(())
}

/// All that a trainer can remember.
fn remembering(judge: &Dataset<f64>) -> Trainer<'_, f64> {
    Trainer::new(MeanSquaredError, Adam::new())
        .epochs(12)
        .batch_size(8)
        .learning_rate(Schedule::Cosine {
            rate: 0.05,
            min: 1e-3,
            steps: 40,
        })
        .validation_data(judge)
        .reduce_on_plateau(
            Monitor::ValidationCost,
            ReduceOnPlateau {
                patience: 1,
                factor: 0.5,
                ..ReduceOnPlateau::new()
            },
        )
        .stop(Stop::EarlyStopping {
            monitor: Monitor::ValidationCost,
            patience: 9,
            min_change: 1e-3,
        })
        .stop(Stop::CostConverged { change: 1e-9 })
        .restore_best(Monitor::ValidationCost)
}

/// The loop over folds: without `reset` it is refused, with it each fold has the bits of a new
/// trainer.
#[test]
fn one_trainer_for_several_networks() -> Result<()> {
    let (data, judge) = (data(40), data(15));
    let mut trainer = remembering(&judge);
    for seed in 1..=4 {
        let start = || {
            Sequential::builder(4)
                .layer(Dense::new(6, Activation::Tanh))
                .layer(Dense::new(3, Activation::Linear))
                .build_with(&mut rng(seed))
        };
        let (mut net, mut fresh) = (start()?, start()?);
        if seed > 1 {
            let before = (trainer.optimizer().state().clone(), trainer.epoch());
            let error = trainer.fit(&mut net, &data).expect_err("another network");
            assert_eq!(
                (error.kind(), error.place()),
                (ErrorKind::Incompatible, "network of Trainer")
            );
            assert!(error.expected().contains("Trainer::reset"), "{error}");
            assert_eq!(
                (&net, (trainer.optimizer().state().clone(), trainer.epoch())),
                (&fresh, before)
            );
        }
        trainer.reset()?;
        assert_eq!(
            (trainer.epoch(), trainer.optimizer().state()),
            (0, Adam::<f64>::new().state())
        );
        let mut new = remembering(&judge);
        assert_eq!(
            trainer.fit(&mut net, &data)?,
            new.fit(&mut fresh, &data)?,
            "start {seed}"
        );
        assert_eq!(bits(net.params()), bits(fresh.params()), "start {seed}");
        assert_eq!(trainer.optimizer().state(), new.optimizer().state());
        // The network that it left, which has the best weights, it knows; a copy is the same
        // network.
        let mut copy = net.clone();
        assert_eq!(trainer.fit(&mut copy, &data)?, new.fit(&mut fresh, &data)?);
    }
    // A rule without moments is no reason to mix networks up: schedule and stops go on.
    let mut plain = Trainer::new(QuadraticCost, Sgd::new()).epochs(1);
    plain.fit(&mut net(), &data)?;
    let mut trained = net();
    assert_eq!(
        plain.fit(&mut trained, &data).map_err(|e| e.kind()),
        Err(ErrorKind::Incompatible)
    );
    assert_eq!(trained, net());
    // Nothing learned, nothing to mix up.
    let mut idle = Trainer::new(QuadraticCost, Sgd::new()).epochs(0);
    idle.fit(
        &mut line()?,
        &Dataset::new(DMatrix::zeros(1, 3), DMatrix::zeros(1, 3))?,
    )?;
    assert!(idle.fit(&mut trained, &data).is_ok());
    Ok(())
}

/// An optimizer that came with moments has them again.
#[test]
fn a_reset_gives_back_what_the_optimizer_came_with() -> Result<()> {
    let mut adam = Adam::new();
    adam.step(0.1, &mut [0.0; 51], &[1.0; 51], &Group::all(51))?;
    let mut trainer = Trainer::new(QuadraticCost, adam.clone()).epochs(2);
    trainer.fit(&mut net(), &data(20))?;
    trainer.reset()?;
    assert_eq!(trainer.optimizer().state(), adam.state());
    Ok(())
}

#[test]
fn other_data_are_refused() -> Result<()> {
    let (first, weights) = (
        data(20),
        (0..20).map(|j| 1.0 + f64::from(j)).collect::<Vec<_>>(),
    );
    let changed = |j: usize| {
        first.clone().map_inputs(|mut x| {
            x[(2, j)] += 1e-12;
            Ok(x)
        })
    };
    let others = [
        (data(21), "21 samples of 4 inputs and 3 outputs"),
        (
            changed(0)?,
            "20 samples of 4 inputs and 3 outputs with other numbers in the first or last sample",
        ),
        (
            changed(19)?,
            "20 samples of 4 inputs and 3 outputs with other numbers in the first or last sample",
        ),
        (
            first.clone().map_targets(|t| Ok(t * 2.0))?,
            "20 samples of 4 inputs and 3 outputs with other numbers in the first or last sample",
        ),
        (
            first.clone().weighted(weights)?,
            "20 samples of 4 inputs and 3 outputs with other numbers in the first or last sample",
        ),
    ];
    for (other, given) in &others {
        let (mut net, mut trainer) = (net(), Trainer::new(QuadraticCost, Adam::new()).epochs(2));
        trainer.fit(&mut net, &first)?;
        let before = net.clone();
        let error = trainer.fit(&mut net, other).expect_err("other data");
        assert_eq!(
            (error.kind(), error.place(), error.given()),
            (ErrorKind::Incompatible, "training data", *given)
        );
        assert!(
            error.expected().contains("Trainer::reset")
                && error.expected().contains("Trainer::changing_data"),
            "{error}"
        );
        assert_eq!((&net, trainer.epoch()), (&before, 2));
        // The same data in another place are the same data.
        trainer.fit(&mut net, &first.clone())?;
        // Both ways out.
        let mut trainer = trainer.changing_data();
        trainer.fit(&mut net, other)?;
        assert_eq!(trainer.epoch(), 6);
        trainer.reset()?;
        trainer.fit(&mut net, &first)?;
    }
    // An epoch that was interrupted goes on with its data alone.
    struct Interrupt;
    impl<T: Real> Observer<T> for Interrupt {
        fn on_batch(&mut self, step: &Step, _: &Sequential<T>) -> ControlFlow<()> {
            if step.step == 1 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    }
    let (mut net, mut trainer) = (
        net(),
        Trainer::new(QuadraticCost, Adam::new())
            .batch_size(6)
            .epochs(1)
            .observe(Interrupt)
            .changing_data(),
    );
    trainer.fit(&mut net, &first)?;
    let error = trainer
        .fit(&mut net, &others[0].0)
        .expect_err("other data in mid-epoch");
    assert!(error.expected().contains("finishes an epoch"), "{error}");
    trainer.fit(&mut net, &first)?;
    trainer.fit(&mut net, &others[0].0)?;
    Ok(())
}

#[test]
fn a_resumed_run_takes_its_own_network_and_data_alone() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("chainrule-other-data-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    let path = folder.join("run.checkpoint");
    let data = data(20);
    let other = self::data(21);
    let trainer = || {
        Trainer::new(QuadraticCost, Adam::new())
            .epochs(3)
            .batch_size(6)
            .changing_data()
    };
    let mut whole = net();
    let history = trainer().fit(&mut whole, &data)?;
    trainer()
        .epochs(1)
        .checkpoint(&path, chainrule::train::CheckpointEvery::Epochs(1))
        .fit(&mut net(), &data)?;
    let (mut resumed, mut second) = (net(), trainer());
    second.resume(&mut resumed, &path)?;
    let error = second.fit(&mut resumed, &other).expect_err("other data");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Incompatible, "training data")
    );
    assert!(
        error.expected().contains("interrupted") && error.given().starts_with("21 samples"),
        "{error}"
    );
    let error = second.fit(&mut net(), &data).expect_err("another network");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Incompatible, "network of Trainer")
    );
    assert_eq!(second.fit(&mut resumed, &data)?, history);
    assert_eq!(resumed, whole);
    // What was interrupted is done: other data may come.
    second.fit(&mut resumed, &other)?;

    // So they may for another process, where the call that was saved had ended.
    let stream = || {
        trainer()
            .epochs(1)
            .checkpoint(&path, chainrule::train::CheckpointEvery::Epochs(1))
    };
    let (mut net_of_one, mut one) = (net(), stream());
    one.fit(&mut net_of_one, &data)?;
    let (mut net_of_two, mut two) = (net(), stream());
    two.resume(&mut net_of_two, &path)?;
    let history = two.fit(&mut net_of_two, &other)?;
    assert_eq!(history, one.fit(&mut net_of_one, &other)?);
    assert_eq!((net_of_two, history.epochs[0].epoch), (net_of_one, 1));
    std::fs::remove_dir_all(&folder).ok();
    Ok(())
}

#[test]
fn targets_that_the_last_layer_cannot_reach() -> Result<()> {
    let x = DMatrix::from_fn(1, 20, |_, j| j as f64 / 20.0);
    let fit = |activation: &Activation, own: bool, t: &dyn Fn(f64) -> f64| {
        let data = Dataset::new(x.clone(), x.map(t))?;
        let builder = Sequential::builder(1);
        let builder = if own {
            builder
                .layer(Dense::new(1, Activation::Linear))
                .layer(activation.clone())
                .layer(Activation::Linear)
        } else {
            builder.layer(Dense::new(1, activation.clone()))
        };
        let mut net = builder.build_with(&mut rng(1))?;
        let before = net.clone();
        let result = Trainer::new(MeanSquaredError, Sgd::new())
            .epochs(1)
            .fit(&mut net, &data);
        assert!(result.is_ok() || net == before);
        result
    };
    for own in [false, true] {
        // (activation, a target out of reach, one within it)
        for (activation, far, near) in [
            (Activation::Tanh, 30.0, 0.5),
            (Activation::Relu, -0.1, 3.0),
            (Activation::Sigmoid, 1.5, 1.0),
            (Activation::Softsign, -1.5, 0.0),
            (Activation::HardTanh, 2.0, -1.0),
            (Activation::HardSigmoid, -0.5, 0.0),
            (Activation::Relu6, 6.5, 6.0),
            (Activation::Gelu, -0.17, -0.169),
            (Activation::Elu { alpha: 2.0 }, -2.5, -1.5),
        ] {
            let error = fit(&activation, own, &|_| far).expect_err("no target within reach");
            assert_eq!(
                (error.kind(), error.place()),
                (ErrorKind::Incompatible, "training data: targets"),
                "{activation}"
            );
            assert!(
                error.expected().contains("scale the targets")
                    && error.given().ends_with(&format!("is {far}")),
                "{error}"
            );
            assert!(
                fit(&activation, own, &|_| near)?.warnings.is_empty(),
                "{activation}"
            );
            let history = fit(&activation, own, &|x| if x < 0.25 { far } else { near })?;
            let (low, high) = activation.bounds();
            assert_eq!(
                history.warnings,
                [Warning::TargetsOutOfReach {
                    outside: 5,
                    targets: 20,
                    low,
                    high
                }]
            );
            assert!(
                history
                    .to_string()
                    .ends_with(&format!("\nwarning: {}", history.warnings[0])),
                "{history}"
            );
        }
        // In reach, but far.
        for activation in [Activation::Linear, Activation::LeakyRelu { slope: 0.1 }] {
            let history = fit(&activation, own, &|x| if x < 0.25 { -1e9 } else { 0.5 })?;
            let far = Warning::LargeTargets { largest: 1e9 };
            assert_eq!(history.warnings, [far], "{activation}");
            assert!(history.to_string().contains("Scaler::standard"));
            let near = fit(&activation, own, &|_| -1000.0)?;
            assert!(near.warnings.is_empty(), "{activation}");
        }
    }
    // Logits and margins are not what targets say.
    let data = Dataset::new(x.clone(), x.map(|x| f64::from(x > 0.5)))?;
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Tanh))
        .build_with(&mut rng(1))?;
    assert!(
        Trainer::new(SigmoidCrossEntropy::new(), Sgd::new())
            .fit(&mut net, &data)?
            .warnings
            .is_empty()
    );
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Relu))
        .build_with(&mut rng(1))?;
    let below = data.map_targets(|t| Ok(t.map(|_| -1.0)))?;
    assert!(
        Trainer::new(Hinge, Sgd::new())
            .fit(&mut net, &below)
            .is_ok()
    );
    Ok(())
}

/// The interval of each activation holds all of its values, and comes as near to them as a grid can
/// tell.
#[test]
fn bounds_of_activations() -> Result<()> {
    let points = Breakpoints::new(&[(-1.0, 2.0), (0.0, -3.0), (1.0, 1.0)])?;
    let mut all: Vec<Activation> = [
        "linear",
        "step",
        "sign",
        "piecewise_linear",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "relu6",
        "elu",
        "selu",
        "gelu",
        "gelu_tanh",
        "silu",
        "mish",
        "softplus",
        "softsign",
        "hard_sigmoid",
        "hard_tanh",
        "hard_swish",
    ]
    .iter()
    .map(|name| name.parse())
    .collect::<Result<_>>()?;
    all.extend([
        Activation::LeakyRelu { slope: 0.0 },
        Activation::LeakyRelu { slope: -0.5 },
        Activation::Elu { alpha: -2.0 },
        Activation::Elu { alpha: 0.0 },
        points.clone().into(),
        points.clone().slopes(1.0, 0.0)?.into(),
        points.clone().slopes(-1.0, 0.0)?.into(),
        points.clone().slopes(0.0, 1.0)?.into(),
        points.slopes(0.0, -1.0)?.into(),
        Activation::Step.surrogate(Activation::Linear),
    ]);
    for activation in all {
        let (low, high) = activation.bounds();
        let grid = (-40_000..=40_000).map(|i| f64::from(i) * 2.5e-4);
        let values = grid.chain([-1e300, 1e300]).map(|z| activation.value(z));
        let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), y| {
            (a.min(y), b.max(y))
        });
        let attained = |bound: f64, value: f64| {
            if bound.is_finite() {
                (bound - value).abs() < 1e-7
            } else {
                value.abs() > 1e200
            }
        };
        assert!(
            low <= least && attained(low, least),
            "{activation}: {least} of {low}"
        );
        assert!(
            high >= most && attained(high, most),
            "{activation}: {most} of {high}"
        );
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Threads and observers

/// What a program hands to a thread, whatever it borrows.
#[test]
fn trainers_and_models_are_send() {
    fn check<S: Send>(_: &S) {}
    check(&Trainer::<f64>::new(
        QuadraticCost,
        Box::new(Adam::new()) as Box<dyn Optimizer<f64>>,
    ));
    check(&LevenbergMarquardt::<f32>::new());
    check(&Model::from(net()));
    check(&Tape::<f64>::new());
}

/// With all that can be given to it.
#[test]
fn a_trainer_is_sent_to_another_thread() -> Result<()> {
    let data = data(20);
    let mut here = net();
    let mut there = net();
    let trainer = || {
        Trainer::new(QuadraticCost, Adam::new())
            .metric("zero", |_, _| Ok(0.0))
            .on_epoch(|_, _| ControlFlow::Continue(()))
            .observe(Watching::default())
    };
    trainer().fit(&mut here, &data)?;
    let mut sent = trainer();
    std::thread::scope(|scope| {
        scope
            .spawn(|| sent.fit(&mut there, &data).map(drop))
            .join()
            .expect("no panic")
    })?;
    assert_eq!(here, there);
    Ok(())
}

/// Calls, and the parameters of the network then.
type Calls = Vec<(String, Vec<f64>)>;

/// What an observer sees of the network.
#[derive(Default)]
struct Watching(std::sync::Arc<Mutex<Calls>>);

impl Watching {
    fn note(&self, what: impl ToString, net: &Sequential<f64>) {
        self.0
            .lock()
            .expect("no panic")
            .push((what.to_string(), net.params().to_vec()));
    }
}

impl Observer<f64> for Watching {
    fn on_start(&mut self, _: &Plan, net: &Sequential<f64>) {
        self.note("start", net);
    }
    fn on_batch(&mut self, step: &Step, net: &Sequential<f64>) -> ControlFlow<()> {
        self.note(step.step, net);
        ControlFlow::Continue(())
    }
    fn on_epoch(&mut self, _: &Epoch, net: &Sequential<f64>) -> ControlFlow<()> {
        self.note("epoch", net);
        ControlFlow::Continue(())
    }
}

#[test]
fn observers_see_the_network_as_it_is() -> Result<()> {
    let mut net = net();
    let data = data(20);
    let seen = Watching::default();
    let start = net.params().to_vec();
    let log = seen.0.clone();
    let mut called = Vec::new();
    let mut trainer = Trainer::new(QuadraticCost, Sgd::new())
        .learning_rate(0.1)
        .batch_size(10)
        .epochs(2)
        .shuffle(false)
        .observe(seen)
        .on_epoch(|_, net| {
            called.push(net.params().to_vec());
            ControlFlow::Continue(())
        });
    trainer.fit(&mut net, &data)?;
    drop(trainer);
    let log = log.lock().expect("no panic");
    assert_eq!(
        log.iter()
            .map(|(what, _)| what.as_str())
            .collect::<Vec<_>>(),
        ["start", "0", "1", "epoch", "2", "3", "epoch"]
    );
    assert_eq!(log[0].1, start);
    assert!(
        [(0, 1), (1, 2), (3, 4), (4, 5)]
            .iter()
            .all(|(a, b)| log[*a].1 != log[*b].1),
        "each step is seen"
    );
    assert_eq!((&log[2].1, &log[5].1), (&log[3].1, &log[6].1));
    assert_eq!(log[6].1, net.params());
    assert_eq!(called, [log[3].1.clone(), log[6].1.clone()]);
    Ok(())
}
