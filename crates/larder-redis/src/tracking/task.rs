//! The task that keeps the tracking connection up, epoch after epoch.

use super::{
    TrackingState,
    handshake::{HandshakeError, Server, handshake},
    session::{EpochEnd, Request, Session},
};
use crate::{
    access::Access,
    backoff::Backoff,
    connection::{ConnectionError, RespConnection, timeout_message},
    reply::Reply,
    url::RedisUrl,
};
use larder_core::{Engine, FetchError, StoreError};
use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::yield_now,
    time::{Instant, Sleep, sleep, timeout},
};

/// Maximum requests taken from the queue between two checks of the socket.
const BATCH_MAX: usize = 128;
/// How often `coalesce` yields to other tasks before it sends. What they request meanwhile goes out
/// with the same write, and a write costs both ends more than a request does.
const YIELDS_MAX: usize = 4;
/// This many requests are worth a write of their own. Waiting for more would also delay the
/// invalidations that are ready to be read.
const COALESCE_ENOUGH: usize = 48;
/// Time limit for connecting and the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// After a connection that lasted this long, as long as the longest pause, the pauses start from the
/// shortest again: however connections fail, there is about one in a second at most. A server
/// remembers each of them with every key that was read on it, until the key changes.
const STABLE_AFTER: Duration = Duration::from_secs(1);
/// The pause before the next attempt after a [`HandshakeError::Permanent`].
const PERMANENT_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct ConnectionTask {
    pub(super) url: RedisUrl,
    pub(super) access: Arc<Access>,
    pub(super) engine: Arc<Engine<Reply>>,
    pub(super) queue: mpsc::Receiver<Request>,
    pub(super) state: Arc<Mutex<TrackingState>>,
    pub(super) reconnect: Arc<Notify>,
}

/// What a step of the task leaves behind.
enum Step {
    Continue,
    /// The handle was dropped.
    Shutdown,
}

