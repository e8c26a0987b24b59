//! Values expire when they should, by a clock that the test advances.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder::{Cache, CacheBuilder, Clock, Expiry, Near};
use std::{convert::Infallible, time::Duration};

const MINUTE: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_nanos(1);

fn build(
    set: impl FnOnce(CacheBuilder<str, u32>) -> CacheBuilder<str, u32>,
) -> (Cache<str, u32>, Clock) {
    let clock = Clock::manual();
    let cache = set(Cache::builder("numbers")).clock(clock.clone()).build().unwrap();
    (cache, clock)
}

/// Advances the clock to this time since 1970. A manual clock counts from there, too.
fn advance_to(clock: &Clock, unix: u64) {
    clock.advance(Duration::from_secs(unix).checked_sub(clock.unix()).unwrap());
}

fn just_before(span: Duration) -> Duration {
    span.checked_sub(TICK).unwrap()
}

#[tokio::test]
async fn a_value_expires_when_its_ttl_ends_and_not_before() {
    let (cache, clock) = build(|it| it.ttl("1m"));
    cache.get_with("a", || async { 1 }).await;
    clock.advance(just_before(MINUTE));
    assert_eq!(cache.get_near("a"), Some(1));
    clock.advance(TICK);
    assert_eq!(cache.get_near("a"), None);
    assert_eq!(cache.get_with("a", || async { 2 }).await, 2);
}

#[tokio::test]
async fn a_ttl_counts_from_the_end_of_the_load() {
    let (cache, clock) = build(|it| it.ttl("1m"));
    let slow = || async {
        clock.advance(10 * MINUTE);
        1
    };
    cache.get_with("a", slow).await;
    clock.advance(just_before(MINUTE));
    assert_eq!(cache.get_near("a"), Some(1));
    clock.advance(TICK);
    assert_eq!(cache.get_near("a"), None);
}

#[tokio::test]
async fn a_value_that_replaces_another_has_its_own_ttl() {
    let (cache, clock) = build(|it| it.ttl("1m").stale_if_error("1m"));
    cache.insert("a", 1).await.unwrap();
    clock.advance(just_before(MINUTE));
    cache.insert("a", 2).await.unwrap();
    clock.advance(just_before(MINUTE));
    assert_eq!(cache.get_near("a"), Some(2), "as old as it may be");
    clock.advance(TICK);
    // It is stale and cached. What replaces it is not dropped when it would have been.
    cache.get_with("a", || async { 3 }).ttl(10 * MINUTE).await;
    clock.advance(just_before(10 * MINUTE));
    assert_eq!(cache.get_near("a"), Some(3));
}

#[tokio::test]
async fn a_value_without_a_ttl_does_not_expire() {
    let (cache, clock) = build(|it| it);
    cache.insert("a", 1).await.unwrap();
    clock.advance(Duration::from_hours(24 * 365 * 100));
    assert_eq!(cache.get_near("a"), Some(1));
    assert_eq!(cache.entry_with("a", || async { 2 }).await.ttl(), None);
}

#[tokio::test]
async fn the_near_ttl_bounds_every_other() {
    let (cache, clock) = build(|it| it.near(Near::entries(10).ttl("1m")).ttl("1h"));
    cache.insert("a", 1).await.unwrap();
    cache.insert_with_ttl("b", 1, Expiry::NEVER).await.unwrap();
    clock.advance(MINUTE);
    assert_eq!((cache.get_near("a"), cache.get_near("b")), (None, None));
}

#[tokio::test]
async fn a_use_postpones_a_sliding_expiry_but_not_the_ttl() {
    let (cache, clock) = build(|it| it.time_to_idle("1m").ttl("5m"));
    cache.insert("a", 1).await.unwrap();
    cache.insert("b", 1).await.unwrap();
    for _ in 0..5 {
        assert_eq!(cache.get_near("a"), Some(1));
        clock.advance(just_before(MINUTE));
    }
    assert_eq!(cache.get_near("b"), None, "unused for a minute");
    assert_eq!(cache.get_near("a"), Some(1), "used within each minute");
    clock.advance(5 * TICK);
    assert_eq!(cache.get_near("a"), None, "five minutes old");
}

#[tokio::test]
async fn the_call_and_the_loader_choose_a_ttl() {
    let (cache, clock) = build(|it| it.ttl("1h").jitter(0.9));
    cache.get_with("call", || async { 1 }).ttl(MINUTE).await;
    let load = |context: larder::LoadContext<u32>| async move {
        context.ttl(2 * MINUTE);
        Ok::<_, Infallible>(1)
    };
    cache.try_get_with("loader", load).ttl(MINUTE).await.unwrap();
    cache.insert_with_ttl("insert", 1, 3 * MINUTE).await.unwrap();
    for (gone, names) in [(1, "call"), (2, "loader"), (3, "insert")] {
        clock.advance(just_before(MINUTE));
        assert_eq!(cache.get_near(names), Some(1), "{gone}");
        clock.advance(TICK);
        assert_eq!(cache.get_near(names), None, "{gone}");
    }
}

#[tokio::test]
async fn jitter_spreads_expiry_and_never_lengthens_it() {
    let (cache, _) = build(|it| it.ttl("100s").jitter(0.1));
    let mut ttls = Vec::new();
    for n in 0..100 {
        let name = n.to_string();
        cache.insert(name.as_str(), n).await.unwrap();
        ttls.push(cache.entry_with(name.as_str(), || async { 0 }).await.ttl().unwrap());
    }
    ttls.sort();
    let (shortest, longest) = (ttls[0], ttls[99]);
    assert!(shortest >= Duration::from_secs(90) && longest <= Duration::from_secs(100));
    assert!(longest > shortest + Duration::from_secs(5), "{shortest:?} to {longest:?}");
}

#[tokio::test]
async fn a_value_expires_at_midnight_on_both_days_when_clocks_change() {
    let (cache, clock) = build(|it| it.ttl("daily 00:00 Europe/Brussels"));
    // Midnight in Brussels when 29 March and 25 October 2026 begin.
    for (midnight, hours) in [(1_774_738_800, 23), (1_792_879_200, 25)] {
        advance_to(&clock, midnight);
        cache.insert("leaderboard", 1).await.unwrap();
        clock.advance(just_before(Duration::from_hours(hours)));
        assert_eq!(cache.get_near("leaderboard"), Some(1), "{hours} hours");
        clock.advance(TICK);
        assert_eq!(cache.get_near("leaderboard"), None, "{hours} hours");
    }
}

#[tokio::test]
async fn a_value_expires_when_a_cron_expression_says() {
    let (cache, clock) = build(|it| it.ttl("cron 0 0 * * 1 Europe/Brussels"));
    // Sunday 29 March 2026, 12:00 UTC: ten hours before Monday begins in summer time.
    advance_to(&clock, 1_774_785_600);
    cache.insert("report", 1).await.unwrap();
    clock.advance(just_before(Duration::from_hours(10)));
    assert_eq!(cache.get_near("report"), Some(1));
    clock.advance(TICK);
    assert_eq!(cache.get_near("report"), None);
}

#[tokio::test]
async fn a_sweep_frees_expired_values() {
    let (cache, clock) = build(|it| it.ttl("1m"));
    for n in 0..100 {
        cache.insert(n.to_string().as_str(), n).await.unwrap();
    }
    clock.advance(MINUTE);
    assert_eq!(cache.stats().entries, 100);
    cache.sweep(1_000);
    assert_eq!(cache.stats().entries, 0);
}
