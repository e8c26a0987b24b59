//! What functions under `#[cached]` do.

#![cfg(feature = "macros")]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]
#![allow(clippy::unused_async, reason = "what the functions wait for is of no interest")]

use larder::{LoadError, cached};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// Counts how often a function ran.
struct Runs(AtomicU32);

impl Runs {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn count(&self) -> u32 {
        self.0.fetch_add(1, SeqCst) + 1
    }

    fn so_far(&self) -> u32 {
        self.0.load(SeqCst)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Failure {
    Broken(u32),
    NoAnswer,
}

impl From<LoadError<Self>> for Failure {
    fn from(_: LoadError<Self>) -> Self {
        Self::NoAnswer
    }
}

static EXTENDED: Runs = Runs::new();

/// Extends a name.
#[cached(ttl = "24h")]
async fn extended(username: &str, mut times: u32) -> String {
    EXTENDED.count();
    times += 1;
    username.repeat(times as usize - 1)
}

#[tokio::test]
async fn an_async_function_runs_once_for_each_set_of_arguments() {
    assert_eq!(extended("ab", 2).await, "abab");
    assert_eq!(extended("ab", 2).await, "abab");
    assert_eq!(EXTENDED.so_far(), 1);
    assert_eq!(extended("ab", 3).await, "ababab");
    assert_eq!(extended("a", 2).await, "aa");
    assert_eq!(EXTENDED.so_far(), 3);
    assert_eq!(extended_uncached("ab", 2).await, "abab");
    assert_eq!(EXTENDED.so_far(), 4);
    let key: larder::Name = {
        use std::fmt::Write;
        let mut name = larder::Name::default();
        name.write_str("extended:ab:2").unwrap();
        name
    };
    assert_eq!(extended_cache().get_near(&key).as_deref(), Some("abab"), "function:argument");
}

static SQUARES: Runs = Runs::new();

#[cached(key = "square of {n}", max_entries = 100)]
fn square(n: u32) -> u32 {
    SQUARES.count();
    n * n
}

#[test]
fn a_sync_function_is_cached_and_can_be_invalidated_and_refreshed() {
    assert_eq!((square(3), square(3), square(4)), (9, 9, 16));
    assert_eq!(SQUARES.so_far(), 2);
    square_invalidate(3).unwrap();
    assert_eq!((square(3), square(4)), (9, 16));
    assert_eq!(SQUARES.so_far(), 3);
    assert_eq!(square_refresh(4), 16);
    assert_eq!(SQUARES.so_far(), 4);
    assert_eq!(square(4), 16);
    assert_eq!(SQUARES.so_far(), 4);
}

static THREADS: Runs = Runs::new();

#[cached]
fn slow(key: u32) -> u32 {
    // Until the others have joined.
    while slow_cache().stats().joined < 7 {
        std::thread::yield_now();
    }
    THREADS.count() * key
}

#[test]
fn threads_that_call_a_sync_function_run_it_once() {
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| slow(1))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(results, [1; 8]);
}

static FAILS: Runs = Runs::new();

#[cached(stale_if_error = "1h")]
async fn fails_at_first(id: u32) -> Result<u32, Failure> {
    match FAILS.count() {
        1 => Err(Failure::Broken(id)),
        run => Ok(run),
    }
}

#[tokio::test]
async fn an_error_keeps_its_type_and_is_not_cached() {
    assert_eq!(fails_at_first(7).await, Err(Failure::Broken(7)));
    assert_eq!(fails_at_first(7).await, Ok(2));
    assert_eq!(fails_at_first(7).await, Ok(2));
}

#[cached(hard_timeout = "1s")]
async fn never_ends(id: u32) -> Result<u32, Failure> {
    std::future::pending::<()>().await;
    Ok(id)
}

#[tokio::test(start_paused = true)]
async fn a_function_that_takes_too_long_returns_an_error_of_its_own_type() {
    assert_eq!(never_ends(1).await, Err(Failure::NoAnswer));
}

static ABSENT: Runs = Runs::new();

#[cached(negative_ttl = "1m")]
async fn find(id: u32) -> Option<u32> {
    ABSENT.count();
    (id != 0).then_some(id)
}

#[tokio::test]
async fn an_absent_value_is_cached() {
    assert_eq!((find(0).await, find(0).await, find(1).await), (None, None, Some(1)));
    assert_eq!(ABSENT.so_far(), 2);
}

#[cached(negative_ttl = "1m", circuit_breaker = (5, "10s"), jitter = 0.1)]
fn try_find(id: u32) -> Result<Option<u32>, Failure> {
    match id {
        0 => Ok(None),
        1 => Err(Failure::Broken(1)),
        id => Ok(Some(id)),
    }
}

#[test]
fn a_function_may_fail_and_may_have_no_value() {
    assert_eq!(try_find(0), Ok(None));
    assert_eq!(try_find(1), Err(Failure::Broken(1)));
    assert_eq!(try_find(2), Ok(Some(2)));
}

struct Shop {
    name: &'static str,
    queries: AtomicU32,
}

impl Shop {
    #[cached(ttl = "5m", key = "price:{id}")]
    async fn price(&self, id: u64) -> u64 {
        self.queries.fetch_add(1, SeqCst);
        id * 100
    }

    #[cached(key = "")]
    fn greeting(&self) -> String {
        format!("Welcome to {}", self.name)
    }
}

#[tokio::test]
async fn methods_are_cached() {
    let shop = Shop { name: "the shop", queries: AtomicU32::new(0) };
    assert_eq!((shop.price(7).await, shop.price(7).await), (700, 700));
    assert_eq!(shop.queries.load(SeqCst), 1);
    assert_eq!(shop.price_refresh(7).await, 700);
    assert_eq!(shop.queries.load(SeqCst), 2);
    shop.price_invalidate(7).await.unwrap();
    assert_eq!(shop.price(7).await, 700);
    assert_eq!(shop.price_uncached(8).await, 800);
    assert_eq!(shop.queries.load(SeqCst), 4);
    assert_eq!(shop.greeting(), "Welcome to the shop");
}
