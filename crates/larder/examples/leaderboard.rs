//! A leaderboard that changes once a day: the first player of the day queries the database, all
//! others are served from memory until midnight in Brussels.
//!
//! `cargo run -p larder --example leaderboard`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use larder::{BuildError, Cache, Clock};
use std::sync::Arc;

/// The best players, and their scores.
pub(crate) type Leaderboard = Arc<[(&'static str, u32)]>;

/// Returns a cache of one value, which expires at midnight. On the days when clocks change, the day
/// before has 23 or 25 hours.
pub(crate) fn leaderboard_cache(clock: Clock) -> Result<Cache<(), Leaderboard>, BuildError> {
    Cache::builder("leaderboard")
        .ttl("daily 00:00 Europe/Brussels")
        .stale_while_revalidate("1m")
        .clock(clock)
        .build()
}

/// What each player of the game does when it starts.
pub(crate) async fn leaderboard(cache: &Cache<(), Leaderboard>) -> Leaderboard {
    cache.get_with(&(), query_database).await
}

async fn query_database() -> Leaderboard {
    // SELECT name, score FROM leaderboard ORDER BY score DESC LIMIT 50
    [("Noor", 9_310), ("Maxim", 8_740), ("Louis", 8_115)].into()
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), BuildError> {
    let cache = leaderboard_cache(Clock::System)?;
    for player in 0..1_000 {
        let board = leaderboard(&cache).await;
        if player == 0 {
            println!("{board:?}");
        }
    }
    let stats = cache.stats();
    println!("1000 players, {} query of the database, {} hits", stats.loads, stats.hits);
    let entry = cache.entry_with(&(), query_database).await;
    println!("the next query is due in {:?}", entry.ttl().unwrap_or_default());
    Ok(())
}
