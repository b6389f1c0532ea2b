//! What trains on all samples at once: L-BFGS and scaled conjugate gradients.

use crate::common::{Folder, bits, refused};
use chainrule::nn::BatchNorm;
use chainrule::nn::layer::{BackwardArgs, InferArgs, Layer, Role};
use chainrule::nn::loss::{CostsArgs, Loss, QuadraticCost, SlopesArgs, SumSquaredError};
use chainrule::optim::Penalty;
use chainrule::prelude::*;
use chainrule::train::{
    CheckpointEvery, Epoch, History, Lbfgs, ScaledConjugateGradient, SearchFailure, Stopped,
};
use chainrule::{ErrorKind, Real};
use core::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Written by `reference/lbfgs.py`: set, hidden neurons, activation, α, parameters, iterations,
/// evaluations, cost.
const TABLE: &str = include_str!("../reference/lbfgs.tsv");

/// A layer that does nothing but count the samples that pass it backward.
#[derive(Clone, Debug, Default)]
struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn samples(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl<T: Real> Layer<T> for Counter {
    fn name(&self) -> String {
        "Counter".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        self.0.fetch_add(p.x.cols(), Ordering::Relaxed);
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice()
                .copy_from_slice(p.delta.as_view().as_slice());
        }
    }
}

/// Features and the last field of each line.
fn read(name: &str) -> (DMatrix<f64>, Vec<String>) {
    let text = match name {
        "iris" => include_str!("../../examples/data/iris.csv"),
        "wine" => include_str!("../../examples/data/wine.csv"),
        "breast_cancer" => include_str!("../../examples/data/breast_cancer.csv"),
        "diabetes" => include_str!("../../examples/data/diabetes.csv"),
        _ => include_str!("../../examples/data/digits.csv"),
    };
    let lines = text.lines().skip(usize::from(name != "digits"));
    let (features, last): (Vec<_>, Vec<_>) =
        lines.map(|line| line.rsplit_once(',').unwrap()).unzip();
    let fields = features.iter().flat_map(|line| line.split(','));
    let numbers: Vec<f64> = fields.map(|field| field.parse().unwrap()).collect();
    let x = DMatrix::from_vec(numbers.len() / last.len(), last.len(), numbers);
    let last = last.into_iter().map(String::from).collect();
    (x, last)
}

/// A data set as `reference/lbfgs.py` prepares it.
fn prepared(name: &str) -> Result<Dataset<f64>> {
    let (x, last) = read(name);
    if name == "diabetes" {
        let numbers = last.iter().map(|number| number.parse::<f64>().unwrap());
        let y = DMatrix::from_iterator(1, last.len(), numbers);
        let x = Scaler::standard(&x)?.transform(&x)?;
        let y = Scaler::standard(&y)?.transform(&y)?;
        return Dataset::new(x, y);
    }
    let mut names = last.clone();
    names.sort();
    names.dedup();
    let label = |name| names.iter().position(|known| known == name).unwrap();
    let labels: Vec<usize> = last.iter().map(label).collect();
    let x = if name == "digits" {
        x / 16.0
    } else {
        Scaler::standard(&x)?.transform(&x)?
    };
    let targets = if names.len() == 2 {
        DMatrix::from_iterator(1, labels.len(), labels.iter().map(|label| *label as f64))
    } else {
        one_hot(&labels, names.len())?
    };
    Dataset::new(x, targets)
}

/// The start of `reference/lbfgs.py`.
fn start(net: &mut Sequential<f64>) -> Result<()> {
    for layer in 0..2 {
        net.bias_mut(layer)?.fill(0.0);
        let mut weights = net.weights_mut(layer)?;
        let (fan_out, fan_in) = weights.shape();
        let bound = (6.0 / (fan_in + fan_out) as f64).sqrt();
        let mut state = (fan_in * 1000 + fan_out) as u64;
        for w in weights.iter_mut() {
            state = (1_103_515_245 * state + 12345) % (1 << 31);
            *w = bound * (2.0 * (state as f64 / (1u64 << 31) as f64) - 1.0);
        }
    }
    Ok(())
}

