//! A hit allocates nothing. An owned copy of a small value takes one allocation.

#![allow(unsafe_code, reason = "counting allocations takes an allocator")]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder_core::{
    CachedRef, Clock, Engine, EngineConfig, Found, Key, KeyFilter, MemoryStore, Put, Tiers,
    near::{NearConfig, Policy},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

type Payload = Option<Arc<[u8]>>;

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

const NAMES: u32 = 1000;
const HITS: u32 = 10_000;
const VALUE: &[u8] = b"a value that is long enough for the heap";

#[test]
fn a_hit_allocates_nothing() {
    for policy in [Policy::ClockPro, Policy::Lru] {
        let tiers = tiers(policy);
        let names: Vec<_> = (0..NAMES).map(|n| format!("name {n}")).collect();
        for name in &names {
            let name = name.as_bytes();
            let put = Put { key: Key::plain(name, 0), payload: VALUE, ttl: None };
            now(tiers.put(put)).unwrap();
            now(tiers.fetch(Key::plain(name, 0))).unwrap();
        }
        let before = allocations();
        for n in 0..HITS {
            let key = Key::plain(names[(n % NAMES) as usize].as_bytes(), 0);
            let view = tiers.engine().feed().read_view(tiers.engine().clock().now()).unwrap();
            let found =
                |cached: CachedRef<'_, Payload>, _| matches!(cached, CachedRef::Bytes(VALUE));
            assert_eq!(tiers.engine().reader(view).get(key, found), Some(true));
        }
        assert_eq!(allocations() - before, 0, "{policy:?}");
        let view = tiers.engine().feed().read_view(tiers.engine().clock().now()).unwrap();
        let keys = names.iter().map(|name| Key::plain(name.as_bytes(), 0));
        let found = |cached: CachedRef<'_, Payload>, _| matches!(cached, CachedRef::Bytes(VALUE));
        let batch = tiers.engine().reader(view).get_batch(keys, found) as u64;
        assert_eq!(batch > 1, policy == Policy::ClockPro);
        assert_eq!(allocations() - before, 0, "{policy:?}, in a batch");
        for n in 0..HITS {
            let key = Key::plain(names[(n % NAMES) as usize].as_bytes(), 0);
            let fetched = now(tiers.fetch(key)).unwrap();
            assert!(matches!(fetched.found, Found::Near(_)));
        }
        assert_eq!(allocations() - before, u64::from(HITS), "{policy:?}");
        assert_eq!(tiers.engine().counts().near.hits, u64::from(2 * HITS) + batch);
    }
}

#[test]
fn an_owned_copy_of_a_large_value_allocates_nothing() {
    for policy in [Policy::ClockPro, Policy::Lru] {
        let tiers = tiers(policy);
        let (key, payload) = (Key::plain(b"name", 0), &[b'x'; 10_000]);
        now(tiers.put(Put { key, payload, ttl: None })).unwrap();
        now(tiers.fetch(Key::plain(b"name", 0))).unwrap();
        let before = allocations();
        assert!(tiers.get(Key::plain(b"name", 0)).is_some());
        assert_eq!(allocations() - before, 0, "{policy:?}");
    }
}

#[test]
fn the_allocator_counts() {
    let before = allocations();
    drop(std::hint::black_box(Box::new(1_u8)));
    assert_eq!(allocations() - before, 1);
}

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

fn tiers(policy: Policy) -> Tiers<Payload, MemoryStore> {
    let near = NearConfig { bytes_max: 64 << 20, entries_max: 0, value_bytes_max: 1 << 20, policy };
    let hour = Duration::from_hours(1);
    let config =
        EngineConfig { near, near_ttl: hour, staleness_bound: hour, keys: KeyFilter::default() };
    let engine = Engine::new(&config, Clock::System);
    let epoch = engine.begin_epoch();
    engine.feed().always_fresh(epoch);
    Tiers::new(engine, MemoryStore::new(Clock::System, 64 << 20))
}

/// Returns the output of a future that is ready at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is not ready"),
    }
}
