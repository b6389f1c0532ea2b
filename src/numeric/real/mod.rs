//! The scalar type of a network, and the functions of it.

mod half;
#[cfg(feature = "serde")]
pub(crate) mod serde;
mod sum;

pub(crate) use half::half;
pub(crate) use sum::{BLOCK, SAMPLES, accumulate, by_blocks, over_samples, sum, sum_of, sum_pairs};

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::kernel::gemm::{Product, Size};
use crate::numeric::kernel::{self, Pass, math};
use alloc::{string::ToString, vec::Vec};
use core::cmp::Ordering;
use nalgebra::RealField;

/// A real number that a network can be made of: `f32`, `f64`, or any nalgebra [`RealField`] that is
/// `Copy`.
///
/// `f32` and `f64` run on vectorized kernels; every other type, such as the dual numbers of the
/// crate `num-dual` (feature `num-dual`), runs on the plain definitions that this trait's provided
/// methods hold. For a type of your own an empty `impl Real for MyNumber {}` is all there is to
/// write.
///
/// ```
/// use chainrule::Real;
/// fn half<T: Real>() -> T { T::of(0.5) }
/// assert_eq!(half::<f32>() + half::<f32>(), 1.0);
/// ```
pub trait Real: RealField + Copy {
    /// The nearest number of this type: how constants and hyper-parameters, all `f64`, enter a
    /// computation.
    fn of(value: f64) -> Self {
        nalgebra::convert(value)
    }

    /// The nearest `f64`, for messages and statistics (of a dual number: its value).
    fn as_f64(self) -> f64 {
        self.to_subset_unchecked()
    }

    /// What files call this type.
    #[doc(hidden)]
    const NAME: &'static str = "";

    /// Whether this crate has compiled its functions for this type: true of `f32` and `f64` alone.
    #[doc(hidden)]
    const COMPILED_HERE: bool = false;

    /// How many bytes this number is saved in; 0 where it cannot be.
    #[doc(hidden)]
    const BYTES: usize = 0;

    /// The number in its first [`BYTES`](Self::BYTES) bytes, little-endian.
    #[doc(hidden)]
    fn to_bytes(self) -> [u8; 8] {
        [0; 8]
    }

    /// The number that [`to_bytes`](Self::to_bytes) took.
    #[doc(hidden)]
    fn from_bytes(bytes: [u8; 8]) -> Self {
        let _ = bytes;
        Self::zero()
    }

    /// eˣ. `FMA` says whether fused multiply-add is an instruction where this is compiled.
    #[doc(hidden)]
    #[inline(always)]
    fn exp_kernel<const FMA: bool>(self) -> Self {
        self.exp()
    }

    /// eˣ and eˣ − 1, for x ≤ 80.
    #[doc(hidden)]
    #[inline(always)]
    fn exp_and_m1_kernel<const FMA: bool>(self) -> (Self, Self) {
        (self.exp(), self.exp_m1())
    }

    /// ln(1 + x), for x in [0, 1].
    #[doc(hidden)]
    #[inline(always)]
    fn ln_1p_kernel<const FMA: bool>(self) -> Self {
        self.ln_1p()
    }

    /// The normal distribution Φ(x) = erfc(−x/√2)/2 and its density e^(−x²/2)/√(2π), for |x|
    /// ≤ 1000.
    #[doc(hidden)]
    #[inline(always)]
    fn normal_kernel<const FMA: bool>(self) -> (Self, Self) {
        let (half, root) = (Self::of(0.5), Self::of(core::f64::consts::FRAC_1_SQRT_2));
        (
            half * erfc_by_series(-self * root),
            (-(half * self * self)).exp() * half * Self::frac_2_sqrt_pi() * root,
        )
    }

    /// This number, or 0 where it is too small to be normal: arithmetic on subnormal numbers is a
    /// hundred times slower.
    #[doc(hidden)]
    #[inline(always)]
    fn flush(self) -> Self {
        self
    }

    /// C = op(A)·op(B).
    #[doc(hidden)]
    fn product(product: &mut Product<'_, Self>) {
        let Product {
            size: Size { m, n, k },
            a,
            b,
            c,
            ..
        } = product;
        for j in 0..*n {
            for i in 0..*m {
                c[i + j * *m] = (0..*k).fold(Self::zero(), |sum, p| sum + a.at(i, p) * b.at(p, j));
            }
        }
    }

    /// Runs a loop compiled for the best instruction set of the machine.
    #[doc(hidden)]
    #[inline]
    fn vectorize<P: Pass>(pass: P) -> P::Output {
        pass.run::<false>()
    }
}

macro_rules! fast {
    ($t:ident) => {
        impl Real for $t {
            const NAME: &'static str = stringify!($t);
            const COMPILED_HERE: bool = true;
            const BYTES: usize = size_of::<$t>();

            fn to_bytes(self) -> [u8; 8] {
                let mut bytes = [0; 8];
                bytes[..Self::BYTES].copy_from_slice(&self.to_le_bytes());
                bytes
            }

            fn from_bytes(bytes: [u8; 8]) -> Self {
                let mut own = [0; Self::BYTES];
                own.copy_from_slice(&bytes[..Self::BYTES]);
                Self::from_le_bytes(own)
            }

            #[inline(always)]
            fn exp_kernel<const FMA: bool>(self) -> Self {
                math::$t::exp::<FMA>(self)
            }

            #[inline(always)]
            fn exp_and_m1_kernel<const FMA: bool>(self) -> (Self, Self) {
                math::$t::exp_and_m1::<FMA>(self)
            }

            #[inline(always)]
            fn ln_1p_kernel<const FMA: bool>(self) -> Self {
                math::$t::ln_1p::<FMA>(self)
            }

            #[inline(always)]
            fn normal_kernel<const FMA: bool>(self) -> (Self, Self) {
                math::$t::normal::<FMA>(self)
            }

            #[inline(always)]
            fn flush(self) -> Self {
                if self.abs() < $t::MIN_POSITIVE {
                    0.0
                } else {
                    self
                }
            }

            // Without type parameters: compiled here once, and not in every crate that uses this
            // one.
            fn product(product: &mut Product<'_, Self>) {
                kernel::dispatch(kernel::level(), product);
            }

            #[inline]
            fn vectorize<P: Pass>(pass: P) -> P::Output {
                kernel::dispatch(kernel::level(), pass)
            }
        }
    };
}

