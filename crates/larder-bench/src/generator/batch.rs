//! The requests of one write, in any language. They differ in their digits alone, so only those are written anew.

use std::ops::Range;

use crate::client::command;
use crate::keys::{Family, Order};

/// A request for a key, some times over.
pub(super) struct Batch {
    bytes: Vec<u8>,
    request_bytes: usize,
    pipeline: usize,
    key: Range<usize>,
    digits: Range<usize>,
}

impl Batch {
    pub(super) fn new(family: Family, pipeline: usize) -> Self {
        let request = command(&[b"GET", family.key(0).as_bytes()]);
        // The key is the last word, before its line end.
        let key_start = request.len() - 2 - family.key_bytes();
        Self::of(&request, key_start, family, pipeline)
    }

    /// Of requests like this one, whose key begins there.
    pub(super) fn of(request: &[u8], key_start: usize, family: Family, pipeline: usize) -> Self {
        let digits = family.digits();
        Self {
            bytes: request.repeat(pipeline),
            request_bytes: request.len(),
            pipeline,
            key: key_start..key_start + family.key_bytes(),
            digits: key_start + digits.start..key_start + digits.end,
        }
    }

    /// Asks for the next keys. False, and nothing is changed, when there are not enough of them.
    pub(super) fn fill(&mut self, order: &mut Order) -> bool {
        if order.left() < self.pipeline as u64 {
            return false;
        }
        for request in self.bytes.chunks_exact_mut(self.request_bytes) {
            let number = order.next().unwrap_or_default();
            if let Some(digits) = request.get_mut(self.digits.clone()) {
                write_digits(digits, number);
            }
        }
        true
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The keys asked for, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let requests = self.bytes.chunks_exact(self.request_bytes);
        requests.map(|request| request.get(self.key.clone()).unwrap_or_default())
    }
}

fn write_digits(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_written_over_the_earlier_ones() {
        let mut batch = Batch::new(Family::HOT, 2);
        let mut order = Order::Once(98..102);
        assert!(batch.fill(&mut order));
        assert!(batch.fill(&mut order));
        let one = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000100\r\n";
        let other = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000101\r\n";
        assert_eq!(batch.bytes(), [one, other].concat().as_bytes());
        let keys: Vec<_> = batch.keys().collect();
        assert_eq!(keys, [b"key:000000000100", b"key:000000000101"]);
    }

    #[test]
    fn half_a_batch_is_not_sent() {
        let mut batch = Batch::new(Family::COLD, 2);
        assert!(!batch.fill(&mut Order::Once(0..1)));
    }
}
