//! Training: epochs of mini-batches.

#[cfg(feature = "std")]
mod checkpoint;
mod epoch;
mod fingerprint;
mod history;
mod levenberg_marquardt;
#[cfg(feature = "std")]
mod log;
mod model;
mod observer;
mod reach;
#[cfg(feature = "std")]
mod record;
mod state;
mod stop;
mod trainer;

pub use epoch::Epoch;
pub use history::{History, Warning};
pub use levenberg_marquardt::LevenbergMarquardt;
pub use model::Model;
pub use observer::{Observer, Plan, Step};
pub use stop::{Monitor, Stop, Stopped};
pub use trainer::{CheckpointEvery, Trainer};
