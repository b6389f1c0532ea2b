//! Every activation against 60-digit references, at its kinks and ends, on vectors and by name.

use chainrule::nalgebra::DMatrix;
use chainrule::nn::Breakpoints;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, View};

/// Written by `reference/activations.py`: activation, type, z, value, derivative.
const TABLE: &str = include_str!("../reference/activations.tsv");

/// Every activation of the table once.
fn all() -> Vec<Activation> {
    let mut all: Vec<Activation> = Vec::new();
    for line in TABLE.lines().skip(1) {
        let activation: Activation = line.split('\t').next().unwrap().parse().unwrap();
        if all.last() != Some(&activation) && !all.contains(&activation) {
            all.push(activation);
        }
    }
    for activation in Activation::every() {
        let kind = std::mem::discriminant(&activation);
        let here = all.iter().any(|one| std::mem::discriminant(one) == kind);
        assert!(here, "{activation} is not in the table");
    }
    all
}

/// How far computed numbers may be from the correctly rounded truth: four units in the last place
/// everywhere (gradually into the subnormal numbers), and in addition, where the formula itself is
/// worse conditioned:
///
/// - `gelu_tanh`: the tail below 0 is e^−2u, where each rounding of the argument costs |argument|
///   roundings of the result: seven of 2u.
/// - the derivative of `celu` is e^(z/α) with a rounded z/α.
/// - `gelu`, `gelu_tanh`, `silu`, `mish`: z·Φ(z) where Φ is subnormal keeps Φ's error of half a
///   subnormal spacing, times |z|; and the derivative of `gelu_tanh`, times |z·2u′|.
/// - the derivatives of these four are sums of two terms: eight units, and half an epsilon between
///   −3 and 0, where the two cancel.
/// - `breakpoints`: y + slope·(z − x) with |y| ≤ 4.
macro_rules! allowed {
    ($name:ident, $t:ident) => {
        fn $name(activation: &Activation, derivative: bool, z: $t, want: $t) -> $t {
            const EPS: $t = $t::EPSILON;
            const TINY: $t = $t::from_bits(1);
            let a = z.abs();
            let spacing = if want == 0.0 || want.is_infinite() {
                TINY
            } else {
                want.abs() - want.abs().next_down()
            };
            let tail = match activation {
                Activation::GeluTanh if z < 0.0 => {
                    2.0 * 1.6 * (a + 0.044715 * a * a * a) * EPS * want.abs()
                }
                Activation::Celu { alpha } if derivative && z < 0.0 => {
                    a / *alpha as $t * EPS * want.abs()
                }
                Activation::Breakpoints(_) => 4.0 * EPS,
                _ => 0.0,
            };
            let product = matches!(
                activation,
                Activation::Gelu | Activation::GeluTanh | Activation::Silu | Activation::Mish
            );
            let factor = if matches!(activation, Activation::GeluTanh) {
                a * 1.6 * (1.0 + 0.134145 * a * a)
            } else {
                a
            };
            let underflow = if product && a < 1e3 {
                factor * TINY
            } else {
                0.0
            };
            let canceled = if product && derivative && -3.0 < z && z < 0.0 {
                EPS / 2.0
            } else {
                0.0
            };
            // Where |z| is huge the truth is 0, z or ±∞, and `tail` may be no number.
            let units = if product && derivative { 8.0 } else { 4.0 };
            units * spacing
                + if tail.is_finite() && a < 1e3 {
                    tail
                } else {
                    0.0
                }
                + underflow
                + canceled
        }
    };
}
allowed!(allowed_f64, f64);
allowed!(allowed_f32, f32);

macro_rules! accuracy {
    ($test:ident, $t:ident, $allowed:ident, points: $points:literal) => {
        #[test]
        fn $test() {
            let mut rows = 0;
            for line in TABLE.lines().skip(1) {
                let [name, kind, z, value, derivative] = *line.split('\t').collect::<Vec<_>>()
                else {
                    panic!("{line}")
                };
                if kind != stringify!($t) {
                    continue;
                }
                rows += 1;
                let activation: Activation = name.parse().unwrap();
                let number = |text: &str| text.parse::<$t>().unwrap();
                let z = number(z);
                let pairs = [
                    (false, activation.value(z), number(value)),
                    (true, activation.derivative(z), number(derivative)),
                ];
                for (derivative, got, want) in pairs {
                    let (off, allowed) = (
                        (got - want).abs(),
                        $allowed(&activation, derivative, z, want),
                    );
                    // ±∞ are met exactly.
                    let what = if derivative { "derivative" } else { "value" };
                    assert!(
                        got == want || off <= allowed,
                        "{what} of {name} at {z:e}: {got:e}, not {want:e}: {off:e} > {allowed:e}"
                    );
                }
            }
            assert_eq!(rows, all().len() * $points);
        }
    };
}

