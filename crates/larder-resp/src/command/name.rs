//! Command names, and the packed form in which they are looked up.

use std::fmt;
use std::hash::{Hash, Hasher};

/// Maximum length of a name in the table. The longest of Redis has 29 bytes. A command with a longer
/// name is unknown.
pub const NAME_BYTES_MAX: usize = 31;

/// A name in upper case. A subcommand's is `CONFIG|GET`, as in Redis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Padded with zeros.
    bytes: [u8; NAME_BYTES_MAX],
    length: u8,
}

impl Name {
    pub(super) const EMPTY: Self = Self { bytes: [0; NAME_BYTES_MAX], length: 0 };

    /// Returns `None` if the name is too long.
    pub(super) fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        bytes.make_ascii_uppercase();
        Some(Self { bytes, length: u8::try_from(name.len()).ok()? })
    }

    /// Splits a subcommand's name into its container and the rest.
    pub(super) fn split(&self) -> Option<(&[u8], &[u8])> {
        let bar = self.as_bytes().iter().position(|byte| *byte == b'|')?;
        Some((self.bytes.get(..bar)?, self.as_bytes().get(bar + 1..)?))
    }

    /// Returns the name in upper case.
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

/// The name of a command, or of a subcommand without its container, packed for lookup: its bytes in
/// upper case, and its length in the last byte.
///
/// It is computed in registers, without a loop over bytes, so that a lookup costs less than the CPU
/// cache miss of the key that follows it.
#[derive(Clone, Copy, Debug, Eq)]
pub(super) struct PackedName([u64; 4]);

impl PackedName {
    /// Returns `None` if the name is too long.
    #[inline]
    pub(super) fn new(name: &[u8]) -> Option<Self> {
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let eight = |at: usize| upper(first_eight(name.get(at..).unwrap_or_default()));
        let length = (name.len() as u64) << 56;
        Some(match name.len() {
            0..=8 => Self([eight(0), 0, 0, length]),
            9..=16 => Self([eight(0), eight(8), 0, length]),
            _ => Self([eight(0), eight(8), eight(16), eight(24) | length]),
        })
    }
}

/// Compares word by word: a comparison of arrays would go through memory.
impl PartialEq for PackedName {
    fn eq(&self, other: &Self) -> bool {
        let ([our0, our1, our2, our3], [their0, their1, their2, their3]) = (self.0, other.0);
        (our0 ^ their0) | (our1 ^ their1) | (our2 ^ their2) | (our3 ^ their3) == 0
    }
}

/// Returns the first eight bytes, or all if there are fewer. The loads that it combines may overlap,
/// in bytes that are then equal.
fn first_eight(bytes: &[u8]) -> u64 {
    let four = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let one = |at: usize| bytes.get(at).map_or(0, |byte| u64::from(*byte) << (8 * at));
    match (bytes.first_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
        (Some(eight), _, _) => u64::from_le_bytes(*eight),
        (_, Some(first), Some(last)) => four(first) | four(last) << (8 * (bytes.len() - 4)),
        _ => one(0) | one(1) | one(2),
    }
}

/// Converts eight bytes to ASCII upper case; bytes that are not ASCII letters are unchanged.
fn upper(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let low_bits = word & !HIGH;
    // The high bit of each byte is set if the byte is at least `a`, and if it is above `z`.
    let from_a = low_bits + (0x80 - u64::from(b'a')) * EACH;
    let past_z = low_bits + (0x7f - u64::from(b'z')) * EACH;
    let lower = (from_a ^ past_z) & !word & HIGH;
    word ^ (lower >> 2)
}

/// Not seeded: names enter the table from `data.rs` and from the server, never from a client.
impl Hash for PackedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        const ODD: [u64; 4] = [
            0x9e37_79b9_7f4a_7c15,
            0xbf58_476d_1ce4_e5b9,
            0x94d0_49bb_1331_11eb,
            0xd6e8_feb8_6659_fd93,
        ];
        let sum = self
            .0
            .iter()
            .zip(ODD)
            .fold(0_u64, |sum, (word, odd)| sum.wrapping_add(word.wrapping_mul(odd)));
        state.write_u64(sum);
    }
}

/// The hasher for [`PackedName`]s.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PackedNameHasher(u64);

impl Hasher for PackedNameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        const ODD: u64 = 0x2545_f491_4f6c_dd1d;
        let mixed = (self.0.rotate_left(29) ^ word).wrapping_mul(ODD);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        // Hashbrown uses the highest bits as its tag and the lowest as the index of the bucket.
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_names_differ_in_every_byte_but_not_in_case() {
        let all: Vec<u8> = (0..=255).collect();
        for length in 0..=NAME_BYTES_MAX {
            for name in all.windows(length.max(1)).map(|name| &name[..length]) {
                let word = PackedName::new(name);
                assert_eq!(word, PackedName::new(&name.to_ascii_uppercase()));
                assert_eq!(word, PackedName::new(&name.to_ascii_lowercase()));
                for (at, bit) in (0..length).flat_map(|at| [1, 0x20, 0x80].map(|bit| (at, bit))) {
                    let mut other = name.to_vec();
                    other[at] ^= bit;
                    let same = name.eq_ignore_ascii_case(&other);
                    assert_eq!(
                        word == PackedName::new(&other),
                        same,
                        "{:?} at {at}",
                        name.escape_ascii()
                    );
                }
            }
        }
        assert_ne!(
            PackedName::new(b"get"),
            PackedName::new(b"get\0"),
            "padding is not part of the name"
        );
        assert_eq!(Name::new(b"gEt").unwrap().as_bytes(), b"GET");
    }

    #[test]
    fn longer_names_are_refused() {
        for (name, fits) in [([b'a'; 31].as_slice(), true), (&[b'a'; 32], false)] {
            assert_eq!(Name::new(name).is_some(), fits);
            assert_eq!(PackedName::new(name).is_some(), fits);
        }
    }

    #[test]
    fn a_subcommand_is_split_from_its_container() {
        let name = Name::new(b"Client|no-evict").unwrap();
        assert_eq!(name.to_string(), "CLIENT|NO-EVICT");
        assert_eq!(name.split(), Some((b"CLIENT".as_slice(), b"NO-EVICT".as_slice())));
        assert_eq!(Name::new(b"CLIENT").unwrap().split(), None);
    }
}
