//! The plain connection: writes, and reads that pass the near tier by. Commands of many callers
//! share it, one behind the other.
//!
//! A command goes out once. When the connection ends before its reply, the caller is told that the
//! outcome is not known (R14); only the caller knows whether it may ask again.

use crate::{
    RedisUrl,
    backoff::Backoff,
    upstream::{UpstreamError, accepted, authenticate},
    wire::{Wire, WireError, no_answer},
};
use bytes::{Bytes, BytesMut};
use larder_core::StoreError;
use larder_resp::{reply::Frame, request::write_command};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

/// Commands that may wait for the connection.
const QUEUE_MAX: usize = 4096;
/// Commands that may wait for their replies.
const IN_FLIGHT_MAX: usize = 16 << 10;
/// Commands taken from the queue before the next look at the socket.
const BATCH_MAX: usize = 128;
/// How long connecting and shaking hands may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type FillOutcome = oneshot::Sender<Result<Bytes, StoreError>>;

struct Command {
    db: u32,
    bytes: BytesMut,
    answer: FillOutcome,
}

/// The way to the task that owns the connection.
pub(crate) struct Plain {
    commands: mpsc::Sender<Command>,
    hang_up: Arc<Notify>,
    limit: Duration,
}

impl Plain {
    /// Starts the task. It ends when this handle is dropped. `limit` is how long a caller waits.
    pub(crate) fn start(url: RedisUrl, limit: Duration) -> Self {
        let (commands, queue) = mpsc::channel(QUEUE_MAX);
        let hang_up = Arc::new(Notify::new());
        let keeper = Keeper { url, queue, hang_up: Arc::clone(&hang_up) };
        tokio::spawn(keeper.run());
        Self { commands, hang_up, limit }
    }

    /// Sends a command and waits for its reply, an error reply included.
    pub(crate) async fn call(&self, db: u32, command: &[&[u8]]) -> Result<Bytes, StoreError> {
        let mut bytes = BytesMut::new();
        write_command(&mut bytes, command);
        self.exchange(db, bytes).await
    }

    /// Sends a command that is written out already.
    pub(crate) async fn exchange(&self, db: u32, bytes: BytesMut) -> Result<Bytes, StoreError> {
        let (answer, reply) = oneshot::channel();
        let exchange = async {
            let full = |_| StoreError::Unreachable("Larder is shutting down".into());
            self.commands.send(Command { db, bytes, answer }).await.map_err(full)?;
            reply.await.unwrap_or(Err(StoreError::Lost))
        };
        timeout(self.limit, exchange).await.unwrap_or_else(|_| {
            // Whatever came behind this command waits for the same reply: start anew.
            self.hang_up.notify_one();
            Err(StoreError::TimedOut(self.limit))
        })
    }
}

/// Keeps a plain connection up.
struct Keeper {
    url: RedisUrl,
    queue: mpsc::Receiver<Command>,
    hang_up: Arc<Notify>,
}

/// One connection's life: who waits for the next replies.
struct Session {
    wire: Wire,
    db: u32,
    expected: VecDeque<Option<FillOutcome>>,
}

impl Keeper {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while !self.queue.is_closed() {
            let why = match self.connect().await {
                Ok(mut session) => {
                    backoff.reset();
                    match self.live(&mut session).await {
                        Ok(()) => return,
                        Err(error) => {
                            tracing::debug!(%error, "plain connection ended");
                            continue;
                        }
                    }
                }
                Err(why) => why,
            };
            self.refuse_commands_for(backoff.next(), &why).await;
        }
    }

    async fn connect(&self) -> Result<Session, Arc<str>> {
        let attempt = async {
            let mut wire = Wire::connect(&self.url).await.map_err(WireError::from)?;
            handshake(&mut wire, &self.url).await?;
            Ok(Session { wire, db: self.url.db, expected: VecDeque::new() })
        };
        match timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(outcome) => outcome.map_err(|error: UpstreamError| error.to_string().into()),
            Err(_) => Err(no_answer(&self.url, CONNECT_TIMEOUT).into()),
        }
    }

    /// Serves one connection until it ends, or the handle is gone.
    async fn live(&mut self, session: &mut Session) -> Result<(), WireError> {
        loop {
            session.answer_waiters()?;
            session.wire.flush()?;
            tokio::select! {
                ready = session.wire.readable() => {
                    ready?;
                    session.wire.receive()?;
                }
                ready = session.wire.writable(), if session.wire.has_output() => ready?,
                command = self.queue.recv(), if session.has_capacity() => {
                    let Some(command) = command else { return Ok(()) };
                    session.send(command);
                    for _ in 0..BATCH_MAX {
                        if !session.has_capacity() {
                            break;
                        }
                        let Ok(command) = self.queue.try_recv() else { break };
                        session.send(command);
                    }
                }
                () = self.hang_up.notified() => {
                    // A time-out of before this connection is not its fault.
                    if session.is_given_up() {
                        return Err(WireError::Closed);
                    }
                }
            }
        }
    }

    async fn refuse_commands_for(&mut self, pause: Duration, why: &Arc<str>) {
        let refuse = async {
            while let Some(command) = self.queue.recv().await {
                // The receiver may have left.
                command.answer.send(Err(StoreError::Unreachable(Arc::clone(why)))).ok();
            }
        };
        // The pause ends it, or the handle is gone.
        timeout(pause, refuse).await.ok();
    }
}

impl Session {
    fn has_capacity(&self) -> bool {
        self.wire.has_capacity() && self.expected.len() < IN_FLIGHT_MAX
    }

    /// Whether somebody left before the reply to what was sent here.
    fn is_given_up(&self) -> bool {
        self.expected.iter().flatten().any(FillOutcome::is_closed)
    }

    fn send(&mut self, command: Command) {
        if command.answer.is_closed() {
            return;
        }
        if command.db != self.db {
            write_command(self.wire.output(), &[b"SELECT", command.db.to_string().as_bytes()]);
            self.expected.push_back(None);
            self.db = command.db;
        }
        self.wire.output().unsplit(command.bytes);
        self.expected.push_back(Some(command.answer));
    }

    fn answer_waiters(&mut self) -> Result<(), WireError> {
        while let Some(frame) = self.wire.next_frame()? {
            match self.expected.pop_front() {
                Some(Some(answer)) => drop(answer.send(Ok(frame.freeze()))),
                // What stands behind a SELECT that was refused was done in another db.
                Some(None) if Frame::parse(&frame)?.as_error().is_none() => {}
                Some(None) | None => return Err(WireError::Closed),
            }
        }
        Ok(())
    }
}

/// Speaks RESP3 where the server does, so that every reply has the form that is kept.
async fn handshake(wire: &mut Wire, url: &RedisUrl) -> Result<(), UpstreamError> {
    authenticate(wire, url).await?;
    // Older servers and narrow users refuse; strings are the same in RESP2.
    wire.call(&[b"HELLO", b"3"]).await?;
    if url.db != 0 {
        accepted(&wire.call(&[b"SELECT", url.db.to_string().as_bytes()]).await?)?;
    }
    // Only a name for CLIENT LIST; a server that will not have it is no worse.
    wire.call(&[b"CLIENT", b"SETNAME", b"larder-plain"]).await?;
    Ok(())
}
