//! Batch norm: each feature over the samples of a batch.

use super::norm::{Norm, add, multiply};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, Block, ForwardArgs, GradientArgs, InferArgs, InitParamsArgs,
    Layer, Role, TangentArgs,
};
use crate::numeric::bounds::UNIT;
use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, accumulate, by_blocks, magnitude};
use crate::numeric::view::{View, ViewMut};
use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

/// Batch normalization (Ioffe & Szegedy 2015): each feature gets mean 0 and variance 1, then a
/// scale and a bias:
///
/// ```text
/// y = γ·x̂ + β,  x̂ = (x − μ)/√(v + ε)
/// ```
///
/// for each feature. In training μ = 1/n Σ x and v = 1/n Σ (x − μ)² are those of the n samples of
/// the batch, so that a sample's output depends on its batch. In inference μ and v are running
/// averages, and each sample is by itself. The definition, ε = 10⁻⁵ and the momentum m = 0.1 are
/// those of PyTorch's `BatchNorm1d` (Keras: 10⁻³, and its momentum 0.99 is our 1 − m). In training
/// NaN or ±∞ makes its feature NaN in the whole batch. The squares of large numbers do not
/// overflow, but in the running variance, which has to hold them.
///
/// Backward the gradient passes through μ and v, with means over the samples:
///
/// ```text
/// ∂C/∂x = γ·(∂C/∂y − mean(∂C/∂y) − x̂·mean(∂C/∂y·x̂))/√(v + ε)
/// ∂C/∂γ = Σ ∂C/∂y·x̂,  ∂C/∂β = Σ ∂C/∂y
/// ```
///
/// γ, the block `scale`, starts at 1 and is of [`Role::Scale`], β, the block `bias`, at 0 and of
/// [`Role::Bias`]: what decays weights leaves both alone. β takes the place of a bias in the layer
/// before.
///
/// **Running averages.** A layer holds no state, so they lie among the parameters: the blocks
/// `running_mean`, from 0, and `running_variance`, from 1, of [`Role::Statistic`]. In place of
/// their gradient [`Layer::gradient`] writes
///
/// ```text
/// g = m·(running − batch)
/// ```
///
/// and what takes a step takes it there by p ← p − g, whatever its rule and rate: running ← (1 −
/// m)·running + m·batch. A mean of gradients over parts of a batch is then a mean of their
/// statistics. The variance of the batch is here the unbiased one, 1/(n−1) Σ (x − μ)², as in
/// PyTorch (Keras has 1/n).
///
/// [`Sequential::update_statistics`](crate::Sequential::update_statistics) computes them anew, for
/// weights that were not trained as they are.
///
/// Out of training the layer is an affine map and the running averages are constants: the gradient
/// by them is 0.
///
/// A batch of one sample has x̂ = 0 and hence y = β and ∂C/∂x = 0. It says nothing about the
/// variance, so that the running one stays, while the running mean follows. (PyTorch refuses such a
/// batch.)
///
/// ```
/// use chainrule::{Activation, Dense, Sequential};
/// use chainrule::nn::BatchNorm;
/// let net = Sequential::<f32>::builder(4)
///     .layer(Dense::new(8, Activation::Linear).without_bias())
///     .layer(BatchNorm::new())
///     .layer(Activation::Relu)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// let names: Vec<_> = net.blocks(1).iter().map(|block| &*block.name).collect();
/// assert_eq!(names, ["scale", "bias", "running_mean", "running_variance"]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("BatchNorm1d", "BatchNormalization"))]
pub struct BatchNorm {
    norm: Norm,
    momentum: f64,
}

impl BatchNorm {
    /// Batch norm with ε = 10⁻⁵, momentum 0.1, a scale and a bias.
    pub fn new() -> Self {
        Self {
            norm: Norm {
                eps: Some(1e-5),
                scale: true,
                bias: true,
            },
            momentum: 0.1,
        }
    }

