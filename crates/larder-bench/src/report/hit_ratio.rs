//! The report of hit ratios.

mod plots;

use crate::cache_kind::CacheKind;
use crate::goals;
use crate::hit_ratio::{RatioResults, RatioRow};
use crate::report::table::Table;
use crate::report::{Report, Verdict, environment, or_dash};

/// Returns the report of a run.
pub fn report(results: &RatioResults) -> Report {
    let more = [("rows", format!("{} traces and sizes", results.rows.len()))];
    let mut report = Report {
        title: if results.synthetic {
            "Hit ratios of synthetic traces"
        } else {
            "Hit ratios of real traces"
        },
        environment: environment(&results.environment, more),
        sections: Vec::new(),
        verdicts: verdicts(results),
    };
    report.section(
        "Fraction of the optimum, mean of all rows",
        plots::means(results),
        means(results),
    );
    report.section("Hit ratios in percent", plots::ratios(results), ratios(results));
    let traces = if results.synthetic { SYNTHETIC } else { REAL };
    report.section("How to read this", None, [READING, traces].concat());
    report
}

const READING: &str = "\
- Each cache inserts every key that it misses. It has one shard and holds exactly the given number
  of entries, so only its eviction policy makes a difference.
- The optimum is Belady's algorithm, which knows the future and may skip an insertion.
";

const REAL: &str = "\
- The traces are those of LIRS, and two web traces from cache2k. The sizes are in the range of
  published comparisons.
";

const SYNTHETIC: &str = "\
- The traces are synthetic, as no folder with real ones was given: a zipf distribution, the same with
  a changing set of popular keys, the same with scans, and a loop. They do not rank real caches.
";

fn means(results: &RatioResults) -> String {
    let mut table = Table::new(&["cache", "mean", "rows won", "rows below quick_cache"]);
    for kind in CacheKind::policies() {
        let Some(mean) = results.mean_of_optimum(kind) else { continue };
        table.row([
            kind.name().to_owned(),
            format!("{mean:.3}"),
            results.rows.iter().filter(|row| is_best(row, kind)).count().to_string(),
            results.rows.iter().filter(|row| is_below_quick_cache(row, kind)).count().to_string(),
        ]);
    }
    table.text()
}

/// Whether no cache has more hits.
fn is_best(row: &RatioRow, kind: CacheKind) -> bool {
    row.hits_of(kind) == row.hits.iter().map(|it| it.hits).max()
}

fn is_below_quick_cache(row: &RatioRow, kind: CacheKind) -> bool {
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
    if results.synthetic {
        return Vec::new();
    }
    let mean = |kind| results.mean_of_optimum(kind);
    let verdict = |(own, others): (f64, f64)| {
        let label = "larder: fraction of the optimum, mean of all rows".to_owned();
        let unit = format!("(quick_cache {others:.3})");
        Verdict::at_least(goals::hit_ratio(others), label, own, 3, &unit)
    };
    mean(CacheKind::Larder).zip(mean(CacheKind::QuickCache)).map(verdict).into_iter().collect()
}
