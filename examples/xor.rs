//! Exclusive or, which no single neuron can learn, by a network of two layers.
//!
//! ```text
//! cargo run --release --example xor
//! ```

use chainrule::nn::loss::QuadraticCost;
use chainrule::prelude::*;

fn main() -> Result<()> {
    // Each case: two inputs and the target.
    let cases = Dataset::from_rows(
        &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0],
        2,
        &[0.0, 1.0, 1.0, 0.0],
        1,
    )?;

    let mut net = Sequential::<f64>::builder(2)
        .layer(Dense::new(4, Activation::Tanh))
        .layer(Dense::new(1, Activation::Sigmoid))
        .seed(1)
        .build()?;
    Trainer::new(QuadraticCost, Adam::new())
        .epochs(1000)
        .learning_rate(0.05)
        .fit(&mut net, &cases)?;

    let y = net.predict(cases.inputs())?;
    for (x, y) in cases.inputs().column_iter().zip(y.iter()) {
        println!("{} xor {} = {:.0}   ({y:.4})", x[0], x[1], y);
    }
    Ok(())
}
