//! The formulas of the activations: φ(z), φ′(z) and φ″(z), accurate for every z.
//!
//! In each entry the first block gives φ and φ′, the second φ″, which is 0 where there is no second
//! block. They are written once for every scalar; `loops.rs` runs them over slices. Each formula is
//! the textbook one, arranged so that nothing cancels or overflows, ±∞ give the limits, and NaN
//! passes. Where a formula has branches, 0 belongs to the upper one, as in `magnitude`: dual
//! numbers see the derivative of a branch.

use super::Breakpoints;
use crate::numeric::real::{Real, is_nan, magnitude};

/// φ and its derivatives at z.
pub(super) trait Formula<T>: Copy {
    /// Whether φ″ is anything but 0 anywhere.
    const BENDS: bool;
    /// φ and φ′.
    fn both<const FMA: bool>(self, z: T) -> (T, T);
    /// φ″; at a kink of φ or φ′ that of the branch to which the kink belongs.
    fn second<const FMA: bool>(self, z: T) -> T;
}

/// `value` unless z is NaN: comparisons are false on NaN and would turn it into a number. By
/// arithmetic, as in [`ramp`].
#[inline(always)]
fn unless_nan<T: Real>(z: T, value: T) -> T {
    let one = T::one();
    let z = if z > one { one } else { z };
    let z = if z < -one { -one } else { z };
    // Less 0, which keeps −0, or less NaN.
    value - nothing(z)
}

