//! Choosing: folds, cross-validation, searches, and the range test of learning rates.

#[path = "../common/mod.rs"]
mod common;

mod folds;
mod rate_range;
mod scores;
mod search;

/// Written by `reference/selection.py`.
const TABLE: &str = include_str!("../reference/selection.tsv");

/// The arguments of the lines of one kind.
fn lines(kind: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    TABLE
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter_map(move |line| {
            let (first, rest) = line.split_first()?;
            (*first == kind).then(|| rest.to_vec())
        })
}
