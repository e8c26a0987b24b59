//! One db: its keys in a row, and an index that finds them by name.
//!
//! A key that leaves gives its place to the last of the row. Who walks the row from its end to its
//! start therefore misses no key that is there all the time, whatever happens between two steps: a
//! key moves towards the start alone, and only from behind or into what is still to be walked. A key
//! that moved may be met twice.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// The deadline of a key that does not expire.
pub(super) const NEVER: i64 = i64::MIN;

/// A row shorter than this keeps its memory.
const KEPT_LEN_MIN: usize = 1024;

/// What an entry costs beside its name and its payload.
pub(super) const ENTRY_BYTES: u64 = 96;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Keyspace {
    slots: Vec<Slot>,
    /// Places in the row.
    index: HashTable<usize>,
    hash: RandomState,
    /// Keys that have a deadline.
    volatile: usize,
    /// Where the purge goes on.
    swept: usize,
}

/// A key.
pub(super) struct Slot {
    pub(super) name: Box<[u8]>,
    pub(super) payload: Vec<u8>,
    deadline: i64,
}

impl Slot {
    pub(super) fn deadline(&self) -> i64 {
        self.deadline
    }

    pub(super) fn is_live(&self, now: i64) -> bool {
        self.deadline > now || self.deadline == NEVER
    }

    /// Bytes that it counts for.
    pub(super) fn cost(&self) -> u64 {
        cost(self.name.len(), self.payload.capacity())
    }
}

/// Bytes that a key with such a name and payload counts for.
pub(super) fn cost(name_bytes: usize, payload_bytes: usize) -> u64 {
    (name_bytes as u64).saturating_add(payload_bytes as u64).saturating_add(ENTRY_BYTES)
}

impl Keyspace {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Keys that have a deadline.
    pub(super) fn volatile(&self) -> usize {
        self.volatile
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Slot> {
        self.slots.get(self.place(name)?)
    }

    pub(super) fn get_mut(&mut self, name: &[u8]) -> Option<&mut Slot> {
        let place = self.place(name)?;
        self.slots.get_mut(place)
    }

    /// Adds a key that is not there.
    pub(super) fn insert(&mut self, name: &[u8], payload: Vec<u8>, deadline: i64) {
        let Self { slots, index, hash, .. } = self;
        let place = slots.len();
        slots.push(Slot { name: name.into(), payload, deadline: NEVER });
        let hash_at = |place: &usize| slots.get(*place).map_or(0, |slot| hash.hash_one(&slot.name));
        index.insert_unique(hash.hash_one(name), place, hash_at);
        self.set_deadline(name, deadline);
    }

    pub(super) fn set_deadline(&mut self, name: &[u8], deadline: i64) {
        let Some(slot) = self.get_mut(name) else { return };
        let before = std::mem::replace(&mut slot.deadline, deadline);
        self.volatile -= usize::from(before != NEVER);
        self.volatile += usize::from(deadline != NEVER);
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Slot> {
        let place = self.place(name)?;
        self.remove_at(place)
    }

    /// Removes some of what has expired, looking at so many keys at most, from where the last call
    /// ended.
    pub(super) fn remove_expired(&mut self, now: i64, visits: usize, mut gone: impl FnMut(Slot)) {
        let visits = visits.min(self.len());
        if visits == self.len() {
            self.swept = self.len();
        }
        for _ in 0..visits {
            self.swept = match self.swept.min(self.len()) {
                0 => self.len().saturating_sub(1),
                swept => swept - 1,
            };
            if self.slots.get(self.swept).is_some_and(|slot| !slot.is_live(now)) {
                self.remove_at(self.swept).into_iter().for_each(&mut gone);
            }
        }
    }

    fn place(&self, name: &[u8]) -> Option<usize> {
        let is_it = |place: &usize| self.slots.get(*place).is_some_and(|slot| *slot.name == *name);
        self.index.find(self.hash.hash_one(name), is_it).copied()
    }

    fn remove_at(&mut self, place: usize) -> Option<Slot> {
        let last = self.slots.len().checked_sub(1)?;
        let hash_at = |place: usize| Some(self.hash.hash_one(&self.slots.get(place)?.name));
        let (hash, hash_of_last) = (hash_at(place)?, hash_at(last)?);
        self.index.find_entry(hash, |it| *it == place).ok()?.remove();
        if let Some(it) = self.index.find_mut(hash_of_last, |it| *it == last) {
            *it = place;
        }
        let slot = self.slots.swap_remove(place);
        self.volatile -= usize::from(slot.deadline != NEVER);
        self.shrink();
        Some(slot)
    }

    /// Gives memory back when most of it is unused.
    fn shrink(&mut self) {
        let len = self.slots.len();
        if len >= KEPT_LEN_MIN && len < self.slots.capacity() / 8 {
            self.slots.shrink_to(len * 2);
            let Self { slots, index, hash, .. } = self;
            let hash_at =
                |place: &usize| slots.get(*place).map_or(0, |slot| hash.hash_one(&slot.name));
            index.shrink_to(len * 2, hash_at);
        }
    }
}
