//! Layers one by one: dropout and its masks, noise, softmax, dense without bias; the summary; and
//! what converts to a batch.

use crate::alone;
use crate::common::rng;
use chainrule::nalgebra::{DMatrix, DVector, DVectorView, RowDVector, SMatrix, SVector};
use chainrule::nn::layer::{Factor, Layer, Role, Scratch};
use chainrule::nn::loss::QuadraticCost;
use chainrule::nn::*;
use chainrule::numeric::ViewMut;
use chainrule::prelude::*;
use chainrule::rand::RngExt;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::{ErrorKind, Real, View, gradcheck};

fn dropout(width: usize, p: f64) -> Result<Sequential<f64>> {
    alone(width, Dropout::new(p))
}

/// y and ∂C/∂x of one training pass, for ∂C/∂y = 1.
fn pass(
    net: &Sequential<f64>,
    x: &DMatrix<f64>,
    tape: &mut Tape<f64>,
) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
    net.gradient_with(x, tape, |_, mut dy| {
        dy.as_mut_slice().fill(1.0);
        Ok(())
    })?;
    Ok((tape.a(1)?.clone_owned(), tape.delta(0)?.clone_owned()))
}

/// The factors of dropout in one training pass, forward and backward.
fn factors(
    net: &Sequential<f64>,
    batch: usize,
    tape: &mut Tape<f64>,
) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
    pass(net, &DMatrix::from_element(net.inputs(), batch, 1.0), tape)
}

/// Each input is 0 with probability p and else multiplied by exactly 1/(1−p); so its expectation
/// stays. Bounds are five standard deviations: of a frequency √(p(1−p)/N), of the mean of the
/// factors √(p/(1−p)/N).
#[test]
fn dropout_rate_and_expectation() -> Result<()> {
    for (seed, p) in [0.1, 0.25, 0.5, 0.8, 0.99].into_iter().enumerate() {
        let net = dropout(501, p)?; // odd, so that a pair of draws is cut
        let mut tape = Tape::with_seed(seed as u64);
        let mut zeros = 0.0;
        let mut sum = 0.0;
        let mut count = 0.0;
        let mut by_sample = vec![0.0; 20];
        for _ in 0..20 {
            let (y, _) = factors(&net, 20, &mut tape)?;
            assert!(
                y.iter().all(|f| *f == 0.0 || *f == 1.0 / (1.0 - p)),
                "p {p}: a factor is 0 or 1/(1−p)"
            );
            for (sample, column) in y.column_iter().enumerate() {
                let none = column.iter().filter(|f| **f == 0.0).count() as f64;
                zeros += none;
                by_sample[sample] += none;
            }
            sum += y.sum();
            count += y.len() as f64;
        }
        assert!(
            (zeros / count - p).abs() <= 5.0 * (p * (1.0 - p) / count).sqrt(),
            "p {p}: {zeros} zeros of {count}"
        );
        assert!(
            (sum / count - 1.0).abs() <= 5.0 * (p / (1.0 - p) / count).sqrt(),
            "p {p}: a mean of {}",
            sum / count
        );
        for zeros in by_sample {
            let n = count / 20.0;
            assert!(
                (zeros / n - p).abs() <= 5.0 * (p * (1.0 - p) / n).sqrt(),
                "p {p}: {zeros} zeros of {n} in one sample"
            );
        }
    }
    Ok(())
}

/// Neighbors, samples, passes, seeds and layers are dropped independently.
#[test]
fn dropout_is_independent() -> Result<()> {
    let p = 0.3;
    let net = Sequential::<f64>::builder(2000)
        .layer(Activation::Linear)
        .layer(Dropout::new(p))
        .layer(Dropout::new(p))
        .build_with(&mut rng(0))?;
    let x = DMatrix::from_element(2000, 2, 1.0);
    let pass = |seed, step| -> Result<[Vec<bool>; 3]> {
        let mut tape = Tape::with_seed(seed);
        tape.seek(seed, step);
        net.gradient_with(&x, &mut tape, |_, _| Ok(()))?;
        let (first, second) = (tape.a(1)?, tape.a(2)?);
        // Of the second layer only where the first kept: there its factor shows.
        let both = second
            .column(0)
            .iter()
            .zip(&first.column(0))
            .filter(|(_, f)| **f != 0.0)
            .map(|(s, _)| *s == 0.0)
            .collect();
        Ok([
            first.column(0).iter().map(|f| *f == 0.0).collect(),
            first.column(1).iter().map(|f| *f == 0.0).collect(),
            both,
        ])
    };
    // Both dropped with probability p², within five standard deviations.
    let independent = |a: &[bool], b: &[bool], what: &str| {
        let (n, q) = (a.len().min(b.len()) as f64, p * p);
        let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count() as f64;
        assert!(
            (both / n - q).abs() <= 5.0 * (q * (1.0 - q) / n).sqrt(),
            "{what}: {both} of {n}"
        );
    };
    let [here, beside, above] = pass(1, 0)?;
    independent(&here, &here[1..], "a neighbor");
    independent(&here, &here[2..], "the one after");
    independent(&here, &beside, "the next sample");
    independent(&here, &pass(1, 1)?[0], "the next pass");
    independent(&here, &pass(2, 0)?[0], "the next seed");
    let kept = here.iter().filter(|dropped| !**dropped).count();
    assert_eq!(above.len(), kept);
    let rate = above.iter().filter(|dropped| **dropped).count() as f64 / kept as f64;
    assert!(
        (rate - p).abs() <= 5.0 * (p * (1.0 - p) / kept as f64).sqrt(),
        "the next layer drops {rate} of what the first keeps"
    );
    Ok(())
}

/// A pass is a function of the tape's seed and step: the same again gives the same, another gives
/// another; a sample's mask does not depend on the batch around it, nor on the type of the numbers.
#[test]
fn dropout_is_reproducible() -> Result<()> {
    let net = dropout(40, 0.5)?;
    let mut tape = Tape::with_seed(7);
    let (first, second) = (
        factors(&net, 6, &mut tape)?.0,
        factors(&net, 6, &mut tape)?.0,
    );
    assert_eq!(tape.step(), 2);
    assert_ne!(first, second);
    tape.seek(7, 0);
    assert_eq!(factors(&net, 6, &mut tape)?.0, first);
    assert_eq!(factors(&net, 6, &mut tape)?.0, second);
    let mut tape = Tape::with_seed(7);
    assert_eq!(factors(&net, 2, &mut tape)?.0, first.columns(0, 2));
    let mut tape = Tape::with_seed(8);
    assert_ne!(factors(&net, 6, &mut tape)?.0, first);
    // A pass without training draws nothing.
    let mut tape = Tape::with_seed(7);
    net.predict_into(
        &DMatrix::from_element(40, 6, 1.0),
        &mut DMatrix::zeros(40, 6),
        &mut tape,
    )?;
    net.cost(
        &DMatrix::from_element(40, 6, 1.0),
        &DMatrix::from_element(40, 6, 1.0),
        &QuadraticCost,
        &mut tape,
    )?;
    assert_eq!(
        (tape.step(), factors(&net, 6, &mut tape)?.0),
        (0, first.clone())
    );

    let net = Sequential::<f32>::builder(40)
        .layer(Activation::Linear)
        .layer(Dropout::new(0.5))
        .build_with(&mut rng(0))?;
    let mut tape = Tape::with_seed(7);
    net.gradient_with(&DMatrix::from_element(40, 6, 1.0_f32), &mut tape, |_, _| {
        Ok(())
    })?;
    assert_eq!(tape.a(1)?.map(f64::from), first);
    Ok(())
}

