//! Leases: may this fill's reply enter the near tier?
//!
//! The map says, for each name, which fills are on their way. A fill whose place is still on the
//! map when its reply has been read holds its lease. To void a name is to take its places off the
//! map: their replies are not kept, and nobody joins their flights any more.
//!
//! Each place carries a generation, not a bare mark: after a void and a second fill of the same
//! name, the late reply of the first must not pass for that of the second.

use super::flight::{Flight, Seat};
use crate::{
    Key, Moment,
    near::NameHash,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;

/// The fills that are on their way.
pub(crate) struct Leases<T> {
    shards: Box<[Mutex<Places<T>>]>,
    hash: NameHash,
    next_generation: AtomicU64,
}

type Places<T> = HashMap<Box<[u8]>, Vec<Place<T>>, RandomState>;

/// One fill on the map.
struct Place<T> {
    generation: u64,
    db: u32,
    read: Box<[u8]>,
    sent: Moment,
    flight: Arc<Flight<T>>,
}

/// The right of one fill to enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    generation: u64,
}

/// What a reader gets who asks for a key that is not in memory.
pub(crate) enum Boarding<T> {
    /// Somebody is on the way: wait with the others.
    Joined(Seat<T>),
    /// Nobody is: go.
    Leading(Lease, Arc<Flight<T>>),
}

/// Proof that the lease still holds; while it lives, nobody voids this name.
pub(crate) struct Held<'a, T> {
    _shard: MutexGuard<'a, Places<T>>,
}

const SHARDS: usize = 64;

impl<T> Leases<T> {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::default())).collect(),
            hash: NameHash::default(),
            next_generation: AtomicU64::new(0),
        }
    }

    /// Joins the flight to this key, if it set out after `since`, or takes a lease and leads.
    /// A flight too old to be joined gives up its place: its reply will not be kept.
    pub(crate) fn board(&self, key: Key<'_>, now: Moment, since: Moment) -> Boarding<T> {
        let Key { name, db, read } = key;
        let mut shard = self.shard(name);
        let places = shard.entry(name.into()).or_default();
        let same = places.iter().position(|place| place.db == db && *place.read == *read);
        if let Some(place) = same.and_then(|at| places.get(at))
            && place.sent >= since
        {
            return Boarding::Joined(Seat::on(&place.flight));
        }
        if let Some(at) = same {
            places.swap_remove(at);
        }
        let generation = self.next_generation.fetch_add(1, Relaxed);
        let flight = Arc::new(Flight::new());
        places.push(Place {
            generation,
            db,
            read: read.into(),
            sent: now,
            flight: Arc::clone(&flight),
        });
        Boarding::Leading(Lease { generation }, flight)
    }

    /// Ends a lease. If it still held, the shard stays locked until the proof is dropped, so that
    /// what is done on its strength is done before the next void.
    pub(crate) fn redeem(&self, name: &[u8], lease: Lease) -> Option<Held<'_, T>> {
        let mut shard = self.shard(name);
        let places = shard.get_mut(name)?;
        let at = places.iter().position(|place| place.generation == lease.generation)?;
        places.swap_remove(at);
        if places.is_empty() {
            shard.remove(name);
        }
        Some(Held { _shard: shard })
    }

    /// Whether a lease holds at this moment.
    pub(crate) fn holds(&self, name: &[u8], lease: Lease) -> bool {
        self.shard(name)
            .get(name)
            .is_some_and(|places| places.iter().any(|place| place.generation == lease.generation))
    }

    /// Voids every lease on a name, then does `forget` before anybody can take a new one.
    pub(crate) fn void<R>(&self, name: &[u8], forget: impl FnOnce() -> R) -> R {
        let mut shard = self.shard(name);
        let places = shard.remove(name);
        let forgotten = forget();
        drop(shard);
        drop(places);
        forgotten
    }

    /// As [`Leases::void`], but that one lease still holds if it did.
    pub(crate) fn void_but<R>(
        &self,
        name: &[u8],
        spared: Option<Lease>,
        forget: impl FnOnce() -> R,
    ) -> R {
        let spared = spared.map(|lease| lease.generation);
        let mut shard = self.shard(name);
        let places = shard.remove(name).unwrap_or_default();
        let (stays, gone): (Vec<_>, Vec<_>) =
            places.into_iter().partition(|place| Some(place.generation) == spared);
        if !stays.is_empty() {
            shard.insert(name.into(), stays);
        }
        let forgotten = forget();
        drop(shard);
        drop(gone);
        forgotten
    }

    /// Voids every lease on every name.
    pub(crate) fn void_all(&self) {
        for shard in &self.shards {
            let places = std::mem::take(&mut *shard.lock());
            drop(places);
        }
    }

    /// Fills on their way.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().values().map(Vec::len).sum::<usize>()).sum()
    }

    #[allow(clippy::cast_possible_truncation, reason = "only some bits are wanted")]
    #[allow(clippy::indexing_slicing, reason = "the index is taken modulo the length")]
    fn shard(&self, name: &[u8]) -> MutexGuard<'_, Places<T>> {
        self.shards[self.hash.of(name) as usize % SHARDS].lock()
    }
}
