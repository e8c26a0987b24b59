//! What the right of a fill to cache its reply rests on.

use crate::{coherence::lease::Lease, near::ChangeStamp};

#[derive(Clone, Copy, Debug)]
pub(super) enum Admission {
    /// A lease, under which other readers find the fill and join it.
    Lease(Lease),
    /// A stamp that shows whether the name has changed since: for a fill that is over before another
    /// reader could join it.
    Stamp {
        /// The hash of the name.
        hash: u64,
        stamp: ChangeStamp,
    },
}

impl Admission {
    /// Returns the hash of the name.
    pub(super) fn hash(self) -> u64 {
        match self {
            Self::Lease(lease) => lease.hash(),
            Self::Stamp { hash, .. } => hash,
        }
    }
}
