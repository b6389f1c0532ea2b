//! The public calls with arbitrary settings on arbitrary numbers, in small sizes: an error, never a
//! panic.

use chainrule::metrics::{Average, ConfusionMatrix};
use chainrule::nn::loss::*;
use chainrule::nn::{
    AlphaDropout, BatchNorm, GaussianNoise, Glu, GroupNorm, LayerNorm, LogSoftmax, Prelu, RmsNorm,
    Softmax, UnitNorm,
};
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::rand::SeedableRng;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::selection::Folds;
use chainrule::train::{Lbfgs, LevenbergMarquardt, ScaledConjugateGradient};
use chainrule::{Optimizer, Real, gradcheck};
use libfuzzer_sys::arbitrary::{self, Arbitrary, Unstructured};

type Draw<R> = arbitrary::Result<R>;

/// A number at which formulas break, or any.
fn number(u: &mut Unstructured<'_>) -> Draw<f64> {
    const EDGES: [f64; 16] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        0.9,
        2.0,
        1e-3,
        1e-300,
        1e300,
        1e19,
        -1e19,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
    ];
    match u.int_in_range(0..=3)? {
        0 => u.choose(&EDGES).copied(),
        1 => f64::arbitrary(u),
        _ => Ok(f64::from(i8::arbitrary(u)?) / 32.0),
    }
}

fn numbers<T: Real>(u: &mut Unstructured<'_>, count: usize) -> Draw<Vec<T>> {
    let tame = bool::arbitrary(u)?;
    (0..count)
        .map(|_| {
            Ok(T::of(if tame {
                f64::from(i8::arbitrary(u)?) / 32.0
            } else {
                number(u)?
            }))
        })
        .collect()
}

fn matrix<T: Real>(u: &mut Unstructured<'_>, rows: usize, cols: usize) -> Draw<DMatrix<T>> {
    Ok(DMatrix::from_vec(rows, cols, numbers(u, rows * cols)?))
}

/// A width: most are small, some are none and some are beyond any memory.
fn width(u: &mut Unstructured<'_>) -> Draw<usize> {
    Ok(match u.int_in_range(0..=40)? {
        0 => 0,
        1 => usize::MAX,
        2 => usize::MAX / 8,
        other => 1 + other % 7,
    })
}

/// A size that is wrong from time to time.
fn nearly(u: &mut Unstructured<'_>, right: usize) -> Draw<usize> {
    Ok(if u.ratio(1, 12)? {
        u.int_in_range(0..=9)?
    } else {
        right
    })
}

fn activation(u: &mut Unstructured<'_>) -> Draw<Activation> {
    use Activation::*;
    let plain: Vec<Activation> = Activation::every().collect();
    Ok(match u.int_in_range(0..=9)? {
        0 => LeakyRelu { slope: number(u)? },
        1 => Elu { alpha: number(u)? },
        2 => {
            let points: Vec<(f64, f64)> = (0..u.int_in_range(0..=4)?)
                .map(|_| Ok((number(u)?, number(u)?)))
                .collect::<Draw<_>>()?;
            let slopes = (number(u)?, number(u)?);
            match chainrule::nn::Breakpoints::new(&points)
                .and_then(|points| points.slopes(slopes.0, slopes.1))
            {
                Ok(points) => points.into(),
                Err(_) => Linear,
            }
        }
        3 => u
            .choose(&plain)?
            .clone()
            .surrogate(u.choose(&plain)?.clone()),
        4 => u.choose(&plain)?.clone().straight_through(),
        _ => u.choose(&plain)?.clone(),
    })
}

fn init(u: &mut Unstructured<'_>) -> Draw<Init> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Init::Zeros,
        1 => Init::Constant(number(u)?),
        2 => Init::Uniform {
            low: number(u)?,
            high: number(u)?,
        },
        3 => Init::Normal {
            mean: number(u)?,
            std: number(u)?,
        },
        4 => Init::Orthogonal { gain: number(u)? },
        5 => Init::GlorotUniform,
        6 => Init::LeCunNormal,
        _ => Init::HeNormal,
    })
}

