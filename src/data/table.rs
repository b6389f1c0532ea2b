//! Tables: named columns of numbers or words, with holes.

use super::values::{Categories, Numbers, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::table::push_csv;
use crate::numeric::bounds::not_empty;
use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Rows of named columns, as a spreadsheet has them: a column holds numbers or categories, which
/// are words. Each value may be missing: that is a **hole**, NaN among the numbers and `None`
/// among the words.
///
/// `Csv::read_table` (feature `csv`) reads tables from text; [`with_numbers`](Self::with_numbers)
/// and [`with_categories`](Self::with_categories) make them of columns in memory.
///
/// A table is for learning from: what is learned of its columns, such as the mean that fills a
/// hole, comes from the rows that it has. [`split`](Self::split) and its like therefore return the
/// other rows as [`HeldOut`](crate::data::HeldOut), from which nothing can be learned.
///
/// ```
/// use chainrule::data::Table;
/// let cars = Table::new()
///     .with_numbers("weight", [3504.0, 2372.0, 2130.0])?
///     .with_numbers("power", [Some(130.0), None, Some(88.0)])?
///     .with_categories("origin", ["USA", "Japan", "Japan"])?;
/// assert_eq!(cars.len(), 3);
/// assert_eq!(cars.columns().collect::<Vec<_>>(), ["weight", "power", "origin"]);
/// assert!(cars.numbers("power")?[1].is_nan()); // a hole
/// assert_eq!(cars.categories("origin")?.next(), Some(Some("USA")));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[doc(alias("DataFrame"))]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Values>,
}

