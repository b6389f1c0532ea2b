//! Costs of slopes: products with the Jacobian, and gradients of costs that look at ∂y/∂x, against
//! dual numbers, finite differences and PyTorch.
#![cfg(feature = "num-dual")]

use crate::common::refused;
use chainrule::nalgebra::DMatrix;
use chainrule::nn::layer::{BackwardArgs, InferArgs, Layer, Role};
use chainrule::nn::*;
use chainrule::numeric::ViewMut;
use chainrule::prelude::*;
use chainrule::rand::rngs::Xoshiro256PlusPlus;
use chainrule::rand::{RngExt, SeedableRng};
use chainrule::{ErrorKind, Real, View};
use num_dual::{Dual64, HyperDual64};

fn batch(rows: usize, cols: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    DMatrix::from_fn(rows, cols, |_, _| 4.0 * rng.random::<f64>() - 2.0)
}

/// Every layer in any numbers, first, between dense ones, and last; none that takes indices.
fn every_layer<T: Real>() -> Result<Vec<Sequential<T>>> {
    macro_rules! nets {
        ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
            vec![$($((Layer::<T>::checks_inputs(&$made), [
                Sequential::builder(4)
                    .layer(Dense::new(4, Activation::Tanh))
                    .layer($made)
                    .layer(Dense::new(2, Activation::Sigmoid)),
                Sequential::builder(4).layer($made).layer(Dense::new(2, Activation::Linear)),
                Sequential::builder(4).layer(Dense::new(4, Activation::Linear)).layer($made),
            ]),)+)+]
        };
    }
    let nets = chainrule::every_layer!(nets).into_iter();
    let nets = nets
        .filter(|(checks, _)| !checks)
        .flat_map(|(_, nets)| nets);
    nets.map(|builder| builder.seed(3).build()).collect()
}

/// Networks of every activation that has a tangent.
fn every_activation<T: Real>() -> Result<Vec<Sequential<T>>> {
    let more = [
        Activation::LeakyRelu { slope: 0.1 },
        Activation::Elu { alpha: 0.7 },
        Activation::Celu { alpha: 0.7 },
    ];
    let all = Activation::every().chain(more);
    let trainable = all.filter(|activation| activation.is_trainable());
    let nets = trainable.map(|activation| {
        let dense = Dense::new(5, activation.clone()).init(Init::GlorotUniform);
        Sequential::builder(4)
            .layer(dense.bias_init(Init::Zeros))
            .layer(Dense::new(4, Activation::Linear).without_bias())
            .layer(activation)
            .layer(Dense::new(2, Activation::Linear))
            .seed(3)
            .build()
    });
    nets.collect()
}

/// Whether each parameter is a constant.
fn constants(net: &Sequential<f64>) -> Vec<bool> {
    net.named_parameters()
        .flat_map(|p| vec![p.block.role == Role::Statistic; p.block.len()])
        .collect()
}

fn random_params(net: &mut Sequential<f64>, seed: u64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for p in net.params_mut() {
        *p += 0.4 * (rng.random::<f64>() - 0.5);
    }
}