/// From the same start as scikit-learn's `solver="lbfgs"`, with its penalty and its tolerances, no
/// more than 20 % more evaluations, and a cost that is no higher than by what two ends may differ
/// at which the gradient is as small. Slopes of ReLU jump, so that after some hundred steps
/// rounding has led two programs to other places: there all sets count together. The times that it
/// prints, in a release build, are to be held against those that `reference/lbfgs.py` writes.
#[test]
fn lbfgs_of_scikit_learn() -> Result<()> {
    let mut all = [0.0; 2];
    for line in TABLE.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |i: usize| fields[i].parse::<f64>().unwrap();
        let (name, hidden, alpha) = (fields[0], number(1) as usize, number(3));
        let activation = match fields[2] {
            "tanh" => Activation::Tanh,
            "logistic" => Activation::Sigmoid,
            _ => Activation::Relu,
        };
        let data = prepared(name)?;
        let counter = Counter::default();
        let mut net = Sequential::builder(data.features())
            .layer(Dense::new(hidden, activation))
            .layer(Dense::new(data.outputs(), Activation::Linear))
            .layer(counter.clone())
            .build()?;
        start(&mut net)?;
        assert_eq!(net.params().len(), number(4) as usize);
        let trainer = match (name, data.outputs()) {
            ("diabetes", _) => Lbfgs::new(QuadraticCost),
            (_, 1) => Lbfgs::new(SigmoidCrossEntropy::new()),
            _ => Lbfgs::new(SoftmaxCrossEntropy::new()),
        };
        let clock = std::time::Instant::now();
        let history = trainer
            .penalty(Penalty::new().l2(alpha / data.len() as f64))
            .gradient_tolerance(1e-4)
            .epochs(2000)
            .fit(&mut net, &data)?;
        let evaluations = counter.samples() as f64 / data.len() as f64;
        let (cost, [most, theirs]) = (history.costs().last().unwrap(), [number(6), number(7)]);
        let each = 1e6 * clock.elapsed().as_secs_f64() / evaluations;
        println!(
            "{line}: {evaluations}, {cost}, {:?}, {each:.0} µs an evaluation",
            history.stopped
        );
        if fields[2] == "relu" {
            assert!(cost <= 1.03 * theirs, "{line}: {cost}");
            all[0] += evaluations;
            all[1] += most;
        } else {
            assert!(cost <= 1.001 * theirs, "{line}: {cost}");
            assert!(evaluations <= 1.2 * most, "{line}: {evaluations}");
        }
    }
    assert!(all[0] <= 1.2 * all[1], "{all:?}");
    Ok(())
}

/// Both trainers in turn, as `trainer` of a loss; `$body` is a block that may use `?`.
macro_rules! each {
    (|$trainer:ident| $body:block) => {{
        {
            use chainrule::train::Lbfgs as $trainer;
            $body
        }
        {
            use chainrule::train::ScaledConjugateGradient as $trainer;
            $body
        }
    }};
}

/// A quarter of a sine and its square.
fn curve<T: Real>() -> Result<Dataset<T>> {
    let x = DMatrix::from_fn(1, 40, |_, j| T::of(j as f64 / 20.0 - 1.0));
    let y = DMatrix::from_fn(2, 40, |i, j| {
        let sine = (1.5 * (j as f64 / 20.0 - 1.0)).sin();
        T::of(if i == 0 { sine } else { sine * sine })
    });
    Dataset::new(x, y)
}

fn net<T: Real>(seed: u64) -> Result<Sequential<T>> {
    Sequential::builder(1)
        .layer(Dense::new(7, Activation::Tanh))
        .layer(Dense::new(5, Activation::Sigmoid))
        .layer(Dense::new(2, Activation::Linear))
        .seed(seed)
        .build()
}

fn is_stopped(history: &History, stopped: &[Stopped]) -> bool {
    history
        .stopped
        .as_ref()
        .is_some_and(|why| stopped.contains(why))
}

