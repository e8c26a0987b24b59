//! GET over HTTP: Larder's hot route beside nginx, webdis, Python services and the floor.
//!
//! Each answers as it does for everybody: with its own head, its own JSON around the value. A peer
//! that is not installed is left out and named.

mod fleet;
mod kind;
mod results;
mod setup;

use std::io;

use crate::cores::Cores;
use crate::facts::Facts;
use crate::generator::Generator;
use crate::http::fleet::{Fleet, Member};
use crate::keys::Order;
use crate::measure::{self, Gauges};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::rounds::interleave;
use crate::servers::named;
use crate::stop::Stop;

pub use kind::HttpKind;
pub use results::{Ask, HttpCase, HttpResults, HttpRow};
pub use setup::HttpSetup;

/// Measures everything that can be measured with these programs.
///
/// # Errors
/// When a server does not start, ends, falls silent, or answers anything else than the value.
pub fn run(setup: &HttpSetup, plan: &Plan, stop: &Stop) -> io::Result<HttpResults> {
    let cores = Cores::take()?;
    let mut facts = Facts::of_machine(cores);
    let cases = cases(plan);
    let progress = Progress::new(steps(setup, plan, &cases));
    progress.step("starting and filling servers".to_owned());
    let fleet = Fleet::start(setup, plan, cores, stop)?;
    facts.versions = fleet.versions()?;
    facts.commands = fleet.commands();
    let members = |case: HttpCase| {
        fleet.members(case.ask).into_iter().map(|member| (member.kind(), member)).collect()
    };
    let rows = interleave(plan.rounds, &cases, members, |kind, member, case, round| {
        let what = format!("{}, {case}", kind.name());
        progress.step(format!("round {round}: {what}"));
        let sample = ask(&fleet, member, case, plan, round, stop);
        sample.map_err(|error| named(&what, &error))
    })?;
    progress.finish();
    let missing = setup.missing().iter().map(|kind| kind.name().to_owned()).collect();
    Ok(HttpResults { facts, plan: plan.clone(), missing, rows })
}

fn cases(plan: &Plan) -> Vec<HttpCase> {
    let case = |ask, connections| HttpCase { ask, connections };
    vec![
        case(Ask::Value, plan.connections),
        case(Ask::Change, plan.connections),
        case(Ask::Value, plan.many_connections),
    ]
}

/// How often the progress moves.
fn steps(setup: &HttpSetup, plan: &Plan, cases: &[HttpCase]) -> usize {
    let kinds = setup.kinds();
    let members = |case: &HttpCase| {
        kinds.iter().filter(|kind| case.ask == Ask::Value || kind.knows_etags()).count()
    };
    1 + (plan.rounds + 1) * cases.iter().map(members).sum::<usize>()
}

fn ask(
    fleet: &Fleet,
    member: &Member,
    case: HttpCase,
    plan: &Plan,
    round: usize,
    stop: &Stop,
) -> io::Result<measure::Sample> {
    let target = member.server.target();
    let mut generator = Generator::connect_http(&target, case.connections, &member.exchange, stop)?;
    let keys = match case.ask {
        Ask::Value => plan.hot_keys,
        // An ETag is that of one key.
        Ask::Change => 1,
    };
    let mut order = Order::random(keys, round as u64);
    let gauges = Gauges::of_process(member.server.pid(), fleet.behind(member.kind()));
    measure::sample(&mut generator, &mut order, plan.round(), gauges)
}
