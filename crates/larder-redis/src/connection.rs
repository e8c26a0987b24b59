//! A connection to Redis with two buffers: commands are queued in one and sent, replies are
//! received into the other and returned whole.

use crate::{stream::Stream, url::RedisUrl};
use bytes::{Buf, BytesMut};
use larder_resp::{
    Limits, ProtocolError,
    reply::{Frame, Scanner},
    request::write_command,
};
use std::{io, sync::Arc, time::Duration};
use tokio::task::yield_now;

/// Space reserved for one read.
const READ_BYTES: usize = 64 << 10;
/// An empty buffer with a larger capacity than this is freed.
const IDLE_BUFFER_BYTES_MAX: usize = 1 << 20;
/// While more than this is waiting to be sent, the connection accepts no further commands.
const OUTPUT_BYTES_SOFT_MAX: usize = 1 << 20;
/// Maximum reads in search of the reason why a connection was closed.
const CLOSE_READS_MAX: usize = 64;

/// Limits on what Redis sends. Unlike a command, a reply may be a list of any length, a script may
/// nest it as deep as it likes, and a line (of `MONITOR`, for example) may be as long as a value.
const LIMITS: Limits = Limits {
    bulk_bytes_max: 512 << 20,
    elements_max: u32::MAX as usize,
    inline_bytes_max: 64 << 10,
    depth_max: 1 << 20,
    line_bytes_max: 1 << 30,
};

pub(crate) struct RespConnection {
    stream: Stream,
    input: BytesMut,
    output: BytesMut,
    scanner: Scanner,
    /// Whether Redis has sent anything yet.
    has_received: bool,
}

impl RespConnection {
    pub(crate) async fn connect(url: &RedisUrl) -> io::Result<Self> {
        Ok(Self {
            stream: Stream::connect(url).await?,
            input: BytesMut::new(),
            output: BytesMut::new(),
            scanner: Scanner::new(LIMITS),
            has_received: false,
        })
    }

    /// Returns the buffer for commands; [`RespConnection::flush`] sends its contents.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Returns whether commands, or TLS records made of them, are waiting to be sent.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty() || self.stream.has_output()
    }

    pub(crate) fn has_capacity(&self) -> bool {
        self.output.len() < OUTPUT_BYTES_SOFT_MAX
    }

    /// Returns the next complete reply or push that has arrived.
    pub(crate) fn next_frame(&mut self) -> Result<Option<BytesMut>, ConnectionError> {
        Ok(self.next_length()?.map(|length| self.input.split_to(length)))
    }

    /// Calls `read` with the next complete reply or push. Unlike [`RespConnection::next_frame`] it
    /// leaves the buffer in one piece, so the buffer's memory is used again.
    pub(crate) fn read_frame<R>(
        &mut self,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, ConnectionError> {
        let Some(length) = self.next_length()? else { return Ok(None) };
        let result = read(self.input.get(..length).unwrap_or_default());
        self.input.advance(length);
        Ok(Some(result))
    }

    fn next_length(&mut self) -> Result<Option<usize>, ConnectionError> {
        if self.input.is_empty() {
            if self.input.capacity() > IDLE_BUFFER_BYTES_MAX {
                self.input = BytesMut::new();
            }
            return Ok(None);
        }
        match self.scanner.scan(&self.input) {
            Ok(length) => Ok(length),
            Err(_) if is_tls_record(&self.input) => Err(ConnectionError::Tls),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes everything that has arrived, complete or not. Only for streams that are not replies.
    pub(crate) fn take_input(&mut self) -> BytesMut {
        self.input.split()
    }

    /// Waits until there is something to read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Waits until the stream accepts bytes.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    /// Reads what has arrived, without blocking. Returns false when nothing has.
    pub(crate) fn receive(&mut self) -> Result<bool, ConnectionError> {
        self.input.reserve(READ_BYTES.max(self.scanner.bytes_needed().min(READ_BYTES * 16)));
        match self.stream.try_read(&mut self.input) {
            Ok(0) => Err(self.closed()),
            Ok(_) => {
                self.has_received = true;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !self.has_received => {
                Err(self.closed())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the error for a closed connection. A server that expects TLS closes a plaintext
    /// connection after a TLS alert, or without sending anything.
    fn closed(&self) -> ConnectionError {
        if is_tls_record(&self.input) {
            ConnectionError::Tls
        } else if !self.has_received && self.stream.is_plain_tcp() {
            ConnectionError::ClosedBeforeReply
        } else {
            ConnectionError::Closed
        }
    }

    /// Writes as much as the stream accepts.
    pub(crate) fn flush(&mut self) -> Result<(), ConnectionError> {
        self.stream.write(&mut self.output)?;
        if self.output.is_empty() && self.output.capacity() > IDLE_BUFFER_BYTES_MAX {
            self.output = BytesMut::new();
        }
        Ok(())
    }

    /// Sends one command and waits for its reply. For handshakes only: it discards pushes, which
    /// is safe only before any key was read on this connection.
    pub(crate) async fn call(&mut self, command: &[&[u8]]) -> Result<BytesMut, ConnectionError> {
        write_command(&mut self.output, command);
        loop {
            if let Err(error) = self.flush() {
                return Err(self.close_reason(error).await);
            }
            while let Some(frame) = self.next_frame()? {
                if !matches!(Frame::parse(&frame)?, Frame::Push(_)) {
                    return Ok(frame);
                }
            }
            tokio::select! {
                ready = self.readable() => ready?,
                ready = self.writable(), if self.has_output() => ready?,
            }
            self.receive()?;
        }
    }

    /// Returns why the connection ended after a failed write. What the server sent before it closed
    /// explains more than the error of the write.
    async fn close_reason(&mut self, write_error: ConnectionError) -> ConnectionError {
        for _ in 0..CLOSE_READS_MAX {
            if self.readable().await.is_err() {
                break;
            }
            match self.receive() {
                Ok(true) => {}
                // Readiness may stand although nothing can be read: let the runtime go on.
                Ok(false) => yield_now().await,
                Err(ConnectionError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
                    break;
                }
                Err(reason) => return reason,
            }
        }
        write_error
    }
}

/// Returns whether `input` starts with a TLS handshake record or a TLS alert.
fn is_tls_record(input: &[u8]) -> bool {
    matches!(input, [0x15 | 0x16, 0x03, ..])
}

/// Returns the error text for an attempt to connect that exceeded `limit`.
pub(crate) fn timeout_message(url: &RedisUrl, limit: Duration) -> String {
    let hint = if url.is_tls() { "; does the server speak TLS on this port?" } else { "" };
    format!("no answer within {limit:?}{hint}")
}

/// Why a connection cannot be used any more.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("Redis closed the connection")]
    Closed,
    #[error(
        "Redis closed the connection without sending anything; if it speaks TLS on this port, use \
         rediss://"
    )]
    ClosedBeforeReply,
    /// A TLS record on a connection without TLS.
    #[error("the data from Redis looks like TLS: use rediss://")]
    Tls,
    #[error("{0}")]
    Io(Arc<io::Error>),
    #[error("Redis sent invalid RESP: {0}")]
    Protocol(#[from] ProtocolError),
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

#[cfg(test)]
mod tests;
