//! Folds against scikit-learn's, and what every way to cut keeps.

use crate::common::refused;
use crate::lines;
use chainrule::ErrorKind::{Empty, Incompatible, Shape, Value};
use chainrule::data::{HeldOut, Table};
use chainrule::nalgebra::DMatrix;
use chainrule::prelude::*;
use chainrule::selection::{Folds, cross_validate};
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

type Indices = Vec<(Vec<usize>, Vec<usize>)>;

/// `n` samples, of which each has its number as its input and `class` of it as its target.
fn data_of(n: usize, class: impl Fn(usize) -> usize) -> Dataset<f64> {
    let classes = (0..n).map(&class).max().unwrap_or(0) + 1;
    let labels: Vec<_> = (0..n).map(class).collect();
    let x = DMatrix::from_fn(1, n, |_, j| j as f64);
    Dataset::new(x, one_hot(&labels, classes.max(2)).expect("labels")).expect("sound data")
}

fn data(n: usize) -> Dataset<f64> {
    data_of(n, |_| 0)
}

fn indices(folds: &Folds, data: &Dataset<f64>) -> Result<Indices> {
    Ok(folds.indices(data)?.collect())
}

/// The numbers of the samples of a part.
fn numbers(part: &Dataset<f64>) -> Vec<usize> {
    part.inputs().iter().map(|x| *x as usize).collect()
}

/// Every row in one of both parts, and over all folds in one validation part.
fn assert_partition(folds: &Indices, n: usize) {
    let mut judged = vec![0; n];
    for (train, validation) in folds {
        assert!(!train.is_empty() && !validation.is_empty());
        let all: BTreeSet<_> = train.iter().chain(validation).collect();
        assert_eq!(all.len(), n);
        assert_eq!(train.len() + validation.len(), n);
        validation.iter().for_each(|row| judged[*row] += 1);
    }
    assert_eq!(judged, vec![1; n]);
}

#[test]
fn forward_as_scikit_learn() {
    let mut refusals = 0;
    for line in lines("forward") {
        let [n, k, gap, most, size, expected] = line[..] else {
            panic!("{line:?}")
        };
        let number = |text: &str| text.parse::<usize>().expect("a number");
        let mut folds = Folds::forward(number(k)).gap(number(gap));
        if most != "-" {
            folds = folds.max_train(number(most));
        }
        if size != "-" {
            folds = folds.validation_size(number(size));
        }
        let found = indices(&folds, &data(number(n)));
        if expected == "error" {
            assert!(found.is_err(), "{line:?}");
            refusals += 1;
            continue;
        }
        let span = |part: &[usize]| {
            assert!(part.windows(2).all(|pair| pair[0] + 1 == pair[1]));
            format!("{}..{}", part[0], part[part.len() - 1] + 1)
        };
        let found: Vec<_> = found
            .unwrap_or_else(|error| panic!("{line:?}: {error}"))
            .iter()
            .map(|(train, validation)| format!("{} {}", span(train), span(validation)))
            .collect();
        assert_eq!(found.join(";"), expected, "{line:?}");
    }
    assert!(refusals > 100);
}

#[test]
fn groups_as_scikit_learn() {
    let mut count = 0;
    for line in lines("grouped") {
        let [k, groups, fold_of] = line[..] else {
            panic!("{line:?}")
        };
        let numbers = |text: &str| -> Vec<usize> {
            text.split(' ')
                .map(|x| x.parse().expect("a number"))
                .collect()
        };
        let (k, groups, fold_of) = (numbers(k)[0], numbers(groups), numbers(fold_of));
        for seed in 0..3 {
            let folds = Folds::grouped(k, &groups).seed(seed);
            let found = indices(&folds, &data(groups.len())).expect("groups enough");
            assert_partition(&found, groups.len());
            for (fold, (train, validation)) in found.iter().enumerate() {
                assert!(validation.iter().all(|row| fold_of[*row] == fold));
                assert!(train.is_sorted() && validation.is_sorted());
            }
        }
        count += 1;
    }
    assert_eq!(count, 12);
}

