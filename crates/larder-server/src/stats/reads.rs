//! Reads of one listener by how they were answered: hit, miss, collapsed, not cached, bypass, error.

use larder_core::{Bypass, FetchError, Fetched, Found, StoreError};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How one read was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadResult {
    /// From the near cache.
    Hit,
    /// By the store or an origin.
    Miss,
    /// By the fetch of another reader.
    Collapsed,
    /// Not at all: it asked for a cached value (`only-if-cached`), and there was none.
    NotCached,
    /// By the store or an origin, past the near cache.
    Bypass(Bypass),
    /// Not at all: the store or the origin gave no answer.
    Error,
}

/// The counters of one listener.
#[derive(Default)]
pub(crate) struct ReadStats {
    hit: AtomicU64,
    miss: AtomicU64,
    collapsed: AtomicU64,
    not_cached: AtomicU64,
    error: AtomicU64,
    bypass: [AtomicU64; Bypass::ALL.len()],
}

/// A snapshot of [`ReadStats`].
#[derive(Serialize)]
pub(crate) struct ReadCounts {
    pub(crate) hit: u64,
    pub(crate) miss: u64,
    pub(crate) collapsed: u64,
    #[serde(rename = "not-cached")]
    not_cached: u64,
    bypass: serde_json::Map<String, serde_json::Value>,
    pub(crate) error: u64,
}

impl ReadResult {
    /// Returns how a finished read was answered. An error reply of the store is an answer, too.
    pub(crate) fn of<V>(outcome: &Result<Fetched<V>, FetchError>) -> Self {
        match outcome {
            Ok(fetched) => match fetched.found {
                _ if fetched.collapsed => Self::Collapsed,
                Found::Near(_) => Self::Hit,
                Found::Store { .. } => Self::Miss,
                Found::Bypass(reason) => Self::Bypass(reason),
            },
            Err(FetchError::Store(StoreError::Refused(_))) => Self::Miss,
            Err(_) => Self::Error,
        }
    }

    /// Returns how a read was answered that was to be answered like this.
    pub(crate) fn finished<V>(self, outcome: &Result<Fetched<V>, FetchError>) -> Self {
        match Self::of(outcome) {
            result @ (Self::Bypass(_) | Self::Error) => result,
            _ => self,
        }
    }

    /// Returns whether the read waits for the store.
    pub(crate) fn is_sent(self) -> bool {
        matches!(self, Self::Miss | Self::Collapsed)
    }
}

impl ReadCounts {
    /// Returns the reads that bypassed the near cache, for all reasons together.
    pub(crate) fn bypasses(&self) -> u64 {
        self.bypass.values().filter_map(serde_json::Value::as_u64).sum()
    }
}

impl ReadStats {
    /// Counts reads that the near cache answered.
    pub(crate) fn hits(&self, count: u64) {
        self.hit.fetch_add(count, Relaxed);
    }

    /// Counts reads.
    pub(crate) fn count(&self, result: ReadResult, reads: u64) {
        let counter = match result {
            ReadResult::Hit => &self.hit,
            ReadResult::Miss => &self.miss,
            ReadResult::Collapsed => &self.collapsed,
            ReadResult::NotCached => &self.not_cached,
            ReadResult::Error => &self.error,
            ReadResult::Bypass(reason) => match self.bypass.get(reason as usize) {
                Some(counter) => counter,
                None => return,
            },
        };
        counter.fetch_add(reads, Relaxed);
    }

    pub(crate) fn counts(&self) -> ReadCounts {
        let bypass = Bypass::ALL.iter().zip(&self.bypass);
        ReadCounts {
            hit: self.hit.load(Relaxed),
            miss: self.miss.load(Relaxed),
            collapsed: self.collapsed.load(Relaxed),
            not_cached: self.not_cached.load(Relaxed),
            bypass: bypass
                .map(|(reason, count)| (reason.name().to_owned(), count.load(Relaxed).into()))
                .collect(),
            error: self.error.load(Relaxed),
        }
    }

    /// Returns every counter with its result and, for a bypass, the reason.
    pub(crate) fn by_result(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let bypass = Bypass::ALL.iter().zip(&self.bypass);
        let results = [
            ("hit", &self.hit),
            ("miss", &self.miss),
            ("collapsed", &self.collapsed),
            ("not-cached", &self.not_cached),
            ("error", &self.error),
        ];
        results
            .into_iter()
            .map(|(result, count)| (result, "", count.load(Relaxed)))
            .chain(bypass.map(|(reason, count)| ("bypass", reason.name(), count.load(Relaxed))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_core::OriginError;

    fn of(error: FetchError) -> ReadResult {
        ReadResult::of::<()>(&Err(error))
    }

    #[test]
    fn an_error_reply_is_an_answer() {
        let refused = FetchError::Store(StoreError::Refused("WRONGTYPE".into()));
        assert_eq!(of(refused.clone()), ReadResult::Miss);
        assert_eq!(ReadResult::Collapsed.finished::<()>(&Err(refused)), ReadResult::Collapsed);
        let loading = StoreError::NotReady("LOADING".into());
        for error in [loading, StoreError::Lost, StoreError::Unreachable("".into())] {
            assert_eq!(of(FetchError::Store(error)), ReadResult::Error);
        }
        let broken = OriginError { origin: "users".into(), reason: "broken".into(), cause: None };
        assert_eq!(of(FetchError::Origin(broken)), ReadResult::Error);
    }
}
