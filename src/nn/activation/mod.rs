//! Activation functions φ: what a neuron does with its weighted input z = Σₖ wₖxₖ + b.

mod apply;
mod breakpoints;
mod formula;
pub(crate) mod loops;

pub use breakpoints::Breakpoints;
pub(crate) use formula::{sigmoid, softplus, tanh};

use crate::error::{Error, ErrorKind, Result};
use alloc::{format, sync::Arc};
use core::{f64::consts::SQRT_2, fmt, str::FromStr};

/// The set in which an output lies, by which a loss knows whether it is defined on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputRange {
    /// Any real numbers.
    Real,
    /// Each number in [0, 1].
    Unit,
    /// Each number in [0, 1], and a sample's sum is 1: the probabilities of classes.
    Simplex,
    /// Logarithms of such probabilities: each number at most 0, and a sample's exponentials sum to
    /// 1.
    LogSimplex,
}

impl OutputRange {
    /// Of some of the outputs, where all lie in this: some of several that sum to 1 do not.
    pub(crate) fn of_some(self) -> Self {
        match self {
            Self::Simplex => Self::Unit,
            Self::LogSimplex => Self::Real,
            range => range,
        }
    }

    /// Of these outputs and others: several distributions are none.
    pub(crate) fn beside(self, other: Self) -> Self {
        let unit = |range| matches!(range, Self::Unit | Self::Simplex);
        if unit(self) && unit(other) {
            Self::Unit
        } else {
            Self::Real
        }
    }
}

