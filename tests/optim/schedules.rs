//! Schedules: against PyTorch's and Keras', at their ends, and out of range.

use chainrule::ErrorKind;
use chainrule::optim::{ReduceOnPlateau, Schedule};

/// Written by `reference/schedules.py`: schedule, its rates from step 0 on.
const TABLE: &str = include_str!("../reference/schedules.tsv");

/// The rates that the table has of `name`.
fn rates(name: &str) -> Vec<f64> {
    let line = TABLE
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'))
        .unwrap_or_else(|| panic!("{name} has no line in reference/schedules.tsv"));
    line.split(' ')
        .map(|rate| rate.parse().expect("a number"))
        .collect()
}

#[test]
fn as_pytorch_and_keras() {
    for schedule in Schedule::samples() {
        let expected = rates(&format!("{schedule:?}"));
        assert!(expected.len() > 4);
        for (t, expected) in expected.into_iter().enumerate() {
            let rate = schedule.rate(t as u64);
            assert!(
                (rate - expected).abs() < 1e-14,
                "{schedule:?} at step {t} is {rate}, not {expected}"
            );
        }
    }
}

#[test]
fn plateaus_as_pytorch() {
    let half = ReduceOnPlateau {
        factor: 0.5,
        patience: 2,
        min_change: 0.05,
        ..ReduceOnPlateau::new()
    };
    let cooling = ReduceOnPlateau {
        patience: 1,
        min_change: 0.0,
        cooldown: 3,
        min: 0.005,
        ..ReduceOnPlateau::default()
    };
    for (name, mut plateau) in [("plateau", half), ("plateau cooldown", cooling)] {
        plateau.check().expect("sound settings");
        let (values, expected) = (rates("values"), rates(name));
        for (i, (value, expected)) in values.into_iter().zip(expected).enumerate() {
            // A copy is all that must be kept.
            plateau = plateau.clone();
            let multiplier = plateau.observe(value);
            assert!(
                (multiplier - expected).abs() < 1e-15,
                "{name} after value {i}, {value}: {multiplier}, not {expected}"
            );
            plateau.check().expect("a sound state");
        }
    }
}

