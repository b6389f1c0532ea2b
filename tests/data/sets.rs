//! Data sets, mini-batches and scalers, against definitions written out here.

use chainrule::data::Batches;
use chainrule::nalgebra::{DMatrix, DVector};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, Real, View};

/// Samples whose features and target are functions of their number, so that each is known by any of
/// them.
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
            assert_eq!(
                x,
                [first, first + 1.0, first + 2.0],
                "features of one sample"
            );
            assert_eq!(t, [-first, -first - 1.0], "and its target");
            first as usize / 10
        })
        .collect()
}

/// The numbers of the samples of an epoch, batch by batch.
fn epoch(batches: &mut Batches<f64>, data: &Dataset<f64>, epoch: u64) -> Vec<Vec<usize>> {
    let mut batches = batches.epoch(data, epoch);
    let mut all = vec![];
    while let Some(batch) = batches.next_batch() {
        all.push(numbers(batch.x, batch.target.values()));
    }
    assert!(
        batches.next_batch().is_none(),
        "after the last there is none"
    );
    all
}

// -------------------------------------------------------------------------------------------------
// Data sets

#[test]
fn rows_are_columns() -> Result<()> {
    let data = Dataset::from_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, &[7.0, 8.0], 1)?;
    assert_eq!((data.len(), data.features(), data.outputs()), (2, 3, 1));
    assert_eq!(
        data.inputs(),
        &DMatrix::from_columns(&[
            DVector::from_vec(vec![1.0, 2.0, 3.0]),
            DVector::from_vec(vec![4.0, 5.0, 6.0])
        ])
    );
    assert_eq!(data.targets(), &DMatrix::from_row_slice(1, 2, &[7.0, 8.0]));
    Ok(())
}

#[test]
fn selections() -> Result<()> {
    let part = numbered(5).select(&[4, 0, 4])?;
    assert_eq!(
        numbers(part.inputs().into(), part.targets().into()),
        [4, 0, 4]
    );
    Ok(())
}

#[test]
fn other_inputs_and_targets() -> Result<()> {
    let data = numbered(4);
    let (x, t) = (
        DMatrix::from_element(1, 4, 5.0),
        DMatrix::from_element(6, 4, 7.0),
    );
    let other = data.clone().map_inputs(|_| Ok(x.clone()))?;
    assert_eq!((other.inputs(), other.targets()), (&x, data.targets()));
    let other = data.clone().map_targets(|_| Ok(t.clone()))?;
    assert_eq!((other.inputs(), other.targets()), (data.inputs(), &t));
    Ok(())
}

