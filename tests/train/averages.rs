//! Rules that average: the network is the average whenever nothing is stepping, and training goes
//! on to the same bits.

#[cfg(feature = "std")]
use crate::{Limit, common::Folder};
use chainrule::ErrorKind;
use chainrule::nn::BatchNorm;
use chainrule::optim::*;
use chainrule::prelude::*;

type Any = Box<dyn Optimizer<f64>>;

const RULES: usize = 8;

fn rules() -> [Any; RULES] {
    [
        Box::new(Asgd::new().lambd(0.01).t0(3.0)),
        Box::new(ScheduleFreeSgd::new().r(1.0)),
        Box::new(ScheduleFreeAdam::new()),
        Box::new(Ema::new(Adam::new(), 0.8)),
        Box::new(Ema::new(Box::new(Sgd::new()) as Any, 0.5).uncorrected()),
        Box::new(Swa::new(Sgd::new().momentum(0.9), 4).every(3)),
        // The average of the first epochs is what steps change.
        Box::new(Swa::new(Adam::new().cautious(), 30)),
        Box::new(Swa::new(Sgd::new(), 2).every(2).in_epochs()),
    ]
}

fn rule(index: usize) -> Any {
    rules().into_iter().nth(index).expect("a rule")
}

fn data(samples: usize) -> Dataset<f64> {
    let x = DMatrix::from_fn(2, samples, |i, j| ((i + 3) * (j + 1)) as f64 * 0.37);
    let x = x.map(f64::sin);
    let t = DMatrix::from_fn(1, samples, |_, j| x[(0, j)] * x[(1, j)]);
    Dataset::new(x, t).expect("sound data")
}

fn net() -> Sequential<f64> {
    Sequential::builder(2)
        .layer(Dense::new(6, Activation::Tanh))
        .layer(BatchNorm::new())
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network")
}

fn trainer<'a>(rule: Any) -> Trainer<'a, f64> {
    Trainer::new(MeanSquaredError, rule)
        .batch_size(4)
        .learning_rate(Schedule::from(0.05).warm_up(5))
}

/// What a loop of one's own does is what a trainer does: as many epochs at once, one by one, or as
/// single steps.
#[test]
fn as_a_loop_of_ones_own() -> Result<()> {
    let data = data(12);
    for i in 0..RULES {
        let rule = || rule(i);
        // The samples in order, in batches of four.
        let (mut own, mut tape, mut w) = (rule(), Tape::new(), net());
        let groups = w.default_groups();
        let schedule = Schedule::from(0.05).warm_up(5);
        for t in 0..18 {
            let batch: Vec<usize> = (0..4).map(|k| (4 * t + k) % 12).collect();
            let batch = data.select(&batch)?;
            let cost = w.gradient(batch.inputs(), &batch, &MeanSquaredError, &mut tape)?;
            own.note_cost(cost);
            own.step(
                schedule.rate(t as u64),
                w.params_mut(),
                tape.grads(),
                &groups,
            )?;
            if t % 3 == 2 {
                own.note_epoch(w.params(), &groups);
            }
        }
        let iterate = w.clone();
        own.swap_average(w.params_mut())?;
        // Nothing is in the average of the one that begins later.
        assert_eq!(w == iterate, i == 6);
        let stepped = w.clone();
        w.update_statistics(data.inputs(), 4, &mut tape)?;
        assert_ne!(w, stepped);

        let mut at_once = net();
        let mut trainer = trainer(rule()).shuffle(false).epochs(6);
        trainer.fit(&mut at_once, &data)?;
        assert_eq!(at_once, w);
        assert_eq!(trainer.optimizer().state(), own.state());

        let mut parts = net();
        let mut trainer = self::trainer(rule()).shuffle(false).epochs(2);
        for _ in 0..3 {
            trainer.fit(&mut parts, &data)?;
        }
        assert_eq!(parts, w);

        if i == 7 {
            continue; // which counts epochs, of which single steps know nothing
        }
        let mut single = net();
        let mut trainer = self::trainer(rule());
        for t in 0..18 {
            let batch: Vec<usize> = (0..4).map(|k| (4 * t + k) % 12).collect();
            let batch = data.select(&batch)?;
            trainer.step(&mut single, batch.inputs(), &batch)?;
        }
        assert_eq!(single, stepped);
        assert_eq!(trainer.optimizer().state(), own.state());
    }
    Ok(())
}

