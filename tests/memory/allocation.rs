//! After a first step the hot paths allocate nothing: a counting allocator says so.

use crate::counting::allocations;
#[cfg(feature = "parallel")]
use crate::counting::allocations_of_all;
use chainrule::data::Batches;
use chainrule::nalgebra::DMatrix;
use chainrule::nn::layer::Layer;
use chainrule::nn::loss::*;
use chainrule::nn::*;
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::train::{Lbfgs, ScaledConjugateGradient};
use chainrule::{Real, View};

/// Every layer of the crate, each behind a dense one; but those that take a network's own inputs.
fn every_layer<T: Real>() -> Builder<T> {
    let mut builder = Sequential::builder(40);
    macro_rules! layers {
        ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {$($(
            if !Layer::<T>::checks_inputs(&$made) {
                builder = builder.layer(Dense::new(12, Activation::Linear)).layer($made);
            }
        )+)+};
    }
    chainrule::every_layer!(layers);
    builder
}

/// Every kind of layer, one of them wide enough that the product packs its operands.
fn net<T: Real>() -> Sequential<T> {
    every_layer()
        .layer(GaussianNoise::new(0.1))
        .layer(Dense::new(150, Activation::Relu))
        .layer(Dropout::new(0.3))
        .layer(Dense::new(130, Activation::Linear))
        .layer(BatchNorm::new())
        .layer(Activation::Gelu)
        .layer(LayerNorm::new())
        .layer(RmsNorm::new())
        .layer(Prelu::new().per_feature())
        .layer(AlphaDropout::new(0.1))
        .layer(Dense::new(9, Activation::Step.surrogate(Activation::Tanh)))
        .layer(Dense::new(5, Activation::Linear).without_bias())
        .seed(1)
        .build()
        .expect("a sound network")
}

fn data<T: Real>(n: usize) -> Dataset<T> {
    let x = DMatrix::from_fn(40, n, |i, j| T::of(((i + 2) as f64 * (j + 1) as f64).sin()));
    let labels: Vec<usize> = (0..n).map(|j| j % 5).collect();
    Dataset::new(x, one_hot(&labels, 5).expect("labels")).expect("sound data")
}

/// Without this, all that follows would pass where nothing is counted.
#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(7)), 1);
    assert_eq!(allocations(|| vec![0_u8; 100]), 1);
    assert_eq!(allocations(|| [7; 100]), 0);
    let mut grown = Vec::with_capacity(1);
    assert_eq!(allocations(|| grown.extend([1, 2, 3])), 1);
}

fn training_steps<T: Real>(mut optimizer: impl Optimizer<T>, loss: &dyn Loss<T>) {
    let mut net = net::<T>();
    let data = data(33);
    let mut tape = Tape::new();
    let groups = net.groups(|layer, _| (if layer == 2 { 0.0 } else { 1.0 }, 0.1));
    let mut step = |samples: usize| {
        net.gradient(
            first(data.inputs(), samples),
            first(data.targets(), samples),
            loss,
            &mut tape,
        )
        .expect("a sound pass");
        optimizer
            .step(0.01, net.params_mut(), tape.grads(), &groups)
            .expect("a sound step");
    };
    assert!(allocations(|| step(33)) > 0, "the first step makes room");
    // A batch of another size may take another way through the kernels, which makes room once.
    step(7);
    step(1);
    for samples in [33, 33, 7, 33, 1] {
        assert_eq!(allocations(|| step(samples)), 0, "{samples} samples");
    }
}

/// The first `samples` samples.
fn first<T: Real>(all: &DMatrix<T>, samples: usize) -> View<'_, T> {
    View::from(all)
        .columns(0, samples)
        .expect("so many samples")
}

#[test]
fn gradient_and_step() {
    training_steps::<f64>(Sgd::new(), &SoftmaxCrossEntropy::new());
    training_steps::<f64>(Sgd::new().momentum(0.9), &SoftmaxCrossEntropy::new());
    training_steps::<f64>(
        Sgd::new().momentum(0.9).nesterov(),
        &SoftmaxCrossEntropy::new(),
    );
    training_steps::<f64>(Adam::new(), &SoftmaxCrossEntropy::new());
    training_steps::<f32>(Sgd::new(), &SoftmaxCrossEntropy::new());
    training_steps::<f32>(Sgd::new().momentum(0.9), &SoftmaxCrossEntropy::new());
    training_steps::<f32>(Adam::new(), &SoftmaxCrossEntropy::new());
}

