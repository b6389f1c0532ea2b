//! The rectifier whose slope below 0 is learned.

use crate::error::Result;
use crate::nn::layer::{
    BackwardArgs, BackwardTangentArgs, Block, GradientArgs, InferArgs, InitParamsArgs, Layer, Role,
    TangentArgs,
};
use crate::numeric::bounds::FINITE;
use crate::numeric::kernel::Pass;
use crate::numeric::real::{Real, SAMPLES, over_samples, sum};
use alloc::{format, string::String, vec, vec::Vec};

/// The parametric ReLU (He, Zhang, Ren & Sun 2015): a leaky ReLU whose slope a is a parameter, one
/// for all features or one of each.
///
/// ```text
/// yⱼ = xⱼ for xⱼ > 0, aⱼ·xⱼ else
/// ∂C/∂xⱼ = ∂C/∂yⱼ for xⱼ > 0, aⱼ·∂C/∂yⱼ else,  ∂C/∂aⱼ = Σ over the samples of ∂C/∂yⱼ·min(xⱼ, 0)
/// ```
///
/// Input and output are features × samples. The definition is that of PyTorch's `nn.PReLU`, as are
/// one shared slope and the start at ¼; Keras learns one of each feature and starts at 0. The
/// slopes have the role [`Role::Scale`]: penalties on weights pass them over, as the authors
/// advise, since decay would make a plain ReLU of them. At x = 0 the derivative is a.
///
/// ```
/// use chainrule::Sequential;
/// use chainrule::nalgebra::DVector;
/// use chainrule::nn::Prelu;
/// let net = Sequential::<f64>::builder(2).layer(Prelu::new().per_feature()).seed(1).build()?;
/// assert_eq!(net.params(), [0.25, 0.25]);
/// let y = net.predict(&DVector::from_vec(vec![-2.0, 3.0]))?;
/// assert_eq!(y.as_slice(), [-0.5, 3.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[doc(alias("PReLU"))]
pub struct Prelu {
    /// Where the slopes start.
    slope: f64,
    per_feature: bool,
}

impl Prelu {
    /// One slope for all features, which starts at ¼.
    pub fn new() -> Self {
        Self {
            slope: 0.25,
            per_feature: false,
        }
    }

    /// A slope of its own for each feature.
    #[must_use]
    pub fn per_feature(self) -> Self {
        Self {
            per_feature: true,
            ..self
        }
    }

    /// Starts the slopes at this finite number.
    #[must_use]
    pub fn slope(self, slope: f64) -> Self {
        Self { slope, ..self }
    }
}

impl Default for Prelu {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for Prelu {
    shared!(Prelu);

    fn name(&self) -> String {
        "Prelu".into()
    }

    /// The first slope is over when training goes on.
    fn describe(&self) -> String {
        format!("Prelu(per_feature={})", self.per_feature)
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        FINITE
            .named("a finite number that the scalar can hold")
            .check_in::<T>("slope", self.slope)?;
        Ok(inputs)
    }

    fn blocks(&self, inputs: usize) -> Vec<Block> {
        vec![Block::new(
            "slope",
            Role::Scale,
            if self.per_feature { inputs } else { 1 },
            1,
        )]
    }

    fn init_params(&self, p: InitParamsArgs<'_, T>) {
        p.params.fill(T::of(self.slope));
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        let width = p.x.rows();
        T::vectorize(Values {
            width,
            slopes: p.params,
            x: p.x.as_slice(),
            y: p.y.as_mut_slice(),
        });
    }

    fn backward(&self, p: BackwardArgs<'_, T>) {
        if let Some(mut dx) = p.dx {
            let dy = p.delta.as_view();
            T::vectorize(Scaled {
                width: p.x.rows(),
                slopes: p.params,
                x: p.x.as_slice(),
                dy: dy.as_slice(),
                to: dx.as_mut_slice(),
            });
        }
    }

    fn gradient(&self, p: GradientArgs<'_, T>) {
        T::vectorize(Sums {
            width: p.x.rows(),
            x: p.x.as_slice(),
            dy: p.delta.as_slice(),
            sums: p.grads,
            along: None,
        });
    }

    /// ẏ = a·ẋ + ȧ·x below 0.
    fn tangent(&self, mut p: TangentArgs<'_, T>) -> Result<()> {
        let width = p.x.rows();
        let (x, slopes_dot) = (p.x.as_slice(), p.params_dot);
        T::vectorize(Scaled {
            width,
            slopes: p.params,
            x,
            dy: p.x_dot.as_slice(),
            to: p.y_dot.as_mut_slice(),
        });
        T::vectorize(AddBelow {
            width,
            slopes: slopes_dot,
            x,
            by: x,
            to: p.y_dot.as_mut_slice(),
        });
        Ok(())
    }

