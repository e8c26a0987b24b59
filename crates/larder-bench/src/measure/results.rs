//! The figures of a run, as they were measured.

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::generator::Seen;
use crate::keys::{Family, VALUE_BYTES};
use crate::measure::gauges::Used;
use crate::measure::{Case, OpenRow};
use crate::numbers::per;
use crate::plan::Plan;
use crate::rounds::Row as RowOf;
use crate::servers::Kind;

/// Everything that a run has found.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Results {
    /// The machine and the programs.
    pub facts: Facts,
    /// The size of the run.
    pub plan: Plan,
    /// One per case and server.
    pub rows: Vec<Row>,
    /// The same at fixed rates.
    #[serde(default)]
    pub open: Vec<OpenRow>,
    /// What entries take; `None` without Larder.
    pub entries: Option<Entries>,
}

/// One server in one case.
pub type Row = RowOf<Case, Kind, Sample>;

/// One server in one case in one round.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Sample {
    /// Requests that were answered, each with the right value.
    pub requests: u64,
    /// How long that took, in nanoseconds.
    pub elapsed_ns: u64,
    /// CPU time of the server, in nanoseconds.
    pub cpu_ns: u64,
    /// CPU time of the Redis behind it, in nanoseconds.
    pub behind_ns: Option<u64>,
    /// How many of them were writes.
    #[serde(default)]
    pub writes: u64,
    /// Reads that Larder answered from memory.
    #[serde(default)]
    pub hits: Option<u64>,
    /// Commands that the Redis behind it has processed.
    #[serde(default)]
    pub commands: Option<u64>,
    /// CPU time of the generator, in nanoseconds.
    pub generator_ns: u64,
    /// Median of the batches' latencies, in nanoseconds.
    pub p50_ns: u64,
    /// All but a hundredth were quicker.
    pub p99_ns: u64,
    /// All but a thousandth were quicker.
    pub p999_ns: u64,
}

impl Sample {
    pub(crate) fn new(seen: &Seen, used: Used) -> Self {
        let latency = |part| seen.latency.value_at_quantile(part);
        Self {
            requests: seen.requests,
            writes: seen.writes,
            hits: used.hits,
            commands: used.commands,
            elapsed_ns: u64::try_from(seen.elapsed.as_nanos()).unwrap_or(u64::MAX),
            cpu_ns: used.cpu_ns,
            behind_ns: used.behind_ns,
            generator_ns: used.generator_ns,
            p50_ns: latency(0.5),
            p99_ns: latency(0.99),
            p999_ns: latency(0.999),
        }
    }

    /// CPU microseconds of the server per request.
    pub fn cpu_micros(&self) -> f64 {
        per(self.cpu_ns, self.requests * 1000)
    }

    /// CPU microseconds of the Redis behind it per request.
    pub fn behind_micros(&self) -> f64 {
        per(self.behind_ns.unwrap_or_default(), self.requests * 1000)
    }

    /// Both together.
    pub fn total_micros(&self) -> f64 {
        self.cpu_micros() + self.behind_micros()
    }

    /// The part of the reads that were hits.
    pub fn hit_share(&self) -> Option<f64> {
        Some(per(self.hits?, self.requests - self.writes))
    }

    /// Commands of the Redis behind it per request.
    pub fn commands_per_request(&self) -> f64 {
        per(self.commands.unwrap_or_default(), self.requests)
    }

    /// The part of the requests that were writes.
    pub fn write_share(&self) -> f64 {
        per(self.writes, self.requests)
    }

    /// Requests per second.
    pub fn rate(&self) -> f64 {
        per(self.requests, self.elapsed_ns) * 1e9
    }
}

/// What kept entries take.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Entries {
    /// How many were kept.
    pub items: u64,
    /// Memory of the process before them.
    pub resident_bytes_before: u64,
    /// Memory of the process with them.
    pub resident_bytes_after: u64,
}

impl Entries {
    /// Bytes per entry beyond its key and its value.
    pub fn overhead_bytes(&self) -> f64 {
        let grown = self.resident_bytes_after.saturating_sub(self.resident_bytes_before);
        per(grown, self.items) - per((Family::COLD.key_bytes() + VALUE_BYTES) as u64, 1)
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
            elapsed_ns: 10_000_000,
            cpu_ns: 5_000_000,
            behind_ns: Some(1_000_000),
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
    }

    #[test]
    fn keys_and_values_are_no_overhead() {
        let (resident_bytes_before, resident_bytes_after) = (1 << 20, (1 << 20) + 200_000);
        let entries = Entries { items: 1000, resident_bytes_before, resident_bytes_after };
        assert!((entries.overhead_bytes() - 80.0).abs() < 1e-9);
    }
}