fn network<T: Real>(u: &mut Unstructured<'_>) -> Draw<Result<Sequential<T>>> {
    let mut builder = Sequential::<T>::builder(width(u)?);
    for _ in 0..u.int_in_range(0..=4)? {
        builder = match u.int_in_range(0..=16)? {
            0 => builder.layer(Dropout::new(number(u)?)),
            1 => builder.layer(AlphaDropout::new(number(u)?)),
            2 => builder.layer(GaussianNoise::new(number(u)?)),
            3 => builder.layer(BatchNorm::new().eps(number(u)?).momentum(number(u)?)),
            4 => builder.layer(LayerNorm::new().eps(number(u)?)),
            5 => builder.layer(RmsNorm::new()),
            6 => builder.layer(Softmax),
            7 => builder.layer(activation(u)?),
            11 => builder.layer(Prelu::new().slope(number(u)?)),
            8 => builder.layer(
                Dense::new(width(u)?, activation(u)?)
                    .init(init(u)?)
                    .bias_init(init(u)?),
            ),
            9 => builder.layer(Dense::new(width(u)?, activation(u)?).without_bias()),
            12 => builder.layer(Glu::new(activation(u)?)),
            13 => builder.layer(LogSoftmax),
            14 => builder.layer(GroupNorm::new(u.int_in_range(0..=4)?).eps(number(u)?)),
            15 => builder.layer(UnitNorm::l2().eps(number(u)?)),
            _ => builder.layer(Dense::new(width(u)?, activation(u)?)),
        };
    }
    Ok(builder.seed(u64::arbitrary(u)?).build())
}

fn class_weights(u: &mut Unstructured<'_>) -> Draw<Vec<f64>> {
    let count = u.int_in_range(0..=4)?;
    numbers(u, count)
}

/// Does the same with one of the losses, whichever it is.
macro_rules! with_loss {
    ($u:ident, $cost:ident => $body:expr) => {{
        macro_rules! with {
            ($loss:expr) => {{
                let $cost = $loss;
                $body
            }};
        }
        match $u.int_in_range(0..=13)? {
            0 => with!(
                SoftmaxCrossEntropy::new()
                    .label_smoothing(number($u)?)
                    .class_weights(&class_weights($u)?)
            ),
            1 => with!(
                SigmoidCrossEntropy::new()
                    .label_smoothing(number($u)?)
                    .positive_weights(&class_weights($u)?)
            ),
            2 => with!(SigmoidCrossEntropy::new().class_weights(&class_weights($u)?)),
            3 => with!(Huber::new(number($u)?)),
            4 => with!(CategoricalCrossEntropy),
            5 => with!(KlDivergence),
            6 => with!(Hinge),
            7 => with!(LogCosh),
            8 => with!(MeanAbsoluteError),
            9 => with!(QuadraticCost),
            10 => with!(SumSquaredError),
            11 => with!(SoftmaxCrossEntropy::new()),
            12 => with!(SigmoidCrossEntropy::new()),
            _ => with!(MeanSquaredError),
        }
    }};
}

fn loss<T: Real>(u: &mut Unstructured<'_>) -> Draw<Box<dyn Loss<T>>> {
    macro_rules! every {
        ($($file:ident::$loss:ident { $($made:expr),+ })+) => {
            vec![$($(Box::new($made) as Box<dyn Loss<T>>,)+)+]
        };
    }
    if u.ratio(1, 3)? {
        let mut all = chainrule::every_loss!(every);
        return Ok(all.swap_remove(u.choose_index(all.len())?));
    }
    Ok(with_loss!(u, cost => Box::new(cost) as Box<dyn Loss<T>>))
}

fn trainer<'a, T: Real>(u: &mut Unstructured<'_>) -> Draw<Trainer<'a, T>> {
    Ok(with_loss!(u, cost => Trainer::new(cost, optimizer(u)?)))
}

fn optimizer<T: Real>(u: &mut Unstructured<'_>) -> Draw<Box<dyn Optimizer<T>>> {
    let usual = u.ratio(2, 3)?;
    let mut n = |default: f64| if usual { Ok(default) } else { number(u) };
    let numbers = [n(0.9)?, n(0.99)?, n(1e-8)?];
    let [a, b, eps] = numbers;
    macro_rules! every {
        ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
            vec![$($(Box::new($made) as Box<dyn Optimizer<T>>,)+)+]
        };
    }
    let rule: Box<dyn Optimizer<T>> = match u.int_in_range(0..=12)? {
        0 => Box::new(Sgd::new().momentum(a).dampening(b)),
        1 => Box::new(Sgd::new().momentum(a).nesterov()),
        2 => Box::new(RmsProp::new().rho(a).eps(eps).momentum(b).centered()),
        3 => Box::new(Adagrad::new().initial(a).eps(eps)),
        4 => Box::new(Adadelta::new().rho(a).eps(eps)),
        5 => Box::new(Adamax::new().beta1(a).beta2(b).eps(eps)),
        6 => Box::new(NAdam::new().beta1(a).beta2(b).eps(eps)),
        7 => Box::new(RAdam::new().beta1(a).beta2(b).eps(eps)),
        8 => Box::new(Lion::new().beta1(a).beta2(b)),
        9 => Box::new(Rprop::new().eta_minus(a).eta_plus(b).bounds(eps, a)),
        10 => Box::new(Adam::new().beta1(a).beta2(b).eps(eps).amsgrad()),
        _ => {
            let mut all = chainrule::every_rule!(every);
            all.swap_remove(u.choose_index(all.len())?)
        }
    };
    Ok(match u.int_in_range(0..=9)? {
        0 => Box::new(Ema::new(rule, a)),
        1 => Box::new(Ema::new(rule, b).uncorrected()),
        2 => Box::new(Swa::new(rule, count(u)?).every(count(u)?)),
        3 => Box::new(Swa::new(rule, count(u)?).in_epochs()),
        _ => rule,
    })
}

