//! Change stamps: how a fill proves that a name has not changed since its read began, without an
//! entry in the lease table.
//!
//! The near cache counts the changes of each name: each removal, and each insertion by a fill that
//! holds a stamp. A fill takes a stamp, which is the name's current count, before it asks the
//! store. It may insert the reply while the count is unchanged, and its insertion increments the
//! count. An older reply can therefore never replace a newer one, whichever read began first, nor
//! be inserted after an invalidation. Counting and comparing happen under the exclusive lock of the
//! name's shard.
//!
//! Several names share one count. If two of them change at the same time, one reply is not cached.
//! Nothing worse can happen: an unchanged count means that none of its names has changed.

use super::config::SHARDS_MAX;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// A name's change count and the cache's generation at one moment. Packed, because fills are moved
/// around with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed(4))]
pub(crate) struct ChangeStamp {
    pub(super) changes: u64,
    /// The number of clears so far.
    pub(super) generation: u32,
}

/// The number of changes of each name, by hash.
pub(super) struct ChangeCounters(Box<[AtomicU64]>);

/// Enough that threads which fill at the same time rarely share a count. The schedule explorer has
/// few threads, and creates the counters anew for each schedule.
const COUNTS: usize = if cfg!(feature = "explorer") { 64 } else { 1024 };
const _: () = assert!(
    (COUNTS as u64).is_multiple_of(SHARDS_MAX),
    "the names of one count must belong to one shard"
);

impl ChangeCounters {
    pub(super) fn new() -> Self {
        Self((0..COUNTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Counts a change of the name with this hash.
    ///
    /// The caller holds the exclusive lock of the name's shard. All names of a count are in one
    /// shard, so no other thread writes to it, and a load and a store suffice.
    pub(super) fn count(&self, hash: u64) {
        if let Some(count) = self.of(hash) {
            count.store(count.load(Relaxed).wrapping_add(1), Release);
        }
    }

    /// Takes a stamp of the name with this hash, in this generation of the cache.
    ///
    /// Acquire pairs with the release in `count`: the store had made every change that the stamp
    /// includes before the stamp was taken.
    pub(super) fn stamp(&self, hash: u64, generation: u32) -> ChangeStamp {
        let changes = self.of(hash).map_or(0, |count| count.load(Acquire));
        ChangeStamp { changes, generation }
    }

    /// Returns the count of a hash. It is chosen by the bits that choose the shard, and a few more.
    #[allow(clippy::cast_possible_truncation, reason = "only some bits are wanted")]
    fn of(&self, hash: u64) -> Option<&AtomicU64> {
        self.0.get((hash >> 40) as usize % COUNTS)
    }
}
