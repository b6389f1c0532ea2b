//! Rules that average: the network is the average whenever nothing is stepping, and training goes on
//! to the same bits.

use chainrule::ErrorKind;
use chainrule::nn::BatchNorm;
use chainrule::optim::*;
use chainrule::prelude::*;

type Any = Box<dyn Optimizer<f64>>;

fn rules() -> [Any; 3] {
    [
        Box::new(Asgd::new().lambd(0.01).t0(3.0)),
        Box::new(ScheduleFreeSgd::new().r(1.0)),
        Box::new(ScheduleFreeAdam::new()),
    ]
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
    for i in 0..3 {
        let rule = || rules().into_iter().nth(i).expect("a rule");
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
        }
        let iterate = w.clone();
        own.swap_average(w.params_mut())?;
        assert_ne!(w, iterate);

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

        let mut single = net();
        let mut trainer = self::trainer(rule());
        for t in 0..18 {
            let batch: Vec<usize> = (0..4).map(|k| (4 * t + k) % 12).collect();
            let batch = data.select(&batch)?;
            trainer.step(&mut single, batch.inputs(), &batch)?;
        }
        assert_eq!(single, w);
        assert_eq!(trainer.optimizer().state(), own.state());
    }
    Ok(())
}

/// Validation, the best parameters, callbacks and what `fit` leaves are those of the average; a
/// second call goes on from the latest.
#[test]
fn what_is_seen_is_the_average() -> Result<()> {
    let (data, judge) = (data(20), data(9));
    for (i, rule) in rules().into_iter().enumerate() {
        let mut seen = Vec::new();
        let mut net = net();
        let mut trainer = trainer(rule)
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
        let rule = rules().into_iter().nth(i).expect("a rule");
        self::trainer(rule).epochs(16).fit(&mut whole, &data)?;
        assert_eq!(seen[15].1, whole);
        let mut first = self::net();
        let rule = rules().into_iter().nth(i).expect("a rule");
        self::trainer(rule)
            .epochs(best + 1)
            .fit(&mut first, &data)?;
        assert_eq!(seen[best].1, first);
    }
    Ok(())
}

/// Neither running statistics nor frozen layers are averaged; layers that thaw learn on.
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
            assert_ne!(net.params()[range.clone()], start.params()[range.clone()]);
            assert_eq!(net.params()[range.clone()], slots[0][range]);
        }
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
    for (i, rule) in rules().into_iter().enumerate() {
        let mut net = net();
        let rate = Schedule::custom(|t| if t < 12 { 0.05 } else { 1e200 });
        let mut trainer = trainer(rule).epochs(5).learning_rate(rate);
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
        let rule = rules().into_iter().nth(i).expect("a rule");
        let mut same = self::trainer(rule).epochs(epochs).learning_rate(0.05);
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
