//! Every rule of an optimizer: against PyTorch, on its way to known minima, saved and restored, at
//! the edges.

use crate::common::bits;
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::{ErrorKind, Real};

/// Written by `reference/optimizers.py`: rule, rate, decay, the parameters after the steps of
/// `AFTER`.
const TABLE: &str = include_str!("../reference/optimizers.tsv");

const AFTER: [usize; 8] = [1, 2, 3, 4, 5, 10, 15, 20];

/// Whether two names are the same but for spaces, of which `stringify!` may put some.
fn same(one: &str, other: &str) -> bool {
    let tight = |text: &str| text.replace(' ', "");
    tight(one) == tight(other)
}

macro_rules! rules {
    ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
        /// The rule that the table calls `name`.
        fn rule<T: Real>(name: &str) -> Box<dyn Optimizer<T>> {
            // That option is one of the schedule, here.
            let name = name.strip_suffix(" lr_decay").unwrap_or(name);
            $($(if same(name, stringify!($made)) {
                return Box::new($made);
            })+)+
            panic!("unknown rule {name}")
        }

        /// Every rule with its options, and what errors and states call it.
        const RULES: &[(&str, &str)] = &[$($((stringify!($made), stringify!($rule)),)+)+];

        #[test]
        fn defaults() {
            $(assert_eq!($rule::<f64>::default(), $rule::new());)+
        }
    };
}
chainrule::every_rule!(rules);

fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(made, _)| *made)
}

/// As in `optimizers.py`.
fn gradient<T: Real>(w: &[T], t: usize) -> Vec<T> {
    let (curvature, center) = ([1.0, 4.0, 0.25, 2.0, 10.0], [0.5, -1.0, 2.0, 1.0, 0.25]);
    let of = |i: usize| {
        T::of(curvature[i]) * (w[i] - T::of(center[i]))
            + T::of(0.25) * w[i] * w[(i + 1) % 5] * w[(i + 1) % 5]
    };
    (0..5)
        .map(|i| if i == t % 5 { T::zero() } else { of(i) })
        .collect()
}

/// A step of a rule that has been told the cost, as in `optimizers.py`.
fn follow<T: Real>(
    optimizer: &mut dyn Optimizer<T>,
    lr: f64,
    w: &mut [T],
    g: &[T],
    groups: &[Group],
) -> Result<()> {
    let (curvature, center) = ([1.0, 4.0, 0.25, 2.0, 10.0], [0.5, -1.0, 2.0, 1.0, 0.25]);
    let costs = (0..5).zip(&*w).map(|(i, w)| {
        let off = w.as_f64() - center[i];
        0.5 * curvature[i] * off * off
    });
    optimizer.note_cost(costs.filter(|cost| cost.is_finite()).sum());
    optimizer.step(lr, w, g, groups)
}

fn start<T: Real>() -> Vec<T> {
    [1.5, -2.0, 0.75, 3.0, -0.25].map(T::of).to_vec()
}

fn trajectories<T: Real>(tolerance: f64) {
    let mut lines = 0;
    for line in TABLE.lines().skip(1) {
        let fields: Vec<_> = line.split('\t').collect();
        let number = |text: &str| text.parse::<f64>().expect("a number");
        let name = fields[0];
        let rate = number(fields[1]);
        let decay = number(fields[2]);
        let mut after = fields[3].split(' ').map(number);
        let compare = |w: &[T], after: &mut dyn Iterator<Item = f64>, when: &str| {
            for (i, w) in w.iter().enumerate() {
                let (w, expected) = (w.as_f64(), after.next().expect("five numbers a step"));
                let near = (w - expected).abs() <= tolerance * expected.abs().max(1e-2);
                assert!(
                    near,
                    "{name}, decay {decay}: parameter {i} {when} is {w}, not {expected}"
                );
            }
        };
        let (mut optimizer, mut w) = (rule::<T>(name), start::<T>());
        let groups = [Group {
            decay,
            ..Group::new(0..5)
        }];
        // The rate falls by itself, and once by a schedule besides.
        let kappa = if name == "Adagrad::new() lr_decay" {
            0.25
        } else {
            0.0
        };
        let schedule = Schedule::InverseTime { rate, kappa };
        for t in 0..20 {
            let g = gradient(&w, t);
            let falling = 1.0 - t as f64 / 40.0;
            // PyTorch's decay knows nothing of its lr_decay.
            let groups = [Group {
                decay: groups[0].decay * (1.0 + kappa * t as f64),
                ..groups[0].clone()
            }];
            let lr = schedule.rate(t as u64) * falling;
            follow(&mut *optimizer, lr, &mut w, &g, &groups).expect("a sound step");
            if AFTER.contains(&(t + 1)) {
                compare(&w, &mut after, &format!("after step {}", t + 1));
            }
        }
        if optimizer.state().averaged.is_some() {
            let before = w.clone();
            for shown in [true, false] {
                optimizer.swap_average(&mut w).expect("as many parameters");
                assert_eq!(optimizer.state().averaged, Some(shown));
                if shown {
                    compare(&w, &mut after, "on average");
                }
            }
            assert!(w == before);
        }
        if name.starts_with("Muon") {
            for (rows, cols) in [(3, 4), (5, 2), (1, 6)] {
                let of = |f: &dyn Fn(f64, f64) -> f64| -> Vec<T> {
                    let place = |k| ((k % rows) as f64, (k / rows) as f64);
                    (0..rows * cols)
                        .map(|k| T::of(f(place(k).0, place(k).1)))
                        .collect()
                };
                let range = 0..rows * cols;
                let groups = [Group {
                    decay,
                    matrices: vec![Matrix {
                        range: range.clone(),
                        rows,
                    }],
                    ..Group::new(range)
                }];
                let mut rule = self::rule::<T>(name);
                let mut w = of(&|i, j| (i + 3.0 * j).sin());
                for t in 0..5 {
                    let g = of(&|i, j| (i * i + 2.0 * i * j - j + f64::from(t)).cos());
                    rule.step(rate, &mut w, &g, &groups).expect("a sound step");
                }
                compare(&w, &mut after, &format!("of {rows} × {cols}"));
            }
        }
        assert_eq!(after.next(), None);
        lines += 1;
    }
    let in_table = |name: &str| {
        let mut lines = TABLE.lines().filter_map(|line| line.split('\t').next());
        lines.any(|known| same(known, name))
    };
    for name in names() {
        assert!(
            in_table(name),
            "{name} has no line in reference/optimizers.tsv"
        );
    }
    assert_eq!(lines, TABLE.lines().count() - 1);
}

