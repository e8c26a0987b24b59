//! Results of comparing the near cache with other cache libraries in one process.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache_kind::CacheKind;
use crate::caches::KEY_BYTES;
use crate::environment::Environment;
use crate::keys::{Distribution, VALUE_BYTES};
use crate::numbers::per;
use crate::rounds::Row;

/// The size of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LibrariesPlan {
    /// Whether the run is shorter and its figures rougher.
    #[serde(default)]
    pub quick: bool,
    /// The number of rounds. One more comes first as a warm-up and is dropped.
    pub rounds: usize,
    /// The number of rounds of clearing, each of which fills a cache anew; 0 skips it.
    pub clear_rounds: usize,
    /// How long each cache is loaded in each round, in milliseconds.
    pub round_millis: u64,
    /// The numbers of entries in the caches that are read.
    pub keys: Vec<u32>,
    /// The numbers of concurrent threads.
    pub threads: Vec<usize>,
    /// The number of entries for which memory is measured.
    pub entries: u32,
}

impl LibrariesPlan {
    /// Returns the plan of a full run: less than five minutes.
    pub fn full() -> Self {
        Self {
            quick: false,
            rounds: 7,
            clear_rounds: 3,
            round_millis: 100,
            keys: vec![10_000, 1_000_000],
            threads: vec![1, 2],
            entries: 1_000_000,
        }
    }

    /// Returns the plan of a quick run: less than a minute, rougher figures, no clearing.
    pub fn quick() -> Self {
        Self {
            quick: true,
            rounds: 3,
            clear_rounds: 0,
            round_millis: 30,
            entries: 250_000,
            ..Self::full()
        }
    }
}

/// The results of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LibraryResults {
    /// The machine and the versions of the crates.
    pub environment: Environment,
    /// The size of the run.
    pub plan: LibrariesPlan,
    /// One row per case and cache.
    pub rows: Vec<LibraryRow>,
    /// The memory of each cache.
    pub entries: Vec<CacheMemory>,
}

/// One cache in one case.
pub type LibraryRow = Row<Case, CacheKind, Sample>;

/// What a cache does in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Reads a key that is cached.
    Hit,
    /// Misses a key and inserts its value, which evicts another entry.
    Insert,
    /// Does the same, with one load for concurrent misses of one key.
    Load,
    /// Removes every entry.
    Clear,
}

/// A load under which caches are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Case {
    /// What the caches do.
    pub operation: Operation,
    /// How reads are spread over the keys; `None` if each key is read once.
    pub distribution: Option<Distribution>,
    /// The number of entries in the cache.
    pub keys: u32,
    /// The number of concurrent threads.
    pub threads: usize,
}

impl Case {
    /// Returns the figure that is compared, in nanoseconds per operation: CPU time for one thread,
    /// which other programs on the machine do not affect; elapsed time for several threads, as they
    /// may wait for each other.
    pub fn nanos(&self, sample: &Sample) -> f64 {
        if self.threads == 1 { sample.cpu_nanos() } else { sample.read_ns }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match (self.operation, self.distribution) {
            (Operation::Hit, Some(Distribution::Zipf)) => "hit, zipf",
            (Operation::Hit, _) => "hit, uniform",
            (Operation::Insert, _) => "miss and insert",
            (Operation::Load, _) => "miss and shared load",
            (Operation::Clear, _) => return write!(f, "clear {}", format_keys(self.keys)),
        };
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        write!(f, "{operation}, {}, {} {threads}", format_keys(self.keys), self.threads)
    }
}

/// Formats a number of keys as `10k keys` or `1M keys`.
fn format_keys(count: u32) -> String {
    match count {
        count if count >= 1_000_000 && count.is_multiple_of(1_000_000) => {
            format!("{}M keys", count / 1_000_000)
        }
        count if count >= 1000 && count.is_multiple_of(1000) => format!("{}k keys", count / 1000),
        count => format!("{count} keys"),
    }
}

