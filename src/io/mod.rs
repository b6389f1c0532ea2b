//! Model files and interchange formats.

mod names;
#[cfg(feature = "onnx")]
mod onnx;

#[cfg(feature = "onnx")]
pub use onnx::Onnx;
