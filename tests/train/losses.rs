//! What networks learn by losses that take several outputs for a target, and by weighted means.

use crate::common::refused;
use chainrule::ErrorKind;
use chainrule::nalgebra::DMatrix;
use chainrule::nn::loss::*;
use chainrule::optim::*;
use chainrule::prelude::*;

/// A network of biases: what it gives is the same for every sample.
fn constant(outputs: usize) -> Result<Sequential<f64>> {
    Sequential::builder(1)
        .layer(Dense::new(outputs, Activation::Linear))
        .seed(1)
        .build()
}

/// These targets, of which nothing is known.
fn unknown(targets: &[f64]) -> Result<Dataset<f64>> {
    let t = DMatrix::from_row_slice(1, targets.len(), targets);
    Dataset::new(DMatrix::zeros(1, targets.len()), t)
}

/// What a constant network learns of `data` by full-batch descent.
fn learned(
    loss: impl Loss<f64>,
    rule: impl Optimizer<f64>,
    rate: f64,
    outputs: usize,
    data: &Dataset<f64>,
) -> Result<Vec<f64>> {
    let mut net = constant(outputs)?;
    Trainer::new(loss, rule)
        .learning_rate(rate)
        .batch_size(data.len())
        .epochs(4000)
        .fit(&mut net, data)?;
    Ok(net.predict(&[0.0])?.as_slice().to_vec())
}

#[test]
fn quantiles() -> Result<()> {
    let data = unknown(&[7.0, 0.0, 3.0, 10.0, 5.0, 1.0, 4.0, 8.0, 2.0, 9.0, 6.0])?;
    let loss = Quantile::new(&[0.1, 0.5, 0.9]);
    let y = learned(loss, Sgd::new(), 0.5, 3, &data)?;
    for (y, want) in y.iter().zip([1.0, 5.0, 9.0]) {
        assert!((y - want).abs() < 0.1, "{y}, not {want}");
    }
    Ok(())
}

#[test]
fn expectiles() -> Result<()> {
    let targets = [7.0, 0.0, 3.0, 1.0, -2.0];
    let (data, levels) = (unknown(&targets)?, [0.1, 0.5, 0.9]);
    let y = learned(Expectile::new(&levels), Sgd::new(), 0.5, 3, &data)?;
    for (y, level) in y.iter().zip(levels) {
        let weighed = |t: &f64| {
            if t > y {
                level * (t - y)
            } else {
                (1.0 - level) * (t - y)
            }
        };
        let balance: f64 = targets.iter().map(weighed).sum();
        assert!(balance.abs() < 1e-9, "{y} of level {level}: {balance}");
    }
    assert!((y[1] - 1.8).abs() < 1e-9, "{}, not the mean", y[1]);
    Ok(())
}

#[test]
fn means_and_variances() -> Result<()> {
    let data = unknown(&[1.0, 2.0, 3.0, 6.0])?;
    let y = learned(GaussianNll::new(), Adam::new(), 0.02, 2, &data)?;
    assert!((y[0] - 3.0).abs() < 1e-3, "{y:?}");
    assert!((y[1] - 3.5_f64.ln()).abs() < 1e-3, "{y:?}");
    Ok(())
}

/// The cost of an epoch is the weighted mean over all samples, whatever each batch weighs: one of
/// them nothing at all.
#[test]
fn weighted_means_of_epochs() -> Result<()> {
    let data = unknown(&[1.0, 2.0, 3.0, 6.0, -4.0, 2.0, 5.0, 1.5])?
        .weighted(vec![0.5, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0, 4.0])?;
    for (reduction, over) in [
        (Reduction::WeightedMean, 7.5),
        (Reduction::Mean, 8.0),
        (Reduction::Sum, 1.0),
    ] {
        let mut net = constant(1)?;
        let history = Trainer::new(Reduced::new(MeanAbsoluteError, reduction), Sgd::new())
            .learning_rate(0.0)
            .batch_size(2)
            .shuffle(false)
            .epochs(1)
            .validation_data(&data)
            .fit(&mut net, &data)?;
        let y = net.predict(&[0.0])?[0];
        let weights = data.weights().expect("weights").iter();
        let costs = weights.zip(data.targets().iter());
        let want = costs.map(|(w, t)| w * (y - t).abs()).sum::<f64>() / over;
        let epoch = history.last().expect("an epoch");
        for cost in [Some(epoch.cost), epoch.validation_cost] {
            let cost = cost.expect("a cost");
            assert!(
                (cost - want).abs() <= 1e-15 * want,
                "{reduction:?}: {cost}, not {want}"
            );
        }
    }
    Ok(())
}

/// Samples to be ignored change nothing of what is learned, and a batch of them no parameter.
#[test]
fn ignored_samples() -> Result<()> {
    let x = DMatrix::from_fn(2, 8, |i, j| ((i + 1) * (3 * j + 1)) as f64 % 7.0 - 3.0);
    let labels = [0, 2, 255, 1, 255, 255, 2, 0];
    let (t, counted) = chainrule::data::one_hot_ignoring(&labels, 3, 255)?;
    let all = Dataset::new(x, t)?.weighted(counted)?;
    let known: Vec<usize> = (0..8).filter(|j| labels[*j] != 255).collect();
    let train = |data: &Dataset<f64>, batch: usize| {
        let mut net = Sequential::builder(2)
            .layer(Dense::new(3, Activation::Linear))
            .seed(1)
            .build()?;
        Trainer::new(
            Reduced::new(SoftmaxCrossEntropy::new(), Reduction::WeightedMean),
            Sgd::new(),
        )
        .learning_rate(0.1)
        .batch_size(batch)
        .shuffle(false)
        .epochs(20)
        .fit(&mut net, data)?;
        Ok::<_, Error>(net.params().to_vec())
    };
    let (with, without) = (train(&all, 8)?, train(&all.select(&known)?, 8)?);
    for (with, without) in with.iter().zip(&without) {
        assert!((with - without).abs() < 1e-13, "{with}, not {without}");
    }
    let ignored = all.select(&[0, 1, 2, 4, 6, 7])?;
    let (with, without) = (train(&ignored, 2)?, train(&all.select(&[0, 1, 6, 7])?, 2)?);
    assert_eq!(with, without);
    Ok(())
}

#[test]
fn outputs_that_do_not_fit() -> Result<()> {
    let data = Dataset::new(DMatrix::zeros(1, 4), DMatrix::from_element(2, 4, 0.5))?;
    let (mut net, before) = (constant(2)?, constant(2)?);
    macro_rules! refused_by {
        ($loss:expr, $kind:expr, $text:expr) => {
            refused(
                Trainer::new($loss, Sgd::new()).fit(&mut net, &data),
                $kind,
                $text,
            );
            assert_eq!(net, before);
        };
    }
    refused_by!(
        GaussianNll::new(),
        ErrorKind::Shape,
        "training data: targets: got 2 × 4, expected 1 × 4 (this loss takes several outputs for \
         each target)"
    );
    refused_by!(
        Quantile::new(&[0.1, 0.5, 0.9]),
        ErrorKind::Incompatible,
        "training data: outputs of Quantile: got 2, expected a multiple of 3: one per target and \
         level"
    );
    refused_by!(
        BinaryCrossEntropy,
        ErrorKind::Incompatible,
        "training data: layer 0 (Dense linear): got outputs in Real, expected outputs on which \
         BinaryCrossEntropy is defined (probabilities: end on a sigmoid, or take \
         SigmoidCrossEntropy, which does it)"
    );
    Ok(())
}
