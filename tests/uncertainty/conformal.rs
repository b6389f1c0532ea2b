//! Split conformal prediction against NumPy and MAPIE, and its promise on real data.

use crate::common::refused;
use crate::ensembles::{close, lines, numbers};
use chainrule::prelude::*;
use chainrule::uncertainty::{Band, ConformalClassifier, ConformalRegressor, SetScore};
use chainrule::{ErrorKind, View};

#[test]
fn intervals_as_numpy_has_them() -> Result<()> {
    let mut seen = 0;
    for fields in lines("intervals") {
        let outputs: usize = fields[1].parse().expect("a number");
        let (low, high) = (numbers(fields[3]), numbers(fields[4]));
        let (low, high) = (View::new(&low, outputs)?, View::new(&high, outputs)?);
        let scale = (fields[5] != "-").then(|| numbers(fields[5]));
        let band = match (fields[0], &scale) {
            ("around", _) => Band::around(low)?,
            ("scaled", Some(scale)) => Band::scaled(low, View::new(scale, outputs)?)?,
            _ => Band::between(low, high)?,
        };
        let targets = numbers(fields[6]);
        let (targets, confidence) = (View::new(&targets, outputs)?, numbers(fields[7])[0]);
        let conformal = ConformalRegressor::calibrate(&band, targets, confidence)?;
        close(conformal.margins(), &numbers(fields[8]), 1e-12);

        let intervals = conformal.intervals(&band)?;
        for (j, (low, high)) in low.iter().zip(high.iter()).enumerate() {
            for (i, (low, high)) in low.iter().zip(high).enumerate() {
                let scale = scale.as_ref().map_or(1.0, |scale| scale[j * outputs + i]);
                let wider = conformal.margins()[i] * scale;
                close(&[intervals.lower()[(i, j)]], &[low - wider], 1e-12);
                close(&[intervals.upper()[(i, j)]], &[high + wider], 1e-12);
            }
        }
        // Of the samples themselves ⌈(n + 1)·confidence⌉/n are inside, but for rounding at the ends.
        let rank = ((targets.cols() + 1) as f64 * confidence - 1e-9).ceil();
        let off = (intervals.coverage(targets)? - rank / targets.cols() as f64).abs();
        assert!(off <= 1.0 / targets.cols() as f64 + 1e-12);
        seen += 1;
    }
    assert_eq!(seen, 42);
    Ok(())
}

#[test]
fn sets_as_numpy_has_them() -> Result<()> {
    let mut seen = 0;
    for fields in lines("sets") {
        let score = if fields[0] == "lac" {
            SetScore::Lac
        } else {
            SetScore::Aps
        };
        let classes: usize = fields[1].parse().expect("a number");
        let (p, new) = (numbers(fields[3]), numbers(fields[6]));
        let labels: Vec<usize> = numbers(fields[4]).iter().map(|v| *v as usize).collect();
        let (y, t) = (View::new(&p, classes)?, one_hot(&labels, classes)?);
        let confidence = numbers(fields[5])[0];
        let conformal = ConformalClassifier::calibrate(y, &t, confidence, score)?;
        let sets = conformal.sets(View::new(&new, classes)?)?;
        assert_eq!(sets.len(), new.len() / classes);
        for (j, (set, expected)) in sets.iter().zip(fields[7].split(';')).enumerate() {
            let expected: Vec<usize> = match expected {
                "-" => vec![],
                some => numbers(some).iter().map(|v| *v as usize).collect(),
            };
            let mut sorted = set.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, expected, "sample {j}");
            let p = |class: &usize| new[j * classes + class];
            assert!(set.windows(2).all(|pair| p(&pair[0]) >= p(&pair[1])));
        }
        seen += 1;
    }
    assert_eq!(seen, 8);
    Ok(())
}

