//! The table of latencies at a fixed rate.

use crate::numbers::per;
use crate::report::resp::tables::{Column, column, table};
use crate::resp::{OpenLoopRow, OpenLoopSample};

/// Above this fraction of late requests, the highest percentiles show the generator's own delay.
const LATE_SHARE_MAX: f64 = 0.001;

const OPEN: [Column<OpenLoopRow>; 9] = [
    column("load", |row, _| format!("{} %", row.case.percent)),
    column("req/s", |row, _| row.case.per_second.to_string()),
    column("server", |row, _| row.subject.name().to_owned()),
    column("p50 us", |row, _| micros(row, |sample| sample.p50_ns)),
    column("p99 us", |row, _| micros(row, |sample| sample.p99_ns)),
    column("p99.9 us", |row, _| micros(row, |sample| sample.p999_ns)),
    column("max us", |row, _| longest(row)),
    column("CPU us", |row, _| format!("{:.2}", row.median(OpenLoopSample::cpu_micros))),
    column("sent late", |row, _| {
        format!("{:.2} %", 100.0 * row.median(OpenLoopSample::late_share))
    }),
];

/// Formats the table and how to read it. Empty without rows.
pub(super) fn section(rows: &[OpenLoopRow]) -> String {
    let rows: Vec<_> = rows.iter().collect();
    match table(&rows, &OPEN) {
        empty if empty.is_empty() => empty,
        table => format!("{table}\n{READING}{}\n", schedule_note(&rows)),
    }
}

const READING: &str = "\
Requests are sent at a fixed rate, a percentage of what the slowest server achieves in a closed loop.
Latency is measured from when a request was due. p50, p99 and p99.9 are medians of the rounds, max is
the maximum of all. `sent late` are the requests that the generator itself delayed.
";

fn schedule_note(rows: &[&OpenLoopRow]) -> String {
    let late = rows.iter().filter(|row| row.median(OpenLoopSample::late_share) > LATE_SHARE_MAX);
    let late: Vec<_> =
        late.map(|row| format!("{} at {} %", row.subject.name(), row.case.percent)).collect();
    let subjects = match late.len() {
        0 => return "The generator kept its schedule.".to_owned(),
        count if count == rows.len() => "all".to_owned(),
        _ => late.join(", "),
    };
    format!(
        "Warning: the generator was late in these rows, which inflates their latencies: {subjects}."
    )
}

fn micros(row: &OpenLoopRow, nanos: fn(&OpenLoopSample) -> u64) -> String {
    format!("{:.0}", row.median(|sample| per(nanos(sample), 1000)))
}

fn longest(row: &OpenLoopRow) -> String {
    let longest = row.samples.iter().map(|sample| sample.max_ns).max();
    format!("{:.0}", per(longest.unwrap_or_default(), 1000))
}
