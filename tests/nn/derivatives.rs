//! Jacobians, gradients and curvature of the inference function, against dual numbers, which know
//! nothing of backward passes.
#![cfg(feature = "num-dual")]

use chainrule::nalgebra::{DMatrix, DVector, SMatrix, SVector};
use chainrule::nn::layer::{BackwardArgs, Block, GradientArgs, InferArgs, Layer, Role};
use chainrule::nn::loss::*;
use chainrule::nn::*;
use chainrule::numeric::{Targets, ViewMut};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, Real, View};
use num_dual::{Dual64, HyperDual64};

/// Every activation that is smooth but for points that random numbers do not hit.
fn activations() -> Vec<Activation> {
    let zigzag = Breakpoints::new(&[(-1.0, 0.5), (0.25, -0.5)])
        .and_then(|b| b.slopes(-0.3, 0.7))
        .unwrap();
    let more = [
        Activation::LeakyRelu { slope: 0.1 },
        Activation::Elu { alpha: 0.7 },
        Activation::Celu { alpha: 0.7 },
        Activation::Threshold {
            threshold: -0.2,
            value: 0.7,
        },
        Activation::HardShrink { lambda: 0.3 },
        Activation::SoftShrink { lambda: 0.3 },
        zigzag.into(),
    ];
    Activation::every().chain(more).collect()
}

const KINDS: usize = 7;

/// Networks with 3 inputs and 2 outputs of which all together have every layer, in any numbers.
fn net<T: Real>(activation: &Activation, kind: usize) -> Result<Sequential<T>> {
    // At these starts no softmax is so sure that its second derivatives are mostly rounding.
    let start = |layer: Dense| layer.init(Init::GlorotUniform).bias_init(Init::Zeros);
    let dense = |outputs| start(Dense::new(outputs, activation.clone()));
    let net = Sequential::<T>::builder(3);
    let net = match kind {
        0 => net
            .layer(dense(5))
            .layer(dense(4).without_bias())
            .layer(start(Dense::new(2, Activation::Linear))),
        1 => net
            .layer(start(Dense::new(5, Activation::Linear)))
            .layer(activation.clone())
            .layer(LayerNorm::new())
            .layer(dense(2))
            .layer(Softmax),
        2 => net
            .layer(GaussianNoise::new(0.3))
            .layer(dense(4))
            .layer(BatchNorm::new())
            .layer(Dropout::new(0.5))
            .layer(dense(2)),
        3 => net
            .layer(RmsNorm::new())
            .layer(dense(4))
            .layer(AlphaDropout::new(0.2))
            .layer(start(Dense::new(2, Activation::Tanh))),
        4 => net
            .layer(start(Dense::new(4, Activation::Linear)))
            .layer(Prelu::new().per_feature())
            .layer(dense(3))
            .layer(Prelu::new())
            .layer(dense(2)),
        5 => net
            .layer(LayerNorm::new().without_scale())
            .layer(BatchNorm::new().without_bias())
            .layer(activation.clone())
            .layer(dense(2)),
        _ => net
            .layer(dense(4))
            .layer(start(Dense::new(2, Activation::Linear)))
            .layer(LogSoftmax),
    };
    net.seed(1).build()
}

/// A network at random parameters, those of statistics among them, and where these are.
fn random(activation: &Activation, kind: usize) -> Result<(Sequential<f64>, Vec<bool>)> {
    let mut net = net::<f64>(activation, kind)?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(100 + kind as u64);
    let mut constant = Vec::new();
    for layer in 0..net.layers().len() {
        for block in net.blocks(layer) {
            constant.extend((0..block.len()).map(|_| block.role == Role::Statistic));
        }
    }
    for p in net.params_mut() {
        *p += 0.8 * (rng.random::<f64>() - 0.5);
    }
    Ok((net, constant))
}

fn batch(rows: usize, samples: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    DMatrix::from_fn(rows, samples, |_, _| 4.0 * rng.random::<f64>() - 2.0)
}

/// The derivatives of all outputs along one direction of the inputs and the parameters.
fn along(
    activation: &Activation,
    kind: usize,
    at: &Sequential<f64>,
    x: &DMatrix<f64>,
    dx: &DMatrix<f64>,
    v: &[f64],
) -> DMatrix<f64> {
    let mut dual = net::<Dual64>(activation, kind).unwrap();
    let params: Vec<_> = at
        .params()
        .iter()
        .zip(v)
        .map(|(p, v)| Dual64::new(*p, *v))
        .collect();
    dual.set_params(&params).unwrap();
    dual.predict(&x.zip_map(dx, Dual64::new))
        .unwrap()
        .map(|y| y.eps)
}

