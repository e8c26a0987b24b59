//! Connections: served by hyper, drained at shutdown.

use super::{
    admission::{Admission, Permits},
    coalescing_io::CoalescingIo,
    fast_path::FastPath,
    head_timer::HeadTimer,
    router::Router,
};
use crate::app::App;
use hyper::server::conn::http1;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};

/// Maximum time to send the head of a request, and maximum idle time between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// Maximum time for which a client may leave a response unread.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a draining server keeps idle connections open, so that their clients may learn from a
/// response that the connection closes.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// How often a draining server checks whether connections remain.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Serves until `draining` turns true, then until the requests in flight are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    mut draining: watch::Receiver<bool>,
) {
    let mut admission = Admission::new(&app);
    let router = Arc::new(Router::new(app));
    let service = FastPath::new(Arc::clone(&router));
    let open = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            // Shutdown was signalled, or its sender was dropped.
            _ = draining.wait_for(|&draining| draining) => break,
            stream = admission.accept(&listener) => stream,
        };
        let Some(stream) = stream else { continue };
        if let Err(error) = set_socket_options(&stream) {
            tracing::debug!(%error, "cannot set the options of a connection");
        }
        let io = CoalescingIo::new(stream, draining.clone());
        match admission.admit() {
            Some(permits) => {
                tokio::spawn(serve_connection(io, permits, service.clone(), open.watcher()));
            }
            None => admission.refuse(io, &router),
        }
    }
    drop(listener);
    // Connections stay open meanwhile: load balancers still read /readyz on them.
    router.idle().await;
    // A busy client learns from its next response that the connection closes, and loses no request
    // that it has already sent.
    let all_closed = async {
        while open.count() > 0 {
            sleep(POLL_INTERVAL).await;
        }
    };
    timeout(CLOSE_GRACE, all_closed).await.ok();
    open.shutdown().await;
}

async fn serve_connection(io: CoalescingIo, _permits: Permits, service: FastPath, open: Watcher) {
    let connection = http1::Builder::new()
        .timer(HeadTimer::default())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(io, service);
    if let Err(error) = open.watch(connection).await {
        tracing::debug!(%error, "connection ended");
    }
}

fn set_socket_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // The kernel closes the connection of a client that is gone or does not read.
    SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD_TIMEOUT))
}
