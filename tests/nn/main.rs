//! Networks: their parts one by one, what passes through them, and their derivatives.

#[path = "../common/mod.rs"]
mod common;

mod activations;
mod derivatives;
mod dual;
mod gradients;
mod init;
mod layers;
mod losses;
mod norm;
mod published;
