//! The report of comparing the near cache with other caches in one process.

mod plots;

use crate::cache_kind::CacheKind;
use crate::goals;
use crate::keys::Distribution;
use crate::libraries::{CacheMemory, Case, LibraryResults, LibraryRow, Operation};
use crate::numbers::median;
use crate::report::table::Table;
use crate::report::{Report, Verdict, environment, or_dash, percent};

/// The cache that the others are compared with.
const REFERENCE: CacheKind = CacheKind::QuickCache;

/// Returns the report of a run.
pub fn report(results: &LibraryResults) -> Report {
    let plan = &results.plan;
    let quick = plan.quick.then(|| ("quick run", "rougher, and without clearing".to_owned()));
    let more = [
        ("pinned", pinned(results)),
        ("size of the run", format!("{} rounds of {} ms each", plan.rounds, plan.round_millis)),
        ("noise", noise(results)),
    ];
    let mut report = Report {
        title: "The near cache beside other caches, in one process",
        environment: environment(&results.environment, more.into_iter().chain(quick)),
        sections: Vec::new(),
        verdicts: verdicts(results),
    };
    for (operation, name) in TIMED {
        for &keys in &plan.keys {
            let heading = format!("Nanoseconds per {name}, {keys} keys");
            let rows = rows(results, operation, keys);
            report.section(heading, plots::times(&rows, operation, keys), times(&rows));
        }
    }
    let clears: Vec<_> =
        plan.keys.iter().flat_map(|&keys| rows(results, Operation::Clear, keys)).collect();
    report.section("Nanoseconds per clearing", plots::clears(&clears), times(&clears));
    report.section("Bytes per entry", plots::memory(&results.entries), memory(&results.entries));
    report.section("How to read this", None, READING.to_owned());
    report
}

const TIMED: [(Operation, &str); 3] = [
    (Operation::Hit, "hit"),
    (Operation::Insert, "miss and insertion, full cache"),
    (Operation::Load, "miss with one load for all waiting readers, full cache"),
];

const READING: &str = "\
- Keys have 25 bytes, values 100. Each cache has the hasher and the shards that its authors chose.
- Times with one thread are CPU time. Times with two threads are elapsed time, in the median block
  of 1024 operations. In brackets: the ratio to quick_cache in the same rounds.
- `near cache` is Larder's near cache by itself, with entries that do not expire. `larder` is the
  engine that keeps it coherent with a store, with entries that live for an hour.
- A hit copies the value out and checks it. `larder` reads in batches of 16, as from a pipeline;
  `larder, unbatched` looks at the clock for each read.
- A miss makes the value, inserts it and copies it out. The engine takes a lease first, so that a
  value that has changed meanwhile is not cached; the other caches insert without one. With one load
  for all waiting readers, concurrent misses of one key wait for that load, as they do in the engine
  in front of a slow store. quick_cache and moka offer that as well.
- Clearing is the call alone. Larder and moka free the memory later.
- Bytes are what a separate process grew by, less key and value: `fresh` after as many insertions as
  there is room for, of which `entries` stayed; `replaced` after as many further ones.
";

fn pinned(results: &LibraryResults) -> String {
    let environment = &results.environment;
    format!(
        "the first thread to core {}, the second to core {}",
        environment.server_core, environment.generator_core
    )
}

/// Returns the median of the compared figure.
fn nanos(row: &LibraryRow) -> f64 {
    row.median(|sample| row.case.nanos(sample))
}

fn ratio_to(row: &LibraryRow, other: &LibraryRow) -> f64 {
    row.ratio_to(other, |sample| row.case.nanos(sample))
}

fn spread(row: &LibraryRow) -> f64 {
    row.spread_of(|sample| row.case.nanos(sample))
}

fn noise(results: &LibraryResults) -> String {
    let timed = || results.rows.iter().filter(|row| row.case.operation != Operation::Clear);
    let worst = timed().max_by(|one, other| spread(one).total_cmp(&spread(other)));
    let Some(worst) = worst else { return "unknown".to_owned() };
    format!(
        "the rounds of a row differ by {} in the median, by {} at most ({}, {})",
        percent(median(timed().map(spread))),
        percent(spread(worst)),
        worst.subject.name(),
        worst.case,
    )
}

fn rows(results: &LibraryResults, operation: Operation, keys: u32) -> Vec<&LibraryRow> {
    let rows = results.rows.iter();
    rows.filter(|row| row.case.operation == operation && row.case.keys == keys).collect()
}

