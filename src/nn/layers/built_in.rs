//! Which layers this crate has, as data: what goes into files, comes out of them, and is cast to
//! another scalar.

use super::*;
use crate::nn::layer::Layer;
use crate::numeric::real::Real;
use alloc::sync::Arc;
use core::any::Any;

macro_rules! built_in {
    ($($file:ident::$name:ident { $($made:expr),+ })+) => {
        /// A layer of this crate.
        #[derive(Clone, Debug, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub(crate) enum BuiltIn {
            $($name($name),)+
        }

        impl BuiltIn {
            /// What files call them.
            #[cfg(feature = "safetensors")]
            pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// What a layer is; `None` if it is another crate's.
            pub(crate) fn of<T: Real>(layer: &dyn Layer<T>) -> Option<Self> {
                let layer: &dyn Any = layer;
                $(if let Some(layer) = layer.downcast_ref::<$name>() {
                    return Some(Self::$name(layer.clone()));
                })+
                None
            }

            /// Whether a layer is one of them.
            pub(crate) fn is<T: Real>(layer: &dyn Layer<T>) -> bool {
                let layer: &dyn Any = layer;
                $(layer.is::<$name>())||+
            }

            /// The layer.
            pub(crate) fn layer<T: Real>(self) -> Arc<dyn Layer<T>> {
                match self {
                    $(Self::$name(layer) => Layer::<T>::shared(layer),)+
                }
            }
        }
    };
}
every_layer!(built_in);
