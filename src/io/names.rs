//! What PyTorch calls the parameters of the same network.

use crate::nn::activation::Activation;
use crate::nn::layer::{Block, Layer};
use crate::nn::layers::{BuiltIn, Dense};
use crate::nn::layout::Layout;
use crate::numeric::real::Real;
use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::any::Any;

/// The names of every layer's blocks: the index of the module in an `nn.Sequential` of the same layers, where the activation of a
/// dense layer is a module of its own, and PyTorch's name of the block. Blocks of other crates' layers keep theirs.
pub(crate) fn block_names<T: Real>(
    layers: &[Arc<dyn Layer<T>>],
    layout: &Layout,
) -> Vec<Vec<String>> {
    let mut index = 0;
    let name_layer = |(layer, blocks): (&Arc<dyn Layer<T>>, &Vec<Block>)| {
        let (here, known) = (index, BuiltIn::of(&**layer).is_some());
        index += modules(&**layer);
        blocks
            .iter()
            .map(|block| format!("{here}.{}", if known { name(block) } else { &block.name }))
            .collect()
    };
    layers.iter().zip(&layout.blocks).map(name_layer).collect()
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
        "weights" | "scale" | "slope" => "weight",
        "running_variance" => "running_var",
        name => name,
    }
}
