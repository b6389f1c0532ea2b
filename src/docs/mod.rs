#![doc = include_str!("guide.md")]

#[doc = include_str!("neurons.md")]
pub mod neurons {}

#[doc = include_str!("backpropagation.md")]
pub mod backpropagation {}

#[doc = include_str!("costs.md")]
pub mod costs {}

#[doc = include_str!("optimisers.md")]
pub mod optimisers {}

#[doc = include_str!("schedules.md")]
pub mod schedules {}

#[doc = include_str!("data.md")]
pub mod data {}

#[doc = include_str!("training.md")]
pub mod training {}

#[doc = include_str!("judging.md")]
pub mod judging {}

#[doc = include_str!("normalisation.md")]
pub mod normalisation {}

#[doc = include_str!("onnx.md")]
pub mod onnx {}
