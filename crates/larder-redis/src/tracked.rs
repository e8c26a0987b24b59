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
    wire::{Wire, WireError, no_answer},
};
use handshake::{Refusal, handshake};
use larder_core::{Engine, FetchError, StoreError};
use session::{End, Session};
pub(crate) use session::{LoadedPut, Request, refusal};
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
const ROUNDS_MAX: usize = 4;
/// So many requests are worth a write of their own. To wait for more would keep what Redis has to
/// tell waiting as well.
const ENOUGH: usize = 48;
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
pub(crate) struct Tracked {
    requests: mpsc::Sender<Request>,
    link: Arc<Mutex<TrackingState>>,
    hang_up: Arc<Notify>,
}

impl Tracked {
    /// Starts the task. It ends when this handle is dropped.
    pub(crate) fn start(url: RedisUrl, engine: Arc<Engine<Reply>>) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let link = Arc::new(Mutex::new(TrackingState::Down("not connected yet".into())));
        let hang_up = Arc::new(Notify::new());
        let keeper =
            Keeper { url, engine, queue, link: Arc::clone(&link), hang_up: Arc::clone(&hang_up) };
        tokio::spawn(keeper.run());
        Self { requests, link, hang_up }
    }

    pub(crate) fn link(&self) -> TrackingState {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.link(), TrackingState::Tracked(_))
    }

    /// Hands over a request. Gives it back when there is no room for it.
    pub(crate) fn send(&self, request: Request) -> Result<(), Request> {
        self.requests.try_send(request).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// Hands over a request when there is room for it. Says whether the task still takes any.
    pub(crate) async fn send_in_turn(&self, request: Request) -> bool {
        self.requests.send(request).await.is_ok()
    }

    /// Another connection heard that this node does not serve as a primary now.
    pub(crate) fn hang_up(&self) {
        self.hang_up.notify_one();
    }
}

/// Keeps a tracked connection up, epoch after epoch.
struct Keeper {
    url: RedisUrl,
    engine: Arc<Engine<Reply>>,
    queue: mpsc::Receiver<Request>,
    link: Arc<Mutex<TrackingState>>,
    hang_up: Arc<Notify>,
}

impl Keeper {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while !self.queue.is_closed() {
            let refusal = match self.connect().await {
                Ok((wire, version)) => {
                    tracing::info!(url = %self.url, %version, "tracked connection is up");
                    backoff.reset();
                    let end = self.live(wire, version).await;
                    let Some(end) = end else { return };
                    Refusal::Passing(end.to_string())
                }
                Err(refusal) => refusal,
            };
            let pause = self.say_why(refusal, &mut backoff);
            self.refuse_requests_for(pause).await;
        }
    }

    async fn connect(&self) -> Result<(Wire, String), Refusal> {
        let attempt = async {
            let mut wire = Wire::connect(&self.url).await.map_err(WireError::from)?;
            let version = handshake(&mut wire, &self.url).await?;
            Ok((wire, version))
        };
        let late = |_| Refusal::Passing(no_answer(&self.url, CONNECT_TIMEOUT));
        timeout(CONNECT_TIMEOUT, attempt).await.map_err(late)?
    }

    /// One epoch. `None` when nobody needs the connection any more.
    async fn live(&mut self, mut wire: Wire, version: String) -> Option<End> {
        let mut session = Session::begin(Arc::clone(&self.engine), self.url.db);
        self.set_link(TrackingState::Tracked(version));
        // One timer for all turns: to set it is not for each of them.
        let mut next_beat = pin!(sleep(session.until_next_beat()));
        loop {
            match self.turn(&mut wire, &mut session, next_beat.as_mut()).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(end) => return Some(end),
            }
        }
    }

    /// One turn: take what has arrived, send what is due, wait for more. False when the handle is
    /// gone.
    async fn turn(
        &mut self,
        wire: &mut Wire,
        session: &mut Session,
        mut next_beat: Pin<&mut Sleep>,
    ) -> Result<bool, End> {
        while let Some(taken) = wire.take_frame(|frame| session.take(frame))? {
            taken?;
        }
        wire.flush()?;
        tokio::select! {
            ready = wire.readable() => {
                ready.map_err(WireError::from)?;
                if wire.receive()? {
                    session.heard();
                }
            }
            ready = wire.writable(), if wire.has_output() => ready.map_err(WireError::from)?,
            () = next_beat.as_mut() => {
                session.beat(wire.output())?;
                next_beat.reset(Instant::now() + session.until_next_beat());
            }
            request = self.queue.recv(), if wire.has_capacity() && session.has_capacity() => {
                let Some(request) = request else { return Ok(false) };
                session.send(request, wire.output());
                self.gather(wire, session).await;
            }
            () = self.hang_up.notified() => {
                return Err(End::NotReady("as another connection heard".into()));
            }
        }
        Ok(true)
    }

    /// Sends what else waits, so that one write carries many requests. What comes alone goes alone,
    /// and at once.
    async fn gather(&mut self, wire: &mut Wire, session: &mut Session) {
        let (mut gathered, mut rounds) = (1, 0..ROUNDS_MAX);
        loop {
            let before = gathered;
            while gathered < BATCH_MAX && wire.has_capacity() && session.has_capacity() {
                let Ok(request) = self.queue.try_recv() else { break };
                session.send(request, wire.output());
                gathered += 1;
            }
            if gathered == before || gathered >= ENOUGH || rounds.next().is_none() {
                return;
            }
            yield_now().await;
        }
    }

    /// Notes and, when it is news, says why there is no tracked connection. Gives the pause before
    /// the next attempt.
    fn say_why(&self, refusal: Refusal, backoff: &mut Backoff) -> Duration {
        let (link, pause) = match refusal {
            Refusal::Passing(why) => (TrackingState::Down(why), backoff.next()),
            Refusal::Standing(why) => (TrackingState::PassThrough(why), REFUSED_PAUSE),
        };
        if self.set_link(link.clone()) {
            match link {
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

    async fn refuse_requests_for(&mut self, pause: Duration) {
        let refuse = async {
            while let Some(request) = self.queue.recv().await {
                refuse(request);
            }
        };
        // The pause ends it, or the handle is gone.
        timeout(pause, refuse).await.ok();
    }

    /// True when this is news.
    fn set_link(&self, link: TrackingState) -> bool {
        let mut current = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *current != link;
        *current = link;
        news
    }
}

/// Tells those who asked that there is no tracked connection.
pub(crate) fn refuse(request: Request) {
    let away = StoreError::Unreachable("the tracked connection is down".into());
    match request {
        Request::Fill(fill) => drop(fill.fail(FetchError::Store(away))),
        // The receiver may have left, and a dropped fence says that the epoch is over.
        Request::Put(put) => drop(put.answer.send(Err(away))),
        Request::Fence(answer) => drop(answer),
    }
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        Self::Connection(error.to_string())
    }
}
