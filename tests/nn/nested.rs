//! Layers that are made of layers: random ones, nested, against finite differences, dual numbers,
//! and the same layers one after the other.

use chainrule::gradcheck;
use chainrule::nalgebra::{DMatrix, DVector};
use chainrule::nn::layer::{
    BackwardArgs, BackwardTangentArgs, Block, Composite, ForwardArgs, GradientArgs, InferArgs,
    InitParamsArgs, Layer, Parts, Role, TangentArgs,
};
use chainrule::nn::loss::QuadraticCost;
use chainrule::nn::*;
use chainrule::numeric::View;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, Real};
use std::sync::Arc;

/// What draws random layers.
struct Draw {
    rng: Xoshiro256PlusPlus,
    /// With layers that are random in training.
    noise: bool,
}

impl Draw {
    fn new(seed: u64, noise: bool) -> Self {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self { rng, noise }
    }

    fn dense(&mut self, outputs: usize) -> Dense {
        let activations = [
            Activation::Linear,
            Activation::Tanh,
            Activation::Gelu,
            Activation::Softplus,
            Activation::Sigmoid,
        ];
        let layer = Dense::new(
            outputs,
            activations[self.rng.random_range(0..activations.len())].clone(),
        )
        .init(Init::GlorotUniform);
        if self.rng.random_range(0..3) == 0 {
            layer.without_bias()
        } else {
            layer
        }
    }

    /// A layer for so many inputs, and its outputs.
    fn layer<T: Real>(&mut self, width: usize, depth: usize) -> (Chain<T>, usize) {
        let chain = Chain::new();
        let kinds = if depth == 0 { 12 } else { 18 };
        match self.rng.random_range(0..kinds) {
            0 => (chain.layer(Activation::Tanh), width),
            1 => (chain.layer(Activation::Gelu), width),
            2 if width > 1 => (chain.layer(LayerNorm::new().eps(0.1)), width),
            3 => (chain.layer(RmsNorm::new().eps(0.1)), width),
            4 => (chain.layer(BatchNorm::new().eps(0.1)), width),
            5 => (chain.layer(Prelu::new().per_feature()), width),
            6 if width.is_multiple_of(2) => (chain.layer(Glu::new(Activation::Sigmoid)), width / 2),
            7 => (chain.layer(UnitNorm::l2().eps(0.5)), width),
            8 => (chain.layer(LogSoftmax), width),
            9 if self.noise => (chain.layer(Dropout::new(0.3)), width),
            10 if self.noise => (chain.layer(GaussianNoise::new(0.1)), width),
            11 if width.is_multiple_of(2) => (chain.layer(GroupNorm::new(2).eps(0.1)), width),
            12 => self.chain(width, depth - 1),
            13 | 14 => {
                let (body, outputs) = self.chain(width, depth - 1);
                let block = Residual::new(body);
                let block = if outputs == width {
                    block
                } else {
                    block.projection(self.dense(outputs))
                };
                (chain.layer(block), outputs)
            }
            15 => {
                // Parts that end in as many outputs.
                let (mut sum, outputs) = (Parallel::new().add(), self.rng.random_range(1..5));
                for _ in 0..self.rng.random_range(1..4) {
                    let (branch, _) = self.chain(width, depth - 1);
                    sum = sum.branch(branch.layer(self.dense(outputs)));
                }
                (chain.layer(sum), outputs)
            }
            16 | 17 => {
                let (mut stack, mut all) = (Parallel::new(), 0);
                for _ in 0..self.rng.random_range(1..4) {
                    let (branch, outputs) = match self.rng.random_range(0..4) {
                        0 => (Chain::new(), width),
                        _ => self.chain(width, depth - 1),
                    };
                    (stack, all) = (stack.branch(branch), all + outputs);
                }
                // No wider than can be checked in a moment.
                let (top, outputs) = (self.dense(3), 3);
                if all > 6 {
                    (chain.layer(stack).layer(top), outputs)
                } else {
                    (chain.layer(stack), all)
                }
            }
            _ => {
                let outputs = self.rng.random_range(1..5);
                (chain.layer(self.dense(outputs)), outputs)
            }
        }
    }

