//! Permutation importance against what it must be, partial dependence against scikit-learn, and
//! what both refuse.

mod common;

use chainrule::data::{HeldOut, Table};
use chainrule::inspection::*;
use chainrule::prelude::*;
use chainrule::{ErrorKind, Real};
use common::{bits, refused};
use std::ops::Range;

/// Written by `reference/inspection.py`.
const TABLE: &str = include_str!("reference/inspection.tsv");

fn numbers(text: &str) -> Vec<f64> {
    text.split(' ')
        .map(|x| x.parse().expect("a number"))
        .collect()
}

/// A network of at most one hidden layer, of tanh.
fn network(features: usize, hidden: usize, outputs: usize, params: &[f64]) -> Sequential<f64> {
    let mut builder = Sequential::builder(features);
    if hidden > 0 {
        builder = builder.layer(Dense::new(hidden, Activation::Tanh));
    }
    let builder = builder.layer(Dense::new(outputs, Activation::Linear));
    let mut net = builder.seed(1).build().expect("a network");
    net.set_params(params).expect("its parameters");
    net
}

#[test]
fn dependence_as_scikit_learn() -> Result<()> {
    let mut seen = 0;
    for line in TABLE.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let count = |index: usize| -> usize { fields[index].parse().expect("a number") };
        let (features, outputs) = (count(0), count(2));
        let net = network(features, count(1), outputs, &numbers(fields[3]));
        let inputs = numbers(fields[4]);
        let samples = inputs.len() / features;
        let inputs = DMatrix::from_vec(features, samples, inputs);
        let mut data = Dataset::new(inputs, DMatrix::zeros(1, samples))?;
        if fields[5] != "-" {
            data = data.weighted(numbers(fields[5]))?;
        }
        let grid = Grid::Quantiles {
            low: numbers(fields[7])[0],
            high: numbers(fields[8])[0],
            points: count(9),
        };
        let predict = |data: &Dataset<f64>| net.predict(data.inputs());
        let found = partial_dependence(&data, count(6), &grid, predict)?;
        let close = |found: &[f64], expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let error = (found - expected).abs() / expected.abs().max(1.0);
                assert!(error < 1e-12, "{found} and {expected} of {line}");
            }
        };
        let Values::Numbers(values) = &found.values else {
            panic!("{:?} are no numbers", found.values);
        };
        close(values, &numbers(fields[10]));
        close(found.average.transpose().as_slice(), &numbers(fields[11]));
        let each = found.individual.iter();
        let each: Vec<f64> = each
            .flat_map(|each| each.transpose().as_slice().to_vec())
            .collect();
        close(&each, &numbers(fields[12]));
        seen += 1;
    }
    assert!(seen > 40, "{seen} lines");
    Ok(())
}

/// Three features of different spread, and what a linear function makes of them.
fn linear<T: Real>(weights: [f64; 3]) -> Result<Dataset<T>> {
    let inputs = DMatrix::from_fn(3, 40, |i, j| ((j * (2 * i + 3) + i) % 17) as f64);
    let targets = DMatrix::from_fn(1, 40, |_, j| {
        (0..3).map(|i| weights[i] * inputs[(i, j)]).sum::<f64>()
    });
    Dataset::new(inputs.map(T::of), targets.map(T::of))
}

