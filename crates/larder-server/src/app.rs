//! The running server: its parts, wired once and shared by every listener, and the operations that
//! requests are made of.

use crate::{
    backend::Backend,
    commands::Commands,
    config::Config,
    origins::DeclaredOrigin,
    rlimit::Descriptors,
    stats::{http::HttpStats, latency::Latency, resp::RespStats, tracking::TrackingStats},
    users::Users,
    verify::{Sample, Verifier},
};
use larder_core::{
    Bypass, Clock, Engine, FetchError, Fetched, Found, Key, Moment, Origin, PendingFetch, Put,
    StoreError, Tiers, WriteGuard,
};
use larder_redis::{PendingMultiGet, Reply};
use larder_resp::command::Table;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::mpsc::Receiver;

/// See the [module](self).
pub(crate) struct App {
    tiers: Tiers<Reply, Backend>,
    origins: Vec<Arc<DeclaredOrigin>>,
    commands: Commands,
    users: Arc<Users>,
    verifier: Option<Verifier>,
    http_stats: HttpStats,
    resp_stats: Arc<RespStats>,
    latency: Latency,
    descriptors: Descriptors,
    tracking_stats: TrackingStats,
    draining: AtomicBool,
    config: Config,
    started: Moment,
}

impl App {
    /// Wires the parts without blocking. Must be called within a runtime. Also returns the queue of
    /// hits to compare with the store, if `near-verify` asks for any.
    pub(crate) fn start(
        config: &Config,
        origins: Vec<DeclaredOrigin>,
        descriptors: Descriptors,
    ) -> (Self, Option<Receiver<Sample>>) {
        let engine = Engine::new(&config.engine, Clock::System);
        let backend = Backend::start(&config.store, &engine);
        let started = engine.clock().now();
        let (verifier, samples) = config.verify_every.map(Verifier::new).unzip();
        let app = Self {
            tiers: Tiers::new(engine, backend),
            latency: Latency::new(origins.iter().map(Origin::name)),
            origins: origins.into_iter().map(Arc::new).collect(),
            commands: Commands::new(),
            users: Arc::default(),
            verifier,
            http_stats: HttpStats::default(),
            resp_stats: Arc::default(),
            descriptors,
            tracking_stats: TrackingStats::default(),
            draining: AtomicBool::new(false),
            config: config.clone(),
            started,
        };
        (app, samples)
    }

    pub(crate) fn engine(&self) -> &Arc<Engine<Reply>> {
        self.tiers.engine()
    }

    pub(crate) fn backend(&self) -> &Backend {
        self.tiers.store()
    }

    pub(crate) fn origins(&self) -> &[Arc<DeclaredOrigin>] {
        &self.origins
    }

    pub(crate) fn http_stats(&self) -> &HttpStats {
        &self.http_stats
    }

    pub(crate) fn resp_stats(&self) -> &Arc<RespStats> {
        &self.resp_stats
    }

    pub(crate) fn tracking_stats(&self) -> &TrackingStats {
        &self.tracking_stats
    }

    pub(crate) fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Returns the commands that the store has.
    pub(crate) fn commands(&self) -> Arc<Table> {
        self.commands.table()
    }

    /// Returns whether the store asks for a password before it looks a command up.
    pub(crate) fn checks_auth_first(&self) -> bool {
        self.commands.checks_auth_first()
    }

    /// Replaces the commands that the store has.
    pub(crate) fn set_commands(&self, commands: Table) {
        self.commands.replace(commands);
    }

    /// Records whether the store asks for a password before it looks a command up.
    pub(crate) fn set_checks_auth_first(&self, checks_auth_first: bool) {
        self.commands.set_checks_auth_first(checks_auth_first);
    }

