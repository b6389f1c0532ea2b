//! Checks of derivatives against finite differences, for networks, layers and losses of this crate
//! and of others.
//!
//! The analytic derivative is compared with central differences in `f64`, extrapolated to a step of
//! 0 by Ridders' method (C. Ridders, *Advances in Engineering Software* 4, 1982), which also says
//! how far it can be trusted. That takes the check to about 1e−10 and past kinks that are not too
//! near.
//!
//! Blocks of [`Role::Statistic`] are left out: what a layer writes in place of their gradient is no
//! derivative.

use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::{
    BackwardArgs, Block, ForwardArgs, GradientArgs, InferArgs, InitParamsArgs, Layer, Role,
};
use crate::nn::layout::place;
use crate::nn::loss::{CostsArgs, Loss, SlopesArgs, reduce, scale};
use crate::nn::passes;
use crate::nn::sequential::Sequential;
use crate::nn::tape::Tape;
use crate::numeric::random::stream;
use crate::numeric::real::zeros;
use crate::numeric::scratch::Scratch;
use crate::numeric::view::{Targets, View, ViewMut};
use alloc::{format, string::String, vec, vec::Vec};
use core::fmt;
use core::ops::Range;
use rand_distr::{Distribution, StandardNormal, StandardUniform};

/// One derivative in two ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivative {
    /// What it is by: a layer, a block and the place within it, or an input.
    pub place: String,
    /// As the backward pass computes it.
    pub analytic: f64,
    /// As finite differences give it.
    pub numeric: f64,
    /// How far they are apart: |analytic − numeric| relative to the larger of both, but to at least
    /// a hundredth of the largest derivative and a ten-thousandth of the cost. Below that, finite
    /// differences resolve nothing.
    pub error: f64,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The derivative that differs most; `None` where there is none to compare.
    pub worst: Option<Derivative>,
    /// How many derivatives were compared.
    pub compared: usize,
    /// How many could not be: finite differences do not settle there, because a kink is next to the
    /// point.
    pub undecided: usize,
}

impl Report {
    /// The largest relative error; ∞ where a derivative is NaN or none of them could be compared, 0
    /// where there is none.
    pub fn error(&self) -> f64 {
        let none = if self.undecided > 0 {
            f64::INFINITY
        } else {
            0.0
        };
        self.worst.as_ref().map_or(none, |worst| worst.error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} derivatives compared, {} undecided",
            self.compared, self.undecided
        )?;
        match &self.worst {
            Some(Derivative {
                place,
                analytic,
                numeric,
                error,
            }) => {
                write!(
                    f,
                    "; worst: {place}, analytic {analytic:e}, numeric {numeric:e}, relative error \
                     {error:.1e}"
                )
            }
            None => Ok(()),
        }
    }
}

/// Checks the gradient of the cost on a batch by every parameter of a network, at its present
/// parameters and in training (dropout with the masks of one step).
///
/// # Errors
/// As [`Sequential::gradient`].
///
/// ```
/// use chainrule::{gradcheck, Activation, Dense, Sequential};
/// use chainrule::nalgebra::DMatrix;
/// use chainrule::nn::loss::QuadraticCost;
/// let net = Sequential::builder(2)
///     .layer(Dense::new(3, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Sigmoid))
///     .seed(1)
///     .build()?;
/// let x = DMatrix::from_fn(2, 4, |i, j| (i + j) as f64 / 4.0);
/// let t = DMatrix::from_element(1, 4, 0.3);
/// let report = gradcheck::network(&net, &x, &t, &QuadraticCost)?;
/// assert!(report.error() < 1e-8, "{report}");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[doc(alias("check_grad", "gradcheck"))]
pub fn network<'x, 't>(
    net: &Sequential<f64>,
    x: impl Into<View<'x, f64>>,
    target: impl Into<Targets<'t, f64>>,
    loss: &dyn Loss<f64>,
) -> Result<Report> {
    let (x, target) = (x.into(), target.into());
    let mut tape = Tape::new();
    net.gradient(x, target, loss, &mut tape)?;
    tape.poison();
    tape.seek(0, 0);
    let cost = net.gradient(x, target, loss, &mut tape)?;
    let mut params = net.params().to_vec();
    let mut scratch = Tape::new();
    let blocks = net
        .layout()
        .blocks()
        .map(|placed| (placed.block, placed.range));
    let learned = learned(blocks, tape.grads_mut());
    let mut comparison = Comparison::new(cost, tape.grads());
    for index in learned {
        let start = params[index];
        let numeric = ridders(start, |p| {
            params[index] = p;
            scratch.seek(0, 0);
            net.at(&params).map_or(f64::NAN, |at| {
                at.walk().record(x, &mut scratch, true);
                passes::cost(target, loss, &mut scratch)
            })
        });
        params[index] = start;
        comparison.add(index, numeric, || {
            let mut blocks = net.layout().blocks();
            let placed = blocks.find(|placed| placed.range.contains(&index));
            placed.map_or_else(String::new, |placed| {
                format!(
                    "{}, {}",
                    placed.place,
                    name_in_block(placed.block, index - placed.range.start)
                )
            })
        });
    }
    Ok(comparison.report)
}

