//! Cross-entropies whose −ln p gives way to another function of a class's probability p: one that
//! weighs the hard samples more, or forgives wrong labels.

use super::by_output::{self, ByOutput, loss_by_output};
use super::classification::{Weights, check_classes, check_probabilities, times};
use super::{CostsArgs, CurvaturesArgs, Loss, OutputFunction, SlopesArgs, check_targets};
use crate::error::Result;
use crate::nn::activation::{OutputRange, sigmoid, softplus};
use crate::nn::softmax::log_sum;
use crate::numeric::bounds::{Bound, FACTOR, NOT_NEGATIVE, UNIT};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, sum_of};
use crate::numeric::view::View;
use alloc::{format, string::String};

/// A function f of ℓ = ln p.
trait OfLogarithm<T: Real> {
    fn cost(&self, l: T) -> T;
    /// f′(ℓ).
    fn slope(&self, l: T) -> T;
    /// f″(ℓ).
    fn curvature(&self, l: T) -> T;
    /// What class j weighs.
    fn weight(&self, j: usize) -> T {
        let _ = j;
        T::one()
    }
}

/// −(1−p)^γ·ln p.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Focus(f64);

impl Focus {
    /// p, 1 − p, and p·ℓ/(1−p).
    fn parts<T: Real>(l: T) -> (T, T, T) {
        let (p, less) = l.exp_and_m1_kernel::<false>();
        let u = -less;
        // ln p/(1−p) is −1 in the limit of p = 1, and p·ln p is 0 in the limit of 0.
        let ratio = if u == T::zero() { -T::one() } else { l / u };
        (p, u, times(p, ratio))
    }

    fn power<T: Real>(u: T, exponent: f64) -> T {
        u.powf(T::of(exponent))
    }

    fn cost<T: Real>(self, l: T) -> T {
        let (_, u, _) = Self::parts(l);
        -times(Self::power(u, self.0), l)
    }

    /// −(1−p)^γ·(1 − γ·p·ℓ/(1−p)).
    fn slope<T: Real>(self, l: T) -> T {
        let (_, u, pressure) = Self::parts(l);
        -(Self::power(u, self.0) * (T::one() - T::of(self.0) * pressure))
    }

    /// γ·p·(1−p)^(γ−1)·(2 + ℓ − (γ−1)·p·ℓ/(1−p)).
    fn curvature<T: Real>(self, l: T) -> T {
        if self.0 == 0.0 {
            return times(T::zero(), l);
        }
        let (p, u, pressure) = Self::parts(l);
        let rest = T::of(2.0) + l - T::of(self.0 - 1.0) * pressure;
        T::of(self.0) * Self::power(u, self.0 - 1.0) * times(p, rest)
    }

    fn check<T: Real>(self, name: &str) -> Result<()> {
        NOT_NEGATIVE
            .named("a finite γ ≥ 0")
            .check_in::<T>(format_args!("gamma of {name}"), self.0)
    }
}

/// ln pⱼ of a score yⱼ of this sample.
fn logarithm<T: Real>(y: &[T]) -> impl Fn(&T) -> T + use<T> {
    let (max, log) = log_sum(y);
    move |y| (*y - max) - log
}

fn softmax_costs<T: Real>(f: &dyn OfLogarithm<T>, p: CostsArgs<'_, T>) {
    compiled_here!(T: |f: &dyn OfLogarithm<T>, p: CostsArgs<'_, T>| {
        for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
            let l = logarithm(y);
            let terms = y.iter().zip(t).enumerate();
            let mut terms = terms.map(|(j, (y, t))| times(*t * f.weight(j), f.cost(l(y))));
            *cost = sum_of(y.len(), &mut terms);
        }
    })(f, p);
}

