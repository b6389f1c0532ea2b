//! Tables in text files.

use super::bytes::wrong;
use super::{Dataset, one_hot};
use crate::error::{Error, ErrorKind, Result};
use crate::real::Real;
use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use csv::{ReaderBuilder, StringRecord, Trim};
use nalgebra::DMatrix;
use std::fs::File;
use std::io::Read;
use std::path::Path;

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

/// What a table says a sample should be.
#[derive(Clone, Debug)]
enum Wanted {
    Numbers(Vec<Column>),
    Classes(Column, Option<Vec<String>>),
}

/// Reads tables of comma-separated values: a line is a sample, a field a number, or in the column of the labels the name of a class.
///
/// Without a word it expects a header, commas and no missing value; which columns are the targets must be said, and all others are
/// features. Fields may be quoted (RFC 4180), spaces around them are no part of them, blank lines are passed over. Nothing is left out
/// silently: a row with a field too few or one that is no number is an error, which says where.
///
/// ```
/// use chainrule::Csv;
///
/// let text = "\
/// width, height, species
/// 0.2,   5.1,    setosa
/// 1.4,   7.0,    versicolor
/// NA,    6.3,    virginica
/// 0.3,   4.9,    setosa";
///
/// let csv = Csv::new().labels("species");
/// let error = csv.read::<f64>(text.as_bytes()).unwrap_err();
/// assert_eq!(error.to_string(), "CSV, line 4, column \"width\": got \"NA\", a missing value, expected a number");
///
/// let table = csv.drop_missing().read::<f64>(text.as_bytes())?;
/// assert_eq!((table.features, table.outputs, table.dropped), (vec!["width".into(), "height".into()], vec!["setosa".into(), "versicolor".into()], 1));
/// assert_eq!(table.data.inputs().column(1).as_slice(), [1.4, 7.0]);
/// assert_eq!(table.data.targets().as_slice(), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Csv {
    header: bool,
    delimiter: char,
    features: Option<Vec<Column>>,
    wanted: Wanted,
    missing: Vec<String>,
    drop_missing: bool,
}

