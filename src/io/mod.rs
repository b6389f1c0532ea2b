//! Model files and interchange formats.

#[cfg(feature = "safetensors")]
mod names;
