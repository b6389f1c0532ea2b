//! Weight initializers.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::Activation;
use crate::numeric::bounds::ensure;
use crate::numeric::real::Real;
use alloc::format;
use nalgebra::DMatrix;
use rand::Rng;
use rand_distr::{Distribution as _, StandardNormal, StandardUniform};

/// Which width of a layer of n inputs and m outputs divides the variance of
/// [`Init::VarianceScaling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Fan {
    /// n: signals keep their size forward.
    In,
    /// m: gradients keep their size backward.
    Out,
    /// (n + m)/2: the compromise between both.
    Average,
}

/// The shape of the distribution that [`Init::VarianceScaling`] draws from; each has mean 0 and the
/// variance asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Distribution {
    /// The normal distribution, as in PyTorch (Keras: `untruncated_normal`).
    Normal,
    /// A normal distribution without its tails beyond two standard deviations, as in Keras. Numbers
    /// out there are drawn again. The variance is that of the numbers kept, as in Keras and JAX, so
    /// none exceeds 2.274 of their standard deviations.
    TruncatedNormal,
    /// Uniform on ±√(3·variance).
    Uniform,
}

/// How the weights of a layer start, for n inputs and m outputs of the layer.
///
/// | variant | distribution | source |
/// |---|---|---|
/// | `Zeros`, `Constant(c)` | all 0, all c | |
/// | `Uniform { low, high }` | uniform on [low, high), in `f32` rounded to [low, high] | |
/// | `Normal { mean, std }` | normal | |
/// | `HeNormal`, `HeUniform` | std √(2/n); limit √(6/n) | He et al. 2015 (Kaiming) |
/// | `GlorotNormal`, `GlorotUniform` | std √(2/(n+m)); limit √(6/(n+m)) | Glorot & Bengio 2010 (Xavier) |
/// | `LeCunNormal`, `LeCunUniform` | std √(1/n); limit √(3/n) | LeCun et al. 1998 |
/// | `Orthogonal { gain }` | gain · orthonormal rows (columns where m > n) | Saxe et al. 2014 |
/// | `VarianceScaling { scale, fan, distribution }` | variance scale/n, scale/m or 2·scale/(n+m) | Keras, JAX |
///
/// He's, Glorot's and LeCun's are `VarianceScaling` with the scales 2, 1 and 1. Their normal
/// variants are not truncated, as in the papers and PyTorch; Keras truncates them. All draws are
/// made in `f64` and rounded, so an `f32` network starts as the `f64` network of the same seed
/// does, rounded.
///
/// Starts of other libraries, for weights and biases
/// ([`Dense::bias_init`](crate::Dense::bias_init)) alike where they are random:
///
/// | start | bounds or std | here |
/// |---|---|---|
/// | PyTorch's `nn.Linear`, with its biases | ±√(1/n) | scale 1/3, `Fan::In`, `Uniform` |
/// | scikit-learn's `MLPClassifier`, with its biases | ±√(6/(n+m)) | `GlorotUniform` |
/// | the same for `logistic` | ±√(2/(n+m)) | scale 1/3, `Fan::Average`, `Uniform` |
/// | PyTorch's `kaiming_normal_(mode="fan_out")` | √(2/m) | scale 2, `Fan::Out`, `Normal` |
/// | PyTorch's `xavier_uniform_(gain=g)` | ±g·√(6/(n+m)) | scale g², `Fan::Average`, `Uniform` |
/// | Keras's `he_normal` | √(2/n), truncated | scale 2, `Fan::In`, `TruncatedNormal` |
///
/// The gain g of an activation is [`Activation::gain`].
///
/// ```
/// use chainrule::{Activation, Dense, Init, Sequential};
///
/// let net = Sequential::<f64>::builder(3)
///     .layer(Dense::new(2, Activation::Sigmoid).init(Init::Uniform { low: -1.0, high: 1.0 }))
///     .seed(7)
///     .build()?;
/// assert!(net.weights(0)?.iter().all(|w| w.abs() <= 1.0));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
#[doc(alias("Initializer"))]
pub enum Init {
    /// All 0.
    Zeros,
    /// All the same finite number.
    Constant(f64),
    /// Uniform on [low, high).
    Uniform {
        /// The lower bound, included; finite.
        low: f64,
        /// The upper bound; finite and not below `low`.
        high: f64,
    },
    /// The normal distribution.
    Normal {
        /// The mean; finite.
        mean: f64,
        /// The standard deviation; finite and not negative.
        std: f64,
    },
    /// Normal with mean 0 and standard deviation √(2/n).
    #[doc(alias("kaiming_normal_", "Kaiming"))]
    HeNormal,
    /// Uniform on ±√(6/n).
    #[doc(alias("kaiming_uniform_"))]
    HeUniform,
    /// Normal with mean 0 and standard deviation √(2/(n+m)).
    #[doc(alias("xavier_normal_", "Xavier"))]
    GlorotNormal,
    /// Uniform on ±√(6/(n+m)).
    #[doc(alias("xavier_uniform_"))]
    GlorotUniform,
    /// Normal with mean 0 and standard deviation √(1/n).
    LeCunNormal,
    /// Uniform on ±√(3/n).
    LeCunUniform,
    /// A random matrix with orthonormal rows (columns where there are more rows than columns),
    /// times `gain`.
    #[doc(alias("orthogonal_"))]
    Orthogonal {
        /// The factor; finite.
        gain: f64,
    },
    /// Mean 0 and variance scale/fan.
    ///
    /// ```
    /// use chainrule::{Activation, Dense, Init};
    /// use chainrule::nn::{Distribution, Fan};
    /// let torch = Init::VarianceScaling {
    ///     scale: 1.0 / 3.0,
    ///     fan: Fan::In,
    ///     distribution: Distribution::Uniform,
    /// };
    /// // nn.Linear(…, 64)
    /// let layer = Dense::new(64, Activation::Relu).init(torch).bias_init(torch);
    /// ```
    VarianceScaling {
        /// The variance times the fan; positive and finite. For an activation, the square of its
        /// [`gain`](Activation::gain).
        scale: f64,
        /// What divides the scale.
        fan: Fan,
        /// What is drawn from.
        distribution: Distribution,
    },
}