    /// The same layer with this ε, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        let norm = self.norm.with_eps(eps);
        Self { norm, ..self }
    }

    /// The same layer with this momentum m in [0, 1]: the part of a batch in the running averages.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// The same layer without γ.
    #[must_use]
    #[doc(alias("affine", "scale"))]
    pub fn without_scale(self) -> Self {
        let norm = self.norm.without_scale();
        Self { norm, ..self }
    }

    /// The same layer without β.
    #[must_use]
    pub fn without_bias(self) -> Self {
        let norm = self.norm.without_bias();
        Self { norm, ..self }
    }

    /// The inputs of a pass, with the moments by which they are normalized.
    fn batch<'a, T: Real>(&self, params: &'a [T], x: View<'a, T>, training: bool) -> Batch<'a, T> {
        let (.., statistics) = self.norm.split(params, x.rows());
        let running = (!training).then(|| statistics.split_at(x.rows()));
        Batch {
            eps: self.norm.eps(),
            inputs: x.rows(),
            x: x.as_slice(),
            running,
        }
    }

    /// y = γ·x̂ + β.
    fn normalize<T: Real>(
        &self,
        params: &[T],
        x: View<'_, T>,
        mut y: ViewMut<'_, T>,
        training: bool,
    ) {
        let (scale, bias, _) = self.norm.split(params, x.rows());
        T::vectorize(Normalize {
            batch: self.batch(params, x, training),
            scale,
            bias,
            y: y.as_mut_slice(),
        });
    }

    /// ε and the momentum.
    #[cfg(feature = "onnx")]
    pub(crate) fn settings(&self) -> (f64, f64) {
        (self.norm.eps::<f64>(), self.momentum)
    }
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for BatchNorm {
    shared!(BatchNorm);

    fn name(&self) -> String {
        String::from("BatchNorm")
    }

    fn describe(&self) -> String {
        format!(
            "BatchNorm({}, momentum={})",
            self.norm.describe(),
            self.momentum
        )
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        self.norm.check::<T>()?;
        UNIT.named("a number with 0 ≤ momentum ≤ 1")
            .check("momentum", self.momentum)?;
        Ok(inputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        let mut blocks = self.norm.blocks(inputs);
        blocks.extend(
            ["running_mean", "running_variance"]
                .map(|name| Block::new(name, Role::Statistic, inputs, 1)),
        );
        blocks
    }

    /// A variance below 0 has no root. NaN is what training that has diverged leaves, here as in
    /// all other blocks.
    fn check_params(&self, inputs: usize, params: &[T]) -> Result<()> {
        let (.., statistics) = self.norm.split(params, inputs);
        match statistics[inputs..]
            .iter()
            .position(|variance| *variance < T::zero())
        {
            Some(feature) => {
                let place = format!("running_variance of feature {feature}");
                Err(Error::new(
                    ErrorKind::Value,
                    place,
                    "a variance ≥ 0",
                    statistics[inputs + feature],
                ))
            }
            None => Ok(()),
        }
    }

    fn init_params(&self, p: InitParamsArgs<'_, T>) {
        self.norm.start(p.params, p.inputs);
        let (_, _, statistics) = self.norm.split_mut(p.params, p.inputs);
        statistics[p.inputs..].fill(T::one());
    }

    fn infer(&self, p: InferArgs<'_, T>) {
        self.normalize(p.params, p.x, p.y, false);
    }

    fn forward(&self, p: ForwardArgs<'_, T>) {
        self.normalize(p.params, p.x, p.y, p.training);
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        let BackwardArgs {
            params,
            x,
            delta,
            dx: Some(mut dx),
            training,
            ..
        } = p
        else {
            return;
        };
        let (scale, ..) = self.norm.split(params, x.rows());
        T::vectorize(NormSlopes {
            batch: self.batch(params, x, training),
            scale,
            dy: delta.as_view().as_slice(),
            dx: dx.as_mut_slice(),
        });
    }

    fn gradient(&self, p: GradientArgs<'_, T>) {
        let GradientArgs {
            params,
            x,
            delta,
            grads,
            training,
            ..
        } = p;
        let (.., running) = self.norm.split(params, x.rows());
        let (dscale, dbias, steps) = self.norm.split_mut(grads, x.rows());
        let batch = self.batch(params, x, training);
        T::vectorize(Sums {
            batch,
            momentum: T::of(self.momentum),
            running,
            dy: delta.as_slice(),
            dscale,
            dbias,
            steps,
        });
    }

    fn statistics_momentum(&self) -> f64 {
        self.momentum
    }

    /// ẏ = γ·ẋ/√(v + ε) + γ̇·x̂ + β̇.
    fn tangent(&self, p: TangentArgs<'_, T>) -> Result<()> {
        let TangentArgs {
            params,
            params_dot,
            x,
            x_dot,
            mut y_dot,
            ..
        } = p;
        let (scale, ..) = self.norm.split(params, x.rows());
        let (scale_dot, bias_dot, _) = self.norm.split(params_dot, x.rows());
        let batch = self.batch(params, x, false);
        let x_dot = x_dot.as_slice();
        let y_dot = y_dot.as_mut_slice();
        T::vectorize(Along {
            batch,
            scale,
            scale_dot,
            bias_dot,
            x_dot,
            y_dot,
        });
        Ok(())
    }

    /// (∂C/∂x)˙ = (γ·(∂C/∂y)˙ + γ̇·∂C/∂y)/√(v + ε), (∂C/∂γ)˙ = Σ (∂C/∂y)˙·x̂ + ∂C/∂y·ẋ/√(v + ε),
    /// (∂C/∂β)˙ = Σ (∂C/∂y)˙.
    fn backward_tangent(&self, p: BackwardTangentArgs<'_, T>) -> Result<()> {
        let BackwardTangentArgs {
            params,
            params_dot,
            x,
            x_dot,
            delta,
            delta_dot,
            dx,
            grads_dot,
            ..
        } = p;
        let (scale, ..) = self.norm.split(params, x.rows());
        let (scale_dot, ..) = self.norm.split(params_dot, x.rows());
        let (dscale, dbias, statistics) = self.norm.split_mut(grads_dot, x.rows());
        statistics.fill(T::zero());
        let batch = self.batch(params, x, false);
        let (dy, dy_dot) = (delta.as_view(), delta_dot.as_view());
        let x_dot = x_dot.as_slice();
        let dy = dy.as_slice();
        let dy_dot = dy_dot.as_slice();
        let (mut dx, mut dx_dot) = dx.unzip();
        let dx = dx.as_mut().map_or(&mut [][..], |dx| dx.as_mut_slice());
        let dx_dot = dx_dot
            .as_mut()
            .map_or(&mut [][..], |dx_dot| dx_dot.as_mut_slice());
        T::vectorize(BackAlong {
            batch,
            scale,
            scale_dot,
            x_dot,
            dy,
            dy_dot,
            dx,
            dx_dot,
            dscale,
            dbias,
        });
        Ok(())
    }
}

/// So many features at a time, a multiple of every vector width: their numbers are on the stack,
/// their part of the batch stays in the first-level cache.
const STRIP: usize = 64;

/// A number for each feature of a strip.
type Lanes<T> = [T; STRIP];

/// So many samples are added one after the other.
const BLOCK: usize = 64;

/// The inputs of a batch, inputs × samples. Their moments are computed anew in each pass: that is
/// two passes over numbers that are near, and nothing to keep.
#[derive(Clone, Copy)]
struct Batch<'a, T> {
    eps: T,
    inputs: usize,
    x: &'a [T],
    /// Running mean and variance, in the place of the batch's.
    running: Option<(&'a [T], &'a [T])>,
}

