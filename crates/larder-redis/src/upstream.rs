//! A connection to Redis for one client alone. Commands are forwarded as they came and replies as
//! Redis sent them, so Redis itself provides order, transactions, subscriptions and blocking.

use crate::{
    connection::{ConnectionError, RespConnection, timeout_message},
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
            if url.db != 0 {
                let db = url.db.to_string();
                check_ok(&connection.call(&[b"SELECT", db.as_bytes()]).await?)?;
            }
            if url.is_tls() {
                // In TLS 1.3 a server rejects the client's certificate after the handshake: any
                // reply, even an error, shows that it did not.
                connection.call(&[b"PING"]).await?;
            }
            Ok(Self { connection })
        };
        timeout(CONNECT_TIMEOUT, attempt)
            .await
            .unwrap_or_else(|_| Err(UpstreamError(timeout_message(url, CONNECT_TIMEOUT))))
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

/// Sends the URL's credentials, in RESP2.
pub(crate) async fn authenticate(
    connection: &mut RespConnection,
    url: &RedisUrl,
) -> Result<(), UpstreamError> {
    let password = url.password.as_ref().map_or("", |password| password.reveal()).as_bytes();
    let reply = match &url.username {
        Some(user) => connection.call(&[b"AUTH", user.as_bytes(), password]).await?,
        None if url.password.is_some() => connection.call(&[b"AUTH", password]).await?,
        None => return Ok(()),
    };
    check_ok(&reply)
}

/// Returns an error if `reply` is an error reply.
pub(crate) fn check_ok(reply: &[u8]) -> Result<(), UpstreamError> {
    match Frame::parse(reply).map_err(ConnectionError::from)?.as_error() {
        Some(error) => Err(UpstreamError(format!("Redis refused: {}", redact_error(error)))),
        None => Ok(()),
    }
}

/// Why a connection could not be opened, or ended: a message for people.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct UpstreamError(String);

impl UpstreamError {
    /// The error when no Redis is configured.
    pub fn not_configured() -> Self {
        Self("no Redis is configured".into())
    }

    /// The error when the process may not open another file.
    pub fn no_descriptor() -> Self {
        Self("too many connections are open; raise the limit of open files (ulimit -n)".into())
    }

    /// The error when the server sent invalid RESP.
    pub fn protocol(error: ProtocolError) -> Self {
        ConnectionError::Protocol(error).into()
    }
}

impl From<ConnectionError> for UpstreamError {
    fn from(error: ConnectionError) -> Self {
        Self(error.to_string())
    }
}
