//! Folds: which samples are trained on, and which are held out.

use super::splittable::Splittable;
use crate::data::deal::{Deal, check_folds};
use crate::error::{Error, ErrorKind, Result};
use crate::ground::divide::divide;
use crate::numeric::bounds::some;
use crate::numeric::random::{Purpose, derive};
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::ops::{ControlFlow, Range};

/// Pairs of parts of the data: rows to train on, and rows to judge by. Each row that is judged was
/// not trained on.
///
/// | | validation parts | rows within a part |
/// |---|---|---|
/// | [`k_fold`](Self::k_fold) | every row once, sizes differ by at most 1 | shuffled |
/// | [`stratified`](Self::stratified) | also of each class, sizes differ by at most 1 | shuffled |
/// | [`grouped`](Self::grouped) | every row once, groups stay together | as in the data |
/// | [`forward`](Self::forward) | later rows than those trained on | as in the data |
///
/// Folds are a setting: they are cut when they are given data, by [`indices`](Self::indices),
/// [`split`](Self::split), [`map`](Self::map) or [`cross_validate`](super::cross_validate). A fold
/// that cannot be filled is an error then, never an empty part.
///
/// ```
/// use chainrule::Dataset;
/// use chainrule::selection::Folds;
/// let data = Dataset::from_rows(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 1, &[0.0; 6], 1)?;
/// let folds = Folds::forward(2);
/// let indices: Vec<_> = folds.indices(&data)?.collect();
/// assert_eq!(indices, [(vec![0, 1], vec![2, 3]), (vec![0, 1, 2, 3], vec![4, 5])]);
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("KFold", "cvpartition", "cross_val_split"))]
pub struct Folds {
    k: usize,
    way: Way,
    repeats: usize,
    seed: u64,
    gap: usize,
    max_train: Option<usize>,
    validation_size: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Way {
    Shuffled,
    /// By targets, or by the column of that name.
    Stratified(Option<String>),
    /// The group of each sample, numbered from 0.
    Grouped(Vec<usize>),
    Forward,
}

/// Folds of certain data.
pub(super) struct Cut {
    k: usize,
    /// How many folds there are: `k` a repeat.
    folds: usize,
    seed: u64,
    parts: Parts,
}

/// Which rows each fold has.
enum Parts {
    /// Those of the first repeat; the others are dealt when they are wanted.
    Dealt(Deal, Cards),
    /// The same in each repeat: the rows to train on, and those to judge.
    Fixed(Vec<(Range<usize>, Range<usize>)>),
}

/// What is dealt.
enum Cards {
    Rows(usize),
    Labels(Vec<usize>),
    Groups(Vec<usize>),
}

impl Cards {
    fn deal(&self, k: usize, seed: u64) -> Deal {
        match self {
            Self::Rows(rows) => Deal::in_turn(*rows, k, seed, None),
            Self::Labels(labels) => Deal::in_turn(labels.len(), k, seed, Some(labels)),
            Self::Groups(groups) => Deal::in_groups(k, seed, groups),
        }
    }
}

impl Cut {
    /// The rows that fold number `fold` trains on, and those that it judges.
    fn fold(&self, fold: usize) -> (Vec<usize>, Vec<usize>) {
        let (repeat, fold) = (fold / self.k, fold % self.k);
        match &self.parts {
            Parts::Dealt(first, _) if repeat == 0 => first.parts(fold),
            Parts::Dealt(_, cards) => {
                let seed = derive(self.seed, Purpose::Repeat, repeat as u64);
                cards.deal(self.k, seed).parts(fold)
            }
            Parts::Fixed(ranges) => {
                let (train, validation) = ranges[fold].clone();
                (train.collect(), validation.collect())
            }
        }
    }

    /// The seed of what is random in fold number `fold`.
    fn seed(&self, fold: usize) -> u64 {
        derive(self.seed, Purpose::Fold, fold as u64)
    }

    /// The rows of all validation parts over those of all training parts.
    pub(super) fn ratio(&self) -> f64 {
        let Parts::Fixed(ranges) = &self.parts else {
            return 1.0 / (self.k - 1) as f64;
        };
        let rows = |total: f64, range: &Range<usize>| total + range.len() as f64;
        let trained = ranges.iter().map(|(train, _)| train).fold(0.0, rows);
        ranges
            .iter()
            .map(|(_, validation)| validation)
            .fold(0.0, rows)
            / trained
    }

