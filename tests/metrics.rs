//! Metrics against scikit-learn, against counts made by hand, and at their edges.

use chainrule::nalgebra::{DMatrix, DVector};
use chainrule::nn::loss::OutputFunction;
use chainrule::numeric::{Targets, ViewMut};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, View};
use metrics::{
    Average, Bins, CalibrationPoint, ConfusionMatrix, PrecisionRecallPoint, RocPoint, Ties,
};

/// Written by `reference/metrics.py`: rows, predictions, targets, weights, scikit-learn's metrics.
const TABLE: &str = include_str!("reference/metrics.tsv");

struct Case {
    y: DMatrix<f64>,
    t: DMatrix<f64>,
    w: Option<Vec<f64>>,
    metrics: Vec<(&'static str, Vec<f64>)>,
}

fn numbers(text: &str) -> Vec<f64> {
    text.split(' ')
        .map(|x| x.parse().expect("a number"))
        .collect()
}

fn table() -> Vec<Case> {
    let case = |line: &'static str| {
        let [rows, y, t, w, metrics @ ..] = &*line.split('\t').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        let rows: usize = rows.parse().expect("a number");
        let matrix =
            |text: &str| DMatrix::from_vec(rows, text.split(' ').count() / rows, numbers(text));
        let metrics = metrics
            .iter()
            .map(|metric| metric.split_once(": ").expect("a metric"))
            .map(|(name, value)| (name, numbers(value)));
        Case {
            y: matrix(y),
            t: matrix(t),
            w: (*w != "-").then(|| numbers(w)),
            metrics: metrics.collect(),
        }
    };
    TABLE.lines().skip(1).map(case).collect()
}

/// The metric that the table calls `name`.
fn metric<T: chainrule::Real>(name: &str, y: View<'_, T>, t: Targets<'_, T>) -> Result<Vec<f64>> {
    let (kind, setting) = name.split_once(' ').unwrap_or((name, ""));
    let average = match setting {
        "macro" => Average::Macro,
        "micro" => Average::Micro,
        "weighted" => Average::Weighted,
        class => Average::Class(class.parse().unwrap_or(usize::MAX)),
    };
    let value = match kind {
        "precision" => metrics::precision(y, t, average),
        "recall" => metrics::recall(y, t, average),
        "f1" => metrics::f1(y, t, average),
        "log_loss32" => metrics::log_loss(y, t),
        "top_k" => metrics::top_k_accuracy(y, t, setting.parse().expect("k")),
        "top_k_last" => {
            let k = setting.parse().expect("k");
            metrics::top_k_accuracy_with(y, t, k, Ties::Last)
        }
        "adjusted_r2" => metrics::adjusted_r2(y, t, setting.parse().expect("p")),
        "pinball" => metrics::pinball(y, t, setting.parse().expect("a quantile")),
        "roc_auc_with" => metrics::roc_auc_with(y, t, average),
        "average_precision_with" => metrics::average_precision_with(y, t, average),
        "roc_curve" => {
            let curve = metrics::roc_curve(y, t, setting.parse().expect("a class"))?;
            let numbers = |p: &RocPoint| [p.threshold, p.false_positive_rate, p.true_positive_rate];
            return Ok(curve.points().iter().flat_map(numbers).collect());
        }
        "precision_recall_curve" => {
            let curve = metrics::precision_recall_curve(y, t, setting.parse().expect("a class"))?;
            let numbers = |p: &PrecisionRecallPoint| [p.threshold, p.precision, p.recall];
            return Ok(curve.points().iter().flat_map(numbers).collect());
        }
        "uniform" | "quantile" => {
            let (class, bins) = setting.split_once(' ').expect("a class and bins");
            let bins = bins.parse().expect("bins");
            let bins = match kind {
                "uniform" => Bins::Uniform(bins),
                _ => Bins::Quantile(bins),
            };
            let curve = metrics::calibration_curve(y, t, class.parse().expect("a class"), bins)?;
            let numbers = |p: &CalibrationPoint| [p.predicted, p.actual];
            return Ok(curve.points().iter().flat_map(numbers).collect());
        }
        "confusion" => {
            let matrix = ConfusionMatrix::of(y, t)?;
            let pairs =
                (0..matrix.classes()).flat_map(|a| (0..matrix.classes()).map(move |p| (a, p)));
            return Ok(pairs.map(|(a, p)| matrix.count(a, p)).collect());
        }
        _ => {
            let every = metrics::every_metric();
            let found = every.into_iter().find(|(known, _)| *known == name);
            found.unwrap_or_else(|| panic!("unknown metric {name}")).1(y, t)
        }
    };
    Ok(vec![value?])
}

#[test]
fn as_scikit_learn() -> Result<()> {
    let (mut seen, mut worst) = (std::collections::BTreeMap::new(), 0.0_f64);
    for (line, Case { y, t, w, metrics }) in table().iter().enumerate() {
        for (name, expected) in metrics {
            let given = if *name == "log_loss32" {
                let y = y.map(|v| v as f32);
                let t = t.map(|v| v as f32);
                let w = w
                    .as_ref()
                    .map(|w| w.iter().map(|w| *w as f32).collect::<Vec<_>>());
                let targets = w
                    .as_ref()
                    .map_or(Ok(Targets::from(&t)), |w| Targets::weighted(&t, w))?;
                metric(name, (&y).into(), targets)?
            } else {
                metric(
                    name,
                    y.into(),
                    w.as_ref()
                        .map_or(Ok(Targets::from(t)), |w| Targets::weighted(t, w))?,
                )?
            };
            // scikit-learn's own sums are in single precision there.
            let bound = if *name == "log_loss32" { 1e-6 } else { 1e-13 };
            assert_eq!(given.len(), expected.len());
            for (given, expected) in given.iter().zip(expected) {
                let error = if given == expected {
                    0.0 // ∞, too
                } else {
                    (given - expected).abs() / expected.abs().max(1.0)
                };
                assert!(
                    error <= bound,
                    "{name} of line {}: {given} and {expected}",
                    line + 2
                );
                worst = worst.max(error / bound);
            }
            *seen
                .entry(name.split(' ').next().expect("a name").to_string())
                .or_insert(0) += 1;
        }
    }
    // scikit-learn has no margins.
    let others = [
        "precision",
        "recall",
        "f1",
        "top_k",
        "top_k_last",
        "adjusted_r2",
        "confusion",
        "log_loss32",
        "pinball",
        "roc_auc_with",
        "average_precision_with",
        "roc_curve",
        "precision_recall_curve",
        "uniform",
        "quantile",
    ];
    let every = metrics::every_metric::<f64>().into_iter();
    for name in every
        .map(|(name, _)| name)
        .filter(|name| *name != "margin_accuracy")
        .chain(others)
    {
        assert!(
            seen.contains_key(name),
            "{name} is not in reference/metrics.tsv"
        );
    }
    assert!(worst > 0.0, "nothing was computed");
    Ok(())
}