    /// Returns the sampling of hits, if `near-verify` is on.
    pub(crate) fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }

    /// Returns the users of the store other than the user of its URL.
    pub(crate) fn users(&self) -> &Arc<Users> {
        &self.users
    }

    /// Returns the file descriptors that clients may take.
    pub(crate) fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Returns whether the server has been asked to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.engine().clock().now().since(self.started)
    }

    /// Returns a hit in the near cache. Never blocks.
    pub(crate) fn get_cached(&self, name: &[u8]) -> Option<Fetched<Reply>> {
        let hit = self.tiers.get(self.key(name))?;
        self.verify_hit(self.key(name));
        Some(hit)
    }

    /// Starts a read that missed the near cache. The request has been sent when this returns.
    pub(crate) fn start_fetch(&self, key: Key<'_>) -> PendingFetch<Reply> {
        self.tiers.start(key)
    }

    /// Waits for the reply to [`start_fetch`](Self::start_fetch).
    pub(crate) async fn finish_fetch(
        &self,
        key: Key<'_>,
        started: PendingFetch<Reply>,
    ) -> Result<Fetched<Reply>, FetchError> {
        self.timed(self.tiers.finish(key, started)).await
    }

    /// Sends an `MGET` whose keys are not all in memory.
    pub(crate) fn start_multi_get(&self, db: u32, names: &[Box<[u8]>]) -> Option<PendingMultiGet> {
        self.backend().start_multi_get(db, names)
    }

    /// Waits for the reply to [`start_multi_get`](Self::start_multi_get): one array, as found in
    /// the store.
    pub(crate) async fn finish_multi_get(
        &self,
        db: u32,
        names: &[Box<[u8]>],
        started: Option<PendingMultiGet>,
    ) -> Result<Fetched<Reply>, FetchError> {
        let reply = self.timed(self.backend().finish_multi_get(db, names, started)).await;
        let (value, found) = reply.map_err(FetchError::Store)?;
        if matches!(found, Found::Bypass(_)) {
            for name in names {
                self.engine().invalidate_after_bypass(name, None);
            }
        }
        Ok(Fetched { value, found, collapsed: false })
    }

    /// Announces a write to these keys that does not go through the store's own methods. See
    /// [`Engine::write`].
    pub(crate) fn announce_write<'a>(
        &self,
        names: impl IntoIterator<Item = &'a [u8]>,
    ) -> WriteGuard<Reply> {
        self.tiers.engine().write(names)
    }

    /// Returns a value from the near cache or the store.
    pub(crate) async fn get(&self, name: &[u8]) -> Result<Fetched<Reply>, FetchError> {
        let key = self.key(name);
        let started = self.tiers.start(key);
        if started.is_found() {
            self.verify_hit(key);
            return self.tiers.finish(key, started).await;
        }
        self.finish_fetch(key, started).await
    }

    /// Returns a value from the store, bypassing the near cache.
    pub(crate) async fn get_uncached(&self, name: &[u8]) -> Result<Fetched<Reply>, FetchError> {
        self.timed(self.tiers.bypass(self.key(name), Bypass::Request)).await
    }

    /// Returns a value from the near cache, the store or the origin. The load continues if the caller
    /// is dropped: other readers may wait for it.
    pub(crate) async fn get_or_load(
        self: &Arc<Self>,
        origin: &Arc<DeclaredOrigin>,
        id: String,
    ) -> Result<Fetched<Reply>, FetchError> {
        let (app, origin) = (Arc::clone(self), Arc::clone(origin));
        let load = tokio::spawn(async move {
            let name = origin.key(&id);
            let timed = app.latency.timed(&*origin, app.engine().clock());
            let load = origin.load_through(&timed, &id);
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

    /// Queues a hit for comparison with the store if it is due.
    fn verify_hit(&self, key: Key<'_>) {
        if let Some(verifier) = self.verifier().filter(|verifier| verifier.is_due(1)) {
            verifier.compare(key);
        }
    }

    fn key<'a>(&self, name: &'a [u8]) -> Key<'a> {
        Key::plain(name, self.backend().db())
    }

    /// Records how long the store took.
    async fn timed<T>(&self, request: impl Future<Output = T>) -> T {
        let clock = self.engine().clock();
        let start = clock.now();
        let reply = request.await;
        self.latency.store_answered(clock.now().since(start));
        reply
    }
}
