//! Ghosts: fingerprints of names that were evicted recently. They tell a name that is read again
//! from one that a scan reads once.
//!
//! A ghost takes four bytes in a queue, and a bucket in the index. The bucket holds the number of
//! the ghost, which says where it is in the queue.

use super::{index::Index, slab::NODES_MAX};
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct Ghosts {
    /// Oldest first. A name that came back stays in the queue, but its bucket is gone or holds
    /// something else.
    fingerprints: VecDeque<u32>,
    /// The number of the oldest ghost.
    first: u32,
    /// The number of ghosts in the index.
    count: usize,
}

/// Ghosts are numbered modulo this. There are never so many at once.
const NUMBERS: u32 = NODES_MAX / 2;

impl Ghosts {
    /// Turns an evicted entry, which is still in the index, into a ghost, and forgets the oldest
    /// ghosts beyond `ghosts_max`. Returns how many of those had not come back.
    pub(super) fn add(&mut self, fingerprint: u32, ghosts_max: usize, index: &mut Index) -> u64 {
        let mut forgotten = 0;
        self.fingerprints.push_back(fingerprint);
        self.count += 1;
        index.change(fingerprint, self.location(self.fingerprints.len() - 1));
        while self.count > ghosts_max || self.fingerprints.len() > 2 * ghosts_max {
            forgotten += u64::from(self.forget_oldest(index));
        }
        forgotten
    }

    /// Removes a ghost whose name came back.
    pub(super) fn recall(&mut self, fingerprint: u32, index: &mut Index) {
        index.remove(fingerprint);
        self.count -= 1;
    }

    /// Reads the bucket of the oldest ghost, so that it is in the processor's cache.
    pub(super) fn prefetch_oldest(&self, index: &Index) -> Option<u64> {
        self.fingerprints.front().map(|&fingerprint| index.home_bucket(fingerprint))
    }

    /// Forgets the oldest ghost. Returns whether its name had not come back.
    fn forget_oldest(&mut self, index: &mut Index) -> bool {
        let location = self.location(0);
        let Some(fingerprint) = self.fingerprints.pop_front() else { return false };
        let is_forgotten = index.remove_from(fingerprint, location);
        self.count -= usize::from(is_forgotten);
        self.first = (self.first + 1) % NUMBERS;
        is_forgotten
    }

    /// Returns the location in the index of the nth ghost in the queue: a number beyond those of
    /// all nodes.
    #[allow(clippy::cast_possible_truncation, reason = "there are fewer ghosts than numbers")]
    fn location(&self, nth: usize) -> u32 {
        NODES_MAX + (self.first + nth as u32) % NUMBERS
    }
}