fn count(u: &mut Unstructured<'_>) -> Draw<u64> {
    if u.ratio(1, 8)? {
        u64::arbitrary(u)
    } else {
        u.int_in_range(0..=20)
    }
}

fn schedule(u: &mut Unstructured<'_>) -> Draw<Schedule> {
    let rate = if bool::arbitrary(u)? {
        0.01
    } else {
        number(u)?
    };
    let plain = match u.int_in_range(0..=9)? {
        0 => Schedule::Step {
            rate,
            factor: number(u)?,
            every: count(u)?,
        },
        1 => Schedule::MultiStep {
            rate,
            factor: number(u)?,
            at: vec![count(u)?, count(u)?],
        },
        2 => Schedule::Exponential {
            rate,
            factor: number(u)?,
        },
        3 => Schedule::InverseTime {
            rate,
            kappa: number(u)?,
        },
        4 => Schedule::Polynomial {
            rate,
            end: number(u)?,
            power: number(u)?,
            steps: count(u)?,
        },
        5 => Schedule::Cosine {
            rate,
            min: number(u)?,
            steps: count(u)?,
        },
        6 => Schedule::WarmRestarts {
            rate,
            min: number(u)?,
            steps: count(u)?,
            factor: count(u)?,
            peak_factor: 1.0,
        },
        7 => Schedule::OneCycle {
            rate,
            warm: number(u)?,
            div: number(u)?,
            final_div: number(u)?,
            steps: count(u)?,
        },
        8 => u.choose(&Schedule::samples())?.clone(),
        _ => Schedule::Constant(rate),
    };
    let warm = if u.ratio(1, 4)? {
        plain.warm_up(count(u)?)
    } else {
        plain
    };
    Ok(match u.int_in_range(0..=5)? {
        0 => warm.in_epochs(),
        1 => warm.in_percent(),
        _ => warm,
    })
}

fn monitor(u: &mut Unstructured<'_>) -> Draw<Monitor> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Monitor::ValidationCost,
        1 => Monitor::highest("accuracy"),
        2 => Monitor::lowest("other"),
        _ => Monitor::TrainingCost,
    })
}

fn data<T: Real>(
    u: &mut Unstructured<'_>,
    features: usize,
    outputs: usize,
) -> Draw<Result<Dataset<T>>> {
    let samples = u.int_in_range(1..=7)?;
    let (features, outputs) = (nearly(u, features)?, nearly(u, outputs)?);
    let inputs = matrix(u, features, samples)?;
    let targets = if bool::arbitrary(u)? {
        let labels: Vec<usize> = (0..samples)
            .map(|_| u.int_in_range(0..=outputs))
            .collect::<Draw<_>>()?;
        match chainrule::one_hot(&labels, outputs) {
            Ok(targets) => targets,
            Err(error) => return Ok(Err(error)),
        }
    } else {
        let cols = nearly(u, samples)?;
        matrix(u, outputs, cols)?
    };
    let data = Dataset::new(inputs, targets);
    let weights: Vec<T> = numbers(u, samples)?;
    Ok(if u.ratio(1, 5)? {
        data.and_then(|data| data.weighted(weights))
    } else {
        data
    })
}

