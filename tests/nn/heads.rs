//! Losses on ranges of the outputs: sums of what each loss is by itself.

use crate::common::refused;
use chainrule::nn::loss::*;
use chainrule::nn::{Chain, OutputRange, Parallel, Softmax};
use chainrule::numeric::Targets;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, View, gradcheck};

const SAMPLES: usize = 7;

/// A loss of so many outputs, and heads of which it is the second.
type Made = fn(usize) -> (Box<dyn Loss<f64>>, Heads<f64>);

macro_rules! all {
    ($($file:ident::$loss:ident { $($made:expr),+ })+) => {
        vec![$($({
            let made: Made = |outputs| {
                let heads = Heads::new()
                    .head("numbers", 2, MeanSquaredError)
                    .weight("this", 0.3)
                    .head("this", outputs, $made)
                    .head("uncertain", 4, GaussianNll::new())
                    .weight("uncertain", 2.5);
                (Box::new($made), heads)
            };
            made
        },)+)+]
    };
}

/// Outputs and targets on which a loss is defined.
fn numbers(loss: &dyn Loss<f64>, outputs: usize, seed: u64) -> (DMatrix<f64>, DMatrix<f64>) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut y = DMatrix::from_fn(outputs, SAMPLES, |_, _| 0.05 + 0.9 * rng.random::<f64>());
    if loss.accepts(OutputRange::Real) && loss.name() != "MeanSquaredLogarithmicError" {
        y = y.map(|y| 4.0 * y - 1.9);
    }
    let rows = loss.targets(outputs);
    let mut t = DMatrix::from_fn(rows, SAMPLES, |_, _| 0.1 + 0.8 * rng.random::<f64>());
    if loss.check_targets((&t).into()).is_err() {
        t = DMatrix::from_fn(rows, SAMPLES, |i, j| [1.0, -1.0][(i + j) % 2]);
    }
    (y, t)
}

/// The rows of matrices, one below the other.
fn stacked<'m>(parts: impl Iterator<Item = &'m DMatrix<f64>>) -> DMatrix<f64> {
    let rows: Vec<_> = parts.flat_map(|part| part.row_iter()).collect();
    DMatrix::from_rows(&rows)
}

#[track_caller]
fn close(one: f64, other: f64) {
    let apart = (one - other).abs();
    assert!(
        one == other || apart <= 1e-13 * (1.0 + other.abs()),
        "{one}, not {other}"
    );
}

fn weighted<'t>(t: &'t DMatrix<f64>, weights: Option<&'t [f64]>) -> Result<Targets<'t, f64>> {
    weights.map_or(Ok(t.into()), |weights| Targets::weighted(t, weights))
}

/// C = Σ wₕ·Cₕ, where Cₕ is what the loss says of the head's rows, and likewise its gradient, for
/// every loss, with and without weights of samples.
#[test]
fn sums_of_losses() -> Result<()> {
    let samples = [1.0, 0.5, 0.0, 2.0, 3.0, 0.25, 1.5];
    let every: Vec<Made> = chainrule::every_loss!(all);
    let mut known = 0;
    for (index, made) in every.iter().enumerate() {
        let outputs = if made(3).0.check(3).is_ok() { 3 } else { 4 };
        let (own, heads) = made(outputs);
        if own.reduction() != Reduction::Mean {
            assert_eq!(own.name(), "SumSquaredError");
            assert!(heads.check(6 + outputs).is_err());
            continue;
        }
        known += 1;
        let (mean, normal): (&dyn Loss<f64>, &dyn Loss<f64>) =
            (&MeanSquaredError, &GaussianNll::new());
        let parts = [(mean, 2, 1.0), (&*own, outputs, 0.3), (normal, 4, 2.5)];
        let part = |(head, (loss, outputs, _)): (usize, &(&dyn Loss<f64>, usize, f64))| {
            numbers(*loss, *outputs, (10 * index + head) as u64)
        };
        let made: Vec<_> = parts.iter().enumerate().map(part).collect();
        let y = stacked(made.iter().map(|(y, _)| y));
        let t = stacked(made.iter().map(|(_, t)| t));
        for weights in [None, Some(&samples[..])] {
            let value = heads.value((&y).into(), weighted(&t, weights)?)?;
            let gradient = heads.gradient((&y).into(), weighted(&t, weights)?)?;
            let costs = heads.head_costs(&y, weighted(&t, weights)?)?;
            let (mut want, mut slopes) = (0.0, Vec::new());
            for (((loss, _, weight), (y, t)), (_, cost)) in parts.iter().zip(&made).zip(costs) {
                let target = || weighted(t, weights);
                assert_eq!(cost, loss.value(y.into(), target()?)?);
                want += weight * cost;
                slopes.push(*weight * loss.gradient(y.into(), target()?)?);
            }
            close(value, want);
            for (one, other) in gradient.iter().zip(stacked(slopes.iter()).iter()) {
                close(*one, *other);
            }
        }
        let report = gradcheck::loss(&heads, &y, &t)?;
        assert!(report.error() < 1e-6, "{}: {report}", own.name());
    }
    assert!(known > 30);
    Ok(())
}

