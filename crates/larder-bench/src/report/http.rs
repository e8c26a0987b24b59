//! The report of GET over HTTP.

use crate::goals;
use crate::http::{HttpKind, HttpRequest, HttpResults, HttpRow};
use crate::numbers::{median, per};
use crate::report::plot::{Bar, Bars, Group, of_http};
use crate::report::table::Table;
use crate::report::{Plot, Report, Verdict, environment, or_dash, percent};
use crate::resp::Sample;

/// The server that the others are compared with.
const REFERENCE: HttpKind = HttpKind::NginxReturn;

/// Returns the report of a run.
pub fn report(results: &HttpResults) -> Report {
    let (few, many) = (results.plan.connections, results.plan.many_connections);
    let values = select(results, HttpRequest::Get, few);
    let mut report = Report {
        title: "Larder beside others, over HTTP",
        environment: environment(&results.environment, more(results)),
        sections: Vec::new(),
        verdicts: verdicts(&values),
    };
    let heading =
        |request: &str, connections| format!("{request} over HTTP, {connections} connections");
    report.section(heading("GET", few), plot(&values), table(&values, REFERENCE));
    let unchanged = select(results, HttpRequest::Revalidate, few);
    report.section(heading("GET answered 304", few), None, table(&unchanged, HttpKind::NginxFile));
    // There is no goal here: these rows compare latencies.
    let values = select(results, HttpRequest::Get, many);
    report.section(heading("GET", many), None, table(&values, REFERENCE));
    report.section("How to read figures over HTTP", None, reading(results));
    report
}

fn select(results: &HttpResults, request: HttpRequest, connections: usize) -> Vec<&HttpRow> {
    let wanted =
        |row: &&HttpRow| (row.case.request, row.case.connections) == (request, connections);
    results.rows.iter().filter(wanted).collect()
}

fn more(results: &HttpResults) -> Vec<(&'static str, String)> {
    let environment = &results.environment;
    let (server, generator) = (environment.server_core, environment.generator_core);
    let mut lines = vec![("pinned", format!("servers to core {server}, generator to {generator}"))];
    if !results.missing.is_empty() {
        let text = format!("{} (run scripts/setup bench)", results.missing.join(", "));
        lines.push(("not measured, as not installed", text));
    }
    if results.plan.quick {
        lines.push(("quick run", "rougher".to_owned()));
    }
    let noise = percent(median(results.rows.iter().map(spread)));
    lines.push(("noise", format!("the rounds of a row differ by {noise} in the median")));
    lines
}

/// Returns how much the rounds differ in CPU time per request.
fn spread(row: &HttpRow) -> f64 {
    row.spread_of(Sample::cpu_micros)
}

fn ratio_to(row: &HttpRow, rows: &[&HttpRow], subject: HttpKind) -> Option<f64> {
    Some(row.ratio_to(row.row_of(rows, subject)?, Sample::cpu_micros))
}

fn verdicts(rows: &[&HttpRow]) -> Vec<Verdict> {
    let larder = rows.iter().filter(|row| row.subject == HttpKind::Larder);
    let verdict = |row: &&HttpRow| {
        let figure = ratio_to(row, rows, REFERENCE)?;
        let unit = "x nginx return (CPU)";
        Some(Verdict::at_most(goals::HTTP_GET, row.case.to_string(), figure, 2, unit))
    };
    larder.filter_map(verdict).collect()
}

fn table(rows: &[&HttpRow], reference: HttpKind) -> String {
    let times_reference = format!("x {}", reference.name());
    let mut table = Table::new(&[
        "server",
        "CPU us",
        &times_reference,
        "x baseline",
        "spread",
        "backend us",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "req/s",
        "generator us",
    ]);
    for row in rows {
        let ratio =
            |subject| or_dash(ratio_to(row, rows, subject).map(|ratio| format!("{ratio:.2}")));
        let has_backend = row.samples.iter().any(|sample| sample.backend_ns.is_some());
        let latency = |nanos: fn(&Sample) -> u64| {
            format!("{:.0}", row.median(|sample| per(nanos(sample), 1000)))
        };
        table.row([
            row.subject.name().to_owned(),
            format!("{:.2}", row.median(Sample::cpu_micros)),
            ratio(reference),
            ratio(HttpKind::Baseline),
            percent(spread(row)),
            or_dash(has_backend.then(|| format!("{:.2}", row.median(Sample::backend_micros)))),
            latency(|sample| sample.p50_ns),
            latency(|sample| sample.p99_ns),
            latency(|sample| sample.p999_ns),
            format!("{:.0}", row.median(Sample::rate)),
            format!("{:.2}", row.median(|sample| per(sample.generator_ns, sample.requests * 1000))),
        ]);
    }
    table.text()
}

/// Plots the CPU time per GET, on a logarithmic axis as the servers differ by a factor of forty.
fn plot(rows: &[&HttpRow]) -> Option<Plot> {
    let must = rows.iter().find(|row| row.subject == REFERENCE);
    let must = must.map(|row| goals::HTTP_GET.must * row.median(Sample::cpu_micros));
    let bar = |row: &&HttpRow| {
        let value = row.median(Sample::cpu_micros);
        Bar {
            name: row.subject.name(),
            color: of_http(row.subject),
            value,
            text: format!("{value:.2} us"),
            must: must.filter(|_| row.subject == HttpKind::Larder),
        }
    };
    let bars = Bars {
        name: "http-get".to_owned(),
        title: "CPU of the server per GET over HTTP: shorter is better".to_owned(),
        axis: "CPU per request, microseconds, logarithmic".to_owned(),
        is_log: true,
        end: f64::INFINITY,
        groups: vec![Group {
            name: "100 bytes, keep-alive".to_owned(),
            bars: rows.iter().map(bar).collect(),
        }],
    };
    bars.plot()
}

fn reading(results: &HttpResults) -> String {
    format!(
        "Each connection stays open and has one GET in flight. Figures are medians of {} rounds of \
         {} ms; ratios are\ncomputed within a round. CPU is user and kernel time per request of all \
         processes of the server; `backend`\nis that of its Redis. Larder, FastAPI and Flask return \
         JSON with key and value, webdis JSON with the value,\nnginx and the baseline the value \
         alone. nginx `return` and the baseline return the same value for every key.\nThe 304 is \
         that of one key. The Python services are in `crates/larder-bench/peers`.\n",
        results.plan.rounds, results.plan.round_millis
    )
}
