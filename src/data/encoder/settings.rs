//! What is done to a column.

use crate::error::Result;
use crate::numeric::bounds::{FINITE, some};
use alloc::{string::String, vec::Vec};
use core::fmt;

/// What takes the place of a hole in a column of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias("SimpleImputer", "strategy"))]
pub enum Fill {
    /// The mean of the numbers in the training rows.
    Mean,
    /// Their median: the middle one in order, or the mean of the two in the middle.
    Median,
    /// This number, in the units of the column.
    Constant(f64),
}

impl Fill {
    pub(super) fn check(self, place: impl fmt::Display) -> Result<()> {
        match self {
            Self::Constant(number) => FINITE.check(place, number),
            Self::Mean | Self::Median => Ok(()),
        }
    }
}

/// How a column of numbers is scaled, after its holes have been filled: as the
/// [`Scaler`](crate::Scaler) of this name, learned from the training rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// To mean 0 and variance 1.
    #[default]
    #[doc(alias("StandardScaler"))]
    Standard,
    /// To [0, 1].
    #[doc(alias("MinMaxScaler"))]
    MinMax,
    /// To [−1, 1], or [0, 1] without negatives; 0 stays 0.
    #[doc(alias("MaxAbsScaler"))]
    MaxAbs,
    /// Not at all.
    None,
}

/// How a column becomes numbers for a network; what is not set is as for all columns of the
/// [`Encoder`](crate::data::Encoder).
///
/// ```
/// use chainrule::data::{Encoder, Encoding, Fill, Scaling, Table};
/// let flats = Table::new()
///     .with_numbers("area", [Some(50.0), None, Some(80.0)])?
///     .with_numbers("balcony", [Some(1.0), Some(0.0), None])?
///     .with_categories("state", ["fair", "good", "poor"])?
///     .with_numbers("rent", [600.0, 800.0, 700.0])?;
/// let encoder = Encoder::builder()
///     .target("rent")
///     .fill(Fill::Median)
///     .column("balcony", Encoding::new().fill(Fill::Constant(0.0)).scaling(Scaling::None))
///     .column("state", Encoding::new().ordered(["poor", "fair", "good"]).scaling(Scaling::None))
///     .fit(&flats)?;
/// let x = encoder.transform::<f64>(&flats)?;
/// assert_eq!(x.row(1).iter().collect::<Vec<_>>(), [&1.0, &0.0, &0.0]); // balcony
/// assert_eq!(x.row(2).iter().collect::<Vec<_>>(), [&1.0, &2.0, &0.0]); // state
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
#[doc(alias("ColumnTransformer"))]
pub struct Encoding {
    pub(super) fill: Option<Fill>,
    pub(super) indicator: Option<()>,
    pub(super) scaling: Option<Scaling>,
    pub(super) rare: Option<usize>,
    pub(super) ignore_unknown: Option<()>,
    pub(super) index: Option<Order>,
}

/// Which word has which index.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    Sorted,
    Given(Vec<String>),
}

impl Encoding {
    /// As for all columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// What takes the place of holes. Without it a hole among numbers is an error.
    pub fn fill(self, fill: Fill) -> Self {
        Self {
            fill: Some(fill),
            ..self
        }
    }

    /// One more output that is 1 for a hole and 0 for a value, if the training rows have a hole.
    pub fn indicator(self) -> Self {
        Self {
            indicator: Some(()),
            ..self
        }
    }

    /// How the column is scaled, [`Scaling::Standard`] if nothing else is said.
    pub fn scaling(self, scaling: Scaling) -> Self {
        Self {
            scaling: Some(scaling),
            ..self
        }
    }

    /// One place for all categories that fewer than `count` training rows have, and for those that
    /// none has. If all categories are common, there is no such place, and unknown categories are
    /// as with [`ignore_unknown`](Self::ignore_unknown).
    #[doc(alias("min_frequency", "infrequent_if_exist", "infrequent"))]
    pub fn rare(self, count: usize) -> Self {
        Self {
            rare: Some(count),
            ..self
        }
    }

    /// A category that no training row has is coded as a hole: by zeros. Without this and without
    /// [`rare`](Self::rare) it is an error.
    #[doc(alias("handle_unknown"))]
    pub fn ignore_unknown(self) -> Self {
        Self {
            ignore_unknown: Some(()),
            ..self
        }
    }

    /// A column of categories becomes the index of the category instead of one output per category:
    /// 0, 1, … in sorted order. The index is then a number like others: [filled](Self::fill) where
    /// there is a hole, and [scaled](Self::scaling). With [`rare`](Self::rare) the last index is
    /// that of rare categories.
    ///
    /// A network takes an index for a quantity: that is right for two categories, and where they
    /// have an [order](Self::ordered). Only an [`Embedding`](crate::nn::Embedding) takes it for a
    /// place in its table: as it is, with [`Scaling::None`].
    #[doc(alias("OrdinalEncoder"))]
    pub fn index(self) -> Self {
        Self {
            index: Some(Order::Sorted),
            ..self
        }
    }

    /// [`index`](Self::index) in this order, which has all categories.
    pub fn ordered<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        Self {
            index: Some(Order::Given(words.into_iter().map(Into::into).collect())),
            ..self
        }
    }

    /// These settings, and those of `all` that they leave open.
    pub(super) fn or(self, all: &Self) -> Self {
        Self {
            fill: self.fill.or(all.fill),
            indicator: self.indicator.or(all.indicator),
            scaling: self.scaling.or(all.scaling),
            rare: self.rare.or(all.rare),
            ignore_unknown: self.ignore_unknown.or(all.ignore_unknown),
            index: self.index.or_else(|| all.index.clone()),
        }
    }

    pub(super) fn check(&self, place: impl fmt::Display) -> Result<()> {
        if let Some(fill) = self.fill {
            fill.check(&place)?;
        }
        match self.rare {
            Some(count) => some(place, "at least 1 row, for Encoding::rare", count as u64),
            None => Ok(()),
        }
    }

    /// A setting that is not for a column of numbers.
    pub(super) fn for_words(&self) -> Option<&'static str> {
        [
            (self.rare.is_some(), "Encoding::rare"),
            (self.ignore_unknown.is_some(), "Encoding::ignore_unknown"),
            (self.index.is_some(), "Encoding::index"),
        ]
        .into_iter()
        .find_map(|(set, name)| set.then_some(name))
    }

    /// A setting that is for a column of numbers alone.
    pub(super) fn for_numbers(&self) -> Option<&'static str> {
        let settings = [
            (self.fill.is_some(), "Encoding::fill"),
            (self.scaling.is_some(), "Encoding::scaling"),
        ];
        settings
            .into_iter()
            .find_map(|(set, name)| set.then_some(name))
    }
}