macro_rules! rules {
    ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
        [$($(Box::new($made) as Box<dyn Optimizer<f64>>,)+)+]
    };
}

/// Every rule, at the rate of a schedule, with a penalty and clipping before them and a constraint
/// after.
#[test]
fn steps_with_all_around_them() {
    let schedule = Schedule::WarmRestarts {
        rate: 0.01,
        min: 1e-4,
        steps: 2,
        factor: 2,
        peak_factor: 0.9,
    }
    .warm_up(2);
    let (penalty, mut plateau) = (Penalty::new().l1(1e-4).l2(1e-4), ReduceOnPlateau::new());
    for mut rule in chainrule::every_rule!(rules) {
        let mut net = net::<f64>();
        let data = data(33);
        let loss = SoftmaxCrossEntropy::new();
        let mut tape = Tape::new();
        let groups = net.default_groups();
        let mut step = |t| -> Result<()> {
            let cost =
                net.gradient(data.inputs(), data.targets(), &loss, &mut tape)? + penalty.cost(&net);
            rule.note_cost(cost);
            penalty.add_gradient(&net, tape.grads_mut())?;
            for clip in [
                Clip::Value(0.5),
                Clip::Norm(0.1),
                Clip::GlobalNorm(0.1),
                Clip::GlobalNorm1(0.1),
                Clip::GlobalNormInf(0.1),
            ] {
                clip.apply(&net, tape.grads_mut())?;
            }
            rule.step(
                schedule.rate(t) * plateau.observe(cost),
                net.params_mut(),
                tape.grads(),
                &groups,
            )?;
            for constraint in [
                Constraint::MaxNorm(0.5),
                Constraint::Box {
                    low: -0.1,
                    high: 0.1,
                },
            ] {
                constraint.apply(&mut net)?;
            }
            Ok(())
        };
        step(0).expect("a sound step");
        for t in 1..8 {
            assert_eq!(
                allocations(|| step(t).expect("a sound step")),
                0,
                "step {t}"
            );
        }
    }
}

/// Averages around rules, and the swaps between what steps change and the average.
#[test]
fn steps_of_averages() {
    fn check(rule: impl Optimizer<f64>) {
        let (mut net, data) = (net::<f64>(), data::<f64>(33));
        let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), rule).freeze([1, 4]);
        let mut step = || {
            trainer
                .step(&mut net, data.inputs(), &data)
                .expect("a sound step");
        };
        step();
        step();
        for t in 3..11 {
            assert_eq!(allocations(&mut step), 0, "step {t}");
        }
    }
    check(Ema::new(Adam::new(), 0.9));
    check(Swa::new(Sgd::new().momentum(0.9), 3).every(2));
}

/// Steps in the units of the data.
#[test]
fn steps_of_a_model() {
    let data = data::<f64>(33);
    let scaler = Scaler::standard(data.inputs()).expect("a scaler");
    let targets = Scaler::min_max(data.targets()).expect("a scaler");
    let mut model = Model::new(net::<f64>(), scaler, targets).expect("a sound model");
    let mut trainer = Trainer::new(MeanSquaredError, Adam::new());
    let mut step = |samples: usize| {
        let (x, t) = (
            first(data.inputs(), samples),
            first(data.targets(), samples),
        );
        model.step(&mut trainer, x, t).expect("a sound step");
    };
    [33, 7, 1].into_iter().for_each(&mut step);
    for samples in [33, 33, 7, 33, 1] {
        assert_eq!(allocations(|| step(samples)), 0, "{samples} samples");
    }
}

