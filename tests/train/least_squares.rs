//! Levenberg–Marquardt against certified fits, closed forms and what it promises.

use crate::common::rng;
use chainrule::ErrorKind;
use chainrule::nn::layer::{BackwardArgs, InferArgs, Layer};
use chainrule::nn::loss::SumSquaredError;
use chainrule::nn::{BatchNorm, Builder};
use chainrule::prelude::*;
use chainrule::train::{
    CheckpointEvery, Evidence, LevenbergMarquardt, Observer, Step, Stopped, Warning,
};
use core::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn row(values: &[f64]) -> DMatrix<f64> {
    DMatrix::from_row_slice(1, values.len(), values)
}

fn sine() -> Result<Dataset<f64>> {
    let x = DMatrix::from_fn(1, 60, |_, j| -1.0 + j as f64 / 30.0);
    Dataset::new(x.clone(), x.map(|x| (core::f64::consts::PI * x).sin()))
}

fn small(hidden: usize, seed: u64) -> Result<Sequential<f64>> {
    Sequential::builder(1)
        .layer(Dense::new(hidden, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(seed))
}

/// A problem of NIST's Statistical Reference Datasets for nonlinear regression that is a network:
/// its data, starts, certified parameters and residual sum of squares, and the network with
/// parameters (b₁, b₂, …) put where they belong.
struct Certified {
    name: &'static str,
    x: &'static [f64],
    y: &'static [f64],
    starts: [&'static [f64]; 2],
    b: &'static [f64],
    rss: f64,
    layers: fn(Builder<f64>) -> Builder<f64>,
    params: fn(&[f64]) -> Vec<f64>,
}

/// b₁(1 − e^(−b₂x)) = −b₁·elu(−b₂x).
fn growth(builder: Builder<f64>) -> Builder<f64> {
    builder
        .layer(Dense::new(1, Activation::Elu { alpha: 1.0 }).without_bias())
        .layer(Dense::new(1, Activation::Linear).without_bias())
}

const CERTIFIED: [Certified; 3] = [
    Certified {
        name: "Misra1a",
        x: &[
            77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1,
            689.1, 760.0,
        ],
        y: &[
            10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40,
            75.47, 81.78,
        ],
        starts: [&[500.0, 0.0001], &[250.0, 0.0005]],
        b: &[2.3894212918E+02, 5.5015643181E-04],
        rss: 1.2455138894E-01,
        layers: growth,
        params: |b| vec![-b[1], -b[0]],
    },
    Certified {
        name: "BoxBOD",
        x: &[1.0, 2.0, 3.0, 5.0, 7.0, 10.0],
        y: &[109.0, 149.0, 149.0, 191.0, 213.0, 224.0],
        starts: [&[1.0, 1.0], &[100.0, 0.75]],
        b: &[2.1380940889E+02, 5.4723748542E-01],
        rss: 1.1680088766E+03,
        layers: growth,
        params: |b| vec![-b[1], -b[0]],
    },
    // b₁/(1 + e^(b₂ − b₃x)) = b₁·σ(b₃x − b₂).
    Certified {
        name: "Rat42",
        x: &[9.0, 14.0, 21.0, 28.0, 42.0, 57.0, 63.0, 70.0, 79.0],
        y: &[8.93, 10.8, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08],
        starts: [&[100.0, 1.0, 0.1], &[75.0, 2.5, 0.07]],
        b: &[7.2462237576E+01, 2.6180768402E+00, 6.7359200066E-02],
        rss: 8.0565229338E+00,
        layers: |builder| {
            builder
                .layer(Dense::new(1, Activation::Sigmoid))
                .layer(Dense::new(1, Activation::Linear).without_bias())
        },
        params: |b| vec![b[2], -b[1], b[0]],
    },
];

#[test]
fn certified_by_nist() -> Result<()> {
    for problem in CERTIFIED {
        let data = Dataset::new(row(problem.x), row(problem.y))?;
        for start in problem.starts {
            let mut net = (problem.layers)(Sequential::builder(1)).build_with(&mut rng(1))?;
            net.set_params(&(problem.params)(start))?;
            let history = LevenbergMarquardt::new()
                .epochs(5000)
                .fit(&mut net, &data)?;
            assert_eq!(
                history.stopped,
                Some(Stopped::Converged),
                "{}: {} epochs",
                problem.name,
                history.epochs.len()
            );
            let rss = 2.0 * history.last().map_or(f64::NAN, |epoch| epoch.cost);
            assert!(
                (rss - problem.rss).abs() <= 1e-9 * problem.rss,
                "{}: {rss:e}",
                problem.name
            );
            for (p, certified) in net.params().iter().zip((problem.params)(problem.b)) {
                assert!(
                    (p - certified).abs() <= 1e-6 * certified.abs(),
                    "{}: {p:e}, certified {certified:e}",
                    problem.name
                );
            }
        }
    }
    Ok(())
}

/// A line with weights of the samples: one step of almost no damping is the weighted least-squares
/// solution.
#[test]
fn a_linear_net_takes_one_step() -> Result<()> {
    let x = [0.0, 1.0, 2.0, 5.0];
    let t = [1.0, 2.0, 5.0, 4.0];
    let v = [1.0, 2.0, 0.5, 3.0];
    let data = Dataset::new(row(&x), row(&t))?.weighted(v.to_vec())?;
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    let history = LevenbergMarquardt::new()
        .damping(1e-14)
        .epochs(1)
        .fit(&mut net, &data)?;
    // Weighted means, then the slope through them.
    let sum =
        |f: &dyn Fn(usize) -> f64| (0..4).map(|i| v[i] * f(i)).sum::<f64>() / v.iter().sum::<f64>();
    let (mean_x, mean_t) = (sum(&|i| x[i]), sum(&|i| t[i]));
    let slope = sum(&|i| (x[i] - mean_x) * (t[i] - mean_t)) / sum(&|i| (x[i] - mean_x).powi(2));
    let want = [slope, mean_t - slope * mean_x];
    for (p, want) in net.params().iter().zip(want) {
        assert!((p - want).abs() < 1e-9, "{p} and {want}");
    }
    let cost = net.cost(data.inputs(), &data, &SumSquaredError, &mut Tape::new())?;
    assert_eq!(history.last().map(|epoch| epoch.cost), Some(cost));
    Ok(())
}

/// Many outputs, more of them than a chunk holds residuals, and many samples: the same as the
/// equations solved by hand.
#[test]
fn the_step_solves_the_equations() -> Result<()> {
    for (outputs, samples, hidden) in [(1, 300, 4), (3, 100, 3), (150, 5, 1), (2, 1, 6)] {
        let mut random = rng(outputs as u64);
        let mut number = || chainrule::rand::RngExt::random::<f64>(&mut random) * 2.0 - 1.0;
        let (x, t) = (
            DMatrix::from_fn(2, samples, |_, _| number()),
            DMatrix::from_fn(outputs, samples, |_, _| number()),
        );
        let weights: Vec<f64> = (0..samples).map(|i| 0.5 + (i % 3) as f64).collect();
        let data = Dataset::new(x.clone(), t.clone())?.weighted(weights.clone())?;
        let mut net = Sequential::builder(2)
            .layer(Dense::new(hidden, Activation::Sigmoid))
            .layer(BatchNorm::new())
            .layer(Dropout::new(0.5))
            .layer(Dense::new(outputs, Activation::Linear))
            .build_with(&mut rng(2))?;
        let start = net.params().to_vec();
        let statistics = 3 * hidden + 2 * hidden..3 * hidden + 4 * hidden;
        // J by central differences of the predictions.
        let residuals = |params: &[f64]| -> Result<DVector<f64>> {
            let mut y = DMatrix::zeros(outputs, samples);
            net.at(params)?.predict_into(&x, &mut y, &mut Tape::new())?;
            Ok(DVector::from_iterator(
                outputs * samples,
                (0..outputs * samples).map(|k| weights[k / outputs].sqrt() * (y[k] - t[k])),
            ))
        };
        let mut j = DMatrix::zeros(outputs * samples, start.len());
        for (k, mut column) in j.column_iter_mut().enumerate() {
            if statistics.contains(&k) {
                continue;
            }
            let moved = |h: f64| {
                residuals(
                    &start
                        .iter()
                        .enumerate()
                        .map(|(i, p)| if i == k { p + h } else { *p })
                        .collect::<Vec<_>>(),
                )
            };
            column.copy_from(&((moved(1e-5)? - moved(-1e-5)?) / 2e-5));
        }
        let (normal, gradient) = (j.tr_mul(&j), j.tr_mul(&residuals(&start)?));
        let damping = 0.5 * normal.diagonal().max();
        let factors = (&normal + DMatrix::identity(start.len(), start.len()) * damping).lu();
        let solve = |right: DVector<f64>| {
            factors.solve(&right).ok_or_else(|| {
                Error::new(
                    ErrorKind::Value,
                    "test",
                    "a regular matrix",
                    "a singular one",
                )
            })
        };
        let mut h = solve(-&gradient)?;
        // The second derivative along h, and the acceleration.
        let along = |part: f64| {
            residuals(
                &start
                    .iter()
                    .zip(&h)
                    .map(|(p, h)| p + part * h)
                    .collect::<Vec<_>>(),
            )
        };
        let second = (along(0.1)? - along(0.0)? * 2.0 + along(-0.1)?) / 0.01;
        h += solve(-j.tr_mul(&second))? * 0.5;
        let history = LevenbergMarquardt::new()
            .damping(0.5)
            .epochs(1)
            .fit(&mut net, &data)?;
        assert!((history.epochs[0].gradient_norm - gradient.norm()).abs() < 1e-7 * gradient.norm());
        let size = h.norm().max(1e-3);
        for ((p, start), h) in net.params().iter().zip(&start).zip(&h) {
            assert!(
                (p - start - h).abs() < 1e-7 * size,
                "{outputs} outputs: a step of {} and {h}",
                p - start
            );
        }
        assert_eq!(net.params()[statistics.clone()], start[statistics]);
    }
    Ok(())
}

#[test]
fn costs_fall_and_runs_repeat() -> Result<()> {
    let data = sine()?;
    let mut nets = [small(10, 1)?, small(10, 1)?];
    let histories = [
        LevenbergMarquardt::new()
            .epochs(60)
            .fit(&mut nets[0], &data)?,
        LevenbergMarquardt::new()
            .epochs(60)
            .fit(&mut nets[1], &data)?,
    ];
    assert_eq!(nets[0], nets[1]);
    assert_eq!(histories[0], histories[1]);
    let costs: Vec<f64> = histories[0].costs().collect();
    assert!(costs.windows(2).all(|pair| pair[1] < pair[0]), "{costs:?}");
    assert!(costs[59] < 1e-5, "{}", costs[59]);
    Ok(())
}

#[test]
fn single_precision() -> Result<()> {
    let data = sine()?;
    let (x, t) = (
        data.inputs().map(|x| x as f32),
        data.targets().map(|t| t as f32),
    );
    let data = Dataset::new(x, t)?;
    let mut net = Sequential::<f32>::builder(1)
        .layer(Dense::new(8, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(3))?;
    let history = LevenbergMarquardt::new().epochs(100).fit(&mut net, &data)?;
    let cost = history.last().map_or(f64::NAN, |epoch| epoch.cost);
    assert!(cost < 1e-3, "{cost:e}");
    Ok(())
}

#[test]
fn stops_and_the_best_weights() -> Result<()> {
    let data = sine()?;
    let stopped = |stop: Stop| -> Result<(Option<Stopped>, usize)> {
        let history = LevenbergMarquardt::new()
            .epochs(500)
            .stop(stop)
            .fit(&mut small(6, 1)?, &data)?;
        Ok((history.stopped, history.epochs.len()))
    };
    let target = Stop::target(Monitor::TrainingCost, 1e-3);
    let (why, epochs) = stopped(target.clone())?;
    assert_eq!(why, Some(Stopped::By(target)));
    assert!(epochs < 100);
    assert!(stopped(Stop::WeightsConverged { change: 1e-2 })?.1 < 500);
    assert!(stopped(Stop::CostConverged { change: 1e-5 })?.1 < 500);
    assert_eq!(stopped(Stop::Time(core::time::Duration::ZERO))?.1, 1);

    // Few noisy samples and too many neurons: the validation curve turns up, and the best weights
    // come back.
    let noisy = |count: usize, seed: u64| -> Result<Dataset<f64>> {
        let mut random = rng(seed);
        let mut number = move || chainrule::rand::RngExt::random::<f64>(&mut random) * 2.0 - 1.0;
        let x = DMatrix::from_fn(1, count, |_, _| number());
        let t = x.map(|x| (3.0 * x).sin() + 0.3 * number());
        Dataset::new(x, t)
    };
    let (train, validation) = (noisy(20, 1)?, noisy(50, 2)?);
    let mut net = small(12, 1)?;
    let history = LevenbergMarquardt::new()
        .epochs(300)
        .validation_data(&validation)
        .stop(Stop::early_stopping(Monitor::ValidationCost, 6))
        .restore_best(Monitor::ValidationCost)
        .fit(&mut net, &train)?;
    assert_eq!(
        history.stopped,
        Some(Stopped::By(Stop::early_stopping(
            Monitor::ValidationCost,
            6
        )))
    );
    let best = history.validation_costs().fold(f64::INFINITY, f64::min);
    assert!(history.validation_costs().last() > Some(best));
    assert_eq!(
        net.cost(
            validation.inputs(),
            &validation,
            &SumSquaredError,
            &mut Tape::new()
        )?,
        best
    );
    Ok(())
}

/// Nothing left to lower: an exact fit, and a network that the data say nothing about.
#[test]
fn the_end_is_convergence() -> Result<()> {
    let x = row(&[-1.0, 0.0, 2.0]);
    let data = Dataset::new(x.clone(), x.map(|x| 2.0 * x + 1.0))?;
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    let history = LevenbergMarquardt::new().fit(&mut net, &data)?;
    assert_eq!(history.stopped, Some(Stopped::Converged));
    assert!(
        (net.params()[0] - 2.0).abs() < 1e-13 && (net.params()[1] - 1.0).abs() < 1e-13,
        "{:?}",
        net.params()
    );

    let mut dead = Sequential::builder(1)
        .layer(Dense::new(3, Activation::Relu).bias_init(Init::Constant(-100.0)))
        .layer(Dense::new(1, Activation::Linear).without_bias())
        .build_with(&mut rng(1))?;
    let before = dead.clone();
    let history = LevenbergMarquardt::new().fit(&mut dead, &data)?;
    assert_eq!(
        (history.stopped, history.epochs.len()),
        (Some(Stopped::Converged), 0)
    );
    assert_eq!(dead, before);
    Ok(())
}

#[test]
fn refused() -> Result<()> {
    let data = sine()?;
    let net = small(3, 1)?;
    let kind =
        |mut trainer: LevenbergMarquardt<'_, f64>, net: &Sequential<f64>, data: &Dataset<f64>| {
            let mut changed = net.clone();
            let error = trainer.fit(&mut changed, data).expect_err("refused");
            assert_eq!(changed.params().len(), net.params().len());
            assert!(
                changed
                    .params()
                    .iter()
                    .zip(net.params())
                    .all(|(a, b)| a.to_bits() == b.to_bits()),
                "{error}"
            );
            println!("{error}");
            error.kind()
        };
    let new = LevenbergMarquardt::new;
    for damping in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-400] {
        assert_eq!(kind(new().damping(damping), &net, &data), ErrorKind::Value);
    }
    let wide = Dataset::new(DMatrix::zeros(2, 5), DMatrix::zeros(1, 5))?;
    assert_eq!(kind(new(), &net, &wide), ErrorKind::Shape);
    assert_eq!(
        kind(new().validation_data(&wide), &net, &data),
        ErrorKind::Shape
    );
    let two = Dataset::new(DMatrix::zeros(1, 5), DMatrix::zeros(2, 5))?;
    assert_eq!(kind(new(), &net, &two), ErrorKind::Shape);
    assert_eq!(
        kind(
            new().stop(Stop::CostConverged { change: -1.0 }),
            &net,
            &data
        ),
        ErrorKind::Value
    );
    assert_eq!(
        kind(
            new().stop(Stop::early_stopping(Monitor::ValidationCost, 3)),
            &net,
            &data
        ),
        ErrorKind::Incompatible
    );
    assert_eq!(
        kind(
            new().restore_best(Monitor::highest("accuracy")),
            &net,
            &data
        ),
        ErrorKind::Incompatible
    );
    let step = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Step))
        .build_with(&mut rng(1))?;
    assert_eq!(kind(new(), &step, &data), ErrorKind::Untrainable);
    let bare = Sequential::builder(1)
        .layer(Activation::Tanh)
        .build_with(&mut rng(1))?;
    assert_eq!(kind(new(), &bare, &data), ErrorKind::Empty);
    let mut broken = net.clone();
    broken.params_mut()[0] = f64::NAN;
    assert_eq!(kind(new(), &broken, &data), ErrorKind::NotFinite);
    broken.params_mut()[0] = 1e300;
    broken.params_mut()[6] = 1e200;
    assert_eq!(kind(new(), &broken, &data), ErrorKind::NotFinite);
    Ok(())
}

