//! Networks: their parts one by one, what passes through them, and their derivatives.

#[path = "../common/mod.rs"]
mod common;

mod activations;
mod derivatives;
mod dual;
mod gradients;
mod heads;
mod init;
mod layers;
mod losses;
mod nested;
mod norm;
mod published;

use chainrule::Real;
use chainrule::nn::layer::Layer;
use chainrule::prelude::*;

/// A network of this layer, on top of one that shows ∂C/∂ its input as its δ.
fn alone<T: Real>(width: usize, layer: impl Layer<T> + 'static) -> Result<Sequential<T>> {
    Sequential::builder(width)
        .layer(Activation::Linear)
        .layer(layer)
        .seed(0)
        .build()
}