/// Equal up to 1e-12 of the largest number.
fn close(got: &[f64], want: &[f64], what: impl FnOnce() -> String) {
    assert_eq!(got.len(), want.len());
    let size = want.iter().fold(0.0_f64, |max, w| max.max(w.abs()));
    let apart = |(g, w): (&f64, &f64)| (g - w).abs() > 1e-12 * size || (g - w).is_nan();
    if let Some(i) = got.iter().zip(want).position(apart) {
        panic!(
            "{}: {} in place of {} at {i}, of at most {size}",
            what(),
            got[i],
            want[i]
        );
    }
}

#[test]
fn jacobians_by_inputs_and_parameters() -> Result<()> {
    for activation in activations() {
        let mut size = 0.0;
        for kind in 0..KINDS {
            let (net, constant) = random(&activation, kind)?;
            let x = batch(3, 4, 7);
            let (j, by_params) = (net.jacobian(&x)?, net.params_jacobian(&x)?);
            assert_eq!(
                (j.shape(), by_params.shape()),
                ((2, 12), (8, net.params().len()))
            );
            let none = vec![0.0; net.params().len()];
            let mut want = DMatrix::zeros(2, 12);
            for input in 0..3 {
                let dx = DMatrix::from_fn(3, 4, |i, _| if i == input { 1.0 } else { 0.0 });
                let column = along(&activation, kind, &net, &x, &dx, &none);
                (0..4)
                    .for_each(|sample| want.set_column(3 * sample + input, &column.column(sample)));
            }
            close(j.as_slice(), want.as_slice(), || {
                format!("{activation} {kind}, inputs")
            });
            let mut want = DMatrix::zeros(8, net.params().len());
            for parameter in 0..net.params().len() {
                let mut v = none.clone();
                // Statistics are constants.
                v[parameter] = if constant[parameter] { 0.0 } else { 1.0 };
                let column = along(&activation, kind, &net, &x, &DMatrix::zeros(3, 4), &v);
                want.column_mut(parameter)
                    .copy_from_slice(column.as_slice());
            }
            close(by_params.as_slice(), want.as_slice(), || {
                format!("{activation} {kind}, parameters")
            });
            size += j.norm();
        }
        assert_eq!(
            size > 0.0,
            activation.is_trainable(),
            "{activation}: derivatives of zeros show nothing"
        );
    }
    Ok(())
}

