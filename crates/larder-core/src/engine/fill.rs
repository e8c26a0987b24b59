//! A fill: a read on its way to the store whose reply may enter the near tier.

use super::{Engine, FetchResult, admission::Admission};
use crate::{
    Key, Moment, Value,
    coherence::{
        feed::Epoch,
        flight::{Flight, FlightWaiter},
        lease::{Lease, Released, ShardGuard},
    },
    expiry::{Ttl, deadline},
    fetch::{FetchError, Fetched, Found},
    near::{HashedKey, InsertError, Insertion, ReadView},
    store::OwnedKey,
};
use std::{num::NonZero, sync::Arc, time::Duration};

/// The permit to answer a flight and, while its lease holds, to keep the reply. Dropped without an
/// answer it says so to the flight, whose waiters then try for themselves.
pub struct Fill<'a, V: Value> {
    asked: Asked<'a, V>,
    /// Taken before the read was sent.
    sent: Moment,
    /// The epoch in which it was sent; `None` when there was none, and nothing will be cached. (No
    /// epoch has the number 0.)
    epoch: Option<NonZero<u32>>,
    admission: Admission,
    /// Of the one who asked, if they wait.
    promised: Option<Arc<Flight<FetchResult<V>>>>,
    answered: bool,
}

/// Who is asked for what: as the one who asks has it, until the fill goes elsewhere.
enum Asked<'a, V: Value> {
    Borrowed(&'a Arc<Engine<V>>, Key<'a>),
    Owned(Arc<Engine<V>>, OwnedKey),
}

/// The answer to a fill, for the one who asked.
pub struct FillOutcome<V: Value>(pub(crate) FillState<V>);

pub(crate) enum FillState<V: Value> {
    Ready(FetchResult<V>),
    Deferred(FlightWaiter<FetchResult<V>>),
}

/// Why a reply was not cached.
///
/// A word wide, as what it takes turns with in [`Found`]: that is moved about for each read, and
/// parts of words are slow to put together.
///
/// [`Found`]: crate::Found
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum NotCached {
    /// There was no fresh feed when it was read, or its epoch ended.
    FeedDown,
    /// The key changed while the reply was on its way.
    LeaseInvalidated,
    /// It is larger than `near-max-value`.
    TooLarge,
    /// Its time was over on arrival, or the key vanished behind it.
    TtlGone,
    /// Replies of this kind, or under such a key, are never cached.
    NotAllowed,
}

impl NotCached {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::FeedDown, Self::LeaseInvalidated, Self::TooLarge, Self::TtlGone, Self::NotAllowed];

    /// The reason's name in metrics and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::FeedDown => "feed-down",
            Self::LeaseInvalidated => "lease-invalidated",
            Self::TooLarge => "too-large",
            Self::TtlGone => "ttl-gone",
            Self::NotAllowed => "not-allowed",
        }
    }
}

impl<'a, V: Value> Fill<'a, V> {
    pub(super) fn new(
        engine: &'a Arc<Engine<V>>,
        key: Key<'a>,
        sent: Moment,
        epoch: Option<u32>,
        admission: Admission,
    ) -> Self {
        let asked = Asked::Borrowed(engine, key);
        let epoch = epoch.and_then(NonZero::new);
        Self { asked, sent, epoch, admission, promised: None, answered: false }
    }

    /// Promises the answer to the one who asked, who waits for it while the fill goes elsewhere.
    pub fn defer(mut self) -> (Fill<'static, V>, FillOutcome<V>) {
        let flight = self.promised.take().unwrap_or_else(|| Arc::new(Flight::new()));
        let waiter = FlightWaiter::on(&flight);
        let fill = Fill {
            asked: Asked::Owned(Arc::clone(self.engine()), self.key().into()),
            sent: self.sent,
            epoch: self.epoch,
            admission: self.admission,
            promised: Some(flight),
            answered: false,
        };
        self.answered = true;
        (fill, FillOutcome(FillState::Deferred(waiter)))
    }

