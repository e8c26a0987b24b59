//! GET over RESP, as people read it.

mod plots;

use crate::goals::{self, Goal};
use crate::measure::{Case, Entries, Reads, Results, Row, Sample, Transport};
use crate::numbers::{median, per};
use crate::report::table::Table;
use crate::report::{Report, Verdict, facts, or_dash, percent};
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
            hits(&hit_rows(results, transport)),
        );
    }
    // No goal here: what is looked at is the latency beside the others'.
    let many = results.plan.many_connections;
    let rows = select(results, |row| row.case.connections == many);
    report.section(format!("GET hits over TCP, {many} connections"), None, hits(&rows));
    let rows = select(results, |row| row.case.reads == Reads::Misses);
    report.section(
        format!("GET misses over TCP, {connections} connections"),
        plots::misses(&rows),
        misses(&rows),
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

/// Those of which there are goals: with the usual number of connections.
fn hit_rows(results: &Results, transport: Transport) -> Vec<&Row> {
    let connections = results.plan.connections;
    select(results, |row| {
        let Case { reads, transport: via, connections: open, .. } = row.case;
        (reads, via, open) == (Reads::Hits, transport, connections)
    })
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

/// What is wanted of a row of misses, both together, and what it has.
fn miss_goal(row: &Row, rows: &[&Row]) -> Option<(Goal, f64)> {
    let proxy = row.peer(rows, Kind::Nutcracker)?;
    Some((goals::MISS_TOTAL, row.against(proxy, Sample::total_micros)))
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
        let (own, micros) = (goals::MISS_MICROS, row.median(Sample::cpu_micros));
        verdicts.push(Verdict::at_most(own, row.case.to_string(), micros, 1, "us (own CPU)"));
        verdicts.extend(miss_goal(row, &rows).map(|(goal, figure)| {
            let unit = "x nutcracker (CPU with Redis)";
            Verdict::at_most(goal, row.case.to_string(), figure, 2, unit)
        }));
    }
    verdicts.extend(results.entries.as_ref().map(|entries| {
        let what = "bytes per entry".to_owned();
        Verdict::at_most(goals::ENTRY_BYTES, what, entries.overhead_bytes(), 0, "B")
    }));
    verdicts
}

fn hits(rows: &[&Row]) -> String {
    let mut table = Table::new(&[
        "P",
        "server",
        "CPU us",
        "x redis",
        "x floor",
        "spread",
        "behind us",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "req/s",
        "generator us",
    ]);
    for row in rows {
        let peer = |kind| row.peer(rows, kind);
        let ratio = |kind| peer(kind).map(|other| row.against(other, Sample::cpu_micros));
        let ratio = |kind| or_dash(ratio(kind).map(|ratio| format!("{ratio:.2}")));
        table.row([
            row.case.pipeline.to_string(),
            row.who.name().to_owned(),
            format!("{:.3}", row.median(Sample::cpu_micros)),
            ratio(Kind::Redis),
            ratio(Kind::Floor),
            percent(spread(row)),
            behind(row),
            latency(row, |sample| sample.p50_ns),
            latency(row, |sample| sample.p99_ns),
            latency(row, |sample| sample.p999_ns),
            format!("{:.0}", row.median(Sample::rate)),
            format!("{:.3}", row.median(|sample| per(sample.generator_ns, sample.requests * 1000))),
        ]);
    }
    table.text()
}

fn misses(rows: &[&Row]) -> String {
    let mut table = Table::new(&[
        "server",
        "CPU us",
        "behind us",
        "total us",
        "x nutcracker",
        "spread",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "req/s",
    ]);
    for row in rows {
        let ratio = miss_goal(row, rows).map(|(_, ratio)| format!("{ratio:.2}"));
        table.row([
            row.who.name().to_owned(),
            format!("{:.3}", row.median(Sample::cpu_micros)),
            behind(row),
            format!("{:.3}", row.median(Sample::total_micros)),
            or_dash(ratio),
            percent(spread(row)),
            latency(row, |sample| sample.p50_ns),
            latency(row, |sample| sample.p99_ns),
            latency(row, |sample| sample.p999_ns),
            format!("{:.0}", row.median(Sample::rate)),
        ]);
    }
    table.text()
}

fn behind(row: &Row) -> String {
    let measured = row.samples.iter().any(|sample| sample.behind_ns.is_some());
    or_dash(measured.then(|| format!("{:.3}", row.median(Sample::behind_micros))))
}

fn latency(row: &Row, nanos: impl Fn(&Sample) -> u64) -> String {
    format!("{:.0}", row.median(|sample| per(nanos(sample), 1000)))
}

fn memory(entries: &Entries) -> String {
    let bytes = entries.overhead_bytes();
    format!("{} entries of 20 + 100 bytes take {bytes:.0} bytes each beyond those\n", entries.items)
}

fn reading(results: &Results) -> String {
    format!(
        "P is requests per write. Figures are medians of {} rounds of {} ms; ratios are taken \
         within a round.\nCPU is the server's own, user and kernel, per request; `behind` is that \
         of the Redis it asks.\nLatency is that of a whole write, with the generator as busy as \
         the server: compare it, do not quote it.\n",
        results.plan.rounds, results.plan.round_millis
    )
}