/// Validation, the best parameters, callbacks and what `fit` leaves are those of the average; a
/// second call goes on from the latest.
#[test]
fn what_is_seen_is_the_average() -> Result<()> {
    let (data, judge) = (data(20), data(9));
    for i in 0..RULES {
        let mut seen = Vec::new();
        let mut net = net();
        let mut trainer = trainer(rule(i))
            .epochs(8)
            .validation_data(&judge)
            .restore_best(Monitor::ValidationCost)
            .on_epoch(|epoch, net| {
                seen.push((epoch.validation_cost, net.clone()));
                core::ops::ControlFlow::Continue(())
            });
        let history = trainer.fit(&mut net, &data)?;
        let best = history
            .best(&Monitor::ValidationCost)
            .expect("an epoch")
            .epoch;
        trainer.fit(&mut net, &data)?;
        drop(trainer);
        let mut tape = Tape::new();
        for (cost, net) in &seen {
            let found = net.cost(judge.inputs(), &judge, &MeanSquaredError, &mut tape)?;
            assert_eq!(*cost, Some(found));
        }
        let mut whole = self::net();
        self::trainer(rule(i)).epochs(16).fit(&mut whole, &data)?;
        assert_eq!(seen[15].1, whole);
        let mut first = self::net();
        self::trainer(rule(i))
            .epochs(best + 1)
            .fit(&mut first, &data)?;
        assert_eq!(seen[best].1, first);
    }
    Ok(())
}

/// Neither running statistics nor frozen layers are averaged; layers that thaw learn on. What steps
/// change keeps its statistics, the average has those that the data give it.
#[test]
fn what_is_not_averaged() -> Result<()> {
    let data = data(20);
    for rule in rules() {
        let (start, mut net) = (net(), net());
        let mut trainer = trainer(rule).freeze([0]).epochs(3);
        trainer.fit(&mut net, &data)?;
        assert_eq!(net.weights(0)?, start.weights(0)?);
        assert_ne!(net.weights(2)?, start.weights(2)?);
        let slots = &trainer.optimizer().state().slots;
        for group in net.default_groups().iter().filter(|group| group.statistic) {
            let range = group.range.clone();
            assert_ne!(slots[0][range.clone()], start.params()[range.clone()]);
            assert_ne!(net.params()[range.clone()], slots[0][range]);
        }
        let mut anew = net.clone();
        anew.update_statistics(data.inputs(), 4, &mut Tape::new())?;
        assert_eq!(net, anew);
        let frozen = net.clone();
        let mut trainer = trainer.freeze([]);
        trainer.fit(&mut net, &data)?;
        let change = (net.weights(0)? - frozen.weights(0)?).norm();
        assert!(change > 1e-6 && change < 1.0, "{change}");
    }
    Ok(())
}

/// A network that was changed on purpose is where training goes on.
#[test]
fn networks_that_were_changed() -> Result<()> {
    let data = data(20);
    for rule in rules() {
        let mut net = net();
        let rate = Schedule::custom(|t| if t < 10 { 0.05 } else { 0.0 });
        let mut trainer = trainer(rule).epochs(2).learning_rate(rate);
        trainer.fit(&mut net, &data)?;
        for w in net.params_mut() {
            *w *= 0.5;
        }
        trainer.continue_with(&net);
        // At a rate of 0 nothing moves but the statistics.
        let before = net.clone();
        trainer.fit(&mut net, &data)?;
        for layer in [0, 2] {
            assert_eq!(net.weights(layer)?, before.weights(layer)?);
        }
        let state = trainer.optimizer().state();
        let first = state.slots[0].iter().take(12);
        assert!(first.zip(before.params()).all(|(slot, w)| slot == w));
    }
    Ok(())
}

