//! Losses: how far outputs are from targets, and in which direction.

mod by_output;
mod classification;
mod cosine;
mod gaussian;
mod heads;
mod margin;
mod modulated;
mod output;
mod poisson;
mod probability;
mod quantile;
mod reduced;
mod reduction;
mod regression;
mod relative;

pub use heads::Heads;
pub use output::{Head, OutputFunction};
pub use reduced::Reduced;
pub use reduction::Reduction;
pub(crate) use reduction::{reduce, scale};

/// Every loss of this crate, in the one list that there is: calls the macro `then` with it.
///
/// A line is `file::Loss { the loss as it is made, and with options }`, with options that do for
/// any number of outputs. The losses are exported by it, and every test of losses goes through it.
#[doc(hidden)]
#[macro_export]
macro_rules! every_loss {
    ($then:ident) => {
        $then! {
            regression::SumSquaredError { SumSquaredError }
            regression::QuadraticCost { QuadraticCost }
            regression::MeanSquaredError { MeanSquaredError }
            regression::MeanAbsoluteError { MeanAbsoluteError }
            regression::Huber { Huber::new(1.0), Huber::new(0.3) }
            regression::SmoothL1 { SmoothL1::new(1.0), SmoothL1::new(0.3) }
            regression::LogCosh { LogCosh }
            relative::MeanAbsolutePercentageError { MeanAbsolutePercentageError }
            relative::MeanSquaredLogarithmicError { MeanSquaredLogarithmicError }
            quantile::Quantile { Quantile::new(&[0.8]) }
            quantile::Expectile { Expectile::new(&[0.8]) }
            cosine::CosineDistance { CosineDistance }
            gaussian::GaussianNll { GaussianNll::new(), GaussianNll::new().full() }
            classification::SoftmaxCrossEntropy {
                SoftmaxCrossEntropy::new(),
                SoftmaxCrossEntropy::new().label_smoothing(0.1)
            }
            classification::SigmoidCrossEntropy {
                SigmoidCrossEntropy::new(),
                SigmoidCrossEntropy::new().label_smoothing(0.1)
            }
            classification::CategoricalCrossEntropy { CategoricalCrossEntropy }
            classification::KlDivergence { KlDivergence }
            probability::BinaryCrossEntropy { BinaryCrossEntropy }
            probability::NegativeLogLikelihood { NegativeLogLikelihood }
            modulated::SoftmaxFocal { SoftmaxFocal::new(2.0), SoftmaxFocal::new(0.5) }
            modulated::SigmoidFocal { SigmoidFocal::new(2.0), SigmoidFocal::new(0.5).alpha(0.25) }
            modulated::GeneralizedCrossEntropy { GeneralizedCrossEntropy::new(0.7) }
            modulated::Poly1CrossEntropy {
                Poly1CrossEntropy::new(1.0),
                Poly1CrossEntropy::new(-0.5)
            }
            margin::Hinge { Hinge }
            margin::SquaredHinge { SquaredHinge }
            margin::CategoricalHinge { CategoricalHinge }
            margin::MultiMargin { MultiMargin::new(), MultiMargin::new().squared().margin(0.6) }
            margin::HingeEmbedding { HingeEmbedding::new(1.0), HingeEmbedding::new(0.3) }
            poisson::Poisson { Poisson::new(), Poisson::new().full() }
        }
    };
}

macro_rules! export {
    ($($file:ident::$loss:ident { $($made:expr),+ })+) => { $(pub use $file::$loss;)+ };
}
every_loss!(export);

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::OutputRange;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View, ViewMut, check_each, check_shape, shape};
use alloc::{format, string::String, vec, vec::Vec};
use core::fmt::Debug;
use nalgebra::DMatrix;

/// What [`Loss::costs`] works on.
#[derive(Debug)]
#[non_exhaustive]
pub struct CostsArgs<'a, T> {
    /// The network's outputs, outputs × batch.
    pub y: View<'a, T>,
    /// What they should be: as many columns, and as many rows as [`Loss::targets`] says.
    pub target: View<'a, T>,
    /// One cost per sample, to be overwritten.
    pub costs: &'a mut [T],
}

/// What [`Loss::slopes`] works on.
#[derive(Debug)]
#[non_exhaustive]
pub struct SlopesArgs<'a, T> {
    /// The network's outputs, outputs × batch.
    pub y: View<'a, T>,
    /// What they should be: as many columns, and as many rows as [`Loss::targets`] says.
    pub target: View<'a, T>,
    /// ∂Cᵢ/∂y of each sample, to be overwritten; of the same shape.
    pub dy: ViewMut<'a, T>,
}

