//! Activations over slices: each formula in a loop, compiled for each instruction set.

use super::Activation;
use super::formula::*;
use crate::numeric::compiled::compiled_here;
use crate::numeric::kernel::{self, Kernel, Pass, Simd};
use crate::numeric::real::{Real, is_nan, vectorize};
use core::hint::black_box;

/// So many numbers stay in the first-level cache from one loop to the next.
const NEAR: usize = 4096;

/// z ← φ(z), and d ← φ′(z) where d is not empty. For activations that are no surrogates.
pub(crate) struct Apply<'a, T> {
    pub(crate) activation: &'a Activation,
    pub(crate) z: &'a mut [T],
    pub(crate) d: &'a mut [T],
}

impl<T: Real> Pass for Apply<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { activation, z, d } = self;
        if d.is_empty() {
            with_formula!(T, activation, f => Pass::run::<FMA>(Values(f, z)));
        } else {
            with_formula!(T, activation, f => Pass::run::<FMA>(Both(f, z, d)));
        }
    }
}

impl<T: Real> Apply<'_, T> {
    /// Runs the pass within another kernel, as a function of its own: the formulas are many.
    #[inline(always)]
    pub(crate) fn call<S: Simd, const FMA: bool>(self, simd: S) {
        if matches!(self.activation, Activation::Linear) && self.d.is_empty() {
            return;
        }
        let Self { activation, z, d } = self;
        // What the closure owned would be copied, by wide loads that wait for narrow stores.
        let (z, d) = (&mut *z, &mut *d);
        simd.vectorize(
            #[inline(always)]
            || Pass::run::<FMA>(Apply { activation, z, d }),
        );
    }
}

/// z ← φ(z + b) for each column of z, as long as b, and d ← φ′(z + b) where d is not empty. An
/// empty b adds nothing. For activations that are no surrogates.
struct Activate<'a, T> {
    activation: &'a Activation,
    bias: &'a [T],
    z: &'a mut [T],
    d: &'a mut [T],
}

impl<T: Real> Activate<'_, T> {
    #[inline(always)]
    fn run(&mut self, mut apply: impl FnMut(Apply<'_, T>)) {
        let (activation, bias) = (self.activation, self.bias);
        let (z, d) = (&mut *self.z, &mut *self.d);
        if z.len() <= LANES {
            // Filled up to one step of the loops below, whose length is then known.
            let (mut few, mut slopes) = ([T::zero(); LANES], [T::zero(); LANES]);
            if bias.is_empty() {
                copy_few(&mut few[..z.len()], z);
            } else {
                add_bias(&mut few, z, bias);
            }
            apply(Apply {
                activation,
                z: &mut few,
                d: if d.is_empty() { &mut [] } else { &mut slopes },
            });
            copy_few(z, &few);
            return copy_few(d, &slopes);
        }
        // Bias and activation together, while a few columns are near.
        let rows = bias.len().max(1);
        let step = if z.len() <= NEAR {
            NEAR
        } else {
            rows * (NEAR / rows).max(1)
        };
        let mut d = d.chunks_mut(step);
        for z in z.chunks_mut(step) {
            add_bias_in_place(z, bias);
            apply(Apply {
                activation,
                z,
                d: d.next().unwrap_or_default(),
            });
        }
    }
}

impl<T: Real> Kernel for &mut Activate<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) {
        self.run(
            #[inline(always)]
            |apply| apply.call::<S, FMA>(simd),
        );
    }
}

/// sums ← z + b for each column of z. Element by element, because a copy before would be read
/// before it is in the cache.
#[inline(always)]
fn add_bias<T: Real>(mut sums: &mut [T], mut z: &[T], bias: &[T]) {
    // Split off one after the other: `chunks_exact` divides first, which takes longer than a small
    // layer.
    while let Some((column, z_rest)) = z.split_at_checked(bias.len()) {
        let (to, rest) = sums.split_at_mut(bias.len());
        for (to, (z, b)) in to.iter_mut().zip(column.iter().zip(bias)) {
            *to = *z + *b;
        }
        (sums, z) = (rest, z_rest);
    }
}

