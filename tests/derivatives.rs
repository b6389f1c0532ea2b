//! Jacobians, gradients and curvature of the inference function, against dual numbers, which know nothing of backward passes.
#![cfg(feature = "num-dual")]

use chainrule::nalgebra::{DMatrix, DVector, SMatrix, SVector};
use chainrule::prelude::*;
use chainrule::rand::RngExt;
use chainrule::{Breakpoints, Real};
use num_dual::Dual64;

/// Every activation that is smooth but for points that random numbers do not hit.
fn activations() -> Vec<Activation> {
    let zigzag = Breakpoints::new(&[(-1.0, 0.5), (0.25, -0.5)]).and_then(|b| b.slopes(-0.3, 0.7)).unwrap();
    vec![
        Activation::Linear,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Elu { alpha: 0.7 },
        Activation::Selu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Softsign,
        Activation::PiecewiseLinear,
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.1 },
        Activation::Relu6,
        Activation::HardSigmoid,
        Activation::HardTanh,
        Activation::HardSwish,
        Activation::Step,
        zigzag.into(),
    ]
}

const KINDS: usize = 5;

/// Networks with 3 inputs and 2 outputs of which all together have every layer, in any numbers.
fn net<T: Real>(activation: &Activation, kind: usize) -> Result<Sequential<T>> {
    let (net, dense) = (Sequential::<T>::builder(3), |outputs| Dense::new(outputs, activation.clone()));
    let net = match kind {
        0 => net.layer(dense(5)).layer(dense(4).without_bias()).layer(Dense::new(2, Activation::Linear)),
        1 => net.layer(Dense::new(5, Activation::Linear)).layer(activation.clone()).layer(LayerNorm::new()).layer(dense(2)).layer(Softmax),
        2 => net.layer(GaussianNoise::new(0.3)).layer(dense(4)).layer(BatchNorm::new()).layer(Dropout::new(0.5)).layer(dense(2)),
        3 => net.layer(RmsNorm::new()).layer(dense(4)).layer(AlphaDropout::new(0.2)).layer(Dense::new(2, Activation::Tanh)),
        _ => net.layer(LayerNorm::new().without_scale()).layer(BatchNorm::new().without_bias()).layer(activation.clone()).layer(dense(2)),
    };
    net.build(&mut Xoshiro256PlusPlus::seed_from_u64(1))
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
fn along(activation: &Activation, kind: usize, at: &Sequential<f64>, x: &DMatrix<f64>, dx: &DMatrix<f64>, v: &[f64]) -> DMatrix<f64> {
    let mut dual = net::<Dual64>(activation, kind).unwrap();
    let params: Vec<_> = at.params().iter().zip(v).map(|(p, v)| Dual64::new(*p, *v)).collect();
    dual.set_params(&params).unwrap();
    dual.predict(&x.zip_map(dx, Dual64::new)).unwrap().map(|y| y.eps)
}

/// Equal up to 1e-12 of the largest number.
fn close(got: &[f64], want: &[f64], what: impl FnOnce() -> String) {
    assert_eq!(got.len(), want.len());
    let size = want.iter().fold(0.0_f64, |max, w| max.max(w.abs()));
    if let Some(i) = got.iter().zip(want).position(|(g, w)| !((g - w).abs() <= 1e-12 * size)) {
        panic!("{}: {} in place of {} at {i}, of at most {size}", what(), got[i], want[i]);
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
            assert_eq!((j.shape(), by_params.shape()), ((2, 12), (8, net.params().len())));
            for input in 0..3 {
                let dx = DMatrix::from_fn(3, 4, |i, _| if i == input { 1.0 } else { 0.0 });
                let want = along(&activation, kind, &net, &x, &dx, &vec![0.0; net.params().len()]);
                for sample in 0..4 {
                    let got = j.column(3 * sample + input);
                    close(got.as_slice(), want.column(sample).as_slice(), || format!("{activation} {kind}, input {input} of {sample}"));
                }
            }
            for parameter in 0..net.params().len() {
                let mut v = vec![0.0; net.params().len()];
                // Statistics are constants.
                v[parameter] = if constant[parameter] { 0.0 } else { 1.0 };
                let want = along(&activation, kind, &net, &x, &DMatrix::zeros(3, 4), &v);
                close(by_params.column(parameter).as_slice(), want.as_slice(), || format!("{activation} {kind}, parameter {parameter}"));
            }
            size += j.norm();
        }
        assert_eq!(size > 0.0, activation != Activation::Step, "{activation}: derivatives of zeros show nothing");
    }
    Ok(())
}

/// What the passes that have a cache compute is what `predict` computes, to the bit, and NaN stays in its sample.
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
            assert_eq!((before.columns(0, 6), before.columns(9, 3)), (after.columns(0, 6), after.columns(9, 3)), "{activation} {kind}");
            if activation != Activation::Linear {
                assert!(after.columns(6, 3).iter().all(|d| d.is_nan()), "{activation} {kind}: {after}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_batch_is_its_samples() -> Result<()> {
    // Wide enough that products of one column go another way than those of several, with one output and with more; and more
    // outputs and parameters than one backward pass takes.
    for (inputs, hidden, outputs, samples) in [(40, 50, 1, 5), (40, 50, 3, 5), (3, 20, 1, 1025), (2, 3, 700, 2), (1500, 900, 2, 3)] {
        let net = Sequential::<f64>::builder(inputs)
            .layer(Dense::new(hidden, Activation::Tanh))
            .layer(LayerNorm::new())
            .layer(Dense::new(outputs, Activation::Sigmoid))
            .build(&mut Xoshiro256PlusPlus::seed_from_u64(2))?;
        let x = batch(inputs, samples, 9);
        let j = net.jacobian(&x)?;
        let mut dx = DMatrix::zeros(inputs, samples);
        net.input_gradient(&x, &DMatrix::zeros(outputs, samples), &SumSquaredError, &mut dx, &mut Tape::new())?;
        let by_params = if net.params().len() * outputs * samples < 10_000_000 { Some(net.params_jacobian(&x)?) } else { None };
        for sample in (0..samples).step_by(samples.div_ceil(5)) {
            let one = x.columns(sample, 1).into_owned();
            assert_eq!(net.jacobian(&one)?, j.columns(sample * inputs, inputs), "sample {sample} of {samples}, {outputs} outputs");
            if let Some(by_params) = &by_params {
                assert_eq!(net.params_jacobian(&one)?, by_params.rows(sample * outputs, outputs), "sample {sample} of {samples}");
            }
            let mut own = DVector::zeros(inputs);
            net.input_gradient(&one, &DVector::zeros(outputs), &SumSquaredError, &mut own, &mut Tape::new())?;
            assert_eq!(own, dx.column(sample), "sample {sample} of {samples}");
            // One output's gradient by the parameters is that of training.
            let mut tape = Tape::new();
            net.gradient_with(&one, &mut tape, |_, mut dy| {
                dy.as_mut_slice()[outputs - 1] = 1.0;
                Ok(())
            })?;
            if let Some(by_params) = &by_params {
                let row = by_params.row(sample * outputs + outputs - 1);
                close(row.transpose().as_slice(), tape.grads(), || format!("sample {sample} of {samples}, {outputs} outputs"));
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
