//! Leases: may this fill's reply enter the near tier?
//!
//! The map says, for each name, which fills are on their way. A fill whose place is still on the
//! map when its reply has been read holds its lease. To void a name is to take its places off the
//! map: their replies are not kept, and nobody joins their flights any more.
//!
//! Each place carries a generation, not a bare mark: after a void and a second fill of the same
//! name, the late reply of the first must not pass for that of the second.
//!
//! Most fills land before anybody has joined them, so a place gets its flight from the first who
//! joins. Taken off the map, that flight waits among the detached ones for its fill, which always
//! comes: with a reply, or dropped.

use super::flight::{Flight, FlightWaiter};
use crate::{
    Moment,
    near::HashedKey,
    store::OwnedKey,
    sync::{Mutex, MutexGuard},
};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use std::sync::Arc;

/// The fills that are on their way.
pub(crate) struct Leases<T> {
    shards: Box<[Mutex<Shard<T>>]>,
}

/// Some of the names, by their hashes.
struct Shard<T> {
    places: HashTable<Place<T>>,
    /// Flights of places that were taken off the map, by generation.
    detached: HashMap<u64, Arc<Flight<T>>, RandomState>,
    next_generation: u64,
}

/// One fill on the map.
struct Place<T> {
    lease: Lease,
    key: OwnedKey,
    sent: Moment,
    /// Of those who joined, if anybody did.
    flight: Option<Arc<Flight<T>>>,
}

/// The right of one fill to enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// That of the name: where the place is found.
    hash: u64,
    /// Nobody else has it in this shard.
    generation: u64,
}

/// What a reader gets who asks for a key that is not in memory.
pub(crate) enum LeaseRole<T> {
    /// Somebody is on the way: wait with the others.
    Joined(FlightWaiter<T>),
    /// Nobody is: go.
    Leading(Lease),
}

/// A lease that has come to its end.
pub(crate) struct Released<'a, T> {
    /// Proof that it held.
    pub(crate) held: Option<ShardGuard<'a, T>>,
    /// Those who joined, and are to be told.
    pub(crate) joined: Option<Arc<Flight<T>>>,
}

/// While it lives, nobody voids this name: of a lease that was redeemed, proof that it still holds.
pub(crate) struct ShardGuard<'a, T> {
    _shard: MutexGuard<'a, Shard<T>>,
}

const SHARDS: usize = 64;

impl<T> Leases<T> {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect() }
    }

    /// Joins the flight to this key, if it set out after `since`, or takes a lease and leads.
    /// A flight too old to be joined gives up its place: its reply will not be kept.
    pub(crate) fn join_or_lead(
        &self,
        key: HashedKey<'_>,
        now: Moment,
        since: Moment,
    ) -> LeaseRole<T> {
        let mut shard = self.shard(key.hash);
        if let Some(place) = shard.find(key) {
            if place.sent >= since {
                return LeaseRole::Joined(FlightWaiter::on(place.flight()));
            }
            let too_old = place.lease;
            shard.invalidate(key.hash, |place| place.lease == too_old);
        }
        LeaseRole::Leading(shard.add(key, now))
    }

    /// Ends a lease. If it still held, the shard stays locked until the proof is dropped, so that
    /// what is done on its strength is done before the next void.
    pub(crate) fn release(&self, lease: Lease) -> Released<'_, T> {
        let mut shard = self.shard(lease.hash);
        match shard.take(lease) {
            Some(place) => {
                Released { held: Some(ShardGuard { _shard: shard }), joined: place.flight }
            }
            None => Released { held: None, joined: shard.detached.remove(&lease.generation) },
        }
    }

    /// Keeps all from being voided whose names' hashes choose the same shard.
    pub(crate) fn hold(&self, hash: u64) -> ShardGuard<'_, T> {
        ShardGuard { _shard: self.shard(hash) }
    }

    /// Whether a lease holds at this moment.
    pub(crate) fn holds(&self, lease: Lease) -> bool {
        self.shard(lease.hash).places.find(lease.hash, |place| place.lease == lease).is_some()
    }

    /// Voids every lease on a name, then does `forget` before anybody can take a new one.
    pub(crate) fn invalidate<R>(&self, name: HashedKey<'_>, forget: impl FnOnce() -> R) -> R {
        self.invalidate_except(name, None, forget)
    }

    /// As [`Leases::invalidate`], but that one lease still holds if it did.
    pub(crate) fn invalidate_except<R>(
        &self,
        name: HashedKey<'_>,
        spared: Option<Lease>,
        forget: impl FnOnce() -> R,
    ) -> R {
        let mut shard = self.shard(name.hash);
        let is_meant = |place: &Place<T>| {
            place.key.as_key().name == name.key.name && Some(place.lease) != spared
        };
        while shard.invalidate(name.hash, is_meant) {}
        forget()
    }

    /// Voids every lease on every name.
    pub(crate) fn invalidate_all(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let places = std::mem::take(&mut shard.places);
            places.into_iter().for_each(|place| shard.detach(place));
        }
    }

    /// Fills on their way.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().places.len()).sum()
    }

    /// The tables inside take the hash's ends; the choice of shard takes bits between them.
    #[allow(clippy::cast_possible_truncation, reason = "only some bits are wanted")]
    #[allow(clippy::indexing_slicing, reason = "the index is taken modulo the length")]
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard<T>> {
        self.shards[(hash >> 32) as usize % SHARDS].lock()
    }
}

impl<T> Shard<T> {
    fn new() -> Self {
        Self { places: HashTable::new(), detached: HashMap::default(), next_generation: 0 }
    }

    /// The place of a fill of this very key.
    fn find(&mut self, key: HashedKey<'_>) -> Option<&mut Place<T>> {
        self.places.find_mut(key.hash, |place| place.key.as_key() == key.key)
    }

    fn add(&mut self, key: HashedKey<'_>, sent: Moment) -> Lease {
        let lease = Lease { hash: key.hash, generation: self.next_generation };
        self.next_generation += 1;
        let place = Place { lease, key: key.key.into(), sent, flight: None };
        self.places.insert_unique(key.hash, place, |place| place.lease.hash);
        lease
    }

    /// Takes the place of a lease off the map.
    fn take(&mut self, lease: Lease) -> Option<Place<T>> {
        let found = self.places.find_entry(lease.hash, |place| place.lease == lease);
        found.ok().map(|place| place.remove().0)
    }

    /// Takes a place off the map that is meant, if there is one.
    fn invalidate(&mut self, hash: u64, is_meant: impl Fn(&Place<T>) -> bool) -> bool {
        let found = self.places.find_entry(hash, is_meant).ok();
        found.map(|place| place.remove().0).map(|place| self.detach(place)).is_some()
    }

    /// Keeps the flight of a place that is off the map for its fill.
    fn detach(&mut self, place: Place<T>) {
        if let Some(flight) = place.flight {
            self.detached.insert(place.lease.generation, flight);
        }
    }
}

impl Lease {
    /// That of the name.
    pub(crate) fn hash(self) -> u64 {
        self.hash
    }
}

impl<T> Place<T> {
    fn flight(&mut self) -> &Arc<Flight<T>> {
        self.flight.get_or_insert_with(|| Arc::new(Flight::new()))
    }
}
