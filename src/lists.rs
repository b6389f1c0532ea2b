//! The lists of everything are whole: against the sources that they are lists of, and the tables of
//! the docs.

use crate::optim::Schedule;
use crate::prelude::*;
use crate::{every_layer, every_loss, every_rule};
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

type Names = BTreeSet<String>;

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Names {
    names.into_iter().map(Into::into).collect()
}

macro_rules! kinds {
    ($($file:ident::$kind:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => { names([$(stringify!($kind)),+]) };
}

/// The words in backticks in the first cells of the table of docs that has this head.
fn table(source: &str, head: &str) -> Names {
    let rows = source
        .lines()
        .map(|line| line.trim_start_matches('/').trim_start_matches(['!', ' ']))
        .skip_while(|line| !line.starts_with(head))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let word = |text: &str| {
        let end = text.find(|c: char| !c.is_alphanumeric());
        text[..end.unwrap_or(text.len())].into()
    };
    words.map(word).collect()
}

/// The variants of an enum, as the source has them.
fn variants(source: &str, name: &str) -> Names {
    let body = source
        .lines()
        .skip_while(|line| *line != format!("pub enum {name} {{"))
        .skip(1)
        .take_while(|line| *line != "}");
    body.filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| {
            let end = line.find(|c: char| !c.is_alphanumeric());
            line[..end.unwrap_or(line.len())].into()
        })
        .collect()
}

/// The first word of what `Debug` writes.
fn word(value: &impl core::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].into()
}

#[test]
fn rules() {
    let source = include_str!("optim/mod.rs");
    let mut listed: Names = every_rule!(kinds);
    // Around any of them.
    listed.extend(names(["Ema", "Swa"]));
    assert_eq!(table(source, "| rule |"), listed);
}

#[test]
fn losses() {
    let source = include_str!("nn/loss/mod.rs");
    assert_eq!(table(source, "| loss |"), every_loss!(kinds));
}

#[test]
fn layers() {
    let source = include_str!("nn/mod.rs");
    assert_eq!(table(source, "| layer |"), every_layer!(kinds));
}

#[test]
fn activations() {
    let source = include_str!("nn/activation/mod.rs");
    let variants = variants(source, "Activation");
    assert_eq!(table(source, "| variant |"), variants);
    let mut listed: Names = Activation::every()
        .map(|activation| word(&activation))
        .collect();
    // Those that are made of points, and of others.
    listed.extend(names(["Breakpoints", "Surrogate"]));
    assert_eq!(listed, variants);
    for activation in Activation::every() {
        assert_eq!(format!("{activation}").parse(), Ok(activation));
    }
}

/// Whoever forgets that an activation bends gets wrong Hessians, and nothing else tells.
#[test]
fn what_bends() {
    for activation in Activation::every() {
        let slope = |z: f64| activation.derivative(z);
        let changes = (-50..50)
            .map(|i| 0.1 * f64::from(i) + 0.05)
            .filter(|z| slope(*z) != slope(z + 1e-6));
        assert_eq!(activation.bends(), changes.count() > 5, "{activation}");
    }
}

#[test]
fn schedules() {
    let mut listed: Names = Schedule::samples().iter().map(word).collect();
    listed.extend(names(["Custom", "Counted"]));
    assert_eq!(
        listed,
        variants(include_str!("optim/schedule.rs"), "Schedule")
    );
}

#[test]
fn metrics_without_settings() {
    let sources = [
        include_str!("metrics/classification.rs"),
        include_str!("metrics/curves.rs"),
        include_str!("metrics/regression.rs"),
    ];
    let signature = "<'y, 't, T: Real>( y: impl Into<View<'y, T>>, \
                     target: impl Into<Targets<'t, T>>, ) -> Result<f64> {";
    let sources = sources.map(|source| source.split_whitespace().collect::<Vec<_>>().join(" "));
    let found = sources
        .iter()
        .flat_map(|source| source.split("pub fn ").skip(1))
        .filter_map(|function| function.split_once(signature))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
    let listed: Vec<_> = crate::metrics::every_metric::<f64>();
    assert_eq!(names(found), names(listed.iter().map(|(name, _)| *name)));
}
