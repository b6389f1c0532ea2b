//! Model files and interchange formats.

#[cfg(feature = "ndarray")]
mod arrays;
#[cfg(any(feature = "onnx", feature = "safetensors"))]
mod notes;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "safetensors")]
mod safetensors;

#[cfg(feature = "onnx")]
pub use onnx::Onnx;
#[cfg(feature = "safetensors")]
pub use safetensors::Safetensors;
