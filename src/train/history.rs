//! What a training run leaves behind.

use super::epoch::Epoch;
use super::stop::{Monitor, Stopped};
use crate::ground::table::{TextTable, push_csv, short};
use alloc::{borrow::Cow, format, string::String, vec, vec::Vec};
use core::fmt;

/// The epochs of a training run: to be read, plotted, printed as a table (`Display`) or written as
/// CSV.
///
/// With the feature `serde` it is written and read in any format of serde, JSON for one.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::nn::loss::QuadraticCost;
/// let data = Dataset::new(DMatrix::from_element(1, 4, 1.0), DMatrix::from_element(1, 4, 0.0))?;
/// let mut net = Sequential::<f64>::builder(1)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// net.set_params(&[1.0, 0.0])?;
/// let history = Trainer::new(QuadraticCost, Sgd::new())
///     .epochs(2)
///     .learning_rate(0.25)
///     .batch_size(4)
///     .fit(&mut net, &data)?;
/// assert_eq!(history.costs().collect::<Vec<_>>(), [0.5, 0.125]);
/// assert_eq!(history.best(&Monitor::TrainingCost).map(|best| best.epoch), Some(1));
/// assert!(
///     history
///         .to_csv()
///         .starts_with("epoch,cost,learning rate,gradient norm,seconds\n0,0.5,0.25,1.4142")
/// );
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
#[doc(alias("loss_curve_"))]
pub struct History {
    /// The epochs, first to last.
    pub epochs: Vec<Epoch>,
    /// Why the run ended before the number of epochs asked for; `None` where it did not.
    pub stopped: Option<Stopped>,
    /// What is not wrong, but hardly meant: targets that the last layer cannot reach.
    #[cfg_attr(feature = "serde", serde(default))]
    pub warnings: Vec<Warning>,
    /// The number of the epoch to whose parameters
    /// [`restore_best`](crate::Trainer::restore_best) brought the network back. `None` without it,
    /// when the network has the parameters of the last epoch, and where an epoch of an earlier call
    /// is better than all of this one.
    #[cfg_attr(feature = "serde", serde(default))]
    pub kept: Option<usize>,
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
    /// Some targets lie where no output of the last layer comes: below 0 for ReLU, beyond ±1 for
    /// tanh. Scale them, or end on a linear layer. The targets of [`Model::fit`](crate::Model::fit)
    /// are those that its scaler makes.
    TargetsOutOfReach {
        /// The number of targets out of reach.
        outside: usize,
        /// The number of all targets, samples × outputs.
        targets: usize,
        /// The least number that the last layer can give.
        #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
        low: f64,
        /// The largest number that the last layer can give.
        #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
        high: f64,
    },
    /// The targets are far larger than what a network gives at its start, which is near 1. Training
    /// takes very long then, or diverges, unless a scaler brings the targets near 1:
    /// [`Scaler::standard`](crate::Scaler::standard) of the training targets, in
    /// [`Model::new`](crate::Model::new).
    LargeTargets {
        /// The largest target, without its sign.
        #[cfg_attr(feature = "serde", serde(with = "crate::numeric::real::serde"))]
        largest: f64,
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
                    "{outside} of {targets} targets lie outside [{low}, {high}], beyond which the \
                     last layer gives no number"
                )
            }
            Self::LargeTargets { largest } => {
                write!(
                    f,
                    "targets reach {largest}, where a network starts near 1: scale them \
                     (Scaler::standard(targets) in Model::new)"
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

    /// The epoch that is best in what is watched, the first of several; `None` where no epoch has a
    /// number of it.
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
    pub fn validation_costs(&self) -> impl Iterator<Item = f64> + '_ {
        self.epochs.iter().filter_map(|epoch| epoch.validation_cost)
    }

    /// Names of what the epochs have, and for each epoch a cell for each name: what all forms of a
    /// table are made of.
    fn table(&self) -> (Vec<&str>, impl Iterator<Item = Vec<Cell>> + '_) {
        let (validation, seconds) = (
            self.epochs.iter().any(|e| e.validation_cost.is_some()),
            self.epochs.iter().any(|e| e.seconds.is_some()),
        );
        let mut names = vec!["epoch", "cost"];
        names.extend(validation.then_some("validation cost"));
        names.extend(
            self.epochs
                .first()
                .iter()
                .flat_map(|epoch| epoch.metrics.iter().map(|(name, _)| name.as_str())),
        );
        names.extend(["learning rate", "gradient norm"]);
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

    /// One line of names and one per epoch, separated by commas (RFC 4180). Numbers have as many
    /// digits as they need to be read back exactly; a field without one is empty.
    pub fn to_csv(&self) -> String {
        let (names, rows) = self.table();
        let mut csv = String::new();
        push_csv(&mut csv, names.iter().map(|name| Cow::from(*name)));
        for row in rows {
            let cell = |cell: &Cell| Cow::from(cell.exact().unwrap_or_default());
            push_csv(&mut csv, row.iter().map(cell));
        }
        csv
    }
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

    /// As people read it.
    fn text(&self) -> String {
        match self {
            Self::Count(count) => format!("{count}"),
            Self::Number(number) => number.map_or_else(|| "–".into(), short),
        }
    }
}

/// A table with a line per epoch, and a line for each warning.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (names, cells) = self.table();
        let mut rows: Vec<Vec<String>> = vec![names.into_iter().map(String::from).collect()];
        rows.extend(cells.map(|row| row.iter().map(Cell::text).collect()));
        write!(
            f,
            "{}",
            TextTable {
                rows: &rows,
                gap: "  ",
                left: &[]
            }
        )?;
        self.warnings
            .iter()
            .try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}
