//! A client's socket: TCP, TLS over TCP, or a unix socket.

use crate::listeners::resp::reactor::{
    event_loop::{EventLoop, Registration},
    handler::Handler,
    socket::{Ready, Socket, Stream},
};
use bytes::BytesMut;
use larder_redis::tls::{ServerTls, TlsStream};
use std::{io, net::SocketAddr, rc::Rc, time::Duration};
use tokio::{net::TcpStream, time::timeout};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) enum Client {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

/// A socket on its way from the acceptor to its worker.
pub(crate) enum Accepted {
    Tcp(std::net::TcpStream),
    Tls(std::net::TcpStream, ServerTls),
    Unix(std::os::unix::net::UnixStream),
}

/// The addresses of both ends of a connection.
pub(crate) struct PeerAddrs {
    pub(crate) remote: String,
    pub(crate) local: String,
}

impl Accepted {
    /// Registers the socket with the worker that runs this. A plain socket joins its event loop.
    pub(crate) fn register<H: Handler>(
        self,
        event_loop: &Rc<EventLoop<H>>,
    ) -> io::Result<(Client, Option<Registration<H>>)> {
        let stream = match self {
            Self::Tls(stream, tls) => {
                let stream = tls.accept(TcpStream::from_std(stream)?)?;
                return Ok((Client::Tls(Box::new(stream)), None));
            }
            Self::Tcp(stream) => Stream::Tcp(mio::net::TcpStream::from_std(stream)),
            Self::Unix(stream) => Stream::Unix(mio::net::UnixStream::from_std(stream)),
        };
        let (socket, registration) = event_loop.register(stream)?;
        Ok((Client::Plain(socket), Some(registration)))
    }
}

impl Client {
    /// Completes the TLS handshake, if there is one.
    pub(crate) async fn handshake(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => timeout(HANDSHAKE_TIMEOUT, stream.handshake()).await?,
            Self::Plain(_) => Ok(()),
        }
    }

    /// Waits until bytes have been read into `input`, if it is given, or until more can be written,
    /// if `write` is true. At least one of them must be asked for.
    pub(super) async fn wait(
        &mut self,
        input: Option<&mut BytesMut>,
        write: bool,
    ) -> io::Result<Ready> {
        match self {
            Self::Plain(socket) => socket.wait(input, write).await,
            Self::Tls(stream) => wait_for_tls(stream, input, write).await,
        }
    }

    /// Returns the addresses as CLIENT LIST shows them.
    pub(super) fn addrs(&self) -> PeerAddrs {
        match self {
            Self::Plain(socket) => match socket.stream() {
                Stream::Tcp(stream) => {
                    PeerAddrs { remote: text(stream.peer_addr()), local: text(stream.local_addr()) }
                }
                Stream::Unix(stream) => {
                    let path = stream
                        .local_addr()
                        .ok()
                        .and_then(|addr| Some(addr.as_pathname()?.display().to_string()));
                    let local = format!("{}:0", path.unwrap_or_default());
                    PeerAddrs { remote: local.clone(), local }
                }
            },
            Self::Tls(stream) => {
                PeerAddrs { remote: text(stream.peer_addr()), local: text(stream.local_addr()) }
            }
        }
    }

    /// Writes as much as the socket accepts.
    pub(super) fn flush(&mut self, output: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(output),
            Self::Tls(stream) => stream.write(output),
        }
    }

    /// Returns whether bytes that [`Client::flush`] took are still to be sent.
    pub(super) fn has_output(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.has_output())
    }
}

fn text(addr: io::Result<SocketAddr>) -> String {
    addr.map_or_else(|_| "?:0".into(), |addr| addr.to_string())
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
