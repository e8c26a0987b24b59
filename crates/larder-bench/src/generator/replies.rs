//! The replies to one batch. Their lengths follow from what was asked, so their places are known
//! before they come.

use std::io;

use crate::generator::Shape;
use crate::generator::batch::{Asked, Batch};
use crate::generator::template::Template;

/// How much of a reply that is none is shown.
const SHOWN_BYTES: usize = 80;

pub(super) struct Replies {
    buffer: Vec<u8>,
    received: usize,
    /// Bytes of all replies to the batch.
    expected: usize,
    value: Template,
    stored: Template,
    shape: Shape,
}

/// A reply, or what is there of it, and what it should be.
struct Reply<'a> {
    bytes: &'a [u8],
    wanted: &'a Template,
    key: &'a [u8],
}

impl Replies {
    pub(super) fn new(shape: Shape) -> Self {
        let template = |bytes| Template::new(bytes, shape.family);
        let value = template(shape.protocol.value(shape.family, 0));
        let stored = template(shape.protocol.stored().into());
        let buffer = vec![0; value.bytes().len() * shape.pipeline];
        Self { buffer, received: 0, expected: 0, value, stored, shape }
    }

    /// A new batch was sent.
    pub(super) fn expect(&mut self, batch: &Batch) {
        let wanted = |asked: Asked<'_>| self.wanted(asked.is_write).bytes().len();
        (self.received, self.expected) = (0, batch.asked().map(wanted).sum());
    }

