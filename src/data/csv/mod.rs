//! Tables in text files.

mod classes;
mod columns;
mod dataset;
mod fields;
mod lines;
mod options;
mod records;
mod table;

pub use columns::Column;
pub use dataset::NamedDataset;
pub use options::Csv;

/// How errors call a file.
const PLACE: &str = "CSV";
