//! Optimizers against their formulas, written out here in plain `f64` as PyTorch documents them,
//! and on their way to known minima.

use chainrule::Real;
use chainrule::optim::Group;
use chainrule::prelude::*;

/// Neither a multiple of a vector's width nor less than one.
const N: usize = 37;
const STEPS: usize = 20;

fn start() -> Vec<f64> {
    (0..N).map(|i| (i as f64 * 0.7).sin() * 3.0).collect()
}

/// A gradient that depends on where one is and when, of many magnitudes, and 0 now and then.
fn gradient(w: &[f64], t: usize) -> Vec<f64> {
    let of = |(i, w): (usize, &f64)| {
        if (i + t).is_multiple_of(7) {
            0.0
        } else {
            (0.3 * w + ((i + 1) * t) as f64 * 0.1).sin() * 10.0_f64.powi((i % 5) as i32 - 2)
        }
    };
    w.iter().enumerate().map(of).collect()
}

/// A rate that falls from step to step.
fn rate(t: usize) -> f64 {
    0.1 / t as f64
}

/// `STEPS` steps of `optimizer` next to `rule`, which is given the step counted from 1, the rate,
/// one parameter's gradient and what it remembers, and returns the change.
fn follow<T: Real>(
    mut optimizer: impl Optimizer<T>,
    groups: &[Group],
    tolerance: f64,
    rule: impl Fn(usize, f64, f64, &mut [f64; 2]) -> f64,
) {
    let (mut expected, mut memory) = (start(), [[0.0; 2]; N]);
    let mut w: Vec<T> = expected.iter().map(|w| T::of(*w)).collect();
    for t in 1..=STEPS {
        let g = gradient(&expected, t);
        let rounded: Vec<T> = g.iter().map(|g| T::of(*g)).collect();
        optimizer
            .step(rate(t), &mut w, &rounded, groups)
            .expect("a sound step");
        for group in groups.iter().filter(|group| group.rate > 0.0) {
            for i in group.range.clone() {
                let lr = rate(t) * group.rate;
                // Decoupled decay, whatever the rule.
                expected[i] =
                    (1.0 - lr * group.decay) * expected[i] + rule(t, lr, g[i], &mut memory[i]);
            }
        }
        for (i, (w, expected)) in w.iter().zip(&expected).enumerate() {
            let difference = (w.as_f64() - expected).abs();
            assert!(
                difference <= tolerance * expected.abs().max(1.0),
                "parameter {i} after step {t} is {w}, not {expected}"
            );
        }
        assert_eq!(optimizer.state().step, t as u64);
    }
    assert!(
        w.iter()
            .zip(start())
            .any(|(w, start)| (w.as_f64() - start).abs() > 0.1),
        "no parameter has gone anywhere"
    );
}

/// The change by PyTorch's `SGD(momentum, dampening, nesterov)`.
fn sgd(
    momentum: f64,
    dampening: f64,
    nesterov: bool,
) -> impl Fn(usize, f64, f64, &mut [f64; 2]) -> f64 {
    move |t, lr, g, memory| {
        if momentum == 0.0 {
            return -lr * g;
        }
        let buffer = &mut memory[0];
        *buffer = if t == 1 {
            g
        } else {
            momentum * *buffer + (1.0 - dampening) * g
        };
        -lr * if nesterov {
            g + momentum * *buffer
        } else {
            *buffer
        }
    }
}

/// The change by PyTorch's `Adam(betas=(beta1, beta2), eps)`.
fn adam(beta1: f64, beta2: f64, eps: f64) -> impl Fn(usize, f64, f64, &mut [f64; 2]) -> f64 {
    move |t, lr, g, [m, v]| {
        *m = beta1 * *m + (1.0 - beta1) * g;
        *v = beta2 * *v + (1.0 - beta2) * g * g;
        let m_hat = *m / (1.0 - beta1.powi(t as i32));
        let v_hat = *v / (1.0 - beta2.powi(t as i32));
        -lr * m_hat / (v_hat.sqrt() + eps)
    }
}

/// Several groups with gaps between them, one of them frozen.
fn groups() -> Vec<Group> {
    vec![
        Group::new(0..5),
        Group {
            rate: 0.0,
            decay: 0.3,
            ..Group::new(5..11)
        },
        Group {
            decay: 0.3,
            ..Group::new(12..12)
        },
        Group {
            rate: 2.5,
            decay: 0.2,
            ..Group::new(13..20)
        },
        Group {
            rate: 0.5,
            decay: 0.01,
            ..Group::new(20..36)
        },
    ]
}

