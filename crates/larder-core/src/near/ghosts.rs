//! Tags of names that left lately, kept to tell a second visit from a scan: four bytes each, and a
//! word in the index, which says where in the line of ghosts a tag stands.

use super::{index::Index, slab::NODES_MAX};
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct Ghosts {
    /// Oldest first. Those that came back since still stand here, but not in the index.
    fingerprints: VecDeque<u32>,
    /// The number of the oldest one.
    first: u32,
    /// How many the index knows.
    count: usize,
}

/// Ghosts are numbered below this, then anew: there are never so many at once.
const NUMBERS: u32 = NODES_MAX / 2;

impl Ghosts {
    /// Notes a name that leaves, of which the index still knows, and forgets the oldest past so
    /// many. Returns how many did not come back.
    pub(super) fn add(&mut self, fingerprint: u32, ghosts_max: usize, index: &mut Index) -> u64 {
        let mut forgotten = 0;
        self.fingerprints.push_back(fingerprint);
        self.count += 1;
        index.change(fingerprint, self.mark(self.fingerprints.len() - 1));
        while self.count > ghosts_max || self.fingerprints.len() > 2 * ghosts_max {
            forgotten += u64::from(self.forget_oldest(index));
        }
        forgotten
    }

    /// A ghost comes back, and is one no longer.
    pub(super) fn recall(&mut self, fingerprint: u32, index: &mut Index) {
        index.remove(fingerprint);
        self.count -= 1;
    }

    /// Reads where the oldest stands in the index.
    pub(super) fn prefetch_oldest(&self, index: &Index) -> Option<u64> {
        self.fingerprints.front().map(|&fingerprint| index.home_bucket(fingerprint))
    }

    /// Says whether it had not come back.
    fn forget_oldest(&mut self, index: &mut Index) -> bool {
        let mark = self.mark(0);
        let Some(fingerprint) = self.fingerprints.pop_front() else { return false };
        let is_forgotten = index.remove_from(fingerprint, mark);
        self.count -= usize::from(is_forgotten);
        self.first = (self.first + 1) % NUMBERS;
        is_forgotten
    }

    /// What the index says of a ghost: a number past those of all places.
    #[allow(clippy::cast_possible_truncation, reason = "there are fewer ghosts than numbers")]
    fn mark(&self, nth: usize) -> u32 {
        NODES_MAX + (self.first + nth as u32) % NUMBERS
    }
}