/// A linear function whose targets are its outputs: shuffling feature i costs 2wᵢ²·Var(xᵢ) on
/// average.
#[test]
fn importance_of_a_linear_function() -> Result<()> {
    let weights = [2.0, -1.0, 0.0];
    let data = linear::<f64>(weights)?;
    let net = network(3, 0, 1, &[2.0, -1.0, 0.0, 0.0]);
    let score = |data: &Dataset<f64>| {
        let y = net.predict(data.inputs())?;
        Ok(-metrics::mean_squared_error(&y, data)?)
    };
    let found = permutation_importance(&data, 0..3, 500, 7, score)?;
    assert_eq!(found.baseline, 0.0);
    for (feature, importance) in found.columns.iter().enumerate() {
        let x = data.inputs().row(feature);
        let expected = 2.0 * weights[feature] * weights[feature] * x.variance();
        assert!(
            (importance.mean - expected).abs() <= 0.03 * expected,
            "{importance:?} for {expected}"
        );
        assert_eq!(importance.name, format!("feature {feature}"));
        // Mean and deviation are those of the repeats.
        let repeats = &importance.repeats;
        let mean = repeats.iter().sum::<f64>() / 500.0;
        let square = repeats.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 500.0;
        assert!((importance.mean - mean).abs() < 1e-12 * mean.abs().max(1.0));
        assert!((importance.deviation - square.sqrt()).abs() < 1e-12 * mean.abs().max(1.0));
    }
    let order: Vec<&str> = found.sorted().iter().map(|c| &*c.name).collect();
    assert_eq!(order, ["feature 0", "feature 1", "feature 2"]);
    Ok(())
}

/// What is shuffled is the column, all of it and nothing else; several as one.
#[test]
fn a_shuffle_keeps_values_and_the_rest() -> Result<()> {
    let data = linear::<f32>([1.0, 1.0, 1.0])?;
    let mut seen = Vec::new();
    let groups = [vec![0, 2], vec![1]];
    permutation_importance(&data, groups, 3, 5, |data| {
        seen.push(data.clone());
        Ok(0.0)
    })?;
    assert_eq!((seen.len(), &seen[0]), (1 + 2 * 3, &data));
    for (k, shuffled) in seen.iter().skip(1).enumerate() {
        assert_eq!(shuffled.targets(), data.targets());
        let rows: &[usize] = if k % 2 == 0 { &[0, 2] } else { &[1] };
        // The samples of these rows alone, in some order.
        let part = |data: &Dataset<f32>, rows: &[usize]| {
            let columns = data.inputs().select_rows(rows);
            let column = |j: usize| columns.column(j).iter().copied().collect::<Vec<f32>>();
            (0..data.len()).map(column).collect::<Vec<_>>()
        };
        let sorted = |mut columns: Vec<Vec<f32>>| {
            columns.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
            columns
        };
        let rest: Vec<usize> = (0..3).filter(|row| !rows.contains(row)).collect();
        assert_eq!(part(shuffled, &rest), part(&data, &rest));
        assert_ne!(part(shuffled, rows), part(&data, rows));
        assert_eq!(sorted(part(shuffled, rows)), sorted(part(&data, rows)));
    }
    Ok(())
}

/// The same seed, the same bits; whatever other columns there are.
#[test]
fn shuffles_are_those_of_the_seed() -> Result<()> {
    let data = linear::<f64>([1.0, 2.0, 3.0])?;
    let score = |data: &Dataset<f64>| {
        let x = data.inputs();
        Ok((0..x.ncols()).map(|j| x[(1, j)] * (j as f64).sin()).sum())
    };
    let of = |columns: Range<usize>, seed| permutation_importance(&data, columns, 4, seed, score);
    let (all, alone) = (of(0..3, 9)?, of(1..2, 9)?);
    assert_eq!(
        bits(&all.columns[1].repeats),
        bits(&alone.columns[0].repeats)
    );
    assert_ne!(alone, of(1..2, 10)?);
    // The repeats differ, and of a feature without use none is anything.
    let mut repeats = bits(&alone.columns[0].repeats);
    repeats.sort_unstable();
    repeats.dedup();
    assert_eq!(repeats.len(), 4);
    assert_eq!((all.columns[0].mean, all.columns[0].deviation), (0.0, 0.0));
    // More repeats begin with the same.
    let more = permutation_importance(&data, [1], 6, 9, score)?;
    assert_eq!(more.columns[0].repeats[..4], alone.columns[0].repeats);
    Ok(())
}

