//! What happens to gradients before a rule and to weights after it: clipping, penalties,
//! constraints; and the groups of running statistics.

use chainrule::nalgebra::RowDVector;
use chainrule::nn::layer::{BackwardArgs, Block, GradientArgs, InferArgs, Layer, Role};
use chainrule::nn::loss::QuadraticCost;
use chainrule::optim::{Clip, Constraint, Group, Penalty, Rprop};
use chainrule::prelude::*;
use chainrule::{ErrorKind, Real};

/// A layer whose outputs are its inputs less a running mean, with a weight that does nothing.
#[derive(Debug)]
struct Center;

impl<T: Real> Layer<T> for Center {
    fn name(&self) -> String {
        "Center".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }
    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![
            Block::new("scale", Role::Weight, 1, 1),
            Block::new("mean", Role::Statistic, inputs, 1),
        ]
    }
    fn infer(&self, mut p: InferArgs<'_, T>) {
        let rows = p.params.len() - 1;
        for (i, (y, x)) in
            p.y.as_mut_slice()
                .iter_mut()
                .zip(p.x.as_slice())
                .enumerate()
        {
            *y = *x - p.params[1 + i % rows];
        }
    }
    fn backward(&self, mut p: BackwardArgs<'_, T>) {
        if let Some(dx) = &mut p.dx {
            dx.as_mut_slice().copy_from_slice(p.delta.as_mut_slice());
        }
    }
    /// ½·(running − the batch's mean).
    fn gradient(&self, p: GradientArgs<'_, T>) {
        p.grads[0] = T::zero();
        let (rows, cols) = (p.x.rows(), p.x.cols());
        for i in 0..rows {
            let sum = (0..cols).fold(T::zero(), |sum, j| sum + p.x.as_slice()[i + j * rows]);
            p.grads[1 + i] = T::of(0.5) * (p.params[1 + i] - sum / T::of(cols as f64));
        }
    }
}

/// Weights 4 × 3 at 0..12, biases 12..16, a weight 16, statistics 17..21, weights 2 × 4 at 21..29.
fn net<T: Real>() -> Sequential<T> {
    let builder = Sequential::builder(3)
        .layer(Dense::new(4, Activation::Linear))
        .layer(Center);
    builder
        .layer(Dense::new(2, Activation::Linear).without_bias())
        .seed(1)
        .build()
        .expect("a sound net")
}

fn grads<T: Real>(scale: f64) -> Vec<T> {
    (0..29)
        .map(|i| T::of(scale * ((i * 17 % 23) as f64 - 11.5)))
        .collect()
}

fn norm(x: &[f64]) -> f64 {
    RowDVector::from_row_slice(x).norm()
}

#[test]
fn groups_of_statistics() {
    let net = net::<f64>();
    let statistic = Group {
        statistic: true,
        ..Group::new(17..21)
    };
    assert_eq!(
        net.default_groups(),
        [Group::new(0..17), statistic.clone(), Group::new(21..29)]
    );
    let groups = net.groups(|layer, block| {
        (
            if layer == 1 && block.name == "mean" {
                0.0
            } else {
                2.0
            },
            0.5,
        )
    });
    assert_eq!(
        groups[1],
        Group {
            rate: 0.0,
            decay: 0.5,
            ..statistic
        }
    );
    assert_eq!(
        (groups.len(), groups[0].range.clone(), groups[2].statistic),
        (3, 0..17, false)
    );

    let plain = Sequential::<f64>::builder(3)
        .layer(Activation::Tanh)
        .seed(1)
        .build()
        .expect("a net");
    assert_eq!(plain.default_groups(), Group::all(0));
    assert!(
        Sgd::<f64>::new()
            .step(0.1, &mut [], &[], &plain.default_groups())
            .is_ok()
    );
}

