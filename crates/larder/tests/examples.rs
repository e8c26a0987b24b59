//! Each example does what it says.

#![cfg(feature = "macros")]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]
#![allow(dead_code, reason = "the examples are programs of their own")]

use larder::Clock;
use std::time::Duration;

#[path = "../examples/leaderboard.rs"]
mod leaderboard;
#[path = "../examples/sentiment.rs"]
mod sentiment;
#[path = "../examples/slow_function.rs"]
mod slow_function;

#[test]
fn a_slow_function_runs_once_for_each_argument() {
    slow_function::main();
    let stats = slow_function::expensive_function_cache().stats();
    assert_eq!((stats.loads, stats.hits), (3, 2));
    assert_eq!(slow_function::expensive_function("Maxim")["username_extended"], "Maxim_123");
}

#[tokio::test]
async fn the_leaderboard_is_queried_once_a_day() {
    let clock = Clock::manual();
    // 28 March 2026, 23:00 in Brussels. The 29th has 23 hours.
    let unix = Duration::from_hours(492_982);
    clock.advance(unix.checked_sub(clock.unix()).unwrap());
    let cache = leaderboard::leaderboard_cache(clock.clone()).unwrap();
    for (hours, queries) in [(0, 1), (1, 2), (22, 2), (1, 3)] {
        clock.advance(Duration::from_hours(hours));
        for _ in 0..10 {
            assert_eq!(leaderboard::leaderboard(&cache).await.len(), 3);
        }
        assert_eq!(cache.stats().loads, queries, "after {hours} more hours");
    }
}

#[test]
fn the_leaderboard_runs() {
    leaderboard::main().unwrap();
}

#[tokio::test]
async fn a_sentence_is_predicted_once_and_an_error_is_not_cached() {
    let cache = sentiment::sentiment_cache();
    assert_eq!(sentiment::sentiment("I love tests").await, Ok(1.0));
    let loads = cache.stats().loads;
    assert_eq!(sentiment::sentiment("I love tests").await, Ok(1.0));
    assert_eq!(cache.stats().loads, loads);
    assert_eq!(sentiment::sentiment("").await, Err(sentiment::ModelError));
    assert_eq!(sentiment::sentiment("").await, Err(sentiment::ModelError));
    assert_eq!(cache.stats().loads, loads + 2);
}