/// Of a single row, ties, and probabilities beside which 1 is all there is.
#[test]
fn edges_of_sets() -> Result<()> {
    let p: Vec<f64> = (1..=19).map(|k| f64::from(k) / 20.0).collect();
    let one = View::new(&p, 1)?;
    // All are of class 1: of those, 18 of 19 have 0.1 or more.
    let t = [1.0; 19];
    let binary = ConformalClassifier::calibrate(one, View::new(&t, 1)?, 0.9, SetScore::Lac)?;
    let new = [0.05, 0.1, 0.5, 0.95];
    let sets = binary.sets(View::new(&new, 1)?)?;
    assert_eq!(sets, [vec![0], vec![0, 1], vec![0, 1], vec![1]]);

    // Equally probable classes come in their order: the sum of the first two is ⅔.
    let third = DMatrix::from_element(3, 9, 1.0 / 3.0);
    let t = one_hot(&[1; 9], 3)?;
    let conformal = ConformalClassifier::calibrate(&third, &t, 0.9, SetScore::Aps)?;
    assert_eq!(conformal.sets(&third)?[0], [0, 1]);

    // The true classes were certain, but for 1e-30, and so must be those of a set.
    let certain = DMatrix::from_fn(3, 9, |i, _| [1.0, 1e-30, 1e-40][i]);
    let t = one_hot(&[0; 9], 3)?;
    for score in [SetScore::Lac, SetScore::Aps] {
        let conformal = ConformalClassifier::calibrate(&certain, &t, 0.9, score)?;
        assert_eq!(conformal.sets(&certain)?[0], [0], "{score:?}");
    }
    Ok(())
}

#[test]
fn what_is_refused() -> Result<()> {
    let kind = ErrorKind::Value;
    let y = DMatrix::from_element(1, 8, 0.5);
    let band = Band::around(&y)?;
    refused(
        ConformalRegressor::calibrate(&band, &y, 0.9),
        kind,
        "samples of ConformalRegressor::calibrate: got 8, expected at least 9, for a confidence of \
         0.9",
    );
    for (confidence, least) in [
        (0.5, 1),
        (0.8, 4),
        (0.9, 9),
        (0.95, 19),
        (0.99, 99),
        (0.999, 999),
        (0.9999, 9999),
        (0.97, 33),
    ] {
        for samples in [least - 1, least] {
            let y = DMatrix::from_element(1, samples.max(1), 0.5);
            let result = ConformalRegressor::calibrate(&Band::around(&y)?, &y, confidence);
            assert_eq!(
                result.is_ok(),
                samples == least || least == 1,
                "{confidence} {samples}"
            );
            if let Err(error) = result {
                let expected = format!("at least {least}, for a confidence of {confidence}");
                assert_eq!(error.expected(), expected);
            }
        }
    }
    for confidence in [0.0, 1.0, -0.1, 1.1, f64::NAN] {
        let error = ConformalRegressor::calibrate(&band, &y, confidence).expect_err("a confidence");
        assert_eq!(error.place(), "confidence of ConformalRegressor::calibrate");
    }
    let conformal = ConformalRegressor::calibrate(&band, &y, 0.5)?;
    refused(
        conformal.intervals(&Band::between(&y, &y)?),
        ErrorKind::Incompatible,
        "band of ConformalRegressor::intervals: got a band between two ends, expected a band around \
         predictions, as it was calibrated on",
    );
    refused(
        conformal.intervals(&Band::around(&[1.0, 2.0])?),
        ErrorKind::Shape,
        "band of ConformalRegressor::intervals: got 2 × 1, expected 1 × 1",
    );
    refused(
        Band::scaled(&[1.0, 2.0], &[1.0, 0.0]),
        kind,
        "scale of Band, row 1, column 0: got 0, expected a finite number above 0",
    );
    refused(
        Band::of_quantiles(&[1.0, 2.0, 3.0]),
        ErrorKind::Incompatible,
        "outputs of Band: got 3, expected those of Quantile with two levels: an even number",
    );
    refused(
        Band::around(&[f64::NAN]),
        ErrorKind::NotFinite,
        "predictions of Band, row 0, column 0: got NaN, expected a finite number",
    );
    refused(
        Band::around(&DMatrix::<f64>::zeros(1, 0)),
        ErrorKind::Empty,
        "predictions of Band: got none, expected at least 1 output of 1 sample",
    );
    let weighted = Dataset::new(y.clone(), y.clone())?.weighted(vec![2.0; 8])?;
    refused(
        ConformalRegressor::calibrate(&band, &weighted, 0.5),
        ErrorKind::Incompatible,
        "targets of ConformalRegressor::calibrate: got weights, expected samples that all count the \
         same (Dataset::targets has no weights)",
    );
    let t = one_hot(&[0; 8], 2)?;
    let p = DMatrix::from_element(2, 8, 0.7);
    refused(
        ConformalClassifier::calibrate(&p, &t, 0.5, SetScore::Lac),
        kind,
        "probabilities of ConformalClassifier::calibrate, column 0: got 1.4, expected a sum of 1 \
         (of classes of which a sample may have several, calibrate each row by itself)",
    );
    let p = DMatrix::from_element(2, 8, 0.5);
    let conformal = ConformalClassifier::calibrate(&p, &t, 0.5, SetScore::Aps)?;
    assert_eq!(
        conformal.sets(&y).expect_err("a row").kind(),
        ErrorKind::Shape
    );
    Ok(())
}

