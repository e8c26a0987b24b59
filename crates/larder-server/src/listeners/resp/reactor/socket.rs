//! A client's bare socket. The [rounds](super::event_loop) of its worker learn what it is ready for,
//! once for every change; what they have noted stays true until somebody has used it up.

use super::scheduler::WorkerShared;
use crate::listeners::resp::proxy::client::Ready;
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
    /// It took less than it was given: there is a word when it takes more.
    is_full: bool,
}

pub(crate) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

/// What a socket is ready for, as far as it is known, and who waits for more.
#[derive(Default)]
pub(crate) struct Readiness {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// Nothing comes after what can be read now.
    ends: Cell<bool>,
    /// Something has been read.
    active: Cell<bool>,
    /// Whoever waits is to look again.
    woken: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Readiness {
    /// The socket has changed.
    pub(crate) fn note(&self, event: &Event) {
        let ends = event.is_read_closed() || event.is_error();
        self.ends.set(self.ends.get() || ends);
        self.readable.set(self.readable.get() || event.is_readable() || ends);
        self.writable.set(self.writable.get() || event.is_writable() || event.is_write_closed());
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readable.get()
    }

    /// Whoever waits is to look again.
    pub(crate) fn wake(&self) {
        self.woken.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether something has been read since this was asked last.
    pub(crate) fn take_activity(&self) -> bool {
        self.active.take()
    }

    /// Forgets the calls so far.
    pub(crate) fn clear_wake(&self) {
        self.woken.set(false);
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.woken.get()
    }

    /// Has `context` told of the next call.
    pub(crate) fn wait(&self, context: &Context<'_>) {
        self.waker.set(Some(context.waker().clone()));
    }
}

impl Socket {
    /// A socket that does not block, from now on known to the rounds as `token`.
    pub(crate) fn register(
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

    /// Reads what is there; 0 at the end.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if !self.readiness.readable.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = self.stream.read(room);
        // What is less than there is room for was all: trying again would cost a call.
        let is_all = read.as_ref().map_or_else(is_not_yet, |&read| read < room.len());
        match read {
            Ok(0) => self.readiness.ends.set(true),
            Ok(_) => self.readiness.active.set(true),
            Err(_) => {}
        }
        self.readiness.readable.set(!is_all || self.readiness.ends.get());
        self.shared.charge(read.as_ref().map_or(0, |&read| read));
        read
    }

    /// Writes as much as is taken, and says how much that is.
    pub(crate) fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while let Some(rest) = from.get(written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_not_yet(&error) => break,
                Err(error) => return Err(error),
            }
        }
        self.set_full(written < from.len())?;
        Ok(written)
    }

    /// As [`Socket::write`]; what was taken leaves `output`.
    pub(crate) fn flush(&mut self, output: &mut BytesMut) -> io::Result<()> {
        if !output.is_empty() {
            let written = self.write(output)?;
            output.advance(written);
        }
        Ok(())
    }

    /// Room is asked for only while there is none: to be told of it whenever a client has read a
    /// reply would wake the worker up for nothing.
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

    /// Waits until bytes could be read into `input`, if there is one, or what waits can be written,
    /// if `write`.
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
                    Err(error) if is_not_yet(&error) => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            if write && self.readiness.writable.take() {
                return Poll::Ready(Ok(Ready::Write));
            }
            self.readiness.wait(context);
            Poll::Pending
        })
        .await
    }

    fn read_into(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        let shared = Rc::clone(&self.shared);
        let mut room = shared.read_buf();
        let read = self.read(&mut room)?;
        input.extend_from_slice(room.get(..read).unwrap_or_default());
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

    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::Tcp(stream) => stream.read(room),
                Self::Unix(stream) => stream.read(room),
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

/// Whether there is nothing to be had now, and nothing wrong.
pub(crate) fn is_not_yet(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