/// z ← z + b for each column, where there is a bias.
#[inline(always)]
fn add_bias_in_place<T: Real>(mut z: &mut [T], bias: &[T]) {
    if bias.is_empty() {
        return;
    }
    while let Some((column, rest)) = z.split_at_mut_checked(bias.len()) {
        for (z, b) in column.iter_mut().zip(bias) {
            *z += *b;
        }
        z = rest;
    }
}

/// z ← φ″(z), of an activation that is no surrogate.
struct Bend<'a, T> {
    activation: &'a Activation,
    z: &'a mut [T],
}

impl<T: Real> Pass for Bend<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { activation, z } = self;
        with_formula!(T, activation, f => Pass::run::<FMA>(Seconds(f, z)));
    }
}

#[inline(always)]
fn activate<T: Real>(activation: &Activation, bias: &[T], z: &mut [T], d: &mut [T]) {
    compiled_here!(T: |activation: &Activation, bias: &[T], z: &mut [T], d: &mut [T]| {
        let mut activate = Activate { activation, bias, z, d };
        if const { T::COMPILED_HERE } {
            kernel::dispatch(kernel::level(), &mut activate);
        } else {
            activate.run(|apply| Pass::run::<false>(apply));
        }
    })(activation, bias, z, d);
}

fn bend<T: Real>(activation: &Activation, z: &mut [T]) {
    compiled_here!(T: |activation: &Activation, z: &mut [T]| {
        T::vectorize(Bend { activation, z });
    })(activation, z);
}

impl Activation {
    /// z ← φ(z).
    pub(crate) fn apply<T: Real>(&self, z: &mut [T]) {
        self.forward(&[], z, &mut []);
    }

    /// z ← φ(z + b) for each column of z, and into `slopes` φ′(z + b) where it is not empty. An
    /// empty `bias` adds nothing.
    #[inline]
    pub(crate) fn forward<T: Real>(&self, bias: &[T], z: &mut [T], slopes: &mut [T]) {
        match self {
            Self::Linear if bias.is_empty() && slopes.is_empty() => {}
            Self::Surrogate { .. } => {
                Self::Linear.forward(bias, z, &mut []);
                let (value, derivative) = self.parts();
                // The values of the function that lends its derivative are nobody's: a few at a
                // time.
                let mut values = [T::zero(); 64];
                for (z, d) in z.chunks(values.len()).zip(slopes.chunks_mut(values.len())) {
                    let values = &mut values[..z.len()];
                    values.copy_from_slice(z);
                    activate(derivative, &[], values, d);
                }
                value.apply(z);
            }
            _ => activate(self, bias, z, slopes),
        }
    }

    /// δ ← δ ⊙ φ′(z), from a = φ(z) and the slopes that [`forward`](Self::forward) kept.
    #[inline]
    pub(crate) fn backward<T: Real>(&self, a: &[T], slopes: &[T], delta: &mut [T]) {
        if !matches!(self, Self::Linear) {
            vectorize::<T, _>(
                delta.len(),
                Chain {
                    activation: self,
                    a,
                    slopes,
                    delta,
                },
            );
        }
    }

    /// z ← φ″(z).
    pub(crate) fn bend<T: Real>(&self, z: &mut [T]) {
        bend(self.parts().1, z);
    }
}

/// δ ← δ ⊙ φ′(z) with a = φ(z) and, where φ keeps them, the slopes φ′(z).
pub(crate) struct Chain<'a, T> {
    pub(crate) activation: &'a Activation,
    pub(crate) a: &'a [T],
    pub(crate) slopes: &'a [T],
    pub(crate) delta: &'a mut [T],
}

impl<T: Real> Pass for Chain<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        match self.activation {
            Activation::Linear => {}
            Activation::Relu => {
                for (delta, a) in self.delta.iter_mut().zip(self.a) {
                    let slope = if *a <= T::zero() { T::zero() } else { T::one() };
                    *delta *= if is_nan(*a) { *a } else { slope };
                }
            }
            _ => {
                for (delta, slope) in self.delta.iter_mut().zip(self.slopes) {
                    *delta *= *slope;
                }
            }
        }
    }
}

