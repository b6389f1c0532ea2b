//! Scaled conjugate gradients: M. F. Møller, *A scaled conjugate gradient algorithm for fast
//! supervised learning*, Neural Networks 6, 1993.

use super::vectors::{combine, dot, go};
use super::{Minimizer, Objective, Point, SearchFailure};
use crate::numeric::kernel::workers::copy;
use crate::numeric::real::Real;
use crate::optim::OptimizerState;
use crate::optim::vector_norm::Norm;
use alloc::vec::Vec;

/// σ: how far along the direction the curvature is looked for.
const SIGMA: f64 = 5e-5;
/// The first λ.
const LAMBDA: f64 = 5e-7;

/// The method with what it remembers, and room for a step.
pub(crate) struct ScaledConjugateGradient<T> {
    /// The direction of the next step, and λ.
    memory: OptimizerState<T>,
    start: Vec<T>,
    /// The gradient at a trial step.
    gradient: Vec<T>,
}

impl<T: Real> ScaledConjugateGradient<T> {
    pub(crate) fn new() -> Self {
        Self {
            memory: OptimizerState::new(Self::NAME, 2),
            start: Vec::new(),
            gradient: Vec::new(),
        }
    }
}

impl<T: Real> Minimizer<T> for ScaledConjugateGradient<T> {
    const NAME: &'static str = "ScaledConjugateGradient";

    fn step(
        &mut self,
        objective: &mut dyn Objective<T>,
        point: &mut Point<T>,
    ) -> Result<f64, SearchFailure> {
        let workers = &objective.workers();
        let count = point.gradient.len();
        copy(&mut self.start, objective.params(), workers);
        self.gradient.resize(count, T::zero());
        let [direction, known] = &mut self.memory.slots[..] else {
            return Err(SearchFailure::Rounding);
        };
        let mut lambda = known.first().copied().unwrap_or(T::of(LAMBDA));
        // As many steps as there are parameters, and the directions of a parabola are used up.
        let mut steepest = self.memory.step.is_multiple_of(count.max(1) as u64);
        let size = Norm::of(core::iter::once(&self.start[..])).value();
        loop {
            if steepest || direction.is_empty() {
                copy(direction, &point.gradient, workers);
                combine(workers, -T::one(), direction, T::zero(), &point.gradient);
                steepest = true;
            }
            // pᵀr of the residual r = −∇f, and |p|².
            let descent = -dot(workers, direction, &point.gradient);
            let square = dot(workers, direction, direction);
            if !square.is_finite() || !descent.is_finite() {
                direction.clear();
                known.clear();
                return Err(SearchFailure::NotFinite);
            }
            if descent > T::zero() {
                // The curvature pᵀHp, from a gradient nearby.
                let length = square.sqrt();
                let nearby = T::of(SIGMA).max(T::default_epsilon().sqrt() * size) / length;
                go(workers, objective.params(), &self.start, nearby, direction);
                objective.evaluate(&mut self.gradient);
                combine(
                    workers,
                    T::one(),
                    &mut self.gradient,
                    -T::one(),
                    &point.gradient,
                );
                let mut curvature = dot(workers, direction, &self.gradient) / nearby;
                if !curvature.is_finite() {
                    curvature = T::zero();
                }
                loop {
                    let mut scaled = curvature + lambda * square;
                    if scaled <= T::zero() {
                        lambda = T::of(2.0) * (lambda - scaled / square);
                        scaled = curvature + lambda * square;
                    }
                    if scaled <= T::zero() {
                        // Neither λ nor curvature: a step as long as the direction.
                        lambda = descent / square;
                        scaled = descent;
                    }
                    let step = descent / scaled;
                    // So short that no parameter changes.
                    if step * length <= T::default_epsilon() * size * T::of(1e-3) {
                        break;
                    }
                    go(workers, objective.params(), &self.start, step, direction);
                    let value = objective.evaluate(&mut self.gradient);
                    let slope = dot(workers, direction, &self.gradient);
                    // How much of what the parabola promised came true.
                    let mut gain =
                        T::of(2.0) * scaled / descent * ((point.value - value) / descent);
                    if !(value.is_finite() && slope.is_finite() && gain.is_finite()) {
                        gain = T::of(-9.0);
                    }
                    // Of equal values, rounded, the slope must say that it went down.
                    let flatter = slope.abs() <= T::of(0.9) * descent;
                    let good = gain > T::zero() || gain == T::zero() && flatter;
                    if gain >= T::of(0.75) {
                        lambda *= T::of(0.25);
                    } else if gain < T::of(0.25) {
                        lambda += scaled * (T::one() - gain) / square;
                    }
                    if good {
                        let new = &self.gradient;
                        let conjugate =
                            (dot(workers, new, new) - dot(workers, new, &point.gradient)) / descent;
                        combine(workers, conjugate, direction, -T::one(), new);
                        known.clear();
                        known.push(lambda);
                        point.value = value;
                        core::mem::swap(&mut point.gradient, &mut self.gradient);
                        self.memory.step += 1;
                        return Ok(step.as_f64());
                    }
                    if !lambda.is_finite() {
                        break;
                    }
                }
            }
            objective.params().copy_from_slice(&self.start);
            if steepest {
                direction.clear();
                known.clear();
                return Err(SearchFailure::Rounding);
            }
            (steepest, lambda) = (true, T::of(LAMBDA));
        }
    }

    fn memory(&self) -> &OptimizerState<T> {
        &self.memory
    }

    fn remember(&mut self, memory: &OptimizerState<T>) -> bool {
        let length = memory.slots.first().map_or(0, Vec::len);
        let fits = self.fits(memory, length);
        if fits {
            self.memory.clone_from(memory);
        }
        fits
    }

    fn fits(&self, memory: &OptimizerState<T>, params: usize) -> bool {
        let sound = match &memory.slots[..] {
            [direction, lambda] if direction.is_empty() => lambda.is_empty(),
            [direction, lambda] => {
                let lambda_is_sound = matches!(lambda[..], [l] if l >= T::zero() && l.is_finite());
                direction.len() == params && memory.step > 0 && lambda_is_sound
            }
            _ => false,
        };
        sound && memory.rule == Self::NAME
    }

    fn reset(&mut self) {
        self.memory = OptimizerState::new(Self::NAME, 2);
    }

    #[cfg(feature = "std")]
    fn settings(&self) -> Vec<(&'static str, alloc::string::String)> {
        alloc::vec![("method", Self::NAME.into())]
    }
}
