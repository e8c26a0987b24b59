//! The report of GET over RESP.

mod open_loop;
mod plots;
mod tables;

use crate::goals::{self, Goal};
use crate::keys::{Distribution, ValueSize};
use crate::numbers::median;
use crate::plan::LEFT_OUT;
use crate::report::resp::tables::{HITS, LARGE, MISSES, MIX, table};
use crate::report::{Report, Verdict, environment, percent};
use crate::resp::{
    Case, EntryMemory, MIXED_CONNECTIONS, Results, Row, Sample, Transport, Workload,
};
use crate::servers::ServerKind;

/// Returns the report of a run.
pub fn report(results: &Results) -> Report {
    let connections = results.plan.connections;
    let mut report = Report {
        title: "Larder beside others, over RESP",
        environment: environment(&results.environment, more(results)),
        sections: Vec::new(),
        verdicts: verdicts(results),
    };
    for (transport, name) in TRANSPORTS {
        report.section(
            format!("GET hits over {name}, {connections} connections"),
            plots::hits(&hit_rows(results, transport), transport, name),
            table(&hit_rows(results, transport), &HITS),
        );
    }
    // There is no goal here: these rows compare latencies.
    let many = results.plan.many_connections;
    let rows = select(results, |row| row.case.connections == many);
    report.section(format!("GET hits over TCP, {many} connections"), None, table(&rows, &HITS));
    let rows = select(results, |row| row.case.workload == Workload::Misses);
    report.section(
        format!("GET misses over TCP, {connections} connections"),
        plots::misses(&rows),
        table(&rows, &MISSES),
    );
    let rows = select(results, |row| row.case.distribution == Distribution::Zipf);
    report.section(
        format!("GET hits over TCP, {connections} connections, zipf-distributed keys"),
        None,
        table(&rows, &HITS),
    );
    let rows = select(results, |row| row.case.workload == Workload::Mixed);
    report.section(
        format!("Nine GET to one SET over TCP, {MIXED_CONNECTIONS} connections"),
        None,
        table(&rows, &MIX),
    );
    let rows = select(results, |row| row.case.size != ValueSize::Usual);
    report.section("GET hits with larger values, over TCP", None, table(&rows, &LARGE));
    report.section(
        format!("Latency of GET hits at a fixed rate, over TCP, {connections} connections"),
        None,
        open_loop::section(&results.open_loop),
    );
    report.section("Memory", None, results.entries.as_ref().map(memory).unwrap_or_default());
    report.section("How to read this", None, reading(results));
    report
}

const TRANSPORTS: [(Transport, &str); 2] =
    [(Transport::Tcp, "TCP"), (Transport::Unix, "a unix socket")];

fn select(results: &Results, wanted: impl Fn(&Row) -> bool) -> Vec<&Row> {
    results.rows.iter().filter(|row| wanted(row)).collect()
}

/// Returns the rows that have goals: with the usual connections, values and distribution.
fn hit_rows(results: &Results, transport: Transport) -> Vec<&Row> {
    let connections = results.plan.connections;
    let hits = |pipeline| Case { transport, ..Case::hits(connections, pipeline) };
    select(results, |row| row.case == hits(row.case.pipeline))
}

fn more(results: &Results) -> Vec<(&'static str, String)> {
    let environment = &results.environment;
    let (server, generator) = (environment.server_core, environment.generator_core);
    let pinned = format!("servers to core {server}, generator to core {generator}");
    let mut lines = vec![("pinned", pinned)];
    let is_missing =
        |name: &&str| !environment.versions.iter().any(|(measured, _)| measured == name);
    let missing: Vec<_> =
        ServerKind::OPTIONAL.map(ServerKind::name).into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        let text = format!("{}, as not installed (run scripts/setup bench)", missing.join(", "));
        lines.push(("not measured", text));
    }
    if results.plan.quick {
        lines.push(("quick run", format!("rougher, and without: {LEFT_OUT}")));
    }
    lines.push(("noise", noise(results)));
    lines
}

