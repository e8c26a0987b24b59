//! Looking: where a hit is decided.

use super::{
    HashedKey, Near, ReadView, clock_pro::SharedGuard, entry::Entry, fingerprint,
    shard::EntryGuard, slab::NIL,
};
use crate::{CachedRef, Key, Moment, Value, sync::atomic::Ordering::Relaxed};
use std::hint::black_box;

/// Keys that are looked for at once, at most.
const BATCH_MAX: usize = 16;

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
        let visited = self.near.shard(hash)?.table.visit(fingerprint(hash));
        let entry = visited.as_ref().and_then(EntryGuard::entry);
        let entry = entry.filter(|entry| self.view.is_valid(entry, generation));
        let found =
            entry.and_then(|entry| entry.get(key).map(|seen| found(seen, entry.validity.deadline)));
        let counter = if found.is_some() { &mut self.hits } else { &mut self.misses };
        *counter += 1;
        found
    }

    /// As [`Reader::get`], by somebody who does not read it for a client: it counts neither as a hit
    /// or a miss nor as a visit.
    pub fn peek<R>(&self, key: Key<'_>, found: impl FnOnce(CachedRef<'_, V>) -> R) -> Option<R> {
        let hash = self.near.hash.of(key.name);
        let generation = self.near.generation.load(Relaxed);
        let peeked = self.near.shard(hash)?.table.peek(fingerprint(hash))?;
        let entry = peeked.entry().filter(|entry| self.view.is_valid(entry, generation))?;
        entry.get(key).map(found)
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
        let mut probes: [Option<Probe<'_, V>>; BATCH_MAX] = [const { None }; BATCH_MAX];
        // Who holds one lock must not wait for another.
        for (probe, key) in probes.iter_mut().zip(keys.clone()) {
            let hash = self.near.hash.of(key.name);
            let Some(shard) = self.near.shard(hash) else { break };
            let Some(reading) = shard.table.try_read() else { break };
            *probe = Some(Probe { reading, fingerprint: fingerprint(hash), at: NIL });
        }
        // Nothing hangs on what a loop has read before it ends.
        for probe in probes.iter().map_while(Option::as_ref) {
            black_box(probe.reading.slab().index.home_bucket(probe.fingerprint));
        }
        for probe in probes.iter_mut().map_while(Option::as_mut) {
            let Some(at) = probe.reading.slab().index.get(probe.fingerprint) else { continue };
            probe.at = at;
            black_box(probe.reading.slab().entry(at).map(|entry| entry.validity.epoch));
        }
        for probe in probes.iter().map_while(Option::as_ref) {
            black_box(probe.reading.slab().entry(probe.at).map(Entry::prefetch));
        }
        let generation = self.near.generation.load(Relaxed);
        let mut there = 0;
        for (probe, key) in probes.iter().map_while(Option::as_ref).zip(keys) {
            let Some(entry) = probe.reading.slab().visit_at(probe.at) else { break };
            let seen = self.view.is_valid(entry, generation).then(|| entry.get(key)).flatten();
            if !seen.is_some_and(|seen| found(seen, entry.validity.deadline)) {
                break;
            }
            there += 1;
        }
        self.hits += there;
        usize::try_from(there).unwrap_or_default()
    }
}

/// Where one of several looks is.
struct Probe<'a, V: Value> {
    reading: SharedGuard<'a, V>,
    fingerprint: u32,
    at: u32,
}

impl ReadView {
    /// Whether an entry counts.
    #[inline]
    fn is_valid<V>(&self, entry: &Entry<V>, generation: u32) -> bool {
        let validity = entry.validity;
        self.now < validity.deadline
            && validity.epoch == self.epoch
            && validity.generation == generation
    }
}

impl<V: Value> Drop for Reader<'_, V> {
    fn drop(&mut self) {
        self.near.lookups.add(self.hits, self.misses);
    }
}