/// Along k directions of each sample, C = Σ g ⊙ y + Σ u ⊙ ẏ: its derivative along a direction of
/// the parameters, against dual numbers, which know nothing of any pass but the forward one.
fn against_dual_numbers(
    net: &Sequential<f64>,
    dual: &mut Sequential<HyperDual64>,
    (samples, each): (usize, usize),
) -> Result<()> {
    let outputs = net.outputs();
    let x = batch(4, samples, 41);
    let directions = batch(4, samples * each, 42);
    let (g, u) = (
        batch(outputs, samples, 43),
        batch(outputs, samples * each, 44),
    );
    let (mut y, mut y_dot) = (g.clone(), u.clone());
    let mut tape = Tape::new();
    net.gradient_with_slopes(
        &x,
        &directions,
        &mut tape,
        |got, dot, mut dy, mut dy_dot| {
            assert!(
                dy.as_mut_slice()
                    .iter()
                    .chain(dy_dot.as_mut_slice().iter())
                    .all(|d| *d == 0.0)
            );
            y.copy_from_slice(got.as_slice());
            y_dot.copy_from_slice(dot.as_slice());
            dy.as_mut_slice().copy_from_slice(g.as_slice());
            dy_dot.as_mut_slice().copy_from_slice(u.as_slice());
            Ok(())
        },
    )?;
    assert!((&y - net.predict(&x)?).amax() <= 1e-14 * y.amax(), "{net}");
    let constants = constants(net);
    for seed in 0..3 {
        let v: Vec<f64> = batch(constants.len(), 1, 50 + seed)
            .iter()
            .zip(&constants)
            .map(|(v, constant)| if *constant { 0.0 } else { *v })
            .collect();
        let (mut want, mut size) = (0.0, 0.0);
        for direction in 0..each {
            let params: Vec<_> = net
                .params()
                .iter()
                .zip(&v)
                .map(|(p, v)| HyperDual64::new(*p, 0.0, *v, 0.0))
                .collect();
            dual.set_params(&params)?;
            let x = DMatrix::from_fn(4, samples, |i, s| {
                HyperDual64::new(x[(i, s)], directions[(i, s * each + direction)], 0.0, 0.0)
            });
            let y = dual.predict(&x)?;
            for s in 0..samples {
                for i in 0..outputs {
                    let (y, column) = (y[(i, s)], s * each + direction);
                    let (mine, scale) = (y_dot[(i, column)], 1.0 + y.eps1.abs());
                    assert!(
                        (mine - y.eps1).abs() < 1e-12 * scale,
                        "{net}: {mine}, not {}",
                        y.eps1
                    );
                    let terms = [
                        u[(i, column)] * y.eps1eps2,
                        if direction == 0 {
                            g[(i, s)] * y.eps2
                        } else {
                            0.0
                        },
                    ];
                    want += terms[0] + terms[1];
                    size += terms[0].abs() + terms[1].abs();
                }
            }
        }
        let got: f64 = tape.grads().iter().zip(&v).map(|(g, v)| g * v).sum();
        assert!(
            (got - want).abs() <= 1e-12 * size,
            "{net}: {got}, not {want} of {size}"
        );
    }
    for (gradient, constant) in tape.grads().iter().zip(&constants) {
        assert!(
            !constant || *gradient == 0.0,
            "{net}: statistics are constants"
        );
    }
    Ok(())
}

#[test]
fn gradients_of_every_layer() -> Result<()> {
    for (mut net, mut dual) in every_layer::<f64>()?.into_iter().zip(every_layer()?) {
        random_params(&mut net, 9);
        if net
            .named_parameters()
            .any(|p| p.block.name == "running_var")
        {
            // A variance is not negative.
            net.params_mut().iter_mut().for_each(|p| *p = p.abs());
        }
        for sizes in [(5, 3), (4, 1), (1, 2), (1, 1)] {
            against_dual_numbers(&net, &mut dual, sizes)?;
        }
    }
    Ok(())
}

#[test]
fn gradients_of_every_activation() -> Result<()> {
    for (mut net, mut dual) in every_activation::<f64>()?
        .into_iter()
        .zip(every_activation()?)
    {
        random_params(&mut net, 10);
        against_dual_numbers(&net, &mut dual, (6, 2))?;
    }
    Ok(())
}

/// ẏ = J·ẋ, for one sample and for many, and along the axes the Jacobian itself.
#[test]
fn products_with_the_jacobian() -> Result<()> {
    let mut tape = Tape::new();
    for net in every_layer::<f64>()?.into_iter().chain(every_activation()?) {
        for samples in [1, 6] {
            let (x, x_dot) = (batch(4, samples, 45), batch(4, samples, 46));
            let j = net.jacobian(&x)?;
            let mut y_dot = DMatrix::from_element(net.outputs(), samples, f64::NAN);
            net.input_jacobian_product(&x, &x_dot, &mut y_dot, &mut tape)?;
            for s in 0..samples {
                let want = j.columns(4 * s, 4) * x_dot.column(s);
                assert!(
                    (want - y_dot.column(s)).amax() < 1e-12 * (1.0 + j.amax()),
                    "{net}"
                );
            }
            let axes = DMatrix::from_fn(4, 4 * samples, |i, c| f64::from(i == c % 4));
            net.gradient_with_slopes(&x, &axes, &mut tape, |_, along, _, _| {
                let along = along.as_matrix();
                assert!((&j - along).amax() < 1e-12 * (1.0 + j.amax()), "{net}");
                Ok(())
            })?;
            assert!(tape.grads().iter().all(|g| *g == 0.0));
        }
    }
    Ok(())
}

