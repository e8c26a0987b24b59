//! Replies in the client's protocol version.

use crate::listeners::resp::proxy::read_context::Protocol;
use bytes::{BufMut, BytesMut};
use larder_resp::reply;

/// A client with more unread replies than this is closed.
const REPLIES_BYTES_MAX: usize = 1 << 30;

/// Writes the replies to one client.
pub(super) struct Reply<'o> {
    out: &'o mut BytesMut,
    pub(super) protocol: Protocol,
    too_large: bool,
}

impl<'o> Reply<'o> {
    pub(super) fn new(out: &'o mut BytesMut, protocol: Protocol) -> Self {
        Self { out, protocol, too_large: false }
    }

    pub(super) fn ok(&mut self) {
        self.simple("OK");
    }

    pub(super) fn simple(&mut self, text: &str) {
        reply::simple(self.out, text.as_bytes());
    }

    pub(super) fn error(&mut self, text: &[u8]) {
        reply::error(self.out, text);
    }

    pub(super) fn integer(&mut self, value: i64) {
        reply::integer(self.out, value);
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.integer(value.into());
    }

    pub(super) fn count(&mut self, count: usize) {
        self.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn bulk(&mut self, payload: &[u8]) {
        self.too_large |= self.out.len() + payload.len() > REPLIES_BYTES_MAX;
        if !self.too_large {
            reply::bulk(self.out, payload);
        }
    }

    /// Writes a string, or null.
    pub(super) fn bulk_or_null(&mut self, payload: Option<&[u8]>) {
        match payload {
            Some(payload) => self.bulk(payload),
            None => self.null(),
        }
    }

    pub(super) fn null(&mut self) {
        match self.protocol {
            Protocol::Resp3 => reply::null(self.out),
            Protocol::Resp2 => reply::null_bulk(self.out),
        }
    }

    pub(super) fn null_array(&mut self) {
        match self.protocol {
            Protocol::Resp3 => reply::null(self.out),
            Protocol::Resp2 => reply::null_array(self.out),
        }
    }

    pub(super) fn array(&mut self, elements: usize) {
        reply::array(self.out, elements);
    }

    /// Writes an array of strings whose number is not known in advance.
    pub(super) fn bulks<'p>(&mut self, payloads: impl Iterator<Item = &'p [u8]>) {
        let mut written = BytesMut::new();
        let mut elements = Reply::new(&mut written, self.protocol);
        let count = payloads.map(|payload| elements.bulk(payload)).count();
        self.too_large |= elements.too_large;
        self.array(count);
        self.out.unsplit(written);
    }

    pub(super) fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp3 => reply::map(self.out, pairs),
            Protocol::Resp2 => reply::array(self.out, pairs * 2),
        }
    }

    pub(super) fn set(&mut self, elements: usize) {
        match self.protocol {
            Protocol::Resp3 => reply::set(self.out, elements),
            Protocol::Resp2 => reply::array(self.out, elements),
        }
    }

    /// Writes a text for people.
    pub(super) fn verbatim(&mut self, text: &[u8]) {
        if self.protocol == Protocol::Resp2 {
            return self.bulk(text);
        }
        self.out.put_slice(format!("={}\r\ntxt:", text.len() + 4).as_bytes());
        self.out.put_slice(text);
        self.out.put_slice(b"\r\n");
    }

    /// Returns the number of bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Removes what was written after `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
    }

    /// Returns whether the replies exceed what may wait for one client.
    pub(super) fn is_too_large(&self) -> bool {
        self.too_large
    }

    /// Returns the buffer.
    pub(super) fn out(&mut self) -> &mut BytesMut {
        self.out
    }
}
