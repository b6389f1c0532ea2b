//! From the columns of a table to the inputs and targets of a network.

mod builder;
mod code;
mod column;
mod encoder;
mod index;
mod numbers;
mod one_hot;
mod settings;
mod targets;
mod words;

pub use builder::EncoderBuilder;
pub use encoder::Encoder;
pub use settings::{Encoding, Fill, Scaling};
