//! Where is the pendulum? An extended Kalman filter on a model that was learned, linearized at
//! every step by its Jacobian.
//!
//! A network learns from examples how the state of a damped pendulum, angle and speed, changes in a
//! twentieth of a second. Then only the angle is measured, and badly; the filter (R. E. Kalman
//! 1960; S. F. Schmidt 1966) puts together what the model expects and what is measured, each with
//! its uncertainty, which goes from step to step as P⁺ = F·P·Fᵀ + Q with F = ∂f/∂x at the estimate.
//! The same filter with the pendulum's own equation shows what the best model would do.
//!
//! ```text
//! cargo run --release --example ekf
//! ```

use chainrule::nalgebra::{Matrix2, RowVector2, Vector2};
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::train::LevenbergMarquardt;
use std::time::Instant;

const DT: f64 = 0.05;
const STEPS: usize = 400;
/// Standard deviations of the measured angle, and of the pushes that nobody knows of.
const NOISE: f64 = 0.3;
const PUSH: f64 = 0.05;

fn main() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);

    // Examples: any state, and by how much it changes.
    let states = DMatrix::from_fn(2, 500, |i, _| rng.random_range(-1.0..1.0) * [3.0, 6.0][i]);
    let mut changes = DMatrix::zeros(2, 500);
    for (state, mut change) in states.column_iter().zip(changes.column_iter_mut()) {
        change.copy_from(&(swing(Vector2::new(state[0], state[1])) - state));
    }
    let examples = Dataset::new(states, changes)?;
    let mut net = Sequential::builder(2)
        .layer(Dense::new(16, Activation::Tanh))
        .layer(Dense::new(2, Activation::Linear))
        .build_with(&mut rng)?;
    let history = LevenbergMarquardt::new()
        .epochs(400)
        .fit(&mut net, &examples)?;
    let cost = history.last().map_or(f64::NAN, |epoch| epoch.cost);
    println!(
        "learned from {} examples: changes off by {:.1e} on average\n",
        examples.len(),
        (cost / examples.len() as f64).sqrt()
    );

    // The pendulum swings, and its angle is measured.
    let mut truth = vec![Vector2::new(2.5, 0.0)];
    for step in 1..STEPS {
        truth.push(swing(truth[step - 1]) + Vector2::new(0.0, PUSH * normal(&mut rng)));
    }
    let measured: Vec<f64> = truth
        .iter()
        .map(|state| state[0] + NOISE * normal(&mut rng))
        .collect();

    let mut tape = Tape::new();
    let mut learned = |x: &Vector2<f64>| -> Result<(Vector2<f64>, Matrix2<f64>)> {
        let (mut change, mut jacobian) = (Vector2::zeros(), Matrix2::zeros());
        net.predict_into(x, &mut change, &mut tape)?;
        net.jacobian_into(x, &mut jacobian, &mut tape)?;
        Ok((x + change, Matrix2::identity() + jacobian))
    };
    // Differences of the equation, which is no network.
    let known = |x: &Vector2<f64>| {
        let column = |k: usize| {
            let h = Vector2::from_fn(|i, _| if i == k { 1e-6 } else { 0.0 });
            (swing(x + h) - swing(x - h)) / 2e-6
        };
        Ok((swing(*x), Matrix2::from_columns(&[column(0), column(1)])))
    };
    let start = Instant::now();
    let by_network = filter(&measured, &mut learned)?;
    let time = start.elapsed() / STEPS as u32;
    let by_equation = filter(&measured, known)?;

    let off = |estimates: &[Vector2<f64>], i: usize| {
        let squares = estimates
            .iter()
            .zip(&truth)
            .map(|(estimate, truth)| (estimate[i] - truth[i]).powi(2));
        (squares.sum::<f64>() / STEPS as f64).sqrt()
    };
    let raw: Vec<_> = measured
        .iter()
        .map(|angle| Vector2::new(*angle, 0.0))
        .collect();
    println!("off by, root of the mean square    angle   speed");
    println!(
        "the measurements                  {:>6.3}       –",
        off(&raw, 0)
    );
    println!(
        "filter with the learned model      {:>6.3}  {:>6.3}",
        off(&by_network, 0),
        off(&by_network, 1)
    );
    println!(
        "filter with the equation          {:>6.3}  {:>6.3}",
        off(&by_equation, 0),
        off(&by_equation, 1)
    );
    println!("\n{time:?} a step with the learned model");
    Ok(())
}

/// The estimates of the state from measurements of the angle, with a model that gives the next
/// state and its Jacobian.
fn filter(
    measured: &[f64],
    mut model: impl FnMut(&Vector2<f64>) -> Result<(Vector2<f64>, Matrix2<f64>)>,
) -> Result<Vec<Vector2<f64>>> {
    let (h, noise) = (RowVector2::new(1.0, 0.0), NOISE * NOISE);
    let q = Matrix2::from_diagonal(&Vector2::new(1e-8, PUSH * PUSH));
    // Of the start only the measured angle is known.
    let (mut x, mut p) = (
        Vector2::new(measured[0], 0.0),
        Matrix2::from_diagonal(&Vector2::new(noise, 4.0)),
    );
    let mut estimates = vec![x];
    for angle in &measured[1..] {
        let (expected, f) = model(&x)?;
        p = f * p * f.transpose() + q;
        let gain = p * h.transpose() / ((h * p * h.transpose())[0] + noise);
        x = expected + gain * (angle - expected[0]);
        p = (Matrix2::identity() - gain * h) * p;
        estimates.push(x);
    }
    Ok(estimates)
}

/// A twentieth of a second of θ″ = −9.81 sin θ − 0.1 θ′, by the method of Runge and Kutta.
fn swing(x: Vector2<f64>) -> Vector2<f64> {
    let slope = |x: Vector2<f64>| Vector2::new(x[1], -9.81 * x[0].sin() - 0.1 * x[1]);
    let k1 = slope(x);
    let k2 = slope(x + k1 * (0.5 * DT));
    let k3 = slope(x + k2 * (0.5 * DT));
    let k4 = slope(x + k3 * DT);
    x + (k1 + k2 * 2.0 + k3 * 2.0 + k4) * (DT / 6.0)
}

/// A number of the normal distribution, by the method of Box and Muller.
fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let (radius, angle): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