/// Backward the same inputs count, with the same factors, as forward.
#[test]
fn dropout_backward_uses_the_mask() -> Result<()> {
    let mut rng = rng(1);
    for p in [0.0, 0.2, 0.7] {
        let net = dropout(33, p)?;
        let mut tape = Tape::with_seed(3);
        for _ in 0..5 {
            let x = DMatrix::from_fn(33, 9, |_, _| 0.5 + rng.random::<f64>());
            let slope = DMatrix::from_fn(33, 9, |_, _| rng.random::<f64>() - 0.5);
            net.gradient_with(&x, &mut tape, |y, mut dy| {
                assert_eq!(y.cols(), 9);
                dy.as_mut_slice().copy_from_slice(slope.as_slice());
                Ok(())
            })?;
            let factor = tape
                .a(1)?
                .component_div(&x)
                .map(|f| if f == 0.0 { 0.0 } else { 1.0 / (1.0 - p) });
            assert_eq!(tape.a(1)?, x.component_mul(&factor));
            assert_eq!(tape.delta(0)?, slope.component_mul(&factor));
            assert_eq!(
                tape.delta(1)?,
                slope,
                "without an activation δ is ∂C/∂ the output"
            );
        }
    }
    Ok(())
}

/// In inference nothing happens, bit for bit; and with p = 0 not in training either.
#[test]
fn dropout_is_the_identity_in_inference() -> Result<()> {
    let x = DMatrix::from_fn(17, 300, |i, j| (i as f64 - 8.0) * 1e-3 + j as f64);
    for p in [0.0, 0.5, 0.999_999] {
        assert_eq!(dropout(17, p)?.predict(&x)?, x);
    }
    let mut tape = Tape::new();
    let (forward, backward) = factors(&dropout(17, 0.0)?, 50, &mut tape)?;
    assert!(forward.iter().chain(&backward).all(|f| *f == 1.0));
    Ok(())
}

#[test]
fn dropout_refuses() {
    for p in [1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
        let error = dropout(3, p).expect_err("p must lie in [0, 1)");
        assert_eq!(error.kind(), ErrorKind::Value, "{p}: {error}");
        assert_eq!(error.place(), "layer 1 (Dropout)");
    }
    assert!(dropout(3, 0.999_999_999).is_ok());
}

/// What is kept is a·x + b, the rest a·α′ + b, by the masks of dropout and with the numbers that
/// PyTorch 2.15 gives: `F.alpha_dropout` of ones in f64.
#[test]
fn alpha_dropout_values() -> Result<()> {
    let cases = [
        (0.1, [-1.457738730518132, 1.0832554862072818]),
        (0.5, [-0.7791939305180315, 1.6655988251839635]),
        (0.9, [-0.2858859888252616, 4.199082175467488]),
    ];
    for (p, [dropped, kept]) in cases {
        let x = DMatrix::from_element(40, 25, 1.0);
        let (net, mask) = (
            alone(40, AlphaDropout::new(p))?,
            alone(40, Dropout::new(p))?,
        );
        let (y, dx) = pass(&net, &x, &mut Tape::with_seed(5))?;
        let (mask, _) = pass(&mask, &x, &mut Tape::with_seed(5))?;
        let a = (kept - dropped) / 2.758_099_340_847_376_6;
        for ((y, dx), mask) in y.iter().zip(&dx).zip(&mask) {
            let (want, slope) = if *mask == 0.0 {
                (dropped, 0.0)
            } else {
                (kept, a)
            };
            assert!(
                (y - want).abs() <= 4e-15 && (dx - slope).abs() <= 4e-15,
                "p {p}: {y} and {dx}, not {want} and {slope}"
            );
        }
        // With another input the dropped ones are the same.
        let (other, _) = pass(&net, &(&x * -3.0), &mut Tape::with_seed(5))?;
        for ((other, y), mask) in other.iter().zip(&y).zip(&mask) {
            assert!(
                if *mask == 0.0 {
                    other == y
                } else {
                    (other - (y - 4.0 * a)).abs() <= 1e-14
                },
                "p {p}: {other} beside {y}"
            );
        }
        assert_eq!(net.predict(&x)?, x);
    }
    assert_eq!(
        pass(
            &alone(3, AlphaDropout::new(0.0))?,
            &DMatrix::from_element(3, 4, 1.5),
            &mut Tape::new()
        )?
        .0,
        DMatrix::from_element(3, 4, 1.5)
    );
    for p in [1.0, -0.1, f64::NAN] {
        let error = alone::<f64>(3, AlphaDropout::new(p)).expect_err("p must lie in [0, 1)");
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Value, "layer 1 (AlphaDropout)")
        );
    }
    Ok(())
}

/// Twelve uniform numbers less 6: mean 0 and variance 1.
fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Mean and variance of many numbers.
fn moments(numbers: &DMatrix<f64>) -> (f64, f64) {
    let mean = numbers.mean();
    (mean, numbers.map(|v| (v - mean) * (v - mean)).mean())
}

/// Inputs of mean 0 and variance 1 keep both. Bounds are five standard deviations, the fourth
/// moment taken as 10 at most.
#[test]
fn alpha_dropout_keeps_mean_and_variance() -> Result<()> {
    let mut rng = rng(20);
    for p in [0.05, 0.3, 0.5] {
        let x = DMatrix::from_fn(500, 400, |_, _| normal(&mut rng));
        let (y, _) = pass(
            &alone(500, AlphaDropout::new(p))?,
            &x,
            &mut Tape::with_seed(1),
        )?;
        let (mean, variance) = moments(&y);
        let n = x.len() as f64;
        assert!(mean.abs() <= 5.0 / n.sqrt(), "p {p}: a mean of {mean}");
        assert!(
            (variance - 1.0).abs() <= 5.0 * (9.0 / n).sqrt(),
            "p {p}: a variance of {variance}"
        );
    }
    Ok(())
}

