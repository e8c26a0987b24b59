//! The shared tier behind this process: Redis, or a store in its memory.

use crate::{
    engine::{Fill, FillOutcome, WriteGuard},
    key::Key,
    outcome::{PutOutcome, StoreError},
    value::Value,
};
use std::{future::Future, time::Duration};

/// A store that values are read from.
pub trait ReadStore<V: Value>: Send + Sync + 'static {
    /// Sends a fill's read on the connection that carries the feed, and completes the fill there.
    /// Returns at once: with the outcome if the fill is complete by then, else with one that
    /// resolves later ([`Fill::defer`]).
    fn fill(&self, fill: Fill<'_, V>) -> FillOutcome<V>;

    /// Whether [`ReadStore::fill`] completes its fills before it returns, in less time than it would
    /// take to wait for another reader's. Then each reader sends a fill of its own, which costs less.
    /// A fill that is deferred all the same is as safe, but no other reader joins it, and changes of
    /// other names may keep its reply from being cached.
    fn answers_at_once(&self) -> bool {
        false
    }

    /// Reads a value for a caller that bypasses the near cache. The value may be newer than what the
    /// feed has reported.
    fn read(&self, key: Key<'_>) -> impl Future<Output = Result<V, StoreError>> + Send;
}

/// A store that values are written to. Writes set and delete whole values, so they do not look at a
/// key's variant.
///
/// The holder of the [`WriteGuard`] has invalidated the name, and does so again when the write has
/// been answered. A store whose other readers see the change before that must invalidate the name
/// through the guard, in the same moment as it makes the change.
pub trait WriteStore<V: Value>: Send + Sync + 'static {
    /// Sets a value.
    fn put(
        &self,
        guard: &WriteGuard<V>,
        put: Put<'_>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes a key. Returns whether it existed.
    fn delete(
        &self,
        guard: &WriteGuard<V>,
        key: Key<'_>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Sets what an origin gave, unless the key exists by now. Returns whether the load's lease
    /// still held when that was done. By then, every invalidation that the write itself causes has
    /// been applied.
    fn put_loaded(
        &self,
        load: &Fill<'_, V>,
        loaded: LoadedValue<'_>,
    ) -> impl Future<Output = Result<PutOutcome, StoreError>> + Send;

    /// Deletes a key if it holds what a load has written: this very payload, with no more than this
    /// time to live. Anything else was written by another client.
    fn delete_if_ours(
        &self,
        guard: &WriteGuard<V>,
        loaded: LoadedValue<'_>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A store that values are read from and written to.
pub trait Store<V: Value>: ReadStore<V> + WriteStore<V> {}

impl<V: Value, S: ReadStore<V> + WriteStore<V>> Store<V> for S {}

/// A value to be set.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// The key.
    pub key: Key<'a>,
    /// The value.
    pub payload: &'a [u8],
    /// After what time the key expires, if it does.
    pub ttl: Option<Duration>,
}

/// A value that an origin gave.
#[derive(Clone, Copy, Debug)]
pub struct LoadedValue<'a> {
    /// The key.
    pub key: Key<'a>,
    /// The value.
    pub payload: &'a [u8],
    /// After what time the key expires.
    pub ttl: Duration,
}
