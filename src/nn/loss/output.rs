//! What makes predictions of a network's raw outputs.

use crate::error::{Error, ErrorKind};
use crate::nn::activation::Activation;
use crate::nn::softmax::softmax_columns;
use crate::numeric::kernel::Pass;
use crate::numeric::real::Real;
use crate::numeric::view::ViewMut;
use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::{fmt, ops::Range, str::FromStr};

/// The function from raw outputs (scores) y to predictions p, chosen by the loss
/// ([`Loss::output_function`](super::Loss::output_function)).
///
/// | variant | prediction | losses |
/// |---|---|---|
/// | `Identity` | p = y | of numbers, probabilities, margins |
/// | `Sigmoid` | pⱼ = 1/(1 + e^−yⱼ) | [`SigmoidCrossEntropy`](crate::SigmoidCrossEntropy) |
/// | `Softmax` | pⱼ = e^yⱼ / Σₖ e^yₖ | [`SoftmaxCrossEntropy`](crate::SoftmaxCrossEntropy) |
/// | `Exp` | pⱼ = e^yⱼ | of counts, on logarithms of rates |
/// | `Normal` | (μ, σ = e^½s) of y = (μ, s) | [`GaussianNll`](super::GaussianNll) |
/// | `Heads` | of each head its own | [`Heads`](super::Heads) |
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Means μ, the first half of the outputs, as they are, and of the second half, logarithms s of
    /// variances, the standard deviations e^½s.
    Normal,
    /// Several heads in turn, each with a function of its own: [`Loss::output_function`] of
    /// [`Heads`](super::Heads).
    ///
    /// [`Loss::output_function`]: super::Loss::output_function
    Heads(Arc<[Head]>),
}

/// One of a network's heads: a range of the outputs with a name and an output function.
///
/// ```
/// use chainrule::MeanSquaredError;
/// use chainrule::SoftmaxCrossEntropy;
/// use chainrule::nn::loss::{Heads, Loss, OutputFunction};
/// let loss = Heads::<f64>::new()
///     .head("price", 1, MeanSquaredError)
///     .head("kind", 3, SoftmaxCrossEntropy::new());
/// let function = loss.output_function();
/// let kind = &function.heads()[1];
/// assert_eq!((&*kind.name, kind.outputs.clone()), ("kind", 1..4));
/// assert_eq!(kind.output_function, OutputFunction::Softmax);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// What the head is called.
    pub name: String,
    /// Which of the network's outputs are the head's.
    pub outputs: Range<usize>,
    /// Which rows of the targets are the head's.
    pub targets: Range<usize>,
    /// From the head's outputs to predictions.
    pub output_function: OutputFunction,
}

impl OutputFunction {
    /// All that have a prediction for each of any number of outputs, what tests go through.
    #[doc(hidden)]
    pub const EVERY: [Self; 4] = [Self::Identity, Self::Sigmoid, Self::Softmax, Self::Exp];
    /// All of a single head.
    const KNOWN: [Self; 5] = {
        let [a, b, c, d] = Self::EVERY;
        [a, b, c, d, Self::Normal]
    };

