//! Losses on margins: outputs need only be beyond them.

use super::by_output::{self, ByOutput, loss_by_output};
use super::classification::{check_classes, check_probabilities, times};
use super::{CostsArgs, CurvaturesArgs, Loss, SlopesArgs, check_targets, share};
use crate::error::Result;
use crate::numeric::bounds::NOT_NEGATIVE;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, is_nan, sum_of};
use crate::numeric::view::View;
use alloc::{format, string::String};

/// max(0, z); NaN passes.
fn relu<T: Real>(z: T) -> T {
    if z <= T::zero() { T::zero() } else { z }
}

/// 1 for z > 0, else 0; NaN passes.
fn step<T: Real>(z: T) -> T {
    if z > T::zero() { T::one() } else { relu(z) }
}

/// Targets of two sides.
fn check_signs<T: Real>(name: &str, target: View<'_, T>) -> Result<()> {
    let expected = "−1 or 1 (for 0 and 1 take SigmoidCrossEntropy, for numbers MeanSquaredError)";
    check_targets(name, target, expected, |t| t == T::one() || t == -T::one())
}

/// The hinge loss max(0, 1 − t·y) of margins, with targets −1 and 1, averaged over outputs and
/// samples (Keras's `Hinge`; for one output scikit-learn's `hinge_loss`). With a linear output it
/// makes a margin classifier.
///
/// ∂C/∂y = −t/(nd) within the margin, 0 beyond and on it.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Hinge, Loss};
/// let cost = Hinge.value(View::new(&[0.5, 3.0], 1)?, View::new(&[1.0, -1.0], 1)?.into())?;
/// assert_eq!(cost, (0.5 + 4.0) / 2.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("svm", "hinge_loss"))]
pub struct Hinge;

impl<T: Real> ByOutput<T> for Hinge {
    fn cost(&self, _: usize, y: T, t: T) -> T {
        relu(T::one() - t * y)
    }

    fn slope(&self, _: usize, y: T, t: T) -> T {
        match T::one() - t * y {
            margin if margin > T::zero() => -t,
            margin => relu(margin),
        }
    }

    fn curvature(&self, _: usize, _: T, _: T) -> T {
        T::zero()
    }
}

loss_by_output!(Hinge {
    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        check_signs("Hinge", target)
    }
});

/// The squared hinge loss max(0, 1 − t·y)² with targets −1 and 1, averaged over outputs and samples
/// (Keras's `SquaredHinge`, scikit-learn's `squared_hinge`). It is smooth, and harder on what lies
/// far on the wrong side than [`Hinge`].
///
/// ∂C/∂y = −2t(1 − t·y)/(nd) and ∂²C/∂y² = 2/(nd) within the margin, 0 beyond and on it.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, SquaredHinge};
/// let cost = SquaredHinge.value(View::new(&[0.5, 3.0], 1)?, View::new(&[1.0, -1.0], 1)?.into())?;
/// assert_eq!(cost, (0.25 + 16.0) / 2.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("squared_hinge", "l2_svm"))]
pub struct SquaredHinge;

impl<T: Real> ByOutput<T> for SquaredHinge {
    fn cost(&self, _: usize, y: T, t: T) -> T {
        let margin = relu(T::one() - t * y);
        margin * margin
    }

    fn slope(&self, _: usize, y: T, t: T) -> T {
        match T::one() - t * y {
            margin if margin > T::zero() => T::of(-2.0) * t * margin,
            margin => relu(margin),
        }
    }

    fn curvature(&self, _: usize, y: T, t: T) -> T {
        T::of(2.0) * step(T::one() - t * y)
    }
}

loss_by_output!(SquaredHinge {
    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        check_signs("SquaredHinge", target)
    }
});

/// The hinge embedding loss of distances y: y where the target is 1, for pairs that are alike, and
/// max(0, m − y) where it is −1, for pairs that are to be at least the margin m apart; averaged
/// over outputs and samples (PyTorch's `HingeEmbeddingLoss`).
///
/// ∂C/∂y = 1/(nd) for t = 1; for t = −1 it is −1/(nd) within the margin, 0 beyond and on it.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{HingeEmbedding, Loss};
/// let (y, t) = (View::new(&[0.25, 0.25], 1)?, View::new(&[1.0, -1.0], 1)?);
/// assert_eq!(HingeEmbedding::new(1.0).value(y, t.into())?, (0.25 + 0.75) / 2.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("HingeEmbeddingLoss", "hinge_embedding_loss"))]
pub struct HingeEmbedding {
    margin: f64,
}

impl HingeEmbedding {
    /// The loss with a finite margin ≥ 0 (PyTorch's default: 1).
    pub fn new(margin: f64) -> Self {
        Self { margin }
    }
}

