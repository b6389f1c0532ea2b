//! Data sets from text files: tables of numbers, and of classes.

use super::PLACE;
use super::classes::Names;
use super::columns::Columns;
use super::fields::{Missing, number};
use super::options::{Csv, Wanted};
use super::records::{self, Records};
use crate::data::bytes::wrong;
use crate::data::{Dataset, one_hot};
use crate::error::{ErrorKind, Result};
use crate::ground::file;
use crate::numeric::bounds::not_empty;
use crate::numeric::real::Real;
use alloc::{format, string::String, vec::Vec};
use nalgebra::DMatrix;
use std::io::Read;
use std::path::Path;

/// What [`Csv`] reads.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NamedDataset<T: Real> {
    /// The samples.
    pub data: Dataset<T>,
    /// The names of the features, row by row of the inputs: those of the header, or the numbers of
    /// the columns.
    pub features: Vec<String>,
    /// The names of the outputs, row by row of the targets: those of the columns, or of the
    /// classes.
    pub outputs: Vec<String>,
    /// How many rows were left out because a value was missing.
    pub dropped: usize,
}

/// What to do about a word among the features.
const WORD: &str = "Csv::features chooses columns; a column of words is read by Csv::categorical \
    and Csv::read_table";

impl Csv {
    /// [`read`](Self::read) of a regular file. A device or a pipe has no end that is known: open it
    /// yourself, and bound what [`read`](Self::read) takes.
    ///
    /// # Errors
    /// As [`read`](Self::read), with the path before the place; [`ErrorKind::Io`] for what is no
    /// regular file.
    ///
    /// ```no_run
    /// use chainrule::data::Csv;
    /// let houses = Csv::new()
    ///     .features(["rooms", "area"])
    ///     .targets(["price"])
    ///     .read_file::<f32>("houses.csv")?;
    /// println!("{} houses by {:?}", houses.data.len(), houses.features);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn read_file<T: Real>(&self, path: impl AsRef<Path>) -> Result<NamedDataset<T>> {
        let path = path.as_ref();
        let (file, _) = file::open(path)?;
        self.read(file)
            .map_err(|error| error.within(path.display()))
    }

    /// Reads a table to its end. `source` needs no buffer of its own.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if reading fails.
    /// - [`ErrorKind::Parse`] for a field that is no finite number or no class, a missing value
    ///   that is not to be dropped, an open quote, bytes that are not UTF-8, or another kind of
    ///   file; [`ErrorKind::Shape`] for a row with more or fewer fields than the first. Each names
    ///   the line, counted from 1, and the column.
    /// - [`ErrorKind::Value`] for columns that do not exist or are named twice, and for a delimiter
    ///   or comment sign that cannot be one.
    /// - [`ErrorKind::Empty`] without a row, a feature or a target, or with fewer than 2 classes.
    pub fn read<T: Real>(&self, source: impl Read) -> Result<NamedDataset<T>> {
        if let Some(set) = [
            (self.columns.is_some(), "Csv::columns"),
            (!self.categorical.is_empty(), "Csv::categorical"),
        ]
        .iter()
        .find_map(|(set, name)| set.then_some(name))
        {
            let expected = "nothing but numbers and labels to read (Csv::read_table reads words)";
            return wrong(ErrorKind::Incompatible, PLACE, expected, set);
        }
        let bytes = records::bytes(source)?;
        let mut records = Records::open(self, &bytes)?;
        let (features, wanted) = self.choose(&records.columns)?;
        let mut names = match &self.wanted {
            Wanted::Numbers(_) => None,
            Wanted::Classes(_, classes) => {
                Some(Names::new(classes.as_deref(), self.decimal_comma)?)
            }
        };
        let missing = Missing::new(&self.missing, self.decimal_comma);
        let mut inputs = Vec::new();
        let mut targets = Vec::new();
        let mut labels = Vec::new();
        let mut dropped = 0;
        while let Some(fields) = records.fields()? {
            let place = |index: usize| records.place(index);
            match features
                .iter()
                .chain(&wanted)
                .find(|index| missing.is(&fields[**index]))
            {
                Some(_) if self.drop_missing => dropped += 1,
                Some(index) => {
                    let kind = if names.is_some() && wanted.contains(index) {
                        "a class"
                    } else {
                        "a number"
                    };
                    let expected = format!(
                        "{kind} (Csv::drop_missing leaves out rows with missing values, \
                         Csv::read_table keeps them as holes)"
                    );
                    let given = format!("{:?}, a missing value", fields[*index]);
                    return wrong(ErrorKind::Parse, &place(*index), expected, given);
                }
                None => {
                    for index in &features {
                        inputs.push(number(&fields[*index], self.decimal_comma, WORD, || {
                            place(*index)
                        })?);
                    }
                    match &mut names {
                        None => {
                            for index in &wanted {
                                targets.push(number(
                                    &fields[*index],
                                    self.decimal_comma,
                                    "Csv::labels reads names of classes",
                                    || place(*index),
                                )?);
                            }
                        }
                        Some(names) => {
                            labels.push(names.label(&fields[wanted[0]], || place(wanted[0]))?)
                        }
                    }
                }
            }
            records.advance()?;
        }
        if inputs.is_empty() {
            return wrong(
                ErrorKind::Empty,
                PLACE,
                "at least 1 row without a missing value",
                format!("none ({dropped} dropped)"),
            );
        }

        let samples = inputs.len() / features.len();
        let titles = |indices: &[usize]| {
            indices
                .iter()
                .map(|index| records.columns.title(*index))
                .collect::<Vec<_>>()
        };
        let (outputs, targets) = match names {
            None => (
                titles(&wanted),
                DMatrix::from_vec(wanted.len(), samples, targets),
            ),
            Some(names) => {
                let (names, labels) = names.sorted(&labels);
                if names.len() < 2 {
                    let place = format!("{PLACE}, {}", records.columns.name(wanted[0]));
                    return wrong(
                        ErrorKind::Empty,
                        &place,
                        "at least 2 classes",
                        format!("only {}", names.join(", ")),
                    );
                }
                let targets = one_hot(&labels, names.len())?;
                (names, targets)
            }
        };
        let data = Dataset::new(DMatrix::from_vec(features.len(), samples, inputs), targets)?;
        Ok(NamedDataset {
            data,
            features: titles(&features),
            outputs,
            dropped,
        })
    }

    /// The numbers of the columns that are features, and of those that are targets.
    fn choose(&self, columns: &Columns) -> Result<(Vec<usize>, Vec<usize>)> {
        let wanted = match &self.wanted {
            Wanted::Numbers(wanted) => columns.find(wanted)?,
            Wanted::Classes(column, _) => columns.find([column])?,
        };
        let features = match &self.features {
            Some(features) => columns.find(features)?,
            None => (0..columns.width)
                .filter(|index| !wanted.contains(index) && !columns.counts_rows(*index))
                .collect(),
        };
        if let Some(both) = features.iter().find(|index| wanted.contains(index)) {
            return wrong(
                ErrorKind::Value,
                PLACE,
                "columns that are features or targets",
                format!("{} as both", columns.name(*both)),
            );
        }
        for (what, columns) in [("target", &wanted), ("feature", &features)] {
            let hint = match what {
                "target" => " (Csv::targets names those of numbers, Csv::labels that of classes)",
                _ => "",
            };
            let expected = format_args!("at least 1 column that is a {what}{hint}");
            not_empty(PLACE, expected, columns.len())?;
        }
        Ok((features, wanted))
    }
}
