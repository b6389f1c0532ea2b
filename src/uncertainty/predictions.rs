//! What several networks predict for the same samples.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::OutputRange;
use crate::nn::loss::OutputFunction;
use crate::numeric::bounds::UNIT;
use crate::numeric::compiled::compiled_here;
use crate::numeric::quantile::quantile;
use crate::numeric::real::{Real, is_nan, magnitude};
use crate::train::Model;
use alloc::{format, vec::Vec};
use core::cmp::Ordering;
use nalgebra::DMatrix;

/// Predictions of several networks for the same samples: of the members of an
/// [`Ensemble`](super::Ensemble), or of the passes of a
/// [`MonteCarloDropout`](super::MonteCarloDropout). Where they agree, the data said what the answer
/// is; where they do not, it is a guess.
///
/// | method | of numbers | of classes |
/// |---|---|---|
/// | [`mean`](Self::mean) | the prediction | the probabilities |
/// | [`deviation`](Self::deviation), [`quantile`](Self::quantile) | how far members are apart | the same |
/// | [`gaussian`](Self::gaussian) | of members trained with [`GaussianNll`]: mean and deviation of what may be observed | |
/// | [`entropy`](Self::entropy) | | how unsure the prediction is |
/// | [`mutual_information`](Self::mutual_information) | | how much of that is because members disagree |
///
/// All matrices are outputs × samples.
///
/// [`GaussianNll`]: crate::nn::loss::GaussianNll
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::uncertainty::Ensemble;
/// let line = |slope: f64| {
///     let mut net = Sequential::builder(1).layer(Dense::new(1, Activation::Linear)).build()?;
///     net.set_params(&[slope, 0.0])?;
///     Ok::<_, Error>(Model::from(net))
/// };
/// let ensemble = Ensemble::new([line(1.0)?, line(2.0)?, line(3.0)?])?;
/// let y = ensemble.predict(&DMatrix::from_row_slice(1, 2, &[0.0, 3.0]))?;
/// assert_eq!(y.mean(), DMatrix::from_row_slice(1, 2, &[0.0, 6.0]));
/// assert_eq!(y.deviation(), DMatrix::from_row_slice(1, 2, &[0.0, 6.0_f64.sqrt()]));
/// assert_eq!(y.quantile(1.0)?[1], 9.0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions<T: Real> {
    /// At least one, all of one shape.
    members: Vec<DMatrix<T>>,
    kind: Kind,
}

/// What the outputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Numbers,
    /// Probabilities of classes of which a sample may have several; of two, where there is one
    /// output.
    Independent,
    /// Probabilities that sum to 1.
    Exclusive,
}

impl Kind {
    fn of<T: Real>(model: &Model<T>) -> Self {
        match (model.output_function(), model.net().range()) {
            _ if model.output_scaler().is_some() => Self::Numbers,
            (OutputFunction::Sigmoid, _) | (OutputFunction::Identity, OutputRange::Unit) => {
                Self::Independent
            }
            (OutputFunction::Softmax, _) | (OutputFunction::Identity, OutputRange::Simplex) => {
                Self::Exclusive
            }
            _ => Self::Numbers,
        }
    }
}

/// What [`Predictions::gaussian`] says of numbers that a normal distribution each member gives;
/// each matrix is targets × samples.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Gaussian<T> {
    /// μ*, the mean of the members' means.
    pub mean: DMatrix<T>,
    /// σ*, the deviation of what may be observed: the root of noise² + disagreement².
    #[doc(alias("std"))]
    pub deviation: DMatrix<T>,
    /// The root of the mean of the members' variances: what the data scatter by, which more of them
    /// do not make smaller.
    #[doc(alias("aleatoric"))]
    pub noise: DMatrix<T>,
    /// The deviation among the members' means: what more data would make smaller.
    #[doc(alias("epistemic"))]
    pub disagreement: DMatrix<T>,
}

impl<T: Real> Predictions<T> {
    /// `members` are predictions of `model` and of others like it.
    pub(super) fn new(model: &Model<T>, members: Vec<DMatrix<T>>) -> Self {
        Self {
            members,
            kind: Kind::of(model),
        }
    }

    /// The predictions of each member.
    pub fn members(&self) -> &[DMatrix<T>] {
        &self.members
    }

    /// The mean of the members. Of probabilities it is the probability of a class under a member
    /// drawn at random.
    pub fn mean(&self) -> DMatrix<T> {
        average(&self.members)
    }

    /// The standard deviation among the members, with their number k in its denominator: √(1/k Σ
    /// (yₘ − ȳ)²). Of a single member it is 0.
    #[doc(alias("std", "epistemic"))]
    pub fn deviation(&self) -> DMatrix<T> {
        spread(&self.members)
    }

    /// The number below which a `share` of the members lies, on a line between neighbors (NumPy's
    /// `quantile`); NaN where a member is NaN.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a share outside [0, 1].
    #[doc(alias("percentile"))]
    pub fn quantile(&self, share: f64) -> Result<DMatrix<T>> {
        UNIT.check("share of Predictions::quantile", share)?;
        Ok(
            compiled_here!(T: |members: &[DMatrix<T>], share: f64| -> DMatrix<T> {
                each(members, |values| {
                    if let Some(nan) = values.iter().find(|v| is_nan(**v)) {
                        return *nan;
                    }
                    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
                    quantile(values.len(), |k| values[k], share)
                })
            })(&self.members, share),
        )
    }

