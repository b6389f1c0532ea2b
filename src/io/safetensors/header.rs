//! What stands in the header of a file: notes, tensors, and the model's description.

use crate::data::{Encoder, Scaler};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::checksum::Checksum;
use crate::ground::serde::given;
use crate::nn::loss::OutputFunction;
use crate::numeric::real::Real;
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;
use safetensors::tensor::TensorInfo;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The version of the model files that are written here, and the only one so far.
pub(super) const VERSION: &str = "1";
pub(super) const VERSION_NOTE: &str = "chainrule.version";
pub(super) const MODEL_NOTE: &str = "chainrule.model";
pub(super) const ENSEMBLE_NOTE: &str = "chainrule.ensemble";
pub(super) const CHECKSUM_NOTE: &str = "chainrule.checksum";
/// Our notes, which are none of the user's.
pub(super) const OUR_NOTES: [&str; 4] = [VERSION_NOTE, MODEL_NOTE, ENSEMBLE_NOTE, CHECKSUM_NOTE];
/// The largest header that readers of the format take.
pub(super) const LARGEST_HEADER: u64 = 100_000_000;

/// What a model is beside its parameters and notes.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real", deny_unknown_fields)]
pub(super) struct Described<T: Real> {
    pub(super) scalar: String,
    pub(super) inputs: usize,
    pub(super) layers: Vec<Box<RawValue>>,
    #[serde(deserialize_with = "Deserialize::deserialize")]
    pub(super) input_scaler: Option<Scaler<T>>,
    #[serde(deserialize_with = "Deserialize::deserialize")]
    pub(super) output_scaler: Option<Scaler<T>>,
    pub(super) output_function: OutputFunction,
    #[serde(deserialize_with = "Deserialize::deserialize")]
    pub(super) classes: Option<Vec<String>>,
    /// Not in the files of models without one.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) encoder: Option<Encoder>,
    /// Not in the files of models without any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) head_classes: BTreeMap<String, Vec<String>>,
}

/// A member of an ensemble, without its parameters.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Real", deny_unknown_fields)]
pub(super) struct Member<T: Real> {
    pub(super) model: Described<T>,
    pub(super) notes: Unique,
}

pub(super) fn not_json(place: &str, error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Parse,
        place,
        "what this version writes there",
        &error,
    )
    .with_source(error)
}

/// The header of a file: notes, and tensors in the order in which they lie.
pub(super) struct Header {
    pub(super) notes: BTreeMap<String, String>,
    pub(super) tensors: Vec<(String, TensorInfo)>,
}

/// What the format calls its notes.
const NOTES: &str = "__metadata__";

impl Header {
    /// The version of our own files; `None` of others.
    pub(super) fn version(&self) -> Result<Option<&str>> {
        match self.notes.get(VERSION_NOTE).map(String::as_str) {
            Some(version) if version != VERSION => Err(Error::new(
                ErrorKind::Parse,
                VERSION_NOTE,
                format!("version {VERSION}, the only one so far"),
                format!("{version:?}"),
            )),
            version => Ok(version),
        }
    }
}

impl Header {
    /// The checksum of all but the numbers, with which it goes on.
    pub(super) fn checksum(&self) -> Checksum {
        let mut sum = Checksum::crc64();
        let mut add = |bytes: &[u8]| {
            sum.add(&(bytes.len() as u64).to_le_bytes());
            sum.add(bytes);
        };
        for (note, text) in self.notes.iter().filter(|(note, _)| *note != CHECKSUM_NOTE) {
            add(note.as_bytes());
            add(text.as_bytes());
        }
        for (name, info) in &self.tensors {
            add(name.as_bytes());
            add(info.dtype.to_string().as_bytes());
            let sizes = info
                .shape
                .iter()
                .chain([&info.data_offsets.0, &info.data_offsets.1]);
            add(&sizes
                .flat_map(|size| (*size as u64).to_le_bytes())
                .collect::<Vec<_>>());
        }
        sum
    }

    /// The checksum that the file says it has.
    pub(super) fn said(&self) -> Result<Option<u64>> {
        let error = |given: &String| {
            Error::new(
                ErrorKind::Parse,
                CHECKSUM_NOTE,
                "sixteen digits of a checksum",
                format!("{given:?}"),
            )
        };
        match self.notes.get(CHECKSUM_NOTE) {
            Some(text) => {
                let value = u64::from_str_radix(text, 16)
                    .ok()
                    .filter(|value| *text == digits(*value));
                value.map(Some).ok_or_else(|| error(text))
            }
            // A name with one wrong letter would leave the file without its checksum.
            None => match self
                .notes
                .keys()
                .find(|note| differ_in_one(note, CHECKSUM_NOTE))
            {
                Some(note) => Err(error(note)),
                None => Ok(None),
            },
        }
    }
}

/// A checksum as a text.
pub(super) fn digits(sum: u64) -> String {
    format!("{sum:016x}")
}

fn differ_in_one(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .filter(|(one, other)| one != other)
            .count()
            == 1
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.tensors.len()))?;
        map.serialize_entry(NOTES, &self.notes)?;
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut notes, mut tensors, mut names) =
                    (Unique::default(), Vec::new(), BTreeSet::new());
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(twice(&name));
                    }
                    if name == NOTES {
                        notes = map.next_value()?;
                    } else {
                        tensors.push((name, map.next_value::<TensorInfo>()?));
                    }
                }
                // Tensors of no size lie where others begin.
                tensors.sort_by(|(name, info), (other, more)| {
                    (info.data_offsets, name).cmp(&(more.data_offsets, other))
                });
                Ok(Header {
                    notes: notes.0,
                    tensors,
                })
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Texts by name, in which none is twice: of two a map would silently keep the last.
#[derive(Default, Serialize)]
pub(super) struct Unique(pub(super) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("texts by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    if texts.contains_key(&name) {
                        return Err(twice(&name));
                    }
                    texts.insert(name, text);
                }
                Ok(Unique(texts))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

fn twice<E: serde::de::Error>(name: &str) -> E {
    E::custom(format_args!("{name:?} is there twice"))
}
