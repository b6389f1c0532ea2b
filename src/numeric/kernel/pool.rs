//! A pool of threads that stay awake from one piece of work to the next.
//!
//! A pass shares its work a dozen times in a few milliseconds. A thread that slept in between would
//! be woken by the system each time, which takes as long as a small product. So the threads look
//! for work a while longer than those of the pool below would, and then sleep. They do it in a job
//! that each of them runs as long as the pool lives, so that the pool below never puts one to
//! sleep.

use alloc::{boxed::Box, format, sync::Arc};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use rayon_core::{ThreadPool, ThreadPoolBuilder, Yield, yield_now};
use std::sync::OnceLock;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Threads that take their work from each other.
#[derive(Debug)]
pub(super) struct Pool {
    threads: ThreadPool,
    crew: Arc<Crew>,
    /// Whether each thread has a core.
    fits: bool,
}

/// What the threads of a pool know of each other.
#[derive(Debug)]
struct Crew {
    members: Box<[Member]>,
    /// Calls of [`Pool::run`] that no thread has taken yet.
    calls: AtomicUsize,
    over: AtomicBool,
    /// How often a thread without work looks for it before it gives way to any other.
    looks: u32,
}

/// A thread; alone on its cache line, for others read it in each piece of work.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Member {
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Pool {
    /// `None` where the system refuses so many threads.
    pub(super) fn new(count: usize) -> Option<Self> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("chainrule {index}"))
            .build()
            .ok()?;
        // The library has a limit of its own, at which it stops without a word.
        if threads.current_num_threads() != count {
            return None;
        }
        let fits = thread::available_parallelism().is_ok_and(|cores| count <= cores.get());
        let crew = Arc::new(Crew {
            members: (0..count).map(|_| Member::default()).collect(),
            calls: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            // Who waits on a core that another thread needs keeps it from its work.
            looks: if fits { 16 } else { 1 },
        });
        let attended = Arc::clone(&crew);
        threads.spawn_broadcast(move |member| attended.attend(member.index()));
        Some(Self {
            threads,
            crew,
            fits,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.crew.members.len()
    }

    /// Whether each thread has a core, and so is awake when there is work.
    pub(super) fn fits(&self) -> bool {
        self.fits
    }

    /// Whether this thread is one of the pool's.
    pub(super) fn is_here(&self) -> bool {
        self.threads.current_thread_index().is_some()
    }

    /// Runs `f` on a thread of the pool, while the others wait for what it shares.
    pub(super) fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        if self.is_here() {
            return f();
        }
        let crew = &*self.crew;
        crew.calls.fetch_add(1, Ordering::SeqCst);
        crew.wake();
        self.threads.install(|| {
            crew.calls.fetch_sub(1, Ordering::SeqCst);
            f()
        })
    }

    /// Runs both, the first one on this thread, which is one of the pool's.
    pub(super) fn both(&self, first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
        let done = AtomicBool::new(false);
        rayon_core::join(
            || {
                self.crew.wake();
                first();
                // A panic leaves the flag as it is: then the pool below waits, as it does after
                // this thread's patience.
                self.crew.look_for_work(|| done.load(Ordering::Acquire));
            },
            || {
                second();
                done.store(true, Ordering::Release);
            },
        );
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.crew.over.store(true, Ordering::SeqCst);
        self.crew.wake();
    }
}

impl Crew {
    /// What a thread does as long as the pool lives.
    fn attend(&self, index: usize) {
        let me = &self.members[index];
        me.thread.get_or_init(thread::current);
        let over = || self.over.load(Ordering::SeqCst);
        while !over() {
            self.look_for_work(over);
            me.asleep.store(true, Ordering::SeqCst);
            // Either the others see that this thread sleeps, or it sees here what they left to do.
            fence(Ordering::SeqCst);
            let calls = self.calls.load(Ordering::SeqCst) > 0;
            if over() || calls || yield_now() == Some(Yield::Executed) {
                me.asleep.store(false, Ordering::SeqCst);
            }
            while me.asleep.load(Ordering::SeqCst) {
                thread::park();
            }
        }
    }

