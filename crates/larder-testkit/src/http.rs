//! HTTP as a test sees it: a status, headers and bytes, and nothing done behind its back.
//!
//! Each request has a connection of its own; no redirect is followed, no proxy asked.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use reqwest::blocking::{Body, Client};
use reqwest::header::HeaderMap;
use reqwest::{Method, redirect};

/// How long a request may take before it counts as failed.
const RESPONSE_LIMIT: Duration = Duration::from_secs(30);
/// How long [`raw`] reads from a server that does not close.
const RAW_LIMIT: Duration = Duration::from_secs(5);

/// Extra request headers: names and values.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that name, when it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `Cache-Status` header (RFC 9211), empty when there is none.
    pub fn cache_status(&self) -> &str {
        self.header("cache-status").unwrap_or_default()
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// With the body when it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }
}

/// GET.
pub fn get(url: &str, headers: Headers) -> Response {
    send("GET", url, headers, Vec::new())
}

/// PUT.
pub fn put(url: &str, headers: Headers, body: impl Into<Body>) -> Response {
    send("PUT", url, headers, body)
}

/// POST.
pub fn post(url: &str, headers: Headers, body: impl Into<Body>) -> Response {
    send("POST", url, headers, body)
}

/// DELETE.
pub fn delete(url: &str, headers: Headers) -> Response {
    send("DELETE", url, headers, Vec::new())
}

/// Any method.
///
/// # Panics
/// When there is no answer; see [`try_send`].
pub fn send(method: &str, url: &str, headers: Headers, body: impl Into<Body>) -> Response {
    try_send(method, url, headers, body).unwrap_or_else(|error| panic!("{method} {url}: {error:?}"))
}

/// Any method, to a server that may not answer.
pub fn try_send(
    method: &str,
    url: &str,
    headers: Headers,
    body: impl Into<Body>,
) -> reqwest::Result<Response> {
    static CLIENT: LazyLock<Client> = LazyLock::new(client);
    let method: Method = method.parse().expect("a method name");
    let start = CLIENT.request(method, url).body(body);
    let request =
        headers.iter().fold(start, |request, (name, value)| request.header(*name, *value));
    let response = request.send()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Response { status, headers, body: response.bytes()?.to_vec() })
}

fn client() -> Client {
    Client::builder()
        .timeout(RESPONSE_LIMIT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .expect("an HTTP client")
}

/// What a raw exchange does once its bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSend {
    /// Leaves its side open, as a browser does.
    Wait,
    /// Closes its sending side: nothing more will come.
    HalfClose,
}

/// Writes any bytes to a port of 127.0.0.1 and returns all that comes back until the server
/// closes, or within 5 s when it does not.
pub fn raw(port: u16, bytes: &[u8]) -> Vec<u8> {
    raw_within(port, bytes, AfterSend::Wait, RAW_LIMIT)
}

/// [`raw`] with a limit of one's own, or half-closing. A server may well close before it has read
/// everything: that is no error here.
pub fn raw_within(port: u16, bytes: &[u8], then: AfterSend, limit: Duration) -> Vec<u8> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a listening server");
    socket.set_write_timeout(Some(limit)).expect("a limit above zero");
    let written = socket.write_all(bytes);
    if written.is_ok() && then == AfterSend::HalfClose {
        socket.shutdown(Shutdown::Write).ok();
    }
    read_within(&mut socket, limit)
}

fn read_within(socket: &mut TcpStream, limit: Duration) -> Vec<u8> {
    let end = Instant::now() + limit;
    let mut received = Vec::new();
    let mut buffer = [0; 16 << 10];
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        socket.set_read_timeout(Some(left)).expect("a limit above zero");
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    received
}