fn noise(results: &Results) -> String {
    let worst = results.rows.iter().max_by(|one, other| spread(one).total_cmp(&spread(other)));
    let Some(worst) = worst else { return "unknown".to_owned() };
    format!(
        "the rounds of a row differ by {} in the median, by {} at most ({}, {})",
        percent(median(results.rows.iter().map(spread))),
        percent(spread(worst)),
        worst.subject.name(),
        worst.case,
    )
}

/// Returns how much the rounds differ in CPU time per request.
fn spread(row: &Row) -> f64 {
    row.spread_of(Sample::cpu_micros)
}

/// Returns the goal of a row of hits, and its figure.
fn hit_goal(row: &Row, rows: &[&Row]) -> Option<(Goal, f64)> {
    let goal = goals::hits(row.case.transport, row.case.pipeline)
        .filter(|_| row.subject == ServerKind::Larder)?;
    Some((goal, row.ratio_to(row.row_of(rows, ServerKind::Redis)?, Sample::cpu_micros)))
}

/// Returns the verdicts on a row of misses: without its Redis, and with it.
fn miss_goals(row: &Row, rows: &[&Row]) -> Vec<Verdict> {
    let Some(proxy) = row.row_of(rows, ServerKind::Nutcracker) else { return Vec::new() };
    let verdict =
        |goal, figure, unit| Verdict::at_most(goal, row.case.to_string(), figure, 2, unit);
    let own = row.ratio_to(proxy, Sample::cpu_micros);
    let total = row.ratio_to(proxy, Sample::total_micros);
    vec![
        verdict(goals::MISS_OWN, own, "x nutcracker (own CPU)"),
        verdict(goals::MISS_TOTAL, total, "x nutcracker (CPU with Redis)"),
    ]
}

/// Returns the verdicts on a row of mixed traffic.
fn mixed_goals(row: &Row, rows: &[&Row]) -> Vec<Verdict> {
    let goals = goals::mixed(row.case.pipeline).zip(row.row_of(rows, ServerKind::Redis));
    let Some(((total, unseen), redis)) = goals else { return Vec::new() };
    let label = || row.case.to_string();
    let share = row.median(|sample| sample.unseen_share().unwrap_or_default());
    let ratio = row.ratio_to(redis, Sample::total_micros);
    vec![
        Verdict::at_most(total, label(), ratio, 2, "x redis (CPU with Redis)"),
        Verdict::at_least(unseen, label(), share, 2, "of the reads not in redis"),
    ]
}

fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (transport, _) in TRANSPORTS {
        let rows = hit_rows(results, transport);
        verdicts.extend(rows.iter().filter_map(|row| {
            let (goal, figure) = hit_goal(row, &rows)?;
            Some(Verdict::at_most(goal, row.case.to_string(), figure, 2, "x redis (CPU)"))
        }));
    }
    let rows = select(results, |row| row.case.workload == Workload::Misses);
    for row in rows.iter().filter(|row| row.subject == ServerKind::Larder) {
        verdicts.extend(miss_goals(row, &rows));
    }
    let rows = select(results, |row| row.case.workload == Workload::Mixed);
    for row in rows.iter().filter(|row| row.subject == ServerKind::Larder) {
        verdicts.extend(mixed_goals(row, &rows));
    }
    verdicts.extend(results.entries.as_ref().map(|entries| {
        let label = "bytes per entry".to_owned();
        Verdict::at_most(goals::ENTRY_BYTES, label, entries.overhead_bytes(), 0, "B")
    }));
    verdicts
}

fn memory(entries: &EntryMemory) -> String {
    let bytes = entries.overhead_bytes();
    format!("{} entries of 20 + 100 bytes take {bytes:.0} further bytes each\n", entries.items)
}

fn reading(results: &Results) -> String {
    format!(
        "P is the number of requests per write. Figures are medians of {} rounds of {} ms; ratios \
         are computed\nwithin a round. CPU is the server's user and kernel time per request; \
         `backend` is that of its Redis, and\n`commands` the number of commands that Redis \
         processed per request.\nExcept at fixed rates, latency is that of a whole write while the \
         generator is as busy as the server:\ncompare it, do not quote it.\n",
        results.plan.rounds, results.plan.round_millis
    )
}
