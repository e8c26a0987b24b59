//! How a cache is set up. All mistakes are reported at once, by [`CacheBuilder::build`].

use crate::{
    breaker::{Breaker, BreakerLimits},
    cache::Cache,
    counters::Counters,
    error::BuildError,
    policy::Policy,
    setting::Setting,
    shared::Shared,
    size::parse_size,
    store::StoreTier,
};
use larder_core::{
    Clock, Engine, EngineConfig, KeyFilter,
    near::{NearConfig, Policy as Eviction},
};
use larder_expiry::Expiry;
use std::{marker::PhantomData, time::Duration};

/// Size of the near cache in bytes, unless [`CacheBuilder::near`] sets another.
const NEAR_BYTES_DEFAULT: u64 = 64 << 20;
/// Maximum size of one value in bytes, unless the near cache is smaller.
const VALUE_BYTES_MAX: u64 = 1 << 20;
/// A near cache that is bounded by its entries takes what they take.
const UNBOUNDED_BYTES: u64 = 1 << 40;
/// The pause between loads while they fail and a stale value is served.
const THROTTLE_DEFAULT: Duration = Duration::from_secs(1);

/// The bounds of a cache in the memory of the process.
#[derive(Clone, Debug)]
pub struct Near {
    bytes: Result<u64, String>,
    entries: u64,
    ttl: Option<Setting>,
    eviction: Eviction,
}

impl Near {
    /// Bounds the memory, all bookkeeping included: `64mb`, as in `redis.conf`. The size of a value
    /// is that of its type, unless [`CacheBuilder::weigher`] knows better.
    pub fn bytes(size: &str) -> Self {
        let bytes = parse_size(size).filter(|bytes| *bytes > 0);
        let bytes = bytes.ok_or_else(|| format!("near: `{size}` is no size such as 64mb"));
        Self { bytes, entries: 0, ttl: None, eviction: Eviction::ClockPro }
    }

    /// Bounds the number of entries.
    pub fn entries(entries: u64) -> Self {
        let bytes = match entries {
            0 => Err("near: at least one entry".into()),
            _ => Ok(UNBOUNDED_BYTES),
        };
        Self { bytes, entries, ttl: None, eviction: Eviction::ClockPro }
    }

    /// Bounds the number of entries as well.
    #[must_use]
    pub fn and_entries(self, entries: u64) -> Self {
        Self { entries, ..self }
    }

    /// Sets the longest time that a value stays in this memory, whatever its own time to live.
    #[must_use]
    pub fn ttl(self, ttl: impl Into<Setting>) -> Self {
        Self { ttl: Some(ttl.into()), ..self }
    }

    /// Evicts the least recently used entry. The default, CLOCK-Pro, keeps what is read often even
    /// if a scan reads everything once.
    #[must_use]
    pub fn lru(self) -> Self {
        Self { eviction: Eviction::Lru, ..self }
    }
}

/// Sets up a [`Cache`]. Durations are written as `"5m"`, or given as a [`Duration`].
#[must_use = "a builder does nothing until `build`"]
pub struct CacheBuilder<K: ?Sized, V> {
    name: Box<str>,
    near: Near,
    ttl: Setting,
    idle: Option<Setting>,
    negative_ttl: Setting,
    jitter: f64,
    while_revalidate: Setting,
    if_error: Setting,
    throttle: Setting,
    refresh_ahead: Option<f64>,
    soft_timeout: Option<Setting>,
    hard_timeout: Option<Setting>,
    breaker: Option<(u32, Setting)>,
    weigher: Box<dyn Fn(&V) -> usize + Send + Sync>,
    clock: Clock,
    store: Option<StoreTier<V>>,
    key: PhantomData<fn(&K)>,
}

