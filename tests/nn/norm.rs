//! Layer, RMS and batch norm: against PyTorch, by finite differences, at the edges; and the running
//! averages.

use crate::alone;
use crate::common::rng;
use chainrule::nalgebra::{DMatrix, DVector};
use chainrule::nn::layer::{BackwardArgs, Block, GradientArgs, InferArgs, Layer, Role};
use chainrule::nn::loss::QuadraticCost;
use chainrule::nn::{BatchNorm, GroupNorm, LayerNorm, OutputRange, RmsNorm, Softmax};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, Real, View, gradcheck};
use std::ops::Range;

/// Written by `reference/norms.py`: layer, eps, momentum, step, features, x, dy, scale, bias, y,
/// dx, dscale, dbias, mean, variance, infer.
const TABLE: &str = include_str!("../reference/norms.tsv");

/// What finite differences in f64 resolve, with a good deal to spare.
const TOLERANCE: f64 = 1e-8;

/// Every normalizing layer, with and without what it may lack.
fn layers<T: Real>() -> Vec<Box<dyn Layer<T>>> {
    vec![
        Box::new(LayerNorm::new()),
        Box::new(LayerNorm::new().without_scale().eps(0.5)),
        Box::new(LayerNorm::new().without_bias()),
        Box::new(LayerNorm::new().without_scale().without_bias()),
        Box::new(GroupNorm::new(1)),
        Box::new(RmsNorm::new()),
        Box::new(RmsNorm::new().without_scale().eps(0.5)),
        Box::new(BatchNorm::new()),
        Box::new(BatchNorm::new().without_scale().momentum(0.5)),
        Box::new(BatchNorm::new().without_bias().eps(0.5)),
        Box::new(BatchNorm::new().without_scale().without_bias()),
    ]
}

/// Where the blocks of a role lie among all parameters.
fn ranges<T: Real>(net: &Sequential<T>, role: Role) -> Vec<Range<usize>> {
    let mut start = 0;
    let blocks = (0..net.layers().len()).flat_map(|layer| net.blocks(layer));
    let all = blocks.map(|block| {
        start += block.len();
        (block.role == role, start - block.len()..start)
    });
    all.filter(|(here, _)| *here)
        .map(|(_, range)| range)
        .collect()
}

/// What takes a step does this with statistics: p ← p − g.
fn follow<T: Real>(net: &mut Sequential<T>, grads: &[T]) {
    for range in ranges(net, Role::Statistic) {
        for (p, g) in net.params_mut()[range.clone()]
            .iter_mut()
            .zip(&grads[range])
        {
            *p -= *g;
        }
    }
}

/// One pass in training: y, and ∂C/∂x for ∂C/∂y = dy; the rest is on the tape.
fn pass<T: Real>(
    net: &Sequential<T>,
    x: View<'_, T>,
    dy: &[T],
    tape: &mut Tape<T>,
) -> Result<(DMatrix<T>, DMatrix<T>)> {
    net.gradient_with(x, tape, |_, mut slopes| {
        slopes.as_mut_slice().copy_from_slice(dy);
        Ok(())
    })?;
    Ok((tape.a(1)?.clone_owned(), tape.delta(0)?.clone_owned()))
}

