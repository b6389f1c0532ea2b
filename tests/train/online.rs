//! Steps in the units of the data, and schedules of epochs and runs in a trainer.

use chainrule::nn::loss::OutputFunction;
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::{ErrorKind, View};
use core::ops::ControlFlow;

fn data(samples: usize) -> Dataset<f64> {
    let x = DMatrix::from_fn(2, samples, |i, j| {
        100.0 + 7.0 * f64::sin(((i + 3) * (j + 1)) as f64 * 0.37)
    });
    let t = DMatrix::from_fn(1, samples, |_, j| x[(0, j)] * x[(1, j)]);
    Dataset::new(x, t).expect("sound data")
}

fn net() -> Sequential<f64> {
    Sequential::builder(2)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network")
}

/// The same bits as scaled samples by hand, and as `fit` in the same mini-batches.
#[test]
fn steps_in_the_units_of_the_data() -> Result<()> {
    let data = data(12);
    let (x, t) = (
        Scaler::standard(data.inputs())?,
        Scaler::min_max(data.targets())?,
    );
    for (inputs, outputs) in [
        (Some(&x), Some(&t)),
        (Some(&x), None),
        (None, Some(&t)),
        (None, None),
    ] {
        let trainer = || Trainer::new(MeanSquaredError, Adam::new()).learning_rate(0.01);
        let mut model = Model::new(net(), inputs.cloned(), outputs.cloned())?;
        let (mut by_hand, mut fitted) = (model.clone(), model.clone());
        let (mut online, mut own) = (trainer(), trainer());
        for t in 0..6 {
            let batch: Vec<usize> = (0..4).map(|k| (4 * t + k) % 12).collect();
            let batch = data.select(&batch)?;
            let step = model.step(&mut online, batch.inputs(), &batch)?;
            let scaled = by_hand.scale(batch)?;
            let expected = own.step(by_hand.net_mut(), scaled.inputs(), &scaled)?;
            assert_eq!(step, expected);
        }
        assert_eq!(model, by_hand);
        fitted.fit(&mut trainer().batch_size(4).shuffle(false).epochs(2), &data)?;
        assert_eq!(model, fitted);
    }
    Ok(())
}

#[test]
fn what_a_step_of_a_model_says_and_refuses() -> Result<()> {
    let labels = Dataset::from_rows(&[3.0, 4.0, 60.0, 70.0], 1, &[0.0, 0.0, 1.0, 1.0], 1)?;
    let net = || {
        Sequential::<f64>::builder(1)
            .layer(Dense::new(1, Activation::Linear))
            .seed(1)
            .build()
    };
    let mut model = Model::new(net()?, Scaler::standard(labels.inputs())?, None)?
        .with_classes(["cat", "human"])?;
    let mut trainer = Trainer::new(SigmoidCrossEntropy::new(), Adam::new()).learning_rate(0.1);
    assert_eq!(model.output_function(), OutputFunction::Identity);
    let before = model.clone();
    // Too many features, no number, too many targets.
    let wide = [1.0, 2.0];
    for (x, t) in [
        (View::from(&wide), View::from(&wide[..1])),
        (View::from(&[f64::NAN]), View::from(&wide[..1])),
        (View::from(&wide[..1]), View::from(&wide)),
    ] {
        assert!(model.step(&mut trainer, x, t).is_err());
        assert_eq!(model, before);
    }
    for _ in 0..200 {
        model.step(&mut trainer, labels.inputs(), &labels)?;
    }
    assert_eq!(model.output_function(), OutputFunction::Sigmoid);
    assert_eq!(
        model.predict_classes(View::new(&[3.5, 65.0], 1)?)?,
        ["cat", "human"]
    );
    // Scores of a scaler are no logits.
    let scaler = Scaler::standard(labels.inputs())?;
    let mut model = Model::new(net()?, None, scaler)?;
    let error = model
        .step(&mut trainer, &wide[..1], View::from(&wide[..1]))
        .expect_err("a scaler");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Incompatible, "Model::step")
    );
    Ok(())
}

/// The rates of the last steps of the epochs.
fn rates(trainer: &mut Trainer<'_, f64>, net: &mut Sequential<f64>) -> Result<Vec<f64>> {
    let history = trainer.fit(net, &data(12))?;
    Ok(history
        .epochs
        .iter()
        .map(|epoch| epoch.learning_rate)
        .collect())
}

