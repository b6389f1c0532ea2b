//! How should a dense network keep its activations: features × batch (a sample is a column) or
//! batch × features?
//!
//! Times whole training steps (forward, loss gradient, backward, plain SGD; one thread, f32, no
//! allocation). In both layouts the user's samples and targets are columns, next to each other in
//! memory; batch-major reads them transposed. Batch-major is timed with the weights stored in × out
//! ("in×out") and out × in ("out×in"); feature-major always has them out × in.

extern crate alloc;
#[path = "../src/numeric/kernel/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "a private module of the crate, seen from outside"
)]
mod kernel;

use std::time::Instant;

use fearless_simd::{Level, Simd, dispatch};
use kernel::gemm::{self, Mat, Size};

/// C = op(A)·op(B).
fn gemm(
    level: Level,
    (m, n, k): (usize, usize, usize),
    a: Mat<'_, f32>,
    b: Mat<'_, f32>,
    c: &mut [f32],
    pack: &mut Vec<f32>,
) {
    dispatch!(level, simd => gemm::product::<_, _, false>(simd, Size { m, n, k }, a, b, c, pack));
}

/// Runs an element-wise loop with the level's instructions.
macro_rules! vectorized {
    ($level:expr, $body:expr) => {
        dispatch!($level, simd => inside(simd, #[inline(always)] || $body))
    };
}

#[inline(always)]
fn inside<S: Simd, R>(simd: S, body: impl FnOnce() -> R) -> R {
    simd.vectorize(body)
}

#[derive(Clone, Copy, PartialEq)]
enum Loss {
    SoftmaxCrossEntropy,
    HalfSquaredError,
}

#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// Activations features × batch, weights out × in.
    FeatureMajor,
    /// Activations batch × features, weights in × out.
    BatchMajorInOut,
    /// Activations batch × features, weights out × in.
    BatchMajorOutIn,
}

use Layout::*;

/// exp for arguments up to 0; a branch-free polynomial, so that it vectorizes.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let n = (x * core::f32::consts::LOG2_E + SHIFT) - SHIFT;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.0
        + r * (1.0
            + r * (0.5
                + r * (0.166_666_66 + r * (0.041_666_42 + r * (0.008_333_68 + r * 0.001_394_3)))));
    p * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

#[inline(always)]
fn relu(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.0 }
}

/// z += bias, then ReLU unless `last`; each chunk of `rows` elements is one sample.
#[inline(always)]
fn bias_relu_features(z: &mut [f32], bias: &[f32], last: bool) {
    for z in z.chunks_exact_mut(bias.len()) {
        if last {
            z.iter_mut().zip(bias).for_each(|(z, b)| *z += b);
        } else {
            z.iter_mut().zip(bias).for_each(|(z, b)| *z = relu(*z + b));
        }
    }
}

/// The same; each chunk of `batch` elements is one neuron.
#[inline(always)]
fn bias_relu_batch(z: &mut [f32], bias: &[f32], batch: usize, last: bool) {
    for (z, &b) in z.chunks_exact_mut(batch).zip(bias) {
        if last {
            z.iter_mut().for_each(|z| *z += b);
        } else {
            z.iter_mut().for_each(|z| *z = relu(*z + b));
        }
    }
}

#[inline(always)]
fn relu_backward(delta: &mut [f32], a: &[f32]) {
    delta
        .iter_mut()
        .zip(a)
        .for_each(|(d, a)| *d = if *a > 0.0 { *d } else { 0.0 });
}

#[inline(always)]
fn bias_gradient_features(delta: &[f32], gradient: &mut [f32]) {
    gradient.fill(0.0);
    for delta in delta.chunks_exact(gradient.len()) {
        gradient.iter_mut().zip(delta).for_each(|(g, d)| *g += d);
    }
}

#[inline(always)]
fn bias_gradient_batch(delta: &[f32], gradient: &mut [f32], batch: usize) {
    for (delta, g) in delta.chunks_exact(batch).zip(gradient) {
        let (chunks, rest) = delta.as_chunks::<16>();
        let mut sums = [0.0; 16];
        for chunk in chunks {
            sums.iter_mut().zip(chunk).for_each(|(s, d)| *s += d);
        }
        for half in [8, 4, 2, 1] {
            let (low, high) = sums.split_at_mut(half);
            low.iter_mut().zip(high).for_each(|(l, h)| *l += *h);
        }
        *g = sums[0] + rest.iter().sum::<f32>();
    }
}

