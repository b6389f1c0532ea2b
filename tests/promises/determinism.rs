//! The same seed, the same bits: initial weights, orders, masks, training runs, and predictions
//! whatever the batch.
//!
//! The pinned numbers do not come from this crate. They were computed apart from it, from the
//! published algorithms: SplitMix64 (Steele, Lea & Flood 2014), xoshiro256++ (Blackman & Vigna
//! 2021), the ziggurat of Doornik (2005), Fisher & Yates with Lemire's bounded integers (2019).

use crate::common::{bits, rng};
use chainrule::data::Batches;
use chainrule::nalgebra::DMatrix;
use chainrule::nn::loss::QuadraticCost;
use chainrule::nn::{Builder, Softmax};
use chainrule::optim::{Group, OptimizerState};
use chainrule::prelude::*;
use chainrule::{Real, View};

// -------------------------------------------------------------------------------------------------
// Initial weights

/// One layer of 3 inputs and 2 outputs without biases, from seed 7.
fn weights<T: Real>(init: Init) -> Vec<T> {
    let layer = Dense::new(2, Activation::Linear).without_bias().init(init);
    Sequential::builder(3)
        .layer(layer)
        .build_with(&mut rng(7))
        .expect("a sound network")
        .params()
        .to_vec()
}

#[test]
fn initial_weights() {
    let pinned: [(Init, [u64; 6]); 8] = [
        (
            Init::Uniform {
                low: -0.5,
                high: 1.0,
            },
            [
                0xbfda_af76_3fef_fe8a,
                0xbfce_f429_5984_450e,
                0x3fe2_7193_51b1_27d0,
                0x3fc2_0637_8fca_5200,
                0x3fee_4172_bd8e_06b0,
                0x3fc9_6a44_89dd_1a10,
            ],
        ),
        (
            Init::HeUniform,
            [
                0xbff4_1f41_442e_5d24,
                0xbfed_ad3b_3cfc_d630,
                0x3fe3_b157_9d4d_d646,
                0xbfca_5a55_0e68_fbb8,
                0x3ff4_fb9b_0df1_67a3,
                0xbfb8_d54b_64e9_2a70,
            ],
        ),
        (
            Init::GlorotUniform,
            [
                0xbfef_2c4a_337c_792e,
                0xbfe6_fcca_4671_afa1,
                0x3fde_8203_89cd_6910,
                0xbfc4_69af_bde5_3178,
                0x3ff0_40d3_ef3f_4186,
                0xbfb3_3c56_d2a5_3140,
            ],
        ),
        (
            Init::LeCunUniform,
            [
                0xbfec_74f9_7ff5_545c,
                0xbfe4_fc0d_c881_6c5a,
                0x3fdb_d988_d9d8_6a2c,
                0xbfc2_a260_959c_e800,
                0x3fed_ac98_fcbd_5e40,
                0xbfb1_8f49_3b07_ba80,
            ],
        ),
        (
            Init::Normal {
                mean: 1.0,
                std: 0.5,
            },
            [
                0x3fb6_2f80_e533_33e8,
                0x3fc2_6c18_a35d_7c40,
                0x3ff5_ae12_581f_cc3e,
                0x3feb_3161_9b03_d019,
                0x3ffb_e5d3_6266_f7b0,
                0x3fee_61ae_0259_7dfe,
            ],
        ),
        (
            Init::HeNormal,
            [
                0xbff7_dd13_fde0_52e7,
                0xbff6_5e12_24f7_a05b,
                0x3fe2_8cfa_67c6_de41,
                0xbfcf_665e_2cf3_307b,
                0x3ff3_6dd0_04ce_efc4,
                0xbfb5_24a8_4d3e_ed62,
            ],
        ),
        (
            Init::GlorotNormal,
            [
                0xbff2_7c12_509e_a7c2,
                0xbff1_5365_3ad3_00a9,
                0x3fdc_bd15_d6c5_6b30,
                0xbfc8_527e_33fe_5ca5,
                0x3fee_1965_b5d0_a49a,
                0xbfb0_60a0_5ccc_846f,
            ],
        ),
        (
            Init::LeCunNormal,
            [
                0xbff0_dfc5_4281_e1da,
                0xbfef_a1e3_1882_e7c1,
                0x3fda_3c11_bdbe_37c2,
                0xbfc6_33fc_03cc_145a,
                0x3feb_7a08_7fa9_5ce5,
                0xbfad_e6a7_4eaa_c963,
            ],
        ),
    ];
    for (init, expected) in pinned {
        assert_eq!(bits(&weights::<f64>(init)), expected, "{init:?}");
    }
}

