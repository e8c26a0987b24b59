//! How a value is found: near tier, store, origin. `fetch` and `fetch_or_load` hold every decision;
//! the helpers below them compute and return.

use crate::{
    Engine, Key, Moment, Origin, OriginError, Put, Store, StoreError, Value,
    coherence::flight::FlightWaiter,
    engine::{FetchResult, FetchRole, Fill, FillOutcome, FillState, NotCached},
    near::{HashedKey, ReadView},
};
use std::{fmt, sync::Arc, time::Duration};

/// The near tier before a store.
pub struct Tiers<V: Value, S> {
    engine: Arc<Engine<V>>,
    store: S,
}

/// A value, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched<V> {
    /// The value, or the reply that there is none.
    pub value: V,
    /// Where it was found.
    pub found: Found,
    /// Whether somebody else's fetch was waited for.
    pub collapsed: bool,
}

/// Where a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In memory, where it stays until then at most.
    Near(Moment),
    /// Behind the near tier, which keeps it until then at most, or does not.
    Store {
        /// Until when it is kept, or why it is not.
        cached: Result<Moment, NotCached>,
    },
    /// Behind the near tier, which was passed by.
    Bypass(Bypass),
}

/// Why the near tier was passed by. A word wide, as [`NotCached`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Bypass {
    /// The feed is older than the staleness bound.
    NotCoherent,
    /// The feed's connection ended while the read was on its way.
    FeedLost,
    /// The value is larger than `near-max-value`.
    TooLarge,
    /// The store is away: this comes from the origin alone.
    StoreUnreachable,
    /// Whoever asked wanted it so.
    Request,
    /// An operator turned pass-through on.
    Passthrough,
    /// The key is not among those that may be kept.
    NotAllowed,
    /// It has its place among commands that only the store can answer.
    Order,
    /// Whoever asked is in a state that only the store knows, as a transaction.
    State,
    /// Whoever asked may not have what was read by another user.
    User,
}

impl Bypass {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::NotCoherent,
        Self::FeedLost,
        Self::TooLarge,
        Self::StoreUnreachable,
        Self::Request,
        Self::Passthrough,
        Self::NotAllowed,
        Self::Order,
        Self::State,
        Self::User,
    ];

    /// The reason's name in metrics and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotCoherent => "not-coherent",
            Self::FeedLost => "feed-lost",
            Self::TooLarge => "too-large",
            Self::StoreUnreachable => "store-unreachable",
            Self::Request => "request",
            Self::Passthrough => "passthrough",
            Self::NotAllowed => "not-allowed",
            Self::Order => "order",
            Self::State => "state",
            Self::User => "user",
        }
    }
}

/// A fetch under way. See [`Tiers::start`].
pub struct PendingFetch<V: Value>(Step<V>);

impl<V: Value> PendingFetch<V> {
    /// Whether a read was sent for it alone, behind those that were started before it. What was
    /// found in memory, or is fetched by somebody else, may be older than what those bring.
    pub fn is_sent(&self) -> bool {
        matches!(self.0, Step::Sent(_))
    }

    /// The value, if there is nothing to wait for and nothing more to be asked: without a future,
    /// for whoever has a store that answers at once.
    ///
    /// # Errors
    /// Gives back what has to be finished by [`Tiers::finish`].
    #[inline]
    pub fn into_answer(self) -> Result<Fetched<V>, Self> {
        match self.0 {
            Step::Found(fetched) | Step::Sent(FillOutcome(FillState::Ready(Ok(fetched)))) => {
                Ok(fetched)
            }
            step => Err(Self(step)),
        }
    }

    /// Whether it was found in memory, and there is nothing to wait for.
    pub fn is_found(&self) -> bool {
        matches!(self.0, Step::Found(_))
    }
}

enum Step<V: Value> {
    Found(Fetched<V>),
    Bypass(Bypass),
    Joined(FlightWaiter<FetchResult<V>>),
    Sent(FillOutcome<V>),
}

/// How an origin is asked.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    /// Whom to ask.
    pub origin: &'a dyn Origin,
    /// For what.
    pub id: &'a str,
    /// How long the store keeps what the origin has.
    pub ttl: Duration,
    /// How long the origin is not asked again for what it does not have.
    pub negative_ttl: Duration,
}

/// How often a reader waits for a leader that then gives up, before it is an error.
const LEADERS_LOST_MAX: usize = 8;

impl<V: Value, S: Store<V>> Tiers<V, S> {
    /// PendingLoads an engine before a store.
    pub fn new(engine: Arc<Engine<V>>, store: S) -> Self {
        Self { engine, store }
    }

    /// The engine, for look-ups without waiting and for counters.
    pub fn engine(&self) -> &Arc<Engine<V>> {
        &self.engine
    }

    /// The store behind it.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// A hit in the near tier, or nothing. Never waits.
    pub fn get(&self, key: Key<'_>) -> Option<Fetched<V>> {
        let view = self.engine.read_view()?;
        self.remembered(self.engine.hashed(key), view)
    }