    /// Some layers, one behind the other.
    fn chain<T: Real>(&mut self, width: usize, depth: usize) -> (Chain<T>, usize) {
        let (mut chain, mut outputs) = (Chain::new(), width);
        for _ in 0..self.rng.random_range(1..4) {
            let layer;
            (layer, outputs) = self.layer(outputs, depth);
            // Chains in chains, and layers as they are.
            chain = if self.rng.random_range(0..3) == 0 {
                chain.layer(layer)
            } else {
                let both = chain.layers().iter().chain(layer.layers());
                both.cloned().collect()
            };
        }
        (chain, outputs)
    }
}

/// A random network with 3 inputs; the same for every scalar.
fn random<T: Real>(seed: u64, noise: bool) -> Result<Sequential<T>> {
    let mut draw = Draw::new(seed, noise);
    let (body, _) = draw.chain(3, 3);
    let builder = Sequential::builder(3);
    // Some networks begin with branches over their own inputs.
    let builder = if seed.is_multiple_of(2) {
        builder
    } else {
        builder.layer(Dense::new(3, Activation::Tanh))
    };
    builder
        .layer(body)
        .layer(Dense::new(2, Activation::Linear))
        .seed(seed)
        .build()
}

fn batch(rows: usize, cols: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    DMatrix::from_fn(rows, cols, |_, _| rng.random_range(-1.5..1.5))
}

/// How many networks each test takes.
const NETS: u64 = 40;

#[test]
fn gradients_are_those_of_differences() -> Result<()> {
    let mut compared = 0;
    for seed in 0..NETS {
        let net = random::<f64>(seed, true)?;
        let (x, t) = (batch(3, 5, 100 + seed), batch(2, 5, 200 + seed));
        let report = gradcheck::network(&net, &x, &t, &QuadraticCost)?;
        assert!(report.error() < 1e-7, "{seed}: {net}\n{report}");
        compared += report.compared;
    }
    assert!(compared > 1_000, "{compared}");
    Ok(())
}

/// A composite by itself, whose passes no network calls.
#[test]
fn composites_are_layers_of_their_own() -> Result<()> {
    for seed in 0..NETS {
        let (chain, _) = Draw::new(seed, true).chain::<f64>(4, 2);
        let report = gradcheck::layer(&chain, 4, 5, seed)?;
        assert!(report.error() < 1e-7, "{seed}: {chain:?}\n{report}");
    }
    let nothing = gradcheck::layer(&Chain::new(), 2, 3, 1)?;
    assert!(nothing.error() < 1e-9 && nothing.compared == 6, "{nothing}");
    Ok(())
}

/// A layer that hands its arguments on to another one: a network does not see what is in it.
#[derive(Debug)]
struct Handing<T: Real>(Arc<dyn Layer<T>>);