#[test]
fn as_pytorch_and_the_papers() {
    trajectories::<f64>(1e-10);
}

#[test]
fn in_single_precision() {
    trajectories::<f32>(1e-3);
}

/// What a rule remembers, saved after any step, is all there is: another one goes on with the same
/// bits.
#[test]
fn saved_and_restored() -> Result<()> {
    for name in names() {
        for cut in [0, 1, 2, 7, 19, 40] {
            let (mut whole, mut w) = (rule::<f64>(name), start());
            let step = |optimizer: &mut dyn Optimizer<f64>, w: &mut Vec<f64>, t: usize| {
                let g = gradient(w, t);
                follow(
                    optimizer,
                    0.01,
                    w,
                    &g,
                    &[Group {
                        decay: 0.1,
                        ..Group::new(0..5)
                    }],
                )
            };
            for t in 0..cut {
                step(&mut *whole, &mut w, t)?;
            }
            let (mut resumed, mut other) = (rule::<f64>(name), w.clone());
            // What it did before does not count.
            for t in 0..3 {
                step(&mut *resumed, &mut start(), t)?;
            }
            resumed.restore(whole.state())?;
            for t in cut..cut + 20 {
                step(&mut *whole, &mut w, t)?;
                step(&mut *resumed, &mut other, t)?;
                assert_eq!(
                    bits(&w),
                    bits(&other),
                    "{name}, saved after {cut}, step {t}"
                );
                assert_eq!(
                    whole.state(),
                    resumed.state(),
                    "{name}, saved after {cut}, step {t}"
                );
            }
            assert_eq!(whole.state().step, cut as u64 + 20);
        }
    }
    Ok(())
}

/// The last step there is may be counted, and gives numbers.
#[test]
fn the_last_step() -> Result<()> {
    for name in names() {
        let (mut optimizer, mut w) = (rule::<f64>(name), start());
        follow(
            &mut *optimizer,
            0.01,
            &mut w,
            &gradient(&start(), 1),
            &Group::all(5),
        )?;
        for step in [1 << 31, 1 << 53, u64::MAX] {
            optimizer.restore(&OptimizerState {
                step,
                ..optimizer.state().clone()
            })?;
            follow(
                &mut *optimizer,
                0.01,
                &mut w,
                &gradient(&start(), 1),
                &Group::all(5),
            )?;
            assert!(
                w.iter().all(|w| w.is_finite()),
                "{name} in step {step}: {w:?}"
            );
        }
    }
    Ok(())
}

/// States of the same number of vectors that mean something else.
#[test]
fn states_of_other_options() -> Result<()> {
    let pairs = [
        ("Adam::new()", "Adam::new().beta2(0.5).amsgrad()"),
        ("RmsProp::new().momentum(0.9)", "RmsProp::new().centered()"),
        ("RmsProp::new()", "RmsProp::new().momentum(0.9)"),
        ("RmsProp::new()", "Lion::new()"),
        ("Adam::new()", "NAdam::new()"),
        ("NAdam::new()", "RAdam::new()"),
        ("Adadelta::new()", "Rprop::new()"),
        ("Adagrad::new()", "Sgd::new().momentum(0.9)"),
        ("Adam::new()", "Adam::new().cautious()"),
        ("Asgd::new()", "Adagrad::new()"),
        ("Rprop::new()", "Rprop::new().backtracking()"),
        ("ScheduleFreeSgd::new()", "Adam::new()"),
    ];
    for (one, other) in pairs {
        for (one, other) in [(one, other), (other, one)] {
            let (mut from, mut to) = (rule::<f64>(one), rule::<f64>(other));
            follow(
                &mut *from,
                0.1,
                &mut start(),
                &gradient(&start(), 1),
                &Group::all(5),
            )?;
            let before = format!("{to:?}");
            let error = to
                .restore(from.state())
                .expect_err("a state of another rule");
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{one} to {other}");
            assert_eq!(format!("{to:?}"), before);
        }
    }
    Ok(())
}

