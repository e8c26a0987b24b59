//! Sampling of hits: one in so many is compared with the store (`near-verify`).
//!
//! A hit is only noted here; [`background::verify`](crate::background) compares it.

use crate::stats::verify::{Comparison, VerifyCounts, VerifyStats};
use larder_core::Key;
use std::{
    num::NonZeroU64,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::sync::mpsc;

/// Maximum samples that wait to be compared. Further ones count as inconclusive.
const QUEUED_MAX: usize = 64;

/// Takes the samples.
pub(crate) struct Verifier {
    /// One hit in so many is compared.
    every: NonZeroU64,
    hits: AtomicU64,
    samples: mpsc::Sender<Sample>,
    stats: VerifyStats,
}

/// A key that was served from the near cache.
pub(crate) struct Sample {
    name: Box<[u8]>,
    keyspace: u32,
    variant: Box<[u8]>,
}

impl Sample {
    pub(crate) fn key(&self) -> Key<'_> {
        Key { name: &self.name, keyspace: self.keyspace, variant: &self.variant }
    }
}

impl Verifier {
    /// Creates a verifier and the queue that its samples arrive in.
    pub(crate) fn new(every: NonZeroU64) -> (Self, mpsc::Receiver<Sample>) {
        let (samples, queue) = mpsc::channel(QUEUED_MAX);
        (Self { every, hits: AtomicU64::new(0), samples, stats: VerifyStats::default() }, queue)
    }

    /// Counts hits, and returns whether one of them is to be compared.
    pub(crate) fn is_due(&self, hits: u64) -> bool {
        let before = self.hits.fetch_add(hits, Relaxed);
        before / self.every != before.wrapping_add(hits) / self.every
    }

    /// Queues a key for comparison.
    pub(crate) fn compare(&self, key: Key<'_>) {
        let Key { name, keyspace, variant } = key;
        let sample = Sample { name: name.into(), keyspace, variant: variant.into() };
        if self.samples.try_send(sample).is_err() {
            self.record(Comparison::Inconclusive);
        }
    }

    pub(crate) fn record(&self, comparison: Comparison) {
        self.stats.count(comparison);
    }

    pub(crate) fn counts(&self) -> VerifyCounts {
        self.stats.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hit_in_a_hundred_is_due() {
        let (verifier, _queue) = Verifier::new(NonZeroU64::new(100).unwrap());
        let due = (0..1000).filter(|_| verifier.is_due(1)).count();
        assert_eq!(due, 10);
        assert!(!verifier.is_due(0) && verifier.is_due(250));
    }
}
