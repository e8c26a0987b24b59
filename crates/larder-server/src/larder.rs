//! The running server: its parts, wired once, shared by every listener.

use crate::{
    backend::Backend, health::Health, metrics::Metrics, origins::DeclaredOrigin, settings::Plan,
};
use larder_core::{Clock, Engine, FetchError, Fetched, Key, Moment, Origin, StoreError, Tiers};
use larder_redis::Reply;
use std::{sync::Arc, time::Duration};

/// See the [module](self).
pub(crate) struct Larder {
    tiers: Tiers<Reply, Backend>,
    origins: Vec<Arc<DeclaredOrigin>>,
    metrics: Metrics,
    health: Health,
    plan: Plan,
    started: Moment,
}

impl Larder {
    /// Wires the parts. Needs a runtime; waits for nothing.
    pub(crate) fn start(plan: &Plan, origins: Vec<DeclaredOrigin>) -> Self {
        let engine = Engine::new(&plan.engine, Clock::System);
        let backend = Backend::start(&plan.store, &engine);
        let metrics = Metrics::new(origins.iter().map(Origin::name));
        let started = engine.clock().now();
        Self {
            tiers: Tiers::new(engine, backend),
            origins: origins.into_iter().map(Arc::new).collect(),
            metrics,
            health: Health::default(),
            plan: plan.clone(),
            started,
        }
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

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.engine().clock().now().since(self.started)
    }

    /// A hit in memory, or nothing. Never waits.
    pub(crate) fn look(&self, name: &[u8]) -> Option<Fetched<Reply>> {
        self.tiers.look(self.key(name))
    }

    /// A value of the store.
    pub(crate) async fn get(&self, name: &[u8]) -> Result<Fetched<Reply>, FetchError> {
        self.timed(self.tiers.fetch(self.key(name))).await
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
        let (larder, origin) = (Arc::clone(self), Arc::clone(origin));
        let load = tokio::spawn(async move {
            let name = origin.key(&id);
            let metered = larder.metrics.metered(&*origin, larder.engine().clock());
            let load = origin.load_of(&metered, &id);
            larder.tiers.fetch_or_load(larder.key(name.as_bytes()), load).await
        });
        load.await.unwrap_or(Err(FetchError::GivenUp))
    }

    pub(crate) async fn put(
        &self,
        name: &[u8],
        payload: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.timed(self.tiers.put(name, self.backend().db(), payload, ttl)).await
    }

    pub(crate) async fn delete(&self, name: &[u8]) -> Result<bool, StoreError> {
        self.timed(self.tiers.delete(name, self.backend().db())).await
    }

    fn key<'a>(&self, name: &'a [u8]) -> Key<'a> {
        Key::get(name, self.backend().db())
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
