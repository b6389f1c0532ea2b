//! Optimizers: how parameters follow a gradient.

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod arithmetic;
mod clip;
mod constraint;
mod group;
mod lion;
mod nadam;
mod optimizer;
mod penalty;
pub(crate) mod plateau;
mod radam;
mod rmsprop;
mod rprop;
mod rule;
pub(crate) mod schedule;
mod sgd;
mod state;
mod vector_norm;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use clip::Clip;
pub(crate) use clip::gradient_norm;
pub use constraint::Constraint;
pub use group::Group;
pub use lion::Lion;
pub use nadam::NAdam;
pub use optimizer::Optimizer;
pub use penalty::Penalty;
pub use plateau::ReduceOnPlateau;
pub use radam::RAdam;
pub use rmsprop::RmsProp;
pub use rprop::Rprop;
pub use schedule::Schedule;
pub use sgd::Sgd;
pub use state::OptimizerState;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::kernel::workers::Workers;
    use alloc::{vec, vec::Vec};

    /// The step of a caller that has checked, called by one that has not.
    #[test]
    fn unchecked_steps_do_not_reach_beyond() {
        let (workers, one) = (Workers::default(), Group::all(3));
        let mut adam = Adam::new();
        adam.step_on(&workers, 0.1, &mut [1.0; 3], &[0.1; 3], &one)
            .expect("a sound step");
        let before = adam.clone();
        #[allow(clippy::reversed_empty_ranges, reason = "that is what is refused")]
        let cases: [(f64, usize, usize, Vec<Group>, &str); 7] = [
            (f64::NAN, 3, 3, one.clone(), "lr of Adam::step"),
            (-1.0, 3, 3, one.clone(), "lr of Adam::step"),
            (0.1, 3, 2, one.clone(), "grads of Adam::step"),
            (0.1, 4, 4, one.clone(), "params of Adam::step"),
            (0.1, 2, 2, one, "group 0"),
            (
                0.1,
                3,
                3,
                vec![Group::new(1..2), Group::new(2..4)],
                "group 1",
            ),
            (0.1, 3, 3, vec![Group::new(2..1)], "group 0"),
        ];
        for (lr, params, grads, groups, place) in cases {
            let mut w = vec![1.0; params];
            let error = adam
                .step_on(&workers, lr, &mut w, &vec![0.1; grads], &groups)
                .expect_err(place);
            assert_eq!(error.place(), place);
            assert_eq!((w, &adam), (vec![1.0; params], &before));
        }
    }
}