#[test]
fn importances_as_a_table() -> Result<()> {
    let data = linear::<f64>([1.0, 2.0, 3.0])?;
    let score = |data: &Dataset<f64>| Ok(f64::from(data.inputs()[(1, 0)] == 1.0));
    let found = permutation_importance(&data, 0..3, 2, 1, score)?.named(["a", "b", "c"])?;
    let text = "\
column  importance  deviation
b            1.000          0
a                0          0
c                0          0";
    assert_eq!(found.to_string(), text);
    refused(
        found.named(["one"]),
        ErrorKind::Shape,
        "names of Importances: got 1, expected 3, one per column",
    );
    Ok(())
}

#[test]
fn what_importance_refuses() -> Result<()> {
    let data = linear::<f64>([1.0, 2.0, 3.0])?;
    let of = |columns: &[usize], repeats| {
        permutation_importance(&data, columns.to_vec(), repeats, 1, |_| Ok(0.0))
    };
    refused(
        of(&[], 1),
        ErrorKind::Empty,
        "permutation_importance: got 0, expected at least 1 column",
    );
    refused(
        of(&[0], 0),
        ErrorKind::Empty,
        "permutation_importance: got 0, expected at least 1 repeat",
    );
    refused(
        of(&[0, 3], 1),
        ErrorKind::Value,
        "features of Dataset: got 3, expected below 3",
    );
    refused(
        permutation_importance(&data, [vec![0], vec![]], 1, 1, |_| Ok(0.0)),
        ErrorKind::Empty,
        "features of Dataset: got 0, expected at least 1 feature",
    );
    refused(
        permutation_importance(&data, [0], 1, 1, |_| Ok(f64::NAN)),
        ErrorKind::NotFinite,
        "score of permutation_importance: got NaN, expected a finite number",
    );
    let mut calls = 0;
    let later = permutation_importance(&data, [vec![0, 1]], 1, 1, |_| {
        calls += 1;
        Ok(if calls > 1 { f64::INFINITY } else { 0.0 })
    });
    refused(
        later,
        ErrorKind::NotFinite,
        "score of permutation_importance, features 0, 1 shuffled: got inf, expected a finite number",
    );
    let mine = |_: &Dataset<f64>| Err(Error::new(ErrorKind::Value, "mine", "this", "that"));
    refused(
        permutation_importance(&data, [0], 1, 1, mine),
        ErrorKind::Value,
        "mine: got that, expected this",
    );
    Ok(())
}