#[test]
fn the_largest_row() -> Result<()> {
    #[rustfmt::skip]
    let y = DMatrix::from_row_slice(3, 4, &[
        0.1, 0.7, -3.0, f64::NEG_INFINITY,
        0.7, 0.1, -1.0, -5.0,
        0.2, 0.2, -2.0, f64::INFINITY,
    ]);
    assert_eq!(metrics::classes(&y)?, [1, 0, 1, 2]);
    Ok(())
}

#[test]
fn the_first_of_equals() -> Result<()> {
    #[rustfmt::skip]
    let y = DMatrix::from_row_slice(3, 5, &[
        0.5, 0.1, 0.2, -0.0, f64::NEG_INFINITY,
        0.5, 0.4, 0.1,  0.0, f64::NEG_INFINITY,
        0.5, 0.4, 0.2, -0.0, f64::NEG_INFINITY,
    ]);
    assert_eq!(metrics::classes(&y)?, [0, 1, 0, 0, 0]);
    assert_eq!(metrics::classes_with(&y, Ties::First)?, [0, 1, 0, 0, 0]);
    assert_eq!(metrics::classes_with(&y, Ties::Last)?, [2, 2, 2, 2, 2]);
    // A single row has no equals: ½ is class 1.
    let single = DMatrix::from_row_slice(1, 2, &[0.5, 0.25]);
    assert_eq!(metrics::classes_with(&single, Ties::Last)?, [1, 0]);
    Ok(())
}

/// A single row is the probability of class 1, and ½ is enough.
#[test]
fn a_single_row() -> Result<()> {
    let y = DMatrix::from_row_slice(1, 5, &[0.0, -0.0, 0.499_999, 0.5, 1.0]);
    assert_eq!(metrics::classes(&y)?, [0, 0, 0, 1, 1]);
    assert_eq!(
        metrics::classes(&DVector::from_vec(vec![0.2_f32, 0.9]))?,
        [1]
    );
    let y = DMatrix::from_row_slice(
        1,
        7,
        &[
            -7.0,
            f64::NEG_INFINITY,
            -1e-300,
            -0.0,
            0.0,
            0.3,
            f64::INFINITY,
        ],
    );
    assert_eq!(metrics::margin_classes(&y)?, [0, 0, 0, 1, 1, 1, 1]);
    assert_eq!(
        metrics::margin_classes(&DVector::from_vec(vec![-0.2_f32, -0.9]))?,
        [0]
    );
    Ok(())
}

/// Logits and margins of a single row are no probabilities: their border is not ½.
#[test]
fn a_single_row_of_logits_is_refused() -> Result<()> {
    let judges_classes = [
        "accuracy",
        "precision",
        "recall",
        "f1",
        "log_loss",
        "brier_score",
        "confusion",
    ];
    let (y, t) = ([0.25, 0.5, 0.75, 1.0], [0.0, 1.0, 1.0, 1.0]);
    for (name, metric) in all()
        .into_iter()
        .filter(|(name, _)| judges_classes.contains(name))
    {
        assert!(
            metric(View::new(&y, 1)?, View::new(&t, 1)?.into()).is_ok(),
            "{name}"
        );
        let infinite = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        for bad in [7.2, -8.1, 1.0 + f64::EPSILON, -f64::MIN_POSITIVE]
            .into_iter()
            .chain(infinite)
        {
            for (side, what) in ["predictions of ", "targets of "].into_iter().enumerate() {
                let mut numbers = [y, t];
                numbers[side][1] = bad;
                let error = metric(
                    View::new(&numbers[0], 1)?,
                    View::new(&numbers[1], 1)?.into(),
                )
                .expect_err("no probability");
                let kind = if bad.is_finite() {
                    ErrorKind::Value
                } else {
                    ErrorKind::NotFinite
                };
                assert_eq!(error.kind(), kind, "{name}: {error}");
                assert!(
                    error.place().starts_with(what) && error.place().ends_with(", row 0, column 1"),
                    "{name}: {error}"
                );
                if !bad.is_nan() {
                    assert!(
                        error.expected().starts_with("a probability in [0, 1]"),
                        "{name}: {error}"
                    );
                }
            }
        }
    }
    // The error says where to go.
    let error = metrics::accuracy(View::new(&[-8.1, 7.2], 1)?, View::new(&[0.0, 1.0], 1)?)
        .expect_err("logits");
    let text = "predictions of metrics::accuracy, row 0, column 0: got -8.1, expected a \
        probability in [0, 1] (of logits, Model::predict or the loss's output_function makes them; \
        for margins take metrics::margin_accuracy, margin_classes or ConfusionMatrix::of_margins)";
    assert_eq!(error.to_string(), text);
    let error = metrics::classes(View::new(&[0.5, -8.1], 1)?).expect_err("a logit");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Value, "metrics::classes, row 0, column 1")
    );
    // Several rows are compared with each other: scores will do.
    let (y, t) = (
        DMatrix::from_column_slice(2, 2, &[-8.1, 7.2, 3.0, -4.0]),
        one_hot(&[1, 0], 2)?,
    );
    assert_eq!(metrics::accuracy(&y, &t)?, 1.0);
    assert_eq!(ConfusionMatrix::of(&y, &t)?.accuracy(), 1.0);
    Ok(())
}

