//! The near tier beside other caches, as people read it.

mod plots;

use crate::caches::CacheKind;
use crate::goals;
use crate::libraries::{Case, LibraryResults, LibraryRow, Memory, Pick, Work};
use crate::numbers::median;
use crate::report::table::Table;
use crate::report::{Report, Verdict, facts, or_dash, percent};

/// With what others are compared.
const MEASURE: CacheKind = CacheKind::QuickCache;

/// The report of a run.
pub fn report(results: &LibraryResults) -> Report {
    let plan = &results.plan;
    let quick = plan.quick.then(|| ("quick run", "rougher, and nothing is cleared".to_owned()));
    let more = [
        ("pinned", pinned(results)),
        ("size of the run", format!("{} rounds of {} ms each", plan.rounds, plan.round_millis)),
        ("noise", noise(results)),
    ];
    let mut report = Report {
        title: "The near tier beside other caches, in one process",
        facts: facts(&results.facts, more.into_iter().chain(quick)),
        sections: Vec::new(),
        verdicts: verdicts(results),
    };
    for (work, name) in TIMED {
        for &keys in &plan.keys {
            let heading = format!("Nanoseconds per {name}, {keys} keys");
            let rows = rows(results, work, keys);
            report.section(heading, plots::times(&rows, work, keys), times(&rows));
        }
    }
    let clears: Vec<_> =
        plan.keys.iter().flat_map(|&keys| rows(results, Work::Clear, keys)).collect();
    report.section("Nanoseconds per clearing", plots::clears(&clears), times(&clears));
    report.section("Bytes per entry", plots::memory(&results.entries), memory(&results.entries));
    report.section("How to read this", None, READING.to_owned());
    report
}

const TIMED: [(Work, &str); 3] = [
    (Work::Hit, "hit"),
    (Work::Insert, "miss and insertion, full cache"),
    (Work::Load, "miss that is loaded for all who wait, full cache"),
];

const READING: &str = "\
- Keys have 25 bytes, values 100. Each cache has the hasher and the shards of its authors.
- With one thread CPU time is counted, with two the time that passes, in the middle one of all
  blocks of 1024; in brackets against that of quick_cache in the same rounds.
- `near tier` is that of Larder by itself, of entries without a time to live; `larder` is the engine
  that keeps it true to a store, of entries that live for an hour.
- A hit copies the value out, and is checked. `larder` reads in batches of 16, as from a pipeline;
  `larder, one by one` looks at the clock for each read.
- A miss is a read that finds nothing; then the value is made, kept, and copied out for whoever
  read. The engine takes a lease for that, which keeps out what a change has overtaken; all others
  insert without. Where a load is for all who wait, those who read the key meanwhile wait for the
  same load, as the engine does it before a store that takes its time; quick_cache and moka can be
  asked for that as well.
- Clearing is the call alone: Larder and moka give the memory back later.
- Bytes are what a process of its own grew by, less key and value: `fresh` when as many entries had
  come as there is room for, of which `entries` were held; `replaced` when as many others had
  followed.
";

fn pinned(results: &LibraryResults) -> String {
    let facts = &results.facts;
    format!(
        "the first thread to core {}, the second to core {}",
        facts.server_core, facts.generator_core
    )
}

/// The median of the figure that counts.
fn nanos(row: &LibraryRow) -> f64 {
    row.median(|sample| row.case.nanos(sample))
}

fn against(row: &LibraryRow, other: &LibraryRow) -> f64 {
    row.against(other, |sample| row.case.nanos(sample))
}

fn spread(row: &LibraryRow) -> f64 {
    row.spread_of(|sample| row.case.nanos(sample))
}

fn noise(results: &LibraryResults) -> String {
    let timed = || results.rows.iter().filter(|row| row.case.work != Work::Clear);
    let worst = timed().max_by(|one, other| spread(one).total_cmp(&spread(other)));
    let Some(worst) = worst else { return "unknown".to_owned() };
    format!(
        "the rounds of a row lie {} apart in the median, {} at most ({}, {})",
        percent(median(timed().map(spread))),
        percent(spread(worst)),
        worst.who.name(),
        worst.case,
    )
}

