//! How a value is found: near cache, store, origin. [`Tiers::start`], [`Tiers::finish`] and
//! [`Tiers::fetch_or_load`] hold the decisions, from top to bottom; the helpers below them compute
//! and return.

use crate::{
    clock::Moment,
    coherence::flight::FlightWaiter,
    engine::{Engine, FetchRole, Fill, FillOutcome, FillState},
    key::{HashedKey, Key},
    near::ReadView,
    origin::Origin,
    outcome::{Bypass, FetchError, FetchResult, Fetched, Found, NotCached, PutOutcome, StoreError},
    store::{LoadedValue, Put, ReadStore, Store},
    value::Value,
};
use std::{sync::Arc, time::Duration};

/// The near cache in front of a store.
pub struct Tiers<V: Value, S> {
    engine: Arc<Engine<V>>,
    store: S,
}

/// A fetch in progress. See [`Tiers::start`].
pub struct PendingFetch<V: Value>(Step<V>);

enum Step<V: Value> {
    Found(Fetched<V>),
    Bypass(Bypass),
    Joined(FlightWaiter<FetchResult<V>>),
    Sent(FillOutcome<V>),
}

impl<V: Value> PendingFetch<V> {
    /// Whether the value was found in memory.
    pub fn is_found(&self) -> bool {
        matches!(self.0, Step::Found(_))
    }

    /// Whether a read was sent for this fetch alone, behind those of fetches started before it. A
    /// value that was found in memory, or that another reader fetches, may be older than what those
    /// bring.
    pub fn is_sent(&self) -> bool {
        matches!(self.0, Step::Sent(_))
    }

    /// Whether the reply that the fetch waits for has arrived.
    pub fn is_answered(&self) -> bool {
        match &self.0 {
            Step::Joined(waiter) | Step::Sent(FillOutcome(FillState::Deferred(waiter))) => {
                waiter.is_complete()
            }
            Step::Found(_) | Step::Bypass(_) | Step::Sent(FillOutcome(FillState::Ready(_))) => true,
        }
    }

    /// Waits until [`PendingFetch::is_answered`]. May be dropped and called again.
    pub async fn answered(&mut self) {
        if let Step::Joined(waiter) | Step::Sent(FillOutcome(FillState::Deferred(waiter))) =
            &mut self.0
        {
            drop(waiter.await);
        }
    }

    /// Returns the value if it is there already: without a future, for callers whose store answers
    /// at once.
    ///
    /// # Errors
    /// Returns the fetch, to be finished by [`Tiers::finish`].
    #[inline]
    pub fn into_answer(self) -> Result<Fetched<V>, Self> {
        match self.0 {
            Step::Found(fetched) | Step::Sent(FillOutcome(FillState::Ready(Ok(fetched)))) => {
                Ok(fetched)
            }
            step => Err(Self(step)),
        }
    }
}

/// How to load a value from an origin.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    /// The origin.
    pub origin: &'a dyn Origin,
    /// The value's id there.
    pub id: &'a str,
    /// How long the store keeps the value.
    pub ttl: Duration,
    /// How long the origin is not asked again after it had no value.
    pub negative_ttl: Duration,
}

/// How often a reader joins a load that its leader then drops, before that is an error.
const LEADERS_DROPPED_MAX: usize = 8;

impl<V: Value, S: ReadStore<V>> Tiers<V, S> {
    /// Puts an engine in front of a store.
    pub fn new(engine: Arc<Engine<V>>, store: S) -> Self {
        Self { engine, store }
    }

    /// Returns the engine, for look-ups that do not wait and for counters.
    pub fn engine(&self) -> &Arc<Engine<V>> {
        &self.engine
    }

    /// Returns the store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Looks a key up in the near cache alone. Never waits.
    pub fn get(&self, key: Key<'_>) -> Option<Fetched<V>> {
        let view = self.engine.read_view(key)?;
        self.cached(self.engine.hashed(key), view)
    }

    /// Returns the store's value: from memory, from a fetch in progress or by a fill. Where none of
    /// these can be trusted, it bypasses the near cache.
    pub async fn fetch(&self, key: Key<'_>) -> FetchResult<V> {
        match self.start(key).into_answer() {
            Ok(fetched) => Ok(fetched),
            Err(pending) => self.finish(key, pending).await,
        }
    }

    /// Does the part of [`Tiers::fetch`] that does not wait: sends what must be sent.
    pub fn start(&self, key: Key<'_>) -> PendingFetch<V> {
        let now = self.engine.clock().now();
        let feed = self.engine.feed_of(key);
        let Some(view) = feed.read_view(now) else {
            return PendingFetch(Step::Bypass(feed.bypass_reason()));
        };
        let key = self.engine.hashed(key);
        if let Some(hit) = self.cached(key, view) {
            return PendingFetch(Step::Found(hit));
        }
        if let Some(reason) = self.engine.bypass_reason_for(key.key.name) {
            return PendingFetch(Step::Bypass(reason));
        }
        if self.store.answers_at_once() {
            let fill = self.engine.lead_unshared(key, view);
            return PendingFetch(Step::Sent(self.store.fill(fill)));
        }
        let oldest = now.minus(feed.bound());
        PendingFetch(match self.engine.join_or_lead(key, now, oldest, Some(view)) {
            FetchRole::Joined(waiter) => Step::Joined(waiter),
            FetchRole::Leading(fill) => Step::Sent(self.store.fill(fill)),
        })
    }

