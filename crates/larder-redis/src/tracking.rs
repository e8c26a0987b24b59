//! The tracked connection: fills go out on it, and on it Redis tells what changed.
//!
//! Each connection is one epoch ([`session`]). When it ends, nothing is served from memory until
//! the next one has shaken hands ([`handshake`]) and answered a heartbeat.

mod handshake;
mod invalidation;
mod session;

use crate::{
    RedisUrl, Reply,
    backoff::Backoff,
    connection::{ConnectionError, RespConnection, timeout_message},
};
use handshake::{HandshakeError, handshake};
use larder_core::{Engine, FetchError, StoreError};
use session::{EpochEnd, Session};
pub(crate) use session::{LoadedPut, Request, store_error};
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

/// Requests that may wait for the connection.
const QUEUE_MAX: usize = 4096;
/// Requests taken from the queue before the next look at the socket.
const BATCH_MAX: usize = 128;
/// How often others may run before requests that came together are sent: what they ask for meanwhile
/// goes with the same write, and a write costs this end and Redis more than a request does.
const YIELDS_MAX: usize = 4;
/// So many requests are worth a write of their own. To wait for more would keep what Redis has to
/// tell waiting as well.
const COALESCE_MAX: usize = 48;
/// How long connecting and shaking hands may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long to wait before asking a server again that refused.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// What the tracked connection is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackingState {
    /// There is no connection, for this reason.
    Down(String),
    /// Redis of this version tells what changes.
    Tracked(String),
    /// Redis will not tell, for this reason: everything passes through.
    PassThrough(String),
}

/// The way to the task that owns the connection.
pub(crate) struct TrackingConnection {
    requests: mpsc::Sender<Request>,
    state: Arc<Mutex<TrackingState>>,
    reconnect: Arc<Notify>,
}

impl TrackingConnection {
    /// Starts the task. It ends when this handle is dropped.
    pub(crate) fn start(url: RedisUrl, engine: Arc<Engine<Reply>>) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let state = Arc::new(Mutex::new(TrackingState::Down("not connected yet".into())));
        let reconnect = Arc::new(Notify::new());
        let task = ConnectionTask {
            url,
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

    /// Hands over a request. Gives it back when there is no room for it.
    pub(crate) fn try_send(&self, request: Request) -> Result<(), Request> {
        self.requests.try_send(request).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// Hands over a request when there is room for it. Says whether the task still takes any.
    pub(crate) async fn send(&self, request: Request) -> bool {
        self.requests.send(request).await.is_ok()
    }

    /// Another connection heard that this node does not serve as a primary now.
    pub(crate) fn reconnect(&self) {
        self.reconnect.notify_one();
    }
}

/// Keeps a tracked connection up, epoch after epoch.
struct ConnectionTask {
    url: RedisUrl,
    engine: Arc<Engine<Reply>>,
    queue: mpsc::Receiver<Request>,
    state: Arc<Mutex<TrackingState>>,
    reconnect: Arc<Notify>,
}

impl ConnectionTask {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while !self.queue.is_closed() {
            let refusal = match self.connect().await {
                Ok((connection, version)) => {
                    tracing::info!(url = %self.url, %version, "tracked connection is up");
                    backoff.reset();
                    let end = self.serve(connection, version).await;
                    let Some(end) = end else { return };
                    HandshakeError::Transient(end.to_string())
                }
                Err(refusal) => refusal,
            };
            let pause = self.report(refusal, &mut backoff);
            self.fail_requests_for(pause).await;
        }
    }

    async fn connect(&self) -> Result<(RespConnection, String), HandshakeError> {
        let attempt = async {
            let mut connection =
                RespConnection::connect(&self.url).await.map_err(ConnectionError::from)?;
            let version = handshake(&mut connection, &self.url).await?;
            Ok((connection, version))
        };
        let late = |_| HandshakeError::Transient(timeout_message(&self.url, CONNECT_TIMEOUT));
        timeout(CONNECT_TIMEOUT, attempt).await.map_err(late)?
    }

    /// One epoch. `None` when nobody needs the connection any more.
    async fn serve(&mut self, mut connection: RespConnection, version: String) -> Option<EpochEnd> {
        let mut session = Session::begin(Arc::clone(&self.engine), self.url.db);
        self.set_state(TrackingState::Tracked(version));
        // One timer for all turns: to set it is not for each of them.
        let mut next_heartbeat = pin!(sleep(session.until_next_heartbeat()));
        loop {
            match self.step(&mut connection, &mut session, next_heartbeat.as_mut()).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(end) => return Some(end),
            }
        }
    }

