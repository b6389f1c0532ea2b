//! Where everything of a network lies: widths, parameters, caches.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::{Block, Role};
use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

/// The plan of a network, fixed when it is built and shared with its tapes.
#[derive(Debug, PartialEq)]
pub(crate) struct Layout {
    pub names: Vec<String>,
    /// The network's inputs, then each layer's outputs.
    pub widths: Vec<usize>,
    pub blocks: Vec<Vec<Block>>,
    /// Where each layer's parameters begin, and where the last one's end.
    pub params: Vec<usize>,
    /// Numbers per sample that each layer keeps for its backward pass.
    pub caches: Vec<usize>,
    /// Numbers per sample that each layer's pass along a tangent keeps for its way back.
    pub tangent_caches: Vec<usize>,
}

impl Layout {
    /// Parameters of the largest block: what most of the work for a sample is proportional to.
    pub(crate) fn largest_block(&self) -> usize {
        self.blocks
            .iter()
            .flatten()
            .map(Block::len)
            .max()
            .unwrap_or(0)
    }
}

impl Layout {
    pub(crate) fn layers(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn outputs(&self) -> usize {
        self.widths[self.layers()]
    }

    pub(crate) fn param_count(&self) -> usize {
        self.params[self.layers()]
    }

    pub(crate) fn param_range(&self, layer: usize) -> Range<usize> {
        self.params[layer]..self.params[layer + 1]
    }

    /// How errors call a layer.
    pub(crate) fn place(&self, layer: usize) -> String {
        place(layer, &self.names[layer])
    }

    pub(crate) fn check_layer(&self, function: &str, layer: usize) -> Result<()> {
        if layer < self.layers() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Value,
            function,
            format!("a layer below {}", self.layers()),
            layer,
        ))
    }

    /// The first block of a role in a layer, and where it lies in the flat vector.
    pub(crate) fn block(
        &self,
        function: &str,
        layer: usize,
        role: Role,
    ) -> Result<(&Block, Range<usize>)> {
        self.check_layer(function, layer)?;
        let mut start = self.params[layer];
        for block in &self.blocks[layer] {
            if block.role == role {
                return Ok((block, start..start + block.len()));
            }
            start += block.len();
        }
        Err(Error::new(
            ErrorKind::Value,
            function,
            format!("a layer with a block of role {role:?}"),
            self.place(layer),
        ))
    }
}

/// How errors call layer `index` of a network.
pub(crate) fn place(index: usize, name: &str) -> String {
    format!("layer {index} ({name})")
}
