//! Everything that is data goes through serde and comes back the same, in a format for people and
//! in a binary one; what is no sound value is refused.

use chainrule::Real;
use chainrule::data::{Encoder, Encoding, Fill, Scaling, Table};
use chainrule::nn::layer::{BackwardArgs, Block, InferArgs, Layer, Role};
use chainrule::nn::loss::*;
use chainrule::nn::*;
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::train::{Epoch, History, SearchFailure, Stopped};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use std::time::Duration;

fn json<V: Serialize>(value: &V) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// There and back in both formats; what comes back is written in the same way.
fn back<V: Serialize + DeserializeOwned>(value: &V) -> [V; 2] {
    let text = json(value);
    let read: V = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(json(&read), text);
    let bytes = postcard::to_allocvec(value).expect("postcard");
    let (other, rest): (V, _) =
        postcard::take_from_bytes(&bytes).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(
        (rest.len(), postcard::to_allocvec(&other).expect("postcard")),
        (0, bytes)
    );
    [read, other]
}

fn round<V: Serialize + DeserializeOwned + PartialEq + Debug>(value: V) {
    for read in back(&value) {
        assert_eq!(read, value);
    }
}

fn refused<V: DeserializeOwned>(text: &str, part: &str) {
    match serde_json::from_str::<V>(text) {
        Ok(_) => panic!("{text} was read"),
        Err(error) => assert!(error.to_string().contains(part), "{text}: {error}"),
    }
}

fn activations() -> Vec<Activation> {
    let mut all: Vec<Activation> = Activation::every().collect();
    let points = Breakpoints::new(&[
        (-1.0 / 3.0, 1e-300),
        (0.1, 0.30000000000000004),
        (1e17, -0.0),
    ])
    .expect("sound points");
    all.extend([
        Activation::LeakyRelu { slope: 0.1 + 0.2 },
        Activation::Elu { alpha: 1.0 / 3.0 },
        Activation::Celu { alpha: 1.0 / 3.0 },
        Activation::Threshold {
            threshold: -1.0 / 3.0,
            value: -1e-300,
        },
        Activation::HardShrink { lambda: 0.3 },
        Activation::SoftShrink { lambda: 0.3 },
        points.clone().into(),
        points.slopes(-1e-17, 5e20).expect("sound slopes").into(),
        Activation::Step.surrogate(Activation::LeakyRelu { slope: -1e-5 }),
        Activation::Sign.straight_through(),
    ]);
    all
}

#[test]
fn activations_and_initializers_come_back() {
    activations().into_iter().for_each(round);
    assert_eq!(
        json(&Activation::LeakyRelu { slope: 0.2 }),
        "\"leaky_relu(slope=0.2)\""
    );
    round(Breakpoints::new(&[(0.0, 1.0), (1.0, 0.1)]).expect("sound points"));
    for text in [
        "swoosh",
        "leaky_relu(slope=NaN)",
        "elu(alpha=inf)",
        "breakpoints(1:0, 0:1)",
        "breakpoints(0:inf)",
        "step surrogate",
    ] {
        refused::<Activation>(&format!("{text:?}"), "expected");
    }
    refused::<Breakpoints>("\"0:0, 0:1\"", "an x above 0");
    refused::<Activation>("{\"LeakyRelu\": {\"slope\": 0.1}}", "invalid type");

    use Init::*;
    let (uniform, normal) = (
        Uniform {
            low: -0.1,
            high: 1.0 / 3.0,
        },
        Normal {
            mean: -0.0,
            std: 1e-9,
        },
    );
    let plain = [
        Zeros,
        HeNormal,
        HeUniform,
        GlorotNormal,
        GlorotUniform,
        LeCunNormal,
        LeCunUniform,
    ];
    plain
        .into_iter()
        .chain([Constant(0.1), uniform, normal, Orthogonal { gain: 1.5 }])
        .for_each(round);
    for fan in [Fan::In, Fan::Out, Fan::Average] {
        for distribution in [
            Distribution::Normal,
            Distribution::TruncatedNormal,
            Distribution::Uniform,
        ] {
            round(VarianceScaling {
                scale: 1.0 / 3.0,
                fan,
                distribution,
            });
        }
    }
    let scaled = VarianceScaling {
        scale: 2.0,
        fan: Fan::Out,
        distribution: Distribution::TruncatedNormal,
    };
    assert_eq!(
        json(&scaled),
        r#"{"VarianceScaling":{"scale":2.0,"fan":"Out","distribution":"TruncatedNormal"}}"#
    );
    refused::<Init>(
        r#"{"Uniform": {"low": 0, "high": 1, "width": 1}}"#,
        "unknown field",
    );
}

