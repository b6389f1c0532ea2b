//! Training: epochs of mini-batches.

mod history;
mod trainer;

pub use history::{Epoch, History};
pub use trainer::Trainer;
