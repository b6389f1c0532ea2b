//! Layer norm, group norm and RMS norm: each sample by itself.

use super::norm::{Norm, add, multiply};
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, Block, ForwardArgs, GradientArgs, InferArgs, InitParamsArgs,
    Layer, TangentArgs,
};
use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, SAMPLES, magnitude, over_samples, sum_pairs};
use crate::numeric::view::{View, ViewMut};
use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

/// Layer normalization (Ba, Kiros & Hinton 2016): the features of each sample get mean 0 and
/// variance 1, then a scale and a bias of their own:
///
/// ```text
/// yⱼ = γⱼ·x̂ⱼ + βⱼ,  x̂ⱼ = (xⱼ − μ)/√(v + ε),  μ = 1/n Σₖ xₖ,  v = 1/n Σₖ (xₖ − μ)²
/// ```
///
/// with the n features of the sample; the same in training and in inference. The definition and ε =
/// 10⁻⁵ are PyTorch's (Keras: 10⁻³). Of a constant sample x̂ is 0, so of a single feature always.
/// NaN or ±∞ makes its own sample NaN, no other; the squares of large numbers do not overflow.
///
/// Backward, with g = γ ⊙ ∂C/∂y and means over the features:
///
/// ```text
/// ∂C/∂x = (g − mean(g) − x̂·mean(g ⊙ x̂))/√(v + ε)
/// ∂C/∂γ = Σ ∂C/∂y ⊙ x̂,  ∂C/∂β = Σ ∂C/∂y  over the samples
/// ```
///
/// γ, the block `scale`, starts at 1 and is of [`Role::Scale`](crate::nn::layer::Role::Scale), β,
/// the block `bias`, at 0 and of [`Role::Bias`](crate::nn::layer::Role::Bias): what decays weights
/// leaves both alone. They are PyTorch's `weight` and `bias`.
///
/// ```
/// use chainrule::Sequential;
/// use chainrule::nalgebra::DVector;
/// use chainrule::nn::LayerNorm;
/// let net = Sequential::<f64>::builder(3).layer(LayerNorm::new()).seed(1).build()?;
/// let y = net.predict(&DVector::from_vec(vec![1.0, 2.0, 6.0]))?;
/// assert!(y.sum().abs() < 1e-15 && (y.norm_squared() / 3.0 - 1.0).abs() < 1e-5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("LayerNormalization", "MeanVarianceNormalization"))]
pub struct LayerNorm(Norm);

/// Normalization by the root of the mean square (Zhang & Sennrich 2019): layer norm without the
/// mean and the bias:
///
/// ```text
/// yⱼ = γⱼ·x̂ⱼ,  x̂ⱼ = xⱼ/√(1/n Σₖ xₖ² + ε)
/// ```
///
/// with the n features of the sample; the same in training and in inference. ε is the machine
/// epsilon of the network's scalar, as in PyTorch; others take 10⁻⁵ or 10⁻⁶, which
/// [`eps`](Self::eps) sets. NaN or ±∞ makes its own sample NaN, no other; the squares of large
/// numbers do not overflow.
///
/// Backward, with g = γ ⊙ ∂C/∂y and the mean over the features:
///
/// ```text
/// ∂C/∂x = (g − x̂·mean(g ⊙ x̂))/√(1/n Σₖ xₖ² + ε),  ∂C/∂γ = Σ ∂C/∂y ⊙ x̂ over the samples
/// ```
///
/// γ, the block `scale`, starts at 1 and is of [`Role::Scale`](crate::nn::layer::Role::Scale): what
/// decays weights leaves it alone.
///
/// ```
/// use chainrule::Sequential;
/// use chainrule::nalgebra::DVector;
/// use chainrule::nn::RmsNorm;
/// let net = Sequential::<f64>::builder(2).layer(RmsNorm::new()).seed(1).build()?;
/// let y = net.predict(&DVector::from_vec(vec![3.0, 4.0]))?; // their root mean square is √12.5
/// assert!((y[0] - 3.0 / 12.5_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("RMSNorm", "RMSNormalization"))]
pub struct RmsNorm(Norm);

