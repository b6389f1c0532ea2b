//! What four ways of training make of the same looks at the data: L-BFGS, scaled conjugate
//! gradients, Levenberg–Marquardt and Adam, all on all samples, from the same start.
//!
//! The data are 442 patients with diabetes, the network has 10-10-1 neurons, and the cost is
//! ½ Σ (y − t)² in standard units. A layer counts the samples that go backward through the network:
//! as many as there are make one evaluation of a gradient. Levenberg–Marquardt's Jacobian counts as
//! one, for there is one output; what it looks at forward alone, and its equations, come on top.
//!
//! ```text
//! cargo run --release --features csv,plot --example second_order
//! ```
//!
//! The picture goes to `target/pictures/second_order.png`.

use chainrule::data::Csv;
use chainrule::nn::layer::{BackwardArgs, InferArgs, Layer};
use chainrule::nn::loss::SumSquaredError;
use chainrule::optim::Schedule;
use chainrule::plot::Curves;
use chainrule::prelude::*;
use chainrule::train::{Epoch, Lbfgs, LevenbergMarquardt, ScaledConjugateGradient};
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{error, fs, path::Path};

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pictures");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/diabetes.csv");
/// So many evaluations for each.
const MOST: usize = 1000;

/// The identity, which counts samples on their way back.
#[derive(Clone, Debug, Default)]
struct Counter(Arc<AtomicUsize>);

impl Layer<f64> for Counter {
    fn name(&self) -> String {
        "Counter".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn infer(&self, mut p: InferArgs<'_, f64>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
    }

    fn backward(&self, p: BackwardArgs<'_, f64>) {
        self.0.fetch_add(p.x.cols(), Ordering::Relaxed);
        if let Some(mut dx) = p.dx {
            dx.as_mut_slice()
                .copy_from_slice(p.delta.as_view().as_slice());
        }
    }
}

/// The cost after so many evaluations.
type Curve = Vec<(f64, f64)>;

fn main() -> Result<(), Box<dyn error::Error>> {
    let data = Csv::new()
        .targets(["progression"])
        .read_file::<f64>(DATA)?
        .data;
    let inputs = Scaler::standard(data.inputs())?;
    let targets = Scaler::standard(data.targets())?;
    let data = data
        .map_inputs(|x| inputs.transform(&x))?
        .map_targets(|t| targets.transform(&t))?;

    let counter = Counter::default();
    let start = Sequential::builder(data.features())
        .layer(Dense::new(10, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .layer(counter.clone())
        .seed(1)
        .build()?;
    let evaluations = || counter.0.load(Ordering::Relaxed) as f64 / data.len() as f64;
    let first = start.cost(data.inputs(), &data, &SumSquaredError, &mut Tape::new())?;
    // What a run comes to, epoch after epoch.
    let watch = |curve: &mut Curve, epoch: &Epoch| -> ControlFlow<()> {
        curve.push((evaluations(), epoch.cost));
        if evaluations() < MOST as f64 {
            Continue(())
        } else {
            Break(())
        }
    };

    let mut curves: Vec<(&str, Curve)> = Vec::new();
    for name in [
        "L-BFGS",
        "scaled conjugate gradients",
        "Levenberg–Marquardt",
        "Adam",
    ] {
        let (mut net, mut curve) = (start.clone(), vec![(1.0, first)]);
        counter.0.store(0, Ordering::Relaxed);
        let stop = |epoch: &Epoch, _: &Sequential<f64>| watch(&mut curve, epoch);
        let history = match name {
            "L-BFGS" => Lbfgs::new(SumSquaredError)
                .epochs(MOST)
                .on_epoch(stop)
                .fit(&mut net, &data)?,
            "scaled conjugate gradients" => ScaledConjugateGradient::new(SumSquaredError)
                .epochs(MOST)
                .on_epoch(stop)
                .fit(&mut net, &data)?,
            "Levenberg–Marquardt" => LevenbergMarquardt::new()
                .epochs(MOST)
                .on_epoch(stop)
                .fit(&mut net, &data)?,
            _ => Trainer::new(SumSquaredError, Adam::new())
                .epochs(MOST)
                .batch_size(data.len())
                .learning_rate(Schedule::Cosine {
                    rate: 0.03,
                    min: 0.0,
                    steps: MOST as u64,
                })
                .on_epoch(stop)
                .fit(&mut net, &data)?,
        };
        println!(
            "{name}: {} epochs, {:?}",
            history.epochs.len(),
            history.stopped
        );
        curves.push((name, curve));
    }

    println!("\n{:<28}cost after 10, 30, 100, 300, 1000 evaluations", "");
    for (name, curve) in &curves {
        print!("{name:<28}");
        for evaluations in [10.0, 30.0, 100.0, 300.0, 1000.0] {
            let reached = curve.iter().take_while(|point| point.0 <= evaluations);
            let cost = reached.last().map_or(f64::NAN, |point| point.1);
            print!("{cost:>9.2}");
        }
        println!();
    }

    let mut picture = Curves::new(
        "442 patients, 121 parameters",
        "gradient evaluations",
        "cost",
    )
    .log();
    for (name, curve) in &curves {
        picture = picture.series(*name, curve);
    }
    fs::create_dir_all(PICTURES)?;
    let path = Path::new(PICTURES).join("second_order.png");
    picture.draw()?.save(&path)?;
    println!("\n{}", path.display());
    Ok(())
}
