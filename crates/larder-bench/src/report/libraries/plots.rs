//! Time and memory of caches as bars.

use crate::goals;
use crate::libraries::{LibraryRow, Memory, Work};
use crate::report::Plot;
use crate::report::libraries::{MEASURE, head, nanos};
use crate::report::plot::{Bar, Bars, Group, colour};

/// Where the bars of the slowest end: so many times what most of them need.
const TIMES_MEASURE_MAX: f64 = 4.0;

/// Nanoseconds for one, under each load.
pub(super) fn times(rows: &[&LibraryRow], work: Work, keys: u32) -> Option<Plot> {
    let (file, what) = match work {
        Work::Hit => ("hits", "hit"),
        Work::Insert => ("inserts", "miss and insertion"),
        Work::Load => ("loads", "miss that is loaded for all who wait"),
        Work::Clear => return None,
    };
    let measure = rows.iter().filter(|row| row.who == MEASURE);
    let slowest = measure.map(|row| nanos(row)).fold(0.0, f64::max);
    let bars = Bars {
        name: format!("libraries-{file}-{keys}"),
        title: format!("Time per {what}, {keys} keys: shorter is better"),
        axis: "nanoseconds: CPU time of one thread, time that passes for two".to_owned(),
        is_log: false,
        end: if slowest > 0.0 { slowest * TIMES_MEASURE_MAX } else { f64::INFINITY },
        groups: groups(rows, |row| time(row, rows)),
    };
    bars.plot()
}

/// Nanoseconds for all entries.
pub(super) fn clears(rows: &[&LibraryRow]) -> Option<Plot> {
    let bars = Bars {
        name: "libraries-clears".to_owned(),
        title: "Time to clear: shorter is better".to_owned(),
        axis: "nanoseconds, in powers of ten".to_owned(),
        is_log: true,
        end: f64::INFINITY,
        groups: groups(rows, |row| {
            let time = nanos(row);
            bar(row.who, time, spoken(time))
        }),
    };
    bars.plot()
}

/// Bytes beside an entry's own.
pub(super) fn memory(entries: &[Memory]) -> Option<Plot> {
    let figure = |fresh: bool| {
        let bar = move |memory: &Memory| {
            let growth = memory.growth;
            let held = if fresh { growth.fresh } else { growth.replaced };
            let bytes = growth.overhead_bytes(&held);
            let must = memory.cache.has_goals().then_some(goals::LIBRARY_ENTRY_BYTES.must);
            Bar { must, ..bar(memory.cache, bytes, format!("{bytes:.0} B")) }
        };
        entries.iter().map(bar).collect()
    };
    let bars = Bars {
        name: "libraries-bytes".to_owned(),
        title: "Memory per entry beside its key and value: shorter is better".to_owned(),
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

/// Bars by the heads of their cases.
fn groups(rows: &[&LibraryRow], bar: impl Fn(&LibraryRow) -> Bar) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let name = head(&row.case);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.bars.push(bar(row)),
            None => groups.push(Group { name, bars: vec![bar(row)] }),
        }
    }
    groups
}

fn time(row: &LibraryRow, rows: &[&LibraryRow]) -> Bar {
    let time = nanos(row);
    let goal = goals::library(row.who, row.case);
    let measure = row.peer(rows, MEASURE).map(nanos);
    let must = goal.zip(measure).map(|(goal, measure)| goal.must * measure);
    Bar { must, ..bar(row.who, time, spoken(time)) }
}

fn bar(cache: crate::caches::CacheKind, value: f64, text: String) -> Bar {
    Bar { name: cache.name(), colour: colour(cache), value, text, must: None }
}

fn spoken(nanos: f64) -> String {
    match nanos {
        nanos if nanos >= 1e6 => format!("{:.1} ms", nanos / 1e6),
        nanos if nanos >= 1e4 => format!("{:.1} us", nanos / 1e3),
        nanos => format!("{nanos:.0} ns"),
    }
}