/// With gⱼ = wⱼtⱼf′(ℓⱼ): ∂C/∂yⱼ = gⱼ − pⱼ·Σₖ gₖ, as gⱼ(1−pⱼ) − pⱼ·Σ_{k≠j} gₖ.
fn softmax_slopes<T: Real>(f: &dyn OfLogarithm<T>, p: SlopesArgs<'_, T>) {
    compiled_here!(T: |f: &dyn OfLogarithm<T>, p: SlopesArgs<'_, T>| {
        let mut p = p;
        for ((dy, y), t) in p.dy.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
            let l = logarithm(y);
            for (j, (dy, (y, t))) in dy.iter_mut().zip(y.iter().zip(t)).enumerate() {
                *dy = times(*t * f.weight(j), f.slope(l(y)));
            }
            let all = sum_of(dy.len(), &mut dy.iter().copied());
            for (dy, y) in dy.iter_mut().zip(y) {
                let (p, less) = l(y).exp_and_m1_kernel::<false>();
                *dy = -(*dy * less) - p * (all - *dy);
            }
        }
    })(f, p);
}

/// With ℓ̇ⱼ = ẏⱼ − Σₖ pₖẏₖ and hⱼ = wⱼtⱼf″(ℓⱼ)ℓ̇ⱼ: hⱼ − pⱼ(ℓ̇ⱼ·Σₖ gₖ + Σₖ hₖ).
fn softmax_curvatures<T: Real>(f: &dyn OfLogarithm<T>, p: CurvaturesArgs<'_, T>) {
    compiled_here!(T: |f: &dyn OfLogarithm<T>, p: CurvaturesArgs<'_, T>| {
        let mut p = p;
        let samples = p.y.iter().zip(p.target.iter());
        for ((out, dots), (y, t)) in p.dy_dot.iter_mut().zip(p.y_dot.iter()).zip(samples) {
            let (classes, l) = (y.len(), logarithm(y));
            let p = |y: &T| l(y).exp_kernel::<false>();
            let mean = sum_of(classes, &mut y.iter().zip(dots).map(|(y, dot)| p(y) * *dot));
            let slopes = y.iter().zip(t).enumerate();
            let mut slopes = slopes.map(|(j, (y, t))| times(*t * f.weight(j), f.slope(l(y))));
            let slopes = sum_of(classes, &mut slopes);
            let each = out.iter_mut().zip(dots);
            for (j, ((out, dot), (y, t))) in each.zip(y.iter().zip(t)).enumerate() {
                *out = times(*dot - mean, times(*t * f.weight(j), f.curvature(l(y))));
            }
            let all = sum_of(classes, &mut out.iter().copied());
            for ((out, dot), y) in out.iter_mut().zip(dots).zip(y) {
                *out -= p(y) * ((*dot - mean) * slopes + all);
            }
        }
    })(f, p);
}

/// The [`Loss`] of a type that is [`OfLogarithm`], with what else it says.
macro_rules! loss_of_softmax {
    ($name:ident { $($more:tt)* }) => {
        impl $name {
            fn of_logarithm<T: Real>(&self) -> &dyn OfLogarithm<T> {
                compiled_here!(T: |loss: &$name| -> &dyn OfLogarithm<T> { loss })(self)
            }
        }

        impl<T: Real> Loss<T> for $name {
            fn name(&self) -> &str {
                stringify!($name)
            }

            fn costs(&self, p: CostsArgs<'_, T>) {
                softmax_costs(self.of_logarithm(), p);
            }

            fn slopes(&self, p: SlopesArgs<'_, T>) {
                softmax_slopes(self.of_logarithm(), p);
            }

            fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
                softmax_curvatures(self.of_logarithm(), p);
                Ok(())
            }

            fn output_function(&self) -> OutputFunction {
                OutputFunction::Softmax
            }

            fn accepts(&self, range: OutputRange) -> bool {
                range == OutputRange::Real
            }

            fn check_targets(&self, target: View<'_, T>) -> Result<()> {
                check_probabilities(stringify!($name), target)
            }

            $($more)*
        }
    };
}