/// Of any kind that is ordered; the seed decides among equal ones, and no group is in both parts.
#[test]
fn groups_stay_together() -> Result<()> {
    let names: Vec<String> = (0..40)
        .map(|row| format!("patient {}", row * 7 % 10))
        .collect();
    let mut seen = BTreeSet::new();
    for seed in 0..20 {
        let found = indices(&Folds::grouped(5, &names).seed(seed), &data(40))?;
        assert_partition(&found, 40);
        for (train, validation) in &found {
            assert_eq!(validation.len(), 8);
            let of = |rows: &[usize]| rows.iter().map(|row| &names[*row]).collect::<BTreeSet<_>>();
            assert!(of(train).is_disjoint(&of(validation)));
        }
        seen.insert(found);
    }
    assert!(seen.len() > 10);
    Ok(())
}

/// The same parts as the methods of `Dataset`, in the same order.
#[test]
fn shuffled_as_the_data_set_cuts() -> Result<()> {
    let data = data_of(31, |j| j % 3);
    for seed in [0, 1, 99] {
        let ways = [
            (Folds::k_fold(4), data.k_fold(4, seed)?.collect::<Vec<_>>()),
            (
                Folds::stratified(4),
                data.stratified_k_fold(4, seed)?.collect(),
            ),
        ];
        for (folds, expected) in ways {
            let folds = folds.seed(seed);
            let found: Vec<_> = folds.split(&data)?.collect();
            assert_eq!(found, expected);
            let parts: Indices = expected
                .iter()
                .map(|(t, v)| (numbers(t), numbers(v)))
                .collect();
            assert_eq!(indices(&folds, &data)?, parts);
            assert_partition(&parts, 31);
        }
    }
    Ok(())
}

#[test]
fn classes_keep_their_share() -> Result<()> {
    let data = data_of(50, |j| usize::from(j % 5 == 0));
    for (_, validation) in indices(&Folds::stratified(5).seed(3), &data)? {
        let rare = validation.iter().filter(|row| **row % 5 == 0).count();
        assert_eq!((validation.len(), rare), (10, 2));
    }
    Ok(())
}

#[test]
fn one_is_left_out_of_each() -> Result<()> {
    let found = indices(&Folds::k_fold(7), &data(7))?;
    assert_partition(&found, 7);
    assert!(found.iter().all(|(_, validation)| validation.len() == 1));
    Ok(())
}

/// Repeats are dealt anew, the first as without; each is a whole cross-validation.
#[test]
fn repeats() -> Result<()> {
    let data = data_of(20, |j| j % 2);
    for folds in [Folds::k_fold(4), Folds::stratified(4)] {
        let once = indices(&folds.clone().seed(5), &data)?;
        let thrice = indices(&folds.seed(5).repeated(3), &data)?;
        assert_eq!(thrice.len(), 12);
        assert_eq!(thrice[..4], once);
        for repeat in thrice.chunks(4) {
            assert_partition(&repeat.to_vec(), 20);
        }
        assert!(thrice[..4] != thrice[4..8] && thrice[4..8] != thrice[8..]);
    }
    // Nothing is cut before it is wanted.
    let endless = Folds::k_fold(4).seed(5).repeated(1 << 60);
    assert_eq!(endless.indices(&data)?.len(), 1 << 62);
    let some: Indices = endless.indices(&data)?.skip(4).take(8).collect();
    let thrice = indices(&Folds::k_fold(4).seed(5).repeated(3), &data)?;
    assert_eq!(some, thrice[4..]);
    let forward = indices(&Folds::forward(3).repeated(2), &data)?;
    assert_eq!(forward[..3], forward[3..]);
    Ok(())
}

