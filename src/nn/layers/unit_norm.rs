//! Samples of length 1.

use super::smooth::dot;
use crate::error::Result;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, ForwardArgs, InferArgs, Layer, TangentArgs,
};
use crate::numeric::bounds::NOT_NEGATIVE;
use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, magnitude, sum_of, sum_pairs};
use crate::numeric::view::{View, ViewMut};
use alloc::{format, string::String};
use core::fmt;

/// Each sample divided by its length: the sum of its magnitudes, the root of its squares' sum, or
/// its largest magnitude.
///
/// ```text
/// yⱼ = xⱼ/max(‖x‖, ε)
/// ∂C/∂xⱼ = (∂C/∂yⱼ − sⱼ·Σₖ yₖ·∂C/∂yₖ)/‖x‖,  s = ∂‖x‖/∂x,  and ∂C/∂yⱼ/ε where ‖x‖ < ε
/// ```
///
/// | made by | ‖x‖ | s |
/// |---|---|---|
/// | [`UnitNorm::l1`] | Σₖ \|xₖ\| | the signs of x |
/// | [`UnitNorm::l2`] | √Σₖ xₖ² | y |
/// | [`UnitNorm::max`] | maxₖ \|xₖ\| | the sign of the largest, shared by several |
///
/// ε is 10⁻¹², as in PyTorch's `functional.normalize`. With an [`eps`](Self::eps) of 0, a sample of
/// zeros stays as it is, which is scikit-learn's `Normalizer` and ONNX's `LpNormalization`. Input
/// and output are features × samples. NaN or ±∞ makes its own sample NaN, no other; the squares of
/// large and of small numbers neither overflow nor vanish.
///
/// ```
/// use chainrule::Sequential;
/// use chainrule::nalgebra::DVector;
/// use chainrule::nn::UnitNorm;
/// let x = DVector::from_vec(vec![3.0, -4.0]);
/// let of = |layer| Sequential::<f64>::builder(2).layer(layer).build()?.predict(&x);
/// assert_eq!(of(UnitNorm::l2())?.as_slice(), [0.6, -0.8]);
/// assert_eq!(of(UnitNorm::max())?.as_slice(), [0.75, -1.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("UnitNormalization", "Normalizer", "LpNormalization", "normalize"))]
pub struct UnitNorm {
    length: Length,
    eps: f64,
}

/// How long a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Length {
    L1,
    L2,
    Max,
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Max => "max",
        })
    }
}

impl UnitNorm {
    /// By the sum of magnitudes.
    pub fn l1() -> Self {
        Self::of(Length::L1)
    }

    /// By the root of the sum of squares.
    pub fn l2() -> Self {
        Self::of(Length::L2)
    }

    /// By the largest magnitude.
    pub fn max() -> Self {
        Self::of(Length::Max)
    }

    pub(crate) fn of(length: Length) -> Self {
        Self { length, eps: 1e-12 }
    }

    /// The same layer with this ε, finite and at least 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// The length, and ε.
    #[cfg(feature = "onnx")]
    pub(crate) fn settings(&self) -> (Length, f64) {
        (self.length, self.eps)
    }

    /// y, and what the way back needs of each sample, where there is room for it.
    fn apply<T: Real>(&self, x: View<'_, T>, mut y: ViewMut<'_, T>, kept: &mut [[T; 2]]) {
        T::vectorize(Divide {
            length: self.length,
            eps: T::of(self.eps),
            width: x.rows(),
            x: x.as_slice(),
            y: y.as_mut_slice(),
            kept,
        });
    }

    /// ∂‖x‖/∂xⱼ without its share, from yⱼ.
    #[inline(always)]
    fn slope<T: Real>(&self, y: T) -> T {
        let (zero, one) = (T::zero(), T::one());
        match self.length {
            Length::L2 => y,
            Length::L1 if y > zero => one,
            Length::L1 if y < zero => -one,
            Length::Max if magnitude(y) == one => y,
            _ => zero,
        }
    }
}

