//! What a command, or a transaction, runs with.

use super::{
    MemoryStore, args::Args, client_registry::CommandCounts, command_error::Outcome,
    command_table::CommandTable, reply::Reply, session::Session,
};
use crate::listeners::resp::proxy::context::ProxyContext;
use bytes::BytesMut;
use larder_core::{FlushCause, memory_store::Txn};
use larder_resp::command::{CommandKeys, Spec, Table};

/// See the [module](self).
pub(super) struct CommandContext<'c> {
    pub(super) proxy: &'c ProxyContext,
    pub(super) table: &'c Table,
    pub(super) commands: &'static CommandTable,
    pub(super) session: &'c mut Session,
    pub(super) reply: Reply<'c>,
    map: &'c MemoryStore,
    /// Begun by the first access to a key, held until the commit.
    txn: Option<Txn<'c>>,
}

/// What a command on keys runs with.
pub(super) struct Keyed<'k, 'c> {
    pub(super) txn: &'k mut Txn<'c>,
    pub(super) db: u32,
    pub(super) reply: &'k mut Reply<'c>,
    pub(super) counts: &'k mut CommandCounts,
}

impl<'c> CommandContext<'c> {
    pub(super) fn new(
        proxy: &'c ProxyContext,
        map: &'c MemoryStore,
        table: &'c Table,
        commands: &'static CommandTable,
        session: &'c mut Session,
        output: &'c mut BytesMut,
    ) -> Self {
        let reply = Reply::new(output, session.protocol);
        Self { proxy, table, commands, session, reply, map, txn: None }
    }

    /// Returns whether the client has yet to show the password of `requirepass`.
    pub(super) fn must_authenticate(&self) -> bool {
        !self.session.authenticated && self.proxy.config().resp.requirepass.is_some()
    }

    /// Ends the transaction and makes its changes permanent.
    pub(super) fn commit(&mut self) -> Outcome {
        Ok(self.txn.take().map_or(Ok(()), Txn::commit)?)
    }

    /// Locks the map until the commit.
    pub(super) fn txn(&mut self) -> &mut Txn<'c> {
        self.txn.get_or_insert_with(|| self.map.begin())
    }

    /// Locks the map; also returns what else a command on keys needs.
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

    /// Ends all watches. Returns whether a watched key has changed.
    pub(super) fn unwatch(&mut self) -> bool {
        let Self { map, txn, session, .. } = self;
        session.is_watching() && session.unwatch(txn.get_or_insert_with(|| map.begin()))
    }

    /// Invalidates the keys that the command may write, under the lock of the map.
    pub(super) fn invalidate(&mut self, spec: &Spec, args: Args<'_>) {
        self.txn();
        let engine = self.proxy.engine();
        match spec.keys_of(&args.command()) {
            CommandKeys::Known(keys) => keys.for_each(|name| engine.invalidate(name)),
            CommandKeys::Unknown => engine.flush(FlushCause::Command),
        }
    }

    /// Invalidates all keys, under the lock of the map.
    pub(super) fn invalidate_all(&mut self) {
        self.txn();
        self.proxy.engine().flush(FlushCause::Flushed);
    }
}
