//! What the right of a fill to enter rests on.

use super::Engine;
use crate::{
    Value,
    coherence::{feed::Epoch, lease::Lease},
    near::Stamp,
};
use std::num::NonZero;

#[derive(Clone, Copy, Debug)]
pub(super) enum Right {
    /// A place on the map of leases, where others find it and join.
    Place(Lease),
    /// That nothing has happened to the name since: for a fill that is over before anybody could
    /// join it.
    Stamp {
        /// That of the name.
        hash: u64,
        stamp: Stamp,
    },
}

impl Right {
    /// The hash of the name.
    pub(super) fn hash(self) -> u64 {
        match self {
            Self::Place(lease) => lease.hash(),
            Self::Stamp { hash, .. } => hash,
        }
    }
}

impl<V: Value> Engine<V> {
    /// Whether it stands at this moment, of a fill that was sent in this epoch.
    pub(super) fn holds(&self, right: Right, epoch: Option<NonZero<u32>>) -> bool {
        match right {
            Right::Place(lease) => self.leases.holds(lease),
            Right::Stamp { hash, stamp } => {
                self.near.is_current(hash, stamp)
                    && epoch.is_some_and(|epoch| self.feed.is_current(Epoch(epoch.get())))
            }
        }
    }
}
