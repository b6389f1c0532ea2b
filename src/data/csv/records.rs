//! The rows of a text file below its header.

use super::PLACE;
use super::columns::{Columns, Layout};
use super::fields::numeral;
use super::lines::{Lines, Row};
use super::options::Csv;
use crate::data::bytes::wrong;
use crate::data::{decimal, packed};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::not_empty;
use alloc::{borrow::Cow, format, string::String, vec::Vec};
use std::io::Read;

/// All bytes of a file, unpacked.
pub(super) fn bytes(mut source: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Io, PLACE, "a source that can be read", &error).with_source(error)
    })?;
    match packed::plain(PLACE, &bytes)? {
        Cow::Owned(unpacked) => Ok(unpacked),
        Cow::Borrowed(_) => Ok(bytes),
    }
}

/// A file of which the header has been read; it stands at a row, or at its end.
pub(super) struct Records<'a> {
    lines: Lines<'a>,
    row: Row<'a>,
    more: bool,
    layout: Layout,
    pub(super) columns: Columns,
}

impl<'a> Records<'a> {
    pub(super) fn open(csv: &Csv, bytes: &'a [u8]) -> Result<Self> {
        let mut lines = Lines::new(bytes, csv.delimiter, csv.comment, csv.skip)?;
        let mut row = Row::default();
        not_empty(PLACE, "at least 1 line", lines.next(&mut row)?.into())?;
        if csv.header && !row.quoted && is_sample(&row.fields, csv.decimal_comma) {
            let expected = "names of columns (Csv::no_header, if these numbers are a sample; if \
                they are names, leave them out by skip_lines and no_header)";
            let given = "nothing but numbers in the header";
            return wrong(ErrorKind::Parse, &lines.place(row.start), expected, given);
        }
        let layout = Layout::of(&lines, &row, csv.header)?;
        let header = csv.header.then(|| {
            row.fields[..layout.width]
                .iter()
                .map(|name| name.clone().into_owned())
                .collect()
        });
        let columns = Columns {
            width: layout.width,
            header,
        };
        let more = !csv.header || lines.next(&mut row)?;
        Ok(Self {
            lines,
            row,
            more,
            layout,
            columns,
        })
    }

    /// The fields of the row, one per column; `None` at the end.
    pub(super) fn fields(&self) -> Result<Option<&[Cow<'a, str>]>> {
        if !self.more {
            return Ok(None);
        }
        let place = || self.lines.place(self.row.start);
        self.layout.fields(&self.row, place).map(Some)
    }

    /// How errors call the field of a column in this row.
    pub(super) fn place(&self, index: usize) -> String {
        let line = self.lines.place(self.row.start);
        format!("{line}, {}", self.columns.name(index))
    }

    /// Goes to the next row.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.more = self.lines.next(&mut self.row)?;
        Ok(())
    }
}

/// Whether a first line is numbers, other than those of the columns, from 0 or from 1 on.
fn is_sample(fields: &[Cow<'_, str>], decimal_comma: bool) -> bool {
    let number = |field: &Cow<'_, str>| {
        numeral(field, decimal_comma).and_then(|text| decimal::parse::<f64>(&text))
    };
    let Some(numbers) = fields.iter().map(number).collect::<Option<Vec<_>>>() else {
        return false;
    };
    let counted = |first: usize| (first..).zip(&numbers).all(|(k, x)| *x == k as f64);
    numbers.len() < 2 || !counted(0) && !counted(1)
}
