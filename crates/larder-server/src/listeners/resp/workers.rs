//! The threads that serve clients. Each has a runtime of its own: a hit never crosses threads.
//!
//! The first worker also runs the store's connections, so with a single worker a miss does not cross
//! threads either.

use super::{
    proxy::{
        client::Accepted,
        connection::{Close, Connection, WorkerHandle},
        context::ProxyContext,
    },
    reactor::event_loop::EventLoop,
};
use crate::rlimit::Descriptor;
use std::{future::poll_fn, io, pin::pin, rc::Rc, sync::Arc, thread};
use tokio::{
    runtime::{Builder, EnterGuard, Runtime},
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    task::{JoinSet, LocalSet},
};

/// Accepted clients that may wait for their worker.
const QUEUED_CLIENTS_MAX: usize = 1024;

/// A client on its way to a worker.
pub(super) struct NewClient {
    pub(super) accepted: Accepted,
    /// Count it among `maxclients`, and its file descriptor.
    pub(super) permits: (OwnedSemaphorePermit, Descriptor),
}

/// The runtimes of workers that have not started. At least one.
pub(crate) struct Workers(Vec<Runtime>);

/// A running worker thread.
pub(super) struct Worker {
    clients: mpsc::Sender<NewClient>,
    /// Sent when its last client has gone.
    done: oneshot::Receiver<()>,
}

impl Workers {
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        let runtime = |_| Builder::new_current_thread().enable_all().build();
        (0..count.max(1)).map(runtime).collect::<io::Result<_>>().map(Self)
    }

    /// Enters the runtime of the first worker: tasks that are spawned while the guard lives run on
    /// that worker.
    pub(crate) fn enter_first(&self) -> Option<EnterGuard<'_>> {
        self.0.first().map(Runtime::enter)
    }

    /// Starts the threads. They run until the sender of `draining` is dropped, with or without
    /// clients.
    pub(super) fn start(
        self,
        context: &Arc<ProxyContext>,
        draining: &watch::Receiver<bool>,
    ) -> Vec<Worker> {
        let start = |(number, runtime)| {
            Worker::start(number, runtime, Arc::clone(context), draining.clone())
        };
        self.0.into_iter().enumerate().filter_map(start).collect()
    }
}

impl Worker {
    fn start(
        number: usize,
        runtime: Runtime,
        context: Arc<ProxyContext>,
        mut draining: watch::Receiver<bool>,
    ) -> Option<Self> {
        let (clients, queue) = mpsc::channel(QUEUED_CLIENTS_MAX);
        let (report_done, done) = oneshot::channel();
        let work = move || {
            LocalSet::new().block_on(&runtime, work(context, queue, draining.clone()));
            // The receiver is gone once `drain-timeout` is over.
            report_done.send(()).ok();
            // HTTP requests still need the store's connections.
            runtime.block_on(async { while draining.changed().await.is_ok() {} });
        };
        let thread = thread::Builder::new().name(format!("resp-{number}")).spawn(work);
        thread
            .inspect_err(|error| tracing::error!(%error, "cannot start a worker thread"))
            .ok()
            .map(|_| Self { clients, done })
    }

    pub(super) async fn send(&self, client: NewClient) {
        // If the worker has ended, the client is closed with the channel.
        self.clients.send(client).await.ok();
    }

    /// Waits until the last client has gone.
    pub(super) async fn finish(self) {
        drop(self.clients);
        if self.done.await.is_err() {
            tracing::error!("a worker thread panicked");
        }
    }
}

/// Serves the clients of one worker until there are no more.
async fn work(
    context: Arc<ProxyContext>,
    queue: mpsc::Receiver<NewClient>,
    draining: watch::Receiver<bool>,
) {
    let (event_loop, poll) = match EventLoop::new() {
        Ok(event_loop) => event_loop,
        Err(error) => return tracing::error!(%error, "a worker cannot create its event loop"),
    };
    let mut work = pin!(async {
        tokio::select! {
            Err(error) = event_loop.run(poll) => {
                tracing::error!(%error, "the event loop of a worker failed");
            }
            () = serve_clients(context, queue, &event_loop, draining) => {}
        }
    });
    let shared = event_loop.shared();
    poll_fn(|task| shared.tick(task, |task| work.as_mut().poll(task))).await;
}

async fn serve_clients(
    context: Arc<ProxyContext>,
    mut queue: mpsc::Receiver<NewClient>,
    event_loop: &Rc<EventLoop<Connection>>,
    draining: watch::Receiver<bool>,
) {
    let mut clients = JoinSet::new();
    let worker = WorkerHandle::new(Rc::clone(event_loop.shared()));
    while let Some(NewClient { accepted, permits }) = queue.recv().await {
        let Ok((mut client, registration)) = accepted.register(event_loop) else { continue };
        let (context, worker) = (Arc::clone(&context), worker.clone());
        let mut draining = draining.clone();
        clients.spawn_local(async move {
            let handshake = tokio::select! {
                biased;
                handshake = client.handshake() => handshake,
                // Shutdown was signalled, or its sender was dropped.
                _ = draining.wait_for(|&draining| draining) => return,
            };
            if let Err(error) = handshake {
                tracing::debug!(%error, "a TLS handshake failed");
                return;
            }
            let connection = Connection::new(Arc::clone(&context), client, worker);
            let connected = context.stats().client_connected();
            let close = connection.run(registration, draining).await;
            drop(connected);
            drop(permits);
            if let Close::Upstream(error) = close {
                tracing::debug!(%error, "closed a client whose upstream connection ended");
            }
        });
        while clients.try_join_next().is_some() {}
    }
    while clients.join_next().await.is_some() {}
}