/// An activation function φ, applied to each element; as a [`Layer`](crate::nn::layer::Layer) of
/// its own or fused into [`Dense`](crate::Dense).
///
/// | variant | φ(z) | φ′(z) at a kink |
/// |---|---|---|
/// | `Linear` | z | |
/// | `Step` | 0 for z<0, ½ at z=0, 1 for z>0 (Heaviside) | 0 |
/// | `Sign` | −1, 0, 1 | 0 |
/// | `PiecewiseLinear` | 0 for z ≤ −½, z+½ between, 1 for z ≥ ½ | 0 at ±½ |
/// | `Sigmoid` | 1/(1+e^−z) | |
/// | `Tanh` | (e^z−e^−z)/(e^z+e^−z) | |
/// | `Relu` | max(0, z) | 0 at 0 |
/// | `LeakyRelu { slope }` | z for z>0, slope·z else | slope at 0 |
/// | `Threshold { threshold, value }` | z for z>threshold, value else | 0 at threshold |
/// | `Relu6` | min(max(0, z), 6) | 0 at 0 and 6 |
/// | `SquaredRelu` | max(0, z)² (So et al. 2021) | |
/// | `Elu { alpha }` | z for z>0, α(e^z−1) else (Clevert et al. 2016) | α at 0 |
/// | `Celu { alpha }` | z for z>0, α(e^(z/α)−1) else (Barron 2017) | |
/// | `Selu` | λ·ELU(z; α), λ = 1.0507…, α = 1.6732… (Klambauer et al. 2017) | λα at 0 |
/// | `Gelu` | z·Φ(z), Φ the normal distribution function (Hendrycks & Gimpel 2016) | |
/// | `GeluTanh` | ½z(1 + tanh(√(2/π)(z + 0.044715z³))) (ibid.) | |
/// | `Silu` | z·σ(z), also called swish (Elfwing et al. 2018) | |
/// | `Mish` | z·tanh(ln(1+e^z)) (Misra 2019) | |
/// | `Softplus` | ln(1+e^z) | |
/// | `SparsePlus` | 0 for z ≤ −1, (z+1)²/4 between, z for z ≥ 1 | |
/// | `LogSigmoid` | −ln(1+e^−z) | |
/// | `Exp` | e^z | |
/// | `Softsign` | z/(1+\|z\|) | |
/// | `HardSigmoid` | min(max(0, z/6+½), 1), as in PyTorch and Keras 3 | 0 at ±3 |
/// | `HardTanh` | min(max(−1, z), 1) | 0 at ±1 |
/// | `HardSwish` | z·min(max(0, z/6+½), 1) (Howard et al. 2019) | 0 at −3, 1 at 3 |
/// | `HardShrink { lambda }` | z for \|z\|>λ, 0 else (Donoho & Johnstone 1994) | 0 at ±λ |
/// | `SoftShrink { lambda }` | z−λ for z>λ, z+λ for z<−λ, 0 between (ibid.) | 0 at ±λ |
/// | `TanhShrink` | z−tanh z | |
/// | `Breakpoints(…)` | a user's own piecewise-linear function | slope to the right |
/// | `Surrogate { … }` | the value of one activation with the derivative of another | |
///
/// Values and derivatives are right over the whole line: nothing cancels or overflows, ±∞ give the
/// limits, NaN gives NaN. They are within a few units in the last place of the true value, with
/// three exceptions:
///
/// - φ′ of `gelu`, `gelu_tanh`, `silu` and `mish` is a sum of two terms that cancel near its zero
///   (at −0.75, −0.75, −1.28 and −1.19). The absolute error is at most ε there, ε being the machine
///   epsilon, and that of φ″ near its zeros at most 2ε.
/// - Far to the left, `gelu`, `gelu_tanh` and φ′ of `celu` are e^−u with a rounded u, of relative
///   error u·ε (at most 1e−13 in `f64`).
/// - Where e^z is subnormal (z < −708, in `f32` −87), `gelu`, `gelu_tanh`, `silu` and `mish` are
///   within |z| subnormal spacings.
///
/// `Step` and `Sign` have derivative 0 wherever it exists, so gradient descent cannot pass them:
/// training through one is an error ([`ErrorKind::Untrainable`]) unless it is given a
/// [surrogate](Activation::surrogate).
///
/// ```
/// use chainrule::Activation;
/// assert_eq!(Activation::Step.value(0.0), 0.5);
/// assert_eq!(Activation::Sigmoid.derivative(0.0), 0.25);
/// assert_eq!(Activation::Tanh.derivative(400.0_f64), 0.0); // 4·e^−800, which no f64 can hold
/// assert!(Activation::Sigmoid.derivative(40.0_f64) > 4e-18); // not lost as a(1−a) would be
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// φ(z) = z.
    #[doc(alias("Identity", "purelin"))]
    Linear,
    /// The unit step of Heaviside, ½ at 0.
    #[doc(alias("Heaviside", "hardlim"))]
    Step,
    /// −1, 0 or 1.
    #[doc(alias("hardlims"))]
    Sign,
    /// 0 up to −½, 1 from ½, and the line z + ½ between.
    #[doc(alias("ramp", "satlin"))]
    PiecewiseLinear,
    /// The logistic function 1/(1+e^−z).
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// The rectifier max(0, z).
    #[doc(alias("ReLU", "poslin"))]
    Relu,
    /// The rectifier with a slope below 0 (PyTorch's default: 0.01).
    #[doc(alias("LeakyReLU"))]
    LeakyRelu {
        /// The slope for z ≤ 0; finite.
        slope: f64,
    },
    /// z above a threshold, a constant up to it: as `threshold=1, value=0` the thresholded
    /// rectifier of Konda, Memisevic & Krueger (2015).
    #[doc(alias("ThresholdedRelu", "ThresholdedReLU"))]
    Threshold {
        /// Up to here φ is constant; finite.
        threshold: f64,
        /// The constant; finite.
        value: f64,
    },
    /// The rectifier up to 6.
    #[doc(alias("ReLU6"))]
    Relu6,
    /// The square of the rectifier.
    #[doc(alias("relu_squared", "ReLU2"))]
    SquaredRelu,
    /// The exponential linear unit (usual α: 1).
    #[doc(alias("ELU"))]
    Elu {
        /// −α is the limit at −∞; finite.
        alpha: f64,
    },
    /// The exponential linear unit with a derivative of 1 on both sides of 0, whatever α is (usual
    /// α: 1).
    Celu {
        /// −α is the limit at −∞; finite and above 0.
        alpha: f64,
    },
    /// The self-normalizing exponential linear unit.
    Selu,
    /// The Gaussian error linear unit, exact.
    Gelu,
    /// The Gaussian error linear unit in its tanh approximation.
    GeluTanh,
    /// The sigmoid linear unit, or swish.
    Silu,
    /// z·tanh(softplus z).
    Mish,
    /// ln(1+e^z).
    Softplus,
    /// Softplus that is 0 and z far out: two lines and a parabola (JAX's and Keras's
    /// `sparse_plus`).
    SparsePlus,
    /// The logarithm of the sigmoid.
    #[doc(alias("logsigmoid"))]
    LogSigmoid,
    /// e^z.
    #[doc(alias("exponential"))]
    Exp,
    /// z/(1+|z|).
    Softsign,
    /// The sigmoid as three lines.
    #[doc(alias("Hardsigmoid"))]
    HardSigmoid,
    /// tanh as three lines.
    #[doc(alias("Hardtanh", "satlins"))]
    HardTanh,
    /// Swish with the hard sigmoid.
    #[doc(alias("Hardswish", "hard_silu"))]
    HardSwish,
    /// z where it is large, 0 where it is small (PyTorch's default: 0.5).
    #[doc(alias("Hardshrink", "Shrink"))]
    HardShrink {
        /// 0 from −λ to λ; finite and at least 0.
        lambda: f64,
    },
    /// z, drawn toward 0 by λ (PyTorch's default: 0.5): the proximal operator of λ·|z|.
    #[doc(alias("Softshrink", "Shrink", "soft_threshold"))]
    SoftShrink {
        /// 0 from −λ to λ; finite and at least 0.
        lambda: f64,
    },
    /// What tanh takes off z.
    #[doc(alias("Tanhshrink"))]
    TanhShrink,
    /// A piecewise-linear function through given points.
    Breakpoints(Breakpoints),
    /// The value of one activation, trained with the derivative of another; made by
    /// [`Activation::surrogate`].
    #[doc(alias("surrogate_gradient"))]
    Surrogate {
        /// Gives φ(z).
        value: Arc<Activation>,
        /// Its derivative stands in for φ′(z).
        derivative: Arc<Activation>,
    },
}

