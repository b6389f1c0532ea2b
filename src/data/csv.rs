//! Tables in text files.

use super::bytes::wrong;
use super::decimal::{self, Decimal};
use super::foreign::foreign;
use super::{Dataset, one_hot, packed};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::file;
use crate::numeric::bounds::not_empty;
use crate::numeric::real::Real;
use alloc::{
    borrow::{Cow, ToOwned},
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use nalgebra::DMatrix;
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

/// Reads tables from text files: a line is a sample, a field is a number, or in the column of the
/// labels the name of a class.
///
/// Defaults: a header line, comma-separated, no missing values. Name the target columns; all others
/// become features, except a first column without a name (the row numbers that pandas writes, R's
/// row names).
///
/// - Fields may be quoted (RFC 4180). Spaces around a field are no part of it, and blank lines are
///   no rows.
/// - `True` and `False` are 1 and 0, also as `true`, `TRUE`, `false`, `FALSE`.
/// - A line may end with one delimiter too many.
/// - If every row has one field more than the header and begins with text, or with a number in
///   quotes, that field is the row's name and no column. R writes such files. If the last field of
///   every row is empty, the delimiter before it is one too many; after first fields in quotes it
///   could be either, and is an error.
/// - A number becomes the nearest `T`, rounded once.
/// - With the feature `deflate` the file may be gzipped.
///
/// Nothing is left out silently: a row with a field too few, or with text where a number is wanted,
/// is an error that says where. So is a header of nothing but numbers, because it may be a sample,
/// unless they number the columns from 0 or 1 on or stand in quotes.
///
/// ```
/// use chainrule::data::Csv;
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
/// assert!(error.to_string().starts_with(
///     "CSV, line 4, column \"width\": got \"NA\", a missing value, expected a number"
/// ));
///
/// let table = csv.drop_missing().read::<f64>(text.as_bytes())?;
/// assert_eq!(
///     (table.features, table.outputs, table.dropped),
///     (
///         vec!["width".into(), "height".into()],
///         vec!["setosa".into(), "versicolor".into()],
///         1
///     )
/// );
/// assert_eq!(table.data.inputs().column(1).as_slice(), [1.4, 7.0]);
/// assert_eq!(table.data.targets().as_slice(), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
#[doc(alias("read_csv", "readtable"))]
pub struct Csv {
    header: bool,
    delimiter: Option<char>,
    decimal_comma: bool,
    comment: Option<char>,
    skip: usize,
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
    /// The names of the features, row by row of the inputs: those of the header, or the numbers of
    /// the columns.
    pub features: Vec<String>,
    /// The names of the outputs, row by row of the targets: those of the columns, or of the
    /// classes.
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
    /// A reader of tables with a header and commas, in which a field that is empty, `?`, `NA`,
    /// `N/A`, `NaN`, `nan`, `NULL` or `null` is a missing value.
    pub fn new() -> Self {
        Self {
            header: true,
            delimiter: Some(','),
            decimal_comma: false,
            comment: None,
            skip: 0,
            features: None,
            wanted: Wanted::Numbers(Vec::new()),
            missing: ["", "?", "NA", "N/A", "NaN", "nan", "NULL", "null"]
                .map(Into::into)
                .into(),
            drop_missing: false,
        }
    }

    /// The first line is a sample like the others; columns are known by number.
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let table = Csv::new()
    ///     .no_header()
    ///     .delimiter(';')
    ///     .targets([2])
    ///     .read::<f32>("1;2;3\n4;5;6".as_bytes())?;
    /// assert_eq!(
    ///     (
    ///         table.data.inputs().as_slice(),
    ///         table.data.targets().as_slice()
    ///     ),
    ///     (&[1.0, 2.0, 4.0, 5.0][..], &[3.0, 6.0][..])
    /// );
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn no_header(self) -> Self {
        Self {
            header: false,
            ..self
        }
    }

    /// The ASCII character between the fields of a line, such as `;` or `\t`.
    pub fn delimiter(self, delimiter: char) -> Self {
        Self {
            delimiter: Some(delimiter),
            ..self
        }
    }

    /// Fields are separated by spaces and tabs, as many as there are; those at the ends of a line
    /// count for nothing.
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let text = "  x      y\n 1.0   2.5\n-3.25  4.0  \n";
    /// let table = Csv::new().whitespace_delimited().targets(["y"]).read::<f64>(text.as_bytes())?;
    /// assert_eq!(table.data.inputs().as_slice(), [1.0, -3.25]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn whitespace_delimited(self) -> Self {
        Self {
            delimiter: None,
            ..self
        }
    }

    /// Numbers have a decimal comma: `1,5`. A number with a point is an error then, since it might
    /// be one thousand and something.
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let csv = Csv::new().delimiter(';').decimal_comma().targets(["y"]);
    /// let table = csv.read::<f64>("x;y\n1,5;-2,25e1\n3;4".as_bytes())?;
    /// assert_eq!(table.data.targets().as_slice(), [-22.5, 4.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn decimal_comma(self) -> Self {
        Self {
            decimal_comma: true,
            ..self
        }
    }

    /// The first `lines` lines of the file are no part of the table.
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let text = "Station 7\nmeasured in May\nx,y\n1,2\n3,4";
    /// let table = Csv::new().skip_lines(2).targets(["y"]).read::<f64>(text.as_bytes())?;
    /// assert_eq!(table.data.targets().as_slice(), [2.0, 4.0]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn skip_lines(self, lines: usize) -> Self {
        Self {
            skip: lines,
            ..self
        }
    }

    /// Lines that begin with this ASCII character, such as `#` or `%`, are no part of the table.
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let csv = Csv::new().comment('#').targets(["y"]);
    /// let table =
    ///     csv.read::<f64>("# made by hand\nx,y\n1,2\n# broken sensor: 9,9\n3,4".as_bytes())?;
    /// assert_eq!(table.data.len(), 2);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn comment(self, sign: char) -> Self {
        Self {
            comment: Some(sign),
            ..self
        }
    }

    /// The columns that are features, in this order, instead of all that are no targets and have a
    /// name.
    pub fn features<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self {
            features: Some(columns.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// The columns of numbers that are targets, in this order.
    pub fn targets<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self {
            wanted: Wanted::Numbers(columns.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// The column that names the class: targets are [`one_hot`], the classes sorted, by value if
    /// all are numbers. Two tables have the same classes only if each has a sample of every class;
    /// otherwise use [`labels_among`](Self::labels_among).
    ///
    /// Names that are numbers are compared as numbers: `1`, `1.0`, `+1`, `01` and `1e0` are one
    /// class, which is called by the shortest of the names it has in the file.
    ///
    /// Two classes make two rows of targets, too, for
    /// [`SoftmaxCrossEntropy`](crate::SoftmaxCrossEntropy). For
    /// [`SigmoidCrossEntropy`](crate::SigmoidCrossEntropy) read a column of 0 and 1 by
    /// [`targets`](Self::targets).
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let table = Csv::new().labels("y").read::<f64>("x,y\n5,0\n6,1.0\n7,1\n8,0".as_bytes())?;
    /// assert_eq!(table.outputs, ["0", "1"]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn labels(self, column: impl Into<Column>) -> Self {
        Self {
            wanted: Wanted::Classes(column.into(), None),
            ..self
        }
    }

    /// As [`labels`](Self::labels) with these classes, in this order; any other is an error.
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let csv = Csv::new().labels_among("animal", ["dog", "cat"]);
    /// let table = csv.read::<f64>("weight,animal\n4,cat\n5,cat".as_bytes())?;
    /// assert_eq!(table.data.targets().as_slice(), [0.0, 1.0, 0.0, 1.0]);
    /// let error = csv.read::<f64>("weight,animal\n4,cow".as_bytes()).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "CSV, line 2, column \"animal\": got \"cow\", expected one of the classes dog, cat"
    /// );
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn labels_among<S: Into<String>>(
        self,
        column: impl Into<Column>,
        classes: impl IntoIterator<Item = S>,
    ) -> Self {
        let classes = classes.into_iter().map(Into::into).collect();
        Self {
            wanted: Wanted::Classes(column.into(), Some(classes)),
            ..self
        }
    }

    /// The fields that mean a missing value, instead of those of [`new`](Self::new). Numbers are
    /// compared as numbers: `-999` is `-999.0`, too.
    pub fn missing<S: Into<String>>(self, texts: impl IntoIterator<Item = S>) -> Self {
        Self {
            missing: texts.into_iter().map(Into::into).collect(),
            ..self
        }
    }

    /// Leaves out the rows in which a feature or target is missing, and counts them; without, such
    /// a row is an error.
    pub fn drop_missing(self) -> Self {
        Self {
            drop_missing: true,
            ..self
        }
    }

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
    pub fn read_file<T: Real>(&self, path: impl AsRef<Path>) -> Result<Table<T>> {
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
    pub fn read<T: Real>(&self, mut source: impl Read) -> Result<Table<T>> {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).map_err(|error| {
            Error::new(ErrorKind::Io, PLACE, "a source that can be read", &error).with_source(error)
        })?;
        let bytes = packed::plain(PLACE, &bytes)?;
        let mut rows = Rows::new(&bytes, self.delimiter, self.comment, self.skip)?;
        let mut row = Row::default();

        not_empty(PLACE, "at least 1 line", rows.next(&mut row)?.into())?;
        if self.header && !row.quoted && self.is_sample(&row.fields) {
            let expected = "names of columns (Csv::no_header, if these numbers are a sample; if they \
                are names, leave them out by skip_lines and no_header)";
            let given = "nothing but numbers in the header";
            return wrong(ErrorKind::Parse, &rows.place(row.start), expected, given);
        }
        let layout = Layout::of(&rows, &row, self.header)?;
        let header = self.header.then(|| {
            row.fields[..layout.width]
                .iter()
                .map(|name| name.clone().into_owned())
                .collect()
        });
        let columns = Columns {
            width: layout.width,
            header,
        };
        let mut more = !self.header || rows.next(&mut row)?;
        let (features, wanted) = self.choose(&columns)?;
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
        while more {
            let place =
                |index: usize| format!("{}, {}", rows.place(row.start), columns.name(index));
            let fields = layout.fields(&row, || rows.place(row.start))?;
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
                    let expected =
                        format!("{kind} (Csv::drop_missing leaves out rows with missing values)");
                    let given = format!("{:?}, a missing value", fields[*index]);
                    return wrong(ErrorKind::Parse, &place(*index), expected, given);
                }
                None => {
                    for index in &features {
                        inputs.push(self.number(
                            &fields[*index],
                            "Csv::features chooses columns",
                            || place(*index),
                        )?);
                    }
                    match &mut names {
                        None => {
                            for index in &wanted {
                                targets.push(self.number(
                                    &fields[*index],
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
            more = rows.next(&mut row)?;
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
                .map(|index| columns.title(*index))
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
                    let place = format!("{PLACE}, {}", columns.name(wanted[0]));
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
        Ok(Table {
            data,
            features: titles(&features),
            outputs,
            dropped,
        })
    }

    /// The number in a field; `other` is what to do about a word.
    fn number<T: Real>(&self, field: &str, other: &str, place: impl Fn() -> String) -> Result<T> {
        let number = numeral(field, self.decimal_comma).and_then(|text| decimal::parse::<T>(&text));
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
        let (expected, next) = match self.decimal_comma {
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

    /// Whether a first line is numbers, other than those of the columns, from 0 or from 1 on.
    fn is_sample(&self, fields: &[Cow<'_, str>]) -> bool {
        let number = |field: &Cow<'_, str>| {
            numeral(field, self.decimal_comma).and_then(|text| decimal::parse::<f64>(&text))
        };
        let Some(numbers) = fields.iter().map(number).collect::<Option<Vec<_>>>() else {
            return false;
        };
        let counted = |first: usize| (first..).zip(&numbers).all(|(k, x)| *x == k as f64);
        numbers.len() < 2 || !counted(0) && !counted(1)
    }
}

const PLACE: &str = "CSV";

/// A field as Rust writes numbers, if it may be one: of the two signs the comma or the point.
fn numeral(field: &str, decimal_comma: bool) -> Option<Cow<'_, str>> {
    match decimal_comma {
        true if field.contains('.') => None,
        true if field.contains(',') => Some(field.replace(',', ".").into()),
        _ => Some(field.into()),
    }
}

/// The fields that mean a missing value.
struct Missing<'a> {
    texts: &'a [String],
    numbers: Vec<Decimal>,
    decimal_comma: bool,
}

impl<'a> Missing<'a> {
    fn new(texts: &'a [String], decimal_comma: bool) -> Self {
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

    fn is(&self, field: &str) -> bool {
        let equals = |number: Decimal| self.numbers.contains(&number);
        self.texts.iter().any(|text| text == field)
            || !self.numbers.is_empty()
                && numeral(field, self.decimal_comma)
                    .and_then(|text| Decimal::parse(&text))
                    .is_some_and(equals)
    }
}

/// The rows of a text, with their lines.
#[derive(Clone)]
struct Rows<'a> {
    text: &'a str,
    /// How much has been read.
    at: usize,
    /// `None` of runs of spaces and tabs.
    delimiter: Option<u8>,
    comment: Option<u8>,
}

/// A line of the table.
#[derive(Default)]
struct Row<'a> {
    /// Where it begins.
    start: usize,
    fields: Vec<Cow<'a, str>>,
    /// Whether the first field has quotes.
    quoted: bool,
    /// Whether the line ends with a delimiter.
    open: bool,
}

impl<'a> Rows<'a> {
    /// Those after the first `skip` lines.
    fn new(
        text: &'a [u8],
        delimiter: Option<char>,
        comment: Option<char>,
        skip: usize,
    ) -> Result<Self> {
        let sign = |what: &str, sign: char| match u8::try_from(sign) {
            Ok(byte) if byte.is_ascii() && !b"\"\r\n".contains(&byte) => Ok(byte),
            _ => {
                let expected = "an ASCII character, no quote and no end of a line";
                wrong(
                    ErrorKind::Value,
                    &format!("{what} of {PLACE}"),
                    expected,
                    format!("{sign:?}"),
                )
            }
        };
        let delimiter = delimiter
            .map(|delimiter| sign("delimiter", delimiter))
            .transpose()?;
        let comment = comment
            .map(|comment| sign("comment", comment))
            .transpose()?;
        if let (Some(delimiter), true) = (delimiter, delimiter == comment) {
            return wrong(
                ErrorKind::Value,
                "comment of CSV",
                "another character than the delimiter",
                format!("{:?}", char::from(delimiter)),
            );
        }
        match core::str::from_utf8(text) {
            Ok(text) => {
                let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
                let mut rows = Self {
                    text,
                    at,
                    delimiter,
                    comment,
                };
                for _ in 0..skip {
                    rows.pass_line();
                }
                Ok(rows)
            }
            Err(error) => {
                let at = error.valid_up_to();
                match foreign(text) {
                    Some((other, next)) => wrong(
                        ErrorKind::Parse,
                        PLACE,
                        format!("text in UTF-8 ({next})"),
                        other,
                    ),
                    None => wrong(
                        ErrorKind::Parse,
                        &place(text, at),
                        "text in UTF-8",
                        format!("the byte {:#04x}", text[at]),
                    ),
                }
            }
        }
    }

    /// Reads the next row; `false` after the last.
    fn next(&mut self, row: &mut Row<'a>) -> Result<bool> {
        row.fields.clear();
        row.open = false;
        loop {
            self.pass(|byte| byte == b'\r' || byte == b'\n');
            row.start = self.at;
            if self.delimiter.is_none() {
                self.pass(is_space);
            }
            match self.peek() {
                None => return Ok(false),
                sign if sign == self.comment => self.pass_line(),
                Some(b'\r' | b'\n') => {}
                _ => break,
            }
        }
        loop {
            let delimiter = self.delimiter;
            self.pass(|byte| is_space(byte) && Some(byte) != delimiter);
            if delimiter.is_none() && self.line_ends() {
                break;
            }
            let quoted = self.peek() == Some(b'"');
            let field = if quoted {
                self.quoted(row.start)?
            } else {
                self.unquoted()
            };
            row.quoted = if row.fields.is_empty() {
                quoted
            } else {
                row.quoted
            };
            row.open = !quoted && field.is_empty();
            row.fields.push(field);
            if self.line_ends() {
                break;
            }
            if delimiter.is_some() {
                self.at += 1;
            }
        }
        row.open &= row.fields.len() > 1;
        Ok(true)
    }

    /// A field up to a delimiter or the end of the line, without the spaces around it.
    fn unquoted(&mut self) -> Cow<'a, str> {
        let begin = self.at;
        let delimiter = self.delimiter;
        self.pass(|byte| !is_delimiter(byte, delimiter) && byte != b'\r' && byte != b'\n');
        self.text[begin..self.at].trim().into()
    }

    /// A field in quotes, within which two are one.
    fn quoted(&mut self, start: usize) -> Result<Cow<'a, str>> {
        let begin = self.at + 1;
        let mut doubled = false;
        let end = loop {
            self.at += 1;
            self.pass(|byte| byte != b'"');
            let end = self.at;
            if self.peek().is_none() {
                return wrong(
                    ErrorKind::Parse,
                    &self.place(start),
                    "a quote that ends",
                    "the end of the text",
                );
            }
            self.at += 1;
            if self.peek() != Some(b'"') {
                break end;
            }
            doubled = true;
        };
        let delimiter = self.delimiter;
        if delimiter.is_some() {
            self.pass(|byte| is_space(byte) && Some(byte) != delimiter);
        }
        if !self.line_ends()
            && !self
                .peek()
                .is_some_and(|byte| is_delimiter(byte, delimiter))
        {
            let rest = self.text[self.at..].chars().next().unwrap_or_default();
            return wrong(
                ErrorKind::Parse,
                &self.place(start),
                "the end of a field after its quote",
                format!("{rest:?}"),
            );
        }
        let field = &self.text[begin..end];
        Ok(if doubled {
            field.replace("\"\"", "\"").trim().to_owned().into()
        } else {
            field.trim().into()
        })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn line_ends(&self) -> bool {
        matches!(self.peek(), None | Some(b'\r' | b'\n'))
    }

    /// Passes over the bytes that come and are `wanted`.
    fn pass(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| wanted(**byte)).count();
    }

    /// Passes over the rest of the line and its end.
    fn pass_line(&mut self) {
        self.pass(|byte| byte != b'\r' && byte != b'\n');
        let rest = &self.text.as_bytes()[self.at..];
        self.at += if rest.starts_with(b"\r\n") {
            2
        } else {
            rest.len().min(1)
        };
    }

    fn place(&self, start: usize) -> String {
        place(self.text.as_bytes(), start)
    }
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn is_delimiter(byte: u8, delimiter: Option<u8>) -> bool {
    delimiter.map_or_else(|| is_space(byte), |delimiter| byte == delimiter)
}

/// The line of a byte, as editors count: each of `\n`, `\r\n` and `\r` ends one.
fn place(text: &[u8], at: usize) -> String {
    let ends = |index: &usize| {
        text[*index] == b'\n' || text[*index] == b'\r' && text.get(index + 1) != Some(&b'\n')
    };
    format!("{PLACE}, line {}", 1 + (0..at).filter(ends).count())
}

/// How the fields of a row belong to the columns.
struct Layout {
    width: usize,
    /// Whether every row begins with a name that no column is for.
    row_names: bool,
}

impl Layout {
    /// The layout of a table with this first line; `rest` has its other rows.
    fn of(rest: &Rows<'_>, first: &Row<'_>, header: bool) -> Result<Self> {
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
    fn fields<'r, 'a>(
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

    fn index(&self, column: &Column) -> Result<usize> {
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
    fn counts_rows(&self, index: usize) -> bool {
        index == 0
            && self
                .header
                .as_ref()
                .is_some_and(|header| header[0].is_empty())
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
        self.header
            .as_ref()
            .map_or_else(|| index.to_string(), |header| header[index].clone())
    }
}

/// The names of the classes, in the order in which they came.
struct Names {
    /// Whether no other may come.
    given: bool,
    decimal_comma: bool,
    names: Vec<String>,
    /// The class of every text that came.
    labels: BTreeMap<String, usize>,
    /// The classes whose names are numbers.
    numbers: BTreeMap<Decimal, usize>,
}

impl Names {
    fn new(given: Option<&[String]>, decimal_comma: bool) -> Result<Self> {
        let mut names = Self {
            given: false,
            decimal_comma,
            names: Vec::new(),
            labels: BTreeMap::new(),
            numbers: BTreeMap::new(),
        };
        for name in given.unwrap_or_default() {
            let known = names.names.len();
            let label = names.find(name);
            if label < known {
                let given = format!("{:?} and {name:?}", names.names[label]);
                return wrong(ErrorKind::Value, "classes of CSV", "each class once", given);
            }
        }
        names.given = given.is_some();
        Ok(names)
    }

    /// The class of a name, which becomes a new one if it is not known.
    fn find(&mut self, name: &str) -> usize {
        if let Some(label) = self.labels.get(name) {
            return *label;
        }
        let new = self.names.len();
        let number = numeral(name, self.decimal_comma).and_then(|text| Decimal::parse(&text));
        let label = number.map_or(new, |number| *self.numbers.entry(number).or_insert(new));
        self.labels.insert(name.into(), label);
        if label == new {
            self.names.push(name.into());
        } else if !self.given && (name.len(), name) < (self.names[label].len(), &self.names[label])
        {
            self.names[label] = name.into();
        }
        label
    }

    fn label(&mut self, name: &str, place: impl Fn() -> String) -> Result<usize> {
        let known = self.names.len();
        match self.find(name) {
            label if self.given && label == known => {
                let expected = format!("one of the classes {}", self.names[..known].join(", "));
                wrong(ErrorKind::Parse, &place(), expected, format!("{name:?}"))
            }
            label => Ok(label),
        }
    }

    /// The names in order, and the labels of all samples by it.
    fn sorted(self, labels: &[usize]) -> (Vec<String>, Vec<usize>) {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        if !self.given {
            if self.numbers.len() == self.names.len() {
                order = self.numbers.into_values().collect();
            } else {
                order.sort_by(|a, b| self.names[*a].cmp(&self.names[*b]));
            }
        }
        let mut rank = vec![0; order.len()];
        for (place, name) in order.iter().enumerate() {
            rank[*name] = place;
        }
        (
            order.iter().map(|name| self.names[*name].clone()).collect(),
            labels.iter().map(|label| rank[*label]).collect(),
        )
    }
}
