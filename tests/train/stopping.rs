//! What goes on around the steps: stops, the best weights, observers, rates, penalties, clips,
//! constraints, weights of samples.

use crate::common::rng;
use chainrule::nn::BatchNorm;
use chainrule::nn::loss::{Huber, LogCosh, Loss, QuadraticCost, SumSquaredError};
use chainrule::numeric::Targets;
use chainrule::optim::{Clip, Constraint, Lion, Penalty, ReduceOnPlateau, Schedule};
use chainrule::prelude::*;
use chainrule::train::{Epoch, Observer, Plan, Step, Stopped};
use chainrule::{ErrorKind, View, gradcheck};
use core::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 3 inputs, 6 tanh, 2 linear.
fn net() -> Sequential<f64> {
    Sequential::builder(3)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(Dense::new(2, Activation::Linear))
        .build_with(&mut rng(1))
        .expect("a sound network")
}

/// 22 samples, in four batches of at most 6.
fn data() -> Dataset<f64> {
    let x = DMatrix::from_fn(3, 22, |i, j| (0.77 * ((i + 2) * (j + 1)) as f64).sin());
    let t = DMatrix::from_fn(2, 22, |i, j| x[(i, j)] * x[(i + 1, j)]);
    Dataset::new(x, t).expect("sound data")
}

fn trainer<'a>() -> Trainer<'a, f64> {
    Trainer::new(MeanSquaredError, Adam::new())
        .batch_size(6)
        .learning_rate(0.01)
        .epochs(12)
}

/// A metric that takes these values, epoch after epoch, and then stays.
fn scripted(values: &[f64]) -> impl FnMut(View<'_, f64>, Targets<'_, f64>) -> Result<f64> {
    let (values, mut epoch) = (values.to_vec(), 0);
    move |_, _| {
        epoch += 1;
        Ok(values[(epoch - 1).min(values.len() - 1)])
    }
}

// -------------------------------------------------------------------------------------------------
// Stops

#[test]
fn patience_counts_epochs_without_a_better_number() -> Result<()> {
    let values = [0.5, 0.6, 0.55, 0.61, 0.6, 0.61, 0.62, 0.1, 0.2, 0.62, 0.9];
    for (patience, min_change, epochs) in [
        (1, 0.0, 3),
        (2, 0.0, 6),
        (3, 0.0, 10),
        (4, 0.0, 12),
        (2, 0.05, 4),
        (3, 0.05, 5),
        (1, 0.2, 2),
    ] {
        let stop = Stop::EarlyStopping {
            monitor: Monitor::highest("score"),
            patience,
            min_change,
        };
        let history = trainer()
            .metric("score", scripted(&values))
            .stop(stop.clone())
            .fit(&mut net(), &data())?;
        assert_eq!(history.epochs.len(), epochs, "{stop:?}");
        assert_eq!(history.stopped, (epochs < 12).then_some(Stopped::By(stop)));
    }
    let stop = Stop::early_stopping(Monitor::lowest("score"), 2);
    let history = trainer()
        .metric("score", scripted(&[3.0, 2.0, f64::NAN, 2.5, 1.0]))
        .stop(stop)
        .fit(&mut net(), &data())?;
    assert_eq!(history.epochs.len(), 4, "NaN is no better number");
    Ok(())
}

