//! A connection to Redis as two buffers: commands out, whole replies in.

use crate::{socket::Socket, url::Endpoint};
use bytes::{Buf, BytesMut};
use larder_resp::{
    Limits, ProtocolError,
    reply::{Frame, Scanner},
    request::write_command,
};
use std::{fmt, io, sync::Arc};

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

pub(crate) struct Wire {
    socket: Socket,
    input: BytesMut,
    output: BytesMut,
    scanner: Scanner,
}

impl Wire {
    pub(crate) async fn connect(endpoint: &Endpoint) -> io::Result<Self> {
        Ok(Self {
            socket: Socket::connect(endpoint).await?,
            input: BytesMut::new(),
            output: BytesMut::new(),
            scanner: Scanner::new(LIMITS),
        })
    }

    /// Where commands are written; [`Wire::flush`] sends them.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.output.len() < OUTPUT_BYTES_SOFT_MAX
    }

    /// The next whole reply that has arrived.
    pub(crate) fn next_frame(&mut self) -> Result<Option<BytesMut>, WireError> {
        if self.input.is_empty() {
            if self.input.capacity() > IDLE_BUFFER_BYTES_MAX {
                self.input = BytesMut::new();
            }
            return Ok(None);
        }
        Ok(self.scanner.scan(&self.input)?.map(|length| self.input.split_to(length)))
    }

    /// Everything that has arrived, whole or not. Only for streams that are no replies.
    pub(crate) fn take_input(&mut self) -> BytesMut {
        self.input.split()
    }

    /// Waits until something can be read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Waits until something can be written.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Reads what is there. False when nothing was.
    pub(crate) fn receive(&mut self) -> Result<bool, WireError> {
        self.input.reserve(READ_BYTES.max(self.scanner.bytes_needed().min(READ_BYTES * 16)));
        match self.socket.try_read(&mut self.input) {
            Ok(0) => Err(WireError::Closed),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes as much as the socket takes.
    pub(crate) fn flush(&mut self) -> Result<(), WireError> {
        while !self.output.is_empty() {
            match self.socket.try_write(&self.output) {
                Ok(written) => self.output.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        if self.output.is_empty() && self.output.capacity() > IDLE_BUFFER_BYTES_MAX {
            self.output = BytesMut::new();
        }
        Ok(())
    }

    /// Sends one command and waits for its reply; pushes in between are passed over, as nothing
    /// has been read on a connection that still shakes hands. For handshakes only.
    pub(crate) async fn call(&mut self, command: &[&[u8]]) -> Result<BytesMut, WireError> {
        write_command(&mut self.output, command);
        loop {
            self.flush()?;
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
}

/// Why a connection is of no more use.
#[derive(Clone, Debug)]
pub(crate) enum WireError {
    Closed,
    Io(Arc<io::Error>),
    Protocol(ProtocolError),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("Redis closed the connection"),
            Self::Io(error) => error.fmt(f),
            Self::Protocol(error) => write!(f, "Redis sent what is no RESP: {error}"),
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<ProtocolError> for WireError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}
