//! A layer of one's own: a gain that is learned for each feature, y = g ⊙ x.
//!
//! Its derivatives are checked against finite differences; then it stands first in a network. With
//! decay of the weights the gains of features that say nothing about the target go to 0, so that
//! the network tells which inputs matter.
//!
//! ```text
//! cargo run --release --example custom_layer
//! ```

use chainrule::nn::layer::{
    BackwardArgs, Block, GradientArgs, InferArgs, InitParamsArgs, Layer, Role,
};
use chainrule::numeric::ViewMut;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{Real, View, gradcheck};
use std::f64::consts::PI;

/// y = g ⊙ x, with a gain g for each feature.
#[derive(Debug)]
struct Gain;

impl<T: Real> Layer<T> for Gain {
    fn name(&self) -> String {
        "Gain".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![Block::new("gain", Role::Weight, inputs, 1)]
    }

    fn init_params(&self, p: InitParamsArgs<'_, T>) {
        p.params.fill(T::one());
    }

    fn infer(&self, p: InferArgs<'_, T>) {
        scale(p.params, p.x, p.y);
    }

    // Without an activation δ is ∂C/∂y, which is there already; what is left is ∂C/∂x = g ⊙ δ.
    fn backward(&self, p: BackwardArgs<'_, T>) {
        if let Some(dx) = p.dx {
            scale(p.params, p.delta.as_view(), dx);
        }
    }

    // ∂C/∂g = Σ δ ⊙ x over the samples.
    fn gradient(&self, p: GradientArgs<'_, T>) {
        p.grads.fill(T::zero());
        for (delta, x) in p.delta.iter().zip(p.x.iter()) {
            for ((dg, delta), x) in p.grads.iter_mut().zip(delta).zip(x) {
                *dg += *delta * *x;
            }
        }
    }
}

/// to = gain ⊙ from, sample after sample.
fn scale<T: Real>(gain: &[T], from: View<'_, T>, mut to: ViewMut<'_, T>) {
    for ((to, from), gain) in to
        .as_mut_slice()
        .iter_mut()
        .zip(from.as_slice())
        .zip(gain.iter().cycle())
    {
        *to = *gain * *from;
    }
}

fn main() -> Result<()> {
    let report = gradcheck::layer(&Gain, 6, 5, 1)?;
    println!("check: {report}\n");

    // Six features, of which 2 and 4, counted from 0, make the target.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let inputs = DMatrix::from_fn(6, 1000, |_, _| rng.random_range(-1.0..1.0));
    let targets = DMatrix::from_fn(1, 1000, |_, j| (PI * inputs[(2, j)]).sin() + inputs[(4, j)]);
    let (train, test) = Dataset::new(inputs, targets)?.split(0.7, 1)?;

    let mut net = Sequential::<f64>::builder(6)
        .layer(Gain)
        .layer(Dense::new(16, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .build_with(&mut rng)?;
    println!("{net}\n");

    let decay = net.groups(|_, block| {
        (
            1.0,
            if block.role == Role::Weight {
                0.02
            } else {
                0.0
            },
        )
    });
    let history = Trainer::new(MeanSquaredError, Sgd::new().momentum(0.9))
        .epochs(200)
        .learning_rate(0.05)
        .groups(decay)
        .validation_data(&test)
        .fit(&mut net, &train)?;
    if let Some(last) = history.last() {
        println!(
            "mean squared error after training: {:.5}, on test data {:.5}",
            last.cost,
            last.validation_cost.unwrap_or(f64::NAN)
        );
    }

    println!("\nfeature    gain");
    for (feature, gain) in net.weights(0)?.iter().enumerate() {
        println!("{feature:>7}   {gain:>5.2}");
    }
    Ok(())
}
