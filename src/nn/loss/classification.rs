//! Cross-entropy and divergence of classes: on logits, on probabilities.

use super::{CostsArgs, CurvaturesArgs, Loss, OutputFunction, SlopesArgs, check_targets, share};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::{OutputRange, sigmoid, softplus};
use crate::nn::softmax::{log_sum_exps, softmax_columns};
use crate::numeric::bounds::{NOT_NEGATIVE, UNIT, ensure};
use crate::numeric::compiled::compiled_here;
use crate::numeric::kernel::Pass;
use crate::numeric::real::{BLOCK, Real, by_blocks, is_nan, sum};
use crate::numeric::view::View;
use alloc::{format, string::String, vec::Vec};
use core::fmt;

/// factor · value, where nothing of something infinite is nothing: 0·ln 0 = 0. NaN passes.
pub(super) fn times<T: Real>(factor: T, value: T) -> T {
    if factor == T::zero() && !is_nan(value) {
        return factor;
    }
    factor * value
}

/// Weights that multiply the terms of a sum over outputs; none means all 1.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Weights(Option<Vec<f64>>);

impl Weights {
    pub(super) fn new(weights: &[f64]) -> Self {
        Self(Some(weights.into()))
    }

    pub(super) fn at<T: Real>(&self, j: usize) -> T {
        self.0
            .as_ref()
            .and_then(|weights| weights.get(j))
            .map_or(T::one(), |w| T::of(*w))
    }

    pub(super) fn check<T: Real>(&self, place: &str, outputs: usize) -> Result<()> {
        let Some(weights) = &self.0 else {
            return Ok(());
        };
        if weights.len() != outputs {
            return Err(Error::new(
                ErrorKind::Shape,
                place,
                format!("{outputs} weights, one per output"),
                weights.len(),
            ));
        }
        let bound = NOT_NEGATIVE.named("a finite weight ≥ 0");
        for (j, w) in weights.iter().enumerate() {
            bound.check_in::<T>(format_args!("{place}, weight {j}"), *w)?;
        }
        check_some(place, weights.iter().any(|w| T::of(*w) > T::zero()))
    }
}

