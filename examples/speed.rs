//! The chart of the README: how fast this crate and others train, from the table of `benches/peers/results.md`.
//!
//! ```text
//! cargo run --release --features plot --example speed
//! ```
//!
//! The picture goes to `target/pictures/`.

use chainrule::plot::Bars;
use std::path::Path;
use std::{error, fs};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Columns of the table, and their networks.
const ITEMS: [(&str, &str); 3] = [
    ("T2", "13-64-64-1"),
    ("T4", "784-128-10"),
    ("T6", "1024-1024-1024-1024-10"),
];

/// Libraries, and the rows of the table that measure them in one of several ways.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("chainrule", &["chainrule"]),
    ("JAX", &["jax-jit", "jax-scan"]),
    ("PyTorch", &["torch-eager", "torch-compile"]),
    ("burn", &["burn-flex", "burn-flex-m"]),
    ("dfdx", &["dfdx", "dfdx-m"]),
    ("candle", &["candle", "candle-m", "candle-default"]),
    ("scikit-learn", &["sklearn"]),
];

fn main() -> Result<(), Box<dyn error::Error>> {
    let text = fs::read_to_string(Path::new(ROOT).join("benches/peers/results.md"))?;
    let table: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("### 1 thread, medians"))
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let head = table.first().ok_or("no table of one thread")?;

    let mut bars = Bars::new(
        "Training on one core",
        "samples per second, % of the fastest library",
        &LIBRARIES.map(|(name, _)| name),
    );
    for (item, network) in ITEMS {
        let column = head
            .iter()
            .position(|title| title.starts_with(item))
            .ok_or(item)?;
        let best = |rows: &[&str]| -> Result<f64, Box<dyn error::Error>> {
            let mut best = f64::NAN;
            for row in table.iter().filter(|row| rows.contains(&row[0])) {
                best = best.max(row[column].trim_matches('*').replace(',', "").parse()?);
            }
            Ok(best)
        };
        let mut rates = Vec::new();
        for (_, rows) in LIBRARIES {
            rates.push(best(rows)?);
        }
        let fastest = rates.iter().copied().fold(f64::NAN, f64::max);
        let shares: Vec<_> = rates
            .iter()
            .map(|v| (100.0 * v / fastest).round())
            .collect();
        println!("{network:<24}{shares:>4?}");
        bars = bars.series(network, &shares);
    }
    let folder = Path::new(ROOT).join("target/pictures");
    fs::create_dir_all(&folder)?;
    let path = folder.join("speed.svg");
    bars.size(480, 460).draw()?.light_dark().save(&path)?;
    println!("\n{}", path.display());
    Ok(())
}
