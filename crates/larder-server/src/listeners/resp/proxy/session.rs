//! One client's session: its state on the upstream connection and the replies that it waits for,
//! without any socket.
//!
//! Every command that goes upstream leaves an entry here that says what must happen when its reply
//! arrives, and which keys it touches. While a command is unanswered that may touch any key, or the
//! client is in a state that only Redis tracks, nothing is served from memory (R5). A read of a key
//! that no unanswered command touches is; its reply waits here for its turn.

pub(super) mod auth;
mod counted;
mod frames;
mod in_flight;
mod pending;
mod reply_mode;
mod reply_queue;
mod state;

use super::{
    classify::{CommandKind, StateChange},
    context::ProxyContext,
    fetch_batch::FetchBatch,
    read_context::ReadContext,
    uncached_read::UncachedRead,
};
use auth::Principal;
use bytes::BytesMut;
pub(super) use counted::Counted;
use counted::Queued;
use frames::is_message;
use in_flight::FetchTurn;
pub(super) use in_flight::InFlight;
use larder_core::Bypass;
use larder_resp::{command::KeyArgs, reply::Frame};
pub(super) use pending::ReplyAction;
use pending::{FlushGuard, PendingReply, ResetProgress};
use reply_mode::Answer;
use reply_queue::ReplyQueue;
use smallvec::SmallVec;
pub(super) use state::ReplyStream;
use state::{ClientState, SentChange};
use std::sync::Arc;

/// See the [module](self).
pub(super) struct Session {
    state: ClientState,
    pending: ReplyQueue,
    queued: Queued,
    /// A RESET, which ends this session, was sent behind the pending replies.
    reset: Option<ResetProgress>,
    /// A command that changes everything was sent while the client wanted no replies.
    unanswered_flush: Option<FlushGuard>,
}

impl Session {
    pub(super) fn new(home_db: u32) -> Self {
        let state = ClientState::new(home_db);
        let (pending, queued) = (ReplyQueue::default(), Queued::default());
        Self { state, pending, queued, reset: None, unanswered_flush: None }
    }

    /// Returns whether reads may be served from memory, apart from those of keys that unanswered
    /// commands touch: none of these may touch any key, and the client is in no state that only Redis
    /// tracks (R5).
    #[inline]
    pub(super) fn may_read_cache(&self, context: &ProxyContext) -> bool {
        self.pending.in_flight().permits_reads()
            && self.reset.is_none()
            && self.state.auth().principal().shares(context)
            && self.state.is_known()
    }

    /// Returns why a cacheable read is not served from memory.
    pub(super) fn bypass_reason(&self, context: &ProxyContext) -> Bypass {
        if !self.state.auth().principal().shares(context) {
            Bypass::User
        } else if self.state.is_stateful() {
            Bypass::State
        } else {
            Bypass::Order
        }
    }

    /// Returns whether the store has accepted a password from the client.
    pub(super) fn has_shown_password(&self) -> bool {
        self.state.auth().has_shown_password()
    }

    /// Returns how the client reads. Not reliable if [`Session::is_detached`].
    pub(super) fn read_context(&self) -> ReadContext {
        self.state.read_context()
    }

    /// Returns how the client reads, and as whom.
    pub(super) fn reader(&self) -> (ReadContext, Principal) {
        (self.read_context(), self.state.auth().principal().clone())
    }

    /// Returns whether Redis may still carry out commands that it does not answer, or send what was
    /// not asked for.
    pub(super) fn is_detached(&self) -> bool {
        self.state.is_detached()
    }

    /// Returns whether the client waits for messages: its silence does not make it idle.
    pub(super) fn is_listening(&self) -> bool {
        self.state.is_listening()
    }

    /// Returns whether the next command is answered (CLIENT REPLY).
    pub(super) fn wants_replies(&self) -> bool {
        self.state.wants_replies()
    }

    pub(super) fn stream(&self) -> ReplyStream {
        self.state.stream()
    }

    pub(super) fn is_awaiting_reply(&self) -> bool {
        !self.pending.is_empty() || self.reset.is_some()
    }