    /// Where the next bytes go. A byte too many does not fit: it is found as the wrong start of the
    /// next batch's replies.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.received..self.expected).unwrap_or_default()
    }

    /// So many bytes were put into the space. True when all replies are there; an error when what
    /// is there cannot become them: an error reply is shorter, and would be waited for in vain.
    pub(super) fn take(&mut self, count: usize, batch: &Batch) -> io::Result<bool> {
        self.received += count;
        let complete = self.received >= self.expected;
        if !complete {
            self.replies(batch).try_for_each(|reply| self.check_head(&reply))?;
        }
        Ok(complete)
    }

    /// How many replies hold another value than that of their key.
    pub(super) fn count_wrong(&self, batch: &Batch) -> io::Result<u64> {
        let mut wrong = 0;
        for reply in self.replies(batch) {
            self.check_head(&reply)?;
            let Reply { bytes, wanted, key } = reply;
            wrong += u64::from(!wanted.is_right(bytes, key, self.shape.answers));
        }
        Ok(wrong)
    }

    const fn wanted(&self, is_write: bool) -> &Template {
        if is_write { &self.stored } else { &self.value }
    }

    /// Those that have come, and the beginning of the next one.
    fn replies<'a>(&'a self, batch: &'a Batch) -> impl Iterator<Item = Reply<'a>> {
        let mut rest = self.buffer.get(..self.received).unwrap_or_default();
        batch.asked().map_while(move |Asked { key, is_write }| {
            let wanted = self.wanted(is_write);
            let (bytes, more) = rest.split_at(wanted.bytes().len().min(rest.len()));
            rest = more;
            (!bytes.is_empty()).then_some(Reply { bytes, wanted, key })
        })
    }

    fn check_head(&self, reply: &Reply<'_>) -> io::Result<()> {
        if reply.wanted.begins(reply.bytes) {
            return Ok(());
        }
        let bytes = self.shape.family.value_bytes();
        let shown = reply.bytes.get(..SHOWN_BYTES).unwrap_or(reply.bytes);
        let shown = String::from_utf8_lossy(shown);
        Err(io::Error::other(format!("not a value of {bytes} bytes: {shown:?}")))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::generator::{Answers, Protocol};
    use crate::keys::{Family, Order};

    /// What was asked for, and what comes back.
    struct Exchange {
        batch: Batch,
        replies: Replies,
    }

    /// Asks for two keys.
    fn asks(protocol: Protocol, keys: Range<u64>) -> Exchange {
        asks_in(protocol, Order::once(keys))
    }

    fn asks_in(protocol: Protocol, mut order: Order) -> Exchange {
        let (family, answers) = (Family::HOT, Answers::OfKey);
        let shape = Shape { connections: 1, pipeline: 2, protocol, family, answers };
        let mut batch = shape.batch();
        assert!(batch.fill(&mut order));
        let mut replies = Replies::new(shape);
        replies.expect(&batch);
        Exchange { batch, replies }
    }

    impl Exchange {
        fn put(&mut self, bytes: &[u8]) -> io::Result<bool> {
            self.replies.space()[..bytes.len()].copy_from_slice(bytes);
            self.replies.take(bytes.len(), &self.batch)
        }

        fn count_wrong(&self) -> u64 {
            self.replies.count_wrong(&self.batch).unwrap()
        }
    }

    fn reply(number: u64) -> Vec<u8> {
        [b"$100\r\n", &*Family::HOT.value(number), b"\r\n"].concat()
    }

    #[test]
    fn replies_come_in_pieces() {
        let mut asked = asks(Protocol::Resp, 1..3);
        let bytes = [reply(1), reply(2)].concat();
        let (first, second) = bytes.split_at(110);
        assert!(!asked.put(first).unwrap());
        assert!(asked.put(second).unwrap());
        assert_eq!(asked.count_wrong(), 0);
    }

    #[test]
    fn the_value_of_another_key_is_wrong() {
        let mut asked = asks(Protocol::Resp, 1..3);
        asked.put(&[reply(1), reply(3)].concat()).unwrap();
        assert_eq!(asked.count_wrong(), 1);
    }

    #[test]
    fn an_error_is_seen_before_the_batch_is_complete() {
        let bytes = [&*reply(1), b"-ERR no\r\n"].concat();
        let error = asks(Protocol::Resp, 1..3).put(&bytes).unwrap_err().to_string();
        assert!(error.contains("-ERR no"), "{error}");
    }

    /// As memcached 1.6 writes it.
    fn memcached(key: &str, value: &str) -> String {
        format!("VALUE {key} 0 100\r\n{value:x<100}\r\nEND\r\n")
    }

    const ONE: &str = "key:000000000001";
    const TWO: &str = "key:000000000002";

    #[test]
    fn memcached_says_whose_value_it_is() {
        let mut asked = asks(Protocol::Memcached, 1..3);
        let bytes = [memcached(ONE, ONE), memcached(TWO, TWO)].concat();
        let (first, second) = bytes.as_bytes().split_at(150);
        assert!(!asked.put(first).unwrap());
        assert!(asked.put(second).unwrap());
        assert_eq!(asked.count_wrong(), 0);
    }

    #[test]
    fn memcached_is_wrong_in_the_name_and_in_the_value() {
        for (name, value) in [(TWO, ONE), (ONE, TWO), (TWO, TWO)] {
            let mut asked = asks(Protocol::Memcached, 1..3);
            let bytes = [memcached(name, value), memcached(TWO, TWO)].concat();
            assert!(asked.put(bytes.as_bytes()).unwrap());
            assert_eq!(asked.count_wrong(), 1, "{name} {value}");
        }
    }

    #[test]
    fn what_memcached_does_not_have_is_an_error() {
        for text in ["END\r\n", "SERVER_ERROR out of memory\r\n", "ERROR\r\n"] {
            let error = asks(Protocol::Memcached, 1..3).put(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(text.trim()), "{error}");
        }
    }

    #[test]
    fn what_was_written_is_confirmed() {
        let write_and_write = || asks_in(Protocol::Resp, Order::once(1..3).writing(100));
        let mut asked = write_and_write();
        assert!(!asked.put(b"+OK\r").unwrap());
        assert!(asked.put(b"\n+OK\r\n").unwrap());
        assert_eq!(asked.count_wrong(), 0);
        assert!(write_and_write().put(b"+QUEUED").is_err());
    }
}