    /// Does what others have left to do until all is `done`, or nothing has come for a while.
    fn look_for_work(&self, done: impl Fn() -> bool) {
        /// Longer than what a pass does between two pieces of shared work.
        const PATIENCE: Duration = Duration::from_micros(100);
        let (mut idle, mut looks) = (Instant::now(), 0);
        while !done() {
            if yield_now() == Some(Yield::Executed) {
                (idle, looks) = (Instant::now(), 0);
                continue;
            }
            looks += 1;
            if looks < self.looks {
                core::hint::spin_loop();
                continue;
            }
            // What another thread takes counts as time without work.
            if idle.elapsed() >= PATIENCE {
                return;
            }
            looks = 0;
            thread::yield_now();
        }
    }

    /// Wakes the threads that sleep, after something has been left for them to do.
    fn wake(&self) {
        fence(Ordering::SeqCst);
        for member in &self.members {
            if member.asleep.load(Ordering::Relaxed)
                && member.asleep.swap(false, Ordering::SeqCst)
                && let Some(thread) = member.thread.get()
            {
                thread.unpark();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Σ of the numbers below `end` that are no less than `start`, each in a job of its own.
    fn sum(pool: &Pool, start: u64, end: u64, pause: Duration) -> u64 {
        if end - start == 1 {
            thread::sleep(pause);
            return start;
        }
        let (middle, mut sums) = (start + (end - start) / 2, [0; 2]);
        let [low, high] = &mut sums;
        pool.both(
            || *low = sum(pool, start, middle, pause),
            || *high = sum(pool, middle, end, pause),
        );
        sums.iter().sum()
    }

    /// Also of more threads than there are cores.
    fn pools() -> [Pool; 3] {
        [2, 3, 8].map(|count| Pool::new(count).expect("a few threads"))
    }

    /// Work comes at once, and after pauses in which threads fall asleep.
    #[test]
    fn no_work_is_lost() {
        for pool in pools() {
            for pause in [0, 1, 50, 300] {
                let pause = Duration::from_micros(pause);
                for _ in 0..20 {
                    let total = pool.run(|| {
                        thread::sleep(pause);
                        sum(&pool, 0, 33, pause)
                    });
                    assert_eq!(total, 33 * 32 / 2);
                }
            }
        }
    }

    /// Callers on several threads of a program, more than the pool has.
    #[test]
    fn calls_side_by_side() {
        for pool in pools() {
            thread::scope(|scope| {
                for _ in 0..5 {
                    scope.spawn(|| {
                        for _ in 0..50 {
                            assert_eq!(pool.run(|| sum(&pool, 0, 9, Duration::ZERO)), 36);
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn a_panic_of_either_comes_back() {
        for pool in pools() {
            for which in [0, 1] {
                let both = || {
                    pool.run(|| {
                        let fail = |me| move || assert!(me != which, "as the test wants it");
                        pool.both(fail(0), fail(1));
                    });
                };
                assert!(catch_unwind(AssertUnwindSafe(both)).is_err());
                assert_eq!(pool.run(|| sum(&pool, 0, 9, Duration::ZERO)), 36);
            }
        }
    }

    /// Nobody looks for work after a call, nor before one.
    #[test]
    fn all_sleep_after_a_call() {
        for pool in pools() {
            for _ in 0..3 {
                let asleep = |member: &Member| member.asleep.load(Ordering::SeqCst);
                let since = Instant::now();
                while !pool.crew.members.iter().all(asleep) {
                    assert!(
                        since.elapsed() < Duration::from_secs(60),
                        "somebody is awake"
                    );
                    thread::sleep(Duration::from_millis(1));
                }
                thread::sleep(Duration::from_millis(20));
                assert!(
                    pool.crew.members.iter().all(asleep),
                    "somebody has woken up"
                );
                pool.run(|| sum(&pool, 0, 9, Duration::ZERO));
            }
        }
    }
}
