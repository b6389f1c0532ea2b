//! Which numbers to start with: one setting after the other is changed, and the network judged by
//! cross-validation on six sets of data.
//!
//! ```text
//! cargo run --release --features csv --example choosing
//! ```
//!
//! Each line is the first one with one change. Where training may stop early, a tenth of the
//! training part says when. The figure is the mean of ten folds, five twice: the accuracy of
//! classes, R² of numbers. `examples/data/NOTICE.md` says where the data come from. The guide's
//! chapter `choosing` has the table and what it says.

use chainrule::data::Csv;
use chainrule::optim::Penalty;
use chainrule::prelude::*;
use chainrule::selection::{Folds, Scores, cross_validate, rate_range_test};
use std::thread;

/// What is chosen before training.
#[derive(Clone)]
struct Settings {
    hidden: &'static [usize],
    activation: Activation,
    rate: Rate,
    batch: usize,
    epochs: usize,
    patience: Option<usize>,
    l2: f64,
    standardize: bool,
}

#[derive(Clone, Copy)]
enum Rate {
    Fixed(f64),
    /// What a range test of 100 steps suggests. Its batches are larger: they differ less.
    Suggested,
}

const START: Settings = Settings {
    hidden: &[32],
    activation: Activation::Relu,
    rate: Rate::Fixed(0.003),
    batch: 32,
    epochs: 300,
    patience: Some(20),
    l2: 0.0,
    standardize: true,
};

/// Data, and whether they are classes.
struct Set {
    name: &'static str,
    data: Dataset<f64>,
    classes: bool,
}

fn sets() -> Result<Vec<Set>> {
    let classes = |name, csv: Csv, bytes: &[u8]| {
        let data = csv.read(bytes)?.data;
        Ok::<_, Error>(Set {
            name,
            data,
            classes: true,
        })
    };
    let numbers = |name, target: &str, bytes: &[u8]| {
        let data = Csv::new().targets([target]).read(bytes)?.data;
        Ok::<_, Error>(Set {
            name,
            data,
            classes: false,
        })
    };
    let csv = || Csv::new();
    Ok(vec![
        classes(
            "iris",
            csv().labels("species"),
            include_bytes!("data/iris.csv"),
        )?,
        classes(
            "wine",
            csv().labels("cultivar"),
            include_bytes!("data/wine.csv"),
        )?,
        classes(
            "cancer",
            csv().labels("diagnosis"),
            include_bytes!("data/breast_cancer.csv"),
        )?,
        classes(
            "digits",
            csv().no_header().labels(64),
            include_bytes!("data/digits.csv"),
        )?,
        numbers(
            "diabetes",
            "progression",
            include_bytes!("data/diabetes.csv"),
        )?,
        numbers(
            "quality",
            "quality",
            include_bytes!("data/winequality-red.csv"),
        )?,
    ])
}