/// Several heads, with the weights of classes and a scaler of some targets, and tied blocks.
#[test]
fn steps_of_heads_and_ties() {
    let data = data::<f64>(33);
    let net = Sequential::builder(data.features())
        .layer(Dense::new(6, Activation::Tanh))
        .layer(Dense::new(6, Activation::Tanh))
        .layer(Dense::new(6, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network");
    let loss = Heads::new()
        .head("numbers", 4, GaussianNll::new())
        .head("kind", 2, SoftmaxCrossEntropy::new())
        .weight("kind", 0.5);
    let mut targets = data.targets().rows(0, 4).into_owned();
    targets.rows_mut(2, 2).fill(0.5);
    let scaler = Scaler::new(vec![0.1, 0.2, 0.0, 0.0], vec![2.0, 3.0, 1.0, 1.0]);
    let mut model = Model::from(net)
        .with_output_function(loss.output_function())
        .and_then(|model| model.with_scalers(None, scaler?))
        .and_then(|model| model.with_head_classes("kind", ["a", "b"]))
        .expect("a sound model");
    let mut trainer = Trainer::new(loss, Ema::new(Adam::new(), 0.9))
        .penalty(Penalty::new().l2(1e-4))
        .tie(Tie::new("2.weight", "4.weight").transposed());
    let mut step = || {
        model
            .step(&mut trainer, data.inputs(), &targets)
            .expect("a sound step");
    };
    step();
    step();
    assert_eq!(allocations(&mut step), 0);
    let (mut tape, mut y) = (Tape::new(), DMatrix::zeros(6, 33));
    let mut predict = || {
        model
            .predict_into(data.inputs(), &mut y, &mut tape)
            .expect("outputs")
    };
    predict();
    assert_eq!(allocations(&mut predict), 0);
}

/// The step of a trainer, with all that can be around it.
#[test]
fn steps_of_a_trainer() {
    fn check<T: Real>(rule: impl Optimizer<T>) {
        let (mut net, data) = (net::<T>(), data::<T>(33));
        let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), rule)
            .learning_rate(
                Schedule::WarmRestarts {
                    rate: 0.01,
                    min: 1e-4,
                    steps: 2,
                    factor: 2,
                    peak_factor: 0.9,
                }
                .warm_up(2),
            )
            .penalty(Penalty::new().l1(1e-4).l2(1e-4))
            .clip(Clip::Norm(0.1))
            .clip(Clip::GlobalNorm(0.1))
            .constrain(Constraint::MaxNorm(0.5))
            .freeze([1, 4]);
        let mut step = |samples: usize| {
            let (x, t) = (
                first(data.inputs(), samples),
                first(data.targets(), samples),
            );
            trainer.step(&mut net, x, t).expect("a sound step");
        };
        [33, 7, 1].into_iter().for_each(&mut step);
        for samples in [33, 33, 7, 33, 1] {
            assert_eq!(allocations(|| step(samples)), 0, "{samples} samples");
        }
    }
    check::<f64>(Adam::new());
    check::<f32>(Sgd::new().momentum(0.9));
}

