//! Training on slopes: what it costs, what it does to a step, what it takes and refuses, and what
//! it is good for.

use crate::common::{Folder, refused};
use chainrule::nn::layer::Role;
use chainrule::nn::loss::*;
use chainrule::nn::{BatchNorm, LayerNorm};
use chainrule::numeric::Targets;
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::train::{CheckpointEvery, Lbfgs, LevenbergMarquardt, ScaledConjugateGradient};
use chainrule::{ErrorKind, View};

const PI: f64 = std::f64::consts::PI;

/// Two functions of two variables and their slopes: y₀ = sin x₀·x₁, y₁ = x₀² − x₁.
fn data(samples: usize) -> Dataset<f64> {
    let x = DMatrix::from_fn(2, samples, |i, j| (1.3 * ((i + 2) * (j + 1)) as f64).sin());
    let t = DMatrix::from_fn(2, samples, |i, j| match (i, x.column(j)) {
        (0, x) => x[0].sin() * x[1],
        (_, x) => x[0] * x[0] - x[1],
    });
    let s = DMatrix::from_fn(4, samples, |row, j| match (row, x.column(j)) {
        (0, x) => x[0].cos() * x[1],
        (1, x) => 2.0 * x[0],
        (2, x) => x[0].sin(),
        _ => -1.0,
    });
    Dataset::new(x, t)
        .and_then(|data| data.with_slopes(s))
        .expect("sound data")
}

