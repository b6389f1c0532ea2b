//! How a network is put together.

use crate::error::Result;
#[cfg(feature = "serde")]
use crate::error::{Error, ErrorKind};
use crate::nn::flatten::Flat;
use crate::nn::layer::{Layer, Parts};
#[cfg(feature = "safetensors")]
use crate::nn::layout::Layout;
use crate::nn::sequential::Sequential;
use crate::numeric::bounds::{not_empty, some};
use crate::numeric::compiled::compiled_here;
use crate::numeric::random::stream;
use crate::numeric::real::{Real, zeros};
use alloc::{sync::Arc, vec::Vec};
use rand::Rng;

/// Puts a [`Sequential`] together; made by [`Sequential::builder`].
///
/// ```
/// use chainrule::prelude::*;
/// let build = |seed| {
///     Sequential::<f64>::builder(2)
///         .layer(Dense::new(3, Activation::Tanh))
///         .layer(Dense::new(1, Activation::Linear))
///         .seed(seed)
///         .build()
/// };
/// assert_eq!(build(1)?, build(1)?); // the same seed, the same bits
/// assert_ne!(build(1)?, build(2)?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder<T: Real> {
    inputs: usize,
    layers: Vec<Arc<dyn Layer<T>>>,
    seed: u64,
}

impl<T: Real> Sequential<T> {
    /// A builder for a network with this many inputs.
    pub fn builder(inputs: usize) -> Builder<T> {
        Builder {
            inputs,
            layers: Vec::new(),
            seed: 0,
        }
    }
}

impl<T: Real> Builder<T> {
    /// Puts a layer on top.
    #[must_use]
    pub fn layer(self, layer: impl Layer<T>) -> Self {
        self.shared(layer.shared())
    }

    /// Puts a layer on top that other networks may have, too.
    #[must_use]
    pub(crate) fn shared(mut self, layer: Arc<dyn Layer<T>>) -> Self {
        self.layers.push(layer);
        self
    }

    /// The seed from which [`build`](Self::build) starts the parameters. Without it the seed is 0.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The network, with all widths fixed and its parameters started at random, layer after layer.
    /// The same [`seed`](Self::seed) gives the same bits in every run and on every platform: those
    /// of [`build_with`](Self::build_with) and `Xoshiro256PlusPlus::seed_from_u64(seed)`.
    ///
    /// # Errors
    /// Without inputs or layers, and when a layer refuses its inputs or its own configuration; the
    /// error names the layer.
    pub fn build(self) -> Result<Sequential<T>> {
        compiled_here!(T: |builder: Builder<T>| -> Result<Sequential<T>> {
            let mut rng = stream(builder.seed);
            builder.build_with(&mut rng)
        })(self)
    }

    /// As [`build`](Self::build), with random numbers from a generator of your own. The seed is not
    /// used.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::rand::SeedableRng;
    /// use chainrule::rand::rngs::Xoshiro256PlusPlus;
    /// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    /// let build = |rng: &mut _| {
    ///     Sequential::<f64>::builder(2).layer(Dense::new(1, Activation::Tanh)).build_with(rng)
    /// };
    /// assert_ne!(build(&mut rng)?, build(&mut rng)?); // two networks from one generator
    /// # Ok::<(), Error>(())
    /// ```
    pub fn build_with(self, rng: &mut impl Rng) -> Result<Sequential<T>> {
        let mut net = self.build_at_zero()?;
        net.reset_with(rng);
        Ok(net)
    }

    /// [`build`](Self::build) with all parameters 0.
    pub(crate) fn build_at_zero(self) -> Result<Sequential<T>> {
        let flat = self.flat()?;
        let params = zeros("parameters of Sequential", &[flat.layout.param_count()])?;
        Ok(Sequential::from_parts(self.layers, flat, params))
    }

    /// [`build`](Self::build) with these parameters.
    #[cfg(feature = "serde")]
    pub(crate) fn build_at(self, params: Vec<T>) -> Result<Sequential<T>> {
        let flat = self.flat()?;
        if params.len() != flat.layout.param_count() {
            let expected = alloc::format!("{} parameters", flat.layout.param_count());
            return Err(Error::new(
                ErrorKind::Shape,
                "Sequential",
                expected,
                params.len(),
            ));
        }
        let net = Sequential::from_parts(self.layers, flat, params);
        net.check_values(net.params())?;
        Ok(net)
    }

    /// Fixes every width, without memory for parameters.
    #[cfg(feature = "safetensors")]
    pub(crate) fn layout(&self) -> Result<Layout> {
        Ok(self.flat()?.layout)
    }

    fn flat(&self) -> Result<Flat<T>> {
        const PLACE: &str = "Sequential::builder";
        some(PLACE, "at least 1 input", self.inputs as u64)?;
        not_empty(PLACE, "at least 1 layer", self.layers.len())?;
        let flat = Flat::of(self.inputs, &Parts::chain(&self.layers))?;
        let expected = "at least 1 layer that does not only hand on its input";
        not_empty(PLACE, expected, flat.leaves.len())?;
        Ok(flat)
    }
}
