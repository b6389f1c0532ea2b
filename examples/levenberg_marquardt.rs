//! A curve fitted by Levenberg–Marquardt, by Adam and by gradient descent with momentum, from the
//! same starts.
//!
//! The two others get 20 times as long, all samples in each step, and a rate that falls to 0 along
//! a cosine. Costs are ½ Σ (y − t)², all timed on this machine: the times, and what can be done in
//! them, differ from run to run.
//!
//! ```text
//! cargo run --release --features plot --example levenberg_marquardt
//! ```
//!
//! The picture goes to `target/pictures/levenberg_marquardt.png`.

use chainrule::nn::loss::SumSquaredError;
use chainrule::plot::Curves;
use chainrule::prelude::*;
use chainrule::train::LevenbergMarquardt;
use std::time::{Duration, Instant};
use std::{error, f64::consts::PI, fs, path::Path};

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pictures");
const TIME: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn error::Error>> {
    let x = DMatrix::from_fn(1, 60, |_, j| -1.0 + j as f64 / 29.5);
    let data = Dataset::new(x.clone(), x.map(|x| (PI * x).sin()))?;
    println!(
        "one period of a sine, {} points, a 1-10-1 network\n",
        data.len()
    );
    println!("start   method                    seconds   cost");
    let mut curves = Vec::new();
    for seed in 1..=2 {
        let start = Sequential::builder(1)
            .layer(Dense::new(10, Activation::Tanh))
            .layer(Dense::new(1, Activation::Linear))
            .seed(seed)
            .build()?;
        let runs = [
            ("Levenberg–Marquardt", least_squares(start.clone(), &data)?),
            ("Adam", descend(Adam::new(), 0.02, start.clone(), &data)?),
            (
                "momentum",
                descend(Sgd::new().momentum(0.9), 0.005, start, &data)?,
            ),
        ];
        for (name, points) in &runs {
            let (seconds, cost) = points.last().ok_or("no step")?;
            println!("{seed:<8}{name:<24}{seconds:>9.3}   {cost:.1e}");
        }
        curves = runs.to_vec();
    }

    let points: Vec<(&str, Vec<(f64, f64)>)> = curves
        .into_iter()
        .map(|(name, points)| {
            (
                name,
                points
                    .iter()
                    .map(|(seconds, cost)| (seconds.log10(), *cost))
                    .collect(),
            )
        })
        .collect();
    let mut picture = Curves::new("A sine fitted", "log₁₀ of seconds", "cost").log();
    for (name, points) in &points {
        picture = picture.series(*name, points);
    }
    fs::create_dir_all(PICTURES)?;
    let path = Path::new(PICTURES).join("levenberg_marquardt.png");
    picture.draw()?.save(&path)?;
    println!("\n{}", path.display());
    Ok(())
}

/// The cost after so many seconds.
type Curve = Vec<(f64, f64)>;

fn least_squares(mut net: Sequential<f64>, data: &Dataset<f64>) -> Result<Curve> {
    let history = LevenbergMarquardt::new()
        .epochs(100_000)
        .stop(Stop::Time(TIME))
        .fit(&mut net, data)?;
    let mut seconds = 0.0;
    let point = |epoch: &chainrule::train::Epoch| {
        seconds += epoch.seconds.unwrap_or(f64::NAN);
        (seconds, epoch.cost)
    };
    Ok(history.epochs.iter().map(point).collect())
}

/// Steps of a rule, for 20 times as long.
fn descend(
    mut rule: impl Optimizer<f64>,
    rate: f64,
    mut net: Sequential<f64>,
    data: &Dataset<f64>,
) -> Result<Curve> {
    let groups = net.default_groups();
    let mut tape = Tape::new();
    let time = (20 * TIME).as_secs_f64();
    let (start, mut curve) = (Instant::now(), Curve::new());
    let mut due = 1e-4;
    loop {
        let cost = net.gradient(data.inputs(), data, &SumSquaredError, &mut tape)?;
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= due || seconds >= time {
            curve.push((seconds, cost));
            due = 1.2 * seconds;
        }
        if seconds >= time {
            return Ok(curve);
        }
        let rate = rate * 0.5 * (1.0 + (PI * seconds / time).cos());
        rule.step(rate, net.params_mut(), tape.grads(), &groups)?;
    }
}