/// A running mean follows the batches, whatever the rule, and no other parameter does.
#[test]
fn statistics_follow_the_batches() -> Result<()> {
    let (x, t) = (
        DMatrix::from_fn(3, 5, |i, j| (i + 2 * j) as f64),
        DMatrix::zeros(2, 5),
    );
    let mut ends = vec![];
    for mut rule in [
        Box::new(Sgd::new()) as Box<dyn Optimizer<f64>>,
        Box::new(Adam::new()),
        Box::new(Rprop::new()),
    ] {
        let (mut net, mut tape) = (net(), Tape::new());
        let groups = net.groups(|layer, _| (if layer == 1 { 1.0 } else { 0.0 }, 0.25));
        for _ in 0..60 {
            net.gradient(&x, &t, &QuadraticCost, &mut tape)?;
            rule.step(0.0, net.params_mut(), tape.grads(), &groups)?;
        }
        let inputs = net.weights(0)? * &x;
        for i in 0..4 {
            let mean = inputs.row(i).mean() + net.bias(0)?[i];
            assert!(
                (net.params()[17 + i] - mean).abs() < 1e-12,
                "{} instead of {mean}",
                net.params()[17 + i]
            );
        }
        ends.push(net.params().to_vec());
    }
    // The weight beside the statistics is of the rule: Rprop's steps know no rate.
    assert!(ends[0] == ends[1] && ends[0][..16] == ends[2][..16]);
    Ok(())
}

#[test]
fn clipping_of_values() -> Result<()> {
    let (net, before) = (net::<f64>(), grads::<f64>(1.0));
    let mut g = before.clone();
    assert_eq!(Clip::Value(3.25).apply(&net, &mut g)?, 11.5);
    for (i, (g, before)) in g.iter().zip(&before).enumerate() {
        let expected = if (17..21).contains(&i) {
            *before
        } else {
            before.clamp(-3.25, 3.25)
        };
        assert_eq!(*g, expected, "{i}");
    }
    Ok(())
}

#[test]
fn clipping_of_norms() -> Result<()> {
    let (net, before) = (net::<f64>(), grads::<f64>(1.0));
    let blocks = [0..12, 12..16, 16..17, 21..29];
    let mut g = before.clone();
    let largest = blocks
        .iter()
        .map(|range| norm(&before[range.clone()]))
        .fold(0.0, f64::max);
    assert!((Clip::Norm(9.5).apply(&net, &mut g)? - largest).abs() < 1e-13);
    for range in blocks.clone() {
        let size = norm(&before[range.clone()]);
        let factor = if size > 9.5 { 9.5 / size } else { 1.0 };
        for i in range.clone() {
            assert!((g[i] - factor * before[i]).abs() < 1e-14, "{i}");
        }
        // What is within the limit is left alone to the bit.
        assert!(size > 9.5 || g[range.clone()] == before[range]);
    }
    assert_eq!(g[17..21], before[17..21]);

    let mut g = before.clone();
    let whole = [&before[..17], &before[21..]].concat();
    assert!((Clip::GlobalNorm(5.0).apply(&net, &mut g)? - norm(&whole)).abs() < 1e-13);
    assert_eq!(g[17..21], before[17..21]);
    let clipped = [&g[..17], &g[21..]].concat();
    assert!((norm(&clipped) - 5.0).abs() < 1e-14);
    assert!(
        clipped
            .iter()
            .zip(&whole)
            .all(|(g, before)| (g / before - 5.0 / norm(&whole)).abs() < 1e-15)
    );
    let mut again = g.clone();
    Clip::GlobalNorm(5.1).apply(&net, &mut again)?;
    assert_eq!(again, g);
    Ok(())
}