/// What is refused as a row of probabilities is counted as a row of margins, as logits are.
#[test]
fn confusions_of_margins() -> Result<()> {
    let (y, t) = ([-8.1, 7.2, 0.3, -0.1, 0.0], [-1.0, 1.0, -1.0, 1.0, 1.0]);
    let matrix = ConfusionMatrix::of_margins(
        View::new(&y, 1)?,
        Targets::weighted(View::new(&t, 1)?, &[1.0, 1.0, 1.0, 2.0, 1.0])?,
    )?;
    let counts =
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(actual, predicted)| matrix.count(actual, predicted));
    assert_eq!(counts, [1.0, 1.0, 2.0, 2.0]);
    assert_eq!(matrix.precision(Average::Class(1))?, 2.0 / 3.0);
    // Probabilities of the same logits make the same matrix.
    let (mut p, classes) = (y, t.map(|t| f64::from(t > 0.0)));
    OutputFunction::Sigmoid.apply(ViewMut::new(&mut p, 1)?);
    let weighted = Targets::weighted(View::new(&classes, 1)?, &[1.0, 1.0, 1.0, 2.0, 1.0])?;
    assert_eq!(ConfusionMatrix::of(View::new(&p, 1)?, weighted)?, matrix);
    assert!(
        ConfusionMatrix::of_margins(View::new(&[f64::NAN], 1)?, View::new(&[1.0], 1)?).is_err()
    );
    Ok(())
}

#[test]
fn accuracies() -> Result<()> {
    let y = DMatrix::from_column_slice(2, 4, &[0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.5, 0.5]);
    let t = one_hot(&[0, 1, 1, 0], 2)?;
    assert_eq!(metrics::accuracy(&y, &t)?, 0.75);
    assert_eq!(metrics::accuracy(&t, &t)?, 1.0);
    assert_eq!(metrics::accuracy(&y, &one_hot(&[1, 0, 1, 1], 2)?)?, 0.0);
    // Of one row: 0.4 and 0.6 against 1 and 1.
    let (y, t) = (
        DMatrix::from_row_slice(1, 2, &[0.4, 0.6]),
        DMatrix::from_element(1, 2, 1.0),
    );
    assert_eq!(metrics::accuracy(&y, &t)?, 0.5);
    Ok(())
}

/// Margins with targets −1 and 1: the border is 0, and on it is class 1, as ½ is of probabilities.
#[test]
fn accuracies_of_margins() -> Result<()> {
    let by_margin =
        |y: &[f64], t: &[f64]| metrics::margin_accuracy(View::new(y, 1)?, View::new(t, 1)?);
    assert_eq!(
        by_margin(&[0.3, -0.3, 0.0, 7.0], &[1.0, -1.0, 1.0, -1.0])?,
        0.75
    );
    // Whatever the other samples are.
    assert_eq!(by_margin(&[0.3], &[1.0])?, 1.0);
    let by_probability = metrics::accuracy(
        View::new(&[0.3, 0.0, 0.5, 1.0], 1)?,
        View::new(&[0.0, 0.0, 1.0, 0.0], 1)?,
    )?;
    assert_eq!(by_probability, 0.75);
    // Several rows are compared with each other, whatever their signs.
    let (y, t) = (
        DMatrix::from_column_slice(2, 2, &[-0.2, -0.1, 0.1, 0.2]),
        DMatrix::from_column_slice(2, 2, &[-1.0, 1.0, 1.0, -1.0]),
    );
    assert_eq!(metrics::accuracy(&y, &t)?, 0.5);
    assert_eq!(metrics::margin_accuracy(&y, &t)?, 0.5);
    Ok(())
}

#[test]
fn confusions() -> Result<()> {
    let (predicted, actual) = ([0, 1, 2, 2, 1, 0, 2, 1], [0, 1, 2, 1, 1, 2, 2, 0]);
    let matrix = ConfusionMatrix::new(&predicted, &actual, 4)?;
    assert_eq!(matrix.classes(), 4);
    for a in 0..5 {
        for p in 0..5 {
            let count = predicted
                .iter()
                .zip(&actual)
                .filter(|pair| *pair == (&p, &a))
                .count();
            assert_eq!(matrix.count(a, p), count as f64, "{a} taken for {p}");
        }
    }
    assert_eq!(
        (
            matrix.count(usize::MAX, 0),
            matrix.support(2),
            matrix.support(4)
        ),
        (0.0, 3.0, 0.0)
    );
    assert_eq!(matrix.accuracy(), 5.0 / 8.0);
    assert_eq!(ConfusionMatrix::new(&[0, 0], &[0, 0], 1)?.accuracy(), 1.0);
    Ok(())
}

/// Rows are actual classes: turning the two lists turns the table.
#[test]
fn actual_and_predicted() -> Result<()> {
    let (a, b) = ([0, 0, 1], [1, 0, 1]);
    let (matrix, turned) = (
        ConfusionMatrix::new(&a, &b, 2)?,
        ConfusionMatrix::new(&b, &a, 2)?,
    );
    assert_eq!((matrix.count(1, 0), matrix.count(0, 1)), (1.0, 0.0));
    assert_eq!((turned.count(1, 0), turned.count(0, 1)), (0.0, 1.0));
    assert_ne!(matrix, turned);
    Ok(())
}

#[test]
fn confusions_as_text() -> Result<()> {
    let matrix = ConfusionMatrix::new(&[0, 1, 1, 0, 2], &[0, 1, 0, 0, 2], 3)?;
    let text = "\
actual \\ predicted 0 1 2 total
                 0 2 1 ·     3
                 1 · 1 ·     1
                 2 · · 1     1
             total 2 2 1     5";
    assert_eq!(matrix.to_string(), text);
    Ok(())
}

