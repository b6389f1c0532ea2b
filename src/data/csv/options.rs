//! How a table is written in a text file, and what is read of it.

use super::columns::Column;
use alloc::{string::String, vec::Vec};

/// What a table says a sample should be.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Numbers(Vec<Column>),
    Classes(Column, Option<Vec<String>>),
}

/// Reads tables from text files: a line is a sample.
///
/// | what the table holds | read by | into |
/// |---|---|---|
/// | numbers, perhaps names of classes | [`read`](Self::read) | [`NamedDataset`](crate::data::NamedDataset), to train on |
/// | words among the features, or holes | [`read_table`](Self::read_table) | [`Table`](crate::data::Table), for an encoder |
///
/// Defaults: a header line, comma-separated. A first column without a name is none (the row numbers
/// that pandas writes, R's row names). For [`read`](Self::read) name the target columns: all others
/// become features, and a missing value is an error.
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
    pub(super) header: bool,
    pub(super) delimiter: Option<char>,
    pub(super) decimal_comma: bool,
    pub(super) comment: Option<char>,
    pub(super) skip: usize,
    pub(super) features: Option<Vec<Column>>,
    pub(super) wanted: Wanted,
    pub(super) missing: Vec<String>,
    pub(super) drop_missing: bool,
    pub(super) columns: Option<Vec<Column>>,
    pub(super) categorical: Vec<Column>,
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
            columns: None,
            categorical: Vec::new(),
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

    /// For [`read`](Self::read): the columns that are features, in this order, instead of all that
    /// are no targets and have a name.
    pub fn features<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self {
            features: Some(columns.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// For [`read`](Self::read): the columns of numbers that are targets, in this order.
    pub fn targets<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self {
            wanted: Wanted::Numbers(columns.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// For [`read`](Self::read): the column that names the class. Targets are
    /// [`one_hot`](crate::one_hot), the classes sorted, by value if all are numbers. Two tables
    /// have the same classes only if each has a sample of every class; otherwise use
    /// [`labels_among`](Self::labels_among).
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

    /// For [`read`](Self::read): leaves out the rows in which a feature or target is missing, and
    /// counts them; without, such a row is an error.
    pub fn drop_missing(self) -> Self {
        Self {
            drop_missing: true,
            ..self
        }
    }

    /// For [`read_table`](Self::read_table): the columns of the table, in this order, instead of
    /// all that have a name.
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let text = "date,rain,wind\n2012-01-01,0.0,4.7\n2012-01-02,10.9,4.5";
    /// let table = Csv::new().columns(["wind", "rain"]).read_table(text.as_bytes())?;
    /// assert_eq!(table.columns().collect::<Vec<_>>(), ["wind", "rain"]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("usecols"))]
    pub fn columns<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self {
            columns: Some(columns.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// For [`read_table`](Self::read_table): the columns of words, instead of none.
    ///
    /// ```
    /// use chainrule::data::Csv;
    /// let text = "species,island,mass\nAdelie,Dream,3750\nGentoo,NA,5000";
    /// let csv = Csv::new().categorical(["species", "island"]);
    /// let table = csv.read_table(text.as_bytes())?;
    /// assert_eq!(table.categories("island")?.collect::<Vec<_>>(), [Some("Dream"), None]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn categorical<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self {
            categorical: columns.into_iter().map(Into::into).collect(),
            ..self
        }
    }
}
