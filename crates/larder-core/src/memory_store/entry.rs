//! What a caller passes to a transaction and gets from it.

use crate::outcome::StoreError;

/// A key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The value.
    pub payload: &'a [u8],
    /// When the key expires, if it does.
    pub expires: Option<i64>,
}

/// When a key expires. A time that has passed deletes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// At this time.
    At(i64),
    /// When it was to expire before.
    Keep,
}

/// How many keys a keyspace holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyspaceSize {
    /// The keyspace's number.
    pub keyspace: u32,
    /// Its keys, including those that have expired and were not removed yet.
    pub keys: usize,
    /// How many of them have an expiry.
    pub volatile: usize,
}

/// The store has no room. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl From<OutOfMemory> for StoreError {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::Full
    }
}
