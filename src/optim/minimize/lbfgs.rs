//! L-BFGS: steps along −H·∇f, where H is known from the last steps and what they did to ∇f.
//! J. Nocedal & S. J. Wright, *Numerical Optimization*, 2nd ed., 2006, algorithms 7.4 and 7.5.

use super::line_search::Search;
use super::vectors::{combine, dot, go};
use super::{Minimizer, Objective, Point, SearchFailure};
use crate::numeric::bounds::some;
use crate::numeric::kernel::workers::{Workers, copy};
use crate::numeric::real::Real;
use crate::optim::OptimizerState;
use crate::optim::vector_norm::Norm;
use alloc::vec::Vec;

/// The method with its settings, what it remembers, and room for a step.
pub(crate) struct Lbfgs<T> {
    /// So many pairs are remembered.
    pairs: usize,
    /// So often a line search looks at the function.
    pub(crate) evaluations: usize,
    /// s₁, y₁, s₂, y₂, …: what a step changed in the parameters and in the gradient, the oldest
    /// pair first.
    memory: OptimizerState<T>,
    /// yᵀs of each pair.
    curvatures: Vec<T>,
    start: Vec<T>,
    direction: Vec<T>,
    /// The gradient at a trial step.
    gradient: Vec<T>,
    /// What the two loops of a product share: one number a pair.
    shared: Vec<T>,
}

