//! Results of replaying traces against caches of a fixed size.

use serde::{Deserialize, Serialize};

use crate::cache_kind::CacheKind;
use crate::environment::Environment;
use crate::numbers::per;

/// The results of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RatioResults {
    /// The machine and the versions of the crates.
    pub environment: Environment,
    /// Whether the traces were synthetic, as no folder of real ones was given.
    #[serde(default)]
    pub synthetic: bool,
    /// One row per trace and size.
    pub rows: Vec<RatioRow>,
}

/// One trace, replayed against caches of one size.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RatioRow {
    /// The name of the trace.
    pub trace: String,
    /// The number of entries that each cache may hold.
    pub entries: u32,
    /// The number of reads in the trace.
    pub reads: u64,
    /// The hits of the optimal policy, which knows the future.
    pub optimum_hits: u64,
    /// The hits of each cache.
    pub hits: Vec<Hits>,
}

/// The hits of one cache.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Hits {
    /// The cache.
    pub cache: CacheKind,
    /// The reads that it answered.
    pub hits: u64,
}

impl RatioRow {
    /// Returns the hits of a cache; `None` if it was not measured.
    pub fn hits_of(&self, cache: CacheKind) -> Option<u64> {
        self.hits.iter().find(|row| row.cache == cache).map(|row| row.hits)
    }

    /// Returns the hit ratio of a cache.
    pub fn ratio(&self, cache: CacheKind) -> Option<f64> {
        self.hits_of(cache).map(|hits| per(hits, self.reads))
    }

    /// Returns the hit ratio of the optimal policy.
    pub fn optimum(&self) -> f64 {
        per(self.optimum_hits, self.reads)
    }
}

impl RatioResults {
    /// Returns the hits of a cache as a fraction of the optimum, averaged over all rows; `None`
    /// without any row.
    pub fn mean_of_optimum(&self, cache: CacheKind) -> Option<f64> {
        let rows = self.rows.iter().filter_map(|row| Some((row, row.hits_of(cache)?)));
        let fractions: Vec<f64> = rows.map(|(row, hits)| per(hits, row.optimum_hits)).collect();
        let count = u32::try_from(fractions.len()).ok().filter(|count| *count > 0)?;
        Some(fractions.iter().sum::<f64>() / f64::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::Cores;

    #[test]
    fn every_row_has_the_same_weight_in_the_mean() {
        let row = |reads, optimum_hits, hits| RatioRow {
            trace: "synthetic".to_owned(),
            entries: 1,
            reads,
            optimum_hits,
            hits: vec![Hits { cache: CacheKind::Moka, hits }],
        };
        let environment = Environment::of_machine(Cores { server: 0, generator: 0, allowed: 1 });
        let rows = vec![row(1000, 10, 10), row(10, 8, 4)];
        let results = RatioResults { environment, synthetic: false, rows };
        let mean = results.mean_of_optimum(CacheKind::Moka).unwrap();
        assert!((mean - 0.75).abs() < 1e-9, "{mean}");
        assert_eq!(results.mean_of_optimum(CacheKind::Lru), None);
    }
}
