//! The plain connection: writes, and reads that pass the near tier by. Commands of many callers
//! share it, one behind the other.
//!
//! A command goes out once. When the connection ends before its reply, the caller is told that the
//! outcome is not known (R14); only the caller knows whether it may ask again.

use crate::{
    RedisUrl,
    backoff::Backoff,
    connection::{ConnectionError, RespConnection, timeout_message},
    upstream::{UpstreamError, authenticate, check_ok},
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

type ReplySender = oneshot::Sender<Result<Bytes, StoreError>>;

struct Command {
    db: u32,
    bytes: BytesMut,
    answer: ReplySender,
}

/// The way to the task that owns the connection.
pub(crate) struct CommandConnection {
    queue: mpsc::Sender<Command>,
    reconnect: Arc<Notify>,
    limit: Duration,
}

impl CommandConnection {
    /// Starts the task. It ends when this handle is dropped. `limit` is how long a caller waits.
    pub(crate) fn start(url: RedisUrl, limit: Duration) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let reconnect = Arc::new(Notify::new());
        let task = ConnectionTask { url, queue, reconnect: Arc::clone(&reconnect) };
        tokio::spawn(task.run());
        Self { queue: sender, reconnect, limit }
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
            self.queue.send(Command { db, bytes, answer }).await.map_err(full)?;
            reply.await.unwrap_or(Err(StoreError::Lost))
        };
        timeout(self.limit, exchange).await.unwrap_or_else(|_| {
            // Whatever came behind this command waits for the same reply: start anew.
            self.reconnect.notify_one();
            Err(StoreError::TimedOut(self.limit))
        })
    }
}

/// Keeps a plain connection up.
struct ConnectionTask {
    url: RedisUrl,
    queue: mpsc::Receiver<Command>,
    reconnect: Arc<Notify>,
}

/// One connection's life: who waits for the next replies.
struct Pipeline {
    connection: RespConnection,
    db: u32,
    pending: VecDeque<Option<ReplySender>>,
}

impl ConnectionTask {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while !self.queue.is_closed() {
            let why = match self.connect().await {
                Ok(mut pipeline) => {
                    backoff.reset();
                    match self.serve(&mut pipeline).await {
                        Ok(()) => return,
                        Err(error) => {
                            tracing::debug!(%error, "plain connection ended");
                            continue;
                        }
                    }
                }
                Err(why) => why,
            };
            self.fail_commands_for(backoff.next(), &why).await;
        }
    }

    async fn connect(&self) -> Result<Pipeline, Arc<str>> {
        let attempt = async {
            let mut connection =
                RespConnection::connect(&self.url).await.map_err(ConnectionError::from)?;
            handshake(&mut connection, &self.url).await?;
            Ok(Pipeline { connection, db: self.url.db, pending: VecDeque::new() })
        };
        match timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(outcome) => outcome.map_err(|error: UpstreamError| error.to_string().into()),
            Err(_) => Err(timeout_message(&self.url, CONNECT_TIMEOUT).into()),
        }
    }

    /// Serves one connection until it ends, or the handle is gone.
    async fn serve(&mut self, pipeline: &mut Pipeline) -> Result<(), ConnectionError> {
        loop {
            pipeline.deliver_replies()?;
            pipeline.connection.flush()?;
            tokio::select! {
                ready = pipeline.connection.readable() => {
                    ready?;
                    pipeline.connection.receive()?;
                }
                ready = pipeline.connection.writable(), if pipeline.connection.has_output() => ready?,
                command = self.queue.recv(), if pipeline.has_capacity() => {
                    let Some(command) = command else { return Ok(()) };
                    pipeline.send(command);
                    for _ in 0..BATCH_MAX {
                        if !pipeline.has_capacity() {
                            break;
                        }
                        let Ok(command) = self.queue.try_recv() else { break };
                        pipeline.send(command);
                    }
                }
                () = self.reconnect.notified() => {
                    // A time-out of before this connection is not its fault.
                    if pipeline.has_abandoned_reply() {
                        return Err(ConnectionError::Closed);
                    }
                }
            }
        }
    }

    async fn fail_commands_for(&mut self, pause: Duration, why: &Arc<str>) {
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

impl Pipeline {
    fn has_capacity(&self) -> bool {
        self.connection.has_capacity() && self.pending.len() < IN_FLIGHT_MAX
    }

    /// Whether somebody left before the reply to what was sent here.
    fn has_abandoned_reply(&self) -> bool {
        self.pending.iter().flatten().any(ReplySender::is_closed)
    }

    fn send(&mut self, command: Command) {
        if command.answer.is_closed() {
            return;
        }
        if command.db != self.db {
            write_command(
                self.connection.output(),
                &[b"SELECT", command.db.to_string().as_bytes()],
            );
            self.pending.push_back(None);
            self.db = command.db;
        }
        self.connection.output().unsplit(command.bytes);
        self.pending.push_back(Some(command.answer));
    }

    fn deliver_replies(&mut self) -> Result<(), ConnectionError> {
        while let Some(frame) = self.connection.next_frame()? {
            match self.pending.pop_front() {
                Some(Some(answer)) => drop(answer.send(Ok(frame.freeze()))),
                // What stands behind a SELECT that was refused was done in another db.
                Some(None) if Frame::parse(&frame)?.as_error().is_none() => {}
                Some(None) | None => return Err(ConnectionError::Closed),
            }
        }
        Ok(())
    }
}

/// Speaks RESP3 where the server does, so that every reply has the form that is kept.
async fn handshake(connection: &mut RespConnection, url: &RedisUrl) -> Result<(), UpstreamError> {
    authenticate(connection, url).await?;
    // Older servers and narrow users refuse; strings are the same in RESP2.
    connection.call(&[b"HELLO", b"3"]).await?;
    if url.db != 0 {
        check_ok(&connection.call(&[b"SELECT", url.db.to_string().as_bytes()]).await?)?;
    }
    // Only a name for CLIENT LIST; a server that will not have it is no worse.
    connection.call(&[b"CLIENT", b"SETNAME", b"larder-plain"]).await?;
    Ok(())
}
