//! Keys and values: numbered, zero-padded, and each value says whose it is.

use std::ops::Range;

/// Bytes of a value, unless something else is said.
pub const VALUE_BYTES: usize = 100;
/// What fills a value behind its key, and is all of the floor's answer.
pub(crate) const FILLER: u8 = b'x';

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

/// The order in which the keys of a family are asked for.
#[derive(Clone, Debug)]
pub enum Order {
    /// Any of the first `count`, each as likely as the others.
    Random {
        /// How many there are.
        count: u64,
        /// Where the sequence stands; the same start gives the same sequence.
        state: u64,
    },
    /// Each of these once.
    Once(Range<u64>),
}

impl Order {
    /// Random ones of the first `count`, in a sequence that depends on `seed` alone.
    pub const fn random(count: u64, seed: u64) -> Self {
        Self::Random { count, state: seed }
    }

    /// The next number, or `None` when all had their turn.
    pub(crate) fn next(&mut self) -> Option<u64> {
        match self {
            Self::Once(numbers) => numbers.next(),
            Self::Random { count, state } => {
                // SplitMix64: every seed is good, and it costs next to nothing.
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                Some(((mixed >> 32) * *count) >> 32)
            }
        }
    }

    /// How many are left, as far as there is an end.
    pub(crate) fn left(&self) -> u64 {
        match self {
            Self::Random { .. } => u64::MAX,
            Self::Once(numbers) => numbers.end.saturating_sub(numbers.start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_length_they_promise() {
        assert_eq!(Family::HOT.key(7), "key:000000000007");
        assert_eq!(Family::COLD.key(7), "cold:000000000000007");
        for family in [Family::HOT, Family::COLD] {
            assert_eq!(family.key(123).len(), family.key_bytes());
            assert_eq!(family.value(123).len(), VALUE_BYTES);
            assert!(family.value(123).starts_with(family.key(123).as_bytes()));
        }
    }

    #[test]
    fn random_keys_are_spread_evenly() {
        let mut order = Order::random(10, 1);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[usize::try_from(order.next().unwrap()).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn each_key_has_one_turn() {
        let mut order = Order::Once(4..6);
        assert_eq!([order.next(), order.next(), order.next()], [Some(4), Some(5), None]);
        assert_eq!(order.left(), 0);
    }
}
