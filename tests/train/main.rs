//! Training: what the trainers do, when they stop, what they leave behind, and how good it is.

#[path = "../common/mod.rs"]
mod common;

mod accumulate;
mod averages;
mod checkpoints;
mod full_batch;
mod least_squares;
mod losses;
mod online;
mod quality;
mod stopping;
#[cfg(feature = "csv")]
mod tables;
mod training;