/// Of a table the second part is held out, the rows are those of a data set, and classes are a
/// column: words or numbers, holes among them.
#[test]
fn tables() -> Result<()> {
    let words = (0..30).map(|row| [Some("cat"), Some("dog"), None][row % 3]);
    let table = Table::new()
        .with_numbers("row", (0..30).map(f64::from))?
        .with_numbers("size", (0..30).map(|row| f64::from(row % 2)))?
        .with_categories("species", words)?;
    let rows = |numbers: &[f64]| numbers.iter().map(|row| *row as usize).collect::<Vec<_>>();
    for folds in [Folds::k_fold(4).seed(3).repeated(2), Folds::forward(3)] {
        let expected = indices(&folds, &data(30))?;
        let found: Indices = folds.indices(&table)?.collect();
        assert_eq!(found, expected);
        for ((train, held_out), parts) in folds.split(&table)?.zip(&expected) {
            let (train, held_out): (Table, HeldOut) = (train, held_out);
            assert_eq!(
                (rows(train.numbers("row")?), rows(held_out.numbers("row")?)),
                *parts
            );
        }
    }
    let folds = Folds::stratified_by(5, "species").seed(1);
    let of_classes = indices(&Folds::stratified(5).seed(1), &data_of(30, |row| row % 3))?;
    assert_eq!(folds.indices(&table)?.collect::<Indices>(), of_classes);
    for (_, held_out) in Folds::stratified_by(5, "size").split(&table)? {
        assert_eq!(held_out.numbers("size")?.iter().sum::<f64>(), 3.0);
    }
    let scores = cross_validate(&table, &folds, 2, |train, held_out, _| {
        Ok(train.len() as f64 / held_out.len() as f64)
    })?;
    assert_eq!(scores.values(), [4.0; 5]);

    let cut = |folds: Folds| folds.indices(&table).map(|_| ());
    refused(
        cut(Folds::stratified(5)),
        Incompatible,
        "Folds::stratified: got a table, expected the column of the classes (Folds::stratified_by)",
    );
    refused(
        cut(Folds::stratified_by(5, "kind")),
        Value,
        "Folds::stratified: got \"kind\", expected one of the columns row, size, species",
    );
    refused(
        cut(Folds::stratified_by(11, "species")),
        Empty,
        "\"cat\" of Folds::stratified: got 10, expected at least 11 samples",
    );
    let error = cut(Folds::k_fold(31)).expect_err("more folds than rows");
    assert_eq!(error.kind(), Value);
    let none = Table::new();
    assert!(Folds::k_fold(2).indices(&none).is_err() && Folds::forward(2).indices(&none).is_err());
    Ok(())
}

/// Whatever cannot be filled is an error that names the numbers.
#[test]
fn folds_that_cannot_be_filled() {
    let five = data_of(5, |j| usize::from(j == 4));
    let cut = |folds: Folds| indices(&folds, &five);
    let rows = "from 2 folds to 5, one per row";
    for k in [0, 1, 6, usize::MAX] {
        refused(
            cut(Folds::k_fold(k)),
            Value,
            &format!("Folds::k_fold: got {k}, expected {rows}"),
        );
        let text = format!("Folds::stratified: got {k}, expected {rows}");
        refused(cut(Folds::stratified(k)), Value, &text);
    }
    refused(
        cut(Folds::stratified(2)),
        Empty,
        "class 1 of Folds::stratified: got 1, expected at least 2 samples",
    );
    for k in [0, 1, 3] {
        refused(
            cut(Folds::grouped(k, &[1, 1, 1, 2, 2])),
            Value,
            &format!("Folds::grouped: got {k}, expected from 2 folds to 2, one per group"),
        );
    }
    refused(
        cut(Folds::grouped(2, &["a", "b"])),
        Shape,
        "Folds::grouped: got 2, expected 5 groups, one per row",
    );
    refused(
        cut(Folds::grouped::<usize>(2, &[])),
        Shape,
        "Folds::grouped: got 0, expected 5 groups, one per row",
    );
    refused(
        cut(Folds::forward(1)),
        Value,
        "Folds::forward: got 1, expected at least 2 folds",
    );
    refused(
        cut(Folds::forward(2).gap(3)),
        Value,
        "Folds::forward: got validation parts of 1, a gap of 3 and training parts of at most 5, \
         expected 2 folds of 5 rows that train on 1 at least and judge 1 at least (fewer folds, \
         smaller parts or a smaller gap)",
    );
    for folds in [
        Folds::forward(usize::MAX),
        Folds::forward(5),
        Folds::forward(2).max_train(0),
        Folds::forward(2).validation_size(0),
        Folds::forward(2).validation_size(usize::MAX),
        Folds::forward(2).gap(usize::MAX),
    ] {
        let error = cut(folds).expect_err("folds that cannot be filled");
        assert_eq!((error.kind(), error.place()), (Value, "Folds::forward"));
    }
    refused(
        cut(Folds::k_fold(2).repeated(0)),
        Value,
        "repeats of Folds: got 0, expected at least 1",
    );
    assert!(cut(Folds::k_fold(2).repeated(usize::MAX)).is_err());
    let text = "expected forward folds for a gap, a largest training part or a size of validation \
                parts";
    for (folds, given) in [
        (Folds::k_fold(2).gap(1), "shuffled folds"),
        (Folds::stratified(2).max_train(3), "stratified folds"),
        (
            Folds::grouped(2, &[0, 0, 0, 1, 1]).validation_size(1),
            "grouped folds",
        ),
    ] {
        refused(
            cut(folds),
            Incompatible,
            &format!("Folds: got {given}, {text}"),
        );
    }
    refused(
        cut(Folds::stratified_by(2, "species")),
        Incompatible,
        "Folds::stratified: got species, expected no name: the classes of a Dataset are its \
         targets (Folds::stratified)",
    );
}

