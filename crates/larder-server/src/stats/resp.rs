//! The RESP listener. Hits are summed over a batch of commands before they are counted here.

use super::{reads::ReadStats, writes::WriteStats};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The counters.
#[derive(Default)]
pub(crate) struct RespStats {
    results: ReadStats,
    writes: WriteStats,
    forwarded_reads: AtomicU64,
    forwarded_writes: AtomicU64,
    forwarded_others: AtomicU64,
    fences: AtomicU64,
    clients: AtomicU64,
    accepted: AtomicU64,
    rejected: AtomicU64,
    upstreams: AtomicU64,
    upstreams_failed: AtomicU64,
}

/// A snapshot of the counters other than [`ReadStats`] and [`WriteStats`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RespCounts {
    pub(crate) forwarded_reads: u64,
    pub(crate) forwarded_writes: u64,
    pub(crate) forwarded_others: u64,
    pub(crate) fences: u64,
    pub(crate) clients: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) upstreams: u64,
    pub(crate) upstreams_failed: u64,
}

/// The class of a forwarded command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    Read,
    Write,
    Other,
}

/// Counts an open connection until it is dropped, also by a panic.
pub(crate) struct OpenConnection {
    stats: Arc<RespStats>,
    gauge: fn(&RespStats) -> &AtomicU64,
}

impl OpenConnection {
    fn new(stats: &Arc<RespStats>, gauge: fn(&RespStats) -> &AtomicU64) -> Self {
        gauge(stats).fetch_add(1, Relaxed);
        Self { stats: Arc::clone(stats), gauge }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        (self.gauge)(&self.stats).fetch_sub(1, Relaxed);
    }
}

impl RespStats {
    /// Returns the reads of cacheable values by result.
    pub(crate) fn results(&self) -> &ReadStats {
        &self.results
    }

    /// Returns the writes by result.
    pub(crate) fn writes(&self) -> &WriteStats {
        &self.writes
    }

    /// Counts a command that was forwarded to the store.
    pub(crate) fn forwarded(&self, what: Forwarded) {
        let counter = match what {
            Forwarded::Read => &self.forwarded_reads,
            Forwarded::Write => &self.forwarded_writes,
            Forwarded::Other => &self.forwarded_others,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Counts a reply that waited for a fence.
    pub(crate) fn fenced(&self) {
        self.fences.fetch_add(1, Relaxed);
    }

    /// Counts an accepted client, as connected until the result is dropped.
    pub(crate) fn client_connected(self: &Arc<Self>) -> OpenConnection {
        self.accepted.fetch_add(1, Relaxed);
        OpenConnection::new(self, |stats| &stats.clients)
    }

    /// Counts a connection that was rejected because of `maxclients`.
    pub(crate) fn client_rejected(&self) {
        self.rejected.fetch_add(1, Relaxed);
    }

    /// Counts an upstream connection of a client, as open until the result is dropped.
    pub(crate) fn upstream_opened(self: &Arc<Self>) -> OpenConnection {
        OpenConnection::new(self, |stats| &stats.upstreams)
    }

    pub(crate) fn upstream_failed(&self) {
        self.upstreams_failed.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> RespCounts {
        RespCounts {
            forwarded_reads: self.forwarded_reads.load(Relaxed),
            forwarded_writes: self.forwarded_writes.load(Relaxed),
            forwarded_others: self.forwarded_others.load(Relaxed),
            fences: self.fences.load(Relaxed),
            clients: self.clients.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            upstreams: self.upstreams.load(Relaxed),
            upstreams_failed: self.upstreams_failed.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_connections_that_are_counted() {
        let stats = Arc::new(RespStats::default());
        let (client, upstream) = (stats.client_connected(), stats.upstream_opened());
        let counts = stats.counts();
        assert_eq!((counts.accepted, counts.clients, counts.upstreams), (1, 1, 1));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _connections = (client, upstream);
            panic!("a connection panics");
        }));
        assert!(ended.is_err());
        let counts = stats.counts();
        assert_eq!((counts.accepted, counts.clients, counts.upstreams), (1, 0, 0));
    }
}