/// Elements to a step of a loop: a multiple of every vector width, so that short slices are vector
/// code, too.
pub(crate) const LANES: usize = 16;

/// z ← φ(z).
struct Values<'a, T, F>(F, &'a mut [T]);

impl<T: Real, F: Formula<T>> Pass for Values<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        each(
            self.1,
            #[inline(always)]
            |z| self.0.both::<FMA>(z).0,
        );
    }
}

/// z ← φ″(z).
struct Seconds<'a, T, F>(F, &'a mut [T]);

impl<T: Real, F: Formula<T>> Pass for Seconds<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        each(
            self.1,
            #[inline(always)]
            |z| self.0.second::<FMA>(z),
        );
    }
}

/// z ← f(z).
#[inline(always)]
fn each<T: Real>(numbers: &mut [T], f: impl Fn(T) -> T) {
    let (chunks, rest) = numbers.as_chunks_mut::<LANES>();
    let mut last = padded(rest);
    let zero = opaque_zero(chunks.len());
    for chunk in chunks.iter_mut().chain(last.as_mut()) {
        for z in chunk {
            *z = f(*z) - zero;
        }
    }
    unpad(&last, rest);
}

/// z ← φ(z), d ← φ′(z).
struct Both<'a, T, F>(F, &'a mut [T], &'a mut [T]);

impl<T: Real, F: Formula<T>> Pass for Both<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(f, z, d) = self;
        let (z, z_rest) = z.as_chunks_mut::<LANES>();
        let (d, d_rest) = d.as_chunks_mut::<LANES>();
        let (mut z_last, mut d_last) = (padded(z_rest), padded(d_rest));
        let zero = opaque_zero(z.len());
        for (z, d) in z
            .iter_mut()
            .chain(z_last.as_mut())
            .zip(d.iter_mut().chain(d_last.as_mut()))
        {
            for i in 0..LANES {
                let (value, slope) = f.both::<FMA>(z[i]);
                (z[i], d[i]) = (value - zero, slope);
            }
        }
        unpad(&z_last, z_rest);
        unpad(&d_last, d_rest);
    }
}

/// A zero of which the compiler does not know. Without it a loop that leaves some numbers as they
/// are, as φ(z) = max(0, z) does, would store by masks, which takes ten times as long on some
/// machines.
#[inline(always)]
fn opaque_zero<T: Real>(chunks: usize) -> T {
    if chunks > 1 {
        black_box(T::zero())
    } else {
        T::zero()
    }
}

/// The rest of a slice as one more step of the loop; nothing where there is none.
#[inline(always)]
fn padded<T: Real>(rest: &[T]) -> Option<[T; LANES]> {
    if rest.is_empty() {
        return None;
    }
    let mut chunk = [T::zero(); LANES];
    copy_few(&mut chunk[..rest.len()], rest);
    Some(chunk)
}

#[inline(always)]
fn unpad<T: Real>(chunk: &Option<[T; LANES]>, rest: &mut [T]) {
    if let Some(chunk) = chunk {
        copy_few(rest, chunk);
    }
}

/// Copies as many elements as `to` has, [`LANES`] at most, by pieces of known lengths that overlap:
/// a call to `memcpy` would cost more than the copy.
#[inline(always)]
pub(crate) fn copy_few<T: Real>(to: &mut [T], from: &[T]) {
    let from = &from[..to.len()];
    let _ = copy_ends::<T, 8>(to, from)
        || copy_ends::<T, 4>(to, from)
        || copy_ends::<T, 2>(to, from)
        || copy_ends::<T, 1>(to, from);
}

/// Copies the first and the last N of at most 2N elements, if there are as many.
#[inline(always)]
fn copy_ends<T: Real, const N: usize>(to: &mut [T], from: &[T]) -> bool {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = *from;
    }
    let last = (to.last_chunk_mut::<N>(), from.last_chunk::<N>());
    if let (Some(to), Some(from)) = last {
        *to = *from;
        return true;
    }
    false
}