impl<T: Real> Layer<T> for Handing<T> {
    fn name(&self) -> String {
        "Handing".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        self.0.outputs(inputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        self.0.blocks(inputs)
    }

    fn init_params(&self, p: InitParamsArgs<'_, T>) {
        self.0
            .init_params(InitParamsArgs::new(p.inputs, p.params, p.rng));
    }

    fn cache_len(&self, inputs: usize) -> usize {
        self.0.cache_len(inputs)
    }

    fn infer(&self, p: InferArgs<'_, T>) {
        self.0.infer(InferArgs::new(p.params, p.x, p.y, p.scratch));
    }

    fn forward(&self, p: ForwardArgs<'_, T>) {
        self.0.forward(ForwardArgs::new(
            p.params, p.x, p.y, p.cache, p.seed, p.training, p.scratch,
        ));
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        self.0.backward(BackwardArgs::new(
            p.params, p.x, p.y, p.cache, p.delta, p.dx, p.training, p.scratch,
        ));
    }

    fn gradient(&self, p: GradientArgs<'_, T>) {
        self.0.gradient(GradientArgs::new(
            p.params, p.x, p.y, p.cache, p.delta, p.grads, p.training, p.scratch,
        ));
    }

    fn tangent_cache_len(&self, inputs: usize) -> usize {
        self.0.tangent_cache_len(inputs)
    }

    fn tangent(&self, p: TangentArgs<'_, T>) -> Result<()> {
        self.0.tangent(TangentArgs::new(
            p.params,
            p.params_dot,
            p.params_moving,
            p.x,
            p.x_dot,
            p.moving,
            p.y,
            p.y_dot,
            p.cache,
            p.tangent_cache,
            p.scratch,
        ))
    }

    fn backward_tangent(&self, p: BackwardTangentArgs<'_, T>) -> Result<()> {
        self.0.backward_tangent(BackwardTangentArgs::new(
            p.params,
            p.params_dot,
            p.params_moving,
            p.x,
            p.x_dot,
            p.moving,
            p.y,
            p.y_dot,
            p.cache,
            p.tangent_cache,
            p.delta,
            p.delta_dot,
            p.dx,
            p.grads_dot,
            p.scratch,
        ))
    }
}

/// All passes of a network that sees the parts, and of one that does not.
#[test]
fn arguments_are_handed_on() -> Result<()> {
    for seed in 0..NETS {
        let net = random::<f64>(seed, false)?;
        let handing = net
            .layers()
            .iter()
            .fold(Sequential::builder(3), |builder, layer| {
                builder.layer(Handing(layer.clone()))
            });
        let handing = handing.seed(seed).build()?;
        assert_eq!(handing.params(), net.params());
        let mut tape = Tape::new();
        let (x, t) = (batch(3, 5, 300 + seed), batch(2, 5, 400 + seed));
        assert_eq!(handing.predict(&x)?, net.predict(&x)?);
        let v = batch(net.params().len(), 1, 500 + seed);
        let all = |net: &Sequential<f64>, tape: &mut Tape<f64>| -> Result<Vec<f64>> {
            let mut all = vec![net.gradient(&x, &t, &QuadraticCost, tape)?];
            all.extend_from_slice(tape.grads());
            let mut product = vec![0.0; v.len()];
            net.hessian_product(&x, &t, &QuadraticCost, v.as_slice(), &mut product, tape)?;
            all.extend(&product);
            net.gauss_newton_product(&x, &t, &QuadraticCost, v.as_slice(), &mut product, tape)?;
            all.extend(&product);
            let mut dx = DMatrix::zeros(3, 5);
            net.input_gradient(&x, &t, &QuadraticCost, &mut dx, tape)?;
            all.extend(&dx);
            all.extend(&net.jacobian(&x)?);
            all.extend(&net.params_jacobian(&x)?);
            Ok(all)
        };
        let (want, got) = (all(&net, &mut tape)?, all(&handing, &mut tape)?);
        for (want, got) in want.iter().zip(&got) {
            assert!(
                (want - got).abs() <= 1e-11 * (1.0 + want.abs()),
                "{seed}: {got}, not {want}\n{net}"
            );
        }
    }
    Ok(())
}

/// Layers in chains are those layers: to the bit, with the same masks.
#[test]
fn a_chain_changes_nothing() -> Result<()> {
    let layers: Vec<Arc<dyn Layer<f64>>> = Sequential::builder(4)
        .layer(Dense::new(8, Activation::Gelu))
        .layer(Dropout::new(0.4))
        .layer(BatchNorm::new())
        .layer(Dense::new(6, Activation::Tanh))
        .layer(Dropout::new(0.2))
        .layer(Dense::new(3, Activation::Linear))
        .build()?
        .layers()
        .to_vec();
    let chain = |range: std::ops::Range<usize>| layers[range].iter().cloned().collect::<Chain<_>>();
    let plain = Sequential::builder(4).layer(chain(0..6)).seed(2).build()?;
    let inner = chain(2..4).layer(Chain::new());
    let deep = Chain::new()
        .layer(chain(0..2))
        .layer(Chain::new().layer(inner));
    let nested = Sequential::builder(4)
        .layer(deep)
        .layer(Chain::new())
        .layer(chain(4..6))
        .seed(2)
        .build()?;
    let flat = layers
        .iter()
        .fold(Sequential::builder(4), |builder, layer| {
            builder.layer(Chain::from_iter([layer.clone()]))
        });
    let flat = flat.seed(2).build()?;
    let (x, t) = (batch(4, 9, 1), batch(3, 9, 2));
    let of = |net: &Sequential<f64>| -> Result<_> {
        let mut tape = Tape::with_seed(3);
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(net.gradient(&x, &t, &QuadraticCost, &mut tape)?);
            all.extend_from_slice(tape.grads());
        }
        Ok((
            all,
            net.predict(&x)?,
            net.jacobian(&x)?,
            net.params().to_vec(),
        ))
    };
    let want = of(&plain)?;
    for net in [&nested, &flat] {
        assert_eq!(of(net)?, want, "{net}");
    }
    // Statistics, too.
    let data = batch(4, 40, 3);
    let mut statistics = [plain, nested, flat];
    for net in &mut statistics {
        net.update_statistics(&data, 10, &mut Tape::new())?;
    }
    assert_eq!(statistics[0].params(), statistics[1].params());
    assert_eq!(statistics[0].params(), statistics[2].params());
    assert_ne!(statistics[0].params(), want.3);
    Ok(())
}