/// A step on slopes, in the units of the data, and its cost.
#[test]
fn steps_on_slopes() {
    let data = data::<f64>(12);
    let data = data
        .with_slopes(DMatrix::from_fn(200, 12, |i, j| ((i + j) as f64).cos()))
        .expect("sound slopes");
    let plain = Sequential::builder(40)
        .layer(Dense::new(30, Activation::Tanh))
        .layer(LayerNorm::new())
        .layer(Dense::new(5, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network");
    for net in [smooth(), plain] {
        let scaler = Scaler::standard(data.inputs()).expect("a scaler");
        let mut model = Model::new(net, scaler, None).expect("a sound model");
        let mut trainer = Trainer::new(MeanSquaredError, Adam::new()).slopes(Huber::new(1.0), 0.5);
        let mut step = || {
            model
                .step(&mut trainer, data.inputs(), &data)
                .expect("a sound step");
        };
        step();
        assert_eq!(allocations(step), 0);
    }
}

#[test]
fn gradient_by_each_loss() {
    macro_rules! all {
        ($($file:ident::$loss:ident { $($made:expr),+ })+) => {
            vec![$($(Box::new($made) as Box<dyn Loss<f64>>,)+)+]
        };
    }
    let weights = [1.0, 2.0, 3.0, 4.0, 5.0];
    let mut losses = chainrule::every_loss!(all);
    losses.push(Box::new(SoftmaxCrossEntropy::new().class_weights(&weights)));
    losses.push(Box::new(
        SigmoidCrossEntropy::new().positive_weights(&weights),
    ));
    losses.push(Box::new(Quantile::new(&[0.1, 0.5, 0.8, 0.9, 0.95])));
    losses.push(Box::new(
        Heads::new()
            .head("numbers", 2, MeanSquaredError)
            .head("kind", 3, SoftmaxCrossEntropy::new())
            .weight("kind", 0.5),
    ));
    for loss in losses {
        let data = data(20);
        // Some take pairs of outputs, some probabilities.
        let outputs = if loss.check(5).is_ok() { 5 } else { 6 };
        let top = Sequential::builder(40).layer(Dense::new(outputs, Activation::Linear));
        let net = if loss.accepts(OutputRange::Real) {
            top
        } else if loss.accepts(OutputRange::Simplex) {
            top.layer(Softmax)
        } else {
            top.layer(LogSoftmax)
        };
        let net = net.seed(1).build().expect("a sound network");
        let mut tape = Tape::new();
        let targets = data.targets().rows(0, loss.targets(outputs)).into_owned();
        // Labels of margins are −1 and 1.
        let targets = if loss.check_targets((&targets).into()).is_ok() {
            targets
        } else {
            targets.map(|t| 2.0 * t - 1.0)
        };
        let mut pass = || {
            net.gradient(data.inputs(), &targets, &*loss, &mut tape)
                .expect("a sound pass")
        };
        pass();
        assert_eq!(allocations(&mut pass), 0, "{}", loss.name());
    }
}

fn inference<T: Real>() {
    let net = net::<T>();
    let data = data::<T>(300);
    let loss = SoftmaxCrossEntropy::new();
    let mut tape = Tape::new();
    let mut y = DMatrix::zeros(5, 300);
    let mut into = |tape: &mut Tape<T>| {
        net.predict_into(data.inputs(), &mut y, tape)
            .expect("a sound pass")
    };
    into(&mut tape);
    assert_eq!(allocations(|| into(&mut tape)), 0, "predict_into");

    let cost = |tape: &mut Tape<T>| {
        net.cost(data.inputs(), data.targets(), &loss, tape)
            .expect("a sound pass")
    };
    cost(&mut tape);
    assert_eq!(allocations(|| cost(&mut tape)), 0, "cost");

    let (mut tape, mut y) = (Tape::new(), [T::zero(); 5]);
    let mut one = |sample: usize| {
        net.predict_one(
            &data.inputs().as_slice()[40 * sample..][..40],
            &mut y,
            &mut tape,
        )
        .expect("a sound pass")
    };
    one(0);
    assert_eq!(
        allocations(|| (1..300).for_each(&mut one)),
        0,
        "predict_one"
    );
}

/// A model scales inputs and outputs and applies its output function on the way.
fn inference_in_units<T: Real>() {
    let net = net::<T>();
    let data = data::<T>(300);
    let mut tape = Tape::new();
    let inputs = Scaler::standard(data.inputs()).expect("sound data");
    let numbers = Model::new(
        net.clone(),
        inputs.clone(),
        Scaler::standard(data.targets()).expect("sound data"),
    );
    let classes = Model::new(net, inputs, None)
        .and_then(|model| model.with_output_function(OutputFunction::Softmax));
    for model in [numbers, classes].map(|model| model.expect("a sound model")) {
        let mut y = DMatrix::zeros(5, 300);
        let mut into = |tape: &mut Tape<T>| {
            model
                .predict_into(data.inputs(), &mut y, tape)
                .expect("a sound pass")
        };
        into(&mut tape);
        assert_eq!(allocations(|| into(&mut tape)), 0, "predict_into");
        let (x, mut y) = (data.inputs().as_slice(), [T::zero(); 5]);
        let mut one = |sample: usize| {
            model
                .predict_one(&x[40 * sample..][..40], &mut y, &mut tape)
                .expect("a sound pass")
        };
        one(0);
        assert_eq!(
            allocations(|| (1..300).for_each(&mut one)),
            0,
            "predict_one"
        );
    }
}

/// The networks of products with curvature have no surrogate.
fn smooth<T: Real>() -> Sequential<T> {
    every_layer()
        .layer(GaussianNoise::new(0.1))
        .layer(Dense::new(150, Activation::Gelu))
        .layer(Dropout::new(0.3))
        .layer(BatchNorm::new())
        .layer(Activation::Tanh)
        .layer(LayerNorm::new())
        .layer(RmsNorm::new())
        .layer(Prelu::new())
        .layer(AlphaDropout::new(0.1))
        .layer(Dense::new(5, Activation::Relu).without_bias())
        .seed(1)
        .build()
        .expect("a sound network")
}

/// A table and what comes behind it, in training, in products with curvature and in prediction.
#[test]
fn embeddings() {
    let net = Sequential::<f64>::builder(3)
        .layer(Embedding::new(20, 4).padding_idx(0))
        .layer(Select::rows([0, 5, 5, 11, 8]))
        .layer(Dense::new(5, Activation::Tanh))
        .seed(1)
        .build()
        .expect("a sound network");
    // More samples than are added up one after the other.
    let x = DMatrix::from_fn(3, 200, |i, j| ((7 * i + j) % 20) as f64);
    let t = DMatrix::from_element(5, 200, 0.1);
    let (mut tape, loss) = (Tape::new(), MeanSquaredError);
    let (v, mut out) = (vec![1.0; net.params().len()], vec![0.0; net.params().len()]);
    let mut y = DMatrix::zeros(5, 200);
    let mut all = || {
        net.gradient(&x, &t, &loss, &mut tape).expect("a gradient");
        net.hessian_product(&x, &t, &loss, &v, &mut out, &mut tape)
            .expect("a product");
        net.predict_into(&x, &mut y, &mut tape).expect("outputs");
    };
    all();
    assert_eq!(allocations(all), 0);
}

fn derivatives<T: Real>() {
    let net = net::<T>();
    let smooth = smooth::<T>();
    let data = data::<T>(20);
    let loss = SoftmaxCrossEntropy::new();
    let mut tape = Tape::new();
    let mut j = DMatrix::zeros(5, 40);
    let mut dx = DMatrix::zeros(40, 20);
    let mut by_params = DMatrix::zeros(5, net.params().len());
    let (v, mut out) = (
        vec![T::one(); smooth.params().len()],
        vec![T::zero(); smooth.params().len()],
    );
    let mut y_dot = DMatrix::zeros(5, 20);
    let three = DMatrix::from_element(40, 60, T::one());
    let (x, t) = (data.inputs(), data.targets());
    let mut all = || {
        net.jacobian_into(first(x, 1), &mut j, &mut tape)
            .expect("a sound pass");
        net.params_jacobian_into(first(x, 1), &mut by_params, &mut tape)
            .expect("a sound pass");
        net.input_gradient(x, t, &loss, &mut dx, &mut tape)
            .expect("a sound pass");
        smooth
            .hessian_product(x, t, &loss, &v, &mut out, &mut tape)
            .expect("a sound pass");
        smooth
            .gauss_newton_product(x, t, &loss, &v, &mut out, &mut tape)
            .expect("a sound pass");
        smooth
            .params_jacobian_product(x, &v, &mut y_dot, &mut tape)
            .expect("a sound pass");
        smooth
            .input_jacobian_product(x, x, &mut y_dot, &mut tape)
            .expect("a sound pass");
        smooth
            .gradient_with_slopes(x, &three, &mut tape, |_, _, mut dy, mut dy_dot| {
                dy.as_mut_slice().fill(T::one());
                dy_dot.as_mut_slice().fill(T::one());
                Ok(())
            })
            .expect("a sound pass");
        net.gradient(x, t, &loss, &mut tape).expect("a sound pass");
    };
    all();
    assert_eq!(allocations(all), 0);
}

#[test]
fn jacobians_and_curvature() {
    derivatives::<f64>();
    derivatives::<f32>();
}

#[test]
fn predictions_and_costs() {
    inference::<f64>();
    inference::<f32>();
    inference_in_units::<f64>();
    inference_in_units::<f32>();
}

#[test]
fn at_other_parameters() {
    let net = net::<f64>();
    let data = data(20);
    let mut tape = Tape::new();
    let other = vec![0.01; net.params().len()];
    let mut pass = || {
        net.at(&other)
            .and_then(|at| at.gradient(data.inputs(), data.targets(), &QuadraticCost, &mut tape))
            .expect("a sound pass")
    };
    pass();
    assert_eq!(allocations(pass), 0);
}

#[test]
fn batches() {
    let data = data::<f64>(100);
    for mut batches in [
        Batches::in_order(7).expect("a size"),
        Batches::shuffled(7, 1).expect("a size"),
    ] {
        let mut epoch = |number| {
            let mut batches = batches.epoch(&data, number);
            while batches.next_batch().is_some() {}
        };
        epoch(0);
        assert_eq!(allocations(|| epoch(1)), 0);
    }
}

/// How often a fit of one epoch of so many full batches of 8 allocates.
fn fit<T: Real>(optimizer: impl Optimizer<T> + 'static, batches: usize, in_order: bool) -> u64 {
    let data = data::<T>(8 * batches);
    let small = Sequential::builder(40)
        .layer(Dense::new(12, Activation::Tanh))
        .layer(Dropout::new(0.3))
        .layer(Dense::new(5, Activation::Linear));
    let mut net = small.seed(1).build().expect("a sound network");
    let trainer = Trainer::new(SoftmaxCrossEntropy::new(), optimizer)
        .epochs(1)
        .batch_size(8)
        .learning_rate(1e-3);
    let mut trainer = if in_order {
        trainer.shuffle(false)
    } else {
        trainer
    };
    let count = allocations(|| trainer.fit(&mut net, &data).expect("a sound fit"));
    assert!(count > 0, "the first batch makes room");
    count
}

/// What a fit allocates is for the run, not for the batch.
#[test]
fn a_fit_of_few_or_many_batches() {
    for in_order in [true, false] {
        assert_eq!(
            fit::<f64>(Sgd::new(), 2, in_order),
            fit::<f64>(Sgd::new(), 200, in_order)
        );
        assert_eq!(
            fit::<f64>(Sgd::new().momentum(0.9), 2, in_order),
            fit::<f64>(Sgd::new().momentum(0.9), 200, in_order)
        );
        assert_eq!(
            fit::<f64>(Adam::new(), 2, in_order),
            fit::<f64>(Adam::new(), 200, in_order)
        );
        assert_eq!(
            fit::<f32>(Adam::new(), 2, in_order),
            fit::<f32>(Adam::new(), 200, in_order)
        );
    }
}

/// The same of an average with its running statistics, and of mini-batches together, epoch after
/// epoch.
#[test]
fn a_fit_that_averages_for_few_or_many_epochs() {
    let (mut net, data) = (net::<f64>(), data::<f64>(33));
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), Ema::new(Adam::new(), 0.9))
        .learning_rate(Schedule::from(1e-4).warm_up(5).in_percent())
        .batch_size(8)
        .accumulate(2)
        .epochs(2);
    trainer.fit(&mut net, &data).expect("a sound fit");
    let mut trainer = trainer.epochs(1);
    let one = allocations(|| trainer.fit(&mut net, &data).expect("a sound fit"));
    let mut trainer = trainer.epochs(4);
    let four = allocations(|| trainer.fit(&mut net, &data).expect("a sound fit"));
    assert_eq!(four, one);
}

