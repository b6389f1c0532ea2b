//! Columns of categories: an output for each, which is 1 where it is the one.

use super::code::{Code, Codes, other_kind};
use super::numbers::indicator;
use super::settings::Encoding;
use super::words::{Found, Words};
use crate::data::values::{Categories, Values};
use crate::error::Result;
use alloc::{format, string::String, vec::Vec};

/// A 1 at the place of the category, zeros for a hole; and perhaps an indicator of holes.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub(super) struct OneHot {
    categories: Words,
    indicator: bool,
}

impl OneHot {
    pub(super) fn fit(column: &str, values: &Categories, settings: &Encoding) -> Result<Self> {
        Ok(Self {
            categories: Words::fit(column, values, settings)?,
            indicator: settings.indicator.is_some() && values.iter().any(|word| word.is_none()),
        })
    }
}

impl Code for OneHot {
    fn kind(&self) -> &'static str {
        "categories"
    }

    fn width(&self) -> usize {
        self.categories.places() + usize::from(self.indicator)
    }

    fn names(&self, column: &str) -> Vec<String> {
        let words = self.categories.words().iter();
        let mut names: Vec<_> = words.map(|word| format!("{column}={word}")).collect();
        names.extend(
            self.categories
                .has_rare()
                .then(|| format!("{column} (rare)")),
        );
        names.extend(self.indicator.then(|| indicator(column)));
        names
    }

    fn encode(&self, column: &str, values: &Values, codes: Codes<'_, '_>) -> Result<()> {
        let Values::Categories(values) = values else {
            return Err(other_kind(column, self.kind(), values.kind()));
        };
        for (found, code) in self.categories.find(column, values).zip(codes) {
            match found? {
                Found::At(place) => code[place] = 1.0,
                Found::Hole if self.indicator => code[self.categories.places()] = 1.0,
                Found::Hole | Found::Unknown => {}
            }
        }
        Ok(())
    }

    fn decode(&self, codes: &[&[f64]]) -> Values {
        let words = self.categories.words();
        let word = |code: &&[f64]| {
            let mut largest = (0.0, None);
            for (place, number) in code[..self.categories.places()].iter().enumerate() {
                if *number > largest.0 {
                    largest = (*number, Some(place));
                }
            }
            // The place of rare words says of none which it is.
            words.get(largest.1?).map(String::as_str)
        };
        Values::Categories(Categories::new(codes.iter().map(word)))
    }

    fn check(&self) -> Result<()> {
        self.categories.check()
    }
}
