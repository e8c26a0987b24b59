//! What one client's connection has been told and what it waits for, without its sockets.
//!
//! Every command that is not served from memory goes to the client's own upstream connection, and
//! each leaves here what must be done when its reply arrives. While anything is awaited, or the
//! client has asked for what only Redis can give, nothing is served from memory (R5).

use super::{
    classify::{CommandKind, Principal, State},
    hits::ReadContext,
    uncached_read::UncachedRead,
};
use crate::app::App;
use larder_core::{Bypass, FlushCause, WriteGuard};
use larder_redis::Reply;
use larder_resp::reply::{Frame, Items};
use std::{collections::VecDeque, sync::Arc};

/// Replies that may be awaited: while there are as many, nothing more is sent.
const PENDING_REPLIES_MAX: usize = 64 << 10;

/// See the [module](self).
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, true or not")]
pub(super) struct Session {
    pub(super) resp3: bool,
    pub(super) db: u32,
    home_db: u32,
    /// As whom the client acts (R12).
    principal: Principal,
    /// The store has taken a password from the client.
    has_shown_password: bool,
    /// Commands that change the client's state, counted as they are sent: when their replies come,
    /// others may have been sent.
    changes: u64,
    /// The change that opened a transaction, from when it was sent.
    in_multi: Option<u64>,
    /// A transaction that holds a command after which everything must be forgotten.
    multi_flushes: bool,
    /// The last change that watched a key, from when it was sent.
    watching: Option<u64>,
    /// The client is in a state that only Redis keeps track of: it asked for what comes unasked,
    /// does without replies, or has changed its state within a transaction.
    detached: bool,
    /// It has subscribed to something, or the opposite.
    has_subscribed: bool,
    /// It is subscribed to channels or patterns.
    has_channels: bool,
    /// It is subscribed to shard channels.
    has_shard_channels: bool,
    /// The client has set up something on its upstream connection.
    has_state: bool,
    replies: Replies,
    /// Something was sent after which everything must be forgotten, and its reply left out.
    unanswered_flush: Option<Flush>,
    stream: Stream,
    pending: VecDeque<PendingReply>,
}

/// What the upstream connection carries back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Replies, and pushes between them.
    Replies,
    /// The reply to a subscription: until its first frame nothing else is sent.
    Subscribing,
    /// Lines at any time, after MONITOR.
    Lines,
    /// Bytes that are no replies, after PSYNC.
    Bytes,
}

/// Which replies the client wants (CLIENT REPLY).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replies {
    On,
    Off,
    /// On again after one more command.
    SkipNext,
}

/// What is to be done when a command's reply arrives, before it is handed on.
enum PendingReply {
    Nothing,
    /// Names that the write voids when this is dropped, whatever becomes of the reply (R3).
    Written(WriteGuard<Reply>),
    /// The same, of what somebody else has made ready.
    Popped(WriteGuard<Reply>),
    /// What it shows may be newer than what is in memory (R13).
    Read(UncachedRead),
    Fence,
    Flush(Flush),
    /// The client's state changes when the reply is no error. The number is that of the change.
    State(State, u64),
    /// Transactions and watches begun before this change end. It may have written anything.
    Exec(Option<Flush>, u64),
    Info,
    /// Everything before it has been done, replies or none, and this connection is of no more use.
    /// Where Redis alone knows whether it answers the first, it is told twice.
    Reset {
        is_told_twice: bool,
        answers: usize,
    },
}

/// Forgets everything when it is dropped, whatever becomes of the reply (R3).
struct Flush(Option<Arc<App>>);

impl Flush {
    fn of(app: &Arc<App>) -> Self {
        Self(Some(Arc::clone(app)))
    }

    /// Nothing has happened.
    fn cancel(mut self) {
        self.0 = None;
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(app) = &self.0 {
            app.engine().flush(FlushCause::Command);
            app.users().revoke_sharing();
        }
    }
}

