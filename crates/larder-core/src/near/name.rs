//! How names of keys are hashed. The hash is keyed: strangers choose the names.
//!
//! It is computed once per request. The near tier goes by the finished hash alone, and finds the
//! name itself beside the value: no entry is served, joined or kept on the strength of its hash.

use crate::Key;
use foldhash::quality::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Hashes names; each instance with a secret of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameHash {
    secret: RandomState,
    /// Only this many hashes, so that a test sees names collide.
    #[cfg(test)]
    hashes: Option<u64>,
}

/// A key with the hash of its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashedKey<'a> {
    pub(crate) key: Key<'a>,
    pub(crate) hash: u64,
}

impl HashedKey<'_> {
    /// See [`Key::load`].
    pub(crate) fn load(self) -> Self {
        Self { key: self.key.load(), ..self }
    }

    /// See [`Key::load_without_news`].
    pub(crate) fn load_without_news(self) -> Self {
        Self { key: self.key.load_without_news(), ..self }
    }
}

impl NameHash {
    pub(crate) fn hashed<'a>(&self, key: Key<'a>) -> HashedKey<'a> {
        HashedKey { key, hash: self.of(key.name) }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: usize = 10_000;
    const PARTS: usize = 64;

    /// The bits by which shards are chosen, in the way they are.
    fn part(hash: u64) -> usize {
        usize::try_from(hash >> 40).unwrap() % PARTS
    }

    #[test]
    fn names_that_count_up_spread_evenly_whatever_the_secret() {
        // Six standard deviations more than the mean: by chance that happens to nobody.
        let most = NAMES / PARTS + 6 * (NAMES / PARTS).isqrt();
        for _ in 0..200 {
            let hash = NameHash::default();
            for form in [|n| format!("{n}"), |n| format!("user:{n}"), |n| format!("key:{n:012}")] {
                let mut parts = [0_usize; PARTS];
                (0..NAMES).for_each(|n| parts[part(hash.of(form(n).as_bytes()))] += 1);
                let fullest = parts.into_iter().max().unwrap();
                assert!(fullest <= most, "{fullest} names, as {}, in one part", form(7));
            }
        }
    }
}
