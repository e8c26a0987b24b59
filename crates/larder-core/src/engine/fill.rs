//! A fill: a read on its way to the store whose reply may enter the near cache.

use super::{Engine, admission::Admission};
use crate::{
    clock::Moment,
    coherence::{
        feed::Epoch,
        flight::{Flight, FlightWaiter},
        lease::{Lease, Released, ShardGuard},
    },
    expiry::{Ttl, deadline},
    key::{HashedKey, Key, OwnedKey},
    near::{ChangeStamp, InsertError, Insertion, ReadView},
    outcome::{FetchError, FetchResult, Fetched, Found, NotCached},
    value::Value,
};
use std::{num::NonZero, sync::Arc, time::Duration};

/// The permit to answer a flight and, while its lease holds, to cache the reply. A fill that is
/// dropped without an answer reports that to the flight, whose waiters then fetch for themselves.
pub struct Fill<'a, V: Value> {
    target: Target<'a, V>,
    /// Taken before the read was sent.
    sent: Moment,
    /// The epoch in which the read was sent; `None` when there was none, and nothing will be cached.
    /// (No epoch has the number 0.)
    epoch: Option<NonZero<u32>>,
    admission: Admission,
    /// The flight of the reader that sent the fill, if it waits.
    deferred: Option<SharedFlight<V>>,
    answered: bool,
}

type SharedFlight<V> = Arc<Flight<FetchResult<V>>>;

/// The engine and the key: borrowed from the reader, until the fill is handed to another task.
enum Target<'a, V: Value> {
    Borrowed(&'a Arc<Engine<V>>, Key<'a>),
    Owned(Arc<Engine<V>>, OwnedKey),
}

/// The outcome of a fill, for the reader that sent it.
pub struct FillOutcome<V: Value>(pub(crate) FillState<V>);

pub(crate) enum FillState<V: Value> {
    Ready(FetchResult<V>),
    Deferred(FlightWaiter<FetchResult<V>>),
}

impl<'a, V: Value> Fill<'a, V> {
    pub(super) fn new(
        engine: &'a Arc<Engine<V>>,
        key: Key<'a>,
        sent: Moment,
        epoch: Option<u32>,
        admission: Admission,
    ) -> Self {
        let target = Target::Borrowed(engine, key);
        let epoch = epoch.and_then(NonZero::new);
        Self { target, sent, epoch, admission, deferred: None, answered: false }
    }

    /// Turns this into a fill that can be handed to another task. The outcome resolves when that
    /// fill is answered.
    pub fn defer(self) -> (Fill<'static, V>, FillOutcome<V>) {
        let (fill, waiter) = self.into_deferred();
        (fill, FillOutcome(FillState::Deferred(waiter)))
    }

    pub(super) fn into_deferred(mut self) -> (Fill<'static, V>, FlightWaiter<FetchResult<V>>) {
        let flight = self.deferred.take().unwrap_or_else(|| Arc::new(Flight::new()));
        let waiter = FlightWaiter::on(&flight);
        let mut fill = self.into_owned();
        fill.deferred = Some(flight);
        (fill, waiter)
    }

