//! One command, or one transaction, while it runs.

use super::{
    MemoryStore,
    command_error::{CommandError, Outcome},
    number,
    reply::Reply,
    session::{CommandCounts, Session},
};
use crate::app::App;
use bytes::BytesMut;
use larder_core::{FlushCause, memory_store::Txn};
use larder_resp::{
    command::{CommandKeys, Spec, Table},
    request::Command,
};

/// What a command works with.
pub(super) struct CommandContext<'c> {
    pub(super) app: &'c App,
    pub(super) table: &'c Table,
    pub(super) session: &'c mut Session,
    pub(super) reply: Reply<'c>,
    map: &'c MemoryStore,
    /// Begun by the first access to a key, held until the commit.
    txn: Option<Txn<'c>>,
}

/// What a command on keys works with.
pub(super) struct Keyed<'k, 'c> {
    pub(super) txn: &'k mut Txn<'c>,
    pub(super) db: u32,
    pub(super) reply: &'k mut Reply<'c>,
    pub(super) counts: &'k mut CommandCounts,
}

impl<'c> CommandContext<'c> {
    pub(super) fn new(
        app: &'c App,
        map: &'c MemoryStore,
        table: &'c Table,
        session: &'c mut Session,
        output: &'c mut BytesMut,
    ) -> Self {
        let reply = Reply::new(output, session.resp3);
        Self { app, table, session, reply, map, txn: None }
    }

    /// Ends the transaction and makes its changes permanent.
    pub(super) fn commit(&mut self) -> Outcome {
        Ok(self.txn.take().map_or(Ok(()), Txn::commit)?)
    }

    /// Locks the map until the commit.
    pub(super) fn txn(&mut self) -> &mut Txn<'c> {
        self.txn.get_or_insert_with(|| self.map.begin())
    }

    /// The same, with what else a command on keys needs.
    pub(super) fn keyed(&mut self) -> Keyed<'_, 'c> {
        let Self { map, txn, session, reply, .. } = self;
        let Session { db, counts, .. } = &mut **session;
        Keyed { txn: txn.get_or_insert_with(|| map.begin()), db: *db, reply, counts }
    }

    /// Watches a key from now on.
    pub(super) fn watch(&mut self, name: &[u8]) -> Outcome {
        let Self { map, txn, session, .. } = self;
        session.watch(txn.get_or_insert_with(|| map.begin()), name)
    }

    /// Ends all watches. Says whether a watched key has changed.
    pub(super) fn unwatch(&mut self) -> bool {
        let Self { map, txn, session, .. } = self;
        session.is_watching() && session.unwatch(txn.get_or_insert_with(|| map.begin()))
    }

    /// Names that the command may write are forgotten in the near tier, under the lock of the map.
    pub(super) fn invalidate(&mut self, spec: &Spec, args: Args<'_>) {
        self.txn();
        let engine = self.app.engine();
        match spec.keys_of(&args.0) {
            CommandKeys::Known(keys) => keys.for_each(|name| engine.invalidate(name)),
            CommandKeys::Unknown => engine.flush(FlushCause::Command),
        }
    }

    /// Everything is forgotten there.
    pub(super) fn invalidate_all(&mut self) {
        self.txn();
        self.app.engine().flush(FlushCause::Flushed);
    }
}

/// A command's arguments; its name is at 0. What is not there is empty.
#[derive(Clone, Copy)]
pub(super) struct Args<'a>(Command<'a>);

impl<'a> Args<'a> {
    pub(super) fn of(command: Command<'a>) -> Self {
        Self(command)
    }

    pub(super) fn command(self) -> Command<'a> {
        self.0
    }

    pub(super) fn len(self) -> usize {
        self.0.args().len()
    }

    pub(super) fn get(self, at: usize) -> &'a [u8] {
        self.0.arg(at).unwrap_or_default()
    }

    /// Those from this one on.
    pub(super) fn from(self, at: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        self.0.args().skip(at)
    }

    /// Names and values in turn, from the first argument on.
    pub(super) fn pairs(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        (1..self.len()).step_by(2).map(move |at| (self.get(at), self.get(at + 1)))
    }

    /// Whether an argument is this word, in letters of any case.
    pub(super) fn is(self, at: usize, word: &str) -> bool {
        self.get(at).eq_ignore_ascii_case(word.as_bytes())
    }

    pub(super) fn integer(self, at: usize) -> Result<i64, CommandError> {
        number::integer(self.get(at)).ok_or(CommandError::NOT_AN_INTEGER)
    }
}
