//! How good predictions are: their cost and metrics.

use super::cost::Cost;
use crate::data::{Batch, Scaler};
use crate::error::Result;
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View};
use alloc::{boxed::Box, string::String, vec::Vec};
use nalgebra::DMatrix;

/// A measure of predictions against targets, such as
/// [`metrics::accuracy`](crate::metrics::accuracy).
type Metric<'a, T> = Box<dyn FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64> + Send + 'a>;

/// Metrics with their names.
pub(super) type Metrics<'a, T> = Vec<(String, Metric<'a, T>)>;

/// The cost and the metrics of a network's predictions, as [`Trainer::evaluate`] returns them.
///
/// [`Trainer::evaluate`]: crate::Trainer::evaluate
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Evaluation {
    /// The cost by the trainer's loss, without the penalty.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub cost: f64,
    /// The trainer's metrics by name, in the order in which they were given to it.
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    pub metrics: Vec<(String, f64)>,
}

impl Evaluation {
    /// The metric of that name; `None` if the trainer has no such metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        value(&self.metrics, name)
    }
}

/// The number of that name.
pub(super) fn value(metrics: &[(String, f64)], name: &str) -> Option<f64> {
    metrics
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| *value)
}

/// Samples to judge predictions by.
pub(super) struct Judged<'d, T: Real> {
    /// In the units of the network.
    pub(super) samples: Batch<'d, T>,
    /// The units of the metrics, where they are others: the scaler whose inverse takes predictions
    /// there, and the targets.
    pub(super) units: Option<(&'d Scaler<T>, Targets<'d, T>)>,
}

impl<T: Real> Judged<'_, T> {
    /// The cost and the metrics of what `net` predicts.
    pub(super) fn evaluate(
        &self,
        net: &Sequential<T>,
        cost: Cost<'_, T>,
        metrics: &mut Metrics<'_, T>,
        tape: &mut Tape<T>,
    ) -> Result<Evaluation> {
        let Batch { x, target } = self.samples;
        let loss = cost.loss;
        if metrics.is_empty() {
            // No predictions need to be kept.
            let cost = cost.value(net, self.samples, tape, |tape| {
                net.cost(x, target, loss, tape)
            })?;
            return Ok(Evaluation {
                cost: cost.as_f64(),
                metrics: Vec::new(),
            });
        }
        let mut y = DMatrix::zeros(net.outputs(), x.cols());
        net.predict_into(x, &mut y, tape)?;
        let cost = cost.value(net, self.samples, tape, |_| loss.value((&y).into(), target))?;
        let cost = cost.as_f64();
        loss.output_function().apply(&mut y);
        let target = match self.units {
            None => target,
            Some((scaler, target)) => {
                scaler.inverse_mut((&mut y).into())?;
                target
            }
        };
        let measured = metrics
            .iter_mut()
            .map(|(name, metric)| Ok((name.clone(), metric((&y).into(), target)?)));
        Ok(Evaluation {
            cost,
            metrics: measured.collect::<Result<_>>()?,
        })
    }
}