/// Formats a table with one row per cache and one column per case.
fn times(rows: &[&LibraryRow]) -> String {
    let mut cases: Vec<Case> = Vec::new();
    for row in rows {
        if !cases.contains(&row.case) {
            cases.push(row.case);
        }
    }
    let header =
        ["cache".to_owned()].into_iter().chain(cases.iter().map(column_name)).collect::<Vec<_>>();
    let mut table = Table::new(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for kind in CacheKind::ALL {
        let of_kind =
            |case: &Case| rows.iter().find(|row| row.subject == kind && row.case == *case);
        let cells: Vec<_> =
            cases.iter().map(|case| of_kind(case).map(|row| cell(row, rows))).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(or_dash);
            table.row([kind.name().to_owned()].into_iter().chain(cells));
        }
    }
    table.text()
}

fn column_name(case: &Case) -> String {
    let threads = if case.threads == 1 { "1 thread" } else { &format!("{} threads", case.threads) };
    match (case.operation, case.distribution) {
        (Operation::Clear, _) => format!("{} keys", case.keys),
        (_, Some(Distribution::Zipf)) => format!("zipf, {threads}"),
        (_, Some(Distribution::Uniform)) => format!("uniform, {threads}"),
        (_, None) => threads.to_owned(),
    }
}

/// Formats nanoseconds and the ratio to the reference: `28.3 (1.00)`.
fn cell(row: &LibraryRow, rows: &[&LibraryRow]) -> String {
    let time = nanos(row);
    let digits = usize::from(time < 1000.0);
    let ratio = row.row_of(rows, REFERENCE).map(|reference| ratio_to(row, reference));
    let ratio = ratio
        .map(|ratio| if ratio < 0.01 { format!("{ratio:.0e}") } else { format!("{ratio:.2}") });
    format!("{time:.digits$} ({})", or_dash(ratio))
}

fn memory(entries: &[CacheMemory]) -> String {
    let mut table = Table::new(&["cache", "entries", "fresh", "replaced"]);
    for CacheMemory { cache, growth } in entries {
        table.row([
            cache.name().to_owned(),
            growth.fresh.items.to_string(),
            format!("{:.0}", growth.overhead_bytes(&growth.fresh)),
            format!("{:.0}", growth.overhead_bytes(&growth.replaced)),
        ]);
    }
    table.text()
}

fn verdicts(results: &LibraryResults) -> Vec<Verdict> {
    let all: Vec<&LibraryRow> = results.rows.iter().collect();
    let ours = || all.iter().copied().filter(|row| row.subject.has_goals());
    let mut verdicts: Vec<_> = ours().filter_map(|row| time(row, &all)).collect();
    verdicts.extend(ours().filter_map(|row| clearing(row, &all)));
    for CacheMemory { cache, growth } in results.entries.iter().filter(|it| it.cache.has_goals()) {
        for (when, reading) in [("fresh", &growth.fresh), ("replaced", &growth.replaced)] {
            let label = format!("{}: bytes per entry, {when}", cache.name());
            let bytes = growth.overhead_bytes(reading);
            verdicts.push(Verdict::at_most(goals::LIBRARY_ENTRY_BYTES, label, bytes, 0, "B"));
        }
    }
    verdicts
}

fn time(row: &LibraryRow, all: &[&LibraryRow]) -> Option<Verdict> {
    let goal = goals::library(row.subject, row.case)?;
    let reference = row.row_of(all, REFERENCE)?;
    let label = format!("{}: {}", row.subject.name(), row.case);
    let unit = format!("x quick_cache (spread {})", percent(spread(row)));
    Some(Verdict::at_most(goal, label, ratio_to(row, reference), 2, &unit))
}

/// Compares how the time to clear grows with the number of entries: 1 means linearly.
fn clearing(row: &LibraryRow, all: &[&LibraryRow]) -> Option<Verdict> {
    let smaller = |other: &&&LibraryRow| {
        other.subject == row.subject
            && other.case.operation == Operation::Clear
            && other.case.keys < row.case.keys
    };
    let smaller = all.iter().find(smaller).filter(|_| row.case.operation == Operation::Clear)?;
    let (time, smaller_time) = (nanos(row), nanos(smaller));
    let more = f64::from(row.case.keys) / f64::from(smaller.case.keys);
    let label = format!("{}: {}, against {} keys", row.subject.name(), row.case, smaller.case.keys);
    let unit = format!("of linear ({smaller_time:.0} ns, then {time:.0} ns)");
    Some(Verdict::at_most(goals::CLEAR_GROWTH, label, time / smaller_time / more, 2, &unit))
}
