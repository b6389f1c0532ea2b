//! Tied parameters: the network is a function of those that are free, for every rule and method.

use crate::common::{Folder, bits, refused};
use chainrule::ErrorKind;
use chainrule::nn::layer::{
    BackwardArgs, Block, ForwardArgs, GradientArgs, InferArgs, Layer, Role,
};
use chainrule::nn::loss::SumSquaredError;
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::train::{History, Lbfgs, LevenbergMarquardt, ScaledConjugateGradient};

/// 5-4-3-4-5 whose decoder, without biases, is the transposed encoder: its blocks lie at the end.
fn net(seed: u64) -> Sequential<f64> {
    Sequential::builder(5)
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(3, Activation::Tanh))
        .layer(Dense::new(4, Activation::Tanh).without_bias())
        .layer(Dense::new(5, Activation::Linear).without_bias())
        .seed(seed)
        .build()
        .expect("a sound network")
}

const TIES: [(&str, &str); 2] = [("2.weight", "4.weight"), ("0.weight", "6.weight")];

fn ties() -> impl Iterator<Item = Tie> {
    TIES.into_iter()
        .map(|(first, second)| Tie::new(first, second).transposed())
}

/// The free parameters are the first so many.
const FREE: usize = 5 * 4 + 4 + 4 * 3 + 3;

fn data() -> Dataset<f64> {
    let x = DMatrix::from_fn(5, 24, |i, j| ((i + 2) as f64 * (j as f64 * 0.37)).sin());
    Dataset::new(x.clone(), x).expect("sound data")
}

/// All parameters by the free ones, written out.
fn expand(free: &[f64]) -> Vec<f64> {
    let mut all = free.to_vec();
    let (w1, w2) = (&free[..20], &free[24..36]);
    // W₂ is 3 × 4, its transposed one 4 × 3.
    all.extend((0..12).map(|k| w2[(k / 4) + 3 * (k % 4)]));
    // W₁ is 4 × 5, its transposed one 5 × 4.
    all.extend((0..20).map(|k| w1[(k / 5) + 4 * (k % 5)]));
    all
}

/// The derivative by the free ones of the derivative by all.
fn fold(all: &[f64]) -> Vec<f64> {
    let mut free = all[..FREE].to_vec();
    for k in 0..12 {
        free[24 + (k / 4) + 3 * (k % 4)] += all[FREE + k];
    }
    for k in 0..20 {
        free[(k / 5) + 4 * (k % 5)] += all[FREE + 12 + k];
    }
    free
}

fn is_tied(net: &Sequential<f64>) -> bool {
    net.weights(2).unwrap() == net.weights(1).unwrap().transpose()
        && net.weights(3).unwrap() == net.weights(0).unwrap().transpose()
        && bits(net.params()) == bits(&expand(&net.params()[..FREE]))
}

macro_rules! rules {
    ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
        vec![$($(Box::new($made) as Box<dyn Optimizer<f64>>,)+)+]
    };
}

fn rules() -> Vec<Box<dyn Optimizer<f64>>> {
    let mut rules = chainrule::every_rule!(rules);
    rules.push(Box::new(Ema::new(Adam::new(), 0.8)));
    rules.push(Box::new(Swa::new(Sgd::new().momentum(0.9), 4).every(3)));
    rules.push(Box::new(Swa::new(Adam::new(), 2).in_epochs()));
    rules
}

fn rule(index: usize) -> Box<dyn Optimizer<f64>> {
    rules().swap_remove(index)
}

fn trainer<'a>(rule: Box<dyn Optimizer<f64>>) -> Trainer<'a, f64> {
    let trainer = Trainer::new(MeanSquaredError, rule)
        .learning_rate(0.01)
        .shuffle(false)
        .batch_size(8)
        .epochs(4)
        .penalty(Penalty::new().l1(1e-3).l2(0.02));
    ties().fold(trainer, Trainer::tie)
}

