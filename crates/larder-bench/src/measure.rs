//! All servers in turn, round by round: see [`rounds`](crate::rounds).

mod fleet;
mod results;

use std::io;
use std::time::Duration;

use crate::cores::Cores;
use crate::cpu::{CpuTime, of_this_thread};
use crate::facts::Facts;
use crate::generator::{Generator, Shape, Target};
use crate::keys::{Family, Order};
use crate::measure::fleet::Fleet;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::rounds::interleave;
use crate::servers::{Server, Setup, named};
use crate::stop::Stop;

pub use results::{Case, Entries, Reads, Results, Row, Sample, Transport};

/// How long one run over all keys may take.
const PASS_LIMIT: Duration = Duration::from_mins(5);
/// Requests per write while entries are counted: nobody measures time there.
const PASS_PIPELINE: usize = 16;

/// Measures everything that can be measured with these programs.
///
/// # Errors
/// When a server does not start, ends, falls silent, or gives a wrong reply.
pub fn run(setup: &Setup, plan: &Plan, stop: &Stop) -> io::Result<Results> {
    let cores = Cores::take()?;
    let mut facts = Facts::of_machine(cores);
    let cases = cases(plan);
    let progress = Progress::new(steps(setup, plan, &cases));
    progress.step("starting and filling servers".to_owned());
    let fleet = Fleet::start(setup, plan, cores, stop)?;
    facts.versions = fleet.versions()?;
    facts.commands = fleet.commands();
    let bench = Bench { fleet: &fleet, plan, stop, progress: &progress };
    let rows = bench.rounds(&cases)?;
    progress.step("counting bytes per entry".to_owned());
    let entries = fleet.another_larder()?.map(|larder| bench.entries(&larder)).transpose()?;
    Ok(Results { facts, plan: plan.clone(), rows, entries })
}

/// What is asked of the servers.
fn cases(plan: &Plan) -> Vec<Case> {
    let connections = plan.connections;
    let hits = |transport| {
        let case = move |pipeline: &usize| Case {
            reads: Reads::Hits,
            transport,
            connections,
            pipeline: *pipeline,
        };
        plan.pipelines.iter().map(case)
    };
    let one = Case { reads: Reads::Hits, transport: Transport::Tcp, connections, pipeline: 1 };
    let many = Case { connections: plan.many_connections, ..one };
    let misses = Case { reads: Reads::Misses, ..one };
    hits(Transport::Tcp).chain(hits(Transport::Unix)).chain([many, misses]).collect()
}

/// At most so many: not every server takes part in every case.
fn steps(setup: &Setup, plan: &Plan, cases: &[Case]) -> usize {
    2 + (plan.rounds + 1) * cases.len() * setup.kinds().len()
}

struct Bench<'a> {
    fleet: &'a Fleet,
    plan: &'a Plan,
    stop: &'a Stop,
    progress: &'a Progress,
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
        let what = format!("{}, {case}", server.kind.name());
        self.progress.step(format!("round {round}: {what}"));
        let sample = self.ask(server, target, case, round);
        sample.map_err(|error| named(&what, &error))
    }

    fn ask(
        &self,
        server: &Server,
        target: &Target,
        case: Case,
        round: usize,
    ) -> io::Result<Sample> {
        let (family, mut order) = self.keys(case.reads, round);
        let Case { connections, pipeline, .. } = case;
        let shape = shape(server, family, connections, pipeline);
        let mut generator = Generator::connect(target, shape, self.stop)?;
        let behind = self.fleet.behind(server).map(Server::pid);
        sample(&mut generator, &mut order, self.plan.round(), server.pid(), behind)
    }

    /// Hits ask for the hot keys again and again, each round for others. Misses need keys that
    /// were never asked for: each round has its share of the cold ones.
    fn keys(&self, reads: Reads, round: usize) -> (Family, Order) {
        let (round, rounds) = (round as u64, self.plan.rounds as u64 + 1);
        match reads {
            Reads::Hits => (Family::HOT, Order::random(self.plan.hot_keys, round)),
            Reads::Misses => {
                let share = self.plan.cold_keys / rounds;
                (Family::COLD, Order::Once(round * share..(round + 1) * share))
            }
        }
    }

    /// Reads every cold key once through a Larder that has read none.
    fn entries(&self, larder: &Server) -> io::Result<Entries> {
        let shape = shape(larder, Family::COLD, self.plan.connections, PASS_PIPELINE);
        let mut order = Order::Once(0..self.plan.cold_keys);
        let mut generator = Generator::connect(&larder.tcp(), shape, self.stop)?;
        // The connections' own memory is there before the counting starts.
        generator.run(&mut order, Duration::ZERO)?.all_right()?;
        let before = fleet::memory(larder)?;
        generator.run(&mut order, PASS_LIMIT)?.all_right()?;
        let after = fleet::memory(larder)?;
        Ok(Entries {
            items: after.items.saturating_sub(before.items),
            resident_bytes_before: before.resident_bytes,
            resident_bytes_after: after.resident_bytes,
        })
    }
}

/// Reads of these keys as a server understands them.
fn shape(server: &Server, family: Family, connections: usize, pipeline: usize) -> Shape {
    let (protocol, answers) = (server.protocol(), server.answers());
    Shape { connections, pipeline, protocol, family, answers }
}

/// Asks for `time`, and reads the clocks of this thread, of the server's process and of the one
/// behind it.
pub(crate) fn sample(
    generator: &mut Generator,
    order: &mut Order,
    time: Duration,
    server: u32,
    behind: Option<u32>,
) -> io::Result<Sample> {
    // One batch each: the server has accepted all when the clock starts.
    generator.run(order, Duration::ZERO)?.all_right()?;

    let (own_before, behind_before) = (CpuTime::of(server)?, cpu_of(behind)?);
    let generator_before = of_this_thread();
    let seen = generator.run(order, time)?.all_right()?;
    let generator_ns = of_this_thread().saturating_sub(generator_before);
    let (own, after) = (CpuTime::of(server)?, cpu_of(behind)?);

    let behind_ns = after.zip(behind_before).map(|(now, before)| now.since(&before));
    Ok(Sample::new(&seen, own.since(&own_before), behind_ns, generator_ns))
}

fn cpu_of(pid: Option<u32>) -> io::Result<Option<CpuTime>> {
    pid.map(CpuTime::of).transpose()
}
