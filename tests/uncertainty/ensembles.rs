//! Ensembles against NumPy, on threads, in files, and what they refuse.

use crate::common::refused;
use chainrule::data::{Encoder, Table};
use chainrule::metrics::Bins;
use chainrule::nn::loss::OutputFunction;
use chainrule::prelude::*;
use chainrule::uncertainty::{Ensemble, Predictions};
use chainrule::{ErrorKind, View};

/// Written by `reference/ensembles.py`.
pub(crate) const TABLE: &str = include_str!("../reference/ensembles.tsv");

pub(crate) fn numbers(text: &str) -> Vec<f64> {
    let number = |x: &str| x.parse().expect("a number");
    text.split(' ').map(number).collect()
}

/// The lines of a kind, their fields split.
pub(crate) fn lines(kind: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let kind = format!("{kind}\t");
    TABLE
        .lines()
        .filter(move |line| line.starts_with(&kind))
        .map(|line| line.split('\t').skip(1).collect())
}

#[track_caller]
pub(crate) fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs() / expected.abs().max(1e-3);
        assert!(error < tolerance, "{found} and {expected}");
    }
}

/// A model that predicts for sample j what `columns` has in its column j, whatever it is asked: its
/// inputs are the numbers of the samples, one-hot.
fn saying(columns: &[f64], outputs: usize, function: OutputFunction) -> Result<Model<f64>> {
    let samples = columns.len() / outputs;
    let raw = columns.iter().map(|p| match function {
        OutputFunction::Sigmoid => (p / (1.0 - p)).ln(),
        OutputFunction::Softmax => p.ln(),
        _ => *p,
    });
    let mut net = Sequential::builder(samples)
        .layer(Dense::new(outputs, Activation::Linear).without_bias())
        .build()?;
    net.set_params(&raw.collect::<Vec<_>>())?;
    Model::from(net).with_output_function(function)
}

/// What such models predict for all samples: `all` is model after model.
fn predictions(
    all: &[f64],
    members: usize,
    outputs: usize,
    function: OutputFunction,
) -> Result<Predictions<f64>> {
    let parts = all.chunks_exact(all.len() / members);
    let models = parts.map(|columns| saying(columns, outputs, function.clone()));
    let ensemble = Ensemble::new(models.collect::<Result<Vec<_>>>()?)?;
    let samples = all.len() / members / outputs;
    ensemble.predict(&DMatrix::identity(samples, samples))
}

#[test]
fn as_numpy_has_them() -> Result<()> {
    let count = |text: &str| text.parse::<usize>().expect("a number");
    let mut seen = 0;
    for fields in lines("numbers") {
        let (members, outputs) = (count(fields[0]), count(fields[1]));
        let y = predictions(
            &numbers(fields[3]),
            members,
            outputs,
            OutputFunction::Identity,
        )?;
        assert_eq!(y.members().len(), members);
        close(y.mean().as_slice(), &numbers(fields[5]), 1e-12);
        close(y.deviation().as_slice(), &numbers(fields[6]), 1e-12);
        let share = numbers(fields[4])[0];
        close(y.quantile(share)?.as_slice(), &numbers(fields[7]), 1e-12);
        seen += 1;
    }
    for fields in lines("gaussian") {
        let (members, targets) = (count(fields[0]), count(fields[1]));
        let mut all = numbers(fields[3]);
        // The table has logarithms of variances.
        for sample in all.chunks_exact_mut(2 * targets) {
            sample[targets..]
                .iter_mut()
                .for_each(|s| *s = (0.5 * *s).exp());
        }
        let y = predictions(&all, members, 2 * targets, OutputFunction::Identity)?.gaussian()?;
        close(y.mean.as_slice(), &numbers(fields[4]), 1e-12);
        // The table's is a difference of large numbers.
        close(y.deviation.as_slice(), &numbers(fields[5]), 1e-6);
        for ((std, noise), apart) in y.deviation.iter().zip(&y.noise).zip(&y.disagreement) {
            assert!((std.powi(2) / (noise.powi(2) + apart.powi(2)) - 1.0).abs() < 1e-12);
        }
        seen += 1;
    }
    for (kind, function) in [
        ("classes", OutputFunction::Softmax),
        ("binary", OutputFunction::Sigmoid),
    ] {
        for fields in lines(kind) {
            let y = predictions(
                &numbers(fields[3]),
                count(fields[0]),
                count(fields[1]),
                function.clone(),
            )?;
            close(&y.entropy()?, &numbers(fields[4]), 1e-9);
            close(&y.mutual_information()?, &numbers(fields[5]), 1e-9);
            seen += 1;
        }
    }
    assert_eq!(seen, 24 + 4 + 6);
    Ok(())
}

