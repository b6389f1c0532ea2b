//! The categories that an encoder knows, and their places.

use super::code::place;
use super::settings::{Encoding, Order};
use crate::data::values::Categories;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::not_empty;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

/// Words by place. Those that are rare share the place after all others.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub(super) struct Words {
    words: Vec<String>,
    rare: Vec<String>,
    unknown: Unknown,
}

/// What an unknown word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Unknown {
    Error,
    Hole,
    Rare,
}

/// What a word of a table is to an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    At(usize),
    Hole,
    Unknown,
}

impl Words {
    pub(super) fn fit(column: &str, values: &Categories, settings: &Encoding) -> Result<Self> {
        let here = || format!("column {column:?} of Encoder");
        let mut counts = values.counts();
        not_empty(
            here(),
            "at least 1 category (Table::without leaves a column out)",
            counts.len(),
        )?;
        if let Some(Order::Given(order)) = &settings.index {
            let mut open: BTreeMap<&str, usize> = counts.into_iter().collect();
            let mut given = Vec::new();
            for word in order {
                given.push((word.as_str(), open.remove(word.as_str()).unwrap_or(0)));
            }
            if let Some(other) = open.keys().next() {
                return Err(Error::new(
                    ErrorKind::Value,
                    here(),
                    format!("one of the categories {}", order.join(", ")),
                    format!("{other:?}"),
                ));
            }
            counts = given;
        }
        let least = settings.rare.unwrap_or(0);
        let (words, rare): (Vec<_>, Vec<_>) =
            counts.into_iter().partition(|(_, count)| *count >= least);
        let owned = |words: Vec<(&str, usize)>| -> Vec<String> {
            words.into_iter().map(|(word, _)| word.into()).collect()
        };
        let unknown = match (settings.ignore_unknown, settings.rare) {
            (None, None) => Unknown::Error,
            (None, Some(_)) if !rare.is_empty() => Unknown::Rare,
            _ => Unknown::Hole,
        };
        let this = Self {
            words: owned(words),
            rare: owned(rare),
            unknown,
        };
        this.check().map_err(|error| error.within(here()))?;
        Ok(this)
    }

    /// The words that have a place of their own, in order.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// The number of places.
    pub(super) fn places(&self) -> usize {
        self.words.len() + usize::from(self.has_rare())
    }

    /// Whether rare words have a place: the last one.
    pub(super) fn has_rare(&self) -> bool {
        !self.rare.is_empty()
    }

    /// What each row of a column is.
    pub(super) fn find<'w>(
        &'w self,
        column: &'w str,
        values: &'w Categories,
    ) -> impl Iterator<Item = Result<Found>> + 'w {
        let rare = self.words.len();
        let known: BTreeMap<&str, usize> = self
            .rare
            .iter()
            .map(|word| (word.as_str(), rare))
            .chain(
                (0..)
                    .zip(&self.words)
                    .map(|(place, word)| (word.as_str(), place)),
            )
            .collect();
        values.iter().enumerate().map(move |(row, word)| {
            let Some(word) = word else {
                return Ok(Found::Hole);
            };
            match (known.get(word), self.unknown) {
                (Some(place), _) => Ok(Found::At(*place)),
                (None, Unknown::Rare) => Ok(Found::At(rare)),
                (None, Unknown::Hole) => Ok(Found::Unknown),
                (None, Unknown::Error) => Err(self.error(column, row, word)),
            }
        })
    }

    /// The error of a word that is not known.
    pub(super) fn error(&self, column: &str, row: usize, word: &str) -> Error {
        Error::new(
            ErrorKind::Value,
            place(column, row),
            format!(
                "one of the categories {} (Encoder::builder().rare gives others a place, \
                 ignore_unknown takes them for holes)",
                self.words.join(", ")
            ),
            format!("{word:?}, which no training row has"),
        )
    }

    pub(super) fn check(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        let mut all = self.words.iter().chain(&self.rare);
        if let Some(word) = all.find(|word| !seen.insert(word.as_str())) {
            return Err(Error::new(
                ErrorKind::Value,
                "categories",
                "each category once",
                format!("{word:?} twice"),
            ));
        }
        not_empty("categories", "at least 1 category", seen.len())?;
        if self.unknown == Unknown::Rare && self.rare.is_empty() {
            return Err(Error::new(
                ErrorKind::Value,
                "categories",
                "rare categories that unknown ones are counted among",
                "none",
            ));
        }
        Ok(())
    }
}