#[test]
fn layers_and_losses_come_back() {
    macro_rules! layers {
        ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
            $(made!($layer$(<$scalar>)? { $($made),+ });)+
        };
    }
    macro_rules! made {
        ($layer:ty { $($made:expr),+ }) => { $(round::<$layer>($made);)+ };
    }
    type T = f64;
    chainrule::every_layer!(layers);
    round(
        Dense::new(3, Activation::Tanh)
            .bias_init(Init::Constant(0.5))
            .init(Init::Orthogonal { gain: 2.0 }),
    );
    for role in [Role::Weight, Role::Bias, Role::Scale, Role::Statistic] {
        round(Block::new(format!("{role:?}"), role, 3, 2));
    }
    assert_eq!(
        json(&LayerNorm::new().eps(0.5)),
        r#"{"eps":0.5,"scale":true,"bias":true}"#
    );
    refused::<Dropout>("{\"p\": 0.3, \"q\": 0.3}", "unknown field");
    refused::<Dense>(
        r#"{"outputs": 3, "activation": "relu", "init": "Zeros"}"#,
        "missing field `bias`",
    );
    refused::<RmsNorm>(r#"{"scale": true, "bias": false}"#, "missing field `eps`");

    macro_rules! losses {
        ($($file:ident::$loss:ident { $($made:expr),+ })+) => { $($(round($made);)+)+ };
    }
    chainrule::every_loss!(losses);
    round(
        SoftmaxCrossEntropy::new()
            .label_smoothing(0.1)
            .class_weights(&[1.0, 0.3]),
    );
    round(SigmoidCrossEntropy::new().label_smoothing(0.2));
    round(
        SigmoidCrossEntropy::new()
            .class_weights(&[0.5])
            .positive_weights(&[3.0]),
    );
    round(SoftmaxFocal::new(2.0).class_weights(&[0.5, 2.0]));
    round(Quantile::new(&[0.1, 0.9]));
    round(Poisson::new().full().rates());
    round(Reduction::Sum);
    round(Reduced::new(Huber::new(0.5), Reduction::WeightedMean));
}

/// A rule as it is, and after some steps, with the same steps from there on.
fn rule<T: Real, O: Optimizer<T> + Serialize + DeserializeOwned + PartialEq + Clone>(mut rule: O) {
    let (mut w, groups) = ([0.3, -2.0, 7.0].map(T::of), Group::all(3));
    for _ in 0..4 {
        let gradient = w.map(|w| w + T::of(0.1));
        round(rule.clone());
        for mut read in back(&rule) {
            let mut rule = rule.clone();
            let mut other = w;
            let mut w = w;
            rule.note_cost(1.0);
            read.note_cost(1.0);
            rule.step(0.01, &mut w, &gradient, &groups).expect("a step");
            read.step(0.01, &mut other, &gradient, &groups)
                .expect("a step");
            assert_eq!((w, rule), (other, read));
        }
        rule.note_cost(1.0);
        rule.step(0.01, &mut w, &gradient, &groups).expect("a step");
    }
    round(rule.state().clone());
    // A configuration without a state is a new rule.
    let mut config: serde_json::Value = serde_json::to_value(&rule).expect("JSON");
    config.as_object_mut().expect("an object").remove("state");
    let new: O = serde_json::from_value(config.clone()).expect("a rule");
    assert_eq!(
        (new.state().step, new.state().slots.len()),
        (0, rule.state().slots.len())
    );
    assert_eq!(new.state().rule, rule.state().rule);
    // A state of other vectors.
    let mut state = rule.state().clone();
    state.slots.push(vec![T::zero(); 3]);
    config["state"] = serde_json::to_value(&state).expect("JSON");
    assert!(serde_json::from_value::<O>(config.clone()).is_err());
    state.slots.pop();
    if let Some(slot) = state.slots.first_mut() {
        slot.pop();
        state.slots.push(vec![T::zero(); 3]);
        config["state"] = serde_json::to_value(&state).expect("JSON");
        assert!(serde_json::from_value::<O>(config).is_err());
    }
}

macro_rules! rules {
    ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
        fn rules<T: Real>() {
            $($(rule::<T, _>($made);)+)+
        }

        /// Every number of a rule has a range, in which −1 is not; the error names it.
        #[test]
        fn numbers_of_rules_are_checked() {
            $(refuses_numbers::<$rule<f64>>(&$rule::<f64>::new(), stringify!($rule));)+
        }
    };
}
chainrule::every_rule!(rules);

