//! The running server: its parts, wired once, shared by every listener.

use crate::{
    backend::Backend,
    config::Config,
    health::Health,
    metrics::Metrics,
    origins::DeclaredOrigin,
    stats::resp::RespStats,
    users::Users,
    verify::{Samples, Verifier},
};
use larder_core::{
    Clock, Engine, FetchError, Fetched, Key, Moment, Origin, PendingFetch, Put, StoreError, Tiers,
    WriteGuard,
};
use larder_redis::Reply;
use larder_resp::command::{Cacheable, Table};
use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// See the [module](self).
pub(crate) struct App {
    tiers: Tiers<Reply, Backend>,
    origins: Vec<Arc<DeclaredOrigin>>,
    metrics: Metrics,
    resp_stats: Arc<RespStats>,
    commands: RwLock<Arc<Table>>,
    keeps_hashes: AtomicBool,
    health: Health,
    verifier: Option<Verifier>,
    users: Arc<Users>,
    config: Config,
    started: Moment,
}

impl App {
    /// Wires the parts. Needs a runtime; waits for nothing. Samples of what is served come out where
    /// they are asked for.
    pub(crate) fn start(config: &Config, origins: Vec<DeclaredOrigin>) -> (Self, Option<Samples>) {
        let engine = Engine::new(&config.engine, Clock::System);
        let backend = Backend::start(&config.store, &engine);
        let metrics = Metrics::new(origins.iter().map(Origin::name));
        let started = engine.clock().now();
        let (verifier, samples) = config.verify_every.map(Verifier::new).unzip();
        let app = Self {
            tiers: Tiers::new(engine, backend),
            origins: origins.into_iter().map(Arc::new).collect(),
            metrics,
            resp_stats: Arc::default(),
            commands: RwLock::new(Arc::new(Table::builtin())),
            // Until the store has told what it knows.
            keeps_hashes: AtomicBool::new(false),
            health: Health::default(),
            verifier,
            users: Arc::default(),
            config: config.clone(),
            started,
        };
        (app, samples)
    }

    pub(crate) fn engine(&self) -> &Engine<Reply> {
        self.tiers.engine()
    }

    pub(crate) fn backend(&self) -> &Backend {
        self.tiers.store()
    }

    pub(crate) fn origins(&self) -> &[Arc<DeclaredOrigin>] {
        &self.origins
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What the RESP listener counts.
    pub(crate) fn resp_stats(&self) -> &Arc<RespStats> {
        &self.resp_stats
    }

    /// The commands that the store knows.
    pub(crate) fn commands(&self) -> Arc<Table> {
        Arc::clone(&self.commands.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether replies to such reads are kept. Fields of a hash may have times to live of their
    /// own where the store knows of such, and the key's tells nothing of them.
    pub(crate) fn keeps(&self, near: &Cacheable) -> bool {
        !near.reads_hash_fields || self.keeps_hashes.load(Relaxed)
    }

    /// The store knows other commands than before.
    pub(crate) fn set_commands(&self, commands: Table, fields_expire: bool) {
        self.keeps_hashes.store(!fields_expire, Relaxed);
        *self.commands.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(commands);
    }

    /// Compares a sample of what is served from memory, where that is asked for.
    pub(crate) fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }

    /// Users of the store besides that of its URL.
    pub(crate) fn users(&self) -> &Arc<Users> {
        &self.users
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.engine().clock().now().since(self.started)
    }

    /// A hit in memory, or nothing. Never waits.
    pub(crate) fn get_cached(&self, name: &[u8]) -> Option<Fetched<Reply>> {
        let hit = self.tiers.get(self.key(name))?;
        self.verify_hit(self.key(name));
        Some(hit)
    }

    /// The first half of a read that is not in memory; it has been sent when this returns.
    pub(crate) fn start_fetch(&self, key: Key<'_>) -> PendingFetch<Reply> {
        self.tiers.start(key)
    }

    /// The second half.
    pub(crate) async fn finish_fetch(
        &self,
        key: Key<'_>,
        started: PendingFetch<Reply>,
    ) -> Result<Fetched<Reply>, FetchError> {
        self.timed(self.tiers.finish(key, started)).await
    }

    /// Another road takes a write to these names. See [`Engine::write`].
    pub(crate) fn announce_write<'a>(
        &self,
        names: impl IntoIterator<Item = &'a [u8]>,
    ) -> WriteGuard<Reply> {
        self.tiers.engine().write(names)
    }

    /// A value of the store.
    pub(crate) async fn get(&self, name: &[u8]) -> Result<Fetched<Reply>, FetchError> {
        let key = self.key(name);
        let started = self.tiers.start(key);
        if started.is_found() {
            self.verify_hit(key);
            return self.tiers.finish(key, started).await;
        }
        self.finish_fetch(key, started).await
    }

    /// A value of the store, read past the near tier.
    pub(crate) async fn get_past_near(&self, name: &[u8]) -> Result<Fetched<Reply>, FetchError> {
        self.timed(self.tiers.bypass(self.key(name), larder_core::Bypass::Request)).await
    }

    /// A value of the store or else of the origin. The load goes on when whoever asked leaves.
    pub(crate) async fn get_or_load(
        self: &Arc<Self>,
        origin: &Arc<DeclaredOrigin>,
        id: String,
    ) -> Result<Fetched<Reply>, FetchError> {
        let (app, origin) = (Arc::clone(self), Arc::clone(origin));
        let load = tokio::spawn(async move {
            let name = origin.key(&id);
            let metered = app.metrics.metered(&*origin, app.engine().clock());
            let load = origin.load_of(&metered, &id);
            app.tiers.fetch_or_load(app.key(name.as_bytes()), load).await
        });
        load.await.unwrap_or(Err(FetchError::LeaderDropped))
    }

    pub(crate) async fn put(
        &self,
        name: &[u8],
        payload: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.timed(self.tiers.put(Put { key: self.key(name), payload, ttl })).await
    }

    pub(crate) async fn delete(&self, name: &[u8]) -> Result<bool, StoreError> {
        self.timed(self.tiers.delete(self.key(name))).await
    }

    /// Has a hit compared with the store, where it is one of the sample.
    fn verify_hit(&self, key: Key<'_>) {
        if let Some(verifier) = self.verifier().filter(|verifier| verifier.is_due(1)) {
            verifier.compare(key);
        }
    }

    fn key<'a>(&self, name: &'a [u8]) -> Key<'a> {
        Key::plain(name, self.backend().db())
    }

    /// Notes how long the store took.
    async fn timed<T>(&self, request: impl Future<Output = T>) -> T {
        let clock = self.engine().clock();
        let begun = clock.now();
        let answer = request.await;
        self.metrics.store_answered(clock.now().since(begun));
        answer
    }
}