fn train<T: Real>(u: &mut Unstructured<'_>) -> Draw<()> {
    let Ok(mut net) = network::<T>(u)? else {
        return Ok(());
    };
    let (inputs, outputs) = (net.inputs(), net.outputs());
    if net.params().len() > 10_000 || inputs > 100 || outputs > 100 {
        return Ok(());
    }
    let _ = net.to_string();
    let Ok(data) = data::<T>(u, inputs, outputs)? else {
        return Ok(());
    };
    let validation = self::data::<T>(u, inputs, outputs)?.ok();

    let mut tape = Tape::with_seed(1);
    let (x, t) = (data.inputs(), data.targets());
    let cost = loss::<T>(u)?;
    let _ = net.gradient(x, t, &*cost, &mut tape);
    let (layer, v) = (u.int_in_range(0..=5)?, numbers::<T>(u, net.params().len())?);
    let _ = (
        tape.a(layer).map(|a| a.sum()),
        tape.delta(layer).map(|a| a.sum()),
        tape.dw(layer).map(|a| a.sum()),
        tape.db(layer).is_ok(),
    );
    let _ = (net.jacobian(x), net.params_jacobian(x));
    let mut product = v.clone();
    let _ = net.hessian_product(x, t, &*cost, &v, &mut product, &mut tape);

    let mut trainer = trainer::<T>(u)?;
    trainer = trainer
        .epochs(u.int_in_range(0..=3)?)
        .batch_size(u.int_in_range(0..=8)?)
        .accumulate(u.int_in_range(0..=3)?)
        .learning_rate(schedule(u)?)
        .seed(u64::arbitrary(u)?);
    trainer = if bool::arbitrary(u)? {
        trainer.metric("accuracy", |y, t| metrics::accuracy(y, t))
    } else {
        trainer
    };
    trainer = if let Some(validation) = &validation {
        trainer.validation_data(validation)
    } else {
        trainer
    };
    for _ in 0..u.int_in_range(0..=3)? {
        trainer = match u.int_in_range(0..=11)? {
            0 => trainer.penalty(Penalty::new().l1(number(u)?).l2(number(u)?)),
            1 => trainer.clip(Clip::Norm(number(u)?)),
            2 => trainer.clip(Clip::Value(number(u)?)),
            3 => trainer.clip(Clip::GlobalNorm(number(u)?)),
            4 => trainer.constrain(Constraint::MaxNorm(number(u)?)),
            5 => trainer.constrain(Constraint::Box {
                low: number(u)?,
                high: number(u)?,
            }),
            6 => trainer.stop(Stop::EarlyStopping {
                monitor: monitor(u)?,
                patience: u.int_in_range(0..=3)?,
                min_change: number(u)?,
            }),
            7 => trainer.stop(Stop::CostConverged { change: number(u)? }),
            8 => trainer.stop(Stop::target(monitor(u)?, number(u)?)),
            9 => trainer.restore_best(monitor(u)?),
            10 => trainer.reduce_on_plateau(
                monitor(u)?,
                ReduceOnPlateau {
                    factor: number(u)?,
                    min: number(u)?,
                    ..ReduceOnPlateau::new()
                },
            ),
            _ => {
                let (start, end) = (u.int_in_range(0..=9)?, u.int_in_range(0..=9)?);
                let group = Group {
                    rate: number(u)?,
                    decay: number(u)?,
                    ..Group::new(start..end)
                };
                trainer.groups(vec![group])
            }
        };
    }
    for _ in 0..2 {
        match trainer.fit(&mut net, &data) {
            Ok(history) => drop((history.to_csv(), history.to_string())),
            Err(error) => drop((
                error.to_string(),
                std::error::Error::source(&error).is_some(),
            )),
        }
    }
    drop(trainer);

    let (rows, cols) = (nearly(u, inputs)?, u.int_in_range(0..=5)?);
    let _ = net.predict(&matrix::<T>(u, rows, cols)?);
    let sample: Vec<T> = numbers(u, rows)?;
    let mut y = vec![T::of(0.0); nearly(u, outputs)?];
    let _ = net.predict_one(&sample, &mut y, &mut tape);
    let _ = net.predict(&sample);
    if u.ratio(1, 6)? {
        let damping = number(u)?;
        let _ = LevenbergMarquardt::new()
            .epochs(2)
            .damping(damping)
            .fit(&mut net, &data);
        let _ = Lbfgs::new(MeanSquaredError)
            .epochs(3)
            .memory(u.int_in_range(0..=2)?)
            .max_evaluations(u.int_in_range(0..=4)?)
            .gradient_tolerance(damping)
            .fit(&mut net, &data);
        let _ = ScaledConjugateGradient::new(MeanSquaredError)
            .epochs(3)
            .decrease_tolerance(damping)
            .fit(&mut net, &data);
    }
    Ok(())
}