impl Activation {
    /// This activation, trained with the derivative of `other` in place of its own (a *surrogate
    /// gradient*: Neftci, Mostafa & Zenke 2019).
    ///
    /// ```
    /// use chainrule::Activation;
    /// let spike = Activation::Step.surrogate(Activation::Sigmoid);
    /// assert_eq!((spike.value(3.0), spike.derivative(0.0)), (1.0, 0.25));
    /// ```
    #[must_use]
    pub fn surrogate(self, other: Self) -> Self {
        let value = match self {
            Self::Surrogate { value, .. } => value,
            value => Arc::new(value),
        };
        let derivative = match other {
            Self::Surrogate { derivative, .. } => derivative,
            derivative => Arc::new(derivative),
        };
        Self::Surrogate { value, derivative }
    }

    /// Every activation but breakpoints and surrogates, those with a number at its default: what
    /// tests go through.
    #[doc(hidden)]
    pub fn every() -> impl Iterator<Item = Self> {
        NAMES.into_iter().map(|(_, activation)| activation)
    }

    /// The activations that give the value and the derivative, neither a surrogate.
    pub(crate) fn parts(&self) -> (&Self, &Self) {
        let (mut value, mut slope) = (self, self);
        while let Self::Surrogate { value: inner, .. } = value {
            value = inner;
        }
        while let Self::Surrogate { derivative, .. } = slope {
            slope = derivative;
        }
        (value, slope)
    }

