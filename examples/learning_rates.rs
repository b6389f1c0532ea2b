//! Learning rates that change from step to step: what they look like, and what they do to a
//! training.
//!
//! The same network learns the same digits for the same time, from the same weights and in the same
//! orders; only the rate differs.
//!
//! ```text
//! cargo run --release --features csv,plot --example learning_rates
//! ```
//!
//! The pictures go to `target/pictures/`: the rates over the steps, and the validation costs over
//! the epochs, of the last start.

use chainrule::Real;
use chainrule::data::Csv;
use chainrule::optim::{ReduceOnPlateau, Schedule};
use chainrule::plot::{Curves, Figure};
use chainrule::prelude::*;
use chainrule::train::{Observer, Step};
use core::ops::ControlFlow;
use std::path::Path;
use std::{error, fs};

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pictures");
const EPOCHS: usize = 20;
const BATCH: usize = 32;
const RATE: f64 = 0.2;
const SEEDS: u64 = 5;

fn main() -> Result<(), Box<dyn error::Error>> {
    let digits = Csv::new()
        .no_header()
        .labels(64)
        .read::<f32>(include_bytes!("data/digits.csv").as_slice())?
        .data;
    let (train, validation) = digits.stratified_split(0.7, 1)?;
    let scaler = Scaler::max_abs(train.inputs())?;
    let scale = |data: Dataset<f32>| data.map_inputs(|x| scaler.transform(&x));
    let (train, validation) = (scale(train)?, scale(validation)?);

    let per_epoch = train.len().div_ceil(BATCH) as u64;
    let steps = EPOCHS as u64 * per_epoch;
    let cosine = Schedule::Cosine {
        rate: RATE,
        min: 0.0,
        steps,
    };
    let runs = [
        ("constant, a tenth", Schedule::Constant(RATE / 10.0), None),
        ("constant", Schedule::Constant(RATE), None),
        (
            "step",
            Schedule::Step {
                rate: RATE,
                factor: 0.3,
                every: steps / 4,
            },
            None,
        ),
        (
            "exponential",
            Schedule::Exponential {
                rate: RATE,
                factor: 0.01_f64.powf(1.0 / steps as f64),
            },
            None,
        ),
        (
            "inverse time",
            Schedule::InverseTime {
                rate: RATE,
                kappa: 10.0 / steps as f64,
            },
            None,
        ),
        ("cosine", cosine.clone(), None),
        ("warm-up, cosine", cosine.warm_up(steps / 10), None),
        (
            "warm restarts",
            Schedule::WarmRestarts {
                rate: RATE,
                min: 0.0,
                steps: steps.div_ceil(7),
                factor: 2,
                peak_factor: 1.0,
            },
            None,
        ),
        (
            "one cycle",
            Schedule::OneCycle {
                rate: RATE,
                warm: 0.3,
                div: 25.0,
                final_div: 1e4,
                steps,
            },
            None,
        ),
        (
            "plateau",
            Schedule::Constant(RATE),
            Some(ReduceOnPlateau {
                factor: 0.3,
                patience: 1,
                ..ReduceOnPlateau::new()
            }),
        ),
    ];

    println!("{EPOCHS} epochs of {per_epoch} steps; means of {SEEDS} starts\n");
    println!("rate                first      last   training cost   validation cost   accuracy");
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for (name, schedule, plateau) in runs {
        let mut used = Vec::new();
        let mut validations = Vec::new();
        let mut means = [0.0; 3];
        for seed in 1..=SEEDS {
            let mut net = Sequential::builder(64)
                .layer(Dense::new(32, Activation::Relu))
                .layer(Dense::new(10, Activation::Linear))
                .seed(seed)
                .build()?;
            used.clear();
            let loss = SoftmaxCrossEntropy::new();
            let mut trainer = Trainer::new(loss.clone(), Sgd::new().momentum(0.9))
                .epochs(EPOCHS)
                .batch_size(BATCH)
                .learning_rate(schedule.clone())
                .seed(seed)
                .validation_data(&validation)
                .metric("accuracy", |y, t| metrics::accuracy(y, t))
                .observe(Rates(&mut used));
            if let Some(plateau) = &plateau {
                trainer = trainer.reduce_on_plateau(Monitor::ValidationCost, plateau.clone());
            }
            let history = trainer.fit(&mut net, &train)?;

            let last = history.last().ok_or("no epoch")?;
            let cost = net.cost(train.inputs(), train.targets(), &loss, &mut Tape::new())?;
            let numbers = [
                f64::from(cost),
                last.validation_cost.ok_or("no validation")?,
                last.metric("accuracy").ok_or("no accuracy")?,
            ];
            for (mean, number) in means.iter_mut().zip(numbers) {
                *mean += number / SEEDS as f64;
            }
            validations = history
                .validation_costs()
                .enumerate()
                .map(|(epoch, cost)| ((epoch + 1) as f64, cost))
                .collect();
        }
        let [first, last] =
            [used.first(), used.last()].map(|step| step.map_or(f64::NAN, |(_, rate)| *rate));
        println!(
            "{name:<17}  {first:>6.4}  {last:>8.2e}   {:>13.5}   {:>15.4}   {:>8.4}",
            means[0], means[1], means[2]
        );
        rates.push((name, used));
        costs.push((name, validations));
    }

    fs::create_dir_all(PICTURES)?;
    let rates_path = Path::new(PICTURES).join("learning_rates.png");
    draw(Curves::new("Learning rates", "step", "rate η"), &rates)?.save(&rates_path)?;
    let costs_path = Path::new(PICTURES).join("learning_rates-costs.png");
    draw(
        Curves::new("What they do", "epoch", "validation cost").log(),
        &costs,
    )?
    .save(&costs_path)?;
    println!("\n{}\n{}", rates_path.display(), costs_path.display());
    Ok(())
}

/// Writes down the rate of each step.
struct Rates<'a>(&'a mut Vec<(f64, f64)>);

impl<T: Real> Observer<T> for Rates<'_> {
    fn on_batch(&mut self, step: &Step, _: &Sequential<T>) -> ControlFlow<()> {
        self.0.push((step.step as f64, step.learning_rate));
        ControlFlow::Continue(())
    }
}

/// Draws a curve for each name.
fn draw(picture: Curves, series: &[(&str, Vec<(f64, f64)>)]) -> Result<Figure> {
    let mut picture = picture.size(900, 600);
    for (name, points) in series {
        picture = picture.series(*name, points);
    }
    picture.draw()
}
