//! The size of the near cache and its eviction policy.

use std::str::FromStr;

/// The eviction policy of the near cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// CLOCK-Pro with the counters of S3-FIFO. It is scan-resistant: one pass over many names does
    /// not evict the names that are read often.
    #[default]
    ClockPro,
    /// Evicts the least recently used entry.
    Lru,
}

impl Policy {
    /// Returns the policy's name in settings and statistics.
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

/// The bounds and the policy of a near cache.
#[derive(Clone, Copy, Debug)]
pub struct NearConfig {
    /// Maximum memory in bytes, all bookkeeping included.
    pub bytes_max: u64,
    /// Maximum number of entries; 0 for no bound.
    pub entries_max: u64,
    /// Maximum size of one value in bytes.
    pub value_bytes_max: usize,
    /// Which entry is evicted when the cache is full.
    pub policy: Policy,
}

/// Maximum number of shards: enough that threads rarely meet in one, few enough that each has room
/// for large values.
pub(super) const SHARDS_MAX: u64 = 64;
/// With fewer entries than this, one shard holds them all, so that eviction follows the policy
/// exactly.
const ONE_SHARD_ENTRIES: u64 = 1024;

impl NearConfig {
    /// Returns the number of shards, a power of two: as many as leave each shard room for several
    /// of the largest values.
    pub(super) fn shard_count(&self) -> u64 {
        if (1..ONE_SHARD_ENTRIES).contains(&self.entries_max) {
            return 1;
        }
        let count = self.bytes_max / (2 * self.value_bytes_max as u64).max(16 << 10);
        1 << count.clamp(1, SHARDS_MAX).ilog2()
    }

    /// Returns the least weight of an entry: its share of the memory if `entries_max` entries share
    /// it equally.
    pub(super) fn entry_weight_min(&self) -> u64 {
        self.bytes_max.checked_div(self.entries_max).unwrap_or(1).max(1)
    }

    /// Returns the maximum weight of one of `shards` shards.
    pub(super) fn shard_weight_max(&self, shards: u64) -> u64 {
        let share = self.bytes_max / shards;
        match self.entries_max {
            0 => share,
            entries => self.entry_weight_min().saturating_mul(entries / shards).min(share),
        }
    }
}
