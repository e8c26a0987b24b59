//! A byte stream to Redis: TCP, a Unix socket, or TLS over TCP.

use crate::{
    tls::TlsStream,
    url::{Endpoint, RedisUrl},
};
use bytes::{Buf, BytesMut};
use std::{
    io,
    pin::pin,
    task::{Context, Poll, Waker},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpStream, UnixStream},
};

pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    Unix(UnixStream),
}

impl Stream {
    /// Connects to the URL's endpoint and completes the TLS handshake, if it has one.
    pub(crate) async fn connect(url: &RedisUrl) -> io::Result<Self> {
        match &url.endpoint {
            Endpoint::Tcp { host, port } => Ok(Self::Tcp(connect_tcp(host, *port).await?)),
            Endpoint::Tls { host, port } => {
                let Some(tls) = &url.tls else {
                    return Err(io::Error::other("no trusted root certificates are configured"));
                };
                let socket = connect_tcp(host, *port).await?;
                Ok(Self::Tls(Box::new(tls.connect(socket, host).await?)))
            }
            Endpoint::Unix(path) => Ok(Self::Unix(UnixStream::connect(path).await?)),
        }
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Tls(stream) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
        }
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.writable().await,
            Self::Tls(stream) => stream.writable().await,
            Self::Unix(stream) => stream.writable().await,
        }
    }

    pub(crate) fn try_read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => poll_once(stream.read_buf(into)),
            Self::Tls(stream) => stream.try_read(into),
            Self::Unix(stream) => poll_once(stream.read_buf(into)),
        }
    }

    /// Writes as much of `output` as the stream accepts.
    pub(crate) fn write(&mut self, output: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => write(output, |from| stream.try_write(from)),
            Self::Tls(stream) => stream.write(output),
            Self::Unix(stream) => write(output, |from| stream.try_write(from)),
        }
    }

    /// Returns whether bytes that [`Stream::write`] took are still waiting to be sent.
    pub(crate) fn has_output(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.has_output())
    }

    /// Returns whether this is TCP without TLS.
    pub(crate) fn is_plain_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }
}

/// Reads without blocking. After a short read a poll knows that the socket is empty; `try_read`
/// would need another system call to find out.
fn poll_once(read: impl Future<Output = io::Result<usize>>) -> io::Result<usize> {
    match pin!(read).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(read) => read,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn write(output: &mut BytesMut, try_write: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<()> {
    while !output.is_empty() {
        match try_write(output) {
            Ok(written) => output.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
