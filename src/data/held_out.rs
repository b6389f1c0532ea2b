//! Parts of tables: rows to learn from, and rows of which nothing may be learned.

use super::parts;
use super::table::Table;
use crate::error::Result;
use alloc::string::String;

/// Rows of a table that were held out: for validation or for a test.
///
/// They can be encoded, predicted, judged, read, and split again. Nothing can be learned from them:
/// what learns from a table takes a [`Table`], and a part of held-out rows is held out, too. So
/// the mean of a test set never finds its way into a model.
///
/// [`into_table`](Self::into_table) is the way out, for whoever has looked at the test for the last
/// time and wants to learn from all rows.
///
/// ```
/// use chainrule::data::{HeldOut, Table};
/// let table = Table::new().with_numbers("x", (0..10).map(f64::from))?;
/// let (train, rest): (Table, HeldOut) = table.split(0.6, 1)?;
/// let (validation, test) = rest.split(0.5, 1)?;
/// assert_eq!((train.len(), validation.len(), test.len()), (6, 2, 2));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("test_set", "validation_set", "holdout"))]
pub struct HeldOut(Table);

/// Rows to be read, whether anything may be learned from them or not: a borrowed [`Table`] or
/// [`HeldOut`]. What only looks at rows takes `impl Into<Rows<'_>>`.
///
/// ```
/// use chainrule::data::{Rows, Table};
/// fn count<'r>(rows: impl Into<Rows<'r>>) -> usize {
///     rows.into().len()
/// }
/// let table = Table::new().with_numbers("x", (0..10).map(f64::from))?;
/// let (train, test) = table.split(0.7, 1)?;
/// assert_eq!((count(&train), count(&test)), (7, 3));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a>(&'a Table);

impl<'a> From<&'a Table> for Rows<'a> {
    fn from(table: &'a Table) -> Self {
        Self(table)
    }
}

impl<'a> From<&'a HeldOut> for Rows<'a> {
    fn from(held_out: &'a HeldOut) -> Self {
        Self(&held_out.0)
    }
}

impl<'a> Rows<'a> {
    /// The number of rows.
    #[allow(clippy::len_without_is_empty, reason = "as Table")]
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// The rows as a table, for code that does not learn from them.
    pub(crate) fn table(self) -> &'a Table {
        self.0
    }
}

/// Parts of a table.
impl Table {
    /// Two parts, shuffled by `seed`: the first, to learn from, has `fraction` of the rows,
    /// rounded, and each at least one. The rows are those that
    /// [`Dataset::split`](crate::Dataset::split) takes.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::ErrorKind::Value) when `fraction` is not between 0 and 1,
    /// [`ErrorKind::Empty`](crate::ErrorKind::Empty) when there are fewer than 2 rows.
    ///
    /// ```
    /// use chainrule::data::Table;
    /// let table = Table::new().with_numbers("x", (0..10).map(f64::from))?;
    /// let (train, test) = table.split(0.7, 42)?;
    /// assert_eq!((train.len(), test.len()), (7, 3));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("train_test_split", "random_split"))]
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Self, HeldOut)> {
        let first = parts::first_part("Table::split", self.len(), fraction)?;
        Ok(self.parts(parts::split(self.len(), first, seed)))
    }

    /// [`split`](Self::split) that keeps the proportions of the classes, which are the words of a
    /// column or its numbers; holes are a class of their own. As
    /// [`Dataset::stratified_split`](crate::Dataset::stratified_split): each part has at least one
    /// row of every class, and as near to its share as whole rows allow.
    ///
    /// # Errors
    /// As [`split`](Self::split); [`ErrorKind::Value`](crate::ErrorKind::Value) for a column that
    /// is not there, [`ErrorKind::Empty`](crate::ErrorKind::Empty) for a class with a single row,
    /// or a part with fewer rows than there are classes.
    ///
    /// ```
    /// use chainrule::data::Table;
    /// let table = Table::new()
    ///     .with_categories("species", ["cat", "dog", "cat", "cat", "dog", "cat"])?;
    /// let (train, test) = table.stratified_split("species", 0.5, 1)?;
    /// let mut words: Vec<_> = test.categories("species")?.flatten().collect();
    /// words.sort();
    /// assert_eq!((train.len(), words), (3, vec!["cat", "cat", "dog"]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("train_test_split"))]
    pub fn stratified_split(
        &self,
        column: &str,
        fraction: f64,
        seed: u64,
    ) -> Result<(Self, HeldOut)> {
        let place = "Table::stratified_split";
        let first = parts::first_part(place, self.len(), fraction)?;
        let (labels, names) = self.values(place, column)?.classes();
        let name = |class: usize| names.get(class).cloned().unwrap_or_default();
        Ok(self.parts(parts::stratified_split(place, &labels, name, first, seed)?))
    }

    /// Two parts without shuffling: the first has `fraction` of the rows, rounded, and the second
    /// all later ones. So rows that are ordered by time are judged on what was not yet known.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    ///
    /// ```
    /// use chainrule::data::Table;
    /// let days = Table::new().with_numbers("day", (0..10).map(f64::from))?;
    /// let (past, future) = days.split_in_order(0.8)?;
    /// assert_eq!((past.len(), future.numbers("day")?), (8, &[8.0, 9.0][..]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("TimeSeriesSplit"))]
    pub fn split_in_order(&self, fraction: f64) -> Result<(Self, HeldOut)> {
        let first = parts::first_part("Table::split_in_order", self.len(), fraction)?;
        Ok(self.parts(((0..first).collect(), (first..self.len()).collect())))
    }

    /// The rows of each part, the second held out.
    pub(crate) fn parts(&self, (first, second): parts::Parts) -> (Self, HeldOut) {
        (self.pick(&first), HeldOut(self.pick(&second)))
    }
}