/// Of the features of a strip.
struct Moments<T> {
    /// μ.
    mean: Lanes<T>,
    /// v.
    variance: Lanes<T>,
    /// 1/√(v + ε).
    inverse: Lanes<T>,
}

impl<'a, T: Real> Batch<'a, T> {
    /// n.
    #[inline(always)]
    fn samples(&self) -> usize {
        self.x.len() / self.inputs
    }

    /// How many blocks of samples there are.
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.samples().div_ceil(BLOCK)
    }

    /// Block `i` of a matrix laid as the inputs.
    #[inline(always)]
    fn block<'b>(&self, matrix: &'b [T], i: usize) -> &'b [T] {
        let size = BLOCK * self.inputs;
        &matrix[i * size..matrix.len().min((i + 1) * size)]
    }

    /// The strips, as ranges of features.
    #[inline(always)]
    fn strips(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let inputs = self.inputs;
        (0..inputs)
            .step_by(STRIP)
            .map(move |first| first..inputs.min(first + STRIP))
    }

    /// A strip of each sample of a matrix laid as the inputs.
    #[inline(always)]
    fn rows<'b>(
        &self,
        matrix: &'b [T],
        strip: &Range<usize>,
    ) -> impl Iterator<Item = &'b [T]> + use<'b, T> {
        let strip = strip.clone();
        matrix
            .chunks_exact(self.inputs)
            .map(move |sample| &sample[strip.clone()])
    }

    /// [`rows`](Self::rows) to be changed.
    #[inline(always)]
    fn rows_mut<'b>(
        &self,
        matrix: &'b mut [T],
        strip: &Range<usize>,
    ) -> impl Iterator<Item = &'b mut [T]> + use<'b, T> {
        let strip = strip.clone();
        matrix
            .chunks_exact_mut(self.inputs)
            .map(move |sample| &mut sample[strip.clone()])
    }

    /// Those of the batch, or the running ones. Called, not inlined, by every pass: it is large.
    #[inline(never)]
    fn moments(&self, strip: &Range<usize>) -> Moments<T> {
        if let Some((mean, variance)) = self.running {
            return Moments::running(&mean[strip.clone()], &variance[strip.clone()], self.eps);
        }
        let mut factor = [T::one(); STRIP];
        let plain = |factor: &Lanes<T>| {
            T::vectorize(PlainMoments {
                batch: *self,
                strip: strip.clone(),
                factor,
            })
        };
        let (mut mean, mut variance) = plain(&factor);
        if !variance.iter().all(T::is_finite) {
            // Squares overflow, or there is a NaN or ∞, which stays one: the same of x/max|x|.
            let mut max = [T::zero(); STRIP];
            for x in self.rows(self.x, strip) {
                for (max, x) in max.iter_mut().zip(x) {
                    *max = if magnitude(*x) > *max {
                        magnitude(*x)
                    } else {
                        *max
                    };
                }
            }
            for (factor, (max, variance)) in factor.iter_mut().zip(max.iter().zip(&variance)) {
                *factor = if variance.is_finite() {
                    *factor
                } else {
                    T::one() / *max
                };
            }
            (mean, variance) = plain(&factor);
        }
        let mut inverse = [T::zero(); STRIP];
        for i in 0..STRIP {
            inverse[i] = factor[i] / (variance[i] + self.eps * factor[i] * factor[i]).sqrt();
            mean[i] /= factor[i];
            variance[i] = variance[i] / factor[i] / factor[i];
        }
        Moments {
            mean,
            variance,
            inverse,
        }
    }

    /// Σ ∂C/∂y and Σ ∂C/∂y·x̂ over the samples.
    #[inline(never)]
    fn sums(&self, dy: &[T], strip: &Range<usize>, moments: &Moments<T>) -> (Lanes<T>, Lanes<T>) {
        T::vectorize(PlainSums {
            batch: *self,
            dy,
            strip: strip.clone(),
            moments,
        })
    }
}

