//! What was learned of a table.

use super::fitted::Fitted;
use super::targets::{TargetColumn, Targets};
use crate::data::Dataset;
use crate::data::held_out::Rows;
use crate::data::scaler::Scaler;
use crate::data::table::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::not_empty;
use crate::numeric::real::{Real, zeros};
use crate::numeric::view::View;
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};
use nalgebra::DMatrix;

/// A map from the rows of a table to the inputs and targets of a network, learned from training
/// rows.
///
/// | column | outputs | hole | unknown category |
/// |---|---|---|---|
/// | numbers | 1, [scaled](crate::data::EncoderBuilder::scaling), by default to mean 0 and variance 1 | an error, or [filled](crate::data::EncoderBuilder::fill) | |
/// | categories | 1 each, 1 at the category and 0 elsewhere, and perhaps one for [rare](crate::data::EncoderBuilder::rare) ones | zeros | an error; with [`rare`](crate::data::EncoderBuilder::rare) as a rare one; with [`ignore_unknown`](crate::data::EncoderBuilder::ignore_unknown) zeros |
/// | categories by [index](crate::data::Encoding::index) | 1, as numbers | as numbers | an error, or as a hole |
/// | any in which training rows have a hole, with [`indicators`](crate::data::EncoderBuilder::indicators) | 1 more, 1 for a hole and 0 otherwise | | |
///
/// The outputs of a column stand together, and the columns in their order. Of the rows to be
/// encoded only the names of the columns count: they may stand in another order among others, and a
/// target may be missing where nothing is trained. Categories are sorted, by value if all are
/// numbers. All is computed in `f64`, and rounded once to the scalar of the network.
///
/// A column of numbers that has nothing but holes in training keeps its output if a
/// [constant](crate::data::Fill::Constant) fills it; otherwise it is an error, because no network
/// should lose an input silently. (scikit-learn drops such a column.)
///
/// The defaults and the numbers are those of scikit-learn's `SimpleImputer`, `StandardScaler`,
/// `OneHotEncoder` and `OrdinalEncoder` in a `ColumnTransformer`.
///
/// ```
/// use chainrule::data::{Encoder, Fill, Table};
/// let cars = Table::new()
///     .with_numbers("power", [Some(130.0), Some(95.0), None, Some(45.0), Some(90.0)])?
///     .with_categories("origin", ["USA", "Japan", "USA", "Europe", "Japan"])?
///     .with_numbers("mpg", [18.0, 24.0, 21.0, 32.0, 25.0])?;
/// let (train, test) = cars.split(0.8, 3)?;
/// let encoder = Encoder::builder()
///     .target("mpg")
///     .fill(Fill::Median)
///     .ignore_unknown()
///     .fit(&train)?; // &test is not even taken
///
/// let data = encoder.dataset::<f32>(&train)?; // for Trainer::fit and Model::fit
/// assert_eq!((data.features(), data.outputs()), (encoder.inputs(), encoder.outputs()));
/// let new = Table::new().with_numbers("power", [None])?.with_categories("origin", ["USA"])?;
/// let x = encoder.transform::<f32>(&new)?; // for Model::predict
/// assert_eq!(x.ncols(), 1);
/// # let _ = test;
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[doc(alias(
    "ColumnTransformer",
    "OneHotEncoder",
    "OrdinalEncoder",
    "SimpleImputer",
    "StringLookup",
    "TableVectorizer"
))]
pub struct Encoder {
    columns: Vec<(String, Fitted)>,
    targets: Targets,
}

impl Encoder {
    pub(super) fn new(columns: Vec<(String, Fitted)>, targets: Targets) -> Result<Self> {
        let place = "Encoder";
        not_empty(place, "at least 1 column that is an input", columns.len())?;
        let mut seen = BTreeSet::new();
        for (name, column) in &columns {
            column
                .code()
                .check()
                .map_err(|error| error.within(format!("column {name:?}")))?;
            if !seen.insert(&**name) {
                let given = format!("{name:?} twice");
                return Err(Error::new(
                    ErrorKind::Value,
                    place,
                    "each input once",
                    given,
                ));
            }
        }
        targets.check()?;
        if let Some(both) = targets.columns().iter().find(|name| seen.contains(*name)) {
            let expected = "columns that are inputs or targets";
            let given = format!("{both:?} as both");
            return Err(Error::new(ErrorKind::Value, place, expected, given));
        }
        Ok(Self { columns, targets })
    }

    /// The number of inputs of a network: the rows of what [`transform`](Self::transform) returns.
    pub fn inputs(&self) -> usize {
        self.columns
            .iter()
            .map(|(_, column)| column.code().width())
            .sum()
    }

