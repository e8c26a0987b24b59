//! One shard's entries, under either policy.

use super::{
    Policy,
    lru::Lru,
    name::{Hashed, Name, NameHash},
    scan_resistant::ScanResistant,
    slot::Slot,
    weigh::Weigh,
};
use crate::Value;

pub(super) enum Table<V: Value> {
    ScanResistant(ScanResistant<V>),
    Lru(Lru<V>),
}

/// What an insertion pushed out: how many entries beside a replaced one.
pub(super) struct Left<V> {
    pub(super) count: usize,
    pub(super) _garbage: Vec<(Name, Slot<V>)>,
}

impl<V: Value> Table<V> {
    pub(super) fn new(policy: Policy, bytes_max: u64, weigh: Weigh, hash: NameHash) -> Self {
        match policy {
            Policy::ScanResistant => {
                Self::ScanResistant(ScanResistant::new(bytes_max, weigh, hash))
            }
            Policy::Lru => Self::Lru(Lru::new(bytes_max, weigh, hash)),
        }
    }

    /// Finds a slot and counts the visit. `found` runs under the lock.
    pub(super) fn get<R>(&self, name: &Hashed<'_>, found: impl FnOnce(&Slot<V>) -> R) -> Option<R> {
        match self {
            Self::ScanResistant(table) => table.get(name, found),
            Self::Lru(table) => table.get(name, found),
        }
    }

    /// Puts the slot that `make` makes of the present one, if it makes one. What leaves is given
    /// back, to be dropped outside the lock.
    pub(super) fn put(
        &self,
        name: &Hashed<'_>,
        make: impl FnOnce(Option<&Slot<V>>) -> Option<Slot<V>>,
    ) -> Option<Left<V>> {
        match self {
            Self::ScanResistant(table) => table.put(name, make),
            Self::Lru(table) => table.put(name, make),
        }
    }

    pub(super) fn remove(&self, name: &Hashed<'_>) -> Option<(Name, Slot<V>)> {
        match self {
            Self::ScanResistant(table) => table.remove(name),
            Self::Lru(table) => table.remove(name),
        }
    }

    /// Removes what `keep` refuses; returns how many entries were looked at.
    pub(super) fn retain(&self, keep: impl Fn(&Slot<V>) -> bool) -> usize {
        match self {
            Self::ScanResistant(table) => table.retain(keep),
            Self::Lru(table) => table.retain(keep),
        }
    }

    /// Entries and bytes.
    pub(super) fn size(&self) -> (u64, u64) {
        match self {
            Self::ScanResistant(table) => table.size(),
            Self::Lru(table) => table.size(),
        }
    }
}
