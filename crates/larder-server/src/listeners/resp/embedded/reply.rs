//! Replies in the client's protocol version.

use bytes::{BufMut, BytesMut};
use larder_resp::reply;

/// A client whose replies, before it reads them, come to more than this is closed.
const REPLIES_BYTES_MAX: usize = 1 << 30;

/// Where a client's replies are written.
pub(super) struct Reply<'o> {
    out: &'o mut BytesMut,
    pub(super) resp3: bool,
    too_large: bool,
}

impl<'o> Reply<'o> {
    pub(super) fn new(out: &'o mut BytesMut, resp3: bool) -> Self {
        Self { out, resp3, too_large: false }
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

    /// A string, or null.
    pub(super) fn bulk_or_null(&mut self, payload: Option<&[u8]>) {
        match payload {
            Some(payload) => self.bulk(payload),
            None => self.null(),
        }
    }

    pub(super) fn null(&mut self) {
        match self.resp3 {
            true => reply::null(self.out),
            false => reply::null_bulk(self.out),
        }
    }

    pub(super) fn null_array(&mut self) {
        match self.resp3 {
            true => reply::null(self.out),
            false => reply::null_array(self.out),
        }
    }

    pub(super) fn array(&mut self, elements: usize) {
        reply::array(self.out, elements);
    }

    /// An array of strings of which it is not known beforehand how many they are.
    pub(super) fn bulks<'p>(&mut self, payloads: impl Iterator<Item = &'p [u8]>) {
        let mut written = BytesMut::new();
        let mut elements = Reply::new(&mut written, self.resp3);
        let count = payloads.map(|payload| elements.bulk(payload)).count();
        self.too_large |= elements.too_large;
        self.array(count);
        self.out.unsplit(written);
    }

    pub(super) fn map(&mut self, pairs: usize) {
        match self.resp3 {
            true => reply::map(self.out, pairs),
            false => reply::array(self.out, pairs * 2),
        }
    }

    pub(super) fn set(&mut self, elements: usize) {
        match self.resp3 {
            true => reply::set(self.out, elements),
            false => reply::array(self.out, elements),
        }
    }

    /// A text for people.
    pub(super) fn verbatim(&mut self, text: &[u8]) {
        if !self.resp3 {
            return self.bulk(text);
        }
        self.out.put_slice(format!("={}\r\ntxt:", text.len() + 4).as_bytes());
        self.out.put_slice(text);
        self.out.put_slice(b"\r\n");
    }

    /// How much has been written.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Takes back what was written since.
    pub(super) fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
    }

    /// Whether there was more to write than a client may be owed.
    pub(super) fn is_too_large(&self) -> bool {
        self.too_large
    }

    /// The buffer itself.
    pub(super) fn out(&mut self) -> &mut BytesMut {
        self.out
    }
}
