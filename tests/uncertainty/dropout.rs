//! Dropout at prediction against its definition and closed forms.

use crate::common::refused;
use chainrule::nn::loss::OutputFunction;
use chainrule::nn::{AlphaDropout, BatchNorm, GaussianNoise};
use chainrule::prelude::*;
use chainrule::uncertainty::{MonteCarloDropout, Predictions};
use chainrule::{ErrorKind, Real, View};

/// w·x after a dropout.
fn neuron<T: Real>(weights: &[T], p: f64) -> Result<Model<T>> {
    let mut net = Sequential::builder(weights.len())
        .layer(Dropout::new(p))
        .layer(Dense::new(1, Activation::Linear).without_bias())
        .build()?;
    net.set_params(weights)?;
    Ok(net.into())
}

fn passes(y: &Predictions<f64>, index: usize) -> Vec<f64> {
    y.members().iter().map(|member| member[index]).collect()
}

/// y = Σ wₖxₖ·mₖ/(1−p) with independent mₖ, 1 with probability 1 − p: which of the sums of a part
/// it is says which are kept.
#[test]
fn by_definition() -> Result<()> {
    for p in [0.1, 0.25, 0.5, 0.75] {
        let model = neuron(&[1.0, 2.0, 4.0, 8.0, 16.0], p)?;
        let (count, keep) = (4000, 1.0 - p);
        let y = MonteCarloDropout::new(&model)?
            .passes(count)
            .seed(3)
            .predict(&[1.0; 5])?;
        let mut kept = [0_usize; 5];
        let mut pairs = 0;
        for y in passes(&y, 0) {
            let sum = (y * keep).round();
            assert!((y * keep - sum).abs() < 1e-12);
            let mask = sum as usize;
            assert!(mask < 32);
            (0..5).for_each(|k| kept[k] += mask >> k & 1);
            pairs += usize::from(mask & 3 == 3);
        }
        let share = |hits: usize| hits as f64 / count as f64;
        // Four standard deviations.
        let off = |share: f64| 4.0 * (share * (1.0 - share) / count as f64).sqrt();
        assert!(
            kept.iter()
                .all(|kept| (share(*kept) - keep).abs() < off(keep)),
            "{kept:?}"
        );
        assert!((share(pairs) - keep * keep).abs() < off(keep * keep));
    }
    Ok(())
}

/// Mean w·x, variance p/(1−p)·Σ w²x².
#[test]
fn closed_form() -> Result<()> {
    let w = [0.5, -2.0, 1.5, 3.0, -0.25, 1.0];
    let x = DMatrix::from_fn(6, 4, |i, j| ((3 * i + 5 * j) % 7) as f64 - 2.5);
    for p in [0.05, 0.2, 0.5] {
        let model = neuron(&w, p)?;
        let y = MonteCarloDropout::new(&model)?
            .passes(20_000)
            .seed(1)
            .predict(&x)?;
        let (mean, std) = (y.mean(), y.deviation());
        for (j, x) in x.column_iter().enumerate() {
            let (sum, squares) = w.iter().zip(&x).fold((0.0, 0.0), |(sum, squares), (w, x)| {
                (sum + w * x, squares + (w * x).powi(2))
            });
            let variance: f64 = p / (1.0 - p) * squares;
            assert!((mean[j] - sum).abs() < 4.0 * (variance / 20_000.0).sqrt());
            assert!(
                (std[j].powi(2) / variance - 1.0).abs() < 0.06,
                "{} {variance}",
                std[j]
            );
        }
    }
    Ok(())
}

fn deep() -> Result<Model<f64>> {
    let net = Sequential::builder(3)
        .layer(Dense::new(20, Activation::Relu))
        .layer(Dropout::new(0.3))
        .layer(Dense::new(10, Activation::Tanh))
        .layer(AlphaDropout::new(0.1))
        .layer(Dense::new(4, Activation::Linear))
        .seed(1)
        .build()?;
    let x = inputs(50);
    Model::new(net, Scaler::standard(&x)?, None)?.with_output_function(OutputFunction::Softmax)
}

fn inputs(samples: usize) -> DMatrix<f64> {
    DMatrix::from_fn(3, samples, |i, j| (((i + 2) * (j + 3)) % 11) as f64 - 5.0)
}

