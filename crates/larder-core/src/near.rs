//! The near tier: what this process remembers, in memory. A hit touches one shard, allocates
//! nothing and, under the default policy, takes no exclusive lock; eviction and expiry happen on
//! writes and in [`Near::sweep`].
//!
//! A *name* maps to a slot that holds the replies to a few reads of it, in whatever db, so that an
//! invalidation, which carries a name and no db, is one removal in one shard.
//!
//! Nothing here decides what may enter: that is [`crate::coherence`].

mod change_stamp;
mod clock_pro;
mod counters;
mod entry;
mod ghosts;
mod index;
mod inline;
mod lru;
mod name;
mod reader;
mod shard;
mod slab;
mod weigher;

use crate::{
    CachedRef, Key, Moment, Value,
    sync::atomic::{
        AtomicU32, AtomicU64, AtomicUsize,
        Ordering::{Relaxed, Release},
    },
};
use change_stamp::ChangeCounters;
pub(crate) use change_stamp::ChangeStamp;
use counters::StripedCounters;
use entry::{Entry, Validity};
pub(crate) use name::HashedKey;
use name::NameHash;
pub use reader::Reader;
use shard::Table;
use std::str::FromStr;
use weigher::Weigher;

/// Which entry leaves when the near tier is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// One pass over many names does not push out those that are read again and again
    /// (CLOCK-Pro with the counters of S3-FIFO).
    #[default]
    ClockPro,
    /// The entry not asked for longest leaves first.
    Lru,
}

impl Policy {
    /// The policy's name in settings and statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClockPro => "clock-pro",
            Self::Lru => "lru",
        }
    }
}

impl FromStr for Policy {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::ClockPro, Self::Lru].into_iter().find(|policy| policy.name() == name).ok_or(())
    }
}

/// How much the near tier holds.
#[derive(Clone, Copy, Debug)]
pub struct NearConfig {
    /// Bytes, all bookkeeping included.
    pub bytes_max: u64,
    /// Entries; 0 for no bound of their own.
    pub entries_max: u64,
    /// Bytes of the largest value to be kept.
    pub value_bytes_max: usize,
    /// Which entry leaves when it is full.
    pub policy: Policy,
}

/// The point of view from which an entry is judged: what time it is, and which epoch counts.
#[derive(Clone, Copy, Debug)]
pub struct ReadView {
    pub(crate) now: Moment,
    pub(crate) epoch: u32,
}

impl ReadView {
    /// That of a near tier that stands alone.
    pub const fn standalone(now: Moment) -> Self {
        Self { now, epoch: 0 }
    }
}

/// How many entries there are and what became of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NearCounts {
    /// Entries held, those that wait for the sweep included.
    pub items: u64,
    /// Bytes held, bookkeeping included.
    pub bytes: u64,
    /// Look-ups answered.
    pub hits: u64,
    /// Look-ups not answered.
    pub misses: u64,
    /// Entries that left because there was no room.
    pub evicted_full: u64,
    /// Entries that left because their time was over.
    pub evicted_expired: u64,
    /// Entries that left because the key changed.
    pub evicted_invalidation: u64,
    /// Entries that left after a flush or the end of their epoch.
    pub evicted_ended: u64,
}

/// See the [module](self). It can stand alone, as a cache of what has no store behind it:
///
/// ```
/// use larder_core::near::{Near, NearConfig, Policy, ReadView};
/// use larder_core::{Clock, Key};
/// use std::{sync::Arc, time::Duration};
///
/// let policy = Policy::ClockPro;
/// let plan = NearConfig { bytes_max: 64 << 20, entries_max: 0, value_bytes_max: 1 << 20, policy };
/// let near: Near<Option<Arc<[u8]>>> = Near::new(&plan);
/// let (clock, key) = (Clock::System, Key::get(b"greeting", 0));
///
/// let now = clock.now();
/// let until = now.plus(Duration::from_mins(5));
/// assert!(near.insert(key, &Some(b"hello".as_slice().into()), until, ReadView::standalone(now)));
/// let length = near.get(key, ReadView::standalone(now), |seen, _| seen.to_value().map(|it| it.len()));
/// assert_eq!(length, Some(Some(5)));
///
/// assert!(near.get(key, ReadView::standalone(until), |_, _| ()).is_none(), "its time is over");
/// assert!(near.remove(b"greeting") && !near.remove(b"greeting"));
/// ```
pub struct Near<V: Value> {
    shards: Box<[Shard<V>]>,
    hash: NameHash,
    weigher: Weigher,
    entry_bytes_max: u64,
    generation: AtomicU32,
    changes: ChangeCounters,
    sweep_cursor: AtomicUsize,
    evictions: EvictionCounters,
    lookups: StripedCounters,
}

