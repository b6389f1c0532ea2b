//! Losses on margins: outputs need only be beyond them.

use super::by_output::{self, ByOutput, loss_by_output};
use super::{CostsArgs, CurvaturesArgs, Loss, SlopesArgs, check_targets};
use crate::error::Result;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::Real;
use crate::numeric::view::View;

/// max(0, z); NaN passes.
fn relu<T: Real>(z: T) -> T {
    if z <= T::zero() { T::zero() } else { z }
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