// -------------------------------------------------------------------------------------------------
// Cross-validation

fn score(train: &Dataset<f64>, validation: &Dataset<f64>, seed: u64) -> Result<f64> {
    let mut net = Sequential::builder(1)
        .layer(Dense::new(3, Activation::Tanh))
        .layer(Dense::new(2, Activation::Linear))
        .seed(seed)
        .build()?;
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Adam::new())
        .epochs(3)
        .batch_size(4)
        .seed(seed);
    trainer.fit(&mut net, train)?;
    Ok(trainer.evaluate(&net, validation)?.cost)
}

/// The same bits on any number of threads, and those of a loop.
#[test]
fn threads_change_no_bit() -> Result<()> {
    let data = data_of(30, |j| j % 2);
    let folds = Folds::stratified(5).seed(2).repeated(2);
    let scores = |threads| {
        cross_validate(&data, &folds, threads, |train, validation, seed| {
            score(&train, &validation, seed)
        })
    };
    let one = scores(1)?;
    assert_eq!(one.values().len(), 10);
    let all: BTreeSet<_> = one.values().iter().map(|score| score.to_bits()).collect();
    assert_eq!(all.len(), 10, "each fold has other data and another seed");
    for threads in [2, 3, 10, 64] {
        assert_eq!(scores(threads)?, one);
    }
    // The parts are those of `split`, and seeds follow the folds' seed.
    let seeds = |folds: &Folds| folds.map(&data, 3, |_, _, seed| Ok(seed));
    let mut by_hand = Vec::new();
    for ((train, validation), seed) in folds.split(&data)?.zip(seeds(&folds)?) {
        by_hand.push(score(&train, &validation, seed)?);
    }
    assert_eq!(one.values(), by_hand);
    let unlike = seeds(&folds.clone().seed(3))?;
    assert!(seeds(&folds)?.iter().all(|seed| !unlike.contains(seed)));
    Ok(())
}

/// One thread is the caller's.
#[test]
fn no_thread_is_hidden() -> Result<()> {
    let caller = thread::current().id();
    let ids = Folds::k_fold(4).map(&data(8), 1, |_, _, _| Ok(thread::current().id()))?;
    assert!(ids.iter().all(|id| *id == caller));
    // Three tasks that wait for each other, and the caller is one of three.
    let barrier = Barrier::new(3);
    let ids = Folds::k_fold(3).map(&data(8), 3, |_, _, _| {
        barrier.wait();
        Ok(thread::current().id())
    })?;
    assert!(ids.contains(&caller));
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[2] != ids[0]);
    Ok(())
}

/// The error of the first fold that fails, and no fold begins after it.
#[test]
fn errors_name_the_fold() {
    let data = data(20);
    for threads in [1, 2, 4] {
        let begun = AtomicUsize::new(0);
        let result = cross_validate(&data, &Folds::forward(9), threads, |train, _, _| {
            begun.fetch_add(1, Ordering::Relaxed);
            if train.len() >= 8 {
                return Err(Error::new(Value, "rate", "less", train.len()));
            }
            Ok(0.0)
        });
        refused(result, Value, "fold 3: rate: got 8, expected less");
        assert!(begun.into_inner() <= 4 + threads);
    }
    for (threads, given) in [(0, "0"), (1025, "1025")] {
        let result = cross_validate(&data, &Folds::k_fold(2), threads, |_, _, _| Ok(0.0));
        refused(
            result,
            Value,
            &format!("threads of Folds: got {given}, expected from 1 to 1024"),
        );
    }
}

/// A score that is no number shows in the mean, and is no error.
#[test]
fn no_number() -> Result<()> {
    let scores = cross_validate(&data(6), &Folds::k_fold(3), 1, |_, validation, _| {
        let first = validation.inputs()[0] == 0.0 || validation.inputs()[1] == 0.0;
        Ok(if first { f64::NAN } else { 1.0 })
    })?;
    assert!(scores.mean().is_nan() && scores.deviation().is_nan());
    assert!(scores.interval(0.9)?.0.is_nan());
    Ok(())
}
