//! Stale values are served when a policy says so, and only then.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder::{Cache, CacheBuilder, Clock, Entry, LoadError, Source};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Returns a cache with a value of 1 that expires in a minute.
async fn build(
    set: impl FnOnce(CacheBuilder<str, u32>) -> CacheBuilder<str, u32>,
) -> (Cache<str, u32>, Clock) {
    let clock = Clock::manual();
    let cache = set(Cache::builder("numbers").ttl("1m")).clock(clock.clone()).build().unwrap();
    cache.insert("a", 1).await.unwrap();
    (cache, clock)
}

async fn failing(cache: &Cache<str, u32>) -> Result<Entry<u32>, LoadError<&'static str>> {
    cache.try_get_with("a", |_| async { Err("broken") }).entry().await
}

async fn loads(cache: &Cache<str, u32>, count: u64) {
    while cache.stats().loads < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stale_value_is_served_while_loads_fail_and_no_longer_than_allowed() {
    let (cache, clock) = build(|it| it.stale_if_error("6h")).await;
    clock.advance(MINUTE);
    let entry = failing(&cache).await.unwrap();
    assert_eq!((*entry.value(), entry.is_stale(), entry.age()), (1, true, MINUTE));
    assert_eq!(entry.ttl(), Some(Duration::ZERO));
    clock.advance(Duration::from_hours(6).checked_sub(Duration::from_nanos(1)).unwrap());
    assert_eq!(failing(&cache).await.unwrap().into_value(), 1);
    clock.advance(Duration::from_nanos(1));
    assert!(failing(&cache).await.is_err());
}

#[tokio::test]
async fn an_error_is_an_error_without_stale_if_error() {
    let (cache, clock) = build(|it| it.stale_while_revalidate("6h")).await;
    clock.advance(MINUTE);
    assert!(failing(&cache).await.is_err());
}

#[tokio::test]
async fn failing_loads_are_throttled_while_a_stale_value_is_served() {
    let (cache, clock) = build(|it| it.stale_if_error("6h").stale_if_error_throttle("10s")).await;
    clock.advance(MINUTE);
    for _ in 0..5 {
        failing(&cache).await.unwrap();
    }
    assert_eq!(cache.stats().loads, 1);
    clock.advance(10 * SECOND);
    failing(&cache).await.unwrap();
    assert_eq!(cache.stats().loads, 2);
    clock.advance(10 * SECOND);
    let loaded = cache.try_get_with("a", |_| async { Ok::<_, &str>(2) }).await;
    assert_eq!(loaded.unwrap(), 2);
}

#[tokio::test]
async fn a_stale_value_is_served_while_another_caller_loads() {
    let (cache, clock) = build(|it| it.stale_while_revalidate("1m")).await;
    clock.advance(MINUTE);
    let go = Arc::new(Notify::new());
    let leader = tokio::spawn({
        let (cache, go) = (cache.clone(), Arc::clone(&go));
        let load = || async move {
            go.notified().await;
            2
        };
        async move { cache.get_with("a", load).await }
    });
    loads(&cache, 1).await;
    let stale = cache.entry_with("a", || async { 3 }).await;
    assert_eq!((*stale.value(), stale.is_stale()), (1, true));
    go.notify_one();
    assert_eq!(leader.await.unwrap(), 2);
    assert_eq!(cache.entry_with("a", || async { 3 }).await.into_value(), 2);
    assert_eq!((cache.stats().loads, cache.stats().stale), (1, 1));
}

#[tokio::test]
async fn nobody_waits_for_a_load_in_the_background_while_a_stale_value_may_be_served() {
    let (cache, clock) = build(|it| it.stale_while_revalidate("1m")).await;
    clock.advance(MINUTE);
    let go = Arc::new(Notify::new());
    let load = {
        let go = Arc::clone(&go);
        || async move {
            go.notified().await;
            2
        }
    };
    let stale = cache.entry_with("a", load).in_background().await;
    assert_eq!((*stale.value(), stale.is_stale()), (1, true));
    go.notify_one();
    while cache.get_near("a") != Some(2) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_value_past_the_window_is_waited_for() {
    let (cache, clock) = build(|it| it.stale_while_revalidate("1m")).await;
    clock.advance(2 * MINUTE);
    let entry = cache.entry_with("a", || async { 2 }).in_background().await;
    assert_eq!((*entry.value(), entry.source()), (2, Source::Joined));
}

#[tokio::test]
async fn a_value_near_its_end_is_loaded_ahead() {
    let (cache, clock) = build(|it| it.refresh_ahead(0.8)).await;
    clock.advance(47 * SECOND);
    assert_eq!(cache.get_with("a", || async { 2 }).in_background().await, 1);
    assert_eq!(cache.stats().loads, 0);
    clock.advance(SECOND);
    let entry = cache.entry_with("a", || async { 2 }).in_background().await;
    assert_eq!((*entry.value(), entry.is_stale()), (1, false), "served at once");
    while cache.get_near("a") != Some(2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(cache.stats().loads, 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_takes_too_long_is_dropped() {
    let (cache, _) = build(|it| it.hard_timeout("2s")).await;
    let start = tokio::time::Instant::now();
    let late = cache.try_get_with("b", |_| std::future::pending::<Result<u32, ()>>()).await;
    assert!(matches!(late, Err(LoadError::TimedOut(limit)) if limit == 2 * SECOND), "{late:?}");
    assert_eq!(start.elapsed().as_secs(), 2);
    assert_eq!(cache.get_with("b", || async { 1 }).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_cannot_fail_is_not_limited() {
    let (cache, _) = build(|it| it.hard_timeout("2s")).await;
    let load = || async {
        tokio::time::sleep(10 * SECOND).await;
        1
    };
    assert_eq!(cache.get_with("b", load).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_load_is_replaced_by_the_stale_value() {
    let (cache, clock) = build(|it| it.hard_timeout("2s").stale_if_error("1h")).await;
    clock.advance(MINUTE);
    let late = cache.try_get_with("a", |_| std::future::pending::<Result<u32, ()>>());
    assert!(late.entry().await.unwrap().is_stale());
}

#[tokio::test(start_paused = true)]
async fn a_soft_timeout_serves_the_stale_value_and_the_load_goes_on() {
    let (cache, clock) = build(|it| it.soft_timeout("100ms").stale_if_error("1h")).await;
    clock.advance(MINUTE);
    let load = || async {
        tokio::time::sleep(SECOND).await;
        2
    };
    let start = tokio::time::Instant::now();
    let entry = cache.entry_with("a", load).in_background().await;
    assert_eq!((*entry.value(), entry.is_stale()), (1, true));
    assert_eq!(start.elapsed().as_millis(), 100);
    while cache.get_near("a") != Some(2) {
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(cache.stats().loads, 1);
}

#[tokio::test]
async fn the_circuit_breaker_suspends_loads_and_tries_one_after_the_pause() {
    let (cache, clock) = build(|it| it.circuit_breaker(3, "10s")).await;
    for _ in 0..3 {
        let failed = cache.try_get_with("b", |_| async { Err("broken") }).await;
        assert_eq!(failed.unwrap_err().loader_error(), Some(&"broken"));
    }
    let refused = cache.try_get_with("c", |_| async { Ok::<_, &str>(1) }).await;
    assert!(matches!(refused, Err(LoadError::CircuitOpen)));
    assert_eq!(cache.get_near("a"), Some(1), "hits are served");
    clock.advance(10 * SECOND);
    let tried = cache.try_get_with("c", |_| async { Ok::<_, &str>(1) }).await;
    assert_eq!(tried.unwrap(), 1);
    assert!(cache.try_get_with("d", |_| async { Ok::<_, &str>(1) }).await.is_ok(), "closed");
}

#[tokio::test]
async fn an_open_circuit_serves_the_stale_value() {
    let (cache, clock) = build(|it| it.circuit_breaker(1, "1h").stale_if_error("1h")).await;
    let failed = cache.try_get_with("b", |_| async { Err::<u32, _>("broken") }).await;
    assert!(failed.is_err());
    clock.advance(MINUTE);
    assert!(failing(&cache).await.unwrap().is_stale());
    assert_eq!(cache.stats().loads, 1);
}

#[tokio::test]
async fn the_loader_sees_the_stale_value() {
    let (cache, clock) = build(|it| it.stale_if_error("1h")).await;
    clock.advance(MINUTE);
    let seen = Mutex::new(None);
    let load = |context: larder::LoadContext<u32>| {
        *seen.lock().unwrap() = context.stale().copied();
        async move { Ok::<_, Infallible>(context.stale().unwrap() + 1) }
    };
    assert_eq!(cache.try_get_with("a", load).await.unwrap(), 2);
    assert_eq!(*seen.lock().unwrap(), Some(1));
}

#[tokio::test]
async fn many_keys_are_served_stale_when_their_load_fails() {
    let clock = Clock::manual();
    let cache: Cache<u32, u32> = Cache::builder("numbers")
        .ttl("1m")
        .stale_if_error("1h")
        .clock(clock.clone())
        .build()
        .unwrap();
    cache.insert(&1, 10).await.unwrap();
    clock.advance(MINUTE);
    let broken = |_| async { Err::<Vec<_>, _>("broken") };
    assert_eq!(cache.get_many_with(&[1], broken).await.unwrap()[&1], 10);
    assert!(cache.get_many_with(&[1, 2], broken).await.is_err());
}
