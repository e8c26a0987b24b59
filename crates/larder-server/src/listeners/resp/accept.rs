//! Accepts clients in one task and distributes them among the [workers](super::workers).

use super::{
    proxy::{client::Accepted, context::ProxyContext},
    workers::{NewClient, Workers},
};
use crate::{
    app::App,
    config::RespConfig,
    listeners::{LogLimit, listen},
};
use larder_redis::tls::ServerTls;
use larder_resp::reply;
use socket2::{SockRef, TcpKeepalive};
use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
};

/// Pause after a failed accept, as when no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Keepalive interval of idle clients, as in Redis.
const KEEPALIVE: Duration = Duration::from_mins(5);

/// The open sockets.
pub(crate) struct Listeners {
    tcp: Option<TcpListener>,
    tls: Option<(TcpListener, ServerTls)>,
    unix: Option<UnixListener>,
}

impl Listeners {
    /// Opens the sockets that the configuration asks for. Only the default port may be in use by
    /// another program; everything that was configured must open.
    pub(crate) fn bind(config: &RespConfig) -> io::Result<Self> {
        let tcp = match config.address {
            Some(address) if config.address_is_explicit => Some(listen(address)?),
            Some(address) => listen_unless_in_use(address)?,
            None => None,
        };
        let tls = match &config.tls {
            Some(tls) => Some((listen(tls.address)?, tls.server.clone())),
            None => None,
        };
        let unix = match &config.unixsocket {
            Some(path) => {
                remove_stale(path);
                Some(UnixListener::bind(path)?)
            }
            None => None,
        };
        Ok(Self { tcp, tls, unix })
    }

    /// Returns whether any socket is open.
    pub(crate) fn are_open(&self) -> bool {
        self.tcp.is_some() || self.tls.is_some() || self.unix.is_some()
    }

    /// Returns the address of the listener for plain TCP, if it is open.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref()?.local_addr().ok()
    }

    async fn accept(&self) -> io::Result<Accepted> {
        tokio::select! {
            tcp = accept_tcp(self.tcp.as_ref()) => tcp.map(Accepted::Tcp),
            tls = accept_tls(self.tls.as_ref()) => tls,
            unix = accept_unix(self.unix.as_ref()) => unix,
        }
    }
}

fn listen_unless_in_use(address: SocketAddr) -> io::Result<Option<TcpListener>> {
    match listen(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            tracing::warn!(%address, "the default port is in use: not listening on it; see --port");
            Ok(None)
        }
        listener => listener.map(Some),
    }
}

async fn accept_tcp(listener: Option<&TcpListener>) -> io::Result<std::net::TcpStream> {
    let Some(listener) = listener else { return std::future::pending().await };
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    stream.into_std()
}

async fn accept_tls(listener: Option<&(TcpListener, ServerTls)>) -> io::Result<Accepted> {
    let Some((listener, tls)) = listener else { return std::future::pending().await };
    Ok(Accepted::Tls(accept_tcp(Some(listener)).await?, tls.clone()))
}

async fn accept_unix(listener: Option<&UnixListener>) -> io::Result<Accepted> {
    let Some(listener) = listener else { return std::future::pending().await };
    let (stream, _) = listener.accept().await?;
    Ok(Accepted::Unix(stream.into_std()?))
}

/// Removes a socket file that a killed process has left behind.
fn remove_stale(path: &std::path::Path) {
    use std::os::unix::{fs::FileTypeExt, net::UnixStream};
    let is_socket = path.symlink_metadata().is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err() {
        // If this fails, so does binding.
        std::fs::remove_file(path).ok();
    }
}

/// Serves until `draining` turns true, then until the workers have sent the last replies.
pub(crate) async fn serve(
    (listeners, workers): (Listeners, Workers),
    app: Arc<App>,
    mut draining: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(app.config().maxclients));
    let context = Arc::new(ProxyContext::new(app));
    let workers = workers.start(&context, &draining);
    let (mut failures, mut refusals) = (LogLimit::default(), LogLimit::default());
    let mut next = workers.iter().cycle();
    loop {
        let accepted = tokio::select! {
            // Shutdown was signalled, or its sender was dropped.
            _ = draining.wait_for(|&draining| draining) => break,
            accepted = listeners.accept() => accepted,
        };
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(times) = failures.count() {
                    tracing::warn!(%error, times, "cannot accept Redis clients");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let permit = Arc::clone(&permits).try_acquire_owned().ok();
        let Some(permits) = permit.zip(context.take_descriptor()) else {
            context.stats().client_rejected();
            reject(accepted, b"ERR max number of clients reached");
            if let Some(times) = refusals.count() {
                tracing::warn!(times, "refused Redis clients: see maxclients and ulimit -n");
            }
            continue;
        };
        if let Some(worker) = next.next() {
            worker.send(NewClient { accepted, permits }).await;
        }
    }
    drop(listeners);
    for worker in workers {
        worker.finish().await;
    }
}

/// Sends an error, if the socket accepts it, and closes the connection.
fn reject(accepted: Accepted, why: &[u8]) {
    let mut text = bytes::BytesMut::new();
    reply::error(&mut text, why);
    // The client may be gone already.
    match accepted {
        Accepted::Tcp(mut stream) => stream.write(&text).ok(),
        // There is no session yet to encrypt it with.
        Accepted::Tls(..) => None,
        Accepted::Unix(mut stream) => stream.write(&text).ok(),
    };
}
