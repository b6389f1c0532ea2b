//! Gradients: against finite differences, against the four equations written out, and a check that
//! the checks can fail.

use crate::common::rng;
use chainrule::nalgebra::{DMatrix, DVector};
use chainrule::nn::layer::{BackwardArgs, Block, GradientArgs, InferArgs, Layer, Role};
use chainrule::nn::loss::*;
use chainrule::nn::{Breakpoints, LogSoftmax, OutputRange, Softmax};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, View, gradcheck};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What finite differences in f64 resolve, with a good deal to spare: the errors seen are below
/// 1e−9.
const TOLERANCE: f64 = 1e-8;
const BATCHES: [usize; 4] = [1, 2, 5, 32];

/// Every activation that has a derivative of its own.
fn activations() -> Vec<Activation> {
    let zigzag = Breakpoints::new(&[(-1.0, 0.5), (0.25, -0.5), (0.75, 1.0)])
        .and_then(|b| b.slopes(-0.3, 0.7))
        .unwrap();
    let more = [
        Activation::LeakyRelu { slope: 0.1 },
        Activation::Elu { alpha: 0.7 },
        Activation::Celu { alpha: 0.7 },
        Activation::Threshold {
            threshold: 0.3,
            value: 0.7,
        },
        Activation::HardShrink { lambda: 0.3 },
        Activation::SoftShrink { lambda: 0.3 },
        zigzag.into(),
    ];
    Activation::every()
        .filter(Activation::is_trainable)
        .chain(more)
        .collect()
}

/// What a loss wants below it and beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wants {
    Anything,
    Logits,
    Probabilities,
    Logarithms,
}

macro_rules! all {
    ($($file:ident::$loss:ident { $($made:expr),+ })+) => {
        vec![$($(Box::new($made) as Box<dyn Loss<f64>>,)+)+]
    };
}

fn losses() -> Vec<(Box<dyn Loss<f64>>, Wants)> {
    let weights = [0.5, 2.0, 1.25];
    let softmax = SoftmaxCrossEntropy::new().label_smoothing(0.2);
    let sigmoid = SigmoidCrossEntropy::new().label_smoothing(0.2);
    let mut losses = chainrule::every_loss!(all);
    losses.push(Box::new(Huber::new(0.6)));
    losses.push(Box::new(softmax.class_weights(&weights)));
    let sigmoid = sigmoid.class_weights(&weights);
    losses.push(Box::new(sigmoid.positive_weights(&[3.0, 0.2, 1.0])));
    let wants = |loss: &dyn Loss<f64>| match OutputRange::Real {
        real if !loss.accepts(real) && loss.accepts(OutputRange::Simplex) => Wants::Probabilities,
        real if !loss.accepts(real) => Wants::Logarithms,
        _ if loss.accepts(OutputRange::Unit) => Wants::Anything,
        _ => Wants::Logits,
    };
    losses
        .into_iter()
        .map(|loss| {
            let wants = wants(&*loss);
            (loss, wants)
        })
        .collect()
}

/// With the last layer that makes what the loss wants.
fn last(net: chainrule::nn::Builder<f64>, wants: Wants) -> chainrule::nn::Builder<f64> {
    match wants {
        Wants::Anything | Wants::Logits => net,
        Wants::Probabilities => net.layer(Softmax),
        Wants::Logarithms => net.layer(LogSoftmax),
    }
}

