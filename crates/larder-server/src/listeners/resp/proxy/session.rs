//! One client's session: its state on the upstream connection and the replies that it waits for,
//! without any socket.
//!
//! Every command that goes upstream leaves an entry here that says what must happen when its reply
//! arrives. While a reply is pending, or the client is in a state that only Redis tracks, nothing is
//! served from memory (R5).

pub(super) mod auth;
mod counted;
mod frames;
mod pending;
mod reply_mode;
mod state;

use super::{
    classify::{CommandKind, StateChange},
    context::ProxyContext,
    read_context::ReadContext,
    uncached_read::UncachedRead,
};
pub(super) use counted::Counted;
use counted::Queued;
use frames::is_message;
use larder_core::Bypass;
use larder_resp::reply::Frame;
pub(super) use pending::ReplyAction;
use pending::{FlushGuard, PendingReply, ResetProgress};
use reply_mode::Answer;
pub(super) use state::ReplyStream;
use state::{ClientState, SentChange};
use std::{collections::VecDeque, sync::Arc};

/// Pending replies of one client; at this number nothing more is sent.
const PENDING_REPLIES_MAX: usize = 64 << 10;

/// See the [module](self).
pub(super) struct Session {
    state: ClientState,
    /// Each with what its command counts as.
    pending: VecDeque<(PendingReply, Counted)>,
    queued: Queued,
    /// A RESET, which ends this session, was sent behind the pending replies.
    reset: Option<ResetProgress>,
    /// A command that changes everything was sent while the client wanted no replies.
    unanswered_flush: Option<FlushGuard>,
}

impl Session {
    pub(super) fn new(home_db: u32) -> Self {
        let state = ClientState::new(home_db);
        let (pending, queued) = (VecDeque::new(), Queued::default());
        Self { state, pending, queued, reset: None, unanswered_flush: None }
    }

    /// Returns whether reads may be served from memory: no earlier reply is pending, and the client
    /// is in no state that only Redis tracks (R5).
    #[inline]
    pub(super) fn may_read_cache(&self, context: &ProxyContext) -> bool {
        !self.is_awaiting_reply()
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

    /// Returns whether the client acts as another user than that of the store's URL.
    pub(super) fn acts_as_other_user(&self) -> bool {
        self.state.auth().acts_as_other_user()
    }

    /// Returns whether the store has accepted a password from the client.
    pub(super) fn has_shown_password(&self) -> bool {
        self.state.auth().has_shown_password()
    }

    /// Returns how the client reads. Not reliable if [`Session::is_detached`].
    pub(super) fn read_context(&self) -> ReadContext {
        self.state.read_context()
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
        self.pending.len() < PENDING_REPLIES_MAX
    }

    /// Returns whether nothing may be sent until the pending replies have arrived.
    pub(super) fn must_wait(&self) -> bool {
        self.state.stream() == ReplyStream::Subscribing || self.reset.is_some()
    }

    /// Returns whether a new upstream connection can replace one that ended: no reply is pending,
    /// and nothing was set up on the old one.
    pub(super) fn is_pristine(&self, context: &ProxyContext) -> bool {
        self.may_read_cache(context) && self.state.is_initial()
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
                let pending = self.pending_reply(kind, blocks, context);
                self.pending.extend(pending.map(|pending| (pending, counted)));
            }
            Answer::SilenceBegins => {}
            Answer::Silent => {
                counted.sent_without_reply(context.stats());
                self.sent_without_reply(&kind, context);
            }
            Answer::SilenceEnds => {
                let flush = self.unanswered_flush.take();
                let pending = flush.map_or(PendingReply::Forward, PendingReply::Flush);
                self.pending.push_back((pending, Counted::Nothing));
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
        match self.pending.pop_front() {
            Some((pending, counted)) => {
                counted.answered(frame, &mut self.queued, context.stats());
                pending.complete(frame, &mut self.state, context)
            }
            None => ReplyAction::Forward,
        }
    }

    /// Drops the pending replies, which will not arrive. What they guard is invalidated all the same.
    pub(super) fn lose_replies(&mut self, context: &ProxyContext) {
        for (_, counted) in self.pending.drain(..) {
            counted.lost(context.stats());
        }
        std::mem::take(&mut self.queued).lost(context.stats());
        self.reset = None;
        self.state.upstream_ended();
    }

    /// Starts anew, as after RESET.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.state.home_db());
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
