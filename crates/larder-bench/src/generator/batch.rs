//! The requests of one write, in any language. They differ in their digits alone, so only those are written anew.

use crate::generator::template::Template;
use crate::keys::Order;

/// A request for a key, some times over.
pub(super) struct Batch {
    bytes: Vec<u8>,
    pipeline: usize,
    request: Template,
}

impl Batch {
    pub(super) fn new(request: Template, pipeline: usize) -> Self {
        Self { bytes: request.bytes().repeat(pipeline), pipeline, request }
    }

    /// Asks for the next keys. False, and nothing is changed, when there are not enough of them.
    pub(super) fn fill(&mut self, order: &mut Order) -> bool {
        if order.left() < self.pipeline as u64 {
            return false;
        }
        for request in self.bytes.chunks_exact_mut(self.request.bytes().len()) {
            self.request.write_key(request, order.next().unwrap_or_default());
        }
        true
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The keys asked for, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let requests = self.bytes.chunks_exact(self.request.bytes().len());
        requests.map(|request| self.request.key(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Protocol;
    use crate::keys::Family;

    fn batch(protocol: Protocol, family: Family) -> Batch {
        Batch::new(Template::new(protocol.get(&family.key(0)), family), 2)
    }

    #[test]
    fn requests_are_written_over_the_earlier_ones() {
        let mut batch = batch(Protocol::Resp, Family::HOT);
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
    fn memcached_is_asked_in_lines() {
        let mut batch = batch(Protocol::Memcached, Family::HOT);
        assert!(batch.fill(&mut Order::Once(7..9)));
        assert_eq!(batch.bytes(), b"get key:000000000007\r\nget key:000000000008\r\n");
    }

    #[test]
    fn half_a_batch_is_not_sent() {
        assert!(!batch(Protocol::Resp, Family::COLD).fill(&mut Order::Once(0..1)));
    }
}
