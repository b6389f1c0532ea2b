//! The range test of learning rates.

use crate::common::refused;
use chainrule::ErrorKind::Value;
use chainrule::nalgebra::DMatrix;
use chainrule::optim::{Clip, Penalty, Schedule};
use chainrule::prelude::*;
use chainrule::selection::{RateRange, rate_range_test};

fn data() -> Dataset<f64> {
    let x = DMatrix::from_fn(2, 90, |i, j| ((i + 2) * (j + 1) % 17) as f64 / 8.0 - 1.0);
    let t = DMatrix::from_fn(1, 90, |_, j| (2.0 * x[(0, j)]).sin() + x[(1, j)]);
    Dataset::new(x, t).expect("sound data")
}

fn net() -> Sequential<f64> {
    Sequential::builder(2)
        .layer(Dense::new(12, Activation::Tanh))
        .layer(Dropout::new(0.1))
        .layer(Dense::new(1, Activation::Linear))
        .seed(4)
        .build()
        .expect("a sound network")
}

/// Without dropout.
fn plain() -> Sequential<f64> {
    Sequential::builder(2)
        .layer(Dense::new(12, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .seed(4)
        .build()
        .expect("a sound network")
}

fn trainer<'a>() -> Trainer<'a, f64> {
    Trainer::new(MeanSquaredError, Adam::new())
        .batch_size(16)
        .seed(3)
        .penalty(Penalty::new().l2(1e-4))
        .clip(Clip::GlobalNorm(10.0))
}

/// The steps are those of the trainer with a schedule that grows, on its mini-batches.
#[test]
fn steps_are_those_of_the_trainer() -> Result<()> {
    let (data, before) = (data(), net());
    let net = before.clone();
    let steps = 20;
    let mut trainer = trainer().learning_rate(0.02);
    let range = rate_range_test(&mut trainer, &net, &data, 1e-4..=1e-2, steps)?;
    assert_eq!(net.params(), before.params());
    let rate = |i: usize| 10.0_f64.powf(-4.0 + 2.0 * i as f64 / 19.0);

    let mut costs = Vec::new();
    let mut other = self::trainer()
        .learning_rate(Schedule::custom(move |step| rate(step as usize)))
        .epochs(4)
        .observe(Costs(&mut costs));
    other.fit(&mut net.clone(), &data)?;
    drop(other);
    assert_eq!(range.points().len(), steps);
    for (i, (point, cost)) in range.points().iter().zip(&costs).enumerate() {
        assert!((point.rate / rate(i) - 1.0).abs() < 1e-12);
        assert!(
            (point.cost / cost - 1.0).abs() < 1e-9,
            "step {i}: {} and {cost}",
            point.cost
        );
    }
    assert_eq!(
        (range.points()[0].rate, range.points()[19].rate),
        (1e-4, 1e-2)
    );

    // The smoothed cost by its definition, an average with weights that fall.
    for n in 1..=steps {
        let weights: Vec<f64> = (0..n).map(|i| 0.9_f64.powi((n - 1 - i) as i32)).collect();
        let costs = range.points().iter().map(|point| point.cost);
        let sum: f64 = weights
            .iter()
            .zip(costs)
            .map(|(weight, cost)| weight * cost)
            .sum();
        let smoothed = sum / weights.iter().sum::<f64>();
        assert!((range.points()[n - 1].smoothed / smoothed - 1.0).abs() < 1e-12);
    }

    // The trainer is as a new one, with its own rate, and the test repeats to the last bit.
    assert_eq!(
        rate_range_test(&mut trainer, &net, &data, 1e-4..=1e-2, steps)?,
        range
    );
    let (mut one, mut two) = (net.clone(), net.clone());
    trainer.fit(&mut one, &data)?;
    self::trainer().learning_rate(0.02).fit(&mut two, &data)?;
    assert_eq!(one.params(), two.params());
    Ok(())
}

struct Costs<'c>(&'c mut Vec<f64>);

impl chainrule::train::Observer<f64> for Costs<'_> {
    fn on_batch(
        &mut self,
        step: &chainrule::train::Step,
        _: &Sequential<f64>,
    ) -> std::ops::ControlFlow<()> {
        self.0.push(step.cost);
        std::ops::ControlFlow::Continue(())
    }
}