/// Costs never rise, and what is in the history is what there is.
#[test]
fn costs_fall_and_are_those_of_predictions() -> Result<()> {
    let data = curve()?;
    each!(|Method| {
        let mut net = net(1)?;
        let start = net.cost(data.inputs(), &data, &MeanSquaredError, &mut Tape::new())?;
        let mut norms = Vec::new();
        let mut trainer = Method::new(MeanSquaredError)
            .epochs(300)
            .on_epoch(|epoch, net| {
                let cost = net.cost(data.inputs(), &data, &MeanSquaredError, &mut Tape::new());
                assert_eq!(cost.ok(), Some(epoch.cost));
                norms.push((epoch.gradient_norm, epoch.learning_rate));
                ControlFlow::Continue(())
            });
        let history = trainer.fit(&mut net, &data)?;
        drop(trainer);
        let costs: Vec<f64> = [start].into_iter().chain(history.costs()).collect();
        assert!(costs.windows(2).all(|pair| pair[1] <= pair[0]), "{costs:?}");
        assert!(costs.last() < Some(&2e-4), "{:?}", costs.last());
        assert!(norms.iter().all(|(norm, rate)| *norm > 0.0 && *rate > 0.0));
    });
    Ok(())
}

/// By how much the tolerances end a run, and where they are 0, why it ends.
#[test]
fn reasons_to_stop() -> Result<()> {
    let data = curve()?;
    each!(|Method| {
        let mut first = net(1)?;
        let fit = |net: &mut Sequential<f64>, gradient, decrease| {
            Method::new(MeanSquaredError)
                .gradient_tolerance(gradient)
                .decrease_tolerance(decrease)
                .epochs(5000)
                .fit(net, &data)
        };
        let history = fit(&mut first, 1e-3, 0.0)?;
        assert_eq!(history.stopped, Some(Stopped::SmallGradient));
        let largest = |net: &Sequential<f64>| -> Result<f64> {
            let mut tape = Tape::new();
            net.gradient(data.inputs(), &data, &MeanSquaredError, &mut tape)?;
            Ok(tape.grads().iter().fold(0.0, |most, g| g.abs().max(most)))
        };
        assert!(largest(&first)? <= 1e-3);
        // Nothing to do any more, and nothing done.
        let before = first.clone();
        let again = fit(&mut first, 1e-3, 0.0)?;
        assert_eq!(
            (again.epochs.len(), again.stopped),
            (0, Some(Stopped::SmallGradient))
        );
        assert_eq!(first, before);

        let history = fit(&mut net(1)?, 0.0, 1e-6)?;
        assert_eq!(history.stopped, Some(Stopped::SmallDecrease));
        let costs: Vec<f64> = history.costs().collect();
        let falls: Vec<f64> = costs.windows(2).map(|pair| pair[0] - pair[1]).collect();
        let (last, before) = falls.split_last().expect("more than two epochs");
        assert!(*last <= 1e-6 && before.iter().all(|fall| *fall > 1e-6));

        let mut deep = Sequential::builder(1)
            .layer(Dense::new(1, Activation::Linear))
            .seed(1)
            .build()?;
        let line = Dataset::from_rows(&[0.0, 1.0, 2.0, 3.0], 1, &[1.0, 3.0, 5.0, 7.5], 1)?;
        let history = Method::new(MeanSquaredError)
            .gradient_tolerance(0.0)
            .decrease_tolerance(0.0)
            .fit(&mut deep, &line)?;
        let rounding = Stopped::SearchFailed(SearchFailure::Rounding);
        let ends = [rounding, Stopped::SmallDecrease, Stopped::SmallGradient];
        assert!(is_stopped(&history, &ends), "{:?}", history.stopped);
        // Of least squares, by hand: 2.15 x + 0.9.
        let expected: [f64; 2] = [2.15, 0.9];
        for (w, expected) in deep.params().iter().zip(expected) {
            assert!((w - expected).abs() < 1e-7, "{w}");
        }
    });
    Ok(())
}

/// The mean of (y − t)² where no output is above `wall`, and beyond no number.
#[derive(Debug)]
struct Walled {
    wall: f64,
    /// What slopes are multiplied by: of 1 they are right.
    slope: f64,
}

impl<T: Real> Loss<T> for Walled {
    fn name(&self) -> &str {
        "Walled"
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
            let off = y[0] - t[0];
            *cost = if y[0].as_f64() <= self.wall {
                off * off
            } else {
                T::of(f64::NAN)
            };
        }
    }

    fn slopes(&self, mut p: SlopesArgs<'_, T>) {
        let dy = p.dy.as_mut_slice().iter_mut();
        for ((dy, y), t) in dy.zip(p.y.as_slice()).zip(p.target.as_slice()) {
            *dy = T::of(2.0 * self.slope) * (*y - *t);
        }
    }
}