/// On real data, intervals and sets hold the truth as often as they promise, on average over how
/// the data are split; the network need not be good for that.
#[cfg(feature = "csv")]
mod promise {
    use super::*;
    use chainrule::data::Csv;
    use chainrule::nn::loss::{GaussianNll, Loss, Quantile};
    use chainrule::uncertainty::Ensemble;

    /// Three parts: to learn from, to calibrate on, to judge by.
    fn parts(data: &Dataset<f64>, seed: u64) -> Result<[Dataset<f64>; 3]> {
        let (train, rest) = data.split(0.4, seed)?;
        let (calibration, test) = rest.split(0.5, seed + 1000)?;
        Ok([train, calibration, test])
    }

    fn fit(
        data: &Dataset<f64>,
        loss: impl Loss<f64> + 'static,
        outputs: usize,
        seed: u64,
    ) -> Result<Model<f64>> {
        let net = Sequential::builder(data.features())
            .layer(Dense::new(12, Activation::Tanh))
            .layer(Dense::new(outputs, Activation::Linear))
            .seed(seed)
            .build()?;
        let mut model = Model::new(net, Scaler::standard(data.inputs())?, None)?;
        let trainer = Trainer::new(loss, Adam::new()).seed(seed);
        model.fit(&mut trainer.epochs(25).learning_rate(0.01), data)?;
        Ok(model)
    }

    /// With targets of mean 0 and deviation 1, so that networks of any outputs can learn them.
    fn standard(data: Dataset<f64>) -> Result<Dataset<f64>> {
        let scaler = Scaler::standard(data.targets())?;
        data.map_targets(|targets| scaler.transform(&targets))
    }

