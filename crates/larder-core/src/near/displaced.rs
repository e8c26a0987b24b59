//! What a shard reports of its entries: how many it holds, and which an insertion removed.

use super::entry::Entry;
use smallvec::SmallVec;

/// The contents of a shard, and what it has evicted so far.
pub(super) struct Size {
    pub(super) items: u64,
    pub(super) bytes: u64,
    /// Entries evicted for lack of room.
    pub(super) evicted: u64,
}

/// The entries that an insertion removed, for the caller to drop once the shard is unlocked.
pub(super) struct Displaced<V> {
    /// Most insertions evict one entry.
    pub(super) evicted: SmallVec<[Entry<V>; 1]>,
    pub(super) replaced: Option<Entry<V>>,
}

impl<V> Default for Displaced<V> {
    fn default() -> Self {
        Self { evicted: SmallVec::new(), replaced: None }
    }
}
