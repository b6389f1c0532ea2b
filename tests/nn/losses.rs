//! Every loss against 60-digit references and other libraries, at the ends of the line, and its
//! derivative by differences.

use chainrule::nalgebra::DMatrix;
use chainrule::nn::OutputRange;
use chainrule::nn::loss::*;
use chainrule::numeric::{Targets, ViewMut};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, View, gradcheck};

/// Written by `reference/losses.py`: loss, outputs d, y, t, cost, gradient, another library's cost.
const TABLE: &str = include_str!("../reference/losses.tsv");

const WEIGHTS: [f64; 5] = [0.5, 2.0, 1.25, 0.75, 3.0];
const POSITIVE: [f64; 5] = [3.0, 0.25, 1.5, 2.0, 0.5];
const LEVELS: [f64; 3] = [0.1, 0.5, 0.9];

/// Whether two names are the same but for spaces, of which `stringify!` may put some.
fn same(one: &str, other: &str) -> bool {
    let tight = |text: &str| text.replace(' ', "");
    tight(one) == tight(other)
}

macro_rules! losses {
    ($($file:ident::$loss:ident { $($made:expr),+ })+) => {
        /// The loss that the table calls `name`, for d outputs.
        fn loss<T: chainrule::Real>(name: &str, d: usize) -> Box<dyn Loss<T>> {
            let (softmax, sigmoid) = (SoftmaxCrossEntropy::new(), SigmoidCrossEntropy::new());
            let (weights, positive) = (&WEIGHTS[..d.min(5)], &POSITIVE[..d.min(5)]);
            match name {
                "SoftmaxCrossEntropy weights" => Box::new(softmax.class_weights(weights)),
                "SoftmaxCrossEntropy both" => {
                    Box::new(softmax.label_smoothing(0.25).class_weights(weights))
                }
                "SigmoidCrossEntropy weights" => Box::new(sigmoid.class_weights(weights)),
                "SigmoidCrossEntropy positive" => Box::new(sigmoid.positive_weights(positive)),
                "SigmoidCrossEntropy all" => Box::new(
                    sigmoid
                        .label_smoothing(0.25)
                        .class_weights(weights)
                        .positive_weights(positive),
                ),
                "SoftmaxFocal weights" => Box::new(SoftmaxFocal::new(1.5).class_weights(weights)),
                "Quantile levels" => Box::new(Quantile::new(&LEVELS)),
                "Expectile levels" => Box::new(Expectile::new(&LEVELS)),
                "Poisson rates" => Box::new(Poisson::new().rates()),
                "Poisson full rates" => Box::new(Poisson::new().full().rates()),
                _ => {
                    $($(if same(name, stringify!($made)) {
                        return Box::new($made);
                    })+)+
                    panic!("unknown loss {name}")
                }
            }
        }

        const NAMES: &[&str] = &[
            "SoftmaxCrossEntropy weights",
            "SoftmaxCrossEntropy both",
            "SigmoidCrossEntropy weights",
            "SigmoidCrossEntropy positive",
            "SigmoidCrossEntropy all",
            "SoftmaxFocal weights",
            "Quantile levels",
            "Expectile levels",
            "Poisson rates",
            "Poisson full rates",
            $($(stringify!($made),)+)+
        ];
    };
}
chainrule::every_loss!(losses);

struct Row {
    name: &'static str,
    d: usize,
    y: Vec<f64>,
    t: Vec<f64>,
    cost: f64,
    gradient: Vec<f64>,
    other: Option<f64>,
}

impl Row {
    fn loss<T: chainrule::Real>(&self) -> Box<dyn Loss<T>> {
        loss(self.name, self.d)
    }

    /// How many numbers a target has.
    fn targets(&self) -> usize {
        self.loss::<f64>().targets(self.d)
    }
}

fn table() -> Vec<Row> {
    let numbers = |text: &str| text.split(' ').map(|x| x.parse().unwrap()).collect();
    let rows = TABLE.lines().skip(1).map(|line| {
        let [name, d, y, t, cost, gradient, other] = *line.split('\t').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        Row {
            name,
            d: d.parse().unwrap(),
            y: numbers(y),
            t: numbers(t),
            cost: cost.parse().unwrap(),
            gradient: numbers(gradient),
            other: (other != "-").then(|| other.parse().unwrap()),
        }
    });
    rows.collect()
}

/// Whether the loss is one of classes, which are at least two, and whose targets are at most 1.
fn of_classes(name: &str) -> bool {
    let loss = loss::<f64>(name, 1);
    loss.targets(1) == 1 && loss.check(1).is_err()
}

/// Whether the loss is defined on probabilities alone.
fn of_probabilities(name: &str) -> bool {
    !loss::<f64>(name, 1).accepts(OutputRange::Real)
}

/// The least number of outputs from `least` on that the loss takes.
fn outputs(name: &str, least: usize) -> usize {
    let mut outputs = least..;
    let taken = outputs.find(|d| loss::<f64>(name, *d).check(*d).is_ok());
    taken.expect("a number of outputs")
}

/// Numbers in [0, 1] as targets of the loss: of margins −1 and 1. They lie in as many rows as it
/// takes of them.
fn targets(name: &str, t: &[f64], outputs: usize) -> Vec<f64> {
    let loss = loss::<f64>(name, outputs);
    let rows = loss.targets(outputs);
    let t: Vec<f64> = t.chunks(outputs).flat_map(|t| t[..rows].to_vec()).collect();
    match View::new(&t, rows).and_then(|t| loss.check_targets(t)) {
        Ok(()) => t,
        Err(_) => t.iter().map(|t| (t - 0.5).signum()).collect(),
    }
}