accuracy!(accurate_in_f64, f64, allowed_f64, points: 160);
accuracy!(accurate_in_f32, f32, allowed_f32, points: 136);

/// With f64 right, f32 can be compared with it anywhere: at numbers of every exponent, and densely
/// where things happen.
#[test]
fn f32_is_f64_rounded() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    let mut zs: Vec<f32> = (0..2_000)
        .map(|_| f32::from_bits(rng.random()))
        .filter(|z| !z.is_nan())
        .collect();
    zs.extend((0..2_000).map(|_| (rng.random::<f32>() - 0.5) * 220.0));
    zs.extend((0..4_000).map(|_| (rng.random::<f32>() - 0.5) * 20.0));
    for activation in all() {
        for &z in &zs {
            let exact = f64::from(z);
            let pairs = [
                (false, activation.value(z), activation.value(exact) as f32),
                (
                    true,
                    activation.derivative(z),
                    activation.derivative(exact) as f32,
                ),
            ];
            for (derivative, got, want) in pairs {
                let (off, allowed) = (
                    (got - want).abs(),
                    allowed_f32(&activation, derivative, z, want),
                );
                let what = if derivative { "derivative" } else { "value" };
                assert!(
                    got == want || off <= allowed,
                    "{what} of {activation} at {z:e}: {got:e}, not {want:e}: {off:e} > {allowed:e}"
                );
            }
        }
    }
}