/// The focal loss of class scores (logits): for a sample C = −Σⱼ αⱼtⱼ(1−pⱼ)^γ ln pⱼ with p =
/// softmax(y), summed over the classes, averaged over the samples (Lin et al. 2017; Keras's
/// `CategoricalFocalCrossentropy(from_logits=True)`).
///
/// (1−p)^γ takes the weight from samples that are classified well, so that the few hard ones are
/// heard; γ = 0 is [`SoftmaxCrossEntropy`](super::SoftmaxCrossEntropy). The paper's γ is 2. α are
/// [class weights](Self::class_weights), 1 by default (Keras: 0.25 for every class, which scales
/// the cost and nothing else). ∂C/∂y = (g − p·Σₖ gₖ)/n with gⱼ = −αⱼtⱼ(1−pⱼ)^γ(1 − γpⱼ ln
/// pⱼ/(1−pⱼ)).
///
/// Outputs are at least 2, and targets lie in [0, 1] ([`one_hot`](crate::one_hot) makes them of
/// labels).
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, SoftmaxFocal};
/// let (scores, t) = (View::new(&[0.0, 0.0], 2)?, View::new(&[1.0, 0.0], 2)?);
/// let cost = SoftmaxFocal::new(2.0).value(scores, t.into())?;
/// assert_eq!(cost, 0.25 * 2.0_f64.ln());
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("CategoricalFocalCrossentropy", "FocalLoss", "focal_loss"))]
pub struct SoftmaxFocal {
    gamma: Focus,
    weights: Weights,
}

impl SoftmaxFocal {
    /// The focal loss with this γ, finite and ≥ 0, all classes weighing 1.
    pub fn new(gamma: f64) -> Self {
        Self {
            gamma: Focus(gamma),
            weights: Weights::default(),
        }
    }

    /// The same loss with a finite weight ≥ 0 for each class: the paper's α.
    #[must_use]
    #[doc(alias("alpha", "class_weight"))]
    pub fn class_weights(self, weights: &[f64]) -> Self {
        Self {
            weights: Weights::new(weights),
            ..self
        }
    }
}

impl<T: Real> OfLogarithm<T> for SoftmaxFocal {
    fn cost(&self, l: T) -> T {
        self.gamma.cost(l)
    }

    fn slope(&self, l: T) -> T {
        self.gamma.slope(l)
    }

    fn curvature(&self, l: T) -> T {
        self.gamma.curvature(l)
    }

    fn weight(&self, j: usize) -> T {
        self.weights.at(j)
    }
}

loss_of_softmax!(SoftmaxFocal {
    fn describe(&self) -> String {
        let Self { gamma, weights } = self;
        format!("SoftmaxFocal(gamma={}, class_weights={weights})", gamma.0)
    }

    fn check(&self, outputs: usize) -> Result<()> {
        self.gamma.check::<T>("SoftmaxFocal")?;
        check_classes("SoftmaxFocal", outputs)?;
        self.weights.check::<T>("class weights of SoftmaxFocal", outputs)
    }
});

/// The generalized cross-entropy of class scores (logits): for a sample C = Σⱼ tⱼ(1 − pⱼ^q)/q with
/// p = softmax(y), summed over the classes, averaged over the samples (Zhang & Sabuncu 2018).
///
/// For labels of which some are wrong: between the cross-entropy, the limit of q = 0, and the mean
/// absolute error of probabilities, q = 1, no sample costs more than 1/q. The paper's q is 0.7.
/// ∂C/∂y = (g − p·Σₖ gₖ)/n with gⱼ = −tⱼpⱼ^q.
///
/// Outputs are at least 2, and targets lie in [0, 1] ([`one_hot`](crate::one_hot) makes them of
/// labels).
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{GeneralizedCrossEntropy, Loss};
/// let (scores, t) = (View::new(&[0.0, 0.0], 2)?, View::new(&[1.0, 0.0], 2)?);
/// let cost = GeneralizedCrossEntropy::new(1.0).value(scores, t.into())?;
/// assert_eq!(cost, 0.5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("GCE", "truncated_loss", "noisy_labels"))]
pub struct GeneralizedCrossEntropy {
    q: f64,
}

impl GeneralizedCrossEntropy {
    /// The loss with this q in (0, 1].
    pub fn new(q: f64) -> Self {
        Self { q }
    }
}

impl<T: Real> OfLogarithm<T> for GeneralizedCrossEntropy {
    fn cost(&self, l: T) -> T {
        let q = T::of(self.q);
        -(q * l).exp_and_m1_kernel::<false>().1 / q
    }

