//! Networks in serde's formats.

use crate::error::{Error, ErrorKind};
use crate::nn::layer::Layer;
use crate::nn::layers::BuiltIn;
use crate::nn::layout::place;
use crate::nn::sequential::Sequential;
use crate::numeric::real::Real;
use crate::numeric::real::serde::Scalar;
use alloc::{sync::Arc, vec::Vec};
use core::marker::PhantomData;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};

/// What a network of this crate's layers consists of.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Sequential", bound = "T: Real", deny_unknown_fields)]
struct Data<T: Real> {
    scalar: Scalar<T>,
    inputs: usize,
    layers: Vec<BuiltIn<T>>,
    #[serde(with = "crate::numeric::real::serde")]
    params: Vec<T>,
}

impl<T: Real> Serialize for Sequential<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let built_in = |(index, layer): (usize, &Arc<dyn Layer<T>>)| {
            BuiltIn::of(&**layer).ok_or_else(|| S::Error::custom(unknown(&[index], &layer.name())))
        };
        let layers = self
            .layers()
            .iter()
            .enumerate()
            .map(built_in)
            .collect::<Result<_, _>>()?;
        Data {
            scalar: Scalar(PhantomData),
            inputs: self.inputs(),
            layers,
            params: self.params().to_vec(),
        }
        .serialize(serializer)
    }
}

/// Put together by the builder, which checks the layers, and only when there are as many parameters
/// as it asks for.
impl<'de, T: Real> Deserialize<'de> for Sequential<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::ground::serde::checked(
            deserializer,
            |Data {
                 scalar: _,
                 inputs,
                 layers,
                 params,
             }| {
                let builder = layers
                    .into_iter()
                    .fold(Self::builder(inputs), |builder, layer| {
                        builder.shared(layer.layer())
                    });
                builder.build_at(params)
            },
        )
    }
}

/// A layer that is not of this crate.
pub(crate) fn unknown(path: &[usize], name: &str) -> Error {
    let expected =
        "a layer of this crate, or in a model file one that Safetensors::layer makes known";
    Error::new(ErrorKind::Incompatible, place(path, name), expected, name)
}