/// The values of the definitions at their kinks, exactly; (activation, z, φ(z), φ′(z)).
#[test]
fn kinks() -> Result<()> {
    let threshold = |threshold, value| Activation::Threshold { threshold, value };
    let hat = Activation::from(
        Breakpoints::new(&[(-1.0, 0.0), (0.0, 2.0), (2.0, 1.0)])?.slopes(0.25, -1.0)?,
    );
    let cases = [
        (Activation::Step, 0.0, 0.5, 0.0),
        (Activation::Step, -0.0, 0.5, 0.0),
        (Activation::Step, -5e-324, 0.0, 0.0),
        (Activation::Step, 5e-324, 1.0, 0.0),
        (Activation::Sign, 0.0, 0.0, 0.0),
        (Activation::Sign, -0.0, 0.0, 0.0),
        (Activation::Sign, -5e-324, -1.0, 0.0),
        (Activation::Sign, 5e-324, 1.0, 0.0),
        (Activation::PiecewiseLinear, -0.5, 0.0, 0.0),
        (Activation::PiecewiseLinear, -0.25, 0.25, 1.0),
        (Activation::PiecewiseLinear, 0.5, 1.0, 0.0),
        (Activation::Relu, 0.0, 0.0, 0.0),
        (Activation::Relu, -0.0, 0.0, 0.0),
        (Activation::Relu, 5e-324, 5e-324, 1.0),
        (Activation::LeakyRelu { slope: 0.125 }, 0.0, 0.0, 0.125),
        (Activation::LeakyRelu { slope: 0.125 }, -0.0, 0.0, 0.125),
        (Activation::Relu6, 0.0, 0.0, 0.0),
        (Activation::Relu6, 6.0, 6.0, 0.0),
        (Activation::Relu6, 5.0, 5.0, 1.0),
        (Activation::Elu { alpha: 0.75 }, 0.0, 0.0, 0.75),
        (Activation::Elu { alpha: 0.75 }, -0.0, 0.0, 0.75),
        (Activation::Celu { alpha: 0.75 }, 0.0, 0.0, 1.0),
        (Activation::Celu { alpha: 0.75 }, -0.0, 0.0, 1.0),
        (threshold(1.0, 0.0), 1.0, 0.0, 0.0),
        (threshold(1.0, 0.0), 1.5, 1.5, 1.0),
        (threshold(-1.0, 0.25), -1.0, 0.25, 0.0),
        (threshold(-1.0, 0.25), -0.5, -0.5, 1.0),
        (Activation::HardShrink { lambda: 0.5 }, 0.5, 0.0, 0.0),
        (Activation::HardShrink { lambda: 0.5 }, -0.5, 0.0, 0.0),
        (Activation::HardShrink { lambda: 0.5 }, -0.75, -0.75, 1.0),
        (Activation::HardShrink { lambda: 0.0 }, 0.0, 0.0, 0.0),
        (Activation::SoftShrink { lambda: 0.5 }, 0.5, 0.0, 0.0),
        (Activation::SoftShrink { lambda: 0.5 }, -0.5, 0.0, 0.0),
        (Activation::SoftShrink { lambda: 0.5 }, -0.75, -0.25, 1.0),
        (Activation::SquaredRelu, 0.0, 0.0, 0.0),
        (Activation::SquaredRelu, 0.5, 0.25, 1.0),
        (Activation::Exp, 0.0, 1.0, 1.0),
        (Activation::HardSigmoid, -3.0, 0.0, 0.0),
        (Activation::HardSigmoid, 0.0, 0.5, 1.0 / 6.0),
        (Activation::HardSigmoid, 3.0, 1.0, 0.0),
        (Activation::HardTanh, -1.0, -1.0, 0.0),
        (Activation::HardTanh, 0.5, 0.5, 1.0),
        (Activation::HardTanh, 1.0, 1.0, 0.0),
        (Activation::HardSwish, -3.0, 0.0, 0.0),
        (Activation::HardSwish, 3.0, 3.0, 1.0),
        (Activation::Softsign, 0.0, 0.0, 1.0),
        (Activation::Sigmoid, 0.0, 0.5, 0.25),
        (Activation::Tanh, 0.0, 0.0, 1.0),
        // Of breakpoints the slope to the right, and beyond the ends the given ones.
        (hat.clone(), -1.0, 0.0, 2.0),
        (hat.clone(), 0.0, 2.0, -0.5),
        (hat.clone(), 2.0, 1.0, -1.0),
        (hat.clone(), -3.0, -0.5, 0.25),
        (hat.clone(), 4.0, -1.0, -1.0),
        (Activation::Step.straight_through(), 0.0, 0.5, 1.0),
        (
            Activation::Sign.surrogate(Activation::HardTanh),
            -0.5,
            -1.0,
            1.0,
        ),
        (
            Activation::Step.surrogate(Activation::Sigmoid),
            0.0,
            0.5,
            0.25,
        ),
    ];
    for (activation, z, value, derivative) in &cases {
        assert_eq!(
            (activation.value(*z), activation.derivative(*z)),
            (*value, *derivative),
            "{activation} at {z:e}"
        );
    }
    // The product λα that the definition of SELU has below 0, to the last place.
    let slope: f64 = Activation::Selu.derivative(0.0);
    assert!(
        (slope - 1.758_099_340_847_376_6).abs() <= 2.0 * f64::EPSILON,
        "{slope}"
    );
    // In f32 the same, where z is one: all numbers of the table are f32 except 1/6 and 5e−324.
    for (activation, z, value, derivative) in
        cases.iter().filter(|(_, z, ..)| f64::from(*z as f32) == *z)
    {
        let got = (
            activation.value(*z as f32),
            activation.derivative(*z as f32),
        );
        assert_eq!(
            got,
            (*value as f32, *derivative as f32),
            "{activation} at {z:e} in f32"
        );
    }
    Ok(())
}

/// −0 stays −0 where φ is odd or the identity near 0: 1/φ(−0) is −∞ and not ∞.
#[test]
fn negative_zero() {
    for activation in [
        Activation::Linear,
        Activation::Tanh,
        Activation::HardTanh,
        Activation::Softsign,
        Activation::Elu { alpha: 1.0 },
        Activation::TanhShrink,
    ] {
        assert!(
            activation.value(-0.0_f64).is_sign_negative(),
            "{activation}"
        );
        assert!(
            activation.value(-0.0_f32).is_sign_negative(),
            "{activation} in f32"
        );
        assert!(activation.value(0.0_f64).is_sign_positive(), "{activation}");
    }
}