/// What [`Loss::curvatures`] works on.
#[derive(Debug)]
#[non_exhaustive]
pub struct CurvaturesArgs<'a, T> {
    /// The network's outputs, outputs × batch.
    pub y: View<'a, T>,
    /// What they should be: as many columns, and as many rows as [`Loss::targets`] says.
    pub target: View<'a, T>,
    /// The direction ẏ, of the same shape.
    pub y_dot: View<'a, T>,
    /// ∂²Cᵢ/∂y²·ẏ of each sample, to be overwritten; of the same shape.
    pub dy_dot: ViewMut<'a, T>,
}

/// A loss: the cost Cᵢ of one sample, its derivative, and whether a batch costs the average or the
/// sum.
///
/// A loss of another crate implements [`name`](Loss::name), [`costs`](Loss::costs) and
/// [`slopes`](Loss::slopes), and [`curvatures`](Loss::curvatures) for products with the Hessian;
/// [`gradcheck::loss`](crate::gradcheck::loss) tests its derivative. Targets have the shape of the
/// outputs, unless [`targets`](Loss::targets) says otherwise; they are never broadcast.
///
/// | loss | cost of a sample | of a batch | outputs |
/// |---|---|---|---|
/// | [`SumSquaredError`] | Σⱼ ½(yⱼ−tⱼ)² | sum | any |
/// | [`QuadraticCost`] | Σⱼ ½(yⱼ−tⱼ)² | mean | any |
/// | [`MeanSquaredError`] | 1/d Σⱼ (yⱼ−tⱼ)² | mean | any |
/// | [`MeanAbsoluteError`] | 1/d Σⱼ \|yⱼ−tⱼ\| | mean | any |
/// | [`Huber`] | 1/d Σⱼ h(yⱼ−tⱼ) | mean | any |
/// | [`LogCosh`] | 1/d Σⱼ ln cosh(yⱼ−tⱼ) | mean | any |
/// | [`SmoothL1`] | 1/d Σⱼ h(yⱼ−tⱼ)/β | mean | any |
/// | [`MeanAbsolutePercentageError`] | 1/d Σⱼ \|yⱼ−tⱼ\|/\|tⱼ\| | mean | any |
/// | [`MeanSquaredLogarithmicError`] | 1/d Σⱼ (ln(1+yⱼ)−ln(1+tⱼ))² | mean | ≥ 0 |
/// | [`Quantile`] | 1/d Σⱼ τ(tⱼ−yⱼ) below tⱼ, (1−τ)(yⱼ−tⱼ) above | mean | one per level |
/// | [`Expectile`] | 1/d Σⱼ τ(tⱼ−yⱼ)² below tⱼ, (1−τ)(yⱼ−tⱼ)² above | mean | one per level |
/// | [`CosineDistance`] | 1 − y·t/(‖y‖‖t‖) | mean | any |
/// | [`GaussianNll`] | 1/d Σⱼ ½(sⱼ + (tⱼ−μⱼ)²e^−sⱼ) | mean | μ, then ln σ² = s |
/// | [`SoftmaxCrossEntropy`] | −Σⱼ tⱼ ln softmax(y)ⱼ | mean | logits |
/// | [`SigmoidCrossEntropy`] | −1/d Σⱼ tⱼ ln σ(yⱼ) + (1−tⱼ) ln(1−σ(yⱼ)) | mean | logits |
/// | [`CategoricalCrossEntropy`] | −Σⱼ tⱼ ln yⱼ | mean | probabilities |
/// | [`KlDivergence`] | Σⱼ tⱼ ln(tⱼ/yⱼ) | mean | probabilities |
/// | [`BinaryCrossEntropy`] | −1/d Σⱼ tⱼ ln yⱼ + (1−tⱼ) ln(1−yⱼ) | mean | probabilities |
/// | [`NegativeLogLikelihood`] | −Σⱼ tⱼyⱼ | mean | logarithms of probabilities |
/// | [`SoftmaxFocal`] | −Σⱼ tⱼ(1−pⱼ)^γ ln pⱼ, p = softmax(y) | mean | logits |
/// | [`SigmoidFocal`] | −1/d Σⱼ tⱼ(1−pⱼ)^γ ln pⱼ + (1−tⱼ)pⱼ^γ ln(1−pⱼ), p = σ(y) | mean | logits |
/// | [`GeneralizedCrossEntropy`] | Σⱼ tⱼ(1−pⱼ^q)/q, p = softmax(y) | mean | logits |
/// | [`Poly1CrossEntropy`] | Σⱼ tⱼ(ε(1−pⱼ) − ln pⱼ), p = softmax(y) | mean | logits |
/// | [`Hinge`] | 1/d Σⱼ max(0, 1−tⱼyⱼ) | mean | any |
/// | [`SquaredHinge`] | 1/d Σⱼ max(0, 1−tⱼyⱼ)² | mean | any |
/// | [`CategoricalHinge`] | max(0, 1 + maxⱼ (1−tⱼ)yⱼ − Σⱼ tⱼyⱼ) | mean | any |
/// | [`MultiMargin`] | 1/d Σ_{i≠c} max(0, m−y_c+yᵢ)^p | mean | any |
/// | [`HingeEmbedding`] | 1/d Σⱼ yⱼ where tⱼ=1, max(0, m−yⱼ) where tⱼ=−1 | mean | distances |
/// | [`Poisson`] | 1/d Σⱼ e^yⱼ − tⱼyⱼ | mean | logarithms of rates |
///
/// with d outputs per sample, of `GaussianNll` d targets. [`Heads`] gives ranges of the outputs
/// losses of their own.
///
/// What other libraries call them is in the [tables of names](crate::guide::names).
pub trait Loss<T: Real>: Debug + Send + Sync {
    /// The name by which errors call the loss.
    fn name(&self) -> &str;