/// μ and v of x times a factor.
struct PlainMoments<'a, T> {
    batch: Batch<'a, T>,
    strip: Range<usize>,
    factor: &'a Lanes<T>,
}

impl<T: Real> Pass for PlainMoments<'_, T> {
    type Output = (Lanes<T>, Lanes<T>);
    #[inline(always)]
    fn run<const FMA: bool>(self) -> Self::Output {
        let Self {
            batch,
            ref strip,
            factor,
        } = self;
        let n = T::of(batch.samples() as f64);
        // From the first sample on: of a constant feature the differences are exactly 0, however
        // large it is.
        let mut first = [T::zero(); STRIP];
        for (first, (x, factor)) in first
            .iter_mut()
            .zip(batch.x[strip.clone()].iter().zip(factor))
        {
            *first = *x * *factor;
        }
        let mut mean = by_blocks(batch.blocks(), |i| {
            let mut sums = [T::zero(); STRIP];
            for x in batch.rows(batch.block(batch.x, i), strip) {
                for ((sum, x), (first, factor)) in
                    sums.iter_mut().zip(x).zip(first.iter().zip(factor))
                {
                    *sum += *x * *factor - *first;
                }
            }
            sums
        });
        for (mean, first) in mean.iter_mut().zip(&first) {
            *mean = *first + *mean / n;
        }
        let mut variance = by_blocks(batch.blocks(), |i| {
            let mut sums = [T::zero(); STRIP];
            for x in batch.rows(batch.block(batch.x, i), strip) {
                for ((sum, x), (mean, factor)) in
                    sums.iter_mut().zip(x).zip(mean.iter().zip(factor))
                {
                    let d = *x * *factor - *mean;
                    *sum += d * d;
                }
            }
            sums
        });
        for variance in &mut variance {
            *variance /= n;
        }
        (mean, variance)
    }
}

