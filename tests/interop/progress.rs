//! The progress bar, on a terminal in memory.

use chainrule::indicatif::{InMemoryTerm, ProgressDrawTarget};
use chainrule::prelude::*;
use chainrule::train::{Epoch, Observer, Step};
use chainrule::{Progress, Real};
use core::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

const WIDTH: u16 = 140;

fn on(terminal: &InMemoryTerm) -> Progress {
    Progress::on(ProgressDrawTarget::term_like(Box::new(terminal.clone())))
}

/// Makes each step take at least a quarter of a second, so that none is passed over.
struct Pause;

impl<T: Real> Observer<T> for Pause {
    fn on_batch(&mut self, _: &Step, _: &Sequential<T>) -> ControlFlow<()> {
        sleep(Duration::from_millis(250));
        ControlFlow::Continue(())
    }
}

/// Notes what is on the terminal after each step and each epoch.
struct Look {
    terminal: InMemoryTerm,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Look {
    fn note(&self) -> ControlFlow<()> {
        self.seen
            .lock()
            .expect("no panic")
            .push(self.terminal.contents());
        ControlFlow::Continue(())
    }
}

impl<T: Real> Observer<T> for Look {
    fn on_batch(&mut self, _: &Step, _: &Sequential<T>) -> ControlFlow<()> {
        self.note()
    }

    fn on_epoch(&mut self, _: &Epoch, _: &Sequential<T>) -> ControlFlow<()> {
        self.note()
    }
}

/// y = w·x + b with w = b = 0 at first, and 4 samples at 1 with targets 2: a step of η = ¼ makes
/// w = b = 1, and the cost 0.
fn task() -> Result<(Sequential<f64>, Dataset<f64>)> {
    let mut net = Sequential::builder(1)
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    net.set_params(&[0.0, 0.0])?;
    Ok((
        net,
        Dataset::new(
            DMatrix::from_element(1, 4, 1.0),
            DMatrix::from_element(1, 4, 2.0),
        )?,
    ))
}

fn trainer() -> Trainer<'static, f64> {
    Trainer::new(MeanSquaredError, Sgd::new())
        .batch_size(2)
        .learning_rate(0.25)
}

#[test]
fn it_says_where_training_is() -> Result<()> {
    let (mut net, data) = task()?;
    let terminal = InMemoryTerm::new(5, WIDTH);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let look = Look {
        terminal: terminal.clone(),
        seen: seen.clone(),
    };
    trainer()
        .epochs(2)
        .validation_data(&data)
        .metric("largest", |y, t| metrics::max_error(y, t))
        .observe(Pause)
        .observe(on(&terminal))
        .observe(look)
        .fit(&mut net, &data)?;
    let seen = seen.lock().expect("no panic");
    let timeless: Vec<String> = seen.iter().map(|line| replace_time(line)).collect();
    let expected = [
        "██████████░░░░░░░░░░ 1/2 of epoch 1/2  cost 4.000  rate 0.2500  TIME left",
        "████████████████████ 2/2 of epoch 1/2  cost 0  rate 0.2500  TIME left",
        // The line is drawn anew at the end of an epoch only where it was not a moment ago.
        "████████████████████ 2/2 of epoch 1/2  cost 0  rate 0.2500  TIME left",
        "██████████░░░░░░░░░░ 1/2 of epoch 2/2  cost 0  rate 0.2500  TIME left  last epoch: cost \
         2.000  validation 0  largest 0",
        "████████████████████ 2/2 of epoch 2/2  cost 0  rate 0.2500  TIME left  last epoch: cost \
         2.000  validation 0  largest 0",
        "████████████████████ 2/2 of epoch 2/2  after TIME  cost 0  validation 0  largest 0",
    ];
    assert_eq!(timeless, expected);
    // Four quarters of a second.
    assert!(!seen[5].contains("after 00:00:00"), "{}", seen[5]);
    Ok(())
}