/// Every schedule is finite and not negative wherever it is asked, and has come to its end beyond
/// the end.
#[test]
fn at_the_ends() {
    let edges = [
        0,
        1,
        2,
        6,
        29,
        30,
        31,
        49,
        50,
        1 << 24,
        1 << 32,
        (1 << 53) + 1,
        u64::MAX - 1,
        u64::MAX,
    ];
    let steps = u64::MAX;
    let long = [
        Schedule::Step {
            rate: 0.5,
            factor: 1e-300,
            every: steps,
        },
        Schedule::Polynomial {
            rate: 0.0,
            end: 0.5,
            power: 1e-300,
            steps,
        },
        Schedule::Polynomial {
            rate: f64::MAX,
            end: 0.5,
            power: 1e300,
            steps,
        },
        Schedule::Cosine {
            rate: f64::MAX,
            min: 0.0,
            steps,
        },
        Schedule::WarmRestarts {
            rate: 0.5,
            min: 0.5,
            steps,
            factor: steps,
            peak_factor: 1.0,
        },
        Schedule::WarmRestarts {
            rate: 0.5,
            min: 0.0,
            steps: 1,
            factor: steps,
            peak_factor: 1.0,
        },
        Schedule::WarmRestarts {
            rate: 0.5,
            min: 0.0,
            steps: 1,
            factor: 1,
            peak_factor: 1.0,
        },
        Schedule::OneCycle {
            rate: 0.5,
            warm: 1e-300,
            div: 1.0,
            final_div: 1.0,
            steps,
        },
        Schedule::OneCycle {
            rate: 0.5,
            warm: 0.999,
            div: f64::MAX,
            final_div: f64::MAX,
            steps: 1,
        },
        Schedule::OneCycle {
            rate: 0.5,
            warm: 0.5,
            div: 25.0,
            final_div: 1e4,
            steps: 2,
        },
        Schedule::InverseTime {
            rate: f64::MAX,
            kappa: f64::MAX,
        },
        Schedule::InverseTimeStep {
            rate: f64::MAX,
            kappa: f64::MAX,
            every: 1,
        },
        Schedule::PolynomialCycles {
            rate: f64::MAX,
            end: 0.5,
            power: 1e-300,
            steps,
        },
        Schedule::PolynomialCycles {
            rate: 0.0,
            end: 0.5,
            power: 2.5,
            steps: 3,
        },
        Schedule::Cyclic {
            rate: f64::MAX,
            min: 0.0,
            up: steps,
            down: steps,
            cycle_factor: 1.0,
            step_factor: 1.0,
        },
        Schedule::Cyclic {
            rate: 0.0,
            min: 0.5,
            up: 1,
            down: 1,
            cycle_factor: 1e-300,
            step_factor: 1e-300,
        },
        Schedule::WarmRestarts {
            rate: 0.5,
            min: 0.25,
            steps: 1,
            factor: 1,
            peak_factor: 1e-300,
        },
        Schedule::from(0.5).warm_up(steps),
        Schedule::from(0.5).warm_up(0),
        Schedule::Exponential {
            rate: 0.5,
            factor: 0.5,
        }
        .warm_up(3)
        .warm_up(5),
    ];
    for schedule in Schedule::samples().into_iter().chain(long) {
        schedule.check().unwrap_or_else(|error| panic!("{error}"));
        for t in edges {
            let rate = schedule.rate(t);
            assert!(
                rate.is_finite() && rate >= 0.0,
                "{schedule:?} at step {t}: {rate}"
            );
        }
    }
    let far = |name: &str| {
        let named = |schedule: &Schedule| format!("{schedule:?}") == name;
        let schedule = Schedule::samples().into_iter().find(named).expect("a name");
        [1000, u64::MAX].map(|t| schedule.rate(t))
    };
    assert_eq!(far("Constant(0.5)"), [0.5; 2]);
    assert_eq!(
        far("MultiStep { rate: 0.5, factor: 0.3, at: [11, 3, 10, 11] }"),
        [0.5 * 0.3_f64.powi(4); 2]
    );
    assert_eq!(
        far("Polynomial { rate: 0.5, end: 0.0, power: 2.5, steps: 30 }"),
        [0.0; 2]
    );
    assert_eq!(far("Cosine { rate: 0.5, min: 0.01, steps: 30 }"), [0.01; 2]);
    assert_eq!(
        far("OneCycle { rate: 0.5, warm: 0.3, div: 25.0, final_div: 10000.0, steps: 50 }"),
        [0.5 / 25.0 / 1e4; 2]
    );
    assert_eq!(far("Exponential { rate: 0.5, factor: 0.9 }")[1], 0.0);
    // The schedules of a rate of 0 stay there.
    assert_eq!(Schedule::from(0.0).warm_up(5).rate(3), 0.0);
}

/// The first steps, by hand.
#[test]
fn warm_ups() {
    let schedule = Schedule::Step {
        rate: 1.0,
        factor: 0.5,
        every: 2,
    }
    .warm_up(3);
    let expected = [0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.5, 0.25];
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(|t| schedule.rate(t)), expected);
    assert_eq!(Schedule::from(0.5).warm_up(0).rate(0), 0.5);
    let schedule = Schedule::custom(|t| t as f64 + 2.0).warm_up(1);
    assert_eq!([0, 1, 2].map(|t| schedule.rate(t)), [1.0, 2.0, 3.0]);
}

/// Where a run of warm restarts ends is no matter of rounding: T₀·(2ⁱ−1), for all i.
#[test]
fn restarts_are_exact() {
    let schedule = Schedule::WarmRestarts {
        rate: 0.5,
        min: 0.25,
        steps: 3,
        factor: 2,
        peak_factor: 1.0,
    };
    for i in 0..62 {
        let start = 3_u128 * ((1 << i) - 1);
        let Ok(start) = u64::try_from(start) else {
            break;
        };
        assert_eq!(schedule.rate(start), 0.5, "run {i}");
        assert!(start == 0 || schedule.rate(start - 1) < 0.44, "run {i}");
    }
}