fn normal(rows: usize, cols: usize, rng: &mut Xoshiro256PlusPlus) -> DMatrix<f64> {
    // The sum of twelve uniform numbers: mean 0, variance 1.
    DMatrix::from_fn(rows, cols, |_, _| {
        (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
    })
}

/// Three outputs, or four where the loss needs pairs.
fn outputs(loss: &dyn Loss<f64>) -> usize {
    if loss.check(3).is_ok() { 3 } else { 4 }
}

fn targets(loss: &dyn Loss<f64>, cols: usize, rng: &mut Xoshiro256PlusPlus) -> DMatrix<f64> {
    let rows = loss.targets(outputs(loss));
    let t = DMatrix::from_fn(rows, cols, |_, _| rng.random::<f64>());
    // Those of margins are −1 and 1.
    if loss.check_targets((&t).into()).is_ok() {
        t
    } else {
        t.map(|t| (t - 0.5).signum())
    }
}

/// A dense layer, or the same in two: the sum, and the activation as a layer of its own.
fn dense(
    builder: chainrule::nn::Builder<f64>,
    width: usize,
    activation: Activation,
    bias: bool,
    fused: bool,
) -> chainrule::nn::Builder<f64> {
    let bias = |dense: Dense| {
        if bias {
            dense.bias_init(Init::Uniform {
                low: -0.5,
                high: 0.5,
            })
        } else {
            dense.without_bias()
        }
    };
    if fused {
        builder.layer(bias(Dense::new(width, activation)))
    } else {
        builder
            .layer(bias(Dense::new(width, Activation::Linear)))
            .layer(activation)
    }
}

/// Sums reports up.
#[derive(Default)]
struct Total {
    compared: usize,
    undecided: usize,
    worst: f64,
}

impl Total {
    fn add(&mut self, report: &gradcheck::Report, place: impl FnOnce() -> String) {
        assert!(report.error() < TOLERANCE, "{}: {report}", place());
        self.compared += report.compared;
        self.undecided += report.undecided;
        self.worst = self.worst.max(report.error());
    }

    /// That most was decided: of derivatives next to kinks, finite differences say nothing.
    fn check(&self, at_least: usize) {
        assert!(self.compared >= at_least, "{} compared", self.compared);
        assert!(
            self.undecided as f64 <= 0.02 * self.compared as f64,
            "{} undecided of {}",
            self.undecided,
            self.compared
        );
        println!(
            "{} compared, {} undecided, worst {:.1e}",
            self.compared, self.undecided, self.worst
        );
    }
}

/// Every activation with every loss, fused and as a layer of its own; with and without bias and in
/// batches of every size in turn, so that each activation and each loss meets all of them.
#[test]
fn activations_by_losses() -> Result<()> {
    let (mut total, mut turn) = (Total::default(), 0);
    for activation in activations() {
        let mut moved = 0;
        for (loss, wants) in losses() {
            for fused in [true, false] {
                turn += 1;
                let (bias, batch) = (turn % 3 != 0, BATCHES[turn % 4]);
                let mut rng = rng(turn as u64);
                let mut net = dense(Sequential::builder(2), 4, activation.clone(), bias, fused);
                let outputs = outputs(&*loss);
                net = match wants {
                    Wants::Anything => dense(net, outputs, activation.clone(), bias, fused),
                    Wants::Logits => dense(net, outputs, Activation::Linear, bias, fused),
                    _ => last(dense(net, outputs, Activation::Linear, bias, fused), wants),
                };
                let net = net.build_with(&mut rng)?;
                let (x, t) = (normal(2, batch, &mut rng), targets(&*loss, batch, &mut rng));
                let report = gradcheck::network(&net, &x, &t, &*loss)?;
                assert_eq!(report.compared + report.undecided, net.params().len());
                total.add(&report, || {
                    format!("{activation}, {loss:?}, batch {batch}, bias {bias}, fused {fused}")
                });
                let mut tape = Tape::new();
                net.gradient(&x, &t, &*loss, &mut tape)?;
                moved += usize::from(tape.grads().iter().any(|g| *g != 0.0));
            }
        }
        // Agreement on zeros shows nothing; only the flat ends of a piecewise-linear function may
        // give them all.
        assert!(moved >= 20, "{activation}: {moved} gradients are not 0");
    }
    total.check(10_000);
    Ok(())
}

/// With and without bias, in every batch size, for every layer by itself: by parameters and by
/// inputs.
#[test]
fn layers_by_themselves() -> Result<()> {
    let mut total = Total::default();
    let mut seed = 0;
    for (inputs, outputs) in [(1, 1), (3, 2), (2, 5)] {
        for batch in BATCHES {
            let mut check = |layer: &dyn Layer<f64>| -> Result<()> {
                seed += 1;
                let report = gradcheck::layer(layer, inputs, batch, seed)?;
                total.add(&report, || {
                    format!("{layer:?}, {inputs} inputs, batch {batch}")
                });
                Ok(())
            };
            for activation in activations() {
                check(&activation)?;
                check(&Dense::new(outputs, activation.clone()))?;
                check(&Dense::new(outputs, activation).without_bias())?;
            }
            check(&Softmax)?;
            for p in [0.0, 0.3, 0.9] {
                check(&Dropout::new(p))?;
            }
        }
    }
    total.check(17_000);
    Ok(())
}

/// Random networks of up to five layers of any kind, dropout with its masks and softmax in the
/// middle among them.
#[test]
fn random_networks() -> Result<()> {
    let (activations, losses) = (activations(), losses());
    let mut total = Total::default();
    let mut kinds = [0; 4];
    for seed in 0..120 {
        let mut rng = rng(1_000 + seed);
        let pick =
            |n: usize, rng: &mut Xoshiro256PlusPlus| (rng.random::<f64>() * n as f64) as usize;
        let inputs = 1 + pick(4, &mut rng);
        let mut net = Sequential::builder(inputs);
        for _ in 0..1 + pick(4, &mut rng) {
            let kind = pick(8, &mut rng).saturating_sub(4);
            kinds[kind] += 1;
            net = match kind {
                0 => {
                    let (width, activation) = (
                        1 + pick(5, &mut rng),
                        activations[pick(activations.len(), &mut rng)].clone(),
                    );
                    dense(
                        net,
                        width,
                        activation,
                        rng.random::<f64>() < 0.5,
                        rng.random::<f64>() < 0.5,
                    )
                }
                1 => net.layer(Dropout::new(0.8 * rng.random::<f64>())),
                2 => net.layer(Softmax),
                _ => net.layer(activations[pick(activations.len(), &mut rng)].clone()),
            };
        }
        let (loss, wants) = &losses[pick(losses.len(), &mut rng)];
        net = dense(net, outputs(&**loss), Activation::Linear, true, true);
        net = last(net, *wants);
        let net = net.build_with(&mut rng)?;
        let batch = BATCHES[pick(4, &mut rng)];
        let (x, t) = (
            normal(inputs, batch, &mut rng),
            targets(&**loss, batch, &mut rng),
        );
        let report = gradcheck::network(&net, &x, &t, &**loss)?;
        total.add(&report, || {
            format!("seed {seed}, batch {batch}, {loss:?}\n{net}")
        });
    }
    assert!(kinds.iter().all(|n| *n >= 30), "{kinds:?}");
    total.check(3_000);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// The four equations, written out with nalgebra and nothing of this crate.

/// φ and φ′ as a textbook has them.
type Phi = (fn(f64) -> f64, fn(f64) -> f64);

fn sigma(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn textbook() -> Vec<(Activation, Phi)> {
    vec![
        (Activation::Linear, (|z| z, |_| 1.0)),
        (
            Activation::Sigmoid,
            (sigma, |z| sigma(z) * (1.0 - sigma(z))),
        ),
        (Activation::Tanh, (f64::tanh, |z| 1.0 - z.tanh().powi(2))),
        (
            Activation::Relu,
            (|z| z.max(0.0), |z| if z > 0.0 { 1.0 } else { 0.0 }),
        ),
        (
            Activation::LeakyRelu { slope: 0.2 },
            (
                |z| if z > 0.0 { z } else { 0.2 * z },
                |z| if z > 0.0 { 1.0 } else { 0.2 },
            ),
        ),
        (
            Activation::Elu { alpha: 1.5 },
            (
                |z| if z > 0.0 { z } else { 1.5 * (z.exp() - 1.0) },
                |z| if z > 0.0 { 1.0 } else { 1.5 * z.exp() },
            ),
        ),
        (Activation::Softplus, (|z| (1.0 + z.exp()).ln(), sigma)),
        (
            Activation::Silu,
            (
                |z| z * sigma(z),
                |z| sigma(z) * (1.0 + z * (1.0 - sigma(z))),
            ),
        ),
        (
            Activation::Softsign,
            (|z| z / (1.0 + z.abs()), |z| (1.0 + z.abs()).powi(-2)),
        ),
        (
            Activation::PiecewiseLinear,
            (
                |z| (z + 0.5).clamp(0.0, 1.0),
                |z| if z.abs() < 0.5 { 1.0 } else { 0.0 },
            ),
        ),
        // Surrogates: the value of one function, the derivative of another; finite differences do
        // not apply to them.
        (Activation::Step.straight_through(), (step, |_| 1.0)),
        (
            Activation::Step.surrogate(Activation::Sigmoid),
            (step, |z| sigma(z) * (1.0 - sigma(z))),
        ),
        (
            Activation::Sign.surrogate(Activation::HardTanh),
            (sign, |z| if z.abs() < 1.0 { 1.0 } else { 0.0 }),
        ),
        (
            Activation::Sign.surrogate(Activation::Tanh),
            (sign, |z| z.cosh().powi(-2)),
        ),
        (
            Activation::Relu.surrogate(Activation::Softplus),
            (|z| z.max(0.0), sigma),
        ),
        (Activation::Tanh.straight_through(), (f64::tanh, |_| 1.0)),
    ]
}

fn step(z: f64) -> f64 {
    if z == 0.0 {
        0.5
    } else {
        f64::from(u8::from(z > 0.0))
    }
}

fn sign(z: f64) -> f64 {
    if z == 0.0 { 0.0 } else { z.signum() }
}

/// A network in the plainest form: samples as columns, zˡ = Wˡaˡ⁻¹ + bˡ, aˡ = φˡ(zˡ).
struct Plain {
    w: Vec<DMatrix<f64>>,
    b: Vec<DVector<f64>>,
    phi: Vec<Phi>,
}

/// Per layer: a, δ, ∂C/∂W, ∂C/∂b.
type Pass = Vec<(DMatrix<f64>, DMatrix<f64>, DMatrix<f64>, DVector<f64>)>;

impl Plain {
    /// BP1–BP4 for the half squared error, summed over the outputs and times `weight` for each
    /// sample.
    fn pass(&self, x: &DMatrix<f64>, t: &DMatrix<f64>, weight: f64) -> (f64, Pass) {
        let (mut zs, mut activations) = (vec![], vec![x.clone()]);
        for ((w, b), (phi, _)) in self.w.iter().zip(&self.b).zip(&self.phi) {
            let mut z = w * &activations[activations.len() - 1];
            z.column_iter_mut().for_each(|mut column| column += b);
            activations.push(z.map(phi));
            zs.push(z);
        }
        let top = self.w.len() - 1;
        let difference = &activations[top + 1] - t;
        let mut passes = Pass::new();
        let mut delta = DMatrix::zeros(0, 0);
        for l in (0..=top).rev() {
            let slope = zs[l].map(self.phi[l].1);
            delta = if l == top {
                // BP1: δᴸ = ∇ₐC ⊙ σ′(zᴸ)
                (&difference * weight).component_mul(&slope)
            } else {
                // BP2: δˡ = ((Wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ)
                (self.w[l + 1].transpose() * &delta).component_mul(&slope)
            };
            let db = delta.column_sum(); // BP3: ∂C/∂b = δ, summed over the samples
            let dw = &delta * activations[l].transpose(); // BP4: ∂C/∂w = δ·aᵀ
            passes.insert(0, (activations[l + 1].clone(), delta.clone(), dw, db));
        }
        (weight * 0.5 * difference.norm_squared(), passes)
    }
}

#[track_caller]
fn close(got: DMatrix<f64>, want: &DMatrix<f64>, bound: f64, place: &str) {
    assert_eq!(got.shape(), want.shape(), "{place}");
    let (off, size) = ((&got - want).amax(), want.amax());
    assert!(
        off <= bound * size.max(1e-3),
        "{place}: off by {off:e} of {size:e}"
    );
}

/// aˡ, δˡ, ∂C/∂Wˡ and ∂C/∂bˡ of every layer equal those of the four equations, for each activation
/// of the textbook, the surrogates among them.
#[test]
fn four_equations() -> Result<()> {
    let textbook = textbook();
    let (mut all, mut moved) = (0, 0);
    let mut rng = rng(2);
    let mut tape = Tape::new();
    for (index, (activation, phi)) in textbook.iter().enumerate() {
        for (turn, batch) in BATCHES.into_iter().enumerate() {
            for bias in [true, false] {
                // The activation in the first and the last layer, another between.
                let (other, other_phi) = &textbook[(index + turn + 1) % 10];
                let mut net = Sequential::builder(3);
                for (width, activation) in [(5, activation), (4, other), (2, activation)] {
                    net = dense(net, width, activation.clone(), bias, true);
                }
                let net = net.build_with(&mut rng)?;
                let plain = Plain {
                    w: (0..3)
                        .map(|l| Ok(net.weights(l)?.clone_owned()))
                        .collect::<Result<_>>()?,
                    b: (0..3)
                        .map(|l| {
                            if bias {
                                net.bias(l).map(|b| b.clone_owned())
                            } else {
                                Ok(DVector::zeros([5, 4, 2][l]))
                            }
                        })
                        .collect::<Result<_>>()?,
                    phi: vec![*phi, *other_phi, *phi],
                };
                let (x, t) = (normal(3, batch, &mut rng), normal(2, batch, &mut rng));
                let losses: [(&dyn Loss<f64>, f64); 3] = [
                    (&SumSquaredError, 1.0),
                    (&QuadraticCost, 1.0 / batch as f64),
                    (&MeanSquaredError, 1.0 / batch as f64),
                ];
                for (loss, weight) in losses {
                    // 1/d · r² = (2/d)·½r², with d = 2 outputs.
                    let cost = net.gradient(&x, &t, loss, &mut tape)?;
                    let (want, passes) = plain.pass(&x, &t, weight);
                    let place =
                        format!("{activation}, {other}, batch {batch}, bias {bias}, {loss:?}");
                    assert!(
                        (cost - want).abs() <= 1e-13 * want,
                        "{place}: cost {cost}, not {want}"
                    );
                    all += 1;
                    moved += usize::from(passes.iter().all(|(_, _, dw, _)| dw.amax() > 0.0));
                    for (l, (a, delta, dw, db)) in passes.iter().enumerate() {
                        close(
                            tape.a(l)?.clone_owned(),
                            a,
                            1e-13,
                            &format!("a of layer {l} of {place}"),
                        );
                        close(
                            tape.delta(l)?.clone_owned(),
                            delta,
                            1e-13,
                            &format!("δ of layer {l} of {place}"),
                        );
                        close(
                            tape.dw(l)?.clone_owned(),
                            dw,
                            1e-13,
                            &format!("∂C/∂W of layer {l} of {place}"),
                        );
                        if bias {
                            let db = DMatrix::from_column_slice(db.len(), 1, db.as_slice());
                            close(
                                DMatrix::from_iterator(db.len(), 1, tape.db(l)?.iter().copied()),
                                &db,
                                1e-13,
                                &format!("∂C/∂b of layer {l} of {place}"),
                            );
                        } else {
                            assert_eq!(tape.db(l).unwrap_err().kind(), ErrorKind::Value);
                        }
                    }
                }
            }
        }
    }
    // A few rectifiers and ramps are all in their flat parts; agreement on zeros shows nothing.
    assert!(
        moved as f64 >= 0.9 * f64::from(all),
        "{moved} of {all} have a gradient in every layer"
    );
    Ok(())
}

/// The same for layers of many neurons and batches of odd sizes, where products are computed in
/// blocks.
#[test]
fn four_equations_in_wide_layers() -> Result<()> {
    let mut rng = rng(12);
    let mut tape = Tape::new();
    let tanh: Phi = (f64::tanh, |z| 1.0 - z.tanh().powi(2));
    for (widths, batch) in [
        ([70, 130, 33], 67),
        ([1, 600, 3], 5),
        ([530, 17, 1], 9),
        ([3, 2, 40], 1100),
        ([64, 64, 64], 64),
    ] {
        let [inputs, hidden, outputs] = widths;
        let net = Sequential::builder(inputs)
            .layer(Dense::new(hidden, Activation::Tanh))
            .layer(
                Dense::new(outputs, Activation::Tanh).bias_init(Init::Uniform {
                    low: -1.0,
                    high: 1.0,
                }),
            )
            .build_with(&mut rng)?;
        let owned =
            |l| -> Result<_> { Ok((net.weights(l)?.clone_owned(), net.bias(l)?.clone_owned())) };
        let ((w1, b1), (w2, b2)) = (owned(0)?, owned(1)?);
        let plain = Plain {
            w: vec![w1, w2],
            b: vec![b1, b2],
            phi: vec![tanh, tanh],
        };
        let (x, t) = (
            normal(inputs, batch, &mut rng),
            normal(outputs, batch, &mut rng),
        );
        let cost = net.gradient(&x, &t, &QuadraticCost, &mut tape)?;
        let (want, passes) = plain.pass(&x, &t, 1.0 / batch as f64);
        assert!((cost - want).abs() <= 1e-13 * want);
        for (l, (a, delta, dw, db)) in passes.iter().enumerate() {
            let place = format!("layer {l} of {widths:?}, batch {batch}");
            close(tape.a(l)?.clone_owned(), a, 1e-13, &format!("a of {place}"));
            close(
                tape.delta(l)?.clone_owned(),
                delta,
                1e-13,
                &format!("δ of {place}"),
            );
            close(
                tape.dw(l)?.clone_owned(),
                dw,
                1e-13,
                &format!("∂C/∂W of {place}"),
            );
            let (got, db) = (
                tape.db(l)?.clone_owned(),
                DMatrix::from_column_slice(db.len(), 1, db.as_slice()),
            );
            close(
                DMatrix::from_column_slice(got.len(), 1, got.as_slice()),
                &db,
                1e-13,
                &format!("∂C/∂b of {place}"),
            );
        }
    }
    Ok(())
}

/// An activation fused into `Dense` and the same as a layer of its own give the same bits, in both
/// directions.
#[test]
fn fused_as_apart() -> Result<()> {
    let mut rng = rng(13);
    for activation in activations()
        .into_iter()
        .chain(textbook().into_iter().map(|(activation, _)| activation))
    {
        for batch in BATCHES {
            let build = |fused, rng: &mut Xoshiro256PlusPlus| {
                let net = dense(Sequential::builder(3), 4, activation.clone(), true, fused);
                dense(net, 2, activation.clone(), true, fused).build_with(rng)
            };
            let (one, mut two) = (build(true, &mut rng)?, build(false, &mut rng)?);
            two.set_params(one.params())?;
            let (x, t) = (normal(3, batch, &mut rng), normal(2, batch, &mut rng));
            let (mut first, mut second) = (Tape::new(), Tape::new());
            let costs = (
                one.gradient(&x, &t, &LogCosh, &mut first)?,
                two.gradient(&x, &t, &LogCosh, &mut second)?,
            );
            assert_eq!(costs.0, costs.1, "{activation}");
            assert_eq!(first.grads(), second.grads(), "{activation}");
            assert_eq!(
                first.delta(0)?,
                second.delta(1)?,
                "{activation}: δ = ∂C/∂z has one meaning"
            );
            assert_eq!(
                second.delta(0)?,
                second.delta(1)?,
                "{activation}: below a layer of its own, ∂C/∂ its input"
            );
            assert_eq!(one.predict(&x)?, two.predict(&x)?, "{activation}");
        }
    }
    Ok(())
}

/// Gradients in f32 are those in f64 at the same numbers, to the precision of f32.
#[test]
fn f32_follows_f64() -> Result<()> {
    let mut rng = rng(14);
    for activation in activations() {
        for batch in BATCHES {
            let narrow = Sequential::<f32>::builder(6)
                .layer(Dense::new(20, activation.clone()))
                .layer(Dense::new(9, Activation::Tanh))
                .layer(Dense::new(4, Activation::Linear))
                .build_with(&mut rng)?;
            let mut wide = Sequential::<f64>::builder(6)
                .layer(Dense::new(20, activation.clone()))
                .layer(Dense::new(9, Activation::Tanh))
                .layer(Dense::new(4, Activation::Linear))
                .build_with(&mut rng)?;
            wide.set_params(
                &narrow
                    .params()
                    .iter()
                    .map(|p| f64::from(*p))
                    .collect::<Vec<_>>(),
            )?;
            let x = normal(6, batch, &mut rng).map(|x| x as f32);
            let t = DMatrix::from_fn(4, batch, |i, j| f32::from(u8::from(i == j % 4)));
            let loss = SoftmaxCrossEntropy::new();
            let (mut low, mut high) = (Tape::new(), Tape::new());
            let cost = f64::from(narrow.gradient(&x, &t, &loss, &mut low)?);
            let want = wide.gradient(&x.map(f64::from), &t.map(f64::from), &loss, &mut high)?;
            assert!(
                (cost - want).abs() < 2e-6 * want,
                "{activation}: {cost}, not {want}"
            );
            let largest = high.grads().iter().fold(0.0_f64, |max, g| max.max(g.abs()));
            for (low, high) in low.grads().iter().zip(high.grads()) {
                let off = (f64::from(*low) - high).abs();
                assert!(
                    off < 5e-6 * largest,
                    "{activation}, batch {batch}: {low:e}, not {high:e}, the largest being \
                     {largest:e}"
                );
            }
        }
    }
    Ok(())
}

/// The notes' batch form, samples as rows: Z² = XW¹, A² = f(Z²), Z³ = A²W², Ŷ = f(Z³); δ³ =
/// −(y−ŷ)f′(z³), ∂J/∂W² = (A²)ᵀδ³ (6), δ² = δ³(W²)ᵀf′(z²), ∂J/∂W¹ = Xᵀδ² (7). Their matrices are
/// the transposes of ours.
#[test]
fn row_form_of_the_notes() -> Result<()> {
    let mut rng = rng(3);
    let mut tape = Tape::new();
    let prime = |z: &DMatrix<f64>| z.map(|z| (-z).exp() / (1.0 + (-z).exp()).powi(2));
    for n in [1, 3, 10, 32] {
        let net = notes(&mut rng)?;
        let (x, y) = (
            DMatrix::from_fn(n, 2, |_, _| rng.random::<f64>()),
            DMatrix::from_fn(n, 1, |_, _| rng.random::<f64>()),
        );
        let (w1, w2) = (net.weights(0)?.transpose(), net.weights(1)?.transpose());
        assert_eq!((w1.shape(), w2.shape()), ((2, 3), (3, 1)));
        let z2 = &x * &w1;
        let a2 = z2.map(sigma);
        let z3 = &a2 * &w2;
        let y_hat = z3.map(sigma);
        let delta3 = (-(&y - &y_hat)).component_mul(&prime(&z3));
        let delta2 = (&delta3 * w2.transpose()).component_mul(&prime(&z2));
        let (dw2, dw1) = (a2.transpose() * &delta3, x.transpose() * &delta2);
        let j = 0.5 * (&y - &y_hat).norm_squared(); // (5)

        // A row-major (samples, features) array is what a View reads: the transpose in nalgebra's
        // memory.
        let (rows, targets) = (x.transpose(), y.transpose());
        let cost = net.gradient(
            View::new(rows.as_slice(), 2)?,
            View::new(targets.as_slice(), 1)?,
            &SumSquaredError,
            &mut tape,
        )?;
        assert!((cost - j).abs() <= 1e-15 * j);
        close(tape.dw(1)?.transpose(), &dw2, 1e-13, "∂J/∂W²");
        close(tape.dw(0)?.transpose(), &dw1, 1e-13, "∂J/∂W¹");
        close(tape.delta(1)?.transpose(), &delta3, 1e-13, "δ³");
        close(tape.delta(0)?.transpose(), &delta2, 1e-13, "δ²");
        close(net.predict(&rows)?.transpose(), &y_hat, 1e-15, "Ŷ");
    }
    Ok(())
}

/// 2-3-1, sigmoid, without biases, weights from the normal distribution.
fn notes(rng: &mut Xoshiro256PlusPlus) -> Result<Sequential<f64>> {
    let dense = |n| {
        Dense::new(n, Activation::Sigmoid)
            .without_bias()
            .init(Init::Normal {
                mean: 0.0,
                std: 1.0,
            })
    };
    Sequential::builder(2)
        .layer(dense(3))
        .layer(dense(1))
        .build_with(rng)
}

/// The notes' worked example: sleep and study against the test score, one step of 0.01 along −∂J/∂W
/// lowers J. From 100 starts; and by what a gradient promises: η‖∇J‖², to first order.
#[test]
fn a_step_down_lowers_the_cost() -> Result<()> {
    let (x, y) = (
        DMatrix::from_column_slice(2, 3, &[3.0, 5.0, 5.0, 1.0, 10.0, 2.0]),
        DMatrix::from_row_slice(1, 3, &[75.0, 82.0, 93.0]),
    );
    let (x, y) = (Scaler::max_abs(&x)?.transform(&x)?, y / 100.0);
    assert_eq!(x.as_slice(), [0.3, 1.0, 0.5, 0.2, 1.0, 0.4]);
    let mut tape = Tape::new();
    for seed in 0..100 {
        let mut net = notes(&mut rng(seed))?;
        let before = net.gradient(&x, &y, &SumSquaredError, &mut tape)?;
        let promised = 0.01 * tape.grads().iter().map(|g| g * g).sum::<f64>();
        for (w, g) in net.params_mut().iter_mut().zip(tape.grads()) {
            *w -= 0.01 * g;
        }
        let after = net.cost(&x, &y, &SumSquaredError, &mut Tape::new())?;
        assert!(after < before, "start {seed}: from {before} to {after}");
        assert!(
            ((before - after) / promised - 1.0).abs() < 0.02,
            "start {seed}: {} where {promised} was promised",
            before - after
        );
    }
    Ok(())
}

/// The gradient of a batch is the average (or sum) of those of its samples, and the order of the
/// samples is nothing.
#[test]
fn batches_are_averages() -> Result<()> {
    let mut rng = rng(4);
    for (loss, wants) in losses() {
        let net = Sequential::builder(3)
            .layer(Dense::new(5, Activation::Tanh))
            .layer(Dense::new(outputs(&*loss), Activation::Linear));
        let net = last(net, wants).build_with(&mut rng)?;
        let n = 9;
        let (x, t) = (normal(3, n, &mut rng), targets(&*loss, n, &mut rng));
        let mut tape = Tape::new();
        let cost = net.gradient(&x, &t, &*loss, &mut tape)?;
        let gradient = DVector::from_column_slice(tape.grads());
        let (mut costs, mut gradients) = (0.0, DVector::zeros(gradient.len()));
        for j in (0..n).rev() {
            let (x, t) = (View::from(&x).columns(j, 1)?, View::from(&t).columns(j, 1)?);
            costs += net.gradient(x, t, &*loss, &mut tape)?;
            gradients += DVector::from_column_slice(tape.grads());
        }
        let over = if loss.name() == "SumSquaredError" {
            1.0
        } else {
            n as f64
        };
        assert!(
            (cost - costs / over).abs() <= 1e-14 * cost.abs(),
            "{loss:?}"
        );
        assert!(
            (&gradient - gradients / over).amax() <= 1e-14 * gradient.amax(),
            "{loss:?}"
        );
    }
    Ok(())
}

/// Rosenblatt's rule, Δw = η(t − y)x, is what the squared error gives through a step with the
/// derivative 1.
#[test]
fn perceptron_rule() -> Result<()> {
    let mut rng = rng(5);
    let mut tape = Tape::new();
    let mut wrong = 0;
    for _ in 0..50 {
        let net = Sequential::builder(4)
            .layer(Dense::new(1, Activation::Step.straight_through()))
            .build_with(&mut rng)?;
        let (x, t) = (
            normal(4, 1, &mut rng),
            DMatrix::from_element(1, 1, f64::from(u8::from(rng.random::<f64>() < 0.5))),
        );
        net.gradient(&x, &t, &SumSquaredError, &mut tape)?;
        let y = step((net.weights(0)? * &x)[0] + net.bias(0)?[0]);
        assert_eq!(tape.dw(0)?, (y - t[0]) * x.transpose());
        assert_eq!(tape.db(0)?[0], y - t[0]);
        wrong += usize::from(y != t[0]);
    }
    assert!(
        (10..40).contains(&wrong),
        "{wrong} of 50 outputs are wrong, so that both cases are seen"
    );
    Ok(())
}

/// Through a step or a sign without a surrogate no gradient can pass, and saying so names the
/// layer.
#[test]
fn steps_are_untrainable() -> Result<()> {
    for activation in [
        Activation::Step,
        Activation::Sign,
        Activation::Tanh.surrogate(Activation::Sign),
    ] {
        for fused in [true, false] {
            let net = dense(
                Sequential::builder(2).layer(Dense::new(2, Activation::Tanh)),
                1,
                activation.clone(),
                true,
                fused,
            )
            .build_with(&mut rng(6))?;
            let (x, t) = (
                DMatrix::from_element(2, 1, 0.5),
                DMatrix::from_element(1, 1, 0.5),
            );
            let error = gradcheck::network(&net, &x, &t, &QuadraticCost).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Untrainable);
            assert!(
                error
                    .place()
                    .starts_with(if fused { "layer 1 " } else { "layer 2 " }),
                "{error}"
            );
        }
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// The checks can fail.

/// What is wrong with a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// ∂C/∂gain of output 1 is off by a relative 1e−6.
    Gain,
    /// ∂C/∂shift of output 2 is not summed over the batch but is that of the last sample.
    Shift,
    /// ∂C/∂x of input 1 of the last sample has the wrong sign.
    Input,
    /// ∂C/∂gain of output 0 is NaN.
    Nan,
}

/// yⱼ = gainⱼ·xⱼ² + shiftⱼ.
#[derive(Debug)]
struct Square(Fault);

impl Layer<f64> for Square {
    fn name(&self) -> String {
        "Square".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![
            Block::new("gain", Role::Weight, inputs, 1),
            Block::new("shift", Role::Bias, 1, inputs),
        ]
    }

    fn init_params(&self, p: chainrule::nn::layer::InitParamsArgs<'_, f64>) {
        p.params[..p.inputs].fill(1.0);
    }

    fn infer(&self, mut p: InferArgs<'_, f64>) {
        let (gain, shift) = p.params.split_at(p.x.rows());
        for (y, x) in p.y.iter_mut().zip(p.x.iter()) {
            for j in 0..x.len() {
                y[j] = gain[j] * x[j] * x[j] + shift[j];
            }
        }
    }

    fn backward(&self, p: BackwardArgs<'_, f64>) {
        let Some(mut dx) = p.dx else { return };
        let last = p.x.cols() - 1;
        for (i, ((dx, x), dy)) in dx
            .iter_mut()
            .zip(p.x.iter())
            .zip(p.delta.as_view().iter())
            .enumerate()
        {
            for j in 0..x.len() {
                let sign = if self.0 == Fault::Input && (i, j) == (last, 1) {
                    -1.0
                } else {
                    1.0
                };
                dx[j] = sign * 2.0 * p.params[j] * x[j] * dy[j];
            }
        }
    }

    fn gradient(&self, p: GradientArgs<'_, f64>) {
        let (dgain, dshift) = p.grads.split_at_mut(p.x.rows());
        dgain.fill(0.0);
        dshift.fill(0.0);
        for (x, dy) in p.x.iter().zip(p.delta.iter()) {
            for j in 0..x.len() {
                dgain[j] += dy[j] * x[j] * x[j];
                dshift[j] = if self.0 == Fault::Shift && j == 2 {
                    dy[j]
                } else {
                    dshift[j] + dy[j]
                };
            }
        }
        match self.0 {
            Fault::Gain => dgain[1] *= 1.0 + 1e-6,
            Fault::Nan => dgain[0] = f64::NAN,
            _ => {}
        }
    }
}

#[test]
fn a_wrong_layer_is_found_and_named() -> Result<()> {
    let faults = [
        (Fault::None, None, None),
        (
            Fault::Gain,
            Some("Square, gain[(1, 0)]"),
            Some("layer 1 (Square), gain[(1, 0)]"),
        ),
        (
            Fault::Shift,
            Some("Square, shift[(0, 2)]"),
            Some("layer 1 (Square), shift[(0, 2)]"),
        ),
        (
            Fault::Input,
            Some("Square, input 1 of sample 3"),
            Some("layer 0 (Dense tanh), "),
        ),
        (
            Fault::Nan,
            Some("Square, gain[(0, 0)]"),
            Some("layer 1 (Square), gain[(0, 0)]"),
        ),
    ];
    for (fault, alone, inside) in faults {
        let report = gradcheck::layer(&Square(fault), 3, 4, 7)?;
        assert_eq!((report.compared, report.undecided), (6 + 12, 0));
        expect(&report, alone);

        let mut rng = rng(8);
        let net = Sequential::builder(2)
            .layer(Dense::new(3, Activation::Tanh))
            .layer(Square(fault))
            .layer(Dense::new(2, Activation::Sigmoid))
            .build_with(&mut rng)?;
        let (x, t) = (normal(2, 4, &mut rng), normal(2, 4, &mut rng));
        let report = gradcheck::network(&net, &x, &t, &QuadraticCost)?;
        assert_eq!((report.compared, report.undecided), (9 + 6 + 8, 0));
        expect(&report, inside);
        if fault == Fault::Nan {
            assert_eq!(report.error(), f64::INFINITY);
        }
    }
    Ok(())
}

/// The report finds nothing, or that its worst derivative is at `place`, and says so.
#[track_caller]
fn expect(report: &gradcheck::Report, place: Option<&str>) {
    match place {
        None => assert!(report.error() < TOLERANCE, "{report}"),
        Some(place) => {
            assert!(report.error() >= TOLERANCE, "{report}");
            let worst = report.worst.as_ref().expect("a worst derivative");
            assert!(worst.place.starts_with(place), "{report}");
            assert!(report.to_string().contains(place), "{report}");
        }
    }
}

/// Σⱼ ¼(yⱼ−tⱼ)⁴, whose slope is wrong for one output if asked to.
#[derive(Debug)]
struct Quartic {
    wrong: bool,
}

impl Loss<f64> for Quartic {
    fn name(&self) -> &str {
        "Quartic"
    }

    fn costs(&self, p: CostsArgs<'_, f64>) {
        for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
            *cost = y.iter().zip(t).map(|(y, t)| 0.25 * (y - t).powi(4)).sum();
        }
    }

    fn slopes(&self, mut p: SlopesArgs<'_, f64>) {
        for ((dy, y), t) in p.dy.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
            for (j, dy) in dy.iter_mut().enumerate() {
                *dy = if self.wrong && j == 1 { 3.0 } else { 1.0 } * (y[j] - t[j]).powi(3);
            }
        }
    }
}

#[test]
fn a_wrong_loss_is_found_and_named() -> Result<()> {
    let mut rng = rng(9);
    let net = Sequential::builder(2)
        .layer(Dense::new(3, Activation::Tanh))
        .layer(Dense::new(2, Activation::Linear))
        .build_with(&mut rng)?;
    let (x, t) = (normal(2, 3, &mut rng), normal(2, 3, &mut rng));
    let y = net.predict(&x)?;
    let (right, wrong) = (Quartic { wrong: false }, Quartic { wrong: true });
    expect(&gradcheck::loss(&right, &y, &t)?, None);
    expect(
        &gradcheck::loss(&wrong, &y, &t)?,
        Some("Quartic, output 1 of sample "),
    );
    expect(&gradcheck::network(&net, &x, &t, &right)?, None);
    // The bias of output 1 sees nothing but the wrong slope.
    expect(&gradcheck::network(&net, &x, &t, &wrong)?, Some("layer "));
    Ok(())
}

/// A derivative that finite differences cannot decide is counted and not judged.
#[test]
fn kinks_are_undecided_not_wrong() -> Result<()> {
    let y = DMatrix::from_column_slice(3, 1, &[1.0, 2.0 + 1e-6, 5.0]);
    let t = DMatrix::from_column_slice(3, 1, &[1.5, 2.0, 4.0]);
    let report = gradcheck::loss(&MeanAbsoluteError, &y, &t)?;
    assert_eq!((report.compared, report.undecided), (2, 1));
    assert!(report.error() < TOLERANCE, "{report}");
    Ok(())
}

/// The forward pass of a layer is asked for by its own name: a layer that counts shows that a
/// gradient is one pass and no more, so that agreement with differences is not differences in
/// disguise.
#[test]
fn a_gradient_is_one_pass() -> Result<()> {
    static FORWARD: AtomicUsize = AtomicUsize::new(0);
    static BACKWARD: AtomicUsize = AtomicUsize::new(0);

    #[derive(Debug)]
    struct Counted;
    impl Layer<f64> for Counted {
        fn name(&self) -> String {
            "Counted".into()
        }
        fn outputs(&self, inputs: usize) -> Result<usize> {
            Ok(inputs)
        }
        fn infer(&self, mut p: InferArgs<'_, f64>) {
            FORWARD.fetch_add(1, Ordering::Relaxed);
            p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
        }
        fn backward(&self, p: BackwardArgs<'_, f64>) {
            BACKWARD.fetch_add(1, Ordering::Relaxed);
            if let Some(mut dx) = p.dx {
                dx.as_mut_slice()
                    .copy_from_slice(p.delta.as_view().as_slice());
            }
        }
    }

    let net = Sequential::builder(3)
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Counted)
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng(10))?;
    net.gradient(
        &DMatrix::from_element(3, 7, 0.5),
        &DMatrix::from_element(1, 7, 1.0),
        &QuadraticCost,
        &mut Tape::new(),
    )?;
    assert_eq!(
        (
            FORWARD.load(Ordering::Relaxed),
            BACKWARD.load(Ordering::Relaxed)
        ),
        (1, 1)
    );
    Ok(())
}