/// `TIME` for what looks like 00:00:00.
fn replace_time(line: &str) -> String {
    let is_time = |word: &str| {
        word.split(':').count() == 3 && word.bytes().all(|b| b.is_ascii_digit() || b == b':')
    };
    line.split(' ')
        .map(|word| if is_time(word) { "TIME" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_time_that_is_left_is_that_of_the_steps_that_are_left() -> Result<()> {
    let (mut net, data) = task()?;
    let terminal = InMemoryTerm::new(5, WIDTH);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let look = Look {
        terminal: terminal.clone(),
        seen: seen.clone(),
    };
    // After 2 of 2400 steps of a quarter of a second, ten minutes are left, and on a busy machine
    // more.
    let halt = |_: &Epoch, _: &Sequential<f64>| ControlFlow::Break(());
    trainer()
        .epochs(1200)
        .observe(Pause)
        .observe(on(&terminal))
        .observe(look)
        .on_epoch(halt)
        .fit(&mut net, &data)?;
    let seen = seen.lock().expect("no panic");
    let minutes = seen[1]
        .split_once("  00:")
        .and_then(|(_, rest)| rest.split_once(':'))
        .and_then(|(minutes, _)| minutes.parse::<u32>().ok());
    assert!(
        minutes.is_some_and(|minutes| (9..60).contains(&minutes)),
        "{}",
        seen[1]
    );
    Ok(())
}

#[test]
fn a_line_too_long_is_cut() -> Result<()> {
    let (mut net, data) = task()?;
    let terminal = InMemoryTerm::new(5, 50);
    trainer()
        .epochs(3)
        .metric("a metric with a long name", |y, t| metrics::max_error(y, t))
        .observe(on(&terminal))
        .fit(&mut net, &data)?;
    let line = terminal.contents();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(
        line.starts_with("████████████████████ 2/2 of epoch 3/3  after 00"),
        "{line}"
    );
    Ok(())
}

#[test]
fn another_run_starts_another_bar() -> Result<()> {
    let (mut net, data) = task()?;
    let terminal = InMemoryTerm::new(5, WIDTH);
    let mut trainer = trainer().epochs(2).observe(on(&terminal));
    trainer.fit(&mut net, &data)?;
    assert!(
        terminal.contents().contains("of epoch 2/2  after "),
        "{}",
        terminal.contents()
    );
    trainer.fit(&mut net, &data)?;
    assert!(
        terminal.contents().contains("of epoch 4/4  after "),
        "{}",
        terminal.contents()
    );

    // When it goes, what was drawn last stays.
    let last = terminal.contents();
    drop(trainer);
    assert_eq!(terminal.contents(), last);
    Ok(())
}

#[test]
fn it_is_quiet_where_nobody_looks() -> Result<()> {
    let train = |progress: Progress| {
        let (mut net, data) = task()?;
        let history = trainer().epochs(5).observe(progress).fit(&mut net, &data)?;
        Ok::<_, Error>((net, history))
    };
    let terminal = InMemoryTerm::new(5, WIDTH);
    let shown = train(on(&terminal))?;
    assert!(!terminal.contents().is_empty());
    // The result is that without a bar.
    assert_eq!(train(Progress::on(ProgressDrawTarget::hidden()))?, shown);

    // Nothing before the first run.
    let terminal = InMemoryTerm::new(5, WIDTH);
    drop(on(&terminal));
    assert_eq!(terminal.contents(), "");
    Ok(())
}

#[test]
fn short_steps_and_epochs_are_not_all_drawn() -> Result<()> {
    let (mut net, data) = task()?;
    let terminal = InMemoryTerm::new(5, WIDTH);
    let started = Instant::now();
    trainer()
        .batch_size(1)
        .epochs(20_000)
        .observe(on(&terminal))
        .fit(&mut net, &data)?;
    // The first looks are at steps 0, 2, 6, 14 and so on, of which 80,000 steps have at most 17;
    // then one in 0.1 s, and each draws twice.
    let most = 2 * (17 + started.elapsed().as_millis() / 100) + 10;
    let drawn = terminal.moves_since_last_check().matches("Flush").count() as u128;
    assert!((2..=most).contains(&drawn), "{drawn} times, at most {most}");
    assert!(
        terminal
            .contents()
            .contains("4/4 of epoch 20000/20000  after "),
        "{}",
        terminal.contents()
    );
    Ok(())
}

#[test]
fn all_numbers_can_be_shown() -> Result<()> {
    let terminal = InMemoryTerm::new(5, WIDTH);
    let show = |value: f64| {
        let (mut net, data) = task()?;
        trainer()
            .epochs(1)
            .metric("m", move |_, _| Ok(value))
            .observe(on(&terminal))
            .fit(&mut net, &data)?;
        Ok::<_, Error>(
            terminal
                .contents()
                .rsplit_once("m ")
                .map(|(_, number)| number.to_string()),
        )
    };
    let cases = [
        (0.0, "0"),
        (1.0, "1.000"),
        (-0.93333, "-0.9333"),
        (123_456.7, "123457"),
        (1.5e-4, "0.0001500"),
        (1.5e-5, "1.500e-5"),
        (1e6, "1.000e6"),
        (f64::MAX, "1.798e308"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-inf"),
    ];
    for (value, text) in cases {
        assert_eq!(show(value)?.as_deref(), Some(text));
    }
    Ok(())
}
