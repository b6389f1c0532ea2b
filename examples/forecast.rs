//! How warm will it be tomorrow? A time series forecast from windows of the last days, judged
//! forward in time: every forecast is made by a network that has seen nothing of that day or of
//! later ones.
//!
//! Four years of Seattle's weather (NOAA): precipitation, the highest and the lowest temperature
//! and wind of 1,461 days. Whoever forecasts nothing new says that tomorrow will be as today, and
//! is wrong by some two degrees. That is what a network must be better than, and where it begins:
//! it learns the difference.
//!
//! ```text
//! cargo run --release --features csv,plot --example forecast
//! ```

use chainrule::View;
use chainrule::data::{Csv, Windows};
use chainrule::optim::{Penalty, Schedule};
use chainrule::plot::Curves;
use chainrule::prelude::*;
use chainrule::selection::Folds;
use std::f64::consts::TAU;
use std::fs;

fn main() -> Result<()> {
    let days = Csv::new()
        .categorical(["date", "weather"])
        .read_table_file("examples/data/seattle-weather.csv")?;
    // Where in the year a day is, so that 31 December lies next to 1 January.
    let angle = |day: usize| day as f64 * TAU / 365.25;
    let sin: Vec<f64> = (0..days.len()).map(|day| angle(day).sin()).collect();
    let cos: Vec<f64> = (0..days.len()).map(|day| angle(day).cos()).collect();
    let rain: Vec<f64> = days
        .numbers("precipitation")?
        .iter()
        .map(|mm| mm.ln_1p())
        .collect();
    let series = Windows::series::<f64>(&[
        days.numbers("temp_max")?,
        days.numbers("temp_min")?,
        days.numbers("wind")?,
        &rain,
        &sin,
        &cos,
    ])?;

    // Tomorrow's highest temperature from all that is known of the last five days.
    let windows = Windows::new(5).targets([0]);
    let samples = windows.dataset(&series)?;
    let today = windows.naive(&series, &samples.origins, 1)?;
    let changes = samples
        .data
        .clone()
        .map_targets(|tomorrow| Ok(tomorrow - &today))?;

    println!("mean absolute error in °C          as today   linear   network");
    let folds = Folds::forward(6);
    let mut sums = [0.0; 3];
    let cuts = folds.indices(&changes)?.collect::<Vec<_>>();
    for (fold, (train, test)) in cuts.iter().enumerate() {
        let (train, later) = (changes.select(train)?, changes.select(test)?);
        // Who says that tomorrow will be as today, forecasts a change of 0.
        let mut forecasts = vec![DMatrix::zeros(1, later.len())];
        for width in [0, 32] {
            forecasts.push(fit(&train, width, fold as u64)?.predict(later.inputs())?);
        }
        let mut errors = [0.0; 3];
        for (error, forecast) in errors.iter_mut().zip(&forecasts) {
            *error = metrics::mean_absolute_error(forecast, &later)?;
        }
        println!(
            "{:>4} days before, {:>3} days after   {:>8.2} {:>8.2} {:>9.2}",
            train.len(),
            later.len(),
            errors[0],
            errors[1],
            errors[2]
        );
        sums.iter_mut()
            .zip(errors)
            .for_each(|(sum, error)| *sum += error / cuts.len() as f64);
    }
    println!(
        "mean                               {:>8.2} {:>8.2} {:>9.2}",
        sums[0], sums[1], sums[2]
    );

    picture(&windows, &series)
}

/// A network with a hidden layer of this width, or without one.
fn fit(train: &Dataset<f64>, width: usize, seed: u64) -> Result<Model<f64>> {
    let mut layers = Sequential::builder(train.features());
    if width > 0 {
        layers = layers.layer(Dense::new(width, Activation::Tanh));
    }
    let net = layers
        .layer(Dense::new(1, Activation::Linear))
        .seed(seed)
        .build()?;
    let inputs = Scaler::standard(train.inputs())?;
    let mut model = Model::new(net, inputs, Scaler::standard(train.targets())?)?;
    let cosine = Schedule::Cosine {
        rate: 3e-3,
        min: 0.0,
        steps: 100,
    }
    .in_percent();
    let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
        .epochs(60)
        .learning_rate(cosine)
        .penalty(Penalty::new().l2(0.03))
        .seed(seed);
    model.fit(&mut trainer, train)?;
    Ok(model)
}

/// The last two months: what was forecast on each day before, and what came.
fn picture(windows: &Windows, series: &DMatrix<f64>) -> Result<()> {
    let (train, test) = windows.split_at(series, series.ncols() - 61)?;
    let today = windows.naive(series, &train.origins, 1)?;
    let model = fit(
        &train.data.map_targets(|tomorrow| Ok(tomorrow - today))?,
        32,
        1,
    )?;
    let today = windows.naive(series, &test.origins, 1)?;
    let forecast = today + model.predict(test.data.inputs())?;
    let points = |y: View<'_, f64>| -> Vec<(f64, f64)> {
        test.origins
            .iter()
            .map(|origin| (origin + 1) as f64)
            .zip(y.as_slice().iter().copied())
            .collect()
    };
    fs::create_dir_all("target/pictures").expect("a folder for pictures");
    Curves::new(
        "Seattle, November and December 2015",
        "day",
        "highest temperature (°C)",
    )
    .points("measured", &points(test.data.targets().into()))
    .line("forecast on the day before", &points((&forecast).into()))
    .draw()?
    .save("target/pictures/forecast.svg")
}
