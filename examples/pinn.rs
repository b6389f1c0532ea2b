//! Equations as teachers: a network that solves a differential equation without a single value of
//! its solution (Lagaris, Likas & Fotiadis 1998; Raissi, Perdikaris & Karniadakis 2019).
//!
//! A trial solution holds the initial values by its form, ŷ = 1 + x·N(x) or x̂ = 1 + t²·N(t). What
//! is left of the equation at a few points is the cost, and `gradient_with_slopes` gives its
//! gradient.
//!
//! - First order: y′ = −y·cos x, y(0) = 1. Its solution is exp(−sin x).
//! - Second order: ẍ + 2ζω·ẋ + ω²·x = 0, a damped oscillator, in three ways. As two equations of
//!   first order, with x and v = ẋ as outputs. By the same call in dual numbers, whose dual part is
//!   one derivative more. And by dual numbers of second order, of which a plain gradient is enough.
//!
//! ```text
//! cargo run --release --features num-dual --example pinn
//! ```

use chainrule::numeric::ViewMut;
use chainrule::optim::Schedule;
use chainrule::prelude::*;
use chainrule::{Real, View};
use num_dual::{Dual2_64, Dual64};
use std::f64::consts::PI;
use std::time::Instant;

const POINTS: usize = 64;
const STEPS: u64 = 20_000;
/// Frequency and damping of the oscillator, and how long it is watched.
const OMEGA: f64 = 2.0;
const ZETA: f64 = 0.1;
const TIME: f64 = 5.0;

fn main() -> Result<()> {
    println!("{STEPS} steps of Adam on {POINTS} points, networks 1-24-24-1 of tanh\n");
    println!("equation                     way                            steps/s   largest error");

    let x = grid(2.0 * PI);
    let along = DMatrix::from_element(1, POINTS, 1.0);
    let (net, rate) = train(network(1)?, |net, tape| {
        net.gradient_with_slopes(&x, &along, tape, |n, n_dot, mut dn, mut dn_dot| {
            for (k, x) in x.iter().enumerate() {
                let (n, n_dot) = (n.as_slice()[k], n_dot.as_slice()[k]);
                // ŷ = 1 + x·N, ŷ′ = N + x·N′, r = ŷ′ + ŷ·cos x
                let r = n + x * n_dot + (1.0 + x * n) * x.cos();
                let slope = 2.0 * r / POINTS as f64;
                dn.as_mut_slice()[k] = slope * (1.0 + x * x.cos());
                dn_dot.as_mut_slice()[k] = slope * x;
            }
            Ok(())
        })?;
        Ok(tape.grads().to_vec())
    })?;
    let error = largest_error(
        2.0 * PI,
        |x| (-x.sin()).exp(),
        |x| Ok(1.0 + x * net.predict(&[x])?[0]),
    )?;
    report("y′ = −y·cos x", "slopes", rate, error);
    let (_, plain) = train(network(1)?, |net, tape| {
        net.gradient(&x, &x, &MeanSquaredError, tape)?;
        Ok(tape.grads().to_vec())
    })?;
    println!("{:29}{:31}{plain:>7.0}", "", "(a plain gradient of it)");

    let t = grid(TIME);
    let solve = |net: &Sequential<f64>| {
        largest_error(
            TIME,
            oscillator,
            |t| Ok(1.0 + t * t * net.predict(&[t])?[0]),
        )
    };
    let name = "ẍ + 2ζω·ẋ + ω²·x = 0";

    // x̂ = 1 + t·N₀ and v̂ = t·N₁: r₀ = x̂′ − v̂, r₁ = v̂′ + 2ζω·v̂ + ω²·x̂
    let (net, rate) = train(network(2)?, |net, tape| {
        net.gradient_with_slopes(&t, &along, tape, |n, n_dot, mut dn, mut dn_dot| {
            for (k, t) in t.iter().enumerate() {
                let (n, n_dot) = (&n.as_slice()[2 * k..], &n_dot.as_slice()[2 * k..]);
                let (x, v) = (1.0 + t * n[0], t * n[1]);
                let r = [
                    n[0] + t * n_dot[0] - v,
                    n[1] + t * n_dot[1] + 2.0 * ZETA * OMEGA * v + OMEGA * OMEGA * x,
                ];
                let slopes = r.map(|r| 2.0 * r / POINTS as f64);
                let dn = &mut dn.as_mut_slice()[2 * k..];
                dn[0] = slopes[0] + OMEGA * OMEGA * t * slopes[1];
                dn[1] = -t * slopes[0] + (1.0 + 2.0 * ZETA * OMEGA * t) * slopes[1];
                let dn_dot = &mut dn_dot.as_mut_slice()[2 * k..];
                (dn_dot[0], dn_dot[1]) = (t * slopes[0], t * slopes[1]);
            }
            Ok(())
        })?;
        Ok(tape.grads().to_vec())
    })?;
    let error = largest_error(TIME, oscillator, |t| Ok(1.0 + t * net.predict(&[t])?[0]))?;
    report(name, "two of first order", rate, error);

    // In dual numbers along t + ε the outputs are N + ε·N′, and their slopes N′ + ε·N″. Of the
    // gradient from ∂C/∂N and ∂C/∂N′ + … in the right parts, the dual part is that of the cost.
    let mut dual: Sequential<Dual64> = network(1)?;
    let mut dual_tape = Tape::new();
    let dual_t = t.map(|t| Dual64::new(t, 1.0));
    let dual_along = DMatrix::from_element(1, POINTS, Dual64::from_re(1.0));
    let (net, rate) = train(network(1)?, |net, _| {
        copy(net, &mut dual, Dual64::from_re);
        dual.gradient_with_slopes(
            &dual_t,
            &dual_along,
            &mut dual_tape,
            |n: View<'_, Dual64>, n_dot, mut dn: ViewMut<'_, Dual64>, mut dn_dot| {
                for (k, t) in t.iter().enumerate() {
                    let (n, n_dot) = (n.as_slice()[k], n_dot.as_slice()[k]);
                    let [by_n, by_first, by_second] = residual(*t, [n.re, n_dot.re, n_dot.eps]);
                    dn.as_mut_slice()[k] = Dual64::new(0.0, by_n);
                    dn_dot.as_mut_slice()[k] = Dual64::new(by_second, by_first);
                }
                Ok(())
            },
        )?;
        Ok(dual_tape.grads().iter().map(|g| g.eps).collect())
    })?;
    report(name, "slopes in dual numbers", rate, solve(&net)?);

    // Along t + ε with ε³ = 0 the outputs are N, N′ and N″.
    let mut dual: Sequential<Dual2_64> = network(1)?;
    let mut dual_tape = Tape::new();
    let dual_t = t.map(|t| Dual2_64::new(t, 1.0, 0.0));
    let (net, rate) = train(network(1)?, |net, _| {
        copy(net, &mut dual, Dual2_64::from_re);
        dual.gradient_with(&dual_t, &mut dual_tape, |n, mut dn| {
            for (k, t) in t.iter().enumerate() {
                let n = n.as_slice()[k];
                let [by_n, by_first, by_second] = residual(*t, [n.re, n.v1, n.v2]);
                // (d·g)″ = d·g″ + 2·d′·g′ + d″·g
                dn.as_mut_slice()[k] = Dual2_64::new(by_second, 0.5 * by_first, by_n);
            }
            Ok(())
        })?;
        Ok(dual_tape.grads().iter().map(|g| g.v2).collect())
    })?;
    report(name, "dual numbers of second order", rate, solve(&net)?);
    Ok(())
}