#[inline(always)]
fn softmax_gradient_features(
    z: &[f32],
    target: &[f32],
    delta: &mut [f32],
    classes: usize,
    scale: f32,
) {
    for (d, z) in delta.chunks_exact_mut(classes).zip(z.chunks_exact(classes)) {
        let max = z
            .iter()
            .fold(f32::NEG_INFINITY, |m, z| if *z > m { *z } else { m });
        d.iter_mut().zip(z).for_each(|(d, z)| *d = z - max);
    }
    delta.iter_mut().for_each(|d| *d = exp(*d));
    for (d, t) in delta
        .chunks_exact_mut(classes)
        .zip(target.chunks_exact(classes))
    {
        let norm = scale / d.iter().sum::<f32>();
        d.iter_mut()
            .zip(t)
            .for_each(|(d, t)| *d = *d * norm - t * scale);
    }
}

/// Vectorized along the batch; the small target is transposed into `scratch` first.
#[inline(always)]
fn softmax_gradient_batch(
    z: &[f32],
    target: &[f32],
    delta: &mut [f32],
    scratch: &mut [f32],
    batch: usize,
    scale: f32,
) {
    let classes = z.len() / batch;
    let (max, rest) = scratch.split_at_mut(batch);
    let (sum, transposed) = rest.split_at_mut(batch);
    transpose_target(target, transposed, classes, batch);
    max.fill(f32::NEG_INFINITY);
    for z in z.chunks_exact(batch) {
        max.iter_mut()
            .zip(z)
            .for_each(|(m, z)| *m = if *z > *m { *z } else { *m });
    }
    sum.fill(0.0);
    for (d, z) in delta.chunks_exact_mut(batch).zip(z.chunks_exact(batch)) {
        for (((d, z), m), s) in d.iter_mut().zip(z).zip(&*max).zip(sum.iter_mut()) {
            *d = exp(z - m);
            *s += *d;
        }
    }
    sum.iter_mut().for_each(|s| *s = scale / *s);
    for (d, t) in delta
        .chunks_exact_mut(batch)
        .zip(transposed.chunks_exact(batch))
    {
        for ((d, t), s) in d.iter_mut().zip(t).zip(&*sum) {
            *d = *d * s - t * scale;
        }
    }
}

#[inline(always)]
fn transpose_target(target: &[f32], transposed: &mut [f32], classes: usize, batch: usize) {
    for (sample, target) in target.chunks_exact(classes).enumerate() {
        for (t, to) in target
            .iter()
            .zip(transposed[sample..].iter_mut().step_by(batch))
        {
            *to = *t;
        }
    }
}

#[inline(always)]
fn squared_error_gradient(y: &[f32], target: &[f32], delta: &mut [f32], scale: f32) {
    for ((d, y), t) in delta.iter_mut().zip(y).zip(target) {
        *d = (y - t) * scale;
    }
}

struct Net {
    layout: Layout,
    loss: Loss,
    widths: Vec<usize>,
    batch: usize,
    level: Level,
    weights: Vec<Vec<f32>>,
    bias: Vec<Vec<f32>>,
    d_weights: Vec<Vec<f32>>,
    d_bias: Vec<Vec<f32>>,
    activations: Vec<Vec<f32>>,
    deltas: Vec<Vec<f32>>,
    scratch: Vec<f32>,
    pack: Vec<f32>,
}

fn plain(data: &[f32], ld: usize) -> Mat<'_, f32> {
    Mat {
        data,
        ld,
        skip: 0,
        transposed: false,
    }
}

fn turned(data: &[f32], ld: usize) -> Mat<'_, f32> {
    Mat {
        data,
        ld,
        skip: 0,
        transposed: true,
    }
}

impl Net {
    fn new(layout: Layout, loss: Loss, widths: &[usize], batch: usize, level: Level) -> Self {
        let mut random = Random(7);
        let weights = widths.windows(2).map(|w| {
            let (inputs, outputs) = (w[0], w[1]);
            let scale = (2.0 / inputs as f32).sqrt();
            let drawn: Vec<f32> = (0..inputs * outputs)
                .map(|_| random.normal() * scale)
                .collect();
            match layout {
                BatchMajorInOut => (0..inputs * outputs)
                    .map(|q| drawn[q / inputs + q % inputs * outputs])
                    .collect(),
                _ => drawn,
            }
        });
        let weights: Vec<Vec<f32>> = weights.collect();
        let per_layer = |rows: usize| {
            widths[1..]
                .iter()
                .map(|w| vec![0.0; w * rows])
                .collect::<Vec<_>>()
        };
        Self {
            d_weights: weights.iter().map(|w| vec![0.0; w.len()]).collect(),
            bias: per_layer(1),
            d_bias: per_layer(1),
            activations: per_layer(batch),
            deltas: per_layer(batch),
            scratch: vec![0.0; batch * (2 + widths.last().unwrap())],
            pack: vec![],
            widths: widths.to_vec(),
            layout,
            loss,
            batch,
            level,
            weights,
        }
    }

