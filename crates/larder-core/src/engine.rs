//! The engine: the near tier together with the coherence that guards it.
//!
//! Everything that enters the near tier does so in [`Fill::land`]; everything that leaves because
//! the store changed does so in [`Engine::void`] or [`Engine::flush`].

mod counts;
mod fill;
mod oversized;
mod prefixes;
mod puts;
mod right;

use crate::{
    Clock, Key, Moment, Seen, Value,
    coherence::{
        feed::{Epoch, Feed},
        flight::Seat,
        lease::{Boarding, Leases},
    },
    fetch::{Bypass, FetchError, Fetched},
    near::{Hashed, Looks, Near, NearPlan, Sight},
};
use counts::Tally;
pub use counts::{EngineCounts, FlushCause};
pub(crate) use fill::Answered;
pub use fill::{Answer, Fill, LeaseView, NotKept};
use oversized::Oversized;
pub use prefixes::Prefixes;
use puts::Puts;
use right::Right;
use std::{sync::Arc, time::Duration};

/// What an engine is made of.
#[derive(Clone, Debug)]
pub struct EnginePlan {
    /// The near tier's bounds and policy.
    pub near: NearPlan,
    /// How long an entry may stay without being read anew, at most.
    pub near_ttl: Duration,
    /// The feed age past which nothing is served from memory.
    pub staleness_bound: Duration,
    /// Which keys may be kept.
    pub keys: Prefixes,
}

/// The near tier together with the coherence that guards it.
pub struct Engine<V: Value> {
    clock: Clock,
    near: Near<V>,
    near_ttl: Duration,
    value_bytes_max: usize,
    keys: Prefixes,
    feed: Feed,
    leases: Leases<Outcome<V>>,
    oversized: Oversized,
    puts: Puts,
    tally: Tally,
}

pub(crate) type Outcome<V> = Result<Fetched<V>, FetchError>;

/// What a reader gets who asks for a key that is not in memory.
pub(crate) enum Boarded<'a, V: Value> {
    /// Wait with the others.
    Joined(Seat<Outcome<V>>),
    /// Fetch it for all.
    Leading(Fill<'a, V>),
}

