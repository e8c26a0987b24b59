//! A hit allocates nothing, whichever call finds it.

#![allow(unsafe_code, reason = "counting allocations takes an allocator")]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder::{Cache, Clock};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::{Future, IntoFuture},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// The system's allocator, which counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

impl Counting {
    fn count() {
        // A thread that is ending no longer has a counter.
        ALLOCATIONS.try_with(|count| count.set(count.get() + 1)).ok();
    }
}

// SAFETY: each method passes its arguments to the system's allocator unchanged, and counting neither
// allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller upholds the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller upholds the same contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        Self::count();
        // SAFETY: the caller upholds the same contract.
        unsafe { System.realloc(block, layout, bytes) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the same contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const HITS: u64 = 10_000;

#[test]
fn a_hit_allocates_nothing() {
    let cache: Cache<str, Arc<str>> = Cache::builder("texts")
        .ttl("1h")
        .time_to_idle("30m")
        .stale_if_error("6h")
        .hard_timeout("1s")
        .clock(Clock::manual())
        .build()
        .unwrap();
    now(cache.insert("key", "a value on the heap".into())).unwrap();
    let before = allocations();
    for _ in 0..HITS {
        let hit = now(cache.try_get_with("key", |_| async { Err(()) }));
        assert!(hit.is_ok());
        let entry = now(cache.try_get_with("key", |_| async { Err(()) }).entry());
        assert_eq!(entry.unwrap().ttl(), Some(Duration::from_mins(30)));
        now(cache.get_with("key", || async { unreachable!() }));
        assert!(now(cache.optionally_get_with("key", || async { None })).is_some());
        assert!(now(cache.get("key")).unwrap().is_some());
    }
    assert_eq!(allocations() - before, 0);
    assert_eq!(cache.stats().hits, 5 * HITS);
}

#[test]
fn a_remembered_absence_allocates_nothing() {
    let cache: Cache<u64, u64> = Cache::builder("numbers").negative_ttl("1m").build().unwrap();
    now(cache.optionally_get_with(&7, || async { None }));
    let before = allocations();
    for _ in 0..HITS {
        assert_eq!(now(cache.optionally_get_with(&7, || async { Some(1) })), None);
    }
    assert_eq!(allocations() - before, 0);
}

#[test]
fn a_miss_allocates() {
    let cache: Cache<u64, u64> = Cache::builder("numbers").build().unwrap();
    let before = allocations();
    now(cache.get_with(&1, || async { 1 }));
    assert_ne!(allocations() - before, 0, "so the allocator counts");
}

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// Returns the output of a future that is ready at once.
fn now<F: IntoFuture>(future: F) -> F::Output {
    match pin!(future.into_future()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is not ready"),
    }
}
