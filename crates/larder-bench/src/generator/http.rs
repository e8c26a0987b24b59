//! Over HTTP/1.1 with keep-alive: one GET on its way per connection, answered with a status, a head
//! of any length, and a body whose length the head tells.

use std::io;

use crate::generator::batch::Batch;
use crate::generator::template::Template;
use crate::keys::Family;

/// What a head and a body may take together.
const RESPONSE_BYTES_MAX: usize = 16 << 10;
/// How much of a response that is none is shown.
const SHOWN_BYTES: usize = 200;
/// The end of a head.
const HEAD_END: &[u8] = b"\r\n\r\n";
const CONTENT_LENGTH: &[u8] = b"content-length:";

/// A request, and what has to come back. The hot key with the number 0 stands for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What stands before the key in the path: `/get/`.
    pub prefix: &'static str,
    /// More of the head, each line with its end.
    pub headers: String,
    /// The status.
    pub status: u16,
    /// The body for key 0. Where that key stands in it, that of any other request must stand.
    pub body: String,
}

impl Exchange {
    const FAMILY: Family = Family::HOT;

    /// A GET answered with this body, in which the key may stand.
    pub fn get(prefix: &'static str, body: String) -> Self {
        Self { prefix, headers: String::new(), status: 200, body }
    }

    /// The same GET for one who has that version already: 304, and no body.
    #[must_use]
    pub fn unless(self, etag: &str) -> Self {
        let headers = format!("If-None-Match: {etag}\r\n");
        Self { headers, status: 304, body: String::new(), ..self }
    }

    /// The request for key 0.
    pub(crate) fn request(&self) -> String {
        let key = Self::FAMILY.key(0);
        let Self { prefix, headers, .. } = self;
        format!("GET {prefix}{key} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
    }

    pub(super) fn batch(&self) -> Batch {
        Batch::new(Template::new(self.request().into_bytes(), Self::FAMILY), 1)
    }
}

/// A response as it comes in.
pub(super) struct Response {
    buffer: Vec<u8>,
    received: usize,
    /// Where the head ends and the body begins, once that is known.
    body_start: Option<usize>,
    body_bytes: usize,
    status_line: Vec<u8>,
    has_body: bool,
    /// The body with the key that was asked for.
    body: Vec<u8>,
    /// Where the key stands in it.
    keys: Vec<usize>,
}

impl Response {
    pub(super) fn new(exchange: &Exchange) -> Self {
        let key = Exchange::FAMILY.key(0);
        Self {
            buffer: vec![0; RESPONSE_BYTES_MAX],
            received: 0,
            body_start: None,
            body_bytes: 0,
            status_line: format!("HTTP/1.1 {} ", exchange.status).into_bytes(),
            has_body: exchange.status != 304,
            body: exchange.body.clone().into_bytes(),
            keys: exchange.body.match_indices(&key).map(|(place, _)| place).collect(),
        }
    }

    /// Another request was sent.
    pub(super) fn expect_another(&mut self) {
        (self.received, self.body_start) = (0, None);
    }

    /// Where the next bytes go.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.received..).unwrap_or_default()
    }

    /// So many bytes were put into the space. True when the response is there; an error when it is
    /// none, or when more than it came.
    pub(super) fn take(&mut self, count: usize) -> io::Result<bool> {
        self.received += count;
        if self.body_start.is_none() {
            self.read_head()?;
        }
        let Some(body_start) = self.body_start else {
            return if self.received < self.buffer.len() { Ok(false) } else { self.fail("no end") };
        };
        let end = body_start + self.body_bytes;
        match end > self.buffer.len() || self.received > end {
            true => self.fail("too long"),
            false => Ok(self.received == end),
        }
    }

    fn read_head(&mut self) -> io::Result<()> {
        let received = self.buffer.get(..self.received).unwrap_or_default();
        let known = received.len().min(self.status_line.len());
        if received.get(..known) != self.status_line.get(..known) {
            return self.fail("another status");
        }
        let end = received.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END);
        let Some(end) = end else { return Ok(()) };
        let head = received.get(..end).unwrap_or_default();
        let body_bytes = if self.has_body { content_length(head) } else { Some(0) };
        match body_bytes {
            Some(bytes) => (self.body_start, self.body_bytes) = (Some(end + HEAD_END.len()), bytes),
            None => return self.fail("no Content-Length"),
        }
        Ok(())
    }

    /// 1 if the body is another one than that of this key.
    pub(super) fn count_wrong(&mut self, key: &[u8]) -> u64 {
        for place in &self.keys {
            if let Some(there) = self.body.get_mut(*place..*place + key.len()) {
                there.copy_from_slice(key);
            }
        }
        let start = self.body_start.unwrap_or_default();
        u64::from(self.buffer.get(start..self.received) != Some(&self.body))
    }

    fn fail<T>(&self, what: &str) -> io::Result<T> {
        let shown = self.buffer.get(..self.received.min(SHOWN_BYTES)).unwrap_or_default();
        let shown = String::from_utf8_lossy(shown);
        Err(io::Error::other(format!("not the response that was expected: {what}: {shown:?}")))
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    let value = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(CONTENT_LENGTH.len())?;
        name.eq_ignore_ascii_case(CONTENT_LENGTH).then_some(value)
    })?;
    str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Order;

    fn exchange() -> Exchange {
        Exchange::get("/get/", r#"{"key":"key:000000000000","value":"key:000000000000x"}"#.into())
    }

    fn put(response: &mut Response, text: &str) -> io::Result<bool> {
        response.space()[..text.len()].copy_from_slice(text.as_bytes());
        response.take(text.len())
    }

    fn answer(key: &str) -> String {
        let body = exchange().body.replace("key:000000000000", key);
        format!("HTTP/1.1 200 OK\r\nAge: 1\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn responses_come_in_pieces() {
        let (key, mut response) = ("key:000000000007", Response::new(&exchange()));
        for _ in 0..2 {
            response.expect_another();
            let text = answer(key);
            for piece in [&text[..5], &text[5..40], &text[40..70]] {
                assert!(!put(&mut response, piece).unwrap(), "{piece}");
            }
            assert!(put(&mut response, &text[70..]).unwrap());
            assert_eq!(response.count_wrong(key.as_bytes()), 0);
            assert_eq!(response.count_wrong(b"key:000000000008"), 1);
        }
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        let answers = [
            ("HTTP/1.1 404 Not Found\r\n", "another status"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "no Content-Length"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", "too long"),
        ];
        for (text, why) in answers {
            let error = put(&mut Response::new(&exchange()), text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn who_has_it_gets_no_body() {
        let exchange = exchange().unless("\"abc\"");
        assert!(exchange.request().ends_with("\r\nIf-None-Match: \"abc\"\r\n\r\n"));
        let mut response = Response::new(&exchange);
        assert!(put(&mut response, "HTTP/1.1 304 Not Modified\r\n\r\n").unwrap());
        assert_eq!(response.count_wrong(b"key:000000000000"), 0);
    }

    #[test]
    fn the_key_changes_and_nothing_else() {
        let mut batch = exchange().batch();
        assert!(batch.fill(&mut Order::once(7..8)));
        let wanted = exchange().request().replace("key:000000000000", "key:000000000007");
        assert_eq!(batch.bytes(), wanted.as_bytes());
    }
}
