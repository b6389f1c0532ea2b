//! Layers that training leaves as they are.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layout::Layout;
use crate::numeric::bounds::ensure;
use alloc::{format, vec::Vec};
use core::ops::Range;

/// The numbers of such layers, in order, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Frozen(Vec<usize>);

impl Frozen {
    pub(super) fn new(layers: impl IntoIterator<Item = usize>) -> Self {
        let mut layers: Vec<usize> = layers.into_iter().collect();
        layers.sort_unstable();
        layers.dedup();
        Self(layers)
    }

    pub(super) fn contains(&self, layer: usize) -> bool {
        self.0.binary_search(&layer).is_ok()
    }

    /// Checks that a network of so many layers has these; `name` is the trainer's.
    pub(super) fn check(&self, name: &str, layers: usize) -> Result<()> {
        let Some(&layer) = self.0.last() else {
            return Ok(());
        };
        let expected = format_args!("layers below {layers}");
        ensure(
            layer < layers,
            format_args!("freeze of {name}"),
            expected,
            layer,
        )
    }

    /// Where their parameters lie, in order.
    pub(super) fn params(&self, name: &str, layout: &Layout) -> Result<Vec<Range<usize>>> {
        let place = format!("freeze of {name}");
        let span = |layer: &usize| layout.params_of(&place, &[*layer]);
        self.0.iter().map(span).collect()
    }
}

/// The error where no layer is left that learns.
pub(super) fn all_frozen(name: &str) -> Error {
    Error::new(
        ErrorKind::Empty,
        format!("freeze of {name}"),
        "a layer with parameters that learns",
        "all frozen",
    )
}
