//! Models of several heads, and of numbers that come with their uncertainty.

use crate::common::{Folder, bits, refused};
use chainrule::ErrorKind;
use chainrule::data::{Encoder, Table};
use chainrule::nn::loss::*;
use chainrule::numeric::ViewMut;
use chainrule::optim::Schedule;
use chainrule::prelude::*;
use chainrule::train::Lbfgs;

fn net(inputs: usize, outputs: usize) -> Sequential<f64> {
    Sequential::builder(inputs)
        .layer(Dense::new(12, Activation::Tanh))
        .layer(Dense::new(outputs, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network")
}

/// Prices in thousands, and kinds that depend on the area.
fn flats() -> Result<Table> {
    let area: Vec<f64> = (0..60).map(|i| 30.0 + 2.5 * i as f64).collect();
    let price = area
        .iter()
        .enumerate()
        .map(|(i, a)| 4.0 * a + [5.0, -5.0][i % 2]);
    let kind = area.iter().map(|a| match *a {
        a if a < 80.0 => "flat",
        a if a < 130.0 => "house",
        _ => "castle",
    });
    let heated = area.iter().map(|a| if *a < 100.0 { "no" } else { "yes" });
    Table::new()
        .with_numbers("area", area.clone())?
        .with_numbers("price", price.collect::<Vec<_>>())?
        .with_categories("kind", kind.collect::<Vec<_>>())?
        .with_categories("heated", heated.collect::<Vec<_>>())
}

fn encoder(table: &Table) -> Result<Encoder> {
    Encoder::builder()
        .target("price")
        .target("kind")
        .target("heated")
        .fit(table)
}

fn loss() -> Heads<f64> {
    Heads::new()
        .head("price", 2, GaussianNll::new())
        .head("kind", 3, SoftmaxCrossEntropy::new())
        .head("heated", 2, SoftmaxCrossEntropy::new())
        .weight("heated", 0.5)
}

/// A model of a table with targets of several kinds.
fn trained() -> Result<(Model<f64>, Table, Trainer<'static, f64>)> {
    let table = flats()?;
    let encoder = encoder(&table)?;
    assert_eq!((encoder.inputs(), encoder.outputs()), (1, 6));
    assert_eq!(encoder.target_classes("kind").map(<[_]>::len), Some(3));
    assert_eq!(
        (encoder.classes(), encoder.target_classes("price")),
        (None, None)
    );
    let scaler = encoder.target_scaler::<f64>()?.expect("a scaler of prices");
    assert_eq!(
        (&scaler.shift()[1..], &scaler.scale()[1..]),
        (&[0.0; 5][..], &[1.0; 5][..])
    );
    let mut model = Model::with_encoder(net(1, 7), encoder)?;
    let data = model.dataset(&table)?;
    let mut trainer = Trainer::new(loss(), Adam::new())
        .epochs(400)
        .learning_rate(Schedule::from(0.02))
        .head_metric("kind", "accuracy", |y, t| metrics::accuracy(y, t))
        .head_metric(
            "price",
            "R²",
            metrics::of_rows(0..1, 0..1, |y, t| metrics::r2(y, t)),
        );
    model.fit(&mut trainer, &data)?;
    Ok((model, table, trainer))
}

#[test]
fn several_kinds_from_a_table() -> Result<()> {
    let (model, table, mut trainer) = trained()?;
    let data = model.dataset(&table)?;
    let history = model.evaluate(&mut trainer, &data)?;
    assert!(history.metric("kind_accuracy") > Some(0.9), "{history:?}");
    assert!(history.metric("price_R²") > Some(0.98), "{history:?}");

    // What is predicted is what the raw outputs of the network say.
    let x = data.inputs();
    let (raw, y) = (model.net().predict(x)?, model.predict(x)?);
    let scaler = model.output_scaler().expect("a scaler");
    let (shift, scale) = (scaler.shift()[0], scaler.scale()[0]);
    for (raw, y) in raw.column_iter().zip(y.column_iter()) {
        assert!((y[0] - (raw[0] * scale + shift)).abs() < 1e-10);
        assert!((y[1] - (0.5 * raw[1]).exp() * scale).abs() < 1e-10);
        for head in [2..5, 5..7] {
            let total: f64 = head.clone().map(|j| raw[j].exp()).sum();
            for j in head {
                assert!((y[j] - raw[j].exp() / total).abs() < 1e-14);
            }
        }
    }
    let scores = model.scores(x)?;
    assert_eq!(scores.rows(2, 5), raw.rows(2, 5));
    for (scores, y) in scores.column_iter().zip(y.column_iter()) {
        assert!(((0.5 * scores[1]).exp() - y[1]).abs() < 1e-10);
    }
    // The noise of ±5 is found, in the units of the prices.
    let deviations = y.row(1).mean();
    assert!(2.5 < deviations && deviations < 10.0, "{deviations}");

    // Each head by itself.
    let names: Vec<_> = model.heads().iter().map(|head| &*head.name).collect();
    assert_eq!(names, ["price", "kind", "heated"]);
    assert_eq!(model.predict_head("kind", x)?, y.rows(2, 3).into_owned());
    assert_eq!(
        model.head_classes("kind").map(<[_]>::concat).as_deref(),
        Some("castleflathouse")
    );
    let kinds = model.predict_head_classes("kind", x)?;
    let predicted = model.predict_table(&table)?;
    let columns = [
        "price",
        "price (deviation)",
        "kind",
        "kind=castle",
        "kind=flat",
        "kind=house",
        "heated",
        "heated=no",
        "heated=yes",
    ];
    assert_eq!(predicted.columns().collect::<Vec<_>>(), columns);
    assert_eq!(
        predicted.categories("kind")?.flatten().collect::<Vec<_>>(),
        kinds
    );
    let row = |row: usize| y.row(row).iter().copied().collect::<Vec<_>>();
    assert_eq!(predicted.numbers("price (deviation)")?, row(1));
    assert_eq!(predicted.numbers("kind=house")?, row(4));
    assert_eq!(predicted.numbers("heated=yes")?, row(6));

    // Sample by sample, and in another scalar.
    let (mut one, mut tape) = ([0.0; 7], Tape::new());
    model.predict_one(&[x[3]], &mut one, &mut tape)?;
    assert_eq!(bits(&one), bits(y.column(3).as_slice()));
    let small: Model<f32> = model.cast()?;
    let y32 = small.predict(&x.map(|x| x as f32))?;
    for (one, other) in y32.iter().zip(&y) {
        assert!((f64::from(*one) - other).abs() < 1e-3 * (1.0 + other.abs()));
    }
    Ok(())
}

#[cfg(feature = "safetensors")]
#[test]
fn files_of_heads() -> Result<()> {
    let (model, table, _) = trained()?;
    let file = model.to_safetensors()?;
    let read = Model::<f64>::from_safetensors(&file)?;
    assert_eq!(read, model);
    assert_eq!(read.predict_table(&table)?, model.predict_table(&table)?);
    // Without an encoder.
    let function = Loss::<f64>::output_function(&loss());
    let model = Model::from(net(1, 7))
        .with_output_function(function)?
        .with_head_classes("kind", ["a", "b", "c"])?
        .with_scalers(
            None,
            Scaler::new(
                vec![5.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                vec![-2.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            )?,
        )?;
    let read = Model::<f64>::from_safetensors(&model.to_safetensors()?)?;
    assert_eq!(read, model);
    // A scale may be negative, a deviation is not.
    let y = read.predict(&[0.5])?;
    let raw = read.net().predict(&[0.5])?;
    assert_eq!(y[0], raw[0] * -2.0 + 5.0);
    assert!((y[1] - (0.5 * raw[1]).exp() * 2.0).abs() < 1e-14);
    Ok(())
}

/// Means and deviations in the units of the data: of samples drawn with a known spread.
#[test]
fn uncertain_numbers() -> Result<()> {
    // At x the numbers are 100 + 30·x ± (5 + 3·x), each as often.
    let x = DMatrix::from_fn(1, 80, |_, j| (j / 2) as f64 / 20.0 - 1.0);
    let t = DMatrix::from_fn(1, 80, |_, j| {
        100.0 + 30.0 * x[j] + [1.0, -1.0][j % 2] * (5.0 + 3.0 * x[j])
    });
    let data = Dataset::new(x, t)?;
    let mut model = Model::new(
        net(1, 2),
        Scaler::standard(data.inputs())?,
        Scaler::standard(data.targets())?,
    )?;
    let mut trainer = Lbfgs::new(GaussianNll::new()).epochs(3000).metric(
        "MAE",
        metrics::of_rows(0..1, 0..1, |y, t| metrics::mean_absolute_error(y, t)),
    );
    let history = model.fit(&mut trainer, &data)?;
    assert!(
        history
            .last()
            .and_then(|epoch| epoch.metric("MAE"))
            .is_some_and(|e| e < 6.0)
    );
    assert_eq!(model.output_function(), OutputFunction::Normal);
    for x in [-0.9, -0.3, 0.2, 0.7] {
        let y = model.predict(&[x])?;
        assert!(
            (y[0] - (100.0 + 30.0 * x)).abs() < 2.0,
            "mean {} at {x}",
            y[0]
        );
        assert!(
            (y[1] - (5.0 + 3.0 * x)).abs() < 1.5,
            "deviation {} at {x}",
            y[1]
        );
    }
    let error = model.predict_classes(&[0.0]).expect_err("no classes");
    assert_eq!(error.kind(), ErrorKind::Empty);
    refused(
        Model::from(net(1, 3)).with_output_function(OutputFunction::Normal),
        ErrorKind::Incompatible,
        "Model: got 3, expected an even number of outputs: means, then logarithms of variances",
    );
    Ok(())
}

/// Quantiles come back to the units of the data, level by level.
#[test]
fn quantiles_in_units() -> Result<()> {
    let table = flats()?;
    let encoder = Encoder::builder()
        .inputs(["area"])
        .target("price")
        .fit(&table)?;
    let mut model = Model::with_encoder(net(1, 3), encoder)?;
    let data = model.dataset(&table)?;
    let mut trainer = Trainer::new(Quantile::new(&[0.1, 0.5, 0.9]), Adam::new())
        .epochs(200)
        .learning_rate(0.02);
    model.fit(&mut trainer, &data)?;
    let (raw, y) = (
        model.net().predict(data.inputs())?,
        model.predict(data.inputs())?,
    );
    let scaler = model.output_scaler().expect("a scaler");
    let scaled = |raw: &f64| raw * scaler.scale()[0] + scaler.shift()[0];
    for (raw, y) in raw.iter().zip(&y) {
        assert_eq!(scaled(raw), *y);
    }
    let table = model.predict_table(&table)?;
    assert_eq!(
        table.columns().collect::<Vec<_>>(),
        ["price (1)", "price (2)", "price (3)"]
    );
    refused(
        Model::new(net(1, 3), None, Scaler::new(vec![0.0; 2], vec![1.0; 2])?),
        ErrorKind::Shape,
        "scaler of outputs: got 2, expected 3 features",
    );
    Ok(())
}

/// Two heads in one network without hidden layers learn what two networks learn.
#[test]
fn heads_are_networks_of_their_own() -> Result<()> {
    let x = DMatrix::from_fn(2, 30, |i, j| ((i + 2) as f64 * j as f64 * 0.4).sin());
    let t = DMatrix::from_fn(3, 30, |i, j| match i {
        0 => 2.0 * x[(0, j)] - 1.0,
        _ => f64::from(u8::from((i == 1) == (x[(1, j)] > 0.1))),
    });
    let linear = |outputs| -> Result<Sequential<f64>> {
        let mut net = Sequential::builder(2)
            .layer(Dense::new(outputs, Activation::Linear))
            .seed(1)
            .build()?;
        net.params_mut().fill(0.0);
        Ok(net)
    };
    let mut both = linear(3)?;
    let loss = Heads::new().head("number", 1, MeanSquaredError).head(
        "class",
        2,
        SoftmaxCrossEntropy::new(),
    );
    let fit =
        |net: &mut Sequential<f64>, loss: &dyn Fn() -> Trainer<'static, f64>, t: DMatrix<f64>| {
            let mut trainer = loss().epochs(5).batch_size(7).learning_rate(0.1);
            let samples = (0..30).map(|j| 0.5 + 0.1 * j as f64).collect();
            trainer.fit(net, &Dataset::new(x.clone(), t)?.weighted(samples)?)
        };
    let history = fit(
        &mut both,
        &|| Trainer::new(loss.clone(), Sgd::new()),
        t.clone(),
    )?;
    let (mut number, mut class) = (linear(1)?, linear(2)?);
    let one = fit(
        &mut number,
        &|| Trainer::new(MeanSquaredError, Sgd::new()),
        t.rows(0, 1).into(),
    )?;
    let trainer = || Trainer::new(SoftmaxCrossEntropy::new(), Sgd::new());
    let other = fit(&mut class, &trainer, t.rows(1, 2).into())?;
    let (y, alone) = (both.predict(&x)?, (number.predict(&x)?, class.predict(&x)?));
    assert!((y.rows(0, 1) - alone.0).amax() < 1e-14);
    assert!((y.rows(1, 2) - alone.1).amax() < 1e-14);
    for ((both, one), other) in history.costs().zip(one.costs()).zip(other.costs()) {
        assert!((both - one - other).abs() < 1e-14);
    }
    Ok(())
}

#[test]
fn refused_of_heads() -> Result<()> {
    let (mut model, table, _) = trained()?;
    let data = model.dataset(&table)?;
    let before = model.clone();
    let x = [0.5];
    refused(
        model.predict_head("size", &x),
        ErrorKind::Value,
        "head of Model::predict_head: got \"size\", expected \"price\" or \"kind\" or \"heated\"",
    );
    refused(
        Model::from(net(1, 7)).predict_head("size", &x),
        ErrorKind::Value,
        "head of Model::predict_head: got \"size\", expected a loss with heads (nn::loss::Heads)",
    );
    let error = model
        .predict_head_classes("price", &x)
        .expect_err("no classes");
    assert_eq!(error.kind(), ErrorKind::Empty);
    refused(
        model.clone().with_head_classes("size", ["a", "b"]),
        ErrorKind::Value,
        "classes of head \"size\" of Model: got \"size\", expected \"price\" or \"kind\" or \
         \"heated\"",
    );
    refused(
        model.clone().with_head_classes("kind", ["a", "b"]),
        ErrorKind::Shape,
        "classes of head \"kind\" of Model: got 2, expected 3 names, one per output",
    );
    let mut trainer =
        Trainer::new(loss(), Adam::new()).head_metric("size", "R²", |y, t| metrics::r2(y, t));
    refused(
        model.fit(&mut trainer, &data),
        ErrorKind::Value,
        "head of metric \"size_R²\": got \"size\", expected \"price\" or \"kind\" or \"heated\"",
    );
    assert_eq!(model, before);
    // A head of classes has no scaler.
    let scaler = Scaler::new(vec![0.0; 6], vec![2.0; 6])?;
    let error = model
        .clone()
        .with_scalers(None, scaler)
        .expect_err("scaled classes");
    assert_eq!(error.place(), "Model: head \"kind\"");
    // Targets that one head reaches, and another does not.
    let mut bounded = Sequential::builder(1)
        .layer(Dense::new(2, Activation::Tanh))
        .seed(1)
        .build()?;
    let loss = Heads::new()
        .head("a", 1, MeanSquaredError)
        .head("b", 1, MeanSquaredError);
    let data = Dataset::from_rows(&[0.0, 1.0], 1, &[0.5, 5.0, 0.2, 7.0], 2)?;
    let error = Trainer::new(loss, Adam::new())
        .fit(&mut bounded, &data)
        .expect_err("5 and 7");
    assert_eq!(error.place(), "training data: head \"b\": targets");
    // A network of another width was put in.
    *model.net_mut() = net(1, 4);
    assert_eq!(
        model.predict(&x).expect_err("4 outputs").kind(),
        ErrorKind::Shape
    );
    let mut y = [0.0; 4];
    assert!(
        model
            .predict_into(&x, ViewMut::new(&mut y, 4)?, &mut Tape::new())
            .is_err()
    );
    Ok(())
}

/// A checkpoint knows the heads.
#[cfg(feature = "std")]
#[test]
fn checkpoints_of_heads() -> Result<()> {
    let table = flats()?;
    let data = encoder(&table)?.dataset::<f64>(&table)?;
    let folder = Folder::new("heads");
    let trainer = |loss: Heads<f64>| Trainer::new(loss, Adam::new()).epochs(3);
    let (mut whole, mut parts) = (net(1, 7), net(1, 7));
    trainer(loss()).epochs(6).fit(&mut whole, &data)?;
    let mut first = trainer(loss());
    first.fit(&mut parts, &data)?;
    first.save(&parts, folder.file())?;
    let (mut second, mut resumed) = (trainer(loss()).epochs(6), net(1, 7));
    second.resume(&mut resumed, folder.file())?;
    second.fit(&mut resumed, &data)?;
    assert_eq!(bits(resumed.params()), bits(whole.params()));
    let mut other = trainer(loss().weight("kind", 3.0));
    let error = other
        .resume(&mut resumed, folder.file())
        .expect_err("another weight");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    Ok(())
}
