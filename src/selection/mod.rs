//! Choosing: folds, cross-validation, searches over settings, and a test of learning rates.
//!
//! | question | answer |
//! |---|---|
//! | how good is this, and how sure is that? | [`cross_validate`] over [`Folds`]: [`Scores`] |
//! | which settings are best? | [`Search`], over a grid or at random: [`Trials`] |
//! | which learning rate? | [`rate_range_test`]: [`RateRange`] |
//!
//! The guide's chapter [`choosing`](crate::guide::choosing) shows them at work.

mod cross_validate;
mod folds;
mod halving;
mod rate_range;
#[cfg(feature = "std")]
mod record;
mod scores;
mod search;
mod space;
mod splittable;
mod student;
mod trial;
mod trials;

pub use cross_validate::cross_validate;
pub use folds::Folds;
pub use rate_range::{RatePoint, RateRange, rate_range_test};
pub use scores::Scores;
pub use search::Search;
pub use splittable::Splittable;
pub use trial::{Trial, Value};
pub use trials::{Outcome, Trials};
