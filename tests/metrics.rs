//! Classes, accuracy and confusion, against counts made by hand.

use chainrule::nalgebra::{DMatrix, DVector};
use chainrule::prelude::*;
use metrics::ConfusionMatrix;

#[test]
fn the_largest_row() -> Result<()> {
    #[rustfmt::skip]
    let y = DMatrix::from_row_slice(3, 4, &[
        0.1, 0.7, -3.0, f64::NEG_INFINITY,
        0.7, 0.1, -1.0, -5.0,
        0.2, 0.2, -2.0, f64::INFINITY,
    ]);
    assert_eq!(metrics::classes(&y)?, [1, 0, 1, 2]);
    Ok(())
}

#[test]
fn the_first_of_equals() -> Result<()> {
    #[rustfmt::skip]
    let y = DMatrix::from_row_slice(3, 5, &[
        0.5, 0.1, 0.2, -0.0, f64::NEG_INFINITY,
        0.5, 0.4, 0.1,  0.0, f64::NEG_INFINITY,
        0.5, 0.4, 0.2, -0.0, f64::NEG_INFINITY,
    ]);
    assert_eq!(metrics::classes(&y)?, [0, 1, 0, 0, 0]);
    Ok(())
}

/// A single row is the probability of class 1, and ½ is enough.
#[test]
fn a_single_row() -> Result<()> {
    let y = DMatrix::from_row_slice(1, 6, &[0.0, 0.499_999, 0.5, 1.0, -7.0, f64::INFINITY]);
    assert_eq!(metrics::classes(&y)?, [0, 0, 1, 1, 0, 1]);
    assert_eq!(metrics::classes(&DVector::from_vec(vec![0.2_f32, 0.9]))?, [1]);
    Ok(())
}

#[test]
fn accuracies() -> Result<()> {
    let y = DMatrix::from_column_slice(2, 4, &[0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.5, 0.5]);
    let t = one_hot(&[0, 1, 1, 0], 2)?;
    assert_eq!(metrics::accuracy((&y).into(), (&t).into())?, 0.75);
    assert_eq!(metrics::accuracy((&t).into(), (&t).into())?, 1.0);
    assert_eq!(metrics::accuracy((&y).into(), (&one_hot(&[1, 0, 1, 1], 2)?).into())?, 0.0);
    // Of one row: 0.4 and 0.6 against 1 and 1.
    let (y, t) = (DMatrix::from_row_slice(1, 2, &[0.4, 0.6]), DMatrix::from_element(1, 2, 1.0));
    assert_eq!(metrics::accuracy((&y).into(), (&t).into())?, 0.5);
    Ok(())
}

/// Margins with targets −1 and 1: the border is 0, and on it is class 1, as ½ is of probabilities.
#[test]
fn accuracies_of_margins() -> Result<()> {
    let by_margin = |y: &[f64], t: &[f64]| metrics::margin_accuracy(View::new(y, 1)?, View::new(t, 1)?);
    assert_eq!(by_margin(&[0.3, -0.3, 0.0, 7.0], &[1.0, -1.0, 1.0, -1.0])?, 0.75);
    // Whatever the other samples are.
    assert_eq!(by_margin(&[0.3], &[1.0])?, 1.0);
    let by_probability = metrics::accuracy(View::new(&[0.3, -0.3, 0.5, 7.0], 1)?, View::new(&[0.0, 0.0, 1.0, 0.0], 1)?)?;
    assert_eq!(by_probability, 0.75);
    // Several rows are compared with each other, whatever their signs.
    let (y, t) = (DMatrix::from_column_slice(2, 2, &[-0.2, -0.1, 0.1, 0.2]), DMatrix::from_column_slice(2, 2, &[-1.0, 1.0, 1.0, -1.0]));
    assert_eq!(metrics::accuracy((&y).into(), (&t).into())?, 0.5);
    assert_eq!(metrics::margin_accuracy((&y).into(), (&t).into())?, 0.5);
    Ok(())
}

#[test]
fn confusions() -> Result<()> {
    let (predicted, actual) = ([0, 1, 2, 2, 1, 0, 2, 1], [0, 1, 2, 1, 1, 2, 2, 0]);
    let matrix = ConfusionMatrix::new(&predicted, &actual, 4)?;
    assert_eq!(matrix.classes(), 4);
    for a in 0..5 {
        for p in 0..5 {
            let count = predicted.iter().zip(&actual).filter(|pair| *pair == (&p, &a)).count();
            assert_eq!(matrix.count(a, p), count, "{a} taken for {p}");
        }
    }
    assert_eq!(matrix.count(usize::MAX, 0), 0);
    assert_eq!(matrix.accuracy(), 5.0 / 8.0);
    assert_eq!(ConfusionMatrix::new(&[0, 0], &[0, 0], 1)?.accuracy(), 1.0);
    Ok(())
}

/// Rows are actual classes: turning the two lists turns the table.
#[test]
fn actual_and_predicted() -> Result<()> {
    let (a, b) = ([0, 0, 1], [1, 0, 1]);
    let (matrix, turned) = (ConfusionMatrix::new(&a, &b, 2)?, ConfusionMatrix::new(&b, &a, 2)?);
    assert_eq!((matrix.count(1, 0), matrix.count(0, 1)), (1, 0));
    assert_eq!((turned.count(1, 0), turned.count(0, 1)), (0, 1));
    assert_ne!(matrix, turned);
    Ok(())
}

#[test]
fn confusions_as_text() -> Result<()> {
    let matrix = ConfusionMatrix::new(&[0, 1, 1, 0, 2], &[0, 1, 0, 0, 2], 3)?;
    let text = "\
actual \\ predicted 0 1 2
                 0 2 1 ·
                 1 · 1 ·
                 2 · · 1";
    assert_eq!(matrix.to_string(), text);
    Ok(())
}

#[test]
fn wide_confusions_as_text() -> Result<()> {
    // 120 times 0 right, 7 times 1 for 0: all columns are as wide as the largest number.
    let (mut predicted, mut actual) = (vec![0; 127], vec![0; 120]);
    actual.extend([1; 7]);
    predicted.push(10);
    actual.push(10);
    let matrix = ConfusionMatrix::new(&predicted, &actual, 11)?;
    let lines: Vec<String> = matrix.to_string().lines().map(String::from).collect();
    assert_eq!(lines.len(), 12);
    assert_eq!(lines[0], "actual \\ predicted   0   1   2   3   4   5   6   7   8   9  10");
    assert_eq!(lines[1], "                 0 120   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·");
    assert_eq!(lines[2], "                 1   7   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·");
    assert_eq!(lines[11], "                10   ·   ·   ·   ·   ·   ·   ·   ·   ·   ·   1");
    // All lines end in the same column.
    assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()));
    Ok(())
}

/// The way from predictions to the table.
#[test]
fn from_predictions() -> Result<()> {
    let y = DMatrix::from_column_slice(3, 3, &[0.1, 0.2, 0.7, 0.6, 0.3, 0.1, 0.2, 0.5, 0.3]);
    let matrix = ConfusionMatrix::new(&metrics::classes(&y)?, &[2, 1, 1], 3)?;
    assert_eq!((matrix.count(2, 2), matrix.count(1, 0), matrix.count(1, 1)), (1, 1, 1));
    assert_eq!(matrix.accuracy(), 2.0 / 3.0);
    Ok(())
}