/// The rows of the table on which the losses are defined; the others, of one class or of targets
/// above 1, must be refused.
fn defined() -> Vec<Row> {
    let (refused, defined): (Vec<Row>, Vec<Row>) = table()
        .into_iter()
        .partition(|row| of_classes(row.name) && (row.d == 1 || row.t.iter().any(|t| *t > 1.0)));
    for row in &refused {
        let value = View::new(&row.y, row.d)
            .and_then(|y| row.loss::<f64>().value(y, View::new(&row.t, row.d)?.into()));
        let kind = value.map_err(|error| error.kind());
        let expected = if row.d == 1 {
            ErrorKind::Incompatible
        } else {
            ErrorKind::Value
        };
        assert_eq!(
            kind,
            Err(expected),
            "{} of y {:?}, t {:?}",
            row.name,
            row.y,
            row.t
        );
    }
    assert!(refused.len() >= 200, "{}", refused.len());
    defined
}

/// Whether a loss's slope is a difference of probabilities, of which floating point keeps an
/// epsilon of 1 and no more.
fn slope_cancels(row: &Row) -> bool {
    // Yes-or-no targets leave one term of two for the sigmoid, to full relative accuracy: (1−t)σ(y)
    // − tσ(−y).
    let plain = [
        "SigmoidCrossEntropy::new()",
        "SigmoidCrossEntropy weights",
        "SigmoidCrossEntropy positive",
    ]
    .contains(&row.name)
        && row.t.iter().all(|t| *t == 0.0 || *t == 1.0);
    match row.loss::<f64>().output_function() {
        OutputFunction::Softmax => true,
        OutputFunction::Sigmoid => !plain,
        _ => false,
    }
}

/// How large the numbers are of which the cost is a difference, and its slope: of a loss of rates
/// e^y, of one of directions, whose slope is large where it turns most, of one of variances, and of
/// margins between the classes of one sample. 0 of others.
fn rates(row: &Row) -> Vec<(f64, f64)> {
    if row.name == "CosineDistance" {
        let samples = row.y.chunks(row.d);
        let n = samples.len() as f64;
        let turn = |y: &[f64]| 3.0 / (n * y.iter().map(|y| y * y).sum::<f64>().sqrt().max(1e-300));
        return samples.flat_map(|y| vec![(0.0, turn(y)); row.d]).collect();
    }
    if row.name.starts_with("MultiMargin") {
        let n = (row.y.len() / row.d) as f64;
        let largest = row.y.iter().fold(1.0, |max, y| y.abs().max(max));
        return vec![(0.0, 2.0 * largest / n); row.y.len()];
    }
    if row.name.starts_with("GaussianNll") {
        let (k, mut sizes) = (row.d / 2, vec![]);
        let n = (row.t.len() / k) as f64;
        for (y, t) in row.y.chunks(row.d).zip(row.t.chunks(k)) {
            let square = |j: usize| (t[j] - y[j]).powi(2) * (-y[k + j]).exp();
            let cost = |j: usize| y[k + j].abs() + square(j) + 2.0;
            sizes.extend((0..k).map(|j| (cost(j), 0.0)));
            sizes.extend((0..k).map(|j| (cost(j), (1.0 + square(j)) / (n * k as f64))));
        }
        return sizes;
    }
    if row.loss::<f64>().targets(row.d) != row.d {
        return vec![(0.0, 0.0); row.y.len()];
    }
    let pairs = row.y.iter().zip(&row.t);
    if row.name.starts_with("Poisson ") {
        let logarithm = |y: f64, t: f64| if t > 0.0 { t * y.ln().abs() } else { 0.0 };
        let size = |(y, t): (&f64, &f64)| y + logarithm(*y, *t) + t * t.max(1.0).ln() + t;
        return pairs.map(|pair| (size(pair), 0.0)).collect();
    }
    if !row.name.starts_with("Poisson::") {
        return pairs.map(|_| (0.0, 0.0)).collect();
    }
    let size = |(y, t): (&f64, &f64)| {
        let constant = if *t > 1.0 { t * t.ln() + t } else { 0.0 };
        (y.exp() + t * y.abs() + constant, y.exp() + t)
    };
    pairs.map(size).collect()
}

/// The largest of those of the costs.
fn largest(rates: &[(f64, f64)]) -> f64 {
    rates.iter().map(|(cost, _)| *cost).fold(0.0, f64::max)
}

/// Within a few roundings of the definition; and of another library's number, whose own roundings
/// count too.
#[test]
fn values_and_gradients() -> Result<()> {
    let rows = defined();
    let mut others = 0;
    for row in &rows {
        let y = View::new(&row.y, row.d)?;
        let t = View::new(&row.t, row.targets())?;
        let loss = row.loss::<f64>();
        let place = format!("{} of y {:?}, t {:?}, d {}", row.name, row.y, row.t, row.d);
        let cost = loss.value(y, t.into())?;
        // The terms of KL have both signs, so that they cancel in the sum.
        let rates = rates(row);
        let floor = if row.name == "KlDivergence" {
            4e-16
        } else {
            4e-16 * largest(&rates)
        };
        assert!(
            (cost - row.cost).abs() <= 2e-15 * row.cost.abs() + floor,
            "{place}: {cost:e}, not {:e}",
            row.cost
        );
        if let Some(theirs) = row.other {
            assert!(
                (cost - theirs).abs() <= 1e-14 * theirs.abs() + 1e-15 + floor,
                "{place}: {cost:e}, elsewhere {theirs:e}"
            );
            others += 1;
        }
        let gradient = loss.gradient(y, t.into())?;
        assert_eq!(gradient.shape(), (row.d, y.cols()));
        let floor = if slope_cancels(row) { 4e-16 * 3.0 } else { 0.0 }; // 3 is the largest weight
        for ((got, want), (_, rate)) in gradient.iter().zip(&row.gradient).zip(&rates) {
            assert!(
                (got - want).abs() <= 2e-15 * want.abs() + floor + 4e-16 * rate,
                "∂ {place}: {got:e}, not {want:e}"
            );
        }
    }
    assert!(
        NAMES
            .iter()
            .all(|name| rows.iter().any(|row| same(row.name, name))),
        "every loss is in the table"
    );
    assert!(rows.len() >= 816, "{}", rows.len());
    assert!(others >= 600, "{others} of other libraries");
    Ok(())
}

