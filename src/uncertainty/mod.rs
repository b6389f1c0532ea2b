//! How sure a prediction is: ensembles, dropout at prediction, and intervals with a guarantee.
//!
//! | question | answer |
//! |---|---|
//! | where do networks that learned the same disagree? | [`Ensemble`]: [`Predictions`] |
//! | and with one network alone? | [`MonteCarloDropout`]: [`Predictions`] |
//! | what do weights that fit as well say? | [`Laplace`]: [`Predictive`] |
//! | which interval holds nine of ten? | [`ConformalRegressor`], on a [`Band`] of any origin |
//! | which classes may it be? | [`ConformalClassifier`] |
//!
//! The guide's chapter [`uncertainty`](crate::guide::uncertainty) shows them at work and says when
//! to take which.

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
