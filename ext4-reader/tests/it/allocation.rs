//! An allocator that remembers the largest request of each thread and the most it held: damage must not turn into memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST_HELD: Cell<usize> = const { Cell::new(0) };
}

struct Remembering;

#[global_allocator]
static ALLOCATOR: Remembering = Remembering;

// SAFETY: every request goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Remembering {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        remember(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        remember(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        forget(layout.size());
        remember(size);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        forget(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}

// A thread that ends may still free and allocate after its variables are gone.

fn remember(size: usize) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
    let _ = HELD.try_with(|held| {
        held.set(held.get().saturating_add(size));
        let _ = MOST_HELD.try_with(|most| most.set(most.get().max(held.get())));
    });
}

fn forget(size: usize) {
    let _ = HELD.try_with(|held| held.set(held.get().saturating_sub(size)));
}

/// The largest request that this thread makes in `work`, in bytes.
pub(crate) fn largest_in(work: impl FnOnce()) -> usize {
    LARGEST.set(0);
    work();
    LARGEST.get()
}

/// What `work` returns, and the most bytes that it held at once beside what this thread held before.
#[cfg(target_os = "linux")]
pub(crate) fn most_held_in<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST_HELD.set(before);
    let value = work();
    (value, MOST_HELD.get().saturating_sub(before))
}