    /// Mean and deviation of the mixture of the members' normal distributions, where each predicts
    /// means μₘ and then as many standard deviations σₘ, as one trained with
    /// [`GaussianNll`](crate::nn::loss::GaussianNll) does. μ* = 1/k Σ μₘ, and
    /// σ*² = 1/k Σ (σₘ² + μₘ²) − μ*², computed as the sum of [`noise`](Gaussian::noise)² and
    /// [`disagreement`](Gaussian::disagreement)² (Lakshminarayanan, Pritzel & Blundell 2017).
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] for probabilities and for an odd number of outputs.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::uncertainty::Ensemble;
    /// // Whatever the input, means 1 and 3, and a deviation of 2.
    /// let normal = |mean: f64| {
    ///     let net = Sequential::builder(1).layer(Dense::new(2, Activation::Linear));
    ///     let mut net = net.build()?;
    ///     net.set_params(&[0.0, 0.0, mean, 2.0])?;
    ///     Ok::<_, Error>(Model::from(net))
    /// };
    /// let y = Ensemble::new([normal(1.0)?, normal(3.0)?])?.predict(&[0.5])?.gaussian()?;
    /// assert_eq!((y.mean[0], y.noise[0], y.disagreement[0]), (2.0, 2.0, 1.0));
    /// assert!((y.deviation[0] - 5.0_f64.sqrt()).abs() < 1e-15);
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias("predictive variance", "mixture"))]
    pub fn gaussian(&self) -> Result<Gaussian<T>> {
        let outputs = self.members[0].nrows();
        let given = match self.kind {
            Kind::Numbers if outputs.is_multiple_of(2) => {
                return Ok(gaussian(&self.members));
            }
            Kind::Numbers => format!("{outputs} outputs"),
            _ => "probabilities".into(),
        };
        let expected = "members trained with GaussianNll, which predict means and as many standard \
                        deviations";
        Err(Error::new(
            ErrorKind::Incompatible,
            "Predictions::gaussian",
            expected,
            given,
        ))
    }

    /// The entropy of the predicted probabilities for each sample, in nats: H(p̄) = −Σⱼ p̄ⱼ ln p̄ⱼ
    /// of the [`mean`](Self::mean) p̄, from 0 where one class is certain to ln c where all c are as
    /// probable. Of classes of which a sample may have several it is the sum over the classes of
    /// −p̄ⱼ ln p̄ⱼ − (1−p̄ⱼ) ln(1−p̄ⱼ), and so of a single output.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] where the outputs are no probabilities.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::nn::loss::OutputFunction;
    /// use chainrule::uncertainty::Ensemble;
    /// let sure = |logit: f64| {
    ///     let net = Sequential::builder(1).layer(Dense::new(1, Activation::Linear));
    ///     let mut net = net.build()?;
    ///     net.set_params(&[0.0, logit])?;
    ///     Model::from(net).with_output_function(OutputFunction::Sigmoid)
    /// };
    /// let entropy = |logits: [f64; 2]| {
    ///     let [one, other] = logits.map(sure);
    ///     let y = Ensemble::new([one?, other?])?.predict(&[0.0])?;
    ///     Ok::<_, Error>((y.entropy()?[0], y.mutual_information()?[0]))
    /// };
    /// let (unsure, disagreeing) = (entropy([0.0, 0.0])?, entropy([-50.0, 50.0])?);
    /// let most = std::f64::consts::LN_2;
    /// // Both say ½: one because both members say so, one because they contradict each other.
    /// assert!((unsure.0 - most).abs() < 1e-12 && unsure.1 == 0.0);
    /// assert!((disagreeing.0 - most).abs() < 1e-12 && (disagreeing.1 - most).abs() < 1e-12);
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias("predictive_entropy", "total uncertainty"))]
    pub fn entropy(&self) -> Result<Vec<f64>> {
        let independent = self.probabilities("Predictions::entropy")?;
        let term = |p: f64| if p > 0.0 { -p * libm::log(p) } else { p * 0.0 };
        let mean = self.mean();
        let of_sample = |sample: usize| {
            let of_class = |p: &T| {
                let p = p.as_f64();
                term(p) + if independent { term(1.0 - p) } else { 0.0 }
            };
            mean.column(sample).iter().map(of_class).sum()
        };
        Ok((0..mean.ncols()).map(of_sample).collect())
    }

    /// How much a sample's class would tell about which member is right, in nats: the
    /// [entropy](Self::entropy) of the mean less the mean of the members' entropies, computed as
    /// the mean of their divergences 1/k Σₘ KL(pₘ ‖ p̄) (Houlsby et al. 2011; Depeweg et al. 2018).
    /// It is 0 where members agree, however unsure they are, and large where each is sure of
    /// something else: far from the data.
    ///
    /// # Errors
    /// As [`entropy`](Self::entropy).
    #[doc(alias("BALD", "epistemic", "information gain", "knowledge uncertainty"))]
    pub fn mutual_information(&self) -> Result<Vec<f64>> {
        let independent = self.probabilities("Predictions::mutual_information")?;
        let mean = self.mean();
        let of_sample = |sample: usize| {
            let of_member = |member: &DMatrix<T>| {
                let pairs = member.column(sample).into_iter().zip(mean.column(sample));
                let of_class = |(p, mean): (&T, &T)| {
                    let (p, mean) = (p.as_f64(), mean.as_f64());
                    let other = if independent {
                        divergence(1.0 - p, 1.0 - mean)
                    } else {
                        0.0
                    };
                    divergence(p, mean) + other
                };
                pairs.map(of_class).sum::<f64>()
            };
            self.members.iter().map(of_member).sum::<f64>() / self.members.len() as f64
        };
        Ok((0..mean.ncols()).map(of_sample).collect())
    }

    /// Whether the classes are independent of each other.
    fn probabilities(&self, place: &str) -> Result<bool> {
        match self.kind {
            Kind::Independent => Ok(true),
            Kind::Exclusive => Ok(false),
            Kind::Numbers => {
                let expected = "probabilities (a loss of classes makes them; of numbers, \
                                Predictions::deviation says how far members are apart)";
                Err(Error::new(
                    ErrorKind::Incompatible,
                    place,
                    expected,
                    "numbers",
                ))
            }
        }
    }
}