/// [`Batch::sums`].
struct PlainSums<'a, T> {
    batch: Batch<'a, T>,
    dy: &'a [T],
    strip: Range<usize>,
    moments: &'a Moments<T>,
}

impl<T: Real> Pass for PlainSums<'_, T> {
    type Output = (Lanes<T>, Lanes<T>);
    #[inline(always)]
    fn run<const FMA: bool>(self) -> Self::Output {
        let Self {
            batch,
            dy,
            ref strip,
            moments,
        } = self;
        let plain = by_blocks(batch.blocks(), |i| {
            let mut sums = [T::zero(); STRIP];
            batch
                .rows(batch.block(dy, i), strip)
                .for_each(|dy| accumulate(&mut sums, dy));
            sums
        });
        let weighted = by_blocks(batch.blocks(), |i| {
            let mut sums = [T::zero(); STRIP];
            for (x, dy) in batch
                .rows(batch.block(batch.x, i), strip)
                .zip(batch.rows(batch.block(dy, i), strip))
            {
                for ((sum, dy), (x, (mean, inverse))) in
                    sums.iter_mut().zip(dy).zip(x.iter().zip(moments.lanes()))
                {
                    *sum += *dy * ((*x - *mean) * *inverse);
                }
            }
            sums
        });
        (plain, weighted)
    }
}

impl<T: Real> Moments<T> {
    /// Running ones.
    #[inline(always)]
    fn running(mean: &[T], variance: &[T], eps: T) -> Self {
        let mut moments = Self {
            mean: [T::zero(); STRIP],
            variance: [T::one(); STRIP],
            inverse: [T::one(); STRIP],
        };
        moments.mean[..mean.len()].copy_from_slice(mean);
        moments.variance[..variance.len()].copy_from_slice(variance);
        for (inverse, variance) in moments.inverse.iter_mut().zip(&moments.variance) {
            *inverse = T::one() / (*variance + eps).sqrt();
        }
        moments
    }

    /// (μ, 1/√(v + ε)) of each feature.
    #[inline(always)]
    fn lanes(&self) -> impl Iterator<Item = (&T, &T)> {
        self.mean.iter().zip(&self.inverse)
    }
}

/// The part of a strip, empty where there is no scale or bias.
#[inline(always)]
fn part<'a, T>(numbers: &'a [T], strip: &Range<usize>) -> &'a [T] {
    numbers.get(strip.clone()).unwrap_or_default()
}