    /// The number of outputs of a network: one per column of numbers, or one per class; 0 without a
    /// target.
    pub fn outputs(&self) -> usize {
        self.targets.outputs()
    }

    /// What was learned of each column that is an input.
    #[cfg(feature = "onnx")]
    pub(crate) fn fitted(&self) -> impl ExactSizeIterator<Item = (&str, &Fitted)> {
        self.columns
            .iter()
            .map(|(name, column)| (name.as_str(), column))
    }

    /// The names of the columns that are inputs.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The names of those that have words, for `Csv::categorical`.
    ///
    /// ```
    /// use chainrule::data::{Encoder, Table};
    /// let table = Table::new()
    ///     .with_numbers("weight", [3504.0, 2372.0])?
    ///     .with_categories("origin", ["USA", "Japan"])?;
    /// let encoder = Encoder::builder().fit(&table)?;
    /// assert_eq!(encoder.categorical().collect::<Vec<_>>(), ["origin"]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn categorical(&self) -> impl Iterator<Item = &str> {
        let words = |(_, column): &&(String, Fitted)| column.code().kind() == "categories";
        self.columns
            .iter()
            .filter(words)
            .map(|(name, _)| name.as_str())
    }

    /// The names of the columns that are targets.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = &str> {
        self.targets.columns().into_iter()
    }

    /// The names of the classes, if the only target is a column of categories: sorted, by value if
    /// all are numbers.
    pub fn classes(&self) -> Option<&[String]> {
        self.targets.classes()
    }

    /// The names of the classes of one of the targets, if it is a column of categories.
    pub fn target_classes(&self, column: &str) -> Option<&[String]> {
        let mut columns = self.target_columns().into_iter();
        columns.find(|(name, ..)| *name == column)?.2
    }

    /// The columns that are targets, with their rows among the targets, and their classes.
    pub(crate) fn target_columns(&self) -> Vec<TargetColumn<'_>> {
        self.targets.places()
    }

    /// Whether there are numbers and classes among the targets, or classes of several columns.
    pub(crate) fn has_several_kinds(&self) -> bool {
        self.targets.is_several()
    }

    /// The names of the inputs of a network, row by row of what [`transform`](Self::transform)
    /// returns.
    ///
    /// ```
    /// use chainrule::data::{Encoder, Fill, Table};
    /// let table = Table::new()
    ///     .with_numbers("power", [Some(130.0), None, Some(95.0)])?
    ///     .with_categories("origin", ["USA", "Japan", "Japan"])?;
    /// let encoder = Encoder::builder().fill(Fill::Mean).indicators().rare(2).fit(&table)?;
    /// assert_eq!(
    ///     encoder.feature_names(),
    ///     ["power", "power (missing)", "origin=Japan", "origin (rare)"]
    /// );
    /// assert_eq!(encoder.source(3), Some("origin"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("get_feature_names_out"))]
    pub fn feature_names(&self) -> Vec<String> {
        let names = |(name, column): &(String, Fitted)| column.code().names(name);
        self.columns.iter().flat_map(names).collect()
    }

    /// The column that input `row` of a network comes from; `None` beyond the last.
    pub fn source(&self, row: usize) -> Option<&str> {
        let mut end = 0;
        self.columns()
            .zip(&self.columns)
            .find_map(|(name, (_, column))| {
                end += column.code().width();
                (row < end).then_some(name)
            })
    }

    /// The inputs of a network, features × rows.
    ///
    /// # Errors
    /// - [`ErrorKind::Value`] for a column that is not there; for a hole among numbers without a
    ///   [fill](crate::data::EncoderBuilder::fill); for an unknown category, unless it has a place.
    /// - [`ErrorKind::Incompatible`] for a column of another kind than in training.
    /// - [`ErrorKind::NotFinite`] for a number that is beyond the largest `T`.
    pub fn transform<'r, T: Real>(&self, rows: impl Into<Rows<'r>>) -> Result<DMatrix<T>> {
        let table = rows.into().table();
        let codes = self.encode(table)?;
        let name = |row: usize| format!("{:?} of Encoder", self.feature_names()[row]);
        rounded(&codes, self.inputs(), name)
    }

    fn encode(&self, table: &Table) -> Result<Vec<f64>> {
        let inputs = self.inputs();
        let mut codes = zeros("inputs of Encoder", &[inputs, table.len()])?;
        let mut begin = 0;
        for (name, column) in &self.columns {
            let end = begin + column.code().width();
            let values = table.values("Encoder::transform", name)?;
            let mut rows = codes
                .chunks_exact_mut(inputs)
                .map(|code| &mut code[begin..end]);
            column.code().encode(name, values, &mut rows)?;
            begin = end;
        }
        Ok(codes)
    }

    /// Inputs and targets of a network. Targets that are numbers are in the units of the data: a
    /// model [scales](Self::target_scaler) them. Classes are [`one_hot`](crate::one_hot).
    ///
    /// # Errors
    /// As [`transform`](Self::transform); [`ErrorKind::Empty`] for an encoder without a target;
    /// [`ErrorKind::Value`] for a target that is a hole or an unknown class.
    pub fn dataset<'r, T: Real>(&self, rows: impl Into<Rows<'r>>) -> Result<Dataset<T>> {
        let table = rows.into().table();
        let outputs = self.outputs();
        not_empty(
            "Encoder::dataset",
            "a target (Encoder::builder().target names it)",
            outputs,
        )?;
        let inputs = self.transform(table)?;
        let mut targets = zeros("targets of Encoder", &[outputs, table.len()])?;
        self.targets.encode(table, &mut targets)?;
        let name = |row: usize| format!("target {row} of Encoder");
        Dataset::new(inputs, rounded(&targets, outputs, name)?)
    }

    /// The table of these inputs of a network: the columns that are inputs, where numbers are in
    /// their units. The category is that of the largest of its numbers, and a hole unless this is
    /// above 0. Rare categories are holes, for it is not known which they were. Holes that were
    /// filled are what fills them, unless they have an
    /// [indicator](crate::data::EncoderBuilder::indicators) of ½ or more.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for another number of inputs, [`ErrorKind::NotFinite`] for numbers that
    /// become infinite.
    ///
    /// ```
    /// use chainrule::data::{Encoder, Table};
    /// let table = Table::new()
    ///     .with_numbers("weight", [3504.0, 2372.0, 2130.0])?
    ///     .with_categories("origin", [Some("USA"), None, Some("Japan")])?;
    /// let encoder = Encoder::builder().fit(&table)?;
    /// let back = encoder.inverse_transform(&encoder.transform::<f64>(&table)?)?;
    /// let words = [Some("USA"), None, Some("Japan")];
    /// assert_eq!(back.categories("origin")?.collect::<Vec<_>>(), words);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn inverse_transform<'x, T: Real>(&self, x: impl Into<View<'x, T>>) -> Result<Table> {
        let x = x.into();
        if x.rows() != self.inputs() {
            return Err(Error::new(
                ErrorKind::Shape,
                "Encoder::inverse_transform",
                format!("{} rows, one per input", self.inputs()),
                x.rows(),
            ));
        }
        let codes: Vec<f64> = x.as_slice().iter().map(|v| v.as_f64()).collect();
        let mut table = Table::new();
        let mut begin = 0;
        for (name, column) in &self.columns {
            let end = begin + column.code().width();
            let rows: Vec<_> = codes
                .chunks_exact(x.rows())
                .map(|code| &code[begin..end])
                .collect();
            table = table.with_values(name.clone(), column.code().decode(&rows))?;
            begin = end;
        }
        Ok(table)
    }

    /// The scaler of the targets that are numbers, which leaves classes beside them as they are;
    /// `None` of classes alone, and where [`Scaling::None`](crate::data::Scaling::None) was asked
    /// for.
    ///
    /// # Errors
    /// [`ErrorKind::NotFinite`] or [`ErrorKind::Value`] when a number of the scaler becomes ±∞ in
    /// `T`, or a scale 0.
    pub fn target_scaler<T: Real>(&self) -> Result<Option<Scaler<T>>> {
        let Some((shift, scale)) = self.targets.scaler() else {
            return Ok(None);
        };
        Scaler::new(shift, scale)?.cast().map(Some)
    }
}

/// Columns of `width` numbers, each rounded to `T`; `name` says how errors call a row.
fn rounded<T: Real>(
    numbers: &[f64],
    width: usize,
    name: impl Fn(usize) -> String,
) -> Result<DMatrix<T>> {
    let round = |v: &f64| T::of(*v);
    let held: Vec<T> = numbers.iter().map(round).collect();
    if let Some(at) = held.iter().position(|v| !v.is_finite()) {
        return Err(Error::new(
            ErrorKind::NotFinite,
            format!("{}, row {}", name(at % width), at / width),
            "a number that the scalar can hold",
            numbers[at],
        ));
    }
    Ok(DMatrix::from_vec(width, numbers.len() / width, held))
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Encoder {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> core::result::Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Encoder {
            columns: Vec<(String, Fitted)>,
            targets: Targets,
        }
        crate::ground::serde::checked(deserializer, |Encoder { columns, targets }| {
            Self::new(columns, targets)
        })
    }
}
