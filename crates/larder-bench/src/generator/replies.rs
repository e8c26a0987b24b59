//! The replies to one batch. Their lengths follow from the requests, so their offsets are known
//! before they arrive.

use std::io;

use crate::generator::batch::{Batch, Request};
use crate::generator::config::LoadConfig;
use crate::generator::template::Template;

/// How much of an unexpected reply an error shows.
const SHOWN_BYTES: usize = 80;

pub(super) struct Replies {
    buffer: Vec<u8>,
    received: usize,
    /// The size of all replies to the batch.
    expected: usize,
    value: Template,
    stored: Template,
    config: LoadConfig,
}

/// A reply, or its first bytes, and what it must be.
struct Reply<'a> {
    bytes: &'a [u8],
    expected: &'a Template,
    key: &'a [u8],
}

impl Replies {
    pub(super) fn new(config: LoadConfig) -> Self {
        let template = |bytes| Template::new(bytes, config.key_space);
        let value = template(config.protocol.value(config.key_space, 0));
        let stored = template(config.protocol.stored().into());
        let buffer = vec![0; value.bytes().len() * config.pipeline];
        Self { buffer, received: 0, expected: 0, value, stored, config }
    }

    /// Resets the replies, as a new batch was sent.
    pub(super) fn expect(&mut self, batch: &Batch) {
        let length = |request: Request<'_>| self.expected_reply(request.is_write).bytes().len();
        (self.received, self.expected) = (0, batch.requests().map(length).sum());
    }

    /// Returns the space for the next bytes. A byte too many does not fit: it is noticed as the
    /// wrong start of the replies to the next batch.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.received..self.expected).unwrap_or_default()
    }

    /// Takes note that `count` bytes were read into the space. Returns true when all replies are
    /// complete. Returns an error as soon as they cannot become the expected ones: an error reply
    /// is shorter, so waiting for the full length would never end.
    pub(super) fn take(&mut self, count: usize, batch: &Batch) -> io::Result<bool> {
        self.received += count;
        let complete = self.received >= self.expected;
        if !complete {
            self.replies(batch).try_for_each(|reply| self.check_header(&reply))?;
        }
        Ok(complete)
    }

    /// Counts the replies with another value than that of their key.
    pub(super) fn count_wrong(&self, batch: &Batch) -> io::Result<u64> {
        let mut wrong = 0;
        for reply in self.replies(batch) {
            self.check_header(&reply)?;
            let Reply { bytes, expected, key } = reply;
            wrong += u64::from(!expected.matches(bytes, key, self.config.check));
        }
        Ok(wrong)
    }

    const fn expected_reply(&self, is_write: bool) -> &Template {
        if is_write { &self.stored } else { &self.value }
    }

    /// Returns the replies that have arrived, and the beginning of the next one.
    fn replies<'a>(&'a self, batch: &'a Batch) -> impl Iterator<Item = Reply<'a>> {
        let mut rest = self.buffer.get(..self.received).unwrap_or_default();
        batch.requests().map_while(move |Request { key, is_write }| {
            let expected = self.expected_reply(is_write);
            let (bytes, more) = rest.split_at(expected.bytes().len().min(rest.len()));
            rest = more;
            (!bytes.is_empty()).then_some(Reply { bytes, expected, key })
        })
    }

    fn check_header(&self, reply: &Reply<'_>) -> io::Result<()> {
        if reply.expected.is_prefix(reply.bytes) {
            return Ok(());
        }
        let bytes = self.config.key_space.value_bytes();
        let shown = reply.bytes.get(..SHOWN_BYTES).unwrap_or(reply.bytes);
        let shown = String::from_utf8_lossy(shown);
        Err(io::Error::other(format!("not a value of {bytes} bytes: {shown:?}")))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::generator::{Protocol, ReplyCheck};
    use crate::keys::{KeySequence, KeySpace};

    /// A batch and the replies to it.
    struct Exchange {
        batch: Batch,
        replies: Replies,
    }

    /// Requests two keys.
    fn exchange(protocol: Protocol, keys: Range<u64>) -> Exchange {
        exchange_of(protocol, KeySequence::once(keys))
    }

    fn exchange_of(protocol: Protocol, mut sequence: KeySequence) -> Exchange {
        let (key_space, check) = (KeySpace::HOT, ReplyCheck::Value);
        let config = LoadConfig { connections: 1, pipeline: 2, protocol, key_space, check };
        let mut batch = Batch::of_load(config);
        assert!(batch.fill(&mut sequence));
        let mut replies = Replies::new(config);
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
        [b"$100\r\n", &*KeySpace::HOT.value(number), b"\r\n"].concat()
    }

    #[test]
    fn replies_may_arrive_in_pieces() {
        let mut exchange = exchange(Protocol::Resp, 1..3);
        let bytes = [reply(1), reply(2)].concat();
        let (first, second) = bytes.split_at(110);
        assert!(!exchange.put(first).unwrap());
        assert!(exchange.put(second).unwrap());
        assert_eq!(exchange.count_wrong(), 0);
    }

    #[test]
    fn the_value_of_another_key_is_wrong() {
        let mut exchange = exchange(Protocol::Resp, 1..3);
        exchange.put(&[reply(1), reply(3)].concat()).unwrap();
        assert_eq!(exchange.count_wrong(), 1);
    }

    #[test]
    fn an_error_is_noticed_before_the_batch_is_complete() {
        let bytes = [&*reply(1), b"-ERR no\r\n"].concat();
        let error = exchange(Protocol::Resp, 1..3).put(&bytes).unwrap_err().to_string();
        assert!(error.contains("-ERR no"), "{error}");
    }

    /// Returns a reply of memcached 1.6.
    fn memcached(key: &str, value: &str) -> String {
        format!("VALUE {key} 0 100\r\n{value:x<100}\r\nEND\r\n")
    }

    const ONE: &str = "key:000000000001";
    const TWO: &str = "key:000000000002";

    #[test]
    fn a_memcached_reply_names_its_key() {
        let mut exchange = exchange(Protocol::Memcached, 1..3);
        let bytes = [memcached(ONE, ONE), memcached(TWO, TWO)].concat();
        let (first, second) = bytes.as_bytes().split_at(150);
        assert!(!exchange.put(first).unwrap());
        assert!(exchange.put(second).unwrap());
        assert_eq!(exchange.count_wrong(), 0);
    }

    #[test]
    fn a_memcached_reply_is_checked_in_name_and_value() {
        for (name, value) in [(TWO, ONE), (ONE, TWO), (TWO, TWO)] {
            let mut exchange = exchange(Protocol::Memcached, 1..3);
            let bytes = [memcached(name, value), memcached(TWO, TWO)].concat();
            assert!(exchange.put(bytes.as_bytes()).unwrap());
            assert_eq!(exchange.count_wrong(), 1, "{name} {value}");
        }
    }

    #[test]
    fn a_memcached_miss_is_an_error() {
        for text in ["END\r\n", "SERVER_ERROR out of memory\r\n", "ERROR\r\n"] {
            let error = exchange(Protocol::Memcached, 1..3).put(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(text.trim()), "{error}");
        }
    }

    #[test]
    fn replies_to_writes_are_checked() {
        let two_writes = || exchange_of(Protocol::Resp, KeySequence::once(1..3).writing(100));
        let mut exchange = two_writes();
        assert!(!exchange.put(b"+OK\r").unwrap());
        assert!(exchange.put(b"\n+OK\r\n").unwrap());
        assert_eq!(exchange.count_wrong(), 0);
        assert!(two_writes().put(b"+QUEUED").is_err());
    }
}
