//! The file of a search, from which it goes on.

use super::trials::Trials;
use crate::error::{Error, ErrorKind, Result};
use crate::ground::file::{self, Target};
use alloc::{borrow::ToOwned, format, string::String, string::ToString, vec::Vec};
use std::path::Path;

/// The file that a search writes to.
pub(super) struct Record {
    target: Target,
}

/// What a line of the file says.
pub(super) struct Line {
    /// The path and the number of the line, for errors.
    pub(super) place: String,
    pub(super) text: String,
    pub(super) trial: usize,
    pub(super) budget: usize,
    pub(super) score: Result<f64, String>,
}

impl Record {
    /// The file at `path` and what is in it: nothing if there is no file. A last line that does not
    /// end was cut off and does not count.
    pub(super) fn open(path: &Path, trials: &Trials) -> Result<(Self, Vec<Line>)> {
        let target = Target::of(path)?;
        target.sweep();
        let record = Self { target };
        if !record.target.path().exists() {
            return Ok((record, Vec::new()));
        }
        let name = path.display().to_string();
        let bytes = file::read(path, u64::MAX)?;
        let Ok(text) = str::from_utf8(&bytes) else {
            let expected = "the table of a search (another file for the search)";
            return Err(Error::new(ErrorKind::Parse, name, expected, "no text"));
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        let (head, header) = (lines.next().unwrap_or_default(), trials.header());
        let same = header.strip_suffix('\n') == Some(head);
        let cut = whole.is_empty() && header.starts_with(text);
        if !(same || cut) {
            return Err(other(name, &format!("the columns {head}")));
        }
        let lines = lines.enumerate().map(|(index, line)| {
            let place = format!("{name}, line {}", index + 2);
            read(place, line, &trials.mark())
        });
        Ok((record, lines.collect::<Result<_>>()?))
    }

    /// Puts the table into the file: whatever happens, the old or the new one is there.
    pub(super) fn write(&self, trials: &Trials) -> Result<()> {
        self.target.replace(trials.to_csv().as_bytes())
    }
}

/// The error of a file that belongs to another search.
pub(super) fn other(place: String, given: &str) -> Error {
    let expected = "trials of this search: the same parameters, seed, budgets and direction \
                    (another file for another search)";
    Error::new(ErrorKind::Incompatible, place, expected, given)
}

fn read(place: String, text: &str, mark: &str) -> Result<Line> {
    let cells = cells(text);
    let [trial, budget, .., score, error, search] = &cells[..] else {
        let expected = "a line of the table of a search";
        return Err(Error::new(
            ErrorKind::Parse,
            place,
            expected,
            format!("{text:?}"),
        ));
    };
    if search != mark {
        return Err(other(place, &format!("a line of the search {search:?}")));
    }
    let count = |cell: &str| cell.parse::<usize>().ok();
    let outcome = match (score.is_empty(), score.parse::<f64>()) {
        (true, _) => Some(Err(error.clone())),
        (false, score) => score.ok().map(Ok),
    };
    let (Some(trial), Some(budget), Some(outcome)) = (count(trial), count(budget), outcome) else {
        let expected = "numbers of a trial, its budget and its score";
        return Err(Error::new(
            ErrorKind::Parse,
            place,
            expected,
            format!("{text:?}"),
        ));
    };
    Ok(Line {
        place,
        text: text.to_owned(),
        trial,
        budget,
        score: outcome,
    })
}

/// The cells of a line, without their quotes.
fn cells(line: &str) -> Vec<String> {
    let mut cells = Vec::from([String::new()]);
    let mut quoted = false;
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            ',' if !quoted => cells.push(String::new()),
            // Two of them are one that stands there.
            '"' if quoted && signs.peek() == Some(&'"') => {
                signs.next();
                cells
                    .last_mut()
                    .map(|cell| cell.push('"'))
                    .unwrap_or_default();
            }
            '"' => quoted = !quoted,
            sign => cells
                .last_mut()
                .map(|cell| cell.push(sign))
                .unwrap_or_default(),
        }
    }
    cells
}
