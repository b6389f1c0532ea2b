//! Layers of this crate that are made of layers, as JSON: as serde writes them, but that layers of
//! other crates stand in them under their names.

use super::Safetensors;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::layer::{Join, Layer};
use crate::nn::layers::BuiltIn;
use crate::nn::layout::dotted;
use crate::nn::{Chain, Parallel, Residual};
use crate::numeric::real::Real;
use alloc::{boxed::Box, format, sync::Arc, vec::Vec};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// So many layers stand within each other at most: what reads them must not run out of stack.
const DEPTH: usize = 100;

type Json = Box<RawValue>;

/// What files call the layers that have layers in them.
pub(super) const NESTED: [&str; 3] = ["Chain", "Residual", "Parallel"];

/// The layers that have layers in them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Nested {
    Chain {
        layers: Vec<Json>,
    },
    Residual {
        body: Json,
        #[serde(deserialize_with = "Deserialize::deserialize")]
        projection: Option<Json>,
    },
    Parallel {
        branches: Vec<Json>,
        join: Join,
    },
}

impl<T: Real> Safetensors<T> {
    /// A layer as JSON, if it has layers in it.
    pub(super) fn write_nested(
        &self,
        path: &[usize],
        layer: &BuiltIn<T>,
    ) -> Result<Option<serde_json::Result<Json>>> {
        let part = |index: usize, layer: &Arc<dyn Layer<T>>| {
            self.write_layer(&[path, &[index]].concat(), &**layer)
        };
        let all = |layers: &[Arc<dyn Layer<T>>]| {
            let layers = layers.iter().enumerate();
            let json = layers.map(|(index, layer)| part(index, layer));
            json.collect::<Result<Vec<_>>>()
        };
        let nested = match layer {
            BuiltIn::Chain(chain) => Nested::Chain {
                layers: all(chain.layers())?,
            },
            BuiltIn::Residual(block) => {
                let projection = block.projected();
                let projection = projection.map(|projection| part(1, projection));
                Nested::Residual {
                    body: part(0, block.body())?,
                    projection: projection.transpose()?,
                }
            }
            BuiltIn::Parallel(parallel) => Nested::Parallel {
                branches: all(parallel.branches())?,
                join: parallel.join(),
            },
            _ => return Ok(None),
        };
        Ok(Some(to_raw_value(&nested)))
    }

    /// The layer that [`write_nested`](Self::write_nested) wrote.
    pub(super) fn read_nested(&self, path: &[usize], nested: &Nested) -> Result<Arc<dyn Layer<T>>> {
        if path.len() > DEPTH {
            let expected = format!("at most {DEPTH} layers within each other");
            let place = format!("layer {}", dotted(&path[..1]));
            return Err(Error::new(ErrorKind::Value, place, expected, "more"));
        }
        let part =
            |index: usize, json: &Json| self.read_layer(&[path, &[index]].concat(), json.get());
        let all = |layers: &[Json]| {
            let layers = layers.iter().enumerate();
            let layers = layers.map(|(index, json)| part(index, json));
            layers.collect::<Result<Vec<_>>>()
        };
        Ok(match nested {
            Nested::Chain { layers } => Layer::<T>::shared(Chain::from_iter(all(layers)?)),
            Nested::Residual { body, projection } => {
                let projection = projection.as_ref().map(|projection| part(1, projection));
                let block = Residual::of(part(0, body)?, projection.transpose()?);
                Layer::<T>::shared(block)
            }
            Nested::Parallel { branches, join } => {
                Layer::<T>::shared(Parallel::of(all(branches)?, *join))
            }
        })
    }
}
