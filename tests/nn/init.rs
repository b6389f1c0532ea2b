//! How weights start: the moments, the limits and the shape of each distribution, on layers large
//! enough to see them.
//!
//! Statistical bounds are five standard deviations of what is measured: of the mean of N numbers
//! σ/√N, of their variance σ²√((κ−1)/N) with the kurtosis κ (3 of a normal, 9/5 of a uniform
//! distribution), of a frequency p √(p(1−p)/N). A right initializer misses one of them in 1.7
//! million seeds; the seeds are fixed, so a test that passed passes again.

use crate::common::rng;
use chainrule::nalgebra::DMatrix;
use chainrule::nn::{Breakpoints, Distribution, Fan};
use chainrule::prelude::*;
use chainrule::{ErrorKind, View};

/// The weights of a layer of n inputs and m outputs.
fn weights(init: Init, inputs: usize, outputs: usize, seed: u64) -> Result<DMatrix<f64>> {
    let dense = Dense::new(outputs, Activation::Tanh).init(init);
    let net = Sequential::<f64>::builder(inputs)
        .layer(dense)
        .build_with(&mut rng(seed))?;
    Ok(net.weights(0)?.clone_owned())
}

struct Moments {
    n: f64,
    mean: f64,
    variance: f64,
    kurtosis: f64,
    /// The correlation of neighbors in memory.
    neighbors: f64,
}

fn moments(w: &DMatrix<f64>) -> Moments {
    let n = w.len() as f64;
    let mean = w.mean();
    let central = |power| w.iter().map(|w| (w - mean).powi(power)).sum::<f64>() / n;
    let variance = central(2);
    let pairs = w
        .as_slice()
        .windows(2)
        .map(|p| (p[0] - mean) * (p[1] - mean))
        .sum::<f64>();
    Moments {
        n,
        mean,
        variance,
        kurtosis: central(4) / (variance * variance),
        neighbors: pairs / (n * variance),
    }
}

const N: usize = 700;
const M: usize = 300;

#[test]
fn normal_initializers() -> Result<()> {
    let (n, m) = (N as f64, M as f64);
    let cases = [
        (
            Init::Normal {
                mean: 0.0,
                std: 1.0,
            },
            0.0,
            1.0,
        ),
        (
            Init::Normal {
                mean: -3.0,
                std: 0.25,
            },
            -3.0,
            0.25,
        ),
        (Init::HeNormal, 0.0, (2.0 / n).sqrt()),
        (Init::GlorotNormal, 0.0, (2.0 / (n + m)).sqrt()),
        (Init::LeCunNormal, 0.0, (1.0 / n).sqrt()),
    ];
    for (seed, (init, mean, std)) in cases.into_iter().enumerate() {
        let w = weights(init, N, M, seed as u64)?;
        let got = moments(&w);
        assert!(
            (got.mean - mean).abs() <= 5.0 * std / got.n.sqrt(),
            "{init:?}: mean {}",
            got.mean
        );
        assert!(
            (got.variance / (std * std) - 1.0).abs() <= 5.0 * (2.0 / got.n).sqrt(),
            "{init:?}: variance {}",
            got.variance
        );
        // The sample kurtosis of normal numbers has the variance 24/N.
        assert!(
            (got.kurtosis - 3.0).abs() <= 5.0 * (24.0 / got.n).sqrt(),
            "{init:?}: kurtosis {}",
            got.kurtosis
        );
        assert!(
            got.neighbors.abs() <= 5.0 / got.n.sqrt(),
            "{init:?}: correlation {}",
            got.neighbors
        );
        // Not truncated at two standard deviations: P(|z| > 2) = 0.0455.
        let beyond = w.iter().filter(|w| (**w - mean).abs() > 2.0 * std).count() as f64 / got.n;
        assert!(
            (beyond - 0.045_500_26).abs() <= 5.0 * (0.0455 * 0.9545 / got.n).sqrt(),
            "{init:?}: {beyond} beyond 2 std"
        );
    }
    Ok(())
}

