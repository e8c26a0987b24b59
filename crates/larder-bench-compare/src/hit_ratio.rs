//! Hit ratios: the fraction of the reads of a trace that a cache of a given size answers, beside
//! the optimum.
//!
//! Time plays no part, so one pass over a trace gives the same result on every machine.

mod optimum;
mod synthetic;
mod trace;
mod traces;

use std::io;
use std::path::Path;

use larder_bench::cache_kind::CacheKind;
use larder_bench::caches::{Cache, Capacity, ReadCounts};
use larder_bench::cores::Cores;
use larder_bench::environment::Environment;
use larder_bench::error::with_context;
use larder_bench::hit_ratio::{Hits, RatioResults, RatioRow};
use larder_bench::progress::Progress;
use larder_bench::stop::Stop;

use crate::caches::{build, versions};
use optimum::optimum;
use synthetic::{SYNTHETIC, SyntheticTrace};
use trace::Trace;
use traces::TRACES;

/// How many keys are read between two checks of the stop flag.
const BATCH: usize = 4096;

/// Replays every trace in `folder` against every cache in every size. Replays synthetic traces if
/// there is no folder.
///
/// # Errors
/// When a trace is missing, or a cache exceeds its capacity.
pub fn run(folder: Option<&Path>, stop: &Stop) -> io::Result<RatioResults> {
    let mut environment = Environment::of_machine(Cores::choose()?);
    environment.versions = versions();
    let traces = match folder {
        Some(folder) => TRACES.iter().map(|file| file.load(folder)).collect::<io::Result<_>>()?,
        None => SYNTHETIC.iter().map(SyntheticTrace::generate).collect::<Vec<_>>(),
    };
    let progress = Progress::new(traces.iter().map(|trace| trace.sizes.len()).sum());
    let mut rows = Vec::new();
    for Trace { name, sizes, reads } in &traces {
        for &entries in *sizes {
            progress.step(format!("{name}, {entries} entries"));
            rows.push(row(name, reads, entries, stop)?);
        }
    }
    Ok(RatioResults { environment, synthetic: folder.is_none(), rows })
}

fn row(trace: &str, numbers: &[u32], entries: u32, stop: &Stop) -> io::Result<RatioRow> {
    let hits = CacheKind::policies().map(|cache| {
        let hits = replay(cache, numbers, entries, stop).map_err(|error| {
            with_context(&format!("{}, {trace}, {entries} entries", cache.name()), &error)
        })?;
        Ok(Hits { cache, hits })
    });
    Ok(RatioRow {
        trace: trace.to_owned(),
        entries,
        reads: numbers.len() as u64,
        optimum_hits: optimum(numbers, entries as usize),
        hits: hits.collect::<io::Result<_>>()?,
    })
}

/// Counts the hits of a cache that inserts every key that it misses.
fn replay(kind: CacheKind, numbers: &[u32], entries: u32, stop: &Stop) -> io::Result<u64> {
    let cache = build(kind, Capacity::SingleShard(entries.into()));
    let mut counts = ReadCounts::default();
    for batch in numbers.chunks(BATCH) {
        stop.check()?;
        cache.get_or_insert_batch(batch, &mut counts);
        check_capacity(&*cache, entries)?;
    }
    match counts.wrong {
        0 => Ok(counts.hits),
        wrong => Err(io::Error::other(format!("{wrong} reads returned another key's value"))),
    }
}

fn check_capacity(cache: &dyn Cache, entries: u32) -> io::Result<()> {
    match cache.len() {
        len if len <= entries.into() => Ok(()),
        len => Err(io::Error::other(format!("it holds {len} entries"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_bench::keys::KeySequence;

    #[test]
    fn no_cache_exceeds_the_optimum() {
        // Two thirds of the reads go to a tenth of the keys, the others are a loop.
        let mut random = KeySequence::random(3000, 7);
        let mut number = move || u32::try_from(random.next().unwrap_or_default()).unwrap();
        let numbers: Vec<_> = (0..20_000)
            .map(|at| match number() {
                popular if popular < 2000 => popular % 100,
                _ => 1000 + at % 150,
            })
            .collect();
        for entries in [10, 50, 150] {
            let row = row("synthetic", &numbers, entries, &Stop::default()).unwrap();
            assert_eq!(row.hits.len(), CacheKind::ALL.len() - 2);
            for Hits { cache, hits } in &row.hits {
                assert!((1..=row.optimum_hits).contains(hits), "{}: {row:?}", cache.name());
            }
            // Two implementations of the same policy.
            assert_eq!(row.hits_of(CacheKind::LarderLru), row.hits_of(CacheKind::Lru));
        }
    }

    /// Larder's default policy follows that of `quick_cache`.
    #[test]
    fn larder_has_as_many_hits_as_quick_cache() {
        const ENTRIES: u32 = 500;
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        // Popular keys, a loop that does not fit, and keys that are read once.
        let numbers: Vec<u32> = (0..200_000_u64)
            .map(|n| match n % 8 {
                0..4 => random(2000) * random(2000) * random(2000) / 4_000_000,
                4..7 => 10_000 + n % 700,
                _ => 100_000 + n,
            })
            .map(|number| u32::try_from(number).unwrap())
            .collect();
        let hits = |kind| replay(kind, &numbers, ENTRIES, &Stop::default()).unwrap();
        let (larder, quick_cache) = (hits(CacheKind::Larder), hits(CacheKind::QuickCache));
        assert!(quick_cache > 20_000, "{quick_cache}");
        assert!(larder.abs_diff(quick_cache) < quick_cache / 50, "{larder} and {quick_cache}");
    }

    #[test]
    fn every_read_but_the_first_is_a_hit_if_all_keys_fit() {
        let numbers: Vec<u32> = (0..50).cycle().take(500).collect();
        let row = row("synthetic", &numbers, 60, &Stop::default()).unwrap();
        assert_eq!(row.optimum_hits, 450);
        assert!(row.hits.iter().all(|it| it.hits == 450), "{row:?}");
    }

    #[test]
    fn exceeding_the_capacity_is_an_error() {
        let cache = build(CacheKind::Lru, Capacity::SingleShard(3));
        cache.get_or_insert_batch(&[1, 2, 3], &mut ReadCounts::default());
        assert!(check_capacity(&*cache, 3).is_ok());
        let error = check_capacity(&*cache, 2).unwrap_err().to_string();
        assert_eq!(error, "it holds 3 entries");
    }
}
