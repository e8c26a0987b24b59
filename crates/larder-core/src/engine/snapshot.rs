//! Reads of several keys as of one moment.
//!
//! Fills and invalidations of an epoch arrive on one connection and are applied in its order. A reply
//! inserted as a fill was sent behind the invalidations of every earlier change. The entries that are
//! in memory at any one moment therefore belong to one state of the store: the one from which the
//! last reply was read. Lookups one after the other see one moment if nothing was invalidated in
//! between, because an entry that was valid at the first lookup is then valid at the last. An entry can also
//! expire without an invalidation: only those are found that do not expire before the lookups end.

use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use crossbeam_utils::CachePadded;
use std::time::Duration;

/// Lookups are repeated this often when an invalidation comes in between. They take a few
/// microseconds, so this many in a row mean a store that changes without a pause.
pub(super) const ATTEMPTS_MAX: usize = 4;

/// How long lookups may take. Entries that expire sooner are not found.
pub(super) const LOOKUPS_MAX: Duration = Duration::from_millis(20);

/// The number of invalidations and flushes that have been applied.
#[derive(Default)]
pub(super) struct Changes(CachePadded<AtomicU64>);

impl Changes {
    /// Counts a change. To be called once its entries are gone, and before a later reply of the feed's
    /// connection is cached: whoever finds that reply then finds the count changed, and whoever
    /// finds the count changed no longer finds the entries.
    pub(super) fn count(&self) {
        self.0.fetch_add(1, Release);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Acquire)
    }
}
