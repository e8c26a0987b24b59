//! A cache under test, its capacity, and the counts of its reads.

use crate::caches::entry::{Key, Value, key_of};
use crate::keys::VALUE_BYTES;

/// How many reads a cache was asked for, and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// All reads.
    pub reads: u64,
    /// Reads that the cache answered.
    pub hits: u64,
    /// Hits that returned the value of another key.
    pub wrong: u64,
}

impl ReadCounts {
    /// Adds other counts to these.
    pub fn add(&mut self, other: Self) {
        self.reads += other.reads;
        self.hits += other.hits;
        self.wrong += other.wrong;
    }

    /// Counts one read.
    #[inline]
    pub fn count(&mut self, key: &Key, value: &Value, is_hit: bool) {
        self.reads += 1;
        self.hits += u64::from(is_hit);
        self.wrong += u64::from(is_hit && !value.starts_with(key));
    }
}

/// A cache under test.
pub trait Cache: Send + Sync {
    /// Copies the value of a key out. Returns false on a miss.
    fn get(&self, key: &Key, value: &mut Value) -> bool;

    /// Makes the value of a key, inserts it, and copies it out.
    fn insert(&self, key: &Key, value: &mut Value);

    /// Removes every entry.
    fn clear(&self);

    /// Returns the number of entries.
    fn len(&self) -> u64;

    /// Whether there is no entry.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs the maintenance that the cache has deferred.
    fn run_pending(&self) {}

    /// Reads a key and inserts its value on a miss. Copies the value out in either case, and
    /// returns whether it was a hit.
    fn get_or_insert(&self, key: &Key, value: &mut Value) -> bool {
        let is_hit = self.get(key, value);
        if !is_hit {
            self.insert(key, value);
        }
        is_hit
    }

    /// Does the same, with one load for concurrent misses of one key where the library offers that.
    fn get_or_load(&self, key: &Key, value: &mut Value) -> bool {
        self.get_or_insert(key, value)
    }

    /// Reads many keys.
    fn get_batch(&self, numbers: &[u32], counts: &mut ReadCounts) {
        let mut value = [0; VALUE_BYTES];
        for &number in numbers {
            let key = key_of(number);
            let is_hit = self.get(&key, &mut value);
            counts.count(&key, &value, is_hit);
        }
    }

    /// Calls [`get_or_insert`](Self::get_or_insert) for many keys.
    fn get_or_insert_batch(&self, numbers: &[u32], counts: &mut ReadCounts) {
        let mut value = [0; VALUE_BYTES];
        for &number in numbers {
            let key = key_of(number);
            let is_hit = self.get_or_insert(&key, &mut value);
            counts.count(&key, &value, is_hit);
        }
    }

    /// Calls [`get_or_load`](Self::get_or_load) for many keys.
    fn get_or_load_batch(&self, numbers: &[u32], counts: &mut ReadCounts) {
        let mut value = [0; VALUE_BYTES];
        for &number in numbers {
            let key = key_of(number);
            let is_hit = self.get_or_load(&key, &mut value);
            counts.count(&key, &value, is_hit);
        }
    }
}

/// How many entries a cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// Enough that no entry is evicted, however unevenly this many are spread over the shards.
    NoEviction(u64),
    /// At most this many, spread over the shards that the cache chooses.
    Sharded(u64),
    /// At most this many in one shard, with no maintenance deferred: only the eviction policy
    /// decides which entries stay.
    SingleShard(u64),
}

impl Capacity {
    /// Returns the number of entries to configure a cache with.
    pub fn entries(self) -> u64 {
        match self {
            Self::NoEviction(entries) => entries * 2,
            Self::Sharded(entries) | Self::SingleShard(entries) => entries,
        }
    }

    /// Whether the cache must have exactly one shard.
    pub fn is_single_shard(self) -> bool {
        matches!(self, Self::SingleShard(_))
    }
}
