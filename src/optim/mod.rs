//! Optimizers: how parameters follow a gradient.
//!
//! | rule | vectors that it remembers |
//! |---|---|
//! | [`Sgd`] | 0, with momentum 1 |
//! | [`Adagrad`], [`Lion`] | 1 |
//! | [`RmsProp`] | 1, centered 2, with momentum one more |
//! | [`Adam`] | 2, AMSGrad 3 |
//! | [`Adadelta`], [`Adamax`], [`Muon`], [`NAdam`], [`Quickprop`], [`RAdam`], [`Sarprop`] | 2 |
//! | [`Rprop`] | 2, backtracking 3 |
//! | [`Adan`] | 4 |
//! | [`Asgd`] | 1, the average |
//! | [`ScheduleFreeSgd`], [`ScheduleFreeAdam`] | 2 and 3, the average among them |
//! | [`Ema`], [`Swa`] | 1, the average, beside those of the rule within |
//!
//! Cautious updates and cautious decay of Adam and its relatives take one vector more.

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod adan;
mod arithmetic;
mod around;
mod asgd;
mod caution;
mod clip;
mod constraint;
mod ema;
mod group;
mod lion;
pub(crate) mod minimize;
mod muon;
mod nadam;
mod optimizer;
mod penalty;
pub(crate) mod plateau;
mod quickprop;
mod radam;
mod rmsprop;
mod rprop;
mod rule;
mod sarprop;
pub(crate) mod schedule;
mod schedule_free;
mod sgd;
mod state;
mod swa;
mod tie;
mod update;
mod vector_norm;

pub use clip::Clip;
pub(crate) use clip::gradient_norm;
pub use constraint::Constraint;
pub use ema::Ema;
pub use group::{Group, Matrix};
pub use optimizer::Optimizer;
pub use penalty::Penalty;
pub use plateau::ReduceOnPlateau;
pub use schedule::{Schedule, ScheduleUnit};
pub use state::OptimizerState;
pub use swa::Swa;
pub use tie::Tie;
pub(crate) use tie::Ties;

/// Every rule of this crate, in the one list that there is: calls the macro `then` with it.
///
/// A line is `file::Rule { the rule as it is made, and with options }`. The rules are exported
/// by it, and every test of rules goes through it.
#[doc(hidden)]
#[macro_export]
macro_rules! every_rule {
    ($then:ident) => {
        $then! {
            adadelta::Adadelta { Adadelta::new(), Adadelta::new().rho(0.95).eps(1e-2) }
            adagrad::Adagrad { Adagrad::new(), Adagrad::new().initial(0.1).eps(1e-2) }
            adam::Adam {
                Adam::new(),
                Adam::new().beta1(0.5).beta2(0.9).eps(1e-2),
                Adam::new().beta2(0.5).amsgrad(),
                Adam::new().cautious(),
                Adam::new().cautious_decay(),
                Adam::new().beta2(0.5).amsgrad().cautious().cautious_decay()
            }
            adamax::Adamax {
                Adamax::new(),
                Adamax::new().beta1(0.5).beta2(0.75).eps(1e-2),
                Adamax::new().cautious()
            }
            adan::Adan {
                Adan::new(),
                Adan::new().beta1(0.5).beta2(0.75).beta3(0.9).eps(1e-2),
                Adan::new().cautious()
            }
            asgd::Asgd {
                Asgd::new(),
                Asgd::new().lambd(0.05).alpha(0.5).t0(4.0)
            }
            lion::Lion {
                Lion::new(),
                Lion::new().beta1(0.5).beta2(0.75),
                Lion::new().cautious(),
                Lion::new().cautious_decay()
            }
            muon::Muon {
                Muon::new(),
                Muon::new().momentum(0.8).plain().jordan(),
                Muon::new().momentum(0.5).beta1(0.5).beta2(0.75).eps(1e-2)
            }
            nadam::NAdam {
                NAdam::new(),
                NAdam::new().beta1(0.8).beta2(0.9).eps(1e-2).momentum_decay(0.5),
                NAdam::new().momentum_decay(0.0),
                NAdam::new().cautious()
            }
            quickprop::Quickprop {
                Quickprop::new(),
                Quickprop::new().mu(1.25).decay(0.0)
            }
            radam::RAdam {
                RAdam::new(),
                RAdam::new().beta1(0.8).beta2(0.9).eps(1e-2),
                RAdam::new().beta2(0.6),
                RAdam::new().cautious()
            }
            rmsprop::RmsProp {
                RmsProp::new(),
                RmsProp::new().rho(0.9).eps(1e-2),
                RmsProp::new().momentum(0.9),
                RmsProp::new().centered(),
                RmsProp::new().rho(0.9).centered().momentum(0.8)
            }
            rprop::Rprop {
                Rprop::new(),
                Rprop::new().eta_minus(0.25).eta_plus(1.5).bounds(1e-2, 0.2),
                Rprop::new().backtracking()
            }
            sarprop::Sarprop {
                Sarprop::new(),
                Sarprop::new().temperature(0.1).decay(0.0).noise(1.0).seed(7)
            }
            schedule_free::ScheduleFreeAdam {
                ScheduleFreeAdam::new(),
                ScheduleFreeAdam::new().beta1(0.5).beta2(0.75).eps(1e-2).r(1.5)
            }
            schedule_free::ScheduleFreeSgd {
                ScheduleFreeSgd::new(),
                ScheduleFreeSgd::new().momentum(0.5).r(2.0)
            }
            sgd::Sgd {
                Sgd::new(),
                Sgd::new().momentum(0.9),
                Sgd::new().momentum(0.9).dampening(0.5),
                Sgd::new().momentum(0.8).nesterov()
            }
        }
    };
}

macro_rules! export {
    ($($file:ident::$rule:ident { $($made:expr),+ })+) => { $(pub use $file::$rule;)+ };
}
every_rule!(export);

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
