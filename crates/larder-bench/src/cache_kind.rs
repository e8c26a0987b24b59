//! The caches that are compared in one process, by name.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A cache, or one way to use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CacheKind {
    /// The near cache without the engine, under its default policy.
    Near,
    /// The engine around the near cache, read in batches as a pipeline is.
    Larder,
    /// The engine, where each read looks at the clock and updates the counters.
    LarderUnbatched,
    /// The engine with the near cache under LRU.
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
    /// All caches, in the order of the report.
    pub const ALL: [Self; 9] = [
        Self::Near,
        Self::Larder,
        Self::LarderUnbatched,
        Self::LarderLru,
        Self::QuickCache,
        Self::Moka,
        Self::FoyerS3fifo,
        Self::FoyerLfu,
        Self::Lru,
    ];

    /// Returns the name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Near => "near cache",
            Self::Larder => "larder",
            Self::LarderUnbatched => "larder, unbatched",
            Self::LarderLru => "larder lru",
            Self::QuickCache => "quick_cache",
            Self::Moka => "moka",
            Self::FoyerS3fifo => "foyer s3fifo",
            Self::FoyerLfu => "foyer lfu",
            Self::Lru => "lru + mutex",
        }
    }

    /// Whether goals apply: to the near cache under its default policy, in every way it is used.
    pub const fn has_goals(self) -> bool {
        matches!(self, Self::Near | Self::Larder | Self::LarderUnbatched)
    }

    /// Whether concurrent misses of one key can share a load.
    pub const fn has_single_flight(self) -> bool {
        matches!(self, Self::Larder | Self::LarderLru | Self::QuickCache | Self::Moka)
    }

    /// Returns the caches that differ in more than how they are read.
    pub fn distinct() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::LarderUnbatched)
    }

    /// Returns one cache for each eviction policy.
    pub fn policies() -> impl Iterator<Item = Self> {
        Self::distinct().filter(|kind| *kind != Self::Near)
    }
}
