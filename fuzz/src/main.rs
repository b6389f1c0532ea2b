//! One program for all targets, so that the crate is compiled once: the variable `FUZZ_TARGET` says
//! which of them runs.
#![no_main]

mod api;
mod checkpoint;
mod ensemble;
mod model;
mod onnx;
mod readers;
mod serde;
mod state_dict;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 7] = [
    ("api", api::run),
    ("checkpoint", checkpoint::run),
    ("ensemble", ensemble::run),
    ("model", model::run),
    ("onnx", onnx::run),
    ("serde", serde::run),
    ("state_dict", state_dict::run),
];

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET is the name of a target");
    let mut targets = TARGETS.into_iter().chain(readers::TARGETS);
    let found = targets.find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| panic!("there is no target {name:?}"))
        .1
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
