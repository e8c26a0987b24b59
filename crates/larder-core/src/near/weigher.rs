//! What an entry counts for.

use super::entry::Entry;
use crate::Value;

/// The weight of an entry: its bytes, but no less than its share of the bound on entries. One bound
/// on weight then bounds both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weigher {
    floor: u64,
}

impl Weigher {
    pub(super) fn with_floor(floor: u64) -> Self {
        Self { floor: floor.max(1) }
    }

    pub(super) fn floor(self) -> u64 {
        self.floor
    }

    pub(super) fn bytes<V: Value>(self, entry: &Entry<V>) -> u64 {
        entry.bytes().max(self.floor)
    }
}