/// Runs of 4, 8 and 16 steps: in the middle of each the rate is halfway, a quarter of a cosine
/// before and after it likewise.
#[test]
fn restarts_of_factor_2_in_mid_run() {
    let schedule = Schedule::WarmRestarts {
        rate: 0.5,
        min: 0.25,
        steps: 4,
        factor: 2,
        peak_factor: 1.0,
    };
    for (start, length) in [(0, 4), (4, 8), (12, 16)] {
        for (part, share) in [
            (1, 0.5 + 0.5_f64.sqrt() / 2.0),
            (2, 0.5),
            (3, 0.5 - 0.5_f64.sqrt() / 2.0),
        ] {
            let t = start + length * part / 4;
            let want = 0.25 + 0.25 * share;
            assert!(
                (schedule.rate(t) - want).abs() < 1e-15,
                "step {t}: {}, not {want}",
                schedule.rate(t)
            );
        }
    }
}

/// Where an interval ends, and whether its end belongs to it.
#[test]
fn numbers_at_the_end_of_their_range() {
    let sound = [
        Schedule::Step {
            rate: 0.5,
            factor: 1.0,
            every: 1,
        },
        Schedule::MultiStep {
            rate: 0.5,
            factor: 1.0,
            at: vec![3],
        },
        Schedule::Exponential {
            rate: 0.5,
            factor: 1.0,
        },
        Schedule::OneCycle {
            rate: 0.5,
            warm: 0.3,
            div: 1.0,
            final_div: 1.0,
            steps: 1,
        },
    ];
    for schedule in sound {
        schedule.check().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!([0, 5].map(|t| schedule.rate(t)), [0.5; 2], "{schedule:?}");
    }
    for warm in [0.0, 1.0] {
        let error = Schedule::OneCycle {
            rate: 0.5,
            warm,
            div: 25.0,
            final_div: 1e4,
            steps: 9,
        }
        .check()
        .expect_err("no way down");
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Value, "warm of Schedule::OneCycle")
        );
    }
}

