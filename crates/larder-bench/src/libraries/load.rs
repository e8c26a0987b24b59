//! What caches are asked for, and by how many threads.

use std::io;
use std::sync::Barrier;
use std::sync::atomic::AtomicU32;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::caches::{Cache, Tally};
use crate::clock::now;
use crate::cores::Cores;
use crate::cpu::of_this_thread;
use crate::keys::ORDER_READS;
use crate::libraries::{Sample, take};
use crate::numbers::{median, per};

/// Reads that are asked for at one go, as many as in a pipeline of the measurements over RESP.
const BATCH: usize = 16;
/// Reads between two looks at the clock.
pub(super) const BLOCK: usize = 1024;
/// Which numbers the threads ask for.
pub(super) enum Asked<'a> {
    /// Each thread those of its order, which begins elsewhere in each round.
    Again { orders: &'a [Vec<u32>], round: usize },
    /// Each number once, those from here on, and all who miss the same load it together or each by
    /// itself.
    Anew { next: &'a AtomicU32, together: bool },
}

/// Asks a cache with so many threads, each on a core of its own as long as there are any.
pub(super) fn ask(
    cache: &dyn Cache,
    cores: Cores,
    threads: usize,
    asked: &Asked<'_>,
    millis: u64,
) -> io::Result<(Sample, Tally)> {
    let (ready, time) = (&Barrier::new(threads), Duration::from_millis(millis));
    let worker = move |thread| {
        let pinned = cores.pin_worker(thread);
        // Nobody may wait for one that has given up.
        ready.wait();
        pinned.and_then(|()| work(cache, asked, thread, time))
    };
    let done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || worker(thread))).collect();
        workers.into_iter().map(ScopedJoinHandle::join).collect()
    });
    let (mut sample, mut tally, mut blocks) = (Sample::default(), Tally::default(), Vec::new());
    for result in done {
        let done = result.map_err(|_| io::Error::other("a thread panicked"))??;
        sample.add(done.sample);
        tally.add(done.tally);
        blocks.extend(done.blocks);
    }
    sample.read_ns = median(blocks) / per(BLOCK as u64, 1);
    Ok((sample, tally))
}

/// What one thread has done.
struct Done {
    sample: Sample,
    tally: Tally,
    /// Nanoseconds of each block.
    blocks: Vec<f64>,
}

fn work(cache: &dyn Cache, asked: &Asked<'_>, thread: usize, time: Duration) -> io::Result<Done> {
    let mut tally = Tally::default();
    let cpu_before = of_this_thread();
    let mut watch = Watch { start: now(), last: Duration::ZERO, time, blocks: Vec::new() };
    match asked {
        Asked::Again { orders, round } => {
            let order = orders.get(thread).map(Vec::as_slice).unwrap_or_default();
            // Each round a quarter further on.
            let blocks = order.chunks_exact(BLOCK).cycle().skip(round * ORDER_READS / BLOCK / 4);
            for block in blocks {
                block.chunks(BATCH).for_each(|batch| cache.reads(batch, &mut tally));
                if watch.is_over() {
                    break;
                }
            }
        }
        Asked::Anew { next, together } => {
            let mut block = [0; BLOCK];
            loop {
                let numbers = take(next, u32::try_from(BLOCK).unwrap_or(u32::MAX))?;
                block.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);
                match together {
                    true => cache.loads(&block, &mut tally),
                    false => cache.fetches(&block, &mut tally),
                }
                if watch.is_over() {
                    break;
                }
            }
        }
    }
    let cpu = of_this_thread().saturating_sub(cpu_before);
    Ok(Done { sample: Sample::new(tally.reads, watch.last, cpu), tally, blocks: watch.blocks })
}

/// Notes how long each block takes.
struct Watch {
    start: Instant,
    last: Duration,
    time: Duration,
    blocks: Vec<f64>,
}

impl Watch {
    /// To be asked after each block: whether that was the last one.
    fn is_over(&mut self) -> bool {
        let now = self.start.elapsed();
        self.blocks.push(now.saturating_sub(self.last).as_secs_f64() * 1e9);
        self.last = now;
        now >= self.time
    }
}
