//! Columns of every kind.

use super::code::Code;
use super::index::Index;
use super::numbers::Scaled;
use super::one_hot::OneHot;

/// What was learned of a column, by its kind.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Column {
    Numbers(Scaled),
    OneHot(OneHot),
    Index(Index),
}

impl Column {
    pub(super) fn code(&self) -> &dyn Code {
        match self {
            Self::Numbers(code) => code,
            Self::OneHot(code) => code,
            Self::Index(code) => code,
        }
    }
}