fn trainer<'a>(rate: Schedule) -> Trainer<'a, f64> {
    Trainer::new(MeanSquaredError, Sgd::new())
        .learning_rate(rate)
        .batch_size(4) // three in an epoch
        .epochs(4)
}

fn line(steps: u64) -> Schedule {
    Schedule::Polynomial {
        rate: 1e-9,
        end: 0.0,
        power: 1.0,
        steps,
    }
}

#[test]
fn rates_in_epochs() -> Result<()> {
    let (mut net, mut in_steps) = (net(), net());
    let mut trainer = self::trainer(line(10).in_epochs());
    let expected = |epochs: std::ops::Range<u64>| -> Vec<f64> {
        epochs.map(|epoch| line(30).rate(3 * epoch + 2)).collect()
    };
    // Over the trainer's life.
    assert_eq!(rates(&mut trainer, &mut net)?, expected(0..4));
    assert_eq!(rates(&mut trainer, &mut net)?, expected(4..8));
    // To the bits of the same in steps.
    self::trainer(line(30))
        .epochs(8)
        .fit(&mut in_steps, &data(12))?;
    assert_eq!(net, in_steps);
    // Two of three mini-batches together are two steps an epoch.
    let mut together = self::trainer(line(10).in_epochs()).accumulate(2);
    let expected: Vec<f64> = (0..4).map(|epoch| line(20).rate(2 * epoch + 1)).collect();
    assert_eq!(rates(&mut together, &mut self::net())?, expected);
    Ok(())
}

#[test]
fn rates_in_percent() -> Result<()> {
    let expected: Vec<f64> = (0..4).map(|epoch| line(12).rate(3 * epoch + 2)).collect();
    let near = |found: Vec<f64>| {
        assert_eq!(found.len(), expected.len());
        assert!(
            found
                .iter()
                .zip(&expected)
                .all(|(a, b)| (a - b).abs() < 1e-24),
            "{found:?}"
        );
    };
    let mut net = net();
    let mut trainer = self::trainer(line(100).in_percent());
    near(rates(&mut trainer, &mut net)?);
    // Each call is a run.
    near(rates(&mut trainer, &mut net)?);
    // Ended early, what would have come is left out, and the next run begins anew.
    let mut trainer = self::trainer(line(100).in_percent());
    let mut stopping = trainer.on_epoch(|epoch, _| match epoch.epoch {
        1 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let first = rates(&mut stopping, &mut net)?;
    assert_eq!(first.len(), 2);
    assert!(
        first
            .iter()
            .zip(&expected)
            .all(|(a, b)| (a - b).abs() < 1e-24)
    );
    near(rates(&mut stopping, &mut net)?);
    trainer = self::trainer(line(100).in_percent());
    // A plateau multiplies what the schedule says.
    let plateau = ReduceOnPlateau {
        factor: 0.5,
        patience: 0,
        ..ReduceOnPlateau::new()
    };
    let mut halved = trainer.reduce_on_plateau(
        Monitor::TrainingCost,
        ReduceOnPlateau {
            min_change: f64::MAX,
            ..plateau
        },
    );
    assert!(
        rates(&mut halved, &mut net)?
            .iter()
            .zip(&expected)
            .all(|(a, b)| *a <= b + 1e-24)
    );
    Ok(())
}

#[test]
fn a_single_step_has_no_epoch() -> Result<()> {
    let (data, before) = (data(12), net());
    let warm = Schedule::from(1.0).warm_up(5);
    let product = Schedule::Product {
        schedules: vec![warm, line(100).in_percent()],
    };
    for rate in [line(3).in_epochs(), line(100).in_percent(), product] {
        let (mut net, mut trainer) = (net(), trainer(rate));
        let error = trainer
            .step(&mut net, data.inputs(), &data)
            .expect_err("no epoch");
        let place = "learning rate of Trainer::step";
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Incompatible, place)
        );
        assert_eq!(net, before);
        trainer.fit(&mut net, &data)?;
        assert_ne!(net, before);
    }
    let mut bad = trainer(Schedule::from(-1.0).in_epochs());
    assert!(bad.fit(&mut net(), &data).is_err());
    Ok(())
}
