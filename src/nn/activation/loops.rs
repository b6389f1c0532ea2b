//! Activations over slices: each formula in a loop, compiled for each instruction set.

use super::Activation;
use super::formula::*;
use crate::numeric::compiled::compiled_here;
use crate::numeric::kernel::{self, Kernel, Pass, Simd, is_least};
use crate::numeric::real::{Real, is_nan, vectorize};
use core::hint::black_box;

/// So many numbers stay in the first-level cache from one loop to the next.
const NEAR: usize = 4096;

/// A loop over numbers, some at a time.
trait Steps<T>: Sized {
    /// N numbers at a time.
    fn by<const FMA: bool, const N: usize>(self);

    /// As many at a time as make vectors of the instruction set; one without them.
    #[inline(always)]
    fn in_steps<const FMA: bool>(self) {
        if const { is_least(FMA) } {
            self.by::<FMA, 1>();
        } else if const { size_of::<T>() > 4 } {
            self.by::<FMA, { LANES / 2 }>();
        } else {
            self.by::<FMA, LANES>();
        }
    }
}

/// z ← φ(z), and d ← φ′(z) where d is not empty, in whole chunks. For activations that are no
/// surrogates.
pub(crate) struct Apply<'a, T> {
    pub(crate) activation: &'a Activation,
    pub(crate) z: &'a mut [[T; LANES]],
    pub(crate) d: &'a mut [[T; LANES]],
}

impl<T: Real> Pass for Apply<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.in_steps::<FMA>();
    }
}

impl<T: Real> Steps<T> for Apply<'_, T> {
    #[inline(always)]
    fn by<const FMA: bool, const N: usize>(self) {
        let Self { activation, z, d } = self;
        let slopes = !d.is_empty();
        let zero = opaque_zero(z.len());
        let z = z.as_flattened_mut().as_chunks_mut::<N>().0;
        let d = d.as_flattened_mut().as_chunks_mut::<N>().0.iter_mut();
        match activation {
            // The one whose slopes nobody wants even in training.
            Activation::Relu if !slopes => {
                let z = one_by_one(z);
                Values { f: Relu, z, zero }.run::<FMA>();
            }
            _ => {
                let z = z.iter_mut();
                with_formula!(T, activation, f => Both { f, z, d, zero }.run::<FMA>());
            }
        }
    }
}

impl<T: Real> Apply<'_, T> {
    /// Runs the pass within another kernel, as a function of its own: the formulas are many, and to
    /// be compiled once.
    #[inline(never)]
    pub(crate) fn call<S: Simd, const FMA: bool>(&mut self, simd: S) {
        if matches!(self.activation, Activation::Linear) && self.d.is_empty() {
            return;
        }
        // What the closure owned would be copied, by wide loads that wait for narrow stores.
        let this = self;
        simd.vectorize(
            #[inline(always)]
            || {
                let Apply { activation, z, d } = this;
                Pass::run::<FMA>(Apply { activation, z, d });
            },
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
        // Bias and activation together, while a few columns are near.
        let rows = bias.len().max(1);
        let step = if z.len() <= NEAR {
            NEAR
        } else {
            rows * (NEAR / rows).max(1)
        };
        let mut d = d.chunks_mut(step);
        for z in z.chunks_mut(step) {
            add_bias(z, bias);
            let d = d.next().unwrap_or_default();
            let ((z, z_rest), (d, d_rest)) = (z.as_chunks_mut(), d.as_chunks_mut());
            if !z.is_empty() {
                apply(Apply { activation, z, d });
            }
            if !z_rest.is_empty() {
                // Filled up to one chunk.
                let (mut z, mut d) = ([[T::zero(); LANES]], [[T::zero(); LANES]]);
                copy_few(&mut z[0][..z_rest.len()], z_rest);
                apply(Apply {
                    activation,
                    z: &mut z,
                    d: if d_rest.is_empty() { &mut [] } else { &mut d },
                });
                copy_few(z_rest, &z[0]);
                copy_few(d_rest, &d[0]);
            }
        }
    }
}

impl<T: Real> Kernel for &mut Activate<'_, T> {
    type Output = ();
    const WIDE: bool = false;
    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) {
        self.run(
            #[inline(always)]
            |mut apply| apply.call::<S, FMA>(simd),
        );
    }
}