#[test]
fn wide_confusions_as_text() -> Result<()> {
    // 120 times 0 right, 7 times 1 taken for 0: a column is as wide as the widest in it, and a name
    // may have any letters.
    let (mut predicted, mut actual) = (vec![0; 127], vec![0; 120]);
    actual.extend([1; 7]);
    predicted.push(2);
    actual.push(2);
    let matrix = ConfusionMatrix::new(&predicted, &actual, 3)?.named(["a", "Häschen", "c"])?;
    let text = "\
actual \\ predicted   a Häschen c total
                 a 120       · ·   120
           Häschen   7       · ·     7
                 c   ·       · 1     1
             total 127       · 1   128";
    assert_eq!(matrix.to_string(), text);
    let long = matrix
        .named(["a name that is longer than the corner", "b", "c"])?
        .to_string();
    let widths: Vec<usize> = long.lines().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{long}");
    assert!(ConfusionMatrix::new(&[0], &[0], 2)?.named(["one"]).is_err());
    Ok(())
}

/// Weights have decimals, as many as are asked for.
#[test]
fn weighted_confusions_as_text() -> Result<()> {
    let y = [0.9, 0.2, 0.7, 0.1];
    let t = [1.0, 1.0, 0.0, 0.0];
    let w = [0.25, 10.0, 1.5, 1.0];
    let matrix = ConfusionMatrix::of(View::new(&y, 1)?, Targets::weighted(View::new(&t, 1)?, &w)?)?;
    let text = "\
actual \\ predicted     0    1 total
                 0  1.00 1.50  2.50
                 1 10.00 0.25 10.25
             total 11.00 1.75 12.75";
    assert_eq!(matrix.to_string(), text);
    assert!(
        format!("{matrix:.1}").contains("                 0  1.0 1.5   2.5\n"),
        "{matrix:.1}"
    );
    let report = "
         precision recall    F1 support
       0     0.091  0.400 0.148    2.50
       1     0.143  0.024 0.042   10.25
   macro     0.117  0.212 0.095   12.75
weighted     0.133  0.098 0.063   12.75
accuracy 0.098";
    assert_eq!(format!("\n{}", matrix.report()), report);
    Ok(())
}

/// Only classes that there are have a line.
#[test]
fn reports() -> Result<()> {
    let matrix = ConfusionMatrix::new(&[0, 4, 4, 0, 0], &[0, 4, 0, 2, 0], 6)?;
    let text = "
         precision recall    F1 support
       0     0.667  0.667 0.667       3
       2     0.000  0.000 0.000       1
       4     0.500  1.000 0.667       1
   macro     0.389  0.556 0.444       5
weighted     0.500  0.600 0.533       5
accuracy 0.600";
    assert_eq!(format!("\n{}", matrix.report()), text);
    let fine = format!("{:.5}", matrix.report());
    assert!(
        fine.contains("accuracy 0.60000") && fine.contains("0   0.66667 0.66667 0.66667       3\n"),
        "{fine}"
    );
    Ok(())
}

/// The way from predictions to the table.
#[test]
fn from_predictions() -> Result<()> {
    let y = DMatrix::from_column_slice(3, 3, &[0.1, 0.2, 0.7, 0.6, 0.3, 0.1, 0.2, 0.5, 0.3]);
    let matrix = ConfusionMatrix::new(&metrics::classes(&y)?, &[2, 1, 1], 3)?;
    assert_eq!(
        (matrix.count(2, 2), matrix.count(1, 0), matrix.count(1, 1)),
        (1.0, 1.0, 1.0)
    );
    assert_eq!(matrix.accuracy(), 2.0 / 3.0);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Weights

type Measure = fn(View<'_, f64>, Targets<'_, f64>) -> Result<f64>;

/// All metrics by name; of one or several rows, of probabilities of classes.
fn all() -> Vec<(&'static str, Measure)> {
    let mut all = metrics::every_metric();
    all.extend([
        (
            "top_k_accuracy",
            (|y, t| metrics::top_k_accuracy(y, t, 2)) as Measure,
        ),
        ("precision", |y, t| metrics::precision(y, t, Average::Macro)),
        ("recall", |y, t| metrics::recall(y, t, Average::Weighted)),
        ("f1", |y, t| metrics::f1(y, t, Average::Class(0))),
        ("pinball", |y, t| metrics::pinball(y, t, 0.8)),
        ("average_precision_with", |y, t| {
            metrics::average_precision_with(y, t, Average::Micro)
        }),
        ("roc_auc_with", |y, t| {
            metrics::roc_auc_with(y, t, Average::Weighted)
        }),
        (
            "confusion",
            |y, t| Ok(ConfusionMatrix::of(y, t)?.accuracy()),
        ),
    ]);
    all
}

/// Probabilities and classes, each class there.
fn guesses(
    rng: &mut Xoshiro256PlusPlus,
    classes: usize,
    samples: usize,
) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
    let mut y = DMatrix::from_fn(classes, samples, |_, _| {
        (rng.random::<f64>() * 16.0).round() / 16.0 + 0.01
    });
    for mut column in y.column_iter_mut() {
        let sum = column.sum();
        column /= sum;
    }
    let labels: Vec<usize> = (0..samples)
        .map(|j| {
            if j < classes {
                j
            } else {
                (rng.random::<f64>() * classes as f64) as usize
            }
        })
        .collect();
    Ok((y, one_hot(&labels, classes)?))
}

/// A weight is a number of copies: 2 is the sample twice, 0 none, and all weights times a factor
/// are the same.
#[test]
fn weights_are_copies() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    for (name, metric) in all() {
        for round in 0..20 {
            let (classes, samples) = (2 + round % 4, 6 + 2 * round);
            let (y, t) = guesses(&mut rng, classes, samples)?;
            let weights: Vec<f64> = (0..samples)
                .map(|j| {
                    if j < classes {
                        1.0
                    } else {
                        (rng.random::<f64>() * 4.0).floor()
                    }
                })
                .collect();
            let copies: Vec<usize> = (0..samples)
                .flat_map(|j| std::iter::repeat_n(j, weights[j] as usize))
                .collect();
            let (many, targets) = (y.select_columns(&copies), t.select_columns(&copies));
            let (plain, weighted) = (
                metric((&many).into(), (&targets).into())?,
                metric((&y).into(), Targets::weighted(&t, &weights)?)?,
            );
            assert!(
                (plain - weighted).abs() < 1e-12 * plain.abs().max(1.0),
                "{name}: {plain} of copies, {weighted} of weights"
            );
            let scaled: Vec<f64> = weights.iter().map(|w| 0.125 * w).collect();
            assert_eq!(
                metric((&y).into(), Targets::weighted(&t, &scaled)?)?,
                weighted,
                "{name}"
            );
            // Weights that are all the same are none.
            let same = metric((&y).into(), Targets::weighted(&t, &vec![4.0; samples])?)?;
            assert_eq!(same, metric((&y).into(), (&t).into())?, "{name}");
        }
    }
    Ok(())
}

