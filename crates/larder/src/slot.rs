//! What the near cache of a [`Cache`](crate::Cache) holds under a name.

use crate::error::Failed;
use larder_core::{Moment, Value};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// See the [module](self).
#[derive(Debug)]
pub(crate) enum Slot<V> {
    /// Nothing is known of this key.
    Unknown,
    /// The loader has no value for this key.
    Absent,
    /// A value.
    Held(Arc<Held<V>>),
    /// Never cached: what the callers that joined a load are told when it failed.
    Failed(Failed),
}

/// A value, and until when it is fresh.
#[derive(Debug)]
pub(crate) struct Held<V> {
    pub(crate) value: V,
    /// When it was made.
    pub(crate) made: Moment,
    fresh_until: Moment,
    /// Bytes that the value keeps alive, [`Held`] itself not included.
    bytes: usize,
    /// What the store sent, from which the value was decoded.
    pub(crate) raw: Option<Box<[u8]>>,
    /// When it was last used, in nanoseconds; only where the cache has a time to idle.
    used: AtomicU64,
    /// Until when no load is tried again after a failure, in nanoseconds.
    retry: AtomicU64,
}

impl<V> Held<V> {
    pub(crate) fn new(value: V, made: Moment, fresh_until: Moment, bytes: usize) -> Self {
        let used = AtomicU64::new(nanos(made));
        Self { value, made, fresh_until, bytes, raw: None, used, retry: AtomicU64::new(0) }
    }

    /// Notes what the value was decoded from.
    pub(crate) fn decoded_from(self, raw: &[u8]) -> Self {
        Self { bytes: self.bytes + raw.len(), raw: Some(raw.into()), ..self }
    }

    /// Returns the moment from which it is stale.
    #[inline]
    pub(crate) fn fresh_until(&self, idle: Option<Duration>) -> Moment {
        match idle {
            None => self.fresh_until,
            Some(idle) => self.fresh_until.min(moment(self.used.load(Relaxed)).plus(idle)),
        }
    }

    pub(crate) fn use_at(&self, now: Moment) {
        self.used.store(nanos(now), Relaxed);
    }

    /// Notes that no load is to be tried before `until`.
    pub(crate) fn retry_at(&self, until: Moment) {
        self.retry.store(nanos(until), Relaxed);
    }

    /// Whether a load failed so recently that none is to be tried now.
    pub(crate) fn is_throttled(&self, now: Moment) -> bool {
        now < moment(self.retry.load(Relaxed))
    }
}

fn nanos(moment: Moment) -> u64 {
    u64::try_from(moment.since(Moment::START).as_nanos()).unwrap_or(u64::MAX)
}

fn moment(nanos: u64) -> Moment {
    Moment::START.plus(Duration::from_nanos(nanos))
}

impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Absent => Self::Absent,
            Self::Held(held) => Self::Held(Arc::clone(held)),
            Self::Failed(failed) => Self::Failed(failed.clone()),
        }
    }
}

/// The two reference counts in front of the contents of an `Arc`.
const ARC_HEADER_BYTES: usize = 2 * size_of::<usize>();

impl<V: Send + Sync + 'static> Value for Slot<V> {
    fn from_payload(_: &[u8]) -> Self {
        Self::Unknown
    }

    fn absent() -> Self {
        Self::Unknown
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    fn payload_bytes(&self) -> usize {
        match self {
            Self::Held(held) => held.bytes,
            Self::Unknown | Self::Absent | Self::Failed(_) => 0,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Held(held) => held.bytes + size_of::<Held<V>>() + ARC_HEADER_BYTES,
            Self::Unknown | Self::Absent | Self::Failed(_) => 0,
        }
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        None
    }

    fn from_bytes(_: &[u8]) -> Self {
        Self::Unknown
    }
}
