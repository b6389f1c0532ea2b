//! The peak memory of a training run is what the documentation of the trainers says.

use crate::counting::peak;
use chainrule::Real;
use chainrule::prelude::*;
use chainrule::train::{Lbfgs, ScaledConjugateGradient};

/// What a run takes beside the network and the data: the formula of `Trainer`, without the packing
/// buffers.
struct Run {
    params: usize,
    /// Vectors of the optimizer.
    slots: usize,
    inputs: usize,
    outputs: usize,
    /// Outputs of all layers, and those whose activation keeps its derivative.
    neurons: usize,
    kept: usize,
    batch: usize,
    samples: usize,
}

impl Run {
    fn bytes<T>(&self) -> usize {
        let numbers = (2 + 2 * self.slots) * self.params
            + (2 * self.neurons + self.kept + self.inputs + self.outputs + 1) * self.batch;
        numbers * size_of::<T>() + 8 * self.samples
    }
}

fn peak_of<T: Real>(
    run: &Run,
    widths: [usize; 2],
    activation: Activation,
    optimizer: impl Optimizer<T>,
) -> Result<usize> {
    let x = DMatrix::from_fn(run.inputs, run.samples, |i, j| {
        T::of((i * j % 17) as f64 / 17.0)
    });
    let data = Dataset::new(
        x,
        DMatrix::from_fn(run.outputs, run.samples, |i, j| {
            T::of(f64::from(u8::from(i == j % run.outputs)))
        }),
    )?;
    let mut net = Sequential::<T>::builder(run.inputs)
        .layer(Dense::new(widths[0], activation.clone()))
        .layer(Dense::new(widths[1], activation))
        .layer(Dense::new(run.outputs, Activation::Linear))
        .seed(1)
        .build()?;
    assert_eq!(net.params().len(), run.params);
    let mut trainer = Trainer::new(SoftmaxCrossEntropy::new(), optimizer)
        .batch_size(run.batch)
        .epochs(3)
        .learning_rate(1e-4);
    let (fitted, peak) = peak(|| trainer.fit(&mut net, &data));
    fitted.map(|_| peak)
}

/// At least what the formula says, and at most that and the packing buffer with some small change.
fn check<T>(run: &Run, peak: usize) {
    const PACK: usize = 3 << 19;
    let formula = run.bytes::<T>();
    assert!(
        (formula..formula + PACK + 20_000).contains(&peak),
        "{peak} bytes, by the formula {formula}"
    );
}

#[test]
fn a_training_run_takes_what_the_documentation_says() -> Result<()> {
    // The network of 784-512-512-10, and a small one.
    let mut run = Run {
        params: 669_706,
        slots: 2,
        inputs: 784,
        outputs: 10,
        neurons: 1034,
        kept: 0,
        batch: 128,
        samples: 1000,
    };
    check::<f32>(
        &run,
        peak_of::<f32>(&run, [512, 512], Activation::Relu, Adam::new())?,
    );
    run.slots = 0;
    check::<f32>(
        &run,
        peak_of::<f32>(&run, [512, 512], Activation::Relu, Sgd::new())?,
    );
    (run.slots, run.kept) = (1, 1024);
    check::<f64>(
        &run,
        peak_of::<f64>(&run, [512, 512], Activation::Tanh, Sgd::new().momentum(0.9))?,
    );
    let small = Run {
        params: 13 * 64 + 64 + 64 * 64 + 64 + 64 * 3 + 3,
        slots: 2,
        inputs: 13,
        outputs: 3,
        neurons: 131,
        kept: 128,
        batch: 32,
        samples: 500,
    };
    check::<f64>(
        &small,
        peak_of::<f64>(&small, [64, 64], Activation::Sigmoid, Adam::new())?,
    );
    Ok(())
}

