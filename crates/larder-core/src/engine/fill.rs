//! A fill: a read on its way to the store whose reply may enter the near tier.

use super::{Engine, Outcome};
use crate::{
    Key, Moment, Value,
    coherence::{flight::Flight, lease::Lease},
    expiry::{Ttl, deadline},
    fetch::{FetchError, Fetched, Found},
    near::Sight,
};
use std::{sync::Arc, time::Duration};

/// The permit to answer a flight and, while its lease holds, to keep the reply. Dropped without an
/// answer it says so to the flight, whose waiters then try for themselves.
pub struct Fill<V: Value> {
    engine: Arc<Engine<V>>,
    name: Box<[u8]>,
    db: u32,
    read: Box<[u8]>,
    /// Taken before the read was sent.
    sent: Moment,
    /// The epoch in which it was sent; `None` when there was none, and nothing will be kept.
    epoch: Option<u32>,
    lease: Lease,
    flight: Arc<Flight<Outcome<V>>>,
    answered: bool,
}

/// Why a reply was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl<V: Value> Fill<V> {
    pub(super) fn new(
        engine: Arc<Engine<V>>,
        key: Key<'_>,
        sent: Moment,
        epoch: Option<u32>,
        lease: Lease,
        flight: Arc<Flight<Outcome<V>>>,
    ) -> Self {
        let Key { name, db, read } = key;
        let (name, read) = (name.into(), read.into());
        Self { engine, name, db, read, sent, epoch, lease, flight, answered: false }
    }

    /// Which value is asked for.
    pub fn key(&self) -> Key<'_> {
        Key { name: &self.name, db: self.db, read: &self.read }
    }

    /// When it set out.
    pub fn sent(&self) -> Moment {
        self.sent
    }

    /// Whether the lease holds at this moment.
    pub fn holds(&self) -> bool {
        self.engine.leases.holds(&self.name, self.lease)
    }

    /// The lease, if nobody relies on the feed to void it.
    pub(super) fn lease_without_news(&self) -> Option<Lease> {
        self.epoch.is_none().then_some(self.lease)
    }

    /// Forgets the name, as the feed does where the store has one of its own.
    pub(crate) fn void_name(&self) {
        self.engine.void(&self.name);
    }

    /// The lease alone, for whoever must judge it elsewhere.
    pub fn lease_view(&self) -> LeaseView<V> {
        LeaseView { engine: Arc::clone(&self.engine), name: self.name.clone(), lease: self.lease }
    }

    /// The reply is here, with what the store says of the key's time to live: keeps it if it may be
    /// kept, and answers the flight.
    pub fn land(self, value: V, ttl: Ttl) {
        let kept = match ttl {
            Ttl::NoKey if !value.fits_no_key() => Err(NotKept::TtlGone),
            // Other reads answer null for a field that a key does not have.
            Ttl::Left(_) | Ttl::Forever if self.read.is_empty() && value.is_absent() => {
                Err(NotKept::NotAllowed)
            }
            _ => Ok(deadline(self.sent, self.engine.near_ttl, ttl)),
        };
        self.arrive(value, kept);
    }

    /// The origin has none: remembers that for `ttl` if it may, and answers the flight.
    pub(crate) fn land_absent(self, ttl: Duration) -> Fetched<V> {
        let until = self.engine.clock.now().plus(ttl);
        self.arrive(V::absent(), Ok(until))
    }

    /// The reply is here and must not be kept: answers the flight.
    pub fn pass_on(self, value: V, why: NotKept) {
        self.arrive(value, Err(why));
    }

    /// There will be no reply: tells the flight.
    pub fn fail(self, error: FetchError) {
        self.answer(Err(error));
    }

    /// Answers the flight with what was found on another road.
    pub(crate) fn answer(mut self, outcome: Outcome<V>) {
        self.tell(outcome);
    }

    fn arrive(mut self, value: V, deadline: Result<Moment, NotKept>) -> Fetched<V> {
        let kept = self.keep(&value, deadline);
        if let Err(why) = kept {
            self.engine.tally.refused(why);
        }
        let fetched = Fetched { value, found: Found::Store { kept }, collapsed: false };
        self.answered = true;
        self.flight.land(Ok(fetched.clone()));
        fetched
    }

    /// Gives up the lease, then tells the flight: who comes after the answer asks anew.
    fn tell(&mut self, outcome: Outcome<V>) {
        self.answered = true;
        drop(self.engine.leases.redeem(&self.name, self.lease));
        self.flight.land(outcome);
    }

    /// The only way into the near tier: the lease is ended, and what it allows is done before
    /// anybody can void the name.
    fn keep(&self, value: &V, deadline: Result<Moment, NotKept>) -> Result<Moment, NotKept> {
        let held = self.engine.leases.redeem(&self.name, self.lease).ok_or(NotKept::LeaseVoid)?;
        let deadline = deadline?;
        let now = self.engine.clock.now();
        let epoch = self.epoch.ok_or(NotKept::FeedDown)?;
        if deadline <= now {
            return Err(NotKept::TtlGone);
        }
        if !self.engine.keys.admit(&self.name) {
            return Err(NotKept::NotAllowed);
        }
        if value.heap_bytes() > self.engine.value_bytes_max {
            self.engine.oversized.insert(&self.name);
            return Err(NotKept::TooLarge);
        }
        let room = self.engine.near.put(self.key(), value.clone(), deadline, Sight { now, epoch });
        drop(held);
        if room { Ok(deadline) } else { Err(NotKept::TooLarge) }
    }
}

/// A look at a fill's lease, without the permit to keep anything.
pub struct LeaseView<V: Value> {
    engine: Arc<Engine<V>>,
    name: Box<[u8]>,
    lease: Lease,
}

impl<V: Value> LeaseView<V> {
    /// Whether the lease holds at this moment.
    pub fn holds(&self) -> bool {
        self.engine.leases.holds(&self.name, self.lease)
    }
}

impl<V: Value> Drop for Fill<V> {
    fn drop(&mut self) {
        if !self.answered {
            self.tell(Err(FetchError::GivenUp));
        }
    }
}
