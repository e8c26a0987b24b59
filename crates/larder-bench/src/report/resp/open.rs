//! Latency at a fixed rate, as people read it.

use crate::measure::{OpenRow, OpenSample};
use crate::numbers::per;
use crate::report::resp::tables::{Column, column, table};

/// More requests than these that the generator sent too late, and the slowest of all are its own.
const LATE_SHARE_MAX: f64 = 0.001;

const OPEN: [Column<OpenRow>; 9] = [
    column("load", |row, _| format!("{} %", row.case.percent)),
    column("req/s", |row, _| row.case.per_second.to_string()),
    column("server", |row, _| row.who.name().to_owned()),
    column("p50 us", |row, _| micros(row, |sample| sample.p50_ns)),
    column("p99 us", |row, _| micros(row, |sample| sample.p99_ns)),
    column("p99.9 us", |row, _| micros(row, |sample| sample.p999_ns)),
    column("max us", |row, _| longest(row)),
    column("CPU us", |row, _| format!("{:.2}", row.median(OpenSample::cpu_micros))),
    column("sent late", |row, _| format!("{:.2} %", 100.0 * row.median(OpenSample::late_share))),
];

/// The table, and what a reader must know of it; nothing without rows.
pub(super) fn open(rows: &[OpenRow]) -> String {
    let rows: Vec<_> = rows.iter().collect();
    match table(&rows, &OPEN) {
        empty if empty.is_empty() => empty,
        table => format!("{table}\n{READING}{}\n", kept(&rows)),
    }
}

const READING: &str = "\
Requests are sent at a fixed rate, a part of what the slowest of all does in a closed loop; latency
counts from when a request was due. p50, p99 and p99.9 are medians of the rounds, max is the longest
of all. `sent late` are those that the generator itself kept back.
";

fn kept(rows: &[&OpenRow]) -> String {
    let late = rows.iter().filter(|row| row.median(OpenSample::late_share) > LATE_SHARE_MAX);
    let late: Vec<_> =
        late.map(|row| format!("{} at {} %", row.who.name(), row.case.percent)).collect();
    let who = match late.len() {
        0 => return "The generator kept its schedule.".to_owned(),
        count if count == rows.len() => "all of them".to_owned(),
        _ => late.join(", "),
    };
    format!(
        "BEWARE: the generator did not keep its own schedule, which is in the figures of {who}."
    )
}

fn micros(row: &OpenRow, nanos: fn(&OpenSample) -> u64) -> String {
    format!("{:.0}", row.median(|sample| per(nanos(sample), 1000)))
}

fn longest(row: &OpenRow) -> String {
    let longest = row.samples.iter().map(|sample| sample.max_ns).max();
    format!("{:.0}", per(longest.unwrap_or_default(), 1000))
}
