//! What a trained model has learned: which columns its predictions need, and how they follow one.
//!
//! [`permutation_importance`] shuffles a column, so that it tells nothing anymore, and measures how
//! much worse the score gets. [`partial_dependence`] gives a column one value after the other in
//! all rows, and averages the predictions. Both take any model, as a closure, and both are best
//! asked of rows that it was not trained on: what helps only there was learned by heart.
//!
//! They work on the columns of a [`Table`](crate::data::Table) or of
//! [`HeldOut`](crate::data::HeldOut) rows, by name, and on the features of a
//! [`Dataset`](crate::Dataset), by index. What makes sense only together, such as the rows of a
//! one-hot code, is given as a list.

mod columns;
mod dependence;
mod importance;

pub use columns::{Column, Columns, Samples, Values};
pub use dependence::{Grid, PartialDependence, partial_dependence};
pub use importance::{Importance, Importances, permutation_importance};
