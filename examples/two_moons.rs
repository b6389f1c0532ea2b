//! Two half-moons that no straight line separates: how a network bends its boundary between them,
//! picture after picture.
//!
//! ```text
//! cargo run --release --features plot --example two_moons
//! ```
//!
//! The pictures go to `target/pictures/`, for light and dark viewers: the probability of the lower
//! moon as color, the boundary where it is ½, and the points.

use chainrule::nalgebra::Matrix2xX;
use chainrule::plot::Boundary;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use std::f64::consts::PI;
use std::path::Path;
use std::{error, fs};

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pictures");

fn main() -> Result<(), Box<dyn error::Error>> {
    let (train, test) = (moons(300, 1)?, moons(1000, 2)?);

    let net = Sequential::builder(2)
        .layer(Dense::new(16, Activation::Tanh))
        .layer(Dense::new(16, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear)) // the sigmoid belongs to the loss
        .seed(1)
        .build()?;
    println!("{net}\n");
    let mut model = Model::from(net);

    let loss = SigmoidCrossEntropy::new();
    let mut trainer = Trainer::new(loss.clone(), Adam::new()).learning_rate(1e-2);
    fs::create_dir_all(PICTURES)?;
    let mut tape = Tape::new();
    println!("epochs   test cost   test accuracy   picture");
    for until in [0, 2, 10, 30, 100] {
        // Called again, a trainer goes on where it was.
        let more = until - trainer.epoch();
        trainer = trainer.epochs(more);
        model.fit(&mut trainer, &train)?;

        let cost = model
            .net()
            .cost(test.inputs(), test.targets(), &loss, &mut tape)?;
        let accuracy = metrics::accuracy(&model.predict(test.inputs())?, test.targets())?;
        let path = Path::new(PICTURES).join(format!("two_moons-{until:03}.svg"));
        Boundary::new(
            format!(
                "{until} epochs: {:.1} % of new points right",
                100.0 * accuracy
            ),
            &train,
            |x| model.predict(x),
        )
        .names(&["upper moon", "lower moon"])
        .size(440, 380)
        .draw()?
        .light_dark()
        .save(&path)?;
        println!(
            "{until:>6}   {cost:>9.4}   {accuracy:>13.3}   {}",
            path.display()
        );
    }
    Ok(())
}

/// Points about two half circles of radius 1 that reach into each other, with normal noise:
/// scikit-learn's `make_moons`. Class 0 is the upper moon.
fn moons(samples: usize, seed: u64) -> Result<Dataset<f64>> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut inputs = Matrix2xX::zeros(samples);
    for (j, mut point) in inputs.column_iter_mut().enumerate() {
        let angle: f64 = rng.random_range(0.0..PI);
        let (x, y) = if j % 2 == 0 {
            (angle.cos(), angle.sin())
        } else {
            (1.0 - angle.cos(), 0.5 - angle.sin())
        };
        // Box and Muller 1958: two normal numbers of two uniform ones.
        let radius = 0.2 * (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (2.0 * PI * rng.random::<f64>()).sin_cos();
        point.copy_from_slice(&[x + radius * cos, y + radius * sin]);
    }
    Dataset::from_rows(
        inputs.as_slice(),
        2,
        &(0..samples).map(|j| (j % 2) as f64).collect::<Vec<_>>(),
        1,
    )
}
