//! The layers of this crate, one a file.

mod activation;
mod dense;
mod dropout;
mod softmax;

pub use dense::Dense;
pub use dropout::Dropout;
pub use softmax::Softmax;