#[test]
fn splits() -> Result<()> {
    // The rounded fraction, but never all and never nothing.
    for (n, fraction, first) in [
        (10, 0.7, 7),
        (10, 0.74, 7),
        (10, 0.75, 8),
        (10, 0.01, 1),
        (10, 0.99, 9),
        (2, 0.001, 1),
        (2, 0.999, 1),
        (3, 0.5, 2),
    ] {
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

/// `n` samples of these classes, shuffled, each known by its number.
fn labeled(counts: &[usize], seed: u64) -> Dataset<f64> {
    let labels: Vec<usize> = counts
        .iter()
        .enumerate()
        .flat_map(|(class, count)| std::iter::repeat_n(class, *count))
        .collect();
    let data = Dataset::new(
        DMatrix::from_fn(1, labels.len(), |_, j| j as f64),
        one_hot(&labels, counts.len()).expect("labels"),
    )
    .expect("data");
    let mut order: Vec<usize> = (0..labels.len()).collect();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    order.sort_by_cached_key(|_| rng.random::<u64>());
    data.select(&order).expect("all samples")
}

fn classes_of(data: &Dataset<f64>, classes: usize) -> Vec<usize> {
    let labels = metrics::classes(data.targets()).expect("classes");
    (0..classes)
        .map(|class| labels.iter().filter(|label| **label == class).count())
        .collect()
}

/// The numbers of the samples of several parts, sorted.
fn together(parts: &[&Dataset<f64>]) -> Vec<usize> {
    let mut all: Vec<usize> = parts
        .iter()
        .flat_map(|part| part.inputs().iter().map(|x| *x as usize))
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn stratified_splits() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    for round in 0..300 {
        let counts: Vec<usize> = (0..2 + rng.random_range(0..5_usize))
            .map(|_| {
                if rng.random_bool(0.1) {
                    0
                } else {
                    rng.random_range(2..40)
                }
            })
            .collect();
        let (n, present) = (
            counts.iter().sum::<usize>(),
            counts.iter().filter(|count| **count > 0).count(),
        );
        let fraction = rng.random_range(0.02..0.98);
        let first = (fraction * n as f64 + 0.5) as usize;
        if present == 0 || first < present || n - first < present {
            continue;
        }
        let data = labeled(&counts, round);
        let (a, b) = data.stratified_split(fraction, round)?;
        assert_eq!((a.len(), together(&[&a, &b])), (first, (0..n).collect()));
        let given = classes_of(&a, counts.len());
        for (class, (count, given)) in counts.iter().zip(&given).enumerate() {
            let share = first as f64 * *count as f64 / n as f64;
            assert!(
                *count == 0 || (1..*count).contains(given),
                "{given} of {count} samples of class {class}"
            );
            // Off by less than one, unless that would leave a class out of a part.
            let crowded = counts.iter().any(|count| {
                *count > 0
                    && !(1.0..=*count as f64 - 1.0)
                        .contains(&(first as f64 * *count as f64 / n as f64))
            });
            assert!(
                crowded || (share - *given as f64).abs() < 1.0,
                "{given} of {count} samples of class {class}, a share of {share}"
            );
        }
        let again = data.stratified_split(fraction, round)?;
        assert_eq!((again.0, again.1), (a, b));
    }
    Ok(())
}

/// The largest remainders get what is left, the first class among equals.
#[test]
fn the_largest_remainders() -> Result<()> {
    for (counts, fraction, first) in [
        (vec![6, 3, 3], 2.0 / 3.0, vec![4, 2, 2]),
        (vec![5, 5], 0.5, vec![3, 2]),
        (vec![5, 5, 5, 5], 0.3, vec![2, 2, 1, 1]),
        (vec![10, 7, 3], 0.55, vec![5, 4, 2]), // shares 5.5, 3.85, 1.65
        (vec![100, 2, 2], 0.04, vec![2, 1, 1]), // 3.85, 0.08, 0.08: none is left out
        (vec![100, 2, 2], 0.96, vec![98, 1, 1]),
        (vec![2, 0, 2], 0.5, vec![1, 0, 1]),
        (vec![2, 100], 0.5, vec![1, 50]),
    ] {
        let (a, _) = labeled(&counts, 1).stratified_split(fraction, 9)?;
        assert_eq!(
            classes_of(&a, counts.len()),
            first,
            "{fraction} of {counts:?}"
        );
    }
    Ok(())
}

#[test]
fn folds() -> Result<()> {
    for n in [2, 3, 7, 10, 24, 101] {
        let data = labeled(&[n / 2, n - n / 2], 5);
        for k in [2, 3, 5, n] {
            if k > n {
                continue;
            }
            let folds = data.k_fold(k, 11)?;
            assert_eq!(folds.len(), k);
            let folds: Vec<_> = folds.collect();
            for (train, validation) in &folds {
                assert_eq!(together(&[train, validation]), (0..n).collect::<Vec<_>>());
                assert!(validation.len() == n / k || validation.len() == n / k + 1);
            }
            let validations: Vec<_> = folds.iter().map(|(_, validation)| validation).collect();
            assert_eq!(together(&validations), (0..n).collect::<Vec<_>>());
            assert_eq!(folds, data.k_fold(k, 11)?.collect::<Vec<_>>());
        }
    }
    let data = labeled(&[20, 20], 5);
    assert_ne!(data.k_fold(4, 1)?.next(), data.k_fold(4, 2)?.next());
    Ok(())
}

#[test]
fn stratified_folds() -> Result<()> {
    for counts in [vec![5, 5], vec![7, 12, 5], vec![6, 0, 31, 9], vec![50, 5]] {
        let (data, n) = (labeled(&counts, 2), counts.iter().sum::<usize>());
        for k in 2..=5 {
            let folds: Vec<_> = data.stratified_k_fold(k, 11)?.collect();
            assert_eq!(folds.len(), k);
            for (train, validation) in &folds {
                assert_eq!(together(&[train, validation]), (0..n).collect::<Vec<_>>());
                assert!(validation.len() == n / k || validation.len() == n / k + 1);
                for (part, whole) in classes_of(validation, counts.len()).iter().zip(&counts) {
                    assert!(
                        *part == whole / k || *part == whole / k + 1,
                        "{part} of {whole} in one of {k}"
                    );
                }
            }
            let validations: Vec<_> = folds.iter().map(|(_, validation)| validation).collect();
            assert_eq!(together(&validations), (0..n).collect::<Vec<_>>());
            // Shuffled, not class by class.
            let labels = metrics::classes(folds[0].0.targets())?;
            assert!(!labels.is_sorted(), "{labels:?}");
        }
    }
    Ok(())
}

#[test]
fn what_splits_refuse() -> Result<()> {
    let data = labeled(&[5, 1, 4], 1);
    let text = |result: Result<()>| result.expect_err("bad input").to_string();
    let split = |data: &Dataset<f64>, fraction| text(data.stratified_split(fraction, 1).map(drop));
    let folds = |data: &Dataset<f64>, k| text(data.stratified_k_fold(k, 1).map(drop));
    assert_eq!(
        split(&data, 0.5),
        "class 1 of Dataset::stratified_split: got 1, expected at least 2 samples"
    );
    assert_eq!(
        folds(&data, 2),
        "class 1 of Dataset::stratified_k_fold: got 1, expected at least 2 samples"
    );
    assert_eq!(
        folds(&labeled(&[9, 4], 1), 5),
        "class 1 of Dataset::stratified_k_fold: got 4, expected at least 5 samples"
    );
    let few = labeled(&[4, 3, 3], 1);
    let parts =
        "Dataset::stratified_split: got 2, expected parts of at least 3 samples, one per class";
    assert_eq!((&*split(&few, 0.2), &*split(&few, 0.8)), (parts, parts));
    assert_eq!(
        split(&few, f64::NAN),
        "Dataset::stratified_split: got NaN, expected a fraction between 0 and 1"
    );
    for k in [0, 1, 11] {
        assert_eq!(
            text(few.k_fold(k, 1).map(drop)),
            format!("Dataset::k_fold: got {k}, expected from 2 folds to 10, one per sample")
        );
        assert_eq!(
            folds(&few, k),
            format!(
                "Dataset::stratified_k_fold: got {k}, expected from 2 folds to 10, one per sample"
            )
        );
    }
    // Prices are no classes, and neither are shares of them.
    let expected = "a class: a 1 among 0 or −1, or of a single row 0 or 1 (−1 or 1)";
    for (column, given) in [
        (vec![3.5], "3.5"),
        (vec![0.5, 0.5], "0.5, 0.5"),
        (vec![1.0, 1.0], "1, 1"),
        (vec![0.0, 0.0], "0, 0"),
    ] {
        let targets = DMatrix::from_fn(column.len(), 10, |i, j| {
            if j == 7 { column[i] } else { f64::from(i == 0) }
        });
        let data = few.clone().map_targets(|_| Ok(targets))?;
        let place = |name: &str| {
            format!("targets of Dataset::{name}, column 7: got {given}, expected {expected}")
        };
        assert_eq!(split(&data, 0.5), place("stratified_split"));
        assert_eq!(folds(&data, 2), place("stratified_k_fold"));
        assert_eq!(text(data.clone().balanced().map(drop)), place("balanced"));
        assert_eq!(
            text(data.class_weighted(&[1.0, 2.0]).map(drop)),
            place("class_weighted")
        );
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Weights

/// Where a sample goes, its weight goes with it.
#[test]
fn weights_stay_with_their_samples() -> Result<()> {
    let weight = |x: f64| 1.0 + x / 8.0;
    let data = labeled(&[9, 8, 7], 4);
    let weights: Vec<f64> = data.inputs().iter().map(|x| weight(*x)).collect();
    let data = data.weighted(weights)?;
    let check = |part: &Dataset<f64>| {
        let expected: Vec<f64> = part.inputs().iter().map(|x| weight(*x)).collect();
        assert_eq!(part.weights(), Some(&expected[..]));
    };
    check(&data);
    check(&data.select(&[3, 3, 1])?);
    for (a, b) in [data.split(0.4, 1)?, data.stratified_split(0.4, 1)?]
        .into_iter()
        .chain(data.k_fold(5, 1)?)
        .chain(data.stratified_k_fold(5, 1)?)
    {
        check(&a);
        check(&b);
    }
    let other = |_| Ok(DMatrix::zeros(2, 24));
    check(&data.clone().map_targets(other)?);
    assert_eq!(data.clone().map_inputs(other)?.weights(), data.weights());
    for mut batches in [Batches::in_order(5)?, Batches::shuffled(5, 1)?] {
        let mut batches = batches.epoch(&data, 0);
        let mut sizes = vec![];
        while let Some(batch) = batches.next_batch() {
            let expected: Vec<f64> = batch.x.as_slice().iter().map(|x| weight(*x)).collect();
            assert_eq!(batch.target.weights(), Some(&expected[..]));
            sizes.push(batch.x.cols());
        }
        assert_eq!(sizes, [5, 5, 5, 5, 4]);
    }
    // Without weights there are none.
    assert!(labeled(&[2, 2], 1).split(0.5, 1)?.0.weights().is_none());
    let mut batches = Batches::shuffled(5, 1)?;
    assert!(
        batches
            .epoch(&labeled(&[2, 2], 1), 0)
            .next_batch()
            .is_some_and(|batch| batch.target.weights().is_none())
    );
    Ok(())
}

#[test]
fn weights_of_classes() -> Result<()> {
    let data = Dataset::new(DMatrix::zeros(1, 6), one_hot(&[0, 2, 2, 0, 0, 0], 3)?)?;
    let weighted = data.clone().class_weighted(&[1.0, 5.0, 0.25])?;
    assert_eq!(
        weighted.weights(),
        Some(&[1.0, 0.25, 0.25, 1.0, 1.0, 1.0][..])
    );
    // scikit-learn: n / (k·nᵢ) with the two classes that there are; instead of the weights before.
    assert_eq!(
        weighted.balanced()?.weights(),
        Some(&[0.75, 1.5, 1.5, 0.75, 0.75, 0.75][..])
    );
    // Margins and a single row.
    let signs = DMatrix::from_row_slice(1, 6, &[-1.0, 1.0, 1.0, -1.0, -1.0, -1.0]);
    let margins = data.clone().map_targets(|_| Ok(signs))?;
    assert_eq!(
        margins.balanced()?.weights(),
        Some(&[0.75, 1.5, 1.5, 0.75, 0.75, 0.75][..])
    );
    let text = |weights: &[f64]| {
        data.clone()
            .class_weighted(weights)
            .expect_err("bad weights")
            .to_string()
    };
    assert_eq!(
        text(&[1.0, 2.0]),
        "weights of Dataset::class_weighted: got 2, expected 3, one per class"
    );
    assert_eq!(
        text(&[1.0, 2.0, -1.0]),
        "weights of Dataset, sample 1: got -1, expected a finite weight ≥ 0"
    );
    assert_eq!(
        text(&[0.0, 1.0, 0.0]),
        "weights of Dataset: got none, expected at least 1 weight above 0"
    );
    let error = data.weighted(vec![1.0; 5]).expect_err("a weight too few");
    assert_eq!(
        (error.kind(), &*error.to_string()),
        (
            ErrorKind::Shape,
            "weights of Dataset: got 5, expected 6, one per sample"
        )
    );
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Mini-batches

#[test]
fn batches_in_order() -> Result<()> {
    let data = numbered(7);
    let mut batches = Batches::in_order(3)?;
    // In every epoch.
    for number in 0..3 {
        assert_eq!(
            epoch(&mut batches, &data, number),
            [vec![0, 1, 2], vec![3, 4, 5], vec![6]]
        );
    }
    // Borrowed, not copied.
    let mut batches = batches.epoch(&data, 0);
    batches.next_batch();
    let batch = batches.next_batch().expect("a second batch");
    assert!(std::ptr::eq(
        batch.x.as_slice(),
        &data.inputs().as_slice()[9..18]
    ));
    assert!(std::ptr::eq(
        batch.target.values().as_slice(),
        &data.targets().as_slice()[6..12]
    ));
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
                    assert!(
                        full.iter().all(|batch| batch.len() == size),
                        "{n} by {size}"
                    );
                    assert_eq!(
                        last.len(),
                        if n % size == 0 { size } else { n % size },
                        "{n} by {size}"
                    );
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
    let orders: Vec<_> = (0..4)
        .map(|number| epoch(&mut batches, &data, number).concat())
        .collect();
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
        *counts
            .entry(epoch(&mut batches, &data, number).concat())
            .or_insert(0_i32) += 1;
    }
    assert_eq!(counts.len(), 24);
    // χ² with 23 degrees of freedom is above 50 once in a thousand seeds; this seed is not one of
    // them.
    let chi_squared: f64 = counts
        .values()
        .map(|count| f64::from(count - 200).powi(2) / 200.0)
        .sum();
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
        assert_eq!(
            epoch(&mut batches, &numbered(n), 1),
            epoch(&mut fresh, &numbered(n), 1)
        );
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
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

// -------------------------------------------------------------------------------------------------
// Scalers

/// Features of unlike sizes: small, large, off center, negative, all over the place.
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
        "standard" => (
            mean,
            (row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt(),
        ),
        "center" => (mean, 1.0),
        "min_max" => (min, max - min),
        "max_abs" => (0.0, min.abs().max(max.abs())),
        _ => unreachable!("{name}"),
    }
}

#[track_caller]
fn close(a: f64, b: f64, size: f64) {
    assert!(
        (a - b).abs() <= 1e-12 * size,
        "{a} is not {b} to 1e-12 of {size}"
    );
}

#[test]
fn scalers_by_definition() -> Result<()> {
    let x = features();
    for (name, make) in ALL {
        let scaler = make(&x)?;
        assert_eq!(
            (
                scaler.features(),
                scaler.shift().len(),
                scaler.scale().len()
            ),
            (5, 5, 5)
        );
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
    let rows = |y: DMatrix<f64>| {
        y.row_iter()
            .map(|row| row.iter().copied().collect::<Vec<f64>>())
            .collect::<Vec<_>>()
    };
    for row in rows(Scaler::standard(&x)?.transform(&x)?) {
        let (mean, deviation) = define("standard", &row);
        assert!(
            mean.abs() < 1e-10 && (deviation - 1.0).abs() < 1e-10,
            "mean {mean}, deviation {deviation}"
        );
    }
    for row in rows(Scaler::min_max(&x)?.transform(&x)?) {
        // The ends to the bit.
        let (min, spread) = define("min_max", &row);
        assert_eq!((min, spread), (0.0, 1.0));
    }
    for row in rows(Scaler::max_abs(&x)?.transform(&x)?) {
        assert_eq!(define("max_abs", &row).1, 1.0);
    }
    for (row, before) in rows(Scaler::center(&x)?.transform(&x)?)
        .iter()
        .zip(rows(x.clone()))
    {
        assert!(define("center", row).0.abs() <= 1e-15 * define("max_abs", &before).1);
    }
    Ok(())
}

#[test]
fn inverses() -> Result<()> {
    let x = features();
    // Other data than the scaler learned from, beyond its ends, too.
    let other = x.map(|v| -1.5 * v + 1.0);
    for (name, make) in ALL {
        let scaler = make(&x)?;
        for data in [&x, &other] {
            let back = scaler.inverse_transform(&scaler.transform(data)?)?;
            for (i, j) in (0..5).flat_map(|i| (0..37).map(move |j| (i, j))) {
                let size = data[(i, j)].abs() + scaler.shift()[i].abs() + scaler.scale()[i];
                assert!(
                    (back[(i, j)] - data[(i, j)]).abs() <= 4.0 * f64::EPSILON * size,
                    "{name}: {} and {}",
                    back[(i, j)],
                    data[(i, j)]
                );
            }
        }
    }
    Ok(())
}

/// Constant features have nothing to scale. That 0.1 is no sum of powers of two must not show: the
/// mean of many of them may be off by rounding, and their variance is then not 0.
fn constants<T: Real>(value: f64) -> Result<()> {
    for n in [2, 3, 10, 49, 1000, 12_345] {
        let x = DMatrix::from_element(2, n, T::of(value));
        for scaler in [Scaler::standard(&x)?, Scaler::min_max(&x)?] {
            assert_eq!(scaler.scale(), [T::one(); 2], "{value} {n} times");
            let y = scaler.transform(&x)?;
            let bound = T::of(2.0 * value.abs()) * T::default_epsilon();
            assert!(
                y.iter().all(|v| v.abs() <= bound),
                "{value} {n} times is {}",
                y[0]
            );
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
    for value in [1e308, -1.7e308, 1e-310] {
        constants::<f64>(value)?;
    }
    Ok(())
}

/// One sample teaches neither a spread nor a mean; a `Vec` is one, though who hands it on may mean
/// a column of numbers.
#[test]
fn a_single_sample() -> Result<()> {
    let numbers = vec![5.0, -2.0, 0.0];
    let next = "expected at least 2 columns (samples; a column of numbers is one feature: \
        View::new(&numbers, 1))";
    for (name, make) in ALL {
        for x in [
            DMatrix::from_column_slice(3, 1, &numbers),
            DMatrix::from_element(1, 1, 5.0),
        ] {
            let error = make(&x).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Shape);
            assert_eq!(
                error.to_string(),
                format!("Scaler::{name}: got {} × 1, {next}", x.nrows())
            );
        }
    }
    for scaler in [
        Scaler::standard(&numbers),
        Scaler::center(&numbers),
        Scaler::min_max(&numbers),
        Scaler::max_abs(&numbers),
    ] {
        assert_eq!(scaler.map_err(|error| error.kind()), Err(ErrorKind::Shape));
    }
    // The way out.
    assert_eq!(
        Scaler::min_max(View::new(&numbers, 1)?)?,
        Scaler::new(vec![-2.0], vec![7.0])?
    );
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
            assert_eq!(
                (scaler.shift()[i], scaler.scale()[i]),
                (plain.shift()[i], plain.scale()[i]),
                "{name}"
            );
        }
    }
    Ok(())
}

/// What varies is not constant, though it vary little beside its mean, and however many samples
/// there are: years, room temperatures in kelvin, pixels in a large data set.
#[test]
fn features_that_vary_little() -> Result<()> {
    for (n, mean, deviation) in [
        (100, 1000.0, 0.5),
        (10_000, 2000.0, 2.0),
        (60_000, 2000.0, 10.0),
        (100_000, 300.0, 3.0),
    ] {
        // As many above the mean as below; both are exact in f32.
        let x = DMatrix::from_fn(1, n, |_, j| {
            if j % 2 == 0 {
                mean - deviation
            } else {
                mean + deviation
            }
        });
        assert_eq!(
            Scaler::standard(&x)?.scale(),
            [deviation],
            "{n} of {mean} ± {deviation} in f64"
        );
        let scale = Scaler::standard(&x.map(|v| v as f32))?.scale()[0];
        assert!(
            (f64::from(scale) - deviation).abs() < 1e-3 * deviation,
            "{n} of {mean} ± {deviation} in f32: {scale}"
        );
    }
    Ok(())
}

/// And whatever its size: near 10⁹, where the squares of the spread vanish, where the sum of the
/// numbers or the spread overflows.
#[test]
fn features_that_vary_little_or_much() -> Result<()> {
    let standard = |a: f64, b: f64, n: usize| {
        Scaler::standard(&DMatrix::from_fn(
            1,
            n,
            |_, j| if j % 2 == 0 { a } else { b },
        ))
    };
    for n in [2, 10_000] {
        let scaler = standard(1e9, 1e9 + 0.001, n)?;
        assert!((scaler.scale()[0] - 5e-4).abs() < 1e-7, "{n}: {scaler:?}");
        for (a, b) in [
            (1.0, 3.0),
            (1e-170, 3e-170),
            (1e-300, 3e-300),
            (5e307, 1.5e308),
            (-1.5e308, 1.5e308),
            (0.0, 4e-320),
            (1e16, 1e16 + 2.0),
        ] {
            let scaler = standard(a, b, n)?;
            let middle = a / 2.0 + b / 2.0;
            let half = b / 2.0 - a / 2.0;
            assert!(
                (scaler.shift()[0] - middle).abs() <= 1e-15 * middle.abs(),
                "{n} of {a:e} and {b:e}: {scaler:?}"
            );
            assert!(
                (scaler.scale()[0] / half - 1.0).abs() < 1e-12,
                "{n} of {a:e} and {b:e}: {scaler:?}"
            );
        }
        // One unit in the last place is a spread.
        let next = 0.1_f64.next_up();
        assert!((standard(0.1, next, n)?.scale()[0] / (0.5 * (next - 0.1)) - 1.0).abs() < 1e-12);
        assert_eq!(
            Scaler::min_max(&DMatrix::from_row_slice(1, 2, &[0.1, next]))?.scale(),
            [next - 0.1]
        );
    }
    // What is far from the mean is scaled, and back, though the difference overflows.
    let x = DMatrix::from_fn(1, 10, |_, j| if j == 0 { 1.7e308_f64 } else { -1.7e308 });
    let scaler = Scaler::standard(&x)?;
    let y = scaler.transform(&x)?;
    assert!(
        (y[0] - 3.0).abs() < 1e-12 && (y[1] + 1.0 / 3.0).abs() < 1e-12,
        "{y}"
    );
    for (back, x) in scaler.inverse_transform(&y)?.iter().zip(&x) {
        assert!((back / x - 1.0).abs() < 1e-12, "{back:e}");
    }
    // A spread that the scalar does not hold is an error, as one beyond the largest number.
    let x = DMatrix::from_row_slice(1, 2, &[-1e308, 1e308]);
    assert_eq!(
        Scaler::min_max(&x).unwrap_err().kind(),
        ErrorKind::NotFinite
    );
    let x = DMatrix::from_row_slice(1, 2, &[0.0, 5e-324]);
    assert_eq!(Scaler::standard(&x).unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(Scaler::min_max(&x)?.scale(), [5e-324]);
    let x = DMatrix::from_row_slice(1, 2, &[0.0, f32::from_bits(1)]);
    assert_eq!(Scaler::standard(&x).unwrap_err().kind(), ErrorKind::Value);
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