#[test]
fn single_precision_starts_as_double_precision_rounded() {
    let all = [
        Init::Constant(0.1),
        Init::Uniform {
            low: -0.5,
            high: 1.0,
        },
        Init::Normal {
            mean: 1.0,
            std: 0.5,
        },
        Init::HeNormal,
        Init::HeUniform,
        Init::GlorotNormal,
        Init::GlorotUniform,
        Init::LeCunNormal,
        Init::LeCunUniform,
        Init::Orthogonal { gain: 1.7 },
    ];
    for init in all {
        let rounded: Vec<u32> = weights::<f64>(init)
            .iter()
            .map(|w| (*w as f32).to_bits())
            .collect();
        let single: Vec<u32> = weights::<f32>(init).iter().map(|w| w.to_bits()).collect();
        assert_eq!(single, rounded, "{init:?}");
    }
}

/// A network with every kind of layer, whose parameters and masks depend on random numbers.
fn dropout_net<T: Real>() -> Builder<T> {
    Sequential::builder(3)
        .layer(Dense::new(7, Activation::Tanh).bias_init(Init::Normal {
            mean: 0.0,
            std: 0.1,
        }))
        .layer(Dropout::new(0.3))
        .layer(Dense::new(5, Activation::Relu).init(Init::Orthogonal { gain: 1.0 }))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(2, Activation::Linear))
}

#[test]
fn networks_and_resets() {
    let net = |seed| {
        dropout_net::<f64>()
            .build_with(&mut rng(seed))
            .expect("a sound network")
    };
    assert_eq!(bits(net(1).params()), bits(net(1).params()));
    assert_ne!(net(1), net(2));
    let mut other = net(2);
    other.reset_with(&mut rng(1));
    assert_eq!(bits(other.params()), bits(net(1).params()));
}

// -------------------------------------------------------------------------------------------------
// Orders

/// Samples 0, 1, 2, … whose only feature and target is their number.
fn numbered(n: usize) -> Dataset<f64> {
    let number = DMatrix::from_fn(1, n, |_, j| j as f64);
    Dataset::new(number.clone(), number).expect("sound data")
}

fn order(batches: &mut Batches<f64>, data: &Dataset<f64>, epoch: u64) -> Vec<f64> {
    let mut order = vec![];
    let mut batches = batches.epoch(data, epoch);
    while let Some(batch) = batches.next_batch() {
        assert_eq!(batch.x, batch.target.values());
        order.extend(batch.x.as_slice());
    }
    order
}

#[test]
fn orders_of_batches() {
    let data = numbered(10);
    let (first, second) = (
        [3.0, 1.0, 2.0, 5.0, 8.0, 9.0, 7.0, 0.0, 6.0, 4.0],
        [9.0, 6.0, 0.0, 7.0, 4.0, 2.0, 5.0, 1.0, 8.0, 3.0],
    );
    // The order is that of the samples, whatever the size of a batch.
    for size in [1, 3, 4, 10, 11, usize::MAX] {
        let mut batches = Batches::shuffled(size, 7).expect("a size");
        assert_eq!(order(&mut batches, &data, 0), first);
        assert_eq!(order(&mut batches, &data, 1), second);
        // Any epoch again, without those before it.
        assert_eq!(order(&mut batches, &data, 0), first);
        assert_eq!(
            order(&mut Batches::shuffled(size, 7).expect("a size"), &data, 1),
            second
        );
    }
    assert_ne!(
        order(&mut Batches::shuffled(3, 8).expect("a size"), &data, 0),
        first
    );
}

