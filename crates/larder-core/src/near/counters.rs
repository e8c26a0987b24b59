//! The counters of the near cache.
//!
//! Every lookup is counted, so counting must cost next to nothing. Each thread therefore has a
//! stripe that no other thread writes to: an increment is a load and a store, and no cache line
//! moves between cores. If there are more threads than stripes, the others share the last one.

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64 as StripeSet, Ordering};

/// The contents of a near cache, and what happened in it so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NearCounts {
    /// Entries in memory, including invalid ones that await the next sweep.
    pub items: u64,
    /// Bytes of these entries, bookkeeping included.
    pub bytes: u64,
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Entries evicted for lack of room.
    pub evicted_full: u64,
    /// Entries removed after their deadline.
    pub evicted_expired: u64,
    /// Entries removed because their key changed.
    pub evicted_invalidation: u64,
    /// Entries removed after a flush or the end of their epoch.
    pub evicted_ended: u64,
}

/// Removed entries, by reason.
#[derive(Debug, Default)]
pub(super) struct EvictionCounters {
    /// Entries replaced by that of another name with the same fingerprint. The shards count the
    /// entries that they evict for lack of room.
    pub(super) full: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) invalidation: AtomicU64,
    pub(super) ended: AtomicU64,
}

impl EvictionCounters {
    pub(super) fn read(&self) -> NearCounts {
        NearCounts {
            evicted_full: self.full.load(Relaxed),
            evicted_expired: self.expired.load(Relaxed),
            evicted_invalidation: self.invalidation.load(Relaxed),
            evicted_ended: self.ended.load(Relaxed),
            ..NearCounts::default()
        }
    }
}

/// Hits and misses.
pub(super) struct StripedCounters {
    stripes: Box<[CachePadded<Stripe>]>,
}

#[derive(Default)]
struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// One stripe for each bit of [`STRIPES_IN_USE`], and a last one for all other threads.
const STRIPES: u32 = 65;

impl StripedCounters {
    pub(super) fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| CachePadded::default()).collect() }
    }

    pub(super) fn add(&self, hits: u64, misses: u64) {
        let own = OWN_STRIPE.try_with(|stripe| stripe.0).unwrap_or(SHARED_STRIPE);
        let Some(stripe) = self.stripes.get(own as usize) else { return };
        let add = |counter: &AtomicU64, more| match more {
            0 => {}
            _ if own == SHARED_STRIPE => drop(counter.fetch_add(more, Relaxed)),
            _ => counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed),
        };
        add(&stripe.hits, hits);
        add(&stripe.misses, misses);
    }

    /// Returns the hits and the misses.
    pub(super) fn read(&self) -> (u64, u64) {
        let sum = |counter: fn(&Stripe) -> &AtomicU64| {
            self.stripes.iter().map(|stripe| counter(stripe).load(Relaxed)).sum()
        };
        (sum(|stripe| &stripe.hits), sum(|stripe| &stripe.misses))
    }
}

/// The number of a thread's stripe. It is free for another thread once this one ends.
struct OwnStripe(u32);

/// The stripe of threads that found no other one free, and of threads that are ending.
const SHARED_STRIPE: u32 = STRIPES - 1;

/// A bit for each stripe that belongs to a running thread.
static STRIPES_IN_USE: StripeSet = StripeSet::new(0);

thread_local! {
    static OWN_STRIPE: OwnStripe = OwnStripe::acquire();
}

impl OwnStripe {
    fn acquire() -> Self {
        let mut in_use = STRIPES_IN_USE.load(Relaxed);
        while in_use != u64::MAX {
            let free = in_use.trailing_ones();
            // Acquire: this thread sees the counts that the stripe's last owner stored.
            let (new, success) = (in_use | 1 << free, Ordering::Acquire);
            match STRIPES_IN_USE.compare_exchange_weak(in_use, new, success, Relaxed) {
                Ok(_) => return Self(free),
                Err(current) => in_use = current,
            }
        }
        Self(SHARED_STRIPE)
    }
}

impl Drop for OwnStripe {
    fn drop(&mut self) {
        if self.0 != SHARED_STRIPE {
            STRIPES_IN_USE.fetch_and(!(1 << self.0), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Barrier, thread};

    #[test]
    fn no_increment_is_lost_with_more_threads_than_stripes() {
        const THREADS: usize = STRIPES as usize + 20;
        const INCREMENTS: u64 = 1000;
        let (counters, barrier) = (StripedCounters::new(), Barrier::new(THREADS));
        for round in 1..=2 {
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        OWN_STRIPE.with(|_| ());
                        barrier.wait();
                        (0..INCREMENTS).for_each(|_| counters.add(1, 2));
                        barrier.wait();
                    });
                }
            });
            let hits = round * INCREMENTS * THREADS as u64;
            assert_eq!(counters.read(), (hits, 2 * hits));
        }
    }
}
