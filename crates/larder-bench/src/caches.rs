//! The near tier and the caches that it is measured beside, all asked in the same way.
//!
//! Each maps names of any length to shared bytes, with the hasher, the locks and the shards that
//! its authors chose. A read copies the value out, as whoever sends it on has to.

mod larder;
mod near;
mod peers;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::keys::{FILLER, VALUE_BYTES};
use larder::Larder;
use near::NearTier;
use peers::{Foyer, LruMutex, Moka, QuickCache};

/// Bytes of every key.
pub const KEY_BYTES: usize = 25;
/// What stands before the number in a key.
const PREFIX: &[u8; KEY_BYTES - 8] = b"library:object:id";
/// Numbers are below this.
pub(crate) const NUMBERS: u32 = 100_000_000;

/// A key.
pub(crate) type Key = [u8; KEY_BYTES];
/// A value, copied out.
pub(crate) type Value = [u8; VALUE_BYTES];

/// The key with this number, in eight digits.
#[inline]
pub(crate) fn key_of(number: u32) -> Key {
    let mut key = [0; KEY_BYTES];
    let (front, back) = key.split_at_mut(PREFIX.len());
    front.copy_from_slice(PREFIX);
    back.copy_from_slice(&digits_of(number));
    key
}

/// Eight digits at once: one after the other would take longer than a hit. Halves, then quarters,
/// then single digits are split off in lanes of one word.
#[inline]
fn digits_of(number: u32) -> [u8; 8] {
    let halves = u64::from(number / 10_000 % 10_000) | u64::from(number % 10_000) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundreds | (halves - hundreds * 100) << 16;
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    let digits = tens | (quarters - tens * 10) << 8;
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

/// The value under a key: begins with it.
#[inline]
pub(crate) fn value_of(key: &[u8]) -> Value {
    let mut value = [FILLER; VALUE_BYTES];
    value.iter_mut().zip(key).for_each(|(byte, of_key)| *byte = *of_key);
    value
}

/// Copies a value out; false when it is none of ours.
#[inline]
fn copy(from: &[u8], value: &mut Value) -> bool {
    from.first_chunk().map(|bytes| *value = *bytes).is_some()
}

/// What reads found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Reads.
    pub(crate) reads: u64,
    /// Those that were answered from memory.
    pub(crate) hits: u64,
    /// Those that gave the value of another key.
    pub(crate) wrong: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.reads += other.reads;
        self.hits += other.hits;
        self.wrong += other.wrong;
    }

    #[inline]
    fn count(&mut self, key: &Key, value: &Value, is_hit: bool) {
        self.reads += 1;
        self.hits += u64::from(is_hit);
        self.wrong += u64::from(is_hit && !value.starts_with(key));
    }
}

/// A cache under test.
pub(crate) trait Cache: Send + Sync {
    /// Copies out what is kept under a key. False when that is nothing.
    fn read(&self, key: &Key, value: &mut Value) -> bool;

    /// Makes a key's value, keeps it, and copies it out for whoever missed it.
    fn insert(&self, key: &Key, value: &mut Value);

    /// Forgets everything.
    fn clear(&self);

    /// How many entries there are.
    fn len(&self) -> u64;

    /// Does what it has put off.
    fn settle(&self) {}

    /// Reads a key and, if there is nothing, has its value kept. Says whether there was something;
    /// its value is copied out in either case.
    fn fetch(&self, key: &Key, value: &mut Value) -> bool {
        let is_hit = self.read(key, value);
        if !is_hit {
            self.insert(key, value);
        }
        is_hit
    }

    /// The same for those whose crate lets one reader load for all who wait for the same key.
    fn load(&self, key: &Key, value: &mut Value) -> bool {
        self.fetch(key, value)
    }

    /// Reads many.
    fn reads(&self, numbers: &[u32], tally: &mut Tally) {
        let mut value = [0; VALUE_BYTES];
        for &number in numbers {
            let key = key_of(number);
            let is_hit = self.read(&key, &mut value);
            tally.count(&key, &value, is_hit);
        }
    }

    /// Fetches many.
    fn fetches(&self, numbers: &[u32], tally: &mut Tally) {
        let mut value = [0; VALUE_BYTES];
        for &number in numbers {
            let key = key_of(number);
            let is_hit = self.fetch(&key, &mut value);
            tally.count(&key, &value, is_hit);
        }
    }