/// As in [`Loss::describe`].
impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(weights) = &self.0 else {
            return f.write_str("1");
        };
        for (j, weight) in weights.iter().enumerate() {
            write!(f, "{}{weight}", if j == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Something must count: a cost that is 0 whatever the outputs are teaches nothing.
fn check_some(place: &str, some: bool) -> Result<()> {
    ensure(some, place, "at least 1 weight above 0", "none")
}

/// The probabilities of one class alone are 1, whatever is learned.
pub(super) fn check_classes(name: &str, outputs: usize) -> Result<()> {
    if outputs != 1 {
        return Ok(());
    }
    let expected = "at least 2 outputs, one per class (for yes or no take SigmoidCrossEntropy, for numbers MeanSquaredError)";
    Err(Error::new(
        ErrorKind::Incompatible,
        format!("outputs of {name}"),
        expected,
        outputs,
    ))
}

/// Targets of classes must be probabilities.
pub(super) fn check_probabilities<T: Real>(name: &str, target: View<'_, T>) -> Result<()> {
    compiled_here!(T: |name: &str, target: View<'_, T>| -> Result<()> {
        let expected =
            "a probability in [0, 1] (one_hot makes them of labels; for numbers \
             take MeanSquaredError)";
        check_targets(name, target, expected, |t| t >= T::zero() && t <= T::one())
    })(name, target)
}

fn check_smoothing(place: &str, smoothing: f64) -> Result<()> {
    UNIT.check(format_args!("label smoothing of {place}"), smoothing)
}

/// Cross-entropy of class scores (logits) that a softmax turns into probabilities: for a sample C =
/// −Σⱼ wⱼtⱼ ln softmax(y)ⱼ = Σⱼ wⱼtⱼ(ln Σₖ e^yₖ − yⱼ), summed over the classes, averaged over the
/// samples.
///
/// The network ends on its scores, without a softmax layer; [`OutputFunction::Softmax`] gives the
/// probabilities. A single output is refused, because its probability is always 1: two classes take
/// two outputs, or one and [`SigmoidCrossEntropy`]. ∂C/∂y = s·softmax(y) − w⊙t with s = Σⱼ wⱼtⱼ,
/// which is the textbook's a − t where targets sum to one and weigh 1.
///
/// - [Label smoothing](Self::label_smoothing) ε replaces t by (1−ε)t + ε/K with K classes (Szegedy
///   et al. 2016), as in PyTorch: of a sample whose targets are all 0 to mask it, too.
/// - [Class weights](Self::class_weights) multiply the classes' terms; the average stays over the
///   number of samples, as PyTorch does for targets that are probabilities and Keras for
///   `class_weight`. Where targets are class numbers PyTorch divides by the sum of the weights:
///   [`Reduced`](super::Reduced) does.
///
/// Targets are probabilities in [0, 1], one column per sample ([`one_hot`](crate::one_hot) makes
/// them of labels); they need not sum to one.
///
/// ```
/// use chainrule::{SoftmaxCrossEntropy, View};
/// use chainrule::nn::loss::Loss;
/// let cost = SoftmaxCrossEntropy::new().value(View::new(&[1e4, 0.0], 2)?, View::new(&[0.0, 1.0], 2)?.into())?;
/// assert_eq!(cost, 1e4);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("CrossEntropyLoss", "SparseCategoricalCrossentropy", "from_logits"))]
pub struct SoftmaxCrossEntropy {
    smoothing: f64,
    weights: Weights,
}

impl SoftmaxCrossEntropy {
    /// Cross-entropy on logits without smoothing, all classes weighing 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same loss with label smoothing `epsilon` in [0, 1].
    #[must_use]
    #[doc(alias("smoothing"))]
    pub fn label_smoothing(self, epsilon: f64) -> Self {
        Self {
            smoothing: epsilon,
            ..self
        }
    }

    /// The same loss with a finite weight ≥ 0 for each class.
    #[must_use]
    #[doc(alias("class_weight", "weight"))]
    pub fn class_weights(self, weights: &[f64]) -> Self {
        Self {
            weights: Weights::new(weights),
            ..self
        }
    }

    /// The weight of class j in the sum: wⱼ times the smoothed target.
    fn weighted<T: Real>(&self, t: &[T]) -> impl Iterator<Item = T> {
        let keep = T::of(1.0 - self.smoothing);
        let floor = T::of(self.smoothing / t.len() as f64);
        t.iter()
            .enumerate()
            .map(move |(j, t)| self.weights.at::<T>(j) * (keep * *t + floor))
    }
}

impl<T: Real> Loss<T> for SoftmaxCrossEntropy {
    fn name(&self) -> &str {
        "SoftmaxCrossEntropy"
    }

    fn describe(&self) -> String {
        format!(
            "SoftmaxCrossEntropy(label_smoothing={}, class_weights={})",
            self.smoothing, self.weights
        )
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        compiled_here!(T: |loss: &SoftmaxCrossEntropy, p: CostsArgs<'_, T>| {
            T::vectorize(SoftmaxCosts(loss, p));
        })(self, p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        compiled_here!(T: |loss: &SoftmaxCrossEntropy, p: SlopesArgs<'_, T>| {
            let mut p = p;
            p.dy.as_mut_slice().copy_from_slice(p.y.as_slice());
            softmax_columns(p.dy.reborrow());
            for (dy, t) in p.dy.iter_mut().zip(p.target.iter()) {
                let sum = sum(t.len(), loss.weighted(t));
                for (dy, t) in dy.iter_mut().zip(loss.weighted(t)) {
                    *dy = sum * *dy - t;
                }
            }
        })(self, p);
    }

    /// s·p ⊙ (ẏ − Σₖ pₖẏₖ) with p = softmax(y).
    fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
        compiled_here!(T: |loss: &SoftmaxCrossEntropy, p: CurvaturesArgs<'_, T>| {
            let mut p = p;
            p.dy_dot.as_mut_slice().copy_from_slice(p.y.as_slice());
            softmax_columns(p.dy_dot.reborrow());
            let dots = p.dy_dot.iter_mut().zip(p.y_dot.iter());
            for ((dy_dot, y_dot), t) in dots.zip(p.target.iter()) {
                let mean = sum(
                    y_dot.len(),
                    dy_dot.iter().zip(y_dot).map(|(p, y_dot)| *p * *y_dot),
                );
                let sum = sum(t.len(), loss.weighted(t));
                for (dy_dot, y_dot) in dy_dot.iter_mut().zip(y_dot) {
                    *dy_dot *= sum * (*y_dot - mean);
                }
            }
        })(self, p);
        Ok(())
    }

    fn output_function(&self) -> OutputFunction {
        OutputFunction::Softmax
    }

    fn accepts(&self, range: OutputRange) -> bool {
        matches!(range, OutputRange::Real | OutputRange::LogSimplex)
    }

    fn check(&self, outputs: usize) -> Result<()> {
        check_smoothing("SoftmaxCrossEntropy", self.smoothing)?;
        check_classes("SoftmaxCrossEntropy", outputs)?;
        self.weights
            .check::<T>("class weights of SoftmaxCrossEntropy", outputs)
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        check_probabilities("SoftmaxCrossEntropy", target)
    }
}

