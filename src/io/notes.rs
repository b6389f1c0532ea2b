//! Notes of a model in a file: which are the user's, and which are ours.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::real::Real;
use crate::train::Model;
use alloc::format;

/// How the names of our own notes begin.
pub(crate) const RESERVED: &str = "chainrule.";

/// Notes of the user must have names of the user's.
pub(crate) fn check_notes<T: Real>(model: &Model<T>) -> Result<()> {
    match model
        .metadata()
        .keys()
        .find(|note| note.starts_with(RESERVED))
    {
        Some(note) => {
            let expected = format!("names that do not begin with {RESERVED}");
            Err(Error::new(
                ErrorKind::Value,
                "metadata of Model",
                expected,
                format!("{note:?}"),
            ))
        }
        None => Ok(()),
    }
}