/// A data set brings its weights along.
#[test]
fn weights_of_data_sets() -> Result<()> {
    let (y, t) = (
        DMatrix::from_row_slice(1, 3, &[0.9, 0.2, 0.1]),
        DMatrix::from_row_slice(1, 3, &[1.0, 1.0, 0.0]),
    );
    let data = Dataset::new(t.clone(), t)?.weighted(vec![1.0, 2.0, 1.0])?;
    assert_eq!(metrics::accuracy(&y, &data)?, 0.5);
    assert_eq!(Targets::from(&data).values(), data.targets().into());
    // And to a trainer's metrics, of the data that they judge.
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let (heavy, mut sums) = (data.clone().weighted(vec![1.0, 2.0, 5.0])?, vec![]);
    for validated in [false, true] {
        let mut trainer = Trainer::new(MeanSquaredError, Sgd::new())
            .epochs(1)
            .metric("sum", |_, t| Ok(t.weights().unwrap_or(&[]).iter().sum()));
        if validated {
            trainer = trainer.validation_data(&heavy);
        }
        sums.push(
            trainer
                .fit(&mut net, &data)?
                .last()
                .and_then(|epoch| epoch.metric("sum")),
        );
    }
    assert_eq!(sums, [Some(4.0), Some(8.0)]);
    Ok(())
}

#[test]
fn weights_that_are_none() -> Result<()> {
    let t = DMatrix::from_row_slice(1, 3, &[1.0, 1.0, 0.0]);
    let text = |weights: &[f64]| {
        Targets::weighted(&t, weights)
            .expect_err("bad weights")
            .to_string()
    };
    assert_eq!(
        text(&[1.0, 1.0]),
        "weights of Targets: got 2, expected 3, one per sample"
    );
    assert_eq!(
        text(&[1.0, -0.5, 1.0]),
        "weights of Targets, sample 1: got -0.5, expected a finite weight ≥ 0"
    );
    assert_eq!(
        text(&[1.0, 1.0, f64::NAN]),
        "weights of Targets, sample 2: got NaN, expected a finite weight ≥ 0"
    );
    assert_eq!(
        text(&[f64::INFINITY, 1.0, 1.0]),
        "weights of Targets, sample 0: got inf, expected a finite weight ≥ 0"
    );
    assert_eq!(
        text(&[0.0, -0.0, 0.0]),
        "weights of Targets: got none, expected at least 1 weight above 0"
    );
    assert_eq!(
        text(&[f64::MAX; 3]),
        "weights of Targets: got inf, expected weights whose sum is finite"
    );
    // A batch of a weighted data set may have weights of 0 alone.
    let data = Dataset::new(t.clone(), t)?.weighted(vec![0.0, 1.0, 1.0])?;
    let mut batches = chainrule::data::Batches::in_order(1)?;
    let mut batches = batches.epoch(&data, 0);
    let batch = batches.next_batch().expect("a batch");
    for (name, metric) in all() {
        let error = metric(batch.x, batch.target)
            .expect_err("no weight")
            .to_string();
        assert!(
            error.ends_with(": got none, expected at least 1 weight above 0"),
            "{name}: {error}"
        );
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Edges

#[test]
fn what_metrics_refuse() -> Result<()> {
    for (name, metric) in all() {
        let (y, t) = (
            DMatrix::from_column_slice(2, 2, &[0.25, 0.75, 0.5, 0.5]),
            one_hot(&[0, 1], 2)?,
        );
        assert!(metric((&y).into(), (&t).into()).is_ok(), "{name}");
        let narrow = DMatrix::from_element(1, 2, 1.0);
        let error = metric((&y).into(), (&narrow).into()).expect_err("another shape");
        assert_eq!(
            (error.kind(), error.expected(), error.given()),
            (ErrorKind::Shape, "2 × 2", "1 × 2"),
            "{name}"
        );
        let none = DMatrix::zeros(2, 0);
        assert_eq!(
            metric((&none).into(), (&none).into())
                .expect_err("nothing")
                .kind(),
            ErrorKind::Empty,
            "{name}"
        );
        for in_targets in [false, true] {
            let mut bad = [y.clone(), t.clone()];
            bad[usize::from(in_targets)][(1, 0)] = f64::NAN;
            let error = metric((&bad[0]).into(), (&bad[1]).into()).expect_err("NaN");
            assert_eq!(
                (error.kind(), error.given()),
                (ErrorKind::NotFinite, "NaN"),
                "{name}"
            );
            assert!(
                error.place().ends_with(", row 1, column 0"),
                "{name}: {error}"
            );
            assert!(
                error
                    .place()
                    .contains(if in_targets { "targets" } else { "predictions" }),
                "{name}: {error}"
            );
        }
    }
    let (y, t) = (
        DMatrix::from_column_slice(2, 2, &[0.25, 0.75, 0.5, 0.5]),
        one_hot(&[0, 0], 2)?,
    );
    let (y, t) = (View::from(&y), Targets::from(&t));
    let text = |result: Result<f64>| result.expect_err("bad input").to_string();
    assert_eq!(
        text(metrics::top_k_accuracy(y, t, 0)),
        "k of metrics::top_k_accuracy: got 0, expected from 1 to 2"
    );
    assert_eq!(
        text(metrics::top_k_accuracy(y, t, 3)),
        "k of metrics::top_k_accuracy: got 3, expected from 1 to 2"
    );
    let single = View::new(&[1.0], 1)?;
    assert_eq!(
        text(metrics::top_k_accuracy(single, single, 1)),
        "metrics::top_k_accuracy: got 1, expected at least 2 rows (classes)"
    );
    assert_eq!(
        text(metrics::f1(y, t, Average::Class(2))),
        "class of Average: got 2, expected below 2"
    );
    assert_eq!(
        text(metrics::roc_auc(y, t)),
        "class 0 of metrics::roc_auc: got none, expected a sample of another class"
    );
    let zero = View::new(&[0.0], 1)?;
    assert_eq!(
        text(metrics::roc_auc(single, zero)),
        "class 1 of metrics::roc_auc: got none, expected a sample"
    );
    let step = "expected a probability in [0, 1] (of logits, Model::predict or the loss's \
        output_function makes them)";
    let text_of = |given: &str| {
        format!("predictions of metrics::log_loss, row 0, column 0: got {given}, {step}")
    };
    assert_eq!(
        text(metrics::log_loss(View::new(&[1.5], 1)?, zero)),
        text_of("1.5")
    );
    assert_eq!(
        text(metrics::log_loss(View::new(&[-0.5], 1)?, zero)),
        text_of("-0.5")
    );
    let place = "targets of metrics::log_loss, row 0, column 0: got -1,";
    assert_eq!(
        text(metrics::log_loss(zero, View::new(&[-1.0], 1)?)),
        format!("{place} {step}")
    );
    let infinite = View::new(&[f64::INFINITY], 1)?;
    let place = "predictions of metrics::r2, row 0, column 0: got inf, expected a finite number";
    assert_eq!(text(metrics::r2(infinite, zero)), place);
    Ok(())
}

/// The area is the fraction of pairs in order, equal scores half: counted pair by pair, on scores
/// of all kinds.
#[test]
fn areas_are_pairs() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    let kinds = [
        f64::NEG_INFINITY,
        -3.5,
        -0.0,
        0.0,
        1e-300,
        0.5,
        7.0,
        f64::INFINITY,
    ];
    for n in 2..60 {
        let y: Vec<f64> = (0..n)
            .map(|_| kinds[(rng.random::<f64>() * 8.0) as usize])
            .collect();
        let t: Vec<f64> = (0..n)
            .map(|j| {
                if j == 0 {
                    1.0
                } else {
                    f64::from(rng.random::<f64>() < 0.4 && j > 1)
                }
            })
            .collect();
        let (mut right, mut pairs) = (0.0, 0.0);
        for (a, b) in (0..n)
            .flat_map(|a| (0..n).map(move |b| (a, b)))
            .filter(|(a, b)| t[*a] > t[*b])
        {
            right += if y[a] > y[b] {
                1.0
            } else {
                0.5 * f64::from(y[a] == y[b])
            };
            pairs += 1.0;
        }
        assert_eq!(
            metrics::roc_auc(View::new(&y, 1)?, View::new(&t, 1)?)?,
            right / pairs
        );
        // Margins −1 and 1 are the same classes.
        let margins: Vec<f64> = t.iter().map(|t| 2.0 * t - 1.0).collect();
        assert_eq!(
            metrics::roc_auc(View::new(&y, 1)?, View::new(&margins, 1)?)?,
            right / pairs
        );
    }
    Ok(())
}

/// The first rows come first among equals, so that one guess is the class.
#[test]
fn top_k_of_equals() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
    for classes in 2..7 {
        let (y, t) = guesses(&mut rng, classes, 200)?;
        let top = |k| metrics::top_k_accuracy(&y, &t, k);
        assert_eq!(top(1)?, metrics::accuracy(&y, &t)?);
        assert_eq!(top(classes)?, 1.0);
        assert!((1..classes).all(|k| top(k).expect("k") <= top(k + 1).expect("k")));
    }
    let even = DMatrix::from_element(4, 4, 0.25);
    let t = DMatrix::identity(4, 4);
    for k in 1..=4 {
        assert_eq!(metrics::top_k_accuracy(&even, &t, k)?, k as f64 / 4.0);
    }
    Ok(())
}

