//! Searches: the same table on any number of threads, after any interruption, and whatever fails.

use crate::common::{Folder, refused};
use chainrule::ErrorKind::{Empty, Incompatible, Parse, Value};
use chainrule::nalgebra::DMatrix;
use chainrule::prelude::*;
use chainrule::selection::{Search, Trial, Trials};
use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow::{Break, Continue};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn data() -> Dataset<f64> {
    let x = DMatrix::from_fn(1, 24, |_, j| j as f64 / 12.0 - 1.0);
    Dataset::new(x.clone(), x.map(|x| (2.0 * x).sin())).expect("sound data")
}

/// Trains, as a search does.
fn cost(trial: &Trial, data: &Dataset<f64>) -> Result<f64> {
    let mut net = Sequential::builder(1)
        .layer(Dense::new(
            trial.integer("width")?,
            trial.choice("activation")?.parse()?,
        ))
        .layer(Dense::new(1, Activation::Linear))
        .seed(trial.seed())
        .build()?;
    let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
        .learning_rate(trial.number("rate")?)
        .epochs(trial.budget())
        .seed(trial.seed());
    trainer.fit(&mut net, data)?;
    Ok(trainer.evaluate(&net, data)?.cost)
}

fn search<'a>(trials: usize) -> Search<'a> {
    Search::random(trials)
        .log_uniform("rate", 1e-4..=1e-1)
        .integers("width", 1..=9)
        .choices("activation", ["tanh", "relu", "no such activation"])
        .uniform("unused, \"quoted\"", -1.0..=1.0)
        .seed(2)
}

// -------------------------------------------------------------------------------------------------
// Which trials

/// The values of trial i depend on the seed and i alone: not on the number of trials or threads.
#[test]
fn trials_are_what_their_numbers_say() -> Result<()> {
    let values = |trials: &Trials| -> Vec<String> {
        trials
            .outcomes()
            .iter()
            .map(|it| it.trial.to_string())
            .collect()
    };
    let many = search(200).minimize(|_| Ok(0.0))?;
    let few = search(20).threads(3).minimize(|_| Ok(0.0))?;
    assert_eq!(values(&many)[..20], values(&few));
    let other = search(20).seed(6).minimize(|_| Ok(0.0))?;
    assert!(
        values(&other)
            .iter()
            .zip(values(&few))
            .all(|(other, few)| *other != few)
    );
    // Seeds differ, too.
    let seeds: BTreeSet<_> = many.outcomes().iter().map(|it| it.trial.seed()).collect();
    assert_eq!(seeds.len(), 200);
    Ok(())
}

/// Every kind of parameter covers its range evenly.
#[test]
fn draws_cover_their_ranges() -> Result<()> {
    let n = 4000;
    let trials = search(n).minimize(|_| Ok(0.0))?;
    let mut thirds = [[0; 3]; 2];
    let mut widths = [0; 10];
    let mut words = [0; 3];
    for outcome in trials.outcomes() {
        let trial = &outcome.trial;
        let (rate, x) = (trial.number("rate")?, trial.number("unused, \"quoted\"")?);
        assert!((1e-4..=1e-1).contains(&rate) && (-1.0..=1.0).contains(&x));
        thirds[0][((rate.log10() + 4.0) as usize).min(2)] += 1;
        thirds[1][(((x + 1.0) * 1.5) as usize).min(2)] += 1;
        widths[trial.integer("width")?] += 1;
        let word = trial.choice("activation")?;
        words[["tanh", "relu", "no such activation"]
            .iter()
            .position(|w| *w == word)
            .expect("a word")] += 1;
    }
    // Five deviations of a binomial number around its mean.
    let likely = |count: usize, p: f64| {
        let mean = n as f64 * p;
        (count as f64 - mean).abs() < 5.0 * (mean * (1.0 - p)).sqrt()
    };
    assert!(
        thirds
            .iter()
            .flatten()
            .chain(&words)
            .all(|count| likely(*count, 1.0 / 3.0))
    );
    assert!(widths[0] == 0 && widths[1..].iter().all(|count| likely(*count, 1.0 / 9.0)));
    Ok(())
}