/// 0, or NaN of NaN, for finite z.
#[inline(always)]
fn nothing<T: Real>(z: T) -> T {
    #[allow(clippy::eq_op, reason = "not equal where z is NaN")]
    {
        z - z
    }
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

/// (σ′(z), tanh ½z), of which σ″ is minus the product. With e = e^(−|z|): tanh ½|z| = (1−e)/(1+e).
#[inline(always)]
fn logistic_slope<T: Real, const FMA: bool>(z: T) -> (T, T) {
    let (e, m) = (-magnitude(z)).exp_and_m1_kernel::<FMA>();
    let r = T::one() / (T::one() + e);
    let t = m * r;
    (e * r * r, if z < T::zero() { t } else { -t })
}

/// `bottom` up to the kink at `low`, `middle` with its slope, `top` from the kink at `high` on;
/// `middle` of NaN is NaN.
#[inline(always)]
fn ramp<T: Real>(z: T, low: f64, high: f64, bottom: f64, top: f64, middle: T, slope: T) -> (T, T) {
    let (low, high) = (T::of(low), T::of(high));
    let value = if z <= low { T::of(bottom) } else { middle };
    let value = if z >= high { T::of(top) } else { value };
    // By z cut off at the kinks and not by the conditions above: of conditions that two results
    // share, the compiler makes branches, and of branches no vector code. It is finite or NaN, and
    // so is `inside`.
    let near = if z < low { low } else { z };
    let near = if near > high { high } else { near };
    let inside = if near <= low { T::zero() } else { slope };
    let inside = if near >= high { T::zero() } else { inside };
    (value, inside - nothing(near))
}

/// Evaluates an expression with the formula `$f` of an activation, for numbers of type `$t`; a
/// surrogate has none of its own.
macro_rules! with_formula {
    ($t:ty, $activation:expr, $f:ident => $value:expr) => {
        with_formula!(@one $t, $activation, $f => $value;
            Linear, Step, Sign, PiecewiseLinear, Sigmoid, Tanh, Relu, Relu6, SquaredRelu, Selu, Gelu,
            GeluTanh, Silu, Mish, Softplus, SparsePlus, LogSigmoid, Exp, Softsign, HardSigmoid,
            HardTanh, HardSwish, TanhShrink;
            LeakyRelu { slope }, Elu { alpha }, Celu { alpha }, Threshold { threshold, value },
            HardShrink { lambda }, SoftShrink { lambda }
        )
    };
    (@one $t:ty, $activation:expr, $f:ident => $value:expr;
        $($name:ident),*; $($with:ident { $($field:ident),+ }),*) => {
        match $activation {
            $(Activation::$name => { let $f = $name; $value })*
            $(Activation::$with { $($field),+ } => {
                let $f = $with { $($field: <$t as Real>::of(*$field)),+ };
                $value
            })*
            Activation::Breakpoints($f) => $value,
            Activation::Surrogate { .. } => Default::default(),
        }
    };
}
pub(super) use with_formula;

macro_rules! formulas {
    ($(
        $(#[$doc:meta])*
        $name:ident $({ $($field:ident),+ })? |$z:ident, $zero:ident, $one:ident| $body:block
        $(, $second:block)?
    )*) => {$(
        formulas!(
            @one $(#[$doc])* $name $({ $($field),+ })? |$z, $zero, $one| $body [$($second)?]
        );
    )*};
    (
        @one $(#[$doc:meta])*
        $name:ident |$z:ident, $zero:ident, $one:ident| $body:block [$($second:block)?]
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name;
        impl<T: Real> Formula<T> for $name {
            const BENDS: bool = formulas!(@bends [$($second)?]);
            formulas!(@functions [] |$z, $zero, $one| $body [$($second)?]);
        }
    };
    (
        @one $(#[$doc:meta])*
        $name:ident { $($field:ident),+ }
        |$z:ident, $zero:ident, $one:ident| $body:block [$($second:block)?]
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name<T> {
            $(pub(super) $field: T,)+
        }
        impl<T: Real> Formula<T> for $name<T> {
            const BENDS: bool = formulas!(@bends [$($second)?]);
            formulas!(@functions [$($field)+] |$z, $zero, $one| $body [$($second)?]);
        }
    };
    (
        @functions [$($field:ident)*]
        |$z:ident, $zero:ident, $one:ident| $body:block [$($second:block)?]
    ) => {
        #[inline(always)]
        #[allow(unused_variables)]
        fn both<const FMA: bool>(self, $z: T) -> (T, T) {
            $(let $field = self.$field;)*
            let ($zero, $one) = (T::zero(), T::one());
            $body
        }
        #[inline(always)]
        #[allow(unused_variables)]
        fn second<const FMA: bool>(self, $z: T) -> T {
            $(let $field = self.$field;)*
            let ($zero, $one) = (T::zero(), T::one());
            formulas!(@second $z $zero [$($second)?])
        }
    };
    // A piecewise-linear function.
    (@bends []) => { false };
    (@bends [$second:block]) => { true };
    (@second $z:ident $zero:ident []) => { unless_nan($z, $zero) };
    (@second $z:ident $zero:ident [$second:block]) => { $second };
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
    /// σ(z) = 1/(1 + e^(−z)), σ′(z) = σ(z)·(1 − σ(z)), σ″(z) = −σ′(z)·tanh ½z.
    #[doc(alias("logistic", "logsig", "expit"))]
    Sigmoid |z, zero, one| { logistic::<T, FMA>(z) }, {
        let (slope, t) = logistic_slope::<T, FMA>(z);
        -(slope * t)
    }
    /// With m = e^(−2|z|) − 1 and e = m + 1: tanh |z| = −m/(2+m), tanh′ z = 4e/(1+e)², tanh″ =
    /// −2·tanh·tanh′.
    #[doc(alias("tansig"))]
    Tanh |z, zero, one| {
        let two = T::of(2.0);
        let (e, m) = (-(two * magnitude(z))).exp_and_m1_kernel::<FMA>();
        let t = -m / (two + m);
        let r = two / (one + e);
        (if z < zero { -t } else { t }, e * r * r)
    }, {
        let (t, slope) = Tanh.both::<FMA>(z);
        -(T::of(2.0) * t * slope)
    }
    Relu |z, zero, one| {
        let slope = if z <= zero { zero } else { one };
        (if z <= zero { zero } else { z }, unless_nan(z, slope))
    }
    LeakyRelu { slope } |z, zero, one| {
        // slope 0 times −∞ is no number, but the limit is 0.
        let below = if slope == zero { zero } else { slope * z };
        let value = if z > zero { z } else { below };
        (unless_nan(z, value), unless_nan(z, if z > zero { one } else { slope }))
    }
    Threshold { threshold, value } |z, zero, one| {
        let slope = if z > threshold { one } else { zero };
        (unless_nan(z, if z > threshold { z } else { value }), unless_nan(z, slope))
    }
    Relu6 |z, zero, one| { ramp(z, 0.0, 6.0, 0.0, 6.0, z, one) }
    SquaredRelu |z, zero, one| {
        let above = if z <= zero { zero } else { z };
        (above * above, above + above)
    }, { unless_nan(z, if z <= zero { zero } else { one + one }) }
    Elu { alpha } |z, zero, one| {
        let (e, m) = (if z > zero { zero } else { z }).exp_and_m1_kernel::<FMA>();
        (if z > zero { z } else { alpha * m }, if z > zero { one } else { alpha * e })
    }, {
        let e = alpha * (if z > zero { zero } else { z }).exp_and_m1_kernel::<FMA>().0;
        if z > zero { zero } else { e }
    }
    /// z or α(e^(z/α) − 1); the derivative is 1 or e^(z/α), the second 0 or e^(z/α)/α.
    #[doc(alias("CELU"))]
    Celu { alpha } |z, zero, one| {
        let (e, m) = ((if z > zero { zero } else { z }) / alpha).exp_and_m1_kernel::<FMA>();
        (if z > zero { z } else { alpha * m }, if z > zero { one } else { e })
    }, {
        let e = ((if z > zero { zero } else { z }) / alpha).exp_and_m1_kernel::<FMA>().0;
        if z > zero { zero } else { e / alpha }
    }
    /// λ·(z or α(eᶻ−1)) with the constants of Klambauer et al. (2017).
    #[doc(alias("SELU"))]
    Selu |z, zero, one| {
        let scale = T::of(1.050_700_987_355_480_5);
        let (value, derivative) = Elu { alpha: T::of(1.673_263_242_354_377_2) }.both::<FMA>(z);
        (scale * value, scale * derivative)
    }, {
        let elu = Elu { alpha: T::of(1.673_263_242_354_377_2) };
        T::of(1.050_700_987_355_480_5) * elu.second::<FMA>(z)
    }
    /// z·Φ(z) with Φ(z) = erfc(−z/√2)/2; the derivative is Φ(z) + z·e^(−z²/2)/√(2π), the second
    /// (2 − z²)·e^(−z²/2)/√(2π).
    #[doc(alias("GELU"))]
    Gelu |z, zero, one| {
        let near = bounded(z);
        let (cumulative, density) = near.normal_kernel::<FMA>();
        (if z > near { z } else { near * cumulative }, cumulative + near * density)
    }, {
        let near = bounded(z);
        (T::of(2.0) - near * near) * near.normal_kernel::<FMA>().1
    }
    /// ½z(1 + tanh u) = z·σ(v), v = 2u = √(8/π)(z + 0.044715 z³); the second derivative is
    /// σ′(v)·(2v′ + z·v″ − z·tanh(½v)·v′²).
    #[doc(alias("gelu_new"))]
    GeluTanh |z, zero, one| {
        let (scale, cubic) = (T::of(1.595_769_121_605_730_8), T::of(0.044_715));
        let near = bounded(z);
        let square = near * near;
        let (s, ds) = logistic::<T, FMA>(scale * near * (one + cubic * square));
        let value = if z > near { z } else { near * s };
        (value, s + near * ds * scale * (one + T::of(3.0) * cubic * square))
    }, {
        let (scale, cubic) = (T::of(1.595_769_121_605_730_8), T::of(0.044_715));
        let near = bounded(z);
        let square = near * near;
        let (slope, t) = logistic_slope::<T, FMA>(scale * near * (one + cubic * square));
        let inner = scale * (one + T::of(3.0) * cubic * square);
        slope * (inner + inner + T::of(6.0) * scale * cubic * square - near * t * inner * inner)
    }
    /// z·σ(z); the derivative is σ(z) + z·σ′(z), the second σ′(z)·(2 − z·tanh ½z).
    #[doc(alias("SiLU", "swish"))]
    Silu |z, zero, one| {
        let near = bounded(z);
        let (s, ds) = logistic::<T, FMA>(near);
        (if z > near { z } else { near * s }, s + near * ds)
    }, {
        let near = bounded(z);
        let (slope, t) = logistic_slope::<T, FMA>(near);
        slope * (T::of(2.0) - near * t)
    }
    /// z·tanh(ln(1 + eᶻ)) by e = e^(−|z|): tanh is (1+2e)/(1+2e+2e²) above 0 and (e²+2e)/(e²+2e+2)
    /// below.
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
    }, {
        // With w = tanh(ln(1 + eᶻ)): 2w′ + z·w″, w″ = w′·(σ(−z) − 2w·σ(z)).
        let two = T::of(2.0);
        let near = bounded(z);
        let e = (-magnitude(near)).exp_kernel::<FMA>();
        let above = near >= zero;
        let top = if above { one + two * e } else { e * (e + two) };
        let bottom = if above { top + two * e * e } else { top + two };
        let (w, r) = (top / bottom, two / bottom);
        let slope = r * r * e * (one + e) * (if above { e } else { one });
        let upper = one / (one + e);
        let (s, rest) = if above { (upper, e * upper) } else { (e * upper, upper) };
        slope * (two + near * (rest - two * w * s))
    }
    /// ln(1 + eᶻ) = max(z, 0) + ln(1 + e^(−|z|)).
    Softplus |z, zero, one| {
        let above = if z < zero { zero } else { z };
        let e = (-magnitude(z)).exp_kernel::<FMA>();
        (above + e.ln_1p_kernel::<FMA>(), logistic::<T, FMA>(z).0)
    }, { logistic::<T, FMA>(z).1 }
    SparsePlus |z, zero, one| {
        let half = T::of(0.5);
        let root = half * (z + one);
        let value = if z <= -one { zero } else { root * root };
        // Conditions of its own, as in `ramp`.
        let near = if z < -one { -one } else { z };
        let near = if near > one { one } else { near };
        (if z >= one { z } else { value }, half * (near + one))
    }, {
        let inside = if z <= -one { zero } else { T::of(0.5) };
        unless_nan(z, if z >= one { zero } else { inside })
    }
    /// −ln(1 + e^(−z)) = min(z, 0) − ln(1 + e^(−|z|)).
    LogSigmoid |z, zero, one| {
        let below = if z < zero { z } else { zero };
        let e = (-magnitude(z)).exp_kernel::<FMA>();
        (below - e.ln_1p_kernel::<FMA>(), logistic::<T, FMA>(-z).0)
    }, { -logistic::<T, FMA>(z).1 }
    Exp |z, zero, one| {
        let e = z.exp_kernel::<FMA>();
        (e, e)
    }, { z.exp_kernel::<FMA>() }
    /// z/(1 + |z|); far out by 1/(1 + 1/|z|), which is right at ±∞.
    Softsign |z, zero, one| {
        let a = magnitude(z);
        let r = one / (one + a);
        let far = one / (one + one / a);
        let value = if z < zero { -far } else { far };
        (if a > one { value } else { z * r }, r * r)
    }, {
        let r = one / (one + magnitude(z));
        let cube = T::of(2.0) * r * r * r;
        if z < zero { cube } else { -cube }
    }
    HardSigmoid |z, zero, one| {
        let sixth = T::of(1.0 / 6.0);
        ramp(z, -3.0, 3.0, 0.0, 1.0, (z + T::of(3.0)) * sixth, sixth)
    }
    HardTanh |z, zero, one| { ramp(z, -1.0, 1.0, -1.0, 1.0, z, one) }
    HardSwish |z, zero, one| {
        let (three, sixth) = (T::of(3.0), T::of(1.0 / 6.0));
        let value = if z <= -three { zero } else { z * (z + three) * sixth };
        // Conditions of its own, as in `ramp`.
        let near = if z < -three { -three } else { z };
        let near = if near > three { three } else { near };
        let slope = if near <= -three { zero } else { (z + z + three) * sixth };
        (if z >= three { z } else { value }, if near >= three { one } else { slope })
    }, {
        let three = T::of(3.0);
        let inside = if z <= -three { zero } else { T::of(1.0 / 3.0) };
        unless_nan(z, if z >= three { zero } else { inside })
    }
    HardShrink { lambda } |z, zero, one| {
        let slope = if magnitude(z) > lambda { one } else { zero };
        (unless_nan(z, if magnitude(z) > lambda { z } else { zero }), unless_nan(z, slope))
    }
    SoftShrink { lambda } |z, zero, one| {
        let value = if z > lambda { z - lambda } else { zero };
        let value = if z < -lambda { z + lambda } else { value };
        let slope = if magnitude(z) > lambda { one } else { zero };
        (unless_nan(z, value), unless_nan(z, slope))
    }
    /// z − tanh z, near 0 by Lambert's fraction tanh z = z/(1 + u), u = z²/(3 + z²/(5 + …)), as
    /// z·u/(1 + u): down to z²/19 it is right to 10⁻¹⁷ up to 5/4. The derivative is tanh² z = 1 −
    /// tanh′ z, the second 2·tanh·tanh′.
    TanhShrink |z, zero, one| {
        let square = z * z;
        let polynomial = |coefficients: &[f64]| {
            coefficients.iter().fold(zero, |sum, c| sum * square + T::of(*c))
        };
        let top = square
            * polynomial(&[1.0, 1430.0, 289_575.0, 16_081_065.0, 218_243_025.0]);
        let bottom = polynomial(&[
            1.0, 1485.0, 315_315.0, 18_918_900.0, 310_134_825.0, 654_729_075.0,
        ]);
        let (t, slope) = Tanh.both::<FMA>(z);
        let value = if magnitude(z) < T::of(1.25) { z * (top / bottom) } else { z - t };
        (value, if magnitude(z) < one { t * t } else { one - slope })
    }, {
        let (t, slope) = Tanh.both::<FMA>(z);
        T::of(2.0) * t * slope
    }
}

impl<T: Real> Formula<T> for &Breakpoints {
    const BENDS: bool = false;

    #[inline(always)]
    fn both<const FMA: bool>(self, z: T) -> (T, T) {
        if is_nan(z) {
            return (z, z);
        }
        let ((x, y), slope) = self.piece(self.points().partition_point(|(x, _)| T::of(*x) <= z));
        let x = T::of(x);
        let y = T::of(y);
        let slope = T::of(slope);
        // A slope of 0 times ∞ is no number, but the function is constant there.
        (
            if slope == T::zero() {
                y
            } else {
                y + slope * (z - x)
            },
            slope,
        )
    }

    #[inline(always)]
    fn second<const FMA: bool>(self, z: T) -> T {
        unless_nan(z, T::zero())
    }
}

/// tanh z and tanh′ z, for loops of other files.
#[inline(always)]
pub(crate) fn tanh<T: Real, const FMA: bool>(z: T) -> (T, T) {
    Tanh.both::<FMA>(z)
}

/// σ(z) and σ′(z), likewise.
#[inline(always)]
pub(crate) fn sigmoid<T: Real, const FMA: bool>(z: T) -> (T, T) {
    Sigmoid.both::<FMA>(z)
}

/// ln(1 + eᶻ), likewise.
#[inline(always)]
pub(crate) fn softplus<T: Real, const FMA: bool>(z: T) -> T {
    Softplus.both::<FMA>(z).0
}
