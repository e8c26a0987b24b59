//! Keys: what a caller asks for, what the engine stores, and the hash of a name.
//!
//! The hash is computed once per request. It is keyed, because strangers choose the names. No entry
//! is served, joined or cached on the strength of its hash: the name itself is always compared.

use foldhash::quality::RandomState;
use smallvec::SmallVec;
use std::hash::{BuildHasher, Hasher};

/// Identifies a value: a name in a keyspace, and which view of the value under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The name: any bytes.
    pub name: &'a [u8],
    /// The number of the keyspace that holds the name.
    pub keyspace: u32,
    /// Which view of the value: empty for the plain value, else bytes that only the store
    /// interprets, such as a command with its further arguments. The first is never zero.
    pub variant: &'a [u8],
}

impl<'a> Key<'a> {
    /// Returns the key of the plain value under `name`.
    pub fn plain(name: &'a [u8], keyspace: u32) -> Self {
        Self { name, keyspace, variant: b"" }
    }

    /// Returns the key under which loads of this name from the origin share a flight, and under
    /// which the origin's answer "no such value" is cached. No store's variant starts with a zero
    /// byte.
    pub(crate) fn load(self) -> Self {
        Self { variant: b"\0load", ..self }
    }

    /// Returns the key for loads that began without a fresh feed. An invalidation would not end
    /// such a load, so a reader with a fresh feed must not join it.
    pub(crate) fn load_without_feed(self) -> Self {
        Self { variant: b"\0load without feed", ..self }
    }
}

/// A key that owns its bytes. A short name needs no allocation.
#[derive(Clone)]
pub(crate) struct OwnedKey {
    name: SmallVec<[u8; SHORT_NAME_BYTES]>,
    keyspace: u32,
    variant: Box<[u8]>,
}

const SHORT_NAME_BYTES: usize = 32;

impl OwnedKey {
    pub(crate) fn as_key(&self) -> Key<'_> {
        Key { name: &self.name, keyspace: self.keyspace, variant: &self.variant }
    }
}

impl From<Key<'_>> for OwnedKey {
    fn from(key: Key<'_>) -> Self {
        let Key { name, keyspace, variant } = key;
        Self { name: SmallVec::from_slice(name), keyspace, variant: variant.into() }
    }
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

    /// See [`Key::load_without_feed`].
    pub(crate) fn load_without_feed(self) -> Self {
        Self { key: self.key.load_without_feed(), ..self }
    }
}

/// Hashes names. Each instance has a secret of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameHash {
    secret: RandomState,
    /// Reduces the hashes to this many, so that a test sees names collide.
    #[cfg(test)]
    hashes: Option<u64>,
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

    /// Chooses a shard as the near cache does.
    fn part(hash: u64) -> usize {
        usize::try_from(hash >> 40).unwrap() % PARTS
    }

    #[test]
    fn sequential_names_spread_evenly_under_any_secret() {
        // Six standard deviations above the mean: no secret exceeds it by chance.
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