/// The standard deviation of a standard normal number that lies within ±2: √(1 − 4φ(2)/(2Φ(2) −
/// 1)), φ being its density and Φ its distribution function.
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

impl Init {
    /// The default of [`Dense`](crate::Dense) for the weights before `activation`: `LeCunUniform`,
    /// and `HeUniform` for `Sigmoid` and `HardSigmoid`, whose small slopes ask for larger weights.
    ///
    /// The choice, with biases that start by `LeCunUniform`, too, comes from the experiment
    /// `benches/init`: ten data sets of 2 to 784 inputs, 2 to 8 hidden layers, eight activations, 5
    /// to 60 epochs of Adam. In it, He's weights are too wide for small data sets, Glorot's too
    /// narrow for few inputs, PyTorch's too narrow for deep networks in few epochs.
    ///
    /// ```
    /// use chainrule::{Activation, Init};
    /// assert_eq!(Init::for_activation(&Activation::Relu), Init::LeCunUniform);
    /// assert_eq!(Init::for_activation(&Activation::Sigmoid), Init::HeUniform);
    /// ```
    pub fn for_activation(activation: &Activation) -> Self {
        match activation {
            Activation::Sigmoid | Activation::HardSigmoid => Self::HeUniform,
            Activation::Surrogate { value, .. } => Self::for_activation(value),
            _ => Self::LeCunUniform,
        }
    }

    /// Checks that the parameters of the distribution are sound in `T`.
    pub(crate) fn check<T: Real>(&self) -> Result<()> {
        let finite = |value: f64| T::of(value).is_finite();
        let (ok, expected) = match *self {
            Self::Constant(c) => (finite(c), "a finite constant"),
            Self::Uniform { low, high } => (
                finite(low) && finite(high) && finite(high - low) && low <= high,
                "finite bounds with low ≤ high",
            ),
            // No number drawn is 14 standard deviations from the mean: the tail is e^−u of a u of
            // 53 bits.
            Self::Normal { mean, std } => (
                finite(mean.abs() + 14.0 * std) && std >= 0.0,
                "a finite mean, a finite std ≥ 0 and draws that are finite",
            ),
            Self::Orthogonal { gain } => (finite(gain), "a finite gain"),
            Self::VarianceScaling { scale, .. } => (
                scale > 0.0 && finite(3.0 * scale),
                "a scale > 0 whose triple is finite",
            ),
            _ => return Ok(()),
        };
        ensure(ok, "Init", expected, format_args!("{self:?}"))
    }