fn main() -> Result<()> {
    let sets = sets()?;
    let rate = |rate| Settings {
        rate: Rate::Fixed(rate),
        ..START
    };
    let hidden = |hidden| Settings { hidden, ..START };
    let epochs = |epochs| Settings {
        epochs,
        patience: None,
        ..START
    };
    let l2 = |l2| Settings { l2, ..START };
    let lines = [
        ("where to start", START),
        (
            "not standardized",
            Settings {
                standardize: false,
                ..START
            },
        ),
        ("rate 0.0003", rate(0.0003)),
        ("rate 0.001", rate(0.001)),
        ("rate 0.01", rate(0.01)),
        ("rate 0.03", rate(0.03)),
        ("rate 0.1", rate(0.1)),
        (
            "rate of a range test",
            Settings {
                rate: Rate::Suggested,
                ..START
            },
        ),
        ("no hidden layer", hidden(&[])),
        ("8 neurons", hidden(&[8])),
        ("128 neurons", hidden(&[128])),
        ("32, 32 neurons", hidden(&[32, 32])),
        ("128, 64 neurons", hidden(&[128, 64])),
        (
            "tanh",
            Settings {
                activation: Activation::Tanh,
                ..START
            },
        ),
        ("batches of 8", Settings { batch: 8, ..START }),
        (
            "batches of 128",
            Settings {
                batch: 128,
                ..START
            },
        ),
        (
            "patience 5",
            Settings {
                patience: Some(5),
                ..START
            },
        ),
        ("30 epochs, no stop", epochs(30)),
        ("300 epochs, no stop", epochs(300)),
        ("L2 of 0.001", l2(0.001)),
        ("L2 of 0.01", l2(0.01)),
        ("L2 of 0.1", l2(0.1)),
        (
            "300 epochs, L2 of 0.01",
            Settings {
                l2: 0.01,
                ..epochs(300)
            },
        ),
    ];
    let names: String = sets.iter().map(|set| format!("{:>10}", set.name)).collect();
    println!("{:<24}{names}", "");
    for (index, (name, settings)) in lines.iter().enumerate() {
        let scores = sets
            .iter()
            .map(|set| judge(set, settings))
            .collect::<Result<Vec<_>>>()?;
        let means: String = scores
            .iter()
            .map(|it| format!("{:>10.3}", it.mean()))
            .collect();
        println!("{name:<24}{means}");
        if index == 0 {
            let halves = scores.iter().map(|it| it.interval(0.95));
            let halves = halves.collect::<Result<Vec<_>>>()?;
            let halves: String = halves
                .iter()
                .map(|(low, high)| format!("{:>10}", format!("±{:.3}", (high - low) / 2.0)))
                .collect();
            println!("{:<24}{halves}", "  its 95 % interval");
        }
    }
    Ok(())
}

fn judge(set: &Set, settings: &Settings) -> Result<Scores> {
    let folds = if set.classes {
        Folds::stratified(5)
    } else {
        Folds::k_fold(5)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    cross_validate(
        &set.data,
        &folds.repeated(2),
        threads,
        |train, test, seed| {
            let model = train_model(set.classes, settings, train, seed)?;
            let predicted = model.predict(test.inputs())?;
            if set.classes {
                metrics::accuracy(&predicted, &test)
            } else {
                metrics::r2(&predicted, &test)
            }
        },
    )
}

fn train_model(
    classes: bool,
    settings: &Settings,
    train: Dataset<f64>,
    seed: u64,
) -> Result<Model<f64>> {
    let mut net = Sequential::builder(train.features());
    for width in settings.hidden {
        net = net.layer(Dense::new(*width, settings.activation.clone()));
    }
    let net = net
        .layer(Dense::new(train.outputs(), Activation::Linear))
        .seed(seed)
        .build()?;
    let inputs = settings
        .standardize
        .then(|| Scaler::standard(train.inputs()))
        .transpose()?;
    let outputs = (!classes)
        .then(|| Scaler::standard(train.targets()))
        .transpose()?;
    let mut model = Model::new(net, inputs, outputs)?;

    let (part, judge) = match (settings.patience, classes) {
        (None, _) => (train, None),
        (Some(_), false) => split(train.split(0.9, seed)?),
        (Some(_), true) => split(train.stratified_split(0.9, seed)?),
    };
    let trainer = || {
        let trainer = if classes {
            Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
        } else {
            Trainer::new(MeanSquaredError, Adam::new())
        };
        trainer
            .batch_size(settings.batch)
            .epochs(settings.epochs)
            .penalty(Penalty::new().l2(settings.l2))
            .seed(seed)
    };
    let rate = match settings.rate {
        Rate::Fixed(rate) => rate,
        Rate::Suggested => {
            let scaled = model.scale(part.clone())?;
            let mut trainer = trainer().batch_size(128);
            rate_range_test(&mut trainer, model.net(), &scaled, 1e-5..=10.0, 100)?.suggestion()?
        }
    };
    let mut trainer = trainer().learning_rate(rate);
    if let (Some(judge), Some(patience)) = (&judge, settings.patience) {
        trainer = trainer
            .validation_data(judge)
            .stop(Stop::early_stopping(Monitor::ValidationCost, patience))
            .restore_best(Monitor::ValidationCost);
    }
    model.fit(&mut trainer, &part)?;
    Ok(model)
}

fn split((part, judge): (Dataset<f64>, Dataset<f64>)) -> (Dataset<f64>, Option<Dataset<f64>>) {
    (part, Some(judge))
}
