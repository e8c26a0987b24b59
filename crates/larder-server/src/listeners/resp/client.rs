//! The client's end: a TCP or a unix socket, or TLS over TCP.

use super::embedded::Ends;
use bytes::{Buf, BytesMut};
use larder_redis::tls::{ServerTls, TlsStream};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// How long a client may take to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) enum Client {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    Unix(UnixStream),
}

/// A socket on its way from the acceptor to the worker that will serve it.
pub(super) enum Accepted {
    Tcp(std::net::TcpStream),
    Tls(std::net::TcpStream, ServerTls),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Joins the runtime of the current worker.
    pub(super) fn settle(self) -> io::Result<Client> {
        match self {
            Self::Tcp(stream) => Ok(Client::Tcp(TcpStream::from_std(stream)?)),
            Self::Tls(stream, tls) => {
                Ok(Client::Tls(Box::new(tls.accept(TcpStream::from_std(stream)?)?)))
            }
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
    /// Does what comes before the first command.
    pub(super) async fn shake_hands(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => timeout(HANDSHAKE_TIMEOUT, stream.shake_hands()).await?,
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
        }
    }

    /// Waits until bytes could be read into `input`, if there is one, or what waits can be written,
    /// if `write`. One of both must be asked for.
    pub(super) async fn wait(
        &mut self,
        input: Option<&mut BytesMut>,
        write: bool,
    ) -> io::Result<Ready> {
        // Reading a bare socket knows from a short read that there is no more, where trying again
        // would cost a call; so does that of TLS.
        match self {
            Self::Tcp(stream) => {
                let (mut reader, writer) = stream.split();
                wait(input.map(|input| reader.read_buf(input)), writer.writable(), write).await
            }
            Self::Tls(stream) => {
                let (mut incoming, writer) = stream.split();
                wait(input.map(|input| incoming.read(input)), writer.writable(), write).await
            }
            Self::Unix(stream) => {
                let (mut reader, writer) = stream.split();
                wait(input.map(|input| reader.read_buf(input)), writer.writable(), write).await
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
            Self::Tls(stream) => {
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
    pub(super) fn flush(&mut self, output: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => flush(output, |from| stream.try_write(from)),
            Self::Tls(stream) => stream.write(output),
            Self::Unix(stream) => flush(output, |from| stream.try_write(from)),
        }
    }

    /// Whether bytes that [`Client::flush`] took are still to be sent.
    pub(super) fn has_output(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.has_output())
    }
}

fn flush(output: &mut BytesMut, try_write: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<()> {
    while !output.is_empty() {
        match try_write(output) {
            Ok(written) => output.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn wait(
    read: Option<impl Future<Output = io::Result<usize>>>,
    writable: impl Future<Output = io::Result<()>>,
    write: bool,
) -> io::Result<Ready> {
    let read = async {
        match read {
            Some(read) => read.await,
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
