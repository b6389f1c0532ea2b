//! Weight initialisers.

use crate::activation::Activation;
use crate::error::{Error, ErrorKind, Result};
use crate::real::Real;
use alloc::format;
use nalgebra::DMatrix;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};

/// How the weights of a layer start; n is the number of inputs of a neuron, m that of the layer's outputs.
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
///
/// The normal variants are not truncated, as in the papers and PyTorch (Keras truncates at 2 std). All draws are made
/// in `f64` and rounded, so an `f32` network starts as the `f64` network of the same seed does, rounded.
///
/// ```
/// use chainrule::{Activation, Dense, Init, Sequential, rand::{SeedableRng, rngs::Xoshiro256PlusPlus}};
///
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
/// let net = Sequential::<f64>::builder(3)
///     .layer(Dense::new(2, Activation::Sigmoid).init(Init::Uniform { low: -1.0, high: 1.0 }))
///     .build(&mut rng)?;
/// assert!(net.weights(0)?.iter().all(|w| w.abs() <= 1.0));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
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
    HeNormal,
    /// Uniform on ±√(6/n).
    HeUniform,
    /// Normal with mean 0 and standard deviation √(2/(n+m)).
    GlorotNormal,
    /// Uniform on ±√(6/(n+m)).
    GlorotUniform,
    /// Normal with mean 0 and standard deviation √(1/n).
    LeCunNormal,
    /// Uniform on ±√(3/n).
    LeCunUniform,
    /// A random matrix with orthonormal rows (columns where there are more rows than columns), times `gain`.
    Orthogonal {
        /// The factor; finite.
        gain: f64,
    },
}

impl Init {
    /// The default for weights before `activation`: He for the rectifiers and their smooth kin, LeCun for SELU, Glorot
    /// for the rest (the pairs of the papers above, each in its usual form: He and LeCun normal, Glorot uniform).
    ///
    /// ```
    /// use chainrule::{Activation, Init};
    /// assert_eq!(Init::for_activation(&Activation::Relu), Init::HeNormal);
    /// assert_eq!(Init::for_activation(&Activation::Tanh), Init::GlorotUniform);
    /// ```
    pub fn for_activation(activation: &Activation) -> Self {
        use Activation::{
            Celu, Elu, Gelu, GeluTanh, HardSwish, LeakyRelu, Mish, Relu, Relu6, Selu, Silu, Softplus, Surrogate, ThresholdedRelu,
        };
        match activation {
            Relu
            | LeakyRelu { .. }
            | Relu6
            | Elu { .. }
            | Celu { .. }
            | Gelu
            | GeluTanh
            | Silu
            | Mish
            | HardSwish
            | Softplus
            | ThresholdedRelu { .. } => Self::HeNormal,
            Selu => Self::LeCunNormal,
            Surrogate { value, .. } => Self::for_activation(value),
            _ => Self::GlorotUniform,
        }
    }

    /// Checks that the parameters of the distribution are sound in `T`.
    pub(crate) fn check<T: Real>(&self) -> Result<()> {
        let finite = |value: f64| T::of(value).is_finite();
        let (ok, expected) = match *self {
            Self::Constant(c) => (finite(c), "a finite constant"),
            Self::Uniform { low, high } => {
                (finite(low) && finite(high) && finite(high - low) && low <= high, "finite bounds with low ≤ high")
            }
            Self::Normal { mean, std } => (finite(mean) && finite(std) && std >= 0.0, "a finite mean and a finite std ≥ 0"),
            Self::Orthogonal { gain } => (finite(gain), "a finite gain"),
            _ => return Ok(()),
        };
        if ok { Ok(()) } else { Err(Error::new(ErrorKind::Value, "Init", expected, format!("{self:?}"))) }
    }

    /// Fills the `outputs × inputs` weights, column after column. A layer of another crate calls it from its own
    /// [`Layer::start`](crate::Layer::start).
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a parameter of the distribution out of range or no inputs or outputs,
    /// [`ErrorKind::Shape`] when there are not inputs · outputs weights.
    ///
    /// ```
    /// use chainrule::{Init, rand::{SeedableRng, rngs::Xoshiro256PlusPlus}};
    /// let mut weights = [0.0_f64; 6];
    /// Init::HeNormal.fill(&mut weights, 3, 2, &mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// assert!(weights.iter().all(|w| *w != 0.0));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn fill<T: Real>(&self, weights: &mut [T], inputs: usize, outputs: usize, rng: &mut dyn Rng) -> Result<()> {
        self.check::<T>()?;
        if inputs == 0 || outputs == 0 {
            let given = format!("{inputs} and {outputs}");
            return Err(Error::new(ErrorKind::Value, "Init::fill", "at least 1 input and 1 output", given));
        }
        if inputs.checked_mul(outputs) != Some(weights.len()) {
            let expected = format!("{outputs} × {inputs} weights");
            return Err(Error::new(ErrorKind::Shape, "Init::fill", expected, weights.len()));
        }
        self.fill_unchecked(weights, inputs, outputs, rng);
        Ok(())
    }

    /// [`fill`](Self::fill) of what has been checked; also fills biases, by the numbers of their layer.
    pub(crate) fn fill_unchecked<T: Real>(&self, weights: &mut [T], inputs: usize, outputs: usize, rng: &mut dyn Rng) {
        let (n, m) = (inputs as f64, outputs as f64);
        match *self {
            Self::Zeros => weights.fill(T::zero()),
            Self::Constant(c) => weights.fill(T::of(c)),
            Self::Uniform { low, high } => uniform(weights, low, high, rng),
            Self::Normal { mean, std } => normal(weights, mean, std, rng),
            Self::HeNormal => normal(weights, 0.0, libm::sqrt(2.0 / n), rng),
            Self::HeUniform => symmetric(weights, libm::sqrt(6.0 / n), rng),
            Self::GlorotNormal => normal(weights, 0.0, libm::sqrt(2.0 / (n + m)), rng),
            Self::GlorotUniform => symmetric(weights, libm::sqrt(6.0 / (n + m)), rng),
            Self::LeCunNormal => normal(weights, 0.0, libm::sqrt(1.0 / n), rng),
            Self::LeCunUniform => symmetric(weights, libm::sqrt(3.0 / n), rng),
            Self::Orthogonal { gain } => {
                let q = orthonormal(inputs, outputs, rng);
                for (w, q) in weights.iter_mut().zip(q.iter()) {
                    *w = T::of(gain * q);
                }
            }
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

/// Q of the QR factorisation of a normal matrix, laid as outputs × inputs. It is uniform over the orthogonal matrices
/// where the diagonal of R is not negative (Mezzadri 2007), as nalgebra's is.
fn orthonormal(inputs: usize, outputs: usize, rng: &mut dyn Rng) -> DMatrix<f64> {
    let (tall, wide) = (inputs.max(outputs), inputs.min(outputs));
    let q = DMatrix::from_fn(tall, wide, |_, _| StandardNormal.sample(rng)).qr().q();
    if outputs >= inputs { q } else { q.transpose() }
}
