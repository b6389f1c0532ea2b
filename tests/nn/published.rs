//! Published numbers, to all the digits they are printed with.

use crate::common::rng;
use chainrule::nalgebra::{DMatrix, Matrix2};
use chainrule::nn::layer::Role;
use chainrule::nn::loss::SumSquaredError;
use chainrule::prelude::*;

/// M. Mazur, "A step by step backpropagation example" (2015): 2-2-2 sigmoid, biases fixed, η = 0.5.
#[test]
fn mazur() -> Result<()> {
    let mut net = Sequential::<f64>::builder(2)
        .layer(Dense::new(2, Activation::Sigmoid))
        .layer(Dense::new(2, Activation::Sigmoid))
        .build_with(&mut rng(1))?;
    net.weights_mut(0)?
        .copy_from(&Matrix2::new(0.15, 0.20, 0.25, 0.30));
    net.weights_mut(1)?
        .copy_from(&Matrix2::new(0.40, 0.45, 0.50, 0.55));
    net.bias_mut(0)?.fill(0.35);
    net.bias_mut(1)?.fill(0.60);
    let x = DMatrix::from_column_slice(2, 1, &[0.05, 0.10]);
    let t = DMatrix::from_column_slice(2, 1, &[0.01, 0.99]);
    let mut tape = Tape::new();

    let error = net.gradient(&x, &t, &SumSquaredError, &mut tape)?;
    assert_eq!(format!("{error:.9}"), "0.298371109");
    let a1 = tape.a(0)?;
    assert_eq!(
        (format!("{:.9}", a1[0]), format!("{:.9}", a1[1])),
        ("0.593269992".into(), "0.596884378".into())
    );
    let a2 = tape.a(1)?;
    assert_eq!(
        (format!("{:.9}", a2[0]), format!("{:.9}", a2[1])),
        ("0.751365070".into(), "0.772928465".into())
    );
    assert_eq!(format!("{:.9}", tape.delta(1)?[0]), "0.138498562");
    assert_eq!(format!("{:.9}", tape.dw(1)?[(0, 0)]), "0.082167041");
    assert_eq!(format!("{:.9}", tape.dw(0)?[(0, 0)]), "0.000438568");

    let groups = net.groups(|_, block| (if block.role == Role::Bias { 0.0 } else { 1.0 }, 0.0));
    let before = net.clone();
    Sgd::new().step(0.5, net.params_mut(), tape.grads(), &groups)?;
    let w = net.weights(1)?;
    assert_eq!(
        format!(
            "{:.8} {:.9} {:.9} {:.9}",
            w[(0, 0)],
            w[(0, 1)],
            w[(1, 0)],
            w[(1, 1)]
        ),
        "0.35891648 0.408666186 0.511301270 0.561370121"
    );
    let w = net.weights(0)?;
    assert_eq!(
        format!(
            "{:.9} {:.9} {:.9} {:.9}",
            w[(0, 0)],
            w[(0, 1)],
            w[(1, 0)],
            w[(1, 1)]
        ),
        "0.149780716 0.199561432 0.249751144 0.299502287"
    );

    // With exactly these weights the error is 0.291027774. The page prints 0.291027924, which
    // belongs to hidden weights that follow from δ¹ by the output weights *after* their update,
    // against its own text and its own w1:
    let mut tape_after = Tape::new();
    assert_eq!(
        format!(
            "{:.9}",
            net.cost(&x, &t, &SumSquaredError, &mut tape_after)?
        ),
        "0.291027774"
    );
    let a = tape.a(0)?;
    let delta =
        (net.weights(1)?.transpose() * tape.delta(1)?).component_mul(&a.map(|a| a * (1.0 - a)));
    let hidden = before.weights(0)? - 0.5 * delta * x.transpose();
    net.weights_mut(0)?.copy_from(&hidden);
    assert_eq!(
        format!(
            "{:.9}",
            net.cost(&x, &t, &SumSquaredError, &mut tape_after)?
        ),
        "0.291027924"
    );
    Ok(())
}
