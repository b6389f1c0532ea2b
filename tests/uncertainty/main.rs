//! How sure predictions are: against other programs, closed forms and real data.

#[path = "../common/mod.rs"]
mod common;

mod conformal;
mod dropout;
mod ensembles;
mod laplace;