fn range(rates: std::ops::RangeInclusive<f64>, steps: usize) -> Result<RateRange> {
    rate_range_test(&mut trainer(), &net(), &data(), rates, steps)
}

/// It ends where the cost explodes, and suggests a rate at which a network learns.
#[test]
fn it_ends_in_time() -> Result<()> {
    let range = range(1e-5..=1e3, 200)?;
    assert!(range.points().len() < 200);
    let last = range.points().last().expect("a step");
    let smallest = range
        .points()
        .iter()
        .map(|point| point.smoothed)
        .fold(f64::INFINITY, f64::min);
    assert!(last.smoothed > 4.0 * smallest);
    // By its definition: half the rate at which half of the fall is done.
    let rate = range.suggestion()?;
    let points = range.points();
    let start = points[..20].iter().map(|point| point.cost).sum::<f64>() / 20.0;
    let half = (start + smallest) / 2.0;
    let at = points
        .iter()
        .position(|point| point.rate == 2.0 * rate)
        .expect("one of the rates");
    let end = points
        .iter()
        .position(|point| point.smoothed == smallest)
        .expect("a smallest");
    assert!(20 < at && at < end && points[at - 1].smoothed > half);
    assert!(points[at..=end].iter().all(|point| point.smoothed <= half));
    let mut trained = net();
    let mut trainer = trainer().learning_rate(rate).epochs(60);
    trainer.fit(&mut trained, &data())?;
    assert!(trainer.evaluate(&trained, &data())?.cost < 0.1);
    Ok(())
}

/// Rates all too small or too large suggest nothing.
#[test]
fn ranges_that_miss() -> Result<()> {
    let error = range(1e-9..=1e-3, 60)?
        .suggestion()
        .expect_err("still falling");
    assert_eq!(
        (error.kind(), error.place()),
        (Value, "RateRange::suggestion")
    );
    let large = rate_range_test(
        &mut Trainer::new(MeanSquaredError, Sgd::new()),
        &net(),
        &data(),
        1e3..=1e300,
        60,
    )?;
    assert!(large.points().len() < 60);
    let error = large.suggestion().expect_err("never falls");
    assert!(
        error.expected().contains("begin at a lower rate"),
        "{error}"
    );
    // Without noise, any fall counts.
    let mut steps = trainer().batch_size(90);
    assert!(
        rate_range_test(&mut steps, &plain(), &data(), 1e-6..=1e-4, 60)?
            .suggestion()
            .is_ok()
    );
    Ok(())
}

#[test]
fn what_is_refused() {
    let positive = "expected a finite number above 0";
    for (rates, text) in [
        (0.0..=1.0, format!("rate_range_test: got 0, {positive}")),
        (
            1e-3..=f64::INFINITY,
            format!("rate_range_test: got inf, {positive}"),
        ),
        (
            f64::NAN..=1.0,
            format!("rate_range_test: got NaN, {positive}"),
        ),
        (
            1.0..=1.0,
            "rate_range_test: got 1.0 and 1.0, expected rates of which the first is smaller".into(),
        ),
    ] {
        refused(range(rates, 10), Value, &text);
    }
    for steps in [0, 1] {
        let text = format!("rate_range_test: got {steps}, expected at least 2 steps");
        refused(range(0.1..=1.0, steps), Value, &text);
    }
    // Those of the trainer, which keeps its rate.
    let mut trainer = trainer().batch_size(0).learning_rate(0.02);
    assert!(rate_range_test(&mut trainer, &net(), &data(), 1e-3..=1.0, 10).is_err());
    assert!(format!("{trainer:?}").contains("0.02"));
}
