//! How sure is a network? A sine that was seen on both sides of a gap, and four ways to say where
//! nobody can know: an ensemble, dropout at prediction, Laplace's approximation, and Bayesian
//! regularization (MATLAB's `trainbr`).
//!
//! ```text
//! cargo run --release --features plot --example uncertainty
//! ```
//!
//! The pictures go to `target/pictures/`: each way with its mean and a band of two deviations of
//! what the network may say, without the noise of the data. A good band is narrow where there are
//! points, and holds the sine where there are none. At last a conformal band has its promise kept:
//! what it says of new points is true for nine of ten, whatever the network.

use chainrule::plot::{Curves, Subplots};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::train::LevenbergMarquardt;
use chainrule::uncertainty::{
    Band, ConformalRegressor, Ensemble, Laplace, Likelihood, MonteCarloDropout,
};
use std::time::Instant;
use std::{error, f64::consts::PI, fs, path::Path};

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pictures");
const NOISE: f64 = 0.1;

fn main() -> Result<(), Box<dyn error::Error>> {
    let data = samples(60, 1, |rng| {
        let side = rng.random_range(0.6..2.0);
        if rng.random::<f64>() < 0.5 {
            -side
        } else {
            side
        }
    })?;
    let grid = DMatrix::from_fn(1, 301, |_, j| -2.5 + 5.0 * j as f64 / 300.0);

    let ways = [
        timed("ensemble of 10", || ensemble(&data, &grid))?,
        timed("dropout at prediction", || dropout(&data, &grid))?,
        timed("Laplace approximation", || laplace(&data, &grid))?,
        timed("Bayesian regularization", || regularization(&data, &grid))?,
    ];

    println!("                           seconds   deviation among    in the    sine within");
    println!("                                      the points          gap     two of them");
    let mut picture =
        Subplots::new("A sine with a gap: mean and two deviations", 2).size(1000, 760);
    for (name, seconds, Said { mean, deviation }) in &ways {
        let average = |of: &dyn Fn(f64) -> bool| {
            let those = grid.iter().zip(deviation).filter(|(x, _)| of(**x));
            let (sum, count) = those.fold((0.0, 0), |(sum, count), (_, d)| (sum + d, count + 1));
            sum / f64::from(count)
        };
        let among = average(&|x| (0.6..2.0).contains(&x.abs()));
        let gap = average(&|x| x.abs() < 0.5);
        let inside = grid.iter().zip(mean).zip(deviation);
        let inside = inside.filter(|((x, mean), d)| (sine(**x) - **mean).abs() <= 2.0 * **d);
        let share = 100.0 * inside.count() as f64 / grid.len() as f64;
        println!("{name:<26}{seconds:>8.2}{among:>17.3}{gap:>12.3}{share:>12.0} %");
        picture = picture.add(draw(name, &data, &grid, mean, deviation));
    }
    let figure = picture.draw()?;
    fs::create_dir_all(PICTURES)?;
    let path = |name: &str| Path::new(PICTURES).join(name);
    figure.save(path("uncertainty.png"))?;
    figure.light_dark().save(path("uncertainty.svg"))?;
    println!("\n{}", path("uncertainty.svg").display());
    promise(&data)
}

