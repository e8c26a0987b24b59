//! One shard's entries, under either policy.

use super::{
    Policy,
    clock_pro::{ClockPro, SharedGuard},
    entry::Entry,
    lru::{ExclusiveGuard, Lru},
    weigher::Weigher,
};
use crate::Value;
use smallvec::SmallVec;

/// What a table holds, and what it had no room for.
pub(super) struct Size {
    pub(super) items: u64,
    pub(super) bytes: u64,
    /// Entries that left for others, from the beginning on.
    pub(super) evicted: u64,
}

pub(super) enum Table<V: Value> {
    ClockPro(ClockPro<V>),
    Lru(Lru<V>),
}

/// A slot that was found, in a table that is locked for as long as this lives. (Not a function
/// that is handed the slot: with one for each policy, none would become a part of the look.)
pub(super) enum EntryGuard<'a, V: Value> {
    Read(SharedGuard<'a, V>, u32),
    ExclusiveGuard(ExclusiveGuard<'a, V>, u32),
}

impl<V: Value> EntryGuard<'_, V> {
    #[inline]
    pub(super) fn entry(&self) -> Option<&Entry<V>> {
        match self {
            Self::Read(reading, at) => reading.slab().entry(*at),
            Self::ExclusiveGuard(moved, at) => moved.slab().entry(*at),
        }
    }
}

/// What an insertion pushed out.
pub(super) struct Displaced<V> {
    /// Most push out one.
    pub(super) evicted: SmallVec<[Entry<V>; 1]>,
    pub(super) replaced: Option<Entry<V>>,
}

impl<V> Default for Displaced<V> {
    fn default() -> Self {
        Self { evicted: SmallVec::new(), replaced: None }
    }
}

impl<V: Value> Table<V> {
    pub(super) fn new(policy: Policy, bytes_max: u64, weigher: Weigher) -> Self {
        match policy {
            Policy::ClockPro => Self::ClockPro(ClockPro::new(bytes_max, weigher)),
            Policy::Lru => Self::Lru(Lru::new(bytes_max, weigher)),
        }
    }

    /// Finds a slot and counts the visit.
    #[inline]
    pub(super) fn visit(&self, fingerprint: u32) -> Option<EntryGuard<'_, V>> {
        match self {
            Self::ClockPro(table) => {
                table.visit(fingerprint).map(|(reading, at)| EntryGuard::Read(reading, at))
            }
            Self::Lru(table) => {
                table.visit(fingerprint).map(|(moved, at)| EntryGuard::ExclusiveGuard(moved, at))
            }
        }
    }

    /// Finds a slot, and counts nothing.
    pub(super) fn peek(&self, fingerprint: u32) -> Option<EntryGuard<'_, V>> {
        match self {
            Self::ClockPro(table) => {
                table.peek(fingerprint).map(|(reading, at)| EntryGuard::Read(reading, at))
            }
            Self::Lru(table) => {
                table.peek(fingerprint).map(|(line, at)| EntryGuard::ExclusiveGuard(line, at))
            }
        }
    }

    /// Its places, to look at several at once; `None` when they are not to be had at once, or a look
    /// moves them.
    pub(super) fn try_read(&self) -> Option<SharedGuard<'_, V>> {
        match self {
            Self::ClockPro(table) => table.try_read(),
            Self::Lru(_) => None,
        }
    }

    /// PendingLoads the slot that `make` makes of the present one, if it makes one. What leaves is given
    /// back, to be dropped outside the lock.
    pub(super) fn put(
        &self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Option<Entry<V>>,
    ) -> Option<Displaced<V>> {
        match self {
            Self::ClockPro(table) => table.put(fingerprint, make),
            Self::Lru(table) => table.put(fingerprint, make),
        }
    }

    /// Removes a slot. Whether there is one or not, `happens` is called where nobody else looks or
    /// puts.
    pub(super) fn remove(&self, fingerprint: u32, under_lock: impl FnOnce()) -> Option<Entry<V>> {
        match self {
            Self::ClockPro(table) => table.remove(fingerprint, under_lock),
            Self::Lru(table) => table.remove(fingerprint, under_lock),
        }
    }

    /// Removes what `keep` refuses; returns how many entries were looked at.
    pub(super) fn retain(&self, keep: impl Fn(&Entry<V>) -> bool) -> usize {
        match self {
            Self::ClockPro(table) => table.retain(keep),
            Self::Lru(table) => table.retain(keep),
        }
    }

    pub(super) fn size(&self) -> Size {
        match self {
            Self::ClockPro(table) => table.size(),
            Self::Lru(table) => table.size(),
        }
    }
}
