//! A client's state on its upstream connection, as far as the commands that were sent and the
//! replies that arrived reveal it. It has no socket and no queue.

use super::{
    super::{
        classify::StateChange,
        read_context::{Protocol, ReadContext},
    },
    auth::Auth,
    frames::{is_message_kind, is_queued},
    reply_mode::{Answer, ReplyCommand, ReplyMode},
};
use larder_resp::reply::{Frame, Items};

/// See the [module](self).
pub(super) struct ClientState {
    protocol: Protocol,
    db: u32,
    home_db: u32,
    auth: Auth,
    transaction: Transaction,
    /// The client is in a state that only Redis tracks: it asked for pushes, wants no replies, or
    /// has changed its state within a transaction.
    detached: bool,
    subscriptions: Subscriptions,
    /// The client has changed something on its upstream connection.
    is_changed: bool,
    reply_mode: ReplyMode,
    stream: ReplyStream,
}

/// What the upstream connection sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyStream {
    /// Replies, with pushes in between.
    Replies,
    /// The reply to a subscription. Nothing is sent until its first frame arrives.
    Subscribing,
    /// Lines at any time, after MONITOR.
    Lines,
    /// Bytes that are not replies, after PSYNC.
    Bytes,
}

/// The number of a change to the client's state. Changes are numbered as they are sent, because
/// others may have been sent by the time that a reply arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChangeId(u64);

/// A change whose command has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentChange {
    /// Its reply decides whether it takes effect.
    Answered(ChangeId),
    /// It ends a transaction; `flushes` if a queued command may change everything.
    Exec { id: ChangeId, flushes: bool },
    /// It takes effect at once, and its replies are not counted.
    NotCounted,
}

/// MULTI and WATCH.
#[derive(Debug, Default)]
struct Transaction {
    last_change: ChangeId,
    /// The last MULTI, from when it was sent until it is refused or the transaction ends.
    multi: Option<ChangeId>,
    /// The last MULTI that was accepted: a nested one, which is refused, does not end its
    /// transaction.
    accepted_multi: Option<ChangeId>,
    /// The last change that watched a key, from when it was sent.
    watch: Option<ChangeId>,
    /// The transaction holds a command that may change everything.
    flushes: bool,
}

impl Transaction {
    fn is_open(&self) -> bool {
        self.multi.is_some() || self.accepted_multi.is_some()
    }

    fn end(&mut self) {
        (self.multi, self.accepted_multi) = (None, None);
    }
}

/// Channels that the client is subscribed to.
#[derive(Debug, Default)]
struct Subscriptions {
    /// The client has sent a command that subscribes or unsubscribes.
    was_used: bool,
    /// It is subscribed to channels or patterns.
    channels: bool,
    /// It is subscribed to shard channels.
    shard_channels: bool,
}

impl Subscriptions {
    fn is_active(&self) -> bool {
        self.channels || self.shard_channels
    }
}

impl ClientState {
    pub(super) fn new(home_db: u32) -> Self {
        Self {
            protocol: Protocol::Resp2,
            db: home_db,
            home_db,
            auth: Auth::new(),
            transaction: Transaction::default(),
            detached: false,
            subscriptions: Subscriptions::default(),
            is_changed: false,
            reply_mode: ReplyMode::On,
            stream: ReplyStream::Replies,
        }
    }

    pub(super) fn auth(&self) -> &Auth {
        &self.auth
    }

    pub(super) fn home_db(&self) -> u32 {
        self.home_db
    }

    pub(super) fn stream(&self) -> ReplyStream {
        self.stream
    }

    pub(super) fn read_context(&self) -> ReadContext {
        ReadContext { db: self.db, protocol: self.protocol }
    }

    pub(super) fn is_detached(&self) -> bool {
        self.detached
    }

    /// Returns whether the client is in a transaction, watches a key, or is detached.
    pub(super) fn is_stateful(&self) -> bool {
        self.transaction.is_open() || self.transaction.watch.is_some() || self.detached
    }

    /// Returns whether nothing that only Redis tracks decides what the client reads.
    pub(super) fn is_known(&self) -> bool {
        !self.is_stateful() && self.stream == ReplyStream::Replies
    }

    /// Returns whether a new upstream connection has the same state.
    pub(super) fn is_initial(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.db == self.home_db && !self.is_changed
    }