#[test]
fn calibration_error_as_torchmetrics() -> Result<()> {
    let mut seen = 0;
    for fields in lines("calibration") {
        let classes = fields[0].parse::<usize>().expect("a number");
        let bins = Bins::Uniform(fields[1].parse().expect("a number"));
        let (p, labels) = (numbers(fields[2]), numbers(fields[3]));
        let y = View::new(&p, classes)?;
        let found = if classes == 1 {
            metrics::expected_calibration_error(y, View::new(&labels, 1)?, bins)?
        } else {
            let labels: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
            metrics::expected_calibration_error(y, &one_hot(&labels, classes)?, bins)?
        };
        // torchmetrics adds up in single precision.
        assert!((found - numbers(fields[4])[0]).abs() < 1e-6, "{fields:?}");
        seen += 1;
    }
    assert_eq!(seen, 8);
    Ok(())
}

#[test]
fn edges_of_predictions() -> Result<()> {
    // Equal numbers have no deviation, to the last bit, nor have numbers of any size a wrong one.
    let y = predictions(&[0.1; 7], 7, 1, OutputFunction::Identity)?;
    assert_eq!((y.mean()[0], y.deviation()[0]), (0.1, 0.0));
    let y = predictions(&[1e200, 3e200], 2, 1, OutputFunction::Identity)?;
    assert_eq!((y.mean()[0], y.deviation()[0]), (2e200, 1e200));
    let y = predictions(&[1e-200, 3e-200], 2, 1, OutputFunction::Identity)?;
    assert!((y.deviation()[0] / 1e-200 - 1.0).abs() < 1e-12);
    let y = predictions(&[1.0, f64::NAN, 2.0], 3, 1, OutputFunction::Identity)?;
    assert!(y.mean()[0].is_nan() && y.deviation()[0].is_nan() && y.quantile(0.5)?[0].is_nan());
    // The square of 1e200 overflows.
    let y = predictions(&[0.0, 1e200, 0.0, 1e200], 2, 2, OutputFunction::Identity)?.gaussian()?;
    assert!((y.deviation[0] / 1e200 - 1.0).abs() < 1e-15);
    // Certain members: of one opinion, and of two.
    let y = predictions(&[1.0, 0.0, 0.0, 1.0], 2, 2, OutputFunction::Softmax)?;
    let most = std::f64::consts::LN_2;
    assert!((y.entropy()?[0] - most).abs() < 1e-15);
    assert!((y.mutual_information()?[0] - most).abs() < 1e-15);
    // And all but certain ones, of which the mean keeps nothing of how certain they are.
    let y = predictions(&[1e-22, 1.0 - 1e-15], 2, 1, OutputFunction::Sigmoid)?;
    assert!((y.mutual_information()?[0] - most).abs() < 1e-13);
    let y = predictions(&[1.0, 0.0, 1.0, 0.0], 2, 2, OutputFunction::Softmax)?;
    assert_eq!((y.entropy()?[0], y.mutual_information()?[0]), (0.0, 0.0));

    let y = predictions(&[1.0, 2.0], 2, 1, OutputFunction::Identity)?;
    refused(
        y.entropy(),
        ErrorKind::Incompatible,
        "Predictions::entropy: got numbers, expected probabilities (a loss of classes makes them; \
         of numbers, Predictions::deviation says how far members are apart)",
    );
    refused(
        y.gaussian(),
        ErrorKind::Incompatible,
        "Predictions::gaussian: got 1 outputs, expected members trained with GaussianNll, which \
         predict means and as many standard deviations",
    );
    refused(
        y.quantile(1.5),
        ErrorKind::Value,
        "share of Predictions::quantile: got 1.5, expected a number in [0, 1]",
    );
    Ok(())
}

