//! What a client has told of itself.

use super::{
    call::Args,
    commands,
    guests::Presence,
    refusal::{Outcome, Refusal},
};
use crate::larder::Larder;
use bytes::BytesMut;
use larder_core::map_store::{Txn, Watch};

/// Bytes that a transaction may hold until EXEC.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Keys that a client may watch at the same time.
const WATCHES_MAX: usize = 65_536;

/// See the [module](self).
pub(super) struct Session {
    pub(super) presence: Presence,
    pub(super) db: u32,
    pub(super) resp3: bool,
    /// It has shown the password here, in a HELLO.
    pub(super) authenticated: bool,
    pub(super) replies: Replies,
    /// The commands since MULTI.
    pub(super) queue: Option<Queue>,
    pub(super) tally: Tally,
    watches: Vec<Watch>,
}

/// Which replies the client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Replies {
    #[default]
    On,
    Off,
    /// All but the one to the next command.
    SkipNext,
    /// All but the one to this command.
    Skip,
}

/// What was done since the last look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
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
    pub(super) fn new(presence: Presence) -> Self {
        Self {
            presence,
            db: 0,
            resp3: false,
            authenticated: false,
            replies: Replies::On,
            queue: None,
            tally: Tally::default(),
            watches: Vec::new(),
        }
    }

    /// As at the start, but for who it is. Give up watches first.
    pub(super) fn reset(&mut self) {
        self.presence.forget_name();
        self.db = 0;
        self.resp3 = false;
        self.authenticated = false;
        self.replies = Replies::On;
        self.queue = None;
    }

    /// A command is not run, nor is then the transaction that it is in. EXEC itself ends that.
    pub(super) fn reject(&mut self, args: Args<'_>, refusal: Refusal) -> Refusal {
        if args.is(0, "EXEC") {
            self.queue = None;
            return commands::aborted(&refusal);
        }
        if let Some(queue) = &mut self.queue {
            queue.spoiled = true;
        }
        refusal
    }

    pub(super) fn is_watching(&self) -> bool {
        !self.watches.is_empty()
    }

    pub(super) fn watch(&mut self, txn: &mut Txn<'_>, name: &[u8]) -> Outcome {
        if self.watches.iter().any(|watch| watch.is_of(self.db, name)) {
            return Ok(());
        }
        if self.watches.len() >= WATCHES_MAX {
            return Err(Refusal::new("ERR Larder: a client watches at most 65536 keys"));
        }
        self.watches.push(txn.watch(self.db, name));
        Ok(())
    }

    /// Ends all watches. Says whether a watched key has changed.
    pub(super) fn unwatch(&mut self, txn: &mut Txn<'_>) -> bool {
        let changed = self.watches.iter().any(|watch| txn.is_changed(watch));
        self.watches.drain(..).for_each(|watch| txn.unwatch(&watch));
        changed
    }

    /// What others may see of it, and what was counted, after some commands.
    pub(super) fn show(&mut self, larder: &Larder) {
        let now = larder.engine().clock().now();
        let queued = self.queue.as_ref().map(|queue| queue.count);
        self.presence.show(now, self.db, self.resp3, queued);
        larder.traffic().served(std::mem::take(&mut self.tally));
    }
}

impl Replies {
    /// A command is done. Whether its reply is left out.
    pub(super) fn next(&mut self) -> bool {
        let hides = matches!(self, Self::Off | Self::Skip);
        *self = match self {
            Self::SkipNext => Self::Skip,
            Self::Skip => Self::On,
            other => *other,
        };
        hides
    }
}

impl Tally {
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
            return Err(Refusal::new("ERR Larder: a transaction holds at most 64 MiB"));
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