    /// Fills the `outputs × inputs` weights, column after column. A layer of another crate calls it
    /// from its own [`Layer::init_params`](crate::nn::layer::Layer::init_params).
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a parameter of the distribution out of range or no inputs or
    /// outputs, [`ErrorKind::Shape`] when there are not inputs · outputs weights.
    ///
    /// ```
    /// use chainrule::Init;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let mut weights = [0.0_f64; 6];
    /// Init::HeNormal.fill(&mut weights, 3, 2, &mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// assert!(weights.iter().all(|w| *w != 0.0));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn fill<T: Real>(
        &self,
        weights: &mut [T],
        inputs: usize,
        outputs: usize,
        rng: &mut dyn Rng,
    ) -> Result<()> {
        self.check::<T>()?;
        let given = format_args!("{inputs} and {outputs}");
        ensure(
            inputs > 0 && outputs > 0,
            "Init::fill",
            "at least 1 input and 1 output",
            given,
        )?;
        if inputs.checked_mul(outputs) != Some(weights.len()) {
            let expected = format!("{outputs} × {inputs} weights");
            return Err(Error::new(
                ErrorKind::Shape,
                "Init::fill",
                expected,
                weights.len(),
            ));
        }
        self.fill_unchecked(weights, inputs, outputs, rng);
        Ok(())
    }

    /// [`fill`](Self::fill) of what has been checked; also fills biases, by the numbers of their
    /// layer.
    pub(crate) fn fill_unchecked<T: Real>(
        &self,
        weights: &mut [T],
        inputs: usize,
        outputs: usize,
        rng: &mut dyn Rng,
    ) {
        let (scale, fan, distribution) = match *self {
            Self::Zeros => return weights.fill(T::zero()),
            Self::Constant(c) => return weights.fill(T::of(c)),
            Self::Uniform { low, high } => return uniform(weights, low, high, rng),
            Self::Normal { mean, std } => return normal(weights, mean, std, rng),
            Self::Orthogonal { gain } => return orthogonal(weights, inputs, outputs, gain, rng),
            Self::HeNormal => (2.0, Fan::In, Distribution::Normal),
            Self::HeUniform => (2.0, Fan::In, Distribution::Uniform),
            Self::GlorotNormal => (1.0, Fan::Average, Distribution::Normal),
            Self::GlorotUniform => (1.0, Fan::Average, Distribution::Uniform),
            Self::LeCunNormal => (1.0, Fan::In, Distribution::Normal),
            Self::LeCunUniform => (1.0, Fan::In, Distribution::Uniform),
            Self::VarianceScaling {
                scale,
                fan,
                distribution,
            } => (scale, fan, distribution),
        };
        let fan = match fan {
            Fan::In => inputs as f64,
            Fan::Out => outputs as f64,
            Fan::Average => f64::midpoint(inputs as f64, outputs as f64),
        };
        match distribution {
            Distribution::Normal => normal(weights, 0.0, libm::sqrt(scale / fan), rng),
            Distribution::TruncatedNormal => truncated(weights, libm::sqrt(scale / fan), rng),
            Distribution::Uniform => symmetric(weights, libm::sqrt(3.0 * scale / fan), rng),
        }
    }
}

fn uniform<T: Real>(weights: &mut [T], low: f64, high: f64, rng: &mut dyn Rng) {
    for w in weights {
        let u: f64 = StandardUniform.sample(rng);
        *w = T::of(low + (high - low) * u);
    }
}

fn symmetric<T: Real>(weights: &mut [T], limit: f64, rng: &mut dyn Rng) {
    uniform(weights, -limit, limit, rng);
}

fn normal<T: Real>(weights: &mut [T], mean: f64, std: f64, rng: &mut dyn Rng) {
    for w in weights {
        let z: f64 = StandardNormal.sample(rng);
        *w = T::of(mean + std * z);
    }
}

/// Normal numbers within two standard deviations, which are `std` after the tails are gone.
fn truncated<T: Real>(weights: &mut [T], std: f64, rng: &mut dyn Rng) {
    for w in weights {
        let z = loop {
            let z: f64 = StandardNormal.sample(rng);
            if z.abs() <= 2.0 {
                break z;
            }
        };
        *w = T::of(std / TRUNCATED_STD * z);
    }
}

fn orthogonal<T: Real>(
    weights: &mut [T],
    inputs: usize,
    outputs: usize,
    gain: f64,
    rng: &mut dyn Rng,
) {
    let q = orthonormal(inputs, outputs, rng);
    for (w, q) in weights.iter_mut().zip(q.iter()) {
        *w = T::of(gain * q);
    }
}

/// Q of the QR factorization of a normal matrix, laid as outputs × inputs. It is uniform over the
/// orthogonal matrices where the diagonal of R is not negative (Mezzadri 2007), as nalgebra's is.
fn orthonormal(inputs: usize, outputs: usize, rng: &mut dyn Rng) -> DMatrix<f64> {
    let (tall, wide) = (inputs.max(outputs), inputs.min(outputs));
    let q = DMatrix::from_fn(tall, wide, |_, _| StandardNormal.sample(rng))
        .qr()
        .q();
    if outputs >= inputs { q } else { q.transpose() }
}
