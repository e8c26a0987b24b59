//! The engine: the near tier together with the coherence that guards it.
//!
//! Everything that enters the near tier does so in [`Fill::complete`]; everything that leaves because
//! the store changed does so in [`Engine::invalidate`] or [`Engine::flush`].

mod admission;
mod counts;
mod fill;
mod key_filter;
mod oversized;
mod pending_loads;

use crate::{
    CachedRef, Clock, Key, Moment, Value,
    coherence::{
        feed::{Epoch, Feed},
        flight::FlightWaiter,
        lease::{LeaseRole, Leases},
    },
    fetch::{Bypass, FetchError, Fetched},
    near::{HashedKey, Near, NearConfig, ReadView, Reader},
};
use admission::Admission;
use counts::Tally;
pub use counts::{EngineCounts, FlushCause};
pub(crate) use fill::FillState;
pub use fill::{Fill, FillOutcome, LeaseView, NotCached};
pub use key_filter::KeyFilter;
use oversized::Oversized;
use pending_loads::PendingLoads;
use std::{sync::Arc, time::Duration};

/// What an engine is made of.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The near tier's bounds and policy.
    pub near: NearConfig,
    /// How long an entry may stay without being read anew, at most.
    pub near_ttl: Duration,
    /// The feed age past which nothing is served from memory.
    pub staleness_bound: Duration,
    /// Which keys may be kept.
    pub keys: KeyFilter,
}

/// The near tier together with the coherence that guards it.
pub struct Engine<V: Value> {
    clock: Clock,
    near: Near<V>,
    near_ttl: Duration,
    value_bytes_max: usize,
    keys: KeyFilter,
    feed: Feed,
    leases: Leases<FetchResult<V>>,
    oversized: Oversized,
    pending_loads: PendingLoads,
    tally: Tally,
}

pub(crate) type FetchResult<V> = Result<Fetched<V>, FetchError>;

/// What a reader gets who asks for a key that is not in memory.
pub(crate) enum FetchRole<'a, V: Value> {
    /// Wait with the others.
    Joined(FlightWaiter<FetchResult<V>>),
    /// Fetch it for all.
    Leading(Fill<'a, V>),
}

impl<V: Value> Engine<V> {
    /// An engine that remembers nothing and whose feed has not begun.
    pub fn new(plan: &EngineConfig, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            near: Near::new(&plan.near),
            near_ttl: plan.near_ttl,
            value_bytes_max: plan.near.value_bytes_max,
            keys: plan.keys.clone(),
            feed: Feed::new(plan.staleness_bound),
            leases: Leases::new(),
            oversized: Oversized::default(),
            pending_loads: PendingLoads::default(),
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
    pub(crate) fn hashed<'a>(&self, key: Key<'a>) -> HashedKey<'a> {
        self.near.hashed(key)
    }

    /// From where entries may be judged now; `None` when nothing may be served from memory.
    pub fn read_view(&self) -> Option<ReadView> {
        self.feed.read_view(self.clock.now())
    }

    /// Reader into the near tier. A hit gives the reply and its deadline.
    pub fn get(&self, key: Key<'_>, view: ReadView) -> Option<(V, Moment)> {
        self.get_hashed(self.hashed(key), view)
    }

    /// See [`Engine::get`].
    pub(crate) fn get_hashed(&self, key: HashedKey<'_>, view: ReadView) -> Option<(V, Moment)> {
        let found = |seen: CachedRef<'_, V>, deadline| (seen.to_value(), deadline);
        self.near.reader(view).get_hashed(key, found)
    }

    /// Reader into the near tier at replies where they are: nothing is copied, counted up or freed.
    pub fn reader(&self, view: ReadView) -> Reader<'_, V> {
        self.near.reader(view)
    }

    /// Joins whoever fetches this key, if they set out after `since`, or takes the lead.
    pub(crate) fn join_or_lead<'a>(
        self: &'a Arc<Self>,
        key: HashedKey<'a>,
        now: Moment,
        since: Moment,
        view: Option<ReadView>,
    ) -> FetchRole<'a, V> {
        match self.leases.join_or_lead(key, now, since) {
            LeaseRole::Joined(waiter) => {
                self.tally.joined();
                FetchRole::Joined(waiter)
            }
            LeaseRole::Leading(lease) => {
                let epoch = view.map(|view| view.epoch);
                FetchRole::Leading(Fill::new(self, key.key, now, epoch, Admission::Lease(lease)))
            }
        }
    }

    /// A fetch that nobody joins, from a store that answers at once: a lease that takes no place on
    /// the map is enough.
    pub(crate) fn lead_unshared<'a>(
        self: &'a Arc<Self>,
        key: HashedKey<'a>,
        view: ReadView,
    ) -> Fill<'a, V> {
        let HashedKey { key, hash } = key;
        let ReadView { now, epoch } = view;
        let stamp = self.near.stamp(hash);
        Fill::new(self, key, now, Some(epoch), Admission::Stamp { hash, stamp })
    }

    /// Begins an epoch of the feed.
    pub fn begin_epoch(&self) -> Epoch {
        let epoch = self.feed.begin();
        self.leases.invalidate_all();
        self.oversized.clear();
        epoch
    }

    /// Ends an epoch: what was filled in it is not served again, what is on its way not kept.
    pub fn end_epoch(&self, epoch: Epoch) {
        if self.feed.end(epoch) {
            self.leases.invalidate_all();
            self.oversized.clear();
            self.tally.flushed(FlushCause::EpochEnded);
        }
    }

    /// Ends whichever epoch is current: what the feed should have told by now, it has not.
    pub fn end_current_epoch(&self) {
        if let Some(epoch) = self.feed.current() {
            self.end_epoch(epoch);
        }
    }

    /// The feed says that a key changed.
    pub fn on_invalidation(&self, name: &[u8]) {
        self.tally.invalidated();
        self.invalidate(name);
    }

    /// A name may have changed: voids its leases, takes its flights off the map, forgets its
    /// entries in every db.
    pub fn invalidate(&self, name: &[u8]) {
        let key = self.hashed(Key::plain(name, 0));
        let forgotten = self.leases.invalidate(key, || {
            self.oversized.remove(name);
            self.near.remove_hashed(key)
        });
        drop(forgotten);
    }

    /// A value was read on another road than the feed's and may be newer than what is remembered
    /// (R13): as [`Engine::invalidate`], but that it is too large to be kept stays known, and a load
    /// without news that the read is `part_of` goes on: what it brings is no older than what was
    /// read.
    pub fn invalidate_after_bypass(&self, name: &[u8], part_of: Option<&Fill<'_, V>>) {
        let spared = part_of.and_then(Fill::lease_without_news);
        let key = self.hashed(Key::plain(name, 0));
        drop(self.leases.invalidate_except(key, spared, || self.near.remove_hashed(key)));
    }

    /// Everything may have changed.
    pub fn flush(&self, cause: FlushCause) {
        self.leases.invalidate_all();
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
            self.invalidate(name);
        }
        WriteGuard { engine: Arc::clone(self), names }
    }

    /// Gives back the memory of entries that no longer count, looking at about `visits` of them.
    pub fn sweep(&self, visits: usize) {
        self.near.sweep(self.feed.sweep_view(self.clock.now()), visits);
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
    pub fn bypass_reason_for(&self, name: &[u8]) -> Option<Bypass> {
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
    pub fn invalidate(&self) {
        self.names.iter().for_each(|name| self.engine.invalidate(name));
    }
}

impl<V: Value> Drop for WriteGuard<V> {
    fn drop(&mut self) {
        self.invalidate();
    }
}
