//! The size of a run against servers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::keys::ValueSize;

/// What a quick run leaves out.
pub const LEFT_OUT: &str = "64 requests per write, fixed rates of 25 and 75 %";

/// The size of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plan {
    /// Whether the run is shorter and its figures rougher.
    #[serde(default)]
    pub quick: bool,
    /// The number of rounds. One more comes first as a warm-up and is dropped.
    pub rounds: usize,
    /// How long each server is loaded in each round, in milliseconds.
    pub round_millis: u64,
    /// The number of hot keys, which are read repeatedly.
    pub hot_keys: u64,
    /// The number of cold keys, which are read once: by the rounds of misses, and to measure the
    /// bytes per entry.
    pub cold_keys: u64,
    /// The numbers of requests per write.
    pub pipelines: Vec<usize>,
    /// The number of connections.
    pub connections: usize,
    /// The number of connections in the case with many.
    pub many_connections: usize,
    /// Fixed rates, in percent of the rate of the slowest server in a closed loop.
    #[serde(default)]
    pub open_loop_percents: Vec<u64>,
    /// The loads with larger values.
    #[serde(default)]
    pub large: Vec<LargeValues>,
}

/// A load with larger values, and fewer keys, so that every server has room for them.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct LargeValues {
    /// The size of the values.
    pub size: ValueSize,
    /// The number of keys.
    pub keys: u64,
    /// The number of connections.
    pub connections: usize,
}

impl Plan {
    /// Returns the plan of a full run: eleven minutes over RESP, less than five over HTTP.
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
            open_loop_percents: vec![25, 50, 75],
            large: vec![
                LargeValues { size: ValueSize::Kib16, keys: 1000, connections: 50 },
                LargeValues { size: ValueSize::Mib1, keys: 32, connections: 8 },
            ],
        }
    }

    /// Returns the number of hot keys with values of this size.
    pub(crate) fn keys(&self, size: ValueSize) -> u64 {
        let large = self.large.iter().find(|large| large.size == size);
        large.map_or(self.hot_keys, |large| large.keys)
    }

    /// Returns how long each server is loaded in each round.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_millis(self.round_millis)
    }

    /// Returns the plan of a quick run: less than a minute, rougher figures, and without
    /// [`LEFT_OUT`].
    pub fn quick() -> Self {
        Self {
            quick: true,
            rounds: 3,
            round_millis: 150,
            cold_keys: 250_000,
            pipelines: vec![1, 16],
            open_loop_percents: vec![50],
            ..Self::full()
        }
    }
}