/// The derivatives by N, N′ and N″ of r²/n, r = x̂″ + 2ζω·x̂′ + ω²·x̂ with x̂ = 1 + t²·N.
fn residual(t: f64, n: [f64; 3]) -> [f64; 3] {
    let by = [
        2.0 + 4.0 * ZETA * OMEGA * t + OMEGA * OMEGA * t * t,
        4.0 * t + 2.0 * ZETA * OMEGA * t * t,
        t * t,
    ];
    let r = OMEGA * OMEGA + by.iter().zip(n).map(|(by, n)| by * n).sum::<f64>();
    by.map(|by| 2.0 * r * by / POINTS as f64)
}

/// x(t) of the oscillator from x(0) = 1 and ẋ(0) = 0.
fn oscillator(t: f64) -> f64 {
    let damped = OMEGA * (1.0 - ZETA * ZETA).sqrt();
    let (sin, cos) = (damped * t).sin_cos();
    (-ZETA * OMEGA * t).exp() * (cos + ZETA * OMEGA / damped * sin)
}

fn grid(end: f64) -> DMatrix<f64> {
    DMatrix::from_fn(1, POINTS, |_, j| end * j as f64 / (POINTS - 1) as f64)
}

fn network<T: Real>(outputs: usize) -> Result<Sequential<T>> {
    let dense = || Dense::new(24, Activation::Tanh).init(Init::GlorotNormal);
    Sequential::builder(1)
        .layer(dense())
        .layer(dense())
        .layer(Dense::new(outputs, Activation::Linear))
        .seed(1)
        .build()
}

fn copy<T: Real>(from: &Sequential<f64>, to: &mut Sequential<T>, number: impl Fn(f64) -> T) {
    for (to, from) in to.params_mut().iter_mut().zip(from.params()) {
        *to = number(*from);
    }
}

/// Adam on this gradient; returns the steps per second, too.
fn train(
    mut net: Sequential<f64>,
    mut gradient: impl FnMut(&Sequential<f64>, &mut Tape<f64>) -> Result<Vec<f64>>,
) -> Result<(Sequential<f64>, f64)> {
    let (mut adam, groups, mut tape) = (Adam::new(), net.default_groups(), Tape::new());
    let schedule = Schedule::Cosine {
        rate: 0.01,
        min: 0.0,
        steps: STEPS,
    };
    let start = Instant::now();
    for step in 0..STEPS {
        let gradient = gradient(&net, &mut tape)?;
        adam.step(schedule.rate(step), net.params_mut(), &gradient, &groups)?;
    }
    Ok((net, STEPS as f64 / start.elapsed().as_secs_f64()))
}

fn largest_error(
    end: f64,
    solution: impl Fn(f64) -> f64,
    trial: impl Fn(f64) -> Result<f64>,
) -> Result<f64> {
    let points = (0..=1000).map(|k| end * f64::from(k) / 1000.0);
    points
        .map(|x| Ok((trial(x)? - solution(x)).abs()))
        .try_fold(0.0, |max: f64, error: Result<f64>| Ok(max.max(error?)))
}

fn report(equation: &str, way: &str, rate: f64, error: f64) {
    println!("{equation:29}{way:31}{rate:>7.0}   {error:.1e}");
}
