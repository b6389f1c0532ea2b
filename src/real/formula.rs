//! The formulas: value and derivative of each activation, right over the whole line.
//!
//! Written once for every scalar type; for `f32` and `f64` the loops at the end compile to vector code.
//! Each formula is the textbook one, arranged so that nothing cancels or overflows, ±∞ give the limits, and NaN passes.
//! Where a formula has branches, 0 belongs to the upper one, as in `magnitude`: dual numbers see the derivative of a branch.

use super::{Real, is_nan, magnitude};
use crate::activation::{Activation, Breakpoints};
use crate::kernel::Pass;

/// φ and φ′ at z.
trait Formula<T>: Copy {
    fn both<const FMA: bool>(self, z: T) -> (T, T);
}

/// `value` unless z is NaN: comparisons are false on NaN and would turn it into a number.
#[inline(always)]
fn unless_nan<T: Real>(z: T, value: T) -> T {
    if is_nan(z) { z } else { value }
}

/// z, brought so near to 0 that a product with a factor that has underflown is 0 and not ∞·0.
#[inline(always)]
fn bounded<T: Real>(z: T) -> T {
    let bound = T::of(800.0);
    let z = if z > bound { bound } else { z };
    if z < -bound { -bound } else { z }
}

/// (σ(z), σ′(z)) from e = e^(−|z|): σ = 1/(1+e) or e/(1+e), σ′ = e/(1+e)².
#[inline(always)]
fn logistic<T: Real, const FMA: bool>(z: T) -> (T, T) {
    let e = (-magnitude(z)).exp_kernel::<FMA>();
    let upper = T::one() / (T::one() + e);
    let lower = e * upper;
    (if z < T::zero() { lower } else { upper }, lower * upper)
}

/// `bottom` up to the kink at `low`, `middle` with its slope, `top` from the kink at `high` on.
#[inline(always)]
fn ramp<T: Real>(z: T, low: f64, high: f64, bottom: f64, top: f64, middle: T, slope: T) -> (T, T) {
    let (low, high) = (T::of(low), T::of(high));
    let value = if z <= low { T::of(bottom) } else { middle };
    let value = if z >= high { T::of(top) } else { value };
    let inside = if z <= low { T::zero() } else { slope };
    let inside = if z >= high { T::zero() } else { inside };
    (unless_nan(z, value), unless_nan(z, inside))
}

