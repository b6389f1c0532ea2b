//! Which wines are good? One in seven is, so that accuracy says little: who calls none good is
//! right about 86 of 100. Weights for the rare class, the curve of precision and recall, a
//! threshold that is chosen on validation rows, and what the probabilities are worth.
//!
//! 1599 red wines (P. Cortez et al. 2009), of which those with a mark of 7 or more count as good.
//!
//! ```text
//! cargo run --release --features csv,plot --example imbalanced
//! ```

use chainrule::data::{Csv, Encoder, Encoding, Scaling};
use chainrule::metrics::{self, Average, Bins, ConfusionMatrix};
use chainrule::optim::{Penalty, Schedule};
use chainrule::plot::Curves;
use chainrule::prelude::*;
use std::fs;

fn main() -> Result<()> {
    let wines = Csv::new().read_table_file("examples/data/winequality-red.csv")?;
    let good = wines
        .numbers("quality")?
        .iter()
        .map(|mark| f64::from(*mark >= 7.0))
        .collect::<Vec<_>>();
    let wines = wines.without(["quality"])?.with_numbers("good", good)?;
    let (train, test) = wines.split(0.7, 1)?;
    let (train, validation) = train.split(0.75, 1)?;

    let encoder = Encoder::builder()
        .target("good")
        .column("good", Encoding::new().scaling(Scaling::None)) // 0 and 1 stay so
        .fit(&train)?;
    let data = encoder.dataset(&train)?;
    let validation = encoder.dataset::<f64>(&validation)?;
    let test = encoder.dataset::<f64>(&test)?;

    let plain = fit(&encoder, &data)?;
    let balanced = fit(&encoder, &data.clone().balanced()?)?;
    println!("                     threshold  accuracy  precision  recall     F1  area under PR");
    for (name, model, choose) in [
        ("plain", &plain, false),
        ("balanced", &balanced, false),
        ("plain, chosen", &plain, true),
        ("balanced, chosen", &balanced, true),
    ] {
        // The threshold is a setting: it is chosen by rows that are not those of the test.
        let known = model.predict(validation.inputs())?;
        let threshold = if choose {
            metrics::precision_recall_curve(&known, &validation, 1)?
                .best_f1()
                .threshold
        } else {
            0.5
        };
        let probabilities = model.predict(test.inputs())?;
        let called = probabilities.map(|p| f64::from(p >= threshold));
        let good = Average::Class(1);
        println!(
            "{name:<20} {threshold:>10.3} {:>9.3} {:>10.3} {:>7.3} {:>6.3} {:>14.3}",
            metrics::accuracy(&called, &test)?,
            metrics::precision(&called, &test, good)?,
            metrics::recall(&called, &test, good)?,
            metrics::f1(&called, &test, good)?,
            metrics::average_precision(&probabilities, &test)?,
        );
    }

    let (plain, balanced) = (
        plain.predict(test.inputs())?,
        balanced.predict(test.inputs())?,
    );
    println!(
        "\nBrier score, of probabilities: plain {:.4}, balanced {:.4}\n",
        metrics::brier_score(&plain, &test)?,
        metrics::brier_score(&balanced, &test)?
    );
    println!(
        "{}",
        ConfusionMatrix::of(&balanced, &test)?.named(["other", "good"])?
    );

    fs::create_dir_all("target/pictures").expect("a folder for pictures");
    let curve = |y: &DMatrix<f64>| metrics::precision_recall_curve(y, &test, 1);
    Curves::precision_recall(
        "Good wines",
        &[("plain", &curve(&plain)?), ("balanced", &curve(&balanced)?)],
    )
    .draw()?
    .save("target/pictures/imbalanced-precision-recall.svg")?;
    let bins = Bins::Quantile(5);
    Curves::calibration(
        "What a probability of a good wine is worth",
        &[
            (
                "plain",
                &metrics::calibration_curve(&plain, &test, 1, bins)?,
            ),
            (
                "balanced",
                &metrics::calibration_curve(&balanced, &test, 1, bins)?,
            ),
        ],
    )
    .draw()?
    .save("target/pictures/imbalanced-calibration.svg")
}

/// A model of these wines, whose classes weigh what they do here.
fn fit(encoder: &Encoder, data: &Dataset<f64>) -> Result<Model<f64>> {
    let net = Sequential::builder(encoder.inputs())
        .layer(Dense::new(32, Activation::Relu))
        .layer(Dropout::new(0.2))
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let mut model = Model::with_encoder(net, encoder.clone())?;
    let cosine = Schedule::Cosine {
        rate: 0.01,
        min: 0.0,
        steps: 100,
    }
    .in_percent();
    let mut trainer = Trainer::new(SigmoidCrossEntropy::new(), Adam::new())
        .epochs(100)
        .learning_rate(cosine)
        .penalty(Penalty::new().l2(3e-3))
        .seed(1);
    model.fit(&mut trainer, data)?;
    Ok(model)
}