/// y = γ·x̂ + β.
struct Normalize<'a, T> {
    batch: Batch<'a, T>,
    scale: &'a [T],
    bias: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Pass for Normalize<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let batch = self.batch;
        for strip in batch.strips() {
            let moments = batch.moments(&strip);
            for (x, y) in batch
                .rows(batch.x, &strip)
                .zip(batch.rows_mut(self.y, &strip))
            {
                for ((y, x), (mean, inverse)) in y.iter_mut().zip(x).zip(moments.lanes()) {
                    *y = (*x - *mean) * *inverse;
                }
                multiply(y, part(self.scale, &strip));
                add(y, part(self.bias, &strip));
            }
        }
    }
}

/// ∂C/∂x.
struct NormSlopes<'a, T> {
    batch: Batch<'a, T>,
    scale: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> Pass for NormSlopes<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let batch = self.batch;
        let n = T::of(batch.samples() as f64);
        for strip in batch.strips() {
            let moments = batch.moments(&strip);
            if batch.running.is_some() {
                for (dx, dy) in batch
                    .rows_mut(self.dx, &strip)
                    .zip(batch.rows(self.dy, &strip))
                {
                    for ((dx, dy), inverse) in dx.iter_mut().zip(dy).zip(&moments.inverse) {
                        *dx = *inverse * *dy;
                    }
                    multiply(dx, part(self.scale, &strip));
                }
                continue;
            }
            let (mut level, mut tilt) = batch.sums(self.dy, &strip, &moments);
            for (level, tilt) in level.iter_mut().zip(&mut tilt) {
                *level /= n;
                *tilt /= n;
            }
            let samples = batch.rows(batch.x, &strip).zip(batch.rows(self.dy, &strip));
            for (dx, (x, dy)) in batch.rows_mut(self.dx, &strip).zip(samples) {
                let means = level.iter().zip(&tilt).zip(moments.lanes());
                for ((dx, dy), (x, ((level, tilt), (mean, inverse)))) in
                    dx.iter_mut().zip(dy).zip(x.iter().zip(means))
                {
                    *dx = *inverse * (*dy - *level - (*x - *mean) * *inverse * *tilt);
                }
                multiply(dx, part(self.scale, &strip));
            }
        }
    }
}

/// ∂C/∂γ, ∂C/∂β and, in training, the steps of the running averages.
struct Sums<'a, T> {
    batch: Batch<'a, T>,
    momentum: T,
    /// Means, then variances.
    running: &'a [T],
    dy: &'a [T],
    /// To be overwritten, as all that follow; empty where there is none.
    dscale: &'a mut [T],
    dbias: &'a mut [T],
    /// Laid as `running`.
    steps: &'a mut [T],
}

impl<T: Real> Pass for Sums<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let batch = self.batch;
        let n = batch.samples();
        let (running_mean, running_variance) = self.running.split_at(batch.inputs);
        let (mean_step, variance_step) = self.steps.split_at_mut(batch.inputs);
        for strip in batch.strips() {
            let moments = batch.moments(&strip);
            let (plain, weighted) = batch.sums(self.dy, &strip, &moments);
            for (grads, sums) in [(&mut *self.dscale, &weighted), (&mut *self.dbias, &plain)] {
                if let Some(grads) = grads.get_mut(strip.clone()) {
                    grads.copy_from_slice(&sums[..grads.len()]);
                }
            }
            if batch.running.is_some() {
                mean_step[strip.clone()].fill(T::zero());
                variance_step[strip].fill(T::zero());
                continue;
            }
            let running = running_mean[strip.clone()].iter().zip(&moments.mean);
            for (step, (running, batch)) in mean_step[strip.clone()].iter_mut().zip(running) {
                *step = self.momentum * (*running - *batch);
            }
            if n == 1 {
                variance_step[strip].fill(T::zero());
                continue;
            }
            let unbiased = T::of(n as f64 / (n - 1) as f64);
            let running = running_variance[strip.clone()]
                .iter()
                .zip(&moments.variance);
            for (step, (running, batch)) in variance_step[strip].iter_mut().zip(running) {
                *step = self.momentum * (*running - *batch * unbiased);
            }
        }
    }
}

