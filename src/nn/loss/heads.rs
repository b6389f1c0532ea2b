//! Losses on ranges of the outputs, which add up to one.

use super::classification::times;
use super::output::check_names;
use super::{CostsArgs, CurvaturesArgs, Head, Loss, OutputFunction, Reduction, SlopesArgs};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::activation::OutputRange;
use crate::numeric::bounds::{NOT_NEGATIVE, ensure, not_empty};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, sum_of};
use crate::numeric::view::{Targets, View, ViewMut};
use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::ops::Range;

/// Several losses, each on a range of the outputs, for networks that answer several questions at
/// once: C = Σₕ wₕ·Cₕ, with the cost Cₕ that head h would have as the loss of a network of its own,
/// and the weight wₕ of the head, 1 without [`weight`](Self::weight) (Caruana 1997; Keras' `loss`
/// and `loss_weights` of a model with several outputs).
///
/// The heads take the outputs one after the other, in the order in which they are given, and the
/// rows of the targets likewise: as many as their losses [take](Loss::targets), such as one for two
/// outputs of [`GaussianNll`](super::GaussianNll). Each average over outputs is over the head's
/// own. The weights of samples weigh all heads. ∂C/∂y and products with the Hessian are those of
/// the heads, times their weights.
///
/// All heads must have the same [`Reduction`], which is that of the whole;
/// [`Reduced`](super::Reduced) gives one to a loss that has another.
///
/// A [`Model`](crate::Model) that learns by this loss knows its heads: it applies the output
/// function of each, and predicts [one by one](crate::Model::predict_head). Metrics of a head come
/// by [`Trainer::head_metric`](crate::Trainer::head_metric).
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::loss::Heads;
/// // How long a way is, and whether it leads up.
/// let x = DMatrix::from_fn(2, 60, |i, j| (j as f64 * [0.7, 1.8][i]).sin());
/// let targets = DMatrix::from_fn(2, 60, |i, j| match i {
///     0 => x.column(j).norm(),
///     _ => if x[(1, j)] > 0.0 { 1.0 } else { 0.0 },
/// });
/// let data = Dataset::new(x, targets)?;
/// let net = Sequential::builder(2)
///     .layer(Dense::new(16, Activation::Tanh))
///     .layer(Dense::new(2, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let loss = Heads::new()
///     .head("length", 1, MeanSquaredError)
///     .head("up", 1, SigmoidCrossEntropy::new())
///     .weight("up", 0.2);
/// let mut trainer = Trainer::new(loss, Adam::new())
///     .epochs(300)
///     .learning_rate(0.02)
///     .head_metric("up", "accuracy", |y, t| metrics::accuracy(y, t));
/// let mut model = Model::from(net);
/// let history = model.fit(&mut trainer, &data)?;
/// assert!(history.last().and_then(|epoch| epoch.metric("up_accuracy")) > Some(0.95));
/// assert!(model.predict_head("up", &[0.0, 0.9])?[0] > 0.5); // a probability
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("multi-task", "multi-output", "loss_weights", "multitask"))]
pub struct Heads<T: Real> {
    losses: Vec<Weighted<T>>,
    /// As they were given.
    weights: Vec<(String, f64)>,
    /// The heads, with their names and ranges.
    function: OutputFunction,
}

/// The loss of a head.
#[derive(Clone, Debug)]
struct Weighted<T: Real> {
    loss: Arc<dyn Loss<T>>,
    weight: T,
}

impl<T: Real> Default for Heads<T> {
    fn default() -> Self {
        Self {
            losses: Vec::new(),
            weights: Vec::new(),
            function: OutputFunction::of_heads([]),
        }
    }
}

impl<T: Real> Heads<T> {
    /// No heads, to which others are added; at least one is needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a head of so many outputs, at least 1, behind those that there are. Its name is not
    /// empty, in one line, and that of no other head.
    ///
    /// Like all that can be wrong with a loss, this is found by [`check`](Loss::check), which
    /// training calls.
    #[must_use]
    pub fn head(
        mut self,
        name: impl Into<String>,
        outputs: usize,
        loss: impl Loss<T> + 'static,
    ) -> Self {
        let heads = self.function.heads().iter().cloned().map(|head| {
            let counts = [head.outputs.len(), head.targets.len()];
            (head.name, counts, head.output_function)
        });
        let counts = [outputs, loss.targets(outputs)];
        let this = (name.into(), counts, loss.output_function());
        self.function = OutputFunction::of_heads(heads.chain([this]));
        self.losses.push(Weighted {
            loss: Arc::new(loss),
            weight: T::one(),
        });
        self.weigh()
    }

    /// The same loss with this weight of the head of that name, finite and not negative; 1 without.
    /// At least one head must have a weight above 0.
    #[must_use]
    #[doc(alias("loss_weights", "weighted"))]
    pub fn weight(mut self, name: impl Into<String>, weight: f64) -> Self {
        self.weights.push((name.into(), weight));
        self.weigh()
    }