/// The rows of a Jacobian are gradients of single outputs; its product with a vector is the
/// tangent.
#[test]
fn jacobians() -> Result<()> {
    for seed in 0..NETS {
        let net = random::<f64>(seed, true)?;
        let x = batch(3, 4, 600 + seed);
        let v = DVector::from_column_slice(batch(net.params().len(), 1, 700 + seed).as_slice());
        // Statistics are constants of the tangent.
        let mut free = v.clone();
        for parameter in net.named_parameters() {
            if parameter.block.role == Role::Statistic {
                free.as_mut_slice()[parameter.range].fill(0.0);
            }
        }
        let mut tape = Tape::new();
        let mut y_dot = DMatrix::zeros(2, 4);
        net.params_jacobian_product(&x, v.as_slice(), &mut y_dot, &mut tape)?;
        let by_rows = net.params_jacobian(&x)? * free;
        for (got, want) in y_dot.iter().zip(&by_rows) {
            assert!(
                (got - want).abs() < 1e-10 * (1.0 + want.abs()),
                "{seed}: {net}"
            );
        }
        let j = net.jacobian(&x)?;
        for output in 0..2 {
            let mut dx = DMatrix::zeros(3, 4);
            net.input_gradient_with(&x, &mut dx, &mut tape, |_, mut dy| {
                for dy in dy.iter_mut() {
                    dy[output] = 1.0;
                }
                Ok(())
            })?;
            for (k, (got, want)) in dx.iter().zip(j.row(output).iter()).enumerate() {
                assert!(
                    (got - want).abs() < 1e-11 * (1.0 + want.abs()),
                    "{seed}: {got}, not {want}, at {k}\n{net}"
                );
            }
        }
    }
    Ok(())
}

/// uᵀHv, J·v and ∂y/∂x against dual numbers, which go through the forward pass alone.
#[cfg(feature = "num-dual")]
#[test]
fn curvatures_are_those_of_dual_numbers() -> Result<()> {
    use chainrule::nn::loss::Loss;
    use num_dual::HyperDual64;
    for seed in 0..NETS {
        let net = random::<f64>(seed, true)?;
        let mut dual = random::<HyperDual64>(seed, true)?;
        let (x, t) = (batch(3, 4, 800 + seed), batch(2, 4, 900 + seed));
        let len = net.params().len();
        let mut directions = [1000, 2000].map(|start| batch(len, 1, start + seed));
        for parameter in net.named_parameters() {
            if parameter.block.role == Role::Statistic {
                for v in &mut directions {
                    v.as_mut_slice()[parameter.range.clone()].fill(0.0);
                }
            }
        }
        let [u, v] = &directions;
        let (mut h, mut tape) = (vec![0.0; len], Tape::new());
        net.hessian_product(&x, &t, &QuadraticCost, v.as_slice(), &mut h, &mut tape)?;
        let mut y_dot = DMatrix::zeros(2, 4);
        net.params_jacobian_product(&x, v.as_slice(), &mut y_dot, &mut tape)?;
        let params: Vec<_> = (0..len)
            .map(|i| HyperDual64::new(net.params()[i], u[i], v[i], 0.0))
            .collect();
        dual.set_params(&params)?;
        let y = dual.predict(&x.map(HyperDual64::from_re))?;
        let cost = QuadraticCost.value((&y).into(), (&t.map(HyperDual64::from_re)).into())?;
        let got: f64 = u.iter().zip(&h).map(|(u, h)| u * h).sum();
        let size: f64 = u.iter().zip(&h).map(|(u, h)| (u * h).abs()).sum();
        assert!(
            (got - cost.eps1eps2).abs() <= 1e-11 * (1.0 + size),
            "{seed}: {got}, not {}\n{net}",
            cost.eps1eps2
        );
        for (got, want) in y_dot.iter().zip(&y) {
            assert!((got - want.eps2).abs() < 1e-11 * (1.0 + want.eps2.abs()));
        }
        let still: Vec<_> = net
            .params()
            .iter()
            .copied()
            .map(HyperDual64::from_re)
            .collect();
        dual.set_params(&still)?;
        let j = net.jacobian(&x)?;
        for input in 0..3 {
            let moved = DMatrix::from_fn(3, 4, |i, k| {
                HyperDual64::new(x[(i, k)], f64::from(u8::from(i == input)), 0.0, 0.0)
            });
            let y = dual.predict(&moved)?;
            for (sample, y) in y.column_iter().enumerate() {
                for (output, y) in y.iter().enumerate() {
                    let got = j[(output, 3 * sample + input)];
                    assert!(
                        (got - y.eps1).abs() < 1e-11 * (1.0 + y.eps1.abs()),
                        "{seed}: {net}"
                    );
                }
            }
        }
    }
    Ok(())
}