fn sine() -> Result<Dataset<f64>> {
    let x = DMatrix::from_fn(1, 24, |_, j| j as f64 / 4.0 - 3.0);
    Dataset::new(x.clone(), x.map(f64::sin))
}

fn fit(data: &Dataset<f64>, seed: u64) -> Result<Model<f64>> {
    let net = Sequential::builder(1)
        .layer(Dense::new(8, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .seed(seed)
        .build()?;
    let mut model = Model::new(
        net,
        Scaler::standard(data.inputs())?,
        Scaler::standard(data.targets())?,
    )?;
    let trainer = Trainer::new(MeanSquaredError, Adam::new()).seed(seed);
    model.fit(&mut trainer.epochs(20).learning_rate(0.01), data)?;
    Ok(model)
}

/// The members are those that the closure returned, whatever the number of threads.
#[test]
fn threads() -> Result<()> {
    let data = sine()?;
    let alone = Ensemble::train(5, 1, |seed| fit(&data, seed))?;
    let bagged = Ensemble::bootstrap(&data, 5, 3, 1, |sample, seed| fit(&sample, seed))?;
    assert_eq!(alone.members()[3], fit(&data, 3)?);
    assert_ne!(alone, bagged);
    if cfg!(feature = "std") {
        for threads in [2, 3, 9] {
            assert_eq!(Ensemble::train(5, threads, |seed| fit(&data, seed))?, alone);
            let other = Ensemble::bootstrap(&data, 5, 3, threads, |part, seed| fit(&part, seed))?;
            assert_eq!(other, bagged);
        }
    }
    let other = Ensemble::bootstrap(&data, 5, 4, 1, |sample, seed| fit(&sample, seed))?;
    assert_ne!(other, bagged);
    Ok(())
}

/// Samples are drawn with replacement, with their weights, and others for each member.
#[test]
fn samples_of_the_data() -> Result<()> {
    let (count, samples) = (40, 200);
    let x = DMatrix::from_fn(1, samples, |_, j| j as f64);
    let weights = (0..samples).map(|j| 1.0 + j as f64).collect();
    let data = Dataset::new(x.clone(), x.map(|x| -x))?.weighted(weights)?;
    let drawn = std::sync::Mutex::new(Vec::new());
    Ensemble::bootstrap(&data, count, 1, 1, |sample, seed| {
        let numbers: Vec<f64> = sample.inputs().iter().copied().collect();
        assert_eq!(
            sample.targets().as_slice(),
            numbers.iter().map(|x| -x).collect::<Vec<_>>()
        );
        let weights = sample.weights().expect("weights");
        assert!(numbers.iter().zip(weights).all(|(x, w)| x + 1.0 == *w));
        drawn.lock().expect("no panic").push((seed, numbers));
        fit(&sine()?, seed)
    })?;
    let mut drawn = drawn.into_inner().expect("no panic");
    let mut missing = 0;
    for (_, sample) in &drawn {
        assert_eq!(sample.len(), samples);
        missing += (0..samples)
            .filter(|j| !sample.contains(&(*j as f64)))
            .count();
    }
    // (1 − 1/n)ⁿ of them, ± 0.02 over the members.
    let share = missing as f64 / (count * samples) as f64;
    assert!(
        (share - (1.0 - 1.0 / samples as f64).powi(samples as i32)).abs() < 0.02,
        "{share}"
    );
    drawn.sort_by_key(|(seed, _)| *seed);
    drawn.dedup_by_key(|(seed, _)| *seed);
    assert_eq!(drawn.len(), count);
    Ok(())
}

#[test]
fn what_ensembles_refuse() -> Result<()> {
    let data = sine()?;
    let empty: [Model<f64>; 0] = [];
    refused(
        Ensemble::new(empty),
        ErrorKind::Empty,
        "Ensemble::new: got 0, expected at least 1 member",
    );
    refused(
        Ensemble::train(0, 1, |seed| fit(&data, seed)),
        ErrorKind::Value,
        "members of Ensemble::train: got 0, expected at least 1",
    );
    let error = Ensemble::train(3, 0, |seed| fit(&data, seed)).expect_err("no threads");
    assert_eq!(error.place(), "threads of Ensemble::train");
    for threads in 1..=if cfg!(feature = "std") { 3 } else { 1 } {
        refused(
            Ensemble::train(9, threads, |seed| match seed {
                0..4 => fit(&data, seed),
                _ => Err(Error::new(ErrorKind::Value, "rate", "a number", seed)),
            }),
            ErrorKind::Value,
            "member 4 of Ensemble::train: rate: got 4, expected a number",
        );
    }
    let net = |inputs: usize, outputs: usize| {
        let net = Sequential::<f64>::builder(inputs).layer(Dense::new(outputs, Activation::Linear));
        net.build().map(Model::from)
    };
    refused(
        Ensemble::new([net(2, 3)?, net(2, 4)?]),
        ErrorKind::Shape,
        "outputs of member 1 of Ensemble::new: got 4, expected 3, as the first has",
    );
    refused(
        Ensemble::new([net(2, 3)?, net(2, 3)?, net(1, 3)?]),
        ErrorKind::Shape,
        "inputs of member 2 of Ensemble::new: got 1, expected 2, as the first has",
    );
    refused(
        Ensemble::new([
            net(2, 2)?,
            net(2, 2)?.with_output_function(OutputFunction::Softmax)?,
        ]),
        ErrorKind::Incompatible,
        "output function of member 1 of Ensemble::new: got softmax, expected identity, as the \
         first has",
    );
    refused(
        Ensemble::new([net(2, 2)?.with_classes(["a", "b"])?, net(2, 2)?]),
        ErrorKind::Incompatible,
        "classes of member 1 of Ensemble::new: got no names, expected [\"a\", \"b\"], as the first \
         has",
    );
    Ok(())
}

/// A table of flowers, and an ensemble of it.
fn flowers() -> Result<(Table, Ensemble<f64>)> {
    let table = Table::new()
        .with_numbers("length", [1.0, 1.2, 1.1, 3.0, 3.2, 2.9, 5.0, 5.1])?
        .with_categories(
            "color",
            ["red", "red", "blue", "blue", "red", "blue", "red", "red"],
        )?
        .with_categories("kind", ["a", "a", "a", "b", "b", "b", "c", "c"])?;
    let encoder = Encoder::builder().target("kind").fit(&table)?;
    let data = encoder.dataset(&table)?;
    let ensemble = Ensemble::train(4, 1, |seed| {
        let net = Sequential::builder(encoder.inputs())
            .layer(Dense::new(6, Activation::Tanh))
            .layer(Dense::new(encoder.outputs(), Activation::Linear))
            .seed(seed)
            .build()?;
        let mut model = Model::with_encoder(net, encoder.clone())?;
        model
            .metadata_mut()
            .insert("member".into(), seed.to_string());
        let trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()).seed(seed);
        model.fit(&mut trainer.epochs(60).learning_rate(0.05), &data)?;
        Ok(model)
    })?;
    Ok((table, ensemble))
}

#[test]
fn tables() -> Result<()> {
    let (table, ensemble) = flowers()?;
    let found = ensemble.predict_table(&table)?;
    let columns: Vec<_> = found.columns().collect();
    assert_eq!(columns, ["kind", "kind=a", "kind=b", "kind=c"]);
    let data = ensemble.members()[0].dataset(&table)?;
    let y = ensemble.predict(data.inputs())?;
    let p: Vec<f64> = y.mean().row(1).iter().copied().collect();
    assert_eq!(found.numbers("kind=b")?, p);
    let names: Vec<_> = found.categories("kind")?.flatten().collect();
    assert_eq!(names, ensemble.predict_classes(data.inputs())?);
    assert_eq!(names, ["a", "a", "a", "b", "b", "b", "c", "c"]);
    let members = ensemble.members();
    for (member, y) in members.iter().zip(y.members()) {
        assert_eq!(*y, member.predict(data.inputs())?);
    }
    let other = Encoder::builder()
        .target("kind")
        .fit(&table.select(&[0, 1, 2, 3, 4, 6])?)?;
    let net = Sequential::builder(other.inputs()).layer(Dense::new(3, Activation::Linear));
    let other = Model::with_encoder(net.build()?, other)?;
    let softmax = other.with_output_function(OutputFunction::Softmax)?;
    refused(
        Ensemble::new([members[0].clone(), softmax]),
        ErrorKind::Incompatible,
        "encoder of member 1 of Ensemble::new: got an encoder, expected the same encoder (fitted \
         once, on all data), as the first has",
    );
    let small: Ensemble<f32> = ensemble.cast()?;
    let y = small.predict(&data.inputs().map(|v| v as f32))?.mean();
    assert!((f64::from(y[0]) - ensemble.predict(data.inputs())?.mean()[0]).abs() < 1e-5);
    Ok(())
}

/// An ensemble knows better how sure it may be than its members, which have learned their samples
/// by heart.
#[cfg(feature = "csv")]
#[test]
fn calibrated_better_than_its_members() -> Result<()> {
    use chainrule::data::Csv;
    let digits = include_bytes!("../../examples/data/digits.csv");
    let digits = Csv::new()
        .no_header()
        .labels(64)
        .read::<f32>(digits.as_slice())?;
    let (train, test) = digits.data.split(0.4, 1)?;
    let ensemble = Ensemble::train(5, 2, |seed| {
        let net = Sequential::builder(64)
            .layer(Dense::new(32, Activation::Relu))
            .layer(Dense::new(10, Activation::Linear))
            .seed(seed)
            .build()?;
        let mut model = Model::new(net, Scaler::standard(train.inputs())?, None)?;
        let trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new()).seed(seed);
        model.fit(&mut trainer.epochs(40).learning_rate(0.01), &train)?;
        Ok(model)
    })?;
    let y = ensemble.predict(test.inputs())?;
    let error = |y: &DMatrix<f32>| metrics::expected_calibration_error(y, &test, Bins::Uniform(15));
    let members = y.members().iter().map(error).collect::<Result<Vec<_>>>()?;
    let (together, alone) = (error(&y.mean())?, members.iter().sum::<f64>() / 5.0);
    println!(
        "calibration errors: {together:.4} of the ensemble, {alone:.4} of members {members:?}"
    );
    assert!(together < alone);
    let accuracy = |y: &DMatrix<f32>| metrics::accuracy(y, &test);
    let best = y
        .members()
        .iter()
        .map(accuracy)
        .collect::<Result<Vec<_>>>()?;
    assert!(accuracy(&y.mean())? > best.iter().sum::<f64>() / 5.0);
    Ok(())
}