#[test]
fn uniform_initializers() -> Result<()> {
    let (n, m) = (N as f64, M as f64);
    let symmetric = |limit: f64| (-limit, limit);
    let cases = [
        (
            Init::Uniform {
                low: 0.0,
                high: 1.0,
            },
            (0.0, 1.0),
        ),
        (
            Init::Uniform {
                low: -1.0,
                high: 1.0,
            },
            (-1.0, 1.0),
        ),
        (
            Init::Uniform {
                low: 2.0,
                high: 2.5,
            },
            (2.0, 2.5),
        ),
        (Init::HeUniform, symmetric((6.0 / n).sqrt())),
        (Init::GlorotUniform, symmetric((6.0 / (n + m)).sqrt())),
        (Init::LeCunUniform, symmetric((3.0 / n).sqrt())),
    ];
    for (seed, (init, (low, high))) in cases.into_iter().enumerate() {
        let w = weights(init, N, M, 10 + seed as u64)?;
        let (got, width) = (moments(&w), high - low);
        let std = width / 12.0_f64.sqrt();
        assert!(
            (got.mean - f64::midpoint(low, high)).abs() <= 5.0 * std / got.n.sqrt(),
            "{init:?}: mean {}",
            got.mean
        );
        assert!(
            (got.variance / (std * std) - 1.0).abs() <= 5.0 * (0.8 / got.n).sqrt(),
            "{init:?}: variance {}",
            got.variance
        );
        assert!(
            (got.kurtosis - 1.8).abs() <= 5.0 * (24.0 / got.n).sqrt(),
            "{init:?}: kurtosis {}",
            got.kurtosis
        );
        assert!(
            got.neighbors.abs() <= 5.0 / got.n.sqrt(),
            "{init:?}: correlation {}",
            got.neighbors
        );
        // Within the limits, and up to them: all N stay 20/N of the width away with probability
        // e^−20.
        let (least, most) = (w.min(), w.max());
        assert!(
            low <= least && most < high,
            "{init:?}: from {least} to {most}"
        );
        assert!(
            least < low + 20.0 / got.n * width && most > high - 20.0 / got.n * width,
            "{init:?}: from {least} to {most}"
        );
    }
    Ok(())
}

/// Keras's truncated normal: the variance is that of what is left, and nothing lies beyond two
/// standard deviations of the normal distribution that was cut.
#[test]
fn truncated_initializers() -> Result<()> {
    // Of the standard normal distribution cut at ±2 (Φ(2) − Φ(−2) = 0.9545, density φ(2) =
    // 0.053991): the variance 1 − 4φ(2)/0.9545, and the fourth moment 3·variance − 16φ(2)/0.9545.
    let variance = 1.0 - 4.0 * 0.053_990_966_513_188_06 / 0.954_499_736_103_641_6;
    let kurtosis = (3.0 * variance - 16.0 * 0.053_990_966_513_188_06 / 0.954_499_736_103_641_6)
        / (variance * variance);
    let (n, m) = (N as f64, M as f64);
    for (fan, width) in [
        (Fan::In, n),
        (Fan::Out, m),
        (Fan::Average, f64::midpoint(n, m)),
    ] {
        for scale in [1.0, 2.0] {
            let init = Init::VarianceScaling {
                scale,
                fan,
                distribution: Distribution::TruncatedNormal,
            };
            let w = weights(init, N, M, 20)?;
            let (got, std) = (moments(&w), (scale / width).sqrt());
            assert!(
                got.mean.abs() <= 5.0 * std / got.n.sqrt(),
                "{init:?}: mean {}",
                got.mean
            );
            let spread = ((kurtosis - 1.0) / got.n).sqrt();
            assert!(
                (got.variance / (std * std) - 1.0).abs() <= 5.0 * spread,
                "{init:?}: variance {}",
                got.variance
            );
            assert!(
                (got.kurtosis - kurtosis).abs() <= 5.0 * (24.0 / got.n).sqrt(),
                "{init:?}: kurtosis {}",
                got.kurtosis
            );
            assert!(
                got.neighbors.abs() <= 5.0 / got.n.sqrt(),
                "{init:?}: correlation {}",
                got.neighbors
            );
            // The density at the limit is φ(2)/0.9545, so all stay 400/N away from it with
            // probability e^−20 or so.
            let limit = 2.0 * std / variance.sqrt();
            assert!(
                w.amax() <= limit * (1.0 + 1e-12),
                "{init:?}: {} of {limit}",
                w.amax()
            );
            assert!(
                w.max() > limit * (1.0 - 400.0 / got.n) && w.min() < -limit * (1.0 - 400.0 / got.n),
                "{init:?}"
            );
        }
    }
    Ok(())
}

