//! The parameters of a search, and where a trial lies among them.

use super::trial::{MOST, Trial, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::{FINITE, POSITIVE, ensure, not_empty};
use crate::numeric::random::{Purpose, derive, one_of, uniform};
use alloc::{format, string::String, string::ToString, sync::Arc, vec::Vec};
use libm::{exp, log};

/// What a parameter can be.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Uniform(f64, f64),
    LogUniform(f64, f64),
    Integers(u64, u64),
    Choices(Vec<Value>),
}

#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) values: Values,
}

/// Columns of the table of trials that are no parameters.
const TAKEN: [&str; 5] = ["trial", "budget", "score", "error", "search"];

impl Parameter {
    /// Checks the name and the values.
    pub(super) fn check(&self) -> Result<()> {
        let Self { name, values } = self;
        if name.is_empty() || TAKEN.contains(&name.as_str()) || !is_line(name) {
            let expected = format!("a name in one line, other than {}", TAKEN.join(", "));
            let given = format!("{name:?}");
            return Err(Error::new(
                ErrorKind::Value,
                "parameter of Search",
                expected,
                given,
            ));
        }
        let place = format!("parameter {name:?} of Search");
        match values {
            Values::Uniform(low, high) | Values::LogUniform(low, high) => {
                let bound = match values {
                    Values::LogUniform(..) => POSITIVE,
                    _ => FINITE,
                };
                bound.check(&place, *low)?;
                bound.check(&place, *high)?;
                let expected = "bounds of which the first is smaller";
                ensure(low < high, place, expected, format!("{low} and {high}"))
            }
            Values::Integers(low, high) => {
                let expected = "whole numbers up to 2⁵³, of which the first is not larger";
                let given = format!("{low} to {high}");
                ensure(low <= high && *high <= MOST, place, expected, given)
            }
            Values::Choices(choices) => {
                not_empty(&place, "at least 1 choice", choices.len())?;
                choices.iter().try_for_each(|choice| match choice {
                    Value::Number(number) => FINITE.check(&place, *number),
                    Value::Word(word) => {
                        let expected = "words in one line each";
                        ensure(is_line(word), &place, expected, format!("{word:?}"))
                    }
                })
            }
        }
    }

    /// What tells the parameter from others, as cells of a line.
    pub(super) fn cells(&self) -> Vec<String> {
        let mut cells = Vec::from([self.name.clone()]);
        let mut add = |kind: &str, ends: [String; 2]| {
            cells.push(kind.into());
            cells.extend(ends);
        };
        match &self.values {
            Values::Uniform(low, high) => add("uniform", [low, high].map(|x| format!("{x:?}"))),
            Values::LogUniform(low, high) => {
                add("log_uniform", [low, high].map(|x| format!("{x:?}")));
            }
            Values::Integers(low, high) => add("integers", [low, high].map(|x| format!("{x}"))),
            Values::Choices(choices) => {
                for choice in choices {
                    match choice {
                        Value::Number(number) => cells.extend(["=".into(), format!("{number:?}")]),
                        Value::Word(word) => cells.extend(["is".into(), word.clone()]),
                    }
                }
            }
        }
        cells
    }

    /// How many values there are, if they can be counted.
    pub(super) fn count(&self) -> Option<u64> {
        match &self.values {
            Values::Uniform(..) | Values::LogUniform(..) => None,
            Values::Integers(low, high) => Some(high - low + 1),
            Values::Choices(choices) => Some(choices.len() as u64),
        }
    }

    /// Value number `index` of those that can be counted.
    fn at(&self, index: u64) -> Value {
        match &self.values {
            Values::Choices(choices) => choices[index as usize].clone(),
            Values::Integers(low, _) => Value::Number((low + index) as f64),
            Values::Uniform(low, _) | Values::LogUniform(low, _) => Value::Number(*low),
        }
    }