impl<K: ?Sized, V: Clone + Send + Sync + 'static> CacheBuilder<K, V> {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            near: Near {
                bytes: Ok(NEAR_BYTES_DEFAULT),
                entries: 0,
                ttl: None,
                eviction: Eviction::ClockPro,
            },
            ttl: Setting::from(Expiry::NEVER),
            idle: None,
            negative_ttl: Duration::ZERO.into(),
            jitter: 0.0,
            while_revalidate: Duration::ZERO.into(),
            if_error: Duration::ZERO.into(),
            throttle: THROTTLE_DEFAULT.into(),
            refresh_ahead: None,
            soft_timeout: None,
            hard_timeout: None,
            breaker: None,
            weigher: Box::new(|_| 0),
            clock: Clock::System,
            store: None,
            key: PhantomData,
        }
    }

    /// Sets the bounds in memory. The default is 64 MiB.
    pub fn near(mut self, near: Near) -> Self {
        self.near = near;
        self
    }

    /// Sets when values expire: `5m`, `daily 00:00 Europe/Brussels`, `cron 0 0 * * 1`, or an
    /// [`Expiry`]. By default they do not. A call and a loader may choose another.
    pub fn ttl(mut self, ttl: impl Into<Setting>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// Expires values that were not used for this long (sliding expiry).
    pub fn time_to_idle(mut self, idle: impl Into<Setting>) -> Self {
        self.idle = Some(idle.into());
        self
    }

    /// Sets how long it is remembered that a loader had no value. By default it is asked each time.
    pub fn negative_ttl(mut self, ttl: impl Into<Setting>) -> Self {
        self.negative_ttl = ttl.into();
        self
    }

    /// Shortens each time to live at random, by up to this part of it (0.1 for 10 %), so that values
    /// that were made together do not expire together.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// Serves a value for this long after it has expired, while another caller loads it. The caller
    /// that loads waits, unless its load runs [in the background](crate::Call::in_background).
    pub fn stale_while_revalidate(mut self, window: impl Into<Setting>) -> Self {
        self.while_revalidate = window.into();
        self
    }

    /// Serves a value for this long after it has expired, if the load fails.
    pub fn stale_if_error(mut self, window: impl Into<Setting>) -> Self {
        self.if_error = window.into();
        self
    }

    /// Sets the pause between loads of a key while they fail and a stale value is served. The
    /// default is 1 s.
    pub fn stale_if_error_throttle(mut self, pause: impl Into<Setting>) -> Self {
        self.throttle = pause.into();
        self
    }

    /// Loads a value anew once it has reached this part of its time to live (0.8), while the old one
    /// is served. In effect for calls whose loads run
    /// [in the background](crate::Call::in_background).
    pub fn refresh_ahead(mut self, part: f64) -> Self {
        self.refresh_ahead = Some(part);
        self
    }

    /// Sets how long a caller waits for the load of another task before it takes a stale value, if
    /// the cache has one. The load goes on. Needs the timer of tokio.
    pub fn soft_timeout(mut self, limit: impl Into<Setting>) -> Self {
        self.soft_timeout = Some(limit.into());
        self
    }

    /// Sets how long a load may take before it is dropped and counts as failed. Loaders that cannot
    /// fail are not limited. Needs the timer of tokio.
    pub fn hard_timeout(mut self, limit: impl Into<Setting>) -> Self {
        self.hard_timeout = Some(limit.into());
        self
    }

    /// Suspends the loads of this cache for `pause` after so many failures in a row. Then one load
    /// is tried at a time, until one succeeds. Loaders that cannot fail are not suspended.
    pub fn circuit_breaker(mut self, failures: u32, pause: impl Into<Setting>) -> Self {
        self.breaker = Some((failures, pause.into()));
        self
    }

    /// Sets how many bytes a value keeps alive on the heap. Its type's own size is known.
    pub fn weigher(mut self, bytes: impl Fn(&V) -> usize + Send + Sync + 'static) -> Self {
        self.weigher = Box::new(bytes);
        self
    }

    /// Keeps the values in a store as well, which other processes share: as JSON, under
    /// `<name of the cache>:<key>`. A change made there by anybody, `redis-cli` included, is seen as
    /// soon as the store reports it.
    ///
    /// Values must expire, so [`ttl`](Self::ttl) must be set. `time_to_idle`, `refresh_ahead`,
    /// `soft_timeout`, `stale_while_revalidate` and [`Near::ttl`] are not supported in front of a
    /// store yet, and [`in_background`](crate::Call::in_background) has no effect.
    #[cfg(feature = "redis")]
    pub fn store(mut self, store: crate::RedisStore) -> Self
    where
        V: serde::Serialize + serde::de::DeserializeOwned,
    {
        self.clock = store.clock();
        self.store =
            Some(StoreTier { store: store.of_cache(&self.name), codec: crate::json::codec() });
        self
    }

    /// Sets the clock. The default is that of the machine, or of the store.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the cache.
    ///
    /// # Errors
    /// Returns every setting that is wrong.
    pub fn build(self) -> Result<Cache<K, V>, BuildError> {
        let mut mistakes = Vec::new();
        let policy = self.policy(&mut mistakes);
        let breaker = self.breaker_limits(&mut mistakes);
        let near = self.near_config(&mut mistakes);
        self.check_store(&mut mistakes);
        if !mistakes.is_empty() {
            return Err(BuildError { cache: self.name, mistakes });
        }
        let forever = Duration::MAX;
        let keys = KeyFilter::default();
        let config = EngineConfig { near, near_ttl: forever, staleness_bound: forever, keys };
        let engine = Engine::new(&config, self.clock);
        // Every change passes through this process.
        let epoch = engine.begin_epoch();
        engine.feed().always_fresh(epoch);
        Ok(Cache::new(Shared {
            name: self.name,
            store: self.store,
            engine,
            policy,
            breaker: Breaker::new(breaker),
            counters: Counters::default(),
            weigher: self.weigher,
        }))
    }

    fn policy(&self, mistakes: &mut Vec<String>) -> Policy {
        let mut check = Check(mistakes);
        Policy {
            ttl: check.expiry("ttl", &self.ttl),
            near_ttl: check.optional("near ttl", self.near.ttl.as_ref()),
            idle: check.optional("time_to_idle", self.idle.as_ref()),
            negative_ttl: check.duration("negative_ttl", &self.negative_ttl),
            jitter: check.part("jitter", self.jitter),
            while_revalidate: check.duration("stale_while_revalidate", &self.while_revalidate),
            if_error: check.duration("stale_if_error", &self.if_error),
            throttle: check.duration("stale_if_error_throttle", &self.throttle),
            refresh_ahead: self.refresh_ahead.map(|part| check.part("refresh_ahead", part)),
            soft_timeout: check.optional("soft_timeout", self.soft_timeout.as_ref()),
            hard_timeout: check.optional("hard_timeout", self.hard_timeout.as_ref()),
            random: foldhash::quality::RandomState::default(),
        }
    }

    /// Reports what is not possible in front of a store.
    fn check_store(&self, mistakes: &mut Vec<String>) {
        if self.store.is_none() {
            return;
        }
        if self.ttl.to_expiry() == Ok(Expiry::NEVER) {
            mistakes.push("ttl: values in a store must expire; say when".into());
        }
        let local_only = [
            ("time_to_idle", self.idle.is_some()),
            ("near ttl", self.near.ttl.is_some()),
            ("refresh_ahead", self.refresh_ahead.is_some()),
            ("soft_timeout", self.soft_timeout.is_some()),
            ("stale_while_revalidate", self.while_revalidate.to_duration() != Ok(Duration::ZERO)),
        ];
        for (name, _) in local_only.iter().filter(|(_, is_set)| *is_set) {
            mistakes.push(format!("{name}: not supported in front of a store yet"));
        }
    }

    fn breaker_limits(&self, mistakes: &mut Vec<String>) -> Option<BreakerLimits> {
        let (failures, pause) = self.breaker.as_ref()?;
        if *failures == 0 {
            mistakes.push("circuit_breaker: at least one failure".into());
        }
        let pause = Check(mistakes).optional("circuit_breaker", Some(pause)).unwrap_or_default();
        Some(BreakerLimits { failures: *failures, pause })
    }

    fn near_config(&self, mistakes: &mut Vec<String>) -> NearConfig {
        let bytes_max = match &self.near.bytes {
            Ok(bytes) => *bytes,
            Err(mistake) => {
                mistakes.push(mistake.clone());
                NEAR_BYTES_DEFAULT
            }
        };
        let value_bytes_max = usize::try_from(VALUE_BYTES_MAX.min(bytes_max)).unwrap_or(usize::MAX);
        NearConfig {
            bytes_max,
            entries_max: self.near.entries,
            value_bytes_max,
            policy: self.near.eviction,
        }
    }
}

/// Reads settings, and collects what is wrong with them.
struct Check<'a>(&'a mut Vec<String>);

impl Check<'_> {
    fn expiry(&mut self, name: &str, setting: &Setting) -> Expiry {
        setting.to_expiry().unwrap_or_else(|mistake| {
            self.0.push(format!("{name}: {mistake}"));
            Expiry::NEVER
        })
    }

    fn duration(&mut self, name: &str, setting: &Setting) -> Duration {
        setting.to_duration().unwrap_or_else(|mistake| {
            self.0.push(format!("{name}: {mistake}"));
            Duration::ZERO
        })
    }

    /// Reads a duration that turns something on, and must not be zero.
    fn optional(&mut self, name: &str, setting: Option<&Setting>) -> Option<Duration> {
        let before = self.0.len();
        let duration = self.duration(name, setting?);
        if duration.is_zero() && self.0.len() == before {
            self.0.push(format!("{name}: must be longer than zero"));
        }
        Some(duration)
    }

    fn part(&mut self, name: &str, part: f64) -> f64 {
        if !(0.0..1.0).contains(&part) {
            self.0.push(format!("{name}: `{part}` is not from 0 to below 1"));
        }
        part
    }
}