/// What the passes that have a cache compute is what `predict` computes, to the bit, and NaN stays
/// in its sample.
#[test]
fn of_what_is_predicted() -> Result<()> {
    for activation in activations() {
        for kind in 0..KINDS {
            let (net, _) = random(&activation, kind)?;
            let mut x = batch(3, 4, 8);
            let mut y = DMatrix::zeros(2, 4);
            let mut tape = Tape::with_seed(3);
            net.input_gradient_with(&x, &mut DMatrix::zeros(3, 4), &mut tape, |outputs, _| {
                y.copy_from_slice(outputs.as_slice());
                Ok(())
            })?;
            assert_eq!(y, net.predict(&x)?, "{activation} {kind}");
            assert_eq!(tape.step(), 0, "no pass of training");

            let before = net.jacobian(&x)?;
            x[(1, 2)] = f64::NAN;
            let after = net.jacobian(&x)?;
            assert_eq!(
                (before.columns(0, 6), before.columns(9, 3)),
                (after.columns(0, 6), after.columns(9, 3)),
                "{activation} {kind}"
            );
            if activation != Activation::Linear {
                assert!(
                    after.columns(6, 3).iter().all(|d| d.is_nan()),
                    "{activation} {kind}: {after}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_batch_is_its_samples() -> Result<()> {
    // Wide enough that products of one column go another way than those of several, with one output
    // and with more; and more outputs and parameters than one backward pass takes.
    for (inputs, hidden, outputs, samples) in [
        (40, 50, 1, 5),
        (40, 50, 3, 5),
        (3, 20, 1, 1025),
        (2, 3, 700, 2),
        (1500, 900, 2, 3),
    ] {
        let net = Sequential::<f64>::builder(inputs)
            .layer(Dense::new(hidden, Activation::Tanh))
            .layer(LayerNorm::new())
            .layer(Dense::new(outputs, Activation::Sigmoid))
            .seed(2)
            .build()?;
        let x = batch(inputs, samples, 9);
        let j = net.jacobian(&x)?;
        let mut dx = DMatrix::zeros(inputs, samples);
        net.input_gradient(
            &x,
            &DMatrix::zeros(outputs, samples),
            &SumSquaredError,
            &mut dx,
            &mut Tape::new(),
        )?;
        let by_params = if net.params().len() * outputs * samples < 10_000_000 {
            Some(net.params_jacobian(&x)?)
        } else {
            None
        };
        for sample in (0..samples).step_by(samples.div_ceil(5)) {
            let one = x.columns(sample, 1).into_owned();
            assert_eq!(
                net.jacobian(&one)?,
                j.columns(sample * inputs, inputs),
                "sample {sample} of {samples}, {outputs} outputs"
            );
            if let Some(by_params) = &by_params {
                assert_eq!(
                    net.params_jacobian(&one)?,
                    by_params.rows(sample * outputs, outputs),
                    "sample {sample} of {samples}"
                );
            }
            let mut own = DVector::zeros(inputs);
            net.input_gradient(
                &one,
                &DVector::zeros(outputs),
                &SumSquaredError,
                &mut own,
                &mut Tape::new(),
            )?;
            assert_eq!(own, dx.column(sample), "sample {sample} of {samples}");
            // One output's gradient by the parameters is that of training.
            let mut tape = Tape::new();
            net.gradient_with(&one, &mut tape, |_, mut dy| {
                dy.as_mut_slice()[outputs - 1] = 1.0;
                Ok(())
            })?;
            if let Some(by_params) = &by_params {
                let row = by_params.row(sample * outputs + outputs - 1);
                close(row.transpose().as_slice(), tape.grads(), || {
                    format!("sample {sample} of {samples}, {outputs} outputs")
                });
            }
        }
    }
    Ok(())
}

#[test]
fn statically_sized() -> Result<()> {
    let (net, _) = random(&Activation::Gelu, 0)?;
    let x = SVector::<f64, 3>::new(0.1, -0.4, 0.9);
    let (mut j, mut tape) = (SMatrix::<f64, 2, 3>::zeros(), Tape::new());
    net.jacobian_into(&x, &mut j, &mut tape)?;
    assert_eq!(net.jacobian(&x)?, j);
    let (t, mut dx) = (SVector::<f64, 2>::new(1.0, 0.0), SVector::<f64, 3>::zeros());
    net.input_gradient(&x, &t, &QuadraticCost, &mut dx, &mut tape)?;
    let want = j.transpose() * (net.predict(&x)? - t);
    close(dx.as_slice(), want.as_slice(), || "Jᵀ(y − t)".into());
    Ok(())
}

/// Every loss in any numbers.
fn losses<T: Real>() -> Vec<Box<dyn Loss<T>>> {
    macro_rules! all {
        ($($file:ident::$loss:ident { $($made:expr),+ })+) => {
            vec![$($(Box::new($made) as Box<dyn Loss<T>>,)+)+]
        };
    }
    let mut losses = chainrule::every_loss!(all);
    losses.push(Box::new(
        SoftmaxCrossEntropy::new()
            .label_smoothing(0.1)
            .class_weights(&[2.0, 0.5]),
    ));
    losses.push(Box::new(
        SigmoidCrossEntropy::new()
            .label_smoothing(0.1)
            .positive_weights(&[2.0, 0.5]),
    ));
    losses
}

/// The loss, and the kind of network whose outputs it takes.
fn loss<T: Real>(index: usize) -> (Box<dyn Loss<T>>, usize) {
    let loss = losses().swap_remove(index);
    let ranges = [(OutputRange::Real, 0), (OutputRange::Simplex, 1)];
    let kind = ranges.into_iter().find(|(range, _)| loss.accepts(*range));
    (loss, kind.map_or(KINDS - 1, |(_, kind)| kind))
}

fn loss_of_name(name: &str) -> usize {
    let found = losses::<f64>().iter().position(|loss| loss.name() == name);
    found.expect("a loss of this name")
}

/// Targets that the loss takes, and what each sample weighs.
fn targets(index: usize) -> (DMatrix<f64>, [f64; 4]) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let (loss, _) = loss::<f64>(index);
    let rows = loss.targets(2);
    let mut values = DMatrix::from_fn(rows, 4, |_, _| 0.1 + 0.8 * rng.random::<f64>());
    if loss.check_targets((&values).into()).is_err() {
        values = DMatrix::from_fn(rows, 4, |i, j| [1.0, -1.0][(i + j) % 2]);
    }
    (values, [1.0, 0.5, 2.0, 0.0])
}

fn direction(len: usize, seed: u64) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..len).map(|_| 2.0 * rng.random::<f64>() - 1.0).collect()
}

/// Every network with every activation, and every loss with one of them.
fn cases() -> Vec<(Activation, usize, usize)> {
    let (quadratic, probable) = (
        loss_of_name("QuadraticCost"),
        loss_of_name("CategoricalCrossEntropy"),
    );
    let loss_for = move |kind| if kind == 1 { probable } else { quadratic };
    let each = activations()
        .into_iter()
        .flat_map(|a| (0..KINDS).map(move |kind| (a.clone(), kind, loss_for(kind))));
    let losses =
        (0..losses::<f64>().len()).map(|index| (Activation::Tanh, loss::<f64>(index).1, index));
    each.chain(losses).collect()
}

/// H·v and the gradient by the inputs against hyper-dual numbers and dual ones, of the cost alone:
/// no pass back is in them.
#[test]
fn hessians_times_vectors() -> Result<()> {
    let mut straight = 0;
    for (activation, kind, index) in cases() {
        let (at, constant) = random(&activation, kind)?;
        let (x, (t, weights), v) = (
            batch(3, 4, 12),
            targets(index),
            direction(at.params().len(), 13),
        );
        let targets = Targets::weighted(&t, &weights)?;
        let mut tape = Tape::with_seed(1);
        let mut product = vec![f64::NAN; v.len()];
        let mut dx = DMatrix::zeros(3, 4);
        at.hessian_product(&x, targets, &*loss(index).0, &v, &mut product, &mut tape)?;
        let cost = at.input_gradient(&x, targets, &*loss(index).0, &mut dx, &mut tape)?;
        assert_eq!(cost, at.cost(&x, targets, &*loss(index).0, &mut tape)?);
        assert_eq!(tape.step(), 0, "no pass of training");

        let dual = net::<HyperDual64>(&activation, kind)?;
        let (dual_loss, mut dual_tape) = (loss::<HyperDual64>(index).0, Tape::new());
        let (dual_t, dual_weights) = (
            t.map(HyperDual64::from_re),
            weights.map(HyperDual64::from_re),
        );
        let dual_targets = Targets::weighted(&dual_t, &dual_weights)?;
        let mut cost = |parameter: Option<usize>, input: Option<usize>| {
            let params = at.params().iter().zip(&v).zip(&constant).enumerate().map(
                |(i, ((p, v), constant))| {
                    let free = if *constant { 0.0 } else { 1.0 };
                    HyperDual64::new(
                        *p,
                        if parameter == Some(i) { free } else { 0.0 },
                        *v * free,
                        0.0,
                    )
                },
            );
            let mut dual_x = x.map(HyperDual64::from_re);
            if let Some(input) = input {
                dual_x[input].eps1 = 1.0;
            }
            dual.at(&params.collect::<Vec<_>>())?.cost(
                &dual_x,
                dual_targets,
                &*dual_loss,
                &mut dual_tape,
            )
        };
        let want = (0..v.len())
            .map(|i| Ok(cost(Some(i), None)?.eps1eps2))
            .collect::<Result<Vec<_>>>()?;
        let by_input = (0..12)
            .map(|i| Ok(cost(None, Some(i))?.eps1))
            .collect::<Result<Vec<_>>>()?;
        let what = || format!("{activation} {kind} {}", loss::<f64>(index).0.name());
        close(&product, &want, what);
        close(dx.as_slice(), &by_input, what);
        // A product that is 0 says nothing: so are those of straight lines.
        if want.iter().all(|h| *h == 0.0) {
            let loss_of_lines =
                ["MeanAbsoluteError", "Hinge"].contains(&loss::<f64>(index).0.name());
            let of_lines = (-40..40).all(|i| {
                let z = 0.1 * f64::from(i) + 0.05;
                activation.derivative::<f64>(z) == activation.derivative(z + 1e-6)
            });
            assert!(loss_of_lines || of_lines, "{}", what());
            straight += 1;
        }
    }
    assert!(straight > 2, "{straight}");
    Ok(())
}

/// Jᵀ·H_L·J·v and J·v, from the Jacobian and from dual numbers for the loss.
#[test]
fn gauss_newton_times_vectors() -> Result<()> {
    for (activation, kind, index) in cases() {
        let (at, _) = random(&activation, kind)?;
        let (x, (t, weights), v) = (
            batch(3, 4, 14),
            targets(index),
            direction(at.params().len(), 15),
        );
        let (mut tape, mut product, mut y_dot) =
            (Tape::new(), vec![f64::NAN; v.len()], DMatrix::zeros(2, 4));
        at.gauss_newton_product(
            &x,
            Targets::weighted(&t, &weights)?,
            &*loss(index).0,
            &v,
            &mut product,
            &mut tape,
        )?;
        at.params_jacobian_product(&x, &v, &mut y_dot, &mut tape)?;

        let j = at.params_jacobian(&x)?;
        let along = &j * DVector::from_vec(v);
        let what = || format!("{activation} {kind} {}", loss::<f64>(index).0.name());
        close(y_dot.as_slice(), along.as_slice(), what);
        let y = at.predict(&x)?;
        let y = DMatrix::from_fn(2, 4, |i, s| Dual64::new(y[(i, s)], along[2 * s + i]));
        let (t, weights) = (t.map(Dual64::from_re), weights.map(Dual64::from_re));
        let bent = loss::<Dual64>(index)
            .0
            .gradient((&y).into(), Targets::weighted(&t, &weights)?)?
            .map(|d| d.eps);
        close(
            &product,
            (j.transpose() * DVector::from_column_slice(bent.as_slice())).as_slice(),
            what,
        );
    }
    Ok(())
}

#[test]
fn the_hessian_is_symmetric() -> Result<()> {
    for (activation, kind, index) in cases() {
        let (at, _) = random(&activation, kind)?;
        let (x, (t, _), len) = (batch(3, 4, 16), targets(index), at.params().len());
        let mut tape = Tape::new();
        let mut product = |v: &DVector<f64>| -> Result<DVector<f64>> {
            let mut out = DVector::zeros(len);
            at.hessian_product(
                &x,
                &t,
                &*loss(index).0,
                v.as_slice(),
                out.as_mut_slice(),
                &mut tape,
            )?;
            Ok(out)
        };
        let (u, v) = (
            DVector::from_vec(direction(len, 17)),
            DVector::from_vec(direction(len, 18)),
        );
        let (hu, hv) = (product(&u)?, product(&v)?);
        assert!(
            (v.dot(&hu) - u.dot(&hv)).abs() <= 1e-12 * hu.norm() * v.norm(),
            "{activation} {kind} {index}"
        );
    }
    Ok(())
}

/// Of a network that is linear in its parameters, with squared errors, H is the Gauss–Newton matrix
/// and is XXᵀ.
#[test]
fn of_a_linear_network() -> Result<()> {
    let net = Sequential::<f64>::builder(3)
        .layer(Dense::new(2, Activation::Linear).without_bias())
        .seed(1)
        .build()?;
    let x = batch(3, 7, 19);
    let t = batch(2, 7, 20);
    let v = direction(6, 21);
    let mut h = [0.0; 6];
    let mut gn = [0.0; 6];
    let mut tape = Tape::new();
    net.hessian_product(&x, &t, &SumSquaredError, &v, &mut h, &mut tape)?;
    net.gauss_newton_product(&x, &t, &SumSquaredError, &v, &mut gn, &mut tape)?;
    assert_eq!(h, gn);
    close(
        &h,
        (DMatrix::from_column_slice(2, 3, &v) * &x * x.transpose()).as_slice(),
        || "V·XXᵀ".into(),
    );
    Ok(())
}

/// A batch's product is the sum of its samples'; and that of f32 is that of f64, rounded.
#[test]
fn products_of_batches_and_in_single_precision() -> Result<()> {
    for kind in 0..KINDS {
        let probable = loss_of_name("KlDivergence");
        let index = if kind == 1 {
            probable
        } else {
            loss_of_name("SumSquaredError")
        };
        let (at, _) = random(&Activation::Gelu, kind)?;
        let (x, (t, _), v) = (
            batch(3, 4, 22),
            targets(index),
            direction(at.params().len(), 23),
        );
        let mut tape = Tape::new();
        let mut all = vec![0.0; v.len()];
        let mut sum = vec![0.0; v.len()];
        at.hessian_product(&x, &t, &*loss(index).0, &v, &mut all, &mut tape)?;
        let share = if index == probable { 0.25 } else { 1.0 };
        for sample in 0..4 {
            let (x, t) = (
                x.columns(sample, 1).into_owned(),
                t.columns(sample, 1).into_owned(),
            );
            let mut one = vec![0.0; v.len()];
            at.hessian_product(&x, &t, &*loss(index).0, &v, &mut one, &mut tape)?;
            sum.iter_mut()
                .zip(&one)
                .for_each(|(sum, one)| *sum += share * one);
        }
        close(&all, &sum, || format!("{kind}"));

        let mut single = net::<f32>(&Activation::Gelu, kind)?;
        single.set_params(&at.params().iter().map(|p| *p as f32).collect::<Vec<_>>())?;
        let x = x.map(|x| x as f32);
        let t = t.map(|t| t as f32);
        let v = v.iter().map(|v| *v as f32).collect::<Vec<_>>();
        let mut product = vec![0.0; v.len()];
        single.hessian_product(&x, &t, &*loss(index).0, &v, &mut product, &mut Tape::new())?;
        let size = all.iter().fold(0.0_f64, |max, h| max.max(h.abs()));
        assert!(
            product
                .iter()
                .zip(&all)
                .all(|(s, h)| (f64::from(*s) - h).abs() <= 1e-4 * size),
            "{kind}"
        );
    }
    Ok(())
}

/// y = g ⊙ x: a layer as another crate writes it, without passes along tangents.
#[derive(Debug)]
struct Gain;

impl<T: Real> Layer<T> for Gain {
    fn name(&self) -> String {
        "Gain".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }
    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![Block::new("gain", Role::Weight, inputs, 1)]
    }
    fn infer(&self, mut p: InferArgs<'_, T>) {
        for (i, y) in p.y.as_mut_slice().iter_mut().enumerate() {
            *y = p.params[i % p.x.rows()] * p.x.as_slice()[i];
        }
    }
    fn backward(&self, p: BackwardArgs<'_, T>) {
        let Some(mut dx) = p.dx else { return };
        for (i, dx) in dx.as_mut_slice().iter_mut().enumerate() {
            *dx = p.params[i % p.x.rows()] * p.delta.as_view().as_slice()[i];
        }
    }
    fn gradient(&self, p: GradientArgs<'_, T>) {
        p.grads.fill(T::zero());
        for (i, (d, x)) in p.delta.as_slice().iter().zip(p.x.as_slice()).enumerate() {
            p.grads[i % p.x.rows()] += *d * *x;
        }
    }
}

