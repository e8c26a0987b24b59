//! Time per hit, per miss with its insertion and per clearing, and bytes per entry.
//!
//! All caches of a size coexist and are measured in interleaved [`rounds`](larder_bench::rounds).
//! Memory is measured in a separate process per cache, as one cache would reuse what another one
//! has freed.
//!
//! The timing is own code, as `divan` and `criterion` do not fit the method: they measure elapsed
//! time where one thread needs CPU time, run each benchmark to its end where ratios need rounds
//! that interleave all caches, and do not check that each read was a hit with the right value.

mod load;
mod memory;

use std::borrow::Borrow;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use larder_bench::cache_kind::CacheKind;
use larder_bench::caches::{Cache, Capacity, NUMBERS, ReadCounts, fill};
use larder_bench::clock::now;
use larder_bench::cores::Cores;
use larder_bench::environment::Environment;
use larder_bench::error::with_context;
use larder_bench::keys::Distribution;
use larder_bench::libraries::{
    CacheMemory, Case, LibrariesPlan, LibraryResults, LibraryRow, Operation, Sample,
};
use larder_bench::progress::Progress;
use larder_bench::rounds::{Members, interleave};
use larder_bench::stop::Stop;

use crate::caches::{build, versions};
use load::KeySource;

pub use memory::measure_growth;

/// One unexpected miss in this many reads is tolerated: a shard of Larder holds only one of two
/// keys with the same fingerprint.
const READS_PER_LOSS: u64 = 10_000;

/// Measures every cache. `program` is this program, which measures memory in separate processes.
///
/// # Errors
/// When a cache loses entries for which it has room, or returns the value of another key.
pub fn run(program: &Path, plan: &LibrariesPlan, stop: &Stop) -> io::Result<LibraryResults> {
    let cores = Cores::choose()?;
    let mut environment = Environment::of_machine(cores);
    environment.versions = versions();
    let progress = Progress::new(steps(plan));
    let bench = Bench { cores, plan, stop, progress: &progress };
    let mut rows = Vec::new();
    for &keys in &plan.keys {
        rows.extend(bench.hits(keys)?);
        if plan.clear_rounds > 0 {
            rows.extend(bench.clears(keys)?);
        }
        rows.extend(bench.inserts(keys)?);
    }
    let mut entries = Vec::new();
    for cache in CacheKind::distinct() {
        stop.check()?;
        progress.step(format!("bytes per entry: {}", cache.name()));
        let growth = memory::measure_in_process(program, cache, plan.entries)?;
        entries.push(CacheMemory { cache, growth });
    }
    progress.finish();
    Ok(LibraryResults { environment, plan: plan.clone(), rows, entries })
}

/// Returns the number of progress steps.
fn steps(plan: &LibrariesPlan) -> usize {
    let distinct = CacheKind::distinct().count();
    let hits = Distribution::ALL.len() * plan.threads.len() * CacheKind::ALL.len();
    let loads = CacheKind::distinct().filter(|kind| kind.has_single_flight()).count();
    let misses = plan.threads.len() * (distinct + loads);
    let clears = if plan.clear_rounds > 0 { 2 * (plan.clear_rounds + 1) * distinct } else { 0 };
    let rounds = (plan.rounds + 1) * (hits + misses) + clears;
    plan.keys.len() * (rounds + CacheKind::ALL.len() + distinct) + distinct
}

struct Bench<'a> {
    cores: Cores,
    plan: &'a LibrariesPlan,
    stop: &'a Stop,
    progress: &'a Progress,
}

/// A full cache, and the first key number that was never inserted.
struct FullCache {
    cache: Box<dyn Cache>,
    next: AtomicU32,
}

