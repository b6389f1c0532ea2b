//! Model files and interchange formats.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/counting.rs"]
mod counting;
#[cfg(feature = "onnx")]
mod zoo;

mod files;
mod interchange;
mod interchange_onnx;
mod onnx;
mod onnx_hostile;