    /// Copies what this borrows.
    pub(super) fn into_owned(mut self) -> Fill<'static, V> {
        self.answered = true;
        Fill {
            target: Target::Owned(Arc::clone(self.engine()), self.key().into()),
            sent: self.sent,
            epoch: self.epoch,
            admission: self.admission,
            deferred: self.deferred.take(),
            answered: false,
        }
    }

    /// Returns the key that is read.
    pub fn key(&self) -> Key<'_> {
        match &self.target {
            Target::Borrowed(_, key) => *key,
            Target::Owned(_, key) => key.as_key(),
        }
    }

    fn hashed(&self) -> HashedKey<'_> {
        HashedKey { key: self.key(), hash: self.admission.hash() }
    }

    fn engine(&self) -> &Arc<Engine<V>> {
        match &self.target {
            Target::Borrowed(engine, _) => engine,
            Target::Owned(engine, _) => engine,
        }
    }

    /// Returns when the fill was sent.
    pub fn sent(&self) -> Moment {
        self.sent
    }

    /// Whether the lease holds at this moment.
    pub fn holds(&self) -> bool {
        self.engine().holds(self.admission, self.epoch)
    }

    /// Returns the lease, if the fill began without a fresh feed to invalidate it.
    pub(super) fn lease_without_feed(&self) -> Option<Lease> {
        match (self.admission, self.epoch) {
            (Admission::Lease(lease), None) => Some(lease),
            _ => None,
        }
    }

    /// Invalidates the name, as a feed would that reported the change.
    pub(crate) fn invalidate_name(&self) {
        self.engine().invalidate(self.key().name);
    }

    /// Returns a view of the lease, for a task that must check it elsewhere.
    pub fn lease_view(&self) -> LeaseView<V> {
        let Self { admission, epoch, .. } = *self;
        LeaseView { engine: Arc::clone(self.engine()), admission, epoch }
    }

    /// Answers all waiters with the reply, and caches it if it may be. `ttl` is what the store says
    /// of the key's time to live.
    pub fn complete(self, value: V, ttl: Ttl) -> FillOutcome<V> {
        let deadline = self.deadline(&value, ttl);
        FillOutcome(FillState::Ready(self.admit(value, deadline)))
    }

    /// Returns until when the reply may be served, or why it must not be cached.
    fn deadline(&self, value: &V, ttl: Ttl) -> Result<Moment, NotCached> {
        if ttl == Ttl::NoKey && !value.fits_missing_key() {
            return Err(NotCached::TtlGone);
        }
        // The plain value of an existing key is not absent. (Another variant may be: a field that
        // the key does not have.)
        let exists = ttl != Ttl::NoKey;
        if exists && self.key().variant.is_empty() && value.is_absent() {
            return Err(NotCached::NotAllowed);
        }
        Ok(deadline(self.sent, self.engine().near_ttl, ttl))
    }

    /// Answers all waiters that the origin has no value, and caches that for `ttl` if it may.
    pub(crate) fn complete_absent(self, ttl: Duration) -> FetchResult<V> {
        let until = self.engine().clock.now().plus(ttl);
        self.admit(V::absent(), Ok(until))
    }

    /// Answers all waiters with a reply that must not be cached.
    pub fn complete_uncached(self, value: V, reason: NotCached) -> FillOutcome<V> {
        FillOutcome(FillState::Ready(self.admit(value, Err(reason))))
    }

    /// Answers all waiters with a loaded value that the store does not have. The entries of its name
    /// are of other variants, and stay.
    pub(crate) fn complete_uncached_load(self, value: V, reason: NotCached) -> FetchResult<V> {
        self.engine().counters.refused(reason);
        let found = Found::Store { cached: Err(reason) };
        self.answer(Ok(Fetched { value, found, collapsed: false }))
    }

    /// Answers all waiters with an error.
    pub fn fail(self, error: FetchError) -> FillOutcome<V> {
        FillOutcome(FillState::Ready(self.answer(Err(error))))
    }

    /// Answers all waiters with what was found in another way, and caches nothing.
    pub(crate) fn answer(mut self, outcome: FetchResult<V>) -> FetchResult<V> {
        // The lease is released first, so that a reader that comes after the answer reads anew.
        let joined = self.release_lease();
        self.notify(joined, outcome)
    }

    /// Ends the lease. Returns the flight of the readers that joined.
    fn release_lease(&self) -> Option<SharedFlight<V>> {
        match self.admission {
            Admission::Lease(lease) => self.engine().leases.release(lease).flight,
            Admission::Stamp { .. } => None,
        }
    }

    /// Caches the reply if it may be, and answers all waiters.
    fn admit(mut self, value: V, deadline: Result<Moment, NotCached>) -> FetchResult<V> {
        let (cached, joined) = match self.admission {
            Admission::Lease(lease) => self.admit_under_lease(lease, &value, deadline),
            Admission::Stamp { .. } => (self.admit_under_stamp(&value, deadline), None),
        };
        if let Err(reason) = cached {
            self.engine().counters.refused(reason);
        }
        let outcome = Ok(Fetched { value, found: Found::Store { cached }, collapsed: false });
        self.notify(joined, outcome)
    }

    /// Releases the lease and, if it held, caches the reply before the next invalidation.
    fn admit_under_lease(
        &self,
        lease: Lease,
        value: &V,
        deadline: Result<Moment, NotCached>,
    ) -> (Result<Moment, NotCached>, Option<SharedFlight<V>>) {
        let Released { guard, flight } = self.engine().leases.release(lease);
        let cached = match guard {
            Some(guard) => self.cache(Some(guard), value, deadline),
            None => Err(self.reason_without_lease(deadline)),
        };
        (cached, flight)
    }

    /// Returns why a reply whose lease was invalidated is not cached. That its time to live may be
    /// over counts more than the lease: readers that joined must know.
    fn reason_without_lease(&self, deadline: Result<Moment, NotCached>) -> NotCached {
        match deadline {
            Ok(deadline) if deadline <= self.now_before(deadline) => NotCached::TtlGone,
            Err(reason @ (NotCached::TtlGone | NotCached::TtlUnknown)) => reason,
            Ok(_) | Err(_) => NotCached::LeaseInvalidated,
        }
    }

    /// Caches the reply if nothing has changed since the stamp was taken. A reply that is not cached
    /// may be newer than an entry that another fill of this name has cached meanwhile. That entry is
    /// dropped before the reply is handed on (R13).
    fn admit_under_stamp(
        &self,
        value: &V,
        deadline: Result<Moment, NotCached>,
    ) -> Result<Moment, NotCached> {
        let cached = self.cache(None, value, deadline);
        if cached.is_err() {
            drop(self.engine().near.remove_hashed(self.hashed()));
        }
        cached
    }

    /// Puts the reply into the near cache, or says why not. This is the only way in.
    ///
    /// With a lease, `guard` keeps the name from being invalidated until the entry is in. Without
    /// one, the near cache compares the stamp under the lock of the entry's shard.
    fn cache(
        &self,
        guard: Option<ShardGuard<'_, FetchResult<V>>>,
        value: &V,
        deadline: Result<Moment, NotCached>,
    ) -> Result<Moment, NotCached> {
        let deadline = deadline?;
        let epoch = self.epoch.ok_or(NotCached::FeedDown)?.get();
        let now = self.now_before(deadline);
        if deadline <= now {
            return Err(NotCached::TtlGone);
        }
        let engine = self.engine();
        if !engine.keys.admit(self.key().name) {
            return Err(NotCached::NotAllowed);
        }
        if value.payload_bytes() > engine.value_bytes_max {
            self.note_oversized(guard);
            return Err(NotCached::TooLarge);
        }
        let stamp = self.stamp_in(epoch)?;
        let (key, view) = (self.hashed(), ReadView { now, epoch });
        let inserted = engine.near.insert_hashed(&Insertion { key, value, deadline, view, stamp });
        drop(guard);
        match inserted {
            Ok(()) => Ok(deadline),
            Err(InsertError::NoRoom) => Err(NotCached::TooLarge),
            Err(InsertError::StampChanged) => Err(NotCached::LeaseInvalidated),
        }
    }

    /// Returns the stamp, if the fill has one. The end of an epoch does not change the stamps of
    /// names, so the epoch must still be the current one.
    fn stamp_in(&self, epoch: u32) -> Result<Option<ChangeStamp>, NotCached> {
        let Admission::Stamp { stamp, .. } = self.admission else { return Ok(None) };
        if !self.engine().feed_of(self.key()).is_current(Epoch(epoch)) {
            return Err(NotCached::LeaseInvalidated);
        }
        Ok(Some(stamp))
    }

    /// Makes the next reads of a value that is too large bypass the near cache, until it changes.
    fn note_oversized(&self, guard: Option<ShardGuard<'_, FetchResult<V>>>) {
        let engine = self.engine();
        // An invalidation of the name waits for this lock, and then takes the note away.
        let guard = guard.unwrap_or_else(|| engine.leases.lock_shard(self.admission.hash()));
        if matches!(self.admission, Admission::Lease(_)) || self.holds() {
            engine.oversized.insert(self.key().name);
        }
        drop(guard);
    }

    /// Returns a time for the check whether `deadline` has passed. That is when the fill was sent,
    /// to spare a clock read, unless a reply that took no longer than the staleness bound may be
    /// past its deadline. A reply that took longer may be cached in vain: each hit compares the
    /// deadline with the time of the hit.
    fn now_before(&self, deadline: Moment) -> Moment {
        let bound = self.engine().feed_of(self.key()).bound();
        if deadline < self.sent.plus(bound) { self.engine().clock.now() } else { self.sent }
    }

    /// Answers all waiters. Usually there are none, and the outcome is passed through as it is.
    #[inline]
    fn notify(
        &mut self,
        joined: Option<SharedFlight<V>>,
        outcome: FetchResult<V>,
    ) -> FetchResult<V> {
        self.answered = true;
        match (joined, self.deferred.take()) {
            (None, None) => outcome,
            (joined, deferred) => complete_all(joined.into_iter().chain(deferred), outcome),
        }
    }
}

#[cold]
fn complete_all<T: Clone>(flights: impl Iterator<Item = Arc<Flight<T>>>, outcome: T) -> T {
    for flight in flights {
        flight.complete(outcome.clone());
    }
    outcome
}

/// Shows whether a fill's lease holds, without the permit to cache anything.
pub struct LeaseView<V: Value> {
    engine: Arc<Engine<V>>,
    admission: Admission,
    epoch: Option<NonZero<u32>>,
}

impl<V: Value> LeaseView<V> {
    /// Whether the lease holds at this moment.
    pub fn holds(&self) -> bool {
        self.engine.holds(self.admission, self.epoch)
    }
}

impl<V: Value> Drop for Fill<'_, V> {
    fn drop(&mut self) {
        if !self.answered {
            let joined = self.release_lease();
            drop(self.notify(joined, Err(FetchError::LeaderDropped)));
        }
    }
}