/// A cost that is no sum of terms: C = (Σ y²)·(1 + Σ ẏ²), by central differences.
#[test]
fn against_finite_differences() -> Result<()> {
    let net = Sequential::<f64>::builder(2)
        .layer(Dense::new(6, Activation::Gelu))
        .layer(LayerNorm::new())
        .layer(Dense::new(3, Activation::Tanh))
        .seed(4)
        .build()?;
    let (x, directions) = (batch(2, 5, 47), batch(2, 10, 48));
    let sum = |numbers: &[f64]| numbers.iter().map(|v| v * v).sum::<f64>();
    let cost = |params: &[f64]| -> Result<f64> {
        net.at(params)?
            .gradient_with_slopes(&x, &directions, &mut Tape::new(), |y, y_dot, _, _| {
                Ok(sum(y.as_slice()) * (1.0 + sum(y_dot.as_slice())))
            })
    };
    let mut tape = Tape::new();
    net.gradient_with_slopes(
        &x,
        &directions,
        &mut tape,
        |y, y_dot, mut dy, mut dy_dot| {
            let (values, slopes) = (sum(y.as_slice()), sum(y_dot.as_slice()));
            for (dy, y) in dy.as_mut_slice().iter_mut().zip(y.as_slice()) {
                *dy = 2.0 * y * (1.0 + slopes);
            }
            for (dy, y) in dy_dot.as_mut_slice().iter_mut().zip(y_dot.as_slice()) {
                *dy = 2.0 * y * values;
            }
            Ok(())
        },
    )?;
    let mut params = net.params().to_vec();
    let largest = tape.grads().iter().fold(0.0_f64, |max, g| max.max(g.abs()));
    for i in 0..params.len() {
        let start = params[i];
        let mut at = |p| {
            params[i] = p;
            cost(&params)
        };
        let numeric = (at(start + 1e-5)? - at(start - 1e-5)?) / 2e-5;
        params[i] = start;
        assert!(
            (numeric - tape.grads()[i]).abs() < 1e-8 * largest,
            "parameter {i}"
        );
    }
    Ok(())
}

/// Second derivatives as data: the same call in dual numbers, along x + ε·ẋ. From ∂C/∂ÿ, ∂C/∂ẏ and
/// ∂C/∂y in the right parts, the dual part of the gradient is that of a cost of y, ẏ and ÿ.
#[test]
fn second_derivatives_by_dual_numbers() -> Result<()> {
    fn net<T: Real>() -> Result<Sequential<T>> {
        Sequential::builder(1)
            .layer(Dense::new(7, Activation::Tanh))
            .layer(Dense::new(5, Activation::Sigmoid))
            .layer(Dense::new(2, Activation::Linear))
            .seed(5)
            .build()
    }
    let (at, mut dual) = (net::<f64>()?, net::<Dual64>()?);
    let x = batch(1, 4, 60);
    let [a, b, c] = [61, 62, 63].map(|seed| batch(2, 4, seed));
    let along = DMatrix::from_element(1, 4, Dual64::from_re(1.0));
    let mut derivatives = |params: &[f64]| -> Result<(f64, Vec<f64>)> {
        dual.set_params(
            &params
                .iter()
                .map(|p| Dual64::from_re(*p))
                .collect::<Vec<_>>(),
        )?;
        let x = x.map(|x| Dual64::new(x, 1.0));
        let mut tape = Tape::new();
        let cost =
            dual.gradient_with_slopes(&x, &along, &mut tape, |y, dot, mut dy, mut ddot| {
                let mut cost = 0.0;
                for k in 0..8 {
                    let (y, dot) = (y.as_slice()[k], dot.as_slice()[k]);
                    assert!((y.eps - dot.re).abs() < 1e-14, "both are ẏ");
                    cost += a[k] * y.re + b[k] * dot.re + c[k] * dot.eps;
                    dy.as_mut_slice()[k] = Dual64::new(0.0, a[k]);
                    ddot.as_mut_slice()[k] = Dual64::new(c[k], b[k]);
                }
                Ok(cost)
            })?;
        Ok((cost, tape.grads().iter().map(|g| g.eps).collect()))
    };
    let mut params = at.params().to_vec();
    let (_, gradient) = derivatives(&params)?;
    let largest = gradient.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
    for i in 0..params.len() {
        let start = params[i];
        let mut at = |p| {
            params[i] = p;
            Ok::<_, Error>(derivatives(&params)?.0)
        };
        let numeric = (at(start + 1e-5)? - at(start - 1e-5)?) / 2e-5;
        params[i] = start;
        assert!(
            (numeric - gradient[i]).abs() < 1e-8 * largest,
            "parameter {i}"
        );
    }
    Ok(())
}

