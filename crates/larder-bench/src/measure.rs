//! All servers in turn, round by round: see [`rounds`](crate::rounds).

mod case;
mod fleet;
mod gauges;
mod open;
mod results;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::cores::Cores;
use crate::facts::Facts;
use crate::generator::{Generator, Shape, Target};
use crate::keys::{Family, Order, Pick};
use crate::measure::case::WRITES_PERCENT;
use crate::measure::fleet::Fleet;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::rounds::interleave;
use crate::servers::{Server, Setup, named};
use crate::stop::Stop;

pub use case::{Case, Reads, Transport};
pub(crate) use gauges::Gauges;
pub use open::{OpenCase, OpenRow, OpenSample};
pub use results::{Entries, Results, Row, Sample};

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
    let cases = Case::all(plan);
    let progress = Progress::new(steps(setup, plan, &cases));
    progress.step("starting and filling servers".to_owned());
    let fleet = Fleet::start(setup, plan, cores, stop)?;
    facts.versions = fleet.versions()?;
    facts.commands = fleet.commands();
    let zipf = Pick::Zipf.order(u32::try_from(plan.hot_keys).unwrap_or(u32::MAX), 0).into();
    let bench = Bench { fleet: &fleet, plan, stop, progress: &progress, zipf };
    let rows = bench.rounds(&cases)?;
    let open = bench.open_rounds(&rows)?;
    progress.step("counting bytes per entry".to_owned());
    let entries = fleet.another_larder()?.map(|larder| bench.entries(&larder)).transpose()?;
    progress.finish();
    Ok(Results { facts, plan: plan.clone(), rows, open, entries })
}

/// How often the progress moves.
fn steps(setup: &Setup, plan: &Plan, cases: &[Case]) -> usize {
    let kinds = setup.kinds();
    let members = |case: &Case| kinds.iter().filter(|kind| case.is_for(**kind)).count();
    let open = open::turns(&plan.open_percents, &plan.pipelines, &kinds);
    2 + (plan.rounds + 1) * (cases.iter().map(members).sum::<usize>() + open)
}

struct Bench<'a> {
    fleet: &'a Fleet,
    plan: &'a Plan,
    stop: &'a Stop,
    progress: &'a Progress,
    /// The hot keys, a few of them most of the time.
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
        let Case { connections, pipeline, .. } = case;
        let mut order = self.order(case, round);
        let shape = shape(server, case.family(server.kind), connections, pipeline);
        let mut generator = Generator::connect(target, shape, self.stop)?;
        if case.reads == Reads::Mix {
            // Else it would show what the sample before has left in memory.
            generator.run(&mut order, self.plan.round())?.all_right()?;
        }
        let gauges = Gauges::of(server, self.fleet.behind(server));
        sample(&mut generator, &mut order, self.plan.round(), gauges)
    }

    /// Hits ask for the same keys again and again, each round for others. Misses need keys that
    /// were never asked for: each round has its share of the cold ones.
    fn order(&self, case: Case, round: usize) -> Order {
        match case.reads {
            Reads::Hits if case.pick == Pick::Zipf => Order::again(
                Arc::clone(&self.zipf),
                self.zipf.len() / (self.plan.rounds + 1) * round,
            ),
            Reads::Hits => Order::random(self.plan.keys(case.size), round as u64),
            Reads::Mix => Order::random(self.plan.hot_keys, round as u64).writing(WRITES_PERCENT),
            Reads::Misses => {
                let share = self.plan.cold_keys / (self.plan.rounds as u64 + 1);
                let start = round as u64 * share;
                Order::once(start..start + share)
            }
        }
    }

    /// Reads every cold key once through a Larder that has read none.
    fn entries(&self, larder: &Server) -> io::Result<Entries> {
        let shape = shape(larder, Family::COLD, self.plan.connections, PASS_PIPELINE);
        let mut order = Order::once(0..self.plan.cold_keys);
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

/// Asks for `time`, and looks at the gauges before and after.
pub(crate) fn sample(
    generator: &mut Generator,
    order: &mut Order,
    time: Duration,
    gauges: Gauges<'_>,
) -> io::Result<Sample> {
    // One batch each: the server has accepted all when the clock starts.
    generator.run(order, Duration::ZERO)?.all_right()?;
    let before = gauges.read()?;
    let seen = generator.run(order, time)?.all_right()?;
    Ok(Sample::new(&seen, gauges.since(&before)?))
}
