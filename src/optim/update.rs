//! A step of a rule: from what one parameter becomes to all of them.

use super::group::Group;
use crate::numeric::kernel::{
    Pass,
    workers::{Divide, Workers},
};
use crate::numeric::real::Real;
use alloc::vec::Vec;
use core::array::from_fn;
use core::mem::take;
use core::ops::Range;

/// The arguments of a step, of which it is known that they fit.
pub(super) struct StepArgs<'a, T> {
    pub(super) workers: &'a Workers,
    /// The number of the step, counted from 1.
    pub(super) t: u64,
    pub(super) lr: f64,
    pub(super) params: &'a mut [T],
    pub(super) grads: &'a [T],
    pub(super) groups: &'a [Group],
}

/// The groups that learn by the rule.
pub(super) fn learning(groups: &[Group]) -> impl Iterator<Item = &Group> {
    groups
        .iter()
        .filter(|group| group.rate != 0.0 && !group.statistic)
}

/// The step of running statistics, the same for every rule; `copies` remain copies.
#[inline]
pub(super) fn follow_statistics<T: Real>(
    workers: &Workers,
    params: &mut [T],
    grads: &[T],
    groups: &[Group],
    copies: &mut [Vec<T>],
) {
    for group in groups {
        if group.statistic && group.rate != 0.0 {
            let range = group.range.clone();
            follow_all(workers, &mut params[range.clone()], &grads[range.clone()]);
            for copy in &mut *copies {
                copy[range.clone()].copy_from_slice(&params[range.clone()]);
            }
        }
    }
}

impl<T: Real> StepArgs<'_, T> {
    /// Changes the parameters of every group: `rule` gets a group's lr and 1 − lr·λ and returns
    /// what becomes of one parameter, told its gradient and what the K slots remember of it; that
    /// must be `#[inline(always)]`.
    pub(super) fn each<F, const K: usize>(
        mut self,
        slots: &mut [Vec<T>],
        rule: impl Fn(f64, T) -> F,
    ) where
        F: Fn(T, T, [T; K]) -> (T, [T; K]) + Copy + Send,
    {
        for group in learning(self.groups) {
            let lr = self.lr * group.rate;
            let at = rule(lr, T::of(1.0 - lr * group.decay));
            self.update(group.range.clone(), slots, at);
        }
    }

    /// Changes the parameters of a range, as [`each`](Self::each) does.
    pub(super) fn update<F, const K: usize>(
        &mut self,
        range: Range<usize>,
        slots: &mut [Vec<T>],
        at: F,
    ) where
        F: Fn(T, T, [T; K]) -> (T, [T; K]) + Copy + Send,
    {
        let (w, g) = (&mut self.params[range.clone()], &self.grads[range.clone()]);
        let mut parts = none();
        for (part, slot) in parts.iter_mut().zip(slots) {
            *part = &mut slot[range.clone()];
        }
        let pass = Update {
            w,
            g,
            slots: parts,
            at,
        };
        self.workers.over(pass, range.len(), 1, T::vectorize);
    }
}

/// The step of running statistics, the same for every rule.
#[inline(never)]
fn follow_all<T: Real>(workers: &Workers, w: &mut [T], g: &[T]) {
    let len = w.len();
    let (slots, at) = ([], follow);
    workers.over(Update { w, g, slots, at }, len, 1, T::vectorize);
}

/// What becomes of a running statistic.
#[inline(always)]
fn follow<T: Real>(p: T, g: T, _: [T; 0]) -> (T, [T; 0]) {
    ((p - g).flush(), [])
}

/// No slots, for a loop to put some there: to map an array of slots would be compiled anew for each
/// rule.
fn none<'a, T, const K: usize>() -> [&'a mut [T]; K] {
    from_fn(|_| Default::default())
}

/// The loop of a rule.
struct Update<'a, T, F, const K: usize> {
    w: &'a mut [T],
    g: &'a [T],
    slots: [&'a mut [T]; K],
    at: F,
}

impl<T: Real, F: Copy + Send, const K: usize> Divide for Update<'_, T, F, K> {
    fn divide(mut self, at: usize) -> (Self, Self) {
        let ((w, w_rest), (g, g_rest)) = (self.w.split_at_mut(at), self.g.split_at(at));
        let mut rests = none();
        for (slot, rest) in self.slots.iter_mut().zip(&mut rests) {
            (*slot, *rest) = take(slot).split_at_mut(at);
        }
        (
            Self { w, g, ..self },
            Self {
                w: w_rest,
                g: g_rest,
                slots: rests,
                at: self.at,
            },
        )
    }
}

impl<T: Real, F: Fn(T, T, [T; K]) -> (T, [T; K]), const K: usize> Pass for Update<'_, T, F, K> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self {
            w,
            g,
            mut slots,
            at,
        } = self;
        // All are as long as the group; said once, so that no element is asked.
        let g = &g[..w.len()];
        for slot in &mut slots {
            *slot = &mut take(slot)[..w.len()];
        }
        for i in 0..w.len() {
            let mut known = [T::zero(); K];
            for k in 0..K {
                known[k] = slots[k][i];
            }
            let (next, known) = at(w[i], g[i], known);
            w[i] = next;
            for k in 0..K {
                slots[k][i] = known[k];
            }
        }
    }
}