/// All optimizers with the formula of each.
macro_rules! each {
    ($t:ty, $groups:expr, $tolerance:expr) => {
        let (groups, tolerance) = ($groups, $tolerance);
        follow::<$t>(Sgd::new(), &groups, tolerance, sgd(0.0, 0.0, false));
        follow::<$t>(Sgd::default(), &groups, tolerance, sgd(0.0, 0.0, false));
        follow::<$t>(
            Sgd::new().momentum(0.9),
            &groups,
            tolerance,
            sgd(0.9, 0.0, false),
        );
        follow::<$t>(
            Sgd::new().momentum(0.9).dampening(0.5),
            &groups,
            tolerance,
            sgd(0.9, 0.5, false),
        );
        follow::<$t>(
            Sgd::new().momentum(0.8).nesterov(),
            &groups,
            tolerance,
            sgd(0.8, 0.0, true),
        );
        follow::<$t>(Adam::new(), &groups, tolerance, adam(0.9, 0.999, 1e-8));
        follow::<$t>(Adam::default(), &groups, tolerance, adam(0.9, 0.999, 1e-8));
        follow::<$t>(
            Adam::new().beta1(0.5).beta2(0.9),
            &groups,
            tolerance,
            adam(0.5, 0.9, 1e-8),
        );
        follow::<$t>(
            Adam::new().beta1(0.0),
            &groups,
            tolerance,
            adam(0.0, 0.999, 1e-8),
        );
        // So large that it shows whether it is within the root, and whether it is corrected for the
        // bias.
        follow::<$t>(
            Adam::new().eps(0.1),
            &groups,
            tolerance,
            adam(0.9, 0.999, 0.1),
        );
    };
}

#[test]
fn trajectories() {
    each!(f64, Group::all(N), 1e-12);
}

/// SGD with decoupled decay, and AdamW.
#[test]
fn trajectories_with_decay() {
    each!(
        f64,
        [Group {
            decay: 0.3,
            ..Group::new(0..N)
        }],
        1e-12
    );
}

#[test]
fn trajectories_of_groups() {
    each!(f64, groups(), 1e-12);
}

#[test]
fn trajectories_in_single_precision() {
    each!(f32, Group::all(N), 1e-5);
    each!(f32, groups(), 1e-5);
}

/// PyTorch 2's own documentation gives AdamW as θ ← θ − γλθ and then the step: once by hand, to the
/// last digit.
#[test]
fn a_step_by_hand() -> Result<()> {
    let mut w = [2.0_f64];
    Adam::new().step(
        0.5,
        &mut w,
        &[0.1],
        &[Group {
            decay: 0.25,
            ..Group::new(0..1)
        }],
    )?;
    // m̂ = g and v̂ = g², so that the step is lr·0.1/(0.1 + 10⁻⁸); the decay is 0.5·0.25·2.
    assert!(
        (w[0] - (2.0 - 0.25 - 0.5 * 0.1 / (0.1 + 1e-8))).abs() < 1e-15,
        "{w:?}"
    );

    let mut w = [2.0];
    let mut sgd = Sgd::new().momentum(0.5).dampening(0.25);
    sgd.step(0.5, &mut w, &[4.0], &Group::all(1))?;
    assert_eq!(w, [0.0]); // the first step is not dampened
    sgd.step(0.5, &mut w, &[4.0], &Group::all(1))?;
    assert_eq!(w, [-2.5]); // v = 0.5·4 + 0.75·4
    let mut w = [2.0];
    Sgd::new()
        .momentum(0.5)
        .nesterov()
        .step(0.5, &mut w, &[4.0], &Group::all(1))?;
    assert_eq!(w, [-1.0]); // 4 + 0.5·4
    Ok(())
}

#[test]
fn states() -> Result<()> {
    let (g, mut w) = ([4.0, -2.0, 0.0], [1.0, 1.0, 1.0]);
    let mut plain = Sgd::<f64>::new();
    plain.step(0.1, &mut w, &g, &Group::all(3))?;
    assert_eq!(
        (
            &*plain.state().rule,
            plain.state().step,
            plain.state().slots.len()
        ),
        ("Sgd", 1, 0)
    );
    let mut momentum = Sgd::new().momentum(0.5);
    assert!(momentum.state().slots[0].is_empty());
    momentum.step(0.1, &mut w, &g, &Group::all(3))?;
    momentum.step(0.1, &mut w, &g, &Group::all(3))?;
    assert_eq!(
        (momentum.state().step, &momentum.state().slots),
        (2, &vec![vec![6.0, -3.0, 0.0]])
    );
    let mut adam = Adam::new().beta1(0.5).beta2(0.75);
    adam.step(0.1, &mut w, &g, &Group::all(3))?;
    assert_eq!((&*adam.state().rule, adam.state().step), ("Adam", 1));
    assert_eq!(adam.state().slots, [[2.0, -1.0, 0.0], [4.0, 1.0, 0.0]]);
    Ok(())
}