    /// A value of the store: from memory, with whoever fetches it already, or by a fill; past the
    /// near tier when that cannot be trusted.
    pub async fn fetch(&self, key: Key<'_>) -> FetchResult<V> {
        match self.start(key).into_answer() {
            Ok(fetched) => Ok(fetched),
            Err(started) => self.finish(key, started).await,
        }
    }

    /// The part of [`Tiers::fetch`] that does not wait: what must be sent has been sent.
    pub fn start(&self, key: Key<'_>) -> PendingFetch<V> {
        let now = self.engine.clock().now();
        let Some(view) = self.engine.feed().read_view(now) else {
            return PendingFetch(Step::Bypass(self.engine.feed().bypass_reason()));
        };
        let key = self.engine.hashed(key);
        if let Some(hit) = self.remembered(key, view) {
            return PendingFetch(Step::Found(hit));
        }
        if let Some(why) = self.engine.bypass_reason_for(key.key.name) {
            return PendingFetch(Step::Bypass(why));
        }
        if self.store.answers_at_once() {
            let fill = self.engine.lead_unshared(key, view);
            return PendingFetch(Step::Sent(self.store.fill(fill)));
        }
        let since = now.minus(self.engine.feed().bound());
        PendingFetch(match self.engine.join_or_lead(key, now, since, Some(view)) {
            FetchRole::Joined(waiter) => Step::Joined(waiter),
            FetchRole::Leading(fill) => Step::Sent(self.store.fill(fill)),
        })
    }

    /// The rest of [`Tiers::fetch`].
    pub async fn finish(&self, key: Key<'_>, started: PendingFetch<V>) -> FetchResult<V> {
        self.finish_for(None, key, started).await
    }

    async fn finish_for(
        &self,
        load: Option<&Fill<'_, V>>,
        key: Key<'_>,
        started: PendingFetch<V>,
    ) -> FetchResult<V> {
        let (outcome, collapsed) = match started.0 {
            Step::Found(hit) => return Ok(hit),
            Step::Bypass(why) => return self.bypass_for(load, key, why).await,
            Step::Joined(waiter) => (waiter.await, true),
            Step::Sent(FillOutcome(FillState::Deferred(waiter))) => (waiter.await, false),
            Step::Sent(FillOutcome(FillState::Ready(outcome))) => (outcome, false),
        };
        match outcome {
            // A read may be asked twice, so what the feed's connection lost is asked elsewhere.
            Err(FetchError::LeaderDropped) => self.bypass_for(load, key, Bypass::FeedLost).await,
            Err(FetchError::Store(lost)) if lost.is_outage() => {
                self.bypass_for(load, key, Bypass::FeedLost).await
            }
            outcome => outcome.map(|fetched| Fetched { collapsed, ..fetched }),
        }
    }

    /// A value of the store, or else of the origin, which is asked once for all who wait (R16).
    ///
    /// The load goes on only while this future is polled: run it in a task of its own where the
    /// one who asked may leave.
    pub async fn fetch_or_load(&self, key: Key<'_>, load: Load<'_>) -> FetchResult<V> {
        for _ in 0..LEADERS_LOST_MAX {
            let now = self.engine.clock().now();
            let view = self.engine.feed().read_view(now);
            let hashed = self.engine.hashed(key);
            if let Some(hit) = view.and_then(|view| self.remembered_or_refused(hashed, view)) {
                return Ok(hit);
            }
            // While the feed is fresh a load may take its time: a change would have ended its
            // flight. Without news a flight is as good as it is young.
            let (flight, since) = match view {
                Some(_) => (hashed.load(), Moment::START),
                None => (hashed.load_without_news(), now.minus(self.engine.feed().bound())),
            };
            match self.engine.join_or_lead(flight, now, since, view) {
                FetchRole::Joined(waiter) => match waiter.await {
                    Err(FetchError::LeaderDropped) => {}
                    outcome => return outcome.map(|it| Fetched { collapsed: true, ..it }),
                },
                FetchRole::Leading(fill) => return self.lead(fill, key, load).await,
            }
        }
        Err(FetchError::LeaderDropped)
    }

    /// Sets a string.
    pub async fn put(
        &self,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        let write = self.engine.write([name]);
        self.store.put(&write, name, db, payload, ttl).await
    }

    /// Deletes a key, here and in the store. Says whether the store had it.
    pub async fn delete(&self, name: &[u8], db: u32) -> Result<bool, StoreError> {
        let write = self.engine.write([name]);
        let deleted = self.store.delete(&write, name, db).await;
        self.engine.loads_settled(name).await;
        deleted
    }

    fn remembered(&self, key: HashedKey<'_>, view: ReadView) -> Option<Fetched<V>> {
        self.engine.get_hashed(key, view).map(|(value, deadline)| Fetched {
            value,
            found: Found::Near(deadline),
            collapsed: false,
        })
    }

