//! What the normalizing layers share: ε, and the scale γ and the bias β of what is normalized.

use crate::error::Result;
use crate::nn::layer::{Block, Role};
use crate::numeric::bounds::POSITIVE_IN_SCALAR;
use crate::numeric::real::Real;
use alloc::{format, string::String, vec::Vec};

/// The options of a normalizing layer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub(super) struct Norm {
    /// `None` is the machine epsilon of the scalar.
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "serde::Deserialize::deserialize")
    )]
    pub(super) eps: Option<f64>,
    pub(super) scale: bool,
    pub(super) bias: bool,
}

impl Norm {
    pub(super) fn with_eps(self, eps: f64) -> Self {
        let eps = Some(eps);
        Self { eps, ..self }
    }

    pub(super) fn without_scale(self) -> Self {
        let scale = false;
        Self { scale, ..self }
    }

    pub(super) fn without_bias(self) -> Self {
        let bias = false;
        Self { bias, ..self }
    }

    /// ε as the scalar has it.
    pub(super) fn eps<T: Real>(&self) -> T {
        self.eps.map_or_else(T::default_epsilon, T::of)
    }

    /// ε must be sound in `T`: without it a constant input is 0/0.
    pub(super) fn check<T: Real>(&self) -> Result<()> {
        self.eps
            .map_or(Ok(()), |eps| POSITIVE_IN_SCALAR.check_in::<T>("eps", eps))
    }

    /// The options by name, as in [`Layer::describe`](crate::nn::layer::Layer::describe).
    pub(super) fn describe(&self) -> String {
        let eps = self.eps.map_or_else(
            || String::from("epsilon of the scalar"),
            |eps| format!("{eps}"),
        );
        format!("eps={eps}, scale={}, bias={}", self.scale, self.bias)
    }

    /// How many γ and β there are: the only place that says where they lie.
    fn lens(&self, inputs: usize) -> [usize; 2] {
        [self.scale, self.bias].map(|here| if here { inputs } else { 0 })
    }

    /// The blocks of γ and β.
    pub(super) fn blocks(&self, inputs: usize) -> Vec<Block> {
        let blocks = [("scale", Role::Scale), ("bias", Role::Bias)];
        let blocks = blocks
            .into_iter()
            .zip(self.lens(inputs))
            .filter(|(_, len)| *len > 0);
        blocks
            .map(|((name, role), len)| Block::new(name, role, len, 1))
            .collect()
    }

    /// γ starts at 1, β at 0.
    pub(super) fn start<T: Real>(&self, params: &mut [T], inputs: usize) {
        self.split_mut(params, inputs).0.fill(T::one());
    }

    /// γ, β and the parameters that follow. γ and β are empty where there are none, and a loop over
    /// an empty slice scales and adds nothing.
    pub(super) fn split<'a, T>(
        &self,
        params: &'a [T],
        inputs: usize,
    ) -> (&'a [T], &'a [T], &'a [T]) {
        let [scales, biases] = self.lens(inputs);
        let (scale, rest) = params.split_at(scales);
        let (bias, rest) = rest.split_at(biases);
        (scale, bias, rest)
    }

    /// [`split`](Self::split) of what is to be written.
    pub(super) fn split_mut<'a, T>(
        &self,
        params: &'a mut [T],
        inputs: usize,
    ) -> (&'a mut [T], &'a mut [T], &'a mut [T]) {
        let [scales, biases] = self.lens(inputs);
        let (scale, rest) = params.split_at_mut(scales);
        let (bias, rest) = rest.split_at_mut(biases);
        (scale, bias, rest)
    }
}

/// y ← γ ⊙ y.
#[inline(always)]
pub(super) fn multiply<T: Real>(y: &mut [T], scale: &[T]) {
    for (y, scale) in y.iter_mut().zip(scale) {
        *y *= *scale;
    }
}

/// y ← y + β.
#[inline(always)]
pub(super) fn add<T: Real>(y: &mut [T], bias: &[T]) {
    for (y, bias) in y.iter_mut().zip(bias) {
        *y += *bias;
    }
}