/// An epoch that fails takes network and rule back to the average before it.
#[test]
fn back_to_the_last_epoch() -> Result<()> {
    let data = data(20);
    for i in 0..RULES {
        let mut net = net();
        let rate = Schedule::custom(|t| if t < 12 { 0.05 } else { 1e200 });
        let mut trainer = trainer(rule(i)).epochs(5).learning_rate(rate);
        let error = trainer
            .fit(&mut net, &data)
            .expect_err("a rate beyond all bounds");
        assert!(
            matches!(error.kind(), ErrorKind::Diverged { .. }),
            "{error}"
        );
        let epochs = trainer.epoch();
        assert!(epochs >= 2, "{error}");
        let mut good = self::net();
        let mut same = self::trainer(rule(i)).epochs(epochs).learning_rate(0.05);
        same.fit(&mut good, &data)?;
        assert_eq!(net, good);
        assert_eq!(trainer.optimizer().state(), same.optimizer().state());
    }
    Ok(())
}

/// Constraints would hold for what is averaged, not for the average.
#[test]
fn no_constraints() {
    for rule in rules() {
        let (mut net, data) = (net(), data(20));
        let error = trainer(rule)
            .constrain(Constraint::MaxNorm(1.0))
            .fit(&mut net, &data)
            .expect_err("an average that may be anywhere");
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Incompatible, "constraints of Trainer")
        );
    }
}

/// PyTorch's `AveragedModel` with `update_bn`, around three of its rules.
#[test]
fn as_pytorch() -> Result<()> {
    let data = data(12);
    let table = include_str!("../reference/averages.tsv");
    let mut lines = 0;
    for line in table.lines() {
        let mut cells = line.split('\t');
        let (name, average) = (
            cells.next().expect("a rule"),
            cells.next().expect("an average"),
        );
        let expected: Vec<f64> = cells.map(|cell| cell.parse().expect("a number")).collect();
        let (rate, plain): (f64, Any) = match name {
            "Sgd" => (0.1, Box::new(Sgd::new())),
            "Momentum" => (0.05, Box::new(Sgd::new().momentum(0.9))),
            _ => (0.05, Box::new(Adam::new())),
        };
        let rule: Any = match average {
            "uncorrected" => Box::new(Ema::new(plain, 0.9).uncorrected()),
            "corrected" => Box::new(Ema::new(plain, 0.9)),
            "swa from step 5 every 3" => Box::new(Swa::new(plain, 5).every(3)),
            "swa from epoch 2 every 2" => Box::new(Swa::new(plain, 2).every(2).in_epochs()),
            _ => panic!("{average}"),
        };
        let mut net = Sequential::<f64>::builder(2)
            .layer(Dense::new(4, Activation::Linear).without_bias())
            .layer(BatchNorm::new())
            .layer(Activation::Tanh)
            .layer(Dense::new(1, Activation::Linear))
            .build()?;
        let mut count = 0.0;
        for range in [0..8, 24..29] {
            for w in &mut net.params_mut()[range] {
                count += 1.0;
                *w = f64::sin(1.7 * count);
            }
        }
        Trainer::new(MeanSquaredError, rule)
            .learning_rate(rate)
            .batch_size(4)
            .shuffle(false)
            .epochs(6)
            .fit(&mut net, &data)?;
        assert_eq!(net.params().len(), expected.len());
        for (i, (w, expected)) in net.params().iter().zip(&expected).enumerate() {
            let place = format!("{name}, {average}, parameter {i}");
            assert!(
                (w - expected).abs() < 1e-12,
                "{place} is {w}, not {expected}"
            );
        }
        lines += 1;
    }
    assert_eq!(lines, 12);
    Ok(())
}

