//! What a field of a text file holds: a number, a missing value, or a word.

use crate::data::bytes::wrong;
use crate::data::decimal::{self, Decimal};
use crate::error::{ErrorKind, Result};
use crate::numeric::real::Real;
use alloc::{borrow::Cow, format, string::String, vec::Vec};

/// A field as Rust writes numbers, if it may be one: of the two signs the comma or the point.
pub(super) fn numeral(field: &str, decimal_comma: bool) -> Option<Cow<'_, str>> {
    match decimal_comma {
        true if field.contains('.') => None,
        true if field.contains(',') => Some(field.replace(',', ".").into()),
        _ => Some(field.into()),
    }
}

/// The fields that mean a missing value.
pub(super) struct Missing<'a> {
    texts: &'a [String],
    numbers: Vec<Decimal>,
    decimal_comma: bool,
}

impl<'a> Missing<'a> {
    pub(super) fn new(texts: &'a [String], decimal_comma: bool) -> Self {
        let numbers = texts
            .iter()
            .filter_map(|text| Decimal::parse(&numeral(text, decimal_comma)?))
            .collect();
        Self {
            texts,
            numbers,
            decimal_comma,
        }
    }

    pub(super) fn is(&self, field: &str) -> bool {
        let equals = |number: Decimal| self.numbers.contains(&number);
        self.texts.iter().any(|text| text == field)
            || !self.numbers.is_empty()
                && numeral(field, self.decimal_comma)
                    .and_then(|text| Decimal::parse(&text))
                    .is_some_and(equals)
    }
}

/// The number in a field; `other` is what to do about a word.
pub(super) fn number<T: Real>(
    field: &str,
    decimal_comma: bool,
    other: &str,
    place: impl Fn() -> String,
) -> Result<T> {
    let number = numeral(field, decimal_comma).and_then(|text| decimal::parse::<T>(&text));
    match number {
        Some(number) if number.is_finite() => return Ok(number),
        Some(_) => {
            return wrong(
                ErrorKind::Parse,
                &place(),
                "a finite number",
                format!("{field:?}"),
            );
        }
        None => {}
    }
    match field {
        "True" | "true" | "TRUE" => return Ok(T::one()),
        "False" | "false" | "FALSE" => return Ok(T::zero()),
        _ => {}
    }
    let is_number = |decimal_comma| {
        numeral(field, decimal_comma).is_some_and(|text| Decimal::parse(&text).is_some())
    };
    let (expected, next) = match decimal_comma {
        false if is_number(true) => ("a number", "Csv::decimal_comma reads decimal commas"),
        true if is_number(false) => (
            "a number with a decimal comma",
            "a point might separate thousands",
        ),
        _ => ("a number", other),
    };
    wrong(
        ErrorKind::Parse,
        &place(),
        format!("{expected} ({next})"),
        format!("{field:?}"),
    )
}
