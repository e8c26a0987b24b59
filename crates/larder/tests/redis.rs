//! Typed caches over a real Redis: what one process changes, the others see.
//!
//! Two stores with connections of their own stand for two processes.

#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder::{Cache, CacheBuilder, LoadError, RedisOptions, RedisStore, Source};
use larder_testkit::{ConnectionFilter, Direction, RedisServer, Relay, require_redis};
use serde::{Deserialize, Serialize};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    age: u32,
}

fn profile(name: &str) -> Profile {
    Profile { name: name.into(), age: 27 }
}

type Profiles = Cache<u32, Profile>;

async fn cache(
    url: &str,
    set: impl FnOnce(CacheBuilder<u32, Profile>) -> CacheBuilder<u32, Profile>,
) -> Profiles {
    set(Cache::builder("profiles").store(patient(url).await).ttl("1h")).build().unwrap()
}

/// Connects with a bound that a busy machine keeps, so that hits are hits.
async fn patient(url: &str) -> RedisStore {
    let mut options = RedisOptions::default();
    options.staleness_bound = Duration::from_secs(30);
    options.timeout = Duration::from_secs(30);
    let store = RedisStore::connect_with(url, options).await.unwrap();
    assert!(store.is_coherent());
    store
}

/// Returns a Redis, and two caches in front of it.
async fn two() -> Option<(RedisServer, Profiles, Profiles)> {
    if !require_redis() {
        return None;
    }
    let redis = RedisServer::start();
    let url = redis.url();
    let caches = (cache(&url, |it| it).await, cache(&url, |it| it).await);
    Some((redis, caches.0, caches.1))
}

async fn load(cache: &Profiles, id: u32, name: &'static str) -> Profile {
    cache.get_with(&id, || async { profile(name) }).await
}

/// Reads until the value is in memory.
async fn warm(cache: &Profiles, id: u32) -> Profile {
    loop {
        let value = cache.get(&id).await.unwrap();
        if cache.get_near(&id).is_some() {
            return value.unwrap();
        }
    }
}

