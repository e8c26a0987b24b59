//! The threads that serve clients, each with a runtime of its own: a hit never crosses threads.
//!
//! The first of them also has the store's connections: where one thread serves all clients, a miss
//! does not cross threads either.

use super::{
    proxy::{
        client::Accepted,
        connection::{Close, Connection},
        context::ProxyContext,
    },
    reactor::event_loop::EventLoop,
};
use std::{future::poll_fn, io, pin::pin, rc::Rc, sync::Arc, thread};
use tokio::{
    runtime::{Builder, EnterGuard, Runtime},
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    task::{JoinSet, LocalSet},
};

/// Accepted clients that may wait for their worker.
const HANDED_MAX: usize = 1024;

/// A client with its place among `maxclients`.
type Handed = (Accepted, OwnedSemaphorePermit);

/// The runtimes of workers that have not begun. At least one.
pub(crate) struct Workers(Vec<Runtime>);

/// A thread at work.
pub(super) struct Worker {
    clients: mpsc::Sender<Handed>,
    /// Its last client has gone.
    done: oneshot::Receiver<()>,
}

impl Workers {
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        let runtime = |_| Builder::new_current_thread().enable_all().build();
        (0..count.max(1)).map(runtime).collect::<io::Result<_>>().map(Self)
    }

    /// What is spawned while this is held is a task of the first worker.
    pub(crate) fn enter_first(&self) -> Option<EnterGuard<'_>> {
        self.0.first().map(Runtime::enter)
    }

    /// Lets them begin. They go on without clients until whoever tells of `draining` is gone.
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
        let (clients, handed) = mpsc::channel(HANDED_MAX);
        let (tell_done, done) = oneshot::channel();
        let work = move || {
            LocalSet::new().block_on(&runtime, work(context, handed, draining.clone()));
            // Nobody may be listening, as after the drain's time is over.
            tell_done.send(()).ok();
            // Who is served over HTTP still needs the store.
            runtime.block_on(async { while draining.changed().await.is_ok() {} });
        };
        let named = thread::Builder::new().name(format!("resp-{number}")).spawn(work);
        named
            .inspect_err(|error| tracing::error!(%error, "a worker thread does not start"))
            .ok()
            .map(|_| Self { clients, done })
    }

    pub(super) async fn hand(&self, client: Handed) {
        // A worker that has ended closes the client with the channel.
        self.clients.send(client).await.ok();
    }

    pub(super) async fn finish(self) {
        drop(self.clients);
        if self.done.await.is_err() {
            tracing::error!("a worker thread panicked");
        }
    }
}

/// One worker: serves its clients until there are no more.
async fn work(
    proxy: Arc<ProxyContext>,
    handed: mpsc::Receiver<Handed>,
    draining: watch::Receiver<bool>,
) {
    let (event_loop, poll) = match EventLoop::new() {
        Ok(event_loop) => event_loop,
        Err(error) => return tracing::error!(%error, "a worker cannot wait for its clients"),
    };
    let mut work = pin!(async {
        tokio::select! {
            Err(error) = event_loop.run(poll) => {
                tracing::error!(%error, "a worker cannot wait for its clients any more");
            }
            () = serve_handed(proxy, handed, &event_loop, draining) => {}
        }
    });
    poll_fn(|context| event_loop.shared().tick(context, |context| work.as_mut().poll(context)))
        .await;
}

async fn serve_handed(
    proxy: Arc<ProxyContext>,
    mut handed: mpsc::Receiver<Handed>,
    event_loop: &Rc<EventLoop>,
    draining: watch::Receiver<bool>,
) {
    let mut clients = JoinSet::new();
    while let Some((accepted, permit)) = handed.recv().await {
        let Ok((mut client, place)) = accepted.settle(event_loop) else { continue };
        let proxy = Arc::clone(&proxy);
        let shared = Rc::clone(event_loop.shared());
        let mut draining = draining.clone();
        clients.spawn_local(async move {
            let greeted = tokio::select! {
                biased;
                greeted = client.handshake() => greeted,
                // Told, or the one who tells is gone.
                _ = draining.wait_for(|&draining| draining) => return,
            };
            if let Err(error) = greeted {
                tracing::debug!(%error, "a client did not shake hands");
                return;
            }
            let connection = Connection::new(&proxy, client, shared);
            proxy.stats().client_came();
            let close = connection.run(place, draining).await;
            proxy.stats().client_went();
            drop(permit);
            if let Close::Upstream(error) = close {
                tracing::debug!(%error, "a client's upstream connection ended, and it with it");
            }
        });
        while clients.try_join_next().is_some() {}
    }
    while clients.join_next().await.is_some() {}
}