    /// A text that stays the same in all versions and tells apart losses that compute different
    /// things: `Huber(delta=1)`. Checkpoints keep it, and training goes on only with the same.
    /// Without configuration the name will do.
    fn describe(&self) -> String {
        self.name().into()
    }

    /// Writes the cost of each sample.
    fn costs(&self, p: CostsArgs<'_, T>);

    /// Writes ∂Cᵢ/∂y of each sample, without the 1/n of an average over the batch.
    fn slopes(&self, p: SlopesArgs<'_, T>);

    /// Writes ∂²Cᵢ/∂y²·ẏ, the product of each sample's Hessian with a direction, without the 1/n of
    /// an average over the batch; where the slope jumps, as of Hinge at the margin, 0. Products
    /// with the Hessian of a network need it, training does not.
    ///
    /// # Errors
    /// When the loss has none: as long as this method is not written, always.
    fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
        let _ = p;
        Err(Error::new(
            ErrorKind::Incompatible,
            self.name(),
            "a loss with Loss::curvatures",
            "none",
        ))
    }

    /// Whether a batch costs the average or the sum of its samples; [`Reduced`] changes it.
    fn reduction(&self) -> Reduction {
        Reduction::Mean
    }

    /// The function that makes predictions of raw outputs: softmax, sigmoid, or the identity.
    ///
    /// ```
    /// use chainrule::SoftmaxCrossEntropy;
    /// use chainrule::nn::loss::{Loss, OutputFunction};
    /// let loss: &dyn Loss<f64> = &SoftmaxCrossEntropy::new();
    /// assert_eq!(loss.output_function(), OutputFunction::Softmax);
    /// ```
    fn output_function(&self) -> OutputFunction {
        OutputFunction::Identity
    }

    /// The heads of a loss that is made of several.
    #[doc(hidden)]
    fn heads(&self) -> Option<&Heads<T>> {
        None
    }

    /// Whether the loss is defined on outputs that lie in `range`.
    fn accepts(&self, range: OutputRange) -> bool {
        let _ = range;
        true
    }

    /// Whether the cost measures how far each output is from its target, so that targets beyond the
    /// reach of the last layer are a mistake: true of the squared error and its like, false of
    /// losses on logits and margins.
    fn measures_distance(&self) -> bool {
        false
    }

    /// How many numbers a sample's target has where the network has so many outputs: as many. A
    /// loss whose outputs say several things of one number, such as its quantiles, takes fewer.
    fn targets(&self, outputs: usize) -> usize {
        outputs
    }

    /// Checks the loss's own configuration against the number of outputs.
    ///
    /// # Errors
    /// When a parameter of the loss is out of range or does not fit the number of outputs.
    fn check(&self, outputs: usize) -> Result<()> {
        let _ = outputs;
        Ok(())
    }

    /// Checks that targets are what the loss is defined on: here, finite.
    ///
    /// # Errors
    /// When they are not, naming the row and the column.
    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        compiled_here!(T: |name: &str, target: View<'_, T>| -> Result<()> {
            check_targets(name, target, "a finite number", |t| t.is_finite())
        })(self.name(), target)
    }

    /// The cost of a batch: the sum or the average of wᵢ·Cᵢ with the weights of the samples, 1
    /// without.
    ///
    /// # Errors
    /// When the shapes differ, there is no sample, or the loss is not defined on the targets.
    ///
    /// ```
    /// use chainrule::{MeanSquaredError, View};
    /// use chainrule::nn::loss::Loss;
    /// use chainrule::numeric::Targets;
    /// let (y, t) = (View::new(&[1.0, 2.0, 3.0, 4.0], 2)?, View::new(&[1.0, 2.0, 3.0, 6.0], 2)?); // two samples of two outputs
    /// assert_eq!(MeanSquaredError.value(y, t.into())?, 1.0);
    /// assert_eq!(MeanSquaredError.value(y, Targets::weighted(t, &[1.0, 3.0])?)?, 3.0);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    fn value(&self, y: View<'_, T>, target: Targets<'_, T>) -> Result<T> {
        let mut costs = costs(self, y, target)?;
        Ok(compiled_here!(
            T: |costs: &mut [T], target: Targets<'_, T>, reduction: Reduction| -> T {
                reduce(reduction, costs, target.weights())
            }
        )(&mut costs, target, self.reduction()))
    }

    /// The costs wᵢ·Cᵢ of the samples of a batch, each by itself: `reduction="none"` in PyTorch and
    /// Keras. After a pass of a network [`Tape::costs`](crate::Tape::costs) has them.
    ///
    /// # Errors
    /// As [`value`](Loss::value).
    ///
    /// ```
    /// use chainrule::{MeanSquaredError, View};
    /// use chainrule::nn::loss::Loss;
    /// let (y, t) = (View::new(&[1.0, 2.0, 3.0, 4.0], 2)?, View::new(&[1.0, 2.0, 3.0, 6.0], 2)?);
    /// assert_eq!(MeanSquaredError.sample_costs(y, t.into())?, [0.0, 2.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("reduction", "none"))]
    fn sample_costs(&self, y: View<'_, T>, target: Targets<'_, T>) -> Result<Vec<T>> {
        let mut costs = costs(self, y, target)?;
        reduction::weigh(&mut costs, target.weights());
        Ok(costs)
    }

    /// ∂C/∂y of a batch, with the 1/n of an average.
    ///
    /// # Errors
    /// As [`value`](Loss::value).
    fn gradient(&self, y: View<'_, T>, target: Targets<'_, T>) -> Result<DMatrix<T>> {
        let values = check(self, y, target)?;
        let mut dy = vec![T::zero(); y.as_slice().len()];
        self.slopes(SlopesArgs {
            y,
            target: values,
            dy: ViewMut::from_parts(&mut dy, y.rows(), y.cols()),
        });
        let dy = DMatrix::from_vec(y.rows(), y.cols(), dy);
        Ok(compiled_here!(
            T: |dy: DMatrix<T>, target: Targets<'_, T>, reduction: Reduction| -> DMatrix<T> {
                let mut dy = dy;
                scale(reduction, (&mut dy).into(), target.weights());
                dy
            }
        )(dy, target, self.reduction()))
    }
}

