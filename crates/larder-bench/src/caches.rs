//! The interface through which caches are measured in one process, and Larder behind it.
//!
//! Each cache maps keys of any length to shared bytes. A read copies the value out, as a server
//! must before it sends it. `larder-bench-compare` implements [`Cache`] for other libraries, each
//! with the hasher, the locks and the shards that its authors chose.

mod engine;
mod near;

use std::ops::Range;

use crate::keys::{FILLER, VALUE_BYTES};

pub use engine::Larder;
pub use near::NearCache;

/// The length of every key.
pub const KEY_BYTES: usize = 25;
/// The upper bound of key numbers: they have eight digits.
pub const NUMBERS: u32 = 100_000_000;

const PREFIX: &[u8; KEY_BYTES - 8] = b"library:object:id";
/// How many keys [`fill`] inserts in one batch.
const FILL_BATCH: usize = 1024;

/// A key.
pub type Key = [u8; KEY_BYTES];
/// A value that was copied out of a cache.
pub type Value = [u8; VALUE_BYTES];

/// Returns the key with this number.
#[inline]
pub fn key_of(number: u32) -> Key {
    let mut key = [0; KEY_BYTES];
    let (front, back) = key.split_at_mut(PREFIX.len());
    front.copy_from_slice(PREFIX);
    back.copy_from_slice(&digits_of(number));
    key
}

/// Formats eight digits at once: formatting one at a time would take longer than a hit. Splits off
/// halves, then quarters, then single digits, in the lanes of one word.
#[inline]
fn digits_of(number: u32) -> [u8; 8] {
    let halves = u64::from(number / 10_000 % 10_000) | u64::from(number % 10_000) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundreds | (halves - hundreds * 100) << 16;
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    let digits = tens | (quarters - tens * 10) << 8;
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

/// Returns the value of a key, which begins with the key.
#[inline]
pub fn value_of(key: &[u8]) -> Value {
    let mut value = [FILLER; VALUE_BYTES];
    value.iter_mut().zip(key).for_each(|(byte, of_key)| *byte = *of_key);
    value
}

/// Copies a value out. Returns false if the bytes are too short to be a value.
#[inline]
pub fn copy_value(from: &[u8], value: &mut Value) -> bool {
    from.first_chunk().map(|bytes| *value = *bytes).is_some()
}

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

/// Inserts each of these keys, none of which is in the cache.
pub fn fill(cache: &dyn Cache, numbers: Range<u32>) {
    // In batches, not from a list of all: where memory is measured, nothing else may allocate.
    let mut batch = [0; FILL_BATCH];
    let mut next = numbers.start;
    while next < numbers.end {
        let filled = batch.iter_mut().zip(next..numbers.end);
        let count = filled.map(|(slot, number)| *slot = number).count();
        let batch = batch.get(..count).unwrap_or_default();
        cache.get_or_insert_batch(batch, &mut ReadCounts::default());
        next += u32::try_from(count).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests;