/// Called again it goes on: the same bits as in one call, until it begins anew.
#[test]
fn a_call_goes_on_where_the_last_one_ended() -> Result<()> {
    let data = sine()?;
    let mut whole = small(6, 1)?;
    let mut parts = small(6, 1)?;
    let history = LevenbergMarquardt::new()
        .epochs(12)
        .fit(&mut whole, &data)?;
    let mut trainer = LevenbergMarquardt::new().epochs(4);
    let mut epochs = Vec::new();
    for call in 1..=3 {
        epochs.extend(trainer.fit(&mut parts, &data)?.epochs);
        assert_eq!(trainer.epoch(), 4 * call);
    }
    assert_eq!((&parts, &epochs), (&whole, &history.epochs));
    // Another network, other data.
    let other = data.select(&[3, 2, 1])?;
    let refused = |result: Result<chainrule::train::History>| {
        let error = result.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
        assert!(
            error
                .expected()
                .contains("LevenbergMarquardt::reset begins anew"),
            "{error}"
        );
    };
    refused(trainer.fit(&mut small(6, 2)?, &data));
    refused(trainer.fit(&mut parts, &other));
    let mut changed = parts.clone();
    changed.params_mut()[0] += 0.1;
    refused(trainer.fit(&mut changed, &data));
    trainer.continue_with(&changed);
    trainer.fit(&mut changed, &data)?;
    let mut trainer = trainer.changing_data();
    trainer.fit(&mut changed, &other)?;
    trainer.reset();
    let mut again = small(6, 1)?;
    assert_eq!(trainer.fit(&mut again, &data)?.epochs, history.epochs[..4]);
    Ok(())
}