/// The other reductions, and the costs of samples, by their definitions.
#[test]
fn reductions() -> Result<()> {
    let (y, t) = (
        [2.0, 5.0, -1.0, 0.0, 3.0, 3.0],
        [0.0, 0.0, 0.0, 2.0, 0.0, 0.0],
    );
    let (y, t) = (View::new(&y, 2)?, View::new(&t, 2)?);
    let targets = Targets::weighted(t, &[3.0, 1.0, 0.0])?;
    // |y₀−t₀| + ½·(y₁−t₁)², of three samples: 2 + 12.5, 1 + 2, 3 + 4.5.
    let of = |reduction| {
        Heads::new()
            .head("near", 1, Reduced::new(MeanAbsoluteError, reduction))
            .head("far", 1, Reduced::new(MeanSquaredError, reduction))
            .weight("far", 0.5)
    };
    let sums = of(Reduction::Sum);
    assert_eq!(sums.sample_costs(y, t.into())?, [14.5, 3.0, 7.5]);
    assert_eq!(sums.value(y, t.into())?, 25.0);
    assert_eq!(sums.value(y, targets)?, 46.5);
    assert_eq!(of(Reduction::Mean).value(y, targets)?, 15.5);
    assert_eq!(of(Reduction::WeightedMean).value(y, targets)?, 46.5 / 4.0);
    let whole = Reduced::new(of(Reduction::Mean), Reduction::Sum);
    assert_eq!(whole.value(y, targets)?, 46.5);
    assert_eq!(Loss::<f64>::output_function(&whole).heads().len(), 2);
    // A head that weighs nothing counts nothing, however bad.
    let none = of(Reduction::Mean).weight("far", 0.0);
    let (y, t) = ([1.0, f64::INFINITY], [0.0, 0.0]);
    let (y, t) = (View::new(&y, 2)?, View::new(&t, 2)?);
    assert_eq!(none.value(y, t.into())?, 1.0);
    assert_eq!(none.gradient(y, t.into())?.as_slice(), [1.0, 0.0]);
    Ok(())
}

/// The Hessian of a network with heads is the sum of those of the heads, by differences.
#[test]
fn curvatures() -> Result<()> {
    let net = Sequential::<f64>::builder(3)
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(6, Activation::Linear))
        .seed(3)
        .build()?;
    let loss = Heads::new()
        .head("count", 1, Poisson::new())
        .head("kind", 3, SoftmaxCrossEntropy::new())
        .weight("kind", 0.7)
        .head("size", 2, GaussianNll::new());
    let x = DMatrix::from_fn(3, 5, |i, j| ((2 * i + 3 * j) as f64).sin());
    let t = DMatrix::from_fn(5, 5, |i, j| match i {
        0 => j as f64,
        4 => 1.5 - j as f64,
        class => f64::from(u8::from(class - 1 == j % 3)),
    });
    let direction: Vec<f64> = (0..net.params().len()).map(|i| (i as f64).cos()).collect();
    let mut tape = Tape::new();
    let mut product = vec![0.0; net.params().len()];
    net.hessian_product(&x, &t, &loss, &direction, &mut product, &mut tape)?;
    let mut gradient = |sign: f64| -> Result<Vec<f64>> {
        let mut moved = net.clone();
        for (w, v) in moved.params_mut().iter_mut().zip(&direction) {
            *w += sign * 1e-5 * v;
        }
        moved.gradient(&x, &t, &loss, &mut tape)?;
        Ok(tape.grads().to_vec())
    };
    let (ahead, behind) = (gradient(1.0)?, gradient(-1.0)?);
    for ((ahead, behind), product) in ahead.iter().zip(&behind).zip(&product) {
        let difference = (ahead - behind) / 2e-5;
        assert!(
            (difference - product).abs() < 1e-7,
            "{difference} {product}"
        );
    }
    Ok(())
}