impl LayerNorm {
    /// Layer norm with ε = 10⁻⁵, a scale and a bias.
    pub fn new() -> Self {
        Self(Norm {
            eps: Some(1e-5),
            scale: true,
            bias: true,
        })
    }

    /// The same layer with this ε, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self(self.0.with_eps(eps))
    }

    /// The same layer without γ.
    #[must_use]
    pub fn without_scale(self) -> Self {
        Self(self.0.without_scale())
    }

    /// The same layer without β.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self(self.0.without_bias())
    }

    /// ε.
    #[cfg(feature = "onnx")]
    pub(crate) fn epsilon(&self) -> f64 {
        self.0.eps()
    }
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl RmsNorm {
    /// RMS norm with the machine epsilon for ε, and a scale.
    pub fn new() -> Self {
        Self(Norm {
            eps: None,
            scale: true,
            bias: false,
        })
    }

    /// The same layer with this ε, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self(self.0.with_eps(eps))
    }

    /// The same layer without γ.
    #[must_use]
    pub fn without_scale(self) -> Self {
        Self(self.0.without_scale())
    }

    /// ε in a network of `T`.
    #[cfg(feature = "onnx")]
    pub(crate) fn epsilon<T: Real>(&self) -> f64 {
        self.0.eps::<T>().as_f64()
    }
}

impl Default for RmsNorm {
    fn default() -> Self {
        Self::new()
    }
}

/// Group normalization (Wu & He 2018) of features: the features of each sample are cut into groups
/// of neighbors, and each group gets mean 0 and variance 1; then each feature has a scale and a
/// bias of its own:
///
/// ```text
/// yⱼ = γⱼ·x̂ⱼ + βⱼ,  x̂ⱼ = (xⱼ − μ)/√(v + ε)  with μ and v of the group of j, as in `LayerNorm`
/// ```
///
/// With one group it is [`LayerNorm`]. Definition and ε = 10⁻⁵ are those of PyTorch's
/// `nn.GroupNorm` on batches × features (Keras: 10⁻³); the number of groups must divide the number
/// of features. Input and output are features × samples.
///
/// ```
/// use chainrule::Sequential;
/// use chainrule::nalgebra::DVector;
/// use chainrule::nn::GroupNorm;
/// let net = Sequential::<f64>::builder(4).layer(GroupNorm::new(2)).seed(1).build()?;
/// let y = net.predict(&DVector::from_vec(vec![1.0, 3.0, 70.0, 90.0]))?;
/// assert!((y[0] + 1.0).abs() < 1e-5 && (y[1] - 1.0).abs() < 1e-5);
/// assert!((y[2] + 1.0).abs() < 1e-5 && (y[3] - 1.0).abs() < 1e-5);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("GroupNormalization"))]
pub struct GroupNorm {
    groups: usize,
    norm: Norm,
}

impl GroupNorm {
    /// Group norm with so many groups, ε = 10⁻⁵, a scale and a bias.
    pub fn new(groups: usize) -> Self {
        let LayerNorm(norm) = LayerNorm::new();
        Self { groups, norm }
    }

    /// The same layer with this ε, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self {
            norm: self.norm.with_eps(eps),
            ..self
        }
    }

    /// The same layer without γ.
    #[must_use]
    pub fn without_scale(self) -> Self {
        Self {
            norm: self.norm.without_scale(),
            ..self
        }
    }

    /// The same layer without β.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self {
            norm: self.norm.without_bias(),
            ..self
        }
    }

    /// The number of groups, and ε.
    #[cfg(feature = "onnx")]
    pub(crate) fn settings(&self) -> (usize, f64) {
        (self.groups, self.norm.eps())
    }
}

/// The number of groups must divide the number of features.
fn check_groups(groups: usize, inputs: usize) -> Result<()> {
    if groups > 0 && inputs.is_multiple_of(groups) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Shape,
        "",
        format!("a number of inputs that {groups} groups divide"),
        inputs,
    ))
}

