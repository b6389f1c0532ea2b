//! eˣ, eˣ − 1, ln(1 + x) and the normal distribution without a branch, so that a compiler turns
//! them into vector code.
//!
//! x = n·ln 2 + r with |r| ≤ ½ ln 2, eˣ = 2ⁿ·eʳ (Cody & Waite, *Software Manual for the Elementary
//! Functions*, 1980). 2ⁿ is applied in two factors, so that results underflow gradually and
//! overflow to ∞ as the definition says; NaN passes. ln(1 + x) is 2 artanh s with s = x/(2 + x)
//! (Muller, *Elementary Functions*, 2016), in the form of fdlibm's logarithm: as 2s = x − s·x, it
//! is x − s·(x − R) with R = 2 artanh(s)/s − 2, where only x itself is of full size, and it is
//! exact. The tail of the normal distribution is e^(−a²/2) times a factor that hardly varies: times
//! a + K it is a polynomial in t = (a − K)/(a + K) for all a ≥ 0 (Shepherd & Laframboise,
//! *Mathematics of Computation* 36, 1981). Near 0 it is ½ and an odd polynomial. With `FMA` the
//! steps are fused; callers set it where the machine can.

macro_rules! functions {
    ($module:ident, $t:ident, $int:ident, $bias:literal, $mantissa:literal, magic: $magic:literal, range: ($low:literal, $high:literal),
     ln2: ($ln2_high:literal, $ln2_low:literal), series: [$($c:expr),*], artanh: [$($l:expr),*],
     tail: ($center:literal, $half:literal, [$($k:expr),*]), middle: [$($p:expr),*]) => {
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
                // Adding the magic number leaves round(x / ln 2) in the low bits of the
                // significand.
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

            /// The center K and the polynomial of the normal distribution's tail, for files that
            /// must write it out.
            #[cfg(feature = "onnx")]
            #[allow(dead_code, reason = "f32 has an operator for it")]
            pub(crate) const TAIL: ($t, &[$t]) = ($center, &[$($k),*]);

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

            /// ln(1 + x) for x in [0, 1].
            #[inline(always)]
            pub(crate) fn ln_1p<const FMA: bool>(x: $t) -> $t {
                let s = x / (2.0 + x);
                let square = s * s;
                let mut q: $t = 0.0;
                $(q = fma::<FMA>(q, square, $l);)*
                fma::<FMA>(-s, fma::<FMA>(-square, q, x), x)
            }

            /// The normal distribution Φ(z) = erfc(−z/√2)/2 and its density φ(z) = e^(−z²/2)/√(2π),
            /// for |z| ≤ 1000.
            #[inline(always)]
            pub(crate) fn normal<const FMA: bool>(z: $t) -> ($t, $t) {
                let a = z.abs();
                let square = a * a;
                // What the rounding of a² took away would cost as many roundings of e^(−a²/2) as
                // a²/2 says. Without a fused multiply-add by halves of the digits, whose products
                // are exact (Dekker 1971).
                let rest = if FMA {
                    fma::<FMA>(a, a, -square)
                } else {
                    let high = $t::from_bits(a.to_bits() >> $half << $half);
                    let low = a - high;
                    high * high - square + 2.0 * high * low + low * low
                };
                let e = exp::<FMA>(-0.5 * square);
                let e = fma::<FMA>(e, -0.5 * rest, e);
                let r = 1.0 / (a + $center);
                // (a − K)/(a + K), in the form whose error is least where a is small and the digits
                // count.
                let t = fma::<FMA>(2.0 * a, r, -1.0);
                let mut q: $t = 0.0;
                $(q = fma::<FMA>(q, t, $k);)*
                let tail = e * (q * r);
                let beyond = if z < 0.0 { tail } else { 1.0 - tail };
                let mut q: $t = 0.0;
                $(q = fma::<FMA>(q, square, $p);)*
                let near = fma::<FMA>(z, q, 0.5);
                (if square < 0.5 { near } else { beyond }, e * (0.5 * core::$t::consts::FRAC_2_SQRT_PI * core::$t::consts::FRAC_1_SQRT_2))
            }
        }
    };
}

