//! Balancing a pole on a cart by deep Q-learning (Mnih et al., *Human-level control through deep
//! reinforcement learning*, 2015).
//!
//! A network estimates Q(s, a), the sum of the rewards to come when action a is taken in state s
//! and the best ones after it. It is trained on steps of the past, drawn at random, toward r +
//! γ·maxₐ Q⁻(s′, a), where Q⁻ is a copy of the network that follows every few hundred steps. The
//! cost is known at one output of each sample alone, that of the action taken: such a gradient is
//! written by hand, with [`Sequential::gradient_with`].
//!
//! The cart is that of Barto, Sutton & Anderson (*Neuronlike adaptive elements that can solve
//! difficult learning control problems*, 1983): pushed left or right by 10 N every 20 ms, and as
//! there the only reward is −1 at the end, when the pole leans by more than 12° or the cart is 2.4
//! m away. After ten seconds a trial is over.
//!
//! ```text
//! cargo run --release --example q_learning
//! ```

use chainrule::nalgebra::SVector;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};

type State = SVector<f32, 4>;

const LONGEST: usize = 500;
const MEMORY: usize = 50_000;
const BATCH: usize = 64;
const DISCOUNT: f32 = 0.99;

fn main() -> Result<()> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut net = Sequential::<f32>::builder(4)
        .layer(Dense::new(64, Activation::Relu))
        .layer(Dense::new(64, Activation::Relu))
        .layer(Dense::new(2, Activation::Linear))
        .build_with(&mut rng)?;
    let mut target = net.clone();
    let (mut adam, groups) = (Adam::new(), net.default_groups());
    let mut memory = Memory::default();
    let mut tape = Tape::new();
    let mut steps = 0;

    println!(
        "episodes   steps in all   balanced for, of {LONGEST} steps: learning   without curiosity"
    );
    for episodes in (50..=1000).step_by(50) {
        let before = steps;
        for _ in 0..50 {
            let mut state = start(&mut rng);
            for _ in 0..LONGEST {
                // Curious at first, less and less so.
                let curiosity = (1.0 - steps as f64 / 5_000.0).max(0.05);
                let action = if rng.random_bool(curiosity) {
                    rng.random_range(0..2)
                } else {
                    best(&net, &state, &mut tape)?
                };
                let (next, fallen) = push(&state, action);
                memory.keep(Move {
                    state,
                    action,
                    next,
                    fallen,
                });
                (state, steps) = (next, steps + 1);
                if memory.moves.len() >= 1_000 {
                    learn(&net, &target, &memory, &mut tape, &mut rng)?;
                    adam.step(3e-4, net.params_mut(), tape.grads(), &groups)?;
                    if steps % 200 == 0 {
                        target.set_params(net.params())?;
                    }
                }
                if fallen {
                    break;
                }
            }
        }
        let balanced = trials(&net, 20, &mut rng, &mut tape)?;
        println!(
            "{episodes:>8}   {steps:>12}   {:>38.1}   {balanced:>17.1}",
            (steps - before) as f64 / 50.0
        );
        if balanced == LONGEST as f64 {
            break;
        }
    }
    println!(
        "\n{:.1} steps on average over 1000 more episodes",
        trials(&net, 1000, &mut rng, &mut tape)?
    );
    Ok(())
}

/// For how many steps the network balances the pole, on average over some episodes.
fn trials(
    net: &Sequential<f32>,
    episodes: usize,
    rng: &mut Xoshiro256PlusPlus,
    tape: &mut Tape<f32>,
) -> Result<f64> {
    let mut balanced = 0;
    for _ in 0..episodes {
        let mut state = start(rng);
        let mut fallen = false;
        let mut length = 0;
        while !fallen && length < LONGEST {
            (state, fallen) = push(&state, best(net, &state, tape)?);
            length += 1;
        }
        balanced += length;
    }
    Ok(balanced as f64 / episodes as f64)
}

/// A step of the past.
#[derive(Clone, Copy)]
struct Move {
    state: State,
    action: usize,
    next: State,
    fallen: bool,
}

/// The last [`MEMORY`] steps.
#[derive(Default)]
struct Memory {
    moves: Vec<Move>,
    oldest: usize,
}

impl Memory {
    fn keep(&mut self, step: Move) {
        if self.moves.len() < MEMORY {
            self.moves.push(step);
        } else {
            self.moves[self.oldest] = step;
            self.oldest = (self.oldest + 1) % MEMORY;
        }
    }
}

/// The action that promises most.
fn best(net: &Sequential<f32>, state: &State, tape: &mut Tape<f32>) -> Result<usize> {
    let mut q = SVector::<f32, 2>::zeros();
    net.predict_into(state, &mut q, tape)?;
    Ok(q.imax())
}

/// The gradient of Huber's loss of Q(s, a) against −1 at the end and γ·maxₐ Q⁻(s′, a) before, for a
/// batch of the memory.
fn learn(
    net: &Sequential<f32>,
    target: &Sequential<f32>,
    memory: &Memory,
    tape: &mut Tape<f32>,
    rng: &mut Xoshiro256PlusPlus,
) -> Result<()> {
    let moves: [Move; BATCH] =
        std::array::from_fn(|_| memory.moves[rng.random_range(0..memory.moves.len())]);
    let (states, nexts) = (
        DMatrix::from_fn(4, BATCH, |i, j| moves[j].state[i]),
        DMatrix::from_fn(4, BATCH, |i, j| moves[j].next[i]),
    );
    let mut promised = DMatrix::zeros(2, BATCH);
    target.predict_into(&nexts, &mut promised, tape)?;
    net.gradient_with(&states, tape, |q, mut dq| {
        for (j, (step, (q, dq))) in moves.iter().zip(q.iter().zip(dq.iter_mut())).enumerate() {
            let promise = if step.fallen {
                -1.0
            } else {
                DISCOUNT * promised.column(j).max()
            };
            let error = q[step.action] - promise;
            dq[step.action] = error.clamp(-1.0, 1.0) / BATCH as f32;
        }
        Ok(())
    })
}

/// Near the middle, nearly upright, nearly at rest: position, speed, angle, angular speed.
fn start(rng: &mut Xoshiro256PlusPlus) -> State {
    State::from_fn(|_, _| rng.random_range(-0.05..0.05))
}

/// The state 20 ms later, and whether it is lost. Action 1 pushes to the right.
fn push(state: &State, action: usize) -> (State, bool) {
    const GRAVITY: f32 = 9.8;
    const POLE: f32 = 0.1; // kg
    const CART: f32 = 1.0; // kg
    const HALF: f32 = 0.5; // m, half the pole's length
    const DT: f32 = 0.02; // s
    let [[x, v, angle, omega]] = state.data.0;
    let force = if action == 1 { 10.0 } else { -10.0 };
    let (sin, cos) = angle.sin_cos();
    let push = (force + POLE * HALF * omega * omega * sin) / (CART + POLE);
    let alpha =
        (GRAVITY * sin - cos * push) / (HALF * (4.0 / 3.0 - POLE * cos * cos / (CART + POLE)));
    let a = push - POLE * HALF * alpha * cos / (CART + POLE);
    let next = State::new(
        x + DT * v,
        v + DT * a,
        angle + DT * omega,
        omega + DT * alpha,
    );
    (
        next,
        next[0].abs() > 2.4 || next[2].abs() > 12_f32.to_radians(),
    )
}
