//! Tables of the runs, in Markdown.
//!
//! Scores are in points: accuracy and R² times 100. Candidates are compared on the same set, part,
//! seed, depth and activation, so a gap is a mean of paired differences, with the standard error of
//! those differences.

use crate::{AnyResult, BUDGETS, CANDIDATES, DEPTHS, FAMILIES};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What is the same for all candidates.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Unit {
    set: String,
    family: String,
    depth: usize,
    seed: u64,
}

/// The scores and costs of all candidates after each budget.
#[derive(Clone)]
struct Outcome {
    scores: [Vec<f64>; BUDGETS.len()],
    costs: [Vec<f64>; BUDGETS.len()],
}

fn read(runs: &str) -> AnyResult<BTreeMap<Unit, Outcome>> {
    let mut units: BTreeMap<Unit, Outcome> = BTreeMap::new();
    for line in runs.lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let [set, family, depth, seed, candidate, numbers @ ..] = &fields[..] else {
            continue;
        };
        let unit = Unit {
            set: set.to_string(),
            family: family.to_string(),
            depth: depth.parse()?,
            seed: seed.parse()?,
        };
        let Some(c) = CANDIDATES.iter().position(|name| name == candidate) else {
            continue;
        };
        let missing =
            || [const { [f64::NAN; CANDIDATES.len()] }; BUDGETS.len()].map(|row| row.to_vec());
        let outcome = units.entry(unit).or_insert_with(|| Outcome {
            scores: missing(),
            costs: missing(),
        });
        for (budget, pair) in numbers.chunks_exact(2).enumerate() {
            outcome.scores[budget][c] = 100.0 * pair[0].parse::<f64>()?;
            outcome.costs[budget][c] = pair[1].parse()?;
        }
    }
    // A unit in which the program was stopped compares nothing.
    units.retain(|_, outcome| outcome.scores.iter().flatten().all(|score| !score.is_nan()));
    Ok(units)
}

/// The mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (n - 1.0);
    (
        mean,
        if n > 1.0 {
            (variance / n).sqrt()
        } else {
            f64::NAN
        },
    )
}

/// How far each candidate stays below the best of these rows, a row being the scores of all
/// candidates in one unit.
fn gaps(rows: &[Vec<f64>]) -> Vec<(f64, f64)> {
    let column = |c: usize| rows.iter().map(|row| row[c]).collect::<Vec<_>>();
    let means: Vec<f64> = (0..CANDIDATES.len()).map(|c| mean(&column(c)).0).collect();
    let best = (0..means.len())
        .max_by(|a, b| means[*a].total_cmp(&means[*b]))
        .expect("candidates");
    (0..means.len())
        .map(|c| {
            mean(
                &rows
                    .iter()
                    .map(|row| row[best] - row[c])
                    .collect::<Vec<_>>(),
            )
        })
        .collect()
}

/// Ranks from 1 for the best, the mean of ties.
fn ranks(values: &[f64], better: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    let rank = |value: f64| {
        let above = values.iter().filter(|other| better(**other, value)).count() as f64;
        let same = values.iter().filter(|other| **other == value).count() as f64;
        above + (same + 1.0) / 2.0
    };
    values.iter().map(|value| rank(*value)).collect()
}

/// The mean over the budgets.
fn together(scores: &[Vec<f64>]) -> Vec<f64> {
    (0..CANDIDATES.len())
        .map(|c| scores.iter().map(|row| row[c]).sum::<f64>() / scores.len() as f64)
        .collect()
}

/// Groups of rows, each with its name.
type Groups = Vec<(String, Vec<Vec<f64>>)>;

/// Each group's gaps, and for each candidate the largest with its standard error and the group's
/// name.
fn table(first: &str, groups: &Groups) -> (String, Vec<(f64, f64, String)>) {
    let mut text = format!(
        "| {first} | best | {} | SE |\n|---|---{}|\n",
        CANDIDATES.join(" | "),
        "|---".repeat(CANDIDATES.len() + 1)
    );
    let mut worst = vec![(f64::NEG_INFINITY, 0.0, String::new()); CANDIDATES.len()];
    for (name, rows) in groups {
        let gaps = gaps(rows);
        let best = (0..CANDIDATES.len())
            .map(|c| mean(&rows.iter().map(|row| row[c]).collect::<Vec<_>>()).0)
            .fold(0.0, f64::max);
        write!(text, "| {name} | {best:.1} ").expect("a string");
        for (c, (gap, error)) in gaps.iter().enumerate() {
            write!(text, "| {gap:.1} ").expect("a string");
            if *gap > worst[c].0 {
                worst[c] = (*gap, *error, name.clone());
            }
        }
        let mut errors: Vec<f64> = gaps
            .iter()
            .map(|(_, error)| *error)
            .filter(|error| *error > 0.0)
            .collect();
        errors.sort_by(f64::total_cmp);
        writeln!(
            text,
            "| {:.1} |",
            errors.get(errors.len() / 2).copied().unwrap_or(0.0)
        )
        .expect("a string");
    }
    (text, worst)
}