    /// Loads many.
    fn loads(&self, numbers: &[u32], tally: &mut Tally) {
        let mut value = [0; VALUE_BYTES];
        for &number in numbers {
            let key = key_of(number);
            let is_hit = self.load(&key, &mut value);
            tally.count(&key, &value, is_hit);
        }
    }
}

/// How large a cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Has room for more than so many entries: none of them leaves, however unevenly they are
    /// spread over the shards.
    RoomFor(u64),
    /// So many entries at most, over the shards that the cache has chosen.
    AtMost(u64),
    /// The same in one shard, with nothing put off: the policy alone decides who leaves.
    Exactly(u64),
}

impl Size {
    /// Entries at most, for a cache that has to be told.
    fn entries(self) -> u64 {
        match self {
            Self::RoomFor(entries) => entries * 2,
            Self::AtMost(entries) | Self::Exactly(entries) => entries,
        }
    }

    fn is_exact(self) -> bool {
        matches!(self, Self::Exactly(_))
    }
}

/// The caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CacheKind {
    /// The near tier by itself, under its default policy.
    Near,
    /// The same in the engine that keeps it true to a store, read in batches as a pipeline is.
    Larder,
    /// The engine, where each read looks at the clock and counts by itself.
    LarderSingle,
    /// The engine with the near tier under LRU.
    LarderLru,
    /// CLOCK-Pro with S3-FIFO's counters.
    QuickCache,
    /// W-TinyLFU.
    Moka,
    /// S3-FIFO.
    FoyerS3fifo,
    /// W-TinyLFU.
    FoyerLfu,
    /// LRU behind one lock.
    Lru,
}

impl CacheKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Near,
        Self::Larder,
        Self::LarderSingle,
        Self::LarderLru,
        Self::QuickCache,
        Self::Moka,
        Self::FoyerS3fifo,
        Self::FoyerLfu,
        Self::Lru,
    ];

    /// As reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Near => "near tier",
            Self::Larder => "larder",
            Self::LarderSingle => "larder, one by one",
            Self::LarderLru => "larder lru",
            Self::QuickCache => "quick_cache",
            Self::Moka => "moka",
            Self::FoyerS3fifo => "foyer s3fifo",
            Self::FoyerLfu => "foyer lfu",
            Self::Lru => "lru + mutex",
        }
    }

    /// Whether this is the near tier under its default policy, of which there are goals.
    pub(crate) const fn has_goals(self) -> bool {
        matches!(self, Self::Near | Self::Larder | Self::LarderSingle)
    }

    /// Whether one reader can load for all who wait for the same key.
    pub(crate) const fn has_loads(self) -> bool {
        matches!(self, Self::Larder | Self::LarderLru | Self::QuickCache | Self::Moka)
    }

    /// Those of which each keeps what it is given otherwise than the rest.
    pub(crate) fn distinct() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::LarderSingle)
    }

    /// Those of which each decides otherwise than the rest who leaves.
    pub(crate) fn policies() -> impl Iterator<Item = Self> {
        Self::distinct().filter(|kind| *kind != Self::Near)
    }

    /// An empty one.
    pub(crate) fn build(self, size: Size) -> Box<dyn Cache> {
        use larder_core::near::Policy;

        match self {
            Self::Near => Box::new(NearTier::new(size)),
            Self::Larder => Box::new(Larder::new(size, Policy::ClockPro)),
            Self::LarderSingle => Box::new(Larder::new(size, Policy::ClockPro).read_one_by_one()),
            Self::LarderLru => Box::new(Larder::new(size, Policy::Lru)),
            Self::QuickCache => Box::new(QuickCache::new(size)),
            Self::Moka => Box::new(Moka::new(size)),
            Self::FoyerS3fifo => Box::new(Foyer::s3fifo(size)),
            Self::FoyerLfu => Box::new(Foyer::lfu(size)),
            Self::Lru => Box::new(LruMutex::new(size)),
        }
    }
}

/// Name and version of each crate, as they were built in.
pub(crate) fn versions() -> Vec<(String, String)> {
    let lock = include_str!("../../../Cargo.lock");
    let version = |name: &str| {
        let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        let (version, _) = package.split_once('"')?;
        Some((name.to_owned(), version.to_owned()))
    };
    let names = ["larder-core", "quick_cache", "moka", "foyer-memory", "lru"];
    names.into_iter().filter_map(version).collect()
}

#[cfg(test)]
mod tests;