/// A wide nested network for threads and files.
fn wide<T: Real>() -> Result<Sequential<T>> {
    let block = || {
        let body = Chain::new()
            .layer(LayerNorm::new())
            .layer(Dense::new(300, Activation::Gelu))
            .layer(Dropout::new(0.1))
            .layer(Dense::new(150, Activation::Linear));
        Residual::new(body)
    };
    let towers = Parallel::new()
        .branch(
            Chain::new()
                .layer(Dense::new(100, Activation::Tanh))
                .layer(BatchNorm::new()),
        )
        .branch(Dense::new(50, Activation::Relu));
    Sequential::builder(40)
        .layer(towers)
        .layer(block())
        .layer(block())
        .layer(Dense::new(5, Activation::Linear))
        .seed(4)
        .build()
}

#[cfg(feature = "parallel")]
#[test]
fn the_same_bits_on_threads() -> Result<()> {
    let net = wide::<f32>()?;
    let (x, t) = (
        batch(40, 200, 1).cast::<f32>(),
        batch(5, 200, 2).cast::<f32>(),
    );
    let of = |threads: usize| -> Result<_> {
        let mut tape = Tape::with_seed(7).threads(threads)?;
        let mut y = DMatrix::zeros(5, 200);
        net.predict_into(&x, &mut y, &mut tape)?;
        let cost = net.gradient(&x, &t, &MeanSquaredError, &mut tape)?;
        let mut all = tape.grads().to_vec();
        let mut product = vec![0.0; all.len()];
        let v: Vec<f32> = (0..all.len()).map(|i| (i % 7) as f32).collect();
        net.hessian_product(&x, &t, &MeanSquaredError, &v, &mut product, &mut tape)?;
        all.extend(product);
        all.push(cost);
        Ok((y, all))
    };
    let one = of(1)?;
    for threads in [2, 3, 5] {
        assert!(of(threads)? == one, "{threads} threads");
    }
    Ok(())
}

/// Samples are independent of their batch.
#[test]
fn a_sample_has_the_same_bits_in_any_batch() -> Result<()> {
    let net = wide::<f64>()?;
    let x = batch(40, 30, 5);
    let (all, j) = (net.predict(&x)?, net.jacobian(&x)?);
    for sample in [0, 17, 29] {
        let one = x.columns(sample, 1).into_owned();
        assert_eq!(net.predict(&one)?, all.columns(sample, 1).into_owned());
        assert_eq!(net.jacobian(&one)?, j.columns(40 * sample, 40).into_owned());
    }
    Ok(())
}