/// The noise is normal: its first four moments, and how many numbers are beyond 1, 2 and 3 σ,
/// within five standard deviations; independent among neighbors, samples, passes and layers.
#[test]
fn gaussian_noise_is_normal() -> Result<()> {
    let n = 400_000.0_f64;
    let x = DMatrix::from_element(1000, 400, 2.0);
    let noise = |net: &Sequential<f64>, tape: &mut Tape<f64>| -> Result<DMatrix<f64>> {
        Ok(pass(net, &x, tape)?.0.map(|y| (y - 2.0) / 0.3))
    };
    let net = alone(1000, GaussianNoise::new(0.3))?;
    let mut tape = Tape::with_seed(1);
    let z = noise(&net, &mut tape)?;
    // E zᵏ and the variance of zᵏ.
    for (k, want, variance) in [
        (1, 0.0, 1.0),
        (2, 1.0, 2.0),
        (3, 0.0, 15.0),
        (4, 3.0, 96.0_f64),
    ] {
        let moment = z.map(|z| z.powi(k)).mean();
        assert!(
            (moment - want).abs() <= 5.0 * (variance / n).sqrt(),
            "moment {k}: {moment}"
        );
    }
    for (bound, q) in [
        (1.0, 0.317_310_507_863),
        (2.0, 0.045_500_263_896),
        (3.0, 0.002_699_796_063_f64),
    ] {
        let beyond = z.iter().filter(|z| z.abs() > bound).count() as f64 / n;
        assert!(
            (beyond - q).abs() <= 5.0 * (q * (1.0 - q) / n).sqrt(),
            "beyond {bound} σ: {beyond}"
        );
    }
    let independent = |a: &[f64], b: &[f64], what: &str| {
        let (n, products) = (
            a.len().min(b.len()) as f64,
            a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>(),
        );
        assert!(
            (products / n).abs() <= 5.0 / n.sqrt(),
            "{what}: a correlation of {}",
            products / n
        );
    };
    let numbers = z.as_slice();
    independent(numbers, &numbers[1..], "a neighbor");
    independent(numbers, &numbers[1000..], "the next sample");
    independent(numbers, noise(&net, &mut tape)?.as_slice(), "the next pass");
    independent(
        numbers,
        noise(&net, &mut Tape::with_seed(2))?.as_slice(),
        "another seed",
    );
    let above = Sequential::builder(1000)
        .layer(Activation::Linear)
        .layer(GaussianNoise::new(0.0))
        .layer(GaussianNoise::new(0.3));
    let above = above.build_with(&mut rng(0))?;
    let mut tape = Tape::with_seed(1);
    above.gradient_with(&x, &mut tape, |_, _| Ok(()))?;
    assert_eq!(tape.a(1)?, x, "without deviation there is no noise");
    independent(
        numbers,
        tape.a(2)?.map(|y| (y - 2.0) / 0.3).as_slice(),
        "the next layer",
    );
    Ok(())
}

/// The same pass has the same noise, a sample's does not depend on the batch around it, f32 has it
/// rounded; backward the slopes pass, and in inference there is none.
#[test]
fn gaussian_noise_is_reproducible() -> Result<()> {
    let net = alone(40, GaussianNoise::new(0.5))?;
    let x = DMatrix::from_fn(40, 6, |i, j| (i * j) as f64 / 7.0);
    let mut tape = Tape::with_seed(7);
    let (first, dx) = pass(&net, &x, &mut tape)?;
    assert!(dx.iter().all(|dx| *dx == 1.0));
    assert_ne!(pass(&net, &x, &mut tape)?.0, first);
    tape.seek(7, 0);
    assert_eq!(pass(&net, &x, &mut tape)?.0, first);
    assert_eq!(
        pass(
            &net,
            &x.columns(0, 2).clone_owned(),
            &mut Tape::with_seed(7)
        )?
        .0,
        first.columns(0, 2)
    );
    assert_eq!(net.predict(&x)?, x);
    let single = alone::<f32>(40, GaussianNoise::new(0.5))?;
    let mut tape = Tape::with_seed(7);
    single.gradient_with(&DMatrix::zeros(40, 6), &mut tape, |_, _| Ok(()))?;
    let (zero, _) = pass(&net, &DMatrix::zeros(40, 6), &mut Tape::with_seed(7))?;
    assert_eq!(tape.a(1)?, zero.map(|z| z as f32));
    // NaN stays where it is.
    let mut bad = x.clone();
    bad[(3, 2)] = f64::NAN;
    let (y, _) = pass(&net, &bad, &mut Tape::with_seed(7))?;
    assert!(
        y.iter()
            .zip(&first)
            .enumerate()
            .all(|(i, (y, first))| if i == 83 { y.is_nan() } else { y == first })
    );
    for std in [-0.1, f64::NAN, f64::INFINITY] {
        let error = alone::<f64>(3, GaussianNoise::new(std))
            .expect_err("σ must be finite and not negative");
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Value, "layer 1 (GaussianNoise)")
        );
    }
    assert!(
        alone::<f32>(3, GaussianNoise::new(1e39)).is_err()
            && alone::<f64>(3, GaussianNoise::new(1e39)).is_ok()
    );
    Ok(())
}

/// Neither kind of noise keeps an output within a range that a loss could rely on.
#[test]
fn noise_has_no_range() -> Result<()> {
    let softmax = Sequential::<f64>::builder(2).layer(Softmax);
    for net in [
        softmax.clone().layer(AlphaDropout::new(0.1)),
        softmax.layer(GaussianNoise::new(0.1)),
    ] {
        assert_eq!(net.build_with(&mut rng(0))?.range(), OutputRange::Real);
    }
    Ok(())
}

/// Derivatives of both by differences, with the noise of one step, and without noise.
#[test]
fn noise_derivatives() -> Result<()> {
    for (inputs, batch) in [(1, 1), (2, 5), (17, 3)] {
        for layer in [
            &GaussianNoise::new(0.7) as &dyn Layer<f64>,
            &AlphaDropout::new(0.4),
        ] {
            let report = gradcheck::layer(layer, inputs, batch, 3)?;
            assert!(
                report.error() < 1e-8 && report.compared == 2 * inputs * batch,
                "{layer:?}: {report}"
            );
        }
    }
    Ok(())
}

fn softmax(x: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    Sequential::<f64>::builder(x.nrows())
        .layer(Softmax)
        .build_with(&mut rng(0))?
        .predict(x)
}

/// Positive, summing to 1, and what the definition gives, for any number of classes and samples.
#[test]
fn softmax_is_a_distribution() -> Result<()> {
    let mut rng = rng(2);
    for classes in [1, 2, 3, 10, 17, 100] {
        for samples in [1, 5, 130] {
            let x = DMatrix::from_fn(classes, samples, |_, _| (rng.random::<f64>() - 0.5) * 40.0);
            let y = softmax(&x)?;
            for (y, x) in y.column_iter().zip(x.column_iter()) {
                assert!(
                    (y.sum() - 1.0).abs() <= 1e-15 * (classes as f64).sqrt().max(2.0),
                    "a sum of {:e} less 1",
                    y.sum() - 1.0
                );
                let max = x.max();
                let e = x.map(|x| (x - max).exp());
                let e = &e / e.sum();
                for (y, e) in y.iter().zip(&e) {
                    assert!(*y > 0.0 && (y - e).abs() <= 1e-14 * e, "{y}, not {e}");
                }
                assert_eq!((y.argmax().0, y.argmin().0), (x.argmax().0, x.argmin().0));
            }
        }
    }
    Ok(())
}

/// Only differences of scores count. (The numbers are such that adding the shift is exact: then not
/// a bit changes.)
#[test]
fn softmax_is_invariant_to_shifts() -> Result<()> {
    let mut rng = rng(3);
    let x = DMatrix::from_fn(6, 20, |_, _| {
        (rng.random::<f64>() * 256.0).round() / 16.0 - 8.0
    });
    let y = softmax(&x)?;
    for shift in [1.0, -0.5, 1024.0, -65536.0, 1e6] {
        assert_eq!(softmax(&x.add_scalar(shift))?, y, "{shift}");
    }
    Ok(())
}