    /// This activation, trained as if its derivative were 1 (the *straight-through estimator*:
    /// Bengio, Léonard & Courville 2013). With `Step` and the squared error, gradient descent is
    /// then Rosenblatt's perceptron rule.
    ///
    /// ```
    /// use chainrule::Activation;
    /// assert_eq!(Activation::Sign.straight_through().derivative(-7.0), 1.0);
    /// ```
    #[must_use]
    #[doc(alias("STE"))]
    pub fn straight_through(self) -> Self {
        self.surrogate(Self::Linear)
    }

    /// Whether gradient descent can pass: false for `Step`, `Sign` and constant breakpoints, and
    /// for a surrogate that is one of them.
    ///
    /// ```
    /// use chainrule::Activation;
    /// assert!(!Activation::Step.is_trainable());
    /// assert!(Activation::Step.straight_through().is_trainable());
    /// ```
    pub fn is_trainable(&self) -> bool {
        match self {
            Self::Step | Self::Sign => false,
            Self::Breakpoints(points) => !points.is_constant(),
            Self::Surrogate { derivative, .. } => derivative.is_trainable(),
            _ => true,
        }
    }

    /// The recommended gain of the weights of a layer before this activation, by the table of
    /// PyTorch's `torch.nn.init.calculate_gain`; `None` for activations that are not in it.
    ///
    /// | activation | gain |
    /// |---|---|
    /// | `Linear`, `Sigmoid` | 1 |
    /// | `Tanh` | 5/3 |
    /// | `Relu` | √2 |
    /// | `LeakyRelu { slope }` | √(2/(1 + slope²)) |
    /// | `Selu` | 3/4 |
    ///
    /// A surrogate has the gain of its value.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Init};
    /// let gain = Activation::Tanh.gain().expect("tanh is in the table");
    /// assert_eq!(gain, 5.0 / 3.0);
    /// let layer = Dense::new(64, Activation::Tanh).init(Init::Orthogonal { gain });
    /// ```
    #[doc(alias = "calculate_gain")]
    pub fn gain(&self) -> Option<f64> {
        match self {
            Self::Linear | Self::Sigmoid => Some(1.0),
            Self::Tanh => Some(5.0 / 3.0),
            Self::Relu => Some(SQRT_2),
            // As √(2/(1 + slope²)), and right where the square overflows.
            Self::LeakyRelu { slope } => Some(SQRT_2 / libm::hypot(1.0, *slope)),
            Self::Selu => Some(0.75),
            Self::Surrogate { value, .. } => value.gain(),
            _ => None,
        }
    }

    /// The set in which φ(z) lies.
    ///
    /// ```
    /// use chainrule::Activation;
    /// use chainrule::nn::OutputRange;
    /// assert_eq!(Activation::Sigmoid.range(), OutputRange::Unit);
    /// ```
    pub fn range(&self) -> OutputRange {
        match self {
            Self::Step | Self::PiecewiseLinear | Self::Sigmoid | Self::HardSigmoid => {
                OutputRange::Unit
            }
            Self::Surrogate { value, .. } => value.range(),
            _ => OutputRange::Real,
        }
    }

