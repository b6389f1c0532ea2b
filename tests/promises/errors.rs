//! Every way to go wrong through the public interface: an error of the right kind, whose text names
//! the place, what was expected and what was given; and whatever could have been changed is as it
//! was.

use crate::common::{refused, rng};
use chainrule::data::Batches;
use chainrule::nalgebra::{DMatrix, DVector};
use chainrule::nn::layer::{BackwardArgs, Block, ForwardArgs, InferArgs, Layer, Role};
use chainrule::nn::loss::*;
use chainrule::nn::{Breakpoints, Builder, Glu, LogSoftmax, OutputRange, Softmax};
use chainrule::numeric::ViewMut;
use chainrule::optim::{Group, OptimizerState};
use chainrule::prelude::*;
use chainrule::rand::Rng;
use chainrule::{ErrorKind, View, gradcheck};

// Short enough for tables.
use ErrorKind::{Empty, Incompatible, Io, NotFinite, NotReady, Parse, Shape, Untrainable, Value};
const NAN: f64 = f64::NAN;
const INFINITY: f64 = f64::INFINITY;
const NEG_INFINITY: f64 = f64::NEG_INFINITY;
const MAX: f64 = f64::MAX;
type AnyLoss = Box<dyn Loss<f64>>;
type AnyOptimizer = Box<dyn Optimizer<f64>>;

/// 2 inputs, 3 tanh, 2 linear: 17 parameters.
fn net() -> Sequential<f64> {
    build(
        Sequential::builder(2)
            .layer(Dense::new(3, Activation::Tanh))
            .layer(Dense::new(2, Activation::Linear)),
    )
}

#[track_caller]
fn build(builder: Builder<f64>) -> Sequential<f64> {
    builder.build_with(&mut rng(1)).expect("a sound network")
}

fn dense(outputs: usize, activation: Activation) -> Builder<f64> {
    Sequential::builder(2).layer(Dense::new(outputs, activation))
}

/// Four samples of `rows` features.
fn samples(rows: usize) -> DMatrix<f64> {
    DMatrix::from_fn(rows, 4, |i, j| (1 + i + 2 * j) as f64 / 10.0)
}

/// A tape that a pass has gone through, so that there is something to be changed.
fn warm_tape(net: &Sequential<f64>) -> Tape<f64> {
    let mut tape = Tape::with_seed(3);
    net.gradient(&samples(2), &samples(2), &QuadraticCost, &mut tape)
        .expect("a sound pass");
    tape
}

// -------------------------------------------------------------------------------------------------
// Building

#[test]
fn builder_refuses_bad_shapes() {
    // So many weights and as many biases are the most that a `Vec<f64>` could name.
    let half = isize::MAX as usize / 16;
    let blocks = [
        Block::new("weights", Role::Weight, 1, half),
        Block::new("bias", Role::Bias, 1, 1),
    ];
    let cases: Vec<(Builder<f64>, ErrorKind, String)> = vec![
        (
            Sequential::builder(0).layer(Dense::new(1, Activation::Linear)),
            Value,
            "Sequential::builder: got 0, expected at least 1 input".into(),
        ),
        (
            Sequential::builder(2),
            Empty,
            "Sequential::builder: got 0, expected at least 1 layer".into(),
        ),
        (
            dense(0, Activation::Tanh),
            Value,
            "layer 0 (Dense tanh): got 0, expected at least 1 output".into(),
        ),
        (
            dense(3, Activation::Tanh).layer(Dense::new(0, Activation::Relu)),
            Value,
            "layer 1 (Dense relu): got 0, expected at least 1 output".into(),
        ),
        // Too many to be counted in a usize.
        (
            dense(usize::MAX, Activation::Tanh),
            Value,
            format!(
                "layer 0 (Dense tanh): got {} × 2, expected parameters that fit into memory",
                usize::MAX
            ),
        ),
        (
            dense(usize::MAX / 2, Activation::Tanh),
            Value,
            format!(
                "layer 0 (Dense tanh): got {} × 2, expected parameters that fit into memory",
                usize::MAX / 2
            ),
        ),
        // Each layer could be had by itself, both cannot.
        (
            Sequential::builder(1)
                .layer(Dense::new(half, Activation::Tanh))
                .layer(Dense::new(1, Activation::Linear)),
            Value,
            format!(
                "layer 1 (Dense linear): got {blocks:?}, expected parameters that fit into memory"
            ),
        ),
        // They can be counted, but no machine has the memory.
        (
            Sequential::builder(1).layer(Dense::new(half, Activation::Tanh)),
            Value,
            format!(
                "parameters of Sequential: got {}, expected as many numbers as fit into memory",
                2 * half
            ),
        ),
    ];
    for (builder, kind, text) in cases {
        refused(builder.build_with(&mut rng(1)), kind, &text);
    }
}

#[test]
fn builder_refuses_bad_dropout() {
    for (p, given) in [
        (1.0, "1"),
        (1.5, "1.5"),
        (-0.1, "-0.1"),
        (NAN, "NaN"),
        (INFINITY, "inf"),
    ] {
        let builder = dense(3, Activation::Tanh).layer(Dropout::new(p));
        refused(
            builder.build_with(&mut rng(1)),
            Value,
            &format!("layer 1 (Dropout): got {given}, expected a probability p with 0 ≤ p < 1"),
        );
    }
}

#[test]
fn builder_refuses_bad_initializers() {
    let uniform = "finite bounds with low ≤ high";
    let normal = "a finite mean, a finite std ≥ 0 and draws that are finite";
    let cases = [
        (Init::Constant(NAN), "a finite constant"),
        (Init::Constant(INFINITY), "a finite constant"),
        (
            Init::Uniform {
                low: NAN,
                high: 1.0,
            },
            uniform,
        ),
        (
            Init::Uniform {
                low: 0.0,
                high: NAN,
            },
            uniform,
        ),
        (
            Init::Uniform {
                low: 1.0,
                high: -1.0,
            },
            uniform,
        ),
        (
            Init::Uniform {
                low: NEG_INFINITY,
                high: 0.0,
            },
            uniform,
        ),
        // Both bounds are finite, their distance is not.
        (
            Init::Uniform {
                low: -MAX,
                high: MAX,
            },
            uniform,
        ),
        (
            Init::Normal {
                mean: INFINITY,
                std: 1.0,
            },
            normal,
        ),
        (
            Init::Normal {
                mean: 0.0,
                std: -1.0,
            },
            normal,
        ),
        (
            Init::Normal {
                mean: 0.0,
                std: NAN,
            },
            normal,
        ),
        (
            Init::Normal {
                mean: 0.0,
                std: INFINITY,
            },
            normal,
        ),
        (Init::Orthogonal { gain: NAN }, "a finite gain"),
        (Init::Orthogonal { gain: NEG_INFINITY }, "a finite gain"),
    ];
    for (init, expected) in cases {
        let layer = Dense::new(3, Activation::Tanh);
        for (what, layer) in [
            ("weights", layer.clone().init(init)),
            ("bias", layer.bias_init(init)),
        ] {
            let text =
                format!("layer 0 (Dense tanh): {what}: Init: got {init:?}, expected {expected}");
            refused(
                Sequential::<f64>::builder(2)
                    .layer(layer)
                    .build_with(&mut rng(1)),
                Value,
                &text,
            );
        }
    }
}

#[test]
fn builder_refuses_bad_activations() {
    let cases = [
        (
            Activation::LeakyRelu { slope: NAN },
            "slope of leaky_relu",
            "NaN",
        ),
        (
            Activation::LeakyRelu { slope: INFINITY },
            "slope of leaky_relu",
            "inf",
        ),
        (Activation::Elu { alpha: INFINITY }, "alpha of elu", "inf"),
        (Activation::Elu { alpha: NAN }, "alpha of elu", "NaN"),
        (
            Activation::Step.surrogate(Activation::Elu {
                alpha: NEG_INFINITY,
            }),
            "alpha of elu",
            "-inf",
        ),
        (
            Activation::LeakyRelu { slope: NAN }.straight_through(),
            "slope of leaky_relu",
            "NaN",
        ),
    ];
    for (activation, place, given) in cases {
        let fused = dense(3, activation.clone());
        refused(
            fused.build_with(&mut rng(1)),
            Value,
            &format!(
                "layer 0 (Dense {activation}): {place}: got {given}, expected a finite number"
            ),
        );
        let apart = dense(3, Activation::Linear).layer(activation.clone());
        refused(
            apart.build_with(&mut rng(1)),
            Value,
            &format!("layer 1 ({activation}): {place}: got {given}, expected a finite number"),
        );
    }
}

/// A layer of another crate that is wrong in one way or the other.
#[derive(Debug)]
enum Wrong {
    Refuses,
    NoOutput,
    TooMany,
}

