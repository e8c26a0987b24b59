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
use crate::keys::Order;
use crate::libraries::{Pick, Sample, take};
use crate::numbers::{median, per};

/// Reads that are asked for at one go, as many as in a pipeline of the measurements over RESP.
const BATCH: usize = 16;
/// Reads between two looks at the clock.
pub(super) const BLOCK: usize = 1024;
/// How many reads there are before a thread begins anew.
const ORDER_READS: usize = 1 << 20;
/// How much more often the first key is asked for than the second one, and so on: YCSB's.
const ZIPF_EXPONENT: f64 = 0.99;
/// Has no divisor in common with the numbers of keys.
const STRIDE: u64 = 7_368_787;

/// Which numbers the threads ask for.
pub(super) enum Asked<'a> {
    /// Each thread those of its order, which begins elsewhere in each round.
    Again { orders: &'a [Vec<u32>], round: usize },
    /// Each number once, those from here on, and all who miss the same load it together or each by
    /// itself.
    Anew { next: &'a AtomicU32, together: bool },
}

impl Pick {
    /// The numbers that a thread asks for, in order: all below `keys`.
    pub(super) fn order(self, keys: u32, thread: usize) -> Vec<u32> {
        let mut random = Order::random(u64::from(u32::MAX), thread as u64);
        let numbers = std::iter::from_fn(move || random.next());
        match self {
            Self::Uniform => {
                let scaled = |part: u64| (part * u64::from(keys)) >> 32;
                numbers.map(scaled).map(narrow).take(ORDER_READS).collect()
            }
            Self::Zipf => {
                let zipf = Zipf::new(keys);
                numbers.map(|part| zipf.number(part)).take(ORDER_READS).collect()
            }
        }
    }
}

/// Ranks whose chances fall as their powers, each with the key that has the rank.
struct Zipf {
    /// The chance of a rank or one before it.
    sums: Vec<f64>,
}

impl Zipf {
    fn new(keys: u32) -> Self {
        let mut sum = 0.0;
        let sums = (1..=keys).map(|rank| {
            sum += f64::from(rank).powf(-ZIPF_EXPONENT);
            sum
        });
        Self { sums: sums.collect() }
    }

    /// The key for a random number of 32 bits. Neighbours in rank are none in memory: the ranks go
    /// to the keys by a stride.
    fn number(&self, random: u64) -> u32 {
        let part = f64::from(narrow(random)) / f64::from(u32::MAX);
        let point = part * self.sums.last().copied().unwrap_or_default();
        let rank = self.sums.partition_point(|sum| *sum < point).min(self.sums.len() - 1);
        narrow(rank as u64 * STRIDE % self.sums.len() as u64)
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
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
                let numbers = take(next, narrow(BLOCK as u64))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pick: Pick, keys: u32) -> Vec<u32> {
        let mut counts = vec![0; keys as usize];
        pick.order(keys, 1).into_iter().for_each(|number| counts[number as usize] += 1);
        counts
    }

    #[test]
    fn uniform_reads_are_spread_evenly() {
        let counts = counts(Pick::Uniform, 1000);
        assert!(counts.iter().all(|count| (800..1300).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_second_key_has_half_the_reads_of_the_first() {
        let mut counts = counts(Pick::Zipf, 1000);
        counts.sort_by(|one, other| other.cmp(one));
        let part = |rank: usize| f64::from(counts[rank - 1]) / f64::from(counts[0]);
        for rank in [2_u32, 10, 100] {
            let (seen, due) = (part(rank as usize), f64::from(rank).powf(-ZIPF_EXPONENT));
            assert!((seen / due - 1.0).abs() < 0.1, "rank {rank}: {seen} instead of {due}");
        }
        assert_eq!(counts.len(), 1000);
        assert!(counts.iter().all(|count| *count > 0), "keys that are never read");
    }

    #[test]
    fn threads_ask_in_orders_of_their_own() {
        assert_ne!(Pick::Uniform.order(1000, 0), Pick::Uniform.order(1000, 1));
        assert_eq!(Pick::Zipf.order(1000, 1), Pick::Zipf.order(1000, 1));
    }
}
