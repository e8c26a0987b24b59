//! The store behind the memory: what is asked of it.

use larder_core::{BoxFuture, FetchError, Moment, Origin, StoreError};
use std::{sync::Arc, time::Duration};

/// A store, and how the values of one cache are written to it.
pub(crate) struct StoreTier<V> {
    pub(crate) store: Box<dyn StoreAccess>,
    pub(crate) codec: Codec<V>,
}

/// How values are written.
pub(crate) struct Codec<V> {
    pub(crate) encode: fn(&V) -> Result<Vec<u8>, String>,
    pub(crate) decode: fn(&[u8]) -> Option<V>,
}

/// What a cache asks of its store. The names are those of its keys; the store adds a prefix.
pub(crate) trait StoreAccess: Send + Sync {
    /// Looks into the near cache of the store. Never waits, and allocates nothing.
    fn look(&self, name: &[u8], known: Option<&[u8]>) -> NearLook;

    /// Reads a value.
    fn fetch<'a>(&'a self, name: &'a [u8]) -> BoxFuture<'a, Result<Stored, StoreError>>;

    /// Reads a value, or loads it once for all callers.
    fn fetch_or_load<'a>(
        &'a self,
        name: &'a [u8],
        origin: &'a dyn Origin,
        negative_ttl: Duration,
    ) -> BoxFuture<'a, Result<Stored, FetchError>>;

    /// Writes a value that expires after `ttl`, if it does.
    fn put<'a>(
        &'a self,
        name: &'a [u8],
        payload: &'a [u8],
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Deletes a value.
    fn delete<'a>(&'a self, name: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Makes the values of all keys unreachable.
    fn clear(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// What the near cache of a store knows about a name.
pub(crate) enum NearLook {
    /// The store has the known bytes; the near cache holds them until then.
    Current(Moment),
    /// The store has other bytes, or nothing is known.
    Other,
}

/// What a store has under a name.
pub(crate) struct Stored {
    /// Everything that the store sent.
    pub(crate) raw: Arc<[u8]>,
    pub(crate) content: Content,
    /// Until when the near cache of the store holds it.
    pub(crate) until: Option<Moment>,
    /// Whether it came from the near cache.
    pub(crate) is_near: bool,
    /// Whether another caller's fetch or load brought it.
    pub(crate) is_joined: bool,
}

/// The value in what a store sent.
pub(crate) enum Content {
    Absent,
    Payload(Box<[u8]>),
    /// Not a string.
    Other,
}