impl<T: Real> ByOutput<T> for HingeEmbedding {
    fn cost(&self, _: usize, y: T, t: T) -> T {
        if t > T::zero() {
            y
        } else {
            relu(T::of(self.margin) - y)
        }
    }

    fn slope(&self, _: usize, y: T, t: T) -> T {
        match T::of(self.margin) - y {
            margin if is_nan(margin) => margin,
            _ if t > T::zero() => T::one(),
            margin => -step(margin),
        }
    }

    fn curvature(&self, _: usize, _: T, _: T) -> T {
        T::zero()
    }
}

loss_by_output!(HingeEmbedding {
    fn describe(&self) -> String {
        format!("HingeEmbedding(margin={})", self.margin)
    }

    fn check(&self, _outputs: usize) -> Result<()> {
        check_margin::<T>("HingeEmbedding", self.margin)
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        check_signs("HingeEmbedding", target)
    }
});

fn check_margin<T: Real>(name: &str, margin: f64) -> Result<()> {
    let place = format_args!("margin of {name}");
    NOT_NEGATIVE
        .named("a finite margin ≥ 0")
        .check_in::<T>(place, margin)
}

/// The hinge loss of classes as Keras defines it (`CategoricalHinge`): for a sample max(0, 1 +
/// maxⱼ (1−tⱼ)yⱼ − Σⱼ tⱼyⱼ), averaged over the samples.
///
/// The score of the right class should exceed every other score, and 0, by at least 1: of the right
/// class the maximum takes 0·y = 0. [`MultiMargin`] compares scores with each other
/// alone. Where costs are above 0, ∂C/∂yⱼ is −tⱼ/n, plus (1−tⱼ)/n for the j of the maximum, the
/// first where there are several.
///
/// Outputs are at least 2, and targets lie in [0, 1] ([`one_hot`](crate::one_hot) makes them of
/// labels).
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{CategoricalHinge, Loss};
/// let scores = View::new(&[2.0, 0.5, 1.75], 3)?;
/// let cost = CategoricalHinge.value(scores, View::new(&[1.0, 0.0, 0.0], 3)?.into())?;
/// assert_eq!(cost, 1.0 + 1.75 - 2.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("categorical_hinge"))]
pub struct CategoricalHinge;

impl CategoricalHinge {
    /// 1 + maxⱼ (1−tⱼ)yⱼ − Σⱼ tⱼyⱼ, and the j of the maximum.
    fn margin<T: Real>(y: &[T], t: &[T]) -> (T, usize) {
        let other = |j: usize| times(T::one() - t[j], y[j]);
        // NaN counts as the largest, so that it passes.
        let larger = |a: usize, b: usize| {
            let (a, b) = (other(a), other(b));
            b > a || (is_nan(b) && !is_nan(a))
        };
        let best = (1..y.len()).fold(0, |best, j| if larger(best, j) { j } else { best });
        let right = sum_of(y.len(), &mut y.iter().zip(t).map(|(y, t)| times(*t, *y)));
        (T::one() + other(best) - right, best)
    }
}

impl<T: Real> Loss<T> for CategoricalHinge {
    fn name(&self) -> &str {
        "CategoricalHinge"
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        compiled_here!(T: |p: CostsArgs<'_, T>| {
            for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                *cost = relu(CategoricalHinge::margin(y, t).0);
            }
        })(p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        compiled_here!(T: |p: SlopesArgs<'_, T>| {
            let mut p = p;
            for ((dy, y), t) in p.dy.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                let (margin, best) = CategoricalHinge::margin(y, t);
                if margin > T::zero() {
                    for (dy, t) in dy.iter_mut().zip(t) {
                        *dy = -*t;
                    }
                    dy[best] += T::one() - t[best];
                } else {
                    dy.fill(relu(margin));
                }
            }
        })(p);
    }

    /// 0: the loss is made of straight lines.
    fn curvatures(&self, mut p: CurvaturesArgs<'_, T>) -> Result<()> {
        p.dy_dot.as_mut_slice().fill(T::zero());
        Ok(())
    }

    fn check(&self, outputs: usize) -> Result<()> {
        check_classes("CategoricalHinge", outputs)
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        check_probabilities("CategoricalHinge", target)
    }
}

/// The hinge loss of classes as PyTorch defines it (`MultiMarginLoss`): for a sample of class c 1/K
/// Σ_{i≠c} max(0, m − y_c + yᵢ)^p with K classes, the margin m and p = 1 or 2, averaged over the
/// samples.
///
/// ∂C/∂yᵢ = p·max(0, m − y_c + yᵢ)^(p−1)/(nK) for i ≠ c, 0 where the maximum is 0; ∂C/∂y_c is minus
/// their sum.
///
/// Outputs are at least 2. Targets lie in [0, 1] ([`one_hot`](crate::one_hot) makes them of
/// labels); where several are above 0, each counts as the class c as much as it says.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, MultiMargin};
/// let scores = View::new(&[2.0, 0.5, 1.75, 1.25], 4)?;
/// let t = View::new(&[1.0, 0.0, 0.0, 0.0], 4)?;
/// assert_eq!(MultiMargin::new().value(scores, t.into())?, (0.75 + 0.25) / 4.0);
/// assert_eq!(MultiMargin::new().squared().margin(0.5).value(scores, t.into())?, 0.0625 / 4.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("MultiMarginLoss", "multi_margin_loss", "crammer_singer"))]
pub struct MultiMargin {
    squared: bool,
    margin: f64,
}

