//! Requests at a fixed rate: how long they take where the server is not asked for all it can do.

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::generator::{Generator, Paced, Target};
use crate::keys::{Family, Order};
use crate::measure::gauges::{Gauges, Used};
use crate::measure::{Bench, Case, Row, Sample, shape};
use crate::numbers::per;
use crate::rounds::{Row as RowOf, interleave};
use crate::servers::{Kind, Server, named};

/// Who is asked at a fixed rate.
const MEMBERS: [Kind; 5] =
    [Kind::Floor, Kind::Redis, Kind::Nutcracker, Kind::Haproxy, Kind::Larder];
/// A request that the generator keeps back for longer was not sent in time.
const LATE_NS: u64 = 50_000;

/// Hits over TCP, one per write, at a fixed rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct OpenCase {
    /// How many connections are open.
    pub connections: usize,
    /// The rate, as a part of what the slowest of all does in a closed loop.
    pub percent: u64,
    /// Requests per second.
    pub per_second: u64,
}

impl fmt::Display for OpenCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, per_second, .. } = self;
        write!(f, "{per_second} hits/s, TCP, {connections} connections")
    }
}

/// One server in one case.
pub type OpenRow = RowOf<OpenCase, Kind, OpenSample>;

/// One server in one case in one round. Latencies count from when a request was due.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct OpenSample {
    /// Requests that were answered, each with the right value.
    pub requests: u64,
    /// How long that took, in nanoseconds.
    pub elapsed_ns: u64,
    /// CPU time of the server, in nanoseconds.
    pub cpu_ns: u64,
    /// CPU time of the Redis behind it, in nanoseconds.
    pub behind_ns: Option<u64>,
    /// Median of the latencies, in nanoseconds.
    pub p50_ns: u64,
    /// All but a hundredth were quicker.
    pub p99_ns: u64,
    /// All but a thousandth were quicker.
    pub p999_ns: u64,
    /// The longest of all.
    pub max_ns: u64,
    /// Requests that the generator itself sent too late.
    pub late: u64,
    /// How late it was: all but a thousandth left earlier, in nanoseconds.
    pub late_p999_ns: u64,
}

impl OpenSample {
    fn new(paced: &Paced, used: Used) -> Self {
        let Paced { seen, late } = paced;
        let latency = |part| seen.latency.value_at_quantile(part);
        Self {
            requests: seen.requests,
            elapsed_ns: u64::try_from(seen.elapsed.as_nanos()).unwrap_or(u64::MAX),
            cpu_ns: used.cpu_ns,
            behind_ns: used.behind_ns,
            p50_ns: latency(0.5),
            p99_ns: latency(0.99),
            p999_ns: latency(0.999),
            max_ns: seen.latency.max(),
            late: late.len() - late.count_between(0, LATE_NS),
            late_p999_ns: late.value_at_quantile(0.999),
        }
    }

    /// CPU microseconds of the server per request.
    pub fn cpu_micros(&self) -> f64 {
        per(self.cpu_ns, self.requests * 1000)
    }

    /// The part of the requests that the generator sent too late.
    pub fn late_share(&self) -> f64 {
        per(self.late, self.requests)
    }
}

/// How many turns it takes, as far as these kinds can be measured.
pub(super) fn turns(percents: &[u64], pipelines: &[usize], kinds: &[Kind]) -> usize {
    let members = MEMBERS.iter().filter(|kind| kinds.contains(kind)).count();
    if pipelines.contains(&1) { percents.len() * members } else { 0 }
}

impl Bench<'_> {
    /// Rates follow from what all have done in a closed loop; without that there are none.
    pub(super) fn open_rounds(&self, rows: &[Row]) -> io::Result<Vec<OpenRow>> {
        let connections = self.plan.connections;
        let closed = Case::hits(connections, 1);
        let Some(most) = rate_of_the_slowest(rows, closed) else { return Ok(Vec::new()) };
        let case =
            |&percent| OpenCase { connections, percent, per_second: (most * percent / 100).max(1) };
        let cases: Vec<_> = self.plan.open_percents.iter().map(case).collect();
        let members = |_| {
            let members = self.fleet.members(&closed).into_iter();
            let members = members.filter(|(server, _)| MEMBERS.contains(&server.kind));
            members.map(|(server, target)| (server.kind, (server, target))).collect()
        };
        interleave(self.plan.rounds, &cases, members, |kind, (server, target), case, round| {
            let what = format!("{}, {case}", kind.name());
            self.progress.step(format!("round {round}: {what}"));
            let sample = self.ask_at(server, target, case, round);
            sample.map_err(|error| named(&what, &error))
        })
    }

    fn ask_at(
        &self,
        server: &Server,
        target: &Target,
        case: OpenCase,
        round: usize,
    ) -> io::Result<OpenSample> {
        let mut order = Order::random(self.plan.hot_keys, round as u64);
        let shape = shape(server, Family::HOT, case.connections, 1);
        let mut generator = Generator::connect(target, shape, self.stop)?;
        generator.run(&mut order, Duration::ZERO)?.all_right()?;
        let gauges = Gauges::of(server, self.fleet.behind(server));
        let before = gauges.read()?;
        let paced = generator.run_open(&mut order, case.per_second, self.plan.round())?;
        let used = gauges.since(&before)?;
        Ok(OpenSample::new(&paced.all_right()?, used))
    }
}

/// Requests per second of the slowest one in this case; `None` if nobody was asked.
fn rate_of_the_slowest(rows: &[Row], case: Case) -> Option<u64> {
    let rows = rows.iter().filter(|row| row.case == case && MEMBERS.contains(&row.who));
    rows.map(|row| whole(row.median(Sample::rate))).min()
}

/// A rate without its fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are small")]
fn whole(rate: f64) -> u64 {
    rate as u64
}
