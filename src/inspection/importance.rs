//! How much predictions need a column.

use super::columns::{Columns, Samples};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::table::{TextTable, short};
use crate::numeric::bounds::not_empty;
use crate::numeric::random::{Purpose, derive, shuffle, stream};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt;

/// How important columns are, by [`permutation_importance`]. It prints as a table, the most
/// important column first.
#[derive(Clone, Debug, PartialEq)]
pub struct Importances {
    /// The score with every column as it is.
    pub baseline: f64,
    /// The importance of each column, in the order in which they were asked for.
    pub columns: Vec<Importance>,
}

/// How important a column is.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The column's name, of a feature its number: `feature 3`.
    pub name: String,
    /// The mean of `repeats`.
    pub mean: f64,
    /// The standard deviation of `repeats`, with their number in the denominator.
    pub deviation: f64,
    /// Of each shuffle, by how much the score was below the baseline.
    pub repeats: Vec<f64>,
}

impl Importances {
    /// The same importances with other names of the columns.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] unless there is one name per column.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// use chainrule::inspection::permutation_importance;
    /// let data = Dataset::from_rows(&[1.0, 5.0, 2.0, 9.0], 2, &[0.0, 1.0], 1)?;
    /// let importances = permutation_importance(&data, 0..2, 1, 1, |_| Ok(0.5))?;
    /// assert_eq!(importances.named(["length", "width"])?.columns[1].name, "width");
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn named<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.columns.len() {
            return Err(Error::new(
                ErrorKind::Shape,
                "names of Importances",
                format!("{}, one per column", self.columns.len()),
                names.len(),
            ));
        }
        for (column, name) in self.columns.iter_mut().zip(names) {
            column.name = name;
        }
        Ok(self)
    }

    /// The columns, the most important first.
    pub fn sorted(&self) -> Vec<&Importance> {
        let mut sorted: Vec<&Importance> = self.columns.iter().collect();
        sorted.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        sorted
    }
}

impl fmt::Display for Importances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["column", "importance", "deviation"];
        let mut rows = vec![head.map(String::from).to_vec()];
        rows.extend(self.sorted().into_iter().map(|column| {
            let numbers = [column.mean, column.deviation].map(short);
            [vec![column.name.to_string()], numbers.to_vec()].concat()
        }));
        let table = TextTable {
            rows: &rows,
            gap: "  ",
            left: &[0],
        };
        write!(f, "{table}")
    }
}

