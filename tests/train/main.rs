//! Training: what the trainers do, when they stop, what they leave behind, and how good it is.

#[path = "../common/mod.rs"]
mod common;

mod accumulate;
mod averages;
mod checkpoints;
mod full_batch;
mod heads;
mod least_squares;
mod losses;
mod online;
mod quality;
mod stopping;
#[cfg(feature = "csv")]
mod tables;
mod ties;
mod training;

/// Ends a run after so many steps.
struct Limit(u64);

impl<T: chainrule::Real> chainrule::train::Observer<T> for Limit {
    fn on_batch(
        &mut self,
        step: &chainrule::train::Step,
        _: &chainrule::Sequential<T>,
    ) -> core::ops::ControlFlow<()> {
        if step.step + 1 < self.0 {
            core::ops::ControlFlow::Continue(())
        } else {
            core::ops::ControlFlow::Break(())
        }
    }
}
