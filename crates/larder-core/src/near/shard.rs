//! A shard: some of the entries, under one lock and one eviction policy.

use super::{
    Policy,
    clock_pro::{ClockPro, SharedGuard},
    displaced::{Displaced, Size},
    entry::Entry,
    insertion::InsertError,
    lru::{ExclusiveGuard, Lru},
    weigher::Weigher,
};
use crate::Value;

pub(super) enum Shard<V: Value> {
    ClockPro(ClockPro<V>),
    Lru(Lru<V>),
}

/// An entry that was found. Its shard stays locked while this exists.
///
/// It is returned, instead of a closure being passed in: with one call of that closure for each
/// policy, none would be inlined into the lookup.
pub(super) enum EntryGuard<'a, V: Value> {
    Shared(SharedGuard<'a, V>, u32),
    Exclusive(ExclusiveGuard<'a, V>, u32),
}

impl<V: Value> EntryGuard<'_, V> {
    #[inline]
    pub(super) fn entry(&self) -> Option<&Entry<V>> {
        match self {
            Self::Shared(guard, at) => guard.slab().entry(*at),
            Self::Exclusive(guard, at) => guard.slab().entry(*at),
        }
    }
}

impl<V: Value> Shard<V> {
    pub(super) fn new(policy: Policy, weight_max: u64, weigher: Weigher) -> Self {
        match policy {
            Policy::ClockPro => Self::ClockPro(ClockPro::new(weight_max, weigher)),
            Policy::Lru => Self::Lru(Lru::new(weight_max, weigher)),
        }
    }

    /// Finds an entry and records the access.
    #[inline]
    pub(super) fn get(&self, fingerprint: u32) -> Option<EntryGuard<'_, V>> {
        match self {
            Self::ClockPro(policy) => {
                policy.get(fingerprint).map(|(guard, at)| EntryGuard::Shared(guard, at))
            }
            Self::Lru(policy) => {
                policy.get(fingerprint).map(|(guard, at)| EntryGuard::Exclusive(guard, at))
            }
        }
    }

    /// Finds an entry without recording an access.
    pub(super) fn peek(&self, fingerprint: u32) -> Option<EntryGuard<'_, V>> {
        match self {
            Self::ClockPro(policy) => {
                policy.peek(fingerprint).map(|(guard, at)| EntryGuard::Shared(guard, at))
            }
            Self::Lru(policy) => {
                policy.peek(fingerprint).map(|(guard, at)| EntryGuard::Exclusive(guard, at))
            }
        }
    }

    /// Locks the shard for several lookups. Returns `None` if that would block, or if the policy
    /// needs an exclusive lock for each lookup.
    pub(super) fn try_read(&self) -> Option<SharedGuard<'_, V>> {
        match self {
            Self::ClockPro(policy) => policy.try_read(),
            Self::Lru(_) => None,
        }
    }

    /// Inserts the entry that `make` returns in place of the present one with this fingerprint, if
    /// any, and evicts others until all fit. Changes nothing if `make` fails.
    ///
    /// `make` is called exactly once, under the exclusive lock of the shard.
    pub(super) fn insert_with(
        &self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Result<Entry<V>, InsertError>,
    ) -> Result<Displaced<V>, InsertError> {
        match self {
            Self::ClockPro(policy) => policy.insert_with(fingerprint, make),
            Self::Lru(policy) => policy.insert_with(fingerprint, make),
        }
    }

    /// Removes an entry. Calls `under_lock` first, under the exclusive lock of the shard, whether
    /// there is such an entry or not.
    pub(super) fn remove(&self, fingerprint: u32, under_lock: impl FnOnce()) -> Option<Entry<V>> {
        match self {
            Self::ClockPro(policy) => policy.remove(fingerprint, under_lock),
            Self::Lru(policy) => policy.remove(fingerprint, under_lock),
        }
    }

    /// Removes the entries for which `keep` returns false. Returns the number of entries visited.
    pub(super) fn retain(&self, keep: impl Fn(&Entry<V>) -> bool) -> usize {
        match self {
            Self::ClockPro(policy) => policy.retain(keep),
            Self::Lru(policy) => policy.retain(keep),
        }
    }

    pub(super) fn size(&self) -> Size {
        match self {
            Self::ClockPro(policy) => policy.size(),
            Self::Lru(policy) => policy.size(),
        }
    }
}
