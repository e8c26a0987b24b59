//! A fill: a read on its way to the store whose reply may enter the near tier.

use super::{Engine, Outcome, right::Right};
use crate::{
    Key, Moment, Value,
    coherence::{
        feed::Epoch,
        flight::{Flight, Seat},
        lease::{Held, Lease, Redeemed},
    },
    expiry::{Ttl, deadline},
    fetch::{FetchError, Fetched, Found},
    near::{Hashed, Refused, Sight},
    store::OwnedKey,
};
use std::{num::NonZero, sync::Arc, time::Duration};

/// The permit to answer a flight and, while its lease holds, to keep the reply. Dropped without an
/// answer it says so to the flight, whose waiters then try for themselves.
pub struct Fill<'a, V: Value> {
    asked: Asked<'a, V>,
    /// Taken before the read was sent.
    sent: Moment,
    /// The epoch in which it was sent; `None` when there was none, and nothing will be kept. (No
    /// epoch has the number 0.)
    epoch: Option<NonZero<u32>>,
    right: Right,
    /// Of the one who asked, if they wait.
    promised: Option<Arc<Flight<Outcome<V>>>>,
    answered: bool,
}

/// Who is asked for what: as the one who asks has it, until the fill goes elsewhere.
enum Asked<'a, V: Value> {
    Here(&'a Arc<Engine<V>>, Key<'a>),
    Elsewhere(Arc<Engine<V>>, OwnedKey),
}

/// The answer to a fill, for the one who asked.
pub struct Answer<V: Value>(pub(crate) Answered<V>);

pub(crate) enum Answered<V: Value> {
    Here(Outcome<V>),
    Promised(Seat<Outcome<V>>),
}

/// Why a reply was not kept.
///
/// A word wide, as what it takes turns with in [`Found`]: that is moved about for each read, and
/// parts of words are slow to put together.
///
/// [`Found`]: crate::Found
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum NotKept {
    /// There was no fresh feed when it was read, or its epoch ended.
    FeedDown,
    /// The key changed while the reply was on its way.
    LeaseVoid,
    /// It is larger than `near-max-value`.
    TooLarge,
    /// Its time was over on arrival, or the key vanished behind it.
    TtlGone,
    /// Replies of this kind, or under such a key, are never kept.
    NotAllowed,
}