/// The passes are a function of the seed: on any number of threads, in any batch, and if there are
/// more of them.
#[test]
fn the_same_passes() -> Result<()> {
    let (model, x) = (deep()?, inputs(70));
    let dropout = MonteCarloDropout::new(&model)?.passes(9).seed(5);
    let y = dropout.predict(&x)?;
    if cfg!(feature = "std") {
        for threads in [2, 3, 8] {
            assert_eq!(dropout.clone().threads(threads).predict(&x)?, y);
        }
    }
    for j in [0, 1, 33, 69] {
        let one = dropout.predict(View::from(&x).columns(j, 1)?)?;
        for (one, all) in one.members().iter().zip(y.members()) {
            assert_eq!(one.column(0), all.column(j));
        }
    }
    let more = dropout.clone().passes(12).predict(&x)?;
    assert_eq!(more.members()[..9], *y.members());
    assert_ne!(dropout.clone().seed(6).predict(&x)?, y);
    assert!(y.members().windows(2).all(|pair| pair[0] != pair[1]));
    for member in y.members() {
        assert!(member.column_iter().all(|p| (p.sum() - 1.0).abs() < 1e-12));
    }
    assert!(
        y.mutual_information()?
            .iter()
            .all(|information| *information > 0.0)
    );
    Ok(())
}

/// Normalization by batches and noise do what they do in prediction.
#[test]
fn all_else_predicts() -> Result<()> {
    let build = |p: f64| {
        Sequential::<f64>::builder(3)
            .layer(GaussianNoise::new(0.5))
            .layer(Dense::new(6, Activation::Relu))
            .layer(BatchNorm::new())
            .layer(Dropout::new(p))
            .layer(Dense::new(2, Activation::Linear))
            .seed(1)
            .build()
    };
    let x = inputs(40);
    let data = Dataset::new(x.clone(), DMatrix::from_fn(2, 40, |i, j| 100.0 * x[(i, j)]))?;
    let scalers = (Scaler::standard(&x)?, Scaler::standard(data.targets())?);
    let mut model = Model::new(build(0.0)?, scalers.0, scalers.1)?;
    model.fit(
        &mut Trainer::new(MeanSquaredError, Adam::new()).epochs(5),
        &data,
    )?;
    let y = MonteCarloDropout::new(&model)?.passes(3).predict(&x)?;
    let expected = model.predict(&x)?;
    for member in y.members() {
        assert_eq!(*member, expected);
    }
    assert_eq!(y.deviation(), DMatrix::zeros(2, 40));
    // And where units are dropped, in the units of the targets.
    let mut dropping = Model::new(build(0.2)?, model.input_scaler().cloned(), None)?;
    dropping.net_mut().set_params(model.net().params())?;
    let scaled = MonteCarloDropout::new(&dropping)?.passes(3).predict(&x)?;
    let mut dropping = Model::new(
        build(0.2)?,
        model.input_scaler().cloned(),
        model.output_scaler().cloned(),
    )?;
    dropping.net_mut().set_params(model.net().params())?;
    let y = MonteCarloDropout::new(&dropping)?.passes(3).predict(&x)?;
    let scaler = model.output_scaler().expect("a scaler");
    for (y, scaled) in y.members().iter().zip(scaled.members()) {
        assert_eq!(*y, scaler.inverse_transform(scaled)?);
        assert_ne!(*y, expected);
    }
    Ok(())
}

#[test]
fn what_it_refuses() -> Result<()> {
    let net = Sequential::<f64>::builder(2).layer(Dense::new(1, Activation::Linear));
    refused(
        MonteCarloDropout::new(&Model::from(net.build()?)),
        ErrorKind::Incompatible,
        "MonteCarloDropout::new: got none, expected a model with a Dropout or an AlphaDropout among \
         its layers (of others, an Ensemble or a Laplace approximation says how sure they are)",
    );
    let model = neuron(&[1.0_f32, 2.0], 0.5)?;
    let dropout = MonteCarloDropout::new(&model)?;
    refused(
        dropout.clone().passes(0).predict(&[1.0, 2.0]),
        ErrorKind::Value,
        "passes of MonteCarloDropout: got 0, expected at least 1",
    );
    let error = dropout
        .clone()
        .threads(0)
        .predict(&[1.0, 2.0])
        .expect_err("no threads");
    assert_eq!(error.place(), "threads of MonteCarloDropout");
    assert_eq!(
        dropout.predict(&[1.0]).expect_err("a feature").kind(),
        ErrorKind::Shape
    );
    let none = DMatrix::<f32>::zeros(2, 0);
    assert_eq!(
        dropout.predict(&none).expect_err("no sample").kind(),
        ErrorKind::Empty
    );
    Ok(())
}
