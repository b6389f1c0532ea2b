//! Layers with a skip around them.

use super::built_in;
use crate::nn::layer::{Composite, Layer, Parts};
use crate::numeric::real::Real;
use alloc::{borrow::Cow, format, string::String, sync::Arc};

/// A residual block: y = x + f(x) of layers f (He, Zhang, Ren & Sun 2016). The gradient reaches
/// what is below past f, so that many blocks can be trained on top of each other.
///
/// f has as many outputs as inputs. Where it has others, a [`projection`](Self::projection) of the
/// input makes the skip as wide: y = P·x + f(x).
///
/// In files the parameters are those of PyTorch modules `body` and `projection`: in a block that is
/// layer 2 of a network, `2.body.0.weight` of a body that is a [`Chain`](crate::nn::Chain), and
/// `2.projection.weight`. In [paths](crate::nn::LayerPath) part 0 is the body, part 1 the skip or
/// the projection.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::{Chain, LayerNorm, Residual};
/// let block = || {
///     let body = Chain::new()
///         .layer(LayerNorm::new())
///         .layer(Dense::new(32, Activation::Relu))
///         .layer(Dense::new(8, Activation::Linear));
///     Residual::new(body)
/// };
/// let net = Sequential::<f64>::builder(4)
///     .layer(Dense::new(8, Activation::Linear))
///     .layer(block())
///     .layer(block())
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// println!("{net}"); // with the parts of each block
///
/// let wider = Residual::new(Dense::new(16, Activation::Tanh))
///     .projection(Dense::new(16, Activation::Linear).without_bias());
/// let net = Sequential::<f64>::builder(4).layer(wider).seed(1).build()?;
/// assert_eq!(net.weights([0, 1])?.shape(), (16, 4));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("skip", "shortcut", "resnet", "additionLayer", "Add"))]
pub struct Residual<T: Real> {
    body: Arc<dyn Layer<T>>,
    projection: Option<Arc<dyn Layer<T>>>,
}

impl<T: Real> Residual<T> {
    /// A skip around `body`, which is a [`Chain`](crate::nn::Chain) of layers or a single one.
    pub fn new(body: impl Layer<T>) -> Self {
        Self {
            body: body.shared(),
            projection: None,
        }
    }

    /// Adds P(x) in place of x, by a layer with as many outputs as the body: mostly a linear
    /// [`Dense`](crate::Dense).
    #[must_use]
    pub fn projection(self, projection: impl Layer<T>) -> Self {
        Self {
            projection: Some(projection.shared()),
            ..self
        }
    }

    /// Of layers that are there already.
    #[cfg(any(feature = "onnx", feature = "safetensors"))]
    pub(crate) fn of(body: Arc<dyn Layer<T>>, projection: Option<Arc<dyn Layer<T>>>) -> Self {
        Self { body, projection }
    }

    #[cfg(feature = "safetensors")]
    pub(crate) fn body(&self) -> &Arc<dyn Layer<T>> {
        &self.body
    }

    /// The projection, if there is one.
    #[cfg(feature = "safetensors")]
    pub(crate) fn projected(&self) -> Option<&Arc<dyn Layer<T>>> {
        self.projection.as_ref()
    }

    /// The same for another scalar; `None` with layers of other crates.
    pub(crate) fn cast<U: Real>(self) -> Option<Residual<U>> {
        let projection = self.projection.as_ref().map(built_in::cast);
        let projection = match projection {
            Some(projection) => Some(projection?),
            None => None,
        };
        Some(Residual {
            body: built_in::cast(&self.body)?,
            projection,
        })
    }
}

/// The same layers, by their `Debug` form.
impl<T: Real> PartialEq for Residual<T> {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl<T: Real> Composite for Residual<T> {
    type Scalar = T;

    fn name(&self) -> String {
        String::from("Residual")
    }

    fn parts(&self) -> Parts<T> {
        let parts = Parts::add().part(Cow::Borrowed("body"), Some(self.body.clone()));
        let parts = match &self.projection {
            None => parts.skip(),
            Some(projection) => parts.part(Cow::Borrowed("projection"), Some(projection.clone())),
        };
        Parts {
            cure: " (Residual::projection makes the skip as wide as the body)",
            ..parts
        }
    }
}

#[cfg(feature = "serde")]
mod serde {
    use super::Residual;
    use crate::nn::layers::built_in::{BuiltIn, described};
    use crate::numeric::real::Real;
    use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename = "Residual", bound = "T: Real", deny_unknown_fields)]
    struct Data<T: Real> {
        body: BuiltIn<T>,
        #[serde(deserialize_with = "Deserialize::deserialize")]
        projection: Option<BuiltIn<T>>,
    }

    impl<T: Real> Serialize for Residual<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let projection = self.projection.as_ref().map(described::<T, S::Error>);
            Data {
                body: described(&self.body)?,
                projection: projection.transpose()?,
            }
            .serialize(serializer)
        }
    }

    impl<'de, T: Real> Deserialize<'de> for Residual<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Data { body, projection } = Data::<T>::deserialize(deserializer)?;
            Ok(Self {
                body: body.layer(),
                projection: projection.map(BuiltIn::layer),
            })
        }
    }
}