#[test]
fn what_dependence_refuses() -> Result<()> {
    let data = linear::<f64>([1.0, 2.0, 3.0])?;
    let zeros = |data: &Dataset<f64>| Ok(DMatrix::<f64>::zeros(1, data.len()));
    let of = |column: usize, grid: Grid| partial_dependence(&data, column, &grid, zeros);
    let quantiles = |low, high, points| Grid::Quantiles { low, high, points };
    refused(
        of(3, Grid::default()),
        ErrorKind::Value,
        "features of Dataset: got 3, expected below 3",
    );
    refused(
        of(0, quantiles(-0.1, 0.9, 5)),
        ErrorKind::Value,
        "low quantile of grid of partial_dependence: got -0.1, expected a number in [0, 1]",
    );
    refused(
        of(0, quantiles(0.1, f64::NAN, 5)),
        ErrorKind::Value,
        "high quantile of grid of partial_dependence: got NaN, expected a number in [0, 1]",
    );
    let order = "a low quantile below the high one, and at least 2 points";
    for (low, high, points) in [(0.5, 0.5, 5), (0.6, 0.4, 5), (0.1, 0.9, 1), (0.1, 0.9, 0)] {
        let given = format!("quantiles {low} and {high}, {points} points");
        let text = format!("grid of partial_dependence: got {given}, expected {order}");
        refused(of(0, quantiles(low, high, points)), ErrorKind::Value, &text);
    }
    refused(
        of(0, Grid::Numbers(vec![])),
        ErrorKind::Empty,
        "grid of partial_dependence: got none, expected at least 1 number",
    );
    refused(
        of(0, Grid::Numbers(vec![1.0, f64::NAN])),
        ErrorKind::NotFinite,
        "grid of partial_dependence, row 0, column 1: got NaN, expected a finite number",
    );
    // Most samples have the same number.
    let mostly = Dataset::new(
        DMatrix::from_fn(1, 40, |_, j| if j < 4 { j as f64 } else { 5.0 }),
        DMatrix::zeros(1, 40),
    )?;
    let error = partial_dependence(&mostly, 0, &quantiles(0.5, 0.9, 3), zeros).unwrap_err();
    assert_eq!((error.kind(), error.given()), (ErrorKind::Value, "5 and 5"));

    let made = |rows: usize, cols: usize, value: f64| {
        partial_dependence(&data, 0, &Grid::default(), |_| {
            Ok(DMatrix::from_element(rows, cols, value))
        })
    };
    let place = "predictions of partial_dependence, feature 0";
    refused(
        made(0, 40, 0.0),
        ErrorKind::Shape,
        &format!("{place}: got 0 × 40, expected at least 1 × 40"),
    );
    refused(
        made(2, 39, 0.0),
        ErrorKind::Shape,
        &format!("{place}: got 2 × 39, expected 2 × 40"),
    );
    refused(
        made(1, 40, f64::NAN),
        ErrorKind::NotFinite,
        &format!("{place}, row 0, column 0: got NaN, expected a finite number"),
    );
    let mut rows = 0;
    let growing = partial_dependence(&data, 0, &Grid::default(), |_| {
        rows += 1;
        Ok(DMatrix::<f64>::zeros(rows, 40))
    });
    refused(
        growing,
        ErrorKind::Shape,
        &format!("{place}: got 2 × 40, expected 1 × 40"),
    );
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Tables

/// Numbers and words with holes.
fn table() -> Result<Table> {
    let weight = (0..30).map(|j| (j % 7 != 3).then_some(f64::from(j * j % 13)));
    let origin = (0..30).map(|j| ["Japan", "USA", "Europe"].get(j % 4).copied());
    Table::new()
        .with_numbers("weight", weight)?
        .with_categories("origin", origin)?
        .with_numbers("mpg", (0..30).map(f64::from))
}

/// Its cells as text, to be counted and compared.
fn cells(rows: &str, columns: &[usize]) -> Vec<Vec<String>> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        columns.iter().map(|column| cells[*column].into()).collect()
    };
    rows.lines().skip(1).map(row).collect()
}

/// Words and holes are shuffled as they are, in tables and in held-out rows; several columns as
/// one.
#[test]
fn columns_of_tables_are_shuffled() -> Result<()> {
    let table = table()?;
    let (_, test) = table.split(0.4, 3)?;
    let mut seen = Vec::new();
    let groups = [vec!["weight", "origin"], vec!["origin"]];
    let found = permutation_importance(&test, groups, 2, 1, |rows: &HeldOut| {
        seen.push(rows.to_csv());
        Ok(0.0)
    })?;
    assert_eq!(found.columns[0].name, "weight, origin");
    assert_eq!(found.columns[1].name, "origin");
    assert_eq!(seen[0], test.to_csv());
    for (k, shuffled) in seen.iter().skip(1).enumerate() {
        let (columns, rest): (&[usize], &[usize]) = match k % 2 {
            0 => (&[0, 1], &[2]),
            _ => (&[1], &[0, 2]),
        };
        let sorted = |mut cells: Vec<Vec<String>>| {
            cells.sort();
            cells
        };
        assert_eq!(cells(shuffled, rest), cells(&seen[0], rest));
        assert_ne!(cells(shuffled, columns), cells(&seen[0], columns));
        assert_eq!(
            sorted(cells(shuffled, columns)),
            sorted(cells(&seen[0], columns))
        );
    }
    // The order is that of data sets.
    let data = Dataset::new(
        DMatrix::from_fn(1, 30, |_, j| j as f64),
        DMatrix::zeros(1, 30),
    )?;
    let first = |x: f64, calls: &mut usize| {
        *calls += 1;
        if *calls == 1 { 0.0 } else { x }
    };
    let (mut a, mut b) = (0, 0);
    let of_table = permutation_importance(&table, ["mpg"], 3, 5, |rows: &Table| {
        Ok(first(rows.numbers("mpg")?[0], &mut a))
    })?;
    let of_data = permutation_importance(&data, [0], 3, 5, |data| {
        Ok(first(data.inputs()[(0, 0)], &mut b))
    })?;
    assert_eq!(of_table.columns[0].repeats, of_data.columns[0].repeats);
    Ok(())
}

