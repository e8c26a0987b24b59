//! Leases: may the reply to this fill enter the near cache?
//!
//! The table holds the pending fills of each name. A fill that is still in the table when its reply
//! has been read holds its lease. An invalidation of a name takes the name's fills out of the table:
//! their replies are not cached, and no later reader joins their flights.
//!
//! Each pending fill has a generation of its own. A bare mark would not do: after an invalidation
//! and a second fill of the same name, the late reply to the first fill must not pass for the
//! reply to the second.
//!
//! Most fills complete before another reader joins them, so a fill gets its flight from the first
//! reader that joins. When such a fill is taken out of the table, its flight moves to the detached
//! ones, where the fill finds it when it ends: with a reply, or dropped.

use super::flight::{Flight, FlightWaiter};
use crate::{
    clock::Moment,
    key::{HashedKey, OwnedKey},
    sync::{Mutex, MutexGuard},
};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use std::sync::Arc;

/// The pending fills, by the name that they read.
pub(crate) struct Leases<T> {
    shards: Box<[Mutex<Shard<T>>]>,
}

/// The pending fills of some of the names.
struct Shard<T> {
    pending: HashTable<PendingFill<T>>,
    /// The flights of fills whose lease was invalidated, by generation.
    detached: HashMap<u64, Arc<Flight<T>>, RandomState>,
    next_generation: u64,
}

/// A fill that has been sent and whose lease holds.
struct PendingFill<T> {
    lease: Lease,
    key: OwnedKey,
    sent: Moment,
    /// Shared by the readers that joined, if any did.
    flight: Option<Arc<Flight<T>>>,
}

/// The right of one fill to cache its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The hash of the name, by which the pending fill is found.
    hash: u64,
    /// Unique within the shard.
    generation: u64,
}

/// What a reader does whose key is not in memory.
pub(crate) enum LeaseRole<T> {
    /// It waits for a fill that another reader has sent.
    Joined(FlightWaiter<T>),
    /// It sends a fill itself, under this lease.
    Leading(Lease),
}

/// A lease that has ended.
pub(crate) struct Released<'a, T> {
    /// Present if the lease held.
    pub(crate) guard: Option<ShardGuard<'a, T>>,
    /// The flight of the readers that joined and wait for the outcome.
    pub(crate) flight: Option<Arc<Flight<T>>>,
}

/// Keeps the names of a shard from being invalidated while it exists. Of a released lease, it
/// proves that the lease held and still would.
pub(crate) struct ShardGuard<'a, T> {
    _shard: MutexGuard<'a, Shard<T>>,
}

const SHARDS: usize = 64;