    fn sets() -> Result<[(&'static str, Dataset<f64>); 3]> {
        let read = |csv: Csv, bytes: &[u8]| standard(csv.read(bytes)?.data);
        let cars = Csv::new()
            .features([
                "cylinders",
                "displacement",
                "weight",
                "acceleration",
                "year",
            ])
            .targets(["mpg"])
            .missing([""])
            .drop_missing();
        Ok([
            (
                "cars",
                read(cars, include_bytes!("../../examples/data/cars.csv"))?,
            ),
            (
                "diabetes",
                read(
                    Csv::new().targets(["progression"]),
                    include_bytes!("../../examples/data/diabetes.csv"),
                )?,
            ),
            (
                "wine",
                read(
                    Csv::new().targets(["quality"]),
                    include_bytes!("../../examples/data/winequality-red.csv"),
                )?,
            ),
        ])
    }

    #[test]
    fn intervals() -> Result<()> {
        const SEEDS: u64 = 20;
        for (name, data) in sets()? {
            let mut coverages = [0.0; 4];
            let mut widths = [0.0; 4];
            for seed in 0..SEEDS {
                let [train, calibration, test] = parts(&data, seed)?;
                let plain = fit(&train, MeanSquaredError, 1, seed)?;
                let gaussian = fit(&train, GaussianNll::new(), 2, seed)?;
                let quantile = fit(&train, Quantile::new(&[0.05, 0.95]), 2, seed)?;
                let ensemble = Ensemble::train(3, 1, |member| {
                    fit(&train, MeanSquaredError, 1, 100 * seed + member)
                })?;
                let bands = |x: &DMatrix<f64>| {
                    let together = ensemble.predict(x)?;
                    // Means, and logarithms of variances.
                    let mut normal = gaussian.scores(x)?;
                    normal.row_mut(1).apply(|s| *s = (0.5 * *s).exp());
                    Ok::<_, Error>([
                        Band::around(&plain.predict(x)?)?,
                        Band::of_gaussian(&normal)?,
                        Band::of_quantiles(&quantile.predict(x)?)?,
                        Band::scaled(&together.mean(), &together.deviation().add_scalar(0.1))?,
                    ])
                };
                let pairs = bands(calibration.inputs())?
                    .into_iter()
                    .zip(bands(test.inputs())?);
                for (kind, (band, new)) in pairs.enumerate() {
                    let conformal =
                        ConformalRegressor::calibrate(&band, calibration.targets(), 0.9)?;
                    let intervals = conformal.intervals(&new)?;
                    coverages[kind] += intervals.coverage(test.targets())? / SEEDS as f64;
                    widths[kind] += intervals.mean_width() / SEEDS as f64;
                }
            }
            println!("{name}: coverage {coverages:.4?}, width {widths:.3?}");
            assert!(
                coverages.iter().all(|c| (0.88..=0.92).contains(c)),
                "{name}: {coverages:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn sets_of_classes() -> Result<()> {
        const SEEDS: u64 = 20;
        let digits = include_bytes!("../../examples/data/digits.csv");
        let digits = Csv::new()
            .no_header()
            .labels(64)
            .read::<f64>(digits.as_slice())?
            .data;
        let (mut coverages, mut sizes) = ([0.0; 2], [0.0; 2]);
        for seed in 0..SEEDS {
            let [train, calibration, test] = parts(&digits, seed)?;
            // Little data, so that there is something to be unsure of.
            let few = train.select(&(0..100).collect::<Vec<_>>())?;
            let model = fit(&few, SoftmaxCrossEntropy::new(), 10, seed)?;
            let (y, new) = (
                model.predict(calibration.inputs())?,
                model.predict(test.inputs())?,
            );
            let labels = metrics::classes(test.targets())?;
            for (kind, score) in [SetScore::Lac, SetScore::Aps].into_iter().enumerate() {
                let conformal =
                    ConformalClassifier::calibrate(&y, calibration.targets(), 0.9, score)?;
                let sets = conformal.sets(&new)?;
                let hits = sets
                    .iter()
                    .zip(&labels)
                    .filter(|(set, label)| set.contains(label));
                let share = 1.0 / (SEEDS * sets.len() as u64) as f64;
                coverages[kind] += hits.count() as f64 * share;
                sizes[kind] += sets.iter().map(Vec::len).sum::<usize>() as f64 * share;
            }
        }
        println!("digits: coverage {coverages:.4?}, classes in a set {sizes:.3?}");
        assert!(
            coverages.iter().all(|c| (0.88..=0.92).contains(c)),
            "{coverages:?}"
        );
        assert!(sizes[0] < sizes[1]);
        Ok(())
    }
}
