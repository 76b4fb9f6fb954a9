//! What the relay allocates: every allocation made while it works is counted, whoever frees it later.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count for each thread.
pub struct Counting;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static ROUNDED: Cell<bool> = const { Cell::new(false) };
    static TAKEN: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// What mimalloc takes for a block (`mi_bin`, `page-queue.c`): four sizes from each power of two to the next.
fn class(size: usize) -> usize {
    let words = size.div_ceil(8).max(1);
    match words {
        1 => 8,
        2..=8 => words.next_multiple_of(2) * 8,
        _ => words.next_multiple_of(1 << ((words - 1).ilog2() - 2)) * 8,
    }
}

/// A block of `old` bytes becomes one of `new`; 0: there is none.
fn count(old: usize, new: usize) {
    let bytes = new as isize - old as isize;
    if INSIDE.with(Cell::get) {
        if ROUNDED.with(Cell::get) {
            let [was, is] = [old, new].map(|size| if size == 0 { 0 } else { class(size) as isize });
            TAKEN.with(|taken| taken.set(taken.get() + is - was));
        }
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
        count(0, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), size);
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

/// Has [`taken`] counted on this thread. It would show in profiles, which are taken of the same program.
pub fn round_up() {
    ROUNDED.with(|rounded| rounded.set(true));
}

/// What this thread's relay has taken since, in bytes, as the allocator of the shipped library rounds blocks up.
pub fn taken() -> isize {
    TAKEN.with(Cell::get)
}

/// How often this thread's relay has allocated, or made an allocation grow.
pub fn allocations() -> u64 {
    CALLS.with(Cell::get)
}

/// The most begins anew at what is held.
pub fn restart() {
    PEAK.with(|peak| peak.set(HELD.with(Cell::get)));
}