fn rows(results: &LibraryResults, work: Work, keys: u32) -> Vec<&LibraryRow> {
    let rows = results.rows.iter();
    rows.filter(|row| row.case.work == work && row.case.keys == keys).collect()
}

/// Caches downwards, cases to the right.
fn times(rows: &[&LibraryRow]) -> String {
    let mut cases: Vec<Case> = Vec::new();
    for row in rows {
        if !cases.contains(&row.case) {
            cases.push(row.case);
        }
    }
    let heads = ["cache".to_owned()].into_iter().chain(cases.iter().map(head)).collect::<Vec<_>>();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for kind in CacheKind::ALL {
        let of_kind = |case: &Case| rows.iter().find(|row| row.who == kind && row.case == *case);
        let cells: Vec<_> =
            cases.iter().map(|case| of_kind(case).map(|row| cell(row, rows))).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(or_dash);
            table.row([kind.name().to_owned()].into_iter().chain(cells));
        }
    }
    table.text()
}

fn head(case: &Case) -> String {
    let threads = if case.threads == 1 { "1 thread" } else { &format!("{} threads", case.threads) };
    match (case.work, case.pick) {
        (Work::Clear, _) => format!("{} keys", case.keys),
        (_, Some(Pick::Zipf)) => format!("zipf, {threads}"),
        (_, Some(Pick::Uniform)) => format!("uniform, {threads}"),
        (_, None) => threads.to_owned(),
    }
}

/// `28.3 (1.00)`: nanoseconds, and against the others' measure.
fn cell(row: &LibraryRow, rows: &[&LibraryRow]) -> String {
    let time = nanos(row);
    let digits = usize::from(time < 1000.0);
    let against = row.peer(rows, MEASURE).map(|peer| against(row, peer));
    let against = against
        .map(|ratio| if ratio < 0.01 { format!("{ratio:.0e}") } else { format!("{ratio:.2}") });
    format!("{time:.digits$} ({})", or_dash(against))
}

fn memory(entries: &[Memory]) -> String {
    let mut table = Table::new(&["cache", "entries", "fresh", "replaced"]);
    for Memory { cache, growth } in entries {
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
    let ours = || all.iter().copied().filter(|row| row.who.has_goals());
    let mut verdicts: Vec<_> = ours().filter_map(|row| time(row, &all)).collect();
    verdicts.extend(ours().filter_map(|row| clearing(row, &all)));
    for Memory { cache, growth } in results.entries.iter().filter(|it| it.cache.has_goals()) {
        for (when, held) in [("fresh", &growth.fresh), ("replaced", &growth.replaced)] {
            let what = format!("{}: bytes per entry, {when}", cache.name());
            let bytes = growth.overhead_bytes(held);
            verdicts.push(Verdict::at_most(goals::LIBRARY_ENTRY_BYTES, what, bytes, 0, "B"));
        }
    }
    verdicts
}

fn time(row: &LibraryRow, all: &[&LibraryRow]) -> Option<Verdict> {
    let goal = goals::library(row.who, row.case)?;
    let peer = row.peer(all, MEASURE)?;
    let what = format!("{}: {}", row.who.name(), row.case);
    let unit = format!("x quick_cache (spread {})", percent(spread(row)));
    Some(Verdict::at_most(goal, what, against(row, peer), 2, &unit))
}

/// How clearing grows with the entries: 1 if it takes a hundred times as long for as many more.
fn clearing(row: &LibraryRow, all: &[&LibraryRow]) -> Option<Verdict> {
    let smaller = |other: &&&LibraryRow| {
        other.who == row.who && other.case.work == Work::Clear && other.case.keys < row.case.keys
    };
    let smaller = all.iter().find(smaller).filter(|_| row.case.work == Work::Clear)?;
    let (time, smaller_time) = (nanos(row), nanos(smaller));
    let more = f64::from(row.case.keys) / f64::from(smaller.case.keys);
    let what = format!("{}: {}, against {} keys", row.who.name(), row.case, smaller.case.keys);
    let unit = format!("of linear ({smaller_time:.0} ns, then {time:.0} ns)");
    Some(Verdict::at_most(goals::CLEAR_GROWTH, what, time / smaller_time / more, 2, &unit))
}