/// p ln(p/q) − p + q, which is never negative and 0 where p = q.
fn divergence(p: f64, q: f64) -> f64 {
    if p == q {
        return 0.0;
    }
    if p == 0.0 {
        return q;
    }
    // Next to 1, the quotient would lose by how much it is not.
    let log = if p < 0.5 * q {
        libm::log(p / q)
    } else {
        libm::log1p((p - q) / q)
    };
    (p * log - (p - q)).max(0.0)
}

/// The mean of matrices of one shape, number by number.
pub(super) fn average<T: Real>(members: &[DMatrix<T>]) -> DMatrix<T> {
    compiled_here!(T: |members: &[DMatrix<T>]| -> DMatrix<T> {
        each(members, |values| mean(values))
    })(members)
}

/// The standard deviation about that mean.
pub(super) fn spread<T: Real>(members: &[DMatrix<T>]) -> DMatrix<T> {
    compiled_here!(T: |members: &[DMatrix<T>]| -> DMatrix<T> {
        each(members, |values| distance(values, mean(values)))
    })(members)
}

/// The root of the mean of the squares.
pub(super) fn root_of_squares<T: Real>(members: &[DMatrix<T>]) -> DMatrix<T> {
    compiled_here!(T: |members: &[DMatrix<T>]| -> DMatrix<T> {
        each(members, |values| distance(values, T::zero()))
    })(members)
}

/// A number for each output and sample, of what the members say there.
fn each<T: Real>(members: &[DMatrix<T>], number: impl Fn(&mut [T]) -> T) -> DMatrix<T> {
    let (rows, cols) = members[0].shape();
    let mut values = Vec::with_capacity(members.len());
    let numbers = (0..rows * cols).map(|index| {
        values.clear();
        values.extend(members.iter().map(|member| member.as_slice()[index]));
        number(&mut values)
    });
    DMatrix::from_iterator(rows, cols, numbers)
}

/// The mean: of equal numbers exactly theirs.
fn mean<T: Real>(values: &[T]) -> T {
    let mut mean = values[0];
    for (k, value) in values.iter().enumerate().skip(1) {
        let share = T::of(1.0 / (k + 1) as f64);
        mean += *value * share - mean * share;
    }
    mean
}

/// √(1/k Σ (v − center)²), without a square that overflows or vanishes.
fn distance<T: Real>(values: &[T], center: T) -> T {
    let far = |value: &T| magnitude(*value - center);
    let largest = values
        .iter()
        .map(far)
        .fold(T::zero(), |a, b| if b > a || is_nan(b) { b } else { a });
    if largest == T::zero() || !largest.is_finite() {
        return largest;
    }
    let shares = values.iter().map(|value| {
        let share = far(value) / largest;
        share * share
    });
    let sum = shares.fold(T::zero(), |sum, square| sum + square);
    largest * (sum / T::of(values.len() as f64)).sqrt()
}

fn gaussian<T: Real>(members: &[DMatrix<T>]) -> Gaussian<T> {
    let targets = members[0].nrows() / 2;
    let half = |first: usize| {
        let rows = |member: &DMatrix<T>| member.rows(first, targets).into_owned();
        members.iter().map(rows).collect::<Vec<_>>()
    };
    let means = half(0);
    let (noise, disagreement) = (root_of_squares(&half(targets)), spread(&means));
    let deviation = noise.zip_map(&disagreement, |noise, apart| {
        // √2 · the root of the mean of both squares is the root of their sum.
        distance(&[noise, apart], T::zero()) * T::of(2.0).sqrt()
    });
    Gaussian {
        mean: average(&means),
        deviation,
        noise,
        disagreement,
    }
}
