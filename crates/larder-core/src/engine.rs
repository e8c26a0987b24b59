//! The engine: the near cache together with the coherence that guards it.
//!
//! Values enter the near cache through a [`Fill`] and in no other way. They leave it, when the store
//! has changed or may have, in [`Engine::invalidate`], [`Engine::invalidate_after_bypass`] or
//! [`Engine::flush`].

mod admission;
mod counters;
mod fill;
mod key_filter;
pub(crate) mod load;
mod oversized;
mod pending_loads;
mod snapshot;

use crate::{
    clock::{Clock, Moment},
    coherence::{
        feed::{Epoch, EpochCounter, Feed},
        flight::FlightWaiter,
        lease::{LeaseRole, Leases},
    },
    key::{HashedKey, Key},
    near::{Near, NearConfig, ReadView, Reader},
    outcome::{Bypass, FetchResult, FlushCause},
    value::{CachedRef, Value},
};
use admission::Admission;
use counters::Counters;
pub use counters::EngineCounts;
pub(crate) use fill::FillState;
pub use fill::{Fill, FillOutcome, LeaseView};
pub use key_filter::KeyFilter;
use oversized::Oversized;
pub(crate) use pending_loads::PendingLoad;
use pending_loads::PendingLoads;
use snapshot::Changes;
use std::{num::NonZero, sync::Arc, time::Duration};

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The near cache's bounds and policy.
    pub near: NearConfig,
    /// How long an entry may be served before it is read again.
    pub near_ttl: Duration,
    /// The feed age past which nothing is served from memory.
    pub staleness_bound: Duration,
    /// Which keys may be cached.
    pub keys: KeyFilter,
}

/// The near cache together with the coherence that guards it.
///
/// An engine has one feed. Where keys may come to be spread over several (one per primary of a
/// cluster, one for a SQL origin), its methods already take the key that decides: see
/// [`Engine::feed_of`], [`Engine::read_view`] and [`Engine::batch_view`]. Entries need no change for
/// that, because the feeds of an engine share the numbers of their epochs.
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
    changes: Changes,
    counters: Counters,
}

/// What a reader does whose key is not in memory.
pub(crate) enum FetchRole<'a, V: Value> {
    /// It waits for the fetch of another reader.
    Joined(FlightWaiter<FetchResult<V>>),
    /// It fetches, for itself and for the readers that join.
    Leading(Fill<'a, V>),
}