#[test]
fn nan_gives_nan() {
    let mut all = all();
    all.push(Activation::Step.straight_through());
    all.push(Activation::Relu.surrogate(Activation::Gelu));
    for activation in all {
        for nan in [f64::NAN, -f64::NAN] {
            assert!(
                activation.value(nan).is_nan() && activation.derivative(nan).is_nan(),
                "{activation}"
            );
            let nan = nan as f32;
            assert!(
                activation.value(nan).is_nan() && activation.derivative(nan).is_nan(),
                "{activation} in f32"
            );
        }
    }
}

macro_rules! vectorized {
    ($test:ident, $t:ident) => {
        /// A slice gives the bits that its numbers give one by one, whatever its length and where
        /// it is cut: in inference, in the forward pass of training, and for φ′ in the backward
        /// pass.
        #[test]
        fn $test() -> Result<()> {
            let mut zs: Vec<$t> = TABLE
                .lines()
                .filter_map(|line| line.strip_prefix(concat!("gelu\t", stringify!($t), "\t")))
                .map(|rest| rest.split('\t').next().unwrap().parse().unwrap())
                .collect();
            assert!(zs.len() > 100);
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
            zs.extend((0..200).map(|_| (rng.random::<$t>() - 0.5) * 20.0));
            zs[17] = $t::NAN;
            let bits = |x: $t| {
                if x.is_nan() {
                    $t::NAN.to_bits()
                } else {
                    x.to_bits()
                }
            };
            let mut activations = all();
            activations.push(Activation::Step.surrogate(Activation::Silu));
            for activation in activations {
                let mut start = 0;
                for length in 1..=40 {
                    let x: Vec<$t> = (0..length).map(|i| zs[(start + i) % zs.len()]).collect();
                    start += 7;
                    let net = Sequential::<$t>::builder(length)
                        .layer(activation.clone())
                        .build_with(&mut rng)?;
                    let y = net.predict(View::new(&x, length)?)?;
                    for (x, y) in x.iter().zip(&y) {
                        assert_eq!(
                            bits(*y),
                            bits(activation.value(*x)),
                            "{activation} of {x:e} among {length}: {y:e}"
                        );
                    }
                    if !activation.is_trainable() {
                        continue;
                    }
                    let mut tape = Tape::new();
                    net.gradient_with(View::new(&x, length)?, &mut tape, |_, mut dy| {
                        dy.as_mut_slice().fill(1.0);
                        Ok(())
                    })?;
                    for ((x, a), delta) in
                        x.iter().zip(tape.a(0)?.iter()).zip(tape.delta(0)?.iter())
                    {
                        assert_eq!(
                            bits(*a),
                            bits(activation.value(*x)),
                            "{activation} of {x:e} among {length} in training: {a:e}"
                        );
                        // Of NaN only φ is kept by all: `relu` and `linear` have no cache to
                        // remember it in.
                        if !x.is_nan() {
                            assert_eq!(
                                bits(*delta),
                                bits(activation.derivative(*x)),
                                "{activation}′ at {x:e} among {length}: {delta:e}"
                            );
                        }
                    }
                }
            }
            Ok(())
        }
    };
}

vectorized!(slices_as_scalars_in_f64, f64);
vectorized!(slices_as_scalars_in_f32, f32);

/// Samples side by side do not mix: a batch is its samples.
#[test]
fn batches_as_samples() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    let x = DMatrix::from_fn(5, 13, |_, _| (rng.random::<f64>() - 0.5) * 12.0);
    for activation in all() {
        let net = Sequential::<f64>::builder(5)
            .layer(activation.clone())
            .build_with(&mut rng)?;
        let together = net.predict(&x)?;
        assert_eq!(together, x.map(|z| activation.value(z)), "{activation}");
    }
    Ok(())
}

