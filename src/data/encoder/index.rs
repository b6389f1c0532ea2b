//! Columns of categories that are coded by their index, which is a number like others.

use super::code::{Code, Codes, other_kind, place};
use super::numbers::Scaled;
use super::settings::Encoding;
use super::words::{Found, Words};
use crate::data::values::{Categories, Values};
use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, vec::Vec};

/// The place of the category, filled and scaled.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub(super) struct Index {
    categories: Words,
    number: Scaled,
}

impl Index {
    pub(super) fn fit(column: &str, values: &Categories, settings: &Encoding) -> Result<Self> {
        let categories = Words::fit(column, values, settings)?;
        let numbers = categories
            .find(column, values)
            .map(|found| Ok(number(found?)))
            .collect::<Result<Vec<f64>>>()?;
        let number = Scaled::fit(column, &numbers, settings)?;
        Ok(Self { categories, number })
    }
}

/// The index of a category; NaN for none.
fn number(found: Found) -> f64 {
    match found {
        Found::At(place) => place as f64,
        Found::Hole | Found::Unknown => f64::NAN,
    }
}

impl Code for Index {
    fn kind(&self) -> &'static str {
        "categories"
    }

    fn width(&self) -> usize {
        self.number.width()
    }

    fn names(&self, column: &str) -> Vec<String> {
        self.number.names(column)
    }

    fn encode(&self, column: &str, values: &Values, codes: Codes<'_, '_>) -> Result<()> {
        let Values::Categories(values) = values else {
            return Err(other_kind(column, self.kind(), values.kind()));
        };
        let found = self.categories.find(column, values);
        for (row, (found, code)) in found.zip(codes).enumerate() {
            let given = || match values.word(row) {
                Some(word) => format!("{word:?}, which no training row has"),
                None => "a hole".into(),
            };
            self.number.put(number(found?), code).ok_or_else(|| {
                let expected = "a category (Encoder::builder().fill says what takes the place of \
                    its index)";
                Error::new(ErrorKind::Value, place(column, row), expected, given())
            })?;
        }
        Ok(())
    }

    fn decode(&self, codes: &[&[f64]]) -> Values {
        let words = self.categories.words();
        let word = |code: &&[f64]| {
            let index = libm::round(self.number.take(code));
            let place = (index >= 0.0).then_some(index as usize)?;
            words.get(place).map(String::as_str)
        };
        Values::Categories(Categories::new(codes.iter().map(word)))
    }

    fn check(&self) -> Result<()> {
        self.categories.check()?;
        self.number.check()
    }
}