impl Bench<'_> {
    fn hits(&self, keys: u32) -> io::Result<Vec<LibraryRow>> {
        let filled = |kind| self.full_cache(kind, keys, Capacity::NoEviction(keys.into()));
        let caches =
            CacheKind::ALL.into_iter().map(filled).collect::<io::Result<Members<_, _>>>()?;
        for (kind, full) in &caches {
            check_all_cached(*kind, &*full.cache, keys)?;
        }
        let mut rows = Vec::new();
        for distribution in Distribution::ALL {
            let threads_max = self.plan.threads.iter().max().copied().unwrap_or(1);
            let sequences: Vec<_> =
                (0..threads_max).map(|thread| distribution.sequence(keys, thread)).collect();
            let case = |&threads| Case {
                operation: Operation::Hit,
                distribution: Some(distribution),
                keys,
                threads,
            };
            let cases: Vec<_> = self.plan.threads.iter().map(case).collect();
            rows.extend(self.rounds(self.plan.rounds, &cases, &caches, |full, case, round| {
                let source = KeySource::Repeated { sequences: &sequences, round };
                let (sample, counts) = self.load(&*full.cache, case, &source)?;
                check_all_hits(counts).map(|()| sample)
            })?);
        }
        Ok(rows)
    }

    /// Clears new caches in each round, as clearing leaves some caches in another state.
    fn clears(&self, keys: u32) -> io::Result<Vec<LibraryRow>> {
        let case = Case { operation: Operation::Clear, distribution: None, keys, threads: 1 };
        let kinds = CacheKind::distinct().map(|kind| (kind, kind)).collect::<Vec<_>>();
        let members = |_| kinds.clone();
        interleave(self.plan.clear_rounds, &[case], members, |_, &kind, case, round| {
            let label = format!("{}, {case}", kind.name());
            self.progress.step(format!("round {round}: {label}"));
            let capacity = Capacity::NoEviction(keys.into());
            let (_, FullCache { cache, .. }) = self.full_cache(kind, keys, capacity)?;
            check_all_cached(kind, &*cache, keys)?;
            let before = now();
            cache.clear();
            let sample = Sample::of_one(before.elapsed());
            let mut counts = ReadCounts::default();
            cache.get_batch(&(0..keys.min(1000)).collect::<Vec<_>>(), &mut counts);
            check_hits(counts, 0).map(|()| sample).map_err(|error| with_context(&label, &error))
        })
    }

    fn inserts(&self, keys: u32) -> io::Result<Vec<LibraryRow>> {
        let filled = |kind| self.full_cache(kind, keys, Capacity::Sharded(keys.into()));
        let caches = CacheKind::distinct().map(filled).collect::<io::Result<Members<_, _>>>()?;
        let mut rows = Vec::new();
        for (operation, is_shared) in [(Operation::Insert, false), (Operation::Load, true)] {
            let members: Vec<_> =
                caches.iter().filter(|(kind, _)| !is_shared || kind.has_single_flight()).collect();
            let case = |&threads| Case { operation, distribution: None, keys, threads };
            let cases: Vec<_> = self.plan.threads.iter().map(case).collect();
            rows.extend(self.rounds(self.plan.rounds, &cases, &members, |full, case, _| {
                let source = KeySource::New { next: &full.next, is_shared };
                let (sample, counts) = self.load(&*full.cache, case, &source)?;
                // Every key is new, so none is a hit.
                check_hits(counts, 0).map(|()| sample)
            })?);
        }
        Ok(rows)
    }

    /// Creates a cache and inserts the first `keys` keys.
    fn full_cache(
        &self,
        kind: CacheKind,
        keys: u32,
        capacity: Capacity,
    ) -> io::Result<(CacheKind, FullCache)> {
        self.stop.check()?;
        self.progress.step(format!("filling {} with {keys}", kind.name()));
        let cache = build(kind, capacity);
        fill(&*cache, 0..keys);
        cache.run_pending();
        Ok((kind, FullCache { cache, next: AtomicU32::new(keys) }))
    }

    fn rounds<M: Borrow<(CacheKind, FullCache)>>(
        &self,
        rounds: usize,
        cases: &[Case],
        caches: &[M],
        mut sample: impl FnMut(&FullCache, Case, usize) -> io::Result<Sample>,
    ) -> io::Result<Vec<LibraryRow>> {
        let members = |_: Case| caches.iter().map(|it| (it.borrow().0, &it.borrow().1)).collect();
        interleave(rounds, cases, members, |kind: CacheKind, full: &&FullCache, case, round| {
            self.stop.check()?;
            let label = format!("{}, {case}", kind.name());
            self.progress.step(format!("round {round}: {label}"));
            sample(full, case, round).map_err(|error| with_context(&label, &error))
        })
    }

    fn load(
        &self,
        cache: &dyn Cache,
        case: Case,
        source: &KeySource<'_>,
    ) -> io::Result<(Sample, ReadCounts)> {
        let done = load::run(cache, self.cores, case.threads, source, self.plan.round_millis)?;
        cache.run_pending();
        Ok(done)
    }
}