/// The whole gradient by its 1-norm and its largest magnitude, of any size.
#[test]
fn clipping_by_other_norms() -> Result<()> {
    let net = net::<f32>();
    let whole = |g: &[f64]| [&g[..17], &g[21..]].concat();
    let exact = whole(&grads::<f64>(1.0));
    let sum: f64 = exact.iter().map(|g| g.abs()).sum();
    let largest = exact
        .iter()
        .fold(0.0, |largest: f64, g| largest.max(g.abs()));
    for scale in [1e-37, 1e-20, 1.0, 1e25, 2e37] {
        for (size, limit) in [(sum, 2.0_f64), (largest, 2.0), (sum, 1e3), (largest, 1e3)] {
            let limited = (limit * scale).min(f64::from(f32::MAX));
            let clip = if size == sum {
                Clip::GlobalNorm1(limited)
            } else {
                Clip::GlobalNormInf(limited)
            };
            let before = grads::<f32>(scale);
            let mut g = before.clone();
            let found = f64::from(clip.apply(&net, &mut g)?);
            let overflows = size * scale > f64::from(f32::MAX);
            assert!(
                (found / (size * scale) - 1.0).abs() < 1e-6 || overflows && found.is_infinite(),
                "{found} of {clip:?}"
            );
            let factor = if size * scale > limited {
                limited / (size * scale)
            } else {
                1.0
            };
            for (i, (g, before)) in g.iter().zip(&before).enumerate() {
                let expected =
                    f64::from(*before) * if (17..21).contains(&i) { 1.0 } else { factor };
                let off = (f64::from(*g) - expected).abs();
                assert!(
                    off <= 2e-6 * expected.abs(),
                    "{i} of {clip:?}: {g}, not {expected}"
                );
                assert!(factor < 1.0 || g == before);
            }
        }
    }
    Ok(())
}

/// Squares that overflow or vanish do not enter.
#[test]
fn norms_of_any_size() -> Result<()> {
    let net = net::<f32>();
    let exact = norm(
        &grads::<f64>(1.0)
            .into_iter()
            .enumerate()
            .filter(|(i, _)| !(17..21).contains(i))
            .map(|(_, g)| g)
            .collect::<Vec<_>>(),
    );
    for scale in [1e-37, 1e-30, 1e-22, 1e-12, 1e-3, 1.0, 1e15, 1e25, 2e37] {
        let mut g = grads::<f32>(scale);
        let limit = scale * 2.0;
        let size = f64::from(Clip::GlobalNorm(limit).apply(&net, &mut g)?);
        // At the end of `f32` the norm is no number of it any more, but what becomes of the
        // gradient is.
        assert!(
            (size / (exact * scale) - 1.0).abs() < 1e-6 || (scale == 2e37 && size.is_infinite()),
            "{size} at {scale}"
        );
        for (i, (g, whole)) in g.iter().zip(grads::<f64>(1.0)).enumerate() {
            let expected = if (17..21).contains(&i) {
                whole
            } else {
                whole * 2.0 / exact
            };
            assert!(
                (f64::from(*g) / scale - expected).abs() < 2e-6 * expected.abs(),
                "{i} at {scale}: {g}"
            );
        }
    }
    // One element whose square is no number.
    let mut g = vec![0.0; 29];
    g[3] = 3e38;
    assert_eq!(Clip::Norm(2.0).apply(&net, &mut g)?, 3e38);
    assert!((g[3] - 2.0).abs() < 1e-6);
    g[3] = 1e-45;
    assert_eq!(Clip::GlobalNorm(1.0).apply(&net, &mut g)?, 1e-45);
    assert_eq!(
        (g[3], Clip::GlobalNorm(1.0).apply(&net, &mut [0.0; 29])?),
        (1e-45, 0.0)
    );
    Ok(())
}

#[test]
fn clipping_of_what_is_no_number() -> Result<()> {
    let net = net::<f64>();
    for clip in [
        Clip::Value(2.0),
        Clip::Norm(2.0),
        Clip::GlobalNorm(2.0),
        Clip::GlobalNorm1(2.0),
        Clip::GlobalNormInf(2.0),
    ] {
        for place in [0, 5, 28] {
            let mut g = vec![1.0; 29];
            g[place] = f64::NAN;
            assert!(clip.apply(&net, &mut g)?.is_nan(), "{clip:?}");
            assert!(g[place].is_nan() && g[13] == 1.0, "{clip:?}");
            g[place] = f64::NEG_INFINITY;
            assert_eq!(clip.apply(&net, &mut g)?, f64::INFINITY, "{clip:?}");
            assert!(
                if clip == Clip::Value(2.0) {
                    g[place] == -2.0
                } else {
                    g[place].is_nan()
                },
                "{clip:?}"
            );
        }
        // A statistic is no part of it.
        let mut g = vec![0.5; 29];
        g[18] = f64::NAN;
        assert!(clip.apply(&net, &mut g)?.is_finite(), "{clip:?}");
    }
    Ok(())
}

