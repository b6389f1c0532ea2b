//! One program for all targets, so that the crate is compiled once: the variable `FUZZ_TARGET` says which of them runs.
#![no_main]

mod api;
mod checkpoint;
mod csv;
mod idx;
mod model;
mod npy;
mod npz;
mod onnx;
mod serde;
mod state_dict;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 10] = [
    ("api", api::run),
    ("checkpoint", checkpoint::run),
    ("csv", csv::run),
    ("idx", idx::run),
    ("model", model::run),
    ("npy", npy::run),
    ("npz", npz::run),
    ("onnx", onnx::run),
    ("serde", serde::run),
    ("state_dict", state_dict::run),
];

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET is the name of a target");
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no target {name:?}")).1
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
