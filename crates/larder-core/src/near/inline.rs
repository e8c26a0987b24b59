//! A name, a read and the reply to it in one piece of memory: what a hit touches lies together, and
//! a small entry costs one small allocation.
//!
//! ```text
//! name length | db | read length | name | read | reply, to the end
//! ```
//!
//! The first three are numbers of seven bits a byte, lowest first; the last byte has no high bit.

use crate::Key;

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Inline(Box<[u8]>);

/// What an [`Inline`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) name: &'a [u8],
    pub(super) db: u32,
    pub(super) read: &'a [u8],
    pub(super) reply: &'a [u8],
}

/// Bytes of the largest number.
const NUMBER_BYTES_MAX: usize = 10;

impl Inline {
    pub(super) fn new(parts: Parts<'_>) -> Self {
        let Parts { name, db, read, reply } = parts;
        let join = |numbers: &[u8]| {
            // The exact size: to shrink it afterwards would leave holes in memory that fit nobody.
            let len = numbers.len() + name.len() + read.len() + reply.len();
            let mut bytes = Vec::with_capacity(len);
            for part in [numbers, name, read, reply] {
                bytes.extend_from_slice(part);
            }
            Self(bytes.into_boxed_slice())
        };
        let numbers = [name.len() as u64, db.into(), read.len() as u64];
        if let [Some(a), Some(b), Some(c)] = numbers.map(short) {
            return join(&[a, b, c]);
        }
        let mut bytes = Vec::new();
        for number in numbers {
            push_number(&mut bytes, number);
        }
        join(&bytes)
    }

    /// Nothing, without an allocation.
    pub(super) fn empty() -> Self {
        Self(Box::default())
    }

    /// The reply, if it is to this read of this name.
    #[inline]
    pub(super) fn reply_to(&self, key: Key<'_>) -> Option<&[u8]> {
        let Key { name, db, read } = key;
        if let (Some(a), Some(b), Some(c)) = (short(name.len()), short(db), short(read.len())) {
            // Three numbers of one byte each, the usual case, are compared as they stand.
            let rest = self.0.strip_prefix(&[a, b, c])?.strip_prefix(name)?;
            return if read.is_empty() { Some(rest) } else { rest.strip_prefix(read) };
        }
        self.reply_to_any(key)
    }

    /// The same, however large the numbers are.
    fn reply_to_any(&self, key: Key<'_>) -> Option<&[u8]> {
        let Parts { name, db, read, reply } = self.parts()?;
        (Key { name, db, read } == key).then_some(reply)
    }

    /// Reads a byte at the beginning, in the middle and at the end.
    #[inline]
    pub(super) fn prefetch(&self) -> u8 {
        let byte = |at: usize| self.0.get(at).copied().unwrap_or_default();
        byte(0) ^ byte(self.0.len() / 2) ^ byte(self.0.len().saturating_sub(1))
    }

    /// `None` never comes of what [`Inline::new`] wrote.
    #[inline]
    pub(super) fn parts(&self) -> Option<Parts<'_>> {
        let (name_bytes, rest) = take_number(&self.0)?;
        let (db, rest) = take_number(rest)?;
        let (read_bytes, rest) = take_number(rest)?;
        let (name, rest) = rest.split_at_checked(usize::try_from(name_bytes).ok()?)?;
        let (read, reply) = rest.split_at_checked(usize::try_from(read_bytes).ok()?)?;
        Some(Parts { name, db: u32::try_from(db).ok()?, read, reply })
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A number that takes one byte, as that byte.
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
        fn what_went_in_comes_out(
            name in prop::collection::vec(any::<u8>(), 0..300),
            db in prop_oneof![0..200_u32, any::<u32>()],
            read in prop::collection::vec(any::<u8>(), 0..300),
            reply in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let parts = Parts { name: &name, db, read: &read, reply: &reply };
            let inline = Inline::new(parts);
            prop_assert_eq!(inline.parts(), Some(parts));
            let key = Key { name: &name, db, read: &read };
            prop_assert_eq!(inline.reply_to(key), Some(&*reply));
            let others = [
                Key { name: b"another name", ..key },
                Key { db: db ^ 1, ..key },
                Key { read: b"another read", ..key },
            ];
            for other in others {
                prop_assert_eq!(inline.reply_to(other), None);
            }
        }

        #[test]
        fn a_number_of_any_size_is_read_back(number: u64) {
            let mut bytes = Vec::new();
            push_number(&mut bytes, number);
            prop_assert_eq!(take_number(&bytes), Some((number, &[][..])));
        }
    }

    #[test]
    fn a_short_entry_has_three_bytes_beside_what_it_holds() {
        let parts = Parts { name: b"name", db: 0, read: b"", reply: b"reply" };
        assert_eq!(Inline::new(parts).len(), 3 + 4 + 5);
    }
}