/// The layer of each: `$centered` says whether the mean is subtracted, `$grouped` whether there may
/// be several groups; then come its options and the number of groups. In nothing else do they
/// differ.
macro_rules! layer {
    ($name:ident, $centered:literal, $grouped:literal, |$layer:ident| $parts:expr) => {
        impl $name {
            fn parts(&self) -> (&Norm, usize) {
                let $layer = self;
                $parts
            }
        }

        impl<T: Real> Layer<T> for $name {
            shared!($name);

            fn name(&self) -> String {
                String::from(stringify!($name))
            }

            fn describe(&self) -> String {
                let (norm, groups) = self.parts();
                let options = norm.describe();
                if $grouped {
                    format!("{}(groups={groups}, {options})", stringify!($name))
                } else {
                    format!("{}({options})", stringify!($name))
                }
            }

            fn outputs(&self, inputs: usize) -> Result<usize> {
                let (norm, groups) = self.parts();
                norm.check::<T>()?;
                check_groups(groups, inputs)?;
                Ok(inputs)
            }

            fn blocks(&self, inputs: usize) -> Vec<Block> {
                self.parts().0.blocks(inputs)
            }

            fn init_params(&self, p: InitParamsArgs<'_, T>) {
                self.parts().0.start(p.params, p.inputs);
            }

            /// μ and 1/√(v + ε) of each group.
            fn cache_len(&self, _inputs: usize) -> usize {
                2 * self.parts().1
            }

            fn infer(&self, p: InferArgs<'_, T>) {
                normalize($centered, self.parts(), p.params, p.x, p.y, &mut []);
            }

            fn forward(&self, p: ForwardArgs<'_, T>) {
                let moments = p.cache.as_chunks_mut().0;
                normalize($centered, self.parts(), p.params, p.x, p.y, moments);
            }

            fn backward(&self, p: BackwardArgs<'_, T>) {
                let BackwardArgs {
                    params,
                    x,
                    cache,
                    delta,
                    dx: Some(mut dx),
                    ..
                } = p
                else {
                    return;
                };
                let (norm, groups) = self.parts();
                let (scale, ..) = norm.split(params, x.rows());
                let width = x.rows() / groups;
                let dy = delta.as_view();
                let dx = dx.as_mut_slice();
                let x = x.as_slice();
                let moments = cache.as_chunks().0;
                let dy = dy.as_slice();
                T::vectorize(NormSlopes {
                    centered: $centered,
                    width,
                    scale,
                    x,
                    moments,
                    dy,
                    dx,
                });
            }

            fn gradient(&self, p: GradientArgs<'_, T>) {
                let GradientArgs {
                    x,
                    cache,
                    delta,
                    grads,
                    ..
                } = p;
                let (norm, groups) = self.parts();
                let (dscale, dbias, _) = norm.split_mut(grads, x.rows());
                let width = x.rows() / groups;
                let x = x.as_slice();
                let moments = cache.as_chunks().0;
                let dy = delta.as_slice();
                T::vectorize(Sums {
                    groups,
                    width,
                    x,
                    moments,
                    dy,
                    dscale,
                    dbias,
                });
            }

            fn tangent(&self, p: TangentArgs<'_, T>) -> Result<()> {
                let TangentArgs {
                    params,
                    params_dot,
                    x,
                    x_dot,
                    mut y_dot,
                    cache,
                    ..
                } = p;
                let (norm, groups) = self.parts();
                let (scale, ..) = norm.split(params, x.rows());
                let (scale_dot, bias_dot, _) = norm.split(params_dot, x.rows());
                let width = x.rows() / groups;
                let moments = cache.as_chunks().0;
                let y_dot = y_dot.as_mut_slice();
                let (x, x_dot) = (x.as_slice(), x_dot.as_slice());
                T::vectorize(Along {
                    centered: $centered,
                    width,
                    scale,
                    scale_dot,
                    bias_dot,
                    x,
                    moments,
                    x_dot,
                    y_dot,
                });
                Ok(())
            }

            fn backward_tangent(&self, p: BackwardTangentArgs<'_, T>) -> Result<()> {
                let BackwardTangentArgs {
                    params,
                    params_dot,
                    x,
                    x_dot,
                    cache,
                    delta,
                    delta_dot,
                    dx,
                    grads_dot,
                    ..
                } = p;
                let (norm, groups) = self.parts();
                let (scale, ..) = norm.split(params, x.rows());
                let (scale_dot, ..) = norm.split(params_dot, x.rows());
                let (dscale, dbias, _) = norm.split_mut(grads_dot, x.rows());
                let width = x.rows() / groups;
                let moments = cache.as_chunks().0;
                let dy = delta.as_view();
                let dy_dot = delta_dot.as_view();
                let x = x.as_slice();
                let x_dot = x_dot.as_slice();
                let dy = dy.as_slice();
                let dy_dot = dy_dot.as_slice();
                let (mut dx, mut dx_dot) = dx.unzip();
                let dx = dx.as_mut().map_or(&mut [][..], |dx| dx.as_mut_slice());
                let dx_dot = dx_dot
                    .as_mut()
                    .map_or(&mut [][..], |dx_dot| dx_dot.as_mut_slice());
                let pass = BackAlong {
                    centered: $centered,
                    width,
                    scale,
                    scale_dot,
                    x,
                    moments,
                    x_dot,
                    dy,
                    dy_dot,
                    dx,
                    dx_dot,
                    dscale,
                    dbias,
                };
                T::vectorize(pass);
                Ok(())
            }
        }
    };
}
layer!(LayerNorm, true, false, |layer| (&layer.0, 1));
layer!(RmsNorm, false, false, |layer| (&layer.0, 1));
layer!(GroupNorm, true, true, |layer| (&layer.norm, layer.groups));