/// Certain and right costs next to nothing, certain and wrong −ln ε, and soft targets their share
/// of both.
#[test]
fn log_losses_of_certainty() -> Result<()> {
    let loss = |y: f64, t: f64| metrics::log_loss(View::new(&[y], 1)?, View::new(&[t], 1)?);
    assert_eq!(loss(1.0, 1.0)?, -(1.0 - f64::EPSILON).ln());
    assert_eq!(loss(0.0, 1.0)?, -f64::EPSILON.ln());
    assert_eq!(loss(1.0, 0.0)?, -f64::EPSILON.ln());
    assert_eq!(
        metrics::log_loss(View::new(&[0.0_f32], 1)?, View::new(&[1.0], 1)?)?,
        -f64::from(f32::EPSILON).ln()
    );
    assert!((loss(0.25, 0.25)? - (-0.25 * 0.25_f64.ln() - 0.75 * 0.75_f64.ln())).abs() < 1e-15);
    Ok(())
}

/// Measures do not depend on the unit, however large or small it makes the numbers and their
/// squares.
#[test]
fn numbers_of_any_size() -> Result<()> {
    let (y, t) = ([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0]);
    let weights = [1.0, 2.0, 0.5, 3.0];
    type Metric = fn(View<'_, f64>, Targets<'_, f64>) -> Result<f64>;
    let all: [(&str, Metric, f64); 3] = [
        (
            "mean absolute error",
            |y, t| metrics::mean_absolute_error(y, t),
            1.0,
        ),
        (
            "root mean squared error",
            |y, t| metrics::root_mean_squared_error(y, t),
            1.0,
        ),
        ("R²", |y, t| metrics::r2(y, t), 0.0),
    ];
    for (name, metric, power) in all {
        for unit in [1e-300, 1e-200, 1e-170, 1e150, 1e200, 1e307, 2e307] {
            let (big_y, big_t) = (y.map(|y| y * unit), t.map(|t| t * unit));
            for weights in [[1.0; 4], weights] {
                let plain = metric(
                    View::new(&y, 1)?,
                    Targets::weighted(View::new(&t, 1)?, &weights)?,
                )?;
                let found = metric(
                    View::new(&big_y, 1)?,
                    Targets::weighted(View::new(&big_t, 1)?, &weights)?,
                )?;
                let expected = plain * if power == 0.0 { 1.0 } else { unit };
                assert!(
                    (found / expected - 1.0).abs() < 1e-12,
                    "{name} at {unit:e}: {found:e}, not {expected:e}"
                );
            }
        }
    }
    // Differences that overflow: predictions on the wrong side.
    let (y, t) = ([1e308, -1e308], [-1e308, 1e308]);
    assert_eq!(metrics::r2(View::new(&y, 1)?, View::new(&t, 1)?)?, -3.0);
    // A sample of weight 0 is none, however large.
    let (y, t) = ([1.0, 1e308, 3.0], [1.0, -1e308, 5.0]);
    let target = Targets::weighted(View::new(&t, 1)?, &[1.0, 0.0, 1.0])?;
    assert_eq!(metrics::r2(View::new(&y, 1)?, target)?, 0.5);
    assert_eq!(
        metrics::root_mean_squared_error(View::new(&y, 1)?, target)?,
        2.0_f64.sqrt()
    );
    assert_eq!(
        metrics::mean_absolute_error(View::new(&y, 1)?, target)?,
        1.0
    );
    Ok(())
}

