//! Muon.

use super::adam::adam;
use super::arithmetic::{Moments, power};
use super::group::{Group, Matrix};
use super::rule::{Rule, StepArgs, optimizer};
use super::state::OptimizerState;
use super::update::learning;
use super::vector_norm::Norm;
use crate::error::Result;
use crate::numeric::bounds::{BELOW_ONE, POSITIVE};
use crate::numeric::kernel::workers::Workers;
use crate::numeric::real::Real;
use crate::numeric::scratch::Scratch;
use crate::numeric::view::{View, ViewMut};
use alloc::vec::Vec;
use core::fmt;

/// Muon (Jordan et al. 2024) for the weights of inner layers, Adam for all other parameters: of a
/// matrix of r rows and c columns with the gradient G,
///
/// ```text
/// M ← μ·M + (1−μ)·G
/// O ← the orthogonal matrix nearest to (1−μ)·G + μ·M, roughly
/// W ← W − lr·k·O      k = ⅕·√max(r, c)
/// ```
///
/// All directions of a matrix move at one speed, the rare ones, too. O is made by five steps of a
/// Newton–Schulz iteration: from X = G/max(‖G‖₂, 10⁻⁷), X ← a·X + (b·A + c·A²)·X with A = X·Xᵀ and
/// Jordan's a, b, c = 3.4445, −4.7750, 2.0315; all singular values are then between 0.7 and 1.2. It
/// is PyTorch's `Muon` but for the precision: that computes O in bfloat16, this in `T`. The
/// iteration takes 10·r·c·min(r, c) multiplications or more, and memory for two matrices, of which
/// checkpoints know nothing.
///
/// Which parameters are matrices, the groups say ([`Group::matrices`]). Those that
/// [`Sequential::groups`](crate::Sequential::groups) and `default_groups` make leave the first and
/// the last layer to Adam, as Jordan does; a plain vector is Adam's, too. With the k of Liu et al.
/// (2025; PyTorch's `match_rms_adamw`) a step of a matrix is as long as one of Adam's, so that one
/// rate does for both; [`jordan`](Self::jordan) is PyTorch's default. A group's decay λ also takes
/// lr·λ·w.
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::optim::Muon;
/// let x = DMatrix::from_fn(2, 64, |i, j| ((i + 1) * j) as f64 / 32.0 - 1.0);
/// let data = Dataset::new(x.clone(), DMatrix::from_fn(1, 64, |_, j| (3.0 * x[(0, j)]).sin()))?;
/// let mut net = Sequential::builder(2)
///     .layer(Dense::new(16, Activation::Tanh))
///     .layer(Dense::new(16, Activation::Tanh)) // the only inner layer
///     .layer(Dense::new(1, Activation::Linear))
///     .seed(1)
///     .build()?;
/// assert_eq!(net.default_groups()[0].matrices.len(), 1);
/// let mut trainer = Trainer::new(MeanSquaredError, Muon::new()).learning_rate(0.01).epochs(200);
/// let history = trainer.fit(&mut net, &data)?;
/// assert!(history.last().is_some_and(|epoch| epoch.cost < 0.01));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
pub struct Muon<T> {
    momentum: f64,
    nesterov: bool,
    jordan: bool,
    beta1: f64,
    beta2: f64,
    eps: f64,
    #[cfg_attr(feature = "serde", serde(skip))]
    room: Room<T>,
    state: OptimizerState<T>,
}

impl<T: Real> Muon<T> {
    /// Muon with μ = 0.95 and Nesterov's momentum, and Adam with β₁ = 0.9, β₂ = 0.95 and ε = 1e−8.
    pub fn new() -> Self {
        Self {
            momentum: 0.95,
            nesterov: true,
            jordan: false,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            room: Room::default(),
            state: OptimizerState::new("Muon", 2),
        }
    }

    /// The same with another μ in [0, 1), of matrices.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// The same with plain momentum: O is of M.
    #[must_use]
    pub fn plain(self) -> Self {
        Self {
            nesterov: false,
            ..self
        }
    }

    /// The same with Jordan's k = √max(1, r/c), PyTorch's default. Matrices then want a rate of
    /// about 0.02 and other parameters one that is smaller by far:
    /// [`Sequential::groups`](crate::Sequential::groups) gives it to them.
    #[must_use]
    pub fn jordan(self) -> Self {
        Self {
            jordan: true,
            ..self
        }
    }

    /// The same with another β₁ in [0, 1), of Adam.
    #[must_use]
    pub fn beta1(self, beta1: f64) -> Self {
        Self { beta1, ..self }
    }

    /// The same with another β₂ in [0, 1), of Adam.
    #[must_use]
    pub fn beta2(self, beta2: f64) -> Self {
        Self { beta2, ..self }
    }

    /// The same with another ε of Adam, finite and above 0.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// k.
    fn scale(&self, rows: usize, cols: usize) -> f64 {
        let (rows, cols) = (rows as f64, cols as f64);
        if self.jordan {
            libm::sqrt((rows / cols).max(1.0))
        } else {
            0.2 * libm::sqrt(rows.max(cols))
        }
    }

