//! What a training run leaves behind.

use super::epoch::Epoch;
use super::stop::{Monitor, Stopped};
use alloc::{format, string::String, vec, vec::Vec};
use core::fmt::{self, Write};

/// The epochs of a training run: to be read, plotted, or written as a table (`Display`), CSV or JSON.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::loss::QuadraticCost;
/// use chainrule::rand::SeedableRng;
/// use chainrule::rand::rngs::Xoshiro256PlusPlus;
/// let data = Dataset::new(DMatrix::from_element(1, 4, 1.0), DMatrix::from_element(1, 4, 0.0))?;
/// let mut net = Sequential::<f64>::builder(1)
///     .layer(Dense::new(1, Activation::Linear))
///     .build(&mut Xoshiro256PlusPlus::seed_from_u64(1))?;
/// net.set_params(&[1.0, 0.0])?;
/// let history = Trainer::new(QuadraticCost, Sgd::new()).epochs(2).learning_rate(0.25).batch_size(4).fit(&mut net, &data)?;
/// assert_eq!(history.costs().collect::<Vec<_>>(), [0.5, 0.125]);
/// assert_eq!(history.best(&Monitor::TrainingCost).map(|best| best.epoch), Some(1));
/// assert!(history.to_csv().starts_with("epoch,cost,rate,gradient norm,seconds\n0,0.5,0.25,1.4142"));
/// println!("{history}");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct History {
    /// The epochs, first to last.
    pub epochs: Vec<Epoch>,
    /// Why the run ended before the number of epochs asked for; `None` where it did not.
    pub stopped: Option<Stopped>,
    /// What is not wrong, but hardly meant: targets that the last layer cannot reach.
    #[cfg_attr(feature = "serde", serde(default))]
    pub warnings: Vec<Warning>,
}

/// Something about a run that is not wrong, but hardly meant; it prints as a sentence.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub enum Warning {
    /// Some targets lie where no output of the last layer comes: below 0 for ReLU, beyond ±1 for tanh. Scale them, or end on a
    /// linear layer. The targets of [`Model::fit`](crate::Model::fit) are those that its scaler makes.
    TargetsOutOfReach {
        /// The number of targets out of reach.
        outside: usize,
        /// The number of all targets, samples × outputs.
        targets: usize,
        /// The least number that the last layer can give.
        #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serial"))]
        low: f64,
        /// The largest number that the last layer can give.
        #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serial"))]
        high: f64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetsOutOfReach {
                outside,
                targets,
                low,
                high,
            } => {
                write!(
                    f,
                    "{outside} of {targets} targets lie outside [{low}, {high}], beyond which the last layer gives no number"
                )
            }
        }
    }
}

impl History {
    /// The last epoch; `None` of a run of none.
    pub fn last(&self) -> Option<&Epoch> {
        self.epochs.last()
    }

    /// The epoch that is best in what is watched, the first of several; `None` where no epoch has a number of it.
    pub fn best(&self, monitor: &Monitor) -> Option<&Epoch> {
        let mut best: Option<(f64, &Epoch)> = None;
        for epoch in &self.epochs {
            let Some(value) = monitor.value(epoch).filter(|value| !value.is_nan()) else {
                continue;
            };
            if best.is_none_or(|(known, _)| monitor.is_better(value, known, 0.0)) {
                best = Some((value, epoch));
            }
        }
        best.map(|(_, epoch)| epoch)
    }

