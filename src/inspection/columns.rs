//! Columns of data that can be shuffled, and be given other values.

use crate::data::{Dataset, HeldOut, Rows, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::not_empty;
use crate::numeric::real::Real;
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::ops::Range;

/// Data whose columns can be inspected: a [`Table`] and rows that are [`HeldOut`], by names, and a
/// [`Dataset`], by indices of features.
pub trait Samples: sealed::Sealed + Sized {
    /// What tells its columns apart: a `String`, or a `usize`.
    type Column;

    /// The number of samples.
    #[doc(hidden)]
    fn samples(&self) -> usize;

    /// What each sample weighs, where they do not weigh the same.
    #[doc(hidden)]
    fn sample_weights(&self) -> Option<Vec<f64>> {
        None
    }

    /// How people call these columns, which must be there.
    #[doc(hidden)]
    fn called(&self, columns: &[Self::Column]) -> Result<String>;

    /// The data with the values of sample `order[j]` in sample j of these columns.
    #[doc(hidden)]
    fn shuffled(&self, columns: &[Self::Column], order: &[usize]) -> Result<Self>;

    /// All numbers of a column, or its different words; without holes.
    #[doc(hidden)]
    fn known(&self, column: &Self::Column) -> Result<Values>;

    /// The data with value `index` of `values` in all samples.
    #[doc(hidden)]
    fn replaced(&self, column: &Self::Column, values: &Values, index: usize) -> Result<Self>;
}

mod sealed {
    pub trait Sealed {}
    impl<T: crate::Real> Sealed for crate::Dataset<T> {}
    impl Sealed for crate::data::Table {}
    impl Sealed for crate::data::HeldOut {}
}

/// One or several columns that are shuffled together: a name or an index, a list of them, or a
/// range of indices.
pub trait Columns<C> {
    #[doc(hidden)]
    fn list(self) -> Vec<C>;
}

macro_rules! columns {
    ($column:ty: $([$($generics:tt)*] $columns:ty, |$given:ident| $list:expr;)+) => {$(
        impl $($generics)* Columns<$column> for $columns {
            fn list(self) -> Vec<$column> {
                let $given = self;
                $list
            }
        }
    )+};
}

columns! {
    usize:
    [] usize, |feature| vec![feature];
    [] Range<usize>, |features| features.collect();
    [] Vec<usize>, |features| features;
    [] &[usize], |features| features.to_vec();
    [<const N: usize>] [usize; N], |features| features.to_vec();
}
columns! {
    String:
    [] String, |name| vec![name];
    [] &str, |name| vec![name.into()];
    [] Vec<String>, |names| names;
    [] Vec<&str>, |names| names.into_iter().map(String::from).collect();
    [] &[&str], |names| names.iter().copied().map(String::from).collect();
    [<const N: usize>] [&str; N], |names| names.map(String::from).to_vec();
}

/// One column: a name or an index.
pub trait Column<C>: Columns<C> {
    #[doc(hidden)]
    fn one(self) -> C;
}

impl Column<usize> for usize {
    fn one(self) -> usize {
        self
    }
}

impl Column<String> for &str {
    fn one(self) -> String {
        self.into()
    }
}

impl Column<String> for String {
    fn one(self) -> String {
        self
    }
}

/// Values of a column.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Values {
    /// Of a column of numbers.
    Numbers(Vec<f64>),
    /// Of a column of words.
    Categories(Vec<String>),
}

impl Values {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Categories(words) => words.len(),
        }
    }
}

/// How errors call columns.
const FEATURES: &str = "features of Dataset";
const COLUMNS: &str = "columns of Table";

impl<T: Real> Samples for Dataset<T> {
    type Column = usize;

    fn samples(&self) -> usize {
        self.len()
    }

    fn sample_weights(&self) -> Option<Vec<f64>> {
        let weights = self.weights()?;
        Some(weights.iter().map(|weight| weight.as_f64()).collect())
    }

    fn called(&self, features: &[usize]) -> Result<String> {
        not_empty(FEATURES, "at least 1 feature", features.len())?;
        if let Some(index) = features.iter().find(|index| **index >= self.features()) {
            let expected = format!("below {}", self.features());
            return Err(Error::new(ErrorKind::Value, FEATURES, expected, index));
        }
        let numbers: Vec<String> = features.iter().map(ToString::to_string).collect();
        let plural = if numbers.len() > 1 { "s" } else { "" };
        Ok(format!("feature{plural} {}", numbers.join(", ")))
    }

    fn shuffled(&self, features: &[usize], order: &[usize]) -> Result<Self> {
        let old = self.inputs();
        self.clone().without_slopes().map_inputs(|mut inputs| {
            for feature in features {
                for (input, from) in inputs.row_mut(*feature).iter_mut().zip(order) {
                    *input = old[(*feature, *from)];
                }
            }
            Ok(inputs)
        })
    }

    fn known(&self, feature: &usize) -> Result<Values> {
        let row = self.inputs().row(*feature);
        Ok(Values::Numbers(row.iter().map(|x| x.as_f64()).collect()))
    }

    fn replaced(&self, feature: &usize, values: &Values, index: usize) -> Result<Self> {
        let Values::Numbers(numbers) = values else {
            let expected = "numbers";
            return Err(Error::new(
                ErrorKind::Incompatible,
                FEATURES,
                expected,
                "words",
            ));
        };
        self.clone().without_slopes().map_inputs(|mut inputs| {
            inputs.row_mut(*feature).fill(T::of(numbers[index]));
            Ok(inputs)
        })
    }
}

impl Samples for Table {
    type Column = String;

    fn samples(&self) -> usize {
        self.len()
    }

    fn called(&self, columns: &[String]) -> Result<String> {
        not_empty(COLUMNS, "at least 1 column", columns.len())?;
        for column in columns {
            self.find(COLUMNS, column)?;
        }
        Ok(columns.join(", "))
    }

    fn shuffled(&self, columns: &[String], order: &[usize]) -> Result<Self> {
        columns.iter().try_fold(self.clone(), |table, column| {
            let values = self.values(COLUMNS, column)?.select(order);
            table.with_values(column.clone(), values)
        })
    }

    fn known(&self, column: &String) -> Result<Values> {
        if let Ok(numbers) = self.numbers(column) {
            let known = numbers.iter().filter(|number| !number.is_nan());
            return Ok(Values::Numbers(known.copied().collect()));
        }
        let words = self.different_words(column)?.into_iter();
        Ok(Values::Categories(words.map(String::from).collect()))
    }

    fn replaced(&self, column: &String, values: &Values, index: usize) -> Result<Self> {
        let (table, rows) = (self.clone(), self.len());
        match values {
            Values::Numbers(numbers) => table.with_numbers(column, vec![numbers[index]; rows]),
            Values::Categories(words) => table.with_categories(column, vec![&*words[index]; rows]),
        }
    }
}

/// As the table that they are.
impl Samples for HeldOut {
    type Column = String;

    fn samples(&self) -> usize {
        self.len()
    }

    fn called(&self, columns: &[String]) -> Result<String> {
        Rows::from(self).table().called(columns)
    }

    fn shuffled(&self, columns: &[String], order: &[usize]) -> Result<Self> {
        self.map(|table| table.shuffled(columns, order))
    }

    fn known(&self, column: &String) -> Result<Values> {
        Rows::from(self).table().known(column)
    }

    fn replaced(&self, column: &String, values: &Values, index: usize) -> Result<Self> {
        self.map(|table| table.replaced(column, values, index))
    }
}
