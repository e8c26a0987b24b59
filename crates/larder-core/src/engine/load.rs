//! Loads for callers that make the value themselves, without a store: a library that caches the
//! results of functions.

use super::{Engine, FetchRole, Fill};
use crate::{
    clock::Moment,
    coherence::flight::FlightWaiter,
    key::Key,
    outcome::{FetchError, FetchResult},
    value::Value,
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// What a caller does that wants a value made.
pub enum LoadRole<'a, V: Value> {
    /// It waits for the load of another caller.
    Joined(JoinedLoad<V>),
    /// It makes the value, and completes the fill with it. A fill that is dropped without an answer
    /// hands the load over: its waiters get [`FetchError::LeaderDropped`] and ask again.
    Leading(Fill<'a, V>),
}

impl<V: Value> Fill<'_, V> {
    /// Turns this into a fill that another task can complete, and a future that resolves to the value
    /// that it is answered with.
    pub fn hand_over(self) -> (Fill<'static, V>, JoinedLoad<V>) {
        let (fill, waiter) = self.into_deferred();
        (fill, JoinedLoad(waiter))
    }
}

/// A future that resolves to the value that another caller's fill was answered with.
pub struct JoinedLoad<V: Value>(FlightWaiter<FetchResult<V>>);

impl<V: Value> Engine<V> {
    /// Joins a load of this key that began at `oldest` or later, or leads a new one. An older load
    /// loses its lease: its value will not be cached.
    pub fn join_or_lead_load<'a>(
        self: &'a Arc<Self>,
        key: Key<'a>,
        oldest: Moment,
    ) -> LoadRole<'a, V> {
        let now = self.clock().now();
        let view = self.feed_of(key).read_view(now);
        match self.join_or_lead(self.hashed(key), now, oldest, view) {
            FetchRole::Joined(waiter) => LoadRole::Joined(JoinedLoad(waiter)),
            FetchRole::Leading(fill) => LoadRole::Leading(fill),
        }
    }
}

impl<V: Value> Future for JoinedLoad<V> {
    type Output = Result<V, FetchError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.0).poll(context);
        outcome.map(|outcome| outcome.map(|fetched| fetched.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Clock, EngineConfig, KeyFilter,
        expiry::Ttl,
        near::{NearConfig, Policy},
    };
    use std::time::Duration;

    type Payload = Option<Arc<[u8]>>;

    const KEY: Key<'static> = Key { name: b"name", keyspace: 0, variant: b"" };
    const MINUTE: Duration = Duration::from_mins(1);

    fn engine() -> Arc<Engine<Payload>> {
        let near = NearConfig {
            bytes_max: 1 << 20,
            entries_max: 0,
            value_bytes_max: 1 << 10,
            policy: Policy::ClockPro,
        };
        let config = EngineConfig {
            near,
            near_ttl: MINUTE,
            staleness_bound: MINUTE,
            keys: KeyFilter::default(),
        };
        let engine = Engine::new(&config, Clock::manual());
        let epoch = engine.begin_epoch();
        engine.feed().always_fresh(epoch);
        engine
    }

    fn lead(engine: &Arc<Engine<Payload>>, oldest: Moment) -> Fill<'_, Payload> {
        match engine.join_or_lead_load(KEY, oldest) {
            LoadRole::Leading(fill) => fill,
            LoadRole::Joined(_) => panic!("another load is in flight"),
        }
    }

    fn value(byte: u8) -> Payload {
        Payload::from_payload(&[byte])
    }

    fn cached(engine: &Arc<Engine<Payload>>) -> Option<Payload> {
        engine.get(KEY, engine.read_view(KEY)?).map(|(value, _)| value)
    }

    #[tokio::test]
    async fn a_joined_load_gets_the_value_and_it_is_cached() {
        let engine = engine();
        let fill = lead(&engine, Moment::START);
        let LoadRole::Joined(waiter) = engine.join_or_lead_load(KEY, Moment::START) else {
            panic!("the load is in flight");
        };
        drop(fill.complete(value(1), Ttl::Left(MINUTE)));
        assert_eq!(waiter.await, Ok(value(1)));
        assert_eq!(cached(&engine), Some(value(1)));
    }

    #[tokio::test]
    async fn a_dropped_load_is_handed_over() {
        let engine = engine();
        let fill = lead(&engine, Moment::START);
        let LoadRole::Joined(waiter) = engine.join_or_lead_load(KEY, Moment::START) else {
            panic!("the load is in flight");
        };
        drop(fill);
        assert_eq!(waiter.await, Err(FetchError::LeaderDropped));
        drop(lead(&engine, Moment::START));
    }

    #[tokio::test]
    async fn a_load_is_completed_by_another_task() {
        let engine = engine();
        let (fill, joined) = lead(&engine, Moment::START).hand_over();
        drop(tokio::spawn(async move { drop(fill.complete(value(1), Ttl::Left(MINUTE))) }));
        assert_eq!(joined.await, Ok(value(1)));
        assert_eq!(cached(&engine), Some(value(1)));
    }

    #[test]
    fn a_load_that_is_too_old_is_not_cached() {
        let engine = engine();
        let old = lead(&engine, Moment::START);
        let after = engine.clock().now().plus(Duration::from_nanos(1));
        let new = lead(&engine, after);
        drop(new.complete(value(2), Ttl::Left(MINUTE)));
        drop(old.complete(value(1), Ttl::Left(MINUTE)));
        assert_eq!(cached(&engine), Some(value(2)));
    }
}
