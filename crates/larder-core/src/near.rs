//! The near cache: the values that this process holds in memory.
//!
//! It answers reads without a round trip to the store. A hit touches one shard, allocates nothing
//! and, under the default policy, takes no exclusive lock. Eviction and expiry happen on writes and
//! in [`Near::sweep`], so that a read never pays for them.
//!
//! # From a key to its value
//!
//! 1. The name of the key is hashed, once per request, with a secret of this process.
//! 2. Some bits of the hash choose a shard. Each shard has its own lock and its own eviction
//!    policy.
//! 3. The lower 32 bits, the *fingerprint*, are looked up in the shard's index, a hash table with
//!    buckets of eight bytes. It returns the number of a node in the shard's slab.
//! 4. The node holds an entry: the name, its validity, and one value for each variant of the name.
//! 5. The entry compares the name itself. A fingerprint alone never produces a hit.
//!
//! All variants of a name, in every keyspace, share one entry. An invalidation carries a name alone, so
//! it is one removal in one shard.
//!
//! # Validity
//!
//! An entry is valid before its deadline, in the epoch it was filled in, and until the next
//! [`Near::clear`], which starts a new *generation*. Ending an epoch or a generation is a change of
//! one number: all older entries are invalid from then on. Their memory is released by a sweep, or
//! by evictions.
//!
//! # What the near cache does not decide
//!
//! Whether a value may be cached at all: see [`crate::coherence`].

mod change_stamp;
mod clock_pro;
mod config;
mod counters;
mod displaced;
mod entry;
mod ghosts;
mod index;
mod inline;
mod insert;
mod insertion;
mod lru;
mod reader;
mod shard;
mod slab;
mod view;
mod weigher;

