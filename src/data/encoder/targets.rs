//! What is to be predicted: columns of numbers, or one column of classes.

use super::code::{other_kind, place};
use super::numbers::scale;
use super::settings::Encoding;
use super::words::{Found, Words};
use crate::data::scaler::Scaler;
use crate::data::table::Table;
use crate::data::values::{Numbers, Values};
use crate::error::{Error, ErrorKind, Result};
use alloc::{collections::BTreeSet, format, string::String, vec, vec::Vec};

/// The columns of targets.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Targets {
    Numbers(Vec<Number>),
    Classes { column: String, classes: Words },
}

/// A column of numbers, and how outputs are scaled.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub(super) struct Number {
    column: String,
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    shift: f64,
    #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
    scale: f64,
}

impl Targets {
    /// Learns from the columns of a table, each with settings of its own.
    pub(super) fn fit(table: &Table, columns: &[(String, Encoding)]) -> Result<Self> {
        let mut numbers = Vec::new();
        for (column, settings) in columns {
            match table.values("Encoder", column)? {
                Values::Categories(values) if columns.len() == 1 => {
                    let classes = Words::fit(column, values, &Encoding::new())?;
                    let this = Self::Classes {
                        column: column.clone(),
                        classes,
                    };
                    this.check()?;
                    // Each row must have a class.
                    this.encode(table, &mut vec![0.0; this.outputs() * table.len()])?;
                    return Ok(this);
                }
                values @ Values::Categories(_) => {
                    return Err(other_kind(column, "numbers", values.kind()));
                }
                Values::Numbers(Numbers(values)) => {
                    if let Some(row) = values.iter().position(|number| number.is_nan()) {
                        return Err(hole(column, row));
                    }
                    let (shift, scale) = scale(column, values, settings.scaling)?;
                    numbers.push(Number {
                        column: column.clone(),
                        shift,
                        scale,
                    });
                }
            }
        }
        Ok(Self::Numbers(numbers))
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Numbers(numbers) => numbers.iter().map(|number| &*number.column).collect(),
            Self::Classes { column, .. } => vec![column],
        }
    }

    /// The number of outputs.
    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Classes { classes, .. } => classes.places(),
        }
    }

    /// The names of the classes.
    pub(super) fn classes(&self) -> Option<&[String]> {
        match self {
            Self::Numbers(_) => None,
            Self::Classes { classes, .. } => Some(classes.words()),
        }
    }

    /// Shifts and scales of the outputs, if one of them is scaled.
    pub(super) fn scaler(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        match self {
            Self::Numbers(numbers) => {
                let scalers = numbers.iter().map(|number| (number.shift, number.scale));
                let scaled = scalers.clone().any(|scaler| scaler != (0.0, 1.0));
                scaled.then(|| scalers.unzip())
            }
            Self::Classes { .. } => None,
        }
    }

    /// Writes the targets of all rows, which are zeros so far.
    pub(super) fn encode(&self, table: &Table, targets: &mut [f64]) -> Result<()> {
        let outputs = self.outputs();
        match self {
            Self::Numbers(numbers) => {
                for (output, Number { column, .. }) in numbers.iter().enumerate() {
                    let values = match table.values("Encoder::dataset", column)? {
                        Values::Numbers(Numbers(values)) => values,
                        other => return Err(other_kind(column, "numbers", other.kind())),
                    };
                    for (row, (value, target)) in values
                        .iter()
                        .zip(targets.chunks_exact_mut(outputs))
                        .enumerate()
                    {
                        if value.is_nan() {
                            return Err(hole(column, row));
                        }
                        target[output] = *value;
                    }
                }
            }
            Self::Classes { column, classes } => {
                let values = match table.values("Encoder::dataset", column)? {
                    Values::Categories(values) => values,
                    other => return Err(other_kind(column, "categories", other.kind())),
                };
                let found = classes.find(column, values);
                for (row, (found, target)) in
                    found.zip(targets.chunks_exact_mut(outputs)).enumerate()
                {
                    match found? {
                        Found::At(class) => target[class] = 1.0,
                        Found::Hole | Found::Unknown => return Err(hole(column, row)),
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Numbers(numbers) => {
                for number in numbers {
                    Scaler::new(vec![number.shift], vec![number.scale])?;
                }
                let mut seen = BTreeSet::new();
                match numbers.iter().find(|number| !seen.insert(&number.column)) {
                    None => Ok(()),
                    Some(number) => Err(Error::new(
                        ErrorKind::Value,
                        "targets of Encoder",
                        "each column once",
                        format!("{:?} twice", number.column),
                    )),
                }
            }
            Self::Classes { column, classes } => {
                classes.check()?;
                if classes.words().len() < 2 || classes.has_rare() {
                    return Err(Error::new(
                        ErrorKind::Empty,
                        format!("column {column:?} of Encoder"),
                        "at least 2 classes",
                        format!("only {}", classes.words().join(", ")),
                    ));
                }
                Ok(())
            }
        }
    }
}

/// The error of a target that is not known.
fn hole(column: &str, row: usize) -> Error {
    let expected =
        format!("a target (Table::drop_missing([{column:?}]) leaves out the rows without one)");
    Error::new(ErrorKind::Value, place(column, row), expected, "a hole")
}
