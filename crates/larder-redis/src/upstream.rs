//! A client's own connection to Redis. Commands go out as they came and replies come back as they
//! are, so order, transactions, subscriptions and blocking are right by construction.

use crate::{
    RedisUrl,
    connection::{ConnectionError, RespConnection, timeout_message},
    reply::redact_error,
};
use bytes::BytesMut;
use larder_resp::{ProtocolError, reply::Frame};
use std::{fmt, future::pending, time::Duration};
use tokio::time::timeout;

/// How long connecting and shaking hands may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection to Redis for one client alone.
pub struct Upstream {
    connection: RespConnection,
}

/// What a relay is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Something can be read.
    Read,
    /// Something can be written.
    Write,
}

impl Upstream {
    /// Connects as the user of the URL, in its db. The connection speaks RESP2, as every new one.
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
                // Whether the server takes our certificate shows in its first word, whatever it is.
                connection.call(&[b"PING"]).await?;
            }
            Ok(Self { connection })
        };
        timeout(CONNECT_TIMEOUT, attempt)
            .await
            .unwrap_or_else(|_| Err(UpstreamError(timeout_message(url, CONNECT_TIMEOUT))))
    }

    /// Where commands are written; [`Upstream::flush`] sends them.
    pub fn output(&mut self) -> &mut BytesMut {
        self.connection.output()
    }

    /// Whether commands wait to be written.
    pub fn has_output(&self) -> bool {
        self.connection.has_output()
    }

    /// Whether so little waits to be written that more may be added.
    pub fn has_capacity(&self) -> bool {
        self.connection.has_capacity()
    }

    /// Writes as much as the connection takes. Where it takes no more, what came on it before is
    /// still to be read; then its end shows.
    pub fn flush(&mut self) {
        if self.connection.flush().is_err() {
            self.connection.output().clear();
        }
    }

    /// Waits until something can be read, if `read`, or what waits can be written.
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

    /// Reads what is there.
    pub fn receive(&mut self) -> Result<(), UpstreamError> {
        self.connection.receive()?;
        Ok(())
    }

    /// The next whole reply or push that has arrived.
    pub fn next_frame(&mut self) -> Result<Option<BytesMut>, UpstreamError> {
        Ok(self.connection.next_frame()?)
    }

    /// Everything that has arrived, whole or not.
    pub fn take_input(&mut self) -> BytesMut {
        self.connection.take_input()
    }
}

/// Shows the URL's credentials, in RESP2.
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

pub(crate) fn check_ok(reply: &[u8]) -> Result<(), UpstreamError> {
    match Frame::parse(reply).map_err(ConnectionError::from)?.as_error() {
        Some(error) => Err(UpstreamError(format!("Redis refused: {}", redact_error(error)))),
        None => Ok(()),
    }
}

/// Why a connection did not come about, or ended; for people.
#[derive(Clone, Debug)]
pub struct UpstreamError(String);

impl UpstreamError {
    /// There is no Redis to connect to.
    pub fn not_configured() -> Self {
        Self("no Redis is configured".into())
    }

    /// What came is no RESP.
    pub fn protocol(error: ProtocolError) -> Self {
        ConnectionError::Protocol(error).into()
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UpstreamError {}

impl From<ConnectionError> for UpstreamError {
    fn from(error: ConnectionError) -> Self {
        Self(error.to_string())
    }
}