impl<V: Value> Engine<V> {
    /// An engine that remembers nothing and whose feed has not begun.
    pub fn new(plan: &EnginePlan, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            near: Near::new(&plan.near),
            near_ttl: plan.near_ttl,
            value_bytes_max: plan.near.value_bytes_max,
            keys: plan.keys.clone(),
            feed: Feed::new(plan.staleness_bound),
            leases: Leases::new(),
            oversized: Oversized::default(),
            puts: Puts::default(),
            tally: Tally::default(),
        })
    }

    /// The clock that everything here goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The feed, for heartbeats and health.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The key with what all parts here know its name by.
    pub(crate) fn hashed<'a>(&self, key: Key<'a>) -> Hashed<'a> {
        self.near.hashed(key)
    }

    /// From where entries may be judged now; `None` when nothing may be served from memory.
    pub fn sight(&self) -> Option<Sight> {
        self.feed.sight(self.clock.now())
    }

    /// Looks into the near tier. A hit gives the reply and its deadline.
    pub fn look(&self, key: Key<'_>, sight: Sight) -> Option<(V, Moment)> {
        self.look_hashed(self.hashed(key), sight)
    }

    /// See [`Engine::look`].
    pub(crate) fn look_hashed(&self, key: Hashed<'_>, sight: Sight) -> Option<(V, Moment)> {
        let found = |seen: Seen<'_, V>, deadline| (seen.to_value(), deadline);
        self.near.looks(sight).look_hashed(key, found)
    }

    /// Looks into the near tier at replies where they are: nothing is copied, counted up or freed.
    pub fn looks(&self, sight: Sight) -> Looks<'_, V> {
        self.near.looks(sight)
    }

    /// Joins whoever fetches this key, if they set out after `since`, or takes the lead.
    pub(crate) fn board<'a>(
        self: &'a Arc<Self>,
        key: Hashed<'a>,
        now: Moment,
        since: Moment,
        sight: Option<Sight>,
    ) -> Boarded<'a, V> {
        match self.leases.board(key, now, since) {
            Boarding::Joined(seat) => {
                self.tally.joined();
                Boarded::Joined(seat)
            }
            Boarding::Leading(lease) => {
                let epoch = sight.map(|sight| sight.epoch);
                Boarded::Leading(Fill::new(self, key.key, now, epoch, Right::Place(lease)))
            }
        }
    }

    /// A fetch that nobody joins, from a store that answers at once: a lease that takes no place on
    /// the map is enough.
    pub(crate) fn lead_alone<'a>(
        self: &'a Arc<Self>,
        key: Hashed<'a>,
        sight: Sight,
    ) -> Fill<'a, V> {
        let Hashed { key, hash } = key;
        let Sight { now, epoch } = sight;
        let stamp = self.near.stamp(hash);
        Fill::new(self, key, now, Some(epoch), Right::Stamp { hash, stamp })
    }

    /// Begins an epoch of the feed.
    pub fn begin_epoch(&self) -> Epoch {
        let epoch = self.feed.begin();
        self.leases.void_all();
        self.oversized.clear();
        epoch
    }

    /// Ends an epoch: what was filled in it is not served again, what is on its way not kept.
    pub fn end_epoch(&self, epoch: Epoch) {
        if self.feed.end(epoch) {
            self.leases.void_all();
            self.oversized.clear();
            self.tally.flushed(FlushCause::EpochEnded);
        }
    }

    /// Ends whichever epoch is current: what the feed should have told by now, it has not.
    pub fn distrust(&self) {
        if let Some(epoch) = self.feed.current() {
            self.end_epoch(epoch);
        }
    }

    /// The feed says that a key changed.
    pub fn invalidate(&self, name: &[u8]) {
        self.tally.invalidated();
        self.void(name);
    }

    /// A name may have changed: voids its leases, takes its flights off the map, forgets its
    /// entries in every db.
    pub fn void(&self, name: &[u8]) {
        let key = self.hashed(Key::get(name, 0));
        let forgotten = self.leases.void(key, || {
            self.oversized.remove(name);
            self.near.forget(key)
        });
        drop(forgotten);
    }

    /// A value was read on another road than the feed's and may be newer than what is remembered
    /// (R13): as [`Engine::void`], but that it is too large to be kept stays known, and a load
    /// without news that the read is `part_of` goes on: what it brings is no older than what was
    /// read.
    pub fn overtake(&self, name: &[u8], part_of: Option<&Fill<'_, V>>) {
        let spared = part_of.and_then(Fill::lease_without_news);
        let key = self.hashed(Key::get(name, 0));
        drop(self.leases.void_but(key, spared, || self.near.forget(key)));
    }

    /// Everything may have changed.
    pub fn flush(&self, cause: FlushCause) {
        self.leases.void_all();
        self.oversized.clear();
        self.near.clear();
        self.tally.flushed(cause);
    }

    /// Announces a write to these names. They are voided now, so that no load that began before the
    /// write can put an old value after it, and again when the guard is dropped: after the reply,
    /// on success, error and loss alike (R3).
    pub fn write<'a>(self: &Arc<Self>, names: impl IntoIterator<Item = &'a [u8]>) -> WriteGuard<V> {
        let names: Vec<Box<[u8]>> = names.into_iter().map(Box::from).collect();
        for name in &names {
            self.void(name);
        }
        WriteGuard { engine: Arc::clone(self), names }
    }

    /// Gives back the memory of entries that no longer count, looking at about `visits` of them.
    pub fn sweep(&self, visits: usize) {
        self.near.sweep(self.feed.sight_of_sweep(self.clock.now()), visits);
    }

    /// Reads all counters.
    pub fn counts(&self) -> EngineCounts {
        self.tally.read(self.near.counts(), self.leases.len(), self.feed.epochs_begun())
    }

    /// Turns pass-through on or off: while on, nothing is served from memory or kept. Either way
    /// everything is forgotten, so that what is kept later is known to be younger than this.
    pub fn set_passthrough(&self, on: bool) {
        self.feed.set_passthrough(on);
        self.flush(FlushCause::Command);
    }

    /// Why nothing can be in memory under this name, now or after a read; `None` if it can.
    pub fn bars(&self, name: &[u8]) -> Option<Bypass> {
        match () {
            () if !self.keys.admit(name) => Some(Bypass::NotAllowed),
            () if self.oversized.contains(name) => Some(Bypass::TooLarge),
            () => None,
        }
    }
}

/// A write under way. See [`Engine::write`].
pub struct WriteGuard<V: Value> {
    engine: Arc<Engine<V>>,
    names: Vec<Box<[u8]>>,
}

impl<V: Value> WriteGuard<V> {
    /// Voids the names now, whatever happens later.
    pub fn void(&self) {
        self.names.iter().for_each(|name| self.engine.void(name));
    }
}

impl<V: Value> Drop for WriteGuard<V> {
    fn drop(&mut self) {
        self.void();
    }
}
