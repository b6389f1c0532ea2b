//! Which species is a penguin of? Classes from a table with words, numbers and holes, judged by
//! repeated cross-validation.
//!
//! 344 penguins of the Palmer Archipelago (Gorman, Williams & Fraser 2014), of which eleven have no
//! sex and two no measurements. Each is held out once in each of three repeats of ten folds; what
//! fills the holes, and what scales the numbers, is learned from the others.
//!
//! ```text
//! cargo run --release --features csv --example penguins
//! ```

use chainrule::data::{Csv, Encoder, Fill, HeldOut, Table};
use chainrule::metrics::{self, ConfusionMatrix};
use chainrule::optim::Penalty;
use chainrule::prelude::*;
use chainrule::selection::{Folds, cross_validate};

fn main() -> Result<()> {
    let penguins = Csv::new()
        .categorical(["species", "island", "sex"])
        .read_table_file("examples/data/penguins.csv")?
        .without(["year"])?;

    let folds = Folds::stratified_by(10, "species").repeated(3).seed(1);
    let scores = cross_validate(&penguins, &folds, 2, |train, validation, seed| {
        let (predicted, test) = predict(&fit(&train, seed)?, &validation)?;
        metrics::accuracy(&predicted, &test)
    })?;
    let (low, high) = scores.interval(0.95)?;
    println!(
        "accuracy {:.4}, of single folds ±{:.4}; 95 % interval of the mean {low:.4} to {high:.4}\n",
        scores.mean(),
        scores.deviation()
    );

    let (train, test) = penguins.stratified_split("species", 0.7, 1)?;
    let model = fit(&train, 1)?;
    let (predicted, targets) = predict(&model, &test)?;
    let names = model.classes().unwrap_or_default().to_vec();
    println!(
        "{}\n",
        ConfusionMatrix::of(&predicted, &targets)?.named(names)?
    );

    // A bird of which little is known.
    let bird = Table::new()
        .with_categories("island", [None])?
        .with_categories("sex", [None])?
        .with_numbers("bill_length_mm", [49.0])?
        .with_numbers("bill_depth_mm", [None])?
        .with_numbers("flipper_length_mm", [195.0])?
        .with_numbers("body_mass_g", [None])?;
    print!("{}", model.predict_table(&bird)?.to_csv());
    Ok(())
}

fn fit(train: &Table, seed: u64) -> Result<Model<f32>> {
    let encoder = Encoder::builder()
        .target("species")
        .fill(Fill::Median)
        .fit(train)?;
    let net = Sequential::builder(encoder.inputs())
        .layer(Dense::new(16, Activation::Tanh))
        .layer(Dense::new(encoder.outputs(), Activation::Linear))
        .seed(seed)
        .build()?;
    let mut model = Model::with_encoder(net, encoder)?;
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
        .epochs(60)
        .learning_rate(0.01)
        .penalty(Penalty::new().l2(1e-2))
        .seed(seed);
    let data = model.dataset(train)?;
    model.fit(&mut trainer, &data)?;
    Ok(model)
}

/// Probabilities of the species of rows that were held out, and the species.
fn predict(model: &Model<f32>, rows: &HeldOut) -> Result<(DMatrix<f32>, Dataset<f32>)> {
    let data = model.dataset(rows)?;
    Ok((model.predict(data.inputs())?, data))
}
