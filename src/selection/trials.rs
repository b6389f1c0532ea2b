//! The table of all trials of a search.

use super::trial::{Trial, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::table::{TextTable, push_csv, short};
use alloc::{borrow::Cow, borrow::ToOwned, format, string::String, string::ToString, sync::Arc};
use alloc::{vec, vec::Vec};
use core::cmp::Ordering;
use core::fmt;

/// What a trial came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// What was tried.
    pub trial: Trial,
    /// Its score, or the text of the error with which it failed, in one line. A score that is NaN
    /// or ±∞ stays what it is, and is worse than any other.
    pub score: Result<f64, String>,
}

impl Outcome {
    /// Its score, if that can be compared.
    pub(super) fn finite(&self) -> Option<f64> {
        self.score
            .as_ref()
            .ok()
            .copied()
            .filter(|score| score.is_finite())
    }

    /// Where it stands in the table.
    fn place(&self) -> (usize, usize) {
        (self.trial.budget, self.trial.index)
    }
}

/// The trials of a [`Search`](super::Search) in the order of their numbers; with
/// [halving](super::Search::halving) budget by budget.
///
/// It prints as a table, the best first; [`to_csv`](Self::to_csv) has all digits.
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("cv_results_"))]
pub struct Trials {
    names: Arc<[String]>,
    maximize: bool,
    /// What tells the search from others.
    search: u64,
    outcomes: Vec<Outcome>,
    pub(super) planned: usize,
}

impl Trials {
    pub(super) fn new(names: Arc<[String]>, maximize: bool, search: u64) -> Self {
        Self {
            names,
            maximize,
            search,
            outcomes: Vec::new(),
            planned: 0,
        }
    }

    /// The names of the parameters.
    #[cfg(feature = "std")]
    pub(super) fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    pub(super) fn insert(&mut self, outcome: Outcome) {
        let place = self
            .outcomes
            .partition_point(|other| other.place() < outcome.place());
        self.outcomes.insert(place, outcome);
    }

    /// What the trials came to so far, in their order.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// How many outcomes there are once the search is over, for a display of progress. With
    /// halving, failed trials may make it fewer.
    pub fn planned(&self) -> usize {
        self.planned
    }

    /// The outcomes, the best first: those at the largest budget, then those at the next. Behind
    /// the scores stand those that are NaN or infinite, then the failed; among equals the first
    /// trial comes first.
    pub fn sorted(&self) -> Vec<&Outcome> {
        let rank = |outcome: &Outcome| match (outcome.finite(), &outcome.score) {
            (Some(_), _) => 0,
            (None, Ok(_)) => 1,
            (None, Err(_)) => 2,
        };
        let better = |a: &Outcome, b: &Outcome| match (a.finite(), b.finite()) {
            (Some(a), Some(b)) if self.maximize => b.total_cmp(&a),
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => Ordering::Equal,
        };
        let mut sorted: Vec<&Outcome> = self.outcomes.iter().collect();
        sorted.sort_by(|a, b| {
            let budgets = b.trial.budget.cmp(&a.trial.budget);
            budgets
                .then(rank(a).cmp(&rank(b)))
                .then_with(|| better(a, b))
                .then(a.trial.index.cmp(&b.trial.index))
        });
        sorted
    }

    /// The best trial with its score, of those at the largest budget at which there is a score; of
    /// equals the first. A score that is NaN or infinite is none.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] if no trial has a score; the text then has the first error.
    pub fn best(&self) -> Result<(&Trial, f64)> {
        let scored = |outcome: &&Outcome| outcome.finite().is_some();
        let best = self.sorted().into_iter().find(scored);
        if let Some((outcome, score)) = best.and_then(|best| Some((best, best.finite()?))) {
            return Ok((&outcome.trial, score));
        }
        let given = match self.outcomes.first() {
            None => "no trial".to_string(),
            Some(first) => match &first.score {
                Ok(score) => format!("{score} of trial {}", first.trial.index),
                Err(error) => format!("trial {} failed: {error}", first.trial.index),
            },
        };
        let expected = "at least 1 trial with a finite score";
        Err(Error::new(
            ErrorKind::Empty,
            "Trials::best",
            expected,
            given,
        ))
    }

