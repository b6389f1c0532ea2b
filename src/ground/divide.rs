//! Tasks divided among threads.

use crate::error::{Error, ErrorKind, Result};
use core::ops::ControlFlow;
#[cfg(feature = "std")]
use {
    alloc::vec::Vec,
    core::sync::atomic::{AtomicUsize, Ordering},
    std::panic::resume_unwind,
    std::sync::{Mutex, PoisonError},
    std::thread,
};

#[cfg(feature = "std")]
const MOST: usize = 1024;
#[cfg(not(feature = "std"))]
const MOST: usize = 1;

/// Runs the tasks 0..tasks on `threads` threads, one of them the caller's, each thread taking the
/// next task that nobody has. What a task returns goes to `receive`, one call at a time, in the
/// order in which tasks end; after a `Break` no task begins.
///
/// So of all tasks whose results lead to `Break`, the first one is always received.
pub(crate) fn divide<R: Send>(
    place: &str,
    threads: usize,
    tasks: usize,
    task: impl Fn(usize) -> R + Sync,
    mut receive: impl FnMut(usize, R) -> ControlFlow<()> + Send,
) -> Result<()> {
    if !(1..=MOST).contains(&threads) {
        let expected = if MOST == 1 {
            "1 (more need the feature std)"
        } else {
            "from 1 to 1024"
        };
        let place = alloc::format!("threads of {place}");
        return Err(Error::new(ErrorKind::Value, place, expected, threads));
    }
    #[cfg(feature = "std")]
    if threads.min(tasks) > 1 {
        return on_threads(place, threads.min(tasks), tasks, &task, receive);
    }
    for index in 0..tasks {
        if receive(index, task(index)).is_break() {
            break;
        }
    }
    Ok(())
}

/// Lets nobody begin another task once it is dropped: by a thread that has no more to do, has been
/// told to end, or panics.
#[cfg(feature = "std")]
struct Last<'a>(&'a AtomicUsize, usize);

#[cfg(feature = "std")]
impl Drop for Last<'_> {
    fn drop(&mut self) {
        self.0.store(self.1, Ordering::Relaxed);
    }
}

#[cfg(feature = "std")]
fn on_threads<R: Send>(
    place: &str,
    threads: usize,
    tasks: usize,
    task: &(impl Fn(usize) -> R + Sync),
    receive: impl FnMut(usize, R) -> ControlFlow<()> + Send,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let receive = Mutex::new(receive);
    let work = || {
        let _last = Last(&next, tasks);
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= tasks {
                break;
            }
            let result = task(index);
            let mut receive = receive.lock().unwrap_or_else(PoisonError::into_inner);
            if receive(index, result).is_break() {
                break;
            }
        }
    };
    thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work);
        let others: Vec<_> = (1..threads).map(spawn).collect();
        let refused = others.iter().any(|other| other.is_err());
        if refused {
            drop(Last(&next, tasks));
        } else {
            work();
        }
        for other in others.into_iter().flatten() {
            if let Err(panic) = other.join() {
                resume_unwind(panic);
            }
        }
        if refused {
            return Err(Error::new(
                ErrorKind::Value,
                alloc::format!("threads of {place}"),
                "no more than the system has room for",
                threads,
            ));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::divide;
    use alloc::{vec, vec::Vec};
    use core::ops::ControlFlow::{Break, Continue};

    fn received(threads: usize, tasks: usize, last: usize) -> Vec<usize> {
        let mut received = Vec::new();
        divide(
            "",
            threads,
            tasks,
            |index| index * index,
            |index, square| {
                assert_eq!(square, index * index);
                received.push(index);
                if index == last {
                    Break(())
                } else {
                    Continue(())
                }
            },
        )
        .expect("a number of threads that there can be");
        received.sort_unstable();
        received
    }

    #[test]
    fn every_task_runs_once() {
        let threads = if cfg!(feature = "std") { 1..6 } else { 1..2 };
        for threads in threads {
            for tasks in [0, 1, 2, 3, 50] {
                let all: Vec<_> = (0..tasks).collect();
                assert_eq!(received(threads, tasks, usize::MAX), all);
            }
            // All before the one that ends it, and not many after.
            let some = received(threads, 100_000, 7);
            assert_eq!(some[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
            assert!(some.len() < 100_000);
        }
        assert_eq!(received(1, 100, 7), vec![0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn no_threads_and_too_many() {
        for (threads, given) in [(0, "0"), (1025, "1025")] {
            let error = divide("Search", threads, 1, |_| (), |_, ()| Continue(()))
                .expect_err("not a number of threads");
            assert_eq!(error.place(), "threads of Search");
            assert_eq!(error.given(), given);
        }
    }

    /// What a program says when it panics is not lost on the way.
    #[cfg(feature = "std")]
    #[test]
    fn panics_come_through() {
        for threads in 1..4 {
            let caught = std::panic::catch_unwind(|| {
                divide(
                    "",
                    threads,
                    10,
                    |index| assert!(index != 4, "task four"),
                    |_, ()| Continue(()),
                )
            });
            let panic = caught.expect_err("a panic");
            assert_eq!(panic.downcast_ref(), Some(&"task four"));
        }
    }
}