/// How many entries left, and why. Reader need what stands beside it, so it has cache lines of its
/// own.
#[derive(Default)]
#[repr(align(128))]
struct EvictionCounters {
    /// For another name with the same tag; tables count those that leave for want of room.
    full: AtomicU64,
    expired: AtomicU64,
    invalidation: AtomicU64,
    ended: AtomicU64,
}

/// A table on cache lines of its own.
#[repr(align(128))]
struct Shard<V: Value> {
    table: Table<V>,
}

/// Why a reply was not put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InsertError {
    /// It is too large to be held, or one too many.
    NoRoom,
    /// Something has happened since its stamp was taken.
    StampChanged,
}

/// Shards at most: enough that threads rarely meet, few enough that each holds large values.
const SHARDS_MAX: u64 = 64;
/// Below this many entries one shard holds all, so that eviction follows the policy exactly.
const ONE_SHARD_ENTRIES: u64 = 1024;

impl<V: Value> Near<V> {
    /// An empty near tier.
    pub fn new(plan: &NearConfig) -> Self {
        let shards = shard_count(plan);
        let floor = plan.bytes_max.checked_div(plan.entries_max).unwrap_or(1).max(1);
        let bytes_max = match plan.entries_max {
            0 => plan.bytes_max / shards,
            entries => floor.saturating_mul(entries / shards).min(plan.bytes_max / shards),
        };
        let weigher = Weigher::with_floor(floor);
        let shards = (0..shards)
            .map(|_| Shard { table: Table::new(plan.policy, bytes_max, weigher) })
            .collect();
        Self {
            shards,
            hash: NameHash::default(),
            weigher,
            // The policy keeps a few percent for newcomers; what is larger would be thrown out.
            entry_bytes_max: (bytes_max / 10 * 9).max(floor),
            generation: AtomicU32::new(0),
            changes: ChangeCounters::new(),
            sweep_cursor: AtomicUsize::new(0),
            evictions: EvictionCounters::default(),
            lookups: StripedCounters::new(),
        }
    }