/// All samples at once: of `copies` vectors of the parameters and the tape.
#[test]
fn full_batches_take_what_the_documentation_says() -> Result<()> {
    let (inputs, widths, outputs, samples) = (60, [80, 50], 3, 400);
    let x = DMatrix::from_fn(inputs, samples, |i, j| ((i * j) % 17) as f64 / 17.0);
    let t = DMatrix::from_fn(outputs, samples, |i, j| {
        f64::from(u8::from(i == j % outputs))
    });
    let data = Dataset::new(x, t)?;
    let build = || {
        Sequential::<f64>::builder(inputs)
            .layer(Dense::new(widths[0], Activation::Tanh))
            .layer(Dense::new(widths[1], Activation::Relu))
            .layer(Dense::new(outputs, Activation::Linear))
            .seed(1)
            .build()
    };
    let check = |copies: usize, peak: usize, net: &Sequential<f64>| {
        let neurons = widths[0] + widths[1] + outputs;
        let tape = (2 * neurons + widths[0] + 1) * samples;
        let formula = (copies * net.params().len() + tape) * size_of::<f64>();
        let most = formula + (3 << 19) + 20_000;
        assert!(
            (formula..most).contains(&peak),
            "{peak}, by the formula {formula}"
        );
    };
    let mut net = build()?;
    let mut lbfgs = Lbfgs::new(SoftmaxCrossEntropy::new()).memory(6).epochs(9);
    let (fitted, bytes) = peak(|| lbfgs.fit(&mut net, &data));
    assert_eq!(fitted?.epochs.len(), 9);
    check(4 * 6 + 6, bytes, &net);
    let mut net = build()?;
    let mut gradients = ScaledConjugateGradient::new(SoftmaxCrossEntropy::new()).epochs(9);
    let (fitted, bytes) = peak(|| gradients.fit(&mut net, &data));
    assert_eq!(fitted?.epochs.len(), 9);
    check(7, bytes, &net);
    Ok(())
}

/// One copy of the data in scaled units, and none where there is no scaler.
#[test]
fn a_model_copies_its_data_once() -> Result<()> {
    let inputs = 50;
    let samples = 20_000;
    let outputs = 5;
    let x = DMatrix::from_fn(inputs, samples, |i, j| (i * j % 17) as f64);
    let data = Dataset::new(
        x,
        DMatrix::from_fn(outputs, samples, |i, j| (i * j % 19) as f64),
    )?;
    let net = Sequential::<f64>::builder(inputs)
        .layer(Dense::new(outputs, Activation::Linear))
        .seed(1)
        .build()?;
    let taken = |scaled: [bool; 2], validated: bool| {
        let scaler = |side: usize, numbers: &DMatrix<f64>| {
            scaled[side].then(|| Scaler::standard(numbers)).transpose()
        };
        let mut model = Model::new(
            net.clone(),
            scaler(0, data.inputs())?,
            scaler(1, data.targets())?,
        )?;
        let trainer = Trainer::new(MeanSquaredError, Sgd::new())
            .epochs(1)
            .batch_size(1000)
            .metric("R²", |y, t| metrics::r2(y, t));
        let mut trainer = if validated {
            trainer.validation_data(&data)
        } else {
            trainer
        };
        let (fitted, peak) = peak(|| model.fit(&mut trainer, &data));
        fitted.map(|_| peak)
    };
    let copy = 8 * (inputs + outputs) * samples;
    let (neither, both) = ([false; 2], [true; 2]);
    let plain = taken(neither, false)?;
    let once = taken(both, false)?;
    let twice = taken(both, true)?;
    assert!(plain < copy, "{plain} bytes without a copy of {copy}");
    assert!(
        (copy..copy + copy / 50).contains(&(once - plain)),
        "{} bytes for a copy of {copy}",
        once - plain
    );
    assert!(
        (2 * copy..2 * copy + copy / 50).contains(&(twice - plain)),
        "{} bytes for two of {copy}",
        twice - plain
    );
    // Of the side that has a scaler alone.
    for (scaled, width) in [([true, false], inputs), ([false, true], outputs)] {
        let (more, side) = (taken(scaled, false)? - plain, 8 * width * samples);
        assert!(
            (side..side + copy / 50).contains(&more),
            "{more} bytes for a copy of {side}"
        );
    }
    // By value, in place.
    let model = Model::new(
        net.clone(),
        Scaler::standard(data.inputs())?,
        Scaler::standard(data.targets())?,
    )?;
    let moved = data.clone();
    let (moved, taken) = peak(|| model.scale(moved));
    let moved = moved?;
    assert!(taken < copy / 50, "{taken} bytes to scale {copy} in place");
    assert_eq!(moved.len(), samples);
    Ok(())
}