/// |y − t|³, as another crate writes a loss.
#[derive(Debug)]
struct Cubic;

impl Loss<f64> for Cubic {
    fn name(&self) -> &str {
        "Cubic"
    }
    fn costs(&self, p: chainrule::nn::loss::CostsArgs<'_, f64>) {
        for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
            *cost = y.iter().zip(t).map(|(y, t)| (y - t).abs().powi(3)).sum();
        }
    }
    fn slopes(&self, mut p: chainrule::nn::loss::SlopesArgs<'_, f64>) {
        for ((dy, y), t) in
            p.dy.as_mut_slice()
                .iter_mut()
                .zip(p.y.as_slice())
                .zip(p.target.as_slice())
        {
            *dy = 3.0 * (y - t) * (y - t).abs();
        }
    }
}

#[test]
fn layers_of_other_crates() -> Result<()> {
    fn net<T: Real>() -> Result<Sequential<T>> {
        let net = Sequential::<T>::builder(3)
            .layer(Dense::new(3, Activation::Tanh))
            .layer(Gain)
            .layer(Dense::new(2, Activation::Linear));
        let mut net = net.seed(1).build()?;
        net.weights_mut(1)?
            .copy_from_slice(&[0.5, -1.5, 2.0].map(T::of));
        Ok(net)
    }
    let (at, x) = (net::<f64>()?, batch(3, 2, 24));
    let j = at.jacobian(&x)?;
    for input in 0..3 {
        let dual_x = DMatrix::from_fn(3, 2, |i, s| {
            Dual64::new(x[(i, s)], if i == input { 1.0 } else { 0.0 })
        });
        let want = net::<Dual64>()?.predict(&dual_x)?.map(|y| y.eps);
        for sample in 0..2 {
            close(
                j.column(3 * sample + input).as_slice(),
                want.column(sample).as_slice(),
                || format!("input {input} of {sample}"),
            );
        }
    }
    assert_eq!(at.params_jacobian(&x)?.shape(), (4, at.params().len()));

    // What it has not, is refused by name, before anything has changed.
    let t = DMatrix::zeros(2, 2);
    let v = vec![1.0; at.params().len()];
    let mut out = vec![7.0; at.params().len()];
    let mut tape = Tape::new();
    let errors = [
        at.hessian_product(&x, &t, &QuadraticCost, &v, &mut out, &mut tape)
            .unwrap_err(),
        at.gauss_newton_product(&x, &t, &QuadraticCost, &v, &mut out, &mut tape)
            .unwrap_err(),
        at.params_jacobian_product(&x, &v, &mut DMatrix::zeros(2, 2), &mut tape)
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert_eq!(
            error.to_string(),
            "layer 1 (Gain): got Gain, expected a layer with Layer::tangent"
        );
    }
    assert!(out.iter().all(|h| *h == 7.0));
    Ok(())
}

