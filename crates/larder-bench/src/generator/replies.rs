//! The replies to one batch. All have one length, so their places are known before they come.

use std::io;

use crate::generator::Shape;
use crate::generator::template::Template;

/// How much of a reply that is none is shown.
const SHOWN_BYTES: usize = 80;

pub(super) struct Replies {
    buffer: Vec<u8>,
    received: usize,
    reply: Template,
    shape: Shape,
}

impl Replies {
    pub(super) fn new(shape: Shape) -> Self {
        let reply = Template::new(shape.protocol.value(shape.family, 0), shape.family);
        let buffer = vec![0; reply.bytes().len() * shape.pipeline];
        Self { buffer, received: 0, reply, shape }
    }

    /// A new batch was sent.
    pub(super) fn expect_batch(&mut self) {
        self.received = 0;
    }

    /// Where the next bytes go. A byte too many does not fit: it is found as the wrong start of the
    /// next batch's replies.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.received..).unwrap_or_default()
    }

    /// So many bytes were put into the space. True when all replies are there; an error when what
    /// is there cannot become them: an error reply is shorter, and would be waited for in vain.
    pub(super) fn take(&mut self, count: usize) -> io::Result<bool> {
        self.received += count;
        let complete = self.received >= self.buffer.len();
        if !complete {
            let received = self.buffer.get(..self.received).unwrap_or_default();
            for reply in received.chunks(self.reply.bytes().len()) {
                self.check_head(reply)?;
            }
        }
        Ok(complete)
    }

    /// How many replies hold another value than that of their key.
    pub(super) fn count_wrong<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> io::Result<u64> {
        let mut wrong = 0;
        for (reply, key) in self.buffer.chunks_exact(self.reply.bytes().len()).zip(keys) {
            self.check_head(reply)?;
            wrong += u64::from(!self.reply.is_right(reply, key, self.shape.answers));
        }
        Ok(wrong)
    }

    fn check_head(&self, reply: &[u8]) -> io::Result<()> {
        if self.reply.begins(reply) {
            return Ok(());
        }
        let bytes = self.shape.family.value_bytes();
        let shown = String::from_utf8_lossy(reply.get(..SHOWN_BYTES).unwrap_or(reply));
        Err(io::Error::other(format!("not a value of {bytes} bytes: {shown:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{Answers, Protocol};
    use crate::keys::Family;

    fn replies(protocol: Protocol, pipeline: usize) -> Replies {
        let (family, answers) = (Family::HOT, Answers::OfKey);
        Replies::new(Shape { connections: 1, pipeline, protocol, family, answers })
    }

    fn put(replies: &mut Replies, bytes: &[u8]) -> io::Result<bool> {
        replies.space()[..bytes.len()].copy_from_slice(bytes);
        replies.take(bytes.len())
    }

    fn reply(number: u64) -> Vec<u8> {
        [b"$100\r\n", &*Family::HOT.value(number), b"\r\n"].concat()
    }

    fn count_wrong(replies: &Replies, keys: [u64; 2]) -> u64 {
        let keys = keys.map(|number| Family::HOT.key(number));
        replies.count_wrong(keys.iter().map(String::as_bytes)).unwrap()
    }

    #[test]
    fn replies_come_in_pieces() {
        let mut replies = replies(Protocol::Resp, 2);
        let bytes = [reply(1), reply(2)].concat();
        let (first, second) = bytes.split_at(110);
        assert!(!put(&mut replies, first).unwrap());
        assert!(put(&mut replies, second).unwrap());
        assert_eq!(count_wrong(&replies, [1, 2]), 0);
    }

    #[test]
    fn the_value_of_another_key_is_wrong() {
        let mut replies = replies(Protocol::Resp, 2);
        put(&mut replies, &[reply(1), reply(2)].concat()).unwrap();
        assert_eq!(count_wrong(&replies, [1, 3]), 1);
    }

    #[test]
    fn an_error_is_seen_before_the_batch_is_complete() {
        let mut replies = replies(Protocol::Resp, 2);
        let bytes = [&*reply(1), b"-ERR no\r\n"].concat();
        let error = put(&mut replies, &bytes).unwrap_err().to_string();
        assert!(error.contains("-ERR no"), "{error}");
    }

    /// As memcached 1.6 writes it.
    fn memcached(key: &str, value: &str) -> String {
        format!("VALUE {key} 0 100\r\n{value:x<100}\r\nEND\r\n")
    }

    #[test]
    fn memcached_says_whose_value_it_is() {
        let (one, other) = ("key:000000000001", "key:000000000002");
        let mut replies = replies(Protocol::Memcached, 2);
        let bytes = [memcached(one, one), memcached(other, other)].concat();
        let (first, second) = bytes.as_bytes().split_at(150);
        assert!(!put(&mut replies, first).unwrap());
        assert!(put(&mut replies, second).unwrap());
        assert_eq!(count_wrong(&replies, [1, 2]), 0);
        assert_eq!(count_wrong(&replies, [2, 2]), 1);
    }

    #[test]
    fn memcached_is_wrong_in_the_name_and_in_the_value() {
        let (one, other) = ("key:000000000001", "key:000000000002");
        let mut replies = replies(Protocol::Memcached, 2);
        let bytes = [memcached(other, one), memcached(one, other)].concat();
        assert!(put(&mut replies, bytes.as_bytes()).unwrap());
        assert_eq!(count_wrong(&replies, [1, 1]), 2);
    }

    #[test]
    fn what_memcached_does_not_have_is_an_error() {
        for text in ["END\r\n", "SERVER_ERROR out of memory\r\n", "ERROR\r\n"] {
            let error = put(&mut replies(Protocol::Memcached, 1), text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(text.trim()), "{error}");
        }
    }
}