impl Layer<f64> for Wrong {
    fn name(&self) -> String {
        "Wrong".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        match self {
            Self::Refuses => Err(Error::new(Shape, "", "an even number of inputs", inputs)),
            Self::NoOutput => Ok(0),
            Self::TooMany => Ok(inputs),
        }
    }
    fn blocks(&self, _inputs: usize) -> Vec<Block> {
        vec![Block::new("w", Role::Weight, usize::MAX, 2)]
    }
    fn infer(&self, _p: InferArgs<'_, f64>) {}
    fn forward(&self, _p: ForwardArgs<'_, f64>) {}
    fn backward(&self, _p: BackwardArgs<'_, f64>) {}
}

#[test]
fn builder_refuses_what_custom_layers_get_wrong() {
    let three = || dense(3, Activation::Linear);
    refused(
        three().layer(Wrong::Refuses).build_with(&mut rng(1)),
        Shape,
        "layer 1 (Wrong): got 3, expected an even number of inputs",
    );
    refused(
        three().layer(Wrong::NoOutput).build_with(&mut rng(1)),
        Value,
        "layer 1 (Wrong): got 0, expected at least 1 output",
    );
    let blocks = vec![Block::new("w", Role::Weight, usize::MAX, 2)];
    let text = format!("layer 1 (Wrong): got {blocks:?}, expected parameters that fit into memory");
    refused(
        three().layer(Wrong::TooMany).build_with(&mut rng(1)),
        Value,
        &text,
    );
}

#[test]
fn a_failed_build_draws_nothing() {
    let (mut used, mut fresh) = (rng(1), rng(1));
    assert!(
        dense(3, Activation::Tanh)
            .layer(Dropout::new(1.0))
            .build_with(&mut used)
            .is_err()
    );
    assert!(
        Sequential::<f64>::builder(1)
            .layer(Dense::new(isize::MAX as usize / 16, Activation::Tanh))
            .build_with(&mut used)
            .is_err()
    );
    assert_eq!(used.next_u64(), fresh.next_u64());
}

// -------------------------------------------------------------------------------------------------
// Views

#[test]
fn views() {
    refused(
        View::new(&[1.0, 2.0, 3.0], 2),
        Shape,
        "View::new: got 3, expected a multiple of 2 numbers",
    );
    refused(
        View::new(&[1.0, 2.0, 3.0], 0),
        Value,
        "View::new: got 0, expected at least 1 row",
    );
    refused(
        View::<f64>::new(&[], 0),
        Value,
        "View::new: got 0, expected at least 1 row",
    );
    let mut numbers = [1.0, 2.0, 3.0];
    refused(
        ViewMut::new(&mut numbers, 2),
        Shape,
        "ViewMut::new: got 3, expected a multiple of 2 numbers",
    );
    refused(
        ViewMut::new(&mut numbers, 0),
        Value,
        "ViewMut::new: got 0, expected at least 1 row",
    );
    assert_eq!(numbers, [1.0, 2.0, 3.0]);

    let x = samples(2);
    let view = View::from(&x);
    let text = |what: &str| format!("View::columns: got {what}, expected a range within 4 columns");
    refused(view.columns(2, 3), Shape, &text("3 columns from 2"));
    refused(view.columns(5, 0), Shape, &text("0 columns from 5"));
    refused(
        view.columns(usize::MAX, 2),
        Shape,
        &text(&format!("2 columns from {}", usize::MAX)),
    );
}

// -------------------------------------------------------------------------------------------------
// Inference

#[test]
fn predict() {
    let net = net();
    refused(
        net.predict(&samples(3)),
        Shape,
        "inputs x: got 3 × 4, expected 2 rows (features)",
    );
    refused(
        net.predict(&DMatrix::zeros(2, 0)),
        Empty,
        "inputs x: got 0, expected at least 1 column (sample)",
    );
    refused(
        net.predict(&DVector::zeros(1)),
        Shape,
        "inputs x: got 1 × 1, expected 2 rows (features)",
    );
    refused(
        net.predict(&DMatrix::zeros(0, 0)),
        Shape,
        "inputs x: got 0 × 0, expected 2 rows (features)",
    );
}

/// Samples as rows are told to turn; a slice is one sample, and not several.
#[test]
fn predict_of_rows_and_of_slices() {
    let turned = "inputs x: got 4 × 2, expected 2 rows (features; a sample is a column: transpose a matrix \
         with a sample in each row, but take View::new of a buffer that goes sample by sample)";
    refused(net().predict(&DMatrix::zeros(4, 2)), Shape, turned);
    // A slice is one sample.
    refused(
        net().predict(&Vec::from([0.0; 4])),
        Shape,
        "inputs x: got 4 × 1, expected 2 rows (features; a slice is one sample: View::new makes \
         columns of it)",
    );
}

/// Such a matrix holds no number and costs nothing, but outputs for so many samples do.
#[test]
fn predict_of_no_features_and_countless_samples() {
    let text = format!(
        "inputs x: got 0 × {}, expected 2 rows (features)",
        usize::MAX
    );
    refused(net().predict(&DMatrix::zeros(0, usize::MAX)), Shape, &text);
}

#[test]
fn predict_one() {
    let net = net();
    let mut tape = warm_tape(&net);
    let before = format!("{tape:?}");
    let mut y = [7.0, 7.0, 7.0];
    refused(
        net.predict_one(&[0.1; 3], &mut y[..2], &mut tape),
        Shape,
        "inputs x: got 3 × 1, expected 2 rows (features)",
    );
    refused(
        net.predict_one(&[], &mut y[..2], &mut tape),
        Shape,
        "inputs x: got 0 × 1, expected 2 rows (features)",
    );
    refused(
        net.predict_one(&[0.1; 2], &mut y[..1], &mut tape),
        Shape,
        "outputs y: got 1 × 1, expected 2 × 1",
    );
    refused(
        net.predict_one(&[0.1; 2], &mut y, &mut tape),
        Shape,
        "outputs y: got 3 × 1, expected 2 × 1",
    );
    refused(
        net.predict_one(&[0.1; 2], &mut [], &mut tape),
        Shape,
        "outputs y: got 0 × 1, expected 2 × 1",
    );
    assert_eq!(y, [7.0; 3]);
    assert_eq!(format!("{tape:?}"), before);
}

#[test]
fn predict_into() {
    let net = net();
    let mut tape = warm_tape(&net);
    let before = format!("{tape:?}");
    for (rows, cols) in [(1, 4), (3, 4), (2, 3), (2, 5), (4, 2), (0, 0)] {
        let mut y = DMatrix::from_element(rows, cols, 7.0);
        refused(
            net.predict_into(&samples(2), &mut y, &mut tape),
            Shape,
            &format!("outputs y: got {rows} × {cols}, expected 2 × 4"),
        );
        assert!(y.iter().all(|v| *v == 7.0));
    }
    let mut y = DMatrix::from_element(2, 4, 7.0);
    refused(
        net.predict_into(&samples(1), &mut y, &mut tape),
        Shape,
        "inputs x: got 1 × 4, expected 2 rows (features)",
    );
    refused(
        net.predict_into(&DMatrix::zeros(2, 0), &mut DMatrix::zeros(2, 0), &mut tape),
        Empty,
        "inputs x: got 0, expected at least 1 column (sample)",
    );
    assert!(y.iter().all(|v| *v == 7.0));
    assert_eq!(format!("{tape:?}"), before);
}

// -------------------------------------------------------------------------------------------------
// Passes

#[test]
fn passes_of_wrong_shapes_leave_the_tape() {
    let net = net();
    let mut tape = warm_tape(&net);
    let before = format!("{tape:?}");
    let x = samples(2);
    let cases = [
        (DMatrix::zeros(2, 3), "2 × 3", ""),
        (
            DMatrix::zeros(1, 4),
            "1 × 4",
            " (one_hot makes columns of class labels)",
        ),
        (DMatrix::zeros(3, 4), "3 × 4", ""),
        // As many numbers in another shape.
        (
            DMatrix::zeros(4, 2),
            "4 × 2",
            " (a sample is a column: transpose it)",
        ),
        (DMatrix::zeros(2, 0), "2 × 0", ""),
    ];
    for (t, given, hint) in cases {
        let text = format!("targets: got {given}, expected 2 × 4{hint}");
        refused(
            net.gradient(&x, &t, &QuadraticCost, &mut tape),
            Shape,
            &text,
        );
        refused(net.cost(&x, &t, &QuadraticCost, &mut tape), Shape, &text);
    }
    let (t, rows) = (
        samples(2),
        "inputs x: got 3 × 4, expected 2 rows (features)",
    );
    refused(
        net.gradient(&samples(3), &t, &QuadraticCost, &mut tape),
        Shape,
        rows,
    );
    refused(
        net.cost(&samples(3), &t, &QuadraticCost, &mut tape),
        Shape,
        rows,
    );
    let nothing = DMatrix::zeros(2, 0);
    refused(
        net.gradient(&nothing, &nothing, &QuadraticCost, &mut tape),
        Empty,
        "inputs x: got 0, expected at least 1 column (sample)",
    );
    refused(
        net.cost(&nothing, &nothing, &QuadraticCost, &mut tape),
        Empty,
        "inputs x: got 0, expected at least 1 column (sample)",
    );
    refused(
        net.gradient_with(&samples(3), &mut tape, |_, _| -> Result<()> {
            panic!("called in spite of the wrong inputs")
        }),
        Shape,
        rows,
    );
    refused(
        net.gradient_with(&nothing, &mut tape, |_, _| -> Result<()> {
            panic!("called in spite of the wrong inputs")
        }),
        Empty,
        "inputs x: got 0, expected at least 1 column (sample)",
    );
    assert_eq!(format!("{tape:?}"), before);
}

#[test]
fn an_error_of_the_slopes_passes_through() {
    let net = net();
    let mut tape = warm_tape(&net);
    let mine = || Error::new(Value, "my slopes", "a reward", "none");
    refused(
        net.gradient_with(&samples(2), &mut tape, |_, _| Err::<(), _>(mine())),
        Value,
        "my slopes: got none, expected a reward",
    );
    // The backward pass has not been: what it would have produced is not to be had.
    refused(
        tape.delta(0),
        NotReady,
        "Tape::delta: got a forward pass alone, expected the gradient of a backward pass \
         (Sequential::gradient leaves it)",
    );
    refused(
        tape.dw(0),
        NotReady,
        "Tape::dw: got a forward pass alone, expected the gradient of a backward pass \
         (Sequential::gradient leaves it)",
    );
    refused(
        tape.db(1),
        NotReady,
        "Tape::db: got a forward pass alone, expected the gradient of a backward pass \
         (Sequential::gradient leaves it)",
    );
}

#[test]
fn odd_numbers_of_inputs_have_no_halves() {
    let text = "layer 1 (Glu sigmoid): got 3, expected an even number of inputs, which it halves";
    refused(
        dense(3, Activation::Linear)
            .layer(Glu::new(Activation::Sigmoid))
            .build(),
        Shape,
        text,
    );
}

#[test]
fn losses_on_outputs_they_are_not_defined_on() {
    let simplex = || dense(2, Activation::Linear).layer(Softmax);
    let logits: [&dyn Loss<f64>; 2] = [&SoftmaxCrossEntropy::new(), &SigmoidCrossEntropy::new()];
    // The softmax of log-softmax is the softmax.
    let of_scores: [&dyn Loss<f64>; 2] = [&SigmoidCrossEntropy::new(), &Poisson::new()];
    let probabilities: [&dyn Loss<f64>; 2] = [&CategoricalCrossEntropy, &KlDivergence];
    type Case<'a> = (Builder<f64>, &'a [&'a dyn Loss<f64>; 2], &'a str, &'a str);
    let cases: Vec<Case> = vec![
        (simplex(), &logits, "layer 1 (Softmax)", "Simplex"),
        (
            dense(2, Activation::Sigmoid),
            &logits,
            "layer 0 (Dense sigmoid)",
            "Unit",
        ),
        (
            dense(2, Activation::HardSigmoid),
            &logits,
            "layer 0 (Dense hard_sigmoid)",
            "Unit",
        ),
        (
            dense(2, Activation::Linear).layer(Activation::Sigmoid),
            &logits,
            "layer 1 (sigmoid)",
            "Unit",
        ),
        (
            dense(2, Activation::Linear).layer(LogSoftmax),
            &of_scores,
            "layer 1 (LogSoftmax)",
            "LogSimplex",
        ),
        (
            dense(2, Activation::Linear).layer(LogSoftmax),
            &probabilities,
            "layer 1 (LogSoftmax)",
            "LogSimplex",
        ),
        // A linear layer passes on what comes in.
        (
            simplex().layer(Activation::Linear),
            &logits,
            "layer 2 (linear)",
            "Simplex",
        ),
        (
            dense(2, Activation::Linear),
            &probabilities,
            "layer 0 (Dense linear)",
            "Real",
        ),
        (
            dense(2, Activation::Relu),
            &probabilities,
            "layer 0 (Dense relu)",
            "Real",
        ),
        (
            dense(2, Activation::Sigmoid),
            &probabilities,
            "layer 0 (Dense sigmoid)",
            "Unit",
        ),
        // Dropout destroys the sum of 1.
        (
            simplex().layer(Dropout::new(0.5)),
            &probabilities,
            "layer 2 (Dropout)",
            "Real",
        ),
        (
            simplex().layer(Dense::new(2, Activation::Linear)),
            &probabilities,
            "layer 2 (Dense linear)",
            "Real",
        ),
    ];
    let (x, t) = (samples(2), DMatrix::from_element(2, 4, 0.5));
    for (builder, losses, place, range) in cases {
        let mut net = build(builder);
        let data = Dataset::new(x.clone(), t.clone()).expect("sound data");
        for loss in losses {
            let mut tape = warm_tape(&net);
            let before = (format!("{tape:?}"), net.clone());
            let hint = match range {
                "Simplex" => " (scores: leave the Softmax out, the loss does it)",
                "Unit" if losses[0].name() == "SoftmaxCrossEntropy" => {
                    " (scores: leave the sigmoid out, the loss does it)"
                }
                "LogSimplex" if loss.accepts(OutputRange::Real) => {
                    " (scores: leave the LogSoftmax out)"
                }
                "Real" | "LogSimplex" => {
                    " (probabilities: let a Softmax be the last layer, or take \
                     SoftmaxCrossEntropy, which does it)"
                }
                _ => "",
            };
            let text = format!(
                "{place}: got outputs in {range}, expected outputs on which {} is defined{hint}",
                loss.name()
            );
            refused(net.cost(&x, &t, *loss, &mut tape), Incompatible, &text);
            refused(net.gradient(&x, &t, *loss, &mut tape), Incompatible, &text);
            let fit = Trainer::new(Borrowed(*loss), Sgd::new()).fit(&mut net, &data);
            refused(fit, Incompatible, &format!("training data: {text}"));
            assert_eq!((format!("{tape:?}"), net.clone()), before);
        }
    }
}

/// A loss behind a reference, to hand one to a trainer.
#[derive(Debug)]
struct Borrowed<'a>(&'a dyn Loss<f64>);

impl Loss<f64> for Borrowed<'_> {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn costs(&self, p: CostsArgs<'_, f64>) {
        self.0.costs(p);
    }
    fn slopes(&self, p: SlopesArgs<'_, f64>) {
        self.0.slopes(p);
    }
    fn reduction(&self) -> Reduction {
        self.0.reduction()
    }
    fn output_function(&self) -> OutputFunction {
        self.0.output_function()
    }
    fn accepts(&self, range: OutputRange) -> bool {
        self.0.accepts(range)
    }
    fn check(&self, outputs: usize) -> Result<()> {
        self.0.check(outputs)
    }
    fn check_targets(&self, target: View<'_, f64>) -> Result<()> {
        self.0.check_targets(target)
    }
}

#[test]
fn no_gradient_passes_a_step() {
    let cases: Vec<(Builder<f64>, &str)> = vec![
        (dense(2, Activation::Step), "layer 0 (Dense step)"),
        (dense(2, Activation::Sign), "layer 0 (Dense sign)"),
        (
            dense(2, Activation::Linear).layer(Activation::Step),
            "layer 1 (step)",
        ),
        (
            dense(3, Activation::Tanh)
                .layer(Activation::Sign)
                .layer(Dense::new(2, Activation::Linear)),
            "layer 1 (sign)",
        ),
        // A surrogate whose stand-in has no derivative either.
        (
            dense(2, Activation::Relu.surrogate(Activation::Step)),
            "layer 0 (Dense relu surrogate step)",
        ),
    ];
    let (x, t) = (samples(2), samples(2));
    for (builder, place) in cases {
        let mut net = build(builder);
        let before = net.clone();
        let mut tape = Tape::new();
        let attempts = [
            net.gradient(&x, &t, &QuadraticCost, &mut tape).map(drop),
            net.gradient_with(&x, &mut tape, |_, _| -> Result<()> {
                panic!("called in spite of the step")
            }),
            gradcheck::network(&net, &x, &t, &QuadraticCost).map(drop),
            Trainer::new(QuadraticCost, Sgd::new())
                .fit(
                    &mut net,
                    &Dataset::new(x.clone(), t.clone()).expect("sound data"),
                )
                .map(drop),
        ];
        for attempt in attempts {
            let error = attempt.expect_err("a step is not trained");
            assert_eq!((error.kind(), error.place()), (Untrainable, place));
            assert_eq!(
                error.expected(),
                "one that training can follow (straight_through() or surrogate() lends the \
                 activation one)"
            );
            assert_eq!(error.given(), "a derivative that is 0 everywhere");
        }
        assert_eq!(net, before);
        assert_eq!(format!("{tape:?}"), format!("{:?}", Tape::<f64>::new()));
        // The cost needs no derivative.
        assert!(net.cost(&x, &t, &QuadraticCost, &mut tape).is_ok());
    }
}

#[test]
fn parameters_of_another_length() {
    let mut net = net();
    let before = net.clone();
    refused(
        net.set_params(&[0.0; 16]),
        Shape,
        "Sequential::set_params: got 16, expected 17 parameters",
    );
    refused(
        net.set_params(&[0.0; 18]),
        Shape,
        "Sequential::set_params: got 18, expected 17 parameters",
    );
    refused(
        net.set_params(&[]),
        Shape,
        "Sequential::set_params: got 0, expected 17 parameters",
    );
    refused(
        net.at(&[0.0; 16]),
        Shape,
        "Sequential::at: got 16, expected 17 parameters",
    );
    refused(
        net.at(&[0.0; 18]),
        Shape,
        "Sequential::at: got 18, expected 17 parameters",
    );
    assert_eq!(net, before);
}

#[test]
fn blocks_that_a_layer_has_not() {
    let mut net = build(
        dense(3, Activation::Tanh)
            .layer(Dropout::new(0.5))
            .layer(Dense::new(2, Activation::Linear).without_bias())
            .layer(Softmax),
    );
    let tape = warm_tape(&net);
    let role = |role: &str, layer: &str| {
        format!("got {layer}, expected a layer with a block of role {role}")
    };
    for (layer, name) in [(1, "layer 1 (Dropout)"), (3, "layer 3 (Softmax)")] {
        refused(
            net.weights(layer),
            Value,
            &format!("Sequential::weights: {}", role("Weight", name)),
        );
        refused(
            net.weights_mut(layer),
            Value,
            &format!("Sequential::weights_mut: {}", role("Weight", name)),
        );
        refused(
            net.bias(layer),
            Value,
            &format!("Sequential::bias: {}", role("Bias", name)),
        );
        refused(
            net.bias_mut(layer),
            Value,
            &format!("Sequential::bias_mut: {}", role("Bias", name)),
        );
        refused(
            tape.dw(layer),
            Value,
            &format!("Tape::dw: {}", role("Weight", name)),
        );
        refused(
            tape.db(layer),
            Value,
            &format!("Tape::db: {}", role("Bias", name)),
        );
    }
    let no_bias = role("Bias", "layer 2 (Dense linear)");
    refused(net.bias(2), Value, &format!("Sequential::bias: {no_bias}"));
    refused(
        net.bias_mut(2),
        Value,
        &format!("Sequential::bias_mut: {no_bias}"),
    );
    refused(tape.db(2), Value, &format!("Tape::db: {no_bias}"));
    for beyond in [4, usize::MAX] {
        let text = |function: &str| format!("{function}: got {beyond}, expected a layer below 4");
        refused(net.weights(beyond), Value, &text("Sequential::weights"));
        refused(
            net.weights_mut(beyond),
            Value,
            &text("Sequential::weights_mut"),
        );
        refused(net.bias(beyond), Value, &text("Sequential::bias"));
        refused(net.bias_mut(beyond), Value, &text("Sequential::bias_mut"));
        refused(tape.a(beyond), Value, &text("Tape::a"));
        refused(tape.delta(beyond), Value, &text("Tape::delta"));
        refused(tape.dw(beyond), Value, &text("Tape::dw"));
        refused(tape.db(beyond), Value, &text("Tape::db"));
        assert!(net.blocks(beyond).is_empty());
    }
}

#[test]
fn a_tape_before_its_passes() {
    let net = net();
    let mut tape = Tape::new();
    let ask = |tape: &Tape<f64>| {
        refused(
            tape.a(0),
            NotReady,
            "Tape::a: got nothing on the tape, expected the activations of a forward pass (a gradient \
             leaves them, predictions and costs do not)",
        );
        refused(
            tape.delta(0),
            NotReady,
            "Tape::delta: got nothing on the tape, expected the gradient of a backward pass \
             (Sequential::gradient leaves it)",
        );
        refused(
            tape.dw(0),
            NotReady,
            "Tape::dw: got nothing on the tape, expected the gradient of a backward pass \
             (Sequential::gradient leaves it)",
        );
        refused(
            tape.db(0),
            NotReady,
            "Tape::db: got nothing on the tape, expected the gradient of a backward pass \
             (Sequential::gradient leaves it)",
        );
        assert!(tape.grads().is_empty());
    };
    ask(&tape);
    // Inference leaves nothing of the layers either.
    let mut y = DMatrix::zeros(2, 4);
    net.predict_into(&samples(2), &mut y, &mut tape)
        .expect("a sound pass");
    net.cost(&samples(2), &samples(2), &QuadraticCost, &mut tape)
        .expect("a sound pass");
    ask(&tape);
}

/// As the documentation of `grads` says, also where a pass was begun that had no backward part.
#[test]
fn gradients_before_a_backward_pass() {
    let mut tape = Tape::new();
    let mine = Error::new(Value, "my slopes", "a reward", "none");
    assert!(
        net()
            .gradient_with(&samples(2), &mut tape, |_, _| Err::<(), _>(mine))
            .is_err()
    );
    assert!(tape.grads().is_empty(), "{:?}", tape.grads());
}

/// The last step that a counter of 64 bits can name is a step as any other.
#[test]
fn the_last_step_of_a_tape() {
    let net = net();
    let mut tape = Tape::new();
    tape.seek(3, u64::MAX);
    assert!(
        net.gradient(&samples(2), &samples(2), &QuadraticCost, &mut tape)
            .is_ok()
    );
}

// -------------------------------------------------------------------------------------------------
// Losses

#[test]
fn losses_with_bad_parameters() {
    let huber = |delta| Box::new(Huber::new(delta)) as AnyLoss;
    let softmax = |w: &[f64]| Box::new(SoftmaxCrossEntropy::new().class_weights(w)) as AnyLoss;
    let sigmoid = |w: &[f64]| Box::new(SigmoidCrossEntropy::new().class_weights(w)) as AnyLoss;
    let positive = |w: &[f64]| Box::new(SigmoidCrossEntropy::new().positive_weights(w)) as AnyLoss;
    let either = |w: &[f64], p: &[f64]| {
        Box::new(
            SigmoidCrossEntropy::new()
                .class_weights(w)
                .positive_weights(p),
        ) as AnyLoss
    };
    let smooth = |e| Box::new(SoftmaxCrossEntropy::new().label_smoothing(e)) as AnyLoss;
    let blur = |e| Box::new(SigmoidCrossEntropy::new().label_smoothing(e)) as AnyLoss;
    let cases: Vec<(AnyLoss, ErrorKind, &str)> = vec![
        (
            huber(0.0),
            Value,
            "Huber: got 0, expected a finite δ above 0",
        ),
        (
            huber(-1.0),
            Value,
            "Huber: got -1, expected a finite δ above 0",
        ),
        (
            huber(NAN),
            Value,
            "Huber: got NaN, expected a finite δ above 0",
        ),
        (
            huber(INFINITY),
            Value,
            "Huber: got inf, expected a finite δ above 0",
        ),
        (
            smooth(1.5),
            Value,
            "label smoothing of SoftmaxCrossEntropy: got 1.5, expected a number in [0, 1]",
        ),
        (
            smooth(-0.1),
            Value,
            "label smoothing of SoftmaxCrossEntropy: got -0.1, expected a number in [0, 1]",
        ),
        (
            smooth(NAN),
            Value,
            "label smoothing of SoftmaxCrossEntropy: got NaN, expected a number in [0, 1]",
        ),
        (
            blur(1.5),
            Value,
            "label smoothing of SigmoidCrossEntropy: got 1.5, expected a number in [0, 1]",
        ),
        (
            blur(NAN),
            Value,
            "label smoothing of SigmoidCrossEntropy: got NaN, expected a number in [0, 1]",
        ),
        (
            softmax(&[1.0]),
            Shape,
            "class weights of SoftmaxCrossEntropy: got 1, expected 2 weights, one per output",
        ),
        (
            softmax(&[1.0; 3]),
            Shape,
            "class weights of SoftmaxCrossEntropy: got 3, expected 2 weights, one per output",
        ),
        (
            softmax(&[1.0, -1.0]),
            Value,
            "class weights of SoftmaxCrossEntropy, weight 1: got -1, expected a finite weight ≥ 0",
        ),
        (
            softmax(&[NAN, 1.0]),
            Value,
            "class weights of SoftmaxCrossEntropy, weight 0: got NaN, expected a finite weight ≥ 0",
        ),
        (
            sigmoid(&[1.0; 3]),
            Shape,
            "class weights of SigmoidCrossEntropy: got 3, expected 2 weights, one per output",
        ),
        (
            sigmoid(&[1.0, INFINITY]),
            Value,
            "class weights of SigmoidCrossEntropy, weight 1: got inf, expected a finite weight ≥ 0",
        ),
        (
            positive(&[1.0]),
            Shape,
            "positive weights of SigmoidCrossEntropy: got 1, expected 2 weights, one per output",
        ),
        (
            positive(&[-0.5, 1.0]),
            Value,
            "positive weights of SigmoidCrossEntropy, weight 0: got -0.5, expected a finite weight \
             ≥ 0",
        ),
        (
            softmax(&[0.0; 2]),
            Value,
            "class weights of SoftmaxCrossEntropy: got none, expected at least 1 weight above 0",
        ),
        (
            sigmoid(&[0.0; 2]),
            Value,
            "class weights of SigmoidCrossEntropy: got none, expected at least 1 weight above 0",
        ),
        (
            positive(&[0.0; 2]),
            Value,
            "positive weights of SigmoidCrossEntropy: got none, expected at least 1 weight above 0",
        ),
        // No output has both.
        (
            either(&[1.0, 0.0], &[0.0, 1.0]),
            Value,
            "positive weights of SigmoidCrossEntropy: got none, expected at least 1 weight above 0",
        ),
    ];
    let net = net();
    let (x, t) = (samples(2), DMatrix::from_element(2, 4, 0.5));
    for (loss, kind, text) in cases.into_iter().chain(settings()) {
        let mut tape = warm_tape(&net);
        let before = format!("{tape:?}");
        refused(loss.check(2), kind, text);
        refused(loss.value((&x).into(), (&t).into()), kind, text);
        refused(loss.gradient((&x).into(), (&t).into()), kind, text);
        refused(gradcheck::loss(&*loss, &x, &t), kind, text);
        refused(net.cost(&x, &t, &*loss, &mut tape), kind, text);
        refused(net.gradient(&x, &t, &*loss, &mut tape), kind, text);
        assert_eq!(format!("{tape:?}"), before);
    }
}

/// Settings of losses that are out of range.
fn settings() -> Vec<(AnyLoss, ErrorKind, &'static str)> {
    vec![
        (
            Box::new(SmoothL1::new(0.0)),
            Value,
            "SmoothL1: got 0, expected a finite β above 0 (for 0 take MeanAbsoluteError)",
        ),
        (
            Box::new(Quantile::new(&[0.5, 1.0])),
            Value,
            "level 1 of Quantile: got 1, expected a level in (0, 1)",
        ),
        (
            Box::new(Expectile::new(&[NAN])),
            Value,
            "level 0 of Expectile: got NaN, expected a level in (0, 1)",
        ),
        (
            Box::new(Quantile::new(&[])),
            Empty,
            "levels of Quantile: got 0, expected at least 1 level",
        ),
        (
            Box::new(Quantile::new(&[0.1, 0.5, 0.9])),
            Incompatible,
            "outputs of Quantile: got 2, expected a multiple of 3: one per target and level",
        ),
        (
            Box::new(SoftmaxFocal::new(-1.0)),
            Value,
            "gamma of SoftmaxFocal: got -1, expected a finite γ ≥ 0",
        ),
        (
            Box::new(SoftmaxFocal::new(2.0).class_weights(&[1.0])),
            Shape,
            "class weights of SoftmaxFocal: got 1, expected 2 weights, one per output",
        ),
        (
            Box::new(SigmoidFocal::new(INFINITY)),
            Value,
            "gamma of SigmoidFocal: got inf, expected a finite γ ≥ 0",
        ),
        (
            Box::new(SigmoidFocal::new(2.0).alpha(1.5)),
            Value,
            "alpha of SigmoidFocal: got 1.5, expected an α in [0, 1]",
        ),
        (
            Box::new(GeneralizedCrossEntropy::new(0.0)),
            Value,
            "q of GeneralizedCrossEntropy: got 0, expected a q in (0, 1] (for its limit 0 take \
             SoftmaxCrossEntropy)",
        ),
        (
            Box::new(Poly1CrossEntropy::new(-1.5)),
            Value,
            "epsilon of Poly1CrossEntropy: got -1.5, expected a finite ε ≥ −1",
        ),
        (
            Box::new(MultiMargin::new().margin(-1.0)),
            Value,
            "margin of MultiMargin: got -1, expected a finite margin ≥ 0",
        ),
        (
            Box::new(HingeEmbedding::new(NAN)),
            Value,
            "margin of HingeEmbedding: got NaN, expected a finite margin ≥ 0",
        ),
        (
            Box::new(Reduced::new(SmoothL1::new(-1.0), Reduction::WeightedMean)),
            Value,
            "SmoothL1: got -1, expected a finite β above 0 (for 0 take MeanAbsoluteError)",
        ),
    ]
}

/// No weight at all is a wrong number of weights too.
#[test]
fn losses_with_an_empty_list_of_weights() {
    let text = |what: &str| format!("{what}: got 0, expected 2 weights, one per output");
    refused(
        Loss::<f64>::check(&SoftmaxCrossEntropy::new().class_weights(&[]), 2),
        Shape,
        &text("class weights of SoftmaxCrossEntropy"),
    );
    refused(
        Loss::<f64>::check(&SigmoidCrossEntropy::new().class_weights(&[]), 2),
        Shape,
        &text("class weights of SigmoidCrossEntropy"),
    );
    refused(
        Loss::<f64>::check(&SigmoidCrossEntropy::new().positive_weights(&[]), 2),
        Shape,
        &text("positive weights of SigmoidCrossEntropy"),
    );
}

#[test]
fn losses_with_bad_targets() {
    let probability =
        "a probability in [0, 1] (one_hot makes them of labels; for numbers take MeanSquaredError)";
    let unit = "a number in [0, 1] (for −1 and 1 take Hinge, for numbers MeanSquaredError)";
    let side = "−1 or 1 (for 0 and 1 take SigmoidCrossEntropy, for numbers MeanSquaredError)";
    let cases: Vec<(AnyLoss, &str, Vec<f64>)> = vec![
        (
            Box::new(SumSquaredError),
            "a finite number",
            vec![NAN, INFINITY, NEG_INFINITY],
        ),
        (
            Box::new(QuadraticCost),
            "a finite number",
            vec![NAN, INFINITY],
        ),
        (
            Box::new(MeanSquaredError),
            "a finite number",
            vec![NAN, INFINITY],
        ),
        (
            Box::new(MeanAbsoluteError),
            "a finite number",
            vec![NAN, INFINITY],
        ),
        (
            Box::new(Huber::new(1.0)),
            "a finite number",
            vec![NAN, NEG_INFINITY],
        ),
        (Box::new(LogCosh), "a finite number", vec![NAN, INFINITY]),
        (
            Box::new(SoftmaxCrossEntropy::new()),
            probability,
            vec![-0.5, 12.5, 30.1, NAN, INFINITY],
        ),
        (
            Box::new(SigmoidCrossEntropy::new()),
            unit,
            vec![1.5, -0.5, NAN, INFINITY],
        ),
        (
            Box::new(CategoricalCrossEntropy),
            probability,
            vec![-0.5, 12.5, 30.1, NAN, INFINITY],
        ),
        (
            Box::new(KlDivergence),
            probability,
            vec![-0.5, 12.5, 30.1, NAN, INFINITY],
        ),
        (Box::new(Hinge), side, vec![0.5, 0.0, NAN, INFINITY]),
        (Box::new(SquaredHinge), side, vec![0.0, NAN]),
        (Box::new(HingeEmbedding::new(1.0)), side, vec![2.0, NAN]),
        (
            Box::new(CategoricalHinge),
            probability,
            vec![-1.0, 1.5, NAN],
        ),
        (Box::new(MultiMargin::new()), probability, vec![-1.0, NAN]),
        (Box::new(SoftmaxFocal::new(2.0)), probability, vec![1.5]),
        (
            Box::new(GeneralizedCrossEntropy::new(0.7)),
            probability,
            vec![-0.5],
        ),
        (
            Box::new(Poly1CrossEntropy::new(1.0)),
            probability,
            vec![1.5],
        ),
        (Box::new(NegativeLogLikelihood), probability, vec![-0.5]),
        (Box::new(BinaryCrossEntropy), unit, vec![1.5, -1.0, NAN]),
        (
            Box::new(SigmoidFocal::new(2.0)),
            "a number in [0, 1] (for numbers take MeanSquaredError)",
            vec![-1.0, NAN],
        ),
        (
            Box::new(MeanAbsolutePercentageError),
            "a finite number other than 0 (where targets can be 0 take MeanAbsoluteError)",
            vec![0.0, INFINITY],
        ),
        (
            Box::new(MeanSquaredLogarithmicError),
            "a finite number ≥ 0 (for others take MeanSquaredError)",
            vec![-0.5, NAN, INFINITY],
        ),
        (
            Box::new(Quantile::new(&[0.5])),
            "a finite number",
            vec![NAN, INFINITY],
        ),
    ];
    let simplex = build(dense(2, Activation::Linear).layer(Softmax));
    let logarithms = build(dense(2, Activation::Linear).layer(LogSoftmax));
    for (loss, expected, bad) in cases {
        let net = if loss.accepts(OutputRange::Real) {
            net()
        } else if loss.accepts(OutputRange::Simplex) {
            simplex.clone()
        } else {
            logarithms.clone()
        };
        for given in bad {
            let x = DMatrix::from_element(2, 4, 0.5);
            let mut t = DMatrix::from_element(2, 4, 1.0);
            t[(1, 2)] = given;
            let kind = if given.is_finite() { Value } else { NotFinite };
            let text = format!(
                "target of {}, row 1, column 2: got {given}, expected {expected}",
                loss.name()
            );
            let mut tape = warm_tape(&net);
            let before = format!("{tape:?}");
            refused(loss.check_targets((&t).into()), kind, &text);
            refused(loss.value((&x).into(), (&t).into()), kind, &text);
            refused(loss.gradient((&x).into(), (&t).into()), kind, &text);
            refused(gradcheck::loss(&*loss, &x, &t), kind, &text);
            refused(net.cost(&x, &t, &*loss, &mut tape), kind, &text);
            refused(net.gradient(&x, &t, &*loss, &mut tape), kind, &text);
            assert_eq!(format!("{tape:?}"), before);
        }
    }
}

/// A cost that is 0 whatever the network says is no cost: the one class of one output has the
/// probability 1.
#[test]
fn losses_of_classes_on_one_output() {
    let losses: [&dyn Loss<f64>; 9] = [
        &SoftmaxCrossEntropy::new(),
        &CategoricalCrossEntropy,
        &KlDivergence,
        &NegativeLogLikelihood,
        &SoftmaxFocal::new(2.0),
        &GeneralizedCrossEntropy::new(0.7),
        &Poly1CrossEntropy::new(1.0),
        &CategoricalHinge,
        &MultiMargin::new(),
    ];
    for loss in losses {
        let (y, t) = (samples(1), DMatrix::from_element(1, 4, 1.0));
        let text = format!(
            "outputs of {}: got 1, expected at least 2 outputs, one per class (for yes or no take \
             SigmoidCrossEntropy, for numbers MeanSquaredError)",
            loss.name()
        );
        refused(loss.check(1), Incompatible, &text);
        refused(loss.value((&y).into(), (&t).into()), Incompatible, &text);
        refused(loss.gradient((&y).into(), (&t).into()), Incompatible, &text);
        let top = Sequential::builder(2).layer(Dense::new(1, Activation::Linear));
        let mut net = build(if loss.accepts(OutputRange::Real) {
            top
        } else if loss.accepts(OutputRange::Simplex) {
            top.layer(Softmax)
        } else {
            top.layer(LogSoftmax)
        });
        let before = net.clone();
        let fit = Trainer::new(Borrowed(loss), Sgd::new())
            .fit(&mut net, &Dataset::new(samples(2), t).expect("sound data"));
        refused(fit, Incompatible, &format!("training data: {text}"));
        assert_eq!(net, before);
        assert!(loss.check(2).is_ok());
    }
}

#[test]
fn losses_on_wrong_shapes() {
    macro_rules! all {
        ($($file:ident::$loss:ident { $($made:expr),+ })+) => {
            [$($(Box::new($made) as AnyLoss,)+)+]
        };
    }
    let ones = |rows, cols| DMatrix::from_element(rows, cols, 1.0);
    for loss in chainrule::every_loss!(all) {
        let name = loss.name();
        let y = ones(2, 4);
        let expected = format!("{} × 4", loss.targets(2));
        for (t, given) in [
            (ones(2, 3), "2 × 3"),
            (ones(3, 4), "3 × 4"),
            (ones(4, 2), "4 × 2"),
            (ones(1, 1), "1 × 1"),
        ] {
            let text = format!("targets of {name}: got {given}, expected {expected}");
            refused(loss.value((&y).into(), (&t).into()), Shape, &text);
            refused(loss.gradient((&y).into(), (&t).into()), Shape, &text);
            refused(gradcheck::loss(&*loss, &y, &t), Shape, &text);
        }
        for (empty, given) in [
            (ones(2, 0), "2 × 0"),
            (ones(0, 4), "0 × 4"),
            (ones(0, 0), "0 × 0"),
        ] {
            let text =
                format!("{name}: got {given}, expected at least 1 sample of at least 1 output");
            refused(loss.value((&empty).into(), (&empty).into()), Empty, &text);
            refused(
                loss.gradient((&empty).into(), (&empty).into()),
                Empty,
                &text,
            );
            refused(gradcheck::loss(&*loss, &empty, &empty), Empty, &text);
        }
    }
}

// -------------------------------------------------------------------------------------------------
// Optimizers

/// A step that must fail and leave the parameters and the optimizer as they were.
#[track_caller]
fn step_refused<T: chainrule::Real>(
    optimizer: &mut dyn Optimizer<T>,
    lr: f64,
    params: &[T],
    grads: &[T],
    groups: &[Group],
    kind: ErrorKind,
    text: &str,
) {
    let (mut changed, before) = (params.to_vec(), format!("{optimizer:?}"));
    refused(optimizer.step(lr, &mut changed, grads, groups), kind, text);
    assert_eq!(changed, params, "parameters changed");
    assert_eq!(format!("{optimizer:?}"), before, "the optimizer changed");
}

/// One of each rule, after a step on three parameters.
fn stepped() -> Vec<(&'static str, AnyOptimizer)> {
    let mut all: Vec<(&'static str, AnyOptimizer)> = vec![
        ("Sgd", Box::new(Sgd::new())),
        ("Sgd", Box::new(Sgd::new().momentum(0.9))),
        ("Sgd", Box::new(Sgd::new().momentum(0.9).dampening(0.5))),
        ("Sgd", Box::new(Sgd::new().momentum(0.9).nesterov())),
        ("Adam", Box::new(Adam::new())),
    ];
    for (_, optimizer) in &mut all {
        optimizer
            .step(0.1, &mut [1.0, 2.0, 3.0], &[0.1, 0.2, 0.3], &Group::all(3))
            .expect("a sound step");
    }
    all
}

#[test]
fn optimizers_with_bad_hyper_parameters() {
    let (sgd, adam) = (Sgd::<f64>::new, Adam::<f64>::new);
    let fraction = "expected a number in [0, 1)";
    let mut cases: Vec<(AnyOptimizer, String)> = vec![];
    for (bad, given) in [
        (1.0, "1"),
        (-1.0, "-1"),
        (-0.1, "-0.1"),
        (NAN, "NaN"),
        (INFINITY, "inf"),
    ] {
        cases.push((
            Box::new(sgd().momentum(bad)),
            format!("momentum of Sgd: got {given}, {fraction}"),
        ));
        cases.push((
            Box::new(sgd().momentum(0.9).dampening(bad)),
            format!("dampening of Sgd: got {given}, {fraction}"),
        ));
        cases.push((
            Box::new(adam().beta1(bad)),
            format!("beta1 of Adam: got {given}, {fraction}"),
        ));
        cases.push((
            Box::new(adam().beta2(bad)),
            format!("beta2 of Adam: got {given}, {fraction}"),
        ));
    }
    for (bad, given) in [
        (0.0, "0"),
        (-1e-8, "-0.00000001"),
        (NAN, "NaN"),
        (INFINITY, "inf"),
    ] {
        cases.push((
            Box::new(adam().eps(bad)),
            format!("eps of Adam: got {given}, expected a finite number above 0"),
        ));
    }
    let nesterov = |given: &str| {
        format!("nesterov of Sgd: got {given}, expected a momentum above 0 and no dampening")
    };
    cases.push((
        Box::new(sgd().nesterov()),
        nesterov("momentum 0 and dampening 0"),
    ));
    cases.push((
        Box::new(sgd().momentum(0.9).dampening(0.5).nesterov()),
        nesterov("momentum 0.9 and dampening 0.5"),
    ));
    for (mut optimizer, text) in cases {
        refused(optimizer.check(), Value, &text);
        step_refused(
            &mut *optimizer,
            0.1,
            &[1.0, 2.0],
            &[0.1, 0.2],
            &Group::all(2),
            Value,
            &text,
        );
    }
}

#[test]
fn steps_at_bad_rates() {
    for (rule, mut optimizer) in stepped() {
        for (lr, given) in [(NAN, "NaN"), (-0.1, "-0.1"), (INFINITY, "inf")] {
            let text = format!("lr of {rule}::step: got {given}, expected a finite rate ≥ 0");
            step_refused(
                &mut *optimizer,
                lr,
                &[1.0, 2.0, 3.0],
                &[0.1, 0.2, 0.3],
                &Group::all(3),
                Value,
                &text,
            );
        }
    }
}

#[test]
fn steps_of_wrong_lengths() {
    for (rule, mut optimizer) in stepped() {
        for grads in [&[0.1, 0.2][..], &[0.1, 0.2, 0.3, 0.4], &[]] {
            let text = format!(
                "grads of {rule}::step: got {}, expected 3 numbers, as many as parameters",
                grads.len()
            );
            step_refused(
                &mut *optimizer,
                0.1,
                &[1.0, 2.0, 3.0],
                grads,
                &Group::all(3),
                Shape,
                &text,
            );
        }
        // Plain descent remembers nothing that could be too short.
        if optimizer.state().slots.is_empty() {
            continue;
        }
        for now in [2, 4, 0] {
            let text = format!(
                "params of {rule}::step: got {now}, expected 3 parameters, as in the steps before"
            );
            step_refused(
                &mut *optimizer,
                0.1,
                &vec![1.0; now],
                &vec![0.1; now],
                &Group::all(now),
                Shape,
                &text,
            );
        }
    }
}

#[test]
fn steps_with_bad_groups() {
    let group = |range, rate, decay| Group {
        rate,
        decay,
        ..Group::new(range)
    };
    let range = |index: usize, free: usize, given: &str| {
        (
            Shape,
            format!(
                "group {index}: got {given}, expected a range within {free}..3, after the group \
                 before"
            ),
        )
    };
    let number = |name: &str, index: usize, given: &str| {
        (
            Value,
            format!("{name} of group {index}: got {given}, expected a finite number ≥ 0"),
        )
    };
    #[allow(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let backward = 2..1;
    let cases = vec![
        (
            vec![],
            (
                Empty,
                "groups: got 0, expected at least 1 group, or nothing is trained".into(),
            ),
        ),
        (vec![group(0..4, 1.0, 0.0)], range(0, 0, "0..4")),
        (vec![group(4..5, 1.0, 0.0)], range(0, 0, "4..5")),
        (
            vec![group(0..usize::MAX, 1.0, 0.0)],
            range(0, 0, &format!("0..{}", usize::MAX)),
        ),
        (vec![group(backward, 1.0, 0.0)], range(0, 0, "2..1")),
        // The second overlaps the first, lies before it, reaches beyond.
        (
            vec![group(0..2, 1.0, 0.0), group(1..3, 1.0, 0.0)],
            range(1, 2, "1..3"),
        ),
        (
            vec![group(2..3, 1.0, 0.0), group(0..2, 1.0, 0.0)],
            range(1, 3, "0..2"),
        ),
        (
            vec![group(0..1, 1.0, 0.0), group(1..4, 1.0, 0.0)],
            range(1, 1, "1..4"),
        ),
        (vec![group(0..3, NAN, 0.0)], number("rate", 0, "NaN")),
        (vec![group(0..3, -1.0, 0.0)], number("rate", 0, "-1")),
        (vec![group(0..3, INFINITY, 0.0)], number("rate", 0, "inf")),
        (
            vec![group(0..1, 1.0, 0.0), group(1..3, 1.0, -0.5)],
            number("decay", 1, "-0.5"),
        ),
        (vec![group(0..3, 1.0, NAN)], number("decay", 0, "NaN")),
        // Of a group that is frozen, too.
        (vec![group(0..3, 0.0, INFINITY)], number("decay", 0, "inf")),
    ];
    for (groups, (kind, text)) in cases {
        for (_, mut optimizer) in stepped() {
            step_refused(
                &mut *optimizer,
                0.1,
                &[1.0, 2.0, 3.0],
                &[0.1, 0.2, 0.3],
                &groups,
                kind,
                &text,
            );
        }
        let mut net = build(Sequential::builder(2).layer(Dense::new(1, Activation::Linear)));
        let before = net.clone();
        let data = Dataset::new(samples(2), samples(1)).expect("sound data");
        let mut trainer = Trainer::new(QuadraticCost, Adam::new()).groups(groups);
        refused(trainer.fit(&mut net, &data), kind, &text);
        assert_eq!(
            (net, trainer.epoch(), trainer.optimizer().state().step),
            (before, 0, 0)
        );
    }
}

#[test]
fn states_of_another_rule() {
    let state = |rule: &str, slots: Vec<Vec<f64>>| OptimizerState {
        rule: rule.into(),
        step: 3,
        slots,
        ..OptimizerState::default()
    };
    let ones = |n: usize| vec![1.0; n];
    let text = |expected: &str, given: &str| {
        format!("Optimizer::restore: got {given}, expected a state of {expected} of one length")
    };
    let plain = "Sgd with 0 vectors";
    let momentum = "Sgd with 1 vectors";
    let adam = "Adam with 2 vectors";
    let cases: Vec<(AnyOptimizer, OptimizerState<f64>, String)> = vec![
        (
            Box::new(Adam::new()),
            state("Sgd", vec![ones(3)]),
            text(adam, "Sgd after 3 steps with vectors of [3]"),
        ),
        (
            Box::new(Adam::new()),
            state("Sgd", vec![ones(3), ones(3)]),
            text(adam, "Sgd after 3 steps with vectors of [3, 3]"),
        ),
        (
            Box::new(Adam::new()),
            state("Adam", vec![ones(3)]),
            text(adam, "Adam after 3 steps with vectors of [3]"),
        ),
        (
            Box::new(Adam::new()),
            state("Adam", vec![ones(3), ones(2)]),
            text(adam, "Adam after 3 steps with vectors of [3, 2]"),
        ),
        (
            Box::new(Adam::new()),
            state("", vec![]),
            text(adam, " after 3 steps with vectors of []"),
        ),
        (
            Box::new(Sgd::new()),
            state("Sgd", vec![ones(3)]),
            text(plain, "Sgd after 3 steps with vectors of [3]"),
        ),
        (
            Box::new(Sgd::new().momentum(0.9)),
            state("Sgd", vec![]),
            text(momentum, "Sgd after 3 steps with vectors of []"),
        ),
        (
            Box::new(Sgd::new().momentum(0.9)),
            state("Adam", vec![ones(3)]),
            text(momentum, "Adam after 3 steps with vectors of [3]"),
        ),
    ];
    for (mut optimizer, state, text) in cases {
        optimizer
            .step(0.1, &mut [1.0, 2.0], &[0.1, 0.2], &Group::all(2))
            .expect("a sound step");
        let before = format!("{optimizer:?}");
        refused(optimizer.restore(&state), Incompatible, &text);
        assert_eq!(format!("{optimizer:?}"), before);
    }
}

/// A state of this rule but of another network shows at the next step.
#[test]
fn states_of_another_length() {
    let mut adam = Adam::<f64>::new();
    adam.restore(&OptimizerState {
        rule: "Adam".into(),
        step: 3,
        slots: vec![vec![1.0; 3]; 2],
        ..OptimizerState::default()
    })
    .expect("a state of this rule");
    let text = "params of Adam::step: got 2, expected 3 parameters, as in the steps before";
    step_refused(
        &mut adam,
        0.1,
        &[1.0, 2.0],
        &[0.1, 0.2],
        &Group::all(2),
        Shape,
        text,
    );
    // A step has been counted, but its vectors are missing; and the other way round.
    for (step, length) in [(3, 0), (0, 3)] {
        let state = OptimizerState {
            rule: "Adam".into(),
            step,
            slots: vec![vec![1.0; length]; 2],
            ..OptimizerState::default()
        };
        let given = format!("got Adam after {step} steps with vectors of [{length}, {length}]");
        let text = format!(
            "Optimizer::restore: {given}, expected a state of Adam with 2 vectors of one length"
        );
        refused(adam.restore(&state), Incompatible, &text);
    }
}

/// A saved state may hold any count, the last one too: that is refused or counted, but no panic.
#[test]
fn states_of_the_last_step() {
    for slots in [vec![], vec![vec![1.0]]] {
        let mut sgd = if slots.is_empty() {
            Sgd::<f64>::new()
        } else {
            Sgd::new().momentum(0.9)
        };
        let state = OptimizerState {
            rule: "Sgd".into(),
            step: u64::MAX,
            slots,
            ..OptimizerState::default()
        };
        let mut p = [1.0];
        let result = sgd
            .restore(&state)
            .and_then(|()| sgd.step(0.5, &mut p, &[1.0], &Group::all(1)));
        assert_eq!(
            p[0] == 1.0,
            result.is_err(),
            "a step that failed has changed {p:?}, or one that did not has not"
        );
    }
}

/// A hyper-parameter that is sound in `f64` but 0 or infinite in `f32` is out of range there.
#[test]
fn numbers_beyond_f32() {
    let build = |layer: Dense| {
        Sequential::<f32>::builder(1)
            .layer(layer)
            .build_with(&mut rng(1))
            .map(drop)
    };
    let step = |optimizer: &mut dyn Optimizer<f32>, lr, rate, decay| {
        optimizer.step(
            lr,
            &mut [1.0],
            &[0.0],
            &[Group {
                rate,
                decay,
                ..Group::new(0..1)
            }],
        )
    };
    let cases = [
        (
            "a constant that becomes ∞",
            build(Dense::new(1, Activation::Linear).init(Init::Constant(1e39))),
        ),
        (
            "a gain that becomes ∞",
            build(Dense::new(1, Activation::Linear).init(Init::Orthogonal { gain: 1e39 })),
        ),
        (
            "bounds that become ∞",
            build(Dense::new(1, Activation::Linear).init(Init::Uniform {
                low: 1e39,
                high: 1e39,
            })),
        ),
        (
            "a slope that becomes ∞",
            build(Dense::new(1, Activation::LeakyRelu { slope: 1e39 })),
        ),
        (
            "an α that becomes ∞",
            build(Dense::new(1, Activation::Elu { alpha: 1e39 })),
        ),
        (
            "a δ that becomes 0",
            Loss::<f32>::check(&Huber::new(1e-50), 1),
        ),
        (
            "a weight that becomes ∞",
            Loss::<f32>::check(&SoftmaxCrossEntropy::new().class_weights(&[1e39, 1.0]), 2),
        ),
        // Where the gradient is 0, so is the root, and 0/0 makes a parameter NaN.
        (
            "an ε that becomes 0",
            step(&mut Adam::new().eps(1e-50), 0.1, 1.0, 0.0),
        ),
        (
            "a rate that becomes ∞",
            step(&mut Sgd::new(), 1e39, 1.0, 0.0),
        ),
        (
            "a rate that becomes ∞ in a group",
            step(&mut Sgd::new(), 1.0, 1e39, 0.0),
        ),
        (
            "a decay that becomes ∞",
            step(&mut Sgd::new(), 1.0, 1.0, 1e39),
        ),
    ];
    let accepted: Vec<_> = cases
        .iter()
        .filter(|(_, result)| result.is_ok())
        .map(|(name, _)| *name)
        .collect();
    assert!(accepted.is_empty(), "accepted: {accepted:?}");
}

/// Breakpoints that are sound in `f64` but not in the network's scalar.
#[test]
fn breakpoints_beyond_f32() {
    for points in [
        [(0.0, 0.0), (1.0, 1e300)],
        [(0.0, 0.0), (1e-300, 1.0)],
        [(1.0, 0.0), (1.0 + 1e-12, 0.0)],
    ] {
        let points = Breakpoints::new(&points).expect("sound in f64");
        let error = Sequential::<f32>::builder(1)
            .layer(Activation::from(points))
            .build_with(&mut rng(1))
            .expect_err("too fine for f32");
        assert_eq!(error.kind(), Value);
        assert!(
            error
                .to_string()
                .contains("finite and apart in the network's scalar"),
            "{error}"
        );
    }
}

/// Two finite rates whose product is not.
#[test]
fn rates_whose_product_overflows() {
    let groups = [Group {
        rate: 1e200,
        ..Group::new(0..1)
    }];
    let mut p = [1.0];
    let result = Sgd::<f64>::new().step(1e200, &mut p, &[0.0], &groups);
    assert!(
        result.is_err(),
        "accepted, and a gradient of 0 has made {p:?} of [1]"
    );
    assert_eq!(p, [1.0]);
}

// -------------------------------------------------------------------------------------------------
// Data

#[test]
fn datasets() {
    let ones = |rows, cols| DMatrix::from_element(rows, cols, 1.0);
    let empty = "expected at least 1 row and 1 column (sample)";
    refused(
        Dataset::new(ones(2, 0), ones(1, 0)),
        Empty,
        &format!("inputs of Dataset: got 2 × 0, {empty}"),
    );
    refused(
        Dataset::new(ones(0, 4), ones(1, 4)),
        Empty,
        &format!("inputs of Dataset: got 0 × 4, {empty}"),
    );
    refused(
        Dataset::new(ones(2, 4), ones(0, 4)),
        Empty,
        &format!("targets of Dataset: got 0 × 4, {empty}"),
    );
    refused(
        Dataset::new(ones(0, usize::MAX), ones(1, 4)),
        Empty,
        &format!("inputs of Dataset: got 0 × {}, {empty}", usize::MAX),
    );
    refused(
        Dataset::new(ones(2, 4), ones(1, 3)),
        Shape,
        "targets of Dataset: got 3, expected 4 columns, one per sample of the inputs",
    );
    for (bad, given) in [(NAN, "NaN"), (INFINITY, "inf"), (NEG_INFINITY, "-inf")] {
        let mut x = ones(2, 4);
        x[(1, 2)] = bad;
        refused(
            Dataset::new(x.clone(), ones(1, 4)),
            NotFinite,
            &format!("inputs of Dataset, row 1, column 2: got {given}, expected a finite number"),
        );
        refused(
            Dataset::new(ones(1, 4), x),
            NotFinite,
            &format!("targets of Dataset, row 1, column 2: got {given}, expected a finite number"),
        );
    }

    let six = [1.0; 6];
    refused(
        Dataset::from_rows(&six, 4, &six, 1),
        Shape,
        "inputs of Dataset: View::new: got 6, expected a multiple of 4 numbers",
    );
    refused(
        Dataset::from_rows(&six, 2, &six, 4),
        Shape,
        "targets of Dataset: View::new: got 6, expected a multiple of 4 numbers",
    );
    refused(
        Dataset::from_rows(&six, 0, &six, 1),
        Value,
        "inputs of Dataset: View::new: got 0, expected at least 1 row",
    );
    refused(
        Dataset::from_rows(&six, 1, &six, 0),
        Value,
        "targets of Dataset: View::new: got 0, expected at least 1 row",
    );
    refused(
        Dataset::from_rows(&six, 2, &six, 1),
        Shape,
        "targets of Dataset: got 6, expected 3 columns, one per sample of the inputs",
    );
    refused(
        Dataset::<f64>::from_rows(&[], 2, &[], 1),
        Empty,
        &format!("inputs of Dataset: got 2 × 0, {empty}"),
    );
    refused(
        Dataset::<f64>::from_rows(&[], usize::MAX, &[], 1),
        Empty,
        &format!("inputs of Dataset: got {} × 0, {empty}", usize::MAX),
    );

    let data = Dataset::new(samples(2), samples(1)).expect("sound data");
    refused(
        data.clone().map_inputs(|_| Ok(ones(2, 3))),
        Shape,
        "targets of Dataset: got 4, expected 3 columns, one per sample of the inputs",
    );
    refused(
        data.clone().map_inputs(|_| Ok(ones(2, 0))),
        Empty,
        &format!("inputs of Dataset: got 2 × 0, {empty}"),
    );
    refused(
        data.clone().map_targets(|_| Ok(ones(1, 5))),
        Shape,
        "targets of Dataset: got 5, expected 4 columns, one per sample of the inputs",
    );
    refused(
        data.map_targets(|t| Ok(t * NAN)),
        NotFinite,
        "targets of Dataset, row 0, column 0: got NaN, expected a finite number",
    );
}

#[test]
fn parts_of_datasets() {
    let data = Dataset::new(samples(2), samples(1)).expect("sound data");
    for (fraction, given) in [
        (0.0, "0"),
        (1.0, "1"),
        (-0.5, "-0.5"),
        (1.5, "1.5"),
        (NAN, "NaN"),
        (INFINITY, "inf"),
    ] {
        refused(
            data.split(fraction, 1),
            Value,
            &format!("Dataset::split: got {given}, expected a fraction between 0 and 1"),
        );
    }
    let one = data.select(&[0]).expect("a sample");
    refused(
        one.split(0.5, 1),
        Empty,
        "Dataset::split: got 1, expected at least 2 samples",
    );
    refused(
        data.select(&[]),
        Empty,
        "Dataset::select: got 0, expected at least 1 index",
    );
    refused(
        data.select(&[0, 3, 4]),
        Value,
        "Dataset::select: got 4, expected indices below 4",
    );
    refused(
        data.select(&[usize::MAX]),
        Value,
        &format!(
            "Dataset::select: got {}, expected indices below 4",
            usize::MAX
        ),
    );
}

#[test]
fn labels() {
    refused(
        one_hot::<f64>(&[], 3),
        Empty,
        "one_hot: got 0 and 3, expected at least 1 label and 1 class",
    );
    refused(
        one_hot::<f64>(&[0], 0),
        Empty,
        "one_hot: got 1 and 0, expected at least 1 label and 1 class",
    );
    refused(
        one_hot::<f64>(&[0, 2, 3], 3),
        Value,
        "label 2 of one_hot: got 3, expected a class below 3 (they count from 0)",
    );
    refused(
        one_hot::<f64>(&[usize::MAX], 3),
        Value,
        &format!(
            "label 0 of one_hot: got {}, expected a class below 3 (they count from 0)",
            usize::MAX
        ),
    );
}

/// As of a layer's width: what cannot fit into memory is a wrong number, not a panic.
#[test]
fn labels_of_countless_classes() {
    for (labels, classes) in [
        (vec![0], usize::MAX),
        (vec![0, 1, 2], usize::MAX / 2),
        (vec![5], isize::MAX as usize / 4),
    ] {
        let error = one_hot::<f64>(&labels, classes).expect_err("no machine has the memory");
        assert_eq!(error.kind(), Value);
        assert!(error.place().contains("one_hot"), "{error}");
        assert!(error.given().contains(&classes.to_string()), "{error}");
    }
}

#[test]
fn batches_of_none() {
    refused(
        Batches::<f64>::in_order(0),
        Value,
        "size of a batch: got 0, expected at least 1 sample",
    );
    refused(
        Batches::<f64>::shuffled(0, 7),
        Value,
        "size of a batch: got 0, expected at least 1 sample",
    );
}

#[test]
fn scalers() {
    type Make = fn(&DMatrix<f64>) -> Result<Scaler<f64>>;
    let all: [(&str, Make); 4] = [
        ("standard", |x| Scaler::standard(x)),
        ("center", |x| Scaler::center(x)),
        ("min_max", |x| Scaler::min_max(x)),
        ("max_abs", |x| Scaler::max_abs(x)),
    ];
    for (name, make) in all {
        for (rows, cols) in [(2, 0), (0, 4), (0, 0)] {
            let text = format!(
                "Scaler::{name}: got {rows} × {cols}, expected at least 1 row and 1 column (sample)"
            );
            refused(make(&DMatrix::zeros(rows, cols)), Empty, &text);
        }
        for (bad, given) in [(NAN, "NaN"), (INFINITY, "inf"), (NEG_INFINITY, "-inf")] {
            let mut x = samples(2);
            x[(1, 2)] = bad;
            refused(
                make(&x),
                NotFinite,
                &format!("Scaler::{name}, row 1, column 2: got {given}, expected a finite number"),
            );
        }
        let scaler = make(&samples(2)).expect("sound data");
        for rows in [0, 1, 3] {
            let text = |function: &str| {
                format!("Scaler::{function}: got {rows}, expected 2 rows (features)")
            };
            refused(scaler.transform(&samples(rows)), Shape, &text("transform"));
            refused(
                scaler.inverse_transform(&samples(rows)),
                Shape,
                &text("inverse_transform"),
            );
        }
    }
}

/// Numbers that are finite, but whose spread or sum is not.
#[test]
fn scalers_of_too_large_numbers() {
    let wide = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, -MAX, MAX]);
    let error = Scaler::min_max(&wide).expect_err("an infinite scale");
    assert_eq!(
        (error.kind(), error.place()),
        (NotFinite, "Scaler::min_max, row 1")
    );
    assert_eq!(error.expected(), "numbers whose spread is finite");
    assert!(
        error.given().starts_with("shift ") && error.given().contains(" and scale inf"),
        "{error}"
    );
    // Deviations and means of such numbers are finite, although their sums are not.
    assert_eq!(
        Scaler::standard(&wide),
        Scaler::new(vec![1.5, 0.0], vec![0.5, MAX])
    );
    assert_eq!(
        Scaler::center(&DMatrix::from_element(1, 2, MAX)),
        Scaler::new(vec![MAX], vec![1.0])
    );
}

