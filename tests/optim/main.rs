//! Rules, schedules, and what happens to gradients before a step and to parameters after it.

#[path = "../common/mod.rs"]
mod common;

mod optimizers;
mod rules;
mod schedules;
mod transforms;
