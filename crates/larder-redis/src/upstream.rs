//! A client's own connection to Redis. Commands go out as they came and replies come back as they
//! are, so order, transactions, subscriptions and blocking are right by construction.

use crate::{
    RedisUrl,
    reply::own_words,
    wire::{Wire, WireError, no_answer},
};
use bytes::BytesMut;
use larder_resp::{ProtocolError, reply::Frame};
use std::{fmt, future::pending, time::Duration};
use tokio::time::timeout;

/// How long connecting and shaking hands may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection to Redis for one client alone.
pub struct Upstream {
    wire: Wire,
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
            let mut wire = Wire::connect(url).await.map_err(WireError::from)?;
            authenticate(&mut wire, url).await?;
            if url.db != 0 {
                let db = url.db.to_string();
                accepted(&wire.call(&[b"SELECT", db.as_bytes()]).await?)?;
            }
            if url.is_tls() {
                // Whether the server takes our certificate shows in its first word, whatever it is.
                wire.call(&[b"PING"]).await?;
            }
            Ok(Self { wire })
        };
        timeout(CONNECT_TIMEOUT, attempt)
            .await
            .unwrap_or_else(|_| Err(UpstreamError(no_answer(url, CONNECT_TIMEOUT))))
    }

    /// Where commands are written; [`Upstream::flush`] sends them.
    pub fn output(&mut self) -> &mut BytesMut {
        self.wire.output()
    }

    /// Whether commands wait to be written.
    pub fn has_output(&self) -> bool {
        self.wire.has_output()
    }

    /// Whether so little waits to be written that more may be added.
    pub fn has_capacity(&self) -> bool {
        self.wire.has_capacity()
    }

    /// Writes as much as the connection takes. Where it takes no more, what came on it before is
    /// still to be read; then its end shows.
    pub fn flush(&mut self) {
        if self.wire.flush().is_err() {
            self.wire.output().clear();
        }
    }

    /// Waits until something can be read, if `read`, or what waits can be written.
    pub async fn ready(&self, read: bool) -> Result<Ready, UpstreamError> {
        tokio::select! {
            ready = self.wire.readable(), if read => {
                ready.map_err(WireError::from)?;
                Ok(Ready::Read)
            }
            ready = self.wire.writable(), if self.wire.has_output() => {
                ready.map_err(WireError::from)?;
                Ok(Ready::Write)
            }
            () = pending() => Ok(Ready::Write),
        }
    }

    /// Reads what is there.
    pub fn receive(&mut self) -> Result<(), UpstreamError> {
        self.wire.receive()?;
        Ok(())
    }

    /// The next whole reply or push that has arrived.
    pub fn next_frame(&mut self) -> Result<Option<BytesMut>, UpstreamError> {
        Ok(self.wire.next_frame()?)
    }

    /// Everything that has arrived, whole or not.
    pub fn take_input(&mut self) -> BytesMut {
        self.wire.take_input()
    }
}

/// Shows the URL's credentials, in RESP2.
pub(crate) async fn authenticate(wire: &mut Wire, url: &RedisUrl) -> Result<(), UpstreamError> {
    let password = url.password.as_ref().map_or("", |password| password.reveal()).as_bytes();
    let reply = match &url.username {
        Some(user) => wire.call(&[b"AUTH", user.as_bytes(), password]).await?,
        None if url.password.is_some() => wire.call(&[b"AUTH", password]).await?,
        None => return Ok(()),
    };
    accepted(&reply)
}

pub(crate) fn accepted(reply: &[u8]) -> Result<(), UpstreamError> {
    match Frame::parse(reply).map_err(WireError::from)?.as_error() {
        Some(error) => Err(UpstreamError(format!("Redis refused: {}", own_words(error)))),
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
        WireError::Protocol(error).into()
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UpstreamError {}

impl From<WireError> for UpstreamError {
    fn from(error: WireError) -> Self {
        Self(error.to_string())
    }
}