    /// Does the rest of [`Tiers::fetch`].
    pub async fn finish(&self, key: Key<'_>, pending: PendingFetch<V>) -> FetchResult<V> {
        self.finish_as_part_of(None, key, pending).await
    }

    async fn finish_as_part_of(
        &self,
        load: Option<&Fill<'_, V>>,
        key: Key<'_>,
        pending: PendingFetch<V>,
    ) -> FetchResult<V> {
        let (outcome, collapsed) = match pending.0 {
            Step::Found(hit) => return Ok(hit),
            Step::Bypass(reason) => return self.bypass_as_part_of(load, key, reason).await,
            Step::Joined(waiter) => (waiter.await, true),
            Step::Sent(FillOutcome(FillState::Deferred(waiter))) => (waiter.await, false),
            Step::Sent(FillOutcome(FillState::Ready(outcome))) => (outcome, false),
        };
        // A read may be sent twice, so what the feed's connection lost is read on another.
        if outcome.as_ref().is_err_and(is_lost) {
            return self.bypass_as_part_of(load, key, Bypass::FeedLost).await;
        }
        let fetched = outcome?;
        // A reader that joined may have begun after the deadline of what it waited for (R6).
        if collapsed && is_or_may_be_over(fetched.found) {
            return self.bypass_as_part_of(load, key, Bypass::Expired).await;
        }
        Ok(Fetched { collapsed, ..fetched })
    }

    /// Reads from the store alone. The near cache then drops what may be older (R13).
    pub async fn bypass(&self, key: Key<'_>, reason: Bypass) -> FetchResult<V> {
        self.bypass_as_part_of(None, key, reason).await
    }

    async fn bypass_as_part_of(
        &self,
        load: Option<&Fill<'_, V>>,
        key: Key<'_>,
        reason: Bypass,
    ) -> FetchResult<V> {
        let value = self.store.read(key).await.map_err(FetchError::Store)?;
        self.engine.invalidate_after_bypass(key.name, load);
        Ok(Fetched { value, found: Found::Bypass(reason), collapsed: false })
    }

    fn cached(&self, key: HashedKey<'_>, view: ReadView) -> Option<Fetched<V>> {
        self.engine.get_hashed(key, view).map(|(value, deadline)| Fetched {
            value,
            found: Found::Near(deadline),
            collapsed: false,
        })
    }
}

impl<V: Value, S: Store<V>> Tiers<V, S> {
    /// Sets a value.
    pub async fn put(&self, put: Put<'_>) -> Result<(), StoreError> {
        let guard = self.engine.write([put.key.name]);
        self.store.put(&guard, put).await
    }