    /// As [`Folds::map`].
    pub(super) fn map<D: Splittable, R: Send>(
        &self,
        data: &D,
        threads: usize,
        fold: impl Fn(D, D::HeldOut, u64) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let mut results: Vec<(usize, R)> = Vec::new();
        let mut failed: Option<(usize, Error)> = None;
        let run = |index| {
            let (train, validation) = data.parts(self.fold(index));
            fold(train, validation, self.seed(index))
        };
        divide("Folds", threads, self.folds, run, |index, result| {
            match result {
                Ok(result) => {
                    results.push((index, result));
                    return ControlFlow::Continue(());
                }
                Err(error) if failed.as_ref().is_none_or(|(first, _)| index < *first) => {
                    failed = Some((index, error));
                }
                Err(_) => {}
            }
            ControlFlow::Break(())
        })?;
        if let Some((index, error)) = failed {
            return Err(error.within(format!("fold {index}")));
        }
        results.sort_unstable_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}

impl Folds {
    fn new(k: usize, way: Way) -> Self {
        Self {
            k,
            way,
            repeats: 1,
            seed: 0,
            gap: 0,
            max_train: None,
            validation_size: None,
        }
    }

    /// `k` folds of shuffled rows; as many as there are rows leave one out each. The same parts as
    /// [`Dataset::k_fold`](crate::Dataset::k_fold) with the same seed.
    ///
    /// Errors when it is cut: [`ErrorKind::Value`] unless `k` is from 2 to the number of rows.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// use chainrule::selection::Folds;
    /// let data = Dataset::from_rows(&[0.0; 10], 1, &[0.0; 10], 1)?;
    /// let sizes: Vec<_> =
    ///     Folds::k_fold(3).split(&data)?.map(|(t, v)| (t.len(), v.len())).collect();
    /// assert_eq!(sizes, [(6, 4), (7, 3), (7, 3)]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("KFold", "LeaveOneOut", "crossvalind"))]
    pub fn k_fold(k: usize) -> Self {
        Self::new(k, Way::Shuffled)
    }

    /// [`k_fold`](Self::k_fold) that keeps the proportions of the classes, which are the targets of
    /// a [`Dataset`](crate::Dataset). The same parts as
    /// [`Dataset::stratified_k_fold`](crate::Dataset::stratified_k_fold) with the same seed.
    ///
    /// Errors when it is cut: [`ErrorKind::Value`] unless `k` is from 2 to the number of rows, and
    /// for targets that are no classes; [`ErrorKind::Empty`] for a class with fewer than `k` rows;
    /// [`ErrorKind::Incompatible`] for a table, whose column must be [named](Self::stratified_by).
    #[doc(alias("StratifiedKFold"))]
    pub fn stratified(k: usize) -> Self {
        Self::new(k, Way::Stratified(None))
    }

    /// [`stratified`](Self::stratified) by the column of this name, for a
    /// [`Table`](crate::data::Table): its classes are the words or the numbers of the column, and
    /// holes are a class of their own.
    ///
    /// Errors when it is cut: as [`stratified`](Self::stratified), and [`ErrorKind::Value`] for a
    /// column that is not there.
    pub fn stratified_by(k: usize, column: impl Into<String>) -> Self {
        Self::new(k, Way::Stratified(Some(column.into())))
    }

    /// `k` folds that keep groups together: no group is in both parts of a fold, as with several
    /// rows of one patient. `groups` has the group of each row.
    ///
    /// The parts are those of scikit-learn's `GroupKFold`: the groups, the largest first, go one
    /// after the other to the fold that has the fewest rows then. Among groups of the same size the
    /// [seed](Self::seed) decides.
    ///
    /// Errors when it is cut: [`ErrorKind::Shape`] unless each row has a group,
    /// [`ErrorKind::Value`] unless `k` is from 2 to the number of groups.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// use chainrule::selection::Folds;
    /// let data = Dataset::from_rows(&[0.0; 6], 1, &[0.0; 6], 1)?;
    /// let patients = ["Ann", "Bo", "Ann", "Cy", "Ann", "Bo"];
    /// let folds = Folds::grouped(2, &patients);
    /// let indices: Vec<_> = folds.indices(&data)?.collect();
    /// assert_eq!(indices, [(vec![1, 3, 5], vec![0, 2, 4]), (vec![0, 2, 4], vec![1, 3, 5])]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[doc(alias("GroupKFold", "LeaveOneGroupOut"))]
    pub fn grouped<G: Ord>(k: usize, groups: &[G]) -> Self {
        let mut numbers: BTreeMap<&G, usize> = groups.iter().map(|group| (group, 0)).collect();
        for (number, known) in numbers.values_mut().enumerate() {
            *known = number;
        }
        let groups = groups.iter().map(|group| numbers[group]).collect();
        Self::new(k, Way::Grouped(groups))
    }

