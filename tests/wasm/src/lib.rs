//! A training run as numbers, exported one by one: all that crosses the border of a module without
//! glue.

use chainrule::nn::LayerNorm;
use chainrule::prelude::*;
use chainrule::{ErrorKind, Real};

/// Exclusive or, learned by a small network of several kinds of layers, in both scalars.
fn train<T: Real>(bits: impl Fn(T) -> u64) -> Result<Vec<u64>> {
    let numbers = |list: &[f64]| list.iter().map(|x| T::of(*x)).collect::<Vec<_>>();
    let inputs = numbers(&[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    let data = Dataset::from_rows(&inputs, 2, &numbers(&[0.0, 1.0, 1.0, 0.0]), 1)?;
    let mut net = Sequential::<T>::builder(2)
        .layer(Dense::new(16, Activation::Tanh))
        .layer(LayerNorm::new())
        .layer(Dense::new(8, Activation::Gelu))
        .layer(Dense::new(1, Activation::Linear))
        .seed(1)
        .build()?;
    let mut trainer = Trainer::new(SigmoidCrossEntropy::new(), Adam::new())
        .epochs(200)
        .batch_size(4)
        .learning_rate(0.02)
        .metric("accuracy", |y, t| metrics::accuracy(y, t));
    let history = trainer.fit(&mut net, &data)?;
    let accuracy = history.last().and_then(|epoch| epoch.metric("accuracy"));
    assert_eq!(accuracy, Some(1.0), "exclusive or is not learned");
    assert!(
        history.epochs.iter().all(|epoch| epoch.seconds.is_none()),
        "a time without a clock"
    );
    let (params, outputs) = (net.params().iter(), net.predict(data.inputs())?);
    let found = params.chain(outputs.iter()).map(|x| bits(*x));
    Ok(history.costs().map(f64::to_bits).chain(found).collect())
}

/// The bits of all numbers that two runs leave behind.
pub fn numbers() -> Vec<u64> {
    let single = train::<f32>(|x| x.to_bits().into()).expect("a run in f32");
    let double = train::<f64>(f64::to_bits).expect("a run in f64");
    [single, double].concat()
}

/// How many numbers there are.
#[unsafe(no_mangle)]
pub extern "C" fn count() -> u32 {
    numbers().len() as u32
}

std::thread_local! {
    static NUMBERS: Vec<u64> = numbers();
}

/// The bits of a number.
#[unsafe(no_mangle)]
pub extern "C" fn number(index: u32) -> u64 {
    NUMBERS.with(|numbers| numbers[index as usize])
}

/// 1 where to stop by time is the error that it should be.
#[cfg(feature = "std")]
#[unsafe(no_mangle)]
pub extern "C" fn refuses_to_stop_by_time() -> u32 {
    let run = || {
        let data = Dataset::from_rows(&[1.0], 1, &[1.0], 1)?;
        let mut net = Sequential::<f64>::builder(1)
            .layer(Dense::new(1, Activation::Linear))
            .seed(1)
            .build()?;
        let before = net.clone();
        let time = Stop::Time(core::time::Duration::from_secs(1));
        let error = Trainer::new(MeanSquaredError, Sgd::new())
            .stop(time)
            .fit(&mut net, &data)
            .err();
        Ok::<_, Error>(
            error.is_some_and(|e| e.kind() == ErrorKind::Incompatible && e.place() == "Stop::Time")
                && net == before,
        )
    };
    run().is_ok_and(|refused| refused).into()
}
