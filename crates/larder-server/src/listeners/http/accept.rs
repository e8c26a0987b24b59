//! Connections: accepted up to `maxclients`, served by hyper, drained at the end.

use super::{
    Shared, coalescing_io::CoalescingIo, fast_path::FastPath, head_timer::HeadTimer,
    limit::ConcurrencyLimit, router,
};
use crate::app::App;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, header::CONNECTION};
use hyper::server::conn::http1;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

/// How long a client may take to send a request's head, or to begin another one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that a request's head may have.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// How long a client may leave an answer unread.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long clients have to hear that they are to leave, before idle connections are closed.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// How often a draining server looks whether all have left.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How long to wait when no connection can be accepted, as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `draining` turns true, then until the requests at work have been answered.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    mut draining: watch::Receiver<bool>,
) {
    let limit = ConcurrencyLimit::new(&app.config().http);
    let service = FastPath::new(Arc::clone(&app), router(&app, &limit));
    let clients = Arc::new(Semaphore::new(app.config().maxclients));
    let open = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            // Told, or the one who tells is gone.
            _ = draining.wait_for(|&draining| draining) => break,
            stream = accept(&listener, &clients) => stream,
        };
        if let Some((stream, permit)) = stream {
            tokio::spawn(serve_connection(stream, permit, service.clone(), open.watcher()));
        }
    }
    drop(listener);
    // Connections that stay open meanwhile may ask once more, for /readyz above all.
    limit.idle().await;
    // Who asks again and again hears it with an answer: what was sent meanwhile is not lost.
    let all_gone = async {
        while open.count() > 0 {
            sleep(POLL_INTERVAL).await;
        }
    };
    timeout(CLOSE_GRACE, all_gone).await.ok();
    open.shutdown().await;
}

/// Tells clients of a draining server to take their next request elsewhere.
pub(super) async fn close_when_draining(
    State(app): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if app.health().is_draining() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
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
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
    app: FastPath,
    open: Watcher,
) {
    if let Err(error) = set_socket_options(&stream) {
        tracing::debug!(%error, "cannot set the options of a connection");
    }
    let connection = http1::Builder::new()
        .timer(HeadTimer::default())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(CoalescingIo::new(stream), app);
    if let Err(error) = open.watch(connection).await {
        tracing::debug!(%error, "connection ended");
    }
}

fn set_socket_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // The kernel ends a connection whose client is gone, or does not read.
    SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD_TIMEOUT))
}