/// Parameters in no group and in a frozen one, and what the rule knows of them, are the same to the
/// bit; running statistics take their gradient, at any rate but 0.
#[test]
fn groups() -> Result<()> {
    for name in names() {
        let (mut optimizer, mut w) = (rule::<f64>(name), start::<f64>());
        follow(
            &mut *optimizer,
            0.01,
            &mut w,
            &gradient(&start(), 1),
            &Group::all(5),
        )?;
        let (mut before, known) = (w.clone(), optimizer.state().slots.clone());
        let statistic = |range, rate| Group {
            rate,
            decay: 0.5,
            statistic: true,
            ..Group::new(range)
        };
        // 0 frozen, 1 in no group, 2 a statistic, 3 a frozen statistic, 4 learns.
        let groups = [
            Group {
                rate: 0.0,
                decay: 0.5,
                ..Group::new(0..1)
            },
            statistic(2..3, 0.25),
            statistic(3..4, 0.0),
            Group {
                rate: 2.0,
                ..Group::new(4..5)
            },
        ];
        for (lr, statistic) in [(0.01, 0.125), (0.02, -0.5), (0.0, 3.0)] {
            let g = [1.0, 2.0, statistic, 4.0, -0.3];
            follow(&mut *optimizer, lr, &mut w, &g, &groups)?;
            before[2] -= statistic;
            assert_eq!(bits(&w[..4]), bits(&before[..4]), "{name}");
        }
        assert_ne!(w[4], before[4], "{name}");
        assert_eq!(optimizer.state().step, 4);
        let averages = optimizer.state().averaged.is_some();
        for (now, known) in optimizer.state().slots.iter().zip(&known) {
            for i in 0..4 {
                // A statistic has no average but itself.
                let expected = if i == 2 && averages && now[i] == before[i] {
                    before[i]
                } else {
                    known[i]
                };
                assert_eq!(now[i].to_bits(), expected.to_bits(), "{name}, number {i}");
            }
        }
        if averages {
            let before = w.clone();
            optimizer.swap_average(&mut w)?;
            assert_eq!(bits(&w[1..4]), bits(&before[1..4]), "{name}");
            // Before its t₀, that rule averages nothing.
            assert_eq!(w[4] == before[4], name.starts_with("Asgd"), "{name}");
        }
    }
    Ok(())
}

/// A rate of a group is one of the step, and its decay that times the rate, whatever the rule: two
/// groups at their rates are two optimizers.
#[test]
fn rates_of_groups() -> Result<()> {
    for name in names() {
        let (mut both, mut apart) = (rule::<f64>(name), [rule::<f64>(name), rule::<f64>(name)]);
        let groups = [
            Group {
                rate: 0.5,
                decay: 0.25,
                ..Group::new(0..2)
            },
            Group {
                rate: 2.0,
                ..Group::new(2..5)
            },
        ];
        let (mut w, mut alone) = (start::<f64>(), start::<f64>());
        for t in 0..10 {
            let g = gradient(&start(), t);
            for optimizer in [&mut both].into_iter().chain(&mut apart) {
                optimizer.note_cost(t as f64);
            }
            both.step(0.01, &mut w, &g, &groups)?;
            apart[0].step(
                0.005,
                &mut alone[..2],
                &g[..2],
                &[Group {
                    decay: 0.25,
                    ..Group::new(0..2)
                }],
            )?;
            apart[1].step(0.02, &mut alone[2..], &g[2..], &Group::all(3))?;
        }
        assert_eq!(bits(&w), bits(&alone), "{name}");
    }
    Ok(())
}

/// Where gradients have ceased, what is remembered fades without passing through the subnormal
/// numbers, on which machines are slow.
#[test]
fn memories_fade() -> Result<()> {
    for name in names() {
        let (mut optimizer, mut w) = (rule::<f32>(name), vec![1.0]);
        follow(&mut *optimizer, 0.01, &mut w, &[1.0], &Group::all(1))?;
        for _ in 0..3000 {
            follow(&mut *optimizer, 0.01, &mut w, &[0.0], &Group::all(1))?;
            let subnormal = optimizer
                .state()
                .slots
                .iter()
                .flatten()
                .any(|v| v.is_subnormal());
            assert!(!subnormal, "{name}: {:?}", optimizer.state());
        }
        assert!(w[0].is_finite(), "{name}: {w:?}");
    }
    Ok(())
}

/// A parameter whose gradient is NaN becomes NaN and stays it; its neighbors do not.
#[test]
fn nan_passes() -> Result<()> {
    for name in names() {
        let (mut optimizer, mut w) = (rule::<f64>(name), start::<f64>());
        for t in 0..5 {
            let mut g = gradient(&start::<f64>(), 4);
            if t == 2 {
                g[1] = f64::NAN;
            }
            follow(&mut *optimizer, 0.01, &mut w, &g, &Group::all(5))?;
            assert_eq!(w[1].is_nan(), t >= 2, "{name}");
            assert!(
                w[0].is_finite() && w[2..].iter().all(|w| w.is_finite()),
                "{name}: {w:?}"
            );
        }
    }
    Ok(())
}

/// A gradient that does not change: its variance is 0, and rounding must not make a root of a
/// negative number.
#[test]
fn centered_at_a_constant_gradient() -> Result<()> {
    let (mut optimizer, mut w) = (RmsProp::<f64>::new().rho(0.5).centered(), vec![0.0]);
    for _ in 0..200 {
        optimizer.step(1e-9, &mut w, &[0.1], &Group::all(1))?;
    }
    assert!(w[0].is_finite() && w[0] < 0.0, "{w:?}");
    Ok(())
}

/// Gradients that hardly vary beside their mean: in `f32` the deviation and with it the steps are
/// those of `f64`, whatever the mean and the sign.
#[test]
fn centered_where_gradients_hardly_vary() -> Result<()> {
    for (momentum, mean, change) in [
        (0.0, 0.7, 7e-4),
        (0.0, -3.0, 1e-2),
        (0.9, 0.7, 7e-4),
        (0.9, 2e3, 0.5),
    ] {
        let mut single = RmsProp::<f32>::new().momentum(momentum).centered();
        let mut double = RmsProp::<f64>::new().momentum(momentum).centered();
        for t in 0..3000 {
            let g = (mean + f64::from(t % 2) * change) as f32;
            // Each step from 0, so that what is compared is the step.
            let (mut w, mut expected) = ([0.0_f32], [0.0_f64]);
            single.step(1e-3, &mut w, &[g], &Group::all(1))?;
            double.step(1e-3, &mut expected, &[f64::from(g)], &Group::all(1))?;
            let off = (f64::from(w[0]) / expected[0] - 1.0).abs();
            assert!(
                off < 0.02,
                "step {t} about {mean} ± {change}: {w:?}, not {expected:?}"
            );
        }
    }
    Ok(())
}