/// The gradient by the free parameters is that of the function of them, by differences.
#[test]
fn gradients_are_those_of_the_tied_function() -> Result<()> {
    let (data, mut net, mut tape) = (data(), net(1), Tape::new());
    for tie in ties() {
        tie.apply(&mut net)?;
    }
    assert!(is_tied(&net));
    let free = net.params()[..FREE].to_vec();
    net.gradient(data.inputs(), &data, &SumSquaredError, &mut tape)?;
    let all = tape.grads().to_vec();
    for tie in ties() {
        tie.gather(&net, tape.grads_mut())?;
    }
    assert_eq!(tape.grads()[..FREE], fold(&all));
    assert!(tape.grads()[FREE..].iter().all(|g| *g == 0.0));
    let grads = tape.grads().to_vec();
    let mut cost = |free: &[f64]| {
        net.set_params(&expand(free))?;
        net.cost(data.inputs(), &data, &SumSquaredError, &mut tape)
    };
    for k in 0..FREE {
        let mut moved = free.clone();
        let h = 1e-5;
        moved[k] = free[k] + h;
        let up = cost(&moved)?;
        moved[k] = free[k] - h;
        let slope = (up - cost(&moved)?) / (2.0 * h);
        assert!(
            (slope - grads[k]).abs() < 1e-6 * (1.0 + slope.abs()),
            "{k}: {slope}"
        );
    }
    Ok(())
}

/// What a trainer does with every rule is what the rule does on the vector of free parameters.
#[test]
fn every_rule_steps_on_the_free_parameters() -> Result<()> {
    let data = data();
    for index in 0..rules().len() {
        let (mut tied, start) = (net(3), net(3));
        trainer(rule(index)).fit(&mut tied, &data)?;
        let name = rule(index).state().rule.clone();
        assert!(is_tied(&tied), "{name}");

        let mut groups = start.default_groups();
        assert_eq!(groups.len(), 1);
        groups[0].range.end = FREE;
        groups[0].matrices.retain(|matrix| matrix.range.end <= FREE);
        let mut whole = start.clone();
        let (mut own, mut tape) = (rule(index), Tape::new());
        let mut free = start.params()[..FREE].to_vec();
        for step in 0..12 {
            let part: Vec<usize> = (0..8).map(|k| (8 * step + k) % 24).collect();
            let part = data.select(&part)?;
            whole.set_params(&expand(&free))?;
            let mut cost = whole.gradient(part.inputs(), &part, &MeanSquaredError, &mut tape)?;
            let mut grads = fold(tape.grads());
            for weights in [0..20, 24..36] {
                for k in weights {
                    let w = free[k];
                    grads[k] += 1e-3 * w.signum() + 0.02 * w;
                    cost += 1e-3 * w.abs() + 0.01 * w * w;
                }
            }
            own.note_cost(cost);
            own.step(0.01, &mut free, &grads, &groups)?;
            if step % 3 == 2 {
                own.note_epoch(&free, &groups);
            }
        }
        own.swap_average(&mut free)?;
        if name.contains("Sarprop") || name.contains("Rprop") {
            // They compare the costs, which are added up in another order.
            let all = expand(&free);
            let pairs = tied.params().iter().zip(&all);
            let apart = pairs.map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f64::max) < 1e-12, "{name}");
        } else {
            assert_eq!(bits(tied.params()), bits(&expand(&free)), "{name}");
        }
    }
    Ok(())
}

/// Norms and clips count shared numbers once.
#[test]
fn norms_and_clips() -> Result<()> {
    let data = data();
    let (mut tied, mut whole) = (net(3), net(3));
    let mut one = ties().fold(
        Trainer::new(MeanSquaredError, Sgd::new())
            .learning_rate(1.0)
            .batch_size(24)
            .shuffle(false)
            .epochs(1)
            .clip(Clip::GlobalNorm(0.01)),
        Trainer::tie,
    );
    let history = one.fit(&mut tied, &data)?;
    let free = whole.params()[..FREE].to_vec();
    whole.set_params(&expand(&free))?;
    let mut tape = Tape::new();
    whole.gradient(data.inputs(), &data, &MeanSquaredError, &mut tape)?;
    let grads = fold(tape.grads());
    let norm = grads.iter().map(|g| g * g).sum::<f64>().sqrt();
    let told = history.last().expect("an epoch").gradient_norm;
    assert!((told - norm).abs() < 1e-14 * norm && norm > 0.01);
    for (k, (w, g)) in free.iter().zip(&grads).enumerate() {
        assert!((tied.params()[k] - (w - g * 0.01 / norm)).abs() < 1e-15);
    }
    Ok(())
}