/// What the listener must do before a reply is handed on.
pub(super) enum ReplyAction {
    Nothing,
    /// Forget what memory has instead of it.
    Read(UncachedRead),
    Fence,
    /// Wait for loaded values on their way into the store: this may be a delete that overtook one.
    Puts,
    /// Add a section of our own to the text.
    Info,
    /// It answers what we asked: the client does not get it.
    Ours,
    /// Give the client a session as new instead, of which it is told unless it wanted no reply.
    Reset {
        is_told: bool,
    },
}

impl Session {
    pub(super) fn new(home_db: u32) -> Self {
        Self {
            resp3: false,
            db: home_db,
            home_db,
            principal: Principal::Own,
            has_shown_password: false,
            changes: 0,
            in_multi: None,
            multi_flushes: false,
            watching: None,
            detached: false,
            has_subscribed: false,
            has_channels: false,
            has_shard_channels: false,
            has_state: false,
            replies: Replies::On,
            unanswered_flush: None,
            stream: Stream::Replies,
            pending: VecDeque::new(),
        }
    }

    /// Whether reads may be served from memory: everything before them has been answered, and the
    /// client is in no state that only Redis knows (R5).
    pub(super) fn may_read_cache(&self, app: &App) -> bool {
        self.pending.is_empty()
            && self.principal.shares(app)
            && self.in_multi.is_none()
            && self.watching.is_none()
            && !self.detached
            && self.stream == Stream::Replies
    }

    /// Whether the client acts as another user than that of the store's URL.
    pub(super) fn acts_as_other_user(&self) -> bool {
        self.principal != Principal::Own
    }

    /// Why a read is not served from memory though it might be kept.
    pub(super) fn bypass_reason(&self, app: &App) -> Bypass {
        match () {
            () if !self.principal.shares(app) => Bypass::User,
            () if self.in_multi.is_some() || self.watching.is_some() || self.detached => {
                Bypass::State
            }
            () => Bypass::Order,
        }
    }

    /// How the client wants its replies; wrong where [`Session::is_detached`].
    pub(super) fn read_context(&self) -> ReadContext {
        ReadContext { db: self.db, resp3: self.resp3 }
    }

    /// Whether nothing more may be sent until the replies under way are here.
    pub(super) fn must_wait(&self) -> bool {
        self.stream == Stream::Subscribing
            || matches!(self.pending.back(), Some(PendingReply::Reset { .. }))
    }

    /// Whether Redis may still be at something that it will not answer, or send what was not asked.
    pub(super) fn is_detached(&self) -> bool {
        self.detached
    }

    /// A RESET goes upstream, which is answered in every state but one.
    pub(super) fn reset_sent(&mut self) {
        let is_told_twice = !self.wants_replies();
        self.pending.push_back(PendingReply::Reset { is_told_twice, answers: 0 });
    }

    /// Whether a reply is awaited.
    pub(super) fn is_awaiting_reply(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether so few replies are awaited that more may be.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < PENDING_REPLIES_MAX
    }

    /// Whether the client is there for what comes unasked: its silence is no idleness.
    pub(super) fn is_listening(&self) -> bool {
        self.has_channels || self.has_shard_channels || self.stream != Stream::Replies
    }

    /// Whether Redis refuses nearly everything: RESP2 has no room for replies beside messages.
    fn is_confined(&self) -> bool {
        (self.has_channels || self.has_shard_channels) && !self.resp3
    }

    /// Whether the store has taken a password from the client.
    pub(super) fn has_shown_password(&self) -> bool {
        self.has_shown_password
    }

