//! How a layer of a network is named.

use core::slice::from_ref;

/// Which layer of a network: its number, or the path to a part of a layer that is made of layers,
/// from the outside in.
///
/// | path | layer |
/// |---|---|
/// | `2` or `[2]` | layer 2 |
/// | `[2, 1]` | part 1 of layer 2 |
/// | `[2, 1, 0]` | part 0 of that |
///
/// Parts are numbered from 0. Those of a [`Residual`](crate::nn::Residual) are its body, 0, and its
/// skip or projection, 1; those of a [`Parallel`](crate::nn::Parallel) are its branches. Slices are
/// paths, too.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::{Chain, Residual};
/// let inner = Chain::new()
///     .layer(Dense::new(8, Activation::Tanh))
///     .layer(Dense::new(3, Activation::Linear));
/// let net = Sequential::<f64>::builder(3)
///     .layer(Dense::new(3, Activation::Tanh))
///     .layer(Residual::new(inner))
///     .seed(1)
///     .build()?;
/// assert_eq!(net.weights(0)?.shape(), (3, 3));
/// assert_eq!(net.weights([1, 0, 0])?.shape(), (8, 3));
/// let path = vec![1, 0, 1];
/// assert_eq!(net.weights(&path[..])?.shape(), (3, 8));
/// # Ok::<(), chainrule::Error>(())
/// ```
pub trait LayerPath {
    /// The numbers, outermost first.
    fn path(&self) -> &[usize];
}

impl LayerPath for usize {
    fn path(&self) -> &[usize] {
        from_ref(self)
    }
}

impl<const N: usize> LayerPath for [usize; N] {
    fn path(&self) -> &[usize] {
        self
    }
}

impl LayerPath for &[usize] {
    fn path(&self) -> &[usize] {
        self
    }
}
