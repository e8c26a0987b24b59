//! A TCP stream with a TLS session.

use super::session::TlsSession;
use bytes::BytesMut;
use rustls::Connection;
use std::{
    future::poll_fn,
    io::{self, IoSlice, Write},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

/// A TCP stream whose bytes are encrypted. Dropping it sends `close_notify`, if the socket accepts
/// that at once.
///
/// Unlike a plain socket it may hold ciphertext of bytes that it already took. While
/// [`TlsStream::has_output`], a writer must wait for [`TlsStream::writable`] and write again.
pub struct TlsStream {
    socket: TcpStream,
    session: TlsSession,
}

impl TlsStream {
    pub(super) fn new(socket: TcpStream, rustls: Connection) -> Self {
        Self { socket, session: TlsSession::new(rustls) }
    }

    /// Completes the handshake. It has no time limit of its own: the caller sets one, and drops the
    /// stream when it is exceeded.
    ///
    /// # Errors
    /// When one side does not trust the other, or the peer does not speak TLS or disconnects.
    pub async fn handshake(&mut self) -> io::Result<()> {
        loop {
            let sent = self.flush();
            if !self.session.is_handshaking() {
                return sent.map(drop);
            }
            // Read even if the write failed: the peer may have sent an alert that explains it.
            tokio::select! {
                ready = self.socket.readable() => ready?,
                ready = self.socket.writable(), if self.has_output() => ready?,
            }
            let Self { socket, session } = self;
            let mut context = Context::from_waker(Waker::noop());
            match session.handshake(|buf| receive(socket, &mut context, buf)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => outcome?,
            }
        }
    }

    /// Waits until there may be something to read.
    ///
    /// # Errors
    /// When the runtime has shut down.
    pub async fn readable(&self) -> io::Result<()> {
        if self.session.has_input() {
            return Ok(());
        }
        self.socket.readable().await
    }

    /// Waits until the socket may accept bytes.
    ///
    /// # Errors
    /// When the runtime has shut down.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Appends the plaintext that has arrived to `into`, without blocking. Returns 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` when nothing has arrived, `InvalidData` on a TLS error, or the socket's error.
    pub fn try_read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        let Self { socket, session } = self;
        let mut context = Context::from_waker(Waker::noop());
        session.read(into, |buf| receive(socket, &mut context, buf))
    }

    /// Encrypts and sends `output` until the socket would block.
    ///
    /// # Errors
    /// The socket's error.
    pub fn write(&mut self, output: &mut BytesMut) -> io::Result<()> {
        while self.flush()? && !output.is_empty() && self.session.encrypt(output)? {}
        Ok(())
    }

    /// Returns whether ciphertext is waiting for the socket; never after a failed write.
    pub fn has_output(&self) -> bool {
        self.session.has_output()
    }

    /// Returns the peer's address.
    ///
    /// # Errors
    /// When the peer has disconnected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// Returns the local address.
    ///
    /// # Errors
    /// The socket's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Returns the two directions, to wait for both at once.
    pub fn split(&mut self) -> (TlsReader<'_>, WriteHalf<'_>) {
        let Self { socket, session } = self;
        let (socket, outgoing) = socket.split();
        (TlsReader { socket, session }, outgoing)
    }

    /// Sends the waiting ciphertext. Returns true when none is left.
    fn flush(&mut self) -> io::Result<bool> {
        let Self { socket, session } = self;
        session.send(&mut SocketWriter(socket))
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        self.session.send_close_notify();
        // An error means that the peer has disconnected already.
        self.flush().ok();
    }
}

/// The reading half of a [`TlsStream`].
pub struct TlsReader<'a> {
    socket: ReadHalf<'a>,
    session: &'a mut TlsSession,
}

impl TlsReader<'_> {
    /// Waits for plaintext and appends it to `into`. Returns 0 at the end. Cancel safe: no bytes are
    /// lost when the future is dropped.
    ///
    /// # Errors
    /// `InvalidData` on a TLS error, or the socket's error.
    pub async fn read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|context| self.poll_read(context, into)).await
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let Self { socket, session } = self;
        let read = session.read(into, |buf| receive(socket, context, buf));
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            read => Poll::Ready(read),
        }
    }
}

/// Reads ciphertext without blocking. After a short read a poll knows that the socket is empty;
/// `try_read` would need another system call to find out.
fn receive(
    socket: &mut (impl AsyncRead + Unpin),
    context: &mut Context<'_>,
    buf: &mut [u8],
) -> io::Result<usize> {
    let mut buf = ReadBuf::new(buf);
    match Pin::new(socket).poll_read(context, &mut buf) {
        Poll::Ready(read) => read.map(|()| buf.filled().len()),
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The writing half, as rustls writes to it.
struct SocketWriter<'a>(&'a TcpStream);

impl Write for SocketWriter<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.try_write(from)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