/// Checks a layer by itself: the derivatives of a random weighted sum of its outputs by every
/// parameter and every input, at random inputs and parameters that follow from `seed`. A layer
/// whose outputs are others in training than in inference is checked in both: by the passes out of
/// training come the [derivatives of what is predicted](crate::guide::derivatives). A layer that
/// [checks its inputs](Layer::checks_inputs) gets 0 and 1 as such; its derivative is to be 0 by
/// those beside which it takes none.
///
/// # Errors
/// When the layer refuses `inputs`, or `inputs` or `batch` is 0.
///
/// ```
/// use chainrule::{gradcheck, Activation, Dense};
/// let report = gradcheck::layer(&Dense::new(3, Activation::Gelu), 4, 5, 1)?;
/// assert!(report.error() < 1e-8, "{report}");
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn layer(layer: &dyn Layer<f64>, inputs: usize, batch: usize, seed: u64) -> Result<Report> {
    if inputs == 0 || batch == 0 {
        return Err(Error::new(
            ErrorKind::Empty,
            "gradcheck::layer",
            "at least 1 input and 1 sample",
            format!("{inputs} and {batch}"),
        ));
    }
    let name = layer.name();
    let outputs = layer
        .outputs(inputs)
        .map_err(|error| error.within(place(&[0], &name)))?;
    let blocks = layer.blocks(inputs);
    let mut rng = stream(seed);
    let count = blocks
        .iter()
        .fold(0_usize, |sum, block| sum.saturating_add(block.len()));
    let mut params = zeros("gradcheck::layer", &[count])?;
    layer.init_params(InitParamsArgs {
        inputs,
        params: &mut params,
        rng: &mut rng,
    });
    for p in &mut params {
        let u: f64 = StandardUniform.sample(&mut rng);
        *p += u - 0.5;
    }
    let mut normal = |width: usize| -> Result<Vec<f64>> {
        let mut numbers = zeros("gradcheck::layer", &[width, batch])?;
        numbers.fill_with(|| StandardNormal.sample(&mut rng));
        Ok(numbers)
    };
    let (mut x, weights) = (normal(inputs)?, normal(outputs)?);
    if layer.checks_inputs() {
        for x in &mut x {
            *x = if *x < 0.0 { 0.0 } else { 1.0 };
        }
        layer
            .check_inputs(View::from_parts(&x, inputs, batch))
            .map_err(|error| error.within(place(&[0], &name)))?;
    }

    let trial = Trial {
        layer,
        name,
        inputs,
        outputs,
        batch,
        seed,
        weights,
        blocks,
    };
    let (mut y, mut still) = (
        vec![f64::NAN; outputs * batch],
        vec![f64::NAN; outputs * batch],
    );
    let mut cache = zeros("gradcheck::layer", &[layer.cache_len(inputs), batch])?;
    trial.forward(&params, &x, &mut y, &mut cache, true);
    trial.infer(&params, &x, &mut still);
    let mut report = trial.compare(&mut params, &mut x, &mut cache, true);
    // A layer that does something else in training has two functions, and the derivatives of both.
    if y != still {
        let other = trial.compare(&mut params, &mut x, &mut cache, false);
        let worst = if other.error() > report.error() {
            other.worst
        } else {
            report.worst
        };
        let (compared, undecided) = (
            report.compared + other.compared,
            report.undecided + other.undecided,
        );
        report = Report {
            worst,
            compared,
            undecided,
        };
    }
    Ok(report)
}

/// A layer and what it is checked with: its derivatives are those of a weighted sum of its outputs.
struct Trial<'a> {
    layer: &'a dyn Layer<f64>,
    name: String,
    inputs: usize,
    outputs: usize,
    batch: usize,
    seed: u64,
    weights: Vec<f64>,
    blocks: Vec<Block>,
}

