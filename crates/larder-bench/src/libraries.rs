//! The near tier beside other caches, inside one process: time per hit, per miss with its
//! insertion, per clearing, and bytes per entry.
//!
//! All caches of a size stand side by side, and have their turns in [`rounds`](crate::rounds).
//! Memory is counted in a process of its own for each, as one cache would reuse what another one
//! gave back.

mod load;
mod memory;
mod results;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::caches::{Cache, CacheKind, NUMBERS, Size, Tally, versions};
use crate::clock::now;
use crate::cores::Cores;
use crate::facts::Facts;
use crate::libraries::load::Asked;
use crate::progress::Progress;
use crate::rounds::{Members, interleave};
use crate::servers::named;
use crate::stop::Stop;

pub use crate::keys::Pick;
pub use memory::{Growth, grow};
pub use results::{Case, LibrariesPlan, LibraryResults, LibraryRow, Memory, Sample, Work};

/// One miss among so many hits is none: in a shard of Larder, two names with one tag take turns.
const READS_PER_LOSS: u64 = 10_000;

/// Measures every cache. `program` is this one, which counts bytes in processes of their own.
///
/// # Errors
/// When a cache loses what it has room for, or gives the value of another key.
pub fn run(program: &Path, plan: &LibrariesPlan, stop: &Stop) -> io::Result<LibraryResults> {
    let cores = Cores::take()?;
    let mut facts = Facts::of_machine(cores);
    facts.versions = versions();
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
        entries.push(Memory { cache, growth: memory::in_a_process(program, cache, plan.entries)? });
    }
    progress.finish();
    Ok(LibraryResults { facts, plan: plan.clone(), rows, entries })
}

fn steps(plan: &LibrariesPlan) -> usize {
    let distinct = CacheKind::distinct().count();
    let hits = Pick::ALL.len() * plan.threads.len() * CacheKind::ALL.len();
    let loads = CacheKind::distinct().filter(|kind| kind.has_loads()).count();
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

/// A full cache, and the first number that was never a key in it.
struct Full {
    cache: Box<dyn Cache>,
    next: AtomicU32,
}

impl Bench<'_> {
    fn hits(&self, keys: u32) -> io::Result<Vec<LibraryRow>> {
        let filled = |kind| self.full(kind, keys, Size::RoomFor(keys.into()));
        let caches =
            CacheKind::ALL.into_iter().map(filled).collect::<io::Result<Members<_, _>>>()?;
        for (kind, full) in &caches {
            all_there(*kind, &*full.cache, keys)?;
        }
        let mut rows = Vec::new();
        for pick in Pick::ALL {
            let orders = self.plan.threads.iter().max().copied().unwrap_or(1);
            let orders: Vec<_> = (0..orders).map(|thread| pick.order(keys, thread)).collect();
            let case = |&threads| Case { work: Work::Hit, pick: Some(pick), keys, threads };
            let cases: Vec<_> = self.plan.threads.iter().map(case).collect();
            rows.extend(self.rounds(self.plan.rounds, &cases, &caches, |full, case, round| {
                let asked = Asked::Again { orders: &orders, round };
                let (sample, tally) = self.ask(&*full.cache, case, &asked)?;
                all_hits(tally).map(|()| sample)
            })?);
        }
        Ok(rows)
    }

    /// Each round with new caches: some are not the same after they were cleared.
    fn clears(&self, keys: u32) -> io::Result<Vec<LibraryRow>> {
        let case = Case { work: Work::Clear, pick: None, keys, threads: 1 };
        let kinds = CacheKind::distinct().map(|kind| (kind, kind)).collect::<Vec<_>>();
        let members = |_| kinds.clone();
        interleave(self.plan.clear_rounds, &[case], members, |_, &kind, case, round| {
            let what = format!("{}, {case}", kind.name());
            self.progress.step(format!("round {round}: {what}"));
            let (_, Full { cache, .. }) = self.full(kind, keys, Size::RoomFor(keys.into()))?;
            all_there(kind, &*cache, keys)?;
            let before = now();
            cache.clear();
            let sample = Sample::of_one(before.elapsed());
            let mut tally = Tally::default();
            cache.reads(&(0..keys.min(1000)).collect::<Vec<_>>(), &mut tally);
            counted(tally, 0).map(|()| sample).map_err(|error| named(&what, &error))
        })
    }

    fn inserts(&self, keys: u32) -> io::Result<Vec<LibraryRow>> {
        let filled = |kind| self.full(kind, keys, Size::AtMost(keys.into()));
        let caches = CacheKind::distinct().map(filled).collect::<io::Result<Members<_, _>>>()?;
        let mut rows = Vec::new();
        for (work, together) in [(Work::Insert, false), (Work::Load, true)] {
            let members: Vec<_> =
                caches.iter().filter(|(kind, _)| !together || kind.has_loads()).collect();
            let case = |&threads| Case { work, pick: None, keys, threads };
            let cases: Vec<_> = self.plan.threads.iter().map(case).collect();
            rows.extend(self.rounds(self.plan.rounds, &cases, &members, |full, case, _| {
                let asked = Asked::Anew { next: &full.next, together };
                let (sample, tally) = self.ask(&*full.cache, case, &asked)?;
                // None of them was ever there, and the cache was full before.
                counted(tally, 0).map(|()| sample)
            })?);
        }
        Ok(rows)
    }

    /// A cache in which the first `keys` were put.
    fn full(&self, kind: CacheKind, keys: u32, size: Size) -> io::Result<(CacheKind, Full)> {
        self.stop.check()?;
        self.progress.step(format!("filling {} with {keys}", kind.name()));
        let cache = kind.build(size);
        fill(&*cache, 0..keys);
        cache.settle();
        Ok((kind, Full { cache, next: AtomicU32::new(keys) }))
    }

    fn rounds<M: std::borrow::Borrow<(CacheKind, Full)>>(
        &self,
        rounds: usize,
        cases: &[Case],
        full: &[M],
        mut sample: impl FnMut(&Full, Case, usize) -> io::Result<Sample>,
    ) -> io::Result<Vec<LibraryRow>> {
        let members = |_: Case| full.iter().map(|it| (it.borrow().0, &it.borrow().1)).collect();
        interleave(rounds, cases, members, |kind: CacheKind, full: &&Full, case, round| {
            self.stop.check()?;
            let what = format!("{}, {case}", kind.name());
            self.progress.step(format!("round {round}: {what}"));
            sample(full, case, round).map_err(|error| io::Error::other(format!("{what}: {error}")))
        })
    }

    fn ask(&self, cache: &dyn Cache, case: Case, asked: &Asked<'_>) -> io::Result<(Sample, Tally)> {
        let done = load::ask(cache, self.cores, case.threads, asked, self.plan.round_millis)?;
        cache.settle();
        Ok(done)
    }
}

