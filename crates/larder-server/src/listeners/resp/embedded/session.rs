//! The state of one client.

use super::{
    args::Args,
    client_registry::{Activity, ClientHandle, CommandCounts},
    command_error::{CommandError, Outcome},
};
use crate::{
    listeners::resp::proxy::{context::ProxyContext, read_context::Protocol},
    stats::{reads::ReadResult, writes::WriteResult},
};
use bytes::BytesMut;
use larder_core::memory_store::{Txn, Watch};
use std::collections::{BTreeMap, btree_map::Entry};

/// Bytes that a transaction may hold until EXEC.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Bytes that the watched names of one client may take, and the overhead of each.
const WATCHES_BYTES_MAX: usize = 16 << 20;
const WATCH_BYTES: usize = 64;

/// See the [module](self).
pub(super) struct Session {
    pub(super) handle: ClientHandle,
    pub(super) db: u32,
    pub(super) protocol: Protocol,
    /// The client has shown the password in a HELLO.
    pub(super) authenticated: bool,
    pub(super) replies: ReplyMode,
    /// The commands since MULTI.
    pub(super) queue: Option<Queue>,
    /// Counts that [`Session::publish`] has not published.
    pub(super) counts: CommandCounts,
    /// The last command that ran.
    pub(super) command: &'static str,
    watches: BTreeMap<(u32, Box<[u8]>), Watch>,
    watches_bytes: usize,
}

/// Which replies the client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ReplyMode {
    #[default]
    On,
    Off,
    /// All but the reply to the next command.
    SkipNext,
    /// All but the reply to this command.
    Skip,
}

/// Commands that wait for EXEC.
#[derive(Default)]
pub(super) struct Queue {
    commands: BytesMut,
    count: usize,
    /// A command was rejected, so none will run.
    is_aborted: bool,
}

impl Session {
    pub(super) fn new(handle: ClientHandle) -> Self {
        Self {
            handle,
            db: 0,
            protocol: Protocol::Resp2,
            authenticated: false,
            replies: ReplyMode::On,
            queue: None,
            counts: CommandCounts::default(),
            command: "NULL",
            watches: BTreeMap::new(),
            watches_bytes: 0,
        }
    }

    /// Restores the initial state, except for the client's id. Watches must have ended.
    pub(super) fn reset(&mut self) {
        self.handle.clear_name();
        self.db = 0;
        self.protocol = Protocol::Resp2;
        self.authenticated = false;
        self.replies = ReplyMode::On;
        self.queue = None;
    }

    pub(super) fn is_watching(&self) -> bool {
        !self.watches.is_empty()
    }

    pub(super) fn watch(&mut self, txn: &mut Txn<'_>, name: &[u8]) -> Outcome {
        let bytes = self.watches_bytes + name.len() + WATCH_BYTES;
        match self.watches.entry((self.db, name.into())) {
            Entry::Occupied(_) => {}
            Entry::Vacant(_) if bytes > WATCHES_BYTES_MAX => {
                return Err(CommandError::TOO_MANY_WATCHES);
            }
            Entry::Vacant(entry) => {
                entry.insert(txn.watch(self.db, name));
                self.watches_bytes = bytes;
            }
        }
        Ok(())
    }

    /// Ends all watches. Returns whether a watched key has changed.
    pub(super) fn unwatch(&mut self, txn: &mut Txn<'_>) -> bool {
        let watches = std::mem::take(&mut self.watches);
        self.watches_bytes = 0;
        let changed = watches.values().any(|watch| txn.is_changed(watch));
        for watch in watches.values() {
            txn.unwatch(watch);
        }
        changed
    }

    /// Publishes the counts, and what other clients may see of this one.
    pub(super) fn publish(&mut self, context: &ProxyContext) {
        let at = context.engine().clock().now();
        let queued = self.queue.as_ref().map(|queue| queue.count);
        let (db, protocol, command) = (self.db, self.protocol, self.command);
        self.handle.publish(Activity { at, db, protocol, queued, command });
        let counts = std::mem::take(&mut self.counts);
        let stats = context.stats();
        // There is no near cache in between: a read finds its key in the store or does not.
        stats.results().hits(counts.hits);
        stats.results().count(ReadResult::Miss, counts.misses);
        stats.writes().count(WriteResult::Done, counts.writes);
        stats.writes().count(WriteResult::Refused, counts.writes_refused);
        self.handle.registry().count(counts);
    }
}

impl ReplyMode {
    /// Returns whether the reply to this command is left out.
    pub(super) fn hides(self) -> bool {
        matches!(self, Self::Off | Self::Skip)
    }

    /// Advances past a command. Returns whether its reply is left out.
    pub(super) fn next(&mut self) -> bool {
        let hides = self.hides();
        *self = match *self {
            Self::SkipNext => Self::Skip,
            Self::Skip | Self::On => Self::On,
            Self::Off => Self::Off,
        };
        hides
    }
}

impl Queue {
    pub(super) fn push(&mut self, args: Args<'_>) -> Outcome {
        args.command().write_to(&mut self.commands);
        self.count += 1;
        if self.commands.len() > QUEUE_BYTES_MAX {
            self.is_aborted = true;
            self.commands = BytesMut::new();
            return Err(CommandError::TRANSACTION_TOO_LONG);
        }
        Ok(())
    }

    /// Prevents EXEC from running the commands.
    pub(super) fn abort(&mut self) {
        self.is_aborted = true;
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.is_aborted
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn into_commands(self) -> BytesMut {
        self.commands
    }
}
