//! How good is a wine? Marks of tasters from eleven measurements of a laboratory: a regression,
//! judged by cross-validation.
//!
//! 1599 red wines of P. Cortez et al., *Modeling wine preferences by data mining from
//! physicochemical properties* (Decision Support Systems 47, 2009), each with the median of the
//! marks that at least three tasters gave it, from 0 to 10. A network is compared with a single
//! linear neuron, and that with always saying the mean.
//!
//! ```text
//! cargo run --release --features csv --example wine_quality
//! ```
//!
//! Of five folds each is once the test: nothing of it, not even its mean, is known to the training.
//! When to stop is told by a tenth of the other four.

use chainrule::View;
use chainrule::data::Csv;
use chainrule::numeric::Targets;
use chainrule::optim::Penalty;
use chainrule::prelude::*;
use std::error;

const FOLDS: usize = 5;

fn main() -> Result<(), Box<dyn error::Error>> {
    let table = Csv::new()
        .targets(["quality"])
        .read::<f64>(include_bytes!("data/winequality-red.csv").as_slice())?;
    let wines = table.data;
    println!(
        "{} wines, {} measurements: {}\n",
        wines.len(),
        wines.features(),
        table.features.join(", ")
    );

    let numbers: String = (1..=FOLDS).map(|fold| format!("{fold:>6}")).collect();
    println!("                R² of fold                       mistakes in points   right when");
    println!("               {numbers}   mean     average   largest      rounded");
    for (name, hidden) in [
        ("mean", None),
        ("linear neuron", Some(&[][..])),
        ("network 32-16", Some(&[32, 16][..])),
    ] {
        let mut scores = Scores::default();
        for (fold, (train, test)) in wines.k_fold(FOLDS, 1)?.enumerate() {
            let predicted = match hidden {
                None => DMatrix::from_element(1, test.len(), train.targets().mean()),
                Some(hidden) => train_and_predict(hidden, &train, test.inputs(), fold as u64)?,
            };
            scores.add(&predicted, &test)?;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let folds: String = scores.r2.iter().map(|r2| format!("{r2:>6.2}")).collect();
        println!(
            "{name:<15}{folds}   {:>4.2}   {:>9.3}   {:>7.2}   {:>8.1} %",
            mean(&scores.r2),
            mean(&scores.absolute),
            scores.largest,
            100.0 * mean(&scores.right)
        );
    }
    Ok(())
}

/// What is measured on each fold.
#[derive(Default)]
struct Scores {
    r2: Vec<f64>,
    absolute: Vec<f64>,
    largest: f64,
    right: Vec<f64>,
}

impl Scores {
    fn add(&mut self, predicted: &DMatrix<f64>, test: &Dataset<f64>) -> Result<()> {
        let (y, target): (View<'_, f64>, Targets<'_, f64>) =
            (predicted.into(), test.targets().into());
        self.r2.push(metrics::r2(y, target)?);
        self.absolute.push(metrics::mean_absolute_error(y, target)?);
        self.largest = self.largest.max(metrics::max_error(y, target)?);
        let right = predicted
            .iter()
            .zip(test.targets().iter())
            .filter(|(y, target)| y.round() == **target)
            .count();
        self.right.push(right as f64 / test.len() as f64);
        Ok(())
    }
}

/// Trains a network with these hidden layers, and says what it predicts for `test`.
fn train_and_predict(
    hidden: &[usize],
    train: &Dataset<f64>,
    test: &DMatrix<f64>,
    seed: u64,
) -> Result<DMatrix<f64>> {
    // What belongs to the preparation is learned from the training data as the weights are. Marks,
    // too, are learned more easily around 0 and of size 1.
    let (inputs, marks) = (
        Scaler::standard(train.inputs())?,
        Scaler::standard(train.targets())?,
    );
    let (train, validation) = train.split(0.9, seed)?;

    let mut builder = Sequential::builder(train.features());
    for width in hidden {
        builder = builder.layer(Dense::new(*width, Activation::Relu));
    }
    let net = builder
        .layer(Dense::new(1, Activation::Linear))
        .seed(seed)
        .build()?;
    let mut model = Model::new(net, inputs, marks)?;
    let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
        .epochs(300)
        .learning_rate(2e-3)
        .seed(seed)
        .penalty(Penalty::new().l2(1e-2))
        .validation_data(&validation)
        .stop(Stop::early_stopping(Monitor::ValidationCost, 30))
        .restore_best(Monitor::ValidationCost);
    model.fit(&mut trainer, &train)?;
    model.predict(test)
}
