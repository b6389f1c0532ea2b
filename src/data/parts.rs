//! Parts and folds of samples, as their numbers.

use crate::error::{Error, ErrorKind, Result};
use crate::numeric::bounds::BETWEEN;
use crate::numeric::random::{Purpose, derive, shuffle, stream};
use alloc::{format, string::String, vec, vec::Vec};

/// The samples of the first and of the second part.
pub(crate) type Parts = (Vec<usize>, Vec<usize>);

/// How many of `len` samples `fraction` of them are, so that each part has one.
pub(crate) fn first_part(place: &str, len: usize, fraction: f64) -> Result<usize> {
    BETWEEN
        .named("a fraction between 0 and 1")
        .check(place, fraction)?;
    if len < 2 {
        return Err(Error::new(
            ErrorKind::Empty,
            place,
            "at least 2 samples",
            len,
        ));
    }
    let rounded = (fraction * len as f64 + 0.5) as usize;
    Ok(rounded.clamp(1, len - 1))
}

/// The numbers of `len` samples, in an order that `seed` decides.
pub(crate) fn shuffled(len: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    shuffle(&mut order, stream(derive(seed, Purpose::Split, 0)));
    order
}

/// `first` of the shuffled samples, and the others.
pub(crate) fn split(len: usize, first: usize, seed: u64) -> Parts {
    let order = shuffled(len, seed);
    let (first, second) = order.split_at(first);
    (first.into(), second.into())
}

/// [`split`], where each part has its share of every class; `labels` has the class of each sample,
/// and `name` says how errors call a class.
pub(crate) fn stratified_split(
    place: &str,
    labels: &[usize],
    name: impl Fn(usize) -> String,
    first: usize,
    seed: u64,
) -> Result<Parts> {
    let counts = count(labels);
    check_counts(place, &counts, name, 2)?;
    let present = counts.iter().filter(|count| **count > 0).count();
    for part in [first, labels.len() - first] {
        if part < present {
            return Err(Error::new(
                ErrorKind::Empty,
                place,
                format!("parts of at least {present} samples, one per class"),
                part,
            ));
        }
    }
    let mut open = quotas(&counts, first);
    let mut parts = (
        Vec::with_capacity(first),
        Vec::with_capacity(labels.len() - first),
    );
    for sample in shuffled(labels.len(), seed) {
        let open = &mut open[labels[sample]];
        if *open == 0 {
            parts.1.push(sample);
        } else {
            parts.0.push(sample);
            *open -= 1;
        }
    }
    Ok(parts)
}

/// Samples that are dealt to k folds in turn.
pub(crate) struct Folds {
    order: Vec<usize>,
    fold_of: Vec<usize>,
}

impl Folds {
    /// Deals `len` samples, shuffled and then arranged, to `k` folds.
    pub(crate) fn deal(
        place: &str,
        len: usize,
        k: usize,
        seed: u64,
        arrange: impl FnOnce(&mut [usize]) -> Result<()>,
    ) -> Result<Self> {
        if k < 2 || k > len {
            let expected = format!("from 2 folds to {len}, one per sample");
            return Err(Error::new(ErrorKind::Value, place, expected, k));
        }
        let order = shuffled(len, seed);
        let mut dealt = order.clone();
        arrange(&mut dealt)?;
        let mut fold_of = vec![0; len];
        for (position, sample) in dealt.into_iter().enumerate() {
            fold_of[sample] = position % k;
        }
        Ok(Self { order, fold_of })
    }

    /// The samples of all other folds, and those of one.
    pub(crate) fn parts(&self, fold: usize) -> Parts {
        let other = |sample: &usize| self.fold_of[*sample] != fold;
        self.order.iter().copied().partition(other)
    }
}

/// Arranges samples so that those of a class stand together, for [`Folds::deal`].
pub(crate) fn by_class(
    place: &str,
    labels: &[usize],
    name: impl Fn(usize) -> String,
    k: usize,
    samples: &mut [usize],
) -> Result<()> {
    check_counts(place, &count(labels), name, k)?;
    samples.sort_by_key(|sample| labels[*sample]);
    Ok(())
}

/// How many samples each class has.
pub(crate) fn count(labels: &[usize]) -> Vec<usize> {
    let mut counts = vec![0; labels.iter().max().map_or(0, |last| last + 1)];
    for label in labels {
        counts[*label] += 1;
    }
    counts
}

/// Every class that has a sample must have `least` of them.
fn check_counts(
    place: &str,
    counts: &[usize],
    name: impl Fn(usize) -> String,
    least: usize,
) -> Result<()> {
    match counts.iter().position(|count| (1..least).contains(count)) {
        None => Ok(()),
        Some(class) => Err(Error::new(
            ErrorKind::Empty,
            format!("{} of {place}", name(class)),
            format!("at least {least} samples"),
            counts[class],
        )),
    }
}

/// How many of the samples of each class go to a part of `total`: their share, rounded so that the
/// sum is right. Of a class with samples it is between 1 and all but 1. The shares are compared as
/// whole multiples of 1/n.
fn quotas(counts: &[usize], total: usize) -> Vec<usize> {
    let n: usize = counts.iter().sum();
    let whole = |count: usize| (count as u128 * total as u128 / n as u128) as usize;
    let mut quotas: Vec<usize> = counts
        .iter()
        .map(|count| whole(*count).clamp(1.min(*count), count.saturating_sub(1)))
        .collect();
    let lacking = |quotas: &[usize], class: usize| {
        counts[class] as i128 * total as i128 - quotas[class] as i128 * n as i128
    };
    loop {
        let given: usize = quotas.iter().sum();
        // The part has at least one sample per class, and so has the rest: some class has room.
        if given < total {
            let room = (0..counts.len())
                .rev()
                .filter(|class| quotas[*class] + 1 < counts[*class]);
            let Some(class) = room.max_by_key(|class| lacking(&quotas, *class)) else {
                return quotas;
            };
            quotas[class] += 1;
        } else if given > total {
            let room = (0..counts.len()).filter(|class| quotas[*class] > 1);
            let Some(class) = room.min_by_key(|class| lacking(&quotas, *class)) else {
                return quotas;
            };
            quotas[class] -= 1;
        } else {
            return quotas;
        }
    }
}