    pub(super) fn is_listening(&self) -> bool {
        self.subscriptions.is_active() || self.stream != ReplyStream::Replies
    }

    pub(super) fn wants_replies(&self) -> bool {
        self.reply_mode == ReplyMode::On
    }

    /// Returns whether Redis refuses nearly all commands: in RESP2 a subscriber cannot tell replies
    /// from messages.
    fn is_confined(&self) -> bool {
        self.subscriptions.is_active() && self.protocol == Protocol::Resp2
    }

    /// Records a command, which changes the client's state if `change` is given, and returns
    /// whether it is answered.
    pub(super) fn record_sent(&mut self, change: Option<&StateChange>) -> Answer {
        if self.stream != ReplyStream::Replies {
            return Answer::Silent;
        }
        let command = match change.filter(|_| !self.is_confined()) {
            Some(StateChange::ReplyOn) => ReplyCommand::On,
            Some(StateChange::ReplyOff) => ReplyCommand::Off,
            Some(StateChange::ReplySkip) => ReplyCommand::Skip,
            _ => ReplyCommand::Other,
        };
        let (mode, answer) = self.reply_mode.after(command, self.transaction.is_open());
        self.reply_mode = mode;
        if answer == Answer::SilenceBegins {
            // From here on it is unknown when a command has been carried out.
            self.detached = true;
            self.next_change();
        }
        answer
    }

    /// Records an answered change of the client's state. What must not wait for the reply takes
    /// effect at once: the commands behind it may be in the same write.
    pub(super) fn sent(&mut self, change: &StateChange) -> SentChange {
        let id = self.next_change();
        match change {
            StateChange::Multi => self.transaction.multi = Some(id),
            StateChange::Watch => self.transaction.watch = Some(id),
            StateChange::Tracking => self.detached = true,
            StateChange::Monitor => {
                self.detached = true;
                self.stream = ReplyStream::Lines;
            }
            StateChange::Exec => {
                let flushes = std::mem::take(&mut self.transaction.flushes);
                return SentChange::Exec { id, flushes };
            }
            // Subscriptions are answered by any number of pushes, which are not counted. The first
            // of them, or another reply, ends the wait.
            StateChange::Subscribe => {
                self.detached = true;
                self.subscriptions.was_used = true;
                self.stream = ReplyStream::Subscribing;
                return SentChange::NotCounted;
            }
            StateChange::Bytes => {
                self.detached = true;
                self.stream = ReplyStream::Bytes;
                return SentChange::NotCounted;
            }
            StateChange::Hello { .. }
            | StateChange::Auth { .. }
            | StateChange::Select(_)
            | StateChange::Discard
            | StateChange::Unwatch
            | StateChange::ReplyOn
            | StateChange::ReplyOff
            | StateChange::ReplySkip
            | StateChange::Prepare => {}
        }
        SentChange::Answered(id)
    }

    /// Records a change of the client's state whose reply will not be recognised.
    pub(super) fn sent_without_reply(&mut self, change: &StateChange) {
        // Redis refuses it.
        if self.is_confined() {
            return;
        }
        match change {
            // Without a user, Redis has no reason to refuse it.
            StateChange::Hello { protocol: Some(protocol), principal: None } => {
                self.protocol = *protocol;
            }
            StateChange::Multi => self.transaction.multi = Some(self.transaction.last_change),
            StateChange::Exec | StateChange::Discard => self.transaction.end(),
            _ => {}
        }
    }

    /// Records a command that may change everything.
    pub(super) fn flush_sent(&mut self) {
        self.transaction.flushes |= self.transaction.is_open();
    }

    fn next_change(&mut self) -> ChangeId {
        self.is_changed = true;
        self.transaction.last_change.0 += 1;
        self.transaction.last_change
    }

    /// Applies a frame that answers no command: a push, a message, a line of MONITOR. Returns false
    /// if it may answer one.
    pub(super) fn apply_unsolicited(&mut self, frame: &Frame<'_>, nothing_pending: bool) -> bool {
        if self.stream == ReplyStream::Lines {
            return nothing_pending;
        }
        let is_resp2_subscriber = self.subscriptions.was_used && self.protocol == Protocol::Resp2;
        match frame {
            Frame::Push(parts) => {
                self.apply_subscription(parts.clone());
                true
            }
            Frame::Array(parts) if is_resp2_subscriber => self.apply_subscription(parts.clone()),
            _ => false,
        }
    }

