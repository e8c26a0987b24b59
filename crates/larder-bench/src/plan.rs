//! How much is measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::keys::ValueSize;

/// What a quick run does without.
pub const LEFT_OUT: &str = "64 requests per write, fixed rates of 25 and 75 %";

/// The size of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plan {
    /// Whether it is a rough one.
    #[serde(default)]
    pub quick: bool,
    /// Rounds that count. One more comes first and is dropped: it is slower.
    pub rounds: usize,
    /// How long each server is asked in each round, in milliseconds.
    pub round_millis: u64,
    /// Keys that are read over and over.
    pub hot_keys: u64,
    /// Keys that are read once: by the rounds of misses, and for the bytes per entry.
    pub cold_keys: u64,
    /// Requests per write.
    pub pipelines: Vec<usize>,
    /// Connections.
    pub connections: usize,
    /// Connections where many are open.
    pub many_connections: usize,
    /// Fixed rates, in percent of what the slowest server does when it is asked for all it can.
    #[serde(default)]
    pub open_percents: Vec<u64>,
    /// Reads of larger values.
    #[serde(default)]
    pub large: Vec<Large>,
}

/// Reads of values of another size: fewer keys, so that they have room everywhere.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Large {
    /// How large they are.
    pub size: ValueSize,
    /// Keys that are read over and over.
    pub keys: u64,
    /// Connections.
    pub connections: usize,
}

impl Plan {
    /// About eleven minutes over RESP, less than five over HTTP.
    pub fn full() -> Self {
        Self {
            quick: false,
            rounds: 7,
            round_millis: 1000,
            hot_keys: 10_000,
            cold_keys: 1_000_000,
            pipelines: vec![1, 16, 64],
            connections: 50,
            many_connections: 1000,
            open_percents: vec![25, 50, 75],
            large: vec![
                Large { size: ValueSize::Kib16, keys: 1000, connections: 50 },
                Large { size: ValueSize::Mib1, keys: 32, connections: 8 },
            ],
        }
    }

    /// Keys that are read over and over, of those with values of this size.
    pub(crate) fn keys(&self, size: ValueSize) -> u64 {
        let large = self.large.iter().find(|large| large.size == size);
        large.map_or(self.hot_keys, |large| large.keys)
    }

    /// How long each server is asked in each round.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_millis(self.round_millis)
    }

    /// Less than one minute: rougher figures, and not all of them ([`LEFT_OUT`]).
    pub fn quick() -> Self {
        Self {
            quick: true,
            rounds: 3,
            round_millis: 150,
            cold_keys: 250_000,
            pipelines: vec![1, 16],
            open_percents: vec![50],
            ..Self::full()
        }
    }
}
