//! Networks of nothing but small dense layers, a whole pass in one call: to choose an instruction
//! set for every line of every layer would take longer than its numbers.
//!
//! What is computed is what `Dense` computes, to the last bit: each sum is one chain of (fused)
//! multiply-adds from zero along the inner dimension, as in the ordinary product of so few numbers.
//! Lanes run along a column of the result. Columns are read and written in whole vectors: what a
//! vector holds beyond its column is not used, and what it spills the next column overwrites.
#![allow(
    clippy::needless_range_loop,
    reason = "the index runs through several arrays at once, and unrolls"
)]

use crate::nn::activation::Activation;
use crate::nn::activation::loops::{Apply, Chain, LANES, copy_few};
use crate::nn::layer::Layer;
use crate::nn::layers::Dense;
use crate::nn::layout::{Layout, Link};
use crate::numeric::kernel::gemm::{Element, K_BLOCK, transpose};
use crate::numeric::kernel::{self, Kernel, Pass, Simd, SimdBase, SimdFloat, compiled};
use crate::numeric::real::Real;
use alloc::vec::Vec;
use core::any::Any;

/// The most samples of a pass: beyond them the ordinary product sums by blocks.
const MOST_SAMPLES: usize = K_BLOCK;

/// Room for a transposed matrix, and for what its last column spills.
const TURNED: usize = LANES * LANES + LANES;

/// The activation of a small dense layer, and whether it has biases: the inputs and the outputs fit
/// into a vector each, beyond which the ordinary product may take dot products. `None` of any
/// other.
pub(crate) fn small<T: Real>(
    layer: &dyn Layer<T>,
    inputs: usize,
    outputs: usize,
) -> Option<(Activation, bool)> {
    let most = match T::BYTES {
        4 => LANES,
        8 => LANES / 2,
        _ => 0,
    };
    let layer: &dyn Any = layer;
    let dense = layer.downcast_ref::<Dense>()?;
    let activation = dense.activation().clone();
    let fits = inputs.max(outputs) <= most && !matches!(activation, Activation::Surrogate { .. });
    fits.then_some((activation, dense.has_bias()))
}

/// The layers of a network that is a chain, for a pass of few samples.
#[inline]
pub(crate) fn of(layout: &Layout, samples: usize) -> Option<&[Link]> {
    layout.links().filter(|_| samples <= MOST_SAMPLES)
}

/// All outputs from the inputs, and the slopes of the activations into the cache, unless that is
/// empty.
pub(crate) struct Forward<'a, T> {
    pub(crate) links: &'a [Link],
    pub(crate) params: &'a [T],
    pub(crate) x: &'a [T],
    pub(crate) samples: usize,
    pub(crate) activations: &'a mut [T],
    pub(crate) cache: &'a mut [T],
}

/// All δ and gradients from ∂C/∂y.
pub(crate) struct Backward<'a, T> {
    pub(crate) links: &'a [Link],
    pub(crate) params: &'a [T],
    pub(crate) x: &'a [T],
    pub(crate) samples: usize,
    pub(crate) activations: &'a [T],
    pub(crate) cache: &'a [T],
    pub(crate) deltas: &'a mut [T],
    pub(crate) grads: &'a mut [T],
    /// Room for a transposed matrix, which grows on first use.
    pub(crate) turned: &'a mut Vec<T>,
}

type ForwardFn<T> = fn(&mut Forward<'_, T>);
type BackwardFn<T> = fn(&mut Backward<'_, T>);

/// Without type parameters: compiled here once, and not in every crate that uses this one.
macro_rules! entries {
    ($module:ident, $t:ident) => {
        mod $module {
            use super::{Backward, Forward, kernel};

            pub(super) fn forward(pass: &mut Forward<'_, $t>) {
                kernel::dispatch(kernel::level(), pass);
            }

            pub(super) fn backward(pass: &mut Backward<'_, $t>) {
                kernel::dispatch(kernel::level(), pass);
            }
        }
    };
}
entries!(single, f32);
entries!(double, f64);

impl<T: Real> Forward<'_, T> {
    pub(crate) fn run(&mut self) {
        let run = compiled::<ForwardFn<T>>(
            single::forward as ForwardFn<f32>,
            double::forward as ForwardFn<f64>,
        );
        if let Some(run) = run {
            run(self);
        }
    }
}

impl<T: Real> Backward<'_, T> {
    pub(crate) fn run(&mut self) {
        let run = compiled::<BackwardFn<T>>(
            single::backward as BackwardFn<f32>,
            double::backward as BackwardFn<f64>,
        );
        if let Some(run) = run {
            run(self);
        }
    }
}

