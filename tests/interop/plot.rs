//! Pictures: what is in them, and what they refuse.
#![cfg(feature = "plot")]

#[path = "../common/mod.rs"]
mod common;

use chainrule::inspection::{Grid, partial_dependence, permutation_importance};
use chainrule::metrics::{Bins, ConfusionMatrix};
use chainrule::nalgebra::{DMatrix, DMatrixView};
use chainrule::nn::loss::OutputFunction;
use chainrule::plot::{Bars, Boundary, Confusion, Curves, Figure, Runs, Weights};
use chainrule::prelude::*;
use chainrule::rand::RngExt;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::selection::rate_range_test;
use chainrule::train::History;
use chainrule::{ErrorKind, Real, Result, View};
use common::rng;
use std::path::Path;

/// Rings around each other, or arms of a spiral.
fn rings(classes: usize, each: usize) -> Dataset<f64> {
    let mut rng = rng(7);
    let n = classes * each;
    let mut x = DMatrix::zeros(2, n);
    let mut labels = Vec::new();
    for sample in 0..n {
        let class = sample % classes;
        let (radius, angle) = (
            class as f64 + rng.random_range(0.1..0.9),
            rng.random_range(0.0..std::f64::consts::TAU),
        );
        x.set_column(sample, &[radius * angle.cos(), radius * angle.sin()].into());
        labels.push(class);
    }
    let t = if classes == 2 {
        DMatrix::from_fn(1, n, |_, j| labels[j] as f64)
    } else {
        one_hot(&labels, classes).unwrap()
    };
    Dataset::new(x, t).unwrap()
}

fn net(inputs: usize, hidden: usize, outputs: usize) -> Sequential<f64> {
    Sequential::builder(inputs)
        .layer(Dense::new(hidden, Activation::Tanh))
        .layer(Dense::new(outputs, Activation::Linear))
        .seed(1)
        .build()
        .unwrap()
}

/// A run on two rings with validation data, and the network that it leaves.
fn run(optimizer: impl Optimizer<f64>, rate: f64, epochs: usize) -> (History, Sequential<f64>) {
    let (data, validation) = (rings(2, 60), rings(2, 20));
    let mut net = net(2, 12, 1);
    let history = Trainer::new(SigmoidCrossEntropy::new(), optimizer)
        .learning_rate(rate)
        .epochs(epochs)
        .batch_size(16)
        .validation_data(&validation)
        .metric("accuracy", |y, t| metrics::accuracy(y, t))
        .metric("error", |y, t| Ok(1.0 - metrics::accuracy(y, t)?))
        .fit(&mut net, &data)
        .unwrap();
    (history, net)
}

