//! Redis or Valkey as the store of caches.

use crate::{
    key::Name,
    store::{Content, NearLook, StoreAccess, Stored},
};
use bytes::Bytes;
use larder_core::{
    BoxFuture, Clock, Engine, EngineConfig, FetchError, Fetched, Found, Key, KeyFilter, Load,
    Origin, OriginError, Put, StoreError, Tiers,
    near::{NearConfig, Policy, Reader},
};
use larder_redis::{
    Endpoint, Payload, RedisUrl, RedisUrlError, Reply, TrackingState,
    tls::{ClientTls, RootCertificates, TlsError},
};
use larder_resp::reply::Frame;
use parking_lot::Mutex;
use std::{fmt, sync::Arc, time::Duration};
use thiserror::Error;

/// How often [`RedisStore::connect`] checks whether cached values may be served.
const COHERENT_POLL: Duration = Duration::from_millis(2);
/// Time to live of a value that does not expire: as long as `PX` can say.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 100);

/// A Redis or Valkey server, shared by any number of caches. Its clones share everything.
///
/// It has two connections and a near cache of its own for the replies of the server, which
/// `CLIENT TRACKING` keeps correct: a value is served from memory only while the server has not
/// reported a change of its key, and has answered within the staleness bound.
#[derive(Clone)]
pub struct RedisStore(Arc<Connected>);

struct Connected {
    tiers: Tiers<Reply, larder_redis::RedisStore>,
    db: u32,
}

/// The limits of a [`RedisStore`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RedisOptions {
    /// Maximum memory for replies, in bytes. The default is 64 MiB.
    pub near_bytes: u64,
    /// How long a reply is served before it is read again although no change was reported. The
    /// default is 1 h.
    pub near_ttl: Duration,
    /// How long a request to the server may take. The default is 5 s.
    pub timeout: Duration,
    /// Maximum time without a heartbeat from the server before nothing is served from memory. The
    /// default is 1 s.
    pub staleness_bound: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            near_bytes: 64 << 20,
            near_ttl: Duration::from_hours(1),
            timeout: Duration::from_secs(5),
            staleness_bound: Duration::from_secs(1),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The URL is wrong.
    #[error(transparent)]
    Url(#[from] RedisUrlError),
    /// The certificates of the machine cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RedisStore {
    /// Connects to a server: `redis://user:password@host:port/db`, `rediss://...` for TLS with the
    /// certificates that the machine trusts, or `unix:///path`. Must be called within a tokio runtime,
    /// whose tasks then reconnect whenever it is necessary.
    ///
    /// # Errors
    /// If the URL is wrong, or the server does not answer.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, RedisOptions::default()).await
    }

    /// Does the same as [`RedisStore::connect`] with other limits.
    pub async fn connect_with(url: &str, options: RedisOptions) -> Result<Self, ConnectError> {
        let mut url: RedisUrl = url.parse()?;
        if matches!(url.endpoint, Endpoint::Tls { .. }) {
            url.tls = Some(ClientTls::new(RootCertificates::from_system()?, None)?);
        }
        let engine = Engine::new(&options.engine_config(), Clock::System);
        let redis = larder_redis::RedisStore::start(&url, Arc::clone(&engine), options.timeout);
        redis.ping().await?;
        let store = Self(Arc::new(Connected { tiers: Tiers::new(engine, redis), db: url.db }));
        store.wait_until_coherent(options.timeout).await;
        Ok(store)
    }

    /// Returns whether values may be served from memory: the server reports changes, and has answered
    /// within the staleness bound. Otherwise every read goes to the server.
    pub fn is_coherent(&self) -> bool {
        let engine = self.engine();
        engine.feed().is_fresh(engine.clock().now())
    }

    /// Waits until replies may be cached, unless that takes too long: then every read goes to the
    /// server until they may.
    async fn wait_until_coherent(&self, limit: Duration) {
        let wait = async {
            let pass_through = || {
                let state = self.0.tiers.store().tracking_state();
                matches!(state, TrackingState::PassThrough(_))
            };
            while !self.is_coherent() && !pass_through() {
                tokio::time::sleep(COHERENT_POLL).await;
            }
        };
        tokio::time::timeout(limit, wait).await.ok();
    }

    pub(crate) fn clock(&self) -> Clock {
        self.engine().clock().clone()
    }

    /// Returns the access of one cache.
    pub(crate) fn of_cache(self, cache: &str) -> Box<dyn StoreAccess> {
        Box::new(CacheKeys {
            store: self,
            cache: cache.into(),
            generation_key: format!("larder:generation:{cache}").into(),
            last_generation: Mutex::new(0),
        })
    }

    fn engine(&self) -> &Arc<Engine<Reply>> {
        self.0.tiers.engine()
    }

    fn key<'a>(&self, name: &'a [u8]) -> Key<'a> {
        Key::plain(name, self.0.db)
    }
}

impl RedisOptions {
    fn engine_config(self) -> EngineConfig {
        EngineConfig {
            near: NearConfig {
                bytes_max: self.near_bytes.max(1),
                entries_max: 0,
                value_bytes_max: 1 << 20,
                policy: Policy::ClockPro,
            },
            near_ttl: self.near_ttl,
            staleness_bound: self.staleness_bound,
            keys: KeyFilter::default(),
        }
    }
}

/// Shows the state alone: a URL may hold a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("is_coherent", &self.is_coherent())
            .finish_non_exhaustive()
    }
}

