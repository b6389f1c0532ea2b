//! Networks of dual numbers: derivatives of whole networks that owe nothing to the backward pass,
//! and derivatives of it.
#![cfg(feature = "num-dual")]

use chainrule::nalgebra::DMatrix;
use chainrule::nn::loss::{
    CategoricalCrossEntropy, Huber, KlDivergence, LogCosh, Loss, QuadraticCost, SumSquaredError,
};
use chainrule::nn::{
    AlphaDropout, BatchNorm, Breakpoints, GaussianNoise, LayerNorm, Prelu, RmsNorm, Softmax,
};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{Real, View};
use num_dual::{Dual2_64, Dual3_64, Dual32, Dual64, DualSVec64, HyperDual64};

/// Every activation that is smooth but for points that random numbers do not hit; true where it is
/// smooth everywhere.
fn activations() -> Vec<(Activation, bool)> {
    let zigzag = Breakpoints::new(&[(-1.0, 0.5), (0.25, -0.5)])
        .and_then(|b| b.slopes(-0.3, 0.7))
        .unwrap();
    vec![
        (Activation::Linear, true),
        (Activation::Sigmoid, true),
        (Activation::Tanh, true),
        (Activation::Elu { alpha: 1.0 }, false),
        (Activation::Celu { alpha: 0.7 }, false),
        (Activation::Selu, false),
        (Activation::Gelu, true),
        (Activation::GeluTanh, true),
        (Activation::Silu, true),
        (Activation::Mish, true),
        (Activation::Softplus, true),
        (Activation::LogSigmoid, true),
        (Activation::TanhShrink, true),
        (Activation::SquaredRelu, false),
        (Activation::HardShrink { lambda: 0.5 }, false),
        (Activation::SoftShrink { lambda: 0.5 }, false),
        (Activation::Softsign, false),
        (Activation::PiecewiseLinear, false),
        (Activation::Relu, false),
        (Activation::LeakyRelu { slope: 0.1 }, false),
        (Activation::Relu6, false),
        (Activation::HardSigmoid, false),
        (Activation::HardTanh, false),
        (Activation::HardSwish, false),
        (zigzag.into(), false),
    ]
}

/// The network in any numbers: 3-5-4-2 with dropout in the middle, ending on logits or on
/// probabilities.
fn net<T: Real>(activation: &Activation, softmax: bool) -> Result<Sequential<T>> {
    let net = Sequential::<T>::builder(3)
        .layer(Dense::new(5, activation.clone()))
        .layer(Dropout::new(0.25))
        .layer(Dense::new(4, activation.clone()).without_bias())
        .layer(Dense::new(2, Activation::Linear));
    let net = if softmax { net.layer(Softmax) } else { net };
    net.seed(1).build()
}

/// A loss in any numbers, and whether it wants probabilities.
fn loss<T: Real>(index: usize) -> (Box<dyn Loss<T>>, bool) {
    match index {
        0 => (Box::new(QuadraticCost), false),
        1 => (Box::new(SumSquaredError), false),
        2 => (Box::new(MeanSquaredError), false),
        3 => (Box::new(Huber::new(0.5)), false),
        4 => (Box::new(LogCosh), false),
        5 => (
            Box::new(SoftmaxCrossEntropy::new().label_smoothing(0.1)),
            false,
        ),
        6 => (
            Box::new(SigmoidCrossEntropy::new().positive_weights(&[2.0, 0.5])),
            false,
        ),
        7 => (Box::new(CategoricalCrossEntropy), true),
        _ => (Box::new(KlDivergence), true),
    }
}
const LOSSES: usize = 9;

struct Case {
    params: Vec<f64>,
    direction: Vec<f64>,
    x: DMatrix<f64>,
    t: DMatrix<f64>,
}