/// y = x/max(‖x‖, ε).
struct Divide<'a, T> {
    length: Length,
    eps: T,
    width: usize,
    x: &'a [T],
    y: &'a mut [T],
    /// Of each sample 1/max(‖x‖, ε) and what part of s is each one's share: 1, of the largest of
    /// several as large 1 by their number, and 0 where ε is larger than the length.
    kept: &'a mut [[T; 2]],
}

impl<T: Real> Pass for Divide<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (zero, one) = (T::zero(), T::one());
        let mut kept = self.kept.iter_mut();
        let rows = self.x.chunks_exact(self.width);
        for (x, y) in rows.zip(self.y.chunks_exact_mut(self.width)) {
            let (scale, length) = length(self.length, x);
            let short = scale * length < self.eps || length == zero;
            let (scale, divisor) = match (short, self.eps == zero) {
                (false, _) => (scale, length),
                (true, false) => (one, self.eps),
                (true, true) => (one, one),
            };
            for (y, x) in y.iter_mut().zip(x) {
                *y = *x / divisor;
            }
            if scale != one {
                for (y, x) in y.iter_mut().zip(x) {
                    *y = *x / scale / divisor;
                }
            }
            if let Some(kept) = kept.next() {
                let share = match self.length {
                    _ if short => zero,
                    Length::Max => {
                        let largest = y.iter().filter(|y| magnitude(**y) == one).count();
                        one / T::of(largest as f64)
                    }
                    _ => one,
                };
                *kept = [one / scale / divisor, share];
            }
        }
    }
}

/// Two factors of ‖x‖, the first 1 unless squares overflow or vanish, or a sum overflows.
#[inline(always)]
fn length<T: Real>(length: Length, x: &[T]) -> (T, T) {
    let plain = plain_length(length, x);
    // Squares of smaller numbers would lose digits, in f32.
    let small = length == Length::L2 && plain < T::of(1e-15);
    if plain.is_finite() && !small {
        (T::one(), plain)
    } else {
        scaled_length(length, x)
    }
}

/// [`length()`] by x/max|x|; NaN where x has one, or ∞.
#[cold]
#[inline(never)]
fn scaled_length<T: Real>(length: Length, x: &[T]) -> (T, T) {
    let max = largest(x);
    if max == T::zero() {
        return (T::one(), plain_length(length, x));
    }
    let total = |term: fn(T) -> T| sum_of(x.len(), &mut x.iter().map(|x| term(*x / max)));
    let scaled = match length {
        Length::L1 => total(magnitude),
        Length::L2 => total(|x| x * x).sqrt(),
        Length::Max => T::one() + total(|x| x * T::zero()),
    };
    (max, scaled)
}

/// The largest magnitude; where there are NaN, of the others.
#[inline(always)]
fn largest<T: Real>(x: &[T]) -> T {
    x.iter().fold(T::zero(), |max, x| {
        if magnitude(*x) > max {
            magnitude(*x)
        } else {
            max
        }
    })
}

/// The length of x; NaN where x has one.
#[inline(always)]
fn plain_length<T: Real>(length: Length, x: &[T]) -> T {
    match length {
        Length::L1 => sum_pairs(x, x, |x, _| magnitude(x)),
        Length::L2 => sum_pairs(x, x, |x, _| x * x).sqrt(),
        // Times 0 and added, NaN and ∞ are seen.
        Length::Max => largest(x) + sum_pairs(x, x, |x, _| x * T::zero()),
    }
}

impl<T: Real> Layer<T> for UnitNorm {
    shared!(UnitNorm);

    fn name(&self) -> String {
        String::from("UnitNorm")
    }

    fn describe(&self) -> String {
        format!("UnitNorm(length={}, eps={})", self.length, self.eps)
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        NOT_NEGATIVE.check_in::<T>("eps", self.eps)?;
        Ok(inputs)
    }

