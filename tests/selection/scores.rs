//! Scores: mean, deviation and interval.

use crate::common::refused;
use crate::lines;
use chainrule::ErrorKind::{Empty, Value};
use chainrule::nalgebra::DMatrix;
use chainrule::prelude::*;
use chainrule::selection::{Folds, Scores, cross_validate};

/// Quantiles of Student's distribution, got from the intervals of scores whose deviation is known.
#[test]
fn quantiles_as_scipy() -> Result<()> {
    let mut count = 0;
    for line in lines("student") {
        let [freedom, level, expected] = line[..] else {
            panic!("{line:?}")
        };
        let n = 1 + freedom.parse::<usize>().expect("a number");
        let level: f64 = level.parse().expect("a number");
        let expected: f64 = expected.parse().expect("a number");
        // Of ±1, with an additional 0 if their number is odd: mean 0, Σx² = n − n % 2.
        let mut values: Vec<f64> = (0..n - n % 2)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        values.resize(n, 0.0);
        let ratio = 0.25;
        let scores = Scores::new(values, ratio)?;
        let deviation = (((n - n % 2) as f64) / ((n - 1) as f64)).sqrt();
        assert!((scores.deviation() - deviation).abs() < 1e-14);
        assert_eq!(scores.mean(), 0.0);
        let (low, high) = scores.interval(level)?;
        assert_eq!(low, -high);
        let t = high / (deviation * (1.0 / n as f64 + ratio).sqrt());
        assert!((t / expected - 1.0).abs() < 1e-11, "{line:?}: {t}");
        count += 1;
    }
    assert!(count > 300);
    Ok(())
}

/// Of five folds the correction is 1/5 + 1/4, of ten repeats of five 1/50 + 1/4.
#[test]
fn the_correction_is_that_of_the_folds() -> Result<()> {
    let x = DMatrix::from_fn(1, 23, |_, j| j as f64);
    let data = Dataset::new(x.clone(), x)?;
    let last = |_: Dataset<f64>, validation: Dataset<f64>, _| Ok(validation.inputs()[0]);
    for (folds, correction) in [
        (Folds::k_fold(5), 1.0 / 5.0 + 1.0 / 4.0),
        (Folds::k_fold(5).repeated(10), 1.0 / 50.0 + 1.0 / 4.0),
        (Folds::k_fold(23), 1.0 / 23.0 + 1.0 / 22.0),
        // 5, 8, 11, 14, 17 and 20 rows are trained on, 3 are judged.
        (Folds::forward(6), 1.0 / 6.0 + 18.0 / 75.0),
    ] {
        let scores = cross_validate(&data, &folds, 2, last)?;
        let plain = Scores::new(scores.values().to_vec(), 1.0)?;
        let width = |scores: &Scores| scores.interval(0.9).map(|(low, high)| high - low);
        let n = scores.values().len() as f64;
        let found = (width(&scores)? / width(&plain)?).powi(2) * (1.0 / n + 1.0);
        assert!((found - correction).abs() < 1e-12, "{folds:?}");
    }
    Ok(())
}

#[test]
fn what_is_refused() {
    let text = |n| format!("Scores::new: got {n}, expected at least 2 scores");
    refused(Scores::new(vec![], 0.5), Empty, &text(0));
    refused(Scores::new(vec![1.0], 0.5), Empty, &text(1));
    for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let text = format!("Scores::new: got {ratio}, expected a finite number above 0");
        refused(Scores::new(vec![1.0, 2.0], ratio), Value, &text);
    }
    let scores = Scores::new(vec![1.0, 2.0], 0.5).expect("two scores");
    for level in [0.0, 1.0, -0.5, 95.0, f64::NAN] {
        refused(
            scores.interval(level),
            Value,
            &format!("level of Scores::interval: got {level}, expected a number in (0, 1)"),
        );
    }
}

/// Far from 0 no digits are lost, and equal scores have no deviation.
#[test]
fn deviations_do_not_cancel() -> Result<()> {
    let scores = Scores::new(vec![1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0], 0.5)?;
    assert_eq!((scores.mean(), scores.deviation()), (1e9 + 2.0, 1.0));
    let equal = Scores::new(vec![0.1; 7], 0.5)?;
    assert!((equal.mean() - 0.1).abs() < 1e-16 && equal.deviation() < 1e-16);
    Ok(())
}