fn net() -> Sequential<f64> {
    Sequential::builder(2)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(LayerNorm::new())
        .layer(Dense::new(2, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network")
}

/// L + λ·S from a Jacobian of its own.
fn cost(
    net: &Sequential<f64>,
    data: &Dataset<f64>,
    (loss, by_slopes): (&dyn Loss<f64>, &dyn Loss<f64>),
    weight: f64,
) -> Result<f64> {
    let (y, j) = (net.predict(data.inputs())?, net.jacobian(data.inputs())?);
    let j = View::new(j.as_slice(), net.inputs() * net.outputs())?;
    let slopes = data.slopes().expect("slopes");
    let slopes = match data.weights() {
        Some(weights) => Targets::weighted(slopes, weights)?,
        None => slopes.into(),
    };
    Ok(loss.value((&y).into(), data.into())? + weight * by_slopes.value(j, slopes)?)
}

/// A step of rate 1 by plain descent is the negative gradient: against finite differences of what
/// the cost is by definition, with weights of samples and losses of both reductions.
#[test]
fn a_step_follows_the_gradient_of_the_cost() -> Result<()> {
    let plain = data(7);
    let weighted = data(7).weighted(vec![1.0, 0.5, 0.0, 2.0, 1.0, 3.0, 0.25])?;
    for data in [&plain, &weighted] {
        let mean: (Box<dyn Loss<f64>>, Box<dyn Loss<f64>>) =
            (Box::new(MeanSquaredError), Box::new(Huber::new(0.3)));
        let sum: (Box<dyn Loss<f64>>, Box<dyn Loss<f64>>) = (
            Box::new(SumSquaredError),
            Box::new(Reduced::new(LogCosh, Reduction::Sum)),
        );
        for (index, (loss, by_slopes)) in [mean, sum].iter().enumerate() {
            let weight = 0.7;
            let mut stepped = net();
            let mut trainer = if index == 0 {
                Trainer::new(MeanSquaredError, Sgd::new()).slopes(Huber::new(0.3), weight)
            } else {
                Trainer::new(SumSquaredError, Sgd::new())
                    .slopes(Reduced::new(LogCosh, Reduction::Sum), weight)
            }
            .learning_rate(1.0);
            let step = trainer.step(&mut stepped, data.inputs(), data)?;
            let want = cost(&net(), data, (&**loss, &**by_slopes), weight)?;
            assert!(
                (step.cost - want).abs() < 1e-13 * want,
                "{} {want}",
                step.cost
            );
            assert!((trainer.evaluate(&net(), data)?.cost - want).abs() < 1e-13 * want);
            let before = net();
            let mut params = before.params().to_vec();
            for i in 0..params.len() {
                let start = params[i];
                let mut at = |p| {
                    params[i] = p;
                    let mut other = before.clone();
                    other.set_params(&params)?;
                    cost(&other, data, (&**loss, &**by_slopes), weight)
                };
                let numeric = (at(start + 1e-5)? - at(start - 1e-5)?) / 2e-5;
                params[i] = start;
                let got = start - stepped.params()[i];
                assert!(
                    (got - numeric).abs() < 1e-8,
                    "{index}, {i}: {got}, not {numeric}"
                );
            }
        }
    }
    Ok(())
}

/// With dropout and batch norm the outputs are those of training, the slopes those of what is
/// predicted; and each step draws anew.
#[test]
fn outputs_of_training_and_slopes_of_predictions() -> Result<()> {
    let data = data(9);
    let before = Sequential::builder(2)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(BatchNorm::new())
        .layer(Dropout::new(0.4))
        .layer(Dense::new(2, Activation::Linear))
        .seed(1)
        .build()?;
    let mut net = before.clone();
    let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
        .slopes(MeanSquaredError, 0.5)
        .learning_rate(1.0)
        .seed(7);
    for step in 0..3 {
        let before = net.clone();
        let mut tape = Tape::with_seed(7);
        tape.seek(7, step);
        let values = before.gradient(data.inputs(), &data, &MeanSquaredError, &mut tape)?;
        let mut expected = tape.grads().to_vec();
        let axes = DMatrix::from_fn(2, 18, |i, c| f64::from(i == c % 2));
        let slopes = data.slopes().expect("slopes").as_slice();
        let cost = before.gradient_with_slopes(
            data.inputs(),
            &axes,
            &mut tape,
            |_, dot, _, mut dy_dot| {
                let mut cost = 0.0;
                let pairs = dot.as_slice().iter().zip(slopes);
                for (dy, (y, s)) in dy_dot.as_mut_slice().iter_mut().zip(pairs) {
                    cost += 0.5 * (y - s) * (y - s) / 36.0;
                    *dy = (y - s) / 36.0;
                }
                Ok(cost)
            },
        )?;
        expected
            .iter_mut()
            .zip(tape.grads())
            .for_each(|(sum, g)| *sum += g);
        let taken = trainer.step(&mut net, data.inputs(), &data)?;
        assert!((taken.cost - values - cost).abs() < 1e-14, "{}", taken.cost);
        for placed in before.named_parameters() {
            if placed.block.role == Role::Statistic {
                assert_ne!(
                    net.params()[placed.range.clone()],
                    before.params()[placed.range]
                );
                continue;
            }
            for i in placed.range {
                let change = before.params()[i] - net.params()[i];
                assert!(
                    (change - expected[i]).abs() < 1e-13,
                    "{change}, not {}",
                    expected[i]
                );
            }
        }
    }
    assert_ne!(net, before);
    Ok(())
}

/// Mini-batches that make a step together, threads, and a weight of 0 change no more than they
/// should.
#[test]
fn the_same_in_other_ways() -> Result<()> {
    let data = data(24);
    let fit = |trainer: Trainer<'_, f64>, data: &Dataset<f64>| -> Result<_> {
        let mut net = net();
        let history = trainer.learning_rate(0.02).epochs(6).fit(&mut net, data)?;
        Ok((net, history.last().map(|epoch| epoch.cost)))
    };
    let trainer = || Trainer::new(MeanSquaredError, Adam::new()).slopes(MeanSquaredError, 0.5);
    let (whole, _) = fit(trainer().batch_size(8), &data)?;
    let (parts, _) = fit(trainer().batch_size(2).accumulate(4), &data)?;
    for (a, b) in whole.params().iter().zip(parts.params()) {
        assert!((a - b).abs() < 1e-9, "{a} and {b}");
    }
    #[cfg(feature = "parallel")]
    assert_eq!(fit(trainer().batch_size(8).threads(2), &data)?.0, whole);
    let without = Trainer::new(MeanSquaredError, Adam::new());
    let none = Trainer::new(MeanSquaredError, Adam::new()).slopes(MeanSquaredError, 0.0);
    let plain = data.clone().without_slopes();
    assert_eq!(fit(without, &plain)?, fit(none, &data)?);
    assert_ne!(
        fit(trainer(), &data)?.0,
        fit(Trainer::new(MeanSquaredError, Adam::new()), &plain)?.0
    );
    Ok(())
}

/// The same bits on threads, of networks that are wide enough to be worth them, in one pass and in
/// two.
#[cfg(feature = "parallel")]
#[test]
fn on_threads() -> Result<()> {
    let data = data(200);
    for chance in [false, true] {
        let fit = |threads: usize| -> Result<_> {
            let builder = Sequential::builder(2).layer(Dense::new(200, Activation::Tanh));
            let builder = if chance {
                builder.layer(Dropout::new(0.3)).layer(BatchNorm::new())
            } else {
                builder
            };
            let mut net = builder
                .layer(Dense::new(150, Activation::Gelu))
                .layer(Dense::new(2, Activation::Linear))
                .seed(1)
                .build()?;
            let history = Trainer::new(MeanSquaredError, Adam::new())
                .slopes(Huber::new(1.0), 0.5)
                .batch_size(100)
                .epochs(2)
                .validation_data(&data)
                .threads(threads)
                .fit(&mut net, &data)?;
            Ok((net, history))
        };
        let alone = fit(1)?;
        assert_eq!(alone, fit(2)?);
        assert_eq!(alone, fit(3)?);
    }
    Ok(())
}

/// Slopes go with their samples, whatever is done to a data set.
#[test]
fn slopes_go_with_their_samples() -> Result<()> {
    let data = data(12);
    let slope = |data: &Dataset<f64>, j: usize| {
        let (x, s) = (data.inputs().column(j), data.slopes().expect("slopes"));
        assert_eq!((s[(2, j)], s[(1, j)]), (x[0].sin(), 2.0 * x[0]));
    };
    let (first, second) = data.split(0.5, 3)?;
    let folds = data.k_fold(3, 1)?.flat_map(|(train, judge)| [train, judge]);
    let all = [
        first,
        second,
        data.select(&[5, 5, 0])?,
        data.clone().weighted(vec![1.0; 12])?,
    ];
    for part in all.into_iter().chain(folds) {
        (0..part.len()).for_each(|j| slope(&part, j));
    }
    let mut batches = chainrule::data::Batches::shuffled(5, 1)?;
    let mut epoch = batches.epoch(&data, 0);
    let mut seen = 0;
    while let Some(batch) = epoch.next_batch() {
        let slopes = batch
            .target
            .slopes()
            .expect("slopes")
            .as_matrix()
            .into_owned();
        let x = batch.x.as_matrix();
        for j in 0..x.ncols() {
            assert_eq!(slopes[(2, j)], x[(0, j)].sin());
        }
        seen += x.ncols();
    }
    assert_eq!(seen, 12);
    assert_ne!(data, data.clone().without_slopes());
    Ok(())
}

/// A model learns from slopes in the units of the data as its network does from scaled ones.
#[test]
fn in_the_units_of_the_data() -> Result<()> {
    let data = data(16);
    let inputs = Scaler::new(vec![0.25, -1.0], vec![2.0, 0.5])?;
    let outputs = Scaler::new(vec![1.0, 3.0], vec![4.0, 0.125])?;
    let trainer = || {
        let trainer = Trainer::new(MeanSquaredError, Adam::new()).slopes(MeanSquaredError, 0.5);
        trainer.learning_rate(0.01).epochs(3).batch_size(5)
    };
    for (inputs, outputs) in [
        (Some(inputs.clone()), Some(outputs.clone())),
        (Some(inputs), None),
        (None, Some(outputs)),
        (None, None),
    ] {
        let mut model = Model::new(net(), inputs, outputs)?;
        let mut by_hand = model.clone();
        let scaled = model.scale(data.clone())?;
        let slopes = scaled.slopes().expect("slopes");
        let factor = |scaler: Option<&Scaler<f64>>, i: usize| scaler.map_or(1.0, |s| s.scale()[i]);
        for (row, (input, output)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
            let by = factor(model.input_scaler(), input) / factor(model.output_scaler(), output);
            let original = data.slopes().expect("slopes").row(row) * by;
            assert_eq!(slopes.row(row), original); // powers of two
        }
        let mut own = trainer().validation_data(&scaled);
        let expected = own.fit(by_hand.net_mut(), &scaled)?;
        let mut own = trainer().validation_data(&data);
        let history = model.fit(&mut own, &data)?;
        assert_eq!((model.net(), history), (by_hand.net(), expected));
        let judged = model.evaluate(&mut trainer(), &data)?;
        assert_eq!(judged, trainer().evaluate(model.net(), &scaled)?);
        // and sample by sample
        let (mut one, mut other) = (trainer(), trainer());
        model.step(&mut one, data.inputs(), &data)?;
        other.step(by_hand.net_mut(), scaled.inputs(), &scaled)?;
        assert_eq!(model.net(), by_hand.net());
    }
    Ok(())
}

/// A run that was interrupted goes on to the same bits, and only with the same settings and data.
#[test]
fn checkpoints() -> Result<()> {
    let data = data(22);
    let net = || -> Result<Sequential<f64>> {
        Sequential::builder(2)
            .layer(Dense::new(5, Activation::Tanh))
            .layer(BatchNorm::new())
            .layer(Dropout::new(0.2))
            .layer(Dense::new(2, Activation::Linear))
            .seed(1)
            .build()
    };
    let trainer = |weight: f64| {
        let trainer = Trainer::new(MeanSquaredError, Adam::new()).learning_rate(0.02);
        trainer
            .slopes(Huber::new(0.5), weight)
            .batch_size(4)
            .epochs(5)
    };
    let mut whole = net()?;
    let history = trainer(0.3).fit(&mut whole, &data)?;
    assert!(history.costs().last() < history.costs().next());
    let folder = Folder::new("slopes");
    for steps in [1, 7, 12] {
        let mut begun = net()?;
        trainer(0.3)
            .checkpoint(folder.file(), CheckpointEvery::Steps(1))
            .observe(crate::Limit(steps))
            .fit(&mut begun, &data)?;
        let (mut resumed, mut again) = (net()?, trainer(0.3));
        again.resume(&mut resumed, folder.file())?;
        assert_eq!(again.fit(&mut resumed, &data)?, history);
        assert_eq!(resumed, whole);
        let other = trainer(0.4)
            .resume(&mut resumed, folder.file())
            .unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Incompatible);
        let mut plain = Trainer::new(MeanSquaredError, Adam::new()).batch_size(4);
        let other = plain.resume(&mut resumed, folder.file()).unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Incompatible);
        // Other slopes are other data.
        let slopes = data.slopes().expect("slopes") * 2.0;
        let changed = data.clone().with_slopes(slopes)?;
        let mut again = trainer(0.3);
        again.resume(&mut resumed, folder.file())?;
        assert_eq!(
            again.fit(&mut resumed, &changed).unwrap_err().kind(),
            ErrorKind::Incompatible
        );
    }
    let lbfgs = || {
        Lbfgs::new(MeanSquaredError)
            .slopes(MeanSquaredError, 0.5)
            .epochs(9)
    };
    let mut whole = self::net();
    lbfgs().fit(&mut whole, &data)?;
    let (mut begun, mut resumed) = (self::net(), self::net());
    lbfgs()
        .checkpoint(folder.file(), CheckpointEvery::Steps(1))
        .observe(crate::Limit(4))
        .fit(&mut begun, &data)?;
    let mut again = lbfgs();
    again.resume(&mut resumed, folder.file())?;
    again.fit(&mut resumed, &data)?;
    assert_eq!(resumed, whole);
    Ok(())
}