#[test]
fn refusals() -> Result<()> {
    let (at, _) = random(&Activation::Tanh, 0)?;
    let x = batch(3, 2, 25);
    let t = batch(2, 2, 26);
    let len = at.params().len();
    let v = vec![1.0; len];
    let mut out = vec![7.0; len];
    let mut tape = Tape::new();
    let text = |result: Result<()>| result.unwrap_err().to_string();

    assert_eq!(
        text(at.jacobian(&batch(2, 1, 1)).map(|_| ())),
        "inputs x: got 2 × 1, expected 3 rows (features)"
    );
    let none = DMatrix::<f64>::zeros(3, 0);
    for result in [
        at.jacobian(&none).map(|_| ()),
        at.params_jacobian(&none).map(|_| ()),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Empty);
    }
    let mut j = DMatrix::from_element(2, 3, 7.0);
    assert_eq!(
        text(at.jacobian_into(&x, &mut j, &mut tape)),
        "Jacobian j: got 2 × 3, expected 2 × 6"
    );
    assert_eq!(
        text(at.params_jacobian_into(&x, &mut j, &mut tape)),
        format!("Jacobian j: got 2 × 3, expected 4 × {len}")
    );
    let mut dx = DMatrix::from_element(3, 1, 7.0);
    assert_eq!(
        text(
            at.input_gradient(&x, &t, &QuadraticCost, &mut dx, &mut tape)
                .map(|_| ())
        ),
        "gradient dx: got 3 × 1, expected 3 × 2"
    );
    let untouched =
        |_: View<'_, f64>, _: ViewMut<'_, f64>| -> Result<()> { panic!("not to be called") };
    assert_eq!(
        text(at.input_gradient_with(&x, &mut dx, &mut tape, untouched)),
        "gradient dx: got 3 × 1, expected 3 × 2"
    );
    let mut right = DMatrix::from_element(3, 2, 7.0);
    let own = Error::new(ErrorKind::Value, "slopes", "something", "else");
    let result: Result<()> =
        at.input_gradient_with(&x, &mut right, &mut tape, |_, _| Err(own.clone()));
    assert_eq!(
        (result, right),
        (Err(own), DMatrix::from_element(3, 2, 7.0))
    );
    assert_eq!(
        at.input_gradient(&x, &t, &CategoricalCrossEntropy, &mut dx, &mut tape)
            .unwrap_err()
            .kind(),
        ErrorKind::Incompatible
    );
    assert_eq!(
        text(at.hessian_product(&x, &t, &QuadraticCost, &v[1..], &mut out, &mut tape)),
        format!(
            "vector v: got {}, expected {len} numbers, one per parameter",
            len - 1
        )
    );
    assert_eq!(
        text(at.gauss_newton_product(&x, &t, &QuadraticCost, &v, &mut out[1..], &mut tape)),
        format!(
            "product out: got {}, expected {len} numbers, one per parameter",
            len - 1
        )
    );
    let wrong = at.hessian_product(&x, &batch(2, 3, 1), &QuadraticCost, &v, &mut out, &mut tape);
    assert_eq!(text(wrong), "targets: got 2 × 3, expected 2 × 2");
    for result in [
        at.hessian_product(&x, &t, &Cubic, &v, &mut out, &mut tape),
        at.gauss_newton_product(&x, &t, &Cubic, &v, &mut out, &mut tape),
    ] {
        assert_eq!(
            text(result),
            "Cubic: got none, expected a loss with Loss::curvatures"
        );
    }
    let surrogate = Activation::Step.surrogate(Activation::Sigmoid);
    for net in [
        Sequential::<f64>::builder(3).layer(Dense::new(2, surrogate.clone())),
        Sequential::builder(3)
            .layer(Dense::new(2, Activation::Linear))
            .layer(surrogate),
    ] {
        let net = net.seed(1).build()?;
        let error = net
            .hessian_product(&x, &t, &QuadraticCost, &[1.0; 8], &mut out[..8], &mut tape)
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.given()),
            (ErrorKind::Incompatible, "step surrogate sigmoid")
        );
        // Its Jacobian is that of the derivative that stands in.
        assert!(net.jacobian(&x)?.norm() > 0.0);
    }
    assert!(
        out.iter().all(|h| *h == 7.0) && j.iter().chain(&dx).all(|d| *d == 7.0),
        "nothing has changed"
    );
    // After an error, and after passes of other sizes, a tape is as good as new.
    let mut j = DMatrix::zeros(2, 6);
    at.jacobian_into(&x, &mut j, &mut tape)?;
    assert_eq!(j, at.jacobian(&x)?);
    assert!(
        tape.a(0).is_err() && tape.grads().is_empty(),
        "copies of samples are nobody's"
    );
    Ok(())
}

