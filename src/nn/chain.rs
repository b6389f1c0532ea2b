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
use crate::numeric::kernel::{self, Kernel, Pass, Simd, SimdBase, SimdFloat, compiled, is_least};
use crate::numeric::real::Real;
use alloc::vec::Vec;
use core::any::Any;
use core::mem::take;

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
        let mut below = None;
        for link in self.links {
            let (lower, z) = self.activations.split_at_mut(link.y(n));
            // z = W·x + b
            let mut product = Product {
                m: link.outputs,
                k: link.inputs,
                n,
                w: &self.params[link.params.start..],
                x: below.map_or(self.x, |below| &lower[below..]),
                bias: link.bias,
                to: z,
            };
            product.call::<S, FMA>(simd);
            below = Some(lower.len());
            // a = φ(z), and φ′(z) for the way back
            let z = &mut z[..(link.outputs * n).next_multiple_of(LANES)];
            let keeps = link.cache_len() > 0 && !self.cache.is_empty();
            let mut apply = Apply {
                activation: &link.activation,
                d: if keeps {
                    self.cache[link.cache(n)..][..z.len()].as_chunks_mut().0
                } else {
                    &mut []
                },
                z: z.as_chunks_mut().0,
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
                let w = &self.params[link.params.start..];
                let w = if link.outputs == 1 {
                    w
                } else {
                    turn(simd, link, w, self.turned);
                    &self.turned[..]
                };
                let mut product = Product {
                    m: link.inputs,
                    k: link.outputs,
                    n,
                    w,
                    x: delta,
                    bias: false,
                    to: &mut lower[self.links[below].y(n)..],
                };
                product.call::<S, FMA>(simd);
            }
        }
        // First layer first, because of what columns spill.
        let mut below = None;
        for link in self.links {
            let y = link.y(n);
            let x = below.map_or(self.x, |below| &self.activations[below..]);
            below = Some(y);
            // BP3: ∂C/∂b = Σ δ over the samples; BP4: ∂C/∂W = δ·xᵀ
            let mut outer = Outer {
                m: link.outputs,
                k: link.inputs,
                n,
                delta: &self.deltas[y..],
                x,
                bias: link.bias,
                to: &mut self.grads[link.params.start..],
            };
            outer.call::<S, FMA>(simd);
        }
    }
}

/// The first vector of `from`. Where there are fewer numbers, what lies behind them is 0.
#[inline(always)]
fn load<T: Real, S: Simd, V: SimdFloat<S, Element = T>>(simd: S, from: &[T]) -> V {
    match from.get(..V::LEN) {
        Some(numbers) => V::from_slice(simd, numbers),
        None => {
            let mut numbers = [T::zero(); LANES];
            copy_few(&mut numbers[..from.len()], from);
            V::from_slice(simd, &numbers[..V::LEN])
        }
    }
}

/// The first column, of `len` numbers. One number is in all lanes: it waits for nothing.
#[inline(always)]
fn load_column<T, S, V>(simd: S, from: &[T], len: usize) -> V
where
    T: Real,
    S: Simd,
    V: SimdFloat<S, Element = T>,
{
    match len {
        1 => V::splat(simd, from[0]),
        _ => load(simd, from),
    }
}

/// Writes a vector, as far as there is room.
#[inline(always)]
fn store<T: Real, S: Simd, V: SimdFloat<S, Element = T>>(vector: V, to: &mut [T]) {
    match to.get_mut(..V::LEN) {
        Some(to) => vector.store_slice(to),
        None => {
            let mut numbers = [T::zero(); LANES];
            vector.store_slice(&mut numbers[..V::LEN]);
            copy_few(to, &numbers);
        }
    }
}

/// Wᵀ of a layer.
#[inline(always)]
fn turn<T: Real + Element, S: Simd>(simd: S, link: &Link, w: &[T], to: &mut [T]) {
    let few = link.outputs.max(link.inputs) <= T::Half::<S>::LEN;
    match (few, T::Half::<S>::LEN) {
        (true, 8) => turn_by::<T, S, T::Half<S>, 8>(simd, link, w, to),
        (true, _) => turn_by::<T, S, T::Half<S>, 4>(simd, link, w, to),
        (_, 8) => turn_by::<T, S, T::Wide<S>, 16>(simd, link, w, to),
        _ => turn_by::<T, S, T::Wide<S>, 8>(simd, link, w, to),
    }
}

/// [`turn`] by N vectors of N lanes.
#[inline(never)]
fn turn_by<T: Real + Element, S: Simd, V: SimdFloat<S, Element = T>, const N: usize>(
    simd: S,
    link: &Link,
    w: &[T],
    to: &mut [T],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (m, k) = (link.outputs, link.inputs);
            let (mut w, mut to) = (w, &mut *to);
            let mut lines = [V::splat(simd, T::zero()); N];
            for line in lines.iter_mut().take(k) {
                *line = load(simd, w);
                w = &w[m..];
            }
            let lines = transpose::<S, V, N>(lines);
            for line in lines.into_iter().take(m) {
                store(line, to);
                to = &mut take(&mut to)[k..];
            }
        },
    );
}

/// So many columns are done at once at most: their sums are to be in registers.
#[inline(always)]
fn most<T: Element, S: Simd, V: SimdBase<S>, const FMA: bool>() -> usize {
    if const { is_least(FMA) } {
        1
    } else if V::LEN <= T::Native::<S>::LEN {
        8
    } else {
        4
    }
}