/// What the tape shows afterward, and that passes of other kinds are not disturbed.
#[test]
fn the_tape_holds_the_gradient_alone() -> Result<()> {
    let net = every_layer::<f64>()?.swap_remove(0);
    let (x, v) = (batch(4, 3, 70), vec![0.5; net.params().len()]);
    let axes = DMatrix::from_fn(4, 12, |i, c| f64::from(i == c % 4));
    let mut tape = Tape::new();
    let ones = |tape: &mut Tape<f64>| {
        net.gradient_with_slopes(&x, &axes, tape, |_, _, mut dy, mut dy_dot| {
            dy.as_mut_slice().fill(1.0);
            dy_dot.as_mut_slice().fill(0.5);
            Ok(())
        })
    };
    let mut fresh = DMatrix::zeros(2, 3);
    net.params_jacobian_product(&x, &v, &mut fresh, &mut tape)?;
    ones(&mut tape)?;
    let first = tape.grads().to_vec();
    assert!(tape.dw(0)?.iter().eq(&first[..16]));
    assert_eq!(tape.db(0)?.as_slice(), &first[16..20]);
    assert_eq!(tape.grads_mut().len(), first.len());
    refused(
        tape.a(0),
        ErrorKind::NotReady,
        "Tape::a: got the gradient of a cost on slopes, without layers, expected the activations \
         of a forward pass (a gradient leaves them, predictions and costs do not)",
    );
    assert!(tape.delta(0).is_err());
    // A pass along parameters, whose inputs stand still, and then the same again.
    let mut again = DMatrix::zeros(2, 3);
    net.params_jacobian_product(&x, &v, &mut again, &mut tape)?;
    assert_eq!(again, fresh);
    assert!(tape.grads().is_empty());
    ones(&mut tape)?;
    assert_eq!(tape.grads(), first);
    Ok(())
}

/// A layer that has no tangent.
#[derive(Debug)]
struct Double;

impl<T: Real> Layer<T> for Double {
    fn name(&self) -> String {
        "Double".into()
    }

    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }

    fn infer(&self, mut p: InferArgs<'_, T>) {
        for (y, x) in p.y.as_mut_slice().iter_mut().zip(p.x.as_slice()) {
            *y = *x + *x;
        }
    }

    fn backward(&self, mut p: BackwardArgs<'_, T>) {
        let Some(dx) = &mut p.dx else { return };
        for (dx, dy) in dx.as_mut_slice().iter_mut().zip(p.delta.as_mut_slice()) {
            *dx = *dy + *dy;
        }
    }
}