/// Full batches, once their memory is full: what a fit allocates is for the run, not for the epoch.
#[test]
fn a_fit_of_few_or_many_full_batches() {
    macro_rules! check {
        ($trainer:expr) => {{
            let data = data::<f64>(64);
            let mut net = Sequential::builder(40)
                .layer(Dense::new(12, Activation::Tanh))
                .layer(Dropout::new(0.3))
                .layer(Dense::new(5, Activation::Linear))
                .seed(1)
                .build()
                .expect("a sound network");
            let mut trainer = $trainer.penalty(Penalty::new().l2(1e-3)).epochs(15);
            let history = trainer.fit(&mut net, &data).expect("a sound fit");
            assert_eq!(history.epochs.len(), 15, "enough to fill the memory");
            let mut trainer = trainer.epochs(1);
            let one = allocations(|| trainer.fit(&mut net, &data).expect("a sound fit"));
            let mut trainer = trainer.epochs(4);
            let mut epochs = 0;
            let four = allocations(|| {
                let history = trainer.fit(&mut net, &data).expect("a sound fit");
                epochs = history.epochs.len();
            });
            assert_eq!((epochs, four), (4, one));
        }};
    }
    check!(Lbfgs::new(SoftmaxCrossEntropy::new()));
    check!(ScaledConjugateGradient::new(SoftmaxCrossEntropy::new()));
}

