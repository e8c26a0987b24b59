//! The way to the shared tier behind this process.

use crate::{
    engine::{Fill, FillOutcome, WriteGuard},
    key::Key,
    outcome::{PutOutcome, StoreError},
    value::Value,
};
use std::{future::Future, time::Duration};

/// A store: Redis, or a map in this process.
pub trait Store<V: Value>: Send + Sync + 'static {
    /// Sends a fill's read on the road on which the feed travels, and lands the fill there. Returns
    /// at once: with the answer, if the fill has landed by then, else with a promise of it
    /// ([`Fill::defer`]).
    fn fill(&self, fill: Fill<'_, V>) -> FillOutcome<V>;

    /// Whether [`Store::fill`] lands its fills before it returns, in less time than it would take
    /// to wait for somebody else's. Then each reader asks for itself, and a fill costs less. One
    /// that is promised all the same is as safe, but nobody joins it, and that other names change
    /// may keep its reply out of the near tier.
    fn answers_at_once(&self) -> bool {
        false
    }

    /// Reads past the near tier. The reply may be newer than what the feed has told.
    fn read(&self, key: Key<'_>) -> impl Future<Output = Result<V, StoreError>> + Send;

    /// Sets a string, with a time to live or without.
    ///
    /// Who calls this has voided the name, and will void it again. A store whose other readers see
    /// the change before that voids it by `write` in the same moment.
    fn put(
        &self,
        write: &WriteGuard<V>,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Option<Duration>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes a key, as [`Store::put`] sets one. Says whether there was one.
    fn delete(
        &self,
        write: &WriteGuard<V>,
        name: &[u8],
        db: u32,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Sets what an origin gave, unless the key exists by now, and tells whether the load's lease
    /// still held when the store had done it. Every invalidation that the put itself causes has
    /// been applied when this returns.
    fn put_loaded(
        &self,
        load: &Fill<'_, V>,
        payload: &[u8],
        ttl: Duration,
    ) -> impl Future<Output = Result<PutOutcome, StoreError>> + Send;

    /// Deletes a key, as [`Store::delete`] does, if it holds what a load has put: this very payload,
    /// with no more than this time to live. Whatever else is there, somebody else has written.
    fn delete_if_ours(
        &self,
        write: &WriteGuard<V>,
        name: &[u8],
        db: u32,
        payload: &[u8],
        ttl: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
