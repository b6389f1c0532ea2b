//! Training by an optimizer of another crate: L-BFGS with the line search of Moré and Thuente, from
//! argmin. The crate has one of its own, `train::Lbfgs`; this is the way to all other solvers.
//!
//! A network's cost over a data set is a function of one vector, [`Sequential::at`] evaluates it
//! anywhere without changing the network, and the tape holds its gradient in a vector of the same
//! layout: that is all that argmin asks for. The surface of R. Franke (*A critical comparison of
//! some methods for interpolation of scattered data*, 1979) is learned from 300 of its points by
//! L-BFGS and by Adam, which both see all points in every pass.
//!
//! ```text
//! cargo run --release -p with_argmin
//! ```

use argmin::core::{CostFunction, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use chainrule::nn::loss::Loss;
use chainrule::optim::Schedule;
use chainrule::prelude::*;
use std::cell::{Cell, RefCell};
use std::error;

/// A network's cost over a data set, as argmin wants to see it.
struct Training<'a, L> {
    net: &'a Sequential<f64>,
    data: &'a Dataset<f64>,
    loss: L,
    tape: RefCell<Tape<f64>>,
    passes: Cell<u64>,
}

impl<L: Loss<f64>> CostFunction for Training<'_, L> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, params: &Vec<f64>) -> Result<f64, argmin::core::Error> {
        self.passes.set(self.passes.get() + 1);
        Ok(self.net.at(params)?.cost(
            self.data.inputs(),
            self.data,
            &self.loss,
            &mut self.tape.borrow_mut(),
        )?)
    }
}

impl<L: Loss<f64>> Gradient for Training<'_, L> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, params: &Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
        self.passes.set(self.passes.get() + 1);
        let mut tape = self.tape.borrow_mut();
        self.net
            .at(params)?
            .gradient(self.data.inputs(), self.data, &self.loss, &mut tape)?;
        Ok(tape.grads().to_vec())
    }
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let data = surface()?;
    println!("{} points of a surface\n", data.len());
    println!("start   method      passes of data   cost");
    for seed in 1..=3 {
        let start = Sequential::builder(2)
            .layer(Dense::new(20, Activation::Tanh))
            .layer(Dense::new(1, Activation::Linear))
            .seed(seed)
            .build()?;
        let report = |method: &str, passes: u64, net: &Sequential<f64>| -> Result<()> {
            let cost = net.cost(data.inputs(), &data, &MeanSquaredError, &mut Tape::new())?;
            println!("{seed:<8}{method:<12}{passes:>14}   {cost:.1e}");
            Ok(())
        };

        let training = Training {
            net: &start,
            data: &data,
            loss: MeanSquaredError,
            tape: RefCell::default(),
            passes: Cell::new(0),
        };
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), 10);
        let result = Executor::new(training, solver)
            .configure(|state| state.param(start.params().to_vec()).max_iters(1000))
            .run()?;
        let mut net = start.clone();
        net.set_params(result.state().get_best_param().ok_or("no step")?)?;
        let passes = result
            .problem()
            .problem
            .as_ref()
            .map_or(0, |training| training.passes.get());
        report("L-BFGS", passes, &net)?;

        for rate in [0.01, 0.03] {
            let mut net = start.clone();
            let mut trainer = Trainer::new(MeanSquaredError, Adam::new())
                .learning_rate(Schedule::Cosine {
                    rate,
                    min: 0.0,
                    steps: passes,
                })
                .batch_size(data.len())
                .epochs(passes as usize);
            trainer.fit(&mut net, &data)?;
            report(&format!("Adam {rate}"), passes, &net)?;
        }
    }
    Ok(())
}

/// Two hills, a hollow and a slope over the unit square, at the points of Halton's sequence.
fn surface() -> Result<Dataset<f64>> {
    let x = DMatrix::from_fn(2, 300, |i, j| halton(j + 1, [2, 3][i]));
    let f = |x: f64, y: f64| {
        0.75 * (-((9.0 * x - 2.0).powi(2) + (9.0 * y - 2.0).powi(2)) / 4.0).exp()
            + 0.75 * (-(9.0 * x + 1.0).powi(2) / 49.0 - (9.0 * y + 1.0) / 10.0).exp()
            + 0.5 * (-((9.0 * x - 7.0).powi(2) + (9.0 * y - 3.0).powi(2)) / 4.0).exp()
            - 0.2 * (-(9.0 * x - 4.0).powi(2) - (9.0 * y - 7.0).powi(2)).exp()
    };
    let heights = DMatrix::from_fn(1, 300, |_, j| f(x[(0, j)], x[(1, j)]));
    Dataset::new(x.map(|x| 2.0 * x - 1.0), heights)
}

/// The digits of `index` in a base, mirrored at the point.
fn halton(mut index: usize, base: usize) -> f64 {
    let (mut value, mut digit) = (0.0, 1.0);
    while index > 0 {
        digit /= base as f64;
        value += digit * (index % base) as f64;
        index /= base;
    }
    value
}
