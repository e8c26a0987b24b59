//! Looking: where a hit is decided.

use super::{
    HashedKey, Near, ReadView, clock_pro::Reading, places::NOWHERE, slot::Slot, table::Visited, tag,
};
use crate::{CachedRef, Key, Moment, Value, sync::atomic::Ordering::Relaxed};
use std::hint::black_box;

/// Keys that are looked for at once, at most.
const AT_ONCE_MAX: usize = 16;

/// Reader into the near tier from one point of view. What they found is counted when this is
/// dropped, at once for all, so that a pipeline of reads does not count each by itself.
pub struct Reader<'a, V: Value> {
    near: &'a Near<V>,
    view: ReadView,
    hits: u64,
    misses: u64,
}

impl<'a, V: Value> Reader<'a, V> {
    pub(super) fn new(near: &'a Near<V>, view: ReadView) -> Self {
        Self { near, view, hits: 0, misses: 0 }
    }

    /// Reader for the reply to a read. `found` sees the reply where it is and its deadline, under
    /// the lock of its shard, so it should copy and return.
    #[inline]
    pub fn get<R>(
        &mut self,
        key: Key<'_>,
        found: impl FnOnce(CachedRef<'_, V>, Moment) -> R,
    ) -> Option<R> {
        self.get_hashed(self.near.hashed(key), found)
    }

    /// See [`Reader::get`].
    #[inline]
    pub(crate) fn get_hashed<R>(
        &mut self,
        key: HashedKey<'_>,
        found: impl FnOnce(CachedRef<'_, V>, Moment) -> R,
    ) -> Option<R> {
        let HashedKey { key, hash } = key;
        // Read each time: a flush counts from the next look on.
        let generation = self.near.generation.load(Relaxed);
        let visited = self.near.shard(hash)?.table.visit(tag(hash));
        let slot = visited.as_ref().and_then(Visited::slot);
        let slot = slot.filter(|slot| self.view.judge(slot, generation));
        let found = slot.and_then(|slot| slot.get(key).map(|seen| found(seen, slot.life.deadline)));
        let counter = if found.is_some() { &mut self.hits } else { &mut self.misses };
        *counter += 1;
        found
    }

    /// As [`Reader::get`], by somebody who does not read it for a client: it counts neither as a hit
    /// or a miss nor as a visit.
    pub fn peek<R>(&self, key: Key<'_>, found: impl FnOnce(CachedRef<'_, V>) -> R) -> Option<R> {
        let hash = self.near.hash.of(key.name);
        let generation = self.near.generation.load(Relaxed);
        let peeked = self.near.shard(hash)?.table.peek(tag(hash))?;
        let slot = peeked.slot().filter(|slot| self.view.judge(slot, generation))?;
        slot.get(key).map(found)
    }

    /// Reader for the replies to several reads, of which it takes the first few. `found` sees them in
    /// their order, until one is not there or `found` is not content with it.
    /// Returns how many there were before that. One that is being written to, or to be moved by the
    /// look, counts as not there, and is worth a [`Reader::get`].
    ///
    /// Most of the time of a look is spent waiting for memory, three times in a row. Here the
    /// processor waits three times for all of them.
    pub fn get_batch<'k>(
        &mut self,
        keys: impl Iterator<Item = Key<'k>> + Clone,
        mut found: impl FnMut(CachedRef<'_, V>, Moment) -> bool,
    ) -> usize {
        let mut doors: [Option<Door<'_, V>>; AT_ONCE_MAX] = [const { None }; AT_ONCE_MAX];
        // Who holds one lock must not wait for another.
        for (door, key) in doors.iter_mut().zip(keys.clone()) {
            let hash = self.near.hash.of(key.name);
            let Some(shard) = self.near.shard(hash) else { break };
            let Some(reading) = shard.table.try_read() else { break };
            *door = Some(Door { reading, tag: tag(hash), at: NOWHERE });
        }
        // Nothing hangs on what a loop has read before it ends.
        for door in doors.iter().map_while(Option::as_ref) {
            black_box(door.reading.places().index.first_word(door.tag));
        }
        for door in doors.iter_mut().map_while(Option::as_mut) {
            let Some(at) = door.reading.places().index.get(door.tag) else { continue };
            door.at = at;
            black_box(door.reading.places().slot(at).map(|slot| slot.life.epoch));
        }
        for door in doors.iter().map_while(Option::as_ref) {
            black_box(door.reading.places().slot(door.at).map(Slot::touch));
        }
        let generation = self.near.generation.load(Relaxed);
        let mut there = 0;
        for (door, key) in doors.iter().map_while(Option::as_ref).zip(keys) {
            let Some(slot) = door.reading.places().visit_at(door.at) else { break };
            let seen = self.view.judge(slot, generation).then(|| slot.get(key)).flatten();
            if !seen.is_some_and(|seen| found(seen, slot.life.deadline)) {
                break;
            }
            there += 1;
        }
        self.hits += there;
        usize::try_from(there).unwrap_or_default()
    }
}

/// Where one of several looks is.
struct Door<'a, V: Value> {
    reading: Reading<'a, V>,
    tag: u32,
    at: u32,
}

impl ReadView {
    /// Whether an entry counts.
    #[inline]
    fn judge<V>(&self, slot: &Slot<V>, generation: u32) -> bool {
        let life = slot.life;
        self.now < life.deadline && life.epoch == self.epoch && life.generation == generation
    }
}

impl<V: Value> Drop for Reader<'_, V> {
    fn drop(&mut self) {
        self.near.tally.add(self.hits, self.misses);
    }
}
