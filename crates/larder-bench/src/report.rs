//! A run as people read it: tables, and which goals are met.

mod table;

use std::fmt::Write;
use std::fs::{create_dir_all, write};
use std::io;
use std::path::Path;

use crate::goals::{self, Goal};
use crate::measure::{Case, Entries, Reads, Results, Row, Sample, Transport};
use crate::numbers::{median, per};
use crate::report::table::Table;
use crate::servers::Kind;

/// The whole report.
pub fn text(results: &Results) -> String {
    let connections = results.plan.connections;
    let mut text = facts(results);
    for (transport, name) in [(Transport::Tcp, "TCP"), (Transport::Unix, "a unix socket")] {
        let rows = select(results, |row| {
            let case = row.case;
            case.reads == Reads::Hits
                && case.transport == transport
                && case.connections == connections
        });
        section(
            &mut text,
            &format!("GET hits over {name}, {connections} connections"),
            &hits(&rows, |case| goals::hits(case.transport, case.pipeline)),
        );
    }
    // No goal here: what is looked at is the latency beside the others'.
    let many = results.plan.many_connections;
    let rows = select(results, |row| row.case.connections == many);
    section(&mut text, &format!("GET hits over TCP, {many} connections"), &hits(&rows, |_| None));
    let rows = select(results, |row| row.case.reads == Reads::Misses);
    section(&mut text, &format!("GET misses over TCP, {connections} connections"), &misses(&rows));
    if let Some(entries) = &results.entries {
        section(&mut text, "Memory", &memory(entries));
    }
    section(&mut text, "How to read this", &reading(results));
    text
}

/// Writes the raw figures as JSON.
pub fn save(results: &Results, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_dir_all(folder)?;
    }
    write(path, serde_json::to_vec_pretty(results)?)
}

fn select(results: &Results, wanted: impl Fn(&Row) -> bool) -> Vec<&Row> {
    results.rows.iter().filter(|row| wanted(row)).collect()
}

/// A heading and what stands below it; nothing when there is nothing.
fn section(text: &mut String, heading: &str, body: &str) {
    if !body.is_empty() {
        // Writing to a string does not fail.
        write!(text, "\n## {heading}\n\n{body}").ok();
    }
}

fn facts(results: &Results) -> String {
    let facts = &results.facts;
    let mut text = String::from("# Larder beside others\n\n");
    let mut line = |name: &str, value: &str| {
        writeln!(text, "- {name}: {value}").ok();
    };
    line("kernel", &facts.kernel);
    line("processor", &format!("{}; cores for this run: {}", facts.cpu, facts.cores));
    line(
        "pinned",
        &format!(
            "servers to core {}, generator to core {}",
            facts.server_core, facts.generator_core
        ),
    );
    line("load before the run", &facts.load);
    if let Some(remark) = facts.remark {
        line("beware", remark);
    }
    for (name, version) in &facts.versions {
        line(&format!("version of {name}"), version);
    }
    if !facts.versions.iter().any(|(name, _)| name == Kind::Nutcracker.name()) {
        line("not measured", "nutcracker, which is not installed (scripts/setup bench)");
    }
    for (name, command) in &facts.commands {
        line(&format!("command of {name}"), command);
    }
    line("noise", &noise(results));
    text
}

fn noise(results: &Results) -> String {
    let worst = results.rows.iter().max_by(|one, other| one.spread().total_cmp(&other.spread()));
    let Some(worst) = worst else { return "unknown".to_owned() };
    format!(
        "the rounds of a row lie {:.0} % apart in the median, {:.0} % at most ({}, {})",
        median(results.rows.iter().map(Row::spread)) * 100.0,
        worst.spread() * 100.0,
        worst.server.name(),
        worst.case,
    )
}

fn hits(rows: &[&Row], goal: impl Fn(Case) -> Option<Goal>) -> String {
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
        "goal",
    ]);
    for row in rows {
        let same_load = |kind| peer(rows, row, kind);
        let ratio = |kind| same_load(kind).map(|other| row.against(other, Sample::cpu_micros));
        let to_redis = ratio(Kind::Redis);
        let goal = goal(row.case).filter(|_| row.server == Kind::Larder);
        let verdict = goal.zip(to_redis).map(|(goal, figure)| goal.verdict(figure, 2));
        table.row([
            row.case.pipeline.to_string(),
            row.server.name().to_owned(),
            format!("{:.3}", row.median(Sample::cpu_micros)),
            or_dash(to_redis.map(|ratio| format!("{ratio:.2}"))),
            or_dash(ratio(Kind::Floor).map(|ratio| format!("{ratio:.2}"))),
            format!("{:.0} %", row.spread() * 100.0),
            behind(row),
            latency(row, |sample| sample.p50_ns),
            latency(row, |sample| sample.p99_ns),
            latency(row, |sample| sample.p999_ns),
            format!("{:.0}", row.median(Sample::rate)),
            format!("{:.3}", row.median(|sample| per(sample.generator_ns, sample.requests * 1000))),
            verdict.unwrap_or_default(),
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
        "goal",
    ]);
    for row in rows {
        let proxy = peer(rows, row, Kind::Nutcracker);
        let ratio = proxy.map(|other| row.against(other, Sample::total_micros));
        let own = goals::MISS_MICROS.verdict(row.median(Sample::cpu_micros), 1);
        let total = ratio.map(|ratio| goals::MISS_TOTAL.verdict(ratio, 2));
        let total = total.map(|total| format!("; total: {total}")).unwrap_or_default();
        let verdict = format!("own: {own}{total}");
        table.row([
            row.server.name().to_owned(),
            format!("{:.3}", row.median(Sample::cpu_micros)),
            behind(row),
            format!("{:.3}", row.median(Sample::total_micros)),
            or_dash(ratio.map(|ratio| format!("{ratio:.2}"))),
            format!("{:.0} %", row.spread() * 100.0),
            latency(row, |sample| sample.p50_ns),
            latency(row, |sample| sample.p99_ns),
            latency(row, |sample| sample.p999_ns),
            format!("{:.0}", row.median(Sample::rate)),
            if row.server == Kind::Larder { verdict } else { String::new() },
        ]);
    }
    table.text()
}

/// The row of another server under the same load.
fn peer<'a>(rows: &[&'a Row], row: &Row, kind: Kind) -> Option<&'a Row> {
    rows.iter().copied().find(|other| other.server == kind && other.case == row.case)
}

fn behind(row: &Row) -> String {
    let measured = row.samples.iter().any(|sample| sample.behind_ns.is_some());
    or_dash(measured.then(|| format!("{:.3}", row.median(Sample::behind_micros))))
}

fn latency(row: &Row, nanos: impl Fn(&Sample) -> u64) -> String {
    format!("{:.0}", row.median(|sample| per(nanos(sample), 1000)))
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn memory(entries: &Entries) -> String {
    let bytes = entries.overhead_bytes();
    format!(
        "{} entries of 20 + 100 bytes take {bytes:.0} bytes each beyond those: {}\n",
        entries.items,
        goals::ENTRY_BYTES.verdict(bytes, 0)
    )
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
