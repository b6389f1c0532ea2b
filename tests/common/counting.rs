//! A global allocator that counts: how often memory is taken, and how much of it is in use at most.
//!
//! Tests run side by side, so each thread counts for itself. Only this file needs `unsafe`: the
//! trait of allocators is unsafe to implement. All requests go to the system's allocator.
#![allow(dead_code, reason = "no crate of tests uses all of it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes; below 0 where other threads took what this one gave back.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Allocations of all threads.
static OF_ALL: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every request goes to the system's allocator with the arguments it came with; counting
// does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        OF_ALL.fetch_add(1, Relaxed);
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        LIVE.set(LIVE.get() + layout.size() as isize);
        PEAK.set(PEAK.get().max(LIVE.get()));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often all threads together have allocated so far.
pub(crate) fn allocations_of_all() -> u64 {
    OF_ALL.load(Relaxed)
}

/// How often `work` allocates on this thread.
pub(crate) fn allocations<R>(work: impl FnOnce() -> R) -> u64 {
    let before = ALLOCATIONS.get();
    black_box(work());
    ALLOCATIONS.get() - before
}

/// What `work` returns, and the most bytes that it has in use at once on this thread.
pub(crate) fn peak<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before) as usize)
}