/// What is written is read back, with parameters of any size to the last bit.
#[test]
fn names_round_trip() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    // Any finite number: random bits, so of every exponent; and the usual ones.
    let mut number = |usual: bool| loop {
        let x = if usual {
            (rng.random::<f64>() - 0.5) * 4.0
        } else {
            f64::from_bits(rng.random())
        };
        if x.is_finite() {
            return x;
        }
    };
    let mut activations = all();
    for i in 0..200 {
        let usual = i % 2 == 0;
        activations.push(Activation::LeakyRelu {
            slope: number(usual),
        });
        activations.push(Activation::Elu {
            alpha: number(usual),
        });
        activations.push(Activation::Celu {
            alpha: number(usual).abs(),
        });
        activations.push(Activation::Threshold {
            threshold: number(usual),
            value: number(usual),
        });
        let lambda = number(usual).abs();
        activations.push(Activation::HardShrink { lambda });
        activations.push(Activation::SoftShrink { lambda });
        let mut xs: Vec<f64> = (0..1 + i % 5).map(|_| number(true)).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let points: Vec<_> = xs.iter().map(|x| (*x, number(true))).collect();
        let points = Breakpoints::new(&points)?;
        activations.push(points.clone().into());
        activations.push(points.slopes(number(usual), number(usual))?.into());
    }
    let plain = activations.clone();
    for (i, value) in plain.iter().enumerate() {
        activations.push(
            value
                .clone()
                .surrogate(plain[(i * 31 + 7) % plain.len()].clone()),
        );
    }
    for activation in &activations {
        let text = activation.to_string();
        assert_eq!(
            text.parse::<Activation>().as_ref(),
            Ok(activation),
            "{text}"
        );
    }
    // Distinct functions have distinct names.
    let mut names: Vec<_> = all().iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all().len());
    Ok(())
}

#[test]
fn names_are_forgiving_in_spaces_and_nothing_else() {
    let same = [
        (" relu ", Activation::Relu),
        ("leaky_relu", Activation::LeakyRelu { slope: 0.01 }),
        ("leaky_relu(0.5)", Activation::LeakyRelu { slope: 0.5 }),
        (
            "leaky_relu( slope = 0.5 )",
            Activation::LeakyRelu { slope: 0.5 },
        ),
        ("soft_shrink", Activation::SoftShrink { lambda: 0.5 }),
        (
            "threshold( 1,value = 2 )",
            Activation::Threshold {
                threshold: 1.0,
                value: 2.0,
            },
        ),
        ("elu", Activation::Elu { alpha: 1.0 }),
        ("elu(alpha=1e-3)", Activation::Elu { alpha: 1e-3 }),
        (
            "sign surrogate tanh",
            Activation::Sign.surrogate(Activation::Tanh),
        ),
    ];
    for (text, activation) in same {
        assert_eq!(text.parse(), Ok(activation), "{text}");
    }
    let wrong = [
        "",
        "Relu",
        "re lu",
        "relu()",
        "relu(1)",
        "gelu(tanh)",
        "leaky_relu(",
        "leaky_relu(slope=0.5",
        "leaky_relu(alpha=0.5)",
        "elu(slope=1)",
        "elu()",
        "breakpoints",
        "breakpoints()",
        "breakpoints(1)",
        "breakpoints(1:2, 1:3)",
        "breakpoints(1:2; 3)",
        "step surrogate",
        "step surrogate ",
        "step surrogate warp",
    ];
    for text in wrong {
        let error = text.parse::<Activation>().expect_err(text);
        assert!(
            matches!(error.kind(), ErrorKind::Parse | ErrorKind::Value),
            "{text}: {error}"
        );
    }
    for text in [
        "elu(alpha=inf)",
        "leaky_relu(slope=NaN)",
        "breakpoints(0:inf)",
        "breakpoints(0:1; NaN, 0)",
    ] {
        assert!(text.parse::<Activation>().is_err(), "{text}");
    }
}