#[cfg(feature = "safetensors")]
mod files {
    use super::{fit, flowers, sine};
    use crate::common::Folder;
    use chainrule::io::Safetensors;
    use chainrule::prelude::*;
    use chainrule::uncertainty::Ensemble;

    #[test]
    fn come_back() -> Result<()> {
        let (_, flowers) = flowers()?;
        let bytes = flowers.to_safetensors()?;
        let read = Ensemble::from_safetensors(&bytes)?;
        assert_eq!(read, flowers);
        assert_eq!(read.to_safetensors()?, bytes);

        let data = sine()?;
        // Of different layers, and of a single member.
        let other = Sequential::builder(1)
            .layer(Dense::new(3, Activation::Relu))
            .layer(Dropout::new(0.1))
            .layer(Dense::new(1, Activation::Linear))
            .build()?;
        for members in [
            vec![fit(&data, 1)?, Model::from(other)],
            vec![fit(&data, 2)?],
        ] {
            let ensemble = Ensemble::new(members)?;
            let folder = Folder::new("ensemble");
            ensemble.save(folder.file())?;
            assert_eq!(Ensemble::load(folder.file())?, ensemble);
            let error = Ensemble::<f32>::load(folder.file()).expect_err("of f64");
            assert!(
                error.to_string().contains("member 0 of chainrule.ensemble"),
                "{error}"
            );
        }
        Ok(())
    }

