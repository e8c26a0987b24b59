//! The client's end: a TCP or a unix socket.

use super::embedded::Ends;
use bytes::{Buf, BytesMut};
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpStream, UnixStream},
};

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

/// What a client's socket was ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Bytes were read.
    Read,
    /// Something can be written.
    Write,
    /// The client will send no more.
    End,
}

impl Client {
    /// Waits until bytes could be read into `input`, if there is one, or what waits can be written,
    /// if `write`. One of both must be asked for.
    pub(super) async fn wait(
        &mut self,
        input: Option<&mut BytesMut>,
        write: bool,
    ) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => {
                let (reader, writer) = stream.split();
                wait(reader, writer.writable(), input, write).await
            }
            Self::Unix(stream) => {
                let (reader, writer) = stream.split();
                wait(reader, writer.writable(), input, write).await
            }
        }
    }

    /// The addresses of both ends, as `CLIENT LIST` shows them.
    pub(super) fn ends(&self) -> Ends {
        let text = |address: io::Result<SocketAddr>| {
            address.map_or_else(|_| "?:0".into(), |it| it.to_string())
        };
        match self {
            Self::Tcp(stream) => {
                Ends { theirs: text(stream.peer_addr()), ours: text(stream.local_addr()) }
            }
            Self::Unix(stream) => {
                let path = stream
                    .local_addr()
                    .ok()
                    .and_then(|at| Some(at.as_pathname()?.display().to_string()));
                let ours = format!("{}:0", path.unwrap_or_default());
                Ends { theirs: ours.clone(), ours }
            }
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

async fn wait(
    mut reader: impl AsyncRead + Unpin,
    writable: impl Future<Output = io::Result<()>>,
    input: Option<&mut BytesMut>,
    write: bool,
) -> io::Result<Ready> {
    let read = async {
        match input {
            // Knows from a short read that there is no more, where trying again would cost a call.
            Some(input) => reader.read_buf(input).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        read = read => match read? {
            0 => Ok(Ready::End),
            _ => Ok(Ready::Read),
        },
        ready = writable, if write => ready.map(|()| Ready::Write),
    }
}
