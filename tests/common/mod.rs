//! What the tests share. Each crate of tests includes this file and uses some of it.
#![allow(dead_code, reason = "no crate of tests uses all of it")]

use chainrule::ErrorKind;
use chainrule::prelude::*;
use chainrule::rand::SeedableRng;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use std::path::PathBuf;
use std::{env, fs, process};

pub(crate) fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

pub(crate) fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|v| v.to_bits()).collect()
}

/// `result` must be an error of `kind`; `text` is all of its text: place, given and expected.
#[track_caller]
pub(crate) fn refused<R>(result: Result<R>, kind: ErrorKind, text: &str) {
    match result {
        Ok(_) => panic!("accepted what must be refused with “{text}”"),
        Err(error) => {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.kind(), kind, "{text}");
            let place = error.place();
            let given = error.given();
            let expected = error.expected();
            assert_eq!(format!("{place}: got {given}, expected {expected}"), text);
            // The three parts make the text, none of them is missing.
            assert!(![place, given, expected].contains(&""), "{error:?}");
        }
    }
}

/// A folder for one test, removed when the test ends.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        // No character that a file system may not like.
        let name = name.replace(|c: char| !c.is_alphanumeric(), "-");
        let folder = env::temp_dir().join(format!("chainrule-{name}-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder)
    }

    /// Where a run keeps its checkpoint.
    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("run.checkpoint")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
