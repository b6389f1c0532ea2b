//! Recognizes handwritten digits: 1797 images of 8 × 8 pixels, ten classes.
//!
//! The whole way of a classification: read, split, standardize, train until validation data say
//! that it is enough, and judge by test data that training never saw.
//!
//! ```text
//! cargo run --release --example digits
//! cargo run --release --example digits -- 7  # the seed of another split and another start
//! # With a bar, and pictures in target/pictures/:
//! cargo run --release --features progress,plot --example digits
//! ```
//!
//! The data come with the repository; `examples/data/NOTICE.md` says from where.

use chainrule::metrics::{self, ConfusionMatrix};
use chainrule::prelude::*;
use std::{env, error};

const SIDE: usize = 8;
const CLASSES: usize = 10;

fn main() -> Result<(), Box<dyn error::Error>> {
    let seed = match env::args().nth(1) {
        Some(text) => text
            .parse()
            .map_err(|_| format!("the seed must be a whole number, not {text:?}"))?,
        None => 1,
    };

    let digits = read(include_str!("data/digits.csv"))?;
    let (rest, test) = digits.split(0.7, seed)?;
    let (train, validation) = rest.split(0.9, seed)?;
    println!(
        "{} images to train on, {} for validation, {} for the test\n",
        train.len(),
        validation.len(),
        test.len()
    );

    let net = Sequential::<f32>::builder(SIDE * SIDE)
        .layer(Dense::new(128, Activation::Relu))
        .layer(Dropout::new(0.3))
        .layer(Dense::new(CLASSES, Activation::Linear)) // scores: the softmax belongs to the loss
        .seed(seed)
        .build()?;
    println!("{net}\n");

    // The scaler is learned from the training data alone: what the test data look like must not
    // leak into training.
    let mut model = Model::new(net, Scaler::standard(train.inputs())?, None)?;

    // A thousand images are few: without smoothing and dropout the network learns them by heart.
    let loss = SoftmaxCrossEntropy::new().label_smoothing(0.1);
    let trainer = Trainer::new(loss, Adam::new())
        .epochs(200)
        .batch_size(32)
        .learning_rate(2e-3)
        .seed(seed)
        .validation_data(&validation)
        .stop(Stop::early_stopping(Monitor::ValidationCost, 15))
        .restore_best(Monitor::ValidationCost)
        .metric("accuracy", |y, t| metrics::accuracy(y, t));
    #[cfg(feature = "progress")]
    let trainer = trainer.observe(chainrule::Progress::new());
    let mut trainer = trainer;
    let history = model.fit(&mut trainer, &train)?;

    println!("epoch   training cost   validation cost   validation accuracy");
    for epoch in history.epochs.iter().step_by(10) {
        if let (Some(cost), Some(accuracy)) = (epoch.validation_cost, epoch.metric("accuracy")) {
            println!(
                "{:>5}   {:>13.4}   {cost:>15.4}   {accuracy:>19.4}",
                epoch.epoch, epoch.cost
            );
        }
    }
    if let Some(best) = history.best(&Monitor::ValidationCost) {
        println!(
            "{} epochs; the network is that of epoch {}, the best.",
            history.epochs.len(),
            best.epoch
        );
    }

    let probabilities = model.predict(test.inputs())?;
    let (predicted, actual) = (
        metrics::classes(&probabilities)?,
        metrics::classes(test.targets())?,
    );

    if let Some(wrong) = (0..test.len()).find(|sample| predicted[*sample] != actual[*sample]) {
        let probability = 100.0 * probabilities[(predicted[wrong], wrong)];
        println!(
            "\nThis {} is taken for a {}, at {probability:.0} %:\n",
            actual[wrong], predicted[wrong]
        );
        draw(test.inputs().column(wrong).as_slice());
    }
    let confusion = ConfusionMatrix::new(&predicted, &actual, CLASSES)?;
    println!("\n{confusion}\n\n{}\n", confusion.report());
    println!("test accuracy: {:.4}", confusion.accuracy());

    #[cfg(feature = "plot")]
    pictures(&history, &confusion)?;
    Ok(())
}

/// Draws how the training went, and what was taken for what.
#[cfg(feature = "plot")]
fn pictures(
    history: &chainrule::train::History,
    confusion: &ConfusionMatrix,
) -> Result<(), Box<dyn error::Error>> {
    use chainrule::plot::{Confusion, Runs};
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    std::fs::create_dir_all(&folder)?;
    Runs::new("Handwritten digits: training", &[("", history)])
        .metrics()
        .size(440, 400)
        .draw()?
        .light_dark()
        .save(folder.join("digits-training.svg"))?;
    Confusion::new("Handwritten digits: the test", confusion)
        .size(440, 400)
        .draw()?
        .light_dark()
        .save(folder.join("digits-confusion.svg"))?;
    println!(
        "pictures: digits-training.svg and digits-confusion.svg in {}",
        folder.display()
    );
    Ok(())
}

/// Reads lines of pixels, each line ended by its label.
fn read(csv: &str) -> Result<Dataset<f32>, Box<dyn error::Error>> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for line in csv.lines() {
        let (image, label) = line.rsplit_once(',').ok_or("a line without a comma")?;
        for pixel in image.split(',') {
            pixels.push(pixel.parse()?);
        }
        labels.push(label.parse()?);
    }
    let targets = one_hot(&labels, CLASSES)?;
    Ok(Dataset::from_rows(
        &pixels,
        SIDE * SIDE,
        targets.as_slice(),
        CLASSES,
    )?)
}

/// Prints an image, two characters a pixel so that it comes out square.
fn draw(pixels: &[f32]) {
    for row in pixels.chunks(SIDE) {
        let line: String = row
            .iter()
            .map(|pixel| {
                ["  ", "░░", "▒▒", "▓▓", "██"][(pixel / 4.0).round().clamp(0.0, 4.0) as usize]
            })
            .collect();
        println!("    {}", line.trim_end());
    }
}
