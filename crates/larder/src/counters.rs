//! What a cache counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of a cache at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Lookups that found something in memory, stale values and absent ones included.
    pub hits: u64,
    /// Lookups that found nothing in memory. A call that loads may look twice.
    pub misses: u64,
    /// Loads that ran. A load of many keys counts once.
    pub loads: u64,
    /// Loads that ended with an error, a panic or a time-out.
    pub load_failures: u64,
    /// Calls that waited for the load of another call.
    pub joined: u64,
    /// Stale values that a policy served.
    pub stale: u64,
    /// Entries in memory, expired ones that have not been removed yet included.
    pub entries: u64,
    /// Bytes that they take, all bookkeeping included.
    pub bytes: u64,
    /// Entries that were evicted because the cache was full.
    pub evicted: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    loads: AtomicU64,
    load_failures: AtomicU64,
    stale: AtomicU64,
}

impl Counters {
    pub(crate) fn load(&self) {
        self.loads.fetch_add(1, Relaxed);
    }

    pub(crate) fn failure(&self) {
        self.load_failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn stale(&self) {
        self.stale.fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self, engine: &larder_core::EngineCounts) -> CacheStats {
        CacheStats {
            hits: engine.near.hits,
            misses: engine.near.misses,
            loads: self.loads.load(Relaxed),
            load_failures: self.load_failures.load(Relaxed),
            joined: engine.flights_joined,
            stale: self.stale.load(Relaxed),
            entries: engine.near.items,
            bytes: engine.near.bytes,
            evicted: engine.near.evicted_full,
        }
    }
}
