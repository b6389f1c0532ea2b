//! The columns of a text file, and which field of a row belongs to which.

use super::PLACE;
use super::lines::{Lines, Row};
use crate::data::bytes::wrong;
use crate::data::decimal::Decimal;
use crate::error::{ErrorKind, Result};
use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};

/// A column of a table, by its name in the header or its number from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By name.
    Name(String),
    /// By number.
    Index(usize),
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<String> for Column {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for Column {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The columns that there are.
pub(super) struct Columns {
    pub(super) width: usize,
    pub(super) header: Option<Vec<String>>,
}

impl Columns {
    /// The numbers of the columns, each named once.
    pub(super) fn find<'c>(
        &self,
        columns: impl IntoIterator<Item = &'c Column>,
    ) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        for column in columns {
            let index = self.index(column)?;
            if found.contains(&index) {
                return wrong(
                    ErrorKind::Value,
                    PLACE,
                    "each column once",
                    format!("{} twice", self.name(index)),
                );
            }
            found.push(index);
        }
        Ok(found)
    }

    pub(super) fn index(&self, column: &Column) -> Result<usize> {
        match (column, &self.header) {
            (Column::Index(index), _) if *index < self.width => Ok(*index),
            (Column::Index(index), _) => wrong(
                ErrorKind::Value,
                PLACE,
                format!(
                    "a column below {}, as many as the first line has",
                    self.width
                ),
                index,
            ),
            (Column::Name(name), None) => {
                let given = format!("the name {name:?}");
                wrong(
                    ErrorKind::Value,
                    PLACE,
                    "columns by number, as there is no header",
                    given,
                )
            }
            (Column::Name(name), Some(header)) => {
                let mut same = (0..header.len()).filter(|index| header[*index] == *name);
                match (same.next(), same.next()) {
                    (Some(index), None) => Ok(index),
                    (Some(_), Some(_)) => wrong(
                        ErrorKind::Value,
                        PLACE,
                        format!("one column {name:?}"),
                        "several",
                    ),
                    (None, _) => wrong(
                        ErrorKind::Value,
                        PLACE,
                        format!("one of the columns {}", header.join(", ")),
                        format!("{name:?}"),
                    ),
                }
            }
        }
    }

    /// Whether a column is no feature unless it is chosen: a first one without a name.
    pub(super) fn counts_rows(&self, index: usize) -> bool {
        index == 0
            && self
                .header
                .as_ref()
                .is_some_and(|header| header[0].is_empty())
    }

    /// How errors call a column.
    pub(super) fn name(&self, index: usize) -> String {
        match &self.header {
            Some(header) => format!("column {:?}", header[index]),
            None => format!("column {index}"),
        }
    }

    /// How a table calls it.
    pub(super) fn title(&self, index: usize) -> String {
        self.header
            .as_ref()
            .map_or_else(|| index.to_string(), |header| header[index].clone())
    }
}

/// How the fields of a row belong to the columns.
pub(super) struct Layout {
    pub(super) width: usize,
    /// Whether every row begins with a name that no column is for.
    row_names: bool,
}

impl Layout {
    /// The layout of a table with this first line; `rest` has its other rows.
    pub(super) fn of(rest: &Lines<'_>, first: &Row<'_>, header: bool) -> Result<Self> {
        let mut rest = rest.clone();
        let mut row = Row::default();
        let mut width = first.fields.len();
        let mut more = rest.next(&mut row)?;
        let surplus = header && more && row.fields.len() == width + 1;
        if !surplus && !first.open {
            return Ok(Self {
                width,
                row_names: false,
            });
        }
        width += usize::from(surplus);
        let start = row.start;
        let mut filled = false;
        let mut named = true;
        let mut longer = surplus;
        let mut quoted = true;
        while more {
            filled |= row.fields.len() == width && !row.open;
            longer &= row.fields.len() == width;
            quoted &= row.quoted;
            // Without quotes a number may as well be one that the header has forgotten.
            named &= row.quoted
                || row
                    .fields
                    .first()
                    .is_some_and(|name| Decimal::parse(&name.replace(',', ".")).is_none());
            more = rest.next(&mut row)?;
        }
        if longer && quoted && !filled {
            // R quotes the names of rows: one in front, and a last column in which all is missing;
            // or a delimiter too many.
            let expected = "rows that the header tells how to read (begin it with a name for their \
                first field, or end it with the delimiter that ends them)";
            let given =
                "one field more than names in each row, the first in quotes and the last empty";
            return wrong(ErrorKind::Parse, &rest.place(start), expected, given);
        }
        // A last column in which there is nothing at all is a delimiter too many.
        width -= usize::from(surplus || !filled);
        Ok(Self {
            width,
            row_names: surplus && filled && named,
        })
    }

    /// The fields of a row, one per column.
    pub(super) fn fields<'r, 'a>(
        &self,
        row: &'r Row<'a>,
        place: impl Fn() -> String,
    ) -> Result<&'r [Cow<'a, str>]> {
        let expected = self.width + usize::from(self.row_names);
        match row.fields.len() {
            len if len == expected => Ok(&row.fields[len - self.width..]),
            len if len == expected + 1 && row.open => {
                Ok(&row.fields[len - 1 - self.width..len - 1])
            }
            len => wrong(
                ErrorKind::Shape,
                &place(),
                format!("{expected} fields, as in the first line"),
                len,
            ),
        }
    }
}
