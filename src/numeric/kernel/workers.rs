//! Threads that share the work of a pass: as many as were asked for, never more.

#[cfg(feature = "parallel")]
use super::pool::Pool;
#[cfg(feature = "parallel")]
use alloc::sync::Arc;
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// The least multiplications for a thread that is awake: a few microseconds.
const AWAKE: usize = 1 << 18;
/// The least for one that sleeps, and for a caller to go where the threads are: the system needs
/// tens of microseconds to wake a thread.
const ASLEEP: usize = 1 << 21;
/// As many multiplications take as long as it takes to read a number, and to write it changed.
pub(crate) const NUMBER: usize = 16;

/// Some threads; one of them is the caller's where there is only one.
#[derive(Clone, Debug, Default)]
pub struct Workers {
    #[cfg(feature = "parallel")]
    pool: Option<Arc<Pool>>,
}

impl Workers {
    /// More threads than two sockets have (768). In rayon each looks for work at all others before
    /// it sleeps, so that to make them takes time that grows with the square of their number: 1,024
    /// took 9 s on two busy cores, 2,048 a minute.
    #[cfg(feature = "parallel")]
    pub(crate) const MOST: usize = 1024;

    /// `count` threads, which live as long as this value and its clones; `None` where the system
    /// refuses them.
    #[cfg(feature = "parallel")]
    pub(crate) fn new(count: usize) -> Option<Self> {
        if count < 2 {
            return Some(Self::default());
        }
        Some(Self {
            pool: Some(Arc::new(Pool::new(count)?)),
        })
    }

    /// The number of threads, at least 1.
    pub(crate) fn count(&self) -> usize {
        #[cfg(feature = "parallel")]
        if let Some(pool) = &self.pool {
            return pool.count();
        }
        1
    }

    /// Whether both are the same threads.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        #[cfg(feature = "parallel")]
        return match (&self.pool, &other.pool) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        #[cfg(not(feature = "parallel"))]
        {
            let _ = other;
            true
        }
    }

    /// Into how many parts work is worth cutting that takes as long as so many multiplications of a
    /// large product: at least 1.
    #[inline]
    pub(crate) fn parts(&self, work: usize) -> usize {
        // Said first, for networks that are through with a step before all was asked.
        if work < 2 * AWAKE {
            return 1;
        }
        let count = self.count();
        if count == 1 {
            return 1;
        }
        let least = if self.are_awake() { AWAKE } else { ASLEEP };
        (work / least).clamp(1, count)
    }

    /// Whether work is worth cutting that is done so many times in one call of [`run`](Self::run).
    #[inline]
    pub(crate) fn are_worth(&self, work: usize, times: usize) -> bool {
        self.parts(work) > 1 && (self.are_here() || work.saturating_mul(times) >= ASLEEP)
    }

    /// Whether the threads look for work while there is any to come, each on a core of its own.
    fn are_awake(&self) -> bool {
        #[cfg(feature = "parallel")]
        if let Some(pool) = &self.pool {
            return pool.fits();
        }
        false
    }

    /// Whether this thread is one of them, which [`run`](Self::run) is needed for.
    fn are_here(&self) -> bool {
        #[cfg(feature = "parallel")]
        if let Some(pool) = &self.pool {
            return pool.is_here();
        }
        false
    }

    /// Does `work` on a sequence of `len`, each of which reads so many `numbers`: side by side
    /// where there are enough of them.
    #[inline]
    pub(crate) fn over<W: Divide>(
        &self,
        work: W,
        len: usize,
        numbers: usize,
        run: impl Fn(W) + Sync,
    ) {
        let cost = len.saturating_mul(numbers).saturating_mul(NUMBER);
        if !self.are_worth(cost, 1) {
            return run(work);
        }
        let parts = &mut vec![(); self.parts(cost).min(len)];
        self.run(|| self.spread(work, len, parts, &|work, ()| run(work)));
    }

    /// Runs `f` where [`spread`](Self::spread) works side by side.
    #[inline]
    pub(crate) fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        #[cfg(feature = "parallel")]
        if let Some(pool) = &self.pool {
            return pool.run(f);
        }
        f()
    }

    /// Does `work` on a sequence of `len` with one of `tools` per part: within [`run`](Self::run)
    /// side by side, else in turn.
    pub(crate) fn spread<W: Divide, S: Send>(
        &self,
        work: W,
        len: usize,
        tools: &mut [S],
        run: &(impl Fn(W, &mut S) + Sync),
    ) {
        if let [tool] = tools {
            return run(work, tool);
        }
        let half = tools.len() / 2;
        let at = len * half / tools.len();
        let (mine, others) = tools.split_at_mut(half);
        let (first, second) = work.divide(at);
        self.both(
            || self.spread(first, at, mine, run),
            || self.spread(second, len - at, others, run),
        );
    }

    /// Runs both, the first one on this thread.
    fn both(&self, first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
        #[cfg(feature = "parallel")]
        if let Some(pool) = &self.pool
            && pool.is_here()
        {
            return pool.both(first, second);
        }
        first();
        second();
    }
}

/// Copies by `workers`, into the memory that is there.
pub(crate) fn copy<T: Copy + Send + Sync>(to: &mut Vec<T>, from: &[T], workers: &Workers) {
    if to.len() != from.len() {
        to.clear();
        return to.extend_from_slice(from);
    }
    workers.over((&mut to[..], from), from.len(), 1, |(to, from)| {
        to.copy_from_slice(from);
    });
}

/// Work on a sequence that can be cut in two.
pub(crate) trait Divide: Sized + Send {
    /// The work on what comes before `at`, and on the rest.
    fn divide(self, at: usize) -> (Self, Self);
}

/// Nothing to do.
impl Divide for () {
    #[inline]
    fn divide(self, _at: usize) -> (Self, Self) {
        ((), ())
    }
}

impl<T: Sync> Divide for &[T] {
    #[inline]
    fn divide(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}

impl<T: Send> Divide for &mut [T] {
    #[inline]
    fn divide(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }
}

impl Divide for Range<usize> {
    #[inline]
    fn divide(self, at: usize) -> (Self, Self) {
        let middle = self.start + at;
        (self.start..middle, middle..self.end)
    }
}

impl<A: Divide, B: Divide> Divide for (A, B) {
    #[inline]
    fn divide(self, at: usize) -> (Self, Self) {
        let (a, a_rest) = self.0.divide(at);
        let (b, b_rest) = self.1.divide(at);
        ((a, b), (a_rest, b_rest))
    }
}

impl<A: Divide, B: Divide, C: Divide> Divide for (A, B, C) {
    #[inline]
    fn divide(self, at: usize) -> (Self, Self) {
        let (a, a_rest) = self.0.divide(at);
        let ((b, c), (b_rest, c_rest)) = (self.1, self.2).divide(at);
        ((a, b, c), (a_rest, b_rest, c_rest))
    }
}
