//! Policy `lru`: the entry not asked for longest leaves first. Every look-up takes the shard's lock
//! exclusively, because it moves the entry to the front.

use super::{
    name::{Hashed, Name, NameHash},
    slot::Slot,
    table::Left,
    weigh::Weigh,
};
use crate::{Value, sync::Mutex};
use lru::LruCache;

pub(super) struct Lru<V: Value>(Mutex<Table<V>>);

struct Table<V> {
    entries: LruCache<Name, Slot<V>, NameHash>,
    weigh: Weigh,
    bytes: u64,
    bytes_max: u64,
}

impl<V: Value> Lru<V> {
    pub(super) fn new(bytes_max: u64, weigh: Weigh, hash: NameHash) -> Self {
        let entries = LruCache::unbounded_with_hasher(hash);
        Self(Mutex::new(Table { entries, weigh, bytes: 0, bytes_max }))
    }

    pub(super) fn get<R>(&self, name: &Hashed<'_>, found: impl FnOnce(&Slot<V>) -> R) -> Option<R> {
        self.0.lock().entries.get(name.name).map(found)
    }

    pub(super) fn put(
        &self,
        name: &Hashed<'_>,
        make: impl FnOnce(Option<&Slot<V>>) -> Option<Slot<V>>,
    ) -> Option<Left<V>> {
        let mut garbage = Vec::new();
        let mut table = self.0.lock();
        let slot = make(table.entries.peek(name.name))?;
        garbage.extend(table.take(name.name));
        let replaced = garbage.len();
        table.bytes += table.weigh.bytes(name.name.len(), &slot);
        table.entries.push(Name::new(name.name), slot);
        while table.bytes > table.bytes_max
            && let Some((name, slot)) = table.entries.pop_lru()
        {
            table.bytes -= table.weigh.bytes(name.len(), &slot);
            garbage.push((name, slot));
        }
        drop(table);
        Some(Left { count: garbage.len() - replaced, _garbage: garbage })
    }

    pub(super) fn remove(&self, name: &Hashed<'_>) -> Option<(Name, Slot<V>)> {
        self.0.lock().take(name.name)
    }

    pub(super) fn retain(&self, keep: impl Fn(&Slot<V>) -> bool) -> usize {
        let mut table = self.0.lock();
        let visited = table.entries.len();
        let Table { entries, weigh, bytes, .. } = &mut *table;
        entries.retain(|name, slot| {
            let stays = keep(slot);
            if !stays {
                *bytes -= weigh.bytes(name.len(), slot);
            }
            stays
        });
        visited
    }

    pub(super) fn size(&self) -> (u64, u64) {
        let table = self.0.lock();
        (table.entries.len() as u64, table.bytes)
    }
}

impl<V: Value> Table<V> {
    fn take(&mut self, name: &[u8]) -> Option<(Name, Slot<V>)> {
        let (name, slot) = self.entries.pop_entry(name)?;
        self.bytes -= self.weigh.bytes(name.len(), &slot);
        Some((name, slot))
    }
}