/// The keys of one cache in the store: `<cache>:<name>` or, after `clear`, `<cache>@<generation>:<name>`.
///
/// The generation is a key of its own, which is tracked like any other: a clear in one process is
/// seen by all others. Should the store evict it, a process that knows it puts it back.
struct CacheKeys {
    store: RedisStore,
    cache: Box<str>,
    generation_key: Box<str>,
    /// The largest generation that this process has seen; 0 before the first clear.
    last_generation: Mutex<u64>,
}

impl CacheKeys {
    fn key_in(&self, generation: u64, name: &[u8]) -> Name {
        let mut key = Name::default();
        key.push(self.cache.as_bytes());
        if generation > 0 {
            // Writing to a name never fails.
            fmt::Write::write_fmt(&mut key, format_args!("@{generation}")).ok();
        }
        key.push_separator();
        key.push(name);
        key
    }

    /// Returns the generation, if the near cache knows it and it is no older than the last one.
    fn near_generation(&self, reader: &mut Reader<'_, Reply>) -> Option<u64> {
        let key = self.store.key(self.generation_key.as_bytes());
        let generation = reader.get(key, |cached, _| generation_in(Reply::bytes_of(&cached)))?;
        (generation == *self.last_generation.lock()).then_some(generation)
    }

    /// Returns the key of a name in the current generation. While the store is unreachable, that is
    /// the last one known.
    async fn key(&self, name: &[u8]) -> Name {
        let last = *self.last_generation.lock();
        let load = Load {
            origin: &LastGeneration(last),
            id: "",
            ttl: FOREVER,
            negative_ttl: Duration::ZERO,
        };
        let key = self.store.key(self.generation_key.as_bytes());
        let fetched = self.store.0.tiers.fetch_or_load(key, load).await;
        let stored = fetched.map_or(0, |fetched| generation_in(fetched.value.bytes()));
        let mut known = self.last_generation.lock();
        *known = stored.max(*known);
        self.key_in(*known, name)
    }

    fn stored(fetched: &Fetched<Reply>) -> Stored {
        let content = match fetched.value.payload() {
            Payload::Absent => Content::Absent,
            Payload::String(payload) => Content::Payload(payload.into()),
            Payload::Other => Content::Other,
        };
        Stored {
            raw: fetched.value.bytes().into(),
            content,
            until: match fetched.found {
                Found::Near(until) | Found::Store { cached: Ok(until) } => Some(until),
                Found::Store { cached: Err(_) } | Found::Bypass(_) => None,
            },
            is_near: matches!(fetched.found, Found::Near(_)),
            is_joined: fetched.collapsed,
        }
    }
}

impl StoreAccess for CacheKeys {
    fn look(&self, name: &[u8], known: Option<&[u8]>) -> NearLook {
        let engine = self.store.engine();
        let (Some(known), Some(view)) = (known, engine.batch_view()) else {
            return NearLook::Other;
        };
        let mut reader = engine.reader(view);
        let Some(generation) = self.near_generation(&mut reader) else { return NearLook::Other };
        let key = self.key_in(generation, name);
        let until = reader.get(self.store.key(key.as_bytes()), |cached, until| {
            (Reply::bytes_of(&cached) == known).then_some(until)
        });
        until.flatten().map_or(NearLook::Other, NearLook::Current)
    }

    fn fetch<'a>(&'a self, name: &'a [u8]) -> BoxFuture<'a, Result<Stored, StoreError>> {
        Box::pin(async move {
            let key = self.key(name).await;
            match self.store.0.tiers.fetch(self.store.key(key.as_bytes())).await {
                Ok(fetched) => Ok(Self::stored(&fetched)),
                Err(FetchError::Store(error)) => Err(error),
                Err(FetchError::LeaderDropped | FetchError::Origin(_)) => Err(StoreError::Lost),
            }
        })
    }

    fn fetch_or_load<'a>(
        &'a self,
        name: &'a [u8],
        origin: &'a dyn Origin,
        negative_ttl: Duration,
    ) -> BoxFuture<'a, Result<Stored, FetchError>> {
        Box::pin(async move {
            let key = self.key(name).await;
            let load = Load { origin, id: "", ttl: FOREVER, negative_ttl };
            let key = self.store.key(key.as_bytes());
            let fetched = self.store.0.tiers.fetch_or_load(key, load).await?;
            Ok(Self::stored(&fetched))
        })
    }

    fn put<'a>(
        &'a self,
        name: &'a [u8],
        payload: &'a [u8],
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let key = self.key(name).await;
            let put = Put { key: self.store.key(key.as_bytes()), payload, ttl };
            self.store.0.tiers.put(put).await
        })
    }

    fn delete<'a>(&'a self, name: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let key = self.key(name).await;
            self.store.0.tiers.delete(self.store.key(key.as_bytes())).await.map(drop)
        })
    }

    fn clear(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            // Reads the current generation first, which another process may have set.
            self.key(b"").await;
            let next = *self.last_generation.lock() + 1;
            let key = self.store.key(self.generation_key.as_bytes());
            let payload = next.to_string();
            let put = Put { key, payload: payload.as_bytes(), ttl: None };
            self.store.0.tiers.put(put).await?;
            let mut known = self.last_generation.lock();
            *known = next.max(*known);
            Ok(())
        })
    }
}

/// Returns the generation in a reply of the store; 0 if there is none.
fn generation_in(reply: &[u8]) -> u64 {
    let text = Frame::parse(reply).ok().and_then(|frame| frame.as_str_bytes());
    text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0)
}

/// Puts the last generation back into a store that has lost it.
struct LastGeneration(u64);

impl Origin for LastGeneration {
    fn name(&self) -> &'static str {
        "generation"
    }

    fn load<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, OriginError>> {
        let generation = (self.0 > 0).then(|| self.0.to_string().into());
        Box::pin(async move { Ok(generation) })
    }
}
