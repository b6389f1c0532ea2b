//! Training: epochs of mini-batches.

#[cfg(feature = "std")]
mod checkpoint;
#[cfg(feature = "std")]
mod file;
mod history;
mod observer;
#[cfg(feature = "std")]
mod record;
mod scaled;
mod state;
mod stop;
mod trainer;

pub use history::{Epoch, History};
pub use observer::{Observer, Plan, Step};
pub use scaled::Scaled;
pub use stop::{Monitor, Stop, Stopped};
pub use trainer::{Every, Trainer};
