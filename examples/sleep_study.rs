//! Test scores from hours of sleep and of study: the worked example of many an introduction to
//! neural networks.
//!
//! Three students slept 3, 5 and 10 hours, studied 5, 1 and 2 hours, and scored 75, 82 and 93 of
//! 100 points. What will a student score who sleeps 8 hours and studies 3? A 2-3-1 sigmoid network
//! without biases learns it by gradient descent on J = Σ ½(y−ŷ)².
//!
//! ```text
//! cargo run --release --example sleep_study
//! ```
//!
//! In the lecture notes that this follows, one step with η = 0.01 takes the cost from 0.44735 to
//! 0.44202. They do not print the random weights they start from, so those digits cannot be had
//! again; what happens can: the cost falls a little.

use chainrule::nn::loss::SumSquaredError;
use chainrule::optim::Group;
use chainrule::prelude::*;

fn main() -> Result<()> {
    // A sample is a column: hours of sleep above hours of study.
    let hours = DMatrix::from_column_slice(2, 3, &[3.0, 5.0, 5.0, 1.0, 10.0, 2.0]);
    let points = DMatrix::from_column_slice(1, 3, &[75.0, 82.0, 93.0]);

    // Hours by the largest seen, points by the largest possible: all in [0, 1], where a sigmoid can
    // reach them.
    let scaler = Scaler::max_abs(&hours)?;
    let students = Dataset::new(scaler.transform(&hours)?, points / 100.0)?;

    let normal = Init::Normal {
        mean: 0.0,
        std: 1.0,
    };
    let mut net = Sequential::<f64>::builder(2)
        .layer(
            Dense::new(3, Activation::Sigmoid)
                .without_bias()
                .init(normal),
        )
        .layer(
            Dense::new(1, Activation::Sigmoid)
                .without_bias()
                .init(normal),
        )
        .seed(3)
        .build()?;
    println!("{net}\n");

    // One step, by hand.
    let (x, y) = (students.inputs(), students.targets());
    let mut tape = Tape::new();
    let before = net.gradient(x, y, &SumSquaredError, &mut tape)?;
    print!("∂J/∂W⁰ ={:.5}∂J/∂W¹ ={:.5}", tape.dw(0)?, tape.dw(1)?);
    Sgd::new().step(
        0.01,
        net.params_mut(),
        tape.grads(),
        &Group::all(tape.grads().len()),
    )?;
    let after = net.cost(x, y, &SumSquaredError, &mut tape)?;
    println!("One step with η = 0.01 takes the cost from {before:.5} to {after:.5}.\n");

    // Ten thousand more, each over all three students.
    println!(" steps   cost");
    let mut trainer = Trainer::new(SumSquaredError, Sgd::new())
        .batch_size(3)
        .shuffle(false)
        .epochs(2000)
        .learning_rate(1.0);
    for _ in 0..5 {
        trainer.fit(&mut net, &students)?;
        println!(
            "{:>6}   {:.2e}",
            trainer.epoch(),
            net.cost(x, y, &SumSquaredError, &mut tape)?
        );
    }

    println!("\nsleep   study   points   predicted");
    let predicted = net.predict(x)? * 100.0;
    for ((hours, y), predicted) in hours.column_iter().zip(y.iter()).zip(predicted.iter()) {
        println!(
            "{:>5}   {:>5}   {:>6}   {predicted:>9.1}",
            hours[0],
            hours[1],
            100.0 * y
        );
    }
    let new = DMatrix::from_column_slice(2, 1, &[8.0, 3.0]);
    let predicted = net.predict(&scaler.transform(&new)?)? * 100.0;
    println!(
        "{:>5}   {:>5}   {:>6}   {:>9.1}",
        new[0], new[1], "?", predicted[0]
    );
    Ok(())
}
