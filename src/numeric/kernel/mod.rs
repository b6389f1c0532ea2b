//! The inner loops: matrix products and vectorized functions on slices of `f32` and `f64`.
//!
//! The only place that knows about CPU features. It imports nothing of this crate.

pub(crate) mod gemm;
pub(crate) mod math;
#[cfg(feature = "parallel")]
mod pool;
pub(crate) mod workers;

use core::any::Any;
use fearless_simd::Level;
pub(crate) use fearless_simd::{Simd, SimdBase, SimdFloat};

/// The best instruction set of this machine (of the build's target where there is no `std` to ask).
#[inline]
pub(crate) fn level() -> Level {
    #[cfg(test)]
    if let Some(level) = forced::level() {
        return level;
    }
    Level::try_detect().unwrap_or(Level::baseline())
}

/// A loop over slices that is worth compiling once per instruction set.
pub trait Pass {
    /// What the loop returns.
    type Output;
    /// Whether vectors of 512 bits are worth the compilation of one more instruction set.
    const WIDE: bool = false;
    /// Runs the loop. `FMA` says whether fused multiply-add is an instruction here. Must be
    /// `#[inline(always)]`.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// A [`Pass`] that needs to know its instruction set, to call kernels of the same without asking
/// again.
pub(crate) trait Kernel {
    /// What the kernel returns.
    type Output;
    /// Whether vectors of 512 bits are worth the compilation of one more instruction set.
    #[allow(dead_code, reason = "who asks is on x86-64 and has `std`")]
    const WIDE: bool;
    /// Runs the kernel. Must be `#[inline(always)]`.
    fn run<S: Simd, const FMA: bool>(self, simd: S) -> Self::Output;
}

impl<P: Pass> Kernel for P {
    type Output = P::Output;
    const WIDE: bool = P::WIDE;
    #[inline(always)]
    fn run<S: Simd, const FMA: bool>(self, _simd: S) -> P::Output {
        Pass::run::<FMA>(self)
    }
}

/// Runs `kernel` compiled for one instruction set.
#[cfg(any(all(feature = "std", target_arch = "x86_64"), target_arch = "aarch64"))]
#[inline(always)]
fn run_at<S: Simd, K: Kernel, const FMA: bool>(simd: S, kernel: K) -> K::Output {
    // What a closure owns is copied, by wide loads that wait for narrow stores.
    let mut kernel = Some(kernel);
    simd.vectorize(
        #[inline(always)]
        || {
            let kernel = kernel.take().expect("a kernel that has not run");
            kernel.run::<S, FMA>(simd)
        },
    )
}

/// Runs `kernel` compiled for SSE2: in a function of its own, which is compiled once, because what
/// every x86-64 has is otherwise inlined wherever a kernel is called. Within `vectorize` it would
/// be optimized twice, there and here.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
fn run_at_least<S: Simd, K: Kernel>(simd: S, kernel: K) -> K::Output {
    kernel.run::<S, false>(simd)
}

/// Whether what is compiled with this `FMA` is for an x86 without AVX2, for which large code is not
/// worth its compilation in vectors. To be asked within `const { }`: what a constant rules out, the
/// compiler does not even look at.
pub(crate) const fn is_least(fma: bool) -> bool {
    cfg!(all(feature = "std", target_arch = "x86_64")) && !fma
}

/// Runs `kernel` compiled for the instruction set of `level`: of x86 there are three, AVX-512 (if
/// the kernel is [`WIDE`](Kernel::WIDE)), AVX2 and SSE2.
#[inline]
pub(crate) fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        // Without `std` there is no fused multiply-add of a scalar to call but one in software, and
        // no way to ask.
        #[cfg(feature = "std")]
        {
            if K::WIDE
                && let Some(avx512) = level.as_avx512()
            {
                return run_at::<_, K, true>(avx512, kernel);
            }
            if let Some(avx2) = level.as_avx2() {
                return run_at::<_, K, true>(avx2, kernel);
            }
        }
        if let Some(sse2) = level.as_sse2() {
            return run_at_least(sse2, kernel);
        }
        unreachable!("SSE2 is part of x86-64")
    }
    #[cfg(target_arch = "aarch64")]
    {
        if let Some(neon) = level.as_neon() {
            return run_at::<_, K, { cfg!(feature = "std") }>(neon, kernel);
        }
        unreachable!("NEON is part of AArch64")
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fearless_simd::dispatch!(level, simd => kernel.run::<_, false>(simd))
}

/// Whichever of two functions is an `F`: code that is generic over the scalar finds with it a
/// function for `f32` or `f64` that has no type parameters. Such a function is compiled in this
/// crate, once, and not in every crate that uses it.
#[inline(always)]
pub(crate) fn compiled<F: Any + Copy>(single: impl Any, double: impl Any) -> Option<F> {
    let [single, double]: [&dyn Any; 2] = [&single, &double];
    single.downcast_ref().or(double.downcast_ref()).copied()
}

/// Another instruction set for the tests of one thread.
#[cfg(test)]
pub(crate) mod forced {
    use core::cell::Cell;
    use fearless_simd::Level;

    std::thread_local! {
        static LEVEL: Cell<Option<Level>> = const { Cell::new(None) };
    }

    pub(super) fn level() -> Option<Level> {
        LEVEL.get()
    }

    /// Runs `f` as on a machine whose best instruction set is that of `level`.
    pub(crate) fn at<R>(level: Level, f: impl FnOnce() -> R) -> R {
        LEVEL.set(Some(level));
        let result = f();
        LEVEL.set(None);
        result
    }

    /// Every instruction set of this machine that the kernels are compiled for, the best one first.
    pub(crate) fn levels() -> alloc::vec::Vec<Level> {
        let best = Level::new();
        #[allow(unused_mut)]
        let mut levels = alloc::vec![best];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(
                best.as_avx2()
                    .filter(|_| best.as_avx512().is_some())
                    .map(Level::Avx2),
            );
            levels.extend(best.as_sse2().map(Level::Sse2));
        }
        levels
    }
}