    /// Which value is asked for.
    pub fn key(&self) -> Key<'_> {
        match &self.asked {
            Asked::Borrowed(_, key) => *key,
            Asked::Owned(_, key) => key.as_key(),
        }
    }

    fn hashed(&self) -> HashedKey<'_> {
        HashedKey { key: self.key(), hash: self.admission.hash() }
    }

    fn engine(&self) -> &Arc<Engine<V>> {
        match &self.asked {
            Asked::Borrowed(engine, _) => engine,
            Asked::Owned(engine, _) => engine,
        }
    }

    /// When it set out.
    pub fn sent(&self) -> Moment {
        self.sent
    }

    /// Whether the lease holds at this moment.
    pub fn holds(&self) -> bool {
        self.engine().holds(self.admission, self.epoch)
    }

    /// The lease, if nobody relies on the feed to void it.
    pub(super) fn lease_without_news(&self) -> Option<Lease> {
        match (self.admission, self.epoch) {
            (Admission::Lease(lease), None) => Some(lease),
            _ => None,
        }
    }

    /// Forgets the name, as the feed does where the store has one of its own.
    pub(crate) fn invalidate_name(&self) {
        self.engine().invalidate(self.key().name);
    }

    /// The lease alone, for whoever must judge it elsewhere.
    pub fn lease_view(&self) -> LeaseView<V> {
        let Self { admission, epoch, .. } = *self;
        LeaseView { engine: Arc::clone(self.engine()), admission, epoch }
    }

    /// The reply is here, with what the store says of the key's time to live: keeps it if it may be
    /// cached, and answers all who wait.
    pub fn complete(self, value: V, ttl: Ttl) -> FillOutcome<V> {
        let cached = match ttl {
            Ttl::NoKey if !value.fits_missing_key() => Err(NotCached::TtlGone),
            // Other reads answer null for a field that a key does not have.
            Ttl::Left(_) | Ttl::Forever if self.key().variant.is_empty() && value.is_absent() => {
                Err(NotCached::NotAllowed)
            }
            _ => Ok(deadline(self.sent, self.engine().near_ttl, ttl)),
        };
        FillOutcome(FillState::Ready(self.arrive(value, cached)))
    }

    /// The origin has none: remembers that for `ttl` if it may, and answers all who wait.
    pub(crate) fn complete_absent(self, ttl: Duration) -> FetchResult<V> {
        let until = self.engine().clock.now().plus(ttl);
        self.arrive(V::absent(), Ok(until))
    }

    /// The reply is here and must not be cached: answers all who wait.
    pub fn complete_uncached(self, value: V, why: NotCached) -> FillOutcome<V> {
        FillOutcome(FillState::Ready(self.arrive(value, Err(why))))
    }

    /// There will be no reply: tells all who wait.
    pub fn fail(self, error: FetchError) -> FillOutcome<V> {
        FillOutcome(FillState::Ready(self.answer(Err(error))))
    }

    /// Answers all who wait with what was found on another road.
    pub(crate) fn answer(mut self, outcome: FetchResult<V>) -> FetchResult<V> {
        // Who comes after the answer asks anew: the lease is given up first.
        let joined = self.give_up_lease();
        self.tell(joined, outcome)
    }

    /// Ends the lease. Gives back those who joined.
    fn give_up_lease(&self) -> Option<Arc<Flight<FetchResult<V>>>> {
        match self.admission {
            Admission::Lease(lease) => self.engine().leases.release(lease).joined,
            Admission::Stamp { .. } => None,
        }
    }

    fn arrive(mut self, value: V, deadline: Result<Moment, NotCached>) -> FetchResult<V> {
        let (cached, joined) = match self.admission {
            Admission::Lease(lease) => {
                let Released { held, joined } = self.engine().leases.release(lease);
                let keep = |held| self.keep(Some(held), &value, deadline);
                (held.ok_or(NotCached::LeaseInvalidated).and_then(keep), joined)
            }
            Admission::Stamp { .. } => (self.keep_or_forget(&value, deadline), None),
        };
        if let Err(why) = cached {
            self.engine().tally.refused(why);
        }
        let outcome = Ok(Fetched { value, found: Found::Store { cached }, collapsed: false });
        self.tell(joined, outcome)
    }

    /// By a stamp. What is not cached may be newer than what somebody else has put meanwhile, who asked
    /// for it by himself: that is forgotten before the reply is handed on (R13).
    fn keep_or_forget(
        &self,
        value: &V,
        deadline: Result<Moment, NotCached>,
    ) -> Result<Moment, NotCached> {
        let cached = self.keep(None, value, deadline);
        if cached.is_err() {
            drop(self.engine().near.remove_hashed(self.hashed()));
        }
        cached
    }

    /// The only way into the near tier. A lease that had a place has ended, and what it allows is
    /// done before anybody can void the name; a stamp is compared when that is done.
    fn keep(
        &self,
        held: Option<ShardGuard<'_, FetchResult<V>>>,
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
            self.note_oversized(held);
            return Err(NotCached::TooLarge);
        }
        let stamp = match self.admission {
            Admission::Lease(_) => None,
            Admission::Stamp { .. } if !engine.feed.is_current(Epoch(epoch)) => {
                return Err(NotCached::LeaseInvalidated);
            }
            Admission::Stamp { stamp, .. } => Some(stamp),
        };
        let (key, view) = (self.hashed(), ReadView { now, epoch });
        let inserted = engine.near.insert_hashed(&Insertion { key, value, deadline, view, stamp });
        drop(held);
        match inserted {
            Ok(()) => Ok(deadline),
            Err(InsertError::NoRoom) => Err(NotCached::TooLarge),
            Err(InsertError::StampChanged) => Err(NotCached::LeaseInvalidated),
        }
    }

    /// The next reads of a value that is too large pass the near tier by, unless it has changed.
    fn note_oversized(&self, held: Option<ShardGuard<'_, FetchResult<V>>>) {
        let engine = self.engine();
        // Who voids the name waits, and then takes the note away.
        let held = held.unwrap_or_else(|| engine.leases.hold(self.admission.hash()));
        if matches!(self.admission, Admission::Lease(_)) || self.holds() {
            engine.oversized.insert(self.key().name);
        }
        drop(held);
    }

    /// The time now, if a reply that took no longer than a bound may be past its deadline; else the
    /// time when it set out, to spare the clock. One that took longer is cached in vain: a look goes
    /// by the time of the look.
    fn now_before(&self, deadline: Moment) -> Moment {
        if deadline < self.sent.plus(self.engine().feed.bound()) {
            self.engine().clock.now()
        } else {
            self.sent
        }
    }

    /// Tells all who wait. Mostly nobody does, and the outcome is handed through untouched.
    #[inline]
    fn tell(
        &mut self,
        joined: Option<Arc<Flight<FetchResult<V>>>>,
        outcome: FetchResult<V>,
    ) -> FetchResult<V> {
        self.answered = true;
        match (joined, self.promised.take()) {
            (None, None) => outcome,
            (joined, promised) => tell(joined.into_iter().chain(promised), outcome),
        }
    }
}

#[cold]
fn tell<T: Clone>(waiting: impl Iterator<Item = Arc<Flight<T>>>, outcome: T) -> T {
    for flight in waiting {
        flight.complete(outcome.clone());
    }
    outcome
}

/// A look at a fill's lease, without the permit to keep anything.
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
            let joined = self.give_up_lease();
            drop(self.tell(joined, Err(FetchError::LeaderDropped)));
        }
    }
}