fn constant(bias: f64) -> Result<Sequential<f64>> {
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    net.set_params(&[0.0, bias])?;
    Ok(net)
}

/// The way to the minimum of 10 leads to a wall at 2: steps become short, and what is found lies
/// before it.
#[test]
fn a_cost_that_is_no_number_shortens_the_step() -> Result<()> {
    let data = Dataset::from_rows(&[0.0, 0.0], 1, &[10.0, 10.0], 1)?;
    let wall = Walled {
        wall: 2.0,
        slope: 1.0,
    };
    assert!(Lbfgs::new(wall).fit(&mut constant(3.0)?, &data).is_err());
    each!(|Method| {
        let mut net = constant(0.0)?;
        let wall = Walled {
            wall: 2.0,
            slope: 1.0,
        };
        let history = Method::new(wall).epochs(30).fit(&mut net, &data)?;
        let bias = net.params()[1];
        assert!((1.5..=2.0).contains(&bias), "{bias}, {:?}", history.stopped);
        assert!(history.costs().all(f64::is_finite));
    });
    Ok(())
}

/// A gradient that points uphill: no step lowers the cost. The parameters keep every bit, and a
/// reason is given.
#[test]
fn a_failed_search_changes_nothing() -> Result<()> {
    let data = Dataset::from_rows(&[0.3, -0.7], 1, &[1.0, 2.0], 1)?;
    each!(|Method| {
        let uphill = Walled {
            wall: f64::MAX,
            slope: -1.0,
        };
        let mut net = constant(-0.0)?;
        net.params_mut()[0] = 0.1;
        let before = bits(net.params());
        let history = Method::new(uphill).fit(&mut net, &data)?;
        assert_eq!(bits(net.params()), before);
        let why = Stopped::SearchFailed(SearchFailure::Rounding);
        assert_eq!((history.epochs.len(), history.stopped), (0, Some(why)));
    });
    // Squares that overflow in f32.
    let mut huge = Sequential::<f32>::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    huge.set_params(&[0.0, 0.0])?;
    let far = Dataset::from_rows(&[1e10_f32, 1e10], 1, &[1e10, 1.0], 1)?;
    let history = Lbfgs::new(QuadraticCost).fit(&mut huge, &far)?;
    assert_eq!(
        history.stopped,
        Some(Stopped::SearchFailed(SearchFailure::NotFinite))
    );
    assert_eq!(huge.params(), [0.0, 0.0]);
    Ok(())
}

/// One call of ten epochs, ten calls of one, and a run that is reset: the same bits.
#[test]
fn a_call_goes_on_where_the_last_one_ended() -> Result<()> {
    let data = curve()?;
    each!(|Method| {
        let mut whole = net(1)?;
        Method::new(MeanSquaredError)
            .epochs(10)
            .fit(&mut whole, &data)?;
        let mut parts = net(1)?;
        let mut trainer = Method::new(MeanSquaredError).epochs(1);
        for call in 0..10 {
            assert_eq!(trainer.epoch(), call);
            trainer.fit(&mut parts, &data)?;
        }
        assert_eq!(bits(parts.params()), bits(whole.params()));
        assert!(trainer.fit(&mut net(1)?, &data).is_err());
        parts.params_mut()[0] += 0.5;
        trainer.continue_with(&parts);
        trainer.fit(&mut parts, &data)?;
        let mut trainer = trainer.epochs(10);
        trainer.reset();
        assert_eq!(trainer.epoch(), 0);
        let mut again = net(1)?;
        trainer.fit(&mut again, &data)?;
        assert_eq!(again, whole);
    });
    Ok(())
}