/// The largest rate of each rule is that whose longest step is still finite in the scalar; beyond,
/// a step is refused and changes nothing, by itself and in a training.
#[test]
fn the_largest_rate() -> Result<()> {
    let data = Dataset::new(
        DMatrix::from_element(1, 2, 1e-3),
        DMatrix::from_element(1, 2, 0.0),
    )?;
    for name in names() {
        // 1/(1−β₁) where the first step divides by 1−β₁.
        let divides = ["Adam", "Adamax", "Muon", "NAdam", "RAdam"];
        let rule_name = name.split(':').next().map_or("", str::trim);
        let stretch = if divides.contains(&rule_name) {
            let beta1 = name
                .split_once(".beta1(")
                .and_then(|(_, rest)| rest.split_once(')'));
            1.0 / (1.0 - beta1.map_or(0.9, |(beta1, _)| beta1.parse::<f64>().expect("a number")))
        } else {
            1.0
        };
        let largest = f64::from(f32::MAX) / stretch;
        for (groups, lr) in [
            (Group::all(2), largest),
            (
                vec![Group {
                    rate: 4.0,
                    ..Group::new(0..2)
                }],
                largest / 4.0,
            ),
        ] {
            let (mut optimizer, mut w) = (rule::<f32>(name), [1.0, 2.0]);
            optimizer.note_cost(1.0);
            optimizer.step(0.999 * lr, &mut w, &[1e-12, -1e-12], &groups)?;
            assert!(w.iter().all(|w| w.is_finite()), "{name}: {w:?}");
            optimizer.note_cost(1.0);
            let (before, mut w) = (format!("{optimizer:?}"), [1.0, 2.0]);
            let error = optimizer
                .step(1.001 * lr, &mut w, &[1e-12, -1e-12], &groups)
                .expect_err(name);
            assert!(
                error.kind() == ErrorKind::Value && error.place().starts_with("group 0"),
                "{name}: {error}"
            );
            assert_eq!(
                (w, format!("{optimizer:?}")),
                ([1.0, 2.0], before),
                "{name}"
            );
        }
        let mut net = Sequential::<f32>::builder(1)
            .layer(Dense::new(1, Activation::Linear))
            .seed(1)
            .build()?;
        let before = net.params().to_vec();
        let error = Trainer::new(MeanSquaredError, rule::<f32>(name))
            .epochs(1)
            .learning_rate(1.001 * largest)
            .fit(&mut net, &data);
        assert_eq!(error.expect_err(name).kind(), ErrorKind::Value, "{name}");
        assert_eq!(net.params(), before, "{name}");
    }
    Ok(())
}

/// Written by `reference/keras.py`: rule, rate, weights after steps by the gradients of
/// `KERAS_GRADIENTS`.
const KERAS: &str = include_str!("../reference/keras.tsv");

/// What the docs say of Keras' rules: which are ours, and where theirs differ.
#[test]
fn what_the_docs_say_of_keras() -> Result<()> {
    let gradients = [0.3, -0.02, 0.05, 0.01, -0.4, 0.002];
    // Where ours is Keras' with other numbers; its Adam has another ε in each step.
    let hat = |t: usize| 0.5 / (1.0 - 0.75_f64.powi(t as i32)).sqrt();
    type Make = Box<dyn Fn(usize) -> Box<dyn Optimizer<f64>>>;
    let ours: [(&str, Make); 6] = [
        ("sgd", Box::new(|_| Box::new(Sgd::new().momentum(0.9)))),
        (
            "sgd nesterov",
            Box::new(|_| Box::new(Sgd::new().momentum(0.9).nesterov())),
        ),
        (
            "adadelta",
            Box::new(|_| Box::new(Adadelta::new().rho(0.5).eps(0.5))),
        ),
        (
            "adam",
            Box::new(move |t| Box::new(Adam::new().beta1(0.5).beta2(0.75).eps(hat(t)))),
        ),
        (
            "adam amsgrad",
            Box::new(move |t| Box::new(Adam::new().beta1(0.5).beta2(0.75).eps(hat(t)).amsgrad())),
        ),
        (
            "nadam",
            Box::new(|_| {
                Box::new(
                    NAdam::new()
                        .beta1(0.5)
                        .beta2(0.75)
                        .eps(0.5)
                        .momentum_decay(1.0),
                )
            }),
        ),
    ];
    // And where ε stands elsewhere, or there is another start: the change as the docs give it.
    type Change = fn(f64, &mut f64) -> f64;
    let others: [(&str, Change); 3] = [
        ("adagrad", |g, s| {
            *s += if *s == 0.0 { 0.1 + g * g } else { g * g };
            g / (*s + 0.5).sqrt()
        }),
        ("rmsprop", |g, v| {
            *v = 0.5 * *v + 0.5 * g * g;
            g / (*v + 0.5).sqrt()
        }),
        ("adamax", |g, u| {
            *u = f64::max(0.75 * *u, g.abs());
            1.0 / (*u + 0.5)
        }),
    ];
    let mut lines = 0;
    for line in KERAS.lines().skip(1) {
        let fields: Vec<_> = line.split('\t').collect();
        let number = |text: &str| text.parse::<f64>().expect("a number");
        let (name, lr) = (fields[0], number(fields[1]));
        let after: Vec<f64> = fields[2].split(' ').map(number).collect();
        assert_eq!(after.len(), gradients.len());
        let mut w = [1.0];
        let mut found = vec![];
        if let Some((_, make)) = ours.iter().find(|(known, _)| *known == name) {
            let mut state: Option<OptimizerState<f64>> = None;
            for (t, g) in gradients.iter().enumerate() {
                let mut optimizer = make(t + 1);
                state
                    .as_ref()
                    .map_or(Ok(()), |state| optimizer.restore(state))?;
                optimizer.step(lr, &mut w, &[*g], &Group::all(1))?;
                state = Some(optimizer.state().clone());
                found.push(w[0]);
            }
        } else {
            let (_, change) = others
                .iter()
                .find(|(known, _)| *known == name)
                .expect("a rule of Keras");
            let (mut known, mut m) = (0.0, 0.0);
            for (t, g) in gradients.iter().enumerate() {
                m = 0.5 * m + 0.5 * g;
                let mean = m / (1.0 - 0.5_f64.powi(t as i32 + 1));
                w[0] -= lr * change(*g, &mut known) * if name == "adamax" { mean } else { 1.0 };
                found.push(w[0]);
            }
        }
        for (found, expected) in found.iter().zip(&after) {
            // Keras computes powers of its momenta in f32.
            assert!(
                (found - expected).abs() <= 1e-7,
                "{name}: {found}, not {expected}"
            );
        }
        lines += 1;
    }
    assert_eq!(lines, 9);
    // Once by hand, as in Keras' docs: ε̂ makes the first step of its Adam smaller.
    let mut w = [1.0_f64];
    Adam::new().eps(2.0).step(
        1.0,
        &mut w,
        &[0.01],
        &[Group {
            decay: 0.5,
            ..Group::new(0..1)
        }],
    )?;
    assert!((w[0] - (0.5 - 0.01 / 2.01)).abs() < 1e-12, "{w:?}");
    Ok(())
}

