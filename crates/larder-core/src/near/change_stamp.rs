//! Proof that nothing has changed meanwhile: what a fill goes by that takes no place on the map of
//! leases.
//!
//! The near tier counts what happens to names: that one was forgotten, or filled by a fill that goes
//! by a stamp. A stamp is the count of a name from before the store was asked. What the store gave
//! may be put while the count stands as it stood, and is counted itself. So an older reply never
//! comes after a newer one, whoever of the two was asked first, nor after the news of a change.
//! Counting and comparing are done under the lock of the name's shard.
//!
//! Names share their counts with a few others. That costs an entry where both happen at once, and no
//! more: a count that stands says that nothing has happened to either.

use super::{Near, SHARDS_MAX};
use crate::{
    Value,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// See the [module](self). Packed, as fills are moved about with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed(4))]
pub(crate) struct ChangeStamp {
    changes: u64,
    /// How often everything was forgotten.
    pub(super) generation: u32,
}

/// What has happened to names, by their hashes.
pub(super) struct ChangeCounters(Box<[AtomicU64]>);

/// So many that threads that fill at the same time rarely meet. (The explorer has few threads, and
/// makes all of them anew for each schedule.)
const COUNTS: usize = if cfg!(feature = "explorer") { 64 } else { 1024 };
const _: () = assert!((COUNTS as u64).is_multiple_of(SHARDS_MAX), "who share a count share a lock");

impl ChangeCounters {
    pub(super) fn new() -> Self {
        Self((0..COUNTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Something happens to the name with this hash, whose shard is locked: nobody else counts here,
    /// as all who share a count are of one shard.
    pub(super) fn count(&self, hash: u64) {
        if let Some(count) = self.of(hash) {
            count.store(count.load(Relaxed).wrapping_add(1), Release);
        }
    }

    /// Of the bits by which a shard is chosen, and some more.
    #[allow(clippy::cast_possible_truncation, reason = "only some bits are wanted")]
    fn of(&self, hash: u64) -> Option<&AtomicU64> {
        self.0.get((hash >> 40) as usize % COUNTS)
    }
}

impl<V: Value> Near<V> {
    /// To be taken before the store is asked for the name with this hash. What it shows to have
    /// happened, the store had done before: hence the orderings.
    pub(crate) fn stamp(&self, hash: u64) -> ChangeStamp {
        let changes = self.changes.of(hash).map_or(0, |count| count.load(Acquire));
        ChangeStamp { changes, generation: self.generation.load(Acquire) }
    }

    /// Whether nothing has happened to the name with this hash since.
    pub(crate) fn is_current(&self, hash: u64, stamp: ChangeStamp) -> bool {
        self.stamp(hash) == stamp
    }
}
