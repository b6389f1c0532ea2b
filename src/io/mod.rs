//! Model files and interchange formats.

#[cfg(feature = "ndarray")]
mod arrays;
#[cfg(feature = "safetensors")]
mod names;
#[cfg(feature = "safetensors")]
mod safetensors;

#[cfg(feature = "safetensors")]
pub use safetensors::Safetensors;
