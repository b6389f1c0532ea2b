//! What every kind of column has: numbers for a network, made of values and back.

use crate::data::values::Values;
use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, vec::Vec};

/// What was learned of a column.
pub(super) trait Code {
    /// What the column must hold, in the words of [`Values::kind`].
    fn kind(&self) -> &'static str;

    /// How many outputs it has.
    fn width(&self) -> usize;

    /// The names of the outputs of a column.
    fn names(&self, column: &str) -> Vec<String>;

    /// Writes the outputs of each row, which are zeros so far.
    fn encode(&self, column: &str, values: &Values, codes: Codes<'_, '_>) -> Result<()>;

    /// The values of these outputs, row by row.
    fn decode(&self, codes: &[&[f64]]) -> Values;

    /// Whether it is one that can be learned.
    fn check(&self) -> Result<()>;
}

/// The outputs of a column, row by row.
pub(super) type Codes<'c, 'a> = &'c mut dyn Iterator<Item = &'a mut [f64]>;

/// How errors call a row of a column.
pub(super) fn place(column: &str, row: usize) -> String {
    format!("column {column:?} of Encoder, row {row}")
}

/// The error of a column that holds something else.
pub(super) fn other_kind(column: &str, expected: &str, given: &str) -> Error {
    let next = match expected {
        "categories" => "Csv::categorical and Table::with_categories make such columns",
        _ => "as in the training rows",
    };
    Error::new(
        ErrorKind::Incompatible,
        format!("column {column:?} of Encoder"),
        format!("{expected} ({next})"),
        given,
    )
}