/// He's, Glorot's and LeCun's are scaled variances, to the bit.
#[test]
fn named_initializers_are_scaled_variances() -> Result<()> {
    use Distribution::{Normal, Uniform};
    for (name, scale, fan, distribution) in [
        (Init::HeNormal, 2.0, Fan::In, Normal),
        (Init::HeUniform, 2.0, Fan::In, Uniform),
        (Init::GlorotNormal, 1.0, Fan::Average, Normal),
        (Init::GlorotUniform, 1.0, Fan::Average, Uniform),
        (Init::LeCunNormal, 1.0, Fan::In, Normal),
        (Init::LeCunUniform, 1.0, Fan::In, Uniform),
    ] {
        let scaled = Init::VarianceScaling {
            scale,
            fan,
            distribution,
        };
        assert_eq!(
            weights(name, 30, 11, 25)?,
            weights(scaled, 30, 11, 25)?,
            "{name:?}"
        );
    }
    Ok(())
}

/// Scaled variances give the bounds of other libraries: what they draw from, its limits reached and
/// kept.
#[test]
fn starts_of_other_libraries() -> Result<()> {
    let (n, m) = (N as f64, M as f64);
    let uniform = |scale, fan| Init::VarianceScaling {
        scale,
        fan,
        distribution: Distribution::Uniform,
    };
    for (init, limit) in [
        // PyTorch's nn.Linear: kaiming_uniform_(a=√5) is U(±1/√n).
        (uniform(1.0 / 3.0, Fan::In), 1.0 / n.sqrt()),
        // scikit-learn's logistic start.
        (uniform(1.0 / 3.0, Fan::Average), (2.0 / (n + m)).sqrt()),
        // kaiming_uniform_(mode="fan_out"), and xavier_uniform_(gain=5/3).
        (uniform(2.0, Fan::Out), (6.0 / m).sqrt()),
        (
            uniform(25.0 / 9.0, Fan::Average),
            5.0 / 3.0 * (6.0 / (n + m)).sqrt(),
        ),
    ] {
        let w = weights(init, N, M, 35)?;
        let margin = 1.0 - 40.0 / w.len() as f64;
        assert!(
            w.amax() <= limit * (1.0 + 1e-15),
            "{init:?}: {} of {limit}",
            w.amax()
        );
        assert!(
            w.max() > limit * margin && w.min() < -limit * margin,
            "{init:?}"
        );
    }
    Ok(())
}

/// The table of PyTorch's `calculate_gain`.
#[test]
fn gains() {
    use Activation as A;
    for (activation, gain) in [
        (A::Linear, 1.0),
        (A::Sigmoid, 1.0),
        (A::Tanh, 5.0 / 3.0),
        (A::Relu, 2.0_f64.sqrt()),
        (A::LeakyRelu { slope: 0.01 }, 1.414_142_856_997_835_4),
        (A::LeakyRelu { slope: -0.2 }, 1.386_750_490_563_073),
        (A::LeakyRelu { slope: 0.0 }, 2.0_f64.sqrt()),
        (A::LeakyRelu { slope: 1e200 }, 2.0_f64.sqrt() / 1e200),
        (A::Selu, 0.75),
        // Of a surrogate the value counts.
        (A::Relu.surrogate(A::Gelu), 2.0_f64.sqrt()),
    ] {
        let got = activation.gain().expect("in the table");
        assert!((got / gain - 1.0).abs() <= 4e-16, "{activation}: {got}");
    }
    for activation in [
        A::Gelu,
        A::Silu,
        A::Elu { alpha: 1.0 },
        A::Step,
        A::Softsign,
        A::HardTanh,
    ] {
        assert_eq!(activation.gain(), None, "{activation}");
    }
}

/// The formulas are of the layer's inputs n and outputs m, in this order.
#[test]
fn fan_in_and_fan_out() -> Result<()> {
    for (inputs, outputs) in [(1000, 100), (100, 1000), (2000, 50)] {
        let (n, m) = (inputs as f64, outputs as f64);
        let scaled = |fan, distribution| Init::VarianceScaling {
            scale: 1.5,
            fan,
            distribution,
        };
        for (init, variance) in [
            (scaled(Fan::In, Distribution::Normal), 1.5 / n),
            (scaled(Fan::Out, Distribution::Normal), 1.5 / m),
            (scaled(Fan::Average, Distribution::Normal), 3.0 / (n + m)),
            (scaled(Fan::In, Distribution::TruncatedNormal), 1.5 / n),
            (scaled(Fan::Out, Distribution::TruncatedNormal), 1.5 / m),
            (
                scaled(Fan::Average, Distribution::TruncatedNormal),
                3.0 / (n + m),
            ),
            (scaled(Fan::In, Distribution::Uniform), 1.5 / n),
            (scaled(Fan::Out, Distribution::Uniform), 1.5 / m),
            (scaled(Fan::Average, Distribution::Uniform), 3.0 / (n + m)),
            (Init::HeNormal, 2.0 / n),
            (Init::HeUniform, 2.0 / n),
            (Init::GlorotNormal, 2.0 / (n + m)),
            (Init::GlorotUniform, 2.0 / (n + m)),
            (Init::LeCunNormal, 1.0 / n),
            (Init::LeCunUniform, 1.0 / n),
        ] {
            let got = moments(&weights(init, inputs, outputs, 30)?);
            assert!(
                (got.variance / variance - 1.0).abs() <= 5.0 * (2.0 / got.n).sqrt(),
                "{init:?} of {inputs} to {outputs}"
            );
        }
    }
    Ok(())
}