/// The root mean square error of a network on a sine between its samples.
fn error_of_sine(net: &Sequential<f64>) -> Result<f64> {
    let x = DMatrix::from_fn(1, 400, |_, j| -PI + 2.0 * PI * j as f64 / 399.0);
    metrics::root_mean_squared_error(&net.predict(&x)?, &x.map(|x| (2.0 * x).sin()))
}

/// Ten samples of two periods of a sine: with their slopes the error is at least ten times smaller,
/// by each of three methods.
#[test]
fn ten_samples_of_a_sine() -> Result<()> {
    let x = DMatrix::from_fn(1, 10, |_, j| -PI + 2.0 * PI * (j as f64 + 0.5) / 10.0);
    let plain = Dataset::new(x.clone(), x.map(|x| (2.0 * x).sin()))?;
    let slopes = plain
        .clone()
        .with_slopes(x.map(|x| 2.0 * (2.0 * x).cos()))?;
    let net = |seed| {
        Sequential::builder(1)
            .layer(Dense::new(20, Activation::Tanh))
            .layer(Dense::new(20, Activation::Tanh))
            .layer(Dense::new(1, Activation::Linear))
            .seed(seed)
            .build()
    };
    for seed in 1..4 {
        let mut errors = vec![];
        for data in [&plain, &slopes] {
            let mut adam = Trainer::new(MeanSquaredError, Adam::new())
                .learning_rate(
                    Schedule::Cosine {
                        rate: 0.01,
                        min: 0.0,
                        steps: 100,
                    }
                    .in_percent(),
                )
                .epochs(3000);
            let mut lbfgs = Lbfgs::new(MeanSquaredError).gradient_tolerance(1e-7);
            let mut scg = ScaledConjugateGradient::new(MeanSquaredError).epochs(2000);
            if data.slopes().is_some() {
                adam = adam.slopes(MeanSquaredError, 1.0);
                lbfgs = lbfgs.slopes(MeanSquaredError, 1.0);
                scg = scg.slopes(MeanSquaredError, 1.0);
            }
            let (mut a, mut b, mut c) = (net(seed)?, net(seed)?, net(seed)?);
            adam.fit(&mut a, data)?;
            lbfgs.fit(&mut b, data)?;
            scg.fit(&mut c, data)?;
            errors.push([error_of_sine(&a)?, error_of_sine(&b)?, error_of_sine(&c)?]);
        }
        println!("seed {seed}: {errors:?}");
        for (without, with) in errors[0].iter().zip(errors[1]) {
            assert!(with < 0.1 * without, "seed {seed}: {with} and {without}");
        }
    }
    Ok(())
}

