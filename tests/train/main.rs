//! Training: what the trainers do, when they stop, what they leave behind, and how good it is.

#[path = "../common/mod.rs"]
mod common;

mod averages;
mod checkpoints;
mod least_squares;
mod quality;
mod stopping;
mod training;