/// What is told of a run: one step an epoch, the metrics, the ends.
#[test]
fn metrics_and_observers() -> Result<()> {
    #[derive(Clone, Default)]
    struct Log(Arc<std::sync::Mutex<Vec<String>>>);
    impl Observer<f64> for Log {
        fn on_start(&mut self, plan: &chainrule::train::Plan, _: &Sequential<f64>) {
            self.0.lock().expect("no panic").push(format!(
                "{} to {} of {}",
                plan.first, plan.end, plan.batches
            ));
        }
        fn on_batch(&mut self, step: &Step, net: &Sequential<f64>) -> ControlFlow<()> {
            let text = format!(
                "{} {} {} {:e} {:e} {:e}",
                step.epoch,
                step.batch,
                step.step,
                step.cost,
                step.learning_rate,
                net.params()[0]
            );
            self.0.lock().expect("no panic").push(text);
            ControlFlow::Continue(())
        }
        fn on_epoch(
            &mut self,
            epoch: &chainrule::train::Epoch,
            net: &Sequential<f64>,
        ) -> ControlFlow<()> {
            self.0.lock().expect("no panic").push(format!(
                "{} {:e} {:e}",
                epoch.epoch,
                epoch.cost,
                net.params()[0]
            ));
            if epoch.epoch == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    }
    let data = sine()?;
    let mut net = small(6, 1)?;
    let log = Log::default();
    let start = net.cost(data.inputs(), &data, &SumSquaredError, &mut Tape::new())?;
    let (mut called, mut kept) = (0, Vec::new());
    let mut trainer = LevenbergMarquardt::new()
        .epochs(50)
        .metric("error", |y, t| metrics::max_error(y, t))
        .observe(log.clone())
        .on_epoch(|_, net| {
            called += 1;
            kept.push(net.params()[0]);
            ControlFlow::Continue(())
        });
    let history = trainer.fit(&mut net, &data)?;
    let test = trainer.evaluate(&net, &data)?;
    drop(trainer);
    assert_eq!(
        (history.stopped.clone(), history.epochs.len(), called),
        (Some(Stopped::ByObserver), 3, 3)
    );
    let last = &history.epochs[2];
    assert_eq!(
        (last.validation_cost, last.metric("error")),
        (None, test.metric("error"))
    );
    assert_eq!(test.cost, last.cost);
    let error = metrics::max_error(&net.predict(data.inputs())?, &data)?;
    assert_eq!(last.metric("error"), Some(error));
    let mut before = start;
    let mut expected = vec!["0 to 50 of 1".to_string()];
    for (epoch, w) in history.epochs.iter().zip(&kept) {
        let n = epoch.epoch;
        expected.push(format!(
            "{n} 0 {n} {before:e} {:e} {w:e}",
            epoch.learning_rate
        ));
        expected.push(format!("{n} {:e} {w:e}", epoch.cost));
        before = epoch.cost;
    }
    assert_eq!(*log.0.lock().expect("no panic"), expected);

    // The best by a metric.
    let mut net = small(6, 1)?;
    let mut scores = [0.1, 0.7, 0.3, 0.5].into_iter().cycle();
    let mut seen = Vec::new();
    LevenbergMarquardt::new()
        .epochs(4)
        .metric("score", move |_, _| Ok(scores.next().unwrap_or(0.0)))
        .restore_best(Monitor::highest("score"))
        .on_epoch(|_, net| {
            seen.push(net.clone());
            ControlFlow::Continue(())
        })
        .fit(&mut net, &data)?;
    assert_eq!(net, seen[1]);
    Ok(())
}

/// Interrupted after every epoch in turn and resumed by a new process: the same bits as without.
#[test]
fn checkpoints_of_least_squares() -> Result<()> {
    let folder =
        std::env::temp_dir().join(format!("chainrule-least-squares-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("run.checkpoint");
    let (data, judge) = sine()?.split(0.6, 1)?;
    let trainer = || {
        LevenbergMarquardt::new()
            .epochs(9)
            .validation_data(&judge)
            .metric("R²", |y, t| metrics::r2(y, t))
            .stop(Stop::early_stopping(Monitor::ValidationCost, 30))
            .restore_best(Monitor::ValidationCost)
    };
    let mut whole = small(6, 1)?;
    let history = trainer().fit(&mut whole, &data)?;
    assert_eq!(history.epochs.len(), 9);
    for every in [CheckpointEvery::Epochs(1), CheckpointEvery::Steps(1)] {
        for stop in 0..9 {
            let mut net = small(6, 1)?;
            let end = |epoch: &chainrule::train::Epoch, _: &Sequential<f64>| {
                if epoch.epoch == stop {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            trainer()
                .checkpoint(&path, every)
                .on_epoch(end)
                .fit(&mut net, &data)?;
            let (mut net, mut resumed) = (small(6, 2)?, trainer());
            resumed.resume(&mut net, &path)?;
            assert_eq!(resumed.epoch(), stop + 1);
            assert_eq!(resumed.fit(&mut net, &data)?, history, "after {stop}");
            assert_eq!(net, whole, "after {stop}");
        }
    }
    // A checkpoint of nothing yet, and one of a run that has converged.
    let (mut net, mut resumed) = (small(6, 1)?, trainer());
    trainer().save(&net, &path)?;
    resumed.resume(&mut net, &path)?;
    assert_eq!(resumed.fit(&mut net, &data)?, history);
    let line = Dataset::new(row(&[-1.0, 0.0, 2.0]), row(&[1.0, 2.0, 4.0]))?;
    let build = || {
        Sequential::builder(1)
            .layer(Dense::new(1, Activation::Linear))
            .build_with(&mut rng(1))
    };
    let (mut net, mut resumed) = (build()?, build()?);
    let converged = LevenbergMarquardt::new()
        .checkpoint(&path, CheckpointEvery::Epochs(5))
        .fit(&mut net, &line)?;
    let mut trainer_of_line = LevenbergMarquardt::new();
    trainer_of_line.resume(&mut resumed, &path)?;
    assert_eq!(
        (&trainer_of_line.fit(&mut resumed, &line)?, &resumed),
        (&converged, &net)
    );
    assert_eq!(converged.stopped, Some(Stopped::Converged));

    // What does not fit is refused, and nothing is changed.
    let refused =
        |trainer: &mut LevenbergMarquardt<'_, f64>, start: &Sequential<f64>, place: &str| {
            let mut net = start.clone();
            let error = trainer.resume(&mut net, &path).expect_err(place);
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
            assert!(error.place().starts_with(place), "{error}");
            assert_eq!((&net, trainer.epoch()), (start, 0));
        };
    trainer().save(&small(6, 1)?, &path)?;
    refused(&mut trainer(), &small(5, 1)?, "layers of");
    refused(
        &mut trainer().metric("more", |y, t| metrics::r2(y, t)),
        &small(6, 1)?,
        "metrics of",
    );
    refused(
        &mut trainer().stop(Stop::CostConverged { change: 0.0 }),
        &small(6, 1)?,
        "stops of",
    );
    let mut descent = Trainer::new(SumSquaredError, Sgd::new());
    let error = descent
        .resume(&mut small(6, 1)?, &path)
        .expect_err("a checkpoint of least squares");
    assert!(
        error.place().starts_with("settings of") && error.expected() == "those of a Trainer",
        "{error}"
    );
    descent.save(&small(6, 1)?, &path)?;
    refused(&mut trainer(), &small(6, 1)?, "settings of");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// In the units of the data, as by hand on scaled data.
#[test]
fn a_model_learns_by_least_squares() -> Result<()> {
    let data = sine()?;
    let units = Dataset::new(data.inputs() * 1e3, data.targets().map(|t| 1e-6 * t + 5.0))?;
    let scalers = (
        Scaler::standard(units.inputs())?,
        Scaler::standard(units.targets())?,
    );
    let mut model = Model::new(small(6, 1)?, scalers.0, scalers.1)?;
    let scaled = model.scale(units.clone())?;
    let mut by_hand = small(6, 1)?;
    let expected = LevenbergMarquardt::new()
        .epochs(20)
        .fit(&mut by_hand, &scaled)?;
    let mut trainer = LevenbergMarquardt::new()
        .epochs(20)
        .metric("R²", |y, t| metrics::r2(y, t));
    let history = model.fit(&mut trainer, &units)?;
    assert_eq!(model.net(), &by_hand);
    assert!(history.costs().eq(expected.costs()));
    let r2 = metrics::r2(&model.predict(units.inputs())?, &units)?;
    assert_eq!(
        history.last().and_then(|epoch| epoch.metric("R²")),
        Some(r2)
    );
    assert!(r2 > 0.99, "{r2}");
    Ok(())
}

/// An error of a metric, after steps that were taken: what the last epoch left stays.
#[test]
fn a_failing_metric_keeps_the_epochs_before() -> Result<()> {
    let data = sine()?;
    let mut expected = small(6, 1)?;
    let mut net = small(6, 1)?;
    LevenbergMarquardt::new()
        .epochs(3)
        .fit(&mut expected, &data)?;
    let mut calls = 0;
    let mut trainer = LevenbergMarquardt::new()
        .epochs(9)
        .metric("mine", move |_, _| {
            calls += 1;
            if calls == 4 {
                Err(Error::new(ErrorKind::Value, "mine", "patience", 0))
            } else {
                Ok(0.0)
            }
        });
    assert_eq!(
        trainer.fit(&mut net, &data).map_err(|e| e.kind()),
        Err(ErrorKind::Value)
    );
    assert_eq!((&net, trainer.epoch()), (&expected, 3));
    trainer.fit(&mut net, &data)?;
    let mut whole = small(6, 1)?;
    LevenbergMarquardt::new()
        .epochs(12)
        .fit(&mut whole, &data)?;
    assert_eq!(net, whole);
    Ok(())
}

/// μ of each epoch by Nielsen's rule, by a second implementation with J by central differences:
/// after failures, too.
#[test]
fn the_damping_of_the_first_epochs() -> Result<()> {
    let data = sine()?;
    let mut worst_epoch = 0;
    for (seed, first) in [(1, 1e-3), (2, 1e-8), (3, 1.0), (4, 1e-12)] {
        let mut net = small(3, seed)?;
        let start = net.clone();
        let residuals = |w: &DVector<f64>| -> Result<DVector<f64>> {
            let mut y = DMatrix::zeros(1, data.len());
            start
                .at(w.as_slice())?
                .predict_into(data.inputs(), &mut y, &mut Tape::new())?;
            Ok(DVector::from_column_slice((y - data.targets()).as_slice()))
        };
        let mut w = DVector::from_column_slice(start.params());
        let mut mu = 0.0;
        let mut growth = 2.0;
        let mut want = Vec::new();
        for epoch in 0..10 {
            let r = residuals(&w)?;
            let mut j = DMatrix::zeros(data.len(), w.len());
            for k in 0..w.len() {
                let mut step = DVector::zeros(w.len());
                step[k] = 1e-5;
                j.set_column(
                    k,
                    &((residuals(&(&w + &step))? - residuals(&(&w - &step))?) / 2e-5),
                );
            }
            let normal = j.tr_mul(&j);
            let gradient = j.tr_mul(&r);
            let cost = 0.5 * r.norm_squared();
            if epoch == 0 {
                mu = first * normal.diagonal().max();
            }
            let mut failures = 0;
            loop {
                let damped = &normal + DMatrix::identity(w.len(), w.len()) * mu;
                if let Some(factors) = damped.cholesky() {
                    let h = factors.solve(&-&gradient);
                    let second = (residuals(&(&w + &h * 0.1))? - &r * 2.0
                        + residuals(&(&w - &h * 0.1))?)
                        * 100.0;
                    let a = factors.solve(&-j.tr_mul(&second));
                    let trial = &w + &h + &a * 0.5;
                    let fall = cost - 0.5 * residuals(&trial)?.norm_squared();
                    if 2.0 * a.norm() <= 0.75 * h.norm() && fall > 0.0 {
                        let gain = fall / (0.5 * (mu * h.norm_squared() - h.dot(&gradient)));
                        mu *= f64::max(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0).powi(3));
                        (growth, w) = (2.0, trial);
                        break;
                    }
                }
                mu *= growth;
                growth *= 2.0;
                failures += 1;
            }
            worst_epoch = worst_epoch.max(failures);
            want.push(1.0 / mu);
        }
        let history = LevenbergMarquardt::new()
            .damping(first)
            .epochs(10)
            .fit(&mut net, &data)?;
        for (epoch, want) in history.epochs.iter().zip(&want) {
            let got = epoch.learning_rate;
            assert!(
                (got - want).abs() <= 1e-3 * want,
                "start {seed}, epoch {}: 1/μ = {got:e}, not {want:e}",
                epoch.epoch
            );
        }
        assert_eq!(history.epochs.len(), 10);
    }
    assert!(
        worst_epoch >= 3,
        "no epoch with failures one after the other: {worst_epoch}"
    );
    Ok(())
}

/// Passes everything on; after so many passes back, NaN.
#[derive(Debug)]
struct Tired {
    passes: Arc<AtomicUsize>,
    limit: usize,
}

impl Layer<f64> for Tired {
    fn name(&self) -> String {
        "Tired".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }
    fn infer(&self, mut p: InferArgs<'_, f64>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
    }
    fn backward(&self, mut p: BackwardArgs<'_, f64>) {
        if self.passes.fetch_add(1, Relaxed) >= self.limit {
            p.delta.as_mut_slice().fill(f64::NAN);
        }
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice()
                .copy_from_slice(p.delta.as_view().as_slice());
        }
    }
}

/// An error in a later epoch, after steps that were taken, gives the start back.
#[test]
fn an_error_after_steps_restores_the_start() -> Result<()> {
    let data = sine()?;
    let build = |limit| -> Result<(Sequential<f64>, Arc<AtomicUsize>)> {
        let passes = Arc::new(AtomicUsize::new(0));
        let net = Sequential::builder(1)
            .layer(Dense::new(4, Activation::Tanh))
            .layer(Tired {
                passes: passes.clone(),
                limit,
            })
            .layer(Dense::new(1, Activation::Linear))
            .build_with(&mut rng(1))?;
        Ok((net, passes))
    };
    let (mut sound, passes) = build(usize::MAX)?;
    let start = sound.params().to_vec();
    let history = LevenbergMarquardt::new().epochs(3).fit(&mut sound, &data)?;
    assert!(history.epochs.len() == 3 && sound.params() != start);
    // Tired when the fourth epoch begins.
    let (mut net, _) = build(passes.load(Relaxed))?;
    let error = LevenbergMarquardt::new()
        .epochs(9)
        .fit(&mut net, &data)
        .expect_err("NaN");
    assert_eq!(error.kind(), ErrorKind::NotFinite, "{error}");
    assert_eq!(net.params(), start);
    Ok(())
}

/// What overflows, or is so large that no step shows in the cost, has not converged.
#[test]
fn targets_too_large_are_no_convergence() -> Result<()> {
    let data = sine()?;
    let (mut refused, mut learned) = (0, 0);
    for size in [1e9, 1e15, 1e20, 1e50, 1e100, 1e150, 1e153, 1e154, 1e200] {
        let large = data.clone().map_targets(|t| Ok(t * size))?;
        for seed in 1..=8 {
            let mut net = small(6, seed)?;
            let before = net.clone();
            match LevenbergMarquardt::new().epochs(60).fit(&mut net, &large) {
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFinite, "{size:e}: {error}");
                    assert!(
                        error
                            .expected()
                            .contains("scale the inputs and the targets"),
                        "{error}"
                    );
                    assert_eq!(net, before, "{size:e}");
                    refused += 1;
                }
                Ok(history) => {
                    // The gradient before the last step; of a run that is stuck it is above
                    // 10·size.
                    let small = history
                        .last()
                        .is_some_and(|epoch| epoch.gradient_norm < 1e-3 * size);
                    assert!(
                        size < 1e154 && (history.stopped.is_none() || small),
                        "{size:e}, start {seed}: {history}"
                    );
                    learned += 1;
                }
            }
        }
    }
    assert!(
        refused > 16 && learned > 8,
        "{refused} refused, {learned} learned"
    );
    // Of a linear network the equations have the answer at any size.
    let x = row(&[-1.0, 0.0, 2.0]);
    let line = Dataset::new(x.clone(), x.map(|x| 2e150 * x + 1e150))?;
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    let history = LevenbergMarquardt::new().fit(&mut net, &line)?;
    assert_eq!(history.stopped, Some(Stopped::Converged));
    assert!(
        (net.params()[0] / 2e150 - 1.0).abs() < 1e-12
            && (net.params()[1] / 1e150 - 1.0).abs() < 1e-12,
        "{:?}",
        net.params()
    );
    // Single precision comes to its ends sooner.
    let single = Dataset::new(
        data.inputs().map(|x| x as f32),
        data.targets().map(|t| t as f32 * 1e15),
    )?;
    for seed in 1..=8 {
        let mut net = Sequential::<f32>::builder(1)
            .layer(Dense::new(6, Activation::Tanh))
            .layer(Dense::new(1, Activation::Linear))
            .build_with(&mut rng(seed))?;
        match LevenbergMarquardt::new().epochs(60).fit(&mut net, &single) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFinite, "start {seed}: {error}"),
            Ok(history) => {
                let small = history
                    .last()
                    .is_some_and(|epoch| epoch.gradient_norm < 1e15);
                assert!(
                    history.stopped.is_none() || small,
                    "start {seed}: {history}"
                );
            }
        }
    }
    // A damping that overflows.
    let far = Dataset::new(data.inputs() * 1e150, data.targets().clone())?;
    let mut line = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    let error = LevenbergMarquardt::new()
        .damping(1e10)
        .fit(&mut line, &far)
        .expect_err("μ = ∞");
    assert_eq!(error.kind(), ErrorKind::NotFinite);
    Ok(())
}