/// Better means better by more than `min_change`: by just as much is a tie, and a tie is not
/// better.
#[test]
fn patience_with_a_least_change_and_on_a_tie() -> Result<()> {
    let epochs = |monitor: Monitor, values: &[f64], min_change: f64| {
        let stop = Stop::EarlyStopping {
            monitor,
            patience: 2,
            min_change,
        };
        let history = trainer()
            .metric("score", scripted(values))
            .stop(stop)
            .fit(&mut net(), &data())?;
        Ok::<_, Error>(history.epochs.len())
    };
    let falling = [
        4.0, 3.5, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0, -0.5, -1.0, -1.5,
    ];
    let rising = falling.map(|value| -value);
    for (lowest, values) in [(true, falling), (false, rising)] {
        let monitor = || {
            if lowest {
                Monitor::lowest("score")
            } else {
                Monitor::highest("score")
            }
        };
        // Every epoch is better by ½: more than ¼, no more than ½ (every other one is by 1), and
        // never by 1 within 2 epochs.
        assert_eq!(epochs(monitor(), &values, 0.25)?, 12, "{lowest}");
        assert_eq!(epochs(monitor(), &values, 0.5)?, 12, "{lowest}");
        assert_eq!(epochs(monitor(), &values, 1.0)?, 3, "{lowest}");
        // A tie.
        assert_eq!(epochs(monitor(), &[1.0; 12], 0.0)?, 3, "{lowest}");
    }
    // The training cost itself, of a line that is learned at a known speed: (1 − 2η)² a step.
    let data = Dataset::new(
        DMatrix::from_element(1, 4, 0.0),
        DMatrix::from_element(1, 4, 1.0),
    )?;
    let line = |min_change: f64| {
        let mut net = Sequential::builder(1)
            .layer(Dense::new(1, Activation::Linear))
            .build_with(&mut rng(1))?;
        net.set_params(&[0.0, 0.0])?;
        let stop = Stop::EarlyStopping {
            monitor: Monitor::TrainingCost,
            patience: 1,
            min_change,
        };
        let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
            .learning_rate(0.25)
            .batch_size(4)
            .epochs(20)
            .stop(stop);
        Ok::<_, Error>(trainer.fit(&mut net, &data)?.epochs.len())
    };
    // Costs 1, ¼, 1/16, 1/64, …: falls of ¾, 3/16, 3/64, ….
    assert_eq!(
        [0.75, 0.7, 0.1875, 0.18, 0.01].map(|change| line(change).ok()),
        [2, 3, 3, 4, 6].map(Some)
    );
    Ok(())
}

/// A plateau of a metric that should be high: the rate stays while it rises, and falls when it does
/// not.
#[test]
fn a_plateau_of_what_should_be_high() -> Result<()> {
    let rates = |monitor: Monitor, values: &[f64]| {
        let plateau = ReduceOnPlateau {
            factor: 0.5,
            patience: 1,
            min_change: 0.0,
            ..ReduceOnPlateau::new()
        };
        let history = trainer()
            .epochs(6)
            .metric("score", scripted(values))
            .reduce_on_plateau(monitor, plateau)
            .fit(&mut net(), &data())?;
        Ok::<_, Error>(
            history
                .epochs
                .iter()
                .map(|epoch| epoch.learning_rate / 0.01)
                .collect::<Vec<_>>(),
        )
    };
    let (rising, falling) = (
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        [0.6, 0.5, 0.4, 0.3, 0.2, 0.1],
    );
    let (stays, falls) = ([1.0; 6], [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]);
    assert_eq!(rates(Monitor::highest("score"), &rising)?, stays);
    assert_eq!(rates(Monitor::highest("score"), &falling)?, falls);
    assert_eq!(rates(Monitor::lowest("score"), &rising)?, falls);
    assert_eq!(rates(Monitor::lowest("score"), &falling)?, stays);
    Ok(())
}

#[test]
fn convergence_target_and_the_first_of_several() -> Result<()> {
    let fit = |stops: &[Stop]| {
        let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
            .learning_rate(0.2)
            .batch_size(100)
            .epochs(2000)
            .metric("score", scripted(&[0.1, 0.5, 0.9]));
        for stop in stops {
            trainer = trainer.stop(stop.clone());
        }
        trainer.fit(&mut net(), &data())
    };
    let whole: Vec<f64> = fit(&[])?.costs().collect();
    let change = (whole[400] - whole[399]).abs();
    let history = fit(&[Stop::CostConverged { change }])?;
    let first = (1..)
        .find(|e| (whole[*e] - whole[e - 1]).abs() <= change)
        .unwrap_or(0);
    assert_eq!(history.epochs.len(), first + 1);

    let steps: Vec<f64> = {
        let mut net = net();
        let data = data();
        let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
            .learning_rate(0.2)
            .batch_size(100)
            .epochs(1);
        (0..300)
            .map(|_| {
                let before = net.params().to_vec();
                trainer.fit(&mut net, &data).map(|_| {
                    net.params()
                        .iter()
                        .zip(before)
                        .fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()))
                })
            })
            .collect::<Result<_>>()?
    };
    let history = fit(&[Stop::WeightsConverged { change: steps[250] }])?;
    assert_eq!(
        Some(history.epochs.len() - 1),
        steps.iter().position(|step| *step <= steps[250])
    );

    let target = Stop::target(Monitor::highest("score"), 0.5);
    let history = fit(&[
        Stop::CostConverged { change: 0.0 },
        target.clone(),
        Stop::target(Monitor::TrainingCost, 1e9),
    ])?;
    assert_eq!(
        (history.epochs.len(), &history.stopped),
        (
            1,
            &Some(Stopped::By(Stop::target(Monitor::TrainingCost, 1e9)))
        )
    );
    let history = fit(std::slice::from_ref(&target))?;
    assert_eq!(
        (history.epochs.len(), history.stopped),
        (2, Some(Stopped::By(target))),
        "reached when equal"
    );
    Ok(())
}

