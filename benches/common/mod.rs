//! What the benchmarks share: short times, the networks, their data.
#![allow(dead_code, reason = "no benchmark uses all of it")]

use chainrule::Real;
use chainrule::nn::loss::{Loss, SumSquaredError};
use chainrule::prelude::*;
use criterion::Criterion;
use std::time::Duration;

/// Times that show a change of a few per cent; `--measurement-time` and `--sample-size` ask for
/// more.
pub(crate) fn criterion() -> Criterion {
    let times = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(600));
    times.sample_size(20).configure_from_args()
}

/// Numbers between −1 and 1, in no order that a network could use.
pub(crate) fn numbers<T: Real>(rows: usize, cols: usize) -> DMatrix<T> {
    DMatrix::from_fn(rows, cols, |i, j| T::of(((i * 31 + j * 17) as f64).sin()))
}

#[derive(Clone, Copy)]
pub(crate) enum Task {
    /// Sigmoid throughout, half the sum of squares, plain descent.
    Squares,
    /// ReLU, the mean squared error, Adam.
    Regression,
    /// ReLU, cross-entropy of classes, plain descent or Adam.
    Classes { adam: bool },
}

/// A network of the comparison with other libraries, and how it is trained.
pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) widths: &'static [usize],
    pub(crate) batch: usize,
    pub(crate) task: Task,
}

pub(crate) const ITEMS: [Item; 6] = [
    Item {
        name: "T1 2-3-1",
        widths: &[2, 3, 1],
        batch: 3,
        task: Task::Squares,
    },
    Item {
        name: "T2 13-64-64-1",
        widths: &[13, 64, 64, 1],
        batch: 32,
        task: Task::Regression,
    },
    Item {
        name: "T3 64-64-64-10",
        widths: &[64, 64, 64, 10],
        batch: 32,
        task: Task::Classes { adam: true },
    },
    Item {
        name: "T4 784-128-10",
        widths: &[784, 128, 10],
        batch: 32,
        task: Task::Classes { adam: false },
    },
    Item {
        name: "T5 784-512-512-10",
        widths: &[784, 512, 512, 10],
        batch: 128,
        task: Task::Classes { adam: true },
    },
    Item {
        name: "T6 1024-1024-1024-1024-10",
        widths: &[1024, 1024, 1024, 1024, 10],
        batch: 256,
        task: Task::Classes { adam: true },
    },
];

impl Item {
    pub(crate) fn network(&self) -> Result<Sequential<f32>> {
        let last = self.widths.len() - 1;
        let mut builder = Sequential::builder(self.widths[0]);
        for (l, width) in self.widths.iter().enumerate().skip(1) {
            let activation = match self.task {
                Task::Squares => Activation::Sigmoid,
                _ if l == last => Activation::Linear,
                _ => Activation::Relu,
            };
            builder = builder.layer(Dense::new(*width, activation));
        }
        builder.seed(1).build()
    }

    /// Inputs and targets that a network can learn.
    pub(crate) fn data(&self, samples: usize) -> Result<Dataset<f32>> {
        let x = numbers::<f32>(self.widths[0], samples);
        let targets = match self.task {
            Task::Classes { .. } => {
                let labels: Vec<usize> = x
                    .column_iter()
                    .map(|sample| sample.rows(0, 10).imax())
                    .collect();
                one_hot(&labels, 10)?
            }
            _ => DMatrix::from_fn(1, samples, |_, j| 0.5 + 0.25 * (x[(0, j)] - x[(1, j)])),
        };
        Dataset::new(x, targets)
    }

    pub(crate) fn loss(&self) -> Box<dyn Loss<f32>> {
        match self.task {
            Task::Squares => Box::new(SumSquaredError),
            Task::Regression => Box::new(MeanSquaredError),
            Task::Classes { .. } => Box::new(SoftmaxCrossEntropy::new()),
        }
    }

    /// The optimizer and its rate.
    pub(crate) fn optimizer(&self) -> (Box<dyn Optimizer<f32>>, f64) {
        match self.task {
            Task::Squares => (Box::new(Sgd::new()), 0.5),
            Task::Classes { adam: false } => (Box::new(Sgd::new()), 0.01),
            _ => (Box::new(Adam::new()), 1e-3),
        }
    }
}