    /// Whether a command is answered now (CLIENT REPLY).
    pub(super) fn wants_replies(&self) -> bool {
        self.replies == Replies::On
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// Whether a new upstream connection would be as good as the one that ended: nothing is awaited
    /// from it, and nothing was set up on it.
    pub(super) fn is_pristine(&self, app: &App) -> bool {
        self.may_read_cache(app) && !self.resp3 && self.db == self.home_db && !self.has_state
    }

    /// A command goes upstream. Notes what its reply must do.
    /// What `blocks` comes when somebody else has done something, who may have done more before.
    pub(super) fn sent(&mut self, kind: CommandKind<'_>, blocks: bool, app: &Arc<App>) {
        if self.replies != Replies::On || self.stream != Stream::Replies {
            self.sent_unanswered(&kind, app);
            return;
        }
        self.multi_flushes |= self.in_multi.is_some() && matches!(kind, CommandKind::Flush);
        let pending = match kind {
            CommandKind::Write(Some(keys)) if blocks => {
                PendingReply::Popped(app.announce_write(keys))
            }
            CommandKind::Read(_) if blocks => PendingReply::Fence,
            CommandKind::Read(Some(read)) => PendingReply::Read(UncachedRead::of(read, app)),
            CommandKind::Write(Some(keys)) => PendingReply::Written(app.announce_write(keys)),
            CommandKind::Read(None) | CommandKind::Write(None) => PendingReply::Fence,
            CommandKind::Flush => PendingReply::Flush(Flush::of(app)),
            CommandKind::Neutral => PendingReply::Nothing,
            CommandKind::Info => PendingReply::Info,
            CommandKind::State(state) => match self.sent_state(state, app) {
                Some(pending) => pending,
                None => return,
            },
        };
        self.pending.push_back(pending);
    }

    /// Notes at once what must not wait for the reply: what follows may be in the same write.
    /// `None` where no reply is counted.
    fn sent_state(&mut self, state: State, app: &Arc<App>) -> Option<PendingReply> {
        self.has_state = true;
        self.changes += 1;
        match state {
            State::Multi => self.in_multi = Some(self.changes),
            State::Watch => self.watching = Some(self.changes),
            State::Tracking => self.detached = true,
            State::Monitor => {
                self.detached = true;
                self.stream = Stream::Lines;
            }
            State::Exec => {
                let flushes = std::mem::take(&mut self.multi_flushes);
                let flush = flushes.then(|| Flush::of(app));
                return Some(PendingReply::Exec(flush, self.changes));
            }
            // Frames of subscriptions come unasked, so they are not counted: the first of them, or
            // another reply, ends the wait.
            State::Subscribe => {
                (self.detached, self.has_subscribed) = (true, true);
                self.stream = Stream::Subscribing;
                return None;
            }
            State::Bytes => {
                self.detached = true;
                self.stream = Stream::Bytes;
                return None;
            }
            // From now on nobody knows when a command has been carried out.
            State::ReplyOff | State::ReplySkip
                if self.in_multi.is_none() && !self.is_confined() =>
            {
                self.detached = true;
                self.replies = match state {
                    State::ReplyOff => Replies::Off,
                    _ => Replies::SkipNext,
                };
                return None;
            }
            _ => {}
        }
        Some(PendingReply::State(state, self.changes))
    }

    /// A command whose reply, if there is one, cannot be told from others: what it writes is voided
    /// as it is sent, and the feed tells the rest.
    fn sent_unanswered(&mut self, kind: &CommandKind<'_>, app: &Arc<App>) {
        // Redis refuses it, and says nothing.
        let is_refused = self.is_confined();
        match kind {
            CommandKind::State(_) if is_refused => {}
            CommandKind::Write(Some(keys)) => drop(app.announce_write(keys.clone())),
            CommandKind::Flush => self.unanswered_flush = Some(Flush::of(app)),
            // Without a user there is nothing that Redis could refuse.
            CommandKind::State(State::Hello { resp3: Some(resp3), principal: None }) => {
                self.resp3 = *resp3;
            }
            CommandKind::State(State::Multi) => self.in_multi = Some(self.changes),
            CommandKind::State(State::Exec | State::Discard) => self.in_multi = None,
            _ => {}
        }
        if self.stream != Stream::Replies {
            return;
        }
        self.replies = match (self.replies, kind) {
            (before, CommandKind::State(_)) if is_refused && before == Replies::Off => Replies::Off,
            (_, CommandKind::State(_)) if is_refused => Replies::On,
            (_, CommandKind::State(State::ReplyOn)) if self.in_multi.is_none() => {
                let flush = self.unanswered_flush.take();
                self.pending.push_back(flush.map_or(PendingReply::Nothing, PendingReply::Flush));
                Replies::On
            }
            (Replies::Off, _) | (_, CommandKind::State(State::ReplyOff)) => Replies::Off,
            (_, CommandKind::State(State::ReplySkip)) => Replies::SkipNext,
            _ => Replies::On,
        };
    }

    /// A frame came from upstream. Does what it must do, and says what is left to the listener.
    pub(super) fn received(&mut self, frame: &Frame<'_>, app: &App) -> ReplyAction {
        if let Some(PendingReply::Reset { is_told_twice, answers }) = self.pending.front_mut() {
            let is_answer = matches!(frame, Frame::Simple(b"RESET"));
            *answers += usize::from(is_answer);
            return match *answers {
                0 => ReplyAction::Nothing,
                _ if !*is_told_twice => ReplyAction::Reset { is_told: true },
                _ if is_answer => ReplyAction::Ours,
                answers => ReplyAction::Reset { is_told: answers == 2 },
            };
        }
        if self.is_unsolicited(frame) {
            return if is_message(frame) { ReplyAction::Fence } else { ReplyAction::Nothing };
        }
        if self.stream == Stream::Subscribing {
            // An error, or the subscription is queued.
            self.stream = Stream::Replies;
            return ReplyAction::Nothing;
        }
        match self.pending.pop_front() {
            // That of a RESET was seen to above.
            None | Some(PendingReply::Nothing | PendingReply::Reset { .. }) => ReplyAction::Nothing,
            // What was asked for comes with EXEC, which fences.
            Some(PendingReply::Read(_) | PendingReply::Info) if is_queued(frame) => {
                ReplyAction::Nothing
            }
            Some(PendingReply::Written(invalidates)) => {
                drop(invalidates);
                match app.engine().has_pending_loads() {
                    true => ReplyAction::Puts,
                    false => ReplyAction::Nothing,
                }
            }
            Some(PendingReply::Popped(invalidates)) => {
                drop(invalidates);
                ReplyAction::Fence
            }
            // Nothing was read: who has no right to a key must not make others wait for it.
            Some(PendingReply::Read(_)) if is_refused(frame) => ReplyAction::Nothing,
            Some(PendingReply::Read(read)) => ReplyAction::Read(read),
            Some(PendingReply::Fence) => ReplyAction::Fence,
            Some(PendingReply::Flush(flush)) => {
                // Who may not do this must not take the memory from others.
                if is_refused(frame) {
                    flush.cancel();
                } else {
                    drop(flush);
                }
                ReplyAction::Nothing
            }
            Some(PendingReply::State(state, change)) => {
                self.changed(state, change, frame);
                ReplyAction::Nothing
            }
            Some(PendingReply::Exec(flush, change)) => {
                drop(flush);
                self.leave_multi(change);
                ReplyAction::Fence
            }
            Some(PendingReply::Info) => ReplyAction::Info,
        }
    }

    /// Whether a frame answers no command: a push, a message, a line of a monitor.
    fn is_unsolicited(&mut self, frame: &Frame<'_>) -> bool {
        if self.stream == Stream::Lines {
            return self.pending.is_empty();
        }
        let parts = match frame {
            Frame::Push(parts) => parts.clone(),
            Frame::Array(parts) if self.has_subscribed && !self.resp3 => parts.clone(),
            _ => return false,
        };
        self.is_subscription(parts) || matches!(frame, Frame::Push(_))
    }

    /// Whether these are the parts of a message, or of an answer to a subscription. Any list of
    /// RESP2 may begin like one; but messages come to subscribers alone, who may ask for no list,
    /// and the third part of such an answer is a number.
    fn is_subscription(&mut self, mut parts: Items<'_>) -> bool {
        let Some(kind) = parts.next().and_then(|kind| kind.as_str_bytes()) else { return false };
        if MESSAGES.contains(&kind) {
            return self.has_channels || self.has_shard_channels;
        }
        let Some(count) = parts.nth(1).and_then(|count| count.as_integer()) else { return false };
        match kind {
            b"subscribe" | b"psubscribe" | b"unsubscribe" | b"punsubscribe" => {
                self.has_channels = count > 0;
            }
            b"ssubscribe" | b"sunsubscribe" => self.has_shard_channels = count > 0,
            _ => return false,
        }
        if self.stream == Stream::Subscribing {
            self.stream = Stream::Replies;
        }
        true
    }

    fn changed(&mut self, state: State, change: u64, frame: &Frame<'_>) {
        let is_error = frame.is_error();
        if is_error
            && matches!(state, State::Hello { principal: Some(_), .. })
            && !is_harmless(frame)
        {
            // It failed after the user had changed.
            self.detached = true;
        }
        if is_error || is_queued(frame) {
            // What is queued takes effect with EXEC, whose reply is not looked into.
            self.detached |= !is_error && state != State::Unwatch;
            match state {
                State::Monitor => self.stream = Stream::Replies,
                State::Multi if !is_nested(frame) => {
                    self.in_multi.take_if(|begun| *begun == change);
                }
                _ => {}
            }
            return;
        }
        match state {
            State::Discard => self.leave_multi(change),
            State::Unwatch => self.stop_watching(change),
            State::Select(db) => self.db = db,
            State::Auth { principal } => {
                self.principal = principal;
                self.has_shown_password = true;
            }
            State::Hello { resp3, principal } => {
                self.resp3 = resp3.unwrap_or(self.resp3);
                self.has_shown_password |= principal.is_some();
                if let Some(principal) = principal {
                    self.principal = principal;
                }
            }
            _ => {}
        }
    }

    /// Ends what was begun before this change, and not what was sent behind it.
    fn leave_multi(&mut self, change: u64) {
        self.in_multi.take_if(|begun| *begun < change);
        self.stop_watching(change);
    }

    fn stop_watching(&mut self, change: u64) {
        self.watching.take_if(|begun| *begun < change);
    }

    /// There will be no more replies: does what must be done all the same.
    pub(super) fn lose_replies(&mut self) {
        self.pending.clear();
        self.stream = Stream::Replies;
    }

    /// The client starts anew, as after RESET.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.home_db);
    }
}

/// Whether this tells what somebody else has done, who may have changed something before.
fn is_message(frame: &Frame<'_>) -> bool {
    let mut parts = frame.items().into_iter().flatten();
    let kind = parts.next().and_then(|kind| kind.as_str_bytes());
    kind.is_some_and(|kind| MESSAGES.contains(&kind))
}

/// Whether a reply says that a command waits for EXEC.
fn is_queued(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::Simple(b"QUEUED"))
}

/// Whether a HELLO with a user failed before it changed anything.
fn is_harmless(frame: &Frame<'_>) -> bool {
    let error = frame.as_error().unwrap_or_default();
    [&b"WRONGPASS "[..], b"NOPROTO "].iter().any(|start| error.starts_with(start))
}

/// Whether a MULTI was refused because a transaction is open already.
fn is_nested(frame: &Frame<'_>) -> bool {
    frame.as_error().is_some_and(|error| error.starts_with(b"ERR MULTI calls can not be nested"))
}

/// Whether a reply says that the user may not do this.
fn is_refused(frame: &Frame<'_>) -> bool {
    frame.as_error().is_some_and(|error| error.starts_with(b"NOPERM "))
}

const MESSAGES: [&[u8]; 3] = [b"message", b"pmessage", b"smessage"];