/// Parameters in no group and in a frozen one, and what the rule knows of them, are the same to the
/// bit.
#[test]
fn what_no_group_names() -> Result<()> {
    let optimizers: [Box<dyn Optimizer<f64>>; 4] = [
        Box::new(Sgd::new()),
        Box::new(Sgd::new().momentum(0.9)),
        Box::new(Sgd::new().momentum(0.9).nesterov()),
        Box::new(Adam::new()),
    ];
    for mut optimizer in optimizers {
        // So that there is something to be known.
        let mut w = start();
        optimizer.step(0.1, &mut w, &gradient(&start(), 1), &Group::all(N))?;
        let (before, known) = (w.clone(), optimizer.state().slots.clone());
        for t in 2..6 {
            optimizer.step(0.1, &mut w, &gradient(&before, t), &groups())?;
        }
        assert_eq!(optimizer.state().step, 5);
        for i in (5..13).chain([36]) {
            assert_eq!(w[i].to_bits(), before[i].to_bits(), "parameter {i}");
            for (now, before) in optimizer.state().slots.iter().zip(&known) {
                assert_eq!(
                    now[i].to_bits(),
                    before[i].to_bits(),
                    "what is known of {i}"
                );
            }
        }
        assert!((0..5).chain(13..36).all(|i| w[i] != before[i]));
        // All are frozen: time passes, nothing else.
        let (before, known) = (w.clone(), optimizer.state().slots.clone());
        optimizer.step(
            0.1,
            &mut w,
            &gradient(&before, 7),
            &[Group {
                rate: 0.0,
                decay: 0.5,
                ..Group::new(0..N)
            }],
        )?;
        assert_eq!(
            (&w, &optimizer.state().slots, optimizer.state().step),
            (&before, &known, 6)
        );
    }
    Ok(())
}

/// One clock for all: a group that joins later is corrected for the bias of the common step.
#[test]
fn a_group_thawed_late() -> Result<()> {
    let frozen = |rate| {
        [
            Group::new(0..1),
            Group {
                rate,
                ..Group::new(1..2)
            },
        ]
    };
    let (mut adam, mut w) = (Adam::<f64>::new(), [1.0, 1.0]);
    for _ in 0..4 {
        adam.step(0.1, &mut w, &[2.0, 2.0], &frozen(0.0))?;
    }
    adam.step(0.1, &mut w, &[2.0, 2.0], &frozen(1.0))?;
    let (m_hat, v_hat) = (
        0.1 * 2.0 / (1.0 - 0.9_f64.powi(5)),
        0.001 * 4.0 / (1.0 - 0.999_f64.powi(5)),
    );
    assert!(
        (w[1] - (1.0 - 0.1 * m_hat / (v_hat.sqrt() + 1e-8))).abs() < 1e-14,
        "{w:?}"
    );

    // The first step, which is not dampened, has passed too.
    let (mut sgd, mut w) = (Sgd::new().momentum(0.5).dampening(0.25), [1.0, 1.0]);
    sgd.step(0.5, &mut w, &[4.0, 4.0], &frozen(0.0))?;
    sgd.step(0.5, &mut w, &[4.0, 4.0], &frozen(1.0))?;
    assert_eq!(w[1], 1.0 - 0.5 * 0.75 * 4.0);
    Ok(())
}

/// At rate 0 nothing moves, decay or not, but moments gather.
#[test]
fn a_rate_of_zero() -> Result<()> {
    let mut adam = Adam::new().beta1(0.5);
    let mut w = start();
    adam.step(
        0.0,
        &mut w,
        &gradient(&start(), 1),
        &[Group {
            decay: 0.5,
            ..Group::new(0..N)
        }],
    )?;
    assert_eq!(w, start());
    let halves: Vec<f64> = gradient(&start(), 1).iter().map(|g| 0.5 * g).collect();
    assert_eq!(adam.state().slots[0], halves);
    Ok(())
}

