//! Values of a cache with a store: read, decoded, written, and loaded through it.

use crate::{
    entry::{Entry, Source},
    error::Failed,
    key::Name,
    load::{Ended, Options, Outcome, absent, load_alone, run, served_on_error},
    shared::Shared,
    slot::Held,
    source::{Load, Made},
    store::{Content, StoreTier, Stored},
};
use bytes::Bytes;
use larder_core::{BoxFuture, FetchError, Origin, OriginCause, OriginError, StoreError};
use larder_expiry::Expiry;
use parking_lot::Mutex;
use std::{any::Any, panic::resume_unwind, sync::Arc, time::Duration};

impl<V: Clone + Send + Sync + 'static> Shared<V> {
    /// Returns the value in what the store sent: as it was decoded before, if the bytes are the same.
    /// `None` if it does not decode.
    pub(crate) fn decode(
        &self,
        tier: &StoreTier<V>,
        name: &Name,
        stored: &Stored,
    ) -> Option<Arc<Held<V>>> {
        let Content::Payload(payload) = &stored.content else { return None };
        let known = self.any_held(name);
        if let Some(held) = known.filter(|held| held.raw.as_deref() == Some(&*stored.raw)) {
            return Some(held);
        }
        let value = (tier.codec.decode)(payload)?;
        let fresh_until = stored.until.unwrap_or_else(|| self.now());
        Some(self.remember(name, value, &stored.raw, fresh_until))
    }

    /// Reads a value without loading it.
    pub(crate) async fn fetch(
        &self,
        tier: &StoreTier<V>,
        name: &Name,
    ) -> Result<Option<V>, StoreError> {
        let stored = tier.store.fetch(name.as_bytes()).await?;
        Ok(self.decode(tier, name, &stored).map(|held| held.value.clone()))
    }

    /// Writes a value to the store.
    pub(crate) async fn store(
        &self,
        tier: &StoreTier<V>,
        name: &Name,
        value: &V,
        chosen: Option<&Expiry>,
    ) -> Result<(), StoreError> {
        // What was decoded before must not be served stale after this.
        self.invalidate(name);
        let payload = (tier.codec.encode)(value)
            .map_err(|error| StoreError::Refused(format!("not encoded: {error}").into()))?;
        let ttl = self.policy.time_to_live(chosen, name.as_bytes(), self.engine.clock().unix());
        tier.store.put(name.as_bytes(), &payload, ttl).await
    }

    /// Deletes a value in the store.
    pub(crate) async fn delete(&self, tier: &StoreTier<V>, name: &Name) -> Result<(), StoreError> {
        self.invalidate(name);
        tier.store.delete(name.as_bytes()).await
    }
}

/// Returns the value of the store or, if it has none, loads it, once for all callers in the process.
/// A value that does not decode is replaced.
pub(crate) async fn load_through<V, L>(
    shared: &Shared<V>,
    tier: &StoreTier<V>,
    name: &Name,
    loader: L,
    options: &Options<V, L>,
) -> Outcome<V, L>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    if options.refresh {
        return replace(shared, tier, name, loader, options).await;
    }
    let origin = LoaderOrigin {
        shared,
        tier,
        name,
        old: shared.any_held(name),
        chosen: options.ttl.as_ref(),
        state: Mutex::new(State::Waiting(loader)),
        ttl: Mutex::new(None),
    };
    let negative_ttl = shared.policy.negative_ttl;
    let found = tier.store.fetch_or_load(name.as_bytes(), &origin, negative_ttl).await;
    let LoaderOrigin { old, state, .. } = origin;
    match (found, state.into_inner()) {
        (_, State::Panicked(panic)) => resume_unwind(panic),
        (_, State::NotEncoded(value)) => Ok(Made::Value(uncached(value))),
        (Ok(stored), state) => match (shared.decode(tier, name, &stored), state) {
            (Some(held), state) => {
                let entry = shared.entry(&held, source_of(&stored, &state));
                Ok(Made::Value(entry))
            }
            (None, State::Waiting(loader)) => match absent_of::<V, L>(&stored) {
                Some(outcome) => outcome,
                None => replace(shared, tier, name, loader, options).await,
            },
            (None, State::Made(value)) => Ok(Made::Value(uncached(value))),
            (None, _) => absent::<V, L>().unwrap_or_else(lost),
        },
        (Err(error), state) => match (served_on_error(shared, old.as_ref()), state) {
            (Some(entry), _) => Ok(Made::Value(entry)),
            (None, State::Failed(error)) => Err(error),
            (None, State::Made(value)) => Ok(Made::Value(uncached(value))),
            (None, State::Waiting(loader)) => match failure_of::<V, L>(&error) {
                Some(error) => Err(error),
                None => load_alone(shared, loader).await,
            },
            (None, _) => lost(),
        },
    }
}

