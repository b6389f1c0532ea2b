//! How fast T2 and T4 train in this build, as one line of JSON: samples per second by item, of the
//! best epoch. For `benches/build`, which compares settings of debug builds.

#[path = "../rust_common/common.rs"]
mod common;
mod task;

use chainrule::prelude::*;
use common::spec;
use std::time::{Duration, Instant};

/// Few enough for a debug build without any optimization, which does some hundreds a second.
const SAMPLES: usize = 1024;
const TIME: Duration = Duration::from_millis(300);

fn main() -> Result<()> {
    println!(
        "{{\"T2\": {:.1}, \"T4\": {:.1}}}",
        samples_per_second("T2")?,
        samples_per_second("T4")?
    );
    Ok(())
}

fn samples_per_second(item: &str) -> Result<f64> {
    let spec = spec(item);
    let samples: Vec<usize> = (0..SAMPLES).collect();
    let data = task::dataset(item, &spec, 1)?.select(&samples)?;
    let mut net = task::network(&spec)?;
    let mut trainer = task::trainer(&spec).shuffle(false).epochs(1);
    let mut best = f64::INFINITY;
    let start = Instant::now();
    while start.elapsed() < TIME {
        let epoch = Instant::now();
        trainer.fit(&mut net, &data)?;
        best = best.min(epoch.elapsed().as_secs_f64());
    }
    Ok(SAMPLES as f64 / best)
}