/// What a tape shows of parts, and where their parameters lie.
#[test]
fn paths() -> Result<()> {
    let body = Chain::new()
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(3, Activation::Linear));
    let mut net = Sequential::<f64>::builder(3)
        .layer(Dense::new(3, Activation::Tanh))
        .layer(Residual::new(body))
        .layer(
            Parallel::new()
                .branch(Dense::new(2, Activation::Sigmoid))
                .branch(Chain::new()),
        )
        .seed(1)
        .build()?;
    let (x, t) = (batch(3, 6, 1), batch(5, 6, 2));
    let mut tape = Tape::new();
    net.gradient(&x, &t, &QuadraticCost, &mut tape)?;
    assert_eq!(tape.a(1)?, tape.a(0)? + tape.a([1, 0])?);
    assert_eq!(tape.a([1, 0])?, tape.a([1, 0, 1])?);
    assert_eq!(tape.a(2)?.rows(0, 2), tape.a([2, 0])?);
    assert_eq!(tape.a(2)?.rows(2, 3), tape.a(1)?);
    // BP4 and BP3 of each part.
    for (path, below) in [
        (&[1, 0, 0][..], &[0][..]),
        (&[1, 0, 1], &[1, 0, 0]),
        (&[2, 0], &[1]),
    ] {
        let delta = tape.delta(path)?;
        let dw = delta * tape.a(below)?.transpose();
        assert!((tape.dw(path)? - dw).amax() < 1e-15);
        assert!((tape.db(path)? - delta.column_sum()).amax() < 1e-15);
    }
    // ∂C/∂ the sum goes to both that are added.
    assert_eq!(tape.delta(1)?, tape.delta([1, 0, 1])?);
    assert_eq!(net.blocks([1, 0, 1]).len(), 2);
    assert_eq!(net.blocks(1).len(), 4);
    net.weights_mut([1, 0, 1])?.fill(0.5);
    net.bias_mut([1, 0, 1])?.fill(0.25);
    assert_eq!(net.weights([1, 0, 1])?[(2, 3)], 0.5);
    assert_eq!(net.bias([1, 0, 1])?[2], 0.25);
    let names: Vec<_> = net.named_parameters().map(|p| (p.name, p.layer)).collect();
    assert_eq!(
        names,
        [
            ("0.weight", 0),
            ("0.bias", 0),
            ("2.body.0.weight", 1),
            ("2.body.0.bias", 1),
            ("2.body.2.weight", 1),
            ("2.body.2.bias", 1),
            ("3.branch0.weight", 2),
            ("3.branch0.bias", 2),
        ]
    );
    let lines = [
        "#        layer               outputs  parameters",
        "0        Dense tanh              3          12",
        "1        Residual                  3          31",
        "1.0        Chain                   3          31",
        "1.0.0        Dense tanh          4          16",
    ];
    let summary = net.to_string();
    let trimmed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (line, want) in summary.lines().zip(lines) {
        assert_eq!(trimmed(line), trimmed(want), "{summary}");
    }
    assert!(
        summary.contains("    Chain") && summary.contains("      Dense"),
        "{summary}"
    );

    let error = |result: Result<()>| result.expect_err("no such part").to_string();
    let weights = |path: &[usize]| net.weights(path).map(|_| ());
    assert_eq!(
        error(weights(&[1])),
        "Sequential::weights: got layer 1 (Residual), expected the path of one of its parts, such \
         as [1, 0]"
    );
    assert_eq!(
        error(weights(&[1, 2])),
        "Sequential::weights: got 2, expected a part below 2 of layer 1 (Residual)"
    );
    assert_eq!(
        error(weights(&[0, 0])),
        "Sequential::weights: got 0.0, expected no part of layer 0 (Dense tanh), which has none"
    );
    assert_eq!(
        error(weights(&[3])),
        "Sequential::weights: got 3, expected a layer below 3"
    );
    assert!(weights(&[]).is_err());
    assert_eq!(
        error(tape.a([1, 1]).map(|_| ())),
        "Tape::a: got layer 1.1 (skip), expected a layer that does not only hand on its input"
    );
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() {
    let build = |layer: Chain<f64>| {
        let net = Sequential::builder(3).layer(layer).build();
        net.map(|_| ()).expect_err("not to be built").to_string()
    };
    let narrow = || Dense::new(2, Activation::Linear);
    assert_eq!(
        build(Chain::new().layer(Residual::new(narrow()))),
        "layer 0.0 (Residual): got [2, 3], expected branches of the same number of outputs \
         (Residual::projection makes the skip as wide as the body)"
    );
    let sum = Parallel::new().branch(narrow()).branch(Chain::new()).add();
    assert_eq!(
        build(Chain::new().layer(sum)),
        "layer 0.0 (Parallel add): got [2, 3], expected branches of the same number of outputs \
         (without Parallel::add they are stacked)"
    );
    assert_eq!(
        build(Chain::new().layer(Parallel::new())),
        "layer 0.0 (Parallel): got 0, expected at least 1 branch"
    );
    let bad = Residual::new(
        Chain::new()
            .layer(Activation::Tanh)
            .layer(Dropout::new(2.0)),
    );
    assert_eq!(
        build(Chain::new().layer(bad)),
        "layer 0.0.0.1 (Dropout): got 2, expected a probability p with 0 ≤ p < 1"
    );
    assert_eq!(
        build(Chain::new()),
        "Sequential::builder: got 0, expected at least 1 layer that does not only hand on its input"
    );
}

