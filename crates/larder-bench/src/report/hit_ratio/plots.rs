//! Plots of hit ratios as lines, and of their means as bars.

use crate::cache_kind::CacheKind;
use crate::hit_ratio::{RatioResults, RatioRow};
use crate::report::Plot;
use crate::report::plot::{Bar, Bars, Group, Line, Lines, Panel, of_cache};

/// Plots the mean fractions of the optimum.
pub(super) fn means(results: &RatioResults) -> Option<Plot> {
    let bar = |cache: CacheKind| {
        let value = results.mean_of_optimum(cache)?;
        let text = format!("{value:.3}");
        Some(Bar { name: cache.name(), color: of_cache(cache), value, text, must: None })
    };
    let bars = CacheKind::policies().filter_map(bar).collect();
    let bars = Bars {
        name: "hit-ratio-means".to_owned(),
        title: "Hits as a fraction of the optimum, mean of all traces and sizes: longer is better"
            .to_owned(),
        axis: "hits as a fraction of those of the optimal policy".to_owned(),
        is_log: false,
        end: f64::INFINITY,
        groups: vec![Group { name: format!("{} traces and sizes", results.rows.len()), bars }],
    };
    bars.plot()
}

/// Plots hit ratios by size, in one panel per trace.
pub(super) fn ratios(results: &RatioResults) -> Option<Plot> {
    let caches: Vec<_> = CacheKind::policies().collect();
    let line = |cache: &CacheKind| Line { name: cache.name(), color: Some(of_cache(*cache)) };
    let optimum = Line { name: "optimum", color: None };
    let lines = Lines {
        name: "hit-ratio-traces".to_owned(),
        title: "Hit ratios by trace and size: higher is better".to_owned(),
        axes: ("entries in the cache".to_owned(), "hits, % of reads".to_owned()),
        series: caches.iter().map(line).chain([optimum]).collect(),
        panels: traces(results).into_iter().map(|rows| panel(&rows, &caches)).collect(),
    };
    lines.plot()
}

fn traces(results: &RatioResults) -> Vec<Vec<&RatioRow>> {
    let rows: Vec<_> = results.rows.iter().collect();
    rows.chunk_by(|one, other| one.trace == other.trace).map(<[_]>::to_vec).collect()
}

fn panel(rows: &[&RatioRow], caches: &[CacheKind]) -> Panel {
    let points = |ratio: &dyn Fn(&RatioRow) -> Option<f64>| {
        let point = |row: &&RatioRow| Some((f64::from(row.entries), 100.0 * ratio(row)?));
        rows.iter().filter_map(point).collect::<Vec<_>>()
    };
    let of_cache = |cache: &CacheKind| points(&|row| row.ratio(*cache));
    let optimum = points(&|row| Some(row.optimum()));
    Panel {
        name: rows.first().map(|row| row.trace.clone()).unwrap_or_default(),
        points: caches.iter().map(of_cache).chain([optimum]).collect(),
    }
}
