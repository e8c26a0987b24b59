//! The command connection: writes, and reads that bypass the near cache. All callers share it, and
//! their commands are pipelined.
//!
//! A command is sent once. When the connection ends before its reply, the caller gets
//! [`StoreError::Lost`]: the outcome is unknown (R14), and only the caller can know whether sending
//! the command again is safe.

use crate::{
    access::Access,
    backoff::Backoff,
    connection::{ConnectionError, RespConnection, timeout_message},
    upstream::{UpstreamError, authenticate, check_ok, is_no_auth, select},
    url::RedisUrl,
};
use bytes::{Bytes, BytesMut};
use larder_core::StoreError;
use larder_resp::{reply::Frame, request::write_command};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

/// Maximum commands waiting for the connection.
const QUEUE_MAX: usize = 4096;
/// Maximum commands waiting for their replies.
const IN_FLIGHT_MAX: usize = 16 << 10;
/// Maximum commands taken from the queue between two checks of the socket.
const BATCH_MAX: usize = 128;
/// Time limit for connecting and the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type ReplySender = oneshot::Sender<Result<Bytes, StoreError>>;

struct Command {
    db: u32,
    bytes: BytesMut,
    reply: ReplySender,
}

/// A handle to the task that owns the connection.
pub(crate) struct CommandConnection {
    queue: mpsc::Sender<Command>,
    reconnect: Arc<Notify>,
    timeout: Duration,
}

impl CommandConnection {
    /// Starts the task, which ends when this handle is dropped. A command whose reply has not
    /// arrived within `timeout` fails.
    pub(crate) fn start(url: RedisUrl, access: Arc<Access>, timeout: Duration) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let reconnect = Arc::new(Notify::new());
        let task = ConnectionTask { url, access, queue, reconnect: Arc::clone(&reconnect) };
        tokio::spawn(task.run());
        Self { queue: sender, reconnect, timeout }
    }

    /// Sends a command and waits for its reply, which may be an error reply.
    pub(crate) async fn call(&self, db: u32, command: &[&[u8]]) -> Result<Bytes, StoreError> {
        let mut bytes = BytesMut::new();
        write_command(&mut bytes, command);
        self.call_encoded(db, bytes).await
    }

    /// Sends a command that is already encoded, and waits for its reply.
    pub(crate) async fn call_encoded(&self, db: u32, bytes: BytesMut) -> Result<Bytes, StoreError> {
        let (reply, received) = oneshot::channel();
        let exchange = async {
            let closed = |_| StoreError::Unreachable("Larder is shutting down".into());
            self.queue.send(Command { db, bytes, reply }).await.map_err(closed)?;
            received.await.unwrap_or(Err(StoreError::Lost))
        };
        timeout(self.timeout, exchange).await.unwrap_or_else(|_| {
            // Every later command waits behind the same missing reply: start a new connection.
            self.reconnect.notify_one();
            Err(StoreError::TimedOut(self.timeout))
        })
    }
}

/// Connects, and reconnects when a connection ends.
struct ConnectionTask {
    url: RedisUrl,
    access: Arc<Access>,
    queue: mpsc::Receiver<Command>,
    reconnect: Arc<Notify>,
}

impl ConnectionTask {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while !self.queue.is_closed() {
            match self.connect().await {
                Ok(pipeline) => {
                    backoff.reset();
                    match self.serve(pipeline).await {
                        Ok(()) => return,
                        Err(error) => tracing::debug!(%error, "command connection ended"),
                    }
                }
                Err(error) => self.fail_commands_for(backoff.next(), &error).await,
            }
        }
    }

    async fn connect(&self) -> Result<Pipeline, StoreError> {
        let attempt = async {
            let mut connection =
                RespConnection::connect(&self.url).await.map_err(ConnectionError::from)?;
            handshake(&mut connection, &self.url).await?;
            Ok(Pipeline { connection, db: self.url.db, pending: VecDeque::new() })
        };
        match timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(Ok(pipeline)) => Ok(pipeline),
            Ok(Err(error)) => Err(self.store_error(&error)),
            Err(_) => {
                Err(StoreError::Unreachable(timeout_message(&self.url, CONNECT_TIMEOUT).into()))
            }
        }
    }

    /// Serves one connection until it fails. Returns `Ok` once the handle is dropped.
    async fn serve(&mut self, mut pipeline: Pipeline) -> Result<(), ConnectionError> {
        loop {
            pipeline.deliver_replies()?;
            pipeline.connection.flush()?;
            tokio::select! {
                // A command that is sent on a connection about to be given up is lost with it.
                biased;
                () = self.reconnect.notified() => {
                    // The command that timed out may have been sent on an earlier connection.
                    if pipeline.has_abandoned_reply() {
                        return Err(ConnectionError::Closed);
                    }
                }
                ready = pipeline.connection.readable() => {
                    ready?;
                    pipeline.connection.receive()?;
                }
                ready = pipeline.connection.writable(), if pipeline.connection.has_output() => {
                    ready?;
                }
                command = self.queue.recv(), if pipeline.has_capacity() => {
                    let Some(command) = command else { return Ok(()) };
                    pipeline.send(command);
                    self.send_batch(&mut pipeline);
                }
            }
        }
    }

    /// Sends the commands that are queued already, so that they share one write.
    fn send_batch(&mut self, pipeline: &mut Pipeline) {
        for _ in 0..BATCH_MAX {
            if !pipeline.has_capacity() {
                return;
            }
            let Ok(command) = self.queue.try_recv() else { return };
            pipeline.send(command);
        }
    }

    /// Returns the error of the commands that wait for a connection, and records a refusal.
    fn store_error(&self, error: &UpstreamError) -> StoreError {
        let why = error.to_string();
        if error.is_refusal() {
            self.access.refused(&why);
            return StoreError::NoAccess(why.into());
        }
        StoreError::Unreachable(why.into())
    }

    /// Fails commands for the length of `pause`, or until the handle is dropped.
    async fn fail_commands_for(&mut self, pause: Duration, error: &StoreError) {
        let fail = async {
            while let Some(command) = self.queue.recv().await {
                // Fails only when the caller no longer waits.
                command.reply.send(Err(error.clone())).ok();
            }
        };
        timeout(pause, fail).await.ok();
    }
}

