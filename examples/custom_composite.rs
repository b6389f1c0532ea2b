//! A layer of one's own that is made of layers: a gated residual block,
//! y = x + f(x) ⊙ σ(g(x)) with f and g linear after a tanh.
//!
//! It says what its parts are, and that is all. Its derivatives are checked against finite
//! differences; then four of them are trained on top of each other.
//!
//! ```text
//! cargo run --release --example custom_composite
//! ```

use chainrule::gradcheck;
use chainrule::nn::layer::{Composite, Parts};
use chainrule::nn::{Chain, Glu};
use chainrule::prelude::*;

/// A gated residual block with so many hidden neurons, for so many features.
#[derive(Debug)]
struct Gated {
    hidden: usize,
    features: usize,
}

impl Composite for Gated {
    type Scalar = f64;

    fn name(&self) -> String {
        format!("Gated {}", self.hidden)
    }

    fn parts(&self) -> Parts<f64> {
        // A Glu multiplies the first half of its inputs, f, with the sigmoid of the second, g.
        let body = Chain::new()
            .layer(Dense::new(self.hidden, Activation::Tanh))
            .layer(Dense::new(2 * self.features, Activation::Linear))
            .layer(Glu::new(Activation::Sigmoid));
        Parts::add().branch("body", body).skip()
    }
}

fn main() -> Result<()> {
    let block = || Gated {
        hidden: 16,
        features: 8,
    };
    println!("check: {}\n", gradcheck::layer(&block(), 8, 5, 1)?);

    // A wave whose frequency grows.
    let x = DMatrix::from_fn(1, 400, |_, j| j as f64 / 200.0 - 1.0);
    let data = Dataset::new(x.clone(), x.map(|x| (6.0 * (x + 1.0).powi(2)).sin()))?;
    let mut net = (0..4)
        .fold(
            Sequential::builder(1).layer(Dense::new(8, Activation::Linear)),
            |net, _| net.layer(block()),
        )
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    println!("{net}\n");

    let history = Trainer::new(MeanSquaredError, Adam::new())
        .epochs(300)
        .learning_rate(0.003)
        .seed(1)
        .fit(&mut net, &data)?;
    if let Some(last) = history.last() {
        println!("mean squared error after training: {:.5}", last.cost);
    }
    Ok(())
}
