//! What a client has told of itself.

use super::{
    client_registry::{ClientHandle, Seen},
    command_error::{CommandError, Outcome},
    commands,
    context::Args,
};
use crate::app::App;
use bytes::BytesMut;
use larder_core::memory_store::{Txn, Watch};
use std::collections::{BTreeMap, btree_map::Entry};

/// Bytes that a transaction may hold until EXEC.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Bytes that the names of the keys may take that a client watches, and what each takes beside.
const WATCHES_BYTES_MAX: usize = 16 << 20;
const WATCH_BYTES: usize = 64;

/// See the [module](self).
pub(super) struct Session {
    pub(super) handle: ClientHandle,
    pub(super) db: u32,
    pub(super) resp3: bool,
    /// It has shown the password here, in a HELLO.
    pub(super) authenticated: bool,
    pub(super) replies: ReplyMode,
    /// The commands since MULTI.
    pub(super) queue: Option<Queue>,
    pub(super) counts: CommandCounts,
    /// What it ran last.
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
    /// All but the one to the next command.
    SkipNext,
    /// All but the one to this command.
    Skip,
}

/// What was done: commands, and keys read that were there or not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CommandCounts {
    pub(super) commands: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
}

/// Commands that wait for EXEC.
#[derive(Default)]
pub(super) struct Queue {
    commands: BytesMut,
    count: usize,
    /// One of them was refused, so none will run.
    spoiled: bool,
}

impl Session {
    pub(super) fn new(handle: ClientHandle) -> Self {
        Self {
            handle,
            db: 0,
            resp3: false,
            authenticated: false,
            replies: ReplyMode::On,
            queue: None,
            counts: CommandCounts::default(),
            command: "NULL",
            watches: BTreeMap::new(),
            watches_bytes: 0,
        }
    }

    /// As at the start, but for who it is. Give up watches first.
    pub(super) fn reset(&mut self) {
        self.handle.forget_name();
        self.db = 0;
        self.resp3 = false;
        self.authenticated = false;
        self.replies = ReplyMode::On;
        self.queue = None;
    }

    /// A command is not run, nor is then the transaction that it is in. EXEC itself ends that.
    pub(super) fn reject(&mut self, args: Args<'_>, error: CommandError) -> CommandError {
        if args.is(0, "EXEC") {
            self.queue = None;
            return commands::aborted(&error);
        }
        if let Some(queue) = &mut self.queue {
            queue.spoiled = true;
        }
        error
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
            Entry::Vacant(place) => {
                place.insert(txn.watch(self.db, name));
                self.watches_bytes = bytes;
            }
        }
        Ok(())
    }

    /// Ends all watches. Says whether a watched key has changed.
    pub(super) fn unwatch(&mut self, txn: &mut Txn<'_>) -> bool {
        let watches = std::mem::take(&mut self.watches);
        self.watches_bytes = 0;
        let changed = watches.values().any(|watch| txn.is_changed(watch));
        for watch in watches.values() {
            txn.unwatch(watch);
        }
        changed
    }

    /// What others may see of it, and what was counted, after some commands.
    pub(super) fn show(&mut self, app: &App) {
        let now = app.engine().clock().now();
        let queued = self.queue.as_ref().map(|queue| queue.count);
        let seen =
            Seen { active: now, db: self.db, resp3: self.resp3, queued, command: self.command };
        self.handle.show(seen);
        let counts = std::mem::take(&mut self.counts);
        // All of them are answered from memory.
        app.resp_stats().results().hits(counts.hits + counts.misses);
        self.handle.registry().count(counts);
    }
}

impl ReplyMode {
    /// Whether the reply to this command is left out.
    pub(super) fn hides(self) -> bool {
        matches!(self, Self::Off | Self::Skip)
    }

    /// A command is done. Whether its reply is left out.
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

impl CommandCounts {
    /// Counts a read.
    pub(super) fn read(&mut self, found: bool) {
        self.hits += u64::from(found);
        self.misses += u64::from(!found);
    }
}

impl Queue {
    pub(super) fn push(&mut self, args: Args<'_>) -> Outcome {
        args.command().write_to(&mut self.commands);
        self.count += 1;
        if self.commands.len() > QUEUE_BYTES_MAX {
            self.spoiled = true;
            self.commands = BytesMut::new();
            return Err(CommandError::TOO_LONG_A_TRANSACTION);
        }
        Ok(())
    }

    pub(super) fn is_spoiled(&self) -> bool {
        self.spoiled
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn into_commands(self) -> BytesMut {
        self.commands
    }
}
