//! What a model is beside its graph, as the metadata of a file: notes, the output function, the
//! names of the classes.

use super::proto::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::io::notes::RESERVED;
use crate::nn::loss::{Head, OutputFunction};
use crate::numeric::real::Real;
use crate::train::Model;
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

const OUTPUT_FUNCTION: &str = "output_function";
const CLASS: &str = "class.";
/// Before the number of a class and the name of its head.
const HEAD_CLASS: &str = "head_class.";

/// The entries for a model whose graph ends on `function`.
pub(super) fn entries<T: Real>(model: &Model<T>, function: &OutputFunction) -> Vec<Entry> {
    let notes = model.metadata().iter().map(|(key, value)| Entry {
        key: key.clone(),
        value: value.clone(),
    });
    let own = move |key: String, value: String| Entry {
        key: format!("{RESERVED}{key}"),
        value,
    };
    // A file of scores has no heads.
    let heads = (!function.heads().is_empty()).then(|| model.all_head_classes());
    let function = (*function != OutputFunction::Identity)
        .then(|| own(OUTPUT_FUNCTION.into(), function.to_string()));
    let classes = model.classes().unwrap_or_default().iter().enumerate();
    let of_heads = heads.into_iter().flatten().flat_map(|(head, names)| {
        let key = move |class: usize| format!("{HEAD_CLASS}{class}.{head}");
        let names = names.iter().enumerate();
        names.map(move |(class, name)| own(key(class), name.clone()))
    });
    notes
        .chain(function)
        .chain(classes.map(|(class, name)| own(format!("{CLASS}{class}"), name.clone())))
        .chain(of_heads)
        .collect()
}

/// What the entries of a file say.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) notes: BTreeMap<String, String>,
    pub(super) output_function: OutputFunction,
    pub(super) classes: Option<Vec<String>>,
    pub(super) head_classes: Vec<(String, Vec<String>)>,
}

impl Metadata {
    pub(super) fn read(entries: &[Entry]) -> Result<Self> {
        let error = |expected: &str, given: String| {
            Err(Error::new(
                ErrorKind::Parse,
                "ONNX metadata",
                expected,
                given,
            ))
        };
        let mut notes = BTreeMap::new();
        for Entry { key, value } in entries {
            if notes.insert(key.clone(), value.clone()).is_some() {
                return error("each key once", format!("{key:?} twice"));
            }
        }
        let mut own = |key: &str| notes.remove(&format!("{RESERVED}{key}"));
        let output_function = own(OUTPUT_FUNCTION).map(|name| name.parse()).transpose();
        let output_function: OutputFunction = output_function
            .map_err(|error: Error| error.within("ONNX metadata"))?
            .unwrap_or_default();
        let classes: Vec<_> = (0..)
            .map_while(|class| own(&format!("{CLASS}{class}")))
            .collect();
        let of_head = |head: &Head| {
            let names = (0..).map_while(|class| own(&format!("{HEAD_CLASS}{class}.{}", head.name)));
            (head.name.clone(), names.collect())
        };
        let head_classes: Vec<(String, Vec<String>)> =
            output_function.heads().iter().map(of_head).collect();
        match notes.keys().find(|key| key.starts_with(RESERVED)) {
            Some(key) => error(
                "a note that this version writes (classes from 0 on, without a gap)",
                format!("{key:?}"),
            ),
            None => Ok(Self {
                notes,
                output_function,
                classes: (!classes.is_empty()).then_some(classes),
                head_classes: head_classes
                    .into_iter()
                    .filter(|(_, names)| !names.is_empty())
                    .collect(),
            }),
        }
    }
}
