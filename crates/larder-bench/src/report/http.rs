//! GET over HTTP, as people read it.

use crate::goals;
use crate::http::{Ask, HttpKind, HttpResults, HttpRow};
use crate::measure::Sample;
use crate::numbers::{median, per};
use crate::report::plot::{Bar, Bars, Group};
use crate::report::table::Table;
use crate::report::{Plot, Report, Verdict, facts, or_dash, percent};

/// With what others are compared.
const MEASURE: HttpKind = HttpKind::NginxReturn;

/// The report of a run.
pub fn report(results: &HttpResults) -> Report {
    let (few, many) = (results.plan.connections, results.plan.many_connections);
    let values = select(results, Ask::Value, few);
    let mut report = Report {
        title: "Larder beside others, over HTTP",
        facts: facts(&results.facts, more(results)),
        sections: Vec::new(),
        verdicts: verdicts(&values),
    };
    let heading = |what: &str, connections| format!("{what} over HTTP, {connections} connections");
    report.section(heading("GET", few), plot(&values), table(&values, MEASURE));
    let unchanged = select(results, Ask::Change, few);
    report.section(heading("GET answered 304", few), None, table(&unchanged, HttpKind::NginxFile));
    // No goal here: what is looked at is the latency beside the others'.
    let values = select(results, Ask::Value, many);
    report.section(heading("GET", many), None, table(&values, MEASURE));
    report.section("How to read figures over HTTP", None, reading(results));
    report
}

fn select(results: &HttpResults, ask: Ask, connections: usize) -> Vec<&HttpRow> {
    let wanted = |row: &&HttpRow| (row.case.ask, row.case.connections) == (ask, connections);
    results.rows.iter().filter(wanted).collect()
}

fn more(results: &HttpResults) -> Vec<(&'static str, String)> {
    let facts = &results.facts;
    let (server, generator) = (facts.server_core, facts.generator_core);
    let mut lines = vec![("pinned", format!("servers to core {server}, generator to {generator}"))];
    if !results.missing.is_empty() {
        let text = format!("{} (scripts/setup bench)", results.missing.join(", "));
        lines.push(("not measured, as not installed", text));
    }
    if results.plan.quick {
        lines.push(("quick run", "rougher".to_owned()));
    }
    let noise = percent(median(results.rows.iter().map(spread)));
    lines.push(("noise", format!("the rounds of a row lie {noise} apart in the median")));
    lines
}

/// How far the rounds lie apart in CPU per request.
fn spread(row: &HttpRow) -> f64 {
    row.spread_of(Sample::cpu_micros)
}

fn against(row: &HttpRow, rows: &[&HttpRow], who: HttpKind) -> Option<f64> {
    Some(row.against(row.peer(rows, who)?, Sample::cpu_micros))
}

fn verdicts(rows: &[&HttpRow]) -> Vec<Verdict> {
    let larder = rows.iter().filter(|row| row.who == HttpKind::Larder);
    let verdict = |row: &&HttpRow| {
        let figure = against(row, rows, MEASURE)?;
        let unit = "x nginx return (CPU)";
        Some(Verdict::at_most(goals::HTTP_GET, row.case.to_string(), figure, 2, unit))
    };
    larder.filter_map(verdict).collect()
}

fn table(rows: &[&HttpRow], measure: HttpKind) -> String {
    let against_measure = format!("x {}", measure.name());
    let mut table = Table::new(&[
        "server",
        "CPU us",
        &against_measure,
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
        let ratio = |who| or_dash(against(row, rows, who).map(|ratio| format!("{ratio:.2}")));
        let behind = row.samples.iter().any(|sample| sample.behind_ns.is_some());
        let latency = |nanos: fn(&Sample) -> u64| {
            format!("{:.0}", row.median(|sample| per(nanos(sample), 1000)))
        };
        table.row([
            row.who.name().to_owned(),
            format!("{:.2}", row.median(Sample::cpu_micros)),
            ratio(measure),
            ratio(HttpKind::Floor),
            percent(spread(row)),
            or_dash(behind.then(|| format!("{:.2}", row.median(Sample::behind_micros)))),
            latency(|sample| sample.p50_ns),
            latency(|sample| sample.p99_ns),
            latency(|sample| sample.p999_ns),
            format!("{:.0}", row.median(Sample::rate)),
            format!("{:.2}", row.median(|sample| per(sample.generator_ns, sample.requests * 1000))),
        ]);
    }
    table.text()
}

/// CPU per GET, in powers of ten: some take forty times as much as others.
fn plot(rows: &[&HttpRow]) -> Option<Plot> {
    let must = rows.iter().find(|row| row.who == MEASURE);
    let must = must.map(|row| goals::HTTP_GET.must * row.median(Sample::cpu_micros));
    let bar = |row: &&HttpRow| {
        let value = row.median(Sample::cpu_micros);
        Bar {
            name: row.who.name(),
            colour: colour(row.who),
            value,
            text: format!("{value:.2} us"),
            must: must.filter(|_| row.who == HttpKind::Larder),
        }
    };
    let bars = Bars {
        name: "http-get".to_owned(),
        title: "CPU of the server per GET over HTTP: shorter is better".to_owned(),
        axis: "CPU per request, microseconds, in powers of ten".to_owned(),
        is_log: true,
        end: f64::INFINITY,
        groups: vec![Group {
            name: "100 bytes, keep-alive".to_owned(),
            bars: rows.iter().map(bar).collect(),
        }],
    };
    bars.plot()
}

fn colour(kind: HttpKind) -> &'static str {
    match kind {
        HttpKind::Larder => "#d55e00",
        HttpKind::NginxReturn | HttpKind::NginxFile => "#009e73",
        HttpKind::Webdis => "#3b8fd0",
        HttpKind::FastapiDict | HttpKind::FastapiRedis | HttpKind::FlaskCachetools => "#b07ad6",
        HttpKind::Floor => "#8c8c8c",
    }
}

fn reading(results: &HttpResults) -> String {
    format!(
        "One GET at a time on each connection, which stays open. Figures are medians of {} rounds \
         of {} ms; ratios\nare taken within a round. CPU is that of all processes of the server, \
         user and kernel, per request; `behind`\nthat of the Redis it asks. Larder, FastAPI and \
         Flask answer JSON with key and value, webdis with the value;\nnginx and the floor the 100 \
         bytes alone, and `return` and the floor the same ones for every key. A 304 is\nthat of \
         one key. The services in Python are in `crates/larder-bench/peers`.\n",
        results.plan.rounds, results.plan.round_millis
    )
}
