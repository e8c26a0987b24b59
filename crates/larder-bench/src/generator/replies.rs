//! The replies to one batch. All have one length, so their places are known before they come.

use std::io;

use crate::floor::Language;
use crate::generator::{Answers, Shape};
use crate::keys::VALUE_BYTES;

/// How much of a reply that is none is shown.
const SHOWN_BYTES: usize = 80;

pub(super) struct Replies {
    buffer: Vec<u8>,
    received: usize,
    /// What every reply begins with, and what it ends with.
    head: Vec<u8>,
    reply_bytes: usize,
    answers: Answers,
}

impl Replies {
    pub(super) fn new(shape: Shape) -> Self {
        let head = format!("${VALUE_BYTES}\r\n").into_bytes();
        let reply_bytes = Language::Resp.reply(VALUE_BYTES).len();
        let buffer = vec![0; reply_bytes * shape.pipeline];
        Self { buffer, received: 0, head, reply_bytes, answers: shape.answers }
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
            for reply in received.chunks(self.reply_bytes) {
                self.check_head(reply)?;
            }
        }
        Ok(complete)
    }

    /// How many replies hold another value than that of their key.
    pub(super) fn count_wrong<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> io::Result<u64> {
        let mut wrong = 0;
        for (reply, key) in self.buffer.chunks_exact(self.reply_bytes).zip(keys) {
            self.check_head(reply)?;
            let value = reply.get(self.head.len()..).unwrap_or_default();
            let right = match self.answers {
                Answers::OfKey => value.starts_with(key),
                Answers::OfLength => true,
            };
            wrong += u64::from(!right || !value.ends_with(b"\r\n"));
        }
        Ok(wrong)
    }

    fn check_head(&self, reply: &[u8]) -> io::Result<()> {
        let length = reply.len().min(self.head.len());
        if reply.get(..length) == self.head.get(..length) {
            return Ok(());
        }
        let shown = String::from_utf8_lossy(reply.get(..SHOWN_BYTES).unwrap_or(reply));
        Err(io::Error::other(format!("not a value of {VALUE_BYTES} bytes: {shown:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Family;

    fn replies(pipeline: usize) -> Replies {
        let (family, answers) = (Family::HOT, Answers::OfKey);
        Replies::new(Shape { connections: 1, pipeline, family, answers })
    }

    fn put(replies: &mut Replies, bytes: &[u8]) -> io::Result<bool> {
        replies.space()[..bytes.len()].copy_from_slice(bytes);
        replies.take(bytes.len())
    }

    fn reply(number: u64) -> Vec<u8> {
        [b"$100\r\n", &*Family::HOT.value(number), b"\r\n"].concat()
    }

    #[test]
    fn replies_come_in_pieces() {
        let mut replies = replies(2);
        let bytes = [reply(1), reply(2)].concat();
        let (first, second) = bytes.split_at(110);
        assert!(!put(&mut replies, first).unwrap());
        assert!(put(&mut replies, second).unwrap());
        let keys = [Family::HOT.key(1), Family::HOT.key(2)];
        assert_eq!(replies.count_wrong(keys.iter().map(String::as_bytes)).unwrap(), 0);
    }

    #[test]
    fn the_value_of_another_key_is_wrong() {
        let mut replies = replies(2);
        put(&mut replies, &[reply(1), reply(2)].concat()).unwrap();
        let keys = [Family::HOT.key(1), Family::HOT.key(3)];
        assert_eq!(replies.count_wrong(keys.iter().map(String::as_bytes)).unwrap(), 1);
    }

    #[test]
    fn an_error_is_seen_before_the_batch_is_complete() {
        let mut replies = replies(2);
        let bytes = [&*reply(1), b"-ERR no\r\n"].concat();
        let error = put(&mut replies, &bytes).unwrap_err().to_string();
        assert!(error.contains("-ERR no"), "{error}");
    }
}
