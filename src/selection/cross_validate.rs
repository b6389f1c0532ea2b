//! Cross-validation.

use super::folds::Folds;
use super::scores::Scores;
use super::splittable::Splittable;
use crate::error::Result;

/// Trains and judges on each of the folds, on `threads` threads, of which the caller's is one.
///
/// `score` is given the part of a fold to train on, the part that is held out, and a seed, and
/// returns one number. Whatever it learns from data, scalers among it, it learns from the first
/// part alone. It may train with early stopping on a piece of the first part. The seed is a
/// function of the folds' seed and the number of the fold, so that the scores have the same bits
/// for any number of threads.
///
/// For several numbers of each fold, or networks, there is [`Folds::map`].
///
/// # Errors
/// As [`Folds::map`]: folds that cannot be filled, a number of threads that cannot be, and what
/// `score` returns, with the number of its fold. A score that is NaN is no error: it makes the mean
/// NaN.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::selection::{Folds, cross_validate};
///
/// let x = DMatrix::from_fn(2, 80, |i, j| ((7 * i + 1) * (j + 3) % 31) as f64 / 15.0 - 1.0);
/// let t = DMatrix::from_fn(1, 80, |_, j| x[(0, j)] * x[(0, j)] + x[(1, j)]);
/// let data = Dataset::new(x, t)?;
/// let folds = Folds::k_fold(5).seed(1);
/// let scores = cross_validate(&data, &folds, 2, |train, validation, seed| {
///     let net = Sequential::builder(2)
///         .layer(Dense::new(16, Activation::Tanh))
///         .layer(Dense::new(1, Activation::Linear))
///         .seed(seed)
///         .build()?;
///     let scaler = Scaler::standard(train.inputs())?;
///     let mut model = Model::new(net, scaler, Scaler::standard(train.targets())?)?;
///     let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
///         .learning_rate(0.01)
///         .epochs(100)
///         .seed(seed);
///     model.fit(&mut trainer, &train)?;
///     metrics::r2(&model.predict(validation.inputs())?, &validation)
/// })?;
/// assert_eq!(scores.values().len(), 5);
/// assert!(scores.mean() > 0.8);
/// # Ok::<(), Error>(())
/// ```
#[doc(alias("cross_val_score", "crossval"))]
pub fn cross_validate<D: Splittable>(
    data: &D,
    folds: &Folds,
    threads: usize,
    score: impl Fn(D, D::HeldOut, u64) -> Result<f64> + Sync,
) -> Result<Scores> {
    let cut = folds.cut(data)?;
    Scores::new(cut.map(data, threads, score)?, cut.ratio())
}
