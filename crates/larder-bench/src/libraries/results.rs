//! The figures of a run, as they were measured.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::caches::CacheKind;
use crate::facts::Facts;
use crate::keys::Pick;
use crate::libraries::memory::Growth;
use crate::numbers::per;
use crate::rounds::Row;

/// The size of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LibrariesPlan {
    /// Whether it is a rough one.
    #[serde(default)]
    pub quick: bool,
    /// Rounds that count. One more comes first and is dropped.
    pub rounds: usize,
    /// The same for clearing, which takes a cache to be filled anew each time; 0 leaves it out.
    pub clear_rounds: usize,
    /// How long each cache is asked in each round, in milliseconds.
    pub round_millis: u64,
    /// Entries in the caches that are read.
    pub keys: Vec<u32>,
    /// How many threads ask at once.
    pub threads: Vec<usize>,
    /// Entries whose bytes are counted.
    pub entries: u32,
}

impl LibrariesPlan {
    /// Less than five minutes.
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

    /// Less than a minute: rougher figures, and nothing is cleared.
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

/// Everything that a run has found.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LibraryResults {
    /// The machine and the crates.
    pub facts: Facts,
    /// The size of the run.
    pub plan: LibrariesPlan,
    /// One per case and cache.
    pub rows: Vec<LibraryRow>,
    /// What entries take, in each cache.
    pub entries: Vec<Memory>,
}

/// One cache in one case.
pub type LibraryRow = Row<Case, CacheKind, Sample>;

/// What a cache is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Give what it has.
    Hit,
    /// Say that it has nothing, and keep it: another entry has to leave.
    Insert,
    /// The same, and others who read the key meanwhile wait for it instead of loading it too.
    Load,
    /// Forget everything.
    Clear,
}

/// A load that caches are compared under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Case {
    /// What they do.
    pub work: Work,
    /// How often each key is asked for; `None` for each once.
    pub pick: Option<Pick>,
    /// Entries in the cache.
    pub keys: u32,
    /// How many threads ask.
    pub threads: usize,
}

impl Case {
    /// The figure that counts, in nanoseconds for one: of a thread by itself its CPU time, in
    /// which nothing else that runs on the machine has a part; of several the time that passes, as
    /// they may wait for each other.
    pub fn nanos(&self, sample: &Sample) -> f64 {
        if self.threads == 1 { sample.cpu_nanos() } else { sample.read_ns }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match (self.work, self.pick) {
            (Work::Hit, Some(Pick::Zipf)) => "hit, zipf",
            (Work::Hit, _) => "hit, uniform",
            (Work::Insert, _) => "miss and insert",
            (Work::Load, _) => "miss and load for all",
            (Work::Clear, _) => return write!(f, "clear {}", keys(self.keys)),
        };
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        write!(f, "{work}, {}, {} {threads}", keys(self.keys), self.threads)
    }
}

/// `10k keys`, as people say it.
fn keys(count: u32) -> String {
    match count {
        count if count >= 1_000_000 && count.is_multiple_of(1_000_000) => {
            format!("{}M keys", count / 1_000_000)
        }
        count if count >= 1000 && count.is_multiple_of(1000) => format!("{}k keys", count / 1000),
        count => format!("{count} keys"),
    }
}

/// One cache in one case in one round, all threads together.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Sample {
    /// How often it did it.
    pub count: u64,
    /// How long that took, in nanoseconds: the sum over the threads.
    pub elapsed_ns: u64,
    /// CPU time of the threads, in nanoseconds.
    pub cpu_ns: u64,
    /// How long one took in the middle one of all blocks of 1024, in nanoseconds: what else ran on
    /// the machine has stopped a few blocks, and what threads wait for each other is in all.
    pub read_ns: f64,
}

impl Sample {
    pub(super) fn new(count: u64, elapsed: Duration, cpu_ns: u64) -> Self {
        let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        Self { count, elapsed_ns, cpu_ns, read_ns: 0.0 }
    }

    /// Something done once, by one thread that did not wait.
    pub(super) fn of_one(elapsed: Duration) -> Self {
        let sample = Self::new(1, elapsed, 0);
        Self { cpu_ns: sample.elapsed_ns, ..sample }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.elapsed_ns += other.elapsed_ns;
        self.cpu_ns += other.cpu_ns;
    }

    /// Nanoseconds that a thread takes for one, what it waits for included.
    pub fn elapsed_nanos(&self) -> f64 {
        per(self.elapsed_ns, self.count)
    }

    /// CPU nanoseconds for one.
    pub fn cpu_nanos(&self) -> f64 {
        per(self.cpu_ns, self.count)
    }
}

/// What entries take in a cache.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Memory {
    /// The cache.
    pub cache: CacheKind,
    /// How its process grew.
    pub growth: Growth,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_have_names() {
        let case = Case { work: Work::Hit, pick: Some(Pick::Zipf), keys: 1_000_000, threads: 2 };
        assert_eq!(case.to_string(), "hit, zipf, 1M keys, 2 threads");
        let case = Case { work: Work::Clear, pick: None, keys: 10_000, threads: 1 };
        assert_eq!(case.to_string(), "clear 10k keys");
    }

    #[test]
    fn one_thread_is_measured_by_its_cpu_time() {
        let sample = Sample { read_ns: 45.0, ..Sample::new(10, Duration::from_nanos(500), 300) };
        let nanos =
            |threads| Case { work: Work::Insert, pick: None, keys: 1, threads }.nanos(&sample);
        assert!((nanos(1) - 30.0).abs() < 1e-9);
        assert!((nanos(2) - 45.0).abs() < 1e-9);
    }

    #[test]
    fn threads_wait_at_the_same_time() {
        // Two threads for 1 ms each: the time of one read is that of one thread.
        let mut both = Sample::new(1000, Duration::from_millis(1), 900_000);
        both.add(both);
        assert!((both.elapsed_nanos() - 1000.0).abs() < 1e-9);
        assert!((both.cpu_nanos() - 900.0).abs() < 1e-9);
    }
}