    /// A value by number `index` under `seed`.
    fn draw(&self, seed: u64, index: u64) -> Value {
        let u = || uniform(seed, index);
        match &self.values {
            Values::Uniform(low, high) => {
                let u = u();
                Value::Number((low * (1.0 - u) + high * u).clamp(*low, *high))
            }
            Values::LogUniform(low, high) => {
                let u = u();
                let number = exp(log(*low) * (1.0 - u) + log(*high) * u);
                Value::Number(number.clamp(*low, *high))
            }
            Values::Integers(..) | Values::Choices(_) => {
                self.at(one_of(seed, index, self.count().unwrap_or(1)))
            }
        }
    }
}

fn is_line(text: &str) -> bool {
    !text.contains(['\n', '\r'])
}

/// More trials than anybody waits for.
const MOST_TRIALS: usize = 1_000_000;

/// Where trials are looked for, and which.
#[derive(Clone, Debug)]
pub(super) struct Space {
    /// How many trials a random search has; `None` of a grid.
    pub(super) random: Option<usize>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) seed: u64,
}

impl Space {
    /// How many trials there are, once the parameters have been checked.
    pub(super) fn check(&self) -> Result<usize> {
        not_empty("Search", "at least 1 parameter", self.parameters.len())?;
        for (place, parameter) in self.parameters.iter().enumerate() {
            parameter.check()?;
            let name = &parameter.name;
            let twice = self.parameters[..place]
                .iter()
                .any(|other| other.name == *name);
            ensure(
                !twice,
                "parameters of Search",
                "names that differ",
                format!("{name:?}"),
            )?;
        }
        let count = match self.random {
            Some(trials) => Some(trials),
            None => self.points()?,
        };
        let in_bounds = count.filter(|count| (1..=MOST_TRIALS).contains(count));
        in_bounds.ok_or_else(|| {
            let given = count.map_or_else(|| "more than can be counted".into(), |n| n.to_string());
            let expected = format!("from 1 to {MOST_TRIALS}");
            Error::new(ErrorKind::Value, "trials of Search", expected, given)
        })
    }

    /// How many points the grid has; `None` if they cannot be counted.
    fn points(&self) -> Result<Option<usize>> {
        let mut points = Some(1_usize);
        for parameter in &self.parameters {
            let Some(count) = parameter.count() else {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    format!("parameter {:?} of Search", parameter.name),
                    "choices or integers (Search::random draws from a continuous range)",
                    "a continuous range in a grid",
                ));
            };
            let count = usize::try_from(count).ok();
            points = points
                .zip(count)
                .and_then(|(points, count)| points.checked_mul(count));
        }
        Ok(points)
    }

    /// The names of the parameters.
    pub(super) fn names(&self) -> Arc<[String]> {
        self.parameters
            .iter()
            .map(|parameter| parameter.name.clone())
            .collect()
    }

    /// Trial number `index`, with its values and its seed.
    pub(super) fn trial(&self, names: &Arc<[String]>, index: usize, budget: usize) -> Trial {
        Trial {
            index,
            budget,
            seed: derive(self.seed, Purpose::Trial, index as u64),
            names: names.clone(),
            values: match self.random {
                Some(_) => self.draw(index),
                None => self.point(index),
            },
        }
    }

    fn draw(&self, index: usize) -> Vec<Value> {
        let seed = derive(self.seed, Purpose::Parameter, index as u64);
        let parameters = self.parameters.iter().zip(0..);
        parameters
            .map(|(parameter, place)| parameter.draw(seed, place))
            .collect()
    }

    /// The point of a grid; the last parameter changes the fastest.
    fn point(&self, index: usize) -> Vec<Value> {
        let mut rest = index as u64;
        let mut values: Vec<Value> = self
            .parameters
            .iter()
            .rev()
            .map(|parameter| {
                let count = parameter.count().unwrap_or(1);
                let value = parameter.at(rest % count);
                rest /= count;
                value
            })
            .collect();
        values.reverse();
        values
    }
}