/// Where the features of one group after the other lie among those of a sample, over and over.
struct Groups {
    features: usize,
    width: usize,
    at: usize,
}

impl Groups {
    /// Groups of `width` features, as many as there are parameters for; of none any do.
    #[inline(always)]
    fn new(features: usize, width: usize) -> Self {
        let at = 0;
        Self {
            features,
            width,
            at,
        }
    }

    #[inline(always)]
    fn next(&mut self) -> Range<usize> {
        let start = self.at;
        let end = start + self.width;
        self.at = if end < self.features { end } else { 0 };
        start..end
    }
}

/// The parameters of a group; none where there are none.
#[inline(always)]
fn of<'a, T>(parameters: &'a [T], group: &Range<usize>) -> &'a [T] {
    parameters.get(group.clone()).unwrap_or_default()
}

#[inline(always)]
fn of_mut<'a, T>(parameters: &'a mut [T], group: &Range<usize>) -> &'a mut [T] {
    parameters.get_mut(group.clone()).unwrap_or_default()
}

/// y = γ·x̂ + β, and the moments of each group, where there is room for them.
fn normalize<T: Real>(
    centered: bool,
    (norm, groups): (&Norm, usize),
    params: &[T],
    x: View<'_, T>,
    mut y: ViewMut<'_, T>,
    moments: &mut [[T; 2]],
) {
    let (scale, bias, _) = norm.split(params, x.rows());
    T::vectorize(Normalize {
        centered,
        eps: norm.eps(),
        width: x.rows() / groups,
        scale,
        bias,
        x: x.as_slice(),
        y: y.as_mut_slice(),
        moments,
    });
}

/// y = γ·x̂ + β.
struct Normalize<'a, T> {
    centered: bool,
    eps: T,
    /// The features of a group, as in all that follow.
    width: usize,
    scale: &'a [T],
    bias: &'a [T],
    x: &'a [T],
    y: &'a mut [T],
    /// [μ, 1/√(v + ε)] of each group, to be overwritten; empty where nobody asks for them.
    moments: &'a mut [[T; 2]],
}

