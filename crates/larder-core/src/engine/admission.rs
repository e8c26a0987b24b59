//! What the right of a fill to enter rests on.

use super::Engine;
use crate::{
    Value,
    coherence::{feed::Epoch, lease::Lease},
    near::ChangeStamp,
};
use std::num::NonZero;

#[derive(Clone, Copy, Debug)]
pub(super) enum Admission {
    /// A place on the map of leases, where others find it and join.
    Lease(Lease),
    /// That nothing has happened to the name since: for a fill that is over before anybody could
    /// join it.
    Stamp {
        /// That of the name.
        hash: u64,
        stamp: ChangeStamp,
    },
}

impl Admission {
    /// The hash of the name.
    pub(super) fn hash(self) -> u64 {
        match self {
            Self::Lease(lease) => lease.hash(),
            Self::Stamp { hash, .. } => hash,
        }
    }
}

impl<V: Value> Engine<V> {
    /// Whether it stands at this moment, of a fill that was sent in this epoch.
    pub(super) fn holds(&self, admission: Admission, epoch: Option<NonZero<u32>>) -> bool {
        match admission {
            Admission::Lease(lease) => self.leases.holds(lease),
            Admission::Stamp { hash, stamp } => {
                self.near.is_current(hash, stamp)
                    && epoch.is_some_and(|epoch| self.feed.is_current(Epoch(epoch.get())))
            }
        }
    }
}