    fn slope(&self, l: T) -> T {
        -(T::of(self.q) * l).exp_kernel::<false>()
    }

    fn curvature(&self, l: T) -> T {
        T::of(self.q) * self.slope(l)
    }
}

loss_of_softmax!(GeneralizedCrossEntropy {
    fn describe(&self) -> String {
        format!("GeneralizedCrossEntropy(q={})", self.q)
    }

    fn check(&self, outputs: usize) -> Result<()> {
        FACTOR
            .named("a q in (0, 1] (for its limit 0 take SoftmaxCrossEntropy)")
            .check_in::<T>("q of GeneralizedCrossEntropy", self.q)?;
        check_classes("GeneralizedCrossEntropy", outputs)
    }
});

/// The first polynomial loss of class scores (logits): for a sample C = Σⱼ tⱼ(−ln pⱼ + ε(1−pⱼ))
/// with p = softmax(y), summed over the classes, averaged over the samples (Leng et al. 2022: the
/// cross-entropy with another first coefficient of its series in 1 − p).
///
/// ε = 0 is [`SoftmaxCrossEntropy`](super::SoftmaxCrossEntropy); ε above 0 makes the network surer
/// of its answers, ε below 0 less sure. ∂C/∂y = (g − p·Σₖ gₖ)/n with gⱼ = −tⱼ(1 + εpⱼ).
///
/// Outputs are at least 2, and targets lie in [0, 1] ([`one_hot`](crate::one_hot) makes them of
/// labels).
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, Poly1CrossEntropy};
/// let (scores, t) = (View::new(&[0.0, 0.0], 2)?, View::new(&[1.0, 0.0], 2)?);
/// let cost = Poly1CrossEntropy::new(2.0).value(scores, t.into())?;
/// assert_eq!(cost, 2.0_f64.ln() + 1.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("PolyLoss", "poly1_cross_entropy"))]
pub struct Poly1CrossEntropy {
    epsilon: f64,
}

impl Poly1CrossEntropy {
    /// The loss with this ε, finite and ≥ −1: below, a probability near 1 would cost more than a
    /// smaller one.
    pub fn new(epsilon: f64) -> Self {
        Self { epsilon }
    }
}

impl<T: Real> OfLogarithm<T> for Poly1CrossEntropy {
    fn cost(&self, l: T) -> T {
        -l - T::of(self.epsilon) * l.exp_and_m1_kernel::<false>().1
    }

    fn slope(&self, l: T) -> T {
        // −1 − εp, of which nothing is left where ε = −1 and p = 1.
        -T::of(1.0 + self.epsilon) - T::of(self.epsilon) * l.exp_and_m1_kernel::<false>().1
    }

    fn curvature(&self, l: T) -> T {
        -(T::of(self.epsilon) * l.exp_kernel::<false>())
    }
}

const FROM_MINUS_ONE: Bound =
    Bound::new("a finite ε ≥ −1", |v| (-1.0..=f64::MAX).contains(&v));

loss_of_softmax!(Poly1CrossEntropy {
    fn describe(&self) -> String {
        format!("Poly1CrossEntropy(epsilon={})", self.epsilon)
    }

    fn check(&self, outputs: usize) -> Result<()> {
        FROM_MINUS_ONE.check_in::<T>("epsilon of Poly1CrossEntropy", self.epsilon)?;
        check_classes("Poly1CrossEntropy", outputs)
    }
});