/// Waits until nothing is served from memory under this key: an invalidation has arrived.
async fn invalidated(cache: &Profiles, id: u32) {
    while cache.get_near(&id).is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loaded_value_is_json_in_the_store_and_expires_there() {
    let Some((redis, a, b)) = two().await else { return };
    let entry = a.entry_with(&7, || async { profile("Noor") }).await;
    assert_eq!((entry.value(), entry.source()), (&profile("Noor"), Source::Loader));
    let json: String = ::redis::from_redis_value(redis.cmd(&["GET", "profiles:7"])).unwrap();
    assert_eq!(json, r#"{"name":"Noor","age":27}"#);
    let ttl: u64 = ::redis::from_redis_value(redis.cmd(&["PTTL", "profiles:7"])).unwrap();
    assert!((3_590_000..=3_600_000).contains(&ttl), "{ttl}");
    let entry = b.entry_with(&7, || async { profile("another") }).await;
    assert_eq!((entry.value(), entry.source()), (&profile("Noor"), Source::Store));
    assert!(entry.ttl().unwrap() <= Duration::from_hours(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hits_ask_the_store_nothing() {
    let Some((redis, a, _)) = two().await else { return };
    load(&a, 7, "Noor").await;
    warm(&a, 7).await;
    let before = redis.command_calls("get");
    for _ in 0..1_000 {
        let entry = a.entry_with(&7, || async { profile("another") }).await;
        assert_eq!((entry.value().name.as_str(), entry.source()), ("Noor", Source::Near));
    }
    assert_eq!(redis.command_calls("get"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_by_another_client_is_seen_when_the_store_reports_it() {
    let Some((redis, a, b)) = two().await else { return };
    load(&a, 7, "Noor").await;
    assert_eq!((warm(&a, 7).await, warm(&b, 7).await), (profile("Noor"), profile("Noor")));
    redis.cmd(&["SET", "profiles:7", r#"{"name":"Changed","age":1}"#]);
    for cache in [&a, &b] {
        invalidated(cache, 7).await;
        assert_eq!(load(cache, 7, "loaded").await.name, "Changed");
    }
    warm(&a, 7).await;
    redis.cmd(&["DEL", "profiles:7"]);
    invalidated(&a, 7).await;
    assert_eq!(load(&a, 7, "loaded").await.name, "loaded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_another_cache_of_the_same_store_has_read_anew_is_decoded_anew() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let store = patient(&redis.url()).await;
    let build = || Cache::builder("profiles").store(store.clone()).ttl("1h").build().unwrap();
    let (a, b): (Profiles, Profiles) = (build(), build());
    load(&a, 7, "Noor").await;
    warm(&a, 7).await;
    redis.cmd(&["SET", "profiles:7", r#"{"name":"Changed","age":1}"#]);
    invalidated(&a, 7).await;
    // The reply is in the memory that both share; what `a` has decoded is older.
    assert_eq!(warm(&b, 7).await.name, "Changed");
    assert_eq!(load(&a, 7, "loaded").await.name, "Changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_sees_what_the_other_inserts_invalidates_and_clears() {
    let Some((_redis, a, b)) = two().await else { return };
    load(&a, 7, "first").await;
    warm(&b, 7).await;
    a.insert(&7, profile("second")).await.unwrap();
    assert_eq!(load(&a, 7, "loaded").await.name, "second", "its own write at once");
    invalidated(&b, 7).await;
    assert_eq!(warm(&b, 7).await.name, "second");
    a.invalidate(&7).await.unwrap();
    invalidated(&b, 7).await;
    assert_eq!(b.get(&7).await.unwrap(), None);
    for id in 0..10 {
        load(&b, id, "before").await;
        warm(&b, id).await;
    }
    a.clear().await.unwrap();
    assert_eq!(load(&a, 0, "after").await.name, "after", "its own clear at once");
    for id in 0..10 {
        invalidated(&b, id).await;
    }
    assert_eq!(load(&b, 0, "late").await.name, "after", "shared after a clear, too");
    assert_eq!(load(&b, 1, "late").await.name, "late");
    b.clear().await.unwrap();
    assert_eq!(load(&b, 0, "last").await.name, "last");
    warm(&b, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generation_that_the_store_has_lost_is_put_back() {
    let Some((redis, a, b)) = two().await else { return };
    load(&a, 7, "cleared").await;
    a.clear().await.unwrap();
    load(&a, 7, "new").await;
    warm(&b, 7).await;
    redis.cmd(&["DEL", "larder:generation:profiles"]);
    invalidated(&b, 7).await;
    assert_eq!(warm(&b, 7).await.name, "new");
    let generation = redis.cmd(&["GET", "larder:generation:profiles"]);
    assert_eq!(::redis::from_redis_value::<String>(generation).unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_in_a_process_load_once() {
    let Some((_redis, a, _)) = two().await else { return };
    let loads = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (cache, loads) = (a.clone(), Arc::clone(&loads));
            tokio::spawn(async move {
                let load = || async move {
                    loads.fetch_add(1, SeqCst);
                    profile("Noor")
                };
                cache.get_with(&7, load).await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), profile("Noor"));
    }
    assert_eq!(loads.load(SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_keeps_its_type_and_a_panic_poisons_nothing() {
    let Some((_redis, a, _)) = two().await else { return };
    let failed = a.try_get_with(&7, |_| async { Err(404_u16) }).await.unwrap_err();
    assert_eq!(failed.loader_error(), Some(&404));
    let panics = tokio::spawn({
        let cache = a.clone();
        async move { cache.get_with(&7, || async { panic!("out of luck") }).await }
    });
    assert!(panics.await.unwrap_err().is_panic());
    assert_eq!(load(&a, 7, "Noor").await, profile("Noor"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiters_get_the_leaders_error() {
    let Some((_redis, a, _)) = two().await else { return };
    let go = Arc::new(tokio::sync::Notify::new());
    let call = || {
        let (cache, go) = (a.clone(), Arc::clone(&go));
        tokio::spawn(async move {
            let load = |_| async move {
                go.notified().await;
                Err::<Profile, _>("broken")
            };
            cache.try_get_with(&7, load).await
        })
    };
    let calls = [call(), call(), call()];
    while a.stats().loads == 0 {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    // A call that came too late to join leads a load of its own.
    let mut loads = 1;
    for call in calls {
        while !call.is_finished() {
            if a.stats().loads > loads {
                loads += 1;
                go.notify_one();
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(call.await.unwrap().unwrap_err().loader_error(), Some(&"broken"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_does_not_decode_is_replaced() {
    let Some((redis, a, _)) = two().await else { return };
    redis.cmd(&["SET", "profiles:7", "not JSON"]);
    assert_eq!(a.get(&7).await.unwrap(), None);
    assert_eq!(load(&a, 7, "Noor").await, profile("Noor"));
    assert_eq!(warm(&a, 7).await, profile("Noor"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_call_and_the_loader_choose_the_ttl_in_the_store() {
    let Some((redis, a, _)) = two().await else { return };
    let pttl = |key: &str| -> u64 { ::redis::from_redis_value(redis.cmd(&["PTTL", key])).unwrap() };
    a.get_with(&1, || async { profile("call") }).ttl(Duration::from_mins(1)).await;
    assert!((50_000..=60_000).contains(&pttl("profiles:1")));
    let load = |context: larder::LoadContext<Profile>| async move {
        context.ttl(Duration::from_mins(2));
        Ok::<_, Infallible>(profile("loader"))
    };
    a.try_get_with(&2, load).ttl(Duration::from_mins(1)).await.unwrap();
    assert!((110_000..=120_000).contains(&pttl("profiles:2")));
    a.insert_with_ttl(&3, profile("insert"), Duration::from_mins(3)).await.unwrap();
    assert!((170_000..=180_000).contains(&pttl("profiles:3")));
    a.get_with(&3, || async { profile("refreshed") }).refresh().await;
    assert!(pttl("profiles:3") > 3_500_000);
    assert_eq!(warm(&a, 3).await.name, "refreshed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_value_is_served_stale_when_the_load_fails_and_a_deleted_one_is_not() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let cache = cache(&redis.url(), |it| it.stale_if_error("1h")).await;
    let short = Duration::from_secs(2);
    cache.get_with(&7, || async { profile("Noor") }).ttl(short).await;
    // Nothing to wait for but the end of the TTL, in the store and here.
    loop {
        let call = cache.try_get_with(&7, |_| async { Err::<Profile, _>("broken") });
        let entry = call.entry().await.unwrap();
        assert_eq!(*entry.value(), profile("Noor"));
        if entry.is_stale() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    load(&cache, 8, "Noor").await;
    warm(&cache, 8).await;
    redis.cmd(&["DEL", "profiles:8"]);
    invalidated(&cache, 8).await;
    let failed = cache.try_get_with(&8, |_| async { Err::<Profile, _>("broken") }).await;
    assert!(matches!(failed, Err(LoadError::Failed(_))), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_served_from_memory_while_the_store_is_silent() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let relay = Relay::to(redis.addr());
    let store = RedisStore::connect(&relay.url()).await.unwrap();
    let cache: Profiles = Cache::builder("profiles").store(store).ttl("1h").build().unwrap();
    load(&cache, 7, "Noor").await;
    warm(&cache, 7).await;
    relay.blackhole(ConnectionFilter::All, Direction::ToClient);
    invalidated(&cache, 7).await;
    redis.cmd(&["SET", "profiles:7", r#"{"name":"Changed","age":1}"#]);
    relay.heal();
    relay.cut(ConnectionFilter::All);
    // The store is reached again by and by.
    loop {
        if let Ok(Some(value)) = cache.get(&7).await {
            assert_eq!(value.name, "Changed");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_go_on_without_the_store_and_removes_report_that_they_failed() {
    let Some((redis, a, _)) = two().await else { return };
    redis.kill();
    assert_eq!(load(&a, 7, "Noor").await, profile("Noor"));
    assert!(a.invalidate(&7).await.is_err());
    assert!(a.insert(&7, profile("Noor")).await.is_err());
    assert!(a.get(&7).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_keys_are_read_from_the_store_and_loaded_in_one_call() {
    let Some((_redis, a, b)) = two().await else { return };
    load(&a, 1, "one").await;
    let mut calls = Vec::new();
    let load = |missing: Vec<u32>| {
        let mut asked = missing.clone();
        asked.sort_unstable();
        calls.push(asked);
        let loaded: Vec<_> = missing.into_iter().map(|id| (id, profile("loaded"))).collect();
        async move { Ok::<_, Infallible>(loaded) }
    };
    let found = b.get_many_with(&[1, 2, 3], load).await.unwrap();
    assert_eq!(
        (found.len(), found[&1].name.as_str(), found[&2].name.as_str()),
        (3, "one", "loaded")
    );
    assert_eq!(calls, [[2, 3]]);
    assert_eq!(a.get(&3).await.unwrap().unwrap().name, "loaded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_cannot_do_is_a_mistake() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    let built = Cache::<u32, Profile>::builder("profiles")
        .store(store)
        .time_to_idle("1m")
        .stale_while_revalidate("1m")
        .build();
    let mistakes = built.unwrap_err().mistakes().to_vec();
    assert_eq!(
        mistakes,
        [
            "ttl: values in a store must expire; say when",
            "time_to_idle: not supported in front of a store yet",
            "stale_while_revalidate: not supported in front of a store yet",
        ]
    );
    assert!(RedisStore::connect("redis://127.0.0.1:1").await.is_err());
    assert!(RedisStore::connect("http://127.0.0.1").await.is_err());
}