/// An autoencoder of tied weights as one layer: a code of tanh(W·x + b), and Wᵀ·code + c.
#[derive(Clone, Debug)]
struct Autoencoder(usize);

impl Autoencoder {
    fn output(&self, params: &[f64], x: &[f64], y: &mut [f64], code: &mut [f64]) {
        let (h, n) = (self.0, x.len());
        for (i, code) in code.iter_mut().enumerate() {
            let terms = x.iter().enumerate();
            let z = terms.fold(params[h * n + i], |z, (j, x)| z + params[i + j * h] * x);
            *code = z.tanh();
        }
        for (j, y) in y.iter_mut().enumerate() {
            let terms = code.iter().enumerate();
            let bias = params[h * n + h + j];
            *y = terms.fold(bias, |y, (i, code)| y + params[i + j * h] * code);
        }
    }
}

impl Layer<f64> for Autoencoder {
    fn name(&self) -> String {
        "Autoencoder".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![
            Block::new("weights", Role::Weight, self.0, inputs),
            Block::new("bias", Role::Bias, self.0, 1),
            Block::new("out", Role::Bias, inputs, 1),
        ]
    }

    fn cache_len(&self, _: usize) -> usize {
        self.0
    }

    fn infer(&self, mut p: InferArgs<'_, f64>) {
        let mut cache = vec![0.0; self.0];
        for (y, x) in p.y.iter_mut().zip(p.x.iter()) {
            self.output(p.params, x, y, &mut cache);
        }
    }

    fn forward(&self, mut p: ForwardArgs<'_, f64>) {
        let caches = p.cache.chunks_exact_mut(self.0);
        for ((y, x), cache) in p.y.iter_mut().zip(p.x.iter()).zip(caches) {
            self.output(p.params, x, y, cache);
        }
    }

    fn backward(&self, p: BackwardArgs<'_, f64>) {
        assert!(p.dx.is_none());
    }

    fn gradient(&self, p: GradientArgs<'_, f64>) {
        p.grads.fill(0.0);
        let (h, n) = (self.0, p.x.rows());
        let samples = p.x.iter().zip(p.delta.iter());
        for ((x, e), code) in samples.zip(p.cache.chunks_exact(h)) {
            for (i, code) in code.iter().enumerate() {
                let terms = e.iter().enumerate();
                let slope: f64 = terms.map(|(j, e)| p.params[i + j * h] * e).sum();
                let dz = slope * (1.0 - code * code);
                for (j, (e, x)) in e.iter().zip(x).enumerate() {
                    p.grads[i + j * h] += code * e + dz * x;
                }
                p.grads[h * n + i] += dz;
            }
            for (g, e) in p.grads[h * n + h..].iter_mut().zip(e) {
                *g += e;
            }
        }
    }
}

/// The same function as one layer and as two with a tie, at the same parameters.
fn both() -> Result<[Sequential<f64>; 2]> {
    let mut two = Sequential::builder(5)
        .layer(Dense::new(2, Activation::Tanh))
        .layer(Dense::new(5, Activation::Linear))
        .seed(7)
        .build()?;
    let mut one = Sequential::builder(5)
        .layer(Autoencoder(2))
        .seed(1)
        .build()?;
    Tie::new("0.weight", "2.weight")
        .transposed()
        .apply(&mut two)?;
    let params = [&two.params()[..12], &[0.1; 5]].concat();
    one.set_params(&params)?;
    two.bias_mut(1)?.fill(0.1);
    let x = data();
    let (y, z) = (one.predict(x.inputs())?, two.predict(x.inputs())?);
    assert!((y - z).amax() < 1e-14);
    Ok([one, two])
}

