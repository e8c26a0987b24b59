//! The road to the shared tier behind this process.

use crate::{
    Value, WriteGuard,
    engine::{Fill, FillOutcome},
};
use smallvec::SmallVec;
use std::{fmt, future::Future, sync::Arc, time::Duration};

/// Identifies a value: a name in a keyspace, and which view of the value under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The name: any bytes.
    pub name: &'a [u8],
    /// The number of the keyspace that holds the name.
    pub keyspace: u32,
    /// Which view of the value: empty for the plain value, else bytes that only the store
    /// interprets, such as a command with its further arguments. The first is never zero.
    pub variant: &'a [u8],
}

impl<'a> Key<'a> {
    /// Returns the key of the plain value under `name`.
    pub fn plain(name: &'a [u8], keyspace: u32) -> Self {
        Self { name, keyspace, variant: b"" }
    }

    /// What an origin has for this name. No variant of a store begins with a zero byte.
    pub(crate) fn load(self) -> Self {
        Self { variant: b"\0load", ..self }
    }

    /// The same for one who has no news from the feed: a change would not end this load, so nobody
    /// joins it who has.
    pub(crate) fn load_without_news(self) -> Self {
        Self { variant: b"\0load without news", ..self }
    }
}

/// A key with bytes of its own; those of most names in one piece with it.
#[derive(Clone)]
pub(crate) struct OwnedKey {
    name: SmallVec<[u8; SHORT_NAME_BYTES]>,
    keyspace: u32,
    variant: Box<[u8]>,
}

const SHORT_NAME_BYTES: usize = 32;

impl OwnedKey {
    pub(crate) fn as_key(&self) -> Key<'_> {
        Key { name: &self.name, keyspace: self.keyspace, variant: &self.variant }
    }
}

impl From<Key<'_>> for OwnedKey {
    fn from(key: Key<'_>) -> Self {
        let Key { name, keyspace, variant } = key;
        Self { name: SmallVec::from_slice(name), keyspace, variant: variant.into() }
    }
}

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
    ) -> impl Future<Output = Result<Put, StoreError>> + Send;

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

/// What became of a loaded value's put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The key is there: with this value, or with another that came first.
    Done,
    /// The key changed while the value was on its way, which may be out of date.
    LeaseInvalidated {
        /// Whether it was put nevertheless, and has to be taken back.
        is_put: bool,
    },
}

/// Why a store gave no answer, and with it whether a write may have been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no connection; nothing was sent. Try again later.
    Unreachable(Arc<str>),
    /// The connection ended before the answer came. A write may have been done.
    Lost,
    /// No answer came in time. A write may have been done.
    TimedOut(Duration),
    /// The store answered with this error, in its own words. Nothing was done.
    Refused(Arc<str>),
    /// The store answered with this error, in its own words: it does not serve now. Nothing was
    /// done.
    NotReady(Arc<str>),
    /// The store has no room. Nothing was done.
    Full,
}

impl StoreError {
    /// Whether the fault is the way to the store, not the request.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Lost | Self::TimedOut(_) | Self::NotReady(_) => true,
            Self::Refused(_) | Self::Full => false,
        }
    }

    /// Whether a write that failed so may have been done all the same.
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Lost | Self::TimedOut(_))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "the store is away: {why}"),
            Self::Lost => f.write_str("the connection to the store ended before it answered"),
            Self::TimedOut(limit) => write!(f, "the store did not answer within {limit:?}"),
            Self::Refused(text) | Self::NotReady(text) => write!(f, "the store answered: {text}"),
            Self::Full => f.write_str("the in-memory store is full (store-maxmemory)"),
        }
    }
}

impl std::error::Error for StoreError {}