#[test]
fn numbers_out_of_range() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let mut cases: Vec<(String, Schedule)> = vec![];
    for bad in [-0.1, nan, inf] {
        let mut case =
            |name: &str, schedule| cases.push((format!("{name} of Schedule::"), schedule));
        case("rate", bad.into());
        case("rate", Schedule::from(bad).warm_up(3));
        case(
            "rate",
            Schedule::Step {
                rate: bad,
                factor: 0.5,
                every: 1,
            },
        );
        case(
            "rate",
            Schedule::MultiStep {
                rate: bad,
                factor: 0.5,
                at: vec![],
            },
        );
        case(
            "rate",
            Schedule::Exponential {
                rate: bad,
                factor: 0.5,
            },
        );
        case(
            "rate",
            Schedule::InverseTime {
                rate: bad,
                kappa: 0.5,
            },
        );
        case(
            "kappa",
            Schedule::InverseTime {
                rate: 0.5,
                kappa: bad,
            },
        );
        case(
            "rate",
            Schedule::Polynomial {
                rate: bad,
                end: 0.0,
                power: 1.0,
                steps: 1,
            },
        );
        case(
            "end",
            Schedule::Polynomial {
                rate: 0.5,
                end: bad,
                power: 1.0,
                steps: 1,
            },
        );
        case(
            "power",
            Schedule::Polynomial {
                rate: 0.5,
                end: 0.0,
                power: bad,
                steps: 1,
            },
        );
        case(
            "rate",
            Schedule::Cosine {
                rate: bad,
                min: 0.0,
                steps: 1,
            },
        );
        case(
            "min",
            Schedule::Cosine {
                rate: 0.5,
                min: bad,
                steps: 1,
            },
        );
        case(
            "rate",
            Schedule::WarmRestarts {
                rate: bad,
                min: 0.0,
                steps: 1,
                factor: 1,
                peak_factor: 1.0,
            },
        );
        case(
            "min",
            Schedule::WarmRestarts {
                rate: 0.5,
                min: bad,
                steps: 1,
                factor: 1,
                peak_factor: 1.0,
            },
        );
        case(
            "min",
            Schedule::Cyclic {
                rate: 0.5,
                min: bad,
                up: 1,
                down: 1,
                cycle_factor: 1.0,
                step_factor: 1.0,
            },
        );
        for (name, rate, kappa) in [("rate", bad, 0.5), ("kappa", 0.5, bad)] {
            let every = 1;
            case(name, Schedule::InverseTimeStep { rate, kappa, every });
        }
        for (name, rate, end, power) in [
            ("rate", bad, 0.0, 1.0),
            ("end", 0.5, bad, 1.0),
            ("power", 0.5, 0.0, bad),
        ] {
            let steps = 1;
            case(
                name,
                Schedule::PolynomialCycles {
                    rate,
                    end,
                    power,
                    steps,
                },
            );
        }
        case(
            "rate",
            Schedule::OneCycle {
                rate: bad,
                warm: 0.3,
                div: 25.0,
                final_div: 1e4,
                steps: 9,
            },
        );
    }
    for bad in [0.0, -0.5, 1.5, nan, inf] {
        let mut case =
            |name: &str, schedule| cases.push((format!("{name} of Schedule::"), schedule));
        case(
            "factor",
            Schedule::Step {
                rate: 0.5,
                factor: bad,
                every: 1,
            },
        );
        case(
            "factor",
            Schedule::MultiStep {
                rate: 0.5,
                factor: bad,
                at: vec![],
            },
        );
        case(
            "factor",
            Schedule::Exponential {
                rate: 0.5,
                factor: bad,
            },
        );
        case(
            "peak_factor",
            Schedule::WarmRestarts {
                rate: 0.5,
                min: 0.0,
                steps: 1,
                factor: 1,
                peak_factor: bad,
            },
        );
        for (name, cycle_factor, step_factor) in
            [("cycle_factor", bad, 1.0), ("step_factor", 1.0, bad)]
        {
            case(
                name,
                Schedule::Cyclic {
                    rate: 0.5,
                    min: 0.0,
                    up: 1,
                    down: 1,
                    cycle_factor,
                    step_factor,
                },
            );
        }
        case(
            "warm",
            Schedule::OneCycle {
                rate: 0.5,
                warm: bad,
                div: 25.0,
                final_div: 1e4,
                steps: 9,
            },
        );
    }
    for bad in [0.5, -1.0, nan, inf] {
        let mut case =
            |name: &str, schedule| cases.push((format!("{name} of Schedule::OneCycle"), schedule));
        case(
            "div",
            Schedule::OneCycle {
                rate: 0.5,
                warm: 0.5,
                div: bad,
                final_div: 1e4,
                steps: 9,
            },
        );
        case(
            "final_div",
            Schedule::OneCycle {
                rate: 0.5,
                warm: 0.5,
                div: 25.0,
                final_div: bad,
                steps: 9,
            },
        );
    }
    let steps = 0;
    cases.push((
        "every of Schedule::Step".into(),
        Schedule::Step {
            rate: 0.5,
            factor: 0.5,
            every: 0,
        },
    ));
    for (name, up, down) in [("up", 0, 1), ("down", 1, 0)] {
        cases.push((
            format!("{name} of Schedule::Cyclic"),
            Schedule::Cyclic {
                rate: 0.5,
                min: 0.0,
                up,
                down,
                cycle_factor: 1.0,
                step_factor: 1.0,
            },
        ));
    }
    cases.push((
        "every of Schedule::InverseTimeStep".into(),
        Schedule::InverseTimeStep {
            rate: 0.5,
            kappa: 0.5,
            every: 0,
        },
    ));
    cases.push((
        "steps of Schedule::PolynomialCycles".into(),
        Schedule::PolynomialCycles {
            rate: 0.5,
            end: 0.0,
            power: 1.0,
            steps: 0,
        },
    ));
    cases.push((
        "power of Schedule::Polynomial".into(),
        Schedule::Polynomial {
            rate: 0.5,
            end: 0.0,
            power: 0.0,
            steps: 1,
        },
    ));
    cases.push((
        "steps of Schedule::Polynomial".into(),
        Schedule::Polynomial {
            rate: 0.5,
            end: 0.0,
            power: 1.0,
            steps,
        },
    ));
    cases.push((
        "steps of Schedule::Cosine".into(),
        Schedule::Cosine {
            rate: 0.5,
            min: 0.0,
            steps,
        },
    ));
    cases.push((
        "steps of Schedule::WarmRestarts".into(),
        Schedule::WarmRestarts {
            rate: 0.5,
            min: 0.0,
            steps,
            factor: 1,
            peak_factor: 1.0,
        },
    ));
    cases.push((
        "factor of Schedule::WarmRestarts".into(),
        Schedule::WarmRestarts {
            rate: 0.5,
            min: 0.0,
            steps: 1,
            factor: 0,
            peak_factor: 1.0,
        },
    ));
    let cycle = Schedule::OneCycle {
        rate: 0.5,
        warm: 0.3,
        div: 25.0,
        final_div: 1e4,
        steps,
    };
    cases.push(("steps of Schedule::OneCycle".into(), cycle));
    for (place, schedule) in cases {
        let error = schedule.check().expect_err("out of range");
        assert_eq!(error.kind(), ErrorKind::Value);
        assert!(
            error.place().starts_with(&place),
            "{error} for {schedule:?}"
        );
        // Asked all the same, it does not panic.
        for t in [0, 1, 9, u64::MAX] {
            schedule.rate(t);
        }
    }

    let plateau = ReduceOnPlateau::new;
    let cases = [
        (
            "factor",
            [0.0, 1.0, nan].map(|factor| ReduceOnPlateau {
                factor,
                ..plateau()
            }),
        ),
        (
            "min_change",
            [-1.0, nan, inf].map(|min_change| ReduceOnPlateau {
                min_change,
                ..plateau()
            }),
        ),
        (
            "min",
            [-0.1, 1.1, nan].map(|min| ReduceOnPlateau { min, ..plateau() }),
        ),
        (
            "multiplier",
            [-0.1, 1.1, nan].map(|multiplier| ReduceOnPlateau {
                multiplier,
                ..plateau()
            }),
        ),
    ];
    for (name, plateaus) in cases {
        for plateau in plateaus {
            let error = plateau.check().expect_err("out of range");
            assert_eq!(error.place(), format!("{name} of ReduceOnPlateau"));
        }
    }
    assert_eq!(
        ReduceOnPlateau {
            best: nan,
            ..plateau()
        }
        .check()
        .expect_err("a best value")
        .place(),
        "best of ReduceOnPlateau"
    );
}