// -------------------------------------------------------------------------------------------------
// Metrics

#[test]
fn metrics_of_bad_predictions() {
    let y = DMatrix::from_column_slice(2, 2, &[0.9, 0.1, 0.8, 0.2]);
    let accuracy = |y: &DMatrix<f64>, t: &DMatrix<f64>| metrics::accuracy(y, t);
    let ones = |rows, cols| DMatrix::from_element(rows, cols, 1.0);
    refused(
        accuracy(&y, &ones(2, 3)),
        Shape,
        "targets of metrics::accuracy: got 2 × 3, expected 2 × 2",
    );
    refused(
        accuracy(&y, &ones(1, 2)),
        Shape,
        "targets of metrics::accuracy: got 1 × 2, expected 2 × 2",
    );
    refused(
        accuracy(&ones(2, 0), &ones(2, 0)),
        Empty,
        "metrics::accuracy: got 2 × 0, expected at least 1 sample of at least 1 output",
    );
    for (rows, cols) in [(2, 0), (0, 4), (0, usize::MAX)] {
        let text = format!(
            "metrics::classes: got {rows} × {cols}, expected at least 1 row and 1 column (sample)"
        );
        refused(
            metrics::classes(&DMatrix::<f64>::zeros(rows, cols)),
            Empty,
            &text,
        );
    }
    let mut unknown = y.clone();
    unknown[(1, 0)] = NAN;
    let text = "metrics::classes, row 1, column 0: got NaN, expected a number";
    refused(metrics::classes(&unknown), NotFinite, text);
    refused(
        metrics::classes(&DMatrix::from_element(1, 2, NAN)),
        NotFinite,
        "metrics::classes, row 0, column 0: got NaN, expected a number",
    );
    let text = text.replace("metrics::classes", "metrics::accuracy");
    refused(
        accuracy(&unknown, &y),
        NotFinite,
        &format!("predictions of {text}"),
    );
    refused(
        accuracy(&y, &unknown),
        NotFinite,
        &format!("targets of {text}"),
    );
}

