//! Threads that share the work of a pass: as many as were asked for, never more.

/// Some threads; one of them is the caller's where there is only one.
#[derive(Clone, Debug, Default)]
pub struct Workers {
    #[cfg(feature = "parallel")]
    pool: Option<alloc::sync::Arc<rayon_core::ThreadPool>>,
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
        let pool = rayon_core::ThreadPoolBuilder::new()
            .num_threads(count)
            .build()
            .ok()?;
        // The library has a limit of its own, at which it stops without a word.
        (pool.current_num_threads() == count).then(|| Self {
            pool: Some(pool.into()),
        })
    }

    /// The number of threads, at least 1.
    pub(crate) fn count(&self) -> usize {
        #[cfg(feature = "parallel")]
        if let Some(pool) = &self.pool {
            return pool.current_num_threads();
        }
        1
    }

    /// Runs `f` where it may call [`spread`].
    #[inline]
    pub(crate) fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        #[cfg(feature = "parallel")]
        if let Some(pool) = &self.pool {
            return pool.install(f);
        }
        f()
    }
}

/// Work on a sequence that can be cut in two.
pub(crate) trait Divide: Sized + Send {
    /// The work on what comes before `at`, and on the rest.
    fn divide(self, at: usize) -> (Self, Self);
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

/// Does `work` on a sequence of `len` with one of `tools` per part: within [`Workers::run`] side by
/// side, else in turn.
pub(crate) fn spread<W: Divide, S: Send>(
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
    let (first, second) = (
        || spread(first, at, mine, run),
        || spread(second, len - at, others, run),
    );
    #[cfg(feature = "parallel")]
    if rayon_core::current_thread_index().is_some() {
        rayon_core::join(first, second);
        return;
    }
    first();
    second();
}
