//! Random numbers as a function of a seed and counters: nothing to carry along, nothing to save.

use rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus};

/// What a stream is drawn for, so that one seed serves all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Shuffle = 1,
    Split = 2,
    Pass = 3,
    Sample = 4,
    Rule = 5,
    Repeat = 6,
    Fold = 7,
    Trial = 8,
    Parameter = 9,
    Permute = 10,
    Member = 11,
    Draw = 12,
}

/// A seed for `purpose` number `index` under `seed`: one step of SplitMix64 (Steele, Lea &
/// Flood 2014) for each.
pub(crate) fn derive(seed: u64, purpose: Purpose, index: u64) -> u64 {
    mix(mix(seed ^ (purpose as u64)) ^ index)
}

/// The finalizer of SplitMix64, a bijection.
pub(crate) fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Number `index` under `seed` of numbers that are uniform in [0, 1).
pub(crate) fn uniform(seed: u64, index: u64) -> f64 {
    /// 2⁻⁵³.
    const UNIT: f64 = f64::EPSILON / 2.0;
    (mix(seed ^ index) >> 11) as f64 * UNIT
}

/// Number `index` under `seed` of numbers that are uniform in 0..bound, but for less than
/// bound/2⁶⁴.
pub(crate) fn one_of(seed: u64, index: u64, bound: u64) -> u64 {
    ((u128::from(mix(seed ^ index)) * u128::from(bound)) >> 64) as u64
}

/// The generator of `seed`: xoshiro256++ (Blackman & Vigna 2021), which rand keeps the same on
/// every platform.
pub(crate) fn stream(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// Shuffles `items` by Fisher & Yates (Durstenfeld 1964), each index drawn without bias (Lemire
/// 2019). rand's own shuffle may change its order with a release; this one is part of what a seed
/// means here.
pub(crate) fn shuffle<T>(items: &mut [T], mut rng: impl Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(i as u64 + 1, &mut rng) as usize);
    }
}

/// A uniform integer in 0..bound.
fn below(bound: u64, rng: &mut impl Rng) -> u64 {
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        if product as u64 >= threshold {
            return (product >> 64) as u64;
        }
    }
}
