//! What every client of the listener shares.

use crate::{
    app::App, backend::Backend, config::Config, listeners::resp::embedded::ClientRegistry, ops,
    rlimit::Descriptor, stats::resp::RespStats, users::Users, verify::Verifier,
};
use larder_core::{Engine, FetchError, Fetched, Key, PendingFetch, WriteGuard};
use larder_redis::{PendingMultiGet, Reply};
use larder_resp::command::Table;
use std::{sync::Arc, time::Duration};

/// See the [module](self).
pub(crate) struct ProxyContext {
    app: Arc<App>,
    /// Held here too, which saves the hit path a pointer to follow.
    engine: Arc<Engine<Reply>>,
    stats: Arc<RespStats>,
    clients: Arc<ClientRegistry>,
}

impl ProxyContext {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let (engine, stats) = (Arc::clone(app.engine()), Arc::clone(app.resp_stats()));
        Self { app, engine, stats, clients: Arc::default() }
    }

    pub(crate) fn engine(&self) -> &Engine<Reply> {
        &self.engine
    }

    pub(crate) fn backend(&self) -> &Backend {
        self.app.backend()
    }

    pub(crate) fn config(&self) -> &Config {
        self.app.config()
    }

    /// Returns the permission to open another connection, or `None` if file descriptors run out.
    pub(crate) fn take_descriptor(&self) -> Option<Descriptor> {
        self.app.descriptors().take()
    }

    pub(crate) fn stats(&self) -> &Arc<RespStats> {
        &self.stats
    }

    /// Returns the clients that are served without a Redis.
    pub(crate) fn clients(&self) -> &Arc<ClientRegistry> {
        &self.clients
    }

    /// Returns the store's users other than that of its URL.
    pub(super) fn users(&self) -> &Users {
        self.app.users()
    }

    pub(super) fn verifier(&self) -> Option<&Verifier> {
        self.app.verifier()
    }

    /// Returns the commands that the store knows.
    pub(super) fn commands(&self) -> Arc<Table> {
        self.app.commands()
    }

    /// Returns whether the store asks for a password before it looks a command up.
    pub(super) fn checks_auth_first(&self) -> bool {
        self.app.checks_auth_first()
    }

    /// Starts to fetch a key that is not in memory. The request has been sent when this returns.
    pub(super) fn start_fetch(&self, key: Key<'_>) -> PendingFetch<Reply> {
        self.app.start_fetch(key)
    }

    /// Waits for the reply to a fetch.
    pub(super) async fn finish_fetch(
        &self,
        key: Key<'_>,
        started: PendingFetch<Reply>,
    ) -> Result<Fetched<Reply>, FetchError> {
        self.app.finish_fetch(key, started).await
    }

    /// Sends an `MGET` whose keys are not all in memory.
    pub(super) fn start_multi_get(&self, db: u32, names: &[Box<[u8]>]) -> Option<PendingMultiGet> {
        self.app.start_multi_get(db, names)
    }

    /// Waits for the reply to an `MGET`.
    pub(super) async fn finish_multi_get(
        &self,
        db: u32,
        names: &[Box<[u8]>],
        started: Option<PendingMultiGet>,
    ) -> Result<Fetched<Reply>, FetchError> {
        self.app.finish_multi_get(db, names, started).await
    }

    /// Announces a write to these keys. See [`Engine::write`].
    pub(super) fn write<'a>(&self, names: impl IntoIterator<Item = &'a [u8]>) -> WriteGuard<Reply> {
        self.app.announce_write(names)
    }

    /// Records how long Redis took to answer a command.
    pub(super) fn upstream_answered(&self, after: Duration) {
        self.app.latency().upstream_answered(after);
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.app.uptime()
    }

    /// Returns Larder's section of INFO.
    pub(crate) fn info_section(&self) -> String {
        ops::info::section(&self.app)
    }
}
