#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod activation;
pub mod check;
mod checksum;
mod clock;
mod data;
mod derivative;
mod error;
#[cfg(feature = "std")]
mod file;
#[path = "docs/mod.rs"]
pub mod guide;
mod init;
#[cfg(any(feature = "ndarray", feature = "onnx", feature = "safetensors"))]
mod io;
mod kernel;
mod layer;
mod layers;
mod layout;
#[cfg(test)]
mod levels;
mod loss;
pub mod metrics;
mod optim;
#[cfg(feature = "plot")]
pub mod plot;
#[cfg(feature = "progress")]
mod progress;
mod random;
mod real;
#[cfg(feature = "serde")]
mod saved;
mod schedule;
mod sequential;
#[cfg(feature = "serde")]
mod serial;
mod softmax;
mod tape;
mod train;
mod view;

pub use activation::{Activation, Breakpoints, OutputRange};
pub use data::{Batch, Batches, Dataset, EpochBatches, Scaler, one_hot, read_idx, read_npy, read_npz, write_npy};
#[cfg(feature = "csv")]
pub use data::{Column, Csv, Table};
pub use error::{Error, ErrorKind, Result};
pub use init::{Distribution, Fan, Init};
#[cfg(feature = "onnx")]
pub use io::Onnx;
#[cfg(feature = "safetensors")]
pub use io::Safetensors;
pub use layer::{Backward, BackwardTangent, Block, Forward, Gradient, Infer, Layer, Role, Scratch, Start, Tangent};
pub use layers::{AlphaDropout, BatchNorm, Dense, Dropout, GaussianNoise, LayerNorm, Prelu, RmsNorm, Softmax};
pub use loss::{
    Costs, CrossEntropy, Curvatures, Hinge, Huber, KlDivergence, LogCosh, Loss, MeanAbsoluteError, MeanSquaredError, OutputFunction,
    QuadraticCost, Reduction, SigmoidCrossEntropy, Slopes, SoftmaxCrossEntropy, SumSquaredError,
};
pub use optim::{
    Adadelta, Adagrad, Adam, Adamax, Clip, Constraint, Group, Lion, Nadam, Optimizer, OptimizerState, Penalty, RAdam, RmsProp, Rprop, Sgd,
};
#[cfg(feature = "progress")]
pub use progress::Progress;
pub use real::Real;
pub use schedule::{Plateau, Schedule};
pub use sequential::{At, Builder, Sequential};
pub use tape::Tape;
pub use train::{Epoch, Every, History, LevenbergMarquardt, Model, Monitor, Observer, Plan, Step, Stop, Stopped, Trainer, Warning};
pub use view::{Targets, View, ViewMut};

#[cfg(feature = "progress")]
pub use indicatif;
#[cfg(feature = "ndarray")]
pub use ndarray;
pub use {nalgebra, rand};

/// What a program that trains a network usually needs.
pub mod prelude {
    pub use crate::{
        Activation, Adadelta, Adagrad, Adam, Adamax, AlphaDropout, Backward, BatchNorm, Block, Clip, Constraint, CrossEntropy, Dataset,
        Dense, Dropout, Error, ErrorKind, Every, Forward, GaussianNoise, Gradient, Group, Hinge, Huber, Infer, Init, KlDivergence, Layer,
        LayerNorm, LevenbergMarquardt, Lion, LogCosh, Loss, MeanAbsoluteError, MeanSquaredError, Model, Monitor, Nadam, Observer,
        Optimizer, OutputFunction, Penalty, Plateau, Prelu, QuadraticCost, RAdam, Real, Result, RmsNorm, RmsProp, Role, Rprop, Scaler,
        Schedule, Sequential, Sgd, SigmoidCrossEntropy, Softmax, SoftmaxCrossEntropy, Start, Step, Stop, Stopped, SumSquaredError, Tape,
        Targets, Trainer, View, ViewMut, metrics, one_hot,
    };
    pub use core::ops::ControlFlow;
    pub use nalgebra::{DMatrix, DVector};
    pub use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
}