/// Without parameters there is nothing to differentiate by, and that is no error.
#[test]
fn networks_without_parameters() -> Result<()> {
    let net = Sequential::<f64>::builder(2)
        .layer(Softmax)
        .seed(1)
        .build()?;
    let (x, t) = (batch(2, 3, 27), DMatrix::from_element(2, 3, 0.5));
    assert_eq!(net.params_jacobian(&x)?.shape(), (6, 0));
    net.hessian_product(
        &x,
        &t,
        &CategoricalCrossEntropy,
        &[],
        &mut [],
        &mut Tape::new(),
    )?;
    net.gauss_newton_product(
        &x,
        &t,
        &CategoricalCrossEntropy,
        &[],
        &mut [],
        &mut Tape::new(),
    )?;
    assert_eq!(net.jacobian(&x)?.shape(), (2, 6));
    Ok(())
}

/// Every layer in any numbers, behind a dense one where it can be.
fn every_layer<T: Real>() -> Result<Vec<Sequential<T>>> {
    let dense = || Dense::new(4, Activation::Tanh);
    // A layer that takes indices takes the network's own.
    macro_rules! nets {
        ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
            vec![$($({
                let builder = Sequential::builder(3);
                let first = Layer::<T>::checks_inputs(&$made);
                let builder = if first { builder } else { builder.layer(dense()) };
                builder.layer($made).layer(Dense::new(2, Activation::Linear))
            },)+)+]
        };
    }
    let nets = chainrule::every_layer!(nets).into_iter();
    nets.map(|builder| builder.seed(3).build()).collect()
}