impl NotKept {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::FeedDown, Self::LeaseVoid, Self::TooLarge, Self::TtlGone, Self::NotAllowed];

    /// The reason's name in metrics and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::FeedDown => "feed-down",
            Self::LeaseVoid => "lease-void",
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
        right: Right,
    ) -> Self {
        let asked = Asked::Here(engine, key);
        let epoch = epoch.and_then(NonZero::new);
        Self { asked, sent, epoch, right, promised: None, answered: false }
    }

    /// Promises the answer to the one who asked, who waits for it while the fill goes elsewhere.
    pub fn promise(mut self) -> (Fill<'static, V>, Answer<V>) {
        let flight = self.promised.take().unwrap_or_else(|| Arc::new(Flight::new()));
        let seat = Seat::on(&flight);
        let fill = Fill {
            asked: Asked::Elsewhere(Arc::clone(self.engine()), self.key().into()),
            sent: self.sent,
            epoch: self.epoch,
            right: self.right,
            promised: Some(flight),
            answered: false,
        };
        self.answered = true;
        (fill, Answer(Answered::Promised(seat)))
    }

    /// Which value is asked for.
    pub fn key(&self) -> Key<'_> {
        match &self.asked {
            Asked::Here(_, key) => *key,
            Asked::Elsewhere(_, key) => key.as_key(),
        }
    }

    fn hashed(&self) -> Hashed<'_> {
        Hashed { key: self.key(), hash: self.right.hash() }
    }

    fn engine(&self) -> &Arc<Engine<V>> {
        match &self.asked {
            Asked::Here(engine, _) => engine,
            Asked::Elsewhere(engine, _) => engine,
        }
    }

    /// When it set out.
    pub fn sent(&self) -> Moment {
        self.sent
    }

    /// Whether the lease holds at this moment.
    pub fn holds(&self) -> bool {
        self.engine().holds(self.right, self.epoch)
    }

    /// The lease, if nobody relies on the feed to void it.
    pub(super) fn lease_without_news(&self) -> Option<Lease> {
        match (self.right, self.epoch) {
            (Right::Place(lease), None) => Some(lease),
            _ => None,
        }
    }

    /// Forgets the name, as the feed does where the store has one of its own.
    pub(crate) fn void_name(&self) {
        self.engine().void(self.key().name);
    }

    /// The lease alone, for whoever must judge it elsewhere.
    pub fn lease_view(&self) -> LeaseView<V> {
        let Self { right, epoch, .. } = *self;
        LeaseView { engine: Arc::clone(self.engine()), right, epoch }
    }

    /// The reply is here, with what the store says of the key's time to live: keeps it if it may be
    /// kept, and answers all who wait.
    pub fn land(self, value: V, ttl: Ttl) -> Answer<V> {
        let kept = match ttl {
            Ttl::NoKey if !value.fits_no_key() => Err(NotKept::TtlGone),
            // Other reads answer null for a field that a key does not have.
            Ttl::Left(_) | Ttl::Forever if self.key().read.is_empty() && value.is_absent() => {
                Err(NotKept::NotAllowed)
            }
            _ => Ok(deadline(self.sent, self.engine().near_ttl, ttl)),
        };
        Answer(Answered::Here(self.arrive(value, kept)))
    }

    /// The origin has none: remembers that for `ttl` if it may, and answers all who wait.
    pub(crate) fn land_absent(self, ttl: Duration) -> Outcome<V> {
        let until = self.engine().clock.now().plus(ttl);
        self.arrive(V::absent(), Ok(until))
    }

    /// The reply is here and must not be kept: answers all who wait.
    pub fn pass_on(self, value: V, why: NotKept) -> Answer<V> {
        Answer(Answered::Here(self.arrive(value, Err(why))))
    }

    /// There will be no reply: tells all who wait.
    pub fn fail(self, error: FetchError) -> Answer<V> {
        Answer(Answered::Here(self.answer(Err(error))))
    }

    /// Answers all who wait with what was found on another road.
    pub(crate) fn answer(mut self, outcome: Outcome<V>) -> Outcome<V> {
        // Who comes after the answer asks anew: the lease is given up first.
        let joined = self.give_up_lease();
        self.tell(joined, outcome)
    }

    /// Ends the lease. Gives back those who joined.
    fn give_up_lease(&self) -> Option<Arc<Flight<Outcome<V>>>> {
        match self.right {
            Right::Place(lease) => self.engine().leases.redeem(lease).joined,
            Right::Stamp { .. } => None,
        }
    }

    fn arrive(mut self, value: V, deadline: Result<Moment, NotKept>) -> Outcome<V> {
        let (kept, joined) = match self.right {
            Right::Place(lease) => {
                let Redeemed { held, joined } = self.engine().leases.redeem(lease);
                let keep = |held| self.keep(Some(held), &value, deadline);
                (held.ok_or(NotKept::LeaseVoid).and_then(keep), joined)
            }
            Right::Stamp { .. } => (self.keep_or_forget(&value, deadline), None),
        };
        if let Err(why) = kept {
            self.engine().tally.refused(why);
        }
        let outcome = Ok(Fetched { value, found: Found::Store { kept }, collapsed: false });
        self.tell(joined, outcome)
    }

    /// By a stamp. What is not kept may be newer than what somebody else has put meanwhile, who asked
    /// for it by himself: that is forgotten before the reply is handed on (R13).
    fn keep_or_forget(
        &self,
        value: &V,
        deadline: Result<Moment, NotKept>,
    ) -> Result<Moment, NotKept> {
        let kept = self.keep(None, value, deadline);
        if kept.is_err() {
            drop(self.engine().near.forget(self.hashed()));
        }
        kept
    }

    /// The only way into the near tier. A lease that had a place has ended, and what it allows is
    /// done before anybody can void the name; a stamp is compared when that is done.
    fn keep(
        &self,
        held: Option<Held<'_, Outcome<V>>>,
        value: &V,
        deadline: Result<Moment, NotKept>,
    ) -> Result<Moment, NotKept> {
        let deadline = deadline?;
        let epoch = self.epoch.ok_or(NotKept::FeedDown)?.get();
        let now = self.now_before(deadline);
        if deadline <= now {
            return Err(NotKept::TtlGone);
        }
        let engine = self.engine();
        if !engine.keys.admit(self.key().name) {
            return Err(NotKept::NotAllowed);
        }
        if value.payload_bytes() > engine.value_bytes_max {
            self.note_oversized(held);
            return Err(NotKept::TooLarge);
        }
        let stamp = match self.right {
            Right::Place(_) => None,
            Right::Stamp { .. } if !engine.feed.is_current(Epoch(epoch)) => {
                return Err(NotKept::LeaseVoid);
            }
            Right::Stamp { stamp, .. } => Some(stamp),
        };
        let put = engine.near.put(self.hashed(), value, deadline, Sight { now, epoch }, stamp);
        drop(held);
        match put {
            Ok(()) => Ok(deadline),
            Err(Refused::NoRoom) => Err(NotKept::TooLarge),
            Err(Refused::OutOfDate) => Err(NotKept::LeaseVoid),
        }
    }

    /// The next reads of a value that is too large pass the near tier by, unless it has changed.
    fn note_oversized(&self, held: Option<Held<'_, Outcome<V>>>) {
        let engine = self.engine();
        // Who voids the name waits, and then takes the note away.
        let held = held.unwrap_or_else(|| engine.leases.hold(self.right.hash()));
        if matches!(self.right, Right::Place(_)) || self.holds() {
            engine.oversized.insert(self.key().name);
        }
        drop(held);
    }

    /// The time now, if a reply that took no longer than a bound may be past its deadline; else the
    /// time when it set out, to spare the clock. One that took longer is kept in vain: a look goes
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
    fn tell(&mut self, joined: Option<Arc<Flight<Outcome<V>>>>, outcome: Outcome<V>) -> Outcome<V> {
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
        flight.land(outcome.clone());
    }
    outcome
}

/// A look at a fill's lease, without the permit to keep anything.
pub struct LeaseView<V: Value> {
    engine: Arc<Engine<V>>,
    right: Right,
    epoch: Option<NonZero<u32>>,
}

impl<V: Value> LeaseView<V> {
    /// Whether the lease holds at this moment.
    pub fn holds(&self) -> bool {
        self.engine.holds(self.right, self.epoch)
    }
}

impl<V: Value> Drop for Fill<'_, V> {
    fn drop(&mut self) {
        if !self.answered {
            let joined = self.give_up_lease();
            drop(self.tell(joined, Err(FetchError::GivenUp)));
        }
    }
}
