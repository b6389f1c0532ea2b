//! What PyTorch calls the parameters of the same network.

use crate::activation::Activation;
use crate::layer::{Block, Layer};
use crate::layers::{BuiltIn, Dense};
use crate::real::Real;
use crate::sequential::Sequential;
use alloc::{format, string::String, vec::Vec};
use core::any::Any;

/// The names of every layer's blocks: the index of the module in an `nn.Sequential` of the same layers, where the activation of a
/// dense layer is a module of its own, and PyTorch's name of the block. Blocks of other crates' layers keep theirs.
pub(crate) fn block_names<T: Real>(net: &Sequential<T>) -> Vec<Vec<String>> {
    let mut index = 0;
    let name_layer = |(number, layer): (usize, &alloc::sync::Arc<dyn Layer<T>>)| {
        let (here, known) = (index, BuiltIn::of(&**layer).is_some());
        index += modules(&**layer);
        net.blocks(number).iter().map(|block| format!("{here}.{}", if known { name(block) } else { &block.name })).collect()
    };
    net.layers().iter().enumerate().map(name_layer).collect()
}

/// How many modules a layer is in PyTorch.
fn modules<T: Real>(layer: &dyn Layer<T>) -> usize {
    let layer: &dyn Any = layer;
    match layer.downcast_ref::<Dense>() {
        Some(dense) if *dense.activation() != Activation::Linear => 2,
        _ => 1,
    }
}

fn name(block: &Block) -> &str {
    match &*block.name {
        "weights" | "scale" => "weight",
        "running_variance" => "running_var",
        name => name,
    }
}
