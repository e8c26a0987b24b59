//! What a cache without a store does.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder::{Cache, Clock, Near, Source};
use std::{collections::HashMap, convert::Infallible, time::Duration};

fn cache() -> Cache<str, u32> {
    Cache::builder("numbers").build().unwrap()
}

#[tokio::test]
async fn a_value_is_loaded_once_and_then_cached() {
    let cache = cache();
    assert_eq!(cache.get("a").await.unwrap(), None);
    assert_eq!(cache.get_with("a", || async { 1 }).await, 1);
    assert_eq!(cache.get_with("a", || async { 2 }).await, 1);
    assert_eq!(cache.get("a").await.unwrap(), Some(1));
    assert_eq!(cache.get_with("b", || async { 2 }).await, 2);
    assert_eq!(cache.stats().loads, 2);
}

#[tokio::test]
async fn an_inserted_value_replaces_the_cached_one() {
    let cache = cache();
    cache.get_with("a", || async { 1 }).await;
    cache.insert("a", 2).await.unwrap();
    assert_eq!(cache.get_near("a"), Some(2));
}

#[tokio::test]
async fn an_invalidated_value_is_loaded_again() {
    let cache = cache();
    cache.insert("a", 1).await.unwrap();
    cache.insert("b", 1).await.unwrap();
    cache.invalidate("a").await.unwrap();
    assert_eq!(cache.get_with("a", || async { 2 }).await, 2);
    assert_eq!(cache.get_near("b"), Some(1));
}

#[tokio::test]
async fn clear_removes_every_value() {
    let cache = cache();
    for n in 0..100 {
        cache.insert(n.to_string().as_str(), n).await.unwrap();
    }
    cache.clear().await.unwrap();
    for n in 0..100 {
        assert_eq!(cache.get_near(n.to_string().as_str()), None);
    }
    assert_eq!(cache.get_with("1", || async { 7 }).await, 7);
    assert_eq!(cache.get_near("1"), Some(7));
}

#[tokio::test]
async fn an_error_is_returned_and_not_cached() {
    let cache = cache();
    let error = cache.try_get_with("a", |_| async { Err("broken") }).await.unwrap_err();
    assert_eq!(error.loader_error(), Some(&"broken"));
    assert_eq!(error.to_string(), "broken");
    let value = cache.try_get_with("a", |_| async { Ok::<_, Infallible>(1) }).await;
    assert_eq!(value.unwrap(), 1);
    assert_eq!((cache.stats().loads, cache.stats().load_failures), (2, 1));
}

#[tokio::test]
async fn an_absent_value_is_remembered_for_the_negative_ttl() {
    let clock = Clock::manual();
    let cache: Cache<str, u32> =
        Cache::builder("numbers").negative_ttl("30s").clock(clock.clone()).build().unwrap();
    assert_eq!(cache.optionally_get_with("a", || async { None }).await, None);
    assert_eq!(cache.optionally_get_with("a", || async { Some(1) }).await, None);
    assert_eq!(cache.get_near("a"), None);
    let tried = cache.try_optionally_get_with("a", |_| async { Ok::<_, ()>(Some(1)) }).await;
    assert_eq!(tried.unwrap(), None);
    clock.advance(Duration::from_millis(29_999));
    assert_eq!(cache.optionally_get_with("a", || async { Some(1) }).await, None);
    clock.advance(Duration::from_millis(1));
    assert_eq!(cache.optionally_get_with("a", || async { Some(2) }).await, Some(2));
    assert_eq!(cache.get_near("a"), Some(2));
}

#[tokio::test]
async fn a_loader_that_always_has_a_value_replaces_an_absent_one() {
    let cache: Cache<str, u32> = Cache::builder("numbers").negative_ttl("30s").build().unwrap();
    assert_eq!(cache.optionally_get_with("a", || async { None }).await, None);
    assert_eq!(cache.get_with("a", || async { 1 }).await, 1);
    assert_eq!(cache.optionally_get_with("a", || async { None }).await, Some(1));
}

#[tokio::test]
async fn an_absent_value_is_not_remembered_without_a_negative_ttl() {
    let cache = cache();
    assert_eq!(cache.optionally_get_with("a", || async { None }).await, None);
    assert_eq!(cache.optionally_get_with("a", || async { Some(1) }).await, Some(1));
}