impl<T: Real + Element> Kernel for &mut Forward<'_, T> {
    type Output = ();
    const WIDE: bool = false;
    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) {
        let n = self.samples;
        let mut room = [T::zero(); 2 * LANES];
        let params = Numbers::new(self.params, &mut room);
        for (index, link) in self.links.iter().enumerate() {
            let (lower, z) = self.activations.split_at_mut(link.y(n));
            let x = match index.checked_sub(1) {
                None => self.x,
                Some(below) => &lower[self.links[below].y(n)..],
            };
            // z = W·x + b
            let product = Product {
                m: link.outputs,
                k: link.inputs,
                n,
                w: params.from(link.params.start),
                x,
                bias: link.bias,
            };
            product.run(simd, z);
            // a = φ(z), and φ′(z) for the way back
            let len = (link.outputs * n).next_multiple_of(LANES);
            let keeps = link.cache_len() > 0 && !self.cache.is_empty();
            let mut apply = Apply {
                activation: &link.activation,
                z: &mut z[..len],
                d: if keeps {
                    &mut self.cache[link.cache(n)..][..len]
                } else {
                    &mut []
                },
            };
            apply.call::<S, FMA>(simd);
        }
    }
}

impl<T: Real + Element> Kernel for &mut Backward<'_, T> {
    type Output = ();
    const WIDE: bool = false;
    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) {
        let n = self.samples;
        // Of a first layer with one neuron, the inputs are read in whole vectors.
        let inputs = if self.links[0].outputs == 1 {
            self.x
        } else {
            &[]
        };
        let mut rooms = [[T::zero(); 2 * LANES]; 2];
        let [room, inputs_room] = &mut rooms;
        let params = Numbers::new(self.params, room);
        let inputs = Numbers::new(inputs, inputs_room);
        if self.turned.len() < TURNED {
            self.turned.resize(TURNED, T::zero());
        }
        for (index, link) in self.links.iter().enumerate().rev() {
            let (lower, delta) = self.deltas.split_at_mut(link.y(n));
            // BP1 at the top, the second factor of BP2 below: δ = ∂C/∂a ⊙ φ′(z)
            let len = (link.outputs * n).next_multiple_of(LANES);
            let keeps = link.cache_len() > 0;
            let own = Chain {
                activation: &link.activation,
                a: &self.activations[lower.len()..][..len],
                slopes: &self.cache[link.cache(n)..][..if keeps { len } else { 0 }],
                delta: &mut delta[..len],
            };
            Pass::run::<FMA>(own);
            // BP2, the first factor, for the layer below: ∂C/∂x = Wᵀ·δ
            if let Some(below) = index.checked_sub(1) {
                let product = Product {
                    m: link.inputs,
                    k: link.outputs,
                    n,
                    w: turn(simd, link, params.from(link.params.start), self.turned),
                    x: delta,
                    bias: false,
                };
                product.run(simd, &mut lower[self.links[below].y(n)..]);
            }
        }
        // First layer first, because of what columns spill.
        for (index, link) in self.links.iter().enumerate() {
            let x = match index.checked_sub(1) {
                None if link.outputs == 1 => inputs,
                None => Numbers::with_room(self.x),
                Some(below) => Numbers::with_room(&self.activations[self.links[below].y(n)..]),
            };
            let outer = Outer {
                m: link.outputs,
                k: link.inputs,
                n,
                delta: Numbers::with_room(&self.deltas[link.y(n)..]),
                x,
            };
            // BP3: ∂C/∂b = Σ δ over the samples; BP4: ∂C/∂W = δ·xᵀ
            outer.run(simd, link.bias, &mut self.grads[link.params.start..]);
        }
    }
}

/// Numbers that are read in whole vectors: where one would reach beyond the end, from a copy of the
/// last of them with room behind it.
#[derive(Clone, Copy)]
struct Numbers<'a, T> {
    all: &'a [T],
    /// The numbers from `end` on, and zeros.
    last: &'a [T],
    end: usize,
}

