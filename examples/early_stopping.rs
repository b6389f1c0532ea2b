//! Overfitting, and what early stopping does about it: malignant or benign, from thirty
//! measurements of cells.
//!
//! A network far too large for some three hundred samples learns them by heart: the cost on them
//! goes to 0, while that on samples it has not seen falls, turns, and rises. Two runs from the same
//! weights: one through all epochs, one that ends when the validation cost has had no new minimum
//! for a while and goes back to where it had its last.
//!
//! ```text
//! cargo run --release --features csv,plot --example early_stopping
//! ```
//!
//! The picture goes to `target/pictures/`. The data are those of Wolberg, Street and Mangasarian,
//! *Breast Cancer Wisconsin (Diagnostic)*, UCI Machine Learning Repository, 1995.

use chainrule::data::Csv;
use chainrule::plot::Runs;
use chainrule::prelude::*;
use std::path::Path;
use std::{error, fs};

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pictures");
const EPOCHS: usize = 150;
const SEEDS: u64 = 5;

fn main() -> Result<(), Box<dyn error::Error>> {
    let table = Csv::new()
        .labels_among("diagnosis", ["benign", "malignant"])
        .read(include_bytes!("data/breast_cancer.csv").as_slice())?;
    println!(
        "seed   run              epochs   training cost   validation cost   test cost   test \
         accuracy"
    );
    let mut means = [[0.0; 2]; 2];
    for seed in 1..=SEEDS {
        let (rest, test) = table.data.stratified_split(0.7, seed)?;
        let (train, validation) = rest.stratified_split(0.75, seed)?;
        let scaler = Scaler::standard(train.inputs())?;
        let standardize = |data: Dataset<f64>| data.map_inputs(|x| scaler.transform(&x));
        let train = standardize(train)?;
        let validation = standardize(validation)?;
        let test = standardize(test)?;

        let loss = SoftmaxCrossEntropy::new();
        let trainer = || {
            Trainer::new(loss.clone(), Adam::new())
                .epochs(EPOCHS)
                .learning_rate(1e-3)
                .seed(seed)
                .validation_data(&validation)
        };
        let early = trainer()
            .stop(Stop::early_stopping(Monitor::ValidationCost, 15))
            .restore_best(Monitor::ValidationCost);
        let mut histories = Vec::new();
        for ((name, mut trainer), means) in [("all epochs", trainer()), ("early stopping", early)]
            .into_iter()
            .zip(&mut means)
        {
            let mut net = Sequential::builder(train.features())
                .layer(Dense::new(128, Activation::Relu))
                .layer(Dense::new(64, Activation::Relu))
                .layer(Dense::new(2, Activation::Linear))
                .seed(seed)
                .build()?;
            let history = trainer.fit(&mut net, &train)?;

            // Of the network as the trainer left it.
            let mut tape = Tape::new();
            let mut cost =
                |data: &Dataset<f64>| net.cost(data.inputs(), data.targets(), &loss, &mut tape);
            let (train_cost, validation_cost, test_cost) =
                (cost(&train)?, cost(&validation)?, cost(&test)?);
            let accuracy = metrics::accuracy(&net.predict(test.inputs())?, test.targets())?;
            println!(
                "{seed:>4}   {name:<14}   {:>6}   {:>13.5}   {:>15.3}   {:>9.3}   {accuracy:>13.3}",
                history.epochs.len(),
                train_cost,
                validation_cost,
                test_cost
            );
            means[0] += test_cost / SEEDS as f64;
            means[1] += accuracy / SEEDS as f64;
            histories.push((name, history));
        }
        if seed == 1 {
            fs::create_dir_all(PICTURES)?;
            let runs: Vec<_> = histories
                .iter()
                .map(|(name, history)| (*name, history))
                .collect();
            Runs::new("Learning by heart, seed 1", &runs)
                .log()
                .draw()?
                .save(Path::new(PICTURES).join("early_stopping.png"))?;
        }
    }
    for (name, [test_cost, accuracy]) in ["all epochs", "early stopping"].iter().zip(means) {
        println!("mean   {name:<47}   {test_cost:>9.3}   {accuracy:>13.3}");
    }
    println!(
        "\nThe cost tells what the accuracy hides: a network that has overfitted is sure of its \
         mistakes."
    );
    println!("The curves of the first seed: {PICTURES}/early_stopping.png");
    Ok(())
}