/// uᵀHv and J·v of every layer, against dual numbers that go through the forward pass alone.
#[test]
fn curvatures_of_every_layer() -> Result<()> {
    let nets = every_layer::<f64>()?.into_iter();
    for (net, mut dual) in nets.zip(every_layer::<HyperDual64>()?) {
        let (mut x, t) = (batch(3, 5, 41), batch(2, 5, 42));
        if net.layers()[0].checks_inputs() {
            x.apply(|x| *x = if *x < 0.0 { 0.0 } else { 2.0 });
        }
        let mut constant = Vec::new();
        for block in (0..3).flat_map(|layer| net.blocks(layer)) {
            constant.extend((0..block.len()).map(|_| block.role == Role::Statistic));
        }
        let free = |seed| -> Vec<f64> {
            let v = direction(constant.len(), seed).into_iter().zip(&constant);
            v.map(|(v, constant)| if *constant { 0.0 } else { v })
                .collect()
        };
        for seed in 0..4 {
            let (u, v) = (free(50 + seed), free(60 + seed));
            let mut h = vec![0.0; v.len()];
            let mut tape = Tape::new();
            net.hessian_product(&x, &t, &QuadraticCost, &v, &mut h, &mut tape)?;
            let mut y_dot = DMatrix::zeros(2, 5);
            net.params_jacobian_product(&x, &v, &mut y_dot, &mut tape)?;
            let by_rows = net.params_jacobian(&x)? * DVector::from_column_slice(&v);
            close(by_rows.as_slice(), y_dot.as_slice(), || net.to_string());
            let params: Vec<_> = (0..v.len())
                .map(|i| HyperDual64::new(net.params()[i], u[i], v[i], 0.0))
                .collect();
            dual.set_params(&params)?;
            let y = dual.predict(&x.map(HyperDual64::from_re))?;
            let cost = QuadraticCost.value((&y).into(), (&t.map(HyperDual64::from_re)).into())?;
            let got: f64 = u.iter().zip(&h).map(|(u, h)| u * h).sum();
            let size = u.iter().zip(&h).map(|(u, h)| (u * h).abs()).sum::<f64>();
            assert!(
                (got - cost.eps1eps2).abs() <= 1e-12 * size,
                "{net}: {got}, not {}",
                cost.eps1eps2
            );
            close(y_dot.as_slice(), y.map(|y| y.eps2).as_slice(), || {
                net.to_string()
            });
        }
    }
    Ok(())
}

