//! Methods that go down a function of many numbers by its value and its gradient: all that they
//! know.

mod lbfgs;
mod line_search;
mod scaled_conjugate_gradient;
mod vectors;

pub(crate) use lbfgs::Lbfgs;
pub use line_search::SearchFailure;
pub(crate) use scaled_conjugate_gradient::ScaledConjugateGradient;
pub(crate) use vectors::largest;

use crate::error::Result;
use crate::numeric::kernel::workers::Workers;
use crate::numeric::real::Real;
use crate::optim::OptimizerState;
use alloc::vec::Vec;

/// A function of parameters, looked at where they are.
pub(crate) trait Objective<T: Real> {
    fn params(&mut self) -> &mut [T];

    /// The value, and all of its gradient. Neither need be a number.
    fn evaluate(&mut self, gradient: &mut [T]) -> T;

    /// Threads for work on vectors as long as the parameters.
    fn workers(&self) -> Workers;
}

/// What is known where the parameters are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Point<T> {
    pub(crate) value: T,
    pub(crate) gradient: Vec<T>,
}

/// A method of minimization.
pub(crate) trait Minimizer<T: Real> {
    /// Its name in errors and files.
    const NAME: &'static str;

    /// Checks the settings.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Goes from `point` to a lower one, or says why it does not; the parameters are then as they
    /// were, to the bit. Returns the length of the step in units of its direction.
    fn step(
        &mut self,
        objective: &mut dyn Objective<T>,
        point: &mut Point<T>,
    ) -> core::result::Result<f64, SearchFailure>;

    /// What it knows of the curvature.
    fn memory(&self) -> &OptimizerState<T>;

    /// Takes over what another of its kind knew, if that can be; says whether.
    fn remember(&mut self, memory: &OptimizerState<T>) -> bool;

    /// Whether `memory` can be that of so many parameters.
    fn fits(&self, memory: &OptimizerState<T>, params: usize) -> bool;

    /// Forgets everything but its settings.
    fn reset(&mut self);

