//! Some layers as one.

use super::built_in;
use crate::nn::layer::{Composite, Layer, Parts};
use crate::numeric::real::Real;
use alloc::{format, string::String, sync::Arc, vec::Vec};

/// Some layers as one, each behind the other: y = f_L(… f₂(f₁(x)) …). It is what branches of
/// [`Residual`](crate::nn::Residual) and [`Parallel`](crate::nn::Parallel) are made of. A chain
/// without layers hands on its input.
///
/// Its parameters are named as in PyTorch's `nn.Sequential`: in a chain that is layer 2 of a
/// network, `2.0.weight`, `2.0.bias`, and so on. As there, the activation of a
/// [`Dense`](crate::Dense) layer counts as a module of its own unless it is linear.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::{Chain, LayerNorm};
/// let block = |width| {
///     Chain::new().layer(LayerNorm::new()).layer(Dense::new(width, Activation::Gelu))
/// };
/// let net = Sequential::<f64>::builder(3)
///     .layer(block(8))
///     .layer(block(4))
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// assert_eq!(net.layers().len(), 3);
/// assert_eq!(net.weights([1, 1])?.shape(), (4, 8));
/// let names: Vec<_> = net.named_parameters().map(|parameter| parameter.name).collect();
/// assert_eq!(names[4..6], ["1.0.weight", "1.0.bias"]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("nn.Sequential", "Block"))]
pub struct Chain<T: Real> {
    layers: Vec<Arc<dyn Layer<T>>>,
}

impl<T: Real> Chain<T> {
    /// A chain without layers.
    pub fn new() -> Self {
        Self { layers: Vec::new() }
    }

    /// Puts a layer on top.
    #[must_use]
    pub fn layer(mut self, layer: impl Layer<T>) -> Self {
        self.layers.push(layer.shared());
        self
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[Arc<dyn Layer<T>>] {
        &self.layers
    }

    /// The same for another scalar; `None` with layers of other crates.
    pub(crate) fn cast<U: Real>(self) -> Option<Chain<U>> {
        let layers = self.layers.iter().map(built_in::cast);
        Some(Chain {
            layers: layers.collect::<Option<_>>()?,
        })
    }
}

impl<T: Real> Default for Chain<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Of layers that are there already, such as some of a network's.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::Chain;
/// let net = Sequential::<f64>::builder(2)
///     .layer(Dense::new(3, Activation::Tanh))
///     .layer(Dense::new(1, Activation::Linear))
///     .build()?;
/// let all: Chain<f64> = net.layers().iter().cloned().collect();
/// let nested = Sequential::builder(2).layer(all).build()?;
/// assert_eq!(nested.params(), net.params());
/// # Ok::<(), Error>(())
/// ```
impl<T: Real> FromIterator<Arc<dyn Layer<T>>> for Chain<T> {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Layer<T>>>>(layers: I) -> Self {
        Self {
            layers: layers.into_iter().collect(),
        }
    }
}

/// The same layers, by their `Debug` form.
impl<T: Real> PartialEq for Chain<T> {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl<T: Real> From<Chain<T>> for Parts<T> {
    fn from(chain: Chain<T>) -> Self {
        Self::chain(&chain.layers)
    }
}

impl<T: Real> Composite for Chain<T> {
    type Scalar = T;

    fn name(&self) -> String {
        String::from("Chain")
    }

    fn parts(&self) -> Parts<T> {
        Parts::chain(&self.layers)
    }
}

#[cfg(feature = "serde")]
mod serde {
    use super::Chain;
    use crate::nn::layers::built_in::{BuiltIn, described};
    use crate::numeric::real::Real;
    use ::serde::{Deserialize, Deserializer, Serialize, Serializer};
    use alloc::vec::Vec;

    #[derive(Serialize, Deserialize)]
    #[serde(rename = "Chain", bound = "T: Real", deny_unknown_fields)]
    struct Data<T: Real> {
        layers: Vec<BuiltIn<T>>,
    }

    impl<T: Real> Serialize for Chain<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let layers = self.layers.iter().map(described::<T, S::Error>);
            let layers = layers.collect::<Result<_, _>>()?;
            Data { layers }.serialize(serializer)
        }
    }

    impl<'de, T: Real> Deserialize<'de> for Chain<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Data { layers } = Data::<T>::deserialize(deserializer)?;
            Ok(layers.into_iter().map(BuiltIn::layer).collect())
        }
    }
}