    /// Reader for replies from one point of view.
    pub fn reader(&self, view: ReadView) -> Reader<'_, V> {
        Reader::new(self, view)
    }

    /// One look. See [`Reader::get`].
    pub fn get<R>(
        &self,
        key: Key<'_>,
        view: ReadView,
        found: impl FnOnce(CachedRef<'_, V>, Moment) -> R,
    ) -> Option<R> {
        self.reader(view).get(key, found)
    }

    /// Keeps a reply until its deadline, in a near tier that stands alone: that of an engine is
    /// reached by fills only. False when the reply is too large to be held, or one too many.
    pub fn insert(&self, key: Key<'_>, value: &V, deadline: Moment, view: ReadView) -> bool {
        self.put(self.hashed(key), value, deadline, view, None).is_ok()
    }

    /// Forgets all that is known under a name, or under another one with the same tag, of which there
    /// are four thousand million. Says whether there was anything.
    pub fn remove(&self, name: &[u8]) -> bool {
        self.remove_hashed(self.hashed(Key::get(name, 0))).is_some()
    }

    /// The key with what this goes by.
    pub(crate) fn hashed<'a>(&self, key: Key<'a>) -> HashedKey<'a> {
        self.hash.hashed(key)
    }

    /// PendingLoads a reply under a name, beside the replies to other reads that still count; where nothing
    /// else keeps those away who forget, only while a stamp is current.
    pub(crate) fn put(
        &self,
        key: HashedKey<'_>,
        value: &V,
        deadline: Moment,
        view: ReadView,
        stamp: Option<ChangeStamp>,
    ) -> Result<(), InsertError> {
        let HashedKey { key, hash } = key;
        let generation = stamp.map_or_else(|| self.generation.load(Relaxed), |it| it.generation);
        let validity = Validity { deadline, epoch: view.epoch, generation };
        let alone = Entry::new(validity, key, value);
        if self.weigher.bytes(&alone) > self.entry_bytes_max {
            return Err(InsertError::NoRoom);
        }
        let mut refused = InsertError::NoRoom;
        let mut may_enter = || match stamp {
            Some(stamp) if !self.is_current(hash, stamp) => {
                refused = InsertError::StampChanged;
                false
            }
            Some(_) => {
                self.changes.count(hash);
                true
            }
            None => true,
        };
        let make = |present: Option<&Entry<V>>| match present {
            _ if !may_enter() => None,
            // Another name with the same tag has to go.
            Some(other) if !other.has_name(key.name) => {
                self.evictions.full.fetch_add(1, Relaxed);
                Some(alone)
            }
            Some(entry) if self.stale_counter(entry, view).is_none() => {
                let joined = entry.merged_with(&alone)?;
                let fits = self.weigher.bytes(&joined) <= self.entry_bytes_max;
                Some(if fits { joined } else { alone })
            }
            _ => Some(alone),
        };
        let displaced = self.shard(hash).and_then(|shard| shard.table.put(fingerprint(hash), make));
        if displaced.is_some() { Ok(()) } else { Err(refused) }
    }

    /// Forgets all that is known under a name, or under another one with the same tag. What it
    /// held is given back, so that the caller can drop it where no lock is held.
    #[must_use]
    pub(crate) fn remove_hashed(&self, key: HashedKey<'_>) -> Option<Entry<V>> {
        let under_lock = || self.changes.count(key.hash);
        let gone = self.shard(key.hash)?.table.remove(fingerprint(key.hash), under_lock);
        if gone.is_some() {
            self.evictions.invalidation.fetch_add(1, Relaxed);
        }
        gone
    }

    /// Forgets everything, in the time it takes to count one up: entries of an earlier generation
    /// are no longer found, and give their memory back at the next sweep or to newcomers.
    pub fn clear(&self) {
        self.generation.fetch_add(1, Release);
    }

    /// Gives back the memory of entries that no longer count, a few shards at a time: goes on where
    /// the last call ended and stops when `visits` entries have been looked at or every shard was.
    pub fn sweep(&self, view: ReadView, visits: usize) {
        let keep = |entry: &Entry<V>| match self.stale_counter(entry, view) {
            None => true,
            Some(counter) => {
                counter.fetch_add(1, Relaxed);
                false
            }
        };
        let mut visited = 0;
        for _ in 0..self.shards.len() {
            let at = self.sweep_cursor.fetch_add(1, Relaxed) % self.shards.len();
            visited += self.shards.get(at).map_or(0, |shard| shard.table.retain(keep));
            if visited >= visits {
                break;
            }
        }
    }

    /// Reads all counters.
    pub fn counts(&self) -> NearCounts {
        let mut counts = NearCounts {
            evicted_full: self.evictions.full.load(Relaxed),
            evicted_expired: self.evictions.expired.load(Relaxed),
            evicted_invalidation: self.evictions.invalidation.load(Relaxed),
            evicted_ended: self.evictions.ended.load(Relaxed),
            ..NearCounts::default()
        };
        for shard in &self.shards {
            let size = shard.table.size();
            counts.items += size.items;
            counts.bytes += size.bytes;
            counts.evicted_full += size.evicted;
        }
        (counts.hits, counts.misses) = self.lookups.read();
        counts
    }

    /// Why a slot no longer counts, as the counter of such cases; `None` while it does.
    fn stale_counter(&self, entry: &Entry<V>, view: ReadView) -> Option<&AtomicU64> {
        if entry.validity.epoch != view.epoch
            || entry.validity.generation != self.generation.load(Relaxed)
        {
            Some(&self.evictions.ended)
        } else if entry.validity.deadline <= view.now {
            Some(&self.evictions.expired)
        } else {
            None
        }
    }

    /// The table inside a shard takes the hash's low bits; the choice of shard takes higher ones.
    #[allow(clippy::cast_possible_truncation, reason = "only some bits are wanted")]
    fn shard(&self, hash: u64) -> Option<&Shard<V>> {
        self.shards.get((hash >> 40) as usize & (self.shards.len() - 1))
    }
}

/// What a shard knows of a name.
#[allow(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
fn fingerprint(hash: u64) -> u32 {
    hash as u32
}

/// A power of two: as many as give each shard room for several of the largest values.
fn shard_count(plan: &NearConfig) -> u64 {
    if (1..ONE_SHARD_ENTRIES).contains(&plan.entries_max) {
        return 1;
    }
    let room = plan.bytes_max / (2 * plan.value_bytes_max as u64).max(16 << 10);
    1 << room.clamp(1, SHARDS_MAX).ilog2()
}

#[cfg(test)]
mod tests;