#[test]
fn confusion_matrices() {
    use metrics::ConfusionMatrix as Matrix;
    refused(
        Matrix::new(&[], &[], 2),
        Empty,
        "ConfusionMatrix::new: got 0, expected at least 1 sample",
    );
    refused(
        Matrix::new(&[0], &[0, 1], 2),
        Shape,
        "predicted labels of ConfusionMatrix: got 1, expected 2",
    );
    refused(
        Matrix::new(&[0, 1, 1], &[0, 1], 2),
        Shape,
        "predicted labels of ConfusionMatrix: got 3, expected 2",
    );
    refused(
        Matrix::new(&[0, 2], &[0, 1], 2),
        Value,
        "predicted label 1 of ConfusionMatrix: got 2, expected a class below 2",
    );
    refused(
        Matrix::new(&[0, 1], &[usize::MAX, 1], 2),
        Value,
        &format!(
            "actual label 0 of ConfusionMatrix: got {}, expected a class below 2",
            usize::MAX
        ),
    );
    refused(
        Matrix::new(&[0], &[0], 0),
        Value,
        "actual label 0 of ConfusionMatrix: got 0, expected a class below 0",
    );
    for classes in [8193, 1 << 32, usize::MAX] {
        refused(
            Matrix::new(&[0], &[0], classes),
            Value,
            &format!("classes of ConfusionMatrix: got {classes}, expected at most 8192"),
        );
    }
}

