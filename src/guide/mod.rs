#![doc = include_str!("guide.md")]

#[doc = include_str!("neurons.md")]
pub mod neurons {}

#[doc = include_str!("backpropagation.md")]
pub mod backpropagation {}

#[doc = include_str!("costs.md")]
pub mod costs {}

#[doc = include_str!("optimizers.md")]
pub mod optimizers {}

#[doc = include_str!("schedules.md")]
pub mod schedules {}

#[doc = include_str!("data.md")]
pub mod data {}

#[doc = include_str!("training.md")]
pub mod training {}

#[doc = include_str!("judging.md")]
pub mod judging {}

#[doc = include_str!("choosing.md")]
pub mod choosing {}

#[doc = include_str!("normalization.md")]
pub mod normalization {}

#[doc = include_str!("branches.md")]
pub mod branches {}

#[doc = include_str!("derivatives.md")]
pub mod derivatives {}

#[doc = include_str!("curvature.md")]
pub mod curvature {}

#[doc = include_str!("files.md")]
pub mod files {}

#[doc = include_str!("onnx.md")]
pub mod onnx {}

#[doc = include_str!("names.md")]
pub mod names {}