    fn name(&self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Sigmoid => "sigmoid",
            Self::Softmax => "softmax",
            Self::Exp => "exp",
            Self::Normal => "normal",
            Self::Heads(_) => "heads",
        }
    }

    /// The function of heads that lie one after the other, given by their names, numbers of outputs
    /// and of targets, and functions.
    pub(super) fn of_heads(heads: impl IntoIterator<Item = (String, [usize; 2], Self)>) -> Self {
        let mut ends = [0_usize; 2];
        let mut after = |place: usize, count: usize| {
            let start = ends[place];
            ends[place] = start.saturating_add(count);
            start..ends[place]
        };
        let head = |(name, [outputs, targets], output_function): (_, [usize; 2], _)| Head {
            name,
            outputs: after(0, outputs),
            targets: after(1, targets),
            output_function,
        };
        Self::Heads(heads.into_iter().map(head).collect())
    }

    /// The heads, first to last; of any function but `Heads` none.
    pub fn heads(&self) -> &[Head] {
        match self {
            Self::Heads(heads) => heads,
            _ => &[],
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
    pub fn apply<'y, T: Real>(&self, y: impl Into<ViewMut<'y, T>>) {
        let mut y = y.into();
        match self {
            Self::Identity => {}
            Self::Sigmoid => Activation::Sigmoid.apply(y.as_mut_slice()),
            Self::Softmax if y.rows() == 0 => {}
            Self::Softmax => softmax_columns(y),
            Self::Exp => T::vectorize(Exp(T::one(), y.as_mut_slice())),
            Self::Normal => {
                let means = y.rows() / 2;
                for y in y.iter_mut() {
                    T::vectorize(Exp(T::of(0.5), &mut y[means..]));
                }
            }
            Self::Heads(heads) => {
                for y in y.iter_mut() {
                    for head in heads.iter() {
                        if let Some(y) = y.get_mut(head.outputs.clone()) {
                            let rows = y.len();
                            head.output_function.apply(ViewMut::from_parts(y, rows, 1));
                        }
                    }
                }
            }
        }
    }
}

/// e^(c·y).
struct Exp<'a, T>(T, &'a mut [T]);

impl<T: Real> Pass for Exp<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for y in self.1 {
            *y = (self.0 * *y).exp_kernel::<FMA>();
        }
    }
}

/// Checks names of heads, each of which takes a line of a text; the error is what was given.
pub(super) fn check_names<'n>(
    names: impl Iterator<Item = &'n str> + Clone,
) -> core::result::Result<(), String> {
    for (place, name) in names.clone().enumerate() {
        if name.is_empty() || name.contains(['\n', '\r']) {
            return Err(format!("{name:?}"));
        }
        if names.clone().take(place).any(|other| other == name) {
            return Err(format!("{name:?} twice"));
        }
    }
    Ok(())
}

/// The name, as [`FromStr`] reads it and files keep it: `identity`, `sigmoid`, `softmax`, `exp`,
/// `normal`. Of heads a line each: function, numbers of outputs and targets, and name.
impl fmt::Display for OutputFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Heads(heads) = self else {
            return f.pad(self.name());
        };
        for (number, head) in heads.iter().enumerate() {
            let Head {
                name,
                outputs,
                targets,
                output_function,
            } = head;
            let line = if number == 0 { "" } else { "\n" };
            let (outputs, targets) = (outputs.len(), targets.len());
            write!(f, "{line}{output_function} {outputs} {targets} {name}")?;
        }
        Ok(())
    }
}

/// Reads what `Display` writes.
impl FromStr for OutputFunction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = |text: &str| Self::KNOWN.into_iter().find(|known| known.name() == text);
        if let Some(function) = known(text) {
            return Ok(function);
        }
        let head = |line: &str| {
            let mut parts = line.splitn(4, ' ');
            let mut next = || parts.next();
            let (function, outputs, targets) = (next()?, next()?, next()?);
            let count = |text: &str| text.parse().ok().filter(|count| *count > 0);
            let counts = [count(outputs)?, count(targets)?];
            Some((next()?.into(), counts, known(function)?))
        };
        let heads: Option<Vec<(String, [usize; 2], Self)>> = text.split('\n').map(head).collect();
        let sound = |heads: &Vec<(String, [usize; 2], Self)>| {
            let sum = |place: usize| {
                let mut counts = heads.iter().map(|(_, counts, _)| counts[place]);
                counts.try_fold(0_usize, usize::checked_add).is_some()
            };
            check_names(heads.iter().map(|(name, ..)| &**name)).is_ok() && sum(0) && sum(1)
        };
        if let Some(heads) = heads.filter(sound) {
            return Ok(Self::of_heads(heads));
        }
        let names = Self::KNOWN.map(|known| known.name()).join(", ");
        Err(Error::new(
            ErrorKind::Parse,
            "OutputFunction",
            format!("one of {names}"),
            format!("{text:?}"),
        ))
    }
}

#[cfg(feature = "serde")]
crate::ground::serde::as_text!(OutputFunction);
