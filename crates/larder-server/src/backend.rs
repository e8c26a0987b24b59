//! The store behind the near cache: Redis, or the memory of this process.

use crate::{
    config::{StoreConfig, StoreKind},
    load_refusals::LoadRefusals,
};
use bytes::Bytes;
use larder_core::{
    Bypass, Engine, Fill, FillOutcome, Found, Key, LoadedValue, MemoryStore, NotCached, Put,
    PutOutcome, ReadStore, StoreError, WriteGuard, WriteStore,
};
use larder_redis::{
    PendingMultiGet, RedisStore, RedisUrl, Reply, TrackingState, TrackingTable, Upstream,
    UpstreamError,
};
use std::{sync::Arc, time::Duration};

/// Keys of each database that one purge of the memory store visits.
const PURGE_VISITS: usize = 20_000;

/// See the [module](self).
pub(crate) enum Backend {
    Redis { url: RedisUrl, store: RedisStore, load_refusals: LoadRefusals },
    Memory(MemoryStore),
}

impl Backend {
    /// Opens the store without blocking: the connection to Redis is established in the background.
    pub(crate) fn start(config: &StoreConfig, engine: &Arc<Engine<Reply>>) -> Self {
        match &config.kind {
            StoreKind::Redis(url) => Self::Redis {
                url: url.clone(),
                store: RedisStore::start(url, Arc::clone(engine), config.timeout),
                load_refusals: LoadRefusals::default(),
            },
            StoreKind::Memory => {
                // Every change is made by this process, so no heartbeat is needed.
                let epoch = engine.begin_epoch();
                engine.feed().always_fresh(epoch);
                Self::Memory(MemoryStore::new(engine.clock().clone(), config.maxmemory))
            }
        }
    }

    /// Returns the database that the HTTP listener serves.
    pub(crate) fn db(&self) -> u32 {
        match self {
            Self::Redis { url, .. } => url.db,
            Self::Memory(_) => 0,
        }
    }

    /// Opens a connection to Redis for one client.
    pub(crate) async fn connect(&self) -> Result<Upstream, UpstreamError> {
        match self {
            Self::Redis { store, .. } => store.connect().await,
            Self::Memory(_) => Err(UpstreamError::not_configured()),
        }
    }

    /// Returns why the store refuses connections, if it does.
    pub(crate) fn refusal(&self) -> Option<Arc<str>> {
        match self {
            Self::Redis { store, .. } => store.refusal(),
            Self::Memory(_) => None,
        }
    }

    /// Describes why the store does not take what origins load, if it does not.
    pub(crate) fn load_problem(&self) -> Option<String> {
        match self {
            Self::Redis { load_refusals, .. } => load_refusals.problem(),
            Self::Memory(_) => None,
        }
    }

    /// Records that the store has refused a connection.
    pub(crate) fn refused(&self, why: &str) {
        if let Self::Redis { store, .. } = self {
            store.refused(why);
        }
    }

    /// Tries whether the store accepts connections again, if it has refused one.
    pub(crate) async fn retry_access(&self) {
        if let Self::Redis { store, .. } = self {
            store.retry_access().await;
        }
    }

    /// Returns the URL of Redis, if that is the store.
    pub(crate) fn url(&self) -> Option<&RedisUrl> {
        match self {
            Self::Redis { url, .. } => Some(url),
            Self::Memory(_) => None,
        }
    }

    /// Returns the memory store, if that is the store.
    pub(crate) fn memory_store(&self) -> Option<&MemoryStore> {
        match self {
            Self::Redis { .. } => None,
            Self::Memory(store) => Some(store),
        }
    }

    /// Waits until every invalidation that the store has sent so far has been applied (R4). Returns
    /// false if none can arrive, because the epoch has ended.
    pub(crate) async fn fence(&self) -> bool {
        match self {
            Self::Redis { store, .. } => store.fence().await,
            Self::Memory(_) => true,
        }
    }

    /// Returns how long the store lets a client be idle before it closes the connection; `None` if
    /// for ever.
    pub(crate) async fn idle_timeout(&self) -> Result<Option<Duration>, StoreError> {
        match self {
            Self::Redis { store, .. } => store.idle_timeout().await,
            Self::Memory(_) => Ok(None),
        }
    }

    /// Ends the epoch because a reply showed that the store is not a primary now (R8).
    pub(crate) fn end_current_epoch(&self) {
        if let Self::Redis { store, .. } = self {
            store.end_current_epoch();
        }
    }

    /// Returns the store's reply to `COMMAND`, or `None` if it is the memory store.
    pub(crate) async fn describe_commands(&self) -> Result<Option<Bytes>, StoreError> {
        match self {
            Self::Redis { store, .. } => store.commands().await.map(Some),
            Self::Memory(_) => Ok(None),
        }
    }

