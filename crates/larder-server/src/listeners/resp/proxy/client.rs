//! The client's end: a TCP or a unix socket, or TLS over TCP.

use crate::listeners::resp::{
    embedded::PeerAddrs,
    reactor::{
        event_loop::{EventLoop, Registration},
        socket::{Socket, Stream},
    },
};
use bytes::BytesMut;
use larder_redis::tls::{ServerTls, TlsStream};
use std::{io, net::SocketAddr, rc::Rc, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// How long a client may take to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) enum Client {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

/// A socket on its way from the acceptor to the worker that will serve it.
pub(crate) enum Accepted {
    Tcp(std::net::TcpStream),
    Tls(std::net::TcpStream, ServerTls),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Joins the runtime of the current worker, and its rounds, if they can tell what has come.
    pub(crate) fn settle(
        self,
        event_loop: &Rc<EventLoop>,
    ) -> io::Result<(Client, Option<Registration>)> {
        let stream = match self {
            Self::Tls(stream, tls) => {
                let stream = tls.accept(TcpStream::from_std(stream)?)?;
                return Ok((Client::Tls(Box::new(stream)), None));
            }
            Self::Tcp(stream) => Stream::Tcp(mio::net::TcpStream::from_std(stream)),
            Self::Unix(stream) => Stream::Unix(mio::net::UnixStream::from_std(stream)),
        };
        let (socket, registration) = event_loop.join(stream)?;
        Ok((Client::Plain(socket), Some(registration)))
    }
}

/// What a client's socket was ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Bytes were read.
    Read,
    /// Something can be written.
    Write,
    /// The client will send no more.
    End,
}

impl Client {
    /// Does what comes before the first command.
    pub(crate) async fn handshake(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => timeout(HANDSHAKE_TIMEOUT, stream.handshake()).await?,
            Self::Plain(_) => Ok(()),
        }
    }

    /// Waits until bytes could be read into `input`, if there is one, or what waits can be written,
    /// if `write`. One of both must be asked for.
    pub(crate) async fn wait(
        &mut self,
        input: Option<&mut BytesMut>,
        write: bool,
    ) -> io::Result<Ready> {
        match self {
            Self::Plain(socket) => socket.wait(input, write).await,
            Self::Tls(stream) => wait_for_tls(stream, input, write).await,
        }
    }

    /// The addresses of both ends, as `CLIENT LIST` shows them.
    pub(crate) fn addrs(&self) -> PeerAddrs {
        match self {
            Self::Plain(socket) => match socket.stream() {
                Stream::Tcp(stream) => {
                    PeerAddrs { remote: text(stream.peer_addr()), local: text(stream.local_addr()) }
                }
                Stream::Unix(stream) => {
                    let path = stream
                        .local_addr()
                        .ok()
                        .and_then(|at| Some(at.as_pathname()?.display().to_string()));
                    let local = format!("{}:0", path.unwrap_or_default());
                    PeerAddrs { remote: local.clone(), local }
                }
            },
            Self::Tls(stream) => {
                PeerAddrs { remote: text(stream.peer_addr()), local: text(stream.local_addr()) }
            }
        }
    }

    /// Writes as much as the socket takes.
    pub(crate) fn flush(&mut self, output: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(output),
            Self::Tls(stream) => stream.write(output),
        }
    }

    /// Whether bytes that [`Client::flush`] took are still to be sent.
    pub(crate) fn has_output(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.has_output())
    }
}

fn text(address: io::Result<SocketAddr>) -> String {
    address.map_or_else(|_| "?:0".into(), |address| address.to_string())
}

async fn wait_for_tls(
    stream: &mut TlsStream,
    input: Option<&mut BytesMut>,
    write: bool,
) -> io::Result<Ready> {
    let (mut incoming, writer) = stream.split();
    let read = async {
        match input {
            Some(input) => incoming.read(input).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        read = read => match read? {
            0 => Ok(Ready::End),
            _ => Ok(Ready::Read),
        },
        ready = writer.writable(), if write => ready.map(|()| Ready::Write),
    }
}