#[test]
fn order_of_a_split() -> Result<()> {
    let (train, test) = numbered(10).split(0.7, 42)?;
    assert_eq!(
        train.inputs().as_slice(),
        [3.0, 7.0, 1.0, 6.0, 0.0, 5.0, 4.0]
    );
    assert_eq!(test.inputs().as_slice(), [2.0, 9.0, 8.0]);
    assert_eq!(
        (train.inputs(), test.inputs()),
        (train.targets(), test.targets())
    );
    assert_ne!(numbered(10).split(0.7, 43)?.0, train);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Masks

/// What dropout of `p` as layer `layer` makes of ones in the next training pass of `tape`: the
/// samples as columns.
fn mask(p: f64, layer: usize, samples: usize, tape: &mut Tape<f64>) -> Result<DMatrix<f64>> {
    let builder = (0..layer).fold(Sequential::builder(5), |builder, _| {
        builder.layer(Activation::Linear)
    });
    let net = builder.layer(Dropout::new(p)).build_with(&mut rng(1))?;
    net.gradient_with(
        &DMatrix::from_element(5, samples, 1.0),
        tape,
        |_, mut dy| {
            dy.as_mut_slice().fill(1.0);
            Ok(())
        },
    )?;
    // The slopes go through the same mask.
    if layer > 0 {
        assert_eq!(tape.delta(layer - 1)?, tape.a(layer)?);
    }
    Ok(tape.a(layer)?.into_owned())
}

#[test]
fn dropout_masks() -> Result<()> {
    let kept = |scale: f64, rows: [[u8; 5]; 3]| {
        DMatrix::from_fn(5, 3, |i, j| scale * f64::from(rows[j][i]))
    };
    let mut tape = Tape::with_seed(3);
    assert_eq!(
        mask(0.5, 0, 3, &mut tape)?,
        kept(2.0, [[0, 1, 1, 1, 0], [1, 0, 1, 0, 1], [0, 1, 1, 0, 1]])
    );
    // Each pass draws anew.
    assert_eq!(
        mask(0.5, 0, 3, &mut tape)?,
        kept(2.0, [[1, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 1, 0]])
    );

    let scale = 1.0 / (1.0 - 0.25);
    let mut tape = Tape::with_seed(3);
    assert_eq!(
        mask(0.25, 1, 3, &mut tape)?,
        kept(scale, [[1, 1, 0, 0, 0], [0, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    );
    assert_eq!(
        mask(0.25, 1, 3, &mut tape)?,
        kept(scale, [[1, 0, 1, 1, 1], [1, 0, 1, 1, 0], [0, 1, 0, 1, 1]])
    );
    Ok(())
}

#[test]
fn a_mask_is_a_function_of_seed_step_layer_and_sample() -> Result<()> {
    let at = |seed, step, layer, samples| {
        let mut tape = Tape::new();
        tape.seek(seed, step);
        mask(0.5, layer, samples, &mut tape)
    };
    let all = at(3, 5, 1, 40)?;
    // The same sample of a smaller batch.
    for samples in [1, 2, 17] {
        assert_eq!(at(3, 5, 1, samples)?, all.columns(0, samples));
    }
    // With 200 coins, others fall otherwise.
    for other in [at(4, 5, 1, 40)?, at(3, 6, 1, 40)?, at(3, 5, 2, 40)?] {
        assert_ne!(other, all);
    }
    assert_ne!(all.column(0), all.column(1));
    Ok(())
}

#[test]
fn inference_draws_nothing() -> Result<()> {
    let net = dropout_net::<f64>().build_with(&mut rng(1))?;
    let (x, t) = (
        DMatrix::from_fn(3, 9, |i, j| (i * 9 + j) as f64 / 10.0 - 1.0),
        DMatrix::zeros(2, 9),
    );
    let mut tape = Tape::with_seed(3);
    let mut y = DMatrix::zeros(2, 9);
    net.predict_into(&x, &mut y, &mut tape)?;
    let cost = net.cost(&x, &t, &QuadraticCost, &mut tape)?;
    assert_eq!(tape.step(), 0);
    tape.seek(99, 1000);
    let mut again = DMatrix::zeros(2, 9);
    net.predict_into(&x, &mut again, &mut tape)?;
    assert_eq!(bits(again.as_slice()), bits(y.as_slice()));
    assert_eq!(
        net.cost(&x, &t, &QuadraticCost, &mut tape)?.to_bits(),
        cost.to_bits()
    );
    assert_eq!(tape.step(), 1000);
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Training

/// 23 samples, so that the last of the batches of 5 is smaller.
fn data<T: Real>() -> Dataset<T> {
    let x = DMatrix::from_fn(3, 23, |i, j| T::of(((7 * i + 3 * j) as f64).sin()));
    let t = DMatrix::from_fn(2, 23, |i, j| T::of(((2 * i + 5 * j) as f64).cos()));
    Dataset::new(x, t).expect("sound data")
}

fn trainer<'a, T: Real>(optimizer: impl Optimizer<T> + 'a) -> Trainer<'a, T> {
    Trainer::new(MeanSquaredError, optimizer)
        .batch_size(5)
        .learning_rate(0.05)
        .seed(11)
}

/// Parameters, optimizer and costs after `calls` fits of `epochs` epochs.
fn run<T: Real>(
    optimizer: impl Optimizer<T> + 'static,
    calls: usize,
    epochs: usize,
) -> (Sequential<T>, OptimizerState<T>, Vec<f64>) {
    let mut net = dropout_net::<T>()
        .build_with(&mut rng(5))
        .expect("a sound network");
    let data = data::<T>();
    let mut trainer = trainer(optimizer).epochs(epochs);
    let mut costs = vec![];
    for _ in 0..calls {
        costs.extend(trainer.fit(&mut net, &data).expect("a sound fit").costs());
    }
    assert_eq!(trainer.epoch(), calls * epochs);
    (net, trainer.optimizer().state().clone(), costs)
}

/// Numbers as bits, so that −0 and 0 differ and NaN equals itself.
fn exactly<T: Real>((net, state, costs): (Sequential<T>, OptimizerState<T>, Vec<f64>)) -> Vec<u64> {
    let numbers = net
        .params()
        .iter()
        .chain(state.slots.iter().flatten())
        .map(|v| v.as_f64());
    numbers
        .chain(costs)
        .map(f64::to_bits)
        .chain([state.step])
        .collect()
}

#[test]
fn a_run_twice() {
    assert_eq!(
        exactly(run::<f64>(Adam::new(), 1, 4)),
        exactly(run::<f64>(Adam::new(), 1, 4))
    );
    assert_eq!(
        exactly(run::<f32>(Adam::new(), 1, 4)),
        exactly(run::<f32>(Adam::new(), 1, 4))
    );
    assert_eq!(
        exactly(run::<f64>(Sgd::new(), 1, 4)),
        exactly(run::<f64>(Sgd::new(), 1, 4))
    );
    assert_ne!(
        exactly(run::<f64>(Adam::new(), 1, 4)),
        exactly(run::<f64>(Sgd::new().momentum(0.9), 1, 4))
    );
}

#[test]
fn another_seed_is_another_run() -> Result<()> {
    let fit = |seed| {
        let mut net = dropout_net::<f64>().build_with(&mut rng(5))?;
        trainer(Adam::new())
            .seed(seed)
            .epochs(2)
            .fit(&mut net, &data())?;
        Ok::<_, Error>(net)
    };
    assert_eq!(fit(1)?, fit(1)?);
    assert_ne!(fit(1)?, fit(2)?);
    Ok(())
}

/// n epochs at once are n times one epoch: shuffled, with dropout, with an optimizer that
/// remembers.
#[test]
fn epochs_at_once_or_one_by_one() {
    macro_rules! same {
        ($t:ty, $optimizer:expr) => {
            let at_once = run::<$t>($optimizer, 1, 6);
            let one_by_one = run::<$t>($optimizer, 6, 1);
            let in_two = run::<$t>($optimizer, 2, 3);
            assert_eq!(at_once.1.step, 6 * 5);
            let at_once = exactly(at_once);
            assert_eq!(exactly(one_by_one), at_once);
            assert_eq!(exactly(in_two), at_once);
        };
    }
    same!(f64, Sgd::new().momentum(0.9));
    same!(f64, Sgd::new().momentum(0.9).dampening(0.5));
    same!(f64, Sgd::new().momentum(0.9).nesterov());
    same!(f64, Adam::new());
    same!(f32, Sgd::new().momentum(0.9));
    same!(f32, Adam::new());
}

/// A training loop by hand: `epochs` of them from a network, an optimizer and a tape as they are.
fn epochs(
    net: &mut Sequential<f64>,
    optimizer: &mut dyn Optimizer<f64>,
    tape: &mut Tape<f64>,
    epochs: std::ops::Range<u64>,
) -> Result<()> {
    let (data, groups) = (data(), Group::all(net.params().len()));
    let mut batches = Batches::shuffled(5, 11)?;
    for epoch in epochs {
        let mut batches = batches.epoch(&data, epoch);
        while let Some(batch) = batches.next_batch() {
            net.gradient(batch.x, batch.target.values(), &MeanSquaredError, tape)?;
            optimizer.step(0.05, net.params_mut(), tape.grads(), &groups)?;
        }
    }
    Ok(())
}

#[test]
fn a_run_resumed_from_what_was_saved() -> Result<()> {
    type Make = fn() -> Box<dyn Optimizer<f64>>;
    let makes: [Make; 4] = [
        || Box::new(Sgd::new()),
        || Box::new(Sgd::new().momentum(0.9).dampening(0.5)),
        || Box::new(Sgd::new().momentum(0.9).nesterov()),
        || Box::new(Adam::new()),
    ];
    for make in makes {
        let mut whole = dropout_net().build_with(&mut rng(5))?;
        let mut optimizer = make();
        let mut tape = Tape::with_seed(11);
        epochs(&mut whole, &mut *optimizer, &mut tape, 0..3)?;
        let params = whole.params().to_vec();
        let state = optimizer.state().clone();
        let step = tape.step();
        epochs(&mut whole, &mut *optimizer, &mut tape, 3..6)?;

        // Everything made anew, from another seed.
        let (mut resumed, mut other, mut tape) =
            (dropout_net().build_with(&mut rng(6))?, make(), Tape::new());
        resumed.set_params(&params)?;
        other.restore(&state)?;
        tape.seek(11, step);
        epochs(&mut resumed, &mut *other, &mut tape, 3..6)?;
        assert_eq!(bits(resumed.params()), bits(whole.params()));
        assert_eq!(other.state(), optimizer.state());
        // And it is the run of a trainer of these settings.
        let mut net = dropout_net().build_with(&mut rng(5))?;
        let mut trainer = Trainer::new(MeanSquaredError, Unboxed(make()))
            .batch_size(5)
            .learning_rate(0.05)
            .seed(11)
            .epochs(6);
        trainer.fit(&mut net, &data())?;
        assert_eq!(bits(net.params()), bits(whole.params()));
    }
    Ok(())
}

/// A boxed optimizer as one.
#[derive(Debug)]
struct Unboxed(Box<dyn Optimizer<f64>>);

impl Optimizer<f64> for Unboxed {
    fn step(&mut self, lr: f64, params: &mut [f64], grads: &[f64], groups: &[Group]) -> Result<()> {
        self.0.step(lr, params, grads, groups)
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
    fn state(&self) -> &OptimizerState<f64> {
        self.0.state()
    }
    fn restore(&mut self, state: &OptimizerState<f64>) -> Result<()> {
        self.0.restore(state)
    }
}

/// A tape that has served other networks and batches gives the bits of a new one.
#[test]
fn a_used_tape() -> Result<()> {
    let net = dropout_net::<f64>().build_with(&mut rng(5))?;
    let other = Sequential::<f64>::builder(3)
        .layer(Dense::new(31, Activation::Gelu))
        .layer(Dense::new(2, Activation::Softsign))
        .build_with(&mut rng(1))?;
    let (data, mut used) = (data::<f64>(), Tape::with_seed(3));
    other.gradient(data.inputs(), data.targets(), &QuadraticCost, &mut used)?;
    net.cost(data.inputs(), data.targets(), &QuadraticCost, &mut used)?;
    used.seek(3, 0);
    for samples in [23, 4, 23, 1] {
        let (x, t) = (
            View::from(data.inputs()).columns(0, samples)?,
            View::from(data.targets()).columns(0, samples)?,
        );
        let mut new = Tape::new();
        new.seek(3, used.step());
        let expected = net.gradient(x, t, &MeanSquaredError, &mut new)?;
        assert_eq!(
            net.gradient(x, t, &MeanSquaredError, &mut used)?.to_bits(),
            expected.to_bits()
        );
        assert_eq!(bits(used.grads()), bits(new.grads()));
        assert_eq!(bits(used.costs()), bits(new.costs()));
        for layer in 0..net.layers().len() {
            assert_eq!(used.a(layer)?, new.a(layer)?);
            assert_eq!(used.delta(layer)?, new.delta(layer)?);
        }
    }
    Ok(())
}

// -------------------------------------------------------------------------------------------------
// Predictions

/// A sample by itself and among 1, 2, 16 or 199 others, wherever it stands among them.
fn one_as_in_any_batch<T: Real>(builder: Builder<T>) -> Result<()> {
    let net = builder.build_with(&mut rng(3))?;
    let exact = |numbers: &[T]| {
        numbers
            .iter()
            .map(|v| v.as_f64().to_bits())
            .collect::<Vec<_>>()
    };
    let (n, outputs) = (net.inputs(), net.outputs());
    // Of many magnitudes, so that any other order of a sum shows.
    let x = DMatrix::from_fn(n, 200, |i, j| {
        T::of(((i * 31 + j * 17) as f64).sin() * 10.0_f64.powi((i % 5) as i32 - 2))
    });
    let mut tape = Tape::new();
    let alone: Vec<Vec<u64>> = View::from(&x)
        .iter()
        .map(|sample| {
            let mut y = vec![T::zero(); outputs];
            net.predict_one(sample, &mut y, &mut tape)
                .map(|()| exact(&y))
        })
        .collect::<Result<_>>()?;
    for size in [1, 2, 3, 17, 127, 128, 129, 200] {
        // From the first sample and up to the last one, so that most samples stand in two places.
        for first in [0, 200 - size] {
            let batch = View::from(&x).columns(first, size)?;
            let y = net.predict(batch)?;
            for (j, y) in View::from(&y).iter().enumerate() {
                assert_eq!(
                    exact(y),
                    alone[first + j],
                    "sample {} as number {j} of {size}",
                    first + j
                );
            }
            let mut into = DMatrix::zeros(outputs, size);
            net.predict_into(batch, &mut into, &mut tape)?;
            assert_eq!(exact(into.as_slice()), exact(y.as_slice()));
        }
    }
    Ok(())
}

fn deep<T: Real>() -> Builder<T> {
    Sequential::builder(13)
        .layer(Dense::new(37, Activation::Relu))
        .layer(Dense::new(29, Activation::Gelu))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(10, Activation::Tanh))
        .layer(Softmax)
}

fn wide<T: Real>() -> Builder<T> {
    Sequential::builder(300)
        .layer(Dense::new(5, Activation::Sigmoid))
        .layer(Dense::new(1, Activation::Linear).without_bias())
}

#[test]
fn predictions_of_one_or_many() -> Result<()> {
    one_as_in_any_batch::<f64>(deep())?;
    one_as_in_any_batch::<f64>(wide())?;
    one_as_in_any_batch::<f32>(deep())?;
    one_as_in_any_batch::<f32>(wide())
}

/// The costs of the samples are as independent as their outputs.
#[test]
fn costs_of_one_or_many() -> Result<()> {
    let net = Sequential::<f64>::builder(13)
        .layer(Dense::new(37, Activation::Mish))
        .layer(Dense::new(4, Activation::Linear))
        .build_with(&mut rng(3))?;
    let x = DMatrix::from_fn(13, 200, |i, j| ((i * 31 + j * 17) as f64).sin());
    let t = one_hot(&(0..200).map(|j| j % 4).collect::<Vec<_>>(), 4)?;
    let (mut tape, loss) = (Tape::new(), SoftmaxCrossEntropy::new());
    net.cost(&x, &t, &loss, &mut tape)?;
    let together = bits(tape.costs());
    for (j, expected) in together.iter().enumerate() {
        let cost = net.cost(
            View::from(&x).columns(j, 1)?,
            View::from(&t).columns(j, 1)?,
            &loss,
            &mut tape,
        )?;
        assert_eq!(cost.to_bits(), *expected, "sample {j}");
    }
    Ok(())
}