/// Methods on all samples minimize the function of the free parameters.
#[test]
fn full_batch_methods() -> Result<()> {
    type Fit = fn(&mut Sequential<f64>, Option<Tie>, &Dataset<f64>) -> Result<History>;
    let methods: [(&str, Fit); 3] = [
        ("L-BFGS", |net, tie, data| {
            let trainer = Lbfgs::new(MeanSquaredError)
                .epochs(8)
                .penalty(Penalty::new().l2(1e-3));
            tie.into_iter()
                .fold(trainer, |trainer, tie| trainer.tie(tie))
                .fit(net, data)
        }),
        ("scaled conjugate gradients", |net, tie, data| {
            let trainer = ScaledConjugateGradient::new(MeanSquaredError).epochs(8);
            tie.into_iter()
                .fold(trainer, |trainer, tie| trainer.tie(tie))
                .fit(net, data)
        }),
        ("Levenberg–Marquardt", |net, tie, data| {
            let trainer = LevenbergMarquardt::new().epochs(8);
            tie.into_iter()
                .fold(trainer, |trainer, tie| trainer.tie(tie))
                .fit(net, data)
        }),
    ];
    let data = data();
    for (name, fit) in methods {
        let [mut one, mut two] = both()?;
        let free = fit(&mut one, None, &data)?;
        let tie = Tie::new("0.weight", "2.weight").transposed();
        let tied = fit(&mut two, Some(tie), &data)?;
        assert_eq!(two.weights(1)?, two.weights(0)?.transpose(), "{name}");
        let (free, tied): (Vec<f64>, Vec<f64>) = (free.costs().collect(), tied.costs().collect());
        assert!(free.len() == tied.len() && free.len() == 8, "{name}");
        assert!(tied.last() < tied.first(), "{name}");
        for (free, tied) in free.iter().zip(&tied) {
            assert!((free - tied).abs() < 1e-8 * free, "{name}: {free} {tied}");
        }
        let weights = &two.params()[..12];
        for (one, two) in one.params().iter().zip(weights) {
            assert!((one - two).abs() < 1e-6, "{name}: {one} {two}");
        }
    }
    Ok(())
}

/// Threads, single steps and a run in two parts give the same bits.
#[test]
fn the_same_bits() -> Result<()> {
    let data = data();
    for index in 0..rules().len() {
        let fresh = || trainer(rule(index));
        let mut want = net(5);
        fresh().fit(&mut want, &data)?;
        let folder = Folder::new(&format!("ties {index}"));
        let mut halves = net(5);
        let mut first = fresh().epochs(2);
        first.fit(&mut halves, &data)?;
        first.save(&halves, folder.file())?;
        let (mut resumed, mut second) = (net(9), fresh());
        second.resume(&mut resumed, folder.file())?;
        second.fit(&mut resumed, &data)?;
        assert_eq!(bits(resumed.params()), bits(want.params()));
        #[cfg(feature = "parallel")]
        {
            let mut threads = net(5);
            fresh().threads(3).fit(&mut threads, &data)?;
            assert_eq!(bits(threads.params()), bits(want.params()));
        }
        let (mut steps, mut trainer) = (net(5), fresh());
        if rule(index).state().rule.contains("Swa") {
            continue;
        }
        for step in 0..12 {
            let part: Vec<usize> = (0..8).map(|k| (8 * step + k) % 24).collect();
            let part = data.select(&part)?;
            trainer.step(&mut steps, part.inputs(), &part)?;
            assert!(is_tied(&steps));
        }
        assert_eq!(bits(steps.params()), bits(want.params()));
    }
    // Another tie is another training.
    let folder = Folder::new("ties");
    let (mut one, mut first) = (net(5), trainer(Box::new(Adam::new())));
    first.fit(&mut one, &data)?;
    first.save(&one, folder.file())?;
    let mut other = Trainer::new(MeanSquaredError, Adam::new())
        .learning_rate(0.01)
        .shuffle(false)
        .batch_size(8)
        .penalty(Penalty::new().l1(1e-3).l2(0.02));
    let error = other.resume(&mut one, folder.file()).expect_err("no ties");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    Ok(())
}

