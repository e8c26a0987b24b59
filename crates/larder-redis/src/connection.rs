//! A connection to Redis as two buffers: commands out, whole replies in.

use crate::{stream::Stream, url::RedisUrl};
use bytes::{Buf, BytesMut};
use larder_resp::{
    Limits, ProtocolError,
    reply::{Frame, Scanner},
    request::write_command,
};
use std::{fmt, io, sync::Arc, time::Duration};

/// Room for one read.
const READ_BYTES: usize = 64 << 10;
/// An empty buffer larger than this is given back.
const IDLE_BUFFER_BYTES_MAX: usize = 1 << 20;
/// While more than this waits to be written, no further request is taken.
const OUTPUT_BYTES_SOFT_MAX: usize = 1 << 20;

/// What Redis may send: lists, unlike commands, of any length, inside each other as deep as a script
/// makes them, and lines, as those of MONITOR, as long as a value.
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
    /// Redis has sent something.
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

    /// Where commands are written; [`RespConnection::flush`] sends them.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Whether something waits to be sent: commands, or what TLS made of them.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty() || self.stream.has_output()
    }

    pub(crate) fn has_capacity(&self) -> bool {
        self.output.len() < OUTPUT_BYTES_SOFT_MAX
    }

    /// The next whole reply that has arrived.
    pub(crate) fn next_frame(&mut self) -> Result<Option<BytesMut>, ConnectionError> {
        Ok(self.next_length()?.map(|length| self.input.split_to(length)))
    }

    /// Shows the next whole reply that has arrived to `take`, which need not keep it.
    pub(crate) fn take_frame<R>(
        &mut self,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, ConnectionError> {
        let Some(length) = self.next_length()? else { return Ok(None) };
        let taken = take(self.input.get(..length).unwrap_or_default());
        self.input.advance(length);
        Ok(Some(taken))
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
            Err(_) if is_tls(&self.input) => Err(ConnectionError::Tls),
            Err(error) => Err(error.into()),
        }
    }

    /// Everything that has arrived, whole or not. Only for streams that are no replies.
    pub(crate) fn take_input(&mut self) -> BytesMut {
        self.input.split()
    }

    /// Waits until something can be read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Waits until something can be written.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    /// Reads what is there. False when nothing was.
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

    /// A server that awaits TLS refuses in its own language, or closes without a word.
    fn closed(&self) -> ConnectionError {
        match () {
            () if is_tls(&self.input) => ConnectionError::Tls,
            () if !self.has_received && self.stream.is_plain_tcp() => {
                ConnectionError::ClosedBeforeReply
            }
            () => ConnectionError::Closed,
        }
    }

    /// Writes as much as the socket takes.
    pub(crate) fn flush(&mut self) -> Result<(), ConnectionError> {
        self.stream.write(&mut self.output)?;
        if self.output.is_empty() && self.output.capacity() > IDLE_BUFFER_BYTES_MAX {
            self.output = BytesMut::new();
        }
        Ok(())
    }

    /// Sends one command and waits for its reply; pushes in between are passed over, as nothing
    /// has been read on a connection that still shakes hands. For handshakes only.
    pub(crate) async fn call(&mut self, command: &[&[u8]]) -> Result<BytesMut, ConnectionError> {
        write_command(&mut self.output, command);
        loop {
            if let Err(error) = self.flush() {
                return Err(self.error_before_close(error).await);
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

    /// Why a connection ended that takes nothing any more: what was said on it before tells more
    /// than the error of writing.
    async fn error_before_close(&mut self, error: ConnectionError) -> ConnectionError {
        while self.readable().await.is_ok() {
            match self.receive() {
                Ok(_) => {}
                Err(ConnectionError::Io(other)) if other.kind() != io::ErrorKind::InvalidData => {
                    break;
                }
                Err(last) => return last,
            }
        }
        error
    }
}

/// Whether this begins as TLS does: a handshake, or the alert that refuses one.
fn is_tls(input: &[u8]) -> bool {
    matches!(input, [0x15 | 0x16, 0x03, ..])
}

/// Why nothing came of connecting within this time.
pub(crate) fn timeout_message(url: &RedisUrl, limit: Duration) -> String {
    let hint = if url.is_tls() { "; does the server speak TLS on this port?" } else { "" };
    format!("no answer within {limit:?}{hint}")
}

/// Why a connection is of no more use.
#[derive(Clone, Debug)]
pub(crate) enum ConnectionError {
    Closed,
    /// Before Redis had sent anything.
    ClosedBeforeReply,
    /// What came is TLS, where none is spoken.
    Tls,
    Io(Arc<io::Error>),
    Protocol(ProtocolError),
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("Redis closed the connection"),
            Self::ClosedBeforeReply => f.write_str(
                "Redis closed the connection without a word; if it speaks TLS on this port, use \
                 rediss://",
            ),
            Self::Tls => f.write_str("what Redis sent looks like TLS: use rediss://"),
            Self::Io(error) => error.fmt(f),
            Self::Protocol(error) => write!(f, "Redis sent what is no RESP: {error}"),
        }
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<ProtocolError> for ConnectionError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

#[cfg(test)]
mod tests;