#[test]
fn grids_have_every_point() -> Result<()> {
    let trials = Search::grid()
        .choices("a", [0.5, 2.0])
        .integers("b", 3..=5)
        .choices("c", ["x", "y"])
        .maximize(|trial| Ok(trial.number("a")? * trial.integer("b")? as f64))?;
    let points: Vec<String> = trials
        .outcomes()
        .iter()
        .map(|it| it.trial.to_string())
        .collect();
    assert_eq!(points.len(), 12);
    assert_eq!(points[0], "trial 0 (a 0.5, b 3, c x)");
    assert_eq!(points[1], "trial 1 (a 0.5, b 3, c y)");
    assert_eq!(points[2], "trial 2 (a 0.5, b 4, c x)");
    assert_eq!(points[11], "trial 11 (a 2, b 5, c y)");
    // Both are 10: the first wins.
    let (best, score) = trials.best()?;
    assert_eq!((best.index(), score), (10, 10.0));
    assert_eq!(trials.sorted().last().map(|it| it.trial.index()), Some(1));
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// The same table

/// 48 fits, some of which fail, on 1, 2 and 3 threads; the same in a file.
#[test]
fn the_same_table_on_any_number_of_threads() -> Result<()> {
    let (folder, data) = (Folder::new("search-threads"), data());
    let run = |threads: usize| {
        let path = folder.0.join(format!("{threads}.csv"));
        let mut search = search(48).budget(3).threads(threads).file(&path);
        let trials = search.minimize(|trial| cost(trial, &data))?;
        Ok::<_, Error>((trials, fs::read_to_string(path)?))
    };
    let (one, file) = run(1)?;
    assert_eq!(one.outcomes().len(), 48);
    assert_eq!(one.to_csv(), file);
    assert!(one.outcomes().iter().any(|it| it.score.is_err()));
    assert!(one.best()?.1.is_finite());
    for threads in [2, 3] {
        let (trials, csv) = run(threads)?;
        assert_eq!(trials, one);
        assert_eq!(csv, file);
    }
    Ok(())
}

/// Ended after any number of trials, and begun again, it gives the same table and trains each trial
/// once.
#[test]
fn ended_and_resumed() -> Result<()> {
    let (folder, data) = (Folder::new("search-resumed"), data());
    let fresh = |file: &Path| search(24).budget(9).halving(3).least_budget(3).file(file);
    let whole = folder.0.join("whole.csv");
    let expected = fresh(&whole).minimize(|trial| cost(trial, &data))?;
    let expected_csv = fs::read_to_string(&whole)?;
    let all = expected.outcomes().len();
    assert_eq!((all, expected.planned()), (24 + 8, 32));
    for threads in [1, 3] {
        for stop in [1, 7, 23, 24, 25, 30] {
            let path = folder.0.join(format!("{threads}-{stop}.csv"));
            let fits = AtomicUsize::new(0);
            let count = |trial: &Trial| {
                fits.fetch_add(1, Ordering::Relaxed);
                cost(trial, &data)
            };
            let part = fresh(&path)
                .threads(threads)
                .on_trial(|_, trials| {
                    if trials.outcomes().len() >= stop {
                        Break(())
                    } else {
                        Continue(())
                    }
                })
                .minimize(count)?;
            let done = part.outcomes().len();
            assert!(done >= stop && done < stop + threads);
            assert_eq!(fs::read_to_string(&path)?, part.to_csv());
            let resumed = fresh(&path).threads(threads).minimize(count)?;
            assert_eq!(resumed, expected);
            assert_eq!(fs::read_to_string(&path)?, expected_csv);
            assert_eq!(fits.into_inner(), all);
            // Nothing is left to be done.
            let again = fresh(&path).minimize(|_| panic!("all is known"))?;
            assert_eq!(again, expected);
        }
    }
    Ok(())
}

/// The search of the child that is killed: 48 fits, slow enough to be met at any instant.
#[cfg(unix)]
fn slow(file: &Path, threads: usize) -> Result<Trials> {
    let data = data();
    let mut search = search(48).budget(4000).threads(threads).file(file);
    search.minimize(|trial| cost(trial, &data))
}

/// A process is killed again and again while it searches, and the last one gives the table of a
/// search that nobody disturbed.
#[cfg(unix)]
#[test]
fn killed_at_any_instant() -> Result<()> {
    let folder = Folder::new("search-killed");
    let (whole, path) = (folder.0.join("whole.csv"), folder.0.join("killed.csv"));
    let expected = slow(&whole, 3)?;
    let lines = || fs::read_to_string(&path).map_or(0, |text| text.lines().count());
    let mut counts = vec![0];
    for trial in 0..20_u64 {
        let mut child = std::process::Command::new(std::env::current_exe()?)
            .args(["--exact", "search::child_that_is_killed", "--ignored"])
            .env("CHAINRULE_SEARCH", &path)
            .stdout(std::process::Stdio::null())
            .spawn()?;
        // Each comes to another trial or two.
        let before = lines();
        while lines() < before + 2 && before < 40 {
            thread::sleep(std::time::Duration::from_millis(1));
        }
        thread::sleep(std::time::Duration::from_micros(trial * 517 % 3000));
        child.kill()?;
        child.wait()?;
        assert!(lines() >= before);
        counts.push(lines());
    }
    assert!(counts.windows(2).filter(|pair| pair[0] < pair[1]).count() >= 5);
    assert_eq!(slow(&path, 2)?, expected);
    assert_eq!(fs::read(&path)?, fs::read(&whole)?);
    Ok(())
}

/// Not a test of its own.
#[cfg(unix)]
#[test]
#[ignore = "run and killed by killed_at_any_instant"]
fn child_that_is_killed() -> Result<()> {
    let path = std::env::var_os("CHAINRULE_SEARCH").expect("a path");
    slow(Path::new(&path), 2).map(drop)
}

/// A file that was cut off anywhere: its last line is dropped, and the table becomes whole.
#[test]
fn files_that_were_cut_off() -> Result<()> {
    let folder = Folder::new("search-cut");
    let path = folder.0.join("trials.csv");
    let run = || {
        search(4).file(&path).minimize(|trial| {
            if trial.index() == 1 {
                return Err(Error::new(Value, "a\n\"place\"", "this, or that", 7));
            }
            trial.number("rate")
        })
    };
    let expected = run()?;
    let csv = fs::read(&path)?;
    assert!(String::from_utf8_lossy(&csv).contains(r#"""place"": got 7, expected this, or that"#));
    for end in (0..csv.len()).step_by(5).chain([csv.len() - 1]) {
        fs::write(&path, &csv[..end])?;
        let again = run().unwrap_or_else(|error| panic!("{end}: {error}"));
        assert_eq!(again, expected);
        assert_eq!(fs::read(&path)?, csv);
    }
    // As a spreadsheet writes it.
    fs::write(&path, String::from_utf8_lossy(&csv).replace('\n', "\r\n"))?;
    assert_eq!(run()?, expected);
    Ok(())
}

/// A random search goes on with more trials; no other search takes its file.
#[test]
fn files_of_other_searches() -> Result<()> {
    let folder = Folder::new("search-other");
    let path = folder.0.join("trials.csv");
    let small = || Search::random(4).uniform("x", 0.0..=1.0).file(&path);
    let first = small().minimize(|trial| trial.number("x"))?;
    let csv = fs::read_to_string(&path)?;
    let mut more = Search::random(9).uniform("x", 0.0..=1.0).file(&path);
    let fits = AtomicUsize::new(0);
    let more = more.minimize(|trial| {
        fits.fetch_add(1, Ordering::Relaxed);
        trial.number("x")
    })?;
    assert_eq!(fits.into_inner(), 5);
    assert_eq!(more.outcomes()[..4], *first.outcomes());

    fs::write(&path, &csv)?;
    let random = || Search::random(4).file(&path);
    let others = [
        small().seed(1),
        small().budget(2),
        random().uniform("y", 0.0..=1.0),
        random().uniform("x", 0.0..=2.0),
        random().log_uniform("x", 0.5..=1.0),
        random().choices("x", [0.0, 1.0]),
        random().uniform("x", 0.0..=1.0).choices("z", ["a"]),
        Search::random(3).uniform("x", 0.0..=1.0).file(&path),
        Search::grid().choices("x", [0.0]).file(&path),
        small().budget(4).halving(2),
    ];
    for mut other in others {
        let error = other
            .minimize(|_| panic!("not this file"))
            .expect_err("another search");
        assert_eq!(error.kind(), Incompatible, "{error}");
        assert!(error.place().contains("trials.csv"), "{error}");
    }
    let error = small()
        .maximize(|_| panic!("not this file"))
        .expect_err("another direction");
    assert_eq!(error.kind(), Incompatible);
    assert_eq!(fs::read_to_string(&path)?, csv);

    // Lines that somebody has changed.
    for (from, to, kind) in [
        ("\n0,", "\nzero,", Parse),
        ("\n1,", "\n7,", Incompatible),
        (",1,", ",2,", Incompatible),
        ("0.", "0.1", Incompatible),
        ("\n2,", "\n\n2,", Parse),
        ("\n", "\n\u{fffd}", Parse),
    ] {
        fs::write(&path, csv.replacen(from, to, 1))?;
        let error = small()
            .minimize(|_| panic!("not this file"))
            .expect_err("damaged");
        assert_eq!(error.kind(), kind, "{from:?}: {error}");
    }
    fs::write(&path, b"\xff\n")?;
    let error = small().minimize(|_| Ok(0.0)).expect_err("no text");
    assert_eq!(error.kind(), Parse);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// What goes wrong, and who wins

#[test]
fn failures_and_no_numbers_never_win() -> Result<()> {
    let scores = [
        f64::NAN,
        3.0,
        f64::INFINITY,
        -1.0,
        f64::NEG_INFINITY,
        2.0,
        3.0,
        -1.0,
    ];
    let score = |trial: &Trial| match trial.integer("i")? {
        8 => Err(Error::new(Value, "width", "less", 8)),
        i => Ok(scores[i]),
    };
    let order = |trials: &Trials| -> Vec<usize> {
        trials.sorted().iter().map(|it| it.trial.index()).collect()
    };
    let search = || Search::grid().integers("i", 0..=8).threads(2);
    let most = search().maximize(score)?;
    assert_eq!((most.best()?.0.index(), most.best()?.1), (1, 3.0));
    assert_eq!(order(&most), [1, 6, 5, 3, 7, 0, 2, 4, 8]);
    let least = search().minimize(score)?;
    assert_eq!((least.best()?.0.index(), least.best()?.1), (3, -1.0));
    assert_eq!(order(&least), [3, 7, 5, 1, 6, 0, 2, 4, 8]);
    let failed = &least.outcomes()[8];
    assert_eq!(failed.score, Err("width: got 8, expected less".into()));
    let table = least.to_string();
    let mut lines = table.lines();
    assert_eq!(lines.next().map(str::trim_end), Some("trial  i   score"));
    assert_eq!(lines.next().map(str::trim_end), Some("    3  3  -1.000"));
    assert_eq!(lines.last(), Some("    8  8  width: got 8, expected less"));

    let none = Search::grid().integers("i", 8..=8).minimize(score)?;
    refused(
        none.best().map(|_| ()),
        Empty,
        "Trials::best: got trial 0 failed: width: got 8, expected less, expected at least 1 trial \
         with a finite score",
    );
    let none = Search::grid().choices("i", [0]).minimize(score)?;
    refused(
        none.best().map(|_| ()),
        Empty,
        "Trials::best: got NaN of trial 0, expected at least 1 trial with a finite score",
    );
    Ok(())
}

/// The best go on, the first of equals; who failed or has no number does not, even if there is
/// room.
#[test]
fn halving_keeps_the_best() -> Result<()> {
    let log = Mutex::new(Vec::new());
    let trials = Search::grid()
        .integers("i", 0..=8)
        .budget(18)
        .halving(3)
        .least_budget(2)
        .maximize(|trial| {
            let i = trial.integer("i")?;
            log.lock().expect("one at a time").push((trial.budget(), i));
            match i {
                0 => Ok(f64::NAN),
                1 => Err(Error::new(Value, "width", "more", 1)),
                // 5 looks best at first, 4 and 7 look the same.
                5 if trial.budget() == 2 => Ok(100.0),
                7 => Ok(4.0),
                _ => Ok(i.min(4) as f64),
            }
        })?;
    let calls = log.into_inner().expect("one at a time");
    let first: Vec<_> = (0..9).map(|i| (2, i)).collect();
    assert_eq!(calls[..9], first);
    assert_eq!(calls[9..], [(6, 4), (6, 5), (6, 6), (18, 4)]);
    assert_eq!(trials.outcomes().len(), 13);
    let (best, score) = trials.best()?;
    assert_eq!((best.integer("i")?, best.budget(), score), (4, 18, 4.0));

    // Two of nine have a score: no more go on.
    let trials = Search::grid()
        .integers("i", 0..=8)
        .budget(9)
        .halving(3)
        .minimize(|trial| {
            let i = trial.integer("i")?;
            Ok(if i == 3 || i == 8 { i as f64 } else { f64::NAN })
        })?;
    let later: Vec<_> = trials.outcomes()[9..]
        .iter()
        .map(|it| (it.trial.budget(), it.trial.index()))
        .collect();
    assert_eq!(later, [(3, 3), (3, 8), (9, 3)]);
    Ok(())
}

/// Ended early in a rung, the best is one of that rung; the seed of a trial is the same at each
/// budget.
#[test]
fn best_of_the_largest_budget() -> Result<()> {
    let trials = Search::random(9)
        .uniform("x", 0.0..=1.0)
        .budget(9)
        .halving(3)
        .on_trial(|_, trials| {
            if trials.outcomes().len() == 10 {
                Break(())
            } else {
                Continue(())
            }
        })
        .minimize(|trial| Ok(trial.number("x")? * trial.budget() as f64))?;
    assert_eq!((trials.outcomes().len(), trials.planned()), (10, 13));
    let (best, _) = trials.best()?;
    assert_eq!(best.budget(), 3);
    let first = trials
        .outcomes()
        .iter()
        .find(|it| it.trial.index() == best.index());
    assert_eq!(
        first.map(|it| (it.trial.budget(), it.trial.seed())),
        Some((1, best.seed()))
    );
    Ok(())
}

#[test]
fn callbacks_come_one_at_a_time() -> Result<()> {
    for threads in [1, 2, 4] {
        let mut seen = Vec::new();
        let caller = thread::current().id();
        Search::random(30)
            .uniform("x", 0.0..=1.0)
            .threads(threads)
            .on_trial(|outcome, trials| {
                seen.push(outcome.trial.index());
                assert_eq!(
                    (trials.outcomes().len(), trials.planned()),
                    (seen.len(), 30)
                );
                assert!(threads > 1 || thread::current().id() == caller);
                Continue(())
            })
            .minimize(|trial| {
                assert!(threads > 1 || thread::current().id() == caller);
                trial.number("x")
            })?;
        assert!(threads > 1 || seen.is_sorted());
        seen.sort_unstable();
        assert_eq!(seen, (0..30).collect::<Vec<_>>());
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Errors

#[test]
fn searches_that_cannot_be() {
    let run = |mut search: Search<'_>| search.minimize(|_| panic!("no trial begins")).map(|_| ());
    let x = || Search::random(3).uniform("x", 0.0..=1.0);
    refused(
        run(Search::random(3)),
        Empty,
        "Search: got 0, expected at least 1 parameter",
    );
    for trials in [0, 1_000_001, usize::MAX] {
        let text = format!("trials of Search: got {trials}, expected from 1 to 1000000");
        refused(
            run(Search::random(trials).uniform("x", 0.0..=1.0)),
            Value,
            &text,
        );
    }
    let grid = Search::grid()
        .integers("a", 1..=1 << 50)
        .integers("b", 1..=1 << 50);
    refused(
        run(grid),
        Value,
        "trials of Search: got more than can be counted, expected from 1 to 1000000",
    );
    refused(
        run(Search::grid().uniform("x", 0.0..=1.0)),
        Incompatible,
        "parameter \"x\" of Search: got a continuous range in a grid, expected choices or integers \
         (Search::random draws from a continuous range)",
    );
    refused(
        run(x().choices("x", ["a"])),
        Value,
        "parameters of Search: got \"x\", expected names that differ",
    );
    for name in ["", "trial", "score", "a\nb"] {
        let text = format!(
            "parameter of Search: got {name:?}, expected a name in one line, other than trial, \
             budget, score, error, search"
        );
        refused(run(x().choices(name, [1])), Value, &text);
    }
    let place = "parameter \"y\" of Search: got";
    let order = "expected bounds of which the first is smaller";
    let (nan, infinity) = (f64::NAN, f64::INFINITY);
    for (search, text) in [
        (
            x().uniform("y", 1.0..=1.0),
            format!("{place} 1 and 1, {order}"),
        ),
        (
            x().uniform("y", 2.0..=1.0),
            format!("{place} 2 and 1, {order}"),
        ),
        (
            x().uniform("y", nan..=1.0),
            format!("{place} NaN, expected a finite number"),
        ),
        (
            x().uniform("y", 0.0..=infinity),
            format!("{place} inf, expected a finite number"),
        ),
        (
            x().log_uniform("y", 0.0..=1.0),
            format!("{place} 0, expected a finite number above 0"),
        ),
        (
            x().log_uniform("y", 1.0..=0.5),
            format!("{place} 1 and 0.5, {order}"),
        ),
        (
            x().choices("y", [0.0, nan]),
            format!("{place} NaN, expected a finite number"),
        ),
        (
            x().choices("y", ["a", "b\n"]),
            format!("{place} \"b\\n\", expected words in one line each"),
        ),
    ] {
        refused(run(search), Value, &text);
    }
    assert!(run(x().uniform("y", -f64::MAX..=f64::MAX).budget(0)).is_err());
    let none: [&str; 0] = [];
    refused(
        run(x().choices("y", none)),
        Empty,
        &format!("{place} 0, expected at least 1 choice"),
    );
    #[allow(clippy::reversed_empty_ranges, reason = "it is to be refused")]
    let empty = x().integers("y", 3..=2);
    let error = run(empty).expect_err("no integer");
    assert_eq!(error.place(), "parameter \"y\" of Search");
    refused(
        run(x().budget(0)),
        Value,
        "Search::budget: got 0, expected at least 1",
    );
    refused(
        run(x().budget(9).halving(1)),
        Value,
        "Search::halving: got 1, expected a factor of at least 2",
    );
    refused(
        run(x().halving(3)),
        Incompatible,
        "Search::halving: got 3 trials, a budget of 1, at least 1, expected at least 3 trials, and \
         for each a budget of 3 times the least, so that there is something to divide",
    );
    for threads in [0, 1025] {
        let text = format!("threads of Search: got {threads}, expected from 1 to 1024");
        refused(run(x().threads(threads)), Value, &text);
    }
}

#[test]
fn parameters_of_another_kind() -> Result<()> {
    let trials = Search::grid()
        .choices("rate", [0.5])
        .choices("width", [16])
        .choices("activation", ["tanh"])
        .choices("shift", [-3])
        .minimize(|_| Ok(0.0))?;
    let (trial, _) = trials.best()?;
    assert_eq!(
        (trial.number("width")?, trial.number("shift")?),
        (16.0, -3.0)
    );
    let place = |name: &str| format!("parameter {name:?} of trial 0: got");
    let whole = "expected a whole number ≥ 0 (any other is read by Trial::number)";
    refused(
        trial.integer("rate"),
        Value,
        &format!("{} 0.5, {whole}", place("rate")),
    );
    refused(
        trial.integer("shift"),
        Value,
        &format!("{} -3, {whole}", place("shift")),
    );
    refused(
        trial.integer("activation"),
        Value,
        &format!("{} tanh, {whole}", place("activation")),
    );
    let number = "\"tanh\", expected a number (a word is read by Trial::choice)";
    refused(
        trial.number("activation"),
        Value,
        &format!("{} {number}", place("activation")),
    );
    let word = "16, expected a word (a number is read by Trial::number)";
    refused(
        trial.choice("width"),
        Value,
        &format!("{} {word}", place("width")),
    );
    refused(
        trial.number("Rate"),
        Value,
        "parameter of Search: got \"Rate\", expected one of rate, width, activation, shift",
    );
    Ok(())
}

/// A file that cannot be written ends the search with an error.
#[test]
fn no_folder_for_the_file() {
    let path = Path::new("no such folder").join("trials.csv");
    let error = search(3)
        .file(path)
        .minimize(|_| Ok(0.0))
        .expect_err("no folder");
    assert_eq!(error.kind(), chainrule::ErrorKind::Io);
}
