//! Data sets, mini-batches and scalers, against definitions written out here.

use chainrule::nalgebra::{DMatrix, DVector};
use chainrule::prelude::*;
use chainrule::{Batches, Real};

/// Samples whose features and target are functions of their number, so that each is known by any of them.
fn numbered(n: usize) -> Dataset<f64> {
    let x = DMatrix::from_fn(3, n, |i, j| (10 * j + i) as f64);
    let t = DMatrix::from_fn(2, n, |i, j| -((10 * j + i) as f64));
    Dataset::new(x, t).expect("sound data")
}

/// The numbers of the samples in a batch, having checked that each is whole.
fn numbers(x: View<'_, f64>, t: View<'_, f64>) -> Vec<usize> {
    assert_eq!((x.rows(), t.rows(), x.cols()), (3, 2, t.cols()));
    let pairs = x.iter().zip(t.iter());
    pairs
        .map(|(x, t)| {
            let first = x[0];
            assert_eq!(x, [first, first + 1.0, first + 2.0], "features of one sample");
            assert_eq!(t, [-first, -first - 1.0], "and its target");
            first as usize / 10
        })
        .collect()
}

/// The numbers of the samples of an epoch, batch by batch.
fn epoch(batches: &mut Batches<f64>, data: &Dataset<f64>, epoch: u64) -> Vec<Vec<usize>> {
    let mut batches = batches.epoch(data, epoch);
    let mut all = vec![];
    while let Some((x, t)) = batches.next_batch() {
        all.push(numbers(x, t));
    }
    assert!(batches.next_batch().is_none(), "after the last there is none");
    all
}

// ---------------------------------------------------------------------------------------------------------------------
// Data sets

#[test]
fn rows_are_columns() -> Result<()> {
    let data = Dataset::from_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, &[7.0, 8.0], 1)?;
    assert_eq!((data.len(), data.features(), data.outputs()), (2, 3, 1));
    assert_eq!(data.inputs(), &DMatrix::from_columns(&[DVector::from_vec(vec![1.0, 2.0, 3.0]), DVector::from_vec(vec![4.0, 5.0, 6.0])]));
    assert_eq!(data.targets(), &DMatrix::from_row_slice(1, 2, &[7.0, 8.0]));
    Ok(())
}

#[test]
fn selections() -> Result<()> {
    let part = numbered(5).select(&[4, 0, 4])?;
    assert_eq!(numbers(part.inputs().into(), part.targets().into()), [4, 0, 4]);
    Ok(())
}

#[test]
fn other_inputs_and_targets() -> Result<()> {
    let data = numbered(4);
    let (x, t) = (DMatrix::from_element(1, 4, 5.0), DMatrix::from_element(6, 4, 7.0));
    let other = data.with_inputs(x.clone())?;
    assert_eq!((other.inputs(), other.targets()), (&x, data.targets()));
    let other = data.with_targets(t.clone())?;
    assert_eq!((other.inputs(), other.targets()), (data.inputs(), &t));
    Ok(())
}

#[test]
fn splits() -> Result<()> {
    // The rounded fraction, but never all and never nothing.
    for (n, fraction, first) in
        [(10, 0.7, 7), (10, 0.74, 7), (10, 0.75, 8), (10, 0.01, 1), (10, 0.99, 9), (2, 0.001, 1), (2, 0.999, 1), (3, 0.5, 2)]
    {
        let data = numbered(n);
        let (a, b) = data.split(fraction, 1)?;
        assert_eq!((a.len(), b.len()), (first, n - first), "{fraction} of {n}");
        // Each sample is in one part, whole.
        let mut all = numbers(a.inputs().into(), a.targets().into());
        all.extend(numbers(b.inputs().into(), b.targets().into()));
        all.sort_unstable();
        assert_eq!(all, (0..n).collect::<Vec<_>>());
    }
    Ok(())
}

// ---------------------------------------------------------------------------------------------------------------------
// Mini-batches

