//! From the columns of a table to the inputs and targets of a network.

mod builder;
mod code;
mod fitted;
mod index;
mod learned;
mod numbers;
mod one_hot;
mod settings;
mod targets;
mod words;

pub use builder::EncoderBuilder;
pub use learned::Encoder;
pub use settings::{Encoding, Fill, Scaling};
pub(crate) use targets::TargetColumn;
#[cfg(feature = "onnx")]
pub(crate) use {
    fitted::Fitted,
    index::Index,
    numbers::Scaled,
    one_hot::OneHot,
    words::{Unknown, Words},
};