/// No score is too large or too small, in f64 and f32; equal scores share.
#[test]
fn softmax_at_the_ends() -> Result<()> {
    let column = |x: &[f64]| DMatrix::from_column_slice(x.len(), 1, x);
    let inf = f64::INFINITY;
    let cases = [
        (vec![1e4, 0.0, -1e4], vec![1.0, 0.0, 0.0]),
        (vec![-1e4, -1e4], vec![0.5, 0.5]),
        (vec![1e4, 1e4, -1e4, 0.0], vec![0.5, 0.5, 0.0, 0.0]),
        (vec![1e308, -1e308], vec![1.0, 0.0]),
        (vec![-inf, 3.0, 3.0], vec![0.0, 0.5, 0.5]),
        (vec![-1e4], vec![1.0]),
        (vec![0.0; 8], vec![0.125; 8]),
    ];
    for (x, y) in cases {
        assert_eq!(softmax(&column(&x))?, column(&y), "{x:?}");
        let single: Vec<f32> = x.iter().map(|x| *x as f32).collect();
        // In f32, 1e308 is ∞, whose softmax has no limit to agree on.
        if single.iter().all(|x| *x < f32::INFINITY) {
            let net = Sequential::<f32>::builder(x.len())
                .layer(Softmax)
                .build_with(&mut rng(0))?;
            assert_eq!(
                net.predict(View::new(&single, x.len())?)?.map(f64::from),
                column(&y),
                "{x:?}"
            );
        }
    }
    // ln(y₁/y₀) is the difference of the scores, down to e^−700.
    let y = softmax(&column(&[0.0, -700.0]))?;
    assert!((y[1] / (-700.0_f64).exp() - 1.0).abs() < 1e-14 && y[0] == 1.0);
    // NaN spoils its own sample, wherever it is, and no other.
    for row in 0..3 {
        let mut x = DMatrix::from_element(3, 3, 1.0);
        x[(row, 1)] = f64::NAN;
        let y = softmax(&x)?;
        assert!(y.column(1).iter().all(|y| y.is_nan()), "{y}");
        assert!(
            y.column(0)
                .iter()
                .chain(&y.column(2))
                .all(|y| (y - 1.0 / 3.0).abs() < 1e-16),
            "{y}"
        );
    }
    Ok(())
}

/// The Jacobian is diag(y) − y·yᵀ: symmetric, and blind to a slope that is the same for all
/// classes.
#[test]
fn softmax_backward() -> Result<()> {
    let mut rng = rng(4);
    let net = Sequential::<f64>::builder(5)
        .layer(Activation::Linear)
        .layer(Softmax)
        .build_with(&mut rng)?;
    let x = DMatrix::from_fn(5, 4, |_, _| (rng.random::<f64>() - 0.5) * 6.0);
    let slope = DMatrix::from_fn(5, 4, |_, _| rng.random::<f64>() - 0.5);
    let mut tape = Tape::new();
    let mut backward = |slope: &DMatrix<f64>| -> Result<(DMatrix<f64>, DMatrix<f64>)> {
        net.gradient_with(&x, &mut tape, |_, mut dy| {
            dy.as_mut_slice().copy_from_slice(slope.as_slice());
            Ok(())
        })?;
        Ok((tape.a(1)?.clone_owned(), tape.delta(0)?.clone_owned()))
    };
    let (y, dx) = backward(&slope)?;
    for j in 0..4 {
        let y = y.column(j);
        let jacobian = DMatrix::from_diagonal(&y.clone_owned()) - y * y.transpose();
        assert!((dx.column(j) - jacobian * slope.column(j)).amax() < 1e-16);
    }
    let (_, dx) = backward(&DMatrix::from_element(5, 4, 7.0))?;
    assert!(dx.amax() < 1e-15, "{dx}");
    Ok(())
}

/// z = W·x and nothing more: no parameter, block, bias or gradient for what is not there.
#[test]
fn dense_without_bias() -> Result<()> {
    let build = |dense: Dense| {
        Sequential::<f64>::builder(3)
            .layer(dense)
            .build_with(&mut rng(5))
    };
    let (with, without) = (
        build(Dense::new(2, Activation::Tanh))?,
        build(Dense::new(2, Activation::Tanh).without_bias())?,
    );
    assert_eq!((with.params().len(), without.params().len()), (8, 6));
    assert_eq!((with.blocks(0).len(), without.blocks(0).len()), (2, 1));
    assert_eq!(
        (
            without.blocks(0)[0].role,
            without.blocks(0)[0].rows,
            without.blocks(0)[0].cols
        ),
        (Role::Weight, 2, 3)
    );
    assert_eq!(
        with.weights(0)?,
        without.weights(0)?,
        "the weights are drawn first"
    );
    assert_eq!(without.bias(0).unwrap_err().kind(), ErrorKind::Value);
    assert!(
        without
            .bias(0)
            .unwrap_err()
            .to_string()
            .contains("layer 0 (Dense tanh)")
    );
    // Without a bias, 0 goes to φ(0).
    assert_eq!(without.predict(&DVector::zeros(3))?.as_slice(), [0.0, 0.0]);
    let x = DMatrix::from_fn(3, 4, |i, j| i as f64 - 0.3 * j as f64);
    let want = (without.weights(0)? * &x).map(f64::tanh);
    assert!((without.predict(&x)? - want).amax() < 1e-15);
    let mut tape = Tape::new();
    without.gradient(
        &x,
        &DMatrix::from_element(2, 4, 0.5),
        &QuadraticCost,
        &mut tape,
    )?;
    assert_eq!(tape.grads().len(), 6);
    assert_eq!(tape.db(0).unwrap_err().kind(), ErrorKind::Value);
    // Asked for a bias again, it has one.
    assert_eq!(
        build(
            Dense::new(2, Activation::Tanh)
                .without_bias()
                .bias_init(Init::Constant(1.0))
        )?
        .bias(0)?
        .as_slice(),
        [1.0, 1.0]
    );
    Ok(())
}

/// y = φ(Wx + b) by hand, with weights outputs × inputs and wⱼₖ from input k to neuron j.
#[test]
fn dense_by_hand() -> Result<()> {
    let mut net = Sequential::<f64>::builder(2)
        .layer(Dense::new(3, Activation::Relu))
        .build_with(&mut rng(6))?;
    net.weights_mut(0)?
        .copy_from(&SMatrix::<f64, 3, 2>::new(1.0, 2.0, -1.0, 0.5, 0.0, -4.0));
    net.bias_mut(0)?.copy_from_slice(&[0.25, 0.0, 1.0]);
    // The flat vector has the weights column after column, then the biases.
    assert_eq!(
        net.params(),
        [1.0, -1.0, 0.0, 2.0, 0.5, -4.0, 0.25, 0.0, 1.0]
    );
    let y = net.predict(&DMatrix::from_column_slice(2, 2, &[1.0, 2.0, -3.0, 0.125]))?;
    assert_eq!(y.as_slice(), [5.25, 0.0, 0.0, 0.0, 3.0625, 0.5]);
    Ok(())
}