// -------------------------------------------------------------------------------------------------
// Activations

#[test]
fn texts_that_are_no_activation() {
    let name = |activation: Activation| activation.to_string().split('(').next().map(String::from);
    let names: Vec<String> = Activation::every().filter_map(name).collect();
    let known = format!("expected one of {}, breakpoints(x:y, …)", names.join(", "));
    for text in [
        "swoosh",
        "",
        "Relu",
        "relu(3)",
        "relu()",
        "elu(alpha=1",
        "elu)",
        "breakpoints",
        "elu alpha=1",
        "step surrogate",
    ] {
        refused(
            text.parse::<Activation>(),
            Parse,
            &format!("activation: got {text:?}, {known}"),
        );
    }
    refused(
        "step surrogate swoosh".parse::<Activation>(),
        Parse,
        &format!("activation: got \"swoosh\", {known}"),
    );
    refused(
        "swoosh surrogate tanh".parse::<Activation>(),
        Parse,
        &format!("activation: got \"swoosh\", {known}"),
    );
    refused(
        "elu(alpha=x)".parse::<Activation>(),
        Parse,
        "alpha of elu: got \"x\", expected a number",
    );
    refused(
        "elu()".parse::<Activation>(),
        Parse,
        "alpha of elu: got \"\", expected a number",
    );
    refused(
        "leaky_relu(alpha=1)".parse::<Activation>(),
        Parse,
        "slope of leaky_relu: got \"alpha=1\", expected a number",
    );
    refused(
        "leaky_relu(slope=0.1, 2)".parse::<Activation>(),
        Parse,
        "slope of leaky_relu: got \"0.1, 2\", expected a number",
    );
    refused(
        "elu(alpha=inf)".parse::<Activation>(),
        Value,
        "alpha of elu: got inf, expected a finite number",
    );
    let text = "alpha of celu: got 0, expected a finite number > 0 that the scalar can hold";
    refused("celu(alpha=0)".parse::<Activation>(), Value, text);
    for (given, text) in [
        (
            "threshold(threshold=inf, value=0)",
            "threshold of threshold: got inf, expected a finite number",
        ),
        (
            "threshold(0, value=NaN)",
            "value of threshold: got NaN, expected a finite number",
        ),
        (
            "hard_shrink(lambda=-1)",
            "lambda of hard_shrink: got -1, expected a finite number ≥ 0",
        ),
        (
            "soft_shrink(-1)",
            "lambda of soft_shrink: got -1, expected a finite number ≥ 0",
        ),
    ] {
        refused(given.parse::<Activation>(), Value, text);
    }
    refused(
        "threshold(threshold=1)".parse::<Activation>(),
        Parse,
        "value of threshold: got \"\", expected a number",
    );
    refused(
        "leaky_relu(NaN)".parse::<Activation>(),
        Value,
        "slope of leaky_relu: got NaN, expected a finite number",
    );
    refused(
        "breakpoints()".parse::<Activation>(),
        Parse,
        "breakpoints: got \"\", expected points x:y, x:y, …",
    );
    refused(
        "breakpoints(0:0, 1)".parse::<Activation>(),
        Parse,
        "breakpoints: got \" 1\", expected points x:y, x:y, …",
    );
    refused(
        "breakpoints(1:0, 0:1)".parse::<Activation>(),
        Value,
        "point 1 of Breakpoints: got 0, expected an x above 1",
    );
}