fn sigmoid(net: &Sequential<f64>) -> impl FnMut(View<'_, f64>) -> Result<DMatrix<f64>> + '_ {
    |x| {
        let mut y = net.predict(x)?;
        OutputFunction::Sigmoid.apply(&mut y);
        Ok(y)
    }
}

fn confusion(classes: usize, samples: usize) -> ConfusionMatrix {
    let mut rng = rng(3);
    let actual: Vec<usize> = (0..samples).map(|_| rng.random_range(0..classes)).collect();
    let wrong = |actual: &usize, rng: &mut Xoshiro256PlusPlus| {
        if rng.random_bool(0.15) {
            rng.random_range(0..classes)
        } else {
            *actual
        }
    };
    let predicted: Vec<usize> = actual
        .iter()
        .map(|actual| wrong(actual, &mut rng))
        .collect();
    ConfusionMatrix::new(&predicted, &actual, classes).unwrap()
}

/// Edges in all directions, as images of 28 × 28.
fn edges(neurons: usize) -> DMatrix<f32> {
    DMatrix::from_fn(neurons, 28 * 28, |neuron, k| {
        let (row, col) = ((k / 28) as f32 - 13.5, (k % 28) as f32 - 13.5);
        let angle = neuron as f32 * 0.4;
        let (along, across) = (
            row * angle.sin() + col * angle.cos(),
            row * angle.cos() - col * angle.sin(),
        );
        (-(along * along + across * across) / 60.0).exp() * (along * 0.5).sin()
    })
}

/// Every kind of picture in several forms, to be looked at: `cargo test --features plot --test plot
/// -- --ignored`.
#[test]
#[ignore = "writes pictures"]
fn gallery() -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gallery");
    std::fs::create_dir_all(&folder).unwrap();
    let save = |name: &str, figure: Figure| {
        figure.save(folder.join(format!("{name}.png")))?;
        figure.save(folder.join(format!("{name}.svg")))
    };
    let (adam, trained) = run(Adam::new(), 0.02, 120);
    let (sgd, _) = run(Sgd::new(), 0.3, 120);
    let (slow, _) = run(Sgd::new(), 0.02, 80);
    let (few, _) = run(Adam::new(), 0.05, 6);
    save("run", Runs::new("Two rings", &[("", &adam)]).draw()?)?;
    save(
        "run-log-metrics",
        Runs::new("Two rings, Adam", &[("", &adam)])
            .log()
            .metrics()
            .draw()?,
    )?;
    save(
        "run-few",
        Runs::new("Six epochs", &[("", &few)]).metrics().draw()?,
    )?;
    let three = [("Adam 0.02", &adam), ("SGD 0.3", &sgd), ("SGD 0.02", &slow)];
    save(
        "runs",
        Runs::new("Optimizers on two rings", &three).log().draw()?,
    )?;
    save(
        "runs-metrics",
        Runs::new("Optimizers on two rings", &three)
            .metrics()
            .size(1000, 800)
            .draw()?,
    )?;

    let steps: Vec<f64> = (0..=200).map(f64::from).collect();
    let schedule = |rate: fn(f64) -> f64| steps.iter().map(|t| (*t, rate(*t))).collect::<Vec<_>>();
    let cosine = schedule(|t| 5e-7 * (1.0 + (t / 200.0 * std::f64::consts::PI).cos()));
    let steps = schedule(|t| 1e-6 * 0.5f64.powf((t / 50.0).floor()));
    let exponential = schedule(|t| {
        if (80.0..90.0).contains(&t) {
            f64::NAN
        } else {
            1e-6 * (-t / 40.0).exp()
        }
    });
    let rates = Curves::new("Learning rates", "step", "rate η per sample")
        .series("cosine", &cosine)
        .series("steps", &steps)
        .series("exponential, with a gap", &exponential)
        .series("nothing", &[(0.0, f64::NAN)]);
    save("curves", rates.clone().draw()?)?;
    save("curves-log", rates.log().draw()?)?;
    let names: Vec<String> = (0..10).map(|k| format!("series number {k}")).collect();
    let lines: Vec<Vec<_>> = (0..10)
        .map(|k| {
            (0..100)
                .map(|t| (f64::from(t), f64::from(k) + (f64::from(t) / 9.0).sin()))
                .collect()
        })
        .collect();
    let many = names.iter().zip(&lines).fold(
        Curves::new("A rather long title, ".repeat(8), "x", "y"),
        |c, (n, l)| c.series(n, l),
    );
    save("curves-many", many.draw()?)?;
    save(
        "curves-point",
        Curves::new("A point", "x / m", "y / s")
            .series("p", &[(3.0, 1e-20)])
            .draw()?,
    )?;
    save(
        "curves-constant",
        Curves::new("", "x", "y")
            .series("c", &[(0.0, 1e9), (5.0, 1e9)])
            .size(300, 200)
            .draw()?,
    )?;

    save("roc", roc("Two rings")?)?;
    save("precision-recall", precision_recall("Two rings")?)?;
    save("calibration", calibration("Two rings")?)?;
    let (y, t) = numbers(300);
    let (y, t) = (View::new(&y, 1)?, View::new(&t, 1)?);
    save(
        "predicted-actual",
        Curves::predicted_actual("Numbers", y, t)?.draw()?,
    )?;
    save("residuals", Curves::residuals("Numbers", y, t)?.draw()?)?;
    save("rate-range", rate_range("Two rings")?)?;
    save("importances", importances("Two rings")?)?;
    save("dependence", dependence("Two rings")?)?;
    save(
        "folds",
        folds(5, 40, Curves::new("Five folds", "epoch", "cost")).draw()?,
    )?;
    save(
        "rates",
        Curves::new("Learning-rate test", "learning rate", "cost")
            .log_x()
            .line("cost", &[(1e-5, 2.3), (1e-3, 1.8), (0.03, 0.6), (0.5, 4.0)])
            .vertical("proposed", 0.01)
            .draw()?,
    )?;
    save("print", roc("Two rings")?.scale(2.0)?)?;

    let models = ["linear", "one hidden layer", "two hidden layers"];
    let bars = Bars::new("Three models", "accuracy", &models)
        .series("training", &[0.912, 0.991, 1.0])
        .series("test", &[0.905, 0.972, 0.968]);
    save("bars", bars.draw()?)?;

    save(
        "confusion",
        Confusion::new("Digits", &confusion(10, 1500)).draw()?,
    )?;
    let iris = ["Iris setosa", "Iris versicolor", "Iris virginica & <co>"];
    save(
        "confusion-names",
        Confusion::new("Iris", &confusion(3, 150).named(iris)?).draw()?,
    )?;
    let long: Vec<_> = (0..26)
        .map(|k| format!("a class with a name {k}"))
        .collect();
    save(
        "confusion-long",
        Confusion::new("Many names", &confusion(26, 12000).named(long)?).draw()?,
    )?;
    save(
        "confusion-100",
        Confusion::new("A hundred classes", &confusion(100, 50_000)).draw()?,
    )?;
    save(
        "confusion-small",
        Confusion::new("Two", &confusion(2, 1_000))
            .size(300, 200)
            .draw()?,
    )?;

    save(
        "boundary",
        Boundary::new("Two rings, trained", &rings(2, 60), sigmoid(&trained)).draw()?,
    )?;
    let data = rings(4, 60);
    let mut several = net(2, 24, 4);
    Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
        .learning_rate(0.02)
        .epochs(150)
        .fit(&mut several, &data)?;
    let four = |x: View<'_, f64>| several.predict(x);
    save(
        "boundary-four",
        Boundary::new("Four rings", &data, four)
            .labels("width / cm", "height / cm")
            .draw()?,
    )?;
    let wide = Boundary::new("Four rings, from afar", &data, four)
        .over((-10.0, 30.0), (-1e6, 1e6))
        .names(&["in", "near", "far", "out"]);
    save("boundary-wide", wide.size(500, 400).draw()?)?;

    save(
        "weights",
        Weights::new("Edges", view(&edges(12)), 28, 28).draw()?,
    )?;
    save(
        "weights-100",
        Weights::new("Edges", view(&edges(100)), 28, 28).draw()?,
    )?;
    save(
        "weights-400",
        Weights::new("Many", view(&edges(250)), 28, 28).draw()?,
    )?;
    save(
        "weights-zero",
        Weights::new("Zeros", view(&DMatrix::<f64>::zeros(6, 15)), 3, 5).draw()?,
    )?;
    let net = net(2, 16, 1);
    save(
        "weights-two",
        Weights::new("Two inputs", net.weights(0)?, 1, 2)
            .size(400, 300)
            .draw()?,
    )
}

fn view<T: Real>(matrix: &DMatrix<T>) -> DMatrixView<'_, T> {
    matrix.columns(0, matrix.ncols())
}

/// The texts of an SVG, in order.
fn texts(figure: &Figure) -> Vec<String> {
    let svg = figure.to_svg();
    let starts = svg.match_indices("<text").map(|(start, _)| &svg[start..]);
    starts
        .map(|text| text[text.find('>').unwrap() + 1..text.find("</text>").unwrap()].to_string())
        .collect()
}

fn count(figure: &Figure, what: &str) -> usize {
    figure.to_svg().matches(what).count()
}

/// Markers of every form, and other areas.
fn marks(figure: &Figure) -> usize {
    count(figure, "<polygon") + count(figure, "<circle")
}

fn has(figure: &Figure, expected: &[&str]) {
    let texts = texts(figure);
    for text in expected {
        assert!(
            texts.iter().any(|known| known == text),
            "{text:?} in {texts:?}"
        );
    }
}

/// Width, height and the pixels of a PNG, read by a decoder.
fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(
        (info.color_type, info.bit_depth),
        (png::ColorType::Rgb, png::BitDepth::Eight)
    );
    (info.width, info.height, pixels)
}

fn refuses(result: Result<Figure>, kind: ErrorKind, text: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
}

