//! Numbers: the scalar of a network, borrowed matrices of it, and the kernels that work on them.

pub(crate) mod bounds;
pub(crate) mod compiled;
pub(crate) mod kernel;
pub(crate) mod mean;
pub(crate) mod quantile;
pub(crate) mod random;
pub(crate) mod real;
pub(crate) mod scratch;
pub(crate) mod view;

pub use real::Real;
pub use view::{Targets, View, ViewMut};