#[test]
fn a_time_budget_ends_within_an_epoch_that_the_next_call_finishes() -> Result<()> {
    let mut whole = net();
    let mut net = net();
    let data = data();
    let history = trainer().epochs(3).fit(&mut whole, &data)?;
    let mut hurried = trainer().epochs(3).stop(Stop::Time(Duration::ZERO));
    let mut epochs = Vec::new();
    // Four batches an epoch: each call takes one.
    for call in 0..15 {
        let part = hurried.fit(&mut net, &data)?;
        assert_eq!(part.stopped, Some(Stopped::By(Stop::Time(Duration::ZERO))));
        epochs.extend(part.epochs);
        assert_eq!(hurried.epoch(), call / 4, "{call}");
        if epochs.len() == 3 {
            break;
        }
        if call == 11 {
            assert_eq!(net, whole);
        }
    }
    assert_eq!(epochs, history.epochs);
    Ok(())
}

#[test]
fn settings_out_of_range_are_refused_before_anything_changes() {
    let cases: [(Trainer<'_, f64>, &str); 15] = [
        (
            trainer().stop(Stop::CostConverged { change: -1.0 }),
            "change of Stop",
        ),
        (
            trainer().stop(Stop::WeightsConverged { change: f64::NAN }),
            "change of Stop",
        ),
        (
            trainer().stop(Stop::target(Monitor::TrainingCost, f64::NAN)),
            "target of Stop",
        ),
        (
            trainer().stop(Stop::early_stopping(Monitor::TrainingCost, 0)),
            "patience of Stop",
        ),
        (
            trainer().stop(Stop::EarlyStopping {
                monitor: Monitor::TrainingCost,
                patience: 1,
                min_change: f64::INFINITY,
            }),
            "min_change of Stop",
        ),
        (
            trainer().stop(Stop::early_stopping(Monitor::ValidationCost, 1)),
            "Monitor",
        ),
        (
            trainer().restore_best(Monitor::highest("accuracy")),
            "Monitor",
        ),
        (
            trainer().reduce_on_plateau(Monitor::lowest("accuracy"), ReduceOnPlateau::new()),
            "Monitor",
        ),
        (
            trainer().reduce_on_plateau(
                Monitor::TrainingCost,
                ReduceOnPlateau {
                    factor: 1.5,
                    ..ReduceOnPlateau::new()
                },
            ),
            "factor of ReduceOnPlateau",
        ),
        (trainer().learning_rate(-1.0), "learning rate of"),
        (
            trainer().learning_rate(Schedule::custom(|_| f64::NAN)),
            "learning rate of",
        ),
        (trainer().penalty(Penalty::new().l1(-1.0)), "l1 of Penalty"),
        (trainer().clip(Clip::Norm(0.0)), "limit of Clip"),
        (
            trainer().constrain(Constraint::MaxNorm(f64::NAN)),
            "norm of Constraint",
        ),
        (
            trainer().checkpoint("nowhere", chainrule::train::CheckpointEvery::Steps(0)),
            "checkpoint of",
        ),
    ];
    for (mut trainer, place) in cases {
        let mut changed = net();
        let error = trainer.fit(&mut changed, &data()).expect_err(place);
        assert!(error.place().starts_with(place), "{error}, not {place}");
        assert_eq!((changed, trainer.epoch()), (net(), 0));
    }
}

/// A rate that becomes NaN in training is an error that leaves what the last epoch left.
#[test]
fn a_schedule_that_breaks() -> Result<()> {
    let broken = Schedule::custom(|step| if step == 9 { f64::NAN } else { 0.01 });
    let mut whole = net();
    let mut net = net();
    let data = data();
    let error = trainer()
        .learning_rate(broken)
        .fit(&mut net, &data)
        .expect_err("NaN");
    assert_eq!(error.kind(), ErrorKind::Value, "{error}");
    trainer().epochs(2).fit(&mut whole, &data)?;
    assert_eq!(net, whole);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// The best weights

/// The parameters after each epoch of the plain training.
fn after_epochs() -> Result<Vec<Sequential<f64>>> {
    let mut net = net();
    let data = data();
    let mut trainer = trainer().epochs(1);
    (0..12)
        .map(|_| trainer.fit(&mut net, &data).map(|_| net.clone()))
        .collect()
}

#[test]
fn the_best_weights_on_every_way_out() -> Result<()> {
    let (plain, data) = (after_epochs()?, data());
    let score = [0.1, 0.4, 0.3, 0.7, 0.6, 0.7, 0.2, 0.5];
    let watched = || {
        trainer()
            .metric("score", scripted(&score))
            .restore_best(Monitor::highest("score"))
    };
    let check = |mut trainer: Trainer<'_, f64>, best: usize, what: &str| {
        let mut net = net();
        let result = trainer.fit(&mut net, &data);
        assert_eq!(net, plain[best], "{what}");
        result
    };
    check(watched(), 3, "all epochs")?;
    check(watched().epochs(3), 1, "fewer epochs")?;
    check(
        watched().stop(Stop::early_stopping(Monitor::highest("score"), 3)),
        3,
        "early stopping",
    )?;
    check(
        watched().on_epoch(|epoch, _| {
            if epoch.epoch == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }),
        1,
        "a callback",
    )?;
    let mut calls = 0;
    let failing = watched().metric("fails", move |_, _| {
        calls += 1;
        if calls == 6 {
            Err(Error::new(ErrorKind::Value, "metric", "luck", "none"))
        } else {
            Ok(0.0)
        }
    });
    assert!(check(failing, 3, "an error").is_err());
    let diverging =
        watched().learning_rate(Schedule::custom(
            |step| if step == 13 { 1e300 } else { 0.01 },
        ));
    assert!(matches!(
        check(diverging, 1, "divergence").map_err(|e| e.kind()),
        Err(ErrorKind::Diverged { epoch: 3, .. })
    ));
    Ok(())
}

#[test]
fn training_goes_on_from_the_latest_weights() -> Result<()> {
    let score = [0.1, 0.9, 0.3, 0.7, 0.6, 0.95, 0.2, 0.5, 0.1];
    let start = || {
        trainer()
            .metric("score", scripted(&score))
            .restore_best(Monitor::highest("score"))
            .reduce_on_plateau(
                Monitor::highest("score"),
                ReduceOnPlateau {
                    factor: 0.5,
                    patience: 1,
                    ..ReduceOnPlateau::new()
                },
            )
            .stop(Stop::early_stopping(Monitor::highest("score"), 50))
    };
    let data = data();
    let mut once = net();
    let mut often = net();
    let history = start().epochs(9).fit(&mut once, &data)?;
    let (mut trainer, mut epochs) = (start().epochs(1), Vec::new());
    for _ in 0..9 {
        epochs.extend(trainer.fit(&mut often, &data)?.epochs);
    }
    assert_eq!(once, often);
    assert_eq!(history.epochs, epochs);
    assert!(
        history.epochs[8].learning_rate < history.epochs[0].learning_rate,
        "the plateau was noticed"
    );

    Ok(())
}

/// A network that the caller has changed is refused, and taken as it is when the caller says that
/// it was meant.
#[test]
fn a_network_changed_on_purpose_keeps_the_moments() -> Result<()> {
    let mut changed = net();
    let data = data();
    let mut trainer = trainer().epochs(4).restore_best(Monitor::TrainingCost);
    trainer.fit(&mut changed, &data)?;
    changed.params_mut()[0] += 1.0;
    let (before, state) = (changed.clone(), trainer.optimizer().state().clone());
    let error = trainer
        .fit(&mut changed, &data)
        .expect_err("another network");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Incompatible, "network of Trainer")
    );
    assert!(
        error.expected().contains("continue_with") && error.expected().contains("reset"),
        "{error}"
    );
    assert_eq!(
        (&changed, trainer.optimizer().state(), trainer.epoch()),
        (&before, &state, 4)
    );

    trainer.continue_with(&changed);
    let mut trainer = trainer.epochs(1).batch_size(100).shuffle(false);
    trainer.fit(&mut changed, &data)?;
    // One step by hand from the changed parameters, with the moments of the sixteen before.
    let mut by_hand = before;
    let mut tape = Tape::new();
    let mut adam = Adam::new();
    adam.restore(&state)?;
    by_hand.gradient(data.inputs(), data.targets(), &MeanSquaredError, &mut tape)?;
    let groups = by_hand.default_groups();
    adam.step(0.01, by_hand.params_mut(), tape.grads(), &groups)?;
    assert_eq!(trainer.optimizer().state(), adam.state());
    let latest = trainer.optimizer().state().step;
    assert_eq!(latest, 17);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Observers and history

