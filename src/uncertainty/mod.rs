//! How sure predictions are.
//!
//! | question | answer |
//! |---|---|
//! | where do networks that have learned the same disagree? | [`Ensemble`]: [`Predictions`] |
//! | and one network of which units are dropped? | [`MonteCarloDropout`]: [`Predictions`] |
//! | how far could the parameters of one network be moved? | [`Laplace`]: [`Predictive`] |
//! | which interval holds nine of ten? | [`ConformalRegressor`], on a [`Band`] of any origin |
//! | which classes may it be? | [`ConformalClassifier`] |
//!
//! The [guide](crate::guide::uncertainty) shows them at work and compares them.

mod band;
mod conformal;
mod curvature;
mod dropout;
mod ensemble;
mod evidence;
mod laplace;
mod likelihood;
mod predictions;
mod predictive;

pub use band::Band;
pub use conformal::{ConformalClassifier, ConformalRegressor, SetScore};
pub use dropout::MonteCarloDropout;
pub use ensemble::Ensemble;
pub use laplace::{Laplace, LaplaceBuilder};
pub use likelihood::Likelihood;
pub use predictions::{Gaussian, Predictions};
pub use predictive::Predictive;
