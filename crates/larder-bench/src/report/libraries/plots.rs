//! Plots of the time and the memory of caches as bars.

use crate::cache_kind::CacheKind;
use crate::goals;
use crate::libraries::{CacheMemory, LibraryRow, Operation};
use crate::report::Plot;
use crate::report::libraries::{REFERENCE, column_name, nanos};
use crate::report::plot::{Bar, Bars, Group, of_cache};

/// Where the axis ends, relative to the slowest case of the reference.
const TIMES_REFERENCE_MAX: f64 = 4.0;

/// Plots the nanoseconds per operation in each case.
pub(super) fn times(rows: &[&LibraryRow], operation: Operation, keys: u32) -> Option<Plot> {
    let (file, label) = match operation {
        Operation::Hit => ("hits", "hit"),
        Operation::Insert => ("inserts", "miss and insertion"),
        Operation::Load => ("loads", "miss with one load for all waiting readers"),
        Operation::Clear => return None,
    };
    let references = rows.iter().filter(|row| row.subject == REFERENCE);
    let slowest = references.map(|row| nanos(row)).fold(0.0, f64::max);
    let bars = Bars {
        name: format!("libraries-{file}-{keys}"),
        title: format!("Time per {label}, {keys} keys: shorter is better"),
        axis: "nanoseconds: CPU time with one thread, elapsed time with two".to_owned(),
        is_log: false,
        end: if slowest > 0.0 { slowest * TIMES_REFERENCE_MAX } else { f64::INFINITY },
        groups: groups(rows, |row| time(row, rows)),
    };
    bars.plot()
}

/// Plots the nanoseconds to clear all entries.
pub(super) fn clears(rows: &[&LibraryRow]) -> Option<Plot> {
    let bars = Bars {
        name: "libraries-clears".to_owned(),
        title: "Time to clear: shorter is better".to_owned(),
        axis: "nanoseconds, logarithmic".to_owned(),
        is_log: true,
        end: f64::INFINITY,
        groups: groups(rows, |row| {
            let time = nanos(row);
            bar(row.subject, time, format_nanos(time))
        }),
    };
    bars.plot()
}

/// Plots the bytes per entry beyond its key and its value.
pub(super) fn memory(entries: &[CacheMemory]) -> Option<Plot> {
    let figure = |fresh: bool| {
        let bar = move |memory: &CacheMemory| {
            let growth = memory.growth;
            let reading = if fresh { growth.fresh } else { growth.replaced };
            let bytes = growth.overhead_bytes(&reading);
            let must = memory.cache.has_goals().then_some(goals::LIBRARY_ENTRY_BYTES.must);
            Bar { must, ..bar(memory.cache, bytes, format!("{bytes:.0} B")) }
        };
        entries.iter().map(bar).collect()
    };
    let bars = Bars {
        name: "libraries-bytes".to_owned(),
        title: "Memory per entry beyond its key and value: shorter is better".to_owned(),
        axis: "bytes per entry".to_owned(),
        is_log: false,
        end: f64::INFINITY,
        groups: vec![
            Group { name: "full for the first time".to_owned(), bars: figure(true) },
            Group { name: "all entries replaced".to_owned(), bars: figure(false) },
        ],
    };
    bars.plot()
}

/// Groups bars by case.
fn groups(rows: &[&LibraryRow], bar: impl Fn(&LibraryRow) -> Bar) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let name = column_name(&row.case);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.bars.push(bar(row)),
            None => groups.push(Group { name, bars: vec![bar(row)] }),
        }
    }
    groups
}

fn time(row: &LibraryRow, rows: &[&LibraryRow]) -> Bar {
    let time = nanos(row);
    let goal = goals::library(row.subject, row.case);
    let reference = row.row_of(rows, REFERENCE).map(nanos);
    let must = goal.zip(reference).map(|(goal, reference)| goal.must * reference);
    Bar { must, ..bar(row.subject, time, format_nanos(time)) }
}

fn bar(cache: CacheKind, value: f64, text: String) -> Bar {
    Bar { name: cache.name(), color: of_cache(cache), value, text, must: None }
}

fn format_nanos(nanos: f64) -> String {
    match nanos {
        nanos if nanos >= 1e6 => format!("{:.1} ms", nanos / 1e6),
        nanos if nanos >= 1e4 => format!("{:.1} us", nanos / 1e3),
        nanos => format!("{nanos:.0} ns"),
    }
}
