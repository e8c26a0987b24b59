//! The name of a command, in one spelling and one size, so that it is compared and hashed quickly.

use std::fmt;
use std::hash::{Hash, Hasher};

/// Bytes in the longest name that the table can hold; Redis's own go up to 29. Who has a longer
/// name is unknown.
pub const NAME_BYTES_MAX: usize = 32;

/// A name in upper case; a subcommand's is `CONFIG|GET`, as Redis itself spells it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Zero behind the name.
    bytes: [u8; NAME_BYTES_MAX],
    /// At most `NAME_BYTES_MAX`. A name may end in a zero byte, so the padding does not tell.
    length: u8,
}

impl Name {
    pub(super) const EMPTY: Self = Self { bytes: [0; NAME_BYTES_MAX], length: 0 };

    /// `None` if it is too long.
    pub(super) fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        // All of them: a fixed size needs no loop.
        bytes.make_ascii_uppercase();
        Some(Self { bytes, length: u8::try_from(name.len()).ok()? })
    }

    /// The name of a subcommand of this one; `None` if it is too long.
    pub(super) fn subcommand(mut self, name: &[u8]) -> Option<Self> {
        let (bar, after) = self.bytes.get_mut(self.length.into()..)?.split_first_mut()?;
        *bar = b'|';
        after.get_mut(..name.len())?.copy_from_slice(name);
        self.bytes.make_ascii_uppercase();
        self.length += u8::try_from(name.len() + 1).ok()?;
        Some(self)
    }

    /// The name of the command that this is a subcommand of.
    pub(super) fn container(&self) -> Option<Self> {
        let bar = self.as_bytes().iter().position(|byte| *byte == b'|')?;
        Self::new(self.as_bytes().get(..bar)?)
    }

    /// The name in upper case.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Mixed here; [`NameHasher`] takes it as it is. Not keyed: names enter the table from our own
/// data and from the server, never from a client.
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let (words, _) = self.bytes.as_chunks::<8>();
        let used = usize::from(self.length).div_ceil(8);
        let mixed = words.iter().take(used).fold(u64::from(self.length), |hash, word| {
            let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(ODD);
            mixed ^ (mixed >> 32)
        });
        state.write_u64(mixed.wrapping_mul(ODD));
    }
}

/// Hands on the hash that a [`Name`] makes of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_count_and_every_byte_does() {
        let name = |name: &str| Name::new(name.as_bytes());
        assert_eq!(name("get"), name("GeT"));
        assert_ne!(name("get"), name("get\0"), "padding is no part of the name");
        assert_ne!(name("get"), name("got"));
        assert_eq!(name("get").unwrap().as_bytes(), b"GET");
    }

    #[test]
    fn a_longer_name_is_refused() {
        assert!(Name::new(&[b'a'; NAME_BYTES_MAX]).is_some());
        assert!(Name::new(&[b'a'; NAME_BYTES_MAX + 1]).is_none());
        let client = Name::new(b"client").unwrap();
        assert!(client.subcommand(&[b'a'; NAME_BYTES_MAX - 7]).is_some());
        assert!(client.subcommand(&[b'a'; NAME_BYTES_MAX - 6]).is_none());
        assert!(Name::new(&[b'a'; NAME_BYTES_MAX]).unwrap().subcommand(b"").is_none());
    }

    #[test]
    fn a_subcommand_knows_its_container() {
        let client = Name::new(b"client").unwrap();
        let tracking = client.subcommand(b"tracking").unwrap();
        assert_eq!(tracking.to_string(), "CLIENT|TRACKING");
        assert_eq!(Name::new(b"client|TRACKING"), Some(tracking));
        assert_eq!(tracking.container(), Some(client));
        assert_eq!(client.container(), None);
    }
}