    /// `k` folds of rows in the order of time, which never look ahead: each trains on the rows
    /// before those that it judges. They are scikit-learn's `TimeSeriesSplit`. Of n rows each fold
    /// judges v = ⌊n/(k + 1)⌋, fold i those from n − (k − i)·v on, and trains on all before.
    /// [`validation_size`](Self::validation_size) sets another v, [`gap`](Self::gap) leaves out
    /// rows in between, [`max_train`](Self::max_train) forgets the oldest.
    ///
    /// Errors when it is cut: [`ErrorKind::Value`] unless `k` is at least 2 and every fold has a
    /// row in both parts.
    #[doc(alias("TimeSeriesSplit", "rolling", "expanding", "walk_forward"))]
    pub fn forward(k: usize) -> Self {
        Self::new(k, Way::Forward)
    }

    /// Of [forward](Self::forward) folds: how many rows before the judged ones are left out, such
    /// as the horizon of a forecast; 0 without.
    #[must_use]
    pub fn gap(self, rows: usize) -> Self {
        Self { gap: rows, ..self }
    }

    /// Of [forward](Self::forward) folds: how many rows are trained on at most, the latest;
    /// without, all.
    #[must_use]
    #[doc(alias("max_train_size"))]
    pub fn max_train(self, rows: usize) -> Self {
        Self {
            max_train: Some(rows),
            ..self
        }
    }

    /// Of [forward](Self::forward) folds: how many rows each fold judges.
    #[must_use]
    #[doc(alias("test_size"))]
    pub fn validation_size(self, rows: usize) -> Self {
        Self {
            validation_size: Some(rows),
            ..self
        }
    }

    /// All folds `times` times, at least once, each time with a seed of its own: dealt anew, where
    /// chance decides who is in which. Forward folds are the same each time; what is random in
    /// training is not.
    #[must_use]
    #[doc(alias("RepeatedKFold", "RepeatedStratifiedKFold", "n_repeats"))]
    pub fn repeated(self, times: usize) -> Self {
        Self {
            repeats: times,
            ..self
        }
    }

    /// The seed of the folds, and of what is random in each; 0 without.
    #[must_use]
    #[doc(alias("random_state"))]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The numbers of the rows of each fold: (training, validation), made one at a time.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for 0 repeats, [`ErrorKind::Incompatible`] for a setting of forward
    /// folds on others, and those of the constructors.
    ///
    /// ```
    /// use chainrule::Dataset;
    /// use chainrule::selection::Folds;
    /// let data = Dataset::from_rows(&[0.0; 9], 1, &[0., 0., 0., 1., 1., 1., 1., 1., 1.], 1)?;
    /// let folds = Folds::stratified(3).seed(7).repeated(2);
    /// for (train, validation) in folds.indices(&data)? {
    ///     assert_eq!((train.len(), validation.len()), (6, 3));
    ///     assert_eq!(validation.iter().filter(|row| **row < 3).count(), 1);
    /// }
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    pub fn indices<D: Splittable>(
        &self,
        data: &D,
    ) -> Result<impl ExactSizeIterator<Item = (Vec<usize>, Vec<usize>)> + use<D>> {
        let cut = self.cut(data)?;
        Ok((0..cut.folds).map(move |fold| cut.fold(fold)))
    }

    /// The parts of each fold, (training, validation), made one at a time, for a loop of your own.
    ///
    /// # Errors
    /// As [`indices`](Self::indices).
    #[doc(alias("cross_val_split"))]
    pub fn split<'d, D: Splittable>(
        &self,
        data: &'d D,
    ) -> Result<impl ExactSizeIterator<Item = (D, D::HeldOut)> + use<'d, D>> {
        Ok(self.indices(data)?.map(|parts| data.parts(parts)))
    }