struct SoftmaxCosts<'a, T>(&'a SoftmaxCrossEntropy, CostsArgs<'a, T>);

impl<T: Real> Pass for SoftmaxCosts<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(loss, p) = self;
        let mut samples = p.costs.iter_mut().zip(p.target.iter());
        log_sum_exps::<T, FMA>(p.y, |y, (max, log)| {
            if let Some((cost, t)) = samples.next() {
                let terms = y.iter().zip(loss.weighted(t));
                *cost = sum(y.len(), terms.map(|(y, t)| times(t, (max - *y) + log)));
            }
        });
    }
}

/// Cross-entropy of independent yes-or-no outputs given as logits: for a sample C = −1/d Σⱼ wⱼ(pⱼtⱼ
/// ln σ(yⱼ) + (1−tⱼ) ln(1−σ(yⱼ))), averaged over the d outputs and over the samples (PyTorch's
/// `BCEWithLogitsLoss` and Keras's `BinaryCrossentropy(from_logits=True)`).
///
/// The network ends on its scores, without a sigmoid; [`OutputFunction::Sigmoid`] gives the
/// probabilities. Computed as −ln σ(y) = ln(1 + e^−y) without overflow. ∂C/∂y = w((1−t)σ(y) −
/// p·t·σ(−y))/(nd), which is (σ(y) − t)/(nd) where all weights are 1.
///
/// - [Label smoothing](Self::label_smoothing) ε replaces t by (1−ε)t + ε/2.
/// - [Class weights](Self::class_weights) w, one per output; [positive
///   weights](Self::positive_weights) p, one per output, weigh its yes against its no (PyTorch's
///   `weight` and `pos_weight`).
///
/// Targets lie in [0, 1].
///
/// ```
/// use chainrule::{SigmoidCrossEntropy, View};
/// use chainrule::nn::loss::Loss;
/// let cost = SigmoidCrossEntropy::new().value(View::new(&[-1e4, -1e4], 1)?, View::new(&[1.0, 0.0], 1)?.into())?;
/// assert_eq!(cost, 5e3);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias(
    "BCEWithLogitsLoss",
    "BinaryCrossentropy",
    "binary_cross_entropy_with_logits",
    "logistic_loss"
))]
pub struct SigmoidCrossEntropy {
    smoothing: f64,
    weights: Weights,
    positive: Weights,
}

impl SigmoidCrossEntropy {
    /// Binary cross-entropy on logits without smoothing, all weighing 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same loss with label smoothing `epsilon` in [0, 1].
    #[must_use]
    pub fn label_smoothing(self, epsilon: f64) -> Self {
        Self {
            smoothing: epsilon,
            ..self
        }
    }

