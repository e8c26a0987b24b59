//! The load on one cache: which keys are read, and by how many threads.

use std::io;
use std::sync::Barrier;
use std::sync::atomic::AtomicU32;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use larder_bench::caches::{Cache, ReadCounts};
use larder_bench::clock::now;
use larder_bench::cores::Cores;
use larder_bench::cpu::of_this_thread;
use larder_bench::keys::SEQUENCE_READS;
use larder_bench::libraries::Sample;
use larder_bench::numbers::{median, per};

use crate::libraries::reserve;

/// How many keys are read in one batch, as many as in a pipeline over RESP.
const BATCH: usize = 16;
/// How many keys are read between two looks at the clock.
const BLOCK: usize = 1024;

/// Which keys the threads read.
pub(super) enum KeySource<'a> {
    /// Each thread repeats its own sequence, and starts at another position in each round.
    Repeated { sequences: &'a [Vec<u32>], round: usize },
    /// Every key is new. With `is_shared`, concurrent misses of one key share a load.
    New { next: &'a AtomicU32, is_shared: bool },
}

/// Loads a cache with this many threads, each pinned to one of the two cores by turns.
pub(super) fn run(
    cache: &dyn Cache,
    cores: Cores,
    threads: usize,
    source: &KeySource<'_>,
    millis: u64,
) -> io::Result<(Sample, ReadCounts)> {
    let (ready, time) = (&Barrier::new(threads), Duration::from_millis(millis));
    let worker = move |thread| {
        let pinned = cores.pin_worker(thread);
        // A thread that failed must not leave the others waiting.
        ready.wait();
        pinned.and_then(|()| run_thread(cache, source, thread, time))
    };
    let done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || worker(thread))).collect();
        workers.into_iter().map(ScopedJoinHandle::join).collect()
    });
    let (mut sample, mut counts, mut blocks) =
        (Sample::default(), ReadCounts::default(), Vec::new());
    for result in done {
        let done = result.map_err(|_| io::Error::other("a thread panicked"))??;
        sample.add(done.sample);
        counts.add(done.counts);
        blocks.extend(done.blocks);
    }
    sample.read_ns = median(blocks) / per(BLOCK as u64, 1);
    Ok((sample, counts))
}

/// The results of one thread.
struct ThreadResult {
    sample: Sample,
    counts: ReadCounts,
    /// The nanoseconds of each block.
    blocks: Vec<f64>,
}

fn run_thread(
    cache: &dyn Cache,
    source: &KeySource<'_>,
    thread: usize,
    time: Duration,
) -> io::Result<ThreadResult> {
    let mut counts = ReadCounts::default();
    let cpu_before = of_this_thread();
    let mut timer = BlockTimer { start: now(), last: Duration::ZERO, time, blocks: Vec::new() };
    match source {
        KeySource::Repeated { sequences, round } => {
            let sequence = sequences.get(thread).map(Vec::as_slice).unwrap_or_default();
            // A quarter of the sequence further on in each round.
            let skipped = round * SEQUENCE_READS / BLOCK / 4;
            for block in sequence.chunks_exact(BLOCK).cycle().skip(skipped) {
                block.chunks(BATCH).for_each(|batch| cache.get_batch(batch, &mut counts));
                if timer.is_over() {
                    break;
                }
            }
        }
        KeySource::New { next, is_shared } => {
            let mut block = [0; BLOCK];
            loop {
                let numbers = reserve(next, u32::try_from(BLOCK).unwrap_or(u32::MAX))?;
                block.iter_mut().zip(numbers).for_each(|(slot, number)| *slot = number);
                match is_shared {
                    true => cache.get_or_load_batch(&block, &mut counts),
                    false => cache.get_or_insert_batch(&block, &mut counts),
                }
                if timer.is_over() {
                    break;
                }
            }
        }
    }
    let cpu = of_this_thread().saturating_sub(cpu_before);
    let sample = Sample::new(counts.reads, timer.last, cpu);
    Ok(ThreadResult { sample, counts, blocks: timer.blocks })
}

/// Records how long each block takes.
struct BlockTimer {
    start: Instant,
    last: Duration,
    time: Duration,
    blocks: Vec<f64>,
}

impl BlockTimer {
    /// Records the end of a block. Returns true when the time is over.
    fn is_over(&mut self) -> bool {
        let now = self.start.elapsed();
        self.blocks.push(now.saturating_sub(self.last).as_secs_f64() * 1e9);
        self.last = now;
        now >= self.time
    }
}