/// Norms and penalties of many numbers in `f32` are as right as those of few.
#[test]
fn norms_and_penalties_of_many_numbers() -> Result<()> {
    const N: usize = 4_000_000;
    let mut net = Sequential::<f32>::builder(N)
        .layer(
            Dense::new(1, Activation::Linear)
                .without_bias()
                .init(Init::Zeros),
        )
        .seed(1)
        .build()?;
    let off = |found: f32, exact: f64| (f64::from(found) / exact - 1.0).abs();
    // Alike, where all roundings go the same way; and not.
    let alike = vec![0.3_f32; N];
    let unlike: Vec<f32> = (0..N).map(|i| (i as f32 * 0.37).sin()).collect();
    for mut w in [alike, unlike] {
        let squares = w.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>();
        let sizes = w.iter().map(|w| f64::from(w.abs())).sum::<f64>();
        net.set_params(&w)?;
        for (penalty, exact) in [
            (Penalty::new().l2(1.0), 0.5 * squares),
            (Penalty::new().l1(1.0), sizes),
        ] {
            let cost = penalty.cost(&net);
            assert!(off(cost, exact) < 1e-6, "{penalty:?}: {cost}, not {exact}");
        }
        let norm = Clip::GlobalNorm(1.0).apply(&net, &mut w)?;
        assert!(
            off(norm, squares.sqrt()) < 1e-6,
            "{norm}, not {}",
            squares.sqrt()
        );
        Constraint::MaxNorm(1.0).apply(&mut net)?;
        let norm = net
            .params()
            .iter()
            .map(|w| f64::from(*w).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!((norm - 1.0).abs() < 1e-6, "a neuron of norm {norm}, not 1");
    }
    Ok(())
}

#[test]
fn penalties() -> Result<()> {
    let mut net = net::<f64>();
    net.params_mut()[5] = 0.0;
    net.params_mut()[6] = -0.0;
    let weights: Vec<usize> = (0..12).chain(16..17).chain(21..29).collect();
    let penalty = Penalty::new().l1(0.3).l2(0.7);
    let expected: f64 = weights
        .iter()
        .map(|i| net.params()[*i])
        .map(|w| 0.3 * w.abs() + 0.35 * w * w)
        .sum();
    assert!((penalty.cost(&net) - expected).abs() < 1e-14);

    let before = grads::<f64>(0.1);
    let mut g = before.clone();
    penalty.add_gradient(&net, &mut g)?;
    for i in 0..29 {
        let w = net.params()[i];
        let slope = if w == 0.0 {
            0.0
        } else {
            0.3 * w.signum() + 0.7 * w
        };
        let expected = before[i] + if weights.contains(&i) { slope } else { 0.0 };
        assert!((g[i] - expected).abs() < 1e-15, "{i}");
    }

    // Biases only; and everything, which does not mean statistics.
    net.params_mut().fill(2.0);
    assert_eq!(
        Penalty::new()
            .l2(1.0)
            .on(|_, block| block.role == Role::Bias)
            .cost(&net),
        8.0
    );
    assert_eq!(Penalty::default().l1(1.0).on(|_, _| true).cost(&net), 50.0);
    assert_eq!(
        Penalty::new()
            .l1(1.0)
            .on(|layer, block| layer == 2 && block.name == "weights")
            .cost(&net),
        16.0
    );
    assert_eq!(Penalty::new().cost(&net), 0.0);
    net.params_mut()[3] = f64::NAN;
    assert!(penalty.cost(&net).is_nan());
    assert!(format!("{penalty:?}").contains("l1: 0.3"));
    Ok(())
}

/// The gradient is that of the cost, by differences.
#[test]
fn slopes_of_penalties() -> Result<()> {
    let mut net = net::<f64>();
    let penalty = Penalty::new().l1(0.3).l2(0.7);
    let mut g = vec![0.0; 29];
    penalty.add_gradient(&net, &mut g)?;
    for (i, g) in g.iter().enumerate() {
        let (w, h) = (net.params()[i], 1e-6);
        let mut at = |w| {
            net.params_mut()[i] = w;
            penalty.cost(&net)
        };
        let slope = (at(w + h) - at(w - h)) / (2.0 * h);
        at(w);
        assert!((slope - g).abs() < 1e-8, "{i}: {slope} and {g}");
    }
    Ok(())
}

#[test]
fn largest_norms_of_neurons() -> Result<()> {
    // More rows than are taken at a time.
    let builder = Sequential::<f64>::builder(7)
        .layer(Dense::new(37, Activation::Tanh))
        .layer(Center)
        .layer(Dense::new(3, Activation::Linear));
    let mut net = builder.seed(2).build()?;
    net.params_mut()
        .iter_mut()
        .enumerate()
        .for_each(|(i, w)| *w *= 0.2 * (1 + i % 37) as f64);
    let before = net.clone();
    Constraint::MaxNorm(2.0).apply(&mut net)?;
    let (mut clipped, mut left) = (0, 0);
    for layer in [0, 2] {
        let (now, then) = (net.weights(layer)?, before.weights(layer)?);
        for (now, then) in now.row_iter().zip(then.row_iter()) {
            if then.norm() > 2.0 {
                assert!((now - then * (2.0 / then.norm())).amax() < 1e-14);
                clipped += 1;
            } else {
                assert_eq!(now, then);
                left += 1;
            }
        }
    }
    assert!(clipped > 5 && left > 5, "{clipped} and {left}");
    // Biases and statistics.
    assert_eq!(
        net.params()[7 * 37..8 * 37],
        before.params()[7 * 37..8 * 37]
    );
    assert_eq!(
        net.params()[8 * 37 + 1..9 * 37 + 1],
        before.params()[8 * 37 + 1..9 * 37 + 1]
    );
    Ok(())
}

#[test]
fn norms_of_neurons_at_the_edges() -> Result<()> {
    let mut net = Sequential::<f32>::builder(2)
        .layer(Dense::new(7, Activation::Relu))
        .seed(2)
        .build()?;
    let rows = [
        [3e38, -3e38],
        [1e-30, 0.0],
        [0.0, -0.0],
        [f32::NAN, 9.0],
        [f32::INFINITY, 9.0],
        [3.0, 4.0],
        [0.3, 0.4],
    ];
    let mut w = net.weights_mut(0)?;
    for (i, row) in rows.iter().enumerate() {
        (w[(i, 0)], w[(i, 1)]) = (row[0], row[1]);
    }
    Constraint::MaxNorm(1.0).apply(&mut net)?;
    let w = net.weights(0)?;
    let half = core::f32::consts::FRAC_1_SQRT_2;
    assert!(
        (w[(0, 0)] - half).abs() < 1e-6 && (w[(0, 1)] + half).abs() < 1e-6,
        "{w}"
    );
    assert_eq!(
        (w[(1, 0)], w[(2, 0)], w[(2, 1)].to_bits()),
        (1e-30, 0.0, (-0.0_f32).to_bits())
    );
    assert!(w[(3, 0)].is_nan() && w[(3, 1)] == 9.0);
    assert!(w[(4, 0)].is_nan() && w[(4, 1)] == 0.0);
    assert!((w[(5, 0)] - 0.6).abs() < 1e-6 && w[(6, 0)] == 0.3, "{w}");
    Ok(())
}

#[test]
fn boxes() -> Result<()> {
    let (mut net, before) = (net::<f64>(), grads::<f64>(1.0));
    net.set_params(&before)?;
    Constraint::Box {
        low: -2.5,
        high: 4.5,
    }
    .apply(&mut net)?;
    for (i, (w, before)) in net.params().iter().zip(&before).enumerate() {
        let free = (12..16).contains(&i) || (17..21).contains(&i);
        assert_eq!(
            *w,
            if free {
                *before
            } else {
                before.clamp(-2.5, 4.5)
            },
            "{i}"
        );
    }
    net.params_mut()[0] = f64::NAN;
    Constraint::Box {
        low: 0.0,
        high: f64::INFINITY,
    }
    .apply(&mut net)?;
    assert!(
        net.params()[0].is_nan() && net.params()[1..12].iter().all(|w| (0.0..=4.5).contains(w))
    );
    Ok(())
}

#[test]
fn numbers_out_of_range() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let mut net = net::<f32>();
    let before = net.clone();
    for bad in [0.0, -1.0, nan, inf] {
        for (clip, place) in [
            (Clip::Value(bad), "Value"),
            (Clip::Norm(bad), "Norm"),
            (Clip::GlobalNorm(bad), "GlobalNorm"),
        ] {
            let error = clip.check().expect_err("a limit out of range");
            assert_eq!(
                (error.kind(), error.place()),
                (ErrorKind::Value, &*format!("limit of Clip::{place}"))
            );
            let mut g = grads::<f32>(1.0);
            assert_eq!(clip.apply(&net, &mut g), Err(error));
            assert_eq!(g, grads::<f32>(1.0));
        }
        let error = Constraint::MaxNorm(bad)
            .check()
            .expect_err("a norm out of range");
        assert_eq!(error.place(), "norm of Constraint::MaxNorm");
        assert_eq!(Constraint::MaxNorm(bad).apply(&mut net), Err(error));
    }
    for bad in [-1.0, nan, inf] {
        for (penalty, place) in [
            (Penalty::new().l1(bad), "l1 of Penalty"),
            (Penalty::new().l2(bad), "l2 of Penalty"),
        ] {
            let error = penalty.check().expect_err("a strength out of range");
            assert_eq!((error.kind(), error.place()), (ErrorKind::Value, place));
            let mut g = grads::<f32>(1.0);
            assert_eq!(penalty.add_gradient(&net, &mut g), Err(error));
            assert_eq!(g, grads::<f32>(1.0));
        }
    }
    let boxes = [
        (inf, inf, "low"),
        (nan, 1.0, "low"),
        (1.0, 0.0, "high"),
        (0.0, nan, "high"),
        (-inf, -inf, "high"),
    ];
    for (low, high, name) in boxes {
        let constraint = Constraint::Box { low, high };
        let error = constraint.check().expect_err("an empty box");
        assert_eq!(error.place(), format!("{name} of Constraint::Box"));
        assert_eq!(constraint.apply(&mut net), Err(error));
    }
    // Sound in `f64`, but 0 or infinite in `f32`.
    let mut g = grads::<f32>(1.0);
    for bad in [1e-50, 1e39] {
        assert!(
            Clip::GlobalNorm(bad).check().is_ok()
                && Clip::GlobalNorm(bad).apply(&net, &mut g).is_err()
        );
        assert!(
            Constraint::MaxNorm(bad).check().is_ok()
                && Constraint::MaxNorm(bad).apply(&mut net).is_err()
        );
    }
    assert!(
        Constraint::Box {
            low: 1e39,
            high: 1e40
        }
        .apply(&mut net)
        .is_err()
    );
    assert_eq!((g, net), (grads::<f32>(1.0), before));
}

#[test]
fn gradients_of_another_length() {
    let net = net::<f64>();
    for len in [0, 28, 30] {
        let (mut g, text) = (
            vec![9.0; len],
            format!("got {len}, expected 29 numbers, as many as parameters"),
        );
        for clip in [Clip::Value(1.0), Clip::Norm(1.0), Clip::GlobalNorm(1.0)] {
            let error = clip.apply(&net, &mut g).expect_err("another length");
            assert_eq!(
                (error.kind(), error.to_string()),
                (ErrorKind::Shape, format!("grads of Clip::apply: {text}"))
            );
        }
        let error = Penalty::new()
            .l1(1.0)
            .add_gradient(&net, &mut g)
            .expect_err("another length");
        assert_eq!(
            (error.kind(), error.to_string()),
            (
                ErrorKind::Shape,
                format!("grads of Penalty::add_gradient: {text}")
            )
        );
        assert_eq!(g, vec![9.0; len]);
    }
}