impl Trial<'_> {
    fn forward(&self, params: &[f64], x: &[f64], y: &mut [f64], cache: &mut [f64], training: bool) {
        let (x, y) = (
            View::from_parts(x, self.inputs, self.batch),
            ViewMut::from_parts(y, self.outputs, self.batch),
        );
        self.layer.forward(ForwardArgs {
            params,
            x,
            y,
            cache,
            seed: self.seed,
            training,
            scratch: &mut Scratch::default(),
        });
    }

    fn infer(&self, params: &[f64], x: &[f64], y: &mut [f64]) {
        let (x, y) = (
            View::from_parts(x, self.inputs, self.batch),
            ViewMut::from_parts(y, self.outputs, self.batch),
        );
        self.layer.infer(InferArgs {
            params,
            x,
            y,
            scratch: &mut Scratch::default(),
        });
    }

    /// The passes back against differences of the forward pass or, out of training, of inference.
    fn compare(
        &self,
        params: &mut [f64],
        x: &mut [f64],
        cache: &mut [f64],
        training: bool,
    ) -> Report {
        let Self {
            layer,
            name,
            inputs,
            outputs,
            batch,
            weights,
            blocks,
            ..
        } = self;
        let name = if training {
            name.clone()
        } else {
            format!("{name} out of training")
        };
        let mut y = vec![f64::NAN; outputs * batch];
        self.forward(params, x, &mut y, cache, training);
        let sum = |y: &[f64]| y.iter().zip(weights).map(|(y, w)| y * w).sum::<f64>();
        let value = sum(&y);

        let mut grads = vec![f64::NAN; params.len()];
        let mut delta = weights.clone();
        let mut dx = vec![f64::NAN; x.len()];
        let scratch = &mut Scratch::default();
        let (x_view, y_view) = (
            View::from_parts(x, *inputs, *batch),
            View::from_parts(&y, *outputs, *batch),
        );
        let mut delta = ViewMut::from_parts(&mut delta, *outputs, *batch);
        layer.backward(BackwardArgs {
            params,
            x: x_view,
            y: y_view,
            cache,
            delta: delta.reborrow(),
            dx: Some(ViewMut::from_parts(&mut dx, *inputs, *batch)),
            training,
            scratch,
        });
        let delta = delta.as_view();
        layer.gradient(GradientArgs {
            params,
            x: x_view,
            y: y_view,
            cache,
            delta,
            grads: &mut grads,
            training,
            scratch,
        });

        let learned = learned(Block::lay(blocks, 0), &mut grads);
        grads.extend(&dx);
        let mut cost = |params: &[f64], x: &[f64]| {
            if training {
                self.forward(params, x, &mut y, cache, true);
            } else {
                self.infer(params, x, &mut y);
            }
            sum(&y)
        };
        let mut comparison = Comparison::new(value, &grads);
        for index in learned {
            let start = params[index];
            let numeric = ridders(start, |p| {
                params[index] = p;
                cost(params, x)
            });
            params[index] = start;
            comparison.add(index, numeric, || {
                let mut blocks = Block::lay(blocks, 0);
                let block = blocks.find(|(_, range)| range.contains(&index));
                block.map_or_else(String::new, |(block, range)| {
                    format!("{name}, {}", name_in_block(block, index - range.start))
                })
            });
        }
        for index in 0..x.len() {
            let start = x[index];
            x[index] += 1e-3;
            let beside = layer.check_inputs(View::from_parts(x, *inputs, *batch));
            // By an index nothing is derived.
            let numeric = match beside {
                Err(_) => (0.0, 0.0),
                Ok(()) => ridders(start, |v| {
                    x[index] = v;
                    cost(params, x)
                }),
            };
            x[index] = start;
            comparison.add(params.len() + index, numeric, || {
                format!(
                    "{name}, input {} of sample {}",
                    index % inputs,
                    index / inputs
                )
            });
        }
        comparison.report
    }
}