#[test]
fn constants() -> Result<()> {
    assert!(weights(Init::Zeros, 3, 4, 0)?.iter().all(|w| *w == 0.0));
    assert!(
        weights(Init::Constant(-2.5), 3, 4, 0)?
            .iter()
            .all(|w| *w == -2.5)
    );
    assert!(
        weights(
            Init::Uniform {
                low: 0.5,
                high: 0.5
            },
            3,
            4,
            0
        )?
        .iter()
        .all(|w| *w == 0.5)
    );
    assert!(
        weights(
            Init::Normal {
                mean: 0.5,
                std: 0.0
            },
            3,
            4,
            0
        )?
        .iter()
        .all(|w| *w == 0.5)
    );
    Ok(())
}

/// Orthonormal rows, or columns where there are more rows than columns, times the gain.
#[test]
fn orthogonal() -> Result<()> {
    for (seed, (inputs, outputs)) in [
        (1, 1),
        (5, 5),
        (64, 64),
        (50, 20),
        (20, 50),
        (1, 7),
        (7, 1),
        (200, 120),
    ]
    .into_iter()
    .enumerate()
    {
        for gain in [1.0, 2.0_f64.sqrt(), -0.5] {
            let w = weights(Init::Orthogonal { gain }, inputs, outputs, 40 + seed as u64)?;
            let product = if outputs <= inputs {
                &w * w.transpose()
            } else {
                w.transpose() * &w
            };
            let identity = DMatrix::identity(product.nrows(), product.ncols()) * (gain * gain);
            assert!(
                (product - identity).amax() <= 1e-12,
                "{inputs} to {outputs}, gain {gain}"
            );
        }
    }
    // Uniform over all of them: both signs of 1 × 1, both determinants of 3 × 3, and E[w²] = 1/3 in
    // each place of 3 × 3.
    let count = 900.0;
    let mut positive = 0.0;
    let mut proper = 0.0;
    let mut squares = DMatrix::zeros(3, 3);
    for seed in 0..900 {
        positive += f64::from(u8::from(
            weights(Init::Orthogonal { gain: 1.0 }, 1, 1, seed)?[0] > 0.0,
        ));
        let w = weights(Init::Orthogonal { gain: 1.0 }, 3, 3, seed)?;
        proper += f64::from(u8::from(w.determinant() > 0.0));
        squares += w.map(|w| w * w);
    }
    for half in [positive, proper] {
        assert!(
            (half / count - 0.5).abs() <= 5.0 * (0.25_f64 / count).sqrt(),
            "{positive} positive, {proper} proper of {count}"
        );
    }
    // Var w² = E w⁴ − (E w²)² = 1/5 − 1/9 on the sphere.
    let bound = 5.0 * ((0.2 - 1.0 / 9.0) / count).sqrt();
    assert!(
        (squares / count)
            .iter()
            .all(|w| (w - 1.0 / 3.0).abs() <= bound)
    );
    Ok(())
}

/// The variance of the forward signal stays through ten wide layers, which is what each is made
/// for: He through rectifiers, LeCun through SELU. (Of a thousand sums each; a wrong factor of 2
/// would be 2¹⁰ by then.)
#[test]
fn variance_survives_depth() -> Result<()> {
    for (activation, init) in [
        (Activation::Relu, Init::HeNormal),
        (Activation::Relu, Init::HeUniform),
        (Activation::Selu, Init::LeCunNormal),
    ] {
        let mut net = Sequential::<f64>::builder(400);
        for _ in 0..10 {
            net = net.layer(Dense::new(400, activation.clone()).init(init));
        }
        let net = net.build_with(&mut rng(50))?;
        let mut x = vec![0.0_f64; 400 * 5];
        Init::Normal {
            mean: 0.0,
            std: 1.0,
        }
        .fill(&mut x, 400, 5, &mut rng(51))?;
        let y = net.predict(View::new(&x, 400)?)?;
        let power = y.norm_squared() / y.len() as f64;
        assert!(
            (0.3..3.0).contains(&power),
            "{activation}, {init:?}: mean square {power} after ten layers"
        );
    }
    Ok(())
}

