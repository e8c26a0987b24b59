//! Hit ratios, as people read them.

mod plots;

use crate::caches::CacheKind;
use crate::goals;
use crate::hit_ratio::{RatioResults, RatioRow};
use crate::report::table::Table;
use crate::report::{Report, Verdict, facts, or_dash};

/// The report of a run.
pub fn report(results: &RatioResults) -> Report {
    let more = [("rows", format!("{} traces and sizes", results.rows.len()))];
    let mut report = Report {
        title: if results.made_up {
            "Hit ratios of made-up traces"
        } else {
            "Hit ratios of real traces"
        },
        facts: facts(&results.facts, more),
        sections: Vec::new(),
        verdicts: verdicts(results),
    };
    report.section("Part of the optimum, mean of all rows", plots::means(results), means(results));
    report.section("Hit ratios in percent", plots::ratios(results), ratios(results));
    let traces = if results.made_up { MADE_UP } else { REAL };
    report.section("How to read this", None, [READING, traces].concat());
    report
}

const READING: &str = "\
- Each cache keeps whatever it did not have, holds so many entries and no more, and has one shard:
  its policy alone decides.
- The optimum is Belady's: it knows the future, and may pass a value by.
";

const REAL: &str = "\
- The traces are those of LIRS, and two of the web from cache2k; the sizes lie in the range of the
  published comparisons.
";

const MADE_UP: &str = "\
- The traces are made up, as no folder with real ones was named: keys asked for unevenly, the same
  with other keys in favour from time to time, the same with scans in between, and a loop. They
  judge nobody.
";

fn means(results: &RatioResults) -> String {
    let mut table = Table::new(&["cache", "mean", "rows won", "rows behind quick_cache"]);
    for kind in CacheKind::policies() {
        let Some(mean) = results.mean_of_optimum(kind) else { continue };
        table.row([
            kind.name().to_owned(),
            format!("{mean:.3}"),
            results.rows.iter().filter(|row| is_best(row, kind)).count().to_string(),
            results.rows.iter().filter(|row| is_behind(row, kind)).count().to_string(),
        ]);
    }
    table.text()
}

/// Nobody has more hits.
fn is_best(row: &RatioRow, kind: CacheKind) -> bool {
    row.hits_of(kind) == row.hits.iter().map(|seen| seen.hits).max()
}

fn is_behind(row: &RatioRow, kind: CacheKind) -> bool {
    row.hits_of(kind) < row.hits_of(CacheKind::QuickCache)
}

fn ratios(results: &RatioResults) -> String {
    let kinds: Vec<_> = CacheKind::policies().collect();
    let mut heads = vec!["trace", "entries"];
    heads.extend(kinds.iter().map(|kind| kind.name()));
    heads.push("optimum");
    let mut table = Table::new(&heads);
    for row in &results.rows {
        let percent = |ratio: f64| format!("{:.2}", ratio * 100.0);
        let cells = kinds.iter().map(|kind| or_dash(row.ratio(*kind).map(percent)));
        table.row(
            [row.trace.clone(), row.entries.to_string()]
                .into_iter()
                .chain(cells)
                .chain([percent(row.optimum())]),
        );
    }
    table.text()
}

fn verdicts(results: &RatioResults) -> Vec<Verdict> {
    if results.made_up {
        return Vec::new();
    }
    let mean = |kind| results.mean_of_optimum(kind);
    let verdict = |(own, others): (f64, f64)| {
        let what = "larder: part of the optimum, mean of all rows".to_owned();
        let unit = format!("(quick_cache {others:.3})");
        Verdict::at_least(goals::hit_ratio(others), what, own, 3, &unit)
    };
    mean(CacheKind::Larder).zip(mean(CacheKind::QuickCache)).map(verdict).into_iter().collect()
}