/// Runs the loader whatever the store has, and writes what it makes.
async fn replace<V, L>(
    shared: &Shared<V>,
    tier: &StoreTier<V>,
    name: &Name,
    loader: L,
    options: &Options<V, L>,
) -> Outcome<V, L>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    match run(shared, loader, shared.any_held(name).as_ref()).await {
        Ended::Made(Made::Value(value), chosen) => {
            let chosen = chosen.as_ref().or(options.ttl.as_ref());
            // What the store refused is a miss the next time.
            shared.store(tier, name, &value, chosen).await.ok();
            Ok(Made::Value(uncached(value)))
        }
        Ended::Made(Made::Absent(absent), _) => {
            shared.delete(tier, name).await.ok();
            Ok(Made::Absent(absent))
        }
        Ended::Failed(_, error) => Err(error),
        Ended::Panicked(_, panic) => resume_unwind(panic),
    }
}

/// A loader as an origin of the engine, which runs it under the lease of the key.
struct LoaderOrigin<'a, V: Send + Sync + 'static, L: Load<V>> {
    shared: &'a Shared<V>,
    tier: &'a StoreTier<V>,
    name: &'a Name,
    old: Option<Arc<Held<V>>>,
    chosen: Option<&'a Expiry>,
    state: Mutex<State<V, L>>,
    ttl: Mutex<Option<Duration>>,
}

/// What has become of the loader of this call.
enum State<V, L: Load<V>> {
    Waiting(L),
    Running,
    Made(V),
    /// What it made cannot be written to the store.
    NotEncoded(V),
    Absent,
    Failed(L::Failure),
    Panicked(Box<dyn Any + Send>),
}

impl<V, L> Origin for LoaderOrigin<'_, V, L>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn load<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, OriginError>> {
        Box::pin(self.load_once())
    }

    fn chosen_ttl(&self) -> Option<Duration> {
        *self.ttl.lock()
    }
}

impl<V, L> LoaderOrigin<'_, V, L>
where
    V: Clone + Send + Sync + 'static,
    L: Load<V>,
{
    async fn load_once(&self) -> Result<Option<Bytes>, OriginError> {
        let is_throttled = |old: &Arc<Held<V>>| {
            old.is_throttled(self.shared.now()) && self.shared.serves_on_error(old)
        };
        if self.old.as_ref().is_some_and(is_throttled) {
            return Err(self.error(None));
        }
        let state = std::mem::replace(&mut *self.state.lock(), State::Running);
        let State::Waiting(loader) = state else { return Err(self.error(None)) };
        let (state, outcome) = match run(self.shared, loader, self.old.as_ref()).await {
            Ended::Made(Made::Value(value), chosen) => self.encoded(value, chosen.as_ref()),
            Ended::Made(Made::Absent(_), _) => (State::Absent, Ok(None)),
            Ended::Failed(failed, error) => (State::Failed(error), Err(self.error(Some(failed)))),
            Ended::Panicked(failed, panic) => {
                (State::Panicked(panic), Err(self.error(Some(failed))))
            }
        };
        *self.state.lock() = state;
        outcome
    }

    fn encoded(
        &self,
        value: V,
        chosen: Option<&Expiry>,
    ) -> (State<V, L>, Result<Option<Bytes>, OriginError>) {
        let (policy, unix) = (&self.shared.policy, self.shared.engine.clock().unix());
        let chosen = chosen.or(self.chosen);
        *self.ttl.lock() = policy.time_to_live(chosen, self.name.as_bytes(), unix);
        match (self.tier.codec.encode)(&value) {
            Ok(payload) => (State::Made(value), Ok(Some(payload.into()))),
            Err(_) => (State::NotEncoded(value), Err(self.error(None))),
        }
    }

    fn error(&self, failed: Option<Failed>) -> OriginError {
        OriginError {
            origin: (&*self.shared.name).into(),
            reason: "the loader failed".into(),
            cause: failed.map(|failed| OriginCause(Arc::new(failed))),
        }
    }
}

fn source_of<V, L: Load<V>>(stored: &Stored, state: &State<V, L>) -> Source {
    match state {
        State::Made(_) => Source::Loader,
        _ if stored.is_joined => Source::Joined,
        _ if stored.is_near => Source::Near,
        _ => Source::Store,
    }
}

fn absent_of<V, L: Load<V>>(stored: &Stored) -> Option<Outcome<V, L>> {
    matches!(stored.content, Content::Absent).then(absent::<V, L>)?
}

/// Returns the failure of the load that another caller led.
fn failure_of<V, L: Load<V>>(error: &FetchError) -> Option<L::Failure> {
    let FetchError::Origin(OriginError { cause: Some(cause), .. }) = error else { return None };
    cause.0.downcast_ref::<Failed>()?.to_failure()
}

/// Returns the entry of a value that is not cached in this process.
pub(crate) fn uncached<V>(value: V) -> Entry<V> {
    Entry {
        value,
        source: Source::Loader,
        age: Duration::ZERO,
        ttl: Some(Duration::ZERO),
        is_stale: false,
    }
}

/// Ends a call whose loader ran without an outcome. The engine never lets that happen.
fn lost<T>() -> T {
    resume_unwind(Box::new("the outcome of a load was lost"))
}
