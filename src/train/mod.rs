//! Training: epochs of mini-batches, steps on all samples, and least squares.

mod accumulate;
#[cfg(feature = "std")]
mod checkpoint;
mod epoch;
mod evaluate;
mod evidence;
mod fingerprint;
mod frozen;
mod full_batch;
mod history;
mod lbfgs;
mod levenberg_marquardt;
mod linearized;
#[cfg(feature = "std")]
mod log;
mod mini_batches;
mod model;
mod observer;
mod reach;
#[cfg(feature = "std")]
mod record;
mod run;
mod scaled_conjugate_gradient;
mod scaled_samples;
mod settings;
mod state;
mod step;
mod stop;
mod trainer;
mod watch;

pub use crate::optim::minimize::SearchFailure;
pub use epoch::Epoch;
pub use evaluate::Evaluation;
pub use evidence::Evidence;
pub use history::{History, Warning};
pub use lbfgs::Lbfgs;
pub use levenberg_marquardt::LevenbergMarquardt;
pub use model::Model;
pub use observer::{Observer, Plan, Step};
pub use run::{CheckpointEvery, Fit};
pub use scaled_conjugate_gradient::ScaledConjugateGradient;
pub use stop::{Monitor, Stop, Stopped};
pub use trainer::Trainer;
