//! A value with its circumstances.

use std::time::Duration;

/// A value, where it came from, and how old it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<V> {
    pub(crate) value: V,
    pub(crate) source: Source,
    pub(crate) age: Duration,
    pub(crate) ttl: Option<Duration>,
    pub(crate) is_stale: bool,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The memory of this process.
    Near,
    /// The store behind it.
    Store,
    /// This call's loader.
    Loader,
    /// The loader of another call, which was under way.
    Joined,
}

impl<V> Entry<V> {
    /// Returns the value.
    pub fn value(&self) -> &V {
        &self.value
    }

    /// Returns the value alone.
    pub fn into_value(self) -> V {
        self.value
    }

    /// Returns where the value came from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Returns the time since this process got the value from its loader or from the store.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Returns for how long the value stays fresh; `None` if it does not expire. Zero if it is
    /// stale.
    pub fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    /// Returns whether the value has expired and is served by a stale policy.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }
}
