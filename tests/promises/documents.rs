//! What the documents about the code say of it: the picture in `ARCHITECTURE.md`, and every path.

use crate::floors::{FLOORS, edges};
use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const BEGIN: &str = "```mermaid\n";
const END: &str = "```\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first sentence of a floor's docs.
fn purpose(floor: &str) -> String {
    let folder = root().join("src").join(floor);
    let source = if folder.is_dir() {
        read(folder.join("mod.rs"))
    } else {
        read(folder.with_extension("rs"))
    };
    let words: Vec<_> = source
        .lines()
        .map_while(|line| line.strip_prefix("//! "))
        .flat_map(str::split_whitespace)
        .collect();
    let text = words.join(" ");
    let sentence = text.split(". ").next().unwrap_or(&text);
    sentence.trim_end_matches(['.', ':']).into()
}

/// Floor by floor, the floors that it imports, but for those that one of these imports in turn.
fn imports() -> BTreeSet<(usize, usize)> {
    let floor = |module: &[String]| FLOORS.iter().position(|floor| *floor == module[0]);
    let mut all: BTreeSet<_> = edges()
        .iter()
        .flat_map(|(from, to)| to.iter().map(move |to| (from, to)))
        .filter_map(|(from, to)| Some((floor(from)?, floor(to)?)))
        .filter(|(from, to)| from != to)
        .collect();
    let direct = all.clone();
    for by in 0..FLOORS.len() {
        for from in 0..FLOORS.len() {
            for to in 0..FLOORS.len() {
                if all.contains(&(from, by)) && all.contains(&(by, to)) {
                    all.insert((from, to));
                }
            }
        }
    }
    let led = |(from, to): (usize, usize)| {
        (0..FLOORS.len()).any(|by| all.contains(&(from, by)) && all.contains(&(by, to)))
    };
    direct.into_iter().filter(|edge| !led(*edge)).collect()
}

fn picture() -> String {
    let mut lines = vec!["flowchart TB".to_string()];
    for floor in FLOORS.iter().rev() {
        let purpose = purpose(floor);
        lines.push(format!("    {floor}[\"<b>{floor}</b><br>{purpose}\"]"));
    }
    for (from, to) in imports() {
        lines.push(format!("    {} --> {}", FLOORS[from], FLOORS[to]));
    }
    lines.join("\n") + "\n"
}

/// `UPDATE=1 cargo test --test promises documents` draws it anew.
#[test]
fn the_picture_is_that_of_the_code() {
    let text = read(ARCHITECTURE);
    let (before, rest) = text.split_once(BEGIN).expect("the beginning of a picture");
    let (drawn, after) = rest.split_once(END).expect("the end of a picture");
    let picture = picture();
    if env::var_os("UPDATE").is_some() {
        let text = [before, BEGIN, &picture, END, after].concat();
        fs::write(root().join(ARCHITECTURE), text).expect("a file that can be written");
    } else {
        assert_eq!(
            drawn, picture,
            "UPDATE=1 cargo test --test promises documents draws it anew"
        );
    }
}

/// The paths in backticks; one with `NAME` in it is still to be made.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .flat_map(str::split_whitespace)
        .filter(|word| word.contains('/') || word.ends_with(".rs"))
        .filter(|word| !word.contains("NAME"))
}

/// Every path that a document about the code names is there, from the root or from `src`.
#[test]
fn paths_lead_somewhere() {
    for document in [ARCHITECTURE, "CONTRIBUTING.md", "SECURITY.md"] {
        let text = read(document);
        // Blocks of code have backticks of their own.
        let prose: String = text.split("```").step_by(2).collect();
        let lost: Vec<_> = paths(&prose)
            .filter(|path| !root().join(path).exists() && !root().join("src").join(path).exists())
            .collect();
        assert!(lost.is_empty(), "{document} names {lost:?}");
        assert!(paths(&prose).count() > 0, "{document} names no path");
    }
}