fn check_all_cached(kind: CacheKind, cache: &dyn Cache, keys: u32) -> io::Result<()> {
    let mut counts = ReadCounts::default();
    cache.get_batch(&(0..keys).collect::<Vec<_>>(), &mut counts);
    check_all_hits(counts).map_err(|error| with_context(kind.name(), &error))
}

/// Checks that each read was a hit with the right value, except for the tolerated losses.
fn check_all_hits(counts: ReadCounts) -> io::Result<()> {
    let lost = counts.reads.saturating_sub(counts.hits);
    let tolerated = if lost <= counts.reads / READS_PER_LOSS { lost } else { 0 };
    check_hits(counts, counts.reads - tolerated)
}

/// Checks the number of hits, and that each returned the right value.
fn check_hits(counts: ReadCounts, hits: u64) -> io::Result<()> {
    match counts {
        ReadCounts { wrong: 0, .. } if counts.hits == hits => Ok(()),
        ReadCounts { wrong: 0, .. } => {
            let text = format!("{} of {} reads were hits, not {hits}", counts.hits, counts.reads);
            Err(io::Error::other(text))
        }
        _ => Err(io::Error::other(format!("{} reads returned another key's value", counts.wrong))),
    }
}

/// Reserves the next new key numbers. Relaxed, as the counter publishes no other data.
fn reserve(next: &AtomicU32, count: u32) -> io::Result<Range<u32>> {
    let first = next.fetch_add(count, Relaxed);
    let end = first.checked_add(count).filter(|end| *end <= NUMBERS);
    end.map(|end| first..end).ok_or_else(|| io::Error::other("there are no new keys left"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_misses_among_hits_are_an_error() {
        let counts = ReadCounts { reads: 20_000, hits: 19_998, wrong: 0 };
        assert!(check_all_hits(counts).is_ok());
        let worse = check_all_hits(ReadCounts { hits: 19_997, ..counts }).unwrap_err();
        assert_eq!(worse.to_string(), "19997 of 20000 reads were hits, not 20000");
        let wrong = ReadCounts { wrong: 1, ..counts };
        assert!(check_all_hits(wrong).is_err());
        let error = check_hits(wrong, 2).unwrap_err().to_string();
        assert_eq!(error, "1 reads returned another key's value");
    }

    #[test]
    fn new_keys_are_reserved_once() {
        let next = AtomicU32::new(NUMBERS - 20);
        assert_eq!(reserve(&next, 15).unwrap(), NUMBERS - 20..NUMBERS - 5);
        assert!(reserve(&next, 15).is_err());
    }

    #[test]
    fn a_lost_entry_is_noticed() {
        let cache = build(CacheKind::Lru, Capacity::SingleShard(9));
        fill(&*cache, 0..10);
        let error = check_all_cached(CacheKind::Lru, &*cache, 10).unwrap_err();
        assert_eq!(error.to_string(), "lru + mutex: 9 of 10 reads were hits, not 10");
    }
}
