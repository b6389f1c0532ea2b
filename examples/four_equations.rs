//! The four equations of backpropagation, number by number.
//!
//! One pass of a 2-3-1 sigmoid network over one sample. All that the tape holds after it is printed
//! beside its formula, and beside that the same formula once more in plain nalgebra. Then one step
//! down the gradient.
//!
//! ```text
//! cargo run --release --example four_equations
//! ```
//!
//! The formulas are those of M. Nielsen, *Neural Networks and Deep Learning*, chapter 2, with
//! layers counted from 0 and x in the place of a⁻¹. Of a batch, x, z, a and δ have a column per
//! sample, and ∂C/∂b and ∂C/∂W are sums over the samples.

use chainrule::nalgebra::{Dim, Dyn, MatrixView, U1};
use chainrule::nn::loss::SumSquaredError;
use chainrule::optim::Group;
use chainrule::prelude::*;

fn main() -> Result<()> {
    let x = DVector::from_vec(vec![0.3, 0.5]);
    let t = DVector::from_vec(vec![0.75]);
    let normal = Init::Normal {
        mean: 0.0,
        std: 1.0,
    };
    let mut net = Sequential::<f64>::builder(2)
        .layer(
            Dense::new(3, Activation::Sigmoid)
                .init(normal)
                .bias_init(normal),
        )
        .layer(
            Dense::new(1, Activation::Sigmoid)
                .init(normal)
                .bias_init(normal),
        )
        .seed(1)
        .build()?;

    // The whole pass, forward and backward. The network stays as it is; what comes out is on the
    // tape.
    let mut tape = Tape::new();
    let cost = net.gradient(&x, &t, &SumSquaredError, &mut tape)?;

    // A dense layer computes z and a = σ(z) in one go and keeps only a. To read z, make the
    // activation a layer of its own: z is then the output of the layer before it. The parameters
    // are the same, in the same order.
    let mut split = Sequential::<f64>::builder(2)
        .layer(Dense::new(3, Activation::Linear))
        .layer(Activation::Sigmoid)
        .layer(Dense::new(1, Activation::Linear))
        .layer(Activation::Sigmoid)
        .build()?;
    split.set_params(net.params())?;
    let mut split_tape = Tape::new();
    split.gradient(&x, &t, &SumSquaredError, &mut split_tape)?;

    println!("{:30}{:<33}plain nalgebra", "", "chainrule");
    println!("Forward");
    let z0 = net.weights(0)? * &x + net.bias(0)?;
    show("     z⁰ = W⁰·x + b⁰", split_tape.a(0)?, z0.as_slice());
    let a0 = z0.map(sigmoid);
    show("     a⁰ = σ(z⁰)", tape.a(0)?, a0.as_slice());
    let z1 = net.weights(1)? * &a0 + net.bias(1)?;
    show("     z¹ = W¹·a⁰ + b¹", split_tape.a(2)?, z1.as_slice());
    let a1 = z1.map(sigmoid);
    show("     a¹ = σ(z¹)", tape.a(1)?, a1.as_slice());

    println!("\nBackward from C = ½‖a¹ − t‖², whose gradient by a¹ is ∇ₐC = a¹ − t");
    let delta1 = (&a1 - &t).component_mul(&z1.map(sigmoid_prime));
    show("BP1  δ¹ = ∇ₐC ⊙ σ′(z¹)", tape.delta(1)?, delta1.as_slice());
    let delta0 = (net.weights(1)?.transpose() * &delta1).component_mul(&z0.map(sigmoid_prime));
    show(
        "BP2  δ⁰ = (W¹)ᵀ·δ¹ ⊙ σ′(z⁰)",
        tape.delta(0)?,
        delta0.as_slice(),
    );
    show("BP3  ∂C/∂b¹ = δ¹", tape.db(1)?, delta1.as_slice());
    show("     ∂C/∂b⁰ = δ⁰", tape.db(0)?, delta0.as_slice());
    show(
        "BP4  ∂C/∂W¹ = δ¹·(a⁰)ᵀ",
        tape.dw(1)?,
        (&delta1 * a0.transpose()).as_slice(),
    );
    show(
        "     ∂C/∂W⁰ = δ⁰·xᵀ",
        tape.dw(0)?,
        (&delta0 * x.transpose()).as_slice(),
    );

    // All parameters lie in one vector and their gradient in another, so that a step is a line.
    let rate = 0.5;
    Sgd::new().step(
        rate,
        net.params_mut(),
        tape.grads(),
        &Group::all(tape.grads().len()),
    )?;
    let after = net.cost(&x, &t, &SumSquaredError, &mut tape)?;
    println!(
        "\nA step w ← w − η ∂C/∂w with η = {rate} takes the cost from {cost:.6} to {after:.6}."
    );
    Ok(())
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn sigmoid_prime(z: f64) -> f64 {
    sigmoid(z) * (1.0 - sigmoid(z))
}

/// Prints a formula with its value from the tape and by hand, row by row, and asserts that they
/// agree.
fn show<C: Dim>(formula: &str, tape: MatrixView<'_, f64, Dyn, C, U1, Dyn>, by_hand: &[f64]) {
    let cells = |row: &mut dyn Iterator<Item = f64>| {
        row.map(|value| format!("{value:>9.6} "))
            .collect::<String>()
    };
    for (index, row) in tape.row_iter().enumerate() {
        let formula = if index == 0 { formula } else { "" };
        let left = cells(&mut row.iter().copied());
        let right = cells(&mut by_hand.iter().copied().skip(index).step_by(tape.nrows()));
        println!("{formula:<30}{left:<33}{}", right.trim_end());
    }
    for (tape, by_hand) in tape.iter().zip(by_hand) {
        assert!(
            (tape - by_hand).abs() < 1e-14,
            "{formula}: {tape} is not {by_hand}"
        );
    }
}
