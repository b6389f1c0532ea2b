//! Tables of numbers and words from text files.

use super::PLACE;
use super::fields::{Missing, number};
use super::options::{Csv, Wanted};
use super::records::{self, Records};
use crate::data::bytes::wrong;
use crate::data::table::Table;
use crate::data::values::{Categories, Numbers, Values};
use crate::error::{ErrorKind, Result};
use crate::ground::file;
use crate::numeric::bounds::not_empty;
use alloc::{borrow::Cow, format, vec::Vec};
use std::io::Read;
use std::path::Path;

/// A column that is being read.
enum Cells<'a> {
    Numbers(Vec<f64>),
    Words(Vec<Option<Cow<'a, str>>>),
}

impl Cells<'_> {
    fn values(self) -> Values {
        match self {
            Self::Numbers(numbers) => Values::Numbers(Numbers(numbers)),
            Self::Words(words) => {
                Values::Categories(Categories::new(words.iter().map(Option::as_deref)))
            }
        }
    }
}

impl Csv {
    /// [`read_table`](Self::read_table) of a regular file.
    ///
    /// # Errors
    /// As [`read_table`](Self::read_table), with the path before the place; [`ErrorKind::Io`] for
    /// what is no regular file.
    ///
    /// ```no_run
    /// use chainrule::data::Csv;
    /// let cars = Csv::new().categorical(["name", "origin"]).read_table_file("cars.csv")?;
    /// let (train, test) = cars.split(0.8, 1)?;
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn read_table_file(&self, path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let (file, _) = file::open(path)?;
        self.read_table(file)
            .map_err(|error| error.within(path.display()))
    }

    /// Reads a table to its end, with its words and its holes. Columns are numbers, but those that
    /// are [`categorical`](Self::categorical) are words, as they stand: `8` and `8.0` are two.
    /// A missing value is a hole. All [`columns`](Self::columns) are alike: which of them is to be
    /// predicted is for the encoder to know.
    ///
    /// # Errors
    /// As [`read`](Self::read), but that missing values are none. Furthermore
    /// [`ErrorKind::Incompatible`] where features, targets, labels or dropped rows are set, which
    /// are for [`read`](Self::read).
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let text = "city,people,area\nKöln,1085,405\nBonn,,141";
    /// let error = Csv::new().read_table(text.as_bytes()).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "CSV, line 2, column \"city\": got \"Köln\", expected a number \
    ///      (a column of words is read by Csv::categorical)"
    /// );
    ///
    /// let table = Csv::new().categorical(["city"]).read_table(text.as_bytes())?;
    /// assert_eq!(table.categories("city")?.collect::<Vec<_>>(), [Some("Köln"), Some("Bonn")]);
    /// assert!(table.numbers("people")?[1].is_nan()); // a hole
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("read_csv"))]
    pub fn read_table(&self, source: impl Read) -> Result<Table> {
        self.check_for_table()?;
        let bytes = records::bytes(source)?;
        let mut records = Records::open(self, &bytes)?;
        let columns = &records.columns;
        let chosen = match &self.columns {
            Some(chosen) => columns.find(chosen)?,
            None => (0..columns.width)
                .filter(|index| !columns.counts_rows(*index))
                .collect(),
        };
        not_empty(PLACE, "at least 1 column", chosen.len())?;
        let categorical = columns.find(&self.categorical)?;
        if let Some(other) = categorical.iter().find(|index| !chosen.contains(index)) {
            let expected = "categories among the columns that Csv::columns chooses";
            return wrong(ErrorKind::Value, PLACE, expected, columns.name(*other));
        }
        let mut table = Table::new();
        let mut cells: Vec<_> = chosen
            .iter()
            .map(|index| match categorical.contains(index) {
                true => Cells::Words(Vec::new()),
                false => Cells::Numbers(Vec::new()),
            })
            .collect();
        let missing = Missing::new(&self.missing, self.decimal_comma);
        while let Some(fields) = records.fields()? {
            for (index, cells) in chosen.iter().zip(&mut cells) {
                let field = &fields[*index];
                let hole = missing.is(field);
                match cells {
                    Cells::Numbers(numbers) if hole => numbers.push(f64::NAN),
                    Cells::Numbers(numbers) => numbers.push(number(
                        field,
                        self.decimal_comma,
                        "a column of words is read by Csv::categorical",
                        || records.place(*index),
                    )?),
                    Cells::Words(words) => words.push((!hole).then(|| field.clone())),
                }
            }
            records.advance()?;
        }
        for (index, cells) in chosen.iter().zip(cells) {
            let name = records.columns.title(*index);
            if table.columns().any(|known| known == name) {
                let given = format!("{name:?} twice");
                return wrong(ErrorKind::Value, PLACE, "each column once", given);
            }
            let values = cells.values();
            table = table
                .with_values(name, values)
                .map_err(|error| error.within(PLACE))?;
        }
        Ok(table)
    }

    /// Nothing may be set that a table has no place for.
    fn check_for_table(&self) -> Result<()> {
        let targets = match &self.wanted {
            Wanted::Numbers(targets) => (!targets.is_empty(), "Csv::targets"),
            Wanted::Classes(..) => (true, "Csv::labels"),
        };
        let settings = [
            (targets, "the target is for the encoder to know"),
            (
                (self.features.is_some(), "Csv::features"),
                "Csv::columns chooses columns",
            ),
            (
                (self.drop_missing, "Csv::drop_missing"),
                "Table::drop_missing drops rows",
            ),
        ];
        match settings.iter().find(|((set, _), _)| *set) {
            None => Ok(()),
            Some(((_, name), next)) => {
                let expected = format!("a setting of Csv::read_table ({next})");
                wrong(ErrorKind::Incompatible, PLACE, expected, name)
            }
        }
    }
}