#[test]
fn refusals() -> Result<()> {
    let dense = || Sequential::<f64>::builder(2).layer(Dense::new(3, Activation::Tanh));
    let net = dense().seed(1).build()?;
    let x = batch(2, 2, 80);
    let mut tape = Tape::new();
    let never = |_: View<'_, f64>,
                 _: View<'_, f64>,
                 _: ViewMut<'_, f64>,
                 _: ViewMut<'_, f64>|
     -> Result<()> { panic!("not to be called") };
    for (rows, cols) in [(2, 1), (2, 3), (2, 0), (1, 2), (3, 4)] {
        refused(
            net.gradient_with_slopes(&x, &batch(rows, cols, 1), &mut tape, never),
            ErrorKind::Shape,
            &format!(
                "directions: got {rows} × {cols}, expected 2 × (k·2): k ≥ 1 directions of each \
                 sample, side by side"
            ),
        );
    }
    refused(
        net.gradient_with_slopes(&batch(3, 4, 1), &x, &mut tape, never),
        ErrorKind::Shape,
        "inputs x: got 3 × 4, expected 2 rows (features)",
    );
    let none = DMatrix::<f64>::zeros(2, 0);
    let error = net
        .gradient_with_slopes(&none, &none, &mut tape, never)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Empty);
    let mut y_dot = DMatrix::from_element(3, 2, 7.0);
    refused(
        net.input_jacobian_product(&x, &batch(2, 3, 1), &mut y_dot, &mut tape),
        ErrorKind::Shape,
        "direction x_dot: got 2 × 3, expected 2 × 2",
    );
    let mut wrong = DMatrix::from_element(2, 2, 7.0);
    refused(
        net.input_jacobian_product(&x, &x, &mut wrong, &mut tape),
        ErrorKind::Shape,
        "tangent y_dot: got 2 × 2, expected 3 × 2",
    );
    let own = Error::new(ErrorKind::Value, "cost", "something", "else");
    let result: Result<()> =
        net.gradient_with_slopes(&x, &x, &mut tape, |_, _, _, _| Err(own.clone()));
    assert_eq!(result, Err(own));
    assert!(tape.grads().is_empty());

    let surrogate = dense().layer(Activation::Step.surrogate(Activation::Sigmoid));
    let foreign = dense().layer(Double);
    for (net, given) in [(surrogate, "step surrogate sigmoid"), (foreign, "Double")] {
        let net = net.seed(1).build()?;
        let error = net
            .gradient_with_slopes(&x, &x, &mut tape, never)
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.given()),
            (ErrorKind::Incompatible, given)
        );
        assert!(error.place().starts_with("layer 1"), "{error}");
        let error = net
            .input_jacobian_product(&x, &x, &mut y_dot, &mut tape)
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.given()),
            (ErrorKind::Incompatible, given)
        );
    }
    assert!(
        y_dot.iter().chain(&wrong).all(|y| *y == 7.0),
        "nothing has changed"
    );
    // A step has the slope 0, of which there is a product but nothing to train.
    let step = dense().layer(Activation::Step).seed(1).build()?;
    step.input_jacobian_product(&x, &x, &mut y_dot, &mut tape)?;
    assert!(y_dot.iter().all(|y| *y == 0.0));
    let error = step
        .gradient_with_slopes(&x, &x, &mut tape, never)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrainable);
    Ok(())
}

/// NaN and huge numbers pass as they should, and a network without parameters has no gradient.
#[test]
fn edges() -> Result<()> {
    let net = Sequential::<f64>::builder(2)
        .layer(Dense::new(3, Activation::Tanh))
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let x = DMatrix::from_row_slice(2, 3, &[0.1, f64::NAN, 1e300, 0.2, 0.3, -1e300]);
    let x_dot = DMatrix::from_element(2, 3, 1.0);
    let mut y_dot = DMatrix::zeros(1, 3);
    net.input_jacobian_product(&x, &x_dot, &mut y_dot, &mut Tape::new())?;
    assert!(y_dot[0].is_finite() && y_dot[1].is_nan());
    assert_eq!(y_dot[2].abs(), 0.0, "where tanh is flat");
    let mut still = DMatrix::from_element(1, 3, 7.0);
    let zero = DMatrix::zeros(2, 3);
    net.input_jacobian_product(&batch(2, 3, 1), &zero, &mut still, &mut Tape::new())?;
    assert!(still.iter().all(|y| *y == 0.0));

    let fixed = Sequential::<f64>::builder(3)
        .layer(Softmax)
        .seed(1)
        .build()?;
    let x = batch(3, 2, 81);
    let mut tape = Tape::new();
    let sum = fixed.gradient_with_slopes(&x, &x, &mut tape, |_, y_dot, _, mut dy_dot| {
        dy_dot.as_mut_slice().fill(1.0);
        Ok(y_dot.as_slice().iter().sum::<f64>())
    })?;
    assert!(sum.abs() < 1e-15 && tape.grads().is_empty());
    Ok(())
}

