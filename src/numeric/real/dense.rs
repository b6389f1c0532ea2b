//! The passes of a dense layer: each is one call of the machine's instruction set, whatever it is made of.

use super::{
    Real,
    formula::{Activate, Chain, LANES, copy_few, resolve},
};
use crate::nn::activation::Activation;
use crate::numeric::kernel::gemm::{self, Element, Mat, Size};
use crate::numeric::kernel::{Kernel, Pass, run_at, workers::Divide};
use alloc::vec::Vec;
use fearless_simd::Simd;

/// a = φ(z), z = W·x + b of some samples.
#[derive(Debug)]
pub struct DenseForward<'a, T> {
    pub(crate) activation: &'a Activation,
    /// Outputs × inputs.
    pub(crate) weights: &'a [T],
    /// Empty where there is none.
    pub(crate) bias: &'a [T],
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) samples: usize,
    /// Inputs × samples.
    pub(crate) x: &'a [T],
    /// Outputs × samples, to be overwritten.
    pub(crate) a: &'a mut [T],
    /// φ′(z), to be overwritten; empty where nobody asks for it.
    pub(crate) slopes: &'a mut [T],
}

/// δ = ∂C/∂a ⊙ φ′(z) and ∂C/∂x = Wᵀ·δ of some samples.
#[derive(Debug)]
pub struct DenseBackward<'a, T> {
    pub(crate) activation: &'a Activation,
    pub(crate) weights: &'a [T],
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) samples: usize,
    /// Outputs × samples; may be empty where φ is linear.
    pub(crate) a: &'a [T],
    /// φ′(z) where φ keeps it, else empty.
    pub(crate) slopes: &'a [T],
    /// In: ∂C/∂a. Out: δ.
    pub(crate) delta: &'a mut [T],
    /// Inputs × samples, to be overwritten; empty where nobody asks for it.
    pub(crate) dx: &'a mut [T],
}

/// ∂C/∂W = δ·xᵀ for some of the inputs, and ∂C/∂b = Σ δ.
#[derive(Debug)]
pub struct DenseGradient<'a, T> {
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    /// How many of the inputs.
    pub(crate) some: usize,
    pub(crate) samples: usize,
    /// Outputs × samples.
    pub(crate) delta: &'a [T],
    /// From the first of the inputs on: element (k, i) at `x[k + i * inputs]`.
    pub(crate) x: &'a [T],
    /// Outputs × some inputs, to be overwritten.
    pub(crate) dw: &'a mut [T],
    /// To be overwritten; empty where nobody asks for it.
    pub(crate) db: &'a mut [T],
}

impl<T: Real> Divide for DenseForward<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let (x, x_rest) = self.x.split_at(at * self.inputs);
        let (a, a_rest) = self.a.split_at_mut(at * self.outputs);
        let (slopes, slopes_rest) = self.slopes.split_at_mut(if self.slopes.is_empty() {
            0
        } else {
            at * self.outputs
        });
        let samples = self.samples - at;
        (
            Self {
                samples: at,
                x,
                a,
                slopes,
                ..self
            },
            Self {
                samples,
                x: x_rest,
                a: a_rest,
                slopes: slopes_rest,
                ..self
            },
        )
    }
}

impl<T: Real> Divide for DenseBackward<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let (a, a_rest) = self.a.split_at(if self.a.is_empty() {
            0
        } else {
            at * self.outputs
        });
        let (slopes, slopes_rest) = self.slopes.split_at(if self.slopes.is_empty() {
            0
        } else {
            at * self.outputs
        });
        let (delta, delta_rest) = self.delta.split_at_mut(at * self.outputs);
        let (dx, dx_rest) = self.dx.split_at_mut(if self.dx.is_empty() {
            0
        } else {
            at * self.inputs
        });
        let samples = self.samples - at;
        (
            Self {
                samples: at,
                a,
                slopes,
                delta,
                dx,
                ..self
            },
            Self {
                samples,
                a: a_rest,
                slopes: slopes_rest,
                delta: delta_rest,
                dx: dx_rest,
                ..self
            },
        )
    }
}

impl<T: Real> Divide for DenseGradient<'_, T> {
    fn divide(self, at: usize) -> (Self, Self) {
        let (dw, dw_rest) = self.dw.split_at_mut(at * self.outputs);
        let some = self.some - at;
        (
            Self {
                some: at,
                dw,
                ..self
            },
            Self {
                some,
                x: &self.x[at..],
                dw: dw_rest,
                db: &mut [],
                ..self
            },
        )
    }
}

/// The two operations that depend on the scalar and the machine.
pub(super) trait Ops<T> {
    /// C = op(A)·op(B).
    fn product(&mut self, size: Size, a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T]);
    /// z ← φ(z), d ← φ′(z) where d is not empty.
    fn activate(&self, activation: &Activation, z: &mut [T], d: &mut [T]);
}

/// Those of an instruction set.
pub(super) struct Fast<'a, T, S, const FMA: bool> {
    pub(super) simd: S,
    pub(super) pack: &'a mut Vec<T>,
}

impl<T: Real + Element, S: Simd, const FMA: bool> Ops<T> for Fast<'_, T, S, FMA> {
    #[inline(always)]
    fn product(&mut self, size: Size, a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T]) {
        gemm::product::<T, S, FMA>(self.simd, size, a, b, c, self.pack);
    }

    #[inline(always)]
    fn activate(&self, activation: &Activation, z: &mut [T], d: &mut [T]) {
        resolve(activation, z, d, |activation, z, d| {
            run_at::<S, _, FMA>(self.simd, Activate { activation, z, d })
        });
    }
}