use crate::{
    CachedRef, Key, Moment, Value,
    key::{HashedKey, NameHash},
    sync::atomic::{
        AtomicU32, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};
use change_stamp::ChangeCounters;
pub(crate) use change_stamp::ChangeStamp;
pub use config::{NearConfig, Policy};
pub use counters::NearCounts;
use counters::{EvictionCounters, StripedCounters};
use crossbeam_utils::CachePadded;
use entry::{Entry, Invalid};
pub(crate) use insertion::{InsertError, Insertion};
pub use reader::Reader;
use shard::Shard;
pub use view::ReadView;
use weigher::Weigher;

/// A bounded cache in memory. See the [module](self).
///
/// It also works on its own, as a cache without a store behind it:
///
/// ```
/// use larder_core::near::{Near, NearConfig, Policy, ReadView};
/// use larder_core::{Clock, Key};
/// use std::{sync::Arc, time::Duration};
///
/// let config = NearConfig {
///     bytes_max: 64 << 20,
///     entries_max: 0,
///     value_bytes_max: 1 << 20,
///     policy: Policy::ClockPro,
/// };
/// let near: Near<Option<Arc<[u8]>>> = Near::new(&config);
/// let (clock, key) = (Clock::System, Key::plain(b"greeting", 0));
///
/// let view = ReadView::standalone(clock.now());
/// let deadline = clock.now().plus(Duration::from_mins(5));
/// assert!(near.insert(key, &Some(b"hello".as_slice().into()), deadline, view));
/// let length = near.get(key, view, |cached, _| cached.to_value().map(|payload| payload.len()));
/// assert_eq!(length, Some(Some(5)));
///
/// let later = ReadView::standalone(deadline);
/// assert!(near.get(key, later, |_, _| ()).is_none(), "expired");
/// assert!(near.remove(b"greeting") && !near.remove(b"greeting"));
/// ```
pub struct Near<V: Value> {
    /// Each on cache lines of its own.
    shards: Box<[CachePadded<Shard<V>>]>,
    hash: NameHash,
    weigher: Weigher,
    entry_weight_max: u64,
    /// The number of clears so far.
    generation: AtomicU32,
    changes: ChangeCounters,
    /// The shard at which the next sweep starts, modulo their number.
    sweep_cursor: AtomicUsize,
    /// On cache lines of its own, because every read needs the fields around it.
    evictions: CachePadded<EvictionCounters>,
    lookups: StripedCounters,
}

impl<V: Value> Near<V> {
    /// Creates an empty near cache.
    pub fn new(config: &NearConfig) -> Self {
        let shards = config.shard_count();
        let weight_min = config.entry_weight_min();
        let weight_max = config.shard_weight_max(shards);
        let weigher = Weigher::new(weight_min);
        let new_shard = |_| CachePadded::new(Shard::new(config.policy, weight_max, weigher));
        Self {
            shards: (0..shards).map(new_shard).collect(),
            hash: NameHash::default(),
            weigher,
            // The policy reserves a few percent for new entries. A larger one would be evicted at
            // once.
            entry_weight_max: (weight_max / 10 * 9).max(weight_min),
            generation: AtomicU32::new(0),
            changes: ChangeCounters::new(),
            sweep_cursor: AtomicUsize::new(0),
            evictions: CachePadded::default(),
            lookups: StripedCounters::new(),
        }
    }

    /// Returns a reader for lookups in one view.
    pub fn reader(&self, view: ReadView) -> Reader<'_, V> {
        Reader::new(self, view)
    }

    /// Looks up one key. See [`Reader::get`].
    pub fn get<R>(
        &self,
        key: Key<'_>,
        view: ReadView,
        found: impl FnOnce(CachedRef<'_, V>, Moment) -> R,
    ) -> Option<R> {
        self.reader(view).get(key, found)
    }

    /// Inserts a value that is valid until its deadline. Returns false if it is too large, or if
    /// its name already has the maximum number of values.
    ///
    /// This is for a near cache without an engine. An engine inserts through fills only.
    pub fn insert(&self, key: Key<'_>, value: &V, deadline: Moment, view: ReadView) -> bool {
        let key = self.hashed(key);
        self.insert_hashed(&Insertion { key, value, deadline, view, stamp: None }).is_ok()
    }

    /// Removes all values of a name. Returns whether there were any.
    ///
    /// Another name with the same fingerprint, one of 2^32, may be removed instead.
    pub fn remove(&self, name: &[u8]) -> bool {
        self.remove_hashed(self.hashed(Key::plain(name, 0))).is_some()
    }

    /// Hashes the name of a key.
    pub(crate) fn hashed<'a>(&self, key: Key<'a>) -> HashedKey<'a> {
        self.hash.hashed(key)
    }

    /// Takes a stamp of the name with this hash. This must happen before the store is asked for it.
    ///
    /// Acquire pairs with the release in [`Near::clear`].
    pub(crate) fn stamp(&self, hash: u64) -> ChangeStamp {
        self.changes.stamp(hash, self.generation.load(Acquire))
    }

    /// Returns whether the name with this hash has not changed since the stamp was taken.
    pub(crate) fn is_current(&self, hash: u64, stamp: ChangeStamp) -> bool {
        self.stamp(hash) == stamp
    }

    /// Removes the entry of a name, or that of another name with the same fingerprint. Returns the
    /// entry, so that the caller can drop it while it holds no lock.
    #[must_use]
    pub(crate) fn remove_hashed(&self, key: HashedKey<'_>) -> Option<Entry<V>> {
        let count_change = || self.changes.count(key.hash);
        let removed = self.shard(key.hash)?.remove(fingerprint(key.hash), count_change);
        if removed.is_some() {
            self.evictions.invalidation.fetch_add(1, Relaxed);
        }
        removed
    }

    /// Invalidates all entries, in constant time. Their memory is released by the next sweep, or by
    /// evictions.
    pub fn clear(&self) {
        self.generation.fetch_add(1, Release);
    }

    /// Removes invalid entries, a few shards at a time.
    ///
    /// Continues after the last shard of the previous call, and stops once it has visited `visits`
    /// entries or every shard.
    pub fn sweep(&self, view: ReadView, visits: usize) {
        let mut visited = 0;
        for _ in 0..self.shards.len() {
            let next = self.sweep_cursor.fetch_add(1, Relaxed) % self.shards.len();
            let shard = self.shards.get(next);
            visited += shard.map_or(0, |shard| shard.retain(|entry| self.keeps(entry, view)));
            if visited >= visits {
                break;
            }
        }
    }

    /// Returns whether a sweep keeps an entry, and counts the removal if not.
    fn keeps(&self, entry: &Entry<V>, view: ReadView) -> bool {
        match entry.validity.check(view, self.generation.load(Relaxed)) {
            Ok(()) => true,
            Err(Invalid::Ended) => {
                self.evictions.ended.fetch_add(1, Relaxed);
                false
            }
            Err(Invalid::Expired) => {
                self.evictions.expired.fetch_add(1, Relaxed);
                false
            }
        }
    }

    /// Reads all counters.
    pub fn counts(&self) -> NearCounts {
        let (hits, misses) = self.lookups.read();
        let mut counts = NearCounts { hits, misses, ..self.evictions.read() };
        for shard in &self.shards {
            let size = shard.size();
            counts.items += size.items;
            counts.bytes += size.bytes;
            counts.evicted_full += size.evicted;
        }
        counts
    }

    /// Returns the shard of a hash. The index inside the shard takes the hash's lower bits, so the
    /// choice of the shard takes higher ones.
    #[allow(clippy::cast_possible_truncation, reason = "only some bits are wanted")]
    fn shard(&self, hash: u64) -> Option<&Shard<V>> {
        self.shards.get((hash >> 40) as usize & (self.shards.len() - 1)).map(|shard| &**shard)
    }
}

/// Returns the part of a hash that identifies a name within its shard.
#[allow(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
fn fingerprint(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests;
