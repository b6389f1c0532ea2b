//! Which layers this crate has, as data: what goes into files, comes out of them, and is cast to
//! another scalar.

use super::*;
use crate::nn::layer::Layer;
use crate::numeric::real::Real;
use alloc::sync::Arc;
use core::any::Any;

/// A layer for the scalar `to`; one without a scalar is the same for all.
macro_rules! cast {
    ($layer:ident, $to:ident) => {
        $layer
    };
    ($layer:ident, $to:ident, $from:ident) => {
        $layer.cast::<$to>()?
    };
}

macro_rules! built_in {
    ($($file:ident::$name:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
        /// A layer of this crate, for networks of a scalar.
        #[derive(Clone, Debug, PartialEq)]
        #[cfg_attr(
            feature = "serde",
            derive(serde::Serialize, serde::Deserialize),
            serde(bound = "T: Real")
        )]
        pub(crate) enum BuiltIn<T: Real> {
            $($name($name$(<$scalar>)?),)+
        }

        impl<T: Real> BuiltIn<T> {
            /// What files call them.
            #[cfg(feature = "safetensors")]
            pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// What a layer is; `None` if it is another crate's.
            pub(crate) fn of(layer: &dyn Layer<T>) -> Option<Self> {
                let layer: &dyn Any = layer;
                $(if let Some(layer) = layer.downcast_ref::<$name$(<$scalar>)?>() {
                    return Some(Self::$name(layer.clone()));
                })+
                None
            }

            /// Whether a layer is one of them.
            pub(crate) fn is(layer: &dyn Layer<T>) -> bool {
                let layer: &dyn Any = layer;
                $(layer.is::<$name$(<$scalar>)?>())||+
            }

            /// The layer.
            pub(crate) fn layer(self) -> Arc<dyn Layer<T>> {
                match self {
                    $(Self::$name(layer) => Layer::<T>::shared(layer),)+
                }
            }

            /// The same for another scalar; `None` with layers of other crates within it.
            pub(crate) fn cast<U: Real>(self) -> Option<BuiltIn<U>> {
                match self {
                    $(Self::$name(layer) => {
                        Some(BuiltIn::$name(cast!(layer, U $(, $scalar)?)))
                    })+
                }
            }
        }
    };
}
every_layer!(built_in);

/// A layer for another scalar; `None` of another crate's.
pub(super) fn cast<T: Real, U: Real>(layer: &Arc<dyn Layer<T>>) -> Option<Arc<dyn Layer<U>>> {
    Some(BuiltIn::of(&**layer)?.cast()?.layer())
}

/// A layer as data.
#[cfg(feature = "serde")]
pub(super) fn described<T: Real, E: serde::ser::Error>(
    layer: &Arc<dyn Layer<T>>,
) -> Result<BuiltIn<T>, E> {
    let refused = || {
        let name = layer.name();
        E::custom(alloc::format!("got {name}, expected a layer of this crate"))
    };
    BuiltIn::of(&**layer).ok_or_else(refused)
}
