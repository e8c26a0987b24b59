//! Lookups.

use super::{
    HashedKey, Near, ReadView, clock_pro::SharedGuard, entry::Entry, fingerprint,
    shard::EntryGuard, slab::NIL,
};
use crate::{CachedRef, Key, Moment, Value, sync::atomic::Ordering::Relaxed};
use std::hint::black_box;

/// Maximum number of keys in a batch.
const BATCH_MAX: usize = 16;

/// A reader of the near cache in one view.
///
/// It adds its hits and misses to the counters when it is dropped, all at once, so that a pipeline
/// of reads does not count each one separately.
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

    /// Looks up one key. Calls `found` with a reference to the value and with its deadline, and
    /// returns the result.
    ///
    /// `found` runs under the lock of a shard, so it should copy what it needs and return.
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
        // Loaded for each lookup, so that a flush takes effect at once.
        let generation = self.near.generation.load(Relaxed);
        let guard = self.near.shard(hash)?.get(fingerprint(hash));
        let entry = guard.as_ref().and_then(EntryGuard::entry);
        let entry = entry.filter(|entry| self.view.is_valid(entry, generation));
        let found = entry
            .and_then(|entry| entry.get(key).map(|cached| found(cached, entry.validity.deadline)));
        let counter = if found.is_some() { &mut self.hits } else { &mut self.misses };
        *counter += 1;
        found
    }

    /// Looks up one key as [`Reader::get`] does, but counts neither a hit nor a miss, and does not
    /// affect the eviction policy. For lookups that serve no client.
    pub fn peek<R>(
        &self,
        key: Key<'_>,
        found: impl FnOnce(CachedRef<'_, V>, Moment) -> R,
    ) -> Option<R> {
        let hash = self.near.hash.of(key.name);
        let generation = self.near.generation.load(Relaxed);
        let guard = self.near.shard(hash)?.peek(fingerprint(hash))?;
        let entry = guard.entry().filter(|entry| self.view.is_valid(entry, generation))?;
        entry.get(key).map(|cached| found(cached, entry.validity.deadline))
    }

    /// Looks up several keys, and calls `found` with the values in their order. Stops at the first
    /// key that is a miss or for which `found` returns false, or after a maximum number of keys.
    /// Returns the number of keys before that.
    ///
    /// A key also counts as a miss here if its shard is locked exclusively, or if the policy needs
    /// an exclusive lock for lookups. Look up the first such key again with [`Reader::get`].
    ///
    /// A lookup spends most of its time waiting for memory, three times in a row. A batch waits
    /// three times for all of its keys.
    pub fn get_batch<'k>(
        &mut self,
        keys: impl Iterator<Item = Key<'k>> + Clone,
        mut found: impl FnMut(CachedRef<'_, V>, Moment) -> bool,
    ) -> usize {
        let mut probes = [const { None }; BATCH_MAX];
        self.lock_shards(&mut probes, keys.clone());
        prefetch(&mut probes);
        let generation = self.near.generation.load(Relaxed);
        let mut hits = 0;
        for (probe, key) in probes.iter().map_while(Option::as_ref).zip(keys) {
            let Some(entry) = probe.guard.slab().access_node(probe.at) else { break };
            let cached = self.view.is_valid(entry, generation).then(|| entry.get(key)).flatten();
            if !cached.is_some_and(|cached| found(cached, entry.validity.deadline)) {
                break;
            }
            hits += 1;
        }
        self.hits += hits;
        usize::try_from(hits).unwrap_or_default()
    }

    /// Creates a probe for each key, up to the first key whose shard cannot be locked at once.
    #[inline]
    fn lock_shards<'k>(
        &self,
        probes: &mut [Option<Probe<'a, V>>; BATCH_MAX],
        keys: impl Iterator<Item = Key<'k>>,
    ) {
        // Never block on a second shard lock while holding one.
        for (probe, key) in probes.iter_mut().zip(keys) {
            let hash = self.near.hash.of(key.name);
            let Some(shard) = self.near.shard(hash) else { break };
            let Some(guard) = shard.try_read() else { break };
            *probe = Some(Probe { guard, fingerprint: fingerprint(hash), at: NIL });
        }
    }
}

/// One lookup of a batch.
struct Probe<'a, V: Value> {
    guard: SharedGuard<'a, V>,
    fingerprint: u32,
    /// The node of the fingerprint, or [`NIL`].
    at: u32,
}

/// Finds the nodes of all probes, and requests the memory that their lookups need.
///
/// Each loop requests what the next one reads. The requests of one loop do not depend on each
/// other, so the processor makes them at the same time.
#[inline]
fn prefetch<V: Value>(probes: &mut [Option<Probe<'_, V>>; BATCH_MAX]) {
    for probe in probes.iter().map_while(Option::as_ref) {
        black_box(probe.guard.slab().index.home_bucket(probe.fingerprint));
    }
    for probe in probes.iter_mut().map_while(Option::as_mut) {
        let Some(at) = probe.guard.slab().index.get(probe.fingerprint) else { continue };
        probe.at = at;
        black_box(probe.guard.slab().entry(at).map(|entry| entry.validity.epoch));
    }
    for probe in probes.iter().map_while(Option::as_ref) {
        black_box(probe.guard.slab().entry(probe.at).map(Entry::prefetch));
    }
}

impl ReadView {
    #[inline]
    fn is_valid<V>(self, entry: &Entry<V>, generation: u32) -> bool {
        entry.validity.check(self, generation).is_ok()
    }
}

impl<V: Value> Drop for Reader<'_, V> {
    fn drop(&mut self) {
        self.near.lookups.add(self.hits, self.misses);
    }
}
