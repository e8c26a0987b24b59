//! Connections: accepted up to `maxclients`, served by hyper, drained at the end.

use super::router;
use crate::larder::Larder;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that a request's head may have.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// How long to wait when no connection can be accepted, as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `draining` turns true, then until the requests at work have been answered.
pub(crate) async fn serve(
    listener: TcpListener,
    larder: Arc<Larder>,
    mut draining: watch::Receiver<bool>,
) {
    let app = router(&larder);
    let clients = Arc::new(Semaphore::new(larder.plan().maxclients));
    let open = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            // Told, or the one who tells is gone.
            _ = draining.wait_for(|&draining| draining) => break,
            stream = accept(&listener, &clients) => stream,
        };
        if let Some((stream, permit)) = stream {
            tokio::spawn(converse(stream, permit, app.clone(), open.watcher()));
        }
    }
    drop(listener);
    open.shutdown().await;
}

/// The next client for whom there is room. One too many is not accepted: it waits in the kernel's
/// queue.
async fn accept(
    listener: &TcpListener,
    clients: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(clients).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn converse(stream: TcpStream, _permit: OwnedSemaphorePermit, app: Router, open: Watcher) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    if let Err(error) = open.watch(connection).await {
        tracing::debug!(%error, "connection ended");
    }
}
