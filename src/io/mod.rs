//! Model files and interchange formats.

#[cfg(feature = "ndarray")]
mod arrays;
#[cfg(feature = "safetensors")]
mod names;