#[test]
fn refused_heads() -> Result<()> {
    let check = |loss: Heads<f64>, outputs| loss.check(outputs);
    let two = || {
        Heads::new()
            .head("a", 1, MeanSquaredError)
            .head("b", 3, SoftmaxCrossEntropy::new())
    };
    refused(
        check(two(), 5),
        ErrorKind::Shape,
        "outputs of Heads: got 5, expected 4: \"a\" 1, \"b\" 3",
    );
    refused(
        check(Heads::new(), 0),
        ErrorKind::Empty,
        "Heads: got 0, expected at least 1 head (Heads::head)",
    );
    refused(
        check(two().head("a", 1, MeanSquaredError), 5),
        ErrorKind::Value,
        "heads of Heads: got \"a\" twice, expected names in one line that are not empty, each once",
    );
    refused(
        check(two().weight("c", 1.0), 4),
        ErrorKind::Value,
        "weight of Heads: got \"c\", expected \"a\" or \"b\"",
    );
    refused(
        check(two().weight("b", -1.0), 4),
        ErrorKind::Value,
        "weight of head \"b\": got -1, expected a finite number ≥ 0",
    );
    refused(
        check(two().weight("b", 0.0).weight("a", 0.0), 4),
        ErrorKind::Value,
        "weights of Heads: got none, expected at least 1 weight above 0",
    );
    refused(
        check(two().head("c", 1, SumSquaredError), 5),
        ErrorKind::Incompatible,
        "reduction of head \"c\": got Sum, expected Mean, as of the heads before (Reduced gives a \
         loss another reduction)",
    );
    refused(
        check(two().head("c", 3, GaussianNll::new()), 7),
        ErrorKind::Incompatible,
        "head \"c\": outputs of GaussianNll: got 3, expected an even number: the means, then the \
         logarithms of the variances",
    );
    refused(
        check(two().head("c", 4, two()), 8),
        ErrorKind::Incompatible,
        "head \"c\": got Heads, expected a loss that is not made of heads",
    );
    refused(
        check(two().head("c", 0, MeanSquaredError), 4),
        ErrorKind::Empty,
        "head \"c\": got 0, expected at least 1 output",
    );
    let (y, t) = ([0.0; 8], [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.5]);
    let error = two()
        .value(View::new(&y, 4)?, View::new(&t, 4)?.into())
        .expect_err("1.5");
    let place = "head \"b\": target of SoftmaxCrossEntropy, row 2, column 1";
    assert_eq!((error.place(), error.given()), (place, "1.5"));
    // Some of several probabilities that sum to 1 do not.
    let net = Sequential::<f64>::builder(2)
        .layer(Dense::new(4, Activation::Linear))
        .layer(Softmax)
        .seed(1)
        .build()?;
    let loss = Heads::new()
        .head("a", 1, MeanSquaredError)
        .head("b", 3, CategoricalCrossEntropy);
    let t = [0.0, 1.0, 0.0, 0.0];
    let error = net
        .cost(&[0.0, 0.0], &t, &loss, &mut Tape::new())
        .expect_err("parts");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.place().starts_with("head \"b\": layer 1"), "{error}");
    let loss = Heads::new().head("all", 4, CategoricalCrossEntropy);
    net.cost(&[0.0, 0.0], &t, &loss, &mut Tape::new())?;
    let loss = Heads::new()
        .head("a", 1, MeanSquaredError)
        .head("b", 3, BinaryCrossEntropy);
    net.cost(&[0.0, 0.0], &t, &loss, &mut Tape::new())?;
    Ok(())
}

