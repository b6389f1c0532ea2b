//! What PyTorch calls the parameters of the same network: their names in files and in
//! `Sequential::named_parameters`.

use crate::nn::activation::Activation;
use crate::nn::layer::{Block, Layer};
use crate::nn::layers::{BuiltIn, Dense};
use crate::numeric::real::Real;
use alloc::{format, string::String, vec::Vec};
use core::any::Any;

/// The names of a layer's blocks: that of the module, which is its index in an `nn.Sequential` of
/// the same layers, and PyTorch's name of the block. Blocks of other crates' layers keep theirs.
pub(crate) fn of_blocks<T: Real>(
    layer: &dyn Layer<T>,
    module: &str,
    blocks: &[Block],
) -> Vec<String> {
    let known = BuiltIn::of(layer).is_some();
    let name = |block| {
        format!(
            "{module}.{}",
            if known {
                in_pytorch(block)
            } else {
                &block.name
            }
        )
    };
    blocks.iter().map(name).collect()
}

/// How many modules a layer is in PyTorch, where the activation of a dense layer is one of its own.
pub(crate) fn modules<T: Real>(layer: &dyn Layer<T>) -> usize {
    let layer: &dyn Any = layer;
    match layer.downcast_ref::<Dense>() {
        Some(dense) if *dense.activation() != Activation::Linear => 2,
        _ => 1,
    }
}

fn in_pytorch(block: &Block) -> &str {
    match &*block.name {
        "weights" | "scale" | "slope" | "embeddings" => "weight",
        "running_variance" => "running_var",
        name => name,
    }
}
