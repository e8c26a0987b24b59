//! The tracking connection: it carries the fills, and Redis sends invalidations on it
//! (`CLIENT TRACKING`).
//!
//! Each connection is one epoch (`session`). When it ends, no cached value is served until the next
//! connection has completed its handshake (`handshake`) and answered a heartbeat.

mod handshake;
mod invalidation;
mod multi_get;
mod read_window;
mod session;
mod task;

use crate::{access::Access, reply::Reply, url::RedisUrl};
use larder_core::Engine;
pub(crate) use multi_get::MultiGet;
pub(crate) use session::{LoadedPut, Request};
use std::sync::{Arc, Mutex, PoisonError};
use task::ConnectionTask;
pub(crate) use task::fail_request;
use tokio::sync::{Notify, mpsc};

/// Maximum requests waiting for the connection.
const QUEUE_MAX: usize = 4096;

/// The state of the tracking connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackingState {
    /// There is no connection, for this reason.
    Down(String),
    /// A Redis of this version sends invalidations.
    Tracked(String),
    /// The server cannot or must not be tracked, for this reason: nothing is cached.
    PassThrough(String),
}

/// A handle to the task that owns the connection.
pub(crate) struct TrackingConnection {
    requests: mpsc::Sender<Request>,
    state: Arc<Mutex<TrackingState>>,
    reconnect: Arc<Notify>,
}

impl TrackingConnection {
    /// Starts the task, which ends when this handle is dropped.
    pub(crate) fn start(url: RedisUrl, access: Arc<Access>, engine: Arc<Engine<Reply>>) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let state = Arc::new(Mutex::new(TrackingState::Down("not connected yet".into())));
        let reconnect = Arc::new(Notify::new());
        let task = ConnectionTask {
            url,
            access,
            engine,
            queue,
            state: Arc::clone(&state),
            reconnect: Arc::clone(&reconnect),
        };
        tokio::spawn(task.run());
        Self { requests, state, reconnect }
    }

    pub(crate) fn state(&self) -> TrackingState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state(), TrackingState::Tracked(_))
    }

    /// Queues a request. Returns it when the queue is full.
    pub(crate) fn try_send(&self, request: Request) -> Result<(), Request> {
        self.requests.try_send(request).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// Queues a request, waiting while the queue is full. Returns whether the task still runs.
    pub(crate) async fn send(&self, request: Request) -> bool {
        self.requests.send(request).await.is_ok()
    }

    /// Ends the current connection, and with it its epoch.
    pub(crate) fn reconnect(&self) {
        self.reconnect.notify_one();
    }
}