impl<T: Real> Pass for Normalize<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let mut kept = self.moments.iter_mut();
        let mut groups = Groups::new(self.scale.len().max(self.bias.len()), self.width);
        for (x, y) in self
            .x
            .chunks_exact(self.width)
            .zip(self.y.chunks_exact_mut(self.width))
        {
            let [mean, inverse] = moments(self.centered, x, self.eps);
            for (y, x) in y.iter_mut().zip(x) {
                *y = (*x - mean) * inverse;
            }
            let group = groups.next();
            multiply(y, of(self.scale, &group));
            add(y, of(self.bias, &group));
            if let Some(kept) = kept.next() {
                *kept = [mean, inverse];
            }
        }
    }
}

/// ∂C/∂x.
struct NormSlopes<'a, T> {
    centered: bool,
    width: usize,
    scale: &'a [T],
    x: &'a [T],
    moments: &'a [[T; 2]],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> Pass for NormSlopes<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = T::of(self.width as f64);
        let mut groups = Groups::new(self.scale.len(), self.width);
        let samples = self
            .x
            .chunks_exact(self.width)
            .zip(self.dy.chunks_exact(self.width))
            .zip(self.moments);
        for (dx, ((x, dy), [mean, inverse])) in self.dx.chunks_exact_mut(self.width).zip(samples) {
            dx.copy_from_slice(dy);
            multiply(dx, of(self.scale, &groups.next()));
            let level = if self.centered {
                sum_pairs(dx, dx, |g, _| g) / n
            } else {
                T::zero()
            };
            let tilt = sum_pairs(dx, x, |g, x| g * ((x - *mean) * *inverse)) / n;
            for (g, x) in dx.iter_mut().zip(x) {
                *g = *inverse * (*g - level - (*x - *mean) * *inverse * tilt);
            }
        }
    }
}

/// ∂C/∂γ and ∂C/∂β.
struct Sums<'a, T> {
    groups: usize,
    width: usize,
    x: &'a [T],
    moments: &'a [[T; 2]],
    dy: &'a [T],
    /// To be overwritten, as `dbias`; empty where there is none.
    dscale: &'a mut [T],
    dbias: &'a mut [T],
}

impl<T: Real> Pass for Sums<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let features = self.groups * self.width;
        let samples = self.x.len() / features;
        for group in 0..self.groups {
            let here = group * self.width..(group + 1) * self.width;
            let dscale = of_mut(self.dscale, &here);
            let dbias = of_mut(self.dbias, &here);
            // The features of this group, of some samples.
            let of_samples = |range: Range<usize>| {
                let all = range.start * features..range.end * features;
                let (x, dy) = (&self.x[all.clone()], &self.dy[all]);
                let pairs = x.chunks_exact(features).zip(dy.chunks_exact(features));
                let (moments, here) = (self.moments[group..].iter(), here.clone());
                pairs
                    .map(move |(x, dy)| (&x[here.clone()], &dy[here.clone()]))
                    .zip(moments.skip(range.start * self.groups).step_by(self.groups))
            };
            if samples > SAMPLES {
                over_samples(samples, [dscale, dbias], |[dscale, dbias], block, strip| {
                    add_terms(dscale, dbias, strip, of_samples(block));
                });
                continue;
            }
            dscale.fill(T::zero());
            dbias.fill(T::zero());
            add_terms(dscale, dbias, 0..self.width, of_samples(0..samples));
        }
    }
}

/// Adds the terms of ∂C/∂γ and ∂C/∂β, of a strip of the features, that samples (x, ∂C/∂y) have.
#[inline(always)]
fn add_terms<'a, T: Real>(
    dscale: &mut [T],
    dbias: &mut [T],
    strip: Range<usize>,
    samples: impl Iterator<Item = ((&'a [T], &'a [T]), &'a [T; 2])>,
) {
    for ((x, dy), [mean, inverse]) in samples {
        let (x, dy) = (&x[strip.clone()], &dy[strip.clone()]);
        for (sum, (dy, x)) in dscale.iter_mut().zip(dy.iter().zip(x)) {
            *sum += *dy * ((*x - *mean) * *inverse);
        }
        add(dbias, dy);
    }
}

