//! What an encoder is to learn, and from what.

use super::fitted::Fitted;
use super::index::Index;
use super::learned::Encoder;
use super::numbers::Scaled;
use super::one_hot::OneHot;
use super::settings::{Encoding, Fill, Scaling};
use super::targets::Targets;
use crate::data::table::Table;
use crate::data::values::{Numbers, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::not_empty;
use alloc::{format, string::String, vec::Vec};

/// Settings of an [`Encoder`] that is to be fitted.
///
/// ```
/// use chainrule::data::{Encoder, Encoding, Fill, Scaling, Table};
/// let flats = Table::new()
///     .with_categories("id", ["f7", "f8", "f9", "f10"])?
///     .with_categories("city", ["Köln", "Bonn", "Köln", "Ulm"])?
///     .with_numbers("area", [Some(50.0), None, Some(80.0), Some(65.0)])?
///     .with_numbers("floor", [Some(0.0), Some(2.0), None, Some(1.0)])?
///     .with_numbers("rent", [600.0, 800.0, 700.0, 650.0])?;
/// let encoder = Encoder::builder()
///     .target("rent")
///     .inputs(["area", "floor", "city"]) // without the id
///     .fill(Fill::Median)
///     .indicators()
///     .rare(2) // Bonn, Ulm, and all cities that are not there
///     .column("floor", Encoding::new().fill(Fill::Constant(0.0)).scaling(Scaling::None))
///     .fit(&flats)?;
/// assert_eq!(
///     encoder.feature_names(),
///     ["area", "area (missing)", "floor", "floor (missing)", "city=Köln", "city (rare)"]
/// );
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct EncoderBuilder {
    targets: Vec<String>,
    inputs: Option<Vec<String>>,
    all: Encoding,
    own: Vec<(String, Encoding)>,
}

impl Encoder {
    /// Settings of an encoder that is to be [fitted](EncoderBuilder::fit).
    pub fn builder() -> EncoderBuilder {
        EncoderBuilder::default()
    }
}

impl EncoderBuilder {
    /// A column that is to be predicted: of numbers, or of categories, which are then the classes.
    /// Several calls name several columns. Where there are numbers and categories among them, or
    /// categories of several columns, the loss has [`Heads`](crate::nn::loss::Heads): the targets
    /// lie in the order of the calls, a row for a column of numbers and one for each class.
    ///
    /// ```
    /// use chainrule::data::{Encoder, Table};
    /// let flats = Table::new()
    ///     .with_numbers("area", [50.0, 120.0, 80.0, 150.0])?
    ///     .with_numbers("price", [200.0, 500.0, 300.0, 600.0])?
    ///     .with_categories("kind", ["flat", "house", "flat", "house"])?;
    /// let encoder = Encoder::builder().target("price").target("kind").fit(&flats)?;
    /// assert_eq!((encoder.inputs(), encoder.outputs()), (1, 3));
    /// let kinds = encoder.target_classes("kind").ok_or("classes")?;
    /// assert_eq!(kinds, ["flat", "house"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn target(mut self, column: impl Into<String>) -> Self {
        self.targets.push(column.into());
        self
    }

    /// The columns that are inputs, in this order, instead of all that are no targets.
    pub fn inputs<S: Into<String>>(self, columns: impl IntoIterator<Item = S>) -> Self {
        Self {
            inputs: Some(columns.into_iter().map(Into::into).collect()),
            ..self
        }
    }

    /// [`Encoding::fill`] of all columns of numbers.
    pub fn fill(self, fill: Fill) -> Self {
        self.all(|all| all.fill(fill))
    }

    /// [`Encoding::indicator`] of all columns in which the training rows have a hole.
    pub fn indicators(self) -> Self {
        self.all(Encoding::indicator)
    }

    /// [`Encoding::scaling`] of all columns of numbers, targets among them.
    pub fn scaling(self, scaling: Scaling) -> Self {
        self.all(|all| all.scaling(scaling))
    }

    /// [`Encoding::rare`] of all columns of categories.
    pub fn rare(self, count: usize) -> Self {
        self.all(|all| all.rare(count))
    }

    /// [`Encoding::ignore_unknown`] of all columns of categories.
    pub fn ignore_unknown(self) -> Self {
        self.all(Encoding::ignore_unknown)
    }

    fn all(self, set: impl FnOnce(Encoding) -> Encoding) -> Self {
        Self {
            all: set(self.all),
            ..self
        }
    }

    /// What is done to this column; what `encoding` leaves open is as for all. Of a target it may
    /// be the scaling.
    pub fn column(mut self, column: impl Into<String>, encoding: Encoding) -> Self {
        self.own.push((column.into(), encoding));
        self
    }

    /// Learns from the training rows: the numbers that fill holes, scalers, categories. Held-out
    /// rows are not taken:
    ///
    /// ```compile_fail,E0308
    /// use chainrule::data::{Encoder, Table};
    /// let table = Table::new().with_numbers("x", (0..10).map(f64::from))?;
    /// let (train, test) = table.split(0.7, 1)?;
    /// Encoder::builder().fit(&test)?; // expected `&Table`, found `&HeldOut`
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::Empty`] without an input, with fewer than 2 rows or 2 classes, and for a
    ///   column of nothing but holes, unless it is filled by a [constant](Fill::Constant).
    /// - [`ErrorKind::Value`] for a column that is not there, is named twice, or is both input and
    ///   target; for a hole in a target, or among numbers without a [fill](Self::fill); for numbers
    ///   whose spread is too small, and settings out of range.
    /// - [`ErrorKind::Incompatible`] for a setting that is not for the kind of its column.
    /// - [`ErrorKind::NotFinite`] for numbers whose spread is infinite.
    pub fn fit(&self, train: &Table) -> Result<Encoder> {
        let place = "Encoder::builder";
        not_empty(place, "at least 2 training rows", train.len() / 2)?;
        self.all.check(place)?;
        for (column, encoding) in &self.own {
            let here = format!("column {column:?} of {place}");
            encoding.check(&here)?;
            if self.own.iter().filter(|(other, _)| other == column).count() > 1 {
                return Err(Error::new(ErrorKind::Value, here, "one encoding", "two"));
            }
        }
        let inputs: Vec<String> = match &self.inputs {
            Some(inputs) => inputs.clone(),
            None => {
                let targets = &self.targets;
                let others = train
                    .columns()
                    .filter(|name| !targets.iter().any(|t| t == name));
                others.map(String::from).collect()
            }
        };
        if let Some((column, _)) = self
            .own
            .iter()
            .find(|(column, _)| !inputs.contains(column) && !self.targets.contains(column))
        {
            train.find(place, column)?;
            let expected = "a column that is an input or a target";
            return Err(Error::new(
                ErrorKind::Value,
                place,
                expected,
                format!("{column:?}"),
            ));
        }
        let mut columns = Vec::new();
        for name in inputs {
            let column = self.fit_input(&name, train.values(place, &name)?)?;
            columns.push((name, column));
        }
        let targets: Vec<_> = self
            .targets
            .iter()
            .map(|name| {
                Ok((
                    name.clone(),
                    self.for_target(name, train.values(place, name)?)?,
                ))
            })
            .collect::<Result<_>>()?;
        Encoder::new(columns, Targets::fit(train, &targets)?)
    }

    /// What was set for this column alone.
    fn own(&self, column: &str) -> Encoding {
        let own = self.own.iter().find(|(name, _)| name == column);
        own.map_or_else(Encoding::new, |(_, encoding)| encoding.clone())
    }

    fn fit_input(&self, name: &str, values: &Values) -> Result<Fitted> {
        let own = self.own(name);
        match values {
            Values::Numbers(Numbers(numbers)) => {
                refuse(name, own.for_words(), values)?;
                let code = Scaled::fit(name, numbers, &own.or(&self.all))?;
                Ok(Fitted::Numbers(code))
            }
            Values::Categories(words) if own.index.is_some() => {
                Ok(Fitted::Index(Index::fit(name, words, &own.or(&self.all))?))
            }
            Values::Categories(words) => {
                refuse(name, own.for_numbers(), values)?;
                Ok(Fitted::OneHot(OneHot::fit(
                    name,
                    words,
                    &own.or(&self.all),
                )?))
            }
        }
    }

    fn for_target(&self, name: &str, values: &Values) -> Result<Encoding> {
        let own = self.own(name);
        let scaling = Encoding {
            scaling: own.scaling,
            ..Encoding::new()
        };
        if own != scaling || matches!(values, Values::Categories(_)) && own.scaling.is_some() {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("column {name:?} of Encoder::builder"),
                "the scaling of numbers as the only setting of a target",
                "another",
            ));
        }
        Ok(scaling.or(&self.all))
    }
}

/// Refuses a setting that is not for the kind of its column.
fn refuse(column: &str, setting: Option<&str>, values: &Values) -> Result<()> {
    match setting {
        None => Ok(()),
        Some(setting) => {
            let other = match values {
                Values::Numbers(_) => "categories",
                Values::Categories(_) => "numbers, or categories by Encoding::index",
            };
            let expected = format!("{other}, for {setting}");
            Err(Error::new(
                ErrorKind::Incompatible,
                format!("column {column:?} of Encoder::builder"),
                expected,
                values.kind(),
            ))
        }
    }
}