/// In f32 the same as in f64 at the same (rounded) numbers, to a few roundings of f32.
#[test]
fn values_and_gradients_in_f32() -> Result<()> {
    let eps = f64::from(f32::EPSILON);
    for row in defined() {
        let narrow = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<_>>();
        let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        let (y, t) = (narrow(&row.y), narrow(&row.t));
        let got = row.loss::<f32>();
        let cost =
            f64::from(got.value(View::new(&y, row.d)?, View::new(&t, row.targets())?.into())?);
        let gradient = got.gradient(View::new(&y, row.d)?, View::new(&t, row.targets())?.into())?;
        let y = wide(&y);
        let t = wide(&t);
        let want = row.loss::<f64>();
        let want_cost = want.value(View::new(&y, row.d)?, View::new(&t, row.targets())?.into())?;
        let close = |got: f64, want: f64, floor: f64| {
            let floor = floor + f64::from(f32::MIN_POSITIVE);
            got == want || (got - want).abs() <= 8.0 * eps * want.abs() + floor
        };
        let rates = rates(&row);
        let floor = if row.name == "KlDivergence" {
            2.0 * eps
        } else {
            2.0 * eps * largest(&rates)
        };
        assert!(
            close(cost, want_cost, floor),
            "{} of y {y:?}, t {t:?}: {cost:e}, not {want_cost:e}",
            row.name
        );
        let floor = if slope_cancels(&row) { 6.0 * eps } else { 0.0 };
        let slopes = want.gradient(View::new(&y, row.d)?, View::new(&t, row.targets())?.into())?;
        for ((got, want), (_, rate)) in gradient.iter().zip(&slopes).zip(&rates) {
            assert!(
                close(f64::from(*got), *want, floor + 2.0 * eps * rate),
                "∂ {} of y {y:?}, t {t:?}: {got:e}, not {want:e}",
                row.name
            );
        }
    }
    Ok(())
}

/// A batch that repeats a sample has its cost, or as many times its cost for the one loss that is a
/// sum; and each sample then has its slope over n, or its slope.
#[test]
fn reduction() -> Result<()> {
    let (y, t) = ([0.25, 0.5, 0.125, 0.75], [0.0, 1.0, 0.0, 1.0]);
    for &name in NAMES {
        let d = outputs(name, 3);
        let loss = loss::<f64>(name, d);
        let (y, rows) = (&y[..d], loss.targets(d));
        let t = targets(name, &t[..d], d);
        let one = loss.value(View::new(y, d)?, View::new(&t, rows)?.into())?;
        let slope = loss.gradient(View::new(y, d)?, View::new(&t, rows)?.into())?;
        let likelihoods = ["GaussianNll::new()", "NegativeLogLikelihood"];
        assert!(one > 0.0 || likelihoods.contains(&name), "{name}: {one}");
        assert!(slope.iter().any(|d| *d != 0.0), "{name}");
        for n in [2, 7] {
            let value = loss.value(
                View::new(&y.repeat(n), d)?,
                View::new(&t.repeat(n), rows)?.into(),
            )?;
            let gradient = loss.gradient(
                View::new(&y.repeat(n), d)?,
                View::new(&t.repeat(n), rows)?.into(),
            )?;
            let (times, over) = if name == "SumSquaredError" {
                (n as f64, 1.0)
            } else {
                (1.0, n as f64)
            };
            assert_eq!(
                loss.reduction() == Reduction::Sum,
                name == "SumSquaredError"
            );
            assert!(
                (value - times * one).abs() <= 1e-15 * value.abs(),
                "{name}: {value} of {n}, {one} of one"
            );
            for column in gradient.column_iter() {
                assert!(
                    (column * over - &slope).amax() <= 1e-15,
                    "{name}, {n} samples"
                );
            }
        }
    }
    Ok(())
}

/// A loss that averages over d outputs gives, for a sample whose outputs repeat, what one of them
/// gives; one that sums gives d times that.
#[test]
fn over_outputs() -> Result<()> {
    let sums = [
        "SumSquaredError",
        "QuadraticCost",
        "CategoricalCrossEntropy",
        "KlDivergence",
        "NegativeLogLikelihood",
    ];
    // Others compare a sample's outputs with each other.
    let compares = |name: &str| {
        [
            "Softmax",
            "Generalized",
            "Poly1",
            "CategoricalHinge",
            "MultiMargin",
            "Cosine",
        ]
        .iter()
        .any(|start| name.starts_with(start))
    };
    for name in NAMES.iter().filter(|name| !compares(name)) {
        // Of one output and all of its weights 1, so that d copies are alike.
        if name.contains("weights") || name.contains("positive") || name.contains("all") {
            continue;
        }
        let few = outputs(name, 1);
        let loss = loss::<f64>(name, few);
        let (y, t) = (vec![0.3; 6], vec![1.0; 6]);
        let value = |d: usize| {
            let rows = loss.targets(d);
            loss.value(View::new(&y[..d], d)?, View::new(&t[..rows], rows)?.into())
        };
        let (one, six) = (value(few)?, value(6)?);
        let factor = if sums.contains(name) {
            6.0 / few as f64
        } else {
            1.0
        };
        assert!(
            one.abs() > 0.01 && (six - factor * one).abs() <= 1e-15 * six.abs(),
            "{name}: {six} of six, {one} of {few}"
        );
    }
    Ok(())
}