#[test]
fn a_run_has_its_curves() -> Result<()> {
    let (history, _) = run(Adam::new(), 0.05, 8);
    let figure = Runs::new("A <run> & more", &[("", &history)]).draw()?;
    has(
        &figure,
        &[
            "A &lt;run&gt; &amp; more",
            "training",
            "validation",
            "epoch",
            "cost",
            "0",
            "7",
        ],
    );
    // Two curves and two samples of the legend, half of them dashed.
    assert_eq!(
        (
            count(&figure, r#"stroke-width="2""#),
            count(&figure, "stroke-dasharray")
        ),
        (4, 2)
    );
    // Eight markers each, two in the legend, and two stars.
    assert_eq!(marks(&figure), 8 + 8 + 2 + 2);

    // The star is where the network is: at the last epoch.
    assert_eq!(star(&figure, "last epoch"), at(&history, 7));
    Ok(())
}

/// The epoch and the cost that the legend gives the star.
fn star(figure: &Figure, what: &str) -> (usize, String) {
    let start = format!("{what}: ");
    let texts = texts(figure);
    let note = texts.iter().find_map(|text| text.strip_prefix(&start));
    let note = note.unwrap_or_else(|| panic!("no {what} in {texts:?}"));
    let (epoch, cost) = note.strip_suffix(')').unwrap().split_once(" (").unwrap();
    (epoch.parse().unwrap(), cost.into())
}

/// The number of an epoch, and its validation cost in four digits.
fn at(history: &History, epoch: usize) -> (usize, String) {
    let cost = history.epochs[epoch].validation_cost.unwrap();
    (epoch, format!("{cost:.4}"))
}

/// The star of a run that went back to its best epoch is there, by what the run watched.
#[test]
fn the_star_is_at_the_epoch_that_was_kept() -> Result<()> {
    let (data, validation) = (rings(2, 60), rings(2, 20));
    let monitors = [
        Monitor::ValidationCost,
        Monitor::TrainingCost,
        Monitor::Highest("first".into()),
    ];
    let mut kept = Vec::new();
    for monitor in monitors {
        let mut net = net(2, 12, 1);
        let mut epochs = 0.0;
        let mut trainer = Trainer::new(SigmoidCrossEntropy::new(), Adam::new())
            .learning_rate(0.3)
            .epochs(30)
            .validation_data(&validation)
            .metric("first", move |_, _| {
                epochs += 1.0;
                Ok(-f64::abs(epochs - 4.0))
            })
            .restore_best(monitor.clone());
        let history = trainer.fit(&mut net, &data)?;
        let best = history.best(&monitor).unwrap().epoch;
        assert_eq!(history.kept, Some(best));
        let cost = net.cost(
            validation.inputs(),
            &validation,
            &SigmoidCrossEntropy::new(),
            &mut Tape::new(),
        )?;
        assert_eq!(history.epochs[best].validation_cost, Some(cost));
        let figure = Runs::new("", &[("", &history)]).draw()?;
        let (epoch, cost) = at(&history, best);
        let (found, text) = star(&figure, "best epoch");
        assert_eq!(found, epoch);
        let digits = |text: &str| text.parse::<f64>().unwrap();
        assert!((digits(&text) - digits(&cost)).abs() <= 1e-3 * digits(&cost));
        kept.push(best);
    }
    assert_eq!(kept[2], 3);
    Ok(())
}

fn rate_range(title: &str) -> Result<Figure> {
    let (data, net) = (rings(2, 200), net(2, 12, 1));
    let mut trainer = Trainer::new(SigmoidCrossEntropy::new(), Adam::new());
    let range = rate_range_test(&mut trainer, &net, &data, 1e-5..=10.0, 100)?;
    Curves::rate_range(title, &range).draw()
}

/// Rates are on a logarithmic axis, and the one that the test suggests is named.
#[test]
fn a_range_test() -> Result<()> {
    let figure = rate_range("Which rate?")?;
    has(
        &figure,
        &[
            "Which rate?",
            "learning rate",
            "cost",
            "mini-batches",
            "smoothed",
        ],
    );
    let texts = texts(&figure);
    assert!(texts.iter().any(|text| text.starts_with("suggestion: 0.")));
    Ok(())
}

#[test]
fn runs_are_compared() -> Result<()> {
    let ((adam, _), (sgd, _)) = (run(Adam::new(), 0.05, 8), run(Sgd::new(), 0.1, 5));
    let runs = Runs::new("", &[("Adam", &adam), ("SGD", &sgd)]);
    let figure = runs.clone().metrics().log().draw()?;
    has(
        &figure,
        &[
            "Adam, training",
            "SGD, validation",
            "last epochs",
            "Adam, accuracy",
            "SGD, error",
            "metric",
        ],
    );
    assert_eq!(count(&figure, r#"stroke-width="2""#), 2 * 8);
    assert_eq!(figure.size(), (800, 600));
    assert_ne!(figure, runs.draw()?);
    Ok(())
}

#[test]
fn numbers_that_cannot_be_drawn_leave_gaps() -> Result<()> {
    let points = [
        (0.0, 1.0),
        (1.0, 2.0),
        (2.0, f64::NAN),
        (3.0, 2.0),
        (4.0, f64::INFINITY),
        (5.0, 0.0),
        (6.0, -1.0),
        (f64::NAN, 1.0),
    ];
    let curves = Curves::new("", "x", "y")
        .series("gaps", &points)
        .series("none", &[(1.0, f64::NAN)]);
    let lines = |figure: &Figure| count(figure, r#"stroke-width="2""#) - 2; // without the legend
    let linear = curves.draw()?;
    // 0–1 and 5–6; 3 is alone, as a marker.
    assert_eq!((lines(&linear), marks(&linear)), (2, 5 + 2));
    has(&linear, &["gaps", "none (nothing finite)"]);
    let log = curves.log().draw()?;
    assert_eq!((lines(&log), marks(&log)), (1, 3 + 2));
    has(&log, &["none (nothing finite above 0)"]);
    for figure in [linear, log] {
        assert!(!figure.to_svg().contains("NaN") && !figure.to_svg().contains("inf"));
    }
    Ok(())
}

#[test]
fn bars_have_names_and_numbers() -> Result<()> {
    let bars = Bars::new("Speed", "steps / s", &["a & b", "c", "none"])
        .series("one", &[100.0, -2.5, f64::NAN])
        .series("two", &[0.0, 40.0, f64::INFINITY]);
    let figure = bars.draw()?;
    has(&figure, &["Speed", "steps / s", "a &amp; b", "c", "none"]);
    has(&figure, &["one", "two", "100", "−2.5", "0", "40"]);
    // A square of the legend for each series, and a bar for each finite number.
    assert_eq!(marks(&figure), 2 + 4);
    let svg = figure.to_svg();
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    // No legend without names.
    let alone = Bars::new("", "", &["a"]).series("", &[1.0]).draw()?;
    assert_eq!(marks(&alone), 1);
    Ok(())
}

/// Bars lie as their numbers do: from 0, to the left or to the right, as far as they are large.
#[test]
fn bars_are_as_long_as_their_numbers() -> Result<()> {
    let lengths = |values: &[f64]| -> Result<Vec<f64>> {
        let names: Vec<_> = (0..values.len()).collect();
        let svg = Bars::new("", "x", &names)
            .series("", values)
            .draw()?
            .to_svg();
        let starts = svg
            .match_indices("<polygon points=\"")
            .map(|(at, found)| at + found.len());
        let number = |text: &str| text.split(',').next().unwrap().parse::<f64>().unwrap();
        let length = |start: usize| {
            let mut corners = svg[start..].split(' ').map(number);
            let zero = corners.next().unwrap();
            corners.next().unwrap() - zero
        };
        Ok(starts.map(length).collect())
    };
    for values in [
        [1.0, 2.0, 4.0],
        [-1.0, 3.0, 0.0],
        [1e300, 2e300, -1e300],
        [3e-8, 1e-8, 5e-8],
    ] {
        let lengths = lengths(&values)?;
        let scale = lengths[1] / values[1];
        for (length, value) in lengths.iter().zip(values) {
            assert!(
                (length - scale * value).abs() < 0.05,
                "{lengths:?} of {values:?}"
            );
        }
    }
    for wild in [0.0, -0.0, 5e-324, f64::MAX, -f64::MAX, 1e16] {
        for other in [0.0, -1.0, f64::MAX, -f64::MAX] {
            assert!(
                lengths(&[wild, other])?
                    .iter()
                    .all(|length| length.abs() <= 800.0)
            );
        }
    }
    Ok(())
}

/// Only the SVG knows of dark viewers, and only when asked to.
#[test]
fn light_and_dark() -> Result<()> {
    let light = Bars::new("t", "x", &["a"]).series("", &[1.0]).draw()?;
    let both = light.clone().light_dark();
    assert_eq!(light.to_png(), both.to_png());
    assert!(!light.to_svg().contains("<style>"));
    let svg = both.to_svg();
    let (start, end) = (
        svg.find("<style>").unwrap(),
        svg.find("</style>\n").unwrap(),
    );
    assert!(svg[start..end].contains("prefers-color-scheme: dark"));
    assert_eq!(
        [&svg[..start], &svg[end + "</style>\n".len()..]].concat(),
        light.to_svg()
    );
    Ok(())
}

/// The picture within an SVG has a list of colors when they are few, and shows the same as the PNG.
#[test]
fn pictures_in_svg_have_few_colors() -> Result<()> {
    let (history, net) = run(Adam::new(), 0.05, 8);
    assert_eq!(history.epochs.len(), 8);
    let data = rings(2, 60);
    let figure = Boundary::new("", &data, sigmoid(&net))
        .size(400, 300)
        .draw()?;
    let svg = figure.to_svg();
    // The second is the bar of colors.
    let image = svg.split("<image ").nth(1).unwrap();
    let attribute = |name: &str| -> &str {
        let from = image.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
        image[from..].split('"').next().unwrap()
    };
    let bytes = base64(
        attribute("href")
            .strip_prefix("data:image/png;base64,")
            .unwrap(),
    );
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    assert_eq!(reader.info().color_type, png::ColorType::Indexed);
    let mut inside = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut inside).unwrap();

    let (width, _, outside) = decode(&figure.to_png());
    let place = |name: &str| attribute(name).parse::<usize>().unwrap();
    let (left, top, cols) = (place("x"), place("y"), place("width"));
    let mut same = 0;
    for (k, pixel) in inside.chunks(3).enumerate() {
        let at = ((top + k / cols) * width as usize + left + k % cols) * 3;
        same += usize::from(outside[at..at + 3] == *pixel);
    }
    // All but what the points cover.
    assert!(
        same * 10 > inside.len() / 3 * 7,
        "{same} of {}",
        inside.len() / 3
    );
    Ok(())
}

/// RFC 4648, section 4.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = text
        .trim_end_matches('=')
        .chars()
        .map(|digit| DIGITS.find(digit).unwrap() as u32)
        .collect();
    let mut bytes = Vec::new();
    for four in digits.chunks(4) {
        let word = four.iter().fold(0, |word, digit| word << 6 | digit) << (6 * (4 - four.len()));
        bytes.extend(&word.to_be_bytes()[1..four.len()]);
    }
    bytes
}

#[test]
fn wild_series_are_drawn() -> Result<()> {
    let wild = [
        0.0,
        -0.0,
        5e-324,
        1e-300,
        1.0,
        1e16,
        f64::MAX,
        -1.0,
        -f64::MAX,
    ];
    for a in wild {
        for b in wild {
            let points = [(a, b), (b, a)];
            for curves in [
                Curves::new("t", "x", "y").series("s", &points),
                Curves::new("t", "x", "y").series("s", &points[..1]),
            ] {
                for figure in [curves.clone().draw(), curves.log().draw()] {
                    match figure {
                        Ok(figure) => assert!(
                            !figure.to_svg().contains("NaN") && !figure.to_svg().contains("inf"),
                            "{a:e} {b:e}"
                        ),
                        Err(error) => assert!(
                            error.kind() == ErrorKind::Empty && b < 1e-290,
                            "{a:e} {b:e} {error}"
                        ),
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_confusion_matrix_shows_its_counts() -> Result<()> {
    let matrix = ConfusionMatrix::new(&[0, 0, 1, 1, 1, 0, 0], &[0, 0, 0, 1, 1, 0, 0], 3)?
        .named(["ant", "bee", "cow"])?;
    let figure = Confusion::new("Three", &matrix).draw()?;
    has(
        &figure,
        &[
            "Three",
            "actual class",
            "predicted class",
            "ant",
            "bee",
            "cow",
            "4",
            "1",
            "2",
            "100 %",
        ],
    );
    let texts = texts(&figure);
    assert_eq!(texts.iter().filter(|text| *text == "0").count(), 6);
    assert_eq!(texts.iter().filter(|text| *text == "cow").count(), 2);
    // White on the dark cells: 4 of 5 and 2 of 2.
    assert_eq!(count(&figure, r##"fill="#ffffff" text-anchor"##), 2);

    // A hundred classes have no room for numbers, nor for all names.
    let many = Confusion::new("", &confusion(100, 1000)).draw()?;
    assert!(many.to_svg().len() < 100_000 && count(&many, "<text") < 100);
    Ok(())
}

#[test]
fn a_boundary_shows_regions_and_points() -> Result<()> {
    let data = Dataset::from_rows(
        &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0, f64::NAN, 1.0],
        2,
        &[0.0, 1.0, 1.0, 1.0],
        1,
    );
    // A data set refuses NaN or keeps it: either way nothing breaks.
    let data = data
        .or_else(|_| Dataset::from_rows(&[0.0, 0.0, 1.0, 0.0, 0.0, 1.0], 2, &[0.0, 1.0, 1.0], 1))?;
    // Class 1 right of ½; white above ¾.
    let predict = |x: View<'_, f64>| {
        let p: Vec<f64> = x
            .iter()
            .map(|p| {
                if p[1] > 0.75 {
                    f64::NAN
                } else {
                    f64::from(p[0] >= 0.5)
                }
            })
            .collect();
        Ok(DMatrix::from_row_slice(1, p.len(), &p))
    };
    let draw = || {
        Boundary::new("Half", &data, predict)
            .over((0.0, 1.0), (0.0, 1.0))
            .names(&["left", "right"])
            .size(400, 300)
            .draw()
    };
    let figure = draw()?;
    has(
        &figure,
        &["Half", "left", "right", "x₁", "x₂", "probability of right"],
    );
    // Three points, and the legend's two markers on their regions.
    assert_eq!(marks(&figure), 3 + 4);
    assert_eq!(figure, draw()?);

    let (width, height, pixels) = decode(&figure.to_png());
    assert_eq!((width, height), (400, 300));
    let share = |color: [u8; 3]| pixels.chunks(3).filter(|pixel| **pixel == color).count();
    let (left, right) = (share([255, 247, 214]), share([94, 139, 191]));
    assert!(
        left > 10_000 && left.abs_diff(right) < 2_000,
        "{left} {right}"
    );
    Ok(())
}

#[test]
fn weights_are_images() -> Result<()> {
    let weights = DMatrix::from_row_slice(
        2,
        4,
        &[-2.0, 0.0, 1.0, f64::NAN, 2.0, f64::INFINITY, 0.0, 0.0],
    );
    let figure = Weights::new("W", view(&weights), 2, 2)
        .size(300, 200)
        .draw()?;
    has(&figure, &["W", "weight", "0", "1", "−2.000", "2.000"]);
    assert_eq!(count(&figure, "<image"), 2 + 1);
    let (_, _, pixels) = decode(&figure.to_png());
    for color in [[0, 34, 78], [254, 232, 56], [112, 113, 115]] {
        assert!(
            pixels.chunks(3).filter(|pixel| **pixel == color).count() > 100,
            "{color:?}"
        );
    }
    has(
        &Weights::new("", view(&DMatrix::<f32>::zeros(3, 4)), 1, 4).draw()?,
        &["0", "2"],
    );
    Ok(())
}

#[test]
fn the_same_picture_has_the_same_bytes() -> Result<()> {
    let draw = || {
        Curves::new("t", "x", "y")
            .series("a", &[(0.0, 1.0), (1.0, 3.0)])
            .size(320, 240)
            .draw()
    };
    let (a, b) = (draw()?, draw()?);
    assert_eq!(a.to_svg(), b.to_svg());
    assert_eq!(a.to_png(), b.to_png());
    assert!(
        a.to_svg()
            .starts_with(r#"<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240""#)
            && a.to_svg().ends_with("</svg>\n")
    );
    let (width, height, pixels) = decode(&a.to_png());
    assert_eq!((width, height, pixels.len()), (320, 240, 320 * 240 * 3));
    // The paper is white, the curve blue, and there is text.
    assert_eq!(pixels[..3], [255, 255, 255]);
    assert!(
        pixels
            .chunks(3)
            .filter(|pixel| *pixel == [0, 114, 178])
            .count()
            > 200
    );
    assert!(pixels.chunks(3).filter(|pixel| *pixel == [0, 0, 0]).count() > 300);
    Ok(())
}

#[test]
fn figures_are_saved() -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let figure = Curves::new("t", "x", "y")
        .series("a", &[(0.0, 1.0)])
        .draw()?;
    for name in ["saved.svg", "saved.PNG"] {
        figure.save(folder.join(name))?;
    }
    assert_eq!(
        std::fs::read(folder.join("saved.svg")).unwrap(),
        figure.to_svg().into_bytes()
    );
    assert_eq!(
        std::fs::read(folder.join("saved.PNG")).unwrap(),
        figure.to_png()
    );
    for name in ["saved.jpg", "saved", ".svg"] {
        let path = folder.join("refused").join(name);
        let error = figure.save(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parse);
        assert_eq!(
            error.to_string(),
            format!(
                "Figure::save: got {}, expected a name that ends in .svg or .png",
                path.display()
            )
        );
    }
    let error = figure
        .save(folder.join("no such folder").join("a.svg"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    Ok(())
}

#[test]
fn errors_name_what_is_wrong() -> Result<()> {
    let curves = || Curves::new("t", "x", "y");
    let point = [(0.0, 1.0)];
    refuses(
        curves().draw(),
        ErrorKind::Empty,
        "plot::Curves: got none, expected at least 1 series",
    );
    refuses(
        curves().series("a", &[]).draw(),
        ErrorKind::Empty,
        "series \"a\" of plot::Curves: got none, expected at least 1 point",
    );
    refuses(
        curves().series("a", &[(0.0, f64::NAN)]).draw(),
        ErrorKind::Empty,
        "plot::Curves: got none, expected a finite point",
    );
    refuses(
        curves().series("a", &[(0.0, 0.0)]).log().draw(),
        ErrorKind::Empty,
        "plot::Curves: got none, expected a finite point above 0",
    );
    for size in [(199, 600), (600, 8193), (0, 0), (u32::MAX, 300)] {
        let text = format!(
            "size of plot::Curves: got {} × {}, expected 200 to 8192 pixels each way",
            size.0, size.1
        );
        refuses(
            curves().series("a", &point).size(size.0, size.1).draw(),
            ErrorKind::Value,
            &text,
        );
    }

    let none: [&str; 0] = [];
    let text = "plot::Bars: got none, expected at least 1 name";
    refuses(
        Bars::new("t", "x", &none).series("a", &[]).draw(),
        ErrorKind::Empty,
        text,
    );
    let text = "plot::Bars: got none, expected a series with a finite number";
    refuses(Bars::new("t", "x", &["a"]).draw(), ErrorKind::Empty, text);
    let bars = || Bars::new("t", "x", &["a", "b"]);
    refuses(
        bars().series("s", &[f64::NAN; 2]).draw(),
        ErrorKind::Empty,
        text,
    );
    let text = "series \"s\" of plot::Bars: got 1, expected 2 numbers, as there are names";
    refuses(bars().series("s", &[1.0]).draw(), ErrorKind::Shape, text);
    let text = "size of plot::Bars: got 800 × 600, expected a pixel for each of 1000 × 1 bars";
    let names: Vec<_> = (0..1000).collect();
    let many = Bars::new("t", "x", &names).series("s", &[1.0; 1000]);
    refuses(many.draw(), ErrorKind::Value, text);

    refuses(
        Runs::new("t", &[]).draw(),
        ErrorKind::Empty,
        "plot::Runs: got 0, expected at least 1 run",
    );
    let empty = History::default();
    refuses(
        Runs::new("t", &[("a", &empty)]).draw(),
        ErrorKind::Empty,
        "run \"a\" of plot::Runs: got 0, expected at least 1 epoch",
    );
    let plain = Trainer::new(SigmoidCrossEntropy::new(), Sgd::new())
        .epochs(1)
        .fit(&mut net(2, 2, 1), &rings(2, 4))?;
    refuses(
        Runs::new("t", &[("", &plain)]).metrics().draw(),
        ErrorKind::Empty,
        "metrics of plot::Runs: got 0, expected at least 1 metric",
    );

    let wide = ConfusionMatrix::new(&[0], &[0], 1000)?;
    let text =
        "size of plot::Confusion: got 800 × 600, expected a pixel for each of 1000 × 1000 cells";
    refuses(Confusion::new("t", &wide).draw(), ErrorKind::Value, text);

    let data = rings(2, 4);
    let ok = |x: View<'_, f64>| Ok(DMatrix::zeros(1, x.cols()));
    let text =
        "predictions of plot::Boundary: got 1 × 7, expected at least 1 row and 1 columns (samples)";
    refuses(
        Boundary::new("t", &data, |_| Ok(DMatrix::zeros(1, 7))).draw(),
        ErrorKind::Shape,
        text,
    );
    for over in [
        (1.0, 1.0),
        (2.0, 1.0),
        (f64::NAN, 1.0),
        (0.0, f64::INFINITY),
    ] {
        let text = format!(
            "rectangle of plot::Boundary, input 1: got ({}, {}), expected two finite numbers, the \
             second larger",
            over.0, over.1
        );
        refuses(
            Boundary::new("t", &data, ok).over((0.0, 1.0), over).draw(),
            ErrorKind::Value,
            &text,
        );
    }
    let text = "names of plot::Boundary: got 3, expected 2 names";
    refuses(
        Boundary::new("t", &data, ok).names(&[1, 2, 3]).draw(),
        ErrorKind::Shape,
        text,
    );
    let three = Dataset::new(DMatrix::zeros(3, 2), DMatrix::zeros(1, 2))?;
    refuses(
        Boundary::new("t", &three, ok).draw(),
        ErrorKind::Shape,
        "inputs of plot::Boundary: got 3, expected 2 rows",
    );
    let failing = |_: View<'_, f64>| Err(Error::new(ErrorKind::Value, "mine", "this", "that"));
    refuses(
        Boundary::new("t", &data, failing).draw(),
        ErrorKind::Value,
        "mine: got that, expected this",
    );
    // A row of logits would be a picture of probabilities that are none.
    let error = Boundary::new("t", &data, |x: View<'_, f64>| {
        Ok(DMatrix::from_element(1, x.cols(), 7.2))
    })
    .draw()
    .expect_err("logits");
    assert_eq!(
        (error.kind(), error.place()),
        (
            ErrorKind::Value,
            "predictions of plot::Boundary, row 0, column 0"
        )
    );
    assert!(
        error.expected().contains("a probability in [0, 1]")
            && error.expected().contains("Model::predict"),
        "{error}"
    );

    let weights = DMatrix::<f64>::zeros(3, 6);
    let text =
        "plot::Weights: got 2 × 2, expected images of as many pixels as a neuron has inputs, 6";
    refuses(
        Weights::new("t", view(&weights), 2, 2).draw(),
        ErrorKind::Shape,
        text,
    );
    let text = "plot::Weights: got 4294967296 × 4294967296, expected images of as many pixels as a \
        neuron has inputs, 6";
    refuses(
        Weights::new("t", view(&weights), 1 << 32, 1 << 32).draw(),
        ErrorKind::Shape,
        text,
    );
    let text = "plot::Weights: got 0 × 6 weights, expected at least 1 neuron with 1 input";
    refuses(
        Weights::new("t", view(&DMatrix::<f64>::zeros(0, 6)), 2, 3).draw(),
        ErrorKind::Empty,
        text,
    );
    let text =
        "size of plot::Weights: got 800 × 600 for 1 neurons, expected a pixel for each weight";
    refuses(
        Weights::new("t", view(&DMatrix::<f64>::zeros(1, 100_000)), 1, 100_000).draw(),
        ErrorKind::Value,
        text,
    );
    Ok(())
}

/// At the smallest size, whatever does not fit is an error, not a panic.
#[test]
fn small_pictures() -> Result<()> {
    let long = "a name that is longer than the whole picture is wide, by far";
    let names: Vec<String> = (0..30).map(|k| format!("{k} {long}")).collect();
    let many = names.iter().fold(
        Curves::new(long, long, long).size(200, 200),
        |curves, name| curves.series(name, &[(0.0, 1.0), (1.0, 1e-9)]),
    );
    let no_room = |error: Error| {
        error.place() == "plot" && error.expected() == "a picture with room for its parts"
    };
    assert!(no_room(many.draw().unwrap_err()));
    let few = Curves::new(long, long, long)
        .size(200, 200)
        .series(long, &[(0.0, 1.0), (1.0, 1e-9)])
        .draw()?;
    assert!(texts(&few).iter().all(|text| text.chars().count() < 40));
    let (history, _) = run(Adam::new(), 0.05, 3);
    assert!(no_room(
        Runs::new(long, &[(long, &history)])
            .metrics()
            .size(200, 200)
            .draw()
            .unwrap_err()
    ));
    Confusion::new(long, &confusion(5, 100).named(names[..5].to_vec())?)
        .size(200, 200)
        .draw()?;
    let data = rings(2, 4);
    let boundary = || {
        Boundary::new(long, &data, |x: View<'_, f64>| {
            Ok(DMatrix::zeros(1, x.cols()))
        })
        .names(&names[..2])
    };
    assert!(no_room(boundary().size(200, 200).draw().unwrap_err()));
    boundary().size(300, 200).draw()?;
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Judging

/// Probabilities of class 1, and classes, of which one in four is 1.
fn probabilities(samples: usize) -> (Vec<f64>, Vec<f64>) {
    let mut rng = rng(5);
    let t: Vec<f64> = (0..samples)
        .map(|j| f64::from(j == 0 || (j > 1 && rng.random_bool(0.25))))
        .collect();
    let y = t
        .iter()
        .map(|t| (0.3 * t + 0.7 * rng.random::<f64>()).clamp(0.0, 1.0))
        .collect();
    (y, t)
}

/// Predictions and targets of a regression.
fn numbers(samples: usize) -> (Vec<f64>, Vec<f64>) {
    let mut rng = rng(6);
    let t: Vec<f64> = (0..samples)
        .map(|_| 100.0 + 50.0 * rng.random::<f64>())
        .collect();
    let y = t
        .iter()
        .map(|t| t + 20.0 * (rng.random::<f64>() - 0.5))
        .collect();
    (y, t)
}

fn roc(title: &str) -> Result<Figure> {
    let (y, t) = probabilities(200);
    let curve = metrics::roc_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
    Curves::roc(title, &[("network", &curve)]).draw()
}

fn precision_recall(title: &str) -> Result<Figure> {
    let (y, t) = probabilities(200);
    let curve = metrics::precision_recall_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
    Curves::precision_recall(title, &[("network", &curve)]).draw()
}

fn calibration(title: &str) -> Result<Figure> {
    let (y, t) = probabilities(200);
    let bins = Bins::Uniform(8);
    let curve = metrics::calibration_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1, bins)?;
    Curves::calibration(title, &[("network", &curve)]).draw()
}

fn importances(title: &str) -> Result<Figure> {
    let data = rings(3, 20);
    let score = |data: &Dataset<f64>| {
        let radius = |j: usize| data.inputs()[(0, j)].hypot(0.3 * data.inputs()[(1, j)]);
        Ok(-(0..data.len()).map(radius).sum::<f64>() / 60.0)
    };
    let found = permutation_importance(&data, 0..2, 10, 1, score)?;
    Bars::importances(title, &found.named(["across", "up"])?).draw()
}

fn dependence(title: &str) -> Result<Figure> {
    let net = net(2, 5, 2);
    let predict = |data: &Dataset<f64>| net.predict(data.inputs());
    let found = partial_dependence(&rings(3, 30), 1, &Grid::default(), predict)?;
    Curves::partial_dependence(title, &found, 1)?.draw()
}

/// A mean over folds of different length.
fn folds(count: usize, epochs: usize, picture: Curves) -> Curves {
    let mut rng = rng(8);
    let fold = |k: usize| -> Vec<(f64, f64)> {
        let epochs = 0..epochs - k;
        let cost = |epoch: usize| (-(epoch as f64) / 10.0).exp() + 0.1 * rng.random::<f64>();
        let costs: Vec<f64> = epochs.clone().map(cost).collect();
        epochs.map(|epoch| epoch as f64).zip(costs).collect()
    };
    let folds: Vec<_> = (0..count).map(fold).collect();
    picture.mean("validation", &folds)
}

#[test]
fn pictures_of_judging_have_their_parts() -> Result<()> {
    let (y, t) = probabilities(200);
    let (y, t) = (View::new(&y, 1)?, View::new(&t, 1)?);
    let auc = format!("network, AUC {:.3}", metrics::roc_auc(y, t)?);
    has(
        &roc("R")?,
        &[
            "R",
            &auc,
            "chance",
            "false positive rate",
            "true positive rate",
        ],
    );
    let ap = format!("network, AP {:.3}", metrics::average_precision(y, t)?);
    has(
        &precision_recall("P")?,
        &[&ap, "chance", "recall", "precision"],
    );
    has(
        &calibration("C")?,
        &["network", "perfect", "fraction of positives"],
    );
    for figure in [roc("")?, precision_recall("")?, calibration("")?] {
        has(&figure, &["0.0", "1.0"]);
        // As wide as high: the ends of the axes.
        let svg = figure.to_svg();
        let axes = svg.split("<polyline points=\"").skip(1);
        let axes = axes.map(|rest| rest.split('"').next().unwrap());
        let corners: Vec<f64> = axes
            .filter(|points| points.split(' ').count() == 3)
            .flat_map(|points| points.split([' ', ',']).map(|x| x.parse::<f64>().unwrap()))
            .take(6)
            .collect();
        let (high, wide) = (corners[3] - corners[1], corners[4] - corners[2]);
        assert!((high - wide).abs() < 1.5, "{corners:?}");
    }

    let (y, t) = numbers(50);
    let (y, t) = (View::new(&y, 1)?, View::new(&t, 1)?);
    let figure = Curves::predicted_actual("", y, t)?.draw()?;
    has(&figure, &["predicted", "actual", "no error"]);
    assert_eq!(marks(&figure), 50);
    let figure = Curves::residuals("", y, t)?.draw()?;
    has(&figure, &["predicted", "residual (actual − predicted)"]);
    assert_eq!(marks(&figure), 50);
    let two = DMatrix::from_fn(2, 3, |i, j| (i + j) as f64);
    let figure = Curves::residuals("", &two, &two)?.draw()?;
    has(&figure, &["output 0", "output 1"]);

    // The most important column is at the top.
    let figure = importances("")?;
    let texts = texts(&figure);
    let place = |name: &str| texts.iter().position(|text| text == name).unwrap();
    assert!(place("across") < place("up"), "{texts:?}");
    has(
        &dependence("")?,
        &["feature 1", "prediction", "average", "single samples"],
    );
    Ok(())
}

/// The mean and the deviation of the folds that have an epoch.
#[test]
fn bands_of_folds() -> Result<()> {
    let one = [(0.0, 1.0), (1.0, 2.0), (2.0, 7.0)];
    let other = [(0.0, 3.0), (1.0, f64::NAN)];
    let both: [&[(f64, f64)]; 2] = [&one, &other];
    let picture = |curves: Curves| curves.draw();
    let found = picture(Curves::new("", "x", "y").mean("m", &both))?;
    let expected = Curves::new("", "x", "y")
        .series("m", &[(0.0, 2.0), (1.0, 2.0), (2.0, 7.0)])
        .band("", &[(0.0, 1.0, 3.0), (1.0, 2.0, 2.0), (2.0, 7.0, 7.0)]);
    assert_eq!(found.to_svg(), picture(expected)?.to_svg());
    // Large numbers do not overflow.
    let huge = [[(0.0, 1e308)], [(0.0, -1e308)]];
    Curves::new("", "x", "y").mean("m", &huge).draw()?;
    Ok(())
}

#[test]
fn guides_cross_the_chart() -> Result<()> {
    let points = [(1.0, 1.0), (100.0, 50.0)];
    let curves = Curves::new("", "x", "y").points("p", &points);
    let dashed = |figure: &Figure| count(figure, "stroke-dasharray");
    let with = curves
        .clone()
        .horizontal("h", 70.0)
        .vertical("v", 3.0)
        .diagonal("d");
    // In the chart and in the legend.
    for curves in [
        with.clone(),
        with.clone().square(),
        with.clone().log(),
        with.clone().log().log_x().square(),
    ] {
        assert_eq!(dashed(&curves.draw()?), 2 * 3);
    }
    // One without a name is not in the legend, and one that cannot be there is left out.
    assert_eq!(dashed(&curves.clone().horizontal("", 2.0).draw()?), 1);
    assert_eq!(dashed(&curves.clone().vertical("", f64::NAN).draw()?), 0);
    assert_eq!(
        dashed(&curves.clone().horizontal("", -1.0).log().draw()?),
        0
    );
    refuses(
        curves.log_x().square().draw(),
        ErrorKind::Incompatible,
        "square of plot::Curves: got one of each, expected two linear or two logarithmic axes",
    );
    Ok(())
}

/// As [`wild_series_are_drawn`], for bands, points and all kinds of axes.
#[test]
fn wild_bands_are_drawn() -> Result<()> {
    let wild = [0.0, 5e-324, 1.0, f64::MAX, -1.0, -f64::MAX, f64::NAN];
    for a in wild {
        for b in wild {
            let picture = Curves::new("t", "x", "y")
                .band("band", &[(a, b, 1.0), (b, a, b), (1.0, 1.0, a)])
                .points("", &[(a, b), (1.0, 1.0)])
                .faint("f", &[(a, b), (b, a)])
                .horizontal("h", a)
                .vertical("v", b)
                .diagonal("d");
            for curves in [
                picture.clone(),
                picture.clone().square(),
                picture.clone().log(),
                picture.clone().log_x(),
                picture.clone().log().log_x().square(),
            ] {
                let figure = curves.draw()?;
                let svg = figure.to_svg();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{a:e} {b:e}");
            }
        }
    }
    Ok(())
}

#[test]
fn whiskers_and_order() -> Result<()> {
    let bars = Bars::new("", "x", &["low", "none", "high"]);
    let figure = bars
        .clone()
        .series_with("", &[1.0, f64::NAN, 3.0], &[0.5, 1.0, f64::NAN])
        .sorted()
        .draw()?;
    let order: Vec<String> = texts(&figure)
        .into_iter()
        .filter(|text| ["low", "none", "high"].contains(&text.as_str()))
        .collect();
    assert_eq!(order, ["high", "low", "none"]);
    // A stem and two caps, each in white below black.
    assert_eq!(
        count(&figure, r##"stroke="#000000" stroke-width="1.5""##),
        3
    );
    assert_eq!(marks(&figure), 2);
    let short = bars.series_with("s", &[1.0, 2.0, 3.0], &[0.5]).draw();
    refuses(
        short,
        ErrorKind::Shape,
        "series \"s\" of plot::Bars: got 1, expected 3 numbers, as there are names",
    );
    Ok(())
}

/// A picture for print has the same shapes, larger.
#[test]
fn scales_are_of_the_whole_picture() -> Result<()> {
    let figure = roc("Twice")?;
    let twice = figure.clone().scale(2.0)?;
    assert_eq!(twice.size(), (1600, 1200));
    assert_eq!(figure.clone().scale(1.0)?, figure);
    assert_eq!(twice.clone().scale(0.5)?, figure);
    let svg = twice.to_svg();
    assert!(svg.contains(r#" width="1600" height="1200" viewBox="0 0 800 600""#));
    assert_eq!(texts(&twice), texts(&figure));
    let (width, height, large) = decode(&twice.to_png());
    assert_eq!((width, height), (1600, 1200));
    // Four pixels of the large picture are about one of the small.
    let (_, _, small) = decode(&figure.to_png());
    let mut off = 0;
    for (k, channel) in small.iter().enumerate() {
        let (pixel, color) = (k / 3, k % 3);
        let (row, col) = (pixel / 800, pixel % 800);
        let at = |dr: usize, dc: usize| {
            u32::from(large[((2 * row + dr) * 1600 + 2 * col + dc) * 3 + color])
        };
        let mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
        off += usize::from(mean.abs_diff(u32::from(*channel)) > 40);
    }
    assert!(off * 500 < small.len(), "{off} of {}", small.len());

    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 11.0, 0.01] {
        let error = figure.clone().scale(factor).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Value, "{factor}");
        assert!(error.expected().contains("800 × 600 pixels"), "{error}");
    }
    Ok(())
}

/// Letters that the font has are drawn, in any picture; others are refused by name.
#[test]
fn letters_are_drawn_or_refused() -> Result<()> {
    let titled = |title: &str| {
        Curves::new(title, "x", "y")
            .series("", &[(0.0, 1.0), (1.0, 2.0)])
            .draw()
    };
    for title in [
        "Größe, Œuvre, Łódź, București",
        "Ώρες Ω",
        "Цена, ґ",
        "5 °C ± 2 €",
        "a\n\tb",
    ] {
        let figure = titled(title)?;
        assert!(figure.to_png().len() > 1000);
    }
    has(&titled("a\n\tb")?, &["a  b"]);
    refuses(
        titled("価格"),
        ErrorKind::Value,
        "text \"価格\" of plot::Curves: got '価' (U+4FA1), expected Latin, Greek and Cyrillic \
         letters, digits and signs that the font has",
    );
    let one = [("run 🙂", &run(Adam::new(), 0.1, 1).0)];
    let smile = Runs::new("", &one).draw().unwrap_err();
    assert!(smile.to_string().contains("(U+1F642)"), "{smile}");
    let hebrew = Bars::new("", "x", &["שלום"]).series("", &[1.0]).draw();
    assert_eq!(hebrew.unwrap_err().kind(), ErrorKind::Value);
    let arabic = ConfusionMatrix::new(&[0, 1], &[0, 1], 2)?.named(["a", "سعر"])?;
    assert!(Confusion::new("", &arabic).draw().is_err());
    // What is cut off is not drawn.
    let long = "long ".repeat(60) + "価";
    assert!(titled(&long).is_ok());
    Ok(())
}

/// More runs than forms of markers: no two look the same without color.
#[test]
fn many_runs_differ_in_gray() -> Result<()> {
    let (history, _) = run(Adam::new(), 0.05, 2);
    let names: Vec<String> = (0..12).map(|k| format!("run {k}")).collect();
    let runs: Vec<_> = names.iter().map(|name| (&**name, &history)).collect();
    let svg = Runs::new("", &runs).size(1600, 1200).draw()?.to_svg();
    // The marker of each legend entry, moved to the same place, without its color.
    let mut forms = std::collections::BTreeSet::new();
    let lines: Vec<&str> = svg.lines().collect();
    for (k, line) in lines.iter().enumerate() {
        if !line.contains(", training</text>") {
            continue;
        }
        let marker = lines[k - 1];
        let hollow = marker.contains(r##"fill="#ffffff""##);
        let form = match marker.split('"').nth(1) {
            Some(points) if marker.starts_with("<polygon") => {
                let numbers: Vec<f64> = points
                    .split([' ', ','])
                    .map(|x| x.parse().unwrap())
                    .collect();
                let (x, y) = (numbers[0], numbers[1]);
                let radius = if hollow { 3.6 } else { 4.0 };
                let shape = numbers
                    .chunks(2)
                    .map(|p| format!("{:.1} {:.1}", (p[0] - x) / radius, (p[1] - y) / radius));
                shape.collect::<Vec<_>>().join(",")
            }
            _ => "circle".into(),
        };
        forms.insert((hollow, form));
    }
    assert_eq!(forms.len(), 12, "{forms:?}");
    Ok(())
}

/// Small pictures have all parts or say that there is no room.
#[test]
fn small_pictures_of_judging() -> Result<()> {
    let (y, t) = probabilities(50);
    let curve = metrics::roc_curve(View::new(&y, 1)?, View::new(&t, 1)?, 1)?;
    let long = "a name that is longer than the whole picture is wide, by far";
    for (width, height) in [(200, 200), (200, 800), (800, 200), (240, 200)] {
        let figure = Curves::roc(long, &[(long, &curve)])
            .size(width, height)
            .draw();
        match figure {
            Ok(figure) => assert_eq!(figure.size(), (width, height)),
            Err(error) => assert_eq!(error.expected(), "a picture with room for its parts"),
        }
    }
    refuses(
        Curves::roc("", &[]).draw(),
        ErrorKind::Empty,
        "plot::Curves: got none, expected at least 1 series",
    );
    let (y, t) = (DMatrix::zeros(1, 3), DMatrix::zeros(2, 3));
    let error = Curves::predicted_actual("", &y, &t).unwrap_err();
    assert_eq!(
        error.to_string(),
        "targets of plot::Curves: got 2 × 3, expected 1 × 3"
    );
    let all_nan = DMatrix::from_element(1, 3, f64::NAN);
    refuses(
        Curves::residuals("", &all_nan, &y)?.draw(),
        ErrorKind::Empty,
        "plot::Curves: got none, expected a finite point",
    );
    let same = Curves::predicted_actual("", &y, &y)?.draw()?;
    assert_eq!(marks(&same), 3);
    Ok(())
}