/// A counter at its end stays there.
#[test]
fn plateaus_of_long_patience() {
    let mut plateau = ReduceOnPlateau {
        patience: u64::MAX,
        bad: u64::MAX,
        best: 0.0,
        ..ReduceOnPlateau::new()
    };
    assert_eq!((plateau.observe(1.0), plateau.bad), (1.0, u64::MAX));
    assert_eq!(
        (plateau.observe(-1.0), plateau.bad, plateau.best),
        (1.0, 0, -1.0)
    );
}

/// Whatever is counted in epochs has, at the beginning of each, the rate that it has at that step;
/// in between, that of as many steps where they are steps of its own.
#[test]
fn counted_in_epochs() {
    for schedule in Schedule::samples() {
        let in_epochs = schedule.clone().in_epochs();
        assert!(in_epochs.check().is_ok());
        assert!(
            (0..60).all(|t| in_epochs.rate(t).is_nan()),
            "nobody has said how long one is"
        );
        for t in 0..60 {
            // An epoch of one step.
            assert_eq!(
                in_epochs.rate_in_run(t, 1, 60),
                schedule.rate(t),
                "{schedule:?}"
            );
            assert_eq!(schedule.rate_in_run(t, 7, 60), schedule.rate(t));
            let rate = in_epochs.rate_in_run(7 * t, 7, 60);
            // These two know single steps.
            if !matches!(
                schedule,
                Schedule::WarmUp { .. } | Schedule::OneCycle { .. }
            ) {
                let expected = schedule.rate(t);
                assert!(
                    (rate - expected).abs() <= 1e-15,
                    "{schedule:?}: {rate}, {expected}"
                );
            }
        }
    }
    let stretched = |rate, steps| Schedule::Cosine {
        rate,
        min: 0.01,
        steps,
    };
    let cycle = |steps| Schedule::OneCycle {
        rate: 0.5,
        warm: 0.3,
        div: 25.0,
        final_div: 1e4,
        steps,
    };
    let pairs = [
        (stretched(0.5, 10), stretched(0.5, 70)),
        (
            stretched(0.5, 10).warm_up(3),
            stretched(0.5, 70).warm_up(21),
        ),
        (cycle(10), cycle(70)),
        (
            Schedule::Sequential {
                schedules: vec![cycle(4), stretched(0.5, 3).warm_up(1)],
                milestones: vec![4],
            },
            Schedule::Sequential {
                schedules: vec![cycle(28), stretched(0.5, 21).warm_up(7)],
                milestones: vec![28],
            },
        ),
    ];
    for (epochs, steps) in pairs {
        let epochs = epochs.in_epochs();
        for t in 0..100 {
            assert_eq!(
                epochs.rate_in_run(t, 7, 20),
                steps.rate(t),
                "{steps:?} at {t}"
            );
        }
    }
    let whole = Schedule::custom(|t| t as f64).in_epochs();
    assert_eq!(
        [0, 6, 7, 20, 21].map(|t| whole.rate_in_run(t, 7, 9)),
        [0.0, 0.0, 1.0, 2.0, 3.0]
    );
}