    /// The smallest closed interval that holds all φ(z): its infimum and its supremum, which may be
    /// infinite.
    ///
    /// ```
    /// use chainrule::Activation;
    /// assert_eq!(Activation::Tanh.bounds(), (-1.0, 1.0));
    /// assert_eq!(Activation::Relu.bounds(), (0.0, f64::INFINITY));
    /// ```
    pub fn bounds(&self) -> (f64, f64) {
        let above = |low: f64| (low, f64::INFINITY);
        match self {
            Self::Linear | Self::HardShrink { .. } | Self::SoftShrink { .. } | Self::TanhShrink => {
                above(f64::NEG_INFINITY)
            }
            Self::LeakyRelu { slope } if *slope > 0.0 => above(f64::NEG_INFINITY),
            Self::Step | Self::PiecewiseLinear | Self::Sigmoid | Self::HardSigmoid => (0.0, 1.0),
            Self::Sign | Self::Tanh | Self::Softsign | Self::HardTanh => (-1.0, 1.0),
            Self::Relu
            | Self::LeakyRelu { .. }
            | Self::SquaredRelu
            | Self::Softplus
            | Self::SparsePlus
            | Self::Exp => above(0.0),
            Self::LogSigmoid => (f64::NEG_INFINITY, 0.0),
            Self::Relu6 => (0.0, 6.0),
            Self::Elu { alpha } => above((-alpha).min(0.0)),
            Self::Celu { alpha } if *alpha > 0.0 => above(-alpha),
            Self::Celu { .. } => above(f64::NEG_INFINITY),
            Self::Threshold { threshold, value } => above(threshold.min(*value)),
            // −λα, and the least values of the four that turn up again to the left of 0.
            Self::Selu => above(-1.758_099_340_847_376_8),
            Self::Gelu => above(-0.169_971_207_479_903_7),
            Self::GeluTanh => above(-0.170_040_750_571_254_06),
            Self::Silu => above(-0.278_464_542_761_073_8),
            Self::Mish => above(-0.308_843_413_017_250_43),
            Self::HardSwish => above(-0.375),
            Self::Breakpoints(points) => points.bounds(),
            Self::Surrogate { value, .. } => value.bounds(),
        }
    }
}

/// The names by which [`Activation`] is written and read; those with numbers take them as
/// `name(key=number, key=number)`.
const NAMES: [(&str, Activation); 29] = [
    ("linear", Activation::Linear),
    ("step", Activation::Step),
    ("sign", Activation::Sign),
    ("piecewise_linear", Activation::PiecewiseLinear),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
    ("relu", Activation::Relu),
    ("leaky_relu", Activation::LeakyRelu { slope: 0.01 }),
    (
        "threshold",
        Activation::Threshold {
            threshold: 1.0,
            value: 0.0,
        },
    ),
    ("relu6", Activation::Relu6),
    ("squared_relu", Activation::SquaredRelu),
    ("elu", Activation::Elu { alpha: 1.0 }),
    ("celu", Activation::Celu { alpha: 1.0 }),
    ("selu", Activation::Selu),
    ("gelu", Activation::Gelu),
    ("gelu_tanh", Activation::GeluTanh),
    ("silu", Activation::Silu),
    ("mish", Activation::Mish),
    ("softplus", Activation::Softplus),
    ("sparse_plus", Activation::SparsePlus),
    ("log_sigmoid", Activation::LogSigmoid),
    ("exp", Activation::Exp),
    ("softsign", Activation::Softsign),
    ("hard_sigmoid", Activation::HardSigmoid),
    ("hard_tanh", Activation::HardTanh),
    ("hard_swish", Activation::HardSwish),
    ("hard_shrink", Activation::HardShrink { lambda: 0.5 }),
    ("soft_shrink", Activation::SoftShrink { lambda: 0.5 }),
    ("tanh_shrink", Activation::TanhShrink),
];

/// The name, as [`FromStr`] reads it: `relu`, `leaky_relu(slope=0.01)`, `breakpoints(-1:0, 1:1)`,
/// `step surrogate sigmoid`.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeakyRelu { slope } => write!(f, "leaky_relu(slope={slope})"),
            Self::Elu { alpha } => write!(f, "elu(alpha={alpha})"),
            Self::Celu { alpha } => write!(f, "celu(alpha={alpha})"),
            Self::Threshold { threshold, value } => {
                write!(f, "threshold(threshold={threshold}, value={value})")
            }
            Self::HardShrink { lambda } => write!(f, "hard_shrink(lambda={lambda})"),
            Self::SoftShrink { lambda } => write!(f, "soft_shrink(lambda={lambda})"),
            Self::Breakpoints(points) => write!(f, "breakpoints({points})"),
            Self::Surrogate { value, derivative } => write!(f, "{value} surrogate {derivative}"),
            _ => f.write_str(
                NAMES
                    .iter()
                    .find(|(_, a)| a == self)
                    .map_or("", |(name, _)| name),
            ),
        }
    }
}

