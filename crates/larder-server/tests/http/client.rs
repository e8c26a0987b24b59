//! An HTTP client over one connection that can send arbitrary bytes and reads one response at a
//! time.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// Maximum time to wait for a response or a condition.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    socket: TcpStream,
    unread: Vec<u8>,
}

/// A parsed response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The status line and the headers as received.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Returns a request with `Host` and, if the body is not empty, `Content-Length`.
pub(crate) fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let length = body.len().to_string();
    let announced = [("content-length", length.as_str())];
    let announced = if body.is_empty() { &[][..] } else { &announced };
    let mut request = head(method, target, &[headers, announced].concat());
    request.extend_from_slice(body);
    request
}

/// Returns a request head with `Host` and the given headers.
pub(crate) fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in [&[("host", "localhost")], headers].concat() {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head.push_str("\r\n");
    head.into_bytes()
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.set_write_timeout(Some(LIMIT)).unwrap();
        Self { socket, unread: Vec::new() }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Writes from another thread.
    pub(crate) fn write_in_background(&self, bytes: Vec<u8>) -> JoinHandle<()> {
        let mut socket = self.socket.try_clone().unwrap();
        thread::spawn(move || socket.write_all(&bytes).unwrap())
    }

    /// Writes bytes that the server may refuse to read.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).ok();
    }

    /// Closes the writing half.
    pub(crate) fn half_close(&mut self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends a request and returns its response.
    pub(crate) fn send(&mut self, method: &str, target: &str) -> Response {
        self.write(&request(method, target, &[], b""));
        self.response_to(method)
    }

    /// Returns the next response to any method but `HEAD`.
    pub(crate) fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// Returns the next response to a request with this method. A response to `HEAD` has no body.
    pub(crate) fn response_to(&mut self, method: &str) -> Response {
        self.try_response(method).expect("a response before the connection closes")
    }

    /// Returns the next response, or `None` if the connection closes before its first byte.
    pub(crate) fn try_response(&mut self, method: &str) -> Option<Response> {
        while position(&self.unread, b"\r\n\r\n").is_none() {
            if !self.receive() {
                assert!(self.unread.is_empty(), "incomplete head: {:?}", self.unread);
                return None;
            }
        }
        let end = position(&self.unread, b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let mut response = Response { status: status(&head), head, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |text| text.parse().unwrap());
        if method != "HEAD" && response.status != 304 {
            while self.unread.len() < length {
                assert!(self.receive(), "incomplete body after {}", response.head);
            }
            response.body = self.unread.drain(..length).collect();
        }
        Some(response)
    }

    /// Returns whether the server has sent bytes that were not read.
    pub(crate) fn has_response(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let count = self.socket.peek(&mut [0]);
        self.socket.set_nonblocking(false).unwrap();
        count.is_ok_and(|count| count > 0)
    }

    /// Blocks until the server closes and asserts that it sent nothing more.
    pub(crate) fn expect_close(&mut self) {
        while self.receive() {}
        assert_eq!(String::from_utf8_lossy(&self.unread), "");
    }

    fn receive(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        match self.socket.read(&mut buffer) {
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no bytes within {LIMIT:?}: {error}"),
        }
    }
}

impl Response {
    /// Returns the value of a header that occurs at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value);
        assert!(found.next().is_none(), "{name} occurs twice: {}", self.head);
        value
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(": "))
    }

    pub(crate) fn cache_status(&self) -> &str {
        self.header("cache-status").unwrap_or_default()
    }

    /// Returns the seconds in `larder; hit; ttl=299`.
    pub(crate) fn hit_ttl(&self) -> Option<u64> {
        self.cache_status().strip_prefix("larder; hit; ttl=")?.parse().ok()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}{:?}", self.head, self.body))
    }

    /// Asserts that the response is a `problem+json` and returns its detail.
    pub(crate) fn detail(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        assert_eq!(self.header("cache-control"), Some("no-store"), "{}", self.head);
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["type"], "about:blank");
        assert!(!problem["title"].as_str().unwrap().is_empty(), "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

fn status(head: &str) -> u16 {
    assert!(head.starts_with("HTTP/1."), "{head}");
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