/// What [`Csv`] reads.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Table<T: Real> {
    /// The samples.
    pub data: Dataset<T>,
    /// The names of the features, row by row of the inputs: those of the header, or the numbers of the columns.
    pub features: Vec<String>,
    /// The names of the outputs, row by row of the targets: those of the columns, or of the classes.
    pub outputs: Vec<String>,
    /// How many rows were left out because a value was missing.
    pub dropped: usize,
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// A reader of tables with a header and commas, in which a field that is empty, `?`, `NA`, `N/A`, `NaN`, `nan`, `NULL` or `null` is a
    /// missing value.
    pub fn new() -> Self {
        Self {
            header: true,
            delimiter: ',',
            features: None,
            wanted: Wanted::Numbers(Vec::new()),
            missing: ["", "?", "NA", "N/A", "NaN", "nan", "NULL", "null"].map(Into::into).into(),
            drop_missing: false,
        }
    }

    /// The first line is a sample like the others; columns are known by number.
    ///
    /// ```
    /// use chainrule::Csv;
    /// let table = Csv::new().no_header().delimiter(';').targets([2]).read::<f32>("1;2;3\n4;5;6".as_bytes())?;
    /// assert_eq!((table.data.inputs().as_slice(), table.data.targets().as_slice()), (&[1.0, 2.0, 4.0, 5.0][..], &[3.0, 6.0][..]));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn no_header(self) -> Self {
        Self { header: false, ..self }
    }

    /// What stands between the fields of a line: an ASCII character such as `;` or `\t`.
    pub fn delimiter(self, delimiter: char) -> Self {
        Self { delimiter, ..self }
    }

    /// The columns that are features, in this order; without, all that are no targets.
    pub fn features<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self { features: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// The columns of numbers that are targets, in this order.
    pub fn targets<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self { wanted: Wanted::Numbers(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// The column that names the class: targets are [`one_hot`], the classes sorted, as numbers where all of them are. Two
    /// tables have the same classes only if each has a sample of all; otherwise take [`labels_among`](Self::labels_among).
    pub fn labels(self, column: impl Into<Column>) -> Self {
        Self { wanted: Wanted::Classes(column.into(), None), ..self }
    }

    /// As [`labels`](Self::labels) with these classes, in this order; any other is an error.
    ///
    /// ```
    /// use chainrule::Csv;
    /// let csv = Csv::new().labels_among("animal", ["dog", "cat"]);
    /// let table = csv.read::<f64>("weight,animal\n4,cat\n5,cat".as_bytes())?;
    /// assert_eq!(table.data.targets().as_slice(), [0.0, 1.0, 0.0, 1.0]);
    /// let error = csv.read::<f64>("weight,animal\n4,cow".as_bytes()).unwrap_err();
    /// assert_eq!(error.to_string(), "CSV, line 2, column \"animal\": got \"cow\", expected one of the classes dog, cat");
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn labels_among<S: Into<String>>(self, column: impl Into<Column>, classes: impl IntoIterator<Item = S>) -> Self {
        let classes = classes.into_iter().map(Into::into).collect();
        Self { wanted: Wanted::Classes(column.into(), Some(classes)), ..self }
    }

    /// The fields that mean a missing value, instead of those of [`new`](Self::new).
    pub fn missing<S: Into<String>>(self, texts: impl IntoIterator<Item = S>) -> Self {
        Self { missing: texts.into_iter().map(Into::into).collect(), ..self }
    }

    /// Leaves out the rows in which a feature or target is missing, and counts them; without, such a row is an error.
    pub fn drop_missing(self) -> Self {
        Self { drop_missing: true, ..self }
    }

    /// [`read`](Self::read) of a file.
    ///
    /// # Errors
    /// As [`read`](Self::read), with the path before the place.
    ///
    /// ```no_run
    /// use chainrule::Csv;
    /// let houses = Csv::new().features(["rooms", "area"]).targets(["price"]).read_file::<f32>("houses.csv")?;
    /// println!("{} houses by {:?}", houses.data.len(), houses.features);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn read_file<T: Real>(&self, path: impl AsRef<Path>) -> Result<Table<T>> {
        let path = path.as_ref();
        let file =
            File::open(path).map_err(|error| Error::new(ErrorKind::Io, PLACE, "a file that can be opened", &error).with_source(error));
        file.and_then(|file| self.read(file)).map_err(|error| error.within(path.display()))
    }

    /// Reads a table to its end. `source` needs no buffer of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where reading fails. [`ErrorKind::Parse`] for a field that is no finite number or no class, a missing value
    /// that is not to be dropped, an open quote, or bytes that are no UTF-8, [`ErrorKind::Shape`] for a row with more or fewer fields
    /// than the first: each names the line, counted from 1, and the column. [`ErrorKind::Value`] for columns that there are not, or
    /// that are named twice, and a delimiter that is none. [`ErrorKind::Empty`] without a row, a feature, or a target, or with fewer than
    /// 2 classes.
    pub fn read<T: Real>(&self, mut source: impl Read) -> Result<Table<T>> {
        let mut text = Vec::new();
        source
            .read_to_end(&mut text)
            .map_err(|error| Error::new(ErrorKind::Io, PLACE, "a source that can be read", &error).with_source(error))?;
        let mut rows = Rows::new(&text, self.delimiter)?;
        let mut record = StringRecord::new();

        let mut line = rows.next(&mut record)?;
        if line.is_none() {
            return wrong(ErrorKind::Empty, PLACE, "at least 1 line", 0);
        }
        let header = self.header.then(|| record.iter().map(ToOwned::to_owned).collect());
        let columns = Columns { width: record.len(), header };
        if self.header {
            line = rows.next(&mut record)?;
        }
        let (features, wanted) = self.choose(&columns)?;
        let mut names = match &self.wanted {
            Wanted::Numbers(_) => None,
            Wanted::Classes(_, classes) => Some(Names::new(classes.as_deref())?),
        };
        let (mut inputs, mut targets, mut labels, mut dropped) = (Vec::new(), Vec::new(), Vec::new(), 0);
        while let Some(at) = line {
            if record.len() != columns.width {
                return wrong(ErrorKind::Shape, &rows.place(at), format!("{} fields, as in the first line", columns.width), record.len());
            }
            let missing = features.iter().chain(&wanted).find(|index| self.missing.iter().any(|text| *text == record[**index]));
            match missing {
                Some(_) if self.drop_missing => dropped += 1,
                Some(index) => {
                    let expected = if names.is_some() && wanted.contains(index) { "a class" } else { "a number" };
                    let given = format!("{:?}, a missing value", &record[*index]);
                    return wrong(ErrorKind::Parse, &rows.field(at, &columns, *index), expected, given);
                }
                None => {
                    let number = |index: &usize| number(&record[*index], || rows.field(at, &columns, *index));
                    for index in &features {
                        inputs.push(number(index)?);
                    }
                    match &mut names {
                        None => {
                            for index in &wanted {
                                targets.push(number(index)?);
                            }
                        }
                        Some(names) => labels.push(names.label(&record[wanted[0]], || rows.field(at, &columns, wanted[0]))?),
                    }
                }
            }
            line = rows.next(&mut record)?;
        }
        if inputs.is_empty() {
            return wrong(ErrorKind::Empty, PLACE, "at least 1 row without a missing value", format!("none ({dropped} dropped)"));
        }

        let samples = inputs.len() / features.len();
        let titles = |indices: &[usize]| indices.iter().map(|index| columns.title(*index)).collect::<Vec<_>>();
        let (outputs, targets) = match names {
            None => (titles(&wanted), DMatrix::from_vec(wanted.len(), samples, targets)),
            Some(names) => {
                let (names, labels) = names.sorted(&labels);
                if names.len() < 2 {
                    let place = format!("{PLACE}, {}", columns.name(wanted[0]));
                    return wrong(ErrorKind::Empty, &place, "at least 2 classes", format!("only {}", names.join(", ")));
                }
                let targets = one_hot(&labels, names.len())?;
                (names, targets)
            }
        };
        let data = Dataset::new(DMatrix::from_vec(features.len(), samples, inputs), targets)?;
        Ok(Table { data, features: titles(&features), outputs, dropped })
    }

    /// The numbers of the columns that are features, and of those that are targets.
    fn choose(&self, columns: &Columns) -> Result<(Vec<usize>, Vec<usize>)> {
        let wanted = match &self.wanted {
            Wanted::Numbers(wanted) => columns.find(wanted)?,
            Wanted::Classes(column, _) => columns.find([column])?,
        };
        let features = match &self.features {
            Some(features) => columns.find(features)?,
            None => (0..columns.width).filter(|index| !wanted.contains(index)).collect(),
        };
        if let Some(both) = features.iter().find(|index| wanted.contains(index)) {
            return wrong(ErrorKind::Value, PLACE, "columns that are features or targets", format!("{} as both", columns.name(*both)));
        }
        for (what, columns) in [("target", &wanted), ("feature", &features)] {
            if columns.is_empty() {
                return wrong(ErrorKind::Empty, PLACE, format!("at least 1 column that is a {what}"), 0);
            }
        }
        Ok((features, wanted))
    }
}

const PLACE: &str = "CSV";

fn number<T: Real>(field: &str, place: impl Fn() -> String) -> Result<T> {
    match field.parse().map(T::of) {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => wrong(ErrorKind::Parse, &place(), "a finite number", format!("{field:?}")),
        Err(_) => wrong(ErrorKind::Parse, &place(), "a number", format!("{field:?}")),
    }
}

/// The rows of a text, with their lines.
struct Rows<'a> {
    text: &'a [u8],
    reader: csv::Reader<std::io::Chain<&'a [u8], &'a [u8]>>,
}

