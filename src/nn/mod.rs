//! Networks: layers, activations and losses, the four backpropagation equations, and derivatives
//! beyond them.
//!
//! | to | see |
//! |---|---|
//! | build a network | [`Sequential`], [`Dense`] and the other layers here |
//! | choose an activation or a start | [`Activation`], [`Init`] |
//! | choose or write a loss | [`loss`] |
//! | write a layer | [`layer`] |
//! | check a derivative | [`gradcheck`] |
//!
//! | layer | output, of the features x of each sample | parameters |
//! |---|---|---|
//! | [`Dense`] | φ(W·x + b) | W, b |
//! | [`Activation`] | φ(x) | |
//! | [`Softmax`] | e^xⱼ / Σₖ e^xₖ | |
//! | [`Dropout`] | x, in training with random zeros | |
//! | [`AlphaDropout`] | the same, keeping mean and variance after `Selu` | |
//! | [`GaussianNoise`] | x, in training with noise | |
//! | [`LayerNorm`] | (x − mean)/deviation over the features, times γ, plus β | γ, β |
//! | [`RmsNorm`] | x/root mean square over the features, times γ | γ |
//! | [`BatchNorm`] | (x − mean)/deviation over the batch, times γ, plus β | γ, β, running statistics |
//! | [`Prelu`] | x for x > 0, a·x else | a |
//! | [`LogSoftmax`] | xⱼ − ln Σₖ e^xₖ | |
//! | [`GroupNorm`] | as `LayerNorm`, over groups of features | γ, β |
//! | [`UnitNorm`] | x/length of x | |
//! | [`Glu`] | the first half of x times φ(the second half) | |
//! | [`Chain`] | some layers as one | theirs |
//! | [`Residual`] | x + f(x) of layers f | theirs |
//! | [`Parallel`] | branches over x, stacked or added | theirs |
//! | [`Select`] | some of x | |
//! | [`Embedding`] | the vectors of the categories that x says | a vector for each category |

pub(crate) mod activation;
pub(crate) mod builder;
mod chain;
pub(crate) mod derivatives;
mod flatten;
pub mod gradcheck;
pub(crate) mod init;
mod joins;
pub mod layer;
pub(crate) mod layers;
pub(crate) mod layout;
pub mod loss;
pub(crate) mod names;
mod nested;
pub(crate) mod passes;
pub(crate) mod path;
pub(crate) mod sequential;
#[cfg(feature = "serde")]
pub(crate) mod serde;
pub(crate) mod slopes;
pub(crate) mod softmax;
pub(crate) mod statistics;
mod summary;
pub(crate) mod tape;

pub use activation::{Breakpoints, OutputRange};
pub use builder::Builder;
pub use init::{Distribution, Fan, Init};
pub use layers::*;
pub use path::LayerPath;
pub use sequential::{At, NamedParameter, Sequential};
pub use tape::Tape;
