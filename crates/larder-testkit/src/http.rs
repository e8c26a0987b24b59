//! A plain HTTP client: it returns status, headers and bytes as the server sent them.
//!
//! Each request uses a connection of its own, follows no redirect and uses no proxy.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use reqwest::blocking::{Body, Client};
use reqwest::header::HeaderMap;
use reqwest::{Method, redirect};

/// Limit for a request.
const RESPONSE_LIMIT: Duration = Duration::from_secs(30);
/// How long [`raw`] reads if the server does not close the connection.
const RAW_LIMIT: Duration = Duration::from_secs(5);

/// Extra request headers: names and values.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// The response of a server.
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
    /// Returns the first header of that name, if it is present and valid text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the `Cache-Status` header (RFC 9211), or an empty string.
    pub fn cache_status(&self) -> &str {
        self.header("cache-status").unwrap_or_default()
    }

    /// Returns the body as text, with invalid UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    /// With the body if it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }
}

/// Sends a GET request.
pub fn get(url: &str, headers: Headers) -> Response {
    send("GET", url, headers, Vec::new())
}

/// Sends a PUT request.
pub fn put(url: &str, headers: Headers, body: impl Into<Body>) -> Response {
    send("PUT", url, headers, body)
}

/// Sends a POST request.
pub fn post(url: &str, headers: Headers, body: impl Into<Body>) -> Response {
    send("POST", url, headers, body)
}

/// Sends a DELETE request.
pub fn delete(url: &str, headers: Headers) -> Response {
    send("DELETE", url, headers, Vec::new())
}

/// Sends a request with any method.
///
/// # Panics
/// If there is no response; see [`try_send`].
pub fn send(method: &str, url: &str, headers: Headers, body: impl Into<Body>) -> Response {
    try_send(method, url, headers, body).unwrap_or_else(|error| panic!("{method} {url}: {error:?}"))
}

/// Sends a request with any method to a server that may not respond.
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

/// What the client does after it has written its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSend {
    /// Leaves the connection open, as a browser does.
    Wait,
    /// Closes its sending side.
    HalfClose,
}

/// Writes bytes to a port of 127.0.0.1. Returns what comes back until the server closes the
/// connection, or within 5 s if it does not.
pub fn raw(port: u16, bytes: &[u8]) -> Vec<u8> {
    raw_within(port, bytes, AfterSend::Wait, RAW_LIMIT)
}

/// Like [`raw`], with a custom limit and optional half-close. The server may close the connection
/// before it has read everything, which is no error.
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
