//! Four classics as single neurons: perceptron, ADALINE, logistic regression and a margin
//! classifier.
//!
//! All of them draw a line w·x + b = 0 between two classes. They differ in the activation and the
//! loss, which is all there is to choose:
//!
//! ```text
//! model                 φ(z)                    loss            targets
//! perceptron            step, taken as if φ′=1  squared error   0, 1      Rosenblatt 1958
//! ADALINE               z                       squared error   −1, 1     Widrow & Hoff 1960
//! logistic regression   z                       cross-entropy   0, 1      of σ(z), by the loss
//! margin classifier     z                       hinge           −1, 1     with decay: a linear SVM
//! ```
//!
//! The classes are clouds around two points, so the best line of all is known, and is printed too.
//!
//! ```text
//! cargo run --release --example single_neuron
//! ```

use chainrule::nn::layer::Role;
use chainrule::nn::loss::{Hinge, SumSquaredError};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{Rng, RngExt, SeedableRng};
use std::f64::consts::TAU;

const SAMPLES: usize = 2000;
/// The centers of class 0 and class 1; both clouds are normal with a standard deviation of 1.
const CENTRES: [[f64; 2]; 2] = [[-1.0, -0.5], [1.5, 1.0]];

fn main() -> Result<()> {
    let (train, test) = clouds(&mut Xoshiro256PlusPlus::seed_from_u64(1))?.split(0.7, 1)?;
    println!(
        "{} samples to train on, {} to test\n",
        train.len(),
        test.len()
    );
    println!(
        "{:<21} {:>8} {:>8} {:>8}   {:>8} {:>8}",
        "model", "w₁", "w₂", "b", "training", "test"
    );

    // A sample at a time, and only those that are on the wrong side change the line: where φ(z) is
    // the target, δ is 0.
    let step = Activation::Step.straight_through();
    let trainer = Trainer::new(SumSquaredError, Sgd::new())
        .batch_size(1)
        .learning_rate(0.1);
    report("perceptron", &fit(step, trainer, &train)?, &train, &test)?;

    let signs = train
        .clone()
        .map_targets(|t| Ok(t.map(|t| 2.0 * t - 1.0)))?;
    let trainer = Trainer::new(SumSquaredError, Sgd::new())
        .batch_size(1)
        .learning_rate(0.002);
    report(
        "ADALINE",
        &fit(Activation::Linear, trainer, &signs)?,
        &train,
        &test,
    )?;

    let trainer = Trainer::new(SigmoidCrossEntropy::new(), Sgd::new()).learning_rate(0.1);
    report(
        "logistic regression",
        &fit(Activation::Linear, trainer, &train)?,
        &train,
        &test,
    )?;

    // The margin is 2/‖w‖: decay of the weights makes it wide. The bias only moves it, and must not
    // decay.
    let decay = |net: &Sequential<f64>| {
        net.groups(|_, block| {
            (
                1.0,
                if block.role == Role::Weight {
                    0.01
                } else {
                    0.0
                },
            )
        })
    };
    let trainer = Trainer::new(Hinge, Sgd::new())
        .learning_rate(0.1)
        .groups(decay(&neuron(Activation::Linear)?));
    report(
        "margin classifier",
        &fit(Activation::Linear, trainer, &signs)?,
        &train,
        &test,
    )?;

    // Equal round clouds are best parted half-way between their centers, at right angles to the
    // line that joins them.
    let mut best = neuron(Activation::Linear)?;
    let [from, to] = CENTRES;
    let w = [to[0] - from[0], to[1] - from[1]];
    let b = -(w[0] * (from[0] + to[0]) + w[1] * (from[1] + to[1])) / 2.0;
    best.set_params(&[w[0], w[1], b])?;
    report("(best line)", &best, &train, &test)
}

/// Two clouds of points with targets 0 and 1.
fn clouds(rng: &mut impl Rng) -> Result<Dataset<f64>> {
    let mut points = DMatrix::zeros(2, SAMPLES);
    for (sample, mut point) in points.column_iter_mut().enumerate() {
        // Two normal numbers of two uniform ones (Box & Muller 1958); 1 − u is never 0, whose
        // logarithm is −∞.
        let (radius, angle) = (
            (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt(),
            TAU * rng.random::<f64>(),
        );
        let [x, y] = CENTRES[sample % 2];
        point.copy_from_slice(&[x + radius * angle.cos(), y + radius * angle.sin()]);
    }
    Dataset::new(
        points,
        DMatrix::from_fn(1, SAMPLES, |_, sample| (sample % 2) as f64),
    )
}

/// One neuron with two inputs.
fn neuron(activation: Activation) -> Result<Sequential<f64>> {
    Sequential::builder(2)
        .layer(Dense::new(1, activation))
        .seed(1)
        .build()
}

fn fit(
    activation: Activation,
    trainer: Trainer<'_, f64>,
    data: &Dataset<f64>,
) -> Result<Sequential<f64>> {
    let mut net = neuron(activation)?;
    trainer.epochs(100).fit(&mut net, data)?;
    Ok(net)
}

/// Prints the line and the fraction of samples on the right side of it.
fn report(
    model: &str,
    net: &Sequential<f64>,
    train: &Dataset<f64>,
    test: &Dataset<f64>,
) -> Result<()> {
    let (w, b) = (net.weights(0)?, net.bias(0)?);
    let accuracy = |data: &Dataset<f64>| {
        let right = data
            .inputs()
            .column_iter()
            .zip(data.targets().iter())
            .filter(|(x, t)| ((w * x)[0] + b[0] > 0.0) == (**t > 0.5));
        right.count() as f64 / data.len() as f64
    };
    println!(
        "{model:<21} {:>8.4} {:>8.4} {:>8.4}   {:>8.4} {:>8.4}",
        w[0],
        w[1],
        b[0],
        accuracy(train),
        accuracy(test)
    );
    Ok(())
}
