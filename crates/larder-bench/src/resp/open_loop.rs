//! Latency at a fixed rate, below the maximum that the servers can sustain.

use std::io;
use std::time::Duration;

use crate::error::with_context;
use crate::generator::{Generator, Target};
use crate::keys::{KeySequence, KeySpace};
use crate::resp::bench::Bench;
use crate::resp::case::Case;
use crate::resp::results::{OpenLoopCase, OpenLoopRow, OpenLoopSample, Row, Sample};
use crate::resp::usage::UsageProbe;
use crate::rounds::interleave;
use crate::servers::{Server, ServerKind};

/// The servers that are measured at a fixed rate.
const MEMBERS: [ServerKind; 5] = [
    ServerKind::Baseline,
    ServerKind::Redis,
    ServerKind::Nutcracker,
    ServerKind::Haproxy,
    ServerKind::Larder,
];

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
        let config = server.load_config(KeySpace::HOT, case.connections, 1);
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