impl<'a, T: Real> Numbers<'a, T> {
    /// Puts the copy into `room`.
    #[inline(always)]
    fn new(all: &'a [T], room: &'a mut [T; 2 * LANES]) -> Self {
        let end = all.len().saturating_sub(LANES);
        copy_few(&mut room[..all.len() - end], &all[end..]);
        Self {
            all,
            last: room,
            end,
        }
    }

    /// Numbers with room behind them already.
    #[inline(always)]
    fn with_room(all: &'a [T]) -> Self {
        Self {
            all,
            last: all,
            end: 0,
        }
    }

    /// Without the first `count`, of which there are so many.
    #[inline(always)]
    fn from(self, count: usize) -> Self {
        Self {
            all: &self.all[count..],
            last: &self.last[count.saturating_sub(self.end)..],
            end: self.end.saturating_sub(count),
        }
    }

    /// The column of `len` numbers from `at` on. One number is in all lanes: it waits for nothing.
    #[inline(always)]
    fn column<S: Simd, V: SimdFloat<S, Element = T>>(self, simd: S, at: usize, len: usize) -> V {
        match len {
            1 => V::splat(simd, self.all[at]),
            _ => self.load(simd, at),
        }
    }

    /// The vector from `at` on.
    #[inline(always)]
    fn load<S: Simd, V: SimdFloat<S, Element = T>>(self, simd: S, at: usize) -> V {
        match self.all.get(at..at + V::LEN) {
            Some(numbers) => V::from_slice(simd, numbers),
            None => load(simd, self.last, at - self.end),
        }
    }
}

/// The vector from `at` on.
#[inline(always)]
fn load<T: Real, S: Simd, V: SimdFloat<S, Element = T>>(simd: S, from: &[T], at: usize) -> V {
    V::from_slice(simd, &from[at..at + V::LEN])
}

/// Writes a vector from `at` on, as far as there is room.
#[inline(always)]
fn store<T: Real, S: Simd, V: SimdFloat<S, Element = T>>(vector: V, to: &mut [T], at: usize) {
    match to.get_mut(at..at + V::LEN) {
        Some(to) => vector.store_slice(to),
        None => {
            let mut numbers = [T::zero(); LANES];
            vector.store_slice(&mut numbers[..V::LEN]);
            copy_few(&mut to[at..], &numbers);
        }
    }
}

/// Wᵀ of a layer.
#[inline(always)]
fn turn<'w, T: Real + Element, S: Simd>(
    simd: S,
    link: &Link,
    w: Numbers<'w, T>,
    to: &'w mut [T],
) -> Numbers<'w, T> {
    if link.outputs == 1 {
        return w;
    }
    let few = link.outputs.max(link.inputs) <= T::Half::<S>::LEN;
    match (few, T::Half::<S>::LEN) {
        (true, 8) => turn_by::<T, S, T::Half<S>, 8>(simd, link, w, to),
        (true, _) => turn_by::<T, S, T::Half<S>, 4>(simd, link, w, to),
        (_, 8) => turn_by::<T, S, T::Wide<S>, 16>(simd, link, w, to),
        _ => turn_by::<T, S, T::Wide<S>, 8>(simd, link, w, to),
    }
    Numbers::with_room(to)
}

/// [`turn`] by N vectors of N lanes.
#[inline(always)]
fn turn_by<T: Real + Element, S: Simd, V: SimdFloat<S, Element = T>, const N: usize>(
    simd: S,
    link: &Link,
    w: Numbers<'_, T>,
    to: &mut [T],
) {
    let (m, k) = (link.outputs, link.inputs);
    let mut lines = [V::splat(simd, T::zero()); N];
    for (p, line) in lines.iter_mut().take(k).enumerate() {
        *line = w.load(simd, p * m);
    }
    let lines = transpose::<S, V, N>(lines);
    for (j, line) in lines.into_iter().take(m).enumerate() {
        store(line, to, j * k);
    }
}

/// Whether a vector is one register, so that there are enough of them for eight sums.
#[inline(always)]
fn are_registers<T: Element, S: Simd, V: SimdBase<S>>() -> bool {
    V::LEN <= T::Native::<S>::LEN
}

/// W·x + b, where the m rows of W are a vector at most. The bias lies behind W, if there is one.
#[derive(Clone, Copy)]
struct Product<'a, T> {
    m: usize,
    k: usize,
    n: usize,
    w: Numbers<'a, T>,
    x: &'a [T],
    bias: bool,
}