    /// Applies the parts of the answer to a subscription. Returns whether they are that, or a
    /// message. In RESP2 any list may begin like one; but only subscribers receive messages, and
    /// they may request no list, and the third part of such an answer is a number.
    fn apply_subscription(&mut self, mut parts: Items<'_>) -> bool {
        let Some(kind) = parts.next().and_then(|kind| kind.as_str_bytes()) else { return false };
        if is_message_kind(kind) {
            return self.subscriptions.is_active();
        }
        let Some(count) = parts.nth(1).and_then(|count| count.as_integer()) else { return false };
        match kind {
            b"subscribe" | b"psubscribe" | b"unsubscribe" | b"punsubscribe" => {
                self.subscriptions.channels = count > 0;
            }
            b"ssubscribe" | b"sunsubscribe" => self.subscriptions.shard_channels = count > 0,
            _ => return false,
        }
        if self.stream == ReplyStream::Subscribing {
            self.stream = ReplyStream::Replies;
        }
        true
    }

    /// Applies a reply that does not answer the subscription that was sent: it is an error, or the
    /// subscription is queued. Returns false if none was sent.
    pub(super) fn subscription_refused(&mut self) -> bool {
        let was_subscribing = self.stream == ReplyStream::Subscribing;
        if was_subscribing {
            self.stream = ReplyStream::Replies;
        }
        was_subscribing
    }

    /// Applies the reply to a change.
    pub(super) fn replied(&mut self, change: StateChange, id: ChangeId, frame: &Frame<'_>) {
        if let Some(error) = frame.as_error() {
            self.failed(&change, id, error);
        } else if is_queued(frame) {
            self.queued(&change, id);
        } else {
            self.succeeded(change, id);
        }
    }

    fn failed(&mut self, change: &StateChange, id: ChangeId, error: &[u8]) {
        match change {
            StateChange::Hello { principal: Some(_), .. } if !is_refused_hello(error) => {
                // It failed after the user had changed.
                self.detached = true;
            }
            StateChange::Monitor => self.stream = ReplyStream::Replies,
            StateChange::Multi => self.cancel_multi(id),
            _ => {}
        }
    }

    /// A queued change takes effect with EXEC, whose reply is not parsed.
    fn queued(&mut self, change: &StateChange, id: ChangeId) {
        self.detached |= !matches!(change, StateChange::Unwatch | StateChange::Prepare);
        match change {
            StateChange::Monitor => self.stream = ReplyStream::Replies,
            StateChange::Multi => self.cancel_multi(id),
            _ => {}
        }
    }

    fn succeeded(&mut self, change: StateChange, id: ChangeId) {
        match change {
            StateChange::Multi => self.transaction.accepted_multi = Some(id),
            StateChange::Discard => self.transaction_ended(id),
            StateChange::Unwatch => self.watches_ended(id),
            StateChange::Select(db) => self.db = db,
            StateChange::Auth { principal } => self.auth.accepted_as(principal),
            StateChange::Hello { protocol, principal } => {
                self.protocol = protocol.unwrap_or(self.protocol);
                if let Some(principal) = principal {
                    self.auth.accepted_as(principal);
                }
            }
            _ => {}
        }
    }

    /// The MULTI with this number was refused.
    fn cancel_multi(&mut self, id: ChangeId) {
        self.transaction.multi.take_if(|opened| *opened == id);
    }

    /// Ends the transaction and the watches that began before this change, but none that was sent
    /// after it.
    pub(super) fn transaction_ended(&mut self, id: ChangeId) {
        for multi in [&mut self.transaction.multi, &mut self.transaction.accepted_multi] {
            multi.take_if(|opened| *opened < id);
        }
        self.watches_ended(id);
    }

    fn watches_ended(&mut self, id: ChangeId) {
        self.transaction.watch.take_if(|watched| *watched < id);
    }

    /// The upstream connection has ended.
    pub(super) fn upstream_ended(&mut self) {
        self.stream = ReplyStream::Replies;
    }
}

/// Returns whether a HELLO with a user failed before it changed anything.
fn is_refused_hello(error: &[u8]) -> bool {
    [&b"WRONGPASS "[..], b"NOPROTO "].iter().any(|start| error.starts_with(start))
}

#[cfg(test)]
mod tests;