/// A layer that adds to its gradient in place of overwriting it is right on a fresh tape and wrong
/// on the next pass.
#[derive(Debug)]
struct Adds;

impl Layer<f64> for Adds {
    fn name(&self) -> String {
        "Adds".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![Block::new("shift", Role::Bias, inputs, 1)]
    }

    fn infer(&self, mut p: InferArgs<'_, f64>) {
        for (y, x) in p.y.iter_mut().zip(p.x.iter()) {
            for ((y, x), b) in y.iter_mut().zip(x).zip(p.params) {
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
        for delta in p.delta.iter() {
            for (db, delta) in p.grads.iter_mut().zip(delta) {
                *db += delta;
            }
        }
    }
}

#[test]
fn the_checker_sees_what_is_not_overwritten() -> Result<()> {
    assert_eq!(gradcheck::layer(&Adds, 2, 3, 1)?.error(), f64::INFINITY);
    let net = Sequential::builder(2).layer(Adds).seed(1).build()?;
    let x = DMatrix::from_element(2, 3, 0.5);
    assert_eq!(
        gradcheck::network(&net, &x, &x, &QuadraticCost)?.error(),
        f64::INFINITY
    );
    Ok(())
}

/// What a caller leaves out of ∂C/∂y is 0, whatever the tape held before.
#[test]
fn slopes_start_at_zero() -> Result<()> {
    let net = Sequential::<f64>::builder(2)
        .layer(Dense::new(2, Activation::Tanh))
        .seed(1)
        .build()?;
    let x = DMatrix::from_element(2, 3, 0.5);
    let mut tape = Tape::new();
    net.gradient(&x, &x, &QuadraticCost, &mut tape)?;
    net.gradient_with(&x, &mut tape, |_, _| Ok(()))?;
    assert!(tape.grads().iter().all(|g| *g == 0.0), "{:?}", tape.grads());
    Ok(())
}

/// Fixed features may step: only parameters at or below a layer without a derivative are out of
/// reach.
#[test]
fn a_step_below_all_parameters_is_trained_past() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let x = DMatrix::from_element(2, 3, 0.5);
    let above = Sequential::<f64>::builder(2)
        .layer(Activation::Sign)
        .layer(Dense::new(2, Activation::Tanh))
        .build_with(&mut rng)?;
    above.gradient(&x, &x, &QuadraticCost, &mut Tape::new())?;
    let below = Sequential::<f64>::builder(2)
        .layer(Dense::new(2, Activation::Tanh))
        .layer(Activation::Sign)
        .build_with(&mut rng)?;
    let error = below
        .gradient(&x, &x, &QuadraticCost, &mut Tape::new())
        .expect_err("nothing passes");
    assert_eq!(error.kind(), ErrorKind::Untrainable);
    Ok(())
}
