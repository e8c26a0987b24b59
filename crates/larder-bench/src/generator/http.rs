//! Load over HTTP/1.1 with keep-alive: one GET in flight per connection. A response has headers of
//! any length, and a body whose length they declare.

use std::io;

use crate::generator::batch::Batch;
use crate::generator::template::Template;
use crate::keys::KeySpace;

/// The maximum size of a response, headers and body.
const RESPONSE_BYTES_MAX: usize = 16 << 10;
/// How much of an unexpected response an error shows.
const SHOWN_BYTES: usize = 200;
/// The end of the headers.
const HEADERS_END: &[u8] = b"\r\n\r\n";
const CONTENT_LENGTH: &[u8] = b"content-length:";

/// A request and its expected response, written out for the hot key 0, which stands for all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The path before the key, such as `/get/`.
    pub prefix: &'static str,
    /// Further headers, each line with its end.
    pub headers: String,
    /// The expected status.
    pub status: u16,
    /// The expected body. Where it contains key 0, that of another request contains its own key.
    pub body: String,
}

impl Exchange {
    const KEY_SPACE: KeySpace = KeySpace::HOT;

    /// Creates a GET that is answered with this body, which may contain the key.
    pub fn get(prefix: &'static str, body: String) -> Self {
        Self { prefix, headers: String::new(), status: 200, body }
    }

    /// Makes the GET conditional on another `ETag`, so that the response is 304 without a body.
    #[must_use]
    pub fn if_none_match(self, etag: &str) -> Self {
        let headers = format!("If-None-Match: {etag}\r\n");
        Self { headers, status: 304, body: String::new(), ..self }
    }

    /// Returns the request for key 0.
    pub(crate) fn request(&self) -> String {
        let key = Self::KEY_SPACE.key(0);
        let Self { prefix, headers, .. } = self;
        format!("GET {prefix}{key} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
    }

    pub(super) fn batch(&self) -> Batch {
        Batch::new(Template::new(self.request().into_bytes(), Self::KEY_SPACE), 1)
    }
}

/// A response as it arrives.
pub(super) struct Response {
    buffer: Vec<u8>,
    received: usize,
    /// Where the body begins, once all headers have arrived.
    body_start: Option<usize>,
    body_bytes: usize,
    status_line: Vec<u8>,
    has_body: bool,
    /// The expected body with the key of the last request.
    body: Vec<u8>,
    /// The offsets of the key in it.
    keys: Vec<usize>,
}

impl Response {
    pub(super) fn new(exchange: &Exchange) -> Self {
        let key = Exchange::KEY_SPACE.key(0);
        Self {
            buffer: vec![0; RESPONSE_BYTES_MAX],
            received: 0,
            body_start: None,
            body_bytes: 0,
            status_line: format!("HTTP/1.1 {} ", exchange.status).into_bytes(),
            has_body: exchange.status != 304,
            body: exchange.body.clone().into_bytes(),
            keys: exchange.body.match_indices(&key).map(|(offset, _)| offset).collect(),
        }
    }

    /// Resets the response, as another request was sent.
    pub(super) fn expect_another(&mut self) {
        (self.received, self.body_start) = (0, None);
    }

    /// Returns the space for the next bytes.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.received..).unwrap_or_default()
    }

    /// Takes note that `count` bytes were read into the space. Returns true when the response is
    /// complete, and an error when it is not the expected one or is followed by more bytes.
    pub(super) fn take(&mut self, count: usize) -> io::Result<bool> {
        self.received += count;
        if self.body_start.is_none() {
            self.read_headers()?;
        }
        let Some(body_start) = self.body_start else {
            return if self.received < self.buffer.len() {
                Ok(false)
            } else {
                self.fail("headers without an end")
            };
        };
        let end = body_start + self.body_bytes;
        match end > self.buffer.len() || self.received > end {
            true => self.fail("too long"),
            false => Ok(self.received == end),
        }
    }

    fn read_headers(&mut self) -> io::Result<()> {
        let received = self.buffer.get(..self.received).unwrap_or_default();
        let known = received.len().min(self.status_line.len());
        if received.get(..known) != self.status_line.get(..known) {
            return self.fail("another status");
        }
        let end = received.windows(HEADERS_END.len()).position(|bytes| bytes == HEADERS_END);
        let Some(end) = end else { return Ok(()) };
        let headers = received.get(..end).unwrap_or_default();
        let body_bytes = if self.has_body { content_length(headers) } else { Some(0) };
        match body_bytes {
            Some(bytes) => {
                (self.body_start, self.body_bytes) = (Some(end + HEADERS_END.len()), bytes);
            }
            None => return self.fail("no Content-Length"),
        }
        Ok(())
    }

    /// Returns 1 if the body is not that of this key, and 0 otherwise.
    pub(super) fn count_wrong(&mut self, key: &[u8]) -> u64 {
        for offset in &self.keys {
            if let Some(slot) = self.body.get_mut(*offset..*offset + key.len()) {
                slot.copy_from_slice(key);
            }
        }
        let start = self.body_start.unwrap_or_default();
        u64::from(self.buffer.get(start..self.received) != Some(&self.body))
    }

    fn fail<T>(&self, reason: &str) -> io::Result<T> {
        let shown = self.buffer.get(..self.received.min(SHOWN_BYTES)).unwrap_or_default();
        let shown = String::from_utf8_lossy(shown);
        Err(io::Error::other(format!("unexpected response, {reason}: {shown:?}")))
    }
}

fn content_length(headers: &[u8]) -> Option<usize> {
    let value = headers.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(CONTENT_LENGTH.len())?;
        name.eq_ignore_ascii_case(CONTENT_LENGTH).then_some(value)
    })?;
    str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeySequence;

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
    fn a_response_may_arrive_in_pieces() {
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
    fn an_unexpected_response_is_an_error() {
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
    fn a_conditional_get_expects_304_without_a_body() {
        let exchange = exchange().if_none_match("\"abc\"");
        assert!(exchange.request().ends_with("\r\nIf-None-Match: \"abc\"\r\n\r\n"));
        let mut response = Response::new(&exchange);
        assert!(put(&mut response, "HTTP/1.1 304 Not Modified\r\n\r\n").unwrap());
        assert_eq!(response.count_wrong(b"key:000000000000"), 0);
    }

    #[test]
    fn requests_differ_only_in_their_key() {
        let mut batch = exchange().batch();
        assert!(batch.fill(&mut KeySequence::once(7..8)));
        let wanted = exchange().request().replace("key:000000000000", "key:000000000007");
        assert_eq!(batch.bytes(), wanted.as_bytes());
    }
}
