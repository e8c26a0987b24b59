//! Reads of one listener by how they were answered: hit, miss, collapsed, bypass, error.

use larder_core::{Bypass, Fetched, Found};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of one listener.
#[derive(Default)]
pub(crate) struct ReadStats {
    hit: AtomicU64,
    miss: AtomicU64,
    collapsed: AtomicU64,
    error: AtomicU64,
    bypass: [AtomicU64; Bypass::ALL.len()],
}

/// A snapshot of [`ReadStats`].
#[derive(Serialize)]
pub(crate) struct ReadCounts {
    pub(crate) hit: u64,
    pub(crate) miss: u64,
    pub(crate) collapsed: u64,
    bypass: serde_json::Map<String, serde_json::Value>,
    error: u64,
}

impl ReadCounts {
    /// Returns the reads that bypassed the near cache, for all reasons together.
    pub(crate) fn bypasses(&self) -> u64 {
        self.bypass.values().filter_map(serde_json::Value::as_u64).sum()
    }
}

impl ReadStats {
    /// Counts reads that the near cache answered.
    pub(crate) fn hits(&self, count: u64) {
        self.hit.fetch_add(count, Relaxed);
    }

    /// Counts a read that found a value or its absence.
    pub(crate) fn answered<V>(&self, fetched: &Fetched<V>) {
        let counter = match fetched.found {
            _ if fetched.collapsed => &self.collapsed,
            Found::Near(_) => &self.hit,
            Found::Store { .. } => &self.miss,
            Found::Bypass(reason) => return self.bypassed(reason),
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Counts a read that bypassed the near cache.
    pub(crate) fn bypassed(&self, reason: Bypass) {
        if let Some(counter) = self.bypass.get(reason as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Counts a read that found neither a value nor its absence.
    pub(crate) fn failed(&self) {
        self.error.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> ReadCounts {
        let bypass = Bypass::ALL.iter().zip(&self.bypass);
        ReadCounts {
            hit: self.hit.load(Relaxed),
            miss: self.miss.load(Relaxed),
            collapsed: self.collapsed.load(Relaxed),
            bypass: bypass
                .map(|(reason, count)| (reason.name().to_owned(), count.load(Relaxed).into()))
                .collect(),
            error: self.error.load(Relaxed),
        }
    }

    /// Returns every counter with its result and, for a bypass, the reason.
    pub(crate) fn by_result(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let bypass = Bypass::ALL.iter().zip(&self.bypass);
        let results = [
            ("hit", &self.hit),
            ("miss", &self.miss),
            ("collapsed", &self.collapsed),
            ("error", &self.error),
        ];
        results
            .into_iter()
            .map(|(result, count)| (result, "", count.load(Relaxed)))
            .chain(bypass.map(|(reason, count)| ("bypass", reason.name(), count.load(Relaxed))))
    }
}