#[test]
fn batches_in_order() -> Result<()> {
    let data = numbered(7);
    let mut batches = Batches::in_order(3)?;
    // In every epoch.
    for number in 0..3 {
        assert_eq!(epoch(&mut batches, &data, number), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
    }
    // Borrowed, not copied.
    let mut batches = batches.epoch(&data, 0);
    batches.next_batch();
    let (x, t) = batches.next_batch().expect("a second batch");
    assert!(std::ptr::eq(x.as_slice(), &data.inputs().as_slice()[9..18]));
    assert!(std::ptr::eq(t.as_slice(), &data.targets().as_slice()[6..12]));
    Ok(())
}

#[test]
fn each_sample_once_an_epoch() -> Result<()> {
    for n in [1, 2, 7, 12, 100] {
        let data = numbered(n);
        for size in [1, 3, 4, n, n + 1, usize::MAX] {
            for mut batches in [Batches::in_order(size)?, Batches::shuffled(size, 5)?] {
                for number in 0..3 {
                    let all = epoch(&mut batches, &data, number);
                    // All batches are full but the last one.
                    let (last, full) = all.split_last().expect("a batch");
                    assert!(full.iter().all(|batch| batch.len() == size), "{n} by {size}");
                    assert_eq!(last.len(), if n % size == 0 { size } else { n % size }, "{n} by {size}");
                    let mut seen = all.concat();
                    seen.sort_unstable();
                    assert_eq!(seen, (0..n).collect::<Vec<_>>(), "{n} by {size}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn epochs_are_shuffled_apart() -> Result<()> {
    let data = numbered(100);
    let mut batches = Batches::shuffled(9, 5)?;
    let orders: Vec<_> = (0..4).map(|number| epoch(&mut batches, &data, number).concat()).collect();
    for (i, order) in orders.iter().enumerate() {
        assert_ne!(order, &(0..100).collect::<Vec<_>>());
        assert!(!orders[..i].contains(order), "epoch {i} repeats another");
    }
    Ok(())
}

/// Every order comes equally often: 24 orders of 4 samples, 4800 epochs, so 200 ± 14 each.
#[test]
fn shuffling_is_uniform() -> Result<()> {
    let data = numbered(4);
    let mut batches = Batches::shuffled(4, 1)?;
    let mut counts = std::collections::BTreeMap::new();
    for number in 0..4800 {
        *counts.entry(epoch(&mut batches, &data, number).concat()).or_insert(0_i32) += 1;
    }
    assert_eq!(counts.len(), 24);
    // χ² with 23 degrees of freedom is above 50 once in a thousand seeds; this seed is not one of them.
    let chi_squared: f64 = counts.values().map(|count| f64::from(count - 200).powi(2) / 200.0).sum();
    assert!(chi_squared < 50.0, "{chi_squared}: {counts:?}");
    Ok(())
}

#[test]
fn an_epoch_begun_anew() -> Result<()> {
    let data = numbered(7);
    for mut batches in [Batches::in_order(3)?, Batches::shuffled(3, 5)?] {
        let whole = epoch(&mut batches, &data, 2);
        batches.epoch(&data, 2).next_batch();
        assert_eq!(epoch(&mut batches, &data, 2), whole);
    }
    Ok(())
}

/// One `Batches` may serve data sets of other sizes in turn.
#[test]
fn batches_of_several_data_sets() -> Result<()> {
    let mut batches = Batches::shuffled(3, 5)?;
    for n in [7, 2, 9] {
        let mut fresh = Batches::shuffled(3, 5)?;
        assert_eq!(epoch(&mut batches, &numbered(n), 1), epoch(&mut fresh, &numbered(n), 1));
    }
    Ok(())
}

// ---------------------------------------------------------------------------------------------------------------------
// Labels

#[test]
fn labels_as_columns() -> Result<()> {
    let targets: DMatrix<f64> = one_hot(&[1, 1, 3, 0], 4)?;
    #[rustfmt::skip]
    let expected = DMatrix::from_row_slice(4, 4, &[
        0.0, 0.0, 0.0, 1.0,
        1.0, 1.0, 0.0, 0.0,
        0.0, 0.0, 0.0, 0.0, // a class without a sample
        0.0, 0.0, 1.0, 0.0,
    ]);
    assert_eq!(targets, expected);
    assert_eq!(one_hot::<f32>(&[0], 1)?.as_slice(), [1.0]);
    // And back.
    assert_eq!(metrics::classes(&targets)?, [1, 1, 3, 0]);
    Ok(())
}

// ---------------------------------------------------------------------------------------------------------------------
// Scalers

/// Features of unlike sizes: small, large, off centre, negative, all over the place.
fn features() -> DMatrix<f64> {
    DMatrix::from_fn(5, 37, |i, j| {
        let u = ((i * 37 + j * 13) as f64 * 0.7).sin();
        match i {
            0 => u * 1e-9,
            1 => u * 1e9,
            2 => 1000.0 + u,
            3 => -3.0 - u * u,
            _ => (10.0 * u).exp(),
        }
    })
}

type Make = fn(&DMatrix<f64>) -> Result<Scaler<f64>>;
const ALL: [(&str, Make); 4] = [
    ("standard", |x| Scaler::standard(x)),
    ("center", |x| Scaler::center(x)),
    ("min_max", |x| Scaler::min_max(x)),
    ("max_abs", |x| Scaler::max_abs(x)),
];

/// Shift and scale of a feature, by the definitions.
fn define(name: &str, row: &[f64]) -> (f64, f64) {
    let n = row.len() as f64;
    let mean = row.iter().sum::<f64>() / n;
    let min = row.iter().copied().fold(f64::INFINITY, f64::min);
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match name {
        "standard" => (mean, (row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()),
        "center" => (mean, 1.0),
        "min_max" => (min, max - min),
        "max_abs" => (0.0, min.abs().max(max.abs())),
        _ => unreachable!("{name}"),
    }
}

#[track_caller]
fn close(a: f64, b: f64, size: f64) {
    assert!((a - b).abs() <= 1e-12 * size, "{a} is not {b} to 1e-12 of {size}");
}

#[test]
fn scalers_by_definition() -> Result<()> {
    let x = features();
    for (name, make) in ALL {
        let scaler = make(&x)?;
        assert_eq!((scaler.features(), scaler.shift().len(), scaler.scale().len()), (5, 5, 5));
        let y = scaler.transform(&x)?;
        for (i, row) in x.row_iter().enumerate() {
            let row: Vec<f64> = row.iter().copied().collect();
            let largest = row.iter().fold(0.0_f64, |max, v| max.max(v.abs()));
            let (shift, scale) = define(name, &row);
            close(scaler.shift()[i], shift, largest);
            close(scaler.scale()[i], scale, scale.max(1e-3 * largest));
            for (j, v) in row.iter().enumerate() {
                close(y[(i, j)], (v - shift) / scale, (largest / scale).max(1.0));
            }
        }
    }
    Ok(())
}

#[test]
fn what_scalers_promise() -> Result<()> {
    let x = features();
    let rows = |y: DMatrix<f64>| y.row_iter().map(|row| row.iter().copied().collect::<Vec<f64>>()).collect::<Vec<_>>();
    for row in rows(Scaler::standard(&x)?.transform(&x)?) {
        let (mean, deviation) = define("standard", &row);
        assert!(mean.abs() < 1e-10 && (deviation - 1.0).abs() < 1e-10, "mean {mean}, deviation {deviation}");
    }
    for row in rows(Scaler::min_max(&x)?.transform(&x)?) {
        // The ends to the bit.
        let (min, spread) = define("min_max", &row);
        assert_eq!((min, spread), (0.0, 1.0));
    }
    for row in rows(Scaler::max_abs(&x)?.transform(&x)?) {
        assert_eq!(define("max_abs", &row).1, 1.0);
    }
    for (row, before) in rows(Scaler::center(&x)?.transform(&x)?).iter().zip(rows(x.clone())) {
        assert!(define("center", row).0.abs() <= 1e-15 * define("max_abs", &before).1);
    }
    Ok(())
}

#[test]
fn inverses() -> Result<()> {
    let x = features();
    // Other data than the scaler learnt from, beyond its ends, too.
    let other = x.map(|v| -1.5 * v + 1.0);
    for (name, make) in ALL {
        let scaler = make(&x)?;
        for data in [&x, &other] {
            let back = scaler.inverse(&scaler.transform(data)?)?;
            for (i, j) in (0..5).flat_map(|i| (0..37).map(move |j| (i, j))) {
                let size = data[(i, j)].abs() + scaler.shift()[i].abs() + scaler.scale()[i];
                assert!((back[(i, j)] - data[(i, j)]).abs() <= 4.0 * f64::EPSILON * size, "{name}: {} and {}", back[(i, j)], data[(i, j)]);
            }
        }
    }
    Ok(())
}

/// Constant features have nothing to scale. That 0.1 is no sum of powers of two must not show: the mean of many of
/// them may be off by rounding, and their variance is then not 0.
fn constants<T: Real>(value: f64) -> Result<()> {
    for n in [1, 2, 3, 10, 49, 1000, 12_345] {
        let x = DMatrix::from_element(2, n, T::of(value));
        for scaler in [Scaler::standard(&x)?, Scaler::min_max(&x)?] {
            assert_eq!(scaler.scale(), [T::one(); 2], "{value} {n} times");
            let y = scaler.transform(&x)?;
            let bound = T::of(2.0 * value.abs()) * T::default_epsilon();
            assert!(y.iter().all(|v| v.abs() <= bound), "{value} {n} times is {}", y[0]);
        }
        let scale = T::of(value).abs();
        let expected = if scale == T::zero() { T::one() } else { scale };
        assert_eq!(Scaler::max_abs(&x)?.scale(), [expected; 2]);
        assert_eq!(Scaler::center(&x)?.scale(), [T::one(); 2]);
    }
    Ok(())
}

#[test]
fn constant_features() -> Result<()> {
    for value in [0.0, 0.1, -0.1, 0.3, 1.0, 1e-20, 1e6 + 0.1, -12_345.678] {
        constants::<f64>(value)?;
        constants::<f32>(value)?;
    }
    Ok(())
}

#[test]
fn a_single_sample() -> Result<()> {
    let x = DMatrix::from_column_slice(3, 1, &[5.0, -2.0, 0.0]);
    assert_eq!(Scaler::standard(&x)?.transform(&x)?.as_slice(), [0.0; 3]);
    assert_eq!(Scaler::center(&x)?.transform(&x)?.as_slice(), [0.0; 3]);
    assert_eq!(Scaler::min_max(&x)?.transform(&x)?.as_slice(), [0.0; 3]);
    assert_eq!(Scaler::max_abs(&x)?.transform(&x)?.as_slice(), [1.0, -1.0, 0.0]);
    Ok(())
}

/// A constant feature beside others is none of their business.
#[test]
fn a_constant_among_others() -> Result<()> {
    let mut x = features();
    x.row_mut(1).fill(0.1);
    for (name, make) in ALL {
        let (scaler, plain) = (make(&x)?, make(&features())?);
        for i in [0, 2, 3, 4] {
            assert_eq!((scaler.shift()[i], scaler.scale()[i]), (plain.shift()[i], plain.scale()[i]), "{name}");
        }
    }
    Ok(())
}

/// What varies is not constant, though it vary little beside its mean, and however many samples there are: years, room
/// temperatures in kelvin, pixels in a large data set.
#[test]
fn features_that_vary_little() -> Result<()> {
    for (n, mean, deviation) in [(100, 1000.0, 0.5), (10_000, 2000.0, 2.0), (60_000, 2000.0, 10.0), (100_000, 300.0, 3.0)] {
        // As many above the mean as below; both are exact in f32.
        let x = DMatrix::from_fn(1, n, |_, j| if j % 2 == 0 { mean - deviation } else { mean + deviation });
        assert_eq!(Scaler::standard(&x)?.scale(), [deviation], "{n} of {mean} ± {deviation} in f64");
        let scale = Scaler::standard(&x.map(|v| v as f32))?.scale()[0];
        assert!((f64::from(scale) - deviation).abs() < 1e-3 * deviation, "{n} of {mean} ± {deviation} in f32: {scale}");
    }
    Ok(())
}

#[test]
fn scalers_of_single_precision() -> Result<()> {
    // Far from 0, where the textbook's E[x²] − E[x]² would lose everything.
    let x = DMatrix::from_row_slice(1, 4, &[10_000.0_f32, 10_001.0, 10_002.0, 10_003.0]);
    let scaler = Scaler::standard(&x)?;
    assert_eq!(scaler.shift(), [10_001.5]);
    assert!((scaler.scale()[0] - 1.25_f32.sqrt()).abs() < 1e-6);
    Ok(())
}
