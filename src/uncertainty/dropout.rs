//! Dropout at prediction.

use super::predictions::Predictions;
use crate::error::{Error, ErrorKind, Result};
use crate::ground::divide::divide;
use crate::nn::passes::Walk;
use crate::nn::tape::Tape;
use crate::numeric::bounds::some;
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::{View, ViewMut};
use crate::train::Model;
use alloc::vec::Vec;
use core::ops::ControlFlow;
use nalgebra::DMatrix;

/// Predictions of a model whose dropouts draw as in training, pass after pass: each pass is a
/// network of its own, and how far they are apart says how sure the model is (Gal & Ghahramani
/// 2016: "MC dropout"). One training gives what an [`Ensemble`](super::Ensemble) needs several for.
///
/// All other layers do what they do in prediction; batch normalization uses its running statistics.
/// [`GaussianNoise`](crate::nn::GaussianNoise), which is no dropout, adds nothing.
///
/// A pass drops the same units of each sample. So a prediction does not depend on the batch that
/// the sample is in, and pass m over many inputs is one function, which can be drawn as a curve.
/// The passes are a function of the seed alone, and the same for any number of threads.
///
/// The spread is that of the dropout that the network was trained with: it does not shrink with
/// more data, and grows little away from them. Trust an ensemble more, where there is the time to
/// train one.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::uncertainty::MonteCarloDropout;
/// let net = Sequential::builder(2)
///     .layer(Dropout::new(0.5))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let mut model = Model::from(net);
/// model.net_mut().set_params(&[1.0, 2.0, 0.0])?;
/// let y = MonteCarloDropout::new(&model)?.passes(4000).seed(7).predict(&[3.0, 1.0])?;
/// // Mean w·x = 5, and variance p/(1−p)·Σ w²x² = 13.
/// assert!((y.mean()[0] - 5.0_f64).abs() < 0.2);
/// assert!((y.deviation()[0].powi(2) - 13.0).abs() < 0.6);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("MCDropout", "MC dropout", "training=True"))]
pub struct MonteCarloDropout<'m, T: Real> {
    model: &'m Model<T>,
    passes: usize,
    seed: u64,
    threads: usize,
}

impl<'m, T: Real> MonteCarloDropout<'m, T> {
    /// A hundred passes from seed 0, on one thread.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] for a model without a dropout.
    pub fn new(model: &'m Model<T>) -> Result<Self> {
        if !model.net().walk().has_dropout() {
            let expected = "a model with a Dropout or an AlphaDropout among its layers (of others, \
                            an Ensemble or a Laplace approximation says how sure they are)";
            let place = "MonteCarloDropout::new";
            return Err(Error::new(ErrorKind::Incompatible, place, expected, "none"));
        }
        Ok(Self {
            model,
            passes: 100,
            seed: 0,
            threads: 1,
        })
    }

    /// With so many passes, at least 1. The error of the mean shrinks as their root.
    #[must_use]
    pub fn passes(self, passes: usize) -> Self {
        Self { passes, ..self }
    }

    /// With the draws of this seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// On so many threads, of which the caller's is one; each takes some of the samples.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// What each pass predicts for a batch, in the units of [`Model::predict`].
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for 0 passes and a number of threads that cannot be; as
    /// [`Model::predict`].
    pub fn predict<'x>(&self, x: impl Into<View<'x, T>>) -> Result<Predictions<T>> {
        compiled_here!(T: |settings: &MonteCarloDropout<'_, T>,
                           x: View<'_, T>| -> Result<Predictions<T>> {
            settings.predict_view(x)
        })(self, x.into())
    }

    fn predict_view(&self, x: View<'_, T>) -> Result<Predictions<T>> {
        /// Samples that a thread takes at once.
        const SAMPLES: usize = 32;
        let place = "MonteCarloDropout";
        some(
            "passes of MonteCarloDropout",
            "at least 1",
            self.passes as u64,
        )?;
        let (model, net) = (self.model, self.model.net());
        net.walk().check_inputs(x)?;
        let scaled = match model.input_scaler() {
            Some(scaler) => Some(scaler.transform(x)?),
            None => None,
        };
        let x = scaled.as_ref().map_or(x, View::from);
        // As a pass of prediction asks.
        net.walk().check_inputs(x)?;
        let (outputs, samples) = (net.outputs(), x.cols());
        // Sample after sample, and of each all passes.
        let mut y = zeros(
            "outputs of MonteCarloDropout",
            &[outputs, self.passes, samples],
        )?;
        let len = outputs * self.passes;
        let first = |task: usize| task * SAMPLES;
        let task = |task: usize| {
            let end = samples.min(first(task + 1));
            passes(
                net.walk(),
                x.range(first(task), end),
                self.passes,
                self.seed,
            )
        };
        divide(
            place,
            self.threads,
            samples.div_ceil(SAMPLES),
            task,
            |task, part| {
                y[first(task) * len..][..part.len()].copy_from_slice(&part);
                ControlFlow::Continue(())
            },
        )?;
        model.finish(ViewMut::from_parts(&mut y, outputs, self.passes * samples))?;
        let of_pass = |pass: usize| {
            let columns = y.chunks_exact(outputs).skip(pass).step_by(self.passes);
            DMatrix::from_iterator(outputs, samples, columns.flatten().copied())
        };
        let members = (0..self.passes).map(of_pass).collect();
        Ok(Predictions::new(model, members))
    }
}

/// The outputs of all passes for the first sample, then for the next: one walk for each, in which
/// the sample stands as often as there are passes, and copy m has the draws of sample m.
fn passes<T: Real>(walk: Walk<'_, T>, x: View<'_, T>, passes: usize, seed: u64) -> Vec<T> {
    let mut tape = Tape::with_seed(seed);
    let mut y = Vec::with_capacity(x.cols() * passes * walk.layout.outputs());
    let mut copies = Vec::with_capacity(passes * x.rows());
    for sample in x.iter() {
        copies.clear();
        (0..passes).for_each(|_| copies.extend_from_slice(sample));
        walk.record_with_dropout(View::from_parts(&copies, x.rows(), passes), &mut tape);
        y.extend_from_slice(tape.top().y.as_slice());
    }
    y
}