    /// The names are those of an `nn.ModuleList` of `nn.Sequential`s, with the options of files.
    #[test]
    fn names_of_tensors() -> Result<()> {
        let data = sine()?;
        let ensemble = Ensemble::new([fit(&data, 1)?, fit(&data, 2)?])?;
        let files = Safetensors::new().prefix("net.").rename("out", "2");
        let bytes = files.write_ensemble(&ensemble)?;
        let header = String::from_utf8_lossy(&bytes);
        for member in 0..2 {
            for name in ["0.weight", "0.bias", "out.weight", "out.bias"] {
                assert!(
                    header.contains(&format!("\"net.{member}.{name}\"")),
                    "{name}"
                );
            }
        }
        assert_eq!(files.read_ensemble(&bytes)?, ensemble);
        assert!(Ensemble::<f64>::from_safetensors(&bytes).is_err());
        // One member as a network.
        let mut net = ensemble.members()[0].net().clone();
        let one = Safetensors::new().prefix("net.1.").rename("out", "2");
        // The other's tensors do not begin with that.
        one.read_params(&mut net, &bytes)?;
        assert_eq!(&net, ensemble.members()[1].net());
        Ok(())
    }

    #[test]
    fn of_another_kind() -> Result<()> {
        let model = fit(&sine()?, 1)?;
        let ensemble = Ensemble::new([model.clone()])?;
        let error =
            Ensemble::<f64>::from_safetensors(&model.to_safetensors()?).expect_err("a model");
        assert!(
            error.to_string().contains("Model::load reads this one"),
            "{error}"
        );
        let error =
            Model::<f64>::from_safetensors(&ensemble.to_safetensors()?).expect_err("several");
        assert!(
            error.to_string().contains("Ensemble::load reads this one"),
            "{error}"
        );
        Ok(())
    }