impl<'a> Rows<'a> {
    fn new(text: &'a [u8], delimiter: char) -> Result<Self> {
        let delimiter = match u8::try_from(delimiter) {
            Ok(byte) if byte.is_ascii() && !b"\"\r\n".contains(&byte) => byte,
            _ => {
                return wrong(
                    ErrorKind::Value,
                    "delimiter of CSV",
                    "an ASCII character, no quote and no end of a line",
                    format!("{delimiter:?}"),
                );
            }
        };
        if let Err(error) = core::str::from_utf8(text) {
            let bytes = &text[error.valid_up_to()..];
            let (place, given) = (place(text, error.valid_up_to()), format!("the byte {:#04x}", bytes[0]));
            return wrong(ErrorKind::Parse, &place, "text in UTF-8", given);
        }
        // A last row of one field in quotes, which is there only if the text has no open quote.
        let source = text.chain(&b"\n\"\""[..]);
        let mut builder = ReaderBuilder::new();
        Ok(Self { text, reader: builder.has_headers(false).flexible(true).trim(Trim::All).delimiter(delimiter).from_reader(source) })
    }

    /// Reads the next row and says where it begins; `None` after the last.
    fn next(&mut self, record: &mut StringRecord) -> Result<Option<usize>> {
        let mut start = self.reader.position().byte() as usize;
        // The reader passes over blank lines with the row that follows them.
        start += self.text.get(start..).unwrap_or_default().iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let more = self.reader.read_record(record);
        more.map_err(|error| Error::new(ErrorKind::Parse, self.place(start), "a row of fields", &error).with_source(error))?;
        if start >= self.text.len() {
            return Ok(None);
        }
        if self.reader.position().byte() as usize > self.text.len() + 1 {
            return wrong(ErrorKind::Parse, &self.place(start), "a quote that ends", "the end of the text");
        }
        Ok(Some(start))
    }