    /// Returns whether more commands may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.pending.has_room()
    }

    /// Returns whether nothing may be sent until the pending replies have arrived.
    pub(super) fn must_wait(&self) -> bool {
        self.state.stream() == ReplyStream::Subscribing || self.reset.is_some()
    }

    /// Returns whether a new upstream connection can replace one that ended: no reply is pending,
    /// and nothing was set up on the old one.
    pub(super) fn is_pristine(&self, context: &ProxyContext) -> bool {
        !self.is_awaiting_reply() && self.may_read_cache(context) && self.state.is_initial()
    }

    /// Records a command that goes upstream. A command that `blocks` waits for other clients, whose
    /// changes its reply may reveal.
    pub(super) fn sent(
        &mut self,
        kind: CommandKind<'_>,
        blocks: bool,
        counted: Counted,
        context: &Arc<ProxyContext>,
    ) {
        match self.state.record_sent(kind.state_change()) {
            Answer::Counted => {
                let keys = Touches::of(&kind, blocks);
                if let Some(reply) = self.pending_reply(kind, blocks, context) {
                    self.pending.push_upstream(reply, counted, keys.hashes(context));
                }
            }
            Answer::SilenceBegins => {}
            Answer::Silent => {
                counted.sent_without_reply(context.stats());
                self.sent_without_reply(&kind, context);
            }
            Answer::SilenceEnds => {
                let flush = self.unanswered_flush.take();
                let reply = flush.map_or(PendingReply::Forward, PendingReply::Flush);
                let names = Touches::Anything.hashes(context);
                self.pending.push_upstream(reply, Counted::Nothing, names);
            }
        }
    }

    /// Returns what the reply to a command must do, or `None` if its reply is not counted.
    fn pending_reply(
        &mut self,
        kind: CommandKind<'_>,
        blocks: bool,
        context: &Arc<ProxyContext>,
    ) -> Option<PendingReply> {
        Some(match (kind, blocks) {
            (CommandKind::Read(Some(read)), false) => PendingReply::Read(UncachedRead::of(read)),
            (CommandKind::Read(None), false)
            | (CommandKind::Read(_), true)
            | (CommandKind::Write(None), _) => PendingReply::Fence,
            (CommandKind::Write(Some(keys)), false) => PendingReply::Write(context.write(keys)),
            (CommandKind::Write(Some(keys)), true) => {
                PendingReply::BlockingWrite(context.write(keys))
            }
            (CommandKind::Flush, _) => {
                self.state.flush_sent();
                PendingReply::Flush(FlushGuard::new(context))
            }
            (CommandKind::Neutral, _) => PendingReply::Forward,
            (CommandKind::Info, _) => PendingReply::Info,
            (CommandKind::Withheld(withheld), _) => PendingReply::Withheld(withheld),
            (CommandKind::State(change), _) => match self.state.sent(&change) {
                SentChange::Answered(id) => PendingReply::State(change, id),
                SentChange::Exec { id, flushes } => {
                    PendingReply::Exec(flushes.then(|| FlushGuard::new(context)), id)
                }
                SentChange::NotCounted => return None,
            },
        })
    }

    /// Records a command whose reply, if there is one, cannot be told from others: what it writes is
    /// invalidated as it is sent; the feed reports the change itself.
    fn sent_without_reply(&mut self, kind: &CommandKind<'_>, context: &Arc<ProxyContext>) {
        match kind {
            CommandKind::Write(Some(keys)) => drop(context.write(keys.clone())),
            CommandKind::Flush => self.unanswered_flush = Some(FlushGuard::new(context)),
            CommandKind::State(change) => self.state.sent_without_reply(change),
            CommandKind::Read(_)
            | CommandKind::Write(None)
            | CommandKind::Neutral
            | CommandKind::Info
            | CommandKind::Withheld(_) => {}
        }
    }

    /// Records a RESET that goes upstream.
    pub(super) fn reset_sent(&mut self) {
        self.reset = Some(match self.wants_replies() {
            true => ResetProgress::Sent,
            false => ResetProgress::Probed { answers: 0 },
        });
    }

    /// Applies a frame from upstream and returns what the connection must do with it.
    pub(super) fn received(&mut self, frame: &Frame<'_>, context: &ProxyContext) -> ReplyAction {
        if let Some(reset) = self.reset.as_mut().filter(|_| self.pending.is_empty()) {
            return reset.received(frame);
        }
        if self.state.apply_unsolicited(frame, self.pending.is_empty()) {
            return if is_message(frame) { ReplyAction::Fence } else { ReplyAction::Forward };
        }
        if self.state.subscription_refused() {
            return ReplyAction::Forward;
        }
        match self.pending.pop_upstream() {
            Some((pending, counted)) => {
                counted.answered(frame, &mut self.queued, context.stats());
                pending.complete(frame, &mut self.state, context)
            }
            None => ReplyAction::Forward,
        }
    }

    /// Returns whether the next reply of the upstream connection is the server's own word: that of a
    /// script is whatever its author wants.
    pub(super) fn next_is_from_server(&self) -> bool {
        self.pending.next_upstream().is_some_and(PendingReply::is_from_server)
    }

    /// Drops the pending replies, which will not arrive. What they guard is invalidated all the same.
    pub(super) fn lose_replies(&mut self, context: &ProxyContext) {
        self.pending.lose(context.stats());
        std::mem::take(&mut self.queued).lost(context.stats());
        self.reset = None;
        self.state.upstream_ended();
    }

    /// Starts to fetch a read that is not in memory, unless it must go upstream. Returns whether it
    /// did.
    pub(super) fn queue_fetch(&mut self, mut read: FetchBatch, context: &ProxyContext) -> bool {
        let hashes = read.names().map(|name| context.engine().name_hash(name));
        let names: SmallVec<[u64; 1]> = hashes.collect();
        let turn = self.pending.fetch_turn(&names);
        if turn == FetchTurn::Upstream {
            return false;
        }
        read.start(context);
        if turn == FetchTurn::AfterFetches {
            read.follow_others();
        }
        self.pending.push_fetch(read, &names);
        true
    }

    /// Returns whether a command that goes upstream must wait for a fetch: on the other connection
    /// the read might come after it, or be older.
    pub(super) fn awaits_fetches_before(
        &self,
        kind: &CommandKind<'_>,
        blocks: bool,
        context: &ProxyContext,
    ) -> bool {
        let in_flight = self.pending.in_flight();
        in_flight.has_fetches()
            && match Touches::of(kind, blocks).hashes(context) {
                Some(mut names) => names.any(|name| in_flight.fetches(name)),
                None => true,
            }
    }

    /// Returns the fetch whose reply is the next for the client. Until it is there, nothing is read
    /// from upstream.
    pub(super) fn next_fetch(&mut self) -> Option<&mut FetchBatch> {
        self.pending.next_fetch()
    }

    /// Takes the fetch whose reply is the next for the client.
    pub(super) fn take_fetch(&mut self) -> Option<FetchBatch> {
        self.pending.pop_fetch()
    }

    /// Records the reply to a fetch of this many names.
    pub(super) fn fetch_answered(&mut self, names: usize, bytes: usize) {
        self.pending.fetch_answered(names, bytes);
    }

    /// Has every fetch behind another one of the same key look the key up again in its turn.
    pub(super) fn distrust_fetches(&mut self) {
        self.pending.distrust_fetches();
    }

    pub(super) fn in_flight(&self) -> &InFlight {
        self.pending.in_flight()
    }

    /// Has `write` append replies to `output`, or to those that wait for their turn.
    pub(super) fn append<R>(
        &mut self,
        output: &mut BytesMut,
        write: impl FnOnce(&InFlight, &mut BytesMut) -> R,
    ) -> R {
        match self.is_awaiting_reply() {
            true => self.pending.append(write),
            false => write(self.pending.in_flight(), output),
        }
    }

    /// Moves the replies whose turn it is to `output`.
    pub(super) fn move_ready(&mut self, output: &mut BytesMut) {
        self.pending.move_ready(output);
    }

    /// Starts anew, as after RESET.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.state.home_db());
    }
}

