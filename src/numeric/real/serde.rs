//! Numbers in serde's formats, with every bit that counts: `#[serde(with =
//! "crate::numeric::real::serde")]` on a field that holds some.
//!
//! JSON and its like have no NaN or ∞, and their readers may take a short `f32` for another: there
//! a finite number is written as the `f64` it is, and the others by name, `"NaN"`, `"inf"` and
//! `"-inf"`. Binary formats take the number itself.

use super::{Real, nearest_integer};
use alloc::{format, string::String, vec::Vec};
use core::{any::type_name, fmt, marker::PhantomData};
use serde::de::{Error, Unexpected, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer, N: Numbers>(
    numbers: &N,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    numbers.write(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>, N: Numbers>(
    deserializer: D,
) -> Result<N, D::Error> {
    N::read(deserializer)
}

/// What consists of numbers.
pub(crate) trait Numbers: Sized {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Numbers within numbers.
struct Out<'a, N>(&'a N);
struct In<N>(N);

impl<N: Numbers> Serialize for Out<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

impl<'de, N: Numbers> Deserialize<'de> for In<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        N::read(deserializer).map(Self)
    }
}

const NAMES: [(&str, f64); 3] = [
    ("NaN", f64::NAN),
    ("inf", f64::INFINITY),
    ("-inf", f64::NEG_INFINITY),
];

impl<T: Real> Numbers for T {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (number, bytes) = (self.as_f64(), self.to_bytes());
        match T::BYTES {
            0 => Err(S::Error::custom(no_scalar::<T>())),
            _ if serializer.is_human_readable() => {
                match NAMES
                    .iter()
                    .find(|(_, named)| *named == number || named.is_nan() && number.is_nan())
                {
                    Some((name, _)) => serializer.serialize_str(name),
                    None => serializer.serialize_f64(number),
                }
            }
            4 => serializer
                .serialize_f32(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
            _ => serializer.serialize_f64(f64::from_le_bytes(bytes)),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match T::BYTES {
            0 => Err(D::Error::custom(no_scalar::<T>())),
            _ if deserializer.is_human_readable() => {
                deserializer.deserialize_any(Readable(PhantomData))
            }
            4 => f32::deserialize(deserializer).map(|number| {
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&number.to_le_bytes());
                T::from_bytes(bytes)
            }),
            _ => f64::deserialize(deserializer).map(|number| T::from_bytes(number.to_le_bytes())),
        }
    }
}

/// Why numbers of this type are in no file.
fn no_scalar<T>() -> String {
    format!(
        "got {}, expected numbers of type f32 or f64",
        type_name::<T>()
    )
}

/// A number, or its name.
struct Readable<T>(PhantomData<T>);

impl<T: Real> Visitor<'_> for Readable<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a number of type {}, or \"NaN\", \"inf\" or \"-inf\"",
            T::NAME
        )
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        let held = T::of(number);
        // A finite number must not become an infinite one.
        if held.is_finite() == number.is_finite() {
            Ok(held)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }

    // Integers of 64 bits are far from infinite in every scalar.
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(nearest_integer(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(nearest_integer(number.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        match NAMES.iter().find(|(name, _)| *name == text) {
            Some((_, number)) => Ok(T::of(*number)),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

impl<N: Numbers> Numbers for Option<N> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(Out).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(|In(numbers)| numbers))
    }
}

/// A number and what it is called.
impl Numbers for (String, f64) {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0, Out(&self.1)).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <(String, In<f64>)>::deserialize(deserializer).map(|(name, In(number))| (name, number))
    }
}

impl<N: Numbers> Numbers for Vec<N> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Out))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Takes no more memory than the numbers that come, whatever is announced.
        let list: Vec<In<N>> = Vec::deserialize(deserializer)?;
        Ok(list.into_iter().map(|In(numbers)| numbers).collect())
    }
}

/// The scalar of what follows: by its name, which must be that of `T`.
pub(crate) struct Scalar<T>(pub(crate) PhantomData<T>);

impl<T: Real> Serialize for Scalar<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if T::BYTES == 0 {
            Err(S::Error::custom(no_scalar::<T>()))
        } else {
            serializer.serialize_str(T::NAME)
        }
    }
}

impl<'de, T: Real> Deserialize<'de> for Scalar<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if T::BYTES == 0 {
            Err(D::Error::custom(no_scalar::<T>()))
        } else if name == T::NAME {
            Ok(Self(PhantomData))
        } else {
            Err(D::Error::custom(format_args!(
                "got {name}, expected scalars of type {}",
                T::NAME
            )))
        }
    }
}