/// The statistics of layers that are frozen belong to them.
#[test]
fn frozen_statistics_stay() -> Result<()> {
    let data = data(20);
    for rule in rules() {
        let mut net = net();
        trainer(rule)
            .freeze([0, 1])
            .epochs(2)
            .fit(&mut net, &data)?;
        assert_eq!(net.params()[18..42], self::net().params()[18..42]);
    }
    Ok(())
}

/// Steps go on as if there were no average, whatever the rule within; also one of a crate that
/// knows nothing of being within.
#[test]
fn the_rule_within_does_not_notice() -> Result<()> {
    /// A rule with no more than what must be there.
    #[derive(Debug)]
    struct Foreign(Adam<f64>);
    impl Optimizer<f64> for Foreign {
        fn step(&mut self, lr: f64, w: &mut [f64], g: &[f64], groups: &[Group]) -> Result<()> {
            self.0.step(lr, w, g, groups)
        }
        fn check(&self) -> Result<()> {
            Optimizer::<f64>::check(&self.0)
        }
        fn state(&self) -> &OptimizerState<f64> {
            self.0.state()
        }
        fn restore(&mut self, state: &OptimizerState<f64>) -> Result<()> {
            self.0.restore(state)
        }
    }
    macro_rules! pairs {
        ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
            vec![$($((stringify!($made), Box::new($made) as Any, Box::new($made) as Any),)+)+]
        };
    }
    let mut pairs = chainrule::every_rule!(pairs);
    pairs.push((
        "foreign",
        Box::new(Adam::new()),
        Box::new(Foreign(Adam::new())),
    ));
    let gradient = |w: &[f64], t: usize| [w[0] - 1.0, 4.0 * w[1], ((t % 3) as f64 - 1.0) * w[2]];
    let groups = [
        Group::new(0..2),
        Group {
            decay: 0.1,
            ..Group::new(2..3)
        },
    ];
    for (name, mut plain, within) in pairs {
        if plain.state().averaged.is_some() {
            continue;
        }
        let mut around = Ema::new(within, 0.9);
        let (mut w, mut v) = ([0.5, -2.0, 3.0], [0.5, -2.0, 3.0]);
        let (mut mean, mut sum) = ([0.0; 3], 0.0);
        for t in 0..30 {
            for (rule, w) in [
                (&mut plain as &mut dyn Optimizer<f64>, &mut w),
                (&mut around, &mut v),
            ] {
                rule.note_cost(w.iter().map(|w| w * w).sum());
                let g = gradient(&w[..], t);
                rule.step(0.02, &mut w[..], &g, &groups)?;
            }
            assert_eq!(w, v, "{name}, step {t}");
            sum = 0.9 * sum + 1.0;
            for (mean, w) in mean.iter_mut().zip(&w) {
                *mean = 0.9 * *mean + w;
            }
            let expected = mean.map(|mean| mean / sum);
            around.swap_average(&mut v)?;
            assert!(
                v.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-13),
                "{name}"
            );
            around.swap_average(&mut v)?;
            assert_eq!(w, v, "{name}, step {t}");
        }
        // What is around it has the state of both.
        let (whole, part) = (around.state(), plain.state());
        assert_eq!(whole.rule, format!("Ema({})", part.rule));
        assert_eq!(
            (whole.step, &whole.slots[1..]),
            (part.step, &part.slots[..])
        );
    }
    Ok(())
}