    fn place(&self, start: usize) -> String {
        place(self.text, start)
    }

    fn field(&self, start: usize, columns: &Columns, index: usize) -> String {
        format!("{}, {}", self.place(start), columns.name(index))
    }
}

/// The line of a byte, as editors count: each of `\n`, `\r\n` and `\r` ends one.
fn place(text: &[u8], at: usize) -> String {
    let ends = |index: &usize| text[*index] == b'\n' || text[*index] == b'\r' && text.get(index + 1) != Some(&b'\n');
    format!("{PLACE}, line {}", 1 + (0..at).filter(ends).count())
}

/// The columns that there are.
struct Columns {
    width: usize,
    header: Option<Vec<String>>,
}

impl Columns {
    /// The numbers of the columns, each named once.
    fn find<'c>(&self, columns: impl IntoIterator<Item = &'c Column>) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        for column in columns {
            let index = self.index(column)?;
            if found.contains(&index) {
                return wrong(ErrorKind::Value, PLACE, "each column once", format!("{} twice", self.name(index)));
            }
            found.push(index);
        }
        Ok(found)
    }

    fn index(&self, column: &Column) -> Result<usize> {
        match (column, &self.header) {
            (Column::Index(index), _) if *index < self.width => Ok(*index),
            (Column::Index(index), _) => wrong(ErrorKind::Value, PLACE, format!("a column below {}", self.width), index),
            (Column::Name(name), None) => {
                let given = format!("the name {name:?}");
                wrong(ErrorKind::Value, PLACE, "columns by number, as there is no header", given)
            }
            (Column::Name(name), Some(header)) => {
                let mut same = (0..header.len()).filter(|index| header[*index] == *name);
                match (same.next(), same.next()) {
                    (Some(index), None) => Ok(index),
                    (Some(_), Some(_)) => wrong(ErrorKind::Value, PLACE, format!("one column {name:?}"), "several"),
                    (None, _) => wrong(ErrorKind::Value, PLACE, format!("one of the columns {}", header.join(", ")), format!("{name:?}")),
                }
            }
        }
    }

    /// How errors call a column.
    fn name(&self, index: usize) -> String {
        match &self.header {
            Some(header) => format!("column {:?}", header[index]),
            None => format!("column {index}"),
        }
    }

    /// How a table calls it.
    fn title(&self, index: usize) -> String {
        self.header.as_ref().map_or_else(|| index.to_string(), |header| header[index].clone())
    }
}

/// The names of the classes, in the order in which they came.
struct Names {
    /// Whether no other may come.
    given: bool,
    names: Vec<String>,
    labels: BTreeMap<String, usize>,
}

impl Names {
    fn new(given: Option<&[String]>) -> Result<Self> {
        let names = given.unwrap_or_default().to_vec();
        let labels: BTreeMap<_, _> = names.iter().cloned().zip(0..).collect();
        if labels.len() < names.len() {
            return wrong(ErrorKind::Value, "classes of CSV", "each class once", names.join(", "));
        }
        Ok(Self { given: given.is_some(), names, labels })
    }

    fn label(&mut self, name: &str, place: impl Fn() -> String) -> Result<usize> {
        match self.labels.get(name) {
            Some(label) => Ok(*label),
            None if self.given => {
                wrong(ErrorKind::Parse, &place(), format!("one of the classes {}", self.names.join(", ")), format!("{name:?}"))
            }
            None => {
                let label = self.names.len();
                self.names.push(name.into());
                self.labels.insert(name.into(), label);
                Ok(label)
            }
        }
    }

    /// The names in order, and the labels of all samples by it.
    fn sorted(self, labels: &[usize]) -> (Vec<String>, Vec<usize>) {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        if !self.given {
            let numbers: Result<Vec<f64>, _> = self.names.iter().map(|name| name.parse()).collect();
            order.sort_by(|a, b| {
                let by_number = numbers.as_ref().ok().map(|numbers| numbers[*a].total_cmp(&numbers[*b]));
                by_number.unwrap_or(core::cmp::Ordering::Equal).then_with(|| self.names[*a].cmp(&self.names[*b]))
            });
        }
        let mut rank = vec![0; order.len()];
        for (place, name) in order.iter().enumerate() {
            rank[*name] = place;
        }
        (order.iter().map(|name| self.names[*name].clone()).collect(), labels.iter().map(|label| rank[*label]).collect())
    }
}
