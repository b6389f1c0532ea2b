//! Networks: layers, activations and losses, the four backpropagation equations, and derivatives beyond them.
//!
//! | to | see |
//! |---|---|
//! | build a network | [`Sequential`], [`Dense`] and the other layers here |
//! | choose an activation or a start | [`Activation`], [`Init`] |
//! | choose or write a loss | [`loss`] |
//! | write a layer | [`layer`] |
//! | check a derivative | [`gradcheck`] |

pub(crate) mod activation;
pub(crate) mod builder;
pub(crate) mod derivatives;
pub mod gradcheck;
pub(crate) mod init;
pub mod layer;
pub(crate) mod layers;
pub(crate) mod layout;
pub mod loss;
pub(crate) mod names;
pub(crate) mod passes;
pub(crate) mod sequential;
#[cfg(feature = "serde")]
pub(crate) mod serde;
pub(crate) mod softmax;
mod summary;
pub(crate) mod tape;

pub use activation::{Activation, Breakpoints, OutputRange};
pub use builder::Builder;
pub use init::{Distribution, Fan, Init};
pub use layers::{
    AlphaDropout, BatchNorm, Dense, Dropout, GaussianNoise, LayerNorm, Prelu, RmsNorm, Softmax,
};
pub use sequential::{At, NamedParameter, Sequential};
pub use tape::Tape;
