//! Counts the commands that go upstream, once each, by how they were answered. A command of a
//! transaction counts when `EXEC` has run it; one that was discarded never does. Nothing is counted
//! for a client that leaves before its reply arrives.

use super::{super::classify::CommandKind, StateChange, frames::is_queued};
use crate::stats::{reads::ReadResult, resp::RespStats, writes::WriteResult};
use larder_core::Bypass;
use larder_resp::{
    command::{Class, Spec},
    reply::Frame,
};

/// What a command counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::listeners::resp::proxy) enum Counted {
    /// Reads of this many keys whose values may be cached.
    Reads(Bypass, u64),
    Write,
    /// What was queued before it.
    Exec,
    /// It drops what was queued before it.
    Discard,
    Nothing,
}

/// The commands of a transaction that wait for `EXEC`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Queued {
    reads: u64,
    writes: u64,
}

impl Counted {
    /// `reason` is asked for only if the command is a cacheable read.
    pub(in crate::listeners::resp::proxy) fn of(
        spec: &Spec,
        kind: &CommandKind<'_>,
        reason: impl FnOnce() -> Bypass,
    ) -> Self {
        match kind {
            CommandKind::Read(Some(read)) if spec.cacheable.is_some() => {
                Self::Reads(reason(), read.keys.clone().count() as u64)
            }
            CommandKind::Write(_) => Self::Write,
            // `ACL` flushes too, and writes nothing.
            CommandKind::Flush if spec.class == Class::FlushAll => Self::Write,
            CommandKind::State(StateChange::Exec) => Self::Exec,
            CommandKind::State(StateChange::Discard) => Self::Discard,
            CommandKind::Read(_)
            | CommandKind::Flush
            | CommandKind::Neutral
            | CommandKind::Info
            | CommandKind::Withheld(_)
            | CommandKind::State(_) => Self::Nothing,
        }
    }

    /// Counts a command whose reply has arrived.
    pub(super) fn answered(self, frame: &Frame<'_>, queued: &mut Queued, stats: &RespStats) {
        match self {
            Self::Reads(_, keys) if is_queued(frame) => queued.reads += keys,
            Self::Write if is_queued(frame) => queued.writes += 1,
            Self::Reads(reason, keys) => stats.results().count(ReadResult::Bypass(reason), keys),
            Self::Write => stats.writes().count(result_of(frame), 1),
            Self::Exec => std::mem::take(queued).executed(frame, stats),
            Self::Discard => *queued = Queued::default(),
            Self::Nothing => {}
        }
    }

    /// Counts a command that the client wants no reply to.
    pub(super) fn sent_without_reply(self, stats: &RespStats) {
        match self {
            Self::Reads(reason, keys) => stats.results().count(ReadResult::Bypass(reason), keys),
            Self::Write => stats.writes().count(WriteResult::Done, 1),
            Self::Exec | Self::Discard | Self::Nothing => {}
        }
    }

    /// Counts a command that will not be answered.
    pub(in crate::listeners::resp::proxy) fn lost(self, stats: &RespStats) {
        match self {
            Self::Reads(_, keys) => stats.results().count(ReadResult::Error, keys),
            Self::Write => stats.writes().count(WriteResult::Error, 1),
            Self::Exec | Self::Discard | Self::Nothing => {}
        }
    }
}

impl Queued {
    /// Counts what a transaction has run, if it has. Of its replies that are errors, the reads are
    /// not told from the writes: they count as refused writes.
    fn executed(self, reply: &Frame<'_>, stats: &RespStats) {
        let Some(replies) = reply.items() else { return };
        let errors = replies.filter(|reply| reply.as_error().is_some()).count() as u64;
        let refused = errors.min(self.writes);
        stats.results().count(ReadResult::Bypass(Bypass::State), self.reads);
        stats.writes().count(WriteResult::Refused, refused);
        stats.writes().count(WriteResult::Done, self.writes - refused);
    }

    /// Counts the commands of a transaction whose `EXEC` will not be answered.
    pub(super) fn lost(self, stats: &RespStats) {
        stats.results().count(ReadResult::Error, self.reads);
        stats.writes().count(WriteResult::Error, self.writes);
    }
}

fn result_of(reply: &Frame<'_>) -> WriteResult {
    if reply.as_error().is_some() { WriteResult::Refused } else { WriteResult::Done }
}