impl<T: Real + Element> Product<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, z: &mut [T]) {
        if self.m <= T::Half::<S>::LEN {
            self.by_count::<S, T::Half<S>>(simd, z);
        } else {
            self.by_count::<S, T::Wide<S>>(simd, z);
        }
    }

    #[inline(always)]
    fn by_count<S: Simd, V: SimdFloat<S, Element = T>>(self, simd: S, z: &mut [T]) {
        if self.n > 4 && are_registers::<T, S, V>() {
            self.by::<S, V, 8>(simd, z);
        } else {
            self.by::<S, V, 4>(simd, z);
        }
    }

    /// N samples at a time.
    #[inline(always)]
    fn by<S: Simd, V: SimdFloat<S, Element = T>, const N: usize>(self, simd: S, z: &mut [T]) {
        let Self { m, k, n, w, x, .. } = self;
        let bias = self.bias.then(|| w.column::<S, V>(simd, m * k, m));
        for first in (0..n).step_by(N) {
            // By a loop: `from_fn` of so many is a call of its own, behind which the lengths are
            // forgotten.
            let mut columns: [&[T]; N] = [&[]; N];
            for (q, column) in columns.iter_mut().enumerate() {
                *column = &x[(first + q).min(n - 1) * k..][..k];
            }
            let mut sums = [V::splat(simd, T::zero()); N];
            for p in 0..k {
                let w: V = w.column(simd, p * m, m);
                for q in 0..N {
                    sums[q] = w.mul_add(V::splat(simd, columns[q][p]), sums[q]);
                }
            }
            for (q, sum) in sums.into_iter().take(n - first).enumerate() {
                let sum = bias.map_or(sum, |bias| sum + bias);
                store(sum, z, (first + q) * m);
            }
        }
    }
}

/// δ·xᵀ and, if asked for, Σ δ behind it.
#[derive(Clone, Copy)]
struct Outer<'a, T> {
    m: usize,
    k: usize,
    n: usize,
    delta: Numbers<'a, T>,
    x: Numbers<'a, T>,
}

impl<T: Real + Element> Outer<'_, T> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, bias: bool, grads: &mut [T]) {
        let Self { m, k, n, delta, x } = self;
        if m == 1 {
            // The one row is laid along the inputs.
            let turned = Self {
                m: k,
                k: 1,
                delta: x,
                x: delta,
                ..self
            };
            turned.by_width(simd, grads);
        } else {
            self.by_width(simd, grads);
        }
        if bias {
            let sums = &mut grads[m * k..];
            if m <= T::Half::<S>::LEN {
                sum_columns::<T, S, T::Half<S>>(simd, m, n, delta, sums);
            } else {
                sum_columns::<T, S, T::Wide<S>>(simd, m, n, delta, sums);
            }
        }
    }

    #[inline(always)]
    fn by_width<S: Simd>(self, simd: S, grads: &mut [T]) {
        if self.m <= T::Half::<S>::LEN {
            self.all::<S, T::Half<S>>(simd, grads);
        } else {
            self.all::<S, T::Wide<S>>(simd, grads);
        }
    }

    #[inline(always)]
    fn all<S: Simd, V: SimdFloat<S, Element = T>>(self, simd: S, grads: &mut [T]) {
        let mut p = 0;
        while p < self.k {
            p += match self.k - p {
                1 => self.columns::<S, V, 1>(simd, p, grads),
                2 => self.columns::<S, V, 2>(simd, p, grads),
                3 => self.columns::<S, V, 3>(simd, p, grads),
                8.. if are_registers::<T, S, V>() => self.columns::<S, V, 8>(simd, p, grads),
                _ => self.columns::<S, V, 4>(simd, p, grads),
            };
        }
    }

    /// N columns, those of the inputs from `p` on.
    #[inline(always)]
    fn columns<S: Simd, V: SimdFloat<S, Element = T>, const N: usize>(
        self,
        simd: S,
        p: usize,
        grads: &mut [T],
    ) -> usize {
        let Self { m, k, n, delta, x } = self;
        let mut sums = [V::splat(simd, T::zero()); N];
        for i in 0..n {
            let delta: V = delta.load(simd, i * m);
            let x = &x.all[i * k + p..][..N];
            for q in 0..N {
                sums[q] = delta.mul_add(V::splat(simd, x[q]), sums[q]);
            }
        }
        for (q, sum) in sums.into_iter().enumerate() {
            store(sum, grads, (p + q) * m);
        }
        N
    }
}

