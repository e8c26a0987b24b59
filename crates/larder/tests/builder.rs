//! Every mistake in the settings of a cache is reported, and all at once.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder::{Cache, Near};

#[test]
fn all_mistakes_are_reported_at_once() {
    let builder = Cache::<u32, u32>::builder("profiles")
        .near(Near::bytes("64 elephants").ttl("0"))
        .ttl("daily 25:00 Europe/Brussels")
        .time_to_idle("soon")
        .negative_ttl("daily 00:00 UTC")
        .jitter(1.5)
        .refresh_ahead(-0.1)
        .hard_timeout("0s")
        .circuit_breaker(0, "10 seconds");
    let error = builder.build().unwrap_err();
    let expected = [
        "ttl: `25:00` is no time of day",
        "near ttl: must be longer than zero",
        "time_to_idle: `soon` is no expiry",
        "negative_ttl: `daily 00:00 UTC` is no duration",
        "jitter: `1.5` is not from 0 to below 1",
        "refresh_ahead: `-0.1` is not from 0 to below 1",
        "hard_timeout: must be longer than zero",
        "circuit_breaker: at least one failure",
        "circuit_breaker: `10 seconds` is no expiry",
        "near: `64 elephants` is no size such as 64mb",
    ];
    assert_eq!(error.mistakes().len(), expected.len(), "{error}");
    for (mistake, start) in error.mistakes().iter().zip(expected) {
        assert!(mistake.starts_with(start), "{mistake}");
    }
    let text = error.to_string();
    assert!(text.starts_with("the cache `profiles` cannot be built\n- ttl: "), "{text}");
}

#[test]
fn a_cache_without_settings_is_built() {
    let cache = Cache::<u32, u32>::builder("profiles").build().unwrap();
    assert_eq!(format!("{cache:?}"), "Cache { name: \"profiles\", .. }");
}

#[test]
fn a_near_cache_without_entries_is_a_mistake() {
    let built = Cache::<u32, u32>::builder("profiles").near(Near::entries(0)).build();
    assert_eq!(built.unwrap_err().mistakes(), ["near: at least one entry"]);
}