/// Interrupted after every epoch in turn and resumed by a new process: the same bits as without.
#[test]
fn checkpoints_of_full_batches() -> Result<()> {
    let folder = Folder::new("full batch");
    let path = folder.file();
    let (data, judge) = curve()?.split(0.6, 1)?;
    each!(|Method| {
        let trainer = || {
            Method::new(MeanSquaredError)
                .epochs(17)
                .validation_data(&judge)
                .metric("R²", |y, t| metrics::r2(y, t))
                .stop(Stop::early_stopping(Monitor::ValidationCost, 30))
                .restore_best(Monitor::ValidationCost)
        };
        let mut whole = net(1)?;
        let history = trainer().fit(&mut whole, &data)?;
        assert_eq!(history.epochs.len(), 17);
        for every in [CheckpointEvery::Epochs(1), CheckpointEvery::Steps(1)] {
            for stop in 0..17 {
                let mut interrupted = net(1)?;
                let end = |epoch: &Epoch, _: &Sequential<f64>| match epoch.epoch == stop {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                };
                trainer()
                    .checkpoint(&path, every)
                    .on_epoch(end)
                    .fit(&mut interrupted, &data)?;
                let (mut net, mut resumed) = (net(2)?, trainer());
                resumed.resume(&mut net, &path)?;
                assert_eq!(resumed.epoch(), stop + 1);
                assert_eq!(resumed.fit(&mut net, &data)?, history, "after {stop}");
                assert_eq!(net, whole, "after {stop}");
            }
        }

        // Runs that had come to their end stay there, whatever the end was.
        for (gradient, decrease) in [(1e-2, 0.0), (0.0, 1e-4), (0.0, 0.0)] {
            let trainer = || {
                Method::new(MeanSquaredError)
                    .gradient_tolerance(gradient)
                    .decrease_tolerance(decrease)
                    .checkpoint(&path, CheckpointEvery::Steps(1))
            };
            let line = Dataset::from_rows(&[0.0, 1.0, 2.0], 1, &[1.0, 3.0, 5.5], 1)?;
            let mut ended = constant(0.0)?;
            let history = trainer().fit(&mut ended, &line)?;
            assert!(history.stopped.is_some());
            let (mut again, mut resumed) = (constant(0.0)?, trainer());
            resumed.resume(&mut again, &path)?;
            assert_eq!(resumed.fit(&mut again, &line)?, history);
            assert_eq!(again, ended);
        }

        // What does not fit is refused, and nothing is changed.
        trainer().save(&net(1)?, &path)?;
        let mut other = constant(0.25)?;
        let error = trainer()
            .resume(&mut other, &path)
            .expect_err("another network");
        assert!(error.place().starts_with("layers of"), "{error}");
        let mut descent = Trainer::new(MeanSquaredError, Sgd::new())
            .validation_data(&judge)
            .metric("R²", |y, t| metrics::r2(y, t))
            .stop(Stop::early_stopping(Monitor::ValidationCost, 30));
        let error = descent
            .resume(&mut net(1)?, &path)
            .expect_err("another way");
        assert!(error.place().starts_with("settings of"), "{error}");
    });
    // Another memory, and another method.
    let start = net(1)?;
    let mut trainer = Lbfgs::new(MeanSquaredError).memory(3).epochs(5);
    let mut trained = start.clone();
    trainer.fit(&mut trained, &data)?;
    trainer.save(&trained, &path)?;
    let mut net = start.clone();
    let error = Lbfgs::new(MeanSquaredError).resume(&mut net, &path);
    assert!(error.unwrap_err().place().starts_with("memory of"));
    let error = ScaledConjugateGradient::new(MeanSquaredError).resume(&mut net, &path);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(net, start);
    Ok(())
}

/// On any number of threads the same bits, of both scalars.
#[cfg(feature = "parallel")]
#[test]
fn threads_change_no_bit() -> Result<()> {
    fn check<T: Real>() -> Result<()> {
        let x = DMatrix::from_fn(200, 300, |i, j| {
            T::of(((i * 7 + j * 13) % 19) as f64 / 9.5 - 1.0)
        });
        let y = DMatrix::from_fn(3, 300, |i, j| T::of(f64::from((i + j) % 3 == 0)));
        let data = Dataset::new(x, y)?;
        let start = || {
            Sequential::<T>::builder(200)
                .layer(Dense::new(180, Activation::Tanh))
                .layer(Dense::new(3, Activation::Linear))
                .seed(1)
                .build()
        };
        each!(|Method| {
            let mut one = start()?;
            let settings = || {
                Method::new(SoftmaxCrossEntropy::new())
                    .epochs(6)
                    .penalty(Penalty::new().l1(1e-6).l2(1e-5))
            };
            let history = settings().fit(&mut one, &data)?;
            assert_eq!(history.epochs.len(), 6);
            for threads in [2, 3, 8] {
                let mut net = start()?;
                let same = settings().threads(threads).fit(&mut net, &data)?;
                assert!(same == history && net == one, "{threads} threads");
            }
        });
        Ok(())
    }
    check::<f32>()?;
    check::<f64>()
}

