//! What every part of the crate promises: errors that change nothing, and the same bits for the
//! same seed on any number of threads.

#[path = "../common/mod.rs"]
mod common;

mod determinism;
mod documents;
mod errors;
mod floors;
mod names;
mod parallel;
mod threads;
