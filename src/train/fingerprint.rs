//! Whether a network or a data set is the one of before, without a copy of it.

use crate::data::Batch;
use crate::numeric::random::mix;
use crate::numeric::real::Real;
use alloc::string::String;
use alloc::{format, vec};
use core::fmt;

/// A checksum of numbers, of their bits and their order.
pub(super) fn checksum<T: Real>(numbers: &[T]) -> u64 {
    extend(0, numbers)
}

/// Goes on with a bijection, so that every change of a number changes the sum.
fn extend<T: Real>(sum: u64, numbers: &[T]) -> u64 {
    numbers
        .iter()
        .fold(mix(sum ^ numbers.len() as u64), |sum, number| {
            mix(sum ^ number.as_f64().to_bits())
        })
}

/// What tells data sets apart without reading all of them: their sizes, and a checksum of their
/// first and last sample with targets and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DataMark {
    pub(super) samples: usize,
    pub(super) features: usize,
    pub(super) outputs: usize,
    pub(super) ends: u64,
}

impl DataMark {
    pub(super) fn new<T: Real>(data: Batch<'_, T>) -> Self {
        let x = data.x;
        let target = data.target.values();
        let samples = data.len();
        let weights = data.target.weights();
        let ends = [0, samples - 1].into_iter().fold(0, |sum, sample| {
            let sum = extend(sum, x.range(sample, sample + 1).as_slice());
            let sum = extend(sum, target.range(sample, sample + 1).as_slice());
            extend(
                sum,
                weights.map_or(&[], |weights| &weights[sample..=sample]),
            )
        });
        Self {
            samples,
            features: x.rows(),
            outputs: target.rows(),
            ends,
        }
    }

    /// How these data differ from `other`.
    pub(super) fn differs_from(&self, other: &Self) -> String {
        let sizes = |mark: &Self| vec![mark.samples, mark.features, mark.outputs];
        let numbers = if sizes(self) == sizes(other) {
            " with other numbers in the first or last sample"
        } else {
            ""
        };
        format!("{self}{numbers}")
    }
}

impl fmt::Display for DataMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            samples,
            features,
            outputs,
            ..
        } = self;
        write!(
            f,
            "{samples} samples of {features} inputs and {outputs} outputs"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_and_the_order_count() {
        let numbers = [1.0, 0.0, -2.5];
        let mut sums = vec![
            checksum(&numbers),
            checksum(&[0.0, 1.0, -2.5]),
            checksum(&[1.0, 0.0]),
            checksum::<f64>(&[]),
        ];
        for place in 0..3 {
            for bit in 0..64 {
                let mut changed: [f64; 3] = numbers;
                changed[place] = f64::from_bits(changed[place].to_bits() ^ 1 << bit);
                sums.push(checksum(&changed));
            }
        }
        let count = sums.len();
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), count);
    }
}