impl<V: Value> Engine<V> {
    /// Creates an engine with an empty near cache and a feed that has not begun.
    pub fn new(config: &EngineConfig, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            near: Near::new(&config.near),
            near_ttl: config.near_ttl,
            value_bytes_max: config.near.value_bytes_max,
            keys: config.keys.clone(),
            feed: Feed::new(config.staleness_bound, Arc::new(EpochCounter::default())),
            leases: Leases::new(),
            oversized: Oversized::default(),
            pending_loads: PendingLoads::default(),
            changes: Changes::default(),
            counters: Counters::default(),
        })
    }

    /// Returns the clock that the engine reads.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the feed, for its heartbeats and its health.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Returns the feed that delivers the invalidations of this key.
    #[inline]
    pub fn feed_of(&self, _: Key<'_>) -> &Feed {
        &self.feed
    }

    /// Returns the key with the hash of its name.
    pub(crate) fn hashed<'a>(&self, key: Key<'a>) -> HashedKey<'a> {
        self.near.hashed(key)
    }

    /// Returns the hash of a name, by which names can be told apart.
    pub fn name_hash(&self, name: &[u8]) -> u64 {
        self.near.hashed(Key::plain(name, 0)).hash
    }

    /// Returns the view from which entries of this key are judged now; `None` when they must not be
    /// served from memory.
    #[inline]
    pub fn read_view(&self, key: Key<'_>) -> Option<ReadView> {
        self.feed_of(key).read_view(self.clock.now())
    }

    /// Returns the view for a batch of keys, before they are known: it covers every feed. `None`
    /// when nothing may be served from memory.
    #[inline]
    pub fn batch_view(&self) -> Option<ReadView> {
        self.feed.read_view(self.clock.now())
    }

    /// Looks a key up in the near cache. Returns the value and its deadline.
    pub fn get(&self, key: Key<'_>, view: ReadView) -> Option<(V, Moment)> {
        self.get_hashed(self.hashed(key), view)
    }

    /// See [`Engine::get`].
    pub(crate) fn get_hashed(&self, key: HashedKey<'_>, view: ReadView) -> Option<(V, Moment)> {
        let found = |value: CachedRef<'_, V>, deadline| (value.to_value(), deadline);
        self.near.reader(view).get_hashed(key, found)
    }

    /// Returns a reader of the near cache, which hands out values in place.
    pub fn reader(&self, view: ReadView) -> Reader<'_, V> {
        self.near.reader(view)
    }

    /// Looks up several keys as of one moment: see the module `snapshot`. Calls `look_up` again, a few
    /// times, when an invalidation came between its lookups. Returns `None` if `look_up` does, if
    /// nothing may be served from memory, or if an invalidation came in between each time.
    pub fn snapshot<R>(
        &self,
        mut look_up: impl FnMut(&mut Reader<'_, V>) -> Option<R>,
    ) -> Option<R> {
        for _ in 0..snapshot::ATTEMPTS_MAX {
            let before = self.changes.get();
            let view = self.batch_view()?;
            // No entry expires, unnoticed by the counter, between the first lookup and the last.
            let until = view.now.plus(snapshot::LOOKUPS_MAX);
            let found = look_up(&mut self.near.reader(view.until(until)))?;
            if self.changes.get() == before && self.clock.now() <= until {
                return Some(found);
            }
        }
        None
    }

    /// Leads a fetch of this key for readers that join, unless it is in memory or another reader
    /// fetches it. For a caller that reads the key together with others, and does not wait for this
    /// fetch.
    pub fn lead_if_missing(
        self: &Arc<Self>,
        key: Key<'_>,
        view: ReadView,
    ) -> Option<Fill<'static, V>> {
        if self.reader(view).peek(key, |_, _| ()).is_some() {
            return None;
        }
        let oldest = view.now.minus(self.feed_of(key).bound());
        match self.leases.join_or_lead(self.hashed(key), view.now, oldest) {
            LeaseRole::Joined(_) => None,
            LeaseRole::Leading(lease) => {
                let admission = Admission::Lease(lease);
                Some(Fill::new(self, key, view.now, Some(view.epoch), admission).into_owned())
            }
        }
    }

    /// Joins a fetch of this key that was sent at `oldest` or later, or leads a new one.
    pub(crate) fn join_or_lead<'a>(
        self: &'a Arc<Self>,
        key: HashedKey<'a>,
        now: Moment,
        oldest: Moment,
        view: Option<ReadView>,
    ) -> FetchRole<'a, V> {
        match self.leases.join_or_lead(key, now, oldest) {
            LeaseRole::Joined(waiter) => {
                self.counters.joined();
                FetchRole::Joined(waiter)
            }
            LeaseRole::Leading(lease) => {
                let epoch = view.map(|view| view.epoch);
                FetchRole::Leading(Fill::new(self, key.key, now, epoch, Admission::Lease(lease)))
            }
        }
    }

    /// Leads a fetch that no other reader joins, from a store that answers at once. A stamp is
    /// enough to admit its reply, and cheaper than a lease.
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

    /// Whether a fill of this epoch may cache its reply, at this moment.
    fn holds(&self, admission: Admission, epoch: Option<NonZero<u32>>) -> bool {
        match admission {
            Admission::Lease(lease) => self.leases.holds(lease),
            Admission::Stamp { hash, stamp } => {
                self.near.is_current(hash, stamp)
                    && epoch.is_some_and(|epoch| self.feed.is_current(Epoch(epoch.get())))
            }
        }
    }

    /// Begins an epoch of the feed.
    pub fn begin_epoch(&self) -> Epoch {
        let epoch = self.feed.begin();
        self.leases.invalidate_all();
        self.oversized.clear();
        epoch
    }

    /// Ends an epoch: nothing filled in it is served again, and no pending fill is cached.
    pub fn end_epoch(&self, epoch: Epoch) {
        if self.feed.end(epoch) {
            self.leases.invalidate_all();
            self.oversized.clear();
            self.counters.flushed(FlushCause::EpochEnded);
        }
    }

    /// Ends the current epoch, because the feed did not deliver what it should have by now.
    pub fn end_current_epoch(&self) {
        if let Some(epoch) = self.feed.current() {
            self.end_epoch(epoch);
        }
    }

    /// Applies an invalidation that the feed delivered.
    pub fn on_invalidation(&self, name: &[u8]) {
        let was_cached = self.invalidate_name(name);
        self.counters.invalidated(was_cached);
        self.changes.count();
    }

    /// Invalidates a name that may have changed: its leases, its flights and its entries in every
    /// keyspace.
    pub fn invalidate(&self, name: &[u8]) {
        self.invalidate_name(name);
    }

    /// Does the same as [`Engine::invalidate`]. Returns whether there were entries.
    fn invalidate_name(&self, name: &[u8]) -> bool {
        let key = self.hashed(Key::plain(name, 0));
        let removed = self.leases.invalidate(key, || {
            self.oversized.remove(name);
            self.near.remove_hashed(key)
        });
        removed.is_some()
    }

    /// Invalidates a name whose value was read on another connection than the feed's, and may be
    /// newer than what is cached (R13). Does the same as [`Engine::invalidate`] with two exceptions:
    /// a value known to be too large stays known, and the load that the read is `part_of` goes on if
    /// it began without a fresh feed, since what it brings is no older than what was read.
    pub fn invalidate_after_bypass(&self, name: &[u8], part_of: Option<&Fill<'_, V>>) {
        let spared = part_of.and_then(Fill::lease_without_feed);
        let key = self.hashed(Key::plain(name, 0));
        drop(self.leases.invalidate_except(key, spared, || self.near.remove_hashed(key)));
    }

    /// Empties the near cache and invalidates every lease.
    pub fn flush(&self, cause: FlushCause) {
        self.leases.invalidate_all();
        self.oversized.clear();
        self.near.clear();
        self.changes.count();
        self.counters.flushed(cause);
    }

    /// Announces a write to these names. They are invalidated now, so that no load that began before
    /// the write can put an old value after it, and again when the guard is dropped: after the
    /// reply, on success, error and loss alike (R3).
    pub fn write<'a>(self: &Arc<Self>, names: impl IntoIterator<Item = &'a [u8]>) -> WriteGuard<V> {
        let names: Vec<Box<[u8]>> = names.into_iter().map(Box::from).collect();
        for name in &names {
            self.invalidate(name);
        }
        WriteGuard { engine: Arc::clone(self), names }
    }

    /// Announces that a loaded value is about to be written to the store. Whether the load's lease
    /// holds must be checked after this: then either the value is not written, or what invalidates
    /// the lease finds the pending load.
    pub(crate) fn begin_load<'a>(&'a self, name: &'a [u8]) -> PendingLoad<'a> {
        self.pending_loads.begin(name)
    }

    /// Waits until the loaded values that are on their way into the store under this name are there,
    /// or have been deleted again. To be called after a delete was answered.
    pub async fn loads_settled(&self, name: &[u8]) {
        self.pending_loads.settled(name).await;
    }

    /// Whether any loaded value is on its way into the store.
    pub fn has_pending_loads(&self) -> bool {
        !self.pending_loads.is_empty()
    }

    /// Does the same as [`Engine::loads_settled`] for every name.
    pub async fn all_loads_settled(&self) {
        self.pending_loads.all_settled().await;
    }

    /// Frees the memory of entries that are no longer served. Looks at about `visits` of them.
    pub fn sweep(&self, visits: usize) {
        self.near.sweep(self.feed.sweep_view(self.clock.now()), visits);
    }

    /// Reads all counters.
    pub fn counts(&self) -> EngineCounts {
        self.counters.read(self.near.counts(), self.leases.len(), self.feed.epochs_begun())
    }

    /// Turns pass-through on or off. While it is on, nothing is served from memory or cached. Either
    /// way the near cache is emptied, so that every later entry is newer than this call.
    pub fn set_passthrough(&self, on: bool) {
        self.feed.set_passthrough(on);
        self.flush(FlushCause::Command);
    }

    /// Returns why nothing can be cached under this name, now or after a read; `None` if it can.
    pub fn bypass_reason_for(&self, name: &[u8]) -> Option<Bypass> {
        if !self.keys.admit(name) {
            return Some(Bypass::NotAllowed);
        }
        self.oversized.contains(name).then_some(Bypass::TooLarge)
    }
}

/// A write in progress. See [`Engine::write`].
pub struct WriteGuard<V: Value> {
    engine: Arc<Engine<V>>,
    names: Vec<Box<[u8]>>,
}

impl<V: Value> WriteGuard<V> {
    /// Invalidates the names now, in addition to when the guard is dropped.
    pub fn invalidate(&self) {
        self.names.iter().for_each(|name| self.engine.invalidate(name));
    }
}

impl<V: Value> Drop for WriteGuard<V> {
    fn drop(&mut self) {
        self.invalidate();
    }
}
