//! How names of keys are hashed. The hash is keyed: strangers choose the names.
//!
//! It is computed once per request. The near tier goes by the finished hash alone, and finds the
//! name itself beside the value: no entry is served, joined or kept on the strength of its hash.

use foldhash::fast::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Hashes names; each instance with a secret of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameHash {
    secret: RandomState,
    /// Only this many hashes, so that a test sees names collide.
    #[cfg(test)]
    hashes: Option<u64>,
}

impl NameHash {
    pub(crate) fn of(&self, name: &[u8]) -> u64 {
        let mut hasher = self.secret.build_hasher();
        hasher.write(name);
        #[cfg(test)]
        if let Some(hashes) = self.hashes {
            return hasher.finish() % hashes;
        }
        hasher.finish()
    }

    #[cfg(test)]
    pub(crate) fn colliding(hashes: u64) -> Self {
        Self { hashes: Some(hashes), ..Self::default() }
    }
}