    /// Deletes a key here and in the store. Returns whether the store had it.
    pub async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        let guard = self.engine.write([key.name]);
        let deleted = self.store.delete(&guard, key).await;
        self.engine.loads_settled(key.name).await;
        deleted
    }

    /// Returns the store's value or, if it has none, the origin's, which is asked once for all
    /// readers that wait (R16).
    ///
    /// A load goes on only while this future is polled. Run it in a task of its own where the caller
    /// may leave.
    pub async fn fetch_or_load(&self, key: Key<'_>, load: Load<'_>) -> FetchResult<V> {
        for _ in 0..LEADERS_DROPPED_MAX {
            let now = self.engine.clock().now();
            let view = self.engine.feed_of(key).read_view(now);
            let hashed = self.engine.hashed(key);
            if let Some(hit) = view.and_then(|view| self.cached_or_absent(hashed, view)) {
                return Ok(hit);
            }
            match self.join_or_lead_load(hashed, now, view) {
                FetchRole::Leading(fill) => return self.lead_load(fill, key, load).await,
                FetchRole::Joined(waiter) => match waiter.await {
                    Err(FetchError::LeaderDropped) => {}
                    outcome => return Ok(Fetched { collapsed: true, ..outcome? }),
                },
            }
        }
        Err(FetchError::LeaderDropped)
    }

    /// Returns the cached value, or the cached answer of the origin that it has none.
    fn cached_or_absent(&self, key: HashedKey<'_>, view: ReadView) -> Option<Fetched<V>> {
        self.cached(key, view).filter(is_present).or_else(|| self.cached(key.load(), view))
    }

    /// Joins a load, or leads one. While the feed is fresh a load may take its time, because an
    /// invalidation ends its flight. Without a fresh feed only a load that is younger than the
    /// staleness bound is joined.
    fn join_or_lead_load<'a>(
        &'a self,
        key: HashedKey<'a>,
        now: Moment,
        view: Option<ReadView>,
    ) -> FetchRole<'a, V> {
        if view.is_some() {
            return self.engine.join_or_lead(key.load(), now, Moment::START, view);
        }
        let oldest = now.minus(self.engine.feed_of(key.key).bound());
        self.engine.join_or_lead(key.load_without_feed(), now, oldest, None)
    }

    /// Loads a value, and answers all readers that joined.
    async fn lead_load(&self, fill: Fill<'_, V>, key: Key<'_>, load: Load<'_>) -> FetchResult<V> {
        let outcome = match self.load(&fill, key, load).await {
            Ok(LoadOutcome::Value(fetched)) => Ok(fetched),
            Ok(LoadOutcome::Uncached(value, reason)) => {
                return fill.complete_uncached_load(value, reason);
            }
            Ok(LoadOutcome::Absent(None)) => return fill.complete_absent(load.negative_ttl),
            Ok(LoadOutcome::Absent(Some(reason))) => {
                Ok(Fetched { value: V::absent(), found: Found::Bypass(reason), collapsed: false })
            }
            Err(error) => Err(error),
        };
        fill.answer(outcome)
    }

    /// Asks the store, then the origin, then the store again: only a value that the store gave is
    /// cached, because no invalidation would come for one that was only written.
    async fn load(
        &self,
        fill: &Fill<'_, V>,
        key: Key<'_>,
        load: Load<'_>,
    ) -> Result<LoadOutcome<V>, FetchError> {
        let bypass = match self.fetch_as_part_of(fill, key).await {
            Ok(fetched) if is_present(&fetched) => return Ok(LoadOutcome::Value(fetched)),
            Ok(absent) => absent.found.bypass(),
            Err(FetchError::Store(error)) if error.is_outage() => Some(Bypass::StoreUnreachable),
            Err(error) => return Err(error),
        };
        let payload = load.origin.load(load.id).await.map_err(FetchError::Origin)?;
        let Some(payload) = payload else { return Ok(LoadOutcome::Absent(bypass)) };
        let mut reason = NotCached::LeaseInvalidated;
        if bypass != Some(Bypass::StoreUnreachable) {
            let ttl = load.origin.chosen_ttl().unwrap_or(load.ttl);
            let loaded = LoadedValue { key, payload: &payload, ttl };
            match self.store_loaded(fill, loaded).await {
                Ok(()) => {
                    if let Ok(fetched) = self.fetch_as_part_of(fill, key).await
                        && is_present(&fetched)
                    {
                        return Ok(LoadOutcome::Value(fetched));
                    }
                }
                Err(why) => reason = why,
            }
        }
        let value = V::from_payload(&payload);
        Ok(match bypass {
            None => LoadOutcome::Uncached(value, reason),
            Some(bypass) => LoadOutcome::Value(Fetched {
                value,
                found: Found::Bypass(bypass),
                collapsed: false,
            }),
        })
    }

    async fn fetch_as_part_of(&self, load: &Fill<'_, V>, key: Key<'_>) -> FetchResult<V> {
        self.finish_as_part_of(Some(load), key, self.start(key)).await
    }

    /// Writes a loaded value to the store, unless the key has changed since the load began. If the
    /// key does not exist then, or is not up to date, returns why.
    async fn store_loaded(
        &self,
        fill: &Fill<'_, V>,
        loaded: LoadedValue<'_>,
    ) -> Result<(), NotCached> {
        let pending = self.engine.begin_load(loaded.key.name);
        if !fill.holds() {
            return Err(NotCached::LeaseInvalidated);
        }
        let (is_out_of_date, reason) = match self.store.put_loaded(fill, loaded).await {
            Ok(PutOutcome::Done) => return Ok(()),
            Ok(PutOutcome::LeaseInvalidated { is_put }) => (is_put, NotCached::LeaseInvalidated),
            Err(error) if error.is_outage() => (error.outcome_unknown(), NotCached::FeedDown),
            Err(_) => (false, NotCached::StoreRefused),
        };
        if is_out_of_date {
            let guard = self.engine.write([loaded.key.name]);
            // If this fails too, the key's time to live ends it.
            self.store.delete_if_ours(&guard, loaded).await.ok();
        }
        drop(pending);
        Err(reason)
    }
}

/// What the store and the origin have together.
enum LoadOutcome<V> {
    Value(Fetched<V>),
    /// A value of the origin that the store does not have, and why.
    Uncached(V, NotCached),
    /// Neither has a value. Holds the reason why the near cache was bypassed, if it was.
    Absent(Option<Bypass>),
}

fn is_present<V: Value>(fetched: &Fetched<V>) -> bool {
    !fetched.value.is_absent()
}

/// Whether what a fill found may be past its deadline.
fn is_or_may_be_over(found: Found) -> bool {
    matches!(found, Found::Store { cached: Err(NotCached::TtlGone | NotCached::TtlUnknown) })
}

/// Whether a fill ended without an answer from the store.
fn is_lost(error: &FetchError) -> bool {
    match error {
        FetchError::LeaderDropped => true,
        FetchError::Store(error) => error.is_outage(),
        FetchError::Origin(_) => false,
    }
}