    /// Gives each head its weight.
    fn weigh(mut self) -> Self {
        for (head, own) in self.function.heads().iter().zip(&mut self.losses) {
            let mut given = self.weights.iter().rev();
            let weight = given.find(|(name, _)| *name == head.name);
            own.weight = weight.map_or(T::one(), |(_, weight)| T::of(*weight));
        }
        self
    }

    /// Each head with its loss.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&Head, &dyn Loss<T>)> {
        let losses = self.losses.iter().map(|own| &*own.loss);
        self.function.heads().iter().zip(losses)
    }

    /// Each head with its loss and its weight.
    fn weighted(&self) -> impl ExactSizeIterator<Item = (&Head, &Weighted<T>)> {
        self.function.heads().iter().zip(&self.losses)
    }

    /// The cost Cₕ of each head on a batch, by its name, without its weight: how good each is where
    /// [`value`](Loss::value) is the weighted sum.
    ///
    /// # Errors
    /// As [`value`](Loss::value).
    ///
    /// ```
    /// use chainrule::View;
    /// use chainrule::nn::loss::{Heads, Loss, MeanAbsoluteError, QuadraticCost};
    /// let loss = Heads::new()
    ///     .head("far", 1, QuadraticCost)
    ///     .head("near", 2, MeanAbsoluteError)
    ///     .weight("far", 0.1);
    /// let (y, t) = (View::new(&[10.0, 1.0, 1.0], 3)?, View::new(&[0.0, 0.0, 2.0], 3)?);
    /// assert_eq!(loss.head_costs(y, t)?, [("far", 50.0), ("near", 1.0)]);
    /// assert_eq!(loss.value(y, t.into())?, 6.0);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn head_costs<'y, 't>(
        &self,
        y: impl Into<View<'y, T>>,
        target: impl Into<Targets<'t, T>>,
    ) -> Result<Vec<(&str, T)>> {
        let (y, target) = (y.into(), target.into());
        let values = super::check(self, y, target)?;
        let cost = |(head, loss): (&Head, &dyn Loss<T>)| {
            let (y, t) = (
                y.rows_of(head.outputs.clone()),
                values.rows_of(head.targets.clone()),
            );
            let t = View::from_parts(&t, head.targets.len(), values.cols());
            let y = View::from_parts(&y, head.outputs.len(), values.cols());
            loss.value(y, Targets::from_parts(t, target.weights()))
        };
        self.iter()
            .map(|(head, loss)| Ok((&*head.name, cost((head, loss))?)))
            .collect()
    }
}

/// The part of a sample that is a head's.
fn part<'a, T>(sample: &'a [T], rows: &Range<usize>) -> View<'a, T> {
    let part = &sample[rows.clone()];
    View::from_parts(part, part.len(), 1)
}

fn part_mut<'a, T>(sample: &'a mut [T], rows: &Range<usize>) -> ViewMut<'a, T> {
    let part = &mut sample[rows.clone()];
    let rows = part.len();
    ViewMut::from_parts(part, rows, 1)
}

/// Multiplies by the weight of a head; where it is 0, what is infinite does not count.
fn multiply<T: Real>(numbers: &mut [T], weight: T) {
    if weight != T::one() {
        for number in numbers {
            *number = times(weight, *number);
        }
    }
}

/// How errors call a head.
fn named(head: &Head) -> String {
    format!("head {:?}", head.name)
}

impl<T: Real> Loss<T> for Heads<T> {
    fn name(&self) -> &str {
        "Heads"
    }

