//! One shard's entries, under either policy.

use super::{
    Policy,
    clock_pro::{ClockPro, Reading},
    lru::{Lru, Moved},
    slot::Slot,
    weigh::Weigh,
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
pub(super) enum Visited<'a, V: Value> {
    Read(Reading<'a, V>, u32),
    Moved(Moved<'a, V>, u32),
}

impl<V: Value> Visited<'_, V> {
    #[inline]
    pub(super) fn slot(&self) -> Option<&Slot<V>> {
        match self {
            Self::Read(reading, at) => reading.places().slot(*at),
            Self::Moved(moved, at) => moved.places().slot(*at),
        }
    }
}

/// What an insertion pushed out.
pub(super) struct Left<V> {
    /// Most push out one.
    pub(super) evicted: SmallVec<[Slot<V>; 1]>,
    pub(super) replaced: Option<Slot<V>>,
}

impl<V> Default for Left<V> {
    fn default() -> Self {
        Self { evicted: SmallVec::new(), replaced: None }
    }
}

impl<V: Value> Table<V> {
    pub(super) fn new(policy: Policy, bytes_max: u64, weigh: Weigh) -> Self {
        match policy {
            Policy::ClockPro => Self::ClockPro(ClockPro::new(bytes_max, weigh)),
            Policy::Lru => Self::Lru(Lru::new(bytes_max, weigh)),
        }
    }

    /// Finds a slot and counts the visit.
    #[inline]
    pub(super) fn visit(&self, tag: u32) -> Option<Visited<'_, V>> {
        match self {
            Self::ClockPro(table) => {
                table.visit(tag).map(|(reading, at)| Visited::Read(reading, at))
            }
            Self::Lru(table) => table.visit(tag).map(|(moved, at)| Visited::Moved(moved, at)),
        }
    }

    /// Finds a slot, and counts nothing.
    pub(super) fn peek(&self, tag: u32) -> Option<Visited<'_, V>> {
        match self {
            Self::ClockPro(table) => {
                table.peek(tag).map(|(reading, at)| Visited::Read(reading, at))
            }
            Self::Lru(table) => table.peek(tag).map(|(line, at)| Visited::Moved(line, at)),
        }
    }

    /// Its places, to look at several at once; `None` when they are not to be had at once, or a look
    /// moves them.
    pub(super) fn try_read(&self) -> Option<Reading<'_, V>> {
        match self {
            Self::ClockPro(table) => table.try_read(),
            Self::Lru(_) => None,
        }
    }

    /// PendingLoads the slot that `make` makes of the present one, if it makes one. What leaves is given
    /// back, to be dropped outside the lock.
    pub(super) fn put(
        &self,
        tag: u32,
        make: impl FnOnce(Option<&Slot<V>>) -> Option<Slot<V>>,
    ) -> Option<Left<V>> {
        match self {
            Self::ClockPro(table) => table.put(tag, make),
            Self::Lru(table) => table.put(tag, make),
        }
    }

    /// Removes a slot. Whether there is one or not, `happens` is called where nobody else looks or
    /// puts.
    pub(super) fn remove(&self, tag: u32, happens: impl FnOnce()) -> Option<Slot<V>> {
        match self {
            Self::ClockPro(table) => table.remove(tag, happens),
            Self::Lru(table) => table.remove(tag, happens),
        }
    }

    /// Removes what `keep` refuses; returns how many entries were looked at.
    pub(super) fn retain(&self, keep: impl Fn(&Slot<V>) -> bool) -> usize {
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
