//! One load per key, whatever becomes of the caller that leads it.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder::{Cache, LoadError};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};
use tokio::sync::{Notify, oneshot};

fn cache() -> Cache<str, u32> {
    Cache::builder("numbers").build().unwrap()
}

/// Waits until so many callers have joined a load.
async fn joined(cache: &Cache<str, u32>, count: u64) {
    while cache.stats().joined < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_on_one_cold_key_load_once() {
    let cache = cache();
    let (loads, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (cache, loads, go) = (cache.clone(), Arc::clone(&loads), Arc::clone(&go));
            tokio::spawn(async move {
                let load = || async move {
                    loads.fetch_add(1, SeqCst);
                    go.notified().await;
                    7
                };
                cache.get_with("key", load).await
            })
        })
        .collect();
    joined(&cache, 999).await;
    go.notify_one();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 7);
    }
    assert_eq!(loads.load(SeqCst), 1);
}

#[tokio::test]
async fn a_dropped_leader_hands_over() {
    let cache = cache();
    let leader = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_with("key", std::future::pending).await }
    });
    while cache.stats().loads == 0 {
        tokio::task::yield_now().await;
    }
    let next = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_with("key", || async { 2 }).await }
    });
    joined(&cache, 1).await;
    leader.abort();
    assert_eq!(next.await.unwrap(), 2);
    assert_eq!(cache.get_near("key"), Some(2));
}

#[tokio::test]
async fn a_panic_is_the_leaders_own_and_an_error_for_the_others() {
    let cache = cache();
    let (go, gone) = oneshot::channel::<()>();
    let leader = tokio::spawn({
        let cache = cache.clone();
        async move {
            let load = |_| async move {
                gone.await.ok();
                panic!("out of luck");
            };
            cache.try_get_with::<_, _, _, ()>("key", load).await
        }
    });
    while cache.stats().loads == 0 {
        tokio::task::yield_now().await;
    }
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.try_get_with("key", |_| async { Err(()) }).await }
    });
    joined(&cache, 1).await;
    go.send(()).unwrap();
    assert!(leader.await.unwrap_err().is_panic());
    match waiter.await.unwrap() {
        Err(LoadError::Panicked(message)) => assert_eq!(&*message, "out of luck"),
        other => panic!("{other:?}"),
    }
    assert_eq!(cache.get_with("key", || async { 1 }).await, 1, "nothing is poisoned");
}

#[tokio::test]
async fn a_caller_that_cannot_fail_loads_after_anothers_panic() {
    let cache = cache();
    let go = Arc::new(Notify::new());
    let leader = tokio::spawn({
        let (cache, go) = (cache.clone(), Arc::clone(&go));
        let load = move || async move {
            go.notified().await;
            panic!("out of luck")
        };
        async move { cache.get_with("key", load).await }
    });
    while cache.stats().loads == 0 {
        tokio::task::yield_now().await;
    }
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_with("key", || async { 2 }).await }
    });
    joined(&cache, 1).await;
    go.notify_one();
    assert!(leader.await.is_err());
    assert_eq!(waiter.await.unwrap(), 2);
}

#[tokio::test]
async fn callers_share_the_loaders_error() {
    let cache = cache();
    let go = Arc::new(Notify::new());
    let call = |error: &'static str| {
        let (cache, go) = (cache.clone(), Arc::clone(&go));
        tokio::spawn(async move {
            let load = |_| async move {
                go.notified().await;
                Err::<u32, _>(error)
            };
            cache.try_get_with("key", load).await
        })
    };
    let first = call("first");
    while cache.stats().loads == 0 {
        tokio::task::yield_now().await;
    }
    let second = call("second");
    joined(&cache, 1).await;
    go.notify_one();
    for task in [first, second] {
        assert_eq!(task.await.unwrap().unwrap_err().loader_error(), Some(&"first"));
    }
}

#[tokio::test]
async fn a_caller_with_another_type_of_error_loads_for_itself() {
    let cache = cache();
    let go = Arc::new(Notify::new());
    let first = tokio::spawn({
        let (cache, go) = (cache.clone(), Arc::clone(&go));
        let load = |_| async move {
            go.notified().await;
            Err::<u32, _>("text")
        };
        async move { cache.try_get_with("key", load).await }
    });
    while cache.stats().loads == 0 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn({
        let cache = cache.clone();
        async move { cache.try_get_with("key", |_| async { Err::<u32, _>(404_u16) }).await }
    });
    joined(&cache, 1).await;
    go.notify_one();
    assert_eq!(first.await.unwrap().unwrap_err().loader_error(), Some(&"text"));
    assert_eq!(second.await.unwrap().unwrap_err().loader_error(), Some(&404));
}

/// What happens to a key while its load is under way.
#[derive(Clone, Copy)]
enum Change {
    Insert,
    Invalidate,
    Clear,
}

#[tokio::test]
async fn a_load_that_was_overtaken_is_not_cached() {
    for (change, cached) in
        [(Change::Insert, Some(2)), (Change::Invalidate, None), (Change::Clear, None)]
    {
        let cache = cache();
        let load = || async {
            match change {
                Change::Insert => cache.insert("key", 2).await.unwrap(),
                Change::Invalidate => cache.invalidate("key").await.unwrap(),
                Change::Clear => cache.clear().await.unwrap(),
            }
            1
        };
        assert_eq!(cache.get_with("key", load).await, 1, "the caller gets what it loaded");
        assert_eq!(cache.get_near("key"), cached);
    }
}

#[tokio::test]
async fn a_load_in_the_background_outlives_its_caller() {
    let cache = cache();
    let go = Arc::new(Notify::new());
    let caller = tokio::spawn({
        let (cache, go) = (cache.clone(), Arc::clone(&go));
        let load = || async move {
            go.notified().await;
            7
        };
        async move { cache.get_with("key", load).in_background().await }
    });
    while cache.stats().loads == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go.notify_one();
    while cache.get_near("key").is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!((cache.get_near("key"), cache.stats().loads), (Some(7), 1));
}
