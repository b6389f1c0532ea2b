//! Whether a network or a data set is the one of before, without a copy of it.

use crate::data::Batch;
use crate::numeric::random::mix;
use crate::numeric::real::Real;
use alloc::string::String;
use alloc::{format, vec};
use core::array::from_fn;
use core::fmt;

/// A checksum of numbers, of their bits and their order: of eight numbers at a time each goes on
/// with a sum of its own, for one sum waits for the number before.
pub(super) fn checksum<T: Real>(numbers: &[T]) -> u64 {
    const LANES: usize = 8;
    let (blocks, rest) = numbers.as_chunks::<LANES>();
    let lanes = blocks.iter().fold([0; LANES], |sums: [u64; LANES], block| {
        from_fn(|i| mix(sums[i] ^ block[i].as_f64().to_bits()))
    });
    lanes
        .into_iter()
        .fold(extend(0, rest), |sum, lane| mix(sum ^ lane))
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
/// first and last sample with targets, weights and slopes.
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
            let sum = extend(
                sum,
                weights.map_or(&[], |weights| &weights[sample..=sample]),
            );
            match data.target.slopes() {
                None => sum,
                Some(slopes) => extend(sum, slopes.range(sample, sample + 1).as_slice()),
            }
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
        let numbers: [f64; 19] = core::array::from_fn(|i| i as f64 - 2.5);
        let mut sums = vec![checksum(&numbers), checksum::<f64>(&[])];
        sums.extend((1..19).map(|len| checksum(&numbers[..len])));
        for other in 1..19 {
            let mut swapped = numbers;
            swapped.swap(0, other);
            sums.push(checksum(&swapped));
        }
        for place in 0..19 {
            for bit in 0..64 {
                let mut changed = numbers;
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
