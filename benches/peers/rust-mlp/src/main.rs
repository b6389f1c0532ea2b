//! rust-mlp peer: the calls that its `fit` makes, with buffers and optimizer that stay from step to
//! step. Its losses are means over the outputs: see `factor`.
#[path = "../../rust_common/common.rs"]
mod common;
use common::{Act, Spec, args, data, emit, emit_a1, infer, measure, mnist, permutation, spec};
use rust_mlp::{
    Activation, BatchBackpropScratch, BatchScratch, Gradients, Loss, Mlp, MlpBuilder, Optimizer,
    OptimizerState, Scratch,
};
use std::time::Instant;

const PEER: &str = "rust-mlp";

fn network(s: &Spec) -> Mlp {
    let last = s.sizes.len() - 2;
    let activations: Vec<_> = (0..=last)
        .map(|l| match s.act {
            _ if l == last && s.loss != common::Loss::Sse => Activation::Identity,
            Act::Sigmoid => Activation::Sigmoid,
            Act::Tanh => Activation::Tanh,
            Act::Relu => Activation::ReLU,
        })
        .collect();
    MlpBuilder::from_sizes(s.sizes, &activations)
        .unwrap()
        .build_with_seed(1)
        .unwrap()
}

fn loss(s: &Spec) -> Loss {
    match s.loss {
        common::Loss::Sse | common::Loss::Mse => Loss::Mse,
        common::Loss::Ce => Loss::SoftmaxCrossEntropy,
        common::Loss::Bce => Loss::BinaryCrossEntropyWithLogits,
    }
}

/// What an item's loss is of the mean of this library's: half the mean of squares, and the mean
/// over classes.
fn factor(s: &Spec) -> f32 {
    let outputs = s.sizes[s.sizes.len() - 1];
    match s.loss {
        common::Loss::Sse => (s.batch * outputs) as f32,
        common::Loss::Mse => 2.0,
        common::Loss::Ce => outputs as f32,
        common::Loss::Bce => 1.0,
    }
}

struct Run {
    net: Mlp,
    loss: Loss,
    optimizer: OptimizerState,
    lr: f32,
    one: Scratch,
    batch: BatchScratch,
    back: BatchBackpropScratch,
    slopes: Vec<f32>,
    grads: Gradients,
}

impl Run {
    fn new(s: &Spec) -> Self {
        let net = network(s);
        let (rule, lr) = if s.adam {
            let adam = Optimizer::Adam {
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
            };
            (adam, s.lr as f32)
        } else {
            (Optimizer::Sgd, s.lr as f32 * factor(s))
        };
        Self {
            loss: loss(s),
            optimizer: rule.state(&net).unwrap(),
            lr,
            one: net.scratch(),
            batch: net.scratch_batch(s.batch),
            back: net.backprop_scratch_batch(s.batch),
            slopes: vec![0.0; s.batch * net.output_dim()],
            grads: net.gradients(),
            net,
        }
    }

    /// For another number of samples.
    fn resize(&mut self, samples: usize) {
        self.batch = self.net.scratch_batch(samples);
        self.back = self.net.backprop_scratch_batch(samples);
        self.slopes = vec![0.0; samples * self.net.output_dim()];
    }

    fn step(&mut self, x: &[f32], t: &[f32]) {
        let outputs = self.net.output_dim();
        if t.len() == outputs {
            let y = self.net.forward(x, &mut self.one);
            self.loss.backward(y, t, self.grads.d_output_mut());
            self.net.backward(x, &self.one, &mut self.grads);
        } else {
            let y = self.net.forward_batch(x, &mut self.batch);
            let samples = y.chunks_exact(outputs).zip(t.chunks_exact(outputs));
            for ((y, t), slopes) in samples.zip(self.slopes.chunks_exact_mut(outputs)) {
                self.loss.backward(y, t, slopes);
            }
            self.net.backward_batch(
                x,
                &self.batch,
                &self.slopes,
                &mut self.grads,
                &mut self.back,
            );
        }
        self.optimizer.step(&mut self.net, &mut self.grads, self.lr);
    }
}

fn one_hot(y: &[u32], classes: u32) -> Vec<f32> {
    y.iter()
        .flat_map(|&c| (0..classes).map(move |j| (j == c) as u8 as f32))
        .collect()
}

fn main() {
    let a = args();
    for item in &a.items {
        if item == "A1" {
            a1(&a);
        } else if let Some((base, batch)) = infer(item) {
            inference(&a, item, base, batch);
        } else {
            training(&a, item);
        }
    }
}

fn training(a: &common::Args, item: &str) {
    let s = spec(item);
    let (inputs, outputs) = (s.sizes[0], s.sizes[s.sizes.len() - 1]);
    let (x, targets, classes) = data(item);
    let t = if targets.is_empty() {
        one_hot(&classes, outputs as u32)
    } else {
        targets
    };
    let mut run = Run::new(&s);
    let mut batches = x
        .chunks_exact(s.batch * inputs)
        .zip(t.chunks_exact(s.batch * outputs))
        .cycle();
    let sec = measure(a.seconds, a.warm, |n| {
        for (x, t) in batches.by_ref().take(n) {
            run.step(x, t);
        }
    });
    let samples = x.chunks_exact(inputs).zip(t.chunks_exact(outputs));
    let total: f32 = samples
        .map(|(x, t)| run.loss.forward(run.net.forward(x, &mut run.one), t))
        .sum();
    let cost = total * factor(&s) / s.rows as f32;
    emit(PEER, item, a.threads, sec, Some(cost));
}

fn inference(a: &common::Args, item: &str, base: &str, batch: usize) {
    let s = spec(base);
    let (x, _, _) = data(base);
    let net = network(&s);
    let (mut one, mut many) = (net.scratch(), net.scratch_batch(batch));
    let mut batches = x.chunks_exact(batch * s.sizes[0]).cycle();
    let sec = measure(a.seconds, a.warm, |n| {
        for x in batches.by_ref().take(n) {
            if batch == 1 {
                std::hint::black_box(net.forward(x, &mut one));
            } else {
                std::hint::black_box(net.forward_batch(x, &mut many));
            }
        }
    });
    emit(PEER, item, a.threads, sec, None);
}

fn a1(a: &common::Args) {
    let s = spec("T5");
    let (xt, yt, xv, yv) = mnist(&a.data);
    let t = one_hot(&yt, 10);
    let mut run = Run::new(&s);
    let mut ep = vec![];
    for e in 0..5 {
        let start = Instant::now();
        for chunk in permutation(yt.len(), e).chunks(s.batch) {
            let gather = |from: &[f32], width: usize| -> Vec<f32> {
                let rows = chunk.iter().map(|&i| &from[i as usize * width..][..width]);
                rows.flatten().copied().collect()
            };
            if run.slopes.len() != chunk.len() * 10 {
                run.resize(chunk.len());
            }
            run.step(&gather(&xt, 784), &gather(&t, 10));
        }
        ep.push(start.elapsed().as_secs_f64());
    }
    run.resize(yv.len());
    let y = run.net.forward_batch(&xv, &mut run.batch);
    let ok = y
        .chunks(10)
        .zip(&yv)
        .filter(|(r, y)| r.iter().all(|v| *v <= r[**y as usize]))
        .count();
    emit_a1(PEER, a.threads, ok as f64 / yv.len() as f64, &ep);
}
