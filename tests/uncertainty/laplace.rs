//! Laplace's approximation against laplace-torch, exact integrals and what it promises.

use crate::common::refused;
use chainrule::ErrorKind;
use chainrule::nn::BatchNorm;
use chainrule::prelude::*;
use chainrule::uncertainty::{Laplace, LaplaceBuilder, Likelihood};
use std::collections::BTreeMap;

/// Written by `reference/laplace_torch.py`.
const TABLE: &str = include_str!("../reference/laplace_torch.tsv");

/// The numbers of each case by what they are.
fn cases() -> BTreeMap<&'static str, BTreeMap<&'static str, Vec<f64>>> {
    let mut cases: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for line in TABLE.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let numbers = fields[2].split(' ').map(|v| v.parse().expect("a number"));
        cases
            .entry(fields[0])
            .or_default()
            .insert(fields[1], numbers.collect());
    }
    cases
}

fn close(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let size = want.iter().fold(1e-300_f64, |size, v| size.max(v.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!(
            (got - want).abs() <= tolerance * size,
            "{what}: {got:e}, not {want:e}"
        );
    }
}

#[test]
fn as_laplace_torch() -> Result<()> {
    let mut compared = 0;
    for (name, case) in &cases() {
        let [inputs, hidden, outputs, samples] = case["shape"][..] else {
            panic!("{name} has no shape");
        };
        let (inputs, outputs) = (inputs as usize, outputs as usize);
        let mut net = Sequential::<f64>::builder(inputs)
            .layer(Dense::new(hidden as usize, Activation::Tanh))
            .layer(Dense::new(outputs, Activation::Linear))
            .build()?;
        net.set_params(&case["params"])?;
        let likelihood = match *name {
            "sine" | "two" => Likelihood::Gaussian,
            "logit" => Likelihood::Bernoulli,
            _ => Likelihood::Categorical,
        };
        let targets = match likelihood {
            Likelihood::Categorical => {
                let labels: Vec<usize> = case["t"].iter().map(|t| *t as usize).collect();
                one_hot(&labels, outputs)?
            }
            _ => DMatrix::from_column_slice(outputs, samples as usize, &case["t"]),
        };
        let x = DMatrix::from_column_slice(inputs, samples as usize, &case["x"]);
        let data = Dataset::new(x, targets)?;
        let points = DMatrix::from_column_slice(inputs, 8, &case["points"]);
        let [prior, noise] = case["given"][..] else {
            panic!("{name} has nothing given");
        };
        for (subset, structure) in [
            ("all", "full"),
            ("all", "diag"),
            ("last", "full"),
            ("last", "diag"),
        ] {
            let key = |what: &str| format!("{subset} {structure} {what}");
            let Some(evidence) = case.get(&*key("evidence")) else {
                assert_eq!((*name, subset), ("logit", "last"));
                continue;
            };
            let choose = || {
                let builder: LaplaceBuilder<f64> = Laplace::builder(likelihood);
                let builder = if subset == "last" {
                    builder.last_layer()
                } else {
                    builder
                };
                if structure == "diag" {
                    builder.diagonal()
                } else {
                    builder
                }
            };
            let gaussian = likelihood == Likelihood::Gaussian;
            let mut builder = choose().prior_precision(prior);
            if gaussian {
                builder = builder.noise(noise);
            }
            let laplace = builder.fit(net.clone(), &data)?;
            let what = format!("{name}, {subset} {structure}");
            let got = laplace.log_marginal_likelihood();
            assert!(
                (got - evidence[0]).abs() < 1e-10,
                "{what}: evidence {got}, not {evidence:?}"
            );
            let predicted = laplace.predict(&points)?;
            let mean = &case[&*key("mean")];
            close(
                predicted.mean.as_slice(),
                mean,
                1e-12,
                &format!("{what}: mean"),
            );
            let covariances = laplace.covariances(&points)?;
            for (s, (got, want)) in covariances
                .iter()
                .zip(case[&*key("covariance")].chunks(outputs * outputs))
                .enumerate()
            {
                close(
                    got.as_slice(),
                    want,
                    1e-10,
                    &format!("{what}: covariance {s}"),
                );
                let diagonal = predicted.epistemic.column(s);
                assert_eq!(got.diagonal(), diagonal);
            }
            if let Some(want) = case.get(&*key("probabilities")) {
                let got = laplace.probabilities(&points)?;
                close(
                    got.as_slice(),
                    want,
                    1e-11,
                    &format!("{what}: probabilities"),
                );
            }
            // The greatest evidence, which SciPy's search finds to half the digits.
            let best = &case[&*key("best")];
            let found = choose().fit(net.clone(), &data)?;
            let (numbers, most) = best.split_at(best.len() - 1);
            let precision = found.prior_precisions();
            close(
                precision,
                &numbers[..1],
                1e-4,
                &format!("{what}: best precision"),
            );
            if gaussian {
                let noise = found.noise().expect("of numbers");
                close(
                    &[noise],
                    &numbers[1..],
                    1e-4,
                    &format!("{what}: best noise"),
                );
            }
            let greatest = found.log_marginal_likelihood();
            assert!(
                (greatest - most[0]).abs() < 1e-7,
                "{what}: greatest evidence {greatest}, not {most:?}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 18);
    Ok(())
}

fn regression(samples: usize) -> Result<Dataset<f64>> {
    let x = DMatrix::from_fn(2, samples, |i, j| ((i + 2) as f64 * (j + 1) as f64).sin());
    let t = DMatrix::from_fn(1, samples, |_, j| {
        x[(0, j)] - x[(1, j)] + 0.2 * (j as f64).cos()
    });
    Dataset::new(x, t)
}

fn small(outputs: usize) -> Result<Sequential<f64>> {
    Sequential::builder(2)
        .layer(Dense::new(5, Activation::Tanh))
        .layer(Dense::new(outputs, Activation::Linear))
        .seed(3)
        .build()
}

fn gaussian() -> LaplaceBuilder<f64> {
    Laplace::builder(Likelihood::Gaussian)
}

/// A linear model, whose posterior and evidence are exact (C. M. Bishop, *Pattern Recognition and
/// Machine Learning*, 3.3 and 3.5): targets of the covariance σ²I + XᵀX/δ, with weights σ²/v.
#[test]
fn a_linear_model_is_exact() -> Result<()> {
    let weights: Vec<f64> = (0..9).map(|j| 0.5 + (j % 4) as f64).collect();
    let data = regression(9)?.weighted(weights.clone())?;
    let (x, t) = (data.inputs(), data.targets().transpose());
    let (delta, sigma) = (0.8, 0.4);
    let noise = DMatrix::from_diagonal(&DVector::from_vec(weights)).map(|v| v / (sigma * sigma));
    let precision = x * &noise * x.transpose() + DMatrix::identity(2, 2) * delta;
    let covariance = precision.clone().try_inverse().expect("regular");
    let mean = &covariance * x * &noise * &t;
    let mut net = Sequential::builder(2)
        .layer(Dense::new(1, Activation::Linear).without_bias())
        .build()?;
    net.set_params(mean.as_slice())?;
    let laplace = gaussian()
        .prior_precision(delta)
        .noise(sigma)
        .fit(net.clone(), &data)?;
    let points = DMatrix::from_row_slice(2, 3, &[0.0, 1.0, -2.0, 0.0, 0.5, 3.0]);
    let predicted = laplace.predict(&points)?;
    let expected = points.transpose() * &covariance * &points;
    close(
        predicted.epistemic.as_slice(),
        expected.diagonal().as_slice(),
        1e-13,
        "variances",
    );
    assert_eq!(predicted.noise, [sigma * sigma]);
    assert_eq!(predicted.mean, net.predict(&points)?);
    let deviation = predicted.deviation();
    close(
        &[deviation[1].powi(2)],
        &[expected[(1, 1)] + sigma * sigma],
        1e-13,
        "deviation",
    );
    let targets = noise.map(|v| if v > 0.0 { 1.0 / v } else { 0.0 }) + x.transpose() * x / delta;
    let quadratic = t.dot(&targets.clone().lu().solve(&t).expect("regular"));
    let log = targets.determinant().ln() + 9.0 * core::f64::consts::TAU.ln();
    let exact = -0.5 * (quadratic + log);
    close(
        &[laplace.log_marginal_likelihood()],
        &[exact],
        1e-12,
        "evidence",
    );

    // γ from eigenvalues, and as the fixed point of the greatest evidence.
    let best = gaussian().fit(net, &data)?;
    let (alpha, beta) = (
        best.prior_precisions()[0],
        best.noise().map_or(f64::NAN, |noise| noise.powi(-2)),
    );
    let g = x
        * DMatrix::from_diagonal(&DVector::from_column_slice(data.weights().unwrap_or(&[])))
        * x.transpose();
    let share = |value: &f64| beta * value / (beta * value + alpha);
    let gamma: f64 = g.symmetric_eigenvalues().iter().map(share).sum();
    close(&[best.effective_parameters()], &[gamma], 1e-12, "γ");
    close(&[alpha], &[gamma / mean.norm_squared()], 1e-9, "δ");
    Ok(())
}

/// The last layer alone, whatever comes before and after it: as a linear model of its features.
#[test]
fn the_last_layer_is_the_last_with_parameters() -> Result<()> {
    let data = regression(12)?;
    let net = Sequential::<f64>::builder(2)
        .layer(Dense::new(4, Activation::Tanh))
        .layer(BatchNorm::new())
        .layer(Dropout::new(0.5))
        .layer(Dense::new(1, Activation::Linear))
        .layer(Activation::Tanh)
        .seed(2)
        .build()?;
    let build = || gaussian().prior_precision(0.5).noise(0.3);
    let laplace = build().last_layer().fit(net.clone(), &data)?;
    // By hand: J is that of the last five parameters.
    let last = net.params().len() - 5;
    let j = net
        .params_jacobian(data.inputs())?
        .columns(last, 5)
        .into_owned();
    let h = j.tr_mul(&j) / 0.09 + DMatrix::identity(5, 5) * 0.5;
    let points = DMatrix::from_row_slice(2, 2, &[0.3, -2.0, 0.1, 1.0]);
    let at = net.params_jacobian(&points)?.columns(last, 5).into_owned();
    let want = (&at * h.try_inverse().expect("regular") * at.transpose()).diagonal();
    let predicted = laplace.predict(&points)?;
    close(
        predicted.epistemic.as_slice(),
        want.as_slice(),
        1e-12,
        "variances",
    );
    assert!(laplace.effective_parameters() <= 5.0);

    // All parameters, of which running statistics are none: the same with those of J left out.
    let laplace = build().fit(net.clone(), &data)?;
    let statistics = 12 + 8..12 + 16;
    let free: Vec<usize> = (0..net.params().len())
        .filter(|p| !statistics.contains(p))
        .collect();
    let j = net.params_jacobian(data.inputs())?.select_columns(&free);
    let count = free.len();
    let h = j.tr_mul(&j) / 0.09 + DMatrix::identity(count, count) * 0.5;
    let at = net.params_jacobian(&points)?.select_columns(&free);
    let want = (&at * h.clone().try_inverse().expect("regular") * at.transpose()).diagonal();
    let predicted = laplace.predict(&points)?;
    close(
        predicted.epistemic.as_slice(),
        want.as_slice(),
        1e-11,
        "variances",
    );
    let theta: f64 = free.iter().map(|p| net.params()[*p].powi(2)).sum();
    let r = (net.predict(data.inputs())? - data.targets()).norm_squared();
    let log = -0.5 * r / 0.09 - 12.0 * (0.3 * core::f64::consts::TAU.sqrt()).ln();
    let det = h.determinant().ln() - count as f64 * 0.5_f64.ln();
    let want = log - 0.5 * (det + 0.5 * theta);
    close(
        &[laplace.log_marginal_likelihood()],
        &[want],
        1e-11,
        "evidence",
    );
    Ok(())
}

/// In the units of the data: means as the model's, deviations times the scale.
#[test]
fn a_model_has_the_units_of_its_data() -> Result<()> {
    let data = regression(15)?;
    let units = Dataset::new(data.inputs() * 1e3, data.targets().map(|t| 1e-4 * t + 7.0))?;
    let model = Model::new(
        small(1)?,
        Scaler::standard(units.inputs())?,
        Scaler::standard(units.targets())?,
    )?;
    let scaled = model.scale(units.clone())?;
    let plain = gaussian().fit(model.net().clone(), &scaled)?;
    let laplace = gaussian().fit(model.clone(), &units)?;
    assert_eq!(laplace.prior_precisions(), plain.prior_precisions());
    assert_eq!(laplace.noise(), plain.noise());
    let (here, there) = (
        laplace.predict(units.inputs())?,
        plain.predict(scaled.inputs())?,
    );
    assert_eq!(here.mean, model.predict(units.inputs())?);
    let scale = model.output_scaler().expect("a scaler").scale()[0];
    close(
        here.epistemic.as_slice(),
        (there.epistemic * (scale * scale)).as_slice(),
        1e-14,
        "variances",
    );
    close(
        &here.noise,
        &[there.noise[0] * scale * scale],
        1e-14,
        "noise",
    );
    // Any batch gives the same bits.
    let one = laplace.predict(&units.inputs().columns(4, 1).into_owned())?;
    assert_eq!(one.epistemic[0], here.epistemic[4]);
    assert_eq!(laplace.predict(units.inputs())?, here);
    Ok(())
}

/// The greatest evidence is one: no other precisions and noise near it have more.
#[test]
fn evidence_is_greatest_where_it_says() -> Result<()> {
    let data = regression(25)?;
    for diagonal in [false, true] {
        let builder = || {
            if diagonal {
                gaussian().diagonal()
            } else {
                gaussian()
            }
        };
        let best = builder().precision_per_layer().fit(small(1)?, &data)?;
        let (precisions, noise) = (best.prior_precisions().to_vec(), best.noise().expect("σ"));
        assert_eq!(precisions.len(), 2);
        for layer in 0..3 {
            for factor in [0.98, 1.02] {
                let (mut near, mut sigma) = (precisions.clone(), noise);
                match layer {
                    2 => sigma *= factor,
                    layer => near[layer] *= factor,
                }
                let other = builder()
                    .prior_precisions(near)
                    .noise(sigma)
                    .fit(small(1)?, &data)?;
                assert!(
                    other.log_marginal_likelihood() < best.log_marginal_likelihood(),
                    "{diagonal}, {layer}, {factor}"
                );
            }
        }
        // Per layer there is more of it than with one precision for all.
        let one = builder().fit(small(1)?, &data)?;
        assert!(one.log_marginal_likelihood() < best.log_marginal_likelihood());
        // What is given stays.
        let given = builder().prior_precision(3.0).fit(small(1)?, &data)?;
        assert_eq!(given.prior_precisions(), [3.0]);
        let given = builder().noise(0.7).fit(small(1)?, &data)?;
        assert_eq!(given.noise(), Some(0.7));
    }
    Ok(())
}

/// Draws come to the integral, of which the probit approximation is near.
#[test]
fn sampled_probabilities() -> Result<()> {
    let data = regression(20)?;
    let labels: Vec<usize> = (0..20)
        .map(|j| usize::from(data.targets()[j] > 0.0))
        .collect();
    let two = Dataset::new(data.inputs().clone(), one_hot(&labels, 2)?)?;
    let one = Dataset::new(
        data.inputs().clone(),
        DMatrix::from_fn(1, 20, |_, j| labels[j] as f64),
    )?;
    let points = DMatrix::from_row_slice(2, 3, &[0.5, -2.0, 4.0, 0.1, 1.0, -3.0]);
    for (likelihood, outputs, data) in [
        (Likelihood::Categorical, 2, two),
        (Likelihood::Bernoulli, 1, one),
    ] {
        let build = || Laplace::builder(likelihood).prior_precision(0.3);
        let laplace = build().fit(small(outputs)?, &data)?;
        let probit = laplace.probabilities(&points)?;
        let drawn = laplace.sampled_probabilities(&points, 40_000, 1)?;
        assert_eq!(drawn, laplace.sampled_probabilities(&points, 40_000, 1)?);
        assert_ne!(drawn, laplace.sampled_probabilities(&points, 40_000, 2)?);
        // Of two classes only the difference of the logits counts: one integral.
        let predicted = laplace.predict(&points)?;
        for s in 0..3 {
            let covariance = &laplace.covariances(&points)?[s];
            let (mean, variance) = match outputs {
                1 => (predicted.mean[s], covariance[0]),
                _ => (
                    predicted.mean[(1, s)] - predicted.mean[(0, s)],
                    covariance[(0, 0)] + covariance[(1, 1)] - 2.0 * covariance[(0, 1)],
                ),
            };
            let (mut sum, mut total) = (0.0, 0.0);
            for k in -4000..=4000 {
                let z = f64::from(k) / 500.0;
                let density = (-0.5 * z * z).exp();
                sum += density / (1.0 + (-(mean + variance.sqrt() * z)).exp());
                total += density;
            }
            let exact = sum / total;
            let row = outputs - 1;
            assert!((drawn[(row, s)] - exact).abs() < 0.01, "{likelihood:?}");
            if outputs == 1 {
                assert!(
                    (probit[s] - exact).abs() < 0.03,
                    "{} and {exact}",
                    probit[s]
                );
            }
        }
    }
    Ok(())
}

#[test]
fn single_precision() -> Result<()> {
    let data = regression(20)?;
    let single = Dataset::new(
        data.inputs().map(|x| x as f32),
        data.targets().map(|t| t as f32),
    )?;
    let wide = gaussian().fit(small(1)?, &data)?;
    let narrow = Laplace::builder(Likelihood::Gaussian).fit(small(1)?.cast::<f32>()?, &single)?;
    let (wide, narrow) = (
        wide.predict(data.inputs())?,
        narrow.predict(single.inputs())?,
    );
    for (narrow, wide) in narrow.epistemic.iter().zip(&wide.epistemic) {
        assert!((f64::from(*narrow) - wide).abs() < 1e-3 * wide);
    }
    Ok(())
}

#[test]
fn refusals() -> Result<()> {
    let data = regression(10)?;
    let positive = "a finite number above 0";
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(
            gaussian().prior_precision(bad).fit(small(1)?, &data),
            ErrorKind::Value,
            &format!("prior_precision of Laplace: got {bad}, expected {positive}"),
        );
        refused(
            gaussian().noise(bad).fit(small(1)?, &data),
            ErrorKind::Value,
            &format!("noise of Laplace: got {bad}, expected {positive}"),
        );
    }
    refused(
        gaussian().prior_precisions([1.0; 3]).fit(small(1)?, &data),
        ErrorKind::Shape,
        "prior_precisions of Laplace: got 3, expected 2, one per layer that has parameters",
    );
    refused(
        gaussian().prior_precisions([]).fit(small(1)?, &data),
        ErrorKind::Empty,
        "prior_precisions of Laplace: got 0, expected at least 1 number",
    );
    refused(
        Laplace::builder(Likelihood::Bernoulli)
            .noise(1.0)
            .fit(small(1)?, &data),
        ErrorKind::Incompatible,
        "noise of Laplace: got Bernoulli, expected Likelihood::Gaussian, which alone has one",
    );
    let kind = |builder: LaplaceBuilder<f64>, net: Sequential<f64>, data: &Dataset<f64>| {
        let error = builder.fit(net, data).expect_err("refused");
        println!("{error}");
        error.kind()
    };
    assert_eq!(kind(gaussian(), small(2)?, &data), ErrorKind::Shape);
    let bare = Sequential::builder(2).layer(Activation::Tanh).build()?;
    assert_eq!(kind(gaussian(), bare, &data), ErrorKind::Empty);
    let step = Sequential::builder(2)
        .layer(Dense::new(1, Activation::Step))
        .build()?;
    assert_eq!(kind(gaussian(), step, &data), ErrorKind::Untrainable);
    let mut broken = small(1)?;
    broken.params_mut()[0] = f64::NAN;
    assert_eq!(kind(gaussian(), broken, &data), ErrorKind::NotFinite);
    let mut zero = small(1)?;
    zero.params_mut().fill(0.0);
    assert_eq!(kind(gaussian(), zero, &data), ErrorKind::Value);
    // An exact fit has no noise that its residuals tell.
    let exact = data
        .clone()
        .map_targets(|_| small(1)?.predict(data.inputs()))?;
    assert_eq!(kind(gaussian(), small(1)?, &exact), ErrorKind::Value);
    // A precision that rounding swallows.
    let builder = gaussian().prior_precision(1e-30).noise(1e-8);
    assert_eq!(kind(builder, small(1)?, &data), ErrorKind::NotFinite);

    let laplace = gaussian().fit(small(1)?, &data)?;
    refused(
        laplace.probabilities(data.inputs()),
        ErrorKind::Incompatible,
        "Laplace::probabilities: got Likelihood::Gaussian, expected a likelihood of classes \
         (Laplace::predict gives mean and variance of numbers)",
    );
    assert_eq!(
        laplace.predict(&DMatrix::zeros(3, 1)).map_err(|e| e.kind()),
        Err(ErrorKind::Shape)
    );
    let classes = data.map_targets(|t| Ok(t.map(|t| f64::from(u8::from(t > 0.0)))))?;
    let laplace = Laplace::builder(Likelihood::Bernoulli).fit(small(1)?, &classes)?;
    refused(
        laplace.sampled_probabilities(classes.inputs(), 0, 1),
        ErrorKind::Value,
        "Laplace::sampled_probabilities: got 0, expected at least 1 draw",
    );
    let model = Model::from(small(1)?)
        .with_output_function(chainrule::nn::loss::OutputFunction::Sigmoid)?;
    refused(
        gaussian().fit(model, &classes),
        ErrorKind::Incompatible,
        "likelihood of Laplace: got identity, expected that of the model's output function, sigmoid",
    );
    Ok(())
}
