//! The inner loops: matrix products and vectorised functions on slices of `f32` and `f64`.
//!
//! The only place that knows about CPU features. It imports nothing of this crate.

pub(crate) mod gemm;
pub(crate) mod math;

use fearless_simd::Level;

/// The best instruction set of this machine (of the build's target where there is no `std` to ask).
#[inline]
pub(crate) fn level() -> Level {
    Level::try_detect().unwrap_or(Level::baseline())
}

/// A loop over slices that is worth compiling once per instruction set.
pub trait Pass {
    /// What the loop returns.
    type Output;
    /// Runs the loop. `FMA` says whether fused multiply-add is an instruction here. Must be `#[inline(always)]`.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// Runs `pass` compiled for the instruction set of `level`.
#[inline]
pub(crate) fn vectorize<P: Pass>(level: Level, pass: P) -> P::Output {
    // Without `std` there is no fused multiply-add to call but one in software.
    #[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
    {
        if let Some(avx512) = level.as_avx512() {
            return fearless_simd::Simd::vectorize(
                avx512,
                #[inline(always)]
                || pass.run::<true>(),
            );
        }
        if let Some(avx2) = level.as_avx2() {
            return fearless_simd::Simd::vectorize(
                avx2,
                #[inline(always)]
                || pass.run::<true>(),
            );
        }
    }
    #[cfg(all(feature = "std", target_arch = "aarch64"))]
    if let Some(neon) = level.as_neon() {
        return fearless_simd::Simd::vectorize(
            neon,
            #[inline(always)]
            || pass.run::<true>(),
        );
    }
    let _ = level;
    pass.run::<false>()
}