/// As of a trainer: targets out of the reach of the last layer are refused, or told.
#[test]
fn targets_out_of_reach_of_least_squares() -> Result<()> {
    let data = sine()?;
    let mut net = Sequential::builder(1)
        .layer(Dense::new(3, Activation::Tanh))
        .layer(Dense::new(1, Activation::Sigmoid))
        .build_with(&mut rng(1))?;
    let far = data.clone().map_targets(|t| Ok(t.add_scalar(5.0)))?;
    assert_eq!(
        LevenbergMarquardt::new()
            .fit(&mut net, &far)
            .map_err(|e| e.kind()),
        Err(ErrorKind::Incompatible)
    );
    let history = LevenbergMarquardt::new().epochs(2).fit(&mut net, &data)?;
    assert!(
        matches!(
            history.warnings[..],
            [Warning::TargetsOutOfReach {
                outside: 30,
                targets: 60,
                low: 0.0,
                high: 1.0
            }]
        ),
        "{history}"
    );
    Ok(())
}

/// A network with the start of a case of `reference/bayesian.py`, its data, and its numbers.
type Case = std::collections::BTreeMap<&'static str, Vec<f64>>;

fn bayesian_cases() -> std::collections::BTreeMap<&'static str, Case> {
    let mut cases: std::collections::BTreeMap<_, Case> = Default::default();
    for line in include_str!("../reference/bayesian.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let numbers = fields[2].split(' ').map(|v| v.parse().expect("a number"));
        let case = cases.entry(fields[0]).or_default();
        case.insert(fields[1], numbers.collect());
    }
    cases
}

