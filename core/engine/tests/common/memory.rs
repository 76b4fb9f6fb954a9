//! What the relay allocates: every allocation made while it works is counted, whoever frees it later.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count for each thread.
pub struct Counting;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    if INSIDE.with(Cell::get) {
        let held = HELD.with(|held| {
            held.set(held.get() + bytes);
            held.get()
        });
        PEAK.with(|peak| peak.set(peak.get().max(held)));
        if bytes > 0 {
            CALLS.with(|calls| calls.set(calls.get() + 1));
        }
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Counts what `work` allocates and frees as the relay's.
pub fn inside<R>(work: impl FnOnce() -> R) -> R {
    let before = INSIDE.with(|inside| inside.replace(true));
    let done = work();
    INSIDE.with(|inside| inside.set(before));
    done
}

/// Bytes that this thread's relay holds, and the most that it held since the last call of [`restart`].
pub fn held() -> (isize, isize) {
    (HELD.with(Cell::get), PEAK.with(Cell::get))
}

/// How often this thread's relay has allocated, or made an allocation grow.
pub fn allocations() -> u64 {
    CALLS.with(Cell::get)
}

/// The most begins anew at what is held.
pub fn restart() {
    PEAK.with(|peak| peak.set(HELD.with(Cell::get)));
}
