//! Bytes in which a key stands: a request, or the reply to it. For another key the digits change and
//! nothing else, so a request is made, and a reply checked, without writing either anew.

use std::ops::Range;

use crate::generator::Answers;
use crate::keys::Family;

/// The last bytes of every reply.
const END: &[u8] = b"\r\n";

/// A text with the key 0 of a family in it, which stands for all keys.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Where the key stands.
    keys: Vec<Range<usize>>,
    /// Where its digits stand in the key.
    digits: Range<usize>,
}

impl Template {
    pub(super) fn new(bytes: Vec<u8>, family: Family) -> Self {
        let key = family.key(0).into_bytes();
        let places = bytes.windows(key.len()).enumerate().filter(|(_, there)| *there == key);
        let keys = places.map(|(place, _)| place..place + key.len()).collect();
        Self { bytes, keys, digits: family.digits() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes another key into a copy of this.
    pub(super) fn write_key(&self, copy: &mut [u8], number: u64) {
        for key in &self.keys {
            let digits = key.start + self.digits.start..key.start + self.digits.end;
            if let Some(digits) = copy.get_mut(digits) {
                write_digits(digits, number);
            }
        }
    }

    /// The key in a copy of this.
    pub(super) fn key<'a>(&self, copy: &'a [u8]) -> &'a [u8] {
        self.keys.first().and_then(|key| copy.get(key.clone())).unwrap_or_default()
    }

    /// Whether this may be the beginning of a copy: looks at what stands before the key.
    pub(super) fn begins(&self, received: &[u8]) -> bool {
        let head = self.keys.first().map_or(self.bytes.len(), |key| key.start);
        let known = received.len().min(head);
        received.get(..known) == self.bytes.get(..known)
    }

    /// Whether a copy that begins as it must has the key, and its end. Its length is given.
    pub(super) fn is_right(&self, copy: &[u8], key: &[u8], answers: Answers) -> bool {
        let has_keys = || self.keys.iter().all(|place| copy.get(place.clone()) == Some(key));
        copy.ends_with(END) && (answers == Answers::OfLength || has_keys())
    }
}

fn write_digits(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