fn of_case(case: &Case) -> Result<(Sequential<f64>, Dataset<f64>)> {
    let mut net = small(case["shape"][0] as usize, 1)?;
    net.set_params(&case["start"])?;
    let data = Dataset::new(row(&case["x"]), row(&case["t"]))?;
    let even = case["v"].iter().all(|v| *v == 1.0);
    let data = if even {
        data
    } else {
        data.weighted(case["v"].clone())?
    };
    Ok((net, data))
}

/// Epoch for epoch and at the end as in NumPy; on both sides of as many residuals as parameters.
#[test]
fn bayesian_regularization_as_in_numpy() -> Result<()> {
    let cases = bayesian_cases();
    assert_eq!(cases.len(), 3);
    for (name, case) in &cases {
        let (mut net, data) = of_case(case)?;
        let mut trainer = LevenbergMarquardt::new().bayesian().epochs(1);
        assert_eq!(trainer.evidence(), None);
        let compare = |found: Evidence, cost: f64, want: &[f64], tolerance: f64, when: &str| {
            let got = [
                found.alpha,
                found.beta,
                found.effective_parameters,
                found.log_evidence,
                cost,
            ];
            for (got, want) in got.iter().zip(want) {
                assert!(
                    (got - want).abs() <= tolerance * want.abs(),
                    "{name}, {when}: {got:e}, not {want:e}"
                );
            }
        };
        for epoch in 1..=25 {
            let history = trainer.fit(&mut net, &data)?;
            let found = trainer.evidence().expect("after an epoch");
            let when = format!("epoch {epoch}");
            let cost = history.last().map_or(f64::NAN, |epoch| epoch.cost);
            compare(found, cost, &case[&*when], 1e-7, &when);
        }
        let mut trainer = LevenbergMarquardt::new().bayesian().epochs(3000);
        let (mut net, data) = of_case(case)?;
        let history = trainer.fit(&mut net, &data)?;
        assert_eq!(history.stopped, Some(Stopped::Converged), "{name}");
        let found = trainer.evidence().expect("after an epoch");
        let cost = history.last().map_or(f64::NAN, |epoch| epoch.cost);
        compare(found, cost, &case["end"], 1e-5, "the end");
    }
    Ok(())
}