// (eʳ − 1 − r) / r²: minimax coefficients of the Cephes library (S. Moshier, expf) for f32, the
// Taylor series for f64, highest power first; ln 2 in two parts, the first with enough trailing
// zeros that n·ln 2 is exact.
//
// The others are interpolations at Chebyshev nodes in 60 digits (mpmath's chebyfit), rounded,
// highest power first. artanh: (2 artanh(s)/s − 2)/s² in s² ≤ 1/9, to 8e−9 (f32) and 1e−16 (f64);
// of ln(1 + x) it is a tenth at most. tail: (a + K)·e^(a²/2)·Φ(−a) in t for 0 ≤ a ≤ 15 (f32, K = 3)
// to 1.6e−8 and for 0 ≤ a ≤ 40 (f64, K = 5) to 2.2e−16 at the far end and 7e−19 before the
// coefficients were rounded; beyond, Φ(−a) is 0. `half` are the digits of the lower half. middle:
// (Φ(z) − ½)/z in z² ≤ ½, to 1.4e−9 (f32) and 4e−18 (f64).
functions!(f32, f32, i32, 127, 23, magic: 12_582_912.0, range: (-105.0, 89.0),
    ln2: (0.693_359_4, -2.121_944_4e-4),
    series: [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5],
    artanh: [0.232_243_33, 0.217_065_75, 0.285_923_57, 0.399_997_06, 0.666_666_7],
    tail: (3.0, 12, [5.549_187_3e-5, 1.333_239_5e-4, -2.447_093e-4, -1.034_476_6e-3, 1.024_157_3e-3, 6.969_920_4e-3,
        -1.046_228_9e-2, -4.726_276e-2, 2.300_176_8e-1, -5.093_32e-1, 7.290_837e-1]),
    middle: [1.042_779_8e-4, -1.182_535_9e-3, 9.972_708e-3, -6.649_033e-2, 3.989_423e-1]);
functions!(f64, f64, i64, 1023, 52, magic: 6_755_399_441_055_744.0, range: (-746.0, 710.0),
    ln2: (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10),
    series: [1.0 / 6_227_020_800.0, 1.0 / 479_001_600.0, 1.0 / 39_916_800.0, 1.0 / 3_628_800.0, 1.0 / 362_880.0, 1.0 / 40_320.0,
        1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5],
    artanh: [0.161_640_456_119_435_3, 0.088_007_384_861_446_74, 0.120_010_728_095_907_13, 0.133_141_442_096_549_35,
        0.153_855_700_649_586_23, 0.181_817_894_361_328_6, 0.222_222_227_174_278_64, 0.285_714_285_671_087_6,
        0.400_000_000_000_145_85, 0.666_666_666_666_666_6],
    tail: (5.0, 27, [-3.811_591_216_859_991_4e-10, -1.158_706_706_841_708e-9, 2.223_155_023_258_024_7e-9,
        1.079_347_781_095_965_6e-8, -8.564_120_082_409_74e-9, -7.014_151_855_271_518e-8, 4.018_850_235_148_256_5e-8,
        4.362_959_776_905_544_5e-7, -3.345_807_048_082_705e-7, -2.770_724_172_517_054e-6, 3.979_807_458_462_373e-6,
        1.668_164_148_733_726e-5, -4.976_245_671_937_835_6e-5, -5.937_580_789_806_318e-5, 5.448_989_928_207_337e-4,
        -7.978_693_892_060_231e-4, -2.993_376_761_871_154_6e-3, 2.079_506_679_925_192_3e-2, -6.911_863_870_687_827e-2,
        1.650_203_661_704_075_5e-1, -3.135_331_566_712_874_5e-1, 4.953_056_159_699_761e-1, -6.653_825_028_900_568e-1,
        7.691_930_497_500_63e-1]),
    middle: [2.033_742_058_621_596e-9, -4.100_625_267_192_469e-8, 6.658_589_845_581_663e-7, -9.444_623_920_664_533e-6,
        1.154_346_820_383_927_4e-4, -1.187_328_214_939_370_9e-3, 9.973_557_010_009_501e-3, -6.649_038_006_690_496e-2,
        3.989_422_804_014_327e-1]);