    /// The settings that must be the same to go on with a memory.
    #[cfg(feature = "std")]
    fn settings(&self) -> Vec<(&'static str, alloc::string::String)>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    /// Written by `reference/minimize.py`: method, function, parameters, evaluations, value.
    const TABLE: &str = include_str!("../../../tests/reference/minimize.tsv");

    /// A function, and how often it was looked at.
    struct Counted<T> {
        params: Vec<T>,
        evaluations: usize,
        function: fn(&[T], &mut [T]) -> T,
        workers: Workers,
    }

    impl<T: Real> Objective<T> for Counted<T> {
        fn params(&mut self) -> &mut [T] {
            &mut self.params
        }

        fn evaluate(&mut self, gradient: &mut [T]) -> T {
            self.evaluations += 1;
            (self.function)(&self.params, gradient)
        }

        fn workers(&self) -> Workers {
            self.workers.clone()
        }
    }

    fn rosenbrock<T: Real>(x: &[T], gradient: &mut [T]) -> T {
        let (hundred, two) = (T::of(100.0), T::of(2.0));
        let mut value = T::zero();
        for (x, gradient) in x.chunks_exact(2).zip(gradient.chunks_exact_mut(2)) {
            let (bend, away) = (x[1] - x[0] * x[0], T::one() - x[0]);
            value += hundred * bend * bend + away * away;
            gradient[1] = two * hundred * bend;
            gradient[0] = -two * (two * hundred * bend * x[0] + away);
        }
        value
    }

    /// Of condition 1000.
    fn quadratic<T: Real>(x: &[T], gradient: &mut [T]) -> T {
        let last = (x.len() - 1) as f64;
        let mut value = T::zero();
        for (i, (x, gradient)) in x.iter().zip(gradient).enumerate() {
            *gradient = T::of(10f64.powf(3.0 * i as f64 / last)) * (*x - T::one());
            value += T::of(0.5) * *gradient * (*x - T::one());
        }
        value
    }

    /// Of condition 10.
    fn mild<T: Real>(x: &[T], gradient: &mut [T]) -> T {
        let mut value = T::zero();
        for (i, (x, gradient)) in x.iter().zip(gradient).enumerate() {
            *gradient = T::of(1.0 + i as f64) * (*x - T::one());
            value += T::of(0.5) * *gradient * (*x - T::one());
        }
        value
    }

    fn start<T: Real>(name: &str, count: usize) -> Counted<T> {
        let number = |i| match (name, i % 2) {
            ("rosenbrock", 0) => -1.2,
            ("rosenbrock", _) => 1.0,
            _ => 0.0,
        };
        Counted {
            params: (0..count).map(|i| T::of(number(i))).collect(),
            evaluations: 0,
            function: match name {
                "rosenbrock" => rosenbrock,
                "mild" => mild,
                _ => quadratic,
            },
            workers: Workers::default(),
        }
    }

    /// Where the method comes to, until no component of the gradient is larger than `tolerance` or
    /// no step is found.
    fn minimize<T: Real>(
        mut method: impl Minimizer<T>,
        function: &mut Counted<T>,
        tolerance: f64,
    ) -> (Point<T>, Option<SearchFailure>) {
        let mut point = Point {
            value: T::zero(),
            gradient: vec![T::zero(); function.params.len()],
        };
        point.value = function.evaluate(&mut point.gradient);
        for _ in 0..10_000 {
            if largest(&point.gradient).as_f64() <= tolerance {
                return (point, None);
            }
            let (before, params) = (point.value, function.params.clone());
            if let Err(why) = method.step(function, &mut point) {
                assert_eq!(function.params, params);
                return (point, Some(why));
            }
            assert!(point.value <= before);
        }
        panic!("no end");
    }

    /// No more evaluations than PyTorch's LBFGS, and than the steps of Møller's paper word for word,
    /// but for what rounding does on a long way.
    #[test]
    fn as_others_do() {
        for line in TABLE.lines().skip(1) {
            let [method, name, count, most, _] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let mut function = start::<f64>(name, count.parse().unwrap());
            let (point, end) = match method {
                "lbfgs" => minimize(Lbfgs::new(), &mut function, 1e-6),
                _ => minimize(ScaledConjugateGradient::new(), &mut function, 1e-6),
            };
            let evaluations = function.evaluations;
            assert_eq!(end, None);
            assert!(
                evaluations as f64 <= 1.1 * most.parse::<f64>().unwrap(),
                "{line}"
            );
            assert!(point.value < 1e-12, "{line}");
            if name == "mild" {
                // In exact arithmetic the directions of a parabola are used up after as many steps
                // as it has parameters, each of two evaluations.
                assert_eq!(evaluations, 1 + 2 * 10);
            }
        }
    }

    /// As far down as the scalar goes, and then a reason.
    #[test]
    fn the_end_is_rounding() {
        fn raised(x: &[f32], gradient: &mut [f32]) -> f32 {
            1.0 + rosenbrock(x, gradient)
        }
        fn check(method: impl Minimizer<f32>, count: usize) {
            let mut function = start("rosenbrock", count);
            function.function = raised;
            let (point, end) = minimize(method, &mut function, 0.0);
            assert!(point.value < 1.0 + 1e-5);
            assert!(end.is_none_or(|why| why == SearchFailure::Rounding));
        }
        for count in [2, 100] {
            check(Lbfgs::new(), count);
            check(ScaledConjugateGradient::new(), count);
        }
    }

    /// Along a function without curvature nothing is learned, and along one that is a number only
    /// below 1, steps stop short of it.
    #[test]
    fn pairs_without_curvature_are_skipped() {
        let mut lbfgs = Lbfgs::new();
        let mut function = Counted {
            params: vec![0.0],
            evaluations: 0,
            function: |x, gradient| {
                gradient[0] = -2.0 * x[0] - 1.0;
                if x[0] < 1.0 {
                    -x[0] * x[0] - x[0]
                } else {
                    f64::NAN
                }
            },
            workers: Workers::default(),
        };
        let mut point = Point {
            value: 0.0,
            gradient: vec![-1.0],
        };
        for _ in 0..30 {
            if lbfgs.step(&mut function, &mut point).is_err() {
                break;
            }
            assert_eq!(lbfgs.memory().slots.len(), 0);
        }
        assert!(function.params[0] > 0.5 && function.params[0] < 1.0);
    }

    /// What does not move keeps its bits; on threads everything does.
    #[test]
    fn vectors() {
        use super::vectors::{dot, go};
        let mut w = [1.0; 3];
        go(
            &Workers::default(),
            &mut w,
            &[-0.0, -0.0, 2.0],
            1.0,
            &[0.0, -0.0, 0.5],
        );
        assert_eq!(w.map(f64::to_bits), [-0.0f64, -0.0, 2.5].map(f64::to_bits));
        for count in [
            0,
            1,
            63,
            1000,
            (1 << 15) - 1,
            1 << 15,
            (1 << 15) + 65,
            200_003,
        ] {
            let a: Vec<f64> = (0..count).map(|i| (i as f64).sin()).collect();
            let b: Vec<f64> = (0..count).map(|i| (i as f64 * 0.7).cos()).collect();
            let one = dot(&Workers::default(), &a, &b);
            let plain: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert!((one - plain).abs() <= 1e-10, "{count}");
            #[cfg(feature = "parallel")]
            for threads in [2, 3, 8] {
                let workers = Workers::new(threads).unwrap();
                assert_eq!(one.to_bits(), dot(&workers, &a, &b).to_bits());
            }
        }
    }
}