/// Runs `run` until `count` columns are done, `N` at a time.
macro_rules! in_groups {
    ($count:expr, $most:expr, $N:ident => $run:expr) => {{
        let (mut left, most): (usize, usize) = ($count, $most);
        in_groups!(@while 8, left, most, $N => $run);
        in_groups!(@while 4, left, most, $N => $run);
        // One at a time, the others are no code.
        in_groups!(@while 1, left, 1 / most, $N => $run);
        match left {
            1 => in_groups!(@one 1, $N => $run),
            2 => in_groups!(@one 2, $N => $run),
            3 => in_groups!(@one 3, $N => $run),
            _ => {}
        }
    }};
    (@while $n:literal, $left:ident, $most:expr, $N:ident => $run:expr) => {
        while $most >= $n && $left >= $n {
            in_groups!(@one $n, $N => $run);
            $left -= $n;
        }
    };
    (@one $n:literal, $N:ident => $run:expr) => {{
        const $N: usize = $n;
        $run;
    }};
}

/// W·x + b, where the m rows of W are a vector at most. The bias lies behind W, if there is one.
struct Product<'a, T> {
    m: usize,
    k: usize,
    n: usize,
    w: &'a [T],
    x: &'a [T],
    bias: bool,
    to: &'a mut [T],
}

impl<T: Real + Element> Product<'_, T> {
    #[inline(always)]
    fn call<S: Simd, const FMA: bool>(&mut self, simd: S) {
        if self.m <= T::Half::<S>::LEN {
            self.by::<S, T::Half<S>, FMA>(simd);
        } else {
            self.by::<S, T::Wide<S>, FMA>(simd);
        }
    }

    /// A function of its own, as are all that run within a kernel here: what is compiled into one
    /// large function is kept in memory, not in registers.
    #[inline(never)]
    fn by<S: Simd, V: SimdFloat<S, Element = T>, const FMA: bool>(&mut self, simd: S) {
        let this = self;
        simd.vectorize(
            #[inline(always)]
            || {
                in_groups!(this.n, most::<T, S, V, FMA>(), N => this.columns::<S, V, N>(simd));
            },
        );
    }

    /// The next N columns.
    #[inline(always)]
    fn columns<S: Simd, V: SimdFloat<S, Element = T>, const N: usize>(&mut self, simd: S) {
        let Self { m, k, mut w, .. } = *self;
        let mut columns: [&[T]; N] = [&[]; N];
        for column in &mut columns {
            (*column, self.x) = self.x.split_at(k);
        }
        let mut sums = [V::splat(simd, T::zero()); N];
        for p in 0..k {
            let column: V = load_column(simd, w, m);
            w = &w[m..];
            for q in 0..N {
                sums[q] = column.mul_add(V::splat(simd, columns[q][p]), sums[q]);
            }
        }
        if self.bias {
            let bias: V = load_column(simd, w, m);
            for sum in &mut sums {
                *sum += bias;
            }
        }
        for sum in sums {
            store(sum, self.to);
            self.to = &mut take(&mut self.to)[m..];
        }
    }
}

/// δ·xᵀ and, if there is a bias, Σ δ behind it.
struct Outer<'a, T> {
    m: usize,
    k: usize,
    n: usize,
    delta: &'a [T],
    x: &'a [T],
    bias: bool,
    to: &'a mut [T],
}

impl<T: Real + Element> Outer<'_, T> {
    #[inline(always)]
    fn call<S: Simd, const FMA: bool>(&mut self, simd: S) {
        let Self {
            m,
            k,
            n,
            delta,
            x,
            bias,
            ..
        } = *self;
        if m == 1 {
            // The one row is laid along the inputs, and the bias is no column of it.
            (self.m, self.k, self.bias) = (k, 1, false);
            (self.delta, self.x) = (x, delta);
        }
        if self.m <= T::Half::<S>::LEN {
            self.by::<S, T::Half<S>, FMA>(simd);
        } else {
            self.by::<S, T::Wide<S>, FMA>(simd);
        }
        if m == 1 && bias {
            let sum = |sum, delta: &T| sum + *delta;
            self.to[0] = delta[..n].iter().fold(T::zero(), sum);
        }
    }

    #[inline(never)]
    fn by<S: Simd, V: SimdFloat<S, Element = T>, const FMA: bool>(&mut self, simd: S) {
        let this = self;
        simd.vectorize(
            #[inline(always)]
            || {
                let mut sum = V::splat(simd, T::zero());
                in_groups!(this.k, most::<T, S, V, FMA>(), N => {
                    sum = this.columns::<S, V, N>(simd);
                });
                if this.bias {
                    store(sum, this.to);
                }
            },
        );
    }

    /// The next N columns; returns Σ δ.
    #[inline(always)]
    fn columns<S: Simd, V: SimdFloat<S, Element = T>, const N: usize>(&mut self, simd: S) -> V {
        let Self {
            m,
            k,
            n,
            mut delta,
            mut x,
            ..
        } = *self;
        let mut sums = [V::splat(simd, T::zero()); N];
        let mut sum = V::splat(simd, T::zero());
        for _ in 0..n {
            let column: V = load(simd, delta);
            sum += column;
            for q in 0..N {
                sums[q] = column.mul_add(V::splat(simd, x[..N][q]), sums[q]);
            }
            delta = &delta[m..];
            x = x.get(k..).unwrap_or_default();
        }
        self.x = &self.x[N..];
        for sum in sums {
            store(sum, self.to);
            self.to = &mut take(&mut self.to)[m..];
        }
        sum
    }
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
