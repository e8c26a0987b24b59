//! The results of a run over RESP.

mod open_loop;

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::generator::LoadStats;
use crate::keys::{KeySpace, VALUE_BYTES};
use crate::numbers::per;
use crate::plan::Plan;
use crate::resp::case::Case;
use crate::resp::usage::Usage;
use crate::rounds::Row as RowOf;
use crate::servers::ServerKind;

pub use open_loop::{OpenLoopCase, OpenLoopRow, OpenLoopSample};

/// The results of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Results {
    /// The machine and the versions of the programs.
    pub environment: Environment,
    /// The size of the run.
    pub plan: Plan,
    /// One row per case and server.
    pub rows: Vec<Row>,
    /// One row per fixed rate and server.
    #[serde(default)]
    pub open_loop: Vec<OpenLoopRow>,
    /// The memory per entry; `None` without Larder.
    pub entries: Option<EntryMemory>,
}

/// One server in one case.
pub type Row = RowOf<Case, ServerKind, Sample>;

/// One server in one case in one round.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Sample {
    /// The number of requests that were answered with the right value.
    pub requests: u64,
    /// Elapsed time in nanoseconds.
    pub elapsed_ns: u64,
    /// CPU time of the server, in nanoseconds.
    pub cpu_ns: u64,
    /// CPU time of the backend, in nanoseconds.
    pub backend_ns: Option<u64>,
    /// The number of writes among the requests.
    #[serde(default)]
    pub writes: u64,
    /// The number of reads that Larder answered from its near cache.
    #[serde(default)]
    pub hits: Option<u64>,
    /// The number of commands that the backend processed.
    #[serde(default)]
    pub commands: Option<u64>,
    /// The number of `GET` commands among them.
    #[serde(default)]
    pub gets: Option<u64>,
    /// CPU time of the generator, in nanoseconds.
    pub generator_ns: u64,
    /// The median latency of a batch in nanoseconds.
    pub p50_ns: u64,
    /// The 99th percentile of the latency in nanoseconds.
    pub p99_ns: u64,
    /// The 99.9th percentile of the latency in nanoseconds.
    pub p999_ns: u64,
}

impl Sample {
    pub(crate) fn new(stats: &LoadStats, usage: Usage) -> Self {
        let latency = |quantile| stats.latency.value_at_quantile(quantile);
        Self {
            requests: stats.requests,
            writes: stats.writes,
            hits: usage.hits,
            commands: usage.commands,
            gets: usage.gets,
            elapsed_ns: u64::try_from(stats.elapsed.as_nanos()).unwrap_or(u64::MAX),
            cpu_ns: usage.cpu_ns,
            backend_ns: usage.backend_ns,
            generator_ns: usage.generator_ns,
            p50_ns: latency(0.5),
            p99_ns: latency(0.99),
            p999_ns: latency(0.999),
        }
    }

    /// Returns the CPU microseconds of the server per request.
    pub fn cpu_micros(&self) -> f64 {
        per(self.cpu_ns, self.requests * 1000)
    }

    /// Returns the CPU microseconds of the backend per request.
    pub fn backend_micros(&self) -> f64 {
        per(self.backend_ns.unwrap_or_default(), self.requests * 1000)
    }

    /// Returns the CPU microseconds of server and backend per request.
    pub fn total_micros(&self) -> f64 {
        self.cpu_micros() + self.backend_micros()
    }

    /// Returns the fraction of the reads that were hits.
    pub fn hit_share(&self) -> Option<f64> {
        Some(per(self.hits?, self.requests - self.writes))
    }

    /// Returns the fraction of the reads that the backend did not run.
    pub fn unseen_share(&self) -> Option<f64> {
        Some(1.0 - per(self.gets?, self.requests - self.writes))
    }

    /// Returns the commands of the backend per request.
    pub fn commands_per_request(&self) -> f64 {
        per(self.commands.unwrap_or_default(), self.requests)
    }

    /// Returns the fraction of the requests that were writes.
    pub fn write_share(&self) -> f64 {
        per(self.writes, self.requests)
    }

    /// Returns the requests per second.
    pub fn rate(&self) -> f64 {
        per(self.requests, self.elapsed_ns) * 1e9
    }
}

/// The memory of cached entries.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct EntryMemory {
    /// The number of entries.
    pub items: u64,
    /// Resident bytes of the process without them.
    pub resident_bytes_before: u64,
    /// Resident bytes of the process with them.
    pub resident_bytes_after: u64,
}

impl EntryMemory {
    /// Returns the bytes per entry beyond its key and its value.
    pub fn overhead_bytes(&self) -> f64 {
        let grown = self.resident_bytes_after.saturating_sub(self.resident_bytes_before);
        per(grown, self.items) - per((KeySpace::COLD.key_bytes() + VALUE_BYTES) as u64, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_per_request() {
        let sample = Sample {
            requests: 1000,
            writes: 200,
            hits: Some(600),
            commands: Some(1500),
            gets: Some(80),
            elapsed_ns: 10_000_000,
            cpu_ns: 5_000_000,
            backend_ns: Some(1_000_000),
            generator_ns: 0,
            p50_ns: 0,
            p99_ns: 0,
            p999_ns: 0,
        };
        assert!((sample.cpu_micros() - 5.0).abs() < 1e-9);
        assert!((sample.total_micros() - 6.0).abs() < 1e-9);
        assert!((sample.rate() - 100_000.0).abs() < 1e-3);
        assert!((sample.commands_per_request() - 1.5).abs() < 1e-9);
        assert!((sample.hit_share().unwrap() - 0.75).abs() < 1e-9);
        assert!((sample.unseen_share().unwrap() - 0.9).abs() < 1e-9);
    }

    #[test]
    fn keys_and_values_are_not_overhead() {
        let (resident_bytes_before, resident_bytes_after) = (1 << 20, (1 << 20) + 200_000);
        let entries = EntryMemory { items: 1000, resident_bytes_before, resident_bytes_after };
        assert!((entries.overhead_bytes() - 80.0).abs() < 1e-9);
    }
}
