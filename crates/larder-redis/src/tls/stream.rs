//! A TCP stream with a TLS session on it.

use super::session::TlsSession;
use bytes::BytesMut;
use rustls::Connection;
use std::{
    future::poll_fn,
    io::{self, IoSlice, Write},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

/// A TCP stream whose bytes are encrypted on the way. Dropping it says goodbye (`close_notify`), as
/// far as the socket takes that at once.
///
/// Unlike a bare socket it may have taken plaintext whose ciphertext still waits: whoever writes
/// must wait for [`TlsStream::writable`] and flush again while [`TlsStream::has_output`].
pub struct TlsStream {
    socket: TcpStream,
    session: TlsSession,
}

impl TlsStream {
    pub(super) fn new(socket: TcpStream, rustls: Connection) -> Self {
        Self { socket, session: TlsSession::new(rustls) }
    }

    /// Shakes hands. Waits as long as the other side does: the caller sets a limit, and drops the
    /// stream when that is over.
    ///
    /// # Errors
    /// When the other side is not trusted, does not trust this one, speaks no TLS, or leaves.
    pub async fn handshake(&mut self) -> io::Result<()> {
        loop {
            let sent = self.flush();
            if !self.session.is_handshaking() {
                return sent.map(drop);
            }
            // Who takes nothing any more may have said why: that is to be read first.
            tokio::select! {
                ready = self.socket.readable() => ready?,
                ready = self.socket.writable(), if self.has_output() => ready?,
            }
            let Self { socket, session } = self;
            match session.handshake(|buf| socket.try_read(buf)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => outcome?,
            }
        }
    }

    /// Waits until something may be read.
    ///
    /// # Errors
    /// When the runtime is gone.
    pub async fn readable(&self) -> io::Result<()> {
        if self.session.has_input() {
            return Ok(());
        }
        self.socket.readable().await
    }

    /// Waits until something may be written.
    ///
    /// # Errors
    /// When the runtime is gone.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Puts the plaintext that is there into `into`; 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, `InvalidData` when what came is not sound, or the socket's.
    pub fn try_read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        let Self { socket, session } = self;
        session.read(into, |buf| socket.try_read(buf))
    }

    /// Takes plaintext from `output` and sends its ciphertext, as long as the socket takes it.
    ///
    /// # Errors
    /// The socket's.
    pub fn write(&mut self, output: &mut BytesMut) -> io::Result<()> {
        while self.flush()? && !output.is_empty() && self.session.encrypt(output)? {}
        Ok(())
    }

    /// Whether ciphertext waits for the socket. Nothing does once writing has failed.
    pub fn has_output(&self) -> bool {
        self.session.has_output()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// When it is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The socket's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The two directions, to wait for both at once.
    pub fn split(&mut self) -> (TlsReader<'_>, WriteHalf<'_>) {
        let Self { socket, session } = self;
        let (socket, outgoing) = socket.split();
        (TlsReader { socket, session }, outgoing)
    }

    /// Sends the ciphertext that waits. True when none is left.
    fn flush(&mut self) -> io::Result<bool> {
        let Self { socket, session } = self;
        session.send(&mut SocketWriter(socket))
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        self.session.send_close_notify();
        // Who is gone needs no goodbye.
        self.flush().ok();
    }
}

/// What comes on a [`TlsStream`].
pub struct TlsReader<'a> {
    socket: ReadHalf<'a>,
    session: &'a mut TlsSession,
}

impl TlsReader<'_> {
    /// Waits for plaintext and puts it into `into`; 0 at the end. Nothing is lost when the future
    /// is dropped before.
    ///
    /// # Errors
    /// `InvalidData` when what came is not sound, or the socket's.
    pub async fn read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|context| self.poll_read(context, into)).await
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let Self { socket, session } = self;
        // Polled rather than tried: it knows from a short read that there is no more, where trying
        // again would cost a call.
        let read = session.read(into, |buf| {
            let mut buf = ReadBuf::new(buf);
            match Pin::new(&mut *socket).poll_read(context, &mut buf) {
                Poll::Ready(read) => read.map(|()| buf.filled().len()),
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            read => Poll::Ready(read),
        }
    }
}

/// The way out, as rustls writes to it.
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