/// An average of averages, and numbers out of range.
#[test]
fn what_is_refused() {
    let (mut net, data) = (net(), data(20));
    let twice: [(Any, &str); 3] = [
        (Box::new(Ema::new(Asgd::new(), 0.9)), "rule of Ema"),
        (
            Box::new(Swa::new(ScheduleFreeAdam::new(), 3)),
            "rule of Swa",
        ),
        (
            Box::new(Swa::new(Ema::new(Adam::new(), 0.9), 3)),
            "rule of Swa",
        ),
    ];
    for (rule, place) in twice {
        let error = trainer(rule).fit(&mut net, &data).expect_err("twice");
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Incompatible, place)
        );
    }
    let out: [(Any, &str); 5] = [
        (Box::new(Ema::new(Adam::new(), 1.0)), "decay of Ema"),
        (Box::new(Ema::new(Adam::new(), -0.1)), "decay of Ema"),
        (Box::new(Ema::new(Adam::new(), f64::NAN)), "decay of Ema"),
        (Box::new(Swa::new(Adam::new(), 3).every(0)), "every of Swa"),
        (
            Box::new(Ema::new(Adam::new().beta1(2.0), 0.9)),
            "beta1 of Adam",
        ),
    ];
    for (mut rule, place) in out {
        let mut w = [1.0];
        let error = rule
            .step(0.1, &mut w, &[1.0], &Group::all(1))
            .expect_err(place);
        assert_eq!(
            (error.kind(), error.place(), w),
            (ErrorKind::Value, place, [1.0])
        );
    }
    for rule in rules() {
        let mut rule = rule;
        let mut w = [1.0, 2.0];
        rule.step(0.1, &mut w, &[1.0, 2.0], &Group::all(2))
            .expect("a step");
        let (state, before) = (rule.state().clone(), w);
        // Of a rate out of range, and of other lengths, nothing changes.
        assert!(
            rule.step(-0.1, &mut w, &[1.0, 2.0], &Group::all(2))
                .is_err()
        );
        assert!(rule.step(0.1, &mut w, &[1.0], &Group::all(2)).is_err());
        assert!(
            rule.step(0.1, &mut [1.0; 3], &[1.0; 3], &Group::all(3))
                .is_err()
        );
        assert_eq!((rule.state(), w), (&state, before));
        rule.swap_average(&mut w).expect("the average");
        let error = rule
            .step(0.1, &mut w, &[1.0, 2.0], &Group::all(2))
            .expect_err("the average");
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        // Another rule's state, and half of this one's.
        assert!(rule.restore(Optimizer::<f64>::state(&Adam::new())).is_err());
        let halved = OptimizerState {
            slots: state.slots[1..].to_vec(),
            ..state.clone()
        };
        assert!(rule.restore(&halved).is_err());
        rule.restore(&state).expect("its own");
    }
}

/// A rule that has taken steps goes on from them.
#[test]
fn rules_in_the_middle() -> Result<()> {
    let gradient = |w: &[f64]| [2.0 * w[0], w[1] - 1.0];
    for momentum in [0.0, 0.9] {
        let (mut plain, mut w) = (Sgd::new().momentum(momentum), [1.0, 2.0]);
        for _ in 0..5 {
            let g = gradient(&w);
            plain.step(0.1, &mut w, &g, &Group::all(2))?;
        }
        let (mut around, mut v) = (Swa::new(plain.clone(), 7), w);
        for _ in 0..3 {
            let g = gradient(&w);
            plain.step(0.1, &mut w, &g, &Group::all(2))?;
            around.step(0.1, &mut v, &g, &Group::all(2))?;
            assert_eq!(w, v);
        }
        assert_eq!(around.state().step, 8);
        let state = around.state().clone();
        around.restore(&state)?;
        around.swap_average(&mut v)?;
        assert_ne!(w, v);
    }
    Ok(())
}