/// One line a layer, names to the left and numbers to the right, and the totals.
#[test]
fn summary() -> Result<()> {
    let net = Sequential::<f32>::builder(784)
        .layer(Dense::new(30, Activation::LeakyRelu { slope: 0.01 }))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(10, Activation::Linear).without_bias())
        .layer(Activation::Step.surrogate(Activation::Sigmoid))
        .layer(Softmax)
        .build_with(&mut rng(7))?;
    let lines = [
        "#  layer                         outputs  parameters",
        "0  Dense leaky_relu(slope=0.01)       30       23550",
        "1  Dropout                            30           0",
        "2  Dense linear                       10         300",
        "3  step surrogate sigmoid             10           0",
        "4  Softmax                            10           0",
        "784 inputs, 10 outputs, 23850 parameters",
    ];
    assert_eq!(net.to_string(), lines.join("\n"));
    // Of ten layers and more the numbers of the layers are aligned too.
    let mut tall = Sequential::<f64>::builder(1);
    for _ in 0..11 {
        tall = tall.layer(Dense::new(1, Activation::Tanh));
    }
    let text = tall.build_with(&mut rng(8))?.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        (lines[1], lines[11]),
        (
            " 0  Dense tanh        1           2",
            "10  Dense tanh        1           2"
        )
    );
    assert_eq!(lines.len(), 13);
    Ok(())
}

/// Ranges go through the layers: what a loss is told about the outputs.
#[test]
fn output_ranges() -> Result<()> {
    let build = |layers: Vec<Activation>, softmax: bool| -> Result<OutputRange> {
        let mut net = Sequential::<f64>::builder(2).layer(Dense::new(2, Activation::Tanh));
        if softmax {
            net = net.layer(Softmax);
        }
        for layer in layers {
            net = net.layer(layer);
        }
        Ok(net.build_with(&mut rng(9))?.range())
    };
    assert_eq!(build(vec![], false)?, OutputRange::Real);
    assert_eq!(build(vec![Activation::Sigmoid], false)?, OutputRange::Unit);
    assert_eq!(
        build(vec![Activation::Sigmoid, Activation::Linear], false)?,
        OutputRange::Unit
    );
    assert_eq!(
        build(vec![Activation::Sigmoid, Activation::Tanh], false)?,
        OutputRange::Real
    );
    let logarithms = Sequential::<f64>::builder(2).layer(LogSoftmax).build()?;
    assert_eq!(logarithms.range(), OutputRange::LogSimplex);
    assert_eq!(build(vec![], true)?, OutputRange::Simplex);
    assert_eq!(build(vec![Activation::Linear], true)?, OutputRange::Simplex);
    assert_eq!(
        build(vec![Activation::Step.straight_through()], false)?,
        OutputRange::Unit
    );
    Ok(())
}