/// ẏ, out of training.
struct Along<'a, T> {
    batch: Batch<'a, T>,
    scale: &'a [T],
    scale_dot: &'a [T],
    bias_dot: &'a [T],
    x_dot: &'a [T],
    y_dot: &'a mut [T],
}

impl<T: Real> Pass for Along<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let batch = self.batch;
        for strip in batch.strips() {
            let moments = batch.moments(&strip);
            let samples = batch
                .rows(batch.x, &strip)
                .zip(batch.rows(self.x_dot, &strip));
            for (y_dot, (x, x_dot)) in batch.rows_mut(self.y_dot, &strip).zip(samples) {
                for ((y_dot, x_dot), inverse) in y_dot.iter_mut().zip(x_dot).zip(&moments.inverse) {
                    *y_dot = *inverse * *x_dot;
                }
                multiply(y_dot, part(self.scale, &strip));
                let scale_dot = part(self.scale_dot, &strip);
                for ((y_dot, scale_dot), (x, (mean, inverse))) in y_dot
                    .iter_mut()
                    .zip(scale_dot)
                    .zip(x.iter().zip(moments.lanes()))
                {
                    *y_dot += *scale_dot * ((*x - *mean) * *inverse);
                }
                add(y_dot, part(self.bias_dot, &strip));
            }
        }
    }
}

/// The derivatives of ∂C/∂x, ∂C/∂γ and ∂C/∂β along a direction, and ∂C/∂x; out of training.
struct BackAlong<'a, T> {
    batch: Batch<'a, T>,
    scale: &'a [T],
    scale_dot: &'a [T],
    x_dot: &'a [T],
    dy: &'a [T],
    dy_dot: &'a [T],
    /// To be overwritten, as all that follow; empty where nobody asks for it.
    dx: &'a mut [T],
    dx_dot: &'a mut [T],
    dscale: &'a mut [T],
    dbias: &'a mut [T],
}

impl<T: Real> Pass for BackAlong<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let batch = self.batch;
        self.dscale.fill(T::zero());
        self.dbias.fill(T::zero());
        for strip in batch.strips() {
            let moments = batch.moments(&strip);
            let slopes = batch
                .rows(self.dy, &strip)
                .zip(batch.rows(self.dy_dot, &strip));
            for ((x, x_dot), (dy, dy_dot)) in batch
                .rows(batch.x, &strip)
                .zip(batch.rows(self.x_dot, &strip))
                .zip(slopes)
            {
                let sums = self.dscale.get_mut(strip.clone()).unwrap_or_default();
                let normal = x.iter().zip(x_dot).zip(moments.lanes());
                for ((sum, (dy, dy_dot)), ((x, x_dot), (mean, inverse))) in
                    sums.iter_mut().zip(dy.iter().zip(dy_dot)).zip(normal)
                {
                    *sum += *dy_dot * ((*x - *mean) * *inverse) + *dy * (*x_dot * *inverse);
                }
                add(
                    self.dbias.get_mut(strip.clone()).unwrap_or_default(),
                    dy_dot,
                );
            }
            let slopes = batch
                .rows(self.dy, &strip)
                .zip(batch.rows(self.dy_dot, &strip));
            for ((dx, dx_dot), (dy, dy_dot)) in batch
                .rows_mut(self.dx, &strip)
                .zip(batch.rows_mut(self.dx_dot, &strip))
                .zip(slopes)
            {
                for ((dx, dy), inverse) in dx.iter_mut().zip(dy).zip(&moments.inverse) {
                    *dx = *inverse * *dy;
                }
                for ((dx_dot, dy_dot), inverse) in
                    dx_dot.iter_mut().zip(dy_dot).zip(&moments.inverse)
                {
                    *dx_dot = *inverse * *dy_dot;
                }
                multiply(dx_dot, part(self.scale, &strip));
                for ((dx_dot, dx), scale_dot) in dx_dot
                    .iter_mut()
                    .zip(&*dx)
                    .zip(part(self.scale_dot, &strip))
                {
                    *dx_dot += *scale_dot * *dx;
                }
                multiply(dx, part(self.scale, &strip));
            }
        }
    }
}
