//! Losses that are an average over the outputs of a function of one output and its target.

use super::{CostsArgs, CurvaturesArgs, SlopesArgs, share};
use crate::numeric::compiled::compiled_here;
use crate::numeric::real::{Real, sum};

/// The function of output y and target t. Where a sample has k times as many outputs as targets,
/// they are k blocks, one after the other, each with an output for every target.
pub(super) trait ByOutput<T: Real> {
    /// The cost in the given block.
    fn cost(&self, block: usize, y: T, t: T) -> T;
    /// Its derivative by y.
    fn slope(&self, block: usize, y: T, t: T) -> T;
    /// Its second derivative; at a jump of the slope 0.
    fn curvature(&self, block: usize, y: T, t: T) -> T;
}

/// Block, output and target of each output of a sample.
fn triples<T: Real>(y: &[T], t: &[T]) -> impl Iterator<Item = (usize, T, T)> {
    let blocks = y.chunks_exact(t.len().max(1)).enumerate();
    blocks.flat_map(move |(block, y)| y.iter().zip(t).map(move |(y, t)| (block, *y, *t)))
}

pub(super) fn costs<T: Real>(f: &dyn ByOutput<T>, p: CostsArgs<'_, T>) {
    compiled_here!(T: |f: &dyn ByOutput<T>, p: CostsArgs<'_, T>| {
        let share: T = share(p.y.rows());
        for ((cost, y), t) in p.costs.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
            let terms = triples(y, t).map(|(block, y, t)| f.cost(block, y, t));
            *cost = share * sum(y.len(), terms);
        }
    })(f, p);
}

pub(super) fn slopes<T: Real>(f: &dyn ByOutput<T>, p: SlopesArgs<'_, T>) {
    compiled_here!(T: |f: &dyn ByOutput<T>, p: SlopesArgs<'_, T>| {
        let mut p = p;
        let share: T = share(p.y.rows());
        for ((dy, y), t) in p.dy.iter_mut().zip(p.y.iter()).zip(p.target.iter()) {
            for (dy, (block, y, t)) in dy.iter_mut().zip(triples(y, t)) {
                *dy = share * f.slope(block, y, t);
            }
        }
    })(f, p);
}

pub(super) fn curvatures<T: Real>(f: &dyn ByOutput<T>, p: CurvaturesArgs<'_, T>) {
    compiled_here!(T: |f: &dyn ByOutput<T>, p: CurvaturesArgs<'_, T>| {
        let mut p = p;
        let share: T = share(p.y.rows());
        let samples = p.y.iter().zip(p.target.iter());
        for ((out, dot), (y, t)) in p.dy_dot.iter_mut().zip(p.y_dot.iter()).zip(samples) {
            for ((out, dot), (block, y, t)) in out.iter_mut().zip(dot).zip(triples(y, t)) {
                *out = share * f.curvature(block, y, t) * *dot;
            }
        }
    })(f, p);
}

/// The [`Loss`](super::Loss) of a type that is [`ByOutput`], with what else it says. The loops are
/// shared: compiled for each loss, they would make up most of its code.
macro_rules! loss_by_output {
    ($name:ident { $($more:tt)* }) => {
        impl $name {
            fn by_output<T: Real>(&self) -> &dyn ByOutput<T> {
                compiled_here!(T: |loss: &$name| -> &dyn ByOutput<T> { loss })(self)
            }
        }

        impl<T: Real> Loss<T> for $name {
            fn name(&self) -> &str {
                stringify!($name)
            }

            fn costs(&self, p: CostsArgs<'_, T>) {
                by_output::costs(self.by_output(), p);
            }

            fn slopes(&self, p: SlopesArgs<'_, T>) {
                by_output::slopes(self.by_output(), p);
            }

            fn curvatures(&self, p: CurvaturesArgs<'_, T>) -> Result<()> {
                by_output::curvatures(self.by_output(), p);
                Ok(())
            }

            $($more)*
        }
    };
}
pub(super) use loss_by_output;