/// Where gradients have ceased, what is remembered fades to 0 without passing through the subnormal
/// numbers, on which machines are slow.
#[test]
fn memories_fade() -> Result<()> {
    let optimizers: [Box<dyn Optimizer<f32>>; 2] = [
        Box::new(Sgd::new().momentum(0.5)),
        Box::new(Adam::new().beta1(0.5).beta2(0.5)),
    ];
    for mut optimizer in optimizers {
        let mut w = [1.0];
        optimizer.step(0.1, &mut w, &[1.0], &Group::all(1))?;
        for _ in 0..200 {
            optimizer.step(0.1, &mut w, &[0.0], &Group::all(1))?;
            assert!(
                optimizer
                    .state()
                    .slots
                    .iter()
                    .flatten()
                    .all(|v| !v.is_subnormal()),
                "{:?}",
                optimizer.state()
            );
        }
        assert!(
            optimizer.state().slots.iter().flatten().all(|v| *v == 0.0),
            "{:?}",
            optimizer.state()
        );
        assert!(w[0].is_finite());
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Minima

/// Where `optimizer` comes to from `start` in `steps` steps at a rate that falls linearly to 0.
fn descend<const N: usize>(
    mut optimizer: impl Optimizer<f64>,
    start: [f64; N],
    rate: f64,
    steps: usize,
    gradient: impl Fn(&[f64; N]) -> [f64; N],
) -> [f64; N] {
    let mut w = start;
    for t in 0..steps {
        let g = gradient(&w);
        let rate = rate * (1.0 - t as f64 / steps as f64);
        optimizer
            .step(rate, &mut w, &g, &Group::all(N))
            .expect("a sound step");
    }
    w
}

#[test]
fn the_minimum_of_a_parabola() {
    // ½(w₀−1)² + 10(w₁+2)² + 50(w₂−0.5)²
    let minimum = [1.0, -2.0, 0.5];
    let gradient = |w: &[f64; 3]| {
        [
            w[0] - minimum[0],
            20.0 * (w[1] - minimum[1]),
            100.0 * (w[2] - minimum[2]),
        ]
    };
    let reached = [
        descend(Sgd::new(), [9.0; 3], 0.01, 6000, gradient),
        descend(Sgd::new().momentum(0.9), [9.0; 3], 0.01, 2000, gradient),
        descend(
            Sgd::new().momentum(0.9).dampening(0.5),
            [9.0; 3],
            0.01,
            4000,
            gradient,
        ),
        descend(
            Sgd::new().momentum(0.9).nesterov(),
            [9.0; 3],
            0.005,
            2000,
            gradient,
        ),
        descend(Adam::new(), [9.0; 3], 0.1, 2000, gradient),
    ];
    for w in reached {
        for (w, minimum) in w.iter().zip(minimum) {
            assert!((w - minimum).abs() < 1e-6, "{w} instead of {minimum}");
        }
    }
}

/// (1−x)² + 100(y−x²)², the banana of Rosenbrock (1960), from his own start.
#[test]
fn the_minimum_of_rosenbrock() {
    let gradient = |&[x, y]: &[f64; 2]| {
        [
            2.0 * (x - 1.0) - 400.0 * x * (y - x * x),
            200.0 * (y - x * x),
        ]
    };
    let start = [-1.2, 1.0];
    let reached = [
        descend(Sgd::new(), start, 1e-3, 60_000, gradient),
        descend(Sgd::new().momentum(0.9), start, 1e-3, 10_000, gradient),
        descend(
            Sgd::new().momentum(0.9).nesterov(),
            start,
            1e-3,
            10_000,
            gradient,
        ),
        descend(Adam::new(), start, 0.02, 10_000, gradient),
    ];
    for [x, y] in reached {
        assert!(
            (x - 1.0).abs() < 1e-4 && (y - 1.0).abs() < 1e-4,
            "({x}, {y})"
        );
    }
}

/// Decay pulls toward 0: with it the minimum of ½(w−1)² is where (w−1) + λw = 0.
#[test]
fn the_minimum_with_decay() -> Result<()> {
    let groups = [Group {
        rate: 0.5,
        decay: 0.25,
        ..Group::new(0..1)
    }];
    let (mut sgd, mut w) = (Sgd::<f64>::new(), [5.0]);
    for _ in 0..500 {
        let g = [w[0] - 1.0];
        sgd.step(0.2, &mut w, &g, &groups)?;
    }
    assert!((w[0] - 0.8).abs() < 1e-12, "{w:?}");
    Ok(())
}