/// Where it has settled: α = γ/‖w‖², β = (N − γ)/‖r‖², γ = Σ λ/(λ + α/β) with the eigenvalues λ of
/// JᵀJ, and no slope of F.
#[test]
fn bayesian_regularization_is_where_it_must_be() -> Result<()> {
    for (name, case) in &bayesian_cases() {
        let (mut net, data) = of_case(case)?;
        let mut trainer = LevenbergMarquardt::new().bayesian().epochs(3000);
        trainer.fit(&mut net, &data)?;
        let found = trainer.evidence().expect("after an epoch");
        let mut j = net.params_jacobian(data.inputs())?;
        let mut r = (net.predict(data.inputs())? - data.targets()).transpose();
        for ((mut j, r), v) in j.row_iter_mut().zip(r.iter_mut()).zip(&case["v"]) {
            j *= v.sqrt();
            *r *= v.sqrt();
        }
        let w = DVector::from_column_slice(net.params());
        let lambda = found.alpha / found.beta;
        let gamma: f64 = (j.tr_mul(&j))
            .symmetric_eigenvalues()
            .iter()
            .map(|value| value.max(0.0) / (value.max(0.0) + lambda))
            .sum();
        let near = |got: f64, want: f64| {
            assert!(
                (got - want).abs() <= 1e-6 * want,
                "{name}: {got}, not {want}"
            );
        };
        near(found.effective_parameters, gamma);
        near(found.alpha, gamma / w.norm_squared());
        near(found.beta, (data.len() as f64 - gamma) / r.norm_squared());
        let slope = j.tr_mul(&r).column(0) + &w * lambda;
        assert!(
            slope.norm() <= 1e-6 * lambda * w.norm(),
            "{name}: {}",
            slope.norm()
        );
    }
    Ok(())
}

