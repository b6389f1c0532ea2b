//! Training: epochs of mini-batches, and least squares.

#[cfg(feature = "std")]
mod checkpoint;
mod epoch;
mod evaluate;
mod fingerprint;
mod history;
mod levenberg_marquardt;
#[cfg(feature = "std")]
mod log;
mod mini_batches;
mod model;
mod observer;
mod reach;
#[cfg(feature = "std")]
mod record;
mod run;
mod settings;
mod state;
mod step;
mod stop;
mod trainer;
mod watch;

pub use epoch::Epoch;
pub use evaluate::Evaluation;
pub use history::{History, Warning};
pub use levenberg_marquardt::LevenbergMarquardt;
pub use model::Model;
pub use observer::{Observer, Plan, Step};
pub use run::{CheckpointEvery, Fit};
pub use stop::{Monitor, Stop, Stopped};
pub use trainer::Trainer;