    fn forward(&mut self, x: &[f32]) {
        let batch = self.batch;
        let level = self.level;
        let layers = self.weights.len();
        for l in 0..layers {
            let inputs = self.widths[l];
            let outputs = self.widths[l + 1];
            let last = l + 1 == layers;
            let (before, after) = self.activations.split_at_mut(l);
            let w = &self.weights[l];
            let bias = &self.bias[l];
            let z = &mut after[0];
            if self.layout == FeatureMajor {
                let input = if l == 0 { x } else { &before[l - 1] };
                gemm(
                    level,
                    (outputs, batch, inputs),
                    plain(w, outputs),
                    plain(input, inputs),
                    z,
                    &mut self.pack,
                );
                vectorized!(level, bias_relu_features(z, bias, last));
            } else {
                let input = if l == 0 {
                    turned(x, inputs)
                } else {
                    plain(&before[l - 1], batch)
                };
                let w = if self.layout == BatchMajorInOut {
                    plain(w, inputs)
                } else {
                    turned(w, outputs)
                };
                gemm(level, (batch, outputs, inputs), input, w, z, &mut self.pack);
                vectorized!(level, bias_relu_batch(z, bias, batch, last));
            }
        }
    }

    fn step(&mut self, x: &[f32], target: &[f32], rate: f32) {
        self.forward(x);
        let batch = self.batch;
        let level = self.level;
        let layers = self.weights.len();
        let scale = 1.0 / batch as f32;
        let classes = self.widths[layers];
        let (y, delta) = (&self.activations[layers - 1], &mut self.deltas[layers - 1]);
        match (self.loss, self.layout) {
            (Loss::SoftmaxCrossEntropy, FeatureMajor) => vectorized!(
                level,
                softmax_gradient_features(y, target, delta, classes, scale)
            ),
            (Loss::SoftmaxCrossEntropy, _) => vectorized!(
                level,
                softmax_gradient_batch(y, target, delta, &mut self.scratch, batch, scale)
            ),
            (Loss::HalfSquaredError, FeatureMajor) => {
                vectorized!(level, squared_error_gradient(y, target, delta, scale))
            }
            (Loss::HalfSquaredError, _) if classes == 1 => {
                vectorized!(level, squared_error_gradient(y, target, delta, scale))
            }
            (Loss::HalfSquaredError, _) => vectorized!(level, {
                transpose_target(target, &mut self.scratch, classes, batch);
                squared_error_gradient(y, &self.scratch, delta, scale);
            }),
        }
        for l in (0..layers).rev() {
            let (inputs, outputs) = (self.widths[l], self.widths[l + 1]);
            let (before, after) = self.deltas.split_at_mut(l);
            let w = &self.weights[l];
            let dw = &mut self.d_weights[l];
            let db = &mut self.d_bias[l];
            let delta = &after[0];
            let input = if l == 0 { x } else { &self.activations[l - 1] };
            match self.layout {
                FeatureMajor => {
                    gemm(
                        level,
                        (outputs, inputs, batch),
                        plain(delta, outputs),
                        turned(input, inputs),
                        dw,
                        &mut self.pack,
                    );
                    vectorized!(level, bias_gradient_features(delta, db));
                }
                BatchMajorInOut => {
                    let input = if l == 0 {
                        plain(input, inputs)
                    } else {
                        turned(input, batch)
                    };
                    gemm(
                        level,
                        (inputs, outputs, batch),
                        input,
                        plain(delta, batch),
                        dw,
                        &mut self.pack,
                    );
                    vectorized!(level, bias_gradient_batch(delta, db, batch));
                }
                BatchMajorOutIn => {
                    let input = if l == 0 {
                        turned(input, inputs)
                    } else {
                        plain(input, batch)
                    };
                    gemm(
                        level,
                        (outputs, inputs, batch),
                        turned(delta, batch),
                        input,
                        dw,
                        &mut self.pack,
                    );
                    vectorized!(level, bias_gradient_batch(delta, db, batch));
                }
            }
            if l > 0 {
                let dx = &mut before[l - 1];
                match self.layout {
                    FeatureMajor => gemm(
                        level,
                        (inputs, batch, outputs),
                        turned(w, outputs),
                        plain(delta, outputs),
                        dx,
                        &mut self.pack,
                    ),
                    BatchMajorInOut => gemm(
                        level,
                        (batch, inputs, outputs),
                        plain(delta, batch),
                        turned(w, inputs),
                        dx,
                        &mut self.pack,
                    ),
                    BatchMajorOutIn => gemm(
                        level,
                        (batch, inputs, outputs),
                        plain(delta, batch),
                        plain(w, outputs),
                        dx,
                        &mut self.pack,
                    ),
                }
                vectorized!(level, relu_backward(dx, input));
            }
        }
        for (p, g) in self
            .weights
            .iter_mut()
            .zip(&self.d_weights)
            .chain(self.bias.iter_mut().zip(&self.d_bias))
        {
            vectorized!(level, p.iter_mut().zip(g).for_each(|(p, g)| *p -= rate * g));
        }
    }

