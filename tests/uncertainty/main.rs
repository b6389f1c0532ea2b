//! How sure predictions are: against other libraries, closed forms and what is promised.

#[path = "../common/mod.rs"]
mod common;

mod conformal;
mod dropout;
mod ensembles;
mod laplace;