    fn describe(&self) -> String {
        let mut text = String::from("Heads(");
        for (number, (head, own)) in self.weighted().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            let (outputs, weight) = (head.outputs.len(), own.weight.as_f64());
            let loss = own.loss.describe();
            text += &format!("{comma}{:?}: {outputs} of {loss} times {weight}", head.name);
        }
        text + ")"
    }

    fn costs(&self, p: CostsArgs<'_, T>) {
        compiled_here!(T: |heads: &Heads<T>, p: CostsArgs<'_, T>| {
            for ((cost, y), target) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                let mut each = heads.weighted().map(|(head, own)| {
                    let mut cost = [T::zero()];
                    own.loss.costs(CostsArgs {
                        y: part(y, &head.outputs),
                        target: part(target, &head.targets),
                        costs: &mut cost,
                    });
                    multiply(&mut cost, own.weight);
                    cost[0]
                });
                *cost = sum_of(heads.losses.len(), &mut each);
            }
        })(self, p);
    }

    fn slopes(&self, p: SlopesArgs<'_, T>) {
        compiled_here!(T: |heads: &Heads<T>, p: SlopesArgs<'_, T>| {
            let mut p = p;
            for ((dy, y), target) in p.dy.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
                for (head, own) in heads.weighted() {
                    own.loss.slopes(SlopesArgs {
                        y: part(y, &head.outputs),
                        target: part(target, &head.targets),
                        dy: part_mut(dy, &head.outputs),
                    });
                    multiply(&mut dy[head.outputs.clone()], own.weight);
                }
            }
        })(self, p);
    }

    fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
        compiled_here!(T: |heads: &Heads<T>, p: CurvaturesArgs<'_, T>| -> Result<()> {
            let mut p = p;
            let samples = p.y.iter().zip(p.y_dot.iter()).zip(p.target.iter());
            for (out, ((y, y_dot), target)) in p.dy_dot.iter_mut().zip(samples) {
                for (head, own) in heads.weighted() {
                    let curvatures = own.loss.curvatures(CurvaturesArgs {
                        y: part(y, &head.outputs),
                        target: part(target, &head.targets),
                        y_dot: part(y_dot, &head.outputs),
                        dy_dot: part_mut(out, &head.outputs),
                    });
                    curvatures.map_err(|error| error.within(named(head)))?;
                    multiply(&mut out[head.outputs.clone()], own.weight);
                }
            }
            Ok(())
        })(self, p)
    }

    fn reduction(&self) -> Reduction {
        let first = self.losses.first();
        first.map_or(Reduction::Mean, |own| own.loss.reduction())
    }

    fn output_function(&self) -> OutputFunction {
        self.function.clone()
    }

    fn heads(&self) -> Option<&Heads<T>> {
        Some(self)
    }

    fn accepts(&self, range: OutputRange) -> bool {
        let part = match self.losses.len() {
            1 => range,
            _ => range.of_some(),
        };
        self.iter().all(|(_, loss)| loss.accepts(part))
    }

    /// Whether any of the heads does.
    fn measures_distance(&self) -> bool {
        self.iter().any(|(_, loss)| loss.measures_distance())
    }

    fn targets(&self, _outputs: usize) -> usize {
        self.function
            .heads()
            .last()
            .map_or(0, |head| head.targets.end)
    }

    fn check(&self, outputs: usize) -> Result<()> {
        let heads = self.function.heads();
        not_empty("Heads", "at least 1 head (Heads::head)", heads.len())?;
        let names = heads.iter().map(|head| &*head.name);
        check_names(names).map_err(|given| {
            let expected = "names in one line that are not empty, each once";
            Error::new(ErrorKind::Value, "heads of Heads", expected, given)
        })?;
        for (name, weight) in &self.weights {
            if !heads.iter().any(|head| head.name == *name) {
                let known = heads.iter().map(|head| format!("{:?}", head.name));
                let expected = known.collect::<Vec<_>>().join(" or ");
                let given = format!("{name:?}");
                return Err(Error::new(
                    ErrorKind::Value,
                    "weight of Heads",
                    expected,
                    given,
                ));
            }
            NOT_NEGATIVE.check_in::<T>(format_args!("weight of head {name:?}"), *weight)?;
        }
        let some = self.losses.iter().any(|own| own.weight > T::zero());
        ensure(
            some,
            "weights of Heads",
            "at least 1 weight above 0",
            "none",
        )?;
        for (head, loss) in self.iter() {
            let width = head.outputs.len();
            not_empty(
                format_args!("head {:?}", head.name),
                "at least 1 output",
                width,
            )?;
            if loss.heads().is_some() {
                let expected = "a loss that is not made of heads";
                let kind = ErrorKind::Incompatible;
                return Err(Error::new(kind, named(head), expected, loss.name()));
            }
            loss.check(width)
                .map_err(|error| error.within(named(head)))?;
            if loss.reduction() != self.reduction() {
                let expected = format!(
                    "{:?}, as of the heads before (Reduced gives a loss another reduction)",
                    self.reduction()
                );
                let given = format!("{:?}", loss.reduction());
                let place = format!("reduction of {}", named(head));
                return Err(Error::new(ErrorKind::Incompatible, place, expected, given));
            }
        }
        let end = heads.last().map_or(0, |head| head.outputs.end);
        if outputs == end {
            return Ok(());
        }
        let each = heads
            .iter()
            .map(|head| format!("{:?} {}", head.name, head.outputs.len()));
        let expected = format!("{end}: {}", each.collect::<Vec<_>>().join(", "));
        Err(Error::new(
            ErrorKind::Shape,
            "outputs of Heads",
            expected,
            outputs,
        ))
    }

    fn check_targets(&self, target: View<'_, T>) -> Result<()> {
        compiled_here!(T: |heads: &Heads<T>, target: View<'_, T>| -> Result<()> {
            for (head, loss) in heads.iter() {
                let rows = &head.targets;
                let sound = |sample| loss.check_targets(part(sample, rows)).is_ok();
                if target.iter().all(sound) {
                    continue;
                }
                // All samples at once, so that the error names the column.
                let own = target.rows_of(rows.clone());
                loss.check_targets(View::from_parts(&own, rows.len(), target.cols()))
                    .map_err(|error| error.within(named(head)))?;
            }
            Ok(())
        })(self, target)
    }
}
