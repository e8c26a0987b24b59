//! A client's plain socket. The [event loop](super::event_loop) records what the socket is ready
//! for once per change; the record holds until a read or a write uses it up.

use super::scheduler::WorkerShared;
use bytes::{Buf, BytesMut};
use mio::{
    Interest, Token,
    event::{Event, Source},
};
use std::{
    cell::Cell,
    future::poll_fn,
    io::{self, Read, Write},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// See the [module](self).
pub(crate) struct Socket {
    stream: Stream,
    token: Token,
    readiness: Rc<Readiness>,
    shared: Rc<WorkerShared>,
    /// The last write was short; the event loop reports when more can be written.
    is_full: bool,
}

pub(crate) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

/// What a wait on a socket ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Bytes were read.
    Read,
    /// More can be written.
    Write,
    /// The peer will send nothing more.
    End,
}

/// What a socket is known to be ready for, and the task to wake on a change.
#[derive(Default)]
pub(super) struct Readiness {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// What can be read now is the last.
    ended: Cell<bool>,
    /// Bytes have been read since [`Readiness::take_activity`].
    active: Cell<bool>,
    /// The task has been woken.
    woken: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Readiness {
    /// Records a change of the socket.
    pub(super) fn record(&self, event: &Event) {
        let ended = event.is_read_closed() || event.is_error();
        self.ended.set(self.ended.get() || ended);
        self.readable.set(self.readable.get() || event.is_readable() || ended);
        self.writable.set(self.writable.get() || event.is_writable() || event.is_write_closed());
    }

    pub(super) fn is_readable(&self) -> bool {
        self.readable.get()
    }

    /// Wakes the task.
    pub(super) fn wake(&self) {
        self.woken.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Returns whether anything has been read since the last call.
    pub(super) fn take_activity(&self) -> bool {
        self.active.take()
    }

    pub(super) fn clear_wake(&self) {
        self.woken.set(false);
    }

    pub(super) fn is_woken(&self) -> bool {
        self.woken.get()
    }

    /// Registers the task that the next [`Readiness::wake`] wakes.
    pub(super) fn set_waker(&self, context: &Context<'_>) {
        self.waker.set(Some(context.waker().clone()));
    }
}

impl Socket {
    /// Registers a non-blocking stream with the event loop as `token`.
    pub(super) fn register(
        mut stream: Stream,
        token: Token,
        readiness: Rc<Readiness>,
        shared: Rc<WorkerShared>,
    ) -> io::Result<Self> {
        stream.source().register(shared.registry(), token, Interest::READABLE)?;
        Ok(Self { stream, token, readiness, shared, is_full: false })
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Reads what has arrived; returns 0 at the end of the stream.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.readiness.readable.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = self.stream.read(buf);
        // A short read emptied the socket: another read would be a system call for nothing.
        let is_all = read.as_ref().map_or_else(is_would_block, |&read| read < buf.len());
        match read {
            Ok(0) => self.readiness.ended.set(true),
            Ok(_) => self.readiness.active.set(true),
            Err(_) => {}
        }
        self.readiness.readable.set(!is_all || self.readiness.ended.get());
        self.shared.charge(read.as_ref().map_or(0, |&read| read));
        read
    }

    /// Writes as much as the socket accepts and returns the number of bytes.
    pub(crate) fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while let Some(rest) = from.get(written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_would_block(&error) => break,
                Err(error) => return Err(error),
            }
        }
        self.set_full(written < from.len())?;
        Ok(written)
    }

    /// Writes as much of `output` as the socket accepts, and removes it from `output`.
    pub(crate) fn flush(&mut self, output: &mut BytesMut) -> io::Result<()> {
        if !output.is_empty() {
            let written = self.write(output)?;
            output.advance(written);
        }
        Ok(())
    }

    /// Asks for writability events only while the socket is full. Otherwise the worker would be
    /// woken each time that a client has read a reply.
    fn set_full(&mut self, is_full: bool) -> io::Result<()> {
        if self.is_full == is_full {
            return Ok(());
        }
        self.is_full = is_full;
        self.readiness.writable.set(false);
        let interest = match is_full {
            true => Interest::READABLE.add(Interest::WRITABLE),
            false => Interest::READABLE,
        };
        self.stream.source().reregister(self.shared.registry(), self.token, interest)
    }

    /// Waits until bytes have been read into `input`, if it is given, or until more can be written,
    /// if `write` is true.
    pub(crate) async fn wait(
        &mut self,
        mut input: Option<&mut BytesMut>,
        write: bool,
    ) -> io::Result<Ready> {
        poll_fn(|context| {
            if let Some(input) = &mut input {
                match self.read_into(input) {
                    Ok(0) => return Poll::Ready(Ok(Ready::End)),
                    Ok(_) => return Poll::Ready(Ok(Ready::Read)),
                    Err(error) if is_would_block(&error) => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            if write && self.readiness.writable.take() {
                return Poll::Ready(Ok(Ready::Write));
            }
            self.readiness.set_waker(context);
            Poll::Pending
        })
        .await
    }

    fn read_into(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        let shared = Rc::clone(&self.shared);
        let mut buf = shared.read_buf();
        let read = self.read(&mut buf)?;
        input.extend_from_slice(buf.get(..read).unwrap_or_default());
        Ok(read)
    }
}

impl Stream {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::Tcp(stream) => stream.read(buf),
                Self::Unix(stream) => stream.read(buf),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(from),
            Self::Unix(stream) => stream.write(from),
        }
    }
}

/// Returns whether the operation failed only because the socket is not ready.
pub(super) fn is_would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