/// Stops, metrics, the best weights and observers are those of a trainer.
#[test]
fn what_watches_a_run() -> Result<()> {
    let (data, judge) = curve()?.split(0.6, 1)?;
    each!(|Method| {
        let mut trained = net(1)?;
        let stop = Stop::target(Monitor::highest("R²"), 0.9);
        let mut trainer = Method::new(MeanSquaredError)
            .validation_data(&judge)
            .metric("R²", |y, t| metrics::r2(y, t))
            .stop(stop.clone());
        let history = trainer.fit(&mut trained, &data)?;
        assert_eq!(history.stopped, Some(Stopped::By(stop)));
        let last = history.last().expect("an epoch");
        let judged = trainer.evaluate(&trained, &judge)?;
        assert_eq!(Some(judged.cost), last.validation_cost);
        assert_eq!(judged.metric("R²"), last.metric("R²"));

        let mut best = net(1)?;
        let history = Method::new(MeanSquaredError)
            .validation_data(&judge)
            .epochs(60)
            .restore_best(Monitor::ValidationCost)
            .fit(&mut best, &data)?;
        let lowest = history
            .best(&Monitor::ValidationCost)
            .expect("an epoch")
            .validation_cost;
        let cost = best.cost(judge.inputs(), &judge, &MeanSquaredError, &mut Tape::new())?;
        assert_eq!(Some(cost), lowest);

        // A metric that fails keeps the epochs before.
        let mut net = net(1)?;
        let mut calls = 0;
        let result = Method::new(MeanSquaredError)
            .metric("fails", |_, _| {
                calls += 1;
                if calls < 4 {
                    Ok(0.0)
                } else {
                    metrics::r2(&[0.0], &[0.0, 1.0])
                }
            })
            .fit(&mut net, &data);
        assert!(result.is_err());
        let mut three = crate::full_batch::net(1)?;
        Method::new(MeanSquaredError)
            .epochs(3)
            .fit(&mut three, &data)?;
        assert_eq!(net, three);
    });
    Ok(())
}

/// In the units of the data, and with weights of samples that count them twice.
#[test]
fn models_and_weights() -> Result<()> {
    let data = curve()?;
    let units = Dataset::new(data.inputs() * 1e3, data.targets().map(|t| 1e-6 * t + 5.0))?;
    each!(|Method| {
        let inputs = Scaler::standard(units.inputs())?;
        let outputs = Scaler::standard(units.targets())?;
        let mut model = Model::new(net(1)?, inputs, outputs)?;
        let mut trainer = Method::new(MeanSquaredError)
            .epochs(400)
            .metric("largest error", |y, t| metrics::max_error(y, t));
        let history = model.fit(&mut trainer, &units)?;
        let largest = history
            .last()
            .and_then(|epoch| epoch.metric("largest error"));
        assert!(largest < Some(1e-7), "{largest:?}");

        let weighted = Dataset::from_rows(&[0.0, 1.0, 2.0], 1, &[1.0, 3.0, 7.0], 1)?
            .weighted(vec![1.0, 2.0, 1.0])?;
        let twice = Dataset::from_rows(&[0.0, 1.0, 1.0, 2.0], 1, &[1.0, 3.0, 3.0, 7.0], 1)?;
        let end = |data: &Dataset<f64>| -> Result<Sequential<f64>> {
            let mut net = constant(0.0)?;
            Method::new(SumSquaredError)
                .gradient_tolerance(1e-9)
                .fit(&mut net, data)?;
            Ok(net)
        };
        let (weighted, twice) = (end(&weighted)?, end(&twice)?);
        for (a, b) in weighted.params().iter().zip(twice.params()) {
            assert!((a - b).abs() < 1e-8, "{a} {b}");
        }
    });
    Ok(())
}