/// A rule within another one goes with it, and so does the state of both.
#[test]
fn rules_that_average_others() {
    fn check<O: Optimizer<f64> + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        mut rule: O,
    ) {
        let mut w = [1.0, -2.0, 3.0];
        for _ in 0..4 {
            for read in back(&rule) {
                assert_eq!(read, rule);
                let (mut read, mut v, mut w) = (read, w, w);
                let before: O = back(&rule).into_iter().next().expect("a rule");
                let mut rule = before;
                for _ in 0..3 {
                    read.step(0.1, &mut v, &[0.5, 1.0, -0.5], &Group::all(3))
                        .expect("a step");
                    rule.step(0.1, &mut w, &[0.5, 1.0, -0.5], &Group::all(3))
                        .expect("a step");
                }
                assert_eq!((v, read.state()), (w, rule.state()));
            }
            rule.step(0.1, &mut w, &[0.1, -1.0, 0.7], &Group::all(3))
                .expect("a step");
        }
    }
    check(Ema::new(Adam::new(), 0.9));
    check(Ema::new(Sgd::new(), 0.5).uncorrected());
    check(Swa::new(RmsProp::new().centered(), 2).every(2));
    refuses_numbers(&Ema::<f64, _>::new(Adam::new(), 0.9), "Ema");
    refused::<Ema<f64, Asgd<f64>>>(&json(&Ema::<f64, _>::new(Asgd::new(), 0.9)), "rule of Ema");
}

fn refuses_numbers<O: Serialize + DeserializeOwned>(rule: &O, name: &str) {
    let config = serde_json::to_value(rule).expect("JSON");
    for (key, value) in config.as_object().expect("an object") {
        // Any seed will do.
        if value.is_number() && key != "seed" {
            let mut config = config.clone();
            config[key] = (-1.0).into();
            refused::<O>(&config.to_string(), &format!(" of {name}: got -1"));
        }
    }
}

