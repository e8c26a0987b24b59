//! A connection to Redis for one client alone. Commands are forwarded as they came and replies as
//! Redis sent them, so Redis itself provides order, transactions, subscriptions and blocking.

use crate::{
    connection::{ConnectionError, RespConnection, timeout_message},
    error_reply::is_not_ready,
    reply::redact_error,
    url::RedisUrl,
};
use bytes::BytesMut;
use larder_resp::{ProtocolError, reply::Frame};
use std::{future::pending, time::Duration};
use tokio::time::timeout;

/// Time limit for connecting and the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection to Redis for one client alone.
pub struct Upstream {
    connection: RespConnection,
}

/// What an [`Upstream`] is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// There is something to read.
    Read,
    /// The connection accepts bytes.
    Write,
}

impl Upstream {
    /// Connects as the URL's user, in its db. Like every new connection it speaks RESP2.
    pub async fn connect(url: &RedisUrl) -> Result<Self, UpstreamError> {
        let attempt = async {
            let mut connection =
                RespConnection::connect(url).await.map_err(ConnectionError::from)?;
            authenticate(&mut connection, url).await?;
            select(&mut connection, url).await?;
            if url.is_tls() {
                // In TLS 1.3 a server rejects the client's certificate after the handshake: any
                // reply, even an error, shows that it did not.
                connection.call(&[b"PING"]).await?;
            }
            Ok(Self { connection })
        };
        timeout(CONNECT_TIMEOUT, attempt)
            .await
            .unwrap_or_else(|_| Err(UpstreamError::lost(timeout_message(url, CONNECT_TIMEOUT))))
    }

    /// Connects, and waits for a reply that only a client gets that has authenticated.
    pub(crate) async fn check(url: &RedisUrl) -> Result<(), UpstreamError> {
        let mut upstream = Self::connect(url).await?;
        let ping = timeout(CONNECT_TIMEOUT, upstream.connection.call(&[b"PING"])).await;
        let late = |_| UpstreamError::lost(timeout_message(url, CONNECT_TIMEOUT));
        let reply = ping.map_err(late)??;
        if is_no_auth(&reply) { check_ok("PING", &reply) } else { Ok(()) }
    }

    /// Returns the buffer for commands; [`Upstream::flush`] sends its contents.
    pub fn output(&mut self) -> &mut BytesMut {
        self.connection.output()
    }

    /// Returns whether commands are waiting to be sent.
    pub fn has_output(&self) -> bool {
        self.connection.has_output()
    }

    /// Returns whether the output buffer is below its limit, so that commands may be added.
    pub fn has_capacity(&self) -> bool {
        self.connection.has_capacity()
    }

    /// Writes as much as the connection accepts. A failed write drops the output but is not
    /// reported here: replies that arrived before it are read first, then the end of the stream.
    pub fn flush(&mut self) {
        if self.connection.flush().is_err() {
            self.connection.output().clear();
        }
    }

    /// Waits until there is something to read (if `read`) or the waiting output can be written.
    pub async fn ready(&self, read: bool) -> Result<Ready, UpstreamError> {
        tokio::select! {
            ready = self.connection.readable(), if read => {
                ready.map_err(ConnectionError::from)?;
                Ok(Ready::Read)
            }
            ready = self.connection.writable(), if self.connection.has_output() => {
                ready.map_err(ConnectionError::from)?;
                Ok(Ready::Write)
            }
            () = pending() => Ok(Ready::Write),
        }
    }

    /// Reads what has arrived, without blocking.
    pub fn receive(&mut self) -> Result<(), UpstreamError> {
        self.connection.receive()?;
        Ok(())
    }

    /// Returns the next complete reply or push that has arrived.
    pub fn next_frame(&mut self) -> Result<Option<BytesMut>, UpstreamError> {
        Ok(self.connection.next_frame()?)
    }

    /// Takes everything that has arrived, complete or not.
    pub fn take_input(&mut self) -> BytesMut {
        self.connection.take_input()
    }
}

/// Sends the URL's credentials. Every connection authenticates here, so that all of them are
/// accepted or none: the user is always named, because Redis refuses a bare password where the user
/// `default` needs none.
pub(crate) async fn authenticate(
    connection: &mut RespConnection,
    url: &RedisUrl,
) -> Result<(), UpstreamError> {
    if url.username.is_none() && url.password.is_none() {
        return Ok(());
    }
    let (user, password) = url.credentials();
    let mut reply = connection.call(&[b"AUTH", user, password]).await?;
    // Redis before 6.0 has no users.
    if url.username.is_none() && reply.starts_with(b"-ERR wrong number of arguments") {
        reply = connection.call(&[b"AUTH", password]).await?;
    }
    check_ok("AUTH", &reply)
}

/// Selects the URL's database.
pub(crate) async fn select(
    connection: &mut RespConnection,
    url: &RedisUrl,
) -> Result<(), UpstreamError> {
    if url.db == 0 {
        return Ok(());
    }
    let db = url.db.to_string();
    let reply = connection.call(&[b"SELECT", db.as_bytes()]).await?;
    check_ok(&format!("SELECT {db}"), &reply)
}

/// Returns an error if the `reply` to a command is an error reply. The command is named without its
/// secrets.
pub(crate) fn check_ok(command: &str, reply: &[u8]) -> Result<(), UpstreamError> {
    let frame = Frame::parse(reply).map_err(ConnectionError::from)?;
    let Some(error) = frame.as_error() else { return Ok(()) };
    let text = format!("{command}: {}", redact_error(error));
    let passes = is_not_ready(error) || error.starts_with(b"ERR max number of clients");
    Err(UpstreamError { text, is_refusal: !passes })
}

/// Returns whether an error reply says that its client has not authenticated.
pub fn is_no_auth(reply: &[u8]) -> bool {
    reply.strip_prefix(b"-").unwrap_or(reply).starts_with(b"NOAUTH ")
}

/// Why a connection could not be opened, or ended: a message for people.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct UpstreamError {
    text: String,
    is_refusal: bool,
}

impl UpstreamError {
    /// The error when no Redis is configured.
    pub fn not_configured() -> Self {
        Self::lost("no Redis is configured".into())
    }

    /// The error when the process may not open another file.
    pub fn no_descriptor() -> Self {
        Self::lost(
            "too many connections are open; raise the limit of open files (ulimit -n)".into(),
        )
    }

    pub(crate) fn lost(text: String) -> Self {
        Self { text, is_refusal: false }
    }

    /// Returns whether Redis was reached and refused the connection: it will again, until somebody
    /// changes its configuration or Larder's.
    pub fn is_refusal(&self) -> bool {
        self.is_refusal
    }

    /// The error when the server sent invalid RESP.
    pub fn protocol(error: ProtocolError) -> Self {
        ConnectionError::Protocol(error).into()
    }
}

impl From<ConnectionError> for UpstreamError {
    fn from(error: ConnectionError) -> Self {
        Self::lost(error.to_string())
    }
}
