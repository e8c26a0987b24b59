//! Hits compared with the store, by the result of the comparison.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The result of comparing a hit with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Near cache and store had the same value.
    Match,
    /// They had different values: a fault.
    Mismatch,
    /// The key changed meanwhile, the store did not answer, or too many comparisons were queued.
    Inconclusive,
}

/// The counters.
#[derive(Default)]
pub(crate) struct VerifyStats {
    matching: AtomicU64,
    mismatching: AtomicU64,
    inconclusive: AtomicU64,
}

/// A snapshot of [`VerifyStats`].
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct VerifyCounts {
    #[serde(rename = "match")]
    pub(crate) matching: u64,
    #[serde(rename = "mismatch")]
    pub(crate) mismatching: u64,
    pub(crate) inconclusive: u64,
}

impl VerifyStats {
    pub(crate) fn count(&self, comparison: Comparison) {
        let counter = match comparison {
            Comparison::Match => &self.matching,
            Comparison::Mismatch => &self.mismatching,
            Comparison::Inconclusive => &self.inconclusive,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> VerifyCounts {
        VerifyCounts {
            matching: self.matching.load(Relaxed),
            mismatching: self.mismatching.load(Relaxed),
            inconclusive: self.inconclusive.load(Relaxed),
        }
    }
}
