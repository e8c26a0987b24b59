//! Which connections are served: `maxclients` of them, as long as file descriptors last. Further ones
//! are told so, and health checks on them are answered.

use super::{
    coalescing_io::CoalescingIo, head_timer::HeadTimer, response::Response, router::Router,
};
use crate::{app::App, listeners::LogLimit, rlimit::Descriptor};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
    time::{sleep, timeout},
};

/// Refused connections that are open at the same time. A further one ends the oldest, so that many
/// silent clients do not keep a health check from being answered.
const REFUSED_MAX: usize = 16;
/// Maximum time to answer a refused connection.
const REFUSED_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause after a failure to accept, as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// See the [module](self).
pub(super) struct Admission {
    app: Arc<App>,
    clients: Arc<Semaphore>,
    /// The latest refused connections, the oldest first.
    refused: VecDeque<AbortHandle>,
    failures: LogLimit,
    refusals: LogLimit,
}

/// What a served connection holds: its place among `maxclients` and its file descriptor.
pub(super) type Permits = (OwnedSemaphorePermit, Descriptor);

impl Admission {
    pub(super) fn new(app: &Arc<App>) -> Self {
        Self {
            app: Arc::clone(app),
            clients: Arc::new(Semaphore::new(app.config().maxclients)),
            refused: VecDeque::with_capacity(REFUSED_MAX),
            failures: LogLimit::default(),
            refusals: LogLimit::default(),
        }
    }

    /// Accepts the next connection. Returns `None` after a failure.
    pub(super) async fn accept(&mut self, listener: &TcpListener) -> Option<TcpStream> {
        match listener.accept().await {
            Ok((stream, _)) => Some(stream),
            Err(error) => {
                if let Some(times) = self.failures.count() {
                    tracing::warn!(%error, times, "cannot accept HTTP clients");
                }
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    /// Returns what another connection needs, or `None` if there are too many.
    pub(super) fn admit(&self) -> Option<Permits> {
        let client = Arc::clone(&self.clients).try_acquire_owned().ok()?;
        Some((client, self.app.descriptors().take()?))
    }

    /// Answers one request on a connection that is not served: it is refused unless it asks for
    /// health.
    pub(super) fn refuse(&mut self, io: CoalescingIo, router: &Arc<Router>) {
        if let Some(times) = self.refusals.count() {
            tracing::warn!(times, "refused HTTP clients: see maxclients and ulimit -n");
        }
        if self.refused.len() == REFUSED_MAX
            && let Some(oldest) = self.refused.pop_front()
        {
            oldest.abort();
        }
        let task = tokio::spawn(answer_once(io, Arc::clone(router)));
        self.refused.push_back(task.abort_handle());
    }
}

async fn answer_once(io: CoalescingIo, router: Arc<Router>) {
    let answer = |request: Request<Incoming>| {
        let router = Arc::clone(&router);
        async move { Ok::<Response, Infallible>(router.refuse(request).await) }
    };
    let connection = http1::Builder::new()
        .timer(HeadTimer::default())
        .header_read_timeout(REFUSED_TIMEOUT)
        .keep_alive(false)
        .serve_connection(io, service_fn(answer));
    // Its client is gone, or has sent nothing.
    timeout(REFUSED_TIMEOUT, connection).await.ok();
}