/// Slopes alone: a potential from its forces, up to a constant. The targets are not looked at.
#[test]
fn slopes_alone() -> Result<()> {
    let x = DMatrix::from_fn(2, 60, |i, j| 1.2 * (1.7 * ((i + 1) * (j + 1)) as f64).sin());
    let forces = DMatrix::from_fn(2, 60, |i, j| x[(i, j)] + x[(1 - i, j)] * 0.5);
    let potential = |x: &[f64]| 0.5 * (x[0] * x[0] + x[1] * x[1] + x[0] * x[1]);
    let fit = |targets: f64| -> Result<Sequential<f64>> {
        let data = Dataset::new(x.clone(), DMatrix::from_element(1, 60, targets))?
            .with_slopes(forces.clone())?;
        let mut net = Sequential::builder(2)
            .layer(Dense::new(16, Activation::Tanh))
            .layer(Dense::new(1, Activation::Linear))
            .seed(2)
            .build()?;
        let history = Lbfgs::new(MeanSquaredError)
            .slopes(MeanSquaredError, 1.0)
            .without_values()
            .epochs(500)
            .fit(&mut net, &data)?;
        assert!(history.costs().last() < Some(1e-4));
        Ok(net)
    };
    let net = fit(0.0)?;
    assert_eq!(net, fit(1e6)?);
    let origin = net.predict(&[0.0, 0.0])?[0];
    for point in [[1.0, 0.0], [0.0, -1.0], [0.7, 0.7], [-0.5, 0.5]] {
        let rise = net.predict(&point)?[0] - origin;
        assert!(
            (rise - potential(&point)).abs() < 0.02,
            "{rise} at {point:?}"
        );
    }
    // The outputs' place is free, so nothing moves the last bias.
    let start = Sequential::<f64>::builder(2)
        .layer(Dense::new(16, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .seed(2)
        .build()?;
    assert_eq!(net.bias(1)?, start.bias(1)?);
    let data = data(10);
    let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
        .slopes(MeanSquaredError, 2.0)
        .without_values();
    let cost = trainer.evaluate(&self::net(), &data)?.cost;
    let step = trainer.step(&mut self::net(), data.inputs(), &data)?;
    assert!((step.cost - cost).abs() < 1e-14);
    Ok(())
}

#[test]
fn refusals() -> Result<()> {
    let with = data(6);
    let plain = with.clone().without_slopes();
    let before = net();
    let mut net = net();
    let learns = || Trainer::new(MeanSquaredError, Adam::new()).slopes(MeanSquaredError, 1.0);
    let none = "slopes: got slopes of samples, expected none, for a trainer that does not learn \
                from slopes (Trainer::slopes and Lbfgs::slopes do; of weight 0, they leave them \
                out)";
    let missing = "slopes: got none, expected those of each sample (Dataset::with_slopes), of \
                   which the trainer makes a cost";
    let kind = ErrorKind::Incompatible;
    let plainly = || Trainer::new(MeanSquaredError, Adam::new());
    refused(
        plainly().fit(&mut net, &with),
        kind,
        &format!("training data: {none}"),
    );
    refused(plainly().step(&mut net, with.inputs(), &with), kind, none);
    refused(plainly().evaluate(&net, &with), kind, none);
    let mut least = LevenbergMarquardt::new();
    refused(
        least.fit(&mut net, &with),
        kind,
        &format!("training data: {none}"),
    );
    refused(
        Lbfgs::new(MeanSquaredError).fit(&mut net, &with),
        kind,
        &format!("training data: {none}"),
    );
    refused(
        learns().fit(&mut net, &plain),
        kind,
        &format!("training data: {missing}"),
    );
    refused(
        learns().validation_data(&plain).fit(&mut net, &with),
        kind,
        &format!("validation data: {missing}"),
    );
    refused(learns().evaluate(&net, &plain), kind, missing);
    refused(
        learns().step(&mut net, plain.inputs(), &plain),
        kind,
        missing,
    );
    refused(
        plainly()
            .slopes(MeanSquaredError, -1.0)
            .fit(&mut net, &with),
        ErrorKind::Value,
        "training data: weight of slopes: got -1, expected a finite number ≥ 0",
    );
    refused(
        plainly().slopes(SumSquaredError, 1.0).fit(&mut net, &with),
        kind,
        "training data: loss of slopes: got Sum, expected Mean over samples, as the loss of the \
         outputs (Reduced gives a loss another)",
    );
    refused(
        plainly()
            .slopes(Quantile::new(&[0.1, 0.9]), 1.0)
            .fit(&mut net, &with),
        kind,
        "training data: loss of slopes: got Quantile, expected one that compares any numbers, \
         each with its own target",
    );
    refused(
        plainly()
            .slopes(BinaryCrossEntropy, 1.0)
            .fit(&mut net, &with),
        kind,
        "training data: loss of slopes: got BinaryCrossEntropy, expected one that compares any \
         numbers, each with its own target",
    );
    refused(
        plainly().without_values().fit(&mut net, &plain),
        kind,
        "training data: without_values: got none, expected a loss of slopes, which is then the \
         whole cost",
    );
    refused(
        plainly()
            .slopes(MeanSquaredError, 0.0)
            .without_values()
            .fit(&mut net, &with),
        ErrorKind::Value,
        "training data: weight of slopes: got 0, expected a number above 0 where the values cost \
         nothing",
    );
    let few = Targets::from(plain.targets()).with_slopes(with.targets())?;
    refused(
        learns().step(&mut net, with.inputs(), few),
        ErrorKind::Shape,
        "slopes: got 2 × 6, expected 4 × 6",
    );
    let slopes = with.slopes().expect("slopes").clone();
    let mut holes = slopes.clone();
    holes[(2, 3)] = f64::NAN;
    let hole = Targets::from(plain.targets()).with_slopes(&holes)?;
    let error = learns().step(&mut net, with.inputs(), hole).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFinite);
    assert!(error.place().starts_with("slopes: "), "{error}");
    assert_eq!(net, before, "nothing has changed");

    let surrogate = Activation::Step.surrogate(Activation::Sigmoid);
    let mut net = Sequential::<f64>::builder(2)
        .layer(Dense::new(3, surrogate))
        .layer(Dense::new(2, Activation::Linear))
        .seed(1)
        .build()?;
    let before = net.clone();
    let mut lbfgs = Lbfgs::new(MeanSquaredError).slopes(MeanSquaredError, 1.0);
    for error in [
        learns().fit(&mut net, &with).unwrap_err(),
        lbfgs.fit(&mut net, &with).unwrap_err(),
        learns().step(&mut net, with.inputs(), &with).unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.given()),
            (kind, "step surrogate sigmoid")
        );
    }
    assert_eq!(net, before, "nothing has changed");

    // Data sets.
    refused(
        plain.clone().with_slopes(slopes.columns(0, 5).into_owned()),
        ErrorKind::Shape,
        "slopes of Dataset (outputs·features × samples): got 4 × 5, expected 4 × 6",
    );
    refused(
        plain.clone().with_slopes(holes),
        ErrorKind::NotFinite,
        "slopes of Dataset, row 2, column 3: got NaN, expected a finite number",
    );
    for (place, result) in [
        ("Dataset::map_inputs", with.clone().map_inputs(Ok)),
        ("Dataset::map_targets", with.clone().map_targets(Ok)),
    ] {
        refused(
            result,
            kind,
            &format!(
                "{place}: got slopes, expected samples without slopes (map first, and then give \
                 slopes in the new units by Dataset::with_slopes, or leave them out by \
                 Dataset::without_slopes)"
            ),
        );
    }
    for slopes in [View::new(&[1.0, 2.0], 1)?, View::from(&[1.0; 0])] {
        let given = (slopes.rows(), slopes.cols());
        let error = Targets::from(plain.targets())
            .with_slopes(slopes)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape, "{given:?}");
    }
    Ok(())
}
