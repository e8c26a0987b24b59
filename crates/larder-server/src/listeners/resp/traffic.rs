//! What the listener counts. Workers add up what a batch did before they touch these.

use larder_core::{Bypass, Fetched, Found};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Traffic {
    hit: AtomicU64,
    miss: AtomicU64,
    collapsed: AtomicU64,
    bypass: [AtomicU64; Bypass::ALL.len()],
    error: AtomicU64,
    relayed_reads: AtomicU64,
    relayed_writes: AtomicU64,
    relayed_others: AtomicU64,
    fences: AtomicU64,
    clients: AtomicU64,
    accepted: AtomicU64,
    rejected: AtomicU64,
    upstreams: AtomicU64,
    upstreams_refused: AtomicU64,
}

/// A reading of [`Traffic`].
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct TrafficCounts {
    pub(crate) hit: u64,
    pub(crate) miss: u64,
    pub(crate) collapsed: u64,
    #[serde(skip)]
    pub(crate) bypass: [u64; Bypass::ALL.len()],
    pub(crate) error: u64,
    pub(crate) relayed_reads: u64,
    pub(crate) relayed_writes: u64,
    pub(crate) relayed_others: u64,
    pub(crate) fences: u64,
    pub(crate) clients: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) upstreams: u64,
    pub(crate) upstreams_refused: u64,
}

/// What a command was, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relayed {
    Read,
    Write,
    Other,
}

impl Traffic {
    /// Reads were answered from memory.
    pub(super) fn hits(&self, count: u64) {
        if count > 0 {
            self.hit.fetch_add(count, Relaxed);
        }
    }

    /// A read that was not in memory was answered.
    pub(super) fn answered<V>(&self, fetched: &Fetched<V>) {
        let counter = match fetched.found {
            _ if fetched.collapsed => &self.collapsed,
            Found::Near(_) => &self.hit,
            Found::Store { .. } => &self.miss,
            Found::Bypass(why) => match self.bypass.get(why as usize) {
                Some(counter) => counter,
                None => return,
            },
        };
        counter.fetch_add(1, Relaxed);
    }

    /// A read found neither value nor absence.
    pub(super) fn failed(&self) {
        self.error.fetch_add(1, Relaxed);
    }

    /// A command went upstream.
    pub(super) fn relayed(&self, what: Relayed) {
        let counter = match what {
            Relayed::Read => &self.relayed_reads,
            Relayed::Write => &self.relayed_writes,
            Relayed::Other => &self.relayed_others,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// A reply waited for a fence.
    pub(super) fn fenced(&self) {
        self.fences.fetch_add(1, Relaxed);
    }

    pub(super) fn client_came(&self) {
        self.accepted.fetch_add(1, Relaxed);
        self.clients.fetch_add(1, Relaxed);
    }

    pub(super) fn client_went(&self) {
        self.clients.fetch_sub(1, Relaxed);
    }

    /// A client was turned away, because of `maxclients` or protected mode.
    pub(super) fn client_rejected(&self) {
        self.rejected.fetch_add(1, Relaxed);
    }

    pub(super) fn upstream_opened(&self) {
        self.upstreams.fetch_add(1, Relaxed);
    }

    pub(super) fn upstream_closed(&self) {
        self.upstreams.fetch_sub(1, Relaxed);
    }

    pub(super) fn upstream_refused(&self) {
        self.upstreams_refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> TrafficCounts {
        TrafficCounts {
            hit: self.hit.load(Relaxed),
            miss: self.miss.load(Relaxed),
            collapsed: self.collapsed.load(Relaxed),
            bypass: self.bypass.each_ref().map(|count| count.load(Relaxed)),
            error: self.error.load(Relaxed),
            relayed_reads: self.relayed_reads.load(Relaxed),
            relayed_writes: self.relayed_writes.load(Relaxed),
            relayed_others: self.relayed_others.load(Relaxed),
            fences: self.fences.load(Relaxed),
            clients: self.clients.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            upstreams: self.upstreams.load(Relaxed),
            upstreams_refused: self.upstreams_refused.load(Relaxed),
        }
    }
}