/// z ← z + b for each column, where there is a bias.
#[inline(always)]
fn add_bias<T: Real>(mut z: &mut [T], bias: &[T]) {
    if bias.is_empty() {
        return;
    }
    // Split off one after the other: `chunks_exact_mut` divides first, which takes longer than a
    // small layer.
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
        self.in_steps::<FMA>();
    }
}

impl<T: Real> Steps<T> for Bend<'_, T> {
    #[inline(always)]
    fn by<const FMA: bool, const N: usize>(self) {
        let Self { activation, z } = self;
        let (z, rest) = z.as_chunks_mut::<N>();
        let mut last = padded(rest);
        let z = z.iter_mut().chain(last.as_mut());
        with_formula!(T, activation, f => Seconds { f, z }.run::<FMA>());
        unpad(&last, rest);
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
        let Self {
            activation,
            a,
            slopes,
            delta,
        } = self;
        match activation {
            Activation::Linear => {}
            Activation::Relu => {
                for (delta, a) in delta.iter_mut().zip(a) {
                    let slope = if *a <= T::zero() { T::zero() } else { T::one() };
                    *delta *= if is_nan(*a) { *a } else { slope };
                }
            }
            _ => {
                let (delta, delta_rest) = delta.as_chunks_mut::<LANES>();
                let (slopes, slopes_rest) = slopes.as_chunks::<LANES>();
                for (delta, slopes) in delta.iter_mut().zip(slopes) {
                    let mut products = [T::zero(); LANES];
                    for i in 0..LANES {
                        products[i] = delta[i] * slopes[i];
                    }
                    *delta = products;
                }
                for (delta, slope) in delta_rest.iter_mut().zip(slopes_rest) {
                    *delta *= *slope;
                }
            }
        }
    }
}

/// Elements to a step of a loop: a multiple of every vector width, so that short slices are vector
/// code, too. Of eight the compiler makes none.
pub(crate) const LANES: usize = 16;

/// z ← φ(z), N numbers at a time.
struct Values<F, I, T> {
    f: F,
    z: I,
    zero: T,
}

impl<'a, T, F, I, const N: usize> Values<F, I, T>
where
    T: Real,
    F: Formula<T>,
    I: Iterator<Item = &'a mut [T; N]>,
{
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for z in self.z {
            for z in z {
                *z = self.f.both::<FMA>(*z).0 - self.zero;
            }
        }
    }
}

/// z ← φ″(z), N numbers at a time.
struct Seconds<F, I> {
    f: F,
    z: I,
}

impl<'a, T, F, I, const N: usize> Seconds<F, I>
where
    T: Real,
    F: Formula<T>,
    I: Iterator<Item = &'a mut [T; N]>,
{
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for z in self.z {
            for z in z {
                *z = self.f.second::<FMA>(*z);
            }
        }
    }
}

/// z ← φ(z), and d ← φ′(z) as far as there is a d, N numbers at a time. A loop for the values alone
/// would take as long to compile again, and hardly less to run.
struct Both<F, I, J, T> {
    f: F,
    z: I,
    d: J,
    zero: T,
}

impl<'a, T, F, I, J, const N: usize> Both<F, I, J, T>
where
    T: Real,
    F: Formula<T>,
    I: Iterator<Item = &'a mut [T; N]>,
    J: Iterator<Item = &'a mut [T; N]>,
{
    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        for z in self.z {
            let mut slopes = [T::zero(); N];
            for i in 0..N {
                let (value, slope) = self.f.both::<FMA>(z[i]);
                (z[i], slopes[i]) = (value - self.zero, slope);
            }
            if let Some(d) = self.d.next() {
                *d = slopes;
            }
        }
    }
}

/// The steps of a loop, each by itself: the compiler does not know that the first ones are all, and
/// that it could take several at once, whose numbers lie far apart.
#[inline(always)]
fn one_by_one<T, const N: usize>(steps: &mut [[T; N]]) -> impl Iterator<Item = &mut [T; N]> {
    let more = if steps.len() > 1 {
        black_box(None)
    } else {
        None
    };
    steps.iter_mut().chain(more)
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
fn padded<T: Real, const N: usize>(rest: &[T]) -> Option<[T; N]> {
    if rest.is_empty() {
        return None;
    }
    let mut chunk = [T::zero(); N];
    copy_few(&mut chunk[..rest.len()], rest);
    Some(chunk)
}

#[inline(always)]
fn unpad<T: Real, const N: usize>(chunk: &Option<[T; N]>, rest: &mut [T]) {
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