/// Frozen layers and running statistics keep every bit, noise is out, and the cost has the penalty.
#[test]
fn what_stays_and_what_counts() -> Result<()> {
    let data = curve()?;
    let build = || {
        Sequential::builder(1)
            .layer(Dense::new(6, Activation::Tanh))
            .layer(BatchNorm::new())
            .layer(Dropout::new(0.5))
            .layer(Dense::new(2, Activation::Linear))
            .seed(1)
            .build()
    };
    each!(|Method| {
        let mut net = build()?;
        net.params_mut()[0] = -0.0;
        let before = net.clone();
        let penalty = Penalty::new().l1(1e-3).l2(1e-2);
        let history = Method::new(MeanSquaredError)
            .freeze([0])
            .penalty(penalty.clone())
            .epochs(20)
            .fit(&mut net, &data)?;
        assert_eq!(bits(&net.params()[..12]), bits(&before.params()[..12]));
        let named = net.named_parameters().zip(before.named_parameters());
        for (now, before) in named {
            let still = now.layer == 0 || now.block.role == Role::Statistic;
            assert_eq!(now.values == before.values, still, "{}", now.name);
        }
        let cost = net.cost(data.inputs(), &data, &MeanSquaredError, &mut Tape::new())?;
        assert_eq!(history.costs().last(), Some(cost + penalty.cost(&net)));
    });
    Ok(())
}

#[test]
fn settings_out_of_range() -> Result<()> {
    let data = curve()?;
    let start: Sequential<f64> = net(1)?;
    let refuse =
        |result: fn(&mut Sequential<f64>, &Dataset<f64>) -> Result<History>, kind, text: &str| {
            let mut net = start.clone();
            refused(result(&mut net, &data), kind, text);
            assert_eq!(net, start);
        };
    refuse(
        |net, data| Lbfgs::new(MeanSquaredError).memory(0).fit(net, data),
        ErrorKind::Value,
        "memory of Lbfgs: got 0, expected at least 1 pair",
    );
    refuse(
        |net, data| {
            Lbfgs::new(MeanSquaredError)
                .max_evaluations(0)
                .fit(net, data)
        },
        ErrorKind::Value,
        "max_evaluations of Lbfgs: got 0, expected at least 1 evaluation",
    );
    refuse(
        |net, data| {
            Lbfgs::new(MeanSquaredError)
                .gradient_tolerance(-1.0)
                .fit(net, data)
        },
        ErrorKind::Value,
        "gradient_tolerance of Lbfgs: got -1, expected a finite number ≥ 0",
    );
    refuse(
        |net, data| {
            ScaledConjugateGradient::new(MeanSquaredError)
                .decrease_tolerance(f64::NAN)
                .fit(net, data)
        },
        ErrorKind::Value,
        "decrease_tolerance of ScaledConjugateGradient: got NaN, expected a finite number ≥ 0",
    );
    refuse(
        |net, data| Lbfgs::new(MeanSquaredError).freeze([3]).fit(net, data),
        ErrorKind::Value,
        "freeze of Lbfgs: got 3, expected layers below 3",
    );
    refuse(
        |net, data| {
            Lbfgs::new(MeanSquaredError)
                .freeze([0, 1, 2])
                .fit(net, data)
        },
        ErrorKind::Empty,
        "freeze of Lbfgs: got all frozen, expected a layer with parameters that learns",
    );
    let mut huge = start.clone();
    huge.params_mut().iter_mut().for_each(|w| *w = f64::MAX);
    let before = huge.clone();
    let error = Lbfgs::new(MeanSquaredError)
        .fit(&mut huge, &data)
        .unwrap_err();
    assert_eq!((error.kind(), &huge), (ErrorKind::NotFinite, &before));
    assert!(
        error.expected().starts_with("a finite cost at the start"),
        "{error}"
    );
    Ok(())
}

/// In single precision as far as its rounding lets a search see.
#[test]
fn single_precision() -> Result<()> {
    let data = curve::<f32>()?;
    each!(|Method| {
        let mut net = net::<f32>(1)?;
        let history = Method::new(MeanSquaredError)
            .epochs(2000)
            .fit(&mut net, &data)?;
        assert!(
            history.costs().last() < Some(1e-3),
            "{:?}",
            history.costs().last()
        );
        assert!(history.stopped.is_some());
    });
    Ok(())
}