/// A hundred of its steps are the run.
#[test]
fn counted_in_percent() {
    for schedule in Schedule::samples() {
        let percent = schedule.clone().in_percent();
        assert!(percent.check().is_ok() && percent.rate(0).is_nan());
        for t in 0..100 {
            assert_eq!(
                percent.rate_in_run(t, 10, 10),
                schedule.rate(t),
                "{schedule:?}"
            );
            assert_eq!(percent.rate_in_run(t, 100, 1), schedule.rate(t));
        }
        // Runs of any length, and what comes after their end.
        for (batches, epochs) in [(1, 1), (3, 7), (1, 1000), (17, 0), (0, 3), (u64::MAX, 3)] {
            for t in [0, 1, 5, 1000, u64::MAX] {
                let rate = percent.rate_in_run(t, batches, epochs);
                assert!(rate.is_finite() && rate >= 0.0, "{schedule:?} at {t}");
            }
        }
    }
    // The last step of the run has the last rate.
    let cycle = Schedule::OneCycle {
        rate: 0.5,
        warm: 0.3,
        div: 25.0,
        final_div: 1e4,
        steps: 100,
    };
    let in_steps = Schedule::OneCycle {
        rate: 0.5,
        warm: 0.3,
        div: 25.0,
        final_div: 1e4,
        steps: 42,
    };
    for t in 0..42 {
        let (found, expected) = (
            cycle.clone().in_percent().rate_in_run(t, 6, 7),
            in_steps.rate(t),
        );
        assert!((found - expected).abs() < 1e-15, "{t}: {found}, {expected}");
    }
    // From step to step.
    let warm = Schedule::from(0.5).warm_up(50).in_percent();
    assert_eq!(
        [0, 1, 2, 3, 4].map(|t| warm.rate_in_run(t, 3, 2)),
        [0.125, 0.25, 0.375, 0.5, 0.5]
    );
}

/// A unit within a unit, a sequence or a warm-up has no beginning of its own.
#[test]
fn units_stand_outermost() {
    let line = || Schedule::Polynomial {
        rate: 0.5,
        end: 0.0,
        power: 1.0,
        steps: 100,
    };
    let product = |schedules| Schedule::Product { schedules };
    let sound = product(vec![
        line().in_percent(),
        Schedule::from(1.0).warm_up(20).in_epochs(),
        line(),
    ]);
    assert!(sound.check().is_ok());
    assert!(sound.rate(3).is_nan());
    let expected = line().in_percent().rate_in_run(9, 5, 4)
        * Schedule::from(1.0)
            .warm_up(20)
            .in_epochs()
            .rate_in_run(9, 5, 4)
        * line().rate(9);
    assert_eq!(sound.rate_in_run(9, 5, 4), expected);
    let sequence = Schedule::Sequential {
        schedules: vec![line(), line().in_epochs()],
        milestones: vec![3],
    };
    for (schedule, place) in [
        (line().in_epochs().in_epochs(), "Schedule::Counted"),
        (
            line().in_epochs().warm_up(3).in_percent(),
            "Schedule::Counted",
        ),
        (
            product(vec![line().in_epochs()]).in_percent(),
            "Schedule::Counted",
        ),
        (line().in_percent().warm_up(3), "Schedule::WarmUp"),
        (sequence.clone(), "Schedule::Sequential"),
        (sequence.in_epochs(), "Schedule::Sequential"),
        (
            product(vec![line().in_percent().warm_up(3)]),
            "schedule 0 of Schedule::Product",
        ),
        (
            Schedule::from(-1.0).in_epochs(),
            "rate of Schedule::Constant",
        ),
    ] {
        let error = schedule.check().expect_err(place);
        assert_eq!(error.kind(), ErrorKind::Value);
        assert!(error.place().starts_with(place), "{error}");
        // Asked all the same, it does not panic.
        schedule.rate_in_run(7, 2, 5);
    }
}