/// Everything contiguous is a batch: matrices and vectors of nalgebra, of fixed and of free size,
/// and row-major data.
#[test]
fn views() -> Result<()> {
    let net = Sequential::<f64>::builder(3)
        .layer(Dense::new(2, Activation::Sigmoid))
        .build_with(&mut rng(10))?;
    // Three samples of (1, 2, 3), (4, 5, 6), (7, 8, 9): sample after sample, as rows of a row-major
    // array.
    let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    let row_major = View::new(&data, 3)?;
    assert_eq!(
        (row_major.rows(), row_major.cols(), row_major.as_slice()),
        (3, 3, &data[..])
    );
    let y = net.predict(row_major)?;
    assert_eq!(y.shape(), (2, 3));

    let dynamic = DMatrix::from_column_slice(3, 3, &data);
    let fixed = SMatrix::<f64, 3, 3>::from_column_slice(&data);
    assert_eq!(net.predict(&dynamic)?, y);
    assert_eq!(net.predict(&fixed)?, y);
    assert_eq!(View::from(&dynamic), row_major);
    assert_eq!(View::from(&fixed), row_major);
    assert_eq!(row_major.as_matrix(), dynamic);

    // A vector is one sample, a row vector as many samples of one feature.
    let one = DVector::from_column_slice(&data[3..6]);
    assert_eq!(net.predict(&one)?, y.columns(1, 1));
    assert_eq!(
        net.predict(&SVector::<f64, 3>::new(4.0, 5.0, 6.0))?,
        y.columns(1, 1)
    );
    let row = RowDVector::from_row_slice(&data);
    assert_eq!((View::from(&row).rows(), View::from(&row).cols()), (1, 9));
    let _: DVectorView<'_, f64> = one.as_view();

    // Columns are samples: by the slice, by the iterator.
    assert_eq!(net.predict(row_major.columns(1, 2)?)?, y.columns(1, 2));
    let samples: Vec<&[f64]> = row_major.iter().collect();
    assert_eq!(samples, [&data[..3], &data[3..6], &data[6..]]);
    assert_eq!(row_major.iter().len(), 3);
    assert_eq!(row_major.columns(3, 0)?.cols(), 0);
    for (first, count) in [(1, 3), (4, 0), (usize::MAX, 2)] {
        assert_eq!(
            row_major.columns(first, count).unwrap_err().kind(),
            ErrorKind::Shape,
            "{first}, {count}"
        );
    }
    assert_eq!(View::new(&data, 0).unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(View::new(&data, 4).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(View::<f64>::new(&[], 4)?.cols(), 0);

    // Outputs go into anything contiguous too.
    let mut tape = Tape::new();
    let mut free = DMatrix::zeros(2, 3);
    let mut fixed = SMatrix::<f64, 2, 3>::zeros();
    let mut flat = [0.0; 6];
    net.predict_into(&dynamic, &mut free, &mut tape)?;
    net.predict_into(&dynamic, &mut fixed, &mut tape)?;
    net.predict_into(&dynamic, ViewMut::new(&mut flat, 2)?, &mut tape)?;
    assert_eq!(
        (&free, fixed.as_slice(), &flat[..]),
        (&y, y.as_slice(), y.as_slice())
    );
    let mut view = ViewMut::new(&mut flat, 2)?;
    view.as_matrix_mut().fill_column(1, 7.0);
    view.iter_mut().last().unwrap()[0] = 8.0;
    assert_eq!(
        (view.rows(), view.cols(), &view.as_view().as_slice()[2..]),
        (2, 3, &[7.0, 7.0, 8.0, y[5]][..])
    );
    view.reborrow().as_mut_slice()[5] = 9.0;
    assert_eq!(flat[5], 9.0);
    Ok(())
}

/// A sample's output has the same bits alone, in a batch of any size, and in batches that inference
/// cuts.
#[test]
fn a_sample_has_the_same_bits_in_any_batch() -> Result<()> {
    let mut rng = rng(11);
    for [inputs, hidden, outputs] in [
        [3, 5, 2],
        [1, 1, 1],
        [20, 64, 10],
        [100, 33, 1],
        [600, 40, 7],
    ] {
        let net = Sequential::<f64>::builder(inputs)
            .layer(Dense::new(hidden, Activation::Gelu))
            .layer(Dropout::new(0.5))
            .layer(Dense::new(outputs, Activation::Linear))
            .layer(Softmax)
            .build_with(&mut rng)?;
        let x = DMatrix::from_fn(inputs, 300, |_, _| rng.random::<f64>() - 0.5);
        let y = net.predict(&x)?;
        let (mut tape, mut one) = (Tape::new(), vec![0.0; outputs]);
        for j in [0, 1, 7, 127, 128, 129, 255, 256, 299] {
            net.predict_one(x.column(j).as_slice(), &mut one, &mut tape)?;
            assert_eq!(
                one,
                y.column(j).as_slice(),
                "{inputs}-{hidden}-{outputs}, sample {j}"
            );
        }
        for count in [2, 3, 8, 17, 130] {
            assert_eq!(
                net.predict(View::from(&x).columns(100, count)?)?,
                y.columns(100, count),
                "{inputs}-{hidden}-{outputs}, {count} samples"
            );
        }
    }
    Ok(())
}

/// ∂C/∂ the parameters of a layer, for ∂C/∂y = dy.
fn gradient<T: chainrule::Real>(
    layer: impl Layer<T> + 'static,
    x: &DMatrix<T>,
    dy: &DMatrix<T>,
) -> Result<Vec<T>> {
    let net = alone::<T>(x.nrows(), layer)?;
    let mut tape = Tape::new();
    net.gradient_with(x, &mut tape, |_, mut slopes| {
        slopes.as_mut_slice().copy_from_slice(dy.as_slice());
        Ok(())
    })?;
    Ok(tape.grads().to_vec())
}

/// Sums over the samples of a large batch are as right in `f32` as those over a few, whose terms
/// are added first to last.
#[test]
fn gradients_of_many_samples() -> Result<()> {
    const WIDTH: usize = 70;
    // Far more of one number than of the other, where roundings go the same way.
    let inputs = |n: usize| {
        DMatrix::from_fn(
            WIDTH,
            n,
            |i, j| if (i + j) % 10 == 0 { -0.3_f32 } else { -0.7 },
        )
    };
    let slopes = |n: usize| {
        DMatrix::from_fn(WIDTH, n, |i, j| {
            if (i + 3 * j) % 10 == 0 {
                0.03_f32
            } else {
                0.07
            }
        })
    };
    let n = 20_000;
    let (x, dy) = (inputs(n), slopes(n));
    let (x64, dy64) = (x.map(f64::from), dy.map(f64::from));
    let all = [
        (
            "layer norm",
            gradient(LayerNorm::new(), &x, &dy)?,
            gradient(LayerNorm::new(), &x64, &dy64)?,
        ),
        (
            "RMS norm",
            gradient(RmsNorm::new(), &x, &dy)?,
            gradient(RmsNorm::new(), &x64, &dy64)?,
        ),
        (
            "slopes",
            gradient(Prelu::new().per_feature(), &x, &dy)?,
            gradient(Prelu::new().per_feature(), &x64, &dy64)?,
        ),
        (
            "a slope",
            gradient(Prelu::new(), &x, &dy)?,
            gradient(Prelu::new(), &x64, &dy64)?,
        ),
    ];
    for (name, single, double) in all {
        let size = if single.len() == 1 { n * WIDTH } else { n } as f64 * 0.07;
        assert_eq!(single.len(), double.len());
        for (index, (single, double)) in single.iter().zip(&double).enumerate() {
            assert!(
                (f64::from(*single) - double).abs() < 5e-6 * size,
                "{name}, parameter {index}: {single}, not {double}"
            );
        }
    }
    for n in [1, 2, 17, 63, 64] {
        let (x, dy) = (inputs(n), slopes(n));
        let sums = |terms: DMatrix<f32>| -> Vec<f32> {
            terms
                .row_iter()
                .map(|row| row.iter().fold(0.0, |sum, term| sum + term))
                .collect()
        };
        assert_eq!(
            gradient(LayerNorm::new(), &x, &dy)?[WIDTH..],
            sums(dy.clone()),
            "{n}"
        );
        assert_eq!(
            gradient(Prelu::new().per_feature(), &x, &dy)?,
            sums(dy.component_mul(&x)),
            "{n}"
        );
    }
    // From one block on to several, in numbers of which every sum is exact.
    for n in [64, 65, 127, 128, 129, 513] {
        let x = DMatrix::from_fn(WIDTH, n, |i, j| ((7 * i + 5 * j) % 11) as f64 - 8.0);
        let dy = DMatrix::from_fn(WIDTH, n, |i, j| ((3 * i + j) % 13) as f64);
        let terms = dy.component_mul(&x.map(|x| x.min(0.0)));
        assert_eq!(
            gradient(LayerNorm::new(), &x, &dy)?[WIDTH..],
            *dy.column_sum().as_slice(),
            "{n}"
        );
        assert_eq!(
            gradient(LayerNorm::new().without_scale(), &x, &dy)?,
            dy.column_sum().as_slice(),
            "{n}"
        );
        assert_eq!(
            gradient(Prelu::new().per_feature(), &x, &dy)?,
            terms.column_sum().as_slice(),
            "{n}"
        );
        assert_eq!(gradient(Prelu::new(), &x, &dy)?, [terms.sum()], "{n}");
    }
    Ok(())
}

/// Small integers, so that a product has no rounding.
fn integers<T: Real>(rows: usize, cols: usize, shift: usize) -> DMatrix<T> {
    DMatrix::from_fn(rows, cols, |i, j| {
        T::of(((i * 7 + j * 11 + shift) % 13) as f64 - 6.0)
    })
}

fn products_are_those_of_nalgebra<T: Real>() -> Result<()> {
    let mut scratch = Scratch::<T>::default();
    let sizes = [
        (1, 1, 1),
        (3, 3, 2),
        (1, 9, 40),
        (9, 1, 40),
        (17, 10, 1),
        (70, 33, 50),
        (2, 3, 0),
        (0, 3, 2),
        (3, 0, 2),
    ];
    for (m, n, k) in sizes {
        let (a, b) = (integers::<T>(m, k, 1), integers::<T>(k, n, 5));
        let (a_turned, b_turned) = (a.transpose(), b.transpose());
        let lefts: [Factor<'_, T>; 2] = [(&a).into(), View::from(&a_turned).transposed()];
        let rights: [Factor<'_, T>; 2] = [(&b).into(), View::from(&b_turned).transposed()];
        for (left, right) in lefts
            .into_iter()
            .flat_map(|left| rights.map(|right| (left, right)))
        {
            let mut c = DMatrix::from_element(m, n, T::of(f64::NAN));
            scratch.product(left, right, &mut c)?;
            assert_eq!(
                c,
                &a * &b,
                "{m} × {n}, inner {k}, of {left:?} and {right:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn products_of_matrices_and_transposes_are_those_of_nalgebra() -> Result<()> {
    products_are_those_of_nalgebra::<f32>()?;
    products_are_those_of_nalgebra::<f64>()
}

#[test]
fn products_of_matrices_that_do_not_fit_are_refused_and_change_nothing() {
    let mut scratch = Scratch::<f64>::default();
    let (a, b) = (integers(2, 3, 0), integers(3, 4, 0));
    let turned = View::from(&a).transposed();
    for (case, (rows, cols)) in [(2, 3), (4, 2), (8, 1), (0, 0)].into_iter().enumerate() {
        let mut c = DMatrix::from_element(rows, cols, 7.0);
        let error = scratch.product(&a, &b, &mut c).expect_err("another shape");
        assert_eq!(error.kind(), ErrorKind::Shape, "case {case}");
        assert!(error.to_string().contains("2 × 4"), "{error}");
        assert!(c.iter().all(|c| *c == 7.0));
    }
    let mut c = DMatrix::from_element(3, 4, 7.0);
    let error = scratch
        .product(turned, &b, &mut c)
        .expect_err("3 × 2 by 3 × 4");
    assert!(
        error.kind() == ErrorKind::Shape && error.to_string().contains("2 × 4"),
        "{error}"
    );
    assert!(c.iter().all(|c| *c == 7.0));
}

/// Behind a log-softmax the loss of scores is what it is on the scores; the model gives
/// probabilities.
#[test]
fn log_softmax_trains_as_scores_do() -> Result<()> {
    let x = DMatrix::from_fn(3, 40, |i, j| ((i * 7 + j * 3) as f64).sin());
    let labels: Vec<usize> = (0..40).map(|j| j % 4).collect();
    let data = Dataset::new(x.clone(), one_hot(&labels, 4)?)?;
    let builder = || {
        Sequential::builder(3)
            .layer(Dense::new(4, Activation::Linear))
            .seed(1)
    };
    let nets = [builder().build()?, builder().layer(LogSoftmax).build()?];
    let fitted = nets.map(|net| -> Result<_> {
        let mut model = Model::from(net);
        let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()).epochs(5);
        let history = model.fit(&mut trainer, &data)?;
        Ok((model.predict(&x)?, history.costs().collect::<Vec<_>>()))
    });
    let [scores, logarithms] = fitted;
    let ((p, costs), (q, others)) = (scores?, logarithms?);
    assert!((&p - &q).amax() < 1e-12);
    assert!(
        q.column_iter()
            .all(|column| (column.sum() - 1.0).abs() < 1e-14)
    );
    for (cost, other) in costs.iter().zip(others) {
        assert!((cost - other).abs() < 1e-12);
    }
    Ok(())
}

/// Samples of zeros, with and without ε, and numbers whose squares are none.
#[test]
fn unit_norms_at_the_edges() -> Result<()> {
    fn edges<T: Real>(huge: f64, tiny: f64) -> Result<()> {
        let row = |numbers: [f64; 2]| DVector::from_row_slice(&numbers.map(T::of));
        for layer in [UnitNorm::l1(), UnitNorm::l2(), UnitNorm::max()] {
            let net = Sequential::<T>::builder(2).layer(layer).build()?;
            let exact = Sequential::<T>::builder(2).layer(layer.eps(0.0)).build()?;
            assert_eq!(net.predict(&row([0.0, 0.0]))?, row([0.0, 0.0]));
            assert_eq!(exact.predict(&row([0.0, 0.0]))?, row([0.0, 0.0]));
            let want = exact.predict(&row([3.0, -4.0]))?;
            for size in [huge, tiny, 1.0] {
                let y = exact.predict(&row([3.0 * size, -4.0 * size]))?;
                assert!(
                    (y - &want).iter().all(|off| off.as_f64().abs() < 1e-6),
                    "{layer:?}"
                );
            }
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let both = DMatrix::from_column_slice(2, 2, &[bad, 1.0, 3.0, -4.0].map(T::of));
                let y = net.predict(&both)?;
                assert!(y.column(0).iter().all(|y| y.as_f64().is_nan()), "{layer:?}");
                assert_eq!(
                    y.columns(1, 1),
                    net.predict(&row([3.0, -4.0]))?,
                    "{layer:?}"
                );
            }
            // The derivative at zeros is that of x/ε, or of x.
            for (eps, slope) in [(0.5, 2.0), (0.0, 1.0)] {
                let net = alone::<T>(2, layer.eps(eps))?;
                let mut tape = Tape::new();
                net.gradient_with(&row([0.0, 0.0]), &mut tape, |_, mut dy| {
                    dy.as_mut_slice().fill(T::one());
                    Ok(())
                })?;
                assert!(
                    tape.delta(0)?.iter().all(|d| *d == T::of(slope)),
                    "{layer:?}"
                );
            }
        }
        Ok(())
    }
    edges::<f64>(4e307, 1e-300)?;
    edges::<f32>(8e37, 1e-38)
}

/// A sample of huge scores, of one and of equal ones.
#[test]
fn log_softmax_at_the_edges() -> Result<()> {
    let net = Sequential::<f64>::builder(2).layer(LogSoftmax).build()?;
    let y = net.predict(&DMatrix::from_column_slice(
        2,
        4,
        &[1e308, -1e308, 3.0, 3.0, 0.0, 800.0, f64::NAN, 1.0],
    ))?;
    assert_eq!(y.column(0).as_slice(), [0.0, f64::NEG_INFINITY]);
    assert_eq!(y.column(1).as_slice(), [-std::f64::consts::LN_2; 2]);
    assert_eq!(y.column(2).as_slice(), [-800.0, 0.0]);
    assert!(y.column(3).iter().all(|y| y.is_nan()));
    Ok(())
}

/// Written by `reference/layers.py`: layer, features, x, dy, y, dx.
const TABLE: &str = include_str!("../reference/layers.tsv");

/// Layers without parameters within 10⁻¹⁴ of PyTorch: outputs and gradients, and outputs in
/// inference.
#[test]
fn values_and_gradients_of_pytorch() -> Result<()> {
    let layer = |name: &str, features| match name.split_once('=') {
        None if name == "LogSoftmax" => alone(features, LogSoftmax),
        Some(("Glu(activation", rest)) => {
            alone(features, Glu::new(rest.trim_end_matches(')').parse()?))
        }
        Some(("UnitNorm(length", rest)) => {
            let layer = match rest.split_once(',') {
                Some(("l1", _)) => UnitNorm::l1(),
                Some(("l2", _)) => UnitNorm::l2(),
                _ => UnitNorm::max(),
            };
            assert_eq!(Layer::<f64>::describe(&layer), name);
            alone(features, layer)
        }
        _ => panic!("{name} is not compared"),
    };
    let mut compared = 0;
    let numbers =
        |text: &str| -> Vec<f64> { text.split(' ').map(|x| x.parse().unwrap()).collect() };
    for line in TABLE.lines().skip(1) {
        let [name, features, x, dy, y, dx] = *line.split('\t').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        let features: usize = features.parse().unwrap();
        let net = layer(name, features)?;
        let (x, dy) = (numbers(x), numbers(dy));
        let x = View::new(&x, features)?;
        let mut tape = Tape::new();
        net.gradient_with(x, &mut tape, |_, mut slopes| {
            slopes.as_mut_slice().copy_from_slice(&dy);
            Ok(())
        })?;
        let (y, dx) = (numbers(y), numbers(dx));
        let got = [
            tape.a(1)?.clone_owned(),
            net.predict(x)?,
            tape.delta(0)?.clone_owned(),
        ];
        for ((what, got), want) in ["y", "y", "dx"].iter().zip(got).zip([&y, &y, &dx]) {
            assert_eq!(got.len(), want.len(), "{what} of {name}");
            for (got, want) in got.iter().zip(want) {
                let off = (got - want).abs() / want.abs().max(1.0);
                assert!(off <= 1e-14, "{what} of {name}: {got}, not {want}");
                compared += 1;
            }
        }
    }
    assert!(compared > 6_000, "{compared}");
    Ok(())
}

/// Embeddings and the gradients of their tables within 10⁻¹⁴ of PyTorch, with the same padding.
#[test]
fn embeddings_of_pytorch() -> Result<()> {
    let mut compared = 0;
    let numbers =
        |text: &str| -> Vec<f64> { text.split(' ').map(|x| x.parse().unwrap()).collect() };
    for line in include_str!("../reference/embeddings.tsv").lines().skip(1) {
        let [name, features, x, dy, y, table, dtable] = *line.split('\t').collect::<Vec<_>>()
        else {
            panic!("{line}")
        };
        let features: usize = features.parse().unwrap();
        let settings: Vec<usize> = name
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect();
        let layer = Embedding::new(settings[0], settings[1]);
        let layer = match settings.get(2) {
            Some(index) => layer.padding_idx(*index),
            None => layer,
        };
        assert_eq!(Layer::<f64>::describe(&layer), name);
        let mut net = Sequential::builder(features).layer(layer).build()?;
        net.set_params(&numbers(table))?;
        let (x, dy) = (numbers(x), numbers(dy));
        let x = View::new(&x, features)?;
        let mut tape = Tape::new();
        net.gradient_with(x, &mut tape, |_, mut slopes| {
            slopes.as_mut_slice().copy_from_slice(&dy);
            Ok(())
        })?;
        assert_eq!(net.predict(x)?.as_slice(), numbers(y), "{name}");
        assert_eq!(tape.a(0)?.clone_owned(), net.predict(x)?, "{name}");
        for (got, want) in tape.grads().iter().zip(numbers(dtable)) {
            assert!(
                (got - want).abs() <= 1e-14 * want.abs().max(1.0),
                "{name}: {got}, not {want}"
            );
            compared += 1;
        }
    }
    assert!(compared > 500, "{compared}");
    Ok(())
}

/// Numbers that are no index are refused before a pass, whatever comes between, and nothing has
/// changed.
#[test]
fn what_is_no_index() -> Result<()> {
    let net = Sequential::<f64>::builder(4)
        .layer(Select::rows([3, 1]))
        .layer(Embedding::new(3, 2))
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let mut x = DMatrix::from_element(4, 3, 0.5);
    x.row_mut(1).fill(2.0);
    x.row_mut(3).fill(0.0);
    let y = net.predict(&x)?;
    assert_eq!(y.ncols(), 3);
    let t = DMatrix::zeros(1, 3);
    for bad in [-1.0, 3.0, 0.5, f64::NAN, f64::INFINITY] {
        let mut x = x.clone();
        x[(3, 2)] = bad;
        let mut tape = Tape::new();
        for error in [
            net.predict(&x).expect_err("no index"),
            net.gradient(&x, &t, &MeanSquaredError, &mut tape)
                .expect_err("no index"),
            net.jacobian(&x.columns(2, 1).clone_owned())
                .expect_err("no index"),
        ] {
            assert_eq!(error.kind(), chainrule::ErrorKind::Value);
            let text = error.to_string();
            assert!(text.contains("an index from 0 to 2"), "{text}");
        }
    }
    // Behind a layer that computes, there are no indices.
    let behind = Sequential::<f64>::builder(2)
        .layer(Dense::new(2, Activation::Relu))
        .layer(Embedding::new(3, 2))
        .build();
    assert!(behind.is_err());
    Ok(())
}

/// A column of words becomes an index, a table and more columns beside it, whatever is scaled.
#[test]
fn words_of_a_table() -> Result<()> {
    use chainrule::data::{Encoder, Encoding, Scaling, Table};
    let table = Table::new()
        .with_categories("city", ["Köln", "Bonn", "Köln", "Ulm", "Bonn"])?
        .with_numbers("area", [50.0, 70.0, 80.0, 65.0, 30.0])?
        .with_numbers("rent", [600.0, 800.0, 700.0, 650.0, 400.0])?;
    let encoder = |city: Encoding| {
        Encoder::builder()
            .target("rent")
            .column("city", city)
            .fit(&table)
    };
    let net = || {
        Sequential::<f64>::builder(2)
            .layer(Select::rows([0]))
            .layer(Embedding::new(3, 2))
            .layer(Dense::new(1, Activation::Linear))
            .seed(1)
            .build()
    };
    let index = || Encoding::new().index();
    let mut model = Model::with_encoder(net()?, encoder(index().scaling(Scaling::None))?)?;
    let data = model.dataset(&table)?;
    model.fit(
        &mut Trainer::new(MeanSquaredError, Adam::new()).epochs(3),
        &data,
    )?;
    // Scaled as a number like others, which is said.
    let scaled = Model::with_encoder(net()?, encoder(index())?)?;
    let error = scaled
        .predict_table(&table)
        .expect_err("no index")
        .to_string();
    assert!(error.contains("Scaling::None"), "{error}");
    Ok(())
}

/// Every layer in both modes against finite differences, in a cast network, and through a file.
#[test]
fn every_layer() -> Result<()> {
    macro_rules! all {
        ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
            vec![$($((stringify!($made), Box::new($made) as Box<dyn Layer<f64>>),)+)+]
        };
    }
    macro_rules! nets {
        ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
            [$($(Sequential::builder(4).layer($made),)+)+]
        };
    }
    for (name, layer) in chainrule::every_layer!(all) {
        let report = gradcheck::layer(&*layer, 4, 5, 1)?;
        assert!(report.error() < 1e-7, "{name}: {report}");
    }
    let sines = DMatrix::from_fn(4, 3, |i, j| ((i + 4 * j) as f64).sin());
    let indices = DMatrix::from_fn(4, 3, |i, j| ((i + j) % 3) as f64);
    for builder in chainrule::every_layer!(nets) {
        let net = builder.seed(1).build()?;
        let checks = net.layers()[0].checks_inputs();
        let x = if checks { &indices } else { &sines };
        let y = net.predict(x)?;
        let single: Sequential<f32> = net.cast()?;
        let near = single.predict(&x.map(|x| x as f32))?.map(f64::from);
        assert!((near - &y).amax() < 1e-6, "{net}");
        #[cfg(feature = "safetensors")]
        {
            let bytes = Model::from(net.clone()).to_safetensors()?;
            assert_eq!(
                Model::<f64>::from_safetensors(&bytes)?.predict(x)?,
                y,
                "{net}"
            );
        }
        #[cfg(feature = "onnx")]
        {
            let onnx = chainrule::io::Onnx::new();
            let read = onnx.read::<f64>(&onnx.write(&Model::from(net.clone()))?)?;
            assert!((read.predict(x)? - &y).amax() < 1e-12, "{net}");
        }
    }
    Ok(())
}
