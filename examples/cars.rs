//! How far does a car go on a gallon? From a table with words, numbers and holes to a model file.
//! A search by cross-validation chooses the settings. The rows that were held out say what the
//! model is worth, and what it looks at.
//!
//! 406 cars of 1970 to 1982 (Donoho & Ramos 1982). Eight do not say how far they go, and are left
//! out. Six do not say their power, and get the median and a mark.
//!
//! ```text
//! cargo run --release --features csv,plot,safetensors --example cars
//! ```
//!
//! Afterwards `examples/predict_cars`, a program of its own, tells the consumption of other cars.

use chainrule::data::{Csv, Encoder, Fill, HeldOut, Table};
use chainrule::inspection::{Grid, partial_dependence, permutation_importance};
use chainrule::optim::{Penalty, Schedule};
use chainrule::plot::{Bars, Curves};
use chainrule::prelude::*;
use chainrule::selection::{Folds, Search, Trial, cross_validate};
use std::fs;

fn main() -> Result<()> {
    let cars = Csv::new()
        .categorical(["name", "origin"])
        .read_table_file("examples/data/cars.csv")?
        .without(["name"])?
        .drop_missing(["mpg"])?;
    let (train, test) = cars.split(0.8, 1)?;

    let folds = Folds::k_fold(5).seed(1);
    let trials = Search::random(24)
        .log_uniform("rate", 1e-3..=3e-2)
        .log_uniform("l2", 1e-4..=1e-1)
        .integers("width", 4..=64)
        .seed(1)
        .threads(2)
        .maximize(|settings| {
            let scores = cross_validate(&train, &folds, 1, |train, validation, seed| {
                score(&fit(&train, settings, seed)?, &validation)
            })?;
            Ok(scores.mean())
        })?;
    println!("{trials}\n");

    let (best, _) = trials.best()?;
    let model = fit(&train, best, 1)?;
    println!(
        "R² on {} cars that were held out: {:.3}\n",
        test.len(),
        score(&model, &test)?
    );
    model.save("target/cars.safetensors")?;

    judge(&model, &test)
}

/// A model of these cars.
fn fit(train: &Table, settings: &Trial, seed: u64) -> Result<Model<f64>> {
    let encoder = Encoder::builder()
        .target("mpg")
        .fill(Fill::Median)
        .indicators()
        .ignore_unknown()
        .fit(train)?;
    let net = Sequential::builder(encoder.inputs())
        .layer(Dense::new(settings.integer("width")?, Activation::Tanh))
        .layer(Dense::new(encoder.outputs(), Activation::Linear))
        .seed(seed)
        .build()?;
    let mut model = Model::with_encoder(net, encoder)?;
    let rate = settings.number("rate")?;
    let cosine = Schedule::Cosine {
        rate,
        min: 0.0,
        steps: 100,
    }
    .in_percent();
    let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
        .epochs(100)
        .learning_rate(cosine)
        .penalty(Penalty::new().l2(settings.number("l2")?))
        .seed(seed);
    let data = model.dataset(train)?;
    model.fit(&mut trainer, &data)?;
    Ok(model)
}

/// R² of the predictions for rows that the model was not trained on.
fn score(model: &Model<f64>, rows: &HeldOut) -> Result<f64> {
    let data = model.dataset(rows)?;
    metrics::r2(&model.predict(data.inputs())?, &data)
}

/// What the model looks at, as a table and as pictures.
fn judge(model: &Model<f64>, test: &HeldOut) -> Result<()> {
    let columns = model.encoder().into_iter().flat_map(Encoder::columns);
    let importances = permutation_importance(test, columns, 20, 1, |rows| score(model, rows))?;
    println!("{importances}");

    let predict = |rows: &HeldOut| model.predict(model.dataset(rows)?.inputs());
    let by_weight = partial_dependence(test, "weight", &Grid::default(), predict)?;
    let data = model.dataset(test)?;
    let predicted = model.predict(data.inputs())?;

    fs::create_dir_all("target/pictures").expect("a folder for pictures");
    let picture = |name: &str| format!("target/pictures/cars-{name}.svg");
    Bars::importances("What the model looks at", &importances)
        .draw()?
        .save(picture("importances"))?;
    Curves::partial_dependence("Miles per gallon by weight in pounds", &by_weight, 0)?
        .draw()?
        .save(picture("weight"))?;
    Curves::predicted_actual(
        "Miles per gallon of cars that were held out",
        &predicted,
        &data,
    )?
    .draw()?
    .save(picture("predictions"))
}