impl<T> Leases<T> {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect() }
    }

    /// Joins the pending fill of this key if it was sent at `oldest` or later, or takes a lease for
    /// a new one. A fill too old to be joined loses its lease: its reply will not be cached.
    pub(crate) fn join_or_lead(
        &self,
        key: HashedKey<'_>,
        now: Moment,
        oldest: Moment,
    ) -> LeaseRole<T> {
        let mut shard = self.shard(key.hash);
        if let Some(fill) = shard.find(key) {
            if fill.sent >= oldest {
                return LeaseRole::Joined(FlightWaiter::on(fill.flight()));
            }
            let too_old = fill.lease;
            shard.invalidate(key.hash, |fill| fill.lease == too_old);
        }
        LeaseRole::Leading(shard.add(key, now))
    }

    /// Ends a lease. If it held, the shard stays locked until the guard is dropped, so that what is
    /// done on the strength of the lease is done before the next invalidation.
    pub(crate) fn release(&self, lease: Lease) -> Released<'_, T> {
        let mut shard = self.shard(lease.hash);
        match shard.take(lease) {
            Some(fill) => {
                Released { guard: Some(ShardGuard { _shard: shard }), flight: fill.flight }
            }
            None => Released { guard: None, flight: shard.detached.remove(&lease.generation) },
        }
    }

    /// Keeps every name in the shard of this hash from being invalidated.
    pub(crate) fn lock_shard(&self, hash: u64) -> ShardGuard<'_, T> {
        ShardGuard { _shard: self.shard(hash) }
    }

    /// Whether a lease holds at this moment.
    pub(crate) fn holds(&self, lease: Lease) -> bool {
        self.shard(lease.hash).pending.find(lease.hash, |fill| fill.lease == lease).is_some()
    }

    /// Invalidates every lease on a name, then runs `remove` before a new lease can be taken.
    pub(crate) fn invalidate<R>(&self, name: HashedKey<'_>, remove: impl FnOnce() -> R) -> R {
        self.invalidate_except(name, None, remove)
    }

    /// Does the same as [`Leases::invalidate`], but leaves one lease as it is.
    pub(crate) fn invalidate_except<R>(
        &self,
        name: HashedKey<'_>,
        spared: Option<Lease>,
        remove: impl FnOnce() -> R,
    ) -> R {
        let mut shard = self.shard(name.hash);
        let is_affected = |fill: &PendingFill<T>| {
            fill.key.as_key().name == name.key.name && Some(fill.lease) != spared
        };
        while shard.invalidate(name.hash, is_affected) {}
        remove()
    }

    /// Invalidates every lease on every name.
    pub(crate) fn invalidate_all(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let pending = std::mem::take(&mut shard.pending);
            pending.into_iter().for_each(|fill| shard.detach(fill));
        }
    }

    /// Returns the number of pending fills.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().pending.len()).sum()
    }

    /// The tables use both ends of the hash. The shard is chosen by bits in between.
    #[allow(clippy::cast_possible_truncation, reason = "only some bits are wanted")]
    #[allow(clippy::indexing_slicing, reason = "the index is taken modulo the length")]
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard<T>> {
        self.shards[(hash >> 32) as usize % SHARDS].lock()
    }
}

impl<T> Shard<T> {
    fn new() -> Self {
        Self { pending: HashTable::new(), detached: HashMap::default(), next_generation: 0 }
    }

    /// Returns the pending fill of exactly this key.
    fn find(&mut self, key: HashedKey<'_>) -> Option<&mut PendingFill<T>> {
        self.pending.find_mut(key.hash, |fill| fill.key.as_key() == key.key)
    }

    fn add(&mut self, key: HashedKey<'_>, sent: Moment) -> Lease {
        let lease = Lease { hash: key.hash, generation: self.next_generation };
        self.next_generation += 1;
        let fill = PendingFill { lease, key: key.key.into(), sent, flight: None };
        self.pending.insert_unique(key.hash, fill, |fill| fill.lease.hash);
        lease
    }

    /// Takes the fill with this lease out of the table.
    fn take(&mut self, lease: Lease) -> Option<PendingFill<T>> {
        let found = self.pending.find_entry(lease.hash, |fill| fill.lease == lease);
        found.ok().map(|fill| fill.remove().0)
    }

    /// Takes one affected fill out of the table. Returns whether there was one.
    fn invalidate(&mut self, hash: u64, is_affected: impl Fn(&PendingFill<T>) -> bool) -> bool {
        let found = self.pending.find_entry(hash, is_affected).ok();
        found.map(|fill| fill.remove().0).map(|fill| self.detach(fill)).is_some()
    }

    /// Keeps the flight of a fill that is out of the table until the fill ends.
    fn detach(&mut self, fill: PendingFill<T>) {
        if let Some(flight) = fill.flight {
            self.detached.insert(fill.lease.generation, flight);
        }
    }
}

impl Lease {
    /// Returns the hash of the name.
    pub(crate) fn hash(self) -> u64 {
        self.hash
    }
}

impl<T> PendingFill<T> {
    fn flight(&mut self) -> &Arc<Flight<T>> {
        self.flight.get_or_insert_with(|| Arc::new(Flight::new()))
    }
}