fn case(activation: &Activation, seed: u64) -> Result<Case> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let params = net::<f64>(activation, false)?
        .params()
        .iter()
        .map(|p| p + rng.random::<f64>() - 0.5)
        .collect::<Vec<_>>();
    Ok(Case {
        direction: params
            .iter()
            .map(|_| 2.0 * rng.random::<f64>() - 1.0)
            .collect(),
        params,
        x: DMatrix::from_fn(3, 4, |_, _| 4.0 * rng.random::<f64>() - 2.0),
        t: DMatrix::from_fn(2, 4, |_, _| 0.1 + 0.8 * rng.random::<f64>()),
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// C and ∇C in f64, in training mode with the masks of one step.
fn gradient(
    activation: &Activation,
    index: usize,
    case: &Case,
    params: &[f64],
) -> Result<(f64, Vec<f64>)> {
    let (loss, softmax) = loss::<f64>(index);
    let mut tape = Tape::with_seed(5);
    let cost = net::<f64>(activation, softmax)?
        .at(params)?
        .gradient(&case.x, &case.t, &*loss, &mut tape)?;
    Ok((cost, tape.grads().to_vec()))
}

/// C(p + εv) = C + ε ∇C·v: the dual part of the cost, which knows nothing of the backward pass,
/// against the f64 gradient. And the gradient computed in dual numbers has the f64 gradient as its
/// real part.
#[test]
fn directional_derivatives() -> Result<()> {
    for (activation, _) in activations() {
        for index in 0..LOSSES {
            let case = case(&activation, 20 + index as u64)?;
            let (cost, grads) = gradient(&activation, index, &case, &case.params)?;
            let (loss, softmax) = loss::<Dual64>(index);
            let mut net = net::<Dual64>(&activation, softmax)?;
            let params: Vec<_> = case
                .params
                .iter()
                .zip(&case.direction)
                .map(|(p, v)| Dual64::new(*p, *v))
                .collect();
            net.set_params(&params)?;
            let (x, t) = (case.x.map(Dual64::from_re), case.t.map(Dual64::from_re));
            let mut tape = Tape::with_seed(5);
            let dual = net.gradient(&x, &t, &*loss, &mut tape)?;
            let want = dot(&grads, &case.direction);
            let size = norm(&grads) * norm(&case.direction);
            assert!(
                size > 0.0,
                "{activation}, {loss:?}: a gradient of zeros shows nothing"
            );
            assert!(
                (dual.re - cost).abs() <= 1e-13 * cost.abs(),
                "{activation}, {loss:?}: cost {} and {cost}",
                dual.re
            );
            assert!(
                (dual.eps - want).abs() <= 1e-12 * size,
                "{activation}, {loss:?}: {} along v, the gradient says {want}",
                dual.eps
            );
            for (dual, g) in tape.grads().iter().zip(&grads) {
                assert!(
                    (dual.re - g).abs() <= 1e-12 * norm(&grads),
                    "{activation}, {loss:?}: {dual} and {g}"
                );
            }
        }
    }
    Ok(())
}

/// ∇C(p + εv) = ∇C + ε Hv: the Hessian times a vector, from one backward pass in dual numbers,
/// against differences of f64 gradients; and vᵀHv against the second derivative along v, of the
/// cost alone.
#[test]
fn hessian_vector_products() -> Result<()> {
    let mut seen = 0;
    for (activation, _) in activations() {
        for index in 0..LOSSES {
            let case = case(&activation, 40 + index as u64)?;
            let (x, t) = (case.x.map(Dual64::from_re), case.t.map(Dual64::from_re));
            let (loss1, softmax) = loss::<Dual64>(index);
            let params: Vec<_> = case
                .params
                .iter()
                .zip(&case.direction)
                .map(|(p, v)| Dual64::new(*p, *v))
                .collect();
            let mut tape = Tape::with_seed(5);
            net::<Dual64>(&activation, softmax)?
                .at(&params)?
                .gradient(&x, &t, &*loss1, &mut tape)?;
            let product: Vec<f64> = tape.grads().iter().map(|g| g.eps).collect();

            // The second derivative along v.
            let (loss2, softmax) = loss::<Dual2_64>(index);
            let params: Vec<_> = case
                .params
                .iter()
                .zip(&case.direction)
                .map(|(p, v)| Dual2_64::new(*p, *v, 0.0))
                .collect();
            let (x, t) = (case.x.map(Dual2_64::from_re), case.t.map(Dual2_64::from_re));
            let cost = net::<Dual2_64>(&activation, softmax)?
                .at(&params)?
                .gradient(&x, &t, &*loss2, &mut Tape::with_seed(5))?;
            let (curvature, along) = (cost.v2, dot(&product, &case.direction));
            let size = norm(&product) * norm(&case.direction);
            assert!(
                (curvature - along).abs() <= 1e-11 * size.max(1e-3),
                "{activation}, {loss2:?}: vᵀHv {curvature} and {along}"
            );

            // Differences of gradients at two steps: the error of the first order in h² is removed,
            // and what remains, a difference of the two, is the measure; a kink within the steps
            // shows as one.
            let differences = |h: f64| -> Result<Vec<f64>> {
                let step = |h: f64| -> Vec<f64> {
                    case.params
                        .iter()
                        .zip(&case.direction)
                        .map(|(p, v)| p + h * v)
                        .collect()
                };
                let (above, below) = (
                    gradient(&activation, index, &case, &step(h))?.1,
                    gradient(&activation, index, &case, &step(-h))?.1,
                );
                Ok(above
                    .iter()
                    .zip(&below)
                    .map(|(a, b)| (a - b) / (2.0 * h))
                    .collect())
            };
            let (coarse, fine) = (differences(2e-4)?, differences(1e-4)?);
            let size = norm(&product).max(1e-2);
            if coarse
                .iter()
                .zip(&fine)
                .any(|(c, f)| (c - f).abs() > 1e-5 * size)
            {
                continue;
            }
            seen += 1;
            for ((c, f), hv) in coarse.iter().zip(&fine).zip(&product) {
                let numeric = (4.0 * f - c) / 3.0;
                assert!(
                    (numeric - hv).abs() <= 1e-8 * size,
                    "{activation}, {loss1:?}: Hv {hv}, differences give {numeric}"
                );
            }
        }
    }
    let all = activations().len() * LOSSES;
    assert!(
        seen as f64 >= 0.95 * all as f64,
        "{seen} of {all} compared with differences; the rest are next to a kink"
    );
    Ok(())
}

/// H is symmetric: uᵀ(Hv) = vᵀ(Hu).
#[test]
fn the_hessian_is_symmetric() -> Result<()> {
    for (activation, _) in activations() {
        let case = case(&activation, 60)?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(61);
        let other: Vec<f64> = case
            .params
            .iter()
            .map(|_| 2.0 * rng.random::<f64>() - 1.0)
            .collect();
        let product = |v: &[f64]| -> Result<Vec<f64>> {
            let params: Vec<_> = case
                .params
                .iter()
                .zip(v)
                .map(|(p, v)| Dual64::new(*p, *v))
                .collect();
            let (x, t) = (case.x.map(Dual64::from_re), case.t.map(Dual64::from_re));
            let mut tape = Tape::with_seed(5);
            net::<Dual64>(&activation, false)?.at(&params)?.gradient(
                &x,
                &t,
                &SoftmaxCrossEntropy::new(),
                &mut tape,
            )?;
            Ok(tape.grads().iter().map(|g| g.eps).collect())
        };
        let (hv, hu) = (product(&case.direction)?, product(&other)?);
        let (a, b) = (dot(&other, &hv), dot(&case.direction, &hu));
        assert!(
            (a - b).abs() <= 1e-12 * norm(&hv) * norm(&other),
            "{activation}: uᵀHv {a}, vᵀHu {b}"
        );
        assert!(norm(&hv) > 0.0, "{activation}");
    }
    Ok(())
}

/// Pointwise: the dual part of φ(z + ε) is φ′(z), that of φ′(z + ε) is φ″(z), also where the
/// formulas change branch. At 0 are many networks: with biases of 0 and an input of 0, or with all
/// weights 0.
#[test]
fn activations_at_every_branch() {
    // In a network of several layers it would soon be infinite.
    let alone = [(Activation::Exp, true)];
    for (activation, smooth) in activations().into_iter().chain(alone) {
        for z in [
            0.0_f64, -0.0, 1e-300, -1e-300, 1e-9, -1e-9, 0.3, -0.3, 0.9, -0.9, 1.7, -1.7, 2.9,
            -2.9, 4.5, -4.5, 12.0, -12.0, 50.0, -50.0,
        ] {
            if z.abs() < 1e-8 && !smooth {
                continue; // 0 is a kink of φ, or of φ′.
            }
            let first: f64 = activation.derivative(z);
            let value = activation.value(Dual64::new(z, 1.0));
            let plain: f64 = activation.value(z);
            assert!(
                (value.re - plain).abs() <= 1e-13 * plain.abs(),
                "{activation} at {z:e}: {} and {plain}",
                value.re
            );
            assert!(
                (value.eps - first).abs() <= 1e-12 * first.abs().max(1e-2),
                "{activation}′ at {z:e}: {} and {first}",
                value.eps
            );
            // Two ways to φ″: twice from φ, once from φ′.
            let (twice, once) = (
                activation.value(Dual2_64::new(z, 1.0, 0.0)).v2,
                activation.derivative(Dual64::new(z, 1.0)).eps,
            );
            assert!(
                (twice - once).abs() <= 1e-11 * once.abs().max(1e-2),
                "{activation}″ at {z:e}: {twice} from φ, {once} from φ′"
            );
            let h = 1e-5;
            let numeric =
                (activation.derivative(z + h) - activation.derivative::<f64>(z - h)) / (2.0 * h);
            assert!(
                (once - numeric).abs() <= (1e-9 * once.abs()).max(1e-8),
                "{activation}″ at {z:e}: {once}, differences give {numeric}"
            );
        }
    }
}

/// A step's derivative is 0 in dual numbers too: a surrogate is for the backward pass alone.
#[test]
fn surrogates_are_for_the_backward_pass() {
    for activation in [
        Activation::Step,
        Activation::Sign,
        Activation::Step.straight_through(),
    ] {
        assert_eq!(
            activation.value(Dual64::new(0.7, 1.0)).eps,
            0.0,
            "{activation}"
        );
    }
    let derivative = Activation::Step
        .surrogate(Activation::Sigmoid)
        .derivative(Dual64::new(0.7, 1.0));
    let s = 1.0 / (1.0 + f64::exp(-0.7));
    assert!((derivative.re - s * (1.0 - s)).abs() < 1e-15);
    assert!((derivative.eps - s * (1.0 - s) * (1.0 - 2.0 * s)).abs() < 1e-15);
}

/// Losses at the points where their formulas change branch: the dual part of the cost is the slope.
#[test]
fn losses_at_every_branch() -> Result<()> {
    for index in 0..7 {
        for y in [0.0_f64, -0.0, 0.3, -0.3, 0.99, 1.0, 1.01, -1.0, 20.0, -20.0] {
            let (dual, plain) = (loss::<Dual64>(index).0, loss::<f64>(index).0);
            for t in [0.0, 0.25, 1.0] {
                // Huber's bend at ½ is smooth once; nothing to avoid.
                let (ys, ts) = ([y, 0.5], [t, 1.0 - t]);
                let slope = plain.gradient(View::new(&ys, 2)?, View::new(&ts, 2)?.into())?;
                let outputs = [Dual64::new(ys[0], 1.0), Dual64::from_re(ys[1])];
                let cost = dual.value(
                    View::new(&outputs, 2)?,
                    View::new(&ts.map(Dual64::from_re), 2)?.into(),
                )?;
                let value = plain.value(View::new(&ys, 2)?, View::new(&ts, 2)?.into())?;
                assert!(
                    (cost.re - value).abs() <= 1e-14 * value,
                    "{plain:?} of {y} for {t}"
                );
                assert!(
                    (cost.eps - slope[0]).abs() <= 1e-14,
                    "{plain:?} of {y} for {t}: {}, the slope is {}",
                    cost.eps,
                    slope[0]
                );
            }
        }
    }
    Ok(())
}

/// The dual part of the cost and the gradient agree through every normalizing layer and every kind
/// of noise, too; and so do two ways to the curvature.
#[test]
fn norms_and_noise() -> Result<()> {
    fn net<T: Real>(kind: usize) -> Result<Sequential<T>> {
        let net = Sequential::<T>::builder(3)
            .layer(GaussianNoise::new(0.1))
            .layer(Dense::new(5, Activation::Tanh));
        let net = match kind {
            0 => net.layer(LayerNorm::new()),
            1 => net.layer(RmsNorm::new()).layer(Prelu::new()),
            _ => net.layer(BatchNorm::new()),
        };
        net.layer(AlphaDropout::new(0.2))
            .layer(Dense::new(2, Activation::Linear))
            .seed(1)
            .build()
    }
    for kind in 0..3 {
        let plain = net::<f64>(kind)?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(90 + kind as u64);
        // Statistics have no part in training, and what stands for their gradient none in the
        // derivative.
        let statistics = if kind == 2 { 30..40 } else { 0..0 };
        let mut direction: Vec<f64> = plain
            .params()
            .iter()
            .map(|_| 2.0 * rng.random::<f64>() - 1.0)
            .collect();
        direction[statistics].fill(0.0);
        let x = DMatrix::from_fn(3, 4, |_, _| 4.0 * rng.random::<f64>() - 2.0);
        let t = DMatrix::from_fn(2, 4, |_, _| rng.random::<f64>());
        let mut tape = Tape::with_seed(5);
        let cost = plain.gradient(&x, &t, &QuadraticCost, &mut tape)?;
        let want = dot(tape.grads(), &direction);

        let params: Vec<_> = plain
            .params()
            .iter()
            .zip(&direction)
            .map(|(p, v)| Dual64::new(*p, *v))
            .collect();
        let mut tape1 = Tape::with_seed(5);
        let dual = net(kind)?.at(&params)?.gradient(
            &x.map(Dual64::from_re),
            &t.map(Dual64::from_re),
            &QuadraticCost,
            &mut tape1,
        )?;
        assert!(
            (dual.re - cost).abs() <= 1e-13 * cost,
            "{plain}: {} and {cost}",
            dual.re
        );
        let size = norm(tape.grads()) * norm(&direction);
        assert!(
            (dual.eps - want).abs() <= 1e-12 * size,
            "{plain}: {} along v, the gradient says {want}",
            dual.eps
        );
        for (dual, g) in tape1.grads().iter().zip(tape.grads()) {
            assert!(
                (dual.re - g).abs() <= 1e-12 * norm(tape.grads()),
                "{plain}: {dual} and {g}"
            );
        }

        let product: Vec<f64> = tape1.grads().iter().map(|g| g.eps).collect();
        let params: Vec<_> = plain
            .params()
            .iter()
            .zip(&direction)
            .map(|(p, v)| Dual2_64::new(*p, *v, 0.0))
            .collect();
        let (x, t) = (x.map(Dual2_64::from_re), t.map(Dual2_64::from_re));
        let curvature = net(kind)?
            .at(&params)?
            .gradient(&x, &t, &QuadraticCost, &mut Tape::with_seed(5))?
            .v2;
        let along = dot(&product, &direction);
        assert!(
            (curvature - along).abs() <= 1e-11 * norm(&product) * norm(&direction),
            "{plain}: vᵀHv {curvature} and {along}"
        );
    }
    Ok(())
}

/// The other dual numbers work too: several directions at once, mixed and third derivatives.
#[test]
fn other_dual_numbers() -> Result<()> {
    let activation = Activation::Tanh;
    let case = case(&activation, 80)?;
    let (_, grads) = gradient(&activation, 0, &case, &case.params)?;

    // The first three derivatives in one pass.
    let mut params: Vec<DualSVec64<3>> = case
        .params
        .iter()
        .map(|p| DualSVec64::from_re(*p))
        .collect();
    for (i, p) in params[..3].iter_mut().enumerate() {
        *p = p.derivative(i);
    }
    let (x, t) = (
        case.x.map(DualSVec64::from_re),
        case.t.map(DualSVec64::from_re),
    );
    let cost = net::<DualSVec64<3>>(&activation, false)?
        .at(&params)?
        .gradient(&x, &t, &QuadraticCost, &mut Tape::with_seed(5))?;
    let three = cost.eps.unwrap_generic(
        chainrule::nalgebra::Const::<3>,
        chainrule::nalgebra::Const::<1>,
    );
    for (i, g) in grads[..3].iter().enumerate() {
        assert!(
            (three[i] - g).abs() <= 1e-12 * norm(&grads),
            "{} and {g}",
            three[i]
        );
    }
    // One element of the Hessian, from the cost alone and from the backward pass.
    let mut params: Vec<HyperDual64> = case
        .params
        .iter()
        .map(|p| HyperDual64::from_re(*p))
        .collect();
    (params[0], params[7]) = (params[0].derivative1(), params[7].derivative2());
    let (x, t) = (
        case.x.map(HyperDual64::from_re),
        case.t.map(HyperDual64::from_re),
    );
    let cost = net::<HyperDual64>(&activation, false)?
        .at(&params)?
        .gradient(&x, &t, &QuadraticCost, &mut Tape::with_seed(5))?;
    let mut params: Vec<Dual64> = case.params.iter().map(|p| Dual64::from_re(*p)).collect();
    params[0] = params[0].derivative();
    let (x, t) = (case.x.map(Dual64::from_re), case.t.map(Dual64::from_re));
    let mut tape = Tape::with_seed(5);
    net::<Dual64>(&activation, false)?
        .at(&params)?
        .gradient(&x, &t, &QuadraticCost, &mut tape)?;
    assert!(
        (cost.eps1eps2 - tape.grads()[7].eps).abs() <= 1e-12,
        "{} and {}",
        cost.eps1eps2,
        tape.grads()[7].eps
    );
    assert!(cost.eps1eps2 != 0.0);
    // tanh‴ = −2(1−t²)(1−3t²).
    for z in [0.0, 0.4, -0.4, 2.0, -2.0] {
        let (third, t) = (
            Activation::Tanh.value(Dual3_64::new(z, 1.0, 0.0, 0.0)).v3,
            f64::tanh(z),
        );
        assert!(
            (third + 2.0 * (1.0 - t * t) * (1.0 - 3.0 * t * t)).abs() < 1e-13,
            "tanh‴({z}) = {third}"
        );
    }
    // In f32, and for messages.
    let single = Activation::Sigmoid.value(Dual32::new(0.0, 1.0));
    assert_eq!((single.re, single.eps), (0.5, 0.25));
    assert_eq!(
        (
            Real::as_f64(Dual64::new(2.5, 1.0)),
            Real::as_f64(Dual32::new(2.5, 1.0))
        ),
        (2.5, 2.5)
    );
    Ok(())
}
