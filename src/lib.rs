#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod activation;
pub mod check;
mod data;
mod error;
mod init;
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
mod random;
mod real;
mod sequential;
mod softmax;
mod tape;
mod train;
mod view;

pub use activation::{Activation, Breakpoints, OutputRange};
pub use data::{Batches, Dataset, EpochBatches, Scaler, one_hot};
pub use error::{Error, ErrorKind, Result};
pub use init::Init;
pub use layer::{Backward, Block, Forward, Gradient, Infer, Layer, Role, Scratch, Start};
pub use layers::{Dense, Dropout, Softmax};
pub use loss::{
    Costs, CrossEntropy, Hinge, Huber, KlDivergence, LogCosh, Loss, MeanAbsoluteError, MeanSquaredError, QuadraticCost, Reduction,
    SigmoidCrossEntropy, Slopes, SoftmaxCrossEntropy, SumSquaredError,
};
pub use optim::{Adam, Group, Optimizer, OptimizerState, Sgd};
pub use real::Real;
pub use sequential::{At, Builder, Sequential};
pub use tape::Tape;
pub use train::{Epoch, History, Trainer};
pub use view::{View, ViewMut};

pub use {nalgebra, rand};

/// What a program that trains a network usually needs.
pub mod prelude {
    pub use crate::{
        Activation, Adam, Backward, Block, CrossEntropy, Dataset, Dense, Dropout, Error, ErrorKind, Forward, Gradient, Group, Hinge, Huber,
        Infer, Init, KlDivergence, Layer, LogCosh, Loss, MeanAbsoluteError, MeanSquaredError, Optimizer, QuadraticCost, Real, Result, Role,
        Scaler, Sequential, Sgd, SigmoidCrossEntropy, Softmax, SoftmaxCrossEntropy, Start, SumSquaredError, Tape, Trainer, View, ViewMut,
        metrics, one_hot,
    };
    pub use core::ops::ControlFlow;
    pub use nalgebra::{DMatrix, DVector};
    pub use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
}