/// NaN passes on, and huge and tiny arguments give what they should.
#[test]
fn edges() -> Result<()> {
    for activation in activations()
        .into_iter()
        .filter(|a| *a != Activation::Linear)
    {
        let (at, _) = random(&activation, 0)?;
        let mut x = batch(3, 2, 28);
        let t = batch(2, 2, 29);
        let v = direction(at.params().len(), 30);
        x[(0, 1)] = f64::NAN;
        let mut tape = Tape::new();
        let mut h = vec![0.0; v.len()];
        let mut gn = vec![0.0; v.len()];
        at.hessian_product(&x, &t, &QuadraticCost, &v, &mut h, &mut tape)?;
        at.gauss_newton_product(&x, &t, &QuadraticCost, &v, &mut gn, &mut tape)?;
        assert!(
            h.iter().chain(&gn).all(|h| h.is_nan()),
            "{activation}: {h:?} {gn:?}"
        );
        if matches!(activation, Activation::SquaredRelu | Activation::Exp) {
            continue; // The values themselves are infinite.
        }
        x[(0, 1)] = 1e300;
        for huge in [
            at.jacobian(&x)?,
            at.params_jacobian(&x)?.columns(0, 1).into_owned(),
        ] {
            assert!(huge.iter().all(|d| d.is_finite()), "{activation}: {huge}");
        }
    }
    Ok(())
}

/// The same bits on threads.
#[cfg(feature = "parallel")]
#[test]
fn on_threads() -> Result<()> {
    let net = Sequential::<f64>::builder(200)
        .layer(Dense::new(300, Activation::Tanh))
        .layer(LayerNorm::new())
        .layer(Dense::new(3, Activation::Linear))
        .seed(1)
        .build()?;
    let x = batch(200, 101, 31);
    let t = batch(3, 101, 32);
    let v = direction(net.params().len(), 33);
    let pass = |tape: &mut Tape<f64>| -> Result<_> {
        let (mut j, mut dx) = (DMatrix::zeros(3, 200 * 101), DMatrix::zeros(200, 101));
        let mut h = vec![0.0; v.len()];
        let mut gn = vec![0.0; v.len()];
        let mut y_dot = DMatrix::zeros(3, 101);
        net.jacobian_into(&x, &mut j, tape)?;
        net.input_gradient(&x, &t, &QuadraticCost, &mut dx, tape)?;
        net.hessian_product(&x, &t, &QuadraticCost, &v, &mut h, tape)?;
        net.gauss_newton_product(&x, &t, &QuadraticCost, &v, &mut gn, tape)?;
        net.params_jacobian_product(&x, &v, &mut y_dot, tape)?;
        let mut rows = DMatrix::zeros(9, v.len());
        net.params_jacobian_into(View::from(&x).columns(0, 3)?, &mut rows, tape)?;
        Ok((j, dx, h, gn, y_dot, rows))
    };
    assert!(pass(&mut Tape::new())? == pass(&mut Tape::new().threads(2)?)?);
    Ok(())
}