/// Output functions are read as they are written, and what is not one is refused.
#[test]
fn output_functions_as_text() -> Result<()> {
    let loss = Heads::<f64>::new()
        .head("price in €", 2, GaussianNll::new())
        .head("kind 2", 3, SoftmaxCrossEntropy::new());
    let function = loss.output_function();
    let text = "normal 2 1 price in €\nsoftmax 3 3 kind 2";
    assert_eq!(function.to_string(), text);
    assert_eq!(text.parse::<OutputFunction>()?, function);
    assert_eq!("normal".parse::<OutputFunction>()?, OutputFunction::Normal);
    for wrong in [
        "",
        "softmax 3 3",
        "softmax 3 3 ",
        "softmax 0 3 a",
        "softmax 3 0 a",
        "softmax -3 3 a",
        "heads 3 3 a",
        "softmax 3 3 a\n",
        "softmax 3 3 a\nexp 1 1 a",
        "softmax 18446744073709551615 3 a\nexp 1 1 b",
        "Softmax",
    ] {
        assert!(wrong.parse::<OutputFunction>().is_err(), "{wrong:?}");
    }
    let mut y = [1.0, 4.0_f64.ln(), 0.0, 0.0, 0.0];
    function.apply(chainrule::numeric::ViewMut::new(&mut y, 5)?);
    assert_eq!(y[0], 1.0);
    assert!((y[1] - 2.0).abs() < 1e-15);
    assert_eq!(y[2..], [1.0 / 3.0; 3]);
    let described = "Heads(\"price in €\": 2 of GaussianNll(full=false) times 1, \"kind 2\": 3 of \
                     SoftmaxCrossEntropy(label_smoothing=0, class_weights=1) times 1)";
    assert_eq!(loss.describe(), described);
    Ok(())
}

/// A head sees the range of its own branch: probabilities beside numbers are probabilities.
#[test]
fn branches_have_ranges_of_their_own() -> Result<()> {
    let linear = |outputs| Dense::new(outputs, Activation::Linear);
    let classes = || Chain::new().layer(linear(3)).layer(Softmax);
    let net = |top: Parallel<f64>| Sequential::builder(2).layer(linear(4)).layer(top).build();
    let (x, mut tape) = (DMatrix::from_element(2, 1, 0.5), Tape::new());
    let t = DMatrix::from_column_slice(4, 1, &[0.3, 0.0, 1.0, 0.0]);
    let on = |loss| {
        Heads::new()
            .head("number", 1, MeanSquaredError)
            .head("kind", 3, loss)
    };
    let both = net(Parallel::new().branch(linear(1)).branch(classes()))?;
    assert_eq!(both.range(), OutputRange::Real);
    let cost = both.gradient(&x, &t, &on(CategoricalCrossEntropy), &mut tape)?;
    let y = both.predict(&x)?;
    close(cost, (y[0] - 0.3).powi(2) - y[2].ln());
    // Within one another, too, and each of several distributions is one.
    let nested = Parallel::new().branch(linear(1)).branch(classes());
    let three = net(Parallel::new().branch(nested).branch(classes()))?;
    let loss = on(CategoricalCrossEntropy).head("other", 3, CategoricalCrossEntropy);
    let t = DMatrix::from_column_slice(7, 1, &[0.3, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    three.gradient(&x, &t, &loss, &mut tape)?;
    // What spans branches is no distribution.
    let loss = Heads::new().head("wrong", 7, CategoricalCrossEntropy);
    let error = three.gradient(&x, &t, &loss, &mut tape);
    assert_eq!(error.expect_err("numbers").kind(), ErrorKind::Incompatible);
    // Logits are wanted where probabilities come.
    let loss = Heads::new()
        .head("number", 1, MeanSquaredError)
        .head("kind", 3, SoftmaxCrossEntropy::new())
        .head("other", 3, CategoricalCrossEntropy);
    let error = three.gradient(&x, &t, &loss, &mut tape);
    let error = error.expect_err("probabilities").to_string();
    assert!(error.contains("head \"kind\""), "{error}");
    Ok(())
}