#[tokio::test]
async fn an_absent_answer_removes_the_expired_value() {
    let clock = Clock::manual();
    let cache: Cache<str, u32> = Cache::builder("numbers")
        .ttl("1m")
        .stale_if_error("1h")
        .clock(clock.clone())
        .build()
        .unwrap();
    cache.insert("a", 1).await.unwrap();
    clock.advance(Duration::from_mins(2));
    assert_eq!(cache.optionally_get_with("a", || async { None }).await, None);
    let failed = cache.try_get_with("a", |_| async { Err(()) }).await;
    assert!(failed.is_err(), "the value is gone, so it is not served stale");
}

#[tokio::test]
async fn an_entry_tells_its_source_and_age() {
    let clock = Clock::manual();
    let cache: Cache<str, u32> =
        Cache::builder("numbers").ttl("1m").clock(clock.clone()).build().unwrap();
    let loaded = cache.entry_with("a", || async { 1 }).await;
    assert_eq!((loaded.source(), loaded.age()), (Source::Loader, Duration::ZERO));
    clock.advance(Duration::from_secs(20));
    let hit = cache.try_get_with("a", |_| async { Err(()) }).entry().await.unwrap();
    assert_eq!((*hit.value(), hit.source()), (1, Source::Near));
    assert_eq!(hit.age(), Duration::from_secs(20));
    assert_eq!(hit.ttl(), Some(Duration::from_secs(40)));
    assert!(!hit.is_stale());
}

#[tokio::test]
async fn a_refresh_replaces_a_fresh_value() {
    let cache = cache();
    cache.insert("a", 1).await.unwrap();
    assert_eq!(cache.get_with("a", || async { 2 }).refresh().await, 2);
    assert_eq!(cache.get_near("a"), Some(2));
    let failed = cache.try_get_with("a", |_| async { Err(()) }).refresh().await;
    assert!(failed.is_err());
    assert_eq!(cache.get_near("a"), Some(2), "a failed refresh leaves the value");
}

#[tokio::test]
async fn entries_are_bounded() {
    let cache: Cache<u32, u32> =
        Cache::builder("numbers").near(Near::entries(100)).build().unwrap();
    for n in 0..1_000 {
        cache.insert(&n, n).await.unwrap();
    }
    assert!(cache.stats().entries <= 100);
    assert!(cache.stats().evicted >= 900);
}

#[tokio::test]
async fn bytes_are_bounded_by_the_weigher() {
    let cache: Cache<u32, String> =
        Cache::builder("texts").near(Near::bytes("1mb")).weigher(String::capacity).build().unwrap();
    for n in 0..1_000 {
        cache.insert(&n, "x".repeat(10_000)).await.unwrap();
    }
    assert!(cache.stats().bytes <= 1 << 20);
    assert!((50..=105).contains(&cache.stats().entries), "{:?}", cache.stats());
}

#[tokio::test]
async fn keys_of_several_parts_do_not_collide() {
    let cache: Cache<(String, String), u32> = Cache::builder("pairs").build().unwrap();
    let key = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    cache.insert(&key("a:b", "c"), 1).await.unwrap();
    assert_eq!(cache.get_near(&key("a", "b:c")), None);
    assert_eq!(cache.get_near(&key("a:b", "c")), Some(1));
}

#[tokio::test]
async fn many_keys_are_loaded_in_one_call() {
    let cache: Cache<u32, u32> = Cache::builder("numbers").negative_ttl("1m").build().unwrap();
    cache.insert(&1, 10).await.unwrap();
    let mut calls = Vec::new();
    let found = cache
        .get_many_with(&[1, 2, 3, 2], |missing| {
            calls.push(missing.clone());
            // 3 has no value.
            async move {
                let found = missing.into_iter().filter(|key| *key != 3);
                Ok::<_, ()>(found.map(|key| (key, key * 10)).collect::<Vec<_>>())
            }
        })
        .await
        .unwrap();
    assert_eq!(found, HashMap::from([(1, 10), (2, 20)]));
    assert_eq!(calls, [[2, 3]]);
    let none = cache.get_many_with(&[1, 2, 3], |_| async { Err::<Vec<_>, _>("no load") }).await;
    assert_eq!(none.unwrap(), HashMap::from([(1, 10), (2, 20)]));
}

#[tokio::test]
async fn a_failed_load_of_many_keys_is_an_error() {
    let cache: Cache<u32, u32> = Cache::builder("numbers").build().unwrap();
    let failed =
        cache.get_many_with(&[1, 2], |_| async { Err::<Vec<_>, _>("broken") }).await.unwrap_err();
    assert_eq!(failed.loader_error(), Some(&"broken"));
    assert_eq!(cache.get_with(&1, || async { 1 }).await, 1);
}