/// Tiny gradients have signs.
#[test]
fn signs_of_tiny_gradients() -> Result<()> {
    let (mut rprop, mut w) = (Rprop::<f64>::new(), vec![0.0]);
    for _ in 0..3 {
        rprop.step(0.5, &mut w, &[1e-300], &Group::all(1))?;
    }
    assert!((w[0] + 0.5 * (1.0 + 1.2 + 1.44)).abs() < 1e-15, "{w:?}");
    Ok(())
}

/// Each hyper-parameter out of its range is named, by `check` and by `step`, which changes nothing.
#[test]
fn hyper_parameters() {
    type Any = Box<dyn Optimizer<f32>>;
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let fraction = [1.0, -0.1, nan, inf];
    let positive = [0.0, -1.0, nan, inf, 1e-50, 1e39];
    let not_negative = [-1.0, nan, inf];
    let mut cases: Vec<(&str, Any)> = vec![];
    macro_rules! bad {
        ($name:literal, $values:expr, $make:expr) => {
            cases.extend(
                $values
                    .into_iter()
                    .map(|bad| ($name, Box::new($make(bad)) as Any)),
            )
        };
    }
    bad!("initial of Adagrad", not_negative, |x| Adagrad::new()
        .initial(x));
    bad!("initial of Adagrad", [1e39], |x| Adagrad::new().initial(x));
    bad!("eps of Adagrad", positive, |x| Adagrad::new().eps(x));
    bad!("rho of RmsProp", fraction, |x| RmsProp::new().rho(x));
    bad!("eps of RmsProp", positive, |x| RmsProp::new().eps(x));
    bad!("momentum of RmsProp", fraction, |x| RmsProp::new()
        .momentum(x));
    bad!("rho of Adadelta", fraction, |x| Adadelta::new().rho(x));
    bad!("eps of Adadelta", positive, |x| Adadelta::new().eps(x));
    bad!("eps of Adam", positive, |x| Adam::new().amsgrad().eps(x));
    bad!("beta1 of Adamax", fraction, |x| Adamax::new().beta1(x));
    bad!("beta2 of Adamax", fraction, |x| Adamax::new().beta2(x));
    bad!("eps of Adamax", positive, |x| Adamax::new().eps(x));
    bad!("beta1 of NAdam", fraction, |x| NAdam::new().beta1(x));
    bad!("beta2 of NAdam", fraction, |x| NAdam::new().beta2(x));
    bad!("eps of NAdam", positive, |x| NAdam::new().eps(x));
    bad!("momentum_decay of NAdam", not_negative, |x| NAdam::new()
        .momentum_decay(x));
    bad!("beta1 of RAdam", fraction, |x| RAdam::new().beta1(x));
    bad!("beta2 of RAdam", fraction, |x| RAdam::new().beta2(x));
    bad!("eps of RAdam", positive, |x| RAdam::new().eps(x));
    bad!("beta1 of Lion", fraction, |x| Lion::new().beta1(x));
    bad!("beta2 of Lion", fraction, |x| Lion::new().beta2(x));
    bad!("eta_minus of Sarprop", [0.0, 1.0, -0.5, nan], |x| {
        Sarprop::new().eta_minus(x)
    });
    bad!("eta_plus of Sarprop", [1.0, 0.5, nan, inf, 1e39], |x| {
        Sarprop::new().eta_plus(x)
    });
    bad!("smallest step of Sarprop", positive, |x| {
        Sarprop::new().bounds(x, 50.0)
    });
    bad!("largest step of Sarprop", [1e-7, nan, inf, 1e39], |x| {
        Sarprop::new().bounds(1e-6, x)
    });
    bad!("temperature of Sarprop", not_negative, |x| {
        Sarprop::new().temperature(x)
    });
    bad!("decay of Sarprop", not_negative, |x| Sarprop::new()
        .decay(x));
    bad!("threshold of Sarprop", not_negative, |x| {
        Sarprop::new().threshold(x)
    });
    bad!("noise of Sarprop", not_negative, |x| Sarprop::new()
        .noise(x));
    bad!("momentum of Muon", fraction, |x| Muon::new().momentum(x));
    bad!("beta1 of Muon", fraction, |x| Muon::new().beta1(x));
    bad!("beta2 of Muon", fraction, |x| Muon::new().beta2(x));
    bad!("eps of Muon", positive, |x| Muon::new().eps(x));
    bad!("lambd of Asgd", not_negative, |x| Asgd::new().lambd(x));
    bad!("t0 of Asgd", not_negative, |x| Asgd::new().t0(x));
    bad!("alpha of Asgd", not_negative, |x| Asgd::new().alpha(x));
    bad!("mu of Quickprop", positive, |x| Quickprop::new().mu(x));
    bad!("decay of Quickprop", not_negative, |x| Quickprop::new()
        .decay(x));
    bad!("momentum of ScheduleFreeSgd", fraction, |x| {
        ScheduleFreeSgd::new().momentum(x)
    });
    bad!("r of ScheduleFreeSgd", not_negative, |x| {
        ScheduleFreeSgd::new().r(x)
    });
    bad!("beta1 of ScheduleFreeAdam", fraction, |x| {
        ScheduleFreeAdam::new().beta1(x)
    });
    bad!("beta2 of ScheduleFreeAdam", fraction, |x| {
        ScheduleFreeAdam::new().beta2(x)
    });
    bad!("eps of ScheduleFreeAdam", positive, |x| {
        ScheduleFreeAdam::new().eps(x)
    });
    bad!("r of ScheduleFreeAdam", not_negative, |x| {
        ScheduleFreeAdam::new().r(x)
    });
    bad!("eta_minus of Rprop", [0.0, 1.0, -0.5, nan], |x| Rprop::new(
    )
    .eta_minus(x));
    bad!("eta_plus of Rprop", [1.0, 0.5, nan, inf, 1e39], |x| {
        Rprop::new().eta_plus(x)
    });
    bad!("smallest step of Rprop", positive, |x| Rprop::new()
        .bounds(x, 50.0));
    bad!("largest step of Rprop", [1e-7, nan, inf, 1e39], |x| {
        Rprop::new().bounds(1e-6, x)
    });
    for (name, mut optimizer) in cases {
        let (mut w, before) = ([1.0, 2.0], format!("{optimizer:?}"));
        let error = optimizer.check().expect_err(&before);
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Value, name),
            "{before}"
        );
        assert_eq!(
            optimizer.step(0.1, &mut w, &[0.1, 0.2], &Group::all(2)),
            Err(error)
        );
        assert_eq!((w, format!("{optimizer:?}")), ([1.0, 2.0], before));
    }
    // And their ends are in range.
    let ends: [Any; 7] = [
        Box::new(Adagrad::new().initial(0.0)),
        Box::new(RmsProp::new().rho(0.0).momentum(0.0)),
        Box::new(Adadelta::new().rho(0.0)),
        Box::new(NAdam::new().beta1(0.0).beta2(0.0).momentum_decay(0.0)),
        Box::new(RAdam::new().beta1(0.0).beta2(0.0)),
        Box::new(Lion::new().beta1(0.0).beta2(0.0)),
        Box::new(Rprop::new().bounds(0.5, 0.5)),
    ];
    for mut optimizer in ends {
        let mut w = start();
        for t in 0..20 {
            optimizer
                .step(0.01, &mut w, &gradient(&start(), t), &Group::all(5))
                .expect("in range");
        }
        assert!(w.iter().all(|w: &f32| w.is_finite()), "{optimizer:?}");
    }
}