    /// The step of one matrix.
    fn turn(&mut self, step: &mut StepArgs<'_, T>, group: &Group, matrix: &Matrix) {
        let range = matrix.range.clone();
        let (rows, cols) = (matrix.rows, range.len() / matrix.rows);
        let lr = step.lr * group.rate;
        let rate = T::of(lr * self.scale(rows, cols));
        let keep = T::of(1.0 - lr * group.decay);
        let (mu, share) = (T::of(self.momentum), T::of(1.0 - self.momentum));
        let (known, gradient) = (
            &mut self.state.slots[0][range.clone()],
            &step.grads[range.clone()],
        );
        let x = self.room.take(range.len(), rows.min(cols));
        for ((m, g), x) in known.iter_mut().zip(gradient).zip(x) {
            *m = (mu * *m + share * *g).flush();
            *x = if self.nesterov {
                share * *g + mu * *m
            } else {
                *m
            };
        }
        let turned = self.room.orthogonalize(step.workers, rows, cols);
        for (w, o) in step.params[range].iter_mut().zip(turned) {
            *w = *w * keep - rate * *o;
        }
    }
}

optimizer!(Muon {
    momentum: f64,
    nesterov: bool,
    jordan: bool,
    beta1: f64,
    beta2: f64,
    eps: f64
});

impl<T: Real> Rule<T> for Muon<T> {
    const NAME: &'static str = "Muon";

    fn check_numbers(&self) -> Result<()> {
        BELOW_ONE.check("momentum of Muon", self.momentum)?;
        BELOW_ONE.check("beta1 of Muon", self.beta1)?;
        BELOW_ONE.check("beta2 of Muon", self.beta2)?;
        POSITIVE.check_in::<T>("eps of Muon", self.eps)
    }

    /// Adam's first step is the longest: lr is then divided by 1−β₁.
    fn stretch(&self) -> f64 {
        1.0 / (1.0 - self.beta1)
    }

    fn descend(&mut self, mut step: StepArgs<'_, T>) {
        let (bias1, bias2) = (
            1.0 - power(self.beta1, step.t),
            1.0 - power(self.beta2, step.t),
        );
        let moments = Moments::new(self.beta1, self.beta2);
        let (correct, eps) = (T::of(1.0 / libm::sqrt(bias2)), T::of(self.eps));
        for group in learning(step.groups) {
            let lr = step.lr * group.rate;
            let (rate, keep) = (T::of(lr / bias1), T::of(1.0 - lr * group.decay));
            let adam = adam(moments, rate, keep, correct, eps);
            let mut start = group.range.start;
            for matrix in &group.matrices {
                step.update(start..matrix.range.start, &mut self.state.slots, adam);
                self.turn(&mut step, group, matrix);
                start = matrix.range.end;
            }
            step.update(start..group.range.end, &mut self.state.slots, adam);
        }
    }
}

/// Room for what a matrix goes through; kept from step to step, no part of the state.
struct Room<T> {
    x: Vec<T>,
    /// The next X, A, and b·A + c·A².
    next: Vec<T>,
    gram: Vec<T>,
    quintic: Vec<T>,
    scratch: Option<Scratch<T>>,
}

impl<T> Default for Room<T> {
    fn default() -> Self {
        Self {
            x: Vec::new(),
            next: Vec::new(),
            gram: Vec::new(),
            quintic: Vec::new(),
            scratch: None,
        }
    }
}

/// Another rule needs room of its own.
impl<T> Clone for Room<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Room makes no difference.
impl<T> PartialEq for Room<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> fmt::Debug for Room<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}

impl<T: Real> Room<T> {
    /// Room for X, of so many numbers in its shorter side; holds anything.
    fn take(&mut self, len: usize, side: usize) -> &mut [T] {
        let grow = |numbers: &mut Vec<T>, len: usize| {
            if numbers.len() < len {
                numbers.resize(len, T::zero());
            }
        };
        grow(&mut self.x, len);
        grow(&mut self.next, len);
        grow(&mut self.gram, side * side);
        grow(&mut self.quintic, side * side);
        &mut self.x[..len]
    }

    /// The matrix, roughly, that is nearest to X of all with orthonormal rows or columns.
    fn orthogonalize(&mut self, workers: &Workers, rows: usize, cols: usize) -> &[T] {
        const STEPS: usize = 5;
        let [a, b, c] = [3.4445, -4.775, 2.0315].map(T::of);
        let (len, side) = (rows * cols, rows.min(cols));
        let known = self.scratch.take();
        let known = known.filter(|scratch| scratch.workers.is_same(workers));
        let scratch = self
            .scratch
            .insert(known.unwrap_or_else(|| Scratch::new(workers.clone())));
        let x = &mut self.x[..len];
        Norm::of(core::iter::once(&*x)).normalize(T::of(1e-7), x);
        let mut step = || {
            for _ in 0..STEPS {
                let x = View::from_parts(&self.x[..len], rows, cols);
                let gram = &mut self.gram[..side * side];
                let square = ViewMut::from_parts(&mut *gram, side, side);
                if rows <= cols {
                    scratch.multiply(x, x.transposed(), square);
                } else {
                    scratch.multiply(x.transposed(), x, square);
                }
                let gram = View::from_parts(gram, side, side);
                let quintic = &mut self.quintic[..side * side];
                let square = ViewMut::from_parts(&mut *quintic, side, side);
                scratch.multiply(gram, gram, square);
                for (q, gram) in quintic.iter_mut().zip(gram.as_slice()) {
                    *q = b * *gram + c * *q;
                }
                let quintic = View::from_parts(quintic, side, side);
                let next = &mut self.next[..len];
                let product = ViewMut::from_parts(&mut *next, rows, cols);
                if rows <= cols {
                    scratch.multiply(quintic, x, product);
                } else {
                    scratch.multiply(x, quintic, product);
                }
                for (next, x) in next.iter_mut().zip(x.as_slice()) {
                    *next += a * *x;
                }
                core::mem::swap(&mut self.x, &mut self.next);
            }
        };
        if workers.are_worth(len * side, 3 * STEPS) {
            workers.run(step);
        } else {
            step();
        }
        &self.x[..len]
    }
}