#[test]
fn rules_come_back_with_their_state() {
    rules::<f32>();
    rules::<f64>();
    refused::<Adam<f64>>(
        r#"{"beta1": 1.0, "beta2": 0.9, "eps": 1e-8, "amsgrad": false}"#,
        "beta1 of Adam",
    );
    refused::<Sgd<f64>>(
        r#"{"momentum": 0.0, "dampening": 0.0}"#,
        "missing field `nesterov`",
    );
    refused::<Sgd<f64>>(
        r#"{"momentum": 0.0, "dampening": 0.0, "nesterov": false, "lr": 1}"#,
        "unknown field `lr`",
    );
    // Numbers that JSON has not.
    let state = OptimizerState {
        rule: "Lion".into(),
        step: 1,
        slots: vec![vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            5e-324,
        ]],
        ..OptimizerState::default()
    };
    assert!(json(&state).contains(r#"["NaN","inf","-inf",-0.0,5e-324]"#));
    for read in back(&state) {
        let bits = |state: &OptimizerState<f64>| {
            state.slots[0]
                .iter()
                .map(|x| x.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&read), bits(&state));
    }
    for text in ["\"nan\"", "null", "[]", "true"] {
        refused::<OptimizerState<f32>>(
            &format!(r#"{{"rule": "Lion", "step": 1, "slots": [[{text}]]}}"#),
            "a number of type f32",
        );
    }
    refused::<OptimizerState<f32>>(
        r#"{"rule": "Lion", "step": 1, "slots": [[1e39]]}"#,
        "a number of type f32",
    );
}

#[test]
fn what_stands_around_a_rule_comes_back() {
    round(Group {
        rate: 0.1,
        decay: 1e-3,
        statistic: true,
        ..Group::new(3..17)
    });
    [
        Clip::Value(1.0),
        Clip::Norm(0.1),
        Clip::GlobalNorm(5.0),
        Clip::GlobalNorm1(5.0),
        Clip::GlobalNormInf(5.0),
    ]
    .into_iter()
    .for_each(round);
    [
        Constraint::MaxNorm(3.0),
        Constraint::Box {
            low: 0.0,
            high: f64::INFINITY,
        },
    ]
    .into_iter()
    .for_each(round);
    for read in back(&Penalty::new().l1(0.1).l2(1e-4)) {
        assert_eq!(
            format!("{read:?}"),
            format!("{:?}", Penalty::new().l1(0.1).l2(1e-4))
        );
    }
    refused::<Penalty>(r#"{"l1": -1.0, "l2": 0.0}"#, "l1 of Penalty");
    let chosen = Penalty::new().on(|layer, _| layer == 0);
    assert!(
        serde_json::to_string(&chosen)
            .unwrap_err()
            .to_string()
            .contains("a function that chooses")
    );

    let mut schedules = Schedule::samples();
    // A step that only 64 bits hold.
    schedules.push(Schedule::MultiStep {
        rate: 0.8,
        factor: 0.5,
        at: vec![3, 8, u64::MAX],
    });
    for schedule in schedules {
        for schedule in [
            schedule.clone(),
            schedule.clone().warm_up(5),
            schedule.clone().warm_up(5).warm_up(2),
            schedule.clone().in_epochs(),
            schedule.warm_up(5).in_percent(),
        ] {
            for read in back(&schedule) {
                assert_eq!(format!("{read:?}"), format!("{schedule:?}"));
                let rates = |schedule: &Schedule| {
                    (0..60)
                        .map(|t| schedule.rate_in_run(t, 5, 12))
                        .collect::<Vec<_>>()
                };
                assert_eq!(rates(&read), rates(&schedule));
            }
        }
    }
    let warm = Schedule::from(0.1).warm_up(3).warm_up(9);
    assert_eq!(
        json(&warm),
        r#"{"warm_up":[9,3],"form":{"Constant":0.1},"counted":null}"#
    );
    let percent = Schedule::Product {
        schedules: vec![warm, Schedule::from(0.5).in_percent()],
    };
    for read in back(&percent) {
        assert_eq!(format!("{read:?}"), format!("{percent:?}"));
    }
    // Without a word of it, steps are counted.
    let plain = r#"{"warm_up":[3],"form":{"Constant":0.1}}"#;
    let plain: Schedule = serde_json::from_str(plain).expect("a schedule");
    assert_eq!(plain.rate(3), 0.1);
    let custom = Schedule::custom(|_| 0.1).warm_up(3);
    assert!(
        serde_json::to_string(&custom)
            .unwrap_err()
            .to_string()
            .contains("got a function")
    );
    // As many warm-ups in one another as would overflow the stack.
    let deep = format!(
        r#"{{"warm_up": [{}1], "form": {{"Constant": 0.1}}}}"#,
        "1,".repeat(1_000_000)
    );
    refused::<Schedule>(&deep, "at most 8 warm-ups");
    refused::<Schedule>(
        r#"{"warm_up": [], "form": {"Custom": null}}"#,
        "unknown variant",
    );

    let mut plateau = ReduceOnPlateau {
        patience: 3,
        cooldown: 1,
        ..ReduceOnPlateau::new()
    };
    round(plateau.clone()); // whose best is ∞
    plateau.observe(0.1 + 0.2);
    round(plateau);
}

#[test]
fn training_comes_back() -> Result<()> {
    let monitors = [
        Monitor::TrainingCost,
        Monitor::ValidationCost,
        Monitor::highest("accuracy"),
        Monitor::lowest("mean error"),
    ];
    for monitor in monitors {
        round(monitor.clone());
        round(Stop::early_stopping(monitor.clone(), 3));
        round(Stop::target(monitor.clone(), f64::NEG_INFINITY));
        round(Stopped::By(Stop::EarlyStopping {
            monitor,
            patience: usize::MAX,
            min_change: 0.1,
        }));
    }
    [
        Stop::CostConverged { change: 1e-9 },
        Stop::WeightsConverged { change: 0.0 },
        Stop::Time(Duration::new(3, 7)),
    ]
    .into_iter()
    .for_each(round);
    round(Stopped::ByObserver);
    round(Stopped::SmallGradient);
    round(Stopped::SearchFailed(SearchFailure::Evaluations));

    let data = Dataset::new(
        DMatrix::from_fn(2, 20, |i, j| ((i + 2 * j) as f64).sin()),
        DMatrix::from_fn(1, 20, |_, j| (j % 2) as f64),
    )?;
    let mut net = Sequential::builder(2)
        .layer(Dense::new(1, Activation::Sigmoid))
        .seed(1)
        .build()?;
    let mut history = Trainer::new(MeanSquaredError, Adam::new())
        .epochs(5)
        .validation_data(&data)
        .metric("accuracy, of two", |y, t| metrics::accuracy(y, t))
        .stop(Stop::target(Monitor::TrainingCost, 10.0))
        .fit(&mut net, &data)?;
    round(history.clone());
    assert_eq!(
        history.stopped,
        Some(Stopped::By(Stop::target(Monitor::TrainingCost, 10.0)))
    );
    let epoch: Epoch = history.epochs[0].clone();
    let [read, _] = back(&epoch);
    assert_eq!(read.seconds, epoch.seconds); // which equality leaves out
    let last = &mut history.epochs[0];
    (
        last.cost,
        last.validation_cost,
        last.gradient_norm,
        last.metrics[0].1,
    ) = (f64::NAN, None, f64::INFINITY, f64::NAN);
    for read in back(&history) {
        let epoch = &read.epochs[0];
        assert!(
            epoch.cost.is_nan() && epoch.validation_cost.is_none() && epoch.metrics[0].1.is_nan()
        );
        assert_eq!(
            (epoch.gradient_norm, epoch.learning_rate),
            (f64::INFINITY, history.epochs[0].learning_rate)
        );
    }
    round(History::default());
    Ok(())
}

/// Every layer, every activation fused and alone.
fn net<T: Real>() -> Result<Sequential<T>> {
    // Layers that take a network's own inputs come back in `layers_and_losses_come_back`.
    let mut builder = Sequential::builder(3);
    macro_rules! layers {
        ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {$($(
            if !Layer::<T>::checks_inputs(&$made) {
                builder = builder.layer(Dense::new(4, Activation::Linear)).layer($made);
            }
        )+)+};
    }
    chainrule::every_layer!(layers);
    for activation in activations() {
        builder = builder
            .layer(activation.clone())
            .layer(Dense::new(4, activation).bias_init(Init::Normal {
                mean: 0.0,
                std: 0.5,
            }));
    }
    builder
        .layer(Dense::new(2, Activation::Linear))
        .layer(Softmax)
        .seed(1)
        .build()
}

fn networks<T: Real>() -> Result<()> {
    let mut net = net::<T>()?;
    round(net.clone());
    let x = DMatrix::from_fn(3, 4, |i, j| T::of((i + 3 * j) as f64).sin());
    for read in back(&net) {
        assert_eq!(read.predict(&x)?, net.predict(&x)?);
        assert_eq!(
            format!("{read}{:?}", read.layers()),
            format!("{net}{:?}", net.layers())
        );
    }
    let scaled = Model::new(
        net.clone(),
        Scaler::standard(&x)?,
        Scaler::min_max(&DMatrix::from_fn(2, 3, |i, j| {
            T::of((i + j * j) as f64 / 7.0)
        }))?,
    )?;
    round(scaled.input_scaler().cloned());
    round(scaled.clone());
    let mut noted = Model::from(net.clone());
    noted
        .metadata_mut()
        .insert("\"classes\"".into(), "ä\n\0".into());
    round(noted);
    let logits = || {
        Sequential::<T>::builder(3)
            .layer(Dense::new(2, Activation::Linear))
            .seed(1)
            .build()
    };
    for function in OutputFunction::EVERY {
        round(function.clone());
        let classifier = Model::from(logits()?).with_output_function(function)?;
        round(classifier.clone());
        round(classifier.with_classes(["", "ä\n\0"].map(|name| format!("class {name}")))?);
    }

    // A network that has diverged.
    net.params_mut()[..3].copy_from_slice(&[T::of(f64::NAN), T::of(f64::INFINITY), -T::of(0.0)]);
    for read in back(&net) {
        assert!(read.params()[0].as_f64().is_nan() && read.params()[1].as_f64() == f64::INFINITY);
        assert!(
            read.params()[2].as_f64().to_bits() == (-0.0_f64).to_bits()
                && read.params()[3..] == net.params()[3..]
        );
    }
    Ok(())
}

#[test]
fn networks_and_models_come_back() -> Result<()> {
    networks::<f32>()?;
    networks::<f64>()
}

#[test]
fn every_f32_comes_back_with_its_bits() {
    // Each exponent with fractions that are hard to write in few digits.
    let fractions = [0, 1, 2, 0x2a_aaaa, 0x55_5555, 0x7f_fffe, 0x7f_ffff];
    let numbers: Vec<f32> = (0..255)
        .flat_map(|e| fractions.map(|fraction| f32::from_bits(e << 23 | fraction)))
        .collect();
    let state = OptimizerState {
        rule: "Lion".into(),
        step: 1,
        slots: vec![numbers],
        ..OptimizerState::default()
    };
    round(state);
}

#[derive(Debug)]
struct Foreign;

impl<T: Real> Layer<T> for Foreign {
    fn name(&self) -> String {
        "Foreign".into()
    }
    fn outputs(&self, inputs: usize) -> Result<usize> {
        Ok(inputs)
    }
    fn infer(&self, mut p: InferArgs<'_, T>) {
        p.y.as_mut_slice().copy_from_slice(p.x.as_slice());
    }
    fn backward(&self, _: BackwardArgs<'_, T>) {}
}

#[test]
fn what_is_no_network_is_refused() -> Result<()> {
    let net = Sequential::<f64>::builder(1)
        .layer(Softmax)
        .layer(Foreign)
        .seed(1)
        .build()?;
    let error = serde_json::to_string(&net).unwrap_err().to_string();
    assert!(
        error.contains("layer 1 (Foreign)") && error.contains("Safetensors::layer"),
        "{error}"
    );

    let text = |scalar: &str, inputs: &str, layers: &str, params: &str| {
        format!(
            r#"{{
                "scalar": "{scalar}",
                "inputs": {inputs},
                "layers": [{layers}],
                "params": [{params}]
            }}"#
        )
    };
    let dense = |outputs: &str| {
        format!(
            r#"{{"Dense": {{
                "outputs": {outputs},
                "activation": "tanh",
                "bias": "Zeros",
                "init": "HeNormal"
            }}}}"#
        )
    };
    serde_json::from_str::<Sequential<f64>>(&text("f64", "1", &dense("1"), "1, 2"))
        .expect("a network");
    let is = |text: String, part: &str| refused::<Sequential<f64>>(&text, part);
    is(
        text("f32", "1", &dense("1"), "1, 2"),
        "got f32, expected scalars of type f64",
    );
    is(text("f64", "0", &dense("1"), "1, 2"), "at least 1 input");
    is(text("f64", "1", "", ""), "at least 1 layer");
    is(
        text("f64", "1", &dense("0"), "1, 2"),
        "layer 0 (Dense tanh): got 0, expected at least 1 output",
    );
    is(
        text("f64", "1", &dense("1"), "1"),
        "got 1, expected 2 parameters",
    );
    is(
        text("f64", "1", &dense("1"), "1, 2, 3"),
        "got 3, expected 2 parameters",
    );
    is(
        text("f64", "1", &dense("1"), "1, null"),
        "a number of type f64",
    );
    is(
        text("f64", "1099511627776", &dense("1099511627776"), "1, 2"),
        "parameters that fit into memory",
    );
    is(
        text("f64", "1048576", &dense("1048576"), "1, 2"),
        "got 2, expected 1099512676352 parameters",
    );
    is(
        text("f64", "1", r#"{"Dropout": {"p": 1.5}}"#, ""),
        "layer 0 (Dropout): got 1.5, expected a probability",
    );
    is(
        text(
            "f64",
            "1",
            r#"{"BatchNorm": {
                "norm": {"eps": 0.0, "scale": true, "bias": true},
                "momentum": 0.1
            }}"#,
            "",
        ),
        "eps",
    );
    is(
        text("f64", "1", r#"{"Swish": null}"#, ""),
        "unknown variant `Swish`",
    );
    is(
        text("f64", "1", r#"{"Softmax": null, "Softmax": null}"#, ""),
        "",
    );
    is("{\"scalar\": \"f64\"}".into(), "missing field");
    is("[".repeat(1_000_000), "");
    refused::<Scaler<f64>>(r#"{"shift": [0.0], "scale": [0.0]}"#, "Scaler::new");
    refused::<Scaler<f64>>(r#"{"shift": [0.0, 1.0], "scale": [1.0]}"#, "Scaler::new");
    refused::<Scaler<f64>>(r#"{"shift": ["NaN"], "scale": [1.0]}"#, "Scaler::new");
    let other = text("f64", "1", &dense("1"), "1, 2");
    refused::<Model<f64>>(
        &format!(
            r#"{{
                "net": {other},
                "inputs": {{"shift": [0, 0], "scale": [1, 1]}},
                "outputs": null,
                "output_function": "identity",
                "classes": null,
                "metadata": {{}},
                "encoder": null
            }}"#
        ),
        "scaler of inputs: got 2, expected 1 features",
    );
    let model = |function: &str, classes: &str| {
        format!(
            r#"{{
                "net": {other},
                "inputs": null,
                "outputs": null,
                "output_function": {function},
                "classes": {classes},
                "metadata": {{}},
                "encoder": null
            }}"#
        )
    };
    serde_json::from_str::<Model<f64>>(&model(r#""sigmoid""#, r#"["no", "yes"]"#))
        .expect("a model");
    refused::<Model<f64>>(
        &model(r#""Sigmoid""#, "null"),
        "OutputFunction: got \"Sigmoid\", expected one of identity, sigmoid, softmax, exp",
    );
    refused::<Model<f64>>(
        &model(r#""softmax""#, "null"),
        "got a single output, whose softmax is always 1",
    );
    refused::<Model<f64>>(
        &model(r#""identity""#, r#"["yes"]"#),
        "classes of Model: got 1, expected 2 names",
    );
    refused::<Model<f64>>(&model("null", "null"), "");
    refused::<Model<f64>>(
        &model(r#""identity", "classes": null"#, "null"),
        "duplicate field",
    );
    Ok(())
}

/// Columns of every kind, with holes.
fn table() -> Result<Table> {
    Table::new()
        .with_numbers("x", [Some(0.1), None, Some(0.3), Some(1e-300)])?
        .with_categories("w", [Some("a"), Some("ä\n\0"), None, Some("a")])?
        .with_categories("k", ["10", "9", "9", "8"])?
        .with_numbers("y", [1.0 / 3.0, 2.0, 3.0, 4.0])
}

fn encoder() -> Result<Encoder> {
    Encoder::builder()
        .target("y")
        .fill(Fill::Mean)
        .indicators()
        .rare(2)
        .column(
            "k",
            Encoding::new()
                .ordered(["8", "9", "10"])
                .scaling(Scaling::MinMax),
        )
        .fit(&table()?)
}

#[test]
fn encoders_come_back() -> Result<()> {
    let encoder = encoder()?;
    round(encoder.clone());
    round(
        Encoder::builder()
            .target("k")
            .inputs(["w"])
            .ignore_unknown()
            .fit(&table()?)?,
    );
    for read in back(&encoder) {
        assert_eq!(
            read.transform::<f64>(&table()?)?,
            encoder.transform::<f64>(&table()?)?
        );
    }
    let net = Sequential::<f32>::builder(encoder.inputs())
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    round(Model::with_encoder(net, encoder)?);

    let number = r#"{"Numbers": {"fill": 0.5, "indicator": false, "shift": 1, "scale": 2}}"#;
    let words = r#"{"OneHot": {
        "categories": {"words": ["a"], "rare": [], "unknown": "Hole"}, "indicator": true
    }}"#;
    let target = r#"{"Numbers": [{"column": "y", "shift": 0, "scale": 1}]}"#;
    let text = |columns: &str, targets: &str| {
        format!(r#"{{"columns": [{columns}], "targets": {targets}}}"#)
    };
    let column = |name: &str, code: &str| format!(r#"["{name}", {code}]"#);
    let both = format!("{}, {}", column("x", number), column("w", words));
    serde_json::from_str::<Encoder>(&text(&both, target)).expect("an encoder");
    let one = |from: &str, to: &str| text(&both.replace(from, to), target);
    let classes = |words: &str| {
        let words = format!(r#"{{"words": [{words}], "rare": [], "unknown": "Error"}}"#);
        text(
            &both,
            &format!(r#"{{"Classes": {{"column": "y", "classes": {words}}}}}"#),
        )
    };
    serde_json::from_str::<Encoder>(&classes(r#""a", "b""#)).expect("an encoder of classes");
    for (text, part) in [
        (text("", target), "at least 1 column"),
        (
            text(
                &both,
                r#"{"Numbers": [{"column": "x", "shift": 0, "scale": 1}]}"#,
            ),
            "as both",
        ),
        (one(r#""w""#, r#""x""#), "\"x\" twice"),
        (one("0.5", r#""NaN""#), "a finite number"),
        (
            one(r#""scale": 2"#, r#""scale": 0"#),
            "a finite scale that is not 0",
        ),
        (
            one(r#""scale": 2"#, r#""scale": "inf""#),
            "a finite scale that is not 0",
        ),
        (one(r#""shift": 1, "#, ""), "missing field"),
        (one(r#""fill": 0.5, "#, ""), "missing field"),
        (
            one(r#"["a"], "rare": []"#, r#"["a"], "rare": ["a"]"#),
            "\"a\" twice",
        ),
        (one(r#"["a"]"#, "[]"), "at least 1 category"),
        (one("Hole", "Rare"), "rare categories"),
        (one("Hole", "Other"), "unknown variant"),
        (
            one(r#""indicator": true"#, r#""indicator": true, "more": 1"#),
            "unknown field",
        ),
        (classes(r#""a""#), "at least 2 classes"),
        (classes(r#""a", "a""#), "\"a\" twice"),
    ] {
        refused::<Encoder>(&text, part);
    }
    Ok(())
}

#[test]
fn damaged_encoders_build_nothing_unsound() -> Result<()> {
    let encoder = encoder()?;
    let net = Sequential::<f32>::builder(encoder.inputs())
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let bytes = postcard::to_allocvec(&Model::with_encoder(net, encoder)?).expect("postcard");
    let read = |bytes: &[u8]| postcard::from_bytes::<Model<f32>>(bytes);
    assert!((0..bytes.len()).all(|end| read(&bytes[..end]).is_err()));
    let table = table()?;
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        // Whatever it is now, it predicts or says why not.
        if let Ok(model) = read(&damaged)
            && let Ok(predicted) = model.predict_table(&table)
        {
            assert_eq!(predicted.len(), table.len());
        }
    }
    Ok(())
}

#[test]
fn damaged_bytes_build_nothing_unsound() -> Result<()> {
    let net = Sequential::<f32>::builder(2)
        .layer(Dense::new(2, Activation::Elu { alpha: 0.5 }))
        .layer(Dropout::new(0.5))
        .layer(Softmax)
        .seed(1)
        .build()?;
    let bytes = postcard::to_allocvec(&Model::new(
        net,
        Scaler::new(vec![0.0, 1.0], vec![1.0, 2.0])?,
        None,
    )?)
    .expect("postcard");
    let read = |bytes: &[u8]| postcard::from_bytes::<Model<f32>>(bytes);
    assert!(read(&bytes).is_ok());
    assert!((0..bytes.len()).all(|end| read(&bytes[..end]).is_err()));
    let x = DMatrix::from_element(2, 1, 1.0);
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        // Whatever it is now, it predicts.
        if let Ok(model) = read(&damaged) {
            assert_eq!(model.predict(&x)?.ncols(), 1);
        }
    }
    // A vector that announces more numbers than there are bytes in the world.
    let mut huge = postcard::to_allocvec("Lion").expect("postcard");
    huge.extend([1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert!(postcard::from_bytes::<OptimizerState<f32>>(&huge).is_err());
    Ok(())
}

#[cfg(feature = "num-dual")]
#[test]
fn numbers_that_no_file_holds_are_refused() -> Result<()> {
    let net = Sequential::<num_dual::Dual64>::builder(1)
        .layer(Dense::new(1, Activation::Tanh))
        .seed(1)
        .build()?;
    assert!(
        serde_json::to_string(&net)
            .unwrap_err()
            .to_string()
            .contains("f32 or f64")
    );
    refused::<OptimizerState<num_dual::Dual64>>(
        r#"{"rule": "Lion", "step": 1, "slots": [[1.0]]}"#,
        "f32 or f64",
    );
    Ok(())
}

/// In a struct of the user's.
#[test]
fn a_configuration_of_ones_own_holds_ours() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Run {
        layers: Vec<Dense>,
        rule: Adam<f64>,
        stops: Vec<Stop>,
    }
    round(Run {
        layers: vec![
            Dense::new(3, Activation::Relu),
            Dense::new(1, Activation::Linear),
        ],
        rule: Adam::new(),
        stops: vec![Stop::early_stopping(Monitor::ValidationCost, 5)],
    });
}

/// Only so deep in one another that the stack holds, in binary formats, too.
#[test]
fn sequences_in_sequences_are_not_read() {
    let sequence = |schedules| Schedule::Sequential {
        schedules,
        milestones: Vec::new(),
    };
    let mut schedule = sequence(vec![Schedule::from(0.5).warm_up(2)]).warm_up(3);
    let text = json(&schedule);
    let read: Schedule = serde_json::from_str(&text).expect("a schedule");
    assert_eq!(format!("{read:?}"), format!("{schedule:?}"));
    schedule = sequence(vec![schedule]);
    assert!(serde_json::to_string(&schedule).is_err());
    let nested = format!(
        r#"{{"warm_up":[],"form":{{"Sequential":{{"schedules":[{text}],"milestones":[]}}}}}}"#
    );
    assert!(serde_json::from_str::<Schedule>(&nested).is_err());
    // A byte for the warm-ups, one for the form, one for the number of schedules, and so on.
    let product = Schedule::Product {
        schedules: Vec::new(),
    };
    for form in [sequence(Vec::new()), product] {
        let bytes = postcard::to_allocvec(&form).expect("postcard");
        let deep = [bytes[0], bytes[1], 1].repeat(1_000_000);
        assert!(postcard::from_bytes::<Schedule>(&deep).is_err());
    }
}