impl Default for MultiMargin {
    fn default() -> Self {
        Self::new()
    }
}

impl MultiMargin {
    /// The loss with p = 1 and the margin 1.
    pub fn new() -> Self {
        Self {
            squared: false,
            margin: 1.0,
        }
    }

    /// The same loss with p = 2.
    #[must_use]
    #[doc(alias("p"))]
    pub fn squared(self) -> Self {
        Self {
            squared: true,
            ..self
        }
    }

    /// The same loss with this margin, finite and ≥ 0.
    #[must_use]
    pub fn margin(self, margin: f64) -> Self {
        Self { margin, ..self }
    }

    /// m − y_c + yᵢ for each i; for i = c 0, which costs nothing.
    fn margins<T: Real>(self, y: &[T], c: usize) -> impl Iterator<Item = T> {
        let (m, right) = (T::of(self.margin), y[c]);
        let margin = move |(i, y): (usize, &T)| {
            if i == c { T::zero() } else { m + (*y - right) }
        };
        y.iter().enumerate().map(margin)
    }

    /// The derivative of max(0, margin)^p.
    fn slope<T: Real>(self, margin: T) -> T {
        if self.squared {
            T::of(2.0) * relu(margin)
        } else {
            step(margin)
        }
    }
}

/// The classes that count, and each one's weight tⱼ/K.
fn right<T: Real>(t: &[T]) -> impl Iterator<Item = (usize, T)> {
    let share: T = share(t.len());
    let some = t.iter().enumerate().filter(|(_, t)| **t != T::zero());
    some.map(move |(c, t)| (c, share * *t))
}

impl<T: Real> Loss<T> for MultiMargin {
    fn name(&self) -> &str {
        "MultiMargin"
    }

    fn describe(&self) -> String {
        format!(
            "MultiMargin(p={}, margin={})",
            if self.squared { 2 } else { 1 },
            self.margin
        )
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        compiled_here!(T: |loss: &MultiMargin, p: CostsArgs<'_, T>| {
            for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                let of_class = |(c, weight): (usize, T)| {
                    let terms = loss.margins(y, c).map(relu);
                    let power = |m: T| if loss.squared { m * m } else { m };
                    weight * sum_of(y.len(), &mut terms.map(power))
                };
                *cost = sum_of(t.len(), &mut right(t).map(of_class));
            }
        })(self, p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        compiled_here!(T: |loss: &MultiMargin, p: SlopesArgs<'_, T>| {
            let mut p = p;
            for ((dy, y), t) in p.dy.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                dy.fill(T::zero());
                for (c, weight) in right(t) {
                    let slopes = || loss.margins(y, c).map(|margin| loss.slope(margin));
                    for (dy, slope) in dy.iter_mut().zip(slopes()) {
                        *dy += weight * slope;
                    }
                    dy[c] -= weight * sum_of(y.len(), &mut slopes());
                }
            }
        })(self, p);
    }

    /// 0 for p = 1; for p = 2 what the slope is, with ẏᵢ − ẏ_c within the margin in the place of
    /// the margin.
    fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
        compiled_here!(T: |loss: &MultiMargin, p: CurvaturesArgs<'_, T>| {
            let mut p = p;
            p.dy_dot.as_mut_slice().fill(T::zero());
            if !loss.squared {
                return;
            }
            let samples = p.y.iter().zip(p.target.iter());
            for ((dy_dot, y_dot), (y, t)) in p.dy_dot.iter_mut().zip(p.y_dot.iter()).zip(samples) {
                for (c, weight) in right(t) {
                    let dots = || {
                        let dots = loss.margins(y, c).zip(y_dot);
                        dots.map(|(margin, dot)| T::of(2.0) * step(margin) * (*dot - y_dot[c]))
                    };
                    for (dy_dot, dot) in dy_dot.iter_mut().zip(dots()) {
                        *dy_dot += weight * dot;
                    }
                    dy_dot[c] -= weight * sum_of(y.len(), &mut dots());
                }
            }
        })(self, p);
        Ok(())
    }

    fn check(&self, outputs: usize) -> Result<()> {
        check_classes("MultiMargin", outputs)?;
        check_margin::<T>("MultiMargin", self.margin)
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        check_probabilities("MultiMargin", target)
    }
}