/// The defaults of `Dense` by its activation.
#[test]
fn defaults() -> Result<()> {
    use Activation as A;
    let ramp = Breakpoints::new(&[(0.0, 0.0), (1.0, 1.0)])?;
    let lecun = [
        A::Linear,
        A::Step,
        A::Sign,
        A::PiecewiseLinear,
        A::Tanh,
        A::Relu,
        A::LeakyRelu { slope: 0.2 },
        A::Relu6,
        A::Elu { alpha: 1.0 },
        A::Selu,
        A::Gelu,
        A::GeluTanh,
        A::Silu,
        A::Mish,
        A::Softplus,
        A::Softsign,
        A::HardTanh,
        A::HardSwish,
        A::Breakpoints(ramp),
        // Of a surrogate the value counts: it makes the signal.
        A::Step.surrogate(A::Sigmoid),
    ];
    let he = [A::Sigmoid, A::HardSigmoid, A::Sigmoid.surrogate(A::Relu)];
    let lecun = lecun
        .into_iter()
        .map(|activation| (activation, Init::LeCunUniform));
    for (activation, init) in lecun.chain(
        he.into_iter()
            .map(|activation| (activation, Init::HeUniform)),
    ) {
        assert_eq!(Init::for_activation(&activation), init, "{activation}");
        let build = |dense: Dense| {
            Sequential::<f64>::builder(6)
                .layer(dense)
                .build_with(&mut rng(60))
        };
        let default = build(Dense::new(5, activation.clone()))?;
        let explicit = build(
            Dense::new(5, activation.clone())
                .init(init)
                .bias_init(Init::LeCunUniform),
        )?;
        assert_eq!(default, explicit, "{activation}");
    }
    Ok(())
}

/// Biases start uniform on ±√(3/n), n being the inputs of their layer.
#[test]
fn default_biases() -> Result<()> {
    for inputs in [2, 50] {
        let net = Sequential::<f64>::builder(inputs)
            .layer(Dense::new(4000, Activation::Relu))
            .build_with(&mut rng(65))?;
        let (bias, limit) = (net.bias(0)?, (3.0 / inputs as f64).sqrt());
        assert!(
            bias.amax() <= limit && bias.amax() > limit * (1.0 - 20.0 / 4000.0),
            "{}",
            bias.amax()
        );
        assert!(
            bias.mean().abs() <= 5.0 * limit / (3.0_f64 * 4000.0).sqrt(),
            "{}",
            bias.mean()
        );
    }
    Ok(())
}

/// Biases start by their own initializer, with the layer's inputs as n.
#[test]
fn biases() -> Result<()> {
    let build = |dense: Dense| {
        Sequential::<f64>::builder(50)
            .layer(dense)
            .build_with(&mut rng(70))
    };
    let net = build(Dense::new(4000, Activation::Relu).bias_init(Init::Constant(0.1)))?;
    assert!(net.bias(0)?.iter().all(|b| *b == 0.1));
    let net = build(Dense::new(4000, Activation::Relu).bias_init(Init::LeCunUniform))?;
    let (bias, limit) = (net.bias(0)?, (3.0_f64 / 50.0).sqrt());
    assert!(
        bias.amax() < limit && bias.amax() > limit * (1.0 - 20.0 / 4000.0),
        "{}",
        bias.amax()
    );
    Ok(())
}

/// No draw is infinite: what could be in the scalar is refused, though it could not in `f64`.
#[test]
fn draws_are_finite_in_the_scalar() {
    let narrow = |init| {
        Sequential::<f32>::builder(3)
            .layer(Dense::new(2, Activation::Tanh).init(init))
            .build_with(&mut rng(95))
    };
    let scaled = |scale| Init::VarianceScaling {
        scale,
        fan: Fan::Out,
        distribution: Distribution::Normal,
    };
    for init in [
        Init::Normal {
            mean: 0.0,
            std: 1e38,
        },
        Init::Normal {
            mean: 3e38,
            std: 1e37,
        },
        scaled(1e39),
    ] {
        let error = narrow(init).expect_err(&format!("{init:?}"));
        assert_eq!(error.kind(), ErrorKind::Value, "{error}");
    }
    for init in [
        Init::Normal {
            mean: 0.0,
            std: 1e37,
        },
        Init::Normal {
            mean: 3e38,
            std: 1e36,
        },
        scaled(1e38),
    ] {
        let net = narrow(init).expect("finite draws");
        assert!(net.params().iter().all(|w| w.is_finite()), "{init:?}");
    }
}