/// Numbers between quantiles of those that are there, and every word.
#[test]
fn dependence_on_columns_of_tables() -> Result<()> {
    let table = table()?;
    let price = |origin: Option<&str>| match origin {
        Some("Japan") => 1.0,
        Some("USA") => 2.0,
        Some("Europe") => 3.0,
        _ => 100.0,
    };
    let predict = |rows: &Table| {
        let weight = rows.numbers("weight")?.iter();
        let weight = weight.map(|w| if w.is_nan() { 50.0 } else { *w });
        let sums = weight
            .zip(rows.categories("origin")?)
            .map(|(w, o)| w + price(o));
        Ok(DMatrix::from_iterator(1, rows.len(), sums))
    };
    let found = partial_dependence(&table, "origin", &Grid::default(), predict)?;
    let words = ["Europe", "Japan", "USA"].map(String::from).to_vec();
    assert_eq!(found.values, Values::Categories(words));
    let mean = table.numbers("weight")?.iter();
    let mean = mean
        .map(|w| if w.is_nan() { 50.0 } else { *w })
        .sum::<f64>()
        / 30.0;
    for (found, price) in found.average.iter().zip([3.0, 1.0, 2.0]) {
        assert!((found - mean - price).abs() < 1e-12);
    }
    assert!(found.deciles.is_empty());

    let (_, test) = table.split(0.5, 1)?;
    let held_out = |rows: &HeldOut| {
        let weights = rows.numbers("weight")?.iter().copied();
        Ok(DMatrix::from_iterator(1, rows.len(), weights))
    };
    let found = partial_dependence(&test, "weight", &Grid::default(), held_out)?;
    let mut weights: Vec<f64> = test.numbers("weight")?.to_vec();
    weights.retain(|w| !w.is_nan());
    weights.sort_by(f64::total_cmp);
    weights.dedup();
    assert_eq!(found.values, Values::Numbers(weights.clone()));
    for (average, weight) in found.average.iter().zip(weights) {
        assert!((average - weight).abs() < 1e-12);
    }

    let zeros = |rows: &Table| Ok(DMatrix::<f64>::zeros(1, rows.len()));
    refused(
        partial_dependence(&table, "colour", &Grid::default(), zeros),
        ErrorKind::Value,
        "columns of Table: got \"colour\", expected one of the columns weight, origin, mpg",
    );
    refused(
        partial_dependence(&table, "origin", &Grid::Numbers(vec![1.0]), zeros),
        ErrorKind::Incompatible,
        "grid of partial_dependence: got numbers, expected all categories of the column, Europe, \
         Japan, USA",
    );
    let holes = table.clone().with_numbers("weight", [f64::NAN; 30])?;
    refused(
        partial_dependence(&holes, "weight", &Grid::default(), zeros),
        ErrorKind::Empty,
        "grid of partial_dependence: got none, expected a column with at least 1 value that is no \
         hole",
    );
    refused(
        permutation_importance(&table, ["mpg", "colour"], 1, 1, |_: &Table| Ok(0.0)),
        ErrorKind::Value,
        "columns of Table: got \"colour\", expected one of the columns weight, origin, mpg",
    );
    Ok(())
}
