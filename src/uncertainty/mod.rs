//! How sure predictions are.
//!
//! [`Laplace`] takes a network that has been trained, and gives its predictions a variance, or
//! class probabilities that are less sure where there were no data. The
//! [guide](crate::guide::uncertainty) compares the ways.

mod curvature;
mod evidence;
mod laplace;
mod likelihood;
mod predictive;

pub use laplace::{Laplace, LaplaceBuilder};
pub use likelihood::Likelihood;
pub use predictive::Predictive;
