//! Eviction policy `lru`: the least recently used entry is evicted first. Every lookup takes the
//! shard's lock exclusively, because it moves the entry to the back of the list.

use super::{
    displaced::{Displaced, Size},
    entry::Entry,
    insertion::InsertError,
    slab::{EntrySlab, Ring, State},
    weigher::Weigher,
};
use crate::{
    Value,
    sync::{Mutex, MutexGuard},
};

pub(super) struct Lru<V: Value>(Mutex<LruList<V>>);

struct LruList<V> {
    slab: EntrySlab<V>,
    /// The least recently used entry is the first.
    ring: Ring,
    weight_max: u64,
    evicted: u64,
}

/// A shard locked exclusively.
pub(super) struct ExclusiveGuard<'a, V: Value>(MutexGuard<'a, LruList<V>>);

impl<V: Value> ExclusiveGuard<'_, V> {
    pub(super) fn slab(&self) -> &EntrySlab<V> {
        &self.0.slab
    }
}

impl<V: Value> Lru<V> {
    pub(super) fn new(weight_max: u64, weigher: Weigher) -> Self {
        let slab = EntrySlab::new(weigher);
        Self(Mutex::new(LruList { slab, ring: Ring::new(), weight_max, evicted: 0 }))
    }

    pub(super) fn get(&self, fingerprint: u32) -> Option<(ExclusiveGuard<'_, V>, u32)> {
        let mut list = self.0.lock();
        let LruList { slab, ring, .. } = &mut *list;
        let (at, _) = slab.find(fingerprint)?;
        slab.move_to_back(at, ring);
        Some((ExclusiveGuard(list), at))
    }

    pub(super) fn peek(&self, fingerprint: u32) -> Option<(ExclusiveGuard<'_, V>, u32)> {
        let list = self.0.lock();
        let (at, _) = list.slab.find(fingerprint)?;
        Some((ExclusiveGuard(list), at))
    }

    pub(super) fn insert_with(
        &self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Result<Entry<V>, InsertError>,
    ) -> Result<Displaced<V>, InsertError> {
        let mut displaced = Displaced::default();
        let mut list = self.0.lock();
        let inserted = list.insert_with(fingerprint, make, &mut displaced);
        list.evicted += displaced.evicted.len() as u64;
        drop(list);
        inserted.map(|()| displaced)
    }

    pub(super) fn remove(&self, fingerprint: u32, under_lock: impl FnOnce()) -> Option<Entry<V>> {
        let mut list = self.0.lock();
        under_lock();
        let LruList { slab, ring, .. } = &mut *list;
        let (at, _) = slab.find(fingerprint)?;
        slab.remove(at, ring)
    }

    pub(super) fn retain(&self, keep: impl Fn(&Entry<V>) -> bool) -> usize {
        let mut list = self.0.lock();
        let LruList { slab, ring, .. } = &mut *list;
        let visited = ring.items;
        let rejected = slab.rejected_by(keep);
        let removed: Vec<_> = rejected.into_iter().filter_map(|at| slab.remove(at, ring)).collect();
        drop(list);
        drop(removed);
        usize::try_from(visited).unwrap_or(usize::MAX)
    }

    pub(super) fn size(&self) -> Size {
        let list = self.0.lock();
        Size { items: list.ring.items, bytes: list.ring.weight, evicted: list.evicted }
    }
}

impl<V: Value> LruList<V> {
    fn insert_with(
        &mut self,
        fingerprint: u32,
        make: impl FnOnce(Option<&Entry<V>>) -> Result<Entry<V>, InsertError>,
        displaced: &mut Displaced<V>,
    ) -> Result<(), InsertError> {
        let Self { slab, ring, weight_max, .. } = self;
        let present = slab.find(fingerprint);
        let at = present.map(|(at, _)| at);
        let entry = make(present.map(|(_, entry)| entry))?;
        if let Some(at) = at {
            displaced.replaced = slab.replace(at, entry, ring);
            slab.move_to_back(at, ring);
        } else {
            // This fails only with more entries than fit in memory.
            slab.insert(fingerprint, entry, State::Cold, ring).map_err(|_| InsertError::NoRoom)?;
        }
        while ring.weight > *weight_max
            && let Some(first) = ring.first()
        {
            displaced.evicted.extend(slab.remove(first, ring));
        }
        Ok(())
    }
}
