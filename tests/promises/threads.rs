//! One network, many threads: what may be shared and sent, and the bits of one thread in each of
//! them.

use chainrule::data::Batches;
use chainrule::nalgebra::DMatrix;
use chainrule::nn::layer::{Block, Layer, Role, Scratch};
use chainrule::nn::loss::*;
use chainrule::nn::*;
use chainrule::numeric::{Targets, ViewMut};
use chainrule::optim::*;
use chainrule::prelude::*;
use chainrule::train::{Epoch, History};
use chainrule::{ErrorKind, Real, View, gradcheck};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

/// Compiles only where all types are what the bounds say.
macro_rules! all {
    ($bound:ident: $($t:ty),* $(,)?) => { $( $bound::<$t>(); )* };
}

#[test]
fn public_types_are_send_and_sync() {
    fn shared<T: Send + Sync>() {}
    fn owned<T: Send + Sync + 'static>() {}
    all!(owned: Error, ErrorKind, Result<f64>);
    all!(owned: Sequential<f32>, Sequential<f64>, Builder<f64>, Tape<f32>, Tape<f64>);
    all!(owned: Scratch<f64>, Arc<dyn Layer<f64>>, Box<dyn Loss<f64>>);
    macro_rules! layers {
        ($($file:ident::$layer:ident $(<$scalar:ident>)? { $($made:expr),+ })+) => {
            all!(owned: $($layer$(<$scalar>)?,)+ Breakpoints, OutputRange, Init, Block, Role);
        };
    }
    type T = f64;
    chainrule::every_layer!(layers);
    macro_rules! losses {
        ($($file:ident::$loss:ident { $($made:expr),+ })+) => { all!(owned: $($loss,)+ Reduction) };
    }
    chainrule::every_loss!(losses);
    macro_rules! rules {
        ($($file:ident::$rule:ident { $($made:expr),+ })+) => {
            all!(owned: $($rule<f64>,)+ Group, OptimizerState<f64>);
        };
    }
    chainrule::every_rule!(rules);
    all!(owned: Dataset<f64>, Batches<f64>, Scaler<f64>, History, Epoch);
    all!(owned: metrics::Average, metrics::ConfusionMatrix);
    all!(owned: gradcheck::Report, gradcheck::Derivative);
    all!(shared: View<'_, f64>, ViewMut<'_, f64>, Targets<'_, f64>, At<'_, f64>);
    all!(shared: chainrule::data::Batch<'_, f64>);
    fn sent<T: Send + ?Sized>() {}
    sent::<dyn Optimizer<f64>>();
    // What `?` in a function that returns a boxed error, and `anyhow`, ask for.
    fn error<E: std::error::Error + Send + Sync + 'static>() {}
    error::<Error>();
}

const THREADS: usize = 6;

fn net<T: Real>() -> Sequential<T> {
    Sequential::builder(7)
        .layer(Dense::new(19, Activation::Tanh))
        .layer(Dropout::new(0.4))
        .layer(Dense::new(11, Activation::Gelu))
        .layer(Dense::new(3, Activation::Linear))
        .seed(1)
        .build()
        .expect("a sound network")
}

/// The samples of a thread: not those of another.
fn samples<T: Real>(thread: usize) -> (DMatrix<T>, DMatrix<T>) {
    let x = DMatrix::from_fn(7, 20 + thread, |i, j| {
        T::of(((thread * 101 + i * 31 + j * 17) as f64).sin())
    });
    let t = DMatrix::from_fn(3, 20 + thread, |i, j| {
        T::of(((thread * 7 + i * 3 + j) as f64).cos())
    });
    (x, t)
}

/// All numbers of ten rounds of a thread, as bits: predictions, costs, gradients.
fn work<T: Real>(net: &Sequential<T>, thread: usize) -> Result<Vec<u64>> {
    let (x, t) = samples(thread);
    let (mut tape, mut all) = (Tape::with_seed(thread as u64), vec![]);
    let mut keep = |numbers: &[T]| all.extend(numbers.iter().map(|v| v.as_f64().to_bits()));
    for _ in 0..10 {
        keep(net.predict(&x)?.as_slice());
        keep(&[net.cost(&x, &t, &LogCosh, &mut tape)?]);
        keep(&[net.gradient(&x, &t, &LogCosh, &mut tape)?]);
        keep(tape.grads());
        keep(tape.costs());
    }
    Ok(all)
}

fn as_one_thread<T: Real>() -> Result<()> {
    let net = net::<T>();
    let alone: Vec<_> = (0..THREADS)
        .map(|thread| work(&net, thread))
        .collect::<Result<_>>()?;
    assert_ne!(alone[0], alone[1]);
    let (together, barrier) = (&net, Barrier::new(THREADS));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let barrier = &barrier;
                scope.spawn(move || {
                    // All at once, so that they do meet.
                    barrier.wait();
                    work(together, thread)
                })
            })
            .collect();
        for (thread, worker) in workers.into_iter().enumerate() {
            assert_eq!(
                worker.join().expect("no panic")?,
                alone[thread],
                "thread {thread}"
            );
        }
        Ok(())
    })
}