/// On threads a pass allocates nothing either, but for the queue through which it reaches them:
/// that takes a block of room every so many passes.
#[cfg(feature = "parallel")]
#[test]
fn gradients_on_threads() {
    const PASSES: u64 = 252;
    /// The passes for which a block of the queue has room.
    const BLOCK: u64 = 63;
    let net = Sequential::<f32>::builder(40)
        .layer(Dense::new(300, Activation::Gelu))
        .layer(Dropout::new(0.3))
        .layer(Dense::new(150, Activation::Relu))
        .layer(Dense::new(5, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network");
    let data = data(33);
    let loss = SoftmaxCrossEntropy::new();
    let mut tape = Tape::new().threads(2).expect("two threads");
    let mut pass = || {
        net.gradient(data.inputs(), data.targets(), &loss, &mut tape)
            .expect("a sound pass")
    };
    for _ in 0..10 {
        pass();
    }
    let mut quiet = 0;
    let here = allocations(|| {
        for _ in 0..PASSES {
            let before = allocations_of_all();
            pass();
            quiet += u64::from(allocations_of_all() == before);
        }
    });
    assert!(here <= PASSES / BLOCK + 1, "{here} in {PASSES} passes");
    // Other tests may allocate meanwhile, but not in each of these moments.
    assert!(quiet > 0, "the tape's threads allocate in every pass");
}
