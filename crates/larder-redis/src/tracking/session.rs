//! One epoch of the tracking connection, without its socket: which commands are sent, what each
//! reply means, what a push invalidates. Replies and pushes are applied in wire order, here and
//! nowhere else (R2).

use super::invalidation::{Invalidation, MalformedInvalidation};
use crate::{
    error_reply::{is_not_ready, store_error},
    pttl::to_ttl,
    reply::Reply,
};
use bytes::BytesMut;
use larder_core::{
    Engine, FetchError, Fill, FlushCause, LeaseView, Moment, NotCached, PutOutcome, StoreError,
    coherence::feed::Epoch,
};
use larder_resp::{
    ProtocolError,
    command::write_read_command,
    reply::{Frame, Items},
    request::write_command,
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// A request to the tracking connection.
pub(crate) enum Request {
    /// Read a value and cache it.
    Fill(Fill<'static, Reply>),
    /// Put a loaded value if the key does not exist, then fence.
    Put(LoadedPut),
    /// Answer once every push that Redis sent before has been applied. The channel is dropped when
    /// the epoch ends.
    Fence(oneshot::Sender<()>),
}

/// A value that an origin returned, on its way into the store.
pub(crate) struct LoadedPut {
    pub(crate) name: Box<[u8]>,
    pub(crate) db: u32,
    pub(crate) payload: Box<[u8]>,
    pub(crate) ttl: Duration,
    pub(crate) lease: LeaseView<Reply>,
    pub(crate) answer: PutSender,
}

pub(crate) type PutSender = oneshot::Sender<Result<PutOutcome, StoreError>>;

/// Why an epoch ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EpochEnd {
    /// The connection failed.
    #[error("the tracking connection ended: {0}")]
    Connection(String),
    /// The server sent nothing for this long.
    #[error("the server sent nothing for {0:.1?}")]
    Silent(Duration),
    /// The server is not a primary any more.
    #[error("the server's role is now {0}")]
    Role(String),
    /// The server refuses to serve for now.
    #[error("the server is not ready: {0}")]
    NotReady(String),
    /// The server sent something unexpected.
    #[error("unexpected data from the server: {0}")]
    Protocol(String),
}

/// Maximum requests waiting for replies. Further requests wait in the task's queue.
const IN_FLIGHT_MAX: usize = 16 << 10;
/// The connection is given up after this many staleness bounds without a byte.
const SILENT_BOUNDS: u32 = 4;
/// Heartbeats sent per staleness bound.
const HEARTBEATS_PER_BOUND: u32 = 4;

pub(crate) struct Session {
    engine: Arc<Engine<Reply>>,
    epoch: Epoch,
    db: u32,
    /// The replies still to come, in order.
    pending: VecDeque<PendingReply>,
    /// Set between the two replies to a read or a put: the next reply is the second one.
    first_reply: Option<FirstReply>,
    next_heartbeat: Moment,
    last_received: Moment,
    /// Whether the server had been silent for too long at the previous heartbeat.
    was_silent: bool,
}

/// A reply still to come, and what to do with it.
enum PendingReply {
    /// To a read; the reply to its `PTTL` follows. The fill is `None` once it has failed as
    /// overdue.
    Read {
        fill: Option<Fill<'static, Reply>>,
    },
    /// To the `SET` of a put; the reply to the `PING` that is its fence follows.
    Put {
        lease: LeaseView<Reply>,
        answer: PutSender,
    },
    /// To the `PING` of a fence.
    Fence(oneshot::Sender<()>),
    /// To the `PING` of a heartbeat.
    HeartbeatPing,
    /// To the `ROLE` of a heartbeat that was sent at this moment.
    HeartbeatRole {
        sent: Moment,
    },
    Select,
}

/// The first of two replies that belong together.
enum FirstReply {
    Read { fill: Option<Fill<'static, Reply>>, reply: Result<Reply, ErrorReply> },
    Put { answer: PutSender, outcome: Result<PutOutcome, StoreError> },
}

/// The text of an error reply.
struct ErrorReply(Box<[u8]>);

impl Session {
    /// Begins an epoch on a connection that has completed its handshake and selected `db`.
    pub(crate) fn begin(engine: Arc<Engine<Reply>>, db: u32) -> Self {
        let now = engine.clock().now();
        let epoch = engine.begin_epoch();
        Self {
            engine,
            epoch,
            db,
            pending: VecDeque::new(),
            first_reply: None,
            next_heartbeat: now,
            last_received: now,
            was_silent: false,
        }
    }

    /// Returns whether another request may be sent.
    pub(crate) fn has_capacity(&self) -> bool {
        self.pending.len() < IN_FLIGHT_MAX
    }

    /// Returns the time until [`Session::send_heartbeat`] is due.
    pub(crate) fn until_next_heartbeat(&self) -> Duration {
        self.next_heartbeat.since(self.engine.clock().now())
    }

    /// Writes the commands of a request.
    pub(crate) fn send(&mut self, request: Request, out: &mut BytesMut) {
        match request {
            Request::Fill(fill) => self.send_fill(fill, out),
            Request::Put(put) => self.send_put(put, out),
            Request::Fence(answer) => {
                write_command(out, &[b"PING"]);
                self.pending.push_back(PendingReply::Fence(answer));
            }
        }
    }

    /// Writes a heartbeat if one is due: `PING`, and `ROLE` because after `REPLICAOF` the connection
    /// stays open and silent (R8). Ends the epoch when the server has been silent for too long.
    pub(crate) fn send_heartbeat(&mut self, out: &mut BytesMut) -> Result<(), EpochEnd> {
        let now = self.engine.clock().now();
        if now < self.next_heartbeat {
            return Ok(());
        }
        let bound = self.engine.feed().bound();
        let silence = now.since(self.last_received);
        let is_silent = silence > bound * SILENT_BOUNDS;
        // After one silent heartbeat this process may have been suspended, with replies unread.
        if is_silent && self.was_silent {
            return Err(EpochEnd::Silent(silence));
        }
        self.was_silent = is_silent;
        self.next_heartbeat = now.plus(bound / HEARTBEATS_PER_BOUND);
        self.fail_overdue_fills(now.minus(bound));
        write_command(out, &[b"PING"]);
        write_command(out, &[b"ROLE"]);
        self.pending.push_back(PendingReply::HeartbeatPing);
        self.pending.push_back(PendingReply::HeartbeatRole { sent: now });
        Ok(())
    }

    /// Records that bytes arrived.
    pub(crate) fn on_receive(&mut self) {
        self.last_received = self.engine.clock().now();
    }

    /// Applies one reply or push, as a scanner found it.
    pub(crate) fn on_frame(&mut self, bytes: &[u8]) -> Result<(), EpochEnd> {
        match Frame::from_scanned(bytes)? {
            Frame::Push(push) => self.on_push(push),
            frame => self.on_reply(&frame, bytes),
        }
    }

    fn on_push(&self, push: Items<'_>) -> Result<(), EpochEnd> {
        match Invalidation::parse(push)? {
            Some(Invalidation::Keys(names)) => {
                for name in names {
                    let name = name.as_str_bytes().ok_or(MalformedInvalidation)?;
                    self.engine.on_invalidation(name);
                }
            }
            Some(Invalidation::All) => {
                self.engine.flush(FlushCause::Flushed);
            }
            None => {}
        }
        Ok(())
    }

    fn on_reply(&mut self, frame: &Frame<'_>, bytes: &[u8]) -> Result<(), EpochEnd> {
        if let Some(first) = self.first_reply.take() {
            return first.on_second_reply(frame);
        }
        let Some(pending) = self.pending.pop_front() else {
            return Err(EpochEnd::Protocol("a reply without a request".into()));
        };
        match pending {
            PendingReply::Read { fill } => {
                let reply = match frame.as_error() {
                    None => Ok(Reply::copy_of(bytes)),
                    Some(error) => Err(ErrorReply(error.into())),
                };
                self.first_reply = Some(FirstReply::Read { fill, reply });
                Ok(())
            }
            PendingReply::Put { lease, answer } => {
                // Decided now: the put's own invalidation arrives right behind this reply.
                let outcome = put_outcome(frame, lease.holds());
                self.first_reply = Some(FirstReply::Put { answer, outcome });
                Ok(())
            }
            PendingReply::Fence(answer) => {
                check_ready(frame)?;
                // Fails only when the caller no longer waits.
                answer.send(()).ok();
                Ok(())
            }
            PendingReply::HeartbeatPing => check_ready(frame),
            PendingReply::HeartbeatRole { sent } => self.on_role_reply(frame, sent),
            PendingReply::Select => check_selected(frame),
        }
    }

    fn on_role_reply(&self, frame: &Frame<'_>, sent: Moment) -> Result<(), EpochEnd> {
        check_ready(frame)?;
        let role = frame.items().and_then(|mut items| items.next());
        match role.and_then(|role| role.as_str_bytes()) {
            Some(b"master") => {
                self.engine.feed().heartbeat(self.epoch, sent);
                Ok(())
            }
            Some(other) => Err(EpochEnd::Role(String::from_utf8_lossy(other).into_owned())),
            None => Err(EpochEnd::Protocol("a ROLE reply without a role".into())),
        }
    }

    fn send_fill(&mut self, fill: Fill<'static, Reply>, out: &mut BytesMut) {
        let key = fill.key();
        let (name, db) = (key.name, key.keyspace);
        self.select(db, out);
        write_read_command(out, key.variant, name);
        write_command(out, &[b"PTTL", name]);
        self.pending.push_back(PendingReply::Read { fill: Some(fill) });
    }

    fn send_put(&mut self, put: LoadedPut, out: &mut BytesMut) {
        self.select(put.db, out);
        let ttl = put.ttl.as_millis().max(1).to_string();
        let set: [&[u8]; 7] =
            [b"SET", &put.name, &put.payload, b"NX", b"GET", b"PX", ttl.as_bytes()];
        write_command(out, &set);
        write_command(out, &[b"PING"]);
        self.pending.push_back(PendingReply::Put { lease: put.lease, answer: put.answer });
    }

    fn select(&mut self, db: u32, out: &mut BytesMut) {
        if db != self.db {
            write_command(out, &[b"SELECT", db.to_string().as_bytes()]);
            self.pending.push_back(PendingReply::Select);
            self.db = db;
        }
    }

    /// Fails the fills that were sent before `since`, so that their waiters read through the command
    /// connection. Their replies are dropped when they arrive.
    fn fail_overdue_fills(&mut self, since: Moment) {
        let half_read = match &mut self.first_reply {
            Some(FirstReply::Read { fill, .. }) => Some(fill),
            Some(FirstReply::Put { .. }) | None => None,
        };
        let pending_reads = self.pending.iter_mut().filter_map(|pending| match pending {
            PendingReply::Read { fill } => Some(fill),
            _ => None,
        });
        for fill in half_read.into_iter().chain(pending_reads) {
            if let Some(overdue) = fill.take_if(|fill| fill.sent() < since) {
                overdue.fail(FetchError::Store(StoreError::TimedOut(self.engine.feed().bound())));
            }
        }
    }
}

/// The end of the session is the end of its epoch. Dropping the pending fills wakes their waiters.
impl Drop for Session {
    fn drop(&mut self) {
        self.engine.end_epoch(self.epoch);
    }
}

impl FirstReply {
    fn on_second_reply(self, frame: &Frame<'_>) -> Result<(), EpochEnd> {
        match self {
            Self::Read { fill: None, .. } => Ok(()),
            Self::Read { fill: Some(fill), reply: Ok(reply) } => complete_fill(fill, reply, frame),
            Self::Read { fill: Some(fill), reply: Err(ErrorReply(error)) } => {
                fill.fail(FetchError::Store(store_error(&error)));
                check_ready_error(&error)
            }
            Self::Put { answer, outcome } => {
                // Fails only when the caller no longer waits; the value stays until its TTL ends.
                answer.send(outcome).ok();
                check_ready(frame)
            }
        }
    }
}

/// Completes a fill with the reply to its `PTTL` (R6). Without a TTL the value must not be cached.
fn complete_fill(
    fill: Fill<'static, Reply>,
    reply: Reply,
    pttl: &Frame<'_>,
) -> Result<(), EpochEnd> {
    match pttl.as_integer() {
        Some(milliseconds) => drop(fill.complete(reply, to_ttl(milliseconds))),
        None => drop(fill.complete_uncached(reply, NotCached::NotAllowed)),
    }
    check_ready(pttl)
}

fn put_outcome(frame: &Frame<'_>, lease_holds: bool) -> Result<PutOutcome, StoreError> {
    match frame.as_error() {
        Some(error) => Err(store_error(error)),
        None if lease_holds => Ok(PutOutcome::Done),
        // SET NX GET replies with the previous value: null if this put was the one that set it.
        None => Ok(PutOutcome::LeaseInvalidated { is_put: matches!(frame, Frame::Null) }),
    }
}

/// Ends the epoch if a `SELECT` failed: the replies behind it come from another db.
fn check_selected(frame: &Frame<'_>) -> Result<(), EpochEnd> {
    match frame.as_error() {
        Some(error) => Err(EpochEnd::NotReady(String::from_utf8_lossy(error).into_owned())),
        None => Ok(()),
    }
}

/// Ends the epoch if this is an error reply of a server that is not a serving primary (R8).
fn check_ready(frame: &Frame<'_>) -> Result<(), EpochEnd> {
    frame.as_error().map_or(Ok(()), check_ready_error)
}

fn check_ready_error(error: &[u8]) -> Result<(), EpochEnd> {
    if is_not_ready(error) {
        return Err(EpochEnd::NotReady(String::from_utf8_lossy(error).into_owned()));
    }
    Ok(())
}

impl From<MalformedInvalidation> for EpochEnd {
    fn from(_: MalformedInvalidation) -> Self {
        Self::Protocol("a malformed invalidation".into())
    }
}

impl From<ProtocolError> for EpochEnd {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error.to_string())
    }
}

#[cfg(test)]
mod tests;
