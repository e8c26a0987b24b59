//! GET over RESP, as people read it.

mod open;
mod plots;
mod tables;

use crate::goals::{self, Goal};
use crate::keys::{Pick, ValueSize};
use crate::measure::{Case, Entries, Reads, Results, Row, Sample, Transport};
use crate::numbers::median;
use crate::plan::LEFT_OUT;
use crate::report::resp::tables::{HITS, LARGE, MISSES, MIX, table};
use crate::report::{Report, Verdict, facts, percent};
use crate::servers::Kind;

/// The report of a run.
pub fn report(results: &Results) -> Report {
    let connections = results.plan.connections;
    let mut report = Report {
        title: "Larder beside others, over RESP",
        facts: facts(&results.facts, more(results)),
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
    // No goal here: what is looked at is the latency beside the others'.
    let many = results.plan.many_connections;
    let rows = select(results, |row| row.case.connections == many);
    report.section(format!("GET hits over TCP, {many} connections"), None, table(&rows, &HITS));
    let rows = select(results, |row| row.case.reads == Reads::Misses);
    report.section(
        format!("GET misses over TCP, {connections} connections"),
        plots::misses(&rows),
        table(&rows, &MISSES),
    );
    let rows = select(results, |row| row.case.pick == Pick::Zipf);
    report.section(
        format!("GET hits over TCP, {connections} connections, a few keys most of the time (zipf)"),
        None,
        table(&rows, &HITS),
    );
    let rows = select(results, |row| row.case.reads == Reads::Mix);
    report.section(
        format!("Nine GET to one SET over TCP, {connections} connections"),
        None,
        table(&rows, &MIX),
    );
    let rows = select(results, |row| row.case.size != ValueSize::Usual);
    report.section("GET hits with larger values, over TCP", None, table(&rows, &LARGE));
    report.section(
        format!("Latency of GET hits at a fixed rate, over TCP, {connections} connections"),
        None,
        open::open(&results.open),
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

/// Those of which there are goals: with the usual number of connections, of keys and so on.
fn hit_rows(results: &Results, transport: Transport) -> Vec<&Row> {
    let connections = results.plan.connections;
    let hits = |pipeline| Case { transport, ..Case::hits(connections, pipeline) };
    select(results, |row| row.case == hits(row.case.pipeline))
}

fn more(results: &Results) -> Vec<(&'static str, String)> {
    let facts = &results.facts;
    let (server, generator) = (facts.server_core, facts.generator_core);
    let pinned = format!("servers to core {server}, generator to core {generator}");
    let mut lines = vec![("pinned", pinned)];
    let is_missing = |name: &&str| !facts.versions.iter().any(|(measured, _)| measured == name);
    let missing: Vec<_> = Kind::OPTIONAL.map(Kind::name).into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        let text = format!("{}, as not installed (scripts/setup bench)", missing.join(", "));
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
        "the rounds of a row lie {} apart in the median, {} at most ({}, {})",
        percent(median(results.rows.iter().map(spread))),
        percent(spread(worst)),
        worst.who.name(),
        worst.case,
    )
}

/// How far the rounds lie apart in CPU per request.
fn spread(row: &Row) -> f64 {
    row.spread_of(Sample::cpu_micros)
}

/// What is wanted of a row of hits, and what it has.
fn hit_goal(row: &Row, rows: &[&Row]) -> Option<(Goal, f64)> {
    let goal =
        goals::hits(row.case.transport, row.case.pipeline).filter(|_| row.who == Kind::Larder)?;
    Some((goal, row.against(row.peer(rows, Kind::Redis)?, Sample::cpu_micros)))
}

/// What is wanted of a row of misses, and what it has: by itself, and with Redis.
fn miss_goals(row: &Row, rows: &[&Row]) -> Vec<Verdict> {
    let Some(proxy) = row.peer(rows, Kind::Nutcracker) else { return Vec::new() };
    let verdict =
        |goal, figure, unit| Verdict::at_most(goal, row.case.to_string(), figure, 2, unit);
    let own = row.against(proxy, Sample::cpu_micros);
    let total = row.against(proxy, Sample::total_micros);
    vec![
        verdict(goals::MISS_OWN, own, "x nutcracker (own CPU)"),
        verdict(goals::MISS_TOTAL, total, "x nutcracker (CPU with Redis)"),
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
    let rows = select(results, |row| row.case.reads == Reads::Misses);
    for row in rows.iter().filter(|row| row.who == Kind::Larder) {
        verdicts.extend(miss_goals(row, &rows));
    }
    verdicts.extend(results.entries.as_ref().map(|entries| {
        let what = "bytes per entry".to_owned();
        Verdict::at_most(goals::ENTRY_BYTES, what, entries.overhead_bytes(), 0, "B")
    }));
    verdicts
}

fn memory(entries: &Entries) -> String {
    let bytes = entries.overhead_bytes();
    format!("{} entries of 20 + 100 bytes take {bytes:.0} bytes each beyond those\n", entries.items)
}

fn reading(results: &Results) -> String {
    format!(
        "P is requests per write. Figures are medians of {} rounds of {} ms; ratios are taken \
         within a round.\nCPU is the server's own, user and kernel, per request; `behind` is that \
         of the Redis it asks,\n`commands` how many that one has processed per request.\n\
         But for fixed rates, latency is that of a whole write, with the generator as busy as the \
         server:\ncompare it, do not quote it.\n",
        results.plan.rounds, results.plan.round_millis
    )
}
