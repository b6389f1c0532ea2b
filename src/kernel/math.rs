//! eˣ and eˣ − 1 as branch-free polynomials that a compiler turns into vector code.
//!
//! x = n·ln 2 + r with |r| ≤ ½ ln 2, eˣ = 2ⁿ·eʳ (Cody & Waite, *Software Manual for the Elementary Functions*, 1980).
//! 2ⁿ is applied in two factors, so that results underflow gradually and overflow to ∞ as the definition says; NaN passes.
//! With `FMA` the steps are fused; callers set it where the machine can.

macro_rules! functions {
    ($module:ident, $t:ident, $int:ident, $bias:literal, $mantissa:literal, magic: $magic:literal, range: ($low:literal, $high:literal),
     ln2: ($ln2_high:literal, $ln2_low:literal), series: [$($c:expr),*]) => {
        pub(crate) mod $module {
            #[inline(always)]
            fn fma<const FMA: bool>(a: $t, b: $t, c: $t) -> $t {
                #[cfg(feature = "std")]
                if FMA {
                    return a.mul_add(b, c);
                }
                a * b + c
            }

            /// (n, eʳ − 1) for x = n·ln 2 + r.
            #[inline(always)]
            fn reduce<const FMA: bool>(x: $t) -> ($int, $t) {
                // Written so that NaN stays NaN.
                let x = if x < $low { $low } else { x };
                let x = if x > $high { $high } else { x };
                // Adding the magic number leaves round(x / ln 2) in the low bits of the significand.
                let shifted = fma::<FMA>(x, core::$t::consts::LOG2_E, $magic);
                let n = shifted - $magic;
                let r = fma::<FMA>(n, -$ln2_low, fma::<FMA>(n, -$ln2_high, x));
                let mut q: $t = 0.0;
                $(q = fma::<FMA>(q, r, $c);)*
                let magic: $t = $magic;
                ((shifted.to_bits() as $int).wrapping_sub(magic.to_bits() as $int), fma::<FMA>(q, r * r, r))
            }

            /// 2ⁿ for n within the normal exponents.
            #[inline(always)]
            fn power(n: $int) -> $t {
                $t::from_bits((n.wrapping_add($bias) << $mantissa) as _)
            }

            /// eˣ.
            #[inline(always)]
            pub(crate) fn exp<const FMA: bool>(x: $t) -> $t {
                let (n, m) = reduce::<FMA>(x);
                let half = n >> 1;
                (1.0 + m) * power(half) * power(n.wrapping_sub(half))
            }

            /// eˣ and eˣ − 1, for x below the logarithm of half the largest number.
            #[inline(always)]
            pub(crate) fn exp_and_m1<const FMA: bool>(x: $t) -> ($t, $t) {
                let (n, m) = reduce::<FMA>(x);
                let half = n >> 1;
                let (p, q) = (power(half), power(n.wrapping_sub(half)));
                let scale = p * q;
                // x itself at 0, for the sign of −0.
                ((1.0 + m) * p * q, if x == 0.0 { x } else { fma::<FMA>(scale, m, scale - 1.0) })
            }
        }
    };
}

// (eʳ − 1 − r) / r²: minimax coefficients of the Cephes library (S. Moshier, expf) for f32, the Taylor series for f64,
// highest power first; ln 2 in two parts, the first with enough trailing zeros that n·ln 2 is exact.
functions!(f32, f32, i32, 127, 23, magic: 12_582_912.0, range: (-105.0, 89.0),
    ln2: (0.693_359_4, -2.121_944_4e-4),
    series: [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
functions!(f64, f64, i64, 1023, 52, magic: 6_755_399_441_055_744.0, range: (-746.0, 710.0),
    ln2: (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10),
    series: [1.0 / 6_227_020_800.0, 1.0 / 479_001_600.0, 1.0 / 39_916_800.0, 1.0 / 3_628_800.0, 1.0 / 362_880.0, 1.0 / 40_320.0,
        1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5]);
