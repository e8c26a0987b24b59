//! Latency at a fixed rate, below the maximum that the servers can sustain.

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::with_context;
use crate::generator::{Generator, OpenLoopStats, Target};
use crate::keys::{KeySequence, KeySpace};
use crate::numbers::per;
use crate::resp::usage::{Usage, UsageProbe};
use crate::resp::{Bench, Case, Row, Sample, config};
use crate::rounds::{Row as RowOf, interleave};
use crate::servers::{Server, ServerKind};

/// The servers that are measured at a fixed rate.
const MEMBERS: [ServerKind; 5] = [
    ServerKind::Baseline,
    ServerKind::Redis,
    ServerKind::Nutcracker,
    ServerKind::Haproxy,
    ServerKind::Larder,
];
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
    fn new(stats: &OpenLoopStats, usage: Usage) -> Self {
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

/// Returns the number of progress steps per round.
pub(super) fn steps(percents: &[u64], pipelines: &[usize], kinds: &[ServerKind]) -> usize {
    let members = MEMBERS.iter().filter(|kind| kinds.contains(kind)).count();
    if pipelines.contains(&1) { percents.len() * members } else { 0 }
}

impl Bench<'_> {
    /// Measures at fixed rates, which follow from the results of the closed loop. Without those
    /// there are no rows.
    pub(super) fn open_loop_rounds(&self, rows: &[Row]) -> io::Result<Vec<OpenLoopRow>> {
        let connections = self.plan.connections;
        let closed = Case::hits(connections, 1);
        let Some(max_rate) = rate_of_the_slowest(rows, closed) else { return Ok(Vec::new()) };
        let case = |&percent| OpenLoopCase {
            connections,
            percent,
            per_second: (max_rate * percent / 100).max(1),
        };
        let cases: Vec<_> = self.plan.open_loop_percents.iter().map(case).collect();
        let members = |_| {
            let members = self.fleet.members(&closed).into_iter();
            let members = members.filter(|(server, _)| MEMBERS.contains(&server.kind));
            members.map(|(server, target)| (server.kind, (server, target))).collect()
        };
        interleave(self.plan.rounds, &cases, members, |kind, (server, target), case, round| {
            let label = format!("{}, {case}", kind.name());
            self.progress.step(format!("round {round}: {label}"));
            let sample = self.load_at_rate(server, target, case, round);
            sample.map_err(|error| with_context(&label, &error))
        })
    }

    fn load_at_rate(
        &self,
        server: &Server,
        target: &Target,
        case: OpenLoopCase,
        round: usize,
    ) -> io::Result<OpenLoopSample> {
        let mut sequence = KeySequence::random(self.plan.hot_keys, round as u64);
        let config = config(server, KeySpace::HOT, case.connections, 1);
        let mut generator = Generator::connect(target, config, self.stop)?;
        generator.run(&mut sequence, Duration::ZERO)?.checked()?;
        let probe = UsageProbe::of_server(server, self.fleet.backend_of(server));
        let before = probe.snapshot()?;
        let stats = generator.run_open_loop(&mut sequence, case.per_second, self.plan.round())?;
        let usage = probe.since(&before)?;
        Ok(OpenLoopSample::new(&stats.checked()?, usage))
    }
}

/// Returns the requests per second of the slowest server in this case; `None` without any.
fn rate_of_the_slowest(rows: &[Row], case: Case) -> Option<u64> {
    let rows = rows.iter().filter(|row| row.case == case && MEMBERS.contains(&row.subject));
    rows.map(|row| whole(row.median(Sample::rate))).min()
}

/// Drops the fraction of a rate.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are small")]
fn whole(rate: f64) -> u64 {
    rate as u64
}
