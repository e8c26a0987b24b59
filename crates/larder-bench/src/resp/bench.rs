//! Measures servers in a closed loop, and the memory per entry of Larder.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::with_context;
use crate::generator::{Generator, Target};
use crate::keys::{Distribution, KeySequence, KeySpace};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::resp::case::{Case, WRITES_PERCENT, Workload};
use crate::resp::fleet::{Fleet, memory};
use crate::resp::results::{EntryMemory, Row, Sample};
use crate::resp::usage::UsageProbe;
use crate::rounds::interleave;
use crate::servers::Server;
use crate::stop::Stop;

/// How long one pass over all keys may take.
const PASS_LIMIT: Duration = Duration::from_mins(5);
/// Requests per write while memory is measured, where time does not matter.
const PASS_PIPELINE: usize = 16;

/// A run over RESP whose servers are filled and warm.
pub(super) struct Bench<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) plan: &'a Plan,
    pub(super) stop: &'a Stop,
    pub(super) progress: &'a Progress,
    /// A sequence of hot keys under the zipf distribution.
    pub(super) zipf: Arc<[u32]>,
}

impl Bench<'_> {
    pub(super) fn rounds(&self, cases: &[Case]) -> io::Result<Vec<Row>> {
        let members = |case: Case| {
            let members = self.fleet.members(&case).into_iter();
            members.map(|(server, target)| (server.kind, (server, target))).collect()
        };
        interleave(self.plan.rounds, cases, members, |_, (server, target), case, round| {
            self.sample(server, target, case, round)
        })
    }

    fn sample(
        &self,
        server: &Server,
        target: &Target,
        case: Case,
        round: usize,
    ) -> io::Result<Sample> {
        let label = format!("{}, {case}", server.kind.name());
        self.progress.step(format!("round {round}: {label}"));
        let sample = self.load(server, target, case, round);
        sample.map_err(|error| with_context(&label, &error))
    }

    fn load(
        &self,
        server: &Server,
        target: &Target,
        case: Case,
        round: usize,
    ) -> io::Result<Sample> {
        let Case { connections, pipeline, .. } = case;
        let mut sequence = self.sequence(case, round);
        let config = server.load_config(case.key_space(server.kind), connections, pipeline);
        let mut generator = Generator::connect(target, config, self.stop)?;
        if case.workload == Workload::Mixed {
            // Warms up, as the sample would show what the last one has left in the near cache.
            generator.run(&mut sequence, self.plan.round())?.checked()?;
        }
        let probe = UsageProbe::of_server(server, self.fleet.backend_of(server));
        sample(&mut generator, &mut sequence, self.plan.round(), probe)
    }

    /// Returns the keys of a round. Hits read the same keys repeatedly, in another order in each
    /// round. Misses need keys that were never read: each round has its share of the cold keys.
    fn sequence(&self, case: Case, round: usize) -> KeySequence {
        match case.workload {
            Workload::Hits if case.distribution == Distribution::Zipf => KeySequence::repeat(
                Arc::clone(&self.zipf),
                self.zipf.len() / (self.plan.rounds + 1) * round,
            ),
            Workload::Hits => KeySequence::random(self.plan.keys(case.size), round as u64),
            Workload::Mixed => {
                KeySequence::random(self.plan.hot_keys, round as u64).writing(WRITES_PERCENT)
            }
            Workload::Misses => {
                let share = self.plan.cold_keys / (self.plan.rounds as u64 + 1);
                let start = round as u64 * share;
                KeySequence::once(start..start + share)
            }
        }
    }

    /// Reads every cold key once through a Larder that has cached none, and measures its memory.
    pub(super) fn entry_memory(&self, larder: &Server) -> io::Result<EntryMemory> {
        let config = larder.load_config(KeySpace::COLD, self.plan.connections, PASS_PIPELINE);
        let mut sequence = KeySequence::once(0..self.plan.cold_keys);
        let mut generator = Generator::connect(&larder.tcp(), config, self.stop)?;
        // Allocates the memory of the connections before the first measurement.
        generator.run(&mut sequence, Duration::ZERO)?.checked()?;
        let before = memory(larder)?;
        generator.run(&mut sequence, PASS_LIMIT)?.checked()?;
        let after = memory(larder)?;
        Ok(EntryMemory {
            items: after.items.saturating_sub(before.items),
            resident_bytes_before: before.resident_bytes,
            resident_bytes_after: after.resident_bytes,
        })
    }
}

/// Runs a load for `time`, and measures what it uses.
pub(crate) fn sample(
    generator: &mut Generator,
    sequence: &mut KeySequence,
    time: Duration,
    probe: UsageProbe<'_>,
) -> io::Result<Sample> {
    // One batch per connection: the server has accepted all of them when the time starts.
    generator.run(sequence, Duration::ZERO)?.checked()?;
    let before = probe.snapshot()?;
    let stats = generator.run(sequence, time)?.checked()?;
    Ok(Sample::new(&stats, probe.since(&before)?))
}