    /// The same loss with a finite weight ≥ 0 for each output: how much it counts beside the
    /// others. A rare yes gains nothing by it, but by [`positive_weights`](Self::positive_weights).
    #[must_use]
    pub fn class_weights(self, weights: &[f64]) -> Self {
        Self {
            weights: Weights::new(weights),
            ..self
        }
    }

    /// The same loss with a finite weight ≥ 0 for the positive case of each output.
    #[must_use]
    #[doc(alias("pos_weight"))]
    pub fn positive_weights(self, weights: &[f64]) -> Self {
        Self {
            positive: Weights::new(weights),
            ..self
        }
    }

    /// (weight of yes, weight of no) in output j with target t.
    fn weighted<T: Real>(&self, j: usize, t: T) -> (T, T) {
        let t = T::of(1.0 - self.smoothing) * t + T::of(0.5 * self.smoothing);
        let w = self.weights.at::<T>(j);
        (w * self.positive.at::<T>(j) * t, w * (T::one() - t))
    }
}

impl<T: Real> Loss<T> for SigmoidCrossEntropy {
    fn name(&self) -> &str {
        "SigmoidCrossEntropy"
    }

    fn describe(&self) -> String {
        let Self {
            smoothing,
            weights,
            positive,
        } = self;
        format!(
            "SigmoidCrossEntropy(label_smoothing={smoothing}, class_weights={weights}, positive_weights={positive})"
        )
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        compiled_here!(T: |loss: &SigmoidCrossEntropy, p: CostsArgs<'_, T>| {
            T::vectorize(SigmoidCosts(loss, p));
        })(self, p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        compiled_here!(T: |loss: &SigmoidCrossEntropy, p: SlopesArgs<'_, T>| {
            T::vectorize(SigmoidSlopes(loss, p));
        })(self, p);
    }

    /// w((1−t) + p·t)·σ′(y)·ẏ/d.
    fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
        compiled_here!(T: |loss: &SigmoidCrossEntropy, p: CurvaturesArgs<'_, T>| {
            T::vectorize(SigmoidCurvatures(loss, p));
        })(self, p);
        Ok(())
    }

    fn output_function(&self) -> OutputFunction {
        OutputFunction::Sigmoid
    }

    fn accepts(&self, range: OutputRange) -> bool {
        range == OutputRange::Real
    }

    fn check(&self, outputs: usize) -> Result<()> {
        check_smoothing("SigmoidCrossEntropy", self.smoothing)?;
        self.weights
            .check::<T>("class weights of SigmoidCrossEntropy", outputs)?;
        let place = "positive weights of SigmoidCrossEntropy";
        self.positive.check::<T>(place, outputs)?;
        // Where no yes counts, the answer is no.
        let yes = |j| self.weights.at::<T>(j) * self.positive.at::<T>(j) > T::zero();
        check_some(place, self.positive.0.is_none() || (0..outputs).any(yes))
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        let expected = "a number in [0, 1] (for −1 and 1 take Hinge, for numbers MeanSquaredError)";
        check_targets("SigmoidCrossEntropy", target, expected, |t| {
            t >= T::zero() && t <= T::one()
        })
    }
}

struct SigmoidCosts<'a, T>(&'a SigmoidCrossEntropy, CostsArgs<'a, T>);