/// Targets that vary by little beside their mean are not constant.
#[test]
fn r2_of_targets_that_vary_little() -> Result<()> {
    let t: Vec<f64> = (0..10_000)
        .map(|i| if i % 2 == 0 { 1e9 } else { 1e9 + 0.001 })
        .collect();
    let y: Vec<f64> = t.iter().map(|t| t + 0.00025).collect();
    let found = metrics::r2(View::new(&y, 1)?, View::new(&t, 1)?)?;
    assert!((found - 0.75).abs() < 1e-3, "{found}");
    Ok(())
}

/// As scikit-learn has it, and so for constants that rounding would not leave constant.
#[test]
fn r2_of_constants() -> Result<()> {
    for value in [0.0_f64, 0.1, -1e300, 1e-300, 12_345.678] {
        for n in [1, 2, 3, 10, 1000] {
            let t = vec![value; n];
            let mut y = t.clone();
            assert_eq!(
                metrics::r2(View::new(&y, 1)?, View::new(&t, 1)?)?,
                1.0,
                "{value} {n} times"
            );
            y[0] += value.abs().max(1.0);
            assert_eq!(
                metrics::r2(View::new(&y, 1)?, View::new(&t, 1)?)?,
                0.0,
                "{value} {n} times"
            );
            let weights: Vec<f64> = (1..=n).map(|w| 0.3 * w as f64).collect();
            assert_eq!(
                metrics::r2(
                    View::new(&y, 1)?,
                    Targets::weighted(View::new(&t, 1)?, &weights)?
                )?,
                0.0,
                "{value} {n} times"
            );
        }
    }
    // The mean itself scores 0, worse than it below.
    let t = [1.0, 2.0, 3.0];
    assert_eq!(
        metrics::r2(View::new(&[2.0; 3], 1)?, View::new(&t, 1)?)?,
        0.0
    );
    assert_eq!(
        metrics::r2(View::new(&[3.0, 2.0, 1.0], 1)?, View::new(&t, 1)?)?,
        -3.0
    );
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Curves

/// Scores with many ties, labels, and weights of which some are 0.
fn scored(rng: &mut Xoshiro256PlusPlus, samples: usize) -> [Vec<f64>; 3] {
    let mut eighth = |_| (rng.random::<f64>() * 8.0).round() / 8.0;
    let y: Vec<f64> = (0..samples).map(&mut eighth).collect();
    let mut t: Vec<f64> = (0..samples).map(|j| f64::from(eighth(j) > 0.6)).collect();
    let mut w: Vec<f64> = (0..samples).map(|j| (4.0 * eighth(j)).floor()).collect();
    (t[0], t[1]) = (0.0, 1.0);
    (w[0], w[1]) = (1.0, 2.0);
    [y, t, w]
}

/// Each point is what its threshold makes of the samples, counted one by one.
#[test]
fn curves_are_counts() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    for samples in 2..60 {
        let [y, t, w] = scored(&mut rng, samples);
        let (scores, targets) = (View::new(&y, 1)?, Targets::weighted(View::new(&t, 1)?, &w)?);
        // TP and FP from a threshold on; from −∞ on all.
        let counts = |threshold: f64| {
            let weight = |class: f64| {
                let those = (0..samples).filter(|j| t[*j] == class && y[*j] >= threshold);
                those.fold(0.0, |sum, j| sum + w[j])
            };
            (weight(1.0), weight(0.0))
        };
        let (positive, negative) = counts(f64::NEG_INFINITY);
        let roc = metrics::roc_curve(scores, targets, 1)?;
        for point in roc.points() {
            let (tp, fp) = counts(point.threshold);
            assert_eq!(
                (point.true_positive_rate, point.false_positive_rate),
                (tp / positive, fp / negative)
            );
        }
        assert!((roc.auc() - metrics::roc_auc(scores, targets)?).abs() < 1e-14);
        let curve = metrics::precision_recall_curve(scores, targets, 1)?;
        let (end, points) = curve.points().split_last().expect("a point");
        assert_eq!(
            (end.threshold, end.precision, end.recall, end.f1()),
            (f64::INFINITY, 1.0, 0.0, 0.0)
        );
        for point in points {
            let (tp, fp) = counts(point.threshold);
            assert_eq!(
                (point.precision, point.recall),
                (tp / (tp + fp), tp / positive)
            );
        }
        let mut thresholds: Vec<f64> = (0..samples).filter(|j| w[*j] > 0.0).map(|j| y[j]).collect();
        thresholds.sort_by(f64::total_cmp);
        thresholds.dedup();
        assert!(points.iter().map(|point| point.threshold).eq(thresholds));
        assert!(
            (curve.average_precision() - metrics::average_precision(scores, targets)?).abs()
                < 1e-14
        );

        // What is chosen is the best that there is.
        let f1s = points.iter().map(PrecisionRecallPoint::f1);
        assert_eq!(curve.best_f1().f1(), f1s.fold(0.0, f64::max));
        for wanted in [0.0, 0.3, 0.5, 0.9, 1.0] {
            let reach = |of: fn(&PrecisionRecallPoint) -> f64| {
                points.iter().filter(move |point| of(point) >= wanted)
            };
            let chosen = curve.at_recall(wanted)?;
            let most = reach(|p| p.recall).fold(0.0, |most, p| p.precision.max(most));
            assert!(chosen.recall >= wanted && chosen.precision == most);
            match curve.at_precision(wanted) {
                Ok(chosen) => {
                    let most = reach(|p| p.precision).fold(0.0, |most, p| p.recall.max(most));
                    assert!(chosen.precision >= wanted && chosen.recall == most);
                }
                Err(error) => {
                    assert_eq!(reach(|p| p.precision).count(), 0);
                    assert!(error.to_string().contains("the largest of any threshold"));
                }
            }
        }
        let youden = |p: &RocPoint| p.true_positive_rate - p.false_positive_rate;
        let best = roc.points().iter().map(youden).fold(0.0, f64::max);
        assert_eq!(youden(&roc.best_youden()), best);
    }
    Ok(())
}