    /// 1/max(‖x‖, ε), and the share of each in the slope of ‖x‖.
    fn cache_len(&self, _inputs: usize) -> usize {
        2
    }

    fn bounds(&self, _input: (f64, f64)) -> (f64, f64) {
        (-1.0, 1.0)
    }

    fn infer(&self, p: InferArgs<'_, T>) {
        self.apply(p.x, p.y, &mut []);
    }

    fn forward(&self, p: ForwardArgs<'_, T>) {
        self.apply(p.x, p.y, p.cache.as_chunks_mut().0);
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        let Some(mut dx) = p.dx else {
            return;
        };
        let delta = p.delta.as_view();
        let samples = p.y.iter().zip(delta.iter()).zip(p.cache.as_chunks().0);
        for (dx, ((y, dy), [inverse, share])) in dx.iter_mut().zip(samples) {
            let along = dot(y, dy) * *share;
            for (dx, (y, dy)) in dx.iter_mut().zip(y.iter().zip(dy)) {
                *dx = (*dy - self.slope(*y) * along) * *inverse;
            }
        }
    }

    /// ẏ = (ẋ − y·(s·ẋ))/‖x‖.
    fn tangent(&self, mut p: TangentArgs<'_, T>) -> Result<()> {
        let samples = p.y.iter().zip(p.x_dot.iter()).zip(p.cache.as_chunks().0);
        for (y_dot, ((y, x_dot), [inverse, share])) in p.y_dot.iter_mut().zip(samples) {
            let length_dot = self.length_dot(y, x_dot) * *share;
            for (y_dot, (y, x_dot)) in y_dot.iter_mut().zip(y.iter().zip(x_dot)) {
                *y_dot = (*x_dot - *y * length_dot) * *inverse;
            }
        }
        Ok(())
    }

    /// With r = y·∂C/∂y: (∂C/∂x)˙ = ((∂C/∂y)˙ − ṡ·r − s·ṙ − ‖x‖˙·∂C/∂x)/‖x‖; ṡ is ẏ of the root
    /// of squares, and 0 of the others.
    fn backward_tangent(&self, p: BackwardTangentArgs<'_, T>) -> Result<()> {
        let Some((mut dx, mut dx_dot)) = p.dx else {
            return Ok(());
        };
        let (delta, delta_dot) = (p.delta.as_view(), p.delta_dot.as_view());
        let slopes = delta.iter().zip(delta_dot.iter());
        let values = p.y.iter().zip(p.y_dot.iter()).zip(p.x_dot.iter());
        let samples = slopes.zip(values).zip(p.cache.as_chunks().0);
        for ((dx, dx_dot), (((dy, dy_dot), ((y, y_dot), x_dot)), [inverse, share])) in
            dx.iter_mut().zip(dx_dot.iter_mut()).zip(samples)
        {
            let along = dot(y, dy) * *share;
            let along_dot = (dot(y_dot, dy) + dot(y, dy_dot)) * *share;
            let length_dot = self.length_dot(y, x_dot) * *share;
            for j in 0..y.len() {
                let slope = self.slope(y[j]);
                let slope_dot = if self.length == Length::L2 {
                    y_dot[j]
                } else {
                    T::zero()
                };
                dx[j] = (dy[j] - slope * along) * *inverse;
                let moved = dy_dot[j] - slope_dot * along - slope * along_dot;
                dx_dot[j] = (moved - length_dot * dx[j]) * *inverse;
            }
        }
        Ok(())
    }
}

impl UnitNorm {
    /// s·ẋ without the share.
    fn length_dot<T: Real>(&self, y: &[T], x_dot: &[T]) -> T {
        y.iter()
            .zip(x_dot)
            .fold(T::zero(), |sum, (y, x_dot)| sum + self.slope(*y) * *x_dot)
    }
}