impl<T: Real> Pass for SigmoidCosts<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(loss, p) = self;
        let rows = p.y.rows();
        let share: T = share(rows);
        if rows > BLOCK {
            for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                // Not inlined, the closure would be compiled without this instruction set.
                let [total] = by_blocks(
                    rows.div_ceil(BLOCK),
                    #[inline(always)]
                    |i| {
                        let block = i * BLOCK..rows.min((i + 1) * BLOCK);
                        let (y, t) = (&y[block.clone()], &t[block]);
                        let terms = Few::new(loss, y, t, i * BLOCK, rows).costs::<FMA>();
                        [sum(y.len(), terms.into_iter())]
                    },
                );
                *cost = share * total;
            }
            return;
        }
        // As many samples at a time as there is room for.
        let samples = BLOCK / rows;
        let y = p.y.as_slice().chunks(samples * rows);
        let targets = p.target.as_slice().chunks(samples * rows);
        for (costs, (y, t)) in p.costs.chunks_mut(samples).zip(y.zip(targets)) {
            let terms = Few::new(loss, y, t, 0, rows).costs::<FMA>();
            for (cost, terms) in costs.iter_mut().zip(terms.chunks_exact(rows)) {
                *cost = share * sum(rows, terms.iter().copied());
            }
        }
    }
}

struct SigmoidSlopes<'a, T>(&'a SigmoidCrossEntropy, SlopesArgs<'a, T>);

impl<T: Real> Pass for SigmoidSlopes<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(loss, mut p) = self;
        let rows = p.y.rows();
        let share: T = share(rows);
        let mut row = 0;
        let y = p.y.as_slice().chunks(BLOCK);
        let targets = p.target.as_slice().chunks(BLOCK);
        for (dy, (y, t)) in p.dy.as_mut_slice().chunks_mut(BLOCK).zip(y.zip(targets)) {
            let slopes = Few::new(loss, y, t, row, rows).slopes::<FMA>();
            for (dy, slope) in dy.iter_mut().zip(slopes) {
                *dy = share * slope;
            }
            row = (row + BLOCK) % rows;
        }
    }
}

/// A few outputs with the weights of their yes and no, filled up to whole vectors.
struct Few<T> {
    y: [T; BLOCK],
    yes: [T; BLOCK],
    no: [T; BLOCK],
}

impl<T: Real> Few<T> {
    /// Outputs and targets from output `row` of a sample on, of which each has `rows`.
    #[inline(always)]
    fn new(loss: &SigmoidCrossEntropy, y: &[T], t: &[T], mut row: usize, rows: usize) -> Self {
        let mut few = Self {
            y: [T::zero(); BLOCK],
            yes: [T::zero(); BLOCK],
            no: [T::zero(); BLOCK],
        };
        for (i, (y, t)) in y.iter().zip(t).take(BLOCK).enumerate() {
            few.y[i] = *y;
            (few.yes[i], few.no[i]) = loss.weighted(row, *t);
            row = if row + 1 == rows { 0 } else { row + 1 };
        }
        few
    }

    #[inline(always)]
    fn costs<const FMA: bool>(&self) -> [T; BLOCK] {
        let mut costs = self.y;
        for (cost, (yes, no)) in costs.iter_mut().zip(self.yes.iter().zip(&self.no)) {
            let y = *cost;
            *cost = times(*yes, softplus::<T, FMA>(-y)) + times(*no, softplus::<T, FMA>(y));
        }
        costs
    }

    #[inline(always)]
    fn slopes<const FMA: bool>(&self) -> [T; BLOCK] {
        let mut slopes = self.y;
        for (slope, (yes, no)) in slopes.iter_mut().zip(self.yes.iter().zip(&self.no)) {
            let y = *slope;
            *slope = *no * sigmoid::<T, FMA>(y).0 - *yes * sigmoid::<T, FMA>(-y).0;
        }
        slopes
    }
}

struct SigmoidCurvatures<'a, T>(&'a SigmoidCrossEntropy, CurvaturesArgs<'a, T>);

impl<T: Real> Pass for SigmoidCurvatures<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self(loss, mut p) = self;
        let share: T = share(p.y.rows());
        for ((dy_dot, y_dot), (y, t)) in p
            .dy_dot
            .iter_mut()
            .zip(p.y_dot.iter())
            .zip(p.y.iter().zip(p.target.iter()))
        {
            for (j, ((dy_dot, y_dot), (y, t))) in dy_dot
                .iter_mut()
                .zip(y_dot)
                .zip(y.iter().zip(t))
                .enumerate()
            {
                let (yes, no) = loss.weighted(j, *t);
                *dy_dot = share * (yes + no) * sigmoid::<T, FMA>(*y).1 * *y_dot;
            }
        }
    }
}