/// Fetches each of these keys once, none of which is there.
pub(crate) fn fill(cache: &dyn Cache, numbers: std::ops::Range<u32>) {
    // Without a list of them all: in some processes nothing else may take memory.
    let mut block = [0; load::BLOCK];
    let mut next = numbers.start;
    while next < numbers.end {
        let filled = block.iter_mut().zip(next..numbers.end);
        let count = filled.map(|(place, number)| *place = number).count();
        cache.fetches(block.get(..count).unwrap_or_default(), &mut Tally::default());
        next += u32::try_from(count).unwrap_or(u32::MAX);
    }
}

fn all_there(kind: CacheKind, cache: &dyn Cache, keys: u32) -> io::Result<()> {
    let mut tally = Tally::default();
    cache.reads(&(0..keys).collect::<Vec<_>>(), &mut tally);
    all_hits(tally).map_err(|error| named(kind.name(), &error))
}

/// An error unless each read was a hit with the right value, but for the few that a cache may
/// lose.
fn all_hits(tally: Tally) -> io::Result<()> {
    let lost = tally.reads.saturating_sub(tally.hits);
    counted(tally, tally.reads - if lost <= tally.reads / READS_PER_LOSS { lost } else { 0 })
}

/// An error unless so many reads were hits, each with the right value.
fn counted(tally: Tally, hits: u64) -> io::Result<()> {
    match tally {
        Tally { wrong: 0, .. } if tally.hits == hits => Ok(()),
        Tally { wrong: 0, .. } => {
            let text = format!("{} of {} reads were hits, not {hits}", tally.hits, tally.reads);
            Err(io::Error::other(text))
        }
        _ => Err(io::Error::other(format!("{} reads gave another key's value", tally.wrong))),
    }
}

/// The next numbers that nobody asked for. Relaxed: they are given out, nothing is published.
fn take(next: &AtomicU32, count: u32) -> io::Result<std::ops::Range<u32>> {
    let first = next.fetch_add(count, Relaxed);
    let end = first.checked_add(count).filter(|end| *end <= NUMBERS);
    end.map(|end| first..end).ok_or_else(|| io::Error::other("there are no keys left"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_among_hits_are_an_error() {
        let tally = Tally { reads: 20_000, hits: 19_998, wrong: 0 };
        assert!(all_hits(tally).is_ok());
        let worse = all_hits(Tally { hits: 19_997, ..tally }).unwrap_err();
        assert_eq!(worse.to_string(), "19997 of 20000 reads were hits, not 20000");
        let lie = Tally { wrong: 1, ..tally };
        assert!(all_hits(lie).is_err());
        assert_eq!(counted(lie, 2).unwrap_err().to_string(), "1 reads gave another key's value");
    }

    #[test]
    fn no_key_is_new_twice() {
        let next = AtomicU32::new(NUMBERS - 20);
        assert_eq!(take(&next, 15).unwrap(), NUMBERS - 20..NUMBERS - 5);
        assert!(take(&next, 15).is_err());
    }

    #[test]
    fn what_was_lost_is_noticed() {
        let cache = CacheKind::Lru.build(Size::Exactly(9));
        fill(&*cache, 0..10);
        let error = all_there(CacheKind::Lru, &*cache, 10).unwrap_err();
        assert_eq!(error.to_string(), "lru + mutex: 9 of 10 reads were hits, not 10");
    }
}
