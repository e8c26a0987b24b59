//! GET over RESP: all servers, measured in interleaved [`rounds`](crate::rounds).

mod bench;
mod case;
mod fleet;
mod open_loop;
mod results;
mod usage;

use std::io;

use crate::cores::Cores;
use crate::environment::Environment;
use crate::keys::Distribution;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::resp::bench::Bench;
use crate::resp::fleet::Fleet;
use crate::servers::Setup;
use crate::stop::Stop;

pub(crate) use bench::sample;
pub(crate) use case::MIXED_CONNECTIONS;
pub use case::{Case, Transport, Workload};
pub use results::{EntryMemory, OpenLoopCase, OpenLoopRow, OpenLoopSample, Results, Row, Sample};
pub(crate) use usage::UsageProbe;

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