/// Writes down what it is told.
struct Log(Arc<Mutex<Vec<String>>>, &'static str, Option<u64>);

impl Observer<f64> for Log {
    fn on_start(&mut self, plan: &Plan, _: &Sequential<f64>) {
        self.note(format!(
            "start {}..{} of {}",
            plan.first, plan.end, plan.batches
        ));
    }

    fn on_batch(&mut self, step: &Step, _: &Sequential<f64>) -> ControlFlow<()> {
        self.note(format!(
            "step {} = {}.{}",
            step.step, step.epoch, step.batch
        ));
        if Some(step.step) == self.2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn on_epoch(&mut self, epoch: &Epoch, _: &Sequential<f64>) -> ControlFlow<()> {
        self.note(format!("epoch {}", epoch.epoch));
        ControlFlow::Continue(())
    }
}

impl Log {
    fn note(&self, text: String) {
        self.0
            .lock()
            .expect("no panic")
            .push(format!("{} {text}", self.1));
    }
}

#[test]
fn observers_are_told_in_order_and_all_of_them() -> Result<()> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut trainer = trainer()
        .epochs(2)
        .batch_size(12)
        .observe(Log(log.clone(), "a", Some(2)))
        .observe(Log(log.clone(), "b", None));
    let (mut net, data) = (net(), data());
    let history = trainer.fit(&mut net, &data)?;
    assert_eq!(
        (history.epochs.len(), &history.stopped),
        (1, &Some(Stopped::ByObserver))
    );
    let told = |who: &str, what: &[&str]| {
        what.iter()
            .map(|what| format!("{who} {what}"))
            .collect::<Vec<_>>()
    };
    let both = [
        "start 0..2 of 2",
        "step 0 = 0.0",
        "step 1 = 0.1",
        "epoch 0",
        "step 2 = 1.0",
    ];
    let expected: Vec<String> = both
        .iter()
        .flat_map(|what| [told("a", &[what]), told("b", &[what])].concat())
        .collect();
    assert_eq!(*log.lock().expect("no panic"), expected);
    log.lock().expect("no panic").clear();
    trainer.fit(&mut net, &data)?;
    let both = [
        "start 1..3 of 2",
        "step 3 = 1.1",
        "epoch 1",
        "step 4 = 2.0",
        "step 5 = 2.1",
        "epoch 2",
    ];
    let expected: Vec<String> = both
        .iter()
        .flat_map(|what| [told("a", &[what]), told("b", &[what])].concat())
        .collect();
    assert_eq!(*log.lock().expect("no panic"), expected);
    Ok(())
}

#[test]
fn the_history_as_text() -> Result<()> {
    let data = Dataset::new(
        DMatrix::from_element(1, 4, 1.0),
        DMatrix::from_element(1, 4, 0.0),
    )?;
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    net.set_params(&[1.0, 0.0])?;
    let mut history = Trainer::new(QuadraticCost, Sgd::new())
        .epochs(2)
        .learning_rate(0.25)
        .batch_size(4)
        .validation_data(&data)
        .metric("a \"b\", c", scripted(&[f64::NAN, 1e-9]))
        .fit(&mut net, &data)?;
    history
        .epochs
        .iter_mut()
        .for_each(|epoch| epoch.seconds = Some(0.5));
    assert_eq!(
        history.to_csv(),
        "epoch,cost,validation cost,\"a \"\"b\"\", c\",learning rate,gradient norm,seconds\n\
         0,0.5,0.125,NaN,0.25,1.4142135623730951,0.5\n\
         1,0.125,0.03125,1e-9,0.25,0.7071067811865476,0.5\n"
    );
    assert_eq!(
        history.to_string(),
        "epoch    cost  validation cost  a \"b\", c  learning rate  gradient norm  seconds\n    \
         0  0.5000           0.1250       NaN         0.2500          1.414   0.5000\n    \
         1  0.1250          0.03125  1.000e-9         0.2500         0.7071   0.5000"
    );
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// What happens to the gradient and to the weights

#[test]
fn rates_follow_the_schedule() -> Result<()> {
    let cosine = Schedule::Cosine {
        rate: 0.1,
        min: 0.0,
        steps: 30,
    }
    .warm_up(5);
    let seen = Arc::new(Mutex::new(Vec::new()));
    struct Rates(Arc<Mutex<Vec<f64>>>);
    impl Observer<f64> for Rates {
        fn on_batch(&mut self, step: &Step, _: &Sequential<f64>) -> ControlFlow<()> {
            self.0.lock().expect("no panic").push(step.learning_rate);
            ControlFlow::Continue(())
        }
    }
    let mut trainer = trainer()
        .learning_rate(cosine.clone())
        .epochs(5)
        .observe(Rates(seen.clone()));
    let (mut net, data) = (net(), data());
    let mut history = trainer.fit(&mut net, &data)?;
    history.epochs.extend(trainer.fit(&mut net, &data)?.epochs);
    let expected: Vec<f64> = (0..40).map(|step| cosine.rate(step)).collect();
    assert_eq!(*seen.lock().expect("no panic"), expected);
    assert!(
        history
            .epochs
            .iter()
            .zip(expected.chunks(4))
            .all(|(epoch, rates)| epoch.learning_rate == rates[3])
    );
    Ok(())
}

/// One step by hand: gradient and penalty, clips, rule, constraint.
#[test]
fn a_step_is_what_the_documentation_says() -> Result<()> {
    let (start, data) = (net(), data());
    let (penalty, rate) = (Penalty::new().l1(0.01).l2(0.1), 0.5);
    let mut trained = start.clone();
    let history = Trainer::new(MeanSquaredError, Sgd::new())
        .batch_size(100)
        .shuffle(false)
        .epochs(1)
        .learning_rate(rate)
        .penalty(penalty.clone())
        .clip(Clip::Value(0.05))
        .clip(Clip::GlobalNorm(0.1))
        .constrain(Constraint::MaxNorm(0.9))
        .fit(&mut trained, &data)?;
    let (mut by_hand, mut tape) = (start.clone(), Tape::new());
    let cost = by_hand.gradient(data.inputs(), data.targets(), &MeanSquaredError, &mut tape)?;
    penalty.add_gradient(&by_hand, tape.grads_mut())?;
    let norm = tape.grads().iter().map(|g| g * g).sum::<f64>().sqrt();
    assert!((history.epochs[0].gradient_norm - norm).abs() < 1e-14 * norm);
    assert!((history.epochs[0].cost - (cost + penalty.cost(&start))).abs() < 1e-15);
    Clip::Value(0.05).apply(&by_hand, tape.grads_mut())?;
    Clip::GlobalNorm(0.1).apply(&by_hand, tape.grads_mut())?;
    let groups = by_hand.default_groups();
    Sgd::new().step(rate, by_hand.params_mut(), tape.grads(), &groups)?;
    Constraint::MaxNorm(0.9).apply(&mut by_hand)?;
    assert_eq!(trained, by_hand);
    Ok(())
}

/// Running statistics find the moments of the data, the same with every rule.
#[test]
fn batch_norm_learns_the_moments() -> Result<()> {
    let x = DMatrix::from_fn(3, 64, |i, j| {
        (i as f64 + 1.0) * ((0.61 * (j * (i + 2)) as f64).sin() + 2.0)
    });
    let data = Dataset::new(
        x.clone(),
        DMatrix::from_fn(1, 64, |_, j| x[(0, j)] - x[(2, j)]),
    )?;
    let train = |optimizer: Box<dyn FnOnce() -> Trainer<'static, f64>>| -> Result<(Vec<f64>, f64)> {
        let mut net = Sequential::builder(3)
            .layer(BatchNorm::new())
            .layer(Dense::new(8, Activation::Tanh))
            .layer(Dense::new(1, Activation::Linear))
            .build_with(&mut rng(1))?;
        let history = optimizer()
            .batch_size(64)
            .epochs(300)
            .learning_rate(0.01)
            .fit(&mut net, &data)?;
        let last = net.cost(
            data.inputs(),
            data.targets(),
            &MeanSquaredError,
            &mut Tape::new(),
        )?;
        assert!(last < 0.05 * history.epochs[0].cost, "{last}");
        Ok((net.params()[6..12].to_vec(), last))
    };
    let (adam, _) = train(Box::new(|| Trainer::new(MeanSquaredError, Adam::new())))?;
    let (lion, _) = train(Box::new(|| {
        Trainer::new(MeanSquaredError, Lion::new())
            .learning_rate(1e-3)
            .clip(Clip::GlobalNorm(0.01))
    }))?;
    for i in 0..3 {
        let row: Vec<f64> = x.row(i).iter().copied().collect();
        let mean = row.iter().sum::<f64>() / 64.0;
        let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 63.0;
        assert!(
            (adam[i] - mean).abs() < 1e-9 && (adam[3 + i] - variance).abs() < 1e-9,
            "{adam:?}, {mean}, {variance}"
        );
        assert!((lion[i] - mean).abs() < 1e-9 && (lion[3 + i] - variance).abs() < 1e-9);
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Weights of samples

#[test]
fn a_sample_of_weight_2_is_two_samples() -> Result<()> {
    let data = data();
    let weights: Vec<f64> = (0..22).map(|j| (j % 3) as f64).collect();
    let repeated: Vec<usize> = (0..22)
        .flat_map(|j| std::iter::repeat_n(j, j % 3))
        .collect();
    let (twice, weighted) = (
        data.select(&repeated)?,
        data.clone().weighted(weights.clone())?,
    );
    let net = net();
    let mut one = Tape::new();
    let mut other = Tape::new();
    // A sum has no number of samples to divide by.
    let a = net.gradient(twice.inputs(), &twice, &SumSquaredError, &mut one)?;
    let b = net.gradient(weighted.inputs(), &weighted, &SumSquaredError, &mut other)?;
    assert!((a - b).abs() < 1e-13);
    assert!(
        one.grads()
            .iter()
            .zip(other.grads())
            .all(|(a, b)| (a - b).abs() < 1e-13)
    );
    let y = net.predict(data.inputs())?;
    assert!((SumSquaredError.value((&y).into(), (&weighted).into())? - b).abs() < 1e-13);
    assert!(
        (net.cost(weighted.inputs(), &weighted, &SumSquaredError, &mut one)? - b).abs() < 1e-13
    );

    // A mean divides by the number of samples: weights of ½ halve it.
    let halved = data.clone().weighted(vec![0.5; 22])?;
    let whole = net.cost(data.inputs(), &data, &MeanSquaredError, &mut one)?;
    assert!(
        (net.cost(halved.inputs(), &halved, &MeanSquaredError, &mut one)? - whole / 2.0).abs()
            < 1e-15
    );
    Ok(())
}

#[test]
fn derivatives_of_weighted_costs() -> Result<()> {
    let data = data();
    let weights: Vec<f64> = (0..22).map(|j| 0.3 + (j % 5) as f64).collect();
    let targets = Targets::weighted(data.targets(), &weights)?;
    let losses: [&dyn Loss<f64>; 4] = [
        &MeanSquaredError,
        &SumSquaredError,
        &Huber::new(0.1),
        &LogCosh,
    ];
    for loss in losses {
        let report = gradcheck::network(&net(), data.inputs(), targets, loss)?;
        assert!(report.error() < 1e-7, "{}: {report}", loss.name());
        let y = net().predict(data.inputs())?;
        let gradient = loss.gradient((&y).into(), targets)?;
        let plain = loss.gradient((&y).into(), data.targets().into())?;
        for (j, weight) in weights.iter().enumerate() {
            // The weight and 1/n are multiplied in another order.
            assert!(
                (gradient.column(j) - plain.column(j) * *weight).amax() <= 1e-15,
                "{}",
                loss.name()
            );
        }
    }
    Ok(())
}

#[test]
fn training_with_weights_in_any_order() -> Result<()> {
    let weighted = data().weighted((0..22).map(|j| f64::from(j % 2 == 0)).collect())?;
    let evens = data().select(&(0..22).step_by(2).collect::<Vec<_>>())?;
    let fit = |data: &Dataset<f64>| -> Result<Sequential<f64>> {
        let mut net = net();
        // The sums of the samples are alike, in whatever order.
        Trainer::new(SumSquaredError, Sgd::new())
            .batch_size(100)
            .epochs(20)
            .learning_rate(0.01)
            .fit(&mut net, data)?;
        Ok(net)
    };
    let (a, b) = (fit(&weighted)?, fit(&evens)?);
    assert!(
        a.params()
            .iter()
            .zip(b.params())
            .all(|(a, b)| (a - b).abs() < 1e-12)
    );
    let mut seen = Vec::new();
    trainer()
        .epochs(1)
        .validation_data(&weighted)
        .metric("weights", |_, target| {
            seen.extend(target.weights().unwrap_or_default().iter().copied());
            metrics::r2(&DMatrix::zeros(2, 22), target)
        })
        .fit(&mut net(), &data())?;
    assert_eq!(Some(&seen[..]), weighted.weights());
    Ok(())
}

#[test]
fn networks_in_the_units_of_their_data() -> Result<()> {
    let data = data();
    let units = Dataset::new(data.inputs() * 1e6, data.targets() * 1e-3)?;
    let scalers = (
        Scaler::standard(units.inputs())?,
        Scaler::standard(units.targets())?,
    );
    let mut model = Model::new(net(), scalers.0.clone(), scalers.1.clone())?;
    model.fit(&mut trainer().epochs(50), &units)?;
    let mut by_hand = net();
    let scaled = Dataset::new(
        scalers.0.transform(units.inputs())?,
        scalers.1.transform(units.targets())?,
    )?;
    trainer().epochs(50).fit(&mut by_hand, &scaled)?;
    assert_eq!(model.net(), &by_hand);
    assert_eq!(model.scale(units.clone())?, scaled);
    let weights: Vec<f64> = (0..units.len()).map(|j| 1.0 + j as f64).collect();
    let mapped = units
        .clone()
        .weighted(weights.clone())?
        .map_inputs(|x| scalers.0.transform(&x))?;
    let mapped = mapped.map_targets(|t| scalers.1.transform(&t))?;
    assert_eq!(mapped, scaled.clone().weighted(weights)?);
    let refused = units
        .clone()
        .map_inputs(|x| Ok(x.columns(0, 2).into_owned()))
        .map_err(|e| e.kind());
    assert_eq!(refused, Err(ErrorKind::Shape));
    let refused = units
        .clone()
        .map_targets(|t| Ok(t.map(|_| f64::NAN)))
        .map_err(|e| e.kind());
    assert_eq!(refused, Err(ErrorKind::NotFinite));
    let refused = units
        .clone()
        .map_inputs(|x| scalers.1.transform(&x).map(|_| x));
    assert!(refused.is_err(), "what the function returns");
    assert_eq!(
        model.predict(units.inputs())?,
        scalers
            .1
            .inverse_transform(&by_hand.predict(scaled.inputs())?)?
    );
    let plain = Model::new(net(), None, None)?;
    assert_eq!(
        plain.predict(units.inputs())?,
        net().predict(units.inputs())?
    );
    let error = Model::new(net(), scalers.1.clone(), None).expect_err("2 features for 3 inputs");
    assert_eq!(
        error.to_string(),
        "scaler of inputs: got 2, expected 3 features"
    );
    assert_eq!(
        Model::new(net(), None, scalers.0).map_err(|e| e.kind()),
        Err(ErrorKind::Shape)
    );
    Ok(())
}