/// Plain loops, for any scalar.
pub(super) struct Plain;

impl<T: Real> Ops<T> for Plain {
    fn product(&mut self, Size { m, n, k }: Size, a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T]) {
        for j in 0..n {
            for i in 0..m {
                c[i + j * m] = (0..k).fold(T::zero(), |sum, p| sum + a.at(i, p) * b.at(p, j));
            }
        }
    }

    fn activate(&self, activation: &Activation, z: &mut [T], d: &mut [T]) {
        resolve(activation, z, d, |activation, z, d| {
            Pass::run::<false>(Activate { activation, z, d })
        });
    }
}

/// So many numbers stay in the first-level cache from one loop to the next.
const NEAR: usize = 4096;

/// A pass on the operations at hand.
pub(super) trait Fused<T> {
    fn compute(&mut self, ops: impl Ops<T>);
}

impl<T: Real> Fused<T> for DenseForward<'_, T> {
    #[inline(always)]
    fn compute(&mut self, mut ops: impl Ops<T>) {
        let &mut Self {
            activation,
            weights,
            bias,
            outputs,
            inputs,
            samples,
            x,
            ref mut a,
            ref mut slopes,
        } = self;
        let size = Size {
            m: outputs,
            n: samples,
            k: inputs,
        };
        let (weights, x) = (Mat::columns(weights, outputs), Mat::columns(x, inputs));
        if a.len() <= LANES {
            // So few that copying them to and fro would be most of the work: they stay in one step of the activation's loop.
            let (mut z, mut d) = ([T::zero(); LANES], [T::zero(); LANES]);
            ops.product(size, weights, x, &mut z[..a.len()]);
            add_bias(&mut z[..a.len()], bias);
            if *activation != Activation::Linear {
                ops.activate(
                    activation,
                    &mut z,
                    if slopes.is_empty() { &mut [] } else { &mut d },
                );
            }
            copy_few(a, &z);
            return copy_few(slopes, &d);
        }
        ops.product(size, weights, x, a);
        // Bias and activation together, while a few columns are near.
        let step = outputs * (NEAR / outputs).max(1);
        let mut slopes = slopes.chunks_mut(step);
        for z in a.chunks_mut(step) {
            add_bias(z, bias);
            if *activation != Activation::Linear {
                ops.activate(activation, z, slopes.next().unwrap_or_default());
            }
        }
    }
}

/// z ← z + b for each column, where there is a bias.
#[inline(always)]
fn add_bias<T: Real>(mut z: &mut [T], bias: &[T]) {
    if bias.is_empty() {
        return;
    }
    // Split off one after the other: `chunks_exact` divides first, which takes longer than a small layer.
    while let Some((column, rest)) = z.split_at_mut_checked(bias.len()) {
        for (z, b) in column.iter_mut().zip(bias) {
            *z += *b;
        }
        z = rest;
    }
}

impl<T: Real> Fused<T> for DenseBackward<'_, T> {
    #[inline(always)]
    fn compute(&mut self, mut ops: impl Ops<T>) {
        let &mut Self {
            activation,
            weights,
            outputs,
            inputs,
            samples,
            a,
            slopes,
            ref mut delta,
            ref mut dx,
        } = self;
        // BP1 at the top, the second factor of BP2 below: δ = ∂C/∂a ⊙ φ′(z)
        Pass::run::<false>(Chain {
            activation,
            a,
            slopes,
            delta,
        });
        // BP2, the first factor: ∂C/∂x = Wᵀ·δ
        if !dx.is_empty() {
            let size = Size {
                m: inputs,
                n: samples,
                k: outputs,
            };
            ops.product(
                size,
                Mat::columns(weights, outputs).flipped(),
                Mat::columns(delta, outputs),
                dx,
            );
        }
    }
}

impl<T: Real> Fused<T> for DenseGradient<'_, T> {
    #[inline(always)]
    fn compute(&mut self, mut ops: impl Ops<T>) {
        let &mut Self {
            outputs,
            inputs,
            some,
            samples,
            delta,
            x,
            ref mut dw,
            ref mut db,
        } = self;
        // BP3: ∂C/∂b = Σ δ over the samples
        if !db.is_empty() {
            db.fill(T::zero());
            let mut delta = delta;
            while let Some((column, rest)) = delta.split_at_checked(outputs) {
                for (sum, d) in db.iter_mut().zip(column) {
                    *sum += *d;
                }
                delta = rest;
            }
        }
        // BP4: ∂C/∂W = δ·xᵀ
        let size = Size {
            m: outputs,
            n: some,
            k: samples,
        };
        ops.product(
            size,
            Mat::columns(delta, outputs),
            Mat::columns(x, inputs).flipped(),
            dw,
        );
    }
}

/// A dense pass together with the buffer of its products.
pub(super) struct WithPack<'a, T, P>(pub(super) &'a mut P, pub(super) &'a mut Vec<T>);

impl<T: Real + Element, P: Fused<T>> Kernel for WithPack<'_, T, P> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, simd: S) {
        self.0.compute(Fast::<T, S, FMA> { simd, pack: self.1 });
    }
}