    /// The value, or the origin's remembered answer that it has none.
    fn remembered_or_refused(&self, key: HashedKey<'_>, view: ReadView) -> Option<Fetched<V>> {
        self.remembered(key, view)
            .filter(|hit| !hit.value.is_absent())
            .or_else(|| self.remembered(key.load(), view))
    }

    /// Reads past the near tier, which then forgets what may be older (R13).
    pub async fn bypass(&self, key: Key<'_>, why: Bypass) -> FetchResult<V> {
        self.bypass_for(None, key, why).await
    }

    async fn bypass_for(
        &self,
        load: Option<&Fill<'_, V>>,
        key: Key<'_>,
        why: Bypass,
    ) -> FetchResult<V> {
        let value = self.store.read(key).await.map_err(FetchError::Store)?;
        self.engine.invalidate_after_bypass(key.name, load);
        Ok(Fetched { value, found: Found::Bypass(why), collapsed: false })
    }

    async fn lead(&self, fill: Fill<'_, V>, key: Key<'_>, load: Load<'_>) -> FetchResult<V> {
        let outcome = match self.load(&fill, key, load).await {
            Ok(Loaded::Value(fetched)) => Ok(fetched),
            Ok(Loaded::Nothing(None)) => return fill.complete_absent(load.negative_ttl),
            Ok(Loaded::Nothing(Some(why))) => {
                Ok(Fetched { value: V::absent(), found: Found::Bypass(why), collapsed: false })
            }
            Err(error) => Err(error),
        };
        fill.answer(outcome)
    }

    /// Store, then origin, then store again: the value that is kept is one that the store gave, for
    /// what was only put would never be invalidated.
    async fn load(
        &self,
        fill: &Fill<'_, V>,
        key: Key<'_>,
        load: Load<'_>,
    ) -> Result<Loaded<V>, FetchError> {
        let past_near = match self.fetch_for(fill, key).await {
            Ok(found) if !found.value.is_absent() => return Ok(Loaded::Value(found)),
            Ok(Fetched { found: Found::Bypass(why), .. }) => Some(why),
            Ok(_) => None,
            Err(FetchError::Store(error)) if error.is_outage() => Some(Bypass::StoreUnreachable),
            Err(error) => return Err(error),
        };
        let row = load.origin.load(load.id).await.map_err(FetchError::Origin)?;
        let Some(row) = row else { return Ok(Loaded::Nothing(past_near)) };
        let unkept = Fetched {
            value: V::from_payload(&row),
            found: past_near
                .map_or(Found::Store { cached: Err(NotCached::LeaseInvalidated) }, Found::Bypass),
            collapsed: false,
        };
        let put = self.engine.begin_load(key.name);
        if past_near == Some(Bypass::StoreUnreachable) || !fill.holds() {
            return Ok(Loaded::Value(unkept));
        }
        Ok(Loaded::Value(match self.store.put_loaded(fill, &row, load.ttl).await {
            Ok(Put::Done) => {
                drop(put);
                self.fetch_for(fill, key).await.ok().filter(is_present).unwrap_or(unkept)
            }
            Ok(Put::LeaseInvalidated { is_put: true }) => {
                self.delete_if_ours(key, &row, load.ttl, unkept).await
            }
            Err(error) if error.outcome_unknown() => {
                self.delete_if_ours(key, &row, load.ttl, unkept).await
            }
            Ok(Put::LeaseInvalidated { is_put: false }) | Err(_) => unkept,
        }))
    }

    /// A fetch that is part of a load.
    async fn fetch_for(&self, load: &Fill<'_, V>, key: Key<'_>) -> FetchResult<V> {
        self.finish_for(Some(load), key, self.start(key)).await
    }

    /// Deletes what was put too late. When that fails too, the entry's time to live ends it.
    async fn delete_if_ours(
        &self,
        key: Key<'_>,
        row: &[u8],
        ttl: Duration,
        unkept: Fetched<V>,
    ) -> Fetched<V> {
        let write = self.engine.write([key.name]);
        match self.store.delete_if_ours(&write, key.name, key.keyspace, row, ttl).await {
            Ok(()) | Err(_) => unkept,
        }
    }
}

/// What store and origin have together.
enum Loaded<V> {
    Value(Fetched<V>),
    /// Neither has any; with the reason why the near tier was passed by, if it was.
    Nothing(Option<Bypass>),
}

fn is_present<V: Value>(fetched: &Fetched<V>) -> bool {
    !fetched.value.is_absent()
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The store gave no answer.
    Store(StoreError),
    /// The origin gave no answer.
    Origin(OriginError),
    /// Whoever fetched it for all went away, again and again.
    LeaderDropped,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Origin(error) => error.fmt(f),
            Self::LeaderDropped => f.write_str("the fetch was given up"),
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Origin(error) => Some(error),
            Self::LeaderDropped => None,
        }
    }
}