/// Both parts are held out.
fn both((first, second): (Table, HeldOut)) -> (HeldOut, HeldOut) {
    (HeldOut(first), second)
}

impl HeldOut {
    /// The rows as a table that can be learned from. They are no test of what was learned from
    /// them.
    pub fn into_table(self) -> Table {
        self.0
    }

    /// These rows with the columns that `map` makes of theirs; they are held out, too.
    pub(crate) fn map(&self, map: impl FnOnce(&Table) -> Result<Table>) -> Result<Self> {
        map(&self.0).map(Self)
    }

    /// The number of rows, at least 1.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// As [`Table::columns`].
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.columns()
    }

    /// As [`Table::numbers`].
    ///
    /// # Errors
    /// As [`Table::numbers`].
    pub fn numbers(&self, column: &str) -> Result<&[f64]> {
        self.0.numbers(column)
    }

    /// As [`Table::categories`].
    ///
    /// # Errors
    /// As [`Table::categories`].
    pub fn categories(&self, column: &str) -> Result<impl ExactSizeIterator<Item = Option<&str>>> {
        self.0.categories(column)
    }

    /// As [`Table::select`].
    ///
    /// # Errors
    /// As [`Table::select`].
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        self.0.select(indices).map(Self)
    }

    /// As [`Table::drop_missing`].
    ///
    /// # Errors
    /// As [`Table::drop_missing`].
    pub fn drop_missing<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        self.0.drop_missing(columns).map(Self)
    }

    /// As [`Table::split`]; both parts are held out.
    ///
    /// # Errors
    /// As [`Table::split`].
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        self.0.split(fraction, seed).map(both)
    }

    /// As [`Table::stratified_split`]; both parts are held out.
    ///
    /// # Errors
    /// As [`Table::stratified_split`].
    pub fn stratified_split(&self, column: &str, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        self.0.stratified_split(column, fraction, seed).map(both)
    }

    /// As [`Table::split_in_order`]; both parts are held out.
    ///
    /// # Errors
    /// As [`Table::split_in_order`].
    pub fn split_in_order(&self, fraction: f64) -> Result<(Self, Self)> {
        self.0.split_in_order(fraction).map(both)
    }

    /// As [`Table::to_csv`].
    pub fn to_csv(&self) -> String {
        self.0.to_csv()
    }
}
