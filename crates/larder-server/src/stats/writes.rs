//! Writes of one listener by what became of them.

use larder_core::StoreError;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What became of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteResult {
    /// The store has done it.
    Done,
    /// The store answered with an error.
    Refused,
    /// The store gave no answer. It may have done it.
    Error,
}

/// The counters of one listener.
#[derive(Default)]
pub(crate) struct WriteStats {
    done: AtomicU64,
    refused: AtomicU64,
    error: AtomicU64,
}

/// A snapshot of [`WriteStats`].
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct WriteCounts {
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) error: u64,
}

impl WriteResult {
    pub(crate) fn of<T>(outcome: &Result<T, StoreError>) -> Self {
        match outcome {
            Ok(_) => Self::Done,
            Err(error) if error.is_outage() => Self::Error,
            Err(_) => Self::Refused,
        }
    }
}

impl WriteStats {
    /// Counts writes.
    pub(crate) fn count(&self, result: WriteResult, writes: u64) {
        let counter = match result {
            WriteResult::Done => &self.done,
            WriteResult::Refused => &self.refused,
            WriteResult::Error => &self.error,
        };
        counter.fetch_add(writes, Relaxed);
    }

    pub(crate) fn counts(&self) -> WriteCounts {
        WriteCounts {
            done: self.done.load(Relaxed),
            refused: self.refused.load(Relaxed),
            error: self.error.load(Relaxed),
        }
    }
}

impl WriteCounts {
    /// Returns every count with its result.
    pub(crate) fn by_result(self) -> [(&'static str, u64); 3] {
        [("done", self.done), ("refused", self.refused), ("error", self.error)]
    }
}