/// Reads what `Display` writes. The name alone takes PyTorch's default: slope 0.01 of `leaky_relu`,
/// α 1 of `elu` and `celu`, λ 0.5 of `hard_shrink` and `soft_shrink`. `threshold`, which has none
/// there, is ONNX's `ThresholdedRelu` then: 0 up to 1.
///
/// ```
/// use chainrule::Activation;
/// assert_eq!("elu(alpha=0.5)".parse(), Ok(Activation::Elu { alpha: 0.5 }));
/// assert_eq!("step surrogate tanh".parse(), Ok(Activation::Step.surrogate(Activation::Tanh)));
/// assert!("swoosh".parse::<Activation>().is_err());
/// ```
impl FromStr for Activation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((value, derivative)) = text.split_once(" surrogate ") {
            // Of a chain, the first gives the value and the last the derivative, as in `surrogate`.
            let (_, derivative) = derivative
                .rsplit_once(" surrogate ")
                .unwrap_or(("", derivative));
            return Ok(value.parse::<Self>()?.surrogate(derivative.parse()?));
        }
        let unknown = || {
            let names: alloc::vec::Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            Error::new(
                ErrorKind::Parse,
                "activation",
                format!("one of {}, breakpoints(x:y, …)", names.join(", ")),
                format!("{text:?}"),
            )
        };
        let text = text.trim();
        let (name, argument) = match text.split_once('(') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').ok_or_else(unknown)?)),
            None => (text, None),
        };
        let activation = match (name, argument) {
            ("breakpoints", Some(points)) => Self::Breakpoints(points.parse()?),
            ("leaky_relu", Some(argument)) => {
                let [slope] = numbers(name, ["slope"], argument)?;
                Self::LeakyRelu { slope }
            }
            ("elu", Some(argument)) => {
                let [alpha] = numbers(name, ["alpha"], argument)?;
                Self::Elu { alpha }
            }
            ("celu", Some(argument)) => {
                let [alpha] = numbers(name, ["alpha"], argument)?;
                Self::Celu { alpha }
            }
            ("threshold", Some(argument)) => {
                let [threshold, value] = numbers(name, ["threshold", "value"], argument)?;
                Self::Threshold { threshold, value }
            }
            ("hard_shrink", Some(argument)) => {
                let [lambda] = numbers(name, ["lambda"], argument)?;
                Self::HardShrink { lambda }
            }
            ("soft_shrink", Some(argument)) => {
                let [lambda] = numbers(name, ["lambda"], argument)?;
                Self::SoftShrink { lambda }
            }
            (_, Some(_)) => return Err(unknown()),
            (_, None) => NAMES
                .iter()
                .find(|(known, _)| *known == name)
                .ok_or_else(unknown)?
                .1
                .clone(),
        };
        activation.check::<f64>()?;
        Ok(activation)
    }
}

/// The numbers of an activation, each with its key or without.
fn numbers<const N: usize>(name: &str, keys: [&str; N], argument: &str) -> Result<[f64; N]> {
    let mut given = argument.splitn(N, ',');
    let mut numbers = [0.0; N];
    for (number, key) in numbers.iter_mut().zip(keys) {
        let value = given.next().unwrap_or_default().trim();
        let value = value
            .strip_prefix(key)
            .and_then(|rest| rest.trim_start().strip_prefix('='))
            .unwrap_or(value)
            .trim();
        *number = value.parse().map_err(|_| {
            Error::new(
                ErrorKind::Parse,
                format!("{key} of {name}"),
                "a number",
                format!("{value:?}"),
            )
        })?;
    }
    Ok(numbers)
}

#[cfg(feature = "serde")]
crate::ground::serde::as_text!(Activation);

impl From<Breakpoints> for Activation {
    fn from(points: Breakpoints) -> Self {
        Self::Breakpoints(points)
    }
}
