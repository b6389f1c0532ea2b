//! What becomes of numbers where branches begin and where they end. All sums are in the order of
//! the branches.

use crate::nn::layer::Join;
use crate::nn::layout::Joined;
use crate::numeric::real::Real;
use crate::numeric::view::ViewMut;

/// The outputs of branches as one, of so many samples: `x` are the network's inputs, and `outputs`
/// those of all nodes below.
pub(super) fn join<T: Real>(joined: &Joined, x: &[T], outputs: &[T], y: &mut [T], batch: usize) {
    let width = y.len() / batch;
    let mut first = 0;
    for (index, branch) in joined.branches.iter().enumerate() {
        let from = branch.y(batch).map_or(x, |range| &outputs[range]);
        match joined.join {
            Join::Add if index == 0 => y.copy_from_slice(from),
            Join::Add => add(y, from),
            Join::Stack => {
                let columns = y.chunks_exact_mut(width);
                for (y, from) in columns.zip(from.chunks_exact(branch.width)) {
                    y[first..first + branch.width].copy_from_slice(from);
                }
                first += branch.width;
            }
        }
    }
}

/// Hands each branch its part of ∂C/∂y, among the derivatives by all outputs below. A branch that
/// is the network's inputs gets its part only where it is `asked` for.
pub(super) fn split<T: Real>(
    joined: &Joined,
    delta: &[T],
    deltas: &mut [T],
    batch: usize,
    asked: bool,
) {
    let width = delta.len() / batch;
    let mut first = 0;
    for branch in &joined.branches {
        let here = first..first + branch.width;
        if joined.join == Join::Stack {
            first = here.end;
        }
        let wanted = asked || branch.y(batch).is_some();
        let Some(to) = branch.dy(batch).filter(|_| wanted) else {
            continue;
        };
        let to = &mut deltas[to];
        match joined.join {
            Join::Add => to.copy_from_slice(delta),
            Join::Stack => {
                let columns = delta.chunks_exact(width);
                for (to, delta) in to.chunks_exact_mut(branch.width).zip(columns) {
                    to.copy_from_slice(&delta[here.clone()]);
                }
            }
        }
    }
}

/// The sum of what branches wrote one after the other.
pub(super) fn sum<T: Real>(branches: &[T], mut to: ViewMut<'_, T>) {
    let to = to.as_mut_slice();
    let mut branches = branches.chunks_exact(to.len());
    if let Some(first) = branches.next() {
        to.copy_from_slice(first);
    }
    for branch in branches {
        add(to, branch);
    }
}

fn add<T: Real>(to: &mut [T], from: &[T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += *from;
    }
}
