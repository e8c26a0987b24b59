//! GET over RESP: all servers, measured in interleaved [`rounds`](crate::rounds).

mod case;
mod fleet;
mod open_loop;
mod results;
mod usage;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::cores::Cores;
use crate::environment::Environment;
use crate::error::with_context;
use crate::generator::{Generator, LoadConfig, Target};
use crate::keys::{Distribution, KeySequence, KeySpace};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::resp::case::WRITES_PERCENT;
use crate::resp::fleet::Fleet;
use crate::rounds::interleave;
use crate::servers::{Server, Setup};
use crate::stop::Stop;

pub use case::{Case, Transport, Workload};
pub use open_loop::{OpenLoopCase, OpenLoopRow, OpenLoopSample};
pub use results::{EntryMemory, Results, Row, Sample};
pub(crate) use usage::UsageProbe;

/// How long one pass over all keys may take.
const PASS_LIMIT: Duration = Duration::from_mins(5);
/// Requests per write while memory is measured, where time does not matter.
const PASS_PIPELINE: usize = 16;

/// Measures all cases that can be measured with these programs.
///
/// # Errors
/// When a server does not start, exits, times out, or returns a wrong reply.
pub fn run(setup: &Setup, plan: &Plan, stop: &Stop) -> io::Result<Results> {
    let cores = Cores::choose()?;
    let mut environment = Environment::of_machine(cores);
    let cases = Case::all(plan);
    let progress = Progress::new(steps(setup, plan, &cases));
    progress.step("starting and filling servers".to_owned());
    let fleet = Fleet::start(setup, plan, cores, stop)?;
    environment.versions = fleet.versions()?;
    environment.commands = fleet.commands();
    let zipf =
        Distribution::Zipf.sequence(u32::try_from(plan.hot_keys).unwrap_or(u32::MAX), 0).into();
    let bench = Bench { fleet: &fleet, plan, stop, progress: &progress, zipf };
    let rows = bench.rounds(&cases)?;
    let open_loop = bench.open_loop_rounds(&rows)?;
    progress.step("measuring bytes per entry".to_owned());
    let entries =
        fleet.start_another_larder()?.map(|larder| bench.entry_memory(&larder)).transpose()?;
    progress.finish();
    Ok(Results { environment, plan: plan.clone(), rows, open_loop, entries })
}

/// Returns the number of progress steps.
fn steps(setup: &Setup, plan: &Plan, cases: &[Case]) -> usize {
    let kinds = setup.kinds();
    let members = |case: &Case| kinds.iter().filter(|kind| case.is_for(**kind)).count();
    let open = open_loop::steps(&plan.open_loop_percents, &plan.pipelines, &kinds);
    2 + (plan.rounds + 1) * (cases.iter().map(members).sum::<usize>() + open)
}

struct Bench<'a> {
    fleet: &'a Fleet,
    plan: &'a Plan,
    stop: &'a Stop,
    progress: &'a Progress,
    /// A sequence of hot keys under the zipf distribution.
    zipf: Arc<[u32]>,
}

impl Bench<'_> {
    fn rounds(&self, cases: &[Case]) -> io::Result<Vec<Row>> {
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
        let config = config(server, case.key_space(server.kind), connections, pipeline);
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
    fn entry_memory(&self, larder: &Server) -> io::Result<EntryMemory> {
        let config = config(larder, KeySpace::COLD, self.plan.connections, PASS_PIPELINE);
        let mut sequence = KeySequence::once(0..self.plan.cold_keys);
        let mut generator = Generator::connect(&larder.tcp(), config, self.stop)?;
        // Allocates the memory of the connections before the first measurement.
        generator.run(&mut sequence, Duration::ZERO)?.checked()?;
        let before = fleet::memory(larder)?;
        generator.run(&mut sequence, PASS_LIMIT)?.checked()?;
        let after = fleet::memory(larder)?;
        Ok(EntryMemory {
            items: after.items.saturating_sub(before.items),
            resident_bytes_before: before.resident_bytes,
            resident_bytes_after: after.resident_bytes,
        })
    }
}

/// Returns the load of these keys, as the server needs it.
fn config(server: &Server, key_space: KeySpace, connections: usize, pipeline: usize) -> LoadConfig {
    let (protocol, check) = (server.protocol(), server.check());
    LoadConfig { connections, pipeline, protocol, key_space, check }
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
