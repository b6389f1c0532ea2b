//! Windows of time series.

use chainrule::data::Windows;
use chainrule::prelude::*;
use chainrule::{ErrorKind, View};

/// Two features whose values tell their row and their step.
fn series(steps: usize) -> DMatrix<f64> {
    DMatrix::from_fn(2, steps, |i, t| (100 * i + t) as f64)
}

/// All samples by their definition, of many settings.
#[test]
fn by_definition() -> Result<()> {
    let all = [vec![0, 1], vec![0], vec![1], vec![1, 0]];
    for steps in 1..14 {
        let series = series(steps);
        for (length, stride) in [(1, 1), (2, 1), (3, 2), (4, 5), (1, 3)] {
            for horizons in [vec![1], vec![3], vec![1, 2], vec![2, 5]] {
                for (inputs, targets) in all.iter().zip(all.iter().rev()) {
                    let windows = Windows::new(length)
                        .stride(stride)
                        .horizons(horizons.clone())
                        .inputs(inputs.clone())
                        .targets(targets.clone());
                    let farthest = horizons[horizons.len() - 1];
                    let Some(room) = steps.checked_sub(length + farthest) else {
                        let error = windows.dataset(&series).expect_err("too short");
                        assert_eq!(
                            (error.kind(), error.place()),
                            (ErrorKind::Empty, "series of Windows")
                        );
                        continue;
                    };
                    let samples = windows.dataset(&series)?;
                    let expected: Vec<usize> = (0..=room / stride)
                        .map(|i| length - 1 + i * stride)
                        .collect();
                    assert_eq!(samples.origins, expected);
                    for (j, origin) in expected.into_iter().enumerate() {
                        let x: Vec<f64> = (origin + 1 - length..=origin)
                            .flat_map(|t| inputs.iter().map(move |i| (100 * i + t) as f64))
                            .collect();
                        let y: Vec<f64> = horizons
                            .iter()
                            .flat_map(|h| {
                                targets.iter().map(move |i| (100 * i + origin + h) as f64)
                            })
                            .collect();
                        assert_eq!(samples.data.inputs().column(j).as_slice(), x);
                        assert_eq!(samples.data.targets().column(j).as_slice(), y);
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn defaults_are_all_rows_one_step_ahead() -> Result<()> {
    let plain = Windows::new(3).dataset(&series(9))?;
    let told = Windows::new(3)
        .horizon(1)
        .stride(1)
        .inputs([0, 1])
        .targets(0..2);
    assert_eq!(plain, told.dataset(&series(9))?);
    // A slice of one feature.
    let values = [1.0_f32, 2.0, 3.0, 4.0];
    let samples = Windows::new(2).dataset(View::new(&values, 1)?)?;
    assert_eq!(samples.data.inputs().as_slice(), [1.0, 2.0, 2.0, 3.0]);
    assert_eq!(samples.data.targets().as_slice(), [3.0, 4.0]);
    Ok(())
}

/// No value that is forecast in the second part is anywhere in the first; nothing else is left out.
#[test]
fn parts_do_not_look_ahead() -> Result<()> {
    let series = series(30);
    for length in 1..5 {
        for stride in 1..4 {
            for horizons in [vec![1], vec![4], vec![1, 2, 3], vec![2, 6]] {
                let windows = Windows::new(length)
                    .stride(stride)
                    .horizons(horizons.clone());
                let whole = windows.dataset(&series)?;
                let farthest = horizons[horizons.len() - 1];
                for cut in 1..30 {
                    let first = |origin: &&usize| **origin + farthest < cut;
                    let second = |origin: &&usize| **origin + horizons[0] >= cut;
                    let firsts: Vec<usize> = whole.origins.iter().filter(first).copied().collect();
                    let seconds: Vec<usize> =
                        whole.origins.iter().filter(second).copied().collect();
                    if firsts.is_empty() || seconds.is_empty() {
                        let error = windows.split_at(&series, cut).expect_err("an empty part");
                        assert_eq!(error.kind(), ErrorKind::Empty);
                        continue;
                    }
                    let (train, test) = windows.split_at(&series, cut)?;
                    assert_eq!((&train.origins, &test.origins), (&firsts, &seconds));
                    let step = |value: &f64| (*value as usize) % 100;
                    let known = train.data.inputs().iter().chain(train.data.targets());
                    let latest = known.map(step).max().expect("a value");
                    let earliest = test.data.targets().iter().map(step).min().expect("a value");
                    assert!(latest < cut && cut <= earliest);
                }
            }
        }
    }
    // A fraction, rounded.
    let windows = Windows::new(2);
    assert_eq!(windows.split(&series, 0.5)?, windows.split_at(&series, 15)?);
    assert_eq!(
        windows.split(&series, 0.75)?,
        windows.split_at(&series, 23)?
    );
    Ok(())
}

/// The last value, or that of the last season.
#[test]
fn naive_forecasts() -> Result<()> {
    let series = series(30);
    let windows = Windows::new(2).horizons([1, 2, 7, 8]).targets([1]);
    let samples = windows.dataset(&series)?;
    let last = windows.naive(&series, &samples.origins, 1)?;
    assert_eq!(last.shape(), samples.data.targets().shape());
    for (j, origin) in samples.origins.iter().enumerate() {
        assert!(
            last.column(j)
                .iter()
                .all(|value| *value == (100 + origin) as f64)
        );
    }
    let weekly = windows.naive(&series, &[10, 20], 7)?;
    assert_eq!(weekly.column(0).as_slice(), [104.0, 105.0, 110.0, 104.0]);
    assert_eq!(weekly.column(1).as_slice(), [114.0, 115.0, 120.0, 114.0]);
    for (origins, season, place) in [
        (&[10][..], 0, "season of Windows::naive"),
        (&[5], 7, "origins of Windows::naive"),
        (&[30], 7, "origins of Windows::naive"),
        (&[10], 40, "origins of Windows::naive"),
    ] {
        let error = windows.naive(&series, origins, season).expect_err(place);
        assert_eq!((error.kind(), error.place()), (ErrorKind::Value, place));
    }
    let error = windows.naive(&series, &[], 1).expect_err("none");
    assert_eq!(error.kind(), ErrorKind::Empty);
    Ok(())
}

#[test]
fn what_is_refused() {
    let whole = series(9);
    let mut holes = series(9);
    holes[(1, 4)] = f64::NAN;
    for (windows, series, kind, place) in [
        (
            Windows::new(0),
            &whole,
            ErrorKind::Value,
            "length of Windows",
        ),
        (
            Windows::new(2).stride(0),
            &whole,
            ErrorKind::Value,
            "stride of Windows",
        ),
        (
            Windows::new(2).horizon(0),
            &whole,
            ErrorKind::Value,
            "horizons of Windows",
        ),
        (
            Windows::new(2).horizons([2, 1]),
            &whole,
            ErrorKind::Value,
            "horizons of Windows",
        ),
        (
            Windows::new(2).horizons([2, 2]),
            &whole,
            ErrorKind::Value,
            "horizons of Windows",
        ),
        (
            Windows::new(2).horizons([]),
            &whole,
            ErrorKind::Empty,
            "horizons of Windows",
        ),
        (
            Windows::new(2).targets([2]),
            &whole,
            ErrorKind::Value,
            "targets of Windows",
        ),
        (
            Windows::new(2).targets([]),
            &whole,
            ErrorKind::Empty,
            "targets of Windows",
        ),
        (
            Windows::new(2).inputs([0, 9]),
            &whole,
            ErrorKind::Value,
            "inputs of Windows",
        ),
        (
            Windows::new(2).inputs([]),
            &whole,
            ErrorKind::Empty,
            "inputs of Windows",
        ),
        (
            Windows::new(9),
            &whole,
            ErrorKind::Empty,
            "series of Windows",
        ),
        (
            Windows::new(usize::MAX),
            &whole,
            ErrorKind::Empty,
            "series of Windows",
        ),
        (
            Windows::new(2).horizon(usize::MAX),
            &whole,
            ErrorKind::Empty,
            "series of Windows",
        ),
        (
            Windows::new(2),
            &holes,
            ErrorKind::NotFinite,
            "series of Windows, row 1, column 4",
        ),
    ] {
        let error = windows.dataset(series).expect_err(place);
        assert_eq!((error.kind(), error.place()), (kind, place), "{error}");
        assert_eq!(windows.split(series, 0.5).expect_err(place), error);
        assert_eq!(windows.naive(series, &[3], 1).expect_err(place), error);
    }
    for fraction in [0.0, 1.0, -0.5, f64::NAN] {
        let error = Windows::new(2)
            .split(&whole, fraction)
            .expect_err("no fraction");
        assert_eq!(
            (error.kind(), error.place()),
            (ErrorKind::Value, "fraction of Windows::split")
        );
    }
    // A slice is a column.
    let error = Windows::new(2)
        .dataset(&[1.0, 2.0, 3.0, 4.0])
        .expect_err("a single step");
    assert!(error.to_string().contains("Windows::series"), "{error}");

    let (one, other) = ([1.0, 2.0], [3.0]);
    let uneven = Windows::series::<f64>(&[&one, &other]).expect_err("uneven");
    assert_eq!(
        (uneven.kind(), uneven.place()),
        (ErrorKind::Shape, "column 1 of Windows::series")
    );
    let holes = Windows::series::<f64>(&[&one, &[1.0, f64::NAN]]).expect_err("a hole");
    assert_eq!(holes.kind(), ErrorKind::NotFinite);
    assert!(holes.place().contains("row 1, column 1"), "{holes}");
    for none in [&[][..], &[&[][..]]] {
        assert_eq!(
            Windows::series::<f64>(none).expect_err("nothing").kind(),
            ErrorKind::Empty
        );
    }
    assert!(Windows::series::<f32>(&[&[1e300]]).is_err());
}
