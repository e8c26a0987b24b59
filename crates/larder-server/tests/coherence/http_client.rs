//! An HTTP client with one persistent connection. It is fast enough to keep a key hot, and can
//! leave a request in the socket of a suspended Larder.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// Limit for a response.
const RESPONSE_LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct HttpClient {
    socket: TcpStream,
    unread: Vec<u8>,
    asked: Instant,
}

/// The result of a read, and when the request was sent.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) asked: Instant,
    pub(crate) status: u16,
    pub(crate) cache_status: String,
    pub(crate) body: String,
}

impl HttpClient {
    pub(crate) fn connect(port: u16) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(RESPONSE_LIMIT)).unwrap();
        Self { socket, unread: Vec::new(), asked: Instant::now() }
    }

    /// Sends a request and waits for the response.
    pub(crate) fn get(&mut self, path: &str) -> Found {
        self.send_request(path);
        self.read_response()
    }

    /// Sends a request without waiting for the response.
    pub(crate) fn send_request(&mut self, path: &str) {
        self.asked = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.socket.write_all(request.as_bytes()).unwrap();
    }

    /// Waits for the response to the pending request.
    pub(crate) fn read_response(&mut self) -> Found {
        let end = self.until(|unread| position(unread, b"\r\n\r\n")) + 4;
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let length = header(&head, "content-length").parse().unwrap();
        self.until(|unread| (unread.len() >= length).then_some(length));
        let body: Vec<u8> = self.unread.drain(..length).collect();
        Found {
            asked: self.asked,
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            cache_status: header(&head, "cache-status").to_owned(),
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Receives until `found` returns a position.
    fn until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> usize {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(at) = found(&self.unread) {
                return at;
            }
            let count = self.socket.read(&mut buffer).unwrap();
            assert!(count > 0, "larder closed the connection");
            self.unread.extend_from_slice(&buffer[..count]);
        }
    }
}

impl Found {
    /// Returns whether it is a hit.
    pub(crate) fn is_hit(&self) -> bool {
        self.hit_ttl().is_some()
    }

    /// Returns the remaining seconds of the entry, or `None` if it is no hit.
    pub(crate) fn hit_ttl(&self) -> Option<u64> {
        self.cache_status.strip_prefix("larder; hit; ttl=").map(|ttl| ttl.parse().unwrap())
    }

    /// Returns the body, or `None` if there is no such key. Any other status fails the test.
    pub(crate) fn value(&self) -> Option<&str> {
        match self.status {
            200 => Some(&self.body),
            404 => None,
            _ => panic!("{self:?}"),
        }
    }
}

/// Returns a header's value, or an empty string.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