    fn value(&mut self, x: &[f32], target: &[f32]) -> f64 {
        self.forward(x);
        let y = self.activations.last().unwrap();
        let classes = *self.widths.last().unwrap();
        let batch = self.batch;
        let at = |i: usize, s: usize| {
            f64::from(if self.layout == FeatureMajor {
                y[i + s * classes]
            } else {
                y[s + i * batch]
            })
        };
        let sample = |s: usize| -> f64 {
            let t = |i: usize| f64::from(target[i + s * classes]);
            match self.loss {
                Loss::HalfSquaredError => {
                    (0..classes).map(|i| 0.5 * (at(i, s) - t(i)).powi(2)).sum()
                }
                Loss::SoftmaxCrossEntropy => {
                    let log_sum = (0..classes).map(|i| at(i, s).exp()).sum::<f64>().ln();
                    (0..classes).map(|i| t(i) * (log_sum - at(i, s))).sum()
                }
            }
        };
        (0..batch).map(sample).sum::<f64>() / batch as f64
    }
}

struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// Batches of samples and targets, both as columns.
fn batches(loss: Loss, inputs: usize, outputs: usize, batch: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
    let mut random = Random(1);
    let mut one = || {
        let x: Vec<f32> = (0..inputs * batch).map(|_| random.normal()).collect();
        let target = |s: usize, i: usize| match loss {
            Loss::SoftmaxCrossEntropy => {
                f32::from(((x[s * inputs] + 2.0) * 2.5).clamp(0.0, 9.0) as usize == i)
            }
            Loss::HalfSquaredError => 0.5 + 0.2 * x[s * inputs + i].tanh(),
        };
        let t = (0..batch)
            .flat_map(|s| (0..outputs).map(move |i| (s, i)))
            .map(|(s, i)| target(s, i))
            .collect();
        (x, t)
    };
    (0..8).map(|_| one()).collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let level = Level::new();
    let nets: [(&[usize], usize, Loss); 6] = [
        (&[2, 3, 1], 3, Loss::HalfSquaredError),
        (&[13, 64, 64, 1], 32, Loss::HalfSquaredError),
        (&[64, 64, 64, 10], 32, Loss::SoftmaxCrossEntropy),
        (&[784, 128, 10], 32, Loss::SoftmaxCrossEntropy),
        (&[784, 512, 512, 10], 128, Loss::SoftmaxCrossEntropy),
        (
            &[1024, 1024, 1024, 1024, 10],
            256,
            Loss::SoftmaxCrossEntropy,
        ),
    ];
    let layouts = [FeatureMajor, BatchMajorInOut, BatchMajorOutIn];
    println!(
        "| net | feature-major µs | batch-major in×out µs | ratio | batch-major out×in µs | ratio \
         | loss after 50 steps |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (widths, batch, loss) in nets {
        let data = batches(loss, widths[0], *widths.last().unwrap(), batch);
        let mut nets = layouts.map(|layout| Net::new(layout, loss, widths, batch, level));
        let losses = nets.each_mut().map(|net| {
            (0..50).for_each(|s| net.step(&data[s % 8].0, &data[s % 8].1, 0.01));
            net.value(&data[0].0, &data[0].1)
        });
        for l in losses {
            assert!(
                (l - losses[0]).abs() <= 1e-3 * losses[0].abs().max(1e-3),
                "the layouts disagree: {losses:?}"
            );
        }
        // One slice of a few milliseconds per layout and round, in changing order; a layout's ratio
        // is taken within a round.
        let clock = Instant::now();
        (0..3).for_each(|s| nets[0].step(&data[s].0, &data[s].1, 1e-6));
        let steps = ((0.004 / (clock.elapsed().as_secs_f64() / 3.0)) as usize).clamp(1, 20_000);
        let mut times = [vec![], vec![], vec![]];
        for round in 0..60 {
            for q in 0..3 {
                let q = (q + round) % 3;
                let clock = Instant::now();
                (0..steps).for_each(|s| nets[q].step(&data[s % 8].0, &data[s % 8].1, 1e-6));
                times[q].push(clock.elapsed().as_secs_f64() / steps as f64 * 1e6);
            }
        }
        let ratio = |q: usize| {
            median(
                &mut times[q]
                    .iter()
                    .zip(&times[0])
                    .map(|(t, f)| t / f)
                    .collect::<Vec<_>>(),
            )
        };
        let (r1, r2) = (ratio(1), ratio(2));
        let [f, b1, b2] = times.each_mut().map(|t| median(t));
        let name = widths
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("-");
        println!(
            "| {name} b{batch} | {f:.2} | {b1:.2} | {r1:.3} | {b2:.2} | {r2:.3} | {:.6} |",
            losses[0]
        );
    }
}
