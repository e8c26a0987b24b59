//! Keys and values. Keys are numbered and zero-padded, and each value begins with its key.

mod distribution;
mod sequence;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use distribution::{Distribution, SEQUENCE_READS};
pub use sequence::KeySequence;

/// The usual length of a value.
pub const VALUE_BYTES: usize = 100;
/// The byte that pads a value after its key, and of which the baseline's value consists.
pub(crate) const FILLER: u8 = b'x';

/// The size of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum ValueSize {
    /// The usual size, [`VALUE_BYTES`].
    #[default]
    #[serde(rename = "100 B")]
    Usual,
    /// Sixteen kibibytes.
    #[serde(rename = "16 KiB")]
    Kib16,
    /// One mebibyte.
    #[serde(rename = "1 MiB")]
    Mib1,
}

impl ValueSize {
    /// Returns the name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usual => "100 B",
            Self::Kib16 => "16 KiB",
            Self::Mib1 => "1 MiB",
        }
    }
}

/// A set of keys: a prefix, then a number with leading zeros. All values have one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpace {
    prefix: &'static str,
    digits: usize,
    value_bytes: usize,
}

impl KeySpace {
    /// `key:000000000007`: hot keys of 16 bytes, which are read repeatedly.
    pub const HOT: Self = Self { prefix: "key:", digits: 12, value_bytes: VALUE_BYTES };
    /// `cold:000000000000007`: cold keys of 20 bytes, which are read once.
    pub const COLD: Self = Self { prefix: "cold:", digits: 15, value_bytes: VALUE_BYTES };

    /// `16k:000000000007`, with values of 16 KiB.
    pub const KIB16: Self = Self { prefix: "16k:", digits: 12, value_bytes: 16 << 10 };
    /// `1m:000000000007`, with values of 1 MiB.
    pub const MIB1: Self = Self { prefix: "1m:", digits: 12, value_bytes: 1 << 20 };

    /// Returns the hot keys with values of this size.
    pub const fn with_values_of(size: ValueSize) -> Self {
        match size {
            ValueSize::Usual => Self::HOT,
            ValueSize::Kib16 => Self::KIB16,
            ValueSize::Mib1 => Self::MIB1,
        }
    }

    /// `mixed:0000000007`: read and written.
    pub const MIXED: Self = Self { prefix: "mixed:", digits: 10, value_bytes: VALUE_BYTES };
    /// `other:0000000007`: read and written through another proxy than [`MIXED`](Self::MIXED), as
    /// Redis sends an invalidation of each write to every client that has read the key.
    pub const MIXED_SEPARATE: Self =
        Self { prefix: "other:", digits: 10, value_bytes: VALUE_BYTES };

    /// Returns the length of a key.
    pub const fn key_bytes(self) -> usize {
        self.prefix.len() + self.digits
    }

    /// Returns the key with this number.
    pub fn key(self, number: u64) -> String {
        format!("{}{number:0digits$}", self.prefix, digits = self.digits)
    }

    /// Returns the length of a value.
    pub const fn value_bytes(self) -> usize {
        self.value_bytes
    }

    /// Returns the value of the key with this number, which begins with the key.
    pub fn value(self, number: u64) -> Vec<u8> {
        let mut value = self.key(number).into_bytes();
        value.resize(self.value_bytes, FILLER);
        value
    }

    /// Returns the position of the digits in a key.
    pub(crate) const fn digits(self) -> Range<usize> {
        self.prefix.len()..self.key_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_have_their_declared_lengths() {
        assert_eq!(KeySpace::HOT.key(7), "key:000000000007");
        assert_eq!(KeySpace::COLD.key(7), "cold:000000000000007");
        for key_space in [KeySpace::HOT, KeySpace::COLD, KeySpace::KIB16, KeySpace::MIB1] {
            assert_eq!(key_space.key(123).len(), key_space.key_bytes());
            assert_eq!(key_space.value(123).len(), key_space.value_bytes());
            assert!(key_space.value(123).starts_with(key_space.key(123).as_bytes()));
        }
    }
}
