//! What one client's connection has been told and what it waits for, without its sockets.
//!
//! Every command that is not served from memory goes to the client's own upstream connection, and
//! each leaves here what must be done when its reply arrives. While anything is awaited, or the
//! client has asked for what only Redis can give, nothing is served from memory (R5).

use super::classify::{Kind, State};
use crate::larder::Larder;
use larder_core::{FlushCause, WriteGuard};
use larder_redis::Reply;
use larder_resp::reply::Frame;
use std::collections::VecDeque;

/// See the [module](self).
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, true or not")]
pub(super) struct Session {
    pub(super) resp3: bool,
    pub(super) db: u32,
    home_db: u32,
    /// Whether the client acts as the user of the store's URL (R12).
    shares_user: bool,
    in_multi: bool,
    /// A transaction that holds a command after which everything must be forgotten.
    multi_flushes: bool,
    watching: bool,
    /// The client asked for invalidations, subscriptions or a monitor of its own.
    listens: bool,
    /// The client has set up something on its upstream connection.
    has_state: bool,
    replies: Replies,
    stream: Stream,
    awaited: VecDeque<Awaited>,
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
enum Awaited {
    Nothing,
    /// Names that the write voids when this is dropped, whatever becomes of the reply (R3).
    Written(WriteGuard<Reply>),
    /// Names of which a newer value may have been read on this road (R13).
    Read(Vec<Box<[u8]>>),
    Fence,
    Flush,
    /// The client's state changes when the reply is no error.
    State(State),
    Info,
}

/// What the listener must do before a reply is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Fence,
    /// Add a section of our own to the text.
    Info,
}

impl Session {
    pub(super) fn new(home_db: u32) -> Self {
        Self {
            resp3: false,
            db: home_db,
            home_db,
            shares_user: true,
            in_multi: false,
            multi_flushes: false,
            watching: false,
            listens: false,
            has_state: false,
            replies: Replies::On,
            stream: Stream::Replies,
            awaited: VecDeque::new(),
        }
    }

    /// Whether reads may be served from memory: everything before them has been answered, and the
    /// client is in no state that only Redis knows (R5).
    pub(super) fn may_use_near(&self) -> bool {
        self.awaited.is_empty()
            && self.shares_user
            && !self.in_multi
            && !self.watching
            && !self.listens
            && self.replies == Replies::On
            && self.stream == Stream::Replies
    }

    /// Whether nothing more may be sent until the replies under way are here.
    pub(super) fn must_wait(&self) -> bool {
        self.stream == Stream::Subscribing
    }