    fn backward_tangent(&self, p: BackwardTangentArgs<'_, T>) -> Result<()> {
        let width = p.x.rows();
        let x = p.x.as_slice();
        let dy = p.delta.as_view();
        let dy_dot = p.delta_dot.as_view();
        let along = Some((p.x_dot.as_slice(), dy_dot.as_slice()));
        T::vectorize(Sums {
            width,
            x,
            dy: dy.as_slice(),
            sums: p.grads_dot,
            along,
        });
        if let Some((mut dx, mut dx_dot)) = p.dx {
            T::vectorize(Scaled {
                width,
                slopes: p.params,
                x,
                dy: dy.as_slice(),
                to: dx.as_mut_slice(),
            });
            T::vectorize(Scaled {
                width,
                slopes: p.params,
                x,
                dy: dy_dot.as_slice(),
                to: dx_dot.as_mut_slice(),
            });
            T::vectorize(AddBelow {
                width,
                slopes: p.params_dot,
                x,
                by: dy.as_slice(),
                to: dx_dot.as_mut_slice(),
            });
        }
        Ok(())
    }
}

/// The slope of each feature of a sample; one that is shared is repeated.
#[inline(always)]
fn each<T: Real>(slopes: &[T]) -> impl Iterator<Item = T> {
    let shared = if slopes.len() == 1 { usize::MAX } else { 1 };
    slopes
        .iter()
        .flat_map(move |slope| core::iter::repeat_n(*slope, shared))
}

/// y = x above 0, a·x else.
struct Values<'a, T> {
    width: usize,
    slopes: &'a [T],
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Pass for Values<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (y, x) in self
            .y
            .chunks_exact_mut(self.width)
            .zip(self.x.chunks_exact(self.width))
        {
            for ((y, x), slope) in y.iter_mut().zip(x).zip(each(self.slopes)) {
                // A slope of 0 times −∞ is no number, but the limit is 0.
                let below = if slope == T::zero() && *x < T::zero() {
                    T::zero()
                } else {
                    slope * *x
                };
                *y = if *x > T::zero() { *x } else { below };
            }
        }
    }
}

/// to = dy above 0, a·dy else.
struct Scaled<'a, T> {
    width: usize,
    slopes: &'a [T],
    x: &'a [T],
    dy: &'a [T],
    to: &'a mut [T],
}

impl<T: Real> Pass for Scaled<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let samples = self
            .x
            .chunks_exact(self.width)
            .zip(self.dy.chunks_exact(self.width));
        for (to, (x, dy)) in self.to.chunks_exact_mut(self.width).zip(samples) {
            for ((to, (x, dy)), slope) in to.iter_mut().zip(x.iter().zip(dy)).zip(each(self.slopes))
            {
                *to = if *x > T::zero() { *dy } else { slope * *dy };
            }
        }
    }
}

/// to ← to + a·by where x is not above 0.
struct AddBelow<'a, T> {
    width: usize,
    slopes: &'a [T],
    x: &'a [T],
    by: &'a [T],
    to: &'a mut [T],
}

impl<T: Real> Pass for AddBelow<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let samples = self
            .x
            .chunks_exact(self.width)
            .zip(self.by.chunks_exact(self.width));
        for (to, (x, by)) in self.to.chunks_exact_mut(self.width).zip(samples) {
            for ((to, (x, by)), slope) in to.iter_mut().zip(x.iter().zip(by)).zip(each(self.slopes))
            {
                let more = slope * *by;
                *to += if *x > T::zero() { T::zero() } else { more };
            }
        }
    }
}

/// Σ dy·x below 0, or of what that is along a direction: ẋ and the derivative of dy.
struct Sums<'a, T> {
    width: usize,
    x: &'a [T],
    dy: &'a [T],
    /// To be overwritten: of each feature, or of all.
    sums: &'a mut [T],
    along: Option<(&'a [T], &'a [T])>,
}

impl<T: Real> Pass for Sums<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let below = |at: usize| {
            let (x, dy) = (self.x[at], self.dy[at]);
            let product = match self.along {
                None => dy * x,
                Some((x_dot, dy_dot)) => dy_dot[at] * x + dy * x_dot[at],
            };
            if x > T::zero() { T::zero() } else { product }
        };
        let width = self.width;
        let samples = self.x.len() / width;
        if let [shared] = self.sums {
            // A sample by itself first: one sum of all would lose more digits.
            let sample =
                |i: usize| (i * width..(i + 1) * width).fold(T::zero(), |sum, at| sum + below(at));
            *shared = sum(samples, (0..samples).map(sample));
            return;
        }
        if samples > SAMPLES {
            return over_samples(samples, [self.sums, &mut []], |[sums, _], block, strip| {
                block.for_each(|i| add_terms(sums, i * width + strip.start, &below));
            });
        }
        self.sums.fill(T::zero());
        (0..samples).for_each(|i| add_terms(self.sums, i * width, &below));
    }
}

/// Adds the terms of a sample, the first at `start`.
#[inline(always)]
fn add_terms<T: Real>(sums: &mut [T], start: usize, term: &impl Fn(usize) -> T) {
    for (feature, sum) in sums.iter_mut().enumerate() {
        *sum += term(start + feature);
    }
}
