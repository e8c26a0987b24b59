//! Replies that have not arrived, and what each of them must do when it does.

use super::{
    super::{
        classify::StateChange, context::ProxyContext, uncached_read::UncachedRead,
        withheld::Withheld,
    },
    frames::{is_queued, is_refused, is_reset},
    state::{ChangeId, ClientState},
};
use bytes::BytesMut;
use larder_core::{FlushCause, WriteGuard};
use larder_redis::Reply;
use larder_resp::reply::Frame;
use std::sync::Arc;

/// A reply that has not arrived.
pub(super) enum PendingReply {
    /// To be forwarded.
    Forward,
    /// The reply to a write. Dropping the guard invalidates the keys, whatever becomes of the reply
    /// (R3).
    Write(WriteGuard<Reply>),
    /// The reply to a write that waited for another client.
    BlockingWrite(WriteGuard<Reply>),
    /// The reply to a read. It may be newer than what is in memory (R13).
    Read(UncachedRead),
    /// The reply to a command whose keys are unknown.
    Fence,
    /// The reply to a command that may change everything.
    Flush(FlushGuard),
    /// The reply to a command that changes the client's state, unless it fails.
    State(StateChange, ChangeId),
    /// The reply to EXEC, which ends the transactions and watches that began before it. The
    /// transaction may have written to any key.
    Exec(Option<FlushGuard>, ChangeId),
    /// The reply to INFO.
    Info,
    /// The reply to a command that would lead the client past Larder.
    Withheld(Withheld),
}

/// What the connection must do with a frame.
pub(crate) enum ReplyAction {
    /// Forward it.
    Forward,
    /// Invalidate what memory has in place of it, then forward it.
    Read(UncachedRead),
    /// Wait for a fence, then forward it.
    Fence,
    /// Wait for the loaded values that are being put into the store, then forward it: it may answer
    /// a delete that overtook one of them.
    AwaitLoads,
    /// Append Larder's section to its text, then forward it.
    AppendInfo,
    /// Send this in its place.
    Replace(BytesMut),
    /// Drop it: it answers a command of Larder's.
    Drop,
    /// Start a new session. The client gets a reply unless it wanted none.
    Reset { wants_reply: bool },
}

impl PendingReply {
    /// Returns whether the server itself answers the command. A script can return any error.
    pub(super) fn is_from_server(&self) -> bool {
        match self {
            Self::Write(_) | Self::BlockingWrite(_) | Self::Read(_) | Self::Info => true,
            Self::Forward
            | Self::Fence
            | Self::Flush(_)
            | Self::State(..)
            | Self::Exec(..)
            | Self::Withheld(_) => false,
        }
    }

    /// Does what is due when the reply arrives. A change takes effect in `state`.
    pub(super) fn complete(
        self,
        frame: &Frame<'_>,
        state: &mut ClientState,
        context: &ProxyContext,
    ) -> ReplyAction {
        match self {
            Self::Forward => ReplyAction::Forward,
            Self::State(change, id) => {
                state.replied(change, id, frame);
                ReplyAction::Forward
            }
            Self::Exec(flush, id) => {
                drop(flush);
                state.transaction_ended(id);
                ReplyAction::Fence
            }
            Self::Write(guard) => {
                drop(guard);
                match context.engine().has_pending_loads() {
                    true => ReplyAction::AwaitLoads,
                    false => ReplyAction::Forward,
                }
            }
            Self::BlockingWrite(guard) => {
                drop(guard);
                ReplyAction::Fence
            }
            // EXEC returns what a queued read asks for, and fences. A refused read has read nothing:
            // users without access to a key must not evict it for others.
            Self::Read(_) if is_queued(frame) || is_refused(frame) => ReplyAction::Forward,
            Self::Read(read) => ReplyAction::Read(read),
            Self::Fence => ReplyAction::Fence,
            Self::Flush(flush) => {
                // Users who may not flush the store must not flush the cache either.
                if is_refused(frame) {
                    flush.cancel();
                }
                ReplyAction::Forward
            }
            Self::Info if is_queued(frame) => ReplyAction::Forward,
            Self::Info => ReplyAction::AppendInfo,
            Self::Withheld(withheld) => {
                withheld.replace(frame).map_or(ReplyAction::Forward, ReplyAction::Replace)
            }
        }
    }
}

/// Flushes the cache when it is dropped, whatever becomes of the reply (R3).
pub(super) struct FlushGuard(Option<Arc<ProxyContext>>);

impl FlushGuard {
    pub(super) fn new(context: &Arc<ProxyContext>) -> Self {
        Self(Some(Arc::clone(context)))
    }

    /// Drops the guard without a flush.
    fn cancel(mut self) {
        self.0 = None;
    }
}

impl Drop for FlushGuard {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.engine().flush(FlushCause::Command);
            context.users().revoke_sharing();
        }
    }
}

/// How far a RESET that went upstream has come. Until it is answered, frames are forwarded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ResetProgress {
    /// RESET was sent while the client wanted replies.
    Sent,
    /// RESET was sent twice, then PING, because only Redis knows whether it answers the first
    /// RESET: it skips that reply if the client asked for CLIENT REPLY SKIP.
    Probed {
        /// How many of the two were answered.
        answers: usize,
    },
}

impl ResetProgress {
    pub(super) fn received(&mut self, frame: &Frame<'_>) -> ReplyAction {
        match (self, is_reset(frame)) {
            (Self::Sent | Self::Probed { answers: 0 }, false) => ReplyAction::Forward,
            (Self::Sent, true) => ReplyAction::Reset { wants_reply: true },
            (Self::Probed { answers }, true) => {
                *answers += 1;
                ReplyAction::Drop
            }
            // This is the reply to PING.
            (Self::Probed { answers: both @ 1.. }, false) => {
                ReplyAction::Reset { wants_reply: *both == 2 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds frames to a RESET and says what becomes of each.
    fn actions(mut progress: ResetProgress, frames: &[&[u8]]) -> String {
        let action = |frame: &&[u8]| match progress.received(&Frame::parse(frame).unwrap()) {
            ReplyAction::Forward => "forward",
            ReplyAction::Drop => "drop",
            ReplyAction::Reset { wants_reply: true } => "reset",
            ReplyAction::Reset { wants_reply: false } => "silent reset",
            _ => "other",
        };
        frames.iter().map(action).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_reset_ends_the_session_once_redis_has_answered_it() {
        let reset = b"+RESET\r\n".as_slice();
        let (pong, message) = (b"+PONG\r\n".as_slice(), b"*1\r\n$7\r\nmessage\r\n".as_slice());
        for (frames, expected) in
            [(vec![reset], "reset"), (vec![message, message, reset], "forward, forward, reset")]
        {
            assert_eq!(actions(ResetProgress::Sent, &frames), expected);
        }
        for (frames, expected) in [
            (vec![reset, pong], "drop, silent reset"),
            (vec![reset, reset, pong], "drop, drop, reset"),
            (vec![message, reset, reset, pong], "forward, drop, drop, reset"),
        ] {
            assert_eq!(actions(ResetProgress::Probed { answers: 0 }, &frames), expected);
        }
    }
}