/// How much each column is needed: the score as it is, less the score when the column's values are
/// shuffled among the samples, which keeps the values and destroys what they say (Breiman 2001; for
/// any model Fisher, Rudin & Dominici 2019). Each column is shuffled `repeats` times.
///
/// `columns` are names of a table's columns, or indices of a data set's features. A list in their
/// place is shuffled as one, as the rows of a one-hot code must be; a table's words need no care.
/// `score` judges data: larger is better, so a cost gets a minus. Use rows that the model was not
/// trained on.
///
/// Two columns that say the same can both seem of no importance, since each stands in for the
/// other: give them as one.
///
/// The shuffles are a function of `seed` and the number of the repeat alone. They are the same for
/// every column, whatever others there are.
///
/// # Errors
/// [`ErrorKind::Empty`] without a column or a repeat, or for an empty list; [`ErrorKind::Value`]
/// for a column that there is not; [`ErrorKind::NotFinite`] for a score that is NaN or ±∞; what
/// `score` returns.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::inspection::permutation_importance;
/// // Of two features, the target is the first.
/// let data = Dataset::new(
///     DMatrix::from_fn(2, 50, |i, j| ((7 * j + 3 * i) % 11) as f64),
///     DMatrix::from_fn(1, 50, |_, j| (7 * j % 11) as f64),
/// )?;
/// let mut net = Sequential::builder(2)
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// net.set_params(&[1.0, 0.0, 0.0])?;
/// let score = |data: &Dataset<f64>| metrics::r2(&net.predict(data.inputs())?, data);
/// let importances = permutation_importance(&data, 0..2, 20, 1, score)?;
/// assert_eq!(importances.baseline, 1.0);
/// // R² of a feature that is drawn anew is −1 on average: 2 less.
/// assert!((importances.columns[0].mean - 2.0).abs() < 0.2);
/// assert_eq!(importances.columns[1].mean, 0.0);
/// println!("{importances}");
/// # Ok::<(), chainrule::Error>(())
/// ```
///
/// The rows of a table that were held out, whose columns have names, with numbers and words:
///
/// ```
/// use chainrule::data::{HeldOut, Table};
/// use chainrule::inspection::permutation_importance;
/// let table = Table::new()
///     .with_categories("fuel", ["gas", "oil"].into_iter().cycle().take(20))?
///     .with_numbers("age", (0..20).map(f64::from))?
///     .with_numbers("cost", [2.0, 3.0].into_iter().cycle().take(20))?;
/// let (_, test) = table.split(0.5, 1)?;
/// let score = |rows: &HeldOut| {
///     let predicted = rows.categories("fuel")?.map(|fuel| if fuel == Some("gas") { 2.0 } else { 3.0 });
///     let wrong = predicted.zip(rows.numbers("cost")?).filter(|(y, t)| y != *t);
///     Ok(1.0 - wrong.count() as f64 / rows.len() as f64)
/// };
/// let importances = permutation_importance(&test, ["fuel", "age"], 20, 1, score)?;
/// assert!(importances.columns[0].mean > 0.2);
/// assert_eq!(importances.columns[1].mean, 0.0);
/// # Ok::<(), chainrule::Error>(())
/// ```
pub fn permutation_importance<D: Samples>(
    data: &D,
    columns: impl IntoIterator<Item: Columns<D::Column>>,
    repeats: usize,
    seed: u64,
    mut score: impl FnMut(&D) -> Result<f64>,
) -> Result<Importances> {
    const PLACE: &str = "permutation_importance";
    let columns: Vec<_> = columns.into_iter().map(Columns::list).collect();
    not_empty(PLACE, "at least 1 column", columns.len())?;
    not_empty(PLACE, "at least 1 repeat", repeats)?;
    let names = columns.iter().map(|columns| data.called(columns));
    let names = names.collect::<Result<Vec<String>>>()?;
    let mut judged = |data: &D, what: &dyn Fn() -> String| {
        let score = score(data)?;
        if score.is_finite() {
            return Ok(score);
        }
        let place = format!("score of {PLACE}{}", what());
        Err(Error::new(
            ErrorKind::NotFinite,
            place,
            "a finite number",
            score,
        ))
    };
    let baseline = judged(data, &String::new)?;
    let orders = (0..repeats).map(|repeat| {
        let mut order: Vec<usize> = (0..data.samples()).collect();
        let seed = derive(seed, Purpose::Permute, repeat as u64);
        shuffle(&mut order, stream(seed));
        order
    });
    let mut drops: Vec<Vec<f64>> = vec![vec![]; columns.len()];
    for order in orders {
        for ((column, name), drops) in columns.iter().zip(&names).zip(&mut drops) {
            let shuffled = data.shuffled(column, &order)?;
            let score = judged(&shuffled, &|| format!(", {name} shuffled"))?;
            drops.push(baseline - score);
        }
    }
    let importance = |(name, repeats): (String, Vec<f64>)| {
        let average = |of: &dyn Fn(f64) -> f64| {
            let count = repeats.len() as f64;
            repeats.iter().map(|drop| of(*drop) / count).sum::<f64>()
        };
        let mean = average(&|drop| drop);
        let variance = average(&|drop| (drop - mean) * (drop - mean));
        Importance {
            name,
            mean,
            deviation: libm::sqrt(variance),
            repeats,
        }
    };
    Ok(Importances {
        baseline,
        columns: names.into_iter().zip(drops).map(importance).collect(),
    })
}