impl<T: Real> Lbfgs<T> {
    pub(crate) fn new() -> Self {
        Self {
            pairs: 10,
            evaluations: 20,
            memory: OptimizerState::new(Self::NAME, 0),
            curvatures: Vec::new(),
            start: Vec::new(),
            direction: Vec::new(),
            gradient: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// Remembers so many pairs from now on, and none yet.
    pub(crate) fn set_pairs(&mut self, pairs: usize) {
        self.pairs = pairs;
        self.reset();
    }

    /// `direction` ← −H·g, from H₀ = sᵀy/yᵀy of the last pair: algorithm 7.4.
    fn turn(&mut self, workers: &Workers, g: &[T]) {
        copy(&mut self.direction, g, workers);
        let (q, slots) = (&mut self.direction[..], &self.memory.slots);
        let pairs = self.curvatures.len();
        self.shared.resize(pairs, T::zero());
        for i in (0..pairs).rev() {
            let (s, y) = (&slots[2 * i], &slots[2 * i + 1]);
            self.shared[i] = dot(workers, s, q) / self.curvatures[i];
            combine(workers, T::one(), q, -self.shared[i], y);
        }
        let first = match pairs.checked_sub(1) {
            None => T::one(),
            Some(last) => {
                let y = &slots[2 * last + 1];
                self.curvatures[last] / dot(workers, y, y)
            }
        };
        combine(workers, -first, q, T::zero(), g);
        for i in 0..pairs {
            let (s, y) = (&slots[2 * i], &slots[2 * i + 1]);
            let found = dot(workers, y, q) / self.curvatures[i];
            combine(workers, T::one(), q, -(self.shared[i] + found), s);
        }
    }

    /// Remembers what the last step did, in place of the oldest pair; leaves out what shows no
    /// curvature, with which H would not be positive definite.
    fn learn(&mut self, workers: &Workers, w: &[T], before: &[T], slope: f64, step: f64) {
        // In the room of this step, which is over.
        combine(workers, -T::one(), &mut self.start, T::one(), w);
        copy(&mut self.direction, &self.gradient, workers);
        combine(workers, T::one(), &mut self.direction, -T::one(), before);
        let curvature = dot(workers, &self.start, &self.direction);
        let least = T::default_epsilon().as_f64() * step * -slope;
        let square = dot(workers, &self.direction, &self.direction);
        let is_sound = curvature.is_finite() && square.is_finite() && square > T::zero();
        if !(is_sound && curvature.as_f64() > least) {
            return;
        }
        let slots = &mut self.memory.slots;
        if self.curvatures.len() == self.pairs {
            slots.rotate_left(2);
            self.curvatures.remove(0);
        } else {
            slots.resize_with(slots.len() + 2, Vec::new);
        }
        self.curvatures.push(curvature);
        let at = slots.len() - 2;
        copy(&mut slots[at], &self.start, workers);
        copy(&mut slots[at + 1], &self.direction, workers);
    }

    fn forget_pairs(&mut self) {
        self.memory.slots.clear();
        self.curvatures.clear();
    }
}

impl<T: Real> Minimizer<T> for Lbfgs<T> {
    const NAME: &'static str = "Lbfgs";

    fn check(&self) -> crate::error::Result<()> {
        some("memory of Lbfgs", "at least 1 pair", self.pairs as u64)?;
        some(
            "max_evaluations of Lbfgs",
            "at least 1 evaluation",
            self.evaluations as u64,
        )
    }

    fn step(
        &mut self,
        objective: &mut dyn Objective<T>,
        point: &mut Point<T>,
    ) -> Result<f64, SearchFailure> {
        let workers = &objective.workers();
        copy(&mut self.start, objective.params(), workers);
        self.gradient.resize(point.gradient.len(), T::zero());
        loop {
            self.turn(workers, &point.gradient);
            let slope = dot(workers, &self.direction, &point.gradient).as_f64();
            let steepest = self.curvatures.is_empty();
            let first = if steepest {
                let length = Norm::of(core::iter::once(&self.direction[..])).value();
                1.0 / length.as_f64()
            } else {
                1.0
            };
            let (start, direction, gradient) = (&self.start, &self.direction, &mut self.gradient);
            let mut value = point.value;
            let mut phi = |step| {
                go(workers, objective.params(), start, T::of(step), direction);
                value = objective.evaluate(gradient);
                let slope = dot(workers, gradient, direction);
                (value.as_f64(), slope.as_f64())
            };
            let search = Search::lbfgs(T::default_epsilon().as_f64(), self.evaluations);
            let found = if slope < 0.0 {
                search.run(point.value.as_f64(), slope, first, &mut phi)
            } else {
                Err(SearchFailure::Rounding)
            };
            match found {
                Ok(step) => {
                    self.learn(workers, objective.params(), &point.gradient, slope, step);
                    point.value = value;
                    core::mem::swap(&mut point.gradient, &mut self.gradient);
                    self.memory.step += 1;
                    return Ok(step);
                }
                Err(why) => {
                    objective.params().copy_from_slice(&self.start);
                    if steepest {
                        return Err(why);
                    }
                    // What it knows of the curvature may be what misleads it.
                    self.forget_pairs();
                }
            }
        }
    }

    fn memory(&self) -> &OptimizerState<T> {
        &self.memory
    }

    fn remember(&mut self, memory: &OptimizerState<T>) -> bool {
        let length = memory.slots.first().map_or(0, Vec::len);
        if !self.fits(memory, length) {
            return false;
        }
        let workers = Workers::default();
        let pairs = memory.slots.chunks_exact(2);
        let curvatures: Vec<T> = pairs
            .map(|pair| dot(&workers, &pair[0], &pair[1]))
            .collect();
        let is_sound = |curvature: &T| *curvature > T::zero() && curvature.is_finite();
        if !curvatures.iter().all(is_sound) {
            return false;
        }
        self.memory.clone_from(memory);
        self.curvatures = curvatures;
        true
    }

    fn fits(&self, memory: &OptimizerState<T>, params: usize) -> bool {
        let slots = &memory.slots;
        memory.rule == Self::NAME
            && slots.len().is_multiple_of(2)
            && slots.len() / 2 <= self.pairs
            && slots.iter().all(|slot| slot.len() == params)
    }

    fn reset(&mut self) {
        self.memory = OptimizerState::new(Self::NAME, 0);
        self.curvatures.clear();
    }

    #[cfg(feature = "std")]
    fn settings(&self) -> Vec<(&'static str, alloc::string::String)> {
        alloc::vec![
            ("method", Self::NAME.into()),
            ("memory", alloc::format!("{}", self.pairs)),
        ]
    }
}
