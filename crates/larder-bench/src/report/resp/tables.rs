//! The tables over RESP and their columns.

use crate::keys::KeySpace;
use crate::numbers::per;
use crate::report::table::Table;
use crate::report::{or_dash, percent};
use crate::resp::{Row, Sample};
use crate::servers::ServerKind;

/// A column: its header, and how to format the cell of a row, given all rows.
pub(super) struct Column<R> {
    header: &'static str,
    cell: Cell<R>,
}

type Cell<R> = fn(&R, &[&R]) -> String;

pub(super) const fn column<R>(header: &'static str, cell: Cell<R>) -> Column<R> {
    Column { header, cell }
}

pub(super) const HITS: [Column<Row>; 13] = [
    PIPELINE,
    SERVER,
    CPU,
    TIMES_REDIS,
    TIMES_BASELINE,
    SPREAD,
    BACKEND,
    COMMANDS,
    P50,
    P99,
    P999,
    RATE,
    GENERATOR,
];
pub(super) const MISSES: [Column<Row>; 11] =
    [SERVER, CPU, BACKEND, COMMANDS, TOTAL, TIMES_NUTCRACKER, SPREAD, P50, P99, P999, RATE];
pub(super) const LARGE: [Column<Row>; 13] = [
    VALUE,
    CONNECTIONS,
    SERVER,
    CPU,
    TIMES_REDIS,
    TIMES_BASELINE,
    SPREAD,
    BACKEND,
    MEGABYTES,
    P50,
    P99,
    RATE,
    GENERATOR,
];

pub(super) const MIX: [Column<Row>; 14] = [
    PIPELINE,
    SERVER,
    CPU,
    BACKEND,
    COMMANDS,
    TOTAL,
    TIMES_REDIS_TOTAL,
    HIT_SHARE,
    UNSEEN_SHARE,
    WRITE_SHARE,
    SPREAD,
    P50,
    P99,
    RATE,
];

const PIPELINE: Column<Row> = column("P", |row, _| row.case.pipeline.to_string());
const VALUE: Column<Row> = column("value", |row, _| row.case.size.name().to_owned());
const CONNECTIONS: Column<Row> = column("connections", |row, _| row.case.connections.to_string());
const SERVER: Column<Row> = column("server", |row, _| row.subject.name().to_owned());
const CPU: Column<Row> = column("CPU us", |row, _| micros(row, Sample::cpu_micros));
const TOTAL: Column<Row> = column("total us", |row, _| micros(row, Sample::total_micros));
const BACKEND: Column<Row> = column("backend us", |row, _| {
    let has_backend = row.samples.iter().any(|sample| sample.backend_ns.is_some());
    or_dash(has_backend.then(|| micros(row, Sample::backend_micros)))
});
const COMMANDS: Column<Row> = column("commands", |row, _| {
    let counted = row.samples.iter().any(|sample| sample.commands.is_some());
    or_dash(counted.then(|| format!("{:.3}", row.median(Sample::commands_per_request))))
});
const TIMES_REDIS: Column<Row> =
    column("x redis", |row, rows| times(row, rows, ServerKind::Redis, Sample::cpu_micros));
const TIMES_BASELINE: Column<Row> =
    column("x baseline", |row, rows| times(row, rows, ServerKind::Baseline, Sample::cpu_micros));
const TIMES_NUTCRACKER: Column<Row> = column("x nutcracker", |row, rows| {
    times(row, rows, ServerKind::Nutcracker, Sample::total_micros)
});
const TIMES_REDIS_TOTAL: Column<Row> =
    column("total x redis", |row, rows| times(row, rows, ServerKind::Redis, Sample::total_micros));
const HIT_SHARE: Column<Row> = column("hits of reads", |row, _| {
    let counts = row.samples.iter().any(|sample| sample.hits.is_some());
    or_dash(counts.then(|| percent(row.median(|sample| sample.hit_share().unwrap_or_default()))))
});
const UNSEEN_SHARE: Column<Row> = column("reads not in redis", |row, _| {
    let counts = row.samples.iter().any(|sample| sample.gets.is_some());
    or_dash(counts.then(|| percent(row.median(|sample| sample.unseen_share().unwrap_or_default()))))
});
const WRITE_SHARE: Column<Row> =
    column("writes", |row, _| percent(row.median(Sample::write_share)));
const SPREAD: Column<Row> = column("spread", |row, _| percent(row.spread_of(Sample::cpu_micros)));
const P50: Column<Row> = column("p50 us", |row, _| latency(row, |sample| sample.p50_ns));
const P99: Column<Row> = column("p99 us", |row, _| latency(row, |sample| sample.p99_ns));
const P999: Column<Row> = column("p99.9 us", |row, _| latency(row, |sample| sample.p999_ns));
const RATE: Column<Row> = column("req/s", |row, _| format!("{:.0}", row.median(Sample::rate)));
const MEGABYTES: Column<Row> = column("MB/s", |row, _| {
    let bytes = KeySpace::with_values_of(row.case.size).value_bytes() as u64;
    format!("{:.0}", row.median(Sample::rate) * per(bytes, 1_000_000))
});
const GENERATOR: Column<Row> = column("generator us", |row, _| {
    micros(row, |sample| per(sample.generator_ns, sample.requests * 1000))
});

/// Formats these columns of all rows. Empty without rows.
pub(super) fn table<R>(rows: &[&R], columns: &[Column<R>]) -> String {
    let header: Vec<_> = columns.iter().map(|column| column.header).collect();
    let mut table = Table::new(&header);
    for row in rows {
        table.row(columns.iter().map(|column| (column.cell)(row, rows)));
    }
    table.text()
}

fn micros(row: &Row, figure: fn(&Sample) -> f64) -> String {
    format!("{:.3}", row.median(figure))
}

/// Formats the ratio of a figure to that of another server under the same load.
fn times(row: &Row, rows: &[&Row], other: ServerKind, figure: fn(&Sample) -> f64) -> String {
    let ratio = row.row_of(rows, other).map(|other| row.ratio_to(other, figure));
    or_dash(ratio.map(|ratio| format!("{ratio:.2}")))
}

fn latency(row: &Row, nanos: fn(&Sample) -> u64) -> String {
    format!("{:.0}", row.median(|sample| per(nanos(sample), 1000)))
}
