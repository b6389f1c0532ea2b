//! What is to be predicted: columns of numbers and of classes.

use super::code::{other_kind, place};
use super::numbers::scale;
use super::settings::Encoding;
use super::words::{Found, Words};
use crate::data::scaler::Scaler;
use crate::data::table::Table;
use crate::data::values::{Numbers, Values};
use crate::error::{Error, ErrorKind, Result};
use alloc::{collections::BTreeSet, format, string::String, vec, vec::Vec};
use core::ops::Range;

/// The columns of targets.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Targets {
    Numbers(Vec<Number>),
    Classes {
        column: String,
        classes: Words,
    },
    /// Of several kinds, each of the above, in order.
    Several(Vec<Targets>),
}

/// A column of targets: its name, its rows among the targets, and the names of its classes.
pub(crate) type TargetColumn<'e> = (&'e str, Range<usize>, Option<&'e [String]>);

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
        let mut kinds: Vec<Self> = Vec::new();
        for (column, settings) in columns {
            match table.values("Encoder", column)? {
                Values::Categories(values) => {
                    let classes = Words::fit(column, values, &Encoding::new())?;
                    let this = Self::Classes {
                        column: column.clone(),
                        classes,
                    };
                    this.check()?;
                    // Each row must have a class.
                    this.encode(table, &mut vec![0.0; this.outputs() * table.len()])?;
                    kinds.push(this);
                }
                Values::Numbers(Numbers(values)) => {
                    if let Some(row) = values.iter().position(|number| number.is_nan()) {
                        return Err(hole(column, row));
                    }
                    let (shift, scale) = scale(column, values, settings.scaling)?;
                    let number = Number {
                        column: column.clone(),
                        shift,
                        scale,
                    };
                    match kinds.last_mut() {
                        Some(Self::Numbers(numbers)) => numbers.push(number),
                        _ => kinds.push(Self::Numbers(vec![number])),
                    }
                }
            }
        }
        Ok(match kinds.len() {
            0 => Self::Numbers(Vec::new()),
            1 => kinds.remove(0),
            _ => Self::Several(kinds),
        })
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Numbers(numbers) => numbers.iter().map(|number| &*number.column).collect(),
            Self::Classes { column, .. } => vec![column],
            Self::Several(kinds) => kinds.iter().flat_map(Self::columns).collect(),
        }
    }

    /// The columns, and where their targets lie.
    pub(super) fn places(&self) -> Vec<TargetColumn<'_>> {
        let (mut places, mut start): (Vec<TargetColumn<'_>>, _) = (Vec::new(), 0);
        let mut add = |column, count, classes| {
            places.push((column, start..start + count, classes));
            start += count;
        };
        let kinds = match self {
            Self::Several(kinds) => &kinds[..],
            one => core::slice::from_ref(one),
        };
        for kind in kinds {
            match kind {
                Self::Numbers(numbers) => {
                    for number in numbers {
                        add(&number.column, 1, None);
                    }
                }
                Self::Classes { column, classes } => {
                    add(column, classes.places(), Some(classes.words()));
                }
                // What has several kinds is no kind of them.
                Self::Several(_) => {}
            }
        }
        places
    }

    /// The number of outputs.
    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Classes { classes, .. } => classes.places(),
            Self::Several(kinds) => kinds.iter().map(Self::outputs).sum(),
        }
    }

    /// The names of the classes, where all targets are of these.
    pub(super) fn classes(&self) -> Option<&[String]> {
        match self {
            Self::Numbers(_) | Self::Several(_) => None,
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
            Self::Several(kinds) => {
                let scaled = kinds.iter().any(|kind| kind.scaler().is_some());
                let each = |kind: &Self| {
                    let kept = || (vec![0.0; kind.outputs()], vec![1.0; kind.outputs()]);
                    kind.scaler().unwrap_or_else(kept)
                };
                let (shifts, scales): (Vec<_>, Vec<_>) = kinds.iter().map(each).unzip();
                scaled.then(|| (shifts.concat(), scales.concat()))
            }
        }
    }

    /// Writes the targets of all rows, which are zeros so far.
    pub(super) fn encode(&self, table: &Table, targets: &mut [f64]) -> Result<()> {
        self.encode_from(table, targets, 0, self.outputs())
    }

    /// The same of a part of the `outputs` of a row, from `first` on.
    fn encode_from(
        &self,
        table: &Table,
        targets: &mut [f64],
        mut first: usize,
        outputs: usize,
    ) -> Result<()> {
        match self {
            Self::Several(kinds) => {
                for kind in kinds {
                    kind.encode_from(table, targets, first, outputs)?;
                    first += kind.outputs();
                }
            }
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
                        target[first + output] = *value;
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
                        Found::At(class) => target[first + class] = 1.0,
                        Found::Hole | Found::Unknown => return Err(hole(column, row)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether there are numbers and classes, or classes of several columns.
    pub(super) fn is_several(&self) -> bool {
        matches!(self, Self::Several(_))
    }

    pub(super) fn check(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        if let Some(column) = self
            .columns()
            .into_iter()
            .find(|column| !seen.insert(*column))
        {
            return Err(Error::new(
                ErrorKind::Value,
                "targets of Encoder",
                "each column once",
                format!("{column:?} twice"),
            ));
        }
        match self {
            Self::Numbers(numbers) => {
                for number in numbers {
                    Scaler::new(vec![number.shift], vec![number.scale])?;
                }
                Ok(())
            }
            Self::Several(kinds) => {
                if kinds.iter().any(Self::is_several) {
                    return Err(Error::new(
                        ErrorKind::Value,
                        "targets of Encoder",
                        "columns of numbers and of categories",
                        "several within several",
                    ));
                }
                kinds.iter().try_for_each(Self::check)
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