#[test]
fn a_network_shared_by_reference() -> Result<()> {
    as_one_thread::<f64>()?;
    as_one_thread::<f32>()
}

/// A network, its tape and its optimizer move from thread to thread, and errors come back.
#[test]
fn everything_moves() -> Result<()> {
    let train =
        |net: &mut Sequential<f64>, tape: &mut Tape<f64>, optimizer: &mut dyn Optimizer<f64>| {
            let (x, t) = samples(0);
            net.gradient(&x, &t, &LogCosh, tape)?;
            let groups = Group::all(net.params().len());
            optimizer.step(0.01, net.params_mut(), tape.grads(), &groups)
        };
    let mut here = net();
    let mut tape = Tape::with_seed(2);
    let mut optimizer = Adam::new();
    for _ in 0..4 {
        train(&mut here, &mut tape, &mut optimizer)?;
    }
    let mut travelers: (Sequential<f64>, Tape<f64>, Box<dyn Optimizer<f64>>) =
        (net(), Tape::with_seed(2), Box::new(Adam::new()));
    for _ in 0..4 {
        travelers = thread::spawn(move || {
            let (net, tape, optimizer) = &mut travelers;
            train(net, tape, &mut **optimizer).map(|()| travelers)
        })
        .join()
        .expect("no panic")?;
    }
    assert_eq!(
        (&travelers.0, travelers.2.state()),
        (&here, optimizer.state())
    );

    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(travelers.0.predict(&DMatrix::zeros(1, 1)).map(drop)));
    assert_eq!(
        receive
            .recv()
            .expect("a message")
            .map_err(|error| error.kind()),
        Err(ErrorKind::Shape)
    );
    Ok(())
}

/// Clones are networks of their own: training one in a thread does not show in another.
#[test]
fn clones_are_apart() -> Result<()> {
    let original = net::<f64>();
    let before = original.clone();
    let data = Dataset::new(samples(0).0, samples(0).1)?;
    let fit = |seed: u64| {
        let mut net = original.clone();
        Trainer::new(LogCosh, Adam::new())
            .seed(seed)
            .epochs(3)
            .batch_size(5)
            .fit(&mut net, &data)
            .map(|_| net)
    };
    let alone = [fit(1)?, fit(2)?];
    let together = thread::scope(|scope| {
        let workers = [scope.spawn(|| fit(1)), scope.spawn(|| fit(2))];
        workers.map(|worker| worker.join().expect("no panic"))
    });
    for (together, alone) in together.into_iter().zip(alone) {
        assert_eq!(together?, alone);
    }
    assert_eq!(original, before);
    Ok(())
}