/// Errors call a step by its rule, and a state that fits an option stays when it is chosen again.
#[test]
fn names_of_rules() -> Result<()> {
    for (made, name) in RULES {
        let mut optimizer = rule::<f64>(made);
        optimizer.note_cost(1.0);
        let error = optimizer
            .step(-1.0, &mut [1.0], &[1.0], &Group::all(1))
            .expect_err("a negative rate");
        assert_eq!(error.place(), format!("lr of {name}::step"));
        assert!(optimizer.state().rule.starts_with(name));
    }
    let mut adam = Adam::<f64>::new().amsgrad();
    adam.step(0.1, &mut [1.0], &[1.0], &Group::all(1))?;
    assert_eq!(adam.clone().amsgrad(), adam);
    Ok(())
}

/// A step by a cost that nobody has told, or by parameters that are the average, changes nothing.
#[test]
fn steps_that_must_wait() -> Result<()> {
    let error = Sarprop::<f64>::new()
        .step(0.1, &mut [1.0], &[1.0], &Group::all(1))
        .expect_err("an unknown cost");
    assert_eq!(error.place(), "cost of Sarprop::step");
    let (mut rule, mut w) = (Rprop::<f64>::new().backtracking(), [1.0, 2.0]);
    for told in [None, Some(f64::NAN), Some(1.0), None] {
        told.into_iter().for_each(|cost| rule.note_cost(cost));
        let (before, mut after) = (format!("{rule:?}"), w);
        let result = rule.step(0.1, &mut after, &[1.0, -1.0], &Group::all(2));
        if told == Some(1.0) {
            result?;
            w = after;
        } else {
            let error = result.expect_err("an unknown cost");
            assert_eq!(
                (error.kind(), error.place()),
                (ErrorKind::Value, "cost of Rprop::step")
            );
            assert_eq!((after, format!("{rule:?}")), (w, before));
        }
    }
    assert_eq!(w, [0.9, 2.1]);

    let mut rule = ScheduleFreeSgd::<f64>::new();
    rule.swap_average(&mut w)?; // there is none yet
    assert_eq!(rule.state().averaged, Some(false));
    rule.step(0.1, &mut w, &[1.0, -1.0], &Group::all(2))?;
    assert_eq!(
        rule.swap_average(&mut [0.0; 3]).expect_err("others").kind(),
        ErrorKind::Shape
    );
    rule.swap_average(&mut w)?;
    let (before, known) = (w, rule.clone());
    let error = rule
        .step(0.1, &mut w, &[1.0, -1.0], &Group::all(2))
        .expect_err("an average");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert_eq!((w, &rule), (before, &known));
    // Parameters that were changed are taken for both.
    rule.adopt(&[5.0, 6.0]);
    assert_eq!(rule.state().averaged, Some(false));
    assert_eq!(rule.state().slots, [[5.0, 6.0], [5.0, 6.0]]);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Minima

/// Where `optimizer` comes to from `start` in `steps` steps at a rate that falls linearly to 0.
fn descend<const N: usize>(
    mut optimizer: Box<dyn Optimizer<f64>>,
    start: [f64; N],
    rate: f64,
    steps: u64,
    cost: impl Fn(&[f64; N]) -> f64,
    gradient: impl Fn(&[f64; N]) -> [f64; N],
) -> [f64; N] {
    let schedule = Schedule::Polynomial {
        rate,
        end: 0.0,
        power: 1.0,
        steps,
    };
    let mut w = start;
    for t in 0..steps {
        let g = gradient(&w);
        optimizer.note_cost(cost(&w));
        optimizer
            .step(schedule.rate(t), &mut w, &g, &Group::all(N))
            .expect("a sound step");
    }
    optimizer.swap_average(&mut w).expect("as many parameters");
    w
}

#[test]
fn the_minimum_of_a_parabola() {
    // ½(w₀−1)² + 10(w₁+2)² + 50(w₂−0.5)²
    let minimum = [1.0, -2.0, 0.5];
    let cost = |w: &[f64; 3]| {
        let off = |i: usize| (w[i] - minimum[i]) * (w[i] - minimum[i]);
        0.5 * off(0) + 10.0 * off(1) + 50.0 * off(2)
    };
    let gradient = |w: &[f64; 3]| {
        [
            w[0] - minimum[0],
            20.0 * (w[1] - minimum[1]),
            100.0 * (w[2] - minimum[2]),
        ]
    };
    let rates = [
        ("Adagrad::new()", 2.0, 2000, 1e-6),
        ("RmsProp::new()", 0.05, 3000, 1e-4),
        ("RmsProp::new().momentum(0.9)", 0.01, 3000, 1e-4),
        ("RmsProp::new().centered()", 0.01, 4000, 1e-3),
        ("Adadelta::new().rho(0.95).eps(1e-2)", 1.0, 3000, 1e-6),
        ("Adam::new().beta2(0.5).amsgrad()", 0.1, 3000, 1e-5),
        ("Adamax::new()", 0.1, 3000, 1e-6),
        ("NAdam::new()", 0.1, 3000, 1e-6),
        // Its first steps are plain descent, for which this must be slow.
        ("RAdam::new()", 0.01, 20_000, 1e-6),
        ("Lion::new()", 0.02, 3000, 1e-4),
        ("Rprop::new()", 0.1, 300, 1e-5),
        ("Rprop::new().backtracking()", 0.1, 300, 1e-5),
        ("Sarprop::new()", 0.1, 3000, 1e-5),
        ("Quickprop::new().mu(1.25).decay(0.0)", 0.01, 300, 1e-5),
        ("Adam::new().cautious()", 0.1, 3000, 1e-5),
        ("Lion::new().cautious()", 0.02, 3000, 1e-4),
        // Its minimum is at 1/(1+λ) of the way.
        ("Asgd::new()", 0.01, 6000, 1e-3),
        ("ScheduleFreeSgd::new()", 0.015, 20_000, 0.1),
        ("ScheduleFreeAdam::new()", 0.1, 3000, 0.05),
    ];
    for (name, rate, steps, tolerance) in rates {
        let w = descend(rule(name), [9.0; 3], rate, steps, cost, gradient);
        for (w, minimum) in w.iter().zip(minimum) {
            assert!(
                (w - minimum).abs() < tolerance,
                "{name}: {w} instead of {minimum}"
            );
        }
    }
}

/// (1−x)² + 100(y−x²)², the banana of Rosenbrock (1960), from his own start.
#[test]
fn the_minimum_of_rosenbrock() {
    let cost = |&[x, y]: &[f64; 2]| (1.0 - x) * (1.0 - x) + 100.0 * (y - x * x) * (y - x * x);
    let gradient = |&[x, y]: &[f64; 2]| {
        [
            2.0 * (x - 1.0) - 400.0 * x * (y - x * x),
            200.0 * (y - x * x),
        ]
    };
    let rates = [
        ("Adagrad::new()", 0.5, 60_000, 1e-3),
        ("RmsProp::new()", 0.01, 20_000, 1e-2),
        ("RmsProp::new().momentum(0.9)", 1e-3, 20_000, 1e-2),
        ("RmsProp::new().centered()", 1e-3, 40_000, 1e-2),
        ("Adadelta::new()", 0.3, 20_000, 1e-4),
        ("Adam::new().beta2(0.5).amsgrad()", 0.3, 20_000, 1e-3),
        ("Adamax::new()", 0.02, 20_000, 1e-3),
        ("NAdam::new()", 0.02, 20_000, 1e-3),
        ("RAdam::new()", 0.003, 20_000, 1e-3),
        ("Lion::new()", 1e-3, 40_000, 1e-2),
        ("Rprop::new()", 0.01, 5000, 1e-2),
        ("Rprop::new().backtracking()", 0.01, 5000, 1e-2),
        ("Adam::new().cautious()", 0.02, 20_000, 1e-3),
        ("NAdam::new().cautious()", 0.02, 20_000, 1e-3),
    ];
    for (name, rate, steps, tolerance) in rates {
        let [x, y] = descend(rule(name), [-1.2, 1.0], rate, steps, cost, gradient);
        assert!(
            (x - 1.0).abs() < tolerance && (y - 1.0).abs() < tolerance,
            "{name}: ({x}, {y})"
        );
    }
}

/// Matrices that are worth several threads, and layers that freeze and thaw: the same bits on any
/// number of threads, and the inner layers alone are matrices.
#[cfg(feature = "parallel")]
#[test]
fn matrices_on_threads() -> Result<()> {
    let data = Dataset::new(
        DMatrix::from_fn(20, 16, |i, j| ((i * 7 + j * 31) as f32).sin()),
        DMatrix::from_fn(3, 16, |i, j| ((i + j) as f32).cos()),
    )?;
    let fit = |threads| {
        let mut net = Sequential::builder(20)
            .layer(Dense::new(150, Activation::Tanh))
            .layer(Dense::new(200, Activation::Tanh))
            .layer(Dense::new(120, Activation::Tanh))
            .layer(Dense::new(3, Activation::Linear))
            .seed(1)
            .build()?;
        let matrices: Vec<_> = net
            .default_groups()
            .into_iter()
            .flat_map(|group| group.matrices)
            .map(|matrix| (matrix.range.start, matrix.range.len(), matrix.rows))
            .collect();
        assert_eq!(
            matrices,
            [
                (21 * 150, 150 * 200, 200),
                (21 * 150 + 151 * 200, 200 * 120, 120)
            ]
        );
        let mut trainer = Trainer::new(MeanSquaredError, Muon::new())
            .epochs(2)
            .batch_size(8)
            .threads(threads)
            .freeze([1]);
        let start = net.clone();
        trainer.fit(&mut net, &data)?;
        assert_eq!(net.weights(1)?, start.weights(1)?);
        let mut trainer = trainer.freeze([0]);
        trainer.fit(&mut net, &data)?;
        assert!(net.weights(1)? != start.weights(1)?);
        let state = trainer.optimizer().state().slots.concat();
        let all = net.params().iter().chain(&state);
        Ok::<_, Error>(all.map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    let expected = fit(1)?;
    assert!(fit(2)? == expected && fit(3)? == expected);
    Ok(())
}

/// The singular values of an orthogonalized matrix are near to 1, whatever its shape and size.
#[test]
fn matrices_are_turned() -> Result<()> {
    for (rows, cols, scale) in [(4, 4, 1.0), (3, 40, 1e30), (50, 7, 1e-9), (1, 5, 1.0)] {
        let g = DMatrix::from_fn(rows, cols, |i, j| {
            scale * ((i * i + 3 * j) as f32 * 0.7).sin()
        });
        let groups = [Group {
            matrices: vec![Matrix {
                range: 0..rows * cols,
                rows,
            }],
            ..Group::new(0..rows * cols)
        }];
        let mut w = vec![0.0_f32; rows * cols];
        let rate = 5.0 / (rows.max(cols) as f64).sqrt();
        Muon::new().step(rate, &mut w, g.as_slice(), &groups)?;
        let turned = DMatrix::from_column_slice(rows, cols, &w);
        let [before, after] = [g, turned].map(|matrix| matrix.singular_values());
        for (before, after) in before.iter().zip(&after) {
            // Of directions that are as good as absent, nothing can be said.
            if *before > 0.02 * scale {
                assert!(
                    (0.3..1.3).contains(after),
                    "{rows} × {cols}: {before} is {after}"
                );
            }
        }
    }
    Ok(())
}

/// Matrices that are none are refused.
#[test]
fn matrices_that_do_not_fit() {
    for (range, rows) in [(0..5, 2), (3..7, 2), (0..4, 0), (2..2, 1), (4..8, 2)] {
        let matrices = vec![
            Matrix {
                range: 0..2,
                rows: 1,
            },
            Matrix {
                range: range.clone(),
                rows,
            },
        ];
        let groups = [Group {
            matrices,
            ..Group::new(0..6)
        }];
        let mut w = [1.0; 8];
        for mut rule in [rule::<f64>("Muon::new()"), rule("Sgd::new()")] {
            let error = rule
                .step(0.1, &mut w, &[1.0; 8], &groups)
                .expect_err("no matrix");
            assert_eq!(
                (error.kind(), error.place()),
                (ErrorKind::Shape, "matrix 1 of group 0"),
                "{range:?}"
            );
        }
        assert_eq!(w, [1.0; 8]);
    }
}

/// As many parameters as are worth several threads: the same bits on any number of them.
#[cfg(feature = "parallel")]
#[test]
fn on_threads() -> Result<()> {
    use chainrule::nn::loss::QuadraticCost;
    use chainrule::rand::SeedableRng;
    use chainrule::rand::rngs::Xoshiro256PlusPlus;

    let data = Dataset::new(
        DMatrix::from_fn(200, 8, |i, j| ((i * 7 + j * 31) as f32).sin()),
        DMatrix::from_fn(3, 8, |i, j| (i + j) as f32),
    )?;
    for name in names() {
        let fit = |threads| {
            let rng = &mut Xoshiro256PlusPlus::seed_from_u64(1);
            let mut net = Sequential::builder(200)
                .layer(Dense::new(1000, Activation::Tanh))
                .layer(Dense::new(3, Activation::Linear))
                .build_with(rng)?;
            let mut trainer = Trainer::new(QuadraticCost, rule::<f32>(name))
                .epochs(3)
                .batch_size(4)
                .learning_rate(1e-3)
                .threads(threads);
            trainer.fit(&mut net, &data)?;
            let state = trainer.optimizer().state().slots.concat();
            Ok::<_, Error>(
                net.params()
                    .iter()
                    .chain(&state)
                    .map(|x| x.to_bits())
                    .collect::<Vec<_>>(),
            )
        };
        let expected = fit(1)?;
        assert!(fit(3)? == expected, "{name}");
    }
    Ok(())
}