/// More neurons do not make more parameters that count: MATLAB's example of `trainbr`, a noisy sine
/// on 41 points, has some twelve.
#[test]
fn neurons_too_many_do_not_count() -> Result<()> {
    let x = DMatrix::from_fn(1, 41, |_, j| j as f64 / 20.0 - 1.0);
    let mut random = rng(5);
    let mut noise = || {
        (0..12)
            .map(|_| chainrule::rand::RngExt::random::<f64>(&mut random))
            .sum::<f64>()
            - 6.0
    };
    let t = x.map(|x| (2.0 * core::f64::consts::PI * x).sin() + 0.1 * noise());
    let data = Dataset::new(x.clone(), t)?;
    let truth = x.map(|x| (2.0 * core::f64::consts::PI * x).sin());
    let mut gammas = Vec::new();
    for hidden in [10, 20, 40] {
        let mut net = small(hidden, 3)?;
        let mut trainer = LevenbergMarquardt::new().bayesian().epochs(500);
        trainer.fit(&mut net, &data)?;
        let found = trainer.evidence().expect("after an epoch");
        let error = metrics::root_mean_squared_error(&net.predict(&x)?, &truth)?;
        println!("{hidden}: {found:?}, {error}");
        assert!(error < 0.1, "{hidden} neurons: {error}");
        assert!((0.06..0.15).contains(&found.noise()), "{found:?}");
        gammas.push(found.effective_parameters);

        let mut without = small(hidden, 3)?;
        LevenbergMarquardt::new()
            .epochs(500)
            .fit(&mut without, &data)?;
        let fitted = metrics::root_mean_squared_error(&without.predict(&x)?, &truth)?;
        assert!(
            hidden < 20 || error < fitted,
            "{error} and {fitted} without"
        );
    }
    assert!(
        gammas.iter().all(|gamma| (6.0..18.0).contains(gamma)),
        "{gammas:?}"
    );
    assert!((gammas[2] - gammas[0]).abs() < 4.0, "{gammas:?}");
    Ok(())
}

/// A linear model, of which the evidence is an integral over Gaussians: the targets have the
/// covariance I/β + XXᵀ/α (C. M. Bishop, *Pattern Recognition and Machine Learning*, 3.5).
#[test]
fn the_evidence_of_a_linear_model_is_exact() -> Result<()> {
    for samples in [3, 12] {
        let x = DMatrix::from_fn(4, samples, |i, j| ((i + 2) as f64 * (j + 1) as f64).sin());
        let t = DMatrix::from_fn(1, samples, |_, j| {
            x[(0, j)] - x[(2, j)] + 0.3 * (j as f64).cos()
        });
        let data = Dataset::new(x.clone(), t.clone())?;
        let mut net = Sequential::builder(4)
            .layer(Dense::new(1, Activation::Linear).without_bias())
            .build_with(&mut rng(1))?;
        let mut trainer = LevenbergMarquardt::new().bayesian().epochs(2000);
        trainer.fit(&mut net, &data)?;
        let found = trainer.evidence().expect("after an epoch");
        let evidence = |alpha: f64, beta: f64| {
            let covariance = DMatrix::identity(samples, samples) / beta + x.tr_mul(&x) / alpha;
            let t = t.transpose();
            let det = covariance.determinant();
            let quadratic = t.dot(&covariance.lu().solve(&t).expect("regular"));
            -0.5 * (quadratic + det.ln() + samples as f64 * core::f64::consts::TAU.ln())
        };
        let exact = evidence(found.alpha, found.beta);
        assert!(
            (found.log_evidence - exact).abs() < 1e-6 * exact.abs(),
            "{} and {exact}",
            found.log_evidence
        );
        // And it is the greatest, where there are residuals enough for a noise.
        for (a, b) in [(1.1, 1.0), (0.9, 1.0), (1.0, 1.1), (1.0, 0.9)] {
            let near = evidence(a * found.alpha, b * found.beta);
            assert!(samples < 4 || near < exact, "{near} and {exact}");
        }
    }
    Ok(())
}