    /// What `fold` returns of each fold, given its parts and its seed, on `threads` threads, of
    /// which the caller's is one: for whatever is wanted of folds beside a score, such as trained
    /// networks, confusion matrices, histories, or several scores at once.
    ///
    /// The seed is a function of the seed of the folds and the number of the fold, so that the
    /// results are the same for any number of threads. They come in the order of the folds. Each
    /// thread holds the parts of one fold at a time.
    ///
    /// # Errors
    /// As [`indices`](Self::indices); [`ErrorKind::Value`] unless there are from 1 to 1024 threads
    /// (without `std`: 1). What `fold` returns, with the number of the fold; of several errors the
    /// first fold's.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// use chainrule::metrics::ConfusionMatrix;
    /// use chainrule::selection::Folds;
    /// let x = DMatrix::from_fn(1, 60, |_, j| (j % 12) as f64 / 6.0 - 1.0);
    /// let data = Dataset::new(x.clone(), x.map(|x| f64::from(x > 0.1)))?;
    /// let matrices = Folds::stratified(3).map(&data, 2, |train, validation, seed| {
    ///     let mut net = Sequential::builder(1)
    ///         .layer(Dense::new(1, Activation::Linear))
    ///         .seed(seed)
    ///         .build()?;
    ///     let mut trainer = Trainer::new(SigmoidCrossEntropy::new(), Adam::new())
    ///         .learning_rate(0.1)
    ///         .epochs(50)
    ///         .seed(seed);
    ///     trainer.fit(&mut net, &train)?;
    ///     let probabilities = net.predict(validation.inputs())?.map(|z| 1.0 / (1.0 + (-z).exp()));
    ///     ConfusionMatrix::of(&probabilities, &validation)
    /// })?;
    /// assert_eq!(matrices.len(), 3);
    /// assert!(matrices.iter().all(|matrix| matrix.accuracy() > 0.9));
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias("cross_val_predict", "return_estimator"))]
    pub fn map<D: Splittable, R: Send>(
        &self,
        data: &D,
        threads: usize,
        fold: impl Fn(D, D::HeldOut, u64) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let cut = self.cut(data)?;
        cut.map(data, threads, fold)
    }

    /// The folds of these data.
    pub(super) fn cut<D: Splittable>(&self, data: &D) -> Result<Cut> {
        some("repeats of Folds", "at least 1", self.repeats as u64)?;
        self.check_window()?;
        let (n, k) = (data.samples(), self.k);
        let Some(folds) = k.checked_mul(self.repeats) else {
            let expected = "as many folds as can be counted";
            let given = format!("{k} × {}", self.repeats);
            return Err(Error::new(
                ErrorKind::Value,
                "Folds::repeated",
                expected,
                given,
            ));
        };
        let dealt = |cards: Cards| Parts::Dealt(cards.deal(k, self.seed), cards);
        let parts = match &self.way {
            Way::Shuffled => {
                check_folds("Folds::k_fold", k, n, "row")?;
                dealt(Cards::Rows(n))
            }
            Way::Stratified(column) => {
                let place = "Folds::stratified";
                check_folds(place, k, n, "row")?;
                dealt(Cards::Labels(data.strata(place, column.as_deref(), k)?))
            }
            Way::Grouped(groups) => {
                let place = "Folds::grouped";
                if groups.len() != n {
                    let expected = format!("{n} groups, one per row");
                    return Err(Error::new(ErrorKind::Shape, place, expected, groups.len()));
                }
                let most = groups.iter().max().map_or(0, |last| last + 1);
                check_folds(place, k, most, "group")?;
                dealt(Cards::Groups(groups.clone()))
            }
            Way::Forward => Parts::Fixed(self.windows(n)?),
        };
        Ok(Cut {
            k,
            folds,
            seed: self.seed,
            parts,
        })
    }

    /// Settings of forward folds say nothing of others.
    fn check_window(&self) -> Result<()> {
        let window = self.max_train.is_some() || self.validation_size.is_some() || self.gap > 0;
        if !window || self.way == Way::Forward {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            "Folds",
            "forward folds for a gap, a largest training part or a size of validation parts",
            match self.way {
                Way::Grouped(_) => "grouped folds",
                Way::Stratified(_) => "stratified folds",
                _ => "shuffled folds",
            },
        ))
    }

    /// The parts of forward folds of `n` rows.
    fn windows(&self, n: usize) -> Result<Vec<(Range<usize>, Range<usize>)>> {
        let (k, place) = (self.k, "Folds::forward");
        if k < 2 {
            return Err(Error::new(ErrorKind::Value, place, "at least 2 folds", k));
        }
        let size = match self.validation_size {
            Some(size) => size,
            None => n / k.saturating_add(1),
        };
        let most = self.max_train.unwrap_or(n);
        let judged = size.checked_mul(k);
        let first = judged.and_then(|judged| n.checked_sub(judged)?.checked_sub(self.gap));
        match first {
            Some(first) if first > 0 && size > 0 && most > 0 => {}
            _ => {
                let expected = format!(
                    "{k} folds of {n} rows that train on 1 at least and judge 1 at least (fewer \
                     folds, smaller parts or a smaller gap)"
                );
                let given = format!(
                    "validation parts of {size}, a gap of {} and training parts of at most {most}",
                    self.gap
                );
                return Err(Error::new(ErrorKind::Value, place, expected, given));
            }
        }
        let window = |fold: usize| {
            let start = n - (k - fold) * size;
            let end = start - self.gap;
            (end.saturating_sub(most)..end, start..start + size)
        };
        Ok((0..k).map(window).collect())
    }
}
