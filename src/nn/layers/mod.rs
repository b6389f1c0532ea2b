//! The layers of this crate, one a file.

mod activation;
mod alpha_dropout;
mod batch_norm;
mod built_in;
mod dense;
mod dropout;
mod layer_norm;
mod noise;
mod norm;
mod prelu;
mod smooth;
mod softmax;

pub(crate) use built_in::BuiltIn;

pub use alpha_dropout::AlphaDropout;
pub use batch_norm::BatchNorm;
pub use dense::Dense;
pub use dropout::Dropout;
pub use layer_norm::{LayerNorm, RmsNorm};
pub use noise::GaussianNoise;
pub use prelu::Prelu;
pub use softmax::Softmax;
