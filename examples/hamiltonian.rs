//! A pendulum whose energy holds: a network that learns the energy, beside one that learns the
//! motion (Greydanus, Dzamba & Yosinski, *Hamiltonian neural networks*, 2019).
//!
//! Both see the same 300 states of a pendulum, angle q and momentum p, and how they change, with
//! some noise. The plain network has two outputs, (q̇, ṗ). The other has one, H(q, p). Its slopes
//! are taught, ∂H/∂q = −ṗ and ∂H/∂p = q̇, and no value of H is known or needed. Then both go on by
//! themselves from q = 1.5, by 10,000 steps of Runge and Kutta (RK4, of 0.05). What moves by
//! Hamilton's equations keeps H, whatever is wrong with H; nothing keeps the plain network on its
//! orbit.
//!
//! ```text
//! cargo run --release --features plot --example hamiltonian
//! ```
//!
//! The picture goes to `target/pictures/hamiltonian.png`.

use chainrule::optim::Schedule;
use chainrule::plot::Curves;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use std::{error, fs, path::Path};

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pictures");
const STATES: usize = 300;
const NOISE: f64 = 0.1;
const DT: f64 = 0.05;
const STEPS: usize = 10_000;
/// Steps of about two swings.
const SWINGS: usize = 294;

/// q and p.
type State = [f64; 2];

fn main() -> std::result::Result<(), Box<dyn error::Error>> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let states = DMatrix::from_fn(2, STATES, |i, _| {
        rng.random_range(-1.0..1.0) * [2.2, 1.8][i]
    });
    let mut motion = DMatrix::zeros(2, STATES);
    for (state, mut change) in states.column_iter().zip(motion.column_iter_mut()) {
        let [q_dot, p_dot] = pendulum([state[0], state[1]])?;
        change[0] = q_dot + NOISE * normal(&mut rng);
        change[1] = p_dot + NOISE * normal(&mut rng);
    }

    let plain = Dataset::new(states.clone(), motion.clone())?;
    let mut field = network(2)?;
    trainer().fit(&mut field, &plain)?;

    let slopes = DMatrix::from_fn(2, STATES, |i, j| [-motion[(1, j)], motion[(0, j)]][i]);
    let unknown = DMatrix::zeros(1, STATES);
    let forces = Dataset::new(states, unknown)?.with_slopes(slopes)?;
    let mut energy_net = network(1)?;
    trainer()
        .slopes(MeanSquaredError, 1.0)
        .without_values()
        .fit(&mut energy_net, &forces)?;

    let (mut tape, mut other_tape) = (Tape::new(), Tape::new());
    let truth = travel(pendulum)?;
    let by_energy = travel(|state| {
        let mut gradient = [0.0; 2];
        let slot = chainrule::numeric::ViewMut::new(&mut gradient, 2)?;
        energy_net.input_gradient_with(&state, slot, &mut tape, |_, mut dy| {
            dy.as_mut_slice().fill(1.0);
            Ok(())
        })?;
        Ok([gradient[1], -gradient[0]])
    })?;
    let by_field = travel(|state| {
        let mut change = [0.0; 2];
        field.predict_one(&state, &mut change, &mut other_tape)?;
        Ok(change)
    })?;

    println!("{STEPS} steps from the energy {:.4}\n", energy(truth[0]));
    println!("                         off by at most     drift");
    let runs = [
        ("the network of motion", &by_field),
        ("the network of energy", &by_energy),
        ("the pendulum itself", &truth),
    ];
    let mut picture = Curves::new(
        "A pendulum goes on by itself: its energy, mean and range of two swings",
        "seconds",
        "energy",
    );
    for (name, states) in runs {
        let start = energy(states[0]);
        let off = states.iter().map(|s| (energy(*s) - start).abs());
        let swings = by_swings(states);
        let drift = swings[swings.len() - 1].1 - swings[0].1;
        let off = off.fold(0.0, f64::max);
        println!("{name:<25}{off:>14.4}{drift:>+10.4}");
        let line: Vec<_> = swings.iter().map(|(x, mean, _, _)| (*x, *mean)).collect();
        let range: Vec<_> = swings
            .iter()
            .map(|(x, _, low, high)| (*x, *low, *high))
            .collect();
        picture = picture.line(name, &line).band("", &range);
    }
    fs::create_dir_all(PICTURES)?;
    let picture = picture.size(900, 460).draw()?;
    for kind in ["svg", "png"] {
        let path = Path::new(PICTURES).join("hamiltonian").with_extension(kind);
        picture.save(&path)?;
        println!(
            "{}{}",
            if kind == "svg" { "\n" } else { "" },
            path.display()
        );
    }
    Ok(())
}

/// Time, mean, least and largest energy of two swings after two others.
fn by_swings(states: &[State]) -> Vec<(f64, f64, f64, f64)> {
    let each = states.chunks_exact(SWINGS).enumerate();
    each.map(|(k, part)| {
        let energies = part.iter().map(|state| energy(*state));
        let mean = energies.clone().sum::<f64>() / SWINGS as f64;
        let (low, high) = energies.fold((f64::INFINITY, 0.0_f64), |(low, high), e| {
            (low.min(e), high.max(e))
        });
        ((k as f64 + 0.5) * SWINGS as f64 * DT, mean, low, high)
    })
    .collect()
}

/// H = p²/2 + 1 − cos q.
fn energy([q, p]: State) -> f64 {
    0.5 * p * p + 1.0 - q.cos()
}

/// q̇ = ∂H/∂p, ṗ = −∂H/∂q.
fn pendulum([q, p]: State) -> Result<State> {
    Ok([p, -q.sin()])
}

fn network(outputs: usize) -> Result<Sequential<f64>> {
    Sequential::builder(2)
        .layer(Dense::new(32, Activation::Tanh))
        .layer(Dense::new(32, Activation::Tanh))
        .layer(Dense::new(outputs, Activation::Linear))
        .seed(1)
        .build()
}

fn trainer<'a>() -> Trainer<'a, f64> {
    let rate = Schedule::Cosine {
        rate: 0.01,
        min: 0.0,
        steps: 100,
    };
    Trainer::new(MeanSquaredError, Adam::new())
        .learning_rate(rate.in_percent())
        .epochs(500)
        .batch_size(30)
}

/// RK4 from the same start.
fn travel(mut field: impl FnMut(State) -> Result<State>) -> Result<Vec<State>> {
    let along = |[q, p]: State, by: State, time: f64| [q + time * by[0], p + time * by[1]];
    let mut states = vec![[1.5, 0.0]];
    for step in 0..STEPS {
        let s = states[step];
        let a = field(s)?;
        let b = field(along(s, a, DT / 2.0))?;
        let c = field(along(s, b, DT / 2.0))?;
        let d = field(along(s, c, DT))?;
        let mean = [0, 1].map(|i| (a[i] + 2.0 * b[i] + 2.0 * c[i] + d[i]) / 6.0);
        states.push(along(s, mean, DT));
    }
    Ok(states)
}

/// A normal number, of 12 uniform ones.
fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}
