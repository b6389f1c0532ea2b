//! Who is in which fold.

use super::parts::{Parts, count, shuffled};
use crate::error::{Error, ErrorKind, Result};
use alloc::{format, vec, vec::Vec};
use core::cmp::Reverse;

/// There must be two folds, and something for each of `k`: at most `most`, one per `what`.
pub(crate) fn check_folds(place: &str, k: usize, most: usize, what: &str) -> Result<()> {
    if k >= 2 && k <= most {
        return Ok(());
    }
    let expected = format!("from 2 folds to {most}, one per {what}");
    Err(Error::new(ErrorKind::Value, place, expected, k))
}

/// Samples dealt to folds like cards: each fold judges the samples that it was dealt, and trains on
/// all others.
#[derive(Clone, Debug)]
pub(crate) struct Deal {
    /// All samples, in the order in which each part has its own.
    order: Vec<usize>,
    fold_of: Vec<usize>,
}

impl Deal {
    /// Shuffled samples, to `k` folds in turn; label by label, if there are labels.
    pub(crate) fn in_turn(samples: usize, k: usize, seed: u64, labels: Option<&[usize]>) -> Self {
        let order = shuffled(samples, seed);
        let mut dealt = order.clone();
        if let Some(labels) = labels {
            dealt.sort_by_key(|sample| labels[*sample]);
        }
        let mut fold_of = vec![0; samples];
        for (position, sample) in dealt.into_iter().enumerate() {
            fold_of[sample] = position % k;
        }
        Self { order, fold_of }
    }

    /// Whole groups, numbered from 0, to `k` folds: the largest first, each to the fold that has
    /// the fewest samples then. `seed` decides among groups of the same size.
    pub(crate) fn in_groups(k: usize, seed: u64, group_of: &[usize]) -> Self {
        let sizes = count(group_of);
        let mut groups = shuffled(sizes.len(), seed);
        groups.sort_by_key(|group| Reverse(sizes[*group]));
        let mut filled = vec![0; k];
        let mut fold_of_group = vec![0; sizes.len()];
        for group in groups {
            // The first of several.
            let fold = (0..k).min_by_key(|fold| filled[*fold]).unwrap_or(0);
            filled[fold] += sizes[group];
            fold_of_group[group] = fold;
        }
        Self {
            order: (0..group_of.len()).collect(),
            fold_of: group_of.iter().map(|group| fold_of_group[*group]).collect(),
        }
    }

    /// The samples that `fold` trains on, and those that it judges.
    pub(crate) fn parts(&self, fold: usize) -> Parts {
        let judged = |sample: &usize| self.fold_of[*sample] == fold;
        let (validation, train) = self.order.iter().copied().partition(judged);
        (train, validation)
    }
}