/// The costs of samples, not yet weighted.
fn costs<T: Real>(
    loss: &(impl Loss<T> + ?Sized),
    y: View<'_, T>,
    target: Targets<'_, T>,
) -> Result<Vec<T>> {
    let target = check(loss, y, target)?;
    let mut costs = vec![T::zero(); y.cols()];
    loss.costs(CostsArgs {
        y,
        target,
        costs: &mut costs,
    });
    Ok(costs)
}

/// Targets that fit the outputs and the loss; there must be at least one sample.
fn check<'t, T: Real>(
    loss: &(impl Loss<T> + ?Sized),
    y: View<'_, T>,
    target: Targets<'t, T>,
) -> Result<View<'t, T>> {
    let (place, target) = (loss.name(), target.values());
    check_some(place, y)?;
    loss.check(y.rows())?;
    check_rows(place, (loss.targets(y.rows()), y.cols()), target)?;
    loss.check_targets(target)?;
    Ok(target)
}

/// Outputs and targets must have the same shape, with at least one sample.
pub(crate) fn check_pair<T>(place: &str, y: View<'_, T>, target: View<'_, T>) -> Result<()> {
    let expected = y.shape();
    check_some(place, y)?;
    check_rows(place, expected, target)
}

fn check_some<T>(place: &str, y: View<'_, T>) -> Result<()> {
    if y.cols() > 0 && y.rows() > 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Empty,
        place,
        "at least 1 sample of at least 1 output",
        shape(y.shape()),
    ))
}

fn check_rows<T>(place: &str, expected: (usize, usize), target: View<'_, T>) -> Result<()> {
    check_shape(|| format!("targets of {place}"), expected, target.shape())
}

/// 1/d: what an average over d outputs multiplies their sum by.
fn share<T: Real>(outputs: usize) -> T {
    T::of(1.0 / outputs as f64)
}

/// Every target must satisfy `ok`.
fn check_targets<T: Real>(
    name: &str,
    target: View<'_, T>,
    expected: &str,
    ok: impl Fn(T) -> bool,
) -> Result<()> {
    check_each(|| format!("target of {name}"), target, expected, ok)
}
