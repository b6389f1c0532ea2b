//! What makes predictions of a network's raw outputs.

use crate::error::{Error, ErrorKind};
use crate::nn::activation::Activation;
use crate::nn::softmax::softmax_columns;
use crate::numeric::kernel::Pass;
use crate::numeric::real::Real;
use crate::numeric::view::ViewMut;
use alloc::format;
use core::{fmt, str::FromStr};

/// The function from raw outputs (scores) y to predictions p, chosen by the loss
/// ([`Loss::output_function`](super::Loss::output_function)).
///
/// | variant | prediction | losses |
/// |---|---|---|
/// | `Identity` | p = y | of numbers, probabilities, margins |
/// | `Sigmoid` | pⱼ = 1/(1 + e^−yⱼ) | [`SigmoidCrossEntropy`](crate::SigmoidCrossEntropy) |
/// | `Softmax` | pⱼ = e^yⱼ / Σₖ e^yₖ | [`SoftmaxCrossEntropy`](crate::SoftmaxCrossEntropy) |
/// | `Exp` | pⱼ = e^yⱼ | of counts, on logarithms of rates |
///
/// [`Sequential::predict`](crate::Sequential::predict) returns y,
/// [`Model::predict`](crate::Model::predict) p. A generalized linear model calls the inverse of
/// this function its link.
///
/// ```
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::nn::loss::OutputFunction;
/// let mut y = DMatrix::from_column_slice(2, 1, &[3.0, 3.0]);
/// OutputFunction::Softmax.apply(&mut y);
/// assert_eq!(y.as_slice(), [0.5, 0.5]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias("inverse_link", "out_activation_"))]
pub enum OutputFunction {
    /// p = y.
    #[default]
    Identity,
    /// The logistic function of each output: probabilities of independent classes.
    Sigmoid,
    /// The softmax of each sample: probabilities that sum to 1.
    Softmax,
    /// The exponential of each output: rates of counts.
    Exp,
}

impl OutputFunction {
    /// All of them, what tests go through.
    #[doc(hidden)]
    pub const EVERY: [Self; 4] = [Self::Identity, Self::Sigmoid, Self::Softmax, Self::Exp];

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Sigmoid => "sigmoid",
            Self::Softmax => "softmax",
            Self::Exp => "exp",
        }
    }

    /// Replaces raw outputs, outputs × samples, by predictions. NaN propagates, in `Softmax` to all
    /// outputs of its sample.
    ///
    /// ```
    /// use chainrule::nn::loss::OutputFunction;
    /// use chainrule::numeric::ViewMut;
    /// let mut scores = [-8.1, 7.2]; // one output of two samples
    /// OutputFunction::Sigmoid.apply(ViewMut::new(&mut scores, 1)?);
    /// assert!(scores[0] < 0.001 && scores[1] > 0.999);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn apply<'y, T: Real>(self, y: impl Into<ViewMut<'y, T>>) {
        let mut y = y.into();
        match self {
            Self::Identity => {}
            Self::Sigmoid => Activation::Sigmoid.apply(y.as_mut_slice()),
            Self::Softmax if y.rows() == 0 => {}
            Self::Softmax => softmax_columns(y),
            Self::Exp => T::vectorize(Exp(y.as_mut_slice())),
        }
    }
}

struct Exp<'a, T>(&'a mut [T]);

impl<T: Real> Pass for Exp<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for y in self.0 {
            *y = y.exp_kernel::<FMA>();
        }
    }
}

/// The name, as [`FromStr`] reads it and files keep it: `identity`, `sigmoid`, `softmax`, `exp`.
impl fmt::Display for OutputFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Reads what `Display` writes.
impl FromStr for OutputFunction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || {
            let names = Self::EVERY.map(Self::name).join(", ");
            Error::new(
                ErrorKind::Parse,
                "OutputFunction",
                format!("one of {names}"),
                format!("{text:?}"),
            )
        };
        let mut every = Self::EVERY.into_iter();
        every.find(|known| known.name() == text).ok_or_else(unknown)
    }
}

#[cfg(feature = "serde")]
crate::ground::serde::as_text!(OutputFunction);