/// A piecewise-linear function against the textbook's interpolation, between its points and beyond.
#[test]
fn breakpoints_interpolate() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
    let mut compared = 0;
    for count in 1..8 {
        for _ in 0..50 {
            let mut xs: Vec<f64> = (0..count)
                .map(|_| rng.random::<f64>() * 10.0 - 5.0)
                .collect();
            xs.sort_by(f64::total_cmp);
            let points: Vec<(f64, f64)> = xs
                .iter()
                .map(|x| (*x, rng.random::<f64>() * 4.0 - 2.0))
                .collect();
            let (left, right) = (rng.random::<f64>() - 0.5, rng.random::<f64>() - 0.5);
            let breakpoints = Breakpoints::new(&points)?.slopes(left, right)?;
            assert_eq!(breakpoints.points(), points);
            let f = Activation::from(breakpoints);
            for (i, (x, y)) in points.iter().enumerate() {
                assert_eq!(f.value(*x), *y, "on a point the value is the point's");
                let next = points
                    .get(i + 1)
                    .map_or(right, |(x2, y2)| (y2 - y) / (x2 - x));
                assert_eq!(
                    f.derivative(*x),
                    next,
                    "on a point the slope is that to the right"
                );
            }
            for pair in points.windows(2) {
                let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                let w: f64 = rng.random();
                let z = x1 + w * (x2 - x1);
                // By weights of both ends, unlike the implementation, which goes from one of them.
                let want = (y1 * (x2 - z) + y2 * (z - x1)) / (x2 - x1);
                // The rounding of z − x counts by the slope.
                let slope = ((y2 - y1) / (x2 - x1)).abs();
                assert!(
                    (f.value(z) - want).abs() <= 1e-14 * (1.0 + slope),
                    "{f} at {z}"
                );
                compared += 1;
            }
            let (first, last) = (points[0], points[count - 1]);
            assert!((f.value(first.0 - 2.0) - (first.1 - 2.0 * left)).abs() < 1e-14);
            assert!((f.value(last.0 + 3.0) - (last.1 + 3.0 * right)).abs() < 1e-14);
            assert_eq!(
                (f.derivative(first.0 - 2.0), f.derivative(last.0 + 3.0)),
                (left, right)
            );
        }
    }
    assert_eq!(compared, 50 * (1 + 2 + 3 + 4 + 5 + 6));

    // The notes' function as breakpoints is the built-in one but at ±½, where the built-in has no
    // slope on either side.
    let own = Activation::from(Breakpoints::new(&[(-0.5, 0.0), (0.5, 1.0)])?);
    for i in -40..=40 {
        let z = f64::from(i) / 32.0;
        assert_eq!(own.value(z), Activation::PiecewiseLinear.value(z), "{z}");
        let slope = if z == -0.5 {
            1.0
        } else {
            Activation::PiecewiseLinear.derivative(z)
        };
        assert_eq!(own.derivative(z), slope, "{z}");
    }
    // Without slopes the ends are constant up to ±∞.
    assert_eq!(
        (own.value(f64::NEG_INFINITY), own.value(f64::INFINITY)),
        (0.0, 1.0)
    );
    Ok(())
}

#[test]
fn breakpoints_refuse() -> Result<()> {
    let kind = |points: &[(f64, f64)]| Breakpoints::new(points).unwrap_err().kind();
    assert_eq!(kind(&[]), ErrorKind::Empty);
    assert_eq!(kind(&[(0.0, f64::NAN)]), ErrorKind::NotFinite);
    assert_eq!(
        kind(&[(f64::NEG_INFINITY, 0.0), (0.0, 1.0)]),
        ErrorKind::NotFinite
    );
    assert_eq!(kind(&[(0.0, 0.0), (0.0, 1.0)]), ErrorKind::Value);
    assert_eq!(
        kind(&[(0.0, 0.0), (2.0, 1.0), (1.0, 1.0)]),
        ErrorKind::Value
    );
    assert_eq!(
        kind(&[(0.0, 0.0), (5e-324, 1.0)]),
        ErrorKind::Value,
        "the slope overflows"
    );
    let one = Breakpoints::new(&[(1.0, 2.0)])?;
    assert_eq!(
        one.clone().slopes(f64::NAN, 0.0).unwrap_err().kind(),
        ErrorKind::NotFinite
    );
    assert_eq!(
        one.slopes(0.0, f64::INFINITY).unwrap_err().kind(),
        ErrorKind::NotFinite
    );
    Ok(())
}

/// Written by `reference/activations.py`: activation, type, z, φ″(z).
const SECOND: &str = include_str!("../reference/second.tsv");

