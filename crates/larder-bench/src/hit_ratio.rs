//! Hit ratios: what part of the reads in a trace a cache of so many entries answers, under every
//! policy, beside other caches and the best that could be done.
//!
//! Time plays no part: one pass over a trace is all there is to know, on whatever machine.

mod made_up;
mod optimum;
mod results;
mod traces;

use std::io;
use std::path::Path;

use crate::caches::{Cache, CacheKind, Size, Tally, versions};
use crate::cores::Cores;
use crate::facts::Facts;
use crate::hit_ratio::made_up::{MADE_UP, MadeUp};
use crate::hit_ratio::optimum::optimum;
use crate::progress::Progress;
use crate::stop::Stop;

pub use results::{Hits, RatioResults, RatioRow};
pub use traces::{TRACES, Trace};

/// Fetches at one go: then somebody may want to stop.
const BLOCK: usize = 4096;

/// Plays every trace in `folder` to every cache, in every size; made-up ones where there is no
/// folder.
///
/// # Errors
/// When there is no such trace, or a cache holds more than it may.
pub fn run(folder: Option<&Path>, stop: &Stop) -> io::Result<RatioResults> {
    let mut facts = Facts::of_machine(Cores::take()?);
    facts.versions = versions();
    let plays = match folder {
        Some(folder) => TRACES.iter().map(|trace| trace.play(folder)).collect::<io::Result<_>>()?,
        None => MADE_UP.iter().map(MadeUp::play).collect::<Vec<_>>(),
    };
    let progress = Progress::new(plays.iter().map(|play| play.sizes.len()).sum());
    let mut rows = Vec::new();
    for Play { name, sizes, reads } in &plays {
        for &entries in *sizes {
            progress.step(format!("{name}, {entries} entries"));
            rows.push(row(name, reads, entries, stop)?);
        }
    }
    Ok(RatioResults { facts, made_up: folder.is_none(), rows })
}

/// What caches are played.
struct Play {
    name: &'static str,
    /// Entries that a cache may hold.
    sizes: &'static [u32],
    /// Each key by a number of its own.
    reads: Vec<u32>,
}

fn row(trace: &str, numbers: &[u32], entries: u32, stop: &Stop) -> io::Result<RatioRow> {
    let played = CacheKind::policies().map(|cache| {
        let hits = play(cache, numbers, entries, stop).map_err(|error| {
            let text = format!("{}, {trace}, {entries} entries: {error}", cache.name());
            io::Error::other(text)
        })?;
        Ok(Hits { cache, hits })
    });
    Ok(RatioRow {
        trace: trace.to_owned(),
        entries,
        reads: numbers.len() as u64,
        optimum_hits: optimum(numbers, entries as usize),
        hits: played.collect::<io::Result<_>>()?,
    })
}

/// How many of these reads a cache answers that keeps whatever it did not have.
fn play(kind: CacheKind, numbers: &[u32], entries: u32, stop: &Stop) -> io::Result<u64> {
    let cache = kind.build(Size::Exactly(entries.into()));
    let mut tally = Tally::default();
    for block in numbers.chunks(BLOCK) {
        stop.check()?;
        cache.fetches(block, &mut tally);
        within(&*cache, entries)?;
    }
    match tally.wrong {
        0 => Ok(tally.hits),
        wrong => Err(io::Error::other(format!("{wrong} reads gave another key's value"))),
    }
}

fn within(cache: &dyn Cache, entries: u32) -> io::Result<()> {
    match cache.len() {
        len if len <= entries.into() => Ok(()),
        len => Err(io::Error::other(format!("it holds {len} entries"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_beats_the_optimum() {
        // Two thirds of the reads go to a third of the keys, and scans pass by.
        let mut random = crate::keys::Order::random(3000, 7);
        let mut number = move || u32::try_from(random.next().unwrap_or_default()).unwrap();
        let numbers: Vec<_> = (0..20_000)
            .map(|at| match number() {
                many if many < 2000 => many % 100,
                _ => 1000 + at % 150,
            })
            .collect();
        for entries in [10, 50, 150] {
            let row = row("made up", &numbers, entries, &Stop::default()).unwrap();
            assert_eq!(row.hits.len(), CacheKind::ALL.len() - 2);
            for Hits { cache, hits } in &row.hits {
                assert!((1..=row.optimum_hits).contains(hits), "{}: {row:?}", cache.name());
            }
            // The same policy, written by two.
            assert_eq!(row.hits_of(CacheKind::LarderLru), row.hits_of(CacheKind::Lru));
        }
    }

    #[test]
    fn everything_fits_after_the_first_read() {
        let numbers: Vec<u32> = (0..50).cycle().take(500).collect();
        let row = row("made up", &numbers, 60, &Stop::default()).unwrap();
        assert_eq!(row.optimum_hits, 450);
        assert!(row.hits.iter().all(|seen| seen.hits == 450), "{row:?}");
    }

    #[test]
    fn one_that_holds_too_much_is_found_out() {
        let cache = CacheKind::Lru.build(Size::Exactly(3));
        cache.fetches(&[1, 2, 3], &mut Tally::default());
        assert!(within(&*cache, 3).is_ok());
        assert_eq!(within(&*cache, 2).unwrap_err().to_string(), "it holds 3 entries");
    }
}
