//! What the engine counts.

use super::NotCached;
use crate::{
    near::NearCounts,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Why everything was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushCause {
    /// The store was flushed.
    Flushed,
    /// The feed's connection ended.
    EpochEnded,
    /// Somebody asked this process to.
    Command,
}

impl FlushCause {
    /// Every cause.
    pub const ALL: [Self; 3] = [Self::Flushed, Self::EpochEnded, Self::Command];

    /// The cause's name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flushed => "flushed",
            Self::EpochEnded => "epoch-ended",
            Self::Command => "command",
        }
    }
}

/// A reading of all counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineCounts {
    /// The near tier's.
    pub near: NearCounts,
    /// Fills on their way that others can join.
    pub fills_under_way: usize,
    /// Readers who joined a flight instead of asking the store or the origin again.
    pub flights_joined: u64,
    /// Names that the feed said had changed.
    pub invalidations: u64,
    /// Epochs of the feed that have begun.
    pub epochs: u64,
    refused: [u64; NotCached::ALL.len()],
    flushes: [u64; FlushCause::ALL.len()],
}

impl EngineCounts {
    /// Replies not kept, by reason.
    pub fn refused(&self) -> impl Iterator<Item = (NotCached, u64)> + '_ {
        NotCached::ALL.into_iter().zip(self.refused)
    }

    /// Flushes, by cause.
    pub fn flushes(&self) -> impl Iterator<Item = (FlushCause, u64)> + '_ {
        FlushCause::ALL.into_iter().zip(self.flushes)
    }
}

#[derive(Default)]
pub(super) struct Tally {
    joined: AtomicU64,
    invalidated: AtomicU64,
    refused: [AtomicU64; NotCached::ALL.len()],
    flushes: [AtomicU64; FlushCause::ALL.len()],
}

impl Tally {
    pub(super) fn joined(&self) {
        self.joined.fetch_add(1, Relaxed);
    }

    pub(super) fn invalidated(&self) {
        self.invalidated.fetch_add(1, Relaxed);
    }

    pub(super) fn refused(&self, why: NotCached) {
        count(&self.refused, why as usize);
    }

    pub(super) fn flushed(&self, cause: FlushCause) {
        count(&self.flushes, cause as usize);
    }

    pub(super) fn read(
        &self,
        near: NearCounts,
        fills_under_way: usize,
        epochs: u64,
    ) -> EngineCounts {
        EngineCounts {
            near,
            fills_under_way,
            flights_joined: self.joined.load(Relaxed),
            invalidations: self.invalidated.load(Relaxed),
            epochs,
            refused: self.refused.each_ref().map(|counter| counter.load(Relaxed)),
            flushes: self.flushes.each_ref().map(|counter| counter.load(Relaxed)),
        }
    }
}

fn count(counters: &[AtomicU64], at: usize) {
    if let Some(counter) = counters.get(at) {
        counter.fetch_add(1, Relaxed);
    }
}
