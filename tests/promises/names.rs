//! The tables of names in `src/guide/names.md` have everything that there is, and nothing else.
//!
//! `UPDATE=1 cargo test --test promises names` brings the rows into the order of the lists, and
//! adds a row of `?` for what has none; `tests/reference/names.py` looks for the names in the other
//! libraries.

use chainrule::optim::Schedule;
use chainrule::prelude::*;
use std::path::Path;
use std::{env, fs};

/// The lines of a table that begins after the heading: its head, and the rest.
fn table<'t>(lines: &[&'t str], heading: &str) -> (usize, Vec<&'t str>) {
    let heading = format!("# {heading}");
    let at = lines.iter().position(|line| *line == heading);
    let at = at.unwrap_or_else(|| panic!("no heading {heading:?}"));
    let head = lines[at..].iter().position(|line| line.starts_with('|'));
    let head = at + head.unwrap_or_else(|| panic!("no table below {heading:?}"));
    let rows = lines[head..]
        .iter()
        .take_while(|line| line.starts_with('|'));
    (head, rows.copied().collect())
}

/// The first word of what `Debug` writes.
fn word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].into()
}

/// Public functions of a source, but for those that make classes of numbers.
fn functions(source: &str) -> Vec<String> {
    let names = source.split("\npub fn ").skip(1);
    let names = names.filter_map(|rest| rest.split('<').next());
    names
        .filter(|name| !name.contains("classes"))
        .map(String::from)
        .collect()
}

macro_rules! kinds {
    ($($file:ident::$kind:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => { vec![$(stringify!($kind).into()),+] };
}

/// Of each table its heading, where its items are, and all of them.
fn families() -> Vec<(&'static str, &'static str, Vec<String>)> {
    let activations = Activation::every().map(|activation| word(&activation));
    let mut schedules: Vec<String> = Schedule::samples().iter().map(word).collect();
    schedules.dedup();
    // No samples: one holds a function, the other needs a run.
    schedules.extend(["Custom", "Counted"].map(String::from));
    let mut rules: Vec<String> = chainrule::every_rule!(kinds);
    rules.extend(["Ema", "Swa"].map(String::from));
    let metrics = [
        functions(include_str!("../../src/metrics/classification.rs")),
        functions(include_str!("../../src/metrics/curves.rs")),
        functions(include_str!("../../src/metrics/regression.rs")),
    ];
    vec![
        ("Activations", "crate::Activation", activations.collect()),
        ("Layers", "crate::nn", chainrule::every_layer!(kinds)),
        ("Losses", "crate::nn::loss", chainrule::every_loss!(kinds)),
        ("Optimizers", "crate::optim", rules),
        ("Schedules", "crate::optim::Schedule", schedules),
        ("Metrics", "crate::metrics", metrics.concat()),
    ]
}

#[test]
fn names_of_everything() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/names.md");
    let text = fs::read_to_string(&path).expect("the page of names");
    let mut lines: Vec<&str> = text.lines().collect();
    let mut made = Vec::new();
    for (heading, place, names) in families() {
        let (head, rows) = table(&lines, heading);
        let columns = rows[0].matches('|').count() - 2;
        let row = |name: &String| {
            let begin = format!("| [`{name}`]({place}::{name}) |");
            let known = rows.iter().find(|row| row.starts_with(&begin));
            known.map_or_else(|| begin + &" ? |".repeat(columns), |row| row.to_string())
        };
        let whole: Vec<String> = rows[..2]
            .iter()
            .map(ToString::to_string)
            .chain(names.iter().map(row))
            .collect();
        made.push((head, rows.len(), whole));
    }
    for (head, len, rows) in made.iter().rev() {
        lines.splice(head..&(head + len), rows.iter().map(String::as_str));
    }
    let whole = lines.join("\n") + "\n";
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, whole).expect("a file that can be written");
    } else {
        let how = "UPDATE=1 cargo test --test promises names writes the rows anew";
        let lines = text.lines().zip(whole.lines());
        let differing = lines.filter(|(is, should)| is != should);
        assert_eq!(differing.take(3).collect::<Vec<_>>(), [], "{how}");
        assert!(text == whole, "{how}");
        assert!(
            !text.contains("| ? |"),
            "a row without names in {}",
            path.display()
        );
    }
}