/// The focal loss of independent yes-or-no outputs given as logits: for a sample C = −1/d Σⱼ αtⱼ(1−
/// pⱼ)^γ ln pⱼ + (1−α)(1−tⱼ)pⱼ^γ ln(1−pⱼ) with p = σ(y), averaged over the d outputs and over the
/// samples (Lin et al. 2017; torchvision's `sigmoid_focal_loss`, Keras's
/// `BinaryFocalCrossentropy(from_logits=True)`).
///
/// (1−p)^γ takes the weight from outputs that are right already; γ = 0 is
/// [`SigmoidCrossEntropy`](super::SigmoidCrossEntropy). The paper has γ = 2 and [α](Self::alpha) =
/// 0.25. Without α, yes and no weigh 1.
///
/// Targets lie in [0, 1]. Between 0 and 1 both terms count, as much as the target says; torchvision
/// and Keras then mix p and 1 − p first.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{Loss, SigmoidFocal};
/// let (y, t) = (View::new(&[0.0, 0.0], 1)?, View::new(&[1.0, 0.0], 1)?);
/// let cost: f64 = SigmoidFocal::new(2.0).value(y, t.into())?;
/// assert!((cost - 0.25 * 2.0_f64.ln()).abs() < 1e-15);
/// let gradient = SigmoidFocal::new(2.0).alpha(0.25).gradient(y, t.into())?;
/// assert!((gradient[1] + 3.0 * gradient[0]).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias(
    "sigmoid_focal_loss",
    "BinaryFocalCrossentropy",
    "FocalLoss",
    "focal_loss"
))]
pub struct SigmoidFocal {
    gamma: Focus,
    alpha: Option<f64>,
}

impl SigmoidFocal {
    /// The focal loss with this γ, finite and ≥ 0.
    pub fn new(gamma: f64) -> Self {
        Self {
            gamma: Focus(gamma),
            alpha: None,
        }
    }

    /// The same loss in which yes weighs `alpha`, in [0, 1], and no 1 − `alpha`.
    #[must_use]
    #[doc(alias("apply_class_balancing"))]
    pub fn alpha(self, alpha: f64) -> Self {
        Self {
            alpha: Some(alpha),
            ..self
        }
    }

    /// (weight of yes, weight of no) for target t.
    fn weighted<T: Real>(self, t: T) -> (T, T) {
        let (yes, no) = self.alpha.map_or((1.0, 1.0), |alpha| (alpha, 1.0 - alpha));
        (T::of(yes) * t, T::of(no) * (T::one() - t))
    }
}

impl<T: Real> ByOutput<T> for SigmoidFocal {
    fn cost(&self, _: usize, y: T, t: T) -> T {
        let (yes, no) = self.weighted(t);
        let [of_yes, of_no] = [(yes, y), (no, -y)]
            .map(|(weight, y)| times(weight, self.gamma.cost(-softplus::<T, false>(-y))));
        of_yes + of_no
    }

    fn slope(&self, _: usize, y: T, t: T) -> T {
        let (yes, no) = self.weighted(t);
        let [of_yes, of_no] = [(yes, y), (no, -y)].map(|(weight, y)| {
            let slope = self.gamma.slope(-softplus::<T, false>(-y));
            times(weight, slope * sigmoid::<T, false>(-y).0)
        });
        of_yes - of_no
    }

    fn curvature(&self, _: usize, y: T, t: T) -> T {
        let (yes, no) = self.weighted(t);
        // ℓ = ln σ(y) has the derivatives σ(−y) and −σ′(y).
        let [of_yes, of_no] = [(yes, y), (no, -y)].map(|(weight, y)| {
            let l = -softplus::<T, false>(-y);
            let (rest, bend) = sigmoid::<T, false>(-y);
            let curvature = times(rest * rest, self.gamma.curvature(l));
            times(weight, curvature - self.gamma.slope(l) * bend)
        });
        of_yes + of_no
    }
}

loss_by_output!(SigmoidFocal {
    fn describe(&self) -> String {
        let alpha = self.alpha.map_or_else(|| "none".into(), |alpha| format!("{alpha}"));
        format!("SigmoidFocal(gamma={}, alpha={alpha})", self.gamma.0)
    }

    fn output_function(&self) -> OutputFunction {
        OutputFunction::Sigmoid
    }

    fn accepts(&self, range: OutputRange) -> bool {
        range == OutputRange::Real
    }

    fn check(&self, _outputs: usize) -> Result<()> {
        self.gamma.check::<T>("SigmoidFocal")?;
        let alpha = |alpha| UNIT.named("an α in [0, 1]").check("alpha of SigmoidFocal", alpha);
        self.alpha.map_or(Ok(()), alpha)
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        let expected = "a number in [0, 1] (for numbers take MeanSquaredError)";
        check_targets("SigmoidFocal", target, expected, |t| {
            t >= T::zero() && t <= T::one()
        })
    }
});
