//! A trial of a search: the values of its parameters.

use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::fmt;

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number, whole or not.
    Number(f64),
    /// A word.
    Word(String),
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for Value {
    fn from(word: &str) -> Self {
        Self::Word(word.into())
    }
}

impl From<String> for Value {
    fn from(word: String) -> Self {
        Self::Word(word)
    }
}

/// The word, or the shortest digits that are read back as the same number.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            // Without the point of a whole number.
            Self::Number(number) if number.abs() < 1e15 && number % 1.0 == 0.0 => {
                write!(f, "{number}")
            }
            Self::Number(number) => write!(f, "{number:?}"),
        }
    }
}

/// What one trial of a [`Search`](super::Search) is to try: a value for each parameter, a budget
/// and a seed.
///
/// ```
/// use chainrule::selection::Search;
/// let trials = Search::grid()
///     .choices("rate", [0.1, 0.01])
///     .integers("width", 3..=4)
///     .choices("activation", ["tanh", "relu"])
///     .minimize(|trial| {
///         let rate = trial.number("rate")?;
///         let width = trial.integer("width")?;
///         let penalty = if trial.choice("activation")? == "tanh" { 0.5 } else { 0.0 };
///         Ok(rate * width as f64 + penalty)
///     })?;
/// let (best, score) = trials.best()?;
/// assert_eq!(best.to_string(), "trial 5 (rate 0.01, width 3, activation relu)");
/// assert_eq!((best.integer("width")?, score), (3, 0.03));
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub(super) index: usize,
    pub(super) budget: usize,
    pub(super) seed: u64,
    pub(super) names: Arc<[String]>,
    pub(super) values: Vec<Value>,
}

impl Trial {
    /// The number of the trial, counted from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// How much the trial may spend, in a unit of yours, most often epochs: what
    /// [`Search::budget`](super::Search::budget) says, with
    /// [halving](super::Search::halving) less at first. 1 without.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// A seed for what is random in the trial: a function of the search's seed and the number of
    /// the trial, the same at each budget.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A parameter that is a number.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if there is no such parameter, or it is a word.
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.value(name)? {
            Value::Number(number) => Ok(*number),
            Value::Word(word) => {
                let word = format!("{word:?}");
                Err(self.error(name, "a number (a word is read by Trial::choice)", &word))
            }
        }
    }

    /// A parameter that is a whole number, such as a width.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if there is no such parameter, or it is anything else.
    pub fn integer(&self, name: &str) -> Result<usize> {
        let value = self.value(name)?;
        match value {
            // Up to 2⁵³ floating-point numbers are exact.
            Value::Number(number)
                if (0.0..=MOST as f64).contains(number) && number % 1.0 == 0.0 =>
            {
                Ok(*number as usize)
            }
            _ => {
                let expected = "a whole number ≥ 0 (any other is read by Trial::number)";
                Err(self.error(name, expected, &format!("{value}")))
            }
        }
    }

    /// A parameter that is a word.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if there is no such parameter, or it is a number.
    pub fn choice(&self, name: &str) -> Result<&str> {
        match self.value(name)? {
            Value::Word(word) => Ok(word),
            Value::Number(number) => {
                let expected = "a word (a number is read by Trial::number)";
                Err(self.error(name, expected, &format!("{number}")))
            }
        }
    }

    /// The names of the parameters with their values.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.names.iter().map(String::as_str).zip(&self.values)
    }

    fn value(&self, name: &str) -> Result<&Value> {
        let found = self.values().find(|(known, _)| *known == name);
        found.map(|(_, value)| value).ok_or_else(|| {
            let expected = format!("one of {}", self.names.join(", "));
            let given = format!("{name:?}");
            Error::new(ErrorKind::Value, "parameter of Search", expected, given)
        })
    }

    fn error(&self, name: &str, expected: &str, given: &str) -> Error {
        let place = format!("parameter {name:?} of trial {}", self.index);
        Error::new(ErrorKind::Value, place, expected, given)
    }
}

/// The largest whole number that a parameter can be: 2⁵³.
pub(super) const MOST: u64 = 1 << 53;

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trial {} (", self.index)?;
        for (place, (name, value)) in self.values().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{name} {value}")?;
        }
        f.write_str(")")
    }
}