    /// No change of a byte is read as something else, and none panics.
    #[test]
    fn damaged() -> Result<()> {
        let data = sine()?;
        let ensemble = Ensemble::new([fit(&data, 1)?, fit(&data, 2)?])?;
        let bytes = ensemble.to_safetensors()?;
        for length in 0..bytes.len() {
            assert!(Ensemble::<f64>::from_safetensors(&bytes[..length]).is_err());
        }
        for index in (0..bytes.len()).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << (index % 8);
            if let Ok(read) = Ensemble::<f64>::from_safetensors(&damaged) {
                assert_eq!(read, ensemble, "byte {index}");
            }
        }
        // What the notes claim must be there: more members, none, and other layers.
        let text = |from: &str, to: &str| {
            let header = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
            let json = std::str::from_utf8(&bytes[8..header]).expect("text");
            let begin = json.find("\"chainrule.checksum\"").expect("a checksum");
            let end = begin + json[begin..].find(',').expect("an end") + 1;
            let json = [&json[..begin], &json[end..]].concat();
            assert!(json.contains(from), "{from} in {json}");
            let json = json.replacen(from, to, 1);
            let mut new = (json.len() as u64).to_le_bytes().to_vec();
            new.extend_from_slice(json.as_bytes());
            new.extend_from_slice(&bytes[header..]);
            Ensemble::<f64>::from_safetensors(&new)
        };
        assert_eq!(text("\"0.0.weight\"", "\"0.0.weight\"")?, ensemble);
        for (from, to, error) in [
            ("\"[{\\\"model", "\"[],[{\\\"model", "chainrule.ensemble"),
            (
                "\\\"inputs\\\":1",
                "\\\"inputs\\\":9999999999",
                "0.0.weight",
            ),
            ("\"0.0.weight\"", "\"7.0.weight\"", "0.0.weight"),
            (
                "\\\"notes\\\":{}",
                "\\\"notes\\\":{\\\"chainrule.x\\\":\\\"\\\"}",
                "member 0",
            ),
            (
                "\"chainrule.version\":\"1\"",
                "\"chainrule.version\":\"2\"",
                "version",
            ),
        ] {
            let found = text(from, to).expect_err(from).to_string();
            assert!(found.contains(error), "{found}");
        }
        Ok(())
    }
}