/// φ″ is as right as φ′ is: sixteen units in the last place, for it is a product of more factors;
/// the tail of `gelu_tanh` as that of φ′; half an epsilon per unit of |z| where it changes sign;
/// subnormal factors times |z|, of `gelu` and `gelu_tanh` times its powers.
macro_rules! second {
    ($test:ident, $t:ident, points: $points:literal) => {
        #[test]
        fn $test() {
            let mut rows = 0;
            let mut bent = std::collections::BTreeSet::new();
            for line in SECOND.lines().skip(1) {
                let [name, kind, z, want] = *line.split('\t').collect::<Vec<_>>() else {
                    panic!("{line}")
                };
                if kind != stringify!($t) {
                    continue;
                }
                rows += 1;
                bent.insert(name);
                let activation: Activation = name.parse().unwrap();
                let (z, want): ($t, $t) = (z.parse().unwrap(), want.parse().unwrap());
                let got: $t = activation.second_derivative(z);
                let a = z.abs();
                let spacing = if want == 0.0 {
                    $t::from_bits(1)
                } else {
                    want.abs() - want.abs().next_down()
                };
                let product = matches!(
                    activation,
                    Activation::Gelu | Activation::GeluTanh | Activation::Silu | Activation::Mish
                );
                let tail = match activation {
                    Activation::GeluTanh => {
                        4.0 * 1.6 * (a + 0.044715 * a * a * a) * $t::EPSILON * want.abs()
                    }
                    Activation::Celu { alpha } => a / alpha as $t * $t::EPSILON * want.abs(),
                    _ => 0.0,
                };
                let factor = match activation {
                    Activation::Gelu => a * a,
                    Activation::GeluTanh => a * (1.6 * (1.0 + 0.134145 * a * a)).powi(2),
                    _ => a,
                };
                let underflow = if product && a < 1e3 {
                    (1.0 + factor) * $t::from_bits(1)
                } else {
                    0.0
                };
                let canceled = if product && (0.5..4.0).contains(&a) {
                    a * $t::EPSILON
                } else {
                    0.0
                };
                let allowed =
                    16.0 * spacing + if a < 1e3 { tail } else { 0.0 } + underflow + canceled;
                assert!(
                    got == want || (got - want).abs() <= allowed,
                    "{name}″ at {z:e}: {got:e}, not {want:e}; allowed {allowed:e}"
                );
            }
            assert_eq!(rows, bent.len() * $points);
        }
    };
}
second!(second_derivatives_in_f64, f64, points: 169);
second!(second_derivatives_in_f32, f32, points: 145);

/// What is made of straight lines has none; NaN passes; a surrogate's is that of the function that
/// lends its derivative.
#[test]
fn second_derivatives_of_the_rest() {
    let bent: Vec<&str> = SECOND
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').next())
        .collect();
    for activation in all() {
        assert!(
            activation.second_derivative(f64::NAN).is_nan()
                && activation.second_derivative(f32::NAN).is_nan(),
            "{activation}"
        );
        if !bent.contains(&&*activation.to_string()) {
            for z in [
                0.0,
                -0.0,
                0.3,
                -0.5,
                6.0,
                1e300,
                f64::INFINITY,
                f64::NEG_INFINITY,
            ] {
                assert_eq!(activation.second_derivative(z), 0.0, "{activation} at {z}");
            }
        }
    }
    let surrogate = Activation::Step.surrogate(Activation::Tanh);
    assert_eq!(
        surrogate.second_derivative(0.7),
        Activation::Tanh.second_derivative(0.7)
    );
}

/// The error of `f32` against `f64` near the zeros of a derivative, in units of ε: the worst over a
/// dense grid.
fn near_zeros(
    activation: &Activation,
    (low, high): (f32, f32),
    of: impl Fn(&Activation, f32) -> (f64, f64),
) -> f64 {
    const POINTS: u16 = 40_000;
    let mut worst = 0.0_f64;
    let mut signs = 0;
    let mut before = None;
    for i in 0..=POINTS {
        let z = low + (high - low) * f32::from(i) / f32::from(POINTS);
        let (got, want) = of(activation, z);
        signs += usize::from(before.is_some_and(|before| (want > 0.0) != before));
        before = Some(want > 0.0);
        worst = worst.max((got - want).abs() / f64::from(f32::EPSILON));
    }
    assert!(signs > 0, "{activation} has no zero in {low}..{high}");
    worst
}

/// Where a derivative is 0 two terms cancel, and units in its last place say nothing: the absolute
/// error stays as small as the docs of `Activation` say.
#[test]
fn derivatives_near_their_zeros() {
    for activation in [
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Mish,
    ] {
        let first =
            |f: &Activation, z: f32| (f64::from(f.derivative(z)), f.derivative(f64::from(z)));
        let second = |f: &Activation, z: f32| {
            (
                f64::from(f.second_derivative(z)),
                f.second_derivative(f64::from(z)),
            )
        };
        let slope = near_zeros(&activation, (-3.0, 0.0), first);
        let left = near_zeros(&activation, (-4.0, -0.5), second);
        let right = near_zeros(&activation, (0.5, 4.0), second);
        assert!(
            slope <= 1.0 && left <= 2.0 && right <= 2.0,
            "{activation}: {slope}, {left}, {right} ε"
        );
    }
}