/// The weights of all bins are those of all samples, and so are the means.
#[test]
fn calibration_loses_no_sample() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(12);
    for samples in 2..40 {
        let [y, t, w] = scored(&mut rng, samples);
        let (scores, targets) = (View::new(&y, 1)?, Targets::weighted(View::new(&t, 1)?, &w)?);
        for bins in [1, 2, 7, 100].map(|n| [Bins::Uniform(n), Bins::Quantile(n)]) {
            for bins in bins {
                let curve = metrics::calibration_curve(scores, targets, 1, bins)?;
                let sum = |of: fn(&CalibrationPoint) -> f64| {
                    let weighed = curve.points().iter().map(|p| p.weight * of(p));
                    weighed.sum::<f64>()
                };
                let all = |x: &[f64]| x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>();
                assert!((sum(|p| p.predicted) - all(&y)).abs() < 1e-12);
                assert!((sum(|p| p.actual) - all(&t)).abs() < 1e-12);
                assert!((sum(|_| 1.0) - w.iter().sum::<f64>()).abs() < 1e-12);
                let means = || curve.points().iter().map(|p| p.predicted);
                assert!(means().is_sorted());
                assert!((0.0..=1.0).contains(&curve.expected_error()));
            }
        }
    }
    Ok(())
}

#[test]
fn what_curves_refuse() -> Result<()> {
    let text = |error: Error| error.to_string();
    let (y, ones) = ([0.2, 0.7], [1.0, 1.0]);
    let (y, ones) = (View::new(&y, 1)?, Targets::from(View::new(&ones, 1)?));
    let (roc, pr) = ("metrics::roc_curve", "metrics::precision_recall_curve");
    for (place, error) in [
        (roc, metrics::roc_curve(y, ones, 1).expect_err("1 class")),
        (
            pr,
            metrics::precision_recall_curve(y, ones, 1).expect_err("1 class"),
        ),
        (
            "metrics::calibration_curve",
            metrics::calibration_curve(y, ones, 1, Bins::Uniform(5)).expect_err("1 class"),
        ),
        (
            "metrics::average_precision",
            metrics::average_precision(y, ones).expect_err("1 class"),
        ),
    ] {
        let expected = format!("class 1 of {place}: got none, expected a sample of another class");
        assert_eq!(text(error), expected);
    }
    // A sample of weight 0 is none.
    let t = [1.0, 0.0];
    let weighted = Targets::weighted(View::new(&t, 1)?, &[1.0, 0.0])?;
    assert!(metrics::roc_curve(y, weighted, 1).is_err());
    let t = Targets::from(View::new(&t, 1)?);
    assert_eq!(
        text(metrics::roc_curve(y, t, 0).expect_err("another class")),
        "class of metrics::roc_curve: got 0, expected 1, the class of a single row"
    );
    let (three, of_three) = (DMatrix::from_element(3, 3, 0.5), DMatrix::identity(3, 3));
    assert_eq!(
        text(metrics::precision_recall_curve(&three, &of_three, 3).expect_err("no such class")),
        "class of metrics::precision_recall_curve: got 3, expected a class below 3"
    );
    let calibration = |y: &[f64], bins| metrics::calibration_curve(View::new(y, 1)?, t, 1, bins);
    assert_eq!(
        text(calibration(&[0.5, 1.5], Bins::Uniform(5)).expect_err("a logit")),
        "predictions of metrics::calibration_curve, row 0, column 1: got 1.5, expected a \
         probability in [0, 1] (of logits, Model::predict or the loss's output_function makes them)"
    );
    for bins in [0, 10_001, usize::MAX] {
        for bins in [Bins::Uniform(bins), Bins::Quantile(bins)] {
            let error = calibration(&[0.5, 0.5], bins).expect_err("no bins");
            assert_eq!(error.place(), "bins of metrics::calibration_curve");
        }
    }
    let curve = metrics::precision_recall_curve(y, t, 1)?;
    for wrong in [-0.1, 1.1, f64::NAN] {
        assert!(curve.at_recall(wrong).is_err() && curve.at_precision(wrong).is_err());
    }
    assert_eq!(
        text(curve.at_precision(0.9).expect_err("too much")),
        "precision of PrecisionRecallCurve::at_precision: got 0.9, expected at most 0.5, the \
         largest of any threshold"
    );
    let quantile = metrics::pinball(y, t, 1.5).expect_err("a quantile");
    assert_eq!(
        text(quantile),
        "quantile of metrics::pinball: got 1.5, expected a number in [0, 1]"
    );
    Ok(())
}

/// A percentage of a target near 0 is huge, and no sum overflows.
#[test]
fn percentages_at_the_edges() -> Result<()> {
    let error = |y: &[f64], t: &[f64]| {
        metrics::mean_absolute_percentage_error(View::new(y, 1)?, View::new(t, 1)?)
    };
    assert_eq!(error(&[1.0], &[0.0])?, 1.0 / f64::EPSILON);
    assert_eq!(error(&[0.0], &[0.0])?, 0.0);
    assert_eq!(error(&[f64::MAX], &[-f64::MAX])?, 2.0);
    assert_eq!(error(&[1e308; 4], &[1.0; 4])?, 1e308);
    assert_eq!(error(&[f64::MAX], &[0.0])?, f64::INFINITY);
    Ok(())
}