/// An f32 network starts as the f64 network of the same seed does, rounded; `reset` draws what
/// `build` drew.
#[test]
fn reproducible() -> Result<()> {
    for init in [
        Init::Uniform {
            low: -1.0,
            high: 1.0,
        },
        Init::Normal {
            mean: 0.5,
            std: 2.0,
        },
        Init::HeNormal,
        Init::HeUniform,
        Init::GlorotNormal,
        Init::GlorotUniform,
        Init::LeCunNormal,
        Init::LeCunUniform,
        Init::Orthogonal { gain: 1.5 },
        Init::VarianceScaling {
            scale: 0.7,
            fan: Fan::Out,
            distribution: Distribution::Normal,
        },
        Init::VarianceScaling {
            scale: 2.0,
            fan: Fan::In,
            distribution: Distribution::TruncatedNormal,
        },
        Init::VarianceScaling {
            scale: 1.0 / 3.0,
            fan: Fan::Average,
            distribution: Distribution::Uniform,
        },
    ] {
        let dense = |n| {
            Dense::new(n, Activation::Tanh)
                .init(init)
                .bias_init(Init::Normal {
                    mean: 0.0,
                    std: 1.0,
                })
        };
        let mut wide = Sequential::<f64>::builder(7)
            .layer(dense(9))
            .layer(dense(4))
            .build_with(&mut rng(80))?;
        let narrow = Sequential::<f32>::builder(7)
            .layer(dense(9))
            .layer(dense(4))
            .build_with(&mut rng(80))?;
        let rounded: Vec<f32> = wide.params().iter().map(|p| *p as f32).collect();
        assert_eq!(narrow.params(), rounded, "{init:?}");

        let start = wide.clone();
        let mut other = rng(81);
        wide.reset_with(&mut other);
        assert!(
            wide.params()
                .iter()
                .zip(start.params())
                .all(|(a, b)| a != b),
            "{init:?}: another seed, other numbers"
        );
        wide.reset_with(&mut other);
        let second = wide.clone();
        wide.reset_with(&mut rng(80));
        assert_eq!(wide, start, "{init:?}");
        assert_ne!(wide, second, "{init:?}");
    }
    Ok(())
}

/// Parameters that make no distribution are refused where the network is built, by layer.
#[test]
fn refused() {
    let scaled = |scale| Init::VarianceScaling {
        scale,
        fan: Fan::In,
        distribution: Distribution::Normal,
    };
    for init in [
        Init::Constant(f64::NAN),
        Init::Uniform {
            low: 1.0,
            high: 0.0,
        },
        Init::Uniform {
            low: 0.0,
            high: f64::INFINITY,
        },
        Init::Uniform {
            low: -1.7e308,
            high: 1.7e308,
        },
        Init::Uniform {
            low: f64::NAN,
            high: 0.0,
        },
        Init::Normal {
            mean: f64::INFINITY,
            std: 1.0,
        },
        Init::Normal {
            mean: 0.0,
            std: -1.0,
        },
        Init::Normal {
            mean: 0.0,
            std: f64::NAN,
        },
        Init::Normal {
            mean: 0.0,
            std: 1.7e308,
        },
        Init::Orthogonal {
            gain: f64::INFINITY,
        },
        scaled(0.0),
        scaled(-1.0),
        scaled(f64::NAN),
        scaled(f64::INFINITY),
        scaled(1e308),
    ] {
        for dense in [
            Dense::new(2, Activation::Tanh).init(init),
            Dense::new(2, Activation::Tanh).bias_init(init),
        ] {
            let net = Sequential::<f64>::builder(3)
                .layer(Activation::Tanh)
                .layer(dense)
                .build_with(&mut rng(90));
            let error = net.expect_err(&format!("{init:?}"));
            assert!(
                matches!(error.kind(), ErrorKind::Value | ErrorKind::NotFinite),
                "{init:?}: {error}"
            );
            assert!(error.place().starts_with("layer 1 (Dense tanh)"), "{error}");
        }
    }
}