    /// One turn: take what has arrived, send what is due, wait for more. False when the handle is
    /// gone.
    async fn step(
        &mut self,
        connection: &mut RespConnection,
        session: &mut Session,
        mut next_heartbeat: Pin<&mut Sleep>,
    ) -> Result<bool, EpochEnd> {
        while let Some(taken) = connection.take_frame(|frame| session.on_frame(frame))? {
            taken?;
        }
        connection.flush()?;
        tokio::select! {
            ready = connection.readable() => {
                ready.map_err(ConnectionError::from)?;
                if connection.receive()? {
                    session.on_receive();
                }
            }
            ready = connection.writable(), if connection.has_output() => ready.map_err(ConnectionError::from)?,
            () = next_heartbeat.as_mut() => {
                session.send_heartbeat(connection.output())?;
                next_heartbeat.reset(Instant::now() + session.until_next_heartbeat());
            }
            request = self.queue.recv(), if connection.has_capacity() && session.has_capacity() => {
                let Some(request) = request else { return Ok(false) };
                session.send(request, connection.output());
                self.coalesce(connection, session).await;
            }
            () = self.reconnect.notified() => {
                return Err(EpochEnd::NotReady("as another connection heard".into()));
            }
        }
        Ok(true)
    }

    /// Sends what else waits, so that one write carries many requests. What comes alone goes alone,
    /// and at once.
    async fn coalesce(&mut self, connection: &mut RespConnection, session: &mut Session) {
        let (mut sent, mut yields) = (1, 0..YIELDS_MAX);
        loop {
            let before = sent;
            while sent < BATCH_MAX && connection.has_capacity() && session.has_capacity() {
                let Ok(request) = self.queue.try_recv() else { break };
                session.send(request, connection.output());
                sent += 1;
            }
            if sent == before || sent >= COALESCE_MAX || yields.next().is_none() {
                return;
            }
            yield_now().await;
        }
    }

    /// Notes and, when it is news, says why there is no tracked connection. Gives the pause before
    /// the next attempt.
    fn report(&self, refusal: HandshakeError, backoff: &mut Backoff) -> Duration {
        let (state, pause) = match refusal {
            HandshakeError::Transient(why) => (TrackingState::Down(why), backoff.next()),
            HandshakeError::Permanent(why) => (TrackingState::PassThrough(why), REFUSED_PAUSE),
        };
        if self.set_state(state.clone()) {
            match state {
                TrackingState::PassThrough(why) => {
                    tracing::warn!(url = %self.url, why, "everything passes through to the store");
                }
                TrackingState::Down(why) => {
                    tracing::warn!(url = %self.url, why, "tracked connection is down; reconnecting");
                }
                TrackingState::Tracked(_) => {}
            }
        }
        pause
    }

    async fn fail_requests_for(&mut self, pause: Duration) {
        let refuse = async {
            while let Some(request) = self.queue.recv().await {
                fail_request(request);
            }
        };
        // The pause ends it, or the handle is gone.
        timeout(pause, refuse).await.ok();
    }

    /// True when this is news.
    fn set_state(&self, state: TrackingState) -> bool {
        let mut current = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *current != state;
        *current = state;
        news
    }
}

/// Tells those who asked that there is no tracked connection.
pub(crate) fn fail_request(request: Request) {
    let away = StoreError::Unreachable("the tracked connection is down".into());
    match request {
        Request::Fill(fill) => drop(fill.fail(FetchError::Store(away))),
        // The receiver may have left, and a dropped fence says that the epoch is over.
        Request::Put(put) => drop(put.answer.send(Err(away))),
        Request::Fence(answer) => drop(answer),
    }
}

impl From<ConnectionError> for EpochEnd {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error.to_string())
    }
}