    /// The best `count` at this budget, or as many as have a score, in the order of their numbers.
    pub(super) fn promoted(&self, budget: usize, count: usize) -> Vec<usize> {
        let sorted = self.sorted().into_iter();
        let scored = sorted.filter(|it| it.trial.budget == budget && it.finite().is_some());
        let mut best: Vec<usize> = scored.take(count).map(|it| it.trial.index).collect();
        best.sort_unstable();
        best
    }

    /// One line of names and one per outcome, in their order, separated by commas (RFC 4180).
    /// Columns are the number of the trial, its budget, its parameters, its score, its error, and
    /// what tells the search from others. Numbers have as many digits as they need to be read back
    /// exactly. It is what a search [writes to its file](super::Search::file).
    ///
    /// ```
    /// use chainrule::selection::Search;
    /// let trials = Search::grid().choices("x", [-2.0, 0.5]).minimize(|trial| {
    ///     let x = trial.number("x")?;
    ///     Ok(x * x)
    /// })?;
    /// let csv = trials.to_csv();
    /// let lines: Vec<&str> = csv.lines().collect();
    /// assert_eq!(lines[0], "trial,budget,x,score,error,search");
    /// assert!(lines[1].starts_with("0,1,-2,4.0,,"));
    /// assert!(lines[2].starts_with("1,1,0.5,0.25,,"));
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn to_csv(&self) -> String {
        let mut csv = self.header();
        for outcome in &self.outcomes {
            csv.push_str(&self.line(outcome));
        }
        csv
    }

    /// The first line of the table.
    pub(super) fn header(&self) -> String {
        let names = self.names.iter().map(|name| Cow::from(name.as_str()));
        let before = ["trial", "budget"].map(Cow::from).into_iter();
        let after = ["score", "error", "search"].map(Cow::from);
        let mut line = String::new();
        push_csv(&mut line, before.chain(names).chain(after));
        line
    }

    /// The line of an outcome.
    pub(super) fn line(&self, outcome: &Outcome) -> String {
        let Outcome { trial, score } = outcome;
        let mut cells = vec![trial.index.to_string(), trial.budget.to_string()];
        cells.extend(trial.values.iter().map(Value::to_string));
        match score {
            Ok(score) => cells.extend([format!("{score:?}"), String::new()]),
            Err(error) => cells.extend([String::new(), error.clone()]),
        }
        cells.push(self.mark());
        let mut line = String::new();
        push_csv(&mut line, cells.into_iter().map(Cow::from));
        line
    }

    /// What tells the search from others, as lines have it: a word, so that no spreadsheet takes it
    /// for a number.
    pub(super) fn mark(&self) -> String {
        format!("x{:016x}", self.search)
    }
}

/// A table of the outcomes, the best first, and a failed trial's error in place of a score.
impl fmt::Display for Trials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let budgets = self
            .outcomes
            .windows(2)
            .any(|pair| pair[0].trial.budget != pair[1].trial.budget);
        let mut head = vec!["trial".to_owned()];
        head.extend(budgets.then(|| "budget".into()));
        head.extend(self.names.iter().cloned());
        head.push("score".into());
        // Beside it an error has room.
        let failed = self.outcomes.iter().any(|outcome| outcome.score.is_err());
        head.extend(failed.then(String::new));
        let mut rows = vec![head];
        for outcome in self.sorted() {
            let trial = &outcome.trial;
            let mut row = vec![trial.index.to_string()];
            row.extend(budgets.then(|| trial.budget.to_string()));
            row.extend(trial.values.iter().map(|value| match value {
                Value::Number(number) if number % 1.0 != 0.0 => short(*number),
                value => value.to_string(),
            }));
            match &outcome.score {
                Ok(score) => {
                    row.push(short(*score));
                    row.extend(failed.then(String::new));
                }
                Err(error) => row.push(error.clone()),
            }
            rows.push(row);
        }
        let table = TextTable {
            rows: &rows,
            gap: "  ",
            left: &[],
        };
        write!(f, "{table}")
    }
}