fn judge<T: Real>(u: &mut Unstructured<'_>) -> Draw<()> {
    let (rows, cols) = (u.int_in_range(0..=4)?, u.int_in_range(0..=6)?);
    let y = matrix::<T>(u, rows, cols)?;
    let (rows, cols) = (nearly(u, rows)?, nearly(u, cols)?);
    let t = matrix::<T>(u, rows, cols)?;
    let k = u.int_in_range(0..=5)?;
    let averages = [
        Average::Class(k),
        Average::Macro,
        Average::Micro,
        Average::Weighted,
    ];
    for average in averages {
        let _ = metrics::precision(&y, &t, average);
        let _ = metrics::recall(&y, &t, average);
        let _ = metrics::f1(&y, &t, average);
    }
    for (_, measure) in metrics::every_metric() {
        let _ = measure((&y).into(), (&t).into());
    }
    let _ = metrics::top_k_accuracy(&y, &t, k);
    if let Ok(matrix) = ConfusionMatrix::of(&y, &t) {
        let _ = (matrix.to_string(), matrix.report().to_string());
    }
    let cost = loss::<T>(u)?;
    let _ = (
        cost.value((&y).into(), (&t).into()),
        cost.gradient((&y).into(), (&t).into()),
    );

    for scaler in [
        Scaler::standard(&y),
        Scaler::center(&y),
        Scaler::min_max(&y),
        Scaler::max_abs(&y),
    ]
    .into_iter()
    .flatten()
    {
        let _ = scaler.transform(&y).map(|y| scaler.inverse_transform(&y));
        let _ = scaler.transform(&t);
    }
    if let Ok(data) = Dataset::new(y, t) {
        let (fraction, seed) = (number(u)?, u64::arbitrary(u)?);
        let _ = (
            data.split(fraction, seed),
            data.stratified_split(fraction, seed),
        );
        let _ = data.k_fold(k, seed).map(|folds| folds.count());
        let _ = data.stratified_k_fold(k, seed).map(|folds| folds.count());
        let groups: Vec<usize> = (0..data.len()).map(|row| row % 3).collect();
        for folds in [
            Folds::k_fold(k),
            Folds::stratified(k),
            Folds::grouped(k, &groups),
            Folds::forward(k)
                .gap(count(u)? as usize)
                .max_train(count(u)? as usize),
        ] {
            let folds = folds.seed(seed).repeated(count(u)? as usize);
            for (train, validation) in folds.indices(&data).into_iter().flatten().take(9) {
                assert!(!train.is_empty() && !validation.is_empty());
            }
        }
        let _ = data.balanced();
    }
    Ok(())
}

fn schedules(u: &mut Unstructured<'_>) -> Draw<()> {
    let schedule = schedule(u)?;
    if schedule.check().is_ok() {
        let (batches, epochs) = (count(u)?, count(u)?);
        for t in [0, 1, 2, 7, 19, 20, 21, count(u)?, u64::MAX] {
            let rate = schedule.rate_in_run(t, batches, epochs);
            assert!(
                rate.is_finite() && rate >= 0.0,
                "{schedule:?} at {t} of {batches} and {epochs}: {rate}"
            );
            // Nobody says what an epoch is.
            let alone = schedule.rate(t);
            assert!(
                alone.is_nan() || alone == rate,
                "{schedule:?} at {t}: {alone}"
            );
        }
    }
    let mut plateau = ReduceOnPlateau {
        factor: number(u)?,
        patience: count(u)?,
        min_change: number(u)?,
        cooldown: count(u)?,
        ..ReduceOnPlateau::new()
    };
    if plateau.check().is_ok() {
        for _ in 0..6 {
            let multiplier = plateau.observe(number(u)?);
            assert!((0.0..=1.0).contains(&multiplier));
        }
    }
    let mut weights = numbers::<f64>(u, 12)?;
    let inputs = width(u)?;
    let outputs = width(u)?;
    let _ = init(u)?.fill(
        &mut weights,
        inputs,
        outputs,
        &mut Xoshiro256PlusPlus::seed_from_u64(1),
    );
    Ok(())
}

fn checks(u: &mut Unstructured<'_>) -> Draw<()> {
    let (inputs, batch) = (u.int_in_range(0..=4)?, u.int_in_range(0..=3)?);
    let layer = Dense::new(u.int_in_range(0..=3)?, activation(u)?);
    let _ = gradcheck::layer(&layer, inputs, batch, u64::arbitrary(u)?);
    Ok(())
}

pub(crate) fn run(bytes: &[u8]) {
    let mut u = Unstructured::new(bytes);
    // What the bytes do not decide is left out.
    let _ = match u.int_in_range(0..=9) {
        Ok(0..=2) => train::<f32>(&mut u),
        Ok(3..=5) => train::<f64>(&mut u),
        Ok(6) => judge::<f32>(&mut u),
        Ok(7) => judge::<f64>(&mut u),
        Ok(8) => schedules(&mut u),
        _ => checks(&mut u),
    };
}
