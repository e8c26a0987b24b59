//! What the engine counts.

use crate::{
    near::NearCounts,
    outcome::{FlushCause, NotCached},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The counters of an engine at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineCounts {
    /// The near cache's counters.
    pub near: NearCounts,
    /// Pending fills that other readers can join.
    pub fills_in_flight: usize,
    /// Readers that joined a flight instead of asking the store or the origin again.
    pub flights_joined: u64,
    /// Invalidations that the feed delivered.
    pub invalidations: u64,
    /// Those of keys that were not cached.
    pub invalidations_uncached: u64,
    /// Epochs of the feed that have begun.
    pub epochs: u64,
    refused: [u64; NotCached::ALL.len()],
    flushes: [u64; FlushCause::ALL.len()],
}

impl EngineCounts {
    /// Returns how many replies were not cached, by reason.
    pub fn refused(&self) -> impl Iterator<Item = (NotCached, u64)> + '_ {
        NotCached::ALL.into_iter().zip(self.refused)
    }

    /// Returns how often the near cache was flushed, by cause.
    pub fn flushes(&self) -> impl Iterator<Item = (FlushCause, u64)> + '_ {
        FlushCause::ALL.into_iter().zip(self.flushes)
    }
}

#[derive(Default)]
pub(super) struct Counters {
    joined: AtomicU64,
    invalidated: AtomicU64,
    invalidated_uncached: AtomicU64,
    refused: [AtomicU64; NotCached::ALL.len()],
    flushes: [AtomicU64; FlushCause::ALL.len()],
}

impl Counters {
    pub(super) fn joined(&self) {
        self.joined.fetch_add(1, Relaxed);
    }

    pub(super) fn invalidated(&self, was_cached: bool) {
        self.invalidated.fetch_add(1, Relaxed);
        if !was_cached {
            self.invalidated_uncached.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn refused(&self, reason: NotCached) {
        count(&self.refused, reason as usize);
    }

    pub(super) fn flushed(&self, cause: FlushCause) {
        count(&self.flushes, cause as usize);
    }

    pub(super) fn read(
        &self,
        near: NearCounts,
        fills_in_flight: usize,
        epochs: u64,
    ) -> EngineCounts {
        EngineCounts {
            near,
            fills_in_flight,
            flights_joined: self.joined.load(Relaxed),
            invalidations: self.invalidated.load(Relaxed),
            invalidations_uncached: self.invalidated_uncached.load(Relaxed),
            epochs,
            refused: self.refused.each_ref().map(|counter| counter.load(Relaxed)),
            flushes: self.flushes.each_ref().map(|counter| counter.load(Relaxed)),
        }
    }
}

fn count(counters: &[AtomicU64], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.fetch_add(1, Relaxed);
    }
}