#[test]
fn breakpoints() {
    refused(
        Breakpoints::new(&[]),
        Empty,
        "Breakpoints::new: got 0, expected at least 1 point",
    );
    refused(
        Breakpoints::new(&[(0.0, 1.0), (NAN, 1.0)]),
        NotFinite,
        "point 1 of Breakpoints: got (NaN, 1), expected finite coordinates",
    );
    refused(
        Breakpoints::new(&[(0.0, INFINITY)]),
        NotFinite,
        "point 0 of Breakpoints: got (0, inf), expected finite coordinates",
    );
    refused(
        Breakpoints::new(&[(0.0, 0.0), (0.0, 1.0)]),
        Value,
        "point 1 of Breakpoints: got 0, expected an x above 0",
    );
    refused(
        Breakpoints::new(&[(0.0, 0.0), (1.0, 1.0), (0.5, 1.0)]),
        Value,
        "point 2 of Breakpoints: got 0.5, expected an x above 1",
    );
    // A slope beyond all numbers.
    let error = Breakpoints::new(&[(0.0, 0.0), (1e-300, 1e300)]).expect_err("an infinite slope");
    assert_eq!(
        (error.kind(), error.place()),
        (Value, "point 1 of Breakpoints")
    );
    let sound = Breakpoints::new(&[(0.0, 0.0), (1.0, 1.0)]).expect("sound points");
    refused(
        sound.clone().slopes(NAN, 0.0),
        NotFinite,
        "Breakpoints::slopes: got NaN and 0, expected finite slopes",
    );
    refused(
        sound.slopes(0.0, NEG_INFINITY),
        NotFinite,
        "Breakpoints::slopes: got 0 and -inf, expected finite slopes",
    );

    refused(
        "0:0; 1".parse::<Breakpoints>(),
        Parse,
        "breakpoints: got \" 1\", expected two slopes after the semicolon",
    );
    refused(
        "0:0; 1, x".parse::<Breakpoints>(),
        Parse,
        "breakpoints: got \" 1, x\", expected two slopes after the semicolon",
    );
    refused(
        "0:0; inf, 0".parse::<Breakpoints>(),
        NotFinite,
        "Breakpoints::slopes: got inf and 0, expected finite slopes",
    );
    refused(
        "".parse::<Breakpoints>(),
        Parse,
        "breakpoints: got \"\", expected points x:y, x:y, …",
    );
    refused(
        "0:0, a:b".parse::<Breakpoints>(),
        Parse,
        "breakpoints: got \" a:b\", expected points x:y, x:y, …",
    );
    refused(
        "nan:0".parse::<Breakpoints>(),
        NotFinite,
        "point 0 of Breakpoints: got (NaN, 0), expected finite coordinates",
    );
}