/// Frozen layers stay, and constraints hold for both blocks.
#[test]
fn frozen_layers_and_constraints() -> Result<()> {
    let data = data();
    let (mut tied, start) = (net(2), net(2));
    trainer(Box::new(Adam::new()))
        .freeze([0, 3])
        .fit(&mut tied, &data)?;
    assert_eq!(tied.weights(0)?, start.weights(0)?);
    assert_eq!(tied.weights(3)?, start.weights(3)?);
    assert_ne!(tied.weights(1)?, start.weights(1)?);
    assert_eq!(tied.weights(2)?, tied.weights(1)?.transpose());

    let mut bounded = net(2);
    trainer(Box::new(Adam::new()))
        .constrain(Constraint::Box {
            low: -0.1,
            high: 0.1,
        })
        .fit(&mut bounded, &data)?;
    assert!(is_tied(&bounded));
    assert!(bounded.weights(3)?.amax() <= 0.1 && bounded.weights(1)?.amax() <= 0.1);
    Ok(())
}

#[test]
fn refused_ties() -> Result<()> {
    let data = data();
    let fit = |ties: &[Tie], change: fn(Trainer<'static, f64>) -> Trainer<'static, f64>| {
        let trainer = Trainer::new(MeanSquaredError, Adam::new());
        let trainer = ties.iter().cloned().fold(trainer, Trainer::tie);
        let mut net = net(1);
        let result = change(trainer).fit(&mut net, &data);
        if result.is_err() {
            assert_eq!(bits(net.params()), bits(self::net(1).params()));
        }
        result
    };
    let tie = |first, second| Tie::new(first, second);
    refused(
        fit(&[tie("0.weight", "9.weight")], |t| t),
        ErrorKind::Value,
        "tie of \"0.weight\" and \"9.weight\": got \"9.weight\", expected one of 0.weight, 0.bias, \
         2.weight, 2.bias, 4.weight, 6.weight",
    );
    refused(
        fit(&[tie("0.weight", "6.weight")], |t| t),
        ErrorKind::Shape,
        "tie of \"0.weight\" and \"6.weight\": got 5 × 4, expected 4 × 5 (Tie::transposed ties to \
         the transposed block)",
    );
    refused(
        fit(&[tie("0.weight", "0.weight")], |t| t),
        ErrorKind::Incompatible,
        "tie of \"0.weight\" and \"0.weight\": got the same block twice, expected two blocks",
    );
    let twice = [
        tie("0.weight", "6.weight").transposed(),
        tie("6.weight", "0.weight").transposed(),
    ];
    let error = fit(&twice, |t| t).expect_err("a circle");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let good = [tie("0.weight", "6.weight").transposed()];
    refused(
        fit(&good, |t| t.freeze([0])),
        ErrorKind::Incompatible,
        "tie of \"0.weight\" and \"6.weight\", transposed: got layers 0 and 3, one of them \
         frozen, expected two layers that are frozen, or none",
    );
    let groups = |t: Trainer<'static, f64>| {
        t.groups(net(1).groups(|layer, _| (if layer == 3 { 0.5 } else { 1.0 }, 0.0)))
    };
    let error = fit(&good, groups).expect_err("two rates");
    assert_eq!(
        (error.kind(), error.place()),
        (ErrorKind::Incompatible, "groups of Trainer")
    );
    let error = fit(&good, |t| t.constrain(Constraint::MaxNorm(1.0))).expect_err("rows");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    fit(&good, |t| t)?;
    Ok(())
}
