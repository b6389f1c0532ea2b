#![doc = include_str!("root.md")]
// What a build without all features cannot link to.
#![cfg_attr(
    not(any(feature = "ndarray", feature = "onnx", feature = "safetensors")),
    doc = "\n[`io`]: https://docs.rs/chainrule/latest/chainrule/io/"
)]
#![cfg_attr(
    not(feature = "plot"),
    doc = "\n[`plot`]: https://docs.rs/chainrule/latest/chainrule/plot/"
)]
#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

// The floors: each imports only from those above it (`tests/promises/floors.rs`).

// Errors; files, clocks, checksums.
mod error;
mod ground;

// Scalars, borrowed matrices, kernels.
pub mod numeric;

// Networks: activations, layers, losses, passes.
pub mod nn;

// Rules, and what a step does beside them.
pub mod optim;

// Data sets and readers of files.
pub mod data;

// How good predictions are.
pub mod metrics;

// Trainers, their history and their checkpoints.
pub mod train;

// Cross-validation and searches.
pub mod selection;
// What a model has learned.
pub mod inspection;
// How sure it is.
pub mod uncertainty;

// Model files, interchange formats, pictures, a progress bar.
#[cfg(any(feature = "ndarray", feature = "onnx", feature = "safetensors"))]
pub mod io;
#[cfg(feature = "plot")]
pub mod plot;
#[cfg(feature = "progress")]
mod progress;

pub mod guide;

#[cfg(test)]
mod levels;
#[cfg(test)]
mod lists;

pub use data::{Dataset, Scaler, one_hot};
pub use error::{Error, ErrorKind, Result};
pub use nn::gradcheck;
pub use nn::loss::{MeanSquaredError, SigmoidCrossEntropy, SoftmaxCrossEntropy};
pub use nn::{Activation, Dense, Dropout, Init, Sequential, Tape};
pub use numeric::{Real, View};
pub use optim::{Adam, Optimizer, Sgd};
#[cfg(feature = "progress")]
pub use progress::Progress;
pub use train::{Model, Monitor, Stop, Trainer};

#[cfg(feature = "progress")]
pub use indicatif;
#[cfg(feature = "ndarray")]
pub use ndarray;
pub use {nalgebra, rand};

/// What a first program needs: `use chainrule::prelude::*;`.
///
/// Everything else lives in the module of its subject: [`nn`], [`optim`], [`data`], [`train`].
pub mod prelude {
    pub use crate::{
        Activation, Adam, Dataset, Dense, Dropout, Error, Init, MeanSquaredError, Model, Monitor,
        Optimizer, Result, Scaler, Sequential, Sgd, SigmoidCrossEntropy, SoftmaxCrossEntropy, Stop,
        Tape, Trainer, metrics, one_hot,
    };
    pub use nalgebra::{DMatrix, DVector};
}