fast!(f32);
fast!(f64);

/// Runs a loop over `len` numbers, compiled for the best instruction set where they are so many
/// that asking for it pays. More than one step of a loop are, for wide loads that follow narrow
/// stores wait.
#[inline]
pub(crate) fn vectorize<T: Real, P: Pass<Output = ()>>(len: usize, pass: P) {
    const FEW: usize = 16;
    if len <= FEW {
        pass.run::<false>()
    } else {
        T::vectorize(pass)
    }
}

/// Whether `x` is NaN, for any scalar.
#[inline(always)]
pub(crate) fn is_nan<T: Real>(x: T) -> bool {
    #[allow(clippy::eq_op, reason = "the portable test")]
    {
        x != x
    }
}

/// |x|, whose derivative at 0 is that of the branch above.
#[inline(always)]
pub(crate) fn magnitude<T: Real>(x: T) -> T {
    if x < T::zero() { -x } else { x }
}

/// The `T` nearest to a number of which `wide` is the nearest `f64`, and `side` says how the number
/// compares with `wide`. `T::of(wide)` rounds a second time, which is wrong where `wide` lies
/// halfway between two `T` and the number beside it; there the odd neighbor of `wide` takes its
/// place (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
pub(crate) fn nearest<T: Real>(wide: f64, side: impl FnOnce() -> Ordering) -> T {
    let number = T::of(wide);
    let [below, above] = [wide.next_down(), wide.next_up()].map(T::of);
    let halfway = wide.to_bits() & 1 == 0 && number.as_f64() != wide && below != above;
    match halfway.then(side) {
        Some(Ordering::Less) => below,
        Some(Ordering::Greater) => above,
        _ => number,
    }
}

/// The `T` nearest to an integer.
pub(crate) fn nearest_integer<T: Real>(integer: i128) -> T {
    let wide = integer as f64;
    nearest(wide, || integer.cmp(&(wide as i128)))
}

/// Zeros, as many as the product of `sizes`; an error where no memory holds them.
pub(crate) fn zeros<T: Real>(place: &str, sizes: &[usize]) -> Result<Vec<T>> {
    let mut numbers = Vec::new();
    let count = sizes
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(*size));
    match count.filter(|count| numbers.try_reserve_exact(*count).is_ok()) {
        Some(count) => numbers.resize(count, T::zero()),
        None => {
            let given = sizes
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(" × ");
            return Err(Error::new(
                ErrorKind::Value,
                place,
                "as many numbers as fit into memory",
                given,
            ));
        }
    }
    Ok(numbers)
}

/// erfc x = 2/√π ∫ₓ^∞ e^(−t²) dt by the series erf x = 2/√π · e^(−x²) Σ 2ⁿx²ⁿ⁺¹/(2n+1)!! near 0 and
/// Laplace's continued fraction beyond (Abramowitz & Stegun 7.1.6 and 7.1.14), for numbers that no
/// library serves.
fn erfc_by_series<T: Real>(x: T) -> T {
    let number = <T as Real>::of;
    let a = magnitude(x);
    let gauss = (-(a * a)).exp();
    let tail = if a.as_f64() < 2.0 {
        let (mut term, mut sum) = (a, a);
        for n in 1..100 {
            term *= number(2.0) * a * a / number(2.0 * f64::from(n) + 1.0);
            sum += term;
        }
        T::one() - T::frac_2_sqrt_pi() * gauss * sum
    } else {
        // BackwardArgs from a depth at which the fraction has long settled for a ≥ 2.
        let fraction = (1..=120)
            .rev()
            .fold(T::zero(), |rest, n| number(f64::from(n) / 2.0) / (a + rest));
        gauss * T::frac_2_sqrt_pi() / (number(2.0) * (a + fraction))
    };
    if x < T::zero() {
        number(2.0) - tail
    } else {
        tail
    }
}

#[cfg(feature = "num-dual")]
mod dual {
    use super::Real;
    use num_dual::{Dual, Dual2, Dual2Vec, Dual3, DualVec, HyperDual};

    macro_rules! dual {
        ($($name:ident $(<$size:ident>)?),*) => {$(
            impl$(<const $size: usize>)? Real for $name<f32 $(, nalgebra::Const<$size>)?> {
                fn as_f64(self) -> f64 { self.re.into() }
            }
            impl$(<const $size: usize>)? Real for $name<f64 $(, nalgebra::Const<$size>)?> {
                fn as_f64(self) -> f64 { self.re }
            }
        )*};
    }
    dual!(Dual, Dual2, Dual3, HyperDual, DualVec<N>, Dual2Vec<N>);
}
