//! The same bits on every instruction set: whole trainings, and every function at the edges of its
//! domain.

use crate::Real;
use crate::nn::loss::Huber;
use crate::nn::{BatchNorm, LayerNorm};
use crate::numeric::kernel::forced::{at, levels};
use crate::prelude::*;
use crate::train::Lbfgs;
use alloc::{format, vec::Vec};
use fearless_simd::Level;

/// Whether multiply-add is one instruction: all such levels agree bit for bit.
fn is_fused(level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    return level.as_avx2().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    return !level.is_fallback();
}

fn activations() -> Vec<Activation> {
    use Activation::*;
    let hat = crate::nn::Breakpoints::new(&[(-1.0, 0.0), (0.0, 1.0), (2.0, 0.5)]);
    let more = [
        LeakyRelu { slope: 0.1 },
        Elu { alpha: 0.7 },
        Celu { alpha: 0.7 },
        Threshold {
            threshold: 0.3,
            value: 0.1,
        },
        Step.surrogate(Sigmoid),
        Sign.straight_through(),
    ];
    Activation::every()
        .filter(Activation::is_trainable)
        .chain(more)
        .chain(hat.map(Breakpoints))
        .collect()
}

/// Numbers at which formulas break, as they are in both scalars.
fn edges() -> Vec<f64> {
    let positive = [
        0.0,
        f64::from(f32::from_bits(1)),
        1e-40,
        1e-38,
        1e-30,
        1e-8,
        0.5,
        1.0,
        3.0,
        6.0,
        20.0,
        37.5,
        88.8,
        104.0,
        1e4,
        1e30,
        3e38,
    ];
    let mut edges: Vec<f64> = positive.iter().flat_map(|x| [*x, -*x]).collect();
    edges.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
    edges
}

/// A training that goes through most kernels; returns the bits of the parameters, of the
/// predictions and of the costs.
fn train<T: Real>(activation: &Activation, bits: impl Fn(T) -> u64) -> Vec<u64> {
    let rows: Vec<T> = (0..37 * 19)
        .map(|i| T::of(f64::from(i * i % 23) / 11.0 - 1.0))
        .collect();
    let labels: Vec<usize> = (0..37).map(|i| i % 5).collect();
    let targets = one_hot::<T>(&labels, 5).expect("labels below 5");
    let inputs = DMatrix::from_vec(19, 37, rows);
    let scaled = Scaler::standard(&inputs)
        .and_then(|scaler| scaler.transform(&inputs))
        .expect("finite inputs");
    let data = Dataset::new(scaled, targets).expect("as many inputs as targets");
    let mut net = Sequential::builder(19)
        .layer(Dense::new(33, activation.clone()))
        .layer(LayerNorm::new())
        .layer(Dropout::new(0.2))
        .layer(Dense::new(70, activation.clone()).without_bias())
        .layer(BatchNorm::new())
        .layer(Dense::new(5, Activation::Linear))
        .seed(7)
        .build()
        .expect("a sound network");
    let mut found = Vec::new();
    let history = Trainer::new(SoftmaxCrossEntropy::new().label_smoothing(0.1), Adam::new())
        .batch_size(8)
        .epochs(3)
        .learning_rate(1e-3)
        .fit(&mut net, &data);
    found.extend(
        history
            .expect("training succeeds")
            .costs()
            .map(f64::to_bits),
    );
    let history = Trainer::new(Huber::new(0.5), Sgd::new().momentum(0.9))
        .batch_size(37)
        .epochs(2)
        .learning_rate(1e-3)
        .fit(&mut net, &data);
    found.extend(
        history
            .expect("training succeeds")
            .costs()
            .map(f64::to_bits),
    );
    let history = Lbfgs::new(Huber::new(0.5)).epochs(3).fit(&mut net, &data);
    found.extend(
        history
            .expect("training succeeds")
            .costs()
            .map(f64::to_bits),
    );
    found.extend(net.params().iter().map(|p| bits(*p)));
    let mut y = net.predict(data.inputs()).expect("a fitting input");
    crate::nn::loss::OutputFunction::Softmax.apply(&mut y);
    found.extend(y.iter().map(|y| bits(*y)));
    found
}

/// φ and φ′ at the edges.
fn at_edges<T: Real>(activation: &Activation) -> Vec<(T, T)> {
    edges()
        .iter()
        .map(|z| {
            (
                activation.value(T::of(*z)),
                activation.derivative(T::of(*z)),
            )
        })
        .collect()
}

macro_rules! tests {
    ($name:ident, $t:ident, $tolerance:literal) => {
        mod $name {
            use super::*;

            #[test]
            fn trainings_have_the_same_bits_on_all_fused_levels_and_repeat_on_each() {
                for activation in activations() {
                    let mut fused: Option<Vec<u64>> = None;
                    for level in levels() {
                        let run = || {
                            at(level, || {
                                train::<$t>(&activation, |x| u64::from(x.to_bits()))
                            })
                        };
                        let found = run();
                        assert_eq!(found, run(), "{activation} on {level:?}");
                        if is_fused(level) {
                            assert_eq!(
                                fused.get_or_insert_with(|| found.clone()),
                                &found,
                                "{activation} on {level:?}"
                            );
                        }
                    }
                }
            }

            #[test]
            fn functions_agree_at_the_edges_on_all_levels() {
                for activation in activations() {
                    let mut first: Option<Vec<($t, $t)>> = None;
                    for level in levels() {
                        let found = at(level, || at_edges::<$t>(&activation));
                        let first = first.get_or_insert_with(|| found.clone());
                        for ((z, found), best) in edges().iter().zip(&found).zip(first) {
                            for (found, best) in [(found.0, best.0), (found.1, best.1)] {
                                let same = found.to_bits() == best.to_bits()
                                    || found.is_nan() && best.is_nan();
                                let near = !is_fused(level)
                                    && (found - best).abs()
                                        <= $tolerance * best.abs() + $t::MIN_POSITIVE;
                                assert!(
                                    same || near,
                                    "{}",
                                    format!("{activation} at {z} on {level:?}: {found} and {best}")
                                );
                                assert_eq!(
                                    found.is_nan(),
                                    best.is_nan(),
                                    "{activation} at {z} on {level:?}"
                                );
                                assert!(
                                    !z.is_nan() || found.is_nan(),
                                    "{activation} loses NaN on {level:?}"
                                );
                            }
                        }
                    }
                }
            }
        }
    };
}
tests!(single, f32, 4e-6);
tests!(double, f64, 1e-14);
