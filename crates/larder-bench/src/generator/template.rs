//! Templates of requests and replies, which contain a key. Another key differs only in its digits,
//! so requests are made by overwriting those, and replies are compared with the template.

use std::ops::Range;

use crate::generator::config::ReplyCheck;
use crate::keys::KeySpace;

/// The last bytes of every reply.
const END: &[u8] = b"\r\n";

/// A text that contains key 0 of a key space, which stands for all keys.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// The positions of the key.
    keys: Vec<Range<usize>>,
    /// The position of the digits in the key.
    digits: Range<usize>,
}

impl Template {
    pub(super) fn new(bytes: Vec<u8>, key_space: KeySpace) -> Self {
        let key = key_space.key(0).into_bytes();
        let found = bytes.windows(key.len()).enumerate().filter(|(_, window)| *window == key);
        let keys = found.map(|(start, _)| start..start + key.len()).collect();
        Self { bytes, keys, digits: key_space.digits() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes another key into a copy of the template.
    pub(super) fn write_key(&self, copy: &mut [u8], number: u64) {
        for key in &self.keys {
            let digits = key.start + self.digits.start..key.start + self.digits.end;
            if let Some(digits) = copy.get_mut(digits) {
                write_digits(digits, number);
            }
        }
    }

    /// Returns the key in a copy of the template.
    pub(super) fn key<'a>(&self, copy: &'a [u8]) -> &'a [u8] {
        self.keys.first().and_then(|key| copy.get(key.clone())).unwrap_or_default()
    }

    /// Whether these bytes can be the beginning of a copy. Compares the bytes before the key.
    pub(super) fn is_prefix(&self, received: &[u8]) -> bool {
        let before_key = self.keys.first().map_or(self.bytes.len(), |key| key.start);
        let known = received.len().min(before_key);
        received.get(..known) == self.bytes.get(..known)
    }

    /// Whether a copy, whose length and beginning are right, has this key and the right end.
    pub(super) fn matches(&self, copy: &[u8], key: &[u8], check: ReplyCheck) -> bool {
        let has_keys = || self.keys.iter().all(|key_at| copy.get(key_at.clone()) == Some(key));
        copy.ends_with(END) && (check == ReplyCheck::Length || has_keys())
    }
}

fn write_digits(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
