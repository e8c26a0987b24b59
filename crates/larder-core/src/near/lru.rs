//! Policy `lru`: the entry not asked for longest leaves first. Every look-up takes the shard's lock
//! exclusively, because it moves the entry to the front.

use super::{name::Finished, slot::Slot, table::Left, weigh::Weigh};
use crate::{Value, sync::Mutex};
use lru::LruCache;

pub(super) struct Lru<V: Value>(Mutex<Table<V>>);

struct Table<V> {
    entries: LruCache<u64, Slot<V>, Finished>,
    weigh: Weigh,
    bytes: u64,
    bytes_max: u64,
}

impl<V: Value> Lru<V> {
    pub(super) fn new(bytes_max: u64, weigh: Weigh) -> Self {
        let entries = LruCache::unbounded_with_hasher(Finished);
        Self(Mutex::new(Table { entries, weigh, bytes: 0, bytes_max }))
    }

    pub(super) fn get<R>(&self, hash: u64, found: impl FnOnce(&Slot<V>) -> R) -> Option<R> {
        self.0.lock().entries.get(&hash).map(found)
    }

    pub(super) fn put(
        &self,
        hash: u64,
        make: impl FnOnce(Option<&Slot<V>>) -> Option<Slot<V>>,
    ) -> Option<Left<V>> {
        let mut garbage = Vec::new();
        let mut table = self.0.lock();
        let slot = make(table.entries.peek(&hash))?;
        garbage.extend(table.take(hash));
        let replaced = garbage.len();
        table.bytes += table.weigh.bytes(&slot);
        table.entries.push(hash, slot);
        while table.bytes > table.bytes_max
            && let Some((_, slot)) = table.entries.pop_lru()
        {
            table.bytes -= table.weigh.bytes(&slot);
            garbage.push(slot);
        }
        drop(table);
        Some(Left { count: garbage.len() - replaced, _garbage: garbage })
    }

    pub(super) fn remove(&self, hash: u64) -> Option<Slot<V>> {
        self.0.lock().take(hash)
    }

    pub(super) fn retain(&self, keep: impl Fn(&Slot<V>) -> bool) -> usize {
        let mut table = self.0.lock();
        let visited = table.entries.len();
        let Table { entries, weigh, bytes, .. } = &mut *table;
        entries.retain(|_, slot| {
            let stays = keep(slot);
            if !stays {
                *bytes -= weigh.bytes(slot);
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
    fn take(&mut self, hash: u64) -> Option<Slot<V>> {
        let slot = self.entries.pop(&hash)?;
        self.bytes -= self.weigh.bytes(&slot);
        Some(slot)
    }
}
