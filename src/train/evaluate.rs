//! How good predictions are: their cost and metrics.

use super::predictions::predict;
use crate::data::{Batch, Scaler};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::of_rows;
use crate::nn::loss::{Head, Loss, OutputFunction};
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::real::Real;
use crate::numeric::view::{Targets, View};
use alloc::{boxed::Box, format, string::String, vec::Vec};
use nalgebra::DMatrix;

/// A measure of predictions against targets, such as
/// [`metrics::accuracy`](crate::metrics::accuracy).
type Measure<'a, T> = Box<dyn FnMut(View<'_, T>, Targets<'_, T>) -> Result<f64> + Send + 'a>;

/// A measure with its name.
pub(super) struct Metric<'a, T> {
    pub(super) name: String,
    /// The head it is of, if it is not of all outputs.
    pub(super) head: Option<String>,
    pub(super) measure: Measure<'a, T>,
}

pub(super) type Metrics<'a, T> = Vec<Metric<'a, T>>;

impl<T: Real> Metric<'_, T> {
    /// Checks that the head is there.
    pub(super) fn check(&self, function: &OutputFunction) -> Result<()> {
        let Some(head) = &self.head else {
            return Ok(());
        };
        if function.heads().iter().any(|known| known.name == *head) {
            return Ok(());
        }
        let place = format!("head of metric {:?}", self.name);
        Err(no_such_head(place, function.heads(), head))
    }

    /// What it is of predictions.
    fn measure(
        &mut self,
        function: &OutputFunction,
        y: View<'_, T>,
        target: Targets<'_, T>,
    ) -> Result<f64> {
        self.check(function)?;
        let mut heads = function.heads().iter();
        match heads.find(|head| self.head.as_ref() == Some(&head.name)) {
            None => (self.measure)(y, target),
            Some(head) => {
                let (outputs, targets) = (head.outputs.clone(), head.targets.clone());
                of_rows(outputs, targets, &mut self.measure)(y, target)
            }
        }
    }
}

/// The error of a head that is none of these.
pub(super) fn no_such_head(place: String, heads: &[Head], given: &str) -> Error {
    let names = heads.iter().map(|head| format!("{:?}", head.name));
    let expected = match names.collect::<Vec<_>>().join(" or ") {
        none if none.is_empty() => "a loss with heads (nn::loss::Heads)".into(),
        names => names,
    };
    Error::new(ErrorKind::Value, place, expected, format!("{given:?}"))
}

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
        loss: &dyn Loss<T>,
        metrics: &mut Metrics<'_, T>,
        tape: &mut Tape<T>,
    ) -> Result<Evaluation> {
        let Batch { x, target } = self.samples;
        if metrics.is_empty() {
            // No predictions need to be kept.
            let cost = net.cost(x, target, loss, tape)?.as_f64();
            return Ok(Evaluation {
                cost,
                metrics: Vec::new(),
            });
        }
        let mut y = DMatrix::zeros(net.outputs(), x.cols());
        net.predict_into(x, &mut y, tape)?;
        let cost = loss.value((&y).into(), target)?.as_f64();
        let function = loss.output_function();
        let scaler = self.units.map(|(scaler, _)| scaler);
        predict(&function, scaler, (&mut y).into())?;
        let target = self.units.map_or(target, |(_, target)| target);
        let measured = metrics.iter_mut().map(|metric| {
            let value = metric.measure(&function, (&y).into(), target)?;
            Ok((metric.name.clone(), value))
        });
        Ok(Evaluation {
            cost,
            metrics: measured.collect::<Result<_>>()?,
        })
    }
}
