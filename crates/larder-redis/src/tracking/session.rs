//! One epoch of the tracking connection, without its socket: which commands are sent, what each
//! reply means, what a push invalidates. Replies and pushes are applied in wire order, here and
//! nowhere else (R2).

mod counts;
mod field_ttls;
mod reads;

use super::{
    invalidation::{Invalidation, MalformedInvalidation},
    multi_get::MultiGet,
    read_window::ReadWindow,
};
use crate::{
    error_reply::{is_not_ready, store_error},
    reply::Reply,
};
use bytes::BytesMut;
use counts::ExpiryCounts;
use larder_core::{
    Engine, FetchError, Fill, FlushCause, LeaseView, Moment, PutOutcome, StoreError,
    coherence::feed::Epoch,
};
use larder_resp::{
    ProtocolError,
    reply::{Frame, Items},
    request::write_command,
};
use reads::{Plan, Read};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// A request to the tracking connection.
pub(crate) enum Request {
    /// Read a value and cache it.
    Fill(Fill<'static, Reply>),
    /// Read several values at once, and cache those that were not in memory.
    MultiGet(MultiGet),
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
    /// Whether fields of hashes can expire on this server.
    fields_expire: bool,
    /// The replies still to come, in order.
    pending: VecDeque<PendingReply>,
    /// Reads that are not sent before more replies have arrived.
    waiting: VecDeque<WaitingRead>,
    window: ReadWindow,
    /// Reads that wait for the next counts.
    uncounted: Vec<Read>,
    /// Reads about which something must be asked before they can be completed.
    follow_ups: Vec<Read>,
    counts: ExpiryCounts,
    hpttl_is_refused: bool,
    next_heartbeat: Moment,
    last_received: Moment,
    /// Whether the server had been silent for too long at the previous heartbeat.
    was_silent: bool,
    freshness: Freshness,
}

/// What the log says of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    /// No heartbeat has been answered yet.
    Unproven,
    Fresh,
    /// The last answered heartbeat was too old: hits are suspended.
    Suspended,
}