/// The same bits on threads, and in single precision nearly the same numbers.
#[test]
fn on_threads_and_in_single_precision() -> Result<()> {
    fn net<T: Real>() -> Result<Sequential<T>> {
        Sequential::builder(30)
            .layer(Dense::new(200, Activation::Tanh))
            .layer(LayerNorm::new())
            .layer(Dense::new(3, Activation::Linear))
            .seed(1)
            .build()
    }
    fn pass<T: Real>(tape: &mut Tape<T>) -> Result<(Vec<T>, Vec<T>)> {
        let (x, along) = (batch(30, 41, 90).map(T::of), batch(30, 82, 91).map(T::of));
        let net = net::<T>()?;
        let mut y_dot = DMatrix::zeros(3, 41);
        net.input_jacobian_product(&x, &x, &mut y_dot, tape)?;
        net.gradient_with_slopes(&x, &along, tape, |y, y_dot, mut dy, mut dy_dot| {
            dy.as_mut_slice().copy_from_slice(y.as_slice());
            dy_dot.as_mut_slice().copy_from_slice(y_dot.as_slice());
            Ok(())
        })?;
        Ok((y_dot.as_slice().to_vec(), tape.grads().to_vec()))
    }
    let (products, gradient) = pass::<f64>(&mut Tape::new())?;
    #[cfg(feature = "parallel")]
    assert!(pass::<f64>(&mut Tape::new().threads(3)?)? == (products.clone(), gradient.clone()));
    let (single, by_single) = pass::<f32>(&mut Tape::new())?;
    for (double, single) in [(products, single), (gradient, by_single)] {
        let size = double.iter().fold(0.0_f64, |max, v| max.max(v.abs()));
        let apart = double
            .iter()
            .zip(single)
            .map(|(a, b)| (a - f64::from(b)).abs());
        assert!(apart.fold(0.0, f64::max) < 1e-4 * size);
    }
    Ok(())
}

/// The numbers of a field.
fn numbers(field: &str) -> Vec<f64> {
    field
        .split(' ')
        .map(|v| v.parse().expect("a number"))
        .collect()
}

/// Against PyTorch's double backward (`torch.autograd.grad` with `create_graph=True`).
#[test]
fn as_pytorch() -> Result<()> {
    let table = include_str!("../reference/slopes.tsv");
    let mut lines = 0;
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [layers, x, along, t, s, params, cost, gradient] = fields[..] else {
            panic!("eight fields: {line}");
        };
        let widths: Vec<&str> = layers.split(' ').collect();
        let mut builder = Sequential::<f64>::builder(widths[0].parse().expect("a number"));
        for layer in &widths[1..] {
            let (width, activation) = layer.split_once('-').expect("outputs and an activation");
            let width = width.parse().expect("a number");
            let activation: Activation = activation.parse()?;
            builder = builder.layer(Dense::new(width, activation));
        }
        let mut net = builder.seed(1).build()?;
        net.set_params(&numbers(params))?;
        let (x, along, t, s) = (numbers(x), numbers(along), numbers(t), numbers(s));
        let inputs = net.inputs();
        let (x, along) = (View::new(&x, inputs)?, View::new(&along, inputs)?);
        let mut tape = Tape::new();
        // C = Σ (y − t)²/2 + Σ ln cosh(ẏ − s)
        let got =
            net.gradient_with_slopes(x, along, &mut tape, |y, y_dot, mut dy, mut dy_dot| {
                let mut cost = 0.0;
                for ((dy, y), t) in dy.as_mut_slice().iter_mut().zip(y.as_slice()).zip(&t) {
                    (*dy, cost) = (y - t, cost + 0.5 * (y - t) * (y - t));
                }
                for ((dy, y), s) in dy_dot
                    .as_mut_slice()
                    .iter_mut()
                    .zip(y_dot.as_slice())
                    .zip(&s)
                {
                    (*dy, cost) = ((y - s).tanh(), cost + (y - s).cosh().ln());
                }
                Ok(cost)
            })?;
        let want: f64 = cost.parse().expect("a number");
        assert!(
            (got - want).abs() <= 1e-12 * want.abs(),
            "{layers}: {got}, not {want}"
        );
        let want = numbers(gradient);
        assert_eq!(want.len(), tape.grads().len());
        let size = want.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
        for (i, (got, want)) in tape.grads().iter().zip(want).enumerate() {
            assert!(
                (got - want).abs() <= 1e-11 * size,
                "{layers}, {i}: {got}, not {want}"
            );
        }
        lines += 1;
    }
    assert!(lines > 20, "{lines}");
    Ok(())
}