/// Interrupted within an epoch and gone on with elsewhere: the same network, the same statistics.
#[cfg(feature = "std")]
#[test]
fn resumed_within_an_epoch() -> Result<()> {
    use chainrule::train::CheckpointEvery;
    let (data, judge) = (data(20), data(9));
    let folder = Folder::new("averages");
    let path = folder.file();
    for i in 0..RULES {
        let start = |limit| {
            let trainer = trainer(rule(i))
                .epochs(6)
                .validation_data(&judge)
                .restore_best(Monitor::ValidationCost)
                .checkpoint(&path, CheckpointEvery::Steps(3))
                .observe(Limit(limit));
            (net(), trainer)
        };
        let (mut whole, mut trainer) = start(u64::MAX);
        let history = trainer.fit(&mut whole, &data)?;
        for limit in [1, 3, 12, 15, 29] {
            let (mut net, mut trainer) = start(limit);
            trainer.fit(&mut net, &data)?;
            let (mut net, mut trainer) = start(u64::MAX);
            trainer.resume(&mut net, &path)?;
            let resumed = trainer.fit(&mut net, &data)?;
            assert_eq!(net, whole, "rule {i} after {limit} steps");
            let costs = |history: &chainrule::train::History| -> Vec<_> {
                history
                    .epochs
                    .iter()
                    .map(|epoch| epoch.validation_cost)
                    .collect()
            };
            assert_eq!(costs(&resumed), costs(&history));
        }
    }
    Ok(())
}

/// The same bits on any number of threads.
#[cfg(feature = "parallel")]
#[test]
fn on_threads() -> Result<()> {
    let x = DMatrix::from_fn(60, 300, |i, j| f64::sin(((i + 3) * (j + 1)) as f64 * 0.37));
    let data = Dataset::new(x.clone(), x.rows(0, 1).into_owned())?;
    for i in 0..RULES {
        let trained = |threads| {
            let mut net = Sequential::builder(60)
                .layer(Dense::new(150, Activation::Tanh))
                .layer(BatchNorm::new())
                .layer(Dense::new(1, Activation::Linear))
                .seed(1)
                .build()?;
            let mut trainer = trainer(rule(i)).batch_size(64).epochs(2).threads(threads);
            trainer.fit(&mut net, &data)?;
            Ok::<_, Error>((net, trainer.optimizer().state().clone()))
        };
        assert_eq!(trained(1)?, trained(3)?);
    }
    Ok(())
}

/// Statistics computed anew are those of the batches, and a function of the rest alone.
#[test]
fn statistics_anew() -> Result<()> {
    let mut net = Sequential::<f64>::builder(2)
        .layer(BatchNorm::new().momentum(0.3).without_scale())
        .layer(BatchNorm::new().momentum(0.0))
        .seed(1)
        .build()?;
    let x = data(11).inputs().clone(); // the eleventh makes no batch of its own
    let before = net.params().to_vec();
    let mut tape = Tape::with_seed(3);
    tape.seek(3, 17);
    net.update_statistics(&x, 5, &mut tape)?;
    assert_eq!(tape.step(), 17);
    for feature in 0..2 {
        let batches =
            [x.columns(0, 5), x.columns(5, 5)].map(|batch| batch.row(feature).into_owned());
        let mean = (batches[0].mean() + batches[1].mean()) / 2.0;
        let variance = (batches[0].variance() + batches[1].variance()) / 2.0 * 5.0 / 4.0;
        assert!((net.params()[2 + feature] - mean).abs() < 1e-14);
        assert!((net.params()[4 + feature] - variance).abs() < 1e-14);
    }
    // A momentum of 0 follows nothing.
    assert_eq!(net.params()[6..], before[6..]);
    let again = net.clone();
    net.params_mut()[2..6].fill(7e5);
    net.update_statistics(&x, 5, &mut tape)?;
    assert_eq!(net, again);
    for (batch, samples, place) in [
        (1, 11, "batch of Sequential::update_statistics"),
        (0, 11, "batch of Sequential::update_statistics"),
        (5, 1, "inputs x of Sequential::update_statistics"),
    ] {
        let x = x.columns(0, samples).into_owned();
        let error = net
            .update_statistics(&x, batch, &mut tape)
            .expect_err(place);
        assert_eq!((error.kind(), error.place()), (ErrorKind::Value, place));
        assert_eq!(net, again);
    }
    assert!(
        net.update_statistics(&DMatrix::zeros(3, 4), 2, &mut tape)
            .is_err()
    );
    let mut plain = self::net();
    plain.update_statistics(&x, 99, &mut tape)?;
    Ok(())
}
