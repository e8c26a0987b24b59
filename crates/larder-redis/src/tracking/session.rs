//! One epoch of the tracked connection, without its socket: what goes out, what each reply means,
//! what a push does. Replies and pushes are taken in connection order, here and nowhere else (R2).

use super::invalidation::Invalidation;
use crate::Reply;
use bytes::BytesMut;
use larder_core::{
    Engine, FetchError, Fill, FlushCause, LeaseView, Moment, NotCached, Put, StoreError,
    coherence::feed::Epoch, expiry::Ttl, is_not_ready,
};
use larder_resp::{
    ProtocolError,
    command::write_read_command,
    reply::{Frame, Items},
    request::write_command,
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// What can be asked of the tracked connection.
pub(crate) enum Request {
    /// Read a value and keep it.
    Fill(Fill<'static, Reply>),
    /// Put what an origin gave, if the key is not there, and fence.
    Put(LoadedPut),
    /// FillOutcome when every push sent before has been applied. Dropped at the epoch's end.
    Fence(oneshot::Sender<()>),
}

/// A loaded value on its way into the store.
pub(crate) struct LoadedPut {
    pub(crate) name: Box<[u8]>,
    pub(crate) db: u32,
    pub(crate) payload: Box<[u8]>,
    pub(crate) ttl: Duration,
    pub(crate) lease: LeaseView<Reply>,
    pub(crate) answer: PutSender,
}

pub(crate) type PutSender = oneshot::Sender<Result<Put, StoreError>>;

/// Why an epoch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EpochEnd {
    /// The connection did.
    Connection(String),
    /// Nothing was heard for this long.
    Silent(Duration),
    /// The node is no primary any more.
    Role(String),
    /// The node says that it does not serve now.
    NotReady(String),
    /// It sent what is not understood.
    Protocol(String),
}

/// Requests that may wait for replies at once; more wait in the queue before the connection.
const IN_FLIGHT_MAX: usize = 16 << 10;
/// After this many bounds without a byte the connection is given up.
const SILENT_BOUNDS: u32 = 4;
/// Heartbeats per bound.
const HEARTBEATS_PER_BOUND: u32 = 4;

pub(crate) struct Session {
    engine: Arc<Engine<Reply>>,
    epoch: Epoch,
    db: u32,
    /// What the replies still to come answer, in order.
    pending: VecDeque<PendingReply>,
    /// The first half of an answer of two replies.
    first_reply: Option<FirstReply>,
    next_heartbeat: Moment,
    last_received: Moment,
    /// Nothing had been heard for too long at the last heartbeat either.
    was_silent: bool,
}

enum PendingReply {
    /// A read, then its PTTL. Its waiters may have been sent elsewhere.
    Read(Option<Fill<'static, Reply>>),
    /// A put, then the fence behind it.
    Put(LeaseView<Reply>, PutSender),
    Fence(oneshot::Sender<()>),
    Ping,
    /// The second half of a heartbeat sent at that moment.
    Role(Moment),
    Select,
}

enum FirstReply {
    Read(Option<Fill<'static, Reply>>, Result<Reply, ErrorReply>),
    Put(PutSender, Result<Put, StoreError>),
}

/// The words of an error.
struct ErrorReply(Box<[u8]>);

impl Session {
    /// Begins an epoch on a connection that has shaken hands and selected `db`.
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

    /// Whether another request may be sent.
    pub(crate) fn has_capacity(&self) -> bool {
        self.pending.len() < IN_FLIGHT_MAX
    }

    /// When [`Session::beat`] wants to be called next, from now.
    pub(crate) fn until_next_heartbeat(&self) -> Duration {
        self.next_heartbeat.since(self.engine.clock().now())
    }

    /// Writes a request.
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

    /// Writes a heartbeat when one is due: PING, and ROLE because after REPLICAOF the connection
    /// stays open and silent (R8). Ends the epoch when nothing at all has been heard for long.
    pub(crate) fn send_heartbeat(&mut self, out: &mut BytesMut) -> Result<(), EpochEnd> {
        let now = self.engine.clock().now();
        if now < self.next_heartbeat {
            return Ok(());
        }
        let bound = self.engine.feed().bound();
        let silence = now.since(self.last_received);
        let silent = silence > bound * SILENT_BOUNDS;
        // The first time it may be this process that was stopped, with the answers waiting unread.
        if silent && self.was_silent {
            return Err(EpochEnd::Silent(silence));
        }
        self.was_silent = silent;
        self.next_heartbeat = now.plus(bound / HEARTBEATS_PER_BOUND);
        self.fail_overdue_fills(now.minus(bound));
        write_command(out, &[b"PING"]);
        write_command(out, &[b"ROLE"]);
        self.pending.extend([PendingReply::Ping, PendingReply::Role(now)]);
        Ok(())
    }

    /// Bytes arrived.
    pub(crate) fn on_receive(&mut self) {
        self.last_received = self.engine.clock().now();
    }

    /// Takes one reply or push, as a scanner found it.
    pub(crate) fn on_frame(&mut self, bytes: &[u8]) -> Result<(), EpochEnd> {
        let frame = Frame::from_scanned(bytes)?;
        if let Frame::Push(push) = frame {
            return self.on_push(push);
        }
        match self.first_reply.take() {
            Some(FirstReply::Read(fill, reply)) => return finish_read(fill, reply, &frame),
            Some(FirstReply::Put(answer, outcome)) => return finish_put(answer, outcome, &frame),
            None => {}
        }
        match self.pending.pop_front() {
            Some(PendingReply::Read(fill)) => {
                let reply = match frame.as_error() {
                    None => Ok(Reply::copy_of(bytes)),
                    Some(error) => Err(ErrorReply(error.into())),
                };
                self.first_reply = Some(FirstReply::Read(fill, reply));
                Ok(())
            }
            Some(PendingReply::Put(lease, answer)) => {
                // Judged here: the put's own invalidation comes right behind this reply.
                let outcome = put_outcome(&frame, lease.holds());
                self.first_reply = Some(FirstReply::Put(answer, outcome));
                Ok(())
            }
            Some(PendingReply::Fence(answer)) => {
                check_ready(&frame)?;
                // Who asked for the fence may have left.
                answer.send(()).or(Ok(()))
            }
            Some(PendingReply::Ping) => check_ready(&frame),
            // What stands behind a SELECT that was refused comes from another db.
            Some(PendingReply::Select) => frame.as_error().map_or(Ok(()), |error| {
                Err(EpochEnd::NotReady(String::from_utf8_lossy(error).into_owned()))
            }),
            Some(PendingReply::Role(sent)) => self.on_role_reply(&frame, sent),
            None => Err(EpochEnd::Protocol("a reply that nothing was asked for".into())),
        }
    }

    fn on_push(&self, push: Items<'_>) -> Result<(), EpochEnd> {
        match Invalidation::read(push) {
            Some(Invalidation::Names(names)) => {
                for name in names {
                    let name = name.as_str_bytes().ok_or_else(unknown_invalidation)?;
                    self.engine.on_invalidation(name);
                }
                Ok(())
            }
            Some(Invalidation::Everything) => {
                self.engine.flush(FlushCause::Flushed);
                Ok(())
            }
            Some(Invalidation::None) => Ok(()),
            None => Err(unknown_invalidation()),
        }
    }

    fn on_role_reply(&self, frame: &Frame<'_>, sent: Moment) -> Result<(), EpochEnd> {
        check_ready(frame)?;
        let role = frame.items().and_then(|mut items| items.next());
        match role.and_then(|role| role.as_str_bytes()) {
            Some(b"master") => {
                self.engine.feed().beat(self.epoch, sent);
                Ok(())
            }
            Some(other) => Err(EpochEnd::Role(String::from_utf8_lossy(other).into_owned())),
            None => Err(EpochEnd::Protocol("a ROLE reply without a role".into())),
        }
    }

    fn send_fill(&mut self, fill: Fill<'static, Reply>, out: &mut BytesMut) {
        let key = fill.key();
        let (name, db) = (key.name, key.db);
        self.select(db, out);
        write_read_command(out, key.read, name);
        write_command(out, &[b"PTTL", name]);
        self.pending.push_back(PendingReply::Read(Some(fill)));
    }

    fn send_put(&mut self, put: LoadedPut, out: &mut BytesMut) {
        self.select(put.db, out);
        let ttl = put.ttl.as_millis().max(1).to_string();
        let set: [&[u8]; 7] =
            [b"SET", &put.name, &put.payload, b"NX", b"GET", b"PX", ttl.as_bytes()];
        write_command(out, &set);
        write_command(out, &[b"PING"]);
        self.pending.push_back(PendingReply::Put(put.lease, put.answer));
    }

    fn select(&mut self, db: u32, out: &mut BytesMut) {
        if db != self.db {
            write_command(out, &[b"SELECT", db.to_string().as_bytes()]);
            self.pending.push_back(PendingReply::Select);
            self.db = db;
        }
    }

    /// Waiters whose read was sent before `since` need not wait on: they are told to read on
    /// another road. The reply, when it comes, is nobody's.
    fn fail_overdue_fills(&mut self, since: Moment) {
        let first_reply = match &mut self.first_reply {
            Some(FirstReply::Read(fill, _)) => Some(fill),
            _ => None,
        };
        let reads = self.pending.iter_mut().filter_map(|pending| match pending {
            PendingReply::Read(fill) => Some(fill),
            _ => None,
        });
        for fill in first_reply.into_iter().chain(reads) {
            if let Some(late) = fill.take_if(|fill| fill.sent() < since) {
                late.fail(FetchError::Store(StoreError::TimedOut(self.engine.feed().bound())));
            }
        }
    }
}

/// The end of the session is the end of its epoch; the fills that were on their way tell their
/// waiters so when they are dropped.
impl Drop for Session {
    fn drop(&mut self) {
        self.engine.end_epoch(self.epoch);
    }
}

/// Lands a read of which this was the reply; `frame` is the one to the PTTL behind it (R6).
fn finish_read(
    fill: Option<Fill<'static, Reply>>,
    reply: Result<Reply, ErrorReply>,
    frame: &Frame<'_>,
) -> Result<(), EpochEnd> {
    let Some(fill) = fill else { return Ok(()) };
    let value = match reply {
        Ok(value) => value,
        Err(ErrorReply(error)) => {
            fill.fail(FetchError::Store(store_error(&error)));
            return check_ready_error(&error);
        }
    };
    match frame.as_integer() {
        Some(left) => drop(fill.complete(value, Ttl::from_pttl(left))),
        None => drop(fill.complete_uncached(value, NotCached::NotAllowed)),
    }
    check_ready(frame)
}

/// Answers a put whose fence has come back.
fn finish_put(
    answer: PutSender,
    outcome: Result<Put, StoreError>,
    frame: &Frame<'_>,
) -> Result<(), EpochEnd> {
    // Who asked may have left; the put stands, with its time to live.
    answer.send(outcome).ok();
    check_ready(frame)
}

fn put_outcome(frame: &Frame<'_>, lease_holds: bool) -> Result<Put, StoreError> {
    match frame.as_error() {
        Some(error) => Err(store_error(error)),
        None if lease_holds => Ok(Put::Done),
        // GET gives what was there: nothing, where something was put.
        None => Ok(Put::LeaseInvalidated { is_put: matches!(frame, Frame::Null) }),
    }
}

pub(crate) fn store_error(error: &[u8]) -> StoreError {
    StoreError::Refused(String::from_utf8_lossy(error).into())
}

fn check_ready(frame: &Frame<'_>) -> Result<(), EpochEnd> {
    frame.as_error().map_or(Ok(()), check_ready_error)
}

fn check_ready_error(error: &[u8]) -> Result<(), EpochEnd> {
    if is_not_ready(error) {
        return Err(EpochEnd::NotReady(String::from_utf8_lossy(error).into_owned()));
    }
    Ok(())
}

fn unknown_invalidation() -> EpochEnd {
    EpochEnd::Protocol("an invalidation of an unknown form".into())
}

impl From<ProtocolError> for EpochEnd {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl std::fmt::Display for EpochEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connection(why) => write!(f, "the tracked connection ended: {why}"),
            Self::Silent(span) => write!(f, "nothing was heard for {span:.1?}"),
            Self::Role(role) => write!(f, "the server's role is now {role}"),
            Self::NotReady(why) => write!(f, "the server does not serve now: {why}"),
            Self::Protocol(why) => write!(f, "the server sent {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
