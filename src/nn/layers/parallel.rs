//! Branches over the same input.

use super::built_in;
use crate::nn::layer::{Composite, Join, Layer, Parts};
use crate::numeric::real::Real;
use alloc::{format, string::String, sync::Arc, vec::Vec};

/// Branches over the same input, whose outputs are stacked: all of branch 0, then all of branch 1,
/// and so on. With [`add`](Self::add) they are summed instead, and have as many outputs each.
///
/// A branch is a layer, mostly a [`Chain`](crate::nn::Chain); one without layers hands on the
/// input. In files the parameters are those of PyTorch modules `branch0`, `branch1`, …: in layer 2
/// of a network, `2.branch1.0.weight` of a branch that is a chain.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::{Chain, Parallel};
/// // Wide & deep: what is linear in the inputs beside what is not.
/// let deep = Chain::new()
///     .layer(Dense::new(16, Activation::Relu))
///     .layer(Dense::new(1, Activation::Linear));
/// let both = Parallel::new().branch(Dense::new(1, Activation::Linear)).branch(deep);
/// let net = Sequential::<f64>::builder(3).layer(both.clone().add()).seed(1).build()?;
/// assert_eq!((net.outputs(), net.weights([0, 1, 0])?.shape()), (1, (16, 3)));
///
/// let stacked = Sequential::builder(3).layer(both).seed(1).build()?;
/// let x = DVector::from_vec(vec![0.1, 0.2, 0.3]);
/// assert_eq!(stacked.predict(&x)?.sum(), net.predict(&x)?[0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias(
    "Concatenate",
    "concat",
    "branches",
    "towers",
    "depthConcatenationLayer"
))]
pub struct Parallel<T: Real> {
    branches: Vec<Arc<dyn Layer<T>>>,
    join: Join,
}

impl<T: Real> Parallel<T> {
    /// Stacks branches, of which there are none yet.
    pub fn new() -> Self {
        Self {
            branches: Vec::new(),
            join: Join::Stack,
        }
    }

    /// One more branch.
    #[must_use]
    pub fn branch(mut self, branch: impl Layer<T>) -> Self {
        self.branches.push(branch.shared());
        self
    }

    /// Adds the outputs of the branches in place of stacking them.
    #[must_use]
    pub fn add(self) -> Self {
        Self {
            join: Join::Add,
            ..self
        }
    }

    /// The branches, in their order.
    pub fn branches(&self) -> &[Arc<dyn Layer<T>>] {
        &self.branches
    }

    /// Of branches that are there already.
    #[cfg(any(feature = "onnx", feature = "safetensors"))]
    pub(crate) fn of(branches: Vec<Arc<dyn Layer<T>>>, join: Join) -> Self {
        Self { branches, join }
    }

    #[cfg(feature = "safetensors")]
    pub(crate) fn join(&self) -> Join {
        self.join
    }

    /// The same for another scalar; `None` with layers of other crates.
    pub(crate) fn cast<U: Real>(self) -> Option<Parallel<U>> {
        let branches = self.branches.iter().map(built_in::cast);
        Some(Parallel {
            branches: branches.collect::<Option<_>>()?,
            join: self.join,
        })
    }
}

impl<T: Real> Default for Parallel<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The same branches, by their `Debug` form.
impl<T: Real> PartialEq for Parallel<T> {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl<T: Real> Composite for Parallel<T> {
    type Scalar = T;

    fn name(&self) -> String {
        String::from(match self.join {
            Join::Stack => "Parallel",
            Join::Add => "Parallel add",
        })
    }

    /// How branches are joined, the parts say.
    fn describe(&self) -> String {
        self.parts().describe("Parallel")
    }

    fn parts(&self) -> Parts<T> {
        let empty = match self.join {
            Join::Stack => Parts::stack(),
            Join::Add => Parts::add(),
        };
        let branches = self.branches.iter().enumerate();
        let parts = branches.fold(empty, |parts, (index, branch)| {
            parts.part(format!("branch{index}").into(), Some(branch.clone()))
        });
        Parts {
            cure: " (without Parallel::add they are stacked)",
            ..parts
        }
    }
}

#[cfg(feature = "serde")]
mod serde {
    use super::Parallel;
    use crate::nn::layer::Join;
    use crate::nn::layers::built_in::{BuiltIn, described};
    use crate::numeric::real::Real;
    use ::serde::{Deserialize, Deserializer, Serialize, Serializer};
    use alloc::vec::Vec;

    #[derive(Serialize, Deserialize)]
    #[serde(rename = "Parallel", bound = "T: Real", deny_unknown_fields)]
    struct Data<T: Real> {
        branches: Vec<BuiltIn<T>>,
        join: Join,
    }

    impl<T: Real> Serialize for Parallel<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let branches = self.branches.iter().map(described::<T, S::Error>);
            Data {
                branches: branches.collect::<Result<_, _>>()?,
                join: self.join,
            }
            .serialize(serializer)
        }
    }

    impl<'de, T: Real> Deserialize<'de> for Parallel<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Data { branches, join } = Data::<T>::deserialize(deserializer)?;
            Ok(Self {
                branches: branches.into_iter().map(BuiltIn::layer).collect(),
                join,
            })
        }
    }
}