/// The derivative of x̂ along a direction: (ẋ − mean(ẋ) − x̂·mean(ẋ ⊙ x̂))/√(v + ε), without
/// mean(ẋ) for RMS norm.
struct Motion<T> {
    mean: T,
    inverse: T,
    /// mean(ẋ) and mean(ẋ ⊙ x̂).
    level: T,
    tilt: T,
}

impl<T: Real> Motion<T> {
    #[inline(always)]
    fn of(centered: bool, x: &[T], x_dot: &[T], [mean, inverse]: [T; 2]) -> Self {
        let n = T::of(x.len() as f64);
        let level = if centered {
            sum_pairs(x_dot, x_dot, |d, _| d) / n
        } else {
            T::zero()
        };
        let tilt = sum_pairs(x_dot, x, |d, x| d * ((x - mean) * inverse)) / n;
        Self {
            mean,
            inverse,
            level,
            tilt,
        }
    }

    /// x̂ and its derivative.
    #[inline(always)]
    fn at(&self, x: T, x_dot: T) -> (T, T) {
        let normal = (x - self.mean) * self.inverse;
        (
            normal,
            self.inverse * (x_dot - self.level - normal * self.tilt),
        )
    }
}

/// ẏ.
struct Along<'a, T> {
    centered: bool,
    width: usize,
    scale: &'a [T],
    scale_dot: &'a [T],
    bias_dot: &'a [T],
    x: &'a [T],
    moments: &'a [[T; 2]],
    x_dot: &'a [T],
    y_dot: &'a mut [T],
}

impl<T: Real> Pass for Along<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let samples = self
            .x
            .chunks_exact(self.width)
            .zip(self.x_dot.chunks_exact(self.width))
            .zip(self.moments);
        let parameters = self.scale.len().max(self.bias_dot.len());
        let mut groups = Groups::new(parameters, self.width);
        for (y_dot, ((x, x_dot), moments)) in self.y_dot.chunks_exact_mut(self.width).zip(samples) {
            let group = groups.next();
            let motion = Motion::of(self.centered, x, x_dot, *moments);
            for (y_dot, (x, x_dot)) in y_dot.iter_mut().zip(x.iter().zip(x_dot)) {
                *y_dot = motion.at(*x, *x_dot).1;
            }
            multiply(y_dot, of(self.scale, &group));
            for ((y_dot, scale_dot), x) in y_dot.iter_mut().zip(of(self.scale_dot, &group)).zip(x) {
                *y_dot += *scale_dot * ((*x - motion.mean) * motion.inverse);
            }
            add(y_dot, of(self.bias_dot, &group));
        }
    }
}

