//! A layer of one's own that is made of layers: a gated residual block,
//! y = x + f(x) ⊙ σ(g(x)) with f and g linear behind a tanh.
//!
//! It says what its parts are, and that is all. Its derivatives are checked against finite
//! differences; then two of them are trained on top of each other.
//!
//! ```text
//! cargo run --release --example custom_composite
//! ```

use chainrule::gradcheck;
use chainrule::nn::layer::{Composite, Parts};
use chainrule::nn::{Chain, Glu};
use chainrule::prelude::*;

/// A gated residual block for so many features.
#[derive(Debug)]
struct Gated(usize);

impl Composite for Gated {
    type Scalar = f64;

    fn name(&self) -> String {
        "Gated".into()
    }

    fn parts(&self) -> Parts<f64> {
        // A Glu multiplies the first half of its inputs, f, by the sigmoid of the second, g.
        let body = Chain::new()
            .layer(Dense::new(16, Activation::Tanh))
            .layer(Dense::new(2 * self.0, Activation::Linear))
            .layer(Glu::new(Activation::Sigmoid));
        Parts::add().branch("body", body).skip()
    }
}

fn main() -> Result<()> {
    println!("check: {}\n", gradcheck::layer(&Gated(8), 8, 5, 1)?);

    // A wave whose frequency grows.
    let x = DMatrix::from_fn(1, 400, |_, j| j as f64 / 200.0 - 1.0);
    let data = Dataset::new(x.clone(), x.map(|x| (3.0 * (x + 1.0).powi(2)).sin()))?;
    let mut net = Sequential::builder(1)
        .layer(Dense::new(8, Activation::Linear))
        .layer(Gated(8))
        .layer(Gated(8))
        .layer(Dense::new(1, Activation::Linear))
        .build()?;
    println!("{net}\n");

    let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).epochs(300);
    if let Some(last) = trainer.fit(&mut net, &data)?.last() {
        println!("mean squared error after training: {:.5}", last.cost);
    }
    Ok(())
}