/// ln cosh r = r²/2 − r⁴/12 + r⁶/45 − … near 0 and |r| − ln 2 + e^−2|r| − … far out, to full
/// relative accuracy: the plain formula loses all digits below 1e−8 and overflows beyond 710.
#[test]
fn log_cosh_near_and_far() -> Result<()> {
    let cost = |r: f64| LogCosh.value(View::new(&[r], 1)?, View::new(&[0.0], 1)?.into());
    let slope = |r: f64| -> Result<f64> {
        Ok(LogCosh.gradient(View::new(&[r], 1)?, View::new(&[0.0], 1)?.into())?[0])
    };
    for sign in [1.0, -1.0] {
        for r in [0.0, 1e-150, 1e-100, 1e-20, 1e-10, 1e-8, 1e-6, 1e-4, 1e-3] {
            let r2: f64 = r * r;
            let want = r2 / 2.0 * (1.0 - r2 / 6.0 * (1.0 - r2 * 4.0 / 15.0));
            let got = cost(sign * r)?;
            assert!(
                (got - want).abs() <= 1e-15 * want,
                "{r:e}: {got:e}, not {want:e}"
            );
            let want = sign * r * (1.0 - r2 / 3.0 * (1.0 - r2 * 0.4));
            let got = slope(sign * r)?;
            assert!(
                (got - want).abs() <= 1e-15 * want.abs(),
                "slope at {r:e}: {got:e}, not {want:e}"
            );
        }
        for r in [20.0, 100.0, 709.0, 711.0, 1e4, 1e100, 1e308, f64::INFINITY] {
            let want = r - core::f64::consts::LN_2;
            let got = cost(sign * r)?;
            assert!(
                got == want || (got - want).abs() <= 1e-15 * want,
                "{r:e}: {got:e}, not {want:e}"
            );
            assert_eq!(slope(sign * r)?, sign);
        }
    }
    // No step where one formula hands over to the other.
    let around: Vec<f64> = (-50..50)
        .map(|i| 1.0 + f64::from(i) * f64::EPSILON)
        .collect();
    for pair in around.windows(2) {
        let rise = cost(pair[1])? - cost(pair[0])?;
        // tanh(1) of a step of ε, rounded to the spacing of numbers below ½.
        assert!(
            rise.abs() <= 3.0 * f64::EPSILON,
            "from {:e}: {rise:e}",
            pair[0]
        );
    }
    Ok(())
}

/// Costs and slopes of one sample at the very ends, where the limits exist. (y, t, cost, slope)
#[test]
fn infinite_outputs() -> Result<()> {
    const INF: f64 = f64::INFINITY;
    let cases: Vec<(&str, f64, f64, f64, f64)> = vec![
        ("SumSquaredError", INF, 1.0, INF, INF),
        ("QuadraticCost", -INF, 1.0, INF, -INF),
        ("MeanSquaredError", -INF, 1.0, INF, -INF),
        ("MeanAbsoluteError", INF, 1.0, INF, 1.0),
        ("MeanAbsoluteError", -INF, 1.0, INF, -1.0),
        ("Huber::new(0.3)", INF, 1.0, INF, 0.3),
        ("Huber::new(0.3)", -INF, 1.0, INF, -0.3),
        ("LogCosh", INF, 1.0, INF, 1.0),
        ("LogCosh", -INF, 1.0, INF, -1.0),
        ("SigmoidCrossEntropy::new()", INF, 1.0, 0.0, 0.0),
        ("SigmoidCrossEntropy::new()", INF, 0.0, INF, 1.0),
        ("SigmoidCrossEntropy::new()", -INF, 1.0, INF, -1.0),
        ("SigmoidCrossEntropy::new()", -INF, 0.0, 0.0, 0.0),
        ("SigmoidCrossEntropy::new()", INF, 0.5, INF, 0.5),
        (
            "SigmoidCrossEntropy::new().label_smoothing(0.1)",
            INF,
            1.0,
            INF,
            0.05,
        ),
        ("Hinge", INF, 1.0, 0.0, 0.0),
        ("Hinge", -INF, 1.0, INF, -1.0),
        ("Hinge", INF, -1.0, INF, 1.0),
        ("SquaredHinge", INF, 1.0, 0.0, 0.0),
        ("SquaredHinge", -INF, 1.0, INF, -INF),
        ("HingeEmbedding::new(1.0)", INF, -1.0, 0.0, 0.0),
        ("HingeEmbedding::new(1.0)", -INF, -1.0, INF, -1.0),
        ("HingeEmbedding::new(1.0)", INF, 1.0, INF, 1.0),
        ("CategoricalHinge", INF, 1.0, 0.0, 0.0),
        ("CategoricalHinge", -INF, 1.0, INF, -1.0),
        ("MultiMargin::new()", INF, 1.0, 0.0, 0.0),
        ("MultiMargin::new()", -INF, 1.0, INF, -0.5),
        ("SmoothL1::new(0.3)", INF, 1.0, INF, 1.0),
        ("SmoothL1::new(0.3)", -INF, 1.0, INF, -1.0),
        ("MeanAbsolutePercentageError", INF, 0.5, INF, 2.0),
        ("MeanSquaredLogarithmicError", INF, 0.5, INF, 0.0),
        ("MeanSquaredLogarithmicError", -INF, 0.0, 0.0, 0.0),
        ("Quantile::new(&[0.8])", INF, 1.0, INF, 1.0 - 0.8),
        ("Quantile::new(&[0.8])", -INF, 1.0, INF, -0.8),
        ("Expectile::new(&[0.8])", -INF, 1.0, INF, -INF),
        ("SigmoidFocal::new(2.0)", INF, 1.0, 0.0, 0.0),
        ("SigmoidFocal::new(2.0)", INF, 0.0, INF, 1.0),
        ("SigmoidFocal::new(0.5).alpha(0.25)", -INF, 1.0, INF, -0.25),
        ("SigmoidFocal::new(0.5).alpha(0.25)", -INF, 0.0, 0.0, 0.0),
        ("SoftmaxFocal::new(0.5)", -INF, 1.0, INF, -1.0),
        (
            "GeneralizedCrossEntropy::new(0.7)",
            -INF,
            1.0,
            1.0 / 0.7,
            0.0,
        ),
        ("Poly1CrossEntropy::new(1.0)", -INF, 1.0, INF, -1.0),
        ("NegativeLogLikelihood", -INF, 1.0, INF, -1.0),
        ("NegativeLogLikelihood", -INF, 0.0, 0.0, 0.0),
        ("BinaryCrossEntropy", 0.0, 1.0, 100.0, -1e12),
        ("BinaryCrossEntropy", 0.0, 0.0, 0.0, 1.0),
        ("BinaryCrossEntropy", 1.0, 1.0, 0.0, -1.0),
        ("BinaryCrossEntropy", 1.0, 0.0, 100.0, 1e12),
        ("CategoricalCrossEntropy", 0.0, 1.0, INF, -INF),
        ("CategoricalCrossEntropy", 0.0, 0.0, 0.0, 0.0),
        ("KlDivergence", 0.0, 1.0, INF, -INF),
        ("KlDivergence", 0.0, 0.0, 0.0, 0.0),
    ];
    for (name, y, t, cost, slope) in cases {
        // Beside a class of probability 1 that is not the sample's, which costs nothing.
        let d = if of_classes(name) { 2 } else { 1 };
        let loss = loss::<f64>(name, d);
        let both = [y, 1.0];
        let target = [t, 0.0];
        let (view, target) = (View::new(&both[..d], d)?, View::new(&target[..d], d)?);
        assert_eq!(
            loss.value(view, target.into())?,
            cost,
            "{name} of {y} and {t}"
        );
        let got = loss.gradient(view, target.into())?[0];
        assert!(
            got == slope || (got - slope).abs() < 1e-16,
            "slope of {name} at {y} and {t}: {got}"
        );
    }
    // A class with the logit −∞ is impossible: free where nothing is expected of it, ∞ where
    // something is.
    let y = [-INF, 0.0, 0.0];
    let softmax = SoftmaxCrossEntropy::new();
    assert_eq!(
        softmax.value(View::new(&y, 3)?, View::new(&[0.0, 1.0, 0.0], 3)?.into())?,
        core::f64::consts::LN_2
    );
    assert_eq!(
        softmax
            .gradient(View::new(&y, 3)?, View::new(&[0.0, 1.0, 0.0], 3)?.into())?
            .as_slice(),
        [0.0, -0.5, 0.5]
    );
    assert_eq!(
        softmax.value(View::new(&y, 3)?, View::new(&[1.0, 0.0, 0.0], 3)?.into())?,
        INF
    );
    // Two classes with the logit ∞, or all with −∞, have no limit.
    for y in [[INF, INF, 0.0], [-INF; 3]] {
        assert!(
            softmax
                .value(View::new(&y, 3)?, View::new(&[1.0, 0.0, 0.0], 3)?.into())?
                .is_nan(),
            "{y:?}"
        );
    }
    Ok(())
}