/// One connection and the replies that it still owes, in order.
struct Pipeline {
    connection: RespConnection,
    db: u32,
    pending: VecDeque<PendingReply>,
}

enum PendingReply {
    Command(ReplySender),
    /// A `SELECT` that the pipeline itself sent.
    Select,
}

impl Pipeline {
    fn has_capacity(&self) -> bool {
        self.connection.has_capacity() && self.pending.len() < IN_FLIGHT_MAX
    }

    /// Returns whether a caller stopped waiting for a reply that this connection owes.
    fn has_abandoned_reply(&self) -> bool {
        self.pending.iter().any(|pending| match pending {
            PendingReply::Command(reply) => reply.is_closed(),
            PendingReply::Select => false,
        })
    }

    fn send(&mut self, command: Command) {
        if command.reply.is_closed() {
            return;
        }
        if command.db != self.db {
            let db = command.db.to_string();
            write_command(self.connection.output(), &[b"SELECT", db.as_bytes()]);
            self.pending.push_back(PendingReply::Select);
            self.db = command.db;
        }
        self.connection.output().unsplit(command.bytes);
        self.pending.push_back(PendingReply::Command(command.reply));
    }

    fn deliver_replies(&mut self) -> Result<(), ConnectionError> {
        while let Some(frame) = self.connection.next_frame()? {
            match self.pending.pop_front() {
                // Fails only when the caller no longer waits.
                Some(PendingReply::Command(reply)) => drop(reply.send(Ok(frame.freeze()))),
                // After a failed SELECT the commands behind it ran in another db: their replies
                // must not be delivered.
                Some(PendingReply::Select) if Frame::parse(&frame)?.is_error() => {
                    return Err(ConnectionError::Closed);
                }
                Some(PendingReply::Select) => {}
                None => return Err(ConnectionError::Closed),
            }
        }
        Ok(())
    }
}

/// Authenticates and selects the db. Uses RESP3 where the server has it, so that every reply is in
/// the form that the near cache stores.
async fn handshake(connection: &mut RespConnection, url: &RedisUrl) -> Result<(), UpstreamError> {
    authenticate(connection, url).await?;
    // Servers before 6.0 and users without the right to HELLO refuse it. Strings, which is all that
    // is read here, are the same in RESP2.
    let hello = connection.call(&[b"HELLO", b"3"]).await?;
    if is_no_auth(&hello) {
        return check_ok("HELLO 3", &hello);
    }
    select(connection, url).await?;
    // The name is for `CLIENT LIST` only; a refusal does no harm.
    connection.call(&[b"CLIENT", b"SETNAME", b"larder-commands"]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    /// Completes the handshake and answers nothing more until the connection ends.
    async fn fall_silent(mut stream: TcpStream) {
        let (mut buffer, mut commands) = ([0; 1024], 0);
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            for _ in buffer[..read].iter().filter(|byte| **byte == b'*') {
                commands += 1;
                if commands <= 2 {
                    stream.write_all(b"+OK\r\n").await.ok();
                }
            }
        }
    }

    #[tokio::test]
    async fn a_command_behind_one_that_timed_out_is_not_lost_with_its_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: RedisUrl = format!("redis://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(fall_silent(stream));
            }
        });
        let access = Arc::new(Access::new(url.clone()));
        let commands = CommandConnection::start(url, access, Duration::from_millis(50));
        // Each call starts before the connection's task learns that the one before timed out.
        for number in 0..20 {
            let outcome = commands.call(0, &[b"DEL", b"k"]).await;
            assert!(matches!(outcome, Err(StoreError::TimedOut(_))), "{number}: {outcome:?}");
        }
    }
}