impl ConnectionTask {
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        while !self.queue.is_closed() {
            let error = match self.connect().await {
                Ok((connection, server)) => {
                    let Server { version, fields_expire } = &server;
                    tracing::info!(url = %self.url, %version, fields_expire, "tracking connection is up");
                    self.access.accepted();
                    let start = self.engine.clock().now();
                    let end = self.serve(connection, server).await;
                    let Some(end) = end else { return };
                    if self.engine.clock().now().since(start) >= STABLE_AFTER {
                        backoff.reset();
                    }
                    HandshakeError::Transient(end.to_string())
                }
                Err(error) => error,
            };
            let pause = self.report(error, &mut backoff);
            self.fail_requests_for(pause).await;
        }
    }

    async fn connect(&self) -> Result<(RespConnection, Server), HandshakeError> {
        let attempt = async {
            let mut connection =
                RespConnection::connect(&self.url).await.map_err(ConnectionError::from)?;
            let server = handshake(&mut connection, &self.url).await?;
            Ok((connection, server))
        };
        let late = |_| HandshakeError::Transient(timeout_message(&self.url, CONNECT_TIMEOUT));
        timeout(CONNECT_TIMEOUT, attempt).await.map_err(late)?
    }

    /// Runs one epoch. Returns `None` once the handle is dropped.
    async fn serve(&mut self, mut connection: RespConnection, server: Server) -> Option<EpochEnd> {
        let engine = Arc::clone(&self.engine);
        let mut session = Session::begin(engine, self.url.db, server.fields_expire);
        self.set_state(TrackingState::Tracked(server.version));
        // One timer for all steps: setting a timer in each would cost more than the step itself.
        let mut next_heartbeat = pin!(sleep(session.until_next_heartbeat()));
        loop {
            match self.step(&mut connection, &mut session, next_heartbeat.as_mut()).await {
                Ok(Step::Continue) => {}
                Ok(Step::Shutdown) => return None,
                Err(end) => return Some(end),
            }
        }
    }

    /// Applies what has arrived, sends what is queued, then waits for the next event.
    async fn step(
        &mut self,
        connection: &mut RespConnection,
        session: &mut Session,
        mut next_heartbeat: Pin<&mut Sleep>,
    ) -> Result<Step, EpochEnd> {
        while let Some(applied) = connection.read_frame(|frame| session.on_frame(frame))? {
            applied?;
        }
        session.send_waiting(connection.output());
        session.send_questions(connection.output());
        connection.flush()?;
        tokio::select! {
            ready = connection.readable() => {
                ready.map_err(ConnectionError::from)?;
                if connection.receive()? {
                    session.on_receive();
                }
            }
            ready = connection.writable(), if connection.has_output() => {
                ready.map_err(ConnectionError::from)?;
            }
            () = next_heartbeat.as_mut() => {
                session.send_heartbeat(connection.output())?;
                next_heartbeat.reset(Instant::now() + session.until_next_heartbeat());
            }
            request = self.queue.recv(), if connection.has_capacity() && session.has_capacity() => {
                let Some(request) = request else { return Ok(Step::Shutdown) };
                session.send(request, connection.output());
                self.coalesce(connection, session).await;
            }
            () = self.reconnect.notified() => {
                return Err(EpochEnd::NotReady("reported by another connection".into()));
            }
        }
        Ok(Step::Continue)
    }

    /// Adds the other queued requests, so that one write carries many. A request that is alone in
    /// the queue is sent at once, without a yield.
    ///
    /// Measured with 50 clients whose reads all miss: 49 instead of 24 requests per write, and 4 %
    /// less CPU time per miss, Redis included.
    async fn coalesce(&mut self, connection: &mut RespConnection, session: &mut Session) {
        let (mut sent, mut yields) = (1, 0..YIELDS_MAX);
        loop {
            let before = sent;
            while sent < BATCH_MAX && connection.has_capacity() && session.has_capacity() {
                let Ok(request) = self.queue.try_recv() else { break };
                session.send(request, connection.output());
                sent += 1;
            }
            if sent == before || sent >= COALESCE_ENOUGH || yields.next().is_none() {
                return;
            }
            yield_now().await;
        }
    }

    /// Stores why there is no tracking connection, and logs the reason if it changed. Returns the
    /// pause before the next attempt.
    fn report(&self, error: HandshakeError, backoff: &mut Backoff) -> Duration {
        let (state, pause) = match error {
            HandshakeError::Refused(why) => {
                self.access.refused(&why);
                self.set_state(TrackingState::Down(why));
                return backoff.next();
            }
            HandshakeError::Transient(why) => (TrackingState::Down(why), backoff.next()),
            HandshakeError::Permanent(why) => (TrackingState::PassThrough(why), PERMANENT_PAUSE),
        };
        if self.set_state(state.clone()) {
            match state {
                TrackingState::PassThrough(why) => {
                    tracing::warn!(url = %self.url, why, "everything passes through to the store");
                }
                TrackingState::Down(why) => {
                    tracing::warn!(url = %self.url, why, "tracking connection is down; reconnecting");
                }
                TrackingState::Tracked(_) => {}
            }
        }
        pause
    }

    /// Fails requests for the length of `pause`, or until the handle is dropped.
    async fn fail_requests_for(&mut self, pause: Duration) {
        let fail = async {
            while let Some(request) = self.queue.recv().await {
                fail_request(request);
            }
        };
        timeout(pause, fail).await.ok();
    }

    /// Returns whether the state changed.
    fn set_state(&self, state: TrackingState) -> bool {
        let mut current = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *current != state;
        *current = state;
        changed
    }
}

/// Fails a request because there is no tracking connection.
pub(crate) fn fail_request(request: Request) {
    let unreachable = StoreError::Unreachable("the tracking connection is down".into());
    match request {
        Request::Fill(fill) => drop(fill.fail(FetchError::Store(unreachable))),
        Request::MultiGet(mut multi_get) => multi_get.fail(&unreachable),
        // Fails only when the caller no longer waits.
        Request::Put(put) => drop(put.answer.send(Err(unreachable))),
        // A dropped fence means that the epoch has ended.
        Request::Fence(answer) => drop(answer),
    }
}

impl From<ConnectionError> for EpochEnd {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error.to_string())
    }
}