/// Rates of counts: e^y within a rounding or two, with its limits, and of NaN NaN.
#[test]
fn exponentials() {
    for y in [
        0.0_f64, -0.0, 1.0, -1.0, 0.1, 20.0, -30.0, 88.0, 700.0, -700.0,
    ] {
        let (mut double, mut single) = ([y], [y as f32]);
        OutputFunction::Exp.apply(ViewMut::new(&mut double, 1).expect("a view"));
        OutputFunction::Exp.apply(ViewMut::new(&mut single, 1).expect("a view"));
        assert!((double[0] - y.exp()).abs() <= 4e-16 * y.exp(), "{y}");
        let want = f64::from(y as f32).exp() as f32;
        let near = (single[0] - want).abs() <= 3e-7 * want + 1e-44;
        assert!(near || single[0] == want, "{y}: {}, not {want}", single[0]);
    }
    let mut ends = [f64::INFINITY, f64::NEG_INFINITY, 710.0, -800.0, f64::NAN];
    OutputFunction::Exp.apply(ViewMut::new(&mut ends, 5).expect("a view"));
    assert_eq!(ends[..4], [f64::INFINITY, 0.0, f64::INFINITY, 0.0]);
    assert!(ends[4].is_nan());
}

/// A NaN among the outputs must never be averaged away, whichever class it is in and whatever is
/// expected of it.
#[test]
fn nan_outputs_give_nan_costs() -> Result<()> {
    for &name in NAMES {
        let d = outputs(name, 3);
        let loss = loss::<f64>(name, d);
        for sample in 0..2 {
            for row in 0..d {
                for hot in 0..d {
                    let hot = |i: usize| if i % d == hot { 1.0 } else { 0.0 };
                    let t = targets(name, &(0..2 * d).map(hot).collect::<Vec<_>>(), d);
                    let mut y = [0.2, 0.3, 0.5, 0.5, 0.3, 0.2, 0.4, 0.1];
                    y[d * sample + row] = f64::NAN;
                    let y = &y[..2 * d];
                    let (view, target) = (View::new(y, d)?, View::new(&t, loss.targets(d))?);
                    let cost = loss.value(view, target.into())?;
                    assert!(cost.is_nan(), "{name}: {cost} of {y:?} for {t:?}");
                    let gradient = loss.gradient(view, target.into())?;
                    assert!(
                        gradient[(row, sample)].is_nan(),
                        "slope of {name}: {gradient} at {y:?} for {t:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

/// Probabilities down to the smallest number have a logarithm, so their cost is finite: 1/y alone
/// would overflow.
#[test]
fn tiny_probabilities_cost_finitely() -> Result<()> {
    for y in [f64::MIN_POSITIVE, 1e-310, 5e-324] {
        let both = [y, 1.0];
        let (view, one) = (View::new(&both, 2)?, View::new(&[1.0, 0.0], 2)?);
        for loss in [&CategoricalCrossEntropy as &dyn Loss<f64>, &KlDivergence] {
            let cost = loss.value(view, one.into())?;
            assert!(
                cost.is_finite() && (cost + y.ln()).abs() <= 1e-15 * cost,
                "{loss:?} of {y:e}: {cost}"
            );
        }
    }
    for y in [f32::MIN_POSITIVE, 1e-40, 1e-45] {
        let both = [y, 1.0];
        let (view, one) = (View::new(&both, 2)?, View::new(&[1.0, 0.0], 2)?);
        for loss in [&CategoricalCrossEntropy as &dyn Loss<f32>, &KlDivergence] {
            let cost = loss.value(view, one.into())?;
            assert!(
                cost.is_finite() && (cost + y.ln()).abs() <= 1e-6 * cost,
                "{loss:?} of {y:e}: {cost}"
            );
        }
    }
    Ok(())
}

/// KL(t‖y) = H(t, y) − H(t): cross-entropy less the entropy of the targets, 0 where y is t, and
/// never below.
#[test]
fn kl_is_cross_entropy_less_entropy() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
    for d in 2..6 {
        for _ in 0..50 {
            let mut simplex = || {
                let x: Vec<f64> = (0..d)
                    .map(|_| -f64::ln(1.0 - rng.random::<f64>()))
                    .collect();
                let sum: f64 = x.iter().sum();
                x.iter().map(|x| x / sum).collect::<Vec<_>>()
            };
            let (y, t) = (simplex(), simplex());
            let entropy = -t.iter().map(|t| t * t.ln()).sum::<f64>();
            let (y, t) = (View::new(&y, d)?, View::new(&t, d)?);
            let (kl, cross) = (
                KlDivergence.value(y, t.into())?,
                CategoricalCrossEntropy.value(y, t.into())?,
            );
            assert!((kl - (cross - entropy)).abs() < 1e-14 && kl > 0.0);
            assert_eq!(KlDivergence.value(t, t.into())?, 0.0);
            assert_eq!(
                KlDivergence.gradient(y, t.into())?,
                CategoricalCrossEntropy.gradient(y, t.into())?
            );
        }
    }
    Ok(())
}

/// Probabilities and logits agree where both can: softmax then cross-entropy is cross-entropy on
/// logits, σ likewise.
#[test]
fn output_functions_join_logits_and_probabilities() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
    for d in 2..6 {
        let y = DMatrix::from_fn(d, 4, |_, _| (rng.random::<f64>() - 0.5) * 8.0);
        let t = DMatrix::from_fn(d, 4, |i, j| if i == j % d { 1.0 } else { 0.0 });
        let softmax = SoftmaxCrossEntropy::new();
        let mut p = y.clone();
        Loss::<f64>::output_function(&softmax).apply(&mut p);
        for (p, y) in p.column_iter().zip(y.column_iter()) {
            let e = y.map(f64::exp);
            assert!((p - &e / e.sum()).amax() < 1e-15);
        }
        let (a, b) = (
            softmax.value((&y).into(), (&t).into())?,
            CategoricalCrossEntropy.value((&p).into(), (&t).into())?,
        );
        assert!(
            (a - b).abs() <= 1e-14 * b,
            "{a} on logits, {b} on probabilities"
        );

        let sigmoid = SigmoidCrossEntropy::new();
        let mut p = y.clone();
        Loss::<f64>::output_function(&sigmoid).apply(&mut p);
        assert!((&p - y.map(|y| 1.0 / (1.0 + f64::exp(-y)))).amax() < 1e-15);
        let b = -p
            .zip_map(&t, |p, t| t * p.ln() + (1.0 - t) * (1.0 - p).ln())
            .mean();
        let a = sigmoid.value((&y).into(), (&t).into())?;
        assert!(
            (a - b).abs() <= 1e-13 * b,
            "{a} on logits, {b} on probabilities"
        );
        // Losses on plain outputs leave them as they are.
        let mut same = y.clone();
        Loss::<f64>::output_function(&MeanSquaredError).apply(&mut same);
        assert_eq!(same, y);
    }
    Ok(())
}

/// The slope is the derivative of the cost, at random outputs.
#[test]
fn slopes_are_derivatives() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(10);
    for &name in NAMES {
        let (mut compared, mut undecided) = (0, 0);
        let sizes = [1, 2, 5].map(|least| {
            outputs(
                name,
                if of_classes(name) && least == 1 {
                    3
                } else {
                    least
                },
            )
        });
        for n in [1, 2, 7] {
            for d in sizes {
                for _ in 0..3 {
                    let y = DMatrix::from_fn(d, n, |_, _| {
                        if of_probabilities(name) {
                            0.05 + 0.9 * rng.random::<f64>()
                        } else if name.contains(" rates") {
                            0.05 + rng.random::<f64>()
                        } else {
                            (rng.random::<f64>() - 0.5) * 6.0
                        }
                    });
                    let t: Vec<f64> = (0..d * n).map(|_| rng.random()).collect();
                    let t = targets(name, &t, d);
                    let t = DMatrix::from_vec(t.len() / n, n, t);
                    let report = gradcheck::loss(&*loss::<f64>(name, d), &y, &t)?;
                    assert!(report.error() < 1e-8, "{name}, {d} × {n}: {report}");
                    compared += report.compared;
                    undecided += report.undecided;
                }
            }
        }
        let outputs: usize = sizes.iter().sum();
        assert_eq!(compared + undecided, 3 * (1 + 2 + 7) * outputs, "{name}");
        // A kink (of the absolute value, of Huber, of the hinge) is near a few outputs; smooth
        // losses have none.
        let kinks = [
            // No kink, but slopes that are nearly nothing beside the cost.
            "GeneralizedCrossEntropy",
            "MeanAbsolute",
            "Huber",
            "SmoothL1",
            "MeanSquaredLogarithmic",
            "Quantile",
            "Expectile",
            "Hinge",
            "SquaredHinge",
            "CategoricalHinge",
            "MultiMargin",
        ]
        .iter()
        .any(|loss| name.starts_with(loss));
        assert!(
            undecided as f64 <= if kinks { 0.05 * compared as f64 } else { 0.0 },
            "{name}: {undecided} of {compared} undecided"
        );
    }
    Ok(())
}

/// The cost and gradient of a batch are those of the tape: `Sequential` adds nothing to the loss.
#[test]
fn sequential_uses_the_same_numbers() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let mut tape = Tape::new();
    for row in defined() {
        if of_probabilities(row.name) {
            continue; // They need a softmax layer on top, which the rows do not have.
        }
        let y = View::new(&row.y, row.d)?;
        let t = View::new(&row.t, row.targets())?;
        let loss = row.loss::<f64>();
        let net = Sequential::<f64>::builder(row.d)
            .layer(Activation::Linear)
            .build_with(&mut rng)?;
        let cost = net.gradient(y, t, &*loss, &mut tape)?;
        assert_eq!(cost, loss.value(y, t.into())?, "{}", row.name);
        assert_eq!(tape.delta(0)?, loss.gradient(y, t.into())?, "{}", row.name);
        assert_eq!(net.cost(y, t, &*loss, &mut tape)?, cost, "{}", row.name);
        let costs: f64 = tape.costs().iter().sum();
        let mean = if row.name == "SumSquaredError" {
            costs
        } else {
            costs / y.cols() as f64
        };
        assert!(
            (mean - cost).abs() <= 1e-15 * cost.abs().max(costs.abs()),
            "{}: the costs of the samples make the cost",
            row.name
        );
    }
    Ok(())
}

/// Costs of many samples in `f32`: as right as of few, where a sum from first to last has lost its
/// second digit.
#[test]
fn costs_of_many_samples() -> Result<()> {
    const N: usize = 10_000_000;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let y: Vec<f32> = (0..N).map(|_| rng.random::<f32>() * 1.2 - 0.6).collect();
    let t = vec![0.0_f32; N];
    let exact = y.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / N as f64;
    let off = |cost: f32, exact: f64| (f64::from(cost) / exact - 1.0).abs();
    let cost = MeanSquaredError.value(View::new(&y, 1)?, View::new(&t, 1)?.into())?;
    assert!(off(cost, exact) < 3e-7, "{cost}, not {exact}");
    let sum = SumSquaredError.value(View::new(&y, 1)?, View::new(&t, 1)?.into())?;
    assert!(
        off(sum, 0.5 * exact * N as f64) < 3e-7,
        "{sum}, not {}",
        0.5 * exact * N as f64
    );
    // Of one sample with as many outputs.
    let cost = MeanSquaredError.value(View::new(&y, N)?, View::new(&t, N)?.into())?;
    assert!(off(cost, exact) < 3e-7, "{cost}, not {exact}");
    // All alike, where every rounding goes the same way.
    for value in [0.1_f32, 0.3, 0.7] {
        let y = vec![value; N];
        let cost = MeanAbsoluteError.value(View::new(&y, 1)?, View::new(&t, 1)?.into())?;
        assert!(off(cost, f64::from(value)) < 1e-6, "{cost}, not {value}");
    }
    // An average is a number where the sum is beyond the largest.
    let y = [3e38_f32; 4];
    assert_eq!(
        MeanAbsoluteError.value(View::new(&y, 1)?, View::new(&[0.0; 4], 1)?.into())?,
        3e38
    );
    assert!(
        MeanAbsoluteError
            .value(
                View::new(&[f32::INFINITY; 4], 1)?,
                View::new(&[0.0; 4], 1)?.into()
            )?
            .is_infinite()
    );
    assert!(
        MeanAbsoluteError
            .value(
                View::new(&[f32::NAN, 3e38, 3e38], 1)?,
                View::new(&[0.0; 3], 1)?.into()
            )?
            .is_nan()
    );
    Ok(())
}

/// Many classes in `f32`: probabilities sum to 1, and costs are those of `f64`.
#[test]
fn costs_of_many_classes() -> Result<()> {
    const K: usize = 200_000;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    let y: Vec<f32> = (0..K).map(|_| rng.random::<f32>() * 2.0).collect();
    let mut t = vec![0.0_f32; K];
    t[K - 1] = 1.0;
    let exact = y.iter().map(|y| f64::from(*y).exp()).sum::<f64>();
    for (loss, t, expected) in [
        (
            SoftmaxCrossEntropy::new(),
            t.clone(),
            exact.ln() - f64::from(y[K - 1]),
        ),
        // All classes count alike.
        (
            SoftmaxCrossEntropy::new().label_smoothing(1.0),
            t,
            exact.ln() - y.iter().map(|y| f64::from(*y)).sum::<f64>() / K as f64,
        ),
    ] {
        let cost = loss.value(View::new(&y, K)?, View::new(&t, K)?.into())?;
        assert!(
            (f64::from(cost) / expected - 1.0).abs() < 1e-6,
            "{cost}, not {expected}"
        );
    }
    let mut p = DMatrix::from_vec(K, 1, y.clone());
    OutputFunction::Softmax.apply(&mut p);
    for (p, y) in p.iter().zip(&y) {
        let expected = f64::from(*y).exp() / exact;
        assert!(
            (f64::from(*p) / expected - 1.0).abs() < 1e-6,
            "{p}, not {expected}"
        );
    }
    Ok(())
}

/// Written by `reference/reductions.py`.
const REDUCTIONS: &str = include_str!("../reference/reductions.tsv");

/// Mean, sum and none with class weights and labels to be ignored, as PyTorch has them.
#[test]
fn reductions_of_labels() -> Result<()> {
    let numbers =
        |text: &str| -> Vec<f64> { text.split(' ').map(|x| x.parse().unwrap()).collect() };
    for line in REDUCTIONS.lines().skip(1) {
        let [reduction, ignore, weights, y, labels, cost, gradient] =
            *line.split('\t').collect::<Vec<_>>()
        else {
            panic!("{line}")
        };
        let labels: Vec<usize> = labels.split(' ').map(|x| x.parse().unwrap()).collect();
        let (targets, counted) =
            chainrule::data::one_hot_ignoring::<f64>(&labels, 3, ignore.parse().unwrap())?;
        let data = Dataset::new(DMatrix::zeros(1, labels.len()), targets)?
            .weighted(counted)?
            .class_weighted(&numbers(weights))?;
        let reduction = match reduction {
            "mean" => Reduction::WeightedMean,
            _ => Reduction::Sum,
        };
        let loss = Reduced::new(SoftmaxCrossEntropy::new(), reduction);
        let y = numbers(y);
        let y = View::new(&y, 3)?;
        let got = if line.starts_with("none") {
            loss.sample_costs(y, (&data).into())?
        } else {
            vec![loss.value(y, (&data).into())?]
        };
        let close = |got: &[f64], want: &str| {
            let want = numbers(want);
            assert_eq!(got.len(), want.len(), "{line}");
            for (got, want) in got.iter().zip(want) {
                let bound = 1e-14 * want.abs() + 1e-15;
                assert!((got - want).abs() <= bound, "{line}: {got}, not {want}");
            }
        };
        close(&got, cost);
        close(loss.gradient(y, (&data).into())?.as_slice(), gradient);
    }
    assert_eq!(REDUCTIONS.lines().count(), 25);
    Ok(())
}

/// Any loss with any reduction: of equal weights the weighted mean is the mean, bit for bit; what
/// weighs 0 is not counted, and where all does the cost is 0.
#[test]
fn any_loss_reduced() -> Result<()> {
    macro_rules! all {
        ($($file:ident::$loss:ident { $($made:expr),+ })+) => {
            $($(check($made)?;)+)+
        };
    }
    fn check(loss: impl Loss<f64> + Clone) -> Result<()> {
        let name = loss.name().to_string();
        let d = if loss.check(3).is_ok() { 3 } else { 4 };
        let rows = loss.targets(d);
        let y: Vec<f64> = (0..4 * d).map(|i| 0.1 + 0.2 * (i % 4) as f64).collect();
        let t: Vec<f64> = (0..4 * rows).map(|i| f64::from(i % 3 == 0)).collect();
        let signs: Vec<f64> = t.iter().map(|t| 2.0 * t - 1.0).collect();
        let (y, t) = (View::new(&y, d)?, View::new(&t, rows)?);
        let t = if loss.check_targets(t).is_ok() {
            t
        } else {
            View::new(&signs, rows)?
        };
        let by = |reduction| Reduced::new(loss.clone(), reduction);
        let (mean, sum, weighted) = (
            by(Reduction::Mean),
            by(Reduction::Sum),
            by(Reduction::WeightedMean),
        );
        assert_eq!(weighted.value(y, t.into())?, mean.value(y, t.into())?);
        assert_eq!(weighted.gradient(y, t.into())?, mean.gradient(y, t.into())?);

        let some = Targets::weighted(t, &[2.0, 0.0, 1.0, 0.0])?;
        let (value, total) = (weighted.value(y, some)?, sum.value(y, some)?);
        assert!((value - total / 3.0).abs() <= 1e-15 * value.abs(), "{name}");
        assert!((4.0 * mean.value(y, some)? - total).abs() <= 4e-15 * total.abs());
        let costs = sum.sample_costs(y, some)?;
        let plain = sum.sample_costs(y, t.into())?;
        assert_eq!(costs, [2.0 * plain[0], 0.0, plain[2], 0.0], "{name}");
        let (slope, slopes) = (weighted.gradient(y, some)?, sum.gradient(y, some)?);
        assert!(
            (slope * 3.0 - &slopes).amax() <= 1e-14 * slopes.amax(),
            "{name}"
        );
        assert!(slopes.column(1).iter().all(|slope| *slope == 0.0), "{name}");

        assert_eq!(
            weighted.describe(),
            format!("Reduced({}, reduction=WeightedMean)", loss.describe())
        );
        assert_eq!(weighted.name(), name);
        assert_eq!(weighted.output_function(), loss.output_function());
        assert_eq!(weighted.targets(d), rows);
        Ok(())
    }
    chainrule::every_loss!(all);
    Ok(())
}

/// Focal losses without focus are cross-entropies; poly-1 without its term, too. The limit of the
/// generalized cross-entropy is one, and at its other end it is the error of a probability. Smooth
/// L1 is Huber's loss by β; the middle quantile is half of the absolute error, and the middle
/// expectile half of the squared one.
#[test]
fn relatives() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(12);
    for _ in 0..50 {
        let y: Vec<f64> = (0..6).map(|_| (rng.random::<f64>() - 0.5) * 8.0).collect();
        let t: Vec<f64> = (0..6).map(|_| rng.random()).collect();
        let (y, t) = (View::new(&y, 3)?, View::new(&t, 3)?);
        let both = |loss: &dyn Loss<f64>| -> Result<Vec<f64>> {
            let mut numbers = vec![loss.value(y, t.into())?];
            numbers.extend(loss.gradient(y, t.into())?.iter());
            Ok(numbers)
        };
        let same = |one: &dyn Loss<f64>, factor: f64, other: &dyn Loss<f64>, bound: f64| {
            for (one, other) in both(one)?.into_iter().zip(both(other)?) {
                let near = (one - factor * other).abs() <= bound * (1.0 + one.abs());
                assert!(near, "{one}, and {factor} times {other}");
            }
            Ok::<(), Error>(())
        };
        let softmax = SoftmaxCrossEntropy::new();
        same(&SoftmaxFocal::new(0.0), 1.0, &softmax, 1e-15)?;
        same(
            &SigmoidFocal::new(0.0),
            1.0,
            &SigmoidCrossEntropy::new(),
            1e-15,
        )?;
        same(
            &SigmoidFocal::new(1.5).alpha(0.5),
            0.5,
            &SigmoidFocal::new(1.5),
            1e-15,
        )?;
        same(&Poly1CrossEntropy::new(0.0), 1.0, &softmax, 1e-15)?;
        same(&GeneralizedCrossEntropy::new(1e-9), 1.0, &softmax, 1e-7)?;
        same(&SmoothL1::new(0.3), 1.0 / 0.3, &Huber::new(0.3), 1e-15)?;
        same(&Quantile::new(&[0.5]), 0.5, &MeanAbsoluteError, 1e-15)?;
        same(&Expectile::new(&[0.5]), 0.5, &MeanSquaredError, 1e-15)?;
    }
    Ok(())
}