/// A layer without derivative hides what is below it in its branch, and nothing else.
#[test]
fn steps_in_branches() -> Result<()> {
    let (x, t) = (batch(3, 4, 1), batch(1, 4, 2));
    let train = |first: Chain<f64>| {
        let branches = Parallel::new()
            .branch(first)
            .branch(Dense::new(2, Activation::Tanh));
        let net = Sequential::builder(3)
            .layer(branches)
            .layer(Dense::new(1, Activation::Linear))
            .build()?;
        net.gradient(&x, &t, &QuadraticCost, &mut Tape::new())
    };
    train(Chain::new().layer(Activation::Step))?;
    let hidden = Chain::new()
        .layer(Dense::new(2, Activation::Linear))
        .layer(Activation::Step);
    let error = train(hidden).expect_err("weights below a step");
    assert_eq!(error.kind(), ErrorKind::Untrainable);
    assert_eq!(error.place(), "layer 0.0.1 (step)");
    Ok(())
}

/// What is known of the outputs goes through joins.
#[test]
fn ranges_and_bounds() -> Result<()> {
    let of = |layer: Parallel<f64>| -> Result<_> {
        let net = Sequential::builder(3).layer(layer).build()?;
        Ok((net.range(), net.bounds()))
    };
    let sigmoid = || Dense::new(2, Activation::Sigmoid);
    let tanh = || Dense::new(2, Activation::Tanh);
    let both = || Parallel::new().branch(sigmoid());
    assert_eq!(of(both())?, (OutputRange::Unit, (0.0, 1.0)));
    assert_eq!(
        of(both().branch(sigmoid()))?,
        (OutputRange::Unit, (0.0, 1.0))
    );
    assert_eq!(of(both().branch(tanh()))?, (OutputRange::Real, (-1.0, 1.0)));
    assert_eq!(
        of(both().branch(tanh()).add())?,
        (OutputRange::Real, (-1.0, 2.0))
    );
    let softmax = Chain::new()
        .layer(Dense::new(2, Activation::Linear))
        .layer(Softmax);
    assert_eq!(
        of(Parallel::new().branch(softmax.clone()))?.0,
        OutputRange::Simplex
    );
    assert_eq!(of(both().branch(softmax))?.0, OutputRange::Unit);
    let skip = Parallel::new().branch(tanh()).branch(Chain::new());
    assert_eq!(of(skip)?.1, (f64::NEG_INFINITY, f64::INFINITY));
    Ok(())
}

/// A composite that is no layer of this crate, and one within it.
#[derive(Debug)]
struct Gated(usize);

impl Composite for Gated {
    type Scalar = f64;

    fn name(&self) -> String {
        "Gated".into()
    }

    fn parts(&self) -> Parts<f64> {
        let halves = Chain::new()
            .layer(Dense::new(2 * self.0, Activation::Linear))
            .layer(Glu::new(Activation::Sigmoid));
        Parts::add().branch("gate", halves).skip()
    }
}

#[test]
fn composites_of_other_crates() -> Result<()> {
    let net = Sequential::builder(3)
        .layer(Gated(3))
        .layer(Residual::new(Gated(3)))
        .seed(1)
        .build()?;
    let names: Vec<_> = net.named_parameters().map(|p| p.name).collect();
    assert_eq!(
        names,
        [
            "0.gate.0.weight",
            "0.gate.0.bias",
            "1.body.gate.0.weight",
            "1.body.gate.0.bias"
        ]
    );
    let (x, t) = (batch(3, 5, 1), batch(3, 5, 2));
    let report = gradcheck::network(&net, &x, &t, &QuadraticCost)?;
    assert!(report.error() < 1e-8, "{report}");
    let layer: &dyn Layer<f64> = &Gated(3);
    assert_eq!(
        layer.describe(),
        "Gated(add: gate=Chain(Dense(outputs=6, activation=linear, bias=true), \
         Glu(activation=sigmoid)), skip)"
    );
    let error = net.cast::<f32>().expect_err("a layer of another crate");
    assert_eq!(error.place(), "layer 0 (Gated)");
    Ok(())
}

/// A layer that takes whole numbers alone, as an index does.
#[derive(Debug)]
struct Whole;

impl<T: Real> Layer<T> for Whole {
    fn name(&self) -> String {
        "Whole".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn checks_inputs(&self) -> bool {
        true
    }

    fn check_inputs(&self, x: View<'_, T>) -> Result<()> {
        for (sample, x) in x.iter().enumerate() {
            if let Some(input) = x.iter().position(|x| x.fract() != T::zero()) {
                let place = format!("input {input} of sample {sample}");
                let expected = "a whole number";
                return Err(chainrule::Error::new(
                    ErrorKind::Value,
                    place,
                    expected,
                    x[input],
                ));
            }
        }
        Ok(())
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice().fill(T::zero());
        }
    }
}