/// A read that has not been sent.
enum WaitingRead {
    Fill(Fill<'static, Reply>),
    MultiGet(MultiGet),
}

impl WaitingRead {
    fn keys(&self) -> usize {
        match self {
            Self::Fill(_) => 1,
            Self::MultiGet(multi_get) => multi_get.keys,
        }
    }
}

/// A reply still to come, and what to do with it.
enum PendingReply {
    /// To a read. The replies to what its plan asks follow. The fill is `None` once it has failed as
    /// overdue, and so are the reads below.
    Read {
        fill: Option<Fill<'static, Reply>>,
        plan: Plan,
    },
    /// To `PTTL`.
    KeyTtl {
        read: Option<Read>,
        plan: Plan,
    },
    /// To `HPTTL` for so many fields.
    FieldTtls {
        read: Option<Read>,
        fields: usize,
    },
    /// To `HKEYS`.
    FieldNames {
        read: Option<Read>,
    },
    /// To `INFO keyspace`.
    Counts,
    /// To an `MGET`, or to one of the `PTTL`s of the keys that were missing.
    MultiGet(MultiGet),
    /// To the `SET` of a put; the reply to the `PING` that is its fence follows.
    Put {
        lease: LeaseView<Reply>,
        answer: PutSender,
    },
    /// To the `PING` of a put.
    PutFence {
        answer: PutSender,
        outcome: Result<PutOutcome, StoreError>,
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

impl Session {
    /// Begins an epoch on a connection that has completed its handshake and selected `db`.
    pub(crate) fn begin(engine: Arc<Engine<Reply>>, db: u32, fields_expire: bool) -> Self {
        let now = engine.clock().now();
        let epoch = engine.begin_epoch();
        Self {
            engine,
            epoch,
            db,
            fields_expire,
            pending: VecDeque::new(),
            waiting: VecDeque::new(),
            window: ReadWindow::new(),
            uncounted: Vec::new(),
            follow_ups: Vec::new(),
            counts: ExpiryCounts::default(),
            hpttl_is_refused: false,
            next_heartbeat: now,
            last_received: now,
            was_silent: false,
            freshness: Freshness::Unproven,
        }
    }

    /// Returns whether another request may be sent.
    pub(crate) fn has_capacity(&self) -> bool {
        self.pending.len() + self.waiting.len() < IN_FLIGHT_MAX
    }

    /// Returns the time until [`Session::send_heartbeat`] is due.
    pub(crate) fn until_next_heartbeat(&self) -> Duration {
        self.next_heartbeat.since(self.engine.clock().now())
    }

    /// Writes the commands of a request. A fill may have to wait: see [`Session::send_waiting`].
    pub(crate) fn send(&mut self, request: Request, out: &mut BytesMut) {
        match request {
            Request::Fill(fill) => {
                self.waiting.push_back(WaitingRead::Fill(fill));
                self.send_waiting(out);
            }
            Request::MultiGet(multi_get) => {
                self.waiting.push_back(WaitingRead::MultiGet(multi_get));
                self.send_waiting(out);
            }
            Request::Put(put) => self.send_put(put, out),
            Request::Fence(answer) => {
                write_command(out, &[b"PING"]);
                self.pending.push_back(PendingReply::Fence(answer));
            }
        }
    }

    /// Writes the commands of the fills that wait, as far as there is room for their replies.
    pub(crate) fn send_waiting(&mut self, out: &mut BytesMut) {
        while let Some(read) = self.waiting.pop_front_if(|read| self.window.has_room(read.keys())) {
            match read {
                WaitingRead::Fill(fill) => self.send_fill(fill, out),
                WaitingRead::MultiGet(multi_get) => self.send_multi_get(multi_get, out),
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
        // While heartbeats are answered in time, so are fills: those that wait have others before them.
        if !self.engine.feed().is_fresh(now) {
            self.fail_overdue_fills(now.minus(bound));
        }
        self.log_freshness(now);
        self.window.rest();
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
        let Some(pending) = self.pending.pop_front() else {
            return Err(EpochEnd::Protocol("a reply without a request".into()));
        };
        match pending {
            PendingReply::Read { fill, plan } => {
                self.window.answered(1, bytes.len());
                self.on_read(fill, plan, frame, bytes)
            }
            PendingReply::KeyTtl { read, plan } => self.on_key_ttl(read, plan, frame),
            PendingReply::FieldTtls { read, fields } => self.on_field_ttls(read, fields, frame),
            PendingReply::FieldNames { read } => self.on_field_names(read, frame, bytes),
            PendingReply::Counts => self.on_counts(frame),
            PendingReply::MultiGet(multi_get) => {
                if !multi_get.has_reply() {
                    self.window.answered(multi_get.keys, bytes.len());
                }
                if let Some(rest) = multi_get.on_reply(frame, bytes) {
                    self.pending.push_front(PendingReply::MultiGet(rest));
                }
                check_ready(frame)
            }
            PendingReply::Put { lease, answer } => {
                // Decided now: the put's own invalidation arrives right behind this reply.
                let outcome = put_outcome(frame, lease.holds());
                self.pending.push_front(PendingReply::PutFence { answer, outcome });
                Ok(())
            }
            PendingReply::PutFence { answer, outcome } => {
                // Fails only when the caller no longer waits; the value stays until its TTL ends.
                answer.send(outcome).ok();
                check_ready(frame)
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

    fn on_role_reply(&mut self, frame: &Frame<'_>, sent: Moment) -> Result<(), EpochEnd> {
        check_ready(frame)?;
        let now = self.engine.clock().now();
        self.log_freshness(now);
        let role = frame.items().and_then(|mut items| items.next());
        match role.and_then(|role| role.as_str_bytes()) {
            Some(b"master") => {
                self.engine.feed().heartbeat(self.epoch, sent);
                self.log_freshness(now);
                Ok(())
            }
            Some(other) => Err(EpochEnd::Role(String::from_utf8_lossy(other).into_owned())),
            None => Err(EpochEnd::Protocol("a ROLE reply without a role".into())),
        }
    }

    /// Logs, once each time, that hits are suspended for want of a recent heartbeat, and that they
    /// are served again.
    fn log_freshness(&mut self, now: Moment) {
        let feed = self.engine.feed();
        self.freshness = match (self.freshness, feed.is_fresh(now)) {
            (Freshness::Fresh, false) => {
                let (bound, age) = (feed.bound(), feed.age(now).unwrap_or_default());
                tracing::warn!(?bound, ?age, "no recent heartbeat: every read goes to the store");
                Freshness::Suspended
            }
            (Freshness::Suspended, true) => {
                tracing::info!("heartbeats are answered in time again: hits are served");
                Freshness::Fresh
            }
            (Freshness::Unproven, true) => Freshness::Fresh,
            (unchanged, _) => unchanged,
        };
    }

    fn send_multi_get(&mut self, mut multi_get: MultiGet, out: &mut BytesMut) {
        self.window.sent(multi_get.keys);
        self.select(multi_get.db, out);
        multi_get.send(out);
        self.pending.push_back(PendingReply::MultiGet(multi_get));
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

    /// Fails the fills that began before `since`, so that their waiters read through the command
    /// connection. Their replies are dropped when they arrive.
    fn fail_overdue_fills(&mut self, since: Moment) {
        let late = StoreError::TimedOut(self.engine.feed().bound());
        for pending in &mut self.pending {
            if let PendingReply::MultiGet(multi_get) = pending {
                multi_get.fail_if_overdue(since, &late);
            }
        }
        let waiting = self.uncounted.extract_if(.., |read| read.fill.sent() < since);
        let waiting =
            waiting.chain(self.follow_ups.extract_if(.., |read| read.fill.sent() < since));
        let pending = self.pending.iter_mut().filter_map(|pending| pending.take_overdue(since));
        let fills = |waiting: &mut WaitingRead| match waiting {
            WaitingRead::Fill(fill) => fill.sent() < since,
            WaitingRead::MultiGet(multi_get) => multi_get.is_overdue(since),
        };
        let unsent = std::iter::from_fn(|| self.waiting.pop_front_if(fills));
        let unsent = unsent.filter_map(|waiting| match waiting {
            WaitingRead::Fill(fill) => Some(fill),
            WaitingRead::MultiGet(mut multi_get) => {
                multi_get.fail(&late);
                None
            }
        });
        for overdue in waiting.map(|read| read.fill).chain(pending).chain(unsent) {
            overdue.fail(FetchError::Store(late.clone()));
        }
    }
}

impl PendingReply {
    /// Takes the fill that waits for this reply if it was sent before `since`.
    fn take_overdue(&mut self, since: Moment) -> Option<Fill<'static, Reply>> {
        match self {
            Self::Read { fill, .. } => fill.take_if(|fill| fill.sent() < since),
            Self::KeyTtl { read, .. }
            | Self::FieldTtls { read, .. }
            | Self::FieldNames { read } => {
                read.take_if(|read| read.fill.sent() < since).map(|read| read.fill)
            }
            Self::Counts
            | Self::MultiGet(_)
            | Self::Put { .. }
            | Self::PutFence { .. }
            | Self::Fence(_)
            | Self::HeartbeatPing
            | Self::HeartbeatRole { .. }
            | Self::Select => None,
        }
    }
}

/// The end of the session is the end of its epoch. Dropping the pending fills wakes their waiters.
impl Drop for Session {
    fn drop(&mut self) {
        self.engine.end_epoch(self.epoch);
    }
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
    match frame.as_error().filter(|error| is_not_ready(error)) {
        Some(error) => Err(EpochEnd::NotReady(String::from_utf8_lossy(error).into_owned())),
        None => Ok(()),
    }
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
