//! The results at a fixed rate.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::generator::OpenLoopStats;
use crate::numbers::per;
use crate::resp::usage::Usage;
use crate::rounds::Row as RowOf;
use crate::servers::ServerKind;

/// A request that the generator delays by more than this counts as late.
const LATE_NS: u64 = 50_000;

/// Hits over TCP at a fixed rate, one request per write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct OpenLoopCase {
    /// The number of connections.
    pub connections: usize,
    /// The rate in percent of that of the slowest server in a closed loop.
    pub percent: u64,
    /// The rate in requests per second.
    pub per_second: u64,
}

impl fmt::Display for OpenLoopCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, per_second, .. } = self;
        write!(f, "{per_second} hits/s, TCP, {connections} connections")
    }
}

/// One server in one case.
pub type OpenLoopRow = RowOf<OpenLoopCase, ServerKind, OpenLoopSample>;

/// One server in one case in one round. Latencies are measured from when a request was due.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct OpenLoopSample {
    /// The number of requests that were answered with the right value.
    pub requests: u64,
    /// Elapsed time in nanoseconds.
    pub elapsed_ns: u64,
    /// CPU time of the server, in nanoseconds.
    pub cpu_ns: u64,
    /// CPU time of the backend, in nanoseconds.
    pub backend_ns: Option<u64>,
    /// The median latency in nanoseconds.
    pub p50_ns: u64,
    /// The 99th percentile of the latency in nanoseconds.
    pub p99_ns: u64,
    /// The 99.9th percentile of the latency in nanoseconds.
    pub p999_ns: u64,
    /// The maximum latency in nanoseconds.
    pub max_ns: u64,
    /// The number of requests that the generator itself sent late.
    pub late: u64,
    /// The 99.9th percentile of the generator's own delay in nanoseconds.
    pub late_p999_ns: u64,
}

impl OpenLoopSample {
    pub(in crate::resp) fn new(stats: &OpenLoopStats, usage: Usage) -> Self {
        let OpenLoopStats { load, late } = stats;
        let latency = |quantile| load.latency.value_at_quantile(quantile);
        Self {
            requests: load.requests,
            elapsed_ns: u64::try_from(load.elapsed.as_nanos()).unwrap_or(u64::MAX),
            cpu_ns: usage.cpu_ns,
            backend_ns: usage.backend_ns,
            p50_ns: latency(0.5),
            p99_ns: latency(0.99),
            p999_ns: latency(0.999),
            max_ns: load.latency.max(),
            late: late.len() - late.count_between(0, LATE_NS),
            late_p999_ns: late.value_at_quantile(0.999),
        }
    }

    /// Returns the CPU microseconds of the server per request.
    pub fn cpu_micros(&self) -> f64 {
        per(self.cpu_ns, self.requests * 1000)
    }

    /// Returns the fraction of the requests that the generator sent late.
    pub fn late_share(&self) -> f64 {
        per(self.late, self.requests)
    }
}
