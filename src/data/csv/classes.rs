//! The names of classes.

use super::fields::numeral;
use crate::data::bytes::wrong;
use crate::data::decimal::Decimal;
use crate::error::{ErrorKind, Result};
use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};

/// The names of the classes, in the order in which they came.
pub(super) struct Names {
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
    pub(super) fn new(given: Option<&[String]>, decimal_comma: bool) -> Result<Self> {
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

    pub(super) fn label(&mut self, name: &str, place: impl Fn() -> String) -> Result<usize> {
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
    pub(super) fn sorted(self, labels: &[usize]) -> (Vec<String>, Vec<usize>) {
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