/// Cross-entropy of probabilities: for a sample C = −Σⱼ tⱼ ln yⱼ, summed over the classes, averaged
/// over the samples.
///
/// For a network that ends on [`Softmax`](crate::nn::Softmax) of at least 2 outputs, and targets in
/// [0, 1]. ∂C/∂y = −t/(ny). Nothing is clipped: a probability of 0 where the target is not 0 costs
/// ∞. On logits, [`SoftmaxCrossEntropy`] is exact where this is not.
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{CategoricalCrossEntropy, Loss};
/// let cost = CategoricalCrossEntropy.value(View::new(&[0.25, 0.75], 2)?, View::new(&[1.0, 0.0], 2)?.into())?;
/// assert_eq!(cost, 4.0_f64.ln());
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("CategoricalCrossentropy", "NLLLoss", "crossentropy"))]
pub struct CategoricalCrossEntropy;

/// The Kullback–Leibler divergence of the outputs from the targets: for a sample KL(t‖y) = Σⱼ tⱼ
/// ln(tⱼ/yⱼ) = Σⱼ tⱼ ln(1/yⱼ) − H(t), summed over the classes, averaged over the samples (PyTorch's
/// `KLDivLoss` with `batchmean`, on probabilities).
///
/// ∂/∂y = −t/(ny), as of [`CategoricalCrossEntropy`]: the entropy H(t) of the targets is constant.
/// Terms with t = 0 are 0. Outputs are at least 2, and targets lie in [0, 1].
///
/// ```
/// use chainrule::View;
/// use chainrule::nn::loss::{KlDivergence, Loss};
/// let p = [0.25, 0.75];
/// assert_eq!(KlDivergence.value(View::new(&p, 2)?, View::new(&p, 2)?.into())?, 0.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("KLDivLoss", "KLDivergence", "kullback_leibler_divergence"))]
pub struct KlDivergence;

macro_rules! on_probabilities {
    ($name:ident, |$y:ident, $t:ident| $cost:expr) => {
        impl<T: Real> Loss<T> for $name {
            fn name(&self) -> &str {
                stringify!($name)
            }

            fn costs(&self, p: CostsArgs<'_, T>) {
                for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                    *cost = sum(y.len(), y.iter().zip(t).map(|(&$y, &$t)| $cost));
                }
            }

            fn slopes(&self, mut p: SlopesArgs<'_, T>) {
                for ((dy, y), t) in
                    p.dy.as_mut_slice()
                        .iter_mut()
                        .zip(p.y.as_slice())
                        .zip(p.target.as_slice())
                {
                    *dy = times(*t, -T::one() / *y);
                }
            }

            /// t·ẏ/y².
            fn curvatures(&self, mut p: CurvaturesArgs<'_, T>) -> Result<()> {
                let pairs = p.y.as_slice().iter().zip(p.target.as_slice());
                for ((dy_dot, y_dot), (y, t)) in p
                    .dy_dot
                    .as_mut_slice()
                    .iter_mut()
                    .zip(p.y_dot.as_slice())
                    .zip(pairs)
                {
                    *dy_dot = times(*t, T::one() / *y / *y) * *y_dot;
                }
                Ok(())
            }

            fn accepts(&self, range: OutputRange) -> bool {
                range == OutputRange::Simplex
            }

            fn check(&self, outputs: usize) -> Result<()> {
                check_classes(stringify!($name), outputs)
            }

            fn check_targets(&self, target: View<'_, T>) -> Result<()> {
                check_probabilities(stringify!($name), target)
            }
        }
    };
}
on_probabilities!(CategoricalCrossEntropy, |y, t| times(t, -y.ln()));
// Apart, because t/y can overflow.
on_probabilities!(KlDivergence, |y, t| times(t, t.ln()) + times(t, -y.ln()));
