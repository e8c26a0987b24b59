//! Keys and values: numbered, zero-padded, and each value says whose it is.

mod order;
mod pick;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use order::Order;
pub(crate) use pick::ORDER_READS;
pub use pick::Pick;

/// Bytes of a value, unless something else is said.
pub const VALUE_BYTES: usize = 100;
/// What fills a value behind its key, and is all of the floor's answer.
pub(crate) const FILLER: u8 = b'x';

/// How large values are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum ValueSize {
    /// As large as everywhere else.
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
    /// As reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usual => "100 B",
            Self::Kib16 => "16 KiB",
            Self::Mib1 => "1 MiB",
        }
    }
}

/// A family of keys: a name, then a number with leading zeros. Their values have one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    name: &'static str,
    digits: usize,
    value_bytes: usize,
}

impl Family {
    /// `key:000000000007`: read over and over, 16 bytes.
    pub const HOT: Self = Self { name: "key:", digits: 12, value_bytes: VALUE_BYTES };
    /// `cold:000000000000007`: read once, 20 bytes.
    pub const COLD: Self = Self { name: "cold:", digits: 15, value_bytes: VALUE_BYTES };

    /// `16k:000000000007`, with values of 16 KiB.
    pub const KIB16: Self = Self { name: "16k:", digits: 12, value_bytes: 16 << 10 };
    /// `1m:000000000007`, with values of 1 MiB.
    pub const MIB1: Self = Self { name: "1m:", digits: 12, value_bytes: 1 << 20 };

    /// Keys that are read over and over, by the size of their values.
    pub const fn with_values_of(size: ValueSize) -> Self {
        match size {
            ValueSize::Usual => Self::HOT,
            ValueSize::Kib16 => Self::KIB16,
            ValueSize::Mib1 => Self::MIB1,
        }
    }

    /// `mixed:0000000007`: read and written.
    pub const MIXED: Self = Self { name: "mixed:", digits: 10, value_bytes: VALUE_BYTES };
    /// `apart:0000000007`: the same where nobody else may know the keys, as each write is told to all
    /// who do.
    pub const MIXED_APART: Self = Self { name: "apart:", digits: 10, value_bytes: VALUE_BYTES };

    /// Bytes of a key.
    pub const fn key_bytes(self) -> usize {
        self.name.len() + self.digits
    }

    /// The key with this number.
    pub fn key(self, number: u64) -> String {
        format!("{}{number:0digits$}", self.name, digits = self.digits)
    }

    /// Bytes of a value.
    pub const fn value_bytes(self) -> usize {
        self.value_bytes
    }

    /// The value of the key with this number: begins with the key.
    pub fn value(self, number: u64) -> Vec<u8> {
        let mut value = self.key(number).into_bytes();
        value.resize(self.value_bytes, FILLER);
        value
    }

    /// Where the digits stand in a key.
    pub(crate) const fn digits(self) -> Range<usize> {
        self.name.len()..self.key_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_length_they_promise() {
        assert_eq!(Family::HOT.key(7), "key:000000000007");
        assert_eq!(Family::COLD.key(7), "cold:000000000000007");
        for family in [Family::HOT, Family::COLD, Family::KIB16, Family::MIB1] {
            assert_eq!(family.key(123).len(), family.key_bytes());
            assert_eq!(family.value(123).len(), family.value_bytes());
            assert!(family.value(123).starts_with(family.key(123).as_bytes()));
        }
    }
}