/// Some of the inputs.
#[derive(Debug)]
struct Pick(Vec<usize>);

impl<T: Real> Layer<T> for Pick {
    fn name(&self) -> String {
        "Pick".into()
    }

    fn outputs(&self, _: usize) -> Result<usize> {
        Ok(self.0.len())
    }

    fn selects(&self) -> Option<&[usize]> {
        Some(&self.0)
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        for (y, x) in p.y.iter_mut().zip(p.x.iter()) {
            for (y, row) in y.iter_mut().zip(&self.0) {
                *y = x[*row];
            }
        }
    }

    fn backward(&self, _: BackwardArgs<'_, T>) {}
}

/// Inputs are checked wherever a layer gets some of them, and nowhere else.
#[test]
fn inputs_are_checked() -> Result<()> {
    let dense = || Dense::new(2, Activation::Tanh);
    let few = Chain::new()
        .layer(Chain::new().layer(Pick(vec![2, 0, 3])))
        .layer(Pick(vec![2, 0]))
        .layer(Whole);
    let nets = [
        (
            vec![0, 1, 2, 3],
            Chain::new().layer(Chain::new()).layer(Whole),
        ),
        // Rows 3 and 2 of the inputs, by two selections.
        (
            vec![3, 2],
            Chain::new().layer(Parallel::new().branch(dense()).branch(few)),
        ),
        (
            vec![1, 0],
            Chain::new()
                .layer(Parallel::new().branch(Pick(vec![1])).branch(Pick(vec![0])))
                .layer(Whole),
        ),
        (
            vec![0, 1, 2, 3],
            Chain::new()
                .layer(Parallel::new().branch(Chain::new()).branch(Chain::new()))
                .layer(Whole),
        ),
    ];
    for (checked, layers) in nets {
        let net = Sequential::<f64>::builder(4)
            .layer(layers)
            .layer(dense())
            .seed(1)
            .build()?;
        let t = DMatrix::zeros(2, 3);
        let mut tape = Tape::new();
        for input in 0..4 {
            let mut x = DMatrix::from_fn(4, 3, |i, j| (i + j) as f64);
            x[(input, 1)] = 0.5;
            let place = checked.iter().position(|row| *row == input);
            let results = [
                net.predict(&x).map(|_| ()),
                net.cost(&x, &t, &QuadraticCost, &mut tape).map(|_| ()),
                net.gradient(&x, &t, &QuadraticCost, &mut tape).map(|_| ()),
                net.jacobian(&x).map(|_| ()),
            ];
            for result in results {
                match place {
                    None => result?,
                    Some(place) => {
                        let error = result.expect_err("half an index");
                        let place = format!("(Whole): input {place} of sample 1");
                        assert!(error.place().ends_with(&place), "{error}");
                    }
                }
            }
        }
    }
    for layers in [
        Chain::new().layer(dense()).layer(Whole),
        Chain::new().layer(Residual::new(Chain::new())).layer(Whole),
        Chain::new()
            .layer(Parallel::new().branch(dense()).branch(Chain::new()))
            .layer(Whole),
    ] {
        let net = Sequential::<f64>::builder(2).layer(layers).build();
        let error = net.map(|_| ()).expect_err("an index that is computed");
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert_eq!(error.place(), "layer 0.1 (Whole)");
    }
    Ok(())
}

/// Random nested networks come back from files, and for another scalar.
#[test]
fn files_and_scalars() -> Result<()> {
    for seed in 0..NETS {
        let net = random::<f64>(seed, true)?;
        let x = batch(3, 4, 3000 + seed);
        let y = net.predict(&x)?;
        let single: Sequential<f32> = net.cast()?;
        let near = single.predict(&x.map(|x| x as f32))?.map(f64::from);
        assert!((near - &y).amax() < 1e-4 * (1.0 + y.amax()), "{net}");
        #[cfg(feature = "safetensors")]
        {
            let bytes = Model::from(net.clone()).to_safetensors()?;
            let read = Model::<f64>::from_safetensors(&bytes)?;
            assert_eq!(read.net(), &net);
            assert_eq!(read.predict(&x)?, y);
            let mut other = random::<f64>(seed, true)?;
            other.reset(seed + 1);
            other.read_params(&bytes)?;
            assert_eq!(other, net);
        }
    }
    Ok(())
}