impl Table {
    /// A table without a column.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same table with this column of numbers: a new last one, or in the place of one with this
    /// name. NaN and `None` are holes.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a name that is empty, [`ErrorKind::Empty`] without a number,
    /// [`ErrorKind::Shape`] for more or fewer numbers than the table has rows,
    /// [`ErrorKind::NotFinite`] for ±∞.
    ///
    /// ```
    /// use chainrule::data::Table;
    /// let table = Table::new().with_numbers("area", [50.0, 80.0])?;
    /// let roots: Vec<f64> = table.numbers("area")?.iter().map(|area| area.sqrt()).collect();
    /// let table = table.with_numbers("side", roots)?;
    /// assert_eq!(table.columns().collect::<Vec<_>>(), ["area", "side"]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn with_numbers(
        self,
        name: impl Into<String>,
        numbers: impl IntoIterator<Item: Into<Option<f64>>>,
    ) -> Result<Self> {
        let numbers = numbers
            .into_iter()
            .map(|number| number.into().unwrap_or(f64::NAN));
        self.with_values(name.into(), Values::Numbers(Numbers(numbers.collect())))
    }

    /// The same table with this column of words: a new last one, or in the place of one with this
    /// name. `None` is a hole.
    ///
    /// # Errors
    /// As [`with_numbers`](Self::with_numbers).
    ///
    /// ```
    /// use chainrule::data::Table;
    /// let owned: Vec<Option<String>> = vec![Some("male".into()), None];
    /// let table = Table::new()
    ///     .with_categories("island", ["Dream", "Biscoe"])?
    ///     .with_categories("sex", owned.iter().map(Option::as_deref))?;
    /// assert_eq!(table.categories("sex")?.collect::<Vec<_>>(), [Some("male"), None]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn with_categories<'w>(
        self,
        name: impl Into<String>,
        words: impl IntoIterator<Item: Into<Option<&'w str>>>,
    ) -> Result<Self> {
        let words = words.into_iter().map(Into::into);
        self.with_values(name.into(), Values::Categories(Categories::new(words)))
    }

    /// The same table with these values under this name.
    pub(crate) fn with_values(mut self, name: String, values: Values) -> Result<Self> {
        let place = || format!("column {name:?} of Table");
        if name.is_empty() {
            return Err(Error::new(ErrorKind::Value, place(), "a name", "\"\""));
        }
        not_empty(place(), "at least 1 row", values.len())?;
        if !self.columns.is_empty() && values.len() != self.len() {
            let expected = format!("{} rows, as in the other columns", self.len());
            return Err(Error::new(
                ErrorKind::Shape,
                place(),
                expected,
                values.len(),
            ));
        }
        if let Values::Numbers(Numbers(numbers)) = &values
            && let Some(row) = numbers.iter().position(|number| number.is_infinite())
        {
            return Err(Error::new(
                ErrorKind::NotFinite,
                format!("{}, row {row}", place()),
                "a finite number, or NaN for a hole",
                numbers[row],
            ));
        }
        match self.names.iter().position(|known| *known == name) {
            Some(index) => self.columns[index] = values,
            None => {
                self.names.push(name);
                self.columns.push(values);
            }
        }
        Ok(self)
    }

    /// The same table without these columns.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a column that is not there.
    ///
    /// ```
    /// use chainrule::data::Table;
    /// let table = Table::new().with_numbers("x", [1.0])?.with_categories("note", ["old"])?;
    /// assert_eq!(table.without(["note"])?.columns().collect::<Vec<_>>(), ["x"]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("drop"))]
    pub fn without<S: AsRef<str>>(mut self, columns: impl IntoIterator<Item = S>) -> Result<Self> {
        for name in columns {
            let index = self.find("Table::without", name.as_ref())?;
            self.names.remove(index);
            self.columns.remove(index);
        }
        Ok(self)
    }

    /// The number of rows, at least 1 once there is a column.
    #[allow(
        clippy::len_without_is_empty,
        reason = "empty only as long as it has no column"
    )]
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, Values::len)
    }

    /// The names of the columns.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The numbers of a column, row by row. A hole is NaN.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a column that is not there, [`ErrorKind::Incompatible`] for one of
    /// categories.
    pub fn numbers(&self, column: &str) -> Result<&[f64]> {
        match self.values("Table::numbers", column)? {
            Values::Numbers(Numbers(numbers)) => Ok(numbers),
            other => Err(other_kind("Table::numbers", column, "numbers", other)),
        }
    }

    /// The words of a column, row by row. A hole is `None`.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a column that is not there, [`ErrorKind::Incompatible`] for one of
    /// numbers.
    pub fn categories(&self, column: &str) -> Result<impl ExactSizeIterator<Item = Option<&str>>> {
        match self.values("Table::categories", column)? {
            Values::Categories(categories) => Ok(categories.iter()),
            other => Err(other_kind("Table::categories", column, "categories", other)),
        }
    }

    /// The rows at `indices`, in that order; an index may come again.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without an index, [`ErrorKind::Value`] for one beyond the rows.
    ///
    /// ```
    /// use chainrule::data::Table;
    /// let table = Table::new().with_numbers("x", [1.0, 2.0, 3.0])?;
    /// assert_eq!(table.select(&[2, 0])?.numbers("x")?, [3.0, 1.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        not_empty("Table::select", "at least 1 index", indices.len())?;
        if let Some(index) = indices.iter().find(|index| **index >= self.len()) {
            return Err(Error::new(
                ErrorKind::Value,
                "Table::select",
                format!("indices below {}", self.len()),
                index,
            ));
        }
        Ok(self.pick(indices))
    }

    /// [`select`](Self::select), where the indices are known to be sound.
    pub(crate) fn pick(&self, rows: &[usize]) -> Self {
        Self {
            names: self.names.clone(),
            columns: self
                .columns
                .iter()
                .map(|values| values.select(rows))
                .collect(),
        }
    }

    /// The rows that have no hole in these columns, such as those whose target is known. A table
    /// without a hole in any column is `table.drop_missing(table.columns())`.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for a column that is not there, [`ErrorKind::Empty`] if no row is left.
    ///
    /// ```
    /// use chainrule::data::Table;
    /// let table = Table::new()
    ///     .with_numbers("power", [None, Some(95.0), Some(88.0)])?
    ///     .with_numbers("mpg", [Some(18.0), None, Some(27.0)])?;
    /// assert_eq!(table.drop_missing(["mpg"])?.len(), 2);
    /// assert_eq!(table.drop_missing(table.columns())?.len(), 1);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("dropna", "drop_nulls"))]
    pub fn drop_missing<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let place = "Table::drop_missing";
        let mut rows: Vec<usize> = (0..self.len()).collect();
        for name in columns {
            let values = self.values(place, name.as_ref())?;
            rows.retain(|row| !values.is_hole(*row));
        }
        not_empty(place, "at least 1 row without a hole", rows.len())?;
        Ok(self.pick(&rows))
    }

    /// The table as text: a line of names and one per row, separated by commas (RFC 4180). A hole
    /// is an empty field. Numbers have as many digits as they need to be read back exactly.
    ///
    /// A word that means a missing value elsewhere, such as `NA`, is read back as a word by
    /// `Csv::missing([""])`.
    ///
    /// ```
    /// use chainrule::data::Table;
    /// let table = Table::new()
    ///     .with_categories("city", ["Köln", "Bonn, Beuel"])?
    ///     .with_numbers("people", [Some(1.1e6), None])?;
    /// assert_eq!(table.to_csv(), "city,people\nKöln,1100000\n\"Bonn, Beuel\",\n");
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("write_csv"))]
    pub fn to_csv(&self) -> String {
        let mut csv = String::new();
        push_csv(&mut csv, self.names.iter().map(Cow::from));
        // Names that are numbers might be taken for a row.
        if let Some(first) = self
            .names
            .first()
            .filter(|name| name.parse::<f64>().is_ok())
        {
            csv.insert(first.len(), '"');
            csv.insert(0, '"');
        }
        for row in 0..self.len() {
            let cell = |values: &Values| Cow::from(values.text(row).unwrap_or_default());
            push_csv(&mut csv, self.columns.iter().map(cell));
        }
        csv
    }

    /// Where a column is.
    pub(crate) fn find(&self, place: &str, column: &str) -> Result<usize> {
        self.names
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Value,
                    place,
                    format!("one of the columns {}", self.names.join(", ")),
                    format!("{column:?}"),
                )
            })
    }

    /// The different words of a column, sorted as an encoder has them.
    pub(crate) fn different_words(&self, column: &str) -> Result<Vec<&str>> {
        match self.values("Table::categories", column)? {
            Values::Categories(categories) => Ok(categories.present()),
            other => Err(other_kind("Table::categories", column, "categories", other)),
        }
    }

    /// The values of a column.
    pub(crate) fn values(&self, place: &str, column: &str) -> Result<&Values> {
        Ok(&self.columns[self.find(place, column)?])
    }
}

/// The error of a column that holds something else.
pub(crate) fn other_kind(place: &str, column: &str, expected: &str, given: &Values) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("column {column:?} of {place}"),
        expected,
        given.kind().to_string(),
    )
}