    /// The training costs, epoch by epoch.
    pub fn costs(&self) -> impl Iterator<Item = f64> + '_ {
        self.epochs.iter().map(|epoch| epoch.cost)
    }

    /// The validation costs, epoch by epoch; nothing without validation data.
    pub fn validations(&self) -> impl Iterator<Item = f64> + '_ {
        self.epochs.iter().filter_map(|epoch| epoch.validation_cost)
    }

    /// Names of what the epochs have, and for each epoch a cell for each name: what all forms of a table are made of.
    fn table(&self) -> (Vec<&str>, impl Iterator<Item = Vec<Cell>> + '_) {
        let (validation, seconds) = (
            self.epochs.iter().any(|e| e.validation_cost.is_some()),
            self.epochs.iter().any(|e| e.seconds.is_some()),
        );
        let mut names = vec!["epoch", "cost"];
        names.extend(validation.then_some("validation"));
        names.extend(
            self.epochs
                .first()
                .iter()
                .flat_map(|epoch| epoch.metrics.iter().map(|(name, _)| name.as_str())),
        );
        names.extend(["rate", "gradient norm"]);
        names.extend(seconds.then_some("seconds"));
        let rows = self.epochs.iter().map(move |epoch| {
            let mut row = vec![Cell::Count(epoch.epoch), Cell::Number(Some(epoch.cost))];
            row.extend(validation.then_some(Cell::Number(epoch.validation_cost)));
            row.extend(
                epoch
                    .metrics
                    .iter()
                    .map(|(_, value)| Cell::Number(Some(*value))),
            );
            row.extend([
                Cell::Number(Some(epoch.learning_rate)),
                Cell::Number(Some(epoch.gradient_norm)),
            ]);
            row.extend(seconds.then_some(Cell::Number(epoch.seconds)));
            row
        });
        (names, rows)
    }

    /// One line of names and one per epoch, separated by commas (RFC 4180); numbers in as many digits as they need to be read
    /// back exactly, an empty field where there is none.
    pub fn to_csv(&self) -> String {
        let (names, rows) = self.table();
        let quoted = |name: &str| {
            if name.contains(['"', ',', '\n', '\r']) {
                format!("\"{}\"", name.replace('"', "\"\""))
            } else {
                name.into()
            }
        };
        let mut csv = names
            .iter()
            .map(|name| quoted(name))
            .collect::<Vec<String>>()
            .join(",");
        csv.push('\n');
        for row in rows {
            let cells: Vec<String> = row
                .iter()
                .map(|cell| cell.exact().unwrap_or_default())
                .collect();
            csv.push_str(&cells.join(","));
            csv.push('\n');
        }
        csv
    }

    /// An array with an object per epoch (RFC 8259), its keys the columns of [`to_csv`](Self::to_csv); `null` for what is
    /// missing, NaN or infinite, which JSON cannot say.
    pub fn to_json(&self) -> String {
        let (names, rows) = self.table();
        let keys: Vec<String> = names.iter().map(|name| json_text(name)).collect();
        let objects = rows.map(|row| {
            let fields = keys.iter().zip(&row).map(|(key, cell)| {
                let value = cell
                    .exact()
                    .filter(|_| cell.is_finite())
                    .unwrap_or_else(|| "null".into());
                format!("{key}: {value}")
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        });
        format!("[{}]", objects.collect::<Vec<_>>().join(",\n "))
    }
}

/// A text as JSON writes it.
fn json_text(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if u32::from(c) < 0x20 => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

/// A cell of the table.
enum Cell {
    Count(usize),
    Number(Option<f64>),
}

impl Cell {
    fn exact(&self) -> Option<String> {
        match self {
            Self::Count(count) => Some(format!("{count}")),
            Self::Number(number) => number.map(|number| format!("{number:?}")),
        }
    }

    fn is_finite(&self) -> bool {
        !matches!(self, Self::Number(Some(number)) if !number.is_finite())
    }

    /// In few digits.
    fn short(&self) -> String {
        match *self {
            Self::Count(count) => format!("{count}"),
            Self::Number(None) => "–".into(),
            Self::Number(Some(number)) => {
                let size = number.abs();
                if number != 0.0 && number.is_finite() && !(1e-3..1e6).contains(&size) {
                    format!("{number:.3e}")
                } else {
                    format!("{number:.4}")
                }
            }
        }
    }
}

/// A table with a line per epoch, and a line for each warning.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (names, rows) = self.table();
        let mut lines: Vec<Vec<String>> = vec![names.into_iter().map(String::from).collect()];
        lines.extend(rows.map(|row| row.iter().map(Cell::short).collect()));
        let widths: Vec<usize> = (0..lines[0].len())
            .map(|column| {
                lines
                    .iter()
                    .map(|line| line[column].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for (index, line) in lines.iter().enumerate() {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                write!(
                    text,
                    "{}{cell:>width$}",
                    if text.is_empty() { "" } else { "  " }
                )?;
            }
            f.write_str(&text)?;
            if index + 1 < lines.len() {
                f.write_char('\n')?;
            }
        }
        self.warnings
            .iter()
            .try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}