    /// Whether a reply is awaited.
    pub(super) fn is_awaiting(&self) -> bool {
        !self.awaited.is_empty()
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// Whether a new upstream connection would be as good as the one that ended: nothing is awaited
    /// from it, and nothing was set up on it.
    pub(super) fn is_pristine(&self) -> bool {
        self.may_use_near() && !self.resp3 && self.db == self.home_db && !self.has_state
    }

    /// A command goes upstream. Notes what its reply must do.
    pub(super) fn sent(&mut self, kind: Kind<'_>, larder: &Larder) {
        if self.replies != Replies::On || self.stream != Stream::Replies {
            self.sent_unanswered(&kind, larder);
            return;
        }
        if self.in_multi && matches!(kind, Kind::Flush) {
            self.multi_flushes = true;
        }
        let awaited = match kind {
            Kind::Read(Some(keys)) => Awaited::Read(keys.map(Box::from).collect()),
            Kind::Write(Some(keys)) => Awaited::Written(larder.announce_write(keys)),
            Kind::Read(None) | Kind::Write(None) => Awaited::Fence,
            Kind::Flush => Awaited::Flush,
            Kind::Neutral => Awaited::Nothing,
            Kind::Info => Awaited::Info,
            Kind::State(state) => {
                self.has_state = true;
                return self.sent_state(state);
            }
        };
        self.awaited.push_back(awaited);
    }

    fn sent_state(&mut self, state: State) {
        match state {
            // Frames of subscriptions come unasked, so they are not counted: the first of them, or
            // an error, ends the wait.
            State::Subscribe if self.in_multi => {
                self.listens = true;
                self.awaited.push_back(Awaited::Nothing);
            }
            State::Subscribe => {
                self.listens = true;
                self.stream = Stream::Subscribing;
            }
            // Noted as it is sent: what follows may be in the same write.
            State::Multi => {
                self.in_multi = true;
                self.awaited.push_back(Awaited::Nothing);
            }
            State::Watch => {
                self.watching = true;
                self.awaited.push_back(Awaited::State(state));
            }
            State::Tracking => {
                self.listens = true;
                self.awaited.push_back(Awaited::Nothing);
            }
            State::Monitor => {
                self.listens = true;
                self.stream = Stream::Lines;
            }
            State::Bytes => {
                self.listens = true;
                self.stream = Stream::Bytes;
            }
            State::ReplyOff => self.replies = Replies::Off,
            State::ReplySkip => self.replies = Replies::SkipNext,
            State::ReplyOn => self.awaited.push_back(Awaited::Nothing),
            state => self.awaited.push_back(Awaited::State(state)),
        }
    }

    /// A command whose reply, if there is one, cannot be told from others: what it may change is
    /// voided as it is sent, and the feed tells the rest.
    fn sent_unanswered(&mut self, kind: &Kind<'_>, larder: &Larder) {
        match kind {
            Kind::Write(Some(keys)) => drop(larder.announce_write(keys.clone())),
            Kind::Write(None) | Kind::Flush => larder.engine().flush(FlushCause::Command),
            _ => {}
        }
        match (self.replies, kind) {
            (_, Kind::State(State::ReplyOn)) if self.stream == Stream::Replies => {
                self.replies = Replies::On;
                self.awaited.push_back(Awaited::Nothing);
            }
            (Replies::SkipNext, _) => self.replies = Replies::On,
            _ => {}
        }
        // What it did to the state is not known either.
        if matches!(kind, Kind::State(state) if *state != State::ReplyOn) {
            self.listens = true;
        }
    }

    /// A frame came from upstream. Does what it must do, and says what is left to the listener.
    pub(super) fn received(&mut self, frame: &Frame<'_>, larder: &Larder) -> Before {
        if self.is_unasked(frame) {
            return Before::Nothing;
        }
        if self.stream == Stream::Subscribing {
            // An error: there is no subscription.
            self.stream = Stream::Replies;
            return Before::Nothing;
        }
        match self.awaited.pop_front() {
            None | Some(Awaited::Nothing) => Before::Nothing,
            Some(Awaited::Written(voids)) => {
                drop(voids);
                Before::Nothing
            }
            Some(Awaited::Read(names)) => {
                names.iter().for_each(|name| larder.engine().void(name));
                Before::Nothing
            }
            Some(Awaited::Fence) => Before::Fence,
            Some(Awaited::Flush) => {
                larder.engine().flush(FlushCause::Command);
                Before::Nothing
            }
            Some(Awaited::State(state)) => self.changed(state, frame, larder),
            Some(Awaited::Info) => Before::Info,
        }
    }

    /// Whether a frame answers no command: a push, a message, a line of a monitor.
    fn is_unasked(&mut self, frame: &Frame<'_>) -> bool {
        if self.stream == Stream::Lines {
            return true;
        }
        let kind = match frame {
            Frame::Push(_) => frame.push_kind(),
            Frame::Array(items) if self.listens && !self.resp3 => {
                items.clone().next().and_then(|kind| kind.as_str_bytes())
            }
            _ => return false,
        };
        let is_subscription = kind.is_some_and(|kind| SUBSCRIPTION_KINDS.contains(&kind));
        if is_subscription && self.stream == Stream::Subscribing {
            self.stream = Stream::Replies;
        }
        is_subscription || matches!(frame, Frame::Push(_))
    }

    fn changed(&mut self, state: State, frame: &Frame<'_>, larder: &Larder) -> Before {
        let is_error = frame.is_error();
        match state {
            State::Exec => {
                let flushes = std::mem::take(&mut self.multi_flushes);
                self.leave_multi();
                if flushes {
                    larder.engine().flush(FlushCause::Command);
                }
                return Before::Fence;
            }
            State::Discard if !is_error => self.leave_multi(),
            // In a transaction the reply says QUEUED, and watches end with it anyway.
            State::Unwatch if !is_error && !self.in_multi => self.watching = false,
            State::Select(db) if !is_error && !self.in_multi => self.db = db,
            // Queued: it takes effect with EXEC, whose reply is not looked into.
            State::Select(_) if !is_error => self.listens = true,
            State::Auth { shares_user } if !is_error => self.shares_user = shares_user,
            State::Hello { resp3, shares_user } if !is_error => {
                self.resp3 = resp3.unwrap_or(self.resp3);
                self.shares_user = shares_user.unwrap_or(self.shares_user);
            }
            _ => {}
        }
        Before::Nothing
    }

    fn leave_multi(&mut self) {
        self.in_multi = false;
        self.multi_flushes = false;
        self.watching = false;
    }

    /// The client starts anew, as after RESET.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.home_db);
    }
}

const SUBSCRIPTION_KINDS: [&[u8]; 9] = [
    b"message",
    b"pmessage",
    b"smessage",
    b"subscribe",
    b"psubscribe",
    b"ssubscribe",
    b"unsubscribe",
    b"punsubscribe",
    b"sunsubscribe",
];