/// Within 10⁻¹² of PyTorch in f64: outputs, all gradients, and the running averages over several
/// steps.
#[test]
fn values_and_gradients_of_pytorch() -> Result<()> {
    let numbers = |text: &str| -> Option<Vec<f64>> {
        (text != "-").then(|| text.split(' ').map(|x| x.parse().unwrap()).collect())
    };
    let mut net: Option<Sequential<f64>> = None;
    let (mut tape, mut compared) = (Tape::new(), 0);
    for line in TABLE.lines().skip(1) {
        let [
            kind,
            eps,
            momentum,
            step,
            d,
            x,
            dy,
            scale,
            bias,
            y,
            dx,
            dscale,
            dbias,
            mean,
            variance,
            infer,
        ] = *line.split('\t').collect::<Vec<_>>()
        else {
            panic!("{line}")
        };
        let d: usize = d.parse().unwrap();
        let (eps, momentum): (Option<f64>, Option<f64>) = (eps.parse().ok(), momentum.parse().ok());
        let (scale, bias) = (numbers(scale), numbers(bias));
        let (has_scale, has_bias) = (scale.is_some(), bias.is_some());
        if step == "0" {
            net = Some(match kind {
                "LayerNorm" => {
                    let norm = eps.map_or(LayerNorm::new(), |eps| LayerNorm::new().eps(eps));
                    let norm = if has_scale {
                        norm
                    } else {
                        norm.without_scale()
                    };
                    alone(d, if has_bias { norm } else { norm.without_bias() })?
                }
                "RmsNorm" => {
                    let norm = eps.map_or(RmsNorm::new(), |eps| RmsNorm::new().eps(eps));
                    alone(
                        d,
                        if has_scale {
                            norm
                        } else {
                            norm.without_scale()
                        },
                    )?
                }
                "BatchNorm" => {
                    let norm = eps.map_or(BatchNorm::new(), |eps| BatchNorm::new().eps(eps));
                    let norm = momentum.map_or(norm, |momentum| norm.momentum(momentum));
                    let norm = if has_scale {
                        norm
                    } else {
                        norm.without_scale()
                    };
                    alone(d, if has_bias { norm } else { norm.without_bias() })?
                }
                _ if kind.starts_with("GroupNorm(") => {
                    let groups = kind["GroupNorm(".len()..kind.len() - 1].parse().unwrap();
                    let norm = GroupNorm::new(groups);
                    let norm = eps.map_or(norm, |eps| norm.eps(eps));
                    let norm = if has_scale {
                        norm
                    } else {
                        norm.without_scale()
                    };
                    alone(d, if has_bias { norm } else { norm.without_bias() })?
                }
                _ => panic!("unknown layer {kind}"),
            });
        }
        let net = net.as_mut().expect("step 0 comes first");
        for (role, values) in [(Role::Scale, scale), (Role::Bias, bias)] {
            assert_eq!(
                ranges(net, role).len(),
                usize::from(values.is_some()),
                "{kind}: blocks of {role:?}"
            );
            for range in ranges(net, role) {
                net.params_mut()[range]
                    .copy_from_slice(values.as_ref().expect("values of a block"));
            }
        }
        let (x, dy) = (numbers(x).expect("inputs"), numbers(dy).expect("slopes"));
        let x = View::new(&x, d)?;
        let (got_y, got_dx) = pass(net, x, &dy, &mut tape)?;
        let grads = tape.grads().to_vec();
        follow(net, &grads);
        let of = |role, values: &[f64]| {
            ranges(net, role)
                .iter()
                .map(|range| values[range.clone()].to_vec())
                .collect::<Vec<_>>()
        };
        let statistics = of(Role::Statistic, net.params());
        let gradient = |role| of(role, &grads).into_iter().next();
        let found = [
            ("y", y, Some(got_y.as_slice().to_vec())),
            ("dx", dx, Some(got_dx.as_slice().to_vec())),
            ("dscale", dscale, gradient(Role::Scale)),
            ("dbias", dbias, gradient(Role::Bias)),
            ("mean", mean, statistics.first().cloned()),
            ("variance", variance, statistics.get(1).cloned()),
            // Without statistics, inference is what training is.
            (
                "infer",
                if infer == "-" { y } else { infer },
                Some(net.predict(x)?.as_slice().to_vec()),
            ),
        ];
        for (what, want, got) in found {
            let want = numbers(want);
            assert_eq!(
                want.as_ref().map(Vec::len),
                got.as_ref().map(Vec::len),
                "{what} of {kind}, {d} features"
            );
            for (want, got) in want.iter().flatten().zip(got.iter().flatten()) {
                let place = format!(
                    "{what} of {kind}, eps {eps:?}, {d} × {}, step {step}",
                    x.cols()
                );
                assert!(
                    (want - got).abs() <= 1e-12 * want.abs().max(1.0),
                    "{place}: {got}, not {want}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 5_000, "{compared} numbers");
    Ok(())
}

/// By parameters and by inputs, in many sizes: one feature, one sample, and more than the loops
/// take at a time.
#[test]
fn derivatives_of_layers() -> Result<()> {
    let mut compared = 0;
    let mut undecided = 0;
    let mut seed = 0;
    for inputs in [1, 2, 3, 16, 17, 40] {
        for batch in [1, 2, 3, 8] {
            for layer in layers() {
                seed += 1;
                let report = gradcheck::layer(&*layer, inputs, batch, seed)?;
                // Two samples are ±1 whatever they are, but for ε: of such derivatives differences
                // decide few.
                let wrong = report
                    .worst
                    .as_ref()
                    .is_some_and(|worst| worst.error >= TOLERANCE);
                assert!(
                    !wrong,
                    "{layer:?}, {inputs} inputs, batch {batch}: {report}"
                );
                let learned: usize = layer
                    .blocks(inputs)
                    .iter()
                    .filter(|b| b.role != Role::Statistic)
                    .map(|b| b.len())
                    .sum();
                // Batch norm out of training is another function.
                let functions = if format!("{layer:?}").starts_with("BatchNorm") {
                    2
                } else {
                    1
                };
                let count = functions * (learned + inputs * batch);
                assert_eq!(
                    report.compared + report.undecided,
                    count,
                    "{layer:?}, {inputs} inputs, batch {batch}"
                );
                compared += report.compared;
                undecided += report.undecided;
            }
        }
    }
    for layer in layers() {
        let report = gradcheck::layer(&*layer, 131, 2, 9)?;
        assert!(report.error() < TOLERANCE, "{layer:?}: {report}");
    }
    assert!(
        compared > 12_000 && undecided * 100 < compared,
        "{compared} compared, {undecided} undecided"
    );
    Ok(())
}

/// Groups are layer norms side by side, and one is all of it, to the bit.
#[test]
fn groups_are_layer_norms() -> Result<()> {
    let mut rng = rng(12);
    let x = DMatrix::from_fn(40, 70, |_, _| 4.0 * rng.random::<f64>() - 2.0);
    let dy: Vec<f64> = x.iter().map(|x| (3.0 * x).cos()).collect();
    for groups in [1, 4, 40] {
        let net = alone(40, GroupNorm::new(groups))?;
        let width = 40 / groups;
        let single = alone(width, LayerNorm::new())?;
        let mut tapes = [Tape::new(), Tape::new()];
        let (y, dx) = pass(&net, (&x).into(), &dy, &mut tapes[0])?;
        let (want, want_dx) = pass(&single, View::new(x.as_slice(), width)?, &dy, &mut tapes[1])?;
        assert_eq!(y.as_slice(), want.as_slice(), "{groups} groups");
        assert_eq!(dx.as_slice(), want_dx.as_slice(), "{groups} groups");
        if groups == 1 {
            assert_eq!(tapes[0].grads(), tapes[1].grads());
        }
    }
    for (groups, inputs, batch) in [(2, 40, 3), (5, 40, 2), (3, 12, 70)] {
        for layer in [
            GroupNorm::new(groups),
            GroupNorm::new(groups).without_scale(),
        ] {
            let report = gradcheck::layer(&layer, inputs, batch, 3)?;
            assert!(report.error() < TOLERANCE, "{layer:?}: {report}");
        }
    }
    let refused = |groups| Layer::<f64>::outputs(&GroupNorm::new(groups), 4).unwrap_err();
    assert_eq!(refused(3).kind(), ErrorKind::Shape);
    let text = refused(0).to_string();
    assert!(
        text.ends_with("got 4, expected a number of inputs that 0 groups divide"),
        "{text}"
    );
    Ok(())
}

/// Within networks, below and above other layers.
#[test]
fn derivatives_of_networks() -> Result<()> {
    for (index, batch) in [1, 2, 7, 20].into_iter().enumerate() {
        for kind in 0..3 {
            let norm = |net: chainrule::nn::Builder<f64>| match kind {
                0 => net.layer(LayerNorm::new()),
                1 => net.layer(RmsNorm::new()),
                _ => net.layer(BatchNorm::new()),
            };
            let mut rng = rng(10 * index as u64 + kind);
            let net = norm(Sequential::builder(3))
                .layer(Dense::new(9, Activation::Linear).without_bias());
            let net = norm(net)
                .layer(Activation::Gelu)
                .layer(Dropout::new(0.2))
                .layer(Dense::new(4, Activation::Tanh));
            let mut net = norm(net)
                .layer(Dense::new(2, Activation::Linear))
                .build_with(&mut rng)?;
            for role in [Role::Scale, Role::Bias] {
                for range in ranges(&net, role) {
                    net.params_mut()[range]
                        .iter_mut()
                        .for_each(|p| *p += rng.random::<f64>() - 0.5);
                }
            }
            let x = DMatrix::from_fn(3, batch, |_, _| 4.0 * rng.random::<f64>() - 2.0);
            let t = DMatrix::from_fn(2, batch, |_, _| rng.random::<f64>());
            let report = gradcheck::network(&net, &x, &t, &QuadraticCost)?;
            assert!(report.error() < TOLERANCE, "batch {batch}: {report}\n{net}");
            let statistics: usize = ranges(&net, Role::Statistic).iter().map(Range::len).sum();
            assert_eq!(statistics, if kind == 2 { 2 * (3 + 9 + 4) } else { 0 });
            assert_eq!(
                report.compared + report.undecided,
                net.params().len() - statistics,
                "batch {batch}"
            );
        }
    }
    Ok(())
}

/// y = x + b, which also writes what is no derivative; its ∂C/∂b is off by a factor.
#[derive(Debug)]
struct Counted(f64);

impl Layer<f64> for Counted {
    fn name(&self) -> String {
        "Counted".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![
            Block::new("count", Role::Statistic, 2, 1),
            Block::new("bias", Role::Bias, inputs, 1),
        ]
    }

    fn infer(&self, mut p: InferArgs<'_, f64>) {
        for (y, x) in p.y.iter_mut().zip(p.x.iter()) {
            for (y, (x, b)) in y.iter_mut().zip(x.iter().zip(&p.params[2..])) {
                *y = x + b;
            }
        }
    }

    fn backward(&self, p: BackwardArgs<'_, f64>) {
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice()
                .copy_from_slice(p.delta.as_view().as_slice());
        }
    }

    fn gradient(&self, p: GradientArgs<'_, f64>) {
        p.grads.fill(0.0);
        for dy in p.delta.iter() {
            p.grads[2..]
                .iter_mut()
                .zip(dy)
                .for_each(|(sum, dy)| *sum += dy);
        }
        p.grads[2] *= self.0;
        p.grads[..2].copy_from_slice(&[1e300, f64::NAN]);
    }
}

/// Statistics are neither compared nor do they hide what is wrong beside them, and blocks keep
/// their names.
#[test]
fn checks_leave_statistics_out() -> Result<()> {
    for (factor, wrong) in [(1.0, false), (1.0 + 1e-5, true)] {
        let alone = gradcheck::layer(&Counted(factor), 3, 4, 1)?;
        let net = Sequential::builder(2)
            .layer(Counted(1.0))
            .layer(Dense::new(3, Activation::Tanh))
            .layer(Counted(factor))
            .build_with(&mut rng(2))?;
        let (x, t) = (
            DMatrix::from_fn(2, 4, |i, j| (i as f64 - j as f64).sin()),
            DMatrix::from_element(3, 4, 0.5),
        );
        let inside = gradcheck::network(&net, &x, &t, &QuadraticCost)?;
        assert_eq!((alone.compared, inside.compared), (3 + 12, 2 + 9 + 3));
        for (report, place) in [
            (alone, "Counted, bias[(0, 0)]"),
            (inside, "layer 2 (Counted), bias[(0, 0)]"),
        ] {
            assert_eq!(report.error() >= TOLERANCE, wrong, "{report}");
            assert!(
                !wrong
                    || report
                        .worst
                        .as_ref()
                        .is_some_and(|worst| worst.place == place),
                "{report}"
            );
        }
    }
    Ok(())
}

/// By hand, in numbers without rounding: the steps of the running averages, with momentum ½.
#[test]
fn running_averages() -> Result<()> {
    let mut net = alone::<f64>(2, BatchNorm::new().momentum(0.5))?;
    let [mean, variance] = &ranges(&net, Role::Statistic)[..] else {
        panic!("two statistics")
    };
    let (mean, variance) = (mean.clone(), variance.clone());
    assert_eq!(
        (&net.params()[mean.clone()], &net.params()[variance.clone()]),
        (&[0.0, 0.0][..], &[1.0, 1.0][..])
    );
    let mut tape = Tape::new();
    let mut step = |net: &mut Sequential<f64>, x: &[f64]| -> Result<()> {
        pass(net, View::new(x, 2)?, &vec![1.0; x.len()], &mut tape)?;
        let grads = tape.grads().to_vec();
        follow(net, &grads);
        Ok(())
    };
    // Feature 0: mean 4, unbiased variance 8; feature 1: mean −1, variance 0.
    step(&mut net, &[2.0, -1.0, 6.0, -1.0])?;
    assert_eq!(
        (&net.params()[mean.clone()], &net.params()[variance.clone()]),
        (&[2.0, -0.5][..], &[4.5, 0.5][..])
    );
    // One sample: the mean follows, the variance stays.
    step(&mut net, &[0.0, 1.5])?;
    assert_eq!(
        (&net.params()[mean.clone()], &net.params()[variance.clone()]),
        (&[1.0, 0.5][..], &[4.5, 0.5][..])
    );

    // With the batch's own moments, the variance the biased one, inference is what training was.
    let mut rng = rng(3);
    let x = DMatrix::from_fn(70, 32, |i, _| {
        (rng.random::<f64>() - 0.5) * (1.0 + i as f64)
    });
    let mut net = alone::<f64>(70, BatchNorm::new().momentum(1.0))?;
    let mut tape = Tape::new();
    let (y, _) = pass(&net, (&x).into(), &[1.0; 70 * 32], &mut tape)?;
    let grads = tape.grads().to_vec();
    follow(&mut net, &grads);
    let variance = ranges(&net, Role::Statistic)[1].clone();
    net.params_mut()[variance]
        .iter_mut()
        .for_each(|v| *v *= 31.0 / 32.0);
    assert!((net.predict(&x)? - &y).amax() < 1e-13);
    // And each feature has mean 0 and variance 1 but for ε.
    for feature in y.row_iter() {
        assert!(
            feature.sum().abs() < 1e-13 && (feature.norm_squared() / 32.0 - 1.0).abs() < 1e-3,
            "{feature}"
        );
    }
    // Momentum 0 keeps them as they are.
    let net = alone::<f64>(70, BatchNorm::new().momentum(0.0))?;
    pass(&net, (&x).into(), &[1.0; 70 * 32], &mut tape)?;
    assert!(
        ranges(&net, Role::Statistic)
            .into_iter()
            .all(|range| tape.grads()[range].iter().all(|g| *g == 0.0))
    );
    Ok(())
}

/// A mean of gradients over parts of a batch is a mean of their statistics; a step over it, one of
/// both.
#[test]
fn statistics_of_parts_are_averaged() -> Result<()> {
    let mut net = alone::<f64>(1, BatchNorm::new().momentum(0.5))?;
    let mut tape = Tape::new();
    let mut mean = vec![0.0; net.params().len()];
    for x in [[1.0, 3.0], [5.0, 11.0]] {
        pass(&net, View::new(&x, 1)?, &[0.0; 2], &mut tape)?;
        mean.iter_mut()
            .zip(tape.grads())
            .for_each(|(mean, g)| *mean += g / 2.0);
    }
    follow(&mut net, &mean);
    // Means 2 and 8, unbiased variances 2 and 18.
    assert_eq!(
        net.params(),
        [
            1.0,
            0.0,
            0.5 * (2.0 + 8.0) / 2.0,
            0.5 + 0.5 * (2.0 + 18.0) / 2.0
        ]
    );
    Ok(())
}

/// A constant is 0 exactly, however large, and what is large is as what is small times a factor.
#[test]
fn constant_and_huge_inputs() -> Result<()> {
    fn check<T: Real>(sizes: &[f64], tolerance: f64) -> Result<()> {
        let nets = [
            (alone::<T>(21, LayerNorm::new())?, true, true),
            (alone(21, RmsNorm::new())?, false, true),
            (alone(21, BatchNorm::new())?, true, false),
        ];
        let mut rng = rng(4);
        let plain = DMatrix::from_fn(21, 6, |_, _| T::of(8.0 * rng.random::<f64>() - 3.0));
        let dy: Vec<T> = (0..21 * 6)
            .map(|_| T::of(rng.random::<f64>() - 0.5))
            .collect();
        let mut tape = Tape::new();
        for (net, centered, same_in_inference) in &nets {
            // The same without an ε that counts.
            let factor = T::of(65536.0);
            let (want, slopes) = pass(net, (&(&plain * factor)).into(), &dy, &mut tape)?;
            let learned = 21 * if *centered { 2 } else { 1 };
            let want_grads = tape.grads()[..learned].to_vec();
            for size in sizes {
                let size = T::of(*size);
                let constant = DMatrix::from_element(21, 6, size * T::of(0.7));
                if *centered {
                    let (y, dx) = pass(net, (&constant).into(), &dy, &mut tape)?;
                    assert!(
                        y.iter().all(|y| *y == T::zero()),
                        "{net}: a constant of {size}"
                    );
                    assert!(
                        dx.iter().chain(tape.grads()).all(|g| g.is_finite()),
                        "{net}: a constant of {size}"
                    );
                }
                let x = &plain * size;
                let (y, dx) = pass(net, (&x).into(), &dy, &mut tape)?;
                for (y, want) in y.iter().zip(&want) {
                    assert!(
                        (*y - *want).as_f64().abs() <= tolerance,
                        "{net} at {size}: {y}, not {want}"
                    );
                }
                for (dx, want) in dx.iter().zip(&slopes) {
                    // ∂C/∂x of what is larger by a factor is smaller by it.
                    let (got, want) = ((*dx).as_f64() * size.as_f64(), (*want * factor).as_f64());
                    assert!(
                        (got - want).abs() <= tolerance * want.abs().max(1.0),
                        "{net} at {size}: dx {got}, not {want}"
                    );
                }
                for (g, want) in tape.grads()[..learned].iter().zip(&want_grads) {
                    assert!(
                        (*g - *want).as_f64().abs() <= 10.0 * tolerance,
                        "{net} at {size}: {g}, not {want}"
                    );
                }
                if *same_in_inference {
                    assert_eq!(net.predict(&x)?, y);
                }
            }
        }
        Ok(())
    }
    check::<f32>(&[1e6, 1e15, 1e18, 1e19, 1e20, 1e25, 1e30, 1e36], 2e-5)?;
    check::<f64>(
        &[1e6, 1e30, 1e140, 1e153, 1e154, 1e160, 1e200, 1e300],
        1e-12,
    )?;

    // Of zeros, and of numbers so small that ε is all: x/√ε.
    for net in [
        alone::<f64>(3, LayerNorm::new())?,
        alone(3, RmsNorm::new())?,
        alone(3, BatchNorm::new())?,
    ] {
        assert_eq!(net.predict(&DMatrix::zeros(3, 2))?, DMatrix::zeros(3, 2));
        assert_eq!(
            pass(
                &net,
                (&DMatrix::zeros(3, 2)).into(),
                &[1.0; 6],
                &mut Tape::new()
            )?
            .0,
            DMatrix::zeros(3, 2)
        );
        let (y, _) = pass(
            &net,
            (&DMatrix::from_fn(3, 2, |i, j| (i + 3 * j) as f64 * 1e-300)).into(),
            &[1.0; 6],
            &mut Tape::new(),
        )?;
        assert!(y.amax() < 1e-290 && y.amax() > 0.0, "{y}");
    }
    // A single feature is constant for layer norm, and its sign for RMS norm.
    let x = DMatrix::from_row_slice(1, 3, &[5.0, -2e9, 1e-3]);
    assert_eq!(
        alone::<f64>(1, LayerNorm::new())?.predict(&x)?.as_slice(),
        [0.0; 3]
    );
    assert!((alone::<f64>(1, RmsNorm::new())?.predict(&x)? - x.map(f64::signum)).amax() < 1e-9);
    Ok(())
}

/// A batch of one: y = β, no gradient by x and γ, and nothing NaN.
#[test]
fn batch_norm_of_one_sample() -> Result<()> {
    let mut net = alone::<f64>(3, BatchNorm::new())?;
    net.bias_mut(1)?.copy_from_slice(&[0.5, -1.0, 2.0]);
    let mut tape = Tape::new();
    let (y, dx) = pass(
        &net,
        (&DVector::from_vec(vec![7.0, -1e300, 0.1])).into(),
        &[1.0, 2.0, 3.0],
        &mut tape,
    )?;
    assert_eq!(
        (y.as_slice(), dx.as_slice()),
        (&[0.5, -1.0, 2.0][..], &[0.0; 3][..])
    );
    assert_eq!(tape.grads()[..6], [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(tape.grads()[9..], [0.0; 3]);
    Ok(())
}

/// NaN and ±∞ pass on, and stay where they belong: in the sample, or for batch norm in the feature,
/// in inference in both.
#[test]
fn not_a_number_stays_in_its_place() -> Result<()> {
    let (d, n) = (70, 5);
    let plain = DMatrix::from_fn(d, n, |i, j| ((3 * i + 7 * j) as f64).sin());
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (row, col) in [(0, 0), (1, 4), (66, 2), (69, 0)] {
            let mut x = plain.clone();
            x[(row, col)] = bad;
            let mut tape = Tape::new();
            for net in [
                alone::<f64>(d, LayerNorm::new())?,
                alone(d, RmsNorm::new())?,
            ] {
                let place = format!("{net} of {bad} at ({row}, {col})");
                let (y, dx) = pass(&net, (&x).into(), &vec![1.0; d * n], &mut tape)?;
                let (want, slopes) = pass(&net, (&plain).into(), &vec![1.0; d * n], &mut tape)?;
                for j in 0..n {
                    if j != col {
                        assert_eq!(
                            (y.column(j), dx.column(j)),
                            (want.column(j), slopes.column(j)),
                            "{place}"
                        );
                    }
                }
                assert!(y.column(col).iter().all(|y| y.is_nan()), "{place}");
                assert_eq!(net.predict(&plain)?, want);
            }
            let net = alone::<f64>(d, BatchNorm::new())?;
            let place = format!("{net} of {bad} at ({row}, {col})");
            let (y, dx) = pass(&net, (&x).into(), &vec![1.0; d * n], &mut tape)?;
            assert!(
                y.row(row).iter().all(|y| y.is_nan()) && dx.row(row).iter().all(|dx| dx.is_nan()),
                "{place}"
            );
            let (want, slopes) = pass(&net, (&plain).into(), &vec![1.0; d * n], &mut tape)?;
            for i in (0..d).filter(|i| *i != row) {
                assert_eq!(
                    (y.row(i), dx.row(i)),
                    (want.row(i), slopes.row(i)),
                    "{place}"
                );
            }
            let (y, want) = (net.predict(&x)?, net.predict(&plain)?);
            let differing = y
                .iter()
                .zip(&want)
                .filter(|(y, want)| y.to_bits() != want.to_bits())
                .count();
            assert!(differing == 1 && !y[(row, col)].is_finite(), "{place}");
        }
    }
    Ok(())
}

/// Layer norms treat each sample by itself, in training too, and batch norm in inference: the same
/// bits in any batch; and every pass again gives the bits of the first.
#[test]
fn same_bits() -> Result<()> {
    fn check<T: Real>() -> Result<()> {
        let mut rng = rng(6);
        for width in [1, 5, 16, 70] {
            let x = DMatrix::from_fn(width, 300, |_, _| T::of(rng.random::<f64>() - 0.5));
            let dy: Vec<T> = (0..x.len())
                .map(|_| T::of(rng.random::<f64>() - 0.5))
                .collect();
            for (index, net) in [
                alone::<T>(width, LayerNorm::new())?,
                alone(width, RmsNorm::new())?,
                alone(width, BatchNorm::new())?,
            ]
            .iter()
            .enumerate()
            {
                let y = net.predict(&x)?;
                let mut tape = Tape::new();
                let whole = pass(net, (&x).into(), &dy, &mut tape)?;
                let grads = tape.grads().to_vec();
                assert_eq!(pass(net, (&x).into(), &dy, &mut tape)?, whole);
                assert_eq!(tape.grads(), grads);
                for (first, count) in [(0, 1), (7, 1), (100, 2), (128, 17), (170, 130)] {
                    let part = View::from(&x).columns(first, count)?;
                    assert_eq!(net.predict(part)?, y.columns(first, count), "{net}");
                    if index < 2 {
                        let (y, dx) =
                            pass(net, part, &dy[first * width..][..count * width], &mut tape)?;
                        assert_eq!(
                            (y.as_view(), dx.as_view()),
                            (whole.0.columns(first, count), whole.1.columns(first, count)),
                            "{net}"
                        );
                    }
                }
            }
        }
        Ok(())
    }
    check::<f32>()?;
    check::<f64>()
}

/// In f32 as in f64, but for roundings.
#[test]
fn f32_follows_f64() -> Result<()> {
    let mut rng = rng(7);
    let x = DMatrix::from_fn(100, 40, |i, _| 3.0 * rng.random::<f32>() + i as f32);
    let dy: Vec<f32> = (0..x.len()).map(|_| rng.random::<f32>() - 0.5).collect();
    let wide = (
        x.map(f64::from),
        dy.iter().map(|dy| f64::from(*dy)).collect::<Vec<_>>(),
    );
    let nets = (
        [
            alone::<f32>(100, LayerNorm::new())?,
            alone(100, RmsNorm::new())?,
            alone(100, BatchNorm::new())?,
        ],
        [
            alone::<f64>(100, LayerNorm::new())?,
            alone(100, RmsNorm::new())?,
            alone(100, BatchNorm::new())?,
        ],
    );
    for (single, double) in nets.0.iter().zip(&nets.1) {
        let (mut tape, mut tape64) = (Tape::new(), Tape::new());
        let (y, dx) = pass(single, (&x).into(), &dy, &mut tape)?;
        let (want_y, want_dx) = pass(double, (&wide.0).into(), &wide.1, &mut tape64)?;
        assert!(
            (y.map(f64::from) - &want_y).amax() <= 2e-5 * want_y.amax(),
            "{single}"
        );
        assert!(
            (dx.map(f64::from) - &want_dx).amax() <= 2e-5 * want_dx.amax(),
            "{single}"
        );
        let largest = tape64
            .grads()
            .iter()
            .fold(0.0_f64, |max, g| max.max(g.abs()));
        for (g, want) in tape.grads().iter().zip(tape64.grads()) {
            assert!(
                (f64::from(*g) - want).abs() <= 2e-5 * largest,
                "{single}: {g}, not {want}"
            );
        }
    }
    Ok(())
}

/// γ starts at 1 and β at 0, and a block that is not wanted is not there.
#[test]
fn blocks_and_starts() -> Result<()> {
    let blocks = |layer: &dyn Layer<f64>| {
        let blocks = layer.blocks(3);
        assert!(
            blocks
                .iter()
                .all(|block| (block.rows, block.cols) == (3, 1)),
            "{blocks:?}"
        );
        blocks
            .iter()
            .map(|block| format!("{} {:?}", block.name, block.role))
            .collect::<Vec<_>>()
    };
    let (scale, bias) = ("scale Scale", "bias Bias");
    let (mean, variance) = ("running_mean Statistic", "running_variance Statistic");
    assert_eq!(blocks(&LayerNorm::new()), [scale, bias]);
    assert_eq!(blocks(&LayerNorm::default().without_scale()), [bias]);
    assert_eq!(blocks(&LayerNorm::new().without_bias()), [scale]);
    assert_eq!(blocks(&RmsNorm::default()), [scale]);
    assert!(blocks(&RmsNorm::new().without_scale()).is_empty());
    assert_eq!(blocks(&BatchNorm::default()), [scale, bias, mean, variance]);
    assert_eq!(
        blocks(&BatchNorm::new().without_scale().without_bias()),
        [mean, variance]
    );
    let net = alone::<f64>(2, BatchNorm::new())?;
    assert_eq!(net.params(), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    assert_eq!(
        alone::<f64>(2, LayerNorm::new())?.params(),
        [1.0, 1.0, 0.0, 0.0]
    );
    assert_eq!(
        alone::<f64>(2, LayerNorm::new())?.bias(1)?.as_slice(),
        [0.0, 0.0]
    );
    // γ is no weight: nothing that decays weights finds it.
    assert_eq!(net.weights(1).unwrap_err().kind(), ErrorKind::Value);
    // The bounds of probabilities do not survive.
    let softmax = Sequential::<f64>::builder(2).layer(Softmax);
    for net in [
        softmax.clone().layer(LayerNorm::new()),
        softmax.clone().layer(RmsNorm::new()),
        softmax.layer(BatchNorm::new()),
    ] {
        assert_eq!(net.build_with(&mut rng(0))?.range(), OutputRange::Real);
    }
    Ok(())
}

#[test]
fn refusals() {
    let refused = |net: Result<Sequential<f32>>, text: &str| {
        let error = net.expect_err(text);
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::Value, text.to_string())
        );
    };
    // 10⁻⁶⁰ is 0 in f32, 10⁶⁰ is ∞.
    let cases = [
        (0.0, "0"),
        (-1e-5, "-0.00001"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (1e-60, "1e-60"),
        (1e60, "1e60"),
    ];
    for (eps, given) in cases {
        let text = |name: &str| {
            format!(
                "layer 1 ({name}): eps: got {given}, expected a finite number > 0 that the scalar \
                 can hold"
            )
        };
        refused(alone(3, LayerNorm::new().eps(eps)), &text("LayerNorm"));
        refused(alone(3, RmsNorm::new().eps(eps)), &text("RmsNorm"));
        refused(alone(3, BatchNorm::new().eps(eps)), &text("BatchNorm"));
    }
    for (momentum, given) in [(-0.1, "-0.1"), (1.5, "1.5"), (f64::NAN, "NaN")] {
        let text = format!(
            "layer 1 (BatchNorm): momentum: got {given}, expected a number with 0 ≤ momentum ≤ 1"
        );
        refused(alone(3, BatchNorm::new().momentum(momentum)), &text);
    }
    let huge = Sequential::<f32>::builder(usize::MAX / 2);
    let huge = [
        huge.clone().layer(LayerNorm::new()),
        huge.clone().layer(RmsNorm::new()),
        huge.layer(BatchNorm::new()),
    ];
    for net in huge {
        assert!(
            net.build_with(&mut rng(0))
                .is_err_and(|error| error.expected() == "parameters that fit into memory")
        );
    }
}

/// Statistics over many numbers in `f32` are as right as those over few: of a sample's features,
/// and of a batch.
#[test]
fn statistics_of_many_numbers() -> Result<()> {
    const N: usize = 1_000_000;
    // Far more of one number than of the other, where roundings go the same way.
    let x: Vec<f32> = (0..N)
        .map(|i| if i % 10 == 0 { 0.3 } else { 0.7 })
        .collect();
    let (mean, n) = (
        x.iter().map(|x| f64::from(*x)).sum::<f64>() / N as f64,
        N as f64,
    );
    let variance = x
        .iter()
        .map(|x| (f64::from(*x) - mean).powi(2))
        .sum::<f64>()
        / n;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let net = Sequential::<f32>::builder(N)
        .layer(LayerNorm::new().without_scale().without_bias())
        .build_with(&mut rng)?;
    let y = net.predict(View::new(&x, N)?)?;
    for (y, x) in y.iter().zip(&x).take(20) {
        let expected = (f64::from(*x) - mean) / (variance + 1e-5).sqrt();
        assert!(
            (f64::from(*y) / expected - 1.0).abs() < 2e-6,
            "layer norm of {x}: {y}, not {expected}"
        );
    }
    let net = Sequential::<f32>::builder(1)
        .layer(BatchNorm::new().momentum(1.0))
        .build_with(&mut rng)?;
    let mut tape = Tape::new();
    // Σ ∂C/∂y and Σ ∂C/∂y·x̂.
    let dy: Vec<f32> = x.iter().map(|x| x * 0.1).collect();
    net.gradient_with(View::new(&x, 1)?, &mut tape, |_, mut slopes| {
        slopes.as_mut_slice().copy_from_slice(&dy);
        Ok(())
    })?;
    let normal = |x: f32| (f64::from(x) - mean) / (variance + 1e-5).sqrt();
    let expected = [
        x.iter()
            .zip(&dy)
            .map(|(x, dy)| f64::from(*dy) * normal(*x))
            .sum::<f64>(),
        dy.iter().map(|dy| f64::from(*dy)).sum::<f64>(),
        // The steps of the running mean from 0 and of the running variance from 1.
        -mean,
        1.0 - variance * n / (n - 1.0),
    ];
    // The first has terms of both signs.
    let size = x
        .iter()
        .zip(&dy)
        .map(|(x, dy)| (f64::from(*dy) * normal(*x)).abs())
        .sum::<f64>();
    for (found, (expected, size)) in
        tape.grads()
            .iter()
            .zip(expected.iter().zip([size, expected[1], mean, 1.0]))
    {
        assert!(
            (f64::from(*found) - expected).abs() < 5e-6 * size,
            "batch norm: {found}, not {expected}"
        );
    }
    Ok(())
}