/// Checks the derivative of a loss by every output, at given outputs and targets.
///
/// # Errors
/// As [`Loss::value`].
///
/// ```
/// use chainrule::{gradcheck, SoftmaxCrossEntropy};
/// use chainrule::nalgebra::DMatrix;
/// let y = DMatrix::from_column_slice(3, 2, &[0.5, -1.0, 2.0, 0.0, 0.1, 0.2]);
/// let t = DMatrix::from_column_slice(3, 2, &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// let report = gradcheck::loss(&SoftmaxCrossEntropy::new(), &y, &t)?;
/// assert!(report.error() < 1e-8, "{report}");
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn loss<'y, 't>(
    loss: &dyn Loss<f64>,
    y: impl Into<View<'y, f64>>,
    target: impl Into<View<'t, f64>>,
) -> Result<Report> {
    let (y, target) = (y.into(), target.into());
    let value = loss.value(y, target.into())?;
    let mut gradient = loss.gradient(y, target.into())?;
    gradient.fill(f64::NAN);
    loss.slopes(SlopesArgs {
        y,
        target,
        dy: (&mut gradient).into(),
    });
    scale(loss.reduction(), (&mut gradient).into(), None);
    let (rows, mut outputs) = (y.rows(), y.as_slice().to_vec());
    let mut comparison = Comparison::new(value, gradient.as_slice());
    for index in 0..outputs.len() {
        let start = outputs[index];
        let mut costs = vec![f64::NAN; target.cols()];
        let numeric = ridders(start, |v| {
            outputs[index] = v;
            loss.costs(CostsArgs {
                y: View::from_parts(&outputs, rows, target.cols()),
                target,
                costs: &mut costs,
            });
            reduce(loss.reduction(), &mut costs, None)
        });
        outputs[index] = start;
        comparison.add(index, numeric, || {
            format!(
                "{}, output {} of sample {}",
                loss.name(),
                index % rows,
                index / rows
            )
        });
    }
    Ok(comparison.report)
}

/// The parameters that have a derivative. The gradient of the others, statistics, becomes 0.
fn learned<'a>(
    blocks: impl Iterator<Item = (&'a Block, Range<usize>)>,
    grads: &mut [f64],
) -> Vec<usize> {
    let mut learned = Vec::new();
    for (block, range) in blocks {
        if block.role == Role::Statistic {
            grads[range].fill(0.0);
        } else {
            learned.extend(range);
        }
    }
    learned
}

fn name_in_block(block: &Block, index: usize) -> String {
    format!(
        "{}[({}, {})]",
        block.name,
        index % block.rows,
        index / block.rows
    )
}

/// The comparison of a whole gradient.
struct Comparison<'a> {
    analytic: &'a [f64],
    /// The least that a difference is divided by.
    floor: f64,
    report: Report,
}

impl<'a> Comparison<'a> {
    fn new(cost: f64, analytic: &'a [f64]) -> Self {
        let largest = analytic.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
        let floor = (1e-2 * largest)
            .max(1e-4 * cost.abs())
            .max(f64::MIN_POSITIVE);
        Self {
            analytic,
            floor,
            report: Report {
                worst: None,
                compared: 0,
                undecided: 0,
            },
        }
    }

    fn add(
        &mut self,
        index: usize,
        (numeric, uncertainty): (f64, f64),
        place: impl FnOnce() -> String,
    ) {
        let analytic = self.analytic[index];
        let size = self.floor.max(analytic.abs()).max(numeric.abs());
        let error = (analytic - numeric).abs() / size;
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if uncertainty > 2e-9 * size && error.is_finite() {
            self.report.undecided += 1;
            return;
        }
        self.report.compared += 1;
        if self
            .report
            .worst
            .as_ref()
            .is_none_or(|worst| error > worst.error)
        {
            self.report.worst = Some(Derivative {
                place: place(),
                analytic,
                numeric,
                error,
            });
        }
    }
}

/// The derivative of `f` at `x` and how far it can be trusted.
fn ridders(x: f64, mut f: impl FnMut(f64) -> f64) -> (f64, f64) {
    const ROWS: usize = 10;
    let mut step = 1e-2 * x.abs().max(1.0);
    let mut previous = [0.0; ROWS];
    let (mut best, mut uncertainty) = (f64::NAN, f64::INFINITY);
    for row in 0..ROWS {
        let mut current = [0.0; ROWS];
        let (above, below) = (x + step, x - step);
        let (upper, lower) = (f(above), f(below));
        current[0] = (upper - lower) / (above - below);
        // What the rounding of the two costs makes of a step this small: two estimates can agree by
        // chance.
        let noise = 2.0 * f64::EPSILON * (upper.abs() + lower.abs()) / (above - below);
        let mut factor = 1.0;
        for column in 1..=row {
            factor *= 4.0;
            current[column] =
                (factor * current[column - 1] - previous[column - 1]) / (factor - 1.0);
            // Next to a kink of the slope, two estimates can agree by chance; three hardly do.
            let before = if column > 1 && column < row {
                previous[column]
            } else {
                current[column - 1]
            };
            let doubt = (current[column] - current[column - 1])
                .abs()
                .max((current[column] - previous[column - 1]).abs())
                .max((current[column] - before).abs() / 4.0)
                + noise;
            if doubt < uncertainty {
                (best, uncertainty) = (current[column], doubt);
            }
        }
        previous = current;
        step /= 2.0;
    }
    (best, uncertainty)
}