/// What a command touches.
enum Touches<'a> {
    /// No key.
    Nothing,
    /// These keys.
    Names(KeyArgs<'a>),
    /// Any key, or what decides how the client reads. A command that blocks may be answered when
    /// everything has changed.
    Anything,
}

impl<'a> Touches<'a> {
    fn of(kind: &CommandKind<'a>, blocks: bool) -> Self {
        match kind {
            _ if blocks => Self::Anything,
            CommandKind::Read(Some(read)) => Self::Names(read.keys.clone()),
            CommandKind::Write(Some(keys)) => Self::Names(keys.clone()),
            CommandKind::Neutral | CommandKind::Info | CommandKind::Withheld(_) => Self::Nothing,
            CommandKind::Read(None)
            | CommandKind::Write(None)
            | CommandKind::Flush
            | CommandKind::State(_) => Self::Anything,
        }
    }

    /// Returns the hashes of the names; `None` if any may be among them.
    fn hashes(self, context: &ProxyContext) -> Option<impl Iterator<Item = u64>> {
        let names = match self {
            Self::Nothing => None,
            Self::Names(names) => Some(names),
            Self::Anything => return None,
        };
        Some(names.into_iter().flatten().map(|name| context.engine().name_hash(name)))
    }
}

impl CommandKind<'_> {
    fn state_change(&self) -> Option<&StateChange> {
        match self {
            Self::State(change) => Some(change),
            Self::Read(_)
            | Self::Write(_)
            | Self::Flush
            | Self::Neutral
            | Self::Info
            | Self::Withheld(_) => None,
        }
    }
}
