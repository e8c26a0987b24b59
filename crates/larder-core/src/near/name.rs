//! Names of keys as the near tier holds them, and how they are hashed.
//!
//! The hash is keyed: strangers choose the names. It is computed once per request; the table of a
//! shard then takes the finished hash instead of the bytes.

use foldhash::fast::{FoldHasher, RandomState};
use quick_cache::Equivalent;
use std::{
    borrow::Borrow,
    hash::{BuildHasher, Hash, Hasher},
};

/// A key's name: any bytes, no db.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(Box<[u8]>);

impl Name {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// A name to look up together with its finished hash.
pub(crate) struct Hashed<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) hash: u64,
}

impl Hash for Hashed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Name> for Hashed<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        *self.name == *name.0
    }
}

/// Hashes names; each instance with a secret of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameHash(RandomState);

impl NameHash {
    pub(crate) fn of<'a>(&self, name: &'a [u8]) -> Hashed<'a> {
        let mut hasher = self.0.build_hasher();
        hasher.write(name);
        Hashed { name, hash: hasher.finish() }
    }
}

impl BuildHasher for NameHash {
    type Hasher = NameHasher;

    fn build_hasher(&self) -> NameHasher {
        NameHasher { bytes: self.0.build_hasher(), finished: None }
    }
}

/// Hashes bytes, or passes a finished hash through.
pub(crate) struct NameHasher {
    bytes: FoldHasher<'static>,
    finished: Option<u64>,
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.bytes.write(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.finished = Some(hash);
    }

    // The length that the standard library writes in front of a slice adds nothing here.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.finished.unwrap_or_else(|| self.bytes.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_has_one_hash() {
        let hash = NameHash::default();
        for bytes in [&b""[..], b"k", b"a name that is longer than one block of the hash"] {
            let hashed = hash.of(bytes);
            assert_eq!(hash.hash_one(Name::new(bytes)), hashed.hash);
            assert_eq!(hash.hash_one(bytes), hashed.hash);
            assert_eq!(hash.hash_one(&hashed), hashed.hash);
            assert!(hashed.equivalent(&Name::new(bytes)));
        }
    }
}
