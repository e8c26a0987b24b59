//! The RESP listener. Hits are summed over a batch of commands before they are counted here.

use super::reads::ReadStats;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters.
#[derive(Default)]
pub(crate) struct RespStats {
    results: ReadStats,
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

/// A snapshot of the counters other than [`ReadStats`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RespCounts {
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

/// The class of a forwarded command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relayed {
    Read,
    Write,
    Other,
}

impl RespStats {
    /// Returns the reads of cacheable values by result.
    pub(crate) fn results(&self) -> &ReadStats {
        &self.results
    }

    /// Counts a command that was forwarded to the store.
    pub(crate) fn relayed(&self, what: Relayed) {
        let counter = match what {
            Relayed::Read => &self.relayed_reads,
            Relayed::Write => &self.relayed_writes,
            Relayed::Other => &self.relayed_others,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Counts a reply that waited for a fence.
    pub(crate) fn fenced(&self) {
        self.fences.fetch_add(1, Relaxed);
    }

    pub(crate) fn client_connected(&self) {
        self.accepted.fetch_add(1, Relaxed);
        self.clients.fetch_add(1, Relaxed);
    }

    pub(crate) fn client_disconnected(&self) {
        self.clients.fetch_sub(1, Relaxed);
    }

    /// Counts a connection that was rejected because of `maxclients`.
    pub(crate) fn client_rejected(&self) {
        self.rejected.fetch_add(1, Relaxed);
    }

    pub(crate) fn upstream_opened(&self) {
        self.upstreams.fetch_add(1, Relaxed);
    }

    pub(crate) fn upstream_closed(&self) {
        self.upstreams.fetch_sub(1, Relaxed);
    }

    pub(crate) fn upstream_refused(&self) {
        self.upstreams_refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> RespCounts {
        RespCounts {
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