/// Means and deviations over the grid.
struct Said {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

fn timed(
    name: &'static str,
    way: impl FnOnce() -> Result<Said>,
) -> Result<(&'static str, f64, Said)> {
    let start = Instant::now();
    let said = way()?;
    Ok((name, start.elapsed().as_secs_f64(), said))
}

/// Ten networks from ten seeds.
fn ensemble(data: &Dataset<f64>, grid: &DMatrix<f64>) -> Result<Said> {
    let ensemble = Ensemble::train(10, 2, |seed| {
        let net = Sequential::builder(1)
            .layer(Dense::new(50, Activation::Relu))
            .layer(Dense::new(50, Activation::Relu))
            .layer(Dense::new(1, Activation::Linear));
        trained(net.seed(seed).build()?, 500, data, seed)
    })?;
    let y = ensemble.predict(grid)?;
    Ok(said(&y.mean(), &y.deviation()))
}

/// One network whose dropouts go on drawing.
fn dropout(data: &Dataset<f64>, grid: &DMatrix<f64>) -> Result<Said> {
    let net = Sequential::builder(1)
        .layer(Dense::new(100, Activation::Relu))
        .layer(Dropout::new(0.1))
        .layer(Dense::new(100, Activation::Relu))
        .layer(Dropout::new(0.1))
        .layer(Dense::new(1, Activation::Linear));
    let model = trained(net.seed(1).build()?, 2000, data, 1)?;
    let y = MonteCarloDropout::new(&model)?
        .passes(500)
        .threads(2)
        .predict(grid)?;
    Ok(said(&y.mean(), &y.deviation()))
}

/// One network, and how far its parameters could be moved.
fn laplace(data: &Dataset<f64>, grid: &DMatrix<f64>) -> Result<Said> {
    let net = Sequential::builder(1)
        .layer(Dense::new(20, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear));
    let model = trained(net.seed(1).build()?, 2000, data, 1)?;
    let y = Laplace::builder(Likelihood::Gaussian)
        .fit(model, data)?
        .predict(grid)?;
    Ok(said(&y.mean, &y.epistemic.map(f64::sqrt)))
}

/// One network with as many of its parameters as the data determine; by the precision that training
/// has found, the same approximation says the rest.
fn regularization(data: &Dataset<f64>, grid: &DMatrix<f64>) -> Result<Said> {
    let mut net = Sequential::builder(1)
        .layer(Dense::new(20, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let mut trainer = LevenbergMarquardt::new().bayesian().epochs(300);
    trainer.fit(&mut net, data)?;
    let count = net.params().len();
    let laplace = Laplace::builder(Likelihood::Gaussian);
    let laplace = match trainer.evidence() {
        None => laplace,
        Some(found) => {
            println!(
                "Bayesian regularization uses {:.1} of {count} parameters, and finds a noise of \
                 {:.3}, which was {NOISE}\n",
                found.effective_parameters,
                found.noise()
            );
            laplace.prior_precision(found.alpha).noise(found.noise())
        }
    };
    let y = laplace.fit(net, data)?.predict(grid)?;
    Ok(said(&y.mean, &y.epistemic.map(f64::sqrt)))
}

fn trained(
    net: Sequential<f64>,
    epochs: usize,
    data: &Dataset<f64>,
    seed: u64,
) -> Result<Model<f64>> {
    let mut model = Model::from(net);
    let trainer = Trainer::new(MeanSquaredError, Adam::new())
        .batch_size(20)
        .seed(seed);
    model.fit(&mut trainer.learning_rate(0.005).epochs(epochs), data)?;
    Ok(model)
}

/// An ensemble does not know how noisy the data are, and says too little. Fifty points that it has
/// not seen are enough to make its band hold what it promises.
fn promise(data: &Dataset<f64>) -> Result<(), Box<dyn error::Error>> {
    let ensemble = Ensemble::train(5, 2, |seed| {
        let net = Sequential::builder(1)
            .layer(Dense::new(50, Activation::Tanh))
            .layer(Dense::new(1, Activation::Linear));
        trained(net.seed(seed).build()?, 500, data, seed)
    })?;
    let anywhere = |rng: &mut Xoshiro256PlusPlus| rng.random_range(-2.0..2.0);
    let (calibration, test) = (samples(50, 2, anywhere)?, samples(2000, 3, anywhere)?);
    let band = |data: &Dataset<f64>, factor: f64| {
        let y = ensemble.predict(data.inputs())?;
        let (mean, deviation) = (y.mean(), y.deviation() * factor);
        Ok::<_, Error>((
            Band::scaled(&mean, &deviation)?,
            Band::between(&(&mean - &deviation), &(&mean + &deviation))?,
        ))
    };
    let conformal = ConformalRegressor::calibrate(&band(&calibration, 1.0)?.0, &calibration, 0.9)?;
    // A normal distribution has nine of ten within 1.645 deviations.
    let alone = band(&test, 1.645)?.1;
    let intervals = conformal.intervals(&band(&test, 1.0)?.0)?;
    println!("\nnine of ten, of new points      hold the point   wide");
    for (name, band) in [("ensemble", alone), ("ensemble, conformal", intervals)] {
        let share = 100.0 * band.coverage(&test)?;
        println!("{name:<32}{share:>12.1} %{:>7.2}", band.mean_width());
    }
    Ok(())
}

fn sine(x: f64) -> f64 {
    (2.5 * x).sin()
}

/// Points of the sine, with normal noise, at places that are drawn.
fn samples(
    count: usize,
    seed: u64,
    place: impl Fn(&mut Xoshiro256PlusPlus) -> f64,
) -> Result<Dataset<f64>> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (mut x, mut t) = (vec![], vec![]);
    for _ in 0..count {
        let at = place(&mut rng);
        // Box and Muller 1958: a normal number of two uniform ones.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        x.push(at);
        t.push(sine(at) + NOISE * radius * (2.0 * PI * rng.random::<f64>()).cos());
    }
    Dataset::from_rows(&x, 1, &t, 1)
}

fn said(mean: &DMatrix<f64>, deviation: &DMatrix<f64>) -> Said {
    Said {
        mean: mean.iter().copied().collect(),
        deviation: deviation.iter().copied().collect(),
    }
}

fn draw(
    name: &str,
    data: &Dataset<f64>,
    grid: &DMatrix<f64>,
    mean: &[f64],
    deviation: &[f64],
) -> Curves {
    let pairs = |y: &dyn Fn(usize) -> f64| {
        let points = grid.iter().enumerate().map(|(j, x)| (*x, y(j)));
        points.collect::<Vec<_>>()
    };
    let band: Vec<_> = grid
        .iter()
        .zip(mean.iter().zip(deviation))
        .map(|(x, (mean, d))| (*x, mean - 2.0 * d, mean + 2.0 * d))
        .collect();
    let points: Vec<_> = data
        .inputs()
        .iter()
        .copied()
        .zip(data.targets().iter().copied())
        .collect();
    Curves::new(name, "x", "y")
        .line("mean, and two deviations", &pairs(&|j| mean[j]))
        .band("", &band)
        .line("sine", &pairs(&|j| sine(grid[j])))
        .points("data", &points)
}