macro_rules! formulas {
    ($($(#[$doc:meta])* $name:ident $({ $field:ident })? |$z:ident, $zero:ident, $one:ident| $body:block)*) => {$(
        formulas!(@one $(#[$doc])* $name $($field)? |$z, $zero, $one| $body);
    )*};
    (@one $(#[$doc:meta])* $name:ident |$z:ident, $zero:ident, $one:ident| $body:block) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        struct $name;
        impl<T: Real> Formula<T> for $name {
            #[inline(always)]
            #[allow(unused_variables)]
            fn both<const FMA: bool>(self, $z: T) -> (T, T) {
                let ($zero, $one) = (T::zero(), T::one());
                $body
            }
        }
    };
    (@one $(#[$doc:meta])* $name:ident $field:ident |$z:ident, $zero:ident, $one:ident| $body:block) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        struct $name<T> { $field: T }
        impl<T: Real> Formula<T> for $name<T> {
            #[inline(always)]
            #[allow(unused_variables)]
            fn both<const FMA: bool>(self, $z: T) -> (T, T) {
                let $field = self.$field;
                let ($zero, $one) = (T::zero(), T::one());
                $body
            }
        }
    };
}

formulas! {
    Linear |z, zero, one| { (z, unless_nan(z, one)) }
    Step |z, zero, one| {
        let value = if z < zero { zero } else { one };
        let value = if z == zero { T::of(0.5) } else { value };
        (unless_nan(z, value), unless_nan(z, zero))
    }
    Sign |z, zero, one| {
        let value = if z < zero { -one } else { one };
        let value = if z == zero { zero } else { value };
        (unless_nan(z, value), unless_nan(z, zero))
    }
    PiecewiseLinear |z, zero, one| { ramp(z, -0.5, 0.5, 0.0, 1.0, z + T::of(0.5), one) }
    Sigmoid |z, zero, one| { logistic::<T, FMA>(z) }
    /// With m = e^(−2|z|) − 1 and e = m + 1: tanh |z| = −m/(2+m), tanh′ z = 4e/(1+e)².
    Tanh |z, zero, one| {
        let two = T::of(2.0);
        let (e, m) = (-(two * magnitude(z))).exp_and_m1_kernel::<FMA>();
        let t = -m / (two + m);
        let r = two / (one + e);
        (if z < zero { -t } else { t }, e * r * r)
    }
    Relu |z, zero, one| { (if z <= zero { zero } else { z }, unless_nan(z, if z <= zero { zero } else { one })) }
    LeakyRelu { slope } |z, zero, one| {
        // slope 0 times −∞ is no number, but the limit is 0.
        let below = if slope == zero { zero } else { slope * z };
        (unless_nan(z, if z > zero { z } else { below }), unless_nan(z, if z > zero { one } else { slope }))
    }
    Relu6 |z, zero, one| { ramp(z, 0.0, 6.0, 0.0, 6.0, z, one) }
    Elu { alpha } |z, zero, one| {
        let (e, m) = (if z > zero { zero } else { z }).exp_and_m1_kernel::<FMA>();
        (if z > zero { z } else { alpha * m }, if z > zero { one } else { alpha * e })
    }
    /// λ·(z or α(eᶻ−1)) with the constants of Klambauer et al. (2017).
    Selu |z, zero, one| {
        let scale = T::of(1.050_700_987_355_480_5);
        let (value, derivative) = Elu { alpha: T::of(1.673_263_242_354_377_2) }.both::<FMA>(z);
        (scale * value, scale * derivative)
    }
    /// z·Φ(z) with Φ(z) = erfc(−z/√2)/2; the derivative is Φ(z) + z·e^(−z²/2)/√(2π).
    Gelu |z, zero, one| {
        let half = T::of(0.5);
        let near = bounded(z);
        let cumulative = half * (-near * T::of(core::f64::consts::FRAC_1_SQRT_2)).erfc();
        let density = (-(half * near * near)).exp_kernel::<FMA>() * half * T::frac_2_sqrt_pi() * T::of(core::f64::consts::FRAC_1_SQRT_2);
        (if z > near { z } else { near * cumulative }, cumulative + near * density)
    }
    /// ½z(1 + tanh u) = z·σ(2u), 2u = √(8/π)(z + 0.044715 z³).
    GeluTanh |z, zero, one| {
        let (scale, cubic) = (T::of(1.595_769_121_605_730_8), T::of(0.044_715));
        let near = bounded(z);
        let square = near * near;
        let (s, ds) = logistic::<T, FMA>(scale * near * (one + cubic * square));
        (if z > near { z } else { near * s }, s + near * ds * scale * (one + T::of(3.0) * cubic * square))
    }
    /// z·σ(z); the derivative is σ(z) + z·σ′(z).
    Silu |z, zero, one| {
        let near = bounded(z);
        let (s, ds) = logistic::<T, FMA>(near);
        (if z > near { z } else { near * s }, s + near * ds)
    }
    /// z·tanh(ln(1 + eᶻ)) by e = e^(−|z|): tanh is (1+2e)/(1+2e+2e²) above 0 and (e²+2e)/(e²+2e+2) below.
    Mish |z, zero, one| {
        let two = T::of(2.0);
        let near = bounded(z);
        let e = (-magnitude(near)).exp_kernel::<FMA>();
        let above = near >= zero;
        let top = if above { one + two * e } else { e * (e + two) };
        let bottom = if above { top + two * e * e } else { top + two };
        let (w, r) = (top / bottom, two / bottom);
        let slope = r * r * e * (one + e) * (if above { e } else { one });
        (if z > near { z } else { near * w }, w + near * slope)
    }
    /// ln(1 + eᶻ) = max(z, 0) + ln(1 + e^(−|z|)).
    Softplus |z, zero, one| {
        let above = if z < zero { zero } else { z };
        let e = (-magnitude(z)).exp_kernel::<FMA>();
        (above + e.ln_1p(), logistic::<T, FMA>(z).0)
    }
    /// z/(1 + |z|); far out by 1/(1 + 1/|z|), which is right at ±∞.
    Softsign |z, zero, one| {
        let a = magnitude(z);
        let r = one / (one + a);
        let far = one / (one + one / a);
        let value = if z < zero { -far } else { far };
        (if a > one { value } else { z * r }, r * r)
    }
    HardSigmoid |z, zero, one| {
        let sixth = T::of(1.0 / 6.0);
        ramp(z, -3.0, 3.0, 0.0, 1.0, (z + T::of(3.0)) * sixth, sixth)
    }
    HardTanh |z, zero, one| { ramp(z, -1.0, 1.0, -1.0, 1.0, z, one) }
    HardSwish |z, zero, one| {
        let (three, sixth) = (T::of(3.0), T::of(1.0 / 6.0));
        let value = if z <= -three { zero } else { z * (z + three) * sixth };
        let slope = if z <= -three { zero } else { (z + z + three) * sixth };
        (if z >= three { z } else { unless_nan(z, value) }, if z >= three { one } else { unless_nan(z, slope) })
    }
}

impl<T: Real> Formula<T> for &Breakpoints {
    #[inline(always)]
    fn both<const FMA: bool>(self, z: T) -> (T, T) {
        if is_nan(z) {
            return (z, z);
        }
        let ((x, y), slope) = self.piece(self.points().partition_point(|(x, _)| T::of(*x) <= z));
        let (x, y, slope) = (T::of(x), T::of(y), T::of(slope));
        // A slope of 0 times ∞ is no number, but the function is constant there.
        (if slope == T::zero() { y } else { y + slope * (z - x) }, slope)
    }
}

/// Runs a pass over slices with the formula of an activation; a surrogate has none of its own.
macro_rules! with_formula {
    ($activation:expr, $pass:ident($($slice:expr),*)) => {
        match $activation {
            Activation::Linear => T::vectorize($pass(Linear, $($slice),*)),
            Activation::Step => T::vectorize($pass(Step, $($slice),*)),
            Activation::Sign => T::vectorize($pass(Sign, $($slice),*)),
            Activation::PiecewiseLinear => T::vectorize($pass(PiecewiseLinear, $($slice),*)),
            Activation::Sigmoid => T::vectorize($pass(Sigmoid, $($slice),*)),
            Activation::Tanh => T::vectorize($pass(Tanh, $($slice),*)),
            Activation::Relu => T::vectorize($pass(Relu, $($slice),*)),
            Activation::LeakyRelu { slope } => T::vectorize($pass(LeakyRelu { slope: T::of(*slope) }, $($slice),*)),
            Activation::Relu6 => T::vectorize($pass(Relu6, $($slice),*)),
            Activation::Elu { alpha } => T::vectorize($pass(Elu { alpha: T::of(*alpha) }, $($slice),*)),
            Activation::Selu => T::vectorize($pass(Selu, $($slice),*)),
            Activation::Gelu => T::vectorize($pass(Gelu, $($slice),*)),
            Activation::GeluTanh => T::vectorize($pass(GeluTanh, $($slice),*)),
            Activation::Silu => T::vectorize($pass(Silu, $($slice),*)),
            Activation::Mish => T::vectorize($pass(Mish, $($slice),*)),
            Activation::Softplus => T::vectorize($pass(Softplus, $($slice),*)),
            Activation::Softsign => T::vectorize($pass(Softsign, $($slice),*)),
            Activation::HardSigmoid => T::vectorize($pass(HardSigmoid, $($slice),*)),
            Activation::HardTanh => T::vectorize($pass(HardTanh, $($slice),*)),
            Activation::HardSwish => T::vectorize($pass(HardSwish, $($slice),*)),
            Activation::Breakpoints(points) => T::vectorize($pass(points, $($slice),*)),
            Activation::Surrogate { .. } => {}
        }
    };
}

/// z ← φ(z), of no surrogate.
pub(super) fn values<T: Real>(activation: &Activation, z: &mut [T]) {
    with_formula!(activation, Values(z));
}

/// z ← φ(z), d ← φ′(z), of no surrogate.
pub(super) fn both<T: Real>(activation: &Activation, z: &mut [T], d: &mut [T]) {
    with_formula!(activation, Both(z, d));
}

/// tanh z, for loops of other files.
#[inline(always)]
pub(crate) fn tanh<T: Real, const FMA: bool>(z: T) -> T {
    Tanh.both::<FMA>(z).0
}

/// σ(z), likewise.
#[inline(always)]
pub(crate) fn sigmoid<T: Real, const FMA: bool>(z: T) -> T {
    Sigmoid.both::<FMA>(z).0
}

/// ln(1 + eᶻ), likewise.
#[inline(always)]
pub(crate) fn softplus<T: Real, const FMA: bool>(z: T) -> T {
    Softplus.both::<FMA>(z).0
}

/// Elements to a step of a loop: a multiple of every vector width, so that short slices are vector code, too.
const LANES: usize = 16;

/// z ← φ(z).
struct Values<'a, T, F>(F, &'a mut [T]);

impl<T: Real, F: Formula<T>> Pass for Values<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (chunks, rest) = self.1.as_chunks_mut::<LANES>();
        let mut last = padded(rest);
        for chunk in chunks.iter_mut().chain(last.as_mut()) {
            for z in chunk {
                *z = self.0.both::<FMA>(*z).0;
            }
        }
        unpad(&last, rest);
    }
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
        for (z, d) in z.iter_mut().chain(z_last.as_mut()).zip(d.iter_mut().chain(d_last.as_mut())) {
            for i in 0..LANES {
                (z[i], d[i]) = f.both::<FMA>(z[i]);
            }
        }
        unpad(&z_last, z_rest);
        unpad(&d_last, d_rest);
    }
}

/// The rest of a slice as one more step of the loop; nothing where there is none.
#[inline(always)]
fn padded<T: Real>(rest: &[T]) -> Option<[T; LANES]> {
    (!rest.is_empty()).then(|| {
        let mut chunk = [T::zero(); LANES];
        for (to, from) in chunk.iter_mut().zip(rest) {
            *to = *from;
        }
        chunk
    })
}

#[inline(always)]
fn unpad<T: Real>(chunk: &Option<[T; LANES]>, rest: &mut [T]) {
    for (to, from) in rest.iter_mut().zip(chunk.iter().flatten()) {
        *to = *from;
    }
}
