//! What serde's derive does not say: values that are texts, and values that are checked as they are
//! read.

use serde::{Deserialize, Deserializer, de::Error as _};

/// Reads an `R` and builds of it what only a function that checks can build.
pub(crate) fn checked<'de, D: Deserializer<'de>, R: Deserialize<'de>, V>(
    deserializer: D,
    build: impl FnOnce(R) -> crate::error::Result<V>,
) -> Result<V, D::Error> {
    build(R::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Reads a value where one is given; with `#[serde(default)]` it may be missing, and is written as
/// if it could not.
pub(crate) fn given<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<V>, D::Error> {
    V::deserialize(deserializer).map(Some)
}

/// `Serialize` and `Deserialize` by the text that `Display` writes and `FromStr` reads.
macro_rules! as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(
                &self,
                serializer: S,
            ) -> core::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> core::result::Result<Self, D::Error> {
                $crate::ground::serde::checked(deserializer, |text: alloc::string::String| {
                    text.parse()
                })
            }
        }
    };
}
pub(crate) use as_text;