/// Few residuals and many parameters: the steps of the larger system, and no more time than the
/// smaller one takes.
#[test]
fn few_residuals_and_many_parameters() -> Result<()> {
    let x = DMatrix::from_fn(2, 5, |i, j| ((i + 1) as f64 * (j + 2) as f64).sin());
    let t = DMatrix::from_fn(2, 5, |i, j| ((i + 3) as f64 * (j + 1) as f64).cos());
    let few = Dataset::new(x.clone(), t.clone())?;
    let build = || {
        Sequential::builder(2)
            .layer(Dense::new(6, Activation::Tanh))
            .layer(Dense::new(2, Activation::Linear))
            .build_with(&mut rng(4))
    };
    // Samples of no weight make it the larger system, and change nothing else.
    let copies = 4;
    let wide = |m: &DMatrix<f64>| DMatrix::from_fn(2, 5 * copies, |i, j| m[(i, j % 5)]);
    let weights = (0..5 * copies).map(|j| f64::from(u8::from(j < 5)));
    let many = Dataset::new(wide(&x), wide(&t))?.weighted(weights.collect())?;
    for bayesian in [false, true] {
        let trainer = || {
            let trainer = LevenbergMarquardt::new().epochs(4);
            if bayesian {
                trainer.bayesian()
            } else {
                trainer
            }
        };
        let (mut dual, mut primal) = (build()?, build()?);
        let mut trainers = (trainer(), trainer());
        let by_dual = trainers.0.fit(&mut dual, &few)?;
        let by_primal = trainers.1.fit(&mut primal, &many)?;
        for (a, b) in by_dual.epochs.iter().zip(&by_primal.epochs) {
            for (a, b) in [
                (a.cost, b.cost),
                (a.gradient_norm, b.gradient_norm),
                (a.learning_rate, b.learning_rate),
            ] {
                assert!(
                    (a - b).abs() <= 1e-6 * b.abs(),
                    "{bayesian}: {a:e} and {b:e}"
                );
            }
        }
        for (a, b) in dual.params().iter().zip(primal.params()) {
            assert!((a - b).abs() < 1e-6, "{bayesian}: {a} and {b}");
        }
        assert_eq!(trainers.0.evidence().is_some(), bayesian);
        if let (Some(a), Some(b)) = (trainers.0.evidence(), trainers.1.evidence()) {
            for (a, b) in [
                (a.alpha, b.alpha),
                (a.beta, b.beta),
                (a.effective_parameters, b.effective_parameters),
                (a.log_evidence, b.log_evidence),
            ] {
                assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} and {b}");
            }
        }
    }
    // 20 samples and 8001 parameters: the larger matrix alone would be half a gigabyte.
    let x = DMatrix::from_fn(6, 20, |i, j| ((i + 1) as f64 * (j + 1) as f64).sin());
    let data = Dataset::new(
        x.clone(),
        DMatrix::from_fn(1, 20, |_, j| x.column(j).norm()),
    )?;
    let mut net = Sequential::builder(6)
        .layer(Dense::new(1000, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    assert_eq!(net.params().len(), 8001);
    let history = LevenbergMarquardt::new().epochs(10).fit(&mut net, &data)?;
    assert!(history.costs().last() < Some(1e-6), "{history}");
    Ok(())
}

/// Interrupted anywhere and resumed: the same bits, and the same evidence.
#[test]
fn checkpoints_of_bayesian_regularization() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("chainrule-bayesian-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("run.checkpoint");
    for data in [sine()?, sine()?.select(&[1, 12, 30, 44, 59])?] {
        let trainer = || LevenbergMarquardt::new().bayesian().epochs(6);
        let (mut whole, mut uninterrupted) = (small(6, 1)?, trainer());
        let history = uninterrupted.fit(&mut whole, &data)?;
        for stop in 0..6 {
            let mut net = small(6, 1)?;
            trainer()
                .checkpoint(&path, CheckpointEvery::Epochs(1))
                .on_epoch(|epoch, _| match epoch.epoch == stop {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
                .fit(&mut net, &data)?;
            let (mut net, mut resumed) = (small(6, 2)?, trainer());
            resumed.resume(&mut net, &path)?;
            assert_eq!(resumed.fit(&mut net, &data)?, history, "after {stop}");
            assert_eq!(net, whole, "after {stop}");
            assert_eq!(resumed.evidence(), uninterrupted.evidence());
        }
    }
    // Another way of weighing is another method.
    let mut plain = LevenbergMarquardt::new();
    let error = plain.resume(&mut small(6, 1)?, &path).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
    plain.save(&small(6, 1)?, &path)?;
    let error = LevenbergMarquardt::new()
        .bayesian()
        .resume(&mut small(6, 1)?, &path)
        .expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Data without noise, running statistics, single precision.
#[test]
fn bayesian_regularization_at_the_edges() -> Result<()> {
    let data = sine()?;
    let mut net = small(8, 1)?;
    let mut trainer = LevenbergMarquardt::new().bayesian().epochs(300);
    let history = trainer.fit(&mut net, &data)?;
    assert!(history.costs().last() < Some(1e-6), "{history}");
    let found = trainer.evidence().expect("after an epoch");
    assert!(
        found.beta > 1e6 && found.effective_parameters <= 25.0,
        "{found:?}"
    );

    let mut net = Sequential::builder(1)
        .layer(Dense::new(4, Activation::Tanh))
        .layer(BatchNorm::new())
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(1))?;
    let statistics = net.params()[16..24].to_vec();
    let mut trainer = LevenbergMarquardt::new().bayesian().epochs(20);
    trainer.fit(&mut net, &data)?;
    assert_eq!(net.params()[16..24], statistics);
    let found = trainer.evidence().expect("after an epoch");
    assert!(found.effective_parameters < 21.0, "{found:?}");

    let single = Dataset::new(
        data.inputs().map(|x| x as f32),
        data.targets()
            .map(|t| t as f32 + 0.1 * (40.0 * t).sin() as f32),
    )?;
    let mut net = Sequential::<f32>::builder(1)
        .layer(Dense::new(8, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(3))?;
    let mut trainer = LevenbergMarquardt::new().bayesian().epochs(100);
    trainer.fit(&mut net, &single)?;
    let found = trainer.evidence().expect("after an epoch");
    assert!((0.02..0.2).contains(&found.noise()), "{found:?}");
    Ok(())
}