/// One cache in one case in one round, summed over all threads.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Sample {
    /// The number of operations.
    pub count: u64,
    /// Elapsed time in nanoseconds.
    pub elapsed_ns: u64,
    /// CPU time in nanoseconds.
    pub cpu_ns: u64,
    /// Elapsed nanoseconds per operation in the median block of 1024. Other programs on the machine
    /// interrupt only a few blocks, while waiting for other threads affects all of them.
    pub read_ns: f64,
}

impl Sample {
    /// Creates a sample of one thread.
    pub fn new(count: u64, elapsed: Duration, cpu_ns: u64) -> Self {
        let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        Self { count, elapsed_ns, cpu_ns, read_ns: 0.0 }
    }

    /// Creates a sample of one operation whose thread never waited.
    pub fn of_one(elapsed: Duration) -> Self {
        let sample = Self::new(1, elapsed, 0);
        Self { cpu_ns: sample.elapsed_ns, ..sample }
    }

    /// Adds the sample of another thread.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.elapsed_ns += other.elapsed_ns;
        self.cpu_ns += other.cpu_ns;
    }

    /// Returns the nanoseconds that a thread takes per operation, waiting included.
    pub fn elapsed_nanos(&self) -> f64 {
        per(self.elapsed_ns, self.count)
    }

    /// Returns the CPU nanoseconds per operation.
    pub fn cpu_nanos(&self) -> f64 {
        per(self.cpu_ns, self.count)
    }
}

/// The memory of one cache.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct CacheMemory {
    /// The cache.
    pub cache: CacheKind,
    /// How its process grew.
    pub growth: Growth,
}

/// How a process grew while a cache in it was filled.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Growth {
    /// Resident bytes before the cache was created.
    pub resident_bytes_before: u64,
    /// When the cache was full for the first time.
    pub fresh: MemoryReading,
    /// When every entry had been replaced by another one.
    pub replaced: MemoryReading,
}

/// What a cache held at one point, and the memory of its process.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct MemoryReading {
    /// The number of entries.
    pub items: u64,
    /// Resident bytes of the process.
    pub resident_bytes: u64,
}

impl Growth {
    /// Returns the bytes per entry beyond its key and its value.
    pub fn overhead_bytes(&self, reading: &MemoryReading) -> f64 {
        let grown = reading.resident_bytes.saturating_sub(self.resident_bytes_before);
        per(grown, reading.items) - per((KEY_BYTES + VALUE_BYTES) as u64, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_have_readable_names() {
        let case = Case {
            operation: Operation::Hit,
            distribution: Some(Distribution::Zipf),
            keys: 1_000_000,
            threads: 2,
        };
        assert_eq!(case.to_string(), "hit, zipf, 1M keys, 2 threads");
        let case =
            Case { operation: Operation::Clear, distribution: None, keys: 10_000, threads: 1 };
        assert_eq!(case.to_string(), "clear 10k keys");
    }

    #[test]
    fn one_thread_is_compared_by_its_cpu_time() {
        let sample = Sample { read_ns: 45.0, ..Sample::new(10, Duration::from_nanos(500), 300) };
        let nanos = |threads| {
            let operation = Operation::Insert;
            Case { operation, distribution: None, keys: 1, threads }.nanos(&sample)
        };
        assert!((nanos(1) - 30.0).abs() < 1e-9);
        assert!((nanos(2) - 45.0).abs() < 1e-9);
    }

    #[test]
    fn elapsed_time_per_operation_is_that_of_one_thread() {
        // Two threads for 1 ms each.
        let mut both = Sample::new(1000, Duration::from_millis(1), 900_000);
        both.add(both);
        assert!((both.elapsed_nanos() - 1000.0).abs() < 1e-9);
        assert!((both.cpu_nanos() - 900.0).abs() < 1e-9);
    }
}