/// What is refused must say so truly: the x of these points do increase.
#[test]
fn breakpoints_too_close_say_so() {
    let error = Breakpoints::new(&[(0.0, 0.0), (1e-300, 1e300)]).expect_err("an infinite slope");
    assert!(
        !error.expected().starts_with("an x above 0"),
        "1e-300 is above 0: {}",
        error.expected()
    );
}

/// A text of any length is an activation or an error, whatever the stack.
#[test]
fn a_long_chain_of_surrogates() {
    // In a process of its own: an overflow of the stack would end this one with all its tests.
    let child = std::process::Command::new(std::env::current_exe().expect("the path of this test"))
        .args([
            "--exact",
            "errors::parses_a_long_chain_of_surrogates",
            "--ignored",
        ])
        .output()
        .expect("this test runs again");
    assert!(
        child.status.success(),
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
}

#[test]
#[ignore = "run by a_long_chain_of_surrogates in a process of its own"]
fn parses_a_long_chain_of_surrogates() {
    let text = "step surrogate ".repeat(100_000);
    match (text.clone() + "tanh").parse::<Activation>() {
        // The value is the first one, the derivative the last one.
        Ok(activation) => assert_eq!(activation, Activation::Step.surrogate(Activation::Tanh)),
        Err(error) => assert_eq!(error.kind(), Parse),
    }
    assert!((text + "swoosh").parse::<Activation>().is_err());
}

// -------------------------------------------------------------------------------------------------
// Training

/// A fit that must fail before anything is changed.
#[track_caller]
fn fit_refused(mut trainer: Trainer<'_, f64>, data: &Dataset<f64>, kind: ErrorKind, text: &str) {
    let mut net = net();
    let (before, state) = (net.clone(), trainer.optimizer().state().clone());
    refused(trainer.fit(&mut net, data), kind, text);
    assert_eq!(net, before);
    assert_eq!(trainer.optimizer().state(), &state);
    assert_eq!(trainer.epoch(), 0);
}

#[test]
fn trainers_with_bad_settings() {
    let data = Dataset::new(samples(2), samples(2)).expect("sound data");
    let trainer = || {
        Trainer::new(QuadraticCost, Adam::new())
            .on_epoch(|_, _| panic!("an epoch in spite of the settings"))
    };
    fit_refused(
        trainer().batch_size(0),
        &data,
        Value,
        "size of a batch: got 0, expected at least 1 sample",
    );
    fit_refused(
        trainer().batch_size(0).shuffle(false),
        &data,
        Value,
        "size of a batch: got 0, expected at least 1 sample",
    );
    for (rate, given) in [(NAN, "NaN"), (-0.1, "-0.1"), (INFINITY, "inf")] {
        fit_refused(
            trainer().learning_rate(rate),
            &data,
            Value,
            &format!("learning rate of Trainer: got {given}, expected a finite rate ≥ 0"),
        );
    }
    let momentum = Trainer::new(QuadraticCost, Sgd::new().momentum(1.0));
    fit_refused(
        momentum,
        &data,
        Value,
        "momentum of Sgd: got 1, expected a number in [0, 1)",
    );
    let huber = Trainer::new(Huber::new(0.0), Sgd::new());
    fit_refused(
        huber,
        &data,
        Value,
        "training data: Huber: got 0, expected a finite δ above 0",
    );
    // Even where no epoch is asked for.
    fit_refused(
        trainer().learning_rate(NAN).epochs(0),
        &data,
        Value,
        "learning rate of Trainer: got NaN, expected a finite rate ≥ 0",
    );
}

#[test]
fn trainers_with_wrong_data() {
    let data =
        |features, outputs| Dataset::new(samples(features), samples(outputs)).expect("sound data");
    let sound = data(2, 2);
    let features = data(3, 2);
    let outputs = data(2, 1);
    let trainer = || {
        Trainer::new(QuadraticCost, Adam::new())
            .on_epoch(|_, _| panic!("an epoch in spite of the data"))
    };
    let (rows, shape) = (
        "inputs x: got 3 × 4, expected 2 rows (features)",
        "targets: got 1 × 4, expected 2 × 4 (one_hot makes columns of class labels)",
    );
    fit_refused(
        trainer(),
        &features,
        Shape,
        &format!("training data: {rows}"),
    );
    fit_refused(
        trainer(),
        &outputs,
        Shape,
        &format!("training data: {shape}"),
    );
    fit_refused(
        trainer().validation_data(&features),
        &sound,
        Shape,
        &format!("validation data: {rows}"),
    );
    fit_refused(
        trainer().validation_data(&outputs),
        &sound,
        Shape,
        &format!("validation data: {shape}"),
    );

    // Targets that the loss is not defined on.
    let half = Dataset::new(samples(2), DMatrix::from_element(2, 4, 0.5)).expect("sound data");
    let one = Dataset::new(samples(2), DMatrix::from_element(2, 4, 1.0)).expect("sound data");
    let hinge = || Trainer::new(Hinge, Adam::new());
    let text = "target of Hinge, row 0, column 0: got 0.5, expected −1 or 1 (for 0 and 1 take \
        SigmoidCrossEntropy, for numbers MeanSquaredError)";
    fit_refused(hinge(), &half, Value, &format!("training data: {text}"));
    fit_refused(
        hinge().validation_data(&half),
        &one,
        Value,
        &format!("validation data: {text}"),
    );
}

#[test]
fn trainers_on_another_network() {
    let data = Dataset::new(samples(2), samples(2)).expect("sound data");
    let mut trainer = Trainer::new(QuadraticCost, Adam::new()).epochs(2);
    trainer.fit(&mut net(), &data).expect("a sound fit");
    let state = trainer.optimizer().state().clone();
    let mut other = build(dense(2, Activation::Linear));
    let before = other.clone();
    let text = "network of Trainer: got others, expected the parameters that the call before left \
        (Trainer::reset begins anew, Trainer::continue_with goes on with a network that was \
        changed on purpose)";
    refused(
        trainer.fit(&mut other, &data),
        ErrorKind::Incompatible,
        text,
    );
    assert_eq!(
        (&other, trainer.optimizer().state(), trainer.epoch()),
        (&before, &state, 2)
    );

    // On purpose, too, moments and best parameters are of one size.
    let sgd = Trainer::new(QuadraticCost, Sgd::new())
        .epochs(2)
        .restore_best(Monitor::TrainingCost);
    for mut trainer in [trainer, sgd] {
        trainer.reset().expect("a rule of this crate");
        trainer.fit(&mut net(), &data).expect("a sound fit");
        trainer.continue_with(&other);
        let text = "network of Trainer: got 6, expected a network of 17 parameters, as in the \
            steps before (Trainer::reset begins anew)";
        refused(trainer.fit(&mut other, &data), Shape, text);
        assert_eq!(other, before);
    }
}

#[test]
fn divergence() {
    let data = Dataset::new(
        DMatrix::from_element(1, 3, 1.0),
        DMatrix::from_element(1, 3, 1e100),
    )
    .expect("sound data");
    let mut net = build(Sequential::builder(1).layer(Dense::new(1, Activation::Linear)));
    let before = net.clone();
    // y = 0 + …, so the first cost is ½·10²⁰⁰, the step 10¹⁶⁰, and the second cost beyond all
    // numbers.
    let mut trainer = Trainer::new(QuadraticCost, Sgd::new().momentum(0.5))
        .batch_size(1)
        .shuffle(false)
        .learning_rate(1e60);
    refused(
        trainer.fit(&mut net, &data),
        ErrorKind::Diverged { epoch: 0, batch: 1 },
        "epoch 0, batch 1: got inf, expected a finite cost (a smaller rate may help)",
    );
    assert_eq!((&net, trainer.epoch()), (&before, 0));
    assert_eq!(
        trainer.optimizer().state(),
        Sgd::<f64>::new().momentum(0.5).state()
    );
}

/// An epoch whose last step leaves numbers that are none is not a finished epoch: there is nothing
/// to go back to later.
#[test]
fn divergence_in_the_last_step_of_an_epoch() {
    let data = Dataset::new(
        DMatrix::from_element(1, 1, 1.0),
        DMatrix::from_element(1, 1, 1e100),
    )
    .expect("sound data");
    let mut net = build(Sequential::builder(1).layer(Dense::new(1, Activation::Linear)));
    let result = Trainer::new(QuadraticCost, Sgd::new())
        .learning_rate(1e300)
        .epochs(1)
        .fit(&mut net, &data);
    assert!(
        net.params().iter().all(|p| p.is_finite()),
        "{:?} and {:?}",
        result.map(|history| history.epochs),
        net.params()
    );
}

#[test]
fn metrics_that_fail() {
    let data = Dataset::new(samples(2), samples(2)).expect("sound data");
    let trainer = Trainer::new(QuadraticCost, Adam::new())
        .metric("mine", |_, _| Err(Error::new(Value, "mine", "patience", 0)));
    fit_refused(trainer, &data, Value, "mine: got 0, expected patience");
}

// -------------------------------------------------------------------------------------------------
// Checks

#[test]
fn checks() {
    let text = |given: &str| {
        format!("gradcheck::layer: got {given}, expected at least 1 input and 1 sample")
    };
    let layer = Dense::new(2, Activation::Tanh);
    refused(gradcheck::layer(&layer, 0, 3, 1), Empty, &text("0 and 3"));
    refused(gradcheck::layer(&layer, 3, 0, 1), Empty, &text("3 and 0"));
    refused(
        gradcheck::layer(&Dense::new(0, Activation::Tanh), 3, 2, 1),
        Value,
        "layer 0 (Dense tanh): got 0, expected at least 1 output",
    );
    refused(
        gradcheck::layer(&Dropout::new(1.0), 3, 2, 1),
        Value,
        "layer 0 (Dropout): got 1, expected a probability p with 0 ≤ p < 1",
    );
    refused(
        gradcheck::layer(&Wrong::Refuses, 3, 2, 1),
        Shape,
        "layer 0 (Wrong): got 3, expected an even number of inputs",
    );

    let net = net();
    refused(
        gradcheck::network(&net, &samples(3), &samples(2), &QuadraticCost),
        Shape,
        "inputs x: got 3 × 4, expected 2 rows (features)",
    );
    refused(
        gradcheck::network(&net, &samples(2), &samples(1), &QuadraticCost),
        Shape,
        "targets: got 1 × 4, expected 2 × 4 (one_hot makes columns of class labels)",
    );
}

/// As in the builder: what cannot fit into memory is a wrong number, not a panic.
#[test]
fn checks_of_countless_inputs() {
    let error =
        gradcheck::layer(&Softmax, usize::MAX, 2, 1).expect_err("no machine has the memory");
    assert!(error.given().contains(&usize::MAX.to_string()), "{error}");
    let error = gradcheck::layer(&Wrong::TooMany, 1, 1, 1).expect_err("no machine has the memory");
    assert_eq!(error.kind(), Value);
}

/// What `?` and `Box<dyn Error>` need.
#[test]
fn errors_are_errors() {
    let error = net().predict(&samples(3)).expect_err("wrong inputs");
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(error.clone());
    assert_eq!(boxed.to_string(), error.to_string());
    assert_eq!(error.clone(), error);
}

// -------------------------------------------------------------------------------------------------
// Errors of others

/// What a file, a parser or a format says itself is the source, and a program can use `?` on it.
#[test]
fn errors_have_their_sources() {
    fn read(path: &str) -> Result<usize> {
        Ok(std::fs::read(path)?.len())
    }
    let error = read("no such file").expect_err("there is no such file");
    assert_eq!((error.kind(), error.place()), (Io, "std::io"));
    let source = |error: &Error| std::error::Error::source(error).map(ToString::to_string);
    assert_eq!(source(&error).as_deref(), Some(error.given()));
    let cause = std::error::Error::source(&error)
        .and_then(|e| e.downcast_ref::<std::io::Error>())
        .map(std::io::Error::kind);
    assert_eq!(cause, Some(std::io::ErrorKind::NotFound));
    assert_eq!(error.clone(), error);

    // An error of this crate that went through a reader or a writer comes back as it was.
    let mine = Error::new(Value, "mine", "patience", 0);
    assert_eq!(Error::from(std::io::Error::other(mine.clone())), mine);
    assert_eq!(source(&mine), None);
    let caused = mine.clone().with_source(std::io::Error::other("why"));
    assert_eq!(source(&caused).as_deref(), Some("why"));
    assert_ne!(caused, mine);
}

/// What a whole file was is not repeated in the text of an error.
#[test]
fn long_texts_are_shortened() {
    let long = "swoosh".repeat(10_000);
    let error = long.parse::<Activation>().expect_err("no activation");
    assert!(
        error.to_string().len() < 1500,
        "{} bytes",
        error.to_string().len()
    );
    assert!(
        error.given().starts_with("\"swoosh")
            && error.given().ends_with("swoosh\"")
            && error.given().contains(" … "),
        "{error}"
    );
    // The alternatives, and the next step after them, are whole.
    assert!(error.expected().ends_with("breakpoints(x:y, …)"), "{error}");
}
