//! Clipping of gradients.

use super::arithmetic::larger;
use super::state::check_len;
use super::vector_norm::{Clamp, Largest, Norm};
use crate::error::Result;
use crate::nn::layer::Role;
use crate::nn::layout::PlacedBlock;
use crate::nn::sequential::Sequential;
use crate::numeric::bounds::POSITIVE;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use core::ops::Range;

/// Keeps a gradient small before an optimizer follows it: the step that a cliff of the cost asks
/// for is cut, not taken.
///
/// With a limit c, finite and above 0:
///
/// | | what becomes of g | TensorFlow | PyTorch |
/// |---|---|---|---|
/// | `Value(c)` | every number into [−c, c] | `clip_by_value` | `clip_grad_value_` |
/// | `Norm(c)` | each block with ‖g‖₂ > c becomes g·c/‖g‖₂ | `clip_by_norm` | |
/// | `GlobalNorm(c)` | the whole gradient, of all blocks together, likewise | `clip_by_global_norm` | `clip_grad_norm_` |
/// | `GlobalNorm1(c)` | likewise, by ‖g‖₁ = Σ \|gᵢ\| | | `clip_grad_norm_(norm_type=1)` |
/// | `GlobalNormInf(c)` | likewise, by ‖g‖∞ = max \|gᵢ\| | | `clip_grad_norm_(norm_type=inf)` |
///
/// (Pascanu, Mikolov & Bengio 2013.) It is TensorFlow's definition: PyTorch multiplies by c/(‖g‖ +
/// 10⁻⁶). Neither a gradient within the limit nor a running statistic is touched. The squares
/// within a norm neither overflow nor vanish. NaN passes: a norm that is NaN clips nothing, and
/// where a number is infinite the others become 0 and it NaN.
///
/// ```
/// use chainrule::{Activation, Adam, Dense, Optimizer, Sequential, Tape};
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::nn::loss::SumSquaredError;
/// use chainrule::optim::Clip;
/// let mut net = Sequential::<f64>::builder(1)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// net.set_params(&[0.0, 0.0])?;
/// let (x, t) = (DMatrix::from_element(1, 1, 0.75), DMatrix::from_element(1, 1, 8.0));
/// let (mut adam, groups) = (Adam::new(), net.default_groups());
/// let mut tape = Tape::new();
///
/// net.gradient(&x, &t, &SumSquaredError, &mut tape)?;
/// assert_eq!(tape.grads(), [-6.0, -8.0]);
/// assert_eq!(Clip::GlobalNorm(5.0).apply(&net, tape.grads_mut())?, 10.0);
/// assert_eq!(tape.grads(), [-3.0, -4.0]);
/// adam.step(0.1, net.params_mut(), tape.grads(), &groups)?;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[doc(alias("gradient_clipping"))]
pub enum Clip {
    /// Limits every number.
    #[doc(alias("clip_grad_value_", "clipvalue"))]
    Value(f64),
    /// Limits the norm of each block.
    Norm(f64),
    /// Limits the norm of the whole gradient.
    #[doc(alias("clip_grad_norm_", "clipnorm"))]
    GlobalNorm(f64),
    /// Limits the 1-norm of the whole gradient.
    GlobalNorm1(f64),
    /// Limits the largest magnitude of the whole gradient, and keeps its direction.
    GlobalNormInf(f64),
}

impl Clip {
    /// Checks the limit.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value) for a limit that is not finite and above 0.
    pub fn check(&self) -> Result<()> {
        self.check_in::<f64>()
    }

    pub(crate) fn check_in<T: Real>(&self) -> Result<()> {
        match *self {
            Self::Value(c) => POSITIVE.check_in::<T>("limit of Clip::Value", c),
            Self::Norm(c) => POSITIVE.check_in::<T>("limit of Clip::Norm", c),
            Self::GlobalNorm(c) => POSITIVE.check_in::<T>("limit of Clip::GlobalNorm", c),
            Self::GlobalNorm1(c) => POSITIVE.check_in::<T>("limit of Clip::GlobalNorm1", c),
            Self::GlobalNormInf(c) => POSITIVE.check_in::<T>("limit of Clip::GlobalNormInf", c),
        }
    }

    /// Clips `grads`, a gradient by the parameters of `net`, and returns what was compared with the
    /// limit: the largest magnitude, the largest norm of a block, the norm.
    ///
    /// # Errors
    /// As [`check`](Self::check) in `T`, and [`ErrorKind::Shape`](crate::ErrorKind::Shape) for more
    /// or fewer numbers than parameters; nothing is changed then.
    pub fn apply<T: Real>(&self, net: &Sequential<T>, grads: &mut [T]) -> Result<T> {
        compiled_here!(T: |clip: &Clip, net: &Sequential<T>, grads: &mut [T]| -> Result<T> {
            clip.check_in::<T>()?;
            check_len(|| "grads of Clip::apply".into(), net.params().len(), grads)?;
            let ranges = learned(net);
            let mut largest = T::zero();
            let mut note = |size: T| largest = larger(largest, size);
            match *clip {
                Clip::Value(c) => ranges.for_each(|range| {
                    note(T::vectorize(Largest(&grads[range.clone()])));
                    T::vectorize(Clamp {
                        x: &mut grads[range],
                        low: -T::of(c),
                        high: T::of(c),
                    });
                }),
                Clip::Norm(c) => ranges.for_each(|range| {
                    let norm = Norm::of(core::iter::once(&grads[range.clone()]));
                    note(norm.value());
                    norm.limit(T::of(c), &mut grads[range]);
                }),
                Clip::GlobalNorm(c) | Clip::GlobalNorm1(c) | Clip::GlobalNormInf(c) => {
                    let parts = ranges.clone().map(|range| &grads[range]);
                    let norm = match clip {
                        Clip::GlobalNorm1(_) => Norm::of_sum(parts),
                        Clip::GlobalNormInf(_) => Norm::of_largest(parts),
                        _ => Norm::of(parts),
                    };
                    note(norm.value());
                    ranges.for_each(|range| norm.limit(T::of(c), &mut grads[range]));
                }
            }
            Ok(largest)
        })(self, net, grads)
    }
}

/// The norm of a gradient of `net`, running statistics left out.
pub(crate) fn gradient_norm<T: Real>(net: &Sequential<T>, grads: &[T]) -> T {
    Norm::of(learned(net).map(|range| &grads[range])).value()
}

/// Where the parameters lie that are no running statistics.
fn learned<T: Real>(net: &Sequential<T>) -> impl Iterator<Item = Range<usize>> + Clone {
    let learned = |placed: &PlacedBlock<'_>| placed.block.role != Role::Statistic;
    net.layout()
        .blocks()
        .filter(learned)
        .map(|placed| placed.range)
}