    /// Returns the store's reply to `HELLO`, or `None` if it is the memory store.
    pub(crate) async fn describe_server(&self) -> Result<Option<Bytes>, StoreError> {
        match self {
            Self::Redis { store, .. } => store.hello().await.map(Some),
            Self::Memory(_) => Ok(None),
        }
    }

    /// Returns the store's reply to `ACL GETUSER`.
    pub(crate) async fn describe_user(&self, name: &[u8]) -> Result<Bytes, StoreError> {
        match self {
            Self::Redis { store, .. } => store.user(name).await,
            Self::Memory(_) => Err(StoreError::Unreachable("the memory store has no users".into())),
        }
    }

    /// Sends an `MGET` on the connection that carries the feed. The memory store answers `MGET` where
    /// it runs commands, and needs none of this.
    pub(crate) fn start_multi_get(&self, db: u32, names: &[Box<[u8]>]) -> Option<PendingMultiGet> {
        match self {
            Self::Redis { store, .. } => Some(store.start_multi_get(db, names)),
            Self::Memory(_) => None,
        }
    }

    /// Waits for the reply to an `MGET`. Without one, reads on another connection.
    pub(crate) async fn finish_multi_get(
        &self,
        db: u32,
        names: &[Box<[u8]>],
        started: Option<PendingMultiGet>,
    ) -> Result<(Reply, Found), StoreError> {
        let Self::Redis { store, .. } = self else {
            return Err(StoreError::Unreachable("the memory store answers MGET itself".into()));
        };
        if let Some(started) = started
            && let Some(reply) = store.finish_multi_get(started).await
        {
            return Ok((reply?, Found::Store { cached: Err(NotCached::NotAllowed) }));
        }
        Ok((store.multi_get(db, names).await?, Found::Bypass(Bypass::FeedLost)))
    }

    /// Returns the store's address for people, without secrets.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Redis { url, .. } => url.to_string(),
            Self::Memory(_) => "memory".into(),
        }
    }

    /// Returns the state of the tracking connection, or `None` if the store needs none.
    pub(crate) fn tracking(&self) -> Option<TrackingState> {
        match self {
            Self::Redis { store, .. } => Some(store.tracking_state()),
            Self::Memory(_) => None,
        }
    }

    /// Returns the size of the store's tracking table, if there is one and the store tells.
    pub(crate) async fn tracking_table(&self) -> Result<Option<TrackingTable>, StoreError> {
        match self {
            Self::Redis { store, .. } => store.tracking_table().await,
            Self::Memory(_) => Ok(None),
        }
    }

    /// Frees the memory of expired keys in the memory store.
    pub(crate) fn remove_expired(&self) {
        if let Self::Memory(store) = self {
            store.remove_expired(PURGE_VISITS);
        }
    }
}

impl ReadStore<Reply> for Backend {
    fn fill(&self, fill: Fill<'_, Reply>) -> FillOutcome<Reply> {
        match self {
            Self::Redis { store, .. } => store.fill(fill),
            Self::Memory(store) => store.fill(fill),
        }
    }

    fn answers_at_once(&self) -> bool {
        match self {
            Self::Redis { store, .. } => store.answers_at_once(),
            Self::Memory(store) => ReadStore::<Reply>::answers_at_once(store),
        }
    }

    async fn read(&self, key: Key<'_>) -> Result<Reply, StoreError> {
        match self {
            Self::Redis { store, .. } => store.read(key).await,
            Self::Memory(store) => store.read(key).await,
        }
    }
}

impl WriteStore<Reply> for Backend {
    async fn put(&self, guard: &WriteGuard<Reply>, put: Put<'_>) -> Result<(), StoreError> {
        match self {
            Self::Redis { store, .. } => store.put(guard, put).await,
            Self::Memory(store) => store.put(guard, put).await,
        }
    }

    async fn delete(&self, guard: &WriteGuard<Reply>, key: Key<'_>) -> Result<bool, StoreError> {
        match self {
            Self::Redis { store, .. } => store.delete(guard, key).await,
            Self::Memory(store) => store.delete(guard, key).await,
        }
    }

    async fn put_loaded(
        &self,
        load: &Fill<'_, Reply>,
        loaded: LoadedValue<'_>,
    ) -> Result<PutOutcome, StoreError> {
        match self {
            Self::Redis { store, load_refusals, .. } => {
                let outcome = store.put_loaded(load, loaded).await;
                load_refusals.record(&outcome);
                outcome
            }
            Self::Memory(store) => store.put_loaded(load, loaded).await,
        }
    }

    async fn delete_if_ours(
        &self,
        guard: &WriteGuard<Reply>,
        loaded: LoadedValue<'_>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Redis { store, .. } => store.delete_if_ours(guard, loaded).await,
            Self::Memory(store) => store.delete_if_ours(guard, loaded).await,
        }
    }
}
