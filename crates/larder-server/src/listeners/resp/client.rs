//! The client's end: a TCP or a unix socket.

use bytes::{Buf, BytesMut};
use std::io;
use tokio::net::{TcpStream, UnixStream};

pub(super) enum Client {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket on its way from the acceptor to the worker that will serve it.
pub(super) enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Joins the runtime of the current worker.
    pub(super) fn settle(self) -> io::Result<Client> {
        match self {
            Self::Tcp(stream) => Ok(Client::Tcp(TcpStream::from_std(stream)?)),
            Self::Unix(stream) => Ok(Client::Unix(UnixStream::from_std(stream)?)),
        }
    }
}

impl Client {
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
        }
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.writable().await,
            Self::Unix(stream) => stream.writable().await,
        }
    }

    /// Reads what is there. False when nothing was; the end of the stream is an error.
    pub(super) fn receive(&self, into: &mut BytesMut) -> io::Result<bool> {
        let read = match self {
            Self::Tcp(stream) => stream.try_read_buf(into),
            Self::Unix(stream) => stream.try_read_buf(into),
        };
        match read {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes as much as the socket takes.
    pub(super) fn flush(&self, output: &mut BytesMut) -> io::Result<()> {
        while !output.is_empty() {
            let written = match self {
                Self::Tcp(stream) => stream.try_write(output),
                Self::Unix(stream) => stream.try_write(output),
            };
            match written {
                Ok(written) => output.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
