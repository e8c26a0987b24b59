//! The weight of an entry.

use super::entry::Entry;
use crate::Value;

/// Computes the weight of an entry: its bytes, but no less than its share of the bound on entries.
/// One bound on weight then enforces both the bound on bytes and the bound on entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weigher {
    weight_min: u64,
}

impl Weigher {
    pub(super) fn new(weight_min: u64) -> Self {
        Self { weight_min: weight_min.max(1) }
    }

    pub(super) fn weight_min(self) -> u64 {
        self.weight_min
    }

    pub(super) fn weight<V: Value>(self, entry: &Entry<V>) -> u64 {
        entry.bytes().max(self.weight_min)
    }
}