pub fn print(runs: &str) -> AnyResult<()> {
    let units = read(runs)?;
    let all: Vec<(&Unit, &Outcome)> = units.iter().collect();
    println!(
        "{} runs, each judged after {BUDGETS:?} epochs.\n",
        all.len() * CANDIDATES.len()
    );
    let group =
        |name: String, keep: &dyn Fn(&Unit) -> bool, rows: &dyn Fn(&Outcome) -> Vec<f64>| {
            let rows: Vec<Vec<f64>> = all
                .iter()
                .filter(|(unit, _)| keep(unit))
                .map(|(_, outcome)| rows(outcome))
                .collect();
            (name, rows)
        };
    // In the order of the file, which is that of their inputs.
    let mut sets: Vec<&str> = Vec::new();
    for set in runs.lines().filter_map(|line| line.split(';').next()) {
        if !sets.contains(&set) {
            sets.push(set);
        }
    }

    let mut conditions = Groups::new();
    let mut cells = Groups::new();
    let mut by_set = Groups::new();
    let mut by_activation = Groups::new();
    for (family, activations) in &FAMILIES {
        for (parity, activation) in activations.iter().enumerate() {
            let here = |unit: &Unit| unit.family == *family && unit.seed as usize % 2 == parity;
            by_activation.push(group(activation.to_string(), &here, &|o| {
                together(&o.scores)
            }));
        }
        for depth in DEPTHS {
            let here = |unit: &Unit| unit.family == *family && unit.depth == depth;
            for (b, budget) in BUDGETS.iter().enumerate() {
                conditions.push(group(
                    format!("{family}, {depth} deep, {budget} epochs"),
                    &here,
                    &|o| o.scores[b].clone(),
                ));
            }
            for set in &sets {
                let name = format!("{set}, {family}, {depth} deep");
                cells.push(group(name, &|unit| here(unit) && unit.set == *set, &|o| {
                    together(&o.scores)
                }));
            }
        }
    }
    for set in &sets {
        for depth in DEPTHS {
            by_set.push(group(
                format!("{set}, {depth} deep"),
                &|u| u.set == *set && u.depth == depth,
                &|o| together(&o.scores),
            ));
        }
    }
    [&mut conditions, &mut cells, &mut by_set, &mut by_activation]
        .into_iter()
        .for_each(|groups| groups.retain(|(_, rows)| !rows.is_empty()));
    let (conditions, worst) = table("family, depth, budget", &conditions);
    let (by_set, worst_set) = table("set, depth", &by_set);
    let (cells, _) = table("set, family, depth", &cells);
    let (by_activation, _) = table("activation", &by_activation);

    let overall = gaps(
        &all.iter()
            .map(|(_, outcome)| together(&outcome.scores))
            .collect::<Vec<_>>(),
    );
    let mean_rank = |rows: Vec<Vec<f64>>| together(&rows);
    let by_score = mean_rank(
        all.iter()
            .flat_map(|(_, o)| o.scores.iter().map(|row| ranks(row, |a, b| a > b)))
            .collect(),
    );
    let by_cost = mean_rank(
        all.iter()
            .flat_map(|(_, o)| o.costs.iter().map(|row| ranks(row, |a, b| a < b)))
            .collect(),
    );
    println!(
        "| candidate | mean gap | rank by score | rank by cost | worst family, depth, budget | \
         worst set, depth |\n|---|---|---|---|---|---|"
    );
    for (c, candidate) in CANDIDATES.iter().enumerate() {
        let ((gap, error), (at, at_error, condition)) = (overall[c], &worst[c]);
        let (of, of_error, set) = &worst_set[c];
        println!(
            "| {candidate} | {gap:.2} ± {error:.2} | {:.1} | {:.1} | {at:.1} ± {at_error:.1} \
             ({condition}) | {of:.1} ± {of_error:.1} ({set}) |",
            by_score[c], by_cost[c]
        );
    }
    println!("\n{by_activation}\n{conditions}\n{by_set}\n{cells}");
    Ok(())
}
