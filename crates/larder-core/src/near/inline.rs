//! A name, a variant and a value in one allocation: a hit touches adjacent memory, and a small entry
//! costs one small allocation.
//!
//! ```text
//! name length | keyspace | variant length | name | variant | value, to the end
//! ```
//!
//! The first three are numbers in LEB128: seven bits per byte, the lowest first, and the high bit
//! set in all bytes but the last.

use crate::Key;

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Inline(Box<[u8]>);

/// What an [`Inline`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) name: &'a [u8],
    pub(super) keyspace: u32,
    pub(super) variant: &'a [u8],
    pub(super) value: &'a [u8],
}

/// Length of the largest encoded number.
const NUMBER_BYTES_MAX: usize = 10;

impl Inline {
    pub(super) fn new(parts: Parts<'_>) -> Self {
        let Parts { name, keyspace, variant, value } = parts;
        let join = |numbers: &[u8]| {
            // The exact size, because shrinking the allocation would fragment the heap.
            let len = numbers.len() + name.len() + variant.len() + value.len();
            let mut bytes = Vec::with_capacity(len);
            for part in [numbers, name, variant, value] {
                bytes.extend_from_slice(part);
            }
            Self(bytes.into_boxed_slice())
        };
        let numbers = [name.len() as u64, keyspace.into(), variant.len() as u64];
        if let [Some(a), Some(b), Some(c)] = numbers.map(short) {
            return join(&[a, b, c]);
        }
        let mut bytes = Vec::new();
        for number in numbers {
            push_number(&mut bytes, number);
        }
        join(&bytes)
    }

    /// Creates a placeholder without an allocation.
    pub(super) fn empty() -> Self {
        Self(Box::default())
    }

    /// Returns the value, if it belongs to this key.
    #[inline]
    pub(super) fn get(&self, key: Key<'_>) -> Option<&[u8]> {
        let Key { name, keyspace, variant } = key;
        if let (Some(a), Some(b), Some(c)) =
            (short(name.len()), short(keyspace), short(variant.len()))
        {
            // Three numbers of one byte each, the usual case, are compared without decoding them.
            let rest = self.0.strip_prefix(&[a, b, c])?.strip_prefix(name)?;
            return if variant.is_empty() { Some(rest) } else { rest.strip_prefix(variant) };
        }
        self.get_any(key)
    }

    /// As `get`, for numbers of any size.
    fn get_any(&self, key: Key<'_>) -> Option<&[u8]> {
        let Parts { name, keyspace, variant, value } = self.parts()?;
        (Key { name, keyspace, variant } == key).then_some(value)
    }

    /// Reads a byte at the beginning, in the middle and at the end, so that the allocation is in
    /// the processor's cache.
    #[inline]
    pub(super) fn prefetch(&self) -> u8 {
        let byte = |at: usize| self.0.get(at).copied().unwrap_or_default();
        byte(0) ^ byte(self.0.len() / 2) ^ byte(self.0.len().saturating_sub(1))
    }

    /// Decodes the parts. Never returns `None` for bytes that [`Inline::new`] wrote.
    #[inline]
    pub(super) fn parts(&self) -> Option<Parts<'_>> {
        let (name_bytes, rest) = take_number(&self.0)?;
        let (keyspace, rest) = take_number(rest)?;
        let (variant_bytes, rest) = take_number(rest)?;
        let (name, rest) = rest.split_at_checked(usize::try_from(name_bytes).ok()?)?;
        let (variant, value) = rest.split_at_checked(usize::try_from(variant_bytes).ok()?)?;
        Some(Parts { name, keyspace: u32::try_from(keyspace).ok()?, variant, value })
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Encodes a number that takes one byte.
fn short(number: impl TryInto<u8>) -> Option<u8> {
    number.try_into().ok().filter(|&byte| byte < 0x80)
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    bytes.push(low_bits(number));
}

#[allow(clippy::cast_possible_truncation, reason = "seven bits are wanted")]
fn low_bits(number: u64) -> u8 {
    (number & 0x7f) as u8
}

#[inline]
fn take_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 { Some((first.into(), rest)) } else { take_long_number(bytes) }
}

fn take_long_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, &byte) in bytes.iter().take(NUMBER_BYTES_MAX).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Some((number, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_decoded_as_encoded(
            name in prop::collection::vec(any::<u8>(), 0..300),
            keyspace in prop_oneof![0..200_u32, any::<u32>()],
            variant in prop::collection::vec(any::<u8>(), 0..300),
            value in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let parts = Parts { name: &name, keyspace, variant: &variant, value: &value };
            let inline = Inline::new(parts);
            prop_assert_eq!(inline.parts(), Some(parts));
            let key = Key { name: &name, keyspace, variant: &variant };
            prop_assert_eq!(inline.get(key), Some(&*value));
            let others = [
                Key { name: b"another name", ..key },
                Key { keyspace: keyspace ^ 1, ..key },
                Key { variant: b"another variant", ..key },
            ];
            for other in others {
                prop_assert_eq!(inline.get(other), None);
            }
        }

        #[test]
        fn a_number_of_any_size_is_decoded_as_encoded(number: u64) {
            let mut bytes = Vec::new();
            push_number(&mut bytes, number);
            prop_assert_eq!(take_number(&bytes), Some((number, &[][..])));
        }
    }

    #[test]
    fn a_short_entry_has_an_overhead_of_three_bytes() {
        let parts = Parts { name: b"name", keyspace: 0, variant: b"", value: b"value" };
        assert_eq!(Inline::new(parts).len(), 3 + 4 + 5);
    }
}