/// The derivatives of ∂C/∂x, ∂C/∂γ and ∂C/∂β along a direction, and ∂C/∂x. With q = mean(ẋ ⊙ x̂),
/// by which (1/√(v + ε))˙ = −q/(v + ε), and x̂˙ the derivative of x̂:
///
/// ```text
/// (∂C/∂x)˙ = (ġ − mean(ġ) − x̂˙·mean(g ⊙ x̂) − x̂·mean(ġ ⊙ x̂ + g ⊙ x̂˙) − q·∂C/∂x)/√(v + ε)
/// ```
struct BackAlong<'a, T> {
    centered: bool,
    width: usize,
    scale: &'a [T],
    scale_dot: &'a [T],
    x: &'a [T],
    moments: &'a [[T; 2]],
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
        let n = T::of(self.width as f64);
        self.dscale.fill(T::zero());
        self.dbias.fill(T::zero());
        let (mut dx, mut dx_dot) = (
            self.dx.chunks_exact_mut(self.width),
            self.dx_dot.chunks_exact_mut(self.width),
        );
        let samples = self
            .x
            .chunks_exact(self.width)
            .zip(self.x_dot.chunks_exact(self.width))
            .zip(self.moments);
        let slopes = self
            .dy
            .chunks_exact(self.width)
            .zip(self.dy_dot.chunks_exact(self.width));
        let parameters = self.scale.len().max(self.dbias.len());
        let mut groups = Groups::new(parameters, self.width);
        for (((x, x_dot), moments), (dy, dy_dot)) in samples.zip(slopes) {
            let group = groups.next();
            let motion = Motion::of(self.centered, x, x_dot, *moments);
            for ((sum, (dy, dy_dot)), (x, x_dot)) in of_mut(self.dscale, &group)
                .iter_mut()
                .zip(dy.iter().zip(dy_dot))
                .zip(x.iter().zip(x_dot))
            {
                let (normal, normal_dot) = motion.at(*x, *x_dot);
                *sum += *dy_dot * normal + *dy * normal_dot;
            }
            add(of_mut(self.dbias, &group), dy_dot);
            let (Some(dx), Some(dx_dot)) = (dx.next(), dx_dot.next()) else {
                continue;
            };
            // g and its derivative.
            dx.copy_from_slice(dy);
            multiply(dx, of(self.scale, &group));
            dx_dot.copy_from_slice(dy_dot);
            multiply(dx_dot, of(self.scale, &group));
            for ((g_dot, dy), scale_dot) in
                dx_dot.iter_mut().zip(dy).zip(of(self.scale_dot, &group))
            {
                *g_dot += *dy * *scale_dot;
            }
            let plain = |g: &[T]| {
                if self.centered {
                    sum_pairs(g, g, |g, _| g) / n
                } else {
                    T::zero()
                }
            };
            let normal =
                |g: &[T]| sum_pairs(g, x, |g, x| g * ((x - motion.mean) * motion.inverse)) / n;
            let level = plain(dx);
            let tilt = normal(dx);
            let level_dot = plain(dx_dot);
            let along = motion.inverse
                * (sum_pairs(dx, x_dot, |g, x_dot| g * x_dot) / n
                    - motion.level * level
                    - motion.tilt * tilt);
            let tilt_dot = normal(dx_dot) + along;
            for ((g, g_dot), (x, x_dot)) in dx.iter_mut().zip(dx_dot).zip(x.iter().zip(x_dot)) {
                let (normal, normal_dot) = motion.at(*x, *x_dot);
                *g = motion.inverse * (*g - level - normal * tilt);
                *g_dot = motion.inverse
                    * (*g_dot
                        - level_dot
                        - normal_dot * tilt
                        - normal * tilt_dot
                        - motion.tilt * *g);
            }
        }
    }
}

/// [μ, 1/√(v + ε)] of a group; of RMS norm μ is 0.
#[inline(always)]
fn moments<T: Real>(centered: bool, x: &[T], eps: T) -> [T; 2] {
    let one = T::one();
    let [mean, variance] = plain_moments(centered, x, one);
    if variance.is_finite() {
        [mean, one / (variance + eps).sqrt()]
    } else {
        scaled_moments(centered, x, eps)
    }
}

/// [`moments`] where squares overflow, or there is a NaN or ∞, which stays one: the same of
/// x/max|x|.
#[cold]
#[inline(never)]
fn scaled_moments<T: Real>(centered: bool, x: &[T], eps: T) -> [T; 2] {
    let max = x.iter().fold(T::zero(), |max, x| {
        if magnitude(*x) > max {
            magnitude(*x)
        } else {
            max
        }
    });
    let factor = T::one() / max;
    let [mean, variance] = plain_moments(centered, x, factor);
    [
        mean * max,
        factor / (variance + eps * factor * factor).sqrt(),
    ]
}

/// [μ, v] of x times a factor.
#[inline(always)]
fn plain_moments<T: Real>(centered: bool, x: &[T], factor: T) -> [T; 2] {
    let n = T::of(x.len() as f64);
    let mean = if centered {
        // From the first feature on: of a constant sample the differences are exactly 0, however
        // large it is.
        let first = x[0] * factor;
        first + sum_pairs(x, x, |x, _| x * factor - first) / n
    } else {
        T::zero()
    };
    let square = |x: T| {
        let d = x * factor - mean;
        d * d
    };
    [mean, sum_pairs(x, x, |x, _| square(x)) / n]
}
