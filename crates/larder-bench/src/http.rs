//! GET over HTTP: Larder's route beside nginx, webdis, Python services and the baseline.
//!
//! Each server sends its usual headers, and its usual JSON around the value. The report lists the
//! servers that are not installed.

mod fleet;
mod kind;
mod results;
mod setup;

use std::io;

use crate::cores::Cores;
use crate::environment::Environment;
use crate::error::with_context;
use crate::generator::Generator;
use crate::http::fleet::{Fleet, Member};
use crate::keys::KeySequence;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::resp::{self, UsageProbe};
use crate::rounds::interleave;
use crate::stop::Stop;

pub use kind::HttpKind;
pub use results::{HttpCase, HttpRequest, HttpResults, HttpRow};
pub use setup::HttpSetup;

/// Measures all cases that can be measured with these programs.
///
/// # Errors
/// When a server does not start, exits, times out, or returns anything else than the value.
pub fn run(setup: &HttpSetup, plan: &Plan, stop: &Stop) -> io::Result<HttpResults> {
    let cores = Cores::choose()?;
    let mut environment = Environment::of_machine(cores);
    let cases = cases(plan);
    let progress = Progress::new(steps(setup, plan, &cases));
    progress.step("starting and filling servers".to_owned());
    let fleet = Fleet::start(setup, plan, cores, stop)?;
    environment.versions = fleet.versions()?;
    environment.commands = fleet.commands();
    let members = |case: HttpCase| {
        fleet.members(case.request).into_iter().map(|member| (member.kind(), member)).collect()
    };
    let rows = interleave(plan.rounds, &cases, members, |kind, member, case, round| {
        let label = format!("{}, {case}", kind.name());
        progress.step(format!("round {round}: {label}"));
        let sample = load(&fleet, member, case, plan, round, stop);
        sample.map_err(|error| with_context(&label, &error))
    })?;
    progress.finish();
    let missing = setup.missing().iter().map(|kind| kind.name().to_owned()).collect();
    Ok(HttpResults { environment, plan: plan.clone(), missing, rows })
}

fn cases(plan: &Plan) -> Vec<HttpCase> {
    let case = |request, connections| HttpCase { request, connections };
    vec![
        case(HttpRequest::Get, plan.connections),
        case(HttpRequest::Revalidate, plan.connections),
        case(HttpRequest::Get, plan.many_connections),
    ]
}

/// Returns the number of progress steps.
fn steps(setup: &HttpSetup, plan: &Plan, cases: &[HttpCase]) -> usize {
    let kinds = setup.kinds();
    let members = |case: &HttpCase| {
        kinds.iter().filter(|kind| case.request == HttpRequest::Get || kind.has_etags()).count()
    };
    1 + (plan.rounds + 1) * cases.iter().map(members).sum::<usize>()
}

fn load(
    fleet: &Fleet,
    member: &Member,
    case: HttpCase,
    plan: &Plan,
    round: usize,
    stop: &Stop,
) -> io::Result<resp::Sample> {
    let target = member.server.target();
    let mut generator = Generator::connect_http(&target, case.connections, &member.exchange, stop)?;
    let keys = match case.request {
        HttpRequest::Get => plan.hot_keys,
        // The ETag of one key was read.
        HttpRequest::Revalidate => 1,
    };
    let mut sequence = KeySequence::random(keys, round as u64);
    let probe = UsageProbe::of_process(member.server.pid(), fleet.backend_of(member.kind()));
    resp::sample(&mut generator, &mut sequence, plan.round(), probe)
}