#[inline(always)]
fn sum_columns<T: Real, S: Simd, V: SimdFloat<S, Element = T>>(
    simd: S,
    m: usize,
    n: usize,
    delta: Numbers<'_, T>,
    sums: &mut [T],
) {
    let mut sum = V::splat(simd, T::zero());
    for i in 0..n {
        sum += delta.load::<S, V>(simd, i * m);
    }
    store(sum, sums, 0);
}

#[cfg(test)]
mod tests {
    use super::{MOST_SAMPLES, of};
    use crate::nn::activation::Activation;
    use crate::nn::layers::Dense;
    use crate::nn::loss::MeanSquaredError;
    use crate::nn::sequential::Sequential;
    use crate::nn::tape::Tape;
    use crate::numeric::kernel::forced::{at, levels};
    use crate::numeric::random::stream;
    use crate::numeric::real::Real;
    use alloc::{vec, vec::Vec};
    use nalgebra::DMatrix;
    use rand::RngExt;

    /// A chain, and the same layers under one more that is no dense one and changes nothing.
    fn pair<T: Real>(widths: &[usize], activation: &Activation, bias: bool) -> [Sequential<T>; 2] {
        [false, true].map(|more| {
            let mut builder = Sequential::builder(widths[0]);
            for width in &widths[1..] {
                let layer = Dense::new(*width, activation.clone());
                builder = builder.layer(if bias { layer } else { layer.without_bias() });
            }
            if more {
                builder = builder.layer(Activation::Linear);
            }
            builder.seed(3).build().expect("a network")
        })
    }

    /// Bits of the outputs, of each layer's a and δ, of the gradient, and of the cost.
    fn pass<T: Real>(net: &Sequential<T>, layers: usize, x: &DMatrix<T>) -> Vec<Vec<[u8; 8]>> {
        let target = DMatrix::from_element(net.outputs(), x.ncols(), T::of(0.25));
        let mut tape = Tape::new();
        let cost = net
            .gradient(x, &target, &MeanSquaredError, &mut tape)
            .expect("a gradient");
        let mut numbers = vec![vec![cost], tape.grads().to_vec()];
        for layer in 0..layers {
            numbers.push(tape.a(layer).expect("a").iter().copied().collect());
            numbers.push(tape.delta(layer).expect("δ").iter().copied().collect());
        }
        let y = net.predict(x).expect("outputs");
        numbers.push(y.as_slice().to_vec());
        let bits = |numbers: &Vec<T>| numbers.iter().map(|number| number.to_bytes()).collect();
        numbers.iter().map(bits).collect()
    }

    fn has_the_bits_of_its_layers<T: Real>(widest: usize) {
        let mut rng = stream(1);
        let mut chains = 0;
        for activation in Activation::every().filter(Activation::is_trainable) {
            for case in 0..12 {
                let layers = rng.random_range(1..=4);
                let widths: Vec<usize> =
                    (0..=layers).map(|_| rng.random_range(1..=widest)).collect();
                let samples = [1, 2, 3, 4, 5, 8, 13, 16, 33, MOST_SAMPLES][rng.random_range(0..10)];
                let [chain, plain] = pair::<T>(&widths, &activation, case % 3 > 0);
                assert!(of(plain.layout(), samples).is_none());
                chains += usize::from(of(chain.layout(), samples).is_some());
                let x = DMatrix::from_fn(widths[0], samples, |i, j| {
                    T::of(((i * 7 + j * 13) % 19) as f64 / 9.0 - 1.0)
                });
                for level in levels() {
                    let [chain, plain] =
                        [&chain, &plain].map(|net| at(level, || pass(net, layers, &x)));
                    assert!(
                        chain == plain,
                        "{activation} {widths:?}, {samples} samples, {level:?}"
                    );
                }
            }
        }
        assert!(chains > 200, "{chains}");
    }

    #[test]
    fn a_chain_of_f32_has_the_bits_of_its_layers() {
        has_the_bits_of_its_layers::<f32>(16);
    }

    #[test]
    fn a_chain_of_f64_has_the_bits_of_its_layers() {
        has_the_bits_of_its_layers::<f64>(8);
    }
}
