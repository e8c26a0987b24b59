//! How often looks found something.
//!
//! Every look is counted, so the count must cost next to nothing. Each thread has a stripe of its
//! own, to which nobody else writes: adding is a load and a store there, and no cache line goes
//! from core to core. More threads than stripes share the last one.

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::atomic::{AtomicU64 as Bits, Ordering};

/// Hits and misses.
pub(super) struct StripedCounters {
    stripes: Box<[Stripe]>,
}

#[derive(Default)]
#[repr(align(128))]
struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// One bit each in [`TAKEN`] for threads by themselves, and the last for all others.
const STRIPES: u32 = 65;

impl StripedCounters {
    pub(super) fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Stripe::default()).collect() }
    }

    pub(super) fn add(&self, hits: u64, misses: u64) {
        let mine = NUMBER.try_with(|number| number.0).unwrap_or(SHARED);
        let Some(stripe) = self.stripes.get(mine as usize) else { return };
        let add = |counter: &AtomicU64, more| match more {
            0 => {}
            _ if mine == SHARED => drop(counter.fetch_add(more, Relaxed)),
            _ => counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed),
        };
        add(&stripe.hits, hits);
        add(&stripe.misses, misses);
    }

    /// Hits and misses.
    pub(super) fn read(&self) -> (u64, u64) {
        let sum = |counter: fn(&Stripe) -> &AtomicU64| {
            self.stripes.iter().map(|stripe| counter(stripe).load(Relaxed)).sum()
        };
        (sum(|stripe| &stripe.hits), sum(|stripe| &stripe.misses))
    }
}

/// The number of a thread while it lives; then another one may have it.
struct Number(u32);

/// The stripe of those who came when all others were taken, and of threads that are ending.
const SHARED: u32 = STRIPES - 1;

/// Which numbers threads have.
static TAKEN: Bits = Bits::new(0);

thread_local! {
    static NUMBER: Number = Number::take();
}

impl Number {
    fn take() -> Self {
        let mut taken = TAKEN.load(Relaxed);
        while taken != u64::MAX {
            let free = taken.trailing_ones();
            // Acquire: what the last owner of the number stored is seen by the next.
            let (now, done) = (taken | 1 << free, Ordering::Acquire);
            match TAKEN.compare_exchange_weak(taken, now, done, Relaxed) {
                Ok(_) => return Self(free),
                Err(others) => taken = others,
            }
        }
        Self(SHARED)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        if self.0 != SHARED {
            TAKEN.fetch_and(!(1 << self.0), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Barrier, thread};

    #[test]
    fn none_is_lost_by_more_threads_than_there_are_stripes() {
        const THREADS: usize = STRIPES as usize + 20;
        const ADDED: u64 = 1000;
        let (lookups, all_here) = (StripedCounters::new(), Barrier::new(THREADS));
        for round in 1..=2 {
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        NUMBER.with(|_| ());
                        all_here.wait();
                        (0..ADDED).for_each(|_| lookups.add(1, 2));
                        all_here.wait();
                    });
                }
            });
            let hits = round * ADDED * THREADS as u64;
            assert_eq!(lookups.read(), (hits, 2 * hits));
        }
    }
}
