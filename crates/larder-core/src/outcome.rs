//! What reads and writes come to: where a value was found, and why it was not cached, not served
//! from memory or not there at all. The same words name metrics, headers and log fields.

use crate::{clock::Moment, origin::OriginError};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// A value, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched<V> {
    /// The value, or the value that stands for "no such key".
    pub value: V,
    /// Where it was found.
    pub found: Found,
    /// Whether the reader waited for a fetch that another reader had started.
    pub collapsed: bool,
}

pub(crate) type FetchResult<V> = Result<Fetched<V>, FetchError>;

/// Where a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In the near cache, which serves it until this moment at the latest.
    Near(Moment),
    /// In the store or the origin, through the near cache.
    Store {
        /// Until when the near cache serves it, or why it was not cached.
        cached: Result<Moment, NotCached>,
    },
    /// In the store or the origin. The near cache was bypassed.
    Bypass(Bypass),
}

impl Found {
    /// Returns why the near cache was bypassed, if it was.
    pub(crate) fn bypass(self) -> Option<Bypass> {
        match self {
            Self::Bypass(reason) => Some(reason),
            Self::Near(_) | Self::Store { .. } => None,
        }
    }
}

/// Why the near cache was bypassed. As wide as a word, like [`NotCached`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Bypass {
    /// The feed is older than the staleness bound.
    NotCoherent,
    /// The feed's connection ended while the read was on its way.
    FeedLost,
    /// The read had joined a fetch, whose value may have expired before the read began.
    Expired,
    /// The value is larger than `near-max-value`.
    TooLarge,
    /// The store is unreachable: the value comes from the origin alone.
    StoreUnreachable,
    /// The request asked for it.
    Request,
    /// An operator turned pass-through on.
    Passthrough,
    /// The configuration excludes the key from caching.
    NotAllowed,
    /// The read must keep its place among commands that only the store can answer.
    Order,
    /// The client is in a state that only the store knows, such as a transaction.
    State,
    /// The client's user may not see what was read for another user.
    User,
}

impl Bypass {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::NotCoherent,
        Self::FeedLost,
        Self::Expired,
        Self::TooLarge,
        Self::StoreUnreachable,
        Self::Request,
        Self::Passthrough,
        Self::NotAllowed,
        Self::Order,
        Self::State,
        Self::User,
    ];

    /// Returns the reason's name in metrics and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotCoherent => "not-coherent",
            Self::FeedLost => "feed-lost",
            Self::Expired => "expired",
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

/// Why a value was not cached.
///
/// As wide as a word, like the [`Moment`] that it alternates with in [`Found`]: that enum is copied
/// for each read, and a narrower tag takes more instructions to put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum NotCached {
    /// There was no fresh feed when the value was read, or its epoch ended.
    FeedDown,
    /// The key changed while the reply was on its way.
    LeaseInvalidated,
    /// The value is larger than `near-max-value`.
    TooLarge,
    /// Its time to live was over on arrival, or the key vanished after it was read.
    TtlGone,
    /// The store did not say until when the value may be served.
    TtlUnknown,
    /// Replies of this kind, or under such a key, are never cached.
    NotAllowed,
    /// The store refused to take the value that an origin gave.
    StoreRefused,
}

impl NotCached {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::FeedDown,
        Self::LeaseInvalidated,
        Self::TooLarge,
        Self::TtlGone,
        Self::TtlUnknown,
        Self::NotAllowed,
        Self::StoreRefused,
    ];

    /// Returns the reason's name in metrics and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::FeedDown => "feed-down",
            Self::LeaseInvalidated => "lease-invalidated",
            Self::TooLarge => "too-large",
            Self::TtlGone => "ttl-gone",
            Self::TtlUnknown => "ttl-unknown",
            Self::NotAllowed => "not-allowed",
            Self::StoreRefused => "store-refused",
        }
    }
}

/// Why the near cache was emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushCause {
    /// The store was flushed.
    Flushed,
    /// The feed's connection ended.
    EpochEnded,
    /// A command to this process.
    Command,
}

impl FlushCause {
    /// Every cause.
    pub const ALL: [Self; 3] = [Self::Flushed, Self::EpochEnded, Self::Command];

    /// Returns the cause's name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flushed => "flushed",
            Self::EpochEnded => "epoch-ended",
            Self::Command => "command",
        }
    }
}

/// What became of the write of a loaded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The key exists: with this value, or with another that was written first.
    Done,
    /// The key changed while the value was on its way, so the value may be out of date.
    LeaseInvalidated {
        /// Whether it was written nevertheless, and has to be deleted again.
        is_put: bool,
    },
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The origin failed.
    #[error(transparent)]
    Origin(OriginError),
    /// The reader that fetched for all of them left before it had an answer, several times in a
    /// row.
    #[error("the fetch was abandoned")]
    LeaderDropped,
}

/// Why a store gave no answer, and whether a write may have been done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// There is no connection. Nothing was sent; try again later.
    #[error("the store is unreachable: {0}")]
    Unreachable(Arc<str>),
    /// The store was reached and refuses the connection, until somebody changes its configuration or
    /// ours. Nothing was sent.
    #[error("the store refuses the connection: {0}")]
    NoAccess(Arc<str>),
    /// The connection ended before the answer came. A write may have been done.
    #[error("the connection to the store ended before it answered")]
    Lost,
    /// No answer came in time. A write may have been done.
    #[error("the store did not answer within {0:?}")]
    TimedOut(Duration),
    /// The store answered with this error. Nothing was done.
    #[error("the store answered: {0}")]
    Refused(Arc<str>),
    /// The store answered with this error: it does not serve now. Nothing was done.
    #[error("the store answered: {0}")]
    NotReady(Arc<str>),
    /// The store has no room. Nothing was done.
    #[error("the in-memory store is full (store-maxmemory)")]
    Full,
    /// The store could not make a write durable. Nothing was done.
    #[error("the write could not be made durable: {0}")]
    NotDurable(Arc<str>),
}

impl StoreError {
    /// Whether the store or the way to it failed, and not the request.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::NoAccess(_)
            | Self::Lost
            | Self::TimedOut(_)
            | Self::NotReady(_) => true,
            Self::Refused(_) | Self::Full | Self::NotDurable(_) => false,
        }
    }

    /// Whether a write that failed with this error may have been done all the same.
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Lost | Self::TimedOut(_))
    }
}
