//! The figures of a run, as they were counted.

use serde::{Deserialize, Serialize};

use crate::caches::CacheKind;
use crate::facts::Facts;
use crate::numbers::per;

/// Everything that a run has found.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RatioResults {
    /// The machine and the crates.
    pub facts: Facts,
    /// Whether the traces were made up, as there were no real ones.
    #[serde(default)]
    pub made_up: bool,
    /// One per trace and size.
    pub rows: Vec<RatioRow>,
}

/// One trace, played to caches of one size.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RatioRow {
    /// The trace's name.
    pub trace: String,
    /// Entries that each cache may hold.
    pub entries: u32,
    /// Reads in the trace.
    pub reads: u64,
    /// Hits of one who knows the future.
    pub optimum_hits: u64,
    /// Hits of each cache.
    pub hits: Vec<Hits>,
}

/// How many reads a cache answered.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Hits {
    /// The cache.
    pub cache: CacheKind,
    /// Reads that were answered from memory.
    pub hits: u64,
}

impl RatioRow {
    /// The hits of one cache, if it took part.
    pub fn hits_of(&self, cache: CacheKind) -> Option<u64> {
        self.hits.iter().find(|seen| seen.cache == cache).map(|seen| seen.hits)
    }

    /// The part of the reads that it answered.
    pub fn ratio(&self, cache: CacheKind) -> Option<f64> {
        self.hits_of(cache).map(|hits| per(hits, self.reads))
    }

    /// The part that could have been answered.
    pub fn optimum(&self) -> f64 {
        per(self.optimum_hits, self.reads)
    }
}

impl RatioResults {
    /// A cache's part of the optimum, in the mean of all rows; `None` without any.
    pub fn mean_of_optimum(&self, cache: CacheKind) -> Option<f64> {
        let parts = self.rows.iter().filter_map(|row| Some((row, row.hits_of(cache)?)));
        let parts: Vec<f64> = parts.map(|(row, hits)| per(hits, row.optimum_hits)).collect();
        let count = u32::try_from(parts.len()).ok().filter(|count| *count > 0)?;
        Some(parts.iter().sum::<f64>() / f64::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_counts_alike_in_the_mean() {
        let row = |reads, optimum_hits, hits| RatioRow {
            trace: "made up".to_owned(),
            entries: 1,
            reads,
            optimum_hits,
            hits: vec![Hits { cache: CacheKind::Moka, hits }],
        };
        let facts = Facts::of_machine(crate::cores::Cores { server: 0, generator: 0, allowed: 1 });
        let results =
            RatioResults { facts, made_up: false, rows: vec![row(1000, 10, 10), row(10, 8, 4)] };
        let mean = results.mean_of_optimum(CacheKind::Moka).unwrap();
        assert!((mean - 0.75).abs() < 1e-9, "{mean}");
        assert_eq!(results.mean_of_optimum(CacheKind::Lru), None);
    }
}
